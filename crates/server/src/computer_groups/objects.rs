//! Computer groups as groups of the management group: objects of the pack `Watchkeeper.ComputerGroups` that contain those
//! of their members that the management group knows. They can then be the target of views, overrides and maintenance.

use std::collections::BTreeSet;

use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::{Classes, Discovered, End, Instance, LinkInstance, Mode, Setting, Source};
use watchkeeper_state::{ComputerGroup, StateError};

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
                self.describe(group, &mut found).await?;
            }
        }
        let intake = self.operations.group.found_here(&[(of_source(source_id), found, Mode::Snapshot)]).await?;
        for rejected in intake.rejected {
            tracing::warn!(rejected, "something of a computer group is not taken");
        }
        self.operations.operational.rolled_up(intake.states).await
    }

    async fn describe(&self, group: &ComputerGroup, found: &mut Discovered) -> Result<(), StateError> {
        let setting = |name: &str, value: &str| Setting { class: None, name: name.to_owned(), value: value.to_owned() };
        found.instances.push(Instance {
            class: class(),
            properties: vec![
                setting("GroupId", &group.group_id),
                setting("SourceId", &group.source_key),
                setting("SourceName", &group.source_name),
                setting("DisplayName", &group.name),
            ],
        });
        let contains = ElementId::of(CENTER, "Microsoft.SystemCenter.ComputerGroupContainsComputer");
        let computers = self.computers();
        let (mut members, mut after) = (BTreeSet::new(), -1);
        while let Some((part, names)) = self.state.computer_group_part(&group.group_id, group.version, after).await? {
            members.extend(names.iter().filter_map(|name| computers.find(name, name)));
            after = part;
        }
        let link = |computer| LinkInstance {
            kind: contains,
            source: End::Object(object(&group.group_id)),
            target: End::Object(computer),
        };
        found.links.extend(members.into_iter().map(link));
        Ok(())
    }
}
