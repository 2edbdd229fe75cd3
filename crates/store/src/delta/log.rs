//! A table's Delta log. Commits are written here, because each must be synced before the write-ahead log forgets
//! its rows; replaying a log and writing checkpoints is the `deltalake` library's work.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{NaiveDate, Utc};
use deltalake_core::{DeltaTable, DeltaTableBuilder, checkpoints};
use serde_json::{Value, json};
use watchkeeper_kql::{Column, Type};

use super::file::INDEX_FOLDER;
use super::{DataFile, FileStatistics};
use crate::error::StoreError;
use crate::io::Io;
use crate::schema::{KQL_TYPE, PARTITION_COLUMN, TableSchema};
use crate::wal::segment::Lsn;

const LOG_FOLDER: &str = "_delta_log";

/// The newest version of a table that has been committed, without its files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    /// `None` before the first commit.
    pub version: Option<u64>,
    /// How many of the table's columns the Delta schema has.
    pub columns: usize,
    /// The table's Delta id; stays the same for ever.
    pub id: String,
    /// Up to which position the log's records are in files.
    pub flushed: Lsn,
    pub created: i64,
}

/// What one commit changes.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub operation: &'static str,
    pub add: &'a [Arc<DataFile>],
    pub remove: &'a [Arc<DataFile>],
    /// The rows themselves change (flush, retention), not only their files (compaction).
    pub data_change: bool,
    /// Records up to here are in files with this commit.
    pub flushed: Option<Lsn>,
}

/// Commits and syncs the next version; returns the new head.
pub(crate) fn commit(
    io: &dyn Io,
    folder: &Path,
    node: &str,
    schema: &TableSchema,
    head: &Head,
    change: &Change<'_>,
) -> Result<Head, StoreError> {
    let mut next = head.clone();
    let now = Utc::now().timestamp_millis();
    let mut actions = vec![json!({"commitInfo": {
        "timestamp": now,
        "operation": change.operation,
        "operationParameters": {},
        "engineInfo": concat!("watchkeeper/", env!("CARGO_PKG_VERSION")),
    }})];
    if head.version.is_none() {
        next.id = uuid::Uuid::new_v4().to_string();
        next.created = now;
        actions.push(json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
    }
    if head.version.is_none() || head.columns != schema.columns.len() {
        next.columns = schema.columns.len();
        actions.push(metadata(schema, &next));
    }
    if let Some(flushed) = change.flushed {
        next.flushed = flushed;
        actions.push(json!({"txn": {"appId": node, "version": flushed, "lastUpdated": now}}));
    }
    for file in change.remove {
        actions.push(json!({"remove": {
            "path": file.name,
            "deletionTimestamp": now,
            "dataChange": change.data_change,
            "extendedFileMetadata": true,
            "partitionValues": {PARTITION_COLUMN: file.date.to_string()},
            "size": file.size,
        }}));
    }
    for file in change.add {
        actions.push(json!({"add": {
            "path": file.name,
            "partitionValues": {PARTITION_COLUMN: file.date.to_string()},
            "size": file.size,
            "modificationTime": now,
            "dataChange": change.data_change,
            "stats": file.statistics.to_json(&schema.columns),
        }}));
    }
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    let version = head.version.map_or(0, |version| version + 1);
    let log = folder.join(LOG_FOLDER);
    let path = log.join(format!("{version:020}.json"));
    let error = |source: io::Error| StoreError::Io { action: "commit", path: path.clone(), source };
    if version == 0 {
        io.create_dir_all(&log).map_err(error)?;
        io.sync_dir(folder).map_err(error)?;
    }
    io.write_new(&path, (lines.join("\n") + "\n").as_bytes()).map_err(error)?;
    next.version = Some(version);
    Ok(next)
}

fn metadata(schema: &TableSchema, head: &Head) -> Value {
    let field = |name: &str, ty: &str, metadata: Value| json!({"name": name, "type": ty, "nullable": true, "metadata": metadata});
    let mut fields: Vec<Value> = schema
        .columns
        .iter()
        .map(|column| field(&column.name, delta_type(column.ty), json!({KQL_TYPE: column.ty.name()})))
        .collect();
    fields.push(field(PARTITION_COLUMN, "date", json!({})));
    json!({"metaData": {
        "id": head.id,
        "name": schema.name,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json!({"type": "struct", "fields": fields}).to_string(),
        "partitionColumns": [PARTITION_COLUMN],
        "configuration": {},
        "createdTime": head.created,
    }})
}

fn delta_type(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "boolean",
        Type::Int => "integer",
        Type::Long | Type::Timespan => "long",
        Type::Real => "double",
        Type::Decimal => "decimal(38,18)",
        Type::Datetime => "timestamp",
        Type::String | Type::Guid | Type::Dynamic => "string",
    }
}

/// Whether the table has ever been committed to.
pub(crate) fn exists(io: &dyn Io, folder: &Path) -> Result<bool, StoreError> {
    let log = folder.join(LOG_FOLDER);
    let entries = io.list(&log).map_err(StoreError::io("list", &log))?;
    Ok(entries.iter().any(|entry| entry.path.extension().is_some_and(|extension| extension == "json")))
}

/// Makes the newest commit survive a power cut.
pub(crate) fn sync(io: &dyn Io, folder: &Path) -> Result<(), StoreError> {
    let log = folder.join(LOG_FOLDER);
    io.sync_dir(&log).map_err(StoreError::io("sync", &log))
}

pub(super) async fn open(table: &str, folder: &Path) -> Result<DeltaTable, StoreError> {
    let delta = |error: deltalake_core::DeltaTableError| StoreError::Delta {
        table: table.to_owned(),
        action: "reading the Delta log",
        reason: error.to_string(),
    };
    let folder = std::path::absolute(folder).map_err(StoreError::io("find", folder))?;
    let url = deltalake_core::ensure_table_uri(folder.to_string_lossy()).map_err(delta)?;
    DeltaTableBuilder::from_url(url).map_err(delta)?.load().await.map_err(delta)
}

/// Replays a table's log: its head and its files.
pub(crate) async fn load(
    io: &dyn Io,
    table: &str,
    folder: &Path,
    node: &str,
    columns: &[Column],
) -> Result<(Head, Vec<Arc<DataFile>>), StoreError> {
    let delta = |error: deltalake_core::DeltaTableError| StoreError::Delta {
        table: table.to_owned(),
        action: "reading the Delta log",
        reason: error.to_string(),
    };
    let opened = open(table, folder).await?;
    let state = opened.snapshot().map_err(delta)?;
    let log_store = opened.log_store();
    let flushed = state.transaction_version(log_store.as_ref(), node).await.map_err(delta)?;
    let metadata = state.metadata();
    let head = Head {
        version: Some(state.version()),
        columns: state.schema().fields().len().saturating_sub(1),
        id: metadata.id().to_owned(),
        flushed: flushed.and_then(|version| Lsn::try_from(version).ok()).unwrap_or(0),
        created: metadata.created_time().unwrap_or(0),
    };
    let index_folder = folder.join(INDEX_FOLDER);
    let indexes = io.list(&index_folder).map_err(StoreError::io("list", &index_folder))?;
    let indexes: std::collections::HashSet<PathBuf> = indexes.into_iter().map(|entry| entry.path).collect();
    let mut files = Vec::new();
    for view in state.log_data().iter() {
        let name = view.path().into_owned();
        let date = view.partition_values_map().get(PARTITION_COLUMN).cloned().flatten();
        let date = date.and_then(|date| date.parse::<NaiveDate>().ok());
        let Some(date) = date else {
            return Err(StoreError::Delta {
                table: table.to_owned(),
                action: "reading the Delta log",
                reason: format!("file {name} has no {PARTITION_COLUMN}"),
            });
        };
        let statistics = FileStatistics::from_json(&view.stats().unwrap_or_default(), columns);
        let path = folder.join(&name);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let index = index_folder.join(format!("{stem}.terms"));
        files.push(Arc::new(DataFile {
            size: view.size().try_into().unwrap_or(0),
            rows: view.num_records().unwrap_or(0) as u64,
            date,
            statistics,
            term_index: indexes.contains(&index).then_some(index),
            path,
            name,
        }));
    }
    Ok((head, files))
}

/// Writes a checkpoint of the newest version, so that readers need not replay the log from its beginning.
pub(crate) async fn checkpoint(io: &dyn Io, table: &str, folder: &Path) -> Result<(), StoreError> {
    let delta = |error: deltalake_core::DeltaTableError| StoreError::Delta {
        table: table.to_owned(),
        action: "writing a checkpoint",
        reason: error.to_string(),
    };
    let opened = open(table, folder).await?;
    checkpoints::create_checkpoint(&opened, None).await.map_err(delta)?;
    // the library does not sync; log entries that the checkpoint stands for must not go before it is safe
    let log = folder.join(LOG_FOLDER);
    for entry in io.list(&log).map_err(StoreError::io("list", &log))? {
        if entry.path.to_string_lossy().contains("checkpoint") {
            io.sync_file(&entry.path).map_err(StoreError::io("sync", &entry.path))?;
        }
    }
    sync(io, folder)?;
    checkpoints::cleanup_metadata(&opened, None).await.map_err(delta)?;
    sync(io, folder)
}
