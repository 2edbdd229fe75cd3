//! Where the rows of agents go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use watchkeeper_wire::Batch;
use watchkeeper_wire::proto::OperationalItem;

/// The queue under which this server numbers the heartbeats of its agents; see [`OwnQueue`].
pub const HEARTBEAT_QUEUE: &str = "heartbeat";
/// The queue under which this server numbers what it writes down about an agent.
pub const AUDIT_QUEUE: &str = "audit";

/// A queue of this server's own, which is nobody's to send. Each run of the server has another name for it and numbers
/// from one, so that no number comes twice whatever the clock does.
#[derive(Debug)]
pub(crate) struct OwnQueue {
    name: String,
    last: AtomicU64,
}

impl OwnQueue {
    pub fn new(kind: &str) -> Self {
        Self { name: format!("{kind}/{}", uuid::Uuid::new_v4().simple()), last: AtomicU64::new(0) }
    }

    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// The number of the next batch.
    pub fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Whether rows of this queue are made by a server.
#[must_use]
pub fn is_own_queue(queue: &str) -> bool {
    let kind = queue.split('/').next().unwrap_or_default();
    [HEARTBEAT_QUEUE, AUDIT_QUEUE].contains(&kind)
}

/// Which agent a batch comes from, and from which of its queues.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AgentIdentity {
    /// Given at enrolment, stable while the agent keeps its key.
    pub agent_id: String,
    /// The computer's name, as the agent says.
    pub computer: String,
    /// The disk queue that numbers the batches. A new queue (a reinstalled agent) numbers from the start again.
    pub queue: String,
}

impl AgentIdentity {
    /// The sender under which sequence numbers are unique and rise.
    #[must_use]
    pub fn sender(&self) -> String {
        format!("agent/{}/{}", self.agent_id, self.queue)
    }
}

/// Takes the rows of agents for good.
#[async_trait]
pub trait AgentSink: Send + Sync + 'static {
    /// Stores a batch; when this returns `Ok` the rows survive a crash, and the agent forgets them. The same sequence
    /// of the same [`AgentIdentity::sender`] can come again and is then `Ok` without being stored twice. The numbers of
    /// one sender rise otherwise, with gaps.
    async fn accept(&self, agent: &AgentIdentity, batch: Batch) -> Result<(), SinkError>;

    /// A heartbeat came from an agent. Said at once; its row comes with those of other agents, under the queue
    /// [`HEARTBEAT_QUEUE`] of nobody.
    fn heard_of(&self, agent_id: &str) {
        let _ = agent_id;
    }

    /// Stores what workflows have to say — alerts, states, discovery, results — as [`AgentSink::accept`] does rows: the
    /// numbers are of the same series. A sink without an operational store takes nothing, and the agent keeps it.
    async fn accept_operational(
        &self,
        agent: &AgentIdentity,
        sequence: u64,
        items: Vec<OperationalItem>,
    ) -> Result<(), SinkError> {
        let _ = (agent, sequence, items);
        Err(SinkError::Unavailable { reason: "this server has no operational store for agents".to_owned() })
    }
}

/// Why a batch was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SinkError {
    /// Too much is waiting to be written; the agent keeps its rows and comes again.
    #[error("too much is waiting to be written; try again in {} ms", retry_after.as_millis())]
    BackPressure {
        /// When to come again.
        retry_after: Duration,
    },
    /// Rows cannot be stored now (a full disk, a failing one); the agent keeps them and comes again.
    #[error("rows cannot be stored now: {reason}")]
    Unavailable {
        /// What is the matter.
        reason: String,
    },
    /// These rows can never be stored; the agent drops the batch and reports it.
    #[error("the batch was refused: {reason}")]
    Refused {
        /// Which table, which column, what is wrong.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_the_server_numbers_from_one_under_a_name_of_its_own() {
        let (one, two) = (OwnQueue::new(HEARTBEAT_QUEUE), OwnQueue::new(HEARTBEAT_QUEUE));
        assert_eq!([one.next(), one.next(), two.next()], [1, 2, 1]);
        assert_ne!(one.name(), two.name());
        for own in [one.name(), "heartbeat".to_owned(), "audit".to_owned(), "audit/1".to_owned()] {
            assert!(is_own_queue(&own), "{own}");
        }
        assert!(!is_own_queue("heartbeats") && !is_own_queue("0b5c/heartbeat"));
    }
}
