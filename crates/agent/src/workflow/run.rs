//! Drives the engine on the agent's runtime: timers, jobs, configuration, commands; and puts what comes of it into the
//! disk queue before it counts as said.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use watchkeeper_wire::proto::from_agent::Message as Up;
use watchkeeper_wire::proto::{CommandResult, FromAgent, OperationalItem, Table};
use watchkeeper_wire::{encode_operational, encode_rows};

use super::engine::{CommandError, Engine, TaskCommand, Ticket};
use super::job::Outcome;
use super::platform::Platform;
use super::store::{KnownElsewhere, Store};
use crate::collect::Origin;
use crate::connection::{Applied, SharedQueue};
use crate::queue::Class;
use crate::system::{Microseconds, microseconds, stopped};

/// The longest sleep: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// After a failing disk.
const RETRY: Duration = Duration::from_secs(5);
/// Changed states are written at most so often.
const SAVE_EVERY: Microseconds = 1_000_000;
/// A task that comes before the configuration that it stands in waits so long for it.
const EARLY_TASK: Microseconds = 15 * 1_000_000;
/// States of modules are written so often without a change.
const SAVE_ALWAYS: Microseconds = 300 * 1_000_000;

/// Tells the time.
pub trait Clock: Send {
    /// Microseconds since 1970.
    fn now(&self) -> Microseconds;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Microseconds {
        microseconds(SystemTime::now())
    }
}

/// A command for workflows.
pub struct Order {
    /// Its identity.
    pub id: String,
    /// What to do.
    pub what: What,
    /// Where the answer goes.
    pub answers: mpsc::Sender<FromAgent>,
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Run a task.
    Task(TaskCommand),
    /// Set a monitor healthy.
    Reset {
        /// Its identity.
        monitor: String,
        /// The object's.
        object: String,
    },
    /// Run its checks on demand.
    Recalculate {
        /// Its identity.
        monitor: String,
        /// The object's.
        object: String,
    },
}

/// What waits to be put into the disk queue.
enum Pending {
    Items(Class, Vec<OperationalItem>),
    Rows(Class, Vec<Table>, Vec<(String, Vec<u8>)>),
}

/// The workflows of an agent at work.
pub struct Monitoring {
    engine: Engine,
    store: Store,
    queue: SharedQueue,
    clock: Box<dyn Clock>,
    origin: Origin,
    jobs: JoinSet<(Ticket, Outcome)>,
    pending: Vec<Pending>,
    /// Tasks that this configuration does not have, and until when they wait for one that does.
    early: Vec<(TaskCommand, Microseconds)>,
    saved_at: Microseconds,
    known_elsewhere: KnownElsewhere,
}

impl Monitoring {
    /// With what was kept in the agent's data folder.
    #[must_use]
    pub fn open(
        data: &Path,
        queue: SharedQueue,
        platform: Box<dyn Platform>,
        clock: Box<dyn Clock>,
        origin: Origin,
    ) -> Self {
        let store = Store::new(data);
        let mut engine = Engine::new(platform, origin.clone(), store.load());
        engine.keep_files(data.join("workflow-files"));
        let saved_at = clock.now();
        Self {
            engine,
            store,
            queue,
            clock,
            origin,
            jobs: JoinSet::new(),
            pending: Vec::new(),
            early: Vec::new(),
            saved_at,
            known_elsewhere: KnownElsewhere::default(),
        }
    }

    /// Where to say in which states monitors are whose workflows come from another runtime.
    #[must_use]
    pub fn known_elsewhere(&self) -> KnownElsewhere {
        self.known_elsewhere.clone()
    }

    /// Runs until told to stop.
    pub async fn run(
        mut self,
        mut configuration: watch::Receiver<Applied>,
        agent_id: watch::Receiver<String>,
        mut orders: mpsc::Receiver<Order>,
        mut stop: watch::Receiver<bool>,
    ) {
        self.engine.report_interrupted(self.clock.now());
        self.load(&configuration.borrow_and_update().clone());
        loop {
            if self.origin.agent_id != *agent_id.borrow() {
                self.origin.agent_id.clone_from(&agent_id.borrow());
                self.engine.set_origin(self.origin.clone());
            }
            let kept = self.flush(false);
            let sleep = if kept { self.sleep() } else { RETRY };
            tokio::select! {
                () = tokio::time::sleep(sleep) => {
                    if kept {
                        let now = self.clock.now();
                        let queue = self.queue.lock();
                        self.engine.advance(now, queue.positions());
                        drop(queue);
                        self.try_early(now);
                    }
                }
                Some(Ok((ticket, outcome))) = self.jobs.join_next() => {
                    let now = self.clock.now();
                    let queue = self.queue.lock();
                    self.engine.finished(ticket, outcome, now, queue.positions());
                }
                Ok(()) = configuration.changed() => {
                    let applied = configuration.borrow_and_update().clone();
                    self.load(&applied);
                }
                Some(order) = orders.recv() => self.obey(order),
                () = stopped(&mut stop) => break,
            }
        }
        // what runs is ended; its commands are reported as interrupted by the next start
        self.jobs.shutdown().await;
        self.flush(true);
    }

    fn load(&mut self, applied: &Applied) {
        let now = self.clock.now();
        let queue = self.queue.lock();
        let (workflows, accounts) = (applied.collect.monitoring.clone(), applied.collect.accounts.clone());
        for (name, state) in self.known_elsewhere.take_of(&workflows.workflows) {
            self.engine.know(name, state);
        }
        let loaded = self.engine.load(workflows, accounts, now, queue.positions());
        tracing::info!(
            workflows = loaded.workflows,
            modules = self.engine.modules(),
            kept = loaded.kept,
            unloaded = loaded.unloaded.len(),
            "workflows loaded"
        );
        drop(queue);
        self.try_early(now);
    }

    /// Starts what waited for its configuration; what waited too long has failed.
    fn try_early(&mut self, now: Microseconds) {
        for (command, until) in std::mem::take(&mut self.early) {
            let queue = self.queue.lock();
            match self.engine.run_task(command.clone(), now, queue.positions()) {
                Err(CommandError::Unknown { .. }) if now < until => self.early.push((command, until)),
                Err(error) => self.engine.refuse_task(command, &error, now),
                Ok(()) => {}
            }
        }
    }

    fn sleep(&self) -> Duration {
        // changed states wait only so long for being written
        let longest = if self.engine.is_dirty() { Duration::from_secs(1) } else { LONGEST_SLEEP };
        let longest = if self.early.is_empty() { longest } else { longest.min(Duration::from_secs(1)) };
        match self.engine.next_wake() {
            None => longest,
            Some(time) => {
                let micros = u64::try_from(time - self.clock.now()).unwrap_or(0);
                Duration::from_micros(micros).min(longest)
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let now = self.clock.now();
        let done = {
            let queue = self.queue.lock();
            match order.what {
                What::Task(command) => match self.engine.run_task(command.clone(), now, queue.positions()) {
                    Err(CommandError::Unknown { .. }) => {
                        self.early.push((command, now + EARLY_TASK));
                        Ok(())
                    }
                    Err(error) => {
                        self.engine.refuse_task(command, &error, now);
                        Err(error)
                    }
                    Ok(()) => Ok(()),
                },
                What::Reset { monitor, object } => self.engine.reset_monitor(&monitor, &object, "reset", now),
                What::Recalculate { monitor, object } => {
                    self.engine.recalculate(&monitor, &object, now, queue.positions())
                }
            }
        };
        // a task that was taken is known again after a crash, before anything of it runs
        self.save(now);
        let error = done.err().map_or_else(String::new, |error| error.to_string());
        let result = CommandResult { id: order.id, error };
        // a server that went away asks again
        let _ = order.answers.try_send(FromAgent { message: Some(Up::CommandResult(result)) });
    }

    /// Puts what modules left into the disk queue and begins their jobs; false when the disk does not take it.
    fn flush(&mut self, last: bool) -> bool {
        let now = self.clock.now();
        if self.engine.has_unsaid() {
            self.save(now);
        }
        let outbox = self.engine.outbox();
        for (class, items) in outbox.take_items() {
            self.pending.push(Pending::Items(class, items));
        }
        for (class, rows) in outbox.take_rows() {
            if !rows.is_empty() {
                let (tables, positions) = rows.finish();
                self.pending.push(Pending::Rows(class, tables, positions));
            }
        }
        let appended = !self.pending.is_empty();
        while let Some(pending) = self.pending.first() {
            if let Err(error) = append(&self.queue, pending) {
                tracing::error!(%error, "what workflows found cannot be kept");
                return false;
            }
            self.pending.remove(0);
        }
        self.engine.said();
        if appended {
            self.queue.notify();
        }
        let is_due = self.engine.is_dirty() && now - self.saved_at >= SAVE_EVERY;
        if last || is_due || now - self.saved_at >= SAVE_ALWAYS {
            self.save(now);
        }
        for begun in self.engine.take_jobs() {
            let ticket = begun.ticket;
            self.jobs.spawn(async move { (ticket, begun.job.run().await) });
        }
        true
    }

    fn save(&mut self, now: Microseconds) {
        self.saved_at = now;
        if let Err(error) = self.store.save(&self.engine.saved()) {
            tracing::error!(%error, "the states of workflows cannot be kept");
        }
    }
}

fn append(queue: &SharedQueue, pending: &Pending) -> Result<(), String> {
    let mut queue = queue.lock();
    let written = match pending {
        Pending::Items(class, items) => {
            let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
            let (compression, payload) = encode_operational(items.clone()).map_err(|error| error.to_string())?;
            queue.append_operational(*class, count, compression.into(), payload)
        }
        Pending::Rows(class, tables, positions) => {
            let count: u32 = tables.iter().map(|table| table.rows).sum();
            let (compression, payload) = encode_rows(tables.clone()).map_err(|error| error.to_string())?;
            queue.append(*class, count, compression.into(), payload, positions)
        }
    };
    match written {
        Ok(_) => Ok(()),
        Err(error @ crate::queue::QueueError::TooLarge { .. }) => {
            // it will never fit
            tracing::error!(%error, "what workflows found is dropped");
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Shares a clock.
impl<C: Clock + Sync + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Microseconds {
        self.as_ref().now()
    }
}
