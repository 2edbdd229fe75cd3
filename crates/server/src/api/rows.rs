//! `/api/workspaces/{id}/tables/{name}/rows`: rows as an Arrow IPC stream, each batch stored once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_ingest::{IngestError, arrow_rows, limits};
use watchkeeper_store::BatchId;

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, post};

const CONTENT_TYPE: &str = "application/vnd.apache.arrow.stream";
/// Names a batch: `SENDER/SEQUENCE`.
const BATCH_ID: &str = "x-batch-id";
const MOST_BATCH_ID_BYTES: usize = 512;
/// When the store says that it cannot write, and not for how long.
const UNAVAILABLE_SECONDS: u64 = 10;

pub fn routes() -> Routes {
    Routes::new().route("/api/workspaces/{workspace}/tables/{table}/rows", post(Action::SendData, add))
}

async fn add(
    State(app): State<Arc<App>>,
    Path((workspace, table)): Path<(String, String)>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let (parts, body) = request.into_parts();
    if !workspace.eq_ignore_ascii_case(&app.workspace_id) {
        return Err(ApiError::not_found(format!("the workspace {workspace:?} does not exist")));
    }
    let content_type = text(&parts.headers, header::CONTENT_TYPE.as_str());
    if content_type.split(';').next().is_none_or(|essence| !essence.trim().eq_ignore_ascii_case(CONTENT_TYPE)) {
        let message = format!("the content type is {content_type:?}; rows are sent as {CONTENT_TYPE}");
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message));
    }
    let batch_id = batch_id(&table, text(&parts.headers, BATCH_ID))?;
    let encoding = Some(text(&parts.headers, header::CONTENT_ENCODING.as_str()).to_owned());
    let body = axum::body::to_bytes(body, limits::ARROW_BODY_BYTES)
        .await
        .map_err(|_| refusal(IngestError::TooLarge { limit: limits::ARROW_BODY_BYTES }))?;
    let accepted = arrow_rows::accept(&app.ingest, &table, encoding, body, batch_id).await.map_err(refusal)?;
    Ok(Json(json!({"rows": accepted.rows, "duplicate": accepted.duplicate})))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The identity that the store remembers: senders of rows are apart from agents, and tables from each other.
fn batch_id(table: &str, header: &str) -> Result<BatchId, ApiError> {
    match header.rsplit_once('/') {
        Some((sender, sequence))
            if !sender.is_empty() && !sequence.is_empty() && header.len() <= MOST_BATCH_ID_BYTES =>
        {
            Ok(BatchId::new(format!("rows/{table}/{sender}"), sequence))
        }
        _ => Err(ApiError::bad_request(format!(
            "the header X-Batch-Id is {header:.80?}; write it as SENDER/SEQUENCE, at most {MOST_BATCH_ID_BYTES} \
             characters, the same when the same rows are sent again"
        ))),
    }
}

fn refusal(error: IngestError) -> ApiError {
    let message = error.to_string();
    let (status, code, retry_after) = match error {
        IngestError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", None),
        IngestError::BackPressure { retry_after } => {
            (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", Some(retry_after.as_secs().max(1)))
        }
        IngestError::Unavailable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", Some(UNAVAILABLE_SECONDS))
        }
        _ => (StatusCode::BAD_REQUEST, "InvalidRows", None),
    };
    ApiError { retry_after, ..ApiError::new(status, code, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_named_by_sender_and_sequence() {
        let id = batch_id("T_CL", "import/abc/7").unwrap();
        assert_eq!((id.sender.as_str(), id.identity.as_str()), ("rows/T_CL/import/abc", "7"));
        for wrong in ["", "abc", "/7", "abc/", &"x/".repeat(300)] {
            assert_eq!(batch_id("T_CL", wrong).unwrap_err().status, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
