//! The workflows that this server runs itself: those of objects without an agent. The agent's runtime runs them, with a
//! disk queue of its own; what comes of it goes the way of an agent's batches, without the network between.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use watchkeeper_agent::collect::Origin;
use watchkeeper_agent::config::CollectConfig;
use watchkeeper_agent::connection::{Applied, SharedQueue};
use watchkeeper_agent::queue::{Kind, Lane, Queue, QueueError, QueueLimits, Queued};
use watchkeeper_agent::workflow::Accounts;
use watchkeeper_agent::workflow::run::{Monitoring, Order, SystemClock, What};
use watchkeeper_agent::workflow::server_work::ServerWork;
use watchkeeper_agent::workflow::store::KnownElsewhere;
use watchkeeper_management::{AgentIdentity, SinkError};
use watchkeeper_model::workflow::Workflows;
use watchkeeper_wire::proto::from_agent::Message;
use watchkeeper_wire::proto::{Compression, OperationalItem};
use watchkeeper_wire::{Batch, decode_operational, decode_rows};

use crate::server_platform::ServerPlatform;

/// What may wait on disk while the store takes nothing.
const QUEUE_BYTES: u64 = 64 << 20;
/// Commands that wait.
const ORDERS: usize = 64;
/// After a batch that the store does not take now.
const RETRY: Duration = Duration::from_secs(2);
/// How often it is looked whether the queue is empty.
const DRAIN_LOOK: Duration = Duration::from_millis(50);

/// Where the finds of this server's own workflows go.
#[async_trait]
pub trait Finds: Send + Sync + 'static {
    /// Rows for the workspace.
    async fn rows(&self, identity: &AgentIdentity, batch: Batch) -> Result<(), SinkError>;

    /// What is said of objects.
    async fn items(
        &self,
        identity: &AgentIdentity,
        sequence: u64,
        items: Vec<OperationalItem>,
    ) -> Result<(), SinkError>;
}

/// The runtime at work.
pub struct ServerWorkflows {
    configuration: watch::Sender<Applied>,
    known: KnownElsewhere,
    queue: SharedQueue,
    orders: mpsc::Sender<Order>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl ServerWorkflows {
    /// Starts without workflows. `server_id` is the identity under which items come, `computer` what rows are said to
    /// come from, `work` what only a management server can do.
    pub fn start(
        data_dir: &Path,
        server_id: &str,
        computer: &str,
        finds: Arc<dyn Finds>,
        work: Option<Arc<dyn ServerWork>>,
    ) -> anyhow::Result<Self> {
        let folder = data_dir.join("server-workflows");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let queue = Queue::open(&folder.join("queue"), QueueLimits::with_max_bytes(QUEUE_BYTES))
            .with_context(|| format!("cannot open the queue in {}", folder.display()))?;
        let queue = SharedQueue::new(queue);
        let origin = Origin { computer: computer.to_owned(), agent_id: server_id.to_owned(), host_ip: String::new() };
        let none = Applied { version: String::new(), collect: CollectConfig::default() };
        let (configuration, configured) = watch::channel(none);
        let (_, agent_id) = watch::channel(server_id.to_owned());
        let (orders, ordered) = mpsc::channel(ORDERS);
        let (stop, stopped) = watch::channel(false);
        let monitoring = Monitoring::open(
            &folder,
            queue.clone(),
            Box::new(ServerPlatform::new(work)),
            Box::new(SystemClock),
            origin,
        );
        let known = monitoring.known_elsewhere();
        let running = tokio::spawn(monitoring.run(configured, agent_id, ordered, stopped.clone()));
        let identity =
            AgentIdentity { agent_id: server_id.to_owned(), computer: computer.to_owned(), queue: String::new() };
        let delivering = tokio::spawn(deliver(queue.clone(), identity, finds, stopped));
        Ok(Self { configuration, known, queue, orders, stop, tasks: vec![running, delivering] })
    }

    /// In which states monitors are whose workflows are given next.
    pub fn known(&self) -> &KnownElsewhere {
        &self.known
    }

    /// Runs these in place of those before. `renew`: also where they are the same, to take over known states.
    pub fn set(&self, monitoring: Workflows, accounts: Accounts, renew: bool) {
        self.configuration.send_if_modified(|applied| {
            let changed = renew || applied.collect.monitoring != monitoring || applied.collect.accounts != accounts;
            applied.collect.monitoring = monitoring;
            applied.collect.accounts = accounts;
            changed
        });
    }

    /// Waits until what the last run left in the queue is delivered; not longer than `longest`.
    pub async fn drained(&self, longest: Duration) {
        let end = Instant::now() + longest;
        while self.queue.lock().waiting() > 0 && Instant::now() < end {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }

    /// Resets or recalculates a monitor, or runs a task.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub async fn order(&self, id: String, what: What) -> Result<(), String> {
        let (answers, mut answered) = mpsc::channel(1);
        let order = Order { id, what, answers };
        self.orders.try_send(order).map_err(|_| "too many commands wait on this server; try again later".to_owned())?;
        match answered.recv().await.and_then(|answer| answer.message) {
            Some(Message::CommandResult(result)) if result.error.is_empty() => Ok(()),
            Some(Message::CommandResult(result)) => Err(result.error),
            _ => Err("the server is stopping".to_owned()),
        }
    }

    /// Ends what runs; what was not taken waits on disk for the next start.
    pub async fn stop(&mut self) {
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            let _ = task.await;
        }
    }
}

/// Hands over what the queue holds, one batch after the other, the urgent ones first.
async fn deliver(queue: SharedQueue, identity: AgentIdentity, finds: Arc<dyn Finds>, mut stop: watch::Receiver<bool>) {
    loop {
        let wait = match hand_over(&queue, &identity, finds.as_ref()).await {
            Ok(true) => continue,
            Ok(false) => None,
            Err((lane, reason)) => {
                tracing::warn!(reason, "what the server's own workflows found waits");
                queue.lock().rewind(lane);
                Some(RETRY)
            }
        };
        tokio::select! {
            () = queue.appended(), if wait.is_none() => {}
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Hands over one batch; false where there is none.
async fn hand_over(queue: &SharedQueue, identity: &AgentIdentity, finds: &dyn Finds) -> Result<bool, (Lane, String)> {
    for lane in Lane::ALL {
        let failed = |error: QueueError| (lane, error.to_string());
        let (next, id) = {
            let mut queue = queue.lock();
            (queue.read_next(lane).map_err(failed)?, queue.id(lane))
        };
        let Some(next) = next else { continue };
        let (sequence, rows) = (next.sequence, next.rows);
        match take(finds, &AgentIdentity { queue: id, ..identity.clone() }, next).await {
            Ok(()) => {}
            Err(SinkError::Refused { reason }) => {
                tracing::error!(sequence, rows, reason, "what the server's own workflows found was refused");
                queue.lock().count_refused(rows);
            }
            Err(error) => return Err((lane, error.to_string())),
        }
        queue.lock().acknowledge(lane, sequence).map_err(failed)?;
        return Ok(true);
    }
    Ok(false)
}

async fn take(finds: &dyn Finds, identity: &AgentIdentity, next: Queued) -> Result<(), SinkError> {
    let unreadable = |reason: String| SinkError::Refused { reason };
    let compression = Compression::try_from(next.compression).map_err(|error| unreadable(error.to_string()))?;
    match next.kind {
        Kind::Rows => {
            let tables = decode_rows(compression, &next.payload).map_err(|error| unreadable(error.to_string()))?;
            finds.rows(identity, Batch { sequence: next.sequence, tables }).await
        }
        Kind::Operational => {
            let items =
                decode_operational(compression, &next.payload).map_err(|error| unreadable(error.to_string()))?;
            finds.items(identity, next.sequence, items).await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Notify;
    use watchkeeper_agent::queue::Class;
    use watchkeeper_wire::encode_operational;
    use watchkeeper_wire::proto::StateChange;
    use watchkeeper_wire::proto::operational_item::Item;

    use super::*;

    /// Takes nothing at first.
    #[derive(Default)]
    struct Stubborn {
        tries: Mutex<u32>,
        taken: Mutex<Vec<(u64, usize)>>,
        done: Notify,
    }

    #[async_trait]
    impl Finds for Stubborn {
        async fn rows(&self, _: &AgentIdentity, _: Batch) -> Result<(), SinkError> {
            Err(SinkError::Refused { reason: "no rows here".into() })
        }

        async fn items(
            &self,
            identity: &AgentIdentity,
            sequence: u64,
            items: Vec<OperationalItem>,
        ) -> Result<(), SinkError> {
            assert_eq!(identity.agent_id, "server-1");
            *self.tries.lock().unwrap() += 1;
            if *self.tries.lock().unwrap() == 1 {
                return Err(SinkError::Unavailable { reason: "the store is away".into() });
            }
            self.taken.lock().unwrap().push((sequence, items.len()));
            self.done.notify_one();
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_the_store_does_not_take_waits_on_disk_and_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        {
            let mut queue =
                Queue::open(&dir.path().join("server-workflows/queue"), QueueLimits::with_max_bytes(1 << 20)).unwrap();
            let change = Item::StateChange(StateChange::default());
            let items = vec![OperationalItem { time: 1, item: Some(change) }; 3];
            let (compression, payload) = encode_operational(items).unwrap();
            queue.append_operational(Class::State, 3, compression.into(), payload).unwrap();
        }
        let finds = Arc::new(Stubborn::default());
        let mut workflows =
            ServerWorkflows::start(dir.path(), "server-1", "box", Arc::clone(&finds) as Arc<dyn Finds>, None).unwrap();
        tokio::time::timeout(Duration::from_secs(60), finds.done.notified()).await.unwrap();
        workflows.drained(Duration::from_secs(60)).await;
        assert_eq!(*finds.taken.lock().unwrap(), [(1, 3)]);
        assert_eq!(*finds.tries.lock().unwrap(), 2);
        workflows.stop().await;
        let again = Queue::open(&dir.path().join("server-workflows/queue"), QueueLimits::with_max_bytes(1 << 20));
        assert_eq!(again.unwrap().waiting(), 0);
    }
}
