//! Walking the typed tree: the relations and expressions directly within a node.

use watchkeeper_kql::graph::{GraphQuestion, GraphStep};
use watchkeeper_kql::typed::{Expr, ExprKind, Operator, PluginArg, Relation};

/// The relations that an operator reads, its bodies included, without those inside expressions.
pub fn relations(relation: &Relation) -> Vec<&Relation> {
    match &relation.operator {
        Operator::Table { .. }
        | Operator::Shared(_)
        | Operator::Datatable { .. }
        | Operator::Print { .. }
        | Operator::Range { .. }
        | Operator::ExternalData { .. }
        | Operator::RowTable => Vec::new(),
        Operator::Where { input, .. }
        | Operator::Project { input, .. }
        | Operator::Summarize { input, .. }
        | Operator::Sort { input, .. }
        | Operator::Take { input, .. }
        | Operator::Top { input, .. }
        | Operator::TopNested { input, .. }
        | Operator::TopHitters { input, .. }
        | Operator::Sample { input, .. }
        | Operator::SampleDistinct { input, .. }
        | Operator::MvExpand { input, .. }
        | Operator::Parse { input, .. }
        | Operator::ParseKv { input, .. }
        | Operator::MakeSeries { input, .. }
        | Operator::Serialize { input }
        | Operator::Scan { input, .. }
        | Operator::Reduce { input, .. }
        | Operator::Consume { input }
        | Operator::AssertSchema { input } => vec![input],
        Operator::MvApply { input, body, .. } | Operator::Partition { input, body, .. } => {
            vec![input, body]
        }
        Operator::Join { left, right, .. } => vec![left, right],
        Operator::Union { inputs } => inputs.iter().map(|input| &input.relation).collect(),
        Operator::Evaluate { input, args, .. } => {
            let mut all: Vec<&Relation> = input.iter().map(AsRef::as_ref).collect();
            all.extend(args.iter().filter_map(|arg| match arg {
                PluginArg::Relation(relation) => Some(relation),
                _ => None,
            }));
            all
        }
        Operator::Graph(query) => {
            let mut all = vec![&query.graph.edges];
            all.extend(query.graph.nodes.iter().map(|table| &table.relation));
            all
        }
    }
}

/// The expressions of an operator, without those of the relations that it reads.
pub fn expressions(relation: &Relation) -> Vec<&Expr> {
    match &relation.operator {
        Operator::Table { .. }
        | Operator::Shared(_)
        | Operator::Datatable { .. }
        | Operator::ExternalData { .. }
        | Operator::RowTable
        | Operator::Serialize { .. }
        | Operator::Consume { .. }
        | Operator::AssertSchema { .. } => Vec::new(),
        Operator::Print { columns } | Operator::Project { columns, .. } => columns.iter().map(|c| &c.expr).collect(),
        Operator::Range { from, to, step } => vec![from, to, step],
        Operator::Where { predicate, .. } => vec![predicate],
        Operator::Summarize { keys, aggregates, .. } => keys.iter().chain(aggregates).map(|c| &c.expr).collect(),
        Operator::Sort { keys, .. } => keys.iter().map(|key| &key.expr).collect(),
        Operator::Take { count, .. } | Operator::Sample { count, .. } => vec![count],
        Operator::Top { count, keys, .. } => std::iter::once(count).chain(keys.iter().map(|key| &key.expr)).collect(),
        Operator::TopNested { levels, .. } => levels
            .iter()
            .flat_map(|level| {
                let optional = level.count.iter().chain(level.others.iter());
                optional.chain([&level.key.expr, &level.aggregate.expr])
            })
            .collect(),
        Operator::TopHitters { count, of, by, .. } => [count, &of.expr].into_iter().chain(by.iter()).collect(),
        Operator::SampleDistinct { count, of, .. } => vec![count, &of.expr],
        Operator::Join { on, .. } => on.iter().flat_map(|(left, right)| [left, right]).collect(),
        Operator::Union { inputs } => inputs.iter().flat_map(|i| i.columns.iter().map(|c| &c.expr)).collect(),
        Operator::MvExpand { columns, limit, .. } | Operator::MvApply { columns, limit, .. } => {
            columns.iter().map(|c| &c.expr).chain(limit.iter()).collect()
        }
        Operator::Parse { expr, .. } | Operator::ParseKv { expr, .. } | Operator::Reduce { expr, .. } => vec![expr],
        Operator::MakeSeries { aggregates, axis, from, to, step, keys, .. } => {
            let mut all: Vec<&Expr> = Vec::new();
            for (aggregate, default) in aggregates {
                all.push(&aggregate.expr);
                all.extend(default.iter());
            }
            all.push(&axis.expr);
            all.extend(from.iter().chain(to.iter()));
            all.push(step);
            all.extend(keys.iter().map(|key| &key.expr));
            all
        }
        Operator::Scan { partition_by, declare, steps, .. } => {
            let mut all: Vec<&Expr> = partition_by.iter().collect();
            all.extend(declare.iter().filter_map(|(_, _, default)| default.as_ref()));
            for step in steps {
                all.push(&step.condition);
                all.extend(step.assign.iter().map(|assign| &assign.expr));
            }
            all
        }
        Operator::Partition { by, .. } => vec![by],
        Operator::Evaluate { args, .. } => args
            .iter()
            .filter_map(|arg| match arg {
                PluginArg::Scalar(expr) | PluginArg::Aggregate(expr) => Some(expr),
                _ => None,
            })
            .collect(),
        Operator::Graph(query) => {
            let mut all: Vec<&Expr> = query
                .graph
                .steps
                .iter()
                .filter_map(|step| match step {
                    GraphStep::WhereNodes(predicate) | GraphStep::WhereEdges(predicate) => Some(predicate),
                    GraphStep::MarkComponents { .. } => None,
                })
                .collect();
            if let GraphQuestion::Match(pattern) | GraphQuestion::ShortestPaths { pattern, .. } = &query.question {
                all.extend(pattern.conditions.iter().chain(pattern.project.iter().map(|named| &named.expr)));
            }
            all
        }
    }
}

/// The sub-queries within an expression: `toscalar(T)` and `x in (T)`.
pub fn subqueries<'e>(expr: &'e Expr, found: &mut Vec<&'e Expr>) {
    match &expr.kind {
        ExprKind::ToScalar(_) => found.push(expr),
        ExprKind::InRelation { value, .. } => {
            subqueries(value, found);
            found.push(expr);
        }
        ExprKind::Call { args, .. } | ExprKind::Aggregate { args, .. } | ExprKind::Window { args, .. } => {
            args.iter().for_each(|arg| subqueries(arg, found));
        }
        ExprKind::Literal(_) | ExprKind::Column(_) | ExprKind::Outer(_) | ExprKind::StepColumn { .. } => {}
    }
}
