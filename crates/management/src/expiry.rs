//! Warnings that a secret or a certificate ends: one alert an item, 30, 14 and 3 days ahead, which becomes more severe
//! and closes by itself once the item is renewed or gone. Times are microseconds since the Unix epoch.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;
use watchkeeper_model::civil::format_time;
use watchkeeper_state::{Alert, AlertHistory, ExpiryWarning, Priority, ResolutionState, Severity, StateError};

use crate::alert_rules::SYSTEM;
use crate::operational::{Operational, Work};
use crate::rule_alerts::{AlertEvent, notice};

const DAY: i64 = 86_400_000_000;

/// What alerts of this kind have as their rule.
pub const RULE: &str = "Watchkeeper.Expiry";

/// How soon an item ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// In more than 30 days.
    Later,
    In30Days,
    In14Days,
    In3Days,
    Ended,
}

impl Stage {
    /// By when it ends.
    #[must_use]
    pub fn of(expires_at: i64, now: i64) -> Stage {
        match expires_at.saturating_sub(now) {
            left if left <= 0 => Stage::Ended,
            left if left <= 3 * DAY => Stage::In3Days,
            left if left <= 14 * DAY => Stage::In14Days,
            left if left <= 30 * DAY => Stage::In30Days,
            _ => Stage::Later,
        }
    }

    /// The severity as people call it; empty: nobody is warned.
    #[must_use]
    pub const fn severity(self) -> &'static str {
        match self {
            Stage::Later => "",
            Stage::In30Days => "Informational",
            Stage::In14Days => "Warning",
            Stage::In3Days | Stage::Ended => "Critical",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Stage::Later => 0,
            Stage::In30Days => 1,
            Stage::In14Days => 2,
            Stage::In3Days => 3,
            Stage::Ended => 4,
        }
    }

    const fn comment(self) -> &'static str {
        match self {
            Stage::Later => "it does not end soon any more",
            Stage::In30Days => "30 days or less are left",
            Stage::In14Days => "14 days or less are left",
            Stage::In3Days => "3 days or less are left",
            Stage::Ended => "it has ended",
        }
    }
}

/// A secret or certificate with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// What it is, and its identity: one alert each.
    pub item: String,
    /// For a person: `secret of the service principal`, `certificate of the agent`, …
    pub kind: &'static str,
    pub name: String,
    pub expires_at: i64,
    /// It is renewed without a person, a month before it ends: there is something wrong where that did not happen.
    pub renews_itself: bool,
    /// What to do, for a person.
    pub advice: String,
    /// The computer that has it; empty: none in particular.
    pub computer: String,
}

impl Expiring {
    /// How soon it ends, as far as people are to know.
    #[must_use]
    pub fn stage(&self, now: i64) -> Stage {
        match Stage::of(self.expires_at, now) {
            Stage::In30Days if self.renews_itself => Stage::Later,
            stage => stage,
        }
    }

    fn alert(&self, stage: Stage, known: Option<&Alert>, now: i64) -> Alert {
        let new = || Alert {
            id: Uuid::now_v7().to_string(),
            rule_id: RULE.to_owned(),
            resolution_state: ResolutionState::NEW,
            category: "Alert".to_owned(),
            time_raised: now,
            time_added: now,
            time_resolution_state_last_modified: now,
            suppression_key: format!("expiry/{}", self.item),
            auto_resolve: true,
            netbios_computer_name: self.computer.split('.').next().unwrap_or_default().to_uppercase(),
            principal_name: self.computer.clone(),
            ..Alert::default()
        };
        let (kind, name) = (self.kind, &self.name);
        let says = if stage == Stage::Ended { "ended" } else { "ends" };
        Alert {
            name: format!("The {kind} {name} {says}"),
            description: format!("The {kind} {name} {says} at {}. {}", format_time(self.expires_at), self.advice),
            severity: match stage {
                Stage::Later | Stage::In30Days => Severity::Information,
                Stage::In14Days => Severity::Warning,
                Stage::In3Days | Stage::Ended => Severity::Error,
            },
            priority: if stage >= Stage::In3Days { Priority::High } else { Priority::Normal },
            monitoring_object_name: self.name.clone(),
            monitoring_object_display_name: self.name.clone(),
            last_modified: now,
            last_modified_by: SYSTEM.to_owned(),
            state_last_modified: now,
            ..known.cloned().unwrap_or_else(new)
        }
    }
}

/// What is to be written of one look at all items.
#[derive(Debug, Default, PartialEq, Eq)]
struct Looked {
    /// Alerts with why they changed, and whether people are told, of what.
    alerts: Vec<(Alert, String, Option<AlertEvent>)>,
    warnings: Vec<ExpiryWarning>,
    forgotten: Vec<String>,
}

/// What follows from what is there now, what was warned of, and the alerts of that.
fn look(
    items: &[Expiring],
    warnings: &HashMap<String, ExpiryWarning>,
    alerts: &HashMap<String, Alert>,
    now: i64,
) -> Looked {
    let mut looked = Looked::default();
    let open = |warning: &ExpiryWarning| alerts.get(&warning.alert_id).filter(|alert| alert.is_open());
    let close = |looked: &mut Looked, warning: &ExpiryWarning, reason: String| {
        if let Some(alert) = open(warning) {
            let closed = Alert {
                resolution_state: ResolutionState::CLOSED,
                resolved_by: SYSTEM.to_owned(),
                time_resolved: now,
                time_resolution_state_last_modified: now,
                last_modified: now,
                last_modified_by: SYSTEM.to_owned(),
                ..alert.clone()
            };
            looked.alerts.push((closed, reason, Some(AlertEvent::Resolved)));
        }
        looked.forgotten.push(warning.item.clone());
    };
    for item in items {
        let (warning, stage) = (warnings.get(&item.item), item.stage(now));
        match (warning, stage) {
            (None, Stage::Later) => {}
            (Some(warning), Stage::Later) => {
                close(&mut looked, warning, format!("closed: it ends at {} now", format_time(item.expires_at)));
            }
            (Some(known), stage) if known.stage == stage.number() && known.expires_at == item.expires_at => {}
            (warning, stage) => {
                let known = warning.and_then(open);
                // a person who closed it hears of it again when it is more urgent
                let is_worse = warning.is_none_or(|warning| warning.stage < stage.number());
                let alert_id = match known.is_some() || is_worse {
                    true => {
                        let alert = item.alert(stage, known, now);
                        let event = is_worse.then_some(AlertEvent::Fired);
                        looked.alerts.push((alert.clone(), stage.comment().to_owned(), event));
                        alert.id
                    }
                    false => warning.map(|warning| warning.alert_id.clone()).unwrap_or_default(),
                };
                let (item, expires_at) = (item.item.clone(), item.expires_at);
                looked.warnings.push(ExpiryWarning { item, stage: stage.number(), expires_at, alert_id });
            }
        }
    }
    let present: HashSet<&str> = items.iter().map(|item| item.item.as_str()).collect();
    let mut gone: Vec<_> = warnings.values().filter(|warning| !present.contains(warning.item.as_str())).collect();
    gone.sort_by(|a, b| a.item.cmp(&b.item));
    for warning in gone {
        close(&mut looked, warning, "closed: it was removed".to_owned());
    }
    looked
}

impl Operational {
    /// Warns of what ends soon, and closes the alerts of what was renewed or is gone. `items` is everything that has an
    /// end of those whose identity begins with `scope`. Gives how many alerts changed.
    ///
    /// # Errors
    /// When the store cannot be written; nothing of it happened then.
    pub async fn warn_of_expiry(&self, scope: &str, items: &[Expiring], now: i64) -> Result<usize, StateError> {
        let shared = self.shared();
        // most of the time nothing ends and nothing is written
        let known = shared.state.expiry_warnings(scope).await?;
        if look(items, &known, &HashMap::new(), now) == Looked::default() {
            return Ok(0);
        }
        let mut changes = shared.state.change().await?;
        let warnings = changes.expiry_warnings(scope).await?;
        let ids: Vec<String> = warnings.values().map(|warning| warning.alert_id.clone()).collect();
        let alerts = changes.alerts(&ids).await?.into_iter().map(|alert| (alert.id.clone(), alert)).collect();
        let looked = look(items, &warnings, &alerts, now);
        let mut work = Work::new(shared, now);
        let mut history = Vec::new();
        for (alert, comment, event) in looked.alerts {
            if let Some(event) = event {
                work.notices.push(notice(&alert, event, now));
            }
            work.rows.alert(&alert);
            history.push(AlertHistory {
                changed_at: now,
                changed_by: SYSTEM.to_owned(),
                comment,
                alert: alert.clone(),
            });
            work.applied.alerts.push(alert);
        }
        changes.put_alerts(&work.applied.alerts).await?;
        changes.add_alert_history(&history).await?;
        changes.put_expiry_warnings(&looked.warnings).await?;
        for item in &looked.forgotten {
            changes.delete_expiry_warning(item).await?;
        }
        work.commit(changes).await?;
        Ok(history.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000_000;

    fn item(days: i64) -> Expiring {
        Expiring {
            item: "principal-secret/1".into(),
            kind: "secret of the service principal",
            name: "dashboards".into(),
            expires_at: NOW + days * DAY,
            renews_itself: false,
            advice: "Add another.".into(),
            computer: String::new(),
        }
    }

    #[test]
    fn thirty_fourteen_and_three_days_ahead_are_the_stages() {
        let stage = |days: i64, more: i64| Stage::of(NOW + days * DAY + more, NOW);
        assert_eq!(stage(30, 1), Stage::Later);
        assert_eq!((stage(30, 0), stage(14, 1)), (Stage::In30Days, Stage::In30Days));
        assert_eq!((stage(14, 0), stage(3, 1)), (Stage::In14Days, Stage::In14Days));
        assert_eq!((stage(3, 0), stage(0, 1)), (Stage::In3Days, Stage::In3Days));
        assert_eq!((stage(0, 0), stage(-9, 0)), (Stage::Ended, Stage::Ended));
        let itself = |days| Expiring { renews_itself: true, ..item(days) }.stage(NOW);
        assert_eq!((itself(20), itself(14)), (Stage::Later, Stage::In14Days));
    }

    /// A store in memory: what `warn_of_expiry` writes.
    #[derive(Default)]
    struct Memory {
        warnings: HashMap<String, ExpiryWarning>,
        alerts: HashMap<String, Alert>,
    }

    impl Memory {
        /// Severity, whether it is open, and what people are told, of each alert that changed.
        fn look(&mut self, items: &[Expiring], now: i64) -> Vec<(Severity, bool, Option<AlertEvent>)> {
            let looked = look(items, &self.warnings, &self.alerts, now);
            let changed = looked.alerts.iter().map(|(alert, _, event)| (alert.severity, alert.is_open(), *event));
            let changed = changed.collect();
            self.alerts.extend(looked.alerts.into_iter().map(|(alert, ..)| (alert.id.clone(), alert)));
            self.warnings.extend(looked.warnings.into_iter().map(|warning| (warning.item.clone(), warning)));
            looked.forgotten.iter().for_each(|item| drop(self.warnings.remove(item)));
            changed
        }
    }

    #[test]
    fn one_alert_becomes_more_severe_and_closes_when_the_item_is_renewed() {
        let mut memory = Memory::default();
        let secret = item(40);
        let at = |days: i64| NOW + days * DAY;
        let fired = Some(AlertEvent::Fired);
        assert_eq!(memory.look(std::slice::from_ref(&secret), at(0)), []);
        assert_eq!(memory.look(std::slice::from_ref(&secret), at(10)), [(Severity::Information, true, fired)]);
        assert_eq!(memory.look(std::slice::from_ref(&secret), at(11)), []);
        assert_eq!(memory.look(std::slice::from_ref(&secret), at(26)), [(Severity::Warning, true, fired)]);
        assert_eq!(memory.look(std::slice::from_ref(&secret), at(37)), [(Severity::Error, true, fired)]);
        assert_eq!(memory.look(std::slice::from_ref(&secret), at(41)), [(Severity::Error, true, fired)]);
        assert_eq!(memory.alerts.len(), 1);
        let alert = memory.alerts.values().next().unwrap();
        assert_eq!(alert.name, "The secret of the service principal dashboards ended");
        assert!(alert.description.contains(" ended at 20") && alert.description.ends_with("Add another."), "{alert:?}");

        let renewed = Expiring { expires_at: at(400), ..secret };
        assert_eq!(memory.look(&[renewed], at(41)), [(Severity::Error, false, Some(AlertEvent::Resolved))]);
        assert!(memory.warnings.is_empty());
    }

    #[test]
    fn what_is_removed_closes_and_a_new_end_is_a_new_alert() {
        let mut memory = Memory::default();
        memory.look(&[item(2)], NOW);
        assert_eq!(memory.look(&[], NOW), [(Severity::Error, false, Some(AlertEvent::Resolved))]);
        memory.look(&[item(2)], NOW);
        assert_eq!(memory.alerts.len(), 2);
    }

    #[test]
    fn a_person_who_closed_it_hears_of_it_again_when_it_is_more_urgent() {
        let mut memory = Memory::default();
        let secret = item(20);
        memory.look(std::slice::from_ref(&secret), NOW);
        memory.alerts.values_mut().for_each(|alert| alert.resolution_state = ResolutionState::CLOSED);
        assert_eq!(memory.look(std::slice::from_ref(&secret), NOW + DAY), []);
        assert_eq!(
            memory.look(std::slice::from_ref(&secret), NOW + 10 * DAY),
            [(Severity::Warning, true, Some(AlertEvent::Fired))]
        );
        assert_eq!(memory.alerts.len(), 2);
    }

    #[test]
    fn an_end_that_moves_a_little_changes_the_alert_and_tells_nobody() {
        let mut memory = Memory::default();
        memory.look(&[item(2)], NOW);
        assert_eq!(memory.look(&[item(10)], NOW), [(Severity::Warning, true, None)]);
        assert_eq!(memory.alerts.len(), 1);
    }
}
