//! What people are shown of the group: objects with their health, and why something is unhealthy.

use watchkeeper_model::health::{Explanation, Key, Why};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::Classes;
use watchkeeper_model::workflow::HealthState;

use super::Space;
use crate::alerts::ENTITY_HEALTH;

/// Members of one roll-up that are shown.
const MEMBERS: usize = 20;

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
