//! Queries of all protocols, run by one engine over one workspace's tables, on threads of their own so that a busy
//! query does not keep requests waiting.

mod journal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use datafusion::catalog::TableProvider;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use watchkeeper_authorization::Readable;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Schema, StoredFunction, Ticks};
use watchkeeper_query::{Engine, QueryError, Request, Response, Tables, TimeRange};

use crate::map;

pub use journal::{Entry, Journal, Origin, State};

/// Queries that run at a time for each processor; others wait their turn, within their deadline.
const RUNNING_PER_PROCESSOR: usize = 4;
/// How long after its deadline a query that does not let go of its thread is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// The engine and the tables that queries see.
pub struct Queries {
    engine: Arc<Engine>,
    /// Of queries in the background.
    small: Arc<Engine>,
    tables: Arc<dyn Tables>,
    longest: Duration,
    journal: Journal,
    turns: Semaphore,
    threads: Threads,
    /// What maps were made of.
    kept: map::Kept,
}

/// How much a protocol lets one answer carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub rows: usize,
    pub bytes: usize,
}

/// Saved functions by name.
pub type Functions = BTreeMap<String, StoredFunction>;

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
    /// The functions that the text may call.
    pub functions: Functions,
    /// The tables that whoever asks may read.
    pub readable: Readable,
    /// It reads few rows, or is one of many that nobody waits for: it runs on one processor, and little is done to its
    /// plan.
    pub small: bool,
    /// Whether the answer says by which plan it was computed.
    pub plan: bool,
    pub origin: Origin,
}

impl Queries {
    /// `longest` is the longest deadline that any protocol may give.
    pub fn new(engine: Engine, tables: Arc<dyn Tables>, longest: Duration) -> Queries {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Queries {
            small: Arc::new(engine.for_small_queries()),
            engine: Arc::new(engine),
            tables,
            longest,
            journal: Journal::default(),
            turns: Semaphore::new(processors * RUNNING_PER_PROCESSOR),
            threads: Threads::start(processors),
            kept: map::Kept::default(),
        }
    }

    pub fn longest(&self) -> Duration {
        self.longest
    }

    pub fn tables(&self) -> &Arc<dyn Tables> {
        &self.tables
    }

    /// The sums of past intervals that maps were made of.
    pub(crate) fn kept(&self) -> &map::Kept {
        &self.kept
    }

    /// What runs and what ran last.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Runs a query to its end. Dropping the future cancels it.
    pub async fn run(&self, asked: Asked) -> Result<Response, QueryError> {
        let cancel = CancellationToken::new();
        let _ended = cancel.clone().drop_guard();
        let deadline = asked.deadline.min(self.longest);
        let entered = self.journal.enter(&asked.text, asked.origin, asked.now, cancel.clone());
        let text = asked.text;
        let mut tables: Arc<dyn Tables> = Arc::clone(&self.tables);
        let denied = Arc::new(Mutex::new(Vec::new()));
        if !asked.readable.is_all() {
            tables = Arc::new(OnlyReadable { tables, readable: asked.readable, denied: Arc::clone(&denied) });
        }
        if !asked.functions.is_empty() {
            tables = Arc::new(WithFunctions { tables, functions: asked.functions });
        }
        let request = Request {
            timespan: asked.timespan,
            parameters: asked.parameters,
            now: asked.now,
            deadline,
            max_rows: asked.limits.rows,
            max_bytes: asked.limits.bytes,
            cancel: cancel.clone(),
            plan: asked.plan,
        };
        let outcome = tokio::select! {
            () = cancel.cancelled() => Err(QueryError::Cancelled),
            outcome = tokio::time::timeout(deadline + GRACE, async {
                let Ok(_turn) = self.turns.acquire().await else { return Err(QueryError::Cancelled) };
                let engine = Arc::clone(if asked.small { &self.small } else { &self.engine });
                let running = self.threads.spawn(async move { engine.run(&text, tables, request).await });
                match running.await {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        tracing::error!(%error, "a query ended badly");
                        Err(QueryError::execution("the query failed inside the server; the server's log says why"))
                    }
                }
            }) => outcome.unwrap_or(Err(QueryError::Deadline { deadline })),
        };
        // a table that may not be read looks to the language like one that is not there: here is why
        let denied = std::mem::take(&mut *denied.lock());
        let outcome = match outcome {
            Err(QueryError::Diagnostics { .. } | QueryError::Execution { .. }) if !denied.is_empty() => {
                Err(QueryError::Denied { tables: denied })
            }
            outcome => outcome,
        };
        entered.end(&outcome, ticks_now());
        outcome
    }
}

/// The threads of queries. Where they cannot be started, queries share the threads of requests.
struct Threads(Option<Runtime>);

impl Threads {
    fn start(count: usize) -> Threads {
        let runtime = Builder::new_multi_thread().worker_threads(count).thread_name("query").enable_all().build();
        Threads(runtime.inspect_err(|error| tracing::warn!(%error, "cannot start threads for queries")).ok())
    }

    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        match &self.0 {
            Some(runtime) => runtime.spawn(work),
            None => tokio::spawn(work),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // a runtime may not be dropped where tasks run, and nothing waits for queries any more
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Tables and the functions of one request.
struct WithFunctions {
    tables: Arc<dyn Tables>,
    functions: Functions,
}

impl Tables for WithFunctions {
    fn names(&self) -> Vec<String> {
        self.tables.names()
    }

    fn schema(&self, source: &TableSource, name: &str) -> Option<Schema> {
        self.tables.schema(source, name)
    }

    fn provider(&self, source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        self.tables.provider(source, name)
    }

    fn function(&self, name: &str) -> Option<StoredFunction> {
        self.functions.get(name).cloned().or_else(|| self.tables.function(name))
    }
}

/// The tables that a caller may read. The others are not there for `union *`, `search` and `find`, and are refused where
/// they are named.
struct OnlyReadable {
    tables: Arc<dyn Tables>,
    readable: Readable,
    /// Those that were named.
    denied: Arc<Mutex<Vec<String>>>,
}

impl OnlyReadable {
    fn allows(&self, name: &str) -> bool {
        let allowed = self.readable.has(name);
        let mut denied = self.denied.lock();
        if !allowed && !denied.iter().any(|known| known == name) {
            denied.push(name.to_owned());
        }
        allowed
    }
}

impl Tables for OnlyReadable {
    fn names(&self) -> Vec<String> {
        let mut names = self.tables.names();
        names.retain(|name| self.readable.has(name));
        names
    }

    fn schema(&self, source: &TableSource, name: &str) -> Option<Schema> {
        let schema = self.tables.schema(source, name)?;
        self.allows(name).then_some(schema)
    }

    fn provider(&self, source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        match self.allows(name) {
            true => self.tables.provider(source, name),
            false => Err(QueryError::Denied { tables: vec![name.to_owned()] }),
        }
    }

    fn function(&self, name: &str) -> Option<StoredFunction> {
        self.tables.function(name)
    }
}

/// The present, as queries see it.
pub fn ticks_now() -> Ticks {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros());
    Ticks::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
