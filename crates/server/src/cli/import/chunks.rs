//! A file in pieces of which each becomes one batch. Where the pieces begin and end depends on the content alone, so
//! that a second run has the same ones.

use std::fs::File;
use std::io::{BufRead, Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::StreamWriter;
use csv::ByteRecord;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ring::digest::{self, SHA256};

use super::input::{Format, Input, hex};

/// Rows of one piece.
const CHUNK_ROWS: usize = 20_000;
/// A piece ends when it has this many bytes, however few rows.
const CHUNK_BYTES: usize = 8 << 20;
/// A longer line is no row.
const LINE_BYTES: u64 = 32 << 20;

/// A piece of a file.
pub struct Chunk {
    pub number: u64,
    /// Of the content.
    pub digest: String,
    pub content: Content,
}

/// The rows of a piece, as they are in the file.
pub enum Content {
    Json(Lines),
    Syslog(Lines),
    Csv { header: Arc<Vec<String>>, records: Vec<ByteRecord> },
    Arrow { batch: RecordBatch, first_row: u64 },
}

/// Lines that are not blank.
#[derive(Default)]
pub struct Lines {
    text: Vec<u8>,
    /// The number of each in the file, from 1, and where it is.
    lines: Vec<(u64, Range<usize>)>,
}

impl Lines {
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(|(_, range)| &self.text[range.clone()])
    }
}

impl Content {
    pub fn rows(&self) -> usize {
        match self {
            Content::Json(lines) | Content::Syslog(lines) => lines.lines.len(),
            Content::Csv { records, .. } => records.len(),
            Content::Arrow { batch, .. } => batch.num_rows(),
        }
    }

    /// Where a row is, for a person: `12` for a line, `row 12` where there are no lines.
    pub fn place(&self, row: usize) -> String {
        match self {
            Content::Json(lines) | Content::Syslog(lines) => {
                lines.lines.get(row).map_or_else(String::new, |(line, _)| line.to_string())
            }
            Content::Csv { records, .. } => {
                let position = records.get(row).and_then(ByteRecord::position);
                position.map_or_else(String::new, |position| position.line().to_string())
            }
            Content::Arrow { first_row, .. } => format!("row {}", first_row + row as u64 + 1),
        }
    }
}

/// The pieces of a file, one after another.
pub struct Chunks {
    number: u64,
    source: Source,
}

enum Source {
    Lines { reader: Box<dyn BufRead + Send>, line: u64, is_syslog: bool },
    Csv { reader: csv::Reader<Box<dyn BufRead + Send>>, header: Arc<Vec<String>> },
    Parquet(Box<Parquet>),
}

struct Parquet {
    reader: ParquetRecordBatchReader,
    /// Pieces of the last batch, the next one last.
    pieces: Vec<RecordBatch>,
    row: u64,
    rows: u64,
    size: u64,
    count: Arc<AtomicU64>,
    counted: u64,
}

impl Chunks {
    /// Opens a file; bytes that are read are added to `count`.
    pub fn open(input: &Input, count: Arc<AtomicU64>) -> anyhow::Result<Chunks> {
        let source = match input.format {
            Format::Jsonl | Format::Syslog => {
                Source::Lines { reader: input.open(count)?, line: 0, is_syslog: input.format == Format::Syslog }
            }
            Format::Csv | Format::Tsv => {
                let delimiter = if input.format == Format::Tsv { b'\t' } else { b',' };
                let mut builder = csv::ReaderBuilder::new();
                let mut reader = builder.flexible(true).delimiter(delimiter).from_reader(input.open(count)?);
                let header = header(reader.headers().context("the header cannot be read")?)?;
                Source::Csv { reader, header: Arc::new(header) }
            }
            Format::Parquet => {
                let file = File::open(&input.path)?;
                let builder = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(CHUNK_ROWS);
                let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
                let reader = builder.build()?;
                let size = input.size;
                Source::Parquet(Box::new(Parquet { reader, pieces: Vec::new(), row: 0, rows, size, count, counted: 0 }))
            }
        };
        Ok(Chunks { number: 0, source })
    }

    /// The next piece; none at the end of the file.
    pub fn next(&mut self) -> anyhow::Result<Option<Chunk>> {
        let mut digest = digest::Context::new(&SHA256);
        let content = match &mut self.source {
            Source::Lines { reader, line, is_syslog } => {
                let lines = read_lines(reader.as_mut(), line)?;
                for text in lines.iter() {
                    update(&mut digest, text);
                }
                if *is_syslog { Content::Syslog(lines) } else { Content::Json(lines) }
            }
            Source::Csv { reader, header } => {
                let records = read_records(reader)?;
                for record in &records {
                    record.iter().for_each(|field| update(&mut digest, field));
                    update(&mut digest, b"\n");
                }
                Content::Csv { header: Arc::clone(header), records }
            }
            Source::Parquet(parquet) => {
                let Some(batch) = parquet.next()? else { return Ok(None) };
                StreamWriter::try_new(Digested(&mut digest), batch.schema_ref())?.write(&batch)?;
                let first_row = parquet.row;
                parquet.advance(batch.num_rows() as u64);
                Content::Arrow { batch, first_row }
            }
        };
        if content.rows() == 0 {
            return Ok(None);
        }
        let number = self.number;
        self.number += 1;
        Ok(Some(Chunk { number, digest: hex(digest.finish().as_ref()), content }))
    }
}

fn update(digest: &mut digest::Context, part: &[u8]) {
    digest.update(&(part.len() as u64).to_le_bytes());
    digest.update(part);
}

struct Digested<'a>(&'a mut digest::Context);

impl Write for Digested<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn read_lines(reader: &mut (dyn BufRead + Send), line: &mut u64) -> anyhow::Result<Lines> {
    let mut lines = Lines::default();
    while lines.lines.len() < CHUNK_ROWS && lines.text.len() < CHUNK_BYTES {
        let start = lines.text.len();
        let read = (&mut *reader).take(LINE_BYTES).read_until(b'\n', &mut lines.text);
        let read = read.with_context(|| format!("cannot read past line {line}"))?;
        if read == 0 {
            break;
        }
        *line += 1;
        if read as u64 == LINE_BYTES {
            bail!("line {line} has more than {LINE_BYTES} bytes");
        }
        let skipped = if *line == 1 && lines.text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let text = lines.text[start + skipped..].trim_ascii_end();
        let end = start + skipped + text.len();
        if text.trim_ascii_start().is_empty() {
            lines.text.truncate(start);
        } else {
            lines.lines.push((*line, start + skipped..end));
        }
    }
    Ok(lines)
}

fn header(record: &csv::StringRecord) -> anyhow::Result<Vec<String>> {
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    for (at, name) in record.iter().enumerate() {
        let name = match name.trim() {
            "" => format!("column_{}", at + 1),
            name => name.to_owned(),
        };
        if names.contains(&name) {
            bail!("the header has the column {name:?} twice");
        }
        names.push(name);
    }
    Ok(names)
}

fn read_records(reader: &mut csv::Reader<Box<dyn BufRead + Send>>) -> anyhow::Result<Vec<ByteRecord>> {
    let mut records = Vec::new();
    let mut bytes = 0;
    while records.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record)? {
            break;
        }
        bytes += record.as_slice().len();
        records.push(record);
    }
    Ok(records)
}

impl Parquet {
    fn next(&mut self) -> anyhow::Result<Option<RecordBatch>> {
        if self.pieces.is_empty() {
            let Some(batch) = self.reader.next().transpose()? else { return Ok(None) };
            let batch = own_texts(&batch)?;
            let pieces = batch.get_array_memory_size().div_ceil(2 * CHUNK_BYTES).clamp(1, batch.num_rows().max(1));
            let rows = batch.num_rows().div_ceil(pieces).max(1);
            let starts = (0..batch.num_rows()).step_by(rows);
            self.pieces = starts.map(|start| batch.slice(start, rows.min(batch.num_rows() - start))).collect();
            self.pieces.reverse();
        }
        Ok(self.pieces.pop())
    }

    fn advance(&mut self, rows: u64) {
        self.row += rows;
        let done = (u128::from(self.size) * u128::from(self.row) / u128::from(self.rows.max(1))) as u64;
        self.count.fetch_add(done.saturating_sub(self.counted), Ordering::Relaxed);
        self.counted = done.max(self.counted);
    }
}

/// Views share the pages of the file with other rows; texts of their own are what is counted and sent.
fn own_texts(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let field: &Field = field;
        match field.data_type() {
            DataType::Utf8View => {
                fields.push(field.clone().with_data_type(DataType::Utf8));
                arrays.push(cast(array, &DataType::Utf8)?);
            }
            _ => {
                fields.push(field.clone());
                arrays.push(Arc::clone(array));
            }
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(name: &str, text: &str) -> Vec<Chunk> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let input = Input::inspect(&path, None, "T_CL").unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let mut chunks = Chunks::open(&input, Arc::clone(&count)).unwrap();
        let found = std::iter::from_fn(|| chunks.next().unwrap()).collect();
        assert_eq!(count.load(Ordering::Relaxed), text.len() as u64);
        found
    }

    #[test]
    fn pieces_know_their_lines_and_are_the_same_again() {
        let text = format!("\u{feff}{{\"a\":0}}\r\n\n{}", "{\"a\":1}\n".repeat(CHUNK_ROWS));
        let (first, second) = (chunks("a.jsonl", &text), chunks("b.jsonl", &text));
        assert_eq!(first.iter().map(|chunk| chunk.content.rows()).collect::<Vec<_>>(), [CHUNK_ROWS, 1]);
        let digests = |chunks: &[Chunk]| chunks.iter().map(|chunk| chunk.digest.clone()).collect::<Vec<_>>();
        assert_eq!(digests(&first), digests(&second));
        assert_ne!(first[0].digest, first[1].digest);
        let Content::Json(lines) = &first[0].content else { panic!("not JSON") };
        assert_eq!(lines.iter().next().unwrap(), b"{\"a\":0}");
        assert_eq!((first[0].content.place(0), first[0].content.place(1)), ("1".into(), "3".into()));
        assert_eq!(first[1].content.place(0), (CHUNK_ROWS + 2).to_string());
    }

    #[test]
    fn records_of_several_lines_are_at_their_first() {
        let found = chunks("a.csv", "a,,b\n1,2,\"x\ny\"\n3,4,z\n");
        let Content::Csv { header, records } = &found[0].content else { panic!("not CSV") };
        assert_eq!(**header, ["a", "column_2", "b"]);
        assert_eq!(records.len(), 2);
        assert_eq!((found[0].content.place(0), found[0].content.place(1)), ("2".into(), "4".into()));
    }
}
