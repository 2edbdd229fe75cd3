//! Work items of alerts: made once, found by their correlation id, changed.

use serde_json::{Map, Value, json};

use super::configuration::template_fields;
use super::query;
use super::table::value;
use super::{ServiceNow, action_table};
use crate::connection::ActionKind;
use crate::problem::{Part, Problem};
use crate::work_item::{Change, NewWorkItem, Outcome, Target, Ticket};

/// The application of a correlation id.
const CORRELATION: &str = "Watchkeeper";
const SOURCE: &str = "Watchkeeper";
/// States of an incident (base system).
const IN_PROGRESS: &str = "2";
const RESOLVED: &str = "6";
const CLOSED: &str = "7";
/// The base system wants a code and notes where an incident is resolved.
const CLOSE_CODE: &str = "Solved (Permanently)";
/// States of an alert of Event Management.
const ALERT_CLOSED: &str = "Closed";
const ALERT_REOPENED: &str = "Reopen";
/// The severity with which an event ends its alert.
const CLEAR: &str = "0";
const MOST_FOUND: u32 = 10;

impl ServiceNow {
    pub(super) async fn find_correlated(&self, target: &Target<'_>) -> Result<Vec<Ticket>, Problem> {
        let table = action_table(target.kind);
        let field = correlation_field(target.kind);
        let query = format!("{field}={}^ORDERBYsys_created_on^ORDERBYsys_id", query::value(target.correlation_id));
        let fields = ["sys_id", "number", "state", "active", field];
        let found = self.table_rows(table, &query, &fields, MOST_FOUND).await?;
        let same = found.rows.iter().filter(|row| value(row, field) == target.correlation_id);
        Ok(same.map(|row| self.ticket(target.kind, row)).collect())
    }

    pub(super) async fn create_item(&self, item: &NewWorkItem) -> Result<Ticket, Problem> {
        let mut fields = match item.kind {
            ActionKind::Incident => self.incident(item).await?,
            ActionKind::Event => event(item),
            ActionKind::Alert => alert(item),
        };
        for (name, value) in &item.fields {
            fields.insert(name.clone(), json!(value));
        }
        let row = self.write_row(action_table(item.kind), None, fields).await?;
        Ok(self.ticket(item.kind, &row))
    }

    pub(super) async fn change_item(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        let mut fields = Map::new();
        match target.kind {
            ActionKind::Incident => {
                fields.insert("work_notes".to_owned(), json!(change.note));
                match change.outcome {
                    Outcome::Note => {}
                    Outcome::Reopen => {
                        fields.insert("state".to_owned(), json!(IN_PROGRESS));
                    }
                    Outcome::Resolve | Outcome::Close => {
                        let state = if change.outcome == Outcome::Close { CLOSED } else { RESOLVED };
                        fields.insert("state".to_owned(), json!(state));
                        fields.insert("close_code".to_owned(), json!(CLOSE_CODE));
                        fields.insert("close_notes".to_owned(), json!(change.note));
                    }
                }
            }
            ActionKind::Alert => {
                fields.insert("work_notes".to_owned(), json!(change.note));
                match change.outcome {
                    Outcome::Note => {}
                    Outcome::Reopen => {
                        fields.insert("state".to_owned(), json!(ALERT_REOPENED));
                    }
                    Outcome::Resolve | Outcome::Close => {
                        fields.insert("state".to_owned(), json!(ALERT_CLOSED));
                    }
                }
            }
            // an event is a message: what has changed is told by another one with the same key
            ActionKind::Event => return self.tell(target, change).await,
        }
        let row = self.write_row(action_table(target.kind), Some(target.key), fields).await?;
        Ok(self.ticket(target.kind, &row))
    }

    async fn tell(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        let done = matches!(change.outcome, Outcome::Resolve | Outcome::Close);
        let mut fields = Map::new();
        for (name, value) in [
            ("source", SOURCE),
            ("message_key", target.correlation_id),
            ("severity", if done { CLEAR } else { "3" }),
            ("description", &change.note),
        ] {
            fields.insert(name.to_owned(), json!(value));
        }
        let row = self.write_row("em_event", None, fields).await?;
        Ok(Ticket { open: !done, ..self.ticket(ActionKind::Event, &row) })
    }

    async fn incident(&self, item: &NewWorkItem) -> Result<Map<String, Value>, Problem> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: &str| fields.insert(name.to_owned(), json!(value));
        put("short_description", &item.title);
        put("description", &item.description);
        put("urgency", &item.urgency.to_string());
        put("impact", &item.impact.to_string());
        put("contact_type", "monitoring");
        if !item.template.is_empty() {
            for (name, value) in self.template(&item.template).await? {
                put(&name, &value);
            }
        }
        put("correlation_id", &item.correlation_id);
        put("correlation_display", CORRELATION);
        if !item.configuration_item.is_empty()
            && let Some(key) = self.configuration_item(&item.configuration_item).await?
        {
            put("cmdb_ci", &key);
        }
        Ok(fields)
    }

    async fn template(&self, name: &str) -> Result<Vec<(String, String)>, Problem> {
        let query = format!("name={}^active=true^ORDERBYsys_id", query::value(name));
        let found = self.table_rows("sys_template", &query, &["name", "table", "template"], 1).await?;
        match found.rows.first() {
            Some(row) => Ok(template_fields(value(row, "template")).into_iter().collect()),
            None => Err(Problem::new(
                Part::WorkItem,
                format!("ServiceNow has no active template {name:?}"),
                "choose another one in the action, or make it in ServiceNow and Sync the connection",
            )),
        }
    }

    /// The key of a configuration item, by name or full name; made where the connection says so.
    async fn configuration_item(&self, name: &str) -> Result<Option<String>, Problem> {
        let name_value = query::value(name);
        let short = query::value(name.split('.').next().unwrap_or(name));
        let query = format!("name={name_value}^ORfqdn={name_value}^ORname={short}^ORDERBYsys_id");
        let found = self.table_rows("cmdb_ci", &query, &["sys_id", "name", "fqdn"], MOST_FOUND).await?;
        let exact = |row: &&Value| ["name", "fqdn"].iter().any(|field| value(row, field).eq_ignore_ascii_case(name));
        if let Some(row) = found.rows.iter().find(exact).or_else(|| found.rows.first()) {
            return Ok(Some(value(row, "sys_id").to_owned()));
        }
        if !self.settings.create_configuration_items {
            return Ok(None);
        }
        let mut fields = Map::new();
        fields.insert("name".to_owned(), json!(name));
        fields.insert("discovery_source".to_owned(), json!(SOURCE));
        let row = self.write_row("cmdb_ci_computer", None, fields).await?;
        Ok(Some(value(&row, "sys_id").to_owned()))
    }

    fn ticket(&self, kind: ActionKind, row: &Value) -> Ticket {
        let key = value(row, "sys_id").to_owned();
        let number = match value(row, "number") {
            "" => key.clone(),
            number => number.to_owned(),
        };
        let open = match kind {
            ActionKind::Incident => !matches!(value(row, "state"), RESOLVED | CLOSED | "8"),
            ActionKind::Alert => value(row, "state") != ALERT_CLOSED,
            ActionKind::Event => true,
        };
        Ticket { link: self.link(action_table(kind), &key), key, number, open }
    }
}

/// What names an item of ours.
fn correlation_field(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Incident => "correlation_id",
        ActionKind::Event | ActionKind::Alert => "message_key",
    }
}

/// Severities of Event Management: 1 critical to 5 information.
fn severity(item: &NewWorkItem) -> String {
    item.urgency.clamp(1, 5).to_string()
}

fn event(item: &NewWorkItem) -> Map<String, Value> {
    let values = json!({
        "source": SOURCE,
        "node": item.configuration_item,
        "type": "Alert",
        "metric_name": item.title,
        "severity": severity(item),
        "description": format!("{}\n{}", item.title, item.description),
        "message_key": item.correlation_id,
    });
    object(values)
}

fn alert(item: &NewWorkItem) -> Map<String, Value> {
    let values = json!({
        "source": SOURCE,
        "node": item.configuration_item,
        "metric_name": item.title,
        "severity": severity(item),
        "description": format!("{}\n{}", item.title, item.description),
        "message_key": item.correlation_id,
    });
    object(values)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
