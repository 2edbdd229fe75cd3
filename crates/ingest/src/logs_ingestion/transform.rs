//! Transformations of a data collection rule: a query whose only table is `source`, the records of one request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat, Utc};
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::{Column, Schema, Ticks, Type};
use watchkeeper_query::scan::memory::to_stored;
use watchkeeper_query::{Engine, MemoryTable, QueryError, Request};

use crate::error::IngestError;
use crate::rows::value::Value;
use crate::rows::{RowsBuilder, Slot};

/// How long a transformation may run.
const DEADLINE: Duration = Duration::from_secs(20);
/// Bytes of the rows that one request may become.
const OUTPUT_BYTES: usize = 64 << 20;
/// Rows that one request may become.
const OUTPUT_ROWS: usize = 500_000;

/// Rows after a transformation, in the stored form.
pub struct Output {
    columns: Vec<Column>,
    batches: Vec<Vec<ArrayRef>>,
}

/// Runs a transformation.
pub async fn run(engine: &Engine, text: &str, columns: &[Column], source: &RecordBatch) -> Result<Output, QueryError> {
    let input = Output::untouched(columns, source);
    let arrays = input.batches.into_iter().next().unwrap_or_default();
    let table = MemoryTable::new("source", Schema::new(columns.to_vec()), &arrays)?;
    let request = Request {
        timespan: None,
        parameters: BTreeMap::new(),
        now: Ticks::from_unix_micros(Utc::now().timestamp_micros()),
        deadline: DEADLINE,
        max_rows: OUTPUT_ROWS,
        max_bytes: OUTPUT_BYTES,
        cancel: CancellationToken::new(),
        plan: false,
    };
    let response = engine.run(text, Arc::new(table), request).await?;
    if let Some(partial) = response.partial {
        return Err(QueryError::execution(format!("its result is too large: {}", partial.message)));
    }
    let mut tables = response.tables.into_iter();
    let (Some(result), None) = (tables.next(), tables.next()) else {
        return Err(QueryError::execution("it has to have exactly one result"));
    };
    let columns = result.schema.columns;
    let batches = result
        .batches
        .iter()
        .map(|batch| columns.iter().zip(batch.columns()).map(|(column, array)| to_stored(array, column.ty)).collect())
        .collect();
    Ok(Output { columns, batches })
}

impl Output {
    /// The records as they are, each declared column of them.
    pub fn untouched(columns: &[Column], source: &RecordBatch) -> Output {
        let arrays = columns.iter().map(|column| match source.column_by_name(&column.name) {
            Some(array) => Arc::clone(array),
            None => absent(column, source.num_rows()),
        });
        Output { columns: columns.to_vec(), batches: vec![arrays.collect()] }
    }

    /// Puts the rows into a table's builder: new columns have the type that they have here.
    ///
    /// # Errors
    /// When a column cannot be in the table.
    pub fn write(&self, rows: &mut RowsBuilder) -> Result<(), IngestError> {
        let mut slots = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let slot = match rows.is_open() {
                true => rows.declare(&column.name, column.ty).map_err(|reason| {
                    IngestError::Format(format!(
                        "the column {:?} of the stream cannot be stored: {reason}",
                        column.name
                    ))
                })?,
                false => match rows.column(&column.name) {
                    Slot::Refused(_) => Slot::Ignored,
                    slot => slot,
                },
            };
            slots.push(slot);
        }
        for arrays in &self.batches {
            for row in 0..arrays.first().map_or(0, |array| array.len()) {
                for ((column, array), slot) in self.columns.iter().zip(arrays).zip(&slots) {
                    set(rows, *slot, column, array, row);
                }
                rows.end_row();
            }
        }
        Ok(())
    }
}

/// A column without values.
fn absent(column: &Column, rows: usize) -> ArrayRef {
    crate::rows::column::ColumnBuilder::new(&column.name, column.ty).finish(rows)
}

/// Sets one cell of the current row from an array in the stored form.
fn set(rows: &mut RowsBuilder, slot: Slot, column: &Column, array: &ArrayRef, row: usize) {
    let name = column.name.as_str();
    if array.is_null(row) {
        // a declared column is made even when it has no value yet
        return rows.set(slot, name, Value::Null);
    }
    match column.ty {
        Type::Bool => rows.set(slot, name, Value::Bool(array.as_boolean().value(row))),
        Type::Int => rows.set(slot, name, Value::Long(array.as_primitive::<Int32Type>().value(row).into())),
        Type::Long => rows.set(slot, name, Value::Long(array.as_primitive::<Int64Type>().value(row))),
        Type::Real => rows.set(slot, name, Value::Real(array.as_primitive::<Float64Type>().value(row))),
        Type::Decimal => {
            let text = array.as_primitive::<Decimal128Type>().value_as_string(row);
            rows.set(slot, name, Value::Text(&text));
        }
        Type::Timespan => {
            let text = timespan(array.as_primitive::<Int64Type>().value(row));
            rows.set(slot, name, Value::Text(&text));
        }
        Type::Datetime => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            match DateTime::from_timestamp_micros(micros) {
                Some(time) => {
                    let text = time.to_rfc3339_opts(SecondsFormat::Micros, true);
                    rows.set(slot, name, Value::Text(&text));
                }
                None => rows.fail_row(format!("column {name}: the datetime is out of range")),
            }
        }
        Type::Dynamic => match json_value(array.as_string_view().value(row)) {
            JsonValue::Text(text) => rows.set(slot, name, Value::Text(&text)),
            JsonValue::Other(text) => rows.set(slot, name, Value::Json(text)),
        },
        Type::String | Type::Guid => rows.set(slot, name, Value::Text(array.as_string_view().value(row))),
    }
}

enum JsonValue<'a> {
    Text(String),
    Other(&'a str),
}

/// A text of a dynamic is a text in a string column, and JSON again in a dynamic one.
fn json_value(json: &str) -> JsonValue<'_> {
    match json.starts_with('"').then(|| serde_json::from_str::<String>(json)) {
        Some(Ok(text)) => JsonValue::Text(text),
        _ => JsonValue::Other(json),
    }
}

fn timespan(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let ticks = ticks.unsigned_abs();
    let per_second = Ticks::PER_SECOND.unsigned_abs();
    let (seconds, rest) = (ticks / per_second, ticks % per_second);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("{sign}{days}.{hours:02}:{minutes:02}:{:02}.{rest:07}", seconds % 60)
}
