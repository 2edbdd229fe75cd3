//! `POST /api/logs`: the HTTP Data Collector API. Its rules are in `watchkeeper_ingest::data_collector`; here are
//! headers and answers.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::json;
use watchkeeper_ingest::data_collector::{self, Refusal, Request};
use watchkeeper_ingest::limits::DATA_COLLECTOR_BODY_BYTES;

use super::App;
use crate::audit::Reason;
use crate::authorization::{Need, Routes, post};

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/logs", post(Need::Public("signed with a key of the workspace"), accept))
        .body_limit(DATA_COLLECTOR_BODY_BYTES)
}

#[derive(Debug, Deserialize)]
struct Parameters {
    #[serde(rename = "api-version")]
    api_version: Option<String>,
}

async fn accept(
    State(app): State<Arc<App>>,
    Query(parameters): Query<Parameters>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => return answer(&Refusal::TooLarge),
        Err(error) => return answer(&Refusal::InvalidDataFormat(error.body_text())),
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("host").or_else(|| uri.host());
    let request = Request {
        api_version: parameters.api_version.as_deref(),
        host,
        authorization: text("authorization"),
        content_type: text("content-type"),
        content_encoding: text("content-encoding"),
        log_type: text("log-type"),
        x_ms_date: text("x-ms-date"),
        resource_id: text("x-ms-azureresourceid"),
        time_generated_field: text("time-generated-field"),
        body: &body,
    };
    match data_collector::accept(&app.ingest, &app.state, request, chrono::Utc::now()).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(refusal) => answer(&refusal),
    }
}

fn answer(refusal: &Refusal) -> Response {
    if let Refusal::UnspecifiedError(error) = refusal {
        tracing::error!(%error, "the operational store failed while a Data Collector request was checked");
    }
    let (status, code) = refusal.status();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = match code {
        Some(code) => json!({"Error": code, "Message": refusal.to_string()}),
        None => json!({"Message": refusal.to_string()}),
    };
    let mut response = (status, Json(body)).into_response();
    response.extensions_mut().insert(Reason(refusal.to_string()));
    if let Refusal::TooManyRequests { retry_after } = refusal {
        let seconds = HeaderValue::from(retry_after.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}
