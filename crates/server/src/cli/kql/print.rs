//! Results as text: a table for people, JSON, JSON lines, CSV.

use std::io::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use watchkeeper_query::shape::cell::{Style, write_cell, write_text};
use watchkeeper_query::{Response, ResultTable};

use super::Format;

/// The results in a format; several results one after another.
pub fn response(response: &Response, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    if format == Format::Json {
        let several = response.tables.len() > 1;
        out.extend_from_slice(if several { b"[" } else { b"" });
        for (at, table) in response.tables.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",\n" } else { b"" });
            out.push(b'[');
            json_rows(&mut out, table, b",\n ");
            out.push(b']');
        }
        out.extend_from_slice(if several { b"]\n" } else { b"\n" });
        return out;
    }
    for (at, table) in response.tables.iter().enumerate() {
        if at > 0 {
            out.push(b'\n');
        }
        match format {
            Format::Table => people(&mut out, table),
            Format::Csv => csv_rows(&mut out, table),
            Format::Json | Format::Jsonl => {
                json_rows(&mut out, table, b"\n");
                if table.rows() > 0 {
                    out.push(b'\n');
                }
            }
        }
    }
    out
}

/// What a query read and cost, in one line.
pub fn statistics(response: &Response) -> String {
    let cost = &response.statistics;
    let rows: usize = response.tables.iter().map(ResultTable::rows).sum();
    format!(
        "{rows} rows in {:.3} s ({:.3} s of processor); read {} rows, {} bytes of {} files; {} MiB of memory at most",
        cost.elapsed.as_secs_f64(),
        cost.cpu_time.as_secs_f64(),
        cost.rows_scanned,
        cost.bytes_scanned,
        cost.files_scanned,
        cost.memory_peak >> 20,
    )
}

/// Writes to standard output; a reader that went away is no error.
pub fn out(bytes: &[u8]) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn json_rows(out: &mut Vec<u8>, table: &ResultTable, between: &[u8]) {
    let mut first = true;
    for batch in &table.batches {
        for row in 0..batch.num_rows() {
            if !first {
                out.extend_from_slice(between);
            }
            first = false;
            out.push(b'{');
            for (at, column) in table.schema.columns.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_text(out, &column.name);
                out.push(b':');
                write_cell(out, batch.column(at), row, column.ty, Style::DynamicAsJson);
            }
            out.push(b'}');
        }
    }
}

/// The cells of each row as plain text; null is the empty text.
fn texts(table: &ResultTable) -> impl Iterator<Item = Vec<String>> {
    table.batches.iter().flat_map(move |batch| {
        (0..batch.num_rows()).map(move |row| {
            let cells = table.schema.columns.iter().enumerate().map(|(at, column)| {
                let mut cell = Vec::new();
                write_cell(&mut cell, batch.column(at), row, column.ty, Style::DynamicAsText);
                match serde_json::from_slice(&cell) {
                    Ok(serde_json::Value::String(text)) => text,
                    Ok(serde_json::Value::Null) => String::new(),
                    _ => String::from_utf8_lossy(&cell).into_owned(),
                }
            });
            cells.collect()
        })
    })
}

fn csv_rows(out: &mut Vec<u8>, table: &ResultTable) {
    let mut writer = csv::Writer::from_writer(out);
    // writing to memory does not fail, and every record has the schema's length
    let _ = writer.write_record(table.schema.names());
    for row in texts(table) {
        let _ = writer.write_record(row);
    }
    let _ = writer.flush();
}

fn people(out: &mut Vec<u8>, table: &ResultTable) {
    let mut printed = Table::new();
    printed.load_preset(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    printed.set_header(table.schema.names());
    for row in texts(table) {
        printed.add_row(row);
    }
    for (at, column) in table.schema.columns.iter().enumerate() {
        if let (true, Some(column)) = (column.ty.is_numeric(), printed.column_mut(at)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let rows = table.rows();
    let plural = if rows == 1 { "" } else { "s" };
    out.extend_from_slice(format!("{printed}\n{rows} row{plural}\n").as_bytes());
}
