//! The real agent against the real management server, in one process.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{DEADLINE, Memory, Sink, config, server, server_with};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use watchkeeper_agent::collect::{CollectError, Collected, Collector, Origin};
use watchkeeper_agent::config::Config;
use watchkeeper_agent::enrol::{JoinError, enrol};
use watchkeeper_agent::identity::IdentityFiles;
use watchkeeper_agent::linux::machine;
use watchkeeper_agent::queue::{Class, Positions};
use watchkeeper_agent::run::Agent;
use watchkeeper_management::{AgentServers, Approval, Options, SinkError};
use watchkeeper_wire::CertificateKey;
use watchkeeper_wire::proto::{RenewCertificate, command};

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
        if from == to {
            return Ok(());
        }
        for number in from..to {
            out.table("T_CL").row().long("N", number);
        }
        out.position("n", to.to_le_bytes().to_vec());
        Ok(())
    }
}

fn start(config: Config, end: i64) -> (watch::Sender<bool>, JoinHandle<()>) {
    let (stop, stopping) = watch::channel(false);
    let agent = Agent::open(config).unwrap().without_system_collectors().with_collector(Box::new(Counter { end }));
    (stop, tokio::spawn(agent.run(stopping)))
}

#[tokio::test]
async fn an_agent_enrols_and_its_heartbeats_and_rows_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let server = server(&folder.path().join("mg"), &sink, &registry, Approval::Auto, 0).await;
    let token = server.create_token("test", None, Some(1)).await.unwrap();
    let (stop, running) = start(config(&folder.path().join("a"), &server, &token), 30);
    sink.wait("thirty rows and a heartbeat", |kept| kept.numbers.len() == 30 && kept.heartbeats > 0).await;
    assert!(sink.inner.lock().unwrap().computers.contains("box.example.com"));
    assert_eq!(server.connected().len(), 1);
    stop.send(true).unwrap();
    running.await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn every_row_arrives_once_through_lost_answers_back_pressure_and_restarts_of_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let authority = folder.path().join("mg");
    let first = server(&authority, &sink, &registry, Approval::Auto, 0).await;
    let port = first.local_addr().port();
    let token = first.create_token("test", None, None).await.unwrap();
    let config = config(&folder.path().join("a"), &first, &token);
    {
        let mut kept = sink.inner.lock().unwrap();
        kept.lose_answers = 3;
        kept.refusals = vec![
            SinkError::BackPressure { retry_after: Duration::from_millis(10) },
            SinkError::BackPressure { retry_after: Duration::from_millis(1) },
        ];
    }
    let (stop, running) = start(config.clone(), 600);
    sink.wait("the first rows", |kept| kept.numbers.len() > 30).await;
    // the server goes away while rows are made, and comes back
    first.stop().await;
    let second = server(&authority, &sink, &registry, Approval::Auto, port).await;
    let before = sink.inner.lock().unwrap().numbers.len();
    sink.wait("rows after the server's restart", |kept| kept.numbers.len() > before).await;
    // the agent is ended at any point of its work, as a kill does, and begins again from its disk
    running.abort();
    let _ = running.await;
    drop(stop);
    let (stop, running) = start(config, 600);
    sink.wait("all rows", |kept| kept.numbers.len() == 600).await;
    stop.send(true).unwrap();
    running.await.unwrap();
    second.stop().await;
    let kept = sink.inner.lock().unwrap();
    assert!(kept.numbers.keys().copied().eq(0..600));
    assert!(kept.numbers.values().all(|times| *times == 1));
    assert!(kept.duplicates > 0, "no batch came twice: the test did not test");
}

#[tokio::test]
async fn enrolment_fails_with_a_reason_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let server = server(&folder.path().join("mg"), &sink, &registry, Approval::Auto, 0).await;
    let expired = server.create_token("old", Some(Duration::ZERO), None).await.unwrap();
    let used = server.create_token("none left", None, Some(0)).await.unwrap();
    let address = server.local_addr().to_string();
    for (name, token, part) in
        [("wrong", "wke_wrong", "not known"), ("expired", &expired, "expired"), ("used", &used, "as often as it may")]
    {
        let config = config(&folder.path().join(name), &server, token);
        let files = IdentityFiles::new(&config.data);
        let error = enrol(&config, &files, &address, machine::describe(None)).await.unwrap_err();
        assert!(matches!(error, JoinError::Refused { final_answer: true, .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.to_string().contains(token), "{error}");
    }
    let mut stranger = config(&folder.path().join("stranger"), &server, "wke_any");
    stranger.ca_fingerprint = Some("00".repeat(32));
    let files = IdentityFiles::new(&stranger.data);
    let error = enrol(&stranger, &files, &address, machine::describe(None)).await.unwrap_err().to_string();
    assert!(error.contains("fingerprint"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn a_pending_agent_joins_when_it_is_approved_and_a_revoked_one_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let server = server(&folder.path().join("mg"), &sink, &registry, Approval::Pending, 0).await;
    let token = server.create_token("test", None, Some(1)).await.unwrap();
    let config = config(&folder.path().join("a"), &server, &token);
    let files = IdentityFiles::new(&config.data);
    let address = server.local_addr().to_string();
    // approved under the name that it has later
    enrol(&config, &files, &address, machine::describe(config.computer.as_deref())).await.unwrap();
    assert!(files.load().unwrap().is_none());
    let agent_id = server.agents().await.unwrap()[0].agent_id.clone();
    server.approve(&agent_id).await.unwrap();

    let (stop, running) = start(config, 3);
    sink.wait("a heartbeat", |kept| kept.heartbeats > 0).await;
    server.revoke(&agent_id).await.unwrap();
    let gone = tokio::time::timeout(common::DEADLINE, async {
        while !server.connected().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    gone.await.unwrap();
    stop.send(true).unwrap();
    running.await.unwrap();

    let identity = files.load().unwrap().unwrap();
    let channel = watchkeeper_agent::enrol::connect_enrolled(
        &common::config(&folder.path().join("a"), &server, &token),
        &address,
        &identity,
    )
    .await
    .unwrap();
    let error = watchkeeper_agent::enrol::renew(channel, &files, &address).await.unwrap_err().to_string();
    assert!(error.contains("revoked"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn an_agent_moves_when_its_primary_dies_and_returns_when_it_is_back_and_every_row_arrives_once() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    let authority = folder.path().join("mg");
    let primary = server(&authority, &sink, &registry, Approval::Auto, 0).await;
    let other = server(&authority, &sink, &registry, Approval::Auto, 0).await;
    let (first, second) = (primary.local_addr(), other.local_addr());
    let token = primary.create_token("test", None, None).await.unwrap();
    // the agent's file names its primary only; the rest it is told
    let config = config(&folder.path().join("a"), &primary, &token);
    registry.tell(AgentServers { primary: String::new(), failover: vec![first.to_string(), second.to_string()] });
    let end = 1_000_000;
    let (stop, running) = start(config, end);
    sink.wait("the first rows", |kept| kept.numbers.len() > 30).await;
    primary.stop().await;
    until("the agent is with the other server", || other.connected().len() == 1).await;
    let before = sink.inner.lock().unwrap().numbers.len();
    sink.wait("rows through the other server", |kept| kept.numbers.len() > before + 30).await;
    let primary = server(&authority, &sink, &registry, Approval::Auto, first.port()).await;
    until("the agent is back", || primary.connected().len() == 1).await;
    let before = sink.inner.lock().unwrap().numbers.len();
    sink.wait("rows through the primary", |kept| kept.numbers.len() > before + 30).await;
    // an administrator gives it another primary while it is connected
    registry.tell(AgentServers { primary: second.to_string(), failover: vec![first.to_string()] });
    primary.servers_changed();
    until("the agent is with its new primary", || other.connected().len() == 1).await;
    stop.send(true).unwrap();
    running.await.unwrap();
    for server in [primary, other] {
        server.stop().await;
    }
    let kept = sink.inner.lock().unwrap();
    let count = i64::try_from(kept.numbers.len()).unwrap();
    assert!(count < end && kept.numbers.keys().copied().eq(0..count), "rows are missing");
    assert!(kept.numbers.values().all(|times| *times == 1), "rows came twice");
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The certificate that the agent has on its disk.
fn kept_certificate(data: &std::path::Path) -> CertificateKey {
    IdentityFiles::new(data).load().unwrap().unwrap().certificate.key
}

async fn another_certificate(data: &std::path::Path, before: &CertificateKey) -> CertificateKey {
    let waited = tokio::time::timeout(DEADLINE, async {
        loop {
            let now = kept_certificate(data);
            if now != *before {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.expect("the certificate was not renewed")
}

#[tokio::test]
async fn a_certificate_is_renewed_when_its_time_comes_or_the_server_asks_and_every_row_arrives_once() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, registry) = (Arc::new(Sink::default()), Arc::new(Memory::default()));
    // certificates are valid from an hour before, and renewed at two thirds: after four seconds here
    let certificate_validity = Duration::from_secs(1806);
    let listen = ([127, 0, 0, 1], 0).into();
    let options = Options { listen, approval: Approval::Auto, certificate_validity, ..Options::default() };
    let server = server_with(&folder.path().join("mg"), &sink, &registry, options).await;
    let token = server.create_token("test", None, Some(1)).await.unwrap();
    let data = folder.path().join("a");
    let (stop, running) = start(config(&data, &server, &token), 6000);
    sink.wait("the first rows", |kept| kept.numbers.len() > 30).await;
    let agent = server.connected().remove(0);
    let first = kept_certificate(&data);
    server.send(&agent.agent_id, command::Command::RenewCertificate(RenewCertificate {})).await.unwrap();
    let asked = another_certificate(&data, &first).await;
    let due = another_certificate(&data, &asked).await;
    let before = sink.inner.lock().unwrap().numbers.len();
    sink.wait("rows after two renewals", |kept| kept.numbers.len() > before + 30).await;
    assert_eq!(server.connected().remove(0).agent_id, agent.agent_id, "it is the same agent");
    assert_eq!(registry.serial_of(&agent.agent_id), Some(due.serial));
    sink.wait("all rows", |kept| kept.numbers.len() == 6000).await;
    stop.send(true).unwrap();
    running.await.unwrap();
    server.stop().await;
    assert!(sink.inner.lock().unwrap().numbers.values().all(|times| *times == 1));
}
