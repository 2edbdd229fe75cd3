//! `/api/action-groups` and `/api/processing-rules`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_alerting::{action_group, processing};
use watchkeeper_authorization::Action;
use watchkeeper_state::AlertingKind;

use super::find;
use super::resources::{create, item, json_body, patch, put, remove, sent};
use crate::alerting::Tested;
use crate::api::App;
use crate::api::errors::ApiError;
use crate::authorization::{Routes, get, post};
use crate::identity::Caller;

/// Which of the two: the last word of the path before the name.
#[derive(Clone, Copy)]
struct Which {
    kind: AlertingKind,
    resource_type: &'static str,
}

const GROUPS: Which = Which { kind: AlertingKind::ActionGroup, resource_type: action_group::RESOURCE_TYPE };
const RULES: Which = Which { kind: AlertingKind::ProcessingRule, resource_type: processing::RESOURCE_TYPE };

const GROUP_ACTIONS: [Action; 3] = [Action::ReadActionGroups, Action::WriteActionGroups, Action::DeleteActionGroups];
const RULE_ACTIONS: [Action; 3] =
    [Action::ReadProcessingRules, Action::WriteProcessingRules, Action::DeleteProcessingRules];

pub fn routes() -> Routes {
    Routes::new()
        .merge(of("/api/action-groups", GROUPS, GROUP_ACTIONS))
        .merge(of("/api/processing-rules", RULES, RULE_ACTIONS))
        .route("/api/action-groups/{id}/test", post(Action::TestActionGroups, test))
}

fn of(path: &str, which: Which, [may_read, may_write, may_delete]: [Action; 3]) -> Routes {
    type Body = Result<Json<Value>, JsonRejection>;
    let list = async move |State(app): State<Arc<App>>| {
        let items: Value = app.alerting.list(which.kind).await?.iter().map(item).collect();
        Ok::<_, ApiError>(Json(items))
    };
    let make = async move |State(app): State<Arc<App>>, caller: Caller, body: Body| {
        let resource = sent(&app, which.resource_type, &json_body(body)?, None)?;
        let stored = create(&app, which.kind, resource, &caller).await?;
        Ok::<_, ApiError>((StatusCode::CREATED, Json(item(&stored))))
    };
    let show = async move |State(app): State<Arc<App>>, Path(id): Path<String>| {
        Ok::<_, ApiError>(Json(item(&find(&app, which.kind, &id).await?)))
    };
    let replace = async move |State(app): State<Arc<App>>, Path(id): Path<String>, caller: Caller, body: Body| {
        let mut resource = find(&app, which.kind, &id).await?.resource;
        resource.properties = json_body(body)?["properties"].clone();
        let (_, stored) = put(&app, resource, &caller).await?;
        Ok::<_, ApiError>(Json(item(&stored)))
    };
    let change = async move |State(app): State<Arc<App>>, Path(id): Path<String>, caller: Caller, body: Body| {
        let stored = patch(&app, which.kind, &id, &json_body(body)?, &caller).await?;
        Ok::<_, ApiError>(Json(item(&stored)))
    };
    let delete = async move |State(app): State<Arc<App>>, Path(id): Path<String>, caller: Caller| {
        remove(&app, which.kind, &id, &caller).await
    };
    let one = get(may_read, show).put(may_write, replace).patch(may_write, change).delete(may_delete, delete);
    Routes::new().route(path, get(may_read, list).post(may_write, make)).route(&format!("{path}/{{id}}"), one)
}

#[derive(Deserialize)]
struct TestOf {
    receiver: Option<String>,
}

async fn test(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(of): Query<TestOf>,
) -> Result<Json<Value>, ApiError> {
    let key = find(&app, GROUPS.kind, &id).await?.resource.id.key();
    let group = app.alerting.action_group(&key).await?;
    let group = group.ok_or_else(|| ApiError::not_found(format!("there is no action group {id:?}")))?;
    let tested = app.alerting.test(&group, of.receiver.as_deref()).await;
    if tested.is_empty() {
        return Err(ApiError::bad_request("the action group has no such receiver"));
    }
    Ok(Json(tested.iter().map(tested_item).collect()))
}

pub fn tested_item(tested: &Tested) -> Value {
    json!({
        "receiver": tested.receiver,
        "type": tested.kind,
        "target": tested.target,
        "status": if tested.error.is_empty() { "Succeeded" } else { "Failed" },
        "detail": tested.error,
        "durationMs": tested.milliseconds,
    })
}
