//! The elements of packs that become workflows, by the class of their target, and how each is built.

use crate::ids::{ElementId, ObjectId};
use crate::node::Node;
use crate::overrides::Setting;
use crate::pack::{Enabled, ManagementPack, ModuleUse, Monitor, MonitorKind, OverrideableParameter, PackSet, Ref};
use crate::substitute::{Part, Template as Text, Variable, VariableKind};
use crate::workflow::{MonitorState, Purpose, Trigger};

use super::flatten::{Flat, Flattener};

/// The module that makes groups, which the server does itself.
pub(super) const GROUP_POPULATOR: &str = "Microsoft.SystemCenter.GroupPopulator";

/// Who runs the workflows of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// The agent with this object: a computer or a health service.
    Agent(ObjectId),
    /// A resource pool: nothing hosts it on an agent.
    Pool,
}

/// What an element is, with its place in the list of its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A rule.
    Rule(usize),
    /// A monitor of any kind; unit monitors run on agents.
    Monitor(usize),
    /// A discovery.
    Discovery(usize),
    /// A task.
    Task(usize),
    /// A diagnostic.
    Diagnostic(usize),
    /// A recovery.
    Recovery(usize),
}

/// One element.
#[derive(Debug)]
pub(super) struct Element {
    pub id: ElementId,
    /// `Pack!Element`
    pub name: String,
    /// The place of the pack in the set.
    pub pack: usize,
    pub kind: Kind,
    pub target: ElementId,
    pub target_name: String,
    pub enabled: Enabled,
    pub category: String,
    pub timeout_seconds: u32,
    /// Aggregate and dependency monitors, populators of groups.
    pub runs_on_server: bool,
    /// Why it runs on no agent.
    pub unusable: Option<String>,
}

/// An element taken apart.
#[derive(Debug)]
pub(super) struct Template {
    pub built: Result<Built, String>,
}

#[derive(Debug)]
pub(super) struct Built {
    pub flat: Flat,
    pub purpose: Purpose,
    /// What of it does not run.
    pub notes: Vec<String>,
}

/// Something with parameters: a module, or the unit monitor itself.
pub(super) struct Configured<'a> {
    /// The module; `None` for a unit monitor.
    pub module: Option<&'a str>,
    pub configuration: &'a Node,
    pub overrideable: &'a [OverrideableParameter],
}

impl Element {
    pub fn in_pack<'a>(&self, set: &'a PackSet) -> &'a ManagementPack {
        &set.packs()[self.pack]
    }

    /// The element itself, where it is a monitor.
    pub fn monitor<'a>(&self, set: &'a PackSet) -> Option<&'a Monitor> {
        match self.kind {
            Kind::Monitor(at) => self.in_pack(set).monitors.get(at),
            _ => None,
        }
    }

    /// Its modules, in the order in which they run.
    pub fn modules<'a>(&self, set: &'a PackSet) -> Vec<&'a ModuleUse> {
        let pack = self.in_pack(set);
        match self.kind {
            Kind::Rule(at) => {
                let rule = &pack.rules[at];
                rule.data_sources.iter().chain(&rule.condition).chain(&rule.write_actions).collect()
            }
            Kind::Monitor(_) => Vec::new(),
            Kind::Discovery(at) => pack.discoveries[at].data_source.iter().collect(),
            Kind::Task(at) => pack.tasks[at].action.iter().collect(),
            Kind::Diagnostic(at) => pack.diagnostics[at].condition.iter().chain(&pack.diagnostics[at].action).collect(),
            Kind::Recovery(at) => {
                let base = &pack.recoveries[at].base;
                base.condition.iter().chain(&base.action).collect()
            }
        }
    }

    /// What of it can have parameters that overrides change.
    pub fn configured<'a>(&self, set: &'a PackSet) -> Vec<Configured<'a>> {
        let pack = self.in_pack(set);
        if let Some(monitor) = self.monitor(set) {
            let MonitorKind::Unit { type_id, configuration, .. } = &monitor.kind else { return Vec::new() };
            let found = set.monitor_type(pack, type_id);
            let overrideable = found.map_or(&[][..], |found| &found.element.overrideable);
            return vec![Configured { module: None, configuration, overrideable }];
        }
        let configured = |module: &'a ModuleUse| {
            let found = set.module(pack, &module.type_id, module.kind);
            let overrideable = found.map_or(&[][..], |found| &found.element.overrideable);
            Configured { module: Some(&module.id), configuration: &module.configuration, overrideable }
        };
        self.modules(set).into_iter().map(configured).collect()
    }
}

/// The way to the value that a parameter stands for.
pub(super) fn selected(parameter: &OverrideableParameter) -> Option<Vec<String>> {
    match Text::parse(parameter.selector.trim()).ok()?.parts.as_slice() {
        [Part::Variable(Variable { kind: VariableKind::Config { path }, .. })] => Some(path.clone()),
        _ => None,
    }
}

/// All elements of all packs, in their order.
pub(super) fn all(set: &PackSet) -> Vec<Element> {
    let mut found = Vec::new();
    for (index, pack) in set.packs().iter().enumerate() {
        let mut add = |id: &str, kind, target: &Ref, enabled, category: &str, timeout: Option<u32>| {
            let (target_id, target_name, elsewhere) = match set.class(pack, target) {
                Ok(class) => {
                    let of_windows = set.lineage(class).iter().any(|each| each.pack.id == "Microsoft.Windows.Library");
                    let is_service = class.pack.id == "Microsoft.SystemCenter.Library";
                    let name = format!("{}!{}", class.pack.id, class.element.id);
                    let why =
                        format!("objects of {name} are on Windows computers, where no agent of this product runs");
                    (class.pack.element_id(&class.element.id), name, (of_windows && !is_service).then_some(why))
                }
                // named as broken below; no object is of this class
                Err(problem) => (ElementId::of(&pack.id, &target.0), target.0.clone(), Some(problem)),
            };
            let broken =
                set.is_broken(&pack.id, id).then(|| "it has an error; see the problems of its pack".to_owned());
            found.push(Element {
                id: pack.element_id(id),
                name: format!("{}!{id}", pack.id),
                pack: index,
                kind,
                target: target_id,
                target_name,
                enabled,
                category: category.to_owned(),
                timeout_seconds: timeout.unwrap_or(0),
                runs_on_server: false,
                unusable: broken.or(elsewhere),
            });
        };
        for (at, each) in pack.rules.iter().enumerate() {
            add(&each.id, Kind::Rule(at), &each.target, each.enabled, &each.category, None);
        }
        for (at, each) in pack.monitors.iter().enumerate() {
            add(&each.id, Kind::Monitor(at), &each.target, each.enabled, &each.category, None);
        }
        for (at, each) in pack.discoveries.iter().enumerate() {
            add(&each.id, Kind::Discovery(at), &each.target, each.enabled, &each.category, None);
        }
        for (at, each) in pack.tasks.iter().enumerate() {
            add(&each.id, Kind::Task(at), &each.target, each.enabled, &each.category, each.timeout_seconds);
        }
        for (at, each) in pack.diagnostics.iter().enumerate() {
            add(&each.id, Kind::Diagnostic(at), &each.target, each.enabled, &each.category, each.timeout_seconds);
        }
        for (at, each) in pack.recoveries.iter().enumerate() {
            let base = &each.base;
            add(&base.id, Kind::Recovery(at), &base.target, base.enabled, &base.category, base.timeout_seconds);
        }
    }
    for element in &mut found {
        element.runs_on_server = match element.kind {
            Kind::Monitor(_) => {
                element.monitor(set).is_some_and(|monitor| !matches!(monitor.kind, MonitorKind::Unit { .. }))
            }
            Kind::Discovery(_) => element.modules(set).iter().any(|module| module.type_id.id() == GROUP_POPULATOR),
            _ => false,
        };
    }
    found
}

/// Takes an element apart, with parameters as overrides have them.
pub(super) fn build(set: &PackSet, element: &Element, parameters: &[(Setting, String)]) -> Template {
    Template { built: try_build(set, element, parameters) }
}

fn try_build(set: &PackSet, element: &Element, parameters: &[(Setting, String)]) -> Result<Built, String> {
    let pack = element.in_pack(set);
    let mut flattener = Flattener::new(set, element.id);
    let mut notes = Vec::new();
    let configurations: Vec<Node> =
        element.configured(set).iter().map(|configured| with_parameters(configured, parameters)).collect();
    let modules = element.modules(set);
    let mut last: Option<usize> = None;
    let purpose = match element.kind {
        Kind::Rule(at) => {
            let rule = &pack.rules[at];
            let mut inputs = Vec::new();
            let mut reasons = Vec::new();
            let mut actions = 0;
            for (index, (module, configuration)) in modules.iter().zip(&configurations).enumerate() {
                if index < rule.data_sources.len() {
                    inputs.push(flattener.add(pack, module, configuration, &[])?);
                } else if index < rule.data_sources.len() + usize::from(rule.condition.is_some()) {
                    inputs = vec![flattener.add(pack, module, configuration, &inputs)?];
                } else {
                    match flattener.add(pack, module, configuration, &inputs) {
                        Ok(_) => actions += 1,
                        Err(reason) => reasons.push(reason),
                    }
                }
            }
            if actions == 0 && !reasons.is_empty() {
                return Err(reasons.join("; "));
            }
            notes = reasons;
            Purpose::Rule
        }
        Kind::Monitor(at) => monitor(&mut flattener, pack, &pack.monitors[at], &configurations, &mut notes)?,
        Kind::Discovery(_) | Kind::Task(_) | Kind::Diagnostic(_) | Kind::Recovery(_) => {
            for (module, configuration) in modules.iter().zip(&configurations) {
                let inputs: Vec<usize> = last.into_iter().collect();
                last = Some(flattener.add(pack, module, configuration, &inputs)?);
            }
            if last.is_none() {
                return Err("it has no module".to_owned());
            }
            match element.kind {
                Kind::Discovery(_) => Purpose::Discovery,
                Kind::Diagnostic(at) => {
                    let each = &pack.diagnostics[at];
                    let monitor = set.monitor(pack, &each.monitor)?;
                    let monitor = monitor.pack.element_id(&monitor.element.id);
                    Purpose::Diagnostic {
                        trigger: Trigger { monitor, on_state: each.on_state, after_diagnostic: None },
                    }
                }
                Kind::Recovery(at) => {
                    let each = &pack.recoveries[at];
                    let monitor = set.monitor(pack, &each.base.monitor)?;
                    let monitor = monitor.pack.element_id(&monitor.element.id);
                    let after_diagnostic = match &each.on_diagnostic {
                        Some(name) => Some(set.resolve(pack, name).map(|(pack, _)| pack.element_id(name.id()))?),
                        None => None,
                    };
                    let trigger = Trigger { monitor, on_state: each.base.on_state, after_diagnostic };
                    Purpose::Recovery { trigger, reset_monitor: each.reset_monitor }
                }
                _ => Purpose::Task,
            }
        }
    };
    Ok(Built { flat: flattener.flat, purpose, notes })
}

fn monitor<'a>(
    flattener: &mut Flattener<'a>,
    pack: &'a ManagementPack,
    monitor: &Monitor,
    configurations: &[Node],
    notes: &mut Vec<String>,
) -> Result<Purpose, String> {
    let (MonitorKind::Unit { type_id, run_as, states, .. }, Some(configuration)) =
        (&monitor.kind, configurations.first())
    else {
        return Err("it is no unit monitor".to_owned());
    };
    let wanted: Vec<&str> = states.iter().map(|state| state.type_state.as_str()).collect();
    let mean = |found: Vec<(String, usize)>| -> Vec<MonitorState> {
        let of_state = |state: &crate::pack::OperationalState| {
            let module = found.iter().find(|(name, _)| *name == state.type_state)?.1;
            Some(MonitorState { state: state.id.clone(), health: state.health, module })
        };
        states.iter().filter_map(of_state).collect()
    };
    let regular = flattener.add_detections(pack, type_id, run_as.as_ref(), configuration, &wanted, false)?;
    let on_demand = match flattener.add_detections(pack, type_id, run_as.as_ref(), configuration, &wanted, true) {
        Ok(found) => found,
        Err(reason) => {
            notes.push(format!("it is not checked on demand: {reason}"));
            Vec::new()
        }
    };
    if regular.is_empty() {
        return Err("nothing leads to any of its states".to_owned());
    }
    Ok(Purpose::Monitor { states: mean(regular), on_demand: mean(on_demand) })
}

/// A configuration with the values of overrides in their places.
fn with_parameters(configured: &Configured<'_>, parameters: &[(Setting, String)]) -> Node {
    let mut changed = configured.configuration.clone();
    for (setting, value) in parameters {
        let Setting::Parameter { module, name } = setting else { continue };
        if module.is_some() && module.as_deref() != configured.module {
            continue;
        }
        let parameter = configured.overrideable.iter().find(|known| known.id == *name);
        if let Some(path) = parameter.and_then(selected) {
            put(&mut changed, &path, value);
        }
    }
    changed
}

fn put(node: &mut Node, path: &[String], value: &str) {
    let Some((name, rest)) = path.split_first() else {
        value.clone_into(&mut node.text);
        node.children.clear();
        return;
    };
    let at = node.children.iter().position(|child| child.name == *name).unwrap_or_else(|| {
        node.children.push(Node::new(name));
        node.children.len() - 1
    });
    put(&mut node.children[at], rest, value);
}
