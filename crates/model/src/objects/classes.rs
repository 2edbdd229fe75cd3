//! What the instance space has to know of classes; the loaded packs answer it.

use crate::ids::{ElementId, ObjectId};

/// Facts of classes and relationship types.
pub trait Classes {
    /// The class from which one derives directly; `None` at the root, and for what is unknown.
    fn base(&self, class: ElementId) -> Option<ElementId>;

    /// Its name for people (`Pack!Class`), also of a relationship type.
    fn name(&self, class: ElementId) -> String;

    /// Whether it is known.
    fn is_known(&self, class: ElementId) -> bool;

    /// The class that hosts it, its own or inherited.
    fn host(&self, class: ElementId) -> Option<ElementId>;

    /// Names of the key properties that the class declares itself, in order.
    fn own_keys(&self, class: ElementId) -> Vec<String>;

    /// Whether there can be no instance that is not of a derived class.
    fn is_abstract(&self, class: ElementId) -> bool;

    /// Whether there is always exactly one instance.
    fn is_singleton(&self, class: ElementId) -> bool;

    /// The class and name of the property with an identity (`$MPElement[Name="…"]/Property$`).
    fn property(&self, id: ElementId) -> Option<(ElementId, String)>;

    /// Facts of a relationship type.
    fn relationship(&self, kind: ElementId) -> Option<RelationshipFacts>;

    /// A class and all from which it derives, the most specific first.
    fn ancestry(&self, class: ElementId) -> Vec<ElementId> {
        let mut all = vec![class];
        // packs with a cycle are refused, yet nothing here may run forever
        while let Some(base) = all.last().and_then(|last| self.base(*last)) {
            if all.contains(&base) {
                break;
            }
            all.push(base);
        }
        all
    }

    /// Whether a class is another or derives from it.
    fn is_a(&self, class: ElementId, ancestor: ElementId) -> bool {
        class == ancestor || self.ancestry(class).contains(&ancestor)
    }

    /// All key properties with the classes that declare them, the root's first.
    fn keys(&self, class: ElementId) -> Vec<(ElementId, String)> {
        let mut ancestry = self.ancestry(class);
        ancestry.reverse();
        let own = |class: ElementId| self.own_keys(class).into_iter().map(move |key| (class, key));
        ancestry.into_iter().flat_map(own).collect()
    }

    /// The class that gives the identity: the most specific that declares a key, else the class itself. Instances of
    /// classes with the same one and the same keys are one object.
    fn identity_class(&self, class: ElementId) -> ElementId {
        let declares = |class: &ElementId| !self.own_keys(*class).is_empty();
        self.ancestry(class).into_iter().find(declares).unwrap_or(class)
    }

    /// The one object of a singleton class.
    fn singleton(&self, class: ElementId) -> ObjectId {
        ObjectId::of(class, [])
    }
}

/// Facts of a relationship type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelationshipFacts {
    /// What it means.
    pub kind: LinkKind,
    /// The class that it comes from.
    pub source: ElementId,
    /// The class that it goes to.
    pub target: ElementId,
}

/// What a relationship means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// The target exists only with the source.
    Hosting,
    /// The target is part of the source.
    Containment,
    /// They know each other.
    Reference,
    /// The target watches the source.
    WatchedBy,
}
