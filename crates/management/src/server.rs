//! The listener of the agents' port and the operations on agents.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use watchkeeper_wire::proto::agent_server::AgentServer;
use watchkeeper_wire::proto::enrolment_server::EnrolmentServer;
use watchkeeper_wire::proto::{Command, Configuration, RunTask, command};
use watchkeeper_wire::{
    Authority, ClientTrust, Credentials, Fingerprint, MAX_MESSAGE_BYTES, ServerCertificate, WireError, server_config,
};

use crate::enrolment::{Approval, Enroller, EnrolmentService, new_token, token_hash};
use crate::guard::Guard;
use crate::heartbeat::HeartbeatRows;
use crate::registry::{AgentRecord, AgentStatus, Registry, RegistryError};
use crate::session::{AgentService, Heartbeats, OwnConfigurations, Shared, stopped};
use crate::sessions::{ConnectedAgent, Sessions};
use crate::sink::AgentSink;
use crate::tasks::Dispatch;

/// TLS handshakes at one time; more wait in the system's queue.
const MAX_HANDSHAKES: usize = 256;
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// A signing request and the description of a machine; anybody can send it.
const MAX_ENROLMENT_BYTES: usize = 64 * 1024;
/// A dead connection on which nothing came is noticed after about one and a half of this.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// A gateway has up to 2,000 agents (specification, appendix of limits), and as many again that reconnect.
const MAX_STREAMS: u32 = 4096;
/// Bytes on their way on one connection: batches of many agents of a gateway.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// The server's certificate lasts a year and is replaced this often.
const CERTIFICATE_REPLACED_EVERY: Duration = Duration::from_secs(30 * 86_400);

/// How a management server runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where agents connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names and addresses in the server's certificate: what agents have in their `server` setting.
    pub names: Vec<String>,
    /// Name of the management group.
    pub management_group: String,
    /// What happens to a new agent with a valid token.
    pub approval: Approval,
    /// How long an agent's certificate is valid; it is renewed at two thirds.
    pub certificate_validity: Duration,
    /// How often agents send heartbeats (specification 1.7: 60 s).
    pub heartbeat_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], watchkeeper_wire::DEFAULT_PORT)),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            management_group: "Watchkeeper".to_owned(),
            approval: Approval::Reject,
            certificate_validity: Duration::from_secs(90 * 86_400),
            heartbeat_interval: Duration::from_secs(60),
        }
    }
}

/// Why a management server cannot start or do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// The port cannot be taken.
    #[error("cannot listen for agents on {listen}: {source}; is another server running?")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Certificates.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// There is no such agent.
    #[error("there is no agent {0:?}")]
    NoAgent(String),
    /// The agent has no session.
    #[error("agent {0:?} is not connected")]
    NotConnected(String),
}

/// A running management server. Dropping it stops accepting; [`ManagementServer::stop`] ends it in order.
pub struct ManagementServer {
    shared: Arc<Shared>,
    authority: Arc<Authority>,
    certificate: Arc<ServerCertificate>,
    address: SocketAddr,
    configuration: watch::Sender<Configuration>,
    servers: watch::Sender<u64>,
    heartbeats: watch::Sender<Heartbeats>,
    stopping: watch::Sender<bool>,
    running: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl ManagementServer {
    /// Starts listening. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the port cannot be taken or the certificates cannot be made.
    pub async fn start(
        options: Options,
        authority: Arc<Authority>,
        sink: Arc<dyn AgentSink>,
        registry: Arc<dyn Registry>,
    ) -> Result<Self, ManagementError> {
        let certificate = Arc::new(ServerCertificate::new(&authority.server_credentials(&options.names)?)?);
        let trust = Arc::new(ClientTrust::new(authority.certificate().clone())?);
        trust.replace(registry.authorities().await?, registry.revoked().await?)?;
        let acceptor = TlsAcceptor::from(server_config(Arc::clone(&trust), certificate.clone())?);
        let listen = options.listen;
        let listener = TcpListener::bind(listen).await.map_err(|source| ManagementError::Listen { listen, source })?;
        let address = listener.local_addr().map_err(|source| ManagementError::Listen { listen, source })?;

        let (configuration, configurations) = watch::channel(Configuration::default());
        let (servers, server_changes) = watch::channel(0);
        let (heartbeats, heartbeat_changes) =
            watch::channel(Heartbeats { general: options.heartbeat_interval, own: HashMap::new() });
        let (stopping, stop) = watch::channel(false);
        let enroller = Arc::new(Enroller {
            authority: authority.clone(),
            trust,
            registry,
            approval: options.approval,
            management_group: options.management_group,
            certificate_validity: options.certificate_validity,
            own_names: options.names.clone(),
        });
        let shared = Arc::new(Shared {
            enroller,
            sink,
            sessions: Sessions::default(),
            guard: Guard::default(),
            configuration: configurations,
            own: OwnConfigurations::default(),
            servers: server_changes,
            stopping: stop.clone(),
            heartbeats: heartbeat_changes,
            beats: HeartbeatRows::default(),
        });
        let (connections, incoming) = mpsc::channel(16);
        let accepting = tokio::spawn(accept(listener, acceptor, connections, stop.clone()));
        tokio::spawn(replace_certificate(authority.clone(), certificate.clone(), options.names, stop.clone()));
        let router = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE / 2))
            // a gateway has a stream for each of its agents on one connection
            .max_concurrent_streams(MAX_STREAMS)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .add_service(
                EnrolmentServer::new(EnrolmentService(shared.clone())).max_decoding_message_size(MAX_ENROLMENT_BYTES),
            )
            .add_service(AgentServer::new(AgentService(shared.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES));
        let serving = tokio::spawn(async move {
            let stopped = async move {
                let mut stop = stop;
                stopped(&mut stop).await;
            };
            if let Err(error) = router.serve_with_incoming_shutdown(ReceiverStream::new(incoming), stopped).await {
                tracing::error!(%error, "the agents' port has failed");
            }
        });
        let checking = tokio::spawn({
            let shared = shared.clone();
            async move { shared.keep_checking().await }
        });
        let beating = tokio::spawn({
            let (shared, stop) = (shared.clone(), shared.stopping.clone());
            let group = shared.enroller.management_group.clone();
            async move { shared.beats.write(&*shared.sink, &group, stop).await }
        });
        tracing::info!(%address, fingerprint = %authority.fingerprint(), "management server listens for agents");
        let running = tokio::sync::Mutex::new(vec![accepting, serving, checking, beating]);
        Ok(Self { shared, authority, certificate, address, configuration, servers, heartbeats, stopping, running })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The fingerprint that agents are given.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.authority.fingerprint()
    }

    /// The authority's certificate, which agents are given.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        self.authority.certificate_pem()
    }

    /// Sets the configuration of all agents (a JSON document in the form of the agent's `[collect]` section) and sends
    /// it to those that are connected. The version follows from the contents: the same document is sent once.
    pub fn set_configuration(&self, document: &serde_json::Value) {
        let document = document.to_string();
        let version = token_hash(&document).chars().take(16).collect();
        self.configuration.send_if_modified(|present| {
            let next = Configuration { version, document };
            let changed = *present != next;
            *present = next;
            changed
        });
    }

    /// Sets the configuration of one agent, in the place of the one for all, and sends it if the agent is connected.
    /// Gives its version.
    pub fn set_agent_configuration(&self, agent_id: &str, document: &serde_json::Value) -> String {
        self.set_secret_configuration(agent_id, document, document)
    }

    /// The same for a document with secrets: its version, which is no secret, follows from `without_secrets`.
    pub fn set_secret_configuration(
        &self,
        agent_id: &str,
        document: &serde_json::Value,
        without_secrets: &serde_json::Value,
    ) -> String {
        let document = document.to_string();
        let version: String = token_hash(&without_secrets.to_string()).chars().take(16).collect();
        self.shared.own.set(agent_id, Configuration { version: version.clone(), document });
        version
    }

    /// The certificate of a company's authority for agents that trust this authority; the group's own stays for others.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn set_company_certificate(&self, credentials: Option<&Credentials>) -> Result<(), ManagementError> {
        Ok(self.certificate.set_company(credentials)?)
    }

    /// Authorities are trusted or certificates revoked since the last call: both hold for new connections, and sessions
    /// that began with what is trusted no more end now. Gives how many.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub async fn certificates_changed(&self) -> Result<usize, ManagementError> {
        let registry = &self.shared.enroller.registry;
        let (authorities, revoked) = (registry.authorities().await?, registry.revoked().await?);
        self.shared.enroller.trust.replace(authorities, revoked.iter().cloned())?;
        Ok(self.shared.check_sessions().await?)
    }

    /// Agents send heartbeats so often from now on; those that are connected are told at once.
    pub fn set_heartbeats(&self, heartbeats: Heartbeats) {
        self.heartbeats.send_if_modified(|present| {
            let changed = *present != heartbeats;
            *present = heartbeats;
            changed
        });
    }

    /// Agents may have other servers than before: those that are connected are told.
    pub fn servers_changed(&self) {
        self.servers.send_modify(|version| *version += 1);
    }

    /// The agents that are connected.
    #[must_use]
    pub fn connected(&self) -> Vec<ConnectedAgent> {
        self.shared.sessions.list()
    }

    /// One agent, if it is connected.
    #[must_use]
    pub fn connected_agent(&self, agent_id: &str) -> Option<ConnectedAgent> {
        self.shared.sessions.get(agent_id)
    }

    /// Whether an agent is connected.
    #[must_use]
    pub fn is_connected(&self, agent_id: &str) -> bool {
        self.shared.sessions.has(agent_id)
    }

    /// The identities of the agents that are connected.
    #[must_use]
    pub fn connected_ids(&self) -> Vec<String> {
        self.shared.sessions.ids()
    }

    /// All agents that are known.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub async fn agents(&self) -> Result<Vec<AgentRecord>, ManagementError> {
        Ok(self.shared.enroller.registry.agents().await?)
    }

    /// Makes an enrolment token.
    ///
    /// # Errors
    /// When the registry cannot be written.
    pub async fn create_token(
        &self,
        description: &str,
        valid_for: Option<Duration>,
        uses: Option<u32>,
    ) -> Result<String, ManagementError> {
        let token = new_token();
        let expires_at = valid_for.map(|duration| SystemTime::now() + duration);
        self.shared.enroller.registry.put_token(&token_hash(&token), description, expires_at, uses).await?;
        Ok(token)
    }

    /// Approves an agent that is pending, rejected or revoked.
    ///
    /// # Errors
    /// When there is no such agent.
    pub async fn approve(&self, agent_id: &str) -> Result<(), ManagementError> {
        self.set_status(agent_id, AgentStatus::Approved).await
    }

    /// Rejects an agent.
    ///
    /// # Errors
    /// When there is no such agent.
    pub async fn reject(&self, agent_id: &str) -> Result<(), ManagementError> {
        self.set_status(agent_id, AgentStatus::Rejected).await
    }

    /// Revokes an agent: its session ends now and its certificates are refused from now on.
    ///
    /// # Errors
    /// When there is no such agent.
    pub async fn revoke(&self, agent_id: &str) -> Result<(), ManagementError> {
        self.set_status(agent_id, AgentStatus::Revoked).await
    }

    /// Agents that wait for an administrator.
    ///
    /// # Errors
    /// When the registry cannot be read.
    pub async fn pending(&self) -> Result<Vec<AgentRecord>, ManagementError> {
        let agents = self.agents().await?;
        Ok(agents.into_iter().filter(|agent| agent.status == AgentStatus::Pending).collect())
    }

    /// Removes an agent: its session ends now, and its certificate is refused like a stranger's.
    ///
    /// # Errors
    /// When there is no such agent.
    pub async fn remove(&self, agent_id: &str) -> Result<(), ManagementError> {
        if !self.shared.enroller.registry.remove(agent_id).await? {
            return Err(ManagementError::NoAgent(agent_id.to_owned()));
        }
        let reason = format!("agent {agent_id} was removed from this management group");
        self.shared.sessions.end(agent_id, Status::permission_denied(reason));
        self.shared.guard.forget(agent_id);
        tracing::info!(agent_id, "agent removed");
        Ok(())
    }

    /// A gateway may no longer speak for these agents: sessions that it holds for them end now.
    pub fn gateway_left(&self, agents: &[String]) {
        for agent_id in agents {
            let reason = format!("the gateway may no longer speak for agent {agent_id}");
            self.shared.sessions.end(agent_id, Status::permission_denied(reason));
        }
    }

    async fn set_status(&self, agent_id: &str, status: AgentStatus) -> Result<(), ManagementError> {
        if !self.shared.enroller.registry.set_status(agent_id, status).await? {
            return Err(ManagementError::NoAgent(agent_id.to_owned()));
        }
        if status != AgentStatus::Approved {
            let reason = format!("agent {agent_id} is {}", status.as_str());
            self.shared.sessions.end(agent_id, Status::permission_denied(reason));
        }
        tracing::info!(agent_id, status = status.as_str(), "agent status changed");
        Ok(())
    }

    /// Sends a command to a connected agent; gives the command's id.
    ///
    /// # Errors
    /// When the agent is not connected.
    pub async fn send(&self, agent_id: &str, command: command::Command) -> Result<String, ManagementError> {
        let missing = || ManagementError::NotConnected(agent_id.to_owned());
        let commands = self.shared.sessions.commands(agent_id).ok_or_else(missing)?;
        let id = uuid::Uuid::new_v4().to_string();
        commands.send(Command { id: id.clone(), command: Some(command) }).await.map_err(|_| missing())?;
        Ok(id)
    }

    /// Ends all sessions and stops listening. What was acknowledged is with the sink; what was not comes again.
    pub async fn stop(&self) {
        let _ = self.stopping.send(true);
        for task in self.running.lock().await.drain(..) {
            let _ = task.await;
        }
    }
}

#[tonic::async_trait]
impl Dispatch for ManagementServer {
    async fn run_task(&self, agent_id: &str, run_id: &str, task: RunTask) -> Result<(), String> {
        let missing = || format!("agent {agent_id:?} is not connected to this server");
        let commands = self.shared.sessions.commands(agent_id).ok_or_else(missing)?;
        let command = Command { id: run_id.to_owned(), command: Some(command::Command::RunTask(task)) };
        commands.send(command).await.map_err(|_| missing())
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    connections: mpsc::Sender<Result<TlsStream<TcpStream>, std::io::Error>>,
    mut stop: watch::Receiver<bool>,
) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let Ok(permit) = handshakes.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // out of file descriptors, for instance: give others time to finish
                tracing::warn!(%error, "cannot accept an agent's connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (acceptor, connections) = (acceptor.clone(), connections.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _ = connections.send(Ok(stream)).await;
                }
                Ok(Err(error)) => tracing::info!(%peer, %error, "TLS handshake failed"),
                Err(_) => tracing::info!(%peer, "TLS handshake took too long"),
            }
            drop(permit);
        });
    }
}

async fn replace_certificate(
    authority: Arc<Authority>,
    certificate: Arc<ServerCertificate>,
    names: Vec<String>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(CERTIFICATE_REPLACED_EVERY) => {}
            () = stopped(&mut stop) => return,
        }
        let replaced = authority.server_credentials(&names).and_then(|next| certificate.replace(&next));
        if let Err(error) = replaced {
            tracing::error!(%error, "the server's certificate was not replaced");
        }
    }
}
