//! `/api/objects` and `/api/monitors`: what is watched, how it is, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::group::{ASPECTS, ExplainedMonitor, MonitorTree, ObjectView, Space, word};
use watchkeeper_model::ids::ObjectId;
use watchkeeper_model::objects::{Classes, Link, LinkKind};
use watchkeeper_model::pack::MonitorKind;
use watchkeeper_wire::proto::{RecalculateMonitor, ResetMonitor, command};

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Cut, Need, Routes, Visible, get, post};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/objects", get(Need::InGroups(Action::ReadObjects, Cut::List), list))
        .route("/api/objects/{object}", get(objects(Action::ReadObjects), show))
        .route("/api/objects/{object}/health", get(objects(Action::ReadObjects), health))
        .route("/api/objects/{object}/history", get(objects(Action::ReadObjects), history))
        .route("/api/objects/{object}/monitors", get(objects(Action::ReadObjects), monitors))
        .route("/api/monitors/reset", post(objects(Action::ResetMonitors), reset))
        .route("/api/monitors/recalculate", post(objects(Action::ResetMonitors), recalculate))
}

/// What a route about objects takes.
pub const fn objects(action: Action) -> Need {
    Need::InGroups(action, Cut::Objects)
}

/// The object that a caller names.
pub fn find(app: &App, text: &str) -> Result<ObjectId, ApiError> {
    app.operations.group.read().find(text).map_err(ApiError::not_found)
}

#[derive(Deserialize)]
struct Filter {
    class: Option<String>,
    health: Option<String>,
}

async fn list(
    State(app): State<Arc<App>>,
    visible: Visible,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, ApiError> {
    let space = app.operations.group.read();
    let class =
        match &filter.class {
            None => None,
            Some(name) => {
                Some(space.library.named(name).filter(|id| space.library.is_known(*id)).ok_or_else(|| {
                    ApiError::not_found(format!("there is no class {name:?}; write it as Pack!Class"))
                })?)
            }
        };
    let wanted = |view: &&ObjectView| {
        visible.has(view.id)
            && filter.health.as_ref().is_none_or(|health| word(view.health).eq_ignore_ascii_case(health))
    };
    let views = space.list(class);
    Ok(Json(views.iter().filter(wanted).map(|view| item(&app, &space, view)).collect()))
}

/// An object as the API shows it.
pub fn item(app: &App, space: &Space, view: &ObjectView) -> Value {
    let aspects = ASPECTS
        .iter()
        .zip(space.aspects(view.id))
        .map(|((aspect, _), state)| ((*aspect).to_owned(), json!(word(state))));
    json!({
        "aspects": aspects.collect::<serde_json::Map<_, _>>(),
        "outOfContact": space.health.overlay(view.id).out_of_contact,
        "id": view.id,
        "name": view.name,
        "path": view.path,
        "classes": view.classes,
        "agentId": view.agent_id,
        "health": word(view.health),
        "since": time_text(view.since),
        "maintenanceUntil": app.operations.maintenance_until(&view.id.to_string()).and_then(time_text),
    })
}

async fn show(
    State(app): State<Arc<App>>,
    visible: Visible,
    Path(object): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = visible.find(&app, &object)?;
    let space = app.operations.group.read();
    let (Some(view), Some(found)) = (space.view(id), space.objects.get(id)) else {
        return Err(ApiError::not_found(format!("there is no object {object}")));
    };
    let mut body = item(&app, &space, &view);
    body["properties"] = json!(found.properties);
    body["hosts"] = space
        .objects
        .hosted_by(id)
        .filter_map(|hosted| space.view(hosted))
        .map(|view| item(&app, &space, &view))
        .collect();
    // what it contains and what it lives on or is contained in, hosting first
    let contains =
        |link: &Link| space.library.relationship(link.kind).is_some_and(|facts| facts.kind == LinkKind::Containment);
    let views = |ids: Vec<ObjectId>| -> Value {
        let shown = ids.into_iter().filter(|id| visible.has(*id)).filter_map(|id| space.view(id));
        shown.map(|view| item(&app, &space, &view)).collect()
    };
    body["contains"] = views(space.objects.links_from(id).filter(contains).map(|link| link.target).collect());
    let containers = space.objects.links_to(id).filter(contains).map(|link| link.source);
    body["within"] = views(found.host.into_iter().chain(containers).collect());
    let links =
        |link: Link| json!({"type": space.library.name(link.kind), "source": link.source, "target": link.target});
    let seen = |link: &Link| visible.has(link.source) && visible.has(link.target);
    let all = space.objects.links_from(id).chain(space.objects.links_to(id));
    body["relationships"] = all.filter(seen).map(links).collect();
    body["monitors"] = space
        .health
        .states(id)
        .map(|(monitor, state, since)| {
            json!({
                "id": space.library.monitor_key(monitor),
                "monitor": space.library.full_name(monitor),
                "name": space.library.display_name(monitor),
                "health": word(state),
                "since": time_text(since),
            })
        })
        .collect();
    Ok(Json(body))
}

/// Why an object has its health, from the top down to the unit monitors.
async fn health(
    State(app): State<Arc<App>>,
    visible: Visible,
    Path(object): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = visible.find(&app, &object)?;
    let space = app.operations.group.read();
    let explained = space.explain(id).ok_or_else(|| ApiError::not_found(format!("{object} has no health")))?;
    Ok(Json(explanation(&explained, &visible)))
}

/// All monitors of an object and of what rolls up into it, as a tree.
async fn monitors(
    State(app): State<Arc<App>>,
    visible: Visible,
    Path(object): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = visible.find(&app, &object)?;
    let space = app.operations.group.read();
    let tree = space.monitor_tree(id).ok_or_else(|| ApiError::not_found(format!("{object} has no health")))?;
    Ok(Json(branch(&space, &tree, &visible)))
}

fn branch(space: &Space, tree: &MonitorTree, visible: &Visible) -> Value {
    let members = tree.members.iter().filter(|member| visible.has(member.key.object));
    let library = &space.library;
    let found = library.monitor(tree.key.monitor).map(|(_, monitor)| monitor);
    let kind = found.map(|monitor| match monitor.kind {
        MonitorKind::Unit { .. } => "Unit",
        MonitorKind::Aggregate { .. } => "Aggregate",
        MonitorKind::Dependency { .. } => "Dependency",
    });
    json!({
        "object": tree.key.object,
        "objectName": space.display_name(tree.key.object),
        "id": library.monitor_key(tree.key.monitor),
        "monitor": library.full_name(tree.key.monitor),
        "name": library.display_name(tree.key.monitor),
        "kind": kind,
        "health": word(tree.state),
        "since": time_text(tree.since),
        "inMaintenance": tree.overlay.maintenance,
        "outOfContact": tree.overlay.out_of_contact,
        "raisesAlert": found.is_some_and(|monitor| monitor.alert.is_some()),
        "members": members.map(|member| branch(space, member, visible)).collect::<Vec<_>>(),
        "more": tree.more,
    })
}

fn explanation(monitor: &ExplainedMonitor, visible: &Visible) -> Value {
    let members = monitor.members.iter().filter(|member| visible.has(member.object));
    json!({
        "object": monitor.object,
        "objectName": monitor.object_name,
        "monitor": monitor.monitor,
        "name": monitor.monitor_name,
        "health": word(monitor.state),
        "since": time_text(monitor.since),
        "because": monitor.why,
        "members": members.map(|member| explanation(member, visible)).collect::<Vec<_>>(),
        "more": monitor.more,
    })
}

async fn history(
    State(app): State<Arc<App>>,
    visible: Visible,
    Path(object): Path<String>,
) -> Result<Json<Value>, ApiError> {
    const MOST: u32 = 1000;
    let id = match visible.find(&app, &object) {
        Ok(id) => id.to_string(),
        // what was removed has a history too; it belongs to no group any more
        Err(_) if visible.is_all() => object.clone(),
        Err(error) => return Err(error),
    };
    let states = app.state.state_changes(&id, MOST).await?;
    let changes = app.state.object_history(&id).await?;
    let space = app.operations.group.read();
    let states = states.iter().map(|change| {
        let name = space.library.monitor_id(&change.of.monitor_id).map(|id| space.library.display_name(id));
        json!({
            "time": time_text(change.changed_at),
            "monitor": change.of.monitor_id,
            "name": name,
            "from": health_word(change.old_health),
            "to": health_word(change.new_health),
            "state": change.state,
            "context": change.context,
        })
    });
    let changes = changes.iter().map(|entry| json!({"time": time_text(entry.changed_at), "change": entry.change}));
    Ok(Json(json!({"states": states.collect::<Vec<_>>(), "changes": changes.collect::<Vec<_>>()})))
}

/// The name of a stored health state.
pub fn health_word(code: u8) -> &'static str {
    match code {
        0 => "Uninitialized",
        1 => "Success",
        2 => "Warning",
        _ => "Error",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MonitorOf {
    object: String,
    monitor: String,
}

async fn reset(
    State(app): State<Arc<App>>,
    visible: Visible,
    caller: Caller,
    body: Result<Json<MonitorOf>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let make = |monitor, object| command::Command::ResetMonitor(ResetMonitor { monitor, object });
    tell(&app, (&caller, &visible), body, "reset monitor", make).await
}

async fn recalculate(
    State(app): State<Arc<App>>,
    visible: Visible,
    caller: Caller,
    body: Result<Json<MonitorOf>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let make = |monitor, object| command::Command::RecalculateMonitor(RecalculateMonitor { monitor, object });
    tell(&app, (&caller, &visible), body, "recalculate monitor", make).await
}

async fn tell(
    app: &App,
    (caller, visible): (&Caller, &Visible),
    body: Result<Json<MonitorOf>, JsonRejection>,
    action: &str,
    make: impl FnOnce(String, String) -> command::Command,
) -> Result<StatusCode, ApiError> {
    let Json(of) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let object = visible.find(app, &of.object)?;
    let (monitor, agent, name) = {
        let space = app.operations.group.read();
        let monitor = space.library.named(&of.monitor).filter(|id| space.library.monitor(*id).is_some());
        let monitor = monitor.ok_or_else(|| {
            ApiError::not_found(format!("there is no monitor {:?}; write it as Pack!Monitor", of.monitor))
        })?;
        (monitor, space.agent_of(object).map(str::to_owned), space.library.full_name(monitor))
    };
    let sent = send(app, agent.as_deref(), make(monitor.to_string(), object.to_string())).await;
    caller.did(action, &format!("{name} of {object}"), "");
    sent.map(|()| StatusCode::ACCEPTED)
}

/// Sends a command to whoever runs the workflows of an object: its agent, or this server.
pub async fn send(app: &App, agent: Option<&str>, command: command::Command) -> Result<(), ApiError> {
    let conflict = |message: String| ApiError::new(StatusCode::CONFLICT, "Conflict", message);
    if let Some(done) = app.operations.command_own(&command).await {
        return done.map_err(conflict);
    }
    let agent = agent.filter(|agent| !agent.is_empty());
    let agent = agent.ok_or_else(|| conflict("no agent manages this object".to_owned()))?;
    let management = app.operations.management().ok_or_else(|| conflict("no agents are taken yet".to_owned()))?;
    management.send(agent, command).await.map(drop).map_err(|error| conflict(error.to_string()))
}
