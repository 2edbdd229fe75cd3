//! Delta tables that other programs wrote: which files and columns the newest version has.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;

use crate::error::StoreError;

/// The newest version of a Delta table.
#[derive(Debug, Clone)]
pub struct ForeignTable {
    /// All columns, those of the partitions too.
    pub schema: SchemaRef,
    /// The columns whose values are in the log and not in the files.
    pub partition_columns: Vec<String>,
    pub files: Vec<ForeignFile>,
}

/// One Parquet file of a Delta table.
#[derive(Debug, Clone)]
pub struct ForeignFile {
    pub path: PathBuf,
    pub size: u64,
    /// The text of each partition column's value, as the Delta protocol writes it.
    pub partition_values: HashMap<String, Option<String>>,
}

/// Whether a folder is a Delta table.
pub fn is_delta_table(folder: &Path) -> bool {
    folder.join("_delta_log").is_dir()
}

/// Replays the log of a Delta table in `folder`. A table whose rows cannot be told from its files alone (deletion
/// vectors, mapped column names) is refused.
pub async fn read_foreign_table(folder: &Path) -> Result<ForeignTable, StoreError> {
    let name = folder.display().to_string();
    let wrong = |reason: String| StoreError::Delta { table: name.clone(), action: "reading the Delta log", reason };
    let opened = super::log::open(&name, folder).await?;
    let state = opened.snapshot().map_err(|error| wrong(error.to_string()))?;
    let metadata = state.metadata();
    if let Some(mode) = metadata.configuration().get("delta.columnMapping.mode").filter(|mode| *mode != "none") {
        return Err(wrong(format!(
            "its columns are mapped to other names (delta.columnMapping.mode = {mode}), which cannot be read; rewrite \
             the table without column mapping"
        )));
    }
    let mut files = Vec::new();
    for view in state.log_data().iter() {
        let file = view.path().into_owned();
        if view.deletion_vector_descriptor().is_some() {
            return Err(wrong(format!(
                "file {file} has a deletion vector, which cannot be read; run REORG TABLE … APPLY (PURGE) where the \
                 table is written"
            )));
        }
        if file.contains("://") {
            return Err(wrong(format!("file {file} lies outside of the folder, which cannot be read")));
        }
        files.push(ForeignFile {
            path: folder.join(&file),
            size: view.size().try_into().unwrap_or(0),
            partition_values: view.partition_values_map(),
        });
    }
    Ok(ForeignTable {
        schema: state.snapshot().arrow_schema(),
        partition_columns: metadata.partition_columns().to_vec(),
        files,
    })
}
