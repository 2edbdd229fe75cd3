//! Dependency views of the maps of other workspaces (pack `Microsoft.SystemCenter.ServiceMap`): connections, their
//! synchronization, and what the pack's workflows ask for. How a workspace is asked is `watchkeeper-servicemap`'s to know;
//! what becomes of a map is decided in `build`, without a store or a network.

mod build;
mod computers;
mod edits;
mod gather;
mod objects;
mod standing;
mod sync;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use watchkeeper_agent::workflow::server_work::{MapImport, ServerFuture, ServerWork};
use watchkeeper_clouds::Clouds;
use watchkeeper_management::pools::Held;
use watchkeeper_management::{Group, Operational, clock};
use watchkeeper_model::ids::ObjectId;
use watchkeeper_servicemap::{Client, Kind, Place, Problem, Settings};
use watchkeeper_state::{MapConnection, MapSettings, StateError};

use crate::connection::Connection;

pub use build::ViewDocument;
pub use computers::{Computers, Known};
pub use objects::{
    CONNECTION_CLASS, GROUP_VIEW_CLASS, MEMBER, PACK, RULE, SERVER_VIEW_CLASS, class, connection_object,
};
pub use standing::RuleSettings;

/// How often it is looked whether another server was asked for a synchronization, or one is to be tried again.
const LOOK: Duration = Duration::from_secs(3);

/// The connections of this management group.
pub struct ServiceMaps {
    group: Group,
    operational: Operational,
    held: watch::Receiver<Held>,
    /// Where this server says how it is reached.
    connection_file: PathBuf,
    clouds: Arc<Clouds>,
    /// One synchronization of a connection at a time.
    busy: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// One that writes connections, views and edits at a time.
    writing: tokio::sync::Mutex<()>,
    /// A synchronization is wanted.
    wanted: Notify,
}

impl ServiceMaps {
    pub fn new(
        group: Group,
        operational: Operational,
        held: watch::Receiver<Held>,
        connection_file: PathBuf,
        clouds: Arc<Clouds>,
    ) -> Self {
        Self {
            clouds,
            group,
            operational,
            held,
            connection_file,
            busy: Mutex::default(),
            writing: tokio::sync::Mutex::new(()),
            wanted: Notify::new(),
        }
    }

    /// A client for what is set.
    ///
    /// # Errors
    /// What of it cannot be.
    pub fn client(
        &self,
        settings: &MapSettings,
        secret: &str,
        timeout: Duration,
        tries: u32,
    ) -> Result<Client, Problem> {
        let (authority, endpoint, trusted) = match settings.authority.is_empty() {
            true => self.this_server()?,
            false => (settings.authority.clone(), settings.endpoint.clone(), settings.trusted_certificates.clone()),
        };
        Client::new(Settings {
            resource: self.clouds.resource_of(&endpoint),
            authority,
            endpoint,
            tenant: settings.tenant.clone(),
            application_id: settings.application_id.clone(),
            secret: secret.to_owned(),
            trusted,
            timeout,
            tries,
        })
    }

    /// Address and authority of this server: the port may be another after the next start.
    fn this_server(&self) -> Result<(String, String, String), Problem> {
        let unknown =
            |error: String| Problem::new(Kind::Address, format!("this server's own address is not known: {error}"));
        let own = Connection::read(&self.connection_file).map_err(|error| unknown(format!("{error:#}")))?;
        let trusted = std::fs::read_to_string(&own.ca_file).map_err(|error| unknown(error.to_string()))?;
        let url = own.url.trim_end_matches('/').to_owned();
        Ok((url.clone(), url, trusted))
    }

    /// Removes a connection with its objects and views.
    pub async fn remove(&self, connection_id: &str) -> Result<(), StateError> {
        let _writing = self.writing.lock().await;
        let edits = self.group.state().map_edits(connection_id).await?;
        self.group.state().delete_map_connection(connection_id).await?;
        let views: BTreeSet<Uuid> = edits.iter().filter_map(|edit| Uuid::try_parse(&edit.view_id).ok()).collect();
        self.apply_added(&views.into_iter().map(ObjectId).collect::<Vec<_>>(), &[]).await?;
        self.remove_objects(connection_id).await
    }

    /// Asks for a synchronization now; gives its name.
    pub async fn want(&self, connection_id: &str) -> Result<String, StateError> {
        let run = Uuid::new_v4().to_string();
        self.group.state().want_map_sync(connection_id, &run, clock::now()).await?;
        self.wanted.notify_one();
        Ok(run)
    }

    /// Does the synchronizations that were asked for and are this server's.
    pub async fn follow_wanted(self: Arc<Self>, stop: CancellationToken) {
        let mut held = self.held.clone();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if let Err(error) = self.start_wanted().await {
                tracing::warn!(%error, "synchronizations of service maps wait");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wanted.notified() => {}
                Ok(()) = held.changed() => {}
                _ = look.tick() => {}
            }
        }
    }

    async fn start_wanted(self: &Arc<Self>) -> Result<(), StateError> {
        for connection in self.group.state().map_connections().await? {
            let (rule, now) = (self.rule_of(&connection.connection_id), clock::now());
            let is_wanted = connection.wanted_at > connection.began_at;
            let is_again = rule.enabled && standing::is_due_again(&connection, now);
            if !(is_wanted || is_again) || !self.is_mine(&connection.connection_id) {
                continue;
            }
            let (own, asked) = (Arc::clone(self), now);
            tokio::spawn(async move {
                let timeout = Duration::from_secs(rule.timeout_seconds);
                let done = own.synchronize(&connection.connection_id, timeout, rule.window_minutes, asked).await;
                if let Err(error) = done {
                    tracing::warn!(connection = connection.name, %error, "a service map was not synchronized");
                }
            });
        }
        Ok(())
    }

    /// Whether this server does the work of a connection.
    fn is_mine(&self, connection_id: &str) -> bool {
        let work = self.group.read().pool_work(connection_object(connection_id));
        let held = self.held.borrow();
        work.is_some_and(|(pool, work)| held.since(&pool, &work).is_some() && !held.has_lapsed())
    }

    fn busy(&self, connection_id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(busy.entry(connection_id.to_owned()).or_default())
    }
}

/// Where the workspace of a connection is.
pub fn place(settings: &MapSettings) -> Place {
    Place {
        subscription: settings.subscription.clone(),
        resource_group: settings.resource_group.clone(),
        workspace: settings.workspace.clone(),
    }
}

impl ServerWork for ServiceMaps {
    fn import_map(self: Arc<Self>, import: MapImport) -> ServerFuture<()> {
        Box::pin(async move {
            let asked = clock::now();
            let done = self.synchronize(&import.connection, import.timeout, import.window_minutes, asked).await;
            done.map_err(|error| error.to_string())
        })
    }

    fn connection_state(self: Arc<Self>, connection: String) -> ServerFuture<Vec<(&'static str, String)>> {
        Box::pin(async move {
            let known = self.group.state().map_connection(&connection).await.map_err(|error| error.to_string())?;
            Ok(match known {
                Some((connection, _)) => self.standing(&connection, clock::now()),
                None => Vec::new(),
            })
        })
    }
}

/// A connection that has no synchronization yet.
pub fn new_connection(name: String, settings: MapSettings) -> MapConnection {
    MapConnection {
        connection_id: Uuid::new_v4().to_string(),
        name,
        settings,
        changed_at: clock::now(),
        last_sync: None,
        wanted_at: 0,
        wanted_run: String::new(),
        began_at: 0,
    }
}
