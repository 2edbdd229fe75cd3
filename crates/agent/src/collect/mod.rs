//! Collectors: each gives rows on its own schedule.

use std::time::Duration;

use watchkeeper_wire::{Table, TableBuilder};

use crate::queue::{Class, Positions};
use crate::system::Microseconds;

/// What every row says about where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The computer's name.
    pub computer: String,
    /// The agent's identity.
    pub agent_id: String,
    /// The first address of the machine.
    pub host_ip: String,
}

/// Rows and positions of one collection.
#[derive(Debug, Default)]
pub struct Collected {
    tables: Vec<TableBuilder>,
    positions: Vec<(String, Vec<u8>)>,
    /// There is more to read: collect again at once after this was kept.
    pub more: bool,
    /// Ask again after this, sooner than the interval says: differences need a second look.
    pub again_after: Option<Duration>,
}

impl Collected {
    /// The builder of a table.
    pub fn table(&mut self, name: &str) -> &mut TableBuilder {
        let index = match self.tables.iter().position(|table| table.name() == name) {
            Some(index) => index,
            None => {
                self.tables.push(TableBuilder::new(name));
                self.tables.len() - 1
            }
        };
        &mut self.tables[index]
    }

    /// Where the collector stands after these rows; an empty value removes the key.
    pub fn position(&mut self, key: impl Into<String>, value: Vec<u8>) {
        self.positions.push((key.into(), value));
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty() && self.rows() == 0
    }

    /// Takes over the positions of another collection; a later one of the same key counts.
    pub fn take_positions(&mut self, other: &mut Collected) {
        for (key, value) in other.positions.drain(..) {
            self.positions.retain(|(known, _)| *known != key);
            self.positions.push((key, value));
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.tables.iter().map(TableBuilder::rows).sum()
    }

    /// The tables that have rows, and the positions.
    #[must_use]
    pub fn finish(self) -> (Vec<Table>, Vec<(String, Vec<u8>)>) {
        let tables = self.tables.into_iter().filter(|table| table.rows() > 0).map(TableBuilder::finish).collect();
        (tables, self.positions)
    }
}

/// Why nothing was collected; the collector is asked again at its next time.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct CollectError {
    what: String,
    reason: String,
}

impl CollectError {
    /// From what was read and an error.
    pub fn new(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self { what: what.into(), reason: reason.to_string() }
    }
}

/// Something that gives rows.
pub trait Collector: Send {
    /// Its name in logs.
    fn name(&self) -> &str;

    /// The class of its rows, for the disk queue.
    fn class(&self) -> Class;

    /// How often it is asked.
    fn interval(&self) -> Duration;

    /// Gives the rows that are there now. `positions` is what was kept with the rows before: a collector that reads a
    /// stream reads on from there and from nowhere else, because rows that could not be kept are asked for again.
    ///
    /// # Errors
    /// When nothing can be read.
    fn collect(
        &mut self,
        now: Microseconds,
        origin: &Origin,
        positions: &Positions,
        out: &mut Collected,
    ) -> Result<(), CollectError>;
}
