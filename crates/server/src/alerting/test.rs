//! The test of an action group: every receiver is told of a sample, once and at once, and what came of it is said.

use std::time::Instant;

use serde_json::json;
use uuid::Uuid;
use watchkeeper_alerting::action_group::ActionGroup;
use watchkeeper_alerting::common_schema::{MonitorCondition, Notice};
use watchkeeper_alerting::retry::Answer;
use watchkeeper_management::clock;
use watchkeeper_management::rule_alerts::AlertEvent;

use super::Alerting;

/// What came of the test of one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    pub receiver: String,
    pub kind: &'static str,
    pub target: String,
    /// Empty: it was delivered.
    pub error: String,
    pub milliseconds: i64,
}

impl Alerting {
    /// Tells every receiver of a group, or one of them, of a sample.
    pub async fn test(&self, group: &ActionGroup, receiver: Option<&str>) -> Vec<Tested> {
        let notice = self.sample();
        let chosen =
            group.receivers.iter().filter(|one| receiver.is_none_or(|name| one.name.eq_ignore_ascii_case(name)));
        let tests = chosen.map(|receiver| {
            let notice = &notice;
            async move {
                let began = Instant::now();
                let id = Uuid::now_v7().to_string();
                let (answer, _) = self.tell(&receiver.how, notice, AlertEvent::Fired, &id).await;
                Tested {
                    receiver: receiver.name.clone(),
                    kind: receiver.how.word(),
                    target: receiver.how.target(),
                    error: match answer {
                        Answer::Delivered => String::new(),
                        Answer::Later { reason, .. } | Answer::Refused { reason } => reason,
                    },
                    milliseconds: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
                }
            }
        });
        futures::future::join_all(tests).await
    }

    fn sample(&self) -> Notice {
        let id = Uuid::new_v4().to_string();
        let workspace = self.workspace_path();
        Notice {
            alert_path: self.alert_path(&id),
            alert_id: id,
            title: "test-logAlertRule".to_owned(),
            rule_name: "test-logAlertRule".to_owned(),
            rule_id: format!("{workspace}/test-logAlertRule"),
            severity: 3,
            signal_type: "Log".to_owned(),
            monitoring_service: "Log Alerts V2".to_owned(),
            condition: MonitorCondition::Fired,
            target_ids: vec![workspace],
            target_type: "microsoft.operationalinsights/workspaces".to_owned(),
            target_group: watchkeeper_alerting::rule::resource::DEFAULT_GROUP.to_owned(),
            configuration_items: vec!["test-computer".to_owned()],
            fired_at: clock::now(),
            resolved_at: 0,
            description: "This is a test of an action group. Nothing has happened.".to_owned(),
            context: json!({"conditionType": "LogQueryCriteria", "condition": {"windowSize": "PT5M", "allOf": [{
                "searchQuery": "Heartbeat", "timeAggregation": "Count", "operator": "GreaterThan", "threshold": "0",
                "metricValue": 1.0, "dimensions": [{"name": "Computer", "value": "test-computer"}],
            }]}}),
            custom_properties: Default::default(),
            link: String::new(),
            test: true,
        }
    }
}
