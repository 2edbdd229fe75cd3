//! The modules of all workflows as one graph: a state machine without clock and runtime.
//!
//! Modules with the same type, configuration and inputs are one module, whichever workflows they stand in (cookdown);
//! only write actions belong to one workflow. The identity of a module is computed from these, so a new set of
//! workflows keeps the modules, and with them the state, of all that did not change.

mod graph;
mod monitor;
mod on_demand;
mod report;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::path::PathBuf;

use uuid::Uuid;
use watchkeeper_model::workflow::Workflow;

use self::on_demand::Run;
use super::accounts::Accounts;
use super::job::{Job, Outcome, Weight};
use super::module::{Context, Failure, Item, Left, Module};
use super::outbox::Outbox;
use super::platform::Platform;
use super::store::{KnownState, Saved};
use crate::collect::Origin;
use crate::queue::Positions;
use crate::system::Microseconds;

pub use self::graph::Loaded;
pub use self::on_demand::{CommandError, TaskCommand};

/// Processes that run at once for all workflows together.
pub const MAX_PROCESSES: usize = 4;
/// Network probes that run at once.
pub const MAX_NETWORK: usize = 32;
/// Jobs of one module that wait for the one that runs; what comes past it is dropped and counts as a failure.
pub const MAX_WAITING_JOBS: usize = 32;
/// Failures in a row after which a module rests.
pub const FAILURES_BEFORE_REST: u32 = 3;
/// The first rest; each further failure doubles it.
pub const FIRST_REST: Microseconds = 60 * 1_000_000;
/// The longest rest.
pub const LONGEST_REST: Microseconds = 3_600 * 1_000_000;
/// Deliveries after which a step ends; a graph without cycles never gets there but for floods.
const MAX_DELIVERIES: usize = 1_000_000;

/// Identifies a module of the graph.
pub type Key = Uuid;

/// A job with who waits for it.
pub struct Begun {
    /// Who.
    pub ticket: Ticket,
    /// What.
    pub job: Job,
}

/// Whose job it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    key: Key,
    /// A module that was made anew does not get what the old one began.
    made: u64,
    weight: Weight,
}

struct Node {
    module: Box<dyn Module>,
    made: u64,
    /// Its place in the composition and its native type.
    label: String,
    /// Modules that take its items, with the place among their inputs.
    consumers: Vec<(Key, usize)>,
    /// Where its items lead besides modules.
    taps: Vec<Tap>,
    /// The run on demand that it is part of.
    run: Option<Uuid>,
    /// The workflows that it is part of, by index.
    workflows: Vec<usize>,
    wake: Option<Microseconds>,
    running: bool,
    waiting: VecDeque<Job>,
    failures: u32,
    /// Runs that failed and were not yet reported.
    unreported: u32,
    rests_until: Microseconds,
}

/// Where items lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tap {
    /// To a state of a monitor.
    Monitor { workflow: usize, state: usize, on_demand: bool },
    /// To the server, as discovery data.
    Discovery { workflow: usize },
    /// To the result of a run on demand.
    Run { run: Uuid },
}

/// The engine.
pub struct Engine {
    platform: Box<dyn Platform>,
    origin: Origin,
    accounts: Accounts,
    workflows: Vec<Workflow>,
    nodes: HashMap<Key, Node>,
    timers: BinaryHeap<Reverse<(Microseconds, Key)>>,
    deliveries: VecDeque<(Key, usize, Vec<Item>)>,
    ready: VecDeque<(Key, Job)>,
    running: [usize; 2],
    made: u64,
    /// States of monitors, by `element identity/object`.
    monitors: BTreeMap<String, KnownState>,
    unloaded: BTreeMap<String, String>,
    runs: HashMap<Uuid, Run>,
    saved: Saved,
    outbox: Outbox,
    begun: Vec<Begun>,
    dirty: bool,
    /// Monitors changed their states and the disk queue does not have it yet.
    unsaid: bool,
    /// Where workflows keep files of their own.
    files: Option<PathBuf>,
}

impl Engine {
    /// Without workflows, with what was saved before.
    #[must_use]
    pub fn new(platform: Box<dyn Platform>, origin: Origin, mut saved: Saved) -> Self {
        let monitors = std::mem::take(&mut saved.monitors);
        Self {
            platform,
            origin,
            accounts: Accounts::default(),
            workflows: Vec::new(),
            nodes: HashMap::new(),
            timers: BinaryHeap::new(),
            deliveries: VecDeque::new(),
            ready: VecDeque::new(),
            running: [0; 2],
            made: 0,
            monitors,
            unloaded: BTreeMap::new(),
            runs: HashMap::new(),
            saved,
            outbox: Outbox::default(),
            begun: Vec::new(),
            dirty: false,
            unsaid: false,
            files: None,
        }
    }

    /// Gives workflows a folder in which each may keep files from one run to the next.
    pub fn keep_files(&mut self, folder: PathBuf) {
        self.files = Some(folder);
    }

    /// The agent's identity, once it is known.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// How many modules there are; those of several workflows count once.
    #[must_use]
    pub fn modules(&self) -> usize {
        self.nodes.len()
    }

    /// When there is something to do; `None`: not before a job ends or a command comes.
    #[must_use]
    pub fn next_wake(&self) -> Option<Microseconds> {
        self.timers.peek().map(|Reverse((time, _))| *time)
    }

    /// What goes to the server.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Jobs that are to be run now; each is to be answered by [`Engine::finished`].
    #[must_use]
    pub fn take_jobs(&mut self) -> Vec<Begun> {
        std::mem::take(&mut self.begun)
    }

    /// Whether states changed since the last [`Engine::saved`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// What has to survive a restart.
    #[must_use]
    pub fn saved(&mut self) -> Saved {
        self.dirty = false;
        self.saved.monitors.clone_from(&self.monitors);
        self.saved.modules =
            self.nodes.iter().filter_map(|(key, node)| Some((key.to_string(), node.module.save()?))).collect();
        self.saved.clone()
    }

    /// Wakes the modules whose time has come.
    pub fn advance(&mut self, now: Microseconds, positions: &Positions) {
        while let Some(Reverse((time, key))) = self.timers.peek().copied() {
            if time > now {
                break;
            }
            self.timers.pop();
            let Some(node) = self.nodes.get_mut(&key).filter(|node| node.wake == Some(time)) else { continue };
            node.wake = None;
            if node.rests_until > now {
                node.wake = Some(node.rests_until);
                self.timers.push(Reverse((node.rests_until, key)));
                continue;
            }
            self.call(key, now, positions, |module, context| module.wake(context));
            self.deliver(now, positions);
        }
        self.end_runs(now, positions);
    }

    /// A job has ended.
    pub fn finished(&mut self, ticket: Ticket, outcome: Outcome, now: Microseconds, positions: &Positions) {
        let slot = weight_index(ticket.weight);
        self.running[slot] = self.running[slot].saturating_sub(1);
        if let Some(node) = self.nodes.get_mut(&ticket.key).filter(|node| node.made == ticket.made) {
            node.running = false;
            if let Some(job) = node.waiting.pop_front() {
                self.ready.push_back((ticket.key, job));
                node.running = true;
            }
            match outcome {
                Ok(items) => {
                    self.succeeded(ticket.key, now);
                    let items: Vec<Item> = items.into_iter().map(Item::new).collect();
                    if !items.is_empty() {
                        self.emit(ticket.key, items, now);
                    }
                }
                Err(failure) => self.failed(ticket.key, &failure, now),
            }
            self.deliver(now, positions);
        }
        self.begin_ready();
        self.end_runs(now, positions);
    }

    /// Hands items on until none is left.
    fn deliver(&mut self, now: Microseconds, positions: &Positions) {
        for _ in 0..MAX_DELIVERIES {
            let Some((key, input, items)) = self.deliveries.pop_front() else { break };
            self.call(key, now, positions, |module, context| module.take(input, &items, context));
        }
        self.deliveries.clear();
        self.begin_ready();
    }

    /// Calls a module and takes what it leaves.
    fn call(
        &mut self,
        key: Key,
        now: Microseconds,
        positions: &Positions,
        call: impl FnOnce(&mut dyn Module, &mut Context<'_>) -> Result<(), Failure>,
    ) {
        let Some(node) = self.nodes.get_mut(&key) else { return };
        // what comes to a module that rests is dropped
        if node.rests_until > now {
            return;
        }
        let mut context =
            Context::new(now, self.platform.as_mut(), &self.accounts, &self.origin, positions, &mut self.outbox);
        let mut result = call(node.module.as_mut(), &mut context);
        let Left { emitted, jobs, wake } = context.finish();
        if let Some(wake) = wake {
            node.wake = wake;
            if let Some(time) = wake {
                self.timers.push(Reverse((time, key)));
            }
        }
        let began = !jobs.is_empty();
        for job in jobs {
            if !node.running {
                node.running = true;
                self.ready.push_back((key, job));
            } else if node.waiting.len() < MAX_WAITING_JOBS {
                node.waiting.push_back(job);
            } else {
                result = Err(Failure::new(format!(
                    "it cannot keep up: {MAX_WAITING_JOBS} runs wait for the one before, and one more was left out"
                )));
            }
        }
        match result {
            // with a job it is known later whether it went well
            Ok(()) if began => {}
            Ok(()) => self.succeeded(key, now),
            Err(failure) => self.failed(key, &failure, now),
        }
        for items in emitted {
            self.emit(key, items, now);
        }
    }

    /// Items of a module to those that take them.
    fn emit(&mut self, key: Key, items: Vec<Item>, now: Microseconds) {
        let Some(node) = self.nodes.get(&key) else { return };
        for (consumer, input) in &node.consumers {
            self.deliveries.push_back((*consumer, *input, items.clone()));
        }
        for tap in node.taps.clone() {
            self.tap(tap, &items, now);
        }
    }

    fn begin_ready(&mut self) {
        let mut left = VecDeque::new();
        while let Some((key, job)) = self.ready.pop_front() {
            let Some(node) = self.nodes.get(&key) else { continue };
            let slot = weight_index(job.weight);
            if self.running[slot] >= [MAX_PROCESSES, MAX_NETWORK][slot] {
                left.push_back((key, job));
                continue;
            }
            self.running[slot] += 1;
            self.begun.push(Begun { ticket: Ticket { key, made: node.made, weight: job.weight }, job });
        }
        self.ready = left;
    }
}

fn weight_index(weight: Weight) -> usize {
    match weight {
        Weight::Process => 0,
        Weight::Network => 1,
    }
}
