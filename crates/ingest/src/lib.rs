//! From protocol payloads to checked batches in the store. Knows the protocols' bodies and rules; opens no HTTP routes.

pub mod agents;
pub mod arrow_rows;
pub mod body;
pub mod data_collector;
pub mod error;
pub mod limits;
pub mod logs_ingestion;
pub mod otlp;
mod remote_ends;
pub mod remote_write;
pub mod rows;
pub mod standard_tables;
pub mod syslog;
mod writer;

pub use error::{IngestError, RowError};
pub use rows::{Options, RowsBuilder, TableRows, TimePolicy, Unknown};
pub use standard_tables::{STANDARD_TABLES, StandardTable, ensure_standard_tables, standard_table};
pub use writer::Ingest;
