//! What the runtime remembers over restarts: states of monitors, states of modules, results of tasks.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::workflow::{HealthState, Workflow};
use watchkeeper_wire::write_private;

use crate::system::Microseconds;

/// Commands that are known again when they come again.
const KNOWN_COMMANDS: usize = 1024;

/// The present state of a monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownState {
    /// `OperationalState/@ID`.
    pub state: String,
    /// Its health.
    pub health: HealthState,
    /// Since when.
    pub since: Microseconds,
    /// What is to be said to the server of the change to it, while the disk queue does not have it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsaid: Option<Unsaid>,
}

/// A change of state that the disk queue does not have yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsaid {
    /// The health before.
    pub previous: HealthState,
    /// Why it changed.
    pub cause: String,
    /// The item that caused it, as XML.
    pub context: String,
}

/// States of monitors that another runtime found, for the workflows that move here: shared between who knows them and
/// the runtime, which takes over those of the workflows that it loads.
#[derive(Debug, Clone, Default)]
pub struct KnownElsewhere(Arc<Mutex<BTreeMap<String, KnownState>>>);

impl KnownElsewhere {
    /// Says in which state a monitor of an object is. To be said before the workflows are given.
    pub fn put(&self, monitor: ElementId, object: ObjectId, state: KnownState) {
        self.lock().insert(monitor_name(monitor, object), state);
    }

    /// Takes those that are of these workflows; the others wait for theirs.
    pub fn take_of(&self, workflows: &[Workflow]) -> Vec<(String, KnownState)> {
        let mut known = self.lock();
        if known.is_empty() {
            return Vec::new();
        }
        let names = workflows.iter().map(|workflow| monitor_name(workflow.element_id, workflow.object));
        names.filter_map(|name| known.remove_entry(&name)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, KnownState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name under which the state of a monitor is kept.
pub(super) fn monitor_name(monitor: ElementId, object: ObjectId) -> String {
    format!("{monitor}/{object}")
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    /// By `element identity/object`.
    pub monitors: BTreeMap<String, KnownState>,
    /// By the key of the module.
    pub modules: BTreeMap<String, serde_json::Value>,
    /// Commands whose workflow was started; a command that is still running at the end was interrupted.
    pub commands: VecDeque<Known>,
}

/// A command that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its identity.
    pub id: String,
    /// What to say when the agent stops while it runs: element, element's identity, object.
    pub running: Option<[String; 3]>,
}

impl Saved {
    /// Takes note of a command; false when it was known.
    pub fn note_command(&mut self, id: &str, running: [String; 3]) -> bool {
        if self.commands.iter().any(|known| known.id == id) {
            return false;
        }
        self.commands.push_back(Known { id: id.to_owned(), running: Some(running) });
        while self.commands.len() > KNOWN_COMMANDS {
            self.commands.pop_front();
        }
        true
    }

    /// A command's result is in the disk queue.
    pub fn command_done(&mut self, id: &str) {
        if let Some(known) = self.commands.iter_mut().find(|known| known.id == id) {
            known.running = None;
        }
    }
}

/// The file.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

impl Store {
    /// In the agent's data folder.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self { path: data.join("workflow-state.json") }
    }

    /// What was saved last. A file that cannot be read counts as none: monitors find their states again.
    #[must_use]
    pub fn load(&self) -> Saved {
        let Ok(text) = std::fs::read(&self.path) else { return Saved::default() };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!(path = %self.path.display(), %error, "the kept states of workflows cannot be used");
            Saved::default()
        })
    }

    /// Writes all of it in place of what was there.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn save(&self, saved: &Saved) -> Result<(), String> {
        let text = serde_json::to_vec(saved).map_err(|error| error.to_string())?;
        write_private(&self.path, &text).map_err(|error| error.to_string())
    }
}
