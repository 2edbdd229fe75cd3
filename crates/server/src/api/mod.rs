//! The HTTP routes, one file a protocol, and what they share.

mod about;
mod agent_servers;
mod agents;
mod alerting;
mod alerts;
mod certificates;
mod clouds;
mod collection_rules;
mod computer_group_directories;
mod computer_groups;
mod configuration_manager;
mod data_collector;
mod directory_groups;
mod elements;
mod enrolment;
pub mod errors;
mod expiry;
mod gateways;
mod groups;
mod headers;
mod health;
mod heartbeats;
mod identity_sources;
mod itsm;
pub mod kusto;
mod log_analytics;
mod logs_ingestion;
mod maintenance;
mod management;
mod map;
mod map_pins;
mod metadata;
mod oauth;
pub mod otlp;
mod overrides;
pub mod packs;
mod people;
mod performance;
mod permissions;
mod pools;
mod principals;
mod providers;
mod relationships;
mod remote_write;
mod resolution_states;
mod resource_manager;
mod revocation_lists;
mod roles;
mod rows;
mod run_as;
mod saved_queries;
mod saved_searches;
mod schedules;
mod secrets;
pub mod senders;
mod servers;
mod service_map;
mod service_map_connections;
mod session;
mod tables;
mod tasks;
mod timespan;
mod users;
mod workspace;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use http::{HeaderMap, Method, Uri, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use uuid::Uuid;
use watchkeeper_authorization::Scope;
use watchkeeper_clouds::Clouds;
use watchkeeper_ingest::Ingest;
use watchkeeper_kql::StoredFunction;
use watchkeeper_places::Remotes;
use watchkeeper_query::Engine;
use watchkeeper_state::{SessionTimes, State, StateError};
use watchkeeper_store::Store;

use crate::alerting::Alerting;
use crate::audit::AuditLog;
use crate::authorization::Routes;
use crate::computer_groups::ComputerGroups;
use crate::configmgr::ConfigurationManagers;
use crate::console;
use crate::expiry::Expiry;
use crate::identity::sources::Sources;
use crate::identity::{AuthError, Caller, Throttle, Tokens, authenticate};
use crate::itsm::ServiceDesks;
use crate::operations::Operations;
use crate::queries::{Functions, Origin, Queries};

/// The largest body of a request that is not ingestion.
const MOST_BODY_BYTES: usize = 4 << 20;

/// Smaller answers are sent as they are.
const LEAST_COMPRESSED_BYTES: u64 = 1024;

/// What every route can reach.
pub struct App {
    pub state: State,
    pub tokens: Tokens,
    pub throttle: Throttle,
    /// The table `Audit`.
    pub audit: Arc<AuditLog>,
    /// Companies' providers and directories, through which people sign in.
    pub sources: Sources,
    /// How long a session of the console lasts.
    pub session_times: SessionTimes,
    pub queries: Arc<Queries>,
    pub ingest: Arc<Ingest>,
    pub store: Arc<Store>,
    /// What is known of remote addresses.
    pub remotes: Arc<Remotes>,
    /// The management group.
    pub operations: Arc<Operations>,
    /// Connections to service desks.
    pub service_desks: Arc<ServiceDesks>,
    pub computer_groups: Arc<ComputerGroups>,
    pub configuration_managers: Arc<ConfigurationManagers>,
    /// Secrets and certificates with an end.
    pub expiry: Arc<Expiry>,
    /// The environments that connections can lead to.
    pub clouds: Arc<Clouds>,
    /// Alert rules over tables and who is told of alerts.
    pub alerting: Arc<Alerting>,
    /// Runs the transformations of data collection rules.
    pub transforms: Engine,
    pub workspace_id: String,
    pub started: Instant,
    /// Where clients of this machine find addresses and keys.
    pub connection_file: PathBuf,
}

impl App {
    /// The caller of a request.
    pub async fn caller(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, AuthError> {
        authenticate(&self.state, &self.tokens, method, headers).await
    }

    pub fn workspace_scope(&self) -> Scope {
        Scope::workspace(&self.workspace_id)
    }

    pub fn group_scope(&self) -> Scope {
        Scope::management_group(&self.operations.group.own().management_group)
    }

    /// The saved functions that queries of the workspace may call.
    async fn functions(&self) -> Result<Functions, StateError> {
        saved_functions(&self.state, &self.workspace_id).await
    }
}

/// The saved functions that queries of a workspace may call.
pub async fn saved_functions(state: &State, workspace_id: &str) -> Result<Functions, StateError> {
    let saved = state.saved_queries(workspace_id).await?;
    let functions = saved.into_iter().filter(|saved| !saved.function_alias.is_empty());
    let mut known = crate::computer_groups::functions(state).await?;
    known.extend(functions.map(|saved| {
        let parameters = saved.function_parameters.trim();
        let parameters = match parameters {
            "" => String::new(),
            text if text.starts_with('(') => text.to_owned(),
            text => format!("({text})"),
        };
        (saved.function_alias, StoredFunction { parameters, body: saved.query })
    }));
    Ok(known)
}

/// All routes with what they take.
pub fn routes() -> Routes {
    Routes::new()
        .merge(oauth::routes())
        .merge(session::routes())
        .merge(saved_queries::routes())
        .merge(workspace::routes())
        .merge(principals::routes())
        .merge(users::routes())
        .merge(providers::routes())
        .merge(identity_sources::routes())
        .merge(directory_groups::routes())
        .merge(roles::routes())
        .merge(permissions::routes())
        .merge(about::routes())
        .merge(health::routes())
        .merge(packs::routes())
        .merge(management::routes())
        .merge(performance::routes())
        .merge(map::routes())
        .merge(map_pins::routes())
        .merge(service_map::routes())
        .merge(service_map_connections::routes())
        .merge(resource_manager::routes())
        .merge(groups::routes())
        .merge(alerts::routes())
        .merge(alerting::routes())
        .merge(resolution_states::routes())
        .merge(agent_servers::routes())
        .merge(agents::routes())
        .merge(enrolment::routes())
        .merge(certificates::routes())
        .merge(revocation_lists::routes())
        .merge(servers::routes())
        .merge(relationships::routes())
        .merge(gateways::routes())
        .merge(heartbeats::routes())
        .merge(tasks::routes())
        .merge(maintenance::routes())
        .merge(schedules::routes())
        .merge(secrets::routes())
        .merge(expiry::routes())
        .merge(clouds::routes())
        .merge(overrides::routes())
        .merge(run_as::routes())
        .merge(itsm::routes())
        .merge(configuration_manager::routes())
        .merge(computer_groups::routes())
        .merge(computer_group_directories::routes())
        .merge(saved_searches::routes())
        .merge(elements::routes())
        .merge(pools::routes())
        .merge(log_analytics::routes())
        .merge(metadata::routes())
        .merge(kusto::routes())
        .merge(data_collector::routes())
        .merge(collection_rules::routes())
        .merge(logs_ingestion::routes())
        .merge(remote_write::routes())
        .merge(otlp::routes())
        .merge(rows::routes())
        .merge(tables::routes())
}

/// All routes: protocols first, the console for everything else.
pub fn router(app: Arc<App>) -> Router {
    routes()
        .into_router()
        .fallback(console::serve)
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .layer(CompressionLayer::new().gzip(true).compress_when(SizeAbove::new(LEAST_COMPRESSED_BYTES)))
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::from_fn(headers::protect))
        .with_state(app)
}

/// The address that the client called, as it wrote it: `https://HOST[:PORT]`.
pub(crate) fn base_url(uri: &Uri, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str())).unwrap_or("localhost");
    format!("https://{host}")
}

/// A time of the operational store, ISO 8601; null for never.
pub(crate) fn time_text(micros: i64) -> Option<String> {
    (micros > 0).then(|| watchkeeper_model::civil::format_time(micros))
}

/// What the journal of queries says about a request.
pub(crate) fn origin(caller: &Caller, headers: &HeaderMap) -> Origin {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let activity_id = Uuid::new_v4();
    let request_id = Some(header("x-ms-client-request-id")).filter(|id| !id.is_empty());
    Origin {
        request_id: request_id.unwrap_or_else(|| format!("unspecified;{activity_id}")),
        activity_id,
        subject: caller.subject.clone(),
        user: Some(header("x-ms-user")).filter(|user| !user.is_empty()).unwrap_or_else(|| caller.name.clone()),
        application: header("x-ms-app"),
    }
}
