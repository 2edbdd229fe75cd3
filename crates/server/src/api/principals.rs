//! `/api/principals`: service principals, their secrets and roles, for administrators.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use http::{HeaderMap, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_state::{Principal, Role};

use super::App;
use super::errors::ApiError;

const DAY_SECONDS: i64 = 86_400;
const DEFAULT_SECRET_DAYS: i64 = 180;
const MOST_SECRET_DAYS: i64 = 730;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/principals", get(list).post(create))
        .route("/api/principals/{client_id}", delete(remove))
        .route("/api/principals/{client_id}/secrets", post(add_secret))
        .route("/api/principals/{client_id}/role", put(set_role))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPrincipal {
    name: String,
    /// A role in the workspace.
    role: String,
    secret_days: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyRole {
    /// In the workspace; null: none.
    role: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSecret {
    secret_days: Option<i64>,
}

async fn list(State(app): State<Arc<App>>, method: Method, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    allow(&app, &method, &headers).await?;
    let mut items = Vec::new();
    for principal in app.state.principals().await? {
        items.push(item(&app, &principal).await?);
    }
    Ok(Json(Value::Array(items)))
}

async fn create(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    body: Result<Json<NewPrincipal>, JsonRejection>,
) -> Result<Response, ApiError> {
    allow(&app, &method, &headers).await?;
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let role: Role = new.role.parse()?;
    let seconds = secret_seconds(new.secret_days)?;
    let principal = app.state.create_principal(&new.name).await?;
    app.state.assign_role(&principal.client_id, &format!("/workspaces/{}", app.workspace_id), role).await?;
    let secret = app.state.add_principal_secret(&principal.client_id, seconds).await?;
    let mut body = item(&app, &principal).await?;
    body["clientSecret"] = json!(secret);
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

async fn add_secret(
    State(app): State<Arc<App>>,
    Path(client_id): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Result<Json<NewSecret>, JsonRejection>,
) -> Result<Response, ApiError> {
    allow(&app, &method, &headers).await?;
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let secret = app.state.add_principal_secret(&client_id, secret_seconds(new.secret_days)?).await?;
    let body = json!({"clientId": client_id, "clientSecret": secret});
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Gives a principal a role in the workspace in the place of those that it has there, or takes them away.
async fn set_role(
    State(app): State<Arc<App>>,
    Path(client_id): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Result<Json<OnlyRole>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    allow(&app, &method, &headers).await?;
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let role = asked.role.map(|role| role.parse::<Role>()).transpose()?;
    let principal = app.state.principal(&client_id).await?;
    let principal =
        principal.ok_or_else(|| ApiError::not_found(format!("there is no service principal {client_id:?}")))?;
    let scope = format!("/workspaces/{}", app.workspace_id);
    let known = app.state.roles(&client_id).await?;
    for entry in known.iter().filter(|entry| entry.scope == scope && Some(entry.role) != role) {
        app.state.remove_role(&client_id, &scope, entry.role).await?;
    }
    if let Some(role) = role {
        app.state.assign_role(&client_id, &scope, role).await?;
    }
    Ok(Json(item(&app, &principal).await?))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(client_id): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    allow(&app, &method, &headers).await?;
    app.state.delete_principal(&client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn allow(app: &App, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    match app.caller(method, headers).await?.may_administer() {
        true => Ok(()),
        false => Err(ApiError::forbidden("service principals need the role Administrator")),
    }
}

fn secret_seconds(days: Option<i64>) -> Result<i64, ApiError> {
    match days.unwrap_or(DEFAULT_SECRET_DAYS) {
        days @ 1..=MOST_SECRET_DAYS => Ok(days * DAY_SECONDS),
        days => Err(ApiError::bad_request(format!("secretDays is {days}; it can be 1 to {MOST_SECRET_DAYS}"))),
    }
}

async fn item(app: &App, principal: &Principal) -> Result<Value, ApiError> {
    let roles = app.state.roles(&principal.client_id).await?;
    let secrets = app.state.principal_secrets(&principal.client_id).await?;
    Ok(json!({
        "clientId": principal.client_id,
        "name": principal.name,
        "roles": roles.iter().map(|entry| json!({"scope": entry.scope, "role": entry.role.name()})).collect::<Vec<_>>(),
        "secrets": secrets
            .iter()
            .map(|secret| json!({"id": secret.id, "hint": secret.hint, "expiresAt": secret.expires_at}))
            .collect::<Vec<_>>(),
    }))
}
