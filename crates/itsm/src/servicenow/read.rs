//! Incidents and change requests (ITSM Connector, "ServiceNow example": the two tables of fields).

use serde_json::Value;

use super::table::{shown, value};
use super::{ServiceNow, query};
use crate::desk::{After, Page};
use crate::fields::Field;
use crate::problem::Problem;
use crate::time::{utc, utc_text};
use crate::work_item::{WorkItem, WorkItemKind};

/// Keys that are read at once.
const KEYS: u32 = 10_000;

/// Every work item has these.
const COMMON: [&str; 4] = ["sys_id", "number", "sys_updated_on", "cmdb_ci"];
/// Other names of the configuration item.
const ITEM_NAMES: [&str; 2] = ["cmdb_ci.fqdn", "cmdb_ci.name"];

/// Texts of an incident: a person reads their display values.
const INCIDENT: [(Field, &str); 12] = [
    (Field::State, "state"),
    (Field::Urgency, "urgency"),
    (Field::Impact, "impact"),
    (Field::Priority, "priority"),
    (Field::Escalation, "escalation"),
    (Field::CreatedBy, "opened_by"),
    (Field::ResolvedBy, "resolved_by"),
    (Field::ClosedBy, "closed_by"),
    (Field::Source, "contact_type"),
    (Field::AssignedTo, "assigned_to"),
    (Field::Category, "category"),
    (Field::Title, "short_description"),
];
const INCIDENT_DATES: [(Field, &str); 3] =
    [(Field::CreatedDate, "opened_at"), (Field::ClosedDate, "closed_at"), (Field::ResolvedDate, "resolved_at")];

/// Texts of a change request.
const CHANGE: [(Field, &str); 15] = [
    (Field::CreatedBy, "requested_by"),
    (Field::ClosedBy, "closed_by"),
    (Field::Source, "contact_type"),
    (Field::AssignedTo, "assigned_to"),
    (Field::Title, "short_description"),
    (Field::Type, "type"),
    (Field::Category, "category"),
    (Field::State, "state"),
    (Field::Escalation, "escalation"),
    (Field::ConflictStatus, "conflict_status"),
    (Field::Urgency, "urgency"),
    (Field::Priority, "priority"),
    (Field::Risk, "risk"),
    (Field::Impact, "impact"),
    (Field::Description, "description"),
];
const CHANGE_DATES: [(Field, &str); 7] = [
    (Field::CreatedDate, "opened_at"),
    (Field::ClosedDate, "closed_at"),
    (Field::RequestedDate, "requested_by_date"),
    (Field::PlannedStartDate, "start_date"),
    (Field::PlannedEndDate, "end_date"),
    (Field::WorkStartDate, "work_start"),
    (Field::WorkEndDate, "work_end"),
];

/// An incident's description is its notes; one that nobody noted anything on has what its caller wrote.
const NOTES: [&str; 2] = ["comments_and_work_notes", "description"];

impl ServiceNow {
    pub(super) async fn read_changed(&self, kind: WorkItemKind, after: &After, limit: u32) -> Result<Page, Problem> {
        let (texts, dates): (&[_], &[_]) = match kind {
            WorkItemKind::Incident => (&INCIDENT, &INCIDENT_DATES),
            WorkItemKind::ChangeRequest => (&CHANGE, &CHANGE_DATES),
        };
        let mut fields: Vec<&str> = COMMON.iter().chain(&ITEM_NAMES).copied().collect();
        fields.extend(texts.iter().chain(dates).map(|(_, name)| *name));
        if kind == WorkItemKind::Incident {
            fields.extend(NOTES);
        }
        let found = self.table_rows(self.table_of(kind), &query::changed(after), &fields, limit).await?;
        let full = found.rows.len() >= limit as usize;
        let items = found.rows.iter().map(|row| work_item(row, kind, texts, dates)).collect();
        Ok(Page { items, more: found.more || full, total: found.total })
    }

    pub(super) async fn read_keys(&self, kind: WorkItemKind, since: i64) -> Result<Vec<String>, Problem> {
        let query = format!("sys_updated_on>={}^ORDERBYsys_id", utc_text(since));
        let mut keys: Vec<String> = Vec::new();
        loop {
            // by key, so that what comes and goes moves nothing
            let query = match keys.last() {
                None => query.clone(),
                Some(last) => format!("sys_id>{last}^{query}"),
            };
            let found = self.table_rows(self.table_of(kind), &query, &["sys_id"], KEYS).await?;
            let count = found.rows.len();
            keys.extend(found.rows.iter().map(|row| value(row, "sys_id").to_owned()));
            if count == 0 || (count < KEYS as usize && !found.more) {
                return Ok(keys);
            }
        }
    }
}

fn work_item(row: &Value, kind: WorkItemKind, texts: &[(Field, &str)], dates: &[(Field, &str)]) -> WorkItem {
    let mut item = WorkItem {
        key: value(row, "sys_id").to_owned(),
        number: value(row, "number").to_owned(),
        changed_at: utc(value(row, "sys_updated_on")).unwrap_or_default(),
        ..WorkItem::default()
    };
    for (field, name) in texts {
        item.set(*field, shown(row, name));
    }
    for (field, name) in dates {
        item.set_date(*field, utc(value(row, name)));
    }
    if kind == WorkItemKind::Incident
        && let Some(text) = NOTES.iter().map(|name| shown(row, name)).find(|text| !text.trim().is_empty())
    {
        item.set(Field::Description, text);
    }
    let names = [value(row, "cmdb_ci.fqdn"), value(row, "cmdb_ci.name"), shown(row, "cmdb_ci")];
    item.computers = names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect();
    item.computers.dedup();
    item
}
