//! People who sign in: with a password that is kept here, or through a provider that says who they are.

use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::is_duplicate;
use crate::{State, StateError, now, passwords};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: String,
    /// What they sign in with.
    pub name: String,
    /// Empty: the same as `name`.
    pub display_name: String,
    pub mail: String,
    /// Who says that it is this person; empty: a password that is kept here.
    pub provider: String,
    /// How the provider calls the person.
    pub provider_subject: String,
    /// Seconds since the Unix epoch; 0: the user may sign in.
    pub disabled_at: i64,
    pub created_at: i64,
    /// 0: never.
    pub signed_in_at: i64,
    /// Counts how often the user was signed out everywhere: tokens of an earlier generation are refused.
    pub token_generation: i64,
}

impl User {
    pub fn is_disabled(&self) -> bool {
        self.disabled_at > 0
    }

    /// The name for people.
    pub fn shown_name(&self) -> &str {
        if self.display_name.is_empty() { &self.name } else { &self.display_name }
    }
}

/// A user to be made.
#[derive(Debug, Clone, Default)]
pub struct NewUser<'a> {
    pub name: &'a str,
    pub display_name: &'a str,
    pub mail: &'a str,
    pub provider: &'a str,
    pub provider_subject: &'a str,
}

/// What can be changed of a user; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    pub name: Option<String>,
    pub display_name: Option<String>,
    pub mail: Option<String>,
    pub disabled: Option<bool>,
}

/// The columns of [`read_user`].
pub(crate) const USER_COLUMNS: &str = "users.id, users.name, users.display_name, users.mail, users.provider, \
     users.provider_subject, users.disabled_at, users.created_at, users.signed_in_at, users.token_generation";

impl State {
    /// Makes a user with a password.
    pub async fn create_user(&self, name: &str, password: &str) -> Result<User, StateError> {
        self.add_user(NewUser { name, ..NewUser::default() }, Some(password)).await
    }

    /// Makes a user; without a password only its provider lets it in.
    pub async fn add_user(&self, new: NewUser<'_>, password: Option<&str>) -> Result<User, StateError> {
        let hash = match password {
            Some(password) => passwords::hash(password).await?,
            // no password fits an empty hash
            None => String::new(),
        };
        let user = User {
            id: Uuid::new_v4().to_string(),
            name: new.name.to_owned(),
            display_name: new.display_name.to_owned(),
            mail: new.mail.to_owned(),
            provider: new.provider.to_owned(),
            provider_subject: new.provider_subject.to_owned(),
            disabled_at: 0,
            created_at: now(),
            signed_in_at: 0,
            token_generation: 0,
        };
        sqlx::query(
            "INSERT INTO users (id, name, hash, created_at, display_name, mail, provider, provider_subject) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&user.id)
        .bind(&user.name)
        .bind(hash)
        .bind(user.created_at)
        .bind(&user.display_name)
        .bind(&user.mail)
        .bind(&user.provider)
        .bind(&user.provider_subject)
        .execute(&self.writer)
        .await
        .map_err(|error| exists(error, &user.name))?;
        Ok(user)
    }

    /// Replaces a password, ends the sessions that were opened with the old one, and refuses the tokens of before.
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
        sign_out(&mut transaction, &user.id).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Changes a user; one that is disabled loses its sessions and tokens with the same step.
    pub async fn change_user(&self, id: &str, change: UserChange) -> Result<User, StateError> {
        let Some(mut user) = self.user(id).await? else {
            return Err(StateError::Missing { what: "the user", name: id.to_owned() });
        };
        let name = change.name.unwrap_or_else(|| user.name.clone());
        user.display_name = change.display_name.unwrap_or(user.display_name);
        user.mail = change.mail.unwrap_or(user.mail);
        user.disabled_at = match change.disabled {
            Some(true) if user.disabled_at == 0 => now(),
            Some(false) => 0,
            _ => user.disabled_at,
        };
        let mut transaction = self.writer.begin().await?;
        sqlx::query("UPDATE users SET name = $1, display_name = $2, mail = $3, disabled_at = $4 WHERE id = $5")
            .bind(&name)
            .bind(&user.display_name)
            .bind(&user.mail)
            .bind(user.disabled_at)
            .bind(&user.id)
            .execute(&mut *transaction)
            .await
            .map_err(|error| exists(error, &name))?;
        if user.is_disabled() {
            sign_out(&mut transaction, &user.id).await?;
        }
        transaction.commit().await?;
        user.name = name;
        Ok(user)
    }

    /// Removes a user with its sessions, roles and places in groups.
    pub async fn delete_user(&self, id: &str) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        for statement in [
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM role_assignments WHERE subject = $1",
            "DELETE FROM directory_group_members WHERE member = $1",
        ] {
            sqlx::query(statement).bind(id).execute(&mut *transaction).await?;
        }
        let done = sqlx::query("DELETE FROM users WHERE id = $1").bind(id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        match done.rows_affected() {
            0 => Err(StateError::Missing { what: "the user", name: id.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Ends all sessions of a user and refuses the tokens that were issued before.
    pub async fn sign_out_everywhere(&self, user_id: &str) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        sign_out(&mut transaction, user_id).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Every user, by name.
    pub async fn users(&self) -> Result<Vec<User>, StateError> {
        let sql = format!("SELECT {USER_COLUMNS} FROM users ORDER BY name");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?;
        rows.iter().map(read_user).collect()
    }

    pub async fn user(&self, id: &str) -> Result<Option<User>, StateError> {
        self.user_where("id = $1", &[id]).await
    }

    pub async fn user_by_name(&self, name: &str) -> Result<Option<User>, StateError> {
        self.user_where("name = $1", &[name]).await
    }

    /// The user that a provider calls `subject`.
    pub async fn user_of_provider(&self, provider: &str, subject: &str) -> Result<Option<User>, StateError> {
        self.user_where("provider = $1 AND provider_subject = $2", &[provider, subject]).await
    }

    async fn user_where(&self, condition: &'static str, values: &[&str]) -> Result<Option<User>, StateError> {
        let sql = format!("SELECT {USER_COLUMNS} FROM users WHERE {condition}");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for value in values {
            query = query.bind((*value).to_owned());
        }
        query.fetch_optional(&self.pool).await?.as_ref().map(read_user).transpose()
    }

    /// The user, where name and password fit and the user is not disabled. An unknown name takes as long as a wrong
    /// password.
    pub async fn check_password(&self, name: &str, password: &str) -> Result<Option<User>, StateError> {
        let sql = format!("SELECT {USER_COLUMNS}, users.hash FROM users WHERE name = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name).fetch_optional(&self.pool).await?;
        let hashes: Vec<String> = row.as_ref().map(|row| row.try_get(10)).transpose()?.into_iter().collect();
        let hashes = hashes.into_iter().filter(|hash| !hash.is_empty()).collect();
        let matching = passwords::matching(password, hashes).await?;
        match (row, matching) {
            (Some(row), Some(_)) => Ok(Some(read_user(&row)?).filter(|user| !user.is_disabled())),
            _ => Ok(None),
        }
    }
}

/// Ends the sessions and grants of a user and begins a new generation of tokens.
async fn sign_out(connection: &mut sqlx::AnyConnection, user_id: &str) -> Result<(), StateError> {
    for statement in [
        "DELETE FROM sessions WHERE user_id = $1",
        "DELETE FROM authorization_codes WHERE user_id = $1",
        "DELETE FROM refresh_tokens WHERE user_id = $1",
    ] {
        sqlx::query(statement).bind(user_id).execute(&mut *connection).await?;
    }
    sqlx::query("UPDATE users SET token_generation = token_generation + 1 WHERE id = $1")
        .bind(user_id)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

fn exists(error: sqlx::Error, name: &str) -> StateError {
    match is_duplicate(&error) {
        true => StateError::Exists { what: "the user", name: name.to_owned() },
        false => error.into(),
    }
}

pub(crate) fn read_user(row: &AnyRow) -> Result<User, StateError> {
    Ok(User {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        display_name: row.try_get(2)?,
        mail: row.try_get(3)?,
        provider: row.try_get(4)?,
        provider_subject: row.try_get(5)?,
        disabled_at: row.try_get(6)?,
        created_at: row.try_get(7)?,
        signed_in_at: row.try_get(8)?,
        token_generation: row.try_get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_disabled_user_is_signed_out_and_does_not_come_in_again() {
        stores::each(|place| async move {
            let state = place.open().await;
            let user = state.create_user("ada", "right").await.unwrap();
            let open =
                state.create_session(&user, crate::SessionTimes { valid: 60, idle: 0 }, "a browser").await.unwrap();
            let change = UserChange { disabled: Some(true), ..UserChange::default() };
            let disabled = state.change_user(&user.id, change).await.unwrap();
            assert!(disabled.is_disabled());
            assert!(state.session(&open.token).await.unwrap().is_none());
            assert_eq!(state.check_password("ada", "right").await.unwrap(), None);
            assert!(state.user(&user.id).await.unwrap().unwrap().token_generation > 0);
            let change = UserChange { disabled: Some(false), mail: Some("a@b".into()), ..UserChange::default() };
            state.change_user(&user.id, change).await.unwrap();
            let found = state.check_password("ada", "right").await.unwrap().unwrap();
            assert_eq!((found.mail.as_str(), found.shown_name()), ("a@b", "ada"));
            state.delete_user(&user.id).await.unwrap();
            assert!(state.users().await.unwrap().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn a_user_of_a_provider_has_no_password() {
        stores::each(|place| async move {
            let state = place.open().await;
            let new = NewUser { name: "eve@corp", provider: "corp", provider_subject: "s1", ..NewUser::default() };
            let user = state.add_user(new.clone(), None).await.unwrap();
            assert_eq!(state.check_password("eve@corp", "").await.unwrap(), None);
            assert_eq!(state.user_of_provider("corp", "s1").await.unwrap(), Some(user));
            assert_eq!(state.user_of_provider("", "s1").await.unwrap(), None);
            assert!(matches!(state.add_user(new, None).await, Err(StateError::Exists { .. })));
        })
        .await;
    }
}
