//! Computer groups as groups of the management group: objects of the pack `Watchkeeper.ComputerGroups` that contain those
//! of their members that the management group knows. They can then be the target of views, overrides and maintenance.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::{Classes, Discovered, End, Instance, LinkInstance, Mode, Setting, Source};
use watchkeeper_state::{SavedQuery, StateError};

use super::ComputerGroups;
use crate::shipped_packs;

pub const PACK: &str = "Watchkeeper.ComputerGroups";
const CLASS: &str = "Group";
const CENTER: &str = "Microsoft.SystemCenter.Library";

/// The class of the groups.
pub fn class() -> ElementId {
    ElementId::of(PACK, &format!("{PACK}.{CLASS}"))
}

/// The object of a group.
pub fn object(group_id: &str) -> ObjectId {
    ObjectId::of(class(), [group_id])
}

/// Who says that the groups of a source are there.
fn of_source(source_id: &str) -> Source {
    let target = ObjectId::of(ElementId::of("Watchkeeper", "ComputerGroupSource"), [source_id]);
    Source { discovery: ElementId::of("Watchkeeper", "ComputerGroups"), target }
}

/// Who says that the object of a group that is a query is there.
fn of_query(object: ObjectId) -> Source {
    of_source(&format!("query/{object}"))
}

impl ComputerGroups {
    /// Imports the pack of the groups where it is not there.
    pub(super) async fn ensure_pack(&self) -> anyhow::Result<()> {
        if !self.operations.group.read().library.is_known(class()) {
            shipped_packs::import(&self.operations, PACK).await?;
        }
        Ok(())
    }

    /// Makes the objects of the groups of a source that the management group is to have, or brings them up to date.
    pub(super) async fn put_objects(&self, source_id: &str) -> Result<(), StateError> {
        let mut found = Discovered::default();
        if self.operations.group.read().library.is_known(class()) {
            let groups = self.state.computer_groups(Some(source_id)).await?;
            for group in groups.iter().filter(|group| group.in_management_group) {
                let computers = self.computers();
                let (mut members, mut after) = (BTreeSet::new(), -1);
                while let Some((part, names)) =
                    self.state.computer_group_part(&group.group_id, group.version, after).await?
                {
                    members.extend(names.iter().filter_map(|name| computers.find(name, name)));
                    after = part;
                }
                let about = About {
                    group_id: &group.group_id,
                    source_key: &group.source_key,
                    source_name: &group.source_name,
                    name: &group.name,
                };
                about.describe(members, &mut found);
            }
        }
        self.found(of_source(source_id), found).await
    }

    /// The same for a group that is a query, with its computers.
    pub(super) async fn put_query_object(&self, saved: &SavedQuery, names: &[String]) -> Result<(), StateError> {
        let mut found = Discovered::default();
        let computers = self.computers();
        let members = names.iter().filter_map(|name| computers.find(name, name)).collect();
        let about =
            About { group_id: &saved.id, source_key: &saved.id, source_name: &saved.category, name: &saved.name };
        about.describe(members, &mut found);
        self.found(of_query(object(&saved.id)), found).await
    }

    /// Removes the objects of groups that are queries and are none any more; `wanted` are those that are.
    pub(super) async fn drop_query_objects(&self, wanted: &[ObjectId]) -> Result<(), StateError> {
        let there: Vec<ObjectId> = {
            let space = self.operations.group.read();
            space.objects.of_class(class(), space.library.as_ref()).into_iter().collect()
        };
        let kept = self.state.computer_groups(None).await?;
        let kept: BTreeSet<ObjectId> = kept.iter().map(|group| object(&group.group_id)).collect();
        for gone in there.into_iter().filter(|id| !wanted.contains(id) && !kept.contains(id)) {
            self.found(of_query(gone), Discovered::default()).await?;
        }
        Ok(())
    }

    async fn found(&self, source: Source, found: Discovered) -> Result<(), StateError> {
        let intake = self.operations.group.found_here(&[(source, found, Mode::Snapshot)]).await?;
        for rejected in intake.rejected {
            tracing::warn!(rejected, "something of a computer group is not taken");
        }
        self.operations.operational.rolled_up(intake.states).await
    }

    /// A number that is another one after a computer came, went or got another name.
    pub(super) fn state_of_computers(&self) -> u64 {
        let space = self.operations.group.read();
        let class = ElementId::of("System.Library", "System.Computer");
        let ids = space.objects.of_class(class, space.library.as_ref());
        ids.into_iter().fold(0, |state, id| {
            let mut hasher = DefaultHasher::new();
            (id, space.key_name(id), space.display_name(id)).hash(&mut hasher);
            state ^ hasher.finish()
        })
    }
}

/// What the management group is told of a group.
struct About<'a> {
    group_id: &'a str,
    source_key: &'a str,
    source_name: &'a str,
    name: &'a str,
}

impl About<'_> {
    fn describe(&self, members: BTreeSet<ObjectId>, found: &mut Discovered) {
        let setting = |name: &str, value: &str| Setting { class: None, name: name.to_owned(), value: value.to_owned() };
        found.instances.push(Instance {
            class: class(),
            properties: vec![
                setting("GroupId", self.group_id),
                setting("SourceId", self.source_key),
                setting("SourceName", self.source_name),
                setting("DisplayName", self.name),
            ],
        });
        let contains = ElementId::of(CENTER, "Microsoft.SystemCenter.ComputerGroupContainsComputer");
        let link = |computer| LinkInstance {
            kind: contains,
            source: End::Object(object(self.group_id)),
            target: End::Object(computer),
        };
        found.links.extend(members.into_iter().map(link));
    }
}
