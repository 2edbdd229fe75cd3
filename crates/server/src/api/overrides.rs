//! `/api/overrides`: what operators change of packs, and which value holds for an object.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_management::clock;
use watchkeeper_management::group::names_account;
use watchkeeper_model::objects::Classes;
use watchkeeper_model::pack::ElementKind;
use watchkeeper_state::Override;

use super::computer_groups::object_of;
use super::errors::ApiError;
use super::management::objects;
use super::{App, time_text};
use crate::authorization::{Cut, Need, Routes, Visible, get, put};
use crate::computer_groups::group_class;
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/overrides",
            get(Need::InGroups(Action::ReadOverrides, Cut::List), list).post(objects(Action::WriteOverrides), set),
        )
        .route(
            "/api/overrides/{id}",
            put(objects(Action::WriteOverrides), change).delete(objects(Action::DeleteOverrides), remove),
        )
        .route("/api/objects/{object}/overrides", get(objects(Action::ReadOverrides), effective))
}

async fn list(State(app): State<Arc<App>>, visible: Visible) -> Result<Json<Value>, ApiError> {
    let mut overrides = app.state.overrides().await?;
    overrides.retain(|one| visible.has_named(&one.context_instance));
    let space = app.operations.group.read();
    let named = |one: &Override| {
        let mut body = item(one);
        let name = |element: &str| space.library.named(element).map(|id| space.library.display_name(id));
        body["elementName"] = json!(name(&one.element));
        body["contextName"] = json!(name(&one.context));
        body["objectName"] = json!(space.find(&one.context_instance).ok().map(|id| space.display_name(id)));
        body
    };
    Ok(Json(overrides.iter().map(named).collect()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewOverride {
    /// `Pack!Element` of a rule, monitor, discovery, diagnostic or recovery.
    element: String,
    /// A class or group, `Pack!Class`.
    #[serde(default)]
    context: String,
    /// One object.
    #[serde(default)]
    object: String,
    /// The computers of a computer group.
    #[serde(default)]
    computer_group: String,
    /// `Enabled`, `GenerateAlert`, …
    #[serde(default)]
    property: String,
    /// A parameter of its type.
    #[serde(default)]
    parameter: String,
    /// The module whose parameter it is, for rules.
    #[serde(default)]
    module: String,
    value: String,
    #[serde(default)]
    enforced: bool,
}

async fn set(
    State(app): State<Arc<App>>,
    visible: Visible,
    caller: Caller,
    body: Result<Json<NewOverride>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    if new.property.is_empty() == new.parameter.is_empty() {
        return Err(ApiError::bad_request("an override sets either a property or a parameter"));
    }
    let is_named = [&new.context, &new.object, &new.computer_group].iter().any(|name| !name.is_empty());
    if !is_named {
        return Err(ApiError::bad_request(
            "an override is for a class or group (context), an object, or a computer group (computerGroup)",
        ));
    }
    let is_for_others = !new.context.is_empty() || !new.object.is_empty();
    if !new.computer_group.is_empty() && is_for_others {
        return Err(ApiError::bad_request("an override for a computer group has neither context nor object"));
    }
    check_value(&new.value)?;
    if new.object.is_empty() && !visible.is_all() {
        return Err(ApiError::forbidden(
            "an override for a class or group holds for objects of other groups than yours too; name one object of yours",
        ));
    }
    let instance = match (new.object.as_str(), new.computer_group.as_str()) {
        ("", "") => None,
        ("", group) => Some(object_of(&app, &caller, &visible, group).await?),
        (object, _) => Some(visible.find(&app, object)?),
    };
    let row = {
        let space = app.operations.group.read();
        let library = &space.library;
        let element = library.named(&new.element);
        let found = element.and_then(|id| library.element(id).map(|(_, kind, _)| (id, kind)));
        let (id, kind) = found.ok_or_else(|| {
            ApiError::not_found(format!("there is no element {:?}; write it as Pack!Element", new.element))
        })?;
        let word = match kind {
            ElementKind::Rule => "Rule",
            ElementKind::Monitor => "Monitor",
            ElementKind::Discovery => "Discovery",
            ElementKind::Diagnostic => "Diagnostic",
            ElementKind::Recovery => "Recovery",
            other => {
                return Err(ApiError::bad_request(format!(
                    "{} is a {}, which has no overrides",
                    new.element,
                    other.word()
                )));
            }
        };
        let context = match new.context.as_str() {
            // with the class of a group an override is for its members
            "" if !new.computer_group.is_empty() => library.full_name(group_class()),
            "" => String::new(),
            name => {
                let class = library.named(name).filter(|class| library.is_known(*class));
                let class = class.ok_or_else(|| ApiError::not_found(format!("there is no class {name:?}")))?;
                library.full_name(class)
            }
        };
        let form = if new.property.is_empty() { "Configuration" } else { "Property" };
        Override {
            override_id: Uuid::new_v4().to_string(),
            pack_id: String::new(),
            kind: format!("{word}{form}Override"),
            element: library.full_name(id),
            context,
            context_instance: instance.map(|id| id.to_string()).unwrap_or_default(),
            enforced: new.enforced,
            module: new.module,
            parameter: if new.property.is_empty() { new.parameter } else { new.property },
            value: new.value,
            changed_at: clock::now(),
            changed_by: caller.name.clone(),
        }
    };
    let mut changes = app.state.change().await?;
    changes.put_override(&row).await?;
    changes.commit().await?;
    let what = format!("{} = {}", row.parameter, row.value);
    caller.did("set override", &row.element, &what);
    reload(&app).await?;
    Ok((StatusCode::CREATED, Json(item(&row))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    value: String,
    enforced: bool,
}

/// Another value for an override that is there; what it is of and for stays.
async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    visible: Visible,
    caller: Caller,
    body: Result<Json<Changed>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    check_value(&asked.value)?;
    let mut row = reached(&app, &visible, &id).await?;
    let what = format!("{} = {} (was {})", row.parameter, asked.value, row.value);
    row.value = asked.value;
    row.enforced = asked.enforced;
    row.changed_at = clock::now();
    row.changed_by.clone_from(&caller.name);
    let mut changes = app.state.change().await?;
    changes.put_override(&row).await?;
    changes.commit().await?;
    caller.did("change override", &row.element, &what);
    reload(&app).await?;
    Ok(Json(item(&row)))
}

/// An override for an object that the caller reaches.
async fn reached(app: &App, visible: &Visible, id: &str) -> Result<Override, ApiError> {
    let mut all = app.state.overrides().await?.into_iter();
    let found = all.find(|one| one.override_id == id && visible.has_named(&one.context_instance));
    found.ok_or_else(|| ApiError::not_found(format!("there is no override {id}")))
}

fn check_value(value: &str) -> Result<(), ApiError> {
    match names_account(value) {
        true => Err(ApiError::bad_request(
            "the value of an override must not ask for a Run As account ($RunAs…): only packs may",
        )),
        false => Ok(()),
    }
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    visible: Visible,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    reached(&app, &visible, &id).await?;
    let mut changes = app.state.change().await?;
    let was_there = changes.delete_override(&id).await?;
    changes.commit().await?;
    if !was_there {
        return Err(ApiError::not_found(format!("there is no override {id}")));
    }
    caller.did("remove override", &id, "");
    reload(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn reload(app: &App) -> Result<(), ApiError> {
    let states = app.operations.group.reload().await?;
    Ok(app.operations.operational.rolled_up(states).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    /// Without it those of every workflow of the object.
    element: Option<String>,
}

/// What holds for an object and why.
async fn effective(
    State(app): State<Arc<App>>,
    Path(object): Path<String>,
    visible: Visible,
    Query(of): Query<Of>,
) -> Result<Json<Value>, ApiError> {
    let id = visible.find(&app, &object)?;
    let space = app.operations.group.read();
    let Some(element) = &of.element else { return Ok(Json(Value::Array(super::elements::all_values(&space, id)))) };
    let workflow = space.library.named(element);
    let workflow = workflow.ok_or_else(|| ApiError::not_found(format!("there is no element {element:?}")))?;
    Ok(Json(super::elements::values(&space, workflow, id)))
}

fn item(one: &Override) -> Value {
    json!({
        "id": one.override_id,
        "kind": one.kind,
        "element": one.element,
        "context": one.context,
        "object": one.context_instance,
        "module": one.module,
        "name": one.parameter,
        "value": one.value,
        "enforced": one.enforced,
        "changedAt": time_text(one.changed_at),
        "changedBy": one.changed_by,
    })
}
