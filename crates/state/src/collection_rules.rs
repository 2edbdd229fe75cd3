//! Data collection rules: where the Logs Ingestion API finds streams, transformations and destinations.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{State, StateError, now};

/// A data collection rule; its document is the JSON of the rule, checked by who writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionRule {
    /// `dcr-` and 32 hexadecimal digits, as senders name it.
    pub immutable_id: String,
    pub workspace_id: String,
    pub name: String,
    pub document: String,
}

const COLUMNS: &str = "SELECT immutable_id, workspace_id, name, document FROM data_collection_rules";

impl State {
    pub async fn collection_rule(&self, immutable_id: &str) -> Result<Option<CollectionRule>, StateError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE immutable_id = $1")))
            .bind(immutable_id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_rule).transpose()
    }

    /// Every rule, by name.
    pub async fn collection_rules(&self) -> Result<Vec<CollectionRule>, StateError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY name, immutable_id")))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_rule).collect()
    }

    /// Writes a rule, replacing the one with the same immutable id.
    pub async fn put_collection_rule(&self, rule: &CollectionRule) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO data_collection_rules (immutable_id, workspace_id, name, document, updated_at) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (immutable_id) DO UPDATE SET workspace_id = excluded.workspace_id, name = excluded.name, \
             document = excluded.document, updated_at = excluded.updated_at",
        )
        .bind(&rule.immutable_id)
        .bind(&rule.workspace_id)
        .bind(&rule.name)
        .bind(&rule.document)
        .bind(now())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Removes a rule; false where there was none.
    pub async fn delete_collection_rule(&self, immutable_id: &str) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM data_collection_rules WHERE immutable_id = $1")
            .bind(immutable_id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn read_rule(row: &AnyRow) -> Result<CollectionRule, StateError> {
    Ok(CollectionRule {
        immutable_id: row.try_get(0)?,
        workspace_id: row.try_get(1)?,
        name: row.try_get(2)?,
        document: row.try_get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_rule_is_found_by_its_immutable_id() {
        stores::each(|place| async move {
            let state = place.open().await;
            let workspace = state.create_workspace("default").await.unwrap();
            let rule = CollectionRule {
                immutable_id: "dcr-1".into(),
                workspace_id: workspace.id,
                name: "app".into(),
                document: "{}".into(),
            };
            state.put_collection_rule(&rule).await.unwrap();
            assert_eq!(state.collection_rule("dcr-1").await.unwrap(), Some(rule.clone()));
            assert_eq!(state.collection_rule("dcr-2").await.unwrap(), None);
            assert_eq!(state.collection_rules().await.unwrap(), vec![rule]);
            assert!(state.delete_collection_rule("dcr-1").await.unwrap());
        })
        .await;
    }
}
