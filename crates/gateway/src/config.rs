//! The gateway's configuration file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use watchkeeper_wire::with_port;

/// The file as a whole.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The management server, `host:port`.
    pub server: String,
    /// Servers of the same management group that are tried in this order while `server` is away.
    #[serde(default)]
    pub failover: Vec<String>,
    /// Names and addresses under which agents reach this gateway.
    pub names: Vec<String>,
    /// Where agents connect.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The folder for identity and queue.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// The file with the certificate of the management group's authority.
    pub ca_file: PathBuf,
    /// The file with the enrolment token.
    pub token_file: PathBuf,
    /// Size on disk of what waits for the server, past which agents keep their batches.
    #[serde(default = "default_megabytes")]
    pub queue_megabytes: u64,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Its contents.
    #[error("{}: {message}", path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], watchkeeper_wire::DEFAULT_PORT))
}

fn default_data() -> PathBuf {
    PathBuf::from("/var/lib/watchkeeper-gateway")
}

fn default_megabytes() -> u64 {
    1024
}

impl Config {
    /// The servers in the order in which they are tried; the first is the primary.
    #[must_use]
    pub fn servers(&self) -> Vec<String> {
        let mut servers: Vec<String> = Vec::new();
        for server in std::iter::once(&self.server).chain(&self.failover) {
            if !servers.iter().any(|known| with_port(known) == with_port(server)) {
                servers.push(server.clone());
            }
        }
        servers
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, has an unknown key or lacks one.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        let wrong = |message: String| ConfigError::Contents { path: path.to_path_buf(), message };
        let config: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if config.names.is_empty() {
            return Err(wrong("names is empty; agents check the name that they connect to".to_owned()));
        }
        Ok(config)
    }
}
