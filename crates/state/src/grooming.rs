//! Grooming: what is older than its time goes, open alerts never (specification 2.2).

use sqlx::Executor;

use crate::{State, StateError};

const DAY: i64 = 86_400_000_000;
/// A server that is further behind reads everything again.
const BEHIND_DAYS: u32 = 2;

/// How many days each kind of record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grooming {
    /// Closed alerts, from their closing.
    pub alert_days: u32,
    pub state_change_days: u32,
    /// Finished tasks.
    pub task_days: u32,
    /// Ended maintenance windows.
    pub maintenance_days: u32,
    /// History of objects.
    pub object_days: u32,
}

impl Default for Grooming {
    fn default() -> Self {
        Self { alert_days: 7, state_change_days: 7, task_days: 7, maintenance_days: 7, object_days: 7 }
    }
}

/// How many records went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Groomed {
    pub alerts: u64,
    pub state_changes: u64,
    pub tasks: u64,
    pub maintenance_windows: u64,
    pub object_history: u64,
}

impl State {
    /// Removes what is older than its time. `now` is microseconds since the Unix epoch.
    pub async fn groom(&self, keep: &Grooming, now: i64) -> Result<Groomed, StateError> {
        let before = |days: u32| now.saturating_sub(i64::from(days).saturating_mul(DAY));
        let delete = async |sql: &'static str, before: i64| {
            Ok::<_, StateError>(self.pool.execute(sqlx::query(sql).bind(before)).await?.rows_affected())
        };
        delete(
            "DELETE FROM alert_history WHERE alert_id IN \
             (SELECT alert_id FROM alerts WHERE resolution_state = 255 AND time_resolved < $1)",
            before(keep.alert_days),
        )
        .await?;
        delete("DELETE FROM discovery_gone WHERE gone_at < $1", before(BEHIND_DAYS)).await?;
        Ok(Groomed {
            alerts: delete(
                "DELETE FROM alerts WHERE resolution_state = 255 AND time_resolved < $1",
                before(keep.alert_days),
            )
            .await?,
            state_changes: delete("DELETE FROM state_changes WHERE changed_at < $1", before(keep.state_change_days))
                .await?,
            tasks: delete("DELETE FROM task_runs WHERE status >= 2 AND finished_at < $1", before(keep.task_days))
                .await?,
            maintenance_windows: delete(
                "DELETE FROM maintenance_windows WHERE ends_at < $1",
                before(keep.maintenance_days),
            )
            .await?,
            object_history: delete("DELETE FROM object_history WHERE changed_at < $1", before(keep.object_days))
                .await?,
        })
    }
}
