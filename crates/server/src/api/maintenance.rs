//! `/api/maintenance`: maintenance mode, begun, ended and listed.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::clock;
use watchkeeper_management::maintenance::{MaintenanceError, StartMaintenance};
use watchkeeper_state::MaintenanceWindow;

use super::computer_groups::object_of;
use super::errors::ApiError;
use super::management::objects;
use super::{App, time_text};
use crate::authorization::{Cut, Need, Routes, Visible, delete, get};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/maintenance",
            get(Need::InGroups(Action::ReadMaintenance, Cut::List), list)
                .post(objects(Action::WriteMaintenance), start),
        )
        .route("/api/maintenance/{object}", delete(objects(Action::WriteMaintenance), stop))
}

async fn list(State(app): State<Arc<App>>, visible: Visible) -> Result<Json<Value>, ApiError> {
    let now = clock::now();
    let mut windows = app.state.maintenance_windows(now).await?;
    windows.retain(|window| window.ends_at > now && visible.has_named(&window.object_id));
    Ok(Json(windows.iter().map(|window| item(&app, window)).collect()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Start {
    #[serde(default)]
    objects: Vec<String>,
    /// Their computers, those that join them later too.
    #[serde(default)]
    computer_groups: Vec<String>,
    minutes: u32,
    #[serde(default = "planned")]
    reason: String,
    #[serde(default)]
    comments: String,
    /// With all that the objects host or contain.
    #[serde(default = "yes")]
    recursive: bool,
}

fn planned() -> String {
    "PlannedOther".to_owned()
}

fn yes() -> bool {
    true
}

/// The identities of objects and of the objects of computer groups.
pub(super) async fn objects_of(
    app: &App,
    caller: &Caller,
    visible: &Visible,
    objects: &[String],
    groups: &[String],
) -> Result<Vec<String>, ApiError> {
    if objects.is_empty() && groups.is_empty() {
        return Err(ApiError::bad_request("maintenance is of objects or of computerGroups: name at least one"));
    }
    let mut ids = Vec::new();
    for object in objects {
        ids.push(visible.find(app, object)?.to_string());
    }
    for group in groups {
        ids.push(object_of(app, caller, visible, group).await?.to_string());
    }
    Ok(ids)
}

async fn start(
    State(app): State<Arc<App>>,
    visible: Visible,
    caller: Caller,
    body: Result<Json<Start>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let objects = objects_of(&app, &caller, &visible, &asked.objects, &asked.computer_groups).await?;
    let start = StartMaintenance {
        objects,
        // a group is its computers
        recursive: asked.recursive || !asked.computer_groups.is_empty(),
        minutes: asked.minutes,
        reason: asked.reason,
        comments: asked.comments,
        started_by: caller.name.clone(),
    };
    caller.did("start maintenance", &start.objects.join(" "), &start.comments);
    let windows = app.operations.operational.start_maintenance(&start, clock::now()).await.map_err(wrong)?;
    follow(&app).await?;
    Ok((StatusCode::CREATED, Json(windows.iter().map(|window| item(&app, window)).collect::<Value>())).into_response())
}

async fn stop(
    State(app): State<Arc<App>>,
    Path(object): Path<String>,
    visible: Visible,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let id = visible.find(&app, &object)?.to_string();
    caller.did("stop maintenance", &id, "");
    let stopped = app.operations.operational.stop_maintenance(&id, clock::now()).await.map_err(wrong)?;
    if stopped == 0 {
        return Err(ApiError::not_found(format!("{object} has no maintenance of its own that could be ended")));
    }
    follow(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn follow(app: &App) -> Result<(), ApiError> {
    app.operations.follow_maintenance().await.map_err(|error| {
        tracing::error!(%error, "maintenance");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "maintenance is kept but not followed yet",
        )
    })
}

fn wrong(error: MaintenanceError) -> ApiError {
    match error {
        MaintenanceError::State(error) => error.into(),
        other => ApiError::bad_request(other.to_string()),
    }
}

fn item(app: &App, window: &MaintenanceWindow) -> Value {
    let space = app.operations.group.read();
    let name = space.find(&window.object_id).map(|id| space.display_name(id)).unwrap_or_default();
    json!({
        "object": window.object_id,
        "objectName": name,
        "startsAt": time_text(window.starts_at),
        "endsAt": time_text(window.ends_at),
        "recursive": window.recursive,
        "reason": window.reason,
        "comments": window.comments,
        "startedBy": window.started_by,
    })
}
