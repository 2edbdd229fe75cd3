//! Console sessions. The browser holds the token; the store holds its SHA-256 digest.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use sqlx::Row;

use crate::users::read_user;
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
    pub user: User,
    /// What mutating calls must repeat in the header `X-CSRF-Token`.
    pub csrf: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session(user: {:?})", self.user.name)
    }
}

impl State {
    /// Opens a session of `valid_seconds` and forgets the expired ones.
    pub async fn create_session(&self, user: &User, valid_seconds: i64) -> Result<NewSession, StateError> {
        let created_at = now();
        let session =
            NewSession { token: random_token(), csrf: random_token(), expires_at: created_at + valid_seconds };
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(created_at).execute(&self.writer).await?;
        sqlx::query(
            "INSERT INTO sessions (token_digest, user_id, csrf, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(token_digest(&session.token))
        .bind(&user.id)
        .bind(&session.csrf)
        .bind(created_at)
        .bind(session.expires_at)
        .execute(&self.writer)
        .await?;
        Ok(session)
    }

    /// The session of a token that has not expired.
    pub async fn session(&self, token: &str) -> Result<Option<Session>, StateError> {
        let row = sqlx::query(
            "SELECT users.id, users.name, sessions.csrf FROM sessions JOIN users ON users.id = sessions.user_id \
             WHERE sessions.token_digest = $1 AND sessions.expires_at > $2",
        )
        .bind(token_digest(token))
        .bind(now())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(Session { user: read_user(&row)?, csrf: row.try_get(2)? })).transpose()
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
    use crate::stores;

    #[tokio::test]
    async fn a_session_lives_until_it_ends_expires_or_the_password_changes() {
        stores::each(|place| async move {
            let state = place.open().await;
            let user = state.create_user("admin", "right").await.unwrap();
            assert_eq!(state.check_password("admin", "wrong").await.unwrap(), None);
            assert_eq!(state.check_password("nobody", "right").await.unwrap(), None);
            assert_eq!(state.check_password("admin", "right").await.unwrap(), Some(user.clone()));

            let open = state.create_session(&user, 60).await.unwrap();
            let expired = state.create_session(&user, 0).await.unwrap();
            let found = state.session(&open.token).await.unwrap().unwrap();
            assert_eq!((found.user.clone(), found.csrf), (user.clone(), open.csrf));
            assert!(state.session(&expired.token).await.unwrap().is_none());
            state.end_session(&open.token).await.unwrap();
            assert!(state.session(&open.token).await.unwrap().is_none());

            let open = state.create_session(&user, 60).await.unwrap();
            state.set_password("admin", "new").await.unwrap();
            assert!(state.session(&open.token).await.unwrap().is_none());
            assert!(state.check_password("admin", "new").await.unwrap().is_some());
        })
        .await;
    }
}
