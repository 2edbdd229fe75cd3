//! What an administrator sets for the whole group: how long operational data are kept (specification 2.2), and when open
//! alerts close by their age (6.3).

use serde::{Deserialize, Serialize};
use watchkeeper_management::alert_rules::Ageing;
use watchkeeper_state::{Grooming, State, StateError};

const NAME: &str = "group.days";

/// Days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupSettings {
    resolve_alerts: u32,
    resolve_healthy_alerts: u32,
    keep_closed_alerts: u32,
    keep_state_changes: u32,
    keep_tasks: u32,
    keep_maintenance: u32,
    keep_object_history: u32,
}

impl Default for GroupSettings {
    fn default() -> Self {
        let (keep, close) = (Grooming::default(), Ageing::default());
        Self {
            resolve_alerts: close.days,
            resolve_healthy_alerts: close.healthy_days,
            keep_closed_alerts: keep.alert_days,
            keep_state_changes: keep.state_change_days,
            keep_tasks: keep.task_days,
            keep_maintenance: keep.maintenance_days,
            keep_object_history: keep.object_days,
        }
    }
}

impl GroupSettings {
    /// As they are now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(state: &State) -> Result<Self, StateError> {
        let text = state.setting(NAME).await?.unwrap_or_default();
        // one that a later release has written keeps what this one knows
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// # Errors
    /// When the store cannot be written.
    pub async fn write(&self, state: &State) -> Result<(), StateError> {
        state.put_setting(NAME, &serde_json::to_string(self).unwrap_or_default()).await
    }

    /// What cannot be, with what to do.
    pub fn check(&self) -> Result<(), String> {
        let kept = [
            ("keepClosedAlerts", self.keep_closed_alerts),
            ("keepStateChanges", self.keep_state_changes),
            ("keepTasks", self.keep_tasks),
            ("keepMaintenance", self.keep_maintenance),
            ("keepObjectHistory", self.keep_object_history),
        ];
        match kept.iter().find(|(_, days)| *days == 0) {
            Some((name, _)) => Err(format!("{name} is 0; 1 day is the least")),
            None => Ok(()),
        }
    }

    /// What a setting is about.
    pub fn about(name: &str) -> &'static str {
        match name {
            "resolveAlerts" => "open alerts close after so many days without a new resolution state; 0: never",
            "resolveHealthyAlerts" => "the same, where what they are about is healthy; 0: never",
            "keepClosedAlerts" => "closed alerts with their history",
            "keepStateChanges" => "changes of health",
            "keepTasks" => "finished tasks with their output",
            "keepMaintenance" => "maintenance that has ended",
            "keepObjectHistory" => "what objects were before",
            _ => "",
        }
    }

    pub(super) fn ageing(&self) -> Ageing {
        Ageing { days: self.resolve_alerts, healthy_days: self.resolve_healthy_alerts }
    }

    pub(super) fn grooming(&self) -> Grooming {
        Grooming {
            alert_days: self.keep_closed_alerts,
            state_change_days: self.keep_state_changes,
            task_days: self.keep_tasks,
            maintenance_days: self.keep_maintenance,
            object_days: self.keep_object_history,
        }
    }
}
