//! Conditions in stored form, and which files and row groups they leave.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema as ArrowSchema, TimeUnit};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, lit};
use roaring::RoaringBitmap;
use watchkeeper_kql::{Schema, Ticks, Type};
use watchkeeper_store::{Bound, DataFile, TermIndex};

/// A condition on runtime columns as one on stored columns that is true wherever the first is. None: nothing to say.
pub fn stored_form(expr: &Expr, schema: &Schema, stored: &ArrowSchema) -> Option<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            match (stored_form(left, schema, stored), stored_form(right, schema, stored)) {
                (Some(left), Some(right)) => Some(left.and(right)),
                (one, other) => one.or(other),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(stored_form(left, schema, stored)?.or(stored_form(right, schema, stored)?))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) => comparison(&column.name, *op, value, schema, stored),
            (Expr::Literal(value, _), Expr::Column(column)) => {
                comparison(&column.name, op.swap()?, value, schema, stored)
            }
            _ => None,
        },
        _ => None,
    }
}

fn comparison(name: &str, op: Operator, value: &ScalarValue, schema: &Schema, stored: &ArrowSchema) -> Option<Expr> {
    let ty = schema.get(name)?.ty;
    let stored = stored.field_with_name(name).ok()?.data_type();
    let column = Expr::Column(Column::new_unqualified(name));
    let build = |op, value: ScalarValue| {
        Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(column.clone()), op, Box::new(lit(value)))))
    };
    match (ty, stored) {
        (Type::Datetime, DataType::Timestamp(unit, zone)) => {
            let ScalarValue::Int64(Some(ticks)) = value else { return None };
            let (least, greatest) = units(*unit, *ticks)?;
            let scalar = |number| timestamp(*unit, number, zone.clone());
            match op {
                // the times that are this tick lie from `least` to `greatest`; none do where these cross
                Operator::Gt => build(Operator::Gt, scalar(greatest)),
                Operator::GtEq => build(Operator::GtEq, scalar(least)),
                Operator::Lt => build(Operator::Lt, scalar(least)),
                Operator::LtEq => build(Operator::LtEq, scalar(greatest)),
                Operator::Eq if least == greatest => build(Operator::Eq, scalar(least)),
                Operator::Eq => {
                    Some(build(Operator::GtEq, scalar(least))?.and(build(Operator::LtEq, scalar(greatest))?))
                }
                _ => None,
            }
        }
        // a file without the column has nulls where the runtime form has empty strings
        (Type::String, DataType::Utf8View) => match (op, value) {
            (Operator::Eq, ScalarValue::Utf8View(Some(text))) if !text.is_empty() => build(op, value.clone()),
            _ => None,
        },
        (Type::Bool | Type::Int | Type::Long | Type::Real | Type::Timespan, _) => match op {
            Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
                if value.data_type() == *stored =>
            {
                build(op, value.clone())
            }
            _ => None,
        },
        _ => None,
    }
}

/// The first and last time, in units since the Unix epoch, that is this tick when rounded down to ticks. Where no unit
/// falls on the tick, the first is one more than the last.
fn units(unit: TimeUnit, ticks: i64) -> Option<(i64, i64)> {
    let ticks = ticks.checked_sub(Ticks::UNIX_EPOCH.0)?;
    let per_unit = match unit {
        TimeUnit::Second => Ticks::PER_SECOND,
        TimeUnit::Millisecond => Ticks::PER_MILLISECOND,
        TimeUnit::Microsecond => Ticks::PER_MICROSECOND,
        TimeUnit::Nanosecond => {
            let first = ticks.checked_mul(100)?;
            return Some((first, first.checked_add(99)?));
        }
    };
    let down = ticks.div_euclid(per_unit);
    Some((if ticks.rem_euclid(per_unit) == 0 { down } else { down + 1 }, down))
}

fn timestamp(unit: TimeUnit, number: i64, zone: Option<Arc<str>>) -> ScalarValue {
    match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(Some(number), zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(number), zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(number), zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(number), zone),
    }
}

/// Whether a file can hold rows for a condition in stored form, by its least and greatest values.
pub fn file_may_match(file: &DataFile, condition: &Expr) -> bool {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            file_may_match(file, left) && file_may_match(file, right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            file_may_match(file, left) || file_may_match(file, right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (Expr::Column(column), Expr::Literal(value, _)) = (left.as_ref(), right.as_ref()) else { return true };
            let wanted = match value {
                ScalarValue::TimestampMicrosecond(Some(value), _) | ScalarValue::Int64(Some(value)) => *value,
                ScalarValue::Int32(Some(value)) => i64::from(*value),
                _ => return true,
            };
            let Some(statistics) = file.statistics.columns.get(&column.name) else { return true };
            let (Some(Bound::Long(min)), Some(Bound::Long(max))) = (&statistics.min, &statistics.max) else {
                return true;
            };
            match op {
                Operator::Eq => *min <= wanted && wanted <= *max,
                Operator::Lt => *min < wanted,
                Operator::LtEq => *min <= wanted,
                Operator::Gt => *max > wanted,
                Operator::GtEq => *max >= wanted,
                _ => true,
            }
        }
        _ => true,
    }
}

/// What a row must have for a filter to be true, as far as terms tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All terms of the text in the column.
    Terms {
        column: String,
        text: String,
    },
    /// The text as one whole term in the column.
    Term {
        column: String,
        text: String,
    },
    All(Vec<Wanted>),
    Any(Vec<Wanted>),
}

/// The terms that rows need to meet a filter. None: nothing to say.
pub fn wanted_terms(filter: &Expr, schema: &Schema) -> Option<Wanted> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            match (wanted_terms(left, schema), wanted_terms(right, schema)) {
                (Some(left), Some(right)) => Some(Wanted::All(vec![left, right])),
                (one, other) => one.or(other),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(Wanted::Any(vec![wanted_terms(left, schema)?, wanted_terms(right, schema)?]))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => terms_of(left, right, schema),
        Expr::InList(list) if !list.negated => {
            let any = list.list.iter().map(|item| terms_of(&list.expr, item, schema));
            Some(Wanted::Any(any.collect::<Option<_>>()?))
        }
        Expr::ScalarFunction(call) => {
            // a bound name says the types: a dynamic argument is a list that only the query's run takes apart
            let (name, types) = call.name().split_once('(')?;
            let [column, items @ ..] = call.args.as_slice() else { return None };
            if types.contains("dynamic") || items.is_empty() {
                return None;
            }
            let whole = || items.iter().map(|item| term_of(column, item, schema)).collect::<Option<Vec<_>>>();
            match name {
                "__has" | "__has_cs" | "__has_all" => Some(Wanted::All(whole()?)),
                "__has_any" => Some(Wanted::Any(whole()?)),
                "__equal_ci" => terms_of(column, items.first()?, schema),
                "__in" | "__in_ci" => {
                    let any = items.iter().map(|item| terms_of(column, item, schema));
                    Some(Wanted::Any(any.collect::<Option<_>>()?))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn text_of(column: &Expr, value: &Expr, schema: &Schema) -> Option<(String, String)> {
    let (Expr::Column(column), Expr::Literal(ScalarValue::Utf8View(Some(text)), _)) = (column, value) else {
        return None;
    };
    let known = schema.get(&column.name).is_some_and(|known| known.ty == Type::String);
    (known && !text.is_empty()).then(|| (column.name.clone(), text.clone()))
}

fn terms_of(column: &Expr, value: &Expr, schema: &Schema) -> Option<Wanted> {
    text_of(column, value, schema).map(|(column, text)| Wanted::Terms { column, text })
}

fn term_of(column: &Expr, value: &Expr, schema: &Schema) -> Option<Wanted> {
    text_of(column, value, schema).map(|(column, text)| Wanted::Term { column, text })
}

/// The row groups that can hold what is wanted. None: the index cannot say.
pub fn row_groups(index: &TermIndex, wanted: &Wanted) -> Option<RoaringBitmap> {
    match wanted {
        Wanted::Terms { column, text } => index.row_groups_with_all(column, text),
        Wanted::Term { column, text } => index.row_groups_with(column, text),
        Wanted::All(all) => {
            all.iter().filter_map(|wanted| row_groups(index, wanted)).reduce(|some, others| some & others)
        }
        Wanted::Any(any) => {
            let mut found = RoaringBitmap::new();
            for wanted in any {
                found |= row_groups(index, wanted)?;
            }
            Some(found)
        }
    }
}
