//! Machines, machine groups and maps of a workspace.

use std::collections::BTreeSet;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::problem::{Kind, Problem};
use crate::resources::{Place, read, segment};

const VERSION: &str = "2015-11-01-preview";
const PAGE: usize = 200;

/// From when to when, ISO 8601.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub start: String,
    /// To.
    pub end: String,
}

/// A machine of the map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its resource.
    pub id: String,
    /// Its name in the map: `m-…` with an agent, `t-…` without.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// Its fully qualified names, and those that others found it under.
    pub names: BTreeSet<String>,
    /// Its addresses.
    pub addresses: BTreeSet<String>,
    /// The agent that reports it.
    pub agent_id: Option<String>,
    /// Whether it has an agent.
    pub monitored: bool,
}

/// A process of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its resource.
    pub id: String,
    /// Its name, the same on every such machine.
    pub name: String,
    /// The name of its machine.
    pub machine: String,
    /// What people call it.
    pub display_name: String,
    /// The program.
    pub executable: String,
    /// Whether its machine has an agent.
    pub monitored: bool,
}

/// Clients without an agent of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientGroup {
    /// Its resource.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Who calls whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The resource of the process or client group that calls.
    pub source: String,
    /// The resource of the process that is called.
    pub target: String,
    /// The port there.
    pub port: u16,
    /// Whether calls failed, some or all.
    pub failed: bool,
}

/// A group of machines that people made in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineGroup {
    /// Its resource.
    pub id: String,
    /// Its name in the resource, which stays.
    pub name: String,
    /// What people call it.
    pub display_name: String,
}

/// A map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map {
    /// Machines.
    pub machines: Vec<Machine>,
    /// Processes.
    pub processes: Vec<Process>,
    /// Clients.
    pub clients: Vec<ClientGroup>,
    /// Who calls whom.
    pub edges: Vec<Edge>,
}

impl Client {
    /// The machines that are live in a window.
    ///
    /// # Errors
    /// What of the connection is wrong.
    pub async fn machines(&self, place: &Place, window: &Window) -> Result<Vec<Machine>, Problem> {
        let path = format!(
            "{}/machines?api-version={VERSION}&live=true&startTime={}&endTime={}&$top={PAGE}",
            base(place),
            segment(&window.start),
            segment(&window.end)
        );
        let found: Vec<FoundMachine> = read(self.list(&path, place.asked()).await?)?;
        Ok(found.into_iter().map(Machine::from).collect())
    }

    /// The machine groups, by the name that people gave them.
    ///
    /// # Errors
    /// What of the connection is wrong.
    pub async fn machine_groups(&self, place: &Place) -> Result<Vec<MachineGroup>, Problem> {
        let path = format!("{}/machineGroups?api-version={VERSION}", base(place));
        let found: Vec<FoundGroup> = read(self.list(&path, place.asked()).await?)?;
        let group = |one: FoundGroup| MachineGroup {
            display_name: one.properties.display_name.unwrap_or_else(|| one.name.clone()),
            id: one.id,
            name: one.name,
        };
        let mut groups: Vec<MachineGroup> = found.into_iter().map(group).collect();
        groups.sort_by(|one, other| (&one.display_name, &one.name).cmp(&(&other.display_name, &other.name)));
        Ok(groups)
    }

    /// The map around one machine, by its resource.
    ///
    /// # Errors
    /// What of the connection is wrong.
    pub async fn map_of_machine(&self, place: &Place, machine: &str, window: &Window) -> Result<Map, Problem> {
        let request = json!({
            "kind": "map:single-machine-dependency", "machineId": machine,
            "startTime": window.start, "endTime": window.end,
        });
        match self.generate(place, &request).await {
            // it went since it was listed
            Err(problem) if problem.kind == Kind::Workspace => {
                self.machine_groups(place).await?;
                Ok(Map::default())
            }
            done => done,
        }
    }

    /// The map of a machine group, by its name.
    ///
    /// # Errors
    /// What of the connection is wrong, or that the group is gone.
    pub async fn map_of_group(&self, place: &Place, group: &str, window: &Window) -> Result<Map, Problem> {
        let request = json!({
            "kind": "map:machine-group-dependency", "filterProcesses": false,
            "machineGroupId": format!("{}/machineGroups/{}", base(place), segment(group)),
            "startTime": window.start, "endTime": window.end,
        });
        match self.generate(place, &request).await {
            // the group or the workspace
            Err(problem) if problem.kind == Kind::Workspace => {
                self.machine_groups(place).await?;
                Err(Problem::new(
                    Kind::MachineGroup,
                    format!(
                        "the machine group {group:?} is no longer in the workspace {:?}. Take it out of the connection",
                        place.workspace
                    ),
                ))
            }
            done => done,
        }
    }

    async fn generate(&self, place: &Place, request: &Value) -> Result<Map, Problem> {
        let path = format!("{}/generateMap?api-version={VERSION}", base(place));
        let answer = self.ask(Method::POST, &path, Some(request), place.asked()).await?;
        let found: FoundAnswer = serde_json::from_value(answer).map_err(|error| {
            let text = format!("what {} gives as a map is none: {error}", self.settings.endpoint);
            Problem::new(Kind::Answer, text)
        })?;
        Ok(found.map.into())
    }
}

fn base(place: &Place) -> String {
    format!("{}/features/serviceMap", place.path())
}

#[derive(Deserialize)]
struct FoundAnswer {
    map: FoundMap,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FoundMap {
    nodes: FoundNodes,
    edges: FoundEdges,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct FoundNodes {
    machines: Vec<FoundMachine>,
    processes: Vec<FoundProcess>,
    client_groups: Vec<Reference>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FoundEdges {
    connections: Vec<FoundConnection>,
}

#[derive(Deserialize)]
struct Reference {
    id: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct FoundGroup {
    id: String,
    name: String,
    #[serde(default)]
    properties: GroupProperties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct GroupProperties {
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct FoundMachine {
    id: String,
    name: String,
    #[serde(default)]
    properties: MachineProperties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct MachineProperties {
    monitoring_state: String,
    display_name: Option<String>,
    computer_name: Option<String>,
    fully_qualified_domain_name: Option<String>,
    networking: Networking,
    agent: Agent,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Networking {
    ipv4_interfaces: Vec<Interface>,
    ipv6_interfaces: Vec<Interface>,
    dns_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interface {
    ip_address: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Agent {
    agent_id: Option<String>,
}

#[derive(Deserialize)]
struct FoundProcess {
    id: String,
    name: String,
    #[serde(default)]
    properties: ProcessProperties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ProcessProperties {
    monitoring_state: String,
    machine: Option<Reference>,
    display_name: Option<String>,
    executable_name: Option<String>,
}

#[derive(Deserialize)]
struct FoundConnection {
    properties: ConnectionProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionProperties {
    source: Reference,
    destination: Reference,
    server_port: Option<PortReference>,
    #[serde(default)]
    failure_state: String,
}

#[derive(Deserialize)]
struct PortReference {
    #[serde(default)]
    properties: PortProperties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PortProperties {
    port_number: u16,
}

impl From<FoundMachine> for Machine {
    fn from(found: FoundMachine) -> Machine {
        let properties = found.properties;
        let addresses = properties.networking.ipv4_interfaces.into_iter().chain(properties.networking.ipv6_interfaces);
        let names = [properties.fully_qualified_domain_name, properties.computer_name, properties.display_name.clone()];
        let names = names.into_iter().flatten().chain(properties.networking.dns_names);
        Machine {
            display_name: properties.display_name.unwrap_or_else(|| found.name.clone()),
            names: names.filter(|name| !name.is_empty()).collect(),
            addresses: addresses.map(|interface| interface.ip_address).collect(),
            agent_id: properties.agent.agent_id.filter(|id| !id.is_empty()),
            monitored: properties.monitoring_state == "monitored",
            id: found.id,
            name: found.name,
        }
    }
}

impl From<FoundProcess> for Process {
    fn from(found: FoundProcess) -> Process {
        let properties = found.properties;
        let executable = properties.executable_name.unwrap_or_default();
        let machine = properties.machine.map(Reference::last).unwrap_or_default();
        Process {
            display_name: properties.display_name.filter(|name| !name.is_empty()).unwrap_or_else(|| executable.clone()),
            id: found.id,
            name: found.name,
            machine,
            executable,
            monitored: properties.monitoring_state == "monitored",
        }
    }
}

impl Reference {
    /// Its name, or what its path ends with.
    fn last(self) -> String {
        match self.name.is_empty() {
            true => self.id.rsplit('/').next().unwrap_or_default().to_owned(),
            false => self.name,
        }
    }
}

impl From<FoundMap> for Map {
    fn from(found: FoundMap) -> Map {
        let edge = |one: FoundConnection| Edge {
            source: one.properties.source.id,
            target: one.properties.destination.id,
            port: one.properties.server_port.map(|port| port.properties.port_number).unwrap_or_default(),
            failed: matches!(one.properties.failure_state.as_str(), "failed" | "mixed"),
        };
        let client = |one: Reference| ClientGroup { id: one.id.clone(), name: one.last() };
        Map {
            machines: found.nodes.machines.into_iter().map(Machine::from).collect(),
            processes: found.nodes.processes.into_iter().map(Process::from).collect(),
            clients: found.nodes.client_groups.into_iter().map(client).collect(),
            edges: found.edges.connections.into_iter().map(edge).collect(),
        }
    }
}
