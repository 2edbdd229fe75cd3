//! `/api/resolution-states`: where an alert can stand between new and closed.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_state::{ResolutionState, ResolutionStateName};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Cut, Need, Routes, get, put};
use crate::identity::Caller;

const LONGEST_NAME: usize = 50;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/resolution-states", get(Need::InGroups(Action::ReadResolutionStates, Cut::Same), list))
        .route(
            "/api/resolution-states/{code}",
            put(Action::WriteResolutionStates, set).delete(Action::DeleteResolutionStates, remove),
        )
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let names = app.state.resolution_states().await?;
    let one = |name: &ResolutionStateName| json!({"code": name.code.0, "name": name.name, "builtIn": name.built_in});
    Ok(Json(names.iter().map(one).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    name: String,
}

async fn set(
    State(app): State<Arc<App>>,
    Path(code): Path<u8>,
    caller: Caller,
    body: Result<Json<Set>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(Set { name }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > LONGEST_NAME || name.parse::<u8>().is_ok() {
        return Err(ApiError::bad_request(format!(
            "{name:?} cannot name a resolution state; give 1 to {LONGEST_NAME} characters that are no number"
        )));
    }
    let conflict = |message: String| ApiError::new(StatusCode::CONFLICT, "Conflict", message);
    let names = app.state.resolution_states().await?;
    if let Some(other) = names.iter().find(|other| other.code.0 != code && other.name.eq_ignore_ascii_case(name)) {
        return Err(conflict(format!("{name:?} is the name of the resolution state {} already", other.code.0)));
    }
    if !app.state.put_resolution_state(ResolutionState(code), name).await? {
        return Err(conflict(format!("the resolution state {code} is built in and keeps its name")));
    }
    caller.did("set resolution state", &code.to_string(), name);
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(State(app): State<Arc<App>>, Path(code): Path<u8>, caller: Caller) -> Result<StatusCode, ApiError> {
    if !app.state.delete_resolution_state(ResolutionState(code)).await? {
        return Err(ApiError::not_found(format!("{code} is no resolution state of your own")));
    }
    caller.did("remove resolution state", &code.to_string(), "");
    Ok(StatusCode::NO_CONTENT)
}
