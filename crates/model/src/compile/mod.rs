//! Packs, overrides and objects become what an agent runs, and what the server has to know beside it.
//!
//! An element is taken apart once for all objects ([`flatten`]); for an object only what depends on it is filled in
//! ([`fill`]). Where overrides change parameters, each combination of values is taken apart once.

mod elements;
mod fill;
mod flatten;
mod server;
mod settings;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::ids::{ElementId, ObjectId};
use crate::objects::{Classes, Objects};
use crate::overrides::{Overrides, Setting};
use crate::pack::{ClassFacts, Enabled, PackSet};
use crate::workflow::{Workflow, Workflows};

pub use elements::{Kind, Placement};
pub use server::{MonitorAlertSettings, Texts};
pub use settings::{EffectiveValue, From};

use elements::{Element, Template};
use fill::TargetResolver;

const VERSIONS: Uuid = Uuid::from_u128(0x5d6a_2c1e_9a0b_4c57_8f0e_3b6d_17c4_a903);

/// `$Target/ManagementGroup/…$`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagementGroup {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: Uuid,
}

/// Something that does not run, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// `Pack!Element`
    pub element: String,
    /// The object; `None`: it runs for no object.
    pub object: Option<ObjectId>,
    /// Why, and whether only a part of it is meant.
    pub reason: String,
}

/// What an agent is to run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compiled {
    /// The workflows.
    pub workflows: Workflows,
    /// The same for the same workflows: an agent that has it needs no push.
    pub version: String,
    /// What does not run.
    pub left_out: Vec<LeftOut>,
    /// How many pairs of element and object were looked at: what it cost.
    pub looked_at: usize,
}

/// A taken apart element for the values that overrides gave its parameters.
type Variant = (usize, Vec<(Setting, String)>);

/// Compiles for agents. Made once for a set of packs; cheap for each agent.
#[derive(Debug)]
pub struct Compiler {
    set: Arc<PackSet>,
    group: ManagementGroup,
    elements: Vec<Element>,
    by_id: HashMap<ElementId, usize>,
    by_target: HashMap<ElementId, Vec<usize>>,
    /// Every element of every pack: the place of its pack, and its ID there.
    named: HashMap<ElementId, (usize, String)>,
    overrides: Overrides,
    variants: Mutex<HashMap<Variant, Arc<Template>>>,
}

impl Compiler {
    /// From packs, which bring their overrides along. Members of groups are related to them in the instance space.
    #[must_use]
    pub fn new(set: Arc<PackSet>, group: ManagementGroup) -> Self {
        let elements = elements::all(&set);
        let by_id = elements.iter().enumerate().map(|(at, element)| (element.id, at)).collect();
        let mut by_target: HashMap<ElementId, Vec<usize>> = HashMap::new();
        for (at, element) in elements.iter().enumerate() {
            by_target.entry(element.target).or_default().push(at);
        }
        let overrides = settings::of_packs(&set, &elements);
        let named = set.packs().iter().enumerate().flat_map(|(at, pack)| {
            let elements = pack.elements();
            elements.into_iter().map(move |(_, id, _)| (pack.element_id(id), (at, id.to_owned())))
        });
        let named = named.collect();
        Self { set, group, elements, by_id, by_target, named, overrides, variants: Mutex::default() }
    }

    /// The packs.
    #[must_use]
    pub fn packs(&self) -> &Arc<PackSet> {
        &self.set
    }

    fn named(&self) -> &HashMap<ElementId, (usize, String)> {
        &self.named
    }

    /// What is known of classes.
    #[must_use]
    pub fn facts(&self) -> &ClassFacts {
        self.set.facts()
    }

    /// The overrides of all packs.
    #[must_use]
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Other overrides in the place of those of the packs: those of operators count too.
    pub fn set_overrides(&mut self, overrides: Overrides) {
        self.overrides = overrides;
    }

    /// How many different forms of elements were taken apart so far, because overrides change parameters.
    #[must_use]
    pub fn variants(&self) -> usize {
        self.variants.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The workflows of the objects of one agent ([`agent_objects`]).
    #[must_use]
    pub fn compile(&self, objects: &Objects, of_agent: &BTreeSet<ObjectId>) -> Compiled {
        let mut compiled = Compiled::default();
        for object in of_agent {
            let Some(known) = objects.get(*object) else { continue };
            let standing = self.standing(objects, *object);
            let ancestry: BTreeSet<ElementId> =
                known.classes.iter().flat_map(|class| self.facts().ancestry(*class)).collect();
            for at in ancestry.iter().filter_map(|class| self.by_target.get(class)).flatten() {
                compiled.looked_at += 1;
                let element = &self.elements[*at];
                if element.runs_on_server {
                    continue;
                }
                let changes = self.changes(element, &standing);
                if !self.enabled_in(element, &changes) {
                    continue;
                }
                match self.workflow(objects, *at, &changes, *object) {
                    Ok((workflow, notes)) => {
                        compiled.workflows.workflows.push(workflow);
                        let left = |reason| LeftOut { element: element.name.clone(), object: Some(*object), reason };
                        compiled.left_out.extend(notes.into_iter().map(left));
                    }
                    Err(reason) => {
                        let element = element.name.clone();
                        compiled.left_out.push(LeftOut { element, object: Some(*object), reason });
                    }
                }
            }
        }
        compiled.workflows.workflows.sort_by_key(|workflow| (workflow.element_id, workflow.object));
        compiled.left_out.sort();
        compiled.version = version(&compiled.workflows);
        compiled
    }

    fn workflow(
        &self,
        objects: &Objects,
        at: usize,
        changes: &BTreeMap<Setting, String>,
        object: ObjectId,
    ) -> Result<(Workflow, Vec<String>), String> {
        let element = &self.elements[at];
        if let Some(reason) = &element.unusable {
            return Err(reason.clone());
        }
        let parameters: Vec<(Setting, String)> = changes
            .iter()
            .filter(|(setting, _)| matches!(setting, Setting::Parameter { .. }))
            .map(|(setting, value)| (setting.clone(), value.clone()))
            .collect();
        let template = self.template(at, parameters);
        let built = template.built.as_ref().map_err(Clone::clone)?;
        let resolver = TargetResolver { objects, facts: self.facts(), group: &self.group, object };
        let mut modules = Vec::with_capacity(built.flat.modules.len());
        for part in &built.flat.modules {
            let mut module = part.module.clone();
            if part.has_target {
                module.configuration =
                    fill::fill(&module.configuration, &resolver).map_err(|why| format!("{}: {why}", module.id))?;
            }
            modules.push(module);
        }
        let workflow = Workflow {
            element: element.name.clone(),
            element_id: element.id,
            object,
            class: element.target_name.clone(),
            purpose: built.purpose.clone(),
            modules,
            timeout_seconds: element.timeout_seconds,
        };
        Ok((workflow, built.notes.clone()))
    }

    /// An element with parameters as overrides have them, taken apart.
    fn template(&self, at: usize, parameters: Vec<(Setting, String)>) -> Arc<Template> {
        let key = (at, parameters);
        let lock = || self.variants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return Arc::clone(known);
        }
        let made = Arc::new(elements::build(&self.set, &self.elements[at], &key.1));
        Arc::clone(lock().entry(key).or_insert(made))
    }

    fn enabled_in(&self, element: &Element, changes: &BTreeMap<Setting, String>) -> bool {
        let overridden = changes.get(&Setting::Property("Enabled".to_owned())).and_then(|value| Enabled::parse(value));
        overridden.unwrap_or(element.enabled) != Enabled::No
    }
}

/// The same for the same workflows.
fn version(workflows: &Workflows) -> String {
    // text and numbers alone: this cannot fail
    let text = serde_json::to_vec(workflows).unwrap_or_default();
    Uuid::new_v5(&VERSIONS, &text).to_string()
}

/// The objects of an agent: its roots (its computer, its health service) and all that they host.
#[must_use]
pub fn agent_objects(objects: &Objects, roots: impl IntoIterator<Item = ObjectId>) -> BTreeSet<ObjectId> {
    let known = roots.into_iter().filter(|root| objects.get(*root).is_some());
    known.flat_map(|root| objects.with_hosted(root)).collect()
}

/// Who runs the workflows of an object.
#[must_use]
pub fn placement(objects: &Objects, classes: &impl Classes, object: ObjectId) -> Placement {
    let root = objects.hosts(object).last().unwrap_or(object);
    let is = |pack: &str, class: &str| objects.is_a(root, ElementId::of(pack, class), classes);
    if is("System.Library", "System.Computer")
        || is("Microsoft.SystemCenter.Library", "Microsoft.SystemCenter.HealthService")
    {
        Placement::Agent(root)
    } else {
        Placement::Pool
    }
}
