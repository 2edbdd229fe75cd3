//! Window functions of ordered rows: `row_number`, `prev`, `next`, `row_cumsum`, `row_rank_dense`, `row_rank_min`.
//! All of one step run over the same numbering of the rows, so that rows with equal sort keys keep one order.

use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::{max, sum};
use datafusion::functions_window::expr_fn::{lag, lead};
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{
    Case, Expr as DfExpr, ExprFunctionExt, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits, cast,
    lit,
};
use watchkeeper_kql::typed::{Expr, ExprKind};

use super::{Planned, Planner, Scope, column, key, order};
use crate::error::QueryError;
use crate::runtime::{arrow_type, null_of};

impl Planner<'_> {
    /// Computes the window calls within `exprs` as columns below them. The scope knows the columns by call.
    pub(super) fn windows(&self, input: Planned, exprs: &[&Expr]) -> Result<(Planned, Scope), QueryError> {
        let mut calls = Vec::new();
        for expr in exprs {
            collect(expr, &mut calls);
        }
        let mut scope = self.scope(&input);
        if calls.is_empty() {
            return Ok((input, scope));
        }
        let (mut planned, row) = self.numbered(input)?;
        for call in calls {
            let name = self.fresh("w");
            let ExprKind::Window { function, args } = &call.kind else {
                continue;
            };
            planned = self.window(planned, &row, &name, function, args, call, &scope)?;
            scope.windows.insert(key(call), name);
        }
        Ok((planned, scope))
    }

    #[allow(clippy::too_many_arguments)]
    fn window(
        &self,
        input: Planned,
        row: &str,
        name: &str,
        function: &str,
        args: &[Expr],
        call: &Expr,
        scope: &Scope,
    ) -> Result<Planned, QueryError> {
        let groups: Vec<DfExpr> = input.groups.iter().map(|group| column(group)).collect();
        let by_row = || vec![Sort { expr: column(row), asc: true, nulls_first: false }];
        let ty = arrow_type(call.ty);
        match function {
            "prev" | "next" => {
                let value = self.expr(required(args, 0, function)?, scope)?;
                let offset = match args.get(1) {
                    Some(offset) => i64::try_from(self.count(offset)?).unwrap_or(i64::MAX),
                    None => 1,
                };
                let default = match args.get(2) {
                    Some(default) => self.constant(default)?.cast_to(&ty)?,
                    None => null_of(call.ty),
                };
                let shift = if function == "prev" { lag } else { lead };
                let expr = shift(value, Some(offset), Some(default)).partition_by(groups).order_by(by_row()).build()?;
                self.add_window(input, expr, name)
            }
            "row_number" => {
                let start = match args.first() {
                    Some(start) => self.expr(start, scope)?,
                    None => lit(1_i64),
                };
                let (input, mut partition) = self.segments(input, row, args.get(1), scope)?;
                partition.extend(groups);
                let running = running(sum(lit(1_i64)), partition, by_row())?;
                let raw = self.fresh("w");
                let input = self.add_window(input, running, &raw)?;
                let value = cast(column(&raw) - lit(1_i64) + cast(start, ty.clone()), ty);
                let plan = order::with_column(&input.plan, value, name)?;
                Ok(input.with_plan(plan))
            }
            "row_cumsum" => {
                let value = self.expr(required(args, 0, function)?, scope)?;
                let (input, mut partition) = self.segments(input, row, args.get(1), scope)?;
                partition.extend(groups);
                let running = running(sum(value), partition, by_row())?;
                let raw = self.fresh("w");
                let input = self.add_window(input, running, &raw)?;
                let plan = order::with_column(&input.plan, cast(column(&raw), ty), name)?;
                Ok(input.with_plan(plan))
            }
            "row_rank_dense" | "row_rank_min" => {
                let term = self.expr(required(args, 0, function)?, scope)?;
                let (input, mut partition) = self.segments(input, row, args.get(1), scope)?;
                partition.extend(groups);
                let before = self.fresh("w");
                let shifted =
                    lag(term.clone(), Some(1), None).partition_by(partition.clone()).order_by(by_row()).build()?;
                let input = self.add_window(input, shifted, &before)?;
                let number = self.fresh("w");
                let counted = running(sum(lit(1_i64)), partition.clone(), by_row())?;
                let input = self.add_window(input, counted, &number)?;
                let changed =
                    column(&number).eq(lit(1_i64)).or(DfExpr::BinaryExpr(datafusion::logical_expr::BinaryExpr::new(
                        Box::new(term),
                        datafusion::logical_expr::Operator::IsDistinctFrom,
                        Box::new(column(&before)),
                    )));
                let rank = if function == "row_rank_dense" {
                    running(sum(when(changed, lit(1_i64), lit(0_i64))), partition, by_row())?
                } else {
                    running(max(when(changed, column(&number), lit(ScalarValue::Int64(None)))), partition, by_row())?
                };
                let raw = self.fresh("w");
                let input = self.add_window(input, rank, &raw)?;
                let plan = order::with_column(&input.plan, cast(column(&raw), ty), name)?;
                Ok(input.with_plan(plan))
            }
            other => Err(QueryError::execution(format!("the window function {other} is not available"))),
        }
    }

    /// Adds a column that numbers the runs of rows between restarts; gives the expressions to partition by.
    fn segments(
        &self,
        input: Planned,
        row: &str,
        restart: Option<&Expr>,
        scope: &Scope,
    ) -> Result<(Planned, Vec<DfExpr>), QueryError> {
        let Some(restart) = restart else {
            return Ok((input, Vec::new()));
        };
        let restart = self.expr(restart, scope)?;
        if matches!(restart, DfExpr::Literal(ScalarValue::Boolean(Some(false) | None), _)) {
            return Ok((input, Vec::new()));
        }
        let groups: Vec<DfExpr> = input.groups.iter().map(|group| column(group)).collect();
        let by_row = vec![Sort { expr: column(row), asc: true, nulls_first: false }];
        let name = self.fresh("w");
        let flags = running(sum(when(restart, lit(1_i64), lit(0_i64))), groups, by_row)?;
        let input = self.add_window(input, flags, &name)?;
        Ok((input, vec![column(&name)]))
    }

    fn add_window(&self, input: Planned, expr: DfExpr, name: &str) -> Result<Planned, QueryError> {
        let plan = LogicalPlanBuilder::from(input.plan.clone()).window(vec![expr.alias(name)])?.build()?;
        Ok(input.with_plan(plan))
    }
}

/// An aggregate over the rows up to the current one.
fn running(aggregate: DfExpr, partition: Vec<DfExpr>, order: Vec<Sort>) -> Result<DfExpr, QueryError> {
    let frame = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow,
    );
    let DfExpr::AggregateFunction(function) = aggregate else {
        return Err(QueryError::execution("a running value needs an aggregate"));
    };
    let window = DfExpr::from(datafusion::logical_expr::expr::WindowFunction::new(function.func, function.params.args));
    Ok(window.partition_by(partition).order_by(order).window_frame(frame).build()?)
}

fn when(condition: DfExpr, then: DfExpr, otherwise: DfExpr) -> DfExpr {
    DfExpr::Case(Case::new(None, vec![(Box::new(condition), Box::new(then))], Some(Box::new(otherwise))))
}

fn required<'e>(args: &'e [Expr], at: usize, function: &str) -> Result<&'e Expr, QueryError> {
    args.get(at).ok_or_else(|| QueryError::execution(format!("{function} needs at least {} arguments", at + 1)))
}

/// The window calls of an expression, inner ones first.
fn collect<'e>(expr: &'e Expr, calls: &mut Vec<&'e Expr>) {
    match &expr.kind {
        ExprKind::Window { args, .. } => {
            args.iter().for_each(|arg| collect(arg, calls));
            calls.push(expr);
        }
        ExprKind::Call { args, .. } | ExprKind::Aggregate { args, .. } => {
            args.iter().for_each(|arg| collect(arg, calls));
        }
        ExprKind::InRelation { value, .. } => collect(value, calls),
        _ => {}
    }
}
