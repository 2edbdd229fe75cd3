//! The computers of the management group, and which of them a machine of a map is.

use std::collections::{BTreeSet, HashMap};

use watchkeeper_management::group::Space;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_servicemap::Machine;

/// A computer of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub object: ObjectId,
    /// What people call it.
    pub name: String,
    /// In lower case.
    names: BTreeSet<String>,
    addresses: BTreeSet<String>,
    agent_id: Option<String>,
}

/// All computers, with the places of those that have an agent, a name or an address.
#[derive(Debug, Clone, Default)]
pub struct Computers {
    all: Vec<Known>,
    agents: Index,
    names: Index,
    /// By the first part of each name.
    shorts: Index,
    addresses: Index,
}

type Index = HashMap<String, Vec<usize>>;

/// Properties that name a computer.
const NAMES: [&str; 5] = ["PrincipalName", "DNSName", "NetworkName", "NetbiosComputerName", "DisplayName"];

impl Computers {
    pub fn of(space: &Space) -> Computers {
        let class = ElementId::of("System.Library", "System.Computer");
        let known = |object: ObjectId| {
            let found = space.objects.get(object)?;
            let property =
                |name: &str| found.properties.get(name).map(|value| value.trim()).filter(|one| !one.is_empty());
            let addresses = property("IPAddress").into_iter().flat_map(|all| all.split([',', ';', ' ']));
            Some(Known {
                object,
                name: space.display_name(object),
                names: NAMES.iter().filter_map(|name| property(name)).map(str::to_lowercase).collect(),
                addresses: addresses.map(str::trim).filter(|one| !one.is_empty()).map(str::to_lowercase).collect(),
                agent_id: space.agent_of(object).map(str::to_owned),
            })
        };
        Self::new(space.objects.of_class(class, space.library.as_ref()).into_iter().filter_map(known).collect())
    }

    fn new(all: Vec<Known>) -> Computers {
        let mut computers = Computers::default();
        for (at, known) in all.iter().enumerate() {
            let put = |index: &mut Index, key: &str| index.entry(key.to_owned()).or_default().push(at);
            known.agent_id.iter().for_each(|agent| put(&mut computers.agents, agent));
            known.addresses.iter().for_each(|address| put(&mut computers.addresses, address));
            for name in &known.names {
                put(&mut computers.names, name);
                put(&mut computers.shorts, short(name));
            }
        }
        computers.all = all;
        computers
    }

    /// The one that a person calls so: its whole name, or the first part where only one has it.
    pub fn named(&self, name: &str) -> Option<&Known> {
        let name = name.trim().to_lowercase();
        self.only(&self.names, [name.as_str()], |_| true).or_else(|| self.only(&self.shorts, [name.as_str()], |_| true))
    }

    /// The one that a machine of a map is: the same agent, a fully qualified name, an address, and at last the first
    /// part of a name where nothing speaks against it. What several could be is none.
    pub fn of_machine(&self, machine: &Machine) -> Option<&Known> {
        let names: BTreeSet<String> = machine.names.iter().map(|name| name.to_lowercase()).collect();
        let addresses: BTreeSet<String> = machine.addresses.iter().map(|address| address.to_lowercase()).collect();
        let full = names.iter().map(String::as_str).filter(|name| name.contains('.'));
        let telling = addresses.iter().map(String::as_str).filter(|address| tells(address));
        let shorts = names.iter().map(|name| short(name));
        let has_full = full.clone().next().is_some();
        // two names of different domains are two machines
        let may_be = |known: &Known| !(has_full && known.names.iter().any(|name| name.contains('.')));
        self.only(&self.agents, machine.agent_id.as_deref(), |_| true)
            .or_else(|| self.only(&self.names, full, |_| true))
            .or_else(|| self.only(&self.addresses, telling, |_| true))
            .or_else(|| self.only(&self.shorts, shorts, may_be))
    }

    /// The one that an index has for some keys.
    fn only<'k>(
        &self,
        index: &Index,
        keys: impl IntoIterator<Item = &'k str>,
        may_be: impl Fn(&Known) -> bool,
    ) -> Option<&Known> {
        let places = keys.into_iter().filter_map(|key| index.get(key)).flatten().copied();
        let places: BTreeSet<usize> = places.filter(|at| self.all.get(*at).is_some_and(&may_be)).collect();
        match places.len() {
            1 => self.all.get(places.into_iter().next()?),
            _ => None,
        }
    }
}

fn short(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Whether an address tells machines apart.
fn tells(address: &str) -> bool {
    address.parse::<std::net::IpAddr>().is_ok_and(|address| !address.is_loopback() && !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|one| (*one).to_owned()).collect()
    }

    fn known(number: u128, names: &[&str], addresses: &[&str], agent: Option<&str>) -> Known {
        Known {
            object: ObjectId(uuid::Uuid::from_u128(number)),
            name: names[0].to_owned(),
            names: texts(names),
            addresses: texts(addresses),
            agent_id: agent.map(str::to_owned),
        }
    }

    fn machine(names: &[&str], addresses: &[&str], agent: Option<&str>) -> Machine {
        Machine {
            names: texts(names),
            addresses: texts(addresses),
            agent_id: agent.map(str::to_owned),
            ..Machine::default()
        }
    }

    #[test]
    fn a_machine_is_the_computer_of_its_agent_name_or_address_and_never_a_guess() {
        let computers = Computers::new(vec![
            known(1, &["web.example.com", "web"], &["10.0.0.1"], Some("a-1")),
            known(2, &["web.test.example"], &["10.0.0.2", "127.0.0.1"], Some("a-2")),
            known(3, &["db"], &["10.0.0.3"], None),
            known(4, &["old.example.com"], &["10.0.0.4"], None),
            known(5, &["older.example.com"], &["10.0.0.4"], None),
        ]);
        let found = |machine: Machine| computers.of_machine(&machine).map(|known| known.object.0.as_u128());
        // the agent goes before the name, the name before the address
        assert_eq!(found(machine(&["db"], &[], Some("a-2"))), Some(2));
        assert_eq!(found(machine(&["WEB.example.com"], &["10.0.0.3"], Some("a-9"))), Some(1));
        assert_eq!(found(machine(&["unknown.example.com"], &["10.0.0.3"], None)), Some(3));
        assert_eq!(found(machine(&["db.example.com"], &[], None)), Some(3));
        for nobody in [
            machine(&["web.other.example"], &[], None),
            machine(&["nobody"], &["127.0.0.1"], None),
            machine(&["nobody"], &["10.0.0.4"], None),
            machine(&["web"], &[], None),
            machine(&[], &[], None),
        ] {
            assert_eq!(found(nobody.clone()), None, "{nobody:?}");
        }
        let named = |name: &str| computers.named(name).map(|known| known.object.0.as_u128());
        assert_eq!(
            (named("DB"), named("old"), named("web"), named("web.test.example")),
            (Some(3), Some(4), Some(1), Some(2))
        );
        assert_eq!(named("nobody"), None);
    }
}
