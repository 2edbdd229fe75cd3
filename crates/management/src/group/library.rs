//! What the loaded packs say, by identity: classes, relationships, monitors, elements, overrides.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;
use watchkeeper_model::compile::{Compiled, Compiler, EffectiveValue, LeftOut, ManagementGroup};
use watchkeeper_model::groups::Rule;
use watchkeeper_model::health::{Algorithm, MemberRule, MonitorKind, Monitors, RollupMonitor};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::{Classes, LinkKind, Objects, RelationshipFacts};
use watchkeeper_model::overrides::{Override, Overrides, Scope, Setting};
use watchkeeper_model::pack::{
    Change, ClassType, Discovery, ElementKind, ManagementPack, Monitor, MonitorKind as PackMonitorKind, PackSet,
    Problem, Ref, Task, monitoring,
};

use crate::alerts::ENTITY_HEALTH;
use crate::watchers::{HEARTBEAT_MONITOR, REACHABLE_MONITOR};

const SYSTEM: &str = "System.Library";
const HEALTH: &str = "System.Health.Library";
const CENTER: &str = "Microsoft.SystemCenter.Library";

#[derive(Debug, Default)]
struct ClassFacts {
    name: String,
    own_keys: Vec<String>,
    is_abstract: bool,
    is_singleton: bool,
}

#[derive(Debug, Clone)]
struct Element {
    pack: usize,
    kind: ElementKind,
    id: String,
}

/// The packs of the management group and what follows from them.
#[derive(Debug, Default)]
pub struct Library {
    /// All packs, built-in ones first.
    pub set: Arc<PackSet>,
    /// Makes the configurations of agents.
    compiler: Option<Compiler>,
    classes: HashMap<ElementId, ClassFacts>,
    /// Of classes and relationship types.
    bases: HashMap<ElementId, ElementId>,
    hosts: HashMap<ElementId, ElementId>,
    relationships: HashMap<ElementId, (RelationshipFacts, String)>,
    elements: HashMap<ElementId, Element>,
    /// How health rolls up.
    pub monitors: Monitors,
    /// Monitors that this server feeds itself, by the names under which their states are kept.
    own_monitors: BTreeMap<&'static str, ElementId>,
    /// All overrides, of packs and of operators.
    pub overrides: Overrides,
    /// Groups for whose members there are overrides.
    pub(super) overridden_groups: BTreeSet<ObjectId>,
    /// Classes for whose objects a discovery makes groups.
    pub(super) group_targets: BTreeSet<ElementId>,
}

impl Library {
    /// Loads packs, with the built-in libraries; the problems name files and lines.
    #[must_use]
    pub fn load(packs: Vec<ManagementPack>, own: &[watchkeeper_state::Override]) -> (Self, Vec<Problem>) {
        Self::load_for(packs, own, ManagementGroup::default())
    }

    /// The same for a management group, whose name workflows may ask for.
    #[must_use]
    pub fn load_for(
        packs: Vec<ManagementPack>,
        own: &[watchkeeper_state::Override],
        group: ManagementGroup,
    ) -> (Self, Vec<Problem>) {
        let (set, problems) = PackSet::load(packs);
        let mut library = Self { set: Arc::new(set), ..Self::default() };
        library.index_types();
        library.index_elements();
        library.index_monitors();
        let overrides: Vec<Override> = library.pack_overrides().into_iter().chain(library.own_overrides(own)).collect();
        let of_group = |one: &Override| match one.scope {
            Scope::Group(group) => Some(group),
            Scope::Class(_) | Scope::Object(_) => None,
        };
        library.overridden_groups = overrides.iter().filter_map(of_group).collect();
        library.overrides = Overrides::new(overrides);
        let mut compiler = Compiler::new(Arc::clone(&library.set), group);
        library.group_targets = compiler.group_targets();
        compiler.set_overrides(library.overrides.clone());
        library.compiler = Some(compiler);
        (library, problems)
    }

    /// What an agent is to run for these objects.
    #[must_use]
    pub fn compile(&self, objects: &Objects, of_agent: &BTreeSet<ObjectId>) -> Compiled {
        self.compiler.as_ref().map(|compiler| compiler.compile(objects, of_agent)).unwrap_or_default()
    }

    /// The rules of all groups, and what of them cannot be read.
    #[must_use]
    pub(super) fn group_rules(&self, objects: &Objects) -> (Vec<(ObjectId, Vec<Rule>)>, Vec<LeftOut>) {
        self.compiler.as_ref().map(|compiler| compiler.groups(objects)).unwrap_or_default()
    }

    /// The identity of what a pack calls by this name.
    #[must_use]
    pub fn id_of(&self, pack: &ManagementPack, name: &Ref) -> Option<ElementId> {
        if name.is_empty() {
            return None;
        }
        Some(self.set.pack_of(pack, name).ok()?.element_id(name.id()))
    }

    /// The identity of an element from `Pack!Element`, its identity as text, or its bare ID where only one pack has it.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<ElementId> {
        if let Ok(id) = Uuid::try_parse(name) {
            return Some(ElementId(id)).filter(|id| self.elements.contains_key(id));
        }
        if let Some((pack, element)) = name.split_once('!') {
            return Some(ElementId::of(pack, element)).filter(|id| self.elements.contains_key(id));
        }
        let mut found = self.elements.iter().filter(|(_, element)| element.id == name).map(|(id, _)| *id);
        found.next().filter(|_| found.next().is_none())
    }

    /// `Pack!Element`, or the identity where no pack has it.
    #[must_use]
    pub fn full_name(&self, id: ElementId) -> String {
        match self.element(id) {
            Some((pack, _, element)) => format!("{}!{element}", pack.id),
            None => id.to_string(),
        }
    }

    /// The pack, kind and ID of an element.
    #[must_use]
    pub fn element(&self, id: ElementId) -> Option<(&ManagementPack, ElementKind, &str)> {
        let element = self.elements.get(&id)?;
        Some((self.set.packs().get(element.pack)?, element.kind, &element.id))
    }

    /// The name of an element for people.
    #[must_use]
    pub fn display_name(&self, id: ElementId) -> String {
        let Some((pack, _, element)) = self.element(id) else { return id.to_string() };
        let text = pack.display(element, None, "ENU").map(|text| text.name.clone());
        text.filter(|name| !name.is_empty()).unwrap_or_else(|| element.to_owned())
    }

    /// What a pack says about an element in a sentence; empty where it says nothing.
    #[must_use]
    pub fn description(&self, id: ElementId) -> String {
        let Some((pack, _, element)) = self.element(id) else { return String::new() };
        pack.display(element, None, "ENU").and_then(|text| text.description.clone()).unwrap_or_default()
    }

    /// The article about an element, as plain text; empty where there is none.
    #[must_use]
    pub fn knowledge(&self, id: ElementId) -> String {
        let Some((pack, _, element)) = self.element(id) else { return String::new() };
        pack.knowledge(element, "ENU").map(|article| article.text()).unwrap_or_default()
    }

    /// All properties and parameters of an element as they are for an object, with where each comes from; for an
    /// object that is not there, the defaults.
    #[must_use]
    pub fn effective(&self, objects: &Objects, element: ElementId, object: ObjectId) -> Vec<EffectiveValue> {
        self.compiler.as_ref().map(|compiler| compiler.effective(objects, element, object)).unwrap_or_default()
    }

    /// A monitor with its pack.
    #[must_use]
    pub fn monitor(&self, id: ElementId) -> Option<(&ManagementPack, &Monitor)> {
        let (pack, _, element) = self.element(id)?;
        Some((pack, pack.monitors.iter().find(|monitor| monitor.id == element)?))
    }

    /// A task with its pack.
    #[must_use]
    pub fn task(&self, id: ElementId) -> Option<(&ManagementPack, &Task)> {
        let (pack, _, element) = self.element(id)?;
        Some((pack, pack.tasks.iter().find(|task| task.id == element)?))
    }

    /// A discovery with its pack.
    #[must_use]
    pub fn discovery(&self, id: ElementId) -> Option<(&ManagementPack, &Discovery)> {
        let (pack, _, element) = self.element(id)?;
        Some((pack, pack.discoveries.iter().find(|discovery| discovery.id == element)?))
    }

    /// The singleton classes that have an object.
    pub fn singletons(&self) -> impl Iterator<Item = ElementId> {
        self.classes.iter().filter(|(_, facts)| facts.is_singleton && !facts.is_abstract).map(|(id, _)| *id)
    }

    /// Whether a monitor is on unless an override says otherwise.
    #[must_use]
    pub fn is_on_by_default(&self, monitor: ElementId) -> bool {
        self.monitor(monitor).is_none_or(|(_, monitor)| monitor.enabled.as_str() != "false")
    }

    /// The identity of a monitor from how its states name it.
    #[must_use]
    pub fn monitor_id(&self, key: &str) -> Option<ElementId> {
        if let Some(id) = self.own_monitors.get(key) {
            return Some(*id);
        }
        Uuid::try_parse(key).ok().map(ElementId)
    }

    /// How states name a monitor.
    #[must_use]
    pub fn monitor_key(&self, id: ElementId) -> String {
        match self.own_monitors.iter().find(|(_, own)| **own == id) {
            Some((name, _)) => (*name).to_owned(),
            None => id.to_string(),
        }
    }

    fn index_types(&mut self) {
        let mut classes = HashMap::new();
        let mut bases = HashMap::new();
        for pack in self.set.packs() {
            for class in &pack.classes {
                let id = pack.element_id(&class.id);
                bases.extend(class.base.as_ref().and_then(|base| Some((id, self.id_of(pack, base)?))));
                classes.insert(id, class_facts(pack, class));
            }
            for relationship in &pack.relationships {
                let id = pack.element_id(&relationship.id);
                bases.extend(relationship.base.as_ref().and_then(|base| Some((id, self.id_of(pack, base)?))));
            }
        }
        self.bases = bases;
        let roots = [
            (ElementId::of(SYSTEM, "System.Hosting"), LinkKind::Hosting),
            (ElementId::of(SYSTEM, "System.WatchedBy"), LinkKind::WatchedBy),
            (ElementId::of(SYSTEM, "System.Containment"), LinkKind::Containment),
        ];
        let mut relationships = HashMap::new();
        let mut hosting: HashMap<ElementId, ElementId> = HashMap::new();
        for pack in self.set.packs() {
            for relationship in &pack.relationships {
                let ends = (self.id_of(pack, &relationship.source.class), self.id_of(pack, &relationship.target.class));
                let (Some(source), Some(target)) = ends else { continue };
                let id = pack.element_id(&relationship.id);
                let line = self.ancestry(id);
                let kind = roots.iter().find(|(root, _)| line.contains(root)).map_or(LinkKind::Reference, |(_, k)| *k);
                if kind == LinkKind::Hosting && !relationship.is_abstract {
                    hosting.entry(target).or_insert(source);
                }
                let name = format!("{}!{}", pack.id, relationship.id);
                relationships.insert(id, (RelationshipFacts { kind, source, target }, name));
            }
        }
        self.relationships = relationships;
        let hosts: HashMap<ElementId, ElementId> = classes
            .keys()
            .filter_map(|id| Some((*id, *self.ancestry(*id).iter().find_map(|class| hosting.get(class))?)))
            .collect();
        self.hosts = hosts;
        self.classes = classes;
    }

    fn index_elements(&mut self) {
        let mut elements = HashMap::new();
        for (at, pack) in self.set.packs().iter().enumerate() {
            for (kind, id, _) in pack.elements() {
                elements.insert(pack.element_id(id), Element { pack: at, kind, id: id.to_owned() });
            }
        }
        self.elements = elements;
    }

    fn index_monitors(&mut self) {
        let mut all: Vec<(ElementId, RollupMonitor)> = Vec::new();
        for pack in self.set.packs() {
            for monitor in pack.monitors.iter().filter(|monitor| !self.set.is_broken(&pack.id, &monitor.id)) {
                let (Some(target), Some(kind)) = (self.id_of(pack, &monitor.target), self.rollup_kind(pack, monitor))
                else {
                    continue;
                };
                let parent = monitor.parent.as_ref().and_then(|parent| self.id_of(pack, parent));
                all.push((pack.element_id(&monitor.id), RollupMonitor { target, parent, kind }));
            }
        }
        let watcher = ElementId::of(CENTER, "Microsoft.SystemCenter.HealthServiceWatcher");
        let availability = ElementId::of(HEALTH, "System.Health.AvailabilityState");
        for name in [HEARTBEAT_MONITOR, REACHABLE_MONITOR] {
            let id = ElementId::of(CENTER, name);
            let monitor = RollupMonitor { target: watcher, parent: Some(availability), kind: MonitorKind::Unit };
            all.retain(|(known, _)| *known != id);
            all.push((id, monitor));
            self.own_monitors.insert(name, id);
        }
        self.own_monitors.insert(ENTITY_HEALTH, ElementId::of(HEALTH, ENTITY_HEALTH));
        self.monitors = Monitors::new(all);
    }

    fn rollup_kind(&self, pack: &ManagementPack, monitor: &Monitor) -> Option<MonitorKind> {
        let algorithm_of = |algorithm: monitoring::Algorithm, percentage: Option<u32>| match algorithm {
            monitoring::Algorithm::WorstOf => Algorithm::WorstOf,
            monitoring::Algorithm::BestOf => Algorithm::BestOf,
            monitoring::Algorithm::Percentage => {
                Algorithm::Percentage(u8::try_from(percentage.unwrap_or(100)).unwrap_or(100))
            }
        };
        Some(match &monitor.kind {
            PackMonitorKind::Unit { .. } => MonitorKind::Unit,
            PackMonitorKind::Aggregate { algorithm } => MonitorKind::Aggregate(algorithm_of(*algorithm, None)),
            PackMonitorKind::Dependency {
                relationship,
                member,
                algorithm,
                percentage,
                in_maintenance,
                unavailable,
            } => MonitorKind::Dependency {
                relationship: self.id_of(pack, relationship)?,
                member: self.id_of(pack, member)?,
                algorithm: algorithm_of(*algorithm, *percentage),
                in_maintenance: in_maintenance.map_or(MemberRule::Ignore, MemberRule::As),
                unavailable: unavailable.map_or(MemberRule::Ignore, MemberRule::As),
            },
        })
    }

    fn pack_overrides(&self) -> Vec<Override> {
        let mut all = Vec::new();
        for pack in self.set.packs() {
            let usable = pack.overrides.iter().filter(|one| !self.set.is_broken(&pack.id, &one.id));
            for one in usable.filter(|one| !names_account(&one.value)) {
                let setting = match &one.change {
                    Change::Property(name) => Setting::Property(name.clone()),
                    Change::Configuration { parameter, module } => {
                        Setting::Parameter { module: module.clone(), name: parameter.clone() }
                    }
                    Change::Whole => continue,
                };
                let context = one.context.as_ref().and_then(|context| self.id_of(pack, context));
                let Some(scope) = self.scope(context, one.context_instance.as_deref().unwrap_or_default()) else {
                    continue;
                };
                let Some(workflow) = self.id_of(pack, &one.element) else { continue };
                all.push(Override {
                    id: format!("{}!{}", pack.id, one.id),
                    workflow,
                    scope,
                    enforced: one.enforced,
                    setting,
                    value: one.value.clone(),
                });
            }
        }
        all
    }

    /// What operators have set. One whose element or context is in no pack has no effect.
    fn own_overrides(&self, own: &[watchkeeper_state::Override]) -> Vec<Override> {
        let read = |one: &watchkeeper_state::Override| {
            if names_account(&one.value) {
                return None;
            }
            let setting = match one.kind.contains("Property") {
                true => Setting::Property(one.parameter.clone()),
                false => Setting::Parameter {
                    module: Some(one.module.clone()).filter(|module| !module.is_empty()),
                    name: one.parameter.clone(),
                },
            };
            Some(Override {
                id: one.override_id.clone(),
                workflow: self.named(&one.element)?,
                scope: self.scope(self.named(&one.context), &one.context_instance)?,
                enforced: one.enforced,
                setting,
                value: one.value.clone(),
            })
        };
        own.iter().filter_map(read).collect()
    }

    pub(super) fn scope(&self, context: Option<ElementId>, instance: &str) -> Option<Scope> {
        let group = ElementId::of(SYSTEM, "System.Group");
        if !instance.is_empty() {
            let id = ObjectId(Uuid::try_parse(instance).ok()?);
            let is_group = context.is_some_and(|class| self.is_a(class, group));
            return Some(if is_group { Scope::Group(id) } else { Scope::Object(id) });
        }
        let class = context?;
        Some(match self.is_singleton(class) && self.is_a(class, group) {
            true => Scope::Group(self.singleton(class)),
            false => Scope::Class(class),
        })
    }
}

/// Whether a text asks for an account. What is no pack's own text must not: it could carry the password anywhere.
#[must_use]
pub fn names_account(text: &str) -> bool {
    text.contains("$RunAs")
}

fn class_facts(pack: &ManagementPack, class: &ClassType) -> ClassFacts {
    ClassFacts {
        name: format!("{}!{}", pack.id, class.id),
        own_keys: class.properties.iter().filter(|property| property.key).map(|property| property.id.clone()).collect(),
        is_abstract: class.is_abstract,
        is_singleton: class.singleton,
    }
}

impl Classes for Library {
    fn base(&self, class: ElementId) -> Option<ElementId> {
        self.bases.get(&class).copied()
    }

    fn name(&self, class: ElementId) -> String {
        let class_name = self.classes.get(&class).map(|facts| facts.name.clone());
        let name = class_name.or_else(|| self.relationships.get(&class).map(|(_, name)| name.clone()));
        name.unwrap_or_else(|| class.to_string())
    }

    fn is_known(&self, class: ElementId) -> bool {
        self.classes.contains_key(&class)
    }

    fn host(&self, class: ElementId) -> Option<ElementId> {
        self.hosts.get(&class).copied()
    }

    fn own_keys(&self, class: ElementId) -> Vec<String> {
        self.classes.get(&class).map(|facts| facts.own_keys.clone()).unwrap_or_default()
    }

    fn is_abstract(&self, class: ElementId) -> bool {
        self.classes.get(&class).is_some_and(|facts| facts.is_abstract)
    }

    fn is_singleton(&self, class: ElementId) -> bool {
        self.classes.get(&class).is_some_and(|facts| facts.is_singleton)
    }

    fn property(&self, id: ElementId) -> Option<(ElementId, String)> {
        self.set.facts().property(id)
    }

    fn relationship(&self, kind: ElementId) -> Option<RelationshipFacts> {
        self.relationships.get(&kind).map(|(facts, _)| *facts)
    }
}
