//! `/v1/workspaces/{id}/metadata`: tables, functions and saved queries of a workspace (Azure Monitor Logs API,
//! "Metadata").

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Column, Type};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, get};
use crate::identity::Caller;

const TIME_COLUMN: &str = "TimeGenerated";

pub fn routes() -> Routes {
    Routes::new().route(
        "/v1/workspaces/{workspace}/metadata",
        get(Action::QueryData, metadata).post(Action::QueryData, metadata),
    )
}

async fn metadata(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let missing = || {
        let message = format!("The workspace {id:?} could not be found");
        ApiError::new(StatusCode::NOT_FOUND, "WorkspaceNotFoundError", message)
    };
    if !id.eq_ignore_ascii_case(&app.workspace_id) {
        return Err(missing());
    }
    let workspace = app.state.workspace(&app.workspace_id).await?.ok_or_else(missing)?;
    let mut tables = Vec::new();
    let mut table_ids = Vec::new();
    let mut names = app.queries.tables().names();
    names.sort();
    let readable = caller.access.parts(Action::QueryData, &app.workspace_scope());
    names.retain(|name| readable.has(name));
    for name in names {
        let Some(schema) = app.queries.tables().schema(&TableSource::Local, &name) else { continue };
        let table_id = format!("t/{name}");
        tables.push(table(&table_id, &name, &schema.columns, &workspace.id));
        table_ids.push(table_id);
    }
    let mut functions = Vec::new();
    let mut queries = Vec::new();
    // what is saved may tell of any table
    let saved = match caller.access.allows(Action::ReadSavedQueries, &app.workspace_scope()) {
        true => app.state.saved_queries(&workspace.id).await?,
        false => Vec::new(),
    };
    for saved in saved {
        let related = json!({"workspaces": [workspace.id]});
        if saved.function_alias.is_empty() {
            queries.push(json!({
                "id": format!("q/{}", saved.id), "displayName": saved.name, "description": saved.category,
                "body": saved.query, "related": related,
            }));
        } else {
            functions.push(json!({
                "id": format!("f/{}", saved.function_alias), "name": saved.function_alias,
                "parameters": saved.function_parameters, "displayName": saved.name,
                "description": saved.category, "body": saved.query, "related": related,
            }));
        }
    }
    let function_ids: Vec<&Value> = functions.iter().map(|function| &function["id"]).collect();
    let resource_id = format!("/workspaces/{}", workspace.id);
    let described = json!({
        "id": workspace.id, "resourceId": resource_id, "name": workspace.name, "region": "local",
        "related": {"tables": table_ids, "functions": function_ids},
    });
    Ok(Json(json!({
        "categories": [], "resourceTypes": [], "solutions": [], "applications": [], "resources": [],
        "tables": tables, "functions": functions, "queries": queries, "workspaces": [described],
        "permissions": [{"workspaces": [{"resourceId": resource_id}]}],
    })))
}

fn table(id: &str, name: &str, columns: &[Column], workspace_id: &str) -> Value {
    let columns_json: Vec<Value> =
        columns.iter().map(|column| json!({"name": column.name, "type": column.ty.name()})).collect();
    let mut table = json!({
        "id": id, "name": name, "labels": [], "columns": columns_json, "related": {"workspaces": [workspace_id]},
    });
    if columns.iter().any(|column| column.name == TIME_COLUMN && column.ty == Type::Datetime) {
        table["timespanColumn"] = json!(TIME_COLUMN);
    }
    table
}
