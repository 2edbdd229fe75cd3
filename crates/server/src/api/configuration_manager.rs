//! `/api/configuration-manager`: connections to Configuration Manager — the form with its Verify, collections, imports, and
//! the move to another site.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_configmgr::{Check, Collection, Part, Problem};
use watchkeeper_management::clock;
use watchkeeper_state::{ConfigurationManager, GroupSource, SubjectKind};

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, get, grant_by_name, post};
use crate::computer_groups::{self, FROM_CONFIGURATION_MANAGER, FindError, Found};
use crate::configmgr::{Connection, Form, Outcome, Record, Secrets, Verified, problem_json, text};
use crate::identity::Caller;

const MOST_NAME_CHARS: usize = 100;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/configuration-manager",
            get(Action::ReadConfigurationManager, list).post(Action::WriteConfigurationManager, create),
        )
        .route("/api/configuration-manager/environments", get(Action::ReadConfigurationManager, environments))
        .route("/api/configuration-manager/verify", post(Action::WriteConfigurationManager, verify))
        .route("/api/configuration-manager/collections", post(Action::WriteConfigurationManager, collections_of_form))
        .route("/api/configuration-manager/grant", post(Action::WriteRoleAssignments, grant))
        .route(
            "/api/configuration-manager/{connection}",
            get(Action::ReadConfigurationManager, show)
                .patch(Action::WriteConfigurationManager, change)
                .delete(Action::DeleteConfigurationManager, remove),
        )
        .route("/api/configuration-manager/{connection}/verify", post(Action::SyncConfigurationManager, verify_saved))
        .route("/api/configuration-manager/{connection}/run", post(Action::SyncConfigurationManager, run))
        .route("/api/configuration-manager/{connection}/move", post(Action::WriteConfigurationManager, move_to))
        .route(
            "/api/configuration-manager/{connection}/collections",
            get(Action::ReadConfigurationManager, collections).post(Action::WriteConfigurationManager, choose),
        )
}

type Answer = Result<Json<Value>, ApiError>;

/// The environments that an application can be registered in.
async fn environments(State(app): State<Arc<App>>) -> Answer {
    let shown = app.clouds.all().map(|cloud| {
        let tenant = if cloud.is_own() { app.tokens.tenant_id() } else { "" };
        json!({"name": cloud.name, "title": cloud.title, "authority": cloud.authority, "tenantId": tenant})
    });
    Ok(Json(shown.collect()))
}

async fn list(State(app): State<Arc<App>>) -> Answer {
    let sources = app.state.group_sources().await?;
    let mut items = Vec::new();
    for stored in app.state.configuration_managers().await? {
        items.push(item(&app, &Connection::read(stored)?, &sources));
    }
    Ok(Json(Value::Array(items)))
}

async fn show(State(app): State<Arc<App>>, Path(connection): Path<String>) -> Answer {
    show_named(&app, &connection).await
}

async fn show_named(app: &App, connection: &str) -> Answer {
    let connection = named(app, connection).await?;
    Ok(Json(item(app, &connection, &app.state.group_sources().await?)))
}

/// A connection as it is shown: everything but its secrets.
fn item(app: &App, connection: &Connection, sources: &[GroupSource]) -> Value {
    let Connection { stored, form, site } = connection;
    let source = sources.iter().find(|source| source.source_id == stored.connection_id);
    let progress = app.configuration_managers.progress(&stored.connection_id);
    let problem: Value = serde_json::from_str(&stored.problem).unwrap_or(Value::Null);
    let status = match (&progress, &problem, stored.last_success_at) {
        (Some(_), ..) => "importing",
        (None, Value::Null, _) if !form.works() => "off",
        (None, Value::Null, 0) => "waiting",
        (None, Value::Null, _) => "imported",
        (None, ..) => "failed",
    };
    let outcome: Option<Outcome> = serde_json::from_str(&stored.outcome).ok();
    let mut shown = json!(form);
    let more = json!({
        "id": stored.connection_id,
        "name": stored.name,
        "site": site,
        "status": status,
        "problem": problem,
        "progress": progress,
        "modifiedAt": time_text(stored.modified_at),
        "lastRun": time_text(stored.last_run_at),
        "lastSuccess": time_text(stored.last_success_at),
        "nextRun": if form.works() { time_text(stored.next_run_at) } else { None },
        "outcome": outcome,
        "written": written(&Record::read(&stored.written)),
        "secretDaysLeft": days_left(&form.secret_expiry),
        // as many as the rows show, once all of them are written
        "computers": source.map_or(0, |source| source.computers),
        "rowsAt": source.and_then(|source| time_text(source.rows_at)),
        "rowsComplete": source.is_some_and(|source| source.rows_done),
        "collectionsQuery": source.map(|source| rows_query(site, source, "Group, GroupId")),
        "computersQuery": source.map(|source| rows_query(site, source, "Computer")),
    });
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    shown
}

/// What was written to the site, a group each.
fn written(record: &Record) -> Value {
    let shown = record.targets.iter().map(|one| {
        let mut shown = json!(one);
        shown["at"] = json!(time_text(one.at));
        shown
    });
    shown.collect()
}

/// The query that lists what the last import has written.
fn rows_query(site: &crate::configmgr::KnownSite, source: &GroupSource, columns: &str) -> String {
    let at = time_text(source.rows_at).unwrap_or_default();
    format!(
        "ComputerGroup\n| where GroupSource == \"{FROM_CONFIGURATION_MANAGER}\" and GroupSourceName == \"{}\"\n\
         | where TimeGenerated == datetime({at})\n| distinct {columns}",
        site.code.replace(['"', '\\'], "")
    )
}

fn days_left(day: &str) -> Option<i64> {
    let day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    Some((day - chrono::Utc::now().date_naive()).num_days())
}

/// What a body says beside the form.
#[derive(Default)]
struct Sent {
    name: Option<String>,
    /// A saved connection, whose secrets count where the body has none.
    connection: Option<String>,
    secret: Option<String>,
    password: Option<String>,
    form: Map<String, Value>,
}

fn sent(body: Result<Json<Map<String, Value>>, JsonRejection>) -> Result<Sent, ApiError> {
    let Json(mut form) = body.map_err(|_| ApiError::bad_request("the body is not one JSON object"))?;
    let mut take = |name: &str| match form.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::bad_request(format!("{name} is not a text"))),
    };
    let (name, connection) = (take("name")?, take("connection")?);
    let (secret, password) = (take("secret")?, take("password")?);
    Ok(Sent { name, connection, secret, password, form })
}

impl Sent {
    /// The form that comes of a known one.
    fn form_over(&self, app: &App, known: &Form) -> Result<Form, ApiError> {
        let mut value = json!(known);
        if let Some(members) = value.as_object_mut() {
            members.extend(self.form.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        let form: Form = serde_json::from_value(value)
            .map_err(|error| ApiError::bad_request(format!("the form cannot be read: {error}")))?;
        form.checked(&app.clouds).map_err(|problem| refusal(&problem))
    }

    /// The secrets of the body, and for those that it does not have the known ones. A stored secret key goes to nobody
    /// but the authority that it was given for.
    fn secrets_over(&self, known: Secrets, before: &Form, after: &Form) -> Result<Secrets, ApiError> {
        let moved = (&before.environment, &before.authority) != (&after.environment, &after.authority);
        let has_secret = self.secret.as_ref().is_some_and(|secret| !secret.is_empty());
        if moved && !has_secret && !known.secret.is_empty() {
            let advice = "give the secret key again";
            let message = "the environment or the authority of the application is another one";
            return Err(refusal(&Problem::new(Part::Secret, message, advice)));
        }
        let or = |sent: &Option<String>, known| sent.clone().filter(|text| !text.is_empty()).unwrap_or(known);
        Ok(Secrets { secret: or(&self.secret, known.secret), password: or(&self.password, known.password) })
    }
}

/// The form and the secrets of a body, over those of a saved connection where it names one.
async fn asked(app: &App, sent: &Sent) -> Result<(Form, Secrets, String), ApiError> {
    let Some(connection) = &sent.connection else {
        let form = sent.form_over(app, &Form::default())?;
        let secrets = sent.secrets_over(Secrets::default(), &form, &form)?;
        return Ok((form, secrets, String::new()));
    };
    let known = named(app, connection).await?;
    let secrets = app.configuration_managers.secrets(&known.stored.connection_id).await?;
    let form = sent.form_over(app, &known.form)?;
    let secrets = sent.secrets_over(secrets, &known.form, &form)?;
    Ok((form, secrets, known.site.code))
}

/// Looks at everything that a form needs, without keeping anything of it.
async fn verify(State(app): State<Arc<App>>, body: Result<Json<Map<String, Value>>, JsonRejection>) -> Answer {
    let (form, secrets, known) = asked(&app, &sent(body)?).await?;
    let verified = app.configuration_managers.verify(&form, &secrets, &known).await?;
    Ok(Json(verified_json(&verified)))
}

async fn verify_saved(State(app): State<Arc<App>>, Path(connection): Path<String>) -> Answer {
    let connection = named(&app, &connection).await?;
    let secrets = app.configuration_managers.secrets(&connection.stored.connection_id).await?;
    let verified = app.configuration_managers.verify(&connection.form, &secrets, &connection.site.code).await?;
    Ok(Json(verified_json(&verified)))
}

fn verified_json(verified: &Verified) -> Value {
    let checks = verified.checks.iter().map(|Check { part, outcome }| match outcome {
        Ok(found) => json!({"part": part.code(), "ok": true, "message": found}),
        Err(problem) => {
            let mut shown = problem_json(problem);
            shown["ok"] = json!(false);
            shown
        }
    });
    json!({
        "verified": verified.problem().is_none(),
        "checks": checks.collect::<Vec<_>>(),
        "site": verified.site,
        "subscription": verified.place.subscription,
        "resourceGroup": verified.place.resource_group,
        "workspace": verified.place.workspace,
    })
}

/// The device collections of the site of a form.
async fn collections_of_form(
    State(app): State<Arc<App>>,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Answer {
    let (form, secrets, _) = asked(&app, &sent(body)?).await?;
    let found = app.configuration_managers.collections(&form, &secrets).await;
    Ok(Json(shown_collections(&found.map_err(|problem| refusal(&problem))?, &form)))
}

/// The device collections of a site, and which of them are chosen.
async fn collections(State(app): State<Arc<App>>, Path(connection): Path<String>) -> Answer {
    let connection = named(&app, &connection).await?;
    let secrets = app.configuration_managers.secrets(&connection.stored.connection_id).await?;
    let found = app.configuration_managers.collections(&connection.form, &secrets).await;
    Ok(Json(shown_collections(&found.map_err(|problem| refusal(&problem))?, &connection.form)))
}

fn shown_collections(found: &[Collection], form: &Form) -> Value {
    let shown = found.iter().map(|one| {
        json!({
            "id": one.id, "name": one.name, "comment": one.comment, "members": one.members,
            "limitedTo": one.limited_to, "chosen": form.all_collections || form.collections.contains(&one.id),
        })
    });
    shown.collect()
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Response, ApiError> {
    let sent = sent(body)?;
    let name = checked_name(sent.name.as_deref().unwrap_or_default())?;
    if app.state.configuration_managers().await?.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", format!("there is a connection {name:?} already")));
    }
    let (mut form, secrets, _) = asked(&app, &Sent { connection: None, ..sent }).await?;
    name_targets(&app, &caller, &mut form, "").await?;
    let verified = verified(&app, &caller, "create", &name, &mut form, &secrets, "").await?;
    let stored = ConfigurationManager {
        connection_id: Uuid::new_v4().to_string(),
        name,
        settings: text(&form),
        site: text(&verified.site),
        revision: 1,
        modified_at: clock::now(),
        ..ConfigurationManager::default()
    };
    app.configuration_managers.add(&stored, &secrets).await?;
    let body = show_named(&app, &stored.connection_id).await?;
    Ok((StatusCode::CREATED, body).into_response())
}

/// Looks at a form before it is kept, and fills in where the groups go.
async fn verified(
    app: &App,
    caller: &Caller,
    action: &str,
    name: &str,
    form: &mut Form,
    secrets: &Secrets,
    known: &str,
) -> Result<Verified, ApiError> {
    caller.did(&format!("{action} Configuration Manager connection"), name, "");
    let verified = app.configuration_managers.verify(form, secrets, known).await?;
    if let Some(problem) = verified.problem() {
        return Err(refusal(problem));
    }
    form.subscription.clone_from(&verified.place.subscription);
    form.resource_group.clone_from(&verified.place.resource_group);
    form.workspace.clone_from(&verified.place.workspace);
    Ok(verified)
}

async fn change(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Answer {
    let sent = sent(body)?;
    let known = named(&app, &connection).await?;
    let mut form = sent.form_over(&app, &known.form)?;
    if form.targets != known.form.targets {
        name_targets(&app, &caller, &mut form, &known.stored.connection_id).await?;
    }
    let stored = app.configuration_managers.secrets(&known.stored.connection_id).await?;
    let secrets = sent.secrets_over(stored, &known.form, &form)?;
    let name = match &sent.name {
        Some(name) => checked_name(name)?,
        None => known.stored.name.clone(),
    };
    // what only says what and when is kept without asking the site
    let asks = sent.secret.is_some() || sent.password.is_some() || needs_verifying(&known.form, &form);
    save(&app, (&caller, "change"), known, name, form, &secrets, asks).await
}

/// The groups that are to be written, by their ids; what cannot be is refused.
async fn name_targets(app: &App, caller: &Caller, form: &mut Form, connection_id: &str) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for target in &mut form.targets {
        let (id, name) = match computer_groups::find(&app.state, &app.workspace_id, &target.group).await {
            Ok(Found::Kept(group)) if group.source_id == connection_id => {
                let message = format!("the group {:?} comes from this very site", group.full_name);
                return Err(refusal(&Problem::new(Part::Settings, message, "choose another group")));
            }
            Ok(found) => {
                caller.check(Action::ReadComputerGroups, &app.workspace_scope())?;
                (found.id().to_owned(), found.name().to_owned())
            }
            Err(FindError::Unknown(_)) => {
                let space = app.operations.group.read();
                let group = space.find(&target.group).ok().and_then(|id| space.group(id));
                let group = group.ok_or_else(|| {
                    let message = format!("there is no group {:?}", target.group);
                    let advice = "name a computer group or a group of the management group";
                    refusal(&Problem::new(Part::Settings, message, advice))
                })?;
                (group.object.id.to_string(), group.object.name)
            }
            Err(error) => return Err(error.into()),
        };
        let collection = if target.collection.is_empty() { name } else { target.collection.clone() };
        if !seen.insert(collection.to_lowercase()) {
            let message = format!("two groups are to be written to the collection {collection:?}");
            return Err(refusal(&Problem::new(Part::Settings, message, "give each a collection of its own")));
        }
        (target.group, target.collection) = (id, collection);
    }
    Ok(())
}

/// Whether a change is one that the site has to be asked about.
fn needs_verifying(before: &Form, after: &Form) -> bool {
    let plain = |form: &Form| Form {
        description: String::new(),
        collections: Vec::new(),
        all_collections: false,
        import: true,
        hours: 0,
        tenant_name: String::new(),
        application_name: String::new(),
        secret_expiry: String::new(),
        ..form.clone()
    };
    plain(before) != plain(after)
}

async fn save(
    app: &App,
    (caller, action): (&Caller, &str),
    known: Connection,
    name: String,
    mut form: Form,
    secrets: &Secrets,
    asks: bool,
) -> Answer {
    let mut site = known.stored.site.clone();
    if asks {
        let code = if action == "move" { "" } else { known.site.code.as_str() };
        site = text(&verified(app, caller, action, &name, &mut form, secrets, code).await?.site);
    } else {
        caller.did(&format!("{action} Configuration Manager connection"), &name, "");
    }
    let stored = ConfigurationManager { name, settings: text(&form), site, modified_at: clock::now(), ..known.stored };
    if !app.configuration_managers.change(&stored, secrets).await? {
        let message = "somebody else has changed the connection meanwhile; look at it and try again";
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    show_named(app, &stored.connection_id).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Chosen {
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

/// Adds and removes collections.
async fn choose(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
    body: Result<Json<Chosen>, JsonRejection>,
) -> Answer {
    let Json(chosen) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let known = named(&app, &connection).await?;
    let mut form = known.form.clone();
    form.collections.extend(chosen.add);
    let removed: Vec<String> = chosen.remove.iter().map(|id| id.trim().to_ascii_uppercase()).collect();
    if let Some(id) = removed.iter().find(|id| !known.form.collections.contains(id)) {
        return Err(ApiError::not_found(format!("the collection {id:?} is not chosen in {}", known.stored.name)));
    }
    let mut form = form.checked(&app.clouds).map_err(|problem| refusal(&problem))?;
    form.collections.retain(|id| !removed.contains(id));
    let secrets = app.configuration_managers.secrets(&known.stored.connection_id).await?;
    let name = known.stored.name.clone();
    save(&app, (&caller, "choose collections of"), known, name, form, &secrets, false).await
}

/// Leads a connection to another site, the new top of its hierarchy: in one step, with collections and groups.
async fn move_to(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Answer {
    let sent = sent(body)?;
    let known = named(&app, &connection).await?;
    let form = sent.form_over(&app, &known.form)?;
    let stored = app.configuration_managers.secrets(&known.stored.connection_id).await?;
    let secrets = sent.secrets_over(stored, &known.form, &form)?;
    let name = known.stored.name.clone();
    save(&app, (&caller, "move"), known, name, form, &secrets, true).await
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let connection = named(&app, &connection).await?;
    app.configuration_managers.remove(&connection.stored.connection_id).await?;
    let (action, name) = ("remove Configuration Manager connection", &connection.stored.name);
    caller.did(action, name, "");
    Ok(StatusCode::NO_CONTENT)
}

/// Imports at once.
async fn run(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let connection = named(&app, &connection).await?;
    app.configuration_managers.want_import(&connection.stored.connection_id).await?;
    let (action, name) = ("import collections of", &connection.stored.name);
    caller.did(action, name, "");
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Granted {
    client_id: String,
}

/// "Grant Configuration Manager with permissions": gives an application, also one of another directory, the role
/// Contributor in the workspace.
async fn grant(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Granted>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    caller.check(Action::WriteRoleAssignments, &app.workspace_scope())?;
    let Json(Granted { client_id }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let id = Uuid::parse_str(client_id.trim())
        .map_err(|_| ApiError::bad_request(format!("clientId {client_id:?} is not the id of an application")))?;
    let subject = (id.to_string(), SubjectKind::ServicePrincipal);
    let scopes = (&app.workspace_scope(), &app.group_scope());
    grant_by_name(&app.state, (&subject.0, subject.1), "Contributor", scopes, &caller.name).await?;
    let action = "grant Contributor to application";
    caller.did(action, &id.to_string(), "");
    Ok(StatusCode::NO_CONTENT)
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MOST_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(ApiError::bad_request(
            "a connection has a name of at most 100 characters, none a control character",
        ));
    }
    Ok(name.to_owned())
}

async fn named(app: &App, name: &str) -> Result<Connection, ApiError> {
    let all = app.state.configuration_managers().await?;
    let found = all.into_iter().find(|one| one.connection_id == name || one.name.eq_ignore_ascii_case(name));
    let found = found.ok_or_else(|| {
        let message =
            format!("there is no connection {name:?} to Configuration Manager; `watchkeeper configmgr` lists them");
        ApiError::not_found(message)
    })?;
    Ok(Connection::read(found)?)
}

/// What is wrong: the code says which part.
fn refusal(problem: &Problem) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, problem.part.code(), problem.to_string())
}
