//! `/api/session`: signing in to the console, what the session may do, signing out.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::{Action, Scope};
use watchkeeper_state::User;

use super::App;
use super::errors::ApiError;
use super::people::{Source, user_of};
use crate::audit::{Trail, Who};
use crate::authorization::{Need, Routes, access_of, post};
use crate::identity::directories::Directory;
use crate::identity::{AuthError, SESSION_COOKIE, cookie};

/// What is kept of how a browser calls itself.
const MOST_CLIENT_CHARACTERS: usize = 200;

pub fn routes() -> Routes {
    Routes::new().route(
        "/api/session",
        post(Need::SignIn("sign-in of people"), sign_in)
            .get(Need::Public("whether there is a session, by its cookie"), show)
            .delete(Need::SignedIn("about the session itself"), sign_out),
    )
}

#[derive(Deserialize)]
struct SignIn {
    user: String,
    password: String,
}

async fn sign_in(
    State(app): State<Arc<App>>,
    trail: Trail,
    headers: HeaderMap,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<Response, ApiError> {
    trail.did("sign in", "console", "");
    let Json(SignIn { user: name, password }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    // a name that nobody has is not written down: it may be a password in the wrong field
    if let Some(user) = app.state.user_by_name(&name).await? {
        trail.is_said_to_be(Who::user(&user.id, &user.name));
    }
    let Some(user) = check_password(&app, &name, &password).await? else {
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "SignInFailed", "the name or the password is wrong"));
    };
    trail.is_by(Who::user(&user.id, &user.name));
    if !user.provider.is_empty() {
        trail.says("directory", user.provider.as_str());
    }
    open_session(&app, &user, &headers).await
}

/// Opens a session and hands its cookie to the browser.
pub(super) async fn open_session(app: &App, user: &User, headers: &HeaderMap) -> Result<Response, ApiError> {
    let client = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let client: String = client.chars().take(MOST_CLIENT_CHARACTERS).collect();
    let session = app.state.create_session(user, app.session_times, &client).await?;
    let cookie = format!(
        "{SESSION_COOKIE}={}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Strict",
        session.token, app.session_times.valid
    );
    let body = describe(app, user, &session.csrf).await?;
    Ok(([(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, "no-store".to_owned())], Json(body)).into_response())
}

/// The user, where name and password fit; many failures slow the name down.
pub(super) async fn check_password(app: &App, name: &str, password: &str) -> Result<Option<User>, ApiError> {
    let key = format!("user:{}", name.to_lowercase());
    if let Some(wait) = app.throttle.wait(&key, Instant::now()) {
        let seconds = wait.as_secs().max(1);
        let text = format!("too many failed sign-ins for this name; wait {seconds} s");
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManySignIns", text);
        error.retry_after = Some(seconds);
        return Err(error);
    }
    let user = match app.state.user_by_name(name).await? {
        Some(user) if user.provider.is_empty() => app.state.check_password(name, password).await?,
        _ => {
            let directories = app.sources.known(&app.state).await?.directories;
            match directories.is_empty() {
                // a name that nobody has takes as long as a wrong password
                true => app.state.check_password(name, password).await?,
                false => check_in_directories(app, &directories, name, password).await?,
            }
        }
    };
    match user {
        Some(_) => app.throttle.succeeded(&key),
        None => app.throttle.failed(&key, Instant::now()),
    }
    Ok(user)
}

/// The user whom the first directory that knows name and password says it is.
async fn check_in_directories(
    app: &App,
    directories: &[Arc<Directory>],
    name: &str,
    password: &str,
) -> Result<Option<User>, ApiError> {
    for directory in directories {
        let config = &directory.config;
        let person = match directory.sign_in(&app.state, name, password).await {
            Ok(Some(person)) => person,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(directory = config.name, error = format!("{error:#}"), "nobody signs in through it");
                continue;
            }
        };
        let source = Source { name: &config.name, create_users: config.create_users, groups: &config.groups };
        return match user_of(app, &source, &person).await? {
            Ok(user) => Ok(Some(user)),
            Err(text) => Err(ApiError::new(StatusCode::FORBIDDEN, "SignInFailed", text)),
        };
    }
    Ok(None)
}

async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let token = cookie(&headers, SESSION_COOKIE).ok_or(AuthError::Missing)?;
    let session = app.state.session(token).await?.ok_or(AuthError::SessionEnded)?;
    let body = describe(&app, &session.user, &session.csrf).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

async fn sign_out(State(app): State<Arc<App>>, trail: Trail, headers: HeaderMap) -> Result<Response, ApiError> {
    trail.did("sign out", "console", "");
    if let Some(token) = cookie(&headers, SESSION_COOKIE) {
        app.state.end_session(token).await?;
    }
    let gone = format!("{SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

async fn describe(app: &App, user: &User, csrf: &str) -> Result<Value, ApiError> {
    let access = access_of(&app.state, &user.id).await?;
    let workspaces: Vec<Value> = app
        .state
        .workspaces()
        .await?
        .into_iter()
        .filter(|workspace| access.check_any(Action::QueryData, &Scope::workspace(&workspace.id)).is_ok())
        .map(|workspace| json!({"id": workspace.id, "name": workspace.name}))
        .collect();
    let user = json!({
        "name": user.name, "displayName": user.shown_name(), "provider": user.provider, "roles": access.role_names(),
    });
    Ok(json!({"user": user, "workspaces": workspaces, "csrf": csrf}))
}
