//! Business objects: their identities and fields, searching them, saving one.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDateTime;
use serde_json::{Value, json};

use super::{API, Cherwell};
use crate::configuration::Person;
use crate::http::Request;
use crate::problem::{Part, Problem};

/// Values are asked for and given in this culture, whatever the service's own is.
const CULTURE: (&str, &str) = ("locale", "en-US");
const MICROS: i64 = 1_000_000;
const PAGE: u32 = 500;
/// No form offers more.
const MOST: usize = 20_000;

/// A kind of business object.
#[derive(Debug)]
pub struct Template {
    pub id: String,
    /// Identities of fields by name.
    pub fields: HashMap<String, String>,
}

/// An object that was found.
#[derive(Debug)]
pub struct Found {
    pub record_id: String,
    pub public_id: String,
    /// Values of fields by name.
    pub values: HashMap<String, String>,
}

/// A page of a search.
pub struct Results {
    pub found: Vec<Found>,
    pub total: u64,
}

/// What a search is for: field, operator, value.
pub type Filter<'a> = (&'a str, &'a str, String);

impl Cherwell {
    async fn asked(&self, request: Request) -> Result<Value, Problem> {
        let answer = self.session.send(&self.http, self, request.with_query([CULTURE])).await?;
        if !answer.is_success() {
            return Err(self.problem(&answer, &answer.value().unwrap_or(Value::Null)));
        }
        let body = answer.json()?;
        match body["hasError"].as_bool() {
            Some(true) => Err(self.problem(&answer, &body)),
            _ => Ok(body),
        }
    }

    /// The version, and the difference of the service's clock to UTC, which all its times are shown with.
    pub(super) async fn service_version(&self) -> Result<String, Problem> {
        let body = self.asked(Request::get(format!("{API}/V1/serviceinfo"))).await?;
        let offset = body["systemUtcOffset"].as_str().and_then(offset);
        let Some(offset) = offset else {
            let message = format!("Cherwell gives {} as its difference to UTC", body["systemUtcOffset"]);
            return Err(Problem::new(Part::Product, message, "look at the service's own log"));
        };
        *self.offset.lock().await = Some(offset);
        Ok(body["csmVersion"].as_str().unwrap_or_default().to_owned())
    }

    async fn utc_offset(&self) -> Result<i64, Problem> {
        let known = *self.offset.lock().await;
        match known {
            Some(offset) => Ok(offset),
            None => {
                self.service_version().await?;
                Ok(self.offset.lock().await.unwrap_or_default())
            }
        }
    }

    /// A time as the service shows it, in UTC.
    pub(super) async fn read_time(&self, text: &str) -> Result<Option<i64>, Problem> {
        let Some(local) = local_time(text) else { return Ok(None) };
        Ok(Some(local - self.utc_offset().await?))
    }

    /// A time in UTC as the service takes it in filters: whole minutes.
    pub(super) async fn write_time(&self, at: i64) -> Result<String, Problem> {
        let local = at.saturating_add(self.utc_offset().await?);
        let local = chrono::DateTime::from_timestamp_micros(local.min(LATEST)).unwrap_or_default();
        Ok(local.format("%-m/%-d/%Y %-I:%M %p").to_string())
    }

    /// A business object by name.
    pub(super) async fn template(&self, name: &str) -> Result<Arc<Template>, Problem> {
        if let Some(known) = self.templates.lock().await.get(name) {
            return Ok(Arc::clone(known));
        }
        let path = format!("{API}/V1/getbusinessobjectsummary/busobname/{name}");
        let body = self.asked(Request::get(path)).await?;
        let summary = body.as_array().and_then(|all| all.iter().find(|one| one["name"] == name).or(all.first()));
        let id = summary.and_then(|summary| summary["busObId"].as_str()).unwrap_or_default().to_owned();
        if id.is_empty() {
            let message = format!("Cherwell has no business object {name:?}, or not for this user");
            let advice = "give the user's security group rights on it, or name another one in the connection (places)";
            return Err(Problem::new(Part::Role, message, advice));
        }
        let body = json!({"busObId": id, "includeAll": true, "includeRequired": true});
        let body = self.asked(Request::ask(format!("{API}/V1/getbusinessobjecttemplate"), body)).await?;
        let fields = body["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|field| Some((field["name"].as_str()?.to_owned(), field["fieldId"].as_str()?.to_owned())));
        let template = Arc::new(Template { id, fields: fields.collect() });
        self.templates.lock().await.insert(name.to_owned(), Arc::clone(&template));
        Ok(template)
    }

    /// One page of a search, in the order of a field and of the record.
    pub(super) async fn search(
        &self,
        template: &Template,
        filters: &[Filter<'_>],
        fields: &[&str],
        order: &str,
        size: u32,
        number: u32,
    ) -> Result<Results, Problem> {
        let id = |name: &str| template.fields.get(name);
        let filters: Vec<Value> = filters
            .iter()
            .filter_map(|(name, operator, value)| {
                Some(json!({"fieldId": id(name)?, "operator": operator, "value": value}))
            })
            .collect();
        let order: Vec<Value> = [order, "RecID"]
            .iter()
            .filter_map(|name| Some(json!({"fieldId": id(name)?, "sortDirection": 1})))
            .collect();
        let body = json!({
            "busObId": template.id,
            "filters": filters,
            "fields": fields.iter().filter_map(|name| id(name)).collect::<Vec<_>>(),
            "includeAllFields": false,
            "includeSchema": false,
            "pageNumber": number,
            "pageSize": size,
            "sorting": order,
        });
        let body = self.asked(Request::ask(format!("{API}/V1/getsearchresults"), body)).await?;
        let found = body["businessObjects"].as_array().into_iter().flatten().map(|one| read(template, one)).collect();
        Ok(Results { found, total: body["totalRows"].as_u64().unwrap_or_default() })
    }

    pub(super) async fn get(&self, template: &Template, record_id: &str) -> Result<Found, Problem> {
        let path = format!("{API}/V1/getbusinessobject/busobid/{}/busobrecid/{record_id}", template.id);
        let body = self.asked(Request::get(path)).await?;
        Ok(read(template, &body))
    }

    /// Makes an object, or changes the one with the identity; fields that it does not have are left out.
    pub(super) async fn save(
        &self,
        template: &Template,
        record_id: Option<&str>,
        values: &[(&str, String)],
    ) -> Result<(String, String), Problem> {
        let fields: Vec<Value> = values
            .iter()
            .filter_map(|(name, value)| {
                Some(json!({"fieldId": template.fields.get(*name)?, "value": value, "dirty": true}))
            })
            .collect();
        let mut body = json!({"busObId": template.id, "fields": fields, "persist": true});
        let path = format!("{API}/V1/savebusinessobject");
        let request = match record_id {
            None => Request::post(path, body),
            Some(record_id) => {
                body["busObRecId"] = json!(record_id);
                Request::ask(path, body)
            }
        };
        let body = self.asked(request).await?;
        if let Some(error) = body["fieldValidationErrors"].as_array().and_then(|all| all.first()) {
            let message = format!("Cherwell does not take a field: {}", error["error"].as_str().unwrap_or_default());
            return Err(Problem::new(Part::WorkItem, message, "look at the action's fields"));
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Ok((text("busObRecId"), text("busObPublicId")))
    }

    /// The values that a field can have.
    pub(super) async fn values(&self, template: &Template, field: &str) -> Result<Vec<String>, Problem> {
        let body = json!({"busObId": template.id, "fieldId": template.fields.get(field), "fields": []});
        match self.asked(Request::ask(format!("{API}/V1/fieldvalueslookup"), body)).await {
            Ok(body) => {
                let values = body["values"].as_array().into_iter().flatten();
                Ok(values.filter_map(Value::as_str).map(str::to_owned).collect())
            }
            // a field without a list of values
            Err(problem) if problem.part == Part::WorkItem => Ok(Vec::new()),
            Err(problem) => Err(problem),
        }
    }

    pub(super) async fn users(&self) -> Result<Vec<Person>, Problem> {
        let template = match self.template("UserInfo").await {
            Err(problem) if problem.part == Part::Role => return Ok(Vec::new()),
            template => template?,
        };
        let mut users = Vec::new();
        for number in 1.. {
            let page = self.search(&template, &[], &["FullName"], "FullName", PAGE, number).await?;
            let count = page.found.len();
            let person = |one: Found| Person {
                name: one.values.get("FullName").cloned().unwrap_or_default(),
                id: one.record_id,
            };
            users.extend(page.found.into_iter().map(person));
            if count < PAGE as usize || users.len() >= MOST {
                break;
            }
        }
        Ok(users)
    }

    /// Identities and names.
    pub(super) async fn teams(&self) -> Result<Vec<(String, String)>, Problem> {
        let body = match self.asked(Request::get(format!("{API}/V2/getteams"))).await {
            Err(problem) if problem.part == Part::Role => return Ok(Vec::new()),
            body => body?,
        };
        let text = |team: &Value, name: &str| team[name].as_str().unwrap_or_default().to_owned();
        let teams = body["teams"].as_array().into_iter().flatten();
        Ok(teams.map(|team| (text(team, "teamId"), text(team, "teamName"))).collect())
    }
}

/// The last time that the service can be asked with.
const LATEST: i64 = 253_370_764_800 * MICROS;

fn read(template: &Template, one: &Value) -> Found {
    let names: HashMap<&str, &str> = template.fields.iter().map(|(name, id)| (id.as_str(), name.as_str())).collect();
    let values = one["fields"].as_array().into_iter().flatten().filter_map(|field| {
        let name = field["name"].as_str().or_else(|| names.get(field["fieldId"].as_str()?).copied())?;
        Some((name.to_owned(), field["value"].as_str()?.to_owned()))
    });
    let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
    Found { record_id: text("busObRecId"), public_id: text("busObPublicId"), values: values.collect() }
}

/// `-07:00:00` in microseconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.trim_start_matches('+')),
    };
    let parts: Vec<i64> = rest.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, ..] = parts.as_slice() else { return None };
    Some(sign * (hours * 3600 + minutes * 60) * MICROS)
}

/// `11/22/2026 1:02 AM`, with seconds or without, as if it were UTC.
fn local_time(text: &str) -> Option<i64> {
    let forms = ["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p"];
    let read = |form: &&str| NaiveDateTime::parse_from_str(text.trim(), form).ok();
    Some(forms.iter().find_map(read)?.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_services_culture() {
        assert_eq!(offset("-07:30:00"), Some(-27_000 * MICROS));
        assert_eq!(offset("00:00:00"), Some(0));
        assert_eq!(offset("soon"), None);
        let at = local_time("1/2/2026 1:02 PM").unwrap();
        assert_eq!(local_time("01/02/2026 01:02:00 PM"), Some(at));
        assert_eq!(at % (24 * 3600 * MICROS), (13 * 3600 + 120) * MICROS);
        assert_eq!(local_time(""), None);
    }
}
