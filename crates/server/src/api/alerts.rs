//! `/api/alerts`: alerts with their history, and changes by operators.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use watchkeeper_alerting::rule::RuleKind;
use watchkeeper_authorization::Action;
use watchkeeper_management::alert_rules::{AlertEdit, ClosePolicy};
use watchkeeper_management::alerts::AlertError;
use watchkeeper_management::clock;
use watchkeeper_state::{Alert, AlertFilter, Priority, ResolutionState, ResolutionStateName, Severity};
use watchkeeper_wire::proto::{ResetMonitor, command};

use super::errors::ApiError;
use super::management::{health_word, objects, send};
use super::{App, time_text};
use crate::authorization::{Cut, Need, Routes, Visible, get};
use crate::identity::Caller;

const MOST: u32 = 10_000;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/alerts", get(Need::InGroups(Action::ReadAlerts, Cut::List), list))
        .route("/api/alerts/{id}", get(objects(Action::ReadAlerts), show).patch(objects(Action::ChangeAlerts), edit))
        .route("/api/alerts/{id}/history", get(objects(Action::ReadAlerts), history))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    /// `open` (as it is without), `closed`, `all`, or a resolution state by code or name.
    state: Option<String>,
    object: Option<String>,
    severity: Option<String>,
    owner: Option<String>,
    /// Only alerts with this name.
    name: Option<String>,
    /// Low, Normal or High.
    priority: Option<String>,
    /// Who closed it.
    resolved_by: Option<String>,
    /// Who changed it last.
    modified_by: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(app): State<Arc<App>>,
    visible: Visible,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, ApiError> {
    let names = app.state.resolution_states().await?;
    let state = filter.state.as_deref().unwrap_or("open");
    let limit = filter.limit.unwrap_or(MOST).min(MOST);
    let object = filter.object.as_deref().map(|object| visible.find(&app, object)).transpose()?;
    let query = AlertFilter {
        open: state.eq_ignore_ascii_case("open"),
        object_id: object.map(|id| id.to_string()),
        resolution_state: match state {
            "open" | "all" => None,
            other => Some(resolution_state(&names, other)?),
        },
        minimum_severity: filter.severity.as_deref().map(severity).transpose()?,
        owner: filter.owner.clone(),
        // what belongs to groups is known here, not in the store
        limit: if visible.is_all() { limit } else { u32::MAX / 2 },
        ..AlertFilter::default()
    };
    let mut alerts = app.state.alerts(&query).await?;
    let is_meant =
        |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(value));
    alerts.retain(|alert| {
        visible.has_named(&alert.monitoring_object_id)
            && is_meant(&filter.name, &alert.name)
            && is_meant(&filter.priority, priority_word(alert.priority))
            && is_meant(&filter.resolved_by, &alert.resolved_by)
            && is_meant(&filter.modified_by, &alert.last_modified_by)
    });
    alerts.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Json(alerts.iter().map(|alert| item(&names, alert)).collect()))
}

/// An alert of an object that the caller reaches.
async fn reached(app: &App, visible: &Visible, id: &str) -> Result<Alert, ApiError> {
    let alert = app.state.alert(id).await?.filter(|alert| visible.has_named(&alert.monitoring_object_id));
    alert.ok_or_else(|| no_alert(id))
}

async fn show(State(app): State<Arc<App>>, visible: Visible, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let names = app.state.resolution_states().await?;
    let alert = reached(&app, &visible, &id).await?;
    let mut body = item(&names, &alert);
    body["context"] = json!(alert.context);
    body["customFields"] = json!(alert.custom_fields);
    body["fullName"] = json!(alert.monitoring_object_full_name);
    body["path"] = json!(alert.monitoring_object_path);
    body["lastModifiedBy"] = json!(alert.last_modified_by);
    body["timeResolved"] = json!(time_text(alert.time_resolved));
    body["resolvedBy"] = json!(alert.resolved_by);
    let space = app.operations.group.read();
    let workflow = space.library.monitor_id(alert.workflow_id());
    let workflow = workflow.filter(|id| space.library.element(*id).is_some());
    if let Some(rule) = &alert.rule {
        body["rule"] = json!({
            "id": rule.resource_id,
            "key": alert.rule_id,
            "name": rule.rule_name,
            "dimensions": rule.dimensions.iter().map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>(),
            "query": rule.query,
            "windowStart": time_text(rule.window_start),
            "windowEnd": time_text(rule.window_end),
            "operator": rule.operator,
            "threshold": rule.threshold,
            "value": rule.value,
            "resolvedAt": time_text(rule.resolved_at),
        });
    }
    body["workflow"] = json!(workflow.map(|id| space.library.full_name(id)));
    body["workflowName"] = json!(workflow.map(|id| space.library.display_name(id)));
    body["knowledge"] = json!(workflow.map(|id| space.library.knowledge(id)).unwrap_or_default());
    Ok(Json(body))
}

async fn history(
    State(app): State<Arc<App>>,
    visible: Visible,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let names = app.state.resolution_states().await?;
    let entries = app.state.alert_history(&id).await?;
    if entries.is_empty() || !visible.is_all() {
        reached(&app, &visible, &id).await?;
    }
    let entry = |entry: &watchkeeper_state::AlertHistory| {
        json!({
            "time": time_text(entry.changed_at),
            "by": entry.changed_by,
            "comment": entry.comment,
            "monitorCondition": if entry.alert.is_fired() { "Fired" } else { "Resolved" },
            "resolutionState": state_name(&names, entry.alert.resolution_state),
            "owner": entry.alert.owner,
            "severity": severity_word(entry.alert.severity),
        })
    };
    Ok(Json(entries.iter().map(entry).collect()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Edit {
    /// A code or a name.
    resolution_state: Option<Value>,
    owner: Option<String>,
    ticket_id: Option<String>,
    /// `{"1": "…", "10": "…"}`
    #[serde(default)]
    custom_fields: Map<String, Value>,
    #[serde(default)]
    comment: String,
    /// Closing the alert of an unhealthy monitor sets the monitor healthy; without, it is refused.
    #[serde(default)]
    reset_monitor: bool,
}

async fn edit(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    visible: Visible,
    caller: Caller,
    body: Result<Json<Edit>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let names = app.state.resolution_states().await?;
    let resolution = match &asked.resolution_state {
        None => None,
        Some(Value::String(text)) => Some(resolution_state(&names, text)?),
        Some(other) => Some(resolution_state(&names, &other.to_string())?),
    };
    let mut custom_fields = Vec::new();
    for (number, value) in &asked.custom_fields {
        let (Some(number @ 1..=10), Some(value)) = (number.parse::<usize>().ok(), value.as_str()) else {
            return Err(ApiError::bad_request(format!("customFields has {number:?}; a text for 1 to 10 is needed")));
        };
        custom_fields.push((number - 1, value.to_owned()));
    }
    let edit = AlertEdit {
        resolution_state: resolution,
        owner: asked.owner,
        ticket_id: asked.ticket_id,
        custom_fields,
        comment: asked.comment,
    };
    let policy = if asked.reset_monitor { ClosePolicy::ResetMonitor } else { ClosePolicy::Refuse };
    caller.did("change alert", &id, &edit.comment);
    if !visible.is_all() {
        reached(&app, &visible, &id).await?;
    }
    let edited = app.operations.operational.edit_alert(&id, &edit, &caller.name, policy, clock::now()).await;
    let edited = edited.map_err(|error| match error {
        AlertError::NoAlert(_) => ApiError::not_found(error.to_string()),
        AlertError::State(error) => error.into(),
        AlertError::ResolutionState(_) => ApiError::bad_request(error.to_string()),
        other => ApiError::new(StatusCode::CONFLICT, "Conflict", other.to_string()),
    })?;
    if let Some(of) = &edited.reset {
        let agent = app.operations.group.read().source_agent(&of.object_id);
        let reset = ResetMonitor { monitor: of.monitor_id.clone(), object: of.object_id.clone() };
        send(&app, agent.as_deref(), command::Command::ResetMonitor(reset)).await?;
    }
    Ok(Json(item(&names, &edited.alert)))
}

fn item(names: &[ResolutionStateName], alert: &Alert) -> Value {
    json!({
        "id": alert.id,
        "name": alert.name,
        "description": alert.description,
        "severity": severity_word(alert.severity),
        "priority": priority_word(alert.priority),
        "resolutionState": state_name(names, alert.resolution_state),
        "resolutionStateCode": alert.resolution_state.0,
        "object": alert.monitoring_object_id,
        "objectName": alert.monitoring_object_display_name,
        "objectHealth": health_word(alert.monitoring_object_health_state),
        "computer": alert.principal_name,
        "timeRaised": time_text(alert.time_raised),
        "lastModified": time_text(alert.last_modified),
        "repeatCount": alert.repeat_count,
        "isMonitorAlert": alert.is_monitor_alert,
        "kind": match &alert.rule {
            Some(rule) => RuleKind::parse(&rule.kind).unwrap_or(RuleKind::Log).signal_type(),
            None if alert.is_monitor_alert => "Monitor",
            None => "Rule",
        },
        "monitorCondition": if alert.is_fired() { "Fired" } else { "Resolved" },
        "severityNumber": alert.severity_number(),
        "workItems": alert.work_items.iter().map(|item| json!({
            "connection": item.connection, "kind": item.kind, "id": item.id, "number": item.number,
            "link": item.link, "state": item.state,
        })).collect::<Vec<_>>(),
        "owner": alert.owner,
        "ticketId": alert.ticket_id,
    })
}

fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "Low",
        Priority::Normal => "Normal",
        Priority::High => "High",
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Information => "Information",
        Severity::Warning => "Warning",
        Severity::Error => "Error",
    }
}

fn severity(text: &str) -> Result<Severity, ApiError> {
    let all = [Severity::Information, Severity::Warning, Severity::Error];
    all.into_iter()
        .find(|known| severity_word(*known).eq_ignore_ascii_case(text))
        .ok_or_else(|| ApiError::bad_request(format!("severity is {text:?}; it can be Information, Warning or Error")))
}

fn state_name(names: &[ResolutionStateName], state: ResolutionState) -> String {
    let known = names.iter().find(|name| name.code == state).map(|name| name.name.clone());
    known.unwrap_or_else(|| state.0.to_string())
}

fn resolution_state(names: &[ResolutionStateName], text: &str) -> Result<ResolutionState, ApiError> {
    let known = names
        .iter()
        .find(|name| name.name.eq_ignore_ascii_case(text) || name.code.0.to_string() == text)
        .map(|name| name.code);
    known.ok_or_else(|| {
        let list: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
        ApiError::bad_request(format!("{text:?} is not a resolution state; there are {}", list.join(", ")))
    })
}

fn no_alert(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no alert {id}; it may have been groomed"))
}
