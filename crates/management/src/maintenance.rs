//! Maintenance mode: which objects are in it until when (management group specification 1.11). Windows of an object
//! and of what holds it are taken together: the furthest end counts.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use uuid::Uuid;
pub use watchkeeper_model::maintenance::{DURATION_MINUTES, REASONS};
use watchkeeper_state::{MaintenanceWindow, MonitorOf, StateChange, StateError};
use watchkeeper_wire::proto::MaintenanceRequest;

use crate::operational::{Operational, Work};
use crate::sink::AgentIdentity;

const MINUTE: i64 = 60_000_000;
/// Name space of maintenance that agents ask for.
const ASKED: Uuid = Uuid::from_u128(0x3c9a_5be1_77d4_4f0b_8e26_1d5f_a0c3_92b7);
/// Of an agent's comment.
const MOST_COMMENT: usize = 1024;

/// Why maintenance cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// Too short or too long.
    #[error("maintenance of {0} minutes is not possible; it takes 5 to 1,051,200 minutes (2 years)")]
    Duration(u32),
    /// Not a documented reason.
    #[error("{0:?} is not a reason for maintenance; the reasons are {list}", list = REASONS.join(", "))]
    Reason(String),
    /// The store.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Spans of maintenance by object, expanded over what the objects hold.
#[derive(Debug, Default)]
pub struct MaintenanceIndex {
    spans: RwLock<HashMap<String, Vec<(i64, i64)>>>,
}

impl MaintenanceIndex {
    /// Takes the windows that are in force or to come. `held` gives all that an object hosts or contains, at any depth.
    pub fn replace(&self, windows: &[MaintenanceWindow], held: impl Fn(&str) -> Vec<String>) {
        let mut spans: HashMap<String, Vec<(i64, i64)>> = HashMap::new();
        for window in windows {
            let mut objects = vec![window.object_id.clone()];
            if window.recursive {
                objects.extend(held(&window.object_id));
            }
            for object in objects {
                spans.entry(object).or_default().push((window.starts_at, window.ends_at));
            }
        }
        *self.spans.write().unwrap_or_else(PoisonError::into_inner) = spans;
    }

    /// Whether nothing is in maintenance now or to come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The objects that are in maintenance at a time.
    #[must_use]
    pub fn active(&self, at: i64) -> BTreeSet<String> {
        let spans = self.spans.read().unwrap_or_else(PoisonError::into_inner);
        let active = spans.iter().filter(|(_, spans)| spans.iter().any(|(from, to)| *from <= at && *to > at));
        active.map(|(object, _)| object.clone()).collect()
    }

    /// Whether an object is in maintenance at a time.
    #[must_use]
    pub fn contains(&self, object: &str, at: i64) -> bool {
        self.until(object, at).is_some()
    }

    /// When the maintenance of an object ends that is in force at a time: the furthest end of all windows that follow
    /// one another without a gap.
    #[must_use]
    pub fn until(&self, object: &str, at: i64) -> Option<i64> {
        let spans = self.spans.read().unwrap_or_else(PoisonError::into_inner);
        let spans = spans.get(object)?;
        let mut end = at;
        while let Some(further) = spans.iter().filter(|(from, to)| *from <= end && *to > end).map(|span| span.1).max() {
            end = further;
        }
        (end > at).then_some(end)
    }

    /// Objects whose maintenance ended after `since` and not later than `now`, and is not in force.
    #[must_use]
    pub fn ended(&self, since: i64, now: i64) -> Vec<String> {
        let spans = self.spans.read().unwrap_or_else(PoisonError::into_inner);
        let over = |spans: &[(i64, i64)]| {
            spans.iter().any(|(_, to)| *to > since && *to <= now)
                && !spans.iter().any(|(from, to)| *from <= now && *to > now)
        };
        let mut ended: Vec<_> = spans.iter().filter(|(_, spans)| over(spans)).map(|(id, _)| id.clone()).collect();
        ended.sort();
        ended
    }
}

/// A maintenance to begin now.
#[derive(Debug, Clone, Default)]
pub struct StartMaintenance {
    /// Identities of the objects.
    pub objects: Vec<String>,
    /// With all that they host or contain.
    pub recursive: bool,
    /// How long.
    pub minutes: u32,
    /// One of [`REASONS`].
    pub reason: String,
    /// For people.
    pub comments: String,
    /// Who started it.
    pub started_by: String,
}

impl Work<'_> {
    /// Somebody on an agent's machine asks for maintenance of it.
    pub(crate) fn maintenance(&mut self, agent: &AgentIdentity, asked: &MaintenanceRequest, at: i64) {
        let (agent_id, action) = (&agent.agent_id, "start maintenance");
        let ends_at = at + i64::from(asked.minutes) * MINUTE;
        let computer = self.shared.catalogue.computer_of(agent_id);
        let problem = if !DURATION_MINUTES.contains(&asked.minutes) {
            Some(MaintenanceError::Duration(asked.minutes).to_string())
        } else if !REASONS.contains(&asked.reason.as_str()) {
            Some(MaintenanceError::Reason(asked.reason.chars().take(MOST_COMMENT).collect()).to_string())
        } else if Uuid::try_parse(&asked.id).is_err() {
            Some("it has no identity".to_owned())
        } else if computer.is_none() {
            Some("the agent's computer is not known yet".to_owned())
        } else if ends_at <= self.now {
            Some(format!("its {} minutes were over when it came", asked.minutes))
        } else {
            None
        };
        let (Some(object_id), None) = (computer, &problem) else {
            self.rows.audit(agent_id, "Agent", action, &agent.computer, "Refused", &problem.unwrap_or_default());
            return;
        };
        let comments: String = asked.comments.chars().take(MOST_COMMENT).collect();
        self.rows.audit(agent_id, "Agent", action, &object_id, "Succeeded", &comments);
        // an identity that an agent chooses is its own: it is no window of another
        let window_id = Uuid::new_v5(&ASKED, format!("{agent_id}/{}", asked.id).as_bytes()).to_string();
        self.windows.push(MaintenanceWindow {
            window_id,
            object_id,
            starts_at: at,
            ends_at,
            recursive: true,
            reason: asked.reason.clone(),
            comments,
            started_by: agent.computer.clone(),
            schedule_id: String::new(),
        });
    }
}

impl Operational {
    /// Begins maintenance now; gives the windows.
    ///
    /// # Errors
    /// When duration or reason are not possible, or the store cannot be written.
    pub async fn start_maintenance(
        &self,
        start: &StartMaintenance,
        now: i64,
    ) -> Result<Vec<MaintenanceWindow>, MaintenanceError> {
        if !DURATION_MINUTES.contains(&start.minutes) {
            return Err(MaintenanceError::Duration(start.minutes));
        }
        if !REASONS.contains(&start.reason.as_str()) {
            return Err(MaintenanceError::Reason(start.reason.clone()));
        }
        let shared = self.shared();
        let mut changes = shared.begin().await?;
        let mut windows = Vec::new();
        for object in &start.objects {
            let window = MaintenanceWindow {
                window_id: Uuid::new_v4().to_string(),
                object_id: object.clone(),
                starts_at: now,
                ends_at: now + i64::from(start.minutes) * MINUTE,
                recursive: start.recursive,
                reason: start.reason.clone(),
                comments: start.comments.clone(),
                started_by: start.started_by.clone(),
                schedule_id: String::new(),
            };
            changes.put_maintenance_window(&window).await?;
            windows.push(window);
        }
        Work::new(shared, now).commit(changes).await?;
        Ok(windows)
    }

    /// Ends the maintenance of an object now: all its windows that are in force. Gives how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn stop_maintenance(&self, object: &str, now: i64) -> Result<usize, MaintenanceError> {
        let shared = self.shared();
        let mut changes = shared.begin().await?;
        let mut stopped = 0;
        for mut window in changes.maintenance_windows(now).await? {
            if window.object_id == object && window.starts_at <= now {
                window.ends_at = now;
                changes.put_maintenance_window(&window).await?;
                stopped += 1;
            }
        }
        Work::new(shared, now).commit(changes).await?;
        Ok(stopped)
    }

    /// Reads the windows of the store into the index; `held` gives all that an object hosts or contains.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn refresh_maintenance(
        &self,
        now: i64,
        held: impl Fn(&str) -> Vec<String>,
    ) -> Result<(), MaintenanceError> {
        let shared = self.shared();
        let windows = shared.state.maintenance_windows(now).await?;
        shared.maintenance.replace(&windows, held);
        Ok(())
    }

    /// Alerts for what is still unhealthy on objects whose maintenance is over: while it lasted nothing was said.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn maintenance_over(&self, objects: &[String], now: i64) -> Result<(), MaintenanceError> {
        let shared = self.shared();
        for object in objects {
            let states = shared.state.monitor_states_of(object).await?;
            let mut changes = shared.begin().await?;
            let mut work = Work::new(shared, now);
            for state in states.into_iter().filter(|state| state.health >= 2) {
                let of = MonitorOf { object_id: object.clone(), monitor_id: state.of.monitor_id };
                let change = StateChange {
                    of,
                    changed_at: now,
                    old_health: state.health,
                    new_health: state.health,
                    state: state.state,
                    context: String::new(),
                };
                work.state(change, true);
            }
            work.apply(&mut changes).await?;
            work.commit(changes).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(object: &str, starts_at: i64, ends_at: i64, recursive: bool) -> MaintenanceWindow {
        MaintenanceWindow { object_id: object.into(), starts_at, ends_at, recursive, ..MaintenanceWindow::default() }
    }

    #[test]
    fn the_furthest_end_of_overlapping_windows_counts_and_reaches_what_the_object_holds() {
        let index = MaintenanceIndex::default();
        let windows = [
            window("host", 10, 20, true),
            window("host", 15, 40, false),
            window("disk", 18, 30, false),
            window("host", 50, 60, false),
        ];
        index.replace(&windows, |object| match object {
            "host" => vec!["disk".to_owned()],
            _ => Vec::new(),
        });
        for (object, at, until) in [
            ("host", 9, None),
            ("host", 10, Some(40)),
            ("host", 39, Some(40)),
            ("host", 40, None),
            ("host", 50, Some(60)),
            ("disk", 10, Some(30)),
            ("disk", 30, None),
            ("other", 15, None),
        ] {
            assert_eq!(index.until(object, at), until, "{object} at {at}");
        }
        assert_eq!(index.ended(15, 30), ["disk"]);
        assert_eq!(index.ended(15, 40), ["disk", "host"]);
        assert_eq!(index.ended(40, 45), [] as [&str; 0]);
    }
}
