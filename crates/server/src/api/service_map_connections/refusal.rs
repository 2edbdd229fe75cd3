//! Refusals of these routes: as elsewhere, and with the field that is to be looked at.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use watchkeeper_servicemap::Problem;
use watchkeeper_state::StateError;

use super::Body;
use crate::api::errors::ApiError;
use crate::audit::Reason;

/// An answer that is not a success.
pub(super) enum Refusal {
    /// A field is wrong.
    Field {
        code: &'static str,
        message: String,
        target: &'static str,
    },
    Other(ApiError),
}

impl Refusal {
    pub fn field(target: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::Field { code: "BadArgumentError", message: message.into(), target }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        Refusal::Other(error)
    }
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Refusal {
        match error {
            StateError::Exists { .. } => {
                Refusal::Field { code: "Conflict", message: error.to_string(), target: "name" }
            }
            error => Refusal::Other(error.into()),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal::Field { code: problem.kind.code(), message: problem.to_string(), target: problem.kind.field() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::Other(error) => error.into_response(),
            Refusal::Field { code, message, target } => {
                let status = if code == "Conflict" { StatusCode::CONFLICT } else { StatusCode::BAD_REQUEST };
                let body = json!({"error": {"code": code, "message": message, "target": target}});
                let mut response = (status, Json(body)).into_response();
                response.extensions_mut().insert(Reason(message));
                response
            }
        }
    }
}

/// A body. What serde says of a text would show it: the secret may be in it.
pub(super) fn read<T>(body: Body<T>) -> Result<T, Refusal> {
    let Json(asked) = body.map_err(|error| match error {
        JsonRejection::JsonDataError(_) => ApiError::bad_request(
            "the body is not what this route takes: a member is missing, unknown or of another type",
        ),
        error => ApiError::bad_request(error.body_text()),
    })?;
    Ok(asked)
}
