//! Tickets of alerts. A ticket refers to a URI with its correlation id: links of tickets can be searched for without
//! anybody preparing the product.

use serde_json::{Map, Value, json};

use super::read::{quoted, text};
use super::{REST, RequestTracker};
use crate::http::Request;
use crate::problem::{Part, Problem};
use crate::work_item::{Change, NewWorkItem, Outcome, Target, Ticket, WorkItemKind};

const RESOLVED: &str = "resolved";
const OPEN: &str = "open";
/// Statuses of the standard life cycle that nobody works on any more.
const DONE: [&str; 3] = [RESOLVED, "rejected", "deleted"];
const PLAIN: &str = "text/plain";

impl RequestTracker {
    pub(super) async fn find_correlated(&self, target: &Target<'_>) -> Result<Vec<Ticket>, Problem> {
        let query = [
            ("query", format!("RefersTo = {}", quoted(&uri(target.correlation_id)))),
            ("orderby", "id".to_owned()),
            ("fields", "Status".to_owned()),
        ];
        let body = self.got("/tickets", &query).await?;
        Ok(body["items"].as_array().into_iter().flatten().map(|ticket| self.ticket(ticket)).collect())
    }

    pub(super) async fn create_ticket(&self, item: &NewWorkItem) -> Result<Ticket, Problem> {
        if !item.template.is_empty() {
            return Err(Problem::new(
                Part::WorkItem,
                format!("Request Tracker has no templates of tickets; the action names {:?}", item.template),
                "leave the template out and give fields",
            ));
        }
        let mut body = Map::new();
        let mut custom = Map::new();
        body.insert("Queue".to_owned(), json!(self.queue(WorkItemKind::Incident)));
        body.insert("Subject".to_owned(), json!(item.title.replace(['\n', '\r'], " ")));
        body.insert("Content".to_owned(), json!(item.description));
        body.insert("ContentType".to_owned(), json!(PLAIN));
        body.insert("Priority".to_owned(), json!(priority(item.urgency)));
        body.insert("RefersTo".to_owned(), json!(uri(&item.correlation_id)));
        for (name, value) in &item.fields {
            match name.strip_prefix("CF.") {
                Some(field) => custom.insert(field.to_owned(), json!(value)),
                None => body.insert(name.clone(), json!(value)),
            };
        }
        // only a queue that has the field takes it
        if !item.configuration_item.is_empty() {
            custom.entry("Computer").or_insert_with(|| json!(item.configuration_item));
        }
        if !custom.is_empty() {
            body.insert("CustomFields".to_owned(), Value::Object(custom));
        }
        let made = self.asked(Request::post(format!("{REST}/ticket"), Value::Object(body))).await?;
        let key = text(&made["id"]);
        if key.is_empty() {
            let advice = "look at the product's own log";
            return Err(Problem::new(Part::Product, "the ticket was made and has no number", advice).uncertain(true));
        }
        Ok(Ticket { link: self.link(&key), number: key.clone(), key, open: true })
    }

    pub(super) async fn change_ticket(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        let path = format!("/ticket/{}", target.key);
        let ticket = self.got(&path, &[]).await?;
        let status = text(&ticket["Status"]);
        let wanted = match change.outcome {
            Outcome::Note => None,
            // the product has one end: a resolved ticket is closed
            Outcome::Resolve | Outcome::Close if !DONE.contains(&status.as_str()) => Some(RESOLVED),
            Outcome::Reopen if DONE.contains(&status.as_str()) => Some(OPEN),
            Outcome::Resolve | Outcome::Close | Outcome::Reopen => None,
        };
        if !change.note.is_empty() {
            let body = json!({"Content": change.note, "ContentType": PLAIN});
            self.asked(Request::post(format!("{REST}{path}/comment"), body)).await?;
        }
        let Some(wanted) = wanted else { return Ok(self.ticket(&ticket)) };
        let said = self.put(&path, json!({"Status": wanted})).await?;
        let now = self.got(&path, &[]).await?;
        // the product says 200 with a message where it did not do it
        if text(&now["Status"]) != wanted {
            let message = format!("ticket {} stays {}: {said}", target.key, text(&now["Status"]));
            let advice =
                "look which statuses the queue's life cycle has and whether the user has the right ModifyTicket";
            return Err(Problem::new(Part::Role, message, advice));
        }
        Ok(self.ticket(&now))
    }

    fn ticket(&self, ticket: &Value) -> Ticket {
        let key = text(&ticket["id"]);
        let open = !DONE.contains(&text(&ticket["Status"]).as_str());
        Ticket { link: self.link(&key), number: key.clone(), key, open }
    }

    fn link(&self, key: &str) -> String {
        format!("{}/Ticket/Display.html?id={key}", self.settings.url)
    }
}

/// What a ticket of ours refers to. The domain is reserved: nobody opens it.
fn uri(correlation_id: &str) -> String {
    let id: String = form_urlencoded::byte_serialize(correlation_id.as_bytes()).collect();
    format!("https://watchkeeper.invalid/alerts/{id}")
}

/// The numbers of a fresh installation (`PriorityAsString`): 0 low, 50 medium, 100 high.
fn priority(urgency: u8) -> u32 {
    match urgency {
        0 | 1 => 100,
        2 => 50,
        _ => 0,
    }
}
