//! `/api/workspaces/{id}/keys`: the two keys of a workspace, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::json;
use watchkeeper_authorization::Action;
use watchkeeper_state::{Workspace, WorkspaceKey};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, get, post};
use crate::connection::Connection;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/workspaces/{workspace}/keys", get(Action::ReadWorkspaceKeys, keys))
        .route("/api/workspaces/{workspace}/keys/{which}/regenerate", post(Action::RegenerateWorkspaceKeys, regenerate))
}

async fn keys(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let workspace = app.state.workspace(&id).await?;
    Ok(show(&workspace.ok_or_else(|| ApiError::not_found(format!("the workspace {id:?} does not exist")))?))
}

async fn regenerate(
    State(app): State<Arc<App>>,
    Path((id, which)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let which = match which.as_str() {
        "primary" => WorkspaceKey::Primary,
        "secondary" => WorkspaceKey::Secondary,
        other => return Err(ApiError::bad_request(format!("{other:?} is neither primary nor secondary"))),
    };
    let workspace = app.state.regenerate_key(&id, which).await?;
    if let Err(error) = Connection::replace_keys(&app.connection_file, &workspace) {
        tracing::warn!(error = format!("{error:#}"), "the connection file still has the old key");
    }
    Ok(show(&workspace))
}

fn show(workspace: &Workspace) -> Response {
    let body = json!({
        "customerId": workspace.id,
        "primarySharedKey": workspace.primary_key,
        "secondarySharedKey": workspace.secondary_key,
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
