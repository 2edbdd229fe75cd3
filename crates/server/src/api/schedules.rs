//! `/api/maintenance-schedules`: maintenance that recurs.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::clock;
use watchkeeper_management::schedules::{NewSchedule, Recurring, ScheduleProblem, recurrence};
use watchkeeper_model::civil::parse_time;
use watchkeeper_model::maintenance::Schedule;
use watchkeeper_state::MaintenanceSchedule;

use super::errors::ApiError;
use super::maintenance::objects_of;
use super::management::objects;
use super::{App, time_text};
use crate::authorization::{Cut, Need, Routes, Visible, delete, get};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/maintenance-schedules",
            get(Need::InGroups(Action::ReadMaintenance, Cut::List), list).post(objects(Action::WriteMaintenance), add),
        )
        .route(
            "/api/maintenance-schedules/{schedule}",
            delete(objects(Action::WriteMaintenance), remove).patch(objects(Action::WriteMaintenance), enable),
        )
}

async fn list(State(app): State<Arc<App>>, visible: Visible) -> Result<Json<Value>, ApiError> {
    let mut schedules = app.state.maintenance_schedules().await?;
    schedules.retain(|schedule| is_within(schedule, &visible));
    Ok(Json(schedules.iter().map(|schedule| item(&app, schedule)).collect()))
}

/// With the documented codes of recurrence.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct New {
    name: String,
    #[serde(default)]
    objects: Vec<String>,
    /// Their computers, those that join them later too.
    #[serde(default)]
    computer_groups: Vec<String>,
    /// The first start in the time of the zone, `2026-11-22T02:00:00`.
    start: String,
    #[serde(default = "utc")]
    time_zone: String,
    minutes: u32,
    /// 1 once, 4 daily, 8 weekly, 16 monthly, 32 monthly relative.
    freq_type: u32,
    #[serde(default)]
    freq_interval: u32,
    #[serde(default)]
    freq_relative_interval: u32,
    #[serde(default)]
    freq_recurrence_factor: u32,
    /// No window starts at or after.
    until: Option<String>,
    #[serde(default = "planned")]
    reason: String,
    #[serde(default)]
    comments: String,
    /// With all that the objects host or contain.
    #[serde(default = "yes")]
    recursive: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn planned() -> String {
    "PlannedOther".to_owned()
}

fn yes() -> bool {
    true
}

/// Seconds of a local time, written without a zone.
fn local(text: &str) -> Result<i64, ApiError> {
    let wrong = || ApiError::bad_request(format!("{text:?} is no local time; write it as 2026-11-22T02:00:00"));
    if text.ends_with(['Z', 'z']) || text.contains('+') {
        return Err(wrong());
    }
    let whole = if text.len() == "2026-11-22T02:00".len() { format!("{text}:00Z") } else { format!("{text}Z") };
    parse_time(&whole).map(|micros| micros.div_euclid(1_000_000)).ok_or_else(wrong)
}

async fn add(
    State(app): State<Arc<App>>,
    visible: Visible,
    caller: Caller,
    body: Result<Json<New>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let objects = objects_of(&app, &caller, &visible, &asked.objects, &asked.computer_groups).await?;
    let codes = [asked.freq_type, asked.freq_interval, asked.freq_relative_interval, asked.freq_recurrence_factor];
    let schedule = Schedule {
        start: local(&asked.start)?,
        minutes: asked.minutes,
        recurrence: recurrence(codes).map_err(|error| ApiError::bad_request(error.to_string()))?,
        until: asked.until.as_deref().map(local).transpose()?,
    };
    let new = NewSchedule {
        name: asked.name,
        objects,
        // a group is its computers
        recursive: asked.recursive || !asked.computer_groups.is_empty(),
        recurring: Recurring { schedule, zone: asked.time_zone },
        reason: asked.reason,
        comments: asked.comments,
        created_by: caller.name.clone(),
    };
    caller.did("add maintenance schedule", &new.name, &new.comments);
    let added = app.operations.operational.add_schedule(new, clock::now()).await.map_err(wrong)?;
    Ok((StatusCode::CREATED, Json(item(&app, &added))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enable {
    /// False: no window begins until it is true again.
    enabled: bool,
}

async fn enable(
    State(app): State<Arc<App>>,
    Path(schedule): Path<String>,
    visible: Visible,
    caller: Caller,
    body: Result<Json<Enable>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    check_within(&app, &visible, &schedule).await?;
    let action = if asked.enabled { "enable maintenance schedule" } else { "disable maintenance schedule" };
    caller.did(action, &schedule, "");
    let changed = app.operations.operational.enable_schedule(&schedule, asked.enabled, clock::now()).await;
    match changed.map_err(wrong)? {
        Some(changed) => Ok(Json(item(&app, &changed))),
        None => Err(none(&schedule)),
    }
}

/// Whether all its objects are among those that the caller reaches.
fn is_within(schedule: &MaintenanceSchedule, visible: &Visible) -> bool {
    schedule.object_ids.iter().all(|object| visible.has_named(object))
}

/// A schedule that reaches further than its caller is not there for it.
async fn check_within(app: &App, visible: &Visible, named: &str) -> Result<(), ApiError> {
    if visible.is_all() {
        return Ok(());
    }
    let all = app.state.maintenance_schedules().await?;
    let found = all.iter().find(|known| known.schedule_id == named || known.name == named);
    match found.is_some_and(|schedule| is_within(schedule, visible)) {
        true => Ok(()),
        false => Err(none(named)),
    }
}

fn none(schedule: &str) -> ApiError {
    ApiError::not_found(format!(
        "there is no schedule {schedule:?}; `watchkeeper maintenance schedule list` lists them"
    ))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(schedule): Path<String>,
    visible: Visible,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    check_within(&app, &visible, &schedule).await?;
    caller.did("remove maintenance schedule", &schedule, "");
    match app.operations.operational.remove_schedule(&schedule, clock::now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(none(&schedule)),
    }
}

fn wrong(problem: ScheduleProblem) -> ApiError {
    match problem {
        ScheduleProblem::State(error) => error.into(),
        other => ApiError::bad_request(other.to_string()),
    }
}

fn item(app: &App, schedule: &MaintenanceSchedule) -> Value {
    let space = app.operations.group.read();
    let name = |id: &String| space.find(id).map(|id| space.display_name(id)).unwrap_or_else(|_| id.clone());
    json!({
        "id": schedule.schedule_id,
        "name": schedule.name,
        "objects": schedule.object_ids,
        "objectNames": schedule.object_ids.iter().map(name).collect::<Vec<_>>(),
        "enabled": schedule.enabled,
        "recursive": schedule.recursive,
        "minutes": schedule.duration_minutes,
        "recurrence": schedule.recurrence["schedule"]["recurrence"],
        "timeZone": schedule.recurrence["zone"],
        "nextAt": time_text(schedule.next_at),
        "reason": schedule.reason,
        "comments": schedule.comments,
        "createdBy": schedule.created_by,
    })
}
