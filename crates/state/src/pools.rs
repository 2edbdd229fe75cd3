//! Servers, resource pools, leases and the assignment of agents. Times are microseconds since the Unix epoch; leases of
//! several servers are compared by the store's clock ([`State::clock`]).

use std::collections::HashMap;

use sqlx::Row;

use crate::batch::{self, row};
use crate::{State, StateError, documents};

/// A management server or gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub server_id: String,
    pub name: String,
    /// `management` or `gateway`.
    pub kind: String,
    /// Counts as alive until then, unless it says so again.
    pub alive_until: i64,
}

/// A resource pool (specification 1.10).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourcePool {
    pub pool_id: String,
    pub name: String,
    /// Every management server is a member.
    pub automatic: bool,
    /// The operational store votes.
    pub default_observer: bool,
    pub members: Vec<String>,
    /// Vote and do no work.
    pub observers: Vec<String>,
}

/// The servers of an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    pub agent_id: String,
    /// Empty: any.
    pub primary: String,
    /// In their order.
    pub failover: Vec<String>,
    /// The agent may discover objects of other computers.
    pub proxy: bool,
}

impl State {
    /// The time of the store: one clock for all servers that share it.
    pub async fn clock(&self) -> Result<i64, StateError> {
        if !self.shared {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            return Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        }
        let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        Ok(sqlx::query(sql).fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// Writes a server, and that it is alive.
    pub async fn put_server(&self, server: &Server) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO servers (server_id, name, kind, alive_until) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (server_id) DO UPDATE SET name = excluded.name, kind = excluded.kind, \
             alive_until = excluded.alive_until",
        )
        .bind(&server.server_id)
        .bind(&server.name)
        .bind(&server.kind)
        .bind(server.alive_until)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Every server, by identity.
    pub async fn servers(&self) -> Result<Vec<Server>, StateError> {
        let sql = "SELECT server_id, name, kind, alive_until FROM servers ORDER BY server_id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(Server {
                    server_id: row.try_get(0)?,
                    name: row.try_get(1)?,
                    kind: row.try_get(2)?,
                    alive_until: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Removes a server that is gone for good, and its places in pools; false where there is none.
    pub async fn delete_server(&self, server_id: &str) -> Result<bool, StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("DELETE FROM resource_pool_members WHERE server_id = $1")
            .bind(server_id)
            .execute(&mut *transaction)
            .await?;
        let done =
            sqlx::query("DELETE FROM servers WHERE server_id = $1").bind(server_id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Writes a pool with its members, replacing the one with the same identity.
    pub async fn put_pool(&self, pool: &ResourcePool) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query(
            "INSERT INTO resource_pools (pool_id, name, automatic, default_observer) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (pool_id) DO UPDATE SET name = excluded.name, automatic = excluded.automatic, \
             default_observer = excluded.default_observer",
        )
        .bind(&pool.pool_id)
        .bind(&pool.name)
        .bind(i64::from(pool.automatic))
        .bind(i64::from(pool.default_observer))
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM resource_pool_members WHERE pool_id = $1")
            .bind(&pool.pool_id)
            .execute(&mut *transaction)
            .await?;
        let members = pool.members.iter().map(|id| (id, false)).chain(pool.observers.iter().map(|id| (id, true)));
        let rows: Vec<_> = members.map(|(id, observer)| row![&pool.pool_id, id, observer]).collect();
        let head = "INSERT INTO resource_pool_members (pool_id, server_id, observer)";
        batch::execute(&mut transaction, head, "ON CONFLICT DO NOTHING", &rows).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Makes a server a member of a pool, and the pool where it is missing; the other members stay.
    pub async fn put_pool_member(&self, pool: &ResourcePool, server_id: &str) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query(
            "INSERT INTO resource_pools (pool_id, name, automatic, default_observer) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&pool.pool_id)
        .bind(&pool.name)
        .bind(i64::from(pool.automatic))
        .bind(i64::from(pool.default_observer))
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO resource_pool_members (pool_id, server_id, observer) VALUES ($1, $2, 0) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&pool.pool_id)
        .bind(server_id)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Every pool, by identity.
    pub async fn pools(&self) -> Result<Vec<ResourcePool>, StateError> {
        let sql = "SELECT pool_id, name, automatic, default_observer FROM resource_pools ORDER BY pool_id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let mut pools = Vec::new();
        for row in &rows {
            pools.push(ResourcePool {
                pool_id: row.try_get(0)?,
                name: row.try_get(1)?,
                automatic: row.try_get::<i64, _>(2)? != 0,
                default_observer: row.try_get::<i64, _>(3)? != 0,
                ..ResourcePool::default()
            });
        }
        let sql = "SELECT pool_id, server_id, observer FROM resource_pool_members ORDER BY pool_id, server_id";
        for row in &sqlx::query(sql).fetch_all(&self.pool).await? {
            let id: &str = row.try_get(0)?;
            let Some(pool) = pools.iter_mut().find(|pool| pool.pool_id == id) else { continue };
            let list = if row.try_get::<i64, _>(2)? != 0 { &mut pool.observers } else { &mut pool.members };
            list.push(row.try_get(1)?);
        }
        Ok(pools)
    }

    /// Removes a pool; false where there is none.
    pub async fn delete_pool(&self, pool_id: &str) -> Result<bool, StateError> {
        let sql = "DELETE FROM resource_pools WHERE pool_id = $1";
        Ok(sqlx::query(sql).bind(pool_id).execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Takes or renews leases; gives those that the holder now has, with their tokens. One that another holds and that
    /// has not expired is not taken. A token rises when the holder changes, so that what an old holder still does can
    /// be told apart.
    pub async fn take_leases(
        &self,
        names: &[String],
        holder: &str,
        now: i64,
        until: i64,
    ) -> Result<HashMap<String, i64>, StateError> {
        let mut names = names.to_vec();
        names.sort();
        names.dedup();
        let rows: Vec<_> = names.iter().map(|name| row![name, holder, 1_i64, until]).collect();
        let mut transaction = self.writer.begin().await?;
        let tail = format!(
            "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at, \
             token = CASE WHEN leases.holder = excluded.holder AND leases.expires_at > {now} THEN leases.token \
             ELSE leases.token + 1 END \
             WHERE leases.holder = excluded.holder OR leases.expires_at <= {now} RETURNING name, token"
        );
        // the statement's text has the time in it and must not stay prepared
        let found =
            batch::fetch_once(&mut transaction, "INSERT INTO leases (name, holder, token, expires_at)", &tail, &rows)
                .await?;
        transaction.commit().await?;
        found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Gives leases back before they expire.
    pub async fn release_leases(&self, names: &[String], holder: &str) -> Result<(), StateError> {
        let rows: Vec<_> = names.iter().map(|name| row![name, holder]).collect();
        let mut transaction = self.writer.begin().await?;
        let head = "UPDATE leases SET expires_at = 0 WHERE (name, holder) IN (";
        batch::execute(&mut transaction, head, ")", &rows).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The leases of a kind that are held now, by name: each with its holder.
    pub async fn held_leases(&self, prefix: &str, now: i64) -> Result<HashMap<String, String>, StateError> {
        let sql = "SELECT name, holder FROM leases WHERE expires_at > $1 AND name LIKE $2";
        let rows = sqlx::query(sql).bind(now).bind(format!("{prefix}%")).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Who holds a lease now.
    pub async fn lease_holder(&self, name: &str, now: i64) -> Result<Option<String>, StateError> {
        let sql = "SELECT holder FROM leases WHERE name = $1 AND expires_at > $2";
        let row = sqlx::query(sql).bind(name).bind(now).fetch_optional(&self.pool).await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// The servers of an agent; none were set: any server, no proxy.
    pub async fn assignment(&self, agent_id: &str) -> Result<Assignment, StateError> {
        let sql = "SELECT primary_server, failover_servers, proxy FROM agent_assignments WHERE agent_id = $1";
        let row = sqlx::query(sql).bind(agent_id).fetch_optional(&self.pool).await?;
        let agent_id = agent_id.to_owned();
        let Some(row) = row else { return Ok(Assignment { agent_id, ..Assignment::default() }) };
        Ok(Assignment {
            agent_id,
            primary: row.try_get(0)?,
            failover: documents::read("the failover servers", &row, 1)?,
            proxy: row.try_get::<i64, _>(2)? != 0,
        })
    }

    /// The agents that may speak for objects of others.
    pub async fn proxies(&self) -> Result<Vec<String>, StateError> {
        let sql = "SELECT agent_id FROM agent_assignments WHERE proxy <> 0 ORDER BY agent_id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    pub async fn put_assignment(&self, assignment: &Assignment) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO agent_assignments (agent_id, primary_server, failover_servers, proxy) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (agent_id) DO UPDATE SET primary_server = excluded.primary_server, \
             failover_servers = excluded.failover_servers, proxy = excluded.proxy",
        )
        .bind(&assignment.agent_id)
        .bind(&assignment.primary)
        .bind(documents::write("the failover servers", &assignment.failover)?)
        .bind(i64::from(assignment.proxy))
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
