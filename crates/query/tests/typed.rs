//! The planner and the engine on trees built by hand: what the analyzer has no part in.

use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::TableProvider;
use tokio_util::sync::CancellationToken;
use watchkeeper_kql::typed::{
    AggregateOutput, Expr, ExprKind, NamedExpr, Operator, Query, QueryResult, Relation, SortKey, TableSource,
};
use watchkeeper_kql::{Column, Literal, Schema, Span, Ticks, Type};
use watchkeeper_query::shape::log_analytics;
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
        Err(QueryError::execution(format!("no table {name}")))
    }
}

fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

fn col(name: &str, ty: Type) -> Expr {
    expr(ExprKind::Column(name.to_string()), ty)
}

fn long(value: i64) -> Expr {
    expr(ExprKind::Literal(Literal::Long(value)), Type::Long)
}

fn call(function: &str, args: Vec<Expr>, ty: Type) -> Expr {
    expr(ExprKind::Call { function: function.to_string(), args }, ty)
}

fn relation(operator: Operator, columns: &[(&str, Type)]) -> Relation {
    let columns = columns.iter().map(|(name, ty)| Column::new(*name, *ty)).collect();
    Relation { operator, schema: Schema::new(columns), open: false, span: Span::default() }
}

fn request() -> Request {
    Request {
        timespan: None,
        parameters: Default::default(),
        now: Ticks::UNIX_EPOCH,
        deadline: Duration::from_secs(60),
        max_rows: 10_000,
        max_bytes: 1 << 30,
        cancel: CancellationToken::new(),
        plan: false,
    }
}

async fn run(relation: Relation, request: Request) -> Result<Response, QueryError> {
    let spill = tempfile::tempdir().expect("a folder to spill to");
    let engine =
        Engine::new(EngineOptions { memory_limit: 256 << 20, spill_dir: spill.path().to_path_buf(), threads: 2 });
    let query = Query {
        results: vec![QueryResult { name: None, relation, render: None }],
        shared: Vec::new(),
        options: Vec::new(),
    };
    engine.run_typed(&query, Arc::new(NoTables), request).await
}

async fn rows(relation: Relation) -> String {
    let response = run(relation, request()).await.expect("the query runs");
    let body: serde_json::Value = serde_json::from_slice(&log_analytics(&response)).expect("JSON");
    body["tables"][0]["rows"].to_string()
}

fn people() -> Relation {
    let row = |name: &str, age: Literal| vec![Literal::String(name.to_string()), age];
    relation(
        Operator::Datatable {
            rows: vec![
                row("Ann", Literal::Long(40)),
                row("Bo", Literal::Null(Type::Long)),
                row("Cy", Literal::Long(7)),
                row("Ann", Literal::Long(2)),
            ],
        },
        &[("na.me", Type::String), ("Age", Type::Long)],
    )
}

#[tokio::test]
async fn constant_rows_keep_their_order_and_exact_names() {
    assert_eq!(rows(people()).await, r#"[["Ann",40],["Bo",null],["Cy",7],["Ann",2]]"#);
}

#[tokio::test]
async fn unequal_to_a_value_keeps_nulls() {
    let predicate = call("__not_equal", vec![col("Age", Type::Long), long(7)], Type::Bool);
    let filtered = relation(
        Operator::Where { input: Box::new(people()), predicate },
        &[("na.me", Type::String), ("Age", Type::Long)],
    );
    assert_eq!(rows(filtered).await, r#"[["Ann",40],["Bo",null],["Ann",2]]"#);
}

fn summarized(keys: Vec<NamedExpr>, input: Relation) -> Relation {
    let aggregate = |function: &str, args: Vec<Expr>, ty| {
        expr(ExprKind::Aggregate { function: function.to_string(), args, output: AggregateOutput::Only }, ty)
    };
    let doubled = call("__multiply", vec![aggregate("count", vec![], Type::Long), long(2)], Type::Long);
    let total = aggregate("sum", vec![col("Age", Type::Long)], Type::Long);
    let greatest = aggregate("max", vec![col("na.me", Type::String)], Type::String);
    let mut columns: Vec<(&str, Type)> = keys.iter().map(|_| ("Key", Type::String)).collect();
    columns.extend([("Twice", Type::Long), ("Total", Type::Long), ("Last", Type::String)]);
    relation(
        Operator::Summarize {
            input: Box::new(input),
            keys,
            aggregates: vec![
                NamedExpr { name: "Twice".to_string(), expr: doubled },
                NamedExpr { name: "Total".to_string(), expr: total },
                NamedExpr { name: "Last".to_string(), expr: greatest },
            ],
        },
        &columns,
    )
}

#[tokio::test]
async fn summarize_without_keys_gives_one_row_for_no_input() {
    let nothing = relation(Operator::Datatable { rows: Vec::new() }, &[("na.me", Type::String), ("Age", Type::Long)]);
    assert_eq!(rows(summarized(Vec::new(), nothing)).await, r#"[[0,0,""]]"#);
}

#[tokio::test]
async fn sort_and_take_after_summarize_follow_the_keys() {
    let by = NamedExpr { name: "Key".to_string(), expr: col("na.me", Type::String) };
    let grouped = summarized(vec![by], people());
    let schema = grouped.schema.clone();
    let columns: Vec<(&str, Type)> = schema.columns.iter().map(|c| (c.name.as_str(), c.ty)).collect();
    let key = SortKey { expr: col("Total", Type::Long), descending: true, nulls_first: false };
    let sorted = relation(Operator::Sort { input: Box::new(grouped), keys: vec![key] }, &columns);
    let taken = relation(Operator::Take { input: Box::new(sorted), count: long(2) }, &columns);
    assert_eq!(rows(taken).await, r#"[["Ann",4,42,"Ann"],["Cy",2,7,"Cy"]]"#);
}

#[tokio::test]
async fn a_range_streams_and_stops_at_the_limit_of_rows() {
    let range = relation(Operator::Range { from: long(1), to: long(i64::MAX), step: long(1) }, &[("x", Type::Long)]);
    let response = run(range, Request { max_rows: 3, ..request() }).await.expect("the query runs");
    assert_eq!(response.tables[0].rows(), 3);
    assert_eq!(response.partial.expect("cut").code, "E_QUERY_RESULT_SET_TOO_LARGE");
}

#[tokio::test]
async fn a_query_past_its_deadline_says_so() {
    let range = relation(Operator::Range { from: long(1), to: long(i64::MAX), step: long(1) }, &[("x", Type::Long)]);
    let counted = relation(
        Operator::Summarize {
            input: Box::new(range),
            keys: vec![],
            aggregates: vec![NamedExpr {
                name: "n".to_string(),
                expr: expr(
                    ExprKind::Aggregate { function: "count".to_string(), args: vec![], output: AggregateOutput::Only },
                    Type::Long,
                ),
            }],
        },
        &[("n", Type::Long)],
    );
    let outcome = run(counted, Request { deadline: Duration::from_millis(20), ..request() }).await;
    assert!(matches!(outcome, Err(QueryError::Deadline { .. })), "{outcome:?}");
}

#[tokio::test]
async fn window_functions_follow_the_sort() {
    let key = SortKey { expr: col("Age", Type::Long), descending: false, nulls_first: true };
    let columns = [("na.me", Type::String), ("Age", Type::Long)];
    let sorted = relation(Operator::Sort { input: Box::new(people()), keys: vec![key] }, &columns);
    let window =
        |function: &str, args: Vec<Expr>, ty| expr(ExprKind::Window { function: function.to_string(), args }, ty);
    let project = relation(
        Operator::Project {
            input: Box::new(sorted),
            columns: vec![
                NamedExpr { name: "n".to_string(), expr: window("row_number", vec![], Type::Long) },
                NamedExpr {
                    name: "before".to_string(),
                    expr: window("prev", vec![col("na.me", Type::String)], Type::String),
                },
                NamedExpr {
                    name: "sum".to_string(),
                    expr: window("row_cumsum", vec![col("Age", Type::Long)], Type::Long),
                },
            ],
        },
        &[("n", Type::Long), ("before", Type::String), ("sum", Type::Long)],
    );
    assert_eq!(rows(project).await, r#"[[1,"",null],[2,"Bo",2],[3,"Ann",9],[4,"Cy",49]]"#);
}
