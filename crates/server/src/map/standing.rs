//! How the machines of a map are: their health, maintenance and alerts, from the computers of the management group. A
//! machine and a computer are the same when they have a name in common.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use watchkeeper_management::group::{GroupDefinition, Space, word};
use watchkeeper_map::{Graph, MapMachine};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_state::{Alert, ItsmItem, Severity};

use crate::computer_groups::GROUPS_PACK;
use crate::itsm::names_of;

/// What the management group knows of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Null where the group has no computer of this name.
    pub health: Option<&'static str>,
    pub object: Option<ObjectId>,
    pub in_maintenance: bool,
    /// Those that are open.
    pub alerts: AlertCounts,
    /// Open work items that service desks have about it, and other tickets that its open alerts name.
    pub work_items: usize,
}

/// Open alerts by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AlertCounts {
    pub critical: usize,
    pub warning: usize,
    pub information: usize,
}

/// A group that somebody made: machines of the workspace, or objects of the management group by their computers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineGroup {
    pub id: String,
    pub name: String,
    /// Those of the map.
    pub machines: Vec<String>,
}

/// Where alerts and work items are counted: at the computer of a name, or at a machine that the group does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Computer(ObjectId),
    Machine(usize),
}

/// What is open at a place.
#[derive(Debug, Default)]
struct Open<'a> {
    alerts: AlertCounts,
    /// Numbers that alerts name.
    tickets: HashSet<&'a str>,
    /// Connections and numbers.
    items: HashSet<(&'a str, &'a str)>,
}

impl<'a> Open<'a> {
    fn add_alert(&mut self, alert: &'a Alert) {
        match alert.severity {
            Severity::Error => self.alerts.critical += 1,
            Severity::Warning => self.alerts.warning += 1,
            Severity::Information => self.alerts.information += 1,
        }
        let numbers = alert.work_items.iter().map(|item| &item.number).chain([&alert.ticket_id]);
        self.tickets.extend(numbers.filter(|number| !number.is_empty()).map(String::as_str));
    }

    /// Each once, whether the desk or an alert names it.
    fn work_items(&self) -> usize {
        let listed: HashSet<&str> = self.items.iter().map(|(_, number)| *number).collect();
        self.items.len() + self.tickets.difference(&listed).count()
    }
}

/// The standing of each machine, in their order; `items` are the open ones of service desks by connection.
pub fn standings(
    space: &Space,
    alerts: &[Alert],
    items: &[(String, ItsmItem)],
    in_maintenance: impl Fn(ObjectId) -> bool,
    machines: &[MapMachine],
) -> Vec<Standing> {
    let computers = named_computers(space);
    let on_map = named_machines(machines);
    let objects: Vec<Option<ObjectId>> =
        machines.iter().map(|machine| computers.find(&machine.full_name, &machine.name)).collect();
    let place = |name: &str| match computers.find(name, "") {
        Some(object) => Some(Place::Computer(object)),
        // a machine that is a computer of the group is known by its own names, too
        None => on_map.find(name, "").map(|at| objects[at].map_or(Place::Machine(at), Place::Computer)),
    };
    let mut open: HashMap<Place, Open<'_>> = HashMap::new();
    for alert in alerts {
        if let Some(place) = place(&alert.principal_name) {
            open.entry(place).or_default().add_alert(alert);
        }
    }
    for (connection, item) in items {
        let names = names_of(item);
        if let Some(place) = names.iter().chain([&item.computer]).find_map(|name| place(name)) {
            open.entry(place).or_default().items.insert((connection, &item.number));
        }
    }
    let standing = |(at, object): (usize, &Option<ObjectId>)| {
        let open = open.get(&object.map_or(Place::Machine(at), Place::Computer));
        let (alerts, work_items) = open.map(|open| (open.alerts, open.work_items())).unwrap_or_default();
        Standing {
            health: object.map(|object| word(space.entity_health(object).0)),
            object: *object,
            in_maintenance: object.is_some_and(&in_maintenance),
            alerts,
            work_items,
        }
    };
    objects.iter().enumerate().map(standing).collect()
}

/// Which machines of a graph have one of the names of computers.
pub fn machines_named(graph: &Graph, computers: &[String]) -> Vec<bool> {
    let mut names = Names::default();
    for (at, machine) in graph.machines.iter().enumerate() {
        names.add(&machine.full_name, at);
        if !machine.name.eq_ignore_ascii_case(first_label(&machine.full_name)) {
            names.add(&machine.name, at);
        }
    }
    let mut chosen = vec![false; graph.machines.len()];
    computers.iter().filter_map(|name| names.find(name, name)).for_each(|at| chosen[at] = true);
    chosen
}

/// Machines of a map, by their places in it.
fn named_machines(machines: &[MapMachine]) -> Names<usize> {
    let mut names = Names::default();
    for (at, machine) in machines.iter().enumerate() {
        names.add(&machine.full_name, at);
        // the first label of a full name could be another machine's, too
        if !machine.name.eq_ignore_ascii_case(first_label(&machine.full_name)) {
            names.add(&machine.name, at);
        }
    }
    names
}

/// Groups that people made, as far as they have machines of the map: those of the workspace first, then those of the
/// management group. `standings` are those of the machines; of a map that is a part of the whole, groups without a machine
/// of it are there too.
pub fn machine_groups(
    space: &Space,
    of_workspace: Vec<watchkeeper_state::MachineGroup>,
    machines: &[MapMachine],
    standings: &[Standing],
    is_part: bool,
) -> Vec<MachineGroup> {
    let here: HashSet<&str> = machines.iter().map(|machine| &*machine.id).collect();
    let own = of_workspace.into_iter().map(|group| MachineGroup {
        id: group.id,
        name: group.display_name,
        machines: group.machines.into_iter().map(|one| one.name).filter(|name| here.contains(name.as_str())).collect(),
    });
    let mut machines_of: BTreeMap<ObjectId, Vec<&str>> = BTreeMap::new();
    for (machine, standing) in machines.iter().zip(standings) {
        if let Some(object) = standing.object {
            machines_of.entry(object).or_default().push(&machine.id);
        }
    }
    let groups = space.groups();
    let defined = groups.iter().filter(|group| {
        let class = space.objects.get(group.object.id).and_then(|object| object.classes.iter().next().copied());
        let pack = class.and_then(|class| space.library.element(class)).map(|(pack, _, _)| pack);
        // groups by rule, and computer groups of the workspace
        pack.is_some_and(|pack| pack.id == GROUPS_PACK || GroupDefinition::of(pack, &space.library).is_some())
    });
    let with_machines = defined.map(|group| {
        let mut found: Vec<String> = space
            .members(group.object.id, true)
            .iter()
            .flat_map(|member| machines_of.get(&space.root(member.id)).into_iter().flatten())
            .map(|machine| (*machine).to_owned())
            .collect();
        found.sort_unstable();
        found.dedup();
        MachineGroup { id: group.object.id.to_string(), name: group.object.name.clone(), machines: found }
    });
    own.chain(with_machines).filter(|group| is_part || !group.machines.is_empty()).collect()
}

/// The computers of the management group by their names.
pub fn named_computers(space: &Space) -> Names<ObjectId> {
    let class = ElementId::of("System.Library", "System.Computer");
    let ids = space.objects.of_class(class, space.library.as_ref());
    let mut names = Names::default();
    for id in ids {
        names.add(&space.key_name(id), id);
        names.add(&space.display_name(id), id);
    }
    names
}

/// Things by name, whatever the letters' case; a short name stands for a full one where only one has it.
#[derive(Debug)]
pub struct Names<T> {
    whole: HashMap<String, T>,
    /// Names up to the first dot; `None`: several different things.
    short: HashMap<String, Option<T>>,
}

impl<T> Default for Names<T> {
    fn default() -> Names<T> {
        Names { whole: HashMap::new(), short: HashMap::new() }
    }
}

impl<T: Copy + PartialEq> Names<T> {
    fn add(&mut self, name: &str, thing: T) {
        if name.is_empty() {
            return;
        }
        let name = name.to_lowercase();
        let short = self.short.entry(first_label(&name).to_owned()).or_insert(Some(thing));
        if *short != Some(thing) {
            *short = None;
        }
        self.whole.insert(name, thing);
    }

    /// By the full name or the other one; a name without a domain and one with any are the same, two domains differ.
    pub fn find(&self, full: &str, name: &str) -> Option<T> {
        let (full, name) = (full.to_lowercase(), name.to_lowercase());
        if let Some(thing) = self.whole.get(&full).or_else(|| self.whole.get(&name)) {
            return Some(*thing);
        }
        match full.contains('.') {
            true => self.whole.get(first_label(&full)).copied(),
            false => self.short.get(if full.is_empty() { &name } else { &full }).copied().flatten(),
        }
    }

    /// By the first of several names that is known.
    pub fn find_any(&self, names: &[String]) -> Option<T> {
        names.iter().find_map(|name| self.find(name, name))
    }
}

fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use watchkeeper_map::Time;

    use super::*;

    #[test]
    fn a_machine_is_found_by_full_or_short_name_and_never_taken_for_another() {
        let mut names = Names::default();
        for (name, thing) in
            [("web1", 1), ("DB1.example.com", 2), ("app.one.example", 3), ("app.two.example", 4), ("", 5)]
        {
            names.add(name, thing);
        }
        for (full, name, expected) in [
            ("WEB1", "web1", Some(1)),
            ("web1.example.com", "web1", Some(1)),
            ("web1.example.com", "", Some(1)),
            ("db1.example.com", "db1", Some(2)),
            ("db1", "db1", Some(2)),
            ("db1.elsewhere.example", "db1.elsewhere.example", None),
            ("app", "app", None),
            ("app.two.example", "app", Some(4)),
            ("app.three.example", "app", None),
            ("", "", None),
            ("unknown", "unknown", None),
        ] {
            assert_eq!(names.find(full, name), expected, "{full:?} {name:?}");
        }
        assert_eq!(names.find_any(&["unknown".to_owned(), "WEB1".to_owned(), "db1".to_owned()]), Some(1));
    }

    #[test]
    fn a_work_item_is_counted_once_whoever_names_it() {
        let machine = |id: &str, name: &str, full: &str| MapMachine {
            id: id.into(),
            name: name.to_owned(),
            full_name: full.to_owned(),
            os: String::new(),
            os_name: String::new(),
            addresses: Vec::new(),
            monitored: true,
            last_seen: Time(0),
            boot_time: None,
        };
        let machines = [
            machine("1", "web1", "web1"),
            machine("2", "app", "app.one.example"),
            machine("3", "app", "app.two.example"),
            machine("4", "db1", "db1.example"),
        ];
        let item = |connection: &str, number: &str, names: &str| {
            let names = names.to_owned();
            (connection.to_owned(), ItsmItem { number: number.to_owned(), names, is_open: true, ..ItsmItem::default() })
        };
        let items = [
            item("a", "INC1", r#"["elsewhere", "web1.example"]"#),
            item("a", "INC2", r#"["web1"]"#),
            item("b", "INC2", r#"["WEB1"]"#),
            item("a", "INC3", r#"["app"]"#),
            item("a", "INC4", r#"["app.two.example"]"#),
            item("a", "INC9", "[]"),
        ];
        let alert = |ticket: &str, computer: &str| Alert {
            ticket_id: ticket.to_owned(),
            principal_name: computer.to_owned(),
            severity: Severity::Error,
            ..Alert::default()
        };
        let alerts = [alert("INC2", "web1"), alert("INC7", "web1"), alert("", "web1"), alert("INC8", "db1")];
        let found = standings(&Space::default(), &alerts, &items, |_| false, &machines);
        let counts: Vec<_> = found.iter().map(|one| (one.work_items, one.alerts.critical)).collect();
        assert_eq!(counts, [(4, 3), (0, 0), (1, 0), (1, 1)]);
    }
}
