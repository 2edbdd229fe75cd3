//! One disk queue of one agent: what it holds goes to the server, in order and the urgent lane first; what the server
//! says goes to the agent while it is there.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Request, Status};
use watchkeeper_wire::MAX_MESSAGE_BYTES;
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::from_agent::Message as Up;
use watchkeeper_wire::proto::to_agent::Message as Down;
use watchkeeper_wire::proto::{CommandResult, Envelope, FromAgent, Hello, Lane, ToAgent, Welcome};

use crate::link::{Link, reasons};
use crate::queue::{AgentQueue, Waiting};
use crate::zone::AgentShared;

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(20);
const WELCOME_DEADLINE: Duration = Duration::from_secs(30);
/// After a refusal, which an administrator can change.
const REFUSED_DELAY: Duration = Duration::from_secs(60);
const OUTGOING: usize = 128;
/// What the server has to tell apart.
const LANES: u32 = 2;

/// The stream to the agent.
pub type ToAgentStream = mpsc::Sender<Result<ToAgent, Status>>;

/// One queue, shared by the agent's session and the way up.
pub struct Carrier {
    /// What all queues of the agent share.
    pub shared: Arc<AgentShared>,
    queue: Mutex<AgentQueue>,
    changed: Notify,
    attached: Notify,
    agent: Mutex<Option<Attached>>,
    /// Changes with every session of the agent.
    generation: AtomicU64,
    up: Mutex<Option<mpsc::Sender<FromAgent>>>,
}

/// The agent's session.
struct Attached {
    stream: ToAgentStream,
    /// Its stream begins with a welcome, and nothing comes before.
    welcomed: bool,
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Carrier {
    pub fn new(shared: Arc<AgentShared>, queue: AgentQueue) -> Arc<Self> {
        Arc::new(Self {
            shared,
            queue: Mutex::new(queue),
            changed: Notify::new(),
            attached: Notify::new(),
            agent: Mutex::new(None),
            generation: AtomicU64::new(0),
            up: Mutex::new(None),
        })
    }

    /// The folder of the queue.
    pub fn folder(&self) -> PathBuf {
        locked(&self.queue).folder().to_owned()
    }

    /// The agent's session begins; an older one ends. An agent that the server has let in is welcomed at once, as the
    /// server did last; another one when the server does.
    pub fn attach(&self, agent: ToAgentStream, hello: Hello) -> io::Result<()> {
        locked(&self.queue).say(hello)?;
        let welcome = self.shared.welcome();
        let welcomed = welcome.is_some();
        if let Some(welcome) = welcome {
            let _ = agent.try_send(Ok(ToAgent { message: Some(Down::Welcome(welcome)) }));
        }
        self.detach_all();
        *locked(&self.agent) = Some(Attached { stream: agent, welcomed });
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
        self.attached.notify_one();
        Ok(())
    }

    /// The agent has another session, with this queue or another.
    pub fn detach_all(&self) {
        if let Some(older) = locked(&self.agent).take() {
            let _ = older.stream.try_send(Err(Status::aborted("the agent has opened another session")));
        }
        self.changed.notify_one();
    }

    /// The agent's session ended.
    pub fn detach(&self, agent: &ToAgentStream) {
        locked(&self.agent).take_if(|present| present.stream.same_channel(agent));
        self.changed.notify_one();
    }

    /// Whether this is the agent's session, and whether the agent was welcomed.
    pub fn standing(&self, agent: &ToAgentStream) -> (bool, bool) {
        match locked(&self.agent).as_ref() {
            Some(present) if present.stream.same_channel(agent) => (true, present.welcomed),
            _ => (false, false),
        }
    }

    /// Puts a batch on the disk. It syncs, so it is called where blocking is allowed.
    pub fn append(&self, envelope: &Envelope) -> io::Result<()> {
        locked(&self.queue).lanes[lane_index(envelope.lane())].append(envelope)?;
        self.changed.notify_one();
        Ok(())
    }

    /// Passes on what is of the moment; without a server it is of no use to anybody.
    pub fn pass(&self, message: Up) {
        if let Up::ConfigurationResult(result) = &message
            && result.error.is_empty()
        {
            locked(&self.queue).hello.configuration_version.clone_from(&result.version);
        }
        if let Some(up) = locked(&self.up).as_ref() {
            let _ = up.try_send(FromAgent { message: Some(message) });
        }
    }

    /// Nothing waits and nobody is there: there is no reason to be connected.
    pub fn idle(&self) -> bool {
        locked(&self.agent).is_none() && self.is_empty()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        locked(&self.queue).is_empty()
    }

    /// How much waits, and whether the agent is here.
    pub fn waiting(&self) -> (Waiting, bool) {
        (locked(&self.queue).waiting(), locked(&self.agent).is_some())
    }

    /// Carries until the queue is done with: the agent has another one and nothing waits here any more.
    pub async fn run(self: Arc<Self>, link: Arc<Link>) {
        let mut delay = FIRST_DELAY;
        loop {
            while self.idle() {
                if self.shared.retire(&self) {
                    return;
                }
                self.changed.notified().await;
            }
            // what the agent left in older queues goes first; a server holds one session of an agent
            while locked(&self.agent).is_some() && self.shared.others_wait(&self) {
                sleep(FIRST_DELAY).await;
            }
            let turn = self.shared.turn.lock().await;
            let began = Instant::now();
            let (channel, moved) = link.present();
            let mut changed = moved.clone();
            let ended = self.session(channel, moved).await;
            *locked(&self.up) = None;
            drop(turn);
            if began.elapsed() > LONGEST_DELAY {
                delay = FIRST_DELAY;
            }
            let agent_id = &self.shared.agent_id;
            let wait = match ended {
                Ok(()) => continue,
                Err(status) if refused(&status) => {
                    tracing::warn!(agent_id, reason = status.message(), "the server refused an agent");
                    self.shared.refused();
                    if let Some(agent) = locked(&self.agent).take() {
                        let _ = agent.stream.try_send(Err(status));
                    }
                    REFUSED_DELAY
                }
                Err(status) => {
                    tracing::info!(agent_id, reason = reasons(&status), "no way to the server");
                    link.failed();
                    if let Some(agent) = locked(&self.agent).take_if(|agent| !agent.welcomed) {
                        let reason = format!("the gateway has no way to its server: {}", reasons(&status));
                        let _ = agent.stream.try_send(Err(Status::unavailable(reason)));
                    }
                    delay = (delay * 2).min(LONGEST_DELAY);
                    delay
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = self.attached.notified() => {}
                // another server: there may be a way
                _ = changed.changed() => {}
            }
        }
    }

    async fn session(&self, channel: Channel, mut moved: watch::Receiver<u64>) -> Result<(), Status> {
        let (up, outgoing) = mpsc::channel(OUTGOING);
        let generation = self.generation.load(Ordering::Relaxed);
        let hello = locked(&self.queue).hello.clone();
        send(&up, Up::Hello(hello))?;
        let mut request = Request::new(ReceiverStream::new(outgoing));
        self.shared.route().write(request.metadata_mut())?;
        let mut client = AgentClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let late = |_| Status::unavailable("no welcome in time");
        let mut down = timeout(WELCOME_DEADLINE, client.session(request)).await.map_err(late)??.into_inner();
        let first = timeout(WELCOME_DEADLINE, down.message()).await.map_err(late)??;
        let Some(Down::Welcome(welcome)) = first.and_then(|first| first.message) else {
            return Err(Status::unavailable("the server did not welcome the agent"));
        };
        let window = welcome.window.clamp(1, 32) as usize;
        if welcome.lanes < LANES {
            return Err(Status::unavailable("the server is older than this gateway; update the server"));
        }
        self.shared.welcomed(&welcome).map_err(disk)?;
        self.welcome(welcome);
        *locked(&self.up) = Some(up.clone());
        let mut lanes: [SendingLane; 2] = Default::default();
        loop {
            self.pump(&up, window, &mut lanes)?;
            // with every session of the agent the server gets its new hello, and says again what it has to say
            if self.idle() || self.generation.load(Ordering::Relaxed) != generation {
                return Ok(());
            }
            let resume = lanes.iter().filter_map(|lane| lane.paused_until).min();
            tokio::select! {
                message = down.message() => match message?.and_then(|message| message.message) {
                    Some(Down::Ack(ack)) => {
                        if !ack.refused.is_empty() {
                            let (agent_id, sequence) = (&self.shared.agent_id, ack.sequence);
                            tracing::error!(agent_id, sequence, reason = ack.refused, "the server refused a batch");
                        }
                        let at = lane_index(ack.lane());
                        lanes[at].in_flight.retain(|sequence| *sequence > ack.sequence);
                        locked(&self.queue).lanes[at].acknowledge(ack.sequence).map_err(disk)?;
                    }
                    Some(Down::Retry(retry)) => {
                        let lane = &mut lanes[lane_index(retry.lane())];
                        lane.retries += 1;
                        lane.in_flight.clear();
                        lane.sent = retry.sequence.saturating_sub(1);
                        let pause = Duration::from_millis(u64::from(retry.after_milliseconds));
                        lane.paused_until = Some(Instant::now() + pause);
                    }
                    Some(Down::Welcome(welcome)) => {
                        self.shared.welcomed(&welcome).map_err(disk)?;
                        self.say(Down::Welcome(welcome), &up).await?;
                    }
                    Some(message @ (Down::Configuration(_) | Down::Command(_))) => self.say(message, &up).await?,
                    Some(_) => {}
                    None => return Err(Status::unavailable("the server ended the session")),
                },
                () = self.changed.notified() => {}
                // the gateway goes to another server, and with it all that waits
                _ = moved.changed() => return Ok(()),
                () = sleep_until(resume.unwrap_or_else(Instant::now)), if resume.is_some() => {
                    let now = Instant::now();
                    for lane in &mut lanes {
                        lane.paused_until = lane.paused_until.filter(|until| *until > now);
                    }
                }
            }
        }
    }

    /// The server's welcome, to an agent that has had none.
    fn welcome(&self, welcome: Welcome) {
        if let Some(agent) = locked(&self.agent).as_mut().filter(|agent| !agent.welcomed) {
            let _ = agent.stream.try_send(Ok(ToAgent { message: Some(Down::Welcome(welcome)) }));
            agent.welcomed = true;
        }
    }

    /// Hands the server's word to the agent; where there is none, the server hears so.
    async fn say(&self, message: Down, up: &mpsc::Sender<FromAgent>) -> Result<(), Status> {
        let agent = locked(&self.agent).as_ref().map(|agent| agent.stream.clone());
        let lost = match &message {
            Down::Command(command) => Some(command.id.clone()),
            _ => None,
        };
        let sent = match agent {
            Some(agent) => timeout(WELCOME_DEADLINE, agent.send(Ok(ToAgent { message: Some(message) }))).await,
            None => Ok(Err(mpsc::error::SendError(Err(Status::unavailable("no agent"))))),
        };
        match (sent, lost) {
            (Ok(Ok(())), _) | (_, None) => Ok(()),
            (_, Some(id)) => {
                let error = "the agent is not connected to its gateway".to_owned();
                send(up, Up::CommandResult(CommandResult { id, error }))
            }
        }
    }

    /// Sends what the windows allow. While there is more that is urgent than its window takes, the rest waits; while
    /// the urgent lane pauses, it does not.
    fn pump(&self, up: &mpsc::Sender<FromAgent>, window: usize, lanes: &mut [SendingLane; 2]) -> Result<(), Status> {
        for at in [lane_index(Lane::Urgent), lane_index(Lane::Bulk)] {
            let lane = &mut lanes[at];
            while lane.paused_until.is_none() {
                if lane.in_flight.len() >= window {
                    return Ok(());
                }
                let next = locked(&self.queue).lanes[at].after(lane.sent).map_err(disk)?;
                let Some(mut envelope) = next else { break };
                envelope.retries = lane.retries;
                lane.sent = envelope.sequence;
                lane.in_flight.insert(envelope.sequence);
                send(up, Up::Envelope(envelope))?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct SendingLane {
    sent: u64,
    retries: u32,
    in_flight: HashSet<u64>,
    paused_until: Option<Instant>,
}

pub fn lane_index(lane: Lane) -> usize {
    match lane {
        Lane::Bulk => 0,
        Lane::Urgent => 1,
    }
}

fn send(up: &mpsc::Sender<FromAgent>, message: Up) -> Result<(), Status> {
    up.try_send(FromAgent { message: Some(message) }).map_err(|_| Status::unavailable("the server does not read"))
}

fn refused(status: &Status) -> bool {
    matches!(status.code(), tonic::Code::PermissionDenied | tonic::Code::Unauthenticated | tonic::Code::InvalidArgument)
}

fn disk(error: io::Error) -> Status {
    Status::unavailable(format!("the gateway's queue: {error}"))
}
