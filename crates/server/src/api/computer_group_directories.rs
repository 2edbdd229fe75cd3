//! `/api/computer-group-directories`: directories (Active Directory, LDAP) whose groups of computers are imported.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_state::GroupDirectory;

use super::errors::ApiError;
use super::identity_sources::check_secret_goes_along;
use super::{App, time_text};
use crate::authorization::{Routes, get, post, put};
use crate::computer_groups::Directory;
use crate::identity::Caller;

const MOST_NAME_CHARS: usize = 100;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/computer-group-directories",
            get(Action::ReadDirectories, list).post(Action::WriteDirectories, create),
        )
        .route(
            "/api/computer-group-directories/{directory}",
            put(Action::WriteDirectories, replace).delete(Action::DeleteDirectories, remove),
        )
        .route("/api/computer-group-directories/{directory}/test", post(Action::SyncDirectories, test))
        .route("/api/computer-group-directories/{directory}/run", post(Action::SyncDirectories, run))
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let mut items = Vec::new();
    for record in app.state.group_directories().await? {
        items.push(item(&app, &record).await?);
    }
    Ok(Json(Value::Array(items)))
}

/// A directory as it is shown: everything but the password.
async fn item(app: &App, record: &GroupDirectory) -> Result<Value, ApiError> {
    let groups = app.state.computer_groups(Some(&record.source_id)).await?.len();
    let mut shown = json!(Directory::of(record)?);
    let more = json!({
        "id": record.source_id, "name": record.name, "groups": groups,
        "problem": (!record.problem.is_empty()).then_some(&record.problem),
        "lastRun": time_text(record.last_run_at), "lastSuccess": time_text(record.last_success_at),
        "nextRun": time_text(record.next_run_at),
    });
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    Ok(shown)
}

/// The form of a directory.
struct Form {
    name: String,
    /// Empty: not given.
    password: String,
    directory: Directory,
}

fn read_form(body: Result<Json<Map<String, Value>>, JsonRejection>) -> Result<Form, ApiError> {
    let Json(mut sent) = body.map_err(|_| ApiError::bad_request("the body is not one JSON object"))?;
    let mut take = |name: &str| match sent.remove(name) {
        Some(Value::String(text)) => Ok(text),
        None => Ok(String::new()),
        Some(_) => Err(ApiError::bad_request(format!("{name} is not a text"))),
    };
    let (name, password) = (take("name")?.trim().to_owned(), take("password")?);
    if name.is_empty() || name.chars().count() > MOST_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(ApiError::bad_request("a directory has a name of at most 100 characters"));
    }
    let directory: Directory = serde_json::from_value(Value::Object(sent))
        .map_err(|error| ApiError::bad_request(format!("the form cannot be read: {error}")))?;
    directory.check().map_err(ApiError::bad_request)?;
    Ok(Form { name, password, directory })
}

/// Reads a directory before it is kept.
async fn try_out(caller: &Caller, action: &str, form: &Form, password: &str) -> Result<(), ApiError> {
    caller.did(action, &form.name, "");
    let found = form.directory.groups(password).await;
    found.map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "Directory", error.to_string()))?;
    Ok(())
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Response, ApiError> {
    let form = read_form(body)?;
    try_out(&caller, "add directory of computer groups", &form, &form.password).await?;
    let record = GroupDirectory {
        source_id: Uuid::new_v4().to_string(),
        name: form.name,
        settings: serde_json::to_string(&form.directory).unwrap_or_default(),
        ..GroupDirectory::default()
    };
    app.computer_groups.add_directory(&record, &form.password).await?;
    Ok((StatusCode::CREATED, Json(item(&app, &record).await?)).into_response())
}

/// Changes a directory; its password stays where none is given.
async fn replace(
    State(app): State<Arc<App>>,
    Path(directory): Path<String>,
    caller: Caller,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let mut record = named(&app, &directory).await?;
    let form = read_form(body)?;
    let before = Directory::of(&record)?;
    check_secret_goes_along(Some(&before.url), &form.directory.url, !form.password.is_empty())?;
    let password = match form.password.as_str() {
        "" => app.state.group_directory_password(&record.source_id).await?,
        given => given.to_owned(),
    };
    try_out(&caller, "change directory of computer groups", &form, &password).await?;
    record.settings = serde_json::to_string(&form.directory).unwrap_or_default();
    record.name = form.name;
    app.computer_groups.change_directory(&record, &password).await?;
    Ok(Json(item(&app, &record).await?))
}

/// Reads a directory now and says what it has; nothing is imported.
async fn test(
    State(app): State<Arc<App>>,
    Path(directory): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let record = named(&app, &directory).await?;
    caller.did("test directory of computer groups", &record.name, "");
    let password = app.state.group_directory_password(&record.source_id).await?;
    let found = Directory::of(&record)?.groups(&password).await;
    let found = found.map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "Directory", error.to_string()))?;
    Ok(Json(json!({"groups": found.len()})))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(directory): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let record = named(&app, &directory).await?;
    app.state.delete_group_directory(&record.source_id).await?;
    app.computer_groups.remove_source(&record.source_id).await?;
    let action = "remove directory of computer groups";
    caller.did(action, &record.name, "");
    Ok(StatusCode::NO_CONTENT)
}

async fn run(
    State(app): State<Arc<App>>,
    Path(directory): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let record = named(&app, &directory).await?;
    app.computer_groups.want_directory(&record.source_id).await?;
    let action = "import groups of directory";
    caller.did(action, &record.name, "");
    Ok(StatusCode::ACCEPTED)
}

async fn named(app: &App, name: &str) -> Result<GroupDirectory, ApiError> {
    let all = app.state.group_directories().await?;
    let found = all.into_iter().find(|one| one.source_id == name || one.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let message = format!("there is no directory {name:?}; `watchkeeper computer-groups directories` lists them");
        ApiError::not_found(message)
    })
}
