//! Rules for unit tests.

use serde_json::{Value, json};

use super::*;

pub fn log_properties(query: &str) -> Value {
    json!({
        "severity": 2, "evaluationFrequency": "PT5M", "windowSize": "PT5M",
        "criteria": {"allOf": [
            {"query": query, "timeAggregation": "Count", "operator": "GreaterThan", "threshold": 0},
        ]},
    })
}

pub fn resource(resource_type: &str, properties: Value) -> Resource {
    Resource {
        id: ResourceId {
            resource_type: resource_type.to_owned(),
            subscription: "s".to_owned(),
            group: "g".to_owned(),
            name: "r".to_owned(),
        },
        location: "global".to_owned(),
        tags: serde_json::Map::new(),
        properties,
    }
}

pub fn log_resource(properties: Value) -> Resource {
    resource(RuleKind::Log.resource_type(), properties)
}

pub fn log_rule(properties: Value) -> AlertRule {
    read_log_rule(&log_resource(properties), Allowed { shortest_frequency: Period::seconds(1) }).unwrap()
}

pub fn count_of(query: &str) -> Condition {
    log_rule(log_properties(query)).conditions.remove(0)
}

pub fn split_by(names: &[&str]) -> Vec<Dimension> {
    let all = |name: &&str| Dimension {
        name: (*name).to_owned(),
        operator: DimensionOperator::Include,
        values: vec!["*".to_owned()],
    };
    names.iter().map(all).collect()
}
