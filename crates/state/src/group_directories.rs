//! Directories whose groups of computers are imported: where they are, and how the imports go. Passwords are encrypted at
//! rest.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::is_duplicate;
use crate::{State, StateError};

/// A directory. Times are microseconds since the Unix epoch, 0 for never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupDirectory {
    /// That of its groups.
    pub source_id: String,
    pub name: String,
    /// JSON: where and what, without the password.
    pub settings: String,
    /// When somebody asked for an import that has not been done.
    pub run_requested: i64,
    pub next_run_at: i64,
    pub last_run_at: i64,
    pub last_success_at: i64,
    /// What is wrong; empty: nothing.
    pub problem: String,
}

const COLUMNS: &str = "SELECT source_id, name, settings, run_requested, next_run_at, last_run_at, last_success_at, \
                       problem FROM computer_group_directories ORDER BY name";

impl State {
    /// Every directory, by name.
    pub async fn group_directories(&self) -> Result<Vec<GroupDirectory>, StateError> {
        sqlx::query(COLUMNS).fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// The password of a directory's account.
    pub async fn group_directory_password(&self, source_id: &str) -> Result<String, StateError> {
        let sql = "SELECT sealed_password FROM computer_group_directories WHERE source_id = $1";
        let row = sqlx::query(sql).bind(source_id).fetch_optional(&self.pool).await?;
        let row = row.ok_or_else(|| StateError::Missing { what: "the directory", name: source_id.to_owned() })?;
        self.seal.unseal(source_id, row.try_get::<&str, _>(0)?)
    }

    /// Adds a directory, or changes the one of this id; it is read at once.
    pub async fn put_group_directory(
        &self,
        directory: &GroupDirectory,
        password: &str,
        at: i64,
    ) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO computer_group_directories (source_id, name, settings, sealed_password, run_requested, \
             next_run_at, last_run_at, last_success_at, problem) VALUES ($1, $2, $3, $4, $5, 0, 0, 0, '') \
             ON CONFLICT (source_id) DO UPDATE SET name = excluded.name, settings = excluded.settings, \
             sealed_password = excluded.sealed_password, run_requested = excluded.run_requested",
        )
        .bind(&directory.source_id)
        .bind(&directory.name)
        .bind(&directory.settings)
        .bind(self.seal.seal(&directory.source_id, password))
        .bind(at)
        .execute(&self.writer)
        .await
        .map_err(|error| match is_duplicate(&error) {
            true => StateError::Exists { what: "the directory", name: directory.name.clone() },
            false => error.into(),
        })?;
        Ok(())
    }

    /// Removes a directory; false where there is none.
    pub async fn delete_group_directory(&self, source_id: &str) -> Result<bool, StateError> {
        let sql = "DELETE FROM computer_group_directories WHERE source_id = $1";
        Ok(sqlx::query(sql).bind(source_id).execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Asks for an import at once, by whichever server does the directory's work.
    pub async fn request_directory_import(&self, source_id: &str, at: i64) -> Result<(), StateError> {
        let sql = "UPDATE computer_group_directories SET run_requested = $1 WHERE source_id = $2";
        sqlx::query(sql).bind(at).bind(source_id).execute(&self.writer).await?;
        Ok(())
    }

    /// Notes how an import ended that began at a time; one that was asked for later is still to be done.
    pub async fn end_directory_import(
        &self,
        source_id: &str,
        began: i64,
        at: i64,
        next_run_at: i64,
        problem: &str,
    ) -> Result<(), StateError> {
        sqlx::query(
            "UPDATE computer_group_directories SET last_run_at = $1, next_run_at = $2, problem = $3, \
             last_success_at = CASE WHEN $3 = '' THEN $1 ELSE last_success_at END, \
             run_requested = CASE WHEN run_requested > $4 THEN run_requested ELSE 0 END WHERE source_id = $5",
        )
        .bind(at)
        .bind(next_run_at)
        .bind(problem)
        .bind(began)
        .bind(source_id)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

fn read(row: &AnyRow) -> Result<GroupDirectory, StateError> {
    Ok(GroupDirectory {
        source_id: row.try_get(0)?,
        name: row.try_get(1)?,
        settings: row.try_get(2)?,
        run_requested: row.try_get(3)?,
        next_run_at: row.try_get(4)?,
        last_run_at: row.try_get(5)?,
        last_success_at: row.try_get(6)?,
        problem: row.try_get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_directory_keeps_its_password_and_what_was_asked_for_meanwhile() {
        stores::each(|place| async move {
            let state = place.open().await;
            let one = GroupDirectory {
                source_id: "d1".to_owned(),
                name: "corp".to_owned(),
                settings: "{}".to_owned(),
                ..GroupDirectory::default()
            };
            state.put_group_directory(&one, "geheim", 5).await.unwrap();
            let other = GroupDirectory { source_id: "d2".to_owned(), ..one.clone() };
            assert!(matches!(state.put_group_directory(&other, "", 5).await, Err(StateError::Exists { .. })));
            assert_eq!(state.group_directory_password("d1").await.unwrap(), "geheim");
            state.request_directory_import("d1", 20).await.unwrap();
            state.end_directory_import("d1", 10, 30, 40, "no answer").await.unwrap();
            let known = state.group_directories().await.unwrap().remove(0);
            assert_eq!((known.run_requested, known.last_success_at, known.problem.as_str()), (20, 0, "no answer"));
            state.end_directory_import("d1", 25, 50, 60, "").await.unwrap();
            let known = state.group_directories().await.unwrap().remove(0);
            assert_eq!((known.run_requested, known.last_success_at, known.next_run_at), (0, 50, 60));
            assert!(state.delete_group_directory("d1").await.unwrap());
            assert!(!state.delete_group_directory("d1").await.unwrap());
        })
        .await;
    }
}
