//! `GET /api/about`: what this server is. Needs no sign-in, so it says nothing that a stranger may not know.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::App;

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/about", get(about))
}

async fn about(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({
        "product": "Watchkeeper",
        "version": env!("CARGO_PKG_VERSION"),
        "tenantId": app.tokens.tenant_id(),
        "uptimeSeconds": app.started.elapsed().as_secs(),
    }))
}
