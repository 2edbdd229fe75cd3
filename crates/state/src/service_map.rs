//! Connections to workspaces that have a map, what their last synchronization did, the dependency views made of it, and
//! what people changed of these. Secrets are encrypted at rest. Times are microseconds since the Unix epoch.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::batch;
use crate::documents::{parse, read, write};
use crate::error::is_duplicate;
use crate::{State, StateError};

/// A connection, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapConnection {
    /// A UUID.
    pub connection_id: String,
    pub name: String,
    pub settings: MapSettings,
    pub changed_at: i64,
    pub last_sync: Option<MapSync>,
    /// When somebody asked for a synchronization last; it is done where the last one began later.
    pub wanted_at: i64,
    /// The name of that synchronization.
    pub wanted_run: String,
    /// When the last one began.
    pub began_at: i64,
}

/// What is set of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapSettings {
    /// Who gives tokens; empty: this server.
    pub authority: String,
    /// The resource manager; empty: this server.
    pub endpoint: String,
    /// Authorities that are trusted besides the system's, PEM.
    #[serde(default)]
    pub trusted_certificates: String,
    pub tenant: String,
    pub application_id: String,
    /// When the secret ends, as a person said; 0: not known.
    #[serde(default)]
    pub secret_expires: i64,
    pub subscription: String,
    pub resource_group: String,
    pub workspace: String,
    #[serde(default)]
    pub machine_groups: Vec<ChosenGroup>,
    /// Computers of the Service Map Servers Group, by name.
    #[serde(default)]
    pub servers: Vec<String>,
    /// The pool whose members talk to the workspace.
    pub resource_pool: String,
}

/// A machine group that is synchronized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChosenGroup {
    /// Its name in the workspace, which stays.
    pub id: String,
    pub display_name: String,
}

/// What a synchronization did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapSync {
    pub run: String,
    pub began: i64,
    /// 0 while it runs.
    pub ended: i64,
    /// The code of what was wrong; empty where nothing was.
    pub code: String,
    /// The same for a person.
    pub error: String,
    /// When one succeeded last; 0: none did.
    pub succeeded: i64,
    /// What the last one that succeeded found.
    pub servers: usize,
    pub machine_groups: usize,
    pub processes: usize,
    /// Machines of the map that cannot be shown as they should, as of then.
    #[serde(default)]
    pub missing: Vec<MissingMachine>,
}

/// A machine for which something is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingMachine {
    pub machine: String,
    /// `agent`, `approval`, `object`, `workspace`.
    pub lacks: Vec<String>,
    /// What to do, for a person.
    pub what: String,
}

/// What a person changed of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapEdit {
    pub view_id: String,
    pub member_id: String,
    pub connection_id: String,
    /// Put in, or taken out.
    pub added: bool,
    pub changed_by: String,
    pub changed_at: i64,
}

const COLUMNS: &str = "SELECT connection_id, name, settings, changed_at, last_sync, began_at, wanted_at, wanted_run, \
                       sealed_secret FROM service_map_connections";
const WHAT: &str = "workspace connection";

impl State {
    /// Writes a connection; `None` leaves the secret that it has. What its synchronizations did stays.
    pub async fn put_map_connection(&self, connection: &MapConnection, secret: Option<&str>) -> Result<(), StateError> {
        let keep = match secret {
            Some(_) => "sealed_secret = excluded.sealed_secret, ",
            None => "",
        };
        let sql = format!(
            "INSERT INTO service_map_connections (connection_id, name, settings, sealed_secret, changed_at, last_sync, \
             began_at, wanted_at, wanted_run) VALUES ($1, $2, $3, $4, $5, '', 0, 0, '') ON CONFLICT (connection_id) \
             DO UPDATE SET {keep}name = excluded.name, settings = excluded.settings, changed_at = excluded.changed_at"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(&connection.connection_id)
            .bind(&connection.name)
            .bind(write(WHAT, &connection.settings)?)
            .bind(self.seal.seal(&connection.connection_id, secret.unwrap_or_default()))
            .bind(connection.changed_at)
            .execute(&self.writer)
            .await
            .map_err(|error| match is_duplicate(&error) {
                true => StateError::Exists { what: WHAT, name: connection.name.clone() },
                false => error.into(),
            })?;
        Ok(())
    }

    /// Every connection, by name.
    pub async fn map_connections(&self) -> Result<Vec<MapConnection>, StateError> {
        let sql = format!("{COLUMNS} ORDER BY name");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?.iter().map(connection).collect()
    }

    /// A connection with its secret.
    pub async fn map_connection(&self, connection_id: &str) -> Result<Option<(MapConnection, String)>, StateError> {
        let sql = format!("{COLUMNS} WHERE connection_id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(connection_id).fetch_optional(&self.pool).await?;
        row.map(|row| Ok((connection(&row)?, self.seal.unseal(connection_id, row.try_get::<&str, _>(8)?)?))).transpose()
    }

    /// Removes a connection with its views and what people changed of them; false where there is none.
    pub async fn delete_map_connection(&self, connection_id: &str) -> Result<bool, StateError> {
        let sql = "DELETE FROM service_map_connections WHERE connection_id = $1";
        Ok(sqlx::query(sql).bind(connection_id).execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Asks for a synchronization by a name.
    pub async fn want_map_sync(&self, connection_id: &str, run: &str, at: i64) -> Result<(), StateError> {
        let sql = "UPDATE service_map_connections SET wanted_at = $1, wanted_run = $2 WHERE connection_id = $3";
        sqlx::query(sql).bind(at).bind(run).bind(connection_id).execute(&self.writer).await?;
        Ok(())
    }

    /// Says what a synchronization does or did.
    pub async fn put_map_sync(&self, connection_id: &str, sync: &MapSync) -> Result<(), StateError> {
        let sql = "UPDATE service_map_connections SET last_sync = $1, began_at = $2 WHERE connection_id = $3";
        let document = write(WHAT, sync)?;
        sqlx::query(sql).bind(document).bind(sync.began).bind(connection_id).execute(&self.writer).await?;
        Ok(())
    }

    /// Keeps exactly these views of a connection, as JSON by their identities.
    pub async fn put_map_views(&self, connection_id: &str, views: &[(String, String)]) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("DELETE FROM service_map_views WHERE connection_id = $1")
            .bind(connection_id)
            .execute(&mut *transaction)
            .await?;
        let rows: Vec<_> = views.iter().map(|(view, document)| batch::row![view, connection_id, document]).collect();
        let head = "INSERT INTO service_map_views (view_id, connection_id, document)";
        batch::execute(&mut transaction, head, "", &rows).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A view, as JSON, with its connection.
    pub async fn map_view(&self, view_id: &str) -> Result<Option<(String, String)>, StateError> {
        let sql = "SELECT connection_id, document FROM service_map_views WHERE view_id = $1";
        let row = sqlx::query(sql).bind(view_id).fetch_optional(&self.pool).await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
    }

    /// The connections of views.
    pub async fn map_views(&self) -> Result<HashMap<String, String>, StateError> {
        let rows = sqlx::query("SELECT view_id, connection_id FROM service_map_views").fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Notes what a person changed of a view, in the place of what was noted of that member.
    pub async fn put_map_edit(&self, edit: &MapEdit) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO service_map_edits (view_id, member_id, connection_id, change, changed_by, changed_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (view_id, member_id) DO UPDATE SET change = excluded.change, \
             changed_by = excluded.changed_by, changed_at = excluded.changed_at",
        )
        .bind(&edit.view_id)
        .bind(&edit.member_id)
        .bind(&edit.connection_id)
        .bind(if edit.added { "added" } else { "removed" })
        .bind(&edit.changed_by)
        .bind(edit.changed_at)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Forgets what a person changed of a member: the map alone decides again.
    pub async fn delete_map_edit(&self, view_id: &str, member_id: &str) -> Result<(), StateError> {
        let sql = "DELETE FROM service_map_edits WHERE view_id = $1 AND member_id = $2";
        sqlx::query(sql).bind(view_id).bind(member_id).execute(&self.writer).await?;
        Ok(())
    }

    /// What people changed of the views of a connection.
    pub async fn map_edits(&self, connection_id: &str) -> Result<Vec<MapEdit>, StateError> {
        let sql = "SELECT view_id, member_id, connection_id, change, changed_by, changed_at FROM service_map_edits \
                   WHERE connection_id = $1 ORDER BY view_id, member_id";
        let rows = sqlx::query(sql).bind(connection_id).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(MapEdit {
                    view_id: row.try_get(0)?,
                    member_id: row.try_get(1)?,
                    connection_id: row.try_get(2)?,
                    added: row.try_get::<&str, _>(3)? == "added",
                    changed_by: row.try_get(4)?,
                    changed_at: row.try_get(5)?,
                })
            })
            .collect()
    }
}

fn connection(row: &AnyRow) -> Result<MapConnection, StateError> {
    let last_sync = match row.try_get::<&str, _>(4)? {
        "" => None,
        document => Some(parse(WHAT, document)?),
    };
    Ok(MapConnection {
        connection_id: row.try_get(0)?,
        name: row.try_get(1)?,
        settings: read(WHAT, row, 2)?,
        changed_at: row.try_get(3)?,
        last_sync,
        began_at: row.try_get(5)?,
        wanted_at: row.try_get(6)?,
        wanted_run: row.try_get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    fn connection() -> MapConnection {
        MapConnection {
            connection_id: "c-1".into(),
            name: "Shop".into(),
            settings: MapSettings { tenant: "t".into(), servers: vec!["web".into()], ..MapSettings::default() },
            changed_at: 5,
            last_sync: None,
            wanted_at: 0,
            wanted_run: String::new(),
            began_at: 0,
        }
    }

    #[tokio::test]
    async fn a_connection_keeps_its_secret_sealed_and_goes_with_all_that_is_of_it() {
        stores::each(|place| async move {
            let state = place.open().await;
            let mut one = connection();
            state.put_map_connection(&one, Some("hush")).await.unwrap();
            one.settings.servers.push("db".into());
            state.put_map_connection(&one, None).await.unwrap();
            assert_eq!(state.map_connection("c-1").await.unwrap(), Some((one.clone(), "hush".to_owned())));
            let sealed: String = sqlx::query("SELECT sealed_secret FROM service_map_connections")
                .fetch_one(&state.pool)
                .await
                .unwrap()
                .try_get(0)
                .unwrap();
            assert!(!sealed.contains("hush"));
            let other = MapConnection { connection_id: "c-2".into(), ..one.clone() };
            let refused = state.put_map_connection(&other, Some("x")).await;
            assert!(matches!(refused, Err(StateError::Exists { .. })), "{refused:?}");

            let sync = MapSync { run: "r".into(), began: 7, error: "no".into(), ..MapSync::default() };
            state.want_map_sync("c-1", "r", 6).await.unwrap();
            state.put_map_sync("c-1", &sync).await.unwrap();
            let [known] = state.map_connections().await.unwrap().try_into().unwrap();
            assert_eq!((known.wanted_at, known.began_at, known.last_sync), (6, 7, Some(sync)));

            let edit = |added| MapEdit {
                view_id: "v".into(),
                member_id: "m".into(),
                connection_id: "c-1".into(),
                added,
                changed_by: "somebody".into(),
                changed_at: 8,
            };
            for added in [true, false] {
                state.put_map_edit(&edit(added)).await.unwrap();
                assert_eq!(state.map_edits("c-1").await.unwrap(), [edit(added)]);
            }
            state.put_map_views("c-1", &[("v".into(), "{}".into()), ("w".into(), "{}".into())]).await.unwrap();
            state.put_map_views("c-1", &[("v".into(), "[]".into())]).await.unwrap();
            assert_eq!(state.map_view("v").await.unwrap(), Some(("c-1".to_owned(), "[]".to_owned())));
            assert_eq!(state.map_views().await.unwrap().len(), 1);
            assert!(state.delete_map_connection("c-1").await.unwrap());
            assert!(!state.delete_map_connection("c-1").await.unwrap());
            assert!(state.map_edits("c-1").await.unwrap().is_empty() && state.map_views().await.unwrap().is_empty());
        })
        .await;
    }
}
