//! `/api/itsm-connections`: connections to service desks — the form, tested when it is saved, how each is, what its
//! product offers, Sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_itsm::{Part, Partner, Problem, Secrets, Settings, WorkItemKind};
use watchkeeper_management::clock;
use watchkeeper_state::{ItsmConnection, ItsmPosition};

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, get, post};
use crate::identity::Caller;
use crate::itsm::{ActionSettings, AlertEvent, AlertNotice, Connection, DeskError};

const MOST_NAME_CHARS: usize = 100;
/// With what tells configuration items apart it has to fit into a field of a product.
const MOST_ID_BYTES: usize = 60;
/// The query behind the tile *Connector status*.
const LOG_QUERY: &str = "ServiceDeskLog_CL | sort by TimeGenerated desc";

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/itsm-connections",
            get(Action::ReadItsmConnections, list).post(Action::WriteItsmConnections, create),
        )
        .route(
            "/api/itsm-connections/{connection}",
            get(Action::ReadItsmConnections, show)
                .patch(Action::WriteItsmConnections, change)
                .delete(Action::DeleteItsmConnections, remove),
        )
        .route("/api/itsm-connections/{connection}/test", post(Action::SyncItsmConnections, test))
        .route("/api/itsm-connections/{connection}/sync", post(Action::SyncItsmConnections, sync))
        .route("/api/itsm-connections/{connection}/configuration", get(Action::ReadItsmConnections, configuration))
        .route("/api/itsm-connections/{connection}/work-items", post(Action::CreateWorkItems, work_item))
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let positions = app.state.itsm_positions(None).await?;
    let mut items = Vec::new();
    for stored in app.state.itsm_connections().await? {
        items.push(item(&app, &Connection::read(stored)?, &positions));
    }
    Ok(Json(Value::Array(items)))
}

async fn show(State(app): State<Arc<App>>, Path(connection): Path<String>) -> Result<Json<Value>, ApiError> {
    let connection = named(&app, &connection).await?;
    let positions = app.state.itsm_positions(Some(&connection.stored.connection_id)).await?;
    Ok(Json(item(&app, &connection, &positions)))
}

/// A connection as it is shown: everything but its secrets.
fn item(app: &App, connection: &Connection, positions: &[ItsmPosition]) -> Value {
    let Connection { stored, partner, settings } = connection;
    let own = |kind: &WorkItemKind| {
        positions.iter().find(|one| one.connection_id == stored.connection_id && one.kind == kind.name())
    };
    let running = app.service_desks.is_running(&stored.connection_id);
    let imports = settings.work_items.iter().map(|kind| {
        let position = own(kind);
        json!({
            "type": kind.name(),
            "complete": position.is_some_and(|one| !one.is_full),
            "total": position.map_or(0, |one| one.total),
            "done": position.map_or(0, |one| one.done),
            "upTo": position.and_then(|one| time_text(one.changed_at)),
        })
    });
    let problem: Value = serde_json::from_str(&stored.problem).unwrap_or(Value::Null);
    let status = match (running, &problem, stored.last_success_at) {
        (true, ..) => "synchronizing",
        (false, Value::Null, 0) => "waiting",
        (false, Value::Null, _) => "connected",
        (false, ..) => "failed",
    };
    json!({
        "id": stored.connection_id,
        "name": stored.name,
        "partner": partner.name(),
        "partnerTitle": partner.title(),
        "url": settings.url,
        "userName": settings.user_name,
        "clientId": settings.client_id,
        "workItems": settings.work_items,
        "days": settings.days,
        "createConfigurationItems": settings.create_configuration_items,
        "authority": settings.authority,
        "places": settings.places,
        "tokenUrl": settings.token_url,
        "secretExpiry": settings.secret_expiry,
        "actions": partner.actions().iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "modifiedAt": time_text(stored.modified_at),
        "status": status,
        "problem": problem,
        "lastSync": time_text(stored.last_sync_at),
        "lastSuccess": time_text(stored.last_success_at),
        "nextSync": time_text(stored.next_sync_at),
        "configurationAt": time_text(stored.configuration_at),
        "imports": imports.collect::<Vec<_>>(),
        "logQuery": format!("{LOG_QUERY} | where ServiceDeskConnectionName_s == {}", kql_text(&stored.name)),
    })
}

fn kql_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewConnection {
    name: String,
    partner: String,
    url: String,
    #[serde(default)]
    user_name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
    /// `Incident`, `ChangeRequest`.
    work_items: Option<Vec<WorkItemKind>>,
    /// 1 to 120.
    days: Option<u32>,
    #[serde(default)]
    create_configuration_items: bool,
    #[serde(default)]
    authority: String,
    #[serde(default)]
    places: BTreeMap<WorkItemKind, String>,
    #[serde(default)]
    token_url: String,
    /// `YYYY-MM-DD`.
    #[serde(default)]
    secret_expiry: String,
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<NewConnection>, JsonRejection>,
) -> Result<Response, ApiError> {
    let asked = read(body)?;
    let name = checked_name(&asked.name)?;
    let partner = partner(&asked.partner)?;
    let secrets = Secrets { password: asked.password, client_secret: asked.client_secret };
    let settings = Settings {
        url: asked.url,
        user_name: asked.user_name,
        client_id: asked.client_id,
        work_items: asked.work_items.unwrap_or_else(|| WorkItemKind::ALL.to_vec()),
        days: asked.days.unwrap_or(watchkeeper_itsm::MOST_DAYS),
        create_configuration_items: asked.create_configuration_items,
        authority: asked.authority,
        places: asked.places,
        token_url: asked.token_url,
        secret_expiry: asked.secret_expiry,
    };
    if app.state.itsm_connections().await?.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
        let message = format!("there is a connection {name:?} already");
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    let settings = settings.checked(partner, &secrets).map_err(|problem| refusal(&problem))?;
    let tested = app.service_desks.test(&name, partner, &settings, &secrets).await;
    caller.did("create ITSM connection", &name, "");
    let tested = tested.map_err(failure)?;
    let stored = ItsmConnection {
        connection_id: Uuid::new_v4().to_string(),
        name,
        partner: partner.name().to_owned(),
        settings: text(&settings),
        revision: 1,
        modified_at: clock::now(),
        ..ItsmConnection::default()
    };
    app.state.add_itsm_connection(&stored, &text(&secrets)).await?;
    app.service_desks.changed();
    let mut body = item(&app, &Connection::read(stored)?, &[]);
    body["warnings"] = json!(tested.warnings);
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangedConnection {
    name: Option<String>,
    url: Option<String>,
    user_name: Option<String>,
    password: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    work_items: Option<Vec<WorkItemKind>>,
    days: Option<u32>,
    create_configuration_items: Option<bool>,
    authority: Option<String>,
    places: Option<BTreeMap<WorkItemKind, String>>,
    token_url: Option<String>,
    secret_expiry: Option<String>,
}

async fn change(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
    body: Result<Json<ChangedConnection>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let asked = read(body)?;
    let before = named(&app, &connection).await?;
    let partner = before.partner;
    let mut secrets = app.service_desks.secrets(&before).await?;
    let mut settings = before.settings.clone();
    // a secret must not follow an address that somebody changed
    let moved = |new: &Option<String>, old: &str| new.as_ref().is_some_and(|new| new.trim_end_matches('/') != old);
    if moved(&asked.url, &settings.url) || moved(&asked.token_url, &settings.token_url) {
        let missing = |kept: &str, given: &Option<String>| !kept.is_empty() && given.is_none();
        if missing(&secrets.password, &asked.password) || missing(&secrets.client_secret, &asked.client_secret) {
            return Err(ApiError::bad_request(
                "password and client secret are to be given again where the URL changes: they were given for the old one",
            ));
        }
    }
    let name = match &asked.name {
        Some(name) => checked_name(name)?,
        None => before.stored.name.clone(),
    };
    fn put<T>(place: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *place = value;
        }
    }
    put(&mut settings.url, asked.url);
    put(&mut settings.user_name, asked.user_name);
    put(&mut settings.client_id, asked.client_id);
    put(&mut settings.work_items, asked.work_items);
    put(&mut settings.days, asked.days);
    put(&mut settings.create_configuration_items, asked.create_configuration_items);
    put(&mut settings.authority, asked.authority);
    put(&mut settings.places, asked.places);
    put(&mut settings.token_url, asked.token_url);
    if asked.password.is_some() || asked.client_secret.is_some() {
        // when the new one ends is another question
        settings.secret_expiry.clear();
    }
    put(&mut settings.secret_expiry, asked.secret_expiry);
    put(&mut secrets.password, asked.password);
    put(&mut secrets.client_secret, asked.client_secret);
    let settings = settings.checked(partner, &secrets).map_err(|problem| refusal(&problem))?;
    let tested = app.service_desks.test(&name, partner, &settings, &secrets).await;
    caller.did("change ITSM connection", &name, "");
    tested.map_err(failure)?;
    let old_name = before.stored.name.clone();
    let stored = ItsmConnection {
        name,
        settings: text(&settings),
        modified_at: clock::now().max(before.stored.modified_at + 1),
        ..before.stored
    };
    if !app.state.change_itsm_connection(&stored, &text(&secrets), true).await? {
        let message = "somebody else changed the connection meanwhile; look at it and change it again";
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    if stored.name != old_name {
        app.service_desks.renamed(&stored.connection_id, &old_name).await.map_err(failure)?;
    }
    app.service_desks.changed();
    show_stored(&app, &stored.connection_id).await
}

async fn show_stored(app: &App, id: &str) -> Result<Json<Value>, ApiError> {
    let connection = named(app, id).await?;
    let positions = app.state.itsm_positions(Some(id)).await?;
    Ok(Json(item(app, &connection, &positions)))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let connection = named(&app, &connection).await?;
    app.state.delete_itsm_connection(&connection.stored.connection_id).await?;
    caller.did("remove ITSM connection", &connection.stored.name, "");
    app.service_desks.changed();
    Ok(StatusCode::NO_CONTENT)
}

/// Tests a connection as it is saved.
async fn test(State(app): State<Arc<App>>, Path(connection): Path<String>) -> Result<Json<Value>, ApiError> {
    let connection = named(&app, &connection).await?;
    let secrets = app.service_desks.secrets(&connection).await?;
    let Connection { stored, partner, settings } = &connection;
    let tested = app.service_desks.test(&stored.name, *partner, settings, &secrets).await.map_err(failure)?;
    Ok(Json(json!({"product": tested.product, "warnings": tested.warnings})))
}

/// Reads configuration and work items at once, and looks for what was removed in the product.
async fn sync(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let connection = named(&app, &connection).await?;
    app.service_desks.want_sync(&connection.stored.connection_id).await?;
    caller.did("synchronize ITSM connection", &connection.stored.name, "");
    Ok(StatusCode::ACCEPTED)
}

async fn configuration(State(app): State<Arc<App>>, Path(connection): Path<String>) -> Result<Json<Value>, ApiError> {
    let connection = named(&app, &connection).await?;
    let text = app.state.itsm_configuration(&connection.stored.connection_id).await?;
    match serde_json::from_str(&text) {
        Ok(configuration) => Ok(Json(configuration)),
        Err(_) => Err(ApiError::not_found(format!(
            "what {} offers was not read yet; Sync reads it, and its status says what keeps it from that",
            connection.stored.name
        ))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WorkItem {
    /// Names what the work item is about: sent again, it changes that one and makes no other.
    correlation_id: String,
    /// `Fired` (the default), `Resolved`, `Closed`.
    event: Option<String>,
    title: String,
    #[serde(default)]
    description: String,
    /// 0 critical to 4 verbose.
    #[serde(default = "middle_severity")]
    severity: u8,
    #[serde(default)]
    configuration_items: Vec<String>,
    #[serde(default)]
    action: ActionSettings,
}

fn middle_severity() -> u8 {
    2
}

/// A work item of records that somebody looks at, in the way of those of alerts.
async fn work_item(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
    body: Result<Json<WorkItem>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let asked = read(body)?;
    let connection = named(&app, &connection).await?;
    let event = match asked.event.as_deref().unwrap_or("Fired") {
        "Fired" => AlertEvent::Fired,
        "Resolved" => AlertEvent::Resolved,
        "Closed" => AlertEvent::Closed,
        other => {
            return Err(ApiError::bad_request(format!("event is {other:?}; it can be Fired, Resolved, Closed")));
        }
    };
    let id = asked.correlation_id.trim();
    if id.is_empty() || id.len() > MOST_ID_BYTES || id.chars().any(char::is_control) || asked.title.trim().is_empty() {
        return Err(ApiError::bad_request("a work item has a correlationId of at most 60 bytes, and a title"));
    }
    let notice = AlertNotice {
        event,
        delivery_id: Uuid::new_v4().to_string(),
        alert_id: id.to_owned(),
        title: asked.title,
        description: asked.description,
        severity: asked.severity,
        configuration_items: asked.configuration_items,
    };
    let done = app.service_desks.carry_out(&connection, &asked.action, &notice).await;
    let target = format!("{} in {}", notice.title, connection.stored.name);
    caller.did("work item of records", &target, "");
    Ok(Json(json!(done.map_err(failure)?)))
}

fn read<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, ApiError> {
    // what serde says of a text would show it: a secret may be in it
    let Json(asked) = body.map_err(|error| match error {
        JsonRejection::JsonDataError(_) => ApiError::bad_request(
            "the body is not what this route takes: a member is missing, unknown or of another type",
        ),
        error => ApiError::bad_request(error.body_text()),
    })?;
    Ok(asked)
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn partner(name: &str) -> Result<Partner, ApiError> {
    Partner::of(name).ok_or_else(|| {
        let known = Partner::ALL.map(Partner::name).join(", ");
        ApiError::bad_request(format!("partner is {name:?}; it can be {known}"))
    })
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
    let all = app.state.itsm_connections().await?;
    let found = all.into_iter().find(|one| one.connection_id == name || one.name.eq_ignore_ascii_case(name));
    let found = found.ok_or_else(|| {
        ApiError::not_found(format!("there is no ITSM connection {name:?}; `watchkeeper itsm` lists them"))
    })?;
    Ok(Connection::read(found)?)
}

/// A form that cannot be.
fn refusal(problem: &Problem) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code(problem.part), problem.to_string())
}

/// A test that failed: the code says which part is wrong.
fn failure(error: DeskError) -> ApiError {
    match error {
        DeskError::Problem(problem) => refusal(&problem),
        DeskError::State(error) => error.into(),
        other => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", other.to_string()),
    }
}

fn code(part: Part) -> &'static str {
    match part {
        Part::Settings => "Settings",
        Part::Url => "Url",
        Part::Network => "Network",
        Part::Certificate => "Certificate",
        Part::User => "User",
        Part::Password => "Password",
        Part::UserOrPassword => "UserOrPassword",
        Part::ClientId => "ClientId",
        Part::ClientSecret => "ClientSecret",
        Part::ClientIdOrSecret => "ClientIdOrSecret",
        Part::Role => "Role",
        Part::Product => "Product",
        Part::RateLimit => "RateLimit",
        Part::WorkItem => "WorkItem",
    }
}
