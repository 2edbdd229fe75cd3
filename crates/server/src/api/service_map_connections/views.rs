//! The Service Map folder: servers and dependency views, and what people change of a view.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_management::group::{Space, word};
use watchkeeper_model::ids::ObjectId;
use watchkeeper_state::MapConnection;

use super::refusal::{self, Refusal};
use super::{Answer, Body};
use crate::api::errors::ApiError;
use crate::api::management::find;
use crate::api::{App, time_text};
use crate::identity::Caller;
use crate::service_map::{Computers, GROUP_VIEW_CLASS, MEMBER, SERVER_VIEW_CLASS, class};

pub(super) async fn list(State(app): State<Arc<App>>) -> Answer {
    let connections = app.state.map_connections().await?;
    let views = app.state.map_views().await?;
    let space = app.operations.group.read();
    let computers = Computers::of(&space);
    let mut servers = Vec::new();
    for connection in &connections {
        let last = connection.last_sync.as_ref().and_then(|sync| time_text(sync.succeeded));
        for known in connection.settings.servers.iter().filter_map(|server| computers.named(server)) {
            let Some(view) = space.view(known.object) else { continue };
            servers.push(json!({
                "object": view.id, "name": view.name, "connection": connection.name,
                "connectionId": connection.connection_id, "health": word(view.health), "lastSync": last,
            }));
        }
    }
    let of_class = |name: &str| all_of(&space, name, &connections, &views);
    Ok(Json(json!({
        "servers": servers,
        "machineGroupViews": of_class(GROUP_VIEW_CLASS),
        "serverViews": of_class(SERVER_VIEW_CLASS),
    })))
}

fn all_of(space: &Space, name: &str, connections: &[MapConnection], views: &HashMap<String, String>) -> Vec<Value> {
    let list = if space.library.element(class(name)).is_some() { space.list(Some(class(name))) } else { Vec::new() };
    let item = |view: &watchkeeper_management::group::ObjectView| {
        let id = views.get(&view.id.to_string());
        let connection = connections.iter().find(|one| Some(&one.connection_id) == id);
        let last = connection.and_then(|one| one.last_sync.as_ref()).and_then(|sync| time_text(sync.succeeded));
        json!({
            "object": view.id, "name": view.name, "connection": connection.map(|one| one.name.clone()),
            "connectionId": id, "health": word(view.health), "members": members(space, view.id).len(), "lastSync": last,
        })
    };
    list.iter().map(item).collect()
}

/// What a view contains now.
fn members(space: &Space, view: ObjectId) -> BTreeSet<ObjectId> {
    let kind = class(MEMBER);
    space.objects.links_from(view).filter(|link| link.kind == kind).map(|link| link.target).collect()
}

pub(super) async fn show(State(app): State<Arc<App>>, Path(object): Path<String>) -> Answer {
    Ok(Json(shown(&app, view_of(&app, &object)?).await?))
}

/// The view that a caller names: a server's view has the server's name too.
fn view_of(app: &App, object: &str) -> Result<ObjectId, ApiError> {
    let space = app.operations.group.read();
    let classes = [SERVER_VIEW_CLASS, GROUP_VIEW_CLASS].map(class);
    if let Ok(id) = uuid::Uuid::try_parse(object).map(ObjectId)
        && classes.iter().any(|of| space.objects.is_a(id, *of, space.library.as_ref()))
    {
        return Ok(id);
    }
    let all = classes.iter().flat_map(|of| space.objects.of_class(*of, space.library.as_ref()));
    let named: Vec<ObjectId> = all.filter(|id| space.display_name(*id).eq_ignore_ascii_case(object)).collect();
    match named.as_slice() {
        [one] => Ok(*one),
        [] => Err(ApiError::not_found(format!(
            "there is no dependency view {object:?}; `watchkeeper service-map views` lists them"
        ))),
        _ => {
            let message = format!("several dependency views are called {object:?}; name one by its identity");
            Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message))
        }
    }
}

async fn shown(app: &App, view: ObjectId) -> Result<Value, Refusal> {
    let (connection, document) = app.operations.service_maps.view(view).await?.unwrap_or_default();
    let connections = app.state.map_connections().await?;
    let connection = connections.iter().find(|one| one.connection_id == connection);
    let space = app.operations.group.read();
    let own = space.view(view).ok_or_else(|| ApiError::not_found("the view is gone"))?;
    let present: BTreeMap<String, ObjectId> =
        members(&space, view).into_iter().map(|member| (member.to_string(), member)).collect();
    let mut items = Vec::new();
    for (id, member) in &present {
        let Some(member) = space.view(*member) else { continue };
        let of_map = document.members.get(id);
        let parent = of_map.cloned().flatten().filter(|parent| present.contains_key(parent));
        items.push(json!({
            "object": member.id, "name": member.name, "class": member.classes.first(), "health": word(member.health),
            "from": if of_map.is_some() { "map" } else { "person" },
            "parents": parent.into_iter().collect::<Vec<_>>(),
        }));
    }
    let calls =
        document.edges.iter().filter(|call| present.contains_key(&call.source) && present.contains_key(&call.target));
    let edges: Vec<Value> = calls
        .map(|call| json!({"source": call.source, "target": call.target, "ports": call.ports, "failed": call.failed}))
        .collect();
    let removed = document.members.keys().filter(|member| !present.contains_key(*member));
    let removed: Vec<Value> = removed
        .filter_map(|member| Some(ObjectId(uuid::Uuid::try_parse(member).ok()?)))
        .filter_map(|member| space.view(member))
        .map(|member| json!({"object": member.id, "name": member.name, "class": member.classes.first()}))
        .collect();
    Ok(json!({
        "object": own.id,
        "name": own.name,
        "class": own.classes.first(),
        "health": word(own.health),
        "connection": connection.map(|one| one.name.clone()),
        "connectionId": connection.map(|one| one.connection_id.clone()),
        "lastSync": connection.and_then(|one| one.last_sync.as_ref()).and_then(|sync| time_text(sync.succeeded)),
        "members": items,
        "edges": edges,
        // of the map, taken out by a person
        "removed": removed,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    /// By name or identity.
    object: String,
}

pub(super) async fn add(
    State(app): State<Arc<App>>,
    Path(object): Path<String>,
    caller: Caller,
    body: Body<Member>,
) -> Answer {
    let asked = refusal::read(body)?;
    let view = view_of(&app, &object)?;
    let member = find(&app, &asked.object)?;
    if member == view || contains(&app.operations.group.read(), member, view) {
        return Err(Refusal::field("object", "a view cannot contain itself"));
    }
    change(&app, view, member, true, &caller).await?;
    Ok(Json(shown(&app, view).await?))
}

pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path((object, member)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    let view = view_of(&app, &object)?;
    let member = find(&app, &member)?;
    if !members(&app.operations.group.read(), view).contains(&member) {
        return Err(ApiError::not_found("the object is no member of this view").into());
    }
    change(&app, view, member, false, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether an object contains another, over as many steps as it takes.
fn contains(space: &Space, outer: ObjectId, inner: ObjectId) -> bool {
    space.objects.with_contained(outer, space.library.as_ref()).contains(&inner)
}

async fn change(app: &App, view: ObjectId, member: ObjectId, added: bool, caller: &Caller) -> Result<(), Refusal> {
    let names = {
        let space = app.operations.group.read();
        format!("{}: {}", space.display_name(view), space.display_name(member))
    };
    caller.did(if added { "add member to dependency view" } else { "remove member of dependency view" }, &names, "");
    match app.operations.service_maps.edit(view, member, added, &caller.name).await? {
        true => Ok(()),
        false => Err(ApiError::not_found("the view is gone").into()),
    }
}
