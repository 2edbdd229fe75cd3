//! Sign-ins through a provider that are under way, between the two times that the browser comes by.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use sqlx::Row;

use crate::{State, StateError, now, random_token};

/// What was put into a provider's hands, and has to come back.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInAttempt {
    pub provider: String,
    pub nonce: String,
    pub verifier: String,
    pub return_to: String,
}

impl std::fmt::Debug for SignInAttempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignInAttempt(provider: {:?})", self.provider)
    }
}

impl State {
    /// Keeps an attempt for `seconds`; gives what the browser has to show again.
    pub async fn begin_sign_in(&self, attempt: &SignInAttempt, seconds: i64) -> Result<String, StateError> {
        let token = random_token();
        let digest = token_digest(&token);
        sqlx::query("DELETE FROM sign_in_attempts WHERE expires_at < $1").bind(now()).execute(&self.writer).await?;
        sqlx::query(
            "INSERT INTO sign_in_attempts (digest, provider, nonce, verifier, return_to, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&digest)
        .bind(&attempt.provider)
        .bind(&attempt.nonce)
        .bind(self.seal.seal(&digest, &attempt.verifier))
        .bind(&attempt.return_to)
        .bind(now() + seconds)
        .execute(&self.writer)
        .await?;
        Ok(token)
    }

    /// The attempt that a browser comes back with, once.
    pub async fn end_sign_in(&self, token: &str) -> Result<Option<SignInAttempt>, StateError> {
        let digest = token_digest(token);
        let row = sqlx::query(
            "SELECT provider, nonce, verifier, return_to FROM sign_in_attempts WHERE digest = $1 AND expires_at > $2",
        )
        .bind(&digest)
        .bind(now())
        .fetch_optional(&self.pool)
        .await?;
        let done =
            sqlx::query("DELETE FROM sign_in_attempts WHERE digest = $1").bind(&digest).execute(&self.writer).await?;
        let Some(row) = row.filter(|_| done.rows_affected() == 1) else { return Ok(None) };
        Ok(Some(SignInAttempt {
            provider: row.try_get(0)?,
            nonce: row.try_get(1)?,
            verifier: self.seal.unseal(&digest, &row.try_get::<String, _>(2)?)?,
            return_to: row.try_get(3)?,
        }))
    }
}

fn token_digest(token: &str) -> String {
    STANDARD.encode(digest(&SHA256, token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn an_attempt_comes_back_once_and_in_time() {
        stores::each(|place| async move {
            let state = place.open().await;
            let attempt = SignInAttempt {
                provider: "corp".into(),
                nonce: "n".into(),
                verifier: "v".into(),
                return_to: "/map".into(),
            };
            let token = state.begin_sign_in(&attempt, 60).await.unwrap();
            assert_eq!(state.end_sign_in("x").await.unwrap(), None);
            assert_eq!(state.end_sign_in(&token).await.unwrap(), Some(attempt.clone()));
            assert_eq!(state.end_sign_in(&token).await.unwrap(), None);
            let late = state.begin_sign_in(&attempt, 0).await.unwrap();
            assert_eq!(state.end_sign_in(&late).await.unwrap(), None);
        })
        .await;
    }
}
