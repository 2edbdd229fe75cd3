//! The real gateway between the real agent and the real management server, in one process, each at an address of its own.
#![allow(clippy::unwrap_used)]

#[path = "../../agent/tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{Memory, Sink, server};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};
use watchkeeper_agent::collect::{CollectError, Collected, Collector, Origin};
use watchkeeper_agent::enrol::{connect_enrolled, enrol};
use watchkeeper_agent::identity::{Identity, IdentityFiles};
use watchkeeper_agent::linux::machine;
use watchkeeper_agent::queue::{Class, Positions, Queue, QueueLimits};
use watchkeeper_agent::run::Agent;
use watchkeeper_gateway::{Config, Gateway};
use watchkeeper_management::{Approval, ManagementServer};
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::from_agent::Message as Up;
use watchkeeper_wire::proto::to_agent::Message as Down;
use watchkeeper_wire::proto::{Alert, FromAgent, Hello, OperationalItem, RenewRequest, operational_item};
use watchkeeper_wire::{SPEAKS_FOR, encode_operational, signing_request};

/// Counts up to a number, three a batch, from where the queue says it stood.
struct Counter {
    end: i64,
}

impl Collector for Counter {
    fn name(&self) -> &str {
        "counter"
    }
    fn class(&self) -> Class {
        Class::Event
    }
    fn interval(&self) -> Duration {
        Duration::from_millis(5)
    }
    fn collect(&mut self, _: i64, _: &Origin, positions: &Positions, out: &mut Collected) -> Result<(), CollectError> {
        let from = positions.get("n").map_or(0, |bytes| i64::from_le_bytes(bytes.try_into().unwrap()));
        let to = (from + 3).min(self.end);
        for number in from..to {
            out.table("T_CL").row().long("N", number);
        }
        if from < to {
            out.position("n", to.to_le_bytes().to_vec());
        }
        Ok(())
    }
}

struct RunningAgent(watch::Sender<bool>, JoinHandle<()>);

impl RunningAgent {
    fn start(config: &watchkeeper_agent::config::Config, end: i64) -> Self {
        let (stop, stopping) = watch::channel(false);
        let agent = Agent::open(config.clone()).unwrap();
        let agent = agent.without_system_collectors().with_collector(Box::new(Counter { end }));
        Self(stop, tokio::spawn(agent.run(stopping)))
    }

    async fn stop(self) {
        self.0.send(true).unwrap();
        self.1.await.unwrap();
    }
}

/// A gateway with a runtime of its own, so that it can be ended at any point of its work, as a kill does.
struct Running {
    gateway: Gateway,
    runtime: tokio::runtime::Runtime,
}

impl Running {
    async fn start(config: Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let gateway = runtime.spawn(Gateway::start(config)).await.unwrap().unwrap();
        Self { gateway, runtime }
    }

    /// Starts one that is not known yet, and lets it in.
    async fn enrolled(config: Config, registry: &Memory) -> Self {
        let name = config.names[0].clone();
        let approving = async {
            while registry.approve_gateway(&name).is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            running = Self::start(config) => running,
            () = approving => unreachable!(),
        }
    }

    async fn kill(self) {
        let Self { gateway, runtime } = self;
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(30))).await.unwrap();
        drop(gateway);
    }
}

async fn gateway_config(folder: &Path, host: &str, above: SocketAddr, server: &ManagementServer) -> Config {
    std::fs::create_dir_all(folder).unwrap();
    let token = server.create_token("gateway", None, Some(1)).await.unwrap();
    std::fs::write(folder.join("token"), token).unwrap();
    std::fs::write(folder.join("ca.pem"), server.authority_pem()).unwrap();
    Config {
        server: above.to_string(),
        failover: Vec::new(),
        names: vec![host.to_owned()],
        listen: format!("{host}:0").parse().unwrap(),
        data: folder.join("data"),
        ca_file: folder.join("ca.pem"),
        token_file: folder.join("token"),
        queue_megabytes: 100,
    }
}

async fn agent_config(data: &Path, at: SocketAddr, server: &ManagementServer) -> watchkeeper_agent::config::Config {
    let token = server.create_token("agent", None, Some(1)).await.unwrap();
    let text = format!(
        "servers = ['{at}']\ndata = '{}'\nca_fingerprint = '{}'\ntoken = '{token}'\ncomputer = 'box.example.com'",
        data.display(),
        server.fingerprint(),
    );
    watchkeeper_agent::config::Config::parse(&text, "test").unwrap()
}

fn put_alerts(data: &Path, count: usize) {
    let mut queue = Queue::open(&data.join("queue"), QueueLimits::with_max_bytes(1 << 26)).unwrap();
    for number in 0..count {
        let alert = Alert { name: format!("alert {number}"), ..Alert::default() };
        let item = OperationalItem { time: 1, item: Some(operational_item::Item::Alert(alert)) };
        let (compression, payload) = encode_operational(vec![item]).unwrap();
        queue.append_operational(Class::Alert, 1, compression.into(), payload).unwrap();
    }
}

/// Bytes that wait in a lane of a gateway.
fn waiting(data: &Path, lane: &str) -> u64 {
    let folders = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path());
    let queues = folders(data.join("queue")).filter(|path| path.is_dir()).flat_map(folders);
    queues.filter_map(|queue| Some(std::fs::metadata(queue.join(lane)).ok()?.len())).sum()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn assert_once(sink: &Sink, rows: i64, alerts: usize) {
    let kept = sink.inner.lock().unwrap();
    assert!(kept.numbers.keys().copied().eq(0..rows), "rows are missing");
    assert!(kept.numbers.values().all(|times| *times == 1), "rows came twice");
    let expected: Vec<String> = (0..alerts).map(|number| format!("alert {number}")).collect();
    assert!(kept.alerts.iter().map(|(name, _)| name).eq(&expected), "{:?}", kept.alerts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_once_while_the_server_is_away_and_the_gateway_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let authority = folder.path().join("mg");
    let first = server(&authority, &sink, &registry, Approval::Auto, 0).await;
    let above = first.local_addr();
    let mut config = gateway_config(&folder.path().join("g"), "127.0.0.2", above, &first).await;
    let gateway = Running::enrolled(config.clone(), &registry).await;
    config.listen = gateway.gateway.local_addr();
    let agent = agent_config(&folder.path().join("a"), config.listen, &first).await;
    let running = RunningAgent::start(&agent, 300_000);
    sink.wait("rows and a heartbeat through the gateway", |kept| kept.numbers.len() > 30 && kept.heartbeats > 0).await;
    assert_eq!(registry.behind.lock().unwrap().len(), 1);
    assert_eq!(first.connected()[0].address, None, "the address would be the gateway's");

    first.stop().await;
    let before = waiting(&config.data, "bulk");
    until("the gateway takes rows without a server", || waiting(&config.data, "bulk") > before + 2000).await;
    running.stop().await;
    let rows_before = sink.inner.lock().unwrap().numbers.len();
    put_alerts(&agent.data, 6);
    // a new session of the agent, while there is no server
    let running = RunningAgent::start(&agent, 300_000);
    until("the gateway takes alerts without a server", || waiting(&config.data, "urgent") > 0).await;
    let before = waiting(&config.data, "bulk");
    until("and rows after them", || waiting(&config.data, "bulk") > before).await;
    gateway.kill().await;
    running.stop().await;
    let gateway = Running::start(config.clone()).await;
    let second = server(&authority, &sink, &registry, Approval::Auto, above.port()).await;
    // the agent is away: this is what the gateway kept over its death
    sink.wait("alerts and rows that only the gateway had", |kept| {
        kept.alerts.len() == 6 && kept.numbers.len() > rows_before
    })
    .await;
    assert!(sink.inner.lock().unwrap().alerts.iter().all(|(_, rows)| *rows == rows_before), "alerts did not go first");
    until("the gateway's queue is empty", || waiting(&config.data, "bulk") + waiting(&config.data, "urgent") == 0)
        .await;
    let end = i64::try_from(sink.inner.lock().unwrap().numbers.len()).unwrap() + 300;
    let running = RunningAgent::start(&agent, end);
    sink.wait("the rest", |kept| kept.numbers.len() == usize::try_from(end).unwrap()).await;
    until("the agent is connected", || second.connected().len() == 1).await;
    running.stop().await;
    until("the agent is gone", || second.connected().is_empty()).await;
    gateway.kill().await;
    second.stop().await;
    assert_once(&sink, end, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_goes_to_its_other_server_and_back_to_its_primary() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let authority = folder.path().join("mg");
    let first = server(&authority, &sink, &registry, Approval::Auto, 0).await;
    let second = server(&authority, &sink, &registry, Approval::Auto, 0).await;
    let above = first.local_addr();
    let mut config = gateway_config(&folder.path().join("g"), "127.0.0.2", above, &first).await;
    config.failover = vec![above.to_string(), second.local_addr().to_string()];
    assert_eq!(config.servers().len(), 2, "a server that is named twice is one");
    let gateway = Running::enrolled(config.clone(), &registry).await;
    let agent = agent_config(&folder.path().join("a"), gateway.gateway.local_addr(), &first).await;
    let running = RunningAgent::start(&agent, 300_000);
    sink.wait("rows through the primary", |kept| kept.numbers.len() > 30).await;
    assert_eq!((first.connected().len(), second.connected().len()), (1, 0));

    first.stop().await;
    until("the agent is with the other server", || second.connected().len() == 1).await;
    let before = sink.inner.lock().unwrap().numbers.len();
    sink.wait("rows through the other server", |kept| kept.numbers.len() > before + 30).await;
    let again = server(&authority, &sink, &registry, Approval::Auto, above.port()).await;
    until("the agent is with the primary again", || again.connected().len() == 1).await;
    until("and with no other", || second.connected().is_empty()).await;
    let before = sink.inner.lock().unwrap().numbers.len();
    sink.wait("rows through the primary again", |kept| kept.numbers.len() > before + 30).await;
    running.stop().await;
    until("the gateway's queue is empty", || waiting(&config.data, "bulk") + waiting(&config.data, "urgent") == 0)
        .await;
    gateway.kill().await;
    again.stop().await;
    second.stop().await;
    let end = i64::try_from(sink.inner.lock().unwrap().numbers.len()).unwrap();
    assert_once(&sink, end, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_two_gateways_carries_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let server = server(&folder.path().join("mg"), &sink, &registry, Approval::Auto, 0).await;
    let mut outer = gateway_config(&folder.path().join("outer"), "127.0.0.2", server.local_addr(), &server).await;
    let near = Running::enrolled(outer.clone(), &registry).await;
    outer.listen = near.gateway.local_addr();
    let inner = gateway_config(&folder.path().join("inner"), "127.0.0.3", outer.listen, &server).await;
    let far = Running::enrolled(inner.clone(), &registry).await;
    let agent = agent_config(&folder.path().join("a"), far.gateway.local_addr(), &server).await;
    std::fs::create_dir_all(&agent.data).unwrap();
    put_alerts(&agent.data, 3);
    let running = RunningAgent::start(&agent, 300_000);
    sink.wait("rows through both", |kept| kept.numbers.len() > 30 && kept.alerts.len() == 3).await;
    {
        let behind = registry.behind.lock().unwrap();
        let agent_id = &server.connected()[0].agent_id;
        assert_eq!(behind[agent_id], far.gateway.gateway_id());
        assert_eq!(behind[far.gateway.gateway_id()], near.gateway.gateway_id());
    }
    // the server hears of the queue of the far one through the near one
    until("both queues are known", || {
        let queues = registry.queues.lock().unwrap();
        [near.gateway.gateway_id(), far.gateway.gateway_id()]
            .iter()
            .all(|id| queues.get(*id).is_some_and(|queue| queue.limit_bytes == 100 << 20 && queue.looked_at > 0))
    })
    .await;
    near.kill().await;
    let before = waiting(&inner.data, "bulk");
    until("the inner gateway takes rows alone", || waiting(&inner.data, "bulk") > before + 2000).await;
    let rows = sink.inner.lock().unwrap().numbers.len();
    let near = Running::start(outer).await;
    sink.wait("rows through both again", |kept| kept.numbers.len() > rows + 300).await;
    running.stop().await;
    until("the inner queue is empty", || waiting(&inner.data, "bulk") == 0).await;
    until("the server has no session", || server.connected().is_empty()).await;
    let rows = i64::try_from(sink.inner.lock().unwrap().numbers.len()).unwrap();
    far.kill().await;
    near.kill().await;
    server.stop().await;
    assert_once(&sink, rows, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_speaks_for_its_own_agents_only_and_gets_no_certificate_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let server = server(&folder.path().join("mg"), &sink, &registry, Approval::Auto, 0).await;
    let direct = server.local_addr();
    let config = gateway_config(&folder.path().join("g"), "127.0.0.2", direct, &server).await;
    let gateway = Running::enrolled(config.clone(), &registry).await;
    let through = gateway.gateway.local_addr();
    let agent = agent_config(&folder.path().join("a"), direct, &server).await;
    let files = IdentityFiles::new(&agent.data);
    enrol(&agent, &files, &direct.to_string(), machine::describe(None)).await.unwrap();
    let identity = files.load().unwrap().unwrap();
    let agent_id = identity.certificate.agent_id.clone();

    let refused = session(&agent, through, &identity, "q").await.unwrap_err();
    assert!(refused.message().contains("not assigned to gateway"), "{refused}");
    assert_eq!(waiting(&config.data, "bulk"), 0);
    session(&agent, direct, &identity, "q").await.unwrap();

    registry.behind.lock().unwrap().insert(agent_id.clone(), gateway.gateway.gateway_id().to_owned());
    session(&agent, through, &identity, "q").await.unwrap();
    // past its gateway it would overtake what the gateway has
    let refused = session(&agent, direct, &identity, "q").await.unwrap_err();
    assert!(refused.message().contains("comes through it only"), "{refused}");
    // an agent is no gateway
    for queue in ["", "../../etc", "a_b"] {
        let refused = session(&agent, through, &identity, queue).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
    }

    // with the gateway's own certificate and a key of its own
    let read = |name: &str| std::fs::read_to_string(config.data.join("identity").join(name)).unwrap();
    let own = Identity { key_pem: read("gateway.key"), certificate_pem: read("gateway.pem"), ..identity.clone() };
    let mut client = AgentClient::new(connect_enrolled(&agent, &direct.to_string(), &own).await.unwrap());
    let renew = |signing_request: Vec<u8>, of: &str| {
        let mut request = Request::new(RenewRequest { signing_request });
        request.metadata_mut().insert(SPEAKS_FOR, of.parse().unwrap());
        request
    };
    let refused = client.renew(renew(signing_request(None).unwrap().1, &agent_id)).await.unwrap_err();
    assert!(refused.message().contains("not of the key"), "{refused}");
    let genuine = files.request().unwrap();
    client.renew(renew(genuine.clone(), &agent_id)).await.unwrap();
    // and the agent itself, through the gateway
    let mut through_it = AgentClient::new(connect_enrolled(&agent, &through.to_string(), &identity).await.unwrap());
    through_it.renew(RenewRequest { signing_request: genuine.clone() }).await.unwrap();
    // an agent that speaks for another
    let refused = through_it.renew(renew(genuine, "another")).await.unwrap_err();
    assert!(refused.message().contains("not a gateway"), "{refused}");
    gateway.kill().await;
    server.stop().await;
}

/// Opens a session and waits for its welcome.
async fn session(
    config: &watchkeeper_agent::config::Config,
    at: SocketAddr,
    identity: &Identity,
    queue_id: &str,
) -> Result<(), Status> {
    let channel = connect_enrolled(config, &at.to_string(), identity).await.unwrap();
    let (up, outgoing) = tokio::sync::mpsc::channel(4);
    let hello = Hello { machine: Some(machine::describe(None)), queue_id: queue_id.to_owned(), ..Hello::default() };
    up.send(FromAgent { message: Some(Up::Hello(hello)) }).await.unwrap();
    let mut client = AgentClient::new(channel);
    let answered = tokio::time::timeout(common::DEADLINE, client.session(ReceiverStream::new(outgoing)));
    let mut down = answered.await.unwrap()?.into_inner();
    let first = tokio::time::timeout(common::DEADLINE, down.message()).await.unwrap()?;
    assert!(matches!(first.unwrap().message, Some(Down::Welcome(_))));
    Ok(())
}
