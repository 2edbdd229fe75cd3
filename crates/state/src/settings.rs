//! Named single values: identities of the installation, signing keys. Sealed ones are encrypted at rest.

use sqlx::Row;

use crate::{State, StateError};

impl State {
    /// The value of a setting, decrypted where it is sealed.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StateError> {
        let row = sqlx::query("SELECT value, sealed FROM settings WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let value: String = row.try_get(0)?;
        match row.try_get::<i64, _>(1)? {
            0 => Ok(Some(value)),
            _ => self.seal.unseal(name, &value).map(Some),
        }
    }

    /// The settings whose names begin with `prefix`, decrypted where they are sealed, by name.
    pub async fn settings_below(&self, prefix: &str) -> Result<Vec<(String, String)>, StateError> {
        let rows = sqlx::query("SELECT name, value, sealed FROM settings ORDER BY name").fetch_all(&self.pool).await?;
        let mut found = Vec::new();
        for row in rows {
            let (name, value): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            if name.starts_with(prefix) {
                let value = if row.try_get::<i64, _>(2)? == 0 { value } else { self.seal.unseal(&name, &value)? };
                found.push((name, value));
            }
        }
        Ok(found)
    }

    /// Removes a setting; an unknown one is no error.
    pub async fn remove_setting(&self, name: &str) -> Result<(), StateError> {
        sqlx::query("DELETE FROM settings WHERE name = $1").bind(name).execute(&self.writer).await?;
        Ok(())
    }

    /// Writes a setting in plain text.
    pub async fn put_setting(&self, name: &str, value: &str) -> Result<(), StateError> {
        self.write_setting(name, value, 0).await
    }

    /// Writes a setting encrypted.
    pub async fn put_secret_setting(&self, name: &str, value: &str) -> Result<(), StateError> {
        let sealed = self.seal.seal(name, value);
        self.write_setting(name, &sealed, 1).await
    }

    async fn write_setting(&self, name: &str, value: &str, sealed: i64) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO settings (name, value, sealed) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed",
        )
        .bind(name)
        .bind(value)
        .bind(sealed)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::State;

    #[tokio::test]
    async fn a_secret_setting_is_not_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open_embedded(dir.path()).await.unwrap();
        state.put_secret_setting("jwt", "very-secret-value").await.unwrap();
        assert_eq!(state.setting("jwt").await.unwrap().as_deref(), Some("very-secret-value"));
        state.put_secret_setting("jwt", "another-secret").await.unwrap();
        assert_eq!(state.setting("jwt").await.unwrap().as_deref(), Some("another-secret"));
        state.put_setting("jwt.b", "plain").await.unwrap();
        let below = state.settings_below("jwt.").await.unwrap();
        assert_eq!(below, [("jwt.b".to_owned(), "plain".to_owned())]);
        state.remove_setting("jwt.b").await.unwrap();
        assert_eq!(state.settings_below("jwt").await.unwrap().len(), 1);
        state.close().await;
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(11).any(|window| window == b"very-secret"));
        }
    }
}
