//! What people set of a connection, checked: each field for itself, and then all together by asking the workspace.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use watchkeeper_management::pools::ALL_SERVERS;
use watchkeeper_model::civil;
use watchkeeper_servicemap::{Client, MachineGroup};
use watchkeeper_state::{ChosenGroup, MapConnection, MapSettings};

use super::refusal::Refusal;
use crate::api::App;
use crate::service_map::{Computers, place};

/// Somebody waits for the answer.
const TIMEOUT: Duration = Duration::from_secs(30);
const MOST_TEXT: usize = 256;
const MOST_SECRET: usize = 64 * 1024;
const MOST_CERTIFICATES: usize = 1 << 20;

/// A machine group as people name it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum NamedGroup {
    Name(String),
    Known { id: String },
}

impl NamedGroup {
    fn text(&self) -> &str {
        match self {
            NamedGroup::Name(name) => name,
            NamedGroup::Known { id } => id,
        }
    }
}

/// A new connection.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct New {
    name: String,
    authority: Option<String>,
    endpoint: Option<String>,
    trusted_certificates: Option<String>,
    tenant: String,
    application_id: String,
    secret: String,
    secret_expires: Option<String>,
    subscription: String,
    resource_group: String,
    workspace: String,
    #[serde(default)]
    machine_groups: Vec<NamedGroup>,
    #[serde(default)]
    servers: Vec<String>,
    resource_pool: Option<String>,
}

/// What is to be another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Changed {
    name: Option<String>,
    authority: Option<String>,
    endpoint: Option<String>,
    trusted_certificates: Option<String>,
    tenant: Option<String>,
    application_id: Option<String>,
    secret: Option<String>,
    /// Empty: not known.
    secret_expires: Option<String>,
    subscription: Option<String>,
    resource_group: Option<String>,
    workspace: Option<String>,
    machine_groups: Option<Vec<NamedGroup>>,
    /// All, in the place of those before.
    servers: Option<Vec<String>>,
    #[serde(default)]
    add_servers: Vec<String>,
    #[serde(default)]
    remove_servers: Vec<String>,
    resource_pool: Option<String>,
}

/// Name, settings and secret of a new connection that works.
pub(super) async fn new(app: &Arc<App>, new: New) -> Result<(String, MapSettings, String), Refusal> {
    let name = name(&new.name)?;
    let (authority, endpoint) = app.clouds.addresses(new.authority.as_deref(), new.endpoint.as_deref());
    let mut settings = MapSettings {
        authority,
        endpoint,
        trusted_certificates: certificates(new.trusted_certificates.unwrap_or_default())?,
        tenant: text("tenant", &new.tenant)?,
        application_id: text("applicationId", &new.application_id)?,
        secret_expires: expires(new.secret_expires.as_deref().unwrap_or_default())?,
        subscription: text("subscription", &new.subscription)?,
        resource_group: text("resourceGroup", &new.resource_group)?,
        workspace: text("workspace", &new.workspace)?,
        machine_groups: Vec::new(),
        servers: servers(app, &new.servers)?,
        resource_pool: pool(app, new.resource_pool.as_deref().unwrap_or(ALL_SERVERS)).await?,
    };
    let secret = secret(new.secret)?;
    settings.machine_groups = tried(app, &settings, &secret, &new.machine_groups).await?;
    Ok((name, settings, secret))
}

/// The connection as it is to be, its new secret, and what is different.
pub(super) async fn changed(
    app: &Arc<App>,
    known: &MapConnection,
    asked: Changed,
) -> Result<(MapConnection, Option<String>, Vec<&'static str>), Refusal> {
    let mut connection = known.clone();
    let settings = &mut connection.settings;
    let mut what = Vec::new();
    if let Some(authority) = &asked.authority {
        (settings.authority, settings.endpoint) = app.clouds.addresses(Some(authority), asked.endpoint.as_deref());
        what.push("authority");
    } else if let Some(endpoint) = &asked.endpoint {
        settings.endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        what.push("endpoint");
    }
    if let Some(trusted) = asked.trusted_certificates {
        settings.trusted_certificates = certificates(trusted)?;
        what.push("trusted certificates");
    }
    for (field, value, place) in [
        ("tenant", &asked.tenant, &mut settings.tenant),
        ("applicationId", &asked.application_id, &mut settings.application_id),
        ("subscription", &asked.subscription, &mut settings.subscription),
        ("resourceGroup", &asked.resource_group, &mut settings.resource_group),
        ("workspace", &asked.workspace, &mut settings.workspace),
    ] {
        if let Some(value) = value {
            *place = text(field, value)?;
            what.push(field);
        }
    }
    let new_secret = asked.secret.map(secret).transpose()?;
    let goes_elsewhere =
        (&settings.authority, &settings.endpoint) != (&known.settings.authority, &known.settings.endpoint);
    // a stored secret goes where it was meant for, and nowhere else
    if goes_elsewhere && new_secret.is_none() {
        return Err(Refusal::field(
            "secret",
            "the stored secret is not sent to another address; give the secret again",
        ));
    }
    if new_secret.is_some() {
        what.push("secret");
        // when the new one ends is another question
        settings.secret_expires = 0;
    }
    if let Some(time) = &asked.secret_expires {
        settings.secret_expires = expires(time)?;
        what.push("secretExpires");
    }
    if let Some(all) = &asked.servers {
        settings.servers = servers(app, all)?;
        what.push("servers");
    }
    for server in servers(app, &asked.add_servers)? {
        if !settings.servers.contains(&server) {
            settings.servers.push(server);
        }
        what.push("servers");
    }
    for server in &asked.remove_servers {
        let before = settings.servers.len();
        let computers = Computers::of(&app.operations.group.read());
        let object = computers.named(server).map(|known| known.object);
        settings.servers.retain(|one| {
            let same = object.is_some() && computers.named(one).map(|known| known.object) == object;
            !one.eq_ignore_ascii_case(server) && !same
        });
        if settings.servers.len() == before {
            return Err(Refusal::field("servers", format!("{server:?} is none of the servers of this connection")));
        }
        what.push("servers");
    }
    if let Some(asked) = &asked.resource_pool {
        settings.resource_pool = pool(app, asked).await?;
        what.push("resourcePool");
    }
    let groups: Vec<NamedGroup> = match asked.machine_groups {
        Some(groups) => {
            what.push("machineGroups");
            groups
        }
        // one that is gone meanwhile is no reason against a new secret
        None => Vec::new(),
    };
    let chosen = what.contains(&"machineGroups");
    // servers, pool and name say nothing of the workspace
    if what.iter().any(|field| !["servers", "resourcePool", "secretExpires"].contains(field)) {
        let secret = match &new_secret {
            Some(secret) => secret.clone(),
            None => stored_secret(app, &known.connection_id).await?,
        };
        let found = tried(app, settings, &secret, &groups).await?;
        if chosen {
            settings.machine_groups = found;
        }
    }
    if let Some(asked) = &asked.name {
        connection.name = name(asked)?;
        what.push("name");
    }
    what.sort_unstable();
    what.dedup();
    if what.is_empty() {
        return Err(Refusal::field("name", "nothing is to be changed; name what is"));
    }
    Ok((connection, new_secret, what))
}

/// The secret of a connection, for asking the workspace in its name.
pub(super) async fn stored_secret(app: &App, connection_id: &str) -> Result<String, Refusal> {
    let found = app.state.map_connection(connection_id).await?;
    let gone = || Refusal::field("connection", "the connection was removed meanwhile");
    found.map(|(_, secret)| secret).ok_or_else(gone)
}

/// A client with which somebody waits for an answer.
pub(super) fn client(app: &App, settings: &MapSettings, secret: &str) -> Result<Client, Refusal> {
    Ok(app.operations.service_maps.client(settings, secret, TIMEOUT, 1)?)
}

/// Asks the workspace: signs in, and finds the machine groups that people named.
async fn tried(
    app: &App,
    settings: &MapSettings,
    secret: &str,
    groups: &[NamedGroup],
) -> Result<Vec<ChosenGroup>, Refusal> {
    let client = client(app, settings, secret)?;
    let known = client.machine_groups(&place(settings)).await?;
    let mut chosen: Vec<ChosenGroup> = Vec::new();
    for group in groups {
        let group = find_group(&known, group.text())?;
        if !chosen.iter().any(|one| one.id == group.name) {
            chosen.push(ChosenGroup { id: group.name.clone(), display_name: group.display_name.clone() });
        }
    }
    Ok(chosen)
}

/// A machine group by its resource, its name there, or the name that people gave it.
fn find_group<'a>(known: &'a [MachineGroup], text: &str) -> Result<&'a MachineGroup, Refusal> {
    let wrong = |message: String| Refusal::Field { code: "MachineGroupNotFound", message, target: "machineGroups" };
    if let Some(group) = known.iter().find(|group| group.name == text || group.id == text) {
        return Ok(group);
    }
    let mut named = known.iter().filter(|group| group.display_name.eq_ignore_ascii_case(text));
    let names = || known.iter().map(|group| group.display_name.as_str()).collect::<Vec<_>>().join(", ");
    match (named.next(), named.next()) {
        (Some(group), None) => Ok(group),
        (Some(_), Some(_)) => Err(wrong(format!("several machine groups are called {text:?}; name one by its id"))),
        (None, _) if known.is_empty() => {
            Err(wrong(format!("there is no machine group {text:?}; the workspace has none")))
        }
        (None, _) => Err(wrong(format!("there is no machine group {text:?}; the workspace has {}", names()))),
    }
}

fn name(asked: &str) -> Result<String, Refusal> {
    let name = text("name", asked)?;
    // they are words of the address
    match name.as_str() {
        "views" | "discover" => Err(Refusal::field("name", format!("a connection cannot be called {name:?}"))),
        _ => Ok(name),
    }
}

fn text(field: &'static str, value: &str) -> Result<String, Refusal> {
    let value = value.trim();
    if value.is_empty() {
        return Err(Refusal::field(field, format!("{field} is empty")));
    }
    if value.len() > MOST_TEXT || value.chars().any(char::is_control) {
        return Err(Refusal::field(
            field,
            format!("{field} has at most {MOST_TEXT} characters, none of them a control character"),
        ));
    }
    Ok(value.to_owned())
}

/// Line ends at the end come from files.
pub(super) fn secret(value: String) -> Result<String, Refusal> {
    let value = value.trim_end_matches(['\r', '\n']);
    match value.len() {
        0 => Err(Refusal::field("secret", "the secret is empty")),
        1..=MOST_SECRET => Ok(value.to_owned()),
        _ => Err(Refusal::field("secret", format!("a secret has at most {MOST_SECRET} bytes"))),
    }
}

pub(super) fn certificates(pem: String) -> Result<String, Refusal> {
    match pem.len() {
        0..=MOST_CERTIFICATES => Ok(pem),
        _ => Err(Refusal::field("trustedCertificates", "the trusted certificates have more than 1 MiB")),
    }
}

/// Microseconds since 1970; 0 where nobody knows.
fn expires(time: &str) -> Result<i64, Refusal> {
    let time = time.trim();
    if time.is_empty() {
        return Ok(0);
    }
    let parsed = civil::parse_time(time).or_else(|| civil::parse_time(&format!("{time}T00:00:00Z")));
    parsed.filter(|time| *time > 0).ok_or_else(|| {
        Refusal::field("secretExpires", format!("{time:?} is no time; write it as 2027-01-31 or 2027-01-31T12:00:00Z"))
    })
}

/// The computers that people named, by the names that the group has for them.
fn servers(app: &App, names: &[String]) -> Result<Vec<String>, Refusal> {
    let computers = Computers::of(&app.operations.group.read());
    let mut all: Vec<String> = Vec::new();
    for name in names {
        let known = computers.named(name).ok_or_else(|| {
            Refusal::field(
                "servers",
                format!("no computer of this management group is called {name:?}; `watchkeeper agents` lists those that are watched"),
            )
        })?;
        if !all.contains(&known.name) {
            all.push(known.name.clone());
        }
    }
    Ok(all)
}

async fn pool(app: &App, name: &str) -> Result<String, Refusal> {
    let pools = app.state.pools().await?;
    let found = pools.into_iter().find(|pool| pool.pool_id == name || pool.name.eq_ignore_ascii_case(name.trim()));
    found.map(|pool| pool.name).ok_or_else(|| {
        Refusal::field("resourcePool", format!("there is no resource pool {name:?}; `watchkeeper pools` lists them"))
    })
}
