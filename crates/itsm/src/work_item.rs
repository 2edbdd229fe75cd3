//! Work items as every product has them: incidents and change requests that are read, and items that are made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::connection::ActionKind;
use crate::fields::Field;

/// The kinds of work items that are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WorkItemKind {
    Incident,
    ChangeRequest,
}

impl WorkItemKind {
    pub const ALL: [WorkItemKind; 2] = [WorkItemKind::Incident, WorkItemKind::ChangeRequest];

    /// As `ServiceDeskWorkItemType_s` says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            WorkItemKind::Incident => "Incident",
            WorkItemKind::ChangeRequest => "ChangeRequest",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An incident or change request as it was at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkItem {
    /// What the product knows it by; never shown.
    pub key: String,
    /// What people know it by: `INC0010023`.
    pub number: String,
    /// When it was last changed, microseconds since 1970.
    pub changed_at: i64,
    /// Texts by field; an empty one is not here.
    pub texts: BTreeMap<Field, String>,
    /// Times by field, microseconds since 1970.
    pub dates: BTreeMap<Field, i64>,
    /// Names of its configuration item, the most exact first.
    pub computers: Vec<String>,
}

/// States in which nothing more is done, as the products name them.
pub const OVER_STATES: [&str; 12] = [
    "Resolved",
    "Closed",
    "Closed Complete",
    "Closed Incomplete",
    "Completed",
    "Complete",
    "Canceled",
    "Cancelled",
    "Rejected",
    "Failed",
    "Skipped",
    "Deleted",
];

impl WorkItem {
    /// Whether something is still to be done.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let state = self.texts.get(&Field::State).map_or("", String::as_str);
        !self.dates.contains_key(&Field::ClosedDate) && !OVER_STATES.iter().any(|over| over.eq_ignore_ascii_case(state))
    }

    pub(crate) fn set(&mut self, field: Field, text: impl Into<String>) {
        let text = text.into();
        if !text.trim().is_empty() {
            self.texts.insert(field, text);
        }
    }

    pub(crate) fn set_date(&mut self, field: Field, at: Option<i64>) {
        if let Some(at) = at {
            self.dates.insert(field, at);
        }
    }
}

/// What a work item of an alert is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewWorkItem {
    pub kind: ActionKind,
    /// Names this very item in the product, so that it can be found again.
    pub correlation_id: String,
    pub title: String,
    pub description: String,
    /// 1 (high) to 3 (low); products have their own words for it.
    pub urgency: u8,
    /// 1 (high) to 3 (low).
    pub impact: u8,
    /// The name of the configuration item that is affected; empty: none is known.
    pub configuration_item: String,
    /// The name of a template of the product; empty: none.
    pub template: String,
    /// Fields of the product with constant values; they stand over the template and the values above.
    pub fields: BTreeMap<String, String>,
}

/// A work item in the product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub key: String,
    pub number: String,
    /// Where a person reads it.
    pub link: String,
    /// Whether it is still worked on.
    pub open: bool,
}

/// Which item a change is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    pub kind: ActionKind,
    pub key: &'a str,
    pub correlation_id: &'a str,
}

/// What to do with an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Only the note is added.
    Note,
    Resolve,
    Close,
    Reopen,
}

impl Outcome {
    /// Its word in what is stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Note => "Note",
            Outcome::Resolve => "Resolve",
            Outcome::Close => "Close",
            Outcome::Reopen => "Reopen",
        }
    }
}

/// A change to an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub outcome: Outcome,
    /// For the item's journal.
    pub note: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_open_until_its_state_or_its_closing_says_otherwise() {
        let mut item = WorkItem::default();
        assert!(item.is_open());
        item.set(Field::State, "In Progress");
        assert!(item.is_open());
        item.set(Field::State, "closed complete");
        assert!(!item.is_open());
        item.set(Field::State, "In Progress");
        item.set_date(Field::ClosedDate, Some(1));
        assert!(!item.is_open());
    }
}
