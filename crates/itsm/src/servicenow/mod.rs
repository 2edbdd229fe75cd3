//! ServiceNow: OAuth 2.0 with a password grant, and the Table API (ServiceNow, "Table API", "OAuth inbound").

mod configuration;
mod query;
mod read;
mod sign_in;
mod table;
mod write;

use async_trait::async_trait;

use crate::configuration::Configuration;
use crate::connection::{ActionKind, Secrets, Settings};
use crate::desk::{After, Exchange, Page, ServiceDesk, Tested};
use crate::http::Http;
use crate::problem::Problem;
use crate::session::Session;
use crate::work_item::{Change, NewWorkItem, Target, Ticket, WorkItemKind};

/// A ServiceNow instance.
pub struct ServiceNow {
    http: Http,
    settings: Settings,
    secrets: Secrets,
    session: Session,
}

impl ServiceNow {
    pub fn new(http: Http, settings: Settings, secrets: Secrets) -> Self {
        Self { http, settings, secrets, session: Session::default() }
    }

    fn table_of(&self, kind: WorkItemKind) -> &str {
        match kind {
            WorkItemKind::Incident => "incident",
            WorkItemKind::ChangeRequest => "change_request",
        }
    }

    /// Where a person reads a record.
    fn link(&self, table: &str, key: &str) -> String {
        format!("{}/nav_to.do?uri={table}.do?sys_id={key}", self.settings.url)
    }
}

/// The table that an action writes to.
fn action_table(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Incident => "incident",
        ActionKind::Event => "em_event",
        ActionKind::Alert => "em_alert",
    }
}

#[async_trait]
impl ServiceDesk for ServiceNow {
    async fn test(&self) -> Result<Tested, Problem> {
        self.try_everything().await
    }

    async fn configuration(&self) -> Result<Configuration, Problem> {
        self.read_configuration().await
    }

    async fn changed(&self, kind: WorkItemKind, after: &After, limit: u32) -> Result<Page, Problem> {
        self.read_changed(kind, after, limit).await
    }

    async fn keys(&self, kind: WorkItemKind, since: i64) -> Result<Vec<String>, Problem> {
        self.read_keys(kind, since).await
    }

    async fn find(&self, target: &Target<'_>) -> Result<Vec<Ticket>, Problem> {
        self.find_correlated(target).await
    }

    async fn create(&self, item: &NewWorkItem) -> Result<Ticket, Problem> {
        self.create_item(item).await
    }

    async fn change(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        self.change_item(target, change).await
    }

    fn exchanges(&self) -> Vec<Exchange> {
        self.http.exchanges()
    }
}
