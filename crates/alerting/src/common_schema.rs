//! The common alert schema: what every receiver is told of an alert, whatever made it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use watchkeeper_model::civil::format_time;

use crate::evaluate::{Fired, Measured};
use crate::kql::Span;
use crate::limits;
use crate::rule::{AlertRule, Condition, RuleKind, Source, Test, activity};

/// Names and addresses of pages about a query and a span of time.
type Links<'l> = dyn Fn(&str, Span) -> Vec<(&'static str, String)> + 'l;

/// Whether the cause of an alert is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MonitorCondition {
    Fired,
    Resolved,
}

impl MonitorCondition {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            MonitorCondition::Fired => "Fired",
            MonitorCondition::Resolved => "Resolved",
        }
    }
}

/// An alert at the moment at which people are told of it. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The identity of the alert.
    pub alert_id: String,
    /// The identity as a resource.
    pub alert_path: String,
    /// What people see first.
    pub title: String,
    pub rule_name: String,
    /// The resource or element that made it.
    pub rule_id: String,
    /// 0 critical to 4 verbose.
    pub severity: u8,
    /// `Log`, `Metric`, `Unknown`.
    pub signal_type: String,
    pub monitoring_service: String,
    pub condition: MonitorCondition,
    pub target_ids: Vec<String>,
    pub target_type: String,
    pub target_group: String,
    pub configuration_items: Vec<String>,
    pub fired_at: i64,
    /// 0: not yet.
    pub resolved_at: i64,
    pub description: String,
    /// The section `alertContext`.
    pub context: Value,
    pub custom_properties: BTreeMap<String, String>,
    /// Where a person sees it; may be empty.
    pub link: String,
    /// Sent by the test of an action group.
    pub test: bool,
}

/// How the documents call a severity.
#[must_use]
pub fn severity_word(severity: u8) -> &'static str {
    ["Critical", "Error", "Warning", "Informational", "Verbose"]
        .get(usize::from(severity))
        .copied()
        .unwrap_or("Verbose")
}

/// The whole payload.
#[must_use]
pub fn payload(notice: &Notice) -> Value {
    let mut essentials = json!({
        "alertId": notice.alert_path,
        "alertRule": notice.rule_name,
        "alertRuleID": notice.rule_id,
        "severity": format!("Sev{}", notice.severity),
        "signalType": notice.signal_type,
        "monitorCondition": notice.condition.word(),
        "targetResourceType": notice.target_type,
        "targetResourceGroup": notice.target_group,
        "monitoringService": notice.monitoring_service,
        "alertTargetIDs": notice.target_ids,
        "configurationItems": notice.configuration_items,
        "originAlertId": notice.alert_id,
        "firedDateTime": format_time(notice.fired_at),
        "description": notice.description,
        "essentialsVersion": "1.0",
        "alertContextVersion": "1.0",
        "investigationLink": notice.link,
    });
    if notice.resolved_at > 0 {
        essentials["resolvedDateTime"] = json!(format_time(notice.resolved_at));
    }
    let mut body = json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {"essentials": essentials, "alertContext": notice.context},
    });
    let properties: Map<String, Value> = notice
        .custom_properties
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(filled(value, &body))))
        .collect();
    body["data"]["customProperties"] = if properties.is_empty() { Value::Null } else { Value::Object(properties) };
    if body.to_string().len() > limits::MOST_PAYLOAD_BYTES {
        body["data"]["alertContext"] = json!({"omitted": "the context of the alert is larger than 256 KB"});
    }
    body
}

/// A custom property with its `${data.…}` replaced by the payload's values.
fn filled(template: &str, body: &Value) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((path, behind)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        let found = path.split('.').try_fold(body, |value, part| {
            let (name, indexes) = part.split_once('[').map_or((part, ""), |(name, indexes)| (name, indexes));
            indexes.split('[').filter(|index| !index.is_empty()).try_fold(value.get(name)?, |value, index| {
                value.get(index.trim_end_matches(']').parse::<usize>().ok()?)
            })
        });
        match found {
            Some(Value::String(text)) => out.push_str(text),
            Some(value) => out.push_str(&value.to_string()),
            None => out.push_str(&format!("${{{path}}}")),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// The section `alertContext` of a rule's alert. `links` leads to the rows, by their query and range of time.
#[must_use]
pub fn rule_context(rule: &AlertRule, fired: &Fired, links: &Links<'_>) -> Value {
    if rule.kind == RuleKind::Activity {
        return activity::context(&fired.key, &rule.custom_properties);
    }
    let names = rule.dimension_names();
    let dimensions: Vec<Value> =
        names.iter().zip(&fired.key).map(|(name, value)| json!({"name": name, "value": value})).collect();
    let span = Span { end: fired.window_end, grain: rule.window, bins: rule.points() };
    let conditions = rule.conditions.iter().enumerate().map(|(number, condition)| {
        let measured = fired.values.get(number).copied().unwrap_or_default();
        condition_context(rule, condition, measured, &dimensions, span, links)
    });
    let is_dynamic = rule.conditions.iter().any(|condition| matches!(condition.test, Test::Dynamic { .. }));
    let kind = match (rule.kind, is_dynamic) {
        (RuleKind::Log | RuleKind::Activity, false) => "LogQueryCriteria",
        (_, true) => "DynamicThresholdCriteria",
        (RuleKind::Metric, false) if names.is_empty() => "SingleResourceMultipleMetricCriteria",
        (RuleKind::Metric, false) => "MultipleResourceMultipleMetricCriteria",
    };
    let properties: Value = match rule.custom_properties.is_empty() {
        true => Value::Null,
        false => json!(rule.custom_properties),
    };
    json!({
        "properties": properties,
        "conditionType": kind,
        "condition": {
            "windowSize": rule.window.to_string(),
            "allOf": conditions.collect::<Vec<_>>(),
            "windowStartTime": format_time(fired.window_start),
            "windowEndTime": format_time(fired.window_end),
        },
    })
}

fn condition_context(
    rule: &AlertRule,
    condition: &Condition,
    measured: Measured,
    dimensions: &[Value],
    span: Span,
    links: &Links<'_>,
) -> Value {
    let mut body = match &condition.source {
        Source::Query(query) => json!({
            "searchQuery": query,
            "metricMeasureColumn": condition.measure,
            "targetResourceTypes": rule.target_resource_types,
        }),
        Source::Metric { namespace, name } => json!({"metricName": name, "metricNamespace": namespace}),
    };
    match condition.test {
        Test::Static { operator, threshold } => {
            body["operator"] = json!(operator.word());
            body["threshold"] = json!(number_text(threshold));
        }
        Test::Dynamic { operator, sensitivity, ignore_before } => {
            body["operator"] = json!(operator.word());
            body["alertSensitivity"] = json!(sensitivity.word());
            body["ignoreDataBefore"] = json!(ignore_before.map(format_time));
            let crossed = measured.bounds.map(|bounds| match measured.value {
                Some(value) if value < bounds.low => bounds.low,
                _ => bounds.high,
            });
            body["threshold"] = json!(crossed.map(number_text));
        }
    }
    body["timeAggregation"] = json!(condition.aggregation.word());
    body["dimensions"] = json!(dimensions);
    body["metricValue"] = json!(measured.value);
    if rule.kind == RuleKind::Log || matches!(condition.test, Test::Dynamic { .. }) {
        body["failingPeriods"] = json!({
            "numberOfEvaluationPeriods": condition.failing.periods,
            "minFailingPeriodsToAlert": condition.failing.violations,
        });
    }
    if let Source::Query(query) = &condition.source {
        for (name, link) in links(query, span) {
            body[name] = json!(link);
        }
    }
    body
}

/// A threshold as the schema writes it: a text, whole numbers without a point.
#[must_use]
pub fn number_text(number: f64) -> String {
    let rounded = (number * 1e6).round() / 1e6;
    format!("{rounded}")
}

/// The affected things: dimensions of the rule in the documented order of their names.
#[must_use]
pub fn configuration_items(dimensions: &[(String, String)]) -> Vec<String> {
    let of = |name: &str| dimensions.iter().find(|(known, value)| known == name && !value.is_empty());
    ["_ResourceId", "ResourceId", "Resource", "Computer"]
        .iter()
        .find_map(|name| of(name))
        .map(|(_, value)| vec![value.clone()])
        .unwrap_or_default()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::rule::testing::{log_properties, log_rule};

    pub fn notice() -> Notice {
        Notice {
            alert_id: "a1".into(),
            alert_path: "/subscriptions/s/providers/Microsoft.AlertsManagement/alerts/a1".into(),
            title: "High <load>".into(),
            rule_name: "load".into(),
            rule_id: "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/scheduledQueryRules/load".into(),
            severity: 1,
            signal_type: "Log".into(),
            monitoring_service: "Log Alerts V2".into(),
            condition: MonitorCondition::Fired,
            target_ids: vec!["/w".into()],
            target_type: "microsoft.operationalinsights/workspaces".into(),
            target_group: "g".into(),
            configuration_items: vec!["web1".into()],
            fired_at: 1_553_263_104_371_321,
            resolved_at: 0,
            description: "too much".into(),
            context: json!({"condition": {"allOf": [{"metricValue": 7.5}]}}),
            custom_properties: BTreeMap::new(),
            link: "https://wk/alerts/a1".into(),
            test: false,
        }
    }

    #[test]
    fn the_payload_has_the_documented_fields() {
        let body = payload(&notice());
        assert_eq!(body["schemaId"], "azureMonitorCommonAlertSchema");
        let essentials = &body["data"]["essentials"];
        for (name, value) in [
            ("alertRule", "load"),
            ("severity", "Sev1"),
            ("signalType", "Log"),
            ("monitorCondition", "Fired"),
            ("monitoringService", "Log Alerts V2"),
            ("originAlertId", "a1"),
            ("firedDateTime", "2019-03-22T13:58:24.371321Z"),
            ("essentialsVersion", "1.0"),
            ("alertContextVersion", "1.0"),
        ] {
            assert_eq!(essentials[name], value, "{name}");
        }
        assert_eq!(essentials.get("resolvedDateTime"), None);
        assert_eq!(body["data"]["customProperties"], Value::Null);
    }

    #[test]
    fn custom_properties_are_filled_from_the_payload() {
        let mut notice = notice();
        for (name, value) in [
            ("a", "it is ${data.essentials.monitorCondition}!"),
            ("b", "${data.alertContext.condition.allOf[0].metricValue}"),
            ("c", "${data.nothing} ${open"),
        ] {
            notice.custom_properties.insert(name.into(), value.into());
        }
        let properties = &payload(&notice)["data"]["customProperties"];
        assert_eq!(properties["a"], "it is Fired!");
        assert_eq!(properties["b"], "7.5");
        assert_eq!(properties["c"], "${data.nothing} ${open");
    }

    #[test]
    fn the_context_of_a_log_alert_is_that_of_log_alerts_v2() {
        let mut properties = log_properties("Heartbeat");
        properties["criteria"]["allOf"][0]["dimensions"] =
            json!([{"name": "Computer", "operator": "Include", "values": ["*"]}]);
        let rule = log_rule(properties);
        let fired = Fired {
            alert_id: "a".into(),
            key: vec!["TestComputer".into()],
            values: vec![Measured { value: Some(3.0), bounds: None }],
            window_start: 0,
            window_end: 300_000_000,
            late: false,
            muted: false,
        };
        let context = rule_context(&rule, &fired, &|query, _| vec![("linkToSearchResultsAPI", format!("x?{query}"))]);
        assert_eq!(context["conditionType"], "LogQueryCriteria");
        let condition = &context["condition"]["allOf"][0];
        assert_eq!(condition["searchQuery"], "Heartbeat");
        assert_eq!(condition["operator"], "GreaterThan");
        assert_eq!(condition["threshold"], "0");
        assert_eq!(condition["dimensions"][0], json!({"name": "Computer", "value": "TestComputer"}));
        assert_eq!(condition["metricValue"], 3.0);
        assert_eq!(condition["linkToSearchResultsAPI"], "x?Heartbeat");
        assert_eq!(context["condition"]["windowEndTime"], "1970-01-01T00:05:00Z");
    }

    #[test]
    fn configuration_items_come_from_dimensions_in_the_documented_order() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(configuration_items(&[pair("Computer", "c"), pair("_ResourceId", "r")]), ["r"]);
        assert_eq!(configuration_items(&[pair("Computer", "c"), pair("_ResourceId", "")]), ["c"]);
        assert!(configuration_items(&[pair("Disk", "c")]).is_empty());
    }
}
