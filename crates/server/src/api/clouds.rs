//! `/api/clouds`: the environments that connections can lead to.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;

use super::App;
use crate::authorization::{Routes, get};

pub fn routes() -> Routes {
    Routes::new().route("/api/clouds", get(Action::ReadSettings, list))
}

async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let rows = app.clouds.all().map(|cloud| {
        json!({
            "name": cloud.name,
            "title": cloud.title,
            "aliases": cloud.aliases,
            "isOwn": cloud.is_own(),
            "authority": cloud.authority,
            "resourceManager": cloud.resource_manager,
            "logAnalytics": cloud.log_analytics,
            "graph": cloud.graph,
        })
    });
    Json(rows.collect())
}
