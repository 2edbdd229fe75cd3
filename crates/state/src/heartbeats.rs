//! How often agents send heartbeats and how many may be missed, for all and for single agents.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{State, StateError};

/// The settings of one agent, or of all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatSetting {
    /// Empty: all agents without settings of their own.
    pub agent_id: String,
    pub interval_seconds: i64,
    /// Missed heartbeats that are allowed; the next one is the failure.
    pub allowed_misses: i64,
}

impl State {
    /// Every setting, that of all agents first.
    pub async fn heartbeat_settings(&self) -> Result<Vec<HeartbeatSetting>, StateError> {
        let rows =
            sqlx::query("SELECT agent_id, interval_seconds, allowed_misses FROM heartbeat_settings ORDER BY agent_id")
                .fetch_all(&self.pool)
                .await?;
        let read = |row: &AnyRow| {
            Ok(HeartbeatSetting {
                agent_id: row.try_get(0)?,
                interval_seconds: row.try_get(1)?,
                allowed_misses: row.try_get(2)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Sets how an agent, or all others, are watched.
    pub async fn put_heartbeat_setting(&self, setting: &HeartbeatSetting) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO heartbeat_settings (agent_id, interval_seconds, allowed_misses) VALUES ($1, $2, $3) \
             ON CONFLICT (agent_id) DO UPDATE SET interval_seconds = excluded.interval_seconds, \
             allowed_misses = excluded.allowed_misses",
        )
        .bind(&setting.agent_id)
        .bind(setting.interval_seconds)
        .bind(setting.allowed_misses)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// An agent is watched as all others are; false where it was.
    pub async fn delete_heartbeat_setting(&self, agent_id: &str) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM heartbeat_settings WHERE agent_id = $1")
            .bind(agent_id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn settings_are_kept_for_all_and_for_single_agents() {
        stores::each(|place| async move {
            let state = place.open().await;
            let setting = |agent: &str, interval| HeartbeatSetting {
                agent_id: agent.into(),
                interval_seconds: interval,
                allowed_misses: 3,
            };
            for one in [setting("a", 10), setting("", 30), setting("a", 20)] {
                state.put_heartbeat_setting(&one).await.unwrap();
            }
            assert_eq!(state.heartbeat_settings().await.unwrap(), [setting("", 30), setting("a", 20)]);
            assert!(state.delete_heartbeat_setting("a").await.unwrap());
            assert!(!state.delete_heartbeat_setting("a").await.unwrap());
        })
        .await;
    }
}
