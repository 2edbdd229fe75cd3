//! Saved searches of the workspace as Azure Resource Manager has them (Microsoft.OperationalInsights, Saved Searches,
//! 2020-08-01): saved queries, functions, and computer groups, which have the tag `Group` = `Computer`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_state::{SavedQuery, Workspace};

use super::App;
use super::errors::ApiError;
use super::resource_manager::{At, Version, check, named_workspace};
use super::saved_queries::{check_use, checked_alias};
use crate::authorization::{Routes, get};
use crate::computer_groups::{Tag, tags_of, text_of};
use crate::identity::Caller;

/// The version of the language that queries are in.
const LANGUAGE: i64 = 2;

pub fn routes() -> Routes {
    let mut routes = Routes::new();
    // the documents have it in both ways
    for groups in ["resourceGroups", "resourcegroups"] {
        let path = format!(
            "/subscriptions/{{subscription}}/{groups}/{{group}}/providers/Microsoft.OperationalInsights/workspaces/\
             {{workspace}}/savedSearches"
        );
        routes = routes.route(&path, get(Action::ReadSavedQueries, list)).route(
            &format!("{path}/{{id}}"),
            get(Action::ReadSavedQueries, show)
                .put(Action::WriteSavedQueries, put)
                .delete(Action::DeleteSavedQueries, remove),
        );
    }
    routes
}

#[derive(Deserialize)]
struct One {
    subscription: String,
    group: String,
    workspace: String,
    id: String,
}

impl One {
    fn at(&self) -> At {
        At { subscription: self.subscription.clone(), group: self.group.clone(), workspace: self.workspace.clone() }
    }
}

#[derive(Deserialize)]
struct Sent {
    etag: Option<String>,
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    category: String,
    display_name: String,
    query: String,
    #[serde(default)]
    function_alias: Option<String>,
    #[serde(default)]
    function_parameters: Option<String>,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
}

async fn reach(app: &App, version: &Version, at: &At) -> Result<Workspace, ApiError> {
    check(app, version, at)?;
    named_workspace(app, at).await
}

fn shown(at: &At, saved: &SavedQuery) -> Value {
    let At { subscription, group, workspace } = at;
    let mut properties = json!({
        "category": saved.category, "displayName": saved.name, "query": saved.query, "version": LANGUAGE,
        "tags": tags_of(saved),
    });
    if !saved.function_alias.is_empty() {
        properties["functionAlias"] = json!(saved.function_alias);
        properties["functionParameters"] = json!(saved.function_parameters);
    }
    json!({
        "id": format!(
            "subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.OperationalInsights/workspaces/\
             {workspace}/savedSearches/{}", saved.id
        ),
        "name": saved.id, "type": "Microsoft.OperationalInsights/savedSearches", "etag": saved.etag,
        "properties": properties,
    })
}

async fn list(
    State(app): State<Arc<App>>,
    Path(at): Path<At>,
    Query(version): Query<Version>,
) -> Result<Json<Value>, ApiError> {
    let workspace = reach(&app, &version, &at).await?;
    let all = app.state.saved_queries(&workspace.id).await?;
    Ok(Json(json!({"value": all.iter().map(|saved| shown(&at, saved)).collect::<Vec<_>>()})))
}

async fn show(
    State(app): State<Arc<App>>,
    Path(one): Path<One>,
    Query(version): Query<Version>,
) -> Result<Json<Value>, ApiError> {
    let at = one.at();
    let workspace = reach(&app, &version, &at).await?;
    let saved = app.state.saved_query(&workspace.id, &one.id).await?.ok_or_else(|| missing(&one.id))?;
    Ok(Json(shown(&at, &saved)))
}

/// Makes one, or takes the place of one whose tag the caller knows.
async fn put(
    State(app): State<Arc<App>>,
    Path(one): Path<One>,
    Query(version): Query<Version>,
    caller: Caller,
    body: Result<Json<Sent>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let at = one.at();
    let workspace = reach(&app, &version, &at).await?;
    let Json(Sent { etag, properties }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    if let Some(known) = app.state.saved_query(&workspace.id, &one.id).await?
        && !etag.as_deref().is_some_and(|etag| etag == "*" || etag == known.etag)
    {
        let message =
            format!("the saved search {:?} exists already; send its present etag, or \"*\", to take its place", one.id);
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    for (field, value) in [("displayName", &properties.display_name), ("query", &properties.query)] {
        if value.trim().is_empty() {
            return Err(ApiError::bad_request(format!("properties.{field} is empty")));
        }
    }
    let alias = properties.function_alias.unwrap_or_default();
    checked_alias(&app, &alias, &one.id).await?;
    let saved = SavedQuery {
        id: one.id,
        name: properties.display_name,
        category: properties.category,
        query: properties.query,
        function_alias: alias,
        function_parameters: properties.function_parameters.unwrap_or_default(),
        tags: text_of(&properties.tags.unwrap_or_default()),
        etag: Uuid::new_v4().to_string(),
    };
    check_use(&app, &caller, &saved)?;
    app.state.put_saved_query(&workspace.id, &saved).await?;
    app.computer_groups.query_changed();
    Ok(Json(shown(&at, &saved)))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(one): Path<One>,
    Query(version): Query<Version>,
) -> Result<StatusCode, ApiError> {
    let workspace = reach(&app, &version, &one.at()).await?;
    match app.state.delete_saved_query(&workspace.id, &one.id).await? {
        true => {
            app.computer_groups.query_changed();
            Ok(StatusCode::OK)
        }
        false => Err(missing(&one.id)),
    }
}

fn missing(id: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "NotFound", format!("the saved search {id:?} does not exist"))
}
