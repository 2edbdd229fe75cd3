//! Runs `tests/cases/*.kql-test`: a case is a title (`# …`), a query, `----`, and the table that it gives (a header of
//! `name:type`, then rows; cells are parted by ` | `). Cases are parted by blank lines. `error` after `----` is followed
//! by a part of the message, which begins with line and column where the mistake is in the text. `UPDATE=1` writes what
//! the queries give now.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Schema, Ticks, Type};
use watchkeeper_query::shape::cell::{Style, write_cell};
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

/// The message with its place in the query.
fn placed(error: &QueryError) -> String {
    match error {
        QueryError::Diagnostics { text, diagnostics } if !diagnostics.is_empty() => {
            let before = &text[..diagnostics[0].span.start as usize];
            let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
            format!("{}:{column} {error}", before.matches('\n').count() + 1)
        }
        _ => error.to_string(),
    }
}

fn printed(outcome: &Result<Response, QueryError>) -> String {
    let response = match outcome {
        Ok(response) => response,
        Err(error) => return format!("error\n{}", placed(error)),
    };
    let mut out = String::new();
    for (at, table) in response.tables.iter().enumerate() {
        if at > 0 {
            out.push_str("==\n");
        }
        let header: Vec<String> = table.schema.columns.iter().map(|c| format!("{}:{}", c.name, c.ty)).collect();
        let _ = writeln!(out, "{}", header.join(" | "));
        for batch in &table.batches {
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = table
                    .schema
                    .columns
                    .iter()
                    .enumerate()
                    .map(|(at, column)| {
                        let mut cell = Vec::new();
                        write_cell(&mut cell, batch.column(at), row, column.ty, Style::DynamicAsJson);
                        let text = String::from_utf8(cell).expect("JSON is UTF-8");
                        let plain = matches!(column.ty, Type::Datetime | Type::Timespan | Type::Decimal | Type::Guid);
                        if plain { text.trim_matches('"').to_string() } else { text }
                    })
                    .collect();
                let _ = writeln!(out, "{}", cells.join(" | "));
            }
        }
    }
    out.trim_end().to_string()
}

#[tokio::test]
async fn every_case_gives_its_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let spill = tempfile::tempdir().expect("a folder to spill to");
    let engine =
        Engine::new(EngineOptions { memory_limit: 256 << 20, spill_dir: spill.path().to_path_buf(), threads: 2 });
    let update = std::env::var_os("UPDATE").is_some();
    let only = std::env::var("CASES").unwrap_or_default();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "kql-test"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no case files in {}", folder.display());
    let mut wrong = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a readable case file");
        let mut written = Vec::new();
        for case in text.split("\n\n").map(str::trim).filter(|case| !case.is_empty()) {
            let (head, expected) = case.split_once("\n----").unwrap_or((case, ""));
            let expected = expected.trim();
            if !head.contains(&only) {
                continue;
            }
            let query: Vec<&str> = head.lines().filter(|line| !line.starts_with("# ")).collect();
            let request = Request {
                timespan: None,
                parameters: Default::default(),
                now: Ticks::from_unix_micros(1_767_225_600_000_000),
                deadline: Duration::from_secs(60),
                max_rows: 100_000,
                max_bytes: 1 << 30,
                cancel: CancellationToken::new(),
                plan: false,
            };
            let outcome = engine.run(&query.join("\n"), Arc::new(NoTables), request).await;
            let given = printed(&outcome);
            let same = match expected.strip_prefix("error\n") {
                Some(part) => matches!(&outcome, Err(error) if placed(error).contains(part)),
                None => given == expected,
            };
            if !same {
                wrong.push(format!("{}\n{head}\n-- expected\n{expected}\n-- given\n{given}\n", path.display()));
            }
            written.push(format!("{head}\n----\n{}\n", if same { expected } else { &given }));
        }
        if update && only.is_empty() {
            std::fs::write(&path, written.join("\n")).expect("a writable case file");
        }
    }
    assert!(update || wrong.is_empty(), "{} cases differ:\n\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_running_query_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let engine = Engine::new(EngineOptions { memory_limit: 1, spill_dir: Default::default(), threads: 1 });
    let request = Request {
        timespan: None,
        parameters: Default::default(),
        now: Ticks::UNIX_EPOCH,
        deadline: Duration::ZERO,
        max_rows: 0,
        max_bytes: 0,
        cancel: CancellationToken::new(),
        plan: false,
    };
    is_send(&engine.run("print 1", Arc::new(NoTables), request));
}
