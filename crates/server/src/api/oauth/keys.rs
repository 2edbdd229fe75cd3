//! `/api/signing-keys`: the keys that sign tokens, and a new one before its time.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::errors::ApiError;
use super::super::users::administrator;
use super::super::{App, time_text};

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/signing-keys", get(list).post(rotate))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// Whether the tokens of before are to end: somebody may know the keys.
    #[serde(default)]
    forget: bool,
}

async fn list(State(app): State<Arc<App>>, method: Method, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    administrator(&app, &method, &headers).await?;
    Ok(Json(shown(&app)))
}

async fn rotate(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    body: Result<Json<Rotate>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    administrator(&app, &method, &headers).await?;
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
