//! A management server over real TLS, and a client that says whatever a test wants it to say.
#![allow(clippy::unwrap_used, dead_code)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Status, Streaming};
use watchkeeper_management::{
    AUDIT_QUEUE, AgentIdentity, AgentRecord, AgentSink, AgentStatus, Approval, HEARTBEAT_QUEUE, ManagementServer,
    Options, Redemption, Registry, RegistryError, SinkError,
};
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::enrol_response::Outcome;
use watchkeeper_wire::proto::enrolment_client::EnrolmentClient;
use watchkeeper_wire::proto::from_agent::Message as Up;
use watchkeeper_wire::proto::to_agent::Message as Down;
use watchkeeper_wire::proto::{Ack, EnrolRequest, Envelope, FromAgent, Hello, Issued, Machine, ToAgent};
use watchkeeper_wire::{Authority, Batch, PinnedAuthority, Table, TableBuilder, Values, encode_rows, signing_request};

pub const DEADLINE: Duration = Duration::from_secs(60);

/// Keeps every batch that it is given, in order.
#[derive(Default)]
pub struct Sink(pub Mutex<Vec<(AgentIdentity, Batch)>>);

#[async_trait]
impl AgentSink for Sink {
    async fn accept(&self, agent: &AgentIdentity, batch: Batch) -> Result<(), SinkError> {
        if batch.tables.iter().any(|table| table.name == "Wrong") {
            return Err(SinkError::Refused { reason: "there is no table Wrong".to_owned() });
        }
        self.0.lock().unwrap().push((agent.clone(), batch));
        Ok(())
    }
}

/// The texts of a column.
pub fn texts(table: &Table, name: &str) -> Vec<String> {
    match table.columns.iter().find(|column| column.name == name).and_then(|column| column.values.clone()) {
        Some(Values::Strings(texts)) => texts.values,
        _ => Vec::new(),
    }
}

fn is_of(agent: &AgentIdentity, queue: &str) -> bool {
    let own = [HEARTBEAT_QUEUE, AUDIT_QUEUE].contains(&queue);
    if own { agent.queue.starts_with(&format!("{queue}/")) } else { agent.queue == queue }
}

impl Sink {
    /// The rows of `Audit` of an agent: action, result, reason.
    pub fn audit(&self, agent_id: &str) -> Vec<[String; 3]> {
        let kept = self.0.lock().unwrap();
        let rows = kept.iter().filter(|(agent, _)| agent.agent_id == agent_id && is_of(agent, AUDIT_QUEUE));
        rows.map(|(_, batch)| ["Action", "Result", "Reason"].map(|column| texts(&batch.tables[0], column).remove(0)))
            .collect()
    }

    /// What is stored of one of an agent's queues, or of one of the server's own.
    pub fn stored(&self, agent_id: &str, queue: &str) -> Vec<Batch> {
        let kept = self.0.lock().unwrap();
        let mine = kept.iter().filter(|(agent, _)| agent.agent_id == agent_id && is_of(agent, queue));
        mine.map(|(_, batch)| batch.clone()).collect()
    }

    /// Waits for heartbeats; the computers of the first batch with some.
    pub async fn beating(&self) -> Vec<String> {
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                if let Some(batch) = self.stored("", HEARTBEAT_QUEUE).first() {
                    return texts(&batch.tables[0], "Computer");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        waited.await.expect("no heartbeat was stored")
    }

    /// Waits for the one row of `Audit` with an action.
    pub async fn audited(&self, agent_id: &str, action: &str) -> [String; 3] {
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                if let Some(row) = self.audit(agent_id).into_iter().find(|row| row[0] == action) {
                    return row;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("no row of Audit says {action:?}: {:?}", self.audit(agent_id)))
    }
}

#[derive(Default)]
pub struct Memory {
    agents: Mutex<HashMap<String, AgentRecord>>,
}

impl Memory {
    /// What another server of the group does: this one is not told.
    pub fn set_behind(&self, agent_id: &str, status: AgentStatus) {
        self.agents.lock().unwrap().get_mut(agent_id).unwrap().status = status;
    }
}

#[async_trait]
impl Registry for Memory {
    async fn redeem_token(&self, _: &str, _: SystemTime) -> Result<Redemption, RegistryError> {
        Ok(Redemption::Accepted)
    }
    async fn put_token(&self, _: &str, _: &str, _: Option<SystemTime>, _: Option<u32>) -> Result<(), RegistryError> {
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
    async fn seen(&self, id: &str, computer: &str, _: &str, _: &str, _: SystemTime) -> Result<(), RegistryError> {
        if let Some(agent) = self.agents.lock().unwrap().get_mut(id) {
            computer.clone_into(&mut agent.computer);
        }
        Ok(())
    }
}

pub struct Group {
    _folder: tempfile::TempDir,
    pub server: ManagementServer,
    pub sink: Arc<Sink>,
    pub registry: Arc<Memory>,
}

impl Group {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Arc::new(Authority::open_or_create(folder.path(), "MG1").unwrap());
        let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            approval: Approval::Auto,
            heartbeat_interval: Duration::from_secs(1),
            ..Options::default()
        };
        let server = ManagementServer::start(options, authority, sink.clone(), registry.clone()).await.unwrap();
        Self { _folder: folder, server, sink, registry }
    }

    async fn channel(&self, identity: Option<(&str, &str)>) -> Channel {
        let mut tls = ClientTlsConfig::new();
        if let Some((certificate, key)) = identity {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        let authority = PinnedAuthority::from_pem(self.server.authority_pem()).unwrap();
        let endpoint = Endpoint::from_shared(format!("https://{}", self.server.local_addr())).unwrap();
        endpoint.tls_config_with_verifier(tls, Arc::new(authority)).unwrap().connect().await.unwrap()
    }

    /// Asks for a certificate for a key (a new one without).
    pub async fn enrol(&self, computer: &str, key: Option<&str>) -> Result<Agent, Status> {
        let (key, request) = signing_request(key).unwrap();
        let request = EnrolRequest {
            token: "t".to_owned(),
            signing_request: request,
            machine: Some(machine(computer)),
            ..EnrolRequest::default()
        };
        let answer = EnrolmentClient::new(self.channel(None).await).enrol(request).await?.into_inner();
        let Some(Outcome::Issued(Issued { agent_id, certificate_pem, .. })) = answer.outcome else {
            panic!("not issued")
        };
        Ok(Agent { id: agent_id, certificate: certificate_pem, key })
    }

    /// Opens a session and says hello.
    pub async fn session(&self, agent: &Agent, hello: Hello) -> Result<Session, Status> {
        let channel = self.channel(Some((&agent.certificate, &agent.key))).await;
        let (up, outgoing) = mpsc::channel(256);
        up.send(FromAgent { message: Some(Up::Hello(hello)) }).await.unwrap();
        let mut client = AgentClient::new(channel).max_encoding_message_size(64 << 20);
        let incoming = client.session(ReceiverStream::new(outgoing)).await?.into_inner();
        Ok(Session { up, incoming })
    }

    /// An enrolled agent with an open session.
    pub async fn join(&self, computer: &str) -> (Agent, Session) {
        let agent = self.enrol(computer, None).await.unwrap();
        let mut session = self.session(&agent, hello(computer)).await.unwrap();
        session.welcomed().await;
        (agent, session)
    }
}

pub struct Agent {
    pub id: String,
    pub certificate: String,
    pub key: String,
}

pub fn machine(computer: &str) -> Machine {
    Machine { computer: computer.to_owned(), agent_version: "1".to_owned(), ..Machine::default() }
}

pub fn hello(computer: &str) -> Hello {
    Hello {
        machine: Some(machine(computer)),
        queue_id: "bulk".to_owned(),
        urgent_queue_id: "urgent".to_owned(),
        ..Hello::default()
    }
}

/// A batch with one row of `T_CL`.
pub fn batch(sequence: u64, number: i64, time: i64) -> Envelope {
    let mut table = TableBuilder::new("T_CL");
    table.row().datetime("TimeGenerated", time).long("N", number);
    envelope(sequence, table.finish())
}

pub fn envelope(sequence: u64, table: Table) -> Envelope {
    let (compression, payload) = encode_rows(vec![table]).unwrap();
    Envelope { sequence, compression: compression.into(), payload, ..Envelope::default() }
}

pub struct Session {
    pub up: mpsc::Sender<FromAgent>,
    incoming: Streaming<ToAgent>,
}

impl Session {
    pub async fn say(&self, message: Up) {
        // the server may have ended the session already; what it said is read by the test
        let _ = self.up.send(FromAgent { message: Some(message) }).await;
    }

    async fn next(&mut self) -> Result<Down, Status> {
        let message = tokio::time::timeout(DEADLINE, self.incoming.message()).await.expect("the server says nothing");
        Ok(message?.expect("the server ended the session without a reason").message.unwrap())
    }

    pub async fn welcomed(&mut self) {
        while !matches!(self.next().await.unwrap(), Down::Welcome(_)) {}
    }

    /// The answer to a batch.
    pub async fn send(&mut self, envelope: Envelope) -> Ack {
        self.say(Up::Envelope(envelope)).await;
        loop {
            if let Down::Ack(ack) = self.next().await.unwrap() {
                return ack;
            }
        }
    }

    /// Why the session ended.
    pub async fn ended(&mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }
}
