//! `POST /dataCollectionRules/{immutableId}/streams/{stream}`: the Logs Ingestion API. Its rules are in
//! `watchkeeper_ingest::logs_ingestion`; here are headers, the sender and answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use watchkeeper_authorization::{Action, Scope};
use watchkeeper_ingest::IngestError;
use watchkeeper_ingest::limits::LOGS_INGESTION_BODY_BYTES;
use watchkeeper_ingest::logs_ingestion::rule::Properties;
use watchkeeper_ingest::logs_ingestion::{self, API_VERSIONS, Refusal, Request};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, post};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route("/dataCollectionRules/{rule}/streams/{stream}", post(Action::SendData, accept))
        .body_limit(LOGS_INGESTION_BODY_BYTES)
}

#[derive(Debug, Deserialize)]
struct Parameters {
    #[serde(rename = "api-version")]
    api_version: Option<String>,
}

async fn accept(
    State(app): State<Arc<App>>,
    Path((immutable_id, stream)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    match parameters.api_version.as_deref() {
        Some(version) if API_VERSIONS.contains(&version) => {}
        Some(version) => {
            let version: String = version.chars().take(40).collect();
            return Err(bad(
                "InvalidApiVersion",
                format!("the api-version {version:?} is not supported; use 2023-01-01"),
            ));
        }
        None => return Err(bad("MissingApiVersion", "the query parameter api-version is missing; use 2023-01-01")),
    }
    let missing = || {
        let id: String = immutable_id.chars().take(100).collect();
        let message = format!("Data collection rule with immutable Id '{id}' not found.");
        ApiError::new(StatusCode::NOT_FOUND, "NotFound", message)
    };
    let rule = app.state.collection_rule(&immutable_id).await?.ok_or_else(missing)?;
    let scope = Scope::workspace(&rule.workspace_id);
    if !caller.access.allows(Action::SendData, &scope) {
        let message = format!(
            "The authentication token provided does not have access to ingest data for the data collection rule with immutable Id '{immutable_id}'."
        );
        return Err(ApiError::new(StatusCode::FORBIDDEN, "OperationFailed", message));
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !content_type.eq_ignore_ascii_case("application/json") {
        let message = "the header Content-Type has to be application/json";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message));
    }
    let body = match body {
        Ok(body) => body,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Err(answer(&Refusal::ContentLengthLimitExceeded));
        }
        Err(error) => return Err(bad("InvalidPayload", error.body_text())),
    };
    let properties: Properties = serde_json::from_str(&rule.document).map_err(|error| {
        tracing::error!(rule = %rule.immutable_id, %error, "a stored data collection rule cannot be read");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "the stored rule cannot be read")
    })?;
    let request =
        Request { rule: &rule.immutable_id, stream: &stream, content_encoding: text("content-encoding"), body: &body };
    match logs_ingestion::accept(&app.ingest, &app.transforms, &properties, request).await {
        Ok(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => Err(answer(&refusal)),
    }
}

fn bad(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code, message)
}

fn answer(refusal: &Refusal) -> ApiError {
    let (status, code) = refusal.status();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut error = ApiError::new(status, code, refusal.to_string());
    if let Refusal::Rows(IngestError::BackPressure { retry_after }) = refusal {
        error.retry_after = Some(retry_after.as_secs().max(1));
    }
    error
}
