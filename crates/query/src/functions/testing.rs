//! Table-driven checks of scalar functions: each case runs once with constants and once with columns.

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use watchkeeper_kql::Type;

use super::frame::value::{Builder, Column, Value, arrow_type};

/// Arguments and the expected result.
pub type Case = (Vec<Value<'static>>, Value<'static>);

pub fn string(text: &str) -> Value<'static> {
    Value::String(text.to_owned().into())
}

pub fn dynamic(json: &str) -> Value<'static> {
    Value::dynamic(json.to_owned())
}

pub fn type_of(value: &Value<'_>) -> Type {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Long(_) => Type::Long,
        Value::Real(_) => Type::Real,
        Value::Decimal(_) => Type::Decimal,
        Value::Datetime(_) => Type::Datetime,
        Value::Timespan(_) => Type::Timespan,
        Value::String(_) => Type::String,
        Value::Guid(_) => Type::Guid,
        Value::Dynamic(_) | Value::Null => Type::Dynamic,
    }
}

/// Checks cases whose argument types follow from the values (null counts as dynamic).
pub fn check(name: &str, cases: &[Case]) {
    for (args, want) in cases {
        let types: Vec<Type> = args.iter().map(type_of).collect();
        check_typed(name, &types, std::slice::from_ref(&(args.clone(), want.clone())));
    }
}

/// Checks cases with given argument types.
pub fn check_typed(name: &str, types: &[Type], cases: &[Case]) {
    for (args, want) in cases {
        for constant in [true, false] {
            let got = run(name, types, args, constant);
            assert!(
                same(&got, want),
                "{name}{types:?} of {args:?} (constant: {constant})\n  got  {got:?}\n  want {want:?}"
            );
        }
    }
}

fn same(got: &Value<'_>, want: &Value<'_>) -> bool {
    match (got, want) {
        (Value::Real(got), Value::Real(want)) => {
            got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= 1e-9 * want.abs().max(1e-300)
        }
        _ => got == want,
    }
}

/// Evaluates one row, with constants or with columns of two equal rows.
pub fn run(name: &str, types: &[Type], args: &[Value<'static>], constant: bool) -> Value<'static> {
    let udf = super::bind(name, types).unwrap();
    let returns = super::return_type(name, types).unwrap();
    let rows = if constant { 1 } else { 2 };
    let args: Vec<ColumnarValue> = args
        .iter()
        .zip(types)
        .map(|(value, ty)| {
            if constant {
                return ColumnarValue::Scalar(value.to_scalar(*ty));
            }
            let mut builder = Builder::new(*ty, rows);
            builder.push(value);
            builder.push(value);
            ColumnarValue::Array(builder.finish())
        })
        .collect();
    let arg_fields = types.iter().map(|ty| Arc::new(Field::new("a", arrow_type(*ty), true))).collect();
    let result = udf
        .invoke_with_args(ScalarFunctionArgs {
            args,
            arg_fields,
            number_rows: rows,
            return_field: Arc::new(Field::new("r", arrow_type(returns), true)),
            config_options: Arc::new(ConfigOptions::default()),
        })
        .unwrap();
    let array = result.to_array(rows).unwrap();
    assert_eq!(array.len(), rows, "{name} gave another number of rows");
    assert_eq!(array.data_type(), &arrow_type(returns), "{name} gave another type");
    Column::from_array(&array, returns).value(rows - 1).into_owned()
}
