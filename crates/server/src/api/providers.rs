//! `/api/sign-in/providers`: signing in to the console through a company's OpenID Connect provider.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use watchkeeper_state::{SignInAttempt, random_token};

use super::errors::ApiError;
use super::people::{Source, user_of};
use super::session::open_session;
use super::{App, base_url};
use crate::audit::{Trail, Who};
use crate::authorization::{Need, Routes, get};
use crate::console;
use crate::identity::cookie;
use crate::identity::providers::Provider;

/// Ties the way back to the browser that went. Not Strict: the provider's page leads back here.
const ATTEMPT_COOKIE: &str = "__Host-watchkeeper-attempt";
const PEOPLE: &str = "sign-in of people through a provider";
/// How long a person may take at the provider.
const ATTEMPT_SECONDS: i64 = 900;

pub fn routes() -> Routes {
    let people = || Need::Public(PEOPLE);
    Routes::new()
        .route("/api/sign-in/providers", get(people(), list))
        .route("/api/sign-in/providers/{name}/start", get(people(), start))
        .route("/api/sign-in/providers/{name}/callback", get(Need::SignIn(PEOPLE), callback))
}

/// What the sign-in page offers.
async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let known = app.sources.known(&app.state).await?;
    let shown = known.providers.iter().map(|one| json!({"name": one.config.name, "label": label(one)}));
    Ok(Json(shown.collect()))
}

fn label(provider: &Provider) -> &str {
    match provider.config.label.as_str() {
        "" => &provider.config.name,
        label => label,
    }
}

async fn find(app: &App, name: &str) -> Result<Arc<Provider>, ApiError> {
    let known = app.sources.known(&app.state).await?;
    let found = known.provider(name).cloned();
    found.ok_or_else(|| ApiError::not_found(format!("there is no provider that is called {name:?}")))
}

/// Where a provider sends browsers back to.
pub(super) fn redirect_uri(base: &str, name: &str) -> String {
    format!("{base}/api/sign-in/providers/{name}/callback")
}

/// The value of a parameter of an address.
fn parameter(uri: &Uri, wanted: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

/// Sends the browser to the provider.
async fn start(State(app): State<Arc<App>>, Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let Ok(provider) = find(&app, &name).await else { return console::refused("There is no such provider.") };
    // only pages of this very server
    let wanted = parameter(&uri, "return").unwrap_or_default();
    let is_own = wanted.starts_with('/') && !wanted.starts_with("//") && !wanted.contains('\\');
    let (nonce, verifier) = (random_token(), random_token());
    let attempt = SignInAttempt {
        provider: name.clone(),
        nonce: nonce.clone(),
        verifier: verifier.clone(),
        return_to: if is_own { wanted } else { "/".to_owned() },
    };
    let state = match app.state.begin_sign_in(&attempt, ATTEMPT_SECONDS).await {
        Ok(state) => state,
        Err(error) => return failed(&name, &error),
    };
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let back = redirect_uri(&base_url(&uri, &headers), &name);
    match provider.authorization_url(&back, &state, &nonce, &challenge).await {
        Ok(address) => {
            let kept =
                format!("{ATTEMPT_COOKIE}={state}; Path=/; Max-Age={ATTEMPT_SECONDS}; HttpOnly; Secure; SameSite=Lax");
            redirect(&address, &[kept])
        }
        Err(error) => failed(&name, &error),
    }
}

/// The browser comes back.
async fn callback(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    trail: Trail,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    trail.did("sign in", "console", "");
    trail.says("provider", name.as_str());
    let refused = |text: &str| {
        trail.refused(text);
        console::refused(text)
    };
    let failed = |provider: &str, error: &dyn std::fmt::Display| {
        trail.refused(error.to_string());
        failed(provider, error)
    };
    let Ok(provider) = find(&app, &name).await else { return refused("There is no such provider.") };
    let state = parameter(&uri, "state").unwrap_or_default();
    if state.is_empty() || cookie(&headers, ATTEMPT_COOKIE) != Some(state.as_str()) {
        return refused("This sign-in was not begun in this browser, or took too long. Begin it again.");
    }
    let attempt = match app.state.end_sign_in(&state).await {
        Ok(Some(attempt)) if attempt.provider == name => attempt,
        Ok(_) => return refused("This sign-in is over, or took too long. Begin it again."),
        Err(error) => return failed(&name, &error),
    };
    // who answers names itself (RFC 9207), so that one provider's answer is not taken for another's
    if parameter(&uri, "iss").is_some_and(|said| said != provider.config.issuer) {
        return refused("Another provider answered than was asked. Begin the sign-in again.");
    }
    if let Some(error) = parameter(&uri, "error") {
        let text = parameter(&uri, "error_description").unwrap_or_default();
        return refused(&format!("The provider refused: {error}. {text}"));
    }
    let code = parameter(&uri, "code").unwrap_or_default();
    let back = redirect_uri(&base_url(&uri, &headers), &name);
    let person = match provider.redeem(&app.state, &back, &code, &attempt.verifier, &attempt.nonce).await {
        Ok(person) => person,
        Err(error) => return failed(&name, &error),
    };
    let config = &provider.config;
    let source = Source { name: &config.name, create_users: config.create_users, groups: &config.groups };
    let user = match user_of(&app, &source, &person).await {
        Ok(Ok(user)) => user,
        Ok(Err(text)) => return refused(&text),
        Err(error) => return failed(&name, &error.message),
    };
    trail.is_by(Who::user(&user.id, &user.name));
    match open_session(&app, &user, &headers).await {
        Ok(opened) => {
            let cookies = opened.headers().get_all(header::SET_COOKIE);
            let mut cookies: Vec<String> =
                cookies.iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect();
            cookies.push(format!("{ATTEMPT_COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"));
            tracing::info!(user = user.name, provider = name, "a person signed in through a provider");
            let separator = if attempt.return_to.contains('?') { '&' } else { '?' };
            redirect(&format!("{}{separator}signed-in", attempt.return_to), &cookies)
        }
        Err(error) => failed(&name, &error.message),
    }
}

/// What went wrong is in the log, and as much of it as helps on the page.
fn failed(provider: &str, error: &dyn std::fmt::Display) -> Response {
    tracing::warn!(provider, %error, "a sign-in through a provider failed");
    console::refused(&format!("The sign-in through {provider} failed: {error}."))
}

fn redirect(address: &str, cookies: &[String]) -> Response {
    let Ok(location) = HeaderValue::from_str(address) else {
        return console::refused("The provider's address cannot stand in a header.");
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}
