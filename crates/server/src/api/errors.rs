//! Errors of our own API: `{"error": {"code", "message"}}`. Other protocols have their own shapes in their files.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use watchkeeper_authorization::Denied;
use watchkeeper_state::StateError;

use crate::audit::Reason;
use crate::identity::AuthError;

/// An answer that is not a success.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    /// Seconds for the header `Retry-After`.
    pub retry_after: Option<u64>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into(), retry_after: None }
    }

    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "BadArgumentError", message)
    }

    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    pub fn forbidden(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "InsufficientAccessError", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        let mut response = (self.status, Json(body)).into_response();
        response.extensions_mut().insert(Reason(self.message));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> ApiError {
        match error {
            AuthError::State(error) => error.into(),
            AuthError::Csrf => ApiError::forbidden(error.to_string()),
            AuthError::Missing | AuthError::Gone | AuthError::SignedOut | AuthError::SessionEnded => {
                ApiError::new(StatusCode::UNAUTHORIZED, "AuthorizationRequiredError", error.to_string())
            }
            AuthError::Token(error) => ApiError::new(StatusCode::UNAUTHORIZED, "InvalidTokenError", error.to_string()),
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> ApiError {
        ApiError::forbidden(denied.to_string())
    }
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> ApiError {
        match error {
            StateError::Missing { .. } => ApiError::not_found(error.to_string()),
            StateError::Exists { .. } | StateError::KeyRotation { .. } | StateError::SealAnew { .. } => {
                ApiError::new(StatusCode::CONFLICT, "Conflict", error.to_string())
            }
            StateError::Unknown { .. } => ApiError::bad_request(error.to_string()),
            error => {
                tracing::error!(%error, "operational store");
                ApiError::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalServerError",
                    "the operational store failed; the server's log says why",
                )
            }
        }
    }
}
