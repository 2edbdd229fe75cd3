//! `in`, `in~`, `has_any`, `has_all`: the items are arguments or the items of dynamic arrays among them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use watchkeeper_kql::Type;
use watchkeeper_kql::typed::operators;

use super::compare::{compare, same_ignoring_case};
use super::needle::{Needle, Place};
use super::search::test_rows;
use crate::functions::convert::print;
use crate::functions::frame::value::{Builder, Column, Value};
use crate::functions::frame::{Call, Function, Returns, json};

pub const FUNCTIONS: &[Function] = &[
    Function::batch(operators::IN, 1, usize::MAX, Returns::Always(Type::Bool), is_in),
    Function::batch(operators::IN_CI, 1, usize::MAX, Returns::Always(Type::Bool), is_in_ignoring_case),
    Function::batch(operators::HAS_ANY, 1, usize::MAX, Returns::Always(Type::Bool), |call, args| {
        has_items(call, args, false)
    }),
    Function::batch(operators::HAS_ALL, 1, usize::MAX, Returns::Always(Type::Bool), |call, args| {
        has_items(call, args, true)
    }),
];

/// The items of one row, with arrays taken apart.
pub fn expand(values: impl Iterator<Item = Value<'static>>) -> Vec<Value<'static>> {
    let mut items = Vec::new();
    for value in values {
        match json::array_of(&value) {
            Some(inner) => items.extend(inner.iter().map(Value::json)),
            None => items.push(value),
        }
    }
    items
}

fn columns<'a>(call: &Call<'_>, args: &'a [ColumnarValue]) -> Vec<Column<'a>> {
    args.iter().zip(call.arg_types).map(|(arg, ty)| Column::new(arg, *ty)).collect()
}

/// The items where they are the same for all rows.
fn constant_items(columns: &[Column<'_>]) -> Option<Vec<Value<'static>>> {
    columns.iter().all(Column::is_constant).then(|| expand(columns.iter().map(|column| column.value(0).into_owned())))
}

fn is_in(call: &Call<'_>, args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let columns = columns(call, args);
    let constant = constant_items(&columns[1..]);
    match (&constant, call.arg_types[0], &args[0]) {
        (Some(items), Type::String | Type::Guid, _) => {
            let texts: HashSet<String> = items.iter().map(|item| print::text_of(item).into_owned()).collect();
            return Ok(test_rows(call, &args[0], call.arg_types[0], |text| texts.contains(text)));
        }
        (Some(items), Type::Long, ColumnarValue::Array(array))
            if array.null_count() == 0 && items.iter().all(|item| matches!(item, Value::Long(_) | Value::Int(_))) =>
        {
            let numbers: HashSet<i64> = items.iter().filter_map(Value::as_i64).collect();
            let array = array.as_primitive::<Int64Type>();
            let values = BooleanBuffer::collect_bool(array.len(), |row| numbers.contains(&array.value(row)));
            return Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(values, None))));
        }
        _ => {}
    }
    let mut builder = Builder::new(Type::Bool, call.rows);
    for row in 0..call.rows {
        let value = columns[0].value(row);
        let of_row = if constant.is_none() {
            expand(columns[1..].iter().map(|column| column.value(row).into_owned()))
        } else {
            Vec::new()
        };
        let items = constant.as_ref().unwrap_or(&of_row);
        builder
            .push(&Value::Bool(items.iter().any(|item| compare(&value, item).is_some_and(std::cmp::Ordering::is_eq))));
    }
    Ok(ColumnarValue::Array(builder.finish()))
}

fn is_in_ignoring_case(call: &Call<'_>, args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let columns = columns(call, args);
    if let Some(items) = constant_items(&columns[1..]) {
        let texts: Vec<String> = items.iter().map(|item| print::text_of(item).into_owned()).collect();
        let lowered: HashSet<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        // few items are compared one by one, many looked up
        return Ok(test_rows(call, &args[0], call.arg_types[0], |text| {
            if texts.len() <= 8 {
                texts.iter().any(|item| same_ignoring_case(item, text))
            } else {
                lowered.contains(&text.to_lowercase())
            }
        }));
    }
    let mut builder = Builder::new(Type::Bool, call.rows);
    for row in 0..call.rows {
        let value = columns[0].value(row);
        let text = print::text_of(&value);
        let items = expand(columns[1..].iter().map(|column| column.value(row).into_owned()));
        builder.push(&Value::Bool(items.iter().any(|item| same_ignoring_case(&print::text_of(item), &text))));
    }
    Ok(ColumnarValue::Array(builder.finish()))
}

fn needles(items: &[Value<'static>]) -> Vec<Needle> {
    items.iter().map(|item| Needle::new(&print::text_of(item), Place::Term, false)).collect()
}

fn has_items(call: &Call<'_>, args: &[ColumnarValue], all: bool) -> Result<ColumnarValue> {
    let columns = columns(call, args);
    let holds = |needles: &[Needle], text: &str| {
        if all {
            needles.iter().all(|needle| needle.is_in(text))
        } else {
            needles.iter().any(|needle| needle.is_in(text))
        }
    };
    if let Some(items) = constant_items(&columns[1..]) {
        let needles = needles(&items);
        return Ok(test_rows(call, &args[0], call.arg_types[0], |text| holds(&needles, text)));
    }
    let mut builder = Builder::new(Type::Bool, call.rows);
    for row in 0..call.rows {
        let value = columns[0].value(row);
        let needles = needles(&expand(columns[1..].iter().map(|column| column.value(row).into_owned())));
        builder.push(&Value::Bool(holds(&needles, &print::text_of(&value))));
    }
    Ok(ColumnarValue::Array(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn items_are_arguments_or_arrays() {
        let (yes, no) = (Value::Bool(true), Value::Bool(false));
        check(
            "__in",
            &[
                (vec![string("b"), string("a"), string("b")], yes.clone()),
                (vec![string("B"), dynamic("[\"a\",\"b\"]")], no.clone()),
                (vec![Value::Long(2), dynamic("[1,2]")], yes.clone()),
                (vec![Value::Long(2), Value::Long(2)], yes.clone()),
                (vec![Value::Real(2.5), Value::Long(2)], no.clone()),
            ],
        );
        check("__in_ci", &[(vec![string("B"), dynamic("[\"a\",\"b\"]")], yes.clone())]);
        check(
            "__has_any",
            &[
                (vec![string("a quick fox"), dynamic("[\"x\",\"FOX\"]")], yes.clone()),
                (vec![string("a quick fox"), string("ox")], no.clone()),
            ],
        );
        check(
            "__has_all",
            &[
                (vec![string("a quick fox"), string("a"), string("FOX")], yes),
                (vec![string("a quick fox"), string("a"), string("cow")], no),
            ],
        );
    }
}
