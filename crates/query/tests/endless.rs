//! A query that asks for too much ends with an error that says so, and others on the same engine go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::catalog::TableProvider;
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Schema, Ticks};
use watchkeeper_query::{Engine, EngineOptions, QueryError, Request, Tables};

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

fn engine(memory_limit: usize) -> (Arc<Engine>, tempfile::TempDir) {
    let spill = tempfile::tempdir().expect("a folder to spill to");
    let options = EngineOptions { memory_limit, spill_dir: spill.path().to_path_buf(), threads: 2 };
    (Arc::new(Engine::new(options)), spill)
}

fn request(deadline: Duration) -> Request {
    Request {
        timespan: None,
        parameters: Default::default(),
        now: Ticks::UNIX_EPOCH,
        deadline,
        max_rows: 10_000,
        max_bytes: 64 << 20,
        cancel: CancellationToken::new(),
        plan: false,
    }
}

/// Queries that would run for hours, or need more memory than there is.
const ENDLESS: [&str; 6] = [
    "range x from 1 to 1000000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 1000000 step 1 | extend k = 1) on k | summarize count(), sum(x * y)",
    "range x from 1 to 1000000000000 step 1 | summarize sum(x)",
    "range x from 1 to 1000000000000 step 1 | summarize dcount(x), make_list(x) by y = x % 100000",
    "range x from 1 to 100000 step 1 | extend a = range(1, 100000) | mv-expand a to typeof(long) | summarize sum(a)",
    "range x from 1 to 1000000000000 step 1 | sort by x desc | extend r = row_number() | where r == 7",
    "let big = materialize(range x from 1 to 1000000000000 step 1); big | count",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_query_without_end_stops_at_its_deadline_or_memory_while_another_goes_on() {
    for query in ENDLESS {
        let (engine, _spill) = engine(32 << 20);
        let other = Arc::clone(&engine);
        let deadline = Duration::from_secs(2);
        let started = Instant::now();
        let running = tokio::spawn(async move { other.run(query, Arc::new(NoTables), request(deadline)).await });
        let small = engine.run(
            "range x from 1 to 1000 step 1 | summarize sum(x)",
            Arc::new(NoTables),
            request(Duration::from_secs(60)),
        );
        assert_eq!(small.await.expect("the small query").tables[0].rows(), 1, "{query}");
        let error = running.await.expect("no panic").expect_err(query);
        let expected =
            matches!(error, QueryError::Memory { .. } | QueryError::Deadline { .. } | QueryError::Limit { .. });
        assert!(expected, "{query}: {error:?}");
        assert!(started.elapsed() < Duration::from_secs(30), "{query}: {:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cancelling_ends_a_query_at_once() {
    for query in ENDLESS {
        let (engine, _spill) = engine(256 << 20);
        let request = request(Duration::from_secs(600));
        let cancel = request.cancel.clone();
        let running = tokio::spawn(async move {
            let outcome = engine.run(query, Arc::new(NoTables), request).await;
            (outcome, Instant::now())
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let cancelled = Instant::now();
        cancel.cancel();
        let (outcome, ended) = running.await.expect("no panic");
        match outcome {
            Err(QueryError::Cancelled) => {}
            // it may have hit its limits before
            Err(QueryError::Memory { .. } | QueryError::Limit { .. }) => continue,
            other => panic!("{query}: {other:?}"),
        }
        // loaded machines need some room; a query that does not look at its token runs for hours
        let took = ended.duration_since(cancelled);
        assert!(took < Duration::from_secs(20), "{query}: {took:?}");
    }
}
