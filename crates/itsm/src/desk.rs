//! What every product can be asked: the one interface of this crate.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::configuration::Configuration;
use crate::connection::{Partner, Secrets, Settings};
use crate::http::Http;
use crate::problem::Problem;
use crate::work_item::{Change, NewWorkItem, Target, Ticket, WorkItem, WorkItemKind};
use crate::{cherwell, provance, request_tracker, service_manager, servicenow};

/// How long exchanges may take and how often they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// One request with its answer.
    pub request: Duration,
    /// Tries of a request that can be sent again without harm.
    pub tries: u32,
    /// The pause before the second try; it doubles.
    pub pause: Duration,
    /// A product that asks for a longer pause than this gets the request with the next turn instead.
    pub longest_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(60),
            tries: 4,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// A place in the order of work items: by time of change, then by key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Microseconds since 1970.
    pub changed_at: i64,
    pub key: String,
}

/// From where on work items are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Changed then or later.
    Time(i64),
    /// Behind this one in the order.
    Item(Position),
}

impl After {
    /// The time from which on items can be.
    #[must_use]
    pub fn time(&self) -> i64 {
        match self {
            After::Time(at) => *at,
            After::Item(position) => position.changed_at,
        }
    }

    /// Whether an item stands behind this place.
    #[must_use]
    pub fn takes(&self, changed_at: i64, key: &str) -> bool {
        match self {
            After::Time(at) => changed_at >= *at,
            After::Item(last) => (changed_at, key) > (last.changed_at, last.key.as_str()),
        }
    }
}

/// Some work items in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub items: Vec<WorkItem>,
    /// There may be more behind the last one.
    pub more: bool,
    /// How many there are from the asked place on, where the product says it.
    pub total: Option<u64>,
}

/// What a test of a connection found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tested {
    /// The product with its version, where it says that.
    pub product: String,
    /// What works less than it could.
    pub warnings: Vec<String>,
}

/// One request that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// `None`: no answer came.
    pub status: Option<u16>,
    pub took: Duration,
    pub tries: u32,
}

/// A product.
#[async_trait]
pub trait ServiceDesk: Send + Sync {
    /// Signs in and tries everything that the connection is for.
    async fn test(&self) -> Result<Tested, Problem>;

    /// Templates, fields, users and groups.
    async fn configuration(&self) -> Result<Configuration, Problem>;

    /// Work items of a kind behind a place, in the order of [`Position`], at most `limit` or a little more.
    async fn changed(&self, kind: WorkItemKind, after: &After, limit: u32) -> Result<Page, Problem>;

    /// The keys of all work items of a kind that were changed since a time: who is not among them is gone.
    async fn keys(&self, kind: WorkItemKind, since: i64) -> Result<Vec<String>, Problem>;

    /// Items with this correlation id, the oldest first.
    async fn find(&self, target: &Target<'_>) -> Result<Vec<Ticket>, Problem>;

    /// Makes an item. An error that is [`Problem::uncertain`] may have made it: [`ServiceDesk::find`] says.
    async fn create(&self, item: &NewWorkItem) -> Result<Ticket, Problem>;

    /// Whether the product itself makes one item of a correlation id, however often it is asked.
    fn makes_once(&self) -> bool {
        false
    }

    /// Changes an item; the same change again does no harm.
    async fn change(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem>;

    /// What was exchanged since this was called last.
    fn exchanges(&self) -> Vec<Exchange>;
}

/// A connection's product. Nothing is sent yet.
///
/// # Errors
/// When the settings cannot be: an authority that is no certificate.
pub fn open(
    partner: Partner,
    settings: &Settings,
    secrets: &Secrets,
    timing: Timing,
) -> Result<Arc<dyn ServiceDesk>, Problem> {
    let http = Http::new(settings, timing)?;
    let (settings, secrets) = (settings.clone(), secrets.clone());
    Ok(match partner {
        Partner::ServiceNow => Arc::new(servicenow::ServiceNow::new(http, settings, secrets)),
        Partner::ServiceManager => Arc::new(service_manager::ServiceManager::new(http, settings, secrets)),
        Partner::Provance => Arc::new(provance::Provance::new(http, settings, secrets)),
        Partner::Cherwell => Arc::new(cherwell::Cherwell::new(http, settings, secrets)),
        Partner::RequestTracker => Arc::new(request_tracker::RequestTracker::new(http, settings, secrets)),
    })
}
