//! Comparisons of cells of any type. `==` of a value with null is false and `!=` true, of two nulls null; an order
//! with a null is null (reference: "Null values").

use std::cmp::Ordering;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use std::sync::Arc;
use watchkeeper_kql::Type;
use watchkeeper_kql::typed::operators;

use crate::functions::convert::print;
use crate::functions::frame::value::{Builder, Column, Value};
use crate::functions::frame::{Call, Function, Returns};

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls(operators::EQUAL, 2, 2, Returns::Always(Type::Bool), |_, args| equal(&args[0], &args[1])),
    Function::row_with_nulls(operators::NOT_EQUAL, 2, 2, Returns::Always(Type::Bool), |_, args| {
        match equal(&args[0], &args[1]) {
            Value::Bool(same) => Value::Bool(!same),
            other => other,
        }
    }),
    Function::row(operators::LESS, 2, 2, Returns::Always(Type::Bool), |_, args| ordered(args, Ordering::is_lt)),
    Function::row(operators::LESS_OR_EQUAL, 2, 2, Returns::Always(Type::Bool), |_, args| {
        ordered(args, Ordering::is_le)
    }),
    Function::row(operators::GREATER, 2, 2, Returns::Always(Type::Bool), |_, args| ordered(args, Ordering::is_gt)),
    Function::row(operators::GREATER_OR_EQUAL, 2, 2, Returns::Always(Type::Bool), |_, args| {
        ordered(args, Ordering::is_ge)
    }),
    Function::row(operators::BETWEEN, 3, 3, Returns::Always(Type::Bool), |_, args| {
        match (compare(&args[0], &args[1]), compare(&args[0], &args[2])) {
            (Some(low), Some(high)) => Value::Bool(low.is_ge() && high.is_le()),
            _ => Value::Null,
        }
    }),
    Function::batch(operators::EQUAL_CI, 2, 2, Returns::Always(Type::Bool), |call, args| equal_ci(call, args, true)),
    Function::batch(operators::NOT_EQUAL_CI, 2, 2, Returns::Always(Type::Bool), |call, args| {
        equal_ci(call, args, false)
    }),
];

/// The order of two cells; none where one is null or they have no common order.
pub fn compare(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    let is_text = |value: &Value<'_>| match value {
        Value::String(_) | Value::Guid(_) => true,
        Value::Dynamic(text) => !text.starts_with(|first: char| first.is_ascii_digit() || first == '-'),
        _ => false,
    };
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::String(left) | Value::Guid(left), Value::String(right) | Value::Guid(right)) => {
            Some(left.as_ref().cmp(right.as_ref()))
        }
        (Value::Decimal(left), Value::Decimal(right)) => Some(left.cmp(right)),
        (Value::Dynamic(_), Value::Datetime(_) | Value::Timespan(_)) => {
            Some(print::text_of(left).cmp(&print::text_of(right)))
        }
        (Value::Datetime(_) | Value::Timespan(_), Value::Dynamic(_)) => {
            Some(print::text_of(left).cmp(&print::text_of(right)))
        }
        _ if is_text(left) || is_text(right) => Some(print::text_of(left).cmp(&print::text_of(right))),
        (Value::Real(_) | Value::Decimal(_), _) | (_, Value::Real(_) | Value::Decimal(_)) => {
            left.as_f64()?.partial_cmp(&right.as_f64()?)
        }
        (Value::Dynamic(text), _) | (_, Value::Dynamic(text)) if text.contains(['.', 'e', 'E']) => {
            left.as_f64()?.partial_cmp(&right.as_f64()?)
        }
        _ => Some(left.as_i64()?.cmp(&right.as_i64()?)),
    }
}

pub fn equal<'a>(left: &Value<'_>, right: &Value<'_>) -> Value<'a> {
    match (left.is_null(), right.is_null()) {
        (true, true) => Value::Null,
        (false, false) => Value::Bool(compare(left, right) == Some(Ordering::Equal)),
        _ => Value::Bool(false),
    }
}

fn ordered<'a>(args: &[Value<'_>], accept: fn(Ordering) -> bool) -> Value<'a> {
    Value::from_option(compare(&args[0], &args[1]), |order| Value::Bool(accept(order)))
}

/// Equality that ignores case.
pub fn same_ignoring_case(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    left.chars().flat_map(char::to_lowercase).eq(right.chars().flat_map(char::to_lowercase))
}

fn equal_ci(call: &Call<'_>, args: &[ColumnarValue], wanted: bool) -> Result<ColumnarValue> {
    let (left, right) = (Column::new(&args[0], call.arg_types[0]), Column::new(&args[1], call.arg_types[1]));
    if let (ColumnarValue::Array(array), Type::String, Column::Constant(Value::String(text))) =
        (&args[0], call.arg_types[0], &right)
    {
        let array = array.as_string_view();
        let values =
            BooleanBuffer::collect_bool(array.len(), |row| same_ignoring_case(array.value(row), text) == wanted);
        return Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(values, None))));
    }
    let mut builder = Builder::new(Type::Bool, call.rows);
    for row in 0..call.rows {
        let (left, right) = (left.value(row), right.value(row));
        builder.push(&Value::Bool(same_ignoring_case(&print::text_of(&left), &print::text_of(&right)) == wanted));
    }
    Ok(ColumnarValue::Array(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, check_typed, dynamic, string};

    #[test]
    fn equality_with_null_follows_the_reference() {
        let types = [Type::Int, Type::Int];
        check_typed(
            "__equal",
            &types,
            &[
                (vec![Value::Int(5), Value::Null], Value::Bool(false)),
                (vec![Value::Null, Value::Null], Value::Null),
                (vec![Value::Int(5), Value::Int(5)], Value::Bool(true)),
            ],
        );
        check_typed(
            "__not_equal",
            &types,
            &[(vec![Value::Null, Value::Int(5)], Value::Bool(true)), (vec![Value::Null, Value::Null], Value::Null)],
        );
        check_typed("__greater", &types, &[(vec![Value::Null, Value::Int(3)], Value::Null)]);
    }

    #[test]
    fn a_dynamic_compares_by_its_value() {
        check(
            "__equal",
            &[
                (vec![dynamic("\"a\""), string("a")], Value::Bool(true)),
                (vec![dynamic("5"), Value::Long(5)], Value::Bool(true)),
                (vec![dynamic("5.0"), Value::Long(5)], Value::Bool(true)),
                (vec![dynamic("true"), Value::Bool(true)], Value::Bool(true)),
                (vec![dynamic("[1]"), dynamic("[1]")], Value::Bool(true)),
            ],
        );
        check("__less", &[(vec![dynamic("2"), Value::Real(2.5)], Value::Bool(true))]);
    }

    #[test]
    fn case_is_ignored_beyond_ascii() {
        check(
            "__equal_ci",
            &[
                (vec![string("ÄB"), string("äb")], Value::Bool(true)),
                (vec![string("Ab"), string("aB")], Value::Bool(true)),
                (vec![string("a"), string("")], Value::Bool(false)),
            ],
        );
        check("__not_equal_ci", &[(vec![string("a"), string("A")], Value::Bool(false))]);
    }

    #[test]
    fn between_includes_both_ends() {
        let long = Value::Long;
        check(
            "__between",
            &[
                (vec![long(1), long(1), long(3)], Value::Bool(true)),
                (vec![long(3), long(1), long(3)], Value::Bool(true)),
                (vec![long(4), long(1), long(3)], Value::Bool(false)),
            ],
        );
    }
}
