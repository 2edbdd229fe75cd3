//! Alert rules over tables, action groups and processing rules as resources, and what rules remember between their
//! evaluations.

use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::batch::{self, row};
use crate::{Changes, State, StateError, documents};

/// The setting that changes with every change of a resource.
const REVISION: &str = "alerting.revision";

/// What kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertingKind {
    AlertRule,
    ActionGroup,
    ProcessingRule,
}

impl AlertingKind {
    const fn word(self) -> &'static str {
        match self {
            AlertingKind::AlertRule => "alert-rule",
            AlertingKind::ActionGroup => "action-group",
            AlertingKind::ProcessingRule => "processing-rule",
        }
    }
}

/// A resource as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertingResource {
    /// Unique within its kind, in lower case.
    pub key: String,
    pub document: Value,
    /// Microseconds since 1970.
    pub modified_at: i64,
    pub modified_by: String,
}

/// What a rule remembers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertRuleRun {
    pub rule_key: String,
    /// The end of the newest window that was evaluated, microseconds since 1970.
    pub last_end: i64,
    pub document: Value,
}

const COLUMNS: &str = "SELECT resource_key, document, sealed, modified_at, modified_by FROM alerting_resources";

impl State {
    /// All resources of a kind, by key.
    pub async fn alerting_resources(&self, kind: AlertingKind) -> Result<Vec<AlertingResource>, StateError> {
        let sql = format!("{COLUMNS} WHERE kind = $1 ORDER BY resource_key");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(kind.word()).fetch_all(&self.pool).await?;
        rows.iter().map(|row| self.read_alerting_resource(row)).collect()
    }

    /// One resource.
    pub async fn alerting_resource(
        &self,
        kind: AlertingKind,
        key: &str,
    ) -> Result<Option<AlertingResource>, StateError> {
        let sql = format!("{COLUMNS} WHERE kind = $1 AND resource_key = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(kind.word()).bind(key).fetch_optional(&self.pool).await?;
        row.as_ref().map(|row| self.read_alerting_resource(row)).transpose()
    }

    fn read_alerting_resource(&self, row: &AnyRow) -> Result<AlertingResource, StateError> {
        let key: String = row.try_get(0)?;
        let document: String = row.try_get(1)?;
        let document = match row.try_get::<i64, _>(2)? {
            0 => document,
            _ => self.seal.unseal(&key, &document)?,
        };
        Ok(AlertingResource {
            key,
            document: documents::parse("the alerting resource", &document)?,
            modified_at: row.try_get(3)?,
            modified_by: row.try_get(4)?,
        })
    }

    /// Writes a resource, replacing the one with the same key. Action groups are encrypted: their addresses have secrets.
    pub async fn put_alerting_resource(
        &self,
        kind: AlertingKind,
        resource: &AlertingResource,
    ) -> Result<(), StateError> {
        let mut document = documents::write("the alerting resource", &resource.document)?;
        let sealed = kind == AlertingKind::ActionGroup;
        if sealed {
            document = self.seal.seal(&resource.key, &document);
        }
        sqlx::query(
            "INSERT INTO alerting_resources (kind, resource_key, document, sealed, modified_at, modified_by) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kind, resource_key) DO UPDATE SET \
             document = excluded.document, sealed = excluded.sealed, modified_at = excluded.modified_at, \
             modified_by = excluded.modified_by",
        )
        .bind(kind.word())
        .bind(&resource.key)
        .bind(document)
        .bind(i64::from(sealed))
        .bind(resource.modified_at)
        .bind(&resource.modified_by)
        .execute(&self.writer)
        .await?;
        self.put_setting(REVISION, &crate::random_token()).await
    }

    /// Removes a resource; false where there was none.
    pub async fn delete_alerting_resource(&self, kind: AlertingKind, key: &str) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM alerting_resources WHERE kind = $1 AND resource_key = $2")
            .bind(kind.word())
            .bind(key)
            .execute(&self.writer)
            .await?;
        self.put_setting(REVISION, &crate::random_token()).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Another value after every change of a resource, on whichever server.
    pub async fn alerting_revision(&self) -> Result<String, StateError> {
        Ok(self.setting(REVISION).await?.unwrap_or_default())
    }

    /// What all rules remember.
    pub async fn alert_rule_runs(&self) -> Result<Vec<AlertRuleRun>, StateError> {
        let sql = "SELECT rule_key, last_end, document FROM alert_rule_runs";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(AlertRuleRun {
                    rule_key: row.try_get(0)?,
                    last_end: row.try_get(1)?,
                    document: documents::read("what an alert rule remembers", row, 2)?,
                })
            })
            .collect()
    }

    /// What one rule remembers.
    pub async fn alert_rule_run(&self, rule_key: &str) -> Result<Option<AlertRuleRun>, StateError> {
        let sql = "SELECT last_end, document FROM alert_rule_runs WHERE rule_key = $1";
        let row = sqlx::query(sql).bind(rule_key).fetch_optional(&self.pool).await?;
        row.map(|row| {
            Ok(AlertRuleRun {
                rule_key: rule_key.to_owned(),
                last_end: row.try_get(0)?,
                document: documents::read("what an alert rule remembers", &row, 1)?,
            })
        })
        .transpose()
    }
}

impl Changes {
    pub async fn put_alert_rule_runs(&mut self, runs: &[AlertRuleRun]) -> Result<(), StateError> {
        let rows = runs
            .iter()
            .map(|run| {
                let document = documents::write("what an alert rule remembers", &run.document)?;
                Ok(row![&run.rule_key, run.last_end, document])
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        batch::execute(
            self.connection(),
            "INSERT INTO alert_rule_runs (rule_key, last_end, document)",
            "ON CONFLICT (rule_key) DO UPDATE SET last_end = excluded.last_end, document = excluded.document",
            &rows,
        )
        .await?;
        Ok(())
    }

    /// Forgets what a rule remembered.
    pub async fn delete_alert_rule_run(&mut self, rule_key: &str) -> Result<(), StateError> {
        sqlx::query("DELETE FROM alert_rule_runs WHERE rule_key = $1")
            .bind(rule_key)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn resources_are_written_replaced_and_removed_and_action_groups_are_sealed() {
        stores::each(|place| async move {
            let state = place.open().await;
            let mut resource = AlertingResource {
                key: "actiongroups/g/a".into(),
                document: json!({"uri": "https://me:very-secret@host"}),
                modified_at: 1,
                modified_by: "me".into(),
            };
            let first = state.alerting_revision().await.unwrap();
            state.put_alerting_resource(AlertingKind::ActionGroup, &resource).await.unwrap();
            assert_ne!(state.alerting_revision().await.unwrap(), first);
            resource.modified_at = 2;
            state.put_alerting_resource(AlertingKind::ActionGroup, &resource).await.unwrap();
            let kind = AlertingKind::ActionGroup;
            assert_eq!(state.alerting_resources(kind).await.unwrap(), [resource.clone()]);
            assert_eq!(state.alerting_resource(kind, &resource.key).await.unwrap(), Some(resource.clone()));
            let row = sqlx::query("SELECT document FROM alerting_resources").fetch_one(&state.pool).await.unwrap();
            assert!(!row.try_get::<String, _>(0).unwrap().contains("very-secret"));
            assert!(state.alerting_resources(AlertingKind::AlertRule).await.unwrap().is_empty());
            assert!(state.delete_alerting_resource(kind, &resource.key).await.unwrap());
            assert!(!state.delete_alerting_resource(kind, &resource.key).await.unwrap());
        })
        .await;
    }

    #[tokio::test]
    async fn what_rules_remember_is_replaced() {
        stores::each(|place| async move {
            let state = place.open().await;
            let mut run = AlertRuleRun { rule_key: "a".into(), last_end: 5, document: json!({"x": 1}) };
            for end in [5, 6] {
                run.last_end = end;
                let mut changes = state.change().await.unwrap();
                changes.put_alert_rule_runs(std::slice::from_ref(&run)).await.unwrap();
                changes.commit().await.unwrap();
            }
            assert_eq!(state.alert_rule_runs().await.unwrap(), [run.clone()]);
            let mut changes = state.change().await.unwrap();
            changes.delete_alert_rule_run("a").await.unwrap();
            changes.commit().await.unwrap();
            assert_eq!(state.alert_rule_run("a").await.unwrap(), None);
        })
        .await;
    }
}
