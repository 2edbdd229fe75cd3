//! Scalar expressions. What DataFusion's own operators mean exactly as the language does becomes those (so that its
//! optimizer, its kernels and the pruning of files see them); everything else is a bound function of `functions`.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Case, Expr as DfExpr, Operator as DfOperator, lit};
use watchkeeper_kql::Type;
use watchkeeper_kql::typed::{Expr, ExprKind, operators as op};

use super::{Planner, Scope, column, key};
use crate::error::QueryError;
use crate::functions;
use crate::runtime::{null_of, scalar};

impl Planner<'_> {
    /// An expression whose value matters in full: null, false and true are told apart.
    pub(super) fn expr(&self, expr: &Expr, scope: &Scope) -> Result<DfExpr, QueryError> {
        match &expr.kind {
            ExprKind::Literal(literal) => Ok(lit(scalar(literal)?)),
            ExprKind::Column(name) => Ok(column(name)),
            ExprKind::Outer(name) => match scope.outer.iter().find(|(outer, _)| outer == name) {
                Some((_, hidden)) => Ok(column(hidden)),
                None => Err(QueryError::execution(format!("the enclosing row has no column {name} here"))),
            },
            ExprKind::StepColumn { step, column: name } if scope.elements => Ok(column(&format!("{step}.{name}"))),
            ExprKind::StepColumn { step, column } => {
                Err(QueryError::execution(format!("{step}.{column} has a meaning only within scan")))
            }
            ExprKind::Call { .. } if scope.windows.contains_key(&key(expr)) => Ok(column(&scope.windows[&key(expr)])),
            ExprKind::Call { function, args } => self.call(function, args, expr.ty, scope),
            ExprKind::Aggregate { function, .. } => match scope.aggregates.get(&key(expr)) {
                Some(value) => Ok(value.clone()),
                None => Err(QueryError::execution(format!("the aggregate {function} cannot be used here"))),
            },
            ExprKind::Window { function, .. } => match scope.windows.get(&key(expr)) {
                Some(name) => Ok(column(name)),
                None => Err(QueryError::execution(format!(
                    "the window function {function} cannot be used here; compute it with extend on serialized rows first"
                ))),
            },
            ExprKind::ToScalar(relation) => match self.resolved.scalars.get(&key(relation.as_ref())) {
                Some(value) => Ok(lit(value.clone())),
                None => Err(QueryError::execution("toscalar cannot depend on the row that it is used in")),
            },
            ExprKind::InRelation { value, relation, ci } => {
                let values = self.resolved.sets.get(&key(relation.as_ref())).ok_or_else(|| {
                    QueryError::execution("`in` of a relation cannot depend on the row that it is used in")
                })?;
                let value_type = value.ty;
                let value = self.expr(value, scope)?;
                if *ci {
                    let folded = bound("tolower", &[Type::String], vec![value])?;
                    let values = values.iter().map(lowered).collect();
                    return Ok(in_list(folded, values, Type::String));
                }
                Ok(in_list(value, values.clone(), value_type))
            }
        }
    }

    /// A condition of which only "true" counts, as in `where`: comparisons with null may be null instead of false,
    /// which lets them be plain comparisons that prune files.
    pub(super) fn predicate(&self, expr: &Expr, scope: &Scope) -> Result<DfExpr, QueryError> {
        let ExprKind::Call { function, args } = &expr.kind else {
            return self.expr(expr, scope);
        };
        match (function.as_str(), args.as_slice()) {
            (op::AND, [a, b]) => Ok(self.predicate(a, scope)?.and(self.predicate(b, scope)?)),
            (op::OR, [a, b]) => Ok(self.predicate(a, scope)?.or(self.predicate(b, scope)?)),
            (op::EQUAL, [a, b]) if native(a.ty) && a.ty == b.ty => Ok(self.expr(a, scope)?.eq(self.expr(b, scope)?)),
            (op::IN, [value, items @ ..]) if native(value.ty) && items.iter().all(|item| item.ty == value.ty) => {
                let list = items.iter().map(|item| self.expr(item, scope)).collect::<Result<_, _>>()?;
                Ok(DfExpr::InList(InList::new(Box::new(self.expr(value, scope)?), list, false)))
            }
            _ => self.expr(expr, scope),
        }
    }

    fn call(&self, function: &str, args: &[Expr], ty: Type, scope: &Scope) -> Result<DfExpr, QueryError> {
        if function == "now" {
            let offset = match args.first() {
                Some(offset) => match super::constant(&self.expr(offset, scope)?)? {
                    ScalarValue::Int64(Some(offset)) => offset,
                    _ => 0,
                },
                None => 0,
            };
            return Ok(lit(self.now.0.saturating_add(offset)));
        }
        if let Some(way) = one_way(function, args) {
            let types: Vec<Type> = way.iter().map(|step| step.ty).collect();
            let values = way.iter().map(|step| self.expr(step, scope)).collect::<Result<Vec<_>, _>>()?;
            let udf =
                functions::bind_as(function, &types, ty).map_err(|error| QueryError::execution(error.to_string()))?;
            return Ok(DfExpr::ScalarFunction(ScalarFunction::new_udf(udf, values)));
        }
        let types: Vec<Type> = args.iter().map(|arg| arg.ty).collect();
        let same = types.windows(2).all(|pair| pair[0] == pair[1]);
        if let Some(native) = self.native(function, args, &types, same, ty, scope)? {
            return Ok(native);
        }
        let values = args.iter().map(|arg| self.expr(arg, scope)).collect::<Result<Vec<_>, _>>()?;
        let udf = functions::bind_as(function, &types, ty).map_err(|error| QueryError::execution(error.to_string()))?;
        Ok(DfExpr::ScalarFunction(ScalarFunction::new_udf(udf, values)))
    }

    /// The expression in DataFusion's own operators, where these mean exactly the same.
    fn native(
        &self,
        function: &str,
        args: &[Expr],
        types: &[Type],
        same: bool,
        ty: Type,
        scope: &Scope,
    ) -> Result<Option<DfExpr>, QueryError> {
        let first = types.first().copied().unwrap_or(Type::Dynamic);
        let comparable = same && native(first);
        let value = |at: usize| self.expr(&args[at], scope);
        Ok(Some(match (function, args) {
            (op::AND, [_, _]) => value(0)?.and(value(1)?),
            (op::OR, [_, _]) => value(0)?.or(value(1)?),
            (op::NOT, [_]) if first == Type::Bool => DfExpr::Not(Box::new(value(0)?)),
            (op::EQUAL, [a, b]) if comparable => equality(value(0)?, value(1)?, never_null(a), never_null(b), false),
            (op::NOT_EQUAL, [a, b]) if comparable => equality(value(0)?, value(1)?, never_null(a), never_null(b), true),
            (op::LESS, [_, _]) if comparable => value(0)?.lt(value(1)?),
            (op::LESS_OR_EQUAL, [_, _]) if comparable => value(0)?.lt_eq(value(1)?),
            (op::GREATER, [_, _]) if comparable => value(0)?.gt(value(1)?),
            (op::GREATER_OR_EQUAL, [_, _]) if comparable => value(0)?.gt_eq(value(1)?),
            (op::BETWEEN, [_, _, _]) if comparable => {
                let tested = value(0)?;
                tested.clone().gt_eq(value(1)?).and(tested.lt_eq(value(2)?))
            }
            (op::ADD, [_, _]) if arithmetic(types, ty) => value(0)? + value(1)?,
            (op::SUBTRACT, [_, _]) if arithmetic(types, ty) => value(0)? - value(1)?,
            (op::MULTIPLY, [_, _]) if same && matches!(first, Type::Int | Type::Long | Type::Real) && ty == first => {
                value(0)? * value(1)?
            }
            (op::IN, [tested, items @ ..]) if comparable && !items.is_empty() => {
                let list = items.iter().map(|item| self.expr(item, scope)).collect::<Result<Vec<_>, _>>()?;
                let found = DfExpr::InList(InList::new(Box::new(value(0)?), list, false));
                if never_null(tested) { found } else { coalesce(vec![found, lit(false)]) }
            }
            ("isnull", [_]) if !matches!(first, Type::String | Type::Dynamic) => value(0)?.is_null(),
            ("isnotnull", [_]) if !matches!(first, Type::String | Type::Dynamic) => value(0)?.is_not_null(),
            ("isempty", [_]) if first == Type::String => value(0)?.eq(text("")),
            ("isnotempty", [_]) if first == Type::String => value(0)?.not_eq(text("")),
            ("iff" | "iif", [_, then, otherwise])
                if then.ty == otherwise.ty && then.ty == ty && first == Type::Bool =>
            {
                case(vec![(value(0)?, value(1)?)], value(2)?)
            }
            ("case", [.., last]) if args.len() % 2 == 1 && last.ty == ty => {
                let mut branches = Vec::new();
                for pair in args[..args.len() - 1].chunks_exact(2) {
                    if pair[0].ty != Type::Bool || pair[1].ty != ty {
                        return Ok(None);
                    }
                    branches.push((self.expr(&pair[0], scope)?, self.expr(&pair[1], scope)?));
                }
                case(branches, self.expr(last, scope)?)
            }
            _ => return Ok(None),
        }))
    }
}

/// A call of a function of the language.
pub(super) fn bound(function: &str, types: &[Type], args: Vec<DfExpr>) -> Result<DfExpr, QueryError> {
    let udf = functions::bind(function, types).map_err(|error| QueryError::execution(error.to_string()))?;
    Ok(DfExpr::ScalarFunction(ScalarFunction::new_udf(udf, args)))
}

/// A text constant in runtime form.
pub(super) fn text(value: &str) -> DfExpr {
    lit(ScalarValue::Utf8View(Some(value.to_string())))
}

/// The value, with the empty string instead of a null of type string.
pub(super) fn without_null(value: DfExpr, ty: Type) -> DfExpr {
    if ty == Type::String { coalesce(vec![value, lit(null_of(ty))]) } else { value }
}

/// `CASE WHEN … THEN … ELSE …`.
pub(super) fn case(branches: Vec<(DfExpr, DfExpr)>, otherwise: DfExpr) -> DfExpr {
    let branches = branches.into_iter().map(|(when, then)| (Box::new(when), Box::new(then))).collect();
    DfExpr::Case(Case::new(None, branches, Some(Box::new(otherwise))))
}

/// Types whose values DataFusion compares as the language does.
fn native(ty: Type) -> bool {
    ty != Type::Dynamic
}

/// Sums and differences that are plain integer or float arithmetic on the runtime form.
fn arithmetic(types: &[Type], result: Type) -> bool {
    match types {
        [Type::Int, Type::Int] => result == Type::Int,
        [Type::Long, Type::Long] => result == Type::Long,
        [Type::Real, Type::Real] => result == Type::Real,
        [Type::Timespan, Type::Timespan] => result == Type::Timespan,
        [Type::Datetime, Type::Timespan] => result == Type::Datetime,
        [Type::Datetime, Type::Datetime] => result == Type::Timespan,
        _ => false,
    }
}

/// The arguments of `a.b.c` as one way from `a`; none where there are not two steps. The expressions stay where they
/// are: what was computed for some of them before is known by their addresses.
fn one_way<'e>(function: &str, args: &'e [Expr]) -> Option<Vec<&'e Expr>> {
    if function != op::INDEX {
        return None;
    }
    let (mut of, keys) = args.split_first()?;
    let mut way: Vec<&Expr> = keys.iter().rev().collect();
    while let ExprKind::Call { function, args } = &of.kind
        && function == op::INDEX
        && let Some((inner, keys)) = args.split_first()
    {
        way.extend(keys.iter().rev());
        of = inner;
    }
    way.push(of);
    way.reverse();
    (way.len() > args.len()).then_some(way)
}

fn never_null(expr: &Expr) -> bool {
    expr.ty == Type::String
        || matches!(&expr.kind, ExprKind::Literal(literal) if !matches!(literal, watchkeeper_kql::Literal::Null(_)))
}

/// `==` and `!=` (reference "Null values"): two nulls compare to null; a null and a value are unequal.
fn equality(a: DfExpr, b: DfExpr, a_never_null: bool, b_never_null: bool, negated: bool) -> DfExpr {
    let operator = match (a_never_null && b_never_null, negated) {
        (true, false) => DfOperator::Eq,
        (true, true) => DfOperator::NotEq,
        (false, false) => DfOperator::IsNotDistinctFrom,
        (false, true) => DfOperator::IsDistinctFrom,
    };
    let compared = DfExpr::BinaryExpr(BinaryExpr::new(Box::new(a.clone()), operator, Box::new(b.clone())));
    if a_never_null || b_never_null {
        return compared;
    }
    case(vec![(a.is_null().and(b.is_null()), lit(ScalarValue::Boolean(None)))], compared)
}

fn in_list(value: DfExpr, values: Vec<ScalarValue>, ty: Type) -> DfExpr {
    let values: Vec<DfExpr> = values.into_iter().filter(|value| !value.is_null()).map(lit).collect();
    if values.is_empty() {
        return lit(false);
    }
    let found = DfExpr::InList(InList::new(Box::new(value), values, false));
    if ty == Type::String { found } else { coalesce(vec![found, lit(false)]) }
}

fn lowered(value: &ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Utf8View(Some(text)) => ScalarValue::Utf8View(Some(text.to_lowercase())),
        other => other.clone(),
    }
}

/// Keeps the type of the shared pointer out of the callers.
pub(super) fn provider_source(
    provider: Arc<dyn datafusion::catalog::TableProvider>,
) -> Arc<dyn datafusion::logical_expr::TableSource> {
    datafusion::datasource::provider_as_source(provider)
}
