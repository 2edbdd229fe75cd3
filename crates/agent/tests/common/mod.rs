//! A management server with a sink and a registry in memory, and agents against it.
#![allow(clippy::unwrap_used, dead_code)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::Notify;
use watchkeeper_agent::config::Config;
use watchkeeper_management::{
    AgentIdentity, AgentRecord, AgentServers, AgentSink, AgentStatus, Approval, GatewayRecord, ManagementServer,
    Options, Redemption, Registry, RegistryError, SinkError,
};
use watchkeeper_wire::proto::{GatewayQueue, OperationalItem, operational_item};
use watchkeeper_wire::{Authority, Batch, Values};

pub const DEADLINE: Duration = Duration::from_secs(30);

/// Keeps numbers of `T_CL.N` and counts heartbeats; knows a batch again by sender and sequence, as a store does.
#[derive(Default)]
pub struct Sink {
    pub inner: Mutex<Kept>,
    pub changed: Notify,
}

#[derive(Default)]
pub struct Kept {
    seen: HashSet<(String, u64)>,
    pub numbers: BTreeMap<i64, usize>,
    pub heartbeats: usize,
    pub computers: HashSet<String>,
    pub duplicates: usize,
    /// Answers to give before taking anything, one a call.
    pub refusals: Vec<SinkError>,
    /// Take the next batch, but say that it was not taken: the acknowledgement is lost.
    pub lose_answers: usize,
    pub last_sequence: HashMap<String, u64>,
    /// Names of alerts as they came, with how many numbers were there before.
    pub alerts: Vec<(String, usize)>,
}

#[async_trait]
impl AgentSink for Sink {
    async fn accept(&self, agent: &AgentIdentity, batch: Batch) -> Result<(), SinkError> {
        let mut kept = self.inner.lock().unwrap();
        let is_data = batch.tables.iter().any(|table| table.name == "T_CL");
        if is_data && let Some(refusal) = kept.refusals.pop() {
            return Err(refusal);
        }
        if !kept.seen.insert((agent.sender(), batch.sequence)) {
            kept.duplicates += 1;
            return Ok(());
        }
        let last = kept.last_sequence.insert(agent.sender(), batch.sequence).unwrap_or(0);
        assert!(batch.sequence > last, "batch {} came after {last}", batch.sequence);
        for table in &batch.tables {
            if table.name == "Heartbeat" {
                kept.heartbeats += table.rows as usize;
                if let Some(Values::Strings(names)) =
                    table.columns.iter().find(|column| column.name == "Computer").and_then(|c| c.values.as_ref())
                {
                    kept.computers.extend(names.values.iter().cloned());
                }
            }
            for column in &table.columns {
                // lines of a text log that begin with a number
                if let (true, "RawData", Some(Values::Strings(lines))) =
                    (table.name == "T_CL", column.name.as_str(), &column.values)
                {
                    for line in &lines.values {
                        let number = line.split(' ').next().and_then(|first| first.parse().ok());
                        *kept.numbers.entry(number.unwrap_or(-1)).or_default() += 1;
                    }
                }
                if let (true, "N", Some(Values::Longs(numbers))) =
                    (table.name == "T_CL", column.name.as_str(), &column.values)
                {
                    for number in &numbers.values {
                        *kept.numbers.entry(*number).or_default() += 1;
                    }
                }
            }
        }
        self.changed.notify_waiters();
        if is_data && kept.lose_answers > 0 {
            kept.lose_answers -= 1;
            return Err(SinkError::BackPressure { retry_after: Duration::from_millis(5) });
        }
        Ok(())
    }

    async fn accept_operational(
        &self,
        agent: &AgentIdentity,
        sequence: u64,
        items: Vec<OperationalItem>,
    ) -> Result<(), SinkError> {
        let mut kept = self.inner.lock().unwrap();
        if !kept.seen.insert((agent.sender(), sequence)) {
            kept.duplicates += 1;
            return Ok(());
        }
        let last = kept.last_sequence.insert(agent.sender(), sequence).unwrap_or(0);
        assert!(sequence > last, "batch {sequence} came after {last}");
        let numbers = kept.numbers.len();
        for item in items {
            if let Some(operational_item::Item::Alert(alert)) = item.item {
                kept.alerts.push((alert.name, numbers));
            }
        }
        self.changed.notify_waiters();
        Ok(())
    }
}

impl Sink {
    /// Waits until the kept rows fulfil a condition.
    pub async fn wait(&self, what: &str, condition: impl Fn(&Kept) -> bool) {
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                let changed = self.changed.notified();
                if condition(&self.inner.lock().unwrap()) {
                    return;
                }
                let _ = tokio::time::timeout(Duration::from_millis(50), changed).await;
            }
        });
        assert!(waited.await.is_ok(), "{what} did not happen in time");
    }
}

/// When a token ends, and how often it may still be used.
type TokenUse = (Option<SystemTime>, Option<u32>);

#[derive(Default)]
pub struct Memory {
    tokens: Mutex<HashMap<String, TokenUse>>,
    agents: Mutex<HashMap<String, AgentRecord>>,
    servers: Mutex<AgentServers>,
    gateways: Mutex<HashMap<String, GatewayRecord>>,
    /// Which gateway an agent, or a gateway, is assigned to.
    pub behind: Mutex<HashMap<String, String>>,
    /// What gateways said of their queues last.
    pub queues: Mutex<HashMap<String, GatewayQueue>>,
}

impl Memory {
    /// The servers of every agent from now on.
    pub fn tell(&self, servers: AgentServers) {
        *self.servers.lock().unwrap() = servers;
    }

    /// The serial number of the certificate that an agent has from the management group.
    pub fn serial_of(&self, agent_id: &str) -> Option<String> {
        self.agents.lock().unwrap().get(agent_id)?.certificate_serial.clone()
    }

    /// Approves the gateway with this name; gives its identity when it is there.
    pub fn approve_gateway(&self, name: &str) -> Option<String> {
        let mut gateways = self.gateways.lock().unwrap();
        let gateway = gateways.values_mut().find(|gateway| gateway.name == name)?;
        gateway.approved = true;
        Some(gateway.gateway_id.clone())
    }
}

#[async_trait]
impl Registry for Memory {
    async fn redeem_token(&self, hash: &str, now: SystemTime) -> Result<Redemption, RegistryError> {
        Ok(match self.tokens.lock().unwrap().get_mut(hash) {
            None => Redemption::Unknown,
            Some((Some(end), _)) if *end <= now => Redemption::Expired(*end),
            Some((_, Some(0))) => Redemption::UsedUp,
            Some((_, uses)) => {
                *uses = uses.map(|uses| uses - 1);
                Redemption::Accepted
            }
        })
    }
    async fn put_token(
        &self,
        hash: &str,
        _: &str,
        end: Option<SystemTime>,
        uses: Option<u32>,
    ) -> Result<(), RegistryError> {
        self.tokens.lock().unwrap().insert(hash.to_owned(), (end, uses));
        Ok(())
    }
    async fn agent(&self, agent_id: &str) -> Result<Option<AgentRecord>, RegistryError> {
        Ok(self.agents.lock().unwrap().get(agent_id).cloned())
    }
    async fn agents(&self) -> Result<Vec<AgentRecord>, RegistryError> {
        Ok(self.agents.lock().unwrap().values().cloned().collect())
    }
    async fn put_agent(&self, record: &AgentRecord) -> Result<(), RegistryError> {
        self.agents.lock().unwrap().insert(record.agent_id.clone(), record.clone());
        Ok(())
    }
    async fn set_status(&self, agent_id: &str, status: AgentStatus) -> Result<bool, RegistryError> {
        Ok(self.agents.lock().unwrap().get_mut(agent_id).map(|agent| agent.status = status).is_some())
    }
    async fn servers(&self, _: &str) -> Result<AgentServers, RegistryError> {
        Ok(self.servers.lock().unwrap().clone())
    }
    async fn gateway(&self, gateway_id: &str) -> Result<Option<GatewayRecord>, RegistryError> {
        Ok(self.gateways.lock().unwrap().get(gateway_id).cloned())
    }
    async fn put_gateway(&self, record: &GatewayRecord) -> Result<(), RegistryError> {
        self.gateways.lock().unwrap().insert(record.gateway_id.clone(), record.clone());
        Ok(())
    }
    async fn gateway_issued(&self, gateway_id: &str, serial: &str) -> Result<(), RegistryError> {
        self.gateways.lock().unwrap().get_mut(gateway_id).unwrap().certificate_serial = serial.to_owned();
        Ok(())
    }
    async fn gateway_queue(&self, queue: &GatewayQueue) -> Result<(), RegistryError> {
        self.queues.lock().unwrap().insert(queue.gateway_id.clone(), queue.clone());
        Ok(())
    }
    async fn gateway_of(&self, agent_id: &str) -> Result<Option<String>, RegistryError> {
        Ok(self.behind.lock().unwrap().get(agent_id).cloned())
    }
    async fn assign_gateway(&self, agent_id: &str, gateway_id: &str) -> Result<(), RegistryError> {
        self.behind.lock().unwrap().insert(agent_id.to_owned(), gateway_id.to_owned());
        Ok(())
    }
    async fn seen(&self, id: &str, _: &str, _: &str, _: &str, at: SystemTime) -> Result<(), RegistryError> {
        if let Some(agent) = self.agents.lock().unwrap().get_mut(id) {
            agent.last_seen = Some(at);
        }
        Ok(())
    }
}

pub async fn server(
    folder: &Path,
    sink: &Arc<Sink>,
    registry: &Arc<Memory>,
    approval: Approval,
    port: u16,
) -> ManagementServer {
    let options = Options { listen: ([127, 0, 0, 1], port).into(), approval, ..Options::default() };
    server_with(folder, sink, registry, options).await
}

pub async fn server_with(
    folder: &Path,
    sink: &Arc<Sink>,
    registry: &Arc<Memory>,
    options: Options,
) -> ManagementServer {
    let authority = Arc::new(Authority::open_or_create(folder, "MG1").unwrap());
    let options = Options { management_group: "MG1".to_owned(), ..options };
    ManagementServer::start(options, authority, sink.clone(), registry.clone()).await.unwrap()
}

pub fn config(data: &Path, server: &ManagementServer, token: &str) -> Config {
    let text = format!(
        "servers = ['{}']\ndata = '{}'\nca_fingerprint = '{}'\ntoken = '{token}'\ncomputer = 'box.example.com'",
        server.local_addr(),
        data.display(),
        server.fingerprint(),
    );
    Config::parse(&text, "test").unwrap()
}
