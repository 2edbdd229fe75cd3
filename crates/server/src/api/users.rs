//! `/api/users` and `/api/sessions`: people, their passwords, and the sessions that they have open.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::{Action, Scope};
use watchkeeper_identity::check_new_password;
use watchkeeper_state::{NewUser, SessionInfo, User, UserChange};

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Need, Routes, delete, get, names_of, put};
use crate::identity::{Caller, SESSION_COOKIE, cookie};
use crate::wiring;

const MICROS: i64 = 1_000_000;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/users", get(Action::ReadUsers, list).post(Action::WriteUsers, create))
        .route(
            "/api/users/{user}",
            get(Action::ReadUsers, show).patch(Action::WriteUsers, change).delete(Action::DeleteUsers, remove),
        )
        .route(
            "/api/users/{user}/password",
            put(
                Need::SignedIn("everybody sets their own password; others take Microsoft.Authorization/users/write"),
                set_password,
            ),
        )
        .route("/api/users/{user}/sessions", get(Action::ReadUsers, sessions_of).delete(Action::WriteUsers, sign_out))
        .route(
            "/api/sessions",
            get(Need::SignedIn("the caller's own"), own_sessions)
                .delete(Need::SignedIn("the caller's own"), end_others),
        )
        .route("/api/sessions/all", get(Action::ReadUsers, all_sessions))
        .route(
            "/api/sessions/{id}",
            delete(Need::SignedIn("the caller's own; others take Microsoft.Authorization/users/write"), end_session),
        )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Create {
    name: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    mail: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    name: Option<String>,
    display_name: Option<String>,
    mail: Option<String>,
    disabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPassword {
    password: String,
    /// The present one; needed to change one's own.
    current_password: Option<String>,
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let mut items = Vec::new();
    for user in app.state.users().await? {
        items.push(item(&app, &user).await?);
    }
    Ok(Json(Value::Array(items)))
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Create>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    check_name(&new.name)?;
    caller.did("add user", &new.name, "");
    check_new_password(&new.name, &new.password).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let user =
        NewUser { name: &new.name, display_name: new.display_name.trim(), mail: new.mail.trim(), ..NewUser::default() };
    let user = app.state.add_user(user, Some(&new.password)).await?;
    Ok((StatusCode::CREATED, Json(item(&app, &user).await?)).into_response())
}

async fn show(State(app): State<Arc<App>>, Path(user): Path<String>) -> Result<Json<Value>, ApiError> {
    let user = find(&app, &user).await?;
    Ok(Json(item(&app, &user).await?))
}

async fn change(
    State(app): State<Arc<App>>,
    Path(user): Path<String>,
    caller: Caller,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(change) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let user = find(&app, &user).await?;
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    if change.disabled == Some(true) && caller.subject == user.id {
        return Err(ApiError::bad_request("this is you: another administrator can disable you"));
    }
    let Change { name, display_name, mail, disabled } = change;
    let what = match disabled {
        Some(true) => "disable user",
        Some(false) => "enable user",
        None => "change user",
    };
    caller.did(what, &user.name, &name.as_ref().map(|name| format!("renamed to {name}")).unwrap_or_default());
    let change = UserChange { name, display_name, mail, disabled };
    let user = app.state.change_user(&user.id, change).await?;
    Ok(Json(item(&app, &user).await?))
}

async fn remove(State(app): State<Arc<App>>, Path(user): Path<String>, caller: Caller) -> Result<StatusCode, ApiError> {
    let user = find(&app, &user).await?;
    if caller.subject == user.id {
        return Err(ApiError::bad_request("this is you: another administrator can remove you"));
    }
    caller.did("remove user", &user.name, "");
    app.state.delete_user(&user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An administrator sets anybody's password; everybody their own, with the present one.
async fn set_password(
    State(app): State<Arc<App>>,
    Path(user): Path<String>,
    caller: Caller,
    body: Result<Json<NewPassword>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let user = match app.state.user(&caller.subject).await? {
        Some(own) if user == "me" || user == own.id || user == own.name => {
            check_current(&app, &own, new.current_password.as_deref()).await?;
            own
        }
        _ => {
            caller.check(Action::WriteUsers, &Scope::Tenant)?;
            find(&app, &user).await?
        }
    };
    caller.did("set password", &user.name, "");
    if !user.provider.is_empty() {
        let text = format!("{:?} signs in through {:?}, which has the password", user.name, user.provider);
        return Err(ApiError::bad_request(text));
    }
    check_new_password(&user.name, &new.password).map_err(|error| ApiError::bad_request(error.to_string()))?;
    app.state.set_password(&user.name, &new.password).await?;
    wiring::first_password_replaced(&app.state, &user.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Guesses of the present password count as failed sign-ins.
async fn check_current(app: &App, own: &User, password: Option<&str>) -> Result<(), ApiError> {
    let password = password.ok_or_else(|| ApiError::bad_request("currentPassword is missing"))?;
    match super::session::check_password(app, &own.name, password).await? {
        Some(_) => Ok(()),
        None => Err(ApiError::forbidden("the present password is wrong")),
    }
}

async fn sessions_of(State(app): State<Arc<App>>, Path(user): Path<String>) -> Result<Json<Value>, ApiError> {
    let user = find(&app, &user).await?;
    let sessions = app.state.sessions(Some(&user.id)).await?;
    Ok(Json(sessions.iter().map(|session| session_item(session, None)).collect()))
}

/// Ends all sessions of a user and refuses the tokens that were issued before.
async fn sign_out(State(app): State<Arc<App>>, Path(user): Path<String>) -> Result<StatusCode, ApiError> {
    let user = find(&app, &user).await?;
    app.state.sign_out_everywhere(&user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn own_sessions(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let current = current_session(&app, &headers).await?;
    let sessions = app.state.sessions(Some(&caller.subject)).await?;
    Ok(Json(sessions.iter().map(|session| session_item(session, current.as_deref())).collect()))
}

/// The sessions of everybody, with their users.
async fn all_sessions(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let current = current_session(&app, &headers).await?;
    let users = app.state.users().await?;
    let sessions = app.state.sessions(None).await?;
    let shown = sessions.iter().map(|session| {
        let mut shown = session_item(session, current.as_deref());
        let user = users.iter().find(|user| user.id == session.user_id);
        shown["userId"] = json!(session.user_id);
        shown["user"] = json!(user.map(|user| user.name.as_str()));
        shown
    });
    Ok(Json(shown.collect()))
}

/// Ends the caller's other sessions.
async fn end_others(State(app): State<Arc<App>>, headers: HeaderMap, caller: Caller) -> Result<StatusCode, ApiError> {
    let current = current_session(&app, &headers).await?;
    for session in app.state.sessions(Some(&caller.subject)).await? {
        if Some(&session.id) != current.as_ref() {
            app.state.end_session_of(&session.id).await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn end_session(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let is_own = app.state.sessions(Some(&caller.subject)).await?.iter().any(|session| session.id == id);
    if !is_own && !caller.access.allows(Action::WriteUsers, &Scope::Tenant) {
        return Err(ApiError::not_found(format!("you have no session {id:?}")));
    }
    app.state.end_session_of(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn current_session(app: &App, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    match cookie(headers, SESSION_COOKIE) {
        Some(token) => Ok(app.state.session(token).await?.map(|session| session.id)),
        None => Ok(None),
    }
}

/// A user by id or name.
pub(super) async fn find(app: &App, user: &str) -> Result<User, ApiError> {
    let found = match app.state.user(user).await? {
        Some(user) => Some(user),
        None => app.state.user_by_name(user).await?,
    };
    found.ok_or_else(|| ApiError::not_found(format!("there is no user {user:?}; `watchkeeper users list` has all")))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let good = name.chars().all(|letter| !letter.is_control() && !letter.is_whitespace() && letter != '/');
    if name.is_empty() || name.len() > 200 || !good {
        return Err(ApiError::bad_request(format!(
            "the name {name:.80?} is not possible; a name has 1 to 200 characters, without spaces and slashes"
        )));
    }
    Ok(())
}

fn session_item(session: &SessionInfo, current: Option<&str>) -> Value {
    json!({
        "id": session.id,
        "client": session.client,
        "signedInAt": time_text(session.created_at * MICROS),
        "expiresAt": time_text(session.expires_at * MICROS),
        "usedAt": time_text(session.used_at * MICROS),
        "isThisOne": current == Some(session.id.as_str()),
    })
}

async fn item(app: &App, user: &User) -> Result<Value, ApiError> {
    let roles = names_of(&app.state, &user.id).await?;
    let groups = app.state.groups_of_member(&user.id).await?;
    Ok(json!({
        "id": user.id,
        "name": user.name,
        "displayName": user.shown_name(),
        "mail": user.mail,
        "provider": user.provider,
        "disabled": user.is_disabled(),
        "disabledAt": time_text(user.disabled_at * MICROS),
        "createdAt": time_text(user.created_at * MICROS),
        "signedInAt": time_text(user.signed_in_at * MICROS),
        "groups": groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(),
        "roles": roles.iter().map(|(scope, role)| json!({"scope": scope, "role": role})).collect::<Vec<_>>(),
    }))
}
