//! What agent and server say to each other: protocol, identities, certificates.
//!
//! The only crate that knows the protocol. It knows neither tables nor collectors: rows are columns with names.

mod address;
mod authority;
mod columns;
mod error;
mod files;
mod probe;
mod tls;
mod trust;

pub use address::{is_plain_id, through, with_port};
pub use authority::{Authority, Credentials, SignedCertificate, signing_request};
pub use columns::{TableBuilder, decode_operational, decode_rows, encode_operational, encode_rows};
pub use error::WireError;
pub use files::write_private;
pub use probe::{CertificateJudge, Verdict};
pub use tls::{
    Fingerprint, PeerCertificate, PinnedAuthority, ServerCertificate, fingerprint, peer_certificate, server_config,
};
pub use trust::{CertificateKey, ClientTrust, certificate_key, foreign_id};

/// The messages and services of `proto/agent.proto`.
#[allow(missing_docs, clippy::unwrap_used, clippy::large_enum_variant, clippy::doc_markdown)]
pub mod proto {
    tonic::include_proto!("watchkeeper.agent.v1");
}

pub use proto::{Column, Table, column::Values};

/// The port of agents and gateways (management group specification 0.1).
pub const DEFAULT_PORT: u16 = 5723;

/// In the metadata of a call of a gateway: the identity of the agent that it speaks for.
pub const SPEAKS_FOR: &str = "watchkeeper-agent-id";

/// In the metadata of a call of a gateway: the gateways that the call came through before it, the nearest to the agent
/// first, separated by commas.
pub const THROUGH: &str = "watchkeeper-through";

/// The largest message of a session in bytes; an agent keeps its batches far below it.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// A batch as a management server hands it on: rows of some tables under one identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Rises within one queue of one agent; a batch that comes again has the number it had before.
    pub sequence: u64,
    /// The rows, one entry a table.
    pub tables: Vec<Table>,
}
