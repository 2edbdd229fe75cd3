//! Tables on disk: schemas, write-ahead log, hot rows, Delta files, term index, compaction, retention.
//! Nothing is acknowledged before it is synced; nothing acknowledged is lost or stored twice.

mod delta;
mod error;
mod flush;
mod hot;
pub mod io;
pub mod limits;
mod schema;
mod store;
mod table;
mod term_index;
mod upkeep;
mod wal;

pub use delta::{
    Bound, ColumnStatistics, DataFile, FileStatistics, ForeignFile, ForeignTable, is_delta_table, parquet_properties,
    read_foreign_table,
};
pub use error::{AppendError, StoreError};
pub use schema::{
    KQL_TYPE, PARTITION_COLUMN, Retention, STANDARD_COLUMNS, TIME_GENERATED, TableSchema, arrow_schema, storage_field,
    storage_type,
};
pub use store::{Append, Room, Store, StoreOptions};
pub use table::{TableInfo, TableSnapshot};
pub use term_index::{TermIndex, TermIndexBuilder};
pub use wal::BatchId;
pub use wal::writer::Appended;
