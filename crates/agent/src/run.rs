//! The agent as a whole: asks the collectors on their schedules, puts their rows into the disk queue, and keeps the
//! connection.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use watchkeeper_wire::{WireError, encode_rows};

use crate::collect::{Collected, Collector, Origin};
use crate::config::{CollectConfig, Config};
use crate::connection::{Connection, SharedQueue, kept_configuration};
use crate::linux;
use crate::maintenance;
use crate::queue::{Class, Queue, QueueError, QueueLimits};
use crate::system::{microseconds, stopped};
use crate::workflow::run::{Monitoring, SystemClock};

/// After a failing disk queue: how long until collectors are asked again.
const QUEUE_RETRY: Duration = Duration::from_secs(5);

/// Commands for workflows that wait.
const ORDERS: usize = 64;

/// The agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data folder.
    #[error("cannot use the data folder {}: {reason}", path.display())]
    Data {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Identity files.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// An agent that is ready to run.
pub struct Agent {
    config: Config,
    queue: SharedQueue,
    extra: Vec<Box<dyn Collector>>,
    system_collectors: bool,
    _lock: File,
}

struct Scheduled {
    collector: Box<dyn Collector>,
    due: Instant,
}

impl Agent {
    /// Takes the data folder (one agent at a time) and opens the disk queue.
    ///
    /// # Errors
    /// When another agent has the folder, or it cannot be used.
    pub fn open(config: Config) -> Result<Self, RunError> {
        let unusable = |reason: String| RunError::Data { path: config.data.clone(), reason };
        std::fs::create_dir_all(&config.data).map_err(|error| unusable(error.to_string()))?;
        let lock = File::create(config.data.join("lock")).map_err(|error| unusable(error.to_string()))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| unusable("another agent runs with it".to_owned()))?;
        let limits = QueueLimits::with_max_bytes(config.queue.max_kilobytes * 1024);
        let queue = Queue::open(&config.data.join("queue"), limits)?;
        if queue.damaged_bytes() > 0 {
            tracing::warn!(bytes = queue.damaged_bytes(), "the end of the disk queue was damaged and is cut off");
        }
        Ok(Self { config, queue: SharedQueue::new(queue), extra: Vec::new(), system_collectors: true, _lock: lock })
    }

    /// Adds a collector beside those of the configuration.
    #[must_use]
    pub fn with_collector(mut self, collector: Box<dyn Collector>) -> Self {
        self.extra.push(collector);
        self
    }

    /// Leaves out the collectors of the configuration.
    #[must_use]
    pub fn without_system_collectors(mut self) -> Self {
        self.system_collectors = false;
        self
    }

    /// Runs until told to stop. What is in the disk queue stays there for the next run.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let machine = linux::machine::describe(self.config.computer.as_deref());
        let origin = Origin {
            computer: machine.computer.clone(),
            agent_id: String::new(),
            host_ip: machine.private_addresses.first().cloned().unwrap_or_default(),
        };
        let (applied, configuration) = watch::channel(kept_configuration(&self.config));
        let (identity, agent_id) = watch::channel(String::new());
        let inventory = Arc::new(Notify::new());
        let (orders, ordered) = tokio::sync::mpsc::channel(ORDERS);
        let monitoring = Monitoring::open(
            &self.config.data,
            self.queue.clone(),
            Box::new(linux::platform::Linux::default()),
            Box::new(SystemClock),
            origin.clone(),
        );
        let connection = Connection::new(
            self.config.clone(),
            machine,
            self.queue.clone(),
            applied,
            inventory.clone(),
            identity,
            orders,
        );
        let workflows = monitoring.run(configuration.clone(), agent_id.clone(), ordered, stop.clone());
        let collecting = Collecting {
            queue: self.queue.clone(),
            origin,
            scheduled: self.extra.into_iter().map(now).collect(),
            kept: 0,
            configured: None,
            system_collectors: self.system_collectors,
        };
        let asked = maintenance::pass_on(self.config.data.clone(), self.queue.clone(), stop.clone());
        tokio::join!(
            connection.run(stop.clone()),
            collecting.run(configuration, agent_id, inventory, stop),
            workflows,
            asked
        );
    }
}

fn now(collector: Box<dyn Collector>) -> Scheduled {
    Scheduled { collector, due: Instant::now() }
}

struct Collecting {
    queue: SharedQueue,
    origin: Origin,
    /// Those that are not of the configuration come first.
    scheduled: Vec<Scheduled>,
    kept: usize,
    /// What the collectors of the configuration were made from.
    configured: Option<CollectConfig>,
    system_collectors: bool,
}

impl Collecting {
    async fn run(
        mut self,
        mut configuration: watch::Receiver<crate::connection::Applied>,
        agent_id: watch::Receiver<String>,
        inventory: Arc<Notify>,
        mut stop: watch::Receiver<bool>,
    ) {
        self.kept = self.scheduled.len();
        let first = configuration.borrow_and_update().collect.clone();
        self.configure(&first);
        loop {
            self.origin.agent_id.clone_from(&agent_id.borrow());
            let next = self.collect_due();
            tokio::select! {
                () = sleep_until(next) => {}
                Ok(()) = configuration.changed() => {
                    let collect = configuration.borrow_and_update().collect.clone();
                    self.configure(&collect);
                }
                () = inventory.notified() => {
                    for scheduled in &mut self.scheduled {
                        if scheduled.collector.class() == Class::Discovery {
                            scheduled.due = Instant::now();
                        }
                    }
                }
                () = stopped(&mut stop) => return,
            }
        }
    }

    /// Collectors begin anew when what they are told has changed, and not with every change of the workflows: what they
    /// have seen since their last rows would be lost.
    fn configure(&mut self, collect: &CollectConfig) {
        let collectors = CollectConfig {
            performance: collect.performance.clone(),
            syslog: collect.syslog.clone(),
            inventory: collect.inventory.clone(),
            connections: collect.connections.clone(),
            text_logs: collect.text_logs.clone(),
            ..CollectConfig::default()
        };
        if self.configured.as_ref() == Some(&collectors) {
            return;
        }
        self.configured = Some(collectors);
        self.scheduled.truncate(self.kept);
        if self.system_collectors {
            self.scheduled.extend(linux::collectors(collect).into_iter().map(now));
        }
    }

    /// Asks all collectors whose time has come; gives the next time.
    fn collect_due(&mut self) -> Instant {
        let now = Instant::now();
        let mut appended = false;
        for scheduled in &mut self.scheduled {
            if scheduled.due > now {
                continue;
            }
            let interval = scheduled.collector.interval();
            scheduled.due += interval;
            if scheduled.due <= now {
                // the machine slept, or collecting took longer than the interval
                scheduled.due = now + interval;
            }
            match collect(scheduled.collector.as_mut(), &self.origin, &self.queue) {
                Ok(Outcome { kept, again_after }) => {
                    appended |= kept;
                    if let Some(after) = again_after {
                        scheduled.due = now + after;
                    }
                }
                Err(error) => {
                    tracing::error!(collector = scheduled.collector.name(), %error, "rows cannot be kept");
                    scheduled.due = now + QUEUE_RETRY;
                }
            }
        }
        if self.report_dropped() || appended {
            self.queue.notify();
        }
        self.scheduled.iter().map(|scheduled| scheduled.due).min().unwrap_or(now + Duration::from_secs(3600))
    }

    /// Rows of `AgentQueue` about what the full queue dropped.
    fn report_dropped(&self) -> bool {
        let mut queue = self.queue.lock();
        let dropped = queue.take_dropped();
        if dropped.is_empty() {
            return false;
        }
        let mut out = Collected::default();
        for (class, dropped) in dropped {
            tracing::warn!(class = class.name(), batches = dropped.batches, rows = dropped.rows, "queue dropped data");
            out.table("AgentQueue")
                .row()
                .datetime("TimeGenerated", microseconds(SystemTime::now()))
                .string("Computer", &self.origin.computer)
                .string("AgentId", &self.origin.agent_id)
                .string("Class", class.name())
                .long("DroppedBatches", i64::try_from(dropped.batches).unwrap_or(i64::MAX))
                .long("DroppedRows", i64::try_from(dropped.rows).unwrap_or(i64::MAX))
                .long("QueueBytes", i64::try_from(queue.bytes()).unwrap_or(i64::MAX))
                .long("MaximumBytes", i64::try_from(queue.max_bytes()).unwrap_or(i64::MAX));
        }
        append(&mut queue, Class::State, out).is_ok()
    }
}

struct Outcome {
    kept: bool,
    /// The collector asks for its next turn this soon.
    again_after: Option<Duration>,
}

fn collect(collector: &mut dyn Collector, origin: &Origin, queue: &SharedQueue) -> Result<Outcome, QueueError> {
    let mut queue = queue.lock();
    let mut out = Collected::default();
    if let Err(error) = collector.collect(microseconds(SystemTime::now()), origin, queue.positions(), &mut out) {
        tracing::warn!(collector = collector.name(), %error, "cannot collect");
    }
    let again_after = if out.more { Some(Duration::ZERO) } else { out.again_after };
    let kept = append(&mut queue, collector.class(), out)?;
    Ok(Outcome { kept, again_after })
}

fn append(queue: &mut Queue, class: Class, out: Collected) -> Result<bool, QueueError> {
    let rows = u32::try_from(out.rows()).unwrap_or(u32::MAX);
    let (tables, positions) = out.finish();
    if tables.is_empty() && positions.is_empty() {
        return Ok(false);
    }
    let (compression, payload) = match encode_rows(tables) {
        Ok(encoded) => encoded,
        Err(error) => {
            tracing::error!(%error, rows, "rows cannot be encoded");
            return Ok(false);
        }
    };
    queue.append(class, rows, compression.into(), payload, &positions)?;
    Ok(true)
}
