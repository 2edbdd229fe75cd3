//! Request properties: options and query parameters, from the request and from `set` statements of the text.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use watchkeeper_kql::syntax::StatementKind;
use watchkeeper_kql::{Ticks, parse};
use watchkeeper_query::TimeRange;

use super::errors::Failure;
use crate::api::timespan::instant;
use crate::queries::Limits;

/// What Kusto documents: 500,000 rows, 64 MiB, four minutes for a query.
const LIMITS: Limits = Limits { rows: 500_000, bytes: 64 << 20 };
/// Even a result that is not truncated has to fit into the server's memory.
const UNTRUNCATED: Limits = Limits { rows: usize::MAX, bytes: 1 << 30 };
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(4 * 60);

/// The member `properties` of a request: an object, or its JSON as text.
#[derive(Debug, Default, Deserialize)]
struct Sent {
    #[serde(rename = "Options", default)]
    options: Option<BTreeMap<String, Value>>,
    #[serde(rename = "Parameters", default)]
    parameters: Option<BTreeMap<String, Value>>,
    #[serde(rename = "ClientRequestId", default)]
    client_request_id: Option<String>,
}

/// What the properties mean for a query.
#[derive(Debug, PartialEq)]
pub struct Properties {
    pub deadline: Duration,
    pub limits: Limits,
    /// Rows to take of each result, without reporting that there were more.
    pub take: Option<usize>,
    pub now: Option<Ticks>,
    pub timespan: Option<TimeRange>,
    pub parameters: BTreeMap<String, String>,
    /// A truncated result is not reported as a failure.
    pub defer_partial_failures: bool,
    pub client_request_id: Option<String>,
    pub application: Option<String>,
    pub user: Option<String>,
}

impl Properties {
    /// Reads the properties of a request with the text `csl`.
    pub fn read(sent: Option<&Value>, csl: &str, longest: Duration) -> Result<Properties, Failure> {
        let wrong = |error| Failure::bad_request(format!("the request's properties cannot be read: {error}"));
        let sent: Sent = match sent {
            None | Some(Value::Null) => Sent::default(),
            Some(Value::String(text)) if text.trim().is_empty() => Sent::default(),
            Some(Value::String(text)) => serde_json::from_str(text).map_err(wrong)?,
            Some(other) => Sent::deserialize(other).map_err(wrong)?,
        };
        let mut options: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in sent.options.unwrap_or_default() {
            if let Some(text) = as_text(value) {
                options.insert(name.to_ascii_lowercase(), text);
            }
        }
        options.extend(set_statements(csl));
        let parameters = sent.parameters.unwrap_or_default();
        let parameters = parameters.into_iter().filter_map(|(name, value)| Some((name, as_text(value)?)));
        let given = Options(options);
        if given.text(&["query_language"]).is_some_and(|language| language.eq_ignore_ascii_case("sql")) {
            return Err(Failure::bad_request("the option query_language: only kql (csl) is understood, not sql"));
        }
        let deadline = match given.text(&["servertimeout"]) {
            _ if given.flag("norequesttimeout")? => longest,
            Some(text) => timeout(text).ok_or_else(|| {
                Failure::bad_request(format!(
                    "the option servertimeout {text:?} is not a timespan, for instance 00:04:00"
                ))
            })?,
            None => DEFAULT_TIMEOUT,
        };
        let mut limits = if given.flag("notruncation")? { UNTRUNCATED } else { LIMITS };
        if let Some(rows) = given.count(&["truncation_max_records", "truncationmaxrecords"])? {
            limits.rows = rows;
        }
        if let Some(bytes) = given.count(&["truncation_max_size", "truncationmaxsize"])? {
            limits.bytes = bytes.min(UNTRUNCATED.bytes);
        }
        let scope = (given.instant("query_datetimescope_from")?, given.instant("query_datetimescope_to")?);
        let timespan = match scope {
            (None, None) => None,
            (from, to) => {
                let column = given.text(&["query_datetimescope_column"]).unwrap_or("TimeGenerated");
                if column != "TimeGenerated" {
                    return Err(Failure::bad_request(format!(
                        "the option query_datetimescope_column {column:?}: the time scope applies to TimeGenerated"
                    )));
                }
                Some(TimeRange { from: from.unwrap_or(Ticks(0)), to: to.unwrap_or(Ticks::MAX_DATETIME) })
            }
        };
        Ok(Properties {
            deadline: deadline.clamp(Duration::from_millis(1), longest.max(Duration::from_millis(1))),
            limits,
            take: given.count(&["query_take_max_records"])?,
            now: given.instant("query_now")?,
            timespan,
            parameters: parameters.collect(),
            defer_partial_failures: given.flag("deferpartialqueryfailures")?,
            client_request_id: sent.client_request_id.filter(|id| !id.is_empty()),
            application: given.text(&["request_app_name"]).map(str::to_owned),
            user: given.text(&["request_user"]).map(str::to_owned),
        })
    }
}

/// Options by lower-case name.
struct Options(BTreeMap<String, String>);

impl Options {
    fn text(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(*name)).map(String::as_str)
    }

    fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.text(&[name]).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1" | "") => Ok(true),
            Some(other) => Err(Failure::bad_request(format!("the option {name} {other:?} is neither true nor false"))),
        }
    }

    fn count(&self, names: &[&str]) -> Result<Option<usize>, Failure> {
        let Some(text) = self.text(names) else { return Ok(None) };
        let wrong = || Failure::bad_request(format!("the option {} {text:?} is not a number of 0 or more", names[0]));
        unwrap_literal(text, &["long", "int"]).parse().map(Some).map_err(|_| wrong())
    }

    fn instant(&self, name: &str) -> Result<Option<Ticks>, Failure> {
        let Some(text) = self.text(&[name]) else { return Ok(None) };
        let wrong = |error| Failure::bad_request(format!("the option {name}: {error}"));
        instant(unwrap_literal(text, &["datetime", "date"])).map(Some).map_err(wrong)
    }
}

fn as_text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// `set name = value;` and `set name;` of the text, by lower-case name.
fn set_statements(csl: &str) -> Vec<(String, String)> {
    if !csl.to_ascii_lowercase().contains("set ") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for statement in parse(csl).query.statements {
        let StatementKind::Set { name, value } = statement.kind else { continue };
        let value = match value {
            Some(value) => csl.get(value.span.start as usize..value.span.end as usize).unwrap_or_default(),
            None => "true",
        };
        let value = value.trim();
        let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        found.push((name.text.to_ascii_lowercase(), quoted.unwrap_or(value).to_owned()));
    }
    found
}

/// `x` of `datetime(x)`, or the whole.
fn unwrap_literal<'t>(text: &'t str, names: &[&str]) -> &'t str {
    let text = text.trim();
    let inner =
        names.iter().find_map(|name| text.strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')'));
    inner.unwrap_or(text).trim()
}

/// A timespan as clients write it: `00:04:00`, `1.00:00:00`, `90s`, `5m`, `time(1h)`, `1 day, 0:30:00`.
fn timeout(text: &str) -> Option<Duration> {
    let text = unwrap_literal(text, &["timespan", "time"]);
    if let Some((days, clock)) = text.split_once(',') {
        let days: u64 =
            days.trim().strip_suffix("days").or_else(|| days.trim().strip_suffix("day"))?.trim().parse().ok()?;
        return Duration::from_secs(days.checked_mul(86_400)?).checked_add(timeout(clock)?);
    }
    if text.contains(':') {
        let (days, clock) = match text.split_once('.') {
            Some((days, clock)) if clock.contains(':') => (days.parse().ok()?, clock),
            _ => (0u64, text),
        };
        let mut parts = clock.split(':');
        let hours: u64 = parts.next()?.parse().ok()?;
        let minutes: u64 = parts.next()?.parse().ok()?;
        let seconds: f64 = parts.next().unwrap_or("0").parse().ok()?;
        if parts.next().is_some() || minutes > 59 || !(0.0..60.0).contains(&seconds) {
            return None;
        }
        let whole = days.checked_mul(86_400)?.checked_add(hours.checked_mul(3600)?)?.checked_add(minutes * 60)?;
        return Duration::from_secs(whole).checked_add(Duration::from_secs_f64(seconds));
    }
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..unit].parse().ok()?;
    let seconds = match &text[unit..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(3600);

    fn read(sent: Value, csl: &str) -> Properties {
        Properties::read(Some(&sent), csl, LONGEST).unwrap()
    }

    #[test]
    fn timeouts_are_read_as_the_clients_write_them() {
        for (text, seconds) in [
            ("00:04:00", Some(240.0)),
            ("0:04:30", Some(270.0)),
            ("1.00:00:01.5", Some(86_401.5)),
            ("1 day, 0:30:00", Some(88_200.0)),
            ("50m", Some(3000.0)),
            ("time(90s)", Some(90.0)),
            ("250ms", Some(0.25)),
            ("00:61:00", None),
            ("soon", None),
            ("5", None),
        ] {
            assert_eq!(timeout(text).map(|time| time.as_secs_f64()), seconds, "{text}");
        }
    }

    #[test]
    fn properties_are_an_object_or_its_text_and_set_statements_win() {
        let object =
            json!({"Options": {"servertimeout": "5m", "truncationmaxrecords": 7}, "Parameters": {"n": 10, "s": "x"}});
        let text = Value::String(object.to_string());
        for sent in [object, text] {
            let properties = read(sent, "set truncationmaxrecords = 3; set notruncation; print 1");
            assert_eq!(properties.deadline, Duration::from_secs(300));
            assert_eq!(properties.limits, Limits { rows: 3, bytes: UNTRUNCATED.bytes });
            assert_eq!(properties.parameters, BTreeMap::from([("n".into(), "10".into()), ("s".into(), "x".into())]));
        }
    }

    #[test]
    fn defaults_are_the_documented_ones_and_no_timeout_is_the_longest() {
        let none = Properties::read(None, "print 1", LONGEST).unwrap();
        assert_eq!((none.deadline, none.limits), (DEFAULT_TIMEOUT, LIMITS));
        assert_eq!(read(json!({"Options": {"norequesttimeout": true}}), "").deadline, LONGEST);
        assert_eq!(read(json!({"Options": {"servertimeout": "9d"}}), "").deadline, LONGEST);
    }

    #[test]
    fn a_wrong_option_is_an_error() {
        for options in [
            json!({"servertimeout": "soon"}),
            json!({"notruncation": "perhaps"}),
            json!({"truncation_max_records": -1}),
            json!({"query_now": "yesterday"}),
            json!({"query_language": "sql"}),
        ] {
            let sent = json!({ "Options": options });
            assert!(Properties::read(Some(&sent), "print 1", LONGEST).is_err(), "{sent}");
        }
    }

    #[test]
    fn the_present_and_a_scope_of_time_can_be_set() {
        let properties = read(
            json!({"Options": {"query_now": "datetime(1970-01-01)", "query_datetimescope_from": "1970-01-01T00:00:00Z"}}),
            "print 1",
        );
        assert_eq!(properties.now, Some(Ticks::UNIX_EPOCH));
        assert_eq!(properties.timespan, Some(TimeRange { from: Ticks::UNIX_EPOCH, to: Ticks::MAX_DATETIME }));
    }
}
