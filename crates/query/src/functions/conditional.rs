//! Choosing among values, tests for null and empty, logic, `max_of` and `min_of`.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use watchkeeper_kql::Type;
use watchkeeper_kql::typed::operators;

use super::frame::value::{Builder, Column, Value};
use super::frame::{Call, Function, Returns};
use super::operators::arithmetic::wider;
use super::operators::compare::compare;

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls("iff", 3, 3, Returns::From(|types| common(&types[1..])), |_, args| {
        if args[0].as_bool() == Some(true) { args[1].clone() } else { args[2].clone() }
    }),
    Function::row_with_nulls("case", 3, usize::MAX, Returns::From(case_type), case),
    Function::row_with_nulls("coalesce", 1, usize::MAX, Returns::From(common), |_, args| {
        args.iter()
            .find(|value| !value.is_null() && !matches!(value, Value::String(text) if text.is_empty()))
            .cloned()
            .unwrap_or(Value::Null)
    }),
    Function::row_with_nulls("max_of", 1, usize::MAX, Returns::From(common), |_, args| {
        extreme(args, Ordering::Greater)
    }),
    Function::row_with_nulls("min_of", 1, usize::MAX, Returns::From(common), |_, args| extreme(args, Ordering::Less)),
    Function::batch("isnull", 1, 1, Returns::Always(Type::Bool), |call, args| nulls(call, args, true)),
    Function::batch("isnotnull", 1, 1, Returns::Always(Type::Bool), |call, args| nulls(call, args, false)),
    Function::batch("isempty", 1, 1, Returns::Always(Type::Bool), |call, args| emptiness(call, args, true)),
    Function::batch("isnotempty", 1, 1, Returns::Always(Type::Bool), |call, args| emptiness(call, args, false)),
    Function::row("not", 1, 1, Returns::Always(Type::Bool), |_, args| {
        Value::from_option(args[0].as_bool(), |value| Value::Bool(!value))
    }),
    Function::row_with_nulls(operators::AND, 2, 2, Returns::Always(Type::Bool), |_, args| logic(args, false)),
    Function::row_with_nulls(operators::OR, 2, 2, Returns::Always(Type::Bool), |_, args| logic(args, true)),
    Function::batch("assert", 2, 2, Returns::Always(Type::Bool), assert),
];

/// The one type of several values: the widest number, or dynamic where they differ.
pub fn common(types: &[Type]) -> Option<Type> {
    let mut result = *types.first()?;
    for ty in &types[1..] {
        if *ty == result {
            continue;
        }
        result = match wider(result, *ty) {
            Some(wide) if result != Type::Dynamic && *ty != Type::Dynamic => wide,
            _ => Type::Dynamic,
        };
    }
    Some(result)
}

fn case_type(types: &[Type]) -> Option<Type> {
    if types.len().is_multiple_of(2) {
        return None;
    }
    let mut values: Vec<Type> = types[..types.len() - 1].iter().skip(1).step_by(2).copied().collect();
    values.push(*types.last()?);
    common(&values)
}

fn case<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    for pair in args.chunks(2) {
        match pair {
            [condition, value] if condition.as_bool() == Some(true) => return value.clone(),
            [otherwise] => return otherwise.clone(),
            _ => {}
        }
    }
    Value::Null
}

fn extreme<'a>(args: &[Value<'a>], wanted: Ordering) -> Value<'a> {
    let mut best = &Value::Null;
    for value in args {
        if best.is_null() || compare(value, best) == Some(wanted) {
            best = value;
        }
    }
    best.clone()
}

fn logic<'a>(args: &[Value<'a>], decisive: bool) -> Value<'a> {
    match (args[0].as_bool(), args[1].as_bool()) {
        (Some(left), _) if left == decisive => Value::Bool(decisive),
        (_, Some(right)) if right == decisive => Value::Bool(decisive),
        (Some(_), Some(_)) => Value::Bool(!decisive),
        _ => Value::Null,
    }
}

fn test(call: &Call<'_>, args: &[ColumnarValue], accept: impl Fn(&Value<'_>) -> bool) -> ColumnarValue {
    let column = Column::new(&args[0], call.arg_types[0]);
    let values = BooleanBuffer::collect_bool(call.rows, |row| accept(&column.value(row)));
    ColumnarValue::Array(Arc::new(BooleanArray::new(values, None)))
}

fn nulls(call: &Call<'_>, args: &[ColumnarValue], wanted: bool) -> Result<ColumnarValue> {
    Ok(test(call, args, |value| value.is_null() == wanted))
}

fn emptiness(call: &Call<'_>, args: &[ColumnarValue], wanted: bool) -> Result<ColumnarValue> {
    if let (ColumnarValue::Array(array), Type::String) = (&args[0], call.arg_types[0]) {
        let array = array.as_string_view();
        let views = array.views();
        // the low half of a view is its length
        let values =
            BooleanBuffer::collect_bool(array.len(), |row| (array.is_null(row) || views[row] as u32 == 0) == wanted);
        return Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(values, None))));
    }
    Ok(test(call, args, |value| {
        (value.is_null()
            || matches!(value, Value::Dynamic(text) if text == "\"\"")
            || matches!(value, Value::String(text) if text.is_empty()))
            == wanted
    }))
}

fn assert(call: &Call<'_>, args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let (conditions, messages) = (Column::new(&args[0], call.arg_types[0]), Column::new(&args[1], call.arg_types[1]));
    let mut builder = Builder::new(Type::Bool, call.rows);
    for row in 0..call.rows {
        if conditions.value(row).as_bool() != Some(true) {
            return datafusion::common::exec_err!("assert: {}", messages.value(row).text());
        }
        builder.push(&Value::Bool(true));
    }
    Ok(ColumnarValue::Array(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, check_typed, dynamic, string};

    #[test]
    fn a_null_condition_takes_the_other_value() {
        check_typed(
            "iff",
            &[Type::Bool, Type::Long, Type::Long],
            &[
                (vec![Value::Null, Value::Long(1), Value::Long(2)], Value::Long(2)),
                (vec![Value::Bool(true), Value::Long(1), Value::Long(2)], Value::Long(1)),
            ],
        );
        check(
            "case",
            &[(vec![Value::Bool(false), string("a"), Value::Bool(true), string("b"), string("c")], string("b"))],
        );
    }

    #[test]
    fn empty_and_null_are_told_apart() {
        check(
            "isempty",
            &[(vec![string("")], Value::Bool(true)), (vec![string("a longer text than a view")], Value::Bool(false))],
        );
        check("isnull", &[(vec![string("")], Value::Bool(false)), (vec![Value::Null], Value::Bool(true))]);
        check("isnotempty", &[(vec![dynamic("\"\"")], Value::Bool(false)), (vec![dynamic("[]")], Value::Bool(true))]);
        check_typed(
            "isempty",
            &[Type::Long],
            &[(vec![Value::Null], Value::Bool(true)), (vec![Value::Long(0)], Value::Bool(false))],
        );
    }

    #[test]
    fn extremes_pass_over_nulls_and_coalesce_over_empty_text() {
        check_typed(
            "max_of",
            &[Type::Int, Type::Int],
            &[(vec![Value::Null, Value::Int(2)], Value::Int(2)), (vec![Value::Null, Value::Null], Value::Null)],
        );
        check("min_of", &[(vec![Value::Long(10), Value::Long(-3), Value::Long(17)], Value::Long(-3))]);
        check("coalesce", &[(vec![string(""), string("b")], string("b"))]);
    }

    #[test]
    fn logic_has_three_values() {
        check_typed(
            "__and",
            &[Type::Bool, Type::Bool],
            &[
                (vec![Value::Null, Value::Bool(false)], Value::Bool(false)),
                (vec![Value::Null, Value::Bool(true)], Value::Null),
            ],
        );
        check_typed("__or", &[Type::Bool, Type::Bool], &[(vec![Value::Null, Value::Bool(true)], Value::Bool(true))]);
    }
}
