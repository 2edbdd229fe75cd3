//! Request Tracker 5 over its REST 2 API. Incidents and change requests are the tickets of a queue each.

mod read;
mod tickets;

use async_trait::async_trait;
use http::Method;
use serde_json::Value;

use crate::configuration::{Choice, Configuration, FieldChoices, Person};
use crate::connection::{Secrets, Settings};
use crate::desk::{After, Exchange, Page, ServiceDesk, Tested};
use crate::http::{Answer, Authorization, Http, Request};
use crate::problem::{Part, Problem};
use crate::work_item::{Change, NewWorkItem, Target, Ticket, WorkItemKind};

const REST: &str = "/REST/2.0";
/// The queue of a fresh installation.
const INCIDENTS: &str = "General";
const CHANGES: &str = "Changes";
/// The product gives at most 100 at once, and takes its time for each.
const PER_PAGE: u32 = 50;
/// No form offers more.
const MOST: usize = 20_000;

/// A Request Tracker.
pub struct RequestTracker {
    http: Http,
    settings: Settings,
    secrets: Secrets,
}

impl RequestTracker {
    pub fn new(http: Http, settings: Settings, secrets: Secrets) -> Self {
        Self { http, settings, secrets }
    }

    /// The queue of a kind.
    fn queue(&self, kind: WorkItemKind) -> &str {
        let default = match kind {
            WorkItemKind::Incident => INCIDENTS,
            WorkItemKind::ChangeRequest => CHANGES,
        };
        self.settings.places.get(&kind).map_or(default, String::as_str)
    }

    /// Sends with user and password, or with an authentication token where there is no user.
    async fn sent(&self, request: Request) -> Result<Answer, Problem> {
        let password = self.secrets.password.clone();
        let authorization = match self.settings.user_name.as_str() {
            "" => Authorization::Plain(format!("token {password}")),
            user => Authorization::Basic { user: user.to_owned(), password },
        };
        self.http.send(&request.authorized(authorization)).await
    }

    /// The JSON of a success.
    async fn asked(&self, request: Request) -> Result<Value, Problem> {
        let answer = self.sent(request).await?;
        match answer.is_success() {
            true => answer.json(),
            false => Err(self.problem(&answer)),
        }
    }

    async fn got(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Problem> {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.asked(Request::get(format!("{REST}{path}")).with_query(query)).await
    }

    /// What an answer that is no success means.
    fn problem(&self, answer: &Answer) -> Problem {
        let said = match answer.value().as_ref().map(|body| &body["message"]) {
            Some(Value::String(message)) => message.clone(),
            _ => answer.shown(),
        };
        let text = format!("{} answered {}: {said}", answer.path, answer.status);
        let problem = match answer.status {
            401 if self.settings.user_name.is_empty() => Problem::new(
                Part::Password,
                "Request Tracker does not take the authentication token".to_owned(),
                "make a new one under Logged in as, Settings, Auth Tokens, and give it as the password",
            ),
            401 => Problem::new(
                Part::UserOrPassword,
                format!("Request Tracker does not take the user {:?} with this password", self.settings.user_name),
                "try both on the product's own page; the user must be allowed to sign in (privileged, not disabled)",
            ),
            403 => Problem::new(
                Part::Role,
                text,
                "give the user the rights SeeQueue, ShowTicket, CreateTicket, ModifyTicket, CommentOnTicket and \
                 ShowTicketComments on the queues of the connection",
            ),
            404 if answer.web_page().is_some() => Problem::new(
                Part::Url,
                text,
                "write the URL of Request Tracker's start page, without /REST/2.0 behind it",
            ),
            404 => Problem::new(Part::WorkItem, text, "look whether the ticket or queue is still there"),
            _ => Problem::new(Part::WorkItem, text, "look at the names and values of the action's fields"),
        };
        problem.with_status(answer.status)
    }

    /// The items of a collection, page by page.
    async fn all(&self, path: &str, fields: &str) -> Result<Vec<Value>, Problem> {
        let mut items = Vec::new();
        for page in 1.. {
            let query = [("page", page.to_string()), ("per_page", PER_PAGE.to_string()), ("fields", fields.to_owned())];
            let mut body = match self.got(path, &query).await {
                // what this user may not see is offered to nobody
                Err(problem) if problem.part == Part::Role => break,
                body => body?,
            };
            let pages = body["pages"].as_u64().unwrap_or_default();
            let Value::Array(found) = body["items"].take() else { break };
            items.extend(found);
            if page >= pages || items.len() >= MOST {
                break;
            }
        }
        Ok(items)
    }
}

#[async_trait]
impl ServiceDesk for RequestTracker {
    async fn test(&self) -> Result<Tested, Problem> {
        let about = self.got("/rt", &[]).await.map_err(|problem| match problem.status {
            Some(404) => Problem::new(
                Part::Url,
                format!("{}{REST}/rt is not there: no Request Tracker 5 answers", self.settings.url),
                "write the URL of Request Tracker's start page, without /REST/2.0 behind it",
            ),
            _ => problem,
        })?;
        let version = about["Version"].as_str().unwrap_or_default();
        if version.is_empty() {
            let message = format!("{} does not say that it is Request Tracker", self.settings.url);
            return Err(Problem::new(Part::Url, message, "write the URL of its start page"));
        }
        let mut tested = Tested { product: format!("Request Tracker {version}"), ..Tested::default() };
        let mut kinds = self.settings.work_items.clone();
        if kinds.is_empty() {
            kinds.push(WorkItemKind::Incident);
        }
        for kind in kinds {
            let name = self.queue(kind);
            let path = format!("/queue/{}", segment(name));
            let queue = self.got(&path, &[]).await.map_err(|problem| match problem.status {
                Some(403 | 404) => Problem::new(
                    Part::Role,
                    format!("the queue {name:?} for {} is not there, or not for this user", kind.name()),
                    "name the queue in the connection (places), or give the user the right SeeQueue on it",
                ),
                _ => problem,
            })?;
            let links = queue["_hyperlinks"].as_array();
            let may_create = links.is_some_and(|links| links.iter().any(|link| link["ref"] == "create"));
            if !may_create {
                tested.warnings.push(format!("the user has no right CreateTicket on the queue {name}"));
            }
        }
        self.check_zone().await?;
        Ok(tested)
    }

    async fn configuration(&self) -> Result<Configuration, Problem> {
        let mut configuration = Configuration::default();
        let queues = self.all("/queues/all", "Name").await?;
        let named = |item: &Value| item["Name"].as_str().unwrap_or_default().to_owned();
        let choice = |item: &Value| Choice { value: named(item), label: named(item) };
        configuration.fields.push(FieldChoices {
            name: "Queue".to_owned(),
            label: "Queue".to_owned(),
            table: "ticket".to_owned(),
            choices: queues.iter().map(choice).collect(),
        });
        for kind in &self.settings.work_items {
            let queue = self.queue(*kind);
            // custom fields of a queue are found by its number alone
            let id = read::text(&self.got(&format!("/queue/{}", segment(queue)), &[]).await?["id"]);
            let path = format!("/queue/{id}/customfields");
            for field in self.all(&path, "Name,Values").await? {
                let values = field["Values"].as_array().into_iter().flatten();
                let choice = |value: &Value| {
                    let name = value["name"].as_str().or_else(|| value.as_str()).unwrap_or_default().to_owned();
                    Choice { value: name.clone(), label: name }
                };
                configuration.fields.push(FieldChoices {
                    name: format!("CF.{}", named(&field)),
                    label: named(&field),
                    table: queue.to_owned(),
                    choices: values.map(choice).collect(),
                });
            }
        }
        configuration.users = self.people("/users", true).await?;
        configuration.groups = self.people("/groups", false).await?;
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
        self.create_ticket(item).await
    }

    async fn change(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        self.change_ticket(target, change).await
    }

    fn exchanges(&self) -> Vec<Exchange> {
        self.http.exchanges()
    }
}

impl RequestTracker {
    /// Users or groups; the search wants a condition.
    async fn people(&self, path: &str, are_users: bool) -> Result<Vec<Person>, Problem> {
        let field = if are_users { "id" } else { "Domain" };
        let condition = match are_users {
            true => serde_json::json!([{"field": field, "operator": ">", "value": 0}]),
            false => serde_json::json!([{"field": field, "value": "UserDefined"}]),
        };
        let mut people = Vec::new();
        for page in 1.. {
            let request = Request::ask(format!("{REST}{path}"), condition.clone()).with_query([
                ("page", page.to_string()),
                ("per_page", PER_PAGE.to_string()),
                ("fields", "Name,RealName".to_owned()),
            ]);
            let body = match self.asked(request).await {
                Err(problem) if problem.part == Part::Role => break,
                body => body?,
            };
            for item in body["items"].as_array().into_iter().flatten() {
                let name = item["Name"].as_str().or_else(|| item["id"].as_str()).unwrap_or_default();
                let shown = item["RealName"].as_str().filter(|text| !text.is_empty()).unwrap_or(name);
                people.push(Person { id: name.to_owned(), name: shown.to_owned() });
            }
            if page >= body["pages"].as_u64().unwrap_or_default() || people.len() >= MOST {
                break;
            }
        }
        Ok(people)
    }

    async fn put(&self, path: &str, body: Value) -> Result<Value, Problem> {
        self.asked(Request::change(Method::PUT, format!("{REST}{path}"), body)).await
    }
}

/// A name within a path.
fn segment(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}
