//! Alerts, their history and the resolution states (management group specification 6). The rules of their life are in
//! the management server.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::batch::{self, row};
use crate::{Changes, State, StateError, documents};

/// Where an alert stands; 0 is new, 255 closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResolutionState(pub u8);

impl ResolutionState {
    pub const NEW: Self = Self(0);
    pub const ACKNOWLEDGED: Self = Self(249);
    pub const RESOLVED: Self = Self(254);
    pub const CLOSED: Self = Self(255);
}

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    #[default]
    Information = 0,
    Warning = 1,
    Error = 2,
}

/// How soon somebody should look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Priority {
    Low = 0,
    #[default]
    Normal = 1,
    High = 2,
}

/// An alert with the documented fields. Times are microseconds since the Unix epoch, 0 for never.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alert {
    pub id: String,
    pub name: String,
    pub description: String,
    /// The description before its parameters were filled in.
    pub unformatted_description: String,
    pub class_id: String,
    pub monitoring_object_id: String,
    pub monitoring_object_name: String,
    pub monitoring_object_display_name: String,
    pub monitoring_object_path: String,
    pub monitoring_object_full_name: String,
    /// The health of the object (or, for a monitor's alert, of the monitor) when the alert last followed it.
    pub monitoring_object_health_state: u8,
    pub monitoring_object_in_maintenance_mode: bool,
    pub is_monitor_alert: bool,
    /// The monitor, or empty.
    pub problem_id: String,
    /// The rule, or empty.
    pub rule_id: String,
    pub resolution_state: ResolutionState,
    pub severity: Severity,
    pub priority: Priority,
    pub category: String,
    pub owner: String,
    pub resolved_by: String,
    pub time_raised: i64,
    pub time_added: i64,
    pub last_modified: i64,
    pub last_modified_by: String,
    pub last_modified_by_non_connector: i64,
    pub state_last_modified: i64,
    pub time_resolved: i64,
    pub time_resolution_state_last_modified: i64,
    pub maintenance_mode_last_modified: i64,
    pub repeat_count: u32,
    pub custom_fields: [String; 10],
    pub ticket_id: String,
    pub tfs_work_item_id: String,
    pub tfs_work_item_owner: String,
    pub context: String,
    pub parameters: Vec<String>,
    pub connector_id: String,
    pub connector_status: String,
    pub site_name: String,
    pub principal_name: String,
    pub netbios_computer_name: String,
    pub netbios_domain_name: String,
    /// What makes another one the same while this one is open; empty: nothing.
    pub suppression_key: String,
    /// The monitor's alert closes by itself.
    pub auto_resolve: bool,
    /// The severity is that of the monitor.
    pub match_monitor_health: bool,
    /// Of an alert that a rule over tables made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleFacts>,
    /// Work items that connections have made of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub work_items: Vec<WorkItem>,
}

/// What an alert of a rule over tables says beside. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleFacts {
    /// `log` or `metric`.
    pub kind: String,
    /// The resource identity of the rule.
    pub resource_id: String,
    pub rule_name: String,
    /// 0 critical to 4 verbose.
    pub severity: u8,
    /// It resolves by itself: until then it is not closed by its age.
    pub stateful: bool,
    /// When its condition was over; 0: it is still met.
    pub resolved_at: i64,
    /// Names and values of the series.
    pub dimensions: Vec<(String, String)>,
    pub configuration_items: Vec<String>,
    pub target_ids: Vec<String>,
    /// Resource identities or names.
    pub action_groups: Vec<String>,
    pub custom_properties: BTreeMap<String, String>,
    pub query: String,
    pub window_start: i64,
    pub window_end: i64,
    pub operator: String,
    pub threshold: Option<f64>,
    pub value: Option<f64>,
}

// a measured value is compared bit by bit nowhere; alerts are compared as a whole in tests alone
impl Eq for RuleFacts {}

/// A work item of an outside system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkItem {
    pub connection: String,
    /// `Incident`, `Event`, `Alert`.
    pub kind: String,
    /// The product's identity of it.
    pub id: String,
    pub number: String,
    pub link: String,
    pub state: String,
}

impl Alert {
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.resolution_state != ResolutionState::CLOSED
    }

    /// Whether its cause is there: a condition that is met, or, of the management group, an alert that is open.
    #[must_use]
    pub fn is_fired(&self) -> bool {
        self.rule.as_ref().map_or_else(|| self.is_open(), |rule| rule.resolved_at == 0)
    }

    /// How bad it is on the scale from 0 (critical) to 4 (verbose). Of the management group: errors are 1, or 0 with
    /// high priority, warnings 2, information 3.
    #[must_use]
    pub fn severity_number(&self) -> u8 {
        match (&self.rule, self.severity, self.priority) {
            (Some(rule), ..) => rule.severity,
            (None, Severity::Error, Priority::High) => 0,
            (None, Severity::Error, _) => 1,
            (None, Severity::Warning, _) => 2,
            (None, Severity::Information, _) => 3,
        }
    }

    /// The monitor or rule that raised it.
    #[must_use]
    pub fn workflow_id(&self) -> &str {
        if self.is_monitor_alert { &self.problem_id } else { &self.rule_id }
    }
}

/// An entry of an alert's history: who did what, and the alert after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertHistory {
    pub changed_at: i64,
    pub changed_by: String,
    pub comment: String,
    pub alert: Alert,
}

/// A name for a resolution state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolutionStateName {
    pub code: ResolutionState,
    pub name: String,
    /// Cannot be changed or removed.
    pub built_in: bool,
}

/// Which alerts are asked for; all conditions hold.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Not closed.
    pub open: bool,
    pub object_id: Option<String>,
    pub workflow_id: Option<String>,
    pub resolution_state: Option<ResolutionState>,
    pub minimum_severity: Option<Severity>,
    pub owner: Option<String>,
    /// Modified at or after.
    pub modified_since: Option<i64>,
    /// Its resolution state has been the same since before.
    pub state_unchanged_since: Option<i64>,
    /// At most so many, the last modified first; 0: all.
    pub limit: u32,
}

impl State {
    pub async fn alert(&self, id: &str) -> Result<Option<Alert>, StateError> {
        let row =
            sqlx::query("SELECT document FROM alerts WHERE alert_id = $1").bind(id).fetch_optional(&self.pool).await?;
        row.map(|row| documents::read("the alert", &row, 0)).transpose()
    }

    /// The last modified first.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<Alert>, StateError> {
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        let mut add = |condition: &str, value: batch::Value| {
            values.push(value);
            conditions.push(format!("{condition} ${}", values.len()));
        };
        if let Some(id) = &filter.object_id {
            add("object_id =", id.into());
        }
        if let Some(id) = &filter.workflow_id {
            add("workflow_id =", id.into());
        }
        if let Some(state) = filter.resolution_state {
            add("resolution_state =", i64::from(state.0).into());
        }
        if let Some(severity) = filter.minimum_severity {
            add("severity >=", (severity as i64).into());
        }
        if let Some(owner) = &filter.owner {
            add("owner =", owner.into());
        }
        if let Some(at) = filter.modified_since {
            add("last_modified >=", at.into());
        }
        if let Some(at) = filter.state_unchanged_since {
            add("state_modified <", at.into());
        }
        if filter.open {
            conditions.push("resolution_state <> 255".to_owned());
        }
        let mut sql = "SELECT document FROM alerts".to_owned();
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        sql.push_str(" ORDER BY last_modified DESC, alert_id");
        if filter.limit > 0 {
            sql.push_str(&format!(" LIMIT {}", filter.limit));
        }
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for value in values {
            query = match value {
                batch::Value::Text(text) => query.bind(text),
                batch::Value::Int(number) => query.bind(number),
            };
        }
        documents::read_all("the alert", &query.fetch_all(&self.pool).await?, 0)
    }

    /// The oldest first.
    pub async fn alert_history(&self, id: &str) -> Result<Vec<AlertHistory>, StateError> {
        let sql = "SELECT changed_at, changed_by, comment, document FROM alert_history WHERE alert_id = $1 \
                   ORDER BY changed_at";
        let rows = sqlx::query(sql).bind(id).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(AlertHistory {
                    changed_at: row.try_get(0)?,
                    changed_by: row.try_get(1)?,
                    comment: row.try_get(2)?,
                    alert: documents::read("the alert's history", row, 3)?,
                })
            })
            .collect()
    }

    /// Every resolution state, by code.
    pub async fn resolution_states(&self) -> Result<Vec<ResolutionStateName>, StateError> {
        let rows = sqlx::query("SELECT code, name, built_in FROM resolution_states ORDER BY code")
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let code = u8::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default();
                let built_in = row.try_get::<i64, _>(2)? != 0;
                Ok(ResolutionStateName { code: ResolutionState(code), name: row.try_get(1)?, built_in })
            })
            .collect()
    }

    /// Names a custom resolution state; false where the code is a built-in one's.
    pub async fn put_resolution_state(&self, code: ResolutionState, name: &str) -> Result<bool, StateError> {
        let done = sqlx::query(
            "INSERT INTO resolution_states (code, name, built_in) VALUES ($1, $2, 0) \
             ON CONFLICT (code) DO UPDATE SET name = excluded.name WHERE resolution_states.built_in = 0",
        )
        .bind(i64::from(code.0))
        .bind(name)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes a custom resolution state; false where there is none.
    pub async fn delete_resolution_state(&self, code: ResolutionState) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM resolution_states WHERE code = $1 AND built_in = 0")
            .bind(i64::from(code.0))
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

impl Changes {
    /// The alerts of these identities.
    pub async fn alerts(&mut self, ids: &[String]) -> Result<Vec<Alert>, StateError> {
        let ids: Vec<_> = ids.iter().map(|id| row![id]).collect();
        let rows =
            batch::fetch(self.connection(), "SELECT document FROM alerts WHERE alert_id IN (", ")", &ids).await?;
        documents::read_all("the alert", &rows, 0)
    }

    /// The open alerts of these suppression keys, by key.
    pub async fn open_alerts(&mut self, keys: &[String]) -> Result<HashMap<String, Alert>, StateError> {
        let keys: Vec<_> = keys.iter().filter(|key| !key.is_empty()).map(|key| row![key]).collect();
        let head = "SELECT document FROM alerts WHERE resolution_state <> 255 AND suppression_key <> '' \
                    AND suppression_key IN (";
        let rows = batch::fetch(self.connection(), head, ")", &keys).await?;
        let alerts: Vec<Alert> = documents::read_all("the alert", &rows, 0)?;
        Ok(alerts.into_iter().map(|alert| (alert.suppression_key.clone(), alert)).collect())
    }

    /// Writes alerts, new or changed; of two with the same identity the later.
    pub async fn put_alerts(&mut self, alerts: &[Alert]) -> Result<(), StateError> {
        let last: BTreeMap<&str, &Alert> = alerts.iter().map(|alert| (alert.id.as_str(), alert)).collect();
        // closed ones first: a new alert may take the key of one that closes in the same group
        let (closed, open): (Vec<&Alert>, Vec<&Alert>) = last.into_values().partition(|alert| !alert.is_open());
        for group in [closed, open] {
            let rows = group.into_iter().map(alert_row).collect::<Result<Vec<_>, _>>()?;
            batch::execute(
                self.connection(),
                "INSERT INTO alerts (alert_id, suppression_key, workflow_id, object_id, is_monitor, severity, \
                 priority, resolution_state, owner, time_raised, last_modified, state_modified, time_resolved, \
                 document)",
                "ON CONFLICT (alert_id) DO UPDATE SET severity = excluded.severity, priority = excluded.priority, \
                 resolution_state = excluded.resolution_state, owner = excluded.owner, \
                 last_modified = excluded.last_modified, state_modified = excluded.state_modified, \
                 time_resolved = excluded.time_resolved, document = excluded.document",
                &rows,
            )
            .await?;
        }
        Ok(())
    }

    pub async fn add_alert_history(&mut self, entries: &[AlertHistory]) -> Result<(), StateError> {
        let rows = entries
            .iter()
            .map(|entry| {
                let document = documents::write("the alert's history", &entry.alert)?;
                Ok(row![&entry.alert.id, entry.changed_at, &entry.changed_by, &entry.comment, document])
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        let head = "INSERT INTO alert_history (alert_id, changed_at, changed_by, comment, document)";
        batch::execute(self.connection(), head, "", &rows).await?;
        Ok(())
    }
}

fn alert_row(alert: &Alert) -> Result<Vec<batch::Value>, StateError> {
    Ok(row![
        &alert.id,
        &alert.suppression_key,
        alert.workflow_id(),
        &alert.monitoring_object_id,
        alert.is_monitor_alert,
        alert.severity as i64,
        alert.priority as i64,
        i64::from(alert.resolution_state.0),
        &alert.owner,
        alert.time_raised,
        alert.last_modified,
        alert.time_resolution_state_last_modified,
        alert.time_resolved,
        documents::write("the alert", alert)?,
    ])
}
