//! Health (specification 5): the states of monitors on objects and how they roll up. Incremental: every roll-up keeps
//! how many of its members are in which state, so a change costs what lies above it, not the number of members.
//!
//! - Members that are uninitialized do not count; a roll-up without members that count is uninitialized.
//! - A member in maintenance or out of contact is left out, unless the dependency monitor says as what it counts.
//! - In maintenance an object's unit monitors keep their states; its roll-ups go on, marked as suppressed.
//! - A roll-up that would contain itself is refused, and tried again when what stood against it went.

mod explain;
mod structure;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};

pub use explain::{Explanation, Why};
pub use structure::{MonitorKind, Monitors, RollupMonitor, Settings};

use crate::ids::{ElementId, ObjectId};
use crate::workflow::HealthState;

/// A monitor on an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The object.
    pub object: ObjectId,
    /// The monitor.
    pub monitor: ElementId,
}

/// How members give a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The worst of all.
    WorstOf,
    /// The best of all.
    BestOf,
    /// The worst among the best so many percent (at least one member).
    Percentage(u8),
}

/// As what a member with an overlay counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MemberRule {
    /// Not at all; so where a dependency monitor says nothing.
    #[default]
    Ignore,
    /// With this state.
    As(HealthState),
}

/// How a node gets its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is told.
    Unit,
    /// From its members.
    Rollup {
        /// How.
        algorithm: Algorithm,
        /// Members whose object is in maintenance.
        in_maintenance: MemberRule,
        /// Members whose object is out of contact.
        unavailable: MemberRule,
    },
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateChange {
    /// Of what.
    pub key: Key,
    /// From.
    pub before: HealthState,
    /// To.
    pub after: HealthState,
    /// Microseconds since 1970.
    pub time: i64,
    /// The member whose change led to it; `None`: it was told, or its members or overlays changed.
    pub cause: Option<Key>,
    /// Its object is in maintenance: no alert.
    pub suppressed: bool,
}

/// What is laid over the states of an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overlay {
    /// In maintenance.
    pub maintenance: bool,
    /// No heartbeats come.
    pub out_of_contact: bool,
}

#[derive(Debug, Clone)]
struct Node {
    kind: Kind,
    state: HealthState,
    since: i64,
    /// Each member with what it counts as; `None`: it does not count.
    members: HashMap<Key, Option<HealthState>>,
    /// How many members count as Success, Warning, Error.
    counts: [u32; 3],
    above: BTreeSet<Key>,
    /// Larger than that of every member.
    height: u32,
}

/// A roll-up that would contain itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the monitor {} of object {} would roll up into itself by {} of {}", of.monitor, of.object, member.monitor, member.object)]
pub struct Cycle {
    /// The roll-up.
    pub of: Key,
    /// The member that was refused.
    pub member: Key,
}

/// The states of all monitors on all objects.
#[derive(Debug, Clone, Default)]
pub struct Health {
    nodes: HashMap<Key, Node>,
    of_object: HashMap<ObjectId, BTreeSet<ElementId>>,
    overlays: HashMap<ObjectId, Overlay>,
    refused: BTreeSet<(Key, Key)>,
    visits: u64,
}

impl Health {
    /// How many nodes were looked at since the start: what changes cost.
    #[must_use]
    pub fn visits(&self) -> u64 {
        self.visits
    }

    /// The state and since when; `None`: there is no such monitor on the object.
    #[must_use]
    pub fn state(&self, key: Key) -> Option<(HealthState, i64)> {
        self.nodes.get(&key).map(|node| (node.state, node.since))
    }

    /// All monitors on an object with their states and since when.
    pub fn states(&self, object: ObjectId) -> impl Iterator<Item = (ElementId, HealthState, i64)> {
        self.of_object.get(&object).into_iter().flatten().filter_map(move |monitor| {
            let (state, since) = self.state(Key { object, monitor: *monitor })?;
            Some((*monitor, state, since))
        })
    }

    /// What is laid over the states of an object.
    #[must_use]
    pub fn overlay(&self, object: ObjectId) -> Overlay {
        self.overlays.get(&object).copied().unwrap_or_default()
    }

    /// What a roll-up is made of; nothing for a unit monitor.
    pub fn members(&self, key: Key) -> impl Iterator<Item = Key> {
        self.nodes.get(&key).into_iter().flat_map(|node| node.members.keys().copied())
    }

    /// Roll-ups that were refused because they would contain themselves: for the one who wrote the pack.
    pub fn refused(&self) -> impl Iterator<Item = Cycle> {
        self.refused.iter().map(|(of, member)| Cycle { of: *of, member: *member })
    }

    /// Puts a monitor on an object, without state. Another kind for one that is there keeps its members.
    pub fn add(&mut self, key: Key, kind: Kind, time: i64) -> Vec<StateChange> {
        if let Some(node) = self.nodes.get_mut(&key) {
            if node.kind == kind {
                return Vec::new();
            }
            node.kind = kind;
            let members: Vec<Key> = node.members.keys().copied().collect();
            for member in members {
                self.count(key, member);
            }
            return self.settle([(key, None)], time);
        }
        let node = Node {
            kind,
            state: HealthState::Uninitialized,
            since: time,
            members: HashMap::new(),
            counts: [0; 3],
            above: BTreeSet::new(),
            height: 0,
        };
        self.nodes.insert(key, node);
        self.of_object.entry(key.object).or_default().insert(key.monitor);
        Vec::new()
    }

    /// Takes a monitor off an object.
    pub fn remove(&mut self, key: Key, time: i64) -> Vec<StateChange> {
        let Some(node) = self.nodes.remove(&key) else { return Vec::new() };
        if let Some(monitors) = self.of_object.get_mut(&key.object) {
            monitors.remove(&key.monitor);
            if monitors.is_empty() {
                self.of_object.remove(&key.object);
                self.overlays.remove(&key.object);
            }
        }
        self.refused.retain(|(of, member)| *of != key && *member != key);
        for member in node.members.keys() {
            if let Some(member) = self.nodes.get_mut(member) {
                member.above.remove(&key);
            }
        }
        let above: Vec<Key> = node.above.into_iter().collect();
        for upper in &above {
            self.uncount(*upper, key);
        }
        let mut changes = self.settle(above.into_iter().map(|upper| (upper, Some(key))), time);
        changes.extend(self.retry(time));
        changes
    }

    /// Takes all monitors off an object.
    pub fn remove_object(&mut self, object: ObjectId, time: i64) -> Vec<StateChange> {
        let monitors = self.of_object.get(&object).cloned().unwrap_or_default();
        let mut changes = Vec::new();
        for monitor in monitors {
            changes.extend(self.remove(Key { object, monitor }, time));
        }
        changes.retain(|change| change.key.object != object);
        changes
    }

    /// Makes one a member of a roll-up; nothing where one of both does not exist.
    ///
    /// # Errors
    /// Where the roll-up would contain itself.
    pub fn add_member(&mut self, of: Key, member: Key, time: i64) -> Result<Vec<StateChange>, Cycle> {
        let Some(upper) = self.nodes.get(&of) else { return Ok(Vec::new()) };
        if !self.nodes.contains_key(&member) || upper.members.contains_key(&member) {
            return Ok(Vec::new());
        }
        if of == member || self.is_above(member, of) {
            self.refused.insert((of, member));
            return Err(Cycle { of, member });
        }
        if let Some(node) = self.nodes.get_mut(&member) {
            node.above.insert(of);
        }
        if let Some(node) = self.nodes.get_mut(&of) {
            node.members.insert(member, None);
        }
        self.raise(of, member);
        self.count(of, member);
        Ok(self.settle([(of, None)], time))
    }

    /// Makes one no member of a roll-up any longer.
    pub fn remove_member(&mut self, of: Key, member: Key, time: i64) -> Vec<StateChange> {
        self.refused.remove(&(of, member));
        if let Some(node) = self.nodes.get_mut(&member) {
            node.above.remove(&of);
        }
        self.uncount(of, member);
        let mut changes = self.settle([(of, None)], time);
        changes.extend(self.retry(time));
        changes
    }

    /// Sets the state of a unit monitor. Nothing happens to what is not there, is a roll-up, or whose object is in
    /// maintenance.
    pub fn set_state(&mut self, key: Key, state: HealthState, time: i64) -> Vec<StateChange> {
        let overlay = self.overlay(key.object);
        let Some(node) = self.nodes.get_mut(&key) else { return Vec::new() };
        self.visits += 1;
        if node.kind != Kind::Unit || node.state == state || overlay.maintenance {
            return Vec::new();
        }
        let before = std::mem::replace(&mut node.state, state);
        node.since = time;
        let above: Vec<Key> = node.above.iter().copied().collect();
        let mut changes = vec![StateChange { key, before, after: state, time, cause: None, suppressed: false }];
        for upper in &above {
            self.count(*upper, key);
        }
        changes.extend(self.settle(above.into_iter().map(|upper| (upper, Some(key))), time));
        changes
    }

    /// Lays something over the states of an object. Whether what it hosts follows is for the caller to say.
    pub fn set_overlay(&mut self, object: ObjectId, overlay: Overlay, time: i64) -> Vec<StateChange> {
        if self.overlay(object) == overlay {
            return Vec::new();
        }
        if overlay == Overlay::default() {
            self.overlays.remove(&object);
        } else {
            self.overlays.insert(object, overlay);
        }
        let monitors = self.of_object.get(&object).cloned().unwrap_or_default();
        let mut dirty = Vec::new();
        for monitor in monitors {
            let key = Key { object, monitor };
            let Some(node) = self.nodes.get(&key) else { continue };
            let above: Vec<Key> = node.above.iter().copied().filter(|upper| upper.object != object).collect();
            for upper in above {
                self.count(upper, key);
                dirty.push((upper, None));
            }
        }
        self.settle(dirty, time)
    }

    /// As what a member counts for a roll-up. An overlay matters between objects, not within one.
    fn contribution(&self, of: Key, member: Key) -> Option<HealthState> {
        let (Kind::Rollup { in_maintenance, unavailable, .. }, node) =
            (self.nodes.get(&of)?.kind, self.nodes.get(&member)?)
        else {
            return None;
        };
        let overlay = if of.object == member.object { Overlay::default() } else { self.overlay(member.object) };
        let state = if overlay.maintenance {
            match in_maintenance {
                MemberRule::Ignore => return None,
                MemberRule::As(state) => state,
            }
        } else if overlay.out_of_contact {
            match unavailable {
                MemberRule::Ignore => return None,
                MemberRule::As(state) => state,
            }
        } else {
            node.state
        };
        (state != HealthState::Uninitialized).then_some(state)
    }

    /// Counts a member anew.
    fn count(&mut self, of: Key, member: Key) {
        let new = self.contribution(of, member);
        let Some(node) = self.nodes.get_mut(&of) else { return };
        let Some(known) = node.members.get_mut(&member) else { return };
        let old = std::mem::replace(known, new);
        node.recount(old, new);
    }

    fn uncount(&mut self, of: Key, member: Key) {
        if let Some(node) = self.nodes.get_mut(&of)
            && let Some(old) = node.members.remove(&member)
        {
            node.recount(old, None);
        }
    }

    /// Computes these and what lies above anew, each once, the lower before the higher.
    fn settle(&mut self, dirty: impl IntoIterator<Item = (Key, Option<Key>)>, time: i64) -> Vec<StateChange> {
        let mut changes = Vec::new();
        let mut waiting = BinaryHeap::new();
        let mut causes: HashMap<Key, Option<Key>> = HashMap::new();
        for (key, cause) in dirty {
            if let Some(node) = self.nodes.get(&key)
                && causes.insert(key, cause).is_none()
            {
                waiting.push(Reverse((node.height, key)));
            }
        }
        while let Some(Reverse((_, key))) = waiting.pop() {
            self.visits += 1;
            let cause = causes.remove(&key).flatten();
            let suppressed = self.overlay(key.object).maintenance;
            let Some(node) = self.nodes.get_mut(&key) else { continue };
            let Kind::Rollup { algorithm, .. } = node.kind else { continue };
            let after = algorithm.roll_up(node.counts);
            if after == node.state {
                continue;
            }
            let before = std::mem::replace(&mut node.state, after);
            node.since = time;
            changes.push(StateChange { key, before, after, time, cause, suppressed });
            let above: Vec<Key> = node.above.iter().copied().collect();
            for upper in above {
                self.count(upper, key);
                let Some(node) = self.nodes.get(&upper) else { continue };
                if causes.insert(upper, Some(key)).is_none() {
                    waiting.push(Reverse((node.height, upper)));
                }
            }
        }
        changes
    }

    /// All roll-ups that one is part of, at any distance, with their states and since when; the nearest first.
    #[must_use]
    pub fn above(&self, key: Key) -> Vec<(Key, HealthState, i64)> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let mut next: VecDeque<Key> = VecDeque::from([key]);
        while let Some(key) = next.pop_front() {
            let Some(node) = self.nodes.get(&key) else { continue };
            for upper in node.above.iter().filter(|upper| seen.insert(**upper)) {
                found.extend(self.state(*upper).map(|(state, since)| (*upper, state, since)));
                next.push_back(*upper);
            }
        }
        found
    }

    /// Whether one lies above another, at any distance.
    fn is_above(&mut self, upper: Key, lower: Key) -> bool {
        let mut seen = HashSet::new();
        let mut next = vec![lower];
        while let Some(key) = next.pop() {
            self.visits += 1;
            if key == upper {
                return true;
            }
            let Some(node) = self.nodes.get(&key) else { continue };
            next.extend(node.above.iter().copied().filter(|above| seen.insert(*above)));
        }
        false
    }

    /// Keeps the heights right above a new member. Heights only grow, which is right for members that went too.
    fn raise(&mut self, of: Key, member: Key) {
        let mut next = vec![(of, self.nodes.get(&member).map_or(0, |node| node.height) + 1)];
        while let Some((key, least)) = next.pop() {
            self.visits += 1;
            let Some(node) = self.nodes.get_mut(&key) else { continue };
            if node.height >= least {
                continue;
            }
            node.height = least;
            next.extend(node.above.iter().map(|above| (*above, least + 1)));
        }
    }

    /// Tries what was refused again, now that something went.
    fn retry(&mut self, time: i64) -> Vec<StateChange> {
        let mut changes = Vec::new();
        for (of, member) in std::mem::take(&mut self.refused) {
            changes.extend(self.add_member(of, member, time).unwrap_or_default());
        }
        changes
    }
}

impl Node {
    fn recount(&mut self, old: Option<HealthState>, new: Option<HealthState>) {
        let index = |state: HealthState| (state as usize).checked_sub(1);
        if let Some(old) = old.and_then(index) {
            self.counts[old] -= 1;
        }
        if let Some(new) = new.and_then(index) {
            self.counts[new] += 1;
        }
    }
}

impl Algorithm {
    /// From how many members are in Success, Warning and Error.
    #[must_use]
    pub fn roll_up(self, counts: [u32; 3]) -> HealthState {
        const STATES: [HealthState; 3] = [HealthState::Success, HealthState::Warning, HealthState::Error];
        let total: u64 = counts.iter().map(|count| u64::from(*count)).sum();
        if total == 0 {
            return HealthState::Uninitialized;
        }
        // the member of this rank, counted from the best, gives the state
        let rank = match self {
            Algorithm::WorstOf => total,
            Algorithm::BestOf => 1,
            Algorithm::Percentage(percent) => (total * u64::from(percent.min(100))).div_ceil(100).max(1),
        };
        let mut seen = 0;
        for (state, count) in STATES.into_iter().zip(counts) {
            seen += u64::from(count);
            if seen >= rank {
                return state;
            }
        }
        HealthState::Error
    }
}

/// The worst states of objects, for lists.
#[must_use]
pub fn tally(states: impl IntoIterator<Item = HealthState>) -> BTreeMap<HealthState, u64> {
    let mut counts = BTreeMap::new();
    for state in states {
        *counts.entry(state).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
