//! The session with the management server: sends what is in the disk queue, forgets what is acknowledged, applies
//! configuration; and comes back after every failure.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rand::Rng;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::command::Command as Asked;
use watchkeeper_wire::proto::from_agent::Message as Up;
use watchkeeper_wire::proto::to_agent::Message as Down;
use watchkeeper_wire::proto::{
    CommandResult, Configuration, ConfigurationResult, Envelope, FromAgent, Heartbeat, Hello, Machine, PayloadKind,
    RecalculateMonitor, ResetMonitor, Servers as ToldServers,
};
use watchkeeper_wire::{MAX_MESSAGE_BYTES, PeerCertificate, write_private};

use crate::config::{CollectConfig, Config};
use crate::enrol::{Enrolled, JoinError, connect_enrolled, enrol, join, refused, renew};
use crate::identity::{Identity, IdentityFiles};
use crate::queue::{Kind, Lane, Queue};
use crate::servers::{Servers, Told};
use crate::system::stopped;
use crate::workflow::engine::TaskCommand;
use crate::workflow::run::{Order, What};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(120);
/// After a refusal that time alone does not change; an administrator can.
const REFUSED_DELAY: Duration = Duration::from_secs(300);
/// A session that lasted this long was a good one: the next delay is short again.
const GOOD_SESSION: Duration = Duration::from_secs(60);
const WELCOME_DEADLINE: Duration = Duration::from_secs(30);
/// Between attempts while there are servers that were not tried.
const NEXT_SERVER: Duration = Duration::from_secs(2);
/// How often an agent that is with another server looks whether its primary is back.
const PRIMARY_CHECK: Duration = Duration::from_secs(15);
/// The primary has to answer so often in a row, so that a server that comes and goes does not pull its agents about.
const PRIMARY_ANSWERS: u32 = 2;
/// The clock may be set: the certificate is looked at so often at least.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(3600);
const OUTGOING: usize = 128;
/// What the server has to tell apart.
const LANES: u32 = 2;

/// The configuration that is in force, and its version (empty for the agent's own file).
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// As the server named it.
    pub version: String,
    /// What is collected.
    pub collect: CollectConfig,
}

/// What the connection and the collectors share.
#[derive(Clone)]
pub struct SharedQueue {
    queue: Arc<Mutex<Queue>>,
    appended: Arc<Notify>,
}

impl SharedQueue {
    /// Around an open queue.
    #[must_use]
    pub fn new(queue: Queue) -> Self {
        Self { queue: Arc::new(Mutex::new(queue)), appended: Arc::new(Notify::new()) }
    }

    /// The queue, for a moment: never across an await.
    pub fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when something was put in since it was last looked at.
    pub async fn appended(&self) {
        self.appended.notified().await;
    }

    /// Tells the connection that there is something to send.
    pub fn notify(&self) {
        self.appended.notify_one();
    }
}

/// The side of the agent that talks to the server.
pub struct Connection {
    config: Config,
    files: IdentityFiles,
    machine: Machine,
    queue: SharedQueue,
    applied: watch::Sender<Applied>,
    inventory: Arc<Notify>,
    agent_id: watch::Sender<String>,
    orders: mpsc::Sender<Order>,
    servers: Mutex<Servers>,
}

/// How a session ended.
enum Ended {
    Stopped,
    /// The primary is back.
    PrimaryBack,
    Failed(JoinError),
}

impl Connection {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        config: Config,
        machine: Machine,
        queue: SharedQueue,
        applied: watch::Sender<Applied>,
        inventory: Arc<Notify>,
        agent_id: watch::Sender<String>,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        let files = IdentityFiles::new(&config.data);
        let servers = Mutex::new(Servers::open(&config.servers, &config.data));
        Self { servers, config, files, machine, queue, applied, inventory, agent_id, orders }
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, again and again, until told to stop: to the primary, or to another server while it is not there.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut delay = FIRST_DELAY;
        while !*stop.borrow() {
            let server = self.servers().current().to_owned();
            let began = Instant::now();
            let wait = match self.once(&server, &mut stop).await {
                Ok(None) => continue,
                Ok(Some(wait)) => wait,
                Err(Ended::Stopped) => return,
                Err(Ended::PrimaryBack) => {
                    self.servers().go_home();
                    tracing::info!(left = server, "the primary management server is back");
                    continue;
                }
                Err(Ended::Failed(error)) => {
                    tracing::warn!(server, %error, "no connection to the management server");
                    let final_answer = matches!(&error, JoinError::Refused { final_answer: true, .. });
                    if began.elapsed() > GOOD_SESSION {
                        delay = FIRST_DELAY;
                        self.servers().succeeded();
                    }
                    let all_tried = self.servers().failed(!final_answer);
                    match (all_tried, final_answer) {
                        (false, _) => jittered(NEXT_SERVER),
                        (true, true) => jittered(REFUSED_DELAY),
                        (true, false) => {
                            let wait = jittered(delay);
                            delay = (delay * 2).min(LONGEST_DELAY);
                            wait
                        }
                    }
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    /// Returns when the agent is with another server and its primary answers again.
    async fn primary_back(&self, identity: &Identity) {
        let mut answers = 0;
        loop {
            sleep(jittered(PRIMARY_CHECK)).await;
            let primary = self.servers().primary_elsewhere().map(str::to_owned);
            answers = match primary {
                Some(primary) if connect_enrolled(&self.config, &primary, identity).await.is_ok() => answers + 1,
                _ => 0,
            };
            if answers >= PRIMARY_ANSWERS {
                return;
            }
        }
    }

    /// Enrols or holds one session. Gives a time to wait where that is all that can be done.
    async fn once(&self, server: &str, stop: &mut watch::Receiver<bool>) -> Result<Option<Duration>, Ended> {
        let identity = self.files.load().map_err(|error| Ended::Failed(error.into()))?;
        if let Some(imported) = identity.as_ref().filter(|identity| identity.imported)
            && (imported.certificate.agent_id.is_empty() || imported.certificate.not_after <= SystemTime::now())
        {
            return self.join(server, imported, stop).await;
        }
        let Some(identity) = identity.filter(|identity| identity.certificate.not_after > SystemTime::now()) else {
            let enrolled = enrol(&self.config, &self.files, server, self.machine.clone());
            let enrolled = tokio::select! {
                enrolled = enrolled => enrolled.map_err(Ended::Failed)?,
                () = stopped(stop) => return Err(Ended::Stopped),
            };
            return Ok(match enrolled {
                Enrolled::Issued => None,
                Enrolled::Pending { agent_id, retry_after } => {
                    tracing::info!(agent_id, "waits for approval by an administrator");
                    Some(retry_after)
                }
            });
        };
        self.agent_id.send_if_modified(|present| {
            let changed = *present != identity.certificate.agent_id;
            present.clone_from(&identity.certificate.agent_id);
            changed
        });
        self.session(server, &identity, stop).await.map(|()| None)
    }

    /// Joins with a certificate of a company's authority.
    async fn join(
        &self,
        server: &str,
        identity: &Identity,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<Duration>, Ended> {
        if identity.certificate.not_after <= SystemTime::now() {
            let reason = "the imported certificate has expired; `watchkeeper-agent cert renew` makes the request for the \
                          next one";
            return Err(Ended::Failed(JoinError::Configuration(reason.to_owned())));
        }
        let joined = join(&self.config, &self.files, server, identity, self.machine.clone());
        tokio::select! {
            joined = joined => match joined.map_err(Ended::Failed)? {
                Enrolled::Issued => Ok(None),
                Enrolled::Pending { agent_id, retry_after } => {
                    tracing::info!(agent_id, "waits for approval by an administrator");
                    Ok(Some(retry_after))
                }
            },
            () = stopped(stop) => Err(Ended::Stopped),
        }
    }

    async fn session(&self, server: &str, identity: &Identity, stop: &mut watch::Receiver<bool>) -> Result<(), Ended> {
        let lost =
            |reason: &str| Ended::Failed(JoinError::Connect { server: server.to_owned(), reason: reason.to_owned() });
        let channel = tokio::select! {
            channel = connect_enrolled(&self.config, server, identity) => channel.map_err(Ended::Failed)?,
            () = stopped(stop) => return Err(Ended::Stopped),
        };
        let (up, outgoing) = mpsc::channel(OUTGOING);
        let configuration_version = self.applied.borrow().version.clone();
        let (queue_id, urgent_queue_id) = {
            let queue = self.queue.lock();
            (queue.id(Lane::Bulk), queue.id(Lane::Urgent))
        };
        let hello = Hello { machine: Some(self.machine.clone()), queue_id, urgent_queue_id, configuration_version };
        let mut sending = Sending { up, window: 1, lanes: Default::default(), heartbeat_seconds: 0 };
        sending.send(Up::Hello(hello)).map_err(|()| lost("the stream is closed"))?;
        let mut client = AgentClient::new(channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let response = timeout(WELCOME_DEADLINE, client.session(ReceiverStream::new(outgoing)))
            .await
            .map_err(|_| lost("no welcome in time"))?
            .map_err(|status| Ended::Failed(refused(server, &status)))?;
        let mut down = response.into_inner();
        let first = timeout(WELCOME_DEADLINE, down.message())
            .await
            .map_err(|_| lost("no welcome in time"))?
            .map_err(|status| Ended::Failed(refused(server, &status)))?;
        let Some(Down::Welcome(welcome)) = first.and_then(|first| first.message) else {
            return Err(lost("the server did not welcome the agent"));
        };
        if welcome.lanes < LANES {
            return Err(lost("the server is older than this agent; update the server"));
        }
        tracing::info!(server, agent_id = identity.certificate.agent_id, "connected");
        sending.window = welcome.window.clamp(1, 32) as usize;
        sending.heartbeat_seconds = welcome.heartbeat_seconds;
        let mut heartbeat = heartbeats(sending.heartbeat_seconds);
        let mut certificate_check = Instant::now();
        for lane in Lane::ALL {
            self.queue.lock().rewind(lane);
        }
        let mut primary_back = std::pin::pin!(self.primary_back(identity));
        loop {
            self.pump(&mut sending).map_err(|reason| lost(&reason))?;
            let resume = sending.lanes.iter().filter_map(|lane| lane.paused_until).min();
            tokio::select! {
                message = down.message() => match message {
                    Ok(Some(message)) => {
                        let before = sending.heartbeat_seconds;
                        let renew_now = self.obey(message.message, &mut sending).map_err(|reason| lost(&reason))?;
                        if sending.heartbeat_seconds != before {
                            heartbeat = heartbeats(sending.heartbeat_seconds);
                        }
                        if renew_now && !identity.imported {
                            renew(channel.clone(), &self.files, server).await.map_err(Ended::Failed)?;
                            return Ok(());
                        }
                    }
                    Ok(None) => return Err(lost("the server ended the session")),
                    Err(status) => return Err(Ended::Failed(refused(server, &status))),
                },
                _ = heartbeat.tick() => {
                    if self.files.replaced(identity) {
                        tracing::info!("another certificate is there; the next session begins with it");
                        return Ok(());
                    }
                    let heartbeat = self.heartbeat();
                    sending.send(Up::Heartbeat(heartbeat)).map_err(|()| lost("the server does not read"))?;
                }
                () = self.queue.appended.notified() => {}
                () = sleep_until(resume.unwrap_or_else(Instant::now)), if resume.is_some() => {
                    let now = Instant::now();
                    for lane in &mut sending.lanes {
                        lane.paused_until = lane.paused_until.filter(|until| *until > now);
                    }
                }
                () = sleep_until(certificate_check) => {
                    certificate_check = Instant::now() + until_renewal(&identity.certificate, SystemTime::now());
                    if identity.certificate.renew_at() <= SystemTime::now() && identity.imported {
                        let left = identity.certificate.not_after.duration_since(SystemTime::now()).unwrap_or_default();
                        tracing::warn!(days = left.as_secs() / 86_400, "the imported certificate ends; `watchkeeper-agent \
                            cert renew` makes the request for the next one");
                    } else if identity.certificate.renew_at() <= SystemTime::now() {
                        renew(channel.clone(), &self.files, server).await.map_err(Ended::Failed)?;
                        tracing::info!("the certificate was renewed");
                        return Ok(());
                    }
                }
                () = &mut primary_back => return Err(Ended::PrimaryBack),
                () = stopped(stop) => return Err(Ended::Stopped),
            }
        }
    }

    /// Sends what the windows allow. While there is more that is urgent than its window takes, the rest waits; while
    /// the urgent lane pauses, it does not.
    fn pump(&self, sending: &mut Sending) -> Result<(), String> {
        for lane in Lane::ALL {
            let window = sending.window;
            loop {
                let state = &mut sending.lanes[lane as usize];
                if state.paused_until.is_some() {
                    break;
                }
                if state.in_flight.len() >= window {
                    return Ok(());
                }
                let next = self.queue.lock().read_next(lane).map_err(|error| error.to_string())?;
                let Some(next) = next else { break };
                state.in_flight.push_back((next.sequence, next.rows));
                let envelope = Envelope {
                    sequence: next.sequence,
                    compression: next.compression,
                    payload: next.payload,
                    retries: state.retries,
                    lane: wire_lane(lane).into(),
                    kind: match next.kind {
                        Kind::Rows => PayloadKind::Rows.into(),
                        Kind::Operational => PayloadKind::Operational.into(),
                    },
                    rows: next.rows,
                    ..Envelope::default()
                };
                sending.send(Up::Envelope(envelope)).map_err(|()| "the server does not read".to_owned())?;
            }
        }
        Ok(())
    }

    /// Does what the server says; true when the certificate is to be renewed now.
    fn obey(&self, message: Option<Down>, sending: &mut Sending) -> Result<bool, String> {
        match message {
            Some(Down::Ack(ack)) => {
                let lane = lane_of(ack.lane());
                let state = &mut sending.lanes[lane as usize];
                let mut queue = self.queue.lock();
                if !ack.refused.is_empty() {
                    let rows = state.in_flight.iter().find(|(sequence, _)| *sequence == ack.sequence);
                    let rows = rows.map_or(0, |(_, rows)| *rows);
                    tracing::error!(sequence = ack.sequence, rows, reason = ack.refused, "the server refused a batch");
                    queue.count_refused(rows);
                }
                state.in_flight.retain(|(sequence, _)| *sequence > ack.sequence);
                queue.acknowledge(lane, ack.sequence).map_err(|error| error.to_string())?;
            }
            Some(Down::Retry(retry)) => {
                tracing::info!(sequence = retry.sequence, reason = retry.reason, "the server asks to wait");
                let lane = lane_of(retry.lane());
                let state = &mut sending.lanes[lane as usize];
                state.retries += 1;
                state.in_flight.clear();
                state.paused_until =
                    Some(Instant::now() + jittered(Duration::from_millis(u64::from(retry.after_milliseconds))));
                self.queue.lock().rewind(lane);
            }
            Some(Down::Configuration(configuration)) => {
                let version = configuration.version.clone();
                let error = match self.apply(configuration) {
                    Ok(()) => String::new(),
                    Err(error) => error,
                };
                if !error.is_empty() {
                    tracing::error!(version, error, "the configuration from the server cannot be applied");
                }
                let result = ConfigurationResult { version, error };
                sending.send(Up::ConfigurationResult(result)).map_err(|()| "the server does not read".to_owned())?;
            }
            Some(Down::Command(command)) => {
                let mut renew_now = false;
                let error = match command.command {
                    Some(Asked::SendInventory(_)) => {
                        self.inventory.notify_one();
                        String::new()
                    }
                    Some(Asked::RenewCertificate(_)) => {
                        renew_now = true;
                        String::new()
                    }
                    Some(Asked::RunTask(task)) => {
                        let order = What::Task(TaskCommand {
                            id: command.id.clone(),
                            task: task.task,
                            object: task.object,
                            parameters: task.parameters.into_iter().collect(),
                            timeout_seconds: task.timeout_seconds,
                        });
                        return self.order(command.id, order, sending);
                    }
                    Some(Asked::ResetMonitor(ResetMonitor { monitor, object })) => {
                        return self.order(command.id, What::Reset { monitor, object }, sending);
                    }
                    Some(Asked::RecalculateMonitor(RecalculateMonitor { monitor, object })) => {
                        return self.order(command.id, What::Recalculate { monitor, object }, sending);
                    }
                    None => "this agent does not know the command; update the agent".to_owned(),
                };
                let result = CommandResult { id: command.id, error };
                sending.send(Up::CommandResult(result)).map_err(|()| "the server does not read".to_owned())?;
                return Ok(renew_now);
            }
            Some(Down::Servers(ToldServers { primary, failover })) => {
                tracing::info!(primary, ?failover, "the management servers of this agent");
                self.servers().tell(Told { primary, failover }).map_err(|error| error.to_string())?;
            }
            // what holds for this session has changed
            Some(Down::Welcome(welcome)) => {
                tracing::info!(seconds = welcome.heartbeat_seconds, "the server asks for heartbeats so often");
                sending.heartbeat_seconds = welcome.heartbeat_seconds;
            }
            None => {}
        }
        Ok(false)
    }

    /// Hands a command to the workflows, which answer by themselves.
    fn order(&self, id: String, what: What, sending: &Sending) -> Result<bool, String> {
        let order = Order { id: id.clone(), what, answers: sending.up.clone() };
        if self.orders.try_send(order).is_err() {
            let error = "too many commands wait on this agent; try again later".to_owned();
            let result = CommandResult { id, error };
            sending.send(Up::CommandResult(result)).map_err(|()| "the server does not read".to_owned())?;
        }
        Ok(false)
    }

    /// Checks, keeps and applies a configuration: all of it or nothing.
    fn apply(&self, configuration: Configuration) -> Result<(), String> {
        let collect = self.config.collect.with_document(&configuration.document).map_err(|error| error.to_string())?;
        let stored = serde_json::json!({ "version": configuration.version, "document": configuration.document });
        write_private(&configuration_file(&self.config.data), stored.to_string().as_bytes())
            .map_err(|error| error.to_string())?;
        tracing::info!(version = configuration.version, "configuration applied");
        self.applied.send_replace(Applied { version: configuration.version, collect });
        Ok(())
    }

    fn heartbeat(&self) -> Heartbeat {
        let queue = self.queue.lock();
        let dropped = queue.dropped();
        Heartbeat {
            queue_bytes: queue.bytes(),
            queue_batches: queue.waiting(),
            dropped_batches: dropped.batches,
            dropped_rows: dropped.rows,
            configuration_version: self.applied.borrow().version.clone(),
        }
    }
}

struct Sending {
    up: mpsc::Sender<FromAgent>,
    window: usize,
    lanes: [SendingLane; 2],
    /// As the server said last.
    heartbeat_seconds: u32,
}

#[derive(Default)]
struct SendingLane {
    retries: u32,
    /// Numbers and rows.
    in_flight: VecDeque<(u64, u32)>,
    paused_until: Option<Instant>,
}

fn wire_lane(lane: Lane) -> watchkeeper_wire::proto::Lane {
    match lane {
        Lane::Bulk => watchkeeper_wire::proto::Lane::Bulk,
        Lane::Urgent => watchkeeper_wire::proto::Lane::Urgent,
    }
}

fn lane_of(lane: watchkeeper_wire::proto::Lane) -> Lane {
    match lane {
        watchkeeper_wire::proto::Lane::Bulk => Lane::Bulk,
        watchkeeper_wire::proto::Lane::Urgent => Lane::Urgent,
    }
}

impl Sending {
    /// Never waits: the window keeps the number of messages far below the channel's size, and a full channel means a
    /// server that does not read.
    fn send(&self, message: Up) -> Result<(), ()> {
        self.up.try_send(FromAgent { message: Some(message) }).map_err(|_| ())
    }
}

/// When to look at a certificate again.
fn until_renewal(certificate: &PeerCertificate, now: SystemTime) -> Duration {
    let left = certificate.renew_at().duration_since(now).unwrap_or(CERTIFICATE_CHECK);
    left.clamp(Duration::from_secs(1), CERTIFICATE_CHECK)
}

/// The first is due at once.
fn heartbeats(seconds: u32) -> tokio::time::Interval {
    let mut heartbeats = interval(Duration::from_secs(u64::from(seconds.clamp(1, 3600))));
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeats
}

/// Where the server's configuration is kept for starts without a server.
fn configuration_file(data: &Path) -> PathBuf {
    data.join("configuration.json")
}

/// The configuration that the server sent last, or the file's own where there is none that can be used.
#[must_use]
pub fn kept_configuration(config: &Config) -> Applied {
    let own = || Applied { version: String::new(), collect: config.collect.clone() };
    let Ok(text) = std::fs::read_to_string(configuration_file(&config.data)) else { return own() };
    let kept: Option<(String, CollectConfig)> =
        serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|kept| {
            let version = kept.get("version")?.as_str()?.to_owned();
            let collect = config.collect.with_document(kept.get("document")?.as_str()?).ok()?;
            Some((version, collect))
        });
    match kept {
        Some((version, collect)) => Applied { version, collect },
        None => {
            tracing::warn!("the kept configuration of the server cannot be used; the agent's file is");
            own()
        }
    }
}

/// Between half and all of a duration, so that agents do not come back all at once.
fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(rand::rng().random_range(0.5..=1.0))
}
