//! `{"tables":[{"name":"PrimaryResult","columns":[…],"rows":[[…]]}]}`, as the Log Analytics query API answers
//! (Azure Monitor Logs API, "Response format").

use serde_json::json;

use super::cell::{Style, write_cell, write_text};
use crate::engine::{Response, ResultTable};

/// The body of a response. A result cut short carries its `error` beside the tables.
pub fn log_analytics(response: &Response) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"tables\":[");
    for (at, table) in response.tables.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_table(&mut out, table);
    }
    out.push(b']');
    if let Some(render) = &response.render {
        let mut properties = serde_json::Map::new();
        properties.insert("visualization".to_string(), json!(render.kind));
        for (name, value) in &render.properties {
            properties.insert(name.clone(), crate::shape::literal_json(value));
        }
        out.extend_from_slice(b",\"render\":");
        out.extend_from_slice(serde_json::Value::Object(properties).to_string().as_bytes());
    }
    if let Some(partial) = &response.partial {
        let error = json!({
            "code": "PartialError",
            "message": "There were some errors when processing your query.",
            "details": [{ "code": partial.code, "message": partial.message }],
        });
        out.extend_from_slice(b",\"error\":");
        out.extend_from_slice(error.to_string().as_bytes());
    }
    out.push(b'}');
    out
}

fn write_table(out: &mut Vec<u8>, table: &ResultTable) {
    out.extend_from_slice(b"{\"name\":");
    write_text(out, &table.name);
    out.extend_from_slice(b",\"columns\":[");
    for (at, column) in table.schema.columns.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"name\":");
        write_text(out, &column.name);
        out.extend_from_slice(b",\"type\":");
        write_text(out, column.ty.name());
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"rows\":");
    write_rows(out, table, Style::DynamicAsText);
    out.push(b'}');
}

/// Appends `[[…],…]`.
pub(super) fn write_rows(out: &mut Vec<u8>, table: &ResultTable, style: Style) {
    out.push(b'[');
    let mut first = true;
    for batch in &table.batches {
        for row in 0..batch.num_rows() {
            if !first {
                out.push(b',');
            }
            first = false;
            out.push(b'[');
            for (at, column) in table.schema.columns.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_cell(out, batch.column(at), row, column.ty, style);
            }
            out.push(b']');
        }
    }
    out.push(b']');
}
