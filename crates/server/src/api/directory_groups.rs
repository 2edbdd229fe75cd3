//! `/api/directory/groups`: groups of users and service principals, which hold roles for their members.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_state::DirectoryGroup;

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, get, names_of, put};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/directory/groups", get(Action::ReadUsers, list).post(Action::WriteUsers, create))
        .route(
            "/api/directory/groups/{group}",
            get(Action::ReadUsers, show).patch(Action::WriteUsers, change).delete(Action::DeleteUsers, remove),
        )
        .route(
            "/api/directory/groups/{group}/members/{member}",
            put(Action::WriteUsers, add_member).delete(Action::WriteUsers, remove_member),
        )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    description: Option<String>,
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let mut items = Vec::new();
    for group in app.state.directory_groups().await? {
        items.push(item(&app, &group).await?);
    }
    Ok(Json(Value::Array(items)))
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Create>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    caller.did("add group of people", &new.name, "");
    check_name(&new.name)?;
    let group = app.state.create_directory_group(&new.name, &new.description).await?;
    Ok((StatusCode::CREATED, Json(item(&app, &group).await?)).into_response())
}

async fn show(State(app): State<Arc<App>>, Path(group): Path<String>) -> Result<Json<Value>, ApiError> {
    let group = find(&app, &group).await?;
    Ok(Json(item(&app, &group).await?))
}

async fn change(
    State(app): State<Arc<App>>,
    Path(group): Path<String>,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(change) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let mut group = find(&app, &group).await?;
    group.name = change.name.unwrap_or(group.name);
    group.description = change.description.unwrap_or(group.description);
    check_name(&group.name)?;
    app.state.change_directory_group(&group.id, &group.name, &group.description).await?;
    Ok(Json(item(&app, &group).await?))
}

async fn remove(State(app): State<Arc<App>>, Path(group): Path<String>) -> Result<StatusCode, ApiError> {
    let group = find(&app, &group).await?;
    app.state.delete_directory_group(&group.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_member(
    State(app): State<Arc<App>>,
    Path((group, member)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let group = find(&app, &group).await?;
    let member = find_member(&app, &member).await?;
    app.state.add_group_member(&group.id, &member).await?;
    Ok(Json(item(&app, &group).await?))
}

async fn remove_member(
    State(app): State<Arc<App>>,
    Path((group, member)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let group = find(&app, &group).await?;
    let member = find_member(&app, &member).await?;
    app.state.remove_group_member(&group.id, &member).await?;
    Ok(Json(item(&app, &group).await?))
}

async fn find(app: &App, group: &str) -> Result<DirectoryGroup, ApiError> {
    app.state.directory_group(group).await?.ok_or_else(|| {
        ApiError::not_found(format!("there is no group {group:?}; `watchkeeper directory-groups list` has all"))
    })
}

/// The identity of a user or service principal that is given by identity or name.
async fn find_member(app: &App, member: &str) -> Result<String, ApiError> {
    let user = match app.state.user(member).await? {
        Some(user) => Some(user),
        None => app.state.user_by_name(member).await?,
    };
    if let Some(user) = user {
        return Ok(user.id);
    }
    let principals = app.state.principals().await?;
    let named: Vec<_> = principals.iter().filter(|known| known.client_id == member || known.name == member).collect();
    match named.as_slice() {
        [one] => Ok(one.client_id.clone()),
        [] => Err(ApiError::not_found(format!("there is neither a user nor a service principal {member:?}"))),
        _ => Err(ApiError::bad_request(format!("several service principals are called {member:?}; give a client id"))),
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if name.trim() != name || name.is_empty() || name.len() > 200 || name.contains('/') {
        return Err(ApiError::bad_request(format!(
            "the name {name:.80?} is not possible; a name has 1 to 200 characters, without slashes and outer spaces"
        )));
    }
    Ok(())
}

async fn item(app: &App, group: &DirectoryGroup) -> Result<Value, ApiError> {
    let members = app.state.directory_group_members(&group.id).await?;
    let roles = names_of(&app.state, &group.id).await?;
    let kind = |is_principal| if is_principal { "ServicePrincipal" } else { "User" };
    Ok(json!({
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "roles": roles.iter().map(|(scope, role)| json!({"scope": scope, "role": role})).collect::<Vec<_>>(),
        "memberNames": members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(),
        "members": members.iter().map(|member| json!({
            "id": member.id, "name": member.name, "type": kind(member.is_principal), "provider": member.provider,
        })).collect::<Vec<_>>(),
    }))
}
