//! Connections and acceptors as the API has them: clients without an agent are one source for each process, or for each
//! port where a port is what is looked at.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use watchkeeper_map::{Figures, Link, Time};

use super::names::{ClientsOf, PortName, ProcessName};
use super::resources::Resources;
use super::view::View;

/// How clients without an agent are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clients {
    OfProcesses,
    OfPorts,
}

/// Where a connection comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Process(ProcessName),
    Clients(ClientsOf),
}

impl Source {
    fn name(&self) -> String {
        match self {
            Source::Process(process) => process_part(process),
            Source::Clients(clients) => format!("c@{}", clients.to_string().replace('!', "@")),
        }
    }
}

struct Sum {
    figures: Figures,
    first: Time,
    last: Time,
}

fn process_part(process: &ProcessName) -> String {
    format!("m@{}@p@{}", process.machine, process.name)
}

fn port_part(port: &PortName) -> String {
    format!("m@{}@b@{}", port.machine, port.name())
}

/// The connections of some links, by name.
pub(super) fn connections<'l>(
    view: &View,
    resources: &Resources,
    links: impl Iterator<Item = &'l Link>,
    clients: Clients,
) -> Vec<Value> {
    let mut found: BTreeMap<(Source, ProcessName, PortName), Sum> = BTreeMap::new();
    for link in links {
        let (server, port) = (view.server(link), view.port(link));
        let source = match (view.client(link), clients) {
            (Some(process), _) => Source::Process(process),
            (None, Clients::OfProcesses) => Source::Clients(ClientsOf::Process(server.clone())),
            (None, Clients::OfPorts) => Source::Clients(ClientsOf::Port(port.clone())),
        };
        let sum = found.entry((source, server, port)).or_insert_with(|| Sum {
            figures: Figures::default(),
            first: link.first_seen,
            last: link.last_seen,
        });
        sum.figures.add(&link.figures);
        sum.first = sum.first.min(link.first_seen);
        sum.last = sum.last.max(link.last_seen);
    }
    let resource = |((source, server, port), sum): (&(Source, ProcessName, PortName), &Sum)| {
        let reference = match source {
            Source::Process(process) => resources.process_reference(process),
            Source::Clients(clients) => resources.client_group_reference(clients),
        };
        let properties = json!({
            "source": reference, "destination": resources.process_reference(server), "startTime": sum.first,
            // a row tells of the minute that begins at its time
            "endTime": Time(sum.last.0 + Time::MINUTE), "serverPort": resources.port_reference(port),
            "failureState": failure_state(&sum.figures),
        });
        let name = format!("{}!{}!{}", source.name(), process_part(server), port_part(port));
        resources.relationship("rel:connection", "connections", &name, properties)
    };
    found.iter().map(resource).collect()
}

/// Who accepts on ports.
pub(super) fn acceptors<'p>(
    view: &View,
    resources: &Resources,
    ports: impl Iterator<Item = &'p PortName>,
) -> Vec<Value> {
    let mut found = Vec::new();
    for port in ports {
        for process in view.accepting(port) {
            let properties = json!({
                "source": resources.port_reference(port), "destination": resources.process_reference(&process),
                "startTime": view.graph.window.from, "endTime": view.graph.window.to,
            });
            let name = format!("{}!{}", port_part(port), process_part(&process));
            found.push(resources.relationship("rel:acceptor", "acceptors", &name, properties));
        }
    }
    found
}

fn failure_state(figures: &Figures) -> &'static str {
    match (figures.failed > 0, figures.established + figures.live + figures.terminated > 0) {
        (false, _) => "ok",
        (true, false) => "failed",
        (true, true) => "mixed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_none_some_or_all() {
        for (established, failed, state) in [(3, 0, "ok"), (0, 0, "ok"), (0, 2, "failed"), (1, 2, "mixed")] {
            assert_eq!(failure_state(&Figures { established, failed, ..Figures::default() }), state);
        }
    }
}
