//! `POST /api/v1/write`: Prometheus remote write 1.0. Its rules are in `watchkeeper_ingest::remote_write`; here are
//! headers, the sender and answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use watchkeeper_authorization::Action;
use watchkeeper_ingest::limits::TELEMETRY_BODY_BYTES;
use watchkeeper_ingest::remote_write;

use super::errors::ApiError;
use super::{App, senders};
use crate::authorization::{Need, Routes, post};

pub fn routes() -> Routes {
    Routes::new().route("/api/v1/write", post(Need::Sender(Action::SendData), accept)).body_limit(TELEMETRY_BODY_BYTES)
}

async fn accept(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !text("content-encoding").eq_ignore_ascii_case("snappy") {
        return Err(ApiError::bad_request("the header Content-Encoding has to be snappy"));
    }
    // 2.0 names its message in the content type, and asks receivers that do not know it for this answer
    let content_type = text("content-type");
    if !content_type.starts_with("application/x-protobuf") || content_type.contains("io.prometheus.write.v2") {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "only application/x-protobuf with prometheus.WriteRequest (remote write 1.0) is supported",
        ));
    }
    match remote_write::accept(&app.ingest, &body).await {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(senders::refused(&error)),
    }
}
