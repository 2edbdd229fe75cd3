//! The loop of `watchkeeper kql --jsonl` without the server.

use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Schema, Ticks};
use watchkeeper_query::{Engine, EngineOptions, QueryError, Request, Tables};

#[path = "../../server/src/cli/kql/jsonl.rs"]
mod jsonl;

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

#[tokio::main]
async fn main() -> std::io::Result<()> {
    if std::env::args().any(|arg| arg == "--parse-only") {
        return jsonl::parse_only(std::io::stdin().lock(), std::io::stdout().lock());
    }
    let engine = Arc::new(Engine::new(EngineOptions {
        memory_limit: 1 << 30,
        spill_dir: std::env::temp_dir(),
        threads: 2,
    }));
    let tables: Arc<dyn Tables> = Arc::new(NoTables);
    let request = || Request {
        timespan: None,
        parameters: Default::default(),
        now: Ticks::from_unix_micros(1_767_225_600_000_000),
        deadline: Duration::from_secs(60),
        max_rows: 1_000_000,
        max_bytes: 1 << 30,
        cancel: CancellationToken::new(),
    };
    jsonl::run(&engine, &tables, request, std::io::stdin().lock(), std::io::stdout().lock()).await
}
