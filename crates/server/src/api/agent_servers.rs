//! `/api/agents/{agent}/servers`: which management servers an agent uses.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_state::{Assignment, Server};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, get};
use crate::failover::{assignments_changed, servers_of};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/agents/{agent}/servers", get(Action::ReadAgents, servers).put(Action::WriteAgents, put_servers))
        .route("/api/agents/{agent}/proxy", get(Action::ReadAgents, proxy).put(Action::WriteAgents, put_proxy))
}

async fn servers(State(app): State<Arc<App>>, Path(agent): Path<String>) -> Result<Json<Value>, ApiError> {
    let agent = find_agent(&app, &agent).await?;
    let assignment = app.state.assignment(&agent).await?;
    let all = app.state.servers().await?;
    let name = |id: &String| all.iter().find(|server| server.server_id == *id).map(|server| server.name.clone());
    let told = servers_of(&app.state, &agent).await?;
    Ok(Json(json!({
        "agent": agent,
        "primary": name(&assignment.primary),
        "failover": assignment.failover.iter().filter_map(name).collect::<Vec<_>>(),
        "primaryEndpoint": told.primary,
        "failoverEndpoints": told.failover,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutServers {
    /// Name, identity or endpoint; empty: the first of the agent's own file.
    #[serde(default)]
    primary: String,
    /// None: every other server.
    #[serde(default)]
    failover: Vec<String>,
}

async fn put_servers(
    State(app): State<Arc<App>>,
    Path(agent): Path<String>,
    caller: Caller,
    body: Result<Json<PutServers>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let agent = find_agent(&app, &agent).await?;
    let all = app.state.servers().await?;
    let endpoints = app.state.agent_endpoints().await?;
    let primary = match asked.primary.as_str() {
        "" => String::new(),
        name => find_server(&all, &endpoints, name)?,
    };
    let failover =
        asked.failover.iter().map(|name| find_server(&all, &endpoints, name)).collect::<Result<Vec<_>, _>>()?;
    let present = app.state.assignment(&agent).await?;
    app.state.put_assignment(&Assignment { agent_id: agent.clone(), primary, failover, ..present }).await?;
    assignments_changed(&app.state).await?;
    if let Some(management) = app.operations.management() {
        management.servers_changed();
    }
    caller.did("set servers of agent", &agent, "");
    Ok(StatusCode::NO_CONTENT)
}

async fn proxy(State(app): State<Arc<App>>, Path(agent): Path<String>) -> Result<Json<Value>, ApiError> {
    let agent = find_agent(&app, &agent).await?;
    let assignment = app.state.assignment(&agent).await?;
    Ok(Json(json!({"agent": agent, "proxy": assignment.proxy})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutProxy {
    /// Whether the agent may speak for objects of other computers (specification 1.6).
    proxy: bool,
}

async fn put_proxy(
    State(app): State<Arc<App>>,
    Path(agent): Path<String>,
    caller: Caller,
    body: Result<Json<PutProxy>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let agent = find_agent(&app, &agent).await?;
    let present = app.state.assignment(&agent).await?;
    app.state.put_assignment(&Assignment { proxy: asked.proxy, ..present }).await?;
    app.operations.group.follow_proxies().await?;
    assignments_changed(&app.state).await?;
    let what = if asked.proxy { "allowed" } else { "not allowed" };
    caller.did("set proxy of agent", &agent, what);
    Ok(Json(json!({"agent": agent, "proxy": asked.proxy})))
}

pub(super) async fn find_agent(app: &App, agent: &str) -> Result<String, ApiError> {
    let agents = app.state.agents().await?;
    let named: Vec<_> = agents
        .iter()
        .filter(|known| known.agent_id == agent || known.computer.eq_ignore_ascii_case(agent))
        .map(|known| &known.agent_id)
        .collect();
    match named.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(ApiError::not_found(format!("there is no agent {agent:?}; `watchkeeper agents` lists them"))),
        many => {
            let message = format!("{} agents are on computers called {agent:?}; name one by its identity", many.len());
            Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message))
        }
    }
}

fn find_server(all: &[Server], endpoints: &[(String, String)], name: &str) -> Result<String, ApiError> {
    let at = |id: &str| endpoints.iter().any(|(server, endpoint)| server == id && endpoint == name);
    let named: Vec<_> = all
        .iter()
        .filter(|server| server.server_id == name || server.name.eq_ignore_ascii_case(name) || at(&server.server_id))
        .collect();
    match named.as_slice() {
        [one] => Ok(one.server_id.clone()),
        found => {
            let known: Vec<&str> = endpoints.iter().map(|(_, endpoint)| endpoint.as_str()).collect();
            let message = format!(
                "{} management servers are called {name:?}; agents reach the servers of this group at {}",
                found.len(),
                known.join(", ")
            );
            Err(ApiError::bad_request(message))
        }
    }
}
