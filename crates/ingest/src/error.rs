//! Why rows were not taken, for the protocols to say in their own words.

use std::fmt;
use std::time::Duration;

use watchkeeper_store::{AppendError, StoreError};

/// One row that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// Position in the request, from 0.
    pub row: usize,
    /// The column or property; empty where the row as a whole is wrong.
    pub column: String,
    pub reason: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column.as_str() {
            "" => write!(f, "row {}: {}", self.row, self.reason),
            column => write!(f, "row {}, column {column}: {}", self.row, self.reason),
        }
    }
}

/// Why a payload was not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IngestError {
    /// The payload is not what the protocol says.
    #[error("{0}")]
    Format(String),
    /// Rows that do not fit; none of the payload was stored. The first ones are described.
    #[error("{}", describe(.first, *.count))]
    Rows { first: Vec<RowError>, count: usize },
    /// The payload, or what it becomes when it is decompressed, is too large.
    #[error("the request has more than {limit} bytes")]
    TooLarge { limit: usize },
    /// The rows need a table or columns that cannot be.
    #[error("table {table}: {reason}")]
    Schema { table: String, reason: String },
    /// Too much is waiting to be written.
    #[error("too much is waiting to be written; retry after {} s", retry_after.as_secs())]
    BackPressure { retry_after: Duration },
    /// Rows cannot be stored now.
    #[error("rows cannot be stored now: {reason}")]
    Unavailable { reason: String },
}

fn describe(first: &[RowError], count: usize) -> String {
    let mut text = first.iter().map(RowError::to_string).collect::<Vec<_>>().join("; ");
    if count > first.len() {
        text.push_str(&format!("; and {} more", count - first.len()));
    }
    text
}

impl IngestError {
    /// Whether sending the same again can never work.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, IngestError::BackPressure { .. } | IngestError::Unavailable { .. })
    }
}

impl From<AppendError> for IngestError {
    fn from(error: AppendError) -> IngestError {
        match error {
            AppendError::UnknownTable(table) => IngestError::Schema { table, reason: "there is no such table".into() },
            AppendError::UnknownColumn { table, column } => {
                IngestError::Schema { table, reason: format!("there is no column {column}") }
            }
            AppendError::Schema { table, reason } => IngestError::Schema { table, reason },
            AppendError::BackPressure { retry_after, .. } => IngestError::BackPressure { retry_after },
            other => IngestError::Unavailable { reason: other.to_string() },
        }
    }
}

impl From<StoreError> for IngestError {
    fn from(error: StoreError) -> IngestError {
        match error {
            StoreError::Schema { table, reason } => IngestError::Schema { table, reason },
            other => IngestError::Unavailable { reason: other.to_string() },
        }
    }
}
