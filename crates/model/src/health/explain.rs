//! Why something has its state: the way down to the unit monitors.

use super::{Health, Key, Kind, MemberRule};
use crate::workflow::HealthState;

/// The deepest way down.
const MAX_DEPTH: usize = 64;

/// A node with what made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What.
    pub key: Key,
    /// Its state.
    pub state: HealthState,
    /// As what it counts for the one above.
    pub counts_as: HealthState,
    /// Since when, microseconds since 1970.
    pub since: i64,
    /// Why it counts so.
    pub why: Why,
    /// The members that give the state, the longest in it first.
    pub members: Vec<Explanation>,
    /// How many more there are than listed.
    pub more: usize,
}

/// Why a node counts as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// By its own state.
    State,
    /// Its object is in maintenance.
    Maintenance,
    /// Its object is out of contact.
    OutOfContact,
}

impl Health {
    /// Why a monitor has its state; of each roll-up at most so many members. `None`: there is no such monitor.
    #[must_use]
    pub fn explain(&self, key: Key, most: usize) -> Option<Explanation> {
        let (state, _) = self.state(key)?;
        self.explain_as(key, state, Why::State, most, 0)
    }

    fn explain_as(&self, key: Key, counts_as: HealthState, why: Why, most: usize, depth: usize) -> Option<Explanation> {
        let node = self.nodes.get(&key)?;
        let mut explanation =
            Explanation { key, state: node.state, counts_as, since: node.since, why, members: Vec::new(), more: 0 };
        if why != Why::State || depth > MAX_DEPTH || node.state == HealthState::Uninitialized {
            return Some(explanation);
        }
        let giving = node.members.iter().filter(|(_, counted)| **counted == Some(node.state));
        let mut giving: Vec<Key> = giving.map(|(member, _)| *member).collect();
        giving.sort_by_key(|member| (self.state(*member).map(|(_, since)| since), *member));
        explanation.more = giving.len().saturating_sub(most);
        giving.truncate(most);
        for member in giving {
            let why = self.why(key, member);
            explanation.members.extend(self.explain_as(member, node.state, why, most, depth + 1));
        }
        Some(explanation)
    }

    fn why(&self, of: Key, member: Key) -> Why {
        let overlay = self.overlay(member.object);
        let Some(Kind::Rollup { in_maintenance, unavailable, .. }) = self.nodes.get(&of).map(|node| node.kind) else {
            return Why::State;
        };
        if of.object == member.object {
            return Why::State;
        }
        match (overlay.maintenance, overlay.out_of_contact) {
            (true, _) if matches!(in_maintenance, MemberRule::As(_)) => Why::Maintenance,
            (false, true) if matches!(unavailable, MemberRule::As(_)) => Why::OutOfContact,
            _ => Why::State,
        }
    }
}
