//! `/api/workspaces/{id}/saved-queries`: saved queries and functions.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_state::SavedQuery;

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, get};
use crate::computer_groups::{Tag, is_in_management_group, tags_of, text_of};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/workspaces/{workspace}/saved-queries",
            get(Action::ReadSavedQueries, list).post(Action::WriteSavedQueries, create),
        )
        .route(
            "/api/workspaces/{workspace}/saved-queries/{id}",
            get(Action::ReadSavedQueries, show)
                .put(Action::WriteSavedQueries, replace)
                .delete(Action::DeleteSavedQueries, remove),
        )
}

/// A saved query as it is sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sent {
    #[serde(default, rename = "id")]
    _id: Option<String>,
    name: String,
    #[serde(default)]
    category: String,
    query: String,
    #[serde(default)]
    function_alias: Option<String>,
    #[serde(default)]
    function_parameters: Option<String>,
    /// `{"name": "Group", "value": "Computer"}` makes it a group of computers.
    #[serde(default)]
    tags: Vec<Tag>,
}

/// Who has the management group use a query has it asked over all tables, and needs to read them.
pub(super) fn check_use(app: &App, caller: &Caller, saved: &SavedQuery) -> Result<(), ApiError> {
    if is_in_management_group(saved) {
        caller.check(Action::WriteComputerGroups, &app.workspace_scope())?;
        caller.check(Action::QueryData, &app.workspace_scope())?;
    }
    Ok(())
}

impl Sent {
    fn checked(self, id: String) -> Result<SavedQuery, ApiError> {
        let alias = self.function_alias.unwrap_or_default();
        is_alias(&alias)?;
        for (field, value) in [("name", &self.name), ("query", &self.query)] {
            if value.trim().is_empty() {
                return Err(ApiError::bad_request(format!("{field} is empty")));
            }
        }
        Ok(SavedQuery {
            id,
            name: self.name,
            category: self.category,
            query: self.query,
            function_alias: alias,
            function_parameters: self.function_parameters.unwrap_or_default(),
            tags: text_of(&self.tags),
            etag: Uuid::new_v4().to_string(),
        })
    }
}

/// An alias is a name of the language, or empty.
fn is_alias(alias: &str) -> Result<(), ApiError> {
    let is_name = alias.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !alias.starts_with(|c: char| c.is_ascii_digit());
    match is_name {
        true => Ok(()),
        false => Err(ApiError::bad_request(format!(
            "functionAlias {alias:?} is not a name: use letters, digits and _, not starting with a digit"
        ))),
    }
}

/// An alias that nothing else is called by; `owner` is the saved query or group that has it or gets it.
pub(super) async fn checked_alias(app: &App, alias: &str, owner: &str) -> Result<(), ApiError> {
    is_alias(alias)?;
    if alias.is_empty() {
        return Ok(());
    }
    let taken = |by: String| Err(ApiError::new(StatusCode::CONFLICT, "Conflict", format!("{alias} is {by} already")));
    if app.queries.tables().schema(&TableSource::Local, alias).is_some() {
        return taken("a table".to_owned());
    }
    let saved = app.state.saved_queries(&app.workspace_id).await?;
    if let Some(other) = saved.iter().find(|one| one.function_alias == alias && one.id != owner) {
        return taken(format!("the alias of {:?}", other.name));
    }
    let groups = app.state.aliased_computer_groups().await?;
    match groups.iter().find(|one| one.alias == alias && one.group_id != owner) {
        Some(other) => taken(format!("the alias of the computer group {:?}", other.name)),
        None => Ok(()),
    }
}

fn item(saved: &SavedQuery) -> Value {
    let mut item = json!({"id": saved.id, "name": saved.name, "category": saved.category, "query": saved.query});
    if !saved.function_alias.is_empty() {
        item["functionAlias"] = json!(saved.function_alias);
        item["functionParameters"] = json!(saved.function_parameters);
    }
    let tags = tags_of(saved);
    if !tags.is_empty() {
        item["tags"] = json!(tags);
    }
    item
}

/// Checks that the workspace exists.
pub(super) async fn check_workspace(app: &App, workspace: &str) -> Result<(), ApiError> {
    match app.state.workspace(workspace).await? {
        Some(_) => Ok(()),
        None => Err(ApiError::not_found(format!("the workspace {workspace:?} does not exist"))),
    }
}

async fn list(State(app): State<Arc<App>>, Path(workspace): Path<String>) -> Result<Json<Value>, ApiError> {
    check_workspace(&app, &workspace).await?;
    let items: Vec<Value> = app.state.saved_queries(&workspace).await?.iter().map(item).collect();
    Ok(Json(Value::Array(items)))
}

async fn create(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    caller: Caller,
    body: Result<Json<Sent>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    check_workspace(&app, &workspace).await?;
    let Json(sent) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let saved = sent.checked(Uuid::new_v4().to_string())?;
    caller.did("save query", &saved.name, "");
    check_use(&app, &caller, &saved)?;
    app.state.put_saved_query(&workspace, &saved).await?;
    app.computer_groups.query_changed();
    Ok((StatusCode::CREATED, Json(item(&saved))))
}

async fn show(
    State(app): State<Arc<App>>,
    Path((workspace, id)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    check_workspace(&app, &workspace).await?;
    let saved = app.state.saved_query(&workspace, &id).await?.ok_or_else(|| missing(&id))?;
    Ok(Json(item(&saved)))
}

async fn replace(
    State(app): State<Arc<App>>,
    Path((workspace, id)): Path<(String, String)>,
    caller: Caller,
    body: Result<Json<Sent>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    check_workspace(&app, &workspace).await?;
    let Json(sent) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let saved = sent.checked(id)?;
    check_use(&app, &caller, &saved)?;
    app.state.put_saved_query(&workspace, &saved).await?;
    app.computer_groups.query_changed();
    Ok(Json(item(&saved)))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path((workspace, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    check_workspace(&app, &workspace).await?;
    match app.state.delete_saved_query(&workspace, &id).await? {
        true => {
            app.computer_groups.query_changed();
            Ok(StatusCode::NO_CONTENT)
        }
        false => Err(missing(&id)),
    }
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("the saved query {id:?} does not exist"))
}
