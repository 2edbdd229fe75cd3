//! A query that wants too much ends by itself, with a clear reason and in time, while others are answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::catalog::TableProvider;
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Schema, Ticks};
use watchkeeper_query::{Engine, EngineOptions, QueryError, Request, Response, Tables};

struct NoTables;

impl Tables for NoTables {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
    fn schema(&self, _source: &TableSource, _name: &str) -> Option<Schema> {
        None
    }
    fn provider(&self, _source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        Err(QueryError::execution(format!("there is no table {name}")))
    }
}

fn engine(memory_limit: usize) -> Arc<Engine> {
    let spill_dir = std::env::temp_dir();
    Arc::new(Engine::new(EngineOptions { memory_limit, spill_dir, threads: 2 }))
}

fn request(seconds: u64) -> Request {
    Request {
        timespan: None,
        parameters: Default::default(),
        now: Ticks::UNIX_EPOCH,
        deadline: Duration::from_secs(seconds),
        max_rows: 1000,
        max_bytes: 1 << 24,
        cancel: CancellationToken::new(),
        plan: false,
    }
}

async fn run(engine: &Engine, text: &str, request: Request) -> Result<Response, QueryError> {
    engine.run(text, Arc::new(NoTables), request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_that_outgrows_the_limit_is_an_error_of_memory() {
    for text in [
        "range x from 1 to 100000000 step 1 | summarize make_list(tostring(x), 100000000)",
        "range x from 1 to 100000000 step 1 | sort by x desc | summarize make_list(x, 100000000)",
        "range x from 1 to 100000000 step 1 | summarize make_set(x, 100000000)",
        "range x from 1 to 100000000 step 1 | scan declare (t:long = 0) with (step s: true => t = s.t + x;)",
        "range x from 0 to 3599 step 1 | project a = x / 60, b = x % 60 | make-graph a --> b with_node_id = n
            | graph-match (u)-[p*1..9]->(v) project u.n, v.n",
    ] {
        let outcome = run(&engine(6 << 20), text, request(120)).await;
        let error = outcome.expect_err(text);
        assert!(matches!(error, QueryError::Memory { .. }), "{text}: {error}");
        assert!(error.to_string().contains("filter earlier"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cross_join_ends_at_its_deadline_and_another_query_is_answered_meanwhile() {
    let engine = engine(48 << 20);
    let text = "range x from 1 to 10000000 step 1 | extend k = 1
        | join kind=inner (range y from 1 to 10000000 step 1 | extend k = 1) on k | summarize sum(x * y)";
    let started = Instant::now();
    let other = Arc::clone(&engine);
    let runaway = tokio::spawn(async move { run(&other, text, request(5)).await });
    let answered = run(&engine, "range x from 1 to 1000 step 1 | summarize sum(x)", request(5)).await;
    assert_eq!(answered.expect("the small query").tables[0].rows(), 1);
    let error = runaway.await.expect("no panic").expect_err("the join is too large");
    assert!(matches!(error, QueryError::Memory { .. } | QueryError::Deadline { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_query_ends_at_once() {
    let engine = engine(48 << 20);
    let request = request(120);
    let cancel = request.cancel.clone();
    let running = tokio::spawn(async move {
        run(&engine, "range x from 1 to 100000000000 step 1 | summarize sum(x % 7)", request).await
    });
    tokio::task::yield_now().await;
    let started = Instant::now();
    cancel.cancel();
    let error = running.await.expect("no panic").expect_err("it was cancelled");
    assert!(matches!(error, QueryError::Cancelled), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1), "it took {:?}", started.elapsed());
}
