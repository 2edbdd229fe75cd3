//! Records that are kept whole as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::StateError;

pub(crate) fn write<T: Serialize>(what: &'static str, record: &T) -> Result<String, StateError> {
    serde_json::to_string(record).map_err(|source| StateError::Document { what, source })
}

pub(crate) fn parse<T: DeserializeOwned>(what: &'static str, document: &str) -> Result<T, StateError> {
    serde_json::from_str(document).map_err(|source| StateError::Document { what, source })
}

/// The record in a column.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, row: &AnyRow, column: usize) -> Result<T, StateError> {
    parse(what, row.try_get::<&str, _>(column)?)
}

pub(crate) fn read_all<T: DeserializeOwned>(
    what: &'static str,
    rows: &[AnyRow],
    column: usize,
) -> Result<Vec<T>, StateError> {
    rows.iter().map(|row| read(what, row, column)).collect()
}
