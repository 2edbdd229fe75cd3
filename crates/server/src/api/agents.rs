//! `/api/agents`: agents, connected and not, and who may join.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::group::word;
use watchkeeper_management::{
    Approval, ConnectedAgent, ManagementError, ManagementServer, approval_setting, set_approval,
};

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, delete, get, post};
use crate::identity::Caller;

const SECOND: i64 = 1_000_000;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/agents", get(Action::ReadAgents, list))
        .route("/api/agents/approval", get(Action::ReadAgents, approval).put(Action::WriteAgents, put_approval))
        .route("/api/agents/{agent}", delete(Action::DeleteAgents, remove))
        .route("/api/agents/{agent}/approve", post(Action::WriteAgents, approve))
        .route("/api/agents/{agent}/reject", post(Action::WriteAgents, reject))
        .route("/api/agents/{agent}/revoke", post(Action::WriteAgents, revoke))
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let connected = app.operations.management().map(|management| management.connected()).unwrap_or_default();
    let agents = app.state.agents().await?;
    let space = app.operations.group.read();
    let items = agents.iter().map(|agent| {
        let session: Option<&ConnectedAgent> = connected.iter().find(|session| session.agent_id == agent.agent_id);
        let objects = space.agent(&agent.agent_id);
        let health = objects.map(|objects| word(space.entity_health(objects.computer).0));
        let watcher = objects.map(|objects| word(space.entity_health(objects.watcher).0));
        json!({
            "id": agent.agent_id,
            "computer": agent.computer,
            "status": agent.status,
            "connected": session.is_some(),
            "osName": agent.os_name,
            "version": agent.agent_version,
            "enrolledAt": time_text(agent.enrolled_at * SECOND),
            "lastSeen": time_text(agent.last_seen * SECOND),
            "configurationVersion": session.map(|session| session.configuration_version.clone()),
            "configurationError": session.and_then(|session| session.configuration_error.clone()),
            "queueBytes": session.map(|session| session.queue.bytes),
            "droppedRows": session.map(|session| session.queue.dropped_rows),
            "health": health,
            "agentHealth": watcher,
            "object": objects.map(|objects| objects.computer),
        })
    });
    Ok(Json(items.collect()))
}

async fn approve(
    State(app): State<Arc<App>>,
    Path(agent): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    change(&app, &caller, &agent, "approve agent", async |management, id| management.approve(id).await).await
}

async fn reject(
    State(app): State<Arc<App>>,
    Path(agent): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    change(&app, &caller, &agent, "reject agent", async |management, id| management.reject(id).await).await
}

async fn revoke(
    State(app): State<Arc<App>>,
    Path(agent): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    change(&app, &caller, &agent, "revoke agent", async |management, id| management.revoke(id).await).await
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(agent): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    change(&app, &caller, &agent, "remove agent", async |management, id| management.remove(id).await).await
}

async fn change(
    app: &App,
    caller: &Caller,
    agent: &str,
    action: &str,
    work: impl AsyncFnOnce(&ManagementServer, &str) -> Result<(), ManagementError>,
) -> Result<StatusCode, ApiError> {
    let agents = app.state.agents().await?;
    let named: Vec<_> = agents
        .iter()
        .filter(|known| known.agent_id == agent || known.computer.eq_ignore_ascii_case(agent))
        .map(|known| known.agent_id.clone())
        .collect();
    let id = match named.as_slice() {
        [one] => one.clone(),
        [] => return Err(ApiError::not_found(format!("there is no agent {agent:?}; `watchkeeper agents` lists them"))),
        many => {
            let message = format!("{} agents are on computers called {agent:?}; name one by its identity", many.len());
            return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
        }
    };
    let busy = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "no agents are taken yet");
    let management = app.operations.management().ok_or_else(busy)?;
    let outcome = work(management, &id).await;
    caller.did(action, &id, "");
    match outcome {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error @ ManagementError::NoAgent(_)) => Err(ApiError::not_found(error.to_string())),
        Err(error) => Err(ApiError::new(StatusCode::CONFLICT, "Conflict", error.to_string())),
    }
}

async fn approval(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let set = approval_setting(&app.state).await?.unwrap_or(Approval::Auto);
    Ok(Json(json!({"approval": set.as_str()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetApproval {
    approval: String,
}

async fn put_approval(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<SetApproval>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let word = asked.approval.as_str();
    let approval = Approval::from_word(word)
        .ok_or_else(|| ApiError::bad_request(format!("approval is {word:?}; it can be auto, pending or reject")))?;
    set_approval(&app.state, approval).await?;
    caller.did("set approval of agents", word, "");
    Ok(StatusCode::NO_CONTENT)
}
