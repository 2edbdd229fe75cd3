//! When connections are synchronized: at once when somebody asks or a machine becomes known, then every few minutes;
//! later and later where it fails.

use std::sync::Arc;
use std::time::Duration;

use watchkeeper_management::clock;
use watchkeeper_state::{ItsmConnection, StateError};

use super::{Connection, ServiceDesks};

/// How soon what another server was asked for is seen.
const LOOK: Duration = Duration::from_secs(1);
const SECOND: i64 = 1_000_000;
/// The first pause after a failure; it doubles up to the interval.
const RETRY_SECONDS: u64 = 15;

impl ServiceDesks {
    /// Starts what is due, until the server stops.
    pub(super) async fn keep_synchronized(self: Arc<Self>) {
        let mut failing = false;
        loop {
            match self.start_due().await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "connections to service desks cannot be read");
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
        for stored in self.state.itsm_connections().await? {
            let id = stored.connection_id.clone();
            let is_due = is_due(&stored, now) || (stored.failures == 0 && self.has_new_computers(&id, now));
            if !is_due || self.is_running(&id) || !self.operations.does(&work_of(&id)) {
                continue;
            }
            let connection = match Connection::read(stored) {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!(connection = id, %error, "a connection to a service desk is not served");
                    continue;
                }
            };
            let task = tokio::spawn(Arc::clone(self).serve(connection));
            self.running.lock().insert(id, task);
        }
        Ok(())
    }

    /// One synchronization, unless the server stops first: what was not committed is done again.
    async fn serve(self: Arc<Self>, connection: Connection) {
        let name = connection.stored.name.clone();
        tokio::select! {
            () = self.stop.cancelled() => {}
            outcome = self.synchronize(&connection) => {
                if let Err(error) = outcome {
                    tracing::warn!(connection = name, %error, "a service desk is synchronized later");
                    // what the store or another server says is not written down there: do not ask again at once
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// When a connection is due after a synchronization; `failures` in a row, this one included.
    pub(super) fn next_sync(&self, now: i64, failures: i64) -> i64 {
        let interval = self.options.sync_seconds.max(1);
        let seconds = match u32::try_from(failures) {
            Ok(0) | Err(_) => interval,
            Ok(failures) => RETRY_SECONDS.saturating_mul(1 << (failures - 1).min(10)).min(interval),
        };
        now + i64::try_from(seconds).unwrap_or(i64::MAX / SECOND) * SECOND
    }
}

/// The name of a connection's work among the servers.
pub fn work_of(connection_id: &str) -> String {
    format!("itsm/{connection_id}")
}

fn is_due(connection: &ItsmConnection, now: i64) -> bool {
    connection.sync_requested > 0 || connection.next_sync_at <= now
}
