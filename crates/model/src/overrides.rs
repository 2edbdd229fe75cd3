//! Which override wins (specification 7), and where each effective value comes from.
//!
//! In this order:
//! 1. One for an object beats one for a group beats one for a class.
//! 2. Among those for objects, the object itself beats its host; among those for classes, the more specific wins.
//! 3. An enforced one beats one that is not.
//! 4. What is left is a tie: the one whose pack and ID come first in the order of the alphabet wins, and says so.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::ids::{ElementId, ObjectId};

/// What an override is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// All objects of a class and of those derived from it.
    Class(ElementId),
    /// The members of a group, and what they host or contain.
    Group(ObjectId),
    /// An object, and what it hosts.
    Object(ObjectId),
}

/// What an override sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Setting {
    /// A property that every workflow of its kind has (`Enabled`, `GenerateAlert`).
    Property(String),
    /// A parameter that the workflow's type declares.
    Parameter {
        /// The module, for rules.
        module: Option<String>,
        /// The parameter.
        name: String,
    },
}

/// An override.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// `Pack!Id`.
    pub id: String,
    /// The rule, monitor, discovery, diagnostic or recovery.
    pub workflow: ElementId,
    /// For what.
    pub scope: Scope,
    /// It beats others of its level.
    pub enforced: bool,
    /// What it sets.
    pub setting: Setting,
    /// To what.
    pub value: String,
}

/// Where an object stands, for overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its classes and those from which they derive, with how far they are from its own.
    pub classes: HashMap<ElementId, usize>,
    /// The groups that contain it, or one of its hosts.
    pub groups: BTreeSet<ObjectId>,
    /// Itself, then its hosts, the nearest first.
    pub objects: Vec<ObjectId>,
}

/// A value with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective<'a> {
    /// The override that wins.
    pub wins: &'a Override,
    /// Those that lose, the next best first.
    pub loses: Vec<&'a Override>,
    /// It wins only by the order of the alphabet, with another value than the next.
    pub is_tie: bool,
}

/// All overrides.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    by_workflow: HashMap<ElementId, Vec<Override>>,
}

/// Larger wins.
type Rank = (u8, Reverse<usize>, bool);

impl Overrides {
    /// From the overrides of all packs.
    #[must_use]
    pub fn new(overrides: impl IntoIterator<Item = Override>) -> Self {
        let mut by_workflow: HashMap<ElementId, Vec<Override>> = HashMap::new();
        for one in overrides {
            by_workflow.entry(one.workflow).or_default().push(one);
        }
        Self { by_workflow }
    }

    /// The overrides of a workflow, for whatever.
    pub fn of(&self, workflow: ElementId) -> impl Iterator<Item = &Override> {
        self.by_workflow.get(&workflow).into_iter().flatten()
    }

    /// What is overridden for an object; what is missing has its default.
    #[must_use]
    pub fn effective(&self, workflow: ElementId, standing: &Standing) -> BTreeMap<&Setting, Effective<'_>> {
        let mut applying: BTreeMap<&Setting, Vec<(Rank, &Override)>> = BTreeMap::new();
        for one in self.of(workflow) {
            if let Some(rank) = standing.rank(one) {
                applying.entry(&one.setting).or_default().push((rank, one));
            }
        }
        let mut chosen = BTreeMap::new();
        for (setting, mut all) in applying {
            all.sort_by(|(rank, one), (other_rank, other)| other_rank.cmp(rank).then_with(|| one.id.cmp(&other.id)));
            let is_tie = matches!(all.as_slice(), [(a, one), (b, other), ..] if a == b && one.value != other.value);
            let mut all = all.into_iter().map(|(_, one)| one);
            if let Some(wins) = all.next() {
                chosen.insert(setting, Effective { wins, loses: all.collect(), is_tie });
            }
        }
        chosen
    }

    /// The value of one setting for an object, or its default.
    #[must_use]
    pub fn value<'a>(
        &'a self,
        workflow: ElementId,
        setting: &Setting,
        standing: &Standing,
        default: &'a str,
    ) -> &'a str {
        self.effective(workflow, standing).get(setting).map_or(default, |effective| effective.wins.value.as_str())
    }
}

impl Standing {
    fn rank(&self, one: &Override) -> Option<Rank> {
        let (level, distance) = match one.scope {
            Scope::Class(class) => (0, *self.classes.get(&class)?),
            Scope::Group(group) => (1, self.groups.contains(&group).then_some(0)?),
            Scope::Object(object) => (2, self.objects.iter().position(|known| *known == object)?),
        };
        Some((level, Reverse(distance), one.enforced))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(name: &str) -> ElementId {
        ElementId::of("Test", name)
    }

    fn object(name: &str) -> ObjectId {
        ObjectId::of(element("Class"), [name])
    }

    fn threshold() -> Setting {
        Setting::Parameter { module: None, name: "Threshold".to_owned() }
    }

    fn one(id: &str, scope: Scope, enforced: bool) -> Override {
        let setting = threshold();
        Override { id: id.to_owned(), workflow: element("monitor"), scope, enforced, setting, value: id.to_owned() }
    }

    fn standing() -> Standing {
        Standing {
            classes: HashMap::from([(element("Server"), 0), (element("Computer"), 1), (element("Entity"), 2)]),
            groups: BTreeSet::from([object("web"), object("all")]),
            objects: vec![object("disk"), object("host")],
        }
    }

    #[test]
    fn the_documented_order_holds() {
        let class = |name| Scope::Class(element(name));
        let group = |name| Scope::Group(object(name));
        let instance = |name| Scope::Object(object(name));
        // each list from winner to loser; what does not apply is left out
        type Given<'a> = &'a [(&'a str, Scope, bool)];
        let cases: [(Given<'_>, &[&str], bool); 8] = [
            (&[("c", class("Server"), true), ("g", group("web"), false)], &["g", "c"], false),
            (&[("g", group("web"), true), ("o", instance("disk"), false)], &["o", "g"], false),
            (&[("base", class("Computer"), true), ("own", class("Server"), false)], &["own", "base"], false),
            (&[("a", class("Server"), false), ("b", class("Server"), true)], &["b", "a"], false),
            (&[("a", group("web"), false), ("b", group("all"), true)], &["b", "a"], false),
            (&[("b", group("web"), false), ("a", group("all"), false)], &["a", "b"], true),
            (&[("host", instance("host"), true), ("own", instance("disk"), false)], &["own", "host"], false),
            (&[("x", group("other"), true), ("y", class("Linux"), true)], &[], false),
        ];
        for (overrides, expected, is_tie) in cases {
            let all = Overrides::new(overrides.iter().map(|(id, scope, enforced)| one(id, *scope, *enforced)));
            let effective = all.effective(element("monitor"), &standing());
            let order: Vec<&str> = effective
                .get(&threshold())
                .map(|found| std::iter::once(found.wins).chain(found.loses.iter().copied()))
                .into_iter()
                .flatten()
                .map(|one| one.id.as_str())
                .collect();
            assert_eq!(order, expected);
            assert_eq!(effective.values().any(|found| found.is_tie), is_tie, "{expected:?}");
            let value = all.value(element("monitor"), &threshold(), &standing(), "default");
            assert_eq!(value, expected.first().copied().unwrap_or("default"));
        }
    }

    #[test]
    fn settings_and_workflows_are_apart() {
        let mut enabled = one("e", Scope::Class(element("Server")), false);
        enabled.setting = Setting::Property("Enabled".to_owned());
        let mut module = one("m", Scope::Class(element("Server")), false);
        module.setting = Setting::Parameter { module: Some("DS".to_owned()), name: "Threshold".to_owned() };
        let all = Overrides::new([one("t", Scope::Class(element("Server")), false), enabled, module]);
        assert_eq!(all.effective(element("monitor"), &standing()).len(), 3);
        assert!(all.effective(element("other"), &standing()).is_empty());
    }
}
