//! `watchkeeper kql --jsonl`: a query a line in, an answer a line out.

use std::io::{BufRead, Write};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_query::shape::cell::{Style, write_cell, write_text};
use watchkeeper_query::{Engine, QueryError, Request, Response, Tables};

/// One line of input.
#[derive(Deserialize)]
struct Question {
    id: Value,
    query: String,
}

/// Runs every query of `input` and writes its answer to `output`, in the same order. An error of a query is its answer;
/// only lines that are no question, and a broken output, end the loop.
pub async fn run(
    engine: &Arc<Engine>,
    tables: &Arc<dyn Tables>,
    request: impl Fn() -> Request,
    input: impl BufRead,
    mut output: impl Write,
) -> std::io::Result<()> {
    for (at, line) in input.lines().enumerate() {
        let Some(question) = question(at, &line?)? else { continue };
        let (engine, tables, request) = (Arc::clone(engine), Arc::clone(tables), request());
        let text = question.query;
        // in a task of its own: a query that panics is one wrong answer, not the end of all
        let work = tokio::spawn(async move { engine.run(&text, tables, request).await });
        let mut line = format!("{{\"id\":{},", question.id).into_bytes();
        match work.await {
            Ok(Ok(response)) => write_result(&mut line, &response),
            Ok(Err(error)) => write_error(&mut line, &error),
            Err(panic) => {
                write_error(&mut line, &QueryError::execution(format!("the query ended abnormally: {panic}")))
            }
        }
        line.extend_from_slice(b"}\n");
        output.write_all(&line)?;
        output.flush()?;
    }
    Ok(())
}

/// Parses every query of `input`; the answers have no columns and rows.
pub fn parse_only(input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    for (at, line) in input.lines().enumerate() {
        let Some(question) = question(at, &line?)? else { continue };
        let diagnostics = watchkeeper_kql::parse(&question.query).diagnostics;
        let mut line = format!("{{\"id\":{},", question.id).into_bytes();
        if diagnostics.is_empty() {
            line.extend_from_slice(b"\"columns\":[],\"rows\":[]");
        } else {
            write_error(&mut line, &QueryError::Diagnostics { text: question.query, diagnostics });
        }
        line.extend_from_slice(b"}\n");
        output.write_all(&line)?;
    }
    output.flush()
}

fn question(at: usize, line: &str) -> std::io::Result<Option<Question>> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(line).map(Some).map_err(|error| {
        let message = format!("line {} of the input is not {{\"id\", \"query\"}}: {error}", at + 1);
        std::io::Error::new(std::io::ErrorKind::InvalidData, message)
    })
}

/// The last result of the query: what its text ends with.
fn write_result(out: &mut Vec<u8>, response: &Response) {
    let Some(table) = response.tables.last() else {
        out.extend_from_slice(b"\"columns\":[],\"rows\":[]");
        return;
    };
    out.extend_from_slice(b"\"columns\":[");
    for (at, column) in table.schema.columns.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"name\":" } else { b"{\"name\":" });
        write_text(out, &column.name);
        out.extend_from_slice(b",\"type\":");
        write_text(out, column.ty.name());
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"rows\":[");
    let mut first = true;
    for batch in &table.batches {
        for row in 0..batch.num_rows() {
            out.extend_from_slice(if first { b"[" } else { b",[" });
            first = false;
            for (at, column) in table.schema.columns.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_cell(out, batch.column(at), row, column.ty, Style::DynamicAsJson);
            }
            out.push(b']');
        }
    }
    out.push(b']');
}

fn write_error(out: &mut Vec<u8>, error: &QueryError) {
    let (line, column) = match error {
        QueryError::Diagnostics { text, diagnostics } => match diagnostics.first() {
            Some(first) => first.line_column(text),
            None => (1, 1),
        },
        _ => (1, 1),
    };
    let error = json!({ "message": error.to_string(), "line": line, "column": column });
    out.extend_from_slice(b"\"error\":");
    out.extend_from_slice(error.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_only_answers_each_line_with_the_place_of_the_mistake() {
        let input = "{\"id\":\"a\",\"query\":\"T | where x == 1\"}\n\n{\"id\":2,\"query\":\"T\\n| wher x\"}\n";
        let mut output = Vec::new();
        parse_only(input.as_bytes(), &mut output).expect("both lines are questions");
        let answers: Vec<Value> =
            output.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert_eq!(answers[0], json!({"id": "a", "columns": [], "rows": []}));
        assert_eq!((&answers[1]["id"], &answers[1]["error"]["line"]), (&json!(2), &json!(2)));
    }

    #[test]
    fn a_line_that_is_no_question_is_named() {
        let error = parse_only("{\"id\":1}\n".as_bytes(), Vec::new()).expect_err("the query is missing");
        assert!(error.to_string().starts_with("line 1 of the input is not"), "{error}");
    }
}
