//! The instance space of a management group: objects, their hosts and relationships, and which discovery found what
//! (specification 4.4, 4.5, 9.1). An object stays while any source still finds it; it goes with its host.
//!
//! What each source found ([`Objects::found_by`]) is all there is to keep: applying it again gives the same space.

mod apply;
mod classes;
mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

pub use apply::{Applied, Mode, Rejected};
pub use classes::{Classes, LinkKind, RelationshipFacts};

use crate::ids::{ElementId, ObjectId};

/// Who found something: a discovery, running for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The discovery; for what operators make, an identity of theirs.
    pub discovery: ElementId,
    /// The object for which it runs.
    pub target: ObjectId,
}

/// One discovered instance of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The class.
    pub class: ElementId,
    /// The values, those of the hosts' keys too.
    pub properties: Vec<Setting>,
}

/// The value of a property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The class that declares it; needed where a host has a key of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ElementId>,
    /// The property.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A discovered relationship.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkInstance {
    /// The relationship type.
    pub kind: ElementId,
    /// From.
    pub source: End,
    /// To.
    pub target: End,
}

/// One end of a discovered relationship.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// An object that is known.
    Object(ObjectId),
    /// An object by its keys.
    Instance(Instance),
}

/// What a discovery gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovered {
    /// Objects.
    #[serde(default)]
    pub instances: Vec<Instance>,
    /// Relationships, except hosting, which follows from the keys.
    #[serde(default)]
    pub links: Vec<LinkInstance>,
}

/// A relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    /// The relationship type.
    pub kind: ElementId,
    /// From.
    pub source: ObjectId,
    /// To.
    pub target: ObjectId,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// From its keys.
    pub id: ObjectId,
    /// The most specific classes that it was found as; usually one.
    pub classes: BTreeSet<ElementId>,
    /// Values by the names of properties; where sources differ, the latest.
    pub properties: BTreeMap<String, String>,
    /// The object that hosts it.
    pub host: Option<ObjectId>,
    /// When it was first found, microseconds since 1970.
    pub since: i64,
    sources: BTreeMap<Source, Contribution>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Contribution {
    class: ElementId,
    properties: BTreeMap<String, String>,
    sequence: u64,
}

/// A change of the space, as history keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Microseconds since 1970.
    pub time: i64,
    /// Who made it; `None`: it follows from another change or from a class.
    pub source: Option<Source>,
    /// What.
    pub kind: ChangeKind,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKind {
    /// An object came.
    Added {
        /// Which.
        object: ObjectId,
    },
    /// An object is of other classes than before.
    Classes {
        /// Which.
        object: ObjectId,
    },
    /// A property has another value.
    Property {
        /// Of which.
        object: ObjectId,
        /// Which.
        name: String,
        /// `None`: it had none.
        before: Option<String>,
        /// `None`: it has none.
        after: Option<String>,
    },
    /// An object went.
    Removed {
        /// Which.
        object: ObjectId,
        /// Of which classes it was.
        classes: BTreeSet<ElementId>,
        /// What hosted it.
        host: Option<ObjectId>,
    },
    /// A relationship came.
    Linked(Link),
    /// A relationship went.
    Unlinked(Link),
}

impl ChangeKind {
    /// The objects that it is about.
    #[must_use]
    pub fn objects(&self) -> [Option<ObjectId>; 2] {
        match self {
            ChangeKind::Added { object }
            | ChangeKind::Classes { object }
            | ChangeKind::Property { object, .. }
            | ChangeKind::Removed { object, .. } => [Some(*object), None],
            ChangeKind::Linked(link) | ChangeKind::Unlinked(link) => [Some(link.source), Some(link.target)],
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Found {
    objects: BTreeSet<ObjectId>,
    links: BTreeSet<Link>,
}

/// All objects and relationships.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    objects: HashMap<ObjectId, Object>,
    hosted: HashMap<ObjectId, BTreeSet<ObjectId>>,
    /// By the most specific classes.
    of_class: HashMap<ElementId, BTreeSet<ObjectId>>,
    links: HashMap<Link, BTreeSet<Source>>,
    links_from: HashMap<ObjectId, BTreeSet<Link>>,
    links_to: HashMap<ObjectId, BTreeSet<Link>>,
    found: HashMap<Source, Found>,
    /// Sources by the object for which they run.
    sources_of_target: HashMap<ObjectId, BTreeSet<Source>>,
    sequence: u64,
}

impl Objects {
    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// An object.
    #[must_use]
    pub fn get(&self, id: ObjectId) -> Option<&Object> {
        self.objects.get(&id)
    }

    /// All objects, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// The objects of a class and of those derived from it, in the order of their identities.
    pub fn of_class(&self, class: ElementId, classes: &impl Classes) -> BTreeSet<ObjectId> {
        let derived = self.of_class.iter().filter(|(known, _)| classes.is_a(**known, class));
        derived.flat_map(|(_, objects)| objects.iter().copied()).collect()
    }

    /// Whether an object is of a class or of one derived from it.
    #[must_use]
    pub fn is_a(&self, object: ObjectId, class: ElementId, classes: &impl Classes) -> bool {
        self.get(object).is_some_and(|object| object.classes.iter().any(|known| classes.is_a(*known, class)))
    }

    /// What an object hosts itself.
    pub fn hosted_by(&self, host: ObjectId) -> impl Iterator<Item = ObjectId> {
        self.hosted.get(&host).into_iter().flatten().copied()
    }

    /// The hosts of an object, the nearest first.
    pub fn hosts(&self, object: ObjectId) -> impl Iterator<Item = ObjectId> {
        std::iter::successors(self.get(object).and_then(|object| object.host), |host| self.get(*host)?.host)
    }

    /// An object with all that it hosts, at any depth.
    #[must_use]
    pub fn with_hosted(&self, object: ObjectId) -> Vec<ObjectId> {
        let mut all = vec![object];
        let mut next = 0;
        while next < all.len() {
            all.extend(self.hosted_by(all[next]));
            next += 1;
        }
        all
    }

    /// An object with all that it hosts or contains, at any depth; each once.
    #[must_use]
    pub fn with_contained(&self, object: ObjectId, classes: &impl Classes) -> Vec<ObjectId> {
        let mut seen = BTreeSet::from([object]);
        let mut all = vec![object];
        let mut next = 0;
        while next < all.len() {
            let hosted = self.hosted_by(all[next]);
            let links = self.links_from(all[next]).filter(|link| is_containment(*link, classes));
            let members: Vec<ObjectId> = hosted.chain(links.map(|link| link.target)).collect();
            all.extend(members.into_iter().filter(|member| seen.insert(*member)));
            next += 1;
        }
        all
    }

    /// The relationships from an object, hosting aside.
    pub fn links_from(&self, object: ObjectId) -> impl Iterator<Item = Link> {
        self.links_from.get(&object).into_iter().flatten().copied()
    }

    /// The relationships to an object, hosting aside.
    pub fn links_to(&self, object: ObjectId) -> impl Iterator<Item = Link> {
        self.links_to.get(&object).into_iter().flatten().copied()
    }

    /// Who finds an object.
    pub fn sources(&self, object: ObjectId) -> impl Iterator<Item = Source> {
        self.get(object).into_iter().flat_map(|object| object.sources.keys().copied())
    }

    /// The objects that a source finds.
    pub fn objects_of(&self, source: Source) -> impl Iterator<Item = ObjectId> {
        self.found.get(&source).into_iter().flat_map(|found| found.objects.iter().copied())
    }

    /// The relationships that a source finds.
    pub fn links_of(&self, source: Source) -> impl Iterator<Item = Link> {
        self.found.get(&source).into_iter().flat_map(|found| found.links.iter().copied())
    }

    /// All relationships, hosting aside, in no order.
    pub fn links(&self) -> impl Iterator<Item = Link> {
        self.links.keys().copied()
    }

    /// All that a source found, in the form in which it is applied again; `None`: nothing.
    #[must_use]
    pub fn found_by(&self, source: Source) -> Option<Discovered> {
        let found = self.found.get(&source)?;
        let instance = |id: &ObjectId| self.instance(self.get(*id)?, source);
        let link = |link: &Link| LinkInstance {
            kind: link.kind,
            source: End::Object(link.source),
            target: End::Object(link.target),
        };
        Some(Discovered {
            instances: found.objects.iter().filter_map(instance).collect(),
            links: found.links.iter().map(link).collect(),
        })
    }

    /// The hosts' keys are not known here by name, so all their properties that are no one else's go along.
    fn instance(&self, object: &Object, source: Source) -> Option<Instance> {
        let contribution = object.sources.get(&source)?;
        let setting = |class: Option<ElementId>, (name, value): (&String, &String)| Setting {
            class,
            name: name.clone(),
            value: value.clone(),
        };
        let mut properties: Vec<Setting> =
            contribution.properties.iter().map(|property| setting(Some(contribution.class), property)).collect();
        for host in self.hosts(object.id).filter_map(|host| self.get(host)) {
            for class in &host.classes {
                properties.extend(host.properties.iter().map(|property| setting(Some(*class), property)));
            }
        }
        Some(Instance { class: contribution.class, properties })
    }
}

fn is_containment(link: Link, classes: &impl Classes) -> bool {
    classes.relationship(link.kind).is_some_and(|facts| facts.kind == LinkKind::Containment)
}

#[cfg(test)]
pub(crate) mod tests;
