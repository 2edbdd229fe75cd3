//! Applying what a discovery found.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Change, ChangeKind, Classes, Contribution, Discovered, End, Instance, Link, LinkInstance, LinkKind, Object,
    Objects, Source,
};
use crate::ids::{ElementId, ObjectId};

/// The longest chain of hosts.
const MAX_HOSTS: usize = 32;

/// How discovery data is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is all there is: what this source found before and is not in it goes.
    Snapshot,
    /// It comes on top.
    Add,
    /// It goes.
    Remove,
}

/// What applying did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// In the order in which they happened.
    pub changes: Vec<Change>,
    /// What could not be taken; the rest was.
    pub rejected: Vec<Rejected>,
}

/// An instance or relationship that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {problem}")]
pub struct Rejected {
    /// The name of its class or relationship type.
    pub class: String,
    /// Why.
    pub problem: String,
}

struct Notes<'a> {
    time: i64,
    source: Source,
    applied: &'a mut Applied,
}

impl Notes<'_> {
    fn note(&mut self, kind: ChangeKind) {
        self.applied.changes.push(Change { time: self.time, source: Some(self.source), kind });
    }
}

/// An instance whose identity is known.
struct Placed {
    id: ObjectId,
    host: Option<ObjectId>,
    class: ElementId,
    properties: BTreeMap<String, String>,
}

impl Objects {
    /// Takes what a source found. An instance that cannot be taken is named and left out; in a snapshot, an object
    /// that was known before under the same keys is then gone like any other that is not in it.
    pub fn apply(
        &mut self,
        classes: &impl Classes,
        source: Source,
        discovered: &Discovered,
        mode: Mode,
        time: i64,
    ) -> Applied {
        let mut applied = Applied::default();
        let mut note = Notes { time, source, applied: &mut applied };
        let mut objects = BTreeSet::new();
        // hosts first, so that an instance and its host can come together
        let mut instances: Vec<&Instance> = discovered.instances.iter().collect();
        instances.sort_by_key(|instance| host_depth(instance.class, classes));
        for instance in instances {
            match self.place(instance, classes) {
                Err(problem) => note.applied.rejected.push(Rejected { class: classes.name(instance.class), problem }),
                Ok(placed) => {
                    objects.insert(placed.id);
                    if mode != Mode::Remove {
                        self.put(placed, classes, &mut note);
                    }
                }
            }
        }
        let mut links = BTreeSet::new();
        for link in &discovered.links {
            match self.link(link, classes) {
                Err(problem) => note.applied.rejected.push(Rejected { class: classes.name(link.kind), problem }),
                Ok(None) => {}
                Ok(Some(link)) => {
                    links.insert(link);
                    if mode != Mode::Remove {
                        self.put_link(link, &mut note);
                    }
                }
            }
        }
        let found = self.found.get(&source).cloned().unwrap_or_default();
        let (gone_objects, gone_links): (Vec<ObjectId>, Vec<Link>) = match mode {
            Mode::Add => (Vec::new(), Vec::new()),
            Mode::Remove => (objects.into_iter().collect(), links.into_iter().collect()),
            Mode::Snapshot => (
                found.objects.difference(&objects).copied().collect(),
                found.links.difference(&links).copied().collect(),
            ),
        };
        for link in gone_links {
            self.withdraw_link(link, source, &mut note);
        }
        for object in gone_objects {
            self.withdraw(object, source, classes, &mut note);
        }
        applied
    }

    /// Forgets all that a source found (undiscovery: it was disabled, or its object went).
    pub fn remove_source(&mut self, classes: &impl Classes, source: Source, time: i64) -> Applied {
        self.apply(classes, source, &Discovered::default(), Mode::Snapshot, time)
    }

    /// Forgets all that a discovery found, for whichever object.
    pub fn remove_discovery(&mut self, classes: &impl Classes, discovery: ElementId, time: i64) -> Applied {
        let mut sources: Vec<Source> = self.found.keys().filter(|s| s.discovery == discovery).copied().collect();
        sources.sort_unstable();
        let mut all = Applied::default();
        for source in sources {
            all.changes.extend(self.remove_source(classes, source, time).changes);
        }
        all
    }

    /// Makes the one object of a singleton class; nothing if it is there.
    pub fn add_singleton(&mut self, classes: &impl Classes, class: ElementId, time: i64) -> Option<Change> {
        let id = classes.singleton(class);
        if self.objects.contains_key(&id) {
            return None;
        }
        let object = Object {
            id,
            classes: BTreeSet::from([class]),
            properties: BTreeMap::new(),
            host: None,
            since: time,
            sources: BTreeMap::new(),
        };
        self.objects.insert(id, object);
        self.of_class.entry(class).or_default().insert(id);
        Some(Change { time, source: None, kind: ChangeKind::Added { object: id } })
    }

    /// Removes the object of a singleton class whose pack went.
    pub fn remove_singleton(&mut self, classes: &impl Classes, class: ElementId, time: i64) -> Applied {
        let mut applied = Applied::default();
        let id = classes.singleton(class);
        let source = Source { discovery: class, target: id };
        self.remove(id, classes, &mut Notes { time, source, applied: &mut applied });
        applied
    }

    /// The identity of an instance and its host, from its keys.
    fn place(&self, instance: &Instance, classes: &impl Classes) -> Result<Placed, String> {
        let class = instance.class;
        if !classes.is_known(class) {
            return Err("there is no such class; is its management pack imported?".to_owned());
        }
        if classes.is_abstract(class) {
            return Err("the class is abstract: only classes derived from it have instances".to_owned());
        }
        if classes.is_singleton(class) {
            return Err("the class is a singleton: its instance is not discovered".to_owned());
        }
        let (id, host) = self.identify(class, instance, classes, 0)?;
        let ancestry = classes.ancestry(class);
        let own = |setting: &&super::Setting| setting.class.is_none_or(|declared| ancestry.contains(&declared));
        let properties =
            instance.properties.iter().filter(own).map(|setting| (setting.name.clone(), setting.value.clone()));
        Ok(Placed { id, host, class, properties: properties.collect() })
    }

    fn identify(
        &self,
        class: ElementId,
        instance: &Instance,
        classes: &impl Classes,
        depth: usize,
    ) -> Result<(ObjectId, Option<ObjectId>), String> {
        if depth > MAX_HOSTS {
            return Err(format!("its hosts are nested deeper than {MAX_HOSTS}"));
        }
        let keys = keys_of(class, instance, classes, depth)?;
        let host = match classes.host(class) {
            None if keys.is_empty() && !classes.is_singleton(class) => {
                return Err("the class has neither keys nor a host, so its instances cannot be told apart".to_owned());
            }
            None => None,
            Some(host_class) => {
                let (id, above) = self.identify(host_class, instance, classes, depth + 1)?;
                let Some(host) = self.find(id, host_class, above, classes) else {
                    let keys = keys_of(host_class, instance, classes, depth + 1)?.join(", ");
                    let name = classes.name(host_class);
                    return Err(format!("its host, a {name} ({keys}), is not known"));
                };
                Some(host)
            }
        };
        let all = self.key_path(host, classes);
        let values = all.iter().map(String::as_str).chain(keys.iter().map(String::as_str));
        Ok((ObjectId::of(classes.identity_class(class), values), host))
    }

    /// The object with an identity; a host class without keys may have been found as a class derived from it.
    fn find(&self, id: ObjectId, class: ElementId, host: Option<ObjectId>, classes: &impl Classes) -> Option<ObjectId> {
        if self.objects.contains_key(&id) {
            return Some(id);
        }
        if !classes.keys(class).is_empty() {
            return None;
        }
        match host {
            Some(host) => self.hosted_by(host).find(|object| self.is_a(*object, class, classes)),
            None => None,
        }
    }

    /// The values of the keys of an object's hosts and its own, the outermost first.
    fn key_path(&self, object: Option<ObjectId>, classes: &impl Classes) -> Vec<String> {
        let Some(object) = object.and_then(|id| self.get(id)) else { return Vec::new() };
        let mut path = self.key_path(object.host, classes);
        let keys = object.classes.first().map(|class| classes.keys(*class)).unwrap_or_default();
        path.extend(keys.into_iter().map(|(_, key)| object.properties.get(&key).cloned().unwrap_or_default()));
        path
    }

    fn put(&mut self, placed: Placed, classes: &impl Classes, note: &mut Notes<'_>) {
        self.sequence += 1;
        let contribution = Contribution { class: placed.class, properties: placed.properties, sequence: self.sequence };
        let source = note.source;
        self.found.entry(source).or_default().objects.insert(placed.id);
        self.sources_of_target.entry(source.target).or_default().insert(source);
        if let Some(object) = self.objects.get_mut(&placed.id) {
            let known = object.sources.get(&source);
            if known.is_some_and(|k| k.class == contribution.class && k.properties == contribution.properties) {
                // the same again is no later word: sources that differ would take turns for ever
                return;
            }
            object.sources.insert(source, contribution);
            self.merge(placed.id, classes, note);
            return;
        }
        let mut object = Object {
            id: placed.id,
            classes: BTreeSet::from([placed.class]),
            properties: contribution.properties.clone(),
            host: placed.host,
            since: note.time,
            sources: BTreeMap::new(),
        };
        object.sources.insert(source, contribution);
        self.of_class.entry(placed.class).or_default().insert(placed.id);
        if let Some(host) = placed.host {
            self.hosted.entry(host).or_default().insert(placed.id);
        }
        self.objects.insert(placed.id, object);
        note.note(ChangeKind::Added { object: placed.id });
    }

    /// Computes classes and properties of an object from what its sources say, and notes what is different.
    fn merge(&mut self, id: ObjectId, classes: &impl Classes, note: &mut Notes<'_>) {
        let Some(object) = self.objects.get_mut(&id) else { return };
        let mut contributions: Vec<&Contribution> = object.sources.values().collect();
        contributions.sort_by_key(|contribution| contribution.sequence);
        let mut properties = BTreeMap::new();
        for contribution in &contributions {
            properties.extend(contribution.properties.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        let all: BTreeSet<ElementId> = contributions.iter().map(|contribution| contribution.class).collect();
        let specific = |class: &&ElementId| !all.iter().any(|other| other != *class && classes.is_a(*other, **class));
        let leaves: BTreeSet<ElementId> = all.iter().filter(specific).copied().collect();
        let names: BTreeSet<String> = object.properties.keys().chain(properties.keys()).cloned().collect();
        for name in names {
            let (before, after) = (object.properties.get(&name), properties.get(&name));
            if before != after {
                let (before, after) = (before.cloned(), after.cloned());
                note.note(ChangeKind::Property { object: id, name, before, after });
            }
        }
        object.properties = properties;
        if object.classes != leaves {
            let before = std::mem::replace(&mut object.classes, leaves.clone());
            for class in before.difference(&leaves) {
                if let Some(objects) = self.of_class.get_mut(class) {
                    objects.remove(&id);
                }
            }
            for class in leaves.difference(&before) {
                self.of_class.entry(*class).or_default().insert(id);
            }
            note.note(ChangeKind::Classes { object: id });
        }
    }

    /// A source finds an object no longer.
    fn withdraw(&mut self, id: ObjectId, source: Source, classes: &impl Classes, note: &mut Notes<'_>) {
        self.forget(source, |found| found.objects.remove(&id));
        let Some(object) = self.objects.get_mut(&id) else { return };
        if object.sources.remove(&source).is_none() {
            return;
        }
        if object.sources.is_empty() {
            self.remove(id, classes, note);
        } else {
            self.merge(id, classes, note);
        }
    }

    /// Removes an object with what it hosts, their relationships, and what was only found by discoveries that ran for
    /// them.
    fn remove(&mut self, id: ObjectId, classes: &impl Classes, note: &mut Notes<'_>) {
        let mut going = vec![id];
        while let Some(id) = going.pop() {
            let Some(object) = self.objects.remove(&id) else { continue };
            for source in object.sources.keys() {
                self.forget(*source, |found| found.objects.remove(&id));
            }
            for class in &object.classes {
                if let Some(objects) = self.of_class.get_mut(class) {
                    objects.remove(&id);
                }
            }
            if let Some(siblings) = object.host.and_then(|host| self.hosted.get_mut(&host)) {
                siblings.remove(&id);
            }
            let links: Vec<Link> = self.links_from(id).chain(self.links_to(id)).collect();
            for link in links {
                self.remove_link(link, note);
            }
            going.extend(self.hosted.remove(&id).unwrap_or_default());
            note.note(ChangeKind::Removed { object: id, classes: object.classes, host: object.host });
            // nobody will ever say again what its discoveries found
            for orphan in self.sources_of_target.remove(&id).unwrap_or_default() {
                let found = self.found.remove(&orphan).unwrap_or_default();
                for link in found.links {
                    self.withdraw_link(link, orphan, note);
                }
                for found in found.objects {
                    if let Some(object) = self.objects.get_mut(&found)
                        && object.sources.remove(&orphan).is_some()
                    {
                        if object.sources.is_empty() {
                            going.push(found);
                        } else {
                            self.merge(found, classes, note);
                        }
                    }
                }
            }
        }
    }

    fn forget(&mut self, source: Source, forget: impl FnOnce(&mut super::Found) -> bool) {
        let Some(found) = self.found.get_mut(&source) else { return };
        forget(found);
        if found.objects.is_empty() && found.links.is_empty() {
            self.found.remove(&source);
            if let Some(sources) = self.sources_of_target.get_mut(&source.target) {
                sources.remove(&source);
                if sources.is_empty() {
                    self.sources_of_target.remove(&source.target);
                }
            }
        }
    }

    /// `None`: it is hosting, which follows from the keys.
    fn link(&self, link: &LinkInstance, classes: &impl Classes) -> Result<Option<Link>, String> {
        let Some(facts) = classes.relationship(link.kind) else {
            return Err("there is no such relationship type; is its management pack imported?".to_owned());
        };
        let source = self.end(&link.source, facts.source, "source", classes)?;
        let target = self.end(&link.target, facts.target, "target", classes)?;
        if facts.kind != LinkKind::Hosting {
            return Ok(Some(Link { kind: link.kind, source, target }));
        }
        if self.get(target).is_some_and(|object| object.host == Some(source)) {
            return Ok(None);
        }
        Err("the target's keys name another host".to_owned())
    }

    fn end(&self, end: &End, class: ElementId, which: &str, classes: &impl Classes) -> Result<ObjectId, String> {
        let id = match end {
            End::Object(id) => *id,
            End::Instance(instance) if classes.is_singleton(instance.class) => classes.singleton(instance.class),
            End::Instance(instance) => {
                self.identify(instance.class, instance, classes, 0)
                    .map_err(|problem| format!("its {which}: {problem}"))?
                    .0
            }
        };
        if !self.objects.contains_key(&id) {
            return Err(format!("its {which} is not known"));
        }
        if !self.is_a(id, class, classes) {
            return Err(format!("its {which} is not a {}", classes.name(class)));
        }
        Ok(id)
    }

    fn put_link(&mut self, link: Link, note: &mut Notes<'_>) {
        let source = note.source;
        self.found.entry(source).or_default().links.insert(link);
        self.sources_of_target.entry(source.target).or_default().insert(source);
        let sources = self.links.entry(link).or_default();
        let is_new = sources.is_empty();
        sources.insert(source);
        if is_new {
            self.links_from.entry(link.source).or_default().insert(link);
            self.links_to.entry(link.target).or_default().insert(link);
            note.note(ChangeKind::Linked(link));
        }
    }

    fn withdraw_link(&mut self, link: Link, source: Source, note: &mut Notes<'_>) {
        self.forget(source, |found| found.links.remove(&link));
        let Some(sources) = self.links.get_mut(&link) else { return };
        sources.remove(&source);
        if sources.is_empty() {
            self.remove_link(link, note);
        }
    }

    fn remove_link(&mut self, link: Link, note: &mut Notes<'_>) {
        let Some(sources) = self.links.remove(&link) else { return };
        for source in sources {
            self.forget(source, |found| found.links.remove(&link));
        }
        if let Some(links) = self.links_from.get_mut(&link.source) {
            links.remove(&link);
        }
        if let Some(links) = self.links_to.get_mut(&link.target) {
            links.remove(&link);
        }
        note.note(ChangeKind::Unlinked(link));
    }
}

/// The values of the keys of a class in an instance; without a class named, a value counts for the instance's own
/// class first (depth 0), for a host where its own class has no such property.
fn keys_of(class: ElementId, instance: &Instance, classes: &impl Classes, depth: usize) -> Result<Vec<String>, String> {
    let ancestry = classes.ancestry(class);
    let own_keys = classes.keys(instance.class);
    let mut values = Vec::new();
    for (_, key) in classes.keys(class) {
        let named = instance.properties.iter().find(|setting| {
            setting.name == key
                && setting.class.is_some_and(|declared| ancestry.contains(&declared) || classes.is_a(declared, class))
        });
        let is_own = depth > 0 && own_keys.iter().any(|(_, own)| *own == key);
        let unnamed = instance.properties.iter().find(|s| s.name == key && s.class.is_none() && !is_own);
        match named.or(unnamed).map(|setting| setting.value.trim()) {
            Some(value) if !value.is_empty() => values.push(value.to_owned()),
            Some(_) => return Err(format!("the key '{key}' of {} is empty", classes.name(class))),
            None => return Err(format!("the key '{key}' of {} is missing", classes.name(class))),
        }
    }
    Ok(values)
}

fn host_depth(class: ElementId, classes: &impl Classes) -> usize {
    std::iter::successors(classes.host(class), |host| classes.host(*host)).take(MAX_HOSTS).count()
}
