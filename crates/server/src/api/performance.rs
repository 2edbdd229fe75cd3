//! `/api/objects/{object}/performance`: the counters of an object's computer, or of the computers of a group, and their values
//! over time. Whoever sees the object sees them, without a role in the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::json;
use watchkeeper_alerting::kql::quoted;
use watchkeeper_authorization::{Action, Readable};
use watchkeeper_kql::typed::TableSource;
use watchkeeper_management::group::Space;
use watchkeeper_model::ids::ObjectId;
use watchkeeper_query::shape;

use super::errors::ApiError;
use super::management::objects;
use super::{App, origin, timespan};
use crate::authorization::{Routes, Visible, get};
use crate::identity::Caller;
use crate::queries::{Asked, Functions, Limits, ticks_now};

const TABLE: &str = "Perf";
const DEFAULT_TIMESPAN: &str = "PT4H";
const DEADLINE: Duration = Duration::from_secs(60);
const LIMITS: Limits = Limits { rows: 100_000, bytes: 32 << 20 };
/// Minutes that one value stands for.
const DEFAULT_STEP: u32 = 5;
const LONGEST_STEP: u32 = 1440;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/objects/{object}/performance", get(objects(Action::ReadObjects), counters))
        .route("/api/objects/{object}/performance/values", get(objects(Action::ReadObjects), values))
}

/// The rows of counters that belong to an object.
#[derive(Debug, Default)]
struct Rows {
    /// Computers with all their counters.
    computers: BTreeSet<String>,
    /// Of computers that the caller does not see: the instances that are called as objects which it sees.
    instances: BTreeMap<String, BTreeSet<String>>,
}

impl Rows {
    fn of(space: &Space, visible: &Visible, object: ObjectId) -> Rows {
        let all = match space.group(object) {
            Some(_) => space.members(object, true).into_iter().map(|member| member.id).collect(),
            None => vec![object],
        };
        let mut rows = Rows::default();
        for one in all.into_iter().filter(|one| visible.has(*one)) {
            let Some(computer) = space.agent_of(one).and_then(|agent| space.agent(agent)).map(|own| own.computer)
            else {
                continue;
            };
            let name = space.key_name(computer);
            if visible.has(computer) {
                rows.computers.insert(name);
            } else {
                let named = space.objects.with_hosted(one).into_iter().filter(|hosted| visible.has(*hosted));
                rows.instances.entry(name).or_default().extend(named.map(|hosted| space.display_name(hosted)));
            }
        }
        rows
    }

    /// As a condition of KQL; none where nothing belongs to the object.
    fn condition(&self) -> Option<String> {
        let list = |texts: &BTreeSet<String>| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
        let mut conditions: Vec<String> = Vec::new();
        if !self.computers.is_empty() {
            conditions.push(format!("Computer in~ ({})", list(&self.computers)));
        }
        for (computer, instances) in &self.instances {
            conditions.push(format!("(Computer =~ {} and InstanceName in ({}))", quoted(computer), list(instances)));
        }
        (!conditions.is_empty()).then(|| conditions.join(" or "))
    }

    fn names(&self) -> BTreeSet<&String> {
        self.computers.iter().chain(self.instances.keys()).collect()
    }
}

/// What is asked for: a time, and for values a counter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    timespan: Option<String>,
    object: String,
    counter: String,
    /// All where none is named.
    instances: Vec<String>,
    step: u32,
}

impl Wanted {
    fn read(pairs: Vec<(String, String)>) -> Result<Wanted, ApiError> {
        let mut wanted = Wanted { step: DEFAULT_STEP, ..Wanted::default() };
        for (name, value) in pairs {
            match name.as_str() {
                "timespan" => wanted.timespan = Some(value),
                "object" => wanted.object = value,
                "counter" => wanted.counter = value,
                "instance" => wanted.instances.push(value),
                "minutes" => {
                    let step = value.parse().ok().filter(|step| (1..=LONGEST_STEP).contains(step));
                    wanted.step = step.ok_or_else(|| {
                        ApiError::bad_request(format!("minutes is {value:?}; it can be 1 to {LONGEST_STEP}"))
                    })?;
                }
                _ => {
                    let known = "timespan, object, counter, instance, minutes";
                    return Err(ApiError::bad_request(format!("there is no parameter {name:?}; there are {known}")));
                }
            }
        }
        Ok(wanted)
    }
}

type Parameters = Query<Vec<(String, String)>>;

/// Each counter with its newest value.
async fn counters(
    State(app): State<Arc<App>>,
    visible: Visible,
    caller: Caller,
    headers: HeaderMap,
    Path(object): Path<String>,
    Query(pairs): Parameters,
) -> Result<impl IntoResponse, ApiError> {
    let wanted = Wanted::read(pairs)?;
    let text = "summarize arg_max(TimeGenerated, CounterValue) by ObjectName, CounterName, InstanceName
| project ObjectName, CounterName, InstanceName, CounterValue
| order by ObjectName asc, CounterName asc, InstanceName asc";
    ask(&app, &caller, &headers, &rows(&app, &visible, &object)?, &wanted, text).await
}

/// The values of a counter, a series an instance: averages over the minutes that one stands for.
async fn values(
    State(app): State<Arc<App>>,
    visible: Visible,
    caller: Caller,
    headers: HeaderMap,
    Path(object): Path<String>,
    Query(pairs): Parameters,
) -> Result<impl IntoResponse, ApiError> {
    let wanted = Wanted::read(pairs)?;
    if wanted.object.is_empty() || wanted.counter.is_empty() {
        return Err(ApiError::bad_request(
            "object and counter say which counter is meant, for instance object=Processor",
        ));
    }
    let rows = rows(&app, &visible, &object)?;
    let series = match rows.names().len() {
        0 | 1 => "iff(InstanceName == \"\", CounterName, InstanceName)",
        _ => "iff(InstanceName == \"\", Computer, strcat(Computer, \" \", InstanceName))",
    };
    let instances: Vec<String> = wanted.instances.iter().map(|text| quoted(text)).collect();
    let among = match instances.is_empty() {
        true => String::new(),
        false => format!(" and InstanceName in ({})", instances.join(", ")),
    };
    let text = format!(
        "where ObjectName == {} and CounterName == {}{among}
| summarize Value = avg(CounterValue) by bin(TimeGenerated, {}m), Series = {series}
| order by TimeGenerated asc",
        quoted(&wanted.object),
        quoted(&wanted.counter),
        wanted.step,
    );
    ask(&app, &caller, &headers, &rows, &wanted, &text).await
}

fn rows(app: &App, visible: &Visible, object: &str) -> Result<Rows, ApiError> {
    let id = visible.find(app, object)?;
    Ok(Rows::of(&app.operations.group.read(), visible, id))
}

/// Runs a query over the rows: its tables as the query API has them, with the names of the computers.
async fn ask(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    rows: &Rows,
    wanted: &Wanted,
    text: &str,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let now = ticks_now();
    let timespan = timespan::parse(wanted.timespan.as_deref().unwrap_or(DEFAULT_TIMESPAN), now);
    let timespan = timespan.map_err(ApiError::bad_request)?;
    let is_there = app.queries.tables().schema(&TableSource::Local, TABLE).is_some();
    let computers = json!(rows.names());
    let mut body = match rows.condition().filter(|_| is_there) {
        None => b"{\"tables\":[]}".to_vec(),
        Some(condition) => {
            let asked = Asked {
                text: format!("{TABLE}\n| where {condition}\n| {text}"),
                timespan: Some(timespan),
                parameters: BTreeMap::new(),
                now,
                deadline: DEADLINE,
                limits: LIMITS,
                functions: Functions::new(),
                readable: Readable::All,
                small: false,
                plan: false,
                origin: origin(caller, headers),
            };
            shape::log_analytics(&app.queries.run(asked).await?)
        }
    };
    body.pop();
    body.extend_from_slice(format!(",\"computers\":{computers}}}").as_bytes());
    Ok(([(CONTENT_TYPE, "application/json")], body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_see_a_computer_is_given_instances_alone() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(Rows::default().condition(), None);
        let mut rows = Rows { computers: set(&["a", "b\"c"]), instances: BTreeMap::new() };
        assert_eq!(rows.condition().as_deref(), Some("Computer in~ (\"a\", \"b\\\"c\")"));
        rows.instances.insert("d".to_owned(), set(&["/var"]));
        let whole = "Computer in~ (\"a\", \"b\\\"c\") or (Computer =~ \"d\" and InstanceName in (\"/var\"))";
        assert_eq!(rows.condition().as_deref(), Some(whole));
        assert_eq!(rows.names().len(), 3);
    }

    #[test]
    fn what_is_asked_for_is_read_with_its_instances() {
        let read = |pairs: &[(&str, &str)]| {
            Wanted::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let wanted = read(&[("instance", "/"), ("minutes", "30"), ("instance", "")]).unwrap_or_default();
        assert_eq!((wanted.instances, wanted.step), (vec!["/".to_owned(), String::new()], 30));
        for wrong in [("minutes", "0"), ("minutes", "1441"), ("minutes", "x"), ("minute", "1")] {
            assert!(read(&[wrong]).is_err(), "{wrong:?}");
        }
    }
}
