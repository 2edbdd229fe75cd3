//! Which agents are overdue (management group specification 1.7, 1.8). Pure: time is passed in, in milliseconds of a
//! clock that never goes back. Deadlines are ordered, so a pass costs what has expired and not what is watched.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How agents are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatSettings {
    /// How often a heartbeat is due.
    pub interval: Duration,
    /// Missed heartbeats that are allowed; the next one is the failure.
    pub allowed_misses: u32,
}

impl Default for HeartbeatSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(60), allowed_misses: 3 }
    }
}

impl HeartbeatSettings {
    /// From the last heartbeat to the failure.
    fn patience(&self) -> u64 {
        let patience = self.interval.saturating_mul(self.allowed_misses.saturating_add(1));
        u64::try_from(patience.as_millis()).unwrap_or(u64::MAX / 4)
    }
}

/// What a pass or heartbeat found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The agent has missed one heartbeat too many.
    Lost(String),
    /// The agent is heard of again.
    Found(String),
}

#[derive(Debug)]
struct Watched {
    deadline: u64,
    own: Option<HeartbeatSettings>,
    lost: bool,
}

/// Watches agents.
#[derive(Debug)]
pub struct Deadlines {
    settings: HeartbeatSettings,
    agents: HashMap<String, Watched>,
    /// Of agents that are not lost.
    ordered: BTreeSet<(u64, String)>,
    /// When this server last looked; a gap means that it, not its agents, was away.
    looked: u64,
    /// The longest time between two looks that is no gap.
    tolerance: u64,
}

impl Deadlines {
    /// Watches nothing yet. A server that looks less often than `tolerance` was itself away: agents then get their
    /// whole time again, so that a stalled server raises no storm.
    #[must_use]
    pub fn new(settings: HeartbeatSettings, tolerance: Duration, now: u64) -> Self {
        let tolerance = u64::try_from(tolerance.as_millis()).unwrap_or(u64::MAX);
        Self { settings, agents: HashMap::new(), ordered: BTreeSet::new(), looked: now, tolerance }
    }

    /// Watches an agent from now on, with settings of its own or the general ones; it has its whole time. `lost`: it
    /// was lost before this server began.
    pub fn watch(&mut self, agent: &str, own: Option<HeartbeatSettings>, lost: bool, now: u64) {
        self.forget(agent);
        let deadline = now.saturating_add(own.unwrap_or(self.settings).patience());
        if !lost {
            self.ordered.insert((deadline, agent.to_owned()));
        }
        self.agents.insert(agent.to_owned(), Watched { deadline, own, lost });
    }

    /// Watches an agent no more.
    pub fn forget(&mut self, agent: &str) {
        if let Some(watched) = self.agents.remove(agent) {
            self.ordered.remove(&(watched.deadline, agent.to_owned()));
        }
    }

    /// A heartbeat came; one of an agent that is not watched counts for nothing.
    pub fn heartbeat(&mut self, agent: &str, now: u64) -> Option<Turn> {
        let watched = self.agents.get_mut(agent)?;
        let key = (watched.deadline, agent.to_owned());
        self.ordered.remove(&key);
        watched.deadline = now.saturating_add(watched.own.unwrap_or(self.settings).patience());
        self.ordered.insert((watched.deadline, key.1));
        std::mem::take(&mut watched.lost).then(|| Turn::Found(agent.to_owned()))
    }

    /// New general settings; agents have their whole time under them.
    pub fn set(&mut self, settings: HeartbeatSettings, now: u64) {
        self.settings = settings;
        self.begin_anew(now);
    }

    /// Settings of one agent, or the general ones again; it has its whole time under them.
    pub fn set_own(&mut self, agent: &str, own: Option<HeartbeatSettings>, now: u64) {
        let Some(watched) = self.agents.get_mut(agent).filter(|watched| watched.own != own) else { return };
        let before = (watched.deadline, agent.to_owned());
        watched.own = own;
        watched.deadline = now.saturating_add(own.unwrap_or(self.settings).patience());
        if self.ordered.remove(&before) {
            self.ordered.insert((watched.deadline, before.1));
        }
    }

    /// Looks at the time: who is lost now. After a gap in this server's own time nobody is.
    pub fn look(&mut self, now: u64) -> Vec<Turn> {
        let gap = now.saturating_sub(self.looked) > self.tolerance;
        self.looked = now;
        if gap {
            self.begin_anew(now);
            return Vec::new();
        }
        let mut lost = Vec::new();
        while let Some((deadline, _)) = self.ordered.first()
            && *deadline <= now
        {
            let Some((_, agent)) = self.ordered.pop_first() else { break };
            if let Some(watched) = self.agents.get_mut(&agent) {
                watched.lost = true;
            }
            lost.push(Turn::Lost(agent));
        }
        lost
    }

    /// How many agents are watched, and how many of them are lost.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        (self.agents.len(), self.agents.len() - self.ordered.len())
    }

    fn begin_anew(&mut self, now: u64) {
        self.ordered.clear();
        for (agent, watched) in &mut self.agents {
            watched.deadline = now.saturating_add(watched.own.unwrap_or(self.settings).patience());
            if !watched.lost {
                self.ordered.insert((watched.deadline, agent.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn deadlines() -> Deadlines {
        Deadlines::new(HeartbeatSettings::default(), Duration::from_secs(30), 0)
    }

    /// Looks every ten seconds, as a server does.
    fn pass(deadlines: &mut Deadlines, from: u64, to: u64) -> Vec<(u64, Turn)> {
        let mut turns = Vec::new();
        let mut now = from;
        while now <= to {
            turns.extend(deadlines.look(now).into_iter().map(|turn| (now, turn)));
            now += 10_000;
        }
        turns
    }

    #[test]
    fn an_agent_with_settings_of_its_own_is_lost_by_these_and_by_the_general_ones_afterwards() {
        let mut deadlines = deadlines();
        deadlines.watch("own", None, false, 0);
        deadlines.watch("other", None, false, 0);
        let own = HeartbeatSettings { interval: Duration::from_secs(5), allowed_misses: 1 };
        deadlines.set_own("own", Some(own), 1_000);
        assert!(deadlines.look(10_999).is_empty());
        assert_eq!(deadlines.look(11_000), [Turn::Lost("own".into())]);
        assert_eq!(deadlines.heartbeat("own", 12_000), Some(Turn::Found("own".into())));
        deadlines.set_own("own", None, 12_000);
        assert!(deadlines.look(30_000).is_empty());
    }

    #[test]
    fn the_fourth_missed_heartbeat_is_the_failure_and_the_next_one_ends_it() {
        let mut deadlines = deadlines();
        deadlines.watch("a", None, false, 0);
        deadlines.watch(
            "quick",
            Some(HeartbeatSettings { interval: Duration::from_secs(10), allowed_misses: 1 }),
            false,
            0,
        );
        let turns = pass(&mut deadlines, 0, 6 * MINUTE);
        let lost = |agent: &str| Turn::Lost(agent.to_owned());
        assert_eq!(turns, [(20_000, lost("quick")), (4 * MINUTE, lost("a"))]);
        assert_eq!(deadlines.count(), (2, 2));
        assert_eq!(deadlines.heartbeat("a", 7 * MINUTE), Some(Turn::Found("a".into())));
        assert_eq!(deadlines.heartbeat("a", 8 * MINUTE), None);
        assert_eq!(deadlines.heartbeat("stranger", 8 * MINUTE), None);
        deadlines.forget("quick");
        assert_eq!(deadlines.count(), (1, 0));
    }

    #[test]
    fn a_server_that_was_away_blames_nobody() {
        let mut deadlines = deadlines();
        for number in 0..50_000 {
            deadlines.watch(&number.to_string(), None, false, 0);
        }
        deadlines.watch("lost", None, true, 0);
        assert_eq!(pass(&mut deadlines, 0, MINUTE), []);
        let back = 60 * MINUTE;
        // the first look after an hour, then the whole time for everybody
        assert_eq!(pass(&mut deadlines, back, back + 4 * MINUTE - 10_000), []);
        for number in 1..50_000 {
            deadlines.heartbeat(&number.to_string(), back + 3 * MINUTE);
        }
        let turns = pass(&mut deadlines, back + 4 * MINUTE, back + 4 * MINUTE);
        assert_eq!(turns, [(back + 4 * MINUTE, Turn::Lost("0".into()))]);
        assert_eq!(deadlines.heartbeat("lost", back + 4 * MINUTE), Some(Turn::Found("lost".into())));
    }

    #[test]
    fn a_pass_over_agents_that_are_well_costs_nothing() {
        let mut deadlines = deadlines();
        for number in 0..50_000 {
            deadlines.watch(&number.to_string(), None, false, 0);
        }
        let begun = std::time::Instant::now();
        for now in 0..10_000 {
            assert!(deadlines.look(now).is_empty());
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}
