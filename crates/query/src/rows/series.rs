//! Gathering the bins of a series into one dynamic array, for `make-series`; and printing ticks as dynamic values.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use watchkeeper_kql::{Ticks, Type};

/// `(bin numbers, values, number of bins, default) → dynamic array` of values of type `ty`.
pub fn gather(ty: Type) -> ScalarUDF {
    let name = format!("$gather({ty})");
    ScalarUDF::from(Gather { name, ty, signature: Signature::any(4, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Gather {
    name: String,
    ty: Type,
    signature: Signature,
}

impl ScalarUDFImpl for Gather {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (ColumnarValue::Scalar(ScalarValue::Int64(Some(bins))), ColumnarValue::Scalar(default)) =
            (&args.args[2], &args.args[3])
        else {
            return exec_err!("the number of bins and the default of a series must be constants");
        };
        let indexes = args.args[0].to_array(args.number_rows)?;
        let values = args.args[1].to_array(args.number_rows)?;
        let (indexes, values) = (indexes.as_list::<i32>(), values.as_list::<i32>());
        let bins = usize::try_from(*bins).unwrap_or(0);
        let empty = json_text(default, self.ty);
        let mut texts = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let mut slots: Vec<Option<usize>> = vec![None; bins];
            let row_indexes = indexes.value(row);
            let row_values = values.value(row);
            for (at, bin) in row_indexes.as_primitive::<Int64Type>().iter().enumerate() {
                if let Some(slot) = bin.and_then(|bin| usize::try_from(bin).ok()).and_then(|bin| slots.get_mut(bin)) {
                    *slot = Some(at);
                }
            }
            let mut text = String::from("[");
            for (bin, slot) in slots.iter().enumerate() {
                if bin > 0 {
                    text.push(',');
                }
                match slot {
                    Some(at) => text.push_str(&json_text(&ScalarValue::try_from_array(&row_values, *at)?, self.ty)),
                    None => text.push_str(&empty),
                }
            }
            text.push(']');
            texts.push(text);
        }
        Ok(ColumnarValue::Array(Arc::new(StringViewArray::from_iter_values(texts))))
    }
}

/// A value in runtime form as a dynamic value's JSON text.
pub fn json_text(value: &ScalarValue, ty: Type) -> String {
    let mut text = String::new();
    match (value, ty) {
        (value, _) if value.is_null() => text.push_str("null"),
        (ScalarValue::Int64(Some(value)), ty) => write_item(&mut text, ty, *value),
        (ScalarValue::Int32(Some(value)), _) => text.push_str(&value.to_string()),
        (ScalarValue::Boolean(Some(value)), _) => text.push_str(if *value { "true" } else { "false" }),
        (ScalarValue::Float64(Some(value)), _) => match serde_json::Number::from_f64(*value) {
            Some(number) => text.push_str(&number.to_string()),
            None => text.push_str(&format!("\"{}\"", crate::shape::cell::real_name(*value))),
        },
        (ScalarValue::Utf8View(Some(value)), Type::Dynamic) => text.push_str(value),
        (ScalarValue::Utf8View(Some(value)), _) => {
            text.push_str(&serde_json::Value::String(value.clone()).to_string());
        }
        (other, _) => text.push_str(&serde_json::Value::String(other.to_string()).to_string()),
    }
    text
}

/// A whole number, instant or duration as a dynamic value's JSON text.
pub fn write_item(text: &mut String, ty: Type, value: i64) {
    // writing to a string cannot fail
    let _ = match ty {
        Type::Datetime => write!(text, "\"{}\"", crate::shape::cell::datetime(Ticks(value))),
        Type::Timespan => write!(text, "\"{}\"", crate::shape::cell::timespan(Ticks(value))),
        _ => write!(text, "{value}"),
    };
}
