//! `/api/gateways` and `/api/agents/{agent}/gateway`: gateways, who lets them in, and which agents they speak for.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_state::{Gateway, GatewayQueue};

use super::agent_servers::find_agent;
use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, delete, get, post, put};
use crate::identity::Caller;

const SECOND: i64 = 1_000_000;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/gateways", get(Action::ReadGateways, list))
        .route("/api/gateways/{gateway}", delete(Action::DeleteGateways, remove))
        .route("/api/gateways/{gateway}/approve", post(Action::WriteGateways, approve))
        .route("/api/agents/{agent}/gateway", put(Action::WriteGateways, assign).delete(Action::WriteGateways, release))
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let all = app.state.gateways().await?;
    let agents = app.state.agents().await?;
    let queues = app.state.gateway_queues().await?;
    let mut items = Vec::with_capacity(all.len());
    for gateway in &all {
        let mut behind = app.state.agents_of_gateway(&gateway.gateway_id).await?;
        behind.retain(|id| !all.iter().any(|other| other.gateway_id == *id));
        let computer = |id: &String| agents.iter().find(|agent| agent.agent_id == *id).map(|agent| &agent.computer);
        let parent = app.state.gateway_of(&gateway.gateway_id).await?;
        items.push(json!({
            "id": gateway.gateway_id,
            "name": gateway.name,
            "names": gateway.names,
            "status": if gateway.approved { "approved" } else { "pending" },
            "agents": behind.len(),
            "behind": behind.iter().map(|id| computer(id).unwrap_or(id)).collect::<Vec<_>>(),
            "through": all.iter().find(|other| Some(&other.gateway_id) == parent.as_ref()).map(|other| &other.name),
            "enrolledAt": time_text(gateway.enrolled_at * SECOND),
            "lastSeen": time_text(gateway.last_seen * SECOND),
            "queue": queues.iter().find(|queue| queue.gateway_id == gateway.gateway_id).map(queue_item),
        }));
    }
    Ok(Json(items.into()))
}

/// What waits for the server. How old the oldest is, is told by the gateway's own clock.
fn queue_item(queue: &GatewayQueue) -> Value {
    let age = (queue.oldest > 0).then(|| (queue.looked_at - queue.oldest).max(0) / SECOND);
    json!({
        "batches": queue.batches,
        "rows": queue.rows,
        "bytes": queue.bytes,
        "limitBytes": queue.limit_bytes,
        "oldestSeconds": age,
        "connected": queue.connected,
        "reportedAt": time_text(queue.reported_at),
    })
}

async fn approve(
    State(app): State<Arc<App>>,
    Path(gateway): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let all = app.state.gateways().await?;
    let gateway = find_gateway(&all, &gateway)?;
    // its certificate will be good for these names
    let taken = |name: &&String| {
        let has = |other: &&Gateway| other.approved && other.gateway_id != gateway.gateway_id;
        all.iter().filter(has).any(|other| other.names.iter().any(|theirs| theirs.eq_ignore_ascii_case(name)))
    };
    if let Some(name) = gateway.names.iter().find(taken) {
        let message =
            format!("{name:?} is a name of another gateway; remove that one first, or give this one other names");
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    app.state.approve_gateway(&gateway.gateway_id).await?;
    caller.did("approve gateway", &gateway.gateway_id, &gateway.names.join(" "));
    Ok(StatusCode::NO_CONTENT)
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(gateway): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let all = app.state.gateways().await?;
    let gateway = find_gateway(&all, &gateway)?;
    let mut left = app.state.agents_of_gateway(&gateway.gateway_id).await?;
    // those of gateways behind it
    let mut at = 0;
    while let Some(id) = left.get(at) {
        let behind = app.state.agents_of_gateway(id).await?;
        left.extend(behind);
        at += 1;
    }
    app.state.delete_gateway(&gateway.gateway_id).await?;
    sessions_end(&app, &left);
    caller.did("remove gateway", &gateway.gateway_id, &gateway.name);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assign {
    /// Name or identity.
    gateway: String,
}

async fn assign(
    State(app): State<Arc<App>>,
    Path(agent): Path<String>,
    caller: Caller,
    body: Result<Json<Assign>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let agent = find_agent(&app, &agent).await?;
    let all = app.state.gateways().await?;
    let gateway = find_gateway(&all, &asked.gateway)?;
    app.state.assign_gateway(&agent, &gateway.gateway_id).await?;
    sessions_end(&app, std::slice::from_ref(&agent));
    caller.did("assign agent to gateway", &agent, &gateway.name);
    Ok(StatusCode::NO_CONTENT)
}

async fn release(
    State(app): State<Arc<App>>,
    Path(agent): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let agent = find_agent(&app, &agent).await?;
    if !app.state.release_from_gateway(&agent).await? {
        return Err(ApiError::not_found(format!("agent {agent} is assigned to no gateway")));
    }
    sessions_end(&app, std::slice::from_ref(&agent));
    caller.did("release agent from gateway", &agent, "");
    Ok(StatusCode::NO_CONTENT)
}

fn sessions_end(app: &App, agents: &[String]) {
    if let Some(management) = app.operations.management() {
        management.gateway_left(agents);
    }
}

fn find_gateway<'a>(all: &'a [Gateway], text: &str) -> Result<&'a Gateway, ApiError> {
    let named: Vec<&Gateway> =
        all.iter().filter(|known| known.gateway_id == text || known.name.eq_ignore_ascii_case(text)).collect();
    match named.as_slice() {
        [one] => Ok(*one),
        [] => Err(ApiError::not_found(format!("there is no gateway {text:?}; `watchkeeper gateways` lists them"))),
        many => {
            let message = format!("{} gateways are called {text:?}; name one by its identity", many.len());
            Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message))
        }
    }
}
