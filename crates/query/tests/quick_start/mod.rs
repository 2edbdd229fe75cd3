use std::sync::Arc;

use watchkeeper_query::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use watchkeeper_query::arrow::datatypes::Int64Type;
use watchkeeper_query::local::record_batches;
use watchkeeper_query::{Local, LocalTables, QueryError};

#[tokio::main]
pub async fn main() -> Result<(), QueryError> {
    let level: ArrayRef = Arc::new(StringArray::from(vec!["info", "error", "error"]));
    let ms: ArrayRef = Arc::new(Int64Array::from(vec![3, 70, 40]));
    let batch = RecordBatch::try_from_iter([("level", level), ("ms", ms)]).expect("columns of one length");

    // files as well: tables.add_path("old", "logs/2026-*.parquet").await?
    let mut tables = LocalTables::default();
    tables.add("logs", batch.schema(), &[batch])?;

    let local = Local::new(tables);
    let answer = local.run("logs | where level == 'error' | summarize slowest = max(ms), count()").await?;
    let rows = record_batches(&answer.tables[0])?;
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 70);
    assert_eq!(rows[0].column(1).as_primitive::<Int64Type>().value(0), 2);
    println!("read {} rows in {:?}", answer.statistics.rows_scanned, answer.statistics.elapsed);
    Ok(())
}
