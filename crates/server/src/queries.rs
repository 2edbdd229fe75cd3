//! Queries of all protocols, run by one engine over one workspace's tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use datafusion::catalog::TableProvider;
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Schema, Ticks};
use watchkeeper_query::{Engine, QueryError, Request, Response, Tables, TimeRange};

/// The engine and the tables that queries see.
pub struct Queries {
    engine: Engine,
    tables: Arc<dyn Tables>,
    longest: Duration,
}

/// A workspace that holds no tables yet: queries over their own values alone run.
pub struct EmptyWorkspace;

impl Tables for EmptyWorkspace {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, _source: &TableSource, _name: &str) -> Option<Schema> {
        None
    }

    fn provider(&self, _source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        Err(QueryError::execution(format!("the workspace has no table {name:?}")))
    }
}

/// How much a protocol lets one answer carry.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub rows: usize,
    pub bytes: usize,
}

/// One query with what its protocol says about it.
#[derive(Debug)]
pub struct Asked {
    pub text: String,
    pub timespan: Option<TimeRange>,
    /// Values of `declare query_parameters`, as text.
    pub parameters: BTreeMap<String, String>,
    pub now: Ticks,
    pub deadline: Duration,
    pub limits: Limits,
}

impl Queries {
    /// `longest` is the longest deadline that any protocol may give.
    pub fn new(engine: Engine, tables: Arc<dyn Tables>, longest: Duration) -> Queries {
        Queries { engine, tables, longest }
    }

    pub fn longest(&self) -> Duration {
        self.longest
    }

    pub fn tables(&self) -> &Arc<dyn Tables> {
        &self.tables
    }

    /// Runs a query to its end. Dropping the future cancels it.
    pub async fn run(&self, asked: Asked) -> Result<Response, QueryError> {
        let cancel = CancellationToken::new();
        let _ended = cancel.clone().drop_guard();
        let request = Request {
            timespan: asked.timespan,
            parameters: asked.parameters,
            now: asked.now,
            deadline: asked.deadline.min(self.longest),
            max_rows: asked.limits.rows,
            max_bytes: asked.limits.bytes,
            cancel,
        };
        self.engine.run(&asked.text, Arc::clone(&self.tables), request).await
    }
}

/// The present, as queries see it.
pub fn ticks_now() -> Ticks {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros());
    Ticks::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
