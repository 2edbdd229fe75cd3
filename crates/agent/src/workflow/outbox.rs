//! What modules leave for the server, until it is in the disk queue.

use std::collections::HashMap;
use std::sync::Arc;

use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_wire::proto::OperationalItem;
use watchkeeper_wire::proto::operational_item::Item;

use crate::collect::Collected;
use crate::queue::Class;
use crate::system::Microseconds;
use crate::workflow::module::{Item as DataPiece, Owner};

/// Rows by class, operational items, positions of sources.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Samples.
    pub performance: Collected,
    /// Events, and the positions of all sources.
    pub events: Collected,
    items: Vec<OperationalItem>,
    /// Items that have their rows, by address; kept so that no address is used again meanwhile.
    written: HashMap<(usize, ElementId, ObjectId), DataPiece>,
}

impl Outbox {
    /// Adds an item.
    pub fn put(&mut self, time: Microseconds, item: Item) {
        self.items.push(OperationalItem { time, item: Some(item) });
    }

    /// Whether an item has no row of this owner yet; it counts as having one from now on.
    pub fn is_first(&mut self, item: &DataPiece, owner: &Owner) -> bool {
        let address = Arc::as_ptr(item).addr();
        self.written.insert((address, owner.element_id, owner.object), item.clone()).is_none()
    }

    /// Takes the rows: samples, then events with the positions.
    #[must_use]
    pub fn take_rows(&mut self) -> [(Class, Collected); 2] {
        self.written.clear();
        [(Class::Performance, std::mem::take(&mut self.performance)), (Class::Event, std::mem::take(&mut self.events))]
    }

    /// The items, the most important class first, each with its class.
    #[must_use]
    pub fn take_items(&mut self) -> Vec<(Class, Vec<OperationalItem>)> {
        let items = std::mem::take(&mut self.items);
        let mut by_class: Vec<(Class, Vec<OperationalItem>)> =
            Class::ALL.into_iter().rev().map(|class| (class, Vec::new())).collect();
        for item in items {
            let class = class_of(&item);
            if let Some((_, of_class)) = by_class.iter_mut().find(|(known, _)| *known == class) {
                of_class.push(item);
            }
        }
        by_class.retain(|(_, items)| !items.is_empty());
        by_class
    }

    /// The items that wait.
    #[must_use]
    pub fn items(&self) -> &[OperationalItem] {
        &self.items
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.performance.is_empty() && self.events.is_empty()
    }
}

fn class_of(item: &OperationalItem) -> Class {
    match &item.item {
        Some(Item::Alert(_)) => Class::Alert,
        Some(Item::Discovery(_)) => Class::Discovery,
        Some(Item::StateChange(_) | Item::TaskResult(_)) => Class::State,
        Some(Item::Maintenance(_)) => Class::Alert,
        Some(Item::WorkflowEvent(_)) | None => Class::Event,
    }
}
