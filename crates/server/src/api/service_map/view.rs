//! The graph of an interval by the names of the API.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::Value;
use watchkeeper_map::{End, Graph, Link, Time};

use super::names::{PortName, ProcessName, discovered_address, discovered_machine};
use super::resources::{Resources, process_name};

/// A process that reported itself so long before the end of an interval still runs: agents report once an hour.
const REPORTED_WITHIN: i64 = 65 * Time::MINUTE;

/// A graph with its nodes by name.
pub(super) struct View {
    pub graph: Graph,
    machines: HashMap<String, usize>,
    /// Processes of each machine that are live.
    live: Vec<BTreeSet<usize>>,
    /// Ports with who accepts on them.
    ports: BTreeMap<PortName, BTreeSet<usize>>,
    /// Machines without an agent.
    discovered: BTreeMap<IpAddr, Discovered>,
}

/// What is known of a machine without an agent.
#[derive(Default)]
struct Discovered {
    /// The names that were asked for.
    names: BTreeSet<String>,
    ports: BTreeSet<u16>,
}

impl View {
    pub fn new(graph: Graph) -> View {
        let machines = graph.machines.iter().enumerate().map(|(at, machine)| (machine.id.clone(), at)).collect();
        let mut view = View {
            machines,
            live: vec![BTreeSet::new(); graph.machines.len()],
            ports: BTreeMap::new(),
            discovered: BTreeMap::new(),
            graph,
        };
        view.find_live();
        view.find_ports();
        view
    }

    fn find_live(&mut self) {
        let graph = &self.graph;
        let since = Time(graph.window.to.0 - REPORTED_WITHIN).min(graph.window.from);
        for (at, process) in graph.processes.iter().enumerate() {
            let row = process.row.as_ref().is_some_and(|row| row.seen >= since && row.seen < graph.window.to);
            if row && graph.machines[process.machine].reported {
                self.live[process.machine].insert(at);
            }
        }
        let ends = graph.links.iter().flat_map(|link| [link.client, link.server]);
        let linked = ends.filter_map(|end| match end {
            End::Process(process) => Some(process),
            End::Address(_) => None,
        });
        for process in linked.chain(graph.ports.iter().map(|port| port.process)) {
            self.live[graph.processes[process].machine].insert(process);
        }
    }

    fn find_ports(&mut self) {
        let graph = &self.graph;
        let mut specific: BTreeSet<(usize, u16)> = BTreeSet::new();
        for link in &graph.links {
            match link.server {
                End::Process(process) => {
                    self.ports.entry(port_name(graph, link)).or_default().insert(process);
                    specific.insert((process, link.port));
                }
                End::Address(address) => {
                    let machine = self.discovered.entry(address).or_default();
                    machine.names.extend(link.dns_names.iter().cloned());
                    machine.ports.insert(link.port);
                }
            }
        }
        for port in &graph.ports {
            // a port on all addresses is not shown beside its own on one of them
            if port.address.is_unspecified() && specific.contains(&(port.process, port.port)) {
                continue;
            }
            let machine = graph.machines[port.machine].id.clone();
            let name = PortName { machine, address: port.address, port: port.port };
            self.ports.entry(name).or_default().insert(port.process);
        }
    }

    /// The index of a machine with an agent.
    pub fn machine(&self, name: &str) -> Option<usize> {
        self.machines.get(name).copied()
    }

    /// Whether a machine sent rows, or others in the interval tell of it.
    pub fn is_live(&self, name: &str) -> bool {
        match self.machine(name) {
            Some(at) => self.graph.machines[at].reported || !self.live[at].is_empty(),
            None => discovered_address(name).is_some_and(|address| self.discovered.contains_key(&address)),
        }
    }

    /// All live machines, by name.
    pub fn machines(&self, resources: &Resources) -> BTreeMap<String, Value> {
        let with_agent = self.graph.machines.iter().map(|machine| machine.id.clone());
        let names = with_agent
            .filter(|name| self.is_live(name))
            .chain(self.discovered.keys().map(|at| discovered_machine(*at)));
        names.filter_map(|name| Some((name.clone(), self.machine_resource(resources, &name)?))).collect()
    }

    /// A machine as a resource.
    pub fn machine_resource(&self, resources: &Resources, name: &str) -> Option<Value> {
        if let Some(at) = self.machine(name) {
            let machine = &self.graph.machines[at];
            return Some(resources.machine(&machine.id, &machine.name, machine.computer.as_ref()));
        }
        let address = discovered_address(name)?;
        let names: Vec<String> = self.discovered.get(&address)?.names.iter().cloned().collect();
        Some(resources.discovered_machine(address, &names))
    }

    /// The live processes of a machine.
    pub fn processes(&self, machine: &str) -> Vec<ProcessName> {
        if let Some(at) = self.machine(machine) {
            let names = self.live[at].iter().map(|process| self.graph.processes[*process].name.clone());
            return names.map(|name| ProcessName { machine: machine.to_owned(), name }).collect();
        }
        self.ports_of(machine).iter().map(ProcessName::acceptor).collect()
    }

    /// A live process as a resource.
    pub fn process_resource(&self, resources: &Resources, process: &ProcessName) -> Option<Value> {
        let Some(machine) = self.machine(&process.machine) else {
            let ports = self.ports_of(&process.machine);
            let port = ports.iter().find(|port| ProcessName::acceptor(port) == *process)?;
            return Some(resources.acceptor(port));
        };
        let is_named = |at: &&usize| self.graph.processes[**at].name == process.name;
        let at = self.live[machine].iter().find(is_named)?;
        Some(resources.process(&self.graph, &self.graph.processes[*at]))
    }

    /// The live ports of a machine.
    pub fn ports_of(&self, machine: &str) -> Vec<PortName> {
        if self.machine(machine).is_some() {
            return self.ports.keys().filter(|port| port.machine == machine).cloned().collect();
        }
        let Some(address) = discovered_address(machine) else { return Vec::new() };
        let ports = self.discovered.get(&address).map(|machine| machine.ports.iter()).into_iter().flatten();
        ports.map(|port| PortName { machine: machine.to_owned(), address, port: *port }).collect()
    }

    /// A live port as a resource.
    pub fn port_resource(&self, resources: &Resources, port: &PortName) -> Option<Value> {
        let with_agent = self.machine(&port.machine).is_some();
        let live = if with_agent { self.ports.contains_key(port) } else { self.ports_of(&port.machine).contains(port) };
        live.then(|| resources.port(port, with_agent))
    }

    /// Who accepts on a port.
    pub fn accepting(&self, port: &PortName) -> Vec<ProcessName> {
        if self.machine(&port.machine).is_none() {
            return vec![ProcessName::acceptor(port)];
        }
        let processes = self.ports.get(port).into_iter().flatten();
        processes.map(|process| process_name(&self.graph, End::Process(*process), port)).collect()
    }

    /// The machine of a link's server, with an agent or without.
    pub fn server_machine(&self, link: &Link) -> String {
        port_name(&self.graph, link).machine
    }

    /// The machine of a link's client, where it has an agent.
    pub fn client_machine(&self, link: &Link) -> Option<&str> {
        self.graph.machine_of(link.client).map(|at| self.graph.machines[at].id.as_str())
    }

    pub fn client(&self, link: &Link) -> Option<ProcessName> {
        match link.client {
            End::Process(_) => Some(process_name(&self.graph, link.client, &self.port(link))),
            End::Address(_) => None,
        }
    }

    pub fn server(&self, link: &Link) -> ProcessName {
        process_name(&self.graph, link.server, &self.port(link))
    }

    pub fn port(&self, link: &Link) -> PortName {
        port_name(&self.graph, link)
    }
}

fn port_name(graph: &Graph, link: &Link) -> PortName {
    let machine = match graph.machine_of(link.server) {
        Some(at) => graph.machines[at].id.clone(),
        None => discovered_machine(link.address),
    };
    PortName { machine, address: link.address, port: link.port }
}
