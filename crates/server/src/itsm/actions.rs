//! The ITSM action of action groups: orders of the queue of deliveries become work items.

use async_trait::async_trait;
use serde_json::{Map, Value};
use watchkeeper_alerting::Period;
use watchkeeper_alerting::action_group::ItsmReceiver;
use watchkeeper_alerting::common_schema::severity_word;
use watchkeeper_alerting::work_item::{WorkItemError, WorkItemEvent, WorkItemLink, WorkItemOrder, WorkItems};
use watchkeeper_model::civil::format_time;

use super::tickets::{ActionSettings, AlertEvent, AlertNotice};
use super::{Connection, DeskError, ServiceDesks};

/// Products cut longer descriptions, or refuse them.
const DESCRIPTION_CHARS: usize = 16_000;

#[async_trait]
impl WorkItems for ServiceDesks {
    async fn check(&self, receiver: &ItsmReceiver) -> Result<(), WorkItemError> {
        let connection = self.receiver_connection(receiver).await?;
        let settings = settings(&receiver.configuration)?;
        settings.kind(&connection).map(drop).map_err(|problem| WorkItemError::Refused(problem.to_string()))
    }

    async fn deliver(&self, order: &WorkItemOrder) -> Result<Vec<WorkItemLink>, WorkItemError> {
        let connection = self.receiver_connection(&order.receiver).await?;
        let settings = settings(&order.receiver.configuration)?;
        let links = self.carry_out(&connection, &settings, &notice(order)).await.map_err(|error| match error {
            DeskError::Problem(problem) if !problem.is_transient() => WorkItemError::Refused(problem.to_string()),
            DeskError::Problem(problem) => {
                let after = problem.retry_after.and_then(|wait| i64::try_from(wait.as_secs()).ok());
                WorkItemError::Later { after: after.map(Period::seconds), reason: problem.to_string() }
            }
            other => WorkItemError::Later { reason: other.to_string(), after: None },
        })?;
        let link = |link: super::tickets::TicketLink| WorkItemLink {
            connection: link.connection,
            kind: link.kind.to_owned(),
            id: link.id,
            number: link.number,
            link: link.link,
            state: if link.open { "Open" } else { "Resolved" }.to_owned(),
        };
        Ok(links.into_iter().map(link).collect())
    }
}

impl ServiceDesks {
    async fn receiver_connection(&self, receiver: &ItsmReceiver) -> Result<Connection, WorkItemError> {
        // some clients write the workspace in front of it
        let name = receiver.connection.rsplit('|').next().unwrap_or_default();
        let found = self.connection(name).await;
        let found = found.map_err(|error| WorkItemError::Later { reason: error.to_string(), after: None })?;
        found.ok_or_else(|| WorkItemError::NoConnection(name.to_owned()))
    }
}

/// The settings of an action: ours, or those of a `ticketConfiguration` (Azure Monitor, "Action groups").
fn settings(configuration: &Value) -> Result<ActionSettings, WorkItemError> {
    let refuse = |reason: String| WorkItemError::Refused(format!("the action's ticketConfiguration: {reason}"));
    let mut own = match configuration {
        Value::Null => Map::new(),
        Value::Object(members) => members.clone(),
        other => return Err(refuse(format!("is {other} and no object"))),
    };
    own.remove("PayloadRevision");
    if let Some(kind) = own.remove("WorkItemType") {
        own.insert("workItemType".to_owned(), kind);
    }
    if let Some(each) = own.remove("CreateOneWIPerCI") {
        own.insert("perConfigurationItem".to_owned(), each);
    }
    let is_template = own.remove("UseTemplate").is_some_and(|value| value == true);
    if let Some(Value::String(text)) = own.remove("WorkItemData") {
        if is_template {
            own.insert("template".to_owned(), Value::String(text));
        } else if !text.trim().is_empty() {
            let fields: Map<String, Value> =
                serde_json::from_str(&text).map_err(|error| refuse(format!("WorkItemData is not JSON: {error}")))?;
            let texts = fields.into_iter().map(|(name, value)| match value {
                Value::String(text) => (name, Value::String(text)),
                other => (name, Value::String(other.to_string())),
            });
            own.insert("fields".to_owned(), Value::Object(texts.collect()));
        }
    }
    serde_json::from_value(Value::Object(own)).map_err(|error| refuse(error.to_string()))
}

fn notice(order: &WorkItemOrder) -> AlertNotice {
    let told = &order.notice;
    let mut lines = vec![
        format!("Alert: {}", told.title),
        format!("Alert rule: {}", told.rule_name),
        format!("Severity: {} ({})", told.severity, severity_word(told.severity)),
        format!("State: {}", told.condition.word()),
        format!("Fired: {}", format_time(told.fired_at)),
        format!("Affected configuration items: {}", told.configuration_items.join(", ")),
    ];
    for (name, text) in [("Description", &told.description), ("Link", &told.link)] {
        if !text.is_empty() {
            lines.push(format!("{name}: {text}"));
        }
    }
    lines.push(String::new());
    lines.push(serde_json::to_string_pretty(&order.payload).unwrap_or_default());
    AlertNotice {
        event: match order.event {
            WorkItemEvent::Fired => AlertEvent::Fired,
            WorkItemEvent::Resolved => AlertEvent::Resolved,
            WorkItemEvent::Closed => AlertEvent::Closed,
        },
        delivery_id: order.delivery_id.clone(),
        alert_id: told.alert_id.clone(),
        title: told.title.clone(),
        description: lines.join("\n").chars().take(DESCRIPTION_CHARS).collect(),
        severity: told.severity,
        configuration_items: told.configuration_items.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_read_as_documented_and_as_our_own() {
        let documented = settings(&json!({
            "PayloadRevision": 0, "WorkItemType": "Incident", "UseTemplate": false,
            "WorkItemData": "{\"urgency\": 1, \"category\": \"network\"}", "CreateOneWIPerCI": true,
        }))
        .unwrap();
        assert!(documented.per_configuration_item && documented.template.is_empty());
        assert_eq!(documented.fields["urgency"], "1");
        assert_eq!(documented.fields["category"], "network");
        let template = settings(&json!({"UseTemplate": true, "WorkItemData": "Disk"})).unwrap();
        assert_eq!(template.template, "Disk");
        assert_eq!(settings(&json!({"onResolved": "close"})).unwrap().on_resolved, "close");
        assert_eq!(settings(&Value::Null).unwrap(), ActionSettings::default());
        assert!(settings(&json!({"unknown": 1})).is_err());
        assert!(settings(&json!([])).is_err());
    }
}
