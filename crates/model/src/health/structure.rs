//! Which monitors stand on which objects and what rolls up into what: from the monitors of packs and the instance
//! space, kept up to date by its changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Algorithm, Health, Key, Kind, MemberRule, StateChange};
use crate::ids::{ElementId, ObjectId};
use crate::objects::{Change, ChangeKind, Classes, Link, LinkKind, Objects};

/// A monitor of a pack, as far as roll-up is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupMonitor {
    /// The class on whose objects it stands.
    pub target: ElementId,
    /// The aggregate monitor of the same object into which it rolls up.
    pub parent: Option<ElementId>,
    /// What it is.
    pub kind: MonitorKind,
}

/// What a monitor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorKind {
    /// A unit monitor.
    Unit,
    /// An aggregate monitor: of those that name it as parent.
    Aggregate(Algorithm),
    /// A dependency monitor: of another monitor on related objects.
    Dependency {
        /// The relationship type, or one that it derives from.
        relationship: ElementId,
        /// The monitor on the other objects.
        member: ElementId,
        /// How.
        algorithm: Algorithm,
        /// Members in maintenance.
        in_maintenance: MemberRule,
        /// Members out of contact.
        unavailable: MemberRule,
    },
}

/// What overrides make of the monitors of an object.
pub trait Settings {
    /// Whether a monitor is on.
    fn is_on(&self, object: ObjectId, monitor: ElementId) -> bool;

    /// How a monitor rolls up that does so otherwise by itself.
    fn kind(&self, _object: ObjectId, _monitor: ElementId, kind: Kind) -> Kind {
        kind
    }
}

/// Overrides that turn monitors on and off and nothing else.
impl<F: Fn(ObjectId, ElementId) -> bool> Settings for F {
    fn is_on(&self, object: ObjectId, monitor: ElementId) -> bool {
        self(object, monitor)
    }
}

/// The monitors of all packs.
#[derive(Debug, Clone, Default)]
pub struct Monitors {
    all: HashMap<ElementId, RollupMonitor>,
    by_target: BTreeMap<ElementId, BTreeSet<ElementId>>,
    /// Dependency monitors by the monitor of which they are.
    by_member: HashMap<ElementId, BTreeSet<ElementId>>,
}

impl Monitors {
    /// From all monitors by their identities.
    #[must_use]
    pub fn new(monitors: impl IntoIterator<Item = (ElementId, RollupMonitor)>) -> Self {
        let mut made = Self::default();
        for (id, monitor) in monitors {
            made.by_target.entry(monitor.target).or_default().insert(id);
            if let MonitorKind::Dependency { member, .. } = monitor.kind {
                made.by_member.entry(member).or_default().insert(id);
            }
            made.all.insert(id, monitor);
        }
        made
    }

    /// The monitors that stand on an object.
    fn on(&self, object: ObjectId, objects: &Objects, classes: &impl Classes) -> BTreeSet<ElementId> {
        let Some(object) = objects.get(object) else { return BTreeSet::new() };
        let ancestry: BTreeSet<ElementId> = object.classes.iter().flat_map(|class| classes.ancestry(*class)).collect();
        ancestry.iter().filter_map(|class| self.by_target.get(class)).flatten().copied().collect()
    }

    /// Builds the whole. `settings` are what overrides make of monitors.
    pub fn build(&self, objects: &Objects, classes: &impl Classes, settings: &impl Settings, time: i64) -> Health {
        let mut health = Health::default();
        for object in objects.iter() {
            self.place(&mut health, object.id, objects, classes, settings, time);
        }
        for object in objects.iter() {
            self.connect_members(&mut health, object.id, objects, classes, time);
        }
        health
    }

    /// Follows changes of the instance space, which already shows them.
    pub fn follow(
        &self,
        health: &mut Health,
        changes: &[Change],
        objects: &Objects,
        classes: &impl Classes,
        settings: &impl Settings,
        time: i64,
    ) -> Vec<StateChange> {
        let mut states = Vec::new();
        for change in changes {
            match &change.kind {
                ChangeKind::Added { object } | ChangeKind::Classes { object } => {
                    states.extend(self.refresh(health, *object, objects, classes, settings, time));
                }
                ChangeKind::Removed { object, .. } => states.extend(health.remove_object(*object, time)),
                ChangeKind::Linked(link) => states.extend(self.connect_link(health, *link, objects, classes, time)),
                ChangeKind::Unlinked(link) => states.extend(self.cut_link(health, *link, objects, classes, time)),
                ChangeKind::Property { .. } => {}
            }
        }
        states
    }

    /// Puts on an object what stands on it now: after it came, its classes changed, or an override did.
    pub fn refresh(
        &self,
        health: &mut Health,
        object: ObjectId,
        objects: &Objects,
        classes: &impl Classes,
        settings: &impl Settings,
        time: i64,
    ) -> Vec<StateChange> {
        let mut states = self.place(health, object, objects, classes, settings, time);
        states.extend(self.connect_members(health, object, objects, classes, time));
        // what is above it: its host, and what has it as the target of a relationship
        if let Some(host) = objects.get(object).and_then(|object| object.host) {
            let relates = |facts: ElementId| is_hosting(facts, object, objects, classes);
            states.extend(self.connect(health, host, object, &relates, time));
        }
        for link in objects.links_to(object) {
            states.extend(self.connect_link(health, link, objects, classes, time));
        }
        states
    }

    fn place(
        &self,
        health: &mut Health,
        object: ObjectId,
        objects: &Objects,
        classes: &impl Classes,
        settings: &impl Settings,
        time: i64,
    ) -> Vec<StateChange> {
        let mut wanted = self.on(object, objects, classes);
        wanted.retain(|monitor| settings.is_on(object, *monitor));
        let mut states = Vec::new();
        let standing: Vec<ElementId> = health.states(object).map(|(monitor, ..)| monitor).collect();
        for monitor in standing.into_iter().filter(|monitor| !wanted.contains(monitor)) {
            states.extend(health.remove(Key { object, monitor }, time));
        }
        for monitor in &wanted {
            let kind = match self.all[monitor].kind {
                MonitorKind::Unit => Kind::Unit,
                MonitorKind::Aggregate(algorithm) => {
                    Kind::Rollup { algorithm, in_maintenance: MemberRule::Ignore, unavailable: MemberRule::Ignore }
                }
                MonitorKind::Dependency { algorithm, in_maintenance, unavailable, .. } => {
                    Kind::Rollup { algorithm, in_maintenance, unavailable }
                }
            };
            let kind = settings.kind(object, *monitor, kind);
            states.extend(health.add(Key { object, monitor: *monitor }, kind, time));
        }
        for monitor in &wanted {
            if let Some(parent) = self.all[monitor].parent {
                let (of, member) = (Key { object, monitor: parent }, Key { object, monitor: *monitor });
                // a cycle is kept in the list of refused ones
                states.extend(health.add_member(of, member, time).unwrap_or_default());
            }
        }
        states
    }

    /// Connects the dependency monitors of an object with their members.
    fn connect_members(
        &self,
        health: &mut Health,
        object: ObjectId,
        objects: &Objects,
        classes: &impl Classes,
        time: i64,
    ) -> Vec<StateChange> {
        let mut states = Vec::new();
        for member in objects.hosted_by(object) {
            let relates = |kind: ElementId| is_hosting(kind, member, objects, classes);
            states.extend(self.connect(health, object, member, &relates, time));
        }
        for link in objects.links_from(object) {
            states.extend(self.connect_link(health, link, objects, classes, time));
        }
        states
    }

    fn connect_link(
        &self,
        health: &mut Health,
        link: Link,
        objects: &Objects,
        classes: &impl Classes,
        time: i64,
    ) -> Vec<StateChange> {
        if objects.get(link.source).is_none() || objects.get(link.target).is_none() {
            return Vec::new();
        }
        self.connect(health, link.source, link.target, &|kind| classes.is_a(link.kind, kind), time)
    }

    fn connect(
        &self,
        health: &mut Health,
        above: ObjectId,
        below: ObjectId,
        relates: &impl Fn(ElementId) -> bool,
        time: i64,
    ) -> Vec<StateChange> {
        let mut states = Vec::new();
        for (of, member) in self.pairs(health, above, below, relates) {
            states.extend(health.add_member(of, member, time).unwrap_or_default());
        }
        states
    }

    /// The dependency monitors of one object and the monitors of the other of which they are.
    fn pairs(
        &self,
        health: &Health,
        above: ObjectId,
        below: ObjectId,
        relates: &impl Fn(ElementId) -> bool,
    ) -> Vec<(Key, Key)> {
        let mut pairs = Vec::new();
        for (monitor, ..) in health.states(below) {
            for dependency in self.by_member.get(&monitor).into_iter().flatten() {
                let of = Key { object: above, monitor: *dependency };
                let MonitorKind::Dependency { relationship, .. } = self.all[dependency].kind else { continue };
                if health.state(of).is_some() && relates(relationship) {
                    pairs.push((of, Key { object: below, monitor }));
                }
            }
        }
        pairs
    }

    fn cut_link(
        &self,
        health: &mut Health,
        link: Link,
        objects: &Objects,
        classes: &impl Classes,
        time: i64,
    ) -> Vec<StateChange> {
        let mut states = Vec::new();
        // the same two may stay related by another relationship
        let still = |kind: ElementId| {
            objects.links_from(link.source).any(|l| l.target == link.target && classes.is_a(l.kind, kind))
        };
        let relates = |kind: ElementId| classes.is_a(link.kind, kind) && !still(kind);
        for (of, member) in self.pairs(health, link.source, link.target, &relates) {
            states.extend(health.remove_member(of, member, time));
        }
        states
    }
}

/// Whether a relationship type is the hosting of an object by its host.
fn is_hosting(kind: ElementId, hosted: ObjectId, objects: &Objects, classes: &impl Classes) -> bool {
    classes
        .relationship(kind)
        .is_some_and(|facts| facts.kind == LinkKind::Hosting && objects.is_a(hosted, facts.target, classes))
}
