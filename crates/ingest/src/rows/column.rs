//! One column while it is filled row by row: plain vectors that can be cut back when a row turns out bad, and that
//! become Arrow arrays in the stored form without copying texts again.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use watchkeeper_kql::Type;

use super::value::{Mismatch, Value};

/// Values of one column; missing rows are filled in lazily.
#[derive(Debug)]
pub struct ColumnBuilder {
    pub name: String,
    pub ty: Type,
    valid: Vec<bool>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Bool(Vec<bool>),
    Int(Vec<i32>),
    /// Also datetimes in microseconds since 1970 and timespans in ticks.
    Long(Vec<i64>),
    Real(Vec<f64>),
    /// Scaled by 10^18.
    Decimal(Vec<i128>),
    Text {
        bytes: Vec<u8>,
        ends: Vec<i32>,
    },
}

impl ColumnBuilder {
    pub fn new(name: impl Into<String>, ty: Type) -> ColumnBuilder {
        let values = match ty {
            Type::Bool => Values::Bool(Vec::new()),
            Type::Int => Values::Int(Vec::new()),
            Type::Long | Type::Datetime | Type::Timespan => Values::Long(Vec::new()),
            Type::Real => Values::Real(Vec::new()),
            Type::Decimal => Values::Decimal(Vec::new()),
            Type::String | Type::Guid | Type::Dynamic => Values::Text { bytes: Vec::new(), ends: vec![0] },
        };
        ColumnBuilder { name: name.into(), ty, valid: Vec::new(), values }
    }

    /// How many rows have been reached.
    pub fn reached(&self) -> usize {
        self.valid.len()
    }

    /// Whether a row has a value that is not null.
    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.get(row).copied().unwrap_or(false)
    }

    /// Bytes of the values, as they are billed and limited.
    pub fn bytes(&self) -> usize {
        match &self.values {
            Values::Bool(values) => values.len(),
            Values::Int(values) => values.len() * 4,
            Values::Long(values) => values.len() * 8,
            Values::Real(values) => values.len() * 8,
            Values::Decimal(values) => values.len() * 16,
            Values::Text { bytes, .. } => bytes.len(),
        }
    }

    /// Forgets this row and later ones.
    pub fn truncate(&mut self, rows: usize) {
        if self.valid.len() <= rows {
            return;
        }
        self.valid.truncate(rows);
        match &mut self.values {
            Values::Bool(values) => values.truncate(rows),
            Values::Int(values) => values.truncate(rows),
            Values::Long(values) => values.truncate(rows),
            Values::Real(values) => values.truncate(rows),
            Values::Decimal(values) => values.truncate(rows),
            Values::Text { bytes, ends } => {
                ends.truncate(rows + 1);
                bytes.truncate(ends[rows] as usize);
            }
        }
    }

    /// Fills nulls up to, not including, the row.
    pub fn pad(&mut self, rows: usize) {
        if self.valid.len() >= rows {
            return;
        }
        self.valid.resize(rows, false);
        match &mut self.values {
            Values::Bool(values) => values.resize(rows, false),
            Values::Int(values) => values.resize(rows, 0),
            Values::Long(values) => values.resize(rows, 0),
            Values::Real(values) => values.resize(rows, 0.0),
            Values::Decimal(values) => values.resize(rows, 0),
            Values::Text { ends, .. } => {
                let end = *ends.last().expect("there is always the first offset");
                ends.resize(rows + 1, end);
            }
        }
    }

    /// Sets the value of a row that is the last or a new one; a second value replaces the first.
    ///
    /// # Errors
    /// When the value has no meaning in the column's type. The row is then null.
    pub fn set(&mut self, row: usize, value: &Value<'_>, field_bytes: usize) -> Result<(), Mismatch> {
        self.truncate(row);
        self.pad(row);
        let result = self.push(value, field_bytes);
        if !matches!(result, Ok(true)) {
            self.pad(row + 1);
        }
        result.map(|_| ())
    }

    /// The number of a column of microseconds or ticks.
    pub fn set_long(&mut self, row: usize, value: i64) {
        self.truncate(row);
        self.pad(row);
        if let Values::Long(values) = &mut self.values {
            values.push(value);
            self.valid.push(true);
        }
    }

    /// The value of a row in a column of microseconds, ticks or longs.
    pub fn long(&self, row: usize) -> Option<i64> {
        match &self.values {
            Values::Long(values) if self.is_valid(row) => values.get(row).copied(),
            _ => None,
        }
    }

    /// True: a value was pushed; false: it was null.
    fn push(&mut self, value: &Value<'_>, field_bytes: usize) -> Result<bool, Mismatch> {
        if matches!(value, Value::Null) {
            return Ok(false);
        }
        let pushed = match &mut self.values {
            Values::Bool(values) => value.to_bool()?.map(|value| values.push(value)),
            Values::Int(values) => value.to_int()?.map(|value| values.push(value)),
            Values::Real(values) => value.to_real()?.map(|value| values.push(value)),
            Values::Decimal(values) => value.to_decimal()?.map(|value| values.push(value)),
            Values::Long(values) => match self.ty {
                Type::Datetime => value.to_datetime()?,
                Type::Timespan => value.to_timespan()?,
                _ => value.to_long()?,
            }
            .map(|value| values.push(value)),
            Values::Text { bytes, ends } => {
                let before = bytes.len();
                let written = match self.ty {
                    Type::Guid => value.write_guid(bytes)?,
                    Type::Dynamic => value.write_dynamic(bytes),
                    _ => value.write_text(bytes),
                };
                if self.ty == Type::String {
                    cut(bytes, before, field_bytes);
                }
                // what is past 2 GiB in one column cannot be addressed
                let end = i32::try_from(bytes.len()).map_err(|_| Mismatch::too_long())?;
                written.then(|| ends.push(end))
            }
        };
        if pushed.is_some() {
            self.valid.push(true);
        }
        Ok(pushed.is_some())
    }

    /// The column in the stored form, with this many rows.
    pub fn finish(mut self, rows: usize) -> ArrayRef {
        self.truncate(rows);
        self.pad(rows);
        let nulls = || self.valid.contains(&false).then(|| NullBuffer::from(self.valid.as_slice()));
        match self.values {
            Values::Bool(values) => Arc::new(BooleanArray::new(values.into(), nulls())),
            Values::Int(values) => Arc::new(Int32Array::new(values.into(), nulls())),
            Values::Real(values) => Arc::new(Float64Array::new(values.into(), nulls())),
            Values::Decimal(values) => Arc::new(
                Decimal128Array::new(values.into(), nulls())
                    .with_precision_and_scale(38, 18)
                    .expect("38 and 18 are allowed"),
            ),
            Values::Long(values) if self.ty == Type::Datetime => {
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls()).with_timezone("UTC"))
            }
            Values::Long(values) => Arc::new(Int64Array::new(values.into(), nulls())),
            Values::Text { bytes, ends } => {
                // strings are never null: a missing one is empty
                let nulls = if self.ty == Type::String {
                    None
                } else {
                    self.valid.contains(&false).then(|| NullBuffer::from(self.valid.as_slice()))
                };
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                let array = StringArray::new(offsets, Buffer::from_vec(bytes), nulls);
                Arc::new(StringViewArray::from(&array))
            }
        }
    }
}

/// Shortens what was written after `from` to at most this many bytes of whole characters.
fn cut(bytes: &mut Vec<u8>, from: usize, limit: usize) {
    if bytes.len() - from <= limit {
        return;
    }
    let mut end = from + limit;
    while end > from && bytes[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    bytes.truncate(end);
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::*;

    const LIMIT: usize = 8;

    #[test]
    fn rows_without_a_value_are_null_or_empty() {
        let mut text = ColumnBuilder::new("s", Type::String);
        let mut guid = ColumnBuilder::new("g", Type::Guid);
        text.set(2, &Value::Text("x"), LIMIT).unwrap();
        guid.set(1, &Value::Text("{6F1C2D0E-9D7E-4A57-8B3E-0D2F6A1B4C5D}"), LIMIT).unwrap();
        let (text, guid) = (text.finish(4), guid.finish(4));
        assert_eq!(text.as_string_view().iter().flatten().collect::<Vec<_>>(), ["", "", "x", ""]);
        assert_eq!(text.null_count(), 0);
        assert_eq!(guid.null_count(), 3);
        assert_eq!(guid.as_string_view().value(1), "6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut column = ColumnBuilder::new("s", Type::String);
        column.set(0, &Value::Text("123456789"), LIMIT).unwrap();
        column.set(1, &Value::Text("1234567é"), LIMIT).unwrap();
        let array = column.finish(2);
        assert_eq!(array.as_string_view().iter().flatten().collect::<Vec<_>>(), ["12345678", "1234567"]);
    }

    #[test]
    fn a_row_can_be_taken_back() {
        for ty in Type::ALL {
            let mut column = ColumnBuilder::new("c", ty);
            column.set(1, &Value::Null, LIMIT).unwrap();
            let good = match ty {
                Type::Bool => Value::Bool(true),
                Type::Datetime => Value::Text("2026-01-01"),
                Type::Timespan => Value::Text("1.00:00:00"),
                Type::Guid => Value::Text("6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d"),
                _ => Value::Long(7),
            };
            column.set(2, &good, LIMIT).unwrap();
            column.set(3, &good, LIMIT).unwrap();
            column.truncate(2);
            assert_eq!(column.reached(), 2, "{ty}");
            column.set(2, &good, LIMIT).unwrap();
            let array = column.finish(3);
            assert_eq!(array.len(), 3, "{ty}");
            assert!(array.is_valid(2), "{ty}");
        }
    }

    #[test]
    fn a_second_value_in_a_row_replaces_the_first() {
        let mut column = ColumnBuilder::new("n", Type::Long);
        column.set(0, &Value::Long(1), LIMIT).unwrap();
        column.set(0, &Value::Long(2), LIMIT).unwrap();
        assert!(column.set(1, &Value::Text("x"), LIMIT).is_err());
        assert_eq!(column.reached(), 2);
        let array = column.finish(2);
        assert_eq!(array.as_primitive::<arrow::datatypes::Int64Type>().value(0), 2);
        assert!(array.is_null(1));
    }
}
