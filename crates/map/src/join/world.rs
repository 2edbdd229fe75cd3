//! Machines, processes and ports of the rows by index.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::{Links, ROWS_AT_ONCE};
use crate::addresses::Addresses;
use crate::graph::{Graph, Machine, Port, Process};
use crate::hashing::FastMap;
use crate::rows::{Connection, Direction, Rows};
use crate::time::{Time, Window};

pub(super) struct World<'r> {
    window: Window,
    pub machines: Vec<Machine>,
    pub processes: Vec<Process>,
    pub addresses: Addresses,
    ports: Vec<Port>,
    /// Ports that a machine listens on, by number and protocol: indexes.
    listening: FastMap<(usize, u16, &'r str), Vec<usize>>,
    by_machine: FastMap<&'r str, usize>,
    by_process: FastMap<(usize, &'r str), usize>,
    discovered: FastMap<(usize, String), usize>,
    /// Machine and process of each connection, in its order.
    reporters: Vec<(usize, usize)>,
}

impl<'r> World<'r> {
    pub fn gather(window: Window, rows: &'r Rows) -> World<'r> {
        let mut world = World {
            window,
            machines: Vec::new(),
            processes: Vec::new(),
            addresses: Addresses::new(0),
            ports: Vec::new(),
            listening: FastMap::default(),
            by_machine: FastMap::default(),
            by_process: FastMap::default(),
            discovered: FastMap::default(),
            reporters: Vec::with_capacity(rows.connections.len()),
        };
        for computer in &rows.computers {
            let at = world.machine(&computer.machine, &computer.full_name, computer.seen);
            let machine = &mut world.machines[at];
            if machine.computer.as_ref().is_none_or(|known| known.seen <= computer.seen) {
                machine.name.clone_from(if computer.name.is_empty() { &machine.full_name } else { &computer.name });
                machine.full_name.clone_from(&computer.full_name);
                machine.computer = Some(computer.clone());
            }
        }
        for row in &rows.processes {
            let machine = world.machine(&row.machine, "", row.seen);
            let at = world.process(machine, &row.process, &row.executable);
            let process = &mut world.processes[at];
            if process.row.as_ref().is_none_or(|known| known.seen <= row.seen) {
                let name = if row.display_name.is_empty() { &row.executable } else { &row.display_name };
                process.display_name.clone_from(name);
                process.row = Some(Arc::clone(row));
            }
        }
        for row in &rows.ports {
            let machine = world.machine(&row.machine, &row.computer, row.seen);
            let process = world.process(machine, &row.process, &row.process_name);
            world.listening.entry((machine, row.port, &row.protocol)).or_default().push(world.ports.len());
            world.ports.push(Port {
                machine,
                process,
                address: row.address,
                wildcard: row.wildcard || row.address.is_unspecified(),
                port: row.port,
                protocol: row.protocol.clone(),
                last_seen: row.seen,
            });
        }
        let known: Vec<_> =
            rows.connections.par_iter().with_min_len(ROWS_AT_ONCE).map(|row| world.known(row)).collect();
        for (row, known) in rows.connections.iter().zip(known) {
            let (machine, process) = known.unwrap_or_else(|| {
                let machine = world.machine_of(&row.key.machine);
                (machine, world.process(machine, &row.key.process, &row.key.process_name))
            });
            world.seen(machine, &row.key.computer, row.last_seen);
            world.reporters.push((machine, process));
        }
        world.addresses = Addresses::new(world.machines.len());
        world.find_addresses(rows);
        world
    }

    /// Addresses of a machine: those that it says it has, and those that its own ends of connections have (containers).
    fn find_addresses(&mut self, rows: &Rows) {
        for (at, machine) in self.machines.iter().enumerate() {
            for address in machine.computer.iter().flat_map(|computer| &computer.addresses) {
                self.addresses.add(at, *address);
            }
        }
        for port in &self.ports {
            self.addresses.add(port.machine, port.address);
        }
        for (row, (at, _)) in rows.connections.iter().zip(&self.reporters) {
            let at = *at;
            let (source, destination) = (row.key.source, row.key.destination);
            match row.key.direction {
                Direction::Inbound => self.addresses.add(at, destination),
                Direction::Outbound => self.addresses.add(at, source),
                Direction::Local => {
                    self.addresses.add(at, source);
                    self.addresses.add(at, destination);
                }
            }
        }
    }

    /// The machine and process that report a connection, where both are known already.
    fn known(&self, row: &Connection) -> Option<(usize, usize)> {
        let machine = *self.by_machine.get(row.key.machine.as_str())?;
        Some((machine, *self.by_process.get(&(machine, row.key.process.as_str()))?))
    }

    fn machine(&mut self, id: &'r str, full_name: &str, seen: Time) -> usize {
        let at = self.machine_of(id);
        self.seen(at, full_name, seen);
        at
    }

    fn machine_of(&mut self, id: &'r str) -> usize {
        if let Some(at) = self.by_machine.get(id) {
            return *at;
        }
        self.machines.push(Machine {
            id: id.to_owned(),
            name: String::new(),
            full_name: String::new(),
            computer: None,
            addresses: Vec::new(),
            last_seen: Time(i64::MIN),
            reported: false,
        });
        self.by_machine.insert(id, self.machines.len() - 1);
        self.machines.len() - 1
    }

    /// A row of a machine, with the name that it gives it.
    fn seen(&mut self, at: usize, full_name: &str, seen: Time) {
        let machine = &mut self.machines[at];
        if machine.full_name.is_empty() && !full_name.is_empty() {
            full_name.clone_into(&mut machine.full_name);
            full_name.split('.').next().unwrap_or(full_name).clone_into(&mut machine.name);
        }
        machine.last_seen = machine.last_seen.max(seen);
        machine.reported |= self.window.contains(seen);
    }

    fn process(&mut self, machine: usize, name: &'r str, executable: &str) -> usize {
        if let Some(at) = self.by_process.get(&(machine, name)) {
            return *at;
        }
        let shown = if executable.is_empty() { "Unknown process" } else { executable };
        self.processes.push(Process {
            machine,
            name: name.to_owned(),
            executable: executable.to_owned(),
            display_name: shown.to_owned(),
            row: None,
            discovered: false,
        });
        self.by_process.insert((machine, name), self.processes.len() - 1);
        self.processes.len() - 1
    }

    /// A process of which only others tell.
    pub fn discovered(&mut self, machine: usize, name: String, display_name: &str) -> usize {
        if let Some(at) = self.discovered.get(&(machine, name.clone())) {
            return *at;
        }
        self.processes.push(Process {
            machine,
            name: name.clone(),
            executable: String::new(),
            display_name: display_name.to_owned(),
            row: None,
            discovered: true,
        });
        self.discovered.insert((machine, name), self.processes.len() - 1);
        self.processes.len() - 1
    }

    /// Machine and process of the connection with this index.
    pub fn reporter(&self, connection: usize) -> (usize, usize) {
        self.reporters[connection]
    }

    pub fn listens(&self, machine: usize, process: usize, port: u16, protocol: &str) -> bool {
        let ports = self.listening.get(&(machine, port, protocol));
        ports.is_some_and(|ports| ports.iter().any(|at| self.ports[*at].process == process))
    }

    /// The process that listens where a client calls, where it is one alone.
    pub fn listener(&self, machine: usize, address: IpAddr, port: u16, protocol: &str) -> Option<usize> {
        let ports = self.listening.get(&(machine, port, protocol))?;
        let open = ports.iter().map(|at| &self.ports[*at]).filter(|port| port.wildcard || port.address == address);
        let mut processes = open.map(|port| port.process).collect::<BTreeSet<_>>().into_iter();
        processes.next().filter(|_| processes.next().is_none())
    }

    /// The graph: machines of the window and those that somebody in it speaks of.
    pub fn finish(mut self, window: Window, links: Links<'_>) -> Graph {
        for (at, machine) in self.machines.iter_mut().enumerate() {
            machine.addresses = self.addresses.of(at).collect();
            if machine.full_name.is_empty() {
                machine.full_name.clone_from(&machine.id);
            }
            if machine.name.is_empty() {
                machine.name.clone_from(&machine.full_name);
            }
        }
        Graph { window, machines: self.machines, processes: self.processes, ports: self.ports, links: links.found }
    }
}
