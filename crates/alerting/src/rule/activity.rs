//! Activity log alert rules: `activityLogAlerts`, version 2020-10-01. The activity log of this server is its table `Audit`:
//! each change, refusal and sign-in is one event, and each event that a rule is about fires one alert, which never
//! resolves by itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Aggregation, AlertRule, Allowed, Condition, Dimension, DimensionOperator, FailingPeriods, Operator, Resource,
    RuleKind, Source, Test,
};
use crate::kql::{name, quoted};
use crate::limits;
use crate::reading::{Fields, Found, Problems};

/// The documented severity of alerts of the activity log (common alert schema, samples).
const SEVERITY: u8 = 4;

/// The columns of an event, which are the dimensions of its alert.
const EVENT: [&str; 12] = [
    "EventDataId",
    "EventTimestamp",
    "Category",
    "OperationName",
    "Caller",
    "CallerIpAddress",
    "Level",
    "Status",
    "SubStatus",
    "ResourceId",
    "CorrelationId",
    "Message",
];

/// `Audit` with the columns of events. Events have no names: what tells them apart becomes one.
const EVENTS: &str = "Audit
| extend EventTimestamp=tostring(TimeGenerated), SubStatus=tostring(Status)
| extend EventDataId=hash_md5(strcat(EventTimestamp, CorrelationId, CallerId, Method, Route, Action, Target, SubStatus)),
    Category=iff(Route startswith '/api/session' or Route startswith '/api/sign-in/' or Route contains '/oauth2/', 'Security',
        'Administrative'),
    OperationName=iff(isempty(Operation), Action, Operation), ResourceId=Target, Message=Reason,
    Level=case(Result == 'Succeeded', 'Informational', Result == 'Refused', 'Warning', 'Error'), Status=Result
| extend ResourceProvider=tostring(split(OperationName, '/')[0])
| extend ResourceType=strcat(ResourceProvider, '/', tostring(split(OperationName, '/')[1]))";

/// The documented fields of a condition, and the columns that have them.
const FIELDS: [(&str, &str); 11] = [
    ("caller", "Caller"),
    ("callerIpAddress", "CallerIpAddress"),
    ("category", "Category"),
    ("correlationId", "CorrelationId"),
    ("level", "Level"),
    ("operationName", "OperationName"),
    ("resourceId", "ResourceId"),
    ("resourceProvider", "ResourceProvider"),
    ("resourceType", "ResourceType"),
    ("status", "Status"),
    ("subStatus", "SubStatus"),
];

/// Reads and checks an activity log alert rule.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read_activity_rule(resource: &Resource, allowed: Allowed) -> Result<AlertRule, Problems> {
    let found = Found::default();
    let properties = Fields::of(&resource.properties, "properties", &found);
    let rule = read(resource, &properties, allowed);
    found.checked(Some(rule))
}

fn read(resource: &Resource, properties: &Fields<'_>, allowed: Allowed) -> AlertRule {
    let description = properties.text("description").unwrap_or_default();
    if description.chars().count() > limits::MOST_DESCRIPTION {
        properties.problem("description", format!("is longer than {} letters", limits::MOST_DESCRIPTION));
    }
    let condition = properties.needed("condition", properties.object("condition"));
    let wanted = condition.map(|condition| all_of(&condition)).unwrap_or_default();
    let query = format!("{EVENTS}\n| where {}", wanted.join("\n    and "));
    let actions = properties.object("actions");
    let groups = actions.as_ref().map(|actions| actions.objects("actionGroups")).unwrap_or_default();
    let ids = groups.iter().filter_map(|group| group.needed("actionGroupId", group.text("actionGroupId")));
    AlertRule {
        kind: RuleKind::Activity,
        resource: resource.id.clone(),
        display_name: String::new(),
        description,
        severity: SEVERITY,
        enabled: properties.boolean("enabled").unwrap_or(true),
        scopes: properties.texts("scopes"),
        frequency: allowed.shortest_frequency.min(limits::SHORTEST_FREQUENCY),
        window: allowed.shortest_frequency.min(limits::SHORTEST_FREQUENCY),
        query_range: None,
        conditions: vec![events(query)],
        auto_resolve: false,
        resolve_after: None,
        mute: None,
        action_groups: ids.collect(),
        custom_properties: groups.iter().flat_map(|group| group.pairs("webhookProperties")).collect(),
        skip_validation: false,
        target_resource_types: Vec::new(),
    }
}

/// A condition that every event of a query violates.
fn events(query: String) -> Condition {
    let of = |column: &str| Dimension {
        name: column.to_owned(),
        operator: DimensionOperator::Include,
        values: vec!["*".to_owned()],
    };
    Condition {
        name: "event".to_owned(),
        source: Source::Query(query),
        aggregation: Aggregation::Count,
        measure: None,
        resource_id_column: None,
        dimensions: EVENT.into_iter().map(of).collect(),
        test: Test::Static { operator: Operator::GreaterThan, threshold: 0.0 },
        failing: FailingPeriods::default(),
    }
}

/// The conditions that all have to hold, in the language of queries.
fn all_of(condition: &Fields<'_>) -> Vec<String> {
    let sent = condition.objects("allOf");
    if sent.is_empty() {
        condition.problem("allOf", "is empty; it needs a condition on category at least");
    }
    let is_category =
        |fields: &Fields<'_>| fields.text("field").is_some_and(|field| field.eq_ignore_ascii_case("category"));
    let of_category = |fields: &Fields<'_>| is_category(fields) || fields.objects("anyOf").iter().any(is_category);
    if !sent.is_empty() && !sent.iter().any(of_category) {
        condition.problem("allOf", "has no condition on category, which every rule needs: Administrative or Security");
    }
    let mut wanted = Vec::new();
    for fields in &sent {
        let any = fields.objects("anyOf");
        match any.is_empty() {
            true => wanted.extend(leaf(fields)),
            false => {
                let one: Vec<String> = any.iter().filter_map(leaf).collect();
                wanted.push(format!("({})", one.join(" or ")));
            }
        }
    }
    wanted
}

/// One field, whose value is a text, or contains one of several. Case does not matter.
fn leaf(fields: &Fields<'_>) -> Option<String> {
    let field = fields.needed("field", fields.text("field"))?;
    let known = FIELDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&field)).map(|(_, column)| name(column));
    let column = known.or_else(|| property(&field)).or_else(|| {
        let names = FIELDS.map(|(known, _)| known).join(", ");
        fields.problem("field", format!("is {field:?}; it can be {names} or one that begins with properties."));
        None
    })?;
    let parts = fields.texts("containsAny");
    match (fields.text("equals"), parts.is_empty()) {
        (Some(value), true) => Some(format!("{column} =~ {}", quoted(&value))),
        (None, false) => {
            let one: Vec<String> = parts.iter().map(|part| format!("{column} contains {}", quoted(part))).collect();
            Some(format!("({})", one.join(" or ")))
        }
        _ => {
            fields.problem("field", "needs either equals (a text) or containsAny (a list of texts) beside it");
            None
        }
    }
}

/// A field like `properties.name`: one of the details of an event.
fn property(field: &str) -> Option<String> {
    let (before, detail) = field.split_once('.')?;
    (before.eq_ignore_ascii_case("properties") && !detail.is_empty())
        .then(|| format!("tostring(Properties[{}])", quoted(detail)))
}

/// The category of the events of an alert, by its dimensions.
#[must_use]
pub fn category(dimensions: &[(String, String)]) -> &str {
    of(dimensions, "Category")
}

fn of<'d>(dimensions: &'d [(String, String)], wanted: &str) -> &'d str {
    dimensions.iter().find(|(known, _)| known == wanted).map_or("", |(_, value)| value.as_str())
}

/// The section `alertContext` of an event (common alert schema: Activity log – Administrative).
#[must_use]
pub fn context(key: &[String], properties: &BTreeMap<String, String>) -> Value {
    let dimensions: Vec<(String, String)> =
        EVENT.iter().map(|name| (*name).to_owned()).zip(key.iter().cloned()).collect();
    let of = |wanted: &str| of(&dimensions, wanted);
    let properties = if properties.is_empty() { Value::Null } else { json!(properties) };
    json!({
        "properties": properties,
        "authorization": {"action": of("OperationName"), "scope": of("ResourceId")},
        "caller": of("Caller"),
        "channels": "Operation",
        "correlationId": of("CorrelationId"),
        "eventDataId": of("EventDataId"),
        "eventSource": of("Category"),
        "eventTimestamp": of("EventTimestamp"),
        "httpRequest": {"clientIpAddress": of("CallerIpAddress")},
        "level": of("Level"),
        "message": of("Message"),
        "operationName": of("OperationName"),
        "resourceId": of("ResourceId"),
        "status": of("Status"),
        "subStatus": of("SubStatus"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kql;
    use crate::rule::testing::resource;

    fn rule(condition: Value) -> Result<AlertRule, Problems> {
        let properties = json!({
            "scopes": ["/subscriptions/s"], "enabled": true, "description": "who takes rules away", "condition": condition,
            "actions": {"actionGroups": [{"actionGroupId": "on-call", "webhookProperties": {"team": "web"}}]},
        });
        read_activity_rule(&resource(RuleKind::Activity.resource_type(), properties), Allowed::default())
    }

    #[test]
    fn the_documented_forms_of_conditions_are_read() {
        let rule = rule(json!({"allOf": [
            {"field": "category", "equals": "Administrative"},
            {"field": "resourceProvider", "containsAny": ["insights", "compute"]},
            {"anyOf": [{"field": "Level", "equals": "Error"}, {"field": "properties.detail", "equals": "a \"b\""}]},
        ]}))
        .unwrap();
        let Source::Query(query) = &rule.conditions[0].source else { panic!("a query") };
        let wanted = "| where [\"Category\"] =~ \"Administrative\"
    and ([\"ResourceProvider\"] contains \"insights\" or [\"ResourceProvider\"] contains \"compute\")
    and ([\"Level\"] =~ \"Error\" or tostring(Properties[\"detail\"]) =~ \"a \\\"b\\\"\")";
        assert!(query.ends_with(wanted), "{query}");
        assert!(kql::is_row_by_row(query), "rows that come late are looked at again");
        assert_eq!(
            (rule.severity, rule.auto_resolve, rule.action_groups.as_slice()),
            (4, false, ["on-call".to_owned()].as_slice())
        );
        assert_eq!(rule.custom_properties["team"], "web");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (condition, named) in [
            (json!({"allOf": []}), "allOf is empty"),
            (json!({"allOf": [{"field": "level", "equals": "Error"}]}), "category"),
            (
                json!({"allOf": [{"field": "category", "equals": "Security"}, {"field": "weather", "equals": "x"}]}),
                "\"weather\"",
            ),
            (json!({"allOf": [{"field": "category"}]}), "equals"),
            (json!({"allOf": [{"field": "category", "equals": "a", "containsAny": ["b"]}]}), "either"),
        ] {
            let error = rule(condition.clone()).unwrap_err().to_string();
            assert!(error.contains(named), "{condition}: {error}");
        }
    }

    #[test]
    fn an_event_is_told_as_documented() {
        let key: Vec<String> = EVENT.iter().map(|name| format!("the {name}")).collect();
        let told = context(&key, &BTreeMap::new());
        assert_eq!(told["authorization"]["action"], "the OperationName");
        assert_eq!((&told["caller"], &told["eventSource"]), (&json!("the Caller"), &json!("the Category")));
    }
}
