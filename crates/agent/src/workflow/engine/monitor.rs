//! Monitors: items of their modules become states; a change of state is reported once, and starts what hangs on it.

use std::sync::Arc;

use watchkeeper_model::item::DataItem;
use watchkeeper_model::workflow::{HealthState, MonitorState, Purpose, Workflow};
use watchkeeper_wire::proto::operational_item::Item as Up;
use watchkeeper_wire::proto::{StateChange, WorkflowEventKind};

use super::{Engine, Tap};
use crate::system::Microseconds;
use crate::workflow::module::Item;
use crate::workflow::modules::discovery;
use crate::workflow::modules::text::xml;
use crate::workflow::store::{KnownState, Unsaid, monitor_name};

/// The name under which a monitor's state is kept.
pub(super) fn name(workflow: &Workflow) -> String {
    monitor_name(workflow.element_id, workflow.object)
}

impl Engine {
    /// The present state of a monitor.
    #[must_use]
    pub fn state_of(&self, workflow: &Workflow) -> Option<&KnownState> {
        self.monitors.get(&name(workflow))
    }

    /// A monitor is in a state that was found elsewhere: what was kept here of it is out of date.
    pub fn know(&mut self, name: String, state: KnownState) {
        self.monitors.insert(name, state);
        self.dirty = true;
    }

    /// Items that lead somewhere.
    pub(super) fn tap(&mut self, tap: Tap, items: &[Item], now: Microseconds) {
        match tap {
            Tap::Monitor { workflow, state, on_demand } => {
                let Some(Purpose::Monitor { states, on_demand: probes }) =
                    self.workflows.get(workflow).map(|workflow| &workflow.purpose)
                else {
                    return;
                };
                let states = if on_demand { probes } else { states };
                let (Some(state), Some(item)) = (states.get(state).cloned(), items.last()) else { return };
                let cause = if on_demand { "on-demand" } else { "detection" };
                self.enter(workflow, &state, Some(item), cause, now);
            }
            Tap::Discovery { workflow } => {
                let Some(workflow_of) = self.workflows.get(workflow) else { return };
                let (mut found, mut problem) = (Vec::new(), None);
                for item in items {
                    match discovery::from_item(item, workflow_of) {
                        Ok(data) => found.push(data),
                        Err(reason) => problem = Some(reason),
                    }
                }
                for data in found {
                    self.outbox.put(now, Up::Discovery(data));
                }
                if let Some(reason) = problem {
                    self.workflow_event(workflow, WorkflowEventKind::Failed, "discovery", &reason, 1, 0, now);
                }
            }
            Tap::Run { run } => {
                if let Some(run) = self.runs.get_mut(&run) {
                    run.output.extend(items.iter().cloned());
                }
            }
        }
    }

    /// A monitor that was never in a state begins as healthy; what it finds comes after.
    pub(super) fn first_state(&mut self, index: usize, now: Microseconds) {
        let workflow = &self.workflows[index];
        let Purpose::Monitor { states, .. } = &workflow.purpose else { return };
        let name = name(workflow);
        let known = self.monitors.get(&name);
        if known.is_some_and(|known| states.iter().any(|state| state.state == known.state)) {
            return;
        }
        let is_unloaded = self.unloaded.contains_key(&format!("{} {}", workflow.element_id, workflow.object));
        if let Some(state) = states.iter().find(|state| state.health == HealthState::Success).cloned()
            && !is_unloaded
        {
            self.enter(index, &state, None, "start", now);
        }
    }

    /// A monitor enters a state; nothing happens where it is in it.
    pub(super) fn enter(
        &mut self,
        index: usize,
        state: &MonitorState,
        context: Option<&Item>,
        cause: &str,
        now: Microseconds,
    ) {
        let workflow = &self.workflows[index];
        let name = name(workflow);
        let before = self.monitors.get(&name);
        if before.is_some_and(|before| before.state == state.state && before.health == state.health) {
            return;
        }
        let previous = before.map_or(HealthState::Uninitialized, |before| before.health);
        let unsaid = Unsaid {
            previous,
            cause: cause.to_owned(),
            context: context.map_or_else(String::new, |item| xml(&item.body)),
        };
        let known =
            KnownState { state: state.state.clone(), health: state.health, since: now, unsaid: Some(unsaid.clone()) };
        let item = match context {
            Some(item) => DataItem::state_change(now, workflow.object, previous, state.health, item),
            None => DataItem::state_change(
                now,
                workflow.object,
                previous,
                state.health,
                &DataItem::trigger(now, workflow.object),
            ),
        };
        let (element, object) = (workflow.element_id, workflow.object);
        self.say(index, &known, unsaid);
        self.monitors.insert(name, known);
        if cause != "start" {
            self.start_responses(element, object, state.health, &Arc::new(item), now);
        }
    }

    fn say(&mut self, index: usize, known: &KnownState, unsaid: Unsaid) {
        let workflow = &self.workflows[index];
        self.outbox.put(
            known.since,
            Up::StateChange(StateChange {
                monitor: workflow.element_id.to_string(),
                element: workflow.element.clone(),
                object: workflow.object.to_string(),
                operational_state: known.state.clone(),
                health: known.health as u32,
                previous_health: unsaid.previous as u32,
                context: unsaid.context,
                cause: unsaid.cause,
            }),
        );
        self.unsaid = true;
        self.dirty = true;
    }

    /// Says again what a crash may have kept from the disk queue; a server that has it takes no harm.
    pub(super) fn say_unsaid(&mut self) {
        for index in 0..self.workflows.len() {
            let Some(known) = self.monitors.get(&name(&self.workflows[index])).cloned() else { continue };
            if let Some(unsaid) = known.unsaid.clone() {
                self.say(index, &known, unsaid);
            }
        }
    }

    /// Whether there are changes of state that have to be saved before they go into the disk queue: a monitor whose
    /// change is in the queue and not in its saved state would never take it back after a crash.
    #[must_use]
    pub fn has_unsaid(&self) -> bool {
        self.unsaid
    }

    /// All changes of state are in the disk queue.
    pub fn said(&mut self) {
        if std::mem::take(&mut self.unsaid) {
            for known in self.monitors.values_mut() {
                known.unsaid = None;
            }
            self.dirty = true;
        }
    }
}
