//! Heartbeats as rows of `Heartbeat`, with the columns of the Log Analytics table: those of many agents in one batch.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};
use watchkeeper_wire::proto::Machine;
use watchkeeper_wire::{Batch, TableBuilder};

use crate::session::stopped;
use crate::sink::{AgentIdentity, AgentSink, HEARTBEAT_QUEUE, OwnQueue, SinkError};

/// Heartbeats gather so long before they are written together.
const GATHER: Duration = Duration::from_millis(250);
/// Rows of one batch.
const MAX_ROWS: usize = 5_000;
/// Heartbeats that wait while the sink takes nothing: ten minutes of 20,000 agents. The oldest go first.
const MAX_WAITING: usize = 200_000;
/// When rows cannot be stored for a reason without a time of its own.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(5);

/// One heartbeat.
#[derive(Debug, Clone)]
pub(crate) struct Beat {
    pub machine: Arc<Machine>,
    /// Of a directly connected agent.
    pub peer: Option<IpAddr>,
    pub at: SystemTime,
}

/// Heartbeats that are not written yet.
pub(crate) struct HeartbeatRows {
    queue: OwnQueue,
    waiting: Mutex<VecDeque<Beat>>,
    came: Notify,
}

impl Default for HeartbeatRows {
    fn default() -> Self {
        Self { queue: OwnQueue::new(HEARTBEAT_QUEUE), waiting: Mutex::default(), came: Notify::default() }
    }
}

impl HeartbeatRows {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Beat>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, beat: Beat) {
        let mut waiting = self.lock();
        waiting.push_back(beat);
        if waiting.len() > MAX_WAITING {
            waiting.pop_front();
        }
        self.came.notify_one();
    }

    /// Writes what comes until the server stops, and then what is left.
    pub(crate) async fn write(&self, sink: &dyn AgentSink, management_group: &str, mut stop: watch::Receiver<bool>) {
        let mut stopping = false;
        while !stopping {
            tokio::select! {
                () = self.came.notified() => {}
                () = stopped(&mut stop) => stopping = true,
            }
            if !stopping {
                tokio::time::sleep(GATHER).await;
            }
            while let Some(pause) = self.write_some(sink, management_group).await {
                if stopping {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stopped(&mut stop) => return,
                }
            }
        }
    }

    /// Writes all that waits; a time to wait when the sink takes nothing now.
    async fn write_some(&self, sink: &dyn AgentSink, management_group: &str) -> Option<Duration> {
        loop {
            let beats: Vec<Beat> = self.lock().iter().take(MAX_ROWS).cloned().collect();
            if beats.is_empty() {
                return None;
            }
            let mut table = TableBuilder::new("Heartbeat");
            for beat in &beats {
                row(&mut table, beat, management_group);
            }
            let nobody = AgentIdentity { agent_id: String::new(), computer: String::new(), queue: self.queue.name() };
            match sink.accept(&nobody, Batch { sequence: self.queue.next(), tables: vec![table.finish()] }).await {
                Ok(()) => {}
                Err(SinkError::Refused { reason }) => {
                    tracing::error!(rows = beats.len(), reason, "heartbeats refused");
                }
                Err(error) => {
                    tracing::warn!(rows = beats.len(), %error, "heartbeats wait");
                    return Some(match error {
                        SinkError::BackPressure { retry_after } => retry_after,
                        _ => UNAVAILABLE_RETRY,
                    });
                }
            }
            let mut waiting = self.lock();
            let written = beats.len().min(waiting.len());
            waiting.drain(..written);
        }
    }
}

fn microseconds(at: SystemTime) -> i64 {
    let elapsed = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

fn row(table: &mut TableBuilder, beat: &Beat, management_group: &str) {
    let machine = &beat.machine;
    let addresses = serde_json::to_string(&machine.private_addresses).unwrap_or_else(|_| "[]".to_owned());
    let peer = beat.peer.map(|address| address.to_canonical().to_string()).unwrap_or_default();
    table
        .row()
        .datetime("TimeGenerated", microseconds(beat.at))
        .string("Computer", &machine.computer)
        .string("Category", "Direct Agent")
        .string("OSType", &machine.os_type)
        .string("OSName", &machine.os_name)
        .string("OSMajorVersion", &machine.os_major_version)
        .string("OSMinorVersion", &machine.os_minor_version)
        .string("Version", &machine.agent_version)
        .string("SCAgentChannel", "Direct")
        .bool("IsGatewayInstalled", false)
        .string("ManagementGroupName", management_group)
        .string("ComputerEnvironment", "Non-Azure")
        .string("ComputerIP", &peer)
        .dynamic("ComputerPrivateIPs", &addresses)
        .string("SourceComputerId", &machine.source_computer_id)
        .string("VMUUID", &machine.vm_uuid)
        .string("SourceSystem", "OpsManager");
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use watchkeeper_wire::Table;

    use super::*;

    /// Takes nothing the first so many times.
    struct Sink {
        refusals: Mutex<usize>,
        kept: Mutex<Vec<(u64, Table)>>,
    }

    #[async_trait]
    impl AgentSink for Sink {
        async fn accept(&self, agent: &AgentIdentity, mut batch: Batch) -> Result<(), SinkError> {
            assert!(agent.agent_id.is_empty() && agent.queue.starts_with("heartbeat/"), "{agent:?}");
            let mut refusals = self.refusals.lock().unwrap();
            if *refusals > 0 {
                *refusals -= 1;
                return Err(SinkError::BackPressure { retry_after: Duration::from_millis(1) });
            }
            self.kept.lock().unwrap().push((batch.sequence, batch.tables.remove(0)));
            Ok(())
        }
    }

    fn beat(computer: &str) -> Beat {
        let machine = Machine { computer: computer.to_owned(), ..Machine::default() };
        Beat { machine: Arc::new(machine), peer: None, at: UNIX_EPOCH + Duration::from_secs(1_700_000_000) }
    }

    #[tokio::test]
    async fn heartbeats_of_many_agents_are_written_together_and_wait_for_a_sink_that_takes_nothing() {
        let sink = Sink { refusals: Mutex::new(2), kept: Mutex::default() };
        let rows = HeartbeatRows::default();
        for number in 0..MAX_ROWS + 7 {
            rows.push(beat(&format!("c{number}")));
        }
        let (stop, stopping) = watch::channel(false);
        tokio::join!(rows.write(&sink, "g", stopping), async {
            while sink.kept.lock().unwrap().len() < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            rows.push(beat("last"));
            stop.send(true).unwrap();
        });
        let kept = sink.kept.into_inner().unwrap();
        assert_eq!(kept.iter().map(|(_, table)| table.rows as usize).collect::<Vec<_>>(), [MAX_ROWS, 7, 1]);
        assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0), "numbers rise");
    }
}
