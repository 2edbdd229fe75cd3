//! Errors in the shape that Kusto's clients read (OneApi): what failed, whether trying again can help, which request.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use watchkeeper_kql::Code;
use watchkeeper_query::{QueryError, shape};

use crate::api::log_analytics;
use crate::audit::Reason;
use crate::queries::{Origin, ticks_now};

/// A failure before it knows its request.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    code: &'static str,
    summary: &'static str,
    kind: &'static str,
    message: String,
    permanent: bool,
    inner: Option<Box<Value>>,
}

const INVALID: &str = "Request is invalid and cannot be executed.";

impl Failure {
    pub fn bad_request(message: impl Into<String>) -> Failure {
        Failure {
            status: StatusCode::BAD_REQUEST,
            code: "General_BadRequest",
            summary: INVALID,
            kind: "Kusto.Data.Exceptions.KustoBadRequestException",
            message: message.into(),
            permanent: true,
            inner: None,
        }
    }

    pub fn forbidden(message: impl Into<String>) -> Failure {
        Failure {
            status: StatusCode::FORBIDDEN,
            code: "Forbidden",
            summary: "Caller is not authorized to perform this action",
            kind: "Kusto.Data.Exceptions.KustoRequestDeniedException",
            ..Failure::bad_request(message)
        }
    }

    pub fn no_database(name: &str) -> Failure {
        Failure {
            code: "BadRequest_DatabaseNotExist",
            kind: "Kusto.Data.Exceptions.DatabaseNotFoundException",
            ..Failure::bad_request(format!("Database '{name}' was not found."))
        }
    }

    pub fn no_entity(kind: &str, name: &str) -> Failure {
        Failure {
            code: "BadRequest_EntityNotFound",
            kind: "Kusto.Data.Exceptions.EntityNotFoundException",
            ..Failure::bad_request(format!("{kind} '{name}' was not found."))
        }
    }

    pub fn internal(message: impl Into<String>) -> Failure {
        Failure {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "Internal service error",
            summary: "Request failed inside the service.",
            kind: "Kusto.Data.Exceptions.KustoServiceException",
            permanent: false,
            ..Failure::bad_request(message)
        }
    }

    /// The error of a query text.
    pub fn of_query(text: &str, error: &QueryError) -> Failure {
        match error {
            QueryError::Diagnostics { diagnostics, .. } => {
                let Some(first) = diagnostics.first() else { return Failure::bad_request(error.to_string()) };
                let syntax = diagnostics.iter().any(|each| each.code == Code::Syntax);
                let (prefix, kind) = match syntax {
                    true => ("Syntax error", "Kusto.Data.Exceptions.SyntaxException"),
                    false => ("Semantic error", "Kusto.Data.Exceptions.SemanticException"),
                };
                let place = log_analytics::inner(text, first);
                let code = place["code"].as_str().unwrap_or_default();
                let (line, position) = first.line_column(text);
                let message = format!("{prefix}: {code}: {first} [line:position={line}:{position}]");
                let inner = json!({
                    "code": code,
                    "message": INVALID,
                    "@type": kind,
                    "@message": message,
                    "@errorCode": code,
                    "@errorMessage": first.to_string(),
                    "@line": line,
                    "@pos": position,
                    "@token": place["token"],
                    "@permanent": true,
                });
                let message = format!("Request is invalid and cannot be processed: {message}");
                Failure { inner: Some(Box::new(inner)), ..Failure::bad_request(message) }
            }
            QueryError::Deadline { .. } => Failure {
                status: StatusCode::GATEWAY_TIMEOUT,
                code: "Timeout",
                summary: "Request has timed out.",
                kind: "Kusto.Data.Exceptions.KustoServiceTimeoutException",
                permanent: false,
                ..Failure::bad_request(error.to_string())
            },
            QueryError::Cancelled => Failure {
                code: "Request_Canceled",
                summary: "Request was canceled.",
                kind: "Kusto.Data.Exceptions.KustoRequestCanceledByUserException",
                ..Failure::bad_request("Query cancelled by the user's request")
            },
            QueryError::Memory { .. } => Failure {
                code: "LimitsExceeded",
                kind: "Kusto.Data.Exceptions.KustoServicePartialQueryFailureLowMemoryConditionException",
                ..Failure::bad_request(format!("{error} (E_LOW_MEMORY_CONDITION)"))
            },
            QueryError::Limit { .. } => Failure {
                code: "LimitsExceeded",
                kind: "Kusto.Data.Exceptions.KustoServicePartialQueryFailureLimitsExceededException",
                ..Failure::bad_request(format!("{error} (E_RUNAWAY_QUERY)"))
            },
            QueryError::Denied { .. } => Failure::forbidden(error.to_string()),
            QueryError::Execution { .. } => Failure::bad_request(error.to_string()),
        }
    }

    /// The answer to a request.
    pub fn answer(self, database: &str, text: &str, origin: &Origin) -> Response {
        let mut error = json!({
            "code": self.code,
            "message": self.summary,
            "@type": self.kind,
            "@message": self.message,
            "@context": {
                "timestamp": shape::cell::datetime(ticks_now()),
                "serviceAlias": "WATCHKEEPER",
                "clientRequestId": origin.request_id,
                "activityId": origin.activity_id,
            },
            "@permanent": self.permanent,
            "@text": text,
            "@database": database,
            "@ClientRequestId": origin.request_id,
            "@ActivityId": origin.activity_id,
        });
        if let Some(inner) = self.inner {
            error["innererror"] = *inner;
        }
        let mut response = (self.status, Json(json!({"error": error}))).into_response();
        response.extensions_mut().insert(Reason(self.message));
        response
    }
}
