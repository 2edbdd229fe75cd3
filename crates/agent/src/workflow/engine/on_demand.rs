//! What is run when somebody asks: tasks, checks on demand, resets; and diagnostics and recoveries, which a change of
//! state asks for, with a server or without.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::item::DataItem;
use watchkeeper_model::node::Node as Element;
use watchkeeper_model::workflow::{HealthState, Purpose, Workflow};
use watchkeeper_wire::proto::operational_item::Item as Up;
use watchkeeper_wire::proto::{TaskResult, TaskStatus};

use super::{Engine, Key, Tap, graph};
use crate::queue::Positions;
use crate::system::Microseconds;
use crate::workflow::module::{Failure, Item};
use crate::workflow::modules::Role;
use crate::workflow::modules::text::output_text;

/// What of the output goes up.
const OUTPUT_LIMIT: usize = 256 * 1024;
/// Runs on demand at once; more are refused.
const MAX_RUNS: usize = 64;

/// A command cannot be obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such workflow here.
    #[error("the configuration of this agent has no {what} {element} for the object {object}")]
    Unknown {
        /// Task, monitor.
        what: &'static str,
        /// The element's identity.
        element: String,
        /// The object's.
        object: String,
    },
    /// It cannot be done.
    #[error("{0}")]
    Impossible(String),
}

/// A task to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskCommand {
    /// The command's identity.
    pub id: String,
    /// The element's identity.
    pub task: String,
    /// The object's.
    pub object: String,
    /// Values in place of those of the configuration.
    pub parameters: BTreeMap<String, String>,
    /// Zero: the workflow's own limit.
    pub timeout_seconds: u32,
}

/// A run on demand.
pub(super) struct Run {
    id: String,
    workflow: Workflow,
    monitor: Option<ElementId>,
    pub(super) keys: Vec<Key>,
    pub(super) output: Vec<Item>,
    pub(super) failure: Option<Failure>,
    started: Microseconds,
}

impl Engine {
    /// Starts a task. A command that was taken before does nothing.
    ///
    /// # Errors
    /// When there is no such task, or it cannot be started.
    pub fn run_task(
        &mut self,
        command: TaskCommand,
        now: Microseconds,
        positions: &Positions,
    ) -> Result<(), CommandError> {
        let found = self.workflows.iter().find(|workflow| {
            matches!(workflow.purpose, Purpose::Task | Purpose::Diagnostic { .. } | Purpose::Recovery { .. })
                && workflow.element_id.to_string() == command.task
                && workflow.object.to_string() == command.object
        });
        let Some(mut workflow) = found.cloned() else {
            return Err(CommandError::Unknown { what: "task", element: command.task, object: command.object });
        };
        if let Some((name, _)) = command.parameters.iter().find(|(_, value)| value.contains("$RunAs")) {
            return Err(CommandError::Impossible(format!(
                "the parameter {name} asks for a Run As account; only packs may"
            )));
        }
        if self.runs.len() >= MAX_RUNS {
            return Err(CommandError::Impossible(format!("{MAX_RUNS} tasks run on this agent; try again later")));
        }
        let running = [workflow.element.clone(), command.task, command.object];
        if !self.saved.note_command(&command.id, running) {
            return Ok(());
        }
        self.dirty = true;
        if command.timeout_seconds > 0 {
            workflow.timeout_seconds = command.timeout_seconds;
        }
        for module in &mut workflow.modules {
            for (name, value) in &command.parameters {
                replace(&mut module.configuration, name, value);
            }
        }
        let trigger = Arc::new(DataItem::trigger(now, workflow.object));
        self.begin_run(command.id, workflow, None, &trigger, now);
        self.deliver(now, positions);
        self.end_runs(now, positions);
        Ok(())
    }

    /// A task that cannot be run has failed, and says why.
    pub fn refuse_task(&mut self, command: TaskCommand, error: &CommandError, now: Microseconds) {
        let result = TaskResult {
            run: command.id,
            task: command.task,
            object: command.object,
            status: TaskStatus::Failed.into(),
            error: error.to_string(),
            finished: now,
            ..TaskResult::default()
        };
        self.outbox.put(now, Up::TaskResult(result));
    }

    /// What the last run of the agent left without result, to be said once.
    pub fn report_interrupted(&mut self, now: Microseconds) {
        let interrupted: Vec<(String, [String; 3])> =
            self.saved.commands.iter().filter_map(|known| Some((known.id.clone(), known.running.clone()?))).collect();
        for (id, [element, task, object]) in interrupted {
            self.saved.command_done(&id);
            let result = TaskResult {
                run: id,
                task,
                element,
                object,
                status: TaskStatus::Interrupted.into(),
                error: "the agent stopped while it ran".to_owned(),
                finished: now,
                ..TaskResult::default()
            };
            self.outbox.put(now, Up::TaskResult(result));
            self.dirty = true;
        }
    }

    /// Sets a monitor healthy.
    ///
    /// # Errors
    /// When there is no such monitor, or it has no healthy state.
    pub fn reset_monitor(
        &mut self,
        monitor: &str,
        object: &str,
        cause: &'static str,
        now: Microseconds,
    ) -> Result<(), CommandError> {
        let index = self.monitor_index(monitor, object)?;
        let Purpose::Monitor { states, .. } = &self.workflows[index].purpose else { return Ok(()) };
        let Some(healthy) = states.iter().find(|state| state.health == HealthState::Success).cloned() else {
            return Err(CommandError::Impossible("the monitor has no healthy state".to_owned()));
        };
        self.enter(index, &healthy, None, cause, now);
        Ok(())
    }

    /// Runs the checks on demand of a monitor.
    ///
    /// # Errors
    /// When there is no such monitor, or it has no such checks.
    pub fn recalculate(
        &mut self,
        monitor: &str,
        object: &str,
        now: Microseconds,
        positions: &Positions,
    ) -> Result<(), CommandError> {
        let index = self.monitor_index(monitor, object)?;
        let workflow = self.workflows[index].clone();
        let Purpose::Monitor { on_demand, .. } = &workflow.purpose else { return Ok(()) };
        if on_demand.is_empty() {
            return Err(CommandError::Impossible(
                "the monitor has no check on demand: it waits for events and can only be reset".to_owned(),
            ));
        }
        let keys = graph::keys(&workflow, None).map_err(CommandError::Impossible)?;
        let mut wanted: Vec<usize> = on_demand.iter().map(|state| state.module).collect();
        let mut roots = Vec::new();
        let mut seen = vec![false; keys.len()];
        while let Some(module) = wanted.pop() {
            if std::mem::replace(&mut seen[module], true) {
                continue;
            }
            match workflow.modules[module].inputs.as_slice() {
                [] => roots.push(keys[module].0),
                inputs => wanted.extend(inputs),
            }
        }
        let trigger: Item = Arc::new(DataItem::trigger(now, workflow.object));
        for root in roots {
            self.deliveries.push_back((root, 0, vec![trigger.clone()]));
        }
        self.deliver(now, positions);
        self.end_runs(now, positions);
        Ok(())
    }

    fn monitor_index(&self, monitor: &str, object: &str) -> Result<usize, CommandError> {
        let found = self.workflows.iter().position(|workflow| {
            matches!(workflow.purpose, Purpose::Monitor { .. })
                && workflow.element_id.to_string() == monitor
                && workflow.object.to_string() == object
        });
        found.ok_or_else(|| CommandError::Unknown {
            what: "monitor",
            element: monitor.to_owned(),
            object: object.to_owned(),
        })
    }

    /// Starts the diagnostics and recoveries of a monitor that entered a state.
    pub(super) fn start_responses(
        &mut self,
        monitor: ElementId,
        object: ObjectId,
        health: HealthState,
        item: &Item,
        now: Microseconds,
    ) {
        self.start_matching(monitor, object, item, now, |trigger| {
            trigger.after_diagnostic.is_none() && trigger.on_state == Some(health)
        });
    }

    fn start_matching(
        &mut self,
        monitor: ElementId,
        object: ObjectId,
        item: &Item,
        now: Microseconds,
        wanted: impl Fn(&watchkeeper_model::workflow::Trigger) -> bool,
    ) {
        let matching: Vec<Workflow> = self
            .workflows
            .iter()
            .filter(|workflow| match &workflow.purpose {
                Purpose::Diagnostic { trigger } | Purpose::Recovery { trigger, .. } => {
                    trigger.monitor == monitor && workflow.object == object && wanted(trigger)
                }
                _ => false,
            })
            .cloned()
            .collect();
        for workflow in matching {
            if self.runs.len() >= MAX_RUNS {
                tracing::warn!(workflow = workflow.element, "too many tasks run; this one is left out");
                continue;
            }
            self.begin_run(Uuid::new_v4().to_string(), workflow, Some(monitor), item, now);
        }
    }

    fn begin_run(
        &mut self,
        id: String,
        workflow: Workflow,
        monitor: Option<ElementId>,
        trigger: &Item,
        now: Microseconds,
    ) {
        let own = Uuid::new_v4();
        let mut run = Run { id, monitor, keys: Vec::new(), output: Vec::new(), failure: None, started: now, workflow };
        match self.make_run(&run.workflow, own) {
            Ok((keys, roots)) => {
                run.keys = keys;
                for root in roots {
                    self.deliveries.push_back((root, 0, vec![trigger.clone()]));
                }
            }
            Err(reason) => run.failure = Some(Failure::new(reason)),
        }
        self.runs.insert(own, run);
    }

    fn make_run(&mut self, workflow: &Workflow, own: Uuid) -> Result<(Vec<Key>, Vec<Key>), String> {
        let keys = graph::keys(workflow, Some(own))?;
        let mut nodes = Vec::new();
        for ((key, native), module) in keys.iter().zip(&workflow.modules) {
            if native.role == Role::Source {
                return Err(format!("module {} ({}) is a data source; a task has none", module.id, module.kind));
            }
            nodes.push((*key, self.make(native, workflow, module, *key)?));
        }
        let mut roots = Vec::new();
        for (position, module) in workflow.modules.iter().enumerate() {
            nodes[position].1.run = Some(own);
            if module.inputs.is_empty() {
                roots.push(keys[position].0);
            }
            for (place, input) in module.inputs.iter().enumerate() {
                nodes[*input].1.consumers.push((keys[position].0, place));
            }
        }
        // only what the last modules give is the output
        for (_, node) in nodes.iter_mut().filter(|(_, node)| node.consumers.is_empty()) {
            node.taps.push(Tap::Run { run: own });
        }
        self.nodes.extend(nodes);
        Ok((keys.into_iter().map(|(key, _)| key).collect(), roots))
    }

    /// Ends runs whose modules have nothing more to do.
    pub(super) fn end_runs(&mut self, now: Microseconds, positions: &Positions) {
        loop {
            self.deliver(now, positions);
            let ended = self.runs.iter().find(|(_, run)| {
                let idle = |key: &Key| {
                    self.nodes.get(key).is_none_or(|node| !node.running && node.waiting.is_empty())
                        && !self.deliveries.iter().any(|(to, _, _)| to == key)
                };
                run.failure.is_some() || run.keys.iter().all(idle)
            });
            let Some(own) = ended.map(|(own, _)| *own) else { return };
            let Some(run) = self.runs.remove(&own) else { return };
            for key in &run.keys {
                self.nodes.remove(key);
            }
            self.ready.retain(|(key, _)| !run.keys.contains(key));
            self.report_run(run, now);
        }
    }

    fn report_run(&mut self, run: Run, now: Microseconds) {
        let (text, output_cut) = output_text(&run.output, OUTPUT_LIMIT);
        let (status, error) = match &run.failure {
            None => (TaskStatus::Succeeded, String::new()),
            Some(failure) if failure.timed_out => (TaskStatus::TimedOut, failure.reason.clone()),
            Some(failure) => (TaskStatus::Failed, failure.reason.clone()),
        };
        self.outbox.put(
            now,
            Up::TaskResult(TaskResult {
                run: run.id.clone(),
                task: run.workflow.element_id.to_string(),
                element: run.workflow.element.clone(),
                object: run.workflow.object.to_string(),
                status: status.into(),
                output: text,
                output_cut,
                error,
                started: run.started,
                finished: now,
                monitor: run.monitor.map_or_else(String::new, |monitor| monitor.to_string()),
            }),
        );
        self.saved.command_done(&run.id);
        self.dirty = true;
        let object = run.workflow.object;
        match &run.workflow.purpose {
            Purpose::Diagnostic { trigger } if status == TaskStatus::Succeeded => {
                let monitor = trigger.monitor;
                let diagnostic = run.workflow.element_id;
                let item = run.output.last().cloned().unwrap_or_else(|| Arc::new(DataItem::trigger(now, object)));
                self.start_matching(monitor, object, &item, now, |trigger| {
                    trigger.after_diagnostic == Some(diagnostic)
                });
            }
            Purpose::Recovery { trigger, reset_monitor: true } if status == TaskStatus::Succeeded => {
                let (monitor, object) = (trigger.monitor.to_string(), object.to_string());
                if let Err(error) = self.reset_monitor(&monitor, &object, "recovery", now) {
                    tracing::warn!(monitor, object, %error, "a recovery cannot reset its monitor");
                }
            }
            _ => {}
        }
    }
}

/// Sets the text of all elements of a name.
fn replace(element: &mut Element, name: &str, value: &str) {
    for child in &mut element.children {
        if child.name == name && child.children.is_empty() {
            value.clone_into(&mut child.text);
        }
        replace(child, name, value);
    }
}
