//! Numbered rows and what a store holds of them, for the store's tests.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use watchkeeper_kql::{Column, Type};
use watchkeeper_store::{Append, BatchId, Retention, Store, StoreOptions, TableSchema};

pub const DAY: i64 = 86_400_000_000;
/// 2026-03-01 in microseconds.
pub const START: i64 = 1_772_323_200_000_000;

/// Options without a background task, flushed by the test alone.
pub fn options(dir: &Path) -> StoreOptions {
    StoreOptions { background: None, reserve_bytes: 0, ..StoreOptions::new(dir) }
}

pub fn schema(name: &str) -> TableSchema {
    let columns = [Column::new("n", Type::Long), Column::new("message", Type::String)];
    // the rows' days are fixed, so that today must not matter
    let retention = Retention { interactive_days: 36_500, total_days: 36_500 };
    TableSchema::new(name, columns).unwrap().with_retention(retention)
}

/// Rows with these numbers, at these times.
pub fn rows_at(numbers: &[i64], time: impl Fn(i64) -> i64) -> RecordBatch {
    let times = numbers.iter().map(|n| time(*n)).collect::<Vec<_>>();
    let messages = numbers.iter().map(|n| format!("message number {n} of the test"));
    RecordBatch::try_from_iter([
        ("TimeGenerated", Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")) as ArrayRef),
        ("n", Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef),
        ("message", Arc::new(StringViewArray::from_iter_values(messages)) as ArrayRef),
    ])
    .unwrap()
}

/// Rows with these numbers, over two days.
pub fn rows(numbers: impl IntoIterator<Item = i64>) -> RecordBatch {
    rows_at(&numbers.into_iter().collect::<Vec<_>>(), |n| START + (n % 2) * DAY - n)
}

pub fn append(table: &str, numbers: impl IntoIterator<Item = i64>, id: Option<&str>) -> Append {
    Append { tables: vec![(table.into(), rows(numbers))], batch_id: id.map(|id| BatchId::new("test", id)) }
}

/// The numbers of all rows of a table, sorted: hot ones, and those read from its files.
pub fn numbers(store: &Store, table: &str) -> Vec<i64> {
    let snapshot = store.snapshot(table).unwrap();
    let mut found = Vec::new();
    for batch in &snapshot.hot {
        found.extend_from_slice(batch["n"].as_primitive::<Int64Type>().values());
    }
    for file in snapshot.files.iter() {
        let before = found.len();
        let bytes = bytes::Bytes::from(std::fs::read(&file.path).unwrap());
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let values = batch["n"].as_primitive::<Int64Type>().clone();
            assert_eq!(values.null_count(), 0);
            found.extend_from_slice(values.values());
        }
        assert_eq!((found.len() - before) as u64, file.rows);
    }
    found.sort_unstable();
    found
}
