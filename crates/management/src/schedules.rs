//! Recurring maintenance (management group specification 1.11): schedules in the local time of a zone, whose windows
//! come into being when they begin. Every server may turn them: a window of a schedule is the same on all.

use std::str::FromStr;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use watchkeeper_model::maintenance::{Recurrence, Schedule, ScheduleError, Window};
use watchkeeper_state::{MaintenanceSchedule, MaintenanceWindow, StateError};

use crate::maintenance::REASONS;
use crate::operational::{Operational, Work};

/// How far ahead the next window is looked for.
const HORIZON: i64 = 20 * 366 * 86_400_000_000;
const WINDOWS: Uuid = Uuid::from_u128(0x7f1c_02d6_9a55_4d0e_8a4b_1c60_93de_5b21);

/// What recurs, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurring {
    /// When.
    pub schedule: Schedule,
    /// The zone by its name, such as `Europe/Berlin`.
    pub zone: String,
}

/// A schedule to keep.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// What people call it.
    pub name: String,
    /// Identities of the objects.
    pub objects: Vec<String>,
    /// With all that they host or contain.
    pub recursive: bool,
    /// When.
    pub recurring: Recurring,
    /// One of [`REASONS`].
    pub reason: String,
    /// For people.
    pub comments: String,
    /// Who made it.
    pub created_by: String,
}

/// Why a schedule is not kept.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleProblem {
    /// What recurs is not possible.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// No such zone.
    #[error("there is no time zone {0:?}; name one of the IANA database, such as Europe/Berlin or UTC")]
    Zone(String),
    /// Not a documented reason.
    #[error("{0:?} is not a reason for maintenance; the reasons are {list}", list = REASONS.join(", "))]
    Reason(String),
    /// Nothing to put into maintenance.
    #[error("a schedule needs at least one object")]
    Nothing,
    /// All its windows are over.
    #[error("no window of the schedule is still to come; give a later start or end")]
    Over,
    /// Another has the name.
    #[error("there is a schedule {0:?} already; remove it first or choose another name")]
    Known(String),
    /// The store.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Recurring {
    fn zone(&self) -> Result<Tz, ScheduleProblem> {
        Tz::from_str(&self.zone).map_err(|_| ScheduleProblem::Zone(self.zone.clone()))
    }

    /// The windows that have a part in a stretch of time, the earliest first.
    ///
    /// # Errors
    /// Where the zone is not known.
    pub fn windows(&self, within: Window) -> Result<Vec<Window>, ScheduleProblem> {
        let mut windows = self.schedule.windows(&self.zone()?, within);
        windows.sort_unstable();
        Ok(windows)
    }

    /// When the next window starts that ends after a time; 0: there is none.
    fn next(&self, from: i64) -> Result<i64, ScheduleProblem> {
        let windows = self.windows(Window { start: from, end: from.saturating_add(HORIZON) })?;
        Ok(windows.first().map_or(0, |window| window.start))
    }

    /// When the next window starts after a time; 0: there is none.
    fn next_start(&self, after: i64) -> Result<i64, ScheduleProblem> {
        let windows = self.windows(Window { start: after, end: after.saturating_add(HORIZON) })?;
        Ok(windows.iter().find(|window| window.start > after).map_or(0, |window| window.start))
    }
}

impl Operational {
    /// Keeps a schedule.
    ///
    /// # Errors
    /// When it is not possible, or the store cannot be written.
    pub async fn add_schedule(&self, new: NewSchedule, now: i64) -> Result<MaintenanceSchedule, ScheduleProblem> {
        new.recurring.schedule.check()?;
        if !REASONS.contains(&new.reason.as_str()) {
            return Err(ScheduleProblem::Reason(new.reason));
        }
        if new.objects.is_empty() {
            return Err(ScheduleProblem::Nothing);
        }
        let next_at = new.recurring.next(now)?;
        if next_at == 0 {
            return Err(ScheduleProblem::Over);
        }
        let shared = self.shared();
        if shared.state.maintenance_schedules().await?.iter().any(|known| known.name == new.name) {
            return Err(ScheduleProblem::Known(new.name));
        }
        let schedule = MaintenanceSchedule {
            schedule_id: Uuid::new_v4().to_string(),
            name: new.name,
            enabled: true,
            object_ids: new.objects,
            recursive: new.recursive,
            duration_minutes: new.recurring.schedule.minutes,
            recurrence: serde_json::to_value(&new.recurring).unwrap_or_default(),
            reason: new.reason,
            comments: new.comments,
            created_by: new.created_by,
            next_at,
        };
        let mut changes = shared.begin().await?;
        changes.put_maintenance_schedule(&schedule).await?;
        Work::new(shared, now).commit(changes).await?;
        Ok(schedule)
    }

    /// Lets a schedule rest, or go on with its next window, by its name or identity; `None` where there is none. A window
    /// that has begun goes on.
    ///
    /// # Errors
    /// When all its windows are over, or the store cannot be written.
    pub async fn enable_schedule(
        &self,
        named: &str,
        enabled: bool,
        now: i64,
    ) -> Result<Option<MaintenanceSchedule>, ScheduleProblem> {
        let shared = self.shared();
        let all = shared.state.maintenance_schedules().await?;
        let Some(mut schedule) = all.into_iter().find(|known| known.schedule_id == named || known.name == named) else {
            return Ok(None);
        };
        if enabled && !schedule.enabled {
            let recurring: Option<Recurring> = serde_json::from_value(schedule.recurrence.clone()).ok();
            schedule.next_at = recurring.map_or(Ok(0), |recurring| recurring.next(now))?;
            if schedule.next_at == 0 {
                return Err(ScheduleProblem::Over);
            }
        }
        schedule.enabled = enabled;
        let mut changes = shared.begin().await?;
        changes.put_maintenance_schedule(&schedule).await?;
        Work::new(shared, now).commit(changes).await?;
        Ok(Some(schedule))
    }

    /// Removes a schedule by its name or identity; false where there is none. A window that has begun goes on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remove_schedule(&self, named: &str, now: i64) -> Result<bool, StateError> {
        let shared = self.shared();
        let all = shared.state.maintenance_schedules().await?;
        let Some(found) = all.iter().find(|known| known.schedule_id == named || known.name == named) else {
            return Ok(false);
        };
        let mut changes = shared.begin().await?;
        let removed = changes.delete_maintenance_schedule(&found.schedule_id).await?;
        Work::new(shared, now).commit(changes).await?;
        Ok(removed)
    }

    /// Begins the windows whose time has come; gives how many. A window that was missed and is not over begins late,
    /// one that is over does not begin.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn turn_schedules(&self, now: i64) -> Result<usize, StateError> {
        let shared = self.shared();
        let mut begun = 0;
        for mut schedule in shared.state.due_maintenance_schedules(now).await? {
            let (windows, next_at) = match due(&schedule, now) {
                Ok(due) => due,
                Err(problem) => {
                    tracing::error!(schedule = schedule.name, problem, "a maintenance schedule cannot go on");
                    (Vec::new(), 0)
                }
            };
            let mut changes = shared.begin().await?;
            let mut work = Work::new(shared, now);
            for window in windows {
                for object in &schedule.object_ids {
                    let window = window_of(&schedule, object, window);
                    changes.put_maintenance_window(&window).await?;
                    let reason = format!("schedule {}", schedule.name);
                    work.rows.audit(&schedule.created_by, "User", "start maintenance", object, "Succeeded", &reason);
                    begun += 1;
                }
            }
            schedule.next_at = next_at;
            changes.put_maintenance_schedule(&schedule).await?;
            work.commit(changes).await?;
        }
        Ok(begun)
    }
}

/// The windows of a schedule that are to begin, and when it is due again.
fn due(schedule: &MaintenanceSchedule, now: i64) -> Result<(Vec<Window>, i64), String> {
    let recurring: Recurring =
        serde_json::from_value(schedule.recurrence.clone()).map_err(|error| error.to_string())?;
    let windows = recurring.windows(Window { start: now, end: now + 1 }).map_err(|problem| problem.to_string())?;
    let next_at = recurring.next_start(now).map_err(|problem| problem.to_string())?;
    Ok((windows.into_iter().filter(|window| window.start >= schedule.next_at).collect(), next_at))
}

fn window_of(schedule: &MaintenanceSchedule, object: &str, window: Window) -> MaintenanceWindow {
    let name = format!("{}/{object}/{}", schedule.schedule_id, window.start);
    MaintenanceWindow {
        window_id: Uuid::new_v5(&WINDOWS, name.as_bytes()).to_string(),
        object_id: object.to_owned(),
        starts_at: window.start,
        ends_at: window.end,
        recursive: schedule.recursive,
        reason: schedule.reason.clone(),
        comments: schedule.comments.clone(),
        started_by: schedule.created_by.clone(),
        schedule_id: schedule.schedule_id.clone(),
    }
}

/// What recurs from the documented codes and a local start.
///
/// # Errors
/// Where a code has no meaning.
pub fn recurrence(codes: [u32; 4]) -> Result<Recurrence, ScheduleError> {
    let [kind, interval, relative, factor] = codes;
    Recurrence::from_codes(kind, interval, relative, factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;
    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_schedule_keeps_its_local_hour_when_clocks_change_and_missed_windows_begin_late_or_not() {
        // Sundays at 01:30 in Berlin, from 2026-03-22 (a Sunday) on; clocks go forward on 2026-03-29
        let start = 1_774_143_000;
        let weekly = Schedule { start, minutes: 60, recurrence: Recurrence::Weekly { days: 1, every: 1 }, until: None };
        let recurring = Recurring { schedule: weekly, zone: "Europe/Berlin".into() };
        let mut at = 0;
        let mut starts = Vec::new();
        for _ in 0..3 {
            at = recurring.next_start(at.max((start - 2 * HOUR) * SECOND)).unwrap();
            starts.push(at / SECOND);
        }
        let week = 7 * 24 * HOUR;
        // winter time is an hour ahead of UTC, summer time two
        assert_eq!(starts, [start - HOUR, start + week - HOUR, start + 2 * week - 2 * HOUR]);

        let first = starts[0] * SECOND;
        let schedule = MaintenanceSchedule {
            recurrence: serde_json::to_value(&recurring).unwrap(),
            next_at: first,
            ..MaintenanceSchedule::default()
        };
        for (now, begins) in [(0, 1), (59 * 60, 1), (HOUR, 0), (week, 1)] {
            let (windows, next) = due(&schedule, first + now * SECOND).unwrap();
            assert_eq!(windows.len(), begins, "{now}");
            assert!(next > first + now * SECOND);
        }
        let unknown = Recurring { zone: "Europe/Atlantis".into(), ..recurring };
        assert!(matches!(unknown.next(0), Err(ScheduleProblem::Zone(zone)) if zone == "Europe/Atlantis"));
    }
}
