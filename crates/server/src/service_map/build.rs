//! From the maps of a workspace to dependency views: which objects there are, what contains them, who calls whom, and
//! for which machines something is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use watchkeeper_model::ids::ObjectId;
use watchkeeper_model::objects::{Discovered, Instance};
use watchkeeper_servicemap::{Machine, Map};
use watchkeeper_state::{Agent, MapConnection, MapEdit, MissingMachine};

use super::computers::Computers;
use super::gather::{Gathered, Subject};
use super::objects::{
    CLIENTS_CLASS, GROUP_VIEW_CLASS, MACHINE_CLASS, PROCESS_CLASS, SERVER_VIEW_CLASS, instance, membership, object,
};

/// A view as it is kept beside the objects: what these cannot say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewDocument {
    /// What the map has in it, each with the member that it is in.
    pub members: BTreeMap<String, Option<String>>,
    /// Who calls whom among them.
    pub edges: Vec<Call>,
}

/// Calls of one member to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub source: String,
    pub target: String,
    pub ports: BTreeSet<u16>,
    /// Whether some of them failed.
    pub failed: bool,
}

/// What a synchronization makes.
#[derive(Debug, Default)]
pub(super) struct Built {
    pub found: Discovered,
    pub views: Vec<(ObjectId, ViewDocument)>,
    pub servers: usize,
    pub machine_groups: usize,
    pub processes: usize,
    pub missing: Vec<MissingMachine>,
}

/// What is put together.
struct Building<'a> {
    connection: &'a MapConnection,
    computers: &'a Computers,
    agents: &'a [Agent],
    instances: BTreeMap<ObjectId, Instance>,
    missing: BTreeMap<String, MissingMachine>,
    processes: BTreeSet<ObjectId>,
}

pub(super) fn build(
    connection: &MapConnection,
    gathered: &Gathered,
    computers: &Computers,
    agents: &[Agent],
    edits: &[MapEdit],
) -> Built {
    let removed: BTreeSet<(&str, &str)> =
        edits.iter().filter(|edit| !edit.added).map(|edit| (edit.view_id.as_str(), edit.member_id.as_str())).collect();
    let mut building = Building {
        connection,
        computers,
        agents,
        instances: BTreeMap::new(),
        missing: BTreeMap::new(),
        processes: BTreeSet::new(),
    };
    let mut built = Built::default();
    for (subject, map) in &gathered.views {
        let (view, view_instance) = building.view(subject);
        match subject {
            Subject::Server { .. } => built.servers += 1,
            Subject::Group(_) => built.machine_groups += 1,
        }
        building.instances.insert(view, view_instance);
        let document = building.members(subject, map);
        let view_id = view.to_string();
        let kept = document.members.keys().filter(|member| !removed.contains(&(view_id.as_str(), member.as_str())));
        let members = kept.filter_map(|member| uuid::Uuid::try_parse(member).ok()).map(ObjectId);
        built.found.links.extend(members.map(|member| membership(view, member)));
        built.views.push((view, document));
    }
    for server in &gathered.unknown {
        building.note_missing(server, server);
    }
    built.processes = building.processes.len();
    built.found.instances = building.instances.into_values().collect();
    built.missing = building.missing.into_values().collect();
    built
}

impl Building<'_> {
    fn view(&self, subject: &Subject) -> (ObjectId, Instance) {
        let (id, workspace) = (self.connection.connection_id.as_str(), self.connection.settings.workspace.as_str());
        match subject {
            Subject::Server { computer, .. } => {
                let key = computer.object.to_string();
                let properties = [("ConnectionId", id), ("Server", key.as_str()), ("Workspace", workspace)];
                (object(SERVER_VIEW_CLASS, &[id, &key]), instance(SERVER_VIEW_CLASS, &computer.name, &properties))
            }
            Subject::Group(group) => {
                let properties = [("ConnectionId", id), ("MachineGroup", group.id.as_str()), ("Workspace", workspace)];
                let view = instance(GROUP_VIEW_CLASS, &group.display_name, &properties);
                (object(GROUP_VIEW_CLASS, &[id, &group.id]), view)
            }
        }
    }

    /// The members of a view and the calls among them.
    fn members(&mut self, subject: &Subject, map: &Map) -> ViewDocument {
        let mut document = ViewDocument::default();
        // the objects of what the map has, by resource
        let mut objects: HashMap<&str, String> = HashMap::new();
        let mut machines: HashMap<&str, (&Machine, String)> = HashMap::new();
        if let Subject::Server { computer, machine } = subject {
            document.members.insert(computer.object.to_string(), None);
            if machine.is_none() {
                self.note_silent(&computer.name);
            }
        }
        for machine in &map.machines {
            let found = match subject {
                // the server itself is what people chose, however the map names it
                Subject::Server { computer, machine: Some(own) } if *own == machine.name => computer.object,
                _ => self.machine(machine),
            };
            document.members.insert(found.to_string(), None);
            machines.insert(&machine.name, (machine, found.to_string()));
        }
        let mut names: HashMap<&str, String> = HashMap::new();
        for process in &map.processes {
            let (parent, machine_name) = match machines.get(process.machine.as_str()) {
                Some((machine, parent)) => (Some(parent.clone()), machine.display_name.as_str()),
                None => (None, process.machine.as_str()),
            };
            let name = format!("{} ({machine_name})", process.display_name);
            let id = self.connection.connection_id.as_str();
            let found = object(PROCESS_CLASS, &[id, &process.machine, &process.name]);
            let properties = [
                ("ConnectionId", id),
                ("Machine", process.machine.as_str()),
                ("Process", process.name.as_str()),
                ("MachineName", machine_name),
                ("Executable", process.executable.as_str()),
            ];
            self.instances.insert(found, instance(PROCESS_CLASS, &name, &properties));
            self.processes.insert(found);
            document.members.insert(found.to_string(), parent);
            objects.insert(&process.id, found.to_string());
            names.insert(&process.id, name);
        }
        for clients in &map.clients {
            let id = self.connection.connection_id.as_str();
            let called = map.edges.iter().find(|edge| edge.source == clients.id);
            let called = called.and_then(|edge| names.get(edge.target.as_str())).unwrap_or(&clients.name);
            let found = object(CLIENTS_CLASS, &[id, &clients.name]);
            let properties = [("ConnectionId", id), ("Clients", clients.name.as_str())];
            self.instances.insert(found, instance(CLIENTS_CLASS, &format!("Clients of {called}"), &properties));
            document.members.insert(found.to_string(), None);
            objects.insert(&clients.id, found.to_string());
        }
        let mut calls: BTreeMap<(&String, &String), (BTreeSet<u16>, bool)> = BTreeMap::new();
        for edge in &map.edges {
            let ends = objects.get(edge.source.as_str()).zip(objects.get(edge.target.as_str()));
            let Some(ends) = ends else { continue };
            let (ports, failed) = calls.entry(ends).or_default();
            ports.insert(edge.port);
            *failed |= edge.failed;
        }
        let call = |((source, target), (ports, failed)): ((&String, &String), _)| Call {
            source: source.clone(),
            target: target.clone(),
            ports,
            failed,
        };
        document.edges = calls.into_iter().map(call).collect();
        document
    }

    /// The computer that a machine is, or an object of its own.
    fn machine(&mut self, machine: &Machine) -> ObjectId {
        if let Some(known) = self.computers.of_machine(machine) {
            if !machine.monitored {
                let name = known.name.clone();
                self.note_silent(&name);
            }
            return known.object;
        }
        if machine.monitored {
            let full = machine.names.iter().find(|name| name.contains('.')).unwrap_or(&machine.display_name);
            self.note_missing(&machine.display_name, full);
        }
        let id = self.connection.connection_id.as_str();
        let found = object(MACHINE_CLASS, &[id, &machine.name]);
        let addresses: Vec<&str> = machine.addresses.iter().map(String::as_str).collect();
        let addresses = addresses.join(", ");
        let properties = [("ConnectionId", id), ("Machine", machine.name.as_str()), ("Addresses", addresses.as_str())];
        self.instances.insert(found, instance(MACHINE_CLASS, &machine.display_name, &properties));
        found
    }

    /// A machine that is no computer of the management group.
    fn note_missing(&mut self, shown: &str, name: &str) {
        let short = |name: &str| name.split('.').next().unwrap_or(name).to_lowercase();
        let is_it = |agent: &&Agent| {
            agent.computer.eq_ignore_ascii_case(name)
                || ((!name.contains('.') || !agent.computer.contains('.')) && short(&agent.computer) == short(name))
        };
        let (lacks, what) = match self.agents.iter().find(is_it) {
            Some(agent) if agent.status == "pending" => {
                ("approval", format!("its agent waits for approval: `watchkeeper agents approve {}`", agent.computer))
            }
            Some(agent) if agent.status == "approved" => (
                "object",
                format!("its agent was approved and has not connected; start the service watchkeeper-agent on {name}"),
            ),
            Some(agent) => (
                "approval",
                format!("its agent is {}; enrol it again with `watchkeeper-agent enrol` on {name}", agent.status),
            ),
            None => {
                ("agent", format!("no agent of this management group runs there; install one on {name} and enrol it"))
            }
        };
        self.note(shown, lacks, what);
    }

    /// A computer of the management group that sends nothing to the workspace.
    fn note_silent(&mut self, name: &str) {
        let workspace = &self.connection.settings.workspace;
        let what = format!(
            "it sends no connections to the workspace {workspace:?}; let its agent send to that one too, and look whether \
             its collection of connections is on"
        );
        self.note(name, "workspace", what);
    }

    fn note(&mut self, machine: &str, lacks: &str, what: String) {
        let missing = MissingMachine { machine: machine.to_owned(), lacks: vec![lacks.to_owned()], what };
        self.missing.entry(machine.to_owned()).or_insert(missing);
    }
}

#[cfg(test)]
mod tests {
    use watchkeeper_servicemap::{ClientGroup, Edge, Process};
    use watchkeeper_state::MapSettings;

    use super::super::new_connection;
    use super::*;

    fn machine(name: &str, monitored: bool) -> Machine {
        Machine {
            id: format!("/m/{name}"),
            name: name.to_owned(),
            display_name: name.to_owned(),
            names: BTreeSet::from([name.to_owned()]),
            monitored,
            ..Machine::default()
        }
    }

    fn process(machine: &str, name: &str) -> Process {
        Process {
            id: format!("/m/{machine}/p/{name}"),
            name: name.to_owned(),
            machine: machine.to_owned(),
            display_name: name.to_owned(),
            executable: name.to_owned(),
            monitored: true,
        }
    }

    fn edge(source: &str, target: &str, port: u16, failed: bool) -> Edge {
        Edge { source: source.to_owned(), target: target.to_owned(), port, failed }
    }

    fn agent(computer: &str, status: &str) -> Agent {
        Agent {
            agent_id: computer.to_owned(),
            computer: computer.to_owned(),
            status: status.to_owned(),
            os_name: String::new(),
            agent_version: String::new(),
            certificate_serial: String::new(),
            certificate_not_after: 0,
            enrolled_at: 0,
            last_seen: 0,
        }
    }

    /// A group of `a`, which calls `b` twice, and clients of `a`.
    fn gathered() -> Gathered {
        let group = watchkeeper_state::ChosenGroup { id: "g".into(), display_name: "Group".into() };
        let (a, b) = (process("a", "x"), process("b", "y"));
        let edges = vec![
            edge(&a.id, &b.id, 1, false),
            edge(&a.id, &b.id, 2, true),
            edge("/c/1", &a.id, 80, false),
            edge(&a.id, "/elsewhere", 1, false),
        ];
        let map = Map {
            machines: vec![machine("a", true), machine("b", true), machine("t-1", false)],
            processes: vec![a, b],
            clients: vec![ClientGroup { id: "/c/1".into(), name: "m!a".into() }],
            edges,
        };
        Gathered { views: vec![(Subject::Group(group), map)], unknown: vec!["c".into()], problem: None }
    }

    #[test]
    fn a_map_becomes_objects_with_calls_between_them_and_what_is_missing() {
        let connection = new_connection("Shop".into(), MapSettings::default());
        let agents = [agent("b.example.com", "pending"), agent("c", "approved")];
        let built = build(&connection, &gathered(), &Computers::default(), &agents, &[]);
        assert_eq!((built.servers, built.machine_groups, built.processes), (0, 1, 2));
        let (view, document) = &built.views[0];
        // the view, three machines, two processes, the clients
        assert_eq!((built.found.instances.len(), built.found.links.len(), document.members.len()), (7, 6, 6));
        let id = connection.connection_id.as_str();
        let of = |machine: &str, process: &str| object(PROCESS_CLASS, &[id, machine, process]).to_string();
        let parent = document.members.get(&of("a", "x")).cloned().flatten();
        assert_eq!(parent, Some(object(MACHINE_CLASS, &[id, "a"]).to_string()));
        let call = document.edges.iter().find(|call| call.source == of("a", "x")).unwrap();
        assert_eq!(
            (call.target.clone(), call.ports.clone(), call.failed),
            (of("b", "y"), BTreeSet::from([1, 2]), true)
        );
        assert_eq!(document.edges.len(), 2, "what leads out of the map is no call between members");
        let missing: Vec<(&str, &str)> =
            built.missing.iter().map(|one| (one.machine.as_str(), one.lacks[0].as_str())).collect();
        assert_eq!(missing, [("a", "agent"), ("b", "approval"), ("c", "object")]);

        let edit = |member: String, added| MapEdit {
            view_id: view.to_string(),
            member_id: member,
            connection_id: id.to_owned(),
            added,
            changed_by: "somebody".into(),
            changed_at: 1,
        };
        let edits = [edit(of("a", "x"), false), edit(of("b", "y"), true)];
        let again = build(&connection, &gathered(), &Computers::default(), &agents, &edits);
        assert_eq!(again.found.links.len(), 5, "what a person took out is no member");
        assert_eq!(again.found.instances, built.found.instances, "it can be put in again");
    }
}
