//! The management server: enrolment, agent connections, configuration, heartbeats; alerts, watchers, maintenance, tasks
//! and resource pools over the operational store.
//!
//! Rows are handed to an [`AgentSink`]; who the agents are is kept by a [`Registry`]. Neither HTTP nor tables are
//! known here.

mod admission;
pub mod alert_rules;
pub mod alerts;
mod approval;
pub mod clock;
mod enrolment;
pub mod expiry;
mod foreign;
mod gateways;
pub mod group;
mod guard;
mod heartbeat;
pub mod maintenance;
pub mod operational;
mod outbox;
pub mod pools;
mod registry;
pub mod rule_alerts;
pub mod schedules;
mod server;
mod session;
mod sessions;
mod sink;
pub mod tasks;
pub mod watch_rules;
pub mod watchers;

pub use approval::{approval_setting, set_approval};
pub use enrolment::{Approval, new_token, token_hash};
pub use gateways::GatewayRecord;
pub use group::Group;
pub use operational::Operational;
pub use outbox::{AuditRow, DeliveryError, Outbox};
pub use registry::{AgentRecord, AgentServers, AgentStatus, Redemption, Registry, RegistryError};
pub use server::{ManagementError, ManagementServer, Options};
pub use session::Heartbeats;
pub use sessions::{ConnectedAgent, QueueState};
pub use sink::{AUDIT_QUEUE, AgentIdentity, AgentSink, HEARTBEAT_QUEUE, SinkError, is_own_queue};
