//! Batches in memory as a table, and results back in the stored form: how rows are transformed on their way in.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, SchemaRef, TimestampMicrosecondType};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Schema, Ticks, Type};

use crate::error::QueryError;
use crate::runtime::arrow_schema;
use crate::tables::Tables;

/// One table in memory; queries over it see nothing else.
#[derive(Debug)]
pub struct MemoryTable {
    name: String,
    schema: Schema,
    runtime: SchemaRef,
    batch: RecordBatch,
}

impl MemoryTable {
    /// From columns in the stored form, in the order of the schema.
    ///
    /// # Errors
    /// When a column has not the stored form of its type, or not the length of the others.
    pub fn new(name: impl Into<String>, schema: Schema, columns: &[ArrayRef]) -> Result<MemoryTable, QueryError> {
        let runtime = arrow_schema(&schema);
        let columns = schema.columns.iter().zip(columns).map(|(column, array)| to_runtime(array, column.ty)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&runtime), columns)
            .map_err(|error| QueryError::execution(error.to_string()))?;
        Ok(MemoryTable { name: name.into(), schema, runtime, batch })
    }
}

impl Tables for MemoryTable {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn schema(&self, source: &TableSource, name: &str) -> Option<Schema> {
        (*source == TableSource::Local && name == self.name).then(|| self.schema.clone())
    }

    fn provider(&self, source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        if *source != TableSource::Local || name != self.name {
            return Err(QueryError::execution(format!("only the table {} can be read here", self.name)));
        }
        let table = MemTable::try_new(Arc::clone(&self.runtime), vec![vec![self.batch.clone()]])?;
        Ok(Arc::new(table))
    }
}

/// A column in the form that queries compute with.
fn to_runtime(array: &ArrayRef, ty: Type) -> ArrayRef {
    match (ty, array.as_primitive_opt::<TimestampMicrosecondType>()) {
        (Type::Datetime, Some(times)) => {
            let ticks: Int64Array = times.unary(|micros| Ticks::from_unix_micros(micros).0);
            Arc::new(ticks)
        }
        _ => Arc::clone(array),
    }
}

/// A column of a result in the form that tables are stored in.
pub fn to_stored(array: &ArrayRef, ty: Type) -> ArrayRef {
    match (ty, array.as_primitive_opt::<Int64Type>()) {
        (Type::Datetime, Some(ticks)) => {
            let micros: TimestampMicrosecondArray = ticks.unary(|ticks| Ticks(ticks).to_unix_micros());
            Arc::new(micros.with_timezone("UTC"))
        }
        _ => Arc::clone(array),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;
    use watchkeeper_kql::Column;

    use super::*;

    #[test]
    fn datetimes_keep_their_instant_there_and_back() {
        let schema = Schema::new(vec![Column::new("t", Type::Datetime), Column::new("n", Type::Long)]);
        let times: ArrayRef =
            Arc::new(TimestampMicrosecondArray::from(vec![Some(0), Some(-1), None]).with_timezone("UTC"));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let table = MemoryTable::new("source", schema, &[Arc::clone(&times), Arc::clone(&numbers)]).unwrap();
        let ticks = table.batch.column(0).as_primitive::<Int64Type>();
        assert_eq!((ticks.value(0), ticks.value(1)), (Ticks::UNIX_EPOCH.0, Ticks::UNIX_EPOCH.0 - 10));
        assert!(ticks.is_null(2));
        assert_eq!(&to_stored(table.batch.column(0), Type::Datetime), &times);
        assert_eq!(&to_stored(table.batch.column(1), Type::Long), &numbers);
        assert!(table.schema(&TableSource::Workspace("x".into()), "source").is_none());
    }
}
