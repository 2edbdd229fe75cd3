//! `watchkeeper objects|health|alerts|agents|tasks|maintenance|overrides|monitors`: the management group for operators.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::{Client, Target};
use super::query::Format;
use super::rows::{print, print_health, segment};

/// What every command of this file takes.
#[derive(Args)]
pub struct Output {
    #[arg(long, value_enum, default_value_t = Format::Table, global = true)]
    format: Format,
    #[command(flatten)]
    target: Target,
}

impl Output {
    pub(super) fn run(&self, method: Method, path: &str, body: Option<Value>, columns: &[&str]) -> anyhow::Result<()> {
        let answer = self.ask(method, path, body)?;
        match answer {
            Value::Null => Ok(()),
            answer => print(&answer, columns, self.format),
        }
    }

    /// Prints an answer that [`Output::ask`] gave.
    pub(super) fn show(&self, answer: &Value, columns: &[&str]) -> anyhow::Result<()> {
        print(answer, columns, self.format)
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Signs in, for several requests one after the other.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        self.target.connect().await
    }

    pub(super) fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        super::block_on(async {
            let client: Client = self.target.connect().await?;
            let request = client.request(method, path);
            let request = match body {
                Some(body) => request.json(&body),
                None => request,
            };
            client.json(request).await
        })
    }
}

pub(super) fn query(pairs: &[(&str, &Option<String>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment(value.as_deref()?))));
    match given.collect::<Vec<_>>().join("&") {
        text if text.is_empty() => text,
        text => format!("?{text}"),
    }
}

/// List what is monitored, or show one object.
#[derive(Args)]
pub struct Objects {
    /// An object, by name or identity.
    object: Option<String>,
    /// Only objects of this class, Pack!Class.
    #[arg(long)]
    class: Option<String>,
    /// Only objects with this health: Success, Warning, Error, Uninitialized.
    #[arg(long)]
    health: Option<String>,
    /// The object's changes of health.
    #[arg(long, requires = "object")]
    history: bool,
    #[command(flatten)]
    output: Output,
}

impl Objects {
    pub fn run(self) -> anyhow::Result<()> {
        let Some(object) = &self.object else {
            let path = format!("/api/objects{}", query(&[("class", &self.class), ("health", &self.health)]));
            return self.output.run(Method::GET, &path, None, &["name", "path", "classes", "health", "since", "id"]);
        };
        let path = format!("/api/objects/{}", segment(object));
        if self.history {
            let answer = self.output.ask(Method::GET, &format!("{path}/history"), None)?;
            return print(&answer["states"], &["time", "name", "from", "to", "state"], self.output.format);
        }
        let answer = self.output.ask(Method::GET, &path, None)?;
        if self.output.format == Format::Json {
            return print(&answer, &[], Format::Json);
        }
        print(&answer, &["name", "path", "classes", "health", "since", "id"], self.output.format)?;
        let pairs = |name: &str, value: &Value| json!({"property": name, "value": value});
        let properties = answer["properties"].as_object().into_iter().flatten();
        let properties: Value = properties.map(|(name, value)| pairs(name, value)).collect();
        print(&properties, &["property", "value"], self.output.format)?;
        print(&answer["monitors"], &["monitor", "health", "since"], self.output.format)
    }
}

/// Say why an object has its health.
#[derive(Args)]
pub struct Health {
    /// The object, by name or identity.
    object: String,
    #[command(flatten)]
    output: Output,
}

impl Health {
    pub fn run(self) -> anyhow::Result<()> {
        let path = format!("/api/objects/{}/health", segment(&self.object));
        let answer = self.output.ask(Method::GET, &path, None)?;
        match self.output.format {
            Format::Table => print_health(&answer, 0),
            format => print(&answer, &["objectName", "name", "health", "since"], format)?,
        }
        Ok(())
    }
}

/// List alerts, or show and change one.
#[derive(Args)]
pub struct Alerts {
    #[command(subcommand)]
    what: Option<AlertCommand>,
    /// open, all, or a resolution state (New, Closed, …).
    #[arg(long)]
    state: Option<String>,
    /// Only of this object.
    #[arg(long)]
    object: Option<String>,
    /// At least this severity: Information, Warning, Error.
    #[arg(long)]
    severity: Option<String>,
    /// Only of this owner.
    #[arg(long)]
    owner: Option<String>,
    /// Only with this name.
    #[arg(long)]
    name: Option<String>,
    /// Only with this priority: Low, Normal, High.
    #[arg(long)]
    priority: Option<String>,
    /// Only those that this person or System closed.
    #[arg(long)]
    resolved_by: Option<String>,
    /// Only those that this person or System changed last.
    #[arg(long)]
    modified_by: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum AlertCommand {
    /// Show one.
    Show { id: String },
    /// Show what happened to one.
    History { id: String },
    /// Change one.
    Set {
        id: String,
        /// The resolution state, by name or code.
        #[arg(long)]
        state: Option<String>,
        #[arg(long)]
        owner: Option<String>,
        #[arg(long)]
        ticket: Option<String>,
        /// A custom field: N=TEXT, N from 1 to 10.
        #[arg(long, value_name = "N=TEXT")]
        field: Vec<String>,
        #[arg(long, default_value = "")]
        comment: String,
        /// Closing sets an unhealthy monitor healthy instead of being refused.
        #[arg(long)]
        reset_monitor: bool,
    },
    /// List the resolution states, name one of your own, or remove one.
    States {
        #[command(subcommand)]
        what: Option<StateCommand>,
    },
}

#[derive(Subcommand)]
enum StateCommand {
    /// List all.
    List,
    /// Name a state: 1 to 253 are free.
    Set { code: u8, name: String },
    /// Remove one of your own.
    Remove { code: u8 },
}

const ALERT: [&str; 8] = ["timeRaised", "severity", "name", "objectName", "computer", "resolutionState", "owner", "id"];

impl Alerts {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            None => {
                let filter = [
                    ("state", &self.state),
                    ("object", &self.object),
                    ("severity", &self.severity),
                    ("owner", &self.owner),
                    ("name", &self.name),
                    ("priority", &self.priority),
                    ("resolvedBy", &self.resolved_by),
                    ("modifiedBy", &self.modified_by),
                ];
                output.run(Method::GET, &format!("/api/alerts{}", query(&filter)), None, &ALERT)
            }
            Some(AlertCommand::Show { id }) => {
                let columns =
                    ["timeRaised", "severity", "name", "description", "objectName", "resolutionState", "owner"];
                output.run(Method::GET, &format!("/api/alerts/{}", segment(id)), None, &columns)
            }
            Some(AlertCommand::History { id }) => {
                let columns = ["time", "by", "comment", "resolutionState", "owner"];
                output.run(Method::GET, &format!("/api/alerts/{}/history", segment(id)), None, &columns)
            }
            Some(AlertCommand::States { what: None | Some(StateCommand::List) }) => {
                output.run(Method::GET, "/api/resolution-states", None, &["code", "name", "builtIn"])
            }
            Some(AlertCommand::States { what: Some(StateCommand::Set { code, name }) }) => {
                output.run(Method::PUT, &format!("/api/resolution-states/{code}"), Some(json!({"name": name})), &[])
            }
            Some(AlertCommand::States { what: Some(StateCommand::Remove { code }) }) => {
                output.run(Method::DELETE, &format!("/api/resolution-states/{code}"), None, &[])
            }
            Some(AlertCommand::Set { id, state, owner, ticket, field, comment, reset_monitor }) => {
                let mut fields = Map::new();
                for one in field {
                    let Some((number, text)) = one.split_once('=') else {
                        anyhow::bail!("--field {one:?} is not N=TEXT");
                    };
                    fields.insert(number.to_owned(), json!(text));
                }
                let body = json!({
                    "resolutionState": state, "owner": owner, "ticketId": ticket,
                    "customFields": fields, "comment": comment, "resetMonitor": reset_monitor,
                });
                output.run(Method::PATCH, &format!("/api/alerts/{}", segment(id)), Some(body), &ALERT)
            }
        }
    }
}

/// List agents, or say who may join.
#[derive(Args)]
pub struct Agents {
    #[command(subcommand)]
    what: Option<AgentCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum AgentCommand {
    /// List all.
    List,
    /// List those that wait for approval.
    Pending,
    /// Let one join, by the name of its computer or its identity.
    Approve { agent: String },
    /// Refuse one.
    Reject { agent: String },
    /// End its session and refuse it from now on.
    Revoke { agent: String },
    /// Forget one with all that was found on its computer.
    Remove { agent: String },
    /// Show or set what happens to new agents: auto, pending or reject.
    Approval { set: Option<String> },
    /// Show or set which management servers one uses.
    Servers {
        agent: String,
        /// The server that it prefers, by name, identity or endpoint; "" for the first of its own file.
        #[arg(long)]
        primary: Option<String>,
        /// Where it goes when that is away, in order; by default any other server.
        #[arg(long, requires = "primary")]
        failover: Vec<String>,
    },
    /// Show or set whether one may speak for objects of other computers: on or off.
    Proxy {
        agent: String,
        #[arg(value_parser = ["on", "off"])]
        set: Option<String>,
    },
}

impl Agents {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        let columns = ["computer", "status", "connected", "health", "agentHealth", "version", "lastSeen", "id"];
        let post = |agent: &str, verb: &str| {
            output.run(Method::POST, &format!("/api/agents/{}/{verb}", segment(agent)), None, &[])
        };
        match &self.what {
            None | Some(AgentCommand::List) => output.run(Method::GET, "/api/agents", None, &columns),
            Some(AgentCommand::Pending) => {
                let mut answer = output.ask(Method::GET, "/api/agents", None)?;
                if let Some(agents) = answer.as_array_mut() {
                    agents.retain(|agent| agent["status"] == "pending");
                }
                print(&answer, &columns, output.format)
            }
            Some(AgentCommand::Approve { agent }) => post(agent, "approve"),
            Some(AgentCommand::Reject { agent }) => post(agent, "reject"),
            Some(AgentCommand::Revoke { agent }) => post(agent, "revoke"),
            Some(AgentCommand::Remove { agent }) => {
                output.run(Method::DELETE, &format!("/api/agents/{}", segment(agent)), None, &[])
            }
            Some(AgentCommand::Servers { agent, primary: None, .. }) => {
                let columns = ["primary", "failover", "primaryEndpoint", "failoverEndpoints"];
                output.run(Method::GET, &format!("/api/agents/{}/servers", segment(agent)), None, &columns)
            }
            Some(AgentCommand::Servers { agent, primary: Some(primary), failover }) => {
                let body = json!({"primary": primary, "failover": failover});
                output.run(Method::PUT, &format!("/api/agents/{}/servers", segment(agent)), Some(body), &[])
            }
            Some(AgentCommand::Proxy { agent, set }) => {
                let (path, columns) = (format!("/api/agents/{}/proxy", segment(agent)), ["agent", "proxy"]);
                match set {
                    None => output.run(Method::GET, &path, None, &columns),
                    Some(word) => output.run(Method::PUT, &path, Some(json!({"proxy": word == "on"})), &columns),
                }
            }
            Some(AgentCommand::Approval { set: None }) => {
                output.run(Method::GET, "/api/agents/approval", None, &["approval"])
            }
            Some(AgentCommand::Approval { set: Some(word) }) => {
                output.run(Method::PUT, "/api/agents/approval", Some(json!({"approval": word})), &[])
            }
        }
    }
}

/// List tasks of an object, run one, show results.
#[derive(Args)]
pub struct Tasks {
    #[command(subcommand)]
    what: TaskCommand,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum TaskCommand {
    /// List what can be run on an object.
    List { object: String },
    /// Run a task, Pack!Task, on an object.
    Run {
        task: String,
        object: String,
        /// NAME=VALUE
        #[arg(long, value_name = "NAME=VALUE")]
        parameter: Vec<String>,
    },
    /// List runs, the latest first.
    Runs {
        #[arg(long)]
        object: Option<String>,
    },
    /// Show one run with its output.
    Result { run: String },
}

impl Tasks {
    pub fn run(self) -> anyhow::Result<()> {
        let columns = ["run", "task", "objectName", "status", "submittedBy", "submittedAt", "finishedAt", "error"];
        let output = &self.output;
        match &self.what {
            TaskCommand::List { object } => {
                let path = format!("/api/objects/{}/tasks", segment(object));
                output.run(Method::GET, &path, None, &["task", "name"])
            }
            TaskCommand::Run { task, object, parameter } => {
                let mut parameters = Map::new();
                for one in parameter {
                    let Some((name, value)) = one.split_once('=') else {
                        anyhow::bail!("--parameter {one:?} is not NAME=VALUE");
                    };
                    parameters.insert(name.to_owned(), json!(value));
                }
                let body = json!({"task": task, "objects": [object], "parameters": parameters});
                output.run(Method::POST, "/api/tasks", Some(body), &columns)
            }
            TaskCommand::Runs { object } => {
                output.run(Method::GET, &format!("/api/tasks{}", query(&[("object", object)])), None, &columns)
            }
            TaskCommand::Result { run } => {
                let columns = ["status", "task", "objectName", "finishedAt", "error", "output"];
                output.run(Method::GET, &format!("/api/tasks/{}", segment(run)), None, &columns)
            }
        }
    }
}

/// List, begin and end maintenance mode.
#[derive(Args)]
pub struct Maintenance {
    #[command(subcommand)]
    what: Option<MaintenanceCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum MaintenanceCommand {
    /// List what is in maintenance.
    List,
    /// Put objects into maintenance, with all that they host or contain.
    Start {
        #[arg(required_unless_present = "computer_groups")]
        objects: Vec<String>,
        /// A computer group: its computers, those that join it later too. More than once for more.
        #[arg(long = "computer-group")]
        computer_groups: Vec<String>,
        /// How long, 5 or more.
        #[arg(long)]
        minutes: u32,
        #[arg(long, default_value = "PlannedOther")]
        reason: String,
        #[arg(long, default_value = "")]
        comment: String,
        /// Only the objects themselves.
        #[arg(long)]
        only: bool,
    },
    /// End the maintenance of an object now.
    Stop { object: String },
    /// Maintenance that recurs.
    Schedule {
        #[command(subcommand)]
        what: super::schedule::ScheduleCommand,
    },
}

impl Maintenance {
    pub fn run(self) -> anyhow::Result<()> {
        let columns = ["objectName", "startsAt", "endsAt", "reason", "comments", "startedBy", "object"];
        let output = &self.output;
        match &self.what {
            None | Some(MaintenanceCommand::List) => output.run(Method::GET, "/api/maintenance", None, &columns),
            Some(MaintenanceCommand::Start { objects, computer_groups, minutes, reason, comment, only }) => {
                let body = json!({
                    "objects": objects, "computerGroups": computer_groups, "minutes": minutes, "reason": reason,
                    "comments": comment, "recursive": !only,
                });
                output.run(Method::POST, "/api/maintenance", Some(body), &columns)
            }
            Some(MaintenanceCommand::Schedule { what }) => super::schedule::run(what, output),
            Some(MaintenanceCommand::Stop { object }) => {
                output.run(Method::DELETE, &format!("/api/maintenance/{}", segment(object)), None, &[])
            }
        }
    }
}

/// List, set and remove overrides; show which value holds for an object.
#[derive(Args)]
pub struct Overrides {
    #[command(subcommand)]
    what: Option<OverrideCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum OverrideCommand {
    /// List what operators have set.
    List,
    /// Set a property or a parameter of a workflow, Pack!Element.
    Set {
        element: String,
        /// The property (Enabled, GenerateAlert, …) or, with --parameter, the parameter; then =VALUE.
        #[arg(value_name = "NAME=VALUE")]
        setting: String,
        /// NAME is a parameter of the workflow's type.
        #[arg(long)]
        parameter: bool,
        /// The module whose parameter it is, for rules.
        #[arg(long, default_value = "")]
        module: String,
        /// For all objects of a class, or the members of a group: Pack!Class.
        #[arg(long, default_value = "")]
        class: String,
        /// For one object.
        #[arg(long, default_value = "")]
        object: String,
        /// For the computers of a computer group.
        #[arg(long, default_value = "", conflicts_with_all = ["class", "object"])]
        computer_group: String,
        /// It beats others of its level.
        #[arg(long)]
        enforced: bool,
    },
    /// Remove one.
    Remove { id: String },
    /// Show what holds for an object, and which overrides lost.
    Effective { element: String, object: String },
    /// Show what holds for an object in all its workflows.
    Export { object: String },
}

impl Overrides {
    pub fn run(self) -> anyhow::Result<()> {
        let columns = ["element", "name", "value", "context", "object", "enforced", "changedBy", "id"];
        let output = &self.output;
        match &self.what {
            None | Some(OverrideCommand::List) => output.run(Method::GET, "/api/overrides", None, &columns),
            Some(OverrideCommand::Set {
                element,
                setting,
                parameter,
                module,
                class,
                object,
                computer_group,
                enforced,
            }) => {
                let Some((name, value)) = setting.split_once('=') else {
                    anyhow::bail!("{setting:?} is not NAME=VALUE");
                };
                let (property, parameter) = if *parameter { ("", name) } else { (name, "") };
                let body = json!({
                    "element": element, "context": class, "object": object, "computerGroup": computer_group,
                    "property": property, "parameter": parameter, "module": module, "value": value,
                    "enforced": enforced,
                });
                output.run(Method::POST, "/api/overrides", Some(body), &columns)
            }
            Some(OverrideCommand::Remove { id }) => {
                output.run(Method::DELETE, &format!("/api/overrides/{}", segment(id)), None, &[])
            }
            Some(OverrideCommand::Effective { element, object }) => {
                let path = format!("/api/objects/{}/overrides?element={}", segment(object), segment(element));
                output.run(Method::GET, &path, None, &["name", "value", "override", "loses", "isTie"])
            }
            Some(OverrideCommand::Export { object }) => {
                let path = format!("/api/objects/{}/overrides", segment(object));
                let columns =
                    ["elementKind", "element", "name", "module", "value", "default", "scope", "scopeName", "override"];
                output.run(Method::GET, &path, None, &columns)
            }
        }
    }
}

/// Set a monitor healthy, or have it check now.
#[derive(Args)]
pub struct Monitors {
    #[command(subcommand)]
    what: MonitorCommand,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum MonitorCommand {
    /// List the monitors of the imported packs.
    List {
        /// Only of this pack.
        #[arg(long)]
        pack: Option<String>,
    },
    /// Set a monitor, Pack!Monitor, healthy for an object.
    Reset { monitor: String, object: String },
    /// Run its checks on demand.
    Recalculate { monitor: String, object: String },
}

impl Monitors {
    pub fn run(self) -> anyhow::Result<()> {
        let (verb, monitor, object) = match &self.what {
            MonitorCommand::List { pack } => return list_elements(&self.output, "Monitor", pack),
            MonitorCommand::Reset { monitor, object } => ("reset", monitor, object),
            MonitorCommand::Recalculate { monitor, object } => ("recalculate", monitor, object),
        };
        let body = json!({"monitor": monitor, "object": object});
        self.output.run(Method::POST, &format!("/api/monitors/{verb}"), Some(body), &[])
    }
}

/// List elements of the imported packs.
#[derive(Args)]
pub struct Elements {
    /// Only of this pack.
    #[arg(long)]
    pack: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl Elements {
    pub fn run(self, kind: &str) -> anyhow::Result<()> {
        list_elements(&self.output, kind, &self.pack)
    }
}

/// List the discoveries of the imported packs, or clear up after those that are switched off.
#[derive(Args)]
pub struct Discoveries {
    #[command(subcommand)]
    what: Option<DiscoveryCommand>,
    #[command(flatten)]
    elements: Elements,
}

#[derive(Subcommand)]
enum DiscoveryCommand {
    /// Remove what discoveries have found that an override has switched off since.
    RemoveDisabled,
}

impl Discoveries {
    pub fn run(self) -> anyhow::Result<()> {
        match self.what {
            None => self.elements.run("Discovery"),
            Some(DiscoveryCommand::RemoveDisabled) => {
                self.elements.output.run(Method::POST, "/api/discoveries/remove-disabled", None, &["removed"])
            }
        }
    }
}

fn list_elements(output: &Output, kind: &str, pack: &Option<String>) -> anyhow::Result<()> {
    let path = format!("/api/elements{}", query(&[("kind", &Some(kind.to_owned())), ("pack", pack)]));
    output.run(Method::GET, &path, None, &["element", "name", "target", "enabled", "problem"])
}
