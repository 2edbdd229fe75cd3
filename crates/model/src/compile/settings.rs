//! Overrides of packs, and what is in effect for an object with where each value comes from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ids::{ElementId, ObjectId};
use crate::objects::{Classes, LinkKind, Objects};
use crate::overrides::{Override, Overrides, Scope, Setting, Standing};
use crate::pack::{Change, Found, ManagementPack, MonitorKind, Overridden, PackSet};
use crate::substitute::substitute_text;

use super::Compiler;
use super::elements::{Configured, Element, Kind, selected};
use super::flatten::PackResolver;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// The element itself.
    Default,
    /// An override.
    Override {
        /// `Pack!Id`
        id: String,
        /// For what it was made.
        scope: Scope,
        /// Overrides that lose against it, the next best first.
        beats: Vec<String>,
        /// Another says something else and loses only by the order of the alphabet.
        is_tie: bool,
    },
}

/// A property or parameter as it is for an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveValue {
    /// What.
    pub setting: Setting,
    /// Of the element; `None`: it says nothing.
    pub default: Option<String>,
    /// In effect; `None`: nothing is said.
    pub value: Option<String>,
    /// Where that comes from.
    pub from: From,
}

/// The overrides of all packs. One that names nothing known is among the problems of its pack, and has no effect.
pub(super) fn of_packs(set: &PackSet, elements: &[Element]) -> Overrides {
    let mut all = Vec::new();
    for pack in set.packs() {
        for one in pack.overrides.iter().filter(|one| !set.is_broken(&pack.id, &one.id)) {
            let setting = match &one.change {
                Change::Property(name) => Setting::Property(name.clone()),
                Change::Configuration { parameter, module } => {
                    Setting::Parameter { module: module.clone(), name: parameter.clone() }
                }
                Change::Whole => Setting::Property("Enabled".to_owned()),
            };
            let Some(scope) = scope(set, pack, one.context.as_ref(), one.context_instance.as_deref()) else { continue };
            let workflows: Vec<ElementId> = match one.kind {
                Overridden::Category => {
                    let of_category = |element: &&Element| element.category.eq_ignore_ascii_case(one.element.id());
                    elements.iter().filter(of_category).map(|element| element.id).collect()
                }
                Overridden::SecureReference => Vec::new(),
                _ => set.pack_of(pack, &one.element).map(|of| of.element_id(one.element.id())).into_iter().collect(),
            };
            for workflow in workflows {
                // names in the value are of the overriding pack
                let resolver = PackResolver::of_element(set, pack, workflow);
                let Ok(value) = substitute_text(&one.value, &resolver) else { continue };
                all.push(Override {
                    id: format!("{}!{}", pack.id, one.id),
                    workflow,
                    scope,
                    enforced: one.enforced,
                    setting: setting.clone(),
                    value,
                });
            }
        }
    }
    Overrides::new(all)
}

/// For what an override holds. A context that is a group means its members.
fn scope(
    set: &PackSet,
    pack: &ManagementPack,
    context: Option<&crate::pack::Ref>,
    instance: Option<&str>,
) -> Option<Scope> {
    let class = context.and_then(|context| set.class(pack, context).ok());
    let is_group = |class: Found<'_, _>| {
        set.lineage(class).iter().any(|each| each.pack.id == "System.Library" && each.element.id == "System.Group")
    };
    let group = class.is_some_and(is_group);
    if let Some(instance) = instance {
        let object = ObjectId(uuid::Uuid::try_parse(instance.trim()).ok()?);
        return Some(if group { Scope::Group(object) } else { Scope::Object(object) });
    }
    let class = class?;
    let id = class.pack.element_id(&class.element.id);
    Some(if group && class.element.singleton { Scope::Group(set.facts().singleton(id)) } else { Scope::Class(id) })
}

impl Compiler {
    /// Where an object stands, for overrides.
    pub(super) fn standing(&self, objects: &Objects, object: ObjectId) -> Standing {
        let mut standing = Standing { objects: vec![object], ..Standing::default() };
        standing.objects.extend(objects.hosts(object));
        let mut classes: HashMap<ElementId, usize> = HashMap::new();
        for class in objects.get(object).into_iter().flat_map(|object| &object.classes) {
            for (distance, ancestor) in self.facts().ancestry(*class).into_iter().enumerate() {
                let known = classes.entry(ancestor).or_insert(distance);
                *known = distance.min(*known);
            }
        }
        standing.classes = classes;
        // everything above it: by hosting, by containment, which membership of a group is
        let mut seen: BTreeSet<ObjectId> = standing.objects.iter().copied().collect();
        let mut open = standing.objects.clone();
        while let Some(below) = open.pop() {
            let contains =
                |kind| self.facts().relationship(kind).is_some_and(|facts| facts.kind == LinkKind::Containment);
            let containers = objects.links_to(below).filter(|link| contains(link.kind)).map(|link| link.source);
            for above in containers.chain(objects.get(below).and_then(|object| object.host)) {
                if seen.insert(above) {
                    open.push(above);
                }
            }
        }
        standing.groups = seen;
        standing
    }

    /// What overrides change of an element.
    pub(super) fn changes(&self, element: &Element, standing: &Standing) -> BTreeMap<Setting, String> {
        if self.overrides.of(element.id).next().is_none() {
            return BTreeMap::new();
        }
        let effective = self.overrides.effective(element.id, standing);
        effective.into_iter().map(|(setting, found)| (setting.clone(), found.wins.value.clone())).collect()
    }

    /// The value of a property of an element for an object, where an override sets it.
    pub(super) fn overridden(
        &self,
        element: ElementId,
        objects: &Objects,
        object: ObjectId,
        name: &str,
    ) -> Option<String> {
        self.overrides.of(element).next()?;
        let effective = self.overrides.effective(element, &self.standing(objects, object));
        effective.get(&Setting::Property(name.to_owned())).map(|found| found.wins.value.clone())
    }

    /// Whether an element is on for an object; a monitor of any kind, too. An unknown element is not.
    #[must_use]
    pub fn is_enabled(&self, objects: &Objects, object: ObjectId, element: ElementId) -> bool {
        let Some(known) = self.by_id.get(&element).map(|at| &self.elements[*at]) else { return false };
        let value = self.overridden(element, objects, object, "Enabled");
        let changes = value.map(|value| (Setting::Property("Enabled".to_owned()), value)).into_iter().collect();
        self.enabled_in(known, &changes)
    }

    /// All properties and parameters of an element as they are for an object, for operators. Empty for an element that
    /// is not known.
    #[must_use]
    pub fn effective(&self, objects: &Objects, element: ElementId, object: ObjectId) -> Vec<EffectiveValue> {
        let Some(known) = self.by_id.get(&element).map(|at| &self.elements[*at]) else { return Vec::new() };
        let mut defaults = self.defaults(known);
        let standing = self.standing(objects, object);
        let mut values = Vec::new();
        for (setting, found) in self.overrides.effective(element, &standing) {
            // one that names no module is for whichever module has the parameter
            let of = |(default, _): &(Setting, Option<String>)| default == setting || is_same(default, setting);
            let at = defaults.iter().position(of);
            let default = at.and_then(|at| defaults.remove(at).1);
            values.push(EffectiveValue {
                setting: setting.clone(),
                default,
                value: Some(found.wins.value.clone()),
                from: From::Override {
                    id: found.wins.id.clone(),
                    scope: found.wins.scope,
                    beats: found.loses.iter().map(|one| one.id.clone()).collect(),
                    is_tie: found.is_tie,
                },
            });
        }
        for (setting, default) in defaults {
            values.push(EffectiveValue { setting, value: default.clone(), default, from: From::Default });
        }
        values.sort_by(|one, other| one.setting.cmp(&other.setting));
        values
    }

    fn defaults(&self, element: &Element) -> Vec<(Setting, Option<String>)> {
        let property = |name: &str, value: &str| (Setting::Property(name.to_owned()), Some(value.to_owned()));
        let mut all = vec![property("Enabled", element.enabled.as_str())];
        if let Some(monitor) = element.monitor(&self.set) {
            all.push(property("GenerateAlert", if monitor.alert.is_some() { "true" } else { "false" }));
            if let Some(alert) = &monitor.alert {
                all.push(property("AlertOnState", super::server::state_word(alert.on_state)));
                all.push(property("AutoResolve", if alert.auto_resolve { "true" } else { "false" }));
                all.push(property("AlertPriority", alert.priority.as_str()));
                all.push(property("AlertSeverity", alert.severity.as_str()));
            }
            match &monitor.kind {
                MonitorKind::Aggregate { algorithm } | MonitorKind::Dependency { algorithm, .. } => {
                    all.push(property("Algorithm", algorithm.as_str()));
                }
                MonitorKind::Unit { .. } => {}
            }
        }
        for configured in element.configured(&self.set) {
            let Configured { module, configuration, overrideable } = configured;
            for parameter in overrideable {
                let value = selected(parameter).and_then(|path| {
                    path.iter().try_fold(configuration, |node, name| node.child(name)).map(|node| node.text.clone())
                });
                let module = module.filter(|_| !matches!(element.kind, Kind::Monitor(_))).map(str::to_owned);
                all.push((Setting::Parameter { module, name: parameter.id.clone() }, value));
            }
        }
        all
    }
}

fn is_same(default: &Setting, setting: &Setting) -> bool {
    match (default, setting) {
        (Setting::Parameter { name, .. }, Setting::Parameter { module: None, name: other }) => name == other,
        _ => false,
    }
}
