//! `/api/workspaces/{id}/tables/{name}`: what a table is and how long it keeps its rows (the shape of Azure's "Tables -
//! Get" and "Tables - Update").

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_ingest::arrow_rows::check_table;
use watchkeeper_store::{Retention, Store, StoreError, TableSchema};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, get};

/// Longest retention, as Azure's: twelve years.
const MOST_DAYS: u32 = 4383;
/// Retention that stands for the default.
const DEFAULT_DAYS: i64 = -1;

pub fn routes() -> Routes {
    Routes::new().route(
        "/api/workspaces/{workspace}/tables/{table}",
        get(Action::ReadTables, show).patch(Action::ChangeTables, update).put(Action::ChangeTables, update),
    )
}

#[derive(Deserialize)]
struct Update {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Properties {
    retention_in_days: Option<i64>,
    total_retention_in_days: Option<i64>,
}

async fn show(State(app): State<Arc<App>>, Path((_, table)): Path<(String, String)>) -> Result<Json<Value>, ApiError> {
    described(&app.store, &table)
}

/// A table that is not there is made when its name is that of a custom one.
async fn update(
    State(app): State<Arc<App>>,
    Path((_, table)): Path<(String, String)>,
    Json(update): Json<Update>,
) -> Result<Json<Value>, ApiError> {
    let present = app.store.schema(&table);
    check_table(&table, present.is_some()).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let retention = update.properties.retention(present.map(|schema| schema.retention).unwrap_or_default())?;
    let changed = match app.store.set_retention(&table, retention).await {
        Err(StoreError::UnknownTable(_)) => match TableSchema::new(&table, []) {
            Ok(schema) => app.store.ensure_table(schema.with_retention(retention)).await.map(|_| ()),
            Err(error) => Err(error),
        },
        other => other,
    };
    changed.map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "TableNotChanged", error.to_string()))?;
    tracing::info!(table, days = retention.total_days, "the retention of a table was set");
    described(&app.store, &table)
}

impl Properties {
    fn retention(&self, present: Retention) -> Result<Retention, ApiError> {
        let days = |name: &str, asked: Option<i64>, present: u32, default: u32| match asked {
            None => Ok(present),
            Some(DEFAULT_DAYS) => Ok(default),
            Some(days) => u32::try_from(days).ok().filter(|days| (1..=MOST_DAYS).contains(days)).ok_or_else(|| {
                ApiError::bad_request(format!("{name} is {days}; it can be 1 to {MOST_DAYS}, or -1 for the default"))
            }),
        };
        let standard = Retention::default();
        let interactive =
            days("retentionInDays", self.retention_in_days, present.interactive_days, standard.interactive_days)?;
        // the total follows where it was never set apart
        let together = present.total_days == present.interactive_days;
        let before = if together { interactive } else { present.total_days.max(interactive) };
        let total = days("totalRetentionInDays", self.total_retention_in_days, before, standard.total_days)?;
        if total < interactive {
            return Err(ApiError::bad_request(format!(
                "totalRetentionInDays {total} is less than retentionInDays {interactive}"
            )));
        }
        Ok(Retention { interactive_days: interactive, total_days: total })
    }
}

fn described(store: &Store, table: &str) -> Result<Json<Value>, ApiError> {
    let info = store.tables().into_iter().find(|info| info.schema.name == table);
    let info = info.ok_or_else(|| ApiError::not_found(format!("the table {table:?} does not exist")))?;
    let columns = info.schema.columns.iter();
    let columns: Vec<Value> = columns.map(|column| json!({"name": column.name, "type": column.ty.name()})).collect();
    Ok(Json(json!({
        "name": info.schema.name,
        "properties": {
            "retentionInDays": info.schema.retention.interactive_days,
            "totalRetentionInDays": info.schema.retention.total_days,
            "schema": {"name": info.schema.name, "columns": columns},
            "rows": info.rows, "files": info.files, "bytes": info.file_bytes,
        },
    })))
}
