//! From a piece of a file to the batch that is sent: types of new columns, the time, bad rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimeUnit};
use arrow::ipc::writer::StreamWriter;
use csv::ByteRecord;
use watchkeeper_ingest::arrow_rows::{CUSTOM_SUFFIX, stored_form};
use watchkeeper_ingest::rows::value::Value;
use watchkeeper_ingest::rows::{Options, added_name, custom_name, json, time};
use watchkeeper_ingest::{RowError, RowsBuilder, TimePolicy, Unknown, syslog};
use watchkeeper_kql::{Column, Type};
use watchkeeper_query::functions::frame::json::unquote;
use watchkeeper_query::scan::{JsonLine, common_type, json_type};

use super::chunks::{Chunk, Content, Lines};
use super::input::Input;

const TIME_GENERATED: &str = "TimeGenerated";
/// Where the time is looked for when the user does not say.
const TIME_COLUMNS: [&str; 4] = [TIME_GENERATED, "timestamp", "time", "@timestamp"];
/// Bad rows that are described one by one.
const DESCRIBED: usize = 20;

/// What syslog messages need, in tables that do not have it.
const SYSLOG_COLUMNS: [(&str, Type); 8] = [
    ("EventTime", Type::Datetime),
    ("Computer", Type::String),
    ("HostName", Type::String),
    ("Facility", Type::String),
    ("SeverityLevel", Type::String),
    ("ProcessName", Type::String),
    ("ProcessID", Type::Int),
    ("SyslogMessage", Type::String),
];

/// What the user wants.
#[derive(Debug, Clone)]
pub struct Wishes {
    pub table: String,
    pub time: Option<String>,
    pub skip_bad: bool,
}

/// Prepares the batches of one table.
pub struct Preparer {
    wishes: Wishes,
    /// Of the table, as it will be when everything so far is stored.
    columns: Vec<Column>,
    /// The property of the current file that becomes `TimeGenerated`.
    time: Option<String>,
    /// Things to tell the user.
    pub notes: Vec<String>,
}

/// A batch, ready to be sent.
#[derive(Debug)]
pub struct Prepared {
    pub batch: RecordBatch,
    /// The table gets columns: batches that may have the same ones wait for this one.
    pub has_new_columns: bool,
    pub bad: u64,
}

/// A property of a piece.
struct Property {
    name: String,
    /// The type that holds all of its values; none without values.
    ty: Option<Type>,
    is_mixed: bool,
    /// Whether its first value names a moment.
    is_time: Option<bool>,
}

impl Preparer {
    /// For a table with these columns; none where it is not there yet.
    pub fn new(wishes: Wishes, columns: Vec<Column>) -> Preparer {
        Preparer { wishes, columns, time: None, notes: Vec::new() }
    }

    fn is_custom(&self) -> bool {
        self.wishes.table.ends_with(CUSTOM_SUFFIX)
    }

    /// Looks at the first piece of a file, to find its time.
    pub fn begin(&mut self, input: &Input, first: &Chunk) -> anyhow::Result<()> {
        self.time = None;
        let properties = match &first.content {
            Content::Syslog(_) => return Ok(()),
            Content::Json(lines) => json_properties(lines),
            Content::Csv { header, records } => csv_properties(header, records),
            Content::Arrow { batch, .. } => {
                let fields = batch.schema_ref().fields().iter();
                let is_time = |field: &Field| match field.data_type() {
                    DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => true,
                    ty => ty.is_string() || ty.is_numeric(),
                };
                fields.map(|field| Property::new(field.name().as_str(), Some(is_time(field)))).collect()
            }
        };
        if let Some(wanted) = &self.wishes.time {
            if !properties.iter().any(|property| property.name == *wanted) {
                let names: Vec<_> = properties.iter().map(|property| property.name.as_str()).collect();
                bail!("{} has no column {wanted:?} for --time; it has {}", input.path.display(), names.join(", "));
            }
            self.time = Some(wanted.clone());
            return Ok(());
        }
        let is_time = |name: &str| properties.iter().any(|found| found.name == name && found.is_time == Some(true));
        self.time = TIME_COLUMNS.into_iter().find(|name| is_time(name)).map(str::to_owned);
        if self.time.is_none() {
            let time = "no column with the time was found; TimeGenerated is the time of the import (see --time)";
            self.notes.push(format!("{}: {time}", input.path.display()));
        }
        Ok(())
    }

    /// The batch of a piece.
    ///
    /// # Errors
    /// When rows are bad and the user does not want to go on without them.
    pub fn prepare(&mut self, input: &Input, chunk: &Chunk) -> anyhow::Result<Prepared> {
        let before = self.columns.len();
        let (batch, bad, count) = match &chunk.content {
            Content::Json(lines) => {
                let read = |rows: &mut RowsBuilder| lines.iter().for_each(|line| json::read_line(line, rows));
                let mut rows = self.builder();
                read(&mut rows);
                if rows.has_new_columns() && self.declare(json_properties(lines)) {
                    // once more, with types that hold all values of the piece
                    rows = self.builder();
                    read(&mut rows);
                }
                self.finish(rows)
            }
            Content::Csv { header, records } => {
                let is_known = |name: &String| self.columns.iter().any(|column| column.name == *name);
                if !header.iter().all(is_known) {
                    self.declare(csv_properties(header, records));
                }
                let mut rows = self.builder();
                records.iter().for_each(|record| csv_row(header, record, &mut rows));
                self.finish(rows)
            }
            Content::Syslog(lines) => {
                self.declare(SYSLOG_COLUMNS.map(|(name, ty)| Property { ty: Some(ty), ..Property::new(name, None) }));
                let mut rows = self.builder().with_source_system("Linux");
                lines.iter().for_each(|line| syslog_row(line, input, &mut rows));
                self.finish(rows)
            }
            Content::Arrow { batch, .. } => self.arrow(batch)?,
        };
        if count > 0 {
            let path = input.path.display();
            let mut lines: Vec<String> = bad
                .iter()
                .map(|error| match error.column.as_str() {
                    "" => format!("{path}:{}: {}", chunk.content.place(error.row), error.reason),
                    column => format!("{path}:{}: column {column}: {}", chunk.content.place(error.row), error.reason),
                })
                .collect();
            if count > lines.len() {
                lines.push(format!("{path}: and {} more bad rows near there", count - lines.len()));
            }
            if !self.wishes.skip_bad {
                let rows = if count == 1 { "1 bad row" } else { "bad rows" };
                bail!(
                    "{}\n{rows}; what is before is stored. Correct the file, or leave such rows out with --skip-bad",
                    lines.join("\n")
                );
            }
            self.notes.extend(lines);
        }
        Ok(Prepared { batch, has_new_columns: self.columns.len() > before, bad: count as u64 })
    }

    fn builder(&self) -> RowsBuilder {
        let options = Options {
            unknown: if self.is_custom() { Unknown::Add } else { Unknown::Refuse },
            time: TimePolicy::Keep,
            field_bytes: usize::MAX,
            now: chrono::Utc::now().timestamp_micros(),
        };
        let rows = RowsBuilder::new(&self.wishes.table, &self.columns, options);
        match &self.time {
            Some(time) => rows.with_time_column(time),
            None => rows,
        }
    }

    /// Makes columns for properties that have none. False where there is nothing to make.
    fn declare(&mut self, properties: impl IntoIterator<Item = Property>) -> bool {
        let before = self.columns.len();
        for property in properties {
            let has = |columns: &[Column], name: &str| columns.iter().any(|column| column.name == name);
            let Some(ty) = property.ty else { continue };
            if !self.is_custom() || Some(&property.name) == self.time.as_ref() || has(&self.columns, &property.name) {
                continue;
            }
            let name = added_name(self.columns.iter().map(|column| column.name.as_str()), &property.name);
            if has(&self.columns, &name) || custom_name(&name).is_err() {
                continue;
            }
            if name != property.name {
                self.notes.push(format!("{:?} is stored in the column {name}", property.name));
            }
            if property.is_mixed {
                self.notes.push(format!("column {name} has values of different types; it is {ty}"));
            }
            self.columns.push(Column::new(name, ty));
        }
        self.columns.len() > before
    }

    fn finish(&mut self, rows: RowsBuilder) -> (RecordBatch, Vec<RowError>, usize) {
        let (errors, count) = rows.refused();
        let errors = errors.to_vec();
        let rows = rows.finish();
        self.columns.extend(rows.new_columns);
        (rows.batch, errors, count)
    }

    fn arrow(&mut self, batch: &RecordBatch) -> anyhow::Result<(RecordBatch, Vec<RowError>, usize)> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        let mut bad = Vec::new();
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let (mut field, mut array) = (Field::clone(field), Arc::clone(array));
            if Some(field.name()) == self.time.as_ref() {
                (field, array) = moments(&field, &array, &mut bad)?;
            } else if field.name() == TIME_GENERATED && self.time.is_some() {
                // another column is the time
                continue;
            } else if self.is_custom() && !names.contains(field.name()) {
                let name = added_name(names.iter().map(String::as_str), field.name());
                field = field.with_name(name);
            }
            fields.push(field);
            arrays.push(array);
        }
        let renamed = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let stored = stored_form(&self.wishes.table, &renamed, &self.columns)?;
        self.columns.extend(stored.new_columns);
        bad.extend(stored.bad.into_values());
        bad.sort_by_key(|error| error.row);
        bad.dedup_by_key(|error| error.row);
        let count = bad.len();
        if count == 0 {
            return Ok((stored.batch, bad, 0));
        }
        let mut keep = vec![true; batch.num_rows()];
        bad.iter().for_each(|error| keep[error.row] = false);
        bad.truncate(DESCRIBED);
        Ok((filter_record_batch(&stored.batch, &BooleanArray::from(keep))?, bad, count))
    }
}

impl Property {
    fn new(name: impl Into<String>, is_time: Option<bool>) -> Property {
        Property { name: name.into(), ty: None, is_mixed: false, is_time }
    }

    fn see(&mut self, ty: Type, common: impl Fn(Type, Type) -> Type) {
        let wide = self.ty.map_or(ty, |known| common(known, ty));
        let is_number = |ty| matches!(ty, Type::Long | Type::Real);
        self.is_mixed |= self.ty.is_some_and(|known| known != ty && !(is_number(known) && is_number(ty)));
        self.ty = Some(wide);
    }
}

fn json_properties(lines: &Lines) -> Vec<Property> {
    let mut found: Vec<Property> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for line in lines.iter() {
        // bad lines are reported where rows are read
        let Ok(line) = serde_json::from_slice::<JsonLine<'_>>(line) else { continue };
        for (name, raw) in &line.0 {
            let at = match places.get(name.as_ref()) {
                Some(at) => *at,
                None => {
                    found.push(Property::new(name.as_ref(), None));
                    places.insert(name.to_string(), found.len() - 1);
                    found.len() - 1
                }
            };
            let property = &mut found[at];
            let Some(ty) = json_type(raw) else { continue };
            property.see(ty, common_type);
            property.is_time.get_or_insert_with(|| match (ty, unquote(raw.get())) {
                (_, Some(text)) => time::moment(&Value::Text(&text)).is_ok(),
                (Type::Long | Type::Real, None) => time::moment(&Value::Text(raw.get())).is_ok(),
                _ => false,
            });
        }
    }
    found
}

fn csv_properties(header: &[String], records: &[ByteRecord]) -> Vec<Property> {
    let mut found: Vec<Property> = header.iter().map(|name| Property::new(name.as_str(), None)).collect();
    for record in records.iter().filter(|record| record.len() == header.len()) {
        for (property, field) in found.iter_mut().zip(record) {
            let Ok(text) = std::str::from_utf8(field) else { continue };
            if text.trim().is_empty() {
                continue;
            }
            property.see(csv_type(text.trim()), |known, ty| match (known, ty) {
                (Type::Long, Type::Real) | (Type::Real, Type::Long) => Type::Real,
                (known, ty) if known == ty => ty,
                _ => Type::String,
            });
            property.is_time.get_or_insert_with(|| time::moment(&Value::Text(text)).is_ok());
        }
    }
    found
}

/// The type that a text shows. Numbers that would not print as they were are texts.
fn csv_type(text: &str) -> Type {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let is_numeric = digits.starts_with(|c: char| c.is_ascii_digit()) && !is_padded;
    match text {
        _ if is_numeric && text.parse::<i64>().is_ok() => Type::Long,
        _ if is_numeric && text.parse::<f64>().is_ok() => Type::Real,
        _ if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => Type::Bool,
        _ if time::datetime_by_look(text).is_some() => Type::Datetime,
        _ => Type::String,
    }
}

fn csv_row(header: &[String], record: &ByteRecord, rows: &mut RowsBuilder) {
    if record.len() != header.len() {
        rows.fail_row(format!("{} fields, and the header has {}", record.len(), header.len()));
        return rows.end_row();
    }
    for (place, (name, field)) in header.iter().zip(record).enumerate() {
        let value = match std::str::from_utf8(field) {
            Ok(text) if text.trim().is_empty() => Value::Null,
            Ok(text) => Value::Text(text),
            Err(_) => {
                rows.fail_row(format!("column {name} is not UTF-8"));
                break;
            }
        };
        let slot = rows.slot(place, name);
        rows.set(slot, name, value);
    }
    rows.end_row();
}

fn syslog_row(line: &[u8], input: &Input, rows: &mut RowsBuilder) {
    let text: Cow<'_, str> = String::from_utf8_lossy(line);
    let message = syslog::parse(&text, input.modified);
    for name in [TIME_GENERATED, "EventTime"] {
        if let Some(time) = message.time {
            let slot = rows.column(name);
            rows.set_datetime(slot, time);
        }
    }
    let id = message.process_id.map_or(Value::Null, |id| Value::Long(id.into()));
    let cells = [
        ("Computer", Value::Text(message.host)),
        ("HostName", Value::Text(message.host)),
        ("Facility", Value::Text(message.facility)),
        ("SeverityLevel", Value::Text(message.severity)),
        ("ProcessName", Value::Text(message.process)),
        ("ProcessID", id),
        ("SyslogMessage", Value::Text(message.text)),
    ];
    for (place, (name, value)) in cells.into_iter().enumerate() {
        let slot = rows.slot(place, name);
        rows.set(slot, name, value);
    }
    rows.end_row();
}

/// The column as `TimeGenerated`: numbers are moments since 1970.
fn moments(field: &Field, array: &ArrayRef, bad: &mut Vec<RowError>) -> anyhow::Result<(Field, ArrayRef)> {
    let numbers = match array.data_type() {
        ty if ty.is_integer() => cast(array, &DataType::Int64)?,
        ty if ty.is_floating() => cast(array, &DataType::Float64)?,
        _ => return Ok((field.clone().with_name(TIME_GENERATED), Arc::clone(array))),
    };
    let reals: Option<&Float64Array> = numbers.as_primitive_opt::<Float64Type>();
    let mut micros = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        let value = match reals {
            Some(reals) => Value::Real(reals.value(row)),
            None => Value::Long(numbers.as_primitive::<Int64Type>().value(row)),
        };
        micros.push(match numbers.is_valid(row).then(|| time::moment(&value)) {
            None => None,
            Some(Ok(micros)) => Some(micros),
            Some(Err(reason)) => {
                bad.push(RowError { row, column: field.name().clone(), reason });
                None
            }
        });
    }
    let ty = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let times = TimestampMicrosecondArray::from(micros).with_timezone("UTC");
    Ok((Field::new(TIME_GENERATED, ty, true), Arc::new(times)))
}

/// The stream that the server takes: without what the server makes itself, and without texts of other rows.
pub fn encode(batch: &RecordBatch) -> anyhow::Result<Vec<u8>> {
    let (mut fields, mut arrays): (Vec<Arc<Field>>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if field.name() == "_ItemId" {
            continue;
        }
        fields.push(Arc::clone(field));
        arrays.push(match array.as_string_view_opt() {
            Some(texts) => Arc::new(texts.gc()),
            None => Arc::clone(array),
        });
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).context("the batch cannot be sent")?;
    let mut writer = StreamWriter::try_new(Vec::with_capacity(1 << 20), batch.schema_ref())?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}
