//! What people are shown of the group: objects with their health, and why something is unhealthy.

use watchkeeper_model::health::{Explanation, Key, Overlay, Why};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::Classes;
use watchkeeper_model::workflow::HealthState;

use super::Space;
use crate::alerts::ENTITY_HEALTH;

/// Members of one roll-up that are shown.
const MEMBERS: usize = 20;

/// Members of one roll-up in the tree of an object's monitors.
const TREE_MEMBERS: usize = 200;

/// Monitors of a tree; what is deeper shows without its members.
const TREE_SIZE: usize = 5000;

/// The monitors below the root of an object's health, one for each aspect.
pub const ASPECTS: [(&str, &str); 4] = [
    ("availability", "System.Health.Library!System.Health.AvailabilityState"),
    ("performance", "System.Health.Library!System.Health.PerformanceState"),
    ("configuration", "System.Health.Library!System.Health.ConfigurationState"),
    ("security", "System.Health.Library!System.Health.SecurityState"),
];

/// The objects that stand for an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentObjects {
    /// Its computer.
    pub computer: ObjectId,
    /// Its watcher.
    pub watcher: ObjectId,
}

/// An object with its health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectView {
    /// Its identity.
    pub id: ObjectId,
    /// Full names of its most specific classes.
    pub classes: Vec<String>,
    /// What it is called.
    pub name: String,
    /// Its hosts.
    pub path: String,
    /// The agent that manages it.
    pub agent_id: String,
    /// The state of the whole.
    pub health: HealthState,
    /// Since when, microseconds since 1970.
    pub since: i64,
}

/// A monitor of an object with all that it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorTree {
    /// Which, on which object.
    pub key: Key,
    /// Its state.
    pub state: HealthState,
    /// Since when.
    pub since: i64,
    /// What is laid over the states of its object.
    pub overlay: Overlay,
    /// The worst first.
    pub members: Vec<MonitorTree>,
    /// How many more members there are.
    pub more: usize,
}

/// A monitor with what made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedMonitor {
    /// The object.
    pub object: ObjectId,
    /// What it is called.
    pub object_name: String,
    /// How the monitor's states name it.
    pub monitor: String,
    /// What it is called.
    pub monitor_name: String,
    /// Its state.
    pub state: HealthState,
    /// Since when.
    pub since: i64,
    /// Why it counts so, where it is not its own state.
    pub why: &'static str,
    /// What gives the state.
    pub members: Vec<ExplainedMonitor>,
    /// How many more members there are.
    pub more: usize,
}

impl Space {
    /// Every agent that has objects, with them.
    pub fn known_agents(&self) -> impl Iterator<Item = (&str, &AgentObjects)> {
        self.agents.iter().map(|(agent, objects)| (agent.as_str(), objects))
    }

    /// The root of an object's health.
    #[must_use]
    pub fn entity_health(&self, object: ObjectId) -> (HealthState, i64) {
        let root = self.library.monitor_id(ENTITY_HEALTH);
        root.and_then(|monitor| self.health.state(Key { object, monitor })).unwrap_or_default()
    }

    /// The agent of an object, from the object's identity as text.
    #[must_use]
    pub fn source_agent(&self, object: &str) -> Option<String> {
        self.agent_of(super::object_id(object)?).map(str::to_owned)
    }

    /// An object as it is shown.
    #[must_use]
    pub fn view(&self, object: ObjectId) -> Option<ObjectView> {
        let found = self.objects.get(object)?;
        let (health, since) = self.entity_health(object);
        Some(ObjectView {
            id: object,
            classes: found.classes.iter().map(|class| self.library.name(*class)).collect(),
            name: self.display_name(object),
            path: self.path(object),
            agent_id: self.agent_of(object).unwrap_or_default().to_owned(),
            health,
            since,
        })
    }

    /// Objects, of a class or all, in the order of their names.
    #[must_use]
    pub fn list(&self, class: Option<ElementId>) -> Vec<ObjectView> {
        let mut views: Vec<ObjectView> = match class {
            Some(class) => {
                let ids = self.objects.of_class(class, self.library.as_ref());
                ids.into_iter().filter_map(|id| self.view(id)).collect()
            }
            None => self.objects.iter().filter_map(|object| self.view(object.id)).collect(),
        };
        views.sort_by(|left, right| (&left.path, &left.name, left.id).cmp(&(&right.path, &right.name, right.id)));
        views
    }

    /// The object that a text means: an identity, or a name that only one object has.
    ///
    /// # Errors
    /// Why it means none, with what to do.
    pub fn find(&self, text: &str) -> Result<ObjectId, String> {
        if let Some(id) = super::object_id(text) {
            return match self.objects.get(id) {
                Some(_) => Ok(id),
                None => Err(format!("there is no object {text}; it may have been removed")),
            };
        }
        let named: Vec<ObjectId> = self
            .objects
            .iter()
            .map(|object| object.id)
            .filter(|id| {
                self.display_name(*id).eq_ignore_ascii_case(text) || self.key_name(*id).eq_ignore_ascii_case(text)
            })
            .collect();
        match named.as_slice() {
            [] => Err(format!("no object is called {text:?}; `watchkeeper objects` lists them")),
            [one] => Ok(*one),
            many => {
                // an agent's computer is what a computer's name means
                let computers: Vec<ObjectId> =
                    many.iter().copied().filter(|id| self.computers.contains_key(id)).collect();
                match computers.as_slice() {
                    [one] => Ok(*one),
                    _ => Err(format!("{} objects are called {text:?}; name one by its identity", many.len())),
                }
            }
        }
    }

    /// Why an object has its health.
    #[must_use]
    pub fn explain(&self, object: ObjectId) -> Option<ExplainedMonitor> {
        let monitor = self.library.monitor_id(ENTITY_HEALTH)?;
        Some(self.explained(self.health.explain(Key { object, monitor }, MEMBERS)?))
    }

    /// The states of the aspects of an object's health, in the order of [`ASPECTS`].
    #[must_use]
    pub fn aspects(&self, object: ObjectId) -> [HealthState; 4] {
        ASPECTS.map(|(_, name)| {
            let monitor = self.library.named(name);
            let state = monitor.and_then(|monitor| self.health.state(Key { object, monitor }));
            state.map(|(state, _)| state).unwrap_or_default()
        })
    }

    /// All monitors that an object's health is made of, from the root down; `None` for an object without health.
    #[must_use]
    pub fn monitor_tree(&self, object: ObjectId) -> Option<MonitorTree> {
        let monitor = self.library.monitor_id(ENTITY_HEALTH)?;
        self.tree_of(Key { object, monitor }, &mut 0)
    }

    fn tree_of(&self, key: Key, size: &mut usize) -> Option<MonitorTree> {
        let (state, since) = self.health.state(key)?;
        *size += 1;
        let mut members: Vec<Key> = self.health.members(key).collect();
        members.sort_by_cached_key(|member| {
            let state = self.health.state(*member).map(|(state, _)| state);
            let text = (self.library.display_name(member.monitor), self.display_name(member.object), *member);
            (std::cmp::Reverse(state), text)
        });
        let all = members.len();
        members.truncate(if *size > TREE_SIZE { 0 } else { TREE_MEMBERS });
        let members: Vec<MonitorTree> = members.into_iter().filter_map(|member| self.tree_of(member, size)).collect();
        let more = all - members.len();
        Some(MonitorTree { key, state, since, overlay: self.health.overlay(key.object), members, more })
    }

    fn explained(&self, node: Explanation) -> ExplainedMonitor {
        ExplainedMonitor {
            object: node.key.object,
            object_name: self.display_name(node.key.object),
            monitor: self.library.monitor_key(node.key.monitor),
            monitor_name: self.library.display_name(node.key.monitor),
            state: node.state,
            since: node.since,
            why: match node.why {
                Why::State => "",
                Why::Maintenance => "in maintenance",
                Why::OutOfContact => "out of contact",
            },
            members: node.members.into_iter().map(|member| self.explained(member)).collect(),
            more: node.more,
        }
    }
}
