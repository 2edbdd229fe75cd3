//! One table in memory: its schema, its hot rows, the files of its newest version; and taking snapshots of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;

use crate::delta::DataFile;
use crate::delta::log::Head;
use crate::hot::{HotBatch, HotRows, pad};
use crate::schema::{TableSchema, arrow_schema};
use crate::wal::segment::Lsn;

/// A table as it was at one moment. Its files stay on disk while it lives.
#[derive(Debug, Clone)]
pub struct TableSnapshot {
    pub schema: Arc<TableSchema>,
    /// The stored form of the schema, which the hot rows have.
    pub arrow_schema: SchemaRef,
    /// Rows that are not in files yet, in the order of their arrival.
    pub hot: Vec<RecordBatch>,
    /// Rows in files; a file may lack columns that were added after it was written.
    pub files: Arc<Vec<Arc<DataFile>>>,
}

/// What a table is and how much it holds.
#[derive(Debug, Clone)]
pub struct TableInfo {
    pub schema: Arc<TableSchema>,
    pub rows: u64,
    pub files: usize,
    pub file_bytes: u64,
    pub hot_rows: u64,
    pub hot_bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub name: Arc<str>,
    pub folder: PathBuf,
    pub state: Mutex<TableState>,
    /// Held by whoever commits to the Delta log or changes the schema; never by appends and snapshots.
    pub writing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
pub(crate) struct TableState {
    pub schema: Arc<TableSchema>,
    pub arrow: SchemaRef,
    pub hot: HotRows,
    /// When the oldest hot row came.
    pub hot_since: Option<Instant>,
    pub files: Arc<Vec<Arc<DataFile>>>,
    /// Files that newer versions do not have; they go when no snapshot holds them and the grace is over.
    pub retired: Vec<Arc<DataFile>>,
    pub head: Head,
    /// A commit failed in a way that leaves open whether it happened; the log has to be read again first.
    pub uncertain: bool,
    pub commits_since_checkpoint: u64,
}

impl Table {
    pub fn new(folder: PathBuf, schema: TableSchema, head: Head, files: Vec<Arc<DataFile>>) -> Table {
        Table {
            name: schema.name.as_str().into(),
            folder,
            state: Mutex::new(TableState {
                arrow: arrow_schema(&schema),
                schema: Arc::new(schema),
                hot: HotRows::default(),
                hot_since: None,
                files: Arc::new(files),
                retired: Vec::new(),
                head,
                uncertain: false,
                commits_since_checkpoint: 0,
            }),
            writing: Arc::default(),
        }
    }

    /// Makes durable rows visible. Called in log order.
    pub fn publish(&self, lsn: Lsn, rows: RecordBatch, bytes: u64) {
        let mut state = self.state.lock();
        // a column may have been added between checking the rows and their sync
        let rows = pad(&rows, &state.arrow).expect("rows were checked against a beginning of this schema");
        state.hot_since.get_or_insert_with(Instant::now);
        state.hot.push(HotBatch { last: lsn, rows, bytes });
    }

    pub fn snapshot(&self) -> TableSnapshot {
        let state = self.state.lock();
        TableSnapshot {
            schema: state.schema.clone(),
            arrow_schema: state.arrow.clone(),
            hot: state.hot.batches().iter().map(|batch| batch.rows.clone()).collect(),
            files: state.files.clone(),
        }
    }

    pub fn info(&self) -> TableInfo {
        let state = self.state.lock();
        let hot_rows = state.hot.batches().iter().map(|batch| batch.rows.num_rows() as u64).sum();
        TableInfo {
            schema: state.schema.clone(),
            rows: hot_rows + state.files.iter().map(|file| file.rows).sum::<u64>(),
            files: state.files.len(),
            file_bytes: state.files.iter().map(|file| file.size).sum(),
            hot_rows,
            hot_bytes: state.hot.bytes(),
        }
    }

    /// Puts a new schema in the place of the old one, of which it is an extension.
    pub fn set_schema(&self, schema: TableSchema) {
        let mut state = self.state.lock();
        state.arrow = arrow_schema(&schema);
        state.schema = Arc::new(schema);
        let arrow = state.arrow.clone();
        state.hot.pad(&arrow).expect("hot rows have a beginning of this schema");
    }
}

impl TableState {
    /// Takes over a committed version: files come and go, flushed rows are no longer hot. Returns the bytes that
    /// the hot rows held.
    pub fn advance(&mut self, head: Head, add: &[Arc<DataFile>], remove: &[Arc<DataFile>]) -> u64 {
        let gone = |file: &Arc<DataFile>| remove.iter().any(|removed| removed.name == file.name);
        let mut files: Vec<_> = self.files.iter().filter(|file| !gone(file)).cloned().collect();
        files.extend_from_slice(add);
        self.files = Arc::new(files);
        self.retired.extend_from_slice(remove);
        let freed = self.hot.forget(head.flushed);
        self.hot_since = if self.hot.batches().is_empty() { None } else { Some(Instant::now()) };
        self.head = head;
        self.commits_since_checkpoint += 1;
        freed
    }
}
