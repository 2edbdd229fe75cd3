//! `/api/secrets`: what is encrypted in the operational store, never its value, and the key that it is encrypted with.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, get, post};
use crate::identity::Caller;
use crate::secrets;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/secrets", get(Action::ManageSecrets, list))
        .route("/api/secrets/keys", get(Action::ManageSecrets, keys))
        .route("/api/secrets/rotate", post(Action::ManageSecrets, rotate))
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    // an end that cannot be read is not a reason to show nothing
    let ends = app.expiry.items().await.unwrap_or_default();
    let rows = app.state.sealed_values().await?.into_iter().map(|one| {
        let end = ends.iter().find(|end| end.item.ends_with(&format!("connection/{}", one.of)));
        json!({
            "kind": one.kind,
            "name": one.name,
            "expires": end.and_then(|end| time_text(end.expires_at)),
            "key": one.key,
            "id": one.of,
        })
    });
    Ok(Json(rows.collect()))
}

async fn keys(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let keys = app.state.sealing_keys().await?.into_iter();
    Ok(Json(
        keys.map(|key| json!({"place": key.place.word(), "key": key.key, "since": time_text(key.since)})).collect(),
    ))
}

async fn rotate(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, ApiError> {
    // what was begun is done also when the caller goes away
    let (state, server_id) = (app.state.clone(), app.operations.server_id().to_owned());
    let work = tokio::spawn(async move { secrets::rotate(&state, &server_id).await });
    let rotated = work.await.map_err(|_| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "the server's log says why the work ended")
    })??;
    caller.did("replace key of secrets", &rotated.key, "");
    Ok(Json(json!({"key": rotated.key, "secrets": rotated.secrets})))
}
