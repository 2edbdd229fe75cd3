//! Rows by column: building them row by row, and to and from bytes.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Read;

use prost::Message;
use zstd::bulk::Decompressor;

use crate::WireError;
use crate::proto::column::Values;
use crate::proto::{
    Bools, Column, Compression, Ints, Longs, Operational, OperationalItem, Reals, Rows, Strings, Table,
};

/// Payloads above this size are compressed.
const COMPRESS_FROM: usize = 512;
/// What a payload may become when it is decompressed: a bound against small messages that fill the memory.
const MAX_DECOMPRESSED: usize = 64 * 1024 * 1024;

/// Builds a table row by row. A column appears with its first value; rows without a value are null there.
#[derive(Debug, Clone)]
pub struct TableBuilder {
    name: String,
    rows: usize,
    columns: Vec<Building>,
}

#[derive(Debug, Clone)]
struct Building {
    column: Column,
    nulls: Vec<bool>,
}

macro_rules! setters {
    ($($(#[$documentation:meta])* $method:ident, $kind:ident, $holder:ident, $value:ty;)*) => {$(
        $(#[$documentation])*
        pub fn $method(&mut self, column: &str, value: $value) -> &mut Self {
            let missing = self.rows.saturating_sub(1);
            let building = self.column(column, || Values::$kind($holder::default()));
            match &mut building.column.values {
                Some(Values::$kind(holder)) if building.nulls.len() == missing => {
                    holder.values.push(value.into());
                    building.nulls.push(false);
                }
                _ => debug_assert!(false, "column {column} set twice in a row, or with two types"),
            }
            self
        }
    )*};
}

impl TableBuilder {
    /// An empty table.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), rows: 0, columns: Vec::new() }
    }

    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Starts the next row; the setters that follow belong to it. Setting a column twice in one row, or with two
    /// types in one table, is a mistake of the program: the later value is not taken.
    pub fn row(&mut self) -> &mut Self {
        self.rows += 1;
        self
    }

    setters! {
        /// A `bool`.
        bool, Bools, Bools, bool;
        /// An `int`.
        int, Ints, Ints, i32;
        /// A `long`.
        long, Longs, Longs, i64;
        /// A `real`.
        real, Reals, Reals, f64;
        /// A `string`.
        string, Strings, Strings, &str;
        /// A `datetime` in microseconds since 1970 (UTC).
        datetime, Datetimes, Longs, i64;
        /// A `timespan` in ticks of 100 ns.
        timespan, Timespans, Longs, i64;
        /// A `dynamic` as JSON text.
        dynamic, Dynamics, Strings, &str;
        /// A `guid`, lower case with hyphens.
        guid, Guids, Strings, &str;
    }

    fn column(&mut self, name: &str, empty: impl FnOnce() -> Values) -> &mut Building {
        let position = match self.columns.iter().position(|building| building.column.name == name) {
            Some(position) => position,
            None => {
                self.columns.push(Building {
                    column: Column { name: name.to_owned(), nulls: Vec::new(), values: Some(empty()) },
                    nulls: Vec::new(),
                });
                self.columns.len() - 1
            }
        };
        let missing = self.rows.saturating_sub(1);
        let building = &mut self.columns[position];
        pad(building, missing);
        building
    }

    /// The table as a message.
    #[must_use]
    pub fn finish(mut self) -> Table {
        let rows = self.rows;
        let columns = self
            .columns
            .drain(..)
            .map(|mut building| {
                pad(&mut building, rows);
                if building.nulls.contains(&true) {
                    let mut bitmap = vec![0_u8; rows.div_ceil(8)];
                    for (row, _) in building.nulls.iter().enumerate().filter(|(_, null)| **null) {
                        bitmap[row / 8] |= 1 << (row % 8);
                    }
                    building.column.nulls = bitmap;
                }
                building.column
            })
            .collect();
        Table { name: self.name, rows: u32::try_from(rows).unwrap_or(u32::MAX), columns }
    }
}

fn pad(building: &mut Building, rows: usize) {
    while building.nulls.len() < rows {
        building.nulls.push(true);
        match &mut building.column.values {
            Some(Values::Bools(holder)) => holder.values.push(false),
            Some(Values::Ints(holder)) => holder.values.push(0),
            Some(Values::Longs(holder) | Values::Datetimes(holder) | Values::Timespans(holder)) => {
                holder.values.push(0);
            }
            Some(Values::Reals(holder)) => holder.values.push(0.0),
            Some(Values::Strings(holder) | Values::Dynamics(holder) | Values::Guids(holder)) => {
                holder.values.push(String::new());
            }
            None => {}
        }
    }
}

impl Values {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Values::Bools(holder) => holder.values.len(),
            Values::Ints(holder) => holder.values.len(),
            Values::Longs(holder) | Values::Datetimes(holder) | Values::Timespans(holder) => holder.values.len(),
            Values::Reals(holder) => holder.values.len(),
            Values::Strings(holder) | Values::Dynamics(holder) | Values::Guids(holder) => holder.values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Column {
    /// Whether the value of a row is null.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
    }
}

/// Rows as the payload of an envelope, compressed where that helps.
///
/// # Errors
/// When the compressor fails.
pub fn encode_rows(tables: Vec<Table>) -> Result<(Compression, Vec<u8>), WireError> {
    compressed(Rows { tables }.encode_to_vec())
}

/// Items as the payload of an envelope, compressed where that helps.
///
/// # Errors
/// When the compressor fails.
pub fn encode_operational(items: Vec<OperationalItem>) -> Result<(Compression, Vec<u8>), WireError> {
    compressed(Operational { items }.encode_to_vec())
}

/// Items from the payload of an envelope.
///
/// # Errors
/// When the payload is damaged or too large, or an item is of a kind that this program does not know.
pub fn decode_operational(compression: Compression, payload: &[u8]) -> Result<Vec<OperationalItem>, WireError> {
    let plain = plain(compression, payload)?;
    let items = Operational::decode(plain.as_ref()).map_err(|error| WireError::Batch(error.to_string()))?.items;
    if items.iter().any(|item| item.item.is_none()) {
        return Err(WireError::Batch("an operational item of an unknown kind".to_owned()));
    }
    Ok(items)
}

fn compressed(plain: Vec<u8>) -> Result<(Compression, Vec<u8>), WireError> {
    if plain.len() < COMPRESS_FROM {
        return Ok((Compression::None, plain));
    }
    let compressed = zstd::bulk::compress(&plain, 1).map_err(|error| WireError::Batch(error.to_string()))?;
    Ok(if compressed.len() < plain.len() { (Compression::Zstd, compressed) } else { (Compression::None, plain) })
}

/// Rows from the payload of an envelope, checked: every column has a type, a name of its own, and as many values as
/// the table has rows.
///
/// # Errors
/// When the payload is damaged, inconsistent or too large.
pub fn decode_rows(compression: Compression, payload: &[u8]) -> Result<Vec<Table>, WireError> {
    let rows =
        Rows::decode(plain(compression, payload)?.as_ref()).map_err(|error| WireError::Batch(error.to_string()))?;
    for table in &rows.tables {
        check(table)?;
    }
    Ok(rows.tables)
}

fn plain(compression: Compression, payload: &[u8]) -> Result<Cow<'_, [u8]>, WireError> {
    Ok(match compression {
        Compression::None => Cow::Borrowed(payload),
        Compression::Zstd => Cow::Owned(decompress(payload)?),
    })
}

thread_local! {
    /// Making one costs more than most batches.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn decompress(payload: &[u8]) -> Result<Vec<u8>, WireError> {
    let failed = |error: std::io::Error| WireError::Batch(format!("cannot decompress: {error}"));
    let too_large = || WireError::Batch(format!("more than {MAX_DECOMPRESSED} bytes after decompression"));
    let said = zstd::zstd_safe::get_frame_content_size(payload).ok().flatten();
    if let Some(size) = said.and_then(|size| usize::try_from(size).ok()) {
        if size > MAX_DECOMPRESSED {
            return Err(too_large());
        }
        return DECOMPRESSOR.with_borrow_mut(|kept| {
            let decompressor = match kept {
                Some(decompressor) => decompressor,
                None => kept.insert(Decompressor::new().map_err(failed)?),
            };
            decompressor.decompress(payload, size).map_err(failed)
        });
    }
    // a frame that does not say how large it is
    let decoder = zstd::stream::read::Decoder::with_buffer(payload).map_err(failed)?;
    let mut plain = Vec::with_capacity(payload.len() * 4);
    decoder.take(MAX_DECOMPRESSED as u64 + 1).read_to_end(&mut plain).map_err(failed)?;
    if plain.len() > MAX_DECOMPRESSED {
        return Err(too_large());
    }
    Ok(plain)
}

fn check(table: &Table) -> Result<(), WireError> {
    let rows = table.rows as usize;
    let mut names = std::collections::HashSet::new();
    for column in &table.columns {
        let place = || format!("table {:?}, column {:?}", table.name, column.name);
        if !names.insert(column.name.as_str()) {
            return Err(WireError::Batch(format!("{}: the column is there twice", place())));
        }
        let Some(values) = &column.values else {
            return Err(WireError::Batch(format!("{}: no values of a known type", place())));
        };
        if values.len() != rows {
            return Err(WireError::Batch(format!("{}: {} values for {rows} rows", place(), values.len())));
        }
        if !column.nulls.is_empty() && column.nulls.len() != rows.div_ceil(8) {
            return Err(WireError::Batch(format!(
                "{}: {} bytes of nulls for {rows} rows",
                place(),
                column.nulls.len()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = TableBuilder::new("T_CL");
        table.row().string("a", "x").long("b", 1);
        table.row().string("a", "y");
        table.row().real("c", 1.5).long("b", 3);
        table.finish()
    }

    #[test]
    fn rows_without_a_value_are_null_in_that_column() {
        let table = sample();
        let nulls: Vec<Vec<bool>> =
            table.columns.iter().map(|column| (0..3).map(|row| column.is_null(row)).collect()).collect();
        assert_eq!(nulls, [vec![false, false, true], vec![false, true, false], vec![true, true, false]]);
        check(&table).unwrap();
    }

    #[test]
    fn rows_come_back_from_their_bytes_compressed_or_not() {
        for repeat in [1, 2000] {
            let mut table = TableBuilder::new("T_CL");
            for number in 0..repeat {
                table.row().long("n", number).dynamic("d", "{\"k\":1}").datetime("TimeGenerated", number);
            }
            let table = table.finish();
            let (compression, payload) = encode_rows(vec![table.clone()]).unwrap();
            assert_eq!(compression == Compression::Zstd, repeat > 1);
            assert_eq!(decode_rows(compression, &payload).unwrap(), [table]);
        }
    }

    /// A few kilobytes that would become more than the memory that a message may take, whether they say so or not.
    #[test]
    fn a_small_message_that_would_become_a_large_one_is_refused() {
        let large = vec![0_u8; MAX_DECOMPRESSED + 1];
        let says = zstd::bulk::compress(&large, 1).unwrap();
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        std::io::Write::write_all(&mut encoder, &large).unwrap();
        let silent = encoder.finish().unwrap();
        assert!(zstd::zstd_safe::get_frame_content_size(&says).unwrap().is_some());
        assert!(zstd::zstd_safe::get_frame_content_size(&silent).unwrap().is_none());
        for bomb in [says, silent] {
            assert!(bomb.len() < 64 * 1024, "{} bytes", bomb.len());
            let refused = decode_rows(Compression::Zstd, &bomb).unwrap_err().to_string();
            assert!(refused.contains("after decompression"), "{refused}");
        }
        // one that says less than it becomes
        let honest = zstd::bulk::compress(&vec![0_u8; 70_000], 1).unwrap();
        let mut liar = honest.clone();
        let place = liar.windows(4).position(|bytes| bytes == 70_000_u32.to_le_bytes()).unwrap();
        liar[place..place + 4].copy_from_slice(&60_000_u32.to_le_bytes());
        assert!(decode_rows(Compression::Zstd, &liar).is_err());
    }

    #[test]
    fn inconsistent_tables_are_refused_with_their_place() {
        let mut short = sample();
        short.rows = 4;
        let mut twice = sample();
        twice.columns[1].name = "a".to_owned();
        let mut untyped = sample();
        untyped.columns[0].values = None;
        let mut nulls = sample();
        nulls.columns[0].nulls = vec![0; 2];
        for (table, reason) in [(short, "3 values for 4 rows"), (twice, "twice"), (untyped, "type"), (nulls, "nulls")] {
            let payload = Rows { tables: vec![table] }.encode_to_vec();
            let error = decode_rows(Compression::None, &payload).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("\"a\""), "{error}");
        }
        assert!(decode_rows(Compression::Zstd, b"not zstd").is_err());
    }
}
