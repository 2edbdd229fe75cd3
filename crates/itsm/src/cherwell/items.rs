//! Incidents and change requests of Cherwell, read and made. Fields have the names of the content that the product
//! comes with; where releases differ, the first name that the business object has is taken.

use std::collections::HashMap;

use super::Cherwell;
use super::objects::{Found, Template};
use crate::desk::{After, Page};
use crate::fields::Field;
use crate::moments;
use crate::problem::{Part, Problem};
use crate::work_item::{Change, NewWorkItem, Outcome, Target, Ticket, WorkItem, WorkItemKind};

const CHANGED: &str = "LastModDateTime";
const MINUTE: i64 = 60 * 1_000_000;
const KEYS: u32 = 2000;
/// A page grows until it has a whole moment.
const MOST_PAGES: u32 = 200;
/// Tries of a page that others change meanwhile.
const TRIES: u32 = 5;

const TEXTS: [(Field, &[&str]); 16] = [
    (Field::State, &["Status"]),
    (Field::Urgency, &["Urgency"]),
    (Field::Impact, &["Impact"]),
    (Field::Priority, &["Priority"]),
    (Field::Escalation, &["EscalationStatus", "Escalation"]),
    (Field::CreatedBy, &["CreatedBy", "RequestedBy"]),
    (Field::ResolvedBy, &["ResolvedBy"]),
    (Field::ClosedBy, &["ClosedBy"]),
    (Field::Source, &["Source", "CallSource"]),
    (Field::AssignedTo, &["OwnedBy"]),
    (Field::Category, &["Category"]),
    (Field::Title, &["ShortDescription", "Title"]),
    (Field::Description, &["Description"]),
    (Field::Type, &["ChangeType", "Type"]),
    (Field::Risk, &["Risk", "RiskLevel"]),
    (Field::ConflictStatus, &["ConflictStatus", "CollisionStatus"]),
];
const DATES: [(Field, &[&str]); 8] = [
    (Field::CreatedDate, &["CreatedDateTime"]),
    (Field::ClosedDate, &["ClosedDateTime"]),
    (Field::ResolvedDate, &["Stat_DateTimeResolved", "ResolvedDateTime"]),
    (Field::RequestedDate, &["RequestedByDate", "RequestedDate"]),
    (Field::PlannedStartDate, &["ScheduledStartDate", "ProposedStartDate"]),
    (Field::PlannedEndDate, &["ScheduledEndDate", "ProposedEndDate"]),
    (Field::WorkStartDate, &["ActualStartDate"]),
    (Field::WorkEndDate, &["ActualEndDate"]),
];
const COMPUTERS: [&str; 2] = ["ConfigItemDisplayName", "PrimaryConfigItem"];
/// Statuses that nobody works on any more.
const DONE: [&str; 2] = ["Resolved", "Closed"];
/// The product has no field for the identity of another system: it stands in the description.
const MARK: &str = "Watchkeeper alert:";

impl Cherwell {
    pub(super) async fn read_changed(&self, kind: WorkItemKind, after: &After, limit: u32) -> Result<Page, Problem> {
        let template = self.template(self.object(kind)).await?;
        self.needs_change_time(&template, kind)?;
        let names: Vec<&str> = TEXTS
            .iter()
            .chain(&DATES)
            .flat_map(|(_, names)| names.iter())
            .chain(&COMPUTERS)
            .chain(&[CHANGED])
            .copied()
            .collect();
        // filters have whole minutes
        let from = self.write_time(after.time().saturating_sub(after.time().rem_euclid(MINUTE) + MINUTE)).await?;
        for _ in 0..TRIES {
            let mut items = Vec::new();
            let mut before: Vec<String> = Vec::new();
            let mut total = 0;
            for number in 1..=MOST_PAGES {
                let filters = [(CHANGED, "gt", from.clone())];
                let page = self.search(&template, &filters, &names, CHANGED, limit, number).await?;
                if number > 1 && !self.is_still(&template, &filters, limit, number - 1, &before).await? {
                    // something moved over the page's end: what came in its place would be missed
                    break;
                }
                total = page.total;
                let is_all = page.found.len() < limit as usize;
                before = page.found.iter().map(|one| one.record_id.clone()).collect();
                for one in &page.found {
                    items.push(self.work_item(one).await?);
                }
                if let Some(page) = moments::page(after, items.clone(), is_all, Some(total)) {
                    return Ok(page);
                }
            }
            tracing::debug!(total, "pages moved while they were read");
        }
        let message = format!("the {} of Cherwell change faster than they can be read", kind.name());
        Err(Problem::new(Part::Product, message, "it is tried again"))
    }

    /// Whether a page has the records that it had.
    async fn is_still(
        &self,
        template: &Template,
        filters: &[(&str, &str, String)],
        limit: u32,
        number: u32,
        before: &[String],
    ) -> Result<bool, Problem> {
        let again = self.search(template, filters, &[], CHANGED, limit, number).await?;
        Ok(again.found.iter().map(|one| one.record_id.as_str()).eq(before.iter().map(String::as_str)))
    }

    fn needs_change_time(&self, template: &Template, kind: WorkItemKind) -> Result<(), Problem> {
        if template.fields.contains_key(CHANGED) {
            return Ok(());
        }
        let message = format!("the business object {} has no field {CHANGED}", self.object(kind));
        Err(Problem::new(Part::Settings, message, "name the business object of the kind in the connection (places)"))
    }

    pub(super) async fn read_keys(&self, kind: WorkItemKind, since: i64) -> Result<Vec<String>, Problem> {
        let template = self.template(self.object(kind)).await?;
        let from = self.write_time(since.saturating_sub(MINUTE)).await?;
        let mut keys = Vec::new();
        for number in 1.. {
            let filters = [(CHANGED, "gt", from.clone())];
            // by record: what changes meanwhile keeps its place
            let page = self.search(&template, &filters, &["RecID"], "RecID", KEYS, number).await?;
            let count = page.found.len();
            keys.extend(page.found.into_iter().map(|one| one.record_id));
            if count < KEYS as usize {
                break;
            }
        }
        Ok(keys)
    }

    async fn work_item(&self, one: &Found) -> Result<WorkItem, Problem> {
        let text = |names: &[&str]| names.iter().find_map(|name| one.values.get(*name)).map_or("", String::as_str);
        let mut item = WorkItem {
            key: one.record_id.clone(),
            number: one.public_id.clone(),
            changed_at: self.read_time(text(&[CHANGED])).await?.unwrap_or_default(),
            ..WorkItem::default()
        };
        for (field, names) in TEXTS {
            item.set(field, text(names));
        }
        for (field, names) in DATES {
            item.set_date(field, self.read_time(text(names)).await?);
        }
        let names = COMPUTERS.iter().filter_map(|name| one.values.get(*name)).filter(|name| !name.is_empty());
        item.computers = names.cloned().collect();
        Ok(item)
    }

    pub(super) async fn find_correlated(&self, target: &Target<'_>) -> Result<Vec<Ticket>, Problem> {
        let template = self.template(self.object(WorkItemKind::Incident)).await?;
        let mark = mark(target.correlation_id);
        let filters = [("Description", "contains", mark.clone())];
        let found = self.search(&template, &filters, &["Status", "Description"], "CreatedDateTime", 10, 1).await?.found;
        // one id can begin like another
        let own = found.into_iter().filter(|one| has_mark(&one.values, &mark));
        Ok(own.map(|one| self.ticket(&template, &one)).collect())
    }

    pub(super) async fn create_incident(&self, item: &NewWorkItem) -> Result<Ticket, Problem> {
        if !item.template.is_empty() {
            let message = format!("Cherwell's interface has no templates; the action names {:?}", item.template);
            return Err(Problem::new(Part::WorkItem, message, "leave the template out and give fields"));
        }
        let template = self.template(self.object(WorkItemKind::Incident)).await?;
        let mut values: Vec<(&str, String)> = vec![
            ("ShortDescription", item.title.clone()),
            ("Description", format!("{}\n\n{}", item.description, mark(&item.correlation_id))),
            ("Urgency", level(item.urgency).to_owned()),
            ("Impact", level(item.impact).to_owned()),
            ("Priority", item.urgency.to_string()),
            ("Source", "Event".to_owned()),
        ];
        if !item.configuration_item.is_empty() {
            values.push(("ConfigItemDisplayName", item.configuration_item.clone()));
            if let Some(id) = self.configuration_item(&item.configuration_item).await? {
                values.push(("ConfigItemRecID", id));
            }
        }
        for (name, value) in &item.fields {
            if !template.fields.contains_key(name) {
                let message =
                    format!("the business object {} has no field {name:?}", self.object(WorkItemKind::Incident));
                return Err(Problem::new(Part::WorkItem, message, "look at the names of the action's fields"));
            }
            values.retain(|(known, _)| known != name);
            values.push((name, value.clone()));
        }
        let (record_id, public_id) = self.save(&template, None, &values).await?;
        let values = HashMap::from([("Status".to_owned(), "New".to_owned())]);
        Ok(self.ticket(&template, &Found { record_id, public_id, values }))
    }

    /// The record of a computer by its name; made where the connection says so.
    async fn configuration_item(&self, name: &str) -> Result<Option<String>, Problem> {
        let template = match self.template("ConfigComputer").await {
            Err(problem) if problem.part == Part::Role => return Ok(None),
            template => template?,
        };
        let short = name.split('.').next().unwrap_or(name).to_owned();
        for wanted in [name.to_owned(), short] {
            let filters = [("HostName", "eq", wanted)];
            let found = self.search(&template, &filters, &["HostName"], "RecID", 1, 1).await?.found;
            if let Some(one) = found.into_iter().next() {
                return Ok(Some(one.record_id));
            }
        }
        if !self.settings.create_configuration_items {
            return Ok(None);
        }
        let values = [("HostName", name.to_owned()), ("FriendlyName", name.to_owned())];
        Ok(Some(self.save(&template, None, &values).await?.0))
    }

    pub(super) async fn change_incident(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        let template = self.template(self.object(WorkItemKind::Incident)).await?;
        let present = self.get(&template, target.key).await?;
        let text = |name: &str| present.values.get(name).map_or("", String::as_str);
        let is_done = DONE.contains(&text("Status"));
        let mut values: Vec<(&str, String)> = Vec::new();
        let status = match change.outcome {
            Outcome::Note => None,
            Outcome::Resolve if !is_done => Some("Resolved"),
            Outcome::Close if text("Status") != "Closed" => Some("Closed"),
            Outcome::Reopen if is_done => Some("Reopened"),
            _ => None,
        };
        // said twice it stands there once
        if !change.note.is_empty() && !text("Description").ends_with(&change.note) {
            values.push(("Description", format!("{}\n\n{}", text("Description"), change.note)));
        }
        if let Some(status) = status {
            values.push(("Status", status.to_owned()));
            if status != "Reopened" {
                values.push(("CloseDescription", change.note.clone()));
            }
        }
        if !values.is_empty() {
            self.save(&template, Some(target.key), &values).await?;
        }
        let now = self.get(&template, target.key).await?;
        Ok(self.ticket(&template, &now))
    }

    fn ticket(&self, template: &Template, one: &Found) -> Ticket {
        let open = !one.values.get("Status").is_some_and(|status| DONE.contains(&status.as_str()));
        let link = format!(
            "{}/CherwellClient/Access/Command/Queries.GoToRecord?BusObID={}&RecID={}",
            self.settings.url, template.id, one.record_id
        );
        Ticket { key: one.record_id.clone(), number: one.public_id.clone(), link, open }
    }
}

fn mark(correlation_id: &str) -> String {
    format!("{MARK} {correlation_id}")
}

fn has_mark(values: &HashMap<String, String>, mark: &str) -> bool {
    values.get("Description").is_some_and(|text| text.lines().any(|line| line.trim() == mark))
}

fn level(number: u8) -> &'static str {
    match number {
        0 | 1 => "High",
        2 => "Medium",
        _ => "Low",
    }
}
