//! Workflows: what the server tells this agent to watch, run without it.
//!
//! [`engine`] holds the modules as one graph and is a plain state machine: time comes in, items flow, effects come
//! out, so that tests need neither clock nor runtime. [`run`] drives it on the agent's runtime. Modules are in
//! [`modules`], one trait ([`module::Module`]) and one list. What needs the operating system goes through
//! [`platform::Platform`].

pub mod accounts;
pub mod engine;
pub mod exec;
pub mod job;
pub mod module;
pub mod modules;
pub mod outbox;
pub mod platform;
pub mod run;
pub mod server_work;
pub mod store;
pub mod users;

pub use accounts::{Account, Accounts};
