//! Rows that are in the log but not yet in files: Arrow batches in memory, oldest first. Appending and taking a
//! snapshot copy no rows; runs of small batches are joined, so that neither grows with the number of appends.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringViewArray, TimestampMicrosecondArray, new_null_array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use watchkeeper_kql::Column;

use crate::error::AppendError;
use crate::limits::{SMALL_BATCH_ROWS, SMALL_BATCH_RUN};
use crate::schema::TIME_GENERATED;
use crate::wal::segment::Lsn;

/// Rows with the position of the last append among them.
#[derive(Debug, Clone)]
pub(crate) struct HotBatch {
    pub last: Lsn,
    pub rows: RecordBatch,
    /// What the rows count for against the limit of unflushed bytes.
    pub bytes: u64,
}

/// A table's hot rows.
#[derive(Debug, Default)]
pub(crate) struct HotRows {
    batches: Vec<HotBatch>,
    /// Small batches at the end of the list.
    run: usize,
}

impl HotRows {
    pub fn batches(&self) -> &[HotBatch] {
        &self.batches
    }

    pub fn bytes(&self) -> u64 {
        self.batches.iter().map(|batch| batch.bytes).sum()
    }

    /// Appends durable rows; log positions only grow.
    pub fn push(&mut self, batch: HotBatch) {
        self.run = if batch.rows.num_rows() < SMALL_BATCH_ROWS { self.run + 1 } else { 0 };
        self.batches.push(batch);
        if self.run == SMALL_BATCH_RUN {
            self.join_run();
        }
    }

    fn join_run(&mut self) {
        let from = self.batches.len() - self.run;
        let schema = self.batches[from].rows.schema();
        let joined = concat_batches(&schema, self.batches[from..].iter().map(|batch| &batch.rows));
        self.run = 0;
        // batches of one table have one schema (see `pad`), so this cannot fail; if it did, they stay apart
        if let Ok(rows) = joined {
            let bytes = self.batches[from..].iter().map(|batch| batch.bytes).sum();
            let last = self.batches.last().map_or(0, |batch| batch.last);
            self.run = usize::from(rows.num_rows() < SMALL_BATCH_ROWS);
            self.batches.truncate(from);
            self.batches.push(HotBatch { last, rows, bytes });
        }
    }

    /// Forgets rows up to a log position, which a flush has put into files; returns their bytes.
    pub fn forget(&mut self, up_to: Lsn) -> u64 {
        let before = self.bytes();
        self.batches.retain(|batch| batch.last > up_to);
        self.run = self.run.min(self.batches.len());
        before - self.bytes()
    }

    /// Ends a run, so that no join crosses the position up to which a flush takes rows.
    pub fn seal(&mut self) {
        self.run = 0;
    }

    /// Gives every batch the columns that were added to the table since.
    pub fn pad(&mut self, schema: &SchemaRef) -> Result<(), ArrowError> {
        for batch in &mut self.batches {
            batch.rows = pad(&batch.rows, schema)?;
        }
        Ok(())
    }
}

/// A batch with the columns that the schema has more, empty. The schema begins with the batch's columns.
pub(crate) fn pad(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if rows.num_columns() == schema.fields().len() {
        return Ok(rows.clone());
    }
    let mut columns = rows.columns().to_vec();
    for field in &schema.fields()[columns.len()..] {
        columns.push(empty_column(field.data_type(), rows.num_rows()));
    }
    RecordBatch::try_new(schema.clone(), columns)
}

/// The values of a column that an append does not have: null, or "" for texts.
fn empty_column(ty: &DataType, rows: usize) -> ArrayRef {
    match ty {
        DataType::Utf8View => text_column("", rows),
        other => new_null_array(other, rows),
    }
}

/// The same text in every row, held once.
fn text_column(text: &str, rows: usize) -> ArrayRef {
    let one = StringViewArray::from_iter_values([text]);
    let views = ScalarBuffer::from(vec![one.views()[0]; rows]);
    Arc::new(StringViewArray::new(views, one.data_buffers().to_vec(), None))
}

/// Values that the store itself gives to rows that come without them.
pub(crate) struct Defaults<'a> {
    pub table: &'a str,
    pub tenant: &'a str,
    /// Microseconds since the Unix epoch.
    pub now: i64,
}

/// Brings an append's rows to the table's columns: matched by name, missing ones filled. `TimeGenerated` is never
/// null afterwards. No per-row work unless something is missing.
pub(crate) fn conform(
    rows: &RecordBatch,
    columns: &[Column],
    schema: &SchemaRef,
    defaults: &Defaults<'_>,
) -> Result<RecordBatch, AppendError> {
    let given = rows.schema();
    let unknown = given.fields().iter().find(|field| schema.index_of(field.name()).is_err());
    if let Some(field) = unknown {
        return Err(AppendError::UnknownColumn { table: defaults.table.into(), column: field.name().clone() });
    }
    let refuse = |reason: String| AppendError::Schema { table: defaults.table.into(), reason };
    let count = rows.num_rows();
    let mut conformed = Vec::with_capacity(columns.len());
    for (column, field) in columns.iter().zip(schema.fields()) {
        let Some(array) = rows.column_by_name(&column.name) else {
            conformed.push(match column.name.as_str() {
                TIME_GENERATED | "_IngestionTime" => time_column(defaults.now, count),
                "Type" => text_column(defaults.table, count),
                "TenantId" => text_column(defaults.tenant, count),
                _ => empty_column(field.data_type(), count),
            });
            continue;
        };
        if array.data_type() != field.data_type() {
            return Err(refuse(format!(
                "column {} is stored as {}, and the rows have {}",
                column.name,
                field.data_type(),
                array.data_type()
            )));
        }
        if column.name == TIME_GENERATED && array.null_count() > 0 {
            conformed.push(fill_times(array, defaults.now));
        } else if column.ty == watchkeeper_kql::Type::String && array.null_count() > 0 {
            conformed.push(fill_texts(array));
        } else {
            conformed.push(array.clone());
        }
    }
    RecordBatch::try_new(schema.clone(), conformed).map_err(|error| refuse(error.to_string()))
}

fn time_column(now: i64, rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(vec![now; rows]).with_timezone("UTC"))
}

fn fill_times(array: &ArrayRef, now: i64) -> ArrayRef {
    use arrow::array::AsArray;
    let times = array.as_primitive::<TimestampMicrosecondType>();
    let filled: Vec<i64> = times.iter().map(|time| time.unwrap_or(now)).collect();
    Arc::new(TimestampMicrosecondArray::from(filled).with_timezone("UTC"))
}

fn fill_texts(array: &ArrayRef) -> ArrayRef {
    use arrow::array::AsArray;
    let texts = array.as_string_view();
    Arc::new(StringViewArray::from_iter_values(texts.iter().map(Option::unwrap_or_default)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{TableSchema, arrow_schema};
    use arrow::array::{AsArray, Int64Array};
    use watchkeeper_kql::Type;

    fn table() -> (TableSchema, SchemaRef) {
        let schema = TableSchema::new("T", [Column::new("n", Type::Long), Column::new("s", Type::String)]).unwrap();
        let arrow = arrow_schema(&schema);
        (schema, arrow)
    }

    fn rows(values: &[i64]) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(values.to_vec())) as ArrayRef)]).unwrap()
    }

    fn conformed(rows: &RecordBatch) -> Result<RecordBatch, AppendError> {
        let (schema, arrow) = table();
        let tenant = "6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d";
        conform(rows, &schema.columns, &arrow, &Defaults { table: "T", tenant, now: 7 })
    }

    #[test]
    fn missing_columns_are_filled() {
        let batch = conformed(&rows(&[1, 2])).unwrap();
        assert_eq!(batch.column(0).as_primitive::<TimestampMicrosecondType>().values(), &[7, 7]);
        assert_eq!(batch["Type"].as_string_view().value(1), "T");
        assert_eq!(batch["TenantId"].as_string_view().value(1), "6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d");
        assert_eq!(batch["s"].as_string_view().value(0), "");
        assert_eq!(batch["s"].null_count(), 0);
        let texts = StringViewArray::from(vec![None, Some("x")]);
        let batch = conformed(&RecordBatch::try_from_iter([("s", Arc::new(texts) as ArrayRef)]).unwrap()).unwrap();
        assert_eq!((batch["s"].null_count(), batch["n"].null_count()), (0, 2));
    }

    #[test]
    fn unknown_columns_and_wrong_types_are_refused() {
        let other = RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
        assert!(matches!(conformed(&other), Err(AppendError::UnknownColumn { column, .. }) if column == "x"));
        let other = RecordBatch::try_from_iter([("s", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
        assert!(conformed(&other).unwrap_err().to_string().contains("stored as Utf8View"));
    }

    #[test]
    fn small_batches_are_joined_in_order_and_forgotten_by_position() {
        let mut hot = HotRows::default();
        for lsn in 1..=200 {
            hot.push(HotBatch { last: lsn, rows: conformed(&rows(&[lsn as i64])).unwrap(), bytes: 10 });
        }
        assert!(hot.batches().len() < 2 * SMALL_BATCH_RUN, "{}", hot.batches().len());
        let all = |hot: &HotRows| -> Vec<i64> {
            let values = hot
                .batches()
                .iter()
                .map(|batch| batch.rows["n"].as_primitive::<arrow::datatypes::Int64Type>().values().to_vec());
            values.flatten().collect()
        };
        assert_eq!(all(&hot), (1..=200).collect::<Vec<_>>());
        hot.seal();
        hot.push(HotBatch { last: 201, rows: conformed(&rows(&[201])).unwrap(), bytes: 10 });
        assert_eq!(hot.forget(200), 2000);
        assert_eq!((all(&hot), hot.bytes()), (vec![201], 10));
    }
}
