//! The HTTP routes, one file a protocol, and what they share.

mod about;
mod errors;
mod log_analytics;
mod oauth;
mod principals;
mod saved_queries;
mod session;
mod timespan;
mod workspace;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use http::{HeaderMap, Method, Uri, header};
use tower_http::catch_panic::CatchPanicLayer;
use watchkeeper_state::State;

use crate::console;
use crate::identity::{AuthError, Caller, Throttle, Tokens, authenticate};
use crate::queries::Queries;

/// The largest body of a request that is not ingestion.
const MOST_BODY_BYTES: usize = 4 << 20;

/// What every route can reach.
pub struct App {
    pub state: State,
    pub tokens: Tokens,
    pub throttle: Throttle,
    pub queries: Queries,
    pub workspace_id: String,
    pub started: Instant,
}

impl App {
    /// The caller of a request.
    pub async fn caller(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, AuthError> {
        authenticate(&self.state, &self.tokens, method, headers).await
    }
}

/// All routes: protocols first, the console for everything else.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(oauth::routes())
        .merge(session::routes())
        .merge(saved_queries::routes())
        .merge(workspace::routes())
        .merge(principals::routes())
        .merge(about::routes())
        .merge(log_analytics::routes())
        .fallback(console::serve)
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}

/// The address that the client called, as it wrote it: `https://HOST[:PORT]`.
pub(crate) fn base_url(uri: &Uri, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str())).unwrap_or("localhost");
    format!("https://{host}")
}
