//! Graphs: `make-graph`, the operators that change a graph, and those that make tables of it.

use super::expression::{column, missing_column};
use super::joins::word;
use super::pipeline::plain;
use super::rows::put;
use super::scope::Binding;
use super::sources::relation;
use super::{Analyzer, Labelled, Outcome, Stop, Value};
use crate::diagnostics::Span;
use crate::graph::{GraphQuery, GraphQuestion, GraphStep, MakeGraph, NodeTable, PART};
use crate::syntax::{self, OperatorKind};
use crate::typed::{NamedExpr, Operator, QueryResult, Relation};
use crate::types::{Column, Schema, Type};

/// The property that `graph-mark-components` gives where the query names none.
const COMPONENT_ID: &str = "ComponentId";

impl Analyzer<'_> {
    pub(super) fn make_graph(&mut self, edges: Relation, operator: &syntax::Operator) -> Outcome<Value> {
        let OperatorKind::MakeGraph { source, target, directed, nodes, node_id, partitioned_by } = &operator.kind
        else {
            return Err(Stop::semantic(operator.span, "make-graph is needed here"));
        };
        let key = key_column(&edges.schema, source)?;
        let target_key = key_column(&edges.schema, target)?;
        if key.ty != target_key.ty {
            let message = format!(
                "the ends of an edge must have one type, but `{}` is {} and `{}` is {}",
                key.name, key.ty, target_key.name, target_key.ty
            );
            return Err(Stop::semantic(target.span, message));
        }
        let mut node_schema = Schema::default();
        let mut tables = Vec::new();
        for written in nodes {
            let Labelled { relation: table, .. } = self.other_table(&written.table)?;
            let found = key_column(&table.schema, &written.key)?;
            if found.ty != key.ty {
                let message = format!(
                    "`{}` is {}, but the ends of the edges are {}; convert one of them before make-graph",
                    found.name, found.ty, key.ty
                );
                return Err(Stop::semantic(written.key.span, message));
            }
            for property in &table.schema.columns {
                if let Some(known) = node_schema.get(&property.name).filter(|known| known.ty != property.ty) {
                    let message = format!(
                        "the tables of nodes have the column `{}` as {} and as {}; rename or convert one of them",
                        property.name, known.ty, property.ty
                    );
                    return Err(Stop::semantic(written.table.span, message));
                }
                put(&mut node_schema, property.clone());
            }
            tables.push(NodeTable { relation: table, key: written.key.text.clone() });
        }
        let mut id = tables.first().map(|table| table.key.clone());
        if let Some(name) = node_id {
            if !tables.is_empty() {
                let message = "with_node_id is for graphs without tables of nodes";
                return Err(Stop::semantic(name.span, message));
            }
            node_schema.columns.push(Column::new(&name.text, key.ty));
            id = Some(name.text.clone());
        }
        let mut graph = Box::new(MakeGraph {
            edges,
            source: source.text.clone(),
            target: target.text.clone(),
            directed: *directed,
            nodes: tables,
            node_schema,
            node_id: id,
            steps: Vec::new(),
            part: None,
        });
        let Some(partitioned) = partitioned_by else { return Ok(Value::Graph(graph)) };
        graph.part = Some(part_column(&graph, &partitioned.by)?);
        self.partitioned_graph(graph, &partitioned.body, operator.span).map(plain)
    }

    /// `partitioned-by c (…)`: the operators up to the first table see one graph a time, and those after it the rows
    /// of that graph.
    fn partitioned_graph(
        &mut self,
        mut graph: Box<MakeGraph>,
        body: &syntax::Pipeline,
        span: Span,
    ) -> Outcome<Relation> {
        for (at, operator) in body.operators.iter().enumerate() {
            let Labelled { relation: answer, .. } = match self.graph_step(graph, operator)? {
                Value::Graph(changed) => {
                    graph = changed;
                    continue;
                }
                Value::Relation(labelled) => labelled,
                Value::Scalar(_) => break,
            };
            let own = |input: Relation| {
                let kept = input.schema.columns.iter().filter(|found| found.name != PART).cloned();
                let schema = Schema::new(kept.collect());
                let columns = schema
                    .columns
                    .iter()
                    .map(|found| NamedExpr { name: found.name.clone(), expr: column(found, span) })
                    .collect();
                relation(Operator::Project { input: Box::new(input), columns }, schema, span)
            };
            let rest = &body.operators[at + 1..];
            if rest.is_empty() {
                return Ok(own(answer));
            }
            let by = column(&Column::new(PART, Type::Long), span);
            let rows = own(relation(Operator::RowTable, answer.schema.clone(), span));
            let rest = syntax::Pipeline { source: None, operators: rest.to_vec(), span: body.span };
            let body = Box::new(self.body(rows, &rest)?.relation);
            let schema = body.schema.clone();
            return Ok(relation(Operator::Partition { input: Box::new(answer), by, body }, schema, span));
        }
        let help = "end the part in parentheses with graph-match or another operator that gives a table".to_owned();
        Err(Stop::semantic(body.span, "a graph is not a result by itself").help(help))
    }

    pub(super) fn graph_step(&mut self, mut graph: Box<MakeGraph>, operator: &syntax::Operator) -> Outcome<Value> {
        let span = operator.span;
        match &operator.kind {
            OperatorKind::GraphMatch(written) => {
                let pattern = self.match_pattern(&graph, operator, written)?;
                let schema = super::sources::schema_of(&pattern.project);
                Ok(plain(answer(*graph, GraphQuestion::Match(pattern), schema, span)))
            }
            OperatorKind::GraphShortestPaths(written) => {
                let pattern = self.match_pattern(&graph, operator, written)?;
                let (all, pattern) = shortest(pattern, operator, written)?;
                let schema = super::sources::schema_of(&pattern.project);
                Ok(plain(answer(*graph, GraphQuestion::ShortestPaths { pattern, all }, schema, span)))
            }
            OperatorKind::GraphWhereNodes { predicate } => {
                let schema = graph.node_schema.clone();
                let predicate = self.over(&schema, |analyzer| analyzer.condition(predicate))?;
                graph.steps.push(GraphStep::WhereNodes(predicate));
                Ok(Value::Graph(graph))
            }
            OperatorKind::GraphWhereEdges { predicate } => {
                let schema = graph.edges.schema.clone();
                let predicate = self.over(&schema, |analyzer| analyzer.condition(predicate))?;
                graph.steps.push(GraphStep::WhereEdges(predicate));
                Ok(Value::Graph(graph))
            }
            OperatorKind::GraphMarkComponents => {
                let strong = match word(operator, "kind") {
                    None | Some(("weak", _)) => false,
                    Some(("strong", _)) => true,
                    Some((other, span)) => {
                        let message = format!("the kind of components is weak or strong, not `{other}`");
                        return Err(Stop::semantic(span, message));
                    }
                };
                let (name, place) = word(operator, "with_component_id").unwrap_or((COMPONENT_ID, span));
                if graph.node_schema.get(name).is_some() {
                    let message = format!("the nodes have a property `{name}` already");
                    let help = "give the number of the component another name: with_component_id = …".to_owned();
                    return Err(Stop::semantic(place, message).help(help));
                }
                graph.node_schema.columns.push(Column::new(name, Type::Long));
                graph.steps.push(GraphStep::MarkComponents { strong, column: name.to_owned() });
                Ok(Value::Graph(graph))
            }
            OperatorKind::GraphToTable { tables } => self.graph_to_table(*graph, tables, span),
            _ => {
                let help = "ask the graph with graph-match, or turn it into tables with graph-to-table".to_owned();
                Err(Stop::semantic(span, "this operator needs a table, but a graph stands before it").help(help))
            }
        }
    }

    fn graph_to_table(&mut self, mut graph: MakeGraph, tables: &[syntax::GraphTable], span: Span) -> Outcome<Value> {
        let several = tables.len() > 1;
        if several && (tables.len() > 2 || tables[0].edges == tables[1].edges) {
            return Err(Stop::semantic(span, "graph-to-table gives nodes, edges, or one of each"));
        }
        if several && graph.part.is_some() {
            return Err(Stop::semantic(span, "a partitioned graph gives one table: nodes or edges"));
        }
        if several {
            graph.edges = self.share(graph.edges);
            for table in &mut graph.nodes {
                table.relation = self.share(table.relation.clone());
            }
        }
        let mut last = None;
        for table in tables {
            let relation = self.graph_table(&graph, table, span)?;
            let label = table.name.as_ref().map(|name| name.text.clone());
            if several {
                let relation = relation.clone();
                self.extra.push(QueryResult { name: label.clone(), relation, render: None });
            }
            if let Some(name) = &label {
                let binding = Binding::Relation { relation: relation.clone(), label: label.clone() };
                self.exports.push((name.clone(), binding));
            }
            last = Some(Labelled { relation, label });
        }
        match last {
            Some(labelled) => Ok(Value::Relation(labelled)),
            None => Err(Stop::semantic(span, "graph-to-table needs `nodes` or `edges`")),
        }
    }

    /// Columns with hashes of identities come first, as the reference prints them.
    fn graph_table(&mut self, graph: &MakeGraph, table: &syntax::GraphTable, span: Span) -> Outcome<Relation> {
        let base = if table.edges { &graph.edges.schema } else { &graph.node_schema };
        let known: &[&str] = if table.edges { &["with_source_id", "with_target_id"] } else { &["with_node_id"] };
        let mut names: [Option<String>; 2] = [None, None];
        for property in &table.parameters {
            let Some(at) = known.iter().position(|known| *known == property.name.text) else {
                let message =
                    format!("graph-to-table has no `{}` here; it has {}", property.name.text, known.join(", "));
                return Err(Stop::unknown(property.name.span, message));
            };
            let syntax::ExprKind::Name(name) = &property.value.kind else {
                return Err(Stop::semantic(property.value.span, "the name of a column is needed here"));
            };
            if base.get(name).is_some() || names.iter().flatten().any(|taken| taken == name) {
                return Err(Stop::semantic(property.value.span, format!("there is a column `{name}` already")));
            }
            names[at] = Some(name.clone());
        }
        let mut schema = Schema::new(names.iter().flatten().map(|name| Column::new(name, Type::Long)).collect());
        schema.columns.extend(base.columns.iter().cloned());
        let [first, second] = names;
        let question = match table.edges {
            true => GraphQuestion::Edges { source_hash: first, target_hash: second },
            false => GraphQuestion::Nodes { hash: first },
        };
        Ok(answer(graph.clone(), question, schema, span))
    }
}

/// The relation that answers a question; over a partitioned graph it begins with the number of the part.
fn answer(graph: MakeGraph, question: GraphQuestion, mut schema: Schema, span: Span) -> Relation {
    if graph.part.is_some() {
        schema.columns.insert(0, Column::new(PART, Type::Long));
    }
    relation(Operator::Graph(Box::new(GraphQuery { graph, question })), schema, span)
}

/// A column that identifies nodes.
fn key_column<'s>(schema: &'s Schema, name: &syntax::Name) -> Outcome<&'s Column> {
    let found = schema.get(&name.text).ok_or_else(|| missing_column(&name.text, schema, name.span))?;
    if found.ty == Type::Dynamic {
        let message =
            format!("`{}` is dynamic and cannot identify nodes; convert it, for instance with tostring()", found.name);
        return Err(Stop::semantic(name.span, message));
    }
    Ok(found)
}

/// The column of `partitioned-by`, which edges and all tables of nodes must have.
fn part_column(graph: &MakeGraph, by: &syntax::Expr) -> Outcome<String> {
    let syntax::ExprKind::Name(name) = &by.kind else {
        return Err(Stop::semantic(by.span, "partitioned-by needs the name of a column"));
    };
    let nodes = graph.nodes.iter().map(|table| ("a table of nodes", &table.relation.schema));
    let mut ty = None;
    for (what, schema) in std::iter::once(("the table of edges", &graph.edges.schema)).chain(nodes) {
        let Some(found) = schema.get(name) else {
            let message = format!("partitioned-by needs the column `{name}` in edges and nodes, but {what} has none");
            return Err(Stop::unknown(by.span, message));
        };
        if *ty.get_or_insert(found.ty) != found.ty {
            let message = format!("`{name}` must have one type in edges and nodes");
            return Err(Stop::semantic(by.span, message));
        }
    }
    Ok(name.clone())
}

/// What `graph-shortest-paths` asks of its pattern.
fn shortest(
    pattern: crate::graph::GraphPattern,
    operator: &syntax::Operator,
    written: &syntax::MatchOperator,
) -> Outcome<(bool, crate::graph::GraphPattern)> {
    let place = written.patterns.first().map_or(operator.span, |first| first.span);
    if written.patterns.len() > 1 {
        return Err(Stop::semantic(place, "graph-shortest-paths takes one sequence of nodes and edges"));
    }
    if !pattern.edges.iter().any(|edge| edge.hops.is_some()) {
        let help = "write the edge with its length, for instance -[e*1..5]->".to_owned();
        return Err(Stop::semantic(place, "graph-shortest-paths needs an edge of variable length").help(help));
    }
    match word(operator, "output") {
        None | Some(("any", _)) => Ok((false, pattern)),
        Some(("all", _)) => Ok((true, pattern)),
        Some((other, span)) => {
            Err(Stop::semantic(span, format!("the output of graph-shortest-paths is any or all, not `{other}`")))
        }
    }
}
