//! Arithmetic over numbers, datetimes and timespans. Overflow and integer division by zero give null; `%` is never
//! negative (reference: "Numerical operators").

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ColumnarValue;
use watchkeeper_kql::Type;
use watchkeeper_kql::typed::operators;

use crate::functions::datetime::calendar::in_range;
use crate::functions::frame::value::{DECIMAL_ONE, Value, real_to_i64};
use crate::functions::frame::{Call, Function, Returns};

pub const FUNCTIONS: &[Function] = &[
    Function::row(operators::ADD, 2, 2, Returns::From(add_type), |call, args| {
        add(&args[0], &args[1], call.return_type)
    }),
    Function::row(operators::SUBTRACT, 2, 2, Returns::From(subtract_type), |call, args| {
        subtract(&args[0], &args[1], call.return_type)
    }),
    Function::row(operators::MULTIPLY, 2, 2, Returns::From(multiply_type), |call, args| {
        multiply(&args[0], &args[1], call.return_type)
    }),
    Function::row(operators::DIVIDE, 2, 2, Returns::From(divide_type), |call, args| {
        divide(&args[0], &args[1], call.return_type)
    })
    .with_kernel(|call, args| by_constant(call, args, i64::checked_div)),
    Function::row(operators::MODULO, 2, 2, Returns::From(modulo_type), |call, args| {
        modulo(&args[0], &args[1], call.return_type)
    })
    .with_kernel(|call, args| by_constant(call, args, i64::checked_rem_euclid)),
    Function::row(operators::NEGATE, 1, 1, Returns::SameAs(0), |call, args| {
        subtract(&Value::Long(0), &args[0], call.return_type)
    }),
];

/// A column of longs with a constant.
fn by_constant(call: &Call<'_>, args: &[ColumnarValue], operate: fn(i64, i64) -> Option<i64>) -> Option<ArrayRef> {
    let [ColumnarValue::Array(column), ColumnarValue::Scalar(ScalarValue::Int64(Some(constant)))] = args else {
        return None;
    };
    if call.arg_types != [Type::Long, Type::Long] {
        return None;
    }
    let column = column.as_primitive_opt::<Int64Type>()?;
    Some(Arc::new(column.unary_opt::<_, Int64Type>(|value| operate(value, *constant))))
}

/// The wider of two numeric types; a dynamic counts as a real.
pub fn wider(left: Type, right: Type) -> Option<Type> {
    let number = |ty| matches!(ty, Type::Bool | Type::Int | Type::Long | Type::Real | Type::Decimal | Type::Dynamic);
    if !number(left) || !number(right) {
        return None;
    }
    let either = |ty| left == ty || right == ty;
    Some(if either(Type::Dynamic) || either(Type::Real) {
        Type::Real
    } else if either(Type::Decimal) {
        Type::Decimal
    } else if either(Type::Long) {
        Type::Long
    } else {
        Type::Int
    })
}

fn add_type(types: &[Type]) -> Option<Type> {
    match (types[0], types[1]) {
        (Type::Datetime, Type::Timespan) | (Type::Timespan, Type::Datetime) => Some(Type::Datetime),
        (Type::Timespan, Type::Timespan) => Some(Type::Timespan),
        (left, right) => wider(left, right),
    }
}

fn subtract_type(types: &[Type]) -> Option<Type> {
    match (types[0], types[1]) {
        (Type::Datetime, Type::Timespan) => Some(Type::Datetime),
        (Type::Datetime, Type::Datetime) | (Type::Timespan, Type::Timespan) => Some(Type::Timespan),
        (left, right) => wider(left, right),
    }
}

fn multiply_type(types: &[Type]) -> Option<Type> {
    match (types[0], types[1]) {
        (Type::Timespan, other) | (other, Type::Timespan) => wider(other, Type::Int).map(|_| Type::Timespan),
        (left, right) => wider(left, right),
    }
}

fn divide_type(types: &[Type]) -> Option<Type> {
    match (types[0], types[1]) {
        (Type::Timespan, Type::Timespan) | (Type::Datetime, Type::Timespan) => Some(Type::Real),
        (Type::Timespan, other) => wider(other, Type::Int).map(|_| Type::Timespan),
        (left, right) => wider(left, right),
    }
}

fn modulo_type(types: &[Type]) -> Option<Type> {
    match (types[0], types[1]) {
        (Type::Timespan | Type::Datetime, Type::Timespan) => Some(Type::Timespan),
        (left, right) => wider(left, right),
    }
}

/// An integer of the result's type; null where it does not fit.
fn whole<'a>(number: Option<i64>, ty: Type) -> Value<'a> {
    let Some(number) = number else {
        return Value::Null;
    };
    match ty {
        Type::Int => Value::from_option(i32::try_from(number).ok(), Value::Int),
        Type::Datetime => Value::from_option(in_range(number), Value::Datetime),
        Type::Timespan => Value::Timespan(number),
        _ => Value::Long(number),
    }
}

fn scaled(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Decimal(number) => Some(*number),
        other => other.as_i64().map(|number| i128::from(number) * DECIMAL_ONE),
    }
}

fn reals<'a>(left: &Value<'_>, right: &Value<'_>, compute: impl FnOnce(f64, f64) -> f64) -> Value<'a> {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => Value::Real(compute(left, right)),
        _ => Value::Null,
    }
}

fn whole_pair(left: &Value<'_>, right: &Value<'_>, compute: impl FnOnce(i64, i64) -> Option<i64>) -> Option<i64> {
    compute(left.as_i64()?, right.as_i64()?)
}

fn decimal_pair<'a>(
    left: &Value<'_>,
    right: &Value<'_>,
    compute: impl FnOnce(i128, i128) -> Option<i128>,
) -> Value<'a> {
    let result = scaled(left).zip(scaled(right)).and_then(|(left, right)| compute(left, right));
    Value::from_option(result, Value::Decimal)
}

pub fn add<'a>(left: &Value<'_>, right: &Value<'_>, ty: Type) -> Value<'a> {
    match ty {
        Type::Real => reals(left, right, |left, right| left + right),
        Type::Decimal => decimal_pair(left, right, i128::checked_add),
        _ => whole(whole_pair(left, right, i64::checked_add), ty),
    }
}

pub fn subtract<'a>(left: &Value<'_>, right: &Value<'_>, ty: Type) -> Value<'a> {
    match ty {
        Type::Real => reals(left, right, |left, right| left - right),
        Type::Decimal => decimal_pair(left, right, i128::checked_sub),
        _ => whole(whole_pair(left, right, i64::checked_sub), ty),
    }
}

fn multiply<'a>(left: &Value<'_>, right: &Value<'_>, ty: Type) -> Value<'a> {
    let fractional =
        matches!(left, Value::Real(_) | Value::Decimal(_)) || matches!(right, Value::Real(_) | Value::Decimal(_));
    match ty {
        Type::Real => reals(left, right, |left, right| left * right),
        Type::Decimal => decimal_pair(left, right, scaled_product),
        Type::Timespan if fractional => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => whole(real_to_i64((left * right).round()), ty),
            _ => Value::Null,
        },
        _ => whole(whole_pair(left, right, i64::checked_mul), ty),
    }
}

/// left · right / 10^18, rounded toward zero, without losing digits where whole and fraction can be taken apart.
fn scaled_product(left: i128, right: i128) -> Option<i128> {
    if let Some(product) = left.checked_mul(right) {
        return Some(product / DECIMAL_ONE);
    }
    let (whole, fraction) = (left / DECIMAL_ONE, left % DECIMAL_ONE);
    let (right_whole, right_fraction) = (right / DECIMAL_ONE, right % DECIMAL_ONE);
    whole
        .checked_mul(right)?
        .checked_add(fraction.checked_mul(right_whole)?)?
        .checked_add(fraction * right_fraction / DECIMAL_ONE)
}

/// left · 10^18 / right, digit by digit.
fn scaled_quotient(left: i128, right: i128) -> Option<i128> {
    if right == 0 {
        return None;
    }
    let mut quotient = left / right;
    let mut rest = left % right;
    for _ in 0..18 {
        rest = rest.checked_mul(10)?;
        quotient = quotient.checked_mul(10)?.checked_add(rest / right)?;
        rest %= right;
    }
    Some(quotient)
}

fn divide<'a>(left: &Value<'_>, right: &Value<'_>, ty: Type) -> Value<'a> {
    match ty {
        Type::Real => reals(left, right, |left, right| left / right),
        Type::Decimal => decimal_pair(left, right, scaled_quotient),
        Type::Timespan => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) if right != 0.0 => whole(real_to_i64(left / right), ty),
            _ => Value::Null,
        },
        _ => whole(whole_pair(left, right, i64::checked_div), ty),
    }
}

fn modulo<'a>(left: &Value<'_>, right: &Value<'_>, ty: Type) -> Value<'a> {
    match ty {
        Type::Real => reals(left, right, f64::rem_euclid),
        Type::Decimal => decimal_pair(left, right, i128::checked_rem_euclid),
        _ => whole(whole_pair(left, right, i64::checked_rem_euclid), ty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, check_typed};
    use watchkeeper_kql::Ticks;

    const HOUR: i64 = Ticks::PER_HOUR;

    #[test]
    fn datetimes_and_timespans_combine() {
        let (at, span) = (Value::Datetime(100 * HOUR), Value::Timespan(2 * HOUR));
        check("__add", &[(vec![at.clone(), span.clone()], Value::Datetime(102 * HOUR))]);
        check(
            "__subtract",
            &[
                (vec![at.clone(), span.clone()], Value::Datetime(98 * HOUR)),
                (vec![at, Value::Datetime(99 * HOUR)], Value::Timespan(HOUR)),
                (vec![Value::Datetime(0), span.clone()], Value::Null),
            ],
        );
        check(
            "__multiply",
            &[
                (vec![Value::Long(3), span.clone()], Value::Timespan(6 * HOUR)),
                (vec![span.clone(), Value::Real(0.5)], Value::Timespan(HOUR)),
            ],
        );
        check(
            "__divide",
            &[
                (vec![span.clone(), Value::Timespan(HOUR)], Value::Real(2.0)),
                (vec![span.clone(), Value::Long(2)], Value::Timespan(HOUR)),
            ],
        );
        check("__negate", &[(vec![span], Value::Timespan(-2 * HOUR))]);
    }

    #[test]
    fn integers_overflow_and_divide_by_zero_to_null() {
        check("__add", &[(vec![Value::Long(i64::MAX), Value::Long(1)], Value::Null)]);
        check(
            "__divide",
            &[
                (vec![Value::Long(7), Value::Long(2)], Value::Long(3)),
                (vec![Value::Long(7), Value::Long(0)], Value::Null),
                (vec![Value::Real(7.0), Value::Long(0)], Value::Real(f64::INFINITY)),
            ],
        );
        check_typed("__add", &[Type::Long, Type::Long], &[(vec![Value::Null, Value::Long(1)], Value::Null)]);
    }

    #[test]
    fn modulo_is_never_negative() {
        check(
            "__modulo",
            &[
                (vec![Value::Long(-5), Value::Long(3)], Value::Long(1)),
                (vec![Value::Long(-5), Value::Long(-3)], Value::Long(1)),
                (vec![Value::Real(-0.5), Value::Real(2.0)], Value::Real(1.5)),
            ],
        );
    }

    #[test]
    fn decimals_keep_their_digits() {
        let decimal = |text| Value::Decimal(crate::functions::convert::read::decimal(text).unwrap());
        check("__divide", &[(vec![decimal("1"), decimal("8")], decimal("0.125"))]);
        check("__multiply", &[(vec![decimal("12345678901234567.5"), decimal("2")], decimal("24691357802469135"))]);
    }
}
