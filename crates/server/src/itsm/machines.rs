//! Which known machine a work item is about: by the names that the product has for its configuration item. A machine
//! that becomes known later gets the items that were read before it: they are read once more, from their own place on.

use std::hash::{DefaultHasher, Hash, Hasher};

use watchkeeper_itsm::{After, ServiceDesk, WorkItem, WorkItemKind};
use watchkeeper_management::group::Space;
use watchkeeper_model::ids::ElementId;
use watchkeeper_state::ItsmItem;

use super::sync::{DAY, end_of};
use super::{Connection, DeskError, ServiceDesks};
use crate::map::named_computers;

/// Items of one page of those that are read once more.
const PAGE: u32 = 100;
/// Machines that become known one after the other are looked at together, microseconds.
const PAUSE: i64 = 10_000_000;

/// For which computers the items of a connection were matched last.
#[derive(Debug, Clone, Copy)]
pub struct Matched {
    computers: u64,
    at: i64,
}

/// What tells one set of known computers from another, and which state of the objects it is of.
#[derive(Debug, Default)]
pub struct Known {
    objects: Option<[u64; 2]>,
    computers: u64,
}

impl ServiceDesks {
    /// The known machines that items are about; where there is none, the name that the product has.
    pub(super) fn computers_of(&self, items: &[WorkItem]) -> Vec<String> {
        let space = self.operations.group.read();
        let known = named_computers(&space);
        let computer = |item: &WorkItem| match known.find_any(&item.computers) {
            Some(object) => space.key_name(object),
            None => item.computers.first().cloned().unwrap_or_default(),
        };
        items.iter().map(computer).collect()
    }

    /// Whether computers were added or removed since the items of a connection were matched, and it is time to look.
    pub(super) fn has_new_computers(&self, connection_id: &str, now: i64) -> bool {
        let known = self.known_computers();
        let matched = self.matched.lock().get(connection_id).copied();
        matched.is_some_and(|matched| matched.computers != known && matched.at.saturating_add(PAUSE) <= now)
    }

    /// Reads the items once more whose machine has become known since they were read.
    pub(super) async fn match_again(
        &self,
        connection: &Connection,
        desk: &dyn ServiceDesk,
        began: i64,
    ) -> Result<(), DeskError> {
        let id = &connection.stored.connection_id;
        let computers = self.known_computers();
        if self.matched.lock().get(id).is_none_or(|matched| matched.computers != computers) {
            for kind in connection.settings.work_items.iter().copied() {
                self.match_kind(connection, desk, kind, began).await?;
            }
        }
        self.matched.lock().insert(id.clone(), Matched { computers, at: began });
        Ok(())
    }

    async fn match_kind(
        &self,
        connection: &Connection,
        desk: &dyn ServiceDesk,
        kind: WorkItemKind,
        began: i64,
    ) -> Result<(), DeskError> {
        let id = &connection.stored.connection_id;
        let since = began - i64::from(connection.settings.days) * DAY;
        let known = self.state.itsm_items_since(id, kind.name(), since).await?;
        let positions = self.state.itsm_positions(Some(id)).await?;
        let Some(mut position) = positions.into_iter().find(|position| position.kind == kind.name()) else {
            return Ok(());
        };
        let mut due = self.places_of_matched(&known);
        let Some((first, _)) = due.first() else { return Ok(()) };
        let mut after = After::Time(*first);
        loop {
            let page = desk.changed(kind, &after, PAGE).await?;
            let Some(last) = end_of(&page, kind, &after)? else { return Ok(()) };
            self.take_page(connection, desk, kind, &mut position, &page).await?;
            due.retain(|(changed_at, key)| (*changed_at, key) > (last.changed_at, &last.key));
            let Some((next, _)) = due.first().filter(|_| page.more) else { return Ok(()) };
            after = if *next > last.changed_at { After::Time(*next) } else { After::Item(last) };
        }
    }

    /// The places of items that are about a computer which their rows do not name, in the order of reading.
    fn places_of_matched(&self, items: &[ItsmItem]) -> Vec<(i64, String)> {
        let space = self.operations.group.read();
        let computers = named_computers(&space);
        let is_due = |item: &&ItsmItem| {
            let found = computers.find_any(&names_of(item));
            found.is_some_and(|object| space.key_name(object) != item.computer)
        };
        let mut places: Vec<_> =
            items.iter().filter(is_due).map(|item| (item.changed_at, item.item_key.clone())).collect();
        places.sort_unstable();
        places
    }

    fn known_computers(&self) -> u64 {
        let space = self.operations.group.read();
        let objects = Some(space.state_of_objects());
        let mut known = self.known.lock();
        if known.objects != objects {
            *known = Known { objects, computers: computers_of_space(&space) };
        }
        known.computers
    }
}

/// The names that the product has for the configuration item of an item, the most exact first.
pub fn names_of(item: &ItsmItem) -> Vec<String> {
    serde_json::from_str(&item.names).unwrap_or_default()
}

fn computers_of_space(space: &Space) -> u64 {
    let class = ElementId::of("System.Library", "System.Computer");
    let digest = |id| {
        let mut hasher = DefaultHasher::new();
        (space.key_name(id), space.display_name(id)).hash(&mut hasher);
        hasher.finish()
    };
    // in whatever order they come
    space.objects.of_class(class, space.library.as_ref()).into_iter().map(digest).fold(0, u64::wrapping_add)
}
