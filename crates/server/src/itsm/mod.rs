//! Connections to service desks at work: which of them this server serves, when they are synchronized, and the rows
//! that come of it. What a product is asked and how stands in `crates/itsm`.

mod actions;
mod journal;
mod machines;
mod rows;
mod schedule;
mod sync;
mod tickets;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use watchkeeper_ingest::Ingest;
use watchkeeper_itsm::{Partner, Problem, Secrets, ServiceDesk, Settings, Tested, Timing};
use watchkeeper_management::{AgentSink, Outbox, clock};
use watchkeeper_state::{ItsmConnection, State, StateError};

use crate::config::ItsmConfig;
use crate::operations::{Operations, server_id};
use journal::Entry;
pub use machines::names_of;
use machines::{Known, Matched};
pub use tickets::{ActionSettings, AlertEvent, AlertNotice};

/// Locks that work items share.
const TURNS: usize = 64;
/// What was learned of a product is learned anew after so long.
const KEPT_OPEN: Duration = Duration::from_secs(3600);

/// The connections of this server.
pub struct ServiceDesks {
    state: State,
    operations: Arc<Operations>,
    ingest: Arc<Ingest>,
    options: ItsmConfig,
    /// Rows that are written with the changes that they belong to.
    outbox: Outbox,
    /// One that delivers at a time, so that rows come in their order.
    delivering: tokio::sync::Mutex<()>,
    /// One at a time for a work item, whoever asks: those of one share a lock.
    turns: Vec<tokio::sync::Mutex<()>>,
    /// Products that stay open from one use to the next, with their tokens and what is known of their tables.
    kept: Mutex<HashMap<(String, Use), Kept>>,
    /// The computers that there are.
    known: Mutex<Known>,
    /// Those that items were matched with, by connection.
    matched: Mutex<HashMap<String, Matched>>,
    /// Synchronizations that run here, by connection.
    running: Mutex<HashMap<String, JoinHandle<()>>>,
    /// Somebody wants one.
    wanted: Notify,
    stop: CancellationToken,
    schedule: Mutex<Option<JoinHandle<()>>>,
}

/// What a product is open for: what is exchanged is noted by the one that does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Use {
    Synchronization,
    Tickets,
}

/// A product that stays open.
struct Kept {
    revision: i64,
    since: Instant,
    desk: Arc<dyn ServiceDesk>,
}

/// A connection with its form read.
#[derive(Debug, Clone)]
pub struct Connection {
    pub stored: ItsmConnection,
    pub partner: Partner,
    pub settings: Settings,
}

impl Connection {
    /// Of what the store keeps.
    ///
    /// # Errors
    /// When a newer version has written it.
    pub fn read(stored: ItsmConnection) -> Result<Connection, StateError> {
        let document = |source| StateError::Document { what: "the connection", source };
        let settings = serde_json::from_str(&stored.settings).map_err(document)?;
        let partner = Partner::of(&stored.partner).ok_or_else(|| StateError::Unknown {
            what: "the product",
            name: stored.partner.clone(),
            known: Partner::ALL.map(Partner::name).join(", "),
        })?;
        Ok(Connection { stored, partner, settings })
    }
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The product, or the way to it.
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("rows wait for the workspace: {0}")]
    Rows(#[from] watchkeeper_management::DeliveryError),
    /// Another server or an edit of the form has the connection now.
    #[error("the connection was changed or moved to another server meanwhile")]
    Moved,
}

impl ServiceDesks {
    /// Delivers what the last run left, and begins to synchronize.
    pub async fn start(
        state: &State,
        data_dir: &Path,
        operations: &Arc<Operations>,
        ingest: &Arc<Ingest>,
        options: ItsmConfig,
    ) -> anyhow::Result<Arc<ServiceDesks>> {
        let desks = Arc::new(ServiceDesks {
            state: state.clone(),
            operations: Arc::clone(operations),
            ingest: Arc::clone(ingest),
            options,
            outbox: Outbox::of(&format!("itsm/{}", server_id(data_dir)?)),
            delivering: tokio::sync::Mutex::default(),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
            kept: Mutex::default(),
            known: Mutex::default(),
            matched: Mutex::default(),
            running: Mutex::default(),
            wanted: Notify::new(),
            stop: CancellationToken::new(),
            schedule: Mutex::default(),
        });
        if let Err(error) = desks.deliver().await {
            tracing::warn!(%error, "rows of service desks wait");
        }
        let schedule = tokio::spawn(Arc::clone(&desks).keep_synchronized());
        *desks.schedule.lock() = Some(schedule);
        Ok(desks)
    }

    /// Ends what runs; it goes on from there with the next start.
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

    /// The product of a form.
    ///
    /// # Errors
    /// When the form cannot be.
    pub fn open(
        &self,
        partner: Partner,
        settings: &Settings,
        secrets: &Secrets,
    ) -> Result<Arc<dyn ServiceDesk>, Problem> {
        watchkeeper_itsm::open(partner, settings, secrets, self.timing())
    }

    /// The product of a connection, open since its last use where that was not long ago.
    async fn product(&self, connection: &Connection, wanted: Use) -> Result<Arc<dyn ServiceDesk>, DeskError> {
        let place = (connection.stored.connection_id.clone(), wanted);
        let revision = connection.stored.revision;
        if let Some(kept) = self.kept.lock().get(&place)
            && kept.revision == revision
            && kept.since.elapsed() < KEPT_OPEN
        {
            return Ok(Arc::clone(&kept.desk));
        }
        let secrets = self.secrets(connection).await?;
        let desk = self.open(connection.partner, &connection.settings, &secrets)?;
        let mut all = self.kept.lock();
        all.retain(|_, kept| kept.since.elapsed() < KEPT_OPEN);
        all.insert(place, Kept { revision, since: Instant::now(), desk: Arc::clone(&desk) });
        Ok(desk)
    }

    /// Opens the product anew with its next use: what is known of it may be wrong.
    fn forget(&self, connection: &Connection, unwanted: Use) {
        self.kept.lock().remove(&(connection.stored.connection_id.clone(), unwanted));
    }

    fn timing(&self) -> Timing {
        Timing { request: Duration::from_secs(self.options.request_seconds.max(1)), ..Timing::default() }
    }

    /// The secrets of a connection.
    pub async fn secrets(&self, connection: &Connection) -> Result<Secrets, StateError> {
        let text = self.state.itsm_secrets(&connection.stored.connection_id).await?;
        serde_json::from_str(&text).map_err(|source| StateError::Document { what: "the connection's secrets", source })
    }

    /// Tests a form, and says so in the log of the connection.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn test(
        &self,
        name: &str,
        partner: Partner,
        settings: &Settings,
        secrets: &Secrets,
    ) -> Result<Tested, DeskError> {
        // it is a person who waits
        let timing = Timing { tries: 2, ..self.timing() };
        let desk = watchkeeper_itsm::open(partner, settings, secrets, timing)?;
        let tested = desk.test().await;
        let mut journal = journal::Journal::new(name, clock::now());
        journal.exchanges(desk.exchanges(), tested.is_err());
        match &tested {
            Ok(tested) => journal.note(Entry::done("Test", format!("{} answers", tested.product))),
            Err(problem) => journal.note(Entry::failed("Test", problem)),
        }
        self.write(journal).await?;
        Ok(tested?)
    }

    /// Has a connection synchronized at once, by whichever server serves it.
    pub async fn want_sync(&self, connection_id: &str) -> Result<(), StateError> {
        self.state.request_itsm_sync(connection_id, clock::now()).await?;
        self.wanted.notify_one();
        Ok(())
    }

    /// A connection was added, changed or removed.
    pub fn changed(&self) {
        self.wanted.notify_one();
    }

    /// Whether a synchronization of a connection runs here.
    pub fn is_running(&self, connection_id: &str) -> bool {
        self.running.lock().get(connection_id).is_some_and(|task| !task.is_finished())
    }

    /// Leaves the entries of a journal and delivers them.
    async fn write(&self, journal: journal::Journal) -> Result<(), DeskError> {
        let Some(table) = journal.finish() else { return Ok(()) };
        let mut changes = self.state.change().await?;
        self.outbox.leave_tables(&mut changes, vec![table], clock::now()).await?;
        changes.commit().await?;
        self.deliver().await
    }

    /// Gives the workspace the rows that wait.
    async fn deliver(&self) -> Result<(), DeskError> {
        let _turn = self.delivering.lock().await;
        let sink: &dyn AgentSink = self.ingest.as_ref();
        Ok(self.outbox.deliver(&self.state, sink).await?)
    }
}

/// A problem as it is kept and shown.
pub fn problem_json(problem: &Problem) -> serde_json::Value {
    json!({
        "part": problem.part,
        "message": problem.message,
        "advice": problem.advice,
        "status": problem.status,
    })
}
