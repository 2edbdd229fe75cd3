//! Saved queries and functions of a workspace. One with an alias can be called by that name in a query.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{State, StateError, now};

/// A saved query; a function where `function_alias` is not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedQuery {
    pub id: String,
    pub name: String,
    pub category: String,
    pub query: String,
    /// The name that queries call it by, or empty.
    pub function_alias: String,
    /// The parameters as written in KQL, for instance `computer: string, top: long = 10`, or empty.
    pub function_parameters: String,
    /// JSON, as the API has them.
    pub tags: String,
    /// Another one after every write.
    pub etag: String,
}

const COLUMNS: &str = "SELECT id, name, category, query, function_alias, function_parameters, tags, etag \
                       FROM saved_queries";

impl State {
    /// The saved queries of a workspace, by category and name.
    pub async fn saved_queries(&self, workspace_id: &str) -> Result<Vec<SavedQuery>, StateError> {
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE workspace_id = $1 ORDER BY category, name, id")))
                .bind(workspace_id)
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(read_saved_query).collect()
    }

    pub async fn saved_query(&self, workspace_id: &str, id: &str) -> Result<Option<SavedQuery>, StateError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE workspace_id = $1 AND id = $2")))
            .bind(workspace_id)
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_saved_query).transpose()
    }

    /// Writes a saved query, replacing the one with the same id.
    pub async fn put_saved_query(&self, workspace_id: &str, saved: &SavedQuery) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO saved_queries \
             (workspace_id, id, name, category, query, function_alias, function_parameters, updated_at, tags, etag) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             ON CONFLICT (workspace_id, id) DO UPDATE SET name = excluded.name, category = excluded.category, \
             query = excluded.query, function_alias = excluded.function_alias, \
             function_parameters = excluded.function_parameters, updated_at = excluded.updated_at, \
             tags = excluded.tags, etag = excluded.etag",
        )
        .bind(workspace_id)
        .bind(&saved.id)
        .bind(&saved.name)
        .bind(&saved.category)
        .bind(&saved.query)
        .bind(&saved.function_alias)
        .bind(&saved.function_parameters)
        .bind(now())
        .bind(if saved.tags.is_empty() { "[]" } else { saved.tags.as_str() })
        .bind(&saved.etag)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Removes a saved query; false where there was none.
    pub async fn delete_saved_query(&self, workspace_id: &str, id: &str) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM saved_queries WHERE workspace_id = $1 AND id = $2")
            .bind(workspace_id)
            .bind(id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn read_saved_query(row: &AnyRow) -> Result<SavedQuery, StateError> {
    Ok(SavedQuery {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        category: row.try_get(2)?,
        query: row.try_get(3)?,
        function_alias: row.try_get(4)?,
        function_parameters: row.try_get(5)?,
        tags: row.try_get(6)?,
        etag: row.try_get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_saved_query_is_written_replaced_and_removed() {
        stores::each(|place| async move {
            let state = place.open().await;
            let workspace = state.create_workspace("default").await.unwrap();
            let mut saved = SavedQuery {
                id: "one".into(),
                name: "Beats".into(),
                category: "Machines".into(),
                query: "Heartbeat".into(),
                function_alias: String::new(),
                function_parameters: String::new(),
                tags: "[]".into(),
                etag: "e1".into(),
            };
            state.put_saved_query(&workspace.id, &saved).await.unwrap();
            saved.query = "Heartbeat | take 1".into();
            state.put_saved_query(&workspace.id, &saved).await.unwrap();
            assert_eq!(state.saved_queries(&workspace.id).await.unwrap(), vec![saved.clone()]);
            assert_eq!(state.saved_query(&workspace.id, "one").await.unwrap(), Some(saved));
            assert!(state.delete_saved_query(&workspace.id, "one").await.unwrap());
            assert!(!state.delete_saved_query(&workspace.id, "one").await.unwrap());
        })
        .await;
    }
}
