//! Changes of alerts by people, connectors and age (management group specification 6.2, 6.3), with history and rows.

use watchkeeper_model::workflow::HealthState;
use watchkeeper_state::{Alert, AlertFilter, AlertHistory, MonitorOf, ResolutionState, StateError};

use crate::alert_rules::{Ageing, AlertEdit, ClosePolicy, EditError, SYSTEM, aged, edited, orphaned};
use crate::operational::{Operational, Work, health};
use crate::rule_alerts::{AlertEvent, notice};

/// Alerts closed by age in one transaction.
const AGE_GROUP: usize = 500;

/// Why alerts were not changed.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// There is no such alert.
    #[error("there is no alert {0}; it may have been groomed")]
    NoAlert(String),
    /// The rules do not allow it.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// No such resolution state.
    #[error("{0} is not a resolution state of this management group; add it first")]
    ResolutionState(u8),
    /// The code of a custom resolution state.
    #[error("resolution state {0} is built in and stays as it is; custom ones are 2 to 246, 251 to 253")]
    BuiltIn(u8),
    /// The store.
    #[error(transparent)]
    State(#[from] StateError),
}

/// An alert after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedAlert {
    /// As it is now.
    pub alert: Alert,
    /// The monitor that the agent has to be told to set healthy (`ResetMonitor`).
    pub reset: Option<MonitorOf>,
}

impl Operational {
    /// Changes an alert as an operator or connector asks. Where the closing of an unhealthy monitor's alert resets the
    /// monitor, the caller sends the reset to the agent.
    ///
    /// # Errors
    /// When the rules do not allow it or the store cannot be written.
    pub async fn edit_alert(
        &self,
        id: &str,
        edit: &AlertEdit,
        who: &str,
        policy: ClosePolicy,
        now: i64,
    ) -> Result<EditedAlert, AlertError> {
        let shared = self.shared();
        if let Some(state) = edit.resolution_state {
            let known = shared.state.resolution_states().await?;
            if !known.iter().any(|name| name.code == state) {
                return Err(AlertError::ResolutionState(state.0));
            }
        }
        let mut changes = shared.begin().await?;
        let found = changes.alerts(&[id.to_owned()]).await?;
        let alert = found.first().ok_or_else(|| AlertError::NoAlert(id.to_owned()))?;
        let of = MonitorOf { object_id: alert.monitoring_object_id.clone(), monitor_id: alert.problem_id.clone() };
        let state = changes.monitor_states(std::slice::from_ref(&of)).await?.remove(&of);
        let health = state.map_or(HealthState::Uninitialized, |state| health(state.health));
        let mut work = Work::new(shared, now);
        let (alert, reset) = edited(alert, edit, who, now, health, policy)?;
        let entry = AlertHistory {
            changed_at: alert.last_modified,
            changed_by: who.to_owned(),
            comment: edit.comment.clone(),
            alert: alert.clone(),
        };
        changes.put_alerts(std::slice::from_ref(&alert)).await?;
        changes.add_alert_history(&[entry]).await?;
        if let Some(event) = ended_by_hand(found.first(), &alert) {
            work.notices.push(notice(&alert, event, now));
        }
        work.rows.alert(&alert);
        work.applied.alerts.push(alert.clone());
        work.commit(changes).await?;
        Ok(EditedAlert { alert, reset: reset.then_some(of) })
    }

    /// Closes alerts by their age; gives how many.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn age_alerts(&self, ageing: Ageing, now: i64) -> Result<usize, AlertError> {
        let shared = self.shared();
        let candidates = shared.state.alerts(&AlertFilter { open: true, ..AlertFilter::default() }).await?;
        let mut closed = 0;
        for group in candidates.chunks(AGE_GROUP) {
            let mut changes = shared.begin().await?;
            let ids: Vec<String> = group.iter().map(|alert| alert.id.clone()).collect();
            let alerts = changes.alerts(&ids).await?;
            let monitor = |alert: &Alert| MonitorOf {
                object_id: alert.monitoring_object_id.clone(),
                monitor_id: match alert.is_monitor_alert {
                    true => alert.problem_id.clone(),
                    false => ENTITY_HEALTH.to_owned(),
                },
            };
            let of: Vec<_> = alerts.iter().map(monitor).collect();
            let states = changes.monitor_states(&of).await?;
            let mut work = Work::new(shared, now);
            let (mut changed, mut history) = (Vec::new(), Vec::new());
            for alert in &alerts {
                let state = states.get(&monitor(alert));
                let health = state.map_or(HealthState::Uninitialized, |state| health(state.health));
                let before = alert;
                let Some((alert, comment)) = aged(alert, health, ageing, now) else { continue };
                if before.is_fired() {
                    work.notices.push(notice(&alert, AlertEvent::Resolved, now));
                }
                work.rows.alert(&alert);
                history.push(AlertHistory {
                    changed_at: now,
                    changed_by: SYSTEM.to_owned(),
                    comment,
                    alert: alert.clone(),
                });
                changed.push(alert);
            }
            closed += changed.len();
            changes.put_alerts(&changed).await?;
            changes.add_alert_history(&history).await?;
            work.applied.alerts = changed;
            work.commit(changes).await?;
        }
        Ok(closed)
    }

    /// Closes the open alerts of objects that are no longer there; gives how many.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn close_orphaned(&self, now: i64) -> Result<usize, AlertError> {
        let shared = self.shared();
        let mut open = shared.state.alerts(&AlertFilter { open: true, ..AlertFilter::default() }).await?;
        open.retain(|alert| shared.catalogue.source(&alert.monitoring_object_id).is_none());
        let mut closed = 0;
        for group in open.chunks(AGE_GROUP) {
            let mut changes = shared.begin().await?;
            let ids: Vec<String> = group.iter().map(|alert| alert.id.clone()).collect();
            let mut work = Work::new(shared, now);
            let (mut changed, mut history) = (Vec::new(), Vec::new());
            for alert in &changes.alerts(&ids).await? {
                // another server may have found the object meanwhile
                if shared.catalogue.source(&alert.monitoring_object_id).is_some() {
                    continue;
                }
                let before = alert;
                let Some((alert, comment)) = orphaned(alert, now) else { continue };
                if before.is_fired() {
                    work.notices.push(notice(&alert, AlertEvent::Resolved, now));
                }
                work.rows.alert(&alert);
                history.push(AlertHistory {
                    changed_at: alert.last_modified,
                    changed_by: SYSTEM.to_owned(),
                    comment,
                    alert: alert.clone(),
                });
                changed.push(alert);
            }
            closed += changed.len();
            changes.put_alerts(&changed).await?;
            changes.add_alert_history(&history).await?;
            work.applied.alerts = changed;
            work.commit(changes).await?;
        }
        Ok(closed)
    }

    /// Names a custom resolution state.
    ///
    /// # Errors
    /// When the code is a built-in one's or cannot be a custom one's.
    pub async fn put_resolution_state(&self, code: u8, name: &str) -> Result<(), AlertError> {
        let custom = (2..=254).contains(&code);
        if !custom || !self.shared().state.put_resolution_state(ResolutionState(code), name).await? {
            return Err(AlertError::BuiltIn(code));
        }
        Ok(())
    }
}

/// What whoever is told of alerts hears of a change by a person.
fn ended_by_hand(before: Option<&Alert>, after: &Alert) -> Option<AlertEvent> {
    let before = before?;
    match (before.is_fired() && !after.is_fired(), before.is_open() && !after.is_open()) {
        (true, _) => Some(AlertEvent::Resolved),
        (false, true) => Some(AlertEvent::Closed),
        (false, false) => None,
    }
}

/// Under this name the health of a whole object is kept: the root of its monitors.
pub const ENTITY_HEALTH: &str = "System.Health.EntityState";
