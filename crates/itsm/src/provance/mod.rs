//! Provance ITSM. Its work items are tables of Microsoft Dataverse (Dynamics 365), whose OData interface Microsoft
//! documents ("Use the Microsoft Dataverse Web API"); the names of Provance's own tables and columns are in no public
//! document, so they are found in the metadata by what people read there.

mod metadata;
mod rows;
mod sign_in;
mod tickets;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::configuration::{Choice, Configuration, FieldChoices, Person};
use crate::connection::{Secrets, Settings};
use crate::desk::{After, Exchange, Page, ServiceDesk, Tested};
use crate::http::{Answer, Http, Request};
use crate::problem::{Part, Problem};
use crate::session::Session;
use crate::work_item::{Change, NewWorkItem, Target, Ticket, WorkItemKind};
use metadata::{Entity, Table};

/// The version of the interface.
const API: &str = "/api/data/v9.2";
/// What people see of a choice, a reference or a time.
const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
/// No form offers more.
const MOST: usize = 20_000;

/// A Provance.
pub struct Provance {
    http: Http,
    settings: Settings,
    secrets: Secrets,
    session: Session,
    /// Where tokens are issued, once it is known.
    issuer: Mutex<Option<String>>,
    /// Every table's names.
    entities: Mutex<Option<Arc<Vec<Entity>>>>,
    /// Those that are used, by logical name.
    tables: Mutex<HashMap<String, Arc<Table>>>,
}

impl Provance {
    pub fn new(http: Http, settings: Settings, secrets: Secrets) -> Self {
        Self {
            http,
            settings,
            secrets,
            session: Session::default(),
            issuer: Mutex::default(),
            entities: Mutex::default(),
            tables: Mutex::default(),
        }
    }

    async fn answered(&self, request: Request) -> Result<Answer, Problem> {
        let request = request.with_header("OData-MaxVersion", "4.0").with_header("OData-Version", "4.0");
        self.session.send(&self.http, self, request).await
    }

    /// The JSON of a success.
    async fn asked(&self, request: Request) -> Result<Value, Problem> {
        let answer = self.answered(request).await?;
        match answer.is_success() {
            true => answer.json(),
            false => Err(self.problem(&answer)),
        }
    }

    async fn got(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Problem> {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.asked(Request::get(format!("{API}{path}")).with_query(query)).await
    }

    /// All rows of an entity set with these columns: identities and names of people.
    async fn people(&self, set: &str, id: &str, name: &str, filter: &str) -> Result<Vec<Person>, Problem> {
        let mut query = vec![("$select", format!("{id},{name}")), ("$orderby", format!("{name} asc"))];
        if !filter.is_empty() {
            query.push(("$filter", filter.to_owned()));
        }
        let mut body = match self.got(&format!("/{set}"), &query).await {
            // what this user may not see is offered to nobody
            Err(problem) if problem.part == Part::Role => return Ok(Vec::new()),
            body => body?,
        };
        let mut people = Vec::new();
        loop {
            let text = |row: &Value, column: &str| row[column].as_str().unwrap_or_default().to_owned();
            let rows = body["value"].as_array().into_iter().flatten();
            people.extend(rows.map(|row| Person { id: text(row, id), name: text(row, name) }));
            let Some(next) = self.next_page(&body).filter(|_| people.len() < MOST) else { return Ok(people) };
            body = self.asked(Request::get(next)).await?;
        }
    }

    /// The address of the next page. The token goes nowhere else than to the product.
    fn next_page(&self, body: &Value) -> Option<String> {
        let next = body["@odata.nextLink"].as_str()?;
        next.starts_with(&format!("{}{API}/", self.settings.url)).then(|| next.to_owned())
    }
}

#[async_trait]
impl ServiceDesk for Provance {
    async fn test(&self) -> Result<Tested, Problem> {
        self.got("/WhoAmI", &[]).await?;
        let version = self.got("/RetrieveVersion()", &[]).await?;
        let mut tested = Tested {
            product: format!("Provance on Dataverse {}", version["Version"].as_str().unwrap_or_default()),
            ..Tested::default()
        };
        let mut kinds = self.settings.work_items.clone();
        if kinds.is_empty() {
            kinds.push(WorkItemKind::Incident);
        }
        for kind in kinds {
            let table = self.table_of(kind).await?;
            self.read_changed(kind, &After::Time(i64::MAX / 4), 1).await?;
            let missing = table.missing(kind);
            if !missing.is_empty() {
                let missing = missing.join(", ");
                tested.warnings.push(format!("the table {} has no column for: {missing}", table.entity.logical));
            }
        }
        Ok(tested)
    }

    async fn configuration(&self) -> Result<Configuration, Problem> {
        let mut configuration = Configuration::default();
        for kind in self.settings.work_items.clone() {
            let table = self.table_of(kind).await?;
            for column in table.columns.iter().filter(|column| !column.options.is_empty()) {
                let choices = column
                    .options
                    .iter()
                    .map(|option| Choice { value: option.value.to_string(), label: option.label.clone() });
                configuration.fields.push(FieldChoices {
                    name: column.logical.clone(),
                    label: column.label.clone(),
                    table: table.entity.logical.clone(),
                    choices: choices.collect(),
                });
            }
        }
        configuration.users = self.people("systemusers", "systemuserid", "fullname", "isdisabled eq false").await?;
        configuration.groups = self.people("teams", "teamid", "name", "").await?;
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
        self.create_row(item).await
    }

    fn makes_once(&self) -> bool {
        true
    }

    async fn change(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        self.change_row(target, change).await
    }

    fn exchanges(&self) -> Vec<Exchange> {
        self.http.exchanges()
    }
}
