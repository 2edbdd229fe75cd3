//! People sign in to applications in their browser: authorization code with PKCE (RFC 6749, section 4.1; RFC 7636). The
//! endpoint's page is the console's, which knows who is signed in; it asks here for the code.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_identity::{Refusal, Scopes, check_challenge, redirect_fits, scopes_v1, scopes_v2};

use super::super::errors::ApiError;
use super::super::{App, base_url};
use super::client::{self, Client};
use super::token::Granted;
use super::{check_tenant, internal};
use crate::audit::Trail;
use crate::authorization::{Need, Routes, get, post};
use crate::console;

/// A code is redeemed at once, by a program.
const CODE_SECONDS: i64 = 300;

pub fn routes() -> Routes {
    Routes::new()
        .route("/{tenant}/oauth2/v2.0/authorize", get(Need::Public("sign-in of people to applications"), page))
        .route("/{tenant}/oauth2/authorize", get(Need::Public("sign-in of people to applications"), page))
        .route("/{tenant}/oauth2/v2.0/logout", get(Need::Public("sign-in of people to applications"), logout_page))
        .route("/{tenant}/oauth2/logout", get(Need::Public("sign-in of people to applications"), logout_page))
        .route("/api/sign-in/application", post(Need::Public("sign-in of people to applications"), describe))
        .route("/api/sign-in/authorize", post(Need::Person("the session of whoever signs in"), authorize))
        .route("/api/sign-in/logout", post(Need::Public("sign-in of people to applications"), after_logout))
}

/// The parameters of a request to sign in.
#[derive(Debug, Default)]
struct Asked {
    client_id: String,
    response_type: String,
    response_mode: String,
    redirect_uri: String,
    scope: String,
    resource: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
    prompt: String,
    login_hint: String,
}

impl Asked {
    fn read(query: &str) -> Asked {
        let mut asked = Asked::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match name.as_ref() {
                "client_id" => asked.client_id = value,
                "response_type" => asked.response_type = value,
                "response_mode" => asked.response_mode = value,
                "redirect_uri" => asked.redirect_uri = value,
                "scope" => asked.scope = value,
                "resource" => asked.resource = value,
                "state" => asked.state = Some(value),
                "nonce" => asked.nonce = Some(value),
                "code_challenge" => asked.code_challenge = value,
                "code_challenge_method" => asked.code_challenge_method = value,
                "prompt" => asked.prompt = value,
                "login_hint" => asked.login_hint = value,
                _ => {}
            }
        }
        asked
    }

    /// The application, where the browser may be sent back to it. Without that nothing of the request is believed.
    async fn client(&self, app: &App) -> Result<Client, Refusal> {
        if self.client_id.is_empty() {
            return Err(Refusal::missing("client_id"));
        }
        if self.redirect_uri.is_empty() {
            return Err(Refusal::missing("redirect_uri"));
        }
        let client = client::find(app, &self.client_id).await?;
        match redirect_fits(&self.redirect_uri, &client.redirect_uris) {
            true => Ok(client),
            false => Err(Refusal::redirect(&self.redirect_uri, &self.client_id)),
        }
    }

    /// What is wrong besides; the application is told.
    fn check(&self, base: &str) -> Result<Scopes, Refusal> {
        if self.response_type != "code" {
            return Err(Refusal::unsupported_response_type(&self.response_type));
        }
        if !["", "query", "fragment", "form_post"].contains(&self.response_mode.as_str()) {
            return Err(Refusal::unsupported_response_mode(&self.response_mode));
        }
        if self.code_challenge.is_empty() {
            return Err(Refusal::challenge_needed());
        }
        if self.code_challenge_method != "S256" || !check_challenge(&self.code_challenge) {
            return Err(Refusal::challenge_method());
        }
        match self.resource.as_str() {
            "" => scopes_v2(&self.scope, false, base),
            resource => scopes_v1(resource, false, base),
        }
    }

    /// Where and how the browser goes back, with an answer.
    fn back(&self, mut answer: Vec<(&'static str, String)>) -> Value {
        if let Some(state) = &self.state {
            answer.push(("state", state.clone()));
        }
        if self.response_mode == "form_post" {
            let fields: Value = answer.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
            return json!({"form": self.redirect_uri, "fields": fields});
        }
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &answer {
            text.append_pair(name, value);
        }
        let separator = match (self.response_mode.as_str(), self.redirect_uri.contains('?')) {
            ("fragment", _) => '#',
            (_, true) => '&',
            (_, false) => '?',
        };
        json!({"location": format!("{}{separator}{}", self.redirect_uri, text.finish())})
    }

    fn back_refused(&self, refusal: &Refusal) -> Value {
        self.back(vec![("error", refusal.error.to_owned()), ("error_description", refusal.description())])
    }
}

/// The console's page for people. What cannot be believed is answered here, and never sent on.
async fn page(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::read(uri.query().unwrap_or_default());
    if let Err(refusal) = check_tenant(&app, &tenant) {
        return console::refused(&refusal.description());
    }
    if let Err(refusal) = asked.client(&app).await {
        return console::refused(&refusal.description());
    }
    let mut response = console::serve(method, Uri::from_static("/"), headers).await;
    // an answer by form goes to the application, which the page's policy has to allow
    if let Some(policy) = console::policy_with_form(&asked.redirect_uri) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Signing out is the console's to do as well: it has the session.
async fn logout_page(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    match check_tenant(&app, &tenant) {
        Ok(()) => console::serve(method, Uri::from_static("/"), headers).await,
        Err(refusal) => console::refused(&refusal.description()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// The query of the page's address.
    query: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    query: String,
    /// Whether the person wants to sign in to the application.
    allow: bool,
}

/// What the page says to the person, signed in or not.
async fn describe(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(Request { query }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let asked = Asked::read(query.trim_start_matches('?'));
    let client = asked.client(&app).await.map_err(refused)?;
    let back = match asked.check(&base_url(&uri, &headers)) {
        Err(refusal) => Some(asked.back_refused(&refusal)),
        // nobody is to be asked: the application learns that somebody has to be
        Ok(_) if asked.prompt == "none" => Some(asked.back_refused(&Refusal::sign_in_needed())),
        Ok(_) => None,
    };
    Ok(Json(json!({
        "client": {"id": client.id, "name": client.name},
        "redirectUri": asked.redirect_uri,
        "prompt": asked.prompt,
        "loginHint": asked.login_hint,
        "back": back,
    })))
}

/// The answer of the person who is signed in: where the browser goes with it.
async fn authorize(
    State(app): State<Arc<App>>,
    trail: Trail,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Json<Answer>, JsonRejection>,
) -> Result<Response, ApiError> {
    let user = signed_in(&app, &method, &headers).await?;
    let Json(Answer { query, allow }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let asked = Asked::read(query.trim_start_matches('?'));
    let client = asked.client(&app).await.map_err(refused)?;
    trail.did("let application in", &client.name, "");
    trail.says("application", client.id.as_str());
    let back = match asked.check(&base_url(&uri, &headers)) {
        Err(refusal) => {
            trail.refused(refusal.description());
            asked.back_refused(&refusal)
        }
        Ok(_) if !allow => {
            trail.refused("the person did not want to");
            asked.back_refused(&Refusal::denied())
        }
        Ok(scopes) => {
            let granted = Granted {
                redirect_uri: asked.redirect_uri.clone(),
                challenge: asked.code_challenge.clone(),
                nonce: asked.nonce.clone(),
                ..Granted::from(scopes)
            };
            let request = serde_json::to_string(&granted).map_err(|error| refused(internal(error)))?;
            let code = app.state.create_code(&user.id, &client.id, &request, CODE_SECONDS).await?;
            tracing::info!(user = user.name, client = client.name, "a person signs in to an application");
            asked.back(vec![("code", code), ("session_state", user.id)])
        }
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(back)).into_response())
}

/// Where a person goes who signed out: an address of a registered application, or nowhere.
async fn after_logout(
    State(app): State<Arc<App>>,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(Request { query }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let query = query.trim_start_matches('?').to_owned();
    let value = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let Some(address) = value("post_logout_redirect_uri") else { return Ok(Json(json!({"location": null}))) };
    let known = app.state.principals().await?.into_iter().any(|one| redirect_fits(&address, &one.redirect_uris));
    if !known {
        return Ok(Json(json!({"location": null})));
    }
    let location = match value("state") {
        Some(state) => {
            let separator = if address.contains('?') { '&' } else { '?' };
            let state = form_urlencoded::Serializer::new(String::new()).append_pair("state", &state).finish();
            format!("{address}{separator}{state}")
        }
        None => address,
    };
    Ok(Json(json!({"location": location})))
}

/// The person whose session it is; a token does not sign in to applications.
pub(super) async fn signed_in(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
) -> Result<watchkeeper_state::User, ApiError> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(ApiError::forbidden("only a person with a session of the console can do that"));
    }
    let caller = app.caller(method, headers).await?;
    let user = app.state.user(&caller.subject).await?;
    user.ok_or_else(|| ApiError::forbidden("only a person with a session of the console can do that"))
}

/// A refusal for the console's pages.
pub(super) fn refused(refusal: Refusal) -> ApiError {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    ApiError::new(status, "SignInRefused", refusal.description())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://wk.example";
    const GOOD: &str = "client_id=c&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A8400&state=s%26t&\
         scope=openid+https%3A%2F%2Fapi.loganalytics.io%2F.default&code_challenge_method=S256&\
         code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn a_request_needs_a_code_a_challenge_and_a_known_resource() {
        assert!(Asked::read(GOOD).check(BASE).unwrap().openid);
        for (from, to, number) in [
            ("response_type=code", "response_type=token", 700_054),
            ("response_type=code", "response_type=code&response_mode=jwt", 90_013),
            ("code_challenge=E9M", "x=E9M", 9_002_325),
            ("method=S256", "method=plain", 50_147),
            ("api.loganalytics.io", "evil.example", 500_011),
        ] {
            let refusal = Asked::read(&GOOD.replace(from, to)).check(BASE).unwrap_err();
            assert_eq!(refusal.number, number, "{to}");
        }
    }

    #[test]
    fn the_browser_goes_back_as_it_was_asked_to() {
        let code = || vec![("code", "a b".to_owned())];
        let location = |query: &str| Asked::read(query).back(code())["location"].as_str().unwrap().to_owned();
        assert_eq!(location(GOOD), "http://localhost:8400?code=a+b&state=s%26t");
        assert_eq!(location(&format!("{GOOD}&response_mode=fragment")), "http://localhost:8400#code=a+b&state=s%26t");
        let form = Asked::read(&format!("{GOOD}&response_mode=form_post")).back(code());
        assert_eq!(form["form"], "http://localhost:8400");
        assert_eq!(form["fields"][1], json!({"name": "state", "value": "s&t"}));
        let refused = Asked::read(GOOD).back_refused(&Refusal::denied());
        assert!(refused["location"].as_str().unwrap().contains("error=access_denied&error_description=AADSTS65004"));
    }
}
