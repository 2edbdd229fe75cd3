#[path = "../../server/src/cli/kql/jsonl.rs"]
#[allow(dead_code, unused)]
mod jsonl;
use std::sync::Arc;
use watchkeeper_query::*;
fn main() {
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(16<<20).build().unwrap();
    rt.block_on(async {
        let engine = Arc::new(Engine::new(EngineOptions { memory_limit: 1 << 30, spill_dir: std::env::temp_dir(), threads: 2 }));
        let tables: Arc<dyn Tables> = Arc::new(FileTables::default());
        let request = || Request { timespan: None, parameters: Default::default(), now: watchkeeper_kql::Ticks(638_000_000_000_000_000), deadline: std::time::Duration::from_secs(60), max_rows: 500_000, max_bytes: 1 << 28, cancel: Default::default() };
        jsonl::run(&engine, &tables, request, std::io::stdin().lock(), std::io::stdout().lock()).await.unwrap();
    });
}
