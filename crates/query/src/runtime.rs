//! The runtime form of values: how the types of the language are Arrow types while a query runs.
//! Nothing here knows how tables store them (that is `scan`).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use datafusion::common::ScalarValue;
use watchkeeper_kql::{Literal, Schema, Type};

use crate::error::QueryError;

/// Digits of a decimal before and after the point, together.
pub const DECIMAL_PRECISION: u8 = 38;
/// Digits of a decimal after the point.
pub const DECIMAL_SCALE: i8 = 18;

/// The Arrow type of a column while a query runs (see ARCHITECTURE, "Types, three times").
pub fn arrow_type(ty: Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int32,
        Type::Long | Type::Datetime | Type::Timespan => DataType::Int64,
        Type::Real => DataType::Float64,
        Type::Decimal => DataType::Decimal128(DECIMAL_PRECISION, DECIMAL_SCALE),
        Type::String | Type::Guid | Type::Dynamic => DataType::Utf8View,
    }
}

/// The Arrow schema of a relation. Every field is declared nullable: that strings are never null is a promise about
/// values, kept by the planner, and not one that Arrow should check on each batch.
pub fn arrow_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> =
        schema.columns.iter().map(|column| Field::new(&column.name, arrow_type(column.ty), true)).collect();
    Arc::new(ArrowSchema::new(fields))
}

/// The null of a type; of string, the empty text.
pub fn null_of(ty: Type) -> ScalarValue {
    match ty {
        Type::Bool => ScalarValue::Boolean(None),
        Type::Int => ScalarValue::Int32(None),
        Type::Long | Type::Datetime | Type::Timespan => ScalarValue::Int64(None),
        Type::Real => ScalarValue::Float64(None),
        Type::Decimal => ScalarValue::Decimal128(None, DECIMAL_PRECISION, DECIMAL_SCALE),
        Type::String => ScalarValue::Utf8View(Some(String::new())),
        Type::Guid | Type::Dynamic => ScalarValue::Utf8View(None),
    }
}

/// A constant of the language in runtime form.
pub fn scalar(literal: &Literal) -> Result<ScalarValue, QueryError> {
    Ok(match literal {
        Literal::Null(ty) => null_of(*ty),
        Literal::Bool(value) => ScalarValue::Boolean(Some(*value)),
        Literal::Int(value) => ScalarValue::Int32(Some(*value)),
        Literal::Long(value) => ScalarValue::Int64(Some(*value)),
        Literal::Real(value) => ScalarValue::Float64(Some(*value)),
        Literal::Decimal(digits) => ScalarValue::Decimal128(Some(decimal(digits)?), DECIMAL_PRECISION, DECIMAL_SCALE),
        Literal::Datetime(ticks) | Literal::Timespan(ticks) => ScalarValue::Int64(Some(ticks.0)),
        Literal::String(text) | Literal::Dynamic(text) => ScalarValue::Utf8View(Some(text.clone())),
        Literal::Guid(value) => ScalarValue::Utf8View(Some(uuid::Uuid::from_u128(*value).hyphenated().to_string())),
    })
}

/// Reads decimal digits, with a point and an exponent, as an integer scaled by 10^18. Digits past the eighteenth
/// are rounded half away from zero.
pub fn decimal(digits: &str) -> Result<i128, QueryError> {
    let wrong =
        || QueryError::execution(format!("`{digits}` is not a decimal with at most 20 digits before the point"));
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| wrong())?),
        None => (digits, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return Err(wrong());
        }
        value = value.checked_mul(10).and_then(|v| v.checked_add(i128::from(byte - b'0'))).ok_or_else(wrong)?;
    }
    let fraction_digits = i32::try_from(fraction.len()).map_err(|_| wrong())?;
    let shift = i32::from(DECIMAL_SCALE) - fraction_digits + exponent;
    if shift >= 0 {
        for _ in 0..shift {
            if value == 0 {
                break;
            }
            value = value.checked_mul(10).ok_or_else(wrong)?;
        }
    } else {
        for step in (0..-shift).rev() {
            let last = step == 0;
            value = if last { (value + 5) / 10 } else { value / 10 };
            if value == 0 {
                break;
            }
        }
    }
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_scaled_by_ten_to_the_eighteenth() {
        for (digits, expected) in [
            ("1", 1_000_000_000_000_000_000),
            ("-0.5", -500_000_000_000_000_000),
            ("1.5e1", 15_000_000_000_000_000_000),
            ("0.0000000000000000015", 2),
            ("1e-18", 1),
            ("0", 0),
        ] {
            assert_eq!(decimal(digits).expect(digits), expected, "{digits}");
        }
        assert!(decimal("1e40").is_err());
        assert!(decimal("x").is_err());
    }
}
