//! Loading: a set of workflows becomes the graph; what did not change stays as it is.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use uuid::Uuid;
use watchkeeper_model::workflow::{Purpose, Workflow, Workflows};
use watchkeeper_wire::proto::WorkflowEventKind;

use super::{Engine, Key, Node, Tap};
use crate::queue::Positions;
use crate::system::Microseconds;
use crate::workflow::accounts::Accounts;
use crate::workflow::job::{DEFAULT_TIMEOUT, Limits};
use crate::workflow::module::{Owner, Setup};
use crate::workflow::modules::{self, Native, Role};

const KEYS: Uuid = Uuid::from_u128(0x1f0d_7a52_44c1_4b0e_9a63_0c8f_52d1_7e11);

/// What loading did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Workflows that run.
    pub workflows: usize,
    /// Workflows that cannot, each with the reason.
    pub unloaded: Vec<(String, String)>,
    /// Modules that stayed as they were.
    pub kept: usize,
    /// Modules that were made.
    pub made: usize,
}

/// The keys of the modules of a workflow; `own` sets them apart from all others.
pub(super) fn keys(workflow: &Workflow, own: Option<Uuid>) -> Result<Vec<(Key, &'static Native)>, String> {
    let mut keys: Vec<(Key, &'static Native)> = Vec::with_capacity(workflow.modules.len());
    for (index, module) in workflow.modules.iter().enumerate() {
        let place = |problem: String| format!("module {} ({}): {problem}", module.id, module.kind);
        let native = modules::find(&module.kind)
            .ok_or_else(|| place("this agent has no such module; it may be one of another operating system".into()))?;
        let mut inputs = Vec::with_capacity(module.inputs.len());
        for input in &module.inputs {
            if *input >= index {
                return Err(place(format!("its input {input} does not come before it")));
            }
            inputs.push(keys[*input].0);
        }
        let owner = match (own, native.role) {
            (Some(own), _) => own.to_string(),
            (None, Role::Write) => format!("{}/{}", workflow.element_id, workflow.object),
            (None, _) => String::new(),
        };
        let name = serde_json::to_vec(&(
            &module.kind,
            &module.configuration,
            &module.run_as,
            workflow.timeout_seconds,
            inputs,
            owner,
        ))
        .map_err(|error| place(error.to_string()))?;
        keys.push((Uuid::new_v5(&KEYS, &name), native));
    }
    Ok(keys)
}

impl Engine {
    /// Takes over a set of workflows in place of the present one, with the accounts that go with it.
    pub fn load(
        &mut self,
        workflows: Workflows,
        accounts: Accounts,
        now: Microseconds,
        positions: &Positions,
    ) -> Loaded {
        let mut loaded = Loaded::default();
        let accounts_changed = self.accounts != accounts;
        self.accounts = accounts;
        self.workflows = workflows.workflows;
        let mut old = std::mem::take(&mut self.nodes);
        // what runs on demand goes on
        let running: Vec<Key> = self.runs.values().flat_map(|run| run.keys.iter().copied()).collect();
        for key in running {
            if let Some(node) = old.remove(&key) {
                self.nodes.insert(key, node);
            }
        }
        for node in old.values_mut() {
            node.consumers.clear();
            node.taps.clear();
            node.workflows.clear();
        }
        let mut fresh: Vec<Key> = Vec::new();
        let mut unloaded = std::collections::BTreeMap::new();
        for index in 0..self.workflows.len() {
            let workflow = self.workflows[index].clone();
            if let Err(reason) = self.add(index, &workflow, &mut old, &mut fresh, accounts_changed) {
                let name = format!("{} {}", workflow.element_id, workflow.object);
                if self.unloaded.get(&name) != Some(&reason) {
                    self.workflow_event(index, WorkflowEventKind::Unloaded, "", &reason, 0, 0, now);
                }
                loaded.unloaded.push((workflow.element.clone(), reason.clone()));
                unloaded.insert(name, reason);
            } else {
                loaded.workflows += 1;
            }
        }
        self.unloaded = unloaded;
        loaded.made = fresh.len();
        loaded.kept = self.nodes.len().saturating_sub(fresh.len());
        self.ready.retain(|(key, _)| self.nodes.contains_key(key));
        self.timers.retain(|Reverse((_, key))| self.nodes.contains_key(key));
        self.forget_monitors();
        if !self.unsaid {
            self.say_unsaid();
        }
        for index in 0..self.workflows.len() {
            self.first_state(index, now);
        }
        for key in fresh {
            self.call(key, now, positions, |module, context| module.start(context));
        }
        self.deliver(now, positions);
        self.dirty = true;
        loaded
    }

    /// Adds a workflow, or nothing of it.
    fn add(
        &mut self,
        index: usize,
        workflow: &Workflow,
        old: &mut HashMap<Key, Node>,
        fresh: &mut Vec<Key>,
        renew: bool,
    ) -> Result<(), String> {
        if matches!(workflow.purpose, Purpose::Task | Purpose::Diagnostic { .. } | Purpose::Recovery { .. }) {
            // made when it is run; that it could be is known now
            for (native, module) in keys(workflow, None)?.iter().map(|(_, native)| native).zip(&workflow.modules) {
                self.make(native, workflow, module, Uuid::nil())?;
            }
            return Ok(());
        }
        let keys = keys(workflow, None)?;
        let taps = taps(index, workflow, keys.len())?;
        let mut made = Vec::new();
        for ((key, native), module) in keys.iter().zip(&workflow.modules) {
            let known = self.nodes.contains_key(key)
                || (old.contains_key(key) && !(renew && module.run_as.is_some()))
                || made.iter().any(|(known, _): &(Key, Node)| known == key);
            if !known {
                made.push((*key, self.make(native, workflow, module, *key)?));
            }
        }
        for (key, mut node) in made {
            if let Some(saved) = self.saved.modules.remove(&key.to_string()) {
                node.module.restore(&saved);
            }
            fresh.push(key);
            self.nodes.insert(key, node);
        }
        for (position, (key, _)) in keys.iter().enumerate() {
            if !self.nodes.contains_key(key)
                && let Some(node) = old.remove(key)
            {
                self.nodes.insert(*key, node);
            }
            for (place, input) in workflow.modules[position].inputs.iter().enumerate() {
                if let Some(node) = self.nodes.get_mut(&keys[*input].0)
                    && !node.consumers.contains(&(*key, place))
                {
                    node.consumers.push((*key, place));
                }
            }
            if let Some(node) = self.nodes.get_mut(key)
                && !node.workflows.contains(&index)
            {
                node.workflows.push(index);
            }
        }
        for (module, tap) in taps {
            if let Some(node) = self.nodes.get_mut(&keys[module].0) {
                node.taps.push(tap);
            }
        }
        Ok(())
    }

    pub(super) fn make(
        &mut self,
        native: &'static Native,
        workflow: &Workflow,
        module: &watchkeeper_model::workflow::Module,
        key: Key,
    ) -> Result<Node, String> {
        let timeout = match workflow.timeout_seconds {
            0 => DEFAULT_TIMEOUT,
            seconds => Duration::from_secs(u64::from(seconds)),
        };
        let owner =
            Owner { element: workflow.element.clone(), element_id: workflow.element_id, object: workflow.object };
        let setup = Setup {
            configuration: &module.configuration,
            owner: &owner,
            seed: key,
            limits: Limits { timeout, ..Limits::default() },
            run_as: module.run_as.as_deref(),
            accounts: &self.accounts,
            files: self
                .files
                .as_ref()
                .map(|folder| folder.join(format!("{}-{}", workflow.element_id, workflow.object))),
        };
        let label = format!("{} ({})", module.id, module.kind);
        let made = (native.make)(&setup).map_err(|problem| format!("module {label}: {problem}"))?;
        self.made += 1;
        Ok(Node {
            module: made,
            made: self.made,
            label,
            consumers: Vec::new(),
            taps: Vec::new(),
            run: None,
            workflows: Vec::new(),
            wake: None,
            running: false,
            waiting: VecDeque::new(),
            failures: 0,
            unreported: 0,
            rests_until: 0,
        })
    }

    /// States of monitors that are no longer there go; should they come back, they begin anew.
    fn forget_monitors(&mut self) {
        let present: BTreeSet<String> = self.workflows.iter().map(super::monitor::name).collect();
        self.monitors.retain(|name, _| present.contains(name));
    }
}

fn taps(index: usize, workflow: &Workflow, modules: usize) -> Result<Vec<(usize, Tap)>, String> {
    let mut taps = Vec::new();
    match &workflow.purpose {
        Purpose::Monitor { states, on_demand } => {
            for (list, on_demand) in [(states, false), (on_demand, true)] {
                for (position, state) in list.iter().enumerate() {
                    if state.module >= modules {
                        return Err(format!("the state {} names a module that is not there", state.state));
                    }
                    taps.push((state.module, Tap::Monitor { workflow: index, state: position, on_demand }));
                }
            }
        }
        Purpose::Discovery if modules > 0 => taps.push((modules - 1, Tap::Discovery { workflow: index })),
        _ => {}
    }
    if modules == 0 {
        return Err("it has no modules".to_owned());
    }
    Ok(taps)
}
