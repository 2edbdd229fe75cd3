//! When connections import: at once when somebody asks, then every few hours; later and later where it fails.

use std::sync::Arc;
use std::time::Duration;

use watchkeeper_management::clock;
use watchkeeper_state::{ConfigurationManager, StateError};

use super::{ConfigurationManagers, Connection};

/// How soon what another server was asked for is seen.
const LOOK: Duration = Duration::from_secs(1);
const SECOND: i64 = 1_000_000;
const HOUR_SECONDS: u64 = 3600;

impl ConfigurationManagers {
    /// Starts what is due, until the server stops.
    pub(super) async fn keep_imported(self: Arc<Self>) {
        let mut failing = false;
        loop {
            match self.start_due().await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "connections to Configuration Manager cannot be read");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn start_due(self: &Arc<Self>) -> Result<(), StateError> {
        self.running.lock().retain(|_, task| !task.is_finished());
        let now = clock::now();
        for stored in self.state.configuration_managers().await? {
            let id = stored.connection_id.clone();
            if self.running.lock().contains_key(&id) || !self.operations.does(&format!("configmgr/{id}")) {
                continue;
            }
            let connection = match Connection::read(stored) {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!(connection = id, %error, "a connection to Configuration Manager is not served");
                    continue;
                }
            };
            if is_due(&connection, now) {
                let task = tokio::spawn(Arc::clone(self).serve(connection));
                self.running.lock().insert(id, task);
            }
        }
        Ok(())
    }

    /// One import, unless the server stops first: the groups then stay as they were.
    async fn serve(self: Arc<Self>, connection: Connection) {
        let name = connection.stored.name.clone();
        tokio::select! {
            () = self.stop.cancelled() => {}
            outcome = self.import(&connection) => {
                if let Err(error) = outcome {
                    tracing::warn!(connection = name, %error, "collections are imported later");
                    // what the store or another server says is not written down there: do not ask again at once
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// When a connection is due after an import; `failures` in a row, this one included.
    pub(super) fn next_run(&self, connection: &Connection, now: i64, failures: i64) -> i64 {
        let interval = u64::from(connection.form.hours) * HOUR_SECONDS;
        let seconds = match u32::try_from(failures) {
            Ok(0) | Err(_) => interval,
            Ok(failures) => self.options.retry_seconds.max(1).saturating_mul(1 << (failures - 1).min(10)).min(interval),
        };
        now + i64::try_from(seconds).unwrap_or(i64::MAX / SECOND) * SECOND
    }
}

/// What is asked for is done also where the import is switched off.
fn is_due(connection: &Connection, now: i64) -> bool {
    let ConfigurationManager { run_requested, next_run_at, modified_at, .. } = connection.stored;
    let works = connection.form.works();
    let asked = run_requested > 0 && (works || run_requested > modified_at);
    asked || (works && next_run_at <= now)
}
