//! `/api/signing-keys`: the keys that sign tokens, and a new one before its time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;

use super::super::errors::ApiError;
use super::super::{App, time_text};
use crate::authorization::{Routes, get};

pub fn routes() -> Routes {
    Routes::new().route("/api/signing-keys", get(Action::ReadPrincipals, list).post(Action::ManageSecrets, rotate))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// Whether the tokens of before are to end: somebody may know the keys.
    #[serde(default)]
    forget: bool,
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    Ok(Json(shown(&app)))
}

async fn rotate(
    State(app): State<Arc<App>>,
    body: Result<Json<Rotate>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(Rotate { forget }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    app.tokens.rotate(forget).await.map_err(|error| {
        tracing::error!(%error, "signing keys");
        let text = "there is no new key; the server's log says why";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", text)
    })?;
    Ok(Json(shown(&app)))
}

fn shown(app: &App) -> Value {
    let keys = app.tokens.keys();
    let time = |seconds: i64| time_text(seconds.saturating_mul(1_000_000));
    keys.iter()
        .map(|key| json!({"id": key.id, "createdAt": time(key.created_at), "signsFrom": time(key.signs_from)}))
        .collect()
}
