//! Running queries while Python does other things.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use watchkeeper_query::{Engine, EngineOptions, QueryError, Request, Response, Statistics};

use crate::diagnostic::kql_error;
use crate::table::Table;
use crate::tables::Tables;

/// How often a running query looks whether Ctrl+C was pressed.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// What the queries of this process share.
#[derive(Clone)]
struct Shared {
    process: u32,
    runtime: &'static Runtime,
    engine: Arc<Engine>,
}

static SHARED: Mutex<Option<Shared>> = Mutex::new(None);

/// The threads and the engine of this process. A fork has none of its parent's threads, so it gets its own; what the
/// parent had is left alone.
fn shared() -> PyResult<Shared> {
    let mut shared = SHARED.lock();
    let process = std::process::id();
    if let Some(known) = shared.as_ref().filter(|known| known.process == process) {
        return Ok(known.clone());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("watchkeeper-kql")
        .enable_time()
        .build()
        .map_err(|error| PyOSError::new_err(format!("no threads for queries: {error}")))?;
    // never dropped: at the end of the interpreter there is no good moment to wait for threads
    let runtime: &'static Runtime = Box::leak(Box::new(runtime));
    let made = Shared { process, runtime, engine: Arc::new(Engine::new(EngineOptions::default())) };
    *shared = Some(made.clone());
    Ok(made)
}

/// The threads of this process.
pub fn runtime(py: Python<'_>) -> PyResult<&'static Runtime> {
    py.detach(|| shared().map(|shared| shared.runtime))
}

/// The results of a query.
#[pyclass(frozen, get_all, module = "watchkeeper_kql")]
pub struct Answer {
    tables: Vec<Py<Table>>,
    advice: Vec<String>,
    statistics: Py<PyDict>,
    /// The kind of `render`.
    render: Option<String>,
    plan: Option<String>,
}

/// Runs a query over the tables.
#[pyfunction]
pub fn query(
    py: Python<'_>,
    text: String,
    tables: &Tables,
    parameters: BTreeMap<String, String>,
    timeout: f64,
    memory_limit: Option<usize>,
    plan: bool,
) -> PyResult<Answer> {
    let deadline = Duration::try_from_secs_f64(timeout)
        .map_err(|_| PyValueError::new_err(format!("timeout is {timeout}; it is a number of seconds")))?;
    let cancel = CancellationToken::new();
    let request = Request { parameters, deadline, cancel: cancel.clone(), plan, ..Request::default() };
    let tables = tables.all();
    let answer = py.detach(|| {
        let Shared { runtime, engine, .. } = shared()?;
        let engine = match memory_limit {
            None => engine,
            Some(memory_limit) => Arc::new(Engine::new(EngineOptions { memory_limit, ..EngineOptions::default() })),
        };
        let work = runtime.spawn(async move { engine.run(&text, tables, request).await });
        runtime.block_on(until_done(work, &cancel))
    })?;
    answer.map_err(|error| kql_error(py, &error)).and_then(|response| Answer::new(py, response))
}

/// Waits for a query, or for Ctrl+C, which cancels it.
async fn until_done(
    mut work: JoinHandle<Result<Response, QueryError>>,
    cancel: &CancellationToken,
) -> PyResult<Result<Response, QueryError>> {
    loop {
        tokio::select! {
            done = &mut work => {
                let abnormal = |error| Err(QueryError::execution(format!("the query ended abnormally: {error}")));
                return Ok(done.unwrap_or_else(abnormal));
            }
            () = tokio::time::sleep(SIGNALS_EVERY) => {
                if let Err(interrupted) = Python::attach(|py| py.check_signals()) {
                    cancel.cancel();
                    return Err(interrupted);
                }
            }
        }
    }
}

impl Answer {
    fn new(py: Python<'_>, response: Response) -> PyResult<Answer> {
        let tables: PyResult<Vec<_>> =
            response.tables.into_iter().map(|table| Py::new(py, Table::new(table))).collect();
        Ok(Answer {
            tables: tables?,
            advice: response.advice,
            statistics: statistics(py, &response.statistics)?,
            render: response.render.map(|render| render.kind),
            plan: response.plan,
        })
    }
}

fn statistics(py: Python<'_>, cost: &Statistics) -> PyResult<Py<PyDict>> {
    let all = PyDict::new(py);
    all.set_item("rows_scanned", cost.rows_scanned)?;
    all.set_item("bytes_scanned", cost.bytes_scanned)?;
    all.set_item("files_scanned", cost.files_scanned)?;
    all.set_item("cpu_seconds", cost.cpu_time.as_secs_f64())?;
    all.set_item("elapsed_seconds", cost.elapsed.as_secs_f64())?;
    all.set_item("memory_peak", cost.memory_peak)?;
    Ok(all.unbind())
}
