//! `watchkeeper query`: runs a query on a server and prints its tables.

use std::io::{IsTerminal, Read, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::{Client, Target};

/// Run a query and print its result.
#[derive(Args)]
pub struct Query {
    /// The query; `-` reads it from standard input.
    text: String,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// ISO 8601: how far back (PT1H, P1D) or from/to (2026-01-01/2026-01-02); applies to TimeGenerated.
    #[arg(long)]
    timespan: Option<String>,
    /// Seconds that the query may take.
    #[arg(long, default_value_t = 180)]
    wait: u64,
    /// Say on standard error what the query read and what it cost.
    #[arg(long)]
    statistics: bool,
    /// Say on standard error by which plan it ran, with the rows and the time of each step.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    target: Target,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// Columns with their types, for people.
    Table,
    /// The answer of the API.
    Json,
    /// One object a row.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

impl Query {
    pub fn run(self) -> anyhow::Result<()> {
        let text = match self.text.as_str() {
            "-" => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("cannot read the query from standard input")?;
                text
            }
            text => text.to_owned(),
        };
        let answer = super::block_on(async {
            let client = self.target.connect().await?;
            let prefer = format!("wait={},include-statistics=true,include-plan={}", self.wait, self.explain);
            ask(&client, &text, self.timespan.as_deref(), prefer).await
        })?;
        let mut out = std::io::stdout().lock();
        match write_answer(&mut out, &answer, self.format).and_then(|()| out.flush()) {
            // the reader has seen enough: `watchkeeper query … | head`
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            result => result.context("cannot write the result")?,
        }
        if let Some(message) = answer["error"]["details"][0]["message"].as_str() {
            eprintln!("watchkeeper: the result is not complete: {message}");
        }
        self.say_beside(&answer["statistics"]);
        Ok(())
    }
}

impl Query {
    /// What stands beside the result: advice always, figures and plan where they were asked for.
    fn say_beside(&self, statistics: &Value) {
        for advice in statistics["advice"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            eprintln!("advice: {advice}");
        }
        if let Some(plan) = statistics["plan"].as_str() {
            eprint!("{plan}");
        }
        if self.statistics {
            let cost = &statistics["query"];
            let read = &cost["inputDatasetStatistics"];
            eprintln!(
                "{} rows in {:.3} s ({} of processor); read {} rows, {} bytes of {} files",
                cost["datasetStatistics"][0]["tableRowCount"],
                cost["executionTime"].as_f64().unwrap_or_default(),
                cost["resourceUsage"]["cpu"]["totalCpu"].as_str().unwrap_or_default(),
                read["rows"]["scanned"],
                read["bytes"]["scanned"],
                read["extents"]["scanned"],
            );
        }
    }
}

/// The API's answer to a query, with preferences as the header has them. A mistake in the query becomes an error with the
/// line underlined.
async fn ask(client: &Client, text: &str, timespan: Option<&str>, prefer: String) -> anyhow::Result<Value> {
    let mut body = json!({ "query": text });
    if let Some(timespan) = timespan {
        body["timespan"] = json!(timespan);
    }
    let path = format!("/v1/workspaces/{}/query", client.workspace_id);
    let request = client.request(Method::POST, &path).header("Prefer", prefer).json(&body);
    let progress = progress();
    let response = request.send().await.with_context(|| format!("cannot reach {}", client.base));
    let answer = match response {
        Ok(response) => {
            let status = response.status();
            response.text().await.context("the server's answer broke off").map(|body| (status, body))
        }
        Err(error) => Err(error),
    };
    progress.finish_and_clear();
    let (status, body) = answer?;
    let body: Value =
        serde_json::from_str(&body).with_context(|| format!("the server answered {status} without JSON"))?;
    if !status.is_success() {
        bail!("{}", explain(text, &body["error"], status.as_u16()));
    }
    Ok(body)
}

/// A line on standard error while a terminal waits.
fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} the query runs ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// The innermost message, with the line of the query that it speaks of.
fn explain(text: &str, error: &Value, status: u16) -> String {
    let mut inner = error;
    let mut placed = None;
    loop {
        if inner["line"].is_number() {
            placed = Some(inner);
        }
        match inner.get("innererror").filter(|next| next.is_object()) {
            Some(next) => inner = next,
            None => break,
        }
    }
    let message = inner["message"].as_str().unwrap_or("the server gave no reason");
    let Some(placed) = placed else { return format!("{message} ({status})") };
    let number = |name: &str| placed[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(1).max(1);
    let (line, position) = (number("line"), number("pos"));
    underline(text, line, position, placed["token"].as_str().unwrap_or_default(), message)
}

/// The message, the line, and carets under the token.
pub(super) fn underline(text: &str, line: usize, position: usize, token: &str, message: &str) -> String {
    let shown = text.lines().nth(line - 1).unwrap_or_default();
    // tabs keep their width, so that the carets stand under the token
    let before = shown.chars().take(position - 1).map(|letter| if letter == '\t' { '\t' } else { ' ' });
    let padding: String = before.collect();
    let rest = shown.chars().count().saturating_sub(position - 1);
    let width = token.lines().next().unwrap_or_default().chars().count().clamp(1, rest.max(1));
    let margin = " ".repeat(line.to_string().len());
    format!(
        "{message}\n{margin} --> line {line}, column {position}\n{margin} |\n{line} | {shown}\n{margin} | {padding}{}",
        "^".repeat(width)
    )
}

/// Writes all tables of an answer.
pub(super) fn write_answer(out: &mut impl Write, answer: &Value, format: Format) -> std::io::Result<()> {
    if format == Format::Json {
        serde_json::to_writer_pretty(&mut *out, answer)?;
        return writeln!(out);
    }
    let tables = answer["tables"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (at, table) in tables.iter().enumerate() {
        if at > 0 && format != Format::Jsonl {
            writeln!(out)?;
        }
        let columns = table["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rows = table["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        match format {
            Format::Table => write_table(out, columns, rows)?,
            Format::Jsonl => write_lines(out, columns, rows)?,
            Format::Csv => write_csv(out, columns, rows)?,
            Format::Json => {}
        }
    }
    Ok(())
}

fn name(column: &Value) -> &str {
    column["name"].as_str().unwrap_or_default()
}

fn cells(row: &Value) -> impl Iterator<Item = &Value> {
    row.as_array().into_iter().flatten()
}

/// A value as text; null is empty.
fn text(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn write_table(out: &mut impl Write, columns: &[Value], rows: &[Value]) -> std::io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(
        columns.iter().map(|column| format!("{}\n{}", name(column), column["type"].as_str().unwrap_or_default())),
    );
    for row in rows {
        table.add_row(cells(row).map(text));
    }
    for (at, column) in columns.iter().enumerate() {
        let is_number = matches!(column["type"].as_str(), Some("int" | "long" | "real" | "decimal"));
        if is_number && let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "{table}")?;
    writeln!(out, "{} row{}", rows.len(), if rows.len() == 1 { "" } else { "s" })
}

fn write_lines(out: &mut impl Write, columns: &[Value], rows: &[Value]) -> std::io::Result<()> {
    for row in rows {
        let object: Map<String, Value> =
            columns.iter().map(|column| name(column).to_owned()).zip(cells(row).cloned()).collect();
        serde_json::to_writer(&mut *out, &object)?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_csv(out: &mut impl Write, columns: &[Value], rows: &[Value]) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns.iter().map(name))?;
    for row in rows {
        writer.write_record(cells(row).map(text))?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Value {
        json!({"tables": [{
            "name": "PrimaryResult",
            "columns": [{"name": "Computer", "type": "string"}, {"name": "n", "type": "long"}],
            "rows": [["a,\"b\"", 1], ["c", null]],
        }]})
    }

    fn written(format: Format) -> String {
        let mut out = Vec::new();
        write_answer(&mut out, &answer(), format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_format_has_names_and_values() {
        assert_eq!(written(Format::Csv), "Computer,n\n\"a,\"\"b\"\"\",1\nc,\n");
        assert_eq!(written(Format::Jsonl), "{\"Computer\":\"a,\\\"b\\\"\",\"n\":1}\n{\"Computer\":\"c\",\"n\":null}\n");
        assert_eq!(serde_json::from_str::<Value>(&written(Format::Json)).unwrap(), answer());
        let table = written(Format::Table);
        for part in ["Computer", "string", "long", "2 rows"] {
            assert!(table.contains(part), "{part} in {table}");
        }
    }

    #[test]
    fn a_mistake_is_underlined_in_its_line() {
        let error = json!({"code": "BadArgumentError", "message": "outer", "innererror": {"innererror": {
            "message": "no operator is called wher", "line": 2, "pos": 4, "token": "wher",
        }}});
        let shown = explain("T\n\t| wher x", &error, 400);
        let expected = "no operator is called wher\n  --> line 2, column 4\n  |\n2 | \t| wher x\n  | \t  ^^^^";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_mistake_at_the_end_and_an_error_without_a_place_are_told() {
        assert!(underline("T |", 1, 4, "", "more").ends_with("1 | T |\n  |    ^"));
        assert_eq!(explain("T", &json!({"message": "too slow"}), 504), "too slow (504)");
    }
}
