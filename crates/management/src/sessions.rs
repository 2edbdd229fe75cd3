//! The agents that are connected now.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot};
use tonic::Status;
use watchkeeper_wire::proto::{Command, Heartbeat};
use watchkeeper_wire::{CertificateKey, Fingerprint};

/// An agent with an open session.
#[derive(Debug, Clone)]
pub struct ConnectedAgent {
    /// Its identity.
    pub agent_id: String,
    /// The computer's name.
    pub computer: String,
    /// The certificate that it, or its gateway, came with.
    pub certificate: CertificateKey,
    /// The foreign authority of that certificate, where it is not of the group's own.
    pub authority: Option<Fingerprint>,
    /// End of that certificate's validity.
    pub certificate_ends: SystemTime,
    /// Where it comes from.
    pub address: Option<IpAddr>,
    /// When the session began.
    pub connected_at: SystemTime,
    /// When the last heartbeat came.
    pub last_heartbeat: Option<SystemTime>,
    /// The configuration that it said it runs.
    pub configuration_version: String,
    /// Why it could not apply the last configuration, if so.
    pub configuration_error: Option<String>,
    /// Its disk queue at the last heartbeat.
    pub queue: QueueState,
}

/// An agent's disk queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Bytes on disk.
    pub bytes: u64,
    /// Batches that wait for acknowledgement.
    pub batches: u64,
    /// Batches dropped since the agent started.
    pub dropped_batches: u64,
    /// Rows dropped since the agent started.
    pub dropped_rows: u64,
}

struct Entry {
    number: u64,
    agent: ConnectedAgent,
    end: Option<oneshot::Sender<Status>>,
    commands: mpsc::Sender<Command>,
}

/// All open sessions, one an agent: a newer session of an agent ends the older.
#[derive(Default)]
pub(crate) struct Sessions {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    entries: HashMap<String, Entry>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a session; gives its number and what ends it.
    pub(crate) fn enter(
        &self,
        agent: ConnectedAgent,
        commands: mpsc::Sender<Command>,
    ) -> (u64, oneshot::Receiver<Status>) {
        let (end, ended) = oneshot::channel();
        let mut inner = self.lock();
        inner.next += 1;
        let number = inner.next;
        let entry = Entry { number, agent, end: Some(end), commands };
        if let Some(older) = inner.entries.insert(entry.agent.agent_id.clone(), entry)
            && let Some(end) = older.end
        {
            let _ = end.send(Status::already_exists(
                "the agent has opened another session; if it did not, its identity was copied to another machine: revoke it",
            ));
        }
        (number, ended)
    }

    pub(crate) fn leave(&self, agent_id: &str, number: u64) {
        let mut inner = self.lock();
        if inner.entries.get(agent_id).is_some_and(|entry| entry.number == number) {
            inner.entries.remove(agent_id);
        }
    }

    pub(crate) fn update(&self, agent_id: &str, number: u64, change: impl FnOnce(&mut ConnectedAgent)) {
        if let Some(entry) = self.lock().entries.get_mut(agent_id)
            && entry.number == number
        {
            change(&mut entry.agent);
        }
    }

    /// Ends the session of an agent with a reason; false when it has none.
    pub(crate) fn end(&self, agent_id: &str, reason: Status) -> bool {
        let Some(end) = self.lock().entries.get_mut(agent_id).and_then(|entry| entry.end.take()) else {
            return false;
        };
        end.send(reason).is_ok()
    }

    /// Ends the sessions for which there is a reason; gives how many.
    pub(crate) fn end_where(&self, reason: impl Fn(&ConnectedAgent) -> Option<Status>) -> usize {
        let mut ended = 0;
        for entry in self.lock().entries.values_mut() {
            if let Some(status) = reason(&entry.agent)
                && let Some(end) = entry.end.take()
            {
                ended += usize::from(end.send(status).is_ok());
            }
        }
        ended
    }

    pub(crate) fn list(&self) -> Vec<ConnectedAgent> {
        self.lock().entries.values().map(|entry| entry.agent.clone()).collect()
    }

    pub(crate) fn get(&self, agent_id: &str) -> Option<ConnectedAgent> {
        self.lock().entries.get(agent_id).map(|entry| entry.agent.clone())
    }

    pub(crate) fn has(&self, agent_id: &str) -> bool {
        self.lock().entries.contains_key(agent_id)
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.lock().entries.keys().cloned().collect()
    }

    pub(crate) fn commands(&self, agent_id: &str) -> Option<mpsc::Sender<Command>> {
        self.lock().entries.get(agent_id).map(|entry| entry.commands.clone())
    }
}

pub(crate) fn queue_state(heartbeat: &Heartbeat) -> QueueState {
    QueueState {
        bytes: heartbeat.queue_bytes,
        batches: heartbeat.queue_batches,
        dropped_batches: heartbeat.dropped_batches,
        dropped_rows: heartbeat.dropped_rows,
    }
}
