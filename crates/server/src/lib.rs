//! HTTP APIs, identity and roles, configuration and the command line of the binary `watchkeeper`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod agent_registry;
pub mod alerting;
pub mod api;
pub mod audit;
pub mod authorization;
pub mod cli;
mod company_certificate;
mod computer_groups;
pub mod config;
mod configmgr;
pub mod connection;
pub mod console;
mod expiry;
mod failover;
pub mod identity;
mod itsm;
pub mod listener;
pub mod local_agent;
pub mod managed_identity;
mod map;
pub mod operations;
pub mod queries;
mod remote_ends;
mod revocation_lists;
mod secrets;
pub mod server_platform;
pub mod server_workflows;
pub mod service_map;
pub mod shipped_packs;
pub mod syslog;
pub mod tls;
mod together;
pub mod wiring;
