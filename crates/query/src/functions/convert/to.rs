//! The `to*` functions, `gettype` and the conversion between any two types that they share.

use std::borrow::Cow;

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use watchkeeper_kql::{Ticks, Type};

use super::{print, read};
use crate::functions::frame::value::{Builder, Column, DECIMAL_ONE, Value};
use crate::functions::frame::{Call, Function, Returns, json};

/// `to*` and what else converts.
pub const FUNCTIONS: &[Function] = &[
    Function::batch("tostring", 1, 1, Returns::Always(Type::String), tostring),
    Function::row("tobool", 1, 1, Returns::Always(Type::Bool), |_, args| to(&args[0], Type::Bool)),
    Function::row("toint", 1, 1, Returns::Always(Type::Int), |_, args| to(&args[0], Type::Int)),
    Function::row("tolong", 1, 1, Returns::Always(Type::Long), |_, args| to(&args[0], Type::Long)),
    Function::row("toreal", 1, 1, Returns::Always(Type::Real), |_, args| to(&args[0], Type::Real)),
    Function::row("todecimal", 1, 1, Returns::Always(Type::Decimal), |_, args| to(&args[0], Type::Decimal)),
    Function::row("todatetime", 1, 1, Returns::Always(Type::Datetime), |_, args| to(&args[0], Type::Datetime)),
    Function::row("totimespan", 1, 1, Returns::Always(Type::Timespan), |_, args| to(&args[0], Type::Timespan)),
    Function::row("toguid", 1, 1, Returns::Always(Type::Guid), |_, args| to(&args[0], Type::Guid)),
    Function::batch("parse_json", 1, 1, Returns::Always(Type::Dynamic), parse_json),
    Function::row_with_nulls("gettype", 1, 1, Returns::Always(Type::String), gettype),
    Function::row("tohex", 1, 2, Returns::Always(Type::String), tohex),
];

fn tostring(call: &Call<'_>, args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let ty = call.arg_types[0];
    let column = Column::new(&args[0], ty);
    if let (Type::String, ColumnarValue::Array(array)) = (ty, &args[0])
        && arrow::array::Array::null_count(array) == 0
    {
        return Ok(args[0].clone());
    }
    let mut builder = Builder::new(Type::String, call.rows);
    for row in 0..call.rows {
        builder.push(&column.value(row));
    }
    Ok(ColumnarValue::Array(builder.finish()))
}

fn parse_json(call: &Call<'_>, args: &[ColumnarValue]) -> Result<ColumnarValue> {
    if call.arg_types[0] == Type::Dynamic {
        return Ok(args[0].clone());
    }
    let column = Column::new(&args[0], call.arg_types[0]);
    let mut builder = Builder::new(Type::Dynamic, call.rows);
    for row in 0..call.rows {
        builder.push(&to(&column.value(row), Type::Dynamic));
    }
    Ok(ColumnarValue::Array(builder.finish()))
}

/// Converts as the `to*` function of the target type does: null where there is no value of that type.
pub fn to<'a>(value: &Value<'a>, ty: Type) -> Value<'a> {
    if value.is_null() {
        return if ty == Type::String { Value::string("") } else { Value::Null };
    }
    match ty {
        Type::String => match value {
            Value::String(text) | Value::Guid(text) => Value::String(text.clone()),
            Value::Dynamic(Cow::Borrowed(text)) => Value::String(json::unquote(text).unwrap_or(Cow::Borrowed(text))),
            other => Value::String(Cow::Owned(print::text_of(other).into_owned())),
        },
        Type::Dynamic => match value {
            Value::Dynamic(_) => value.clone(),
            Value::String(Cow::Borrowed(text)) => from_json(text),
            Value::String(Cow::Owned(text)) => from_json(text).into_owned(),
            other => Value::Dynamic(Cow::Owned(json::encode(other))),
        },
        Type::Bool => match scalar_text(value) {
            Some(text) => Value::from_option(read::boolean(&text), Value::Bool),
            None => Value::from_option(value.as_f64(), |number| Value::Bool(number != 0.0)),
        },
        Type::Int => Value::from_option(integer(value).and_then(|number| i32::try_from(number).ok()), Value::Int),
        Type::Long => Value::from_option(integer(value), Value::Long),
        Type::Real => match scalar_text(value) {
            Some(text) => Value::from_option(read::real(&text), Value::Real),
            None => Value::from_option(value.as_f64(), Value::Real),
        },
        Type::Decimal => match value {
            Value::Decimal(number) => Value::Decimal(*number),
            Value::Real(number) => Value::from_option(read::decimal(&format!("{number}")), Value::Decimal),
            other => match scalar_text(other) {
                Some(text) => Value::from_option(read::decimal(&text), Value::Decimal),
                None => Value::from_option(other.as_i64(), |number| Value::Decimal(i128::from(number) * DECIMAL_ONE)),
            },
        },
        Type::Datetime => match value {
            Value::Datetime(ticks) => Value::Datetime(*ticks),
            other => match scalar_text(other) {
                Some(text) => Value::from_option(read::datetime(&text), Value::Datetime),
                None => Value::from_option(
                    other.as_i64().filter(|ticks| (0..=Ticks::MAX_DATETIME.0).contains(ticks)),
                    Value::Datetime,
                ),
            },
        },
        Type::Timespan => match value {
            Value::Timespan(ticks) => Value::Timespan(*ticks),
            other => match scalar_text(other) {
                Some(text) => Value::from_option(read::timespan(&text), Value::Timespan),
                None => Value::from_option(other.as_i64(), Value::Timespan),
            },
        },
        Type::Guid => match value {
            Value::Guid(_) => value.clone(),
            other => Value::from_option(scalar_text(other).and_then(|text| read::guid(&text)), |text| {
                Value::Guid(Cow::Owned(text))
            }),
        },
    }
}

/// The text of a string, guid or dynamic (a dynamic number or bool as it is written); none for the other types.
fn scalar_text<'v>(value: &'v Value<'_>) -> Option<Cow<'v, str>> {
    match value {
        Value::String(_) | Value::Guid(_) | Value::Dynamic(_) => Some(print::text_of(value)),
        _ => None,
    }
}

fn integer(value: &Value<'_>) -> Option<i64> {
    match scalar_text(value) {
        Some(text) => read::long(&text),
        None => value.as_i64(),
    }
}

fn from_json(text: &str) -> Value<'_> {
    match json::compact(text) {
        Some(compact) => Value::dynamic(compact),
        None if text.is_empty() => Value::Null,
        None => Value::Dynamic(Cow::Owned(json::quote(text))),
    }
}

fn gettype<'a>(call: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let name = match &args[0] {
        Value::Null => "null",
        Value::Dynamic(text) => match text.as_bytes().first() {
            Some(b'[') => "array",
            Some(b'{') => "dictionary",
            Some(b'"') => "string",
            Some(b't' | b'f') => "bool",
            _ if text.contains(['.', 'e', 'E']) => "double",
            _ => "long",
        },
        _ => match call.arg_types[0] {
            Type::Real => "double",
            other => other.name(),
        },
    };
    Value::string(name)
}

fn tohex<'a>(call: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(number) = args[0].as_i64() else {
        return Value::string("");
    };
    let width = args.get(1).and_then(Value::as_i64).and_then(|width| usize::try_from(width).ok()).unwrap_or(0).min(64);
    Value::string(match (call.arg_types[0], i32::try_from(number)) {
        (Type::Int, Ok(number)) => format!("{number:0width$x}"),
        _ => format!("{number:0width$x}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn tostring_prints_every_type() {
        check(
            "tostring",
            &[
                (vec![Value::Long(-5)], string("-5")),
                (vec![Value::Real(1.0)], string("1.0")),
                (vec![Value::Bool(true)], string("true")),
                (vec![Value::Datetime(0)], string("0001-01-01T00:00:00.0000000Z")),
                (vec![Value::Timespan(Ticks::PER_DAY)], string("1.00:00:00")),
                (vec![dynamic("\"a\\\"b\"")], string("a\"b")),
                (vec![dynamic("{\"a\":1.0}")], string("{\"a\":1.0}")),
                (vec![string("")], string("")),
            ],
        );
    }

    #[test]
    fn numbers_are_read_from_text_or_are_null() {
        check(
            "tolong",
            &[
                (vec![string("12")], Value::Long(12)),
                (vec![string(" 0x1F ")], Value::Long(31)),
                (vec![string("12.7")], Value::Long(12)),
                (vec![string("x")], Value::Null),
                (vec![string("")], Value::Null),
                (vec![Value::Real(-2.9)], Value::Long(-2)),
                (vec![Value::Real(f64::NAN)], Value::Null),
                (vec![dynamic("\"7\"")], Value::Long(7)),
            ],
        );
        check("toint", &[(vec![Value::Real(2.3)], Value::Int(2)), (vec![Value::Long(i64::MAX)], Value::Null)]);
        check("todecimal", &[(vec![string("-1.5")], Value::Decimal(-DECIMAL_ONE - DECIMAL_ONE / 2))]);
        check(
            "tobool",
            &[
                (vec![string("TRUE")], Value::Bool(true)),
                (vec![string("2")], Value::Bool(true)),
                (vec![string("no")], Value::Null),
                (vec![Value::Real(0.0)], Value::Bool(false)),
            ],
        );
    }

    #[test]
    fn parse_json_takes_text_that_is_not_json_as_a_string() {
        check(
            "parse_json",
            &[
                (vec![string("{\"a\" : 1}")], dynamic("{\"a\":1}")),
                (vec![string("hello")], dynamic("\"hello\"")),
                (vec![string("")], Value::Null),
                (vec![string("null")], Value::Null),
                (vec![Value::Long(3)], dynamic("3")),
            ],
        );
    }

    #[test]
    fn tohex_pads_and_uses_the_width_of_the_type() {
        check(
            "tohex",
            &[
                (vec![Value::Long(256)], string("100")),
                (vec![Value::Long(-256)], string("ffffffffffffff00")),
                (vec![Value::Int(-256), Value::Long(8)], string("ffffff00")),
                (vec![Value::Long(256), Value::Long(8)], string("00000100")),
            ],
        );
    }

    #[test]
    fn toguid_accepts_any_place_of_hyphens() {
        let want = Value::Guid("01234567-89ab-cdef-0123-456789abcdef".into());
        check(
            "toguid",
            &[
                (vec![string("0123456789abcdef0123456789abcdef")], want.clone()),
                (vec![string("0123456789ab-CDEF-0123-456789abcdef")], want),
                (vec![string("not a guid")], Value::Null),
            ],
        );
    }
}
