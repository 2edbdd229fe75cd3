//! `sort`, `take`, `top`, `serialize`: the order of rows is carried as hidden columns and becomes part of the plan only
//! where something depends on it, so that a sort before an aggregation costs nothing and `sort | take` is a top-k.

use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{Sort, WindowFunction, WindowFunctionDefinition};
use datafusion::logical_expr::{Expr as DfExpr, ExprFunctionExt, LogicalPlan, lit};
use watchkeeper_kql::typed::{Expr, Relation, SortKey};

use super::{Planned, Planner, Scope, column};
use crate::error::QueryError;

/// One key of an order that is carried along.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderKey {
    /// The hidden column.
    pub column: String,
    pub descending: bool,
    pub nulls_first: bool,
}

impl OrderKey {
    pub fn expr(&self) -> Sort {
        Sort { expr: column(&self.column), asc: !self.descending, nulls_first: self.nulls_first }
    }
}

pub fn sort_exprs(order: &[OrderKey]) -> Vec<Sort> {
    order.iter().map(OrderKey::expr).collect()
}

/// The plan with its order made real; inside a group's body the groups come first.
pub fn applied(planned: Planned) -> Result<Planned, QueryError> {
    if planned.order.is_empty() {
        return Ok(planned);
    }
    let mut keys: Vec<Sort> =
        planned.groups.iter().map(|group| Sort { expr: column(group), asc: true, nulls_first: false }).collect();
    keys.extend(sort_exprs(&planned.order));
    let plan = planned.builder().sort(keys)?.build()?;
    Ok(planned.with_plan(plan))
}

/// Adds `expr` to all columns of a plan.
pub fn with_column(plan: &LogicalPlan, expr: DfExpr, name: &str) -> Result<LogicalPlan, QueryError> {
    let mut columns: Vec<DfExpr> = plan.schema().fields().iter().map(|f| column(f.name()).alias(f.name())).collect();
    columns.push(expr.alias(name));
    Ok(datafusion::logical_expr::LogicalPlanBuilder::from(plan.clone()).project(columns)?.build()?)
}

impl Planner<'_> {
    pub(super) fn sort(
        &self,
        input: &Relation,
        keys: &[SortKey],
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let input = self.relation(input, body)?;
        self.ordered(input, keys)
    }

    /// Replaces the order of `input`.
    pub(super) fn ordered(&self, input: Planned, keys: &[SortKey]) -> Result<Planned, QueryError> {
        let (mut input, scope) = self.windows(input, &keys.iter().map(|key| &key.expr).collect::<Vec<_>>())?;
        let old: Vec<String> = input.order.drain(..).map(|key| key.column).collect();
        let mut columns: Vec<DfExpr> = input
            .plan
            .schema()
            .fields()
            .iter()
            .filter(|field| !old.contains(field.name()))
            .map(|field| column(field.name()).alias(field.name()))
            .collect();
        let mut order = Vec::with_capacity(keys.len());
        for key in keys {
            let name = self.fresh("o");
            columns.push(self.expr(&key.expr, &scope)?.alias(&name));
            order.push(OrderKey { column: name, descending: key.descending, nulls_first: key.nulls_first });
        }
        let plan = input.builder().project(columns)?.build()?;
        Ok(Planned { order, ..input.with_plan(plan) })
    }

    pub(super) fn take(&self, input: &Relation, count: &Expr, body: Option<&Planned>) -> Result<Planned, QueryError> {
        let input = self.relation(input, body)?;
        let count = self.count(count)?;
        self.limited(input, count)
    }

    pub(super) fn top(
        &self,
        input: &Relation,
        count: &Expr,
        keys: &[SortKey],
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let input = self.sort(input, keys, body)?;
        let count = self.count(count)?;
        self.limited(input, count)
    }

    /// The first `count` rows (of each group, inside a body).
    pub(super) fn limited(&self, input: Planned, count: usize) -> Result<Planned, QueryError> {
        if input.groups.is_empty() {
            let sorted = applied(input)?;
            let plan = sorted.builder().limit(0, Some(count))?.build()?;
            return Ok(sorted.with_plan(plan));
        }
        let (numbered, row) = self.numbered(input)?;
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let plan = numbered.builder().filter(column(&row).lt_eq(lit(limit)))?.build()?;
        Ok(numbered.with_plan(plan))
    }

    /// Adds the number of each row, from one, in the order of the rows (within its group), and makes it the order.
    pub(super) fn numbered(&self, input: Planned) -> Result<(Planned, String), QueryError> {
        let name = self.fresh("o");
        let function = WindowFunctionDefinition::WindowUDF(row_number_udwf());
        let window = DfExpr::from(WindowFunction::new(function, vec![]))
            .partition_by(input.groups.iter().map(|group| column(group)).collect());
        // an empty order is not the same as none
        let window = if input.order.is_empty() { window } else { window.order_by(sort_exprs(&input.order)) }.build()?;
        let raw = self.fresh("w");
        let numbered = input.builder().window(vec![window.alias(&raw)])?.build()?;
        let old: Vec<&String> = input.order.iter().map(|key| &key.column).collect();
        let mut columns: Vec<DfExpr> = input
            .plan
            .schema()
            .fields()
            .iter()
            .filter(|field| !old.contains(&field.name()))
            .map(|field| column(field.name()).alias(field.name()))
            .collect();
        let number = DfExpr::Cast(datafusion::logical_expr::Cast::new(
            Box::new(column(&raw)),
            arrow::datatypes::DataType::Int64,
        ));
        columns.push(number.alias(&name));
        let plan = datafusion::logical_expr::LogicalPlanBuilder::from(numbered).project(columns)?.build()?;
        let order = vec![OrderKey { column: name.clone(), descending: false, nulls_first: false }];
        Ok((Planned { order, ..input.with_plan(plan) }, name))
    }

    /// Columns of `columns` computed over `input`, with what is hidden handed on.
    pub(super) fn projected(&self, input: &Planned, columns: Vec<(String, DfExpr)>) -> Result<Planned, QueryError> {
        let mut list: Vec<DfExpr> = columns.into_iter().map(|(name, expr)| expr.alias(name)).collect();
        list.extend(input.hidden().iter().map(|name| column(name).alias(name)));
        let plan = input.builder().project(list)?.build()?;
        Ok(input.with_plan(plan))
    }

    pub(super) fn scope(&self, input: &Planned) -> Scope {
        Scope { outer: input.outer.clone(), ..Scope::default() }
    }
}
