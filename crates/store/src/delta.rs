//! A table's files: Parquet under `date=YYYY-MM-DD/`, named by a Delta log that any Delta reader understands
//! (reader version 1, writer version 2, no features).

pub(crate) mod file;
pub(crate) mod foreign;
pub(crate) mod log;
pub(crate) mod statistics;

use std::path::PathBuf;

use chrono::NaiveDate;

pub use file::parquet_properties;
pub use foreign::{ForeignFile, ForeignTable, is_delta_table, read_foreign_table};
pub use statistics::{Bound, ColumnStatistics, FileStatistics};

/// One Parquet file of a table, sorted by `TimeGenerated`, with rows of one UTC day.
#[derive(Debug)]
pub struct DataFile {
    pub path: PathBuf,
    /// The path in the Delta log, relative to the table's folder.
    pub name: String,
    pub size: u64,
    pub rows: u64,
    pub date: NaiveDate,
    pub statistics: FileStatistics,
    /// The term index beside it, if there is one.
    pub term_index: Option<PathBuf>,
}
