//! Rows as Arrow streams: checked against the table, brought to the stored form, their standard columns filled.
//! Columns that arrive in the stored form are not looked at row by row, except where their text has a form to keep.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewArray, StringViewBuilder};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimestampMicrosecondType};
use arrow::ipc::reader::StreamReader;
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, TimeDelta, Utc};
use watchkeeper_kql::{Column, Ticks, Type};
use watchkeeper_query::functions::frame::json;
use watchkeeper_query::scan::{field_type, runtime_form};
use watchkeeper_store::{BatchId, KQL_TYPE, STANDARD_COLUMNS, TIME_GENERATED, storage_field, storage_type};

use crate::body;
use crate::error::{IngestError, RowError};
use crate::limits::{ARROW_BODY_BYTES, ARROW_ROWS, DESCRIBED_ROW_ERRORS};
use crate::rows::{TableRows, custom_name, item_ids};
use crate::writer::Ingest;

const SOLUTION: &str = "Import";
/// What the names of tables that users make end in.
pub const CUSTOM_SUFFIX: &str = "_CL";
/// Columns that are never taken from a sender.
const OWN_COLUMNS: [&str; 4] = ["TenantId", "Type", "_IngestionTime", "_ItemId"];

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    pub rows: usize,
    /// The batch had been stored before; it was not stored again.
    pub duplicate: bool,
}

/// Stores the rows of an Arrow IPC stream: all of them or none.
///
/// # Errors
/// When the stream is damaged or too large, or a row does not fit, or nothing can be stored now.
pub async fn accept<B>(
    ingest: &Ingest,
    table: &str,
    encoding: Option<String>,
    body: B,
    batch_id: BatchId,
) -> Result<Accepted, IngestError>
where
    B: AsRef<[u8]> + Send + 'static,
{
    let stored = store(ingest, table, encoding, body, batch_id).await;
    if let Err(error) = &stored
        && error.is_refusal()
    {
        ingest.refused(SOLUTION, table, error.to_string(), 1);
    }
    stored
}

async fn store<B>(
    ingest: &Ingest,
    table: &str,
    encoding: Option<String>,
    body: B,
    batch_id: BatchId,
) -> Result<Accepted, IngestError>
where
    B: AsRef<[u8]> + Send + 'static,
{
    let known = ingest.columns(table);
    check_table(table, !known.is_empty())?;
    let name = table.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let plain = body::decode(body.as_ref(), encoding.as_deref(), ARROW_BODY_BYTES)?;
        table_rows(name, &read(&plain)?, known)
    });
    let damaged = |_| IngestError::Format("the body is not an Arrow IPC stream, or is damaged".into());
    let rows = work.await.map_err(damaged)??;
    kept_long_enough(&rows, ingest.retention_days(table))?;
    let count = rows.batch.num_rows();
    let appended = ingest.write(vec![rows], Some(batch_id)).await?;
    Ok(Accepted { rows: count, duplicate: appended.duplicate })
}

/// Rows that the table's retention would delete at once are refused: whoever loads history wants to keep it.
fn kept_long_enough(rows: &TableRows, days: u32) -> Result<(), IngestError> {
    let times = rows.batch.column_by_name(TIME_GENERATED);
    let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    let oldest = times.and_then(arrow::compute::min).and_then(DateTime::from_timestamp_micros);
    let first_day = Utc::now() - TimeDelta::days(days.into());
    match oldest {
        Some(oldest) if oldest.date_naive() < first_day.date_naive() => Err(IngestError::Schema {
            table: rows.table.clone(),
            reason: format!(
                "there are rows of {}, and the table keeps rows for {days} days: they would be deleted at once; set a \
                 longer retention first (watchkeeper tables {} --retention-days N)",
                oldest.format("%Y-%m-%d"),
                rows.table
            ),
        }),
        _ => Ok(()),
    }
}

/// Whether rows can go to a table of this name.
///
/// # Errors
/// With what to do instead.
pub fn check_table(table: &str, exists: bool) -> Result<(), IngestError> {
    let is_name = table.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
        && table.starts_with(|c: char| c.is_ascii_alphabetic());
    let refuse = |reason: &str| Err(IngestError::Schema { table: table.to_owned(), reason: reason.to_owned() });
    match (exists, is_name, table.ends_with(CUSTOM_SUFFIX)) {
        (true, ..) | (false, true, true) => Ok(()),
        (false, true, false) => {
            refuse("there is no such table; the name of a new table ends in _CL, for instance MyLogs_CL")
        }
        (false, false, _) => {
            refuse("a table's name can only contain letters, numbers and underscore (_), and begins with a letter")
        }
    }
}

fn read(stream: &[u8]) -> Result<RecordBatch, IngestError> {
    let damaged = |error| IngestError::Format(format!("the body is not an Arrow IPC stream, or is damaged: {error}"));
    let reader = StreamReader::try_new(stream, None).map_err(damaged)?;
    let schema = reader.schema();
    let mut batches = Vec::new();
    let mut rows = 0_usize;
    for batch in reader {
        let batch = batch.map_err(damaged)?;
        rows = rows.saturating_add(batch.num_rows());
        if rows > ARROW_ROWS {
            return Err(IngestError::Format(format!("the stream has more than {ARROW_ROWS} rows; split it")));
        }
        batches.push(batch);
    }
    match batches.as_slice() {
        [one] => Ok(one.clone()),
        several => concat_batches(&schema, several).map_err(damaged),
    }
}

fn table_rows(table: String, batch: &RecordBatch, mut known: Vec<Column>) -> Result<TableRows, IngestError> {
    if known.is_empty() {
        known.extend(STANDARD_COLUMNS.iter().map(|(name, ty)| Column::new(*name, *ty)));
    }
    let stored = stored_form(&table, batch, &known)?;
    if !stored.bad.is_empty() {
        let count = stored.bad.len();
        return Err(IngestError::Rows { first: stored.bad.into_values().take(DESCRIBED_ROW_ERRORS).collect(), count });
    }
    let rows = batch.num_rows();
    let bytes = stored.batch.columns().iter().map(bytes_of).sum();
    let mut fields = stored.batch.schema().fields().to_vec();
    let mut arrays = stored.batch.columns().to_vec();
    if stored.batch.column_by_name("SourceSystem").is_none() {
        fields.push(Arc::new(storage_field(&Column::new("SourceSystem", Type::String))));
        arrays.push(Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(SOLUTION, rows))));
    }
    fields.push(Arc::new(storage_field(&Column::new("_ItemId", Type::String))));
    arrays.push(item_ids(rows));
    Ok(TableRows { table, new_columns: stored.new_columns, batch: batch_of(fields, arrays, rows)?, bytes })
}

fn batch_of(fields: Vec<Arc<Field>>, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, IngestError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| IngestError::Format(error.to_string()))
}

/// Bytes of the values, as usage is counted.
fn bytes_of(array: &ArrayRef) -> u64 {
    match array.as_string_view_opt() {
        // the lower half of a view is its length
        Some(texts) => texts.views().iter().map(|view| u64::from(*view as u32)).sum(),
        None => {
            let width = array.data_type().primitive_width().unwrap_or(1);
            (array.len() * width) as u64
        }
    }
}

/// Rows in the stored form.
#[derive(Debug)]
pub struct Stored {
    /// All rows; bad ones have nulls.
    pub batch: RecordBatch,
    /// Columns that the table does not have.
    pub new_columns: Vec<Column>,
    /// What is wrong with rows, by their position.
    pub bad: BTreeMap<usize, RowError>,
}

/// The rows of a batch in the form in which a table with these columns stores them. Columns that the store fills are
/// left out.
///
/// # Errors
/// When a column cannot be in the table, or holds values of another kind.
pub fn stored_form(table: &str, batch: &RecordBatch, known: &[Column]) -> Result<Stored, IngestError> {
    let types: HashMap<&str, Type> = known.iter().map(|column| (column.name.as_str(), column.ty)).collect();
    let refuse = |reason: String| IngestError::Schema { table: table.to_owned(), reason };
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    let mut new_columns: Vec<Column> = Vec::new();
    let mut bad = BTreeMap::new();
    for (at, (field, array)) in batch.schema_ref().fields().iter().zip(batch.columns()).enumerate() {
        let name = field.name().as_str();
        if OWN_COLUMNS.contains(&name) {
            continue;
        }
        if batch.schema_ref().fields()[..at].iter().any(|other| other.name() == name) {
            return Err(refuse(format!("the rows have the column {name} twice")));
        }
        let own = field_type(field);
        let ty = match types.get(name) {
            Some(ty) => *ty,
            None if table.ends_with(CUSTOM_SUFFIX) => {
                custom_name(name).map_err(|reason| refuse(format!("column {name:?}: {reason}")))?;
                new_columns.push(Column::new(name, own));
                own
            }
            None => {
                return Err(refuse(format!(
                    "there is no column {name}; only tables in {CUSTOM_SUFFIX} get new columns"
                )));
            }
        };
        if !can_become(own, ty) {
            return Err(refuse(format!("column {name} is {ty}, and the rows have {own}")));
        }
        arrays.push(stored_column(field, array, ty, &mut bad).map_err(|reason| {
            refuse(format!("column {name} is {ty}, and the rows have {}: {reason}", field.data_type()))
        })?);
        fields.push(Arc::new(storage_field(&Column::new(name, ty))));
    }
    Ok(Stored { batch: batch_of(fields, arrays, batch.num_rows())?, new_columns, bad })
}

/// Whether values of one type may have a meaning in another.
fn can_become(from: Type, to: Type) -> bool {
    let is_number = |ty| matches!(ty, Type::Int | Type::Long | Type::Real | Type::Decimal);
    from == to
        || from == Type::String
        || matches!(to, Type::String | Type::Dynamic)
        || (is_number(from) && is_number(to))
}

fn stored_column(
    field: &Field,
    array: &ArrayRef,
    ty: Type,
    bad: &mut BTreeMap<usize, RowError>,
) -> Result<ArrayRef, arrow::error::ArrowError> {
    let array = match array.data_type() {
        // as views: the texts of the dictionary are not repeated
        DataType::Dictionary(_, values) if values.is_string() => &cast(array, &DataType::Utf8View)?,
        _ => array,
    };
    let is_text = array.data_type().is_string();
    if ty == Type::Dynamic && is_text {
        let is_json = field.metadata().get(KQL_TYPE).is_some_and(|name| name == Type::Dynamic.name());
        return dynamics(field.name(), array, is_json, bad);
    }
    if ty != Type::Guid && *array.data_type() == storage_type(ty) {
        return Ok(Arc::clone(array));
    }
    let runtime = runtime_form(array, ty).map_err(|error| arrow::error::ArrowError::CastError(error.to_string()))?;
    let is_whole = matches!(ty, Type::Int | Type::Long);
    let originals =
        if is_whole && array.data_type().is_floating() { Some(cast(array, &DataType::Float64)?) } else { None };
    // null where the value has no meaning in the type, or would lose its fraction
    let valid = array.logical_nulls();
    let back = originals.as_ref().map(|_| cast(&runtime, &DataType::Float64)).transpose()?;
    if runtime.null_count() > valid.as_ref().map_or(0, |nulls| nulls.null_count()) || back.is_some() {
        for row in (0..array.len()).filter(|row| valid.as_ref().is_none_or(|nulls| nulls.is_valid(*row))) {
            let is_same = match (&originals, &back) {
                (Some(original), Some(back)) => {
                    original.as_primitive::<Float64Type>().value(row) == back.as_primitive::<Float64Type>().value(row)
                }
                _ => true,
            };
            if runtime.is_valid(row) && is_same {
                continue;
            }
            let text = array_value_to_string(array, row)?;
            if !(is_text && text.trim().is_empty()) {
                note(bad, row, field.name(), format!("{:?} is not a {ty}", text.chars().take(40).collect::<String>()));
            }
        }
    }
    Ok(match ty {
        Type::Datetime => {
            let micros = |ticks: i64| (ticks - Ticks::UNIX_EPOCH.0).div_euclid(Ticks::PER_MICROSECOND);
            let times = runtime.as_primitive::<Int64Type>().unary::<_, TimestampMicrosecondType>(micros);
            Arc::new(times.with_timezone("UTC"))
        }
        _ => runtime,
    })
}

/// Texts as compact JSON; texts that are not meant as JSON become JSON strings, unless they are objects or arrays.
fn dynamics(
    name: &str,
    array: &ArrayRef,
    is_json: bool,
    bad: &mut BTreeMap<usize, RowError>,
) -> Result<ArrayRef, arrow::error::ArrowError> {
    let texts = cast(array, &DataType::Utf8View)?;
    let mut out = StringViewBuilder::with_capacity(texts.len());
    for (row, text) in texts.as_string_view().iter().enumerate() {
        let Some(text) = text else {
            out.append_null();
            continue;
        };
        let compact = if is_json || text.trim_start().starts_with(['{', '[']) { json::compact(text) } else { None };
        match compact {
            Some(text) if text == "null" => out.append_null(),
            Some(text) => out.append_value(text),
            None if is_json && !text.trim().is_empty() => {
                out.append_null();
                note(bad, row, name, format!("{:?} is not JSON", text.chars().take(40).collect::<String>()));
            }
            None if text.trim().is_empty() => out.append_null(),
            None => out.append_value(json::quote(text)),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn note(bad: &mut BTreeMap<usize, RowError>, row: usize, column: &str, reason: String) {
    bad.entry(row).or_insert_with(|| RowError { row, column: column.to_owned(), reason });
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, StringArray, TimestampNanosecondArray};
    use arrow::ipc::writer::StreamWriter;

    use super::*;
    use crate::writer::tests::{stored, texts, workspace};

    fn stream(batch: &RecordBatch) -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
        writer.write(batch).unwrap();
        writer.into_inner().unwrap()
    }

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    fn strings(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    async fn send(ingest: &Ingest, table: &str, batch: &RecordBatch, identity: &str) -> Result<Accepted, IngestError> {
        accept(ingest, table, None, stream(batch), BatchId::new("test", identity)).await
    }

    #[tokio::test]
    async fn columns_of_other_forms_are_stored_in_the_tables_form() {
        let (_dir, ingest) = workspace().await;
        let rows = batch(vec![
            ("TimeGenerated", Arc::new(TimestampNanosecondArray::from(vec![Some(4_102_444_800_000_001_999), None]))),
            ("n", Arc::new(Int64Array::from(vec![Some(1), None]))),
            ("text", strings(&["a", "b"])),
            ("TenantId", strings(&["forged", "forged"])),
        ]);
        let accepted = send(&ingest, "App_CL", &rows, "1").await.unwrap();
        assert_eq!(accepted, Accepted { rows: 2, duplicate: false });
        assert!(send(&ingest, "App_CL", &rows, "1").await.unwrap().duplicate);
        let batch = stored(&ingest, "App_CL");
        assert_eq!(batch.num_rows(), 2);
        let times = batch["TimeGenerated"].as_primitive::<TimestampMicrosecondType>();
        assert_eq!((times.value(0), times.null_count()), (4_102_444_800_000_001, 0));
        assert_eq!(texts(&batch, "text"), ["a", "b"]);
        assert_eq!(texts(&batch, "TenantId")[0], "6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d");
        assert_eq!(texts(&batch, "SourceSystem"), ["Import", "Import"]);
        assert_ne!(texts(&batch, "_ItemId")[0], texts(&batch, "_ItemId")[1]);
        // the table's type decides from now on: text that is a number is one
        let rows =
            super::tests::batch(vec![("n", strings(&["7", " "])), ("text", Arc::new(Int64Array::from(vec![5, 6])))]);
        send(&ingest, "App_CL", &rows, "2").await.unwrap();
        let batch = stored(&ingest, "App_CL");
        assert_eq!(batch["n"].as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None, Some(7), None]);
        assert_eq!(texts(&batch, "text")[2..], ["5", "6"]);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_whole_with_its_row() {
        let (_dir, ingest) = workspace().await;
        send(&ingest, "App_CL", &batch(vec![("n", Arc::new(Int64Array::from(vec![1])))]), "1").await.unwrap();
        let cases: Vec<(&str, RecordBatch, &str)> = vec![
            ("App_CL", batch(vec![("n", strings(&["1", "x"]))]), "row 1, column n: \"x\" is not a long"),
            ("App_CL", batch(vec![("n", Arc::new(Float64Array::from(vec![1.0, 1.5])))]), "row 1, column n: \"1.5\""),
            ("App_CL", batch(vec![("n", Arc::new(TimestampNanosecondArray::from(vec![1])))]), "the rows have datetime"),
            ("App_CL", batch(vec![("a b", strings(&["1"]))]), "can only contain letters"),
            ("App_CL", batch(vec![("N", strings(&["1"]))]), "by case alone"),
            ("Syslog", batch(vec![("extra", strings(&["1"]))]), "there is no column extra"),
            ("App", batch(vec![("a", strings(&["1"]))]), "ends in _CL"),
            ("a-b_CL", batch(vec![("a", strings(&["1"]))]), "letters, numbers and underscore"),
        ];
        for (table, rows, expected) in cases {
            let error = send(&ingest, table, &rows, expected).await.unwrap_err();
            assert!(error.is_refusal() && error.to_string().contains(expected), "{expected}: {error}");
        }
        let whole = stream(&batch(vec![("n", strings(&["1"]))]));
        for broken in [&b"not arrow"[..], &whole[..whole.len() / 2], &[]] {
            let error = accept(&ingest, "App_CL", None, broken.to_vec(), BatchId::new("t", "b")).await.unwrap_err();
            assert!(error.to_string().contains("Arrow IPC stream"), "{error}");
        }
        assert_eq!(stored(&ingest, "App_CL").num_rows(), 1);
    }

    #[test]
    fn a_dynamic_column_always_holds_json() {
        let dynamic = [Column::new("d", Type::Dynamic)];
        let rows = batch(vec![("d", strings(&["{ \"a\": 1 }", "plain", "{broken", ""]))]);
        let found = stored_form("T_CL", &rows, &dynamic).unwrap();
        assert!(found.bad.is_empty());
        let values: Vec<_> = found.batch["d"].as_string_view().iter().collect();
        assert_eq!(values, [Some("{\"a\":1}"), Some("\"plain\""), Some("\"{broken\""), None]);
        let field = storage_field(&dynamic[0]);
        let claimed: ArrayRef = Arc::new(StringViewArray::from(vec!["[1]", "{broken"]));
        let claimed = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![claimed]).unwrap();
        let found = stored_form("T_CL", &claimed, &dynamic).unwrap();
        assert_eq!(found.bad.keys().collect::<Vec<_>>(), [&1]);
    }
}
