//! Members of groups: the rules of `GroupPopulator` discoveries are evaluated here and kept up with every change of the
//! instance space. Membership is a relationship like any other, so that overrides and roll-ups follow it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchkeeper_model::groups::MemberChanges;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::{
    Change, ChangeKind, Classes, Discovered, End, Link, LinkInstance, LinkKind, Mode, Source,
};

use super::{Library, ObjectView, Space};

/// Groups of groups settle in as many rounds as they are deep; groups that ask for one another in a circle never do.
const MAX_ROUNDS: usize = 16;

/// A group as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// The group as an object.
    pub object: ObjectView,
    /// How many members it has.
    pub members: usize,
    /// Whether rules make it; `false`: what others found to be contained in it is all there is.
    pub by_rules: bool,
}

fn source_of(group: ObjectId) -> Source {
    Source { discovery: ElementId::of("Watchkeeper", "GroupMembership"), target: group }
}

fn group_class() -> ElementId {
    ElementId::of("System.Library", "System.Group")
}

impl Space {
    /// Evaluates all rules anew.
    pub(super) fn fill_groups(&mut self, now: i64) {
        let library = Arc::clone(&self.library);
        let changed = self.read_rules(&library);
        let changes = self.join(&library, changed, now);
        self.settle_groups(changes, now);
    }

    /// Groups follow changes of the space; gives what changed in it by that.
    pub(super) fn follow_groups(&mut self, changes: &[Change], now: i64) -> Vec<Change> {
        if changes.is_empty() {
            return Vec::new();
        }
        self.settle_groups(changes.to_vec(), now)
    }

    fn settle_groups(&mut self, mut round: Vec<Change>, now: i64) -> Vec<Change> {
        let library = Arc::clone(&self.library);
        let mut all = Vec::new();
        for _ in 0..MAX_ROUNDS {
            if round.is_empty() {
                return all;
            }
            let mut changes = Vec::new();
            if self.may_change_rules(&library, &round) {
                let changed = self.read_rules(&library);
                changes.extend(self.join(&library, changed, now));
            }
            let mut changed = self.groups.follow(&round, &self.objects, library.as_ref());
            changed.retain(|group, _| self.objects.get(*group).is_some());
            changes.extend(self.join(&library, changed, now));
            all.extend(changes.iter().cloned());
            round = changes;
        }
        tracing::warn!(
            "groups ask for one another's members in a circle; their members are as the last round left them"
        );
        all
    }

    /// Whether rules may be others now: a group came or went, or what a discovery of groups runs for is different.
    fn may_change_rules(&self, library: &Library, changes: &[Change]) -> bool {
        let concerns = |class: ElementId| {
            library.is_a(class, group_class())
                || library.group_targets.iter().any(|target| library.is_a(class, *target))
        };
        changes.iter().any(|change| match &change.kind {
            ChangeKind::Removed { classes, .. } => classes.iter().any(|class| concerns(*class)),
            ChangeKind::Added { object } | ChangeKind::Classes { object } | ChangeKind::Property { object, .. } => {
                self.objects.get(*object).is_some_and(|object| object.classes.iter().any(|class| concerns(*class)))
            }
            ChangeKind::Linked(_) | ChangeKind::Unlinked(_) => false,
        })
    }

    /// Takes over the rules as packs, overrides and objects have them now.
    fn read_rules(&mut self, library: &Library) -> BTreeMap<ObjectId, MemberChanges> {
        let (wanted, left_out) = library.group_rules(&self.objects);
        for left in left_out {
            tracing::warn!(discovery = left.element, reason = left.reason, "a group's rules cannot be read");
        }
        let wanted: BTreeMap<_, _> =
            wanted.into_iter().filter(|(group, _)| self.objects.get(*group).is_some()).collect();
        let mut changed = BTreeMap::new();
        let known: Vec<ObjectId> = self.groups.ids().collect();
        for group in known.into_iter().filter(|group| !wanted.contains_key(group)) {
            changed.insert(group, self.groups.set(group, Vec::new(), &self.objects, library));
            self.groups.remove(group);
        }
        for (group, rules) in wanted {
            if self.groups.rules(group) != Some(rules.as_slice()) {
                changed.insert(group, self.groups.set(group, rules, &self.objects, library));
            }
        }
        changed
    }

    /// Members that came and went as relationships.
    fn join(&mut self, library: &Library, changed: BTreeMap<ObjectId, MemberChanges>, now: i64) -> Vec<Change> {
        let mut all = Vec::new();
        for (group, changes) in changed {
            if self.objects.get(group).is_none() {
                continue;
            }
            let link = |(kind, member): &(ElementId, ObjectId)| LinkInstance {
                kind: *kind,
                source: End::Object(group),
                target: End::Object(*member),
            };
            let gone = changes.removed.iter().filter(|(_, member)| self.objects.get(*member).is_some());
            let gone = Discovered { links: gone.map(link).collect(), ..Discovered::default() };
            let came = Discovered { links: changes.added.iter().map(link).collect(), ..Discovered::default() };
            for (found, mode) in [(gone, Mode::Remove), (came, Mode::Add)] {
                if found.links.is_empty() {
                    continue;
                }
                let applied = self.objects.apply(library, source_of(group), &found, mode, now);
                for rejected in &applied.rejected {
                    tracing::warn!(%group, %rejected, "an object matches a group's rule and cannot be its member");
                }
                all.extend(applied.changes);
            }
        }
        all
    }

    /// Objects for which other overrides may hold after these changes: those that joined or left a group which has
    /// overrides, with all that they host or contain.
    pub(super) fn overridden_by_membership(&self, changes: &[Change]) -> BTreeSet<ObjectId> {
        let mut objects = BTreeSet::new();
        if self.library.overridden_groups.is_empty() {
            return objects;
        }
        for change in changes {
            let (ChangeKind::Linked(link) | ChangeKind::Unlinked(link)) = &change.kind else { continue };
            if self.is_containment(*link) && self.is_in_overridden_group(link.source) {
                objects.extend(self.objects.with_contained(link.target, self.library.as_ref()));
            }
        }
        objects.retain(|object| self.objects.get(*object).is_some());
        objects
    }

    fn is_containment(&self, link: Link) -> bool {
        self.library.relationship(link.kind).is_some_and(|facts| facts.kind == LinkKind::Containment)
    }

    fn is_in_overridden_group(&self, container: ObjectId) -> bool {
        let overridden = &self.library.overridden_groups;
        overridden.contains(&container)
            || self.standing(container).groups.iter().any(|group| overridden.contains(group))
    }

    /// All groups, in the order of their names.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupView> {
        let mut groups: Vec<GroupView> = self
            .objects
            .of_class(group_class(), self.library.as_ref())
            .into_iter()
            .filter_map(|group| self.group(group))
            .collect();
        groups.sort_by(|one, other| (&one.object.name, one.object.id).cmp(&(&other.object.name, other.object.id)));
        groups
    }

    /// A group; `None`: the object is none.
    #[must_use]
    pub fn group(&self, group: ObjectId) -> Option<GroupView> {
        if !self.objects.is_a(group, group_class(), self.library.as_ref()) {
            return None;
        }
        let object = self.view(group)?;
        Some(GroupView { object, members: self.member_ids(group).len(), by_rules: self.groups.rules(group).is_some() })
    }

    /// The members of a group, in the order of their names; with those of groups within it where wanted.
    #[must_use]
    pub fn members(&self, group: ObjectId, nested: bool) -> Vec<ObjectView> {
        let mut members = self.member_ids(group);
        let mut open: Vec<ObjectId> = if nested { members.iter().copied().collect() } else { Vec::new() };
        while let Some(member) = open.pop() {
            if self.objects.is_a(member, group_class(), self.library.as_ref()) {
                open.extend(self.member_ids(member).into_iter().filter(|inner| members.insert(*inner)));
            }
        }
        members.remove(&group);
        let mut views: Vec<ObjectView> = members.into_iter().filter_map(|member| self.view(member)).collect();
        views.sort_by(|one, other| (&one.path, &one.name, one.id).cmp(&(&other.path, &other.name, other.id)));
        views
    }

    fn member_ids(&self, group: ObjectId) -> BTreeSet<ObjectId> {
        self.objects.links_from(group).filter(|link| self.is_containment(*link)).map(|link| link.target).collect()
    }
}
