//! Writing and reading a table's Parquet files: sorted by `TimeGenerated`, one UTC day a file, a term index beside.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{concat_batches, sort_to_indices, take_record_batch};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::{DataFile, FileStatistics};
use crate::error::StoreError;
use crate::hot::pad;
use crate::io::{Io, IoFile};
use crate::limits::{ROW_GROUP_ROWS, STATISTICS_TEXT_CHARS};
use crate::schema::TIME_GENERATED;
use crate::term_index::TermIndexBuilder;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// The folder of the term indexes in a table's folder; Delta's own vacuum leaves names with an underscore alone.
pub(crate) const INDEX_FOLDER: &str = "_index";

/// Sorts rows by time and cuts them at the days' borders (UTC).
pub(crate) fn sort_into_days(
    table: &str,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<Vec<(NaiveDate, RecordBatch)>, StoreError> {
    let arrow = |source| StoreError::Arrow { table: table.to_owned(), action: "sorting rows by time", source };
    let rows = concat_batches(schema, batches).map_err(arrow)?;
    let column = rows.column_by_name(TIME_GENERATED).expect("every table has the standard columns");
    let sorted = if column.as_primitive::<TimestampMicrosecondType>().values().is_sorted() {
        rows
    } else {
        let order = sort_to_indices(column, None, None).map_err(arrow)?;
        take_record_batch(&rows, &order).map_err(arrow)?
    };
    let times = sorted.column_by_name(TIME_GENERATED).expect("as above").as_primitive::<TimestampMicrosecondType>();
    let mut days = Vec::new();
    let mut from = 0;
    while from < times.len() {
        let day = times.value(from).div_euclid(MICROS_PER_DAY);
        let len = times.values()[from..].partition_point(|time| time.div_euclid(MICROS_PER_DAY) == day);
        let date = DateTime::from_timestamp(day.saturating_mul(86_400), 0).map(|time| time.date_naive());
        let date = date.ok_or_else(|| StoreError::Schema {
            table: table.to_owned(),
            reason: format!("{TIME_GENERATED} {} µs since 1970 is outside the calendar", times.value(from)),
        })?;
        days.push((date, sorted.slice(from, len)));
        from += len;
    }
    Ok(days)
}

/// What became of the bytes that a Parquet writer gave to its sink.
#[derive(Default)]
struct Outcome {
    size: u64,
    /// The operating system's error, which the Parquet writer turns into text; a full disk must be seen as one.
    error: Option<io::Error>,
}

struct Sink<'a> {
    file: Box<dyn IoFile>,
    outcome: &'a mut Outcome,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(written) => {
                self.outcome.size += written as u64;
                Ok(written)
            }
            Err(error) => {
                self.outcome.error = Some(io::Error::new(error.kind(), error.to_string()));
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes and syncs a day's sorted rows. Nobody knows of the file before a Delta commit names it.
pub(crate) fn write_data_file(
    io: &dyn Io,
    table: &str,
    folder: &Path,
    date: NaiveDate,
    rows: &RecordBatch,
) -> Result<DataFile, StoreError> {
    let stem = format!("part-{}", uuid::Uuid::now_v7().simple());
    let day = folder.join(format!("date={date}"));
    let path = day.join(format!("{stem}.parquet"));
    let index_folder = folder.join(INDEX_FOLDER);
    let index_path = index_folder.join(format!("{stem}.terms"));
    let result = (|| {
        let io_error = |source| StoreError::Io { action: "write", path: path.clone(), source };
        for new in [&day, &index_folder] {
            io.create_dir_all(new).map_err(io_error)?;
        }
        io.sync_dir(folder).map_err(io_error)?;
        let size = write_parquet(io, table, &path, rows)?;
        let mut builder = TermIndexBuilder::default();
        builder.add(rows);
        let index = builder.finish();
        let mut file = io.create(&index_path).map_err(StoreError::io("create", &index_path))?;
        file.write_all(&index).and_then(|()| file.sync()).map_err(StoreError::io("write", &index_path))?;
        for new in [&day, &index_folder] {
            io.sync_dir(new).map_err(io_error)?;
        }
        Ok(DataFile {
            name: format!("date={date}/{stem}.parquet"),
            path: path.clone(),
            size,
            rows: rows.num_rows() as u64,
            date,
            statistics: FileStatistics::of(rows),
            term_index: Some(index_path.clone()),
        })
    })();
    if result.is_err() {
        // on a full disk every byte counts; what stays is removed by vacuum
        let _ = io.remove(&path);
        let _ = io.remove(&index_path);
    }
    result
}

/// How the data files of a table are written.
pub fn parquet_properties(schema: &SchemaRef) -> WriterProperties {
    let time = schema.index_of(TIME_GENERATED).unwrap_or_default() as i32;
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).expect("level 3 exists")))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(STATISTICS_TEXT_CHARS))
        .set_sorting_columns(Some(vec![SortingColumn { column_idx: time, descending: false, nulls_first: false }]))
        .set_created_by(format!("watchkeeper {}", env!("CARGO_PKG_VERSION")))
        .build()
}

fn write_parquet(io: &dyn Io, table: &str, path: &Path, rows: &RecordBatch) -> Result<u64, StoreError> {
    let properties = parquet_properties(&rows.schema());
    let file = io.create(path).map_err(StoreError::io("create", path))?;
    let mut outcome = Outcome::default();
    let sink = Sink { file, outcome: &mut outcome };
    let written = ArrowWriter::try_new(sink, rows.schema(), Some(properties)).and_then(|mut writer| {
        writer.write(rows)?;
        writer.into_inner()?.file.sync().map_err(|error| {
            let error = io::Error::new(error.kind(), format!("sync: {error}"));
            parquet::errors::ParquetError::External(Box::new(error))
        })
    });
    match (written, outcome.error) {
        (Ok(()), _) => Ok(outcome.size),
        (Err(_), Some(source)) => Err(StoreError::Io { action: "write", path: path.to_owned(), source }),
        (Err(source), None) => Err(StoreError::Parquet { table: table.to_owned(), action: "writing a file", source }),
    }
}

/// Reads a file's rows whole, with the columns of today's schema.
pub(crate) fn read_data_file(
    io: &dyn Io,
    table: &str,
    file: &DataFile,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>, StoreError> {
    let parquet = |source| StoreError::Parquet { table: table.to_owned(), action: "reading a file", source };
    let arrow = |source| StoreError::Arrow { table: table.to_owned(), action: "reading a file", source };
    let bytes = Bytes::from(io.read(&file.path).map_err(StoreError::io("read", &file.path))?);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(parquet)?;
    let reader = reader.with_batch_size(8192).build().map_err(parquet)?;
    let mut batches = Vec::new();
    for batch in reader {
        let batch = pad(&batch.map_err(arrow)?, schema).map_err(arrow)?;
        batches.push(RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec()).map_err(arrow)?);
    }
    Ok(batches)
}
