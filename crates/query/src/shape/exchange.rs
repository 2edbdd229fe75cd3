//! Results as record batches that other programs understand: times are timestamps, text is what every reader of Arrow
//! computes with. Each field says its type of the language in the metadata `kql.type`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, DurationMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema as ArrowSchema, SchemaRef, TimeUnit};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use watchkeeper_kql::{Column, Schema, Ticks, Type};
use watchkeeper_store::KQL_TYPE;

use crate::engine::ResultTable;
use crate::error::QueryError;
use crate::runtime::arrow_type;
use crate::scan::memory::to_stored;

/// The Arrow schema of a result, as [`record_batches`] gives it.
#[must_use]
pub fn exchange_schema(schema: &Schema) -> SchemaRef {
    let field = |column: &Column| {
        let metadata = [(KQL_TYPE.to_owned(), column.ty.name().to_owned())];
        Field::new(&column.name, exchange_type(column.ty), true).with_metadata(metadata.into())
    };
    Arc::new(ArrowSchema::new(schema.columns.iter().map(field).collect::<Vec<_>>()))
}

/// The rows of a result: datetimes as timestamps and timespans as durations (microseconds, rounded down), strings and
/// guids as text, dynamic values as the text of their JSON.
///
/// # Errors
/// When a column of the result is not what its schema says, which would be a mistake of the engine.
pub fn record_batches(table: &ResultTable) -> Result<Vec<RecordBatch>, QueryError> {
    let schema = exchange_schema(&table.schema);
    let exchanged = |batch: &RecordBatch| -> Result<RecordBatch, arrow::error::ArrowError> {
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (column, array) in table.schema.columns.iter().zip(batch.columns()) {
            columns.push(exchange_form(array, column.ty)?);
        }
        // a result may have rows and no columns
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)
    };
    let batches: Result<Vec<RecordBatch>, _> = table.batches.iter().map(exchanged).collect();
    batches.map_err(|error| QueryError::execution(error.to_string()))
}

fn exchange_type(ty: Type) -> DataType {
    match ty {
        Type::Datetime => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::Timespan => DataType::Duration(TimeUnit::Microsecond),
        // views cannot be sorted or grouped by every program that reads them
        Type::String | Type::Guid | Type::Dynamic => DataType::LargeUtf8,
        Type::Bool | Type::Int | Type::Long | Type::Real | Type::Decimal => arrow_type(ty),
    }
}

fn exchange_form(array: &ArrayRef, ty: Type) -> Result<ArrayRef, arrow::error::ArrowError> {
    Ok(match (ty, array.as_primitive_opt::<Int64Type>()) {
        (Type::Timespan, Some(ticks)) => {
            let micros: DurationMicrosecondArray = ticks.unary(|ticks| ticks.div_euclid(Ticks::PER_MICROSECOND));
            Arc::new(micros)
        }
        (Type::String | Type::Guid | Type::Dynamic, _) => cast(array, &DataType::LargeUtf8)?,
        _ => to_stored(array, ty),
    })
}
