//! The agent's configuration file, with defaults that work.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchkeeper_model::workflow::Workflows;

use crate::workflow::Accounts;

/// The folder of the agent's data where the configuration names none.
const DATA: &str = "/var/lib/watchkeeper-agent";
/// Management groups that an agent reports to at once (specification 1.5: up to 4).
pub const MOST_GROUPS: usize = 4;

/// A management group that the agent reports to.
#[derive(Debug, Clone)]
pub struct Membership {
    /// Its name in `agent.d`; none for the one of the configuration file itself.
    pub group: Option<String>,
    /// The configuration of this group alone.
    pub config: Config,
}

impl Membership {
    /// For people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.group.as_deref().unwrap_or("the first management group")
    }
}

/// The file as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Management servers, `host:port` or `host` (then port 5723), the preferred first.
    pub servers: Vec<String>,
    /// The name that the server's certificate must carry, where it differs from the host in `servers`.
    #[serde(default)]
    pub server_name: Option<String>,
    /// The folder for identity, queue and configuration from the server.
    #[serde(default)]
    pub data: PathBuf,
    /// The file with the certificate of the management group's authority.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Or its SHA-256 fingerprint.
    #[serde(default)]
    pub ca_fingerprint: Option<String>,
    /// The enrolment token.
    #[serde(default)]
    pub token: Option<Secret>,
    /// Or the file that holds it.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// The computer's name in all rows; by default the fully qualified host name.
    #[serde(default)]
    pub computer: Option<String>,
    /// The disk queue.
    #[serde(default)]
    pub queue: QueueConfig,
    /// What is collected; the server's configuration, where it sends one, stands in its place.
    #[serde(default)]
    pub collect: CollectConfig,
}

/// The disk queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueConfig {
    /// Size on disk past which the least important data is dropped (specification 1.4: 100 MB, 5 MB to 1.5 GB).
    pub max_kilobytes: u64,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { max_kilobytes: 102_400 }
    }
}

/// What is collected. Also the form of the document that the server sends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollectConfig {
    /// `Perf` and `InsightsMetrics`.
    pub performance: PerformanceConfig,
    /// `Syslog`.
    pub syslog: SyslogConfig,
    /// `VMComputer`, `VMProcess`, `VMBoundPort`.
    pub inventory: InventoryConfig,
    /// `VMConnection`.
    pub connections: ConnectionsConfig,
    /// Text files into custom tables.
    pub text_logs: Vec<TextLogConfig>,
    /// What the management group watches here.
    pub monitoring: Workflows,
    /// The Run As accounts that the workflows use, by profile.
    pub accounts: Accounts,
}

/// Samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PerformanceConfig {
    /// Off with false.
    pub enabled: bool,
    /// Seconds between samples.
    pub interval_seconds: u64,
    /// How many of the busiest processes are sampled; 0 for none.
    pub top_processes: usize,
    /// `\Object(instance)\Counter` patterns that are collected, with `*`; empty for all.
    pub counters: Vec<String>,
}

impl Default for PerformanceConfig {
    fn default() -> Self {
        Self { enabled: true, interval_seconds: 60, top_processes: 10, counters: Vec::new() }
    }
}

/// System logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyslogConfig {
    /// Off with false.
    pub enabled: bool,
    /// The system journal, where there is one.
    pub journal: bool,
    /// Syslog files by glob. Read where the journal is not, so that no line comes twice.
    pub files: Vec<String>,
    /// The least severity that is taken: emerg, alert, crit, err, warning, notice, info, debug.
    pub minimum_severity: String,
}

impl Default for SyslogConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            journal: true,
            files: ["/var/log/syslog", "/var/log/messages", "/var/log/auth.log", "/var/log/secure"]
                .map(str::to_owned)
                .to_vec(),
            minimum_severity: "info".to_owned(),
        }
    }
}

/// What the machine is and runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InventoryConfig {
    /// Off with false.
    pub enabled: bool,
    /// Seconds between records of computer and processes (VM insights: an hour).
    pub interval_seconds: u64,
    /// Seconds between records of ports (VM insights: a minute).
    pub ports_interval_seconds: u64,
}

impl Default for InventoryConfig {
    fn default() -> Self {
        Self { enabled: true, interval_seconds: 3600, ports_interval_seconds: 60 }
    }
}

/// Who talks to whom. Records are made when those of ports are, every `inventory.ports_interval_seconds`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionsConfig {
    /// Where connections are seen.
    pub probe: ProbeKind,
    /// Seconds between looks at the kernel's list of sockets, for the netlink probe.
    pub poll_seconds: u64,
    /// Names of remote addresses, from the answers of DNS servers that come in.
    pub dns_names: bool,
}

impl Default for ConnectionsConfig {
    fn default() -> Self {
        Self { probe: ProbeKind::Auto, poll_seconds: 5, dns_names: true }
    }
}

/// Where connections are seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    /// A program in the kernel, or netlink where it cannot be loaded.
    #[default]
    Auto,
    /// A program in the kernel alone.
    Ebpf,
    /// The kernel's list of sockets and its messages about sockets that end.
    Netlink,
    /// No records of connections; ports without what went through them.
    Off,
}

/// Text files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextLogConfig {
    /// Files by glob.
    pub paths: Vec<String>,
    /// The table; its name ends in `_CL`.
    pub table: String,
    /// Read what is in a file when it is first seen; by default only what comes after.
    #[serde(default)]
    pub from_beginning: bool,
}

/// A value that never shows itself.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

/// A configuration cannot be used.
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
    #[error("{place}: {message}")]
    Contents {
        /// The file, or where the document came from.
        place: String,
        /// What is wrong and what may be meant.
        message: String,
    },
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, has an unknown key (the nearest known one is named) or a value that cannot
    /// be.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read(path)?, &path.display().to_string())
    }

    /// The file, and beside it `NAME.d/*.toml`: a file for each further management group that the agent reports to
    /// (agent.toml and agent.d). The data of a further group is by default in `groups/GROUP` of the first one's.
    ///
    /// # Errors
    /// As [`Config::load`]; when there are more groups than [`MOST_GROUPS`], or two of them share a data folder.
    pub fn load_groups(path: &Path) -> Result<Vec<Membership>, ConfigError> {
        let first = Membership { group: None, config: Self::load(path)? };
        let mut groups = vec![first];
        for file in group_files(path)? {
            let group = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let data = groups[0].config.data.join("groups").join(&group);
            let config = Self::parse_with(&read(&file)?, &file.display().to_string(), &data)?;
            let wrong = |message: String| ConfigError::Contents { place: file.display().to_string(), message };
            if groups.len() == MOST_GROUPS {
                return Err(wrong(format!(
                    "an agent reports to at most {MOST_GROUPS} management groups; remove one of the files in {}",
                    groups_folder(path).display()
                )));
            }
            if let Some(other) = groups.iter().find(|other| other.config.data == config.data) {
                return Err(wrong(format!(
                    "its data folder {} is that of {} too; each management group needs one of its own",
                    config.data.display(),
                    other.name()
                )));
            }
            groups.push(Membership { group: Some(group), config });
        }
        Ok(groups)
    }

    /// Reads and checks a text.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, place: &str) -> Result<Self, ConfigError> {
        Self::parse_with(text, place, Path::new(DATA))
    }

    fn parse_with(text: &str, place: &str, data: &Path) -> Result<Self, ConfigError> {
        let wrong = |message: String| ConfigError::Contents { place: place.to_owned(), message };
        let mut config: Self = toml::from_str(text).map_err(|error| wrong(with_nearest(&error.to_string())))?;
        if config.data.as_os_str().is_empty() {
            config.data = data.to_path_buf();
        }
        if config.servers.is_empty() {
            return Err(wrong(
                "servers is empty; name a management server, for instance \"wk.example.com:5723\"".into(),
            ));
        }
        if !(5_120..=1_536_000).contains(&config.queue.max_kilobytes) {
            return Err(wrong(format!(
                "queue.max_kilobytes is {}; 5120 (5 MB) to 1536000 (1.5 GB) are allowed",
                config.queue.max_kilobytes
            )));
        }
        config.collect.check().map_err(wrong)?;
        Ok(config)
    }

    /// The token, from the file where it is in one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn enrolment_token(&self) -> Result<Option<String>, ConfigError> {
        match (&self.token, &self.token_file) {
            (Some(token), _) => Ok(Some(token.0.trim().to_owned())),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map(|text| Some(text.trim().to_owned()))
                .map_err(|source| ConfigError::Read { path: path.clone(), source }),
            (None, None) => Ok(None),
        }
    }
}

impl CollectConfig {
    /// The document that the server sent, laid over what the agent's file says: a part that the document does not name
    /// stays as it is in the file.
    ///
    /// # Errors
    /// When it has an unknown key or a value that cannot be.
    pub fn with_document(&self, document: &str) -> Result<Self, ConfigError> {
        let wrong =
            |message: String| ConfigError::Contents { place: "configuration from the server".to_owned(), message };
        let unreadable = |error: serde_json::Error| wrong(with_nearest(&error.to_string()));
        let sent: serde_json::Map<String, serde_json::Value> = serde_json::from_str(document).map_err(unreadable)?;
        let mut all = serde_json::to_value(self).map_err(unreadable)?;
        if let Some(all) = all.as_object_mut() {
            all.extend(sent);
        }
        let config: Self = serde_json::from_value(all).map_err(unreadable)?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        for (name, seconds) in [
            ("collect.performance.interval_seconds", self.performance.interval_seconds),
            ("collect.inventory.interval_seconds", self.inventory.interval_seconds),
            ("collect.inventory.ports_interval_seconds", self.inventory.ports_interval_seconds),
            ("collect.connections.poll_seconds", self.connections.poll_seconds),
        ] {
            if !(1..=86_400).contains(&seconds) {
                return Err(format!("{name} is {seconds}; 1 to 86400 are allowed"));
            }
        }
        if severity_number(&self.syslog.minimum_severity).is_none() {
            return Err(format!(
                "collect.syslog.minimum_severity is {:?}; use one of {}",
                self.syslog.minimum_severity,
                SEVERITIES.join(", ")
            ));
        }
        for log in &self.text_logs {
            let valid = log.table.len() > 3
                && log.table.ends_with("_CL")
                && log.table.starts_with(|first: char| first.is_ascii_alphabetic())
                && log.table.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
            if !valid {
                return Err(format!(
                    "collect.text_logs: {:?} is not the name of a custom table: letters, digits and _, ending in _CL",
                    log.table
                ));
            }
            for pattern in &log.paths {
                glob::Pattern::new(pattern)
                    .map_err(|error| format!("collect.text_logs: {pattern:?} is not a pattern: {error}"))?;
            }
        }
        Ok(())
    }
}

/// The severities of syslog by number (RFC 5424, 6.2.1), as `SeverityLevel` spells them.
pub const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// The number of a severity.
#[must_use]
pub fn severity_number(name: &str) -> Option<u8> {
    let position = SEVERITIES.iter().position(|severity| severity.eq_ignore_ascii_case(name))?;
    u8::try_from(position).ok()
}

/// The folder of configurations of further management groups that belongs to a configuration file.
#[must_use]
pub fn groups_folder(path: &Path) -> PathBuf {
    path.with_extension("d")
}

/// The files in it, by name.
fn group_files(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = groups_folder(path);
    let unreadable = |source: std::io::Error| ConfigError::Read { path: folder.clone(), source };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })
}

/// How long a collector's interval is.
#[must_use]
pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds.max(1))
}

/// Adds the nearest known key to serde's message about an unknown one.
fn with_nearest(message: &str) -> String {
    let message = message.trim_end();
    let Some((_, rest)) = message.split_once("unknown field `") else { return message.to_owned() };
    let Some((unknown, rest)) = rest.split_once('`') else { return message.to_owned() };
    let known = rest.split('`').skip(1).step_by(2);
    let nearest = known.map(|candidate| (distance(unknown, candidate), candidate)).min();
    match nearest {
        Some((steps, candidate)) if steps <= unknown.len().max(candidate.len()) / 2 => {
            format!("{message}\ndid you mean `{candidate}`?")
        }
        _ => message.to_owned(),
    }
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest() {
        for (text, nearest) in [
            ("servers = ['a']\ntokn = 'x'", "`token`"),
            ("servers = ['a']\n[queue]\nmax_kilobyte = 5", "`max_kilobytes`"),
            ("servers = ['a']\n[collect.syslog]\nminimum_severty = 'err'", "`minimum_severity`"),
        ] {
            let error = Config::parse(text, "agent.toml").unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean {nearest}")), "{error}");
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused_with_what_is_allowed() {
        for (text, part) in [
            ("servers = []", "servers is empty"),
            ("servers = ['a']\n[queue]\nmax_kilobytes = 1", "5120"),
            ("servers = ['a']\n[collect.performance]\ninterval_seconds = 0", "1 to 86400"),
            ("servers = ['a']\n[[collect.text_logs]]\npaths = ['/x']\ntable = 'App'", "_CL"),
            ("servers = ['a']\n[collect.syslog]\nminimum_severity = 'bad'", "warning"),
        ] {
            let error = Config::parse(text, "agent.toml").unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn further_management_groups_stand_in_files_beside_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        std::fs::write(&path, "servers = ['one']\ndata = '/data'").unwrap();
        assert_eq!(Config::load_groups(&path).unwrap().len(), 1);
        std::fs::create_dir(groups_folder(&path)).unwrap();
        let write = |name: &str, text: &str| std::fs::write(groups_folder(&path).join(name), text).unwrap();
        write("north.toml", "servers = ['two']");
        write("north.toml~", "not read");
        let groups = Config::load_groups(&path).unwrap();
        assert_eq!(groups[1].group.as_deref(), Some("north"));
        assert_eq!(groups[1].config.servers, ["two"]);
        assert_eq!(groups[1].config.data, Path::new("/data/groups/north"));
        write("south.toml", "servers = ['three']\ndata = '/data'");
        let error = Config::load_groups(&path).unwrap_err().to_string();
        assert!(error.contains("south.toml") && error.contains("/data"), "{error}");
        write("south.toml", "servers = ['three']");
        write("west.toml", "servers = ['four']");
        assert_eq!(Config::load_groups(&path).unwrap().len(), 4);
        write("x.toml", "servers = ['five']");
        let error = Config::load_groups(&path).unwrap_err().to_string();
        assert!(error.contains("at most 4 management groups"), "{error}");
    }

    #[test]
    fn a_token_does_not_show_itself() {
        let config = Config::parse("servers = ['a']\ntoken = 'wke_secret'", "agent.toml").unwrap();
        assert!(!format!("{config:?}").contains("wke_secret"));
    }
}
