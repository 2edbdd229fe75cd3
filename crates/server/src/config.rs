//! Configuration: defaults, then the file, then `WATCHKEEPER_…` variables, then flags. An unknown key is an error.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::{Deserialize, Serialize};
use watchkeeper_clouds::Cloud;

const PREFIX: &str = "WATCHKEEPER_";
const DEFAULTS: &str = "defaults";
const FLAGS: &str = "flags";

/// Variables with our prefix that are not configuration keys.
const OTHER_VARIABLES: [&str; 3] = ["CONNECTION", "LOG", "CONFIG"];

/// Everything that can be set. Each part has defaults that work.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub data: DataConfig,
    pub listen: ListenConfig,
    pub tls: TlsConfig,
    pub state: StateConfig,
    pub store: StoreConfig,
    pub query: QueryConfig,
    pub syslog: SyslogConfig,
    pub packs: PacksConfig,
    pub certificates: CertificatesConfig,
    pub identity: IdentityConfig,
    pub itsm: ItsmConfig,
    pub configuration_manager: ConfigurationManagerConfig,
    pub computer_groups: ComputerGroupsConfig,
    pub log: LogConfig,
    pub agent: AgentConfig,
    pub alerts: AlertsConfig,
    pub mail: MailConfig,
    pub map: MapConfig,
    /// Environments of connections besides those that are known, as `[[cloud]]`.
    pub cloud: Vec<Cloud>,
}

/// What is known of the remote ends of connections.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MapConfig {
    /// A database of places (MaxMind DB); empty: none.
    pub places: PathBuf,
    /// A list of malicious addresses (CSV); empty: none.
    pub threats: PathBuf,
    /// How often it is looked whether the files have changed.
    pub look_seconds: u64,
}

/// Alert rules over tables and what they set off.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsConfig {
    /// The shortest evaluationFrequency of a rule, in seconds.
    pub shortest_frequency_seconds: u32,
    /// How late rows may come and still count in the window that they belong to, in seconds.
    pub late_data_seconds: u32,
    /// How far back missed evaluations are made up, in minutes.
    pub catch_up_minutes: u32,
    /// Queries of rules that run at a time; 0: one a processor.
    pub concurrency: usize,
    /// The folder of scripts that action groups may run; empty: `scripts` in the data folder.
    pub scripts_dir: PathBuf,
    /// Authorities (PEM) that are trusted beside the system's for webhooks and mail; empty: none.
    pub ca_file: PathBuf,
    /// The console's address in messages; empty: the one that the server listens on.
    pub console_url: String,
    /// After so many seconds each a delivery is tried again.
    pub delivery_retry_seconds: Vec<u32>,
    /// After all of these a receiver is left alone for so long, then it begins anew.
    pub delivery_rest_seconds: u32,
}

impl Default for AlertsConfig {
    fn default() -> AlertsConfig {
        AlertsConfig {
            shortest_frequency_seconds: 60,
            late_data_seconds: 300,
            catch_up_minutes: 60,
            concurrency: 0,
            scripts_dir: PathBuf::new(),
            ca_file: PathBuf::new(),
            console_url: String::new(),
            delivery_retry_seconds: vec![5, 20, 5, 40, 5],
            delivery_rest_seconds: 900,
        }
    }
}

/// The mail server that action groups send through.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// Empty: no mail is sent.
    pub host: String,
    /// 0: 587 for `starttls`, 465 for `tls`, 25 for `none`.
    pub port: u16,
    /// `starttls`, `tls` or `none`.
    pub tls: String,
    pub user: String,
    pub password: Secret,
    /// The sender, `Name <address>` or an address.
    pub from: String,
}

impl Default for MailConfig {
    fn default() -> MailConfig {
        MailConfig {
            host: String::new(),
            port: 0,
            tls: "starttls".to_owned(),
            user: String::new(),
            password: Secret::default(),
            from: "watchkeeper@localhost".to_owned(),
        }
    }
}

/// A text that is not printed.
#[derive(Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}

/// The agent of the server's own machine.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// Whether `watchkeeper serve` runs one; `watchkeeper up` always does.
    pub local: bool,
}

/// Where the server keeps what it stores.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// The folder of tables, state, certificates and keys.
    pub dir: PathBuf,
}

/// The addresses that the server listens on.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ListenConfig {
    pub address: IpAddr,
    /// HTTPS: APIs and console. 0 takes a free port.
    pub port: u16,
    /// Agents. 0 takes a free port.
    pub agent_port: u16,
    /// Where agents of other machines reach this server, as `host:port`, when it differs from the first of `names` (or
    /// the host's name) with `agent_port`; the other servers of the group tell it to agents.
    pub agent_endpoint: String,
    /// Names besides `localhost`, the loopback addresses and the host name that the certificate is valid for.
    pub names: Vec<String>,
}

/// A certificate of one's own instead of one from the server's authority; PEM files, both or none.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The operational store.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct StateConfig {
    /// `sqlite://FILE` or `postgres://…`; empty: `state.db` in the data folder.
    pub url: String,
}

/// When rows go from the log to files, and how much may wait.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// A table's rows are written to files when this many MiB of them wait,
    pub flush_mb: u64,
    /// or when the oldest has waited this long.
    pub flush_seconds: u64,
    /// Past this many MiB waiting in all, senders get 429.
    pub max_unflushed_mb: u64,
    /// Disk space that is left free; below it senders get 503.
    pub reserve_mb: u64,
}

/// Bounds of a query.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct QueryConfig {
    /// Memory that all queries share, in MiB; what needs more spills to disk or ends with an error.
    pub memory_mb: usize,
    /// Longest time of a query, in seconds.
    pub timeout_seconds: u64,
    /// Threads that queries run on; 0: one a core.
    pub threads: usize,
}

/// Addresses for syslog senders, like `0.0.0.0:514`; empty: off.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SyslogConfig {
    pub udp: String,
    pub tcp: String,
    /// With the server's certificate (RFC 5425).
    pub tls: String,
    /// Whether another port will do where one is taken: `watchkeeper up` without a configuration.
    #[serde(skip)]
    pub any_port: bool,
}

impl SyslogConfig {
    /// Whether no address is configured.
    pub fn is_off(&self) -> bool {
        self.udp.is_empty() && self.tcp.is_empty() && self.tls.is_empty()
    }

    /// Loopback addresses, on ports that need no privileges; free ones where `any` says so.
    pub fn loopback(any: bool) -> SyslogConfig {
        let [port, tls_port] = if any { [0, 0] } else { [5514, 6514] };
        let address = |port: u16| format!("127.0.0.1:{port}");
        SyslogConfig { udp: address(port), tcp: address(port), tls: address(tls_port), any_port: true }
    }
}

/// Management packs that come with the server.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PacksConfig {
    /// Whether those for Linux and for Watchkeeper itself are imported at the start, and renewed by a new release.
    pub shipped: bool,
}

/// Certificates of companies' authorities.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CertificatesConfig {
    /// Lists of revoked certificates that have an address are fetched again after this time.
    pub list_seconds: u64,
    /// How often secrets and certificates are looked at that end soon.
    pub expiry_seconds: u64,
}

/// Signing in.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// A new key signs tokens after so many days.
    pub key_days: u32,
    /// A session of the console ends after so many hours.
    pub session_hours: u32,
    /// And when nobody does anything in it for so many minutes; 0: only after its hours.
    pub idle_minutes: u32,
    pub managed: ManagedIdentityConfig,
    pub providers: Vec<ProviderConfig>,
    pub directories: Vec<DirectoryConfig>,
}

/// Tokens for processes of the server's own machine.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ManagedIdentityConfig {
    /// `127.0.0.1:PORT`; empty: off.
    pub address: String,
    /// `USER=CLIENT_ID`: processes of this user are this service principal.
    pub identities: Vec<String>,
}

/// An OpenID Connect provider through which people sign in.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderConfig {
    /// Part of the redirect address, and the provider of its users.
    pub name: String,
    /// On the button of the sign-in page; empty: the name.
    pub label: String,
    pub issuer: String,
    pub client_id: String,
    /// It gave no secret.
    pub public: bool,
    pub scopes: Vec<String>,
    /// The claim that users are called by; without it `preferred_username`, then `email`.
    pub name_claim: String,
    /// The claim with the groups of a person.
    pub groups_claim: String,
    /// What the provider calls a group, and the directory group here.
    pub groups: BTreeMap<String, String>,
    /// Whether a person who comes for the first time becomes a user.
    pub create_users: bool,
    /// Authorities (PEM) that are trusted beside the system's; empty: none.
    pub ca_file: PathBuf,
    /// The same as text.
    pub trusted: String,
}

impl Default for ProviderConfig {
    fn default() -> ProviderConfig {
        ProviderConfig {
            name: String::new(),
            label: String::new(),
            issuer: String::new(),
            client_id: String::new(),
            public: false,
            scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
            name_claim: "preferred_username".to_owned(),
            groups_claim: "groups".to_owned(),
            groups: BTreeMap::new(),
            create_users: true,
            ca_file: PathBuf::new(),
            trusted: String::new(),
        }
    }
}

/// An LDAP directory whose people sign in with their passwords there.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DirectoryConfig {
    pub name: String,
    /// `ldaps://HOST[:PORT]`, or `ldap://HOST[:PORT]` with StartTLS.
    pub url: String,
    /// Below this name people and groups are.
    pub base: String,
    /// Who looks people up; empty: `user_dn` says what they are called.
    pub bind_name: String,
    /// For instance `uid={name},ou=people,dc=corp,dc=example`.
    pub user_dn: String,
    /// Finds a person by `{name}`; empty: uid, sAMAccountName, userPrincipalName or mail.
    pub user_filter: String,
    /// Finds the groups of `{dn}`; empty: by member or uniqueMember.
    pub group_filter: String,
    /// What the directory calls a group (its name or distinguished name), and the directory group here.
    pub groups: BTreeMap<String, String>,
    /// Whether a person who comes for the first time becomes a user.
    pub create_users: bool,
    /// Authorities (PEM) that are trusted beside the system's; empty: none.
    pub ca_file: PathBuf,
    /// The same as text.
    pub trusted: String,
}

impl Default for DirectoryConfig {
    fn default() -> DirectoryConfig {
        DirectoryConfig {
            name: String::new(),
            url: String::new(),
            base: String::new(),
            bind_name: String::new(),
            user_dn: String::new(),
            user_filter: String::new(),
            group_filter: String::new(),
            groups: BTreeMap::new(),
            create_users: true,
            ca_file: PathBuf::new(),
            trusted: String::new(),
        }
    }
}

/// Connections to service desks.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ItsmConfig {
    /// How often work items are read.
    pub sync_seconds: u64,
    /// How often templates, fields, users and groups are read, and what was removed in the product is looked for.
    pub refresh_seconds: u64,
    /// Longest time of one request to a product.
    pub request_seconds: u64,
}

/// Connections to Configuration Manager.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigurationManagerConfig {
    /// Longest time of one request to an administration service.
    pub request_seconds: u64,
    /// How often a request is sent that fails in passing.
    pub tries: u32,
    /// Records of one page.
    pub page_rows: usize,
    /// Collections whose members are read at a time.
    pub parallel: usize,
    /// The first pause after an import that failed; it doubles up to the interval of the connection.
    pub retry_seconds: u64,
    /// How often all members are read, also those that the site says to be unchanged.
    pub full_seconds: u64,
}

/// Groups of computers.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ComputerGroupsConfig {
    /// How often groups that are queries are asked for the computers that the management group has in them.
    pub query_seconds: u64,
}

/// The server's own log.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// For instance `info` or `warn,watchkeeper_server=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
}

impl Default for DataConfig {
    fn default() -> DataConfig {
        DataConfig { dir: default_data_dir() }
    }
}

impl Default for ListenConfig {
    fn default() -> ListenConfig {
        ListenConfig {
            address: IpAddr::from([127, 0, 0, 1]),
            port: 8443,
            agent_port: 5723,
            agent_endpoint: String::new(),
            names: Vec::new(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig { flush_mb: 64, flush_seconds: 120, max_unflushed_mb: 512, reserve_mb: 256 }
    }
}

impl Default for QueryConfig {
    fn default() -> QueryConfig {
        QueryConfig { memory_mb: 2048, timeout_seconds: 600, threads: 0 }
    }
}

impl Default for PacksConfig {
    fn default() -> PacksConfig {
        PacksConfig { shipped: true }
    }
}

impl Default for CertificatesConfig {
    fn default() -> CertificatesConfig {
        CertificatesConfig { list_seconds: 3600, expiry_seconds: 600 }
    }
}

impl Default for IdentityConfig {
    fn default() -> IdentityConfig {
        IdentityConfig {
            key_days: 30,
            session_hours: 12,
            idle_minutes: 60,
            managed: ManagedIdentityConfig::default(),
            providers: Vec::new(),
            directories: Vec::new(),
        }
    }
}

impl Default for MapConfig {
    fn default() -> MapConfig {
        MapConfig { places: PathBuf::new(), threats: PathBuf::new(), look_seconds: 30 }
    }
}

impl Default for ItsmConfig {
    fn default() -> ItsmConfig {
        ItsmConfig { sync_seconds: 300, refresh_seconds: 24 * 3600, request_seconds: 60 }
    }
}

impl Default for ConfigurationManagerConfig {
    fn default() -> ConfigurationManagerConfig {
        ConfigurationManagerConfig {
            request_seconds: 60,
            tries: 4,
            page_rows: 5_000,
            parallel: 4,
            retry_seconds: 60,
            full_seconds: 24 * 3600,
        }
    }
}

impl Default for ComputerGroupsConfig {
    fn default() -> ComputerGroupsConfig {
        ComputerGroupsConfig { query_seconds: 300 }
    }
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig { level: "info".to_owned(), format: "text".to_owned() }
    }
}

/// `/var/lib/watchkeeper` for root, the user's data folder for others.
pub fn default_data_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/watchkeeper");
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let base = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(home);
    base.unwrap_or_else(|| PathBuf::from(".")).join("watchkeeper")
}

/// One effective value and where it comes from.
#[derive(Debug, PartialEq)]
pub struct Effective {
    pub key: String,
    pub value: String,
    pub origin: String,
}

/// The merged configuration with the origin of each value.
pub struct Loaded {
    pub config: Config,
    figment: Figment,
}

impl Loaded {
    /// Every key in the order of the file format, with its value and origin. The password of an address is hidden.
    pub fn effective(&self) -> anyhow::Result<Vec<Effective>> {
        let mut found = Vec::new();
        for (key, value) in leaves(&self.figment.extract::<Dict>()?, "") {
            let metadata = self.figment.find_metadata(&key);
            let origin = match metadata.map(|metadata| (metadata.name.as_ref(), &metadata.source)) {
                None | Some((DEFAULTS, _)) => "default".to_owned(),
                Some((_, Some(figment::Source::File(path)))) => path.display().to_string(),
                Some((FLAGS, _)) => "flag".to_owned(),
                Some((name, _)) if name.contains("environment") => {
                    format!("environment {}", variable(&key))
                }
                Some((name, _)) => name.to_owned(),
            };
            let value = match key.as_str() {
                "state.url" => hide_password(&print(&value)),
                "mail.password" if print(&value) != "\"\"" => "\"***\"".to_owned(),
                _ => print(&value),
            };
            found.push(Effective { key, value, origin });
        }
        Ok(found)
    }
}

/// Merges defaults, `file`, the environment and `flags` (dotted key, value), and checks the keys.
pub fn load(file: Option<&Path>, flags: &[(&str, Value)]) -> anyhow::Result<Loaded> {
    let mut figment = Figment::from(Named { inner: Serialized::defaults(Config::default()), name: DEFAULTS });
    if let Some(path) = file {
        if !path.is_file() {
            bail!("the configuration file {} does not exist", path.display());
        }
        figment = figment.merge(Toml::file_exact(path));
    }
    figment = figment.merge(
        Env::prefixed(PREFIX)
            .filter(|key| !OTHER_VARIABLES.iter().any(|other| key.as_str().eq_ignore_ascii_case(other)))
            .split("__"),
    );
    for (key, value) in flags {
        figment = figment.merge(Named { inner: Serialized::default(key, value.clone()), name: FLAGS });
    }
    let values: Dict = figment.extract().context("the configuration cannot be read")?;
    check_keys(&figment, &values)?;
    let config = figment.extract().context("the configuration is not valid")?;
    Ok(Loaded { config, figment })
}

/// A provider under a name that a reader knows.
struct Named<P> {
    inner: P,
    name: &'static str,
}

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        self.inner.data()
    }
}

fn check_keys(figment: &Figment, values: &Dict) -> anyhow::Result<()> {
    let defaults: Dict = Figment::from(Serialized::defaults(Config::default())).extract()?;
    let known: Vec<String> = leaves(&defaults, "").into_iter().map(|(key, _)| key).collect();
    for (key, _) in leaves(values, "") {
        if known.contains(&key) {
            continue;
        }
        let nearest = known.iter().min_by_key(|candidate| distance(candidate, &key)).map_or("", String::as_str);
        let place = match figment.find_metadata(&key) {
            Some(metadata) => match &metadata.source {
                Some(figment::Source::File(path)) => format!(" in {}", path.display()),
                _ if metadata.name.contains("environment") => format!(" (variable {})", variable(&key)),
                _ => String::new(),
            },
            None => String::new(),
        };
        bail!("unknown configuration key `{key}`{place}; did you mean `{nearest}`?");
    }
    Ok(())
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// The dotted keys of everything that is not a group, with their values.
fn leaves(values: &Dict, prefix: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in values {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Dict(_, inner) => found.extend(leaves(inner, &key)),
            other => found.push((key, other.clone())),
        }
    }
    found
}

fn print(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_u128().map(|number| number.to_string()))
            .or_else(|| number.to_f64().map(|number| number.to_string()))
            .unwrap_or_default(),
        Value::Char(_, letter) => format!("{letter:?}"),
        Value::Array(_, items) => format!("[{}]", items.iter().map(print).collect::<Vec<_>>().join(", ")),
        Value::Dict(..) | Value::Empty(..) => String::new(),
    }
}

fn hide_password(url: &str) -> String {
    match (url.find("//"), url.rfind('@')) {
        (Some(start), Some(end)) if start + 2 <= end => format!("{}***{}", &url[..start + 2], &url[end..]),
        _ => url.to_owned(),
    }
}

/// How many letters have to be inserted, removed or replaced to make one text of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watchkeeper.toml");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_each_value_names_its_origin() {
        let (_dir, path) = written("[listen]\nport = 1\nagent_port = 2\n");
        let loaded = load(Some(&path), &[("listen.port", Value::from(7u16))]).unwrap();
        assert_eq!(loaded.config.listen.port, 7);
        assert_eq!(loaded.config.listen.agent_port, 2);
        let effective = loaded.effective().unwrap();
        let origin = |key: &str| effective.iter().find(|entry| entry.key == key).unwrap().origin.clone();
        assert_eq!(origin("listen.port"), "flag");
        assert!(origin("listen.agent_port").ends_with("watchkeeper.toml"));
        assert_eq!(origin("query.memory_mb"), "default");
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one_and_its_place() {
        let (_dir, path) = written("[listen]\nprot = 1\n");
        let error = load(Some(&path), &[]).err().unwrap().to_string();
        assert!(error.contains("`listen.prot`") && error.contains("`listen.port`"), "{error}");
        assert!(error.contains("watchkeeper.toml"), "{error}");
    }

    #[test]
    fn a_missing_file_and_a_wrong_type_are_errors() {
        assert!(load(Some(Path::new("/nowhere/x.toml")), &[]).is_err());
        let (_dir, path) = written("[listen]\nport = \"many\"\n");
        assert!(load(Some(&path), &[]).is_err());
    }
}
