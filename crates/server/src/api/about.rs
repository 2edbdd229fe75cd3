//! `GET /api/about`: what this server is. Needs no sign-in, so it says nothing that a stranger may not know.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::App;
use crate::authorization::{Need, Routes, get};

pub fn routes() -> Routes {
    Routes::new().route("/api/about", get(Need::Public("what runs here, for the sign-in page"), about))
}

async fn about(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({
        "product": "Watchkeeper",
        "version": env!("CARGO_PKG_VERSION"),
        "tenantId": app.tokens.tenant_id(),
        "uptimeSeconds": app.started.elapsed().as_secs(),
    }))
}
