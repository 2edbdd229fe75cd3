//! One agent's stream: batches to the sink, acknowledgements, configuration and commands to the agent.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use watchkeeper_wire::proto::agent_server::Agent;
use watchkeeper_wire::proto::from_agent::Message as Up;
use watchkeeper_wire::proto::to_agent::Message as Down;
use watchkeeper_wire::proto::{
    Ack, Command, Compression, Configuration, EnrolResponse, Envelope, FromAgent, Heartbeat, Hello, Lane, Machine,
    PayloadKind, RenewRequest, Retry, Servers, ToAgent, TrustRequest, Trusted, Welcome,
};
use watchkeeper_wire::{Batch, PeerCertificate, SPEAKS_FOR, decode_operational, decode_rows};

use crate::admission::{check_queues, misdeed, pin_name};
use crate::enrolment::Enroller;
use crate::guard::{Guard, Incident, Kind, Number, check_machine, correct_times, digest};
use crate::heartbeat::{Beat, HeartbeatRows};
use crate::registry::{AgentRecord, AgentServers};
use crate::sessions::{ConnectedAgent, QueueState, Sessions, queue_state};
use crate::sink::{AgentIdentity, AgentSink, SinkError};

/// Batches of an agent that may be on their way without acknowledgement.
const WINDOW: u32 = 4;
/// A client that opens a session and says nothing is let go.
const HELLO_DEADLINE: Duration = Duration::from_secs(30);
/// When rows cannot be stored for a reason without a time of its own.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(5);

/// What all sessions share.
pub(crate) struct Shared {
    pub enroller: Arc<Enroller>,
    pub sink: Arc<dyn AgentSink>,
    pub sessions: Sessions,
    pub guard: Guard,
    pub configuration: watch::Receiver<Configuration>,
    pub own: OwnConfigurations,
    /// Changes when agents may have other servers than before.
    pub servers: watch::Receiver<u64>,
    pub stopping: watch::Receiver<bool>,
    pub heartbeats: watch::Receiver<Heartbeats>,
    pub beats: HeartbeatRows,
}

/// How often agents send heartbeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeats {
    /// All without an interval of their own.
    pub general: Duration,
    /// By agent.
    pub own: HashMap<String, Duration>,
}

impl Heartbeats {
    fn seconds(&self, agent_id: &str) -> u32 {
        let interval = self.own.get(agent_id).unwrap_or(&self.general);
        u32::try_from(interval.as_secs()).unwrap_or(60).max(1)
    }
}

/// Configurations of single agents.
#[derive(Default)]
pub(crate) struct OwnConfigurations(Mutex<HashMap<String, watch::Sender<Configuration>>>);

impl OwnConfigurations {
    fn with<T>(&self, agent_id: &str, work: impl FnOnce(&watch::Sender<Configuration>) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(all.entry(agent_id.to_owned()).or_default())
    }

    /// Sets one; the same again is not sent again.
    pub fn set(&self, agent_id: &str, next: Configuration) {
        self.with(agent_id, |sender| {
            sender.send_if_modified(|present| {
                let changed = *present != next;
                *present = next;
                changed
            })
        });
    }

    fn subscribe(&self, agent_id: &str) -> watch::Receiver<Configuration> {
        self.with(agent_id, watch::Sender::subscribe)
    }
}

/// The service of enrolled agents.
pub(crate) struct AgentService(pub Arc<Shared>);

#[tonic::async_trait]
impl Agent for AgentService {
    type SessionStream = ReceiverStream<Result<ToAgent, Status>>;

    async fn session(&self, request: Request<Streaming<FromAgent>>) -> Result<Response<Self::SessionStream>, Status> {
        let peer = self.0.client(&request).await?;
        let (peer, through_gateway) = self.0.enroller.caller(peer, request.metadata()).await?;
        let from = request.remote_addr().map(|address| address.ip());
        let enrolled = self.0.admit(&peer, from).await?;
        // of an agent behind a gateway the server sees the gateway's
        let address = from.filter(|_| !through_gateway);
        let (down, stream) = mpsc::channel(16);
        let shared = self.0.clone();
        tokio::spawn(async move {
            let agent_id = peer.agent_id.clone();
            let computer = enrolled.computer.clone();
            let from = (address, through_gateway);
            let result = serve(&shared, peer, enrolled, from, request.into_inner(), down.clone()).await;
            match result {
                Ok(()) => tracing::info!(agent_id, "session ended"),
                Err(status) => {
                    tracing::info!(agent_id, reason = status.message(), "session ended");
                    if let Some(action) = misdeed(&status) {
                        let (agent_id, computer, reason) = (&*agent_id, &*computer, status.message());
                        let incident = Incident { agent_id, computer, action, result: "Refused", reason };
                        shared.guard.audit(&*shared.sink, incident).await;
                    }
                    let _ = down.send(Err(status)).await;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<EnrolResponse>, Status> {
        let peer = self.0.client(&request).await?;
        if peer.foreign.is_some() && request.metadata().get(SPEAKS_FOR).is_none() {
            return Err(Status::failed_precondition(
                "this certificate is of a company's authority, which renews it: `watchkeeper-agent cert renew` makes \
                 the request",
            ));
        }
        let (peer, through_gateway) = self.0.enroller.caller(peer, request.metadata()).await?;
        let asked = &request.get_ref().signing_request;
        let response = if self.0.enroller.is_gateway(&peer.agent_id).await? {
            self.0.enroller.renew_gateway(&peer.agent_id, asked).await?
        } else {
            let record = self.0.admit(&peer, request.remote_addr().map(|address| address.ip())).await?;
            self.0.enroller.renew(record, asked).await?
        };
        tracing::info!(agent_id = peer.agent_id, through_gateway, "certificate renewed");
        Ok(Response::new(response))
    }

    async fn trust(&self, request: Request<TrustRequest>) -> Result<Response<Trusted>, Status> {
        let peer = self.0.client(&request).await?;
        let TrustRequest { queues, known } = request.into_inner();
        let trusted = self.0.trusted(&peer, &known).await?;
        self.0.enroller.gateway_queues(&peer.agent_id, queues).await?;
        Ok(Response::new(trusted))
    }
}

async fn serve(
    shared: &Arc<Shared>,
    peer: PeerCertificate,
    enrolled: AgentRecord,
    (address, through_gateway): (Option<IpAddr>, bool),
    mut stream: Streaming<FromAgent>,
    down: mpsc::Sender<Result<ToAgent, Status>>,
) -> Result<(), Status> {
    let hello = tokio::time::timeout(HELLO_DEADLINE, stream.message())
        .await
        .map_err(|_| Status::deadline_exceeded("no hello came"))??;
    let Some(Up::Hello(Hello { machine: Some(mut machine), queue_id, urgent_queue_id, configuration_version })) =
        hello.and_then(|hello| hello.message)
    else {
        return Err(Status::invalid_argument("a session begins with a hello that describes the machine"));
    };
    check_machine(&machine).map_err(Status::invalid_argument)?;
    check_queues(&queue_id, &urgent_queue_id).map_err(Status::invalid_argument)?;
    pin_name(shared, &enrolled, &mut machine).await?;
    let registry = &shared.enroller.registry;
    registry
        .seen(&peer.agent_id, &machine.computer, &machine.os_name, &machine.agent_version, SystemTime::now())
        .await
        .map_err(crate::enrolment::unavailable)?;
    let (commands, command_source) = mpsc::channel(8);
    let connected = ConnectedAgent {
        agent_id: peer.agent_id.clone(),
        computer: machine.computer.clone(),
        certificate: peer.key.clone(),
        authority: peer.foreign.as_ref().map(|(authority, _)| *authority),
        certificate_ends: peer.not_after,
        address,
        connected_at: SystemTime::now(),
        last_heartbeat: None,
        configuration_version: configuration_version.clone(),
        configuration_error: None,
        queue: QueueState::default(),
    };
    let (number, ended) = shared.sessions.enter(connected, commands);
    tracing::info!(agent_id = peer.agent_id, computer = machine.computer, "session began");
    // between the check at the door and the entry into the list the agent may have been revoked
    let mut allowed = shared.enroller.not_revoked(&peer).await;
    if allowed.is_ok() {
        allowed = shared.enroller.approved(&peer.agent_id).await.map(|_| ());
    }
    if !through_gateway {
        registry.shown(&peer.agent_id, &peer).await.map_err(crate::enrolment::unavailable)?;
    }
    let mut session = Session {
        identity: AgentIdentity {
            agent_id: peer.agent_id.clone(),
            computer: machine.computer.clone(),
            queue: queue_id,
        },
        urgent_queue: urgent_queue_id,
        shared,
        through_gateway,
        machine: Arc::new(machine),
        address,
        number,
        down,
        retries: [0; 2],
    };
    let result = match allowed {
        Ok(()) => session.run(&mut stream, &configuration_version, command_source, ended).await,
        Err(status) => Err(status),
    };
    shared.sessions.leave(&peer.agent_id, number);
    let _ = shared
        .enroller
        .registry
        .seen(
            &peer.agent_id,
            &session.identity.computer,
            &session.machine.os_name,
            &session.machine.agent_version,
            SystemTime::now(),
        )
        .await;
    result
}

struct Session<'a> {
    shared: &'a Shared,
    /// Its servers are then its gateway's business.
    through_gateway: bool,
    identity: AgentIdentity,
    machine: Arc<Machine>,
    address: Option<IpAddr>,
    number: u64,
    down: mpsc::Sender<Result<ToAgent, Status>>,
    urgent_queue: String,
    /// Retry messages sent, by lane; envelopes that were on their way before the last one are not looked at.
    retries: [u32; 2],
}

impl Session<'_> {
    async fn run(
        &mut self,
        stream: &mut Streaming<FromAgent>,
        agent_configuration: &str,
        mut commands: mpsc::Receiver<Command>,
        mut ended: oneshot::Receiver<Status>,
    ) -> Result<(), Status> {
        let mut heartbeats = self.shared.heartbeats.clone();
        let mut heartbeat_seconds = heartbeats.borrow_and_update().seconds(&self.identity.agent_id);
        self.welcome(heartbeat_seconds).await?;
        let mut configuration = self.shared.configuration.clone();
        let mut own = self.shared.own.subscribe(&self.identity.agent_id);
        let mut stopping = self.shared.stopping.clone();
        let mut sent = agent_configuration.to_owned();
        self.send_configuration(&mut configuration, &mut own, &mut sent).await?;
        let mut servers = self.shared.servers.clone();
        servers.mark_unchanged();
        let mut told = None;
        self.send_servers(&mut told).await?;
        loop {
            tokio::select! {
                biased;
                reason = &mut ended => {
                    return Err(reason.unwrap_or_else(|_| Status::aborted("the session was ended")));
                }
                () = stopped(&mut stopping) => {
                    return Err(Status::unavailable("the management server is stopping"));
                }
                Ok(()) = configuration.changed() => {
                    self.send_configuration(&mut configuration, &mut own, &mut sent).await?;
                }
                Ok(()) = own.changed() => {
                    self.send_configuration(&mut configuration, &mut own, &mut sent).await?;
                }
                Ok(()) = heartbeats.changed() => {
                    let next = heartbeats.borrow_and_update().seconds(&self.identity.agent_id);
                    if next != heartbeat_seconds {
                        heartbeat_seconds = next;
                        self.welcome(next).await?;
                    }
                }
                Ok(()) = servers.changed() => self.send_servers(&mut told).await?,
                Some(command) = commands.recv() => self.send(Down::Command(command)).await?,
                message = stream.message() => match message? {
                    Some(message) => self.take(message).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// What holds for the session; said again when it changes.
    async fn welcome(&self, heartbeat_seconds: u32) -> Result<(), Status> {
        self.send(Down::Welcome(Welcome {
            management_group: self.shared.enroller.management_group.clone(),
            heartbeat_seconds,
            window: WINDOW,
            lanes: 2,
        }))
        .await
    }

    /// Sends the agent's own configuration, else that of all, unless it has it.
    async fn send_configuration(
        &self,
        all: &mut watch::Receiver<Configuration>,
        own: &mut watch::Receiver<Configuration>,
        sent: &mut String,
    ) -> Result<(), Status> {
        let all = all.borrow_and_update().clone();
        let own = own.borrow_and_update().clone();
        let next = if own.version.is_empty() { all } else { own };
        if next.version.is_empty() || next.version == *sent {
            return Ok(());
        }
        sent.clone_from(&next.version);
        self.send(Down::Configuration(next)).await
    }

    /// Tells the agent its servers, unless it knows them.
    async fn send_servers(&self, told: &mut Option<AgentServers>) -> Result<(), Status> {
        if self.through_gateway {
            return Ok(());
        }
        let registry = &self.shared.enroller.registry;
        let servers = registry.servers(&self.identity.agent_id).await.map_err(crate::enrolment::unavailable)?;
        if told.as_ref() == Some(&servers) {
            return Ok(());
        }
        *told = Some(servers.clone());
        let AgentServers { primary, failover } = servers;
        self.send(Down::Servers(Servers { primary, failover })).await
    }

    async fn send(&self, message: Down) -> Result<(), Status> {
        let sent = self.down.send(Ok(ToAgent { message: Some(message) })).await;
        sent.map_err(|_| Status::cancelled("the agent has gone"))
    }

    async fn take(&mut self, message: FromAgent) -> Result<(), Status> {
        let kind = match &message.message {
            Some(Up::Envelope(_)) => Kind::Batch,
            Some(Up::Heartbeat(_)) => Kind::Heartbeat,
            _ => Kind::Answer,
        };
        self.shared.guard.take(&self.identity.agent_id, kind).map_err(Status::resource_exhausted)?;
        match message.message {
            Some(Up::Envelope(envelope)) => self.take_batch(envelope).await,
            Some(Up::Heartbeat(heartbeat)) => {
                self.take_heartbeat(&heartbeat);
                Ok(())
            }
            Some(Up::ConfigurationResult(result)) => {
                if !result.error.is_empty() {
                    tracing::warn!(
                        agent_id = self.identity.agent_id,
                        version = result.version,
                        error = result.error,
                        "configuration was not applied"
                    );
                }
                self.shared.sessions.update(&self.identity.agent_id, self.number, |agent| {
                    agent.configuration_error = Some(result.error).filter(|error| !error.is_empty());
                    if agent.configuration_error.is_none() {
                        agent.configuration_version = result.version;
                    }
                });
                Ok(())
            }
            Some(Up::CommandResult(result)) => {
                tracing::info!(
                    agent_id = self.identity.agent_id,
                    command = result.id,
                    error = result.error,
                    "command finished"
                );
                Ok(())
            }
            Some(Up::Hello(_)) => Err(Status::invalid_argument("a session has one hello, and this is the second")),
            None => Err(Status::invalid_argument(
                "a message of a kind that this server does not know; is the agent newer than the server?",
            )),
        }
    }

    async fn incident(&self, action: &'static str, result: &'static str, reason: &str) {
        let AgentIdentity { agent_id, computer, .. } = &self.identity;
        let incident = Incident { agent_id, computer, action, result, reason };
        self.shared.guard.audit(&*self.shared.sink, incident).await;
    }

    async fn take_batch(&mut self, envelope: Envelope) -> Result<(), Status> {
        let unknown = |what: &str, number: i32| {
            Status::invalid_argument(format!(
                "a batch with the unknown {what} {number}; is the agent newer than the server?"
            ))
        };
        let lane = Lane::try_from(envelope.lane).map_err(|_| unknown("lane", envelope.lane))?;
        let kind = PayloadKind::try_from(envelope.kind).map_err(|_| unknown("kind of payload", envelope.kind))?;
        let compression =
            Compression::try_from(envelope.compression).map_err(|_| unknown("compression", envelope.compression))?;
        if envelope.retries != self.retries[lane as usize] {
            return Ok(());
        }
        if lane == Lane::Urgent && self.urgent_queue.is_empty() {
            return Err(Status::invalid_argument("the hello named no urgent lane"));
        }
        let sequence = envelope.sequence;
        let identity = match lane {
            Lane::Bulk => self.identity.clone(),
            Lane::Urgent => AgentIdentity { queue: self.urgent_queue.clone(), ..self.identity.clone() },
        };
        let refused = |error: watchkeeper_wire::WireError| SinkError::Refused { reason: error.to_string() };
        let digest = digest(&envelope);
        match self.shared.guard.number(&identity, sequence, &digest) {
            Number::New => {}
            Number::Again => {
                return self.send(Down::Ack(Ack { sequence, refused: String::new(), lane: lane.into() })).await;
            }
            Number::Back { highest } => {
                let reason = format!(
                    "the number {sequence} is behind {highest}, which is stored, and the contents are new: the agent's \
                     queue was restored or changed; remove its queue folder and restart it"
                );
                self.incident("agent numbers batches again", "Refused", &reason).await;
                return self.send(Down::Ack(Ack { sequence, refused: reason, lane: lane.into() })).await;
            }
        }
        let accepted = match kind {
            PayloadKind::Rows => match decode_rows(compression, &envelope.payload) {
                Ok(mut tables) => {
                    let ahead = correct_times(&mut tables, SystemTime::now());
                    if ahead > 0 {
                        let reason = format!(
                            "{ahead} rows were more than a day ahead of this server's clock and have its time now"
                        );
                        self.incident("agent sends times in the future", "Corrected", &reason).await;
                    }
                    self.shared.sink.accept(&identity, Batch { sequence, tables }).await
                }
                Err(error) => Err(refused(error)),
            },
            PayloadKind::Operational => match decode_operational(compression, &envelope.payload) {
                Ok(items) => self.shared.sink.accept_operational(&identity, sequence, items).await,
                Err(error) => Err(refused(error)),
            },
        };
        if accepted.is_ok() {
            self.shared.guard.stored(&identity, sequence, digest);
        }
        let lane = lane.into();
        match accepted {
            Ok(()) => self.send(Down::Ack(Ack { sequence, refused: String::new(), lane })).await,
            Err(SinkError::Refused { reason }) => {
                tracing::warn!(agent_id = self.identity.agent_id, sequence, reason, "batch refused");
                self.incident("agent sends a batch that cannot be stored", "Refused", &reason).await;
                self.send(Down::Ack(Ack { sequence, refused: reason, lane })).await
            }
            Err(error) => {
                let after = match &error {
                    SinkError::BackPressure { retry_after } => *retry_after,
                    _ => UNAVAILABLE_RETRY,
                };
                self.retries[lane as usize] += 1;
                self.send(Down::Retry(Retry {
                    sequence,
                    after_milliseconds: u32::try_from(after.as_millis()).unwrap_or(u32::MAX),
                    reason: error.to_string(),
                    lane,
                }))
                .await
            }
        }
    }

    fn take_heartbeat(&self, heartbeat: &Heartbeat) {
        let now = SystemTime::now();
        self.shared.sessions.update(&self.identity.agent_id, self.number, |agent| {
            agent.last_heartbeat = Some(now);
            agent.queue = queue_state(heartbeat);
            agent.configuration_version.clone_from(&heartbeat.configuration_version);
        });
        self.shared.sink.heard_of(&self.identity.agent_id);
        self.shared.beats.push(Beat { machine: self.machine.clone(), peer: self.address, at: now });
    }
}

/// Returns when the server is stopping (or has gone).
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
