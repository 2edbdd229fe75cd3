//! Agents and enrolment tokens. What the words of a status mean is the management server's business.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{State, StateError, now};

/// An agent. Times are seconds since the Unix epoch, 0 for never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    pub agent_id: String,
    pub computer: String,
    pub status: String,
    pub os_name: String,
    pub agent_version: String,
    /// Empty before the first certificate.
    pub certificate_serial: String,
    pub certificate_not_after: i64,
    pub enrolled_at: i64,
    pub last_seen: i64,
}

/// What became of an enrolment token that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// One use of it is taken.
    Accepted,
    Unknown,
    /// It ended at this time.
    Expired(i64),
    UsedUp,
}

/// A token as it is kept: itself it is known to nobody but the agents that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentToken {
    pub hash: String,
    pub description: String,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Seconds since 1970; none: never.
    pub expires_at: Option<i64>,
    /// None: any number.
    pub uses_left: Option<u32>,
}

const COLUMNS: &str = "SELECT agent_id, computer, status, os_name, agent_version, certificate_serial, \
     certificate_not_after, enrolled_at, last_seen FROM agents";

/// What an agent said of itself when it was connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSeen {
    pub agent_id: String,
    pub computer: String,
    pub os_name: String,
    pub agent_version: String,
    /// Seconds since 1970.
    pub at: i64,
}

impl State {
    /// Keeps an enrolment token by its hash. `expires_at` 0 is never; `uses` `None` is any number.
    pub async fn put_enrolment_token(
        &self,
        hash: &str,
        description: &str,
        expires_at: i64,
        uses: Option<u32>,
    ) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO enrolment_tokens (hash, description, created_at, expires_at, uses_left) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(hash)
        .bind(description)
        .bind(now())
        .bind(expires_at)
        .bind(uses.map_or(-1, i64::from))
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Takes one use of a token. Two agents that show the last use at once cannot both have it.
    pub async fn use_enrolment_token(&self, hash: &str, at: i64) -> Result<TokenUse, StateError> {
        let taken = sqlx::query(
            "UPDATE enrolment_tokens SET uses_left = CASE WHEN uses_left > 0 THEN uses_left - 1 ELSE uses_left END \
             WHERE hash = $1 AND uses_left <> 0 AND (expires_at = 0 OR expires_at > $2)",
        )
        .bind(hash)
        .bind(at)
        .execute(&self.writer)
        .await?;
        if taken.rows_affected() > 0 {
            return Ok(TokenUse::Accepted);
        }
        let row = sqlx::query("SELECT expires_at FROM enrolment_tokens WHERE hash = $1")
            .bind(hash)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(TokenUse::Unknown) };
        Ok(match row.try_get::<i64, _>(0)? {
            end if end != 0 && end <= at => TokenUse::Expired(end),
            _ => TokenUse::UsedUp,
        })
    }

    /// The tokens that can still be used or were not revoked, the newest first.
    pub async fn enrolment_tokens(&self) -> Result<Vec<EnrolmentToken>, StateError> {
        let rows = sqlx::query(
            "SELECT hash, description, created_at, expires_at, uses_left FROM enrolment_tokens \
             ORDER BY created_at DESC, hash",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(EnrolmentToken {
                    hash: row.try_get(0)?,
                    description: row.try_get(1)?,
                    created_at: row.try_get(2)?,
                    expires_at: Some(row.try_get(3)?).filter(|end| *end != 0),
                    uses_left: u32::try_from(row.try_get::<i64, _>(4)?).ok(),
                })
            })
            .collect()
    }

    /// Takes a token back; false when there is none with this hash.
    pub async fn delete_enrolment_token(&self, hash: &str) -> Result<bool, StateError> {
        let deleted =
            sqlx::query("DELETE FROM enrolment_tokens WHERE hash = $1").bind(hash).execute(&self.writer).await?;
        Ok(deleted.rows_affected() > 0)
    }

    pub async fn agent(&self, agent_id: &str) -> Result<Option<Agent>, StateError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE agent_id = $1")))
            .bind(agent_id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_agent).transpose()
    }

    /// Every agent, by computer.
    pub async fn agents(&self) -> Result<Vec<Agent>, StateError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY computer, agent_id")))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_agent).collect()
    }

    /// Writes an agent, replacing the one with the same id.
    pub async fn put_agent(&self, agent: &Agent) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO agents (agent_id, computer, status, os_name, agent_version, certificate_serial, \
             certificate_not_after, enrolled_at, last_seen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (agent_id) DO UPDATE SET computer = excluded.computer, status = excluded.status, \
             os_name = excluded.os_name, agent_version = excluded.agent_version, \
             certificate_serial = excluded.certificate_serial, \
             certificate_not_after = excluded.certificate_not_after, enrolled_at = excluded.enrolled_at, \
             last_seen = excluded.last_seen",
        )
        .bind(&agent.agent_id)
        .bind(&agent.computer)
        .bind(&agent.status)
        .bind(&agent.os_name)
        .bind(&agent.agent_version)
        .bind(&agent.certificate_serial)
        .bind(agent.certificate_not_after)
        .bind(agent.enrolled_at)
        .bind(agent.last_seen)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Changes the status of an agent; false where there is none.
    pub async fn set_agent_status(&self, agent_id: &str, status: &str) -> Result<bool, StateError> {
        let done = sqlx::query("UPDATE agents SET status = $1 WHERE agent_id = $2")
            .bind(status)
            .bind(agent_id)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes when many agents were last heard of: one statement for hundreds of heartbeats. Times never fall.
    pub async fn agents_seen(&self, seen: &[(String, i64)]) -> Result<(), StateError> {
        let latest: std::collections::BTreeMap<_, _> = seen.iter().cloned().collect();
        let rows: Vec<_> = latest.iter().map(|(agent_id, at)| crate::batch::row![agent_id, *at]).collect();
        let mut transaction = self.writer.begin().await?;
        crate::batch::execute(
            &mut transaction,
            "WITH seen (agent_id, at) AS (",
            ") UPDATE agents SET last_seen = seen.at FROM seen \
             WHERE agents.agent_id = seen.agent_id AND agents.last_seen < seen.at",
            &rows,
        )
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The agents that were heard of after a time, by any server, each with when.
    pub async fn agents_seen_since(&self, since: i64) -> Result<Vec<(String, i64)>, StateError> {
        let sql = "SELECT agent_id, last_seen FROM agents WHERE last_seen > $1";
        let rows = sqlx::query(sql).bind(since).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Removes an agent for good, with its servers, its accounts and what is known of its queues; false where there
    /// is none. Its certificate is then refused like a stranger's.
    pub async fn delete_agent(&self, agent_id: &str) -> Result<bool, StateError> {
        let mut transaction = self.writer.begin().await?;
        for sql in [
            "DELETE FROM agent_assignments WHERE agent_id = $1",
            "DELETE FROM run_as_distribution WHERE agent_id = $1",
            "DELETE FROM high_water WHERE agent_id = $1",
        ] {
            sqlx::query(sql).bind(agent_id).execute(&mut *transaction).await?;
        }
        let done =
            sqlx::query("DELETE FROM agents WHERE agent_id = $1").bind(agent_id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes when agents were connected and what they say of themselves; the last entry of one holds.
    pub async fn agents_connected(&self, seen: &[AgentSeen]) -> Result<(), StateError> {
        let latest: std::collections::BTreeMap<_, _> = seen.iter().map(|one| (&one.agent_id, one)).collect();
        let row = |one: &&AgentSeen| {
            crate::batch::row![&one.agent_id, &one.computer, &one.os_name, &one.agent_version, one.at]
        };
        let rows: Vec<_> = latest.values().map(row).collect();
        let mut transaction = self.writer.begin().await?;
        crate::batch::execute(
            &mut transaction,
            "WITH seen (agent_id, computer, os_name, agent_version, at) AS (",
            ") UPDATE agents SET computer = seen.computer, os_name = seen.os_name, \
             agent_version = seen.agent_version, last_seen = seen.at FROM seen WHERE agents.agent_id = seen.agent_id",
            &rows,
        )
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn read_agent(row: &AnyRow) -> Result<Agent, StateError> {
    Ok(Agent {
        agent_id: row.try_get(0)?,
        computer: row.try_get(1)?,
        status: row.try_get(2)?,
        os_name: row.try_get(3)?,
        agent_version: row.try_get(4)?,
        certificate_serial: row.try_get(5)?,
        certificate_not_after: row.try_get(6)?,
        enrolled_at: row.try_get(7)?,
        last_seen: row.try_get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_token_is_used_as_often_as_it_may_and_until_it_ends() {
        stores::each(|place| async move {
            let state = place.open().await;
            state.put_enrolment_token("twice", "", 0, Some(2)).await.unwrap();
            state.put_enrolment_token("ends", "", 100, None).await.unwrap();
            for (hash, at, outcome) in [
                ("twice", 50, TokenUse::Accepted),
                ("twice", 50, TokenUse::Accepted),
                ("twice", 50, TokenUse::UsedUp),
                ("ends", 99, TokenUse::Accepted),
                ("ends", 99, TokenUse::Accepted),
                ("ends", 100, TokenUse::Expired(100)),
                ("none", 0, TokenUse::Unknown),
            ] {
                assert_eq!(state.use_enrolment_token(hash, at).await.unwrap(), outcome, "{hash} at {at}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn an_agent_is_kept_with_its_status_and_last_contact() {
        stores::each(|place| async move {
            let state = place.open().await;
            let mut agent = Agent {
                agent_id: "a".into(),
                computer: "one".into(),
                status: "pending".into(),
                os_name: String::new(),
                agent_version: String::new(),
                certificate_serial: String::new(),
                certificate_not_after: 0,
                enrolled_at: 5,
                last_seen: 0,
            };
            state.put_agent(&agent).await.unwrap();
            assert!(state.set_agent_status("a", "approved").await.unwrap());
            assert!(!state.set_agent_status("b", "approved").await.unwrap());
            let seen = |computer: &str, at| AgentSeen {
                agent_id: "a".to_owned(),
                computer: computer.to_owned(),
                os_name: "Debian".to_owned(),
                agent_version: "1".to_owned(),
                at,
            };
            state.agents_connected(&[seen("one", 8), seen("two", 9)]).await.unwrap();
            agent = Agent {
                computer: "two".into(),
                status: "approved".into(),
                os_name: "Debian".into(),
                agent_version: "1".into(),
                last_seen: 9,
                ..agent
            };
            assert_eq!(state.agents().await.unwrap(), vec![agent.clone()]);
            assert_eq!(state.agent("a").await.unwrap(), Some(agent));
        })
        .await;
    }
}
