//! `/api/alert-deliveries`: the queue, what was delivered, dead letters and their replay.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_state::{AlertDelivery, DeliveryFilter, DeliveryStatus};

use crate::api::errors::ApiError;
use crate::api::{App, time_text};
use crate::authorization::{Routes, get, post};
use crate::identity::Caller;

const MOST: u32 = 1000;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/alert-deliveries", get(Action::ReadDeliveries, list))
        .route("/api/alert-deliveries/replay", post(Action::ReplayDeliveries, replay_dead))
        .route("/api/alert-deliveries/{id}", get(Action::ReadDeliveries, show))
        .route("/api/alert-deliveries/{id}/replay", post(Action::ReplayDeliveries, replay))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// `waiting`, `delivered`, `dead`, or all.
    status: Option<String>,
    alert: Option<String>,
    limit: Option<u32>,
}

async fn list(State(app): State<Arc<App>>, Query(filter): Query<Filter>) -> Result<Json<Value>, ApiError> {
    let status = match filter.status.as_deref().map(str::to_lowercase).as_deref() {
        None | Some("all") => None,
        Some("waiting") => Some(DeliveryStatus::Waiting),
        Some("delivered") => Some(DeliveryStatus::Delivered),
        Some("dead") => Some(DeliveryStatus::Dead),
        Some(other) => {
            let message = format!("status is {other:?}; it can be waiting, delivered, dead or all");
            return Err(ApiError::bad_request(message));
        }
    };
    let filter =
        DeliveryFilter { status, alert_id: filter.alert, endpoint: None, limit: filter.limit.unwrap_or(200).min(MOST) };
    let found = app.state.alert_deliveries(&filter).await?;
    Ok(Json(found.iter().map(item).collect()))
}

async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let found = app.state.alert_delivery(&id).await?.ok_or_else(|| missing(&id))?;
    let mut body = item(&found);
    body["notice"] = found.document["notice"].clone();
    Ok(Json(body))
}

async fn replay(State(app): State<Arc<App>>, Path(id): Path<String>, caller: Caller) -> Result<Json<Value>, ApiError> {
    if !app.alerting.replay(&id, &caller.name).await? {
        return match app.state.alert_delivery(&id).await? {
            Some(_) => Err(ApiError::bad_request(format!("the delivery {id} has arrived; there is nothing to replay"))),
            None => Err(missing(&id)),
        };
    }
    let found = app.state.alert_delivery(&id).await?.ok_or_else(|| missing(&id))?;
    Ok(Json(item(&found)))
}

/// All dead letters.
async fn replay_dead(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let filter = DeliveryFilter { status: Some(DeliveryStatus::Dead), limit: MOST, ..DeliveryFilter::default() };
    let mut replayed = 0;
    for delivery in app.state.alert_deliveries(&filter).await? {
        replayed += usize::from(app.alerting.replay(&delivery.id, &caller.name).await?);
    }
    Ok(Json(json!({"replayed": replayed})))
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no delivery {id}; delivered ones are kept for a week"))
}

fn item(delivery: &AlertDelivery) -> Value {
    let document = &delivery.document;
    json!({
        "id": delivery.id,
        "alertId": delivery.alert_id,
        "alertName": document["alertName"],
        "actionGroup": document["actionGroup"],
        "receiver": document["receiver"],
        "receiverType": document["receiverType"],
        "target": document["target"],
        "event": document["event"],
        "status": match delivery.status {
            DeliveryStatus::Waiting => "Waiting",
            DeliveryStatus::Delivered => "Delivered",
            DeliveryStatus::Dead => "Dead",
        },
        "attempts": delivery.attempts,
        "error": document["error"],
        "createdAt": time_text(delivery.created_at),
        "nextAttempt": if delivery.status == DeliveryStatus::Waiting { time_text(delivery.next_at) } else { None },
        "finishedAt": time_text(delivery.finished_at),
        "durationMs": document["durationMs"],
    })
}
