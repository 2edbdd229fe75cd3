//! `/api/expiry`: secrets and certificates with their ends.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::clock;

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, get};

const DAY: i64 = 86_400_000_000;

pub fn routes() -> Routes {
    Routes::new().route("/api/expiry", get(Action::ReadCertificates, list))
}

#[derive(Deserialize)]
struct Within {
    /// Only what ends within so many days, or has ended.
    days: Option<i64>,
}

async fn list(State(app): State<Arc<App>>, Query(within): Query<Within>) -> Result<Json<Value>, ApiError> {
    let items = app.expiry.items().await.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "what ends cannot be listed");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", format!("{error:#}"))
    })?;
    let now = clock::now();
    let soonest = within.days.map(|days| now.saturating_add(days.saturating_mul(DAY)));
    let is_within = |at: i64| soonest.is_none_or(|last| at <= last);
    let rows = items.into_iter().filter(|item| is_within(item.expires_at)).map(|item| {
        json!({
            "kind": item.kind,
            "name": item.name,
            "expires": time_text(item.expires_at),
            "daysLeft": (item.expires_at - now).div_euclid(DAY),
            "severity": item.stage(now).severity(),
            "renewsItself": item.renews_itself,
            "advice": item.advice,
            "item": item.item,
        })
    });
    Ok(Json(rows.collect()))
}
