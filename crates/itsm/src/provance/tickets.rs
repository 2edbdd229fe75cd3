//! Work items of alerts. The identity of a row is made of the alert's: the product makes it once, however often it is
//! asked ("Upsert a table row": `If-None-Match: *` keeps one that is there as it is).

use http::Method;
use serde_json::{Map, Value, json};

use super::metadata::{Column, Table};
use super::rows::shown;
use super::values::{level, status, typed};
use super::{API, FORMATTED, Provance};
use crate::fields::Field;
use crate::http::{Answer, Request};
use crate::problem::{Part, Problem};
use crate::work_item::{Change, NewWorkItem, Outcome, Target, Ticket, WorkItemKind};

const STATE: &str = "statecode";
/// Words of the reasons for a state, the best first.
const RESOLVED: [&str; 4] = ["resolved", "solved", "completed", "closed"];
const CLOSED: [&str; 4] = ["closed", "completed", "resolved", "solved"];
const REOPENED: [&str; 6] = ["reopened", "in progress", "progress", "active", "open", "new"];
/// Cases of Dynamics 365 itself are ended by an action of their own ("CloseIncident").
const CASE: &str = "incident";
/// The reason "Problem Solved" of a case.
const CASE_SOLVED: i64 = 5;

impl Provance {
    pub(super) async fn find_correlated(&self, target: &Target<'_>) -> Result<Vec<Ticket>, Problem> {
        let table = self.table_of(WorkItemKind::Incident).await?;
        let row = self.row(&table, &row_id(target.correlation_id)).await?;
        Ok(row.iter().map(|row| self.ticket(&table, row)).collect())
    }

    /// A row with its state, by its identity.
    async fn row(&self, table: &Table, id: &str) -> Result<Option<Value>, Problem> {
        let request = Request::get(format!("{API}/{}({id})", table.entity.set))
            .with_query([("$select", state_columns(table))])
            .with_header("Prefer", format!("odata.include-annotations=\"{FORMATTED}\""));
        let answer = self.answered(request).await?;
        match answer.status {
            404 if answer.value().is_some_and(|body| body["error"]["code"] == "0x80040217") => Ok(None),
            _ if answer.is_success() => answer.json().map(Some),
            _ => Err(self.problem(&answer)),
        }
    }

    pub(super) async fn create_row(&self, item: &NewWorkItem) -> Result<Ticket, Problem> {
        if !item.template.is_empty() {
            let message = format!("Provance's interface has no templates; the action names {:?}", item.template);
            return Err(Problem::new(Part::WorkItem, message, "leave the template out and give fields"));
        }
        let table = self.table_of(WorkItemKind::Incident).await?;
        let mut body = Map::new();
        for (field, text) in [(Field::Title, &item.title), (Field::Description, &item.description)] {
            if let Some(column) = table.column(field) {
                body.insert(column.logical.clone(), json!(text));
            }
        }
        for (field, number) in [(Field::Urgency, item.urgency), (Field::Impact, item.impact)] {
            if let Some(column) = table.column(field)
                && let Some(value) = level(column, number)
            {
                body.insert(column.logical.clone(), json!(value));
            }
        }
        if !item.configuration_item.is_empty()
            && let Some(column) = table.configuration_item()
            && let Some((name, value)) = self.configuration_item(&table, column, &item.configuration_item).await?
        {
            body.insert(name, value);
        }
        for (name, text) in &item.fields {
            let Some(column) = table.named(name) else {
                let message = format!("the table {} has no column {name:?}", table.entity.logical);
                return Err(Problem::new(Part::WorkItem, message, "look at the names of the action's fields"));
            };
            body.insert(name.clone(), typed(column, text)?);
        }
        let id = row_id(&item.correlation_id);
        let answer = self.make(&table.entity.set, &id, body, &state_columns(&table)).await?;
        let row = match answer {
            Some(row) => row,
            None => self.row(&table, &id).await?.ok_or_else(|| vanished(&table, &id))?,
        };
        Ok(self.ticket(&table, &row))
    }

    /// Makes a row with an identity; nothing where there is one already.
    async fn make(
        &self,
        set: &str,
        id: &str,
        body: Map<String, Value>,
        select: &str,
    ) -> Result<Option<Value>, Problem> {
        let request = Request::set(Method::PATCH, format!("{API}/{set}({id})"), Value::Object(body))
            .with_query([("$select", select)])
            .with_header("If-None-Match", "*")
            .with_header("Prefer", format!("return=representation,odata.include-annotations=\"{FORMATTED}\""));
        let answer = self.answered(request).await?;
        match answer.status {
            412 => Ok(None),
            _ if answer.is_success() => answer.json().map(Some),
            _ => Err(self.problem(&answer)),
        }
    }

    /// What to write into the column of the configuration item.
    async fn configuration_item(
        &self,
        table: &Table,
        column: &Column,
        name: &str,
    ) -> Result<Option<(String, Value)>, Problem> {
        if !column.is_reference() {
            return Ok(Some((column.logical.clone(), json!(name))));
        }
        let path = format!("/EntityDefinitions(LogicalName='{}')/ManyToOneRelationships", table.entity.logical);
        let select = "ReferencingAttribute,ReferencingEntityNavigationPropertyName,ReferencedEntity";
        let body = self.got(&path, &[("$select", select.to_owned())]).await?;
        let relations = body["value"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(relation) = relations.iter().find(|one| one["ReferencingAttribute"] == column.logical) else {
            return Ok(None);
        };
        let entities = self.entities().await?;
        let Some(entity) = entities.iter().find(|one| relation["ReferencedEntity"] == one.logical) else {
            return Ok(None);
        };
        let short = name.split('.').next().unwrap_or(name);
        let mut found = None;
        for wanted in [name, short] {
            let query = [
                ("$select", entity.id.clone()),
                ("$filter", format!("{} eq '{}'", entity.name, wanted.replace('\'', "''"))),
                ("$top", "1".to_owned()),
            ];
            let body = self.got(&format!("/{}", entity.set), &query).await?;
            found = body["value"][0][&entity.id].as_str().map(str::to_owned);
            if found.is_some() {
                break;
            }
        }
        let id = match found {
            Some(id) => id,
            None if self.settings.create_configuration_items => {
                let id = row_id(&format!("configuration item {}", name.to_lowercase()));
                let body = Map::from_iter([(entity.name.clone(), json!(name))]);
                self.make(&entity.set, &id, body, &entity.id).await?;
                id
            }
            None => return Ok(None),
        };
        let navigation = relation["ReferencingEntityNavigationPropertyName"].as_str().unwrap_or(&column.logical);
        Ok(Some((format!("{navigation}@odata.bind"), json!(format!("/{}({id})", entity.set)))))
    }

    pub(super) async fn change_row(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        let table = self.table_of(WorkItemKind::Incident).await?;
        let row = self.row(&table, target.key).await?.ok_or_else(|| vanished(&table, target.key))?;
        let now = self.ticket(&table, &row);
        let wanted = match change.outcome {
            Outcome::Note => None,
            Outcome::Resolve | Outcome::Close if !now.open => return Ok(now),
            Outcome::Reopen if now.open => None,
            Outcome::Resolve => Some((false, &RESOLVED[..])),
            Outcome::Close => Some((false, &CLOSED[..])),
            Outcome::Reopen => Some((true, &REOPENED[..])),
        };
        if !change.note.is_empty() {
            self.add_note(&table, target.key, &row, change).await?;
        }
        let Some((is_open, words)) = wanted else { return Ok(now) };
        let answer = match (table.entity.logical.as_str(), is_open) {
            (CASE, false) => self.close_case(target.key, change).await?,
            _ => {
                let option = table.column(Field::State).and_then(|column| status(column, is_open, words));
                let Some(option) = option else {
                    let message = format!("the table {} has no status that {words:?} means", table.entity.logical);
                    return Err(Problem::new(Part::WorkItem, message, "look at the statuses of the table"));
                };
                let body = json!({STATE: option.state, "statuscode": option.value});
                // one that was removed meanwhile is not made again
                let request =
                    Request::change(Method::PATCH, format!("{API}/{}({})", table.entity.set, target.key), body);
                self.answered(request.with_header("If-Match", "*")).await?
            }
        };
        if !answer.is_success() {
            return Err(self.problem(&answer));
        }
        let row = self.row(&table, target.key).await?.ok_or_else(|| vanished(&table, target.key))?;
        Ok(self.ticket(&table, &row))
    }

    async fn close_case(&self, id: &str, change: &Change) -> Result<Answer, Problem> {
        let body = json!({
            "IncidentResolution": {"subject": change.note, "incidentid@odata.bind": format!("/incidents({id})")},
            "Status": CASE_SOLVED,
        });
        self.answered(Request::post(format!("{API}/CloseIncident"), body)).await
    }

    /// A note on a row, once: its identity is made of the row as it is before the change.
    async fn add_note(&self, table: &Table, id: &str, row: &Value, change: &Change) -> Result<(), Problem> {
        let version = row["@odata.etag"].as_str().unwrap_or_default();
        let note_id = row_id(&format!("note {id} {version} {:?} {}", change.outcome, change.note));
        let body = Map::from_iter([
            ("subject".to_owned(), json!("Watchkeeper")),
            ("notetext".to_owned(), json!(change.note)),
            (format!("objectid_{}@odata.bind", table.entity.logical), json!(format!("/{}({id})", table.entity.set))),
        ]);
        self.make("annotations", &note_id, body, "annotationid").await.map(drop)
    }

    fn ticket(&self, table: &Table, row: &Value) -> Ticket {
        let key = row[&table.entity.id].as_str().unwrap_or_default().to_lowercase();
        let number = table.number().map(|column| shown(row, column)).filter(|text| !text.is_empty());
        let link =
            format!("{}/main.aspx?etn={}&pagetype=entityrecord&id={key}", self.settings.url, table.entity.logical);
        Ticket { number: number.unwrap_or_else(|| key.clone()), key, link, open: row[STATE] == 0 }
    }
}

fn state_columns(table: &Table) -> String {
    let number = table.number().map(Column::property);
    [Some(table.entity.id.clone()), Some(STATE.to_owned()), number].into_iter().flatten().collect::<Vec<_>>().join(",")
}

fn vanished(table: &Table, id: &str) -> Problem {
    let message = format!("{} {id} is not there any more", table.entity.logical);
    Problem::new(Part::WorkItem, message, "it was removed in the product")
}

/// The identity of the row that belongs to a name (RFC 9562, version 8).
fn row_id(name: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("Watchkeeper {name}").as_bytes());
    let mut hex: Vec<char> =
        digest.as_ref().iter().take(16).flat_map(|byte| format!("{byte:02x}").chars().collect::<Vec<_>>()).collect();
    (hex[12], hex[16]) = ('8', 'a');
    let part = |from: usize, to: usize| hex[from..to].iter().collect::<String>();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_has_one_row() {
        let id = row_id("alert-1");
        assert_eq!(id, row_id("alert-1"));
        assert_ne!(id, row_id("alert-2"));
        assert_eq!((id.len(), &id[14..15], &id[19..20]), (36, "8", "a"));
    }
}
