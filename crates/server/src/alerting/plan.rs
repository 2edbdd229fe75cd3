//! From notices to deliveries: which action groups an alert goes to after processing rules and maintenance. A notice is
//! gone in the transaction in which its deliveries are there.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_alerting::action_group::{ActionGroup, How, read_action_group};
use watchkeeper_alerting::common_schema::Notice;
use watchkeeper_alerting::processing::{ProcessingRule, process, read_processing_rule};
use watchkeeper_management::clock;
use watchkeeper_management::rule_alerts::{AlertEvent, DeliveryOutcomes};
use watchkeeper_state::{Alert, AlertDelivery, AlertNotice, AlertingKind, StateError};

use super::Alerting;

const LOOK: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_secs(2);
/// Notices of one transaction.
const TAKE: u32 = 64;

impl Alerting {
    /// Makes deliveries of notices for as long as the server runs.
    pub(super) async fn plan_deliveries(self: Arc<Self>) {
        let noticed = self.operations.operational.noticed();
        loop {
            let wait = match self.plan_some().await {
                Ok(true) => continue,
                Ok(false) => LOOK,
                Err(error) => {
                    tracing::warn!(%error, "alerts that have to be told of wait");
                    RETRY
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = noticed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Whether there were notices.
    async fn plan_some(&self) -> Result<bool, StateError> {
        if self.state.next_alert_delivery().await? != Some(0) {
            return Ok(false);
        }
        let groups = self.action_groups().await?;
        let rules = self.processing_rules().await?;
        let now = clock::now();
        let mut changes = self.state.change().await?;
        let notices = changes.take_alert_notices(TAKE).await?;
        if notices.is_empty() {
            return Ok(false);
        }
        let mut outcomes = DeliveryOutcomes::default();
        for notice in &notices {
            self.plan_one(notice, &groups, &rules, now, &mut outcomes);
        }
        self.operations.operational.record_deliveries_with(changes, outcomes, now).await?;
        self.due.notify_one();
        Ok(true)
    }

    fn plan_one(
        &self,
        left: &AlertNotice,
        groups: &[ActionGroup],
        rules: &[ProcessingRule],
        now: i64,
        outcomes: &mut DeliveryOutcomes,
    ) {
        let event = left.document["event"].as_str().and_then(AlertEvent::parse);
        let alert = serde_json::from_value::<Alert>(left.document["alert"].clone());
        let (Some(event), Ok(alert)) = (event, alert) else {
            tracing::error!(notice = left.id, "a notice of an alert cannot be read");
            return;
        };
        let own = alert.rule.as_ref().map(|rule| rule.action_groups.clone()).unwrap_or_default();
        let notice = self.notice_of(&alert, event);
        let processed = process(rules, &notice, &own, now);
        let mut note = |text: String| outcomes.notes.push((alert.id.clone(), text, Vec::new()));
        if let Some(rule) = &processed.suppressed_by {
            note(format!("nobody is told that it {}: the processing rule {rule:?} suppresses it", verb(event)));
            return;
        }
        let mut told: Vec<&ActionGroup> = Vec::new();
        for reference in &processed.action_groups {
            match groups.iter().find(|group| group.resource.is_meant_by(reference)) {
                None => note(format!("the action group {reference:?} does not exist; nobody is told by it")),
                Some(group) if !group.enabled || told.iter().any(|known| known.resource == group.resource) => {}
                Some(group) => told.push(group),
            }
        }
        for group in told {
            for receiver in &group.receivers {
                // that a person closed it matters to work items alone
                if event == AlertEvent::Closed && !matches!(receiver.how, How::Itsm(_)) {
                    continue;
                }
                outcomes.deliveries.push(delivery(group, &receiver.name, &receiver.how, &notice, event, now));
            }
        }
    }

    /// The action groups that can be read.
    pub(super) async fn action_groups(&self) -> Result<Vec<ActionGroup>, StateError> {
        let stored = self.state.alerting_resources(AlertingKind::ActionGroup).await?;
        Ok(stored
            .iter()
            .filter_map(|one| readable(&one.key, read_action_group(&super::resources::parsed(&one.document)?)))
            .collect())
    }

    pub(super) async fn processing_rules(&self) -> Result<Vec<ProcessingRule>, StateError> {
        let stored = self.state.alerting_resources(AlertingKind::ProcessingRule).await?;
        Ok(stored
            .iter()
            .filter_map(|one| readable(&one.key, read_processing_rule(&super::resources::parsed(&one.document)?)))
            .collect())
    }
}

fn readable<T>(key: &str, read: Result<T, watchkeeper_alerting::Problems>) -> Option<T> {
    read.inspect_err(|error| tracing::error!(key, %error, "a stored resource of alerts cannot be read")).ok()
}

fn verb(event: AlertEvent) -> &'static str {
    match event {
        AlertEvent::Fired => "fired",
        AlertEvent::Resolved => "was resolved",
        AlertEvent::Closed => "was closed",
    }
}

fn delivery(
    group: &ActionGroup,
    receiver: &str,
    how: &How,
    notice: &Notice,
    event: AlertEvent,
    now: i64,
) -> AlertDelivery {
    let key = group.resource.key();
    AlertDelivery {
        id: Uuid::now_v7().to_string(),
        lane: format!("{}/{key}/{receiver}", notice.alert_id),
        endpoint: endpoint(how),
        alert_id: notice.alert_id.clone(),
        created_at: now,
        next_at: now,
        document: json!({
            "alertName": notice.title,
            "actionGroup": group.resource.name,
            "groupKey": key,
            "receiver": receiver,
            "receiverType": how.word(),
            "target": how.target(),
            "event": event.word(),
            "error": "",
            "notice": serde_json::to_value(notice).unwrap_or(Value::Null),
        }),
        ..AlertDelivery::default()
    }
}

/// What rests and is limited together. Addresses have secrets: of them a digest stands in it.
pub(super) fn endpoint(how: &How) -> String {
    let secret = match how {
        How::Webhook { uri, .. } | How::Chat { uri, .. } => uri.as_str(),
        _ => "",
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
    let digest: String = digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    match how {
        How::Webhook { .. } | How::Chat { .. } => format!("{}:{}#{digest}", how.word(), how.target()),
        _ => format!("{}:{}", how.word(), how.target()),
    }
}
