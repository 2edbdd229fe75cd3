//! Which table has the work items and which column is which: found by the names that people read, whatever prefix the
//! publisher's own names have (Dataverse Web API, "Query table definitions").

use std::sync::Arc;

use serde_json::Value;

use super::Provance;
use crate::fields::{Field, fields_of};
use crate::problem::{Part, Problem};
use crate::work_item::WorkItemKind;

/// Of which columns the options are asked: those of choices, of the state and of its reason.
const CHOICES: [&str; 3] = ["PicklistAttributeMetadata", "StateAttributeMetadata", "StatusAttributeMetadata"];

/// The names that columns of a field have, without the publisher's prefix: the first one that the table has is taken.
const COLUMNS: [(Field, &[&str]); 24] = [
    (Field::State, &["statuscode"]),
    (Field::Urgency, &["urgency"]),
    (Field::Impact, &["impact"]),
    (Field::Priority, &["priority", "prioritycode"]),
    (Field::Escalation, &["escalation", "escalationlevel", "escalated", "isescalated"]),
    (Field::CreatedBy, &["requestedby", "createdby"]),
    (Field::ResolvedBy, &["resolvedby"]),
    (Field::ClosedBy, &["closedby"]),
    (Field::Source, &["source", "origin", "caseorigincode", "contactmethod"]),
    (Field::AssignedTo, &["assignedto", "ownerid"]),
    (Field::Category, &["category"]),
    (Field::Title, &["title", "subject", "shortdescription", "name"]),
    (Field::Description, &["description"]),
    (Field::Type, &["changetype", "type"]),
    (Field::ConflictStatus, &["conflictstatus"]),
    (Field::Risk, &["risk", "risklevel"]),
    (Field::CreatedDate, &["createdon"]),
    (Field::ClosedDate, &["closeddate", "closedon", "dateclosed"]),
    (Field::ResolvedDate, &["resolveddate", "resolvedon", "dateresolved"]),
    (Field::RequestedDate, &["requesteddate", "requestedbydate", "requireddate", "requiredby"]),
    (Field::PlannedStartDate, &["plannedstartdate", "plannedstart", "scheduledstartdate", "scheduledstart"]),
    (Field::PlannedEndDate, &["plannedenddate", "plannedend", "scheduledenddate", "scheduledend"]),
    (Field::WorkStartDate, &["actualstartdate", "actualstart"]),
    (Field::WorkEndDate, &["actualenddate", "actualend"]),
];
const NUMBERS: [&str; 5] = ["ticketnumber", "incidentnumber", "changenumber", "changerequestnumber", "number"];
const ITEMS: [&str; 5] = ["configurationitem", "affectedci", "primaryci", "affectedconfigurationitem", "ci"];
/// Tables that do without one of these are no tables of work items.
const NEEDED: [Field; 2] = [Field::State, Field::Title];

/// The names of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub logical: String,
    /// In addresses.
    pub set: String,
    pub label: String,
    pub id: String,
    pub name: String,
    pub is_custom: bool,
}

/// A table with its columns.
#[derive(Debug)]
pub struct Table {
    pub entity: Entity,
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub logical: String,
    pub label: String,
    /// `String`, `Picklist`, `Lookup`, …
    pub kind: String,
    pub options: Vec<ColumnOption>,
}

/// A value of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnOption {
    pub value: i64,
    pub label: String,
    /// Of a reason for a state, which state it is for.
    pub state: Option<i64>,
}

impl Column {
    /// As rows have it: a reference is read by a property of its own.
    pub fn property(&self) -> String {
        match self.is_reference() {
            true => format!("_{}_value", self.logical),
            false => self.logical.clone(),
        }
    }

    pub fn is_reference(&self) -> bool {
        matches!(self.kind.as_str(), "Lookup" | "Owner" | "Customer")
    }
}

impl Table {
    pub fn named(&self, logical: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.logical == logical)
    }

    /// The column of a field.
    pub fn column(&self, field: Field) -> Option<&Column> {
        let names = COLUMNS.iter().find(|(known, _)| *known == field).map(|(_, names)| *names)?;
        let found = self.called(names);
        match field {
            Field::Title => found.or_else(|| self.named(&self.entity.name)),
            _ => found,
        }
    }

    pub fn number(&self) -> Option<&Column> {
        self.called(&NUMBERS)
    }

    pub fn configuration_item(&self) -> Option<&Column> {
        self.called(&ITEMS)
    }

    fn called(&self, names: &[&str]) -> Option<&Column> {
        names.iter().find_map(|name| {
            let own = |column: &&Column| column.logical == *name || bare(&column.logical) == *name;
            self.columns.iter().find(own).or_else(|| self.columns.iter().find(|column| plain(&column.label) == *name))
        })
    }

    /// Fields of a kind that the table has no column for, as their columns in `ServiceDesk_CL` are called.
    pub fn missing(&self, kind: WorkItemKind) -> Vec<&'static str> {
        let absent = fields_of(kind).iter().filter(|(field, _)| self.column(*field).is_none());
        absent.map(|(_, column)| *column).collect()
    }
}

impl Provance {
    /// The table of a kind.
    pub(super) async fn table_of(&self, kind: WorkItemKind) -> Result<Arc<Table>, Problem> {
        let entities = self.entities().await?;
        let found = match self.settings.places.get(&kind) {
            Some(place) => entities.iter().find(|one| one.set == *place || one.logical == *place),
            None => {
                let wanted = kind.name().to_ascii_lowercase();
                let called: Vec<_> = entities.iter().filter(|one| plain(&one.label) == wanted).collect();
                let own = called.iter().find(|one| one.is_custom).or(called.first());
                own.copied().or_else(|| entities.iter().find(|one| one.logical == wanted))
            }
        };
        let Some(entity) = found else {
            let wanted = self.settings.places.get(&kind).map_or(kind.name(), String::as_str);
            let alike: Vec<_> =
                entities.iter().filter(|one| one.is_custom).map(|one| one.set.as_str()).take(20).collect();
            let message =
                format!("there is no table {wanted:?} of work items; some that there are: {}", alike.join(", "));
            let advice = "name the entity set in the connection (places), or give the user a security role of Provance";
            return Err(Problem::new(Part::Role, message, advice));
        };
        let table = self.table(entity).await?;
        if NEEDED.iter().any(|field| table.column(*field).is_none()) {
            let message = format!("the table {} has no state or no title: it has no work items", entity.logical);
            return Err(Problem::new(Part::Settings, message, "name another entity set in the connection (places)"));
        }
        Ok(table)
    }

    /// The names of every table.
    pub(super) async fn entities(&self) -> Result<Arc<Vec<Entity>>, Problem> {
        let mut known = self.entities.lock().await;
        if let Some(known) = known.as_ref() {
            return Ok(Arc::clone(known));
        }
        let select = "LogicalName,EntitySetName,DisplayName,PrimaryIdAttribute,PrimaryNameAttribute,IsCustomEntity";
        let body = self.got("/EntityDefinitions", &[("$select", select.to_owned())]).await?;
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let entity = |one: &Value| Entity {
            logical: text(one, "LogicalName"),
            set: text(one, "EntitySetName"),
            label: label(&one["DisplayName"]),
            id: text(one, "PrimaryIdAttribute"),
            name: text(one, "PrimaryNameAttribute"),
            is_custom: one["IsCustomEntity"] == true,
        };
        let found: Vec<_> = body["value"].as_array().into_iter().flatten().map(entity).collect();
        let found = Arc::new(found.into_iter().filter(|one| !one.set.is_empty()).collect::<Vec<_>>());
        *known = Some(Arc::clone(&found));
        Ok(found)
    }

    async fn table(&self, entity: &Entity) -> Result<Arc<Table>, Problem> {
        if let Some(known) = self.tables.lock().await.get(&entity.logical) {
            return Ok(Arc::clone(known));
        }
        let path = format!("/EntityDefinitions(LogicalName='{}')/Attributes", entity.logical);
        let select = [("$select", "LogicalName,AttributeType,DisplayName".to_owned())];
        let body = self.got(&path, &select).await?;
        let mut columns: Vec<Column> = body["value"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| Column {
                logical: one["LogicalName"].as_str().unwrap_or_default().to_owned(),
                label: label(&one["DisplayName"]),
                kind: one["AttributeType"].as_str().unwrap_or_default().to_owned(),
                options: Vec::new(),
            })
            .collect();
        for kind in CHOICES {
            let query = [
                ("$select", "LogicalName".to_owned()),
                ("$expand", "OptionSet($select=Options),GlobalOptionSet($select=Options)".to_owned()),
            ];
            let body = self.got(&format!("{path}/Microsoft.Dynamics.CRM.{kind}"), &query).await?;
            for one in body["value"].as_array().into_iter().flatten() {
                let Some(column) = columns.iter_mut().find(|column| one["LogicalName"] == column.logical) else {
                    continue;
                };
                let sets = [&one["OptionSet"]["Options"], &one["GlobalOptionSet"]["Options"]];
                let options = sets.into_iter().find_map(|set| set.as_array()).into_iter().flatten();
                column.options = options.filter_map(option).collect();
            }
        }
        let table = Arc::new(Table { entity: entity.clone(), columns });
        self.tables.lock().await.insert(entity.logical.clone(), Arc::clone(&table));
        Ok(table)
    }
}

fn option(one: &Value) -> Option<ColumnOption> {
    Some(ColumnOption { value: one["Value"].as_i64()?, label: label(&one["Label"]), state: one["State"].as_i64() })
}

/// What the user reads, in the language of the user.
fn label(text: &Value) -> String {
    text["UserLocalizedLabel"]["Label"].as_str().unwrap_or_default().to_owned()
}

/// Without the publisher's prefix: `prv_urgency` is `urgency`.
fn bare(logical: &str) -> &str {
    logical.split_once('_').map_or(logical, |(_, rest)| rest)
}

fn plain(label: &str) -> String {
    label.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(logical: &str, label: &str, kind: &str) -> Column {
        Column { logical: logical.to_owned(), label: label.to_owned(), kind: kind.to_owned(), options: Vec::new() }
    }

    #[test]
    fn columns_are_found_by_bare_names_and_by_what_people_read() {
        let entity = Entity {
            logical: "prv_incident".to_owned(),
            set: "prv_incidents".to_owned(),
            label: "Incident".to_owned(),
            id: "prv_incidentid".to_owned(),
            name: "prv_summary".to_owned(),
            is_custom: true,
        };
        let columns = vec![
            column("prv_urgency", "How urgent", "Picklist"),
            column("prv_field7", "Closed On", "DateTime"),
            column("prv_summary", "Summary", "String"),
            column("ownerid", "Owner", "Owner"),
            column("statuscode", "Status Reason", "Status"),
        ];
        let table = Table { entity, columns };
        let of = |field| table.column(field).map(Column::property);
        assert_eq!(of(Field::Urgency).as_deref(), Some("prv_urgency"));
        assert_eq!(of(Field::ClosedDate).as_deref(), Some("prv_field7"));
        assert_eq!(of(Field::Title).as_deref(), Some("prv_summary"));
        assert_eq!(of(Field::AssignedTo).as_deref(), Some("_ownerid_value"));
        assert_eq!(of(Field::Impact), None);
        assert!(table.missing(WorkItemKind::Incident).contains(&"Impact_s"));
        assert_eq!(
            (bare("prv_urgency"), bare("statuscode"), plain("Change Request").as_str()),
            ("urgency", "statuscode", "changerequest")
        );
    }
}
