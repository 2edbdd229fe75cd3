//! Alerts of rules over tables: they live in the same store, history and table as those of the management group. What a
//! rule fired and resolved, what it remembers, and the notices for whoever tells people are written together.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_state::{Alert, AlertDelivery, AlertHistory, AlertNotice, AlertRuleRun, Changes, StateError, WorkItem};
use watchkeeper_wire::TableBuilder;

use crate::alert_rules::SYSTEM;
use crate::operational::{Operational, Work};

/// What happened to an alert, for those who are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertEvent {
    Fired,
    /// Its cause is over.
    Resolved,
    /// A person closed it although its cause is there.
    Closed,
}

impl AlertEvent {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            AlertEvent::Fired => "Fired",
            AlertEvent::Resolved => "Resolved",
            AlertEvent::Closed => "Closed",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<AlertEvent> {
        [AlertEvent::Fired, AlertEvent::Resolved, AlertEvent::Closed].into_iter().find(|event| event.word() == word)
    }
}

/// Whether people hear of the end of an alert: not where they did not hear of it because its object was in maintenance.
fn is_told_of(alert: &Alert) -> bool {
    !alert.monitoring_object_in_maintenance_mode
}

/// The notice of an alert as it is now.
#[must_use]
pub fn notice(alert: &Alert, event: AlertEvent, at: i64) -> AlertNotice {
    AlertNotice {
        id: Uuid::now_v7().to_string(),
        alert_id: alert.id.clone(),
        created_at: at,
        document: json!({"event": event.word(), "alert": alert}),
    }
}

/// What evaluations of rules came to.
#[derive(Debug, Default)]
pub struct RuleOutcomes {
    /// New alerts; whether people are told of each.
    pub fired: Vec<(Alert, bool)>,
    /// Alerts that are over: their identities, since when, and why.
    pub resolved: Vec<(String, i64, String)>,
    /// What rules remember; the end that each was evaluated up to before.
    pub runs: Vec<(AlertRuleRun, i64)>,
    /// What went wrong or was left out, for the table `Operation`.
    pub operations: Vec<RuleOperation>,
}

/// A row of the table `Operation` about a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOperation {
    pub rule: String,
    pub status: &'static str,
    pub detail: String,
}

impl Operational {
    /// Writes what evaluations came to, once: a run whose rule was evaluated further by another server is left out with
    /// all that belongs to it. Gives the keys of the rules that were written.
    ///
    /// # Errors
    /// When the store cannot be written; nothing of it happened then.
    pub async fn record_rules(&self, outcomes: RuleOutcomes, now: i64) -> Result<Vec<String>, StateError> {
        let shared = self.shared();
        let mut changes = shared.state.change().await?;
        let mut work = Work::new(shared, now);
        let known = ends_of(&shared.state, &outcomes.runs).await?;
        let is_current = |run: &AlertRuleRun, before: i64| known.get(&run.rule_key).copied().unwrap_or(0) == before;
        let runs: Vec<AlertRuleRun> =
            outcomes.runs.into_iter().filter(|(run, before)| is_current(run, *before)).map(|(run, _)| run).collect();
        let written: Vec<String> = runs.iter().map(|run| run.rule_key.clone()).collect();
        let is_written = |alert: &Alert| written.contains(&alert.rule_id);
        let mut alerts = Vec::new();
        let mut history = Vec::new();
        for (alert, told) in outcomes.fired.into_iter().filter(|(alert, _)| is_written(alert)) {
            history.push(entry(&alert, "fired by the rule"));
            if told {
                work.notices.push(notice(&alert, AlertEvent::Fired, now));
            }
            alerts.push(alert);
        }
        let ids: Vec<String> = outcomes.resolved.iter().map(|(id, ..)| id.clone()).collect();
        let mut found: HashMap<String, Alert> =
            changes.alerts(&ids).await?.into_iter().map(|alert| (alert.id.clone(), alert)).collect();
        for (id, at, reason) in &outcomes.resolved {
            let Some(mut alert) = found.remove(id).filter(|alert| is_written(alert) && alert.is_fired()) else {
                continue;
            };
            resolve(&mut alert, *at, now);
            history.push(entry(&alert, reason));
            if is_told_of(&alert) {
                work.notices.push(notice(&alert, AlertEvent::Resolved, now));
            }
            alerts.push(alert);
        }
        changes.put_alert_rule_runs(&runs).await?;
        changes.put_alerts(&alerts).await?;
        changes.add_alert_history(&history).await?;
        for alert in &alerts {
            work.rows.alert(alert);
        }
        for operation in &outcomes.operations {
            work.rows.rule_operation(&operation.rule, operation.status, &operation.detail);
        }
        work.applied.alerts = alerts;
        work.commit(changes).await?;
        Ok(written)
    }

    /// Resolves the alerts of a rule that is disabled or removed, and forgets what it remembered.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn forget_rule(
        &self,
        rule_key: &str,
        alerts: &[String],
        reason: &str,
        now: i64,
    ) -> Result<(), StateError> {
        let shared = self.shared();
        let mut changes = shared.state.change().await?;
        let mut work = Work::new(shared, now);
        let mut changed = Vec::new();
        let mut history = Vec::new();
        for mut alert in changes.alerts(alerts).await?.into_iter().filter(Alert::is_fired) {
            resolve(&mut alert, now, now);
            history.push(entry(&alert, reason));
            if is_told_of(&alert) {
                work.notices.push(notice(&alert, AlertEvent::Resolved, now));
            }
            work.rows.alert(&alert);
            changed.push(alert);
        }
        changes.put_alerts(&changed).await?;
        changes.add_alert_history(&history).await?;
        changes.delete_alert_rule_run(rule_key).await?;
        work.applied.alerts = changed;
        work.commit(changes).await
    }

    /// Writes what became of deliveries, with their rows; endpoints that rest until a time; work items that alerts have.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn record_deliveries(&self, outcomes: DeliveryOutcomes, now: i64) -> Result<(), StateError> {
        let shared = self.shared();
        let changes = shared.state.change().await?;
        self.record_deliveries_with(changes, outcomes, now).await
    }

    /// The same within changes that have begun.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn record_deliveries_with(
        &self,
        mut changes: Changes,
        outcomes: DeliveryOutcomes,
        now: i64,
    ) -> Result<(), StateError> {
        let shared = self.shared();
        let mut work = Work::new(shared, now);
        changes.put_alert_deliveries(&outcomes.deliveries).await?;
        for (endpoint, until) in &outcomes.resting {
            changes.rest_alert_endpoint(endpoint, *until).await?;
        }
        let mut changed = Vec::new();
        let mut history = Vec::new();
        for (alert_id, comment, items) in outcomes.notes {
            let Some(mut alert) = changes.alerts(&[alert_id]).await?.into_iter().next() else { continue };
            if !items.is_empty() {
                for item in items {
                    alert.work_items.retain(|known| known.connection != item.connection || known.id != item.id);
                    if alert.ticket_id.is_empty() {
                        alert.ticket_id.clone_from(&item.number);
                    }
                    alert.work_items.push(item);
                }
                alert.last_modified = alert.last_modified.max(now);
                work.rows.alert(&alert);
                changed.push(alert.clone());
            }
            history.push(AlertHistory { changed_at: now, changed_by: SYSTEM.to_owned(), comment, alert });
        }
        changes.put_alerts(&changed).await?;
        changes.add_alert_history(&history).await?;
        for delivery in &outcomes.deliveries {
            work.rows.delivery(delivery);
        }
        work.applied.alerts = changed;
        work.commit(changes).await
    }

    /// Wakes when alerts have left notices.
    #[must_use]
    pub fn noticed(&self) -> std::sync::Arc<tokio::sync::Notify> {
        std::sync::Arc::clone(&self.shared().noticed)
    }
}

/// What came of deliveries.
#[derive(Debug, Default)]
pub struct DeliveryOutcomes {
    pub deliveries: Vec<AlertDelivery>,
    /// Endpoints and until when they are left alone.
    pub resting: Vec<(String, i64)>,
    /// For the history of alerts: what was done, with work items that came of it.
    pub notes: Vec<(String, String, Vec<WorkItem>)>,
}

async fn ends_of(
    state: &watchkeeper_state::State,
    runs: &[(AlertRuleRun, i64)],
) -> Result<HashMap<String, i64>, StateError> {
    if !state.is_shared() {
        // no other server writes: what they were is what the caller says
        return Ok(runs.iter().map(|(run, before)| (run.rule_key.clone(), *before)).collect());
    }
    let mut ends = HashMap::new();
    for (run, _) in runs {
        if let Some(known) = state.alert_rule_run(&run.rule_key).await? {
            ends.insert(known.rule_key, known.last_end);
        }
    }
    Ok(ends)
}

fn resolve(alert: &mut Alert, at: i64, now: i64) {
    if let Some(rule) = &mut alert.rule {
        rule.resolved_at = at;
    }
    alert.last_modified = alert.last_modified.max(now);
    alert.last_modified_by = SYSTEM.to_owned();
    alert.state_last_modified = now;
}

fn entry(alert: &Alert, comment: &str) -> AlertHistory {
    AlertHistory {
        changed_at: alert.last_modified,
        changed_by: SYSTEM.to_owned(),
        comment: comment.to_owned(),
        alert: alert.clone(),
    }
}

/// A row of `AlertDelivery`.
pub(crate) fn delivery_row(table: &mut TableBuilder, delivery: &AlertDelivery, now: i64) {
    let text = |name: &str| delivery.document[name].as_str().unwrap_or_default();
    let status = match delivery.status {
        watchkeeper_state::DeliveryStatus::Waiting if delivery.attempts == 0 => "Queued",
        watchkeeper_state::DeliveryStatus::Waiting => "Retrying",
        watchkeeper_state::DeliveryStatus::Delivered => "Delivered",
        watchkeeper_state::DeliveryStatus::Dead => "Dead",
    };
    table
        .row()
        .datetime("TimeGenerated", now)
        .string("DeliveryId", &delivery.id)
        .string("AlertId", &delivery.alert_id)
        .string("AlertName", text("alertName"))
        .string("ActionGroup", text("actionGroup"))
        .string("Receiver", text("receiver"))
        .string("ReceiverType", text("receiverType"))
        .string("Target", text("target"))
        .string("Event", text("event"))
        .string("Status", status)
        .int("Attempts", i32::try_from(delivery.attempts).unwrap_or(i32::MAX))
        .string("Error", text("error"));
    if delivery.status == watchkeeper_state::DeliveryStatus::Waiting {
        table.datetime("NextAttempt", delivery.next_at);
    }
    if let Some(milliseconds) = delivery.document.get("durationMs").and_then(Value::as_i64) {
        table.long("DurationMs", milliseconds);
    }
}
