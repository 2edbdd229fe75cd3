//! Connections to Configuration Manager at work: which of them this server serves, when they import, what is looked at
//! before, and the computer groups that come of it. What a site is asked and how stands in `crates/configmgr`.

mod checks;
mod form;
mod import;
mod inventory;
mod schedule;
mod targets;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use watchkeeper_clouds::Clouds;
use watchkeeper_configmgr::Problem;
use watchkeeper_management::{SinkError, clock};
use watchkeeper_state::{ConfigurationManager, State, StateError};

use crate::computer_groups::{ComputerGroups, FROM_CONFIGURATION_MANAGER};
use crate::config::ConfigurationManagerConfig;
use crate::operations::Operations;
use crate::queries::Queries;

pub use checks::Verified;
pub use form::{Form, Secrets, Target};
pub use targets::Record;

/// The site that a connection leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KnownSite {
    pub code: String,
    pub name: String,
    pub server: String,
    pub version: String,
    /// The server of the service connection point.
    pub connection_point: String,
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outcome {
    pub collections: u64,
    pub memberships: u64,
    /// Collections whose members were read; those of the others were known.
    pub read: u64,
    pub empty: u64,
    /// Collections that are not there any more.
    pub removed: u64,
    pub renamed: u64,
    /// Devices of which there are rows.
    pub devices: u64,
    pub seconds: f64,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub collections: u64,
    pub collections_done: u64,
    pub memberships: u64,
}

/// A connection with its form read.
#[derive(Debug, Clone)]
pub struct Connection {
    pub stored: ConfigurationManager,
    pub form: Form,
    pub site: KnownSite,
}

impl Connection {
    /// Of what the store keeps.
    ///
    /// # Errors
    /// When a newer version has written it.
    pub fn read(stored: ConfigurationManager) -> Result<Connection, StateError> {
        let document = |source| StateError::Document { what: "the connection", source };
        let form = serde_json::from_str(&stored.settings).map_err(document)?;
        let site = serde_json::from_str(&stored.site).map_err(document)?;
        Ok(Connection { stored, form, site })
    }
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The site, the application, or the way to them.
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error(transparent)]
    State(#[from] StateError),
    /// Rows of this import cannot be taken now.
    #[error(transparent)]
    Rows(#[from] SinkError),
    /// Another server or an edit of the form has the connection now.
    #[error("the connection was changed or moved to another server meanwhile")]
    Moved,
}

/// The connections of this server.
pub struct ConfigurationManagers {
    state: State,
    operations: Arc<Operations>,
    groups: Arc<ComputerGroups>,
    queries: Arc<Queries>,
    options: ConfigurationManagerConfig,
    clouds: Arc<Clouds>,
    tenant_id: String,
    workspace_id: String,
    /// Imports that run here, by connection.
    running: Mutex<HashMap<String, JoinHandle<()>>>,
    progress: Mutex<HashMap<String, Progress>>,
    /// Somebody wants one.
    wanted: Notify,
    stop: CancellationToken,
    schedule: Mutex<Option<JoinHandle<()>>>,
}

/// What the connections need of the server.
pub struct Parts {
    pub state: State,
    pub operations: Arc<Operations>,
    pub groups: Arc<ComputerGroups>,
    pub queries: Arc<Queries>,
    pub options: ConfigurationManagerConfig,
    pub clouds: Arc<Clouds>,
    pub tenant_id: String,
    pub workspace_id: String,
}

impl ConfigurationManagers {
    /// Begins to import.
    #[must_use]
    pub fn start(parts: Parts) -> Arc<ConfigurationManagers> {
        let Parts { state, operations, groups, queries, options, clouds, tenant_id, workspace_id } = parts;
        let managers = Arc::new(ConfigurationManagers {
            state,
            operations,
            groups,
            queries,
            options,
            clouds,
            tenant_id,
            workspace_id,
            running: Mutex::default(),
            progress: Mutex::default(),
            wanted: Notify::new(),
            stop: CancellationToken::new(),
            schedule: Mutex::default(),
        });
        *managers.schedule.lock() = Some(tokio::spawn(Arc::clone(&managers).keep_imported()));
        managers
    }

    /// Ends what runs: what was not finished is begun again after the next start.
    pub async fn stop(&self) {
        self.stop.cancel();
        let schedule = self.schedule.lock().take();
        if let Some(schedule) = schedule {
            let _ = schedule.await;
        }
        let running: Vec<_> = self.running.lock().drain().collect();
        for (_, task) in running {
            let _ = task.await;
        }
    }

    /// The secrets of a connection.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn secrets(&self, connection_id: &str) -> Result<Secrets, StateError> {
        let text = self.state.configuration_manager_secrets(connection_id).await?;
        serde_json::from_str(&text).map_err(|source| StateError::Document { what: "the connection's secrets", source })
    }

    /// Adds a connection with the source of its groups; it imports at once.
    ///
    /// # Errors
    /// When the store cannot be written, or the name is taken.
    pub async fn add(&self, connection: &ConfigurationManager, secrets: &Secrets) -> Result<(), StateError> {
        self.state.add_group_source(&connection.connection_id, FROM_CONFIGURATION_MANAGER).await?;
        let added = self.state.add_configuration_manager(connection, &text(secrets)).await;
        if added.is_err() {
            self.state.delete_group_source(&connection.connection_id).await?;
        }
        self.wanted.notify_one();
        added
    }

    /// Changes a connection that still is as it was read; it imports at once.
    ///
    /// # Errors
    /// When the store cannot be written, or the name is taken.
    pub async fn change(&self, connection: &ConfigurationManager, secrets: &Secrets) -> Result<bool, StateError> {
        let done = self.state.change_configuration_manager(connection, &text(secrets)).await;
        self.wanted.notify_one();
        done
    }

    /// Removes a connection with its computer groups; the rows that were written stay.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remove(&self, connection_id: &str) -> Result<bool, StateError> {
        let removed = self.state.delete_configuration_manager(connection_id).await?;
        let running = self.running.lock().remove(connection_id);
        if let Some(task) = running {
            task.abort();
            let _ = task.await;
        }
        self.groups.remove_source(connection_id).await?;
        Ok(removed)
    }

    /// Has a connection imported at once, by whichever server serves it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn want_import(&self, connection_id: &str) -> Result<(), StateError> {
        self.state.request_import(connection_id, clock::now()).await?;
        self.wanted.notify_one();
        Ok(())
    }

    /// How far the import of a connection is that runs here.
    #[must_use]
    pub fn progress(&self, connection_id: &str) -> Option<Progress> {
        let running = self.running.lock().get(connection_id).is_some_and(|task| !task.is_finished());
        running.then(|| self.progress.lock().get(connection_id).copied().unwrap_or_default())
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.options.request_seconds.max(1))
    }
}

/// A record as the store keeps it.
pub fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A problem as it is kept and shown.
#[must_use]
pub fn problem_json(problem: &Problem) -> serde_json::Value {
    json!({
        "part": problem.part.code(),
        "message": problem.message,
        "advice": problem.advice,
        "status": problem.status,
    })
}
