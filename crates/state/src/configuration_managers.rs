//! Connections to Configuration Manager: their forms, the sites that they lead to, when they import and how it went.
//! Secrets are encrypted at rest.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::is_duplicate;
use crate::{Changes, State, StateError};

/// A connection. Times are microseconds since the Unix epoch, 0 for never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigurationManager {
    pub connection_id: String,
    pub name: String,
    /// JSON: the form without its secrets.
    pub settings: String,
    /// JSON: the site that it leads to.
    pub site: String,
    /// Another with every edit of the form.
    pub revision: i64,
    pub modified_at: i64,
    /// When somebody asked for an import that has not been done.
    pub run_requested: i64,
    pub next_run_at: i64,
    /// The import that runs, or ran last.
    pub began_at: i64,
    pub last_run_at: i64,
    pub last_success_at: i64,
    /// The last one that read all members anew.
    pub last_full_at: i64,
    /// Failed imports in a row.
    pub failures: i64,
    /// JSON: what is wrong; empty: nothing.
    pub problem: String,
    /// JSON: what the last import did; empty: there was none.
    pub outcome: String,
    /// JSON: what was last written to the site; empty: nothing.
    pub written: String,
}

/// How an import ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportEnd {
    /// The form that it was done with.
    pub revision: i64,
    pub began_at: i64,
    pub at: i64,
    pub next_run_at: i64,
    /// It read all members anew.
    pub was_full: bool,
    /// JSON: what is wrong; empty: nothing.
    pub problem: String,
    /// JSON: what it did; of one that failed, empty.
    pub outcome: String,
}

const COLUMNS: &str = "SELECT connection_id, name, settings, site, revision, modified_at, run_requested, next_run_at, \
                       began_at, last_run_at, last_success_at, last_full_at, failures, problem, outcome, written \
                       FROM configuration_managers";

impl State {
    /// Every connection, by name.
    pub async fn configuration_managers(&self) -> Result<Vec<ConfigurationManager>, StateError> {
        let sql = format!("{COLUMNS} ORDER BY name");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// The secrets of a connection, in JSON.
    pub async fn configuration_manager_secrets(&self, connection_id: &str) -> Result<String, StateError> {
        let sql = "SELECT sealed_secrets FROM configuration_managers WHERE connection_id = $1";
        let row = sqlx::query(sql).bind(connection_id).fetch_optional(&self.pool).await?;
        let row = row.ok_or_else(|| StateError::Missing { what: "the connection", name: connection_id.to_owned() })?;
        self.seal.unseal(connection_id, row.try_get::<&str, _>(0)?)
    }

    /// Adds a connection; it imports at once.
    pub async fn add_configuration_manager(
        &self,
        connection: &ConfigurationManager,
        secrets: &str,
    ) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO configuration_managers (connection_id, name, settings, sealed_secrets, site, revision, \
             modified_at, run_requested, next_run_at, began_at, last_run_at, last_success_at, last_full_at, failures, \
             problem, outcome) VALUES ($1, $2, $3, $4, $5, 1, $6, $6, 0, 0, 0, 0, 0, 0, '', '')",
        )
        .bind(&connection.connection_id)
        .bind(&connection.name)
        .bind(&connection.settings)
        .bind(self.seal.seal(&connection.connection_id, secrets))
        .bind(&connection.site)
        .bind(connection.modified_at)
        .execute(&self.writer)
        .await
        .map_err(|error| taken(error, &connection.name))?;
        Ok(())
    }

    /// Changes name, form, secrets and site of a connection where it still has the revision that was read; it imports at
    /// once. False where somebody else changed it meanwhile.
    pub async fn change_configuration_manager(
        &self,
        connection: &ConfigurationManager,
        secrets: &str,
    ) -> Result<bool, StateError> {
        let done = sqlx::query(
            "UPDATE configuration_managers SET name = $1, settings = $2, sealed_secrets = $3, site = $4, \
             revision = revision + 1, modified_at = $5, run_requested = $5, failures = 0 \
             WHERE connection_id = $6 AND revision = $7",
        )
        .bind(&connection.name)
        .bind(&connection.settings)
        .bind(self.seal.seal(&connection.connection_id, secrets))
        .bind(&connection.site)
        .bind(connection.modified_at)
        .bind(&connection.connection_id)
        .bind(connection.revision)
        .execute(&self.writer)
        .await
        .map_err(|error| taken(error, &connection.name))?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes a connection; false where there is none.
    pub async fn delete_configuration_manager(&self, connection_id: &str) -> Result<bool, StateError> {
        let sql = "DELETE FROM configuration_managers WHERE connection_id = $1";
        Ok(sqlx::query(sql).bind(connection_id).execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Asks for an import at once, by whichever server does the connection's work.
    pub async fn request_import(&self, connection_id: &str, at: i64) -> Result<(), StateError> {
        let sql = "UPDATE configuration_managers SET run_requested = $1 WHERE connection_id = $2";
        sqlx::query(sql).bind(at).bind(connection_id).execute(&self.writer).await?;
        Ok(())
    }

    /// Keeps what was written to the site, and has the connection run at a time at the latest where it is not 0. Nothing is
    /// kept where the form is another one by now.
    pub async fn note_written(
        &self,
        connection_id: &str,
        revision: i64,
        written: &str,
        again_at: i64,
    ) -> Result<(), StateError> {
        sqlx::query(
            "UPDATE configuration_managers SET written = $1, \
             next_run_at = CASE WHEN $2 > 0 AND $2 < next_run_at THEN $2 ELSE next_run_at END \
             WHERE connection_id = $3 AND revision = $4",
        )
        .bind(written)
        .bind(again_at)
        .bind(connection_id)
        .bind(revision)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Notes that an import begins; false where the form is another one by now.
    pub async fn begin_import(&self, connection_id: &str, revision: i64, at: i64) -> Result<bool, StateError> {
        let sql = "UPDATE configuration_managers SET began_at = $1 WHERE connection_id = $2 AND revision = $3";
        let done = sqlx::query(sql).bind(at).bind(connection_id).bind(revision).execute(&self.writer).await?;
        Ok(done.rows_affected() > 0)
    }
}

impl Changes {
    /// Notes how an import ended; one that was asked for after it began is still to be done. False where another server or
    /// an edit came between, and nothing of it may be kept then.
    pub async fn end_import(&mut self, connection_id: &str, end: &ImportEnd) -> Result<bool, StateError> {
        let done = sqlx::query(
            "UPDATE configuration_managers SET last_run_at = $1, next_run_at = $2, problem = $3, \
             last_success_at = CASE WHEN $3 = '' THEN $1 ELSE last_success_at END, \
             last_full_at = CASE WHEN $4 = 1 THEN $5 ELSE last_full_at END, \
             failures = CASE WHEN $3 = '' THEN 0 ELSE failures + 1 END, \
             outcome = CASE WHEN $6 = '' THEN outcome ELSE $6 END, \
             run_requested = CASE WHEN run_requested > $5 THEN run_requested ELSE 0 END \
             WHERE connection_id = $7 AND revision = $8 AND began_at = $5",
        )
        .bind(end.at)
        .bind(end.next_run_at)
        .bind(&end.problem)
        .bind(i64::from(end.was_full))
        .bind(end.began_at)
        .bind(&end.outcome)
        .bind(connection_id)
        .bind(end.revision)
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn taken(error: sqlx::Error, name: &str) -> StateError {
    match is_duplicate(&error) {
        true => StateError::Exists { what: "the connection", name: name.to_owned() },
        false => error.into(),
    }
}

fn read(row: &AnyRow) -> Result<ConfigurationManager, StateError> {
    Ok(ConfigurationManager {
        connection_id: row.try_get(0)?,
        name: row.try_get(1)?,
        settings: row.try_get(2)?,
        site: row.try_get(3)?,
        revision: row.try_get(4)?,
        modified_at: row.try_get(5)?,
        run_requested: row.try_get(6)?,
        next_run_at: row.try_get(7)?,
        began_at: row.try_get(8)?,
        last_run_at: row.try_get(9)?,
        last_success_at: row.try_get(10)?,
        last_full_at: row.try_get(11)?,
        failures: row.try_get(12)?,
        problem: row.try_get(13)?,
        outcome: row.try_get(14)?,
        written: row.try_get(15)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn an_import_counts_for_the_form_and_the_beginning_that_it_had() {
        stores::each(|place| async move {
            let state = place.open().await;
            let mut one = ConfigurationManager {
                connection_id: "c1".to_owned(),
                name: "P01".to_owned(),
                settings: "{}".to_owned(),
                site: "{}".to_owned(),
                revision: 1,
                modified_at: 5,
                ..ConfigurationManager::default()
            };
            state.add_configuration_manager(&one, "geheim").await.unwrap();
            let again = ConfigurationManager { connection_id: "c2".to_owned(), ..one.clone() };
            assert!(matches!(state.add_configuration_manager(&again, "").await, Err(StateError::Exists { .. })));
            assert_eq!(state.configuration_manager_secrets("c1").await.unwrap(), "geheim");
            assert!(state.begin_import("c1", 1, 10).await.unwrap());
            assert!(!state.begin_import("c1", 2, 10).await.unwrap());
            state.request_import("c1", 12).await.unwrap();
            let good = ImportEnd {
                revision: 1,
                began_at: 10,
                at: 20,
                next_run_at: 99,
                was_full: true,
                outcome: "{}".to_owned(),
                ..ImportEnd::default()
            };
            let mut changes = state.change().await.unwrap();
            // another server has begun since
            assert!(!changes.end_import("c1", &ImportEnd { began_at: 9, ..good.clone() }).await.unwrap());
            assert!(changes.end_import("c1", &good).await.unwrap());
            changes.commit().await.unwrap();
            let known = state.configuration_managers().await.unwrap().remove(0);
            assert_eq!((known.run_requested, known.last_success_at, known.last_full_at), (12, 20, 10));
            state.note_written("c1", 1, "[1]", 50).await.unwrap();
            state.note_written("c1", 2, "[2]", 10).await.unwrap();
            let known = state.configuration_managers().await.unwrap().remove(0);
            assert_eq!((known.written.as_str(), known.next_run_at), ("[1]", 50));
            one.name = "P02".to_owned();
            assert!(state.change_configuration_manager(&one, "neu").await.unwrap());
            assert!(!state.change_configuration_manager(&one, "alt").await.unwrap());
            let mut changes = state.change().await.unwrap();
            assert!(!changes.end_import("c1", &good).await.unwrap());
            let bad = ImportEnd { revision: 2, problem: "{}".to_owned(), outcome: String::new(), ..good };
            assert!(changes.end_import("c1", &bad).await.unwrap());
            changes.commit().await.unwrap();
            let known = state.configuration_managers().await.unwrap().remove(0);
            assert_eq!((known.failures, known.outcome.as_str(), known.last_success_at), (1, "{}", 20));
            assert!(state.delete_configuration_manager("c1").await.unwrap());
            assert!(!state.delete_configuration_manager("c1").await.unwrap());
        })
        .await;
    }
}
