//! The resources as Azure Resource Manager has them: `Microsoft.Insights/scheduledQueryRules`, `metricAlerts`,
//! `activityLogAlerts`, `actionGroups`, and `Microsoft.AlertsManagement/actionRules` and `alerts`. Providers and types are read without
//! regard to case. One workspace holds everything: any subscription and group may stand in a path.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_alerting::rule::{Resource, ResourceId};
use watchkeeper_authorization::Action;
use watchkeeper_state::AlertingKind;

use super::resources::{json_body, patch, put, told};
use super::{alerts, find};
use crate::alerting::{RefusedResource, Stored, kind_of};
use crate::api::errors::ApiError;
use crate::api::{App, base_url, time_text};
use crate::authorization::{Need, Routes, Visible, get, post};
use crate::identity::Caller;

type Kinds = &'static [(&'static str, Action)];

const READ: Kinds = &[
    ("scheduledQueryRules", Action::ReadAlertRules),
    ("metricAlerts", Action::ReadMetricAlerts),
    ("activityLogAlerts", Action::ReadActivityLogAlerts),
    ("actionGroups", Action::ReadActionGroups),
    ("actionRules", Action::ReadProcessingRules),
    ("alerts", Action::ReadAlerts),
    ("alertsSummary", Action::ReadAlerts),
];
const WRITE: Kinds = &[
    ("scheduledQueryRules", Action::WriteAlertRules),
    ("metricAlerts", Action::WriteMetricAlerts),
    ("activityLogAlerts", Action::WriteActivityLogAlerts),
    ("actionGroups", Action::WriteActionGroups),
    ("actionRules", Action::WriteProcessingRules),
];
const DELETE: Kinds = &[
    ("scheduledQueryRules", Action::DeleteAlertRules),
    ("metricAlerts", Action::DeleteMetricAlerts),
    ("activityLogAlerts", Action::DeleteActivityLogAlerts),
    ("actionGroups", Action::DeleteActionGroups),
    ("actionRules", Action::DeleteProcessingRules),
];
const ACT: Kinds = &[("actionGroups", Action::TestActionGroups), ("alerts", Action::ChangeAlerts)];

pub fn routes() -> Routes {
    let mut routes = Routes::new();
    for group in ["resourceGroups", "resourcegroups"] {
        let base = format!("/subscriptions/{{subscription}}/{group}/{{group}}/providers/{{provider}}/{{kind}}");
        routes = with(routes, &base);
    }
    with(routes, "/subscriptions/{subscription}/providers/{provider}/{kind}")
}

fn with(routes: Routes, base: &str) -> Routes {
    let [read, write, remove_it, act_on] = [READ, WRITE, DELETE, ACT].map(Need::ByKind);
    let one = get(read, show).put(write, replace).patch(write, change).delete(remove_it, remove);
    routes
        .route(base, get(read, list))
        .route(&format!("{base}/{{name}}"), one)
        .route(&format!("{base}/{{name}}/{{action}}"), post(act_on, act).get(read, detail))
}

/// The variables of a path.
#[derive(Debug, Deserialize)]
pub struct At {
    pub subscription: String,
    #[serde(default)]
    pub group: Option<String>,
    pub provider: String,
    pub kind: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub action: String,
}

impl At {
    pub fn resource_type(&self) -> String {
        format!("{}/{}", self.provider, self.kind)
    }

    /// Whether it is about alerts themselves.
    pub fn is_alerts(&self) -> bool {
        self.resource_type().eq_ignore_ascii_case("Microsoft.AlertsManagement/alerts")
    }
}

/// A request that names its version, as all of Azure Resource Manager do.
pub struct Call {
    pub at: At,
    pub parameters: HashMap<String, String>,
    pub address: String,
    /// The objects whose alerts the caller sees.
    pub visible: Visible,
}

impl FromRequestParts<Arc<App>> for Call {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Call, ApiError> {
        let bad_path = |error: axum::extract::rejection::PathRejection| ApiError::bad_request(error.body_text());
        let Path(at) = Path::<At>::from_request_parts(parts, app).await.map_err(bad_path)?;
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, app).await;
        let Query(pairs) = query.map_err(|error| ApiError::bad_request(error.body_text()))?;
        let parameters: HashMap<String, String> =
            pairs.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        if !parameters.contains_key("api-version") {
            let message = "the query parameter api-version is missing, for instance api-version=2021-08-01";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", message));
        }
        let address = format!("{}{}", base_url(&parts.uri, &parts.headers), parts.uri.path());
        let visible = Visible::from_request_parts(parts, app).await?;
        Ok(Call { at, parameters, address, visible })
    }
}

fn kind(at: &At) -> Result<AlertingKind, ApiError> {
    kind_of(&at.resource_type()).ok_or_else(|| {
        let message = format!("the resource type {:?} could not be found", at.resource_type());
        ApiError::new(StatusCode::NOT_FOUND, "InvalidResourceType", message)
    })
}

fn id(app: &App, at: &At) -> ResourceId {
    app.alerting.resource_id(&at.resource_type(), Some(&at.subscription), at.group.as_deref(), &at.name)
}

fn body(stored: &Stored) -> Value {
    let mut body = stored.resource.body();
    body["etag"] = json!(format!("\"{}\"", stored.modified_at));
    let by = json!(stored.modified_by);
    body["systemData"] = json!({"lastModifiedBy": by, "lastModifiedAt": time_text(stored.modified_at)});
    body
}

async fn list(State(app): State<Arc<App>>, call: Call) -> Result<Json<Value>, ApiError> {
    if call.at.is_alerts() {
        return alerts::list(&app, &call).await;
    }
    if call.at.kind.eq_ignore_ascii_case("alertsSummary") {
        return alerts::summary(&app, &call).await;
    }
    let wanted = call.at.resource_type();
    let mut found = app.alerting.list(kind(&call.at)?).await?;
    found.retain(|stored| {
        let id = &stored.resource.id;
        id.resource_type.eq_ignore_ascii_case(&wanted)
            && call.at.group.as_ref().is_none_or(|group| id.group.eq_ignore_ascii_case(group))
    });
    Ok(Json(json!({"value": found.iter().map(body).collect::<Vec<_>>()})))
}

async fn show(State(app): State<Arc<App>>, call: Call) -> Result<Json<Value>, ApiError> {
    if call.at.is_alerts() {
        return alerts::show(&app, &call).await;
    }
    Ok(Json(body(&stored(&app, &call.at).await?)))
}

async fn stored(app: &App, at: &At) -> Result<Stored, ApiError> {
    let id = id(app, at);
    let found = app.alerting.show(kind(at)?, &id.key()).await?;
    found.ok_or_else(|| {
        let message = format!(
            "the resource '{}/{}' under resource group '{}' was not found",
            id.resource_type, id.name, id.group
        );
        ApiError::new(StatusCode::NOT_FOUND, "ResourceNotFound", message)
    })
}

async fn replace(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    call: Call,
    sent: Result<Json<Value>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    kind(&call.at)?;
    check_etag(&app, &call.at, &headers).await?;
    let resource = Resource::read(id(&app, &call.at), &json_body(sent)?).map_err(RefusedResource::Problems)?;
    let (status, stored) = put(&app, resource, &caller).await?;
    Ok((status, Json(body(&stored))))
}

/// `If-Match` and `If-None-Match` as for every resource.
async fn check_etag(app: &App, at: &At, headers: &HeaderMap) -> Result<(), ApiError> {
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let (wanted, unwanted) = (header(header::IF_MATCH), header(header::IF_NONE_MATCH));
    if wanted.is_none() && unwanted.is_none() {
        return Ok(());
    }
    let found = app.alerting.show(kind(at)?, &id(app, at).key()).await?;
    let etag = found.map(|stored| format!("\"{}\"", stored.modified_at));
    let holds = |text: &str| text.trim() == "*" || etag.as_deref() == Some(text.trim());
    let fits = wanted.is_none_or(|text| etag.is_some() && holds(text))
        && unwanted.is_none_or(|text| etag.is_none() || !holds(text));
    match fits {
        true => Ok(()),
        false => {
            let message = "the resource is not as the headers If-Match and If-None-Match want it; read it again";
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message))
        }
    }
}

async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    call: Call,
    sent: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let found = stored(&app, &call.at).await?;
    let stored = patch(&app, kind(&call.at)?, &found.resource.id.key(), &json_body(sent)?, &caller).await?;
    Ok(Json(body(&stored)))
}

async fn remove(State(app): State<Arc<App>>, caller: Caller, call: Call) -> Result<StatusCode, ApiError> {
    let id = id(&app, &call.at);
    told(&caller, "remove", &id);
    let removed = app.alerting.remove(kind(&call.at)?, &id.key()).await?;
    Ok(if removed { StatusCode::OK } else { StatusCode::NO_CONTENT })
}

/// `alerts/{id}/changestate` and `actionGroups/{name}/createNotifications`.
async fn act(
    State(app): State<Arc<App>>,
    caller: Caller,
    call: Call,
    sent: Result<Json<Value>, JsonRejection>,
) -> Result<Response, ApiError> {
    let action = call.at.action.to_ascii_lowercase();
    if call.at.is_alerts() && action == "changestate" {
        let comment = sent.ok().and_then(|Json(body)| body["comments"].as_str().map(str::to_owned)).unwrap_or_default();
        return Ok(alerts::change_state(&app, &call, &caller, comment).await?.into_response());
    }
    if kind(&call.at)? == AlertingKind::ActionGroup && action == "createnotifications" {
        let found = find(&app, AlertingKind::ActionGroup, &id(&app, &call.at).key()).await?;
        let group = app.alerting.action_group(&found.resource.id.key()).await?;
        let group = group.ok_or_else(|| ApiError::not_found("the action group was not found"))?;
        let tested = app.alerting.test(&group, None).await;
        let details: Vec<Value> = tested
            .iter()
            .map(|one| {
                json!({
                    "MechanismType": one.kind, "Name": one.receiver, "Detail": one.error,
                    "Status": if one.error.is_empty() { "Succeeded" } else { "Failed" },
                })
            })
            .collect();
        let body = json!({
            "state": "Complete", "context": {"notificationSource": "Microsoft.Insights/TestNotification", "contextType": call.parameters.get("alerttype")},
            "actionDetails": details,
        });
        return Ok(Json(body).into_response());
    }
    Err(ApiError::not_found(format!("there is no action {:?}", call.at.action)))
}

async fn detail(State(app): State<Arc<App>>, call: Call) -> Result<Json<Value>, ApiError> {
    match call.at.is_alerts() && call.at.action.eq_ignore_ascii_case("history") {
        true => alerts::history(&app, &call).await,
        false => Err(ApiError::not_found(format!("there is nothing called {:?}", call.at.action))),
    }
}
