//! `/api/computer-groups`: all groups of computers of the workspace — of Configuration Manager, of directories, made by
//! hand, and saved queries — with their members and their use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, StringViewArray};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_model::ids::ObjectId;
use watchkeeper_state::{ComputerGroup, GroupSource, SavedQuery};

use super::errors::ApiError;
use super::saved_queries::{check_use, checked_alias};
use super::{App, origin, time_text};
use crate::authorization::{Routes, Visible, get};
use crate::computer_groups::{
    self, FindError, Found, MANUAL, group_object, group_tags, is_computer_group, is_in_management_group, tags_of,
    text_of,
};
use crate::identity::Caller;
use crate::queries::{Asked, Limits, ticks_now};

/// What groups that are queries are said to come from.
const FROM_QUERY: &str = "Query";
/// Computers of a group that somebody makes by hand.
const MOST_COMPUTERS: usize = 10_000;
const MOST_NAME_CHARS: usize = 200;
const LIMITS: Limits = Limits { rows: 100_000, bytes: 32 << 20 };
const DEADLINE: Duration = Duration::from_secs(60);
const CATEGORY: &str = "Computer groups";

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/computer-groups", get(Action::ReadComputerGroups, list).post(Action::WriteComputerGroups, create))
        .route(
            "/api/computer-groups/{group}",
            get(Action::ReadComputerGroups, show)
                .patch(Action::WriteComputerGroups, change)
                .delete(Action::DeleteComputerGroups, remove),
        )
        .route("/api/computer-groups/{group}/members", get(Action::ReadComputerGroups, members))
}

type Answer = Result<Json<Value>, ApiError>;

async fn find(app: &App, text: &str) -> Result<Found, ApiError> {
    Ok(computer_groups::find(&app.state, &app.workspace_id, text).await?)
}

impl std::convert::From<FindError> for ApiError {
    fn from(error: FindError) -> ApiError {
        match error {
            FindError::State(error) => error.into(),
            FindError::Unknown(_) => ApiError::not_found(error.to_string()),
            FindError::Several(_) => ApiError::new(StatusCode::CONFLICT, "Conflict", error.to_string()),
        }
    }
}

/// The object of a group in the management group. A group that is not there yet is put there, by who may do that.
///
/// # Errors
/// Where there is no such group, or the caller may not read it, reaches single groups without it, or may not put it there.
pub(super) async fn object_of(app: &App, caller: &Caller, visible: &Visible, text: &str) -> Result<ObjectId, ApiError> {
    caller.check(Action::ReadComputerGroups, &app.workspace_scope())?;
    let found = find(app, text).await?;
    let object = group_object(found.id());
    let is_there = found.is_in_management_group() && app.operations.group.read().objects.get(object).is_some();
    if is_there || !visible.is_all() {
        return visible.find(app, &object.to_string());
    }
    caller.check(Action::WriteComputerGroups, &app.workspace_scope())?;
    match found {
        Found::Kept(group) => put_use(app, &ComputerGroup { in_management_group: true, ..group }).await?,
        Found::Query(saved) => {
            let tags = text_of(&group_tags(&tags_of(&saved), true));
            put_query(app, caller, &SavedQuery { tags, etag: Uuid::new_v4().to_string(), ..saved }).await?;
        }
    }
    app.operations.group.read().find(&object.to_string()).map_err(ApiError::not_found)
}

/// Keeps a group that is a query, and has the management group have it where it is to.
async fn put_query(app: &App, caller: &Caller, saved: &SavedQuery) -> Result<(), ApiError> {
    check_use(app, caller, saved)?;
    app.state.put_saved_query(&app.workspace_id, saved).await?;
    app.computer_groups.use_query(&app.queries, &app.workspace_id, saved).await.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "a computer group was not given to the management group");
        let message = format!("the group is kept, but the management group has it only later: {error}");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
    })
}

fn kept_item(group: &ComputerGroup, sources: &[GroupSource]) -> Value {
    let kind = sources.iter().find(|source| source.source_id == group.source_id).map(|source| source.kind.as_str());
    let kind = kind.unwrap_or_default();
    let literal = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let query = match group.alias.is_empty() {
        false => group.alias.clone(),
        true => format!(
            "ComputerGroup\n| where GroupSource == {} and GroupId == {}\n| distinct Computer",
            literal(kind),
            literal(&group.source_key)
        ),
    };
    json!({
        "id": group.group_id, "name": group.name, "source": kind, "sourceName": group.source_name,
        "sourceId": group.source_key, "fullName": group.full_name, "alias": group.alias, "members": group.members,
        "inManagementGroup": group.in_management_group, "changedAt": time_text(group.changed_at), "query": query,
        "object": group.in_management_group.then(|| group_object(&group.group_id)),
    })
}

fn query_item(saved: &SavedQuery) -> Value {
    json!({
        "id": saved.id, "name": saved.name, "source": FROM_QUERY, "sourceName": saved.category, "sourceId": saved.id,
        "fullName": format!("{FROM_QUERY}\\{}\\{}", saved.category, saved.name), "alias": saved.function_alias,
        "members": Value::Null, "inManagementGroup": is_in_management_group(saved), "changedAt": Value::Null,
        "query": saved.query, "object": is_in_management_group(saved).then(|| group_object(&saved.id)),
    })
}

async fn shown(app: &App, found: &Found) -> Answer {
    Ok(Json(match found {
        Found::Kept(group) => kept_item(group, &app.state.group_sources().await?),
        Found::Query(saved) => query_item(saved),
    }))
}

async fn list(State(app): State<Arc<App>>) -> Answer {
    let sources = app.state.group_sources().await?;
    let groups = app.state.computer_groups(None).await?;
    let saved = app.state.saved_queries(&app.workspace_id).await?;
    let queries = saved.iter().filter(|one| is_computer_group(one)).map(query_item);
    Ok(Json(groups.iter().map(|group| kept_item(group, &sources)).chain(queries).collect()))
}

async fn show(State(app): State<Arc<App>>, Path(group): Path<String>) -> Answer {
    shown(&app, &find(&app, &group).await?).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewGroup {
    name: String,
    #[serde(default)]
    alias: String,
    category: Option<String>,
    /// Of a group that is a query.
    query: Option<String>,
    /// Of a group that is made by hand.
    computers: Option<Vec<String>>,
    #[serde(default)]
    in_management_group: bool,
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Json<NewGroup>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let name = checked_name(&new.name)?;
    caller.did("add computer group", &name, "");
    checked_alias(&app, &new.alias, "").await?;
    if find(&app, &name).await.is_ok() {
        let message = format!("there is a computer group {name:?} already");
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    let found = match (new.query, new.computers) {
        (Some(query), None) => {
            check_query(&app, &caller, &headers, &query).await?;
            let saved = SavedQuery {
                id: Uuid::new_v4().to_string(),
                name,
                category: new.category.unwrap_or_else(|| CATEGORY.to_owned()),
                query,
                function_alias: new.alias,
                function_parameters: String::new(),
                tags: text_of(&group_tags(&[], new.in_management_group)),
                etag: Uuid::new_v4().to_string(),
            };
            put_query(&app, &caller, &saved).await?;
            Found::Query(saved)
        }
        (None, Some(computers)) => {
            check_computers(&computers)?;
            let made = app.computer_groups.put_manual(None, &name, &computers).await?;
            let made = ComputerGroup { alias: new.alias, in_management_group: new.in_management_group, ..made };
            put_use(&app, &made).await?;
            Found::Kept(made)
        }
        _ => return Err(ApiError::bad_request("a computer group has either a query or computers")),
    };
    Ok((StatusCode::CREATED, shown(&app, &found).await?).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangedGroup {
    name: Option<String>,
    alias: Option<String>,
    category: Option<String>,
    query: Option<String>,
    computers: Option<Vec<String>>,
    in_management_group: Option<bool>,
}

async fn change(
    State(app): State<Arc<App>>,
    Path(group): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Json<ChangedGroup>, JsonRejection>,
) -> Answer {
    let Json(changed) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let name = changed.name.as_deref().map(checked_name).transpose()?;
    let found = match find(&app, &group).await? {
        Found::Kept(known) => {
            if changed.query.is_some() || changed.category.is_some() {
                return Err(ApiError::bad_request("only a group that is a query has a query and a category"));
            }
            let alias = changed.alias.unwrap_or_else(|| known.alias.clone());
            checked_alias(&app, &alias, &known.group_id).await?;
            let use_of = changed.in_management_group.unwrap_or(known.in_management_group);
            let is_manual = known.source_id == MANUAL;
            if !is_manual && (name.is_some() || changed.computers.is_some()) {
                let message = format!("{} is imported: change it where it comes from", known.full_name);
                return Err(ApiError::bad_request(message));
            }
            let mut group = known;
            if name.is_some() || changed.computers.is_some() {
                let computers = match changed.computers {
                    Some(computers) => computers,
                    None => kept_members(&app, &group).await?,
                };
                check_computers(&computers)?;
                let name = name.unwrap_or_else(|| group.name.clone());
                group = app.computer_groups.put_manual(Some(group), &name, &computers).await?;
            }
            let group = ComputerGroup { alias, in_management_group: use_of, ..group };
            put_use(&app, &group).await?;
            Found::Kept(group)
        }
        Found::Query(known) => {
            if changed.computers.is_some() {
                return Err(ApiError::bad_request("the computers of a group that is a query come of it"));
            }
            let use_of = changed.in_management_group.unwrap_or_else(|| is_in_management_group(&known));
            let alias = changed.alias.unwrap_or_else(|| known.function_alias.clone());
            checked_alias(&app, &alias, &known.id).await?;
            if let Some(query) = &changed.query {
                check_query(&app, &caller, &headers, query).await?;
            }
            let tags = text_of(&group_tags(&tags_of(&known), use_of));
            let saved = SavedQuery {
                name: name.unwrap_or(known.name),
                category: changed.category.unwrap_or(known.category),
                query: changed.query.unwrap_or(known.query),
                function_alias: alias,
                tags,
                etag: Uuid::new_v4().to_string(),
                ..known
            };
            put_query(&app, &caller, &saved).await?;
            Found::Query(saved)
        }
    };
    shown(&app, &found).await
}

async fn put_use(app: &App, group: &ComputerGroup) -> Result<(), ApiError> {
    let done = app.computer_groups.set_use(group).await.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "a computer group was not given to the management group");
        let message = "the pack of computer groups could not be imported; the server's log says why";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
    })?;
    match done {
        true => Ok(()),
        false => Err(ApiError::not_found(format!("the computer group {:?} was removed meanwhile", group.name))),
    }
}

async fn remove(State(app): State<Arc<App>>, Path(group): Path<String>) -> Result<StatusCode, ApiError> {
    match find(&app, &group).await? {
        Found::Kept(group) if group.source_id == MANUAL => app.computer_groups.remove_manual(&group).await?,
        Found::Kept(group) => {
            let message = format!("{} is imported: take it out of the connection that it comes from", group.full_name);
            return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
        }
        Found::Query(saved) => {
            app.state.delete_saved_query(&app.workspace_id, &saved.id).await?;
            app.computer_groups.query_changed();
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct From {
    /// `next` of the page before.
    after: Option<i64>,
}

/// Members, a page at a time.
async fn members(
    State(app): State<Arc<App>>,
    Path(group): Path<String>,
    Query(from): Query<From>,
    caller: Caller,
    headers: HeaderMap,
) -> Answer {
    match find(&app, &group).await? {
        Found::Kept(group) => Ok(Json(match app.computer_groups.part(&group, from.after.unwrap_or(-1)).await? {
            Some((part, names)) => json!({"members": names, "next": part}),
            None => json!({"members": [], "next": Value::Null}),
        })),
        Found::Query(saved) => {
            let names = run(&app, &caller, &headers, &saved.query, "Computer").await?;
            Ok(Json(json!({"members": names, "next": Value::Null})))
        }
    }
}

/// All computers of a group of either kind, as its members are shown.
pub(super) async fn all_members(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    found: &Found,
) -> Result<Vec<String>, ApiError> {
    caller.check(Action::ReadComputerGroups, &app.workspace_scope())?;
    match found {
        Found::Kept(group) => Ok(app.computer_groups.names_of(&kept_members(app, group).await?)),
        Found::Query(saved) => run(app, caller, headers, &saved.query, "Computer").await,
    }
}

async fn kept_members(app: &App, group: &ComputerGroup) -> Result<Vec<String>, ApiError> {
    let (mut all, mut after) = (Vec::new(), -1);
    while let Some((part, names)) = app.state.computer_group_part(&group.group_id, group.version, after).await? {
        all.extend(names);
        after = part;
    }
    Ok(all)
}

/// A query of a group gives computers: "it must return a distinct set of computers by using `distinct Computer`".
async fn check_query(app: &App, caller: &Caller, headers: &HeaderMap, query: &str) -> Result<(), ApiError> {
    let columns = run(app, caller, headers, &format!("{query}\n| getschema"), "ColumnName").await?;
    match columns.iter().any(|column| column == "Computer") {
        true => Ok(()),
        false => Err(ApiError::bad_request(
            "the query of a computer group gives the column Computer; end it with | distinct Computer",
        )),
    }
}

/// A column of texts of what a query gives.
async fn run(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    text: &str,
    column: &str,
) -> Result<Vec<String>, ApiError> {
    let asked = Asked {
        text: text.to_owned(),
        timespan: None,
        parameters: BTreeMap::new(),
        now: ticks_now(),
        deadline: DEADLINE,
        limits: LIMITS,
        functions: app.functions().await?,
        readable: caller.access.parts(Action::QueryData, &app.workspace_scope()),
        small: false,
        plan: false,
        origin: origin(caller, headers),
    };
    let answer = app.queries.run(asked).await;
    let answer = answer.map_err(|error| ApiError::bad_request(format!("the query of the group fails: {error}")))?;
    let mut values = Vec::new();
    for batch in answer.tables.iter().flat_map(|table| &table.batches) {
        let found = batch.column_by_name(column).and_then(|one| one.as_any().downcast_ref::<StringViewArray>());
        values.extend(found.into_iter().flat_map(|array| array.iter().flatten().map(str::to_owned)));
    }
    Ok(values)
}

fn check_computers(computers: &[String]) -> Result<(), ApiError> {
    if computers.len() > MOST_COMPUTERS {
        let message = format!("{} computers; a group made by hand has at most {MOST_COMPUTERS}", computers.len());
        return Err(ApiError::bad_request(message));
    }
    match computers.iter().find(|name| name.chars().any(char::is_control)) {
        Some(name) => Err(ApiError::bad_request(format!("{name:?} is no name of a computer"))),
        None => Ok(()),
    }
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MOST_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(ApiError::bad_request("a computer group has a name of at most 200 characters"));
    }
    Ok(name.to_owned())
}
