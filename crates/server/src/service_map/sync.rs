//! One synchronization: asks the workspace, makes the views, and says how it went. What was there before stays where
//! anything fails.

use std::time::Duration;

use watchkeeper_clouds::is_azure;
use watchkeeper_management::clock;
use watchkeeper_model::civil;
use watchkeeper_model::objects::Mode;
use watchkeeper_servicemap::{Problem, Window};
use watchkeeper_state::{MapConnection, MapSync, StateError};

use super::build::build;
use super::computers::Computers;
use super::gather::{Gathered, Subject, gather};
use super::objects::of_import;
use super::{ServiceMaps, place};

/// A request that fails in passing is tried so often.
const TRIES: u32 = 3;
const MINUTE: i64 = 60 * 1_000_000;
/// Azure's own API knows windows of at most an hour.
const AZURE_MINUTES: u32 = 60;

impl ServiceMaps {
    /// Synchronizes a connection, unless that was begun after `asked`. What is wrong with the connection is noted there.
    ///
    /// # Errors
    /// When the operational store fails.
    pub(super) async fn synchronize(
        &self,
        connection_id: &str,
        timeout: Duration,
        window_minutes: u32,
        asked: i64,
    ) -> Result<(), StateError> {
        let busy = self.busy(connection_id);
        let _alone = busy.lock().await;
        let state = self.group.state();
        let Some((connection, secret)) = state.map_connection(connection_id).await? else { return Ok(()) };
        let is_wanted = connection.wanted_at > connection.began_at;
        if connection.began_at >= asked && !is_wanted {
            return Ok(());
        }
        let mut sync = begun(&connection, is_wanted);
        state.put_map_sync(connection_id, &sync).await?;
        let gathered = self.ask(&connection, &secret, timeout, window_minutes).await;
        let _writing = self.writing.lock().await;
        // it may have been changed, removed or taken over meanwhile
        let Some((current, _)) = state.map_connection(connection_id).await? else { return Ok(()) };
        if !self.is_mine(connection_id) {
            return Ok(());
        }
        let problem = match gathered {
            Err(problem) => Some(problem),
            Ok(gathered) => {
                let problem = gathered.problem.clone();
                self.show(&current, gathered, &mut sync).await?;
                problem
            }
        };
        sync.ended = clock::now();
        sync.code.clear();
        sync.error.clear();
        if let Some(problem) = problem {
            tracing::warn!(connection = current.name, %problem, "a service map was not synchronized");
            sync.code = problem.kind.code().to_owned();
            sync.error = problem.to_string();
        } else {
            sync.succeeded = sync.ended;
            let milliseconds = (sync.ended - sync.began) / 1_000;
            tracing::info!(
                connection = current.name,
                servers = sync.servers,
                machine_groups = sync.machine_groups,
                processes = sync.processes,
                milliseconds,
                "service map synchronized"
            );
        }
        state.put_map_sync(connection_id, &sync).await
    }

    async fn ask(
        &self,
        connection: &MapConnection,
        secret: &str,
        timeout: Duration,
        window_minutes: u32,
    ) -> Result<Gathered, Problem> {
        let settings = &connection.settings;
        let client = self.client(settings, secret, timeout, TRIES)?;
        let minutes = if is_azure(&settings.endpoint) { window_minutes.min(AZURE_MINUTES) } else { window_minutes };
        let now = clock::now();
        let time = |time| civil::format_time(time);
        let window = Window { start: time(now - i64::from(minutes) * MINUTE), end: time(now) };
        let computers = Computers::of(&self.group.read());
        gather(&client, &place(settings), settings, &computers, &window).await
    }

    /// Makes the views of what was gathered.
    async fn show(
        &self,
        connection: &MapConnection,
        mut gathered: Gathered,
        sync: &mut MapSync,
    ) -> Result<(), StateError> {
        let (id, state) = (connection.connection_id.as_str(), self.group.state());
        let computers = Computers::of(&self.group.read());
        // what was taken out of the connection meanwhile
        let settings = &connection.settings;
        gathered.views.retain(|(subject, _)| match subject {
            Subject::Server { computer, .. } => {
                let is_it = |server: &String| computers.named(server).is_some_and(|one| one.object == computer.object);
                settings.servers.iter().any(is_it)
            }
            Subject::Group(group) => settings.machine_groups.iter().any(|one| one.id == group.id),
        });
        let (agents, edits) = (state.agents().await?, state.map_edits(id).await?);
        let built = build(connection, &gathered, &computers, &agents, &edits);
        let mut documents = Vec::new();
        for (view, document) in &built.views {
            let text = serde_json::to_string(document)
                .map_err(|source| StateError::Document { what: "dependency view", source })?;
            documents.push((view.to_string(), text));
        }
        state.put_map_views(id, &documents).await?;
        self.apply(vec![(of_import(id), built.found, Mode::Snapshot)]).await?;
        let views: Vec<_> = built.views.iter().map(|(view, _)| *view).collect();
        self.apply_added(&views, &edits).await?;
        // a computer of the Servers group may have come since
        self.put_objects(connection).await?;
        sync.servers = built.servers;
        sync.machine_groups = built.machine_groups;
        sync.processes = built.processes;
        sync.missing = built.missing;
        Ok(())
    }
}

/// What is noted while it runs: the last one's outcome holds until there is another.
fn begun(connection: &MapConnection, is_wanted: bool) -> MapSync {
    let last = connection.last_sync.clone().unwrap_or_default();
    let run = match is_wanted {
        true => connection.wanted_run.clone(),
        false => uuid::Uuid::new_v4().to_string(),
    };
    MapSync { run, began: clock::now().max(connection.wanted_at + 1), ended: 0, ..last }
}
