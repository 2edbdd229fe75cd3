//! `/api/pools`: resource pools with their members and whether they can work.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use watchkeeper_management::pools::has_quorum;

use super::App;
use super::errors::ApiError;
use super::management::reader;
use super::time_text;

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/pools", get(list))
}

async fn list(State(app): State<Arc<App>>, method: Method, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    reader(&app, &method, &headers).await?;
    let now = app.state.clock().await?;
    let servers = app.state.servers().await?;
    let pools = app.state.pools().await?;
    let member = |id: &String| {
        let server = servers.iter().find(|server| server.server_id == *id);
        json!({
            "id": id,
            "name": server.map(|server| server.name.clone()),
            "kind": server.map(|server| server.kind.clone()),
            "alive": server.is_some_and(|server| server.alive_until > now),
            "aliveUntil": server.and_then(|server| time_text(server.alive_until)),
        })
    };
    let items = pools.iter().map(|pool| {
        json!({
            "id": pool.pool_id,
            "name": pool.name,
            "automatic": pool.automatic,
            "defaultObserver": pool.default_observer,
            "members": pool.members.iter().map(member).collect::<Vec<_>>(),
            "observers": pool.observers.iter().map(member).collect::<Vec<_>>(),
            "hasQuorum": has_quorum(pool, &servers, now),
        })
    });
    Ok(Json(items.collect()))
}
