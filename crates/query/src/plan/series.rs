//! `make-series`: aggregate by bins of the axis, then gather each group's bins into arrays with the gaps filled.

use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, LogicalPlanBuilder, lit};
use watchkeeper_kql::typed::{Expr, ExprKind, NamedExpr, Relation};
use watchkeeper_kql::{Schema, Type};

use super::{Planned, Planner, Scope, column, expr};
use crate::error::QueryError;
use crate::rows::series::gather;
use crate::runtime::scalar;

/// Bins that a series may have.
const MAX_BINS: i64 = 1_048_576;

/// The axis of a series as it was written.
pub(super) struct Limits<'e> {
    pub from: Option<&'e Expr>,
    pub to: Option<&'e Expr>,
    pub step: &'e Expr,
    pub include_end: bool,
    /// One series of defaults where there are no rows.
    pub nonempty: bool,
}

impl Planner<'_> {
    /// The smallest and largest value of an axis, for a series without written limits.
    pub fn axis_limits(&self, input: &Relation, axis: &NamedExpr) -> Result<LogicalPlan, QueryError> {
        let input = self.relation(input, None)?;
        let value = self.expr(&axis.expr, &self.scope(&input))?;
        let list = vec![min(value.clone()).alias("least"), max(value).alias("greatest")];
        Ok(input.builder().aggregate(Vec::<DfExpr>::new(), list)?.build()?)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn make_series(
        &self,
        input: Planned,
        schema: &Schema,
        aggregates: &[(NamedExpr, Option<Expr>)],
        axis: &NamedExpr,
        limits: &Limits<'_>,
        keys: &[NamedExpr],
        node: usize,
    ) -> Result<Planned, QueryError> {
        let axis_type = axis.expr.ty;
        let step = self.constant(limits.step)?;
        let known = self.resolved.limits.get(&node);
        let limit = |written: Option<&Expr>, found: Option<&ScalarValue>| match (written, found) {
            (Some(written), _) => self.constant(written),
            (None, Some(found)) => Ok(found.clone()),
            (None, None) => Err(QueryError::execution(
                "the limits of make-series are not known inside another operator; write from and to",
            )),
        };
        let from = limit(limits.from, known.map(|(least, _)| least))?;
        let to = limit(limits.to, known.map(|(_, greatest)| greatest))?;
        let include_end = limits.include_end || limits.to.is_none();
        let (bins, axis_values) = match bins(&from, &to, &step, include_end, axis_type)? {
            Some(bins) => bins,
            None => return self.nothing(schema),
        };
        let scope = self.scope(&input);
        let value = self.expr(&axis.expr, &scope)?;
        // the bin's number
        let number = match axis_type {
            Type::Real => {
                let distance = value - lit(from.clone());
                expr::bound("bin", &[Type::Real, Type::Real], vec![distance / lit(step.clone()), lit(1.0_f64)])?
            }
            _ => {
                let long = arrow::datatypes::DataType::Int64;
                let distance = datafusion::logical_expr::cast(value, long.clone()) - lit(from.cast_to(&long)?);
                let step = step.cast_to(&long)?;
                // the remainder has the sign of the distance, and negative ones are dropped below
                let whole = distance.clone() / lit(step);
                expr::case(vec![(distance.lt(lit(0_i64)), lit(-1_i64))], whole)
            }
        };
        let number = datafusion::logical_expr::cast(number, arrow::datatypes::DataType::Int64);
        let bin = self.fresh("b");
        let plan = super::order::with_column(&input.plan, number, &bin)?;
        let plan = LogicalPlanBuilder::from(plan)
            .filter(column(&bin).gt_eq(lit(0_i64)).and(column(&bin).lt(lit(bins))))?
            .build()?;
        let span = axis.expr.span;
        let mut group: Vec<NamedExpr> = keys.to_vec();
        group.push(NamedExpr {
            name: bin.clone(),
            expr: Expr { kind: ExprKind::Column(bin.clone()), ty: Type::Long, span },
        });
        let values: Vec<NamedExpr> = aggregates.iter().map(|(aggregate, _)| aggregate.clone()).collect();
        let binned = self.summarized(input.with_plan(plan), &group, &values)?;
        let mut outer_group: Vec<DfExpr> = keys.iter().map(|named| column(&named.name).alias(&named.name)).collect();
        outer_group.extend(binned.groups.iter().map(|name| column(name).alias(name)));
        let all = |name: &str| {
            DfExpr::AggregateFunction(AggregateFunction::new_udf(
                array_agg_udaf(),
                vec![column(name)],
                false,
                None,
                vec![],
                None,
            ))
        };
        let indexes = self.fresh("a");
        let mut list = vec![all(&bin).alias(&indexes)];
        let mut lists = Vec::new();
        for (aggregate, _) in aggregates {
            let name = self.fresh("a");
            list.push(all(&aggregate.name).alias(&name));
            lists.push(name);
        }
        for (_, hidden) in &binned.outer {
            let first = datafusion::functions_aggregate::expr_fn::first_value(column(hidden), vec![]);
            list.push(first.alias(hidden));
        }
        let rows = self.fresh("a");
        list.push(datafusion::functions_aggregate::expr_fn::count(lit(1_i64)).alias(&rows));
        let mut aggregated = binned.builder().aggregate(outer_group, list)?;
        if !limits.nonempty {
            // without keys an aggregation of nothing is one row, but no series
            aggregated = aggregated.filter(column(&rows).gt(lit(0_i64)))?;
        }
        let plan = aggregated.build()?;
        let gathered = binned.with_plan(plan);
        let mut columns = Vec::new();
        for known in &schema.columns {
            let value = if known.name == axis.name {
                expr::text(&axis_values)
            } else if let Some(at) = aggregates.iter().position(|(aggregate, _)| aggregate.name == known.name) {
                let (aggregate, default) = &aggregates[at];
                let default = match default {
                    Some(default) => self.expr(default, &Scope::default())?,
                    None => lit(scalar(&zero(aggregate.expr.ty))?),
                };
                let default = super::constant(&default)?.cast_to(&crate::runtime::arrow_type(aggregate.expr.ty))?;
                gather(aggregate.expr.ty).call(vec![column(&indexes), column(&lists[at]), lit(bins), lit(default)])
            } else {
                column(&known.name)
            };
            columns.push((known.name.clone(), value));
        }
        self.projected(&gathered, columns)
    }
}

/// What an empty bin has where no default is written.
fn zero(ty: Type) -> watchkeeper_kql::Literal {
    use watchkeeper_kql::Literal;
    match ty {
        Type::Int => Literal::Int(0),
        Type::Long => Literal::Long(0),
        Type::Real => Literal::Real(0.0),
        other => Literal::Null(other),
    }
}

/// The number of bins and their starts as a dynamic array; none where the data has no axis values.
fn bins(
    from: &ScalarValue,
    to: &ScalarValue,
    step: &ScalarValue,
    include_end: bool,
    ty: Type,
) -> Result<Option<(i64, String)>, QueryError> {
    if from.is_null() || to.is_null() {
        return Ok(None);
    }
    let too_many = QueryError::Limit {
        what: "the number of bins of make-series",
        limit: MAX_BINS as u64,
        help: "use a larger step or a shorter range",
    };
    if ty == Type::Real {
        let (ScalarValue::Float64(Some(from)), ScalarValue::Float64(Some(to)), ScalarValue::Float64(Some(step))) =
            (from, to, step)
        else {
            return Err(QueryError::execution("the limits and the step of make-series must be real like its axis"));
        };
        if *step <= 0.0 {
            return Err(QueryError::execution("the step of make-series must be positive"));
        }
        let count = ((to - from) / step).ceil().max(0.0) as i64 + i64::from(include_end && (to - from) % step == 0.0);
        if count > MAX_BINS {
            return Err(too_many);
        }
        let values: Vec<f64> = (0..count).map(|bin| from + step * bin as f64).collect();
        let text = serde_json::to_string(&values).map_err(|error| QueryError::execution(error.to_string()))?;
        return Ok(Some((count, text)));
    }
    let long = |value: &ScalarValue| match value.cast_to(&arrow::datatypes::DataType::Int64) {
        Ok(ScalarValue::Int64(Some(value))) => Ok(value),
        _ => Err(QueryError::execution(format!("`{value}` cannot be a limit of make-series"))),
    };
    let (from, to, step) = (long(from)?, long(to)?, long(step)?);
    if step <= 0 {
        return Err(QueryError::execution("the step of make-series must be positive"));
    }
    let distance = to.saturating_sub(from).max(0);
    let whole = distance / step;
    let rest = distance % step;
    let count = whole + i64::from(rest > 0 || include_end);
    if count > MAX_BINS {
        return Err(too_many);
    }
    let mut text = String::from("[");
    for bin in 0..count {
        if bin > 0 {
            text.push(',');
        }
        crate::rows::series::write_item(&mut text, ty, from + step * bin);
    }
    text.push(']');
    Ok(Some((count, text)))
}
