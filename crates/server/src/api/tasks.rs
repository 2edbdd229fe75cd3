//! `/api/tasks`: what can be run on an object, runs and their results.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::group::names_account;
use watchkeeper_management::tasks::Submission;
use watchkeeper_model::objects::Classes;
use watchkeeper_state::{TaskRun, TaskStatus};

use super::errors::ApiError;
use super::management::objects;
use super::{App, time_text};
use crate::authorization::{Cut, Need, Routes, Visible, get};
use crate::identity::Caller;
use crate::operations::OwnOrAgents;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
const MOST: u32 = 1000;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/objects/{object}/tasks", get(objects(Action::ReadTasks), of_object))
        .route(
            "/api/tasks",
            get(Need::InGroups(Action::ReadTasks, Cut::List), runs).post(objects(Action::RunTasks), submit),
        )
        .route("/api/tasks/{run}", get(objects(Action::ReadTasks), run))
}

async fn of_object(
    State(app): State<Arc<App>>,
    visible: Visible,
    Path(object): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = visible.find(&app, &object)?;
    let space = app.operations.group.read();
    let library = &space.library;
    let mut tasks = Vec::new();
    for pack in library.set.packs() {
        for task in &pack.tasks {
            let target = library.id_of(pack, &task.target);
            if target.is_some_and(|target| space.objects.is_a(id, target, library.as_ref())) {
                let element = pack.element_id(&task.id);
                tasks.push(json!({
                    "task": library.full_name(element),
                    "name": library.display_name(element),
                    "description": library.description(element),
                    "timeoutSeconds": task.timeout_seconds,
                    "parameters": super::elements::parameters(&space, element),
                }));
            }
        }
    }
    Ok(Json(Value::Array(tasks)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewRun {
    /// `Pack!Task`
    task: String,
    /// Identities or names.
    objects: Vec<String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    timeout_seconds: Option<u64>,
}

async fn submit(
    State(app): State<Arc<App>>,
    visible: Visible,
    caller: Caller,
    body: Result<Json<NewRun>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    if let Some((name, _)) = new.parameters.iter().find(|(_, value)| names_account(value)) {
        return Err(ApiError::bad_request(format!(
            "the parameter {name} must not ask for a Run As account ($RunAs…): only packs may"
        )));
    }
    let mut objects = Vec::new();
    for object in &new.objects {
        objects.push(visible.find(&app, object)?);
    }
    let submission = {
        let space = app.operations.group.read();
        let library = &space.library;
        let unknown = || ApiError::not_found(format!("there is no task {:?}; write it as Pack!Task", new.task));
        let id = library.named(&new.task).ok_or_else(unknown)?;
        let (pack, task) = library.task(id).ok_or_else(unknown)?;
        if let Some(target) = library.id_of(pack, &task.target) {
            let other = objects.iter().find(|object| !space.objects.is_a(**object, target, library.as_ref()));
            if let Some(other) = other {
                let message = format!("{} is not a {}", space.display_name(*other), library.name(target));
                return Err(ApiError::bad_request(message));
            }
        }
        let seconds = new.timeout_seconds.or(task.timeout_seconds.map(u64::from));
        Submission {
            task_id: id.to_string(),
            task: library.full_name(id),
            objects: objects.iter().map(ToString::to_string).collect(),
            parameters: new.parameters,
            submitted_by: caller.name.clone(),
            run_as: String::new(),
            timeout: seconds.map_or(DEFAULT_TIMEOUT, Duration::from_secs),
        }
    };
    let busy = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "no agents are taken yet");
    let management = app.operations.management().ok_or_else(busy)?;
    let dispatch = OwnOrAgents { operations: &app.operations, agents: management };
    caller.did(&format!("task {}", submission.task), &submission.objects.join(" "), "");
    caller.trail.submitted();
    let runs = app.operations.operational.submit_task(submission, &dispatch).await?;
    if let Some(run) = runs.first() {
        caller.trail.belongs_to(&run.batch_id);
    }
    Ok((StatusCode::ACCEPTED, Json(runs.iter().map(item).collect::<Value>())).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    object: Option<String>,
}

async fn runs(
    State(app): State<Arc<App>>,
    visible: Visible,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, ApiError> {
    let object = filter.object.as_deref().map(|object| visible.find(&app, object)).transpose()?;
    let object = object.map(|id| id.to_string());
    let runs = app.state.task_runs(MOST).await?;
    let wanted = |run: &&TaskRun| {
        visible.has_named(&run.object_id) && object.as_ref().is_none_or(|object| run.object_id == *object)
    };
    Ok(Json(runs.iter().filter(wanted).map(item).collect()))
}

async fn run(State(app): State<Arc<App>>, visible: Visible, Path(run): Path<String>) -> Result<Json<Value>, ApiError> {
    let found = app.state.task_run(&run).await?.filter(|run| visible.has_named(&run.object_id));
    let found = found.ok_or_else(|| ApiError::not_found(format!("there is no run {run}; it may have been groomed")))?;
    let mut body = item(&found);
    body["output"] = json!(found.output);
    body["parameters"] = json!(found.parameters);
    Ok(Json(body))
}

fn item(run: &TaskRun) -> Value {
    let status = match run.status {
        TaskStatus::Scheduled => "Scheduled",
        TaskStatus::Started => "Started",
        TaskStatus::Succeeded => "Succeeded",
        TaskStatus::Failed => "Failed",
    };
    json!({
        "run": run.run_id,
        "batch": run.batch_id,
        "task": run.task,
        "object": run.object_id,
        "objectName": run.object_name,
        "status": status,
        "submittedBy": run.submitted_by,
        "submittedAt": time_text(run.submitted_at),
        "finishedAt": time_text(run.finished_at),
        "error": run.error_message,
    })
}
