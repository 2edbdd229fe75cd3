use std::collections::BTreeMap;

use watchkeeper_kql::{Analysis, Column, Options, Schema, Type, analyze};

pub fn main() {
    let columns = vec![Column::new("level", Type::String), Column::new("ms", Type::Long)];
    let tables = BTreeMap::from([("logs".to_owned(), Schema::new(columns))]);

    // what comes out: the columns with their types, and a tree without names that are still open
    let text = "logs | where level != 'debug' | summarize count(), slowest = max(ms) by level";
    let Ok(Analysis::Complete(query)) = analyze(text, &tables, &Options::default()) else {
        panic!("the query has no mistake");
    };
    let result = &query.results[0].relation.schema;
    let columns: Vec<String> = result.columns.iter().map(|column| format!("{}: {}", column.name, column.ty)).collect();
    assert_eq!(columns, ["level: string", "count_: long", "slowest: long"]);

    // what is wrong, and where
    let text = "logs\n| where levl == 'error'";
    let mistakes = analyze(text, &tables, &Options::default()).expect_err("there is no column levl");
    assert_eq!(mistakes[0].line_column(text), (2, 9));
    assert!(mistakes[0].help.as_ref().is_some_and(|help| help.contains("level")));
}
