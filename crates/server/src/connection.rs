//! What a client on this machine needs to reach the server: the ready file, which is also kept in the data folder.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use watchkeeper_state::Workspace;

/// Addresses, identities and first secrets. The file is readable by its owner only.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
pub struct Connection {
    pub url: String,
    pub ca_file: PathBuf,
    pub tenant_id: String,
    pub client_id: String,
    pub client_secret: String,
    pub workspace_id: String,
    pub primary_key: String,
    pub secondary_key: String,
    pub agent_endpoint: String,
    pub admin_user: String,
    pub admin_password: String,
    /// Where syslog senders reach the server, as `host:port`; empty where it is off.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub syslog_udp: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub syslog_tcp: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub syslog_tls: String,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection(url: {}, workspace: {})", self.url, self.workspace_id)
    }
}

/// The file in the data folder.
pub fn connection_file(data_dir: &Path) -> PathBuf {
    data_dir.join("connection.json")
}

impl Connection {
    /// Writes the file in one step: a reader sees the whole of it or nothing.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self).context("the connection cannot be written as JSON")?;
        write_private(path, &text).with_context(|| format!("cannot write {}", path.display()))
    }

    pub fn read(path: &Path) -> anyhow::Result<Connection> {
        let text =
            std::fs::read(path).with_context(|| format!("cannot read the connection file {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not a connection file", path.display()))
    }
}

impl Connection {
    /// Puts a workspace's present keys into the file, where it is there and of that workspace.
    pub fn replace_keys(path: &Path, workspace: &Workspace) -> anyhow::Result<()> {
        if !path.exists() {
            return Ok(());
        }
        let connection = Connection::read(path)?;
        if connection.workspace_id != workspace.id {
            return Ok(());
        }
        let primary_key = workspace.primary_key.clone();
        Connection { primary_key, secondary_key: workspace.secondary_key.clone(), ..connection }.write(path)
    }
}

/// Writes a file of mode 0600 beside its place and moves it there.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let _ = std::fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_is_replaced_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
