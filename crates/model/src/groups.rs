//! Groups by rule (specification 4.6): which objects are members, kept incrementally. A changed object is looked at by
//! the rules of its classes alone, and those that ask for what it contains or is contained in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::expression::{Expression, Facts, Problem, Query};
use crate::ids::{ElementId, ObjectId};
use crate::node::Node;
use crate::objects::{Change, ChangeKind, Classes, LinkKind, Objects};

/// What a membership rule can ask for of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A property of it, by name.
    Property(String),
    /// A property of the nearest host of a class.
    HostProperty {
        /// The class of the host.
        class: ElementId,
        /// The property.
        name: String,
    },
    /// It contains or hosts, at any depth, an object of a class for which something holds.
    Contains(ElementId, Option<Box<Expression<Term>>>),
    /// It is contained in or hosted by such an object, at any depth.
    Contained(ElementId, Option<Box<Expression<Term>>>),
    /// The opposite of another.
    Not(Box<Term>),
}

/// Elements as they are once `$MPElement…$` is filled in: `Property` holds an identity of a property, or
/// `{class}/Name`, or a bare name; `MonitoringClass` the identity of a class.
impl Query for Term {
    fn read(element: &Node) -> Option<Result<Self, String>> {
        match element.name.as_str() {
            "Property" | "GenericProperty" => {
                let text = element.text.trim();
                let name = text.rsplit('/').next().unwrap_or_default();
                Some(if name.is_empty() {
                    Err("it names no property".to_owned())
                } else {
                    Ok(Term::Property(name.to_owned()))
                })
            }
            "HostProperty" => Some(read_host_property(element)),
            _ => None,
        }
    }

    fn read_kind(element: &Node) -> Option<Result<Self, String>> {
        let make: fn(ElementId, Option<Box<Expression<Term>>>) -> Term = match element.name.as_str() {
            "Contains" | "NotContains" => Term::Contains,
            "Contained" | "NotContained" => Term::Contained,
            _ => return None,
        };
        let read = || -> Result<Term, String> {
            let class = read_class(element)?;
            let inner = match element.child("Expression") {
                None => None,
                Some(inner) => {
                    let first = |problems: Vec<Problem>| problems.first().map(ToString::to_string).unwrap_or_default();
                    Some(Box::new(Expression::read(inner).map_err(first)?))
                }
            };
            let term = make(class, inner);
            Ok(if element.name.starts_with("Not") { Term::Not(Box::new(term)) } else { term })
        };
        Some(read())
    }
}

fn read_class(element: &Node) -> Result<ElementId, String> {
    let text = element.value("MonitoringClass").ok_or("'MonitoringClass' is missing")?;
    uuid::Uuid::try_parse(text).map(ElementId).map_err(|_| format!("'{text}' is not the identity of a class"))
}

fn read_host_property(element: &Node) -> Result<Term, String> {
    let class = read_class(element)?;
    let name = element.value("Property").ok_or("'Property' is missing")?;
    Ok(Term::HostProperty { class, name: name.rsplit('/').next().unwrap_or(name).to_owned() })
}

/// `MembershipRule`
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Members are of this class.
    pub class: ElementId,
    /// The relationship type from the group to its members.
    pub relationship: ElementId,
    /// What holds for members; `None`: all of the class, or with an include list none but those.
    pub expression: Option<Expression<Term>>,
    /// Members in any case.
    pub include: BTreeSet<ObjectId>,
    /// Never members by this rule.
    pub exclude: BTreeSet<ObjectId>,
}

/// Members of a group with the relationship types that make them so.
pub type Members = BTreeMap<ObjectId, BTreeSet<ElementId>>;

/// What changed in a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberChanges {
    /// New members, by relationship type.
    pub added: BTreeSet<(ElementId, ObjectId)>,
    /// Former members, by relationship type.
    pub removed: BTreeSet<(ElementId, ObjectId)>,
}

#[derive(Debug, Clone)]
struct Group {
    rules: Vec<Rule>,
    members: Members,
    /// Classes for which rules ask by `Contains`, `Contained` or of hosts.
    asks_around: BTreeSet<ElementId>,
}

/// All groups.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    groups: BTreeMap<ObjectId, Group>,
    visits: u64,
}

impl Groups {
    /// How many objects were held against a rule since the start.
    #[must_use]
    pub fn visits(&self) -> u64 {
        self.visits
    }

    /// The members of a group.
    #[must_use]
    pub fn members(&self, group: ObjectId) -> Option<&Members> {
        self.groups.get(&group).map(|group| &group.members)
    }

    /// The groups that have rules, in the order of their identities.
    pub fn ids(&self) -> impl Iterator<Item = ObjectId> {
        self.groups.keys().copied()
    }

    /// The rules of a group.
    #[must_use]
    pub fn rules(&self, group: ObjectId) -> Option<&[Rule]> {
        self.groups.get(&group).map(|group| group.rules.as_slice())
    }

    /// Sets the rules of a group and fills it.
    pub fn set(
        &mut self,
        group: ObjectId,
        rules: Vec<Rule>,
        objects: &Objects,
        classes: &impl Classes,
    ) -> MemberChanges {
        let mut asks_around = BTreeSet::new();
        let mut candidates: BTreeSet<ObjectId> = BTreeSet::new();
        for rule in &rules {
            if let Some(expression) = &rule.expression {
                collect_classes(expression, &mut asks_around);
            }
            candidates.extend(objects.of_class(rule.class, classes));
            candidates.extend(&rule.include);
        }
        let members = self.groups.remove(&group).map(|old| old.members).unwrap_or_default();
        candidates.extend(members.keys());
        self.groups.insert(group, Group { rules, members, asks_around });
        self.check(group, &candidates, objects, classes)
    }

    /// Forgets a group.
    pub fn remove(&mut self, group: ObjectId) {
        self.groups.remove(&group);
    }

    /// Follows changes of the instance space, which already shows them. Groups that changed come with their changes.
    pub fn follow(
        &mut self,
        changes: &[Change],
        objects: &Objects,
        classes: &impl Classes,
    ) -> BTreeMap<ObjectId, MemberChanges> {
        let mut touched = BTreeSet::new();
        let mut removed_hosts = BTreeSet::new();
        for change in changes {
            touched.extend(change.kind.objects().into_iter().flatten());
            if let ChangeKind::Removed { host: Some(host), .. } = &change.kind {
                removed_hosts.insert(*host);
            }
        }
        // what contains or is contained in something that changed may match now, or no longer
        let mut around: HashMap<ObjectId, ()> = HashMap::new();
        if self.groups.values().any(|group| !group.asks_around.is_empty()) {
            // a relationship matters to what contains its source and to what its target contains
            let (mut up, mut down) = (removed_hosts.clone(), removed_hosts);
            for change in changes {
                match &change.kind {
                    ChangeKind::Linked(link) | ChangeKind::Unlinked(link) => {
                        up.insert(link.source);
                        down.insert(link.target);
                    }
                    other => {
                        up.extend(other.objects().into_iter().flatten());
                        down.extend(other.objects().into_iter().flatten());
                    }
                }
            }
            for object in up {
                around.extend(containers(object, objects, classes).into_iter().map(|object| (object, ())));
            }
            for object in down {
                around.extend(objects.with_contained(object, classes).into_iter().map(|object| (object, ())));
            }
        }
        let mut all = BTreeMap::new();
        let groups: Vec<ObjectId> = self.groups.keys().copied().collect();
        for id in groups {
            let Some(group) = self.groups.get(&id) else { continue };
            let mut candidates = touched.clone();
            if !group.asks_around.is_empty() {
                candidates.extend(around.keys());
            }
            let concerns = |object: &ObjectId| {
                group.members.contains_key(object)
                    || group
                        .rules
                        .iter()
                        .any(|rule| rule.include.contains(object) || objects.is_a(*object, rule.class, classes))
            };
            candidates.retain(concerns);
            let changes = self.check(id, &candidates, objects, classes);
            if changes != MemberChanges::default() {
                all.insert(id, changes);
            }
        }
        all
    }

    fn check(
        &mut self,
        id: ObjectId,
        candidates: &BTreeSet<ObjectId>,
        objects: &Objects,
        classes: &impl Classes,
    ) -> MemberChanges {
        let mut changes = MemberChanges::default();
        let Some(group) = self.groups.get_mut(&id) else { return changes };
        for object in candidates {
            let mut now = BTreeSet::new();
            for rule in &group.rules {
                self.visits += 1;
                if *object != id && rule.takes(*object, objects, classes) {
                    now.insert(rule.relationship);
                }
            }
            let before = group.members.remove(object).unwrap_or_default();
            changes.added.extend(now.difference(&before).map(|kind| (*kind, *object)));
            changes.removed.extend(before.difference(&now).map(|kind| (*kind, *object)));
            if !now.is_empty() {
                group.members.insert(*object, now);
            }
        }
        changes
    }
}

impl Rule {
    /// Whether an object is a member by this rule.
    pub fn takes(&self, object: ObjectId, objects: &Objects, classes: &impl Classes) -> bool {
        if objects.get(object).is_none() || self.exclude.contains(&object) {
            return false;
        }
        if self.include.contains(&object) {
            return true;
        }
        objects.is_a(object, self.class, classes)
            && match &self.expression {
                Some(expression) => expression.matches(&About { object, objects, classes }),
                None => self.include.is_empty(),
            }
    }
}

struct About<'a, C> {
    object: ObjectId,
    objects: &'a Objects,
    classes: &'a C,
}

impl<C: Classes> About<'_, C> {
    fn any(
        &self,
        mut objects: impl Iterator<Item = ObjectId>,
        class: ElementId,
        inner: Option<&Expression<Term>>,
    ) -> bool {
        objects.any(|object| {
            object != self.object
                && self.objects.is_a(object, class, self.classes)
                && inner
                    .is_none_or(|inner| inner.matches(&About { object, objects: self.objects, classes: self.classes }))
        })
    }
}

impl<C: Classes> Facts<Term> for About<'_, C> {
    fn value(&self, term: &Term) -> Option<String> {
        let property = |object: ObjectId, name: &str| {
            let name = match uuid::Uuid::try_parse(name).ok().and_then(|id| self.classes.property(ElementId(id))) {
                Some((_, name)) => name,
                None => name.to_owned(),
            };
            self.objects.get(object)?.properties.get(&name).cloned()
        };
        match term {
            Term::Property(name) => property(self.object, name),
            Term::HostProperty { class, name } => {
                let host =
                    self.objects.hosts(self.object).find(|host| self.objects.is_a(*host, *class, self.classes))?;
                property(host, name)
            }
            Term::Contains(..) | Term::Contained(..) | Term::Not(_) => None,
        }
    }

    fn holds(&self, term: &Term) -> bool {
        match term {
            Term::Property(_) | Term::HostProperty { .. } => self.value(term).is_some(),
            Term::Contains(class, inner) => {
                self.any(inside(self.object, self.objects, self.classes), *class, inner.as_deref())
            }
            Term::Contained(class, inner) => {
                let outside = containers(self.object, self.objects, self.classes);
                self.any(outside.into_iter(), *class, inner.as_deref())
            }
            Term::Not(inner) => !self.holds(inner),
        }
    }
}

/// What an object hosts or contains, at any depth, found as it is asked for: one that matches is often near.
fn inside<'a>(
    object: ObjectId,
    objects: &'a Objects,
    classes: &'a impl Classes,
) -> impl Iterator<Item = ObjectId> + 'a {
    let contains = |kind| classes.relationship(kind).is_some_and(|facts| facts.kind == LinkKind::Containment);
    let within = move |of: ObjectId| {
        let links = objects.links_from(of).filter(move |link| contains(link.kind)).map(|link| link.target);
        objects.hosted_by(of).chain(links)
    };
    let mut seen = BTreeSet::from([object]);
    let mut open: Vec<Box<dyn Iterator<Item = ObjectId> + 'a>> = vec![Box::new(within(object))];
    std::iter::from_fn(move || {
        while let Some(next) = open.last_mut() {
            match next.next() {
                Some(found) if seen.insert(found) => {
                    open.push(Box::new(within(found)));
                    return Some(found);
                }
                Some(_) => {}
                None => drop(open.pop()),
            }
        }
        None
    })
}

/// What hosts or contains an object, at any depth.
fn containers(object: ObjectId, objects: &Objects, classes: &impl Classes) -> BTreeSet<ObjectId> {
    let mut seen = BTreeSet::new();
    let mut next = vec![object];
    while let Some(object) = next.pop() {
        let contained = |kind| classes.relationship(kind).is_some_and(|facts| facts.kind == LinkKind::Containment);
        let links = objects.links_to(object).filter(|link| contained(link.kind)).map(|link| link.source);
        let host = objects.get(object).and_then(|object| object.host);
        next.extend(links.chain(host).filter(|above| seen.insert(*above)));
    }
    seen
}

fn collect_classes(expression: &Expression<Term>, classes: &mut BTreeSet<ElementId>) {
    fn of(term: &Term, classes: &mut BTreeSet<ElementId>) {
        match term {
            Term::Property(_) => {}
            Term::HostProperty { class, .. } => {
                classes.insert(*class);
            }
            Term::Contains(class, inner) | Term::Contained(class, inner) => {
                classes.insert(*class);
                if let Some(inner) = inner {
                    collect_classes(inner, classes);
                }
            }
            Term::Not(inner) => of(inner, classes),
        }
    }
    expression.for_each_query(&mut |term| of(term, classes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::tests::{World, class, instance};
    use crate::objects::{Discovered, Instance, Mode, Source};

    fn source(name: &str) -> Source {
        Source { discovery: class(name), target: ObjectId::of(class("Target"), [name]) }
    }

    fn apply(space: &mut Objects, name: &str, instances: Vec<Instance>) -> Vec<Change> {
        let discovered = Discovered { instances, links: vec![] };
        let applied = space.apply(&World, source(name), &discovered, Mode::Snapshot, 1);
        assert_eq!(applied.rejected, []);
        applied.changes
    }

    fn rule(of: &str, expression: Option<Node>) -> Rule {
        Rule {
            class: class(of),
            relationship: class("Contains"),
            expression: expression.map(|node| Expression::read(&node).unwrap()),
            include: BTreeSet::new(),
            exclude: BTreeSet::new(),
        }
    }

    fn name_matches(property: Node, pattern: &str) -> Node {
        let regex = Node::new("RegExExpression")
            .with_child(Node::new("ValueExpression").with_child(property))
            .with_child(Node::text("Operator", "MatchesRegularExpression"))
            .with_child(Node::text("Pattern", pattern));
        Node::new("Expression").with_child(regex)
    }

    fn contains(kind: &str, of: &str) -> Node {
        let class = Node::text("MonitoringClass", class(of).to_string());
        Node::new("Expression").with_child(Node::new(kind).with_child(class))
    }

    fn names(groups: &Groups, group: ObjectId, space: &Objects) -> Vec<String> {
        let members = groups.members(group).unwrap().keys();
        let mut names: Vec<String> = members.map(|id| space.get(*id).unwrap().properties["Name"].clone()).collect();
        names.sort();
        names
    }

    #[test]
    fn members_follow_their_rule() {
        let mut space = Objects::default();
        let computers = |names: &[&str]| names.iter().map(|name| instance("Computer", &[("Name", name)])).collect();
        apply(&mut space, "computers", computers(&["web1", "web2", "db1"]));
        let host = Node::new("HostProperty")
            .with_child(Node::text("MonitoringClass", class("Computer").to_string()))
            .with_child(Node::text("Property", class("Computer/Name").to_string()));
        let by_identity = Node::text("Property", class("Computer/Name").to_string());
        let mut groups = Groups::default();
        let [web, with_disk, without, disks] =
            ["web", "with", "without", "disks"].map(|n| ObjectId::of(class("Group"), [n]));
        groups.set(web, vec![rule("Computer", Some(name_matches(by_identity, "^WEB")))], &space, &World);
        groups.set(with_disk, vec![rule("Computer", Some(contains("Contains", "Disk")))], &space, &World);
        groups.set(without, vec![rule("Computer", Some(contains("NotContains", "Disk")))], &space, &World);
        groups.set(disks, vec![rule("Disk", Some(name_matches(host, "^db")))], &space, &World);
        assert_eq!(names(&groups, web, &space), ["web1", "web2"]);
        assert_eq!(names(&groups, without, &space), ["db1", "web1", "web2"]);
        let disk = instance("Disk", &[("Computer.Name", "db1"), ("Disk.Name", "sda")]);
        let changes = apply(&mut space, "disks", vec![disk]);
        let changed = groups.follow(&changes, &space, &World);
        assert_eq!(changed.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from([with_disk, without, disks]));
        assert_eq!(names(&groups, with_disk, &space), ["db1"]);
        assert_eq!(names(&groups, without, &space), ["web1", "web2"]);
        assert_eq!(names(&groups, disks, &space), ["sda"]);
        let changes = apply(&mut space, "disks", vec![]);
        groups.follow(&changes, &space, &World);
        assert_eq!(names(&groups, with_disk, &space), [""; 0]);
        assert_eq!(names(&groups, without, &space), ["db1", "web1", "web2"]);
        let changes = apply(&mut space, "computers", computers(&["web1"]));
        let changed = groups.follow(&changes, &space, &World);
        assert_eq!(changed[&web].removed.len(), 1);
        assert_eq!(names(&groups, web, &space), ["web1"]);
    }

    #[test]
    fn explicit_members_and_excluded_ones() {
        let mut space = Objects::default();
        apply(&mut space, "one", ["a", "b", "c"].map(|name| instance("Computer", &[("Name", name)])).to_vec());
        let id = |name: &str| space.iter().find(|object| object.properties["Name"] == name).unwrap().id;
        let group = ObjectId::of(class("Group"), ["g"]);
        let mut groups = Groups::default();
        let mut rule = rule("Computer", None);
        groups.set(group, vec![rule.clone()], &space, &World);
        assert_eq!(names(&groups, group, &space), ["a", "b", "c"], "without expression: all of the class");
        rule.include = BTreeSet::from([id("a"), id("b")]);
        rule.exclude = BTreeSet::from([id("b")]);
        let changes = groups.set(group, vec![rule], &space, &World);
        assert_eq!(names(&groups, group, &space), ["a"]);
        assert_eq!(changes.removed.len(), 2);
    }

    #[test]
    fn a_change_is_held_only_against_the_rules_that_it_can_touch() {
        let mut space = Objects::default();
        let many: Vec<Instance> = (0..2000).map(|n| instance("Computer", &[("Name", &format!("c{n}"))])).collect();
        apply(&mut space, "many", many);
        let mut groups = Groups::default();
        for n in 0..50 {
            let group = ObjectId::of(class("Group"), [n.to_string().as_str()]);
            let of = if n < 2 { "Computer" } else { "Disk" };
            let pattern = name_matches(Node::text("Property", "Name"), "^c1");
            groups.set(group, vec![rule(of, Some(pattern))], &space, &World);
        }
        let before = groups.visits();
        let changes = apply(&mut space, "new", vec![instance("Computer", &[("Name", "c1new")])]);
        assert_eq!(groups.follow(&changes, &space, &World).len(), 2);
        assert_eq!(groups.visits() - before, 2);
    }
}
