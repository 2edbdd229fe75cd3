//! Agents that lie, flood, replay and break the protocol: each gets a clear answer and one row of `Audit`, and the agent
//! beside it notices nothing.
#![allow(clippy::unwrap_used)]

mod raw;

use std::time::{SystemTime, UNIX_EPOCH};

use raw::{Group, Session, batch, envelope, hello};
use tonic::Code;
use watchkeeper_management::AgentStatus;
use watchkeeper_wire::proto::from_agent::Message as Up;
use watchkeeper_wire::proto::{CommandResult, Envelope, FromAgent, Heartbeat, Hello};
use watchkeeper_wire::{MAX_MESSAGE_BYTES, TableBuilder, Values};

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// A batch of the good agent is stored at once.
async fn serves(group: &Group, good: &str, session: &mut Session, sequence: u64) {
    let ack = session.send(batch(sequence, 1, now())).await;
    assert_eq!((ack.sequence, ack.refused.as_str()), (sequence, ""));
    assert_eq!(group.sink.stored(good, "bulk").len() as u64, sequence);
    assert_eq!(group.sink.audit(good), [[""; 3]; 0]);
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_session_with_the_reason_and_costs_nobody_else_anything() {
    let group = Group::start().await;
    let (good, mut beside) = group.join("good.example.com").await;
    let wrong = |change: fn(&mut Envelope)| {
        let mut wrong = batch(1, 1, now());
        change(&mut wrong);
        vec![Some(Up::Envelope(wrong))]
    };
    let protocol = "agent breaks the protocol";
    let cases = [
        ("lane", wrong(|batch| batch.lane = 7), Code::InvalidArgument, "unknown lane 7", protocol),
        ("kind", wrong(|batch| batch.kind = 9), Code::InvalidArgument, "unknown kind of payload 9", protocol),
        ("pack", wrong(|batch| batch.compression = 5), Code::InvalidArgument, "unknown compression 5", protocol),
        ("message", vec![None], Code::InvalidArgument, "of a kind that this server does not know", protocol),
        ("hello", vec![Some(Up::Hello(hello("hello.x")))], Code::InvalidArgument, "this is the second", protocol),
        (
            "large",
            wrong(|batch| batch.payload = vec![0; MAX_MESSAGE_BYTES + 1]),
            Code::OutOfRange,
            "message",
            "agent sends an oversized message",
        ),
        (
            "heartbeats",
            vec![Some(Up::Heartbeat(Heartbeat::default())); 200],
            Code::ResourceExhausted,
            "too many heartbeats",
            "agent sends too much",
        ),
        (
            "results",
            vec![Some(Up::CommandResult(CommandResult::default())); 3000],
            Code::ResourceExhausted,
            "too many results",
            "agent sends too much",
        ),
    ];
    for (number, (name, messages, code, reason, action)) in cases.into_iter().enumerate() {
        let (agent, mut session) = group.join(&format!("{name}.x")).await;
        for message in messages {
            let _ = session.up.send(FromAgent { message }).await;
        }
        let status = session.ended().await;
        assert_eq!(status.code(), code, "{name}: {status:?}");
        assert!(status.message().contains(reason), "{name}: {status:?}");
        let row = group.sink.audited(&agent.id, action).await;
        assert_eq!(row[1..], ["Refused", status.message()], "{name}");
        assert_eq!(group.sink.audit(&agent.id).len(), 1, "{name}");
        assert!(group.sink.stored(&agent.id, "bulk").is_empty(), "{name}");
        serves(&group, &good.id, &mut beside, number as u64 + 1).await;
    }
    group.server.stop().await;
}

#[tokio::test]
async fn a_hello_that_cannot_be_is_refused() {
    let group = Group::start().await;
    let queues = |bulk: &str, urgent: &str| Hello {
        queue_id: bulk.to_owned(),
        urgent_queue_id: urgent.to_owned(),
        ..hello("q.x")
    };
    let cases = [
        (Hello { machine: None, ..hello("q.x") }, "describes the machine"),
        (hello(""), "0 characters"),
        (hello("a b"), "spaces"),
        (hello(&"a".repeat(300)), "300 characters"),
        (queues("", "u"), "1 to 255"),
        (queues("q", "q"), "both lanes"),
        (queues("heartbeat", "u"), "the server's own"),
        (queues("q", "audit"), "the server's own"),
    ];
    for (hello, reason) in cases {
        let agent = group.enrol("q.x", None).await.unwrap();
        let status = group.session(&agent, hello).await.unwrap().ended().await;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(reason), "{reason}: {status:?}");
        group.sink.audited(&agent.id, "agent breaks the protocol").await;
    }
    group.server.stop().await;
}

#[tokio::test]
async fn a_name_is_the_enrolled_one_until_the_agent_is_enrolled_again() {
    let group = Group::start().await;
    let agent = group.enrol("box.example.com", None).await.unwrap();
    // another machine's name
    let status = group.session(&agent, hello("db.example.com")).await.unwrap().ended().await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    let expected = "enrolled as \"box.example.com\" and calls itself \"db.example.com\"";
    assert!(status.message().contains(expected), "{status:?}");
    assert_eq!(group.sink.audited(&agent.id, "agent gives another name").await[1], "Refused");
    // its own without the domain: the enrolled one is used
    let short = group.enrol("short.example.com", None).await.unwrap();
    let mut session = group.session(&short, hello("SHORT")).await.unwrap();
    session.welcomed().await;
    session.say(Up::Heartbeat(Heartbeat::default())).await;
    session.send(batch(1, 1, now())).await;
    assert_eq!(group.sink.audited(&short.id, "agent gives another name").await[1], "Corrected");
    assert_eq!(group.sink.beating().await, ["short.example.com"]);
    // a token, which stands for an administrator, gives the same key another name
    let again = group.enrol("db.example.com", Some(&agent.key)).await.unwrap();
    assert_eq!(again.id, agent.id);
    let mut session = group.session(&again, hello("db.example.com")).await.unwrap();
    session.welcomed().await;
    group.server.stop().await;
}

#[tokio::test]
async fn a_batch_that_comes_again_is_acknowledged_and_other_contents_under_an_old_number_are_refused() {
    let group = Group::start().await;
    let (agent, mut session) = group.join("again.x").await;
    let time = now();
    for sequence in [1, 2, 5] {
        assert_eq!(session.send(batch(sequence, 1, time)).await.refused, "");
    }
    // over sessions too, as after a lost acknowledgement
    let mut session = group.session(&agent, hello("again.x")).await.unwrap();
    session.welcomed().await;
    let ack = session.send(batch(5, 1, time)).await;
    assert_eq!((ack.sequence, ack.refused.as_str()), (5, ""));
    assert_eq!(group.sink.stored(&agent.id, "bulk").len(), 3);
    for sequence in [5, 4, 1] {
        let ack = session.send(batch(sequence, 99, time)).await;
        assert_eq!(ack.sequence, sequence);
        assert!(ack.refused.contains(&format!("the number {sequence} is behind 5")), "{ack:?}");
    }
    assert_eq!(group.sink.stored(&agent.id, "bulk").len(), 3);
    let audit = group.sink.audit(&agent.id);
    assert_eq!(audit.iter().filter(|row| row[0] == "agent numbers batches again").count(), 1, "{audit:?}");
    assert_eq!(session.send(batch(6, 2, time)).await.refused, "");
    group.server.stop().await;
}

#[tokio::test]
async fn rows_from_the_future_get_the_time_of_the_server() {
    let group = Group::start().await;
    let (agent, mut session) = group.join("future.x").await;
    let (hour, started) = (3600 * 1_000_000, now());
    for (sequence, time) in [(1, started + hour), (2, started + 25 * hour), (3, i64::MAX)] {
        assert_eq!(session.send(batch(sequence, 1, time)).await.refused, "");
    }
    let times: Vec<i64> = group
        .sink
        .stored(&agent.id, "bulk")
        .iter()
        .map(|batch| match &batch.tables[0].columns[0].values {
            Some(Values::Datetimes(times)) => times.values[0],
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(times[0], started + hour);
    assert!(times[1..].iter().all(|time| (started..=now()).contains(time)), "{times:?}");
    let audit = group.sink.audit(&agent.id);
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0][..2], ["agent sends times in the future", "Corrected"]);
    group.server.stop().await;
}

#[tokio::test]
async fn batches_that_can_never_be_stored_are_answered_one_by_one_and_written_down_once() {
    let group = Group::start().await;
    let (agent, mut session) = group.join("refused.x").await;
    let mut table = TableBuilder::new("Wrong");
    table.row().long("N", 1);
    let unknown = envelope(1, table.finish());
    let damaged = Envelope { sequence: 2, payload: vec![0xff; 100], ..batch(2, 1, now()) };
    for (wrong, reason) in [(unknown, "no table Wrong"), (damaged, "cannot be read")] {
        let ack = session.send(wrong).await;
        assert!(ack.refused.contains(reason), "{ack:?}");
    }
    assert_eq!(session.send(batch(3, 1, now())).await.refused, "");
    let audit = group.sink.audit(&agent.id);
    assert_eq!(audit.len(), 1, "{audit:?}");
    assert_eq!(audit[0][..2], ["agent sends a batch that cannot be stored", "Refused"]);
    group.server.stop().await;
}

#[tokio::test]
async fn a_copied_identity_ends_the_older_session_and_is_written_down() {
    let group = Group::start().await;
    let (agent, mut first) = group.join("twin.x").await;
    let mut second = group.session(&agent, hello("twin.x")).await.unwrap();
    second.welcomed().await;
    let status = first.ended().await;
    assert_eq!(status.code(), Code::AlreadyExists);
    assert!(status.message().contains("copied to another machine"), "{status:?}");
    group.sink.audited(&agent.id, "agent opens a second session").await;
    assert_eq!(second.send(batch(1, 1, now())).await.refused, "");
    assert_eq!(group.server.connected().len(), 1);
    group.server.stop().await;
}

#[tokio::test]
async fn connecting_again_and_again_is_limited() {
    let group = Group::start().await;
    let agent = group.enrol("storm.x", None).await.unwrap();
    let mut refused = None;
    for _ in 0..500 {
        match group.session(&agent, hello("storm.x")).await {
            Ok(_) => {}
            Err(status) => {
                refused = Some(status);
                break;
            }
        }
    }
    let status = refused.expect("500 sessions of one agent were taken");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("too many sessions"), "{status:?}");
    group.sink.audited(&agent.id, "agent connects").await;
    group.join("other.x").await;
    group.server.stop().await;
}

#[tokio::test]
async fn a_revoked_agent_is_out_at_once_and_stays_out() {
    let group = Group::start().await;
    let (agent, mut session) = group.join("revoked.x").await;
    group.server.revoke(&agent.id).await.unwrap();
    let status = session.ended().await;
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("is revoked"), "{status:?}");
    group.sink.audited(&agent.id, "agent is no longer allowed").await;
    let status = group.session(&agent, hello("revoked.x")).await.map(|_| ()).unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    group.sink.audited(&agent.id, "agent connects").await;
    // revoked by another server of the group: out with the next look at all sessions
    let (agent, mut session) = group.join("elsewhere.x").await;
    let (_, mut stays) = group.join("stays.x").await;
    group.registry.set_behind(&agent.id, AgentStatus::Revoked);
    let status = session.ended().await;
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("is revoked"), "{status:?}");
    assert_eq!(stays.send(batch(1, 1, now())).await.sequence, 1);
    group.server.stop().await;
}
