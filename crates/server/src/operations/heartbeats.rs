//! How often agents send heartbeats, as administrators set it, on this server: for its sessions and its watchers.

use std::collections::HashMap;
use std::time::Duration;

use watchkeeper_management::Heartbeats;
use watchkeeper_management::watch_rules::HeartbeatSettings;
use watchkeeper_state::{HeartbeatSetting, StateError};

use super::Operations;

/// Settings as they are watched.
fn watched(setting: &HeartbeatSetting) -> HeartbeatSettings {
    HeartbeatSettings {
        interval: Duration::from_secs(u64::try_from(setting.interval_seconds).unwrap_or(60)),
        allowed_misses: u32::try_from(setting.allowed_misses).unwrap_or(3),
    }
}

impl Operations {
    /// Takes the settings of the store, when they are others than before; agents hear of them at once.
    pub async fn follow_heartbeats(&self) -> Result<(), StateError> {
        let settings = self.group.state().heartbeat_settings().await?;
        let mut followed = self.heartbeats.lock().await;
        let general = settings.iter().find(|one| one.agent_id.is_empty()).map(watched).unwrap_or_default();
        let own: HashMap<String, HeartbeatSettings> = settings
            .iter()
            .filter(|one| !one.agent_id.is_empty())
            .map(|one| (one.agent_id.clone(), watched(one)))
            .collect();
        if let Some(management) = self.management() {
            let intervals = own.iter().map(|(agent, settings)| (agent.clone(), settings.interval)).collect();
            management.set_heartbeats(Heartbeats { general: general.interval, own: intervals });
        }
        if followed.as_ref() != Some(&settings) {
            self.watchers.set(general, self.now());
        }
        // also of agents that came since
        if !own.is_empty() || followed.as_ref() != Some(&settings) {
            self.watchers.set_own(&own, self.now());
        }
        *followed = Some(settings);
        Ok(())
    }
}
