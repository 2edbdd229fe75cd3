//! Rows for the workspace that belong to changes of operational data: written with the changes, removed when the
//! workspace has them, so that neither is there without the other.

use sqlx::Row;

use crate::{Changes, State, StateError};

impl Changes {
    /// Leaves rows of a server to be delivered. Sequence numbers of one server rise.
    pub async fn leave_rows(&mut self, server_id: &str, sequence: i64, payload: &str) -> Result<(), StateError> {
        sqlx::query("INSERT INTO outbox (server_id, sequence, payload) VALUES ($1, $2, $3)")
            .bind(server_id)
            .bind(sequence)
            .bind(payload)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// The last sequence number that waits, or 0.
    pub async fn last_left_rows(&mut self, server_id: &str) -> Result<i64, StateError> {
        let sql = "SELECT COALESCE(MAX(sequence), 0) FROM outbox WHERE server_id = $1";
        Ok(sqlx::query(sql).bind(server_id).fetch_one(self.connection()).await?.try_get(0)?)
    }
}

impl State {
    /// What waits for a server to deliver it, oldest first.
    pub async fn left_rows(&self, server_id: &str, limit: u32) -> Result<Vec<(i64, String)>, StateError> {
        let sql = "SELECT sequence, payload FROM outbox WHERE server_id = $1 ORDER BY sequence LIMIT $2";
        let rows = sqlx::query(sql).bind(server_id).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// The workspace has everything up to a sequence number.
    pub async fn rows_delivered(&self, server_id: &str, sequence: i64) -> Result<(), StateError> {
        let sql = "DELETE FROM outbox WHERE server_id = $1 AND sequence <= $2";
        sqlx::query(sql).bind(server_id).bind(sequence).execute(&self.writer).await?;
        Ok(())
    }
}
