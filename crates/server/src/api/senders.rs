//! Senders of telemetry that know no OAuth (Prometheus, OpenTelemetry exporters): the workspace's id and key as user and
//! password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use ring::digest::{SHA256, digest};
use watchkeeper_ingest::IngestError;

use super::App;
use super::errors::ApiError;

/// User and password, where a sender has sent them instead of a token.
pub fn basic(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| credentials.trim())
}

/// Checks that user and password are the id of the workspace and one of its keys.
pub async fn allow_key(app: &App, credentials: &str) -> Result<(), ApiError> {
    let refused = || {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "InvalidCredentials",
            "the user has to be the workspace's id, the password its primary or secondary key",
        )
    };
    let plain = STANDARD.decode(credentials).map_err(|_| refused())?;
    let plain = String::from_utf8(plain).map_err(|_| refused())?;
    let (id, key) = plain.split_once(':').ok_or_else(refused)?;
    if !id.eq_ignore_ascii_case(&app.workspace_id) {
        return Err(refused());
    }
    let workspace = app.state.workspace(&app.workspace_id).await?.ok_or_else(refused)?;
    // digests are compared: the time says nothing about where keys differ
    let sent = digest(&SHA256, key.as_bytes());
    let is_key = |key: &str| digest(&SHA256, key.as_bytes()).as_ref() == sent.as_ref();
    if is_key(&workspace.primary_key) | is_key(&workspace.secondary_key) { Ok(()) } else { Err(refused()) }
}

/// The answer to rows that were not taken, in the shape of our own API.
pub fn refused(error: &IngestError) -> ApiError {
    let message = error.to_string();
    match error {
        IngestError::BackPressure { retry_after } => ApiError {
            retry_after: Some(retry_after.as_secs().max(1)),
            ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
        },
        IngestError::Unavailable { .. } => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
        }
        IngestError::TooLarge { .. } => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "ContentTooLarge", message),
        _ => ApiError::bad_request(message),
    }
}
