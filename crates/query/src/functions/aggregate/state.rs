//! The state of one group, and how states travel between partitions.

use std::fmt::Debug;

use crate::functions::frame::value::Value;

/// What an aggregate keeps for one group.
pub trait State: Debug + Send + Sync {
    /// Takes a row: the cells of the arguments without the condition.
    fn update(&mut self, row: &[Value<'_>]);
    fn save(&self, out: &mut Vec<u8>);
    /// Adds what another state saved; none where the bytes are not such a state.
    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()>;
    /// One cell for each output.
    fn finish(&self) -> Vec<Value<'static>>;
    /// Bytes on the heap, roughly.
    fn size(&self) -> usize;
}

pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub fn put_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u64(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A cell with its type.
pub fn put_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.push(0),
        Value::Bool(value) => out.extend([1, u8::from(*value)]),
        Value::Int(value) => {
            out.push(2);
            put_i64(out, i64::from(*value));
        }
        Value::Long(value) => {
            out.push(3);
            put_i64(out, *value);
        }
        Value::Real(value) => {
            out.push(4);
            put_f64(out, *value);
        }
        Value::Decimal(value) => {
            out.push(5);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Datetime(value) => {
            out.push(6);
            put_i64(out, *value);
        }
        Value::Timespan(value) => {
            out.push(7);
            put_i64(out, *value);
        }
        Value::String(text) => {
            out.push(8);
            put_text(out, text);
        }
        Value::Guid(text) => {
            out.push(9);
            put_text(out, text);
        }
        Value::Dynamic(text) => {
            out.push(10);
            put_text(out, text);
        }
    }
}

/// Reads what the `put_` functions wrote.
pub struct Reader<'b> {
    bytes: &'b [u8],
}

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub fn i64(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub fn f64(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub fn text(&mut self) -> Option<&'b str> {
        let length = usize::try_from(self.u64()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    pub fn value(&mut self) -> Option<Value<'static>> {
        Some(match self.byte()? {
            0 => Value::Null,
            1 => Value::Bool(self.byte()? != 0),
            2 => Value::Int(i32::try_from(self.i64()?).ok()?),
            3 => Value::Long(self.i64()?),
            4 => Value::Real(self.f64()?),
            5 => Value::Decimal(i128::from_le_bytes(self.take(16)?.try_into().ok()?)),
            6 => Value::Datetime(self.i64()?),
            7 => Value::Timespan(self.i64()?),
            8 => Value::String(self.text()?.to_owned().into()),
            9 => Value::Guid(self.text()?.to_owned().into()),
            10 => Value::Dynamic(self.text()?.to_owned().into()),
            _ => return None,
        })
    }
}

/// Bytes on the heap of a cell.
pub fn heap_size(value: &Value<'_>) -> usize {
    value.text().len()
}
