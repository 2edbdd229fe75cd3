//! `/api/alert-rules`: rules over tables, how they do, and what they would have done.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};
use watchkeeper_alerting::rule::RuleKind;
use watchkeeper_alerting::{Period, limits};
use watchkeeper_authorization::Action;
use watchkeeper_model::civil::format_time;
use watchkeeper_state::AlertingKind;

use super::find;
use super::resources::{create, item, json_body, patch, put, remove, sent};
use crate::alerting::{Preview, RefusedResource, RuleStatus, Stored};
use crate::api::errors::ApiError;
use crate::api::{App, time_text};
use crate::authorization::{Routes, get, post};
use crate::identity::Caller;

const KIND: AlertingKind = AlertingKind::AlertRule;
/// A preview looks back so far at most.
const LONGEST_PREVIEW: Period = Period::seconds(31 * 86_400);

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/alert-rules", get(Action::ReadAlertRules, list).post(Action::WriteAlertRules, make))
        .route("/api/alert-rules/preview", post(Action::ReadAlertRules, preview))
        .route(
            "/api/alert-rules/{id}",
            get(Action::ReadAlertRules, show)
                .put(Action::WriteAlertRules, replace)
                .patch(Action::WriteAlertRules, change)
                .delete(Action::DeleteAlertRules, delete),
        )
}

async fn shown(app: &App, stored: &Stored) -> Result<Value, ApiError> {
    let status = app.alerting.rule_status(&stored.resource.id.key()).await?;
    Ok(with_status(stored, &status))
}

fn with_status(stored: &Stored, status: &RuleStatus) -> Value {
    let mut body = item(stored);
    let kind = RuleKind::parse(&stored.resource.id.resource_type).unwrap_or(RuleKind::Log);
    let RuleStatus { health, evaluated_until: last_end, fired } = status;
    body["kind"] = json!(kind.word());
    body["fired"] = json!(fired);
    body["health"] = json!({
        "status": match (health.error.is_empty(), *last_end) {
            (false, _) => "Failing",
            (true, 0) => "NotYetRun",
            (true, _) => "Healthy",
        },
        "error": health.error,
        "failingSince": time_text(health.failing_since),
        "lastRun": time_text(health.last_run),
        "lastDurationMs": health.last_duration_ms,
        "evaluatedUntil": time_text(*last_end),
        "skippedEvaluations": health.skipped,
    });
    body
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let statuses = app.alerting.rule_statuses().await?;
    let none = RuleStatus::default();
    let stored = app.alerting.list(KIND).await?;
    let status = |stored: &Stored| statuses.get(&stored.resource.id.key()).unwrap_or(&none);
    Ok(Json(stored.iter().map(|stored| with_status(stored, status(stored))).collect()))
}

async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(shown(&app, &find(&app, KIND, &id).await?).await?))
}

fn resource_type(body: &Value) -> Result<&'static str, ApiError> {
    let word = body["kind"].as_str().filter(|word| RuleKind::parse(word).is_some()).or(body["type"].as_str());
    match word {
        None if body["properties"]["criteria"]["odata.type"].is_string() => Ok(RuleKind::Metric.resource_type()),
        None if body["properties"]["condition"].is_object() => Ok(RuleKind::Activity.resource_type()),
        None => Ok(RuleKind::Log.resource_type()),
        Some(word) => RuleKind::parse(word)
            .map(RuleKind::resource_type)
            .ok_or_else(|| ApiError::bad_request(format!("kind is {word:?}; it can be log, metric or activity"))),
    }
}

async fn make(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let body = json_body(body)?;
    let resource = sent(&app, resource_type(&body)?, &body, None)?;
    let stored = create(&app, KIND, resource, &caller).await?;
    Ok((StatusCode::CREATED, Json(shown(&app, &stored).await?)))
}

async fn replace(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    caller: Caller,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let mut resource = find(&app, KIND, &id).await?.resource;
    let body = json_body(body)?;
    resource.properties = body["properties"].clone();
    if let Some(tags) = body["tags"].as_object() {
        resource.tags.clone_from(tags);
    }
    let (_, stored) = put(&app, resource, &caller).await?;
    Ok(Json(shown(&app, &stored).await?))
}

async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    caller: Caller,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let stored = patch(&app, KIND, &id, &json_body(body)?, &caller).await?;
    Ok(Json(shown(&app, &stored).await?))
}

async fn delete(State(app): State<Arc<App>>, Path(id): Path<String>, caller: Caller) -> Result<StatusCode, ApiError> {
    remove(&app, KIND, &id, &caller).await
}

/// A rule as in a POST, or `{"id": …}` of a stored one; `range` is a duration, a week where it is not given.
async fn preview(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    // the rule's query is run over every table
    caller.check(Action::QueryData, &app.workspace_scope())?;
    let body = json_body(body)?;
    let range = match &body["range"] {
        Value::Null => Period::seconds(7 * 86_400),
        Value::String(text) => Period::parse(text)
            .filter(|range| (Period::seconds(60)..=LONGEST_PREVIEW).contains(range))
            .ok_or_else(|| ApiError::bad_request(format!("range is {text:?}; it can be PT1M to P31D")))?,
        other => return Err(ApiError::bad_request(format!("range is {other}; a duration like P7D is needed"))),
    };
    let resource = match (&body["properties"], body["id"].as_str()) {
        (Value::Null, Some(id)) => find(&app, KIND, id).await?.resource,
        _ => sent(&app, resource_type(&body)?, &body, body["name"].as_str().or(Some("preview")))?,
    };
    let rule = app.alerting.read_rule(&resource).map_err(RefusedResource::Problems)?;
    let names: Vec<String> = rule.dimension_names().into_iter().map(str::to_owned).collect();
    let stateful = rule.auto_resolve;
    let preview = app.alerting.preview(rule, range).await;
    let preview = preview.map_err(|error| RefusedResource::Query(format!("cannot be used: {error}")))?;
    Ok(Json(body_of(&preview, &names, stateful)))
}

fn body_of(preview: &Preview, names: &[String], stateful: bool) -> Value {
    let series = |key: &[String]| -> Value {
        names.iter().zip(key).map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    let times = if preview.fired == 1 { "time" } else { "times" };
    let alerts: Vec<Value> = preview
        .alerts
        .iter()
        .take(limits::MOST_STATEFUL_FIRED)
        .map(|alert| {
            json!({
                "dimensions": series(&alert.key),
                "firedAt": format_time(alert.fired_at),
                "resolvedAt": time_text(alert.resolved_at),
                "value": alert.value,
            })
        })
        .collect();
    json!({
        "from": format_time(preview.from),
        "to": format_time(preview.to),
        "step": preview.step.to_string(),
        "evaluations": preview.evaluations,
        "fired": preview.fired,
        "resolved": preview.resolved,
        "stateful": stateful,
        "summary": format!("would have fired {} {times} from {} to {}", preview.fired, format_time(preview.from), format_time(preview.to)),
        "alerts": alerts,
        "series": preview.series.iter().map(|(key, values)| json!({
            "dimensions": series(key),
            "values": values.iter().map(|(at, value)| json!([format_time(*at), value])).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "moreSeries": preview.more_series,
    })
}
