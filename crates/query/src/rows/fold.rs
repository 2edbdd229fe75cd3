//! An aggregate over a list that was gathered in order: list of structs of the aggregate's arguments → its result.
//! DataFusion keeps the order of `array_agg` through partitions and merges, which it does not for other aggregates.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The function that folds lists with `aggregate`, one of the language's own.
pub fn fold(aggregate: Arc<AggregateUDF>) -> ScalarUDF {
    let name = format!("$fold {}", aggregate.name());
    ScalarUDF::from(Fold { name, aggregate, signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Fold {
    name: String,
    aggregate: Arc<AggregateUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for Fold {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        self.aggregate.return_type(&[])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = args.args[0].to_array(args.number_rows)?;
        let Some(lists) = lists.as_list_opt::<i32>() else {
            return exec_err!("only a list can be folded, not {}", lists.data_type());
        };
        let returned = self.aggregate.return_type(&[])?;
        let schema = Schema::empty();
        let return_field = Arc::new(Field::new("folded", returned.clone(), true));
        let mut values = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let mut accumulator = self.aggregate.accumulator(AccumulatorArgs {
                return_field: Arc::clone(&return_field),
                schema: &schema,
                ignore_nulls: false,
                order_bys: &[],
                is_reversed: false,
                name: "folded",
                is_distinct: false,
                exprs: &[],
                expr_fields: &[],
            })?;
            if lists.is_valid(row) {
                let items: ArrayRef = lists.value(row);
                accumulator.update_batch(items.as_struct().columns())?;
            }
            values.push(accumulator.evaluate()?);
        }
        Ok(ColumnarValue::Array(crate::whole::from_scalars(values, &returned)?))
    }
}
