//! Queries from collections outside of the project must all parse. `WATCHKEEPER_KQL_CASES` names their folder.

use std::path::PathBuf;

use watchkeeper_kql::{parse, syntax};

fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("WATCHKEEPER_KQL_CASES") {
        return Some(PathBuf::from(folder));
    }
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().map(|folder| folder.join("shared/kql")).find(|folder| folder.is_dir())
}

/// The tree as text, with every span at zero.
fn without_places(query: &syntax::Query) -> String {
    let text = format!("{query:?}");
    let mut pieces = text.split("Span { ");
    let mut out = pieces.next().unwrap_or("").to_owned();
    for piece in pieces {
        out.push_str(piece.split_once('}').map_or("", |(_, rest)| rest));
    }
    out
}

fn every_query_parses(file: &str) {
    let Some(path) = folder().map(|folder| folder.join(file)).filter(|path| path.is_file()) else {
        println!("skipped: no {file}; set WATCHKEEPER_KQL_CASES to the folder of cases");
        return;
    };
    let text = std::fs::read_to_string(&path).expect("the cases can be read");
    let mut failed = Vec::new();
    let mut count = 0;
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("a case is JSON");
        let query = case["query"].as_str().expect("a case has a query");
        count += 1;
        let parsed = parse(query);
        let printed = syntax::print::print(&parsed.query);
        let again = parse(&printed);
        if let Some(first) = again.diagnostics.first() {
            failed.push(format!("{} printed as {printed}\n{first}", case["id"]));
        } else if without_places(&again.query) != without_places(&parsed.query) {
            failed.push(format!("{} printed as {printed} is another tree", case["id"]));
        }
        if let Some(first) = parsed.diagnostics.first() {
            let (line, column) = first.line_column(query);
            failed.push(format!("{} {line}:{column}: {first}", case["id"]));
        }
    }
    assert!(failed.is_empty(), "{} of {count} queries of {file} do not parse:\n{}", failed.len(), failed.join("\n"));
    println!("{count} queries of {file} parse");
}

#[test]
fn queries_of_the_reference_parse() {
    every_query_parses("parse.jsonl");
}

#[test]
fn queries_of_examples_parse() {
    every_query_parses("examples.jsonl");
}

#[test]
fn queries_that_people_run_parse() {
    every_query_parses("real-world.jsonl");
}
