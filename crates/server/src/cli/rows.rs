//! Answers of the management APIs as rows, for every output format.

use std::io::Write;

use anyhow::Context;
use serde_json::{Value, json};

use super::query::{Format, write_answer};

/// Prints a list of objects with some of their members as columns; as JSON, the answer itself.
pub fn print(answer: &Value, columns: &[&str], format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = match format {
        Format::Json => serde_json::to_writer_pretty(&mut out, answer).map_err(Into::into).and_then(|()| writeln!(out)),
        _ => write_answer(&mut out, &table(answer, columns), format),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write the answer"),
    }
}

fn table(answer: &Value, columns: &[&str]) -> Value {
    let heads: Vec<Value> = columns.iter().map(|name| json!({"name": name, "type": "string"})).collect();
    let items: &[Value] = match answer {
        Value::Array(items) => items,
        other => std::slice::from_ref(other),
    };
    let cell = |value: &Value| match value {
        Value::Null => Value::String(String::new()),
        Value::Array(parts) if parts.iter().all(Value::is_string) => {
            Value::String(parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        Value::String(_) => value.clone(),
        other => Value::String(other.to_string()),
    };
    let rows: Vec<Value> = items.iter().map(|item| columns.iter().map(|name| cell(&item[*name])).collect()).collect();
    json!({"tables": [{"name": "PrimaryResult", "columns": heads, "rows": rows}]})
}

/// Prints a tree of monitors: why something has its health.
pub fn print_health(node: &Value, depth: usize) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let because = match text("because") {
        "" => String::new(),
        because => format!(" ({because})"),
    };
    println!(
        "{}{} — {}: {}{because}, since {}",
        "  ".repeat(depth),
        text("objectName"),
        text("name"),
        text("health"),
        text("since")
    );
    for member in node["members"].as_array().into_iter().flatten() {
        print_health(member, depth + 1);
    }
    if let Some(more @ 1..) = node["more"].as_u64() {
        println!("{}… and {more} more", "  ".repeat(depth + 1));
    }
}

/// A text as one segment of a path.
pub fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
