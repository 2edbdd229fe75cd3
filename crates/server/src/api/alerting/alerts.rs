//! `Microsoft.AlertsManagement/alerts`: every alert, whatever made it, in the documented shape, its state and history.

use axum::Json;
use http::StatusCode;
use serde_json::{Map, Value, json};
use watchkeeper_alerting::rule::RuleKind;
use watchkeeper_management::alert_rules::{AlertEdit, ClosePolicy};
use watchkeeper_management::alerts::AlertError;
use watchkeeper_management::clock;
use watchkeeper_model::civil::{format_time, parse_time};
use watchkeeper_state::{Alert, AlertFilter, AlertHistory, ResolutionState, RuleFacts};

use super::arm::Call;
use crate::api::errors::ApiError;
use crate::api::{App, time_text};
use crate::identity::Caller;

const HOUR: i64 = 3_600_000_000;
const LARGEST_PAGE: usize = 250;
const DEFAULT_PAGE: usize = 25;
/// Alerts that are looked through.
const MOST: u32 = 10_000;

/// The three states; every state of the management group between new and closed is acknowledged.
pub fn state_word(state: ResolutionState) -> &'static str {
    match state {
        ResolutionState::NEW => "New",
        ResolutionState::CLOSED => "Closed",
        _ => "Acknowledged",
    }
}

pub fn condition_word(alert: &Alert) -> &'static str {
    if alert.is_fired() { "Fired" } else { "Resolved" }
}

/// Who found it, in the words of the API's filter.
pub fn service_word(alert: &Alert) -> &'static str {
    match &alert.rule {
        Some(rule) => kind_of(rule).service_word(),
        None => "SCOM",
    }
}

fn signal_word(alert: &Alert) -> &'static str {
    match &alert.rule {
        Some(rule) => kind_of(rule).signal_type(),
        None => "Unknown",
    }
}

fn kind_of(rule: &RuleFacts) -> RuleKind {
    RuleKind::parse(&rule.kind).unwrap_or(RuleKind::Log)
}

fn target(app: &App, alert: &Alert) -> (String, String) {
    match &alert.rule {
        Some(rule) => {
            let id = rule.target_ids.first().cloned().unwrap_or_default();
            let name = rule.configuration_items.first().cloned();
            (id.clone(), name.unwrap_or_else(|| id.rsplit('/').next().unwrap_or_default().to_owned()))
        }
        None => {
            let workspace = &app.workspace_id;
            let id = format!("/workspaces/{workspace}/objects/{}", alert.monitoring_object_id);
            (id, alert.monitoring_object_display_name.clone())
        }
    }
}

fn essentials(app: &App, alert: &Alert) -> Value {
    let (target_id, target_name) = target(app, alert);
    let resolved = alert.rule.as_ref().map_or(alert.time_resolved, |rule| rule.resolved_at);
    json!({
        "severity": format!("Sev{}", alert.severity_number()),
        "signalType": signal_word(alert),
        "alertState": state_word(alert.resolution_state),
        "monitorCondition": condition_word(alert),
        "targetResource": target_id,
        "targetResourceName": target_name,
        "targetResourceGroup": alert.rule.as_ref().map_or("", |_| watchkeeper_alerting::rule::resource::DEFAULT_GROUP),
        "targetResourceType": if alert.rule.is_some() { "microsoft.operationalinsights/workspaces" } else { "managementgroup" },
        "monitorService": service_word(alert),
        "alertRule": alert.rule.as_ref().map_or(alert.workflow_id(), |rule| &rule.resource_id),
        "sourceCreatedId": alert.id,
        "smartGroupId": "",
        "smartGroupingReason": "",
        "startDateTime": time_text(alert.time_raised),
        "lastModifiedDateTime": time_text(alert.last_modified),
        "monitorConditionResolvedDateTime": time_text(resolved),
        "lastModifiedUserName": alert.last_modified_by,
        "actionStatus": {"isSuppressed": alert.monitoring_object_in_maintenance_mode},
        "description": alert.description,
    })
}

fn body(app: &App, alert: &Alert, with_context: bool) -> Value {
    let mut properties = json!({"essentials": essentials(app, alert)});
    if with_context {
        properties["context"] = serde_json::from_str(&alert.context).unwrap_or(Value::Null);
        properties["egressConfig"] = json!({});
    }
    json!({
        "id": app.alerting.alert_path(&alert.id),
        "name": alert.name,
        "type": "Microsoft.AlertsManagement/alerts",
        "properties": properties,
    })
}

/// The alerts that the parameters choose, by their order.
async fn chosen(app: &App, call: &Call) -> Result<Vec<Alert>, ApiError> {
    let parameter = |name: &str| call.parameters.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let now = clock::now();
    let (from, to) = match (parameter("timerange"), parameter("customtimerange")) {
        (Some(_), Some(_)) => return Err(bad("give timeRange or customTimeRange, not both")),
        (Some("1h"), None) => (now - HOUR, now),
        (None | Some("1d"), None) => (now - 24 * HOUR, now),
        (Some("7d"), None) => (now - 7 * 24 * HOUR, now),
        (Some("30d"), None) => (now - 30 * 24 * HOUR, now),
        (Some(other), None) => return Err(bad(format!("timeRange is {other:?}; it can be 1h, 1d, 7d or 30d"))),
        (None, Some(text)) => {
            let times = text.split_once('/').and_then(|(from, to)| Some((parse_time(from)?, parse_time(to)?)));
            times.ok_or_else(|| bad(format!("customTimeRange is {text:?}; it is START/END in ISO 8601")))?
        }
    };
    // what belongs to groups is known here, not in the store
    let limit = if call.visible.is_all() { MOST } else { u32::MAX / 2 };
    let filter = AlertFilter { limit, ..AlertFilter::default() };
    let mut alerts = app.state.alerts(&filter).await?;
    alerts.retain(|alert| {
        let is = |name: &str, value: &str| parameter(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(value));
        let (target_id, _) = target(app, alert);
        // what is fired now belongs to every range
        let in_range = alert.time_raised <= to && (alert.time_raised >= from || alert.last_modified >= from);
        let rule = alert.rule.as_ref().map_or(alert.workflow_id(), |rule| &rule.resource_id);
        let rule_name = alert.rule.as_ref().map_or(alert.name.as_str(), |rule| &rule.rule_name);
        in_range
            && call.visible.has_named(&alert.monitoring_object_id)
            && is("severity", &format!("Sev{}", alert.severity_number()))
            && is("alertstate", state_word(alert.resolution_state))
            && is("monitorcondition", condition_word(alert))
            && is("monitorservice", service_word(alert))
            && is("targetresource", &target_id)
            && (is("alertrule", rule) || is("alertrule", rule_name))
    });
    let key = |alert: &Alert| match parameter("sortby").unwrap_or_default().to_ascii_lowercase().as_str() {
        "name" => (alert.name.clone(), 0),
        "severity" => (String::new(), i64::from(alert.severity_number())),
        "alertstate" => (state_word(alert.resolution_state).to_owned(), 0),
        "monitorcondition" => (condition_word(alert).to_owned(), 0),
        "startdatetime" => (String::new(), alert.time_raised),
        "targetresource" | "targetresourcename" => (target(app, alert).1, 0),
        _ => (String::new(), alert.last_modified),
    };
    alerts.sort_by_cached_key(key);
    let by_time = parameter("sortby").is_none_or(|by| by.to_ascii_lowercase().ends_with("datetime"));
    if parameter("sortorder").map_or(by_time, |order| order.eq_ignore_ascii_case("desc")) {
        alerts.reverse();
    }
    Ok(alerts)
}

fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "BadRequest", message.into())
}

pub async fn list(app: &App, call: &Call) -> Result<Json<Value>, ApiError> {
    let number = |name: &str, default: usize| match call.parameters.get(name) {
        None => Ok(default),
        Some(text) => text.parse::<usize>().map_err(|_| bad(format!("{name} is {text:?}; a number is needed"))),
    };
    let with_context = call.parameters.get("includecontext").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let size = number("pagecount", DEFAULT_PAGE)?.clamp(1, LARGEST_PAGE);
    let skip = number("$skip", 0)?;
    let alerts = chosen(app, call).await?;
    let page: Vec<Value> = alerts.iter().skip(skip).take(size).map(|alert| body(app, alert, with_context)).collect();
    let mut answer = json!({"value": page});
    if alerts.len() > skip + size {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in call.parameters.iter().filter(|(name, _)| name.as_str() != "$skip") {
            query.append_pair(name, value);
        }
        query.append_pair("$skip", &(skip + size).to_string());
        answer["nextLink"] = json!(format!("{}?{}", call.address, query.finish()));
    }
    Ok(Json(answer))
}

async fn alert_of(app: &App, call: &Call) -> Result<Alert, ApiError> {
    let found = app.state.alert(&call.at.name).await?;
    found.filter(|alert| call.visible.has_named(&alert.monitoring_object_id)).ok_or_else(|| {
        let message = format!("the alert {} was not found; closed alerts are kept for a week", call.at.name);
        ApiError::new(StatusCode::NOT_FOUND, "AlertNotFound", message)
    })
}

pub async fn show(app: &App, call: &Call) -> Result<Json<Value>, ApiError> {
    Ok(Json(body(app, &alert_of(app, call).await?, true)))
}

pub async fn change_state(app: &App, call: &Call, caller: &Caller, comment: String) -> Result<Json<Value>, ApiError> {
    caller.did("change alert", &call.at.name, &comment);
    let wanted = call.parameters.get("newstate").map(String::as_str).unwrap_or_default();
    let state = match wanted.to_ascii_lowercase().as_str() {
        "new" => ResolutionState::NEW,
        "acknowledged" => ResolutionState::ACKNOWLEDGED,
        "closed" => ResolutionState::CLOSED,
        _ => return Err(bad(format!("newState is {wanted:?}; it can be New, Acknowledged or Closed"))),
    };
    if !call.visible.is_all() {
        alert_of(app, call).await?;
    }
    let edit = AlertEdit { resolution_state: Some(state), comment, ..AlertEdit::default() };
    let operational = &app.operations.operational;
    let edited = operational.edit_alert(&call.at.name, &edit, &caller.name, ClosePolicy::Refuse, clock::now()).await;
    let edited = edited.map_err(|error| match error {
        AlertError::NoAlert(_) => ApiError::new(StatusCode::NOT_FOUND, "AlertNotFound", error.to_string()),
        AlertError::State(error) => error.into(),
        other => ApiError::new(StatusCode::CONFLICT, "Conflict", other.to_string()),
    })?;
    Ok(Json(body(app, &edited.alert, true)))
}

pub async fn history(app: &App, call: &Call) -> Result<Json<Value>, ApiError> {
    let alert = alert_of(app, call).await?;
    let entries = app.state.alert_history(&alert.id).await?;
    let mut modifications: Vec<Value> = Vec::new();
    let mut before: Option<&AlertHistory> = None;
    for entry in &entries {
        modifications.push(modification(before, entry));
        before = Some(entry);
    }
    modifications.reverse();
    Ok(Json(json!({
        "id": format!("{}/history/default", app.alerting.alert_path(&alert.id)),
        "name": alert.name,
        "type": "Microsoft.AlertsManagement/alerts",
        "properties": {"alertId": alert.id, "modifications": modifications},
    })))
}

fn modification(before: Option<&AlertHistory>, entry: &AlertHistory) -> Value {
    let state = |entry: &AlertHistory| state_word(entry.alert.resolution_state);
    let (event, old, new, description) = match before {
        None => ("AlertCreated", "", "", "New Alert Object is created".to_owned()),
        Some(old) if state(old) != state(entry) => {
            let text = format!("State changed from '{}' to '{}'", state(old), state(entry));
            ("StateChange", state(old), state(entry), text)
        }
        Some(old) if old.alert.is_fired() != entry.alert.is_fired() => {
            let (old, new) = (condition_word(&old.alert), condition_word(&entry.alert));
            ("MonitorConditionChange", old, new, format!("Monitor condition changed from '{old}' to '{new}'"))
        }
        Some(old) if old.alert.severity_number() != entry.alert.severity_number() => {
            ("SeverityChange", "", "", entry.comment.clone())
        }
        Some(_) if entry.comment.starts_with("nobody is told") => {
            ("ActionRuleSuppressed", "", "", entry.comment.clone())
        }
        Some(_) => ("ActionRuleTriggered", "", "", entry.comment.clone()),
    };
    json!({
        "modificationEvent": event,
        "oldValue": old,
        "newValue": new,
        "modifiedAt": format_time(entry.changed_at),
        "modifiedBy": entry.changed_by,
        "comments": entry.comment,
        "description": description,
    })
}

/// `alertsSummary`: how many alerts there are, by severity and what `groupby` names.
pub async fn summary(app: &App, call: &Call) -> Result<Json<Value>, ApiError> {
    let group_by = call.parameters.get("groupby").cloned().unwrap_or_else(|| "severity".to_owned());
    let alerts = chosen(app, call).await?;
    let fields: Vec<String> = group_by.split(',').map(|field| field.trim().to_ascii_lowercase()).collect();
    let all: Vec<&Alert> = alerts.iter().collect();
    let mut properties = grouped(&all, &fields)?;
    properties["total"] = json!(alerts.len());
    properties["smartGroupsCount"] = json!(0);
    Ok(Json(json!({
        "id": format!("/subscriptions/{}/providers/Microsoft.AlertsManagement/alertsSummary/current", call.at.subscription),
        "name": "current",
        "type": "Microsoft.AlertsManagement/alertsSummary",
        "properties": properties,
    })))
}

fn grouped(alerts: &[&Alert], fields: &[String]) -> Result<Value, ApiError> {
    let Some((field, rest)) = fields.split_first() else { return Ok(json!({})) };
    let value = |alert: &Alert| -> Option<String> {
        Some(match field.as_str() {
            "severity" => format!("Sev{}", alert.severity_number()),
            "alertstate" => state_word(alert.resolution_state).to_owned(),
            "monitorcondition" => condition_word(alert).to_owned(),
            "monitorservice" => service_word(alert).to_owned(),
            "signaltype" => signal_word(alert).to_owned(),
            "alertrule" => alert.rule.as_ref().map_or_else(|| alert.name.clone(), |rule| rule.rule_name.clone()),
            _ => return None,
        })
    };
    let mut groups: Map<String, Value> = Map::new();
    let mut members: std::collections::BTreeMap<String, Vec<&Alert>> = std::collections::BTreeMap::new();
    for alert in alerts {
        let name =
            value(alert).ok_or_else(|| bad(format!("groupby has {field:?}, which alerts are not grouped by")))?;
        members.entry(name).or_default().push(alert);
    }
    let mut values = Vec::new();
    for (name, alerts) in members {
        let mut value = match rest.is_empty() {
            true => json!({}),
            false => grouped(&alerts, rest)?,
        };
        value["name"] = json!(name);
        value["count"] = json!(alerts.len());
        values.push(value);
    }
    groups.insert("groupedby".to_owned(), json!(field));
    groups.insert("values".to_owned(), Value::Array(values));
    Ok(Value::Object(groups))
}
