//! Reading incidents and change requests ("Query data using the Web API": `$filter`, `$orderby`, pages with
//! `odata.maxpagesize`, formatted values).

use chrono::SecondsFormat;
use serde_json::Value;

use super::metadata::{Column, Table};
use super::{API, FORMATTED, Provance};
use crate::desk::{After, Page};
use crate::fields::{Field, fields_of};
use crate::http::Request;
use crate::moments;
use crate::problem::{Part, Problem};
use crate::time::{iso, iso_text};
use crate::work_item::{WorkItem, WorkItemKind};

const CHANGED: &str = "modifiedon";
/// A page grows until it has a whole moment.
const MOST_PAGES: u32 = 200;
const KEYS: u32 = 5000;
/// The product counts no further.
const MOST_COUNTED: u64 = 5000;

impl Provance {
    pub(super) async fn read_changed(&self, kind: WorkItemKind, after: &After, limit: u32) -> Result<Page, Problem> {
        let table = self.table_of(kind).await?;
        let prefer = format!("odata.maxpagesize={limit},odata.include-annotations=\"{FORMATTED}\"");
        let query = [
            ("$select", selected(&table, kind).join(",")),
            ("$filter", since(after.time())),
            ("$orderby", format!("{CHANGED} asc,{} asc", table.entity.id)),
            ("$count", "true".to_owned()),
        ];
        let mut request = Request::get(format!("{API}/{}", table.entity.set)).with_query(query);
        let mut items = Vec::new();
        let mut total = None;
        for _ in 0..MOST_PAGES {
            let body = self.asked(request.with_header("Prefer", prefer.clone())).await?;
            total = total.or(body["@odata.count"].as_u64().filter(|count| *count < MOST_COUNTED));
            for row in body["value"].as_array().into_iter().flatten() {
                items.push(work_item(row, &table, kind)?);
            }
            let next = self.next_page(&body);
            if let Some(page) = moments::page(after, items.clone(), next.is_none(), total) {
                return Ok(page);
            }
            let Some(next) = next else { break };
            request = Request::get(next);
        }
        let message = format!("more than {} {} were changed within one second", items.len(), kind.name());
        Err(Problem::new(Part::Product, message, "have them changed in smaller parts; it is tried again"))
    }

    pub(super) async fn read_keys(&self, kind: WorkItemKind, from: i64) -> Result<Vec<String>, Problem> {
        let table = self.table_of(kind).await?;
        let id = &table.entity.id;
        let query = [("$select", id.clone()), ("$filter", since(from)), ("$orderby", format!("{id} asc"))];
        let prefer = format!("odata.maxpagesize={KEYS}");
        let mut request = Request::get(format!("{API}/{}", table.entity.set)).with_query(query);
        let mut keys = Vec::new();
        loop {
            let body = self.asked(request.with_header("Prefer", prefer.clone())).await?;
            let rows = body["value"].as_array().into_iter().flatten();
            keys.extend(rows.filter_map(|row| row[id].as_str()).map(str::to_lowercase));
            let Some(next) = self.next_page(&body) else { return Ok(keys) };
            request = Request::get(next);
        }
    }
}

/// Times have whole seconds.
fn since(at: i64) -> String {
    format!("{CHANGED} ge {}", iso_text(at, SecondsFormat::Secs))
}

fn selected(table: &Table, kind: WorkItemKind) -> Vec<String> {
    let mut names = vec![table.entity.id.clone(), CHANGED.to_owned()];
    let fields = fields_of(kind).iter().filter_map(|(field, _)| table.column(*field));
    let others = [table.number(), table.configuration_item()];
    names.extend(fields.chain(others.into_iter().flatten()).map(Column::property));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// What people see of a column.
pub fn shown(row: &Value, column: &Column) -> String {
    let property = column.property();
    match (&row[format!("{property}@{FORMATTED}")], &row[&property]) {
        (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
        (_, Value::Null) => String::new(),
        (_, value) => value.to_string(),
    }
}

fn work_item(row: &Value, table: &Table, kind: WorkItemKind) -> Result<WorkItem, Problem> {
    let key = row[&table.entity.id].as_str().unwrap_or_default().to_lowercase();
    let Some(changed_at) = row[CHANGED].as_str().and_then(iso) else {
        let message = format!("a row of {} has no time of change", table.entity.set);
        return Err(Problem::new(Part::Product, message, "look whether the user may read the column modifiedon"));
    };
    let number = table.number().map(|column| shown(row, column)).filter(|text| !text.is_empty());
    let mut item = WorkItem { number: number.unwrap_or_else(|| key.clone()), key, changed_at, ..WorkItem::default() };
    for (field, name) in fields_of(kind) {
        let Some(column) = table.column(*field) else { continue };
        match name.ends_with("_t") {
            true => item.set_date(*field, row[column.property()].as_str().and_then(iso)),
            false => item.set(*field, shown(row, column)),
        }
    }
    if let Some(column) = table.configuration_item() {
        item.computers = vec![shown(row, column)];
        item.computers.retain(|name| !name.is_empty());
    }
    debug_assert!(table.column(Field::State).is_some(), "a table of work items has a state");
    Ok(item)
}
