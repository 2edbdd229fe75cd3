//! Where the rows of agents go.

use std::time::Duration;

use async_trait::async_trait;
use watchkeeper_wire::Batch;
use watchkeeper_wire::proto::OperationalItem;

/// The queue name under which this server numbers the heartbeats of its agents, by their time.
pub const HEARTBEAT_QUEUE: &str = "heartbeat";

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
