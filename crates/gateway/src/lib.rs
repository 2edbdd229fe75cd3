//! The gateway: listens for the agents of another trust zone and carries them to a management server over one connection.
//! Batches are on its disk before they are acknowledged, and go on under the agents' own numbers. Knows no tables.

mod carry;
mod config;
mod link;
mod queue;
mod relay;
mod route;
mod server;
mod trust;
mod zone;

pub use config::{Config, ConfigError};
pub use server::{Gateway, GatewayError};
