//! `/api/heartbeats`: how often agents send heartbeats and how many may be missed, for all and for single agents.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_state::HeartbeatSetting;

use super::App;
use super::agent_servers::find_agent;
use super::errors::ApiError;
use crate::authorization::{Routes, get, put};
use crate::identity::Caller;

const LONGEST_SECONDS: i64 = 3600;
const MOST_MISSES: i64 = 100;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/heartbeats", get(Action::ReadAgents, list).put(Action::WriteAgents, set_all))
        .route("/api/heartbeats/{agent}", put(Action::WriteAgents, set_one).delete(Action::WriteAgents, reset))
}

fn default_setting() -> HeartbeatSetting {
    HeartbeatSetting { agent_id: String::new(), interval_seconds: 60, allowed_misses: 3 }
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let agents = app.state.agents().await?;
    let mut settings = app.state.heartbeat_settings().await?;
    if !settings.iter().any(|one| one.agent_id.is_empty()) {
        settings.insert(0, default_setting());
    }
    let show = |one: &HeartbeatSetting| {
        let computer = agents.iter().find(|agent| agent.agent_id == one.agent_id).map(|agent| agent.computer.as_str());
        json!({
            "computer": if one.agent_id.is_empty() { "(all others)" } else { computer.unwrap_or_default() },
            "intervalSeconds": one.interval_seconds,
            "allowedMisses": one.allowed_misses,
            "failureAfterSeconds": one.interval_seconds * (one.allowed_misses + 1),
            "agent": one.agent_id,
        })
    };
    Ok(Json(settings.iter().map(show).collect()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Set {
    /// As before where it is not given.
    interval_seconds: Option<i64>,
    allowed_misses: Option<i64>,
}

async fn set_all(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Set>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    set(&app, &caller, None, body).await
}

async fn set_one(
    State(app): State<Arc<App>>,
    Path(agent): Path<String>,
    caller: Caller,
    body: Result<Json<Set>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    set(&app, &caller, Some(agent), body).await
}

async fn set(
    app: &App,
    caller: &Caller,
    agent: Option<String>,
    body: Result<Json<Set>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let agent_id = match agent {
        Some(agent) => find_agent(app, &agent).await?,
        None => String::new(),
    };
    let settings = app.state.heartbeat_settings().await?;
    let of = |id: &str| settings.iter().find(|one| one.agent_id == id).cloned();
    let mut next = of(&agent_id).or_else(|| of("")).unwrap_or_else(default_setting);
    next.agent_id.clone_from(&agent_id);
    next.interval_seconds = asked.interval_seconds.unwrap_or(next.interval_seconds);
    next.allowed_misses = asked.allowed_misses.unwrap_or(next.allowed_misses);
    let refused = |what: &str, given: i64, most: i64| {
        Err(ApiError::bad_request(format!("{what} is {given}; 1 to {most} are allowed")))
    };
    if !(1..=LONGEST_SECONDS).contains(&next.interval_seconds) {
        return refused("intervalSeconds", next.interval_seconds, LONGEST_SECONDS);
    }
    if !(1..=MOST_MISSES).contains(&next.allowed_misses) {
        return refused("allowedMisses", next.allowed_misses, MOST_MISSES);
    }
    app.state.put_heartbeat_setting(&next).await?;
    let reason = format!("every {} s, {} may be missed", next.interval_seconds, next.allowed_misses);
    changed(app, caller, "set heartbeats", &agent_id, &reason).await
}

async fn reset(State(app): State<Arc<App>>, Path(agent): Path<String>, caller: Caller) -> Result<StatusCode, ApiError> {
    let agent_id = find_agent(&app, &agent).await?;
    if !app.state.delete_heartbeat_setting(&agent_id).await? {
        return Err(ApiError::not_found(format!("agent {agent:?} has no heartbeat settings of its own")));
    }
    changed(&app, &caller, "reset heartbeats", &agent_id, "").await
}

async fn changed(
    app: &App,
    caller: &Caller,
    action: &str,
    agent_id: &str,
    reason: &str,
) -> Result<StatusCode, ApiError> {
    app.operations.follow_heartbeats().await?;
    let target = if agent_id.is_empty() { "all agents" } else { agent_id };
    caller.did(action, target, reason);
    Ok(StatusCode::NO_CONTENT)
}
