//! The items of dynamic arrays and bags as Arrow lists, for `mv-expand`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Builder, ListBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use sonic_rs::{JsonValueTrait, LazyValue};

/// `(dynamic, limit) → list of dynamic`. Null gives a null list; a scalar gives a list of itself.
pub fn expand_items(bag_as_array: bool) -> ScalarUDF {
    let name = if bag_as_array { "$expand_items_pairs" } else { "$expand_items" };
    ScalarUDF::from(ExpandItems { name, bag_as_array, signature: Signature::any(2, Volatility::Immutable) })
}

/// `(list, …) → list of long`: 0, 1, … up to the longest of the lists. Null where all of them are.
pub fn expand_index() -> ScalarUDF {
    ScalarUDF::from(ExpandIndex { signature: Signature::variadic_any(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExpandItems {
    name: &'static str,
    bag_as_array: bool,
    signature: Signature,
}

impl ScalarUDFImpl for ExpandItems {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(ScalarValue::Int64(Some(limit))) = &args.args[1] else {
            return exec_err!("the limit of mv-expand must be a constant");
        };
        let limit = usize::try_from(*limit).unwrap_or(0);
        let values = args.args[0].to_array(args.number_rows)?;
        let Some(values) = values.as_string_view_opt() else {
            return exec_err!("mv-expand needs a dynamic value, not {}", values.data_type());
        };
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for value in values {
            let Some(value) = value else {
                lists.append_null();
                continue;
            };
            let items = lists.values();
            match value.trim_start().as_bytes().first() {
                Some(b'[') => {
                    for item in sonic_rs::to_array_iter(value).take(limit) {
                        append(items, item.ok().as_ref());
                    }
                    lists.append(true);
                }
                Some(b'{') => {
                    for entry in sonic_rs::to_object_iter(value).take(limit) {
                        let Ok((name, item)) = entry else { break };
                        let name = serde_json::Value::String(name.to_string());
                        let item = item.as_raw_str();
                        items.append_value(if self.bag_as_array {
                            format!("[{name},{item}]")
                        } else {
                            format!("{{{name}:{item}}}")
                        });
                    }
                    lists.append(true);
                }
                _ => {
                    if limit > 0 {
                        items.append_value(value);
                    }
                    lists.append(true);
                }
            }
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}

fn append(items: &mut StringViewBuilder, item: Option<&LazyValue<'_>>) {
    match item {
        Some(item) if !item.is_null() => items.append_value(item.as_raw_str()),
        _ => items.append_null(),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExpandIndex {
    signature: Signature,
}

impl ScalarUDFImpl for ExpandIndex {
    fn name(&self) -> &str {
        "$expand_index"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new("item", DataType::Int64, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists: Vec<ArrayRef> = args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<_>>()?;
        let mut indexes = ListBuilder::new(Int64Builder::new());
        for row in 0..args.number_rows {
            let mut longest = None;
            for list in &lists {
                if !list.is_null(row) {
                    let length = i64::from(list.as_list::<i32>().value_length(row));
                    longest = Some(longest.unwrap_or(0).max(length));
                }
            }
            match longest {
                Some(length) => {
                    // a null beside an empty array still is one row
                    let length = if length == 0 && lists.iter().any(|list| list.is_null(row)) { 1 } else { length };
                    (0..length).for_each(|index| indexes.values().append_value(index));
                    indexes.append(true);
                }
                None => {
                    indexes.values().append_value(0);
                    indexes.append(true);
                }
            }
        }
        Ok(ColumnarValue::Array(Arc::new(indexes.finish())))
    }
}
