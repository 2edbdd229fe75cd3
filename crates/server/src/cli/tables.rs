//! `watchkeeper tables`: the tables of a workspace and their columns.

use std::io::Write;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Client, Target};
use super::query::{Format, write_answer};

/// List the tables of the workspace, or the columns of one.
#[derive(Args)]
pub struct Tables {
    /// A table whose columns are listed.
    table: Option<String>,
    /// Keep the table's rows this long, in days of TimeGenerated; older ones are deleted.
    #[arg(long, value_name = "N", requires = "table")]
    retention_days: Option<u32>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    target: Target,
}

impl Tables {
    pub fn run(self) -> anyhow::Result<()> {
        let metadata = super::block_on(async {
            let client = self.target.connect().await?;
            if let (Some(table), Some(days)) = (&self.table, self.retention_days) {
                set_retention(&client, table, days).await?;
            }
            let path = format!("/v1/workspaces/{}/metadata", client.workspace_id);
            client.json(client.request(Method::GET, &path)).await
        })?;
        let answer = match &self.table {
            None => list(&metadata),
            Some(name) => columns(&metadata, name)?,
        };
        let mut out = std::io::stdout().lock();
        match write_answer(&mut out, &answer, self.format).and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            result => result.context("cannot write the tables"),
        }
    }
}

/// Sets how long a table keeps rows; a custom table that is not there is made.
pub(super) async fn set_retention(client: &Client, table: &str, days: u32) -> anyhow::Result<()> {
    let path = format!("/api/workspaces/{}/tables/{table}", client.workspace_id);
    let body = json!({"properties": {"retentionInDays": days}});
    client.json(client.request(Method::PATCH, &path).json(&body)).await?;
    eprintln!("{table} keeps rows for {days} days");
    Ok(())
}

fn tables(metadata: &Value) -> &[Value] {
    metadata["tables"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn answer(columns: &[(&str, &str)], rows: Vec<Value>) -> Value {
    let columns: Vec<Value> = columns.iter().map(|(name, ty)| json!({"name": name, "type": ty})).collect();
    json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]})
}

fn list(metadata: &Value) -> Value {
    let row = |table: &Value| json!([table["name"], table["columns"].as_array().map_or(0, Vec::len)]);
    answer(&[("Table", "string"), ("Columns", "long")], tables(metadata).iter().map(row).collect())
}

fn columns(metadata: &Value, name: &str) -> anyhow::Result<Value> {
    let Some(table) = tables(metadata).iter().find(|table| table["name"] == name) else {
        let near = tables(metadata).iter().filter_map(|table| table["name"].as_str());
        match near.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) => bail!("there is no table {name:?}; did you mean {known:?}?"),
            None => bail!("there is no table {name:?}; `watchkeeper tables` lists all"),
        }
    };
    let rows = table["columns"].as_array().into_iter().flatten().map(|column| json!([column["name"], column["type"]]));
    Ok(answer(&[("Column", "string"), ("Type", "string")], rows.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_listed_and_one_is_described() {
        let metadata = json!({"tables": [{"name": "Perf", "columns": [{"name": "Computer", "type": "string"}]}]});
        assert_eq!(list(&metadata)["tables"][0]["rows"], json!([["Perf", 1]]));
        assert_eq!(columns(&metadata, "Perf").unwrap()["tables"][0]["rows"], json!([["Computer", "string"]]));
        assert!(columns(&metadata, "perf").unwrap_err().to_string().contains("did you mean \"Perf\"?"));
    }
}
