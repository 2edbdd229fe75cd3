//! Several servers over one operational store: one authority, one account of which batches of rows were taken, and what
//! agents are told of where to go.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;
use watchkeeper_ingest::Ingest;
use watchkeeper_management::{AgentIdentity, AgentServers, AgentSink, ManagementServer, SinkError, clock};
use watchkeeper_state::{Claim, RowBatch, State, StateError};
use watchkeeper_wire::proto::Compression;
use watchkeeper_wire::{Authority, Batch, decode_rows, encode_rows};

use crate::config::Config;
use crate::operations::Operations;

/// How soon a change of servers or assignments that another server made is seen.
const LOOK: Duration = Duration::from_secs(5);
/// Batches read from the store at once.
const READ: u32 = 64;
/// The setting that changes with every authority that is trusted and every certificate that is revoked.
const CERTIFICATES: &str = "certificates";
/// The setting that changes with every assignment.
const ASSIGNMENTS: &str = "agents.assignments";

/// The authority of the group. Servers that share a store share it: the first one's is kept there, sealed.
pub async fn authority(state: &State, dir: &Path, management_group: &str) -> anyhow::Result<Authority> {
    let folder = dir.join("authority");
    if !state.is_shared() {
        return Authority::open_or_create(&folder, management_group).context("cannot open the certificate authority");
    }
    let (certificate, key) = (folder.join("authority.pem"), folder.join("authority.key"));
    if !certificate.exists() && state.setting("authority").await.with_context(key_hint)?.is_none() {
        Authority::open_or_create(&folder, management_group)?;
    }
    if certificate.exists() {
        let mine = [std::fs::read_to_string(&certificate)?, std::fs::read_to_string(&key)?];
        let first = state.secret_setting_or_first("authority", &mine.join("\n")).await.with_context(key_hint)?;
        if first != mine.join("\n") {
            bail!(
                "the certificate authority in {} is not the one of the management group in state.url; remove the folder \
                 to take the group's, or give this server a store of its own",
                folder.display()
            );
        }
    } else {
        let shared = state.setting("authority").await.with_context(key_hint)?.unwrap_or_default();
        let cut = shared.find("-----BEGIN PRIVATE KEY-----").context("the group's authority has no key")?;
        let (certificate_pem, key_pem) = shared.split_at(cut);
        watchkeeper_wire::write_private(&key, key_pem.as_bytes())?;
        let certificate_pem = certificate_pem.strip_suffix('\n').unwrap_or(certificate_pem);
        watchkeeper_wire::write_private(&certificate, certificate_pem.as_bytes())?;
    }
    Authority::open_or_create(&folder, management_group).context("cannot open the certificate authority")
}

fn key_hint() -> &'static str {
    "cannot read the management group's authority from state.url; every server of a group needs the same state.key: \
     copy it from the data folder of the first"
}

/// Where agents of other machines reach this server.
pub fn agent_endpoint(config: &Config, port: u16) -> String {
    if !config.listen.agent_endpoint.is_empty() {
        return config.listen.agent_endpoint.clone();
    }
    let address = config.listen.address;
    let host = match config.listen.names.first() {
        Some(name) => name.clone(),
        None if address.is_unspecified() => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        None => address.to_string(),
    };
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The servers of an agent. A group with one server has nothing to tell: the agent's own file is right.
pub async fn servers_of(state: &State, agent_id: &str) -> Result<AgentServers, StateError> {
    let endpoints = state.agent_endpoints().await?;
    if endpoints.len() < 2 {
        return Ok(AgentServers::default());
    }
    let assignment = state.assignment(agent_id).await?;
    let place = |id: &String| endpoints.iter().find(|(server, _)| server == id).map(|(_, endpoint)| endpoint.clone());
    let primary = place(&assignment.primary).unwrap_or_default();
    let named: Vec<String> = assignment.failover.iter().filter_map(place).collect();
    let failover = if named.is_empty() { endpoints.into_iter().map(|(_, endpoint)| endpoint).collect() } else { named };
    Ok(AgentServers { failover: failover.into_iter().filter(|endpoint| *endpoint != primary).collect(), primary })
}

/// An agent was given other servers: every server of the group tells its agents.
pub async fn assignments_changed(state: &State) -> Result<(), StateError> {
    state.put_setting(ASSIGNMENTS, &watchkeeper_state::random_token()).await
}

/// Authorities or revoked certificates changed: every server of the group follows.
pub async fn certificates_changed(state: &State) -> Result<(), StateError> {
    state.put_setting(CERTIFICATES, &watchkeeper_state::random_token()).await
}

/// Tells connected agents when servers came or assignments changed, whichever server it happened on.
pub async fn follow_servers(operations: Arc<Operations>, management: Arc<ManagementServer>, stop: CancellationToken) {
    let state = operations.group.state();
    let mut known = None;
    loop {
        match async {
            let (endpoints, assignments) = (state.agent_endpoints().await?, state.setting(ASSIGNMENTS).await?);
            Ok::<_, StateError>((endpoints, assignments, state.setting(CERTIFICATES).await?))
        }
        .await
        {
            Ok(present) => {
                if known.as_ref().is_some_and(|known| *known != present) {
                    management.servers_changed();
                    if let Err(error) = operations.group.follow_proxies().await {
                        tracing::error!(%error, "which agents may speak for other computers cannot be read");
                    }
                    if let Err(error) = management.certificates_changed().await {
                        tracing::error!(%error, "what certificates are trusted and revoked cannot be read");
                    }
                }
                known = Some(present);
            }
            Err(error) => tracing::warn!(%error, "the servers of the group cannot be read"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Rows of agents on their way to this server's tables. Over a store that servers share, a batch is taken there first —
/// its number and its rows in one transaction — and then written to the tables under the same identity. So it is taken
/// once over all servers, and a server that ends between the two steps writes it when it is back.
pub struct RowInbox {
    pub state: State,
    pub server_id: String,
    pub ingest: Arc<Ingest>,
}

impl RowInbox {
    /// Stores a batch of an agent.
    pub async fn accept(&self, agent: &AgentIdentity, batch: Batch) -> Result<(), SinkError> {
        if !self.state.is_shared() {
            return self.ingest.accept(agent, batch).await;
        }
        let sequence = batch.sequence;
        let (compression, payload) =
            encode_rows(batch.tables.clone()).map_err(|error| SinkError::Refused { reason: error.to_string() })?;
        let taken = RowBatch {
            agent_id: agent.agent_id.clone(),
            queue: agent.queue.clone(),
            sequence,
            computer: agent.computer.clone(),
            compression: i64::from(i32::from(compression)),
            payload,
        };
        if self.state.claim_row_batch(&self.server_id, &taken, clock::now()).await.map_err(unavailable)? == Claim::Known
        {
            return Ok(());
        }
        self.write(agent, batch).await
    }

    async fn write(&self, agent: &AgentIdentity, batch: Batch) -> Result<(), SinkError> {
        let sequence = batch.sequence;
        let written = self.ingest.accept(agent, batch).await;
        if matches!(written, Ok(()) | Err(SinkError::Refused { .. })) {
            self.state.row_batch_written(&agent.agent_id, &agent.queue, sequence).await.map_err(unavailable)?;
        }
        written
    }

    /// Writes what was taken before and is not in the tables; gives how many batches.
    pub async fn drain(&self) -> Result<usize, SinkError> {
        let mut count = 0;
        loop {
            let batches = self.state.unwritten_row_batches(&self.server_id, READ).await.map_err(unavailable)?;
            if batches.is_empty() {
                return Ok(count);
            }
            for taken in batches {
                let agent = AgentIdentity { agent_id: taken.agent_id, computer: taken.computer, queue: taken.queue };
                let compression = i32::try_from(taken.compression)
                    .ok()
                    .and_then(|number| Compression::try_from(number).ok())
                    .unwrap_or(Compression::None);
                let written = match decode_rows(compression, &taken.payload) {
                    Ok(tables) => self.write(&agent, Batch { sequence: taken.sequence, tables }).await,
                    Err(error) => {
                        tracing::error!(agent_id = agent.agent_id, %error, "a batch that was taken cannot be read");
                        self.state
                            .row_batch_written(&agent.agent_id, &agent.queue, taken.sequence)
                            .await
                            .map_err(unavailable)
                    }
                };
                match written {
                    Ok(()) => count += 1,
                    Err(SinkError::Refused { reason }) => {
                        tracing::error!(agent_id = agent.agent_id, reason, "a batch that was taken was refused");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Writes what is left over, again and again: a batch whose agent went elsewhere does not come again.
    pub async fn keep_drained(self: Arc<Self>, stop: CancellationToken) {
        loop {
            match self.drain().await {
                Ok(0) => {}
                Ok(batches) => tracing::info!(batches, "batches that were taken before are in the tables"),
                Err(error) => tracing::warn!(%error, "batches that were taken wait for the tables"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

fn unavailable(error: StateError) -> SinkError {
    SinkError::Unavailable { reason: error.to_string() }
}
