//! The authority: what Microsoft's identity platform answers its client libraries. Tokens (`token.rs`), who an
//! application is (`client.rs`), people's sign-in to applications in a browser (`authorize.rs`) and on another device
//! (`device.rs`), what is known of the person (`userinfo.rs`), the documents that describe all of it (`discovery.rs`).
//! The rules are those of `watchkeeper-identity`.

mod authorize;
mod client;
mod device;
mod discovery;
mod keys;
mod token;
mod userinfo;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use uuid::Uuid;
use watchkeeper_identity::Refusal;

use super::App;
use crate::audit::Reason;
use crate::authorization::Routes;

/// Names that clients write in the place of a tenant when they do not know it.
const ANY_TENANT: [&str; 2] = ["common", "organizations"];

pub fn routes() -> Routes {
    Routes::new()
        .merge(token::routes())
        .merge(discovery::routes())
        .merge(authorize::routes())
        .merge(device::routes())
        .merge(userinfo::routes())
        .merge(keys::routes())
}

/// A refusal as the endpoints for programs answer it.
struct Refused(Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Refused(refusal) = self;
        let timestamp = chrono::Utc::now().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let body = json!({
            "error": refusal.error,
            "error_description": format!(
                "{} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}", refusal.description()
            ),
            "error_codes": [refusal.number],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        });
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(Reason(refusal.description()));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = refusal.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn check_tenant(app: &App, tenant: &str) -> Result<(), Refusal> {
    if tenant.eq_ignore_ascii_case(app.tokens.tenant_id()) || ANY_TENANT.contains(&tenant) {
        return Ok(());
    }
    Err(Refusal::unknown_tenant(tenant))
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "sign-in endpoints");
    Refusal::server()
}
