//! Analyzes the self-contained queries of the language's reference and compares the columns and types that come out
//! with those that the reference prints. The cases are `examples.jsonl` in the folder that `WATCHKEEPER_KQL_CASES`
//! names, or in `shared/kql` beside one of the folders above; without them the test says so and passes.

use std::path::PathBuf;

use serde_json::Value;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Analysis, Catalog, Options, Schema, StoredFunction, analyze};

/// How many of the cases must match; raise it with every improvement.
const FLOOR: usize = 458;

struct NoTables;

impl Catalog for NoTables {
    fn table(&self, _source: &TableSource, _name: &str) -> Option<Schema> {
        None
    }

    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn function(&self, _name: &str) -> Option<StoredFunction> {
        None
    }
}

fn cases() -> Option<String> {
    let folder = match std::env::var_os("WATCHKEEPER_KQL_CASES") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|above| above.join("shared/kql"))
            .find(|folder| folder.is_dir())?,
    };
    std::fs::read_to_string(folder.join("examples.jsonl")).ok()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// What is wrong with the analysis of a case; none if it matches.
fn mismatch(case: &Value) -> Option<String> {
    let text = case["query"].as_str().unwrap_or_default();
    let query = match analyze(text, &NoTables, &Options::default()) {
        Ok(Analysis::Complete(query)) => query,
        Ok(Analysis::NeedsSchema { .. }) if case.get("types").is_none() => return None,
        Ok(Analysis::NeedsSchema { .. }) => return Some("needs a schema".to_owned()),
        Err(diagnostics) => {
            let first = &diagnostics[0];
            let (line, column) = first.line_column(text);
            return Some(format!("{line}:{column}: {first}"));
        }
    };
    let Some(result) = query.results.last() else { return Some("no result".to_owned()) };
    let schema = &result.relation.schema;
    let names: Vec<String> = schema.names().map(str::to_lowercase).collect();
    let wanted: Vec<String> = strings(&case["columns"]).iter().map(|name| name.to_lowercase()).collect();
    if names.len() != wanted.len() || (case["names"] != Value::Bool(false) && names != wanted) {
        return Some(format!("columns {names:?}, not {wanted:?}"));
    }
    let types: Vec<String> = schema.columns.iter().map(|column| column.ty.to_string()).collect();
    if case.get("types").is_some() && types != strings(&case["types"]) {
        return Some(format!("types {types:?}, not {:?}", strings(&case["types"])));
    }
    None
}

#[test]
fn examples_of_the_reference_have_the_columns_that_it_prints() {
    let Some(text) = cases() else {
        eprintln!("skipped: no examples.jsonl (set WATCHKEEPER_KQL_CASES to its folder)");
        return;
    };
    let (mut matching, mut total) = (0, 0);
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        total += 1;
        match mismatch(&case) {
            None => matching += 1,
            Some(message) => println!("{}: {message}", case["id"].as_str().unwrap_or_default()),
        }
    }
    println!("{matching} of {total} examples match");
    assert!(matching >= FLOOR.min(total), "{matching} of {total} examples match, at least {FLOOR} did before");
}
