//! What is encrypted in the store: one list of columns, by which secrets are listed and encrypted anew.

use sqlx::{AnyConnection, Row};

use crate::seal::{Key, key_of};
use crate::{State, StateError};

/// A column with sealed values.
pub(crate) struct SealedColumn {
    /// What they are, for a person.
    pub kind: &'static str,
    pub table: &'static str,
    pub column: &'static str,
    /// The column whose value is bound to the sealed one (`name` of `seal`).
    pub bound: &'static str,
    /// The column with the name for a person.
    pub named: &'static str,
    /// Which rows have a sealed value there; empty: all.
    pub only: &'static str,
    /// The file that seals it, with how often `seal` is called there for this column.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares it with the code"))]
    pub written_in: (&'static str, usize),
}

/// Every column with sealed values. A test compares it with the code and with a store that has one of each.
pub(crate) const SEALED: &[SealedColumn] = &[
    SealedColumn {
        kind: "setting",
        table: "settings",
        column: "value",
        bound: "name",
        named: "name",
        only: "sealed = 1",
        written_in: ("settings.rs", 1),
    },
    // the authority that servers share is a setting too
    SealedColumn {
        kind: "setting",
        table: "settings",
        column: "value",
        bound: "name",
        named: "name",
        only: "sealed = 1",
        written_in: ("failover.rs", 1),
    },
    SealedColumn {
        kind: "workspace primary key",
        table: "workspaces",
        column: "primary_key",
        bound: "id",
        named: "name",
        only: "",
        written_in: ("workspaces.rs", 2),
    },
    SealedColumn {
        kind: "workspace secondary key",
        table: "workspaces",
        column: "secondary_key",
        bound: "id",
        named: "name",
        only: "",
        written_in: ("workspaces.rs", 1),
    },
    SealedColumn {
        kind: "Run As account",
        table: "run_as_accounts",
        column: "sealed_secret",
        bound: "account_id",
        named: "name",
        only: "",
        written_in: ("run_as.rs", 1),
    },
    SealedColumn {
        kind: "action group",
        table: "alerting_resources",
        column: "document",
        bound: "resource_key",
        named: "resource_key",
        only: "sealed = 1",
        written_in: ("alerting.rs", 1),
    },
    SealedColumn {
        kind: "service desk connection",
        table: "itsm_connections",
        column: "sealed_secrets",
        bound: "connection_id",
        named: "name",
        only: "",
        written_in: ("itsm.rs", 2),
    },
    SealedColumn {
        kind: "Service Map connection",
        table: "service_map_connections",
        column: "sealed_secret",
        bound: "connection_id",
        named: "name",
        only: "",
        written_in: ("service_map.rs", 1),
    },
    SealedColumn {
        kind: "Configuration Manager connection",
        table: "configuration_managers",
        column: "sealed_secrets",
        bound: "connection_id",
        named: "name",
        only: "",
        written_in: ("configuration_managers.rs", 2),
    },
    SealedColumn {
        kind: "directory",
        table: "computer_group_directories",
        column: "sealed_password",
        bound: "source_id",
        named: "name",
        only: "",
        written_in: ("group_directories.rs", 1),
    },
    SealedColumn {
        kind: "sign-in under way",
        table: "sign_in_attempts",
        column: "verifier",
        bound: "digest",
        named: "provider",
        only: "",
        written_in: ("sign_in_attempts.rs", 1),
    },
];

/// A column once, though two files write it.
fn columns() -> impl Iterator<Item = &'static SealedColumn> {
    let is_first = |index: usize, column: &SealedColumn| {
        SEALED[..index].iter().all(|other| (other.table, other.column) != (column.table, column.column))
    };
    SEALED.iter().enumerate().filter(move |(index, column)| is_first(*index, column)).map(|(_, column)| column)
}

impl SealedColumn {
    fn select(&self) -> String {
        let only = if self.only.is_empty() { "1 = 1" } else { self.only };
        let SealedColumn { table, column, bound, named, .. } = self;
        format!("SELECT {bound}, {column}, {named} FROM {table} WHERE {only} AND {column} <> '' ORDER BY {named}")
    }
}

/// A secret of the store, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedValue {
    /// What it is, for a person.
    pub kind: &'static str,
    pub name: String,
    /// The identity of what it belongs to.
    pub of: String,
    /// The key that it is encrypted with; empty: it is from before keys had names.
    pub key: String,
}

impl State {
    /// Every secret that is encrypted in the store.
    pub async fn sealed_values(&self) -> Result<Vec<SealedValue>, StateError> {
        let mut values = Vec::new();
        for column in columns() {
            for row in sqlx::query(sqlx::AssertSqlSafe(column.select())).fetch_all(&self.pool).await? {
                let key = key_of(row.try_get::<&str, _>(1)?).to_owned();
                values.push(SealedValue { kind: column.kind, name: row.try_get(2)?, of: row.try_get(0)?, key });
            }
        }
        Ok(values)
    }

    /// The key of any value that this server can open; `None` where nothing is sealed.
    ///
    /// # Errors
    /// When none of its keys opens it.
    pub(crate) async fn key_in_use(&self) -> Result<Option<String>, StateError> {
        for column in columns() {
            let sql = format!("{} LIMIT 1", column.select());
            if let Some(row) = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_optional(&self.pool).await? {
                let (_, key) = self.seal.open(row.try_get(0)?, row.try_get(1)?)?;
                return Ok(Some(key.id.clone()));
            }
        }
        Ok(None)
    }

    /// Encrypts anew what is not encrypted with `to`; how many values that were. Over PostgreSQL nothing else is sealed
    /// until the transaction ends.
    pub(crate) async fn seal_anew(&self, connection: &mut AnyConnection, to: &Key) -> Result<usize, StateError> {
        if self.shared {
            let tables: Vec<&str> = columns().map(|column| column.table).collect();
            let sql = format!("LOCK TABLE {} IN EXCLUSIVE MODE", tables.join(", "));
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
        let mut count = 0;
        for column in columns() {
            let SealedColumn { table, column: name, bound, kind, .. } = column;
            let update = format!("UPDATE {table} SET {name} = $1 WHERE {bound} = $2 AND {name} = $3");
            for row in sqlx::query(sqlx::AssertSqlSafe(column.select())).fetch_all(&mut *connection).await? {
                let (of, sealed, named): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                if key_of(&sealed) == to.id {
                    continue;
                }
                let value = self.seal.unseal(&of, &sealed).map_err(|source| StateError::SealAnew {
                    kind,
                    name: named,
                    source: Box::new(source),
                })?;
                sqlx::query(sqlx::AssertSqlSafe(update.clone()))
                    .bind(to.seal(&of, &value))
                    .bind(&of)
                    .bind(&sealed)
                    .execute(&mut *connection)
                    .await?;
                count += 1;
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::{
        AlertingKind, AlertingResource, ConfigurationManager, GroupDirectory, ItsmConnection, MapConnection,
        MapSettings, RunAsAccount, SignInAttempt, stores,
    };

    /// One secret of every kind, through the methods that users' requests go through.
    pub(crate) async fn fill(state: &State) {
        state.put_secret_setting("jwt", "geheim 1").await.unwrap();
        let attempt = SignInAttempt {
            provider: "corp".into(),
            nonce: "n".into(),
            verifier: "geheim 9".into(),
            return_to: "/".into(),
        };
        state.begin_sign_in(&attempt, 600).await.unwrap();
        state.create_workspace("default").await.unwrap();
        let account = RunAsAccount {
            account_id: "a".into(),
            name: "reporting".into(),
            kind: "Basic".into(),
            user_name: "me".into(),
            less_secure: true,
            modified_at: 1,
        };
        state.put_run_as_account(&account, Some("geheim 2")).await.unwrap();
        let group = AlertingResource {
            key: "g/people".into(),
            document: json!({"uri": "geheim 3"}),
            modified_at: 1,
            modified_by: "me".into(),
        };
        state.put_alerting_resource(AlertingKind::ActionGroup, &group).await.unwrap();
        let rule = AlertingResource { document: json!({"open": 1}), ..group };
        state.put_alerting_resource(AlertingKind::AlertRule, &rule).await.unwrap();
        let desk = ItsmConnection { connection_id: "i".into(), name: "desk".into(), ..ItsmConnection::default() };
        state.add_itsm_connection(&desk, "geheim 4").await.unwrap();
        let map = MapConnection {
            connection_id: "m".into(),
            name: "map".into(),
            settings: MapSettings::default(),
            changed_at: 1,
            last_sync: None,
            wanted_at: 0,
            wanted_run: String::new(),
            began_at: 0,
        };
        state.put_map_connection(&map, Some("geheim 5")).await.unwrap();
        let manager =
            ConfigurationManager { connection_id: "c".into(), name: "site".into(), ..ConfigurationManager::default() };
        state.add_configuration_manager(&manager, "geheim 6").await.unwrap();
        let directory = GroupDirectory { source_id: "d".into(), name: "ad".into(), ..GroupDirectory::default() };
        state.put_group_directory(&directory, "geheim 7", 1).await.unwrap();
    }

    /// What `fill` wrote, read back.
    pub(crate) async fn read(state: &State) -> Vec<String> {
        let workspace = state.workspaces().await.unwrap().remove(0);
        vec![
            state.setting("jwt").await.unwrap().unwrap(),
            workspace.primary_key,
            workspace.secondary_key,
            state.run_as_credentials("any").await.unwrap().remove(0).secret,
            state.alerting_resource(AlertingKind::ActionGroup, "g/people").await.unwrap().unwrap().document.to_string(),
            state.itsm_secrets("i").await.unwrap(),
            state.map_connection("m").await.unwrap().unwrap().1,
            state.configuration_manager_secrets("c").await.unwrap(),
            state.group_directory_password("d").await.unwrap(),
        ]
    }

    /// Table and column of every value of the store that has the form of a sealed one.
    async fn found(state: &State) -> BTreeSet<(String, String)> {
        let id = state.seal.current().id.clone();
        let tables = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&state.pool).await;
        let mut found = BTreeSet::new();
        for table in tables.unwrap() {
            let table: String = table.try_get(0).unwrap();
            let sql = format!("SELECT name FROM pragma_table_info('{table}')");
            for column in sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&state.pool).await.unwrap() {
                let column: String = column.try_get(0).unwrap();
                let sql = format!("SELECT COUNT(*) FROM \"{table}\" WHERE \"{column}\" LIKE '{id}.%'");
                let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&state.pool).await.unwrap();
                if row.try_get::<i64, _>(0).unwrap() > 0 {
                    found.insert((table.clone(), column));
                }
            }
        }
        found
    }

    #[tokio::test]
    async fn what_is_sealed_in_a_store_with_one_of_each_is_the_list() {
        let place = stores::sqlite();
        let state = place.open().await;
        fill(&state).await;
        let listed = SEALED.iter().map(|one| (one.table.to_owned(), one.column.to_owned())).collect();
        assert_eq!(found(&state).await, listed, "a column that is missing in `fill` or in `SEALED`");
    }

    #[test]
    fn every_use_of_seal_is_in_the_list() {
        let mut written = BTreeMap::new();
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            // what tests of a file seal is not in a store
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let uses = code.matches(".seal.seal(").count();
            if uses > 0 && name != "sealed.rs" {
                written.insert(name, uses);
            }
        }
        let mut listed = BTreeMap::new();
        for column in SEALED {
            *listed.entry(column.written_in.0.to_owned()).or_insert(0) += column.written_in.1;
        }
        assert_eq!(
            written, listed,
            "a file that seals a value names its column in SEALED, or `watchkeeper secrets rotate` leaves it behind"
        );
    }

    #[tokio::test]
    async fn secrets_are_listed_without_their_values() {
        stores::each(|place| async move {
            let state = place.open().await;
            fill(&state).await;
            let values = state.sealed_values().await.unwrap();
            let kinds: Vec<_> = values.iter().map(|value| (value.kind, value.name.as_str())).collect();
            assert_eq!(
                kinds,
                [
                    ("setting", "jwt"),
                    ("workspace primary key", "default"),
                    ("workspace secondary key", "default"),
                    ("Run As account", "reporting"),
                    ("action group", "g/people"),
                    ("service desk connection", "desk"),
                    ("Service Map connection", "map"),
                    ("Configuration Manager connection", "site"),
                    ("directory", "ad"),
                    ("sign-in under way", "corp"),
                ]
            );
            assert!(values.iter().all(|value| value.key == state.seal.current().id));
            assert!(!format!("{values:?}").contains("geheim"));
        })
        .await;
    }
}
