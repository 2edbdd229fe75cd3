//! Log alert rules: `scheduledQueryRules`, version 2021-08-01 with what later versions add (`criterionType`,
//! `alertSensitivity`, `ruleResolveConfiguration`).

use super::{
    Aggregation, AlertRule, Allowed, Condition, Dimension, DimensionOperator, DynamicOperator, FailingPeriods,
    Operator, Resource, RuleKind, Sensitivity, Source, Test,
};
use crate::reading::{Fields, Found, Problems};
use crate::{Period, limits};

/// Reads and checks a log alert rule.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read_log_rule(resource: &Resource, allowed: Allowed) -> Result<AlertRule, Problems> {
    let found = Found::default();
    let bytes = resource.properties.to_string().len();
    if bytes > limits::MOST_RULE_BYTES {
        found
            .add("properties", format!("have {bytes} bytes; a log alert rule has at most {}", limits::MOST_RULE_BYTES));
    }
    let properties = Fields::of(&resource.properties, "properties", &found);
    let rule = read(resource, &properties, allowed);
    found.checked(rule)
}

fn read(resource: &Resource, properties: &Fields<'_>, allowed: Allowed) -> Option<AlertRule> {
    let severity = properties.needed("severity", properties.integer("severity", 0, 4));
    let enabled = properties.boolean("enabled").unwrap_or(true);
    let auto_resolve = properties.boolean("autoMitigate").unwrap_or(true);
    let frequency = properties.needed("evaluationFrequency", properties.period("evaluationFrequency"));
    let window = properties.needed("windowSize", properties.period("windowSize"));
    check_frequency(properties, frequency, allowed);
    if auto_resolve && frequency.is_some_and(|frequency| frequency > limits::LONGEST_STATEFUL_FREQUENCY) {
        properties.problem(
            "evaluationFrequency",
            "is more than 12 hours, so alerts cannot resolve by themselves; set autoMitigate to false",
        );
    }
    let resolve = properties.object("ruleResolveConfiguration");
    let resolved = resolve.as_ref().and_then(|resolve| resolve.boolean("autoResolved"));
    let resolve_after = resolve.as_ref().and_then(|resolve| resolve.period("timeToResolve"));
    let description = properties.text("description").unwrap_or_default();
    if description.chars().count() > limits::MOST_LOG_DESCRIPTION {
        properties.problem("description", format!("is longer than {} letters", limits::MOST_LOG_DESCRIPTION));
    }
    if properties.boolean("checkWorkspaceAlertsStorageConfigured") == Some(true) {
        properties.problem(
            "checkWorkspaceAlertsStorageConfigured",
            "is true, but this workspace has no linked storage: rules and alerts are kept by the server itself",
        );
    }
    let criteria = properties.object("criteria");
    let conditions = criteria.as_ref().map(|criteria| criteria.objects("allOf")).unwrap_or_default();
    if conditions.len() != 1 {
        properties.problem("criteria.allOf", format!("has {} conditions; a log alert rule has one", conditions.len()));
    }
    let conditions: Vec<Condition> = conditions.iter().filter_map(condition).collect();
    let query_range = properties.period("overrideQueryTimeRange");
    if let Some(window) = window {
        let points = conditions.iter().map(|condition| i64::from(condition.failing.periods)).max().unwrap_or(1);
        let range = query_range.unwrap_or(Period(window.micros().saturating_mul(points)));
        let name = if query_range.is_some() { "overrideQueryTimeRange" } else { "windowSize" };
        if window.micros() <= 0 {
            properties.problem("windowSize", "is empty");
        }
        if range > limits::LONGEST_RANGE {
            properties.problem(name, format!("makes the query look at {range}; the longest range is P2D"));
        }
        if query_range.is_some_and(|range| range < window) {
            properties.problem("overrideQueryTimeRange", format!("is shorter than the windowSize {window}"));
        }
    }
    let actions = properties.object("actions");
    let mute = properties.period("muteActionsDuration").filter(|mute| mute.micros() > 0);
    Some(AlertRule {
        kind: RuleKind::Log,
        resource: resource.id.clone(),
        display_name: properties.text("displayName").unwrap_or_default(),
        description,
        severity: u8::try_from(severity?).ok()?,
        enabled,
        scopes: properties.texts("scopes"),
        frequency: frequency?,
        window: window?,
        query_range,
        conditions,
        auto_resolve: resolved.unwrap_or(auto_resolve),
        resolve_after,
        mute,
        action_groups: actions.as_ref().map(|actions| actions.texts("actionGroups")).unwrap_or_default(),
        custom_properties: actions
            .map(|actions| actions.pairs("customProperties"))
            .unwrap_or_default()
            .into_iter()
            .collect(),
        skip_validation: properties.boolean("skipQueryValidation").unwrap_or(false),
        target_resource_types: properties.texts("targetResourceTypes"),
    })
}

pub(super) fn check_frequency(properties: &Fields<'_>, frequency: Option<Period>, allowed: Allowed) {
    let Some(frequency) = frequency else { return };
    if !(allowed.shortest_frequency..=limits::LONGEST_FREQUENCY).contains(&frequency) {
        let shortest = allowed.shortest_frequency;
        properties.problem("evaluationFrequency", format!("is {frequency}; it can be {shortest} to P1D"));
    }
}

fn condition(fields: &Fields<'_>) -> Option<Condition> {
    let query = fields.needed("query", fields.text("query"));
    if query.as_ref().is_some_and(|query| query.trim().is_empty()) {
        fields.problem("query", "is empty");
    }
    let aggregation = fields.needed("timeAggregation", fields.one_of("timeAggregation", &Aggregation::WORDS));
    let measure = fields.text("metricMeasureColumn").filter(|column| !column.is_empty());
    if measure.is_none() && aggregation.is_some_and(|aggregation| aggregation != Aggregation::Count) {
        fields.problem("metricMeasureColumn", "is missing; only timeAggregation Count needs no column");
    }
    let dimensions = dimensions(fields);
    let failing = failing_periods(fields, fields.object("failingPeriods").as_ref());
    let test = test(fields, &Operator::WORDS[..5]);
    Some(Condition {
        name: String::new(),
        source: Source::Query(query?),
        aggregation: aggregation?,
        measure,
        resource_id_column: fields.text("resourceIdColumn").filter(|column| !column.is_empty()),
        dimensions,
        test: test?,
        failing,
    })
}

/// A static threshold, or a dynamic one.
pub(super) fn test(fields: &Fields<'_>, operators: &[(&str, Operator)]) -> Option<Test> {
    let kinds = [("StaticThresholdCriterion", false), ("DynamicThresholdCriterion", true)];
    if fields.one_of("criterionType", &kinds).unwrap_or(false) {
        let operator = fields.needed("operator", fields.one_of("operator", &DynamicOperator::WORDS));
        let sensitivity = fields.needed("alertSensitivity", fields.one_of("alertSensitivity", &Sensitivity::WORDS));
        let ignore_before = fields.time("ignoreDataBefore");
        return Some(Test::Dynamic { operator: operator?, sensitivity: sensitivity?, ignore_before });
    }
    let operator = fields.needed("operator", fields.one_of("operator", operators));
    let threshold = fields.needed("threshold", fields.number("threshold"));
    Some(Test::Static { operator: operator?, threshold: threshold? })
}

pub(super) fn failing_periods(fields: &Fields<'_>, failing: Option<&Fields<'_>>) -> FailingPeriods {
    let Some(failing) = failing else { return FailingPeriods::default() };
    let number = |name: &str| u32::try_from(failing.integer(name, 1, 2880).unwrap_or(1)).unwrap_or(1);
    let (periods, violations) = (number("numberOfEvaluationPeriods"), number("minFailingPeriodsToAlert"));
    if violations > periods {
        fields.problem(
            "failingPeriods.minFailingPeriodsToAlert",
            format!("is {violations}, more than the {periods} of numberOfEvaluationPeriods"),
        );
    }
    FailingPeriods { periods, violations }
}

pub(super) fn dimensions(fields: &Fields<'_>) -> Vec<Dimension> {
    let sent = fields.objects("dimensions");
    if sent.len() > limits::MOST_DIMENSIONS {
        fields.problem("dimensions", format!("are {}; there can be {}", sent.len(), limits::MOST_DIMENSIONS));
    }
    let operators = [("Include", DimensionOperator::Include), ("Exclude", DimensionOperator::Exclude)];
    let mut dimensions: Vec<Dimension> = Vec::new();
    for dimension in &sent {
        let name = dimension.needed("name", dimension.text("name"));
        let operator = dimension.needed("operator", dimension.one_of("operator", &operators));
        let values = dimension.texts("values");
        if values.is_empty() {
            dimension.problem("values", "is empty; \"*\" means all values");
        }
        let (Some(name), Some(operator)) = (name, operator) else { continue };
        if operator == DimensionOperator::Exclude && values.iter().any(|value| value == "*") {
            dimension.problem("values", "excludes all values");
        }
        if dimensions.iter().any(|known| known.name == name) {
            dimension.problem("name", format!("is {name:?} for the second time"));
        }
        dimensions.push(Dimension { name, operator, values });
    }
    dimensions
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rule::testing::log_resource;

    #[test]
    fn the_documented_example_is_read() {
        // scheduledQueryRule_API 2021-08-01, createOrUpdateScheduledQueryRule
        let resource = log_resource(json!({
            "description": "Performance rule",
            "severity": 4,
            "enabled": true,
            "evaluationFrequency": "PT5M",
            "scopes": ["/subscriptions/s/resourceGroups/QueryResourceGroupName/providers/Microsoft.Compute/virtualMachines/vm1"],
            "windowSize": "PT10M",
            "criteria": {"allOf": [{
                "query": "Perf | where ObjectName == \"Processor\"",
                "timeAggregation": "Average",
                "metricMeasureColumn": "% Processor Time",
                "resourceIdColumn": "resourceId",
                "dimensions": [
                    {"name": "ComputerIp", "operator": "Exclude", "values": ["192.168.1.1"]},
                    {"name": "OSType", "operator": "Include", "values": ["*"]},
                ],
                "operator": "GreaterThan",
                "threshold": 70,
                "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
            }]},
            "muteActionsDuration": "PT30M",
            "actions": {"actionGroups": ["/subscriptions/s/resourceGroups/g/providers/microsoft.insights/actiongroups/a"],
                        "customProperties": {"key11": "value11"}},
            "autoMitigate": false,
            "checkWorkspaceAlertsStorageConfigured": false,
            "skipQueryValidation": true,
        }));
        let rule = read_log_rule(&resource, Allowed::default()).unwrap();
        assert_eq!((rule.severity, rule.frequency, rule.window), (4, Period::seconds(300), Period::seconds(600)));
        assert_eq!(rule.mute, Some(Period::seconds(1800)));
        assert!(!rule.auto_resolve && rule.skip_validation && rule.enabled);
        assert_eq!(rule.dimension_names(), ["ComputerIp", "OSType", "resourceId"]);
        let condition = &rule.conditions[0];
        assert_eq!(condition.test, Test::Static { operator: Operator::GreaterThan, threshold: 70.0 });
        assert_eq!(condition.dimensions[0].operator, DimensionOperator::Exclude);
        assert_eq!(rule.custom_properties["key11"], "value11");
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let resource = log_resource(json!({
            "severity": 7, "evaluationFrequency": "5 minutes", "windowSize": "P3D",
            "criteria": {"allOf": [{
                "query": " ", "timeAggregation": "Average", "operator": "NotEquals", "threshold": "x",
                "dimensions": [{"name": "A", "operator": "Include", "values": []}],
                "failingPeriods": {"numberOfEvaluationPeriods": 3, "minFailingPeriodsToAlert": 4},
            }]},
            "checkWorkspaceAlertsStorageConfigured": true,
        }));
        let Problems(problems) = read_log_rule(&resource, Allowed::default()).unwrap_err();
        let places: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        for place in [
            "properties.severity",
            "properties.evaluationFrequency",
            "properties.windowSize",
            "properties.checkWorkspaceAlertsStorageConfigured",
            "properties.criteria.allOf[0].query",
            "properties.criteria.allOf[0].metricMeasureColumn",
            "properties.criteria.allOf[0].operator",
            "properties.criteria.allOf[0].threshold",
            "properties.criteria.allOf[0].dimensions[0].values",
            "properties.criteria.allOf[0].failingPeriods.minFailingPeriodsToAlert",
        ] {
            assert!(places.contains(&place), "{place} is not among {places:?}");
        }
    }

    #[test]
    fn alerts_resolve_after_the_documented_number_of_checks() {
        for (frequency, checks) in [("PT1M", 10), ("PT5M", 3), ("PT15M", 3), ("PT30M", 2), ("PT11H", 2), ("PT12H", 1)] {
            let mut resource = log_resource(crate::rule::testing::log_properties("Syslog"));
            resource.properties["evaluationFrequency"] = json!(frequency);
            resource.properties["windowSize"] = json!(frequency);
            let rule = read_log_rule(&resource, Allowed::default()).unwrap();
            assert_eq!(rule.checks_to_resolve(), checks, "{frequency}");
            resource.properties["ruleResolveConfiguration"] = json!({"autoResolved": true, "timeToResolve": "PT24H"});
            let rule = read_log_rule(&resource, Allowed::default()).unwrap();
            assert_eq!(i64::from(rule.checks_to_resolve()), (86_400_000_000 - 1) / rule.frequency.micros() + 1);
        }
        let mut resource = log_resource(crate::rule::testing::log_properties("Syslog"));
        resource.properties["evaluationFrequency"] = json!("P1D");
        assert!(read_log_rule(&resource, Allowed::default()).unwrap_err().to_string().contains("autoMitigate"));
    }
}
