//! Incidents and change requests as the web application gives them.

use chrono::SecondsFormat;
use serde_json::Value;

use super::{API, ServiceManager};
use crate::desk::{After, Page};
use crate::fields::Field;
use crate::http::Request;
use crate::problem::{Part, Problem};
use crate::time::{iso, iso_text};
use crate::work_item::{WorkItem, WorkItemKind};

const TEXTS: [(Field, &str); 15] = [
    (Field::State, "state"),
    (Field::Urgency, "urgency"),
    (Field::Impact, "impact"),
    (Field::Priority, "priority"),
    (Field::Escalation, "escalation"),
    (Field::CreatedBy, "createdBy"),
    (Field::ResolvedBy, "resolvedBy"),
    (Field::ClosedBy, "closedBy"),
    (Field::Source, "source"),
    (Field::AssignedTo, "assignedTo"),
    (Field::Category, "category"),
    (Field::Title, "title"),
    (Field::Description, "description"),
    (Field::Type, "type"),
    (Field::Risk, "risk"),
];
const DATES: [(Field, &str); 8] = [
    (Field::CreatedDate, "created"),
    (Field::ClosedDate, "closed"),
    (Field::ResolvedDate, "resolved"),
    (Field::RequestedDate, "required"),
    (Field::PlannedStartDate, "plannedStart"),
    (Field::PlannedEndDate, "plannedEnd"),
    (Field::WorkStartDate, "actualStart"),
    (Field::WorkEndDate, "actualEnd"),
];

impl ServiceManager {
    pub(super) async fn read_changed(&self, kind: WorkItemKind, after: &After, limit: u32) -> Result<Page, Problem> {
        let mut query = vec![("changedSince", written(after.time())), ("limit", limit.to_string())];
        if let After::Item(last) = after {
            query.push(("afterId", last.key.clone()));
        }
        let path = format!("{API}/work-items/{}", kind.name());
        let mut body = self.asked(Request::get(path).with_query(query)).await?;
        let total = body["total"].as_u64();
        let more = body["more"] == true;
        let Value::Array(found) = body["items"].take() else {
            let advice = "look whether the script on the Service Manager server is the one of this release";
            return Err(Problem::new(Part::Product, "the web application answered without work items", advice));
        };
        let items = found.iter().map(work_item).collect::<Result<Vec<_>, _>>()?;
        Ok(Page { items, more, total })
    }
}

/// A time as the contract has it: whole milliseconds, in UTC.
pub fn written(micros: i64) -> String {
    iso_text(micros, SecondsFormat::Millis)
}

fn work_item(one: &Value) -> Result<WorkItem, Problem> {
    let text = |name: &str| one[name].as_str().unwrap_or_default();
    let Some(changed_at) = iso(text("lastModified")) else {
        let message = format!("{} has no time of change", text("number"));
        let advice = "look whether the script on the Service Manager server is the one of this release";
        return Err(Problem::new(Part::Product, message, advice));
    };
    let mut item =
        WorkItem { key: text("id").to_owned(), number: text("number").to_owned(), changed_at, ..WorkItem::default() };
    for (field, name) in TEXTS {
        item.set(field, text(name));
    }
    for (field, name) in DATES {
        item.set_date(field, iso(text(name)));
    }
    let names = one["configurationItems"].as_array().into_iter().flatten().filter_map(Value::as_str);
    item.computers = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Ok(item)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_work_item_has_the_fields_of_the_contract() {
        let item = work_item(&json!({
            "id": "a", "number": "IR7", "lastModified": "2026-11-22T01:02:03.004Z", "state": "Active", "priority": "2",
            "created": "2026-11-21T00:00:00Z", "closed": null, "configurationItems": ["web01.example.com", ""],
        }))
        .unwrap();
        assert_eq!(written(item.changed_at), "2026-11-22T01:02:03.004Z");
        assert_eq!((item.texts[&Field::State].as_str(), item.texts[&Field::Priority].as_str()), ("Active", "2"));
        assert_eq!((item.dates.len(), item.computers.as_slice()), (1, &["web01.example.com".to_owned()][..]));
        assert!(work_item(&json!({"id": "a", "number": "IR7"})).is_err());
    }
}
