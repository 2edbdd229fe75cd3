//! Opens everything in the order in which it depends on each other, and closes it in the opposite order.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use watchkeeper_authorization::{Scope, find_role};
use watchkeeper_clouds::Clouds;
use watchkeeper_ingest::Ingest;
use watchkeeper_ingest::syslog::SyslogServer;
use watchkeeper_management::{Approval, ManagementServer, Options as ManagementOptions};
use watchkeeper_query::{Engine, EngineOptions, StoreTables};
use watchkeeper_state::{
    KeyFiles, RoleAssignment, SessionTimes, State, StateError, SubjectKind, Workspace, embedded_url, random_token,
};
use watchkeeper_store::{Store, StoreOptions};
use watchkeeper_wire::Authority;

use crate::agent_registry::AgentRegistry;
use crate::alerting::{Alerting, Parts as AlertingParts};
use crate::api::{self, App};
use crate::audit::AuditLog;
use crate::authorization::{self, OWNER};
use crate::computer_groups::{ComputerGroups, GroupTables};
use crate::config::{Config, StoreConfig};
use crate::configmgr::{ConfigurationManagers, Parts as ManagerParts};
use crate::connection::{Connection, connection_file};
use crate::expiry::Expiry;
use crate::failover::{self, RowInbox};
use crate::identity::sources::Sources;
use crate::identity::{Throttle, Tokens};
use crate::itsm::ServiceDesks;
use crate::local_agent::LocalAgent;
use crate::operations::{Operations, OperationsSink, server_id};
use crate::queries::Queries;
use crate::{
    company_certificate, listener, managed_identity, map, remote_ends, revocation_lists, secrets, shipped_packs,
    syslog, tls,
};

/// Secrets of the first start are valid this long; `watchkeeper workspace principals` makes others.
const FIRST_SECRET_SECONDS: i64 = 10 * 365 * 86_400;
/// Memory of one transformation of a data collection rule.
const TRANSFORM_BYTES: usize = 256 << 20;
const FIRST_USER: &str = "admin";
const FIRST_PASSWORD: &str = "first.admin_password";
const FIRST_WORKSPACE: &str = "default";

/// A running server.
pub struct Server {
    pub connection: Connection,
    state: State,
    store: Arc<Store>,
    ingest: Arc<Ingest>,
    management: Arc<ManagementServer>,
    operations: Arc<Operations>,
    service_desks: Arc<ServiceDesks>,
    computer_groups: Arc<ComputerGroups>,
    configuration_managers: Arc<ConfigurationManagers>,
    alerting: Arc<Alerting>,
    local_agent: Option<LocalAgent>,
    syslog: Option<SyslogServer>,
    stop: CancellationToken,
    https: JoinHandle<()>,
    account: JoinHandle<()>,
    /// What follows the other servers of the group.
    shared: Vec<JoinHandle<()>>,
    _lock: File,
}

impl Server {
    /// Starts everything. What fails says which part and why.
    pub async fn start(config: &Config) -> anyhow::Result<Server> {
        let dir = &config.data.dir;
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create the data folder {}", dir.display()))?;
        let lock = lock(dir)?;
        let state = open_state(config).await?;
        let first = Identities::open(&state).await?;
        let tokens = Tokens::open(&state, &first.tenant_id).await?;

        let store = open_store(config, &first.tenant_id).await?;
        let ingest = Ingest::open(Arc::clone(&store), first.workspace.id.clone()).await?;
        let remotes = remote_ends::open(&config.map, &ingest).await;

        let authority = Arc::new(failover::authority(&state, dir, &first.workspace.id).await?);
        let ca_file = publish_authority(dir, &authority)?;
        let (tls, served) = tls::server_config(config, &authority)?;

        let address = SocketAddr::new(config.listen.address, config.listen.port);
        let https = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} (listen.port); is another server running?"))?;
        let host = tls::url_host(config.listen.address);
        let url = format!("https://{host}:{}", https.local_addr()?.port());

        let (syslog, listening) = syslog::start(&config.syslog, Arc::clone(&tls), Arc::clone(&ingest)).await?;
        let options = management_options(config);
        let clouds = Arc::new(Clouds::with(&config.cloud)?);
        let operations = Operations::start(&state, dir, &options.management_group, &ingest, &clouds).await?;
        if config.packs.shipped {
            shipped_packs::import_at_start(&operations).await.context("cannot import the shipped packs")?;
        }
        let group = Scope::management_group(&operations.group.own().management_group);
        authorization::move_old_roles(&state, &Scope::workspace(&first.workspace.id), &group).await?;
        let rows = Arc::new(RowInbox { state: state.clone(), server_id: server_id(dir)?, ingest: Arc::clone(&ingest) });
        // what was taken before comes first: queries then see all that was acknowledged
        rows.drain().await.context("cannot write the rows that agents have left with the management group")?;
        let management = start_management(options, &authority, &rows, &operations).await?;
        operations.connect(Arc::clone(&management)).await;
        let stop = CancellationToken::new();
        let mut shared = share(config, &operations, &rows, &management, &stop).await?;
        shared.push(tokio::spawn(secrets::keep(state.clone(), rows.server_id.clone(), stop.clone())));
        shared.push(company_certificate::follow(dir, Arc::clone(&management), stop.clone()));
        let lists_every = Duration::from_secs(config.certificates.list_seconds.max(1));
        let follow = (state.clone(), Arc::clone(&operations), Arc::clone(&management));
        shared.push(revocation_lists::follow(follow.0, follow.1, follow.2, lists_every, stop.clone()));
        let desks = ServiceDesks::start(&state, dir, &operations, &ingest, config.itsm.clone());
        let service_desks = desks.await.context("cannot begin with the connections to service desks")?;
        let computer_groups = ComputerGroups::start(&state, &operations, &ingest).await?;
        let queries = Arc::new(open_queries(config, &store, &computer_groups)?);
        let every = Duration::from_secs(config.computer_groups.query_seconds.max(1));
        computer_groups.follow_queries(Arc::clone(&queries), first.workspace.id.clone(), every);
        let configuration_managers = ConfigurationManagers::start(ManagerParts {
            state: state.clone(),
            operations: Arc::clone(&operations),
            groups: Arc::clone(&computer_groups),
            queries: Arc::clone(&queries),
            options: config.configuration_manager.clone(),
            clouds: Arc::clone(&clouds),
            tenant_id: first.tenant_id.clone(),
            workspace_id: first.workspace.id.clone(),
        });
        let key_seconds = i64::from(config.identity.key_days.max(1)) * 86_400;
        shared.push(tokio::spawn(tokens.clone().keep_up(key_seconds, stop.clone())));
        let every = Duration::from_secs(config.map.look_seconds.max(1));
        shared.extend(remote_ends::follow(Arc::clone(&remotes), Arc::clone(&ingest), every, stop.clone()));
        shared.push(tokio::spawn(map::keep_up(Arc::clone(&queries), stop.clone())));
        let alerting = Alerting::new(AlertingParts {
            config,
            state: state.clone(),
            operations: Arc::clone(&operations),
            queries: Arc::clone(&queries),
            tokens: tokens.clone(),
            workspace_id: first.workspace.id.clone(),
            url: url.clone(),
            authority: &authority,
        })?;
        alerting.register_work_items(Arc::<ServiceDesks>::clone(&service_desks));
        alerting.start().await.context("cannot start alert rules")?;
        let expiry = Arc::new(Expiry {
            state: state.clone(),
            operations: Arc::clone(&operations),
            data_dir: dir.clone(),
            served,
            is_own: config.tls.certificate.as_os_str().is_empty(),
            authority: authority.certificate().clone(),
        });
        let every = Duration::from_secs(config.certificates.expiry_seconds.max(1));
        shared.push(tokio::spawn(Arc::clone(&expiry).watch(every, stop.clone())));
        let sources = Sources::new(&config.identity)?;
        let audit = Arc::new(AuditLog::new(operations.operational.clone()));
        shared.push(tokio::spawn(Arc::clone(&audit).keep_up(stop.clone())));
        let managed = &config.identity.managed;
        shared.extend(managed_identity::start(managed, dir, &url, &tokens, &state, (&audit, stop.clone())).await?);
        let app = Arc::new(App {
            audit,
            expiry,
            clouds,
            sources,
            state: state.clone(),
            tokens,
            throttle: Throttle::default(),
            session_times: SessionTimes {
                valid: i64::from(config.identity.session_hours.max(1)) * 3600,
                idle: i64::from(config.identity.idle_minutes) * 60,
            },
            queries,
            ingest: Arc::clone(&ingest),
            store: Arc::clone(&store),
            operations: Arc::clone(&operations),
            remotes,
            service_desks: Arc::clone(&service_desks),
            computer_groups: Arc::clone(&computer_groups),
            configuration_managers: Arc::clone(&configuration_managers),
            alerting: Arc::clone(&alerting),
            transforms: transforms(config),
            workspace_id: first.workspace.id.clone(),
            started: Instant::now(),
            connection_file: connection_file(dir),
        });
        let account = tokio::spawn({
            let ingest = Arc::clone(&ingest);
            async move { ingest.keep_account().await }
        });
        let https = tokio::spawn(listener::serve(https, tls, api::router(app), stop.clone()));
        tracing::info!(%url, "the server is ready");
        let connection = Connection {
            agent_endpoint: format!("{host}:{}", management.local_addr().port()),
            url,
            ca_file,
            tenant_id: first.tenant_id,
            client_id: first.client_id,
            client_secret: first.client_secret,
            workspace_id: first.workspace.id,
            primary_key: first.workspace.primary_key,
            secondary_key: first.workspace.secondary_key,
            admin_user: FIRST_USER.to_owned(),
            admin_password: first.admin_password,
            syslog_udp: listening.udp,
            syslog_tcp: listening.tcp,
            syslog_tls: listening.tls,
        };
        let local_agent = None;
        Ok(Server {
            connection,
            state,
            store,
            ingest,
            management,
            operations,
            service_desks,
            computer_groups,
            configuration_managers,
            alerting,
            local_agent,
            syslog,
            stop,
            https,
            account,
            shared,
            _lock: lock,
        })
    }

    /// Starts the agent that watches this very machine and keeps it running until the server stops.
    pub async fn start_local_agent(&mut self, data_dir: &Path) -> anyhow::Result<()> {
        let agent = LocalAgent::start(&self.management, &self.connection, data_dir).await?;
        self.local_agent = Some(agent);
        Ok(())
    }

    /// Ends what sends, then requests, then closes what they used.
    pub async fn stop(self) {
        if let Some(agent) = self.local_agent {
            agent.stop().await;
        }
        self.service_desks.stop().await;
        self.configuration_managers.stop().await;
        self.computer_groups.stop().await;
        self.alerting.stop().await;
        self.management.stop().await;
        self.operations.stop().await;
        if let Some(syslog) = self.syslog {
            syslog.stop().await;
        }
        self.stop.cancel();
        for task in self.shared {
            let _ = task.await;
        }
        if let Err(error) = self.https.await {
            tracing::error!(%error, "the listener ended badly");
        }
        self.account.abort();
        if let Err(error) = self.ingest.write_account(chrono::Utc::now(), true).await {
            tracing::warn!(%error, "the last usage records could not be written");
        }
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "tables could not be written to files; the log keeps their rows for the next start");
        }
        self.state.close().await;
    }
}

/// One server a data folder: two would write over each other.
fn lock(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another server is running with the data folder {}", dir.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

async fn open_state(config: &Config) -> anyhow::Result<State> {
    let dir = &config.data.dir;
    let url = match config.state.url.as_str() {
        "" => embedded_url(dir),
        url => url.to_owned(),
    };
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let keys = KeyFiles::new(&dir.join("state.key")).with_credentials(credentials);
    Ok(State::open_with(&url, keys).await?)
}

async fn open_store(config: &Config, tenant_id: &str) -> anyhow::Result<Arc<Store>> {
    let StoreConfig { flush_mb, flush_seconds, max_unflushed_mb, reserve_mb } = config.store;
    let options = StoreOptions {
        tenant_id: tenant_id.to_owned(),
        flush_bytes: flush_mb << 20,
        flush_age: Duration::from_secs(flush_seconds),
        max_unflushed_bytes: max_unflushed_mb << 20,
        reserve_bytes: reserve_mb << 20,
        ..StoreOptions::new(config.data.dir.join("store"))
    };
    Ok(Store::open(options).await?)
}

fn management_options(config: &Config) -> ManagementOptions {
    ManagementOptions {
        listen: SocketAddr::new(config.listen.address, config.listen.agent_port),
        names: tls::server_names(config),
        approval: Approval::Auto,
        ..ManagementOptions::default()
    }
}

async fn start_management(
    options: ManagementOptions,
    authority: &Arc<Authority>,
    rows: &Arc<RowInbox>,
    operations: &Arc<Operations>,
) -> anyhow::Result<Arc<ManagementServer>> {
    let sink = OperationsSink { rows: Arc::clone(rows), operations: Arc::clone(operations) };
    let registry = AgentRegistry::new(operations.group.state().clone(), Arc::clone(operations));
    let server = ManagementServer::start(options, Arc::clone(authority), Arc::new(sink), Arc::new(registry)).await?;
    Ok(Arc::new(server))
}

/// Says where agents reach this server, and follows what the other servers of the store do.
async fn share(
    config: &Config,
    operations: &Arc<Operations>,
    rows: &Arc<RowInbox>,
    management: &Arc<ManagementServer>,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let state = &rows.state;
    let endpoint = failover::agent_endpoint(config, management.local_addr().port());
    state.put_agent_endpoint(&rows.server_id, &endpoint).await?;
    if !state.is_shared() {
        return Ok(Vec::new());
    }
    Ok(vec![
        tokio::spawn(Arc::clone(rows).keep_drained(stop.clone())),
        tokio::spawn(failover::follow_servers(Arc::clone(operations), Arc::clone(management), stop.clone())),
    ])
}

fn open_queries(config: &Config, store: &Arc<Store>, groups: &Arc<ComputerGroups>) -> anyhow::Result<Queries> {
    let spill_dir = config.data.dir.join("spill");
    std::fs::create_dir_all(&spill_dir).with_context(|| format!("cannot create {}", spill_dir.display()))?;
    let threads = match config.query.threads {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        threads => threads,
    };
    let engine = Engine::new(EngineOptions { memory_limit: config.query.memory_mb << 20, spill_dir, threads });
    let tables = GroupTables::new(Arc::new(StoreTables::new(Arc::clone(store))), Arc::clone(groups));
    Ok(Queries::new(engine, Arc::new(tables), Duration::from_secs(config.query.timeout_seconds)))
}

/// The engine of ingestion: queries that fill the other one do not keep rows waiting.
fn transforms(config: &Config) -> Engine {
    let spill_dir = config.data.dir.join("spill");
    Engine::new(EngineOptions { memory_limit: TRANSFORM_BYTES, spill_dir, threads: 1 })
}

/// The authority's certificate where clients can read it.
fn publish_authority(dir: &Path, authority: &Authority) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(dir.join("ca.pem"))?;
    std::fs::write(&path, authority.certificate_pem()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// What the first start makes and later starts find.
struct Identities {
    tenant_id: String,
    client_id: String,
    client_secret: String,
    admin_password: String,
    workspace: Workspace,
}

impl Identities {
    /// Each step looks first for what an earlier start, even one that was cut off, has left.
    async fn open(state: &State) -> anyhow::Result<Identities> {
        let tenant_id = match state.setting("tenant_id").await? {
            Some(id) => id,
            None => {
                let id = Uuid::new_v4().to_string();
                state.put_setting("tenant_id", &id).await?;
                id
            }
        };
        let workspace = match state.workspaces().await?.into_iter().next() {
            Some(workspace) => workspace,
            None => state.create_workspace(FIRST_WORKSPACE).await?,
        };
        let (client_id, client_secret) = first_principal(state).await?;
        let admin_password = first_user(state).await?;
        Ok(Identities { tenant_id, client_id, client_secret, admin_password, workspace })
    }
}

async fn first_principal(state: &State) -> anyhow::Result<(String, String)> {
    if let (Some(id), Some(secret)) =
        (state.setting("first.client_id").await?, state.setting("first.client_secret").await?)
    {
        return Ok((id, secret));
    }
    let principal = state.create_principal("first").await?;
    grant_owner(state, &principal.client_id, SubjectKind::ServicePrincipal).await?;
    let secret = state.add_principal_secret(&principal.client_id, FIRST_SECRET_SECONDS).await?;
    state.put_secret_setting("first.client_secret", &secret).await?;
    state.put_setting("first.client_id", &principal.client_id).await?;
    Ok((principal.client_id, secret))
}

/// The password is kept as long as it is the one of the first start. What an administrator does with this user later,
/// removing it or taking its role, is not undone by the next start.
async fn first_user(state: &State) -> anyhow::Result<String> {
    let kept = state.setting(FIRST_PASSWORD).await?;
    if let (Some(_), Some(password)) = (state.setting("first.admin_made").await?, &kept) {
        return Ok(password.clone());
    }
    let (password, user) = match (kept, state.user_by_name(FIRST_USER).await?) {
        (Some(password), Some(user)) => (password, user),
        (kept, _) => {
            let password = kept.unwrap_or_else(|| random_token()[..20].to_owned());
            state.put_secret_setting(FIRST_PASSWORD, &password).await?;
            let user = state.create_user(FIRST_USER, &password).await?;
            (password, user)
        }
    };
    grant_owner(state, &user.id, SubjectKind::User).await?;
    state.put_setting("first.admin_made", &user.id).await?;
    Ok(password)
}

/// The connection file no longer tells a password that was replaced.
pub async fn first_password_replaced(state: &State, name: &str) -> Result<(), StateError> {
    if name == FIRST_USER {
        state.put_secret_setting(FIRST_PASSWORD, "").await?;
    }
    Ok(())
}

/// Everything, for what is made at the first start.
async fn grant_owner(state: &State, subject: &str, kind: SubjectKind) -> anyhow::Result<()> {
    let role = find_role(&[], OWNER).context("there is no role Owner")?;
    state.grant_role(&RoleAssignment::new(subject, kind, &Scope::Tenant.to_string(), &role.id, "first start")).await?;
    Ok(())
}
