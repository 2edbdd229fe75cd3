//! `/api/groups`: groups of objects and their members; groups that people define, change and remove.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::group::{GroupDefinition, GroupView, Space};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::pack::Version;

use super::App;
use super::errors::ApiError;
use super::management::{find, item, objects};
use super::packs;
use crate::authorization::{Cut, Need, Routes, Visible, get};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/groups",
            get(Need::InGroups(Action::ReadGroups, Cut::List), list).post(Action::WriteGroups, create),
        )
        .route(
            "/api/groups/{group}",
            get(objects(Action::ReadGroups), show)
                .put(Action::WriteGroups, change)
                .delete(Action::DeleteGroups, remove),
        )
        .route("/api/groups/{group}/members", get(objects(Action::ReadGroups), members))
}

fn body(app: &App, space: &Space, group: &GroupView) -> Value {
    let mut body = item(app, space, &group.object);
    body["members"] = json!(group.members);
    body["byRules"] = json!(group.by_rules);
    let found = group_class(space, group.object.id).and_then(|class| space.library.element(class));
    body["pack"] = json!(found.map(|(pack, _, _)| &pack.id));
    let definition = found.and_then(|(pack, _, _)| GroupDefinition::of(pack, &space.library));
    body["definition"] = json!(definition);
    body
}

/// The class of a group, whose one object it is.
fn group_class(space: &Space, id: ObjectId) -> Option<ElementId> {
    space.objects.get(id)?.classes.iter().next().copied()
}

async fn list(State(app): State<Arc<App>>, visible: Visible) -> Result<Json<Value>, ApiError> {
    let space = app.operations.group.read();
    Ok(Json(
        space
            .groups()
            .iter()
            .filter(|group| visible.has(group.object.id))
            .map(|group| body(&app, &space, group))
            .collect(),
    ))
}

async fn show(
    State(app): State<Arc<App>>,
    visible: Visible,
    Path(group): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = visible.find(&app, &group)?;
    let space = app.operations.group.read();
    let view = space.group(id).ok_or_else(|| no_group(&group))?;
    Ok(Json(body(&app, &space, &view)))
}

#[derive(Deserialize)]
struct Depth {
    /// Those of groups within it too.
    #[serde(default)]
    nested: bool,
}

async fn members(
    State(app): State<Arc<App>>,
    Path(group): Path<String>,
    visible: Visible,
    Query(depth): Query<Depth>,
) -> Result<Json<Value>, ApiError> {
    let id = visible.find(&app, &group)?;
    let space = app.operations.group.read();
    space.group(id).ok_or_else(|| no_group(&group))?;
    Ok(Json(space.members(id, depth.nested).iter().map(|member| item(&app, &space, member)).collect()))
}

fn no_group(name: &str) -> ApiError {
    ApiError::not_found(format!("{name:?} is no group; `watchkeeper groups list` lists them"))
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<GroupDefinition>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(definition) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let id = definition.new_pack_id();
    let document = {
        let space = app.operations.group.read();
        definition.document(&id, Version([1, 0, 0, 0]), &space.library).map_err(ApiError::bad_request)?
    };
    packs::import_text(&app, &caller, format!("{id}.xml"), &document).await
}

async fn change(
    State(app): State<Arc<App>>,
    Path(group): Path<String>,
    caller: Caller,
    body: Result<Json<GroupDefinition>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(definition) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let (id, document) = {
        let (id, Version([major, minor, build, revision])) = defined(&app, &group)?;
        let space = app.operations.group.read();
        let next = Version([major, minor, build, revision.saturating_add(1)]);
        let document = definition.document(&id, next, &space.library).map_err(ApiError::bad_request)?;
        (id, document)
    };
    packs::import_text(&app, &caller, format!("{id}.xml"), &document).await
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(group): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let (id, _) = defined(&app, &group)?;
    packs::remove_pack(&app, &caller, &id).await
}

/// The pack of a group that was defined here, and its version.
fn defined(app: &App, group: &str) -> Result<(String, Version), ApiError> {
    let id = find(app, group)?;
    let space = app.operations.group.read();
    let found = group_class(&space, id).and_then(|class| space.library.element(class));
    let (pack, _, _) = found.ok_or_else(|| no_group(group))?;
    if GroupDefinition::of(pack, &space.library).is_none() {
        let message = format!(
            "the group {group:?} is part of the pack {}; change or remove that pack, or make a group of your own",
            pack.id
        );
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    Ok((pack.id.clone(), pack.version))
}
