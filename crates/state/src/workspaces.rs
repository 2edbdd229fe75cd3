//! Workspaces and their two keys for the Data Collector API. The keys are encrypted at rest.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::{State, StateError, now, random_bytes};

/// A workspace with its keys: base64 of 64 random bytes each, as senders write them in their settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: String,
    pub name: String,
    pub primary_key: String,
    pub secondary_key: String,
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workspace(id: {}, name: {:?})", self.id, self.name)
    }
}

/// Which of the two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkspaceKey {
    Primary,
    Secondary,
}

const COLUMNS: &str = "SELECT id, name, primary_key, secondary_key FROM workspaces";

impl State {
    pub async fn create_workspace(&self, name: &str) -> Result<Workspace, StateError> {
        let workspace = Workspace {
            id: Uuid::new_v4().to_string(),
            name: name.to_owned(),
            primary_key: new_key(),
            secondary_key: new_key(),
        };
        sqlx::query(
            "INSERT INTO workspaces (id, name, primary_key, secondary_key, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&workspace.id)
        .bind(name)
        .bind(self.seal.seal(&workspace.id, &workspace.primary_key))
        .bind(self.seal.seal(&workspace.id, &workspace.secondary_key))
        .bind(now())
        .execute(&self.writer)
        .await?;
        Ok(workspace)
    }

    pub async fn workspace(&self, id: &str) -> Result<Option<Workspace>, StateError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1")))
            .bind(id.to_ascii_lowercase())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| self.read_workspace(&row)).transpose()
    }

    /// Every workspace, the oldest first.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, StateError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY created_at, id")))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| self.read_workspace(row)).collect()
    }

    /// Replaces one key by a new one; the old one stops working at once.
    pub async fn regenerate_key(&self, id: &str, which: WorkspaceKey) -> Result<Workspace, StateError> {
        let sql = match which {
            WorkspaceKey::Primary => "UPDATE workspaces SET primary_key = $1 WHERE id = $2",
            WorkspaceKey::Secondary => "UPDATE workspaces SET secondary_key = $1 WHERE id = $2",
        };
        sqlx::query(sql).bind(self.seal.seal(id, &new_key())).bind(id).execute(&self.writer).await?;
        self.workspace(id).await?.ok_or_else(|| StateError::Missing { what: "the workspace", name: id.to_owned() })
    }

    fn read_workspace(&self, row: &AnyRow) -> Result<Workspace, StateError> {
        let id: String = row.try_get(0)?;
        let primary: String = row.try_get(2)?;
        let secondary: String = row.try_get(3)?;
        Ok(Workspace {
            primary_key: self.seal.unseal(&id, &primary)?,
            secondary_key: self.seal.unseal(&id, &secondary)?,
            name: row.try_get(1)?,
            id,
        })
    }
}

fn new_key() -> String {
    STANDARD.encode(random_bytes::<64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn regenerating_one_key_leaves_the_other() {
        stores::each(|place| async move {
            let state = place.open().await;
            let before = state.create_workspace("default").await.unwrap();
            assert_ne!(before.primary_key, before.secondary_key);
            assert_eq!(STANDARD.decode(&before.primary_key).unwrap().len(), 64);
            let after = state.regenerate_key(&before.id, WorkspaceKey::Primary).await.unwrap();
            assert_ne!(after.primary_key, before.primary_key);
            assert_eq!(after.secondary_key, before.secondary_key);
            assert_eq!(state.workspaces().await.unwrap(), vec![after]);
            assert!(state.regenerate_key("none", WorkspaceKey::Primary).await.is_err());
        })
        .await;
    }
}
