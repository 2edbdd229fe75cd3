//! What several management servers over one store share so that agents can move between them: where each is reached,
//! and which batches of rows one of them has taken.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sqlx::Row;

use crate::{State, StateError};

/// A batch of rows that a server has taken and not yet written to its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowBatch {
    pub agent_id: String,
    pub queue: String,
    pub sequence: u64,
    pub computer: String,
    /// As the agent protocol numbers it.
    pub compression: i64,
    pub payload: Vec<u8>,
}

/// What became of a batch that a server wants to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is this server's: durable in the store, to be written to its tables.
    Taken,
    /// This server took it before and has not written it yet.
    Unwritten,
    /// It was taken before, by this or another server.
    Known,
}

impl State {
    /// Whether other servers may use the same store.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// A sealed setting that is made once: where another server was first, its value is given.
    pub async fn secret_setting_or_first(&self, name: &str, value: &str) -> Result<String, StateError> {
        let sealed = self.seal.seal(name, value);
        sqlx::query("INSERT INTO settings (name, value, sealed) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(&sealed)
            .execute(&self.writer)
            .await?;
        self.setting(name).await?.ok_or_else(|| StateError::Missing { what: "setting", name: name.to_owned() })
    }

    /// Says where agents reach a server.
    pub async fn put_agent_endpoint(&self, server_id: &str, endpoint: &str) -> Result<(), StateError> {
        sqlx::query("UPDATE servers SET agent_endpoint = $1 WHERE server_id = $2")
            .bind(endpoint)
            .bind(server_id)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Servers with the place where agents reach them, by identity; those that do not say are left out.
    pub async fn agent_endpoints(&self) -> Result<Vec<(String, String)>, StateError> {
        let sql = "SELECT server_id, agent_endpoint FROM servers WHERE agent_endpoint <> '' ORDER BY server_id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Takes a batch for a server, once over all servers: in one transaction its number becomes the highest of its
    /// queue and its rows are kept until [`State::row_batch_written`].
    pub async fn claim_row_batch(&self, server_id: &str, batch: &RowBatch, at: i64) -> Result<Claim, StateError> {
        let sequence = i64::try_from(batch.sequence).unwrap_or(i64::MAX);
        let mut transaction = self.writer.begin().await?;
        let raised = sqlx::query(
            "INSERT INTO high_water (agent_id, queue, lane, sequence, changed_at) VALUES ($1, $2, 'rows', $3, $4) \
             ON CONFLICT (agent_id, queue, lane) DO UPDATE SET sequence = excluded.sequence, \
             changed_at = excluded.changed_at WHERE high_water.sequence < excluded.sequence",
        )
        .bind(&batch.agent_id)
        .bind(&batch.queue)
        .bind(sequence)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        if raised.rows_affected() == 0 {
            let mine = sqlx::query(
                "SELECT 1 FROM row_batches WHERE agent_id = $1 AND queue = $2 AND sequence = $3 AND server_id = $4",
            )
            .bind(&batch.agent_id)
            .bind(&batch.queue)
            .bind(sequence)
            .bind(server_id)
            .fetch_optional(&mut *transaction)
            .await?;
            return Ok(if mine.is_some() { Claim::Unwritten } else { Claim::Known });
        }
        sqlx::query(
            "INSERT INTO row_batches (server_id, agent_id, queue, sequence, computer, compression, payload) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(server_id)
        .bind(&batch.agent_id)
        .bind(&batch.queue)
        .bind(sequence)
        .bind(&batch.computer)
        .bind(batch.compression)
        .bind(STANDARD.encode(&batch.payload))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Claim::Taken)
    }

    /// The rows of a batch are in the tables of the server that took it (or can never be).
    pub async fn row_batch_written(&self, agent_id: &str, queue: &str, sequence: u64) -> Result<(), StateError> {
        sqlx::query("DELETE FROM row_batches WHERE agent_id = $1 AND queue = $2 AND sequence = $3")
            .bind(agent_id)
            .bind(queue)
            .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Batches that a server has taken and not written, the oldest numbers first; at most so many.
    pub async fn unwritten_row_batches(&self, server_id: &str, limit: u32) -> Result<Vec<RowBatch>, StateError> {
        let rows = sqlx::query(
            "SELECT agent_id, queue, sequence, computer, compression, payload FROM row_batches \
             WHERE server_id = $1 ORDER BY agent_id, queue, sequence LIMIT $2",
        )
        .bind(server_id)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let payload: String = row.try_get(5)?;
                let damaged = |_| StateError::Missing { what: "the payload of a batch of", name: String::new() };
                Ok(RowBatch {
                    agent_id: row.try_get(0)?,
                    queue: row.try_get(1)?,
                    sequence: row.try_get::<i64, _>(2)?.unsigned_abs(),
                    computer: row.try_get(3)?,
                    compression: row.try_get(4)?,
                    payload: STANDARD.decode(payload).map_err(damaged)?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Server, stores};

    fn batch(sequence: u64) -> RowBatch {
        RowBatch {
            agent_id: "a".into(),
            queue: "q".into(),
            sequence,
            computer: "box".into(),
            compression: 1,
            payload: vec![0, 1, 255],
        }
    }

    #[tokio::test]
    async fn a_batch_is_taken_by_one_server_and_waits_for_its_tables() {
        stores::each(|place| async move {
            let state = place.open().await;
            assert_eq!(state.claim_row_batch("one", &batch(5), 1).await.unwrap(), Claim::Taken);
            assert_eq!(state.claim_row_batch("one", &batch(5), 1).await.unwrap(), Claim::Unwritten);
            assert_eq!(state.claim_row_batch("two", &batch(5), 1).await.unwrap(), Claim::Known);
            assert_eq!(state.claim_row_batch("two", &batch(4), 1).await.unwrap(), Claim::Known);
            assert_eq!(state.claim_row_batch("two", &batch(6), 1).await.unwrap(), Claim::Taken);
            assert_eq!(state.unwritten_row_batches("one", 9).await.unwrap(), [batch(5)]);
            state.row_batch_written("a", "q", 5).await.unwrap();
            assert!(state.unwritten_row_batches("one", 9).await.unwrap().is_empty());
            assert_eq!(state.claim_row_batch("one", &batch(5), 1).await.unwrap(), Claim::Known);
            assert_eq!(state.unwritten_row_batches("two", 9).await.unwrap(), [batch(6)]);
        })
        .await;
    }

    #[tokio::test]
    async fn two_servers_that_want_the_same_batch_at_once_do_not_both_get_it() {
        stores::each(|place| async move {
            let (one, two) = (place.open().await, place.open().await);
            for sequence in 1..=20 {
                let wanted = batch(sequence);
                let (first, second) =
                    tokio::join!(one.claim_row_batch("one", &wanted, 1), two.claim_row_batch("two", &wanted, 1));
                let taken = [first.unwrap(), second.unwrap()];
                assert_eq!(taken.iter().filter(|claim| **claim == Claim::Taken).count(), 1, "{taken:?}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn servers_say_where_they_are_reached_and_the_first_value_of_a_shared_secret_stays() {
        stores::each(|place| async move {
            let state = place.open().await;
            let server = Server { server_id: "s".into(), name: "n".into(), kind: "management".into(), alive_until: 1 };
            state.put_server(&server).await.unwrap();
            assert!(state.agent_endpoints().await.unwrap().is_empty());
            state.put_agent_endpoint("s", "wk:5723").await.unwrap();
            // being alive does not take it away
            state.put_server(&server).await.unwrap();
            assert_eq!(state.agent_endpoints().await.unwrap(), [("s".to_owned(), "wk:5723".to_owned())]);
            assert_eq!(state.secret_setting_or_first("x", "first").await.unwrap(), "first");
            assert_eq!(state.secret_setting_or_first("x", "second").await.unwrap(), "first");
        })
        .await;
    }
}
