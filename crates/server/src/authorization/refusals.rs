//! How a refusal is told: each protocol's clients read errors in a shape of their own.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::api::errors::ApiError;
use crate::api::{kusto, otlp};

/// The answer to a request that was not let in.
pub fn in_protocol(parts: &Parts, error: ApiError) -> Response {
    let path = parts.uri.path();
    let is_below = |start: &str| path.starts_with(start);
    let with_code = |code| ApiError { code, ..error.clone() };
    let is_forbidden = error.status == StatusCode::FORBIDDEN;
    if is_below("/opentelemetry.proto.") {
        otlp::refused_call(error)
    } else if path == "/v1/logs" || path == "/v1/metrics" {
        otlp::refused(&parts.headers, error)
    } else if !is_forbidden {
        error.into_response()
    } else if is_below("/v1/rest/") || is_below("/v2/rest/") {
        kusto::refused(&parts.headers, error)
    } else if is_below("/subscriptions") || is_below("/providers") {
        with_code("AuthorizationFailed").into_response()
    } else if is_below("/dataCollectionRules/") {
        with_code("OperationFailed").into_response()
    } else {
        error.into_response()
    }
}
