//! One cell of the runtime form ([`Value`]), reading cells of Arrow columns ([`Column`]), building columns ([`Builder`]).

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Decimal128Array, Decimal128Builder, Float64Array,
    Float64Builder, Int32Array, Int32Builder, Int64Array, Int64Builder, StringViewArray, StringViewBuilder,
};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::ColumnarValue;
use watchkeeper_kql::Type;

/// Digits after the point of a decimal in the runtime form.
pub const DECIMAL_SCALE: i8 = 18;
/// Digits of a decimal in the runtime form.
pub const DECIMAL_PRECISION: u8 = 38;
/// 10 to the power of [`DECIMAL_SCALE`].
pub const DECIMAL_ONE: i128 = 1_000_000_000_000_000_000;

/// The Arrow type of a KQL type while a query runs.
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

/// A cell with its KQL type. Strings are never null; a dynamic is compact JSON text and never the text `null`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Real(f64),
    /// Scaled by [`DECIMAL_ONE`].
    Decimal(i128),
    Datetime(i64),
    Timespan(i64),
    String(Cow<'a, str>),
    Guid(Cow<'a, str>),
    Dynamic(Cow<'a, str>),
}

impl<'a> Value<'a> {
    pub fn string(text: impl Into<Cow<'a, str>>) -> Value<'a> {
        Value::String(text.into())
    }

    /// A dynamic from compact JSON text; the text `null` gives null.
    pub fn dynamic(text: impl Into<Cow<'a, str>>) -> Value<'a> {
        let text = text.into();
        if text == "null" { Value::Null } else { Value::Dynamic(text) }
    }

    /// A dynamic from a JSON tree.
    pub fn json(tree: &serde_json::Value) -> Value<'static> {
        Value::dynamic(tree.to_string())
    }

    pub fn from_option<T>(value: Option<T>, make: impl FnOnce(T) -> Value<'a>) -> Value<'a> {
        value.map_or(Value::Null, make)
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text of a string, guid or dynamic (JSON text as it is); otherwise empty.
    pub fn text(&self) -> &str {
        match self {
            Value::String(text) | Value::Guid(text) | Value::Dynamic(text) => text,
            _ => "",
        }
    }

    /// Integers, ticks and booleans as i64, reals truncated; a dynamic number likewise.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Bool(value) => Some(i64::from(*value)),
            Value::Int(value) => Some(i64::from(*value)),
            Value::Long(value) | Value::Datetime(value) | Value::Timespan(value) => Some(*value),
            Value::Real(value) => real_to_i64(*value),
            Value::Decimal(value) => i64::try_from(value / DECIMAL_ONE).ok(),
            Value::Dynamic(text) => text.parse::<i64>().ok().or_else(|| text.parse::<f64>().ok().and_then(real_to_i64)),
            Value::Null | Value::String(_) | Value::Guid(_) => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Real(value) => Some(*value),
            Value::Decimal(value) => Some(decimal_to_f64(*value)),
            Value::Dynamic(text) => text.parse::<f64>().ok(),
            Value::String(_) => None,
            other => other.as_i64().map(|value| value as f64),
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            Value::Dynamic(text) if text == "true" => Some(true),
            Value::Dynamic(text) if text == "false" => Some(false),
            other => other.as_i64().map(|value| value != 0),
        }
    }

    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::Long(value) => Value::Long(value),
            Value::Real(value) => Value::Real(value),
            Value::Decimal(value) => Value::Decimal(value),
            Value::Datetime(value) => Value::Datetime(value),
            Value::Timespan(value) => Value::Timespan(value),
            Value::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Value::Guid(text) => Value::Guid(Cow::Owned(text.into_owned())),
            Value::Dynamic(text) => Value::Dynamic(Cow::Owned(text.into_owned())),
        }
    }

    /// The Arrow scalar of this cell in a column of type `ty`.
    pub fn to_scalar(&self, ty: Type) -> ScalarValue {
        let mut builder = Builder::new(ty, 1);
        builder.push(self);
        ScalarValue::try_from_array(&builder.finish(), 0).unwrap_or(ScalarValue::Null)
    }
}

/// A real truncated toward zero; none for NaN, infinities and what does not fit.
pub fn real_to_i64(value: f64) -> Option<i64> {
    let bound = 2f64.powi(63);
    (-bound..bound).contains(&value).then_some(value as i64)
}

pub fn decimal_to_f64(value: i128) -> f64 {
    value as f64 / DECIMAL_ONE as f64
}

/// An argument: one constant for all rows, or a column.
pub enum Column<'a> {
    Constant(Value<'a>),
    Bool(&'a BooleanArray),
    Int(&'a Int32Array),
    Long(&'a Int64Array, Type),
    Real(&'a Float64Array),
    Decimal(&'a Decimal128Array),
    Text(&'a StringViewArray, Type),
}

impl<'a> Column<'a> {
    /// Reads an argument that [`coerce`] made.
    pub fn new(argument: &'a ColumnarValue, ty: Type) -> Column<'a> {
        match argument {
            ColumnarValue::Array(array) => Column::from_array(array, ty),
            ColumnarValue::Scalar(scalar) => Column::Constant(scalar_value(scalar, ty)),
        }
    }

    pub fn from_array(array: &'a ArrayRef, ty: Type) -> Column<'a> {
        match ty {
            Type::Bool => Column::Bool(array.as_boolean()),
            Type::Int => Column::Int(array.as_primitive::<Int32Type>()),
            Type::Long | Type::Datetime | Type::Timespan => Column::Long(array.as_primitive::<Int64Type>(), ty),
            Type::Real => Column::Real(array.as_primitive::<Float64Type>()),
            Type::Decimal => Column::Decimal(array.as_primitive::<Decimal128Type>()),
            Type::String | Type::Guid | Type::Dynamic => Column::Text(array.as_string_view(), ty),
        }
    }

    pub fn is_constant(&self) -> bool {
        matches!(self, Column::Constant(_))
    }

    #[inline]
    pub fn value(&self, row: usize) -> Value<'a> {
        match self {
            Column::Constant(value) => value.clone(),
            Column::Bool(array) => {
                if array.is_null(row) {
                    Value::Null
                } else {
                    Value::Bool(array.value(row))
                }
            }
            Column::Int(array) => {
                if array.is_null(row) {
                    Value::Null
                } else {
                    Value::Int(array.value(row))
                }
            }
            Column::Long(array, ty) => {
                if array.is_null(row) {
                    Value::Null
                } else {
                    ticks_or_long(array.value(row), *ty)
                }
            }
            Column::Real(array) => {
                if array.is_null(row) {
                    Value::Null
                } else {
                    Value::Real(array.value(row))
                }
            }
            Column::Decimal(array) => {
                if array.is_null(row) {
                    Value::Null
                } else {
                    Value::Decimal(array.value(row))
                }
            }
            Column::Text(array, ty) => {
                if array.is_null(row) {
                    null_text(*ty)
                } else {
                    text_value(array.value(row), *ty)
                }
            }
        }
    }
}

fn ticks_or_long<'a>(value: i64, ty: Type) -> Value<'a> {
    match ty {
        Type::Datetime => Value::Datetime(value),
        Type::Timespan => Value::Timespan(value),
        _ => Value::Long(value),
    }
}

fn null_text<'a>(ty: Type) -> Value<'a> {
    if ty == Type::String { Value::String(Cow::Borrowed("")) } else { Value::Null }
}

fn text_value(text: &str, ty: Type) -> Value<'_> {
    match ty {
        Type::Guid => Value::Guid(Cow::Borrowed(text)),
        Type::Dynamic => Value::dynamic(text),
        _ => Value::String(Cow::Borrowed(text)),
    }
}

/// The cell of an Arrow scalar of the runtime form.
pub fn scalar_value(scalar: &ScalarValue, ty: Type) -> Value<'_> {
    match scalar {
        ScalarValue::Boolean(Some(value)) => Value::Bool(*value),
        ScalarValue::Int32(Some(value)) => Value::Int(*value),
        ScalarValue::Int64(Some(value)) => ticks_or_long(*value, ty),
        ScalarValue::Float64(Some(value)) => Value::Real(*value),
        ScalarValue::Decimal128(Some(value), _, _) => Value::Decimal(*value),
        ScalarValue::Utf8View(Some(text)) | ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) => {
            text_value(text, ty)
        }
        _ => null_text(ty),
    }
}

/// Brings an argument to the runtime form of its KQL type: other text layouts and dictionaries become views, other
/// widths of numbers are cast.
pub fn coerce(argument: ColumnarValue, ty: Type) -> Result<ColumnarValue> {
    let wanted = arrow_type(ty);
    if argument.data_type() == wanted {
        return Ok(argument);
    }
    Ok(match argument {
        ColumnarValue::Array(array) => ColumnarValue::Array(arrow::compute::cast(&array, &wanted)?),
        ColumnarValue::Scalar(scalar) => {
            if scalar.is_null() {
                ColumnarValue::Scalar(ScalarValue::try_from(&wanted)?)
            } else {
                ColumnarValue::Scalar(scalar.cast_to(&wanted)?)
            }
        }
    })
}

/// Builds a column of a KQL type from cells; cells of another type are brought over as far as that is exact.
pub enum Builder {
    Bool(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Real(Float64Builder),
    Decimal(Decimal128Builder),
    Text(StringViewBuilder, Type),
}

impl Builder {
    pub fn new(ty: Type, rows: usize) -> Builder {
        match ty {
            Type::Bool => Builder::Bool(BooleanBuilder::with_capacity(rows)),
            Type::Int => Builder::Int(Int32Builder::with_capacity(rows)),
            Type::Long | Type::Datetime | Type::Timespan => Builder::Long(Int64Builder::with_capacity(rows)),
            Type::Real => Builder::Real(Float64Builder::with_capacity(rows)),
            Type::Decimal => {
                let data_type = DataType::Decimal128(DECIMAL_PRECISION, DECIMAL_SCALE);
                Builder::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(data_type))
            }
            Type::String | Type::Guid | Type::Dynamic => Builder::Text(StringViewBuilder::with_capacity(rows), ty),
        }
    }

    pub fn push(&mut self, value: &Value<'_>) {
        match self {
            Builder::Bool(builder) => builder.append_option(value.as_bool()),
            Builder::Int(builder) => builder.append_option(value.as_i64().and_then(|value| i32::try_from(value).ok())),
            Builder::Long(builder) => builder.append_option(value.as_i64()),
            Builder::Real(builder) => builder.append_option(value.as_f64()),
            Builder::Decimal(builder) => builder.append_option(match value {
                Value::Decimal(value) => Some(*value),
                other => other.as_i64().map(|value| i128::from(value) * DECIMAL_ONE),
            }),
            Builder::Text(builder, Type::Dynamic) => match value {
                Value::Null => builder.append_null(),
                Value::Dynamic(text) => builder.append_value(text),
                other => builder.append_value(super::json::encode(other)),
            },
            Builder::Text(builder, Type::Guid) => match value {
                Value::Guid(text) | Value::String(text) => builder.append_value(text),
                _ => builder.append_null(),
            },
            Builder::Text(builder, _) => match value {
                Value::String(text) => builder.append_value(text),
                other => builder.append_value(crate::functions::convert::print::text_of(other)),
            },
        }
    }

    pub fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Bool(builder) => Arc::new(builder.finish()),
            Builder::Int(builder) => Arc::new(builder.finish()),
            Builder::Long(builder) => Arc::new(builder.finish()),
            Builder::Real(builder) => Arc::new(builder.finish()),
            Builder::Decimal(builder) => Arc::new(builder.finish()),
            Builder::Text(builder, _) => Arc::new(builder.finish()),
        }
    }
}

/// The rows of the arguments as one array each, for kernels that have no form for constants.
pub fn to_array(argument: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    match argument {
        ColumnarValue::Array(array) if array.len() != rows => {
            exec_err!("a column has {} rows where {rows} are expected", array.len())
        }
        other => other.to_array(rows),
    }
}
