//! A bound function as DataFusion calls it. Its name, for instance `tostring(datetime)` or
//! `extract(string,long,string):long`, says all that is needed to build it again.

use std::hash::{Hash, Hasher};

use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use watchkeeper_kql::Type;

use super::call::{Body, Call, Function, Nulls};
use super::repeats::{Repeats, repeats};
use super::value::{Builder, Column, Value, arrow_type, coerce};
use crate::functions::convert;

/// A function with the KQL types of its arguments and of its result.
pub struct BoundFunction {
    name: String,
    function: &'static Function,
    arg_types: Vec<Type>,
    natural: Type,
    returns: Type,
    signature: Signature,
}

impl BoundFunction {
    /// `natural` is the function's own result type; a different `returns` adds a conversion.
    pub fn new(function: &'static Function, arg_types: Vec<Type>, natural: Type, returns: Type) -> BoundFunction {
        let volatility = if function.volatile { Volatility::Volatile } else { Volatility::Immutable };
        let arity = match arg_types.len() {
            0 => TypeSignature::Nullary,
            count => TypeSignature::Any(count),
        };
        BoundFunction {
            name: bound_name(function.name, &arg_types, natural, returns),
            function,
            arg_types,
            natural,
            returns,
            signature: Signature::new(arity, volatility),
        }
    }

    fn evaluate(&self, call: &Call<'_>, args: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
        match self.function.body {
            Body::Batch(body) => {
                let result = body(call, args)?;
                if self.natural == self.returns {
                    return Ok(result);
                }
                let column = Column::new(&result, self.natural);
                let mut builder = Builder::new(self.returns, rows);
                for row in 0..rows {
                    builder.push(&convert::to(&column.value(row), self.returns));
                }
                Ok(ColumnarValue::Array(builder.finish()))
            }
            Body::Row(body) => {
                if self.natural == self.returns
                    && let Some(array) = self.function.kernel.and_then(|kernel| kernel(call, args))
                {
                    return Ok(ColumnarValue::Array(array));
                }
                let columns: Vec<Column<'_>> =
                    args.iter().zip(&self.arg_types).map(|(arg, ty)| Column::new(arg, *ty)).collect();
                let mut cells: Vec<Value<'_>> = columns.iter().map(|_| Value::Null).collect();
                let varying: Vec<usize> = (0..columns.len()).filter(|index| !columns[*index].is_constant()).collect();
                for (cell, column) in cells.iter_mut().zip(&columns) {
                    if column.is_constant() {
                        *cell = column.value(0);
                    }
                }
                let repeats = match varying.as_slice() {
                    [only] if !self.function.volatile => match &columns[*only] {
                        Column::Text(texts, _) => repeats(texts),
                        _ => None,
                    },
                    _ => None,
                };
                let propagate = self.function.nulls == Nulls::Propagate;
                let mut builder = Builder::new(self.returns, repeats.as_ref().map_or(rows, |known| known.first.len()));
                let mut push = |row: usize| {
                    for index in &varying {
                        cells[*index] = columns[*index].value(row);
                    }
                    let result =
                        if propagate && cells.iter().any(Value::is_null) { Value::Null } else { body(call, &cells) };
                    if self.natural == self.returns {
                        builder.push(&result);
                    } else {
                        builder.push(&convert::to(&result, self.returns));
                    }
                };
                match repeats {
                    Some(Repeats { first, which }) => {
                        first.iter().for_each(|row| push(*row as usize));
                        Ok(ColumnarValue::Array(take(&builder.finish(), &which, None)?))
                    }
                    None => {
                        (0..rows).for_each(push);
                        Ok(ColumnarValue::Array(builder.finish()))
                    }
                }
            }
        }
    }
}

/// The name of a bound function.
pub fn bound_name(name: &str, arg_types: &[Type], natural: Type, returns: Type) -> String {
    let types: Vec<&str> = arg_types.iter().map(|ty| ty.name()).collect();
    let mut text = format!("{name}({})", types.join(","));
    if natural != returns {
        text.push(':');
        text.push_str(returns.name());
    }
    text
}

impl std::fmt::Debug for BoundFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BoundFunction").field(&self.name).finish()
    }
}

impl PartialEq for BoundFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for BoundFunction {}

impl Hash for BoundFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for BoundFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(arrow_type(self.returns))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.len() != self.arg_types.len() {
            return exec_err!("{} was called with {} arguments", self.name, args.args.len());
        }
        let coerced = args
            .args
            .into_iter()
            .zip(&self.arg_types)
            .map(|(arg, ty)| coerce(arg, *ty))
            .collect::<Result<Vec<ColumnarValue>>>()?;
        let constant = !self.function.volatile && coerced.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let call = Call::new(self.function.name, &self.arg_types, self.natural, rows);
        let result = self.evaluate(&call, &coerced, rows)?;
        match result {
            ColumnarValue::Array(array) if constant && array.len() == 1 => {
                Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&array, 0)?))
            }
            other => Ok(other),
        }
    }
}
