//! The graph as people look at it: clients without an agent are one group for each process and port that they use,
//! servers without one are one group for each port. This is the answer of `/api/map`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

use crate::figures::Figures;
use crate::graph::{End, Graph, Link, Process};
use crate::hashing::FastMap;
use crate::ids::{client_group_id, edge_id, port_group_id, process_id, stable};
use crate::rows::ProcessRow;
use crate::time::{Time, Window};

/// Addresses of a group that are written out.
pub const MOST_ADDRESSES_SHOWN: usize = 50;
/// Processes or edges that one processor writes before it takes others.
const NODES_AT_ONCE: usize = 1024;

/// Machines, processes, ports, groups and edges of a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Map {
    pub window: Window,
    pub machines: Vec<MapMachine>,
    pub processes: Vec<MapProcess>,
    pub ports: Vec<MapPort>,
    pub client_groups: Vec<ClientGroup>,
    pub port_groups: Vec<PortGroup>,
    pub edges: Vec<Edge>,
}

/// A machine with an agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MapMachine {
    /// `Machine` of the tables.
    pub id: Arc<str>,
    pub name: String,
    pub full_name: String,
    /// Family, in lower case: `linux`, `windows`; empty where it is not known.
    pub os: String,
    pub os_name: String,
    pub addresses: Vec<String>,
    /// Its own agent sent rows in the window; else others only spoke of it.
    pub monitored: bool,
    pub last_seen: Time,
    pub boot_time: Option<Time>,
}

/// Processes of a machine with links or ports.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MapProcess {
    /// Unique in the map.
    pub id: Arc<str>,
    /// `Process` of the tables: unique within its machine.
    pub process: String,
    pub machine: Arc<str>,
    /// The executable.
    pub name: String,
    pub display_name: String,
    pub user: String,
    pub command_line: String,
    pub path: String,
    pub group: String,
    pub role: String,
    pub started_at: Option<Time>,
    /// Only concluded from what others report.
    pub discovered: bool,
}

/// A port on which a process listens.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MapPort {
    pub id: String,
    pub machine: Arc<str>,
    pub process: Arc<str>,
    pub address: String,
    pub port: u16,
    pub protocol: String,
}

/// Clients without an agent of a process and its port.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientGroup {
    pub id: Arc<str>,
    pub machine: Arc<str>,
    pub process: Arc<str>,
    pub port: u16,
    pub members: usize,
    /// So many of them are known to be malicious.
    pub malicious: usize,
    /// The first [`MOST_ADDRESSES_SHOWN`], malicious ones before the others.
    pub addresses: Vec<String>,
}

/// Servers without an agent that are reached on a port.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortGroup {
    pub id: String,
    pub port: u16,
    pub members: usize,
    /// So many of them are known to be malicious.
    pub malicious: usize,
    /// The first [`MOST_ADDRESSES_SHOWN`], malicious ones before the others.
    pub addresses: Vec<String>,
    pub dns_names: Vec<String>,
}

/// Links from one node to another over one port.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    pub id: String,
    pub source: Arc<str>,
    pub target: Arc<str>,
    pub source_machine: Option<Arc<str>>,
    pub target_machine: Option<Arc<str>>,
    pub port: u16,
    pub protocol: String,
    pub links: Links,
    /// One of its ends has an address that is known to be malicious.
    pub malicious: bool,
    pub bytes: Bytes,
    pub responses: u64,
    /// Milliseconds.
    pub response_time_average: f64,
    /// Milliseconds.
    pub response_time_max: u64,
    pub first_seen: Time,
    pub last_seen: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Links {
    pub established: u64,
    pub terminated: u64,
    pub failed: u64,
    pub live: u64,
}

/// As the source sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bytes {
    pub sent: u64,
    pub received: u64,
}

/// A node of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Node {
    Process(usize),
    /// Clients of a process and port.
    Clients(usize, u16),
    /// Servers of a port.
    Servers(u16),
}

#[derive(Default)]
struct Group {
    /// Those that are known to be malicious, and the others.
    malicious: BTreeSet<IpAddr>,
    addresses: BTreeSet<IpAddr>,
    dns_names: BTreeSet<String>,
}

impl Group {
    fn add(&mut self, address: IpAddr, is_malicious: bool) {
        let addresses = if is_malicious { &mut self.malicious } else { &mut self.addresses };
        addresses.insert(address);
    }

    fn members(&self) -> usize {
        self.malicious.len() + self.addresses.len()
    }

    fn shown(&self) -> Vec<String> {
        self.malicious.iter().chain(&self.addresses).take(MOST_ADDRESSES_SHOWN).map(IpAddr::to_string).collect()
    }
}

struct Sum {
    figures: Figures,
    malicious: bool,
    first_seen: Time,
    last_seen: Time,
}

/// Names of the graph's machines and of those of its processes that are shown, by index.
struct Ids {
    machines: Vec<Arc<str>>,
    processes: Vec<Arc<str>>,
}

impl Ids {
    fn of(graph: &Graph, shown: &[bool]) -> Ids {
        let none: Arc<str> = Arc::from("");
        let machines = graph.machines.iter().map(|machine| Arc::from(machine.id.as_str())).collect();
        let process = |(at, process): (usize, &Process)| match shown[at] {
            true => process_id(&graph.machines[process.machine].id, &process.name).into(),
            false => Arc::clone(&none),
        };
        Ids { machines, processes: graph.processes.iter().enumerate().map(process).collect() }
    }
}

impl Map {
    /// Groups a graph; `is_malicious` says which addresses are known to be that.
    #[must_use]
    pub fn of(graph: &Graph, is_malicious: &dyn Fn(IpAddr) -> bool) -> Map {
        let mut groups: BTreeMap<(Node, &str), Group> = BTreeMap::new();
        let mut sums: FastMap<(Node, Node, u16, &str), Sum> = FastMap::default();
        for link in &graph.links {
            let (source, target) = nodes(link);
            let mut malicious = false;
            if let End::Address(address) = link.client {
                malicious |= is_malicious(address);
                groups.entry((source, &link.protocol)).or_default().add(address, malicious);
            }
            if let End::Address(address) = link.server {
                malicious |= is_malicious(address);
                let group = groups.entry((target, &link.protocol)).or_default();
                group.add(address, malicious);
                group.dns_names.extend(link.dns_names.iter().cloned());
            }
            let sum = sums.entry((source, target, link.port, &link.protocol)).or_insert_with(|| Sum {
                figures: Figures::default(),
                malicious: false,
                first_seen: link.first_seen,
                last_seen: link.last_seen,
            });
            sum.figures.add(&link.figures);
            sum.malicious |= malicious;
            sum.first_seen = sum.first_seen.min(link.first_seen);
            sum.last_seen = sum.last_seen.max(link.last_seen);
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(key, _)| *key);
        let shown = shown_processes(graph);
        let ids = Ids::of(graph, &shown);
        let mut spoken_of = vec![false; graph.machines.len()];
        let shown: Vec<usize> = shown.iter().enumerate().filter(|(_, shown)| **shown).map(|(at, _)| at).collect();
        shown.iter().for_each(|at| spoken_of[graph.processes[*at].machine] = true);
        let machines = graph.machines.iter().enumerate();
        let machines = machines.filter(|(at, machine)| machine.reported || spoken_of[*at]);
        let edges = sums.par_iter().with_min_len(NODES_AT_ONCE).map(|(key, sum)| edge(graph, &ids, *key, sum));
        let processes = shown.par_iter().with_min_len(NODES_AT_ONCE).map(|at| process(graph, &ids, *at));
        Map {
            window: graph.window,
            machines: machines.map(|(at, _)| machine(graph, &ids, at)).collect(),
            processes: processes.collect(),
            ports: ports(graph, &ids),
            client_groups: client_groups(graph, &ids, &groups),
            port_groups: port_groups(&groups),
            edges: edges.collect(),
        }
    }
}

fn nodes(link: &Link) -> (Node, Node) {
    match (link.client, link.server) {
        (End::Process(client), End::Process(server)) => (Node::Process(client), Node::Process(server)),
        (End::Address(_), End::Process(server)) => (Node::Clients(server, link.port), Node::Process(server)),
        (End::Process(client), End::Address(_)) => (Node::Process(client), Node::Servers(link.port)),
        (End::Address(_), End::Address(_)) => unreachable!("a link is reported by one of its ends"),
    }
}

/// Processes with a link, or with a port that was open in the window.
fn shown_processes(graph: &Graph) -> Vec<bool> {
    let mut shown = vec![false; graph.processes.len()];
    for end in graph.links.iter().flat_map(|link| [link.client, link.server]) {
        if let End::Process(process) = end {
            shown[process] = true;
        }
    }
    let open = graph.ports.iter().filter(|port| graph.window.contains(port.last_seen));
    open.for_each(|port| shown[port.process] = true);
    shown
}

fn machine(graph: &Graph, ids: &Ids, at: usize) -> MapMachine {
    let machine = &graph.machines[at];
    let computer = machine.computer.as_ref();
    MapMachine {
        id: Arc::clone(&ids.machines[at]),
        name: machine.name.clone(),
        full_name: machine.full_name.clone(),
        os: computer.map(|row| row.os_family.to_lowercase()).unwrap_or_default(),
        os_name: computer.map(|row| row.os_name.clone()).unwrap_or_default(),
        addresses: machine.addresses.iter().map(IpAddr::to_string).collect(),
        monitored: machine.reported,
        last_seen: machine.last_seen,
        boot_time: computer.and_then(|row| row.boot_time),
    }
}

fn process(graph: &Graph, ids: &Ids, at: usize) -> MapProcess {
    let process = &graph.processes[at];
    let row = process.row.as_deref();
    let text = |of: fn(&ProcessRow) -> &String| row.map(of).cloned().unwrap_or_default();
    MapProcess {
        id: Arc::clone(&ids.processes[at]),
        process: process.name.clone(),
        machine: Arc::clone(&ids.machines[process.machine]),
        name: process.executable.clone(),
        display_name: process.display_name.clone(),
        user: text(|row| &row.user),
        command_line: text(|row| &row.command_line),
        path: text(|row| &row.path),
        group: text(|row| &row.group),
        role: text(|row| &row.role),
        started_at: row.and_then(|row| row.started),
        discovered: process.discovered,
    }
}

fn ports(graph: &Graph, ids: &Ids) -> Vec<MapPort> {
    let open = graph.ports.iter().filter(|port| graph.window.contains(port.last_seen));
    open.map(|port| {
        let (machine, address) = (&ids.machines[port.machine], port.address.to_string());
        let process = &ids.processes[port.process];
        let parts = [machine, process, address.as_str(), &port.port.to_string(), &port.protocol];
        MapPort {
            id: format!("port-{}", stable(&parts)),
            machine: Arc::clone(machine),
            process: Arc::clone(process),
            address,
            port: port.port,
            protocol: port.protocol.clone(),
        }
    })
    .collect()
}

fn client_groups(graph: &Graph, ids: &Ids, groups: &BTreeMap<(Node, &str), Group>) -> Vec<ClientGroup> {
    let mut found = Vec::new();
    for ((node, protocol), group) in groups {
        let Node::Clients(process, port) = *node else { continue };
        found.push(ClientGroup {
            id: node_id(graph, ids, *node, protocol),
            machine: Arc::clone(&ids.machines[graph.processes[process].machine]),
            process: Arc::clone(&ids.processes[process]),
            port,
            members: group.members(),
            malicious: group.malicious.len(),
            addresses: group.shown(),
        });
    }
    found
}

fn port_groups(groups: &BTreeMap<(Node, &str), Group>) -> Vec<PortGroup> {
    let mut found = Vec::new();
    for ((node, protocol), group) in groups {
        let Node::Servers(port) = *node else { continue };
        found.push(PortGroup {
            id: port_group_id(port, protocol),
            port,
            members: group.members(),
            malicious: group.malicious.len(),
            addresses: group.shown(),
            dns_names: group.dns_names.iter().cloned().collect(),
        });
    }
    found
}

fn node_id(graph: &Graph, ids: &Ids, node: Node, protocol: &str) -> Arc<str> {
    match node {
        Node::Process(process) => Arc::clone(&ids.processes[process]),
        Node::Clients(process, port) => {
            let process = &graph.processes[process];
            client_group_id(&graph.machines[process.machine].id, &process.name, port, protocol).into()
        }
        Node::Servers(port) => port_group_id(port, protocol).into(),
    }
}

fn edge(graph: &Graph, ids: &Ids, key: (Node, Node, u16, &str), sum: &Sum) -> Edge {
    let (source, target, port, protocol) = key;
    let machine = |node| match node {
        Node::Process(process) => Some(Arc::clone(&ids.machines[graph.processes[process].machine])),
        Node::Clients(..) | Node::Servers(_) => None,
    };
    let (source_id, target_id) = (node_id(graph, ids, source, protocol), node_id(graph, ids, target, protocol));
    let figures = &sum.figures;
    Edge {
        id: edge_id(&source_id, &target_id, port, protocol),
        source: source_id,
        target: target_id,
        source_machine: machine(source),
        target_machine: machine(target),
        port,
        protocol: protocol.to_owned(),
        links: Links {
            established: figures.established,
            terminated: figures.terminated,
            failed: figures.failed,
            live: figures.live,
        },
        malicious: sum.malicious,
        bytes: Bytes { sent: figures.sent, received: figures.received },
        responses: figures.responses,
        response_time_average: figures.response_time_sum as f64 / figures.responses.max(1) as f64,
        response_time_max: figures.response_time_max,
        first_seen: sum.first_seen,
        last_seen: sum.last_seen,
    }
}
