//! Gateways and the agents that they may speak for. Times are seconds since the Unix epoch, 0 for never.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{State, StateError};

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    pub gateway_id: String,
    pub name: String,
    /// What its certificate is good for as a server.
    pub names: Vec<String>,
    pub approved: bool,
    /// Empty before the first certificate.
    pub certificate_serial: String,
    pub enrolled_at: i64,
    pub last_seen: i64,
}

/// What waits on the disk of a gateway. Times are microseconds since the Unix epoch, 0 for none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayQueue {
    pub gateway_id: String,
    pub batches: i64,
    /// Rows and items in them.
    pub rows: i64,
    pub bytes: i64,
    /// Past which agents keep their batches.
    pub limit_bytes: i64,
    /// When the oldest came to the gateway.
    pub oldest: i64,
    /// Agents that were connected.
    pub connected: i64,
    /// By the gateway's clock.
    pub looked_at: i64,
    /// By the server's clock.
    pub reported_at: i64,
}

const COLUMNS: &str =
    "SELECT gateway_id, name, names, status, certificate_serial, enrolled_at, last_seen FROM gateways";

impl State {
    /// Writes a gateway, replacing the one with the same identity.
    pub async fn put_gateway(&self, gateway: &Gateway) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO gateways (gateway_id, name, names, status, certificate_serial, enrolled_at, last_seen) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (gateway_id) DO UPDATE SET name = excluded.name, \
             names = excluded.names, status = excluded.status, certificate_serial = excluded.certificate_serial, \
             last_seen = excluded.last_seen",
        )
        .bind(&gateway.gateway_id)
        .bind(&gateway.name)
        .bind(gateway.names.join(" "))
        .bind(if gateway.approved { "approved" } else { "pending" })
        .bind(&gateway.certificate_serial)
        .bind(gateway.enrolled_at)
        .bind(gateway.last_seen)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Lets a gateway in; false where there is none.
    pub async fn approve_gateway(&self, gateway_id: &str) -> Result<bool, StateError> {
        let done = sqlx::query("UPDATE gateways SET status = 'approved' WHERE gateway_id = $1")
            .bind(gateway_id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A gateway has a new certificate.
    pub async fn gateway_issued(&self, gateway_id: &str, serial: &str) -> Result<(), StateError> {
        sqlx::query("UPDATE gateways SET certificate_serial = $1 WHERE gateway_id = $2")
            .bind(serial)
            .bind(gateway_id)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// A gateway spoke for an agent.
    pub async fn gateway_seen(&self, gateway_id: &str, at: i64) -> Result<(), StateError> {
        sqlx::query("UPDATE gateways SET last_seen = $1 WHERE gateway_id = $2 AND last_seen < $1")
            .bind(at)
            .bind(gateway_id)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// What a gateway said of its queue. Of one that was removed nothing is kept.
    pub async fn put_gateway_queue(&self, queue: &GatewayQueue) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO gateway_queues \
             (gateway_id, batches, row_count, bytes, limit_bytes, oldest, connected, looked_at, reported_at) \
             SELECT gateway_id, $2, $3, $4, $5, $6, $7, $8, $9 FROM gateways WHERE gateway_id = $1 \
             ON CONFLICT (gateway_id) DO UPDATE SET batches = excluded.batches, row_count = excluded.row_count, \
             bytes = excluded.bytes, limit_bytes = excluded.limit_bytes, oldest = excluded.oldest, \
             connected = excluded.connected, looked_at = excluded.looked_at, reported_at = excluded.reported_at",
        )
        .bind(&queue.gateway_id)
        .bind(queue.batches)
        .bind(queue.rows)
        .bind(queue.bytes)
        .bind(queue.limit_bytes)
        .bind(queue.oldest)
        .bind(queue.connected)
        .bind(queue.looked_at)
        .bind(queue.reported_at)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// What gateways said of their queues last.
    pub async fn gateway_queues(&self) -> Result<Vec<GatewayQueue>, StateError> {
        let rows = sqlx::query(
            "SELECT gateway_id, batches, row_count, bytes, limit_bytes, oldest, connected, looked_at, reported_at \
             FROM gateway_queues ORDER BY gateway_id",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(GatewayQueue {
                gateway_id: row.try_get(0)?,
                batches: row.try_get(1)?,
                rows: row.try_get(2)?,
                bytes: row.try_get(3)?,
                limit_bytes: row.try_get(4)?,
                oldest: row.try_get(5)?,
                connected: row.try_get(6)?,
                looked_at: row.try_get(7)?,
                reported_at: row.try_get(8)?,
            })
        };
        rows.iter().map(read).collect()
    }

    pub async fn gateway(&self, gateway_id: &str) -> Result<Option<Gateway>, StateError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE gateway_id = $1")))
            .bind(gateway_id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Every gateway, by name.
    pub async fn gateways(&self) -> Result<Vec<Gateway>, StateError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY name, gateway_id")))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Removes a gateway and its right to speak for agents; false where there is none.
    pub async fn delete_gateway(&self, gateway_id: &str) -> Result<bool, StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("DELETE FROM gateway_agents WHERE gateway_id = $1 OR agent_id = $1")
            .bind(gateway_id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM gateway_queues WHERE gateway_id = $1")
            .bind(gateway_id)
            .execute(&mut *transaction)
            .await?;
        let done = sqlx::query("DELETE FROM gateways WHERE gateway_id = $1")
            .bind(gateway_id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// From now on a gateway, and no other, may speak for an agent.
    pub async fn assign_gateway(&self, agent_id: &str, gateway_id: &str) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO gateway_agents (agent_id, gateway_id) VALUES ($1, $2) \
             ON CONFLICT (agent_id) DO UPDATE SET gateway_id = excluded.gateway_id",
        )
        .bind(agent_id)
        .bind(gateway_id)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// From now on no gateway may speak for an agent; false where none could.
    pub async fn release_from_gateway(&self, agent_id: &str) -> Result<bool, StateError> {
        let done =
            sqlx::query("DELETE FROM gateway_agents WHERE agent_id = $1").bind(agent_id).execute(&self.writer).await?;
        Ok(done.rows_affected() > 0)
    }

    /// The gateway that may speak for an agent.
    pub async fn gateway_of(&self, agent_id: &str) -> Result<Option<String>, StateError> {
        let row = sqlx::query("SELECT gateway_id FROM gateway_agents WHERE agent_id = $1")
            .bind(agent_id)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| row.try_get(0)).transpose().map_err(Into::into)
    }

    /// The agents that a gateway may speak for.
    pub async fn agents_of_gateway(&self, gateway_id: &str) -> Result<Vec<String>, StateError> {
        let rows = sqlx::query("SELECT agent_id FROM gateway_agents WHERE gateway_id = $1 ORDER BY agent_id")
            .bind(gateway_id)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| row.try_get(0).map_err(Into::into)).collect()
    }
}

fn read(row: &AnyRow) -> Result<Gateway, StateError> {
    Ok(Gateway {
        gateway_id: row.try_get(0)?,
        name: row.try_get(1)?,
        names: row.try_get::<String, _>(2)?.split_whitespace().map(str::to_owned).collect(),
        approved: row.try_get::<String, _>(3)? == "approved",
        certificate_serial: row.try_get(4)?,
        enrolled_at: row.try_get(5)?,
        last_seen: row.try_get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_gateway_is_kept_with_its_agents_and_goes_with_its_rights() {
        stores::each(|place| async move {
            let state = place.open().await;
            let mut gateway = Gateway {
                gateway_id: "g".into(),
                name: "dmz".into(),
                names: vec!["dmz".into(), "10.0.0.9".into()],
                approved: false,
                certificate_serial: String::new(),
                enrolled_at: 5,
                last_seen: 0,
            };
            state.put_gateway(&gateway).await.unwrap();
            assert!(state.approve_gateway("g").await.unwrap() && !state.approve_gateway("h").await.unwrap());
            state.gateway_issued("g", "01").await.unwrap();
            state.gateway_seen("g", 9).await.unwrap();
            state.gateway_seen("g", 8).await.unwrap();
            gateway = Gateway { approved: true, certificate_serial: "01".into(), last_seen: 9, ..gateway };
            assert_eq!(state.gateway("g").await.unwrap(), Some(gateway.clone()));
            assert_eq!(state.gateways().await.unwrap(), [gateway]);
            let queue =
                GatewayQueue { gateway_id: "g".into(), batches: 1, rows: 7, bytes: 90, ..GatewayQueue::default() };
            state.put_gateway_queue(&queue).await.unwrap();
            let later =
                GatewayQueue { rows: 8, oldest: 5, limit_bytes: 1 << 30, looked_at: 6, reported_at: 7, ..queue };
            state.put_gateway_queue(&later).await.unwrap();
            let unknown = GatewayQueue { gateway_id: "h".into(), ..GatewayQueue::default() };
            state.put_gateway_queue(&unknown).await.unwrap();
            assert_eq!(state.gateway_queues().await.unwrap(), [later]);
            state.assign_gateway("a", "other").await.unwrap();
            state.assign_gateway("a", "g").await.unwrap();
            assert_eq!(state.gateway_of("a").await.unwrap().as_deref(), Some("g"));
            assert_eq!(state.agents_of_gateway("g").await.unwrap(), ["a"]);
            assert!(state.release_from_gateway("a").await.unwrap() && !state.release_from_gateway("a").await.unwrap());
            state.assign_gateway("a", "g").await.unwrap();
            assert!(state.delete_gateway("g").await.unwrap() && !state.delete_gateway("g").await.unwrap());
            assert_eq!(state.gateway_of("a").await.unwrap(), None);
            assert_eq!(state.gateway_queues().await.unwrap(), []);
        })
        .await;
    }
}
