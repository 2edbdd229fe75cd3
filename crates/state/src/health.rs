//! States of monitors, of units and rolled up, and the history of their changes. Health is 0 not monitored, 1 healthy,
//! 2 warning, 3 critical.

use std::collections::{BTreeMap, HashMap};

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::batch::{self, row};
use crate::{Changes, State, StateError};

/// A monitor of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MonitorOf {
    pub object_id: String,
    pub monitor_id: String,
}

/// The state of a monitor. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorState {
    pub of: MonitorOf,
    pub health: u8,
    /// The operational state of the monitor.
    pub state: String,
    /// Computed from other monitors.
    pub rolled_up: bool,
    pub changed_at: i64,
}

/// One change of a monitor's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    pub of: MonitorOf,
    pub changed_at: i64,
    pub old_health: u8,
    pub new_health: u8,
    pub state: String,
    /// The data item that led to it.
    pub context: String,
}

const COLUMNS: &str = "SELECT object_id, monitor_id, health, state, rolled_up, changed_at FROM monitor_states";

impl State {
    /// Every state, for a server that starts.
    pub async fn monitor_states(&self) -> Result<Vec<MonitorState>, StateError> {
        read_states(&sqlx::query(COLUMNS).fetch_all(&self.pool).await?)
    }

    pub async fn monitor_states_of(&self, object_id: &str) -> Result<Vec<MonitorState>, StateError> {
        let sql = format!("{COLUMNS} WHERE object_id = $1 ORDER BY monitor_id");
        read_states(&sqlx::query(sqlx::AssertSqlSafe(sql)).bind(object_id).fetch_all(&self.pool).await?)
    }

    /// The changes of an object's states, the latest first.
    pub async fn state_changes(&self, object_id: &str, limit: u32) -> Result<Vec<StateChange>, StateError> {
        let rows = sqlx::query(
            "SELECT object_id, monitor_id, changed_at, old_health, new_health, state, context FROM state_changes \
             WHERE object_id = $1 ORDER BY changed_at DESC LIMIT $2",
        )
        .bind(object_id)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(StateChange {
                    of: MonitorOf { object_id: row.try_get(0)?, monitor_id: row.try_get(1)? },
                    changed_at: row.try_get(2)?,
                    old_health: code(row, 3)?,
                    new_health: code(row, 4)?,
                    state: row.try_get(5)?,
                    context: row.try_get(6)?,
                })
            })
            .collect()
    }
}

impl Changes {
    /// The states of these monitors; one that has none is missing.
    pub async fn monitor_states(&mut self, of: &[MonitorOf]) -> Result<HashMap<MonitorOf, MonitorState>, StateError> {
        let keys: Vec<_> = of.iter().map(|of| row![&of.object_id, &of.monitor_id]).collect();
        let head = format!("{COLUMNS} WHERE (object_id, monitor_id) IN (");
        let rows = batch::fetch(self.connection(), &head, ")", &keys).await?;
        Ok(read_states(&rows)?.into_iter().map(|state| (state.of.clone(), state)).collect())
    }

    /// Writes states; of two of the same monitor the later.
    pub async fn put_monitor_states(&mut self, states: &[MonitorState]) -> Result<(), StateError> {
        let number = self.number();
        let last: BTreeMap<&MonitorOf, &MonitorState> = states.iter().map(|state| (&state.of, state)).collect();
        let rows: Vec<_> = last
            .into_values()
            .map(|state| {
                let (of, health) = (&state.of, i64::from(state.health));
                row![&of.object_id, &of.monitor_id, health, &state.state, state.rolled_up, state.changed_at, number]
            })
            .collect();
        batch::execute(
            self.connection(),
            "INSERT INTO monitor_states (object_id, monitor_id, health, state, rolled_up, changed_at, change_number)",
            "ON CONFLICT (object_id, monitor_id) DO UPDATE SET health = excluded.health, state = excluded.state, \
             rolled_up = excluded.rolled_up, changed_at = excluded.changed_at, \
             change_number = excluded.change_number",
            &rows,
        )
        .await?;
        Ok(())
    }

    pub async fn add_state_changes(&mut self, changes: &[StateChange]) -> Result<(), StateError> {
        let rows: Vec<_> = changes
            .iter()
            .map(|change| {
                row![
                    &change.of.object_id,
                    &change.of.monitor_id,
                    change.changed_at,
                    i64::from(change.old_health),
                    i64::from(change.new_health),
                    &change.state,
                    &change.context,
                ]
            })
            .collect();
        let head = "INSERT INTO state_changes (object_id, monitor_id, changed_at, old_health, new_health, state, \
                    context)";
        batch::execute(self.connection(), head, "", &rows).await?;
        Ok(())
    }
}

/// The states of unit monitors that were written after a change, the oldest first.
pub(crate) async fn unit_states_since(
    connection: &mut AnyConnection,
    since: i64,
) -> Result<Vec<MonitorState>, StateError> {
    let sql = format!("{COLUMNS} WHERE change_number > $1 AND rolled_up = 0 ORDER BY changed_at");
    read_states(&sqlx::query(sqlx::AssertSqlSafe(sql)).bind(since).fetch_all(connection).await?)
}

fn code(row: &AnyRow, column: usize) -> Result<u8, StateError> {
    Ok(u8::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default())
}

fn read_states(rows: &[AnyRow]) -> Result<Vec<MonitorState>, StateError> {
    rows.iter()
        .map(|row| {
            Ok(MonitorState {
                of: MonitorOf { object_id: row.try_get(0)?, monitor_id: row.try_get(1)? },
                health: code(row, 2)?,
                state: row.try_get(3)?,
                rolled_up: row.try_get::<i64, _>(4)? != 0,
                changed_at: row.try_get(5)?,
            })
        })
        .collect()
}
