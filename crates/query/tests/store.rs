//! Queries over a real store: hot rows, files and the pruning of both give the same answers.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::{Column, Ticks, Type};
use watchkeeper_query::shape::log_analytics;
use watchkeeper_query::{Engine, EngineOptions, Request, Response, StoreTables, TimeRange};
use watchkeeper_store::{Append, Store, StoreOptions, TableSchema};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000;
const MINUTE: i64 = 60_000_000;

/// One row a minute: `web` and `db` in turns, a number, and one rare word.
fn batch(first: i64, rows: i64) -> RecordBatch {
    let times = (first..first + rows).map(|row| START + row * MINUTE);
    let hosts = (first..first + rows).map(|row| if row % 2 == 0 { "web" } else { "db" });
    let texts: Vec<String> =
        (first..first + rows).map(|row| if row == 7 { "disk failure".into() } else { format!("fine {row}") }).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(StringViewArray::from_iter_values(hosts)),
        Arc::new(Int64Array::from_iter_values(first..first + rows)),
        Arc::new(StringViewArray::from_iter_values(texts)),
    ];
    let schema = Schema::new(vec![
        Field::new("TimeGenerated", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("Computer", DataType::Utf8View, true),
        Field::new("Number", DataType::Int64, true),
        Field::new("Message", DataType::Utf8View, true),
    ]);
    RecordBatch::try_new(Arc::new(schema), columns).expect("a batch")
}

async fn store(dir: &std::path::Path) -> Arc<Store> {
    let options = StoreOptions { background: None, reserve_bytes: 0, ..StoreOptions::new(dir) };
    let store = Store::open(options).await.expect("the store opens");
    let columns = [
        Column::new("Computer", Type::String),
        Column::new("Number", Type::Long),
        Column::new("Message", Type::String),
    ];
    store.ensure_table(TableSchema::new("Beats", columns).expect("a schema")).await.expect("the table");
    store
}

async fn append(store: &Store, batch: RecordBatch) {
    let append = Append { tables: vec![("Beats".to_string(), batch)], batch_id: None };
    store.append(append).await.expect("appended");
}

async fn run(store: &Arc<Store>, query: &str, timespan: Option<TimeRange>) -> Response {
    run_over(&Arc::new(StoreTables::new(Arc::clone(store))), query, timespan).await
}

async fn run_over(tables: &Arc<StoreTables>, query: &str, timespan: Option<TimeRange>) -> Response {
    let spill = tempfile::tempdir().expect("a folder to spill to");
    let engine =
        Engine::new(EngineOptions { memory_limit: 256 << 20, spill_dir: spill.path().to_path_buf(), threads: 2 });
    let request = Request {
        timespan,
        parameters: Default::default(),
        now: Ticks::from_unix_micros(START),
        deadline: Duration::from_secs(60),
        max_rows: 10_000,
        max_bytes: 1 << 30,
        cancel: CancellationToken::new(),
        plan: false,
    };
    engine.run(query, Arc::<StoreTables>::clone(tables), request).await.expect(query)
}

fn rows(response: &Response) -> String {
    let body: serde_json::Value = serde_json::from_slice(&log_analytics(response)).expect("JSON");
    body["tables"][0]["rows"].to_string()
}

#[tokio::test]
async fn hot_rows_and_files_answer_alike() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path()).await;
    append(&store, batch(0, 10)).await;
    let queries = [
        ("Beats | summarize count(), sum(Number) by Computer | sort by Computer asc", r#"[["db",5,25],["web",5,20]]"#),
        (
            "Beats | where TimeGenerated > datetime(2026-01-01 00:08) | project TimeGenerated, Computer",
            r#"[["2026-01-01T00:09:00Z","db"]]"#,
        ),
        ("Beats | where Computer == 'web' and Number >= 6 | sort by Number asc | project Number", "[[6],[8]]"),
        ("Beats | where Message == 'disk failure' | project Number", "[[7]]"),
        ("Beats | where TimeGenerated == datetime(2026-01-01 00:03) | project Number", "[[3]]"),
    ];
    for (query, expected) in queries {
        assert_eq!(rows(&run(&store, query, None).await), expected, "hot: {query}");
    }
    store.flush_all().await.expect("flushed");
    for (query, expected) in queries {
        assert_eq!(rows(&run(&store, query, None).await), expected, "files: {query}");
    }
    append(&store, batch(10, 2)).await;
    assert_eq!(rows(&run(&store, "Beats | count", None).await), "[[12]]", "both");
}

/// Small files that queries come back to are kept decoded; whatever was kept, the answers are those of the files.
#[tokio::test]
async fn a_query_that_is_asked_again_gets_the_same_rows() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path()).await;
    append(&store, batch(0, 10)).await;
    store.flush_all().await.expect("flushed");
    append(&store, batch(10, 20_000)).await;
    store.flush_all().await.expect("flushed");
    append(&store, batch(20_010, 2)).await;
    let tables = Arc::new(StoreTables::new(Arc::clone(&store)));
    let first =
        "Beats | where Computer == 'web' and Number between (8 .. 12) | sort by Number asc | project Number, Message";
    let expected = r#"[[8,"fine 8"],[10,"fine 10"],[12,"fine 12"]]"#;
    let mut files_read = Vec::new();
    for _ in 0..3 {
        let response = run_over(&tables, first, None).await;
        assert_eq!(rows(&response), expected);
        assert!(response.statistics.rows_scanned > 0, "rows in memory count");
        files_read.push(response.statistics.files_scanned);
    }
    assert!(files_read[0] > 0 && files_read[2] == 0, "the third time nothing is read: {files_read:?}");
    // columns that were not kept yet, no columns at all, and words that only one file has
    let others = [
        ("Beats | summarize sum(Number), countif(Message startswith 'fine')", "[[200230066,20011]]"),
        ("Beats | count", "[[20012]]"),
        ("Beats | where Message has 'failure' | project Number, Computer", r#"[[7,"db"]]"#),
        ("Beats | where Message has 'nothing' | count", "[[0]]"),
    ];
    for (query, expected) in others {
        for time in 0..3 {
            assert_eq!(rows(&run_over(&tables, query, None).await), expected, "{query}, time {time}");
        }
    }
    // a column that files and kept columns do not have
    store.add_columns("Beats", vec![Column::new("Level", Type::Long)]).await.expect("a column more");
    for _ in 0..3 {
        let response =
            run_over(&tables, "Beats | where Number < 2 | project Number, Level | sort by Number asc", None).await;
        assert_eq!(rows(&response), "[[0,null],[1,null]]");
    }
}

#[tokio::test]
async fn the_timespan_of_a_request_restricts_its_tables() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path()).await;
    append(&store, batch(0, 10)).await;
    store.flush_all().await.expect("flushed");
    let from = Ticks::from_unix_micros(START + 2 * MINUTE);
    let to = Ticks::from_unix_micros(START + 5 * MINUTE);
    let response = run(&store, "Beats | summarize count()", Some(TimeRange { from, to })).await;
    assert_eq!(rows(&response), "[[3]]");
}

#[tokio::test]
async fn files_without_the_wanted_times_or_words_are_not_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path()).await;
    for day in 0..3 {
        append(&store, batch(day * 24 * 60, 10)).await;
        store.flush_all().await.expect("flushed");
    }
    let whole = run(&store, "Beats | where Number >= 0 | count", None).await;
    assert_eq!(rows(&whole), "[[30]]");
    assert_eq!(whole.statistics.rows_scanned, 30);
    let by_time = run(&store, "Beats | where TimeGenerated >= datetime(2026-01-03) | count", None).await;
    assert_eq!((rows(&by_time).as_str(), by_time.statistics.rows_scanned), ("[[10]]", 10));
    let counted = run(&store, "Beats | count", None).await;
    assert_eq!((rows(&counted).as_str(), counted.statistics.rows_scanned), ("[[30]]", 0), "files know their rows");
    let by_word = run(&store, "Beats | where Message == 'disk failure' | project Number", None).await;
    assert_eq!(rows(&by_word), "[[7]]");
    assert!(by_word.statistics.rows_scanned <= 10, "{:?}", by_word.statistics);
}
