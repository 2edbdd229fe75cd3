//! What the instance space asks of classes, answered from loaded packs: collected once, then looked up by identity.

use std::collections::HashMap;

use super::{ClassType, Found, PackSet};
use crate::ids::ElementId;
use crate::objects::{Classes, LinkKind, RelationshipFacts};

/// Facts of all classes and relationship types of a set of packs. Owned, so that it can outlive the packs.
#[derive(Debug, Clone, Default)]
pub struct ClassFacts {
    classes: HashMap<ElementId, Facts>,
    relationships: HashMap<ElementId, (String, Option<ElementId>, Option<RelationshipFacts>)>,
    properties: HashMap<ElementId, (ElementId, String)>,
    singletons: Vec<ElementId>,
}

#[derive(Debug, Clone)]
struct Facts {
    name: String,
    base: Option<ElementId>,
    host: Option<ElementId>,
    keys: Vec<String>,
    is_abstract: bool,
    is_singleton: bool,
}

/// The identity of a property of a class (`$MPElement[Name="…"]/Property$`).
#[must_use]
pub fn property_id(pack: &str, class: &str, property: &str) -> ElementId {
    ElementId::of(pack, &format!("{class}/{property}"))
}

impl ClassFacts {
    /// Collects them.
    #[must_use]
    pub fn of(set: &PackSet) -> Self {
        let mut facts = Self::default();
        let id = |found: &Found<'_, ClassType>| found.pack.element_id(&found.element.id);
        let mut hosted_by: HashMap<ElementId, ElementId> = HashMap::new();
        for pack in set.packs() {
            for element in &pack.relationships {
                let found = Found { pack, element };
                let base = element.base.as_ref().and_then(|base| set.relationship(pack, base).ok());
                let ends = set.class(pack, &element.source.class).ok().zip(set.class(pack, &element.target.class).ok());
                let kinds = [
                    ("System.Hosting", LinkKind::Hosting),
                    ("System.Containment", LinkKind::Containment),
                    ("System.WatchedBy", LinkKind::WatchedBy),
                ];
                let is = |(name, _): &&(&str, LinkKind)| set.relationship_is(found, name);
                let kind = kinds.iter().find(is).map_or(LinkKind::Reference, |(_, kind)| *kind);
                let known =
                    ends.map(|(source, target)| RelationshipFacts { kind, source: id(&source), target: id(&target) });
                if let Some(known) = known.filter(|_| kind == LinkKind::Hosting && !element.is_abstract) {
                    hosted_by.entry(known.target).or_insert(known.source);
                }
                let base = base.map(|base| base.pack.element_id(&base.element.id));
                let name = format!("{}!{}", pack.id, element.id);
                facts.relationships.insert(pack.element_id(&element.id), (name, base, known));
            }
        }
        for pack in set.packs() {
            for element in &pack.classes {
                let own = pack.element_id(&element.id);
                for property in &element.properties {
                    let identity = property_id(&pack.id, &element.id, &property.id);
                    facts.properties.insert(identity, (own, property.id.clone()));
                }
                if element.singleton && !element.is_abstract {
                    facts.singletons.push(own);
                }
                let line = set.lineage(Found { pack, element });
                let known = Facts {
                    name: format!("{}!{}", pack.id, element.id),
                    base: line.get(1).map(id),
                    host: line.iter().find_map(|each| hosted_by.get(&id(each)).copied()),
                    keys: element.properties.iter().filter(|each| each.key).map(|each| each.id.clone()).collect(),
                    is_abstract: element.is_abstract,
                    is_singleton: element.singleton,
                };
                facts.classes.insert(own, known);
            }
        }
        facts
    }

    /// The singleton classes: each has its one object from the moment its pack is loaded
    /// ([`crate::objects::Objects::add_singleton`]). In the order of the packs.
    pub fn singletons(&self) -> impl Iterator<Item = ElementId> + '_ {
        self.singletons.iter().copied()
    }

    /// Whether a class declares a property itself.
    #[must_use]
    pub fn declares(&self, class: ElementId, property: &str) -> bool {
        self.classes
            .get(&class)
            .and_then(|known| known.name.split_once('!'))
            .is_some_and(|(pack, name)| self.properties.contains_key(&property_id(pack, name, property)))
    }

    /// All classes.
    pub fn all(&self) -> impl Iterator<Item = ElementId> + '_ {
        self.classes.keys().copied()
    }
}

impl Classes for ClassFacts {
    fn base(&self, class: ElementId) -> Option<ElementId> {
        match self.classes.get(&class) {
            Some(known) => known.base,
            None => self.relationships.get(&class)?.1,
        }
    }

    fn name(&self, class: ElementId) -> String {
        let of_class = self.classes.get(&class).map(|known| &known.name);
        let known = of_class.or_else(|| self.relationships.get(&class).map(|(name, ..)| name));
        known.cloned().unwrap_or_else(|| class.to_string())
    }

    fn is_known(&self, class: ElementId) -> bool {
        self.classes.contains_key(&class)
    }

    fn host(&self, class: ElementId) -> Option<ElementId> {
        self.classes.get(&class)?.host
    }

    fn own_keys(&self, class: ElementId) -> Vec<String> {
        self.classes.get(&class).map(|known| known.keys.clone()).unwrap_or_default()
    }

    fn is_abstract(&self, class: ElementId) -> bool {
        self.classes.get(&class).is_some_and(|known| known.is_abstract)
    }

    fn is_singleton(&self, class: ElementId) -> bool {
        self.classes.get(&class).is_some_and(|known| known.is_singleton)
    }

    fn property(&self, id: ElementId) -> Option<(ElementId, String)> {
        self.properties.get(&id).cloned()
    }

    fn relationship(&self, kind: ElementId) -> Option<RelationshipFacts> {
        self.relationships.get(&kind)?.2
    }
}

impl Classes for PackSet {
    fn base(&self, class: ElementId) -> Option<ElementId> {
        self.facts().base(class)
    }

    fn name(&self, class: ElementId) -> String {
        self.facts().name(class)
    }

    fn is_known(&self, class: ElementId) -> bool {
        self.facts().is_known(class)
    }

    fn host(&self, class: ElementId) -> Option<ElementId> {
        self.facts().host(class)
    }

    fn own_keys(&self, class: ElementId) -> Vec<String> {
        self.facts().own_keys(class)
    }

    fn is_abstract(&self, class: ElementId) -> bool {
        self.facts().is_abstract(class)
    }

    fn is_singleton(&self, class: ElementId) -> bool {
        self.facts().is_singleton(class)
    }

    fn property(&self, id: ElementId) -> Option<(ElementId, String)> {
        self.facts().property(id)
    }

    fn relationship(&self, kind: ElementId) -> Option<RelationshipFacts> {
        self.facts().relationship(kind)
    }
}
