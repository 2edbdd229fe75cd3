//! A set of packs that belong together, with the built-in libraries: finds what a name means.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use super::common::{Accessibility, Ref};
use super::modules::{ModuleKind, ModuleType, UnitMonitorType};
use super::monitoring::Monitor;
use super::problem::did_you_mean;
use super::{ClassFacts, ClassType, ElementKind, ManagementPack, Property, RelationshipType, library};

/// Something of a pack, with the pack.
#[derive(Debug)]
pub struct Found<'a, T> {
    /// The pack.
    pub pack: &'a ManagementPack,
    /// The element.
    pub element: &'a T,
}

impl<T> Clone for Found<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Found<'_, T> {}

/// Packs and what is in them.
#[derive(Debug, Default)]
pub struct PackSet {
    packs: Vec<ManagementPack>,
    by_id: HashMap<String, usize>,
    /// For each pack: its elements by ID, the kind and where in the list of the kind.
    elements: Vec<HashMap<String, ElementKind>>,
    /// For each pack: aliases that cannot be used, with the reason.
    unusable: Vec<BTreeMap<String, String>>,
    /// Elements that do not work: pack and element.
    broken: BTreeSet<(String, String)>,
    facts: OnceLock<ClassFacts>,
}

impl PackSet {
    /// Takes packs and the libraries. A pack of a library's ID gives way to the library.
    pub(super) fn of(packs: Vec<ManagementPack>) -> Self {
        let mut set = Self::default();
        for pack in library::libraries().iter().cloned().chain(packs) {
            if !set.by_id.contains_key(&pack.id) {
                set.by_id.insert(pack.id.clone(), set.packs.len());
                let elements = pack.elements().into_iter().map(|(kind, id, _)| (id.to_owned(), kind)).collect();
                set.elements.push(elements);
                set.unusable.push(BTreeMap::new());
                set.packs.push(pack);
            }
        }
        set
    }

    pub(super) fn set_unusable(&mut self, pack: &str, alias: &str, reason: String) {
        if let Some(unusable) = self.by_id.get(pack).and_then(|at| self.unusable.get_mut(*at)) {
            unusable.insert(alias.to_owned(), reason);
        }
    }

    pub(super) fn set_broken(&mut self, broken: BTreeSet<(String, String)>) {
        self.broken = broken;
    }

    /// What is known of classes by their identities; collected when it is first asked for.
    pub fn facts(&self) -> &ClassFacts {
        self.facts.get_or_init(|| ClassFacts::of(self))
    }

    /// All packs, libraries first.
    #[must_use]
    pub fn packs(&self) -> &[ManagementPack] {
        &self.packs
    }

    /// A pack by its ID.
    #[must_use]
    pub fn pack(&self, id: &str) -> Option<&ManagementPack> {
        self.packs.get(*self.by_id.get(id)?)
    }

    /// Whether an element has an error and does not work.
    #[must_use]
    pub fn is_broken(&self, pack: &str, element: &str) -> bool {
        self.broken.contains(&(pack.to_owned(), element.to_owned()))
    }

    /// What kind of element a pack has under an ID.
    #[must_use]
    pub fn kind(&self, pack: &ManagementPack, id: &str) -> Option<ElementKind> {
        self.elements.get(*self.by_id.get(&pack.id)?)?.get(id).copied()
    }

    /// The pack that a reference points into, and the ID there.
    ///
    /// # Errors
    /// What is wrong with the alias and what to do.
    pub fn pack_of<'a>(&'a self, from: &'a ManagementPack, name: &Ref) -> Result<&'a ManagementPack, String> {
        let Some(alias) = name.alias() else { return Ok(from) };
        let at = self.by_id.get(&from.id);
        if let Some(reason) = at.and_then(|at| self.unusable.get(*at)).and_then(|unusable| unusable.get(alias)) {
            return Err(format!("'{name}' cannot be used: {reason}"));
        }
        let Some(reference) = from.references.iter().find(|known| known.alias == alias) else {
            let hint = did_you_mean(alias, from.references.iter().map(|known| known.alias.as_str()));
            return Err(format!(
                "the alias of '{name}' is not among the references; add a <Reference Alias=\"{alias}\">{hint}"
            ));
        };
        self.pack(&reference.id)
            .ok_or_else(|| format!("'{name}' is in the pack {}, which is not loaded; import it first", reference.id))
    }

    /// The pack and kind of the element that a reference names.
    ///
    /// # Errors
    /// Why it names nothing and what to do.
    pub fn resolve<'a>(
        &'a self,
        from: &'a ManagementPack,
        name: &Ref,
    ) -> Result<(&'a ManagementPack, ElementKind), String> {
        let pack = self.pack_of(from, name)?;
        match self.kind(pack, name.id()) {
            Some(kind) => Ok((pack, kind)),
            None => {
                let known = pack.elements();
                let hint = did_you_mean(name.id(), known.iter().map(|(_, id, _)| *id));
                Err(format!("the pack {} has no element '{}'{hint}", pack.id, name.id()))
            }
        }
    }

    /// Finds an element of a kind.
    fn find<'a, T>(
        &'a self,
        from: &'a ManagementPack,
        name: &Ref,
        kind: ElementKind,
        list: impl Fn(&'a ManagementPack) -> &'a [T],
        key: impl Fn(&T) -> (&str, Accessibility),
    ) -> Result<Found<'a, T>, String> {
        if name.is_empty() {
            return Err(format!("no {} is named", kind.word()));
        }
        let pack = self.pack_of(from, name)?;
        if let Some(element) = list(pack).iter().find(|each| key(each).0 == name.id()) {
            if pack.id != from.id && key(element).1 == Accessibility::Internal {
                return Err(format!("'{name}' is internal to the pack {}; make it public there", pack.id));
            }
            return Ok(Found { pack, element });
        }
        if let Some(other) = self.kind(pack, name.id()) {
            return Err(format!("'{name}' is a {}, and a {} is needed here", other.word(), kind.word()));
        }
        let hint = did_you_mean(name.id(), list(pack).iter().map(|each| key(each).0));
        Err(format!("the pack {} has no {} '{}'{hint}", pack.id, kind.word(), name.id()))
    }

    /// Finds a class.
    ///
    /// # Errors
    /// Why it names none and what to do; so for the others.
    pub fn class<'a>(&'a self, from: &'a ManagementPack, name: &Ref) -> Result<Found<'a, ClassType>, String> {
        self.find(from, name, ElementKind::Class, |pack| &pack.classes, |each| (&each.id, each.accessibility))
    }

    /// Finds a relationship.
    ///
    /// # Errors
    /// See [`Self::class`].
    pub fn relationship<'a>(
        &'a self,
        from: &'a ManagementPack,
        name: &Ref,
    ) -> Result<Found<'a, RelationshipType>, String> {
        self.find(
            from,
            name,
            ElementKind::Relationship,
            |pack| &pack.relationships,
            |each| (&each.id, each.accessibility),
        )
    }

    /// Finds a module type of a kind.
    ///
    /// # Errors
    /// See [`Self::class`].
    pub fn module<'a>(
        &'a self,
        from: &'a ManagementPack,
        name: &Ref,
        kind: ModuleKind,
    ) -> Result<Found<'a, ModuleType>, String> {
        let wanted = ElementKind::Module(kind);
        let found = self.find(from, name, wanted, |pack| &pack.modules, |each| (&each.id, each.accessibility))?;
        if found.element.kind == kind {
            Ok(found)
        } else {
            let is = ElementKind::Module(found.element.kind).word();
            Err(format!("'{name}' is a {is}, and a {} is needed here", wanted.word()))
        }
    }

    /// Finds a type of unit monitors.
    ///
    /// # Errors
    /// See [`Self::class`].
    pub fn monitor_type<'a>(
        &'a self,
        from: &'a ManagementPack,
        name: &Ref,
    ) -> Result<Found<'a, UnitMonitorType>, String> {
        self.find(
            from,
            name,
            ElementKind::MonitorType,
            |pack| &pack.monitor_types,
            |each| (&each.id, each.accessibility),
        )
    }

    /// Finds a monitor.
    ///
    /// # Errors
    /// See [`Self::class`].
    pub fn monitor<'a>(&'a self, from: &'a ManagementPack, name: &Ref) -> Result<Found<'a, Monitor>, String> {
        self.find(from, name, ElementKind::Monitor, |pack| &pack.monitors, |each| (&each.id, each.accessibility))
    }

    /// A class and its bases, the class first. Ends where a base is missing or a cycle closes.
    #[must_use]
    pub fn lineage<'a>(&'a self, class: Found<'a, ClassType>) -> Vec<Found<'a, ClassType>> {
        let mut line = vec![class];
        let mut last = class;
        while let Some(base) = &last.element.base {
            let Ok(next) = self.class(last.pack, base) else { break };
            if line.iter().any(|known| std::ptr::eq(known.element, next.element)) {
                break;
            }
            line.push(next);
            last = next;
        }
        line
    }

    /// Whether a class is another or derives from it.
    #[must_use]
    pub fn is_a(&self, class: Found<'_, ClassType>, base: Found<'_, ClassType>) -> bool {
        self.lineage(class).iter().any(|each| std::ptr::eq(each.element, base.element))
    }

    /// A property of a class or of its bases, with the class that declares it.
    #[must_use]
    pub fn property<'a>(
        &'a self,
        class: Found<'a, ClassType>,
        name: &str,
    ) -> Option<(Found<'a, ClassType>, &'a Property)> {
        self.lineage(class)
            .into_iter()
            .find_map(|each| each.element.properties.iter().find(|known| known.id == name).map(|known| (each, known)))
    }

    /// A relationship and its bases, as [`Self::lineage`].
    #[must_use]
    pub fn relationship_lineage<'a>(&'a self, start: Found<'a, RelationshipType>) -> Vec<Found<'a, RelationshipType>> {
        let mut line = vec![start];
        let mut last = start;
        while let Some(base) = &last.element.base {
            let Ok(next) = self.relationship(last.pack, base) else { break };
            if line.iter().any(|known| std::ptr::eq(known.element, next.element)) {
                break;
            }
            line.push(next);
            last = next;
        }
        line
    }

    /// Whether a relationship is `System.Hosting`, `System.Containment`, … or derives from it.
    #[must_use]
    pub fn relationship_is(&self, relationship: Found<'_, RelationshipType>, library_id: &str) -> bool {
        self.relationship_lineage(relationship)
            .iter()
            .any(|each| each.pack.id == "System.Library" && each.element.id == library_id)
    }

    /// The relationships by which objects of a class are hosted, with the class of the host. Well-formed packs give at
    /// most one.
    #[must_use]
    pub fn hosts<'a>(
        &'a self,
        class: Found<'a, ClassType>,
    ) -> Vec<(Found<'a, RelationshipType>, Found<'a, ClassType>)> {
        let line = self.lineage(class);
        let mut hosts = Vec::new();
        for pack in &self.packs {
            for element in pack.relationships.iter().filter(|each| !each.is_abstract) {
                let Ok(target) = self.class(pack, &element.target.class) else { continue };
                let relationship = Found { pack, element };
                if line.iter().any(|each| std::ptr::eq(each.element, target.element))
                    && self.relationship_is(relationship, "System.Hosting")
                    && let Ok(host) = self.class(pack, &element.source.class)
                {
                    hosts.push((relationship, host));
                }
            }
        }
        hosts
    }
}
