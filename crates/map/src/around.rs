//! The part of a graph around some of its machines: they, and what they talk to.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::graph::{End, Graph};
use crate::map::Map;

impl Graph {
    /// The links with an end on a chosen machine, with the ports of these machines and of the processes of the links.
    /// `chosen` is by index; machines and processes keep theirs.
    #[must_use]
    pub fn around(&self, chosen: &[bool]) -> Graph {
        let is_chosen = |end: End| self.machine_of(end).is_some_and(|machine| chosen[machine]);
        let links: Vec<_> =
            self.links.iter().filter(|link| is_chosen(link.client) || is_chosen(link.server)).cloned().collect();
        let mut spoken_of = vec![false; self.processes.len()];
        for end in links.iter().flat_map(|link| [link.client, link.server]) {
            if let End::Process(process) = end {
                spoken_of[process] = true;
            }
        }
        let ports = self.ports.iter().filter(|port| chosen[port.machine] || spoken_of[port.process]).cloned().collect();
        Graph { window: self.window, machines: self.machines.clone(), processes: self.processes.clone(), ports, links }
    }
}

impl Map {
    /// The map around chosen machines of a graph; others are on it only where they talk to one of those.
    #[must_use]
    pub fn around(graph: &Graph, chosen: &[bool], is_malicious: &dyn Fn(IpAddr) -> bool) -> Map {
        let mut map = Map::of(&graph.around(chosen), is_malicious);
        let chosen = graph.machines.iter().zip(chosen).filter(|(_, chosen)| **chosen);
        let mut shown: HashSet<&str> = chosen.map(|(machine, _)| machine.id.as_str()).collect();
        shown.extend(map.processes.iter().map(|process| &*process.machine));
        map.machines.retain(|machine| shown.contains(&*machine.id));
        map
    }
}

#[cfg(test)]
mod tests {
    use crate::{Figures, Graph, Link, Machine, Map, Port, Process, Time, Window};

    use super::*;

    fn graph() -> Graph {
        let machine = |name: &str| Machine {
            id: format!("m-{name}"),
            name: name.to_owned(),
            full_name: name.to_owned(),
            computer: None,
            addresses: Vec::new(),
            last_seen: Time(1),
            reported: true,
        };
        let process = |machine: usize| Process {
            machine,
            name: format!("p{machine}"),
            executable: "p".to_owned(),
            display_name: String::new(),
            row: None,
            discovered: false,
        };
        let address = IpAddr::from([10, 0, 0, 1]);
        let link = |client: End, server: End| Link {
            client,
            server,
            address,
            port: 80,
            protocol: "tcp".to_owned(),
            figures: Figures::default(),
            dns_names: Vec::new(),
            first_seen: Time(1),
            last_seen: Time(1),
        };
        let port = |machine: usize| Port {
            machine,
            process: machine,
            address,
            wildcard: false,
            port: 80,
            protocol: "tcp".to_owned(),
            last_seen: Time(1),
        };
        Graph {
            window: Window { from: Time(0), to: Time(10) },
            machines: ["web", "app", "db", "alone"].map(machine).into(),
            processes: (0..4).map(process).collect(),
            ports: (0..4).map(port).collect(),
            links: vec![
                link(End::Address(address), End::Process(0)),
                link(End::Process(0), End::Process(1)),
                link(End::Process(1), End::Process(2)),
                link(End::Process(2), End::Address(address)),
            ],
        }
    }

    #[test]
    fn chosen_machines_stand_with_what_they_talk_to() {
        let machines = |chosen: [bool; 4]| -> Vec<String> {
            let map = Map::around(&graph(), &chosen, &|_| false);
            map.machines.iter().map(|machine| machine.name.clone()).collect()
        };
        assert_eq!(machines([true, false, false, false]), ["web", "app"]);
        assert_eq!(machines([false, false, true, true]), ["app", "db", "alone"]);
        assert!(machines([false; 4]).is_empty());
        let map = Map::around(&graph(), &[true, false, false, false], &|_| false);
        assert_eq!((map.edges.len(), map.client_groups.len(), map.port_groups.len()), (2, 1, 0));
        assert_eq!(map.ports.len(), 2);
        let whole = Map::around(&graph(), &[true; 4], &|_| false);
        assert_eq!(whole, Map::of(&graph(), &|_| false));
    }
}
