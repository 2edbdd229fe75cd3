//! What the workflows of a management server can do besides: this crate knows no store and no map, so the server that
//! runs its workflows in this runtime does it. Agents have none of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What comes of it, some time later; the error is for a person.
pub type ServerFuture<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// A synchronization of the views of a connection to a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapImport {
    /// Which connection.
    pub connection: String,
    /// How long one request may take.
    pub timeout: Duration,
    /// Up to how long ago the map reaches.
    pub window_minutes: u32,
}

/// A management server at work.
pub trait ServerWork: Send + Sync {
    /// Reads the maps of a workspace and makes its views of them. What is wrong with the connection is the connection's
    /// state and no error.
    fn import_map(self: Arc<Self>, import: MapImport) -> ServerFuture<()>;

    /// How a connection to a workspace is, as properties.
    fn connection_state(self: Arc<Self>, connection: String) -> ServerFuture<Vec<(&'static str, String)>>;
}
