//! People sign in on another device (RFC 8628): the program shows a code, the person types it on the console's page
//! `/device` and confirms.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_identity::{Refusal, scopes_v1, scopes_v2};
use watchkeeper_state::random_bytes;

use super::super::errors::ApiError;
use super::super::{App, base_url};
use super::authorize::{refused, signed_in};
use super::token::{DEVICE_INTERVAL, Granted};
use super::{Refused, check_tenant, client, internal};
use crate::audit::Trail;
use crate::authorization::{Need, Routes, post};

/// How long a code waits for the person.
const CODE_SECONDS: i64 = 900;
/// Letters that are not mistaken for each other, without vowels (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// 20 to the power of 8 codes.
const CODE_LETTERS: usize = 8;

pub fn routes() -> Routes {
    Routes::new()
        .route("/{tenant}/oauth2/v2.0/devicecode", post(Need::Public("sign-in of devices"), begin))
        .route("/{tenant}/oauth2/devicecode", post(Need::Public("sign-in of devices"), begin))
        .route("/api/sign-in/device", post(Need::Person("the session of whoever signs in"), answer))
}

async fn begin(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match begun(&app, &tenant, &uri, &headers, &body).await {
        Ok(body) => ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response(),
        Err(refusal) => Refused(refusal).into_response(),
    }
}

async fn begun(app: &App, tenant: &str, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    check_tenant(app, tenant)?;
    let field = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(body);
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let client_id = field("client_id").ok_or_else(|| Refusal::missing("client_id"))?;
    let client = client::find(app, &client_id).await?;
    let base = base_url(uri, headers);
    let scopes = match (field("scope"), field("resource")) {
        (Some(scope), _) => scopes_v2(&scope, false, &base)?,
        (None, Some(resource)) => scopes_v1(&resource, false, &base)?,
        (None, None) => return Err(Refusal::missing("scope")),
    };
    let request = serde_json::to_string(&Granted::from(scopes)).map_err(internal)?;
    let user_code = user_code();
    let made = app.state.create_device_code(&client.id, &user_code, &request, CODE_SECONDS).await.map_err(internal)?;
    let device_code = made.ok_or_else(|| Refusal::too_many(60))?;
    let address = format!("{base}/device");
    let message = format!(
        "To sign in, use a web browser to open the page {address} and enter the code {user_code} to authenticate."
    );
    // version 1 calls the address otherwise
    let name = if uri.path().contains("/v2.0/") { "verification_uri" } else { "verification_url" };
    Ok(json!({
        "user_code": user_code,
        "device_code": device_code,
        name: address,
        "verification_uri_complete": format!("{address}?code={user_code}"),
        "expires_in": CODE_SECONDS,
        "interval": DEVICE_INTERVAL,
        "message": message,
    }))
}

/// A code for people to type: eight letters of twenty.
fn user_code() -> String {
    let mut code = String::new();
    while code.len() < CODE_LETTERS {
        for byte in random_bytes::<16>() {
            // every letter as often as the others
            if usize::from(byte) < 256 / LETTERS.len() * LETTERS.len() && code.len() < CODE_LETTERS {
                code.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            }
        }
    }
    code
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// What the person typed.
    code: String,
    /// None: only what waits is asked.
    allow: Option<bool>,
}

/// What waits for the person with a code, and the person's answer. Who guesses codes is slowed down.
async fn answer(
    State(app): State<Arc<App>>,
    trail: Trail,
    method: Method,
    headers: HeaderMap,
    body: Result<Json<Answer>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let user = signed_in(&app, &method, &headers).await?;
    let Json(Answer { code, allow }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    let key = format!("device:{}", user.id);
    if let Some(wait) = app.throttle.wait(&key, Instant::now()) {
        let seconds = wait.as_secs().max(1);
        let text = format!("too many codes that do not exist; wait {seconds} s");
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManyCodes", text);
        error.retry_after = Some(seconds);
        return Err(error);
    }
    let Some(waiting) = app.state.device_request(&code).await? else {
        app.throttle.failed(&key, Instant::now());
        return Err(ApiError::not_found("no sign-in waits for this code: it was typed wrongly, used, or is over"));
    };
    app.throttle.succeeded(&key);
    let client = client::find(&app, &waiting.client_id).await.map_err(refused)?;
    trail.did("let application in on another device", &client.name, "");
    trail.says("application", client.id.as_str());
    let status = match allow {
        None => {
            trail.is_no_change();
            "waiting"
        }
        Some(allow) => {
            if !app.state.answer_device(&code, &user.id, user.token_generation, allow).await? {
                return Err(ApiError::not_found("the code was answered already, or is over"));
            }
            tracing::info!(user = user.name, client = client.name, allow, "a sign-in on another device");
            if !allow {
                trail.refused("the person did not want to");
            }
            if allow { "granted" } else { "declined" }
        }
    };
    Ok(Json(json!({"client": {"id": client.id, "name": client.name}, "status": status})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_eight_letters_of_twenty() {
        let codes: std::collections::HashSet<String> = (0..100).map(|_| user_code()).collect();
        assert_eq!(codes.len(), 100);
        assert!(codes.iter().all(|code| code.len() == 8 && code.bytes().all(|letter| LETTERS.contains(&letter))));
    }
}
