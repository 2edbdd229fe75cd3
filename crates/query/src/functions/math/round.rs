//! Rounding: `bin`, `bin_at`, `round`, `ceiling`, `abs`, `sign`.

use std::sync::Arc;

use arrow::array::{Array, AsArray, PrimitiveArray};
use arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use watchkeeper_kql::Type;

use crate::functions::frame::value::{Builder, Column, DECIMAL_ONE, Value, real_to_i64};
use crate::functions::frame::{Call, Function, Returns};

pub const FUNCTIONS: &[Function] = &[
    Function::batch("bin", 1, 2, Returns::From(bin_type), bin_batch),
    Function::row("bin_at", 3, 3, Returns::From(bin_type), |call, args| {
        bin_at(&args[0], &args[1], &args[2], call.return_type)
    }),
    Function::row("round", 1, 2, Returns::Always(Type::Real), |_, args| round(args)),
    Function::row("ceiling", 1, 1, Returns::SameAs(0), |call, args| ceiling(&args[0], call.return_type)),
    Function::row("abs", 1, 1, Returns::SameAs(0), |call, args| abs(&args[0], call.return_type)),
    Function::row("sign", 1, 1, Returns::Always(Type::Real), |_, args| {
        Value::from_option(args[0].as_f64(), |number| Value::Real(if number == 0.0 { 0.0 } else { number.signum() }))
    }),
];

/// Ticks or integers rounded down to a multiple.
pub const fn bin_ticks(value: i64, size: i64) -> i64 {
    value.wrapping_sub(value.rem_euclid(size))
}

fn bin_type(types: &[Type]) -> Option<Type> {
    Some(match (types[0], types.get(1).copied().unwrap_or(Type::Int)) {
        (Type::Datetime, _) => Type::Datetime,
        (Type::Timespan, _) => Type::Timespan,
        (Type::Int, Type::Int) => Type::Int,
        (Type::Int | Type::Long, Type::Int | Type::Long) => Type::Long,
        (Type::Decimal, _) => Type::Decimal,
        _ => Type::Real,
    })
}

fn bin_batch(call: &Call<'_>, args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let size = args.get(1).map(|size| Column::new(size, call.arg_types[1])).unwrap_or(Column::Constant(Value::Int(1)));
    if let (ColumnarValue::Array(array), Type::Datetime | Type::Timespan | Type::Long, Column::Constant(size)) =
        (&args[0], call.return_type, &size)
        && call.arg_types[0] != Type::Int
        && let Some(size) = size.as_i64().filter(|size| *size > 0)
    {
        // rows mostly come in order of time: a value in the last value's bin needs no division
        let array = array.as_primitive::<Int64Type>();
        let mut bin = bin_ticks(0, size);
        let bins = array.values().iter().map(|value| {
            if value.wrapping_sub(bin) as u64 >= size as u64 {
                bin = bin_ticks(*value, size);
            }
            bin
        });
        let bins = PrimitiveArray::<Int64Type>::new(bins.collect(), array.nulls().cloned());
        return Ok(ColumnarValue::Array(Arc::new(bins)));
    }
    let values = Column::new(&args[0], call.arg_types[0]);
    let mut builder = Builder::new(call.return_type, call.rows);
    for row in 0..call.rows {
        builder.push(&bin(&values.value(row), &size.value(row), call.return_type));
    }
    Ok(ColumnarValue::Array(builder.finish()))
}

/// Rounded down to a multiple of the size; null where the size is not positive.
fn bin<'a>(value: &Value<'_>, size: &Value<'_>, ty: Type) -> Value<'a> {
    match ty {
        Type::Real => match (value.as_f64(), size.as_f64()) {
            (Some(value), Some(size)) if size > 0.0 => Value::Real((value / size).floor() * size),
            _ => Value::Null,
        },
        Type::Decimal => {
            let scaled = |value: &Value<'_>| match value {
                Value::Decimal(number) => Some(*number),
                other => other.as_i64().map(|number| i128::from(number) * DECIMAL_ONE),
            };
            match (scaled(value), scaled(size)) {
                (Some(value), Some(size)) if size > 0 => Value::Decimal(value - value.rem_euclid(size)),
                _ => Value::Null,
            }
        }
        _ => match (value.as_i64(), size.as_i64()) {
            (Some(value), Some(size)) if size > 0 => typed(bin_ticks(value, size), ty),
            _ => Value::Null,
        },
    }
}

fn typed<'a>(number: i64, ty: Type) -> Value<'a> {
    match ty {
        Type::Datetime => Value::Datetime(number),
        Type::Timespan => Value::Timespan(number),
        Type::Int => Value::from_option(i32::try_from(number).ok(), Value::Int),
        _ => Value::Long(number),
    }
}

/// As `bin`, with one bin starting at the fixed point.
fn bin_at<'a>(value: &Value<'_>, size: &Value<'_>, fixed: &Value<'_>, ty: Type) -> Value<'a> {
    if ty == Type::Real || ty == Type::Decimal {
        return match (value.as_f64(), size.as_f64(), fixed.as_f64()) {
            (Some(value), Some(size), Some(fixed)) if size > 0.0 => {
                Value::Real(((value - fixed) / size).floor() * size + fixed)
            }
            _ => Value::Null,
        };
    }
    match (value.as_i64(), size.as_i64(), fixed.as_i64()) {
        (Some(value), Some(size), Some(fixed)) if size > 0 => match value.checked_sub(fixed) {
            Some(distance) => {
                Value::from_option(bin_ticks(distance, size).checked_add(fixed), |number| typed(number, ty))
            }
            None => Value::Null,
        },
        _ => Value::Null,
    }
}

fn round<'a>(args: &[Value<'a>]) -> Value<'a> {
    let digits = args.get(1).and_then(Value::as_i64).unwrap_or(0).clamp(-300, 300);
    let Some(number) = args[0].as_f64() else {
        return Value::Null;
    };
    let Ok(digits) = i32::try_from(digits) else {
        return Value::Null;
    };
    if digits >= 0 {
        let factor = 10f64.powi(digits);
        let scaled = number * factor;
        // the digits as printed decide, so that 2.675 and the like are rounded from their decimal form
        let rounded = if scaled.is_finite() && scaled.abs() < 1e15 { half_away(number, digits) } else { number };
        return Value::Real(rounded);
    }
    let factor = 10f64.powi(-digits);
    Value::Real((number / factor).round() * factor)
}

fn half_away(number: f64, digits: i32) -> f64 {
    let factor = 10f64.powi(digits);
    (number * factor).round() / factor
}

fn ceiling<'a>(value: &Value<'_>, ty: Type) -> Value<'a> {
    match ty {
        Type::Real => Value::from_option(value.as_f64(), |number| Value::Real(number.ceil())),
        Type::Decimal => match value {
            Value::Decimal(number) => Value::Decimal(number + (-number).rem_euclid(DECIMAL_ONE)),
            _ => Value::Null,
        },
        Type::Dynamic => Value::from_option(value.as_f64().and_then(|number| real_to_i64(number.ceil())), |number| {
            Value::Dynamic(number.to_string().into())
        }),
        _ => Value::from_option(value.as_i64(), |number| typed(number, ty)),
    }
}

fn abs<'a>(value: &Value<'_>, ty: Type) -> Value<'a> {
    match value {
        Value::Real(number) => Value::Real(number.abs()),
        Value::Decimal(number) => Value::Decimal(number.abs()),
        Value::Dynamic(text) => Value::Dynamic(text.trim_start_matches('-').to_owned().into()),
        other => Value::from_option(other.as_i64().and_then(i64::checked_abs), |number| typed(number, ty)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::check;
    use watchkeeper_kql::Ticks;

    #[test]
    fn bins_round_down_also_below_zero() {
        check(
            "bin",
            &[
                (vec![Value::Real(4.5), Value::Long(1)], Value::Real(4.0)),
                (vec![Value::Long(-7), Value::Long(5)], Value::Long(-10)),
                (vec![Value::Int(7), Value::Int(5)], Value::Int(5)),
                (
                    vec![Value::Datetime(Ticks::PER_DAY * 3 + 7), Value::Timespan(Ticks::PER_DAY)],
                    Value::Datetime(Ticks::PER_DAY * 3),
                ),
                (vec![Value::Long(7), Value::Long(0)], Value::Null),
            ],
        );
        check("floor", &[(vec![Value::Real(-1.5)], Value::Real(-2.0))]);
    }

    #[test]
    fn bins_can_be_anchored() {
        check(
            "bin_at",
            &[
                (vec![Value::Real(6.5), Value::Real(2.5), Value::Long(7)], Value::Real(4.5)),
                (
                    vec![
                        Value::Timespan(Ticks::PER_HOUR),
                        Value::Timespan(Ticks::PER_DAY),
                        Value::Timespan(12 * Ticks::PER_HOUR),
                    ],
                    Value::Timespan(-12 * Ticks::PER_HOUR),
                ),
            ],
        );
    }

    #[test]
    fn rounding_takes_digits_on_both_sides_of_the_point() {
        check(
            "round",
            &[
                (vec![Value::Real(2.98765), Value::Long(3)], Value::Real(2.988)),
                (vec![Value::Real(-2.5)], Value::Real(-3.0)),
                (vec![Value::Real(1234.0), Value::Long(-2)], Value::Real(1200.0)),
            ],
        );
        check("abs", &[(vec![Value::Long(-5)], Value::Long(5)), (vec![Value::Timespan(-5)], Value::Timespan(5))]);
        check("ceiling", &[(vec![Value::Real(-1.1)], Value::Real(-1.0))]);
    }
}
