//! How the machines of a map are: their health, maintenance and alerts, from the computers of the management group. A
//! machine and a computer are the same when they have a name in common.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use watchkeeper_management::group::{GroupDefinition, Space, word};
use watchkeeper_map::MapMachine;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_state::{Alert, Severity};

use crate::computer_groups::GROUPS_PACK;

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
    /// Different tickets that its open alerts name.
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

/// The standing of each machine, in their order.
pub fn standings(
    space: &Space,
    alerts: &[Alert],
    in_maintenance: impl Fn(ObjectId) -> bool,
    machines: &[MapMachine],
) -> Vec<Standing> {
    let computers = named_computers(space);
    let mut counts: HashMap<ObjectId, (AlertCounts, HashSet<&str>)> = HashMap::new();
    for alert in alerts {
        let Some(computer) = computers.find(&alert.principal_name, "") else { continue };
        let (count, tickets) = counts.entry(computer).or_default();
        match alert.severity {
            Severity::Error => count.critical += 1,
            Severity::Warning => count.warning += 1,
            Severity::Information => count.information += 1,
        }
        if !alert.ticket_id.is_empty() {
            tickets.insert(&alert.ticket_id);
        }
    }
    let standing = |machine: &MapMachine| {
        let Some(object) = computers.find(&machine.full_name, &machine.name) else { return Standing::default() };
        let (alerts, work_items) =
            counts.get(&object).map(|(count, tickets)| (*count, tickets.len())).unwrap_or_default();
        Standing {
            health: Some(word(space.entity_health(object).0)),
            object: Some(object),
            in_maintenance: in_maintenance(object),
            alerts,
            work_items,
        }
    };
    machines.iter().map(standing).collect()
}

/// Groups that people made, as far as they have machines of the map: those of the workspace first, then those of the
/// management group. `standings` are those of the machines.
pub fn machine_groups(
    space: &Space,
    of_workspace: Vec<watchkeeper_state::MachineGroup>,
    machines: &[MapMachine],
    standings: &[Standing],
) -> Vec<MachineGroup> {
    let here: HashSet<&str> = machines.iter().map(|machine| machine.id.as_str()).collect();
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
    own.chain(with_machines).filter(|group| !group.machines.is_empty()).collect()
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
}

fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
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
    }
}
