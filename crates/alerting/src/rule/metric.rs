//! Metric alert rules: `metricAlerts`, version 2018-03-01, with static and dynamic thresholds. Metrics are the
//! documented ones that a workspace makes of logs (`Heartbeat`, `Average_COUNTER`, …), and every metric of
//! `InsightsMetrics` by its namespace and name.

use super::log::{check_frequency, dimensions, failing_periods, test};
use super::{Aggregation, AlertRule, Allowed, Condition, FailingPeriods, Operator, Resource, RuleKind, Source, Test};
use crate::kql::quoted;
use crate::limits;
use crate::reading::{Fields, Found, Problems};

/// The namespace of metrics that are made of a workspace's logs.
pub const WORKSPACE_NAMESPACE: &str = "Microsoft.OperationalInsights/workspaces";

const SINGLE: &str = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria";
const MULTIPLE: &str = "Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria";
const WEB_TEST: &str = "Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria";

/// Reads and checks a metric alert rule.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read_metric_rule(resource: &Resource, allowed: Allowed) -> Result<AlertRule, Problems> {
    let found = Found::default();
    let properties = Fields::of(&resource.properties, "properties", &found);
    let rule = read(resource, &properties, allowed);
    found.checked(rule)
}

fn read(resource: &Resource, properties: &Fields<'_>, allowed: Allowed) -> Option<AlertRule> {
    let severity = properties.needed("severity", properties.integer("severity", 0, 4));
    let frequency = properties.needed("evaluationFrequency", properties.period("evaluationFrequency"));
    let window = properties.needed("windowSize", properties.period("windowSize"));
    check_frequency(properties, frequency, allowed);
    if let (Some(frequency), Some(window)) = (frequency, window)
        && (window < frequency || window > limits::LONGEST_FREQUENCY)
    {
        properties.problem("windowSize", format!("is {window}; it can be evaluationFrequency ({frequency}) to P1D"));
    }
    let description = properties.text("description").unwrap_or_default();
    if description.chars().count() > limits::MOST_DESCRIPTION {
        properties.problem("description", format!("is longer than {} letters", limits::MOST_DESCRIPTION));
    }
    let criteria = properties.needed("criteria", properties.object("criteria"));
    let conditions = criteria.map(|criteria| read_criteria(&criteria)).unwrap_or_default();
    let actions = properties.objects("actions");
    let groups = actions.iter().filter_map(|action| action.needed("actionGroupId", action.text("actionGroupId")));
    let action_groups = groups.collect();
    // webHookProperties and the newer customProperties mean the same
    let custom = actions.iter().flat_map(|action| action.pairs("webHookProperties"));
    let custom_properties = custom.chain(properties.pairs("customProperties")).collect();
    Some(AlertRule {
        kind: RuleKind::Metric,
        resource: resource.id.clone(),
        display_name: String::new(),
        description,
        severity: u8::try_from(severity?).ok()?,
        enabled: properties.boolean("enabled").unwrap_or(true),
        scopes: properties.texts("scopes"),
        frequency: frequency?,
        window: window?,
        query_range: None,
        conditions,
        auto_resolve: properties.boolean("autoMitigate").unwrap_or(true),
        resolve_after: None,
        mute: None,
        action_groups,
        custom_properties,
        skip_validation: false,
        target_resource_types: properties.text("targetResourceType").into_iter().collect(),
    })
}

fn read_criteria(criteria: &Fields<'_>) -> Vec<Condition> {
    let kinds = [(SINGLE, true), (MULTIPLE, true), (WEB_TEST, false)];
    match criteria.needed("odata.type", criteria.one_of("odata.type", &kinds)) {
        Some(true) => {}
        Some(false) => criteria.problem("odata.type", "is about web tests, which this server does not run"),
        None => return Vec::new(),
    }
    let sent = criteria.objects("allOf");
    if sent.is_empty() || sent.len() > limits::MOST_CONDITIONS {
        criteria
            .problem("allOf", format!("has {} conditions; there can be 1 to {}", sent.len(), limits::MOST_CONDITIONS));
    }
    let conditions: Vec<Condition> = sent.iter().filter_map(condition).collect();
    let names = |condition: &Condition| condition.dimensions.iter().map(|d| d.name.clone()).collect::<Vec<_>>();
    if let Some((first, others)) = conditions.split_first()
        && !others.is_empty()
    {
        if others.iter().any(|other| names(other) != names(first)) {
            criteria
                .problem("allOf", "has conditions with different dimensions; several conditions need the same ones");
        }
        if conditions.iter().any(|condition| matches!(condition.test, Test::Dynamic { .. })) {
            criteria.problem("allOf", "has a dynamic threshold beside another condition; a dynamic one stands alone");
        }
    }
    conditions
}

fn condition(fields: &Fields<'_>) -> Option<Condition> {
    let name = fields.needed("name", fields.text("name"));
    let metric = fields.needed("metricName", fields.text("metricName")).filter(|metric| !metric.is_empty());
    let aggregation = fields.needed("timeAggregation", fields.one_of("timeAggregation", &Aggregation::WORDS));
    let test = test(fields, &Operator::WORDS);
    let failing = match test {
        Some(Test::Dynamic { .. }) => {
            let failing = fields.needed("failingPeriods", fields.object("failingPeriods"));
            failing_periods(fields, failing.as_ref())
        }
        _ => FailingPeriods::default(),
    };
    let dimensions = dimensions(fields);
    Some(Condition {
        name: name?,
        source: Source::Metric { namespace: fields.text("metricNamespace").unwrap_or_default(), name: metric? },
        aggregation: aggregation?,
        measure: Some("Val".to_owned()),
        resource_id_column: None,
        dimensions,
        test: test?,
        failing,
    })
}

/// The query that gives the samples of a metric: `TimeGenerated`, `Val` and the columns of its dimensions.
#[must_use]
pub fn samples(namespace: &str, metric: &str, dimensions: &[&str]) -> String {
    let in_workspace = namespace.is_empty() || namespace.eq_ignore_ascii_case(WORKSPACE_NAMESPACE);
    let counter = ["Average_", "Minimum_", "Maximum_", "Total_"].iter().find_map(|prefix| metric.strip_prefix(prefix));
    match (in_workspace, counter) {
        (true, Some(counter)) => format!("Perf | where CounterName =~ {} | extend Val=CounterValue", quoted(counter)),
        (true, None) if metric.eq_ignore_ascii_case("Heartbeat") => "Heartbeat | extend Val=1.0".to_owned(),
        (true, None) if metric.eq_ignore_ascii_case("Event") => "Event | extend Val=1.0".to_owned(),
        (true, None) if metric.eq_ignore_ascii_case("Update") => "Update | extend Val=1.0".to_owned(),
        _ if namespace.eq_ignore_ascii_case("Perf") => match metric.split_once('\\') {
            Some((object, counter)) => format!(
                "Perf | where ObjectName =~ {} and CounterName =~ {} | extend Val=CounterValue",
                quoted(object),
                quoted(counter)
            ),
            None => format!("Perf | where CounterName =~ {} | extend Val=CounterValue", quoted(metric)),
        },
        _ => {
            let known = ["Computer", "Origin", "Namespace", "Name", "Type", "_ResourceId", "SourceSystem"];
            let tags = dimensions.iter().filter(|name| !known.contains(*name));
            let tags: Vec<String> = tags
                .map(|name| format!("{}=tostring(parse_json(Tags)[{}])", crate::kql::name(name), quoted(name)))
                .collect();
            let tags = if tags.is_empty() { String::new() } else { format!(", {}", tags.join(", ")) };
            let namespace =
                if in_workspace { String::new() } else { format!("Namespace =~ {} and ", quoted(namespace)) };
            format!("InsightsMetrics | where {namespace}Name =~ {} | extend Val{tags}", quoted(metric))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Period;
    use crate::rule::testing::resource;
    use crate::rule::{DynamicOperator, Sensitivity};

    fn metric(criteria: serde_json::Value) -> Result<AlertRule, Problems> {
        let properties = json!({
            "description": "This is the description of the rule1", "severity": 3, "enabled": true, "scopes": [],
            "evaluationFrequency": "PT1M", "windowSize": "PT15M", "criteria": criteria, "autoMitigate": true,
            "actions": [{"actionGroupId": "/subscriptions/s/resourceGroups/g/providers/microsoft.insights/actionGroups/a",
                         "webHookProperties": {"key11": "value11"}}],
        });
        read_metric_rule(&resource(RuleKind::Metric.resource_type(), properties), Allowed::default())
    }

    #[test]
    fn the_documented_examples_are_read() {
        let rule = metric(json!({"odata.type": SINGLE, "allOf": [{
            "criterionType": "StaticThresholdCriterion", "name": "High_CPU_80", "metricName": "Average_% Processor Time",
            "dimensions": [], "operator": "GreaterThan", "threshold": 80.5, "timeAggregation": "Average",
        }]}))
        .unwrap();
        assert_eq!(rule.checks_to_resolve(), 3);
        assert_eq!(rule.custom_properties["key11"], "value11");
        assert_eq!(rule.conditions[0].test, Test::Static { operator: Operator::GreaterThan, threshold: 80.5 });
        let rule = metric(json!({"odata.type": MULTIPLE, "allOf": [{
            "criterionType": "DynamicThresholdCriterion", "name": "High_CPU_80", "metricName": "Average_% Processor Time",
            "metricNamespace": "microsoft.operationalinsights/workspaces", "operator": "GreaterOrLessThan",
            "timeAggregation": "Average", "dimensions": [{"name": "Computer", "operator": "Include", "values": ["*"]}],
            "alertSensitivity": "Medium", "failingPeriods": {"numberOfEvaluationPeriods": 4, "minFailingPeriodsToAlert": 4},
            "ignoreDataBefore": "2019-04-04T21:00:00.000Z",
        }]}))
        .unwrap();
        let condition = &rule.conditions[0];
        let (operator, sensitivity) = (DynamicOperator::GreaterOrLessThan, Sensitivity::Medium);
        assert_eq!(condition.test, Test::Dynamic { operator, sensitivity, ignore_before: Some(1_554_411_600_000_000) });
        assert_eq!((condition.failing.periods, rule.window), (4, Period::seconds(900)));
    }

    #[test]
    fn conditions_that_do_not_go_together_are_refused() {
        let one = json!({"name": "a", "metricName": "Heartbeat", "timeAggregation": "Total", "operator": "LessThan",
                         "threshold": 1, "dimensions": [{"name": "Computer", "operator": "Include", "values": ["*"]}]});
        let mut other = one.clone();
        other["dimensions"] = json!([]);
        let error = metric(json!({"odata.type": SINGLE, "allOf": [one, other]})).unwrap_err().to_string();
        assert!(error.contains("different dimensions"), "{error}");
        let error = metric(json!({"odata.type": WEB_TEST, "allOf": [one]})).unwrap_err().to_string();
        assert!(error.contains("web tests"), "{error}");
    }

    #[test]
    fn metrics_are_read_from_their_tables() {
        assert_eq!(
            samples("", "Average_% Free Space", &[]),
            "Perf | where CounterName =~ \"% Free Space\" | extend Val=CounterValue"
        );
        assert_eq!(samples(WORKSPACE_NAMESPACE, "Heartbeat", &["Computer"]), "Heartbeat | extend Val=1.0");
        assert_eq!(
            samples("Memory", "AvailableMB", &["Computer", "vm.azm.ms/memorySizeMB"]),
            "InsightsMetrics | where Namespace =~ \"Memory\" and Name =~ \"AvailableMB\" | extend Val, \
             [\"vm.azm.ms/memorySizeMB\"]=tostring(parse_json(Tags)[\"vm.azm.ms/memorySizeMB\"])"
        );
    }
}
