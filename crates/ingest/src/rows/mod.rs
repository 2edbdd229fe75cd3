//! Rows of one table on their way from a protocol to the store: values are coerced to the table's columns or
//! refused with row, column and reason; a refused row leaves nothing behind.

pub mod column;
pub mod json;
mod suffix;
pub mod time;
pub mod value;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, StringViewArray};
use arrow::datatypes::Schema;
use uuid::Uuid;
use watchkeeper_kql::{Column, Type};
use watchkeeper_store::{STANDARD_COLUMNS, TIME_GENERATED, storage_field};

use crate::error::{IngestError, RowError};
use crate::limits::{
    CUSTOM_COLUMN_CHARS, DESCRIBED_ROW_ERRORS, FURTHEST_TIME_GENERATED, OLDEST_TIME_GENERATED, TABLE_COLUMNS,
};
use column::ColumnBuilder;
use value::Value;

/// What happens to a property for which the table has no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is left out (Logs Ingestion API: what the stream does not declare).
    Ignore,
    /// The row is refused.
    Refuse,
    /// Columns are named by property and type: `count` → `count_d` (Data Collector API, "Record type and properties").
    Suffix,
    /// A column of the first value's type is added (custom tables filled by import).
    Add,
}

/// What happens to a `TimeGenerated` far from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePolicy {
    /// It is kept: agents send what waited for days, imports what is years old.
    Keep,
    /// Older than two days or more than a day ahead becomes the time of ingestion (Azure Monitor, "Standard columns").
    Recent,
}

/// How rows are read.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub unknown: Unknown,
    pub time: TimePolicy,
    /// Strings are cut at this many bytes.
    pub field_bytes: usize,
    /// Microseconds since 1970.
    pub now: i64,
}

/// Rows ready for the store.
#[derive(Debug, Clone)]
pub struct TableRows {
    pub table: String,
    /// Columns that the table needs first.
    pub new_columns: Vec<Column>,
    pub batch: RecordBatch,
    /// Bytes of the values, as usage is counted.
    pub bytes: u64,
}

/// Collects rows of one table.
#[derive(Debug)]
pub struct RowsBuilder {
    table: String,
    options: Options,
    columns: Vec<ColumnBuilder>,
    /// How many columns the table has already; later ones are new.
    known: usize,
    index: HashMap<String, usize>,
    /// The property at each place of the last row, to find columns without hashing.
    order: Vec<(String, Slot)>,
    properties: HashMap<String, Slot>,
    suffixed: Vec<suffix::Property>,
    rows: usize,
    /// Rows seen, refused ones included.
    position: usize,
    failure: Option<(String, String)>,
    errors: Vec<RowError>,
    refused: usize,
    /// The property whose datetime becomes `TimeGenerated`.
    time_field: Option<(String, Option<i64>)>,
    resource_id: String,
    source_system: &'static str,
}

/// Where the values of a property go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    Column(usize),
    Suffixed(usize),
    /// `TimeGenerated`, from anything that names a moment.
    Time,
    Ignored,
    /// The property cannot be: the row is refused, with the reason.
    Refused(&'static str),
    /// The property would be a new column whose type its first value decides.
    New,
}

impl RowsBuilder {
    /// For a table with these columns.
    pub fn new(table: impl Into<String>, columns: &[Column], options: Options) -> RowsBuilder {
        let index = columns.iter().enumerate().map(|(at, column)| (column.name.clone(), at)).collect();
        RowsBuilder {
            table: table.into(),
            options,
            columns: columns.iter().map(|column| ColumnBuilder::new(&column.name, column.ty)).collect(),
            known: columns.len(),
            index,
            order: Vec::new(),
            properties: HashMap::new(),
            suffixed: Vec::new(),
            rows: 0,
            position: 0,
            failure: None,
            errors: Vec::new(),
            refused: 0,
            time_field: None,
            resource_id: String::new(),
            source_system: "",
        }
    }

    /// `_ResourceId` of rows that have none.
    pub fn with_resource_id(mut self, resource_id: impl Into<String>) -> RowsBuilder {
        self.resource_id = resource_id.into();
        self
    }

    /// `SourceSystem` of rows that have none.
    pub fn with_source_system(mut self, source_system: &'static str) -> RowsBuilder {
        self.source_system = source_system;
        self
    }

    /// Takes `TimeGenerated` from this property, which stays a column too.
    pub fn with_time_field(mut self, property: &str) -> RowsBuilder {
        self.time_field = Some((property.to_owned(), None));
        self
    }

    /// Whether properties without a column become columns.
    pub fn is_open(&self) -> bool {
        self.options.unknown == Unknown::Add
    }

    /// Puts the moments of this property into `TimeGenerated`, instead of a column of its own: ISO 8601, or seconds,
    /// milliseconds, microseconds or nanoseconds since 1970. A row where it is neither is refused.
    pub fn with_time_column(mut self, property: &str) -> RowsBuilder {
        self.properties.insert(property.to_owned(), Slot::Time);
        self
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows that have ended, refused ones included.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Whether properties have brought columns that the table does not have.
    pub fn has_new_columns(&self) -> bool {
        self.columns.len() > self.known
    }

    /// Refused rows: the first ones described, and how many in all.
    pub fn refused(&self) -> (&[RowError], usize) {
        (&self.errors, self.refused)
    }

    /// Where the property at this place of a row goes.
    pub fn slot(&mut self, place: usize, property: &str) -> Slot {
        if let Some((name, slot)) = self.order.get(place)
            && name == property
        {
            return *slot;
        }
        let slot = match self.properties.get(property) {
            Some(slot) => *slot,
            None => {
                let slot = self.new_slot(property);
                // a flood of different names must not grow the memory
                if self.properties.len() < 4 * TABLE_COLUMNS {
                    self.properties.insert(property.to_owned(), slot);
                }
                slot
            }
        };
        if slot != Slot::New && place <= self.order.len() && place < TABLE_COLUMNS {
            self.order.truncate(place);
            self.order.push((property.to_owned(), slot));
        }
        slot
    }

    fn new_slot(&mut self, property: &str) -> Slot {
        match self.options.unknown {
            Unknown::Suffix => suffix::slot(self, property),
            _ if let Some(column) = self.index.get(property) => Slot::Column(*column),
            Unknown::Ignore => Slot::Ignored,
            Unknown::Refuse => Slot::Refused("the table has no such column"),
            Unknown::Add => {
                let name = self.added_name(property);
                match (self.index.get(&name), custom_name(&name)) {
                    (Some(column), _) => Slot::Column(*column),
                    (None, Ok(())) => Slot::New,
                    (None, Err(reason)) => Slot::Refused(reason),
                }
            }
        }
    }

    fn added_name(&self, property: &str) -> String {
        added_name(self.columns.iter().map(|column| column.name.as_str()), property)
    }

    /// The column of a name that is not there yet.
    fn add_column(&mut self, name: String, ty: Type) -> Result<usize, String> {
        if self.columns.len() >= TABLE_COLUMNS {
            return Err(format!("the table would have more than {TABLE_COLUMNS} columns"));
        }
        let column = self.columns.len();
        self.index.insert(name.clone(), column);
        self.columns.push(ColumnBuilder::new(name, ty));
        Ok(column)
    }

    /// Where a column of a name goes, made with this type where the table has none.
    ///
    /// # Errors
    /// When there can be no such column, with the reason.
    pub fn declare(&mut self, name: &str, ty: Type) -> Result<Slot, String> {
        if let Some(column) = self.index.get(name) {
            return Ok(Slot::Column(*column));
        }
        custom_name(name)?;
        self.add_column(name.to_owned(), ty).map(Slot::Column)
    }

    /// Sets a value of the current row.
    pub fn set(&mut self, slot: Slot, property: &str, value: Value<'_>) {
        if self.failure.is_some() {
            return;
        }
        if let Some((name, time)) = &mut self.time_field
            && name == property
        {
            *time = value.to_datetime().ok().flatten();
        }
        let result = match slot {
            Slot::Column(column) => {
                self.columns[column].set(self.rows, &value, self.options.field_bytes).map_err(|error| error.0)
            }
            Slot::Suffixed(at) => suffix::set(self, at, &value),
            Slot::Time => self.set_time(&value),
            Slot::Ignored => Ok(()),
            Slot::Refused(reason) => Err(reason.to_owned()),
            Slot::New => self.set_new(property, &value),
        };
        if let Err(reason) = result {
            self.failure = Some((property.chars().take(100).collect(), reason));
        }
    }

    /// Sets a datetime of the current row, in microseconds since 1970.
    pub fn set_datetime(&mut self, slot: Slot, micros: i64) {
        if let Slot::Column(column) = slot
            && self.columns[column].ty == Type::Datetime
        {
            self.columns[column].set_long(self.rows, micros);
        }
    }

    /// Where a column of the table is, for those who know its name.
    pub fn column(&self, name: &str) -> Slot {
        self.index.get(name).map_or(Slot::Refused("the table has no such column"), |column| Slot::Column(*column))
    }

    fn set_time(&mut self, value: &Value<'_>) -> Result<(), String> {
        let micros = match value {
            Value::Null => return Ok(()),
            Value::Text(text) if text.trim().is_empty() => return Ok(()),
            value => time::moment(value)?,
        };
        match self.index.get(TIME_GENERATED) {
            Some(column) => self.columns[*column].set_long(self.rows, micros),
            None => return Err("the table has no TimeGenerated".to_owned()),
        }
        Ok(())
    }

    fn set_new(&mut self, property: &str, value: &Value<'_>) -> Result<(), String> {
        let ty = match value {
            Value::Null => return Ok(()),
            Value::Bool(_) => Type::Bool,
            Value::Long(_) => Type::Long,
            Value::Unsigned(_) | Value::Real(_) => Type::Real,
            Value::Text(text) if time::datetime_by_look(text).is_some() => Type::Datetime,
            Value::Text(_) => Type::String,
            Value::Json(_) => Type::Dynamic,
        };
        let name = self.added_name(property);
        let column = match self.index.get(&name) {
            Some(column) => *column,
            None => self.add_column(name, ty)?,
        };
        self.properties.insert(property.to_owned(), Slot::Column(column));
        self.columns[column].set(self.rows, value, self.options.field_bytes).map_err(|error| error.0)
    }

    /// Refuses the current row, whatever else it holds.
    pub fn fail_row(&mut self, reason: impl Into<String>) {
        self.failure.get_or_insert_with(|| (String::new(), reason.into()));
    }

    /// Ends the current row: it is kept, or taken back as a whole.
    pub fn end_row(&mut self) {
        let position = self.position;
        self.position += 1;
        let time = self.time_field.as_mut().and_then(|(_, time)| time.take());
        if let Some((column, reason)) = self.failure.take() {
            self.refused += 1;
            if self.errors.len() < DESCRIBED_ROW_ERRORS {
                self.errors.push(RowError { row: position, column, reason });
            }
            for column in &mut self.columns {
                column.truncate(self.rows);
            }
            return;
        }
        if let Some(time) = time
            && let Some(column) = self.index.get(TIME_GENERATED)
        {
            self.columns[*column].set_long(self.rows, time);
        }
        self.rows += 1;
    }

    /// Takes back what ended after there were `rows` rows: something behind it turned out wrong.
    pub(crate) fn withdraw(&mut self, rows: usize, reason: impl Into<String>) {
        if self.rows <= rows {
            return;
        }
        self.rows = rows;
        for column in &mut self.columns {
            column.truncate(rows);
        }
        self.refused += 1;
        if self.errors.len() < DESCRIBED_ROW_ERRORS {
            self.errors.push(RowError { row: self.position - 1, column: String::new(), reason: reason.into() });
        }
    }

    /// All rows, or what is wrong with some.
    ///
    /// # Errors
    /// When a row was refused.
    pub fn finish_whole(self) -> Result<TableRows, IngestError> {
        if self.refused > 0 {
            return Err(IngestError::Rows { first: self.errors, count: self.refused });
        }
        Ok(self.finish())
    }

    /// The rows that were not refused, with the standard columns filled; `TenantId`, `Type` and `_IngestionTime` are
    /// the store's to fill.
    pub fn finish(mut self) -> TableRows {
        let rows = self.rows;
        self.fix_time();
        let bytes = self.columns.iter().map(|column| column.bytes() as u64).sum();
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        let mut new_columns = Vec::new();
        for (at, column) in self.columns.into_iter().enumerate() {
            let described = Column::new(column.name.clone(), column.ty);
            let is_new = at >= self.known;
            // what a bad row alone would have brought
            if column.reached() == 0 {
                continue;
            }
            // always filled below or by the store
            let is_filled = matches!(described.name.as_str(), "TenantId" | "Type" | "_IngestionTime" | "_ItemId");
            if is_filled {
                continue;
            }
            let default = match described.name.as_str() {
                "_ResourceId" => self.resource_id.as_str(),
                "SourceSystem" => self.source_system,
                _ => "",
            };
            let array = column.finish(rows);
            arrays.push(if default.is_empty() { array } else { fill(&array, default) });
            fields.push(storage_field(&described));
            if is_new {
                new_columns.push(described);
            }
        }
        for (name, default) in [("_ResourceId", self.resource_id.as_str()), ("SourceSystem", self.source_system)] {
            if !default.is_empty() && !fields.iter().any(|field| field.name() == name) {
                fields.push(storage_field(&Column::new(name, Type::String)));
                arrays.push(Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(default, rows))));
            }
        }
        fields.push(storage_field(&Column::new("_ItemId", Type::String)));
        arrays.push(item_ids(rows));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .expect("every column was brought to the same length and to its stored type");
        TableRows { table: self.table, new_columns, batch, bytes }
    }

    fn fix_time(&mut self) {
        let Some(column) = self.index.get(TIME_GENERATED).copied() else { return };
        let column = &mut self.columns[column];
        if column.reached() == 0 {
            return;
        }
        let micros = |duration: std::time::Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let now = self.options.now;
        let range = match self.options.time {
            TimePolicy::Keep => i64::MIN..=i64::MAX,
            TimePolicy::Recent => now - micros(OLDEST_TIME_GENERATED)..=now + micros(FURTHEST_TIME_GENERATED),
        };
        let bad = |time: Option<i64>| time.is_none_or(|time| !range.contains(&time));
        if !(0..self.rows).any(|row| bad(column.long(row))) {
            return;
        }
        let mut fixed = ColumnBuilder::new(TIME_GENERATED, Type::Datetime);
        for row in 0..self.rows {
            fixed.set_long(row, column.long(row).filter(|time| !bad(Some(*time))).unwrap_or(now));
        }
        *column = fixed;
    }
}

/// The name of the column that a custom table with these columns gets for a property: what cannot be in a name becomes
/// `_`, and a name that differs from another by case alone gets one more `_`.
pub fn added_name<'a>(mut columns: impl Iterator<Item = &'a str>, property: &str) -> String {
    let mut name: String = property.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if columns.any(|column| column != name && column.eq_ignore_ascii_case(&name)) {
        name.push('_');
    }
    name
}

/// Whether a property can be the name of a custom column ("Data limits", "Column names").
pub fn custom_name(name: &str) -> Result<(), &'static str> {
    let mut chars = name.chars();
    if name.is_empty() {
        return Err("the property has no name");
    }
    if name.len() > CUSTOM_COLUMN_CHARS {
        return Err("the name has more than 45 characters");
    }
    if !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err("the name can only contain letters, numbers and underscore (_)");
    }
    Ok(())
}

/// Whether every table has a column of this name.
pub(crate) fn is_standard(name: &str) -> bool {
    STANDARD_COLUMNS.iter().any(|(standard, _)| standard.eq_ignore_ascii_case(name))
}

fn fill(array: &ArrayRef, default: &str) -> ArrayRef {
    use arrow::array::AsArray;
    let texts = array.as_string_view();
    let filled = texts.iter().map(|text| match text {
        None | Some("") => default,
        Some(text) => text,
    });
    Arc::new(StringViewArray::from_iter_values(filled))
}

/// Identities of rows: a common beginning for a batch, so that a column of them compresses, and a number that rises
/// through the life of the process.
pub(crate) fn item_ids(rows: usize) -> ArrayRef {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let first = NEXT.fetch_add(rows as u64, Ordering::Relaxed);
    let batch = Uuid::now_v7().hyphenated().to_string();
    let mut text = String::with_capacity(rows * 36);
    for row in 0..rows as u64 {
        text.push_str(&batch[..24]);
        let number = first + row;
        for digit in (0..12).rev() {
            text.push(char::from(HEX[(number >> (digit * 4)) as usize & 15]));
        }
    }
    let offsets = arrow::buffer::OffsetBuffer::from_repeated_length(36, rows);
    let array = StringArray::new(offsets, arrow::buffer::Buffer::from_vec(text.into_bytes()), None);
    Arc::new(StringViewArray::from(&array))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::TimestampMicrosecondType;

    use super::*;

    fn options(unknown: Unknown) -> Options {
        Options { unknown, time: TimePolicy::Recent, field_bytes: 100, now: 1_000_000_000_000_000 }
    }

    fn builder(unknown: Unknown) -> RowsBuilder {
        let columns = [
            Column::new("TimeGenerated", Type::Datetime),
            Column::new("_ResourceId", Type::String),
            Column::new("name", Type::String),
            Column::new("count", Type::Long),
        ];
        RowsBuilder::new("T_CL", &columns, options(unknown))
            .with_resource_id("/machines/a")
            .with_source_system("RestAPI")
    }

    fn add(rows: &mut RowsBuilder, cells: &[(&str, Value<'_>)]) {
        for (place, (name, value)) in cells.iter().enumerate() {
            let slot = rows.slot(place, name);
            rows.set(slot, name, *value);
        }
        rows.end_row();
    }

    #[test]
    fn a_refused_row_leaves_nothing_and_is_described() {
        let mut rows = builder(Unknown::Refuse);
        add(&mut rows, &[("name", Value::Text("a")), ("count", Value::Long(1))]);
        add(&mut rows, &[("name", Value::Text("b")), ("count", Value::Text("many"))]);
        add(&mut rows, &[("count", Value::Long(3)), ("other", Value::Long(1))]);
        add(&mut rows, &[("count", Value::Long(4)), ("name", Value::Text("d"))]);
        let (errors, count) = rows.refused();
        let errors: Vec<_> = errors.iter().map(RowError::to_string).collect();
        assert_eq!(count, 2);
        assert_eq!(
            errors,
            ["row 1, column count: \"many\" is not a long", "row 2, column other: the table has no such column"]
        );
        let rows = rows.finish();
        assert_eq!(rows.batch.num_rows(), 2);
        assert_eq!(rows.batch["name"].as_string_view().iter().flatten().collect::<Vec<_>>(), ["a", "d"]);
        assert_eq!(rows.batch["_ResourceId"].as_string_view().value(1), "/machines/a");
        assert_eq!(rows.batch["SourceSystem"].as_string_view().value(0), "RestAPI");
    }

    #[test]
    fn a_column_that_only_refused_rows_had_is_not_added() {
        let mut rows = builder(Unknown::Add);
        add(&mut rows, &[("extra", Value::Long(1)), ("count", Value::Text("x"))]);
        add(&mut rows, &[("other", Value::Json("{}")), ("count", Value::Long(1))]);
        let rows = rows.finish();
        assert_eq!(rows.new_columns, [Column::new("other", Type::Dynamic)]);
    }

    #[test]
    fn a_time_far_from_now_becomes_now_where_the_protocol_says_so() {
        let now = options(Unknown::Ignore).now;
        let day = 86_400_000_000;
        let times = [now - 2 * day - 1, now - day, now + day + 1, now];
        for policy in [TimePolicy::Recent, TimePolicy::Keep] {
            let mut rows = builder(Unknown::Ignore);
            rows.options.time = policy;
            for time in times {
                let text = chrono::DateTime::from_timestamp_micros(time).unwrap().to_rfc3339();
                add(&mut rows, &[("TimeGenerated", Value::Text(&text))]);
            }
            add(&mut rows, &[("count", Value::Long(1))]);
            let batch = rows.finish().batch;
            let stored = batch["TimeGenerated"].as_primitive::<TimestampMicrosecondType>().values().to_vec();
            let expected = match policy {
                TimePolicy::Recent => vec![now, now - day, now, now, now],
                TimePolicy::Keep => vec![times[0], times[1], times[2], times[3], now],
            };
            assert_eq!(stored, expected, "{policy:?}");
        }
    }

    #[test]
    fn every_row_has_an_identity_of_its_own() {
        let ids = [item_ids(1000), item_ids(1000)];
        let mut seen = std::collections::HashSet::new();
        for array in &ids {
            for id in array.as_string_view().iter().flatten() {
                assert!(Uuid::try_parse(id).is_ok(), "{id}");
                assert!(seen.insert(id.to_owned()));
            }
        }
        assert_eq!(ids[0].null_count(), 0);
    }

    #[test]
    fn properties_of_imported_rows_become_columns_that_can_be() {
        let mut rows = builder(Unknown::Add).with_time_column("@t");
        add(
            &mut rows,
            &[("@t", Value::Long(1_000_000_005)), ("http.status", Value::Long(200)), ("Name", Value::Long(1))],
        );
        add(&mut rows, &[("@t", Value::Text("yesterday")), ("http.status", Value::Long(200))]);
        let (errors, count) = rows.refused();
        assert_eq!((count, errors[0].column.as_str()), (1, "@t"));
        let rows = rows.finish();
        let names: Vec<_> = rows.new_columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["http_status", "Name_"]);
        let times = rows.batch["TimeGenerated"].as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.values(), &[1_000_000_005_000_000]);
    }

    #[test]
    fn a_table_does_not_grow_past_its_limit_of_columns() {
        let mut rows = builder(Unknown::Add);
        let names: Vec<_> = (0..10_000).map(|n| format!("c{n}")).collect();
        let cells: Vec<_> = names.iter().map(|name| (name.as_str(), Value::Long(1))).collect();
        add(&mut rows, &cells);
        let (errors, count) = rows.refused();
        assert_eq!(count, 1);
        assert!(errors[0].reason.contains("more than 500 columns"), "{}", errors[0]);
    }
}
