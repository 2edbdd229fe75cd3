//! `/api/groups`: groups of objects and their members.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_management::group::{GroupView, Space};

use super::App;
use super::errors::ApiError;
use super::management::{find, item, reader};

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/groups", get(list))
        .route("/api/groups/{group}", get(show))
        .route("/api/groups/{group}/members", get(members))
}

fn body(app: &App, space: &Space, group: &GroupView) -> Value {
    let mut body = item(app, space, &group.object);
    body["members"] = json!(group.members);
    body["byRules"] = json!(group.by_rules);
    body
}

async fn list(State(app): State<Arc<App>>, method: Method, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    reader(&app, &method, &headers).await?;
    let space = app.operations.group.read();
    Ok(Json(space.groups().iter().map(|group| body(&app, &space, group)).collect()))
}

async fn show(
    State(app): State<Arc<App>>,
    Path(group): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    reader(&app, &method, &headers).await?;
    let id = find(&app, &group)?;
    let space = app.operations.group.read();
    let view = space.group(id).ok_or_else(|| no_group(&group))?;
    Ok(Json(body(&app, &space, &view)))
}

#[derive(Deserialize)]
struct Depth {
    /// Those of groups within it too.
    #[serde(default)]
    nested: bool,
}

async fn members(
    State(app): State<Arc<App>>,
    Path(group): Path<String>,
    Query(depth): Query<Depth>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    reader(&app, &method, &headers).await?;
    let id = find(&app, &group)?;
    let space = app.operations.group.read();
    space.group(id).ok_or_else(|| no_group(&group))?;
    Ok(Json(space.members(id, depth.nested).iter().map(|member| item(&app, &space, member)).collect()))
}

fn no_group(name: &str) -> ApiError {
    ApiError::not_found(format!("{name:?} is no group; `watchkeeper groups list` lists them"))
}
