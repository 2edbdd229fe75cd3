//! Connections to service desks: their forms, how they are, how far their work items were read, and which versions of
//! them the workspace has. Secrets are encrypted at rest.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::batch::{self, row};
use crate::error::is_duplicate;
use crate::{Changes, State, StateError};

/// A connection. Times are microseconds since the Unix epoch, 0 for never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItsmConnection {
    pub connection_id: String,
    pub name: String,
    /// The product.
    pub partner: String,
    /// JSON: the form without its secrets.
    pub settings: String,
    /// Another with every edit of the form.
    pub revision: i64,
    pub modified_at: i64,
    /// When somebody asked for a synchronization that has not been done.
    pub sync_requested: i64,
    pub next_sync_at: i64,
    pub last_sync_at: i64,
    pub last_success_at: i64,
    /// Failed synchronizations in a row.
    pub failures: i64,
    /// JSON: what is wrong; empty: nothing.
    pub problem: String,
    pub configuration_at: i64,
}

/// How far the work items of a kind were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItsmPosition {
    pub connection_id: String,
    pub kind: String,
    /// The last item in the order of time of change and key.
    pub changed_at: i64,
    pub item_key: String,
    /// Until all items of the past days were read once.
    pub is_full: bool,
    /// Of the first reading; 0 where the product does not say it.
    pub total: i64,
    pub done: i64,
    /// Rises with every page: who writes the next one has to know it.
    pub step: i64,
}

/// The version of a work item that the workspace has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItsmItem {
    pub item_key: String,
    pub number: String,
    pub title: String,
    pub computer: String,
    /// JSON: what the product calls its configuration item, the most exact name first.
    pub names: String,
    pub version: String,
    pub changed_at: i64,
    /// Something is still to be done.
    pub is_open: bool,
    /// It was removed in the product.
    pub is_gone: bool,
}

impl ItsmItem {
    /// Whether a row of this one says the same as one of the other.
    #[must_use]
    pub fn has_row_of(&self, other: &ItsmItem) -> bool {
        (&self.version, &self.computer) == (&other.version, &other.computer)
    }
}

/// What came of a synchronization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItsmOutcome {
    /// The form that it was done with.
    pub revision: i64,
    pub at: i64,
    pub next_sync_at: i64,
    /// JSON: what is wrong; empty: nothing.
    pub problem: String,
}

const COLUMNS: &str = "SELECT connection_id, name, partner, settings, revision, modified_at, sync_requested, \
                       next_sync_at, last_sync_at, last_success_at, failures, problem, configuration_at \
                       FROM itsm_connections";
const ITEM: &str = "SELECT item_key, number, title, computer, names, version, changed_at, is_open, is_gone \
                    FROM itsm_items WHERE";

impl State {
    /// Every connection, by name.
    pub async fn itsm_connections(&self) -> Result<Vec<ItsmConnection>, StateError> {
        let sql = format!("{COLUMNS} ORDER BY name");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?.iter().map(read_connection).collect()
    }

    /// The secrets of a connection, in JSON.
    pub async fn itsm_secrets(&self, connection_id: &str) -> Result<String, StateError> {
        let sql = "SELECT sealed_secrets FROM itsm_connections WHERE connection_id = $1";
        let row = sqlx::query(sql).bind(connection_id).fetch_optional(&self.pool).await?;
        let row = row.ok_or_else(|| StateError::Missing { what: "the connection", name: connection_id.to_owned() })?;
        self.seal.unseal(connection_id, row.try_get::<&str, _>(0)?)
    }

    /// What the product of a connection offers, in JSON; empty where it was not read yet.
    pub async fn itsm_configuration(&self, connection_id: &str) -> Result<String, StateError> {
        let sql = "SELECT configuration FROM itsm_connections WHERE connection_id = $1";
        let row = sqlx::query(sql).bind(connection_id).fetch_optional(&self.pool).await?;
        row.map_or_else(|| Ok(String::new()), |row| Ok(row.try_get(0)?))
    }

    /// Adds a connection; it is synchronized at once.
    pub async fn add_itsm_connection(&self, connection: &ItsmConnection, secrets: &str) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO itsm_connections (connection_id, name, partner, settings, sealed_secrets, revision, \
             modified_at, sync_requested, next_sync_at, last_sync_at, last_success_at, failures, problem, \
             configuration, configuration_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $6, 0, 0, 0, 0, '', '', 0)",
        )
        .bind(&connection.connection_id)
        .bind(&connection.name)
        .bind(&connection.partner)
        .bind(&connection.settings)
        .bind(self.seal.seal(&connection.connection_id, secrets))
        .bind(connection.modified_at)
        .execute(&self.writer)
        .await
        .map_err(|error| taken(error, &connection.name))?;
        Ok(())
    }

    /// Changes name, settings and secrets of a connection where it still has the revision that was read; it is
    /// synchronized at once, from the start where `read_again`; under another name every item has its row anew. False where somebody else changed it meanwhile.
    pub async fn change_itsm_connection(
        &self,
        connection: &ItsmConnection,
        secrets: &str,
        read_again: bool,
    ) -> Result<bool, StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query(
            "UPDATE itsm_items SET version = '' WHERE connection_id = $1 AND EXISTS (SELECT 1 FROM itsm_connections \
             WHERE connection_id = $1 AND revision = $2 AND name <> $3)",
        )
        .bind(&connection.connection_id)
        .bind(connection.revision)
        .bind(&connection.name)
        .execute(&mut *transaction)
        .await?;
        let done = sqlx::query(
            "UPDATE itsm_connections SET name = $1, settings = $2, sealed_secrets = $3, revision = revision + 1, \
             modified_at = $4, sync_requested = $4, failures = 0 WHERE connection_id = $5 AND revision = $6",
        )
        .bind(&connection.name)
        .bind(&connection.settings)
        .bind(self.seal.seal(&connection.connection_id, secrets))
        .bind(connection.modified_at)
        .bind(&connection.connection_id)
        .bind(connection.revision)
        .execute(&mut *transaction)
        .await
        .map_err(|error| taken(error, &connection.name))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        if read_again {
            let sql = "DELETE FROM itsm_positions WHERE connection_id = $1";
            sqlx::query(sql).bind(&connection.connection_id).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes a connection with all that is known of its items; false where there is none. What the workspace has of
    /// them stays.
    pub async fn delete_itsm_connection(&self, connection_id: &str) -> Result<bool, StateError> {
        let sql = "DELETE FROM itsm_connections WHERE connection_id = $1";
        Ok(sqlx::query(sql).bind(connection_id).execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Asks for a synchronization at once, by whichever server does the connection's work.
    pub async fn request_itsm_sync(&self, connection_id: &str, at: i64) -> Result<(), StateError> {
        let sql = "UPDATE itsm_connections SET sync_requested = $1 WHERE connection_id = $2";
        sqlx::query(sql).bind(at).bind(connection_id).execute(&self.writer).await?;
        Ok(())
    }

    /// How far the work items were read: of one connection, or of all.
    pub async fn itsm_positions(&self, connection_id: Option<&str>) -> Result<Vec<ItsmPosition>, StateError> {
        let sql = "SELECT connection_id, kind, changed_at, item_key, is_full, total, done, step FROM itsm_positions \
                   WHERE $1 = '' OR connection_id = $1 ORDER BY connection_id, kind";
        let rows = sqlx::query(sql).bind(connection_id.unwrap_or_default()).fetch_all(&self.pool).await?;
        rows.iter().map(read_position).collect()
    }

    /// The known items of a kind that were changed since a time and are not gone, with their keys in order.
    pub async fn itsm_items_since(
        &self,
        connection_id: &str,
        kind: &str,
        since: i64,
    ) -> Result<Vec<ItsmItem>, StateError> {
        let sql =
            format!("{ITEM} connection_id = $1 AND kind = $2 AND changed_at >= $3 AND is_gone = 0 ORDER BY item_key");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(connection_id)
            .bind(kind)
            .bind(since)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_item).collect()
    }

    /// The items that something is still to be done about, of all connections: each with the connection's id.
    pub async fn open_itsm_items(&self) -> Result<Vec<(String, ItsmItem)>, StateError> {
        let sql = ITEM.replacen("SELECT item_key", "SELECT connection_id, item_key", 1) + " is_open = 1";
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get("connection_id")?, read_item(row)?))).collect()
    }

    /// Forgets items that were changed before a time: they are not read any more.
    pub async fn forget_itsm_items(&self, connection_id: &str, before: i64) -> Result<(), StateError> {
        let sql = "DELETE FROM itsm_items WHERE connection_id = $1 AND changed_at < $2";
        sqlx::query(sql).bind(connection_id).bind(before).execute(&self.writer).await?;
        Ok(())
    }
}

impl Changes {
    /// The known versions of items.
    pub async fn itsm_items(
        &mut self,
        connection_id: &str,
        kind: &str,
        keys: &[String],
    ) -> Result<HashMap<String, ItsmItem>, StateError> {
        let rows: Vec<_> = keys.iter().map(|key| row![connection_id, kind, key]).collect();
        let head = format!("{ITEM} (connection_id, kind, item_key) IN (");
        let found = batch::fetch(self.connection(), &head, ")", &rows).await?;
        found.iter().map(|row| read_item(row).map(|item| (item.item_key.clone(), item))).collect()
    }

    /// Writes the versions of items.
    pub async fn put_itsm_items(
        &mut self,
        connection_id: &str,
        kind: &str,
        items: &[ItsmItem],
    ) -> Result<(), StateError> {
        let rows: Vec<_> = items
            .iter()
            .map(|item| {
                row![
                    connection_id,
                    kind,
                    &item.item_key,
                    &item.number,
                    &item.title,
                    &item.computer,
                    &item.names,
                    &item.version,
                    item.changed_at,
                    item.is_open,
                    item.is_gone,
                ]
            })
            .collect();
        let head = "INSERT INTO itsm_items (connection_id, kind, item_key, number, title, computer, names, \
                    version, changed_at, is_open, is_gone)";
        let tail = "ON CONFLICT (connection_id, kind, item_key) DO UPDATE SET number = excluded.number, \
                    title = excluded.title, computer = excluded.computer, names = excluded.names, \
                    version = excluded.version, changed_at = excluded.changed_at, is_open = excluded.is_open, \
                    is_gone = excluded.is_gone";
        batch::execute(self.connection(), head, tail, &rows).await?;
        Ok(())
    }

    /// Moves a position on by one step, if it is where the caller read it and the connection's form is still the same;
    /// false where another server or an edit came between, and nothing may be written then.
    pub async fn move_itsm_position(&mut self, to: &ItsmPosition, revision: i64) -> Result<bool, StateError> {
        let sql = "SELECT COUNT(*) FROM itsm_connections WHERE connection_id = $1 AND revision = $2";
        let row = sqlx::query(sql).bind(&to.connection_id).bind(revision).fetch_one(self.connection()).await?;
        if row.try_get::<i64, _>(0)? == 0 {
            return Ok(false);
        }
        let done = sqlx::query(
            "INSERT INTO itsm_positions (connection_id, kind, changed_at, item_key, is_full, total, done, step) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, CAST($8 AS BIGINT) + 1) \
             ON CONFLICT (connection_id, kind) DO UPDATE SET changed_at = excluded.changed_at, \
             item_key = excluded.item_key, is_full = excluded.is_full, total = excluded.total, done = excluded.done, \
             step = excluded.step WHERE itsm_positions.step = excluded.step - 1",
        )
        .bind(&to.connection_id)
        .bind(&to.kind)
        .bind(to.changed_at)
        .bind(&to.item_key)
        .bind(i64::from(to.is_full))
        .bind(to.total)
        .bind(to.done)
        .bind(to.step)
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes what a product offers.
    pub async fn put_itsm_configuration(
        &mut self,
        connection_id: &str,
        configuration: &str,
        at: i64,
    ) -> Result<(), StateError> {
        let sql = "UPDATE itsm_connections SET configuration = $1, configuration_at = $2 WHERE connection_id = $3";
        sqlx::query(sql).bind(configuration).bind(at).bind(connection_id).execute(self.connection()).await?;
        Ok(())
    }

    /// Notes what came of a synchronization that began at `began`; one that was asked for later is still to be done.
    pub async fn put_itsm_outcome(
        &mut self,
        connection_id: &str,
        began: i64,
        outcome: &ItsmOutcome,
    ) -> Result<(), StateError> {
        sqlx::query(
            "UPDATE itsm_connections SET last_sync_at = $1, next_sync_at = $2, problem = $3, \
             last_success_at = CASE WHEN $3 = '' THEN $1 ELSE last_success_at END, \
             failures = CASE WHEN $3 = '' THEN 0 ELSE failures + 1 END, \
             sync_requested = CASE WHEN sync_requested > $4 THEN sync_requested ELSE 0 END \
             WHERE connection_id = $5 AND revision = $6",
        )
        .bind(outcome.at)
        .bind(outcome.next_sync_at)
        .bind(&outcome.problem)
        .bind(began)
        .bind(connection_id)
        .bind(outcome.revision)
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

fn taken(error: sqlx::Error, name: &str) -> StateError {
    match is_duplicate(&error) {
        true => StateError::Exists { what: "the connection", name: name.to_owned() },
        false => error.into(),
    }
}

fn read_connection(row: &AnyRow) -> Result<ItsmConnection, StateError> {
    Ok(ItsmConnection {
        connection_id: row.try_get(0)?,
        name: row.try_get(1)?,
        partner: row.try_get(2)?,
        settings: row.try_get(3)?,
        revision: row.try_get(4)?,
        modified_at: row.try_get(5)?,
        sync_requested: row.try_get(6)?,
        next_sync_at: row.try_get(7)?,
        last_sync_at: row.try_get(8)?,
        last_success_at: row.try_get(9)?,
        failures: row.try_get(10)?,
        problem: row.try_get(11)?,
        configuration_at: row.try_get(12)?,
    })
}

fn read_position(row: &AnyRow) -> Result<ItsmPosition, StateError> {
    Ok(ItsmPosition {
        connection_id: row.try_get(0)?,
        kind: row.try_get(1)?,
        changed_at: row.try_get(2)?,
        item_key: row.try_get(3)?,
        is_full: row.try_get::<i64, _>(4)? != 0,
        total: row.try_get(5)?,
        done: row.try_get(6)?,
        step: row.try_get(7)?,
    })
}

fn read_item(row: &AnyRow) -> Result<ItsmItem, StateError> {
    Ok(ItsmItem {
        item_key: row.try_get("item_key")?,
        number: row.try_get("number")?,
        title: row.try_get("title")?,
        computer: row.try_get("computer")?,
        names: row.try_get("names")?,
        version: row.try_get("version")?,
        changed_at: row.try_get("changed_at")?,
        is_open: row.try_get::<i64, _>("is_open")? != 0,
        is_gone: row.try_get::<i64, _>("is_gone")? != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    fn connection() -> ItsmConnection {
        ItsmConnection {
            connection_id: "c1".to_owned(),
            name: "Desk".to_owned(),
            partner: "ServiceNow".to_owned(),
            settings: "{}".to_owned(),
            revision: 1,
            modified_at: 5,
            ..ItsmConnection::default()
        }
    }

    #[tokio::test]
    async fn a_connection_keeps_its_secret_and_refuses_an_edit_of_an_old_form() {
        stores::each(|place| async move {
            let state = place.open().await;
            let mut one = connection();
            state.add_itsm_connection(&one, "geheim").await.unwrap();
            let again = ItsmConnection { connection_id: "c2".to_owned(), ..one.clone() };
            assert!(matches!(state.add_itsm_connection(&again, "").await, Err(StateError::Exists { .. })));
            assert_eq!(state.itsm_secrets("c1").await.unwrap(), "geheim");
            assert_eq!(state.itsm_connections().await.unwrap()[0].sync_requested, 5);
            one.name = "Other".to_owned();
            assert!(state.change_itsm_connection(&one, "neu", true).await.unwrap());
            assert!(!state.change_itsm_connection(&one, "old", true).await.unwrap());
            assert_eq!(state.itsm_secrets("c1").await.unwrap(), "neu");
            assert!(state.delete_itsm_connection("c1").await.unwrap());
            assert!(!state.delete_itsm_connection("c1").await.unwrap());
        })
        .await;
    }

    #[tokio::test]
    async fn a_page_is_taken_once_and_only_for_the_form_that_it_was_read_with() {
        stores::each(|place| async move {
            let state = place.open().await;
            state.add_itsm_connection(&connection(), "").await.unwrap();
            let to = ItsmPosition {
                connection_id: "c1".to_owned(),
                kind: "Incident".to_owned(),
                changed_at: 10,
                item_key: "k".to_owned(),
                is_full: true,
                total: 2,
                done: 1,
                step: 0,
            };
            let item = ItsmItem {
                item_key: "k".to_owned(),
                names: "[\"web1\"]".to_owned(),
                version: "v".to_owned(),
                changed_at: 10,
                is_open: true,
                ..ItsmItem::default()
            };
            let mut changes = state.change().await.unwrap();
            assert!(!changes.move_itsm_position(&to, 2).await.unwrap());
            assert!(changes.move_itsm_position(&to, 1).await.unwrap());
            changes.put_itsm_items("c1", "Incident", std::slice::from_ref(&item)).await.unwrap();
            changes.commit().await.unwrap();
            let mut changes = state.change().await.unwrap();
            assert!(!changes.move_itsm_position(&to, 1).await.unwrap());
            let keys = ["k".to_owned(), "x".to_owned()];
            let known = changes.itsm_items("c1", "Incident", &keys).await.unwrap();
            assert_eq!(known.len(), 1);
            assert_eq!(known["k"], item);
            drop(changes);
            let position = state.itsm_positions(Some("c1")).await.unwrap().remove(0);
            assert_eq!(position, ItsmPosition { step: 1, ..to });
            assert_eq!(state.itsm_items_since("c1", "Incident", 11).await.unwrap(), []);
            assert_eq!(state.itsm_items_since("c1", "Incident", 10).await.unwrap(), std::slice::from_ref(&item));
            assert_eq!(state.open_itsm_items().await.unwrap(), [("c1".to_owned(), item.clone())]);
            let done = ItsmItem { is_open: false, ..item };
            let mut changes = state.change().await.unwrap();
            changes.put_itsm_items("c1", "Incident", &[done]).await.unwrap();
            changes.commit().await.unwrap();
            assert_eq!(state.open_itsm_items().await.unwrap(), []);
        })
        .await;
    }

    #[tokio::test]
    async fn a_synchronization_that_was_asked_for_meanwhile_is_still_to_be_done() {
        stores::each(|place| async move {
            let state = place.open().await;
            state.add_itsm_connection(&connection(), "").await.unwrap();
            state.request_itsm_sync("c1", 20).await.unwrap();
            let outcome = ItsmOutcome { revision: 1, at: 30, next_sync_at: 40, problem: "{}".to_owned() };
            let mut changes = state.change().await.unwrap();
            changes.put_itsm_outcome("c1", 10, &outcome).await.unwrap();
            changes.commit().await.unwrap();
            let one = state.itsm_connections().await.unwrap().remove(0);
            assert_eq!((one.sync_requested, one.failures, one.last_success_at), (20, 1, 0));
            let mut changes = state.change().await.unwrap();
            let good = ItsmOutcome { problem: String::new(), ..outcome };
            changes.put_itsm_outcome("c1", 25, &good).await.unwrap();
            changes.commit().await.unwrap();
            let one = state.itsm_connections().await.unwrap().remove(0);
            assert_eq!((one.sync_requested, one.failures, one.last_success_at), (0, 0, 30));
        })
        .await;
    }
}
