//! `summarize` and its relatives: `top-nested`, `top-hitters`, `sample`, `sample-distinct`.

use std::collections::HashMap;

use datafusion::common::ScalarValue;
use datafusion::functions::expr_fn::{coalesce, get_field};
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::functions_aggregate::expr_fn::{avg, count, first_value, max, min, sum};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Expr as DfExpr, ExprFunctionExt, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast, lit,
};
use watchkeeper_kql::typed::{AggregateOutput, Expr, ExprKind, NamedExpr, Relation, TopNestedLevel};
use watchkeeper_kql::{Schema, Type};

use super::order::{OrderKey, sort_exprs};
use super::{Planned, Planner, Scope, column, expr, key};
use crate::error::QueryError;
use crate::functions;
use crate::rows::fold::fold;
use crate::runtime::{arrow_type, null_of};

/// Aggregates whose result follows the order of their input.
const ORDERED: [&str; 6] = ["make_list", "makelist", "make_list_if", "make_list_with_nulls", "make_bag", "buildschema"];

impl Planner<'_> {
    pub(super) fn summarize(
        &self,
        input: &Relation,
        keys: &[NamedExpr],
        aggregates: &[NamedExpr],
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let input = self.relation(input, body)?;
        self.summarized(input, keys, aggregates)
    }

    pub(super) fn summarized(
        &self,
        input: Planned,
        keys: &[NamedExpr],
        aggregates: &[NamedExpr],
    ) -> Result<Planned, QueryError> {
        let input_scope = self.scope(&input);
        let mut group = Vec::new();
        for named in keys {
            group.push(self.expr(&named.expr, &input_scope)?.alias(&named.name));
        }
        for hidden in &input.groups {
            group.push(column(hidden).alias(hidden));
        }
        let mut calls = Vec::new();
        for named in aggregates {
            collect(&named.expr, &mut calls);
        }
        let mut computed: Vec<(DfExpr, String)> = Vec::new();
        let mut scope = Scope { outer: input.outer.clone(), ..Scope::default() };
        for call in calls {
            let value = self.aggregate_call(call, &input, &input_scope, &mut computed)?;
            scope.aggregates.insert(key(call), value);
        }
        let mut list: Vec<DfExpr> = computed.into_iter().map(|(expr, name)| expr.alias(name)).collect();
        for (_, hidden) in &input.outer {
            list.push(first_value(column(hidden), vec![]).alias(hidden));
        }
        // a constant column with no key and no aggregate still is one row, or one row for each group
        let plan = if group.is_empty() && list.is_empty() {
            LogicalPlanBuilder::empty(true).build()?
        } else {
            aggregated(&input.plan, group, list)?
        };
        let output = Planned { order: Vec::new(), ..input.with_plan(plan) };
        let mut columns: Vec<(String, DfExpr)> =
            keys.iter().map(|named| (named.name.clone(), column(&named.name))).collect();
        for named in aggregates {
            let value = self.expr(&named.expr, &scope)?;
            let wanted = arrow_type(named.expr.ty);
            let typed = if value.get_type(output.plan.schema())? == wanted { value } else { cast(value, wanted) };
            columns.push((named.name.clone(), typed));
        }
        self.projected(&output, columns)
    }

    /// Adds what computes `call` to `computed` and gives the expression over it.
    fn aggregate_call(
        &self,
        call: &Expr,
        input: &Planned,
        scope: &Scope,
        computed: &mut Vec<(DfExpr, String)>,
    ) -> Result<DfExpr, QueryError> {
        let ExprKind::Aggregate { function, args, output } = &call.kind else {
            return Err(QueryError::execution("an aggregate was expected"));
        };
        let values = args.iter().map(|arg| self.expr(arg, scope)).collect::<Result<Vec<_>, _>>()?;
        let types: Vec<Type> = args.iter().map(|arg| arg.ty).collect();
        let keep = |expr: DfExpr, computed: &mut Vec<(DfExpr, String)>| -> DfExpr {
            if let Some((_, name)) = computed.iter().find(|(known, _)| *known == expr) {
                return column(name);
            }
            let name = self.fresh("a");
            computed.push((expr, name.clone()));
            column(&name)
        };
        if let Some((aggregate, empty)) = self.native_aggregate(function, args, &values, scope, call.ty)? {
            let value = cast(keep(aggregate, computed), arrow_type(call.ty));
            return Ok(match empty {
                Some(empty) => coalesce(vec![value, lit(empty)]),
                None => expr::without_null(value, call.ty),
            });
        }
        let udf = functions::bind_aggregate(function, &types).map_err(|e| QueryError::execution(e.to_string()))?;
        let order_by = if ORDERED.contains(&function.as_str()) { sort_exprs(&input.order) } else { Vec::new() };
        let arrow: Vec<_> = types.iter().map(|ty| arrow_type(*ty)).collect();
        let several = matches!(udf.return_type(&arrow)?, arrow::datatypes::DataType::Struct(_));
        let value = if order_by.is_empty() || values.is_empty() {
            let aggregate = AggregateFunction::new_udf(udf, values, false, None, Vec::new(), None);
            keep(DfExpr::AggregateFunction(aggregate), computed)
        } else {
            let mut fields = Vec::new();
            for (at, value) in values.into_iter().enumerate() {
                fields.push(lit(at.to_string()));
                fields.push(value);
            }
            let row = datafusion::functions::expr_fn::named_struct(fields);
            let all = AggregateFunction::new_udf(array_agg_udaf(), vec![row], false, None, order_by, None);
            fold(udf).call(vec![keep(DfExpr::AggregateFunction(all), computed)])
        };
        let picked = match output {
            AggregateOutput::Only => value,
            AggregateOutput::Argument(at) | AggregateOutput::Percentile(at) if several => {
                get_field(value, at.to_string())
            }
            AggregateOutput::Argument(_) | AggregateOutput::Percentile(_) => value,
        };
        Ok(expr::without_null(picked, call.ty))
    }

    /// The aggregates that DataFusion computes with the meaning of the language; with the value of an empty group
    /// where that is not null.
    fn native_aggregate(
        &self,
        function: &str,
        args: &[Expr],
        values: &[DfExpr],
        scope: &Scope,
        ty: Type,
    ) -> Result<Option<(DfExpr, Option<ScalarValue>)>, QueryError> {
        let simple = |ty: Type| matches!(ty, Type::Int | Type::Long | Type::Real | Type::Timespan);
        let zero = || null_of(ty).cast_to(&arrow_type(ty)).and_then(|null| ScalarValue::new_zero(&null.data_type()));
        let filter = |at: usize| -> Result<DfExpr, QueryError> { self.predicate(&args[at], scope) };
        let (plain, condition) = match function.strip_suffix("if") {
            Some(plain) if ["count", "sum", "avg", "min", "max"].contains(&plain) => (plain, true),
            _ => (function, false),
        };
        let (aggregate, empty) = match (plain, args) {
            ("count", _) => (count(lit(1_i64)), Some(ScalarValue::Int64(Some(0)))),
            ("sum", [of, ..]) if simple(of.ty) => (sum(values[0].clone()), Some(zero()?)),
            ("avg", [of, ..]) if matches!(of.ty, Type::Int | Type::Long | Type::Real) => {
                (avg(cast(values[0].clone(), arrow_type(Type::Real))), Some(ScalarValue::Float64(Some(f64::NAN))))
            }
            ("min", [of, ..]) if of.ty != Type::Dynamic => (min(values[0].clone()), None),
            ("max", [of, ..]) if of.ty != Type::Dynamic => (max(values[0].clone()), None),
            _ => return Ok(None),
        };
        if !condition {
            return Ok(Some((aggregate, empty)));
        }
        let at = usize::from(plain != "count");
        if args.len() <= at {
            return Ok(None);
        }
        Ok(Some((aggregate.filter(filter(at)?).build()?, empty)))
    }

    pub(super) fn sample(&self, input: &Relation, count: &Expr, body: Option<&Planned>) -> Result<Planned, QueryError> {
        let count = self.count(count)?;
        let mut input = self.relation(input, body)?;
        let name = self.fresh("o");
        let plan = super::order::with_column(&input.plan, expr::bound("rand", &[], vec![])?, &name)?;
        input = input.with_plan(plan);
        let old =
            std::mem::replace(&mut input.order, vec![OrderKey { column: name, descending: false, nulls_first: false }]);
        let mut sampled = self.limited(input, count)?;
        if !old.is_empty() {
            sampled.order = old;
        }
        Ok(sampled)
    }

    pub(super) fn sample_distinct(
        &self,
        input: &Relation,
        count: &Expr,
        of: &NamedExpr,
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let distinct = self.summarize(input, std::slice::from_ref(of), &[], body)?;
        let count = self.count(count)?;
        self.limited(distinct, count)
    }

    /// The values that occur most often, or with the largest sum of `by`, counted exactly.
    pub(super) fn top_hitters(
        &self,
        schema: &Schema,
        input: &Relation,
        count: &Expr,
        of: &NamedExpr,
        by: Option<&Expr>,
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let Some(measure) = schema.columns.get(1) else {
            return Err(QueryError::execution("top-hitters has no column for its measure"));
        };
        let (function, args) = match by {
            Some(by) => ("sum", vec![by.clone()]),
            None => ("count", Vec::new()),
        };
        let kind = ExprKind::Aggregate { function: function.to_string(), args, output: AggregateOutput::Only };
        let aggregate =
            NamedExpr { name: measure.name.clone(), expr: Expr { kind, ty: measure.ty, span: of.expr.span } };
        let grouped = self.summarize(input, std::slice::from_ref(of), std::slice::from_ref(&aggregate), body)?;
        let name = self.fresh("o");
        let plan = super::order::with_column(&grouped.plan, column(&measure.name), &name)?;
        let ordered = Planned {
            order: vec![OrderKey { column: name, descending: true, nulls_first: false }],
            ..grouped.with_plan(plan)
        };
        let count = self.count(count)?;
        self.limited(ordered, count)
    }

    /// Level by level: aggregate over the keys so far, number the values within their parent, keep the first ones,
    /// and go on with the input rows of the kept values.
    pub(super) fn top_nested(
        &self,
        schema: &Schema,
        input: &Relation,
        levels: &[TopNestedLevel],
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let mut rows = self.relation(input, body)?;
        rows.order.clear();
        // the columns of the levels so far, as hidden columns of the input rows
        let mut done: Vec<(String, String)> = Vec::new();
        let mut parents: Vec<String> = rows.groups.clone();
        let mut order = Vec::new();
        for level in levels {
            let scope = self.scope(&rows);
            let key_column = self.fresh("k");
            let with_key = super::order::with_column(&rows.plan, self.expr(&level.key.expr, &scope)?, &key_column)?;
            rows = rows.with_plan(with_key);
            let measure = self.fresh("m");
            let mut computed = Vec::new();
            let mut calls = Vec::new();
            collect(&level.aggregate.expr, &mut calls);
            let mut result_scope = Scope::default();
            for call in calls {
                let value = self.aggregate_call(call, &rows, &scope, &mut computed)?;
                result_scope.aggregates.insert(key(call), value);
            }
            let value = self.expr(&level.aggregate.expr, &result_scope)?;
            let mut group: Vec<DfExpr> = parents.iter().map(|name| column(name).alias(name)).collect();
            group.push(column(&key_column).alias(&key_column));
            let list = computed.into_iter().map(|(expr, name)| expr.alias(name)).collect();
            let grouped = aggregated(&rows.plan, group, list)?;
            let mut names = parents.clone();
            names.push(key_column.clone());
            let mut columns: Vec<DfExpr> = names.iter().map(|name| column(name).alias(name)).collect();
            columns.push(value.alias(&measure));
            let plan = LogicalPlanBuilder::from(grouped).project(columns)?.build()?;
            let ranked = Planned {
                order: vec![OrderKey { column: measure.clone(), descending: level.descending, nulls_first: false }],
                groups: parents.clone(),
                ..Planned::new(plan)
            };
            // the numbering replaces the order, so the measure is kept under a second name
            let kept_measure = self.fresh("m");
            let plan = super::order::with_column(&ranked.plan, column(&measure), &kept_measure)?;
            let (numbered, row) = self.numbered(ranked.with_plan(plan))?;
            let limit = match &level.count {
                Some(count) => i64::try_from(self.count(count)?).unwrap_or(i64::MAX),
                None => i64::MAX,
            };
            rows = match &level.others {
                None => {
                    let plan = numbered.builder().filter(column(&row).lt_eq(lit(limit)))?.build()?;
                    self.matched(&rows, &plan, &names, &[(&kept_measure, &kept_measure), (&row, &row)])?
                }
                Some(others) => {
                    // rows of the other values stay, under the one name of the others
                    let all =
                        self.matched(&rows, &numbered.plan, &names, &[(&kept_measure, &kept_measure), (&row, &row)])?;
                    let others = self.expr(others, &Scope::default())?;
                    let inside = column(&row).lt_eq(lit(limit));
                    let columns: Vec<DfExpr> = all
                        .plan
                        .schema()
                        .fields()
                        .iter()
                        .map(|field| {
                            let name = field.name();
                            let plain = column(name);
                            if *name == key_column {
                                expr::case(vec![(inside.clone(), plain)], others.clone()).alias(name)
                            } else if *name == row {
                                expr::case(vec![(inside.clone(), plain)], lit(i64::MAX)).alias(name)
                            } else {
                                plain.alias(name)
                            }
                        })
                        .collect();
                    let plan = all.builder().project(columns)?.build()?;
                    // the measure of the others is computed over their rows together
                    let scope = self.scope(&all);
                    let renamed = all.with_plan(plan);
                    self.remeasured(&renamed, level, &names, &kept_measure, &scope)?
                }
            };
            done.push((level.key.name.clone(), key_column.clone()));
            done.push((level.aggregate.name.clone(), kept_measure));
            order.push(row);
            parents.push(key_column);
        }
        let mut group: Vec<DfExpr> = rows.groups.iter().map(|name| column(name).alias(name)).collect();
        group.extend(done.iter().map(|(_, hidden)| column(hidden).alias(hidden)));
        group.extend(order.iter().map(|name| column(name).alias(name)));
        let plan = aggregated(&rows.plan, group, vec![])?;
        let order =
            order.into_iter().map(|name| OrderKey { column: name, descending: false, nulls_first: false }).collect();
        let output = Planned { order, outer: Vec::new(), ..rows.with_plan(plan) };
        let sources: HashMap<&str, &str> = done.iter().map(|(name, hidden)| (name.as_str(), hidden.as_str())).collect();
        let columns = schema
            .columns
            .iter()
            .map(|output| {
                let hidden = sources.get(output.name.as_str()).copied().ok_or_else(|| {
                    QueryError::execution(format!("top-nested does not compute a column {}", output.name))
                })?;
                Ok((output.name.clone(), cast(column(hidden), arrow_type(output.ty))))
            })
            .collect::<Result<Vec<_>, QueryError>>()?;
        self.projected(&output, columns)
    }

    /// Replaces the measure of a level by its value over the present groups.
    fn remeasured(
        &self,
        rows: &Planned,
        level: &TopNestedLevel,
        names: &[String],
        measure: &str,
        scope: &Scope,
    ) -> Result<Planned, QueryError> {
        let mut computed = Vec::new();
        let mut calls = Vec::new();
        collect(&level.aggregate.expr, &mut calls);
        let mut result_scope = Scope::default();
        for call in calls {
            let value = self.aggregate_call(call, rows, scope, &mut computed)?;
            result_scope.aggregates.insert(key(call), value);
        }
        let value = self.expr(&level.aggregate.expr, &result_scope)?;
        let group = names.iter().map(|name| column(name).alias(name)).collect();
        let list = computed.into_iter().map(|(expr, name)| expr.alias(name)).collect();
        let grouped = aggregated(&rows.plan, group, list)?;
        let mut columns: Vec<DfExpr> = names.iter().map(|name| column(name).alias(name)).collect();
        columns.push(value.alias(measure));
        let measured = LogicalPlanBuilder::from(grouped).project(columns)?.build()?;
        let without: Vec<DfExpr> = rows
            .plan
            .schema()
            .fields()
            .iter()
            .filter(|field| field.name() != measure)
            .map(|field| column(field.name()).alias(field.name()))
            .collect();
        let bare = rows.with_plan(rows.builder().project(without)?.build()?);
        self.matched(&bare, &measured, names, &[(measure, measure)])
    }

    /// The rows whose `names` occur in `other`, with columns of `other` added; nulls match nulls.
    fn matched(
        &self,
        rows: &Planned,
        other: &LogicalPlan,
        names: &[String],
        added: &[(&str, &str)],
    ) -> Result<Planned, QueryError> {
        let mut right = Vec::new();
        let mut pairs = (Vec::new(), Vec::new());
        for name in names {
            let hidden = self.fresh("j");
            right.push(column(name).alias(&hidden));
            pairs.0.push(datafusion::common::Column::new_unqualified(name));
            pairs.1.push(datafusion::common::Column::new_unqualified(&hidden));
        }
        right.extend(added.iter().map(|(from, to)| column(from).alias(*to)));
        let right = LogicalPlanBuilder::from(other.clone()).project(right)?.build()?;
        let joined = rows
            .builder()
            .join_detailed(
                right,
                datafusion::common::JoinType::Inner,
                pairs,
                None,
                datafusion::common::NullEquality::NullEqualsNull,
            )?
            .build()?;
        let mut columns: Vec<DfExpr> =
            rows.plan.schema().fields().iter().map(|f| column(f.name()).alias(f.name())).collect();
        columns.extend(added.iter().map(|(_, to)| column(to).alias(*to)));
        let plan = LogicalPlanBuilder::from(joined).project(columns)?.build()?;
        Ok(rows.with_plan(plan))
    }
}

/// An aggregation; without aggregates it is the distinct groups.
fn aggregated(input: &LogicalPlan, group: Vec<DfExpr>, list: Vec<DfExpr>) -> Result<LogicalPlan, QueryError> {
    Ok(LogicalPlanBuilder::from(input.clone()).aggregate(group, list)?.build()?)
}

/// The aggregate calls of an expression.
pub(super) fn collect<'e>(expr: &'e Expr, calls: &mut Vec<&'e Expr>) {
    match &expr.kind {
        ExprKind::Aggregate { .. } => calls.push(expr),
        ExprKind::Call { args, .. } | ExprKind::Window { args, .. } => {
            args.iter().for_each(|arg| collect(arg, calls));
        }
        ExprKind::InRelation { value, .. } => collect(value, calls),
        _ => {}
    }
}
