//! Service principals: an application id, secrets with an expiry, of which only hashes are kept, and certificates whose
//! keys sign what the application says of itself.

use std::fmt;

use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::documents::{read as read_document, write};
use crate::error::is_duplicate;
use crate::{State, StateError, now, passwords, random_token};

/// A service principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub client_id: String,
    pub name: String,
    /// Seconds since the Unix epoch.
    pub created_at: i64,
    /// It signs people in without a credential of its own: it runs where its user could read one.
    pub is_public: bool,
    /// Where the browsers of people who sign in to it are sent back to.
    pub redirect_uris: Vec<String>,
}

/// What may be shown of a secret: its first characters and its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    pub id: String,
    /// What people call it; may be empty.
    pub name: String,
    pub hint: String,
    pub created_at: i64,
    /// Seconds since the Unix epoch.
    pub expires_at: i64,
}

/// A certificate of a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalCertificate {
    /// SHA-256 of the certificate in upper-case hexadecimal digits.
    pub thumbprint_sha256: String,
    /// SHA-1, by which the tools of Windows and Azure call it.
    pub thumbprint: String,
    /// What people call it; may be empty.
    pub name: String,
    pub subject: String,
    /// PEM.
    pub certificate: String,
    /// Seconds since the Unix epoch.
    pub created_at: i64,
    pub not_before: i64,
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

/// What is stored as JSON.
const URIS: &str = "the redirect addresses of a principal";

impl State {
    /// Makes a principal with a new client id, without a secret or role.
    pub async fn create_principal(&self, name: &str) -> Result<Principal, StateError> {
        let principal = Principal {
            client_id: Uuid::new_v4().to_string(),
            name: name.to_owned(),
            created_at: now(),
            is_public: false,
            redirect_uris: Vec::new(),
        };
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
        let row = sqlx::query(
            "SELECT client_id, name, created_at, is_public, redirect_uris FROM principals WHERE client_id = $1",
        )
        .bind(client_id)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(read_principal).transpose()
    }

    /// Every principal, by name.
    pub async fn principals(&self) -> Result<Vec<Principal>, StateError> {
        let rows = sqlx::query(
            "SELECT client_id, name, created_at, is_public, redirect_uris FROM principals ORDER BY name, client_id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read_principal).collect()
    }

    /// Sets how people sign in to an application.
    pub async fn set_principal_sign_in(
        &self,
        client_id: &str,
        is_public: bool,
        redirect_uris: &[String],
    ) -> Result<(), StateError> {
        let uris = write(URIS, &redirect_uris)?;
        let done = sqlx::query("UPDATE principals SET is_public = $1, redirect_uris = $2 WHERE client_id = $3")
            .bind(i64::from(is_public))
            .bind(uris)
            .bind(client_id)
            .execute(&self.writer)
            .await?;
        match done.rows_affected() {
            0 => Err(StateError::Missing { what: "the principal", name: client_id.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Removes a principal with its secrets and roles.
    pub async fn delete_principal(&self, client_id: &str) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("DELETE FROM principal_secrets WHERE client_id = $1")
            .bind(client_id)
            .execute(&mut *transaction)
            .await?;
        for statement in [
            "DELETE FROM principal_certificates WHERE client_id = $1",
            "DELETE FROM role_assignments WHERE subject = $1",
            "DELETE FROM directory_group_members WHERE member = $1",
        ] {
            sqlx::query(statement).bind(client_id).execute(&mut *transaction).await?;
        }
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

    /// Adds a secret without a name that is valid for `valid_seconds`, and returns it: it cannot be read again.
    pub async fn add_principal_secret(&self, client_id: &str, valid_seconds: i64) -> Result<String, StateError> {
        self.add_named_secret(client_id, "", valid_seconds).await
    }

    /// The same with a name.
    pub async fn add_named_secret(
        &self,
        client_id: &str,
        name: &str,
        valid_seconds: i64,
    ) -> Result<String, StateError> {
        if self.principal(client_id).await?.is_none() {
            return Err(StateError::Missing { what: "the principal", name: client_id.to_owned() });
        }
        let secret = random_token();
        let hash = passwords::hash(&secret).await?;
        let created_at = now();
        sqlx::query(
            "INSERT INTO principal_secrets (id, client_id, hint, hash, created_at, expires_at, name) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(Uuid::new_v4().to_string())
        .bind(client_id)
        .bind(&secret[..3])
        .bind(hash)
        .bind(created_at)
        .bind(created_at.saturating_add(valid_seconds))
        .bind(name)
        .execute(&self.writer)
        .await?;
        Ok(secret)
    }

    /// The secrets of a principal, as far as they may be shown.
    pub async fn principal_secrets(&self, client_id: &str) -> Result<Vec<SecretInfo>, StateError> {
        let rows = sqlx::query(
            "SELECT id, hint, created_at, expires_at, name FROM principal_secrets WHERE client_id = $1 \
             ORDER BY created_at, id",
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
                    name: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Removes a secret, which stops working at once.
    pub async fn remove_principal_secret(&self, client_id: &str, id: &str) -> Result<(), StateError> {
        let done = sqlx::query("DELETE FROM principal_secrets WHERE client_id = $1 AND id = $2")
            .bind(client_id)
            .bind(id)
            .execute(&self.writer)
            .await?;
        match done.rows_affected() {
            0 => Err(StateError::Missing { what: "the secret", name: id.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Registers a certificate.
    pub async fn add_principal_certificate(
        &self,
        client_id: &str,
        certificate: &PrincipalCertificate,
    ) -> Result<(), StateError> {
        if self.principal(client_id).await?.is_none() {
            return Err(StateError::Missing { what: "the principal", name: client_id.to_owned() });
        }
        sqlx::query(
            "INSERT INTO principal_certificates (client_id, thumbprint_sha256, thumbprint, name, subject, certificate, \
             created_at, not_before, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(client_id)
        .bind(&certificate.thumbprint_sha256)
        .bind(&certificate.thumbprint)
        .bind(&certificate.name)
        .bind(&certificate.subject)
        .bind(&certificate.certificate)
        .bind(certificate.created_at)
        .bind(certificate.not_before)
        .bind(certificate.expires_at)
        .execute(&self.writer)
        .await
        .map_err(|error| match is_duplicate(&error) {
            true => StateError::Exists { what: "the certificate", name: certificate.thumbprint.clone() },
            false => error.into(),
        })?;
        Ok(())
    }

    /// The certificates of a principal, the oldest first.
    pub async fn principal_certificates(&self, client_id: &str) -> Result<Vec<PrincipalCertificate>, StateError> {
        let rows = sqlx::query(
            "SELECT thumbprint_sha256, thumbprint, name, subject, certificate, created_at, not_before, expires_at \
             FROM principal_certificates WHERE client_id = $1 ORDER BY created_at, thumbprint_sha256",
        )
        .bind(client_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(PrincipalCertificate {
                    thumbprint_sha256: row.try_get(0)?,
                    thumbprint: row.try_get(1)?,
                    name: row.try_get(2)?,
                    subject: row.try_get(3)?,
                    certificate: row.try_get(4)?,
                    created_at: row.try_get(5)?,
                    not_before: row.try_get(6)?,
                    expires_at: row.try_get(7)?,
                })
            })
            .collect()
    }

    /// Removes the certificate with a thumbprint of either kind.
    pub async fn remove_principal_certificate(&self, client_id: &str, thumbprint: &str) -> Result<(), StateError> {
        let done = sqlx::query(
            "DELETE FROM principal_certificates WHERE client_id = $1 AND (thumbprint = $2 OR thumbprint_sha256 = $2)",
        )
        .bind(client_id)
        .bind(thumbprint.to_ascii_uppercase())
        .execute(&self.writer)
        .await?;
        match done.rows_affected() {
            0 => Err(StateError::Missing { what: "the certificate", name: thumbprint.to_owned() }),
            _ => Ok(()),
        }
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
    Ok(Principal {
        client_id: row.try_get(0)?,
        name: row.try_get(1)?,
        created_at: row.try_get(2)?,
        is_public: row.try_get::<i64, _>(3)? != 0,
        redirect_uris: read_document(URIS, row, 4)?,
    })
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
            let named = state.add_named_secret(&principal.client_id, "for the pipeline", 60).await.unwrap();
            let known = state.principal_secrets(&principal.client_id).await.unwrap();
            let id = &known.iter().find(|known| known.name == "for the pipeline").unwrap().id;
            assert!(state.remove_principal_secret("nobody", id).await.is_err());
            state.remove_principal_secret(&principal.client_id, id).await.unwrap();
            assert_eq!(check(principal.client_id.clone(), named).await, SecretCheck::WrongSecret);
            state.delete_principal(&principal.client_id).await.unwrap();
            assert_eq!(check(principal.client_id, secret).await, SecretCheck::UnknownClient);
        })
        .await;
    }

    #[tokio::test]
    async fn a_certificate_is_registered_once_and_found_by_either_thumbprint() {
        stores::each(|place| async move {
            let state = place.open().await;
            let principal = state.create_principal("one").await.unwrap();
            let certificate = PrincipalCertificate {
                thumbprint_sha256: "AB12".into(),
                thumbprint: "CD34".into(),
                name: "build".into(),
                subject: "CN=build".into(),
                certificate: "PEM".into(),
                created_at: 1,
                not_before: 2,
                expires_at: 3,
            };
            state.add_principal_certificate(&principal.client_id, &certificate).await.unwrap();
            assert!(state.add_principal_certificate("nobody", &certificate).await.is_err());
            let again = state.add_principal_certificate(&principal.client_id, &certificate).await;
            assert!(matches!(again, Err(StateError::Exists { .. })));
            assert_eq!(state.principal_certificates(&principal.client_id).await.unwrap(), [certificate]);
            state.remove_principal_certificate(&principal.client_id, "cd34").await.unwrap();
            assert!(state.remove_principal_certificate(&principal.client_id, "ab12").await.is_err());
        })
        .await;
    }
}
