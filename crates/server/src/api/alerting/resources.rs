//! What the three kinds of resources share: how they are sent and shown under `/api`.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use serde_json::{Value, json};
use watchkeeper_alerting::rule::{Resource, ResourceId};
use watchkeeper_state::AlertingKind;

use super::find;
use crate::alerting::{RefusedResource, Stored, patched};
use crate::api::errors::ApiError;
use crate::api::{App, time_text};
use crate::identity::Caller;

/// The resource of a body: `{name, properties, …}`, or the whole resource with its `id`.
pub fn sent(app: &App, resource_type: &str, body: &Value, name: Option<&str>) -> Result<Resource, ApiError> {
    let parsed = body["id"].as_str().and_then(ResourceId::parse);
    let id = match (name.or(body["name"].as_str()), parsed) {
        (Some(name), None) => app.alerting.resource_id(resource_type, None, body["resourceGroup"].as_str(), name),
        (_, Some(id)) => app.alerting.resource_id(resource_type, Some(&id.subscription), Some(&id.group), &id.name),
        (None, None) => return Err(ApiError::bad_request("name is missing")),
    };
    Ok(Resource::read(id, body).map_err(RefusedResource::Problems)?)
}

/// As it is shown.
pub fn item(stored: &Stored) -> Value {
    let mut body = stored.resource.body();
    body["key"] = json!(stored.resource.id.key());
    body["resourceGroup"] = json!(stored.resource.id.group);
    body["modifiedAt"] = json!(time_text(stored.modified_at));
    body["modifiedBy"] = json!(stored.modified_by);
    body
}

pub fn json_body(body: Result<Json<Value>, JsonRejection>) -> Result<Value, ApiError> {
    body.map(|Json(body)| body).map_err(|error| ApiError::bad_request(error.body_text()))
}

/// Says what is done to a resource.
pub fn told(caller: &Caller, action: &str, id: &ResourceId) {
    let what = id.resource_type.rsplit('/').next().unwrap_or_default();
    caller.did(&format!("{action} {what}"), &id.name, "");
}

/// Makes or replaces a resource.
pub async fn put(app: &App, resource: Resource, caller: &Caller) -> Result<(StatusCode, Stored), ApiError> {
    told(caller, "change", &resource.id);
    let (stored, is_new) = app.alerting.save(resource, &caller.name).await?;
    if is_new {
        told(caller, "create", &stored.resource.id);
    }
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, stored))
}

/// Makes a resource; one that is there is left as it is.
pub async fn create(app: &App, kind: AlertingKind, resource: Resource, caller: &Caller) -> Result<Stored, ApiError> {
    if app.alerting.show(kind, &resource.id.key()).await?.is_some() {
        let message = format!("{:?} is there already; change it instead", resource.id.name);
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    Ok(put(app, resource, caller).await?.1)
}

/// Changes some properties of a resource.
pub async fn patch(app: &App, kind: AlertingKind, id: &str, body: &Value, caller: &Caller) -> Result<Stored, ApiError> {
    let mut resource = find(app, kind, id).await?.resource;
    if let Some(tags) = body["tags"].as_object() {
        resource.tags.clone_from(tags);
    }
    match &body["properties"] {
        Value::Null => {}
        Value::Object(changes) => resource.properties = patched(&resource.properties, changes),
        _ => return Err(ApiError::bad_request("properties is not an object")),
    }
    Ok(put(app, resource, caller).await?.1)
}

/// Removes a resource.
pub async fn remove(app: &App, kind: AlertingKind, id: &str, caller: &Caller) -> Result<StatusCode, ApiError> {
    let found = find(app, kind, id).await?;
    told(caller, "remove", &found.resource.id);
    app.alerting.remove(kind, &found.resource.id.key()).await?;
    Ok(StatusCode::NO_CONTENT)
}
