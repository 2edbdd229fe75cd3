//! One agent: a session that sends heartbeats, samples, and what it is told to, keeps what is not acknowledged and sends
//! it again, obeys the server's pauses, and comes back after every loss.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use rand::Rng;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use watchkeeper_wire::proto::from_agent::Message as Up;
use watchkeeper_wire::proto::operational_item::Item;
use watchkeeper_wire::proto::to_agent::Message as Down;
use watchkeeper_wire::proto::{
    Alert, CommandResult, ConfigurationResult, Envelope, FromAgent, Heartbeat, Hello, Lane, OperationalItem,
    PayloadKind, StateChange,
};
use watchkeeper_wire::{Table, TableBuilder, encode_operational, encode_rows};

use crate::figures::Figures;
use crate::fleet::{Enrolled, Server};

const OUTGOING: usize = 64;
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// What the operator of the simulation asks of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Raise an alert of the rule that its configuration has.
    Alert,
    /// Let the monitor that its configuration has change its state.
    State,
    /// Say nothing more and end the session, like a machine without power.
    Silence,
    /// Be there again.
    Return,
    /// Collect no more samples; what is collected still goes.
    Rest,
}

/// What all agents share.
pub struct Shared {
    pub server: Server,
    pub figures: Figures,
    /// Samples of one batch, and the time between two batches.
    pub samples: usize,
    pub every: Duration,
}

/// Operational states and their health.
type States = Vec<(String, u32)>;

/// What of its configuration an agent uses here.
#[derive(Debug, Default, Clone)]
struct Configured {
    version: String,
    /// Element, its identity, and the object.
    rule: Option<[String; 3]>,
    monitor: Option<([String; 3], States)>,
}

/// A batch that is not acknowledged yet.
struct Waiting {
    envelope: Envelope,
    items: u64,
    sent: Instant,
}

#[derive(Default)]
struct SendingLane {
    next: u64,
    retries: u32,
    /// The first `on_their_way` of them were sent.
    waiting: VecDeque<Waiting>,
    on_their_way: usize,
    paused_until: Option<Instant>,
}

/// One agent.
pub struct Agent {
    shared: Arc<Shared>,
    enrolled: Enrolled,
    orders: mpsc::UnboundedReceiver<Order>,
    queue: String,
    lanes: [SendingLane; 2],
    configured: Configured,
    state: usize,
    silent: bool,
    resting: bool,
}

fn microseconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

impl Agent {
    pub fn new(shared: Arc<Shared>, enrolled: Enrolled, orders: mpsc::UnboundedReceiver<Order>) -> Self {
        let queue = uuid::Uuid::new_v4().to_string();
        let lanes = Default::default();
        Self {
            shared,
            enrolled,
            orders,
            queue,
            lanes,
            configured: Configured::default(),
            state: 0,
            silent: false,
            resting: false,
        }
    }

    /// Runs until the simulation ends.
    pub async fn run(mut self) {
        let mut delay = Duration::from_secs(1);
        loop {
            while self.silent {
                match self.orders.recv().await {
                    Some(Order::Return) => self.silent = false,
                    Some(_) => {}
                    None => return,
                }
            }
            let began = Instant::now();
            let mut welcomed = false;
            let ended = self.session(&mut welcomed).await;
            if welcomed {
                self.shared.figures.connected.fetch_sub(1, Ordering::Relaxed);
            }
            match ended {
                Ok(()) if self.silent => continue,
                Ok(()) => return,
                Err(error) => self.shared.figures.lost(&format!("{error:#}")),
            }
            delay =
                if began.elapsed() > LONGEST_DELAY { Duration::from_secs(1) } else { (delay * 2).min(LONGEST_DELAY) };
            let jittered = delay.mul_f64(rand::rng().random_range(0.5..=1.0));
            sleep(jittered).await;
        }
    }

    async fn session(&mut self, welcomed: &mut bool) -> anyhow::Result<()> {
        let shared = self.shared.clone();
        let (up, outgoing) = mpsc::channel(OUTGOING);
        let send = |message: Up| {
            up.try_send(FromAgent { message: Some(message) }).map_err(|_| anyhow::anyhow!("the server does not read"))
        };
        send(Up::Hello(Hello {
            machine: Some(self.enrolled.machine.clone()),
            queue_id: self.queue.clone(),
            urgent_queue_id: format!("{}-urgent", self.queue),
            configuration_version: self.configured.version.clone(),
        }))?;
        let (mut client, request) = shared.server.session(&self.enrolled, ReceiverStream::new(outgoing)).await?;
        let mut down = client.session(request).await?.into_inner();
        let first = down.message().await?.context("the session ended before the welcome")?;
        let Some(Down::Welcome(welcome)) = first.message else { bail!("the session began without a welcome") };
        *welcomed = true;
        Figures::count(&shared.figures.connected);
        let window = welcome.window.clamp(1, 32) as usize;
        for lane in &mut self.lanes {
            (lane.on_their_way, lane.retries, lane.paused_until) = (0, 0, None);
        }
        let period = Duration::from_secs(u64::from(welcome.heartbeat_seconds.max(1)));
        let mut heartbeat = interval_at(Instant::now() + period.mul_f64(rand::rng().random()), period);
        let mut samples = interval_at(Instant::now() + shared.every.mul_f64(rand::rng().random()), shared.every);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            for lane in &mut self.lanes {
                while lane.paused_until.is_none() && lane.on_their_way < window.min(lane.waiting.len()) {
                    let waiting = &mut lane.waiting[lane.on_their_way];
                    waiting.envelope.retries = lane.retries;
                    waiting.sent = Instant::now();
                    send(Up::Envelope(waiting.envelope.clone()))?;
                    lane.on_their_way += 1;
                }
            }
            let resume = self.lanes.iter().filter_map(|lane| lane.paused_until).min();
            tokio::select! {
                message = down.message() => {
                    let message = message?.context("the server ended the session")?;
                    if let Some(answer) = self.obey(message.message) {
                        send(answer)?;
                    }
                }
                order = self.orders.recv() => match order {
                    Some(Order::Alert) => self.alert()?,
                    Some(Order::State) => self.change_state()?,
                    Some(Order::Silence) => {
                        self.silent = true;
                        return Ok(());
                    }
                    Some(Order::Rest) => self.resting = true,
                    Some(Order::Return) => {}
                    None => return Ok(()),
                },
                _ = heartbeat.tick() => {
                    send(Up::Heartbeat(Heartbeat {
                        queue_batches: self.lanes.iter().map(|lane| lane.waiting.len() as u64).sum(),
                        configuration_version: self.configured.version.clone(),
                        ..Heartbeat::default()
                    }))?;
                    Figures::count(&shared.figures.heartbeats);
                }
                _ = samples.tick(), if shared.samples > 0 && !self.resting => {
                    let (compression, payload) = encode_rows(vec![self.samples()])?;
                    let envelope = Envelope { compression: compression.into(), payload, ..Envelope::default() };
                    self.append(Lane::Bulk, envelope, 1);
                    Figures::count(&shared.figures.batches);
                }
                () = sleep_until(resume.unwrap_or_else(Instant::now)), if resume.is_some() => {
                    let now = Instant::now();
                    for lane in &mut self.lanes {
                        lane.paused_until = lane.paused_until.filter(|until| *until > now);
                    }
                }
            }
        }
    }

    fn append(&mut self, lane: Lane, envelope: Envelope, items: u64) {
        let sending = &mut self.lanes[lane as usize];
        sending.next += 1;
        let rows = u32::try_from(items).unwrap_or(u32::MAX);
        let envelope = Envelope { sequence: sending.next, lane: lane.into(), rows, ..envelope };
        sending.waiting.push_back(Waiting { envelope, items, sent: Instant::now() });
    }

    fn obey(&mut self, message: Option<Down>) -> Option<Up> {
        let figures = &self.shared.figures;
        match message? {
            Down::Ack(ack) => {
                if !ack.refused.is_empty() {
                    Figures::count(&figures.batches_refused);
                }
                let lane = &mut self.lanes[ack.lane() as usize];
                while lane.waiting.front().is_some_and(|waiting| waiting.envelope.sequence <= ack.sequence) {
                    let Some(waiting) = lane.waiting.pop_front() else { break };
                    lane.on_their_way = lane.on_their_way.saturating_sub(1);
                    figures.waited(ack.lane() == Lane::Urgent, waiting.sent.elapsed());
                    match (ack.lane(), waiting.items) {
                        (Lane::Bulk, _) => Figures::count(&figures.batches_acknowledged),
                        (Lane::Urgent, 0) => Figures::count(&figures.states_acknowledged),
                        (Lane::Urgent, _) => Figures::count(&figures.alerts_acknowledged),
                    }
                }
                None
            }
            Down::Retry(retry) => {
                Figures::count(&figures.retries);
                let lane = &mut self.lanes[retry.lane() as usize];
                lane.retries += 1;
                lane.on_their_way = 0;
                let pause = Duration::from_millis(u64::from(retry.after_milliseconds));
                lane.paused_until = Some(Instant::now() + pause.mul_f64(rand::rng().random_range(0.5..=1.0)));
                None
            }
            Down::Configuration(configuration) => {
                let version = configuration.version;
                let error = match configured(version.clone(), &configuration.document) {
                    Ok(configured) => {
                        self.configured = configured;
                        figures.configured();
                        String::new()
                    }
                    Err(error) => error.to_string(),
                };
                Some(Up::ConfigurationResult(ConfigurationResult { version, error }))
            }
            Down::Command(command) => {
                let error = "a simulated agent does nothing".to_owned();
                Some(Up::CommandResult(CommandResult { id: command.id, error }))
            }
            Down::Servers(_) | Down::Welcome(_) => None,
        }
    }

    fn samples(&self) -> Table {
        const COUNTERS: [(&str, &str, &str); 5] = [
            ("Processor", "% Processor Time", "_Total"),
            ("Memory", "Available MBytes Memory", "Memory"),
            ("Logical Disk", "% Used Space", "/"),
            ("Network", "Total Bytes", "eth0"),
            ("System", "Load1", "_Total"),
        ];
        let mut table = TableBuilder::new("Perf");
        let now = microseconds();
        for sample in 0..self.shared.samples {
            let (object, counter, instance) = COUNTERS[sample % COUNTERS.len()];
            table
                .row()
                .datetime("TimeGenerated", now)
                .string("Computer", &self.enrolled.machine.computer)
                .string("ObjectName", object)
                .string("CounterName", counter)
                .string("InstanceName", instance)
                .real("CounterValue", rand::rng().random_range(0.0..100.0))
                .string("SourceSystem", "OpsManager");
        }
        table.finish()
    }

    fn alert(&mut self) -> anyhow::Result<()> {
        let Some([element, rule, object]) = self.configured.rule.clone() else { return Ok(()) };
        let alert = Alert {
            rule,
            element,
            object,
            name: "Simulated alert".to_owned(),
            description: format!("Raised by {}", self.enrolled.machine.computer),
            priority: 1,
            severity: 1,
            id: uuid::Uuid::new_v4().to_string(),
            suppression: vec![uuid::Uuid::new_v4().to_string()],
            ..Alert::default()
        };
        Figures::count(&self.shared.figures.alerts);
        self.say(Item::Alert(alert), 1)
    }

    fn change_state(&mut self) -> anyhow::Result<()> {
        let Some(([element, monitor, object], states)) = self.configured.monitor.clone() else { return Ok(()) };
        let before = states.get(self.state).map_or(0, |(_, health)| *health);
        self.state = (self.state + 1) % states.len().max(1);
        let Some((operational_state, health)) = states.get(self.state).cloned() else { return Ok(()) };
        Figures::count(&self.shared.figures.states);
        let change = StateChange {
            monitor,
            element,
            object,
            operational_state,
            health,
            previous_health: before,
            context: String::new(),
            cause: "detection".to_owned(),
        };
        self.say(Item::StateChange(change), 0)
    }

    fn say(&mut self, item: Item, items: u64) -> anyhow::Result<()> {
        let item = OperationalItem { time: microseconds(), item: Some(item) };
        let (compression, payload) = encode_operational(vec![item])?;
        let kind = PayloadKind::Operational.into();
        let envelope = Envelope { compression: compression.into(), payload, kind, ..Envelope::default() };
        self.append(Lane::Urgent, envelope, items);
        Ok(())
    }
}

/// The first rule and the first monitor of a configuration.
fn configured(version: String, document: &str) -> anyhow::Result<Configured> {
    let document: serde_json::Value = serde_json::from_str(document)?;
    let mut found = Configured { version, ..Configured::default() };
    for workflow in document["monitoring"]["workflows"].as_array().into_iter().flatten() {
        let names =
            ["element", "element_id", "object"].map(|name| workflow[name].as_str().unwrap_or_default().to_owned());
        let purpose = &workflow["purpose"];
        if purpose == "Rule" && found.rule.is_none() {
            found.rule = Some(names);
        } else if let (Some(states), None) = (purpose["Monitor"]["states"].as_array(), &found.monitor) {
            let states = states.iter().map(|state| {
                let health = match state["health"].as_str().unwrap_or_default() {
                    "Success" => 1,
                    "Warning" => 2,
                    "Error" => 3,
                    _ => 0,
                };
                (state["state"].as_str().unwrap_or_default().to_owned(), health)
            });
            found.monitor = Some((names, states.collect()));
        }
    }
    Ok(found)
}
