//! The agent: collectors, the disk queue, the connection to the management server.
//!
//! What is Linux's own is in `linux`, behind the traits of `collect`; another system gets a folder beside it.

pub mod collect;
pub mod config;
pub mod connection;
pub mod enrol;
pub mod identity;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod maintenance;
pub mod queue;
pub mod run;
pub mod servers;
pub mod system;
pub mod workflow;
