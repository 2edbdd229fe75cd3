//! The hand-over of alerts to connections that make work items of them. An action group names a connection; whoever
//! runs connections registers a [`WorkItems`], and the delivery queue calls it: at least once, in the order of the
//! alert's life, again after [`WorkItemError::Later`], never two calls for one alert and receiver at a time.

use async_trait::async_trait;
use serde_json::Value;

use crate::Period;
use crate::action_group::ItsmReceiver;
use crate::common_schema::Notice;

/// What happened to the alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkItemEvent {
    /// It fired, or fired again while it was open.
    Fired,
    /// Its cause is over.
    Resolved,
    /// A person closed it.
    Closed,
}

impl WorkItemEvent {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            WorkItemEvent::Fired => "Fired",
            WorkItemEvent::Resolved => "Resolved",
            WorkItemEvent::Closed => "Closed",
        }
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkItemOrder {
    /// The same for every try of one delivery.
    pub delivery_id: String,
    pub event: WorkItemEvent,
    pub receiver: ItsmReceiver,
    pub notice: Notice,
    /// The common alert schema.
    pub payload: Value,
}

/// The work item that an order ended in.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkItemLink {
    pub connection: String,
    /// `Incident`, `Event`, `Alert`.
    pub kind: String,
    /// The product's identity of it.
    pub id: String,
    /// What people call it, for instance `INC0010023`.
    pub number: String,
    /// Where people see it.
    pub link: String,
    pub state: String,
}

/// Why an order did not end in a work item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkItemError {
    /// There is no such connection.
    #[error("there is no connection {0:?}; `watchkeeper itsm` lists those that there are")]
    NoConnection(String),
    /// It may succeed later.
    #[error("{reason}")]
    Later { reason: String, after: Option<Period> },
    /// It will not succeed as it is: a template that does not exist, a field that is refused.
    #[error("{0}")]
    Refused(String),
}

/// Makes, updates and closes work items.
#[async_trait]
pub trait WorkItems: Send + Sync + 'static {
    /// Whether a receiver can be served; asked when an action group is saved.
    ///
    /// # Errors
    /// Says what is missing, for the person who saves.
    async fn check(&self, receiver: &ItsmReceiver) -> Result<(), WorkItemError>;

    /// Carries an order out. The links become part of the alert.
    ///
    /// # Errors
    /// When it did not end in a work item.
    async fn deliver(&self, order: &WorkItemOrder) -> Result<Vec<WorkItemLink>, WorkItemError>;
}
