//! `/api/enrolment-tokens`: tokens with which new agents join.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::token_hash;
use watchkeeper_state::EnrolmentToken;

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, delete, get};
use crate::identity::Caller;

const SECOND: i64 = 1_000_000;
/// Digits of a token's hash that name it.
const NAME_DIGITS: usize = 12;
const LONGEST_HOURS: u64 = 24 * 365;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/enrolment-tokens",
            get(Action::ReadEnrolmentTokens, list).post(Action::WriteEnrolmentTokens, create),
        )
        .route("/api/enrolment-tokens/{token}", delete(Action::DeleteEnrolmentTokens, revoke))
}

fn name(hash: &str) -> &str {
    hash.get(..NAME_DIGITS).unwrap_or(hash)
}

fn show(token: &EnrolmentToken) -> Value {
    json!({
        "id": name(&token.hash),
        "description": token.description,
        "createdAt": time_text(token.created_at * SECOND),
        "expiresAt": token.expires_at.and_then(|end| time_text(end * SECOND)),
        "usesLeft": token.uses_left,
    })
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    Ok(Json(app.state.enrolment_tokens().await?.iter().map(show).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Create {
    #[serde(default)]
    description: String,
    /// A day where it is not given; 0: it does not end.
    valid_hours: Option<u64>,
    /// How many agents may join with it; any number where it is not given.
    uses: Option<u32>,
}

/// The answer is the only time that the token is shown.
async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Create>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let hours = asked.valid_hours.unwrap_or(24);
    if hours > LONGEST_HOURS {
        return Err(ApiError::bad_request(format!(
            "validHours is {hours}; at most {LONGEST_HOURS} (a year) is allowed, or 0 for a token that does not end"
        )));
    }
    if asked.uses == Some(0) {
        return Err(ApiError::bad_request("uses is 0; a token is for one agent at least"));
    }
    let busy = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "no agents are taken yet");
    let management = app.operations.management().ok_or_else(busy)?;
    let valid = (hours > 0).then(|| Duration::from_secs(hours * 3600));
    let token = management.create_token(&asked.description, valid, asked.uses).await.map_err(|error| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", format!("the token cannot be kept: {error}"))
    })?;
    let hash = token_hash(&token);
    caller.did("create enrolment token", name(&hash), &asked.description);
    let endpoints = app.state.agent_endpoints().await?;
    let answer = json!({
        "id": name(&hash),
        "token": token,
        "agentEndpoints": endpoints.iter().map(|(_, endpoint)| endpoint).collect::<Vec<_>>(),
        "caFingerprint": management.fingerprint().to_string(),
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn revoke(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let tokens = app.state.enrolment_tokens().await?;
    let Some(found) = tokens.iter().find(|known| name(&known.hash) == token) else {
        return Err(ApiError::not_found(format!(
            "there is no enrolment token {token:?}; `watchkeeper tokens list` lists them"
        )));
    };
    app.state.delete_enrolment_token(&found.hash).await?;
    caller.did("revoke enrolment token", &token, "");
    Ok(StatusCode::NO_CONTENT)
}
