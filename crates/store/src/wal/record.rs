//! One append as bytes: its batch identity, its time, and for each table the columns in Arrow IPC form without
//! a schema. Columns are only ever added, so their number says which of the table's columns these are.

use std::collections::HashMap;
use std::io::IoSlice;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow::ipc::{MetadataVersion, reader, root_as_message};

use super::BatchId;

/// Columns are padded to this many bytes: little, because many appends have few rows.
const ALIGNMENT: usize = 8;

/// An append read back from the log.
#[derive(Debug)]
pub(crate) struct Record {
    pub batch_id: Option<BatchId>,
    /// Microseconds since the Unix epoch when the append was taken.
    pub taken_at: i64,
    pub tables: Vec<(String, RecordBatch)>,
}

/// Encodes an append.
pub(crate) fn encode(
    batch_id: Option<&BatchId>,
    taken_at: i64,
    tables: &[(&str, &RecordBatch)],
) -> Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let size: usize = tables.iter().map(|(_, batch)| batch.get_array_memory_size()).sum();
    let mut out = Vec::with_capacity(size + 1024);
    out.push(u8::from(batch_id.is_some()));
    if let Some(id) = batch_id {
        put_text(&mut out, &id.sender);
        put_text(&mut out, &id.identity);
    }
    out.extend_from_slice(&taken_at.to_le_bytes());
    put_len(&mut out, tables.len());
    for (name, batch) in tables {
        let mut dictionaries = DictionaryTracker::new(false);
        let (_, data) =
            IpcDataGenerator::default().encode(batch, &mut dictionaries, &options, &mut Default::default())?;
        put_text(&mut out, name);
        put_len(&mut out, batch.num_columns());
        put_len(&mut out, data.ipc_message.len());
        put_len(&mut out, data.arrow_data.len());
        for part in [IoSlice::new(&data.ipc_message), IoSlice::new(&data.arrow_data)] {
            out.extend_from_slice(&part);
        }
    }
    Ok(out)
}

/// Decodes an append; `schema_of` gives a table's stored schema with its first `n` columns.
pub(crate) fn decode(bytes: &[u8], schema_of: impl Fn(&str, usize) -> Option<SchemaRef>) -> Result<Record, String> {
    let mut input = Input(bytes);
    let batch_id = match input.take(1)?[0] {
        0 => None,
        _ => Some(BatchId { sender: input.text()?, identity: input.text()? }),
    };
    let taken_at = i64::from_le_bytes(input.take(8)?.try_into().expect("eight bytes were taken"));
    let count = input.len()?;
    let mut tables = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let name = input.text()?;
        let columns = input.len()?;
        let (message, data) = (input.len()?, input.len()?);
        let (message, data) = (input.take(message)?, input.take(data)?);
        let schema = schema_of(&name, columns).ok_or_else(|| {
            format!("its rows are of table {name} with {columns} columns, which is not in the data folder")
        })?;
        let message = root_as_message(message).map_err(|error| error.to_string())?;
        let header = message.header_as_record_batch().ok_or("it holds no rows where rows were expected")?;
        let batch =
            reader::read_record_batch(&Buffer::from(data), header, schema, &HashMap::new(), None, &message.version())
                .map_err(|error| error.to_string())?;
        tables.push((name, batch));
    }
    Ok(Record { batch_id, taken_at, tables })
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    let len = u32::try_from(len).expect("appends are limited to less than 4 GiB");
    out.extend_from_slice(&len.to_le_bytes());
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Bytes still to be read.
pub(super) struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        if len > self.0.len() {
            return Err(format!("it ends {} bytes too early", len - self.0.len()));
        }
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        Ok(taken)
    }

    fn len(&mut self) -> Result<usize, String> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes were taken")) as usize)
    }

    pub(super) fn text(&mut self) -> Result<String, String> {
        let len = self.len()?;
        String::from_utf8(self.take(len)?.to_vec()).map_err(|_| "a name in it is not UTF-8".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{TableSchema, arrow_schema};
    use arrow::array::{Array, ArrayRef, StringViewArray, new_null_array};
    use std::sync::Arc;
    use watchkeeper_kql::{Column, Type};

    #[test]
    fn an_append_reads_back_as_written() {
        let columns = Type::ALL.iter().map(|ty| Column::new(format!("{ty}_c"), *ty));
        let schema = arrow_schema(&TableSchema::new("T", columns).unwrap());
        let rows: Vec<ArrayRef> = schema
            .fields()
            .iter()
            .map(|field| match field.data_type() {
                arrow::datatypes::DataType::Utf8View => {
                    Arc::new(StringViewArray::from_iter_values(["short", "", "much longer than twelve bytes"]))
                        as ArrayRef
                }
                other => new_null_array(other, 3),
            })
            .collect();
        let batch = RecordBatch::try_new(schema.clone(), rows).unwrap();
        let id = BatchId::new("agent", "17");
        let bytes = encode(Some(&id), 42, &[("T", &batch), ("U", &batch.slice(1, 2))]).unwrap();
        let find = |_: &str, columns: usize| (columns == schema.fields().len()).then(|| schema.clone());
        let record = decode(&bytes, find).unwrap();
        assert_eq!((record.batch_id, record.taken_at), (Some(id), 42));
        assert_eq!(record.tables[0], ("T".to_owned(), batch.clone()));
        assert_eq!(record.tables[1].1.column(2).len(), 2);
        assert_eq!(record.tables[1].1, batch.slice(1, 2));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut], find).is_err(), "cut at {cut}");
        }
    }
}
