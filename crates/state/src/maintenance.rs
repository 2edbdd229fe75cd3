//! Maintenance windows and the schedules that make them. Times are microseconds since the Unix epoch.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Changes, State, StateError, documents};

/// An object is in maintenance for a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MaintenanceWindow {
    pub window_id: String,
    pub object_id: String,
    pub starts_at: i64,
    pub ends_at: i64,
    /// With all that it hosts or contains.
    pub recursive: bool,
    /// One of the documented words (specification 1.11).
    pub reason: String,
    pub comments: String,
    pub started_by: String,
    /// The schedule that made it, or empty.
    pub schedule_id: String,
}

/// A schedule of maintenance; what recurs stands in `recurrence`, in the form of the model's maintenance module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MaintenanceSchedule {
    pub schedule_id: String,
    pub name: String,
    pub enabled: bool,
    pub object_ids: Vec<String>,
    pub recursive: bool,
    pub duration_minutes: u32,
    pub recurrence: Value,
    pub reason: String,
    pub comments: String,
    pub created_by: String,
    /// When its next window starts; 0: never.
    pub next_at: i64,
}

impl State {
    /// Windows that have not ended.
    pub async fn maintenance_windows(&self, now: i64) -> Result<Vec<MaintenanceWindow>, StateError> {
        let sql = "SELECT document FROM maintenance_windows WHERE ends_at > $1 ORDER BY starts_at, window_id";
        documents::read_all("the window", &sqlx::query(sql).bind(now).fetch_all(&self.pool).await?, 0)
    }

    /// Past and present windows of an object, the latest first.
    pub async fn maintenance_history(&self, object_id: &str) -> Result<Vec<MaintenanceWindow>, StateError> {
        let sql = "SELECT document FROM maintenance_windows WHERE object_id = $1 ORDER BY starts_at DESC, window_id";
        documents::read_all("the window", &sqlx::query(sql).bind(object_id).fetch_all(&self.pool).await?, 0)
    }

    /// Every schedule, by identity.
    pub async fn maintenance_schedules(&self) -> Result<Vec<MaintenanceSchedule>, StateError> {
        let sql = "SELECT document FROM maintenance_schedules ORDER BY schedule_id";
        documents::read_all("the schedule", &sqlx::query(sql).fetch_all(&self.pool).await?, 0)
    }

    /// Enabled schedules whose next window starts at or before.
    pub async fn due_maintenance_schedules(&self, now: i64) -> Result<Vec<MaintenanceSchedule>, StateError> {
        let sql = "SELECT document FROM maintenance_schedules WHERE enabled = 1 AND next_at > 0 AND next_at <= $1 \
                   ORDER BY next_at, schedule_id";
        documents::read_all("the schedule", &sqlx::query(sql).bind(now).fetch_all(&self.pool).await?, 0)
    }
}

impl Changes {
    /// Windows that have not ended.
    pub async fn maintenance_windows(&mut self, now: i64) -> Result<Vec<MaintenanceWindow>, StateError> {
        let sql = "SELECT document FROM maintenance_windows WHERE ends_at > $1 ORDER BY starts_at, window_id";
        documents::read_all("the window", &sqlx::query(sql).bind(now).fetch_all(self.connection()).await?, 0)
    }

    /// Writes a window, new or changed.
    pub async fn put_maintenance_window(&mut self, window: &MaintenanceWindow) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO maintenance_windows (window_id, object_id, starts_at, ends_at, document) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (window_id) DO UPDATE SET object_id = excluded.object_id, \
             starts_at = excluded.starts_at, ends_at = excluded.ends_at, document = excluded.document",
        )
        .bind(&window.window_id)
        .bind(&window.object_id)
        .bind(window.starts_at)
        .bind(window.ends_at)
        .bind(documents::write("the window", window)?)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes a schedule, new or changed.
    pub async fn put_maintenance_schedule(&mut self, schedule: &MaintenanceSchedule) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO maintenance_schedules (schedule_id, enabled, next_at, document) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (schedule_id) DO UPDATE SET enabled = excluded.enabled, next_at = excluded.next_at, \
             document = excluded.document",
        )
        .bind(&schedule.schedule_id)
        .bind(i64::from(schedule.enabled))
        .bind(schedule.next_at)
        .bind(documents::write("the schedule", schedule)?)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Removes a schedule; false where there is none.
    pub async fn delete_maintenance_schedule(&mut self, schedule_id: &str) -> Result<bool, StateError> {
        let sql = "DELETE FROM maintenance_schedules WHERE schedule_id = $1";
        Ok(sqlx::query(sql).bind(schedule_id).execute(self.connection()).await?.rows_affected() > 0)
    }
}
