//! The dispatch over operators, and the row-wise ones: `where`, `project`, `union`, `serialize`.

use datafusion::logical_expr::{Expr as DfExpr, LogicalPlanBuilder};
use watchkeeper_kql::typed::{Expr, NamedExpr, Operator, Relation, UnionInput};

use super::{Planned, Planner, key};
use crate::error::QueryError;

impl Planner<'_> {
    /// Plans a relation. `body` is the source of `RowTable`, inside the body of `mv-apply` or `partition`.
    pub(super) fn relation(&self, relation: &Relation, body: Option<&Planned>) -> Result<Planned, QueryError> {
        if let Some(stored) = self.resolved.stored.get(&key(relation)) {
            return self.stored(stored);
        }
        match &relation.operator {
            Operator::Table { name, source } => self.table(name, source, &relation.schema),
            Operator::Shared(id) => match self.resolved.shared.get(id) {
                Some(stored) => self.stored(stored),
                None => Err(QueryError::execution("a shared relation was not computed before its use")),
            },
            Operator::Datatable { rows } => self.datatable(&relation.schema, rows),
            Operator::Print { columns } => self.print(columns),
            Operator::Range { from, to, step } => self.range(&relation.schema, from, to, step),
            Operator::ExternalData { uris, .. } => Err(QueryError::execution(format!(
                "externaldata cannot read {}: this server reads no outside addresses; ingest the data as a table instead",
                uris.first().map_or("an address", String::as_str)
            ))),
            Operator::Where { input, predicate } => self.filter(input, predicate, body),
            Operator::Project { input, columns } => self.project(input, columns, body),
            Operator::Summarize { input, keys, aggregates } => self.summarize(input, keys, aggregates, body),
            Operator::Sort { input, keys } => self.sort(input, keys, body),
            Operator::Take { input, count } => self.take(input, count, body),
            Operator::Sample { input, count } => self.sample(input, count, body),
            Operator::SampleDistinct { input, count, of } => self.sample_distinct(input, count, of, body),
            Operator::Top { input, count, keys } => self.top(input, count, keys, body),
            Operator::TopHitters { input, count, of, by } => {
                self.top_hitters(&relation.schema, input, count, of, by.as_ref(), body)
            }
            Operator::TopNested { input, levels } => self.top_nested(&relation.schema, input, levels, body),
            Operator::Join { left, right, kind, on, columns } => {
                self.join(&relation.schema, left, right, *kind, on, columns, body)
            }
            Operator::Union { inputs } => self.union(inputs, body),
            Operator::MvExpand { input, columns, item_index, bag_as_array, limit } => {
                let input = self.relation(input, body)?;
                self.expand(input, &relation.schema, columns, item_index.as_deref(), *bag_as_array, limit.as_ref())
            }
            Operator::MvApply { input, columns, item_index, limit, body: inner } => {
                let input = self.relation(input, body)?;
                self.apply(input, &relation.schema, columns, item_index.as_deref(), limit.as_ref(), inner)
            }
            Operator::Partition { input, by, body: inner } => {
                let input = self.relation(input, body)?;
                self.partition(input, &relation.schema, by, inner)
            }
            Operator::RowTable => match body {
                Some(planned) => Ok(planned.clone()),
                None => Err(QueryError::execution("the rows of an enclosing operator are not known here")),
            },
            Operator::Parse { input, kind, flags, expr, pieces, only_matches } => {
                let input = self.relation(input, body)?;
                self.parse(input, &relation.schema, *kind, flags, expr, pieces, *only_matches)
            }
            Operator::ParseKv { input, expr, columns, options } => {
                let input = self.relation(input, body)?;
                self.parse_kv(input, &relation.schema, expr, columns, options)
            }
            Operator::MakeSeries { input, aggregates, axis, from, to, step, keys, include_end, nonempty } => {
                let input = self.relation(input, body)?;
                let limits = super::series::Limits {
                    from: from.as_ref(),
                    to: to.as_ref(),
                    step,
                    include_end: *include_end,
                    nonempty: *nonempty,
                };
                self.make_series(input, &relation.schema, aggregates, axis, &limits, keys, key(relation))
            }
            Operator::Serialize { input } => self.relation(input, body),
            Operator::AssertSchema { input } => self.relation(input, body),
            Operator::Consume { .. } => self.nothing(&relation.schema),
            Operator::Scan { input, partition_by, declare, match_id, steps } => {
                let planned = self.relation(input, body)?;
                let parts = super::whole::ScanParts { partition_by, declare, match_id: match_id.as_deref(), steps };
                self.scan(planned, &input.schema, &relation.schema, &parts)
            }
            Operator::Reduce { input, expr, options } => {
                let input = self.relation(input, body)?;
                self.reduce(input, &relation.schema, expr, options)
            }
            Operator::Graph(query) => self.graph(query, &relation.schema, body),
            Operator::Evaluate { input, plugin, args, .. } => {
                self.evaluate(&relation.schema, input.as_deref(), plugin, args, body)
            }
        }
    }

    fn filter(&self, input: &Relation, predicate: &Expr, body: Option<&Planned>) -> Result<Planned, QueryError> {
        let input = self.relation(input, body)?;
        let (input, scope) = self.windows(input, &[predicate])?;
        let predicate = self.predicate(predicate, &scope)?;
        let plan = input.builder().filter(predicate)?.build()?;
        Ok(input.with_plan(plan))
    }

    fn project(&self, input: &Relation, columns: &[NamedExpr], body: Option<&Planned>) -> Result<Planned, QueryError> {
        let input = self.relation(input, body)?;
        let (input, scope) = self.windows(input, &columns.iter().map(|named| &named.expr).collect::<Vec<_>>())?;
        let columns = columns
            .iter()
            .map(|named| Ok((named.name.clone(), self.expr(&named.expr, &scope)?)))
            .collect::<Result<Vec<_>, QueryError>>()?;
        self.projected(&input, columns)
    }

    fn union(&self, inputs: &[UnionInput], body: Option<&Planned>) -> Result<Planned, QueryError> {
        let mut result: Option<(LogicalPlanBuilder, Planned)> = None;
        for input in inputs {
            let mut planned = self.relation(&input.relation, body)?;
            planned.order.clear();
            let scope = self.scope(&planned);
            let columns = input
                .columns
                .iter()
                .map(|named| Ok((named.name.clone(), self.expr(&named.expr, &scope)?)))
                .collect::<Result<Vec<(String, DfExpr)>, QueryError>>()?;
            let planned = self.projected(&planned, columns)?;
            result = Some(match result {
                None => (planned.builder(), planned),
                Some((builder, first)) => (builder.union(planned.plan)?, first),
            });
        }
        match result {
            Some((builder, first)) => Ok(first.with_plan(builder.build()?)),
            None => Err(QueryError::execution("union needs at least one table")),
        }
    }
}
