//! What an enrolled agent may do to the server: how much it may send, which numbers its batches may have, and what is
//! written down when it does something else. Kept by agent and not by session: to connect again changes nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use watchkeeper_wire::proto::{Envelope, Machine};
use watchkeeper_wire::{Batch, Table, TableBuilder, Values};

use crate::sink::{AUDIT_QUEUE, AgentIdentity, AgentSink, OwnQueue};

/// The same of the same agent is written down so often; in between it is counted.
const AUDIT_EVERY: Duration = Duration::from_secs(60);
/// Batches of one queue whose contents are remembered: more than can be on their way.
const REMEMBERED: usize = 64;
/// Queues of one agent whose numbers are remembered; a reinstalled agent has new ones.
const QUEUES: usize = 8;
/// `TimeGenerated` may be ahead of this server's clock so far, as in the other ways in; what is further becomes now.
const FURTHEST_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// The longest computer name (DNS allows 253) and queue name.
pub(crate) const MAX_NAME: usize = 255;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Session,
    Heartbeat,
    Batch,
    Answer,
}

impl Kind {
    /// So many at once, so many a second, and what they are called.
    fn limit(self) -> (f64, f64, &'static str) {
        match self {
            Self::Session => (60.0, 1.0, "sessions"),
            Self::Heartbeat => (60.0, 1.0, "heartbeats"),
            // an agent that was away sends what has gathered as fast as it is taken
            Self::Batch => (20_000.0, 2_000.0, "batches"),
            Self::Answer => (1_000.0, 20.0, "results of commands and configurations"),
        }
    }
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

#[derive(Default)]
struct Known {
    buckets: [Option<Bucket>; 4],
    audited: HashMap<&'static str, (Instant, u64)>,
    numbers: HashMap<String, Numbers>,
}

#[derive(Default)]
struct Numbers {
    highest: u64,
    digests: VecDeque<(u64, [u8; 32])>,
}

/// What became of a batch's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// It is the next one.
    New,
    /// The same batch was stored before.
    Again,
    /// A batch up to `highest` was stored before, and this one has other contents.
    Back {
        /// The highest number that was stored.
        highest: u64,
    },
}

/// Something that an agent should not have done.
pub(crate) struct Incident<'a> {
    pub agent_id: &'a str,
    pub computer: &'a str,
    pub action: &'static str,
    /// Refused, Corrected or Ended.
    pub result: &'static str,
    pub reason: &'a str,
}

/// Limits and memory of all agents.
pub(crate) struct Guard {
    agents: Mutex<HashMap<String, Known>>,
    audited: OwnQueue,
}

impl Default for Guard {
    fn default() -> Self {
        Self { agents: Mutex::default(), audited: OwnQueue::new(AUDIT_QUEUE) }
    }
}

impl Guard {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one of what an agent may send.
    pub fn take(&self, agent_id: &str, kind: Kind) -> Result<(), String> {
        let (burst, rate, name) = kind.limit();
        let now = Instant::now();
        let mut agents = self.lock();
        let known = agents.entry(agent_id.to_owned()).or_default();
        let bucket = known.buckets[kind as usize].get_or_insert(Bucket { tokens: burst, at: now });
        bucket.tokens = burst.min(bucket.tokens + now.duration_since(bucket.at).as_secs_f64() * rate);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err(format!(
                "the agent sends too many {name}: more than {burst} at once and {rate} a second are not taken"
            ));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Looks at the number of a batch before it is stored.
    pub fn number(&self, agent: &AgentIdentity, sequence: u64, digest: &[u8; 32]) -> Number {
        let agents = self.lock();
        let Some(numbers) = agents.get(&agent.agent_id).and_then(|known| known.numbers.get(&agent.queue)) else {
            return Number::New;
        };
        if numbers.digests.iter().any(|(number, known)| *number == sequence && known == digest) {
            Number::Again
        } else if sequence <= numbers.highest {
            Number::Back { highest: numbers.highest }
        } else {
            Number::New
        }
    }

    /// A batch was stored under its number.
    pub fn stored(&self, agent: &AgentIdentity, sequence: u64, digest: [u8; 32]) {
        let mut agents = self.lock();
        let known = agents.entry(agent.agent_id.clone()).or_default();
        if !known.numbers.contains_key(&agent.queue) && known.numbers.len() >= QUEUES {
            known.numbers.clear();
        }
        let numbers = known.numbers.entry(agent.queue.clone()).or_default();
        numbers.highest = numbers.highest.max(sequence);
        numbers.digests.push_back((sequence, digest));
        while numbers.digests.len() > REMEMBERED {
            numbers.digests.pop_front();
        }
    }

    /// Nothing is remembered of an agent that was removed.
    pub fn forget(&self, agent_id: &str) {
        self.lock().remove(agent_id);
    }

    /// Writes an incident to the log and as a row of `Audit`; the same of the same agent once a minute, with the count
    /// of those in between.
    pub async fn audit(&self, sink: &dyn AgentSink, incident: Incident<'_>) {
        let Incident { agent_id, computer, action, result, reason } = incident;
        let Some(before) = self.due(agent_id, action) else { return };
        tracing::warn!(agent_id, computer, action, result, reason, before, "an agent did what it should not");
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut table = TableBuilder::new("Audit");
        table
            .row()
            .datetime("TimeGenerated", i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
            .string("Caller", computer)
            .string("CallerType", "Agent")
            .string("Action", action)
            .string("Target", agent_id)
            .string("Result", result)
            .string("Reason", reason)
            .dynamic("Properties", &serde_json::json!({ "agentId": agent_id, "notWritten": before }).to_string());
        let identity =
            AgentIdentity { agent_id: agent_id.to_owned(), computer: computer.to_owned(), queue: self.audited.name() };
        let sequence = self.audited.next();
        if let Err(error) = sink.accept(&identity, Batch { sequence, tables: vec![table.finish()] }).await {
            tracing::warn!(agent_id, action, %error, "the row of Audit was not stored");
        }
    }

    /// How many were only counted since the last row; none: it is too early for the next.
    fn due(&self, agent_id: &str, action: &'static str) -> Option<u64> {
        let now = Instant::now();
        let mut agents = self.lock();
        let audited = &mut agents.entry(agent_id.to_owned()).or_default().audited;
        match audited.get_mut(action) {
            Some((at, counted)) if now.duration_since(*at) < AUDIT_EVERY => {
                *counted += 1;
                None
            }
            _ => Some(audited.insert(action, (now, 0)).map_or(0, |(_, counted)| counted)),
        }
    }
}

/// What a batch is known again by.
pub(crate) fn digest(envelope: &Envelope) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(&envelope.kind.to_le_bytes());
    context.update(&envelope.compression.to_le_bytes());
    context.update(&envelope.payload);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

/// How a computer's name stands to the one that the agent was enrolled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Same,
    /// The same host, with or without its domain: a machine whose name service does not answer yet.
    OtherDomain,
    Other,
}

/// Compares a name with the enrolled one, as DNS does: without regard to case.
pub(crate) fn compare_names(enrolled: &str, said: &str) -> Name {
    let host = |name: &str| name.split('.').next().unwrap_or_default().to_lowercase();
    let is_short = |name: &str| !name.contains('.');
    if enrolled.eq_ignore_ascii_case(said) {
        Name::Same
    } else if host(enrolled) == host(said) && (is_short(enrolled) || is_short(said)) {
        Name::OtherDomain
    } else {
        Name::Other
    }
}

/// Whether a machine's description can be kept.
pub(crate) fn check_machine(machine: &Machine) -> Result<(), String> {
    let length = machine.computer.len();
    if length == 0 || length > MAX_NAME {
        return Err(format!("the computer's name has {length} characters; 1 to {MAX_NAME} are allowed"));
    }
    if machine.computer.chars().any(|character| character.is_control() || character.is_whitespace()) {
        return Err("the computer's name has spaces or control characters in it".to_owned());
    }
    Ok(())
}

/// Sets `TimeGenerated` that is further ahead than a day to now; gives how many rows that were.
pub(crate) fn correct_times(tables: &mut [Table], now: SystemTime) -> u64 {
    let micros = |at: SystemTime| {
        i64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
    };
    let (limit, now) = (micros(now + FURTHEST_AHEAD), micros(now));
    let mut corrected = 0;
    for column in tables.iter_mut().flat_map(|table| &mut table.columns) {
        if let ("TimeGenerated", Some(Values::Datetimes(times))) = (column.name.as_str(), &mut column.values) {
            for time in times.values.iter_mut().filter(|time| **time > limit) {
                *time = now;
                corrected += 1;
            }
        }
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(queue: &str) -> AgentIdentity {
        AgentIdentity { agent_id: "a".into(), computer: "box".into(), queue: queue.into() }
    }

    #[test]
    fn a_bucket_is_the_agents_own() {
        let guard = Guard::default();
        let taken = (0..1000).take_while(|_| guard.take("a", Kind::Heartbeat).is_ok()).count();
        assert!((60..100).contains(&taken), "{taken}");
        assert!(guard.take("a", Kind::Heartbeat).unwrap_err().contains("too many heartbeats"));
        assert!(guard.take("b", Kind::Heartbeat).is_ok() && guard.take("a", Kind::Batch).is_ok());
    }

    #[test]
    fn numbers_are_known_again_by_their_contents() {
        let guard = Guard::default();
        guard.stored(&agent("q"), 5, [1; 32]);
        assert_eq!(guard.number(&agent("q"), 5, &[1; 32]), Number::Again);
        assert_eq!(guard.number(&agent("q"), 5, &[2; 32]), Number::Back { highest: 5 });
        assert_eq!(guard.number(&agent("q"), 3, &[2; 32]), Number::Back { highest: 5 });
        assert_eq!(guard.number(&agent("q"), 9, &[1; 32]), Number::New);
        assert_eq!(guard.number(&agent("other"), 3, &[2; 32]), Number::New);
    }

    #[test]
    fn a_name_is_the_enrolled_one_with_or_without_its_domain() {
        let cases = [
            ("box.example.com", "BOX.example.com", Name::Same),
            ("box.example.com", "box", Name::OtherDomain),
            ("box", "box.example.com", Name::OtherDomain),
            ("box.example.com", "box.elsewhere.org", Name::Other),
            ("box.example.com", "db.example.com", Name::Other),
        ];
        for (enrolled, said, expected) in cases {
            assert_eq!(compare_names(enrolled, said), expected, "{enrolled} {said}");
        }
    }
}
