//! People who sign in to the console with a name and a password.

use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::is_duplicate;
use crate::{State, StateError, now, passwords};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: String,
    pub name: String,
}

impl State {
    pub async fn create_user(&self, name: &str, password: &str) -> Result<User, StateError> {
        let user = User { id: Uuid::new_v4().to_string(), name: name.to_owned() };
        sqlx::query("INSERT INTO users (id, name, hash, created_at) VALUES ($1, $2, $3, $4)")
            .bind(&user.id)
            .bind(name)
            .bind(passwords::hash(password).await?)
            .bind(now())
            .execute(&self.writer)
            .await
            .map_err(|error| match is_duplicate(&error) {
                true => StateError::Exists { what: "the user", name: name.to_owned() },
                false => error.into(),
            })?;
        Ok(user)
    }

    /// Replaces a password and ends the sessions that were opened with the old one.
    pub async fn set_password(&self, name: &str, password: &str) -> Result<(), StateError> {
        let hash = passwords::hash(password).await?;
        let Some(user) = self.user_by_name(name).await? else {
            return Err(StateError::Missing { what: "the user", name: name.to_owned() });
        };
        let mut transaction = self.writer.begin().await?;
        sqlx::query("UPDATE users SET hash = $1 WHERE id = $2")
            .bind(hash)
            .bind(&user.id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(&user.id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub async fn user_by_name(&self, name: &str) -> Result<Option<User>, StateError> {
        let row =
            sqlx::query("SELECT id, name FROM users WHERE name = $1").bind(name).fetch_optional(&self.pool).await?;
        row.as_ref().map(read_user).transpose()
    }

    /// The user, where name and password fit. An unknown name takes as long as a wrong password.
    pub async fn check_password(&self, name: &str, password: &str) -> Result<Option<User>, StateError> {
        let row = sqlx::query("SELECT id, name, hash FROM users WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        let hashes = row.as_ref().map(|row| row.try_get(2)).transpose()?.into_iter().collect();
        let matching = passwords::matching(password, hashes).await?;
        match (row, matching) {
            (Some(row), Some(_)) => read_user(&row).map(Some),
            _ => Ok(None),
        }
    }
}

pub(crate) fn read_user(row: &AnyRow) -> Result<User, StateError> {
    Ok(User { id: row.try_get(0)?, name: row.try_get(1)? })
}
