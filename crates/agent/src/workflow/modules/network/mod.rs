//! Probes of the network.

pub mod http;
pub mod tcp;
