//! The operational store: one interface over SQLite and PostgreSQL, with its migrations. The only crate that knows
//! SQL; each file of this crate is one thing that is stored, with the methods of [`State`] that read and write it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agents;
mod alert_deliveries;
mod alerting;
mod alerts;
mod batch;
mod certificates;
mod changes;
mod collection_rules;
mod computer_groups;
mod configuration_managers;
mod directory_groups;
mod documents;
mod error;
mod expiry;
mod failover;
mod following;
mod gateways;
mod grants;
mod grooming;
mod group_directories;
mod health;
mod heartbeats;
mod itsm;
mod itsm_tickets;
mod key_files;
mod key_rotation;
mod machine_groups;
mod maintenance;
mod map_pins;
mod objects;
mod outbox;
mod packs;
mod passwords;
mod pools;
mod principals;
mod revocation_lists;
mod roles;
mod run_as;
mod saved_queries;
mod seal;
mod sealed;
mod service_map;
mod sessions;
mod settings;
mod sign_in_attempts;
mod task_runs;
mod users;
mod workspaces;

#[cfg(test)]
#[path = "../tests/stores/mod.rs"]
mod stores;

#[cfg(test)]
impl stores::Place {
    async fn open(&self) -> State {
        State::open(&self.url, &self.key).await.unwrap()
    }
}

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Executor};

pub use agents::{Agent, AgentSeen, EnrolmentToken, TokenUse};
pub use alert_deliveries::{AlertDelivery, AlertNotice, DeliveryFilter, DeliveryStatus};
pub use alerting::{AlertRuleRun, AlertingKind, AlertingResource};
pub use alerts::{
    Alert, AlertFilter, AlertHistory, Priority, ResolutionState, ResolutionStateName, RuleFacts, Severity, WorkItem,
};
pub use certificates::{RevokedCertificate, ShownCertificate, TrustedAuthority};
pub use changes::{Changes, Lane};
pub use collection_rules::CollectionRule;
pub use computer_groups::{ComputerGroup, GroupSource};
pub use configuration_managers::{ConfigurationManager, ImportEnd};
pub use directory_groups::{DirectoryGroup, GroupMember};
pub use error::StateError;
pub use expiry::ExpiryWarning;
pub use failover::{Claim, RowBatch};
pub use following::News;
pub use gateways::{Gateway, GatewayQueue};
pub use grants::{DeviceAnswer, DeviceRequest, Grant, Redeemed};
pub use grooming::{Groomed, Grooming};
pub use group_directories::GroupDirectory;
pub use health::{MonitorOf, MonitorState, StateChange};
pub use heartbeats::HeartbeatSetting;
pub use itsm::{ItsmConnection, ItsmItem, ItsmOutcome, ItsmPosition};
pub use itsm_tickets::ItsmTicket;
pub use key_files::KeyFiles;
pub use key_rotation::{KeyPlace, SealingKey};
pub use machine_groups::{GroupedMachine, MachineGroup};
pub use maintenance::{MaintenanceSchedule, MaintenanceWindow};
pub use map_pins::{Arrangement, ArrangementOf, Pin};
pub use objects::{DiscoveryRecord, Object, ObjectHistory, Relationship};
pub use packs::{Override, Pack, PackHistory};
pub use pools::{Assignment, ResourcePool, Server};
pub use principals::{Principal, PrincipalCertificate, SecretCheck, SecretInfo};
pub use revocation_lists::{ListedCertificate, RevocationListRecord};
pub use roles::{CustomRole, GivenRole, OldRole, RoleAssignment, SubjectKind};
pub use run_as::{RunAsAccount, RunAsAssociation, RunAsCredential};
pub use saved_queries::SavedQuery;
pub use seal::{random_bytes, random_token};
pub use sealed::SealedValue;
pub use service_map::{ChosenGroup, MapConnection, MapEdit, MapSettings, MapSync, MissingMachine};
pub use sessions::{NewSession, Session, SessionInfo, SessionTimes};
pub use sign_in_attempts::SignInAttempt;
pub use task_runs::{TaskRun, TaskStatus};
pub use users::{NewUser, User, UserChange};
pub use workspaces::{Workspace, WorkspaceKey};

use seal::Seal;

/// How long a statement waits for another writer of the same SQLite file.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(10);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The open operational store. Cheap to clone; every clone shares one pool.
#[derive(Clone)]
pub struct State {
    /// For reading.
    pool: AnyPool,
    /// For writing. A SQLite file takes one writer at a time: the others wait here in their order, and reading waits for
    /// none of them. The same as `pool` over PostgreSQL.
    writer: AnyPool,
    seal: Seal,
    keys: KeyFiles,
    /// PostgreSQL: other servers may use the same store.
    shared: bool,
    follower: following::Follower,
}

impl State {
    /// Opens the store at `url` (`sqlite://FILE` or `postgres://…`), creates it where it is missing and brings its
    /// tables up to date. `key_file` holds the key that secrets are encrypted with; it is made when it is missing.
    pub async fn open(url: &str, key_file: &Path) -> Result<State, StateError> {
        State::open_with(url, KeyFiles::new(key_file)).await
    }

    /// The same with keys in other places too.
    pub async fn open_with(url: &str, keys: KeyFiles) -> Result<State, StateError> {
        sqlx::any::install_default_drivers();
        let mut found = keys.load()?.keys;
        let seal = Seal::new(found.remove(0), found);
        let shared = url.starts_with("postgres");
        let (writer, pool) = if shared {
            let pool = connect(url, 16).await?;
            (pool.clone(), pool)
        } else {
            (connect(url, 1).await?, connect(url, 4).await?)
        };
        MIGRATIONS.run(&writer).await.map_err(|source| StateError::Migrate { source })?;
        let state = State { pool, writer, seal, keys, shared, follower: following::Follower::default() };
        state.choose_key().await?;
        Ok(state)
    }

    /// The embedded store of one machine: `state.db` and `state.key` in `dir`.
    pub async fn open_embedded(dir: &Path) -> Result<State, StateError> {
        std::fs::create_dir_all(dir).map_err(|source| StateError::Folder { path: dir.to_path_buf(), source })?;
        State::open(&embedded_url(dir), &dir.join("state.key")).await
    }

    /// Waits for running statements and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
        self.writer.close().await;
    }
}

/// The address of the embedded store in a data folder.
#[must_use]
pub fn embedded_url(dir: &Path) -> String {
    format!("sqlite://{}", dir.join("state.db").display())
}

/// How long a statement waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

async fn connect(url: &str, connections: u32) -> Result<AnyPool, StateError> {
    let scheme = url.split(':').next().unwrap_or_default();
    let options = AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
    let (options, address) = match scheme {
        "sqlite" => {
            let address = if url.contains('?') { url.to_owned() } else { format!("{url}?mode=rwc") };
            let options = options.after_connect(|connection, _| {
                Box::pin(async move {
                    let pragmas = format!(
                        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                         PRAGMA foreign_keys = ON;",
                        SQLITE_BUSY_TIMEOUT.as_millis()
                    );
                    connection.execute(sqlx::AssertSqlSafe(pragmas)).await?;
                    Ok(())
                })
            });
            (options, address)
        }
        "postgres" | "postgresql" => (options, url.to_owned()),
        other => return Err(StateError::Scheme { scheme: other.to_owned() }),
    };
    options.connect(&address).await.map_err(|source| StateError::Connect { place: without_password(url), source })
}

/// The address as it may be printed: what stands between `//` and `@` is a secret.
fn without_password(url: &str) -> String {
    match (url.find("//"), url.rfind('@')) {
        (Some(start), Some(end)) if start + 2 <= end => format!("{}***{}", &url[..start + 2], &url[end..]),
        _ => url.to_owned(),
    }
}

/// Seconds since the Unix epoch, as the tables store times.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_open_finds_what_the_first_wrote() {
        stores::each(|place| async move {
            let state = place.open().await;
            state.put_setting("tenant", "t1").await.unwrap();
            state.put_secret_setting("jwt", "very-secret-value").await.unwrap();
            state.close().await;
            let state = place.open().await;
            assert_eq!(state.setting("tenant").await.unwrap().as_deref(), Some("t1"));
            assert_eq!(state.setting("jwt").await.unwrap().as_deref(), Some("very-secret-value"));
        })
        .await;
    }

    #[tokio::test]
    async fn an_unknown_scheme_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = State::open("mysql://u:p@h/db", &dir.path().join("k")).await.err().unwrap();
        assert!(error.to_string().contains("mysql"), "{error}");
    }

    #[test]
    fn a_printed_address_has_no_password() {
        assert_eq!(without_password("postgres://me:secret@db/wk"), "postgres://***@db/wk");
        assert_eq!(without_password("sqlite:///var/x.db"), "sqlite:///var/x.db");
    }
}
