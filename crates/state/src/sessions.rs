//! Console sessions. The browser holds the token; the store holds its SHA-256 digest, and an identity to speak of it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use sqlx::Row;
use uuid::Uuid;

use crate::users::{USER_COLUMNS, read_user};
use crate::{State, StateError, User, now, random_token};

/// A session that was just opened: the only time that its token is known.
pub struct NewSession {
    pub token: String,
    pub csrf: String,
    /// Seconds since the Unix epoch.
    pub expires_at: i64,
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewSession(expires_at: {})", self.expires_at)
    }
}

/// An open session.
#[derive(Clone)]
pub struct Session {
    pub id: String,
    pub user: User,
    /// What mutating calls must repeat in the header `X-CSRF-Token`.
    pub csrf: String,
    /// When somebody did something in it last, to a minute; seconds since the Unix epoch.
    pub used_at: i64,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session(user: {:?})", self.user.name)
    }
}

/// What may be shown of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    pub id: String,
    pub user_id: String,
    /// What the browser called itself.
    pub client: String,
    /// Seconds since the Unix epoch.
    pub created_at: i64,
    pub expires_at: i64,
    pub used_at: i64,
}

/// How long a session lasts, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimes {
    /// In all.
    pub valid: i64,
    /// When nobody does anything in it; 0: no matter.
    pub idle: i64,
}

/// A session in use is written down so often.
const USED_EVERY: i64 = 60;

impl State {
    /// Opens a session and forgets the expired ones. `client` is what the browser calls itself.
    pub async fn create_session(
        &self,
        user: &User,
        times: SessionTimes,
        client: &str,
    ) -> Result<NewSession, StateError> {
        let created_at = now();
        let session = NewSession { token: random_token(), csrf: random_token(), expires_at: created_at + times.valid };
        sqlx::query(
            "DELETE FROM sessions WHERE expires_at <= $1 OR (idle_seconds > 0 AND used_at + idle_seconds <= $1)",
        )
        .bind(created_at)
        .execute(&self.writer)
        .await?;
        sqlx::query(
            "INSERT INTO sessions \
             (token_digest, user_id, csrf, created_at, expires_at, id, client, used_at, idle_seconds) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $4, $8)",
        )
        .bind(token_digest(&session.token))
        .bind(&user.id)
        .bind(&session.csrf)
        .bind(created_at)
        .bind(session.expires_at)
        .bind(Uuid::new_v4().to_string())
        .bind(client)
        .bind(times.idle)
        .execute(&self.writer)
        .await?;
        sqlx::query("UPDATE users SET signed_in_at = $1 WHERE id = $2")
            .bind(created_at)
            .bind(&user.id)
            .execute(&self.writer)
            .await?;
        Ok(session)
    }

    /// The session of a token that has not expired and was not left idle, of a user who is not disabled.
    pub async fn session(&self, token: &str) -> Result<Option<Session>, StateError> {
        let sql = format!(
            "SELECT {USER_COLUMNS}, sessions.csrf, sessions.id, sessions.used_at FROM sessions \
             JOIN users ON users.id = sessions.user_id \
             WHERE sessions.token_digest = $1 AND sessions.expires_at > $2 AND users.disabled_at = 0 \
             AND (sessions.idle_seconds = 0 OR sessions.used_at + sessions.idle_seconds > $2)"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(token_digest(token))
            .bind(now())
            .fetch_optional(&self.pool)
            .await?;
        let read = |row: sqlx::any::AnyRow| {
            Ok(Session {
                user: read_user(&row)?,
                csrf: row.try_get(10)?,
                id: row.try_get(11)?,
                used_at: row.try_get(12)?,
            })
        };
        row.map(read).transpose()
    }

    /// Somebody does something in a session.
    pub async fn use_session(&self, session: &Session) -> Result<(), StateError> {
        let now = now();
        if now - session.used_at < USED_EVERY {
            return Ok(());
        }
        sqlx::query("UPDATE sessions SET used_at = $1 WHERE id = $2 AND used_at < $1")
            .bind(now)
            .bind(&session.id)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The open sessions of a user, the newest first; of all users without one.
    pub async fn sessions(&self, user_id: Option<&str>) -> Result<Vec<SessionInfo>, StateError> {
        let rows = sqlx::query(
            "SELECT id, user_id, client, created_at, expires_at, used_at FROM sessions \
             WHERE expires_at > $1 AND (idle_seconds = 0 OR used_at + idle_seconds > $1) \
             AND ($2 = '' OR user_id = $2) ORDER BY created_at DESC, id",
        )
        .bind(now())
        .bind(user_id.unwrap_or_default())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(SessionInfo {
                    id: row.try_get(0)?,
                    user_id: row.try_get(1)?,
                    client: row.try_get(2)?,
                    created_at: row.try_get(3)?,
                    expires_at: row.try_get(4)?,
                    used_at: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// Ends the session of an identity.
    pub async fn end_session_of(&self, id: &str) -> Result<(), StateError> {
        let done = sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id).execute(&self.writer).await?;
        match done.rows_affected() {
            0 => Err(StateError::Missing { what: "the session", name: id.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Ends a session; an unknown token is no error.
    pub async fn end_session(&self, token: &str) -> Result<(), StateError> {
        sqlx::query("DELETE FROM sessions WHERE token_digest = $1")
            .bind(token_digest(token))
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

fn token_digest(token: &str) -> String {
    STANDARD.encode(digest(&SHA256, token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::SessionTimes;
    use crate::stores;

    const HOUR: SessionTimes = SessionTimes { valid: 3600, idle: 0 };

    #[tokio::test]
    async fn a_session_lives_until_it_ends_expires_or_the_password_changes() {
        stores::each(|place| async move {
            let state = place.open().await;
            let user = state.create_user("admin", "right").await.unwrap();
            assert_eq!(state.check_password("admin", "wrong").await.unwrap(), None);
            assert_eq!(state.check_password("nobody", "right").await.unwrap(), None);
            assert_eq!(state.check_password("admin", "right").await.unwrap(), Some(user.clone()));
            assert!(state.sessions(None).await.unwrap().is_empty());

            let open = state.create_session(&user, HOUR, "a browser").await.unwrap();
            let expired = state.create_session(&user, SessionTimes { valid: 0, idle: 0 }, "").await.unwrap();
            let found = state.session(&open.token).await.unwrap().unwrap();
            assert_eq!((&found.user.id, &found.csrf), (&user.id, &open.csrf));
            assert!(found.user.signed_in_at > 0);
            let listed = state.sessions(Some(&user.id)).await.unwrap();
            assert_eq!(listed.len(), 1);
            assert_eq!((listed[0].id.as_str(), listed[0].client.as_str()), (found.id.as_str(), "a browser"));
            assert!(state.sessions(Some("somebody else")).await.unwrap().is_empty());
            assert!(state.session(&expired.token).await.unwrap().is_none());
            state.end_session(&open.token).await.unwrap();
            assert!(state.session(&open.token).await.unwrap().is_none());

            let open = state.create_session(&user, HOUR, "a browser").await.unwrap();
            let id = state.session(&open.token).await.unwrap().unwrap().id;
            state.end_session_of(&id).await.unwrap();
            assert!(state.end_session_of(&id).await.is_err());
            assert!(state.session(&open.token).await.unwrap().is_none());

            let idle = SessionTimes { valid: 3600, idle: 600 };
            let open = state.create_session(&user, idle, "a browser").await.unwrap();
            let left_for = async |seconds: i64| {
                sqlx::query("UPDATE sessions SET used_at = used_at - $1").bind(seconds).execute(&state.writer).await
            };
            left_for(500).await.unwrap();
            let found = state.session(&open.token).await.unwrap().unwrap();
            state.use_session(&found).await.unwrap();
            left_for(500).await.unwrap();
            assert!(state.session(&open.token).await.unwrap().is_some(), "it was used in between");
            left_for(500).await.unwrap();
            assert!(state.session(&open.token).await.unwrap().is_none());
            assert!(state.sessions(None).await.unwrap().is_empty());

            let open = state.create_session(&user, HOUR, "a browser").await.unwrap();
            state.set_password("admin", "new").await.unwrap();
            assert!(state.session(&open.token).await.unwrap().is_none());
            assert!(state.check_password("admin", "new").await.unwrap().is_some());
        })
        .await;
    }
}
