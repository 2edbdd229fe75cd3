//! Tickets as work items.

use serde_json::Value;

use super::{PER_PAGE, RequestTracker};
use crate::desk::{After, Page};
use crate::fields::Field;
use crate::problem::{Part, Problem};
use crate::time::{iso, utc_text};
use crate::work_item::{WorkItem, WorkItemKind};

const FIELDS: &str = "Subject,Status,Priority,Created,LastUpdated,Resolved,Starts,Started,Due,Owner,Creator,LastUpdatedBy,\
                      CustomFields";
/// Tickets that are busy are tried again so often.
const ZONE_TRIES: u32 = 3;
/// Custom fields that say what the ticket is about.
const COMPUTER_FIELDS: [&str; 4] = ["Computer", "Configuration Item", "Hostname", "Server"];
/// Custom fields of these names stand for fields that the product does not have.
const CUSTOM: [(Field, &str); 9] = [
    (Field::Urgency, "Urgency"),
    (Field::Impact, "Impact"),
    (Field::Escalation, "Escalation"),
    (Field::Source, "Source"),
    (Field::Category, "Category"),
    (Field::Type, "Type"),
    (Field::Risk, "Risk"),
    (Field::ConflictStatus, "Conflict Status"),
    (Field::Description, "Description"),
];

impl RequestTracker {
    pub(super) async fn read_changed(&self, kind: WorkItemKind, after: &After, limit: u32) -> Result<Page, Problem> {
        if matches!(after, After::Time(_)) {
            self.check_zone().await?;
        }
        // times have whole seconds, and `=` means the day
        let place = match after {
            After::Time(at) => format!("LastUpdated >= '{}'", utc_text(*at)),
            After::Item(last) => {
                let at = utc_text(last.changed_at);
                format!(
                    "(LastUpdated > '{at}' OR (LastUpdated >= '{at}' AND LastUpdated <= '{at}' AND id > {}))",
                    number(&last.key)
                )
            }
        };
        let body = self.search(kind, &place, &["LastUpdated", "id"], FIELDS, limit.min(PER_PAGE)).await?;
        let items: Vec<WorkItem> =
            body["items"].as_array().into_iter().flatten().map(|ticket| work_item(ticket, kind)).collect();
        let total = body["total"].as_u64();
        let more = body["pages"].as_u64().unwrap_or_default() > 1;
        Ok(Page { more: more && !items.is_empty(), items, total })
    }

    pub(super) async fn read_keys(&self, kind: WorkItemKind, since: i64) -> Result<Vec<String>, Problem> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let last = keys.last().map_or("0", String::as_str);
            let place = format!("LastUpdated >= '{}' AND id > {}", utc_text(since), number(last));
            let body = self.search(kind, &place, &["id"], "", PER_PAGE).await?;
            let found = body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            keys.extend(found.iter().map(|ticket| text(&ticket["id"])));
            if body["pages"].as_u64().unwrap_or_default() <= 1 || found.is_empty() {
                return Ok(keys);
            }
        }
    }

    /// The product reads times in searches in the time zone of the user, and tells nobody which that is: asks for the
    /// newest ticket by its own time.
    pub(super) async fn check_zone(&self) -> Result<(), Problem> {
        for _ in 0..ZONE_TRIES {
            let newest = [
                ("query", "id > 0".to_owned()),
                ("orderby", "LastUpdated".to_owned()),
                ("order", "DESC".to_owned()),
                ("per_page", "1".to_owned()),
                ("fields", "LastUpdated".to_owned()),
            ];
            let body = self.got("/tickets", &newest).await?;
            let ticket = &body["items"][0];
            let Some(at) = date(&ticket["LastUpdated"]) else { return Ok(()) };
            let at = utc_text(at);
            let same =
                format!("id = {} AND LastUpdated >= '{at}' AND LastUpdated <= '{at}'", number(&text(&ticket["id"])));
            let body = self.got("/tickets", &[("query", same), ("per_page", "1".to_owned())]).await?;
            if body["total"].as_u64() == Some(1) {
                return Ok(());
            }
            // it may have been changed in between
        }
        let user = &self.settings.user_name;
        Err(Problem::new(
            Part::Settings,
            format!("Request Tracker reads the times that the user {user:?} asks with in another time zone than UTC"),
            "set the user's time zone to UTC in Request Tracker: Logged in as, Settings, About me, Timezone (or Admin, \
             Users)",
        ))
    }

    async fn search(
        &self,
        kind: WorkItemKind,
        place: &str,
        order: &[&str],
        fields: &str,
        limit: u32,
    ) -> Result<Value, Problem> {
        let queue = quoted(self.queue(kind));
        let mut query = vec![("query", format!("Queue = {queue} AND {place}")), ("per_page", limit.to_string())];
        query.extend(order.iter().map(|field| ("orderby", (*field).to_owned())));
        if !fields.is_empty() {
            query.push(("fields", fields.to_owned()));
        }
        self.got("/tickets", &query).await
    }
}

/// A key within a TicketSQL query: keys are numbers.
fn number(key: &str) -> u64 {
    key.parse().unwrap_or_default()
}

/// A text within a TicketSQL query.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A value that may be a text or a number.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A time that is not the epoch, which means never.
fn date(value: &Value) -> Option<i64> {
    value.as_str().and_then(iso).filter(|at| *at > 0)
}

fn person(value: &Value) -> &str {
    value["id"].as_str().filter(|name| *name != "Nobody").unwrap_or_default()
}

fn work_item(ticket: &Value, kind: WorkItemKind) -> WorkItem {
    let key = text(&ticket["id"]);
    let mut item = WorkItem {
        number: key.clone(),
        key,
        changed_at: date(&ticket["LastUpdated"]).unwrap_or_default(),
        ..WorkItem::default()
    };
    item.set(Field::Title, text(&ticket["Subject"]));
    item.set(Field::State, text(&ticket["Status"]));
    item.set(Field::Priority, priority(&text(&ticket["Priority"])));
    item.set(Field::CreatedBy, person(&ticket["Creator"]));
    item.set(Field::AssignedTo, person(&ticket["Owner"]));
    item.set_date(Field::CreatedDate, date(&ticket["Created"]));
    let done = date(&ticket["Resolved"]);
    item.set_date(Field::ClosedDate, done);
    // the product notes who changed a ticket last: who resolved it, where nothing came after
    let by = match done.is_some() && done == date(&ticket["LastUpdated"]) {
        true => person(&ticket["LastUpdatedBy"]),
        false => "",
    };
    match kind {
        WorkItemKind::Incident => {
            item.set_date(Field::ResolvedDate, done);
            item.set(Field::ResolvedBy, by);
        }
        WorkItemKind::ChangeRequest => {
            item.set_date(Field::PlannedStartDate, date(&ticket["Starts"]));
            item.set_date(Field::PlannedEndDate, date(&ticket["Due"]));
            item.set_date(Field::WorkStartDate, date(&ticket["Started"]));
            item.set_date(Field::WorkEndDate, done);
        }
    }
    item.set(Field::ClosedBy, by);
    let custom = |name: &str| {
        let fields = ticket["CustomFields"].as_array().into_iter().flatten();
        let found = fields.filter(|field| field["name"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(name)));
        let values = found.flat_map(|field| field["values"].as_array().into_iter().flatten());
        values.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    for (field, name) in CUSTOM {
        item.set(field, custom(name).join(", "));
    }
    item.computers = COMPUTER_FIELDS.iter().flat_map(|name| custom(name)).collect();
    item
}

/// The product's own words for its numbers (configuration `PriorityAsString`, as it comes).
fn priority(number: &str) -> &str {
    match number.parse::<i64>() {
        Ok(100..) => "High",
        Ok(50..) => "Medium",
        Ok(_) => "Low",
        Err(_) => number,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_ticket_is_a_work_item() {
        let ticket = json!({
            "id": "7", "Subject": "Disk", "Status": "resolved", "Priority": "50", "Created": "2026-01-02T03:04:05Z",
            "LastUpdated": "2026-01-03T03:04:05Z", "Resolved": "2026-01-03T03:04:05Z", "Due": "1970-01-01T00:00:00Z",
            "Owner": {"id": "Nobody"}, "Creator": {"id": "root"}, "LastUpdatedBy": {"id": "ann"},
            "CustomFields": [{"name": "computer", "values": ["web01"]}, {"name": "Urgency", "values": ["High"]}],
        });
        let item = work_item(&ticket, WorkItemKind::Incident);
        assert_eq!((item.key.as_str(), item.computers.as_slice()), ("7", &["web01".to_owned()][..]));
        assert_eq!(item.texts[&Field::Priority], "Medium");
        assert_eq!(item.texts[&Field::ResolvedBy], "ann");
        assert_eq!(item.texts[&Field::Urgency], "High");
        assert!(!item.texts.contains_key(&Field::AssignedTo));
        assert_eq!(item.dates[&Field::ResolvedDate], iso("2026-01-03T03:04:05Z").unwrap());
        assert!(!work_item(&ticket, WorkItemKind::ChangeRequest).dates.contains_key(&Field::PlannedEndDate));
    }

    #[test]
    fn a_text_in_a_query_ends_where_it_should() {
        assert_eq!(quoted("it's \\ it"), "'it\\'s \\\\ it'");
    }
}
