//! Cherwell Service Management over its REST API, version 1 (Ivanti, "Cherwell REST API", "Business Object Usage",
//! "Using Search Operations"). Work items are business objects; their fields are found by name.

mod items;
mod objects;
mod sign_in;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::configuration::{Choice, Configuration, FieldChoices, Person};
use crate::connection::{Secrets, Settings};
use crate::desk::{After, Exchange, Page, ServiceDesk, Tested};
use crate::http::Http;
use crate::problem::Problem;
use crate::session::Session;
use crate::work_item::{Change, NewWorkItem, Target, Ticket, WorkItemKind};
use objects::Template;

const API: &str = "/CherwellAPI/api";
/// Fields whose values are offered.
const CHOSEN: [&str; 5] = ["Status", "Priority", "Urgency", "Impact", "Category"];

/// A Cherwell.
pub struct Cherwell {
    http: Http,
    settings: Settings,
    secrets: Secrets,
    session: Session,
    /// Business objects by name.
    templates: Mutex<HashMap<String, Arc<Template>>>,
    /// Microseconds that the product's clock shows ahead of UTC.
    offset: Mutex<Option<i64>>,
}

impl Cherwell {
    pub fn new(http: Http, settings: Settings, secrets: Secrets) -> Self {
        let (session, templates, offset) = (Session::default(), Mutex::default(), Mutex::default());
        Self { http, settings, secrets, session, templates, offset }
    }

    /// The business object of a kind.
    fn object(&self, kind: WorkItemKind) -> &str {
        self.settings.places.get(&kind).map_or(kind.name(), String::as_str)
    }
}

#[async_trait]
impl ServiceDesk for Cherwell {
    async fn test(&self) -> Result<Tested, Problem> {
        let version = self.service_version().await?;
        let mut kinds = self.settings.work_items.clone();
        if kinds.is_empty() {
            kinds.push(WorkItemKind::Incident);
        }
        for kind in kinds {
            self.changed(kind, &After::Time(i64::MAX / 4), 1).await?;
        }
        Ok(Tested { product: format!("Cherwell {version}"), warnings: Vec::new() })
    }

    async fn configuration(&self) -> Result<Configuration, Problem> {
        let mut configuration = Configuration::default();
        for kind in self.settings.work_items.clone() {
            let object = self.object(kind).to_owned();
            let template = self.template(&object).await?;
            for name in CHOSEN.iter().filter(|name| template.fields.contains_key(**name)) {
                let values = self.values(&template, name).await?;
                let choices = values.into_iter().map(|value| Choice { label: value.clone(), value }).collect();
                configuration.fields.push(FieldChoices {
                    name: (*name).to_owned(),
                    label: (*name).to_owned(),
                    table: object.clone(),
                    choices,
                });
            }
        }
        configuration.users = self.users().await?;
        configuration.groups = self.teams().await?.into_iter().map(|(id, name)| Person { id, name }).collect();
        Ok(configuration)
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
        self.create_incident(item).await
    }

    async fn change(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        self.change_incident(target, change).await
    }

    fn exchanges(&self) -> Vec<Exchange> {
        self.http.exchanges()
    }
}
