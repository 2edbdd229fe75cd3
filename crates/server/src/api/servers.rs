//! `/api/servers`: the management servers of the group. `/api/settings`: how long operational data are kept, and when
//! open alerts close by their age.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde_json::{Map, Value, json};
use watchkeeper_authorization::Action;

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, get};
use crate::identity::Caller;
use crate::operations::GroupSettings;

const MOST_DAYS: u64 = 3650;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/servers", get(Action::ReadSettings, list))
        .route("/api/settings", get(Action::ReadSettings, settings).put(Action::WriteSettings, set))
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let (now, endpoints) = (app.state.clock().await?, app.state.agent_endpoints().await?);
    let pools = app.state.pools().await?;
    let own = app.operations.group.own().server_id.clone();
    let show = |server: watchkeeper_state::Server| {
        let endpoint = endpoints.iter().find(|(id, _)| *id == server.server_id).map(|(_, endpoint)| endpoint);
        let pools = pools.iter().filter(|pool| pool.members.contains(&server.server_id));
        json!({
            "name": server.name,
            "kind": server.kind,
            "alive": server.alive_until > now,
            "aliveUntil": time_text(server.alive_until),
            "agentEndpoint": endpoint,
            "pools": pools.map(|pool| pool.name.as_str()).collect::<Vec<_>>(),
            "answers": server.server_id == own,
            "id": server.server_id,
        })
    };
    Ok(Json(app.state.servers().await?.into_iter().map(show).collect()))
}

async fn settings(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    shown(&GroupSettings::read(&app.state).await?)
}

fn shown(settings: &GroupSettings) -> Result<Json<Value>, ApiError> {
    let days: Map<String, Value> = document(settings)?;
    let rows =
        days.iter().map(|(name, days)| json!({"setting": name, "days": days, "about": GroupSettings::about(name)}));
    Ok(Json(rows.collect()))
}

fn document(settings: &GroupSettings) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(days)) => Ok(days),
        other => Err(ApiError::bad_request(format!("the settings cannot be shown: {other:?}"))),
    }
}

/// Days by the name of the setting; those that are not named stay.
async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let mut days = document(&GroupSettings::read(&app.state).await?)?;
    for (name, value) in &asked {
        let known: Vec<String> = days.keys().cloned().collect();
        let place = days.get_mut(name).ok_or_else(|| {
            ApiError::bad_request(format!("there is no setting {name:?}; there are {}", known.join(", ")))
        })?;
        if value.as_u64().is_none_or(|days| days > MOST_DAYS) {
            let message = format!("{name} is {value}; days from 0 to {MOST_DAYS} are allowed");
            return Err(ApiError::bad_request(message));
        }
        place.clone_from(value);
    }
    let settings: GroupSettings =
        serde_json::from_value(Value::Object(days)).map_err(|error| ApiError::bad_request(error.to_string()))?;
    settings.check().map_err(ApiError::bad_request)?;
    settings.write(&app.state).await?;
    let what = Value::Object(asked).to_string();
    caller.did("set settings", "management group", &what);
    shown(&settings)
}
