//! The lists of Azure Resource Manager that lead to the workspace, for programs that let people choose one: one
//! subscription and one resource group, which stand for this server.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_state::Workspace;

use super::App;
use super::errors::ApiError;
use crate::authorization::{Need, Routes, get};
use crate::identity::Caller;

/// The resource group that workspaces are said to be in.
const GROUP: &str = "watchkeeper";
const PROVIDER: &str = "providers/Microsoft.OperationalInsights/workspaces";

type Answer = Result<Json<Value>, ApiError>;

/// Parameters by name; which there are is the operation's.
#[derive(Deserialize)]
pub(super) struct Version {
    #[serde(rename = "api-version")]
    version: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct At {
    pub subscription: String,
    #[serde(default)]
    pub group: String,
    #[serde(default)]
    pub workspace: String,
}

pub fn routes() -> Routes {
    let one = "/subscriptions/{subscription}";
    let group = "/subscriptions/{subscription}/resourceGroups/{group}";
    Routes::new()
        .route("/subscriptions", get(Need::SignedIn("who has no role sees an empty list"), subscriptions))
        .route(one, get(Action::ReadWorkspace, subscription))
        .route(&format!("{one}/resourcegroups"), get(Action::ReadWorkspace, groups))
        .route(&format!("{one}/resourceGroups"), get(Action::ReadWorkspace, groups))
        .route(&format!("{one}/{PROVIDER}"), get(Action::ReadWorkspace, workspaces))
        .route(&format!("{group}/{PROVIDER}"), get(Action::ReadWorkspace, workspaces))
        .route(&format!("{group}/{PROVIDER}/{{workspace}}"), get(Action::ReadWorkspace, workspace))
}

/// The version is checked as Azure does: it has to be there.
pub(super) fn check_version(version: &Version) -> Result<(), ApiError> {
    if version.version.as_deref().unwrap_or_default().is_empty() {
        let message = "the query parameter api-version is missing; use 2022-12-01";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", message));
    }
    Ok(())
}

/// Whether the path names what is here.
pub(super) fn check(app: &App, version: &Version, at: &At) -> Result<(), ApiError> {
    check_version(version)?;
    if !at.subscription.eq_ignore_ascii_case(app.tokens.tenant_id()) {
        let message = format!("the subscription {:?} could not be found", at.subscription);
        return Err(ApiError::new(StatusCode::NOT_FOUND, "SubscriptionNotFound", message));
    }
    if !at.group.is_empty() && !at.group.eq_ignore_ascii_case(GROUP) {
        let message = format!("the resource group {:?} could not be found", at.group);
        return Err(ApiError::new(StatusCode::NOT_FOUND, "ResourceGroupNotFound", message));
    }
    Ok(())
}

fn own_subscription(app: &App) -> Value {
    let id = app.tokens.tenant_id();
    json!({
        "id": format!("/subscriptions/{id}"), "subscriptionId": id, "tenantId": id, "displayName": "Watchkeeper",
        "state": "Enabled", "authorizationSource": "RoleBased",
    })
}

/// Who has no role sees an empty list.
async fn subscriptions(State(app): State<Arc<App>>, Query(version): Query<Version>, caller: Caller) -> Answer {
    check_version(&version)?;
    let value = match caller.access.allows(Action::ReadWorkspace, &app.workspace_scope()) {
        true => vec![own_subscription(&app)],
        false => Vec::new(),
    };
    Ok(Json(json!({"count": {"type": "Total", "value": value.len()}, "value": value})))
}

async fn subscription(State(app): State<Arc<App>>, Path(at): Path<At>, Query(version): Query<Version>) -> Answer {
    check(&app, &version, &at)?;
    Ok(Json(own_subscription(&app)))
}

async fn groups(State(app): State<Arc<App>>, Path(at): Path<At>, Query(version): Query<Version>) -> Answer {
    check(&app, &version, &at)?;
    let group = json!({
        "id": format!("/subscriptions/{}/resourceGroups/{GROUP}", app.tokens.tenant_id()), "name": GROUP,
        "type": "Microsoft.Resources/resourceGroups", "location": "local",
        "properties": {"provisioningState": "Succeeded"},
    });
    Ok(Json(json!({"value": [group]})))
}

fn shown(app: &App, workspace: &Workspace) -> Value {
    json!({
        "id": format!(
            "/subscriptions/{}/resourceGroups/{GROUP}/{PROVIDER}/{}", app.tokens.tenant_id(), workspace.name
        ),
        "name": workspace.name, "type": "Microsoft.OperationalInsights/workspaces", "location": "local",
        "properties": {"customerId": workspace.id, "provisioningState": "Succeeded"},
    })
}

async fn own_workspace(app: &App) -> Result<Workspace, ApiError> {
    app.state.workspace(&app.workspace_id).await?.ok_or_else(|| ApiError::not_found("the workspace is gone"))
}

async fn workspaces(State(app): State<Arc<App>>, Path(at): Path<At>, Query(version): Query<Version>) -> Answer {
    check(&app, &version, &at)?;
    Ok(Json(json!({"value": [shown(&app, &own_workspace(&app).await?)]})))
}

async fn workspace(State(app): State<Arc<App>>, Path(at): Path<At>, Query(version): Query<Version>) -> Answer {
    check(&app, &version, &at)?;
    Ok(Json(shown(&app, &named_workspace(&app, &at).await?)))
}

/// The workspace of a path.
pub(super) async fn named_workspace(app: &App, at: &At) -> Result<Workspace, ApiError> {
    let own = own_workspace(app).await?;
    if [&own.name, &own.id].iter().any(|known| known.eq_ignore_ascii_case(&at.workspace)) {
        return Ok(own);
    }
    let message = format!("the workspace {:?} was not found", at.workspace);
    Err(ApiError::new(StatusCode::NOT_FOUND, "ResourceNotFound", message))
}
