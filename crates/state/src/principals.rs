//! Service principals: an application id and secrets with an expiry, of which only hashes are kept.

use std::fmt;

use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::is_duplicate;
use crate::{State, StateError, now, passwords, random_token};

/// A service principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub client_id: String,
    pub name: String,
    /// Seconds since the Unix epoch.
    pub created_at: i64,
}

/// What may be shown of a secret: its first characters and its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    pub id: String,
    pub hint: String,
    pub created_at: i64,
    /// Seconds since the Unix epoch.
    pub expires_at: i64,
}

/// The outcome of checking a client id and secret.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretCheck {
    Valid(Principal),
    /// No principal has this client id.
    UnknownClient,
    /// The secret is not one of the principal's.
    WrongSecret,
    /// The secret was right until it expired.
    Expired,
}

impl fmt::Debug for SecretCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecretCheck::Valid(_) => "Valid",
            SecretCheck::UnknownClient => "UnknownClient",
            SecretCheck::WrongSecret => "WrongSecret",
            SecretCheck::Expired => "Expired",
        })
    }
}

impl State {
    /// Makes a principal with a new client id, without a secret or role.
    pub async fn create_principal(&self, name: &str) -> Result<Principal, StateError> {
        let principal = Principal { client_id: Uuid::new_v4().to_string(), name: name.to_owned(), created_at: now() };
        sqlx::query("INSERT INTO principals (client_id, name, created_at) VALUES ($1, $2, $3)")
            .bind(&principal.client_id)
            .bind(&principal.name)
            .bind(principal.created_at)
            .execute(&self.writer)
            .await
            .map_err(|error| match is_duplicate(&error) {
                true => StateError::Exists { what: "the principal", name: name.to_owned() },
                false => error.into(),
            })?;
        Ok(principal)
    }

    pub async fn principal(&self, client_id: &str) -> Result<Option<Principal>, StateError> {
        let row = sqlx::query("SELECT client_id, name, created_at FROM principals WHERE client_id = $1")
            .bind(client_id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_principal).transpose()
    }

    /// Every principal, by name.
    pub async fn principals(&self) -> Result<Vec<Principal>, StateError> {
        let rows = sqlx::query("SELECT client_id, name, created_at FROM principals ORDER BY name, client_id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_principal).collect()
    }

    /// Removes a principal with its secrets and roles.
    pub async fn delete_principal(&self, client_id: &str) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("DELETE FROM principal_secrets WHERE client_id = $1")
            .bind(client_id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM role_assignments WHERE subject = $1")
            .bind(client_id)
            .execute(&mut *transaction)
            .await?;
        let done = sqlx::query("DELETE FROM principals WHERE client_id = $1")
            .bind(client_id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        match done.rows_affected() {
            0 => Err(StateError::Missing { what: "the principal", name: client_id.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Adds a secret that is valid for `valid_seconds`, and returns it: it cannot be read again.
    pub async fn add_principal_secret(&self, client_id: &str, valid_seconds: i64) -> Result<String, StateError> {
        if self.principal(client_id).await?.is_none() {
            return Err(StateError::Missing { what: "the principal", name: client_id.to_owned() });
        }
        let secret = random_token();
        let hash = passwords::hash(&secret).await?;
        let created_at = now();
        sqlx::query(
            "INSERT INTO principal_secrets (id, client_id, hint, hash, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(Uuid::new_v4().to_string())
        .bind(client_id)
        .bind(&secret[..3])
        .bind(hash)
        .bind(created_at)
        .bind(created_at.saturating_add(valid_seconds))
        .execute(&self.writer)
        .await?;
        Ok(secret)
    }

    /// The secrets of a principal, as far as they may be shown.
    pub async fn principal_secrets(&self, client_id: &str) -> Result<Vec<SecretInfo>, StateError> {
        let rows = sqlx::query(
            "SELECT id, hint, created_at, expires_at FROM principal_secrets WHERE client_id = $1 ORDER BY created_at",
        )
        .bind(client_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(SecretInfo {
                    id: row.try_get(0)?,
                    hint: row.try_get(1)?,
                    created_at: row.try_get(2)?,
                    expires_at: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Checks a client id and secret in a time that does not depend on which of them is wrong.
    pub async fn check_principal_secret(&self, client_id: &str, secret: &str) -> Result<SecretCheck, StateError> {
        let rows = sqlx::query("SELECT hash, expires_at FROM principal_secrets WHERE client_id = $1")
            .bind(client_id)
            .fetch_all(&self.pool)
            .await?;
        let mut hashes = Vec::new();
        let mut expiries = Vec::new();
        for row in &rows {
            hashes.push(row.try_get(0)?);
            expiries.push(row.try_get::<i64, _>(1)?);
        }
        let matching = passwords::matching(secret, hashes).await?;
        let principal = self.principal(client_id).await?;
        Ok(match (principal, matching) {
            (None, _) => SecretCheck::UnknownClient,
            (Some(_), None) => SecretCheck::WrongSecret,
            (Some(_), Some(index)) if expiries[index] <= now() => SecretCheck::Expired,
            (Some(principal), Some(_)) => SecretCheck::Valid(principal),
        })
    }
}

fn read_principal(row: &AnyRow) -> Result<Principal, StateError> {
    Ok(Principal { client_id: row.try_get(0)?, name: row.try_get(1)?, created_at: row.try_get(2)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_secret_is_valid_for_its_principal_until_it_expires() {
        stores::each(|place| async move {
            let state = place.open().await;
            let principal = state.create_principal("one").await.unwrap();
            let other = state.create_principal("two").await.unwrap();
            let secret = state.add_principal_secret(&principal.client_id, 60).await.unwrap();
            let expired = state.add_principal_secret(&principal.client_id, 0).await.unwrap();
            let check = |client: String, secret: String| {
                let state = state.clone();
                async move { state.check_principal_secret(&client, &secret).await.unwrap() }
            };
            assert_eq!(check(principal.client_id.clone(), secret.clone()).await, SecretCheck::Valid(principal.clone()));
            assert_eq!(check(principal.client_id.clone(), expired).await, SecretCheck::Expired);
            assert_eq!(check(principal.client_id.clone(), "x".into()).await, SecretCheck::WrongSecret);
            assert_eq!(check(other.client_id, secret.clone()).await, SecretCheck::WrongSecret);
            assert_eq!(check("nobody".into(), secret.clone()).await, SecretCheck::UnknownClient);
            state.delete_principal(&principal.client_id).await.unwrap();
            assert_eq!(check(principal.client_id, secret).await, SecretCheck::UnknownClient);
        })
        .await;
    }
}
