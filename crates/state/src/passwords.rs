//! Argon2id hashes of secrets and passwords. Checking takes tens of milliseconds, so it runs on the blocking pool.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};

use crate::{StateError, random_bytes};

pub(crate) async fn hash(secret: &str) -> Result<String, StateError> {
    let secret = secret.to_owned();
    blocking(move || {
        let salt =
            SaltString::encode_b64(&random_bytes::<16>()).map_err(|error| StateError::Hash(error.to_string()))?;
        let hash = Argon2::default()
            .hash_password(secret.as_bytes(), &salt)
            .map_err(|error| StateError::Hash(error.to_string()))?;
        Ok(hash.to_string())
    })
    .await
}

/// The position of the first of `hashes` that `secret` fits; an empty list costs as much time as one hash, so that an
/// unknown name cannot be told from a wrong secret by the clock.
pub(crate) async fn matching(secret: &str, hashes: Vec<String>) -> Result<Option<usize>, StateError> {
    let secret = secret.to_owned();
    blocking(move || {
        if hashes.is_empty() {
            let salt = SaltString::encode_b64(&[0; 16]).map_err(|error| StateError::Hash(error.to_string()))?;
            let _ = Argon2::default().hash_password(secret.as_bytes(), &salt);
            return Ok(None);
        }
        Ok(hashes.iter().position(|hash| {
            PasswordHash::new(hash)
                .is_ok_and(|parsed| Argon2::default().verify_password(secret.as_bytes(), &parsed).is_ok())
        }))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StateError> + Send + 'static,
) -> Result<T, StateError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StateError::Hash(error.to_string()))?
}
