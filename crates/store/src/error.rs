//! What can go wrong, said for the person who has to act on it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why the store could not be opened or could not do its own work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "write-ahead log segment {} is damaged at byte {offset} ({reason}), and acknowledged records follow the damage; \
         restore the file from a backup, or move it out of the folder to go on without its rows",
        path.display()
    )]
    CorruptLog { path: PathBuf, offset: u64, reason: String },
    #[error("cannot read {}: {reason}", path.display())]
    Corrupt { path: PathBuf, reason: String },
    #[error("table {table}: {reason}")]
    Schema { table: String, reason: String },
    #[error("there is no table named {0}")]
    UnknownTable(String),
    #[error("table {table}: {action} failed: {source}")]
    Arrow { table: String, action: &'static str, source: arrow::error::ArrowError },
    #[error("table {table}: {action} failed: {source}")]
    Parquet { table: String, action: &'static str, source: parquet::errors::ParquetError },
    #[error("table {table}: {action} failed: {reason}")]
    Delta { table: String, action: &'static str, reason: String },
    #[error("data folder {} is in use by another process; stop it first", .0.display())]
    Locked(PathBuf),
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.into();
        move |source| StoreError::Io { action, path, source }
    }

    /// Whether space has to be made before the same thing can work.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, StoreError::Io { source, .. } if is_disk_full(source))
    }
}

/// Why rows were not taken. Nothing of a refused append is visible or comes back later.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    #[error("there is no table named {0}")]
    UnknownTable(String),
    #[error("table {table} has no column named {column}")]
    UnknownColumn { table: String, column: String },
    #[error("table {table}: {reason}")]
    Schema { table: String, reason: String },
    #[error("{unflushed} bytes wait to be written to tables, the limit is {limit}; retry after {retry_after:?}")]
    BackPressure { unflushed: u64, limit: u64, retry_after: Duration },
    #[error("the disk is full: {reason}; everything acknowledged is kept, free space to go on")]
    DiskFull { reason: String },
    #[error("cannot write the log: {reason}")]
    Io { reason: String },
    #[error("the store is closed")]
    Closed,
}

/// Whether the error means "no space" or "no quota left".
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
