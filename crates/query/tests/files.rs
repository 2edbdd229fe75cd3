//! Queries over paths: every format gives the same rows, and Parquet files are read only where they can matter.

mod quick_start;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, DictionaryArray, DurationMillisecondArray, Float32Array,
    Int16Array, LargeStringArray, ListArray, StructArray, Time64MicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::Ticks;
use watchkeeper_query::local::record_batches;
use watchkeeper_query::shape::log_analytics;
use watchkeeper_query::{Engine, EngineOptions, FileTables, Local, LocalTables, QueryError, Request, Response};

async fn run(path: &Path, query: &str) -> Result<Response, QueryError> {
    let mut tables = FileTables::default();
    tables.add("T", &path.to_string_lossy()).await?;
    let spill = tempfile::tempdir().expect("a folder to spill to");
    let engine =
        Engine::new(EngineOptions { memory_limit: 256 << 20, spill_dir: spill.path().to_path_buf(), threads: 2 });
    let request = Request {
        timespan: None,
        parameters: Default::default(),
        now: Ticks::UNIX_EPOCH,
        deadline: Duration::from_secs(60),
        max_rows: 10_000,
        max_bytes: 1 << 30,
        cancel: CancellationToken::new(),
        plan: false,
    };
    engine.run(query, Arc::new(tables), request).await
}

async fn rows(path: &Path, query: &str) -> String {
    let response = run(path, query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    let body: serde_json::Value = serde_json::from_slice(&log_analytics(&response)).expect("JSON");
    body["tables"][0]["rows"].to_string()
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.expect("a batch");
    let mut writer = ArrowWriter::try_new(File::create(path).expect("a file"), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

fn foreign(path: &Path) {
    let names: DictionaryArray<Int32Type> = vec![Some("web"), None, Some("db")].into_iter().collect();
    let list = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(1.5), None]), None, Some(vec![])]);
    let inner: ArrayRef = Arc::new(Int16Array::from(vec![1, 2, 3]));
    let bag = StructArray::from(vec![(Arc::new(Field::new("a", DataType::Int16, true)), inner)]);
    let amounts = Decimal128Array::from(vec![Some(150), None, Some(-5)]).with_precision_and_scale(10, 2);
    write(
        path,
        vec![
            ("Name", Arc::new(names)),
            ("Small", Arc::new(Int16Array::from(vec![Some(7), None, Some(-7)]))),
            ("Count", Arc::new(UInt32Array::from(vec![4_000_000_000, 1, 2]))),
            ("Ratio", Arc::new(Float32Array::from(vec![0.5, 1.0, 2.0]))),
            ("Amount", Arc::new(amounts.expect("a decimal"))),
            ("Millis", Arc::new(TimestampMillisecondArray::from(vec![1_000, 2_500, -1]))),
            ("Nanos", Arc::new(TimestampNanosecondArray::from(vec![Some(1_234_567_899), None, Some(0)]))),
            ("Day", Arc::new(Date32Array::from(vec![1, 0, -1]))),
            ("Took", Arc::new(DurationMillisecondArray::from(vec![1_500, 0, -1]))),
            ("Clock", Arc::new(Time64MicrosecondArray::from(vec![3_600_000_000, 0, 1]))),
            ("List", Arc::new(list)),
            ("Bag", Arc::new(bag)),
            ("Bytes", Arc::new(BinaryArray::from(vec![b"hi".as_slice(), b"", b"\xff"]))),
            ("Long", Arc::new(LargeStringArray::from(vec!["x", "y", "z"]))),
        ],
    );
}

#[tokio::test]
async fn every_arrow_type_becomes_a_type_of_the_language() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("foreign.parquet");
    foreign(&path);
    assert_eq!(
        rows(&path, "T | getschema | project ColumnName, ColumnType").await,
        "[[\"Name\",\"string\"],[\"Small\",\"int\"],[\"Count\",\"long\"],[\"Ratio\",\"real\"],\
         [\"Amount\",\"decimal\"],[\"Millis\",\"datetime\"],[\"Nanos\",\"datetime\"],[\"Day\",\"datetime\"],\
         [\"Took\",\"timespan\"],[\"Clock\",\"timespan\"],[\"List\",\"dynamic\"],[\"Bag\",\"dynamic\"],\
         [\"Bytes\",\"string\"],[\"Long\",\"string\"]]"
    );
    for (query, expected) in [
        ("T | project Name, Small, Count, Ratio", r#"[["web",7,4000000000,0.5],["",null,1,1.0],["db",-7,2,2.0]]"#),
        (
            "T | project Millis, Nanos, Day",
            "[[\"1970-01-01T00:00:01Z\",\"1970-01-01T00:00:01.2345678Z\",\"1970-01-02T00:00:00Z\"],\
             [\"1970-01-01T00:00:02.5Z\",null,\"1970-01-01T00:00:00Z\"],\
             [\"1969-12-31T23:59:59.999Z\",\"1970-01-01T00:00:00Z\",\"1969-12-31T00:00:00Z\"]]",
        ),
        (
            "T | project tostring(Took), tostring(Clock)",
            r#"[["00:00:01.5000000","01:00:00"],["00:00:00","00:00:00"],["-00:00:00.0010000","00:00:00.0000010"]]"#,
        ),
        ("T | project l = tostring(List), b = Bag.a", r#"[["[1.5,null]","1"],["","2"],["[]","3"]]"#),
        (
            "T | project Bytes, Long, a = Amount * 2 == decimal(3)",
            "[[\"aGk=\",\"x\",1],[\"\",\"y\",0],[\"/w==\",\"z\",0]]",
        ),
    ] {
        assert_eq!(rows(&path, query).await.replace("true", "1").replace("false", "0"), expected, "{query}");
    }
}

#[tokio::test]
async fn conditions_on_other_units_and_widths_keep_their_meaning() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("foreign.parquet");
    foreign(&path);
    for (condition, expected) in [
        ("Millis > datetime(1970-01-01 00:00:00.9999999)", 2),
        ("Millis > datetime(1970-01-01 00:00:01)", 1),
        ("Millis >= datetime(1970-01-01 00:00:01)", 2),
        ("Millis < datetime(1970-01-01 00:00:00)", 1),
        ("Millis <= datetime(1970-01-01 00:00:01.0000001)", 2),
        ("Millis == datetime(1970-01-01 00:00:01)", 1),
        ("Millis == datetime(1970-01-01 00:00:01.0000001)", 0),
        ("Nanos == datetime(1970-01-01 00:00:01.2345678)", 1),
        ("Nanos > datetime(1970-01-01 00:00:01.2345678)", 0),
        ("Nanos <= datetime(1970-01-01 00:00:01.2345678)", 2),
        ("Nanos < datetime(1970-01-01 00:00:01.2345678)", 1),
        ("Day >= datetime(1970-01-01)", 2),
        ("Name == 'web'", 1),
        ("Name == ''", 1),
        ("Small == 7", 1),
        ("Small < 0", 1),
        ("Count > 3000000000", 1),
        ("Ratio == 0.5", 1),
        ("Took > 1s", 1),
    ] {
        assert_eq!(
            rows(&path, &format!("T | where {condition} | count")).await,
            format!("[[{expected}]]"),
            "{condition}"
        );
    }
}

#[tokio::test]
async fn a_folder_and_a_pattern_are_all_their_files() {
    let dir = tempfile::tempdir().expect("a folder");
    foreign(&dir.path().join("a.parquet"));
    std::fs::create_dir(dir.path().join("sub")).expect("a folder");
    foreign(&dir.path().join("sub/b.parquet"));
    std::fs::write(dir.path().join("_SUCCESS"), "").expect("a file");
    // a file without some of the columns
    write(&dir.path().join("c.parquet"), vec![("Name", Arc::new(LargeStringArray::from(vec!["mail"])))]);
    assert_eq!(rows(dir.path(), "T | count").await, "[[7]]");
    assert_eq!(
        rows(dir.path(), "T | where isnull(Small) | summarize count() by Name | sort by Name asc").await,
        r#"[["",2],["mail",1]]"#
    );
    assert_eq!(rows(&dir.path().join("*.parquet"), "T | count").await, "[[4]]");
    std::fs::write(dir.path().join("d.csv"), "a\n1\n").expect("a file");
    let error = run(dir.path(), "T").await.expect_err("formats are mixed").to_string();
    assert!(error.contains("different formats"), "{error}");
    let error = run(&dir.path().join("none*.parquet"), "T").await.expect_err("no files").to_string();
    assert!(error.contains("there are no .parquet"), "{error}");
}

#[tokio::test]
async fn csv_has_a_header_and_inferred_types() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("t.csv");
    let text = "When,Host,Load,Count,Up\n2026-01-01T00:00:00Z,web,0.5,1,true\n2026-01-01T00:00:01.25Z,\"a,\n\"\"b\",1,,false\n";
    std::fs::write(&path, text).expect("a file");
    assert_eq!(
        rows(&path, "T").await,
        "[[\"2026-01-01T00:00:00Z\",\"web\",0.5,1,true],[\"2026-01-01T00:00:01.25Z\",\"a,\\n\\\"b\",1.0,null,false]]"
    );
    assert_eq!(rows(&path, "T | where Host == 'web' | project Count").await, "[[1]]");
}

#[tokio::test]
async fn json_lines_have_the_columns_of_all_lines() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("t.jsonl");
    let text = r#"{"t":"2026-01-01T00:00:00Z","n":1,"d":{"a": [1, 2]},"s":"x","mixed":1}

{"t":null,"n":2.5,"s":null,"mixed":"m","late":true}
"#;
    std::fs::write(&path, text).expect("a file");
    assert_eq!(
        rows(&path, "T | getschema | project ColumnName, ColumnType").await,
        r#"[["t","datetime"],["n","real"],["d","dynamic"],["s","string"],["mixed","dynamic"],["late","bool"]]"#
    );
    assert_eq!(
        rows(&path, "T | project t, n, d=tostring(d), s, mixed=tostring(mixed), late").await,
        "[[\"2026-01-01T00:00:00Z\",1.0,\"{\\\"a\\\":[1,2]}\",\"x\",\"1\",null],[null,2.5,\"\",\"\",\"m\",true]]"
    );
    assert_eq!(rows(&path, "T | summarize count()").await, "[[2]]");
    std::fs::write(&path, "{\"a\":1}\n{oops\n").expect("a file");
    let error = run(&path, "T").await.expect_err("not JSON").to_string();
    assert!(error.contains("line 2 of"), "{error}");
}

#[tokio::test]
async fn a_delta_table_is_the_files_of_its_newest_version() {
    let dir = tempfile::tempdir().expect("a folder");
    let log = dir.path().join("_delta_log");
    std::fs::create_dir(&log).expect("a folder");
    for name in ["old", "new"] {
        write(
            &dir.path().join(format!("{name}.parquet")),
            vec![("Name", Arc::new(LargeStringArray::from(vec![name])))],
        );
    }
    let schema = r#"{\"type\":\"struct\",\"fields\":[{\"name\":\"Day\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}},{\"name\":\"Name\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}]}"#;
    let size = |name: &str| std::fs::metadata(dir.path().join(name)).expect("a file").len();
    let add = |name: &str, day: &str| {
        format!(
            r#"{{"add":{{"path":"{name}","partitionValues":{{"Day":{day}}},"size":{},"modificationTime":0,"dataChange":true}}}}"#,
            size(name)
        )
    };
    let first = format!(
        "{{\"protocol\":{{\"minReaderVersion\":1,\"minWriterVersion\":2}}}}\n{{\"metaData\":{{\"id\":\"6f2c0b9e-98a7-4f3e-8f2b-0b7b3f3f8a11\",\"format\":{{\"provider\":\"parquet\",\"options\":{{}}}},\"schemaString\":\"{schema}\",\"partitionColumns\":[\"Day\"],\"configuration\":{{}},\"createdTime\":0}}}}\n{}\n",
        add("old.parquet", "\"2026-01-01\"")
    );
    std::fs::write(log.join("00000000000000000000.json"), first).expect("a commit");
    assert_eq!(rows(dir.path(), "T").await, r#"[["old","2026-01-01T00:00:00Z"]]"#);
    let second = format!(
        "{{\"remove\":{{\"path\":\"old.parquet\",\"deletionTimestamp\":0,\"dataChange\":true}}}}\n{}\n",
        add("new.parquet", "\"2026-01-02\"")
    );
    std::fs::write(log.join("00000000000000000001.json"), second).expect("a commit");
    assert_eq!(rows(dir.path(), "T | where Day == datetime(2026-01-02)").await, r#"[["new","2026-01-02T00:00:00Z"]]"#);
    assert_eq!(rows(dir.path(), "T | where Day == datetime(2026-01-01) | count").await, "[[0]]");
}

#[tokio::test]
async fn files_of_no_known_format_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.txt");
    std::fs::write(&path, "x").expect("a file");
    let error = run(&path, "T").await.expect_err("not a table").to_string();
    assert!(error.contains(".jsonl or .ndjson"), "{error}");
}

#[test]
fn the_quick_start_runs_as_the_page_shows_it() {
    let shown = format!("```rust\n{}```\n", include_str!("quick_start/mod.rs"));
    assert!(
        include_str!("../README.md").contains(&shown),
        "README.md shows another text than tests/quick_start/mod.rs"
    );
    quick_start::main().expect("the quick start");
}

#[tokio::test]
async fn batches_answer_as_the_file_that_they_come_from() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("foreign.parquet");
    foreign(&path);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("a file")).expect("a reader");
    let reader = reader.build().expect("a reader");
    let schema = arrow::record_batch::RecordBatchReader::schema(&reader);
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("a batch")).collect();
    let mut tables = LocalTables::default();
    tables.add("T", schema, &batches).expect("the table");
    let local = Local::new(tables);
    for query in [
        "T | getschema | project ColumnName, ColumnType",
        "T | project Name, Small, Count, Ratio, Amount, Millis, Nanos, Day",
        "T | project tostring(Took), tostring(Clock), tostring(List), tostring(Bag), Bytes, Long",
        "T | where Nanos <= datetime(1970-01-01 00:00:01.2345678) and Took >= 0s | count",
        "T | summarize count() by Name | sort by Name asc",
    ] {
        let answer = local.run(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
        let body: serde_json::Value = serde_json::from_slice(&log_analytics(&answer)).expect("JSON");
        assert_eq!(body["tables"][0]["rows"].to_string(), rows(&path, query).await, "{query}");
    }
    // results are batches that are a table again
    let answer = local.run("T | project Millis, Took, Name, Bag, Amount").await.expect("an answer");
    let batches = record_batches(&answer.tables[0]).expect("batches");
    let mut tables = LocalTables::default();
    tables.add("U", batches[0].schema(), &batches).expect("the table");
    let again = Local::new(tables).run("U").await.expect("an answer");
    assert_eq!(again.tables[0].schema, answer.tables[0].schema);
    assert_eq!(log_analytics(&again), log_analytics(&answer));
}

#[tokio::test]
async fn tables_that_cannot_be_named_are_refused() {
    let one: ArrayRef = Arc::new(UInt32Array::from(vec![1]));
    let field = |name: &str| Field::new(name, DataType::UInt32, false);
    let schema = Arc::new(arrow::datatypes::Schema::new(vec![field("a"), field("a")]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(&one), one]).expect("a batch");
    let mut tables = LocalTables::default();
    let error = tables.add("T", schema, &[batch]).expect_err("a column twice").to_string();
    assert_eq!(error, "table T: there are two columns with the name a");
    tables.add_empty("T", watchkeeper_kql::Schema::default()).expect("a table");
    let error = tables.add_path("T", "t.csv").await.expect_err("a table twice").to_string();
    assert_eq!(error, "the table T is given twice");
}
