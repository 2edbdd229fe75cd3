//! Running queries: text → typed tree → plans → results, with a memory limit, a deadline and a cancel handle.

mod advice;
mod bounded;
mod memory;
mod resolve;
mod run;
pub(crate) mod size;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use datafusion::execution::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::typed::{Query, QueryResult, Relation, Render};
use watchkeeper_kql::{Analysis, Catalog, Options, Schema, StoredFunction, Ticks, analyze};

use crate::error::QueryError;
use crate::tables::Tables;
use run::Effort;

/// How much an engine may use.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Bytes of memory for all running queries together. Each has an equal share; past it, it spills to disk, or fails
    /// where it cannot.
    pub memory_limit: usize,
    /// Where queries spill.
    pub spill_dir: PathBuf,
    /// Partitions that one query runs in.
    pub threads: usize,
}

/// Runs queries. One for the whole server.
pub struct Engine {
    options: EngineOptions,
    shares: Arc<memory::Shares>,
    state: Arc<SessionState>,
}

/// A range of time: from inclusive, to exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub from: Ticks,
    pub to: Ticks,
}

/// What a caller asks for beside the text.
#[derive(Debug, Clone)]
pub struct Request {
    /// Applies to the `TimeGenerated` of every table that is named.
    pub timespan: Option<TimeRange>,
    /// Values of declared query parameters, as text.
    pub parameters: BTreeMap<String, String>,
    /// The instant of `now()`.
    pub now: Ticks,
    pub deadline: Duration,
    /// Rows of all results together; more are cut off and reported.
    pub max_rows: usize,
    /// Bytes of all results together; more are cut off and reported.
    pub max_bytes: usize,
    pub cancel: CancellationToken,
    /// Whether the answer says by which plan it was computed.
    pub plan: bool,
}

/// One result of a query.
#[derive(Debug, Clone)]
pub struct ResultTable {
    pub name: String,
    pub schema: Schema,
    pub batches: Vec<RecordBatch>,
}

impl ResultTable {
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// What a query cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    pub rows_scanned: u64,
    pub bytes_scanned: u64,
    pub files_scanned: u64,
    /// Time spent computing, over all threads.
    pub cpu_time: Duration,
    pub elapsed: Duration,
    pub memory_peak: usize,
}

/// Why a result is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialFailure {
    pub code: &'static str,
    pub message: String,
}

/// The results of a query.
#[derive(Debug, Clone)]
pub struct Response {
    pub tables: Vec<ResultTable>,
    pub render: Option<Render>,
    pub statistics: Statistics,
    pub partial: Option<PartialFailure>,
    /// What would make the query faster, or keep it understood.
    pub advice: Vec<String>,
    /// The plans that ran, with the rows and the time of each step, where the request asked for them.
    pub plan: Option<String>,
    /// When it was done.
    pub finished: Ticks,
}

impl Engine {
    pub fn new(options: EngineOptions) -> Engine {
        let shares = memory::Shares::new(options.memory_limit);
        let state = Arc::new(run::common_state(options.threads, Effort::Full));
        Engine { options, shares, state }
    }

    /// An engine with the same memory for small queries of which many run at a time: each has one partition, and a plan
    /// that little is done to.
    #[must_use]
    pub fn for_small_queries(&self) -> Engine {
        let options = EngineOptions { threads: 1, ..self.options.clone() };
        let state = Arc::new(run::common_state(options.threads, Effort::Small));
        Engine { options, shares: Arc::clone(&self.shares), state }
    }

    /// Analyzes and runs a query text.
    pub async fn run(&self, text: &str, tables: Arc<dyn Tables>, request: Request) -> Result<Response, QueryError> {
        let mut options = Options { parameters: request.parameters.clone(), known: Vec::new() };
        loop {
            let analysis = analyze(text, &TablesCatalog(tables.as_ref()), &options)
                .map_err(|diagnostics| QueryError::Diagnostics { text: text.to_string(), diagnostics })?;
            match analysis {
                Analysis::Complete(query) => {
                    let advice = advice::advice(&query, text, request.timespan.is_some());
                    let response = self.run_typed(&query, tables, request).await?;
                    return Ok(Response { advice, ..response });
                }
                Analysis::NeedsSchema { relation, shared } => {
                    let schema = self.discover(*relation, shared, Arc::clone(&tables), &request).await?;
                    options.known.push(schema);
                }
            }
        }
    }

    /// The columns of a plugin's output, by running its input.
    async fn discover(
        &self,
        relation: Relation,
        shared: Vec<Relation>,
        tables: Arc<dyn Tables>,
        request: &Request,
    ) -> Result<Schema, QueryError> {
        let (input, known) = crate::plan::discovery(&relation)?;
        let result = QueryResult { name: None, relation: input, render: None };
        let query = Query { results: vec![result], shared, options: Vec::new() };
        let whole = Request { max_rows: usize::MAX, max_bytes: self.options.memory_limit, ..request.clone() };
        let response = self.run_typed(&query, tables, whole).await?;
        if let Some(partial) = response.partial {
            return Err(QueryError::execution(partial.message));
        }
        let batches = response.tables.into_iter().flat_map(|table| table.batches).collect::<Vec<_>>();
        known.schema(&batches)
    }

    /// Runs a typed query.
    pub async fn run_typed(
        &self,
        query: &Query,
        tables: Arc<dyn Tables>,
        request: Request,
    ) -> Result<Response, QueryError> {
        let started = Instant::now();
        let runtime = self.runtime()?;
        let session = run::Session::new(Arc::clone(&self.state), runtime, &self.options, &request);
        let work = session.query(query, tables.as_ref());
        let mut response = tokio::select! {
            () = request.cancel.cancelled() => return Err(QueryError::Cancelled),
            finished = tokio::time::timeout(request.deadline, work) => match finished {
                Ok(finished) => finished?,
                Err(_) => return Err(QueryError::Deadline { deadline: request.deadline }),
            },
        };
        response.statistics.elapsed = started.elapsed();
        response.finished = Ticks(
            request
                .now
                .0
                .saturating_add(i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX).saturating_mul(10)),
        );
        Ok(response)
    }

    fn runtime(&self) -> Result<Arc<RuntimeEnv>, QueryError> {
        let disk =
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![self.options.spill_dir.clone()]));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(self.shares.pool())
            .with_disk_manager_builder(disk)
            .build_arc()?;
        Ok(runtime)
    }
}

/// The tables as the analyzer and the editor's help ask for them.
pub struct TablesCatalog<'t>(pub &'t dyn Tables);

impl Catalog for TablesCatalog<'_> {
    fn table(&self, source: &TableSource, name: &str) -> Option<Schema> {
        self.0.schema(source, name)
    }

    fn table_names(&self) -> Vec<String> {
        self.0.names()
    }

    fn function(&self, name: &str) -> Option<StoredFunction> {
        self.0.function(name)
    }
}
