//! Queries of a program over what it has: record batches in memory and files, without a store or a server.
//!
//! [`Local`] is all that most programs need. What it is made of can be used by itself: [`LocalTables`] with an
//! [`Engine`] whose limits are one's own, and [`record_batches`] for results as Arrow has them everywhere.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Schema, Ticks};

use crate::engine::{Engine, EngineOptions, Request, Response};
use crate::error::QueryError;
use crate::scan::{BatchesTable, FileTables};
use crate::tables::Tables;

pub use crate::shape::exchange::{exchange_schema, record_batches};

/// Memory that the queries of an engine have, unless it is told otherwise.
const DEFAULT_MEMORY: usize = 1 << 30;
/// How long a query runs, unless it is told otherwise.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(600);

/// Tables by name, and an engine that runs queries over them.
pub struct Local {
    engine: Engine,
    tables: Arc<LocalTables>,
}

impl Local {
    /// An engine for these tables, with the limits of [`EngineOptions::default`].
    #[must_use]
    pub fn new(tables: LocalTables) -> Local {
        Local { engine: Engine::new(EngineOptions::default()), tables: Arc::new(tables) }
    }

    /// Runs a query with the limits of [`Request::default`].
    ///
    /// # Errors
    /// When the text has a mistake, or the query cannot be run or passes a limit.
    pub async fn run(&self, text: &str) -> Result<Response, QueryError> {
        self.request(text, Request::default()).await
    }

    /// Runs a query.
    ///
    /// # Errors
    /// When the text has a mistake, or the query cannot be run, passes a limit or is cancelled.
    pub async fn request(&self, text: &str, request: Request) -> Result<Response, QueryError> {
        self.engine.run(text, Arc::clone(&self.tables) as Arc<dyn Tables>, request).await
    }
}

/// Tables over record batches and over files, by name.
#[derive(Debug, Default)]
pub struct LocalTables {
    batches: Vec<(String, Arc<BatchesTable>)>,
    files: FileTables,
}

impl LocalTables {
    /// Adds batches as a table. Every Arrow type becomes a type of the language: integers int or long, times of any
    /// unit datetime (without a zone they are taken as UTC), durations timespan, text of any kind string, dictionaries
    /// what their values are, lists and structs dynamic.
    ///
    /// # Errors
    /// When there is a table of this name, two columns have one name, or a batch has other columns than `schema`.
    pub fn add(&mut self, name: &str, schema: SchemaRef, batches: &[RecordBatch]) -> Result<(), QueryError> {
        self.insert(name, BatchesTable::new(schema, batches))
    }

    /// Adds a table that has columns and no rows: enough to check a text.
    ///
    /// # Errors
    /// When there is a table of this name, or two columns have one name.
    pub fn add_empty(&mut self, name: &str, schema: Schema) -> Result<(), QueryError> {
        self.insert(name, BatchesTable::empty(schema))
    }

    /// Adds Parquet, CSV or JSON-lines files as a table: a file, a folder, a pattern such as `logs/*.parquet`, or the
    /// folder of a Delta table.
    ///
    /// # Errors
    /// When there is a table of this name, or the path has no files that can be read as one table.
    pub async fn add_path(&mut self, name: &str, path: &str) -> Result<(), QueryError> {
        self.refuse_known(name)?;
        self.files.add(name, path).await
    }

    fn insert(&mut self, name: &str, table: Result<BatchesTable, QueryError>) -> Result<(), QueryError> {
        self.refuse_known(name)?;
        let table = table.map_err(|error| QueryError::execution(format!("table {name}: {error}")))?;
        self.batches.push((name.to_owned(), Arc::new(table)));
        Ok(())
    }

    fn refuse_known(&self, name: &str) -> Result<(), QueryError> {
        match self.names().iter().any(|known| known == name) {
            true => Err(QueryError::execution(format!("the table {name} is given twice"))),
            false => Ok(()),
        }
    }

    fn get(&self, source: &TableSource, name: &str) -> Option<&Arc<BatchesTable>> {
        match source {
            TableSource::Local => self.batches.iter().find(|(known, _)| known == name).map(|(_, table)| table),
            _ => None,
        }
    }
}

impl Tables for LocalTables {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.batches.iter().map(|(name, _)| name.clone()).collect();
        names.extend(self.files.names());
        names
    }

    fn schema(&self, source: &TableSource, name: &str) -> Option<Schema> {
        match self.get(source, name) {
            Some(table) => Some(table.schema.clone()),
            None => self.files.schema(source, name),
        }
    }

    fn provider(&self, source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        match self.get(source, name) {
            Some(table) => Ok(Arc::clone(table) as Arc<dyn TableProvider>),
            None => self.files.provider(source, name),
        }
    }
}

impl Default for EngineOptions {
    /// One GiB of memory, spilling to the folder for temporary files, and all processors.
    fn default() -> EngineOptions {
        EngineOptions {
            memory_limit: DEFAULT_MEMORY,
            spill_dir: std::env::temp_dir(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Default for Request {
    /// The query as it is, now, for ten minutes at most, with all its rows.
    fn default() -> Request {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Request {
            timespan: None,
            parameters: std::collections::BTreeMap::new(),
            now: Ticks::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX)),
            deadline: DEFAULT_DEADLINE,
            max_rows: usize::MAX,
            max_bytes: usize::MAX,
            cancel: CancellationToken::new(),
            plan: false,
        }
    }
}
