//! `watchkeeper service-map`: connections to workspaces that have a map, and the dependency views that are made of it. A
//! secret comes from a file or standard input, never from the command line.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::operate::Output;
use super::query::Format;
use super::rows::segment;
use super::run_as::read_secret;

const BASE: &str = "/api/service-map-connections";
const CONNECTION: [&str; 8] = ["name", "workspace", "health", "outcome", "succeeded", "servers", "machineGroups", "id"];
const LONGEST_WAIT: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(300);

/// Show maps of Log Analytics workspaces, Azure's or Watchkeeper's, as distributed applications.
#[derive(Args)]
pub struct ServiceMap {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum What {
    /// List the connections.
    List,
    /// Show one, with its last synchronization and the machines for which something is missing.
    Show {
        #[arg(value_name = "CONNECTION")]
        of: String,
    },
    /// Connect to a workspace. The secret of the service principal is read from standard input, or from a file.
    Add(Add),
    /// Change one; a new secret is read from the file that is named.
    Set(Set),
    /// Remove one, with its views.
    Remove {
        #[arg(value_name = "CONNECTION")]
        of: String,
    },
    /// Synchronize one now.
    Sync {
        #[arg(value_name = "CONNECTION")]
        of: String,
        /// Return when it is done; with an error where it failed.
        #[arg(long)]
        wait: bool,
    },
    /// List what a service principal may see: workspaces; in one that is named, machine groups and machines.
    Discover(Discover),
    /// List the dependency views, or show one and change its members.
    Views {
        /// A view, by name or identity.
        view: Option<String>,
        /// Put an object into the view, by name or identity; it stays through synchronizations.
        #[arg(long, requires = "view")]
        add: Vec<String>,
        /// Take a member out of the view; it stays out.
        #[arg(long, requires = "view")]
        remove: Vec<String>,
    },
}

/// Where a workspace is and as whom to ask.
#[derive(Args)]
struct Place {
    /// Who gives tokens: https://HOST[:PORT], or a cloud of `watchkeeper clouds list` (own: this server)
    /// [default: AzurePublicCloud].
    #[arg(long)]
    authority: Option<String>,
    /// The resource manager, where it is another address.
    #[arg(long)]
    endpoint: Option<String>,
    /// The file with the authority (PEM) that signed the other side's certificate, where the system does not trust it.
    #[arg(long)]
    ca_file: Option<PathBuf>,
    /// Id or name of the tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// The application (client) id of the service principal.
    #[arg(long)]
    application_id: Option<String>,
    #[arg(long)]
    subscription: Option<String>,
    #[arg(long)]
    resource_group: Option<String>,
    /// The workspace's name.
    #[arg(long = "log-workspace")]
    log_workspace: Option<String>,
}

impl Place {
    /// What was given, as a body.
    fn body(&self) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        for (name, value) in [
            ("authority", &self.authority),
            ("endpoint", &self.endpoint),
            ("tenant", &self.tenant),
            ("applicationId", &self.application_id),
            ("subscription", &self.subscription),
            ("resourceGroup", &self.resource_group),
            ("workspace", &self.log_workspace),
        ] {
            if let Some(value) = value {
                body.insert(name.to_owned(), json!(value));
            }
        }
        if let Some(file) = &self.ca_file {
            let pem = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            body.insert("trustedCertificates".to_owned(), json!(pem));
        }
        Ok(body)
    }
}

#[derive(Args)]
struct Add {
    name: String,
    #[command(flatten)]
    place: Place,
    /// The file with the secret; - for standard input.
    #[arg(long, default_value = "-")]
    secret_file: PathBuf,
    /// When the secret ends, so that there is an alert before: 2027-01-31.
    #[arg(long)]
    secret_expires: Option<String>,
    /// A machine group of the workspace, by name or id; more than once for more.
    #[arg(long = "machine-group")]
    machine_groups: Vec<String>,
    /// A computer for the Service Map Servers Group; more than once for more.
    #[arg(long = "server")]
    servers: Vec<String>,
    /// The resource pool that talks to the workspace.
    #[arg(long)]
    pool: Option<String>,
}

#[derive(Args)]
struct Set {
    #[arg(value_name = "CONNECTION")]
    of: String,
    #[command(flatten)]
    place: Place,
    /// Another name.
    #[arg(long)]
    name: Option<String>,
    /// The file with the new secret; - for standard input.
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// When the secret ends; an empty text where nobody knows.
    #[arg(long)]
    secret_expires: Option<String>,
    /// The machine groups that are synchronized, in the place of those before.
    #[arg(long = "machine-group")]
    machine_groups: Vec<String>,
    /// No machine group is synchronized.
    #[arg(long, conflicts_with = "machine_groups")]
    no_machine_groups: bool,
    /// A computer more for the Service Map Servers Group; it is synchronized at once.
    #[arg(long)]
    add_server: Vec<String>,
    /// A computer less.
    #[arg(long)]
    remove_server: Vec<String>,
    /// The resource pool that talks to the workspace.
    #[arg(long)]
    pool: Option<String>,
}

#[derive(Args)]
struct Discover {
    /// A connection, whose settings and secret are used; without it the secret is read.
    #[arg(value_name = "CONNECTION")]
    of: Option<String>,
    #[command(flatten)]
    place: Place,
    /// The file with the secret; - for standard input.
    #[arg(long)]
    secret_file: Option<PathBuf>,
}

impl ServiceMap {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            What::List => {
                let answer = output.ask(Method::GET, BASE, None)?;
                output.show(&flat(output, &answer["value"]), &CONNECTION)
            }
            What::Show { of } => show(output, &output.ask(Method::GET, &path(of), None)?),
            What::Add(add) => {
                let answer = output.ask(Method::POST, BASE, Some(add.body(output)?))?;
                output.show(&flat(output, &answer), &CONNECTION)
            }
            What::Set(set) => {
                let answer = output.ask(Method::PATCH, &path(&set.of), Some(set.body()?))?;
                output.show(&flat(output, &answer), &CONNECTION)
            }
            What::Remove { of } => output.ask(Method::DELETE, &path(of), None).map(drop),
            What::Sync { of, wait } => sync(output, of, *wait),
            What::Discover(discover) => discover.run(output),
            What::Views { view: None, .. } => views(output),
            What::Views { view: Some(view), add, remove } => one_view(output, view, add, remove),
        }
    }
}

fn path(connection: &str) -> String {
    format!("{BASE}/{}", segment(connection))
}

/// Connections with their last synchronization beside; as JSON they stay as they are.
fn flat(output: &Output, answer: &Value) -> Value {
    if output.format() == Format::Json {
        return answer.clone();
    }
    let one = |connection: &Value| {
        let mut connection = connection.clone();
        let last = connection["lastSync"].take();
        for name in ["outcome", "succeeded", "error"] {
            connection[name] = last[name].clone();
        }
        let groups = connection["machineGroups"].as_array().into_iter().flatten();
        connection["machineGroups"] = groups.map(|group| group["displayName"].clone()).collect();
        connection
    };
    match answer {
        Value::Array(all) => all.iter().map(one).collect(),
        other => one(other),
    }
}

fn show(output: &Output, answer: &Value) -> anyhow::Result<()> {
    if output.format() != Format::Table {
        return output.show(&flat(output, answer), &CONNECTION);
    }
    let shown = flat(output, answer);
    let rule = &answer["rule"];
    let mut rows: Vec<Value> = [
        "name",
        "object",
        "health",
        "authority",
        "endpoint",
        "tenant",
        "applicationId",
        "secretExpires",
        "subscription",
        "resourceGroup",
        "workspace",
        "machineGroups",
        "servers",
        "resourcePool",
        "outcome",
        "succeeded",
        "error",
    ]
    .iter()
    .map(|name| json!({"property": name, "value": shown[*name]}))
    .collect();
    let settings = ["enabled", "intervalMinutes", "timeoutSeconds", "timeWindowMinutes"];
    rows.extend(settings.iter().map(|name| json!({"property": format!("rule {name}"), "value": rule[*name]})));
    output.show(&Value::Array(rows), &["property", "value"])?;
    match answer["missing"].as_array() {
        Some(missing) if !missing.is_empty() => output.show(&answer["missing"], &["machine", "lacks", "what"]),
        _ => Ok(()),
    }
}

impl Add {
    fn body(&self, output: &Output) -> anyhow::Result<Value> {
        let mut body = self.place.body()?;
        body.insert("secret".to_owned(), json!(read_secret(&self.secret_file)?));
        if !["subscription", "resourceGroup", "workspace"].iter().all(|name| body.contains_key(*name)) {
            choose(output, &mut body)?;
        }
        body.insert("name".to_owned(), json!(self.name));
        body.insert("machineGroups".to_owned(), json!(self.machine_groups));
        body.insert("servers".to_owned(), json!(self.servers));
        if let Some(time) = &self.secret_expires {
            body.insert("secretExpires".to_owned(), json!(time));
        }
        if let Some(pool) = &self.pool {
            body.insert("resourcePool".to_owned(), json!(pool));
        }
        Ok(Value::Object(body))
    }
}

/// Where only one workspace fits what was given, it is meant.
fn choose(output: &Output, body: &mut Map<String, Value>) -> anyhow::Result<()> {
    let mut asked = body.clone();
    asked.remove("resourceGroup");
    asked.remove("workspace");
    let answer = output.ask(Method::POST, &format!("{BASE}/discover"), Some(Value::Object(asked)))?;
    let fits = |row: &Value, name: &str| {
        let given = body.get(name).and_then(Value::as_str);
        given.is_none_or(|given| row[name].as_str().is_some_and(|value| value.eq_ignore_ascii_case(given)))
    };
    let rows = workspaces(&answer);
    let mut fitting = rows.iter().filter(|row| fits(row, "resourceGroup") && fits(row, "workspace"));
    match (fitting.next(), fitting.next()) {
        (Some(row), None) => {
            for name in ["subscription", "resourceGroup", "workspace"] {
                body.insert(name.to_owned(), row[name].clone());
            }
            Ok(())
        }
        (None, _) => bail!(
            "no workspace fits; `watchkeeper service-map discover` lists those that the service principal may see"
        ),
        (Some(_), Some(_)) => {
            let names: Vec<String> = rows
                .iter()
                .map(|row| {
                    format!("{}/{}/{}", text(row, "subscription"), text(row, "resourceGroup"), text(row, "workspace"))
                })
                .collect();
            bail!(
                "there are several workspaces: {}; name one with --subscription, --resource-group and --log-workspace",
                names.join(", ")
            )
        }
    }
}

/// Workspaces with where they are, one a row.
fn workspaces(answer: &Value) -> Vec<Value> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for subscription in list(answer, "subscriptions") {
        for group in list(&subscription, "resourceGroups") {
            for workspace in list(&group, "workspaces") {
                rows.push(json!({
                    "subscription": subscription["subscriptionId"], "subscriptionName": subscription["displayName"],
                    "resourceGroup": group["name"], "workspace": workspace["name"], "id": workspace["customerId"],
                }));
            }
        }
    }
    rows
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

impl Set {
    fn body(&self) -> anyhow::Result<Value> {
        let mut body = self.place.body()?;
        if let Some(file) = &self.secret_file {
            body.insert("secret".to_owned(), json!(read_secret(file)?));
        }
        for (name, value) in
            [("name", &self.name), ("secretExpires", &self.secret_expires), ("resourcePool", &self.pool)]
        {
            if let Some(value) = value {
                body.insert(name.to_owned(), json!(value));
            }
        }
        if self.no_machine_groups || !self.machine_groups.is_empty() {
            body.insert("machineGroups".to_owned(), json!(self.machine_groups));
        }
        for (name, servers) in [("addServers", &self.add_server), ("removeServers", &self.remove_server)] {
            if !servers.is_empty() {
                body.insert(name.to_owned(), json!(servers));
            }
        }
        Ok(Value::Object(body))
    }
}

fn sync(output: &Output, connection: &str, wait: bool) -> anyhow::Result<()> {
    let done = super::block_on(async {
        let client = output.client().await?;
        client.json(client.request(Method::POST, &format!("{}/sync", path(connection)))).await?;
        if !wait {
            return Ok(None);
        }
        let end = Instant::now() + LONGEST_WAIT;
        loop {
            let answer = client.json(client.request(Method::GET, &path(connection))).await?;
            let last = &answer["lastSync"];
            let is_done = last["waiting"] == json!(false) && last["outcome"] != json!("running");
            if is_done && last["outcome"] == json!("succeeded") {
                return Ok(Some(answer));
            }
            if is_done {
                bail!("{}", text(last, "error"));
            }
            if Instant::now() > end {
                let seconds = LONGEST_WAIT.as_secs();
                bail!("it is not done after {seconds} s; `watchkeeper service-map show` says how far it is");
            }
            tokio::time::sleep(LOOK).await;
        }
    })?;
    match done {
        Some(answer) => output.show(&flat(output, &answer), &CONNECTION),
        None => Ok(()),
    }
}

impl Discover {
    fn run(&self, output: &Output) -> anyhow::Result<()> {
        let mut body = self.place.body()?;
        if let Some(connection) = &self.of {
            body.insert("connection".to_owned(), json!(connection));
        }
        match (&self.secret_file, &self.of) {
            (Some(file), _) => {
                body.insert("secret".to_owned(), json!(read_secret(file)?));
            }
            (None, Some(_)) => {}
            (None, None) => {
                body.insert("secret".to_owned(), json!(read_secret(&PathBuf::from("-"))?));
            }
        }
        let answer = output.ask(Method::POST, &format!("{BASE}/discover"), Some(Value::Object(body)))?;
        if output.format() == Format::Json {
            return output.show(&answer, &[]);
        }
        let rows = Value::Array(workspaces(&answer));
        output.show(&rows, &["subscription", "subscriptionName", "resourceGroup", "workspace", "id"])?;
        if answer["machineGroups"].is_array() && output.format() == Format::Table {
            output.show(&answer["machineGroups"], &["displayName", "id"])?;
            output.show(&answer["machines"], &["name", "computer", "monitored", "chosen"])?;
        }
        Ok(())
    }
}

fn views(output: &Output) -> anyhow::Result<()> {
    let answer = output.ask(Method::GET, &format!("{BASE}/views"), None)?;
    if output.format() == Format::Json {
        return output.show(&answer, &[]);
    }
    let mut rows = Vec::new();
    for (kind, name) in [("machine group", "machineGroupViews"), ("server", "serverViews")] {
        for view in answer[name].as_array().into_iter().flatten() {
            let mut view = view.clone();
            view["kind"] = json!(kind);
            rows.push(view);
        }
    }
    output.show(&Value::Array(rows), &["kind", "name", "connection", "health", "members", "lastSync", "object"])
}

fn one_view(output: &Output, view: &str, add: &[String], remove: &[String]) -> anyhow::Result<()> {
    let path = format!("{BASE}/views/{}", segment(view));
    for object in add {
        output.ask(Method::POST, &format!("{path}/members"), Some(json!({"object": object})))?;
    }
    for object in remove {
        output.ask(Method::DELETE, &format!("{path}/members/{}", segment(object)), None)?;
    }
    let answer = output.ask(Method::GET, &path, None)?;
    if output.format() == Format::Json {
        return output.show(&answer, &[]);
    }
    let names: std::collections::HashMap<&str, &str> = answer["members"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|member| (text(member, "object"), text(member, "name")))
        .collect();
    output.show(&answer["members"], &["name", "class", "health", "from", "object"])?;
    if output.format() != Format::Table {
        return Ok(());
    }
    let named = |call: &Value, end: &str| names.get(text(call, end)).copied().unwrap_or_default().to_owned();
    let calls: Vec<Value> = answer["edges"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| {
            let ports = call["ports"].as_array().into_iter().flatten().map(ToString::to_string);
            json!({
                "from": named(call, "source"), "to": named(call, "target"),
                "ports": ports.collect::<Vec<_>>().join(", "), "failed": call["failed"],
            })
        })
        .collect();
    output.show(&Value::Array(calls), &["from", "to", "ports", "failed"])
}
