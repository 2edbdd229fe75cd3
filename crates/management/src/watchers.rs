//! Health service watchers: an agent that sends no heartbeats has an alert, and a second one when its computer does not
//! answer either; both close when it is heard of again (management group specification 1.7, 1.8).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use tokio::process::Command;
use watchkeeper_state::{MonitorOf, StateChange, StateError};

use crate::operational::{Operational, Work};
use crate::watch_rules::{Deadlines, HeartbeatSettings, Turn};

/// The monitor of missed heartbeats; its alert is "Health Service Heartbeat Failure".
pub const HEARTBEAT_MONITOR: &str = "Microsoft.SystemCenter.HealthService.Heartbeat";
/// The monitor of computers that do not answer; its alert is "Failed to Connect to Computer".
pub const REACHABLE_MONITOR: &str = "Microsoft.SystemCenter.HealthService.ComputerDown";

/// Probes at one time.
const MAX_PROBES: usize = 64;
const PROBE_DEADLINE: Duration = Duration::from_secs(5);
/// Watchers that change in one transaction.
const GROUP: usize = 1000;

/// Whether a computer answers.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// True when anything of it does.
    async fn answers(&self, computer: &str, address: Option<IpAddr>) -> bool;
}

/// Asks with `ping`, and by opening TCP connections: a refusal is an answer too.
#[derive(Debug, Clone)]
pub struct NetworkProbe {
    /// Ports that are tried.
    pub ports: Vec<u16>,
}

impl Default for NetworkProbe {
    fn default() -> Self {
        Self { ports: vec![22, 443] }
    }
}

#[async_trait]
impl Probe for NetworkProbe {
    async fn answers(&self, computer: &str, address: Option<IpAddr>) -> bool {
        let address = match address {
            Some(address) => Some(address.to_canonical()),
            None => tokio::time::timeout(PROBE_DEADLINE, tokio::net::lookup_host((computer, 0)))
                .await
                .ok()
                .and_then(Result::ok)
                .and_then(|mut found| found.next())
                .map(|found| found.ip()),
        };
        let Some(address) = address else { return false };
        if ping(address).await {
            return true;
        }
        for port in &self.ports {
            let connect = tokio::net::TcpStream::connect(SocketAddr::new(address, *port));
            match tokio::time::timeout(PROBE_DEADLINE, connect).await {
                Ok(Ok(_)) => return true,
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => return true,
                _ => {}
            }
        }
        false
    }
}

/// The system's command has the right to send ICMP; where it is missing the connections decide.
async fn ping(address: IpAddr) -> bool {
    let mut command = Command::new("ping");
    command.args(["-n", "-q", "-c", "2", "-W", "2"]).arg(address.to_string());
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).kill_on_drop(true);
    let answered = tokio::time::timeout(PROBE_DEADLINE, command.status()).await;
    answered.is_ok_and(|status| status.is_ok_and(|status| status.success()))
}

/// What is known of a watched agent.
#[derive(Debug, Clone, Default)]
pub struct WatchedAgent {
    /// The computer's name.
    pub computer: String,
    /// Where it last came from.
    pub address: Option<IpAddr>,
    /// The identity of its watcher object.
    pub watcher: String,
    /// Settings of its own.
    pub settings: Option<HeartbeatSettings>,
}

/// Watches the heartbeats of agents. Heartbeats come in through [`Watchers::heartbeat`]; [`Watchers::pass`] is called
/// every few seconds.
pub struct Watchers {
    operational: Operational,
    probe: Arc<dyn Probe>,
    inner: Mutex<Inner>,
}

struct Inner {
    deadlines: Deadlines,
    agents: HashMap<String, WatchedAgent>,
    /// Heard of again, not yet written.
    found: Vec<String>,
    /// Lost, not yet written.
    lost: Vec<String>,
}

impl Watchers {
    /// Watches nothing yet. `now` is in milliseconds of a clock that never goes back.
    #[must_use]
    pub fn new(
        operational: Operational,
        probe: Arc<dyn Probe>,
        settings: HeartbeatSettings,
        tolerance: Duration,
        now: u64,
    ) -> Self {
        let deadlines = Deadlines::new(settings, tolerance, now);
        let inner = Inner { deadlines, agents: HashMap::new(), found: Vec::new(), lost: Vec::new() };
        Self { operational, probe, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches an agent from now on. `lost`: its monitor was in error when this server began.
    pub fn watch(&self, agent_id: &str, agent: WatchedAgent, lost: bool, now: u64) {
        let mut inner = self.lock();
        inner.deadlines.watch(agent_id, agent.settings, lost, now);
        inner.agents.insert(agent_id.to_owned(), agent);
    }

    /// Whether an agent is watched.
    #[must_use]
    pub fn watches(&self, agent_id: &str) -> bool {
        self.lock().agents.contains_key(agent_id)
    }

    /// Every watched agent.
    #[must_use]
    pub fn watched(&self) -> Vec<String> {
        self.lock().agents.keys().cloned().collect()
    }

    /// Watches an agent no more: it was removed, or another server has it.
    pub fn forget(&self, agent_id: &str) {
        let mut inner = self.lock();
        inner.deadlines.forget(agent_id);
        inner.agents.remove(agent_id);
    }

    /// A heartbeat came. Costs no I/O; what follows from it is written by the next pass.
    pub fn heartbeat(&self, agent_id: &str, address: Option<IpAddr>, now: u64) {
        let mut inner = self.lock();
        if let Some(agent) = inner.agents.get_mut(agent_id)
            && address.is_some()
        {
            agent.address = address;
        }
        if let Some(Turn::Found(agent_id)) = inner.deadlines.heartbeat(agent_id, now) {
            inner.found.push(agent_id);
        }
    }

    /// New general settings.
    pub fn set(&self, settings: HeartbeatSettings, now: u64) {
        self.lock().deadlines.set(settings, now);
    }

    /// Settings of single agents; all others have the general ones.
    pub fn set_own(&self, own: &HashMap<String, HeartbeatSettings>, now: u64) {
        let mut inner = self.lock();
        let agents: Vec<String> = inner.agents.keys().cloned().collect();
        for agent_id in agents {
            let settings = own.get(&agent_id).copied();
            inner.deadlines.set_own(&agent_id, settings, now);
            if let Some(agent) = inner.agents.get_mut(&agent_id) {
                agent.settings = settings;
            }
        }
    }

    /// Writes who was lost and found since the last pass, and probes the computers of those that were lost. `at` is
    /// microseconds since the Unix epoch. What could not be written is written by a later pass.
    ///
    /// # Errors
    /// When the store takes nothing now.
    pub async fn pass(&self, now: u64, at: i64) -> Result<(), StateError> {
        let (found, lost) = {
            let mut inner = self.lock();
            let found = std::mem::take(&mut inner.found);
            let mut lost = std::mem::take(&mut inner.lost);
            // lost and found between two passes: nothing happened
            lost.retain(|agent| !found.contains(agent));
            for turn in inner.deadlines.look(now) {
                if let Turn::Lost(agent_id) = turn {
                    lost.push(agent_id);
                }
            }
            (found, lost)
        };
        let write = async {
            let healthy = [(HEARTBEAT_MONITOR, 1), (REACHABLE_MONITOR, 1)];
            self.write(&found, &healthy, at).await?;
            self.write(&lost, &[(HEARTBEAT_MONITOR, 3)], at).await
        };
        if let Err(error) = write.await {
            let mut inner = self.lock();
            inner.found.extend(found);
            inner.lost.extend(lost);
            return Err(error);
        }
        self.probe_lost(&lost, at).await
    }

    async fn probe_lost(&self, lost: &[String], at: i64) -> Result<(), StateError> {
        let targets: Vec<(String, WatchedAgent)> = {
            let inner = self.lock();
            lost.iter().filter_map(|id| Some((id.clone(), inner.agents.get(id)?.clone()))).collect()
        };
        let silent: Vec<String> = futures::stream::iter(targets)
            .map(|(agent_id, agent)| async move {
                (!self.probe.answers(&agent.computer, agent.address).await).then_some(agent_id)
            })
            .buffer_unordered(MAX_PROBES)
            .filter_map(|silent| async { silent })
            .collect()
            .await;
        // one that came back while it was probed is not reported
        let silent: Vec<String> = {
            let inner = self.lock();
            silent.into_iter().filter(|agent| !inner.found.contains(agent)).collect()
        };
        self.write(&silent, &[(REACHABLE_MONITOR, 3)], at).await
    }

    async fn write(&self, agents: &[String], states: &[(&str, u8)], at: i64) -> Result<(), StateError> {
        for group in agents.chunks(GROUP) {
            let watchers: Vec<String> = {
                let inner = self.lock();
                group.iter().filter_map(|id| Some(inner.agents.get(id)?.watcher.clone())).collect()
            };
            let shared = self.operational.shared();
            let mut changes = shared.begin().await?;
            let mut work = Work::new(shared, at);
            for watcher in watchers {
                for (monitor, health) in states {
                    let change = StateChange {
                        of: MonitorOf { object_id: watcher.clone(), monitor_id: (*monitor).to_owned() },
                        changed_at: at,
                        old_health: 0,
                        new_health: *health,
                        state: if *health == 1 { "Healthy" } else { "Error" }.to_owned(),
                        context: String::new(),
                    };
                    work.state(change, false);
                }
            }
            work.apply(&mut changes).await?;
            work.commit(changes).await?;
        }
        Ok(())
    }
}
