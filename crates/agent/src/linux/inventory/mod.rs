//! `VMComputer` and `VMProcess`, as VM insights documents them, every hour and when they begin or change; and every
//! minute the records of ports and connections that `connections` makes of the processes that are known here.

mod computer;
mod pools;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::collect::{CollectError, Collected, Collector, Origin};
use crate::config::{ConnectionsConfig, InventoryConfig, seconds};
use crate::linux::connections::Connections;
use crate::queue::{Class, Positions};
use crate::system::Microseconds;
pub(crate) use pools::Pools;

/// Rows carry the agent's identity: how long until it is asked for again before there is one.
const UNTIL_ENROLLED: Duration = Duration::from_secs(1);
/// A process that has ended after so long is not reported.
const SETTLED_TICKS: u64 = 500;

/// What the machine is and runs.
pub struct Inventory {
    config: InventoryConfig,
    pools: Pools,
    connections: Connections,
    last: Option<Instant>,
    reported: Option<Instant>,
    known: HashSet<String>,
    computer: String,
}

impl Inventory {
    /// With a configuration that was checked.
    #[must_use]
    pub fn new(config: InventoryConfig, connections: ConnectionsConfig) -> Self {
        Self {
            config,
            pools: Pools::default(),
            connections: Connections::new(connections),
            last: None,
            reported: None,
            known: HashSet::new(),
            computer: String::new(),
        }
    }

    fn sampling(&self) -> Duration {
        seconds(self.config.ports_interval_seconds.min(self.config.interval_seconds))
    }
}

impl Collector for Inventory {
    fn name(&self) -> &str {
        "inventory"
    }

    fn class(&self) -> Class {
        Class::Discovery
    }

    fn interval(&self) -> Duration {
        if self.last.is_none() { UNTIL_ENROLLED } else { self.sampling() }
    }

    fn collect(
        &mut self,
        now: Microseconds,
        origin: &Origin,
        _: &Positions,
        out: &mut Collected,
    ) -> Result<(), CollectError> {
        let just_done = self.last.is_some_and(|at| at.elapsed() < 2 * UNTIL_ENROLLED);
        if origin.agent_id.is_empty() || just_done {
            return Ok(());
        }
        // asked before its time: somebody wants to see everything
        let early = self.last.is_some_and(|at| at.elapsed() < self.sampling() / 2);
        let hourly = self.reported.is_none_or(|at| at.elapsed() >= seconds(self.config.interval_seconds));
        let all = early || hourly;
        self.last = Some(Instant::now());
        self.pools.look();
        let machine = machine(origin);
        let present = computer::describe(origin);
        if all || present.fingerprint() != self.computer {
            present.put(now, origin, &machine, out);
            self.computer = present.fingerprint();
        }
        let reporter = Reporter { origin, machine: &machine };
        let connected = self.connections.sample(now, &reporter, &mut self.pools, out);
        let mut found = HashSet::new();
        for pool in self.pools.pools() {
            let settled = self.pools.uptime_ticks().saturating_sub(pool.started) >= SETTLED_TICKS;
            let shown = settled || connected.contains(&pool.id);
            if all || (shown && !self.known.contains(&pool.id)) {
                pool.put(now, origin, &machine, self.pools.boot_time(now), out);
                found.insert(pool.id.clone());
            } else if self.known.contains(&pool.id) {
                found.insert(pool.id.clone());
            }
        }
        self.known = found;
        if all {
            self.reported = Some(Instant::now());
        }
        Ok(())
    }
}

/// Who reports: what every row of the map begins with.
pub(crate) struct Reporter<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) machine: &'a str,
}

/// The machine's name in the map: `m-` and the agent's identity.
fn machine(origin: &Origin) -> String {
    format!("m-{}", origin.agent_id)
}

/// A name that is the same for the same parts on every start of the agent (FNV-1a, 128 bits).
pub(crate) fn stable_name(parts: &[&str]) -> String {
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use watchkeeper_wire::{Table, Values};

    use super::*;

    fn rows(tables: &[Table], name: &str) -> usize {
        tables.iter().find(|table| table.name == name).map_or(0, |table| table.rows as usize)
    }

    #[test]
    fn this_machine_its_processes_and_a_port_of_this_test_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = i32::from(listener.local_addr().unwrap().port());
        let origin = Origin { computer: "box".to_owned(), agent_id: "a".to_owned(), ..Origin::default() };
        let mut inventory = Inventory::new(InventoryConfig::default(), ConnectionsConfig::default());
        let mut out = Collected::default();
        inventory.collect(0, &origin, &Positions::default(), &mut out).unwrap();
        let (tables, _) = out.finish();
        assert_eq!(rows(&tables, "VMComputer"), 1);
        assert!(rows(&tables, "VMProcess") > 0);
        let bound = tables.iter().find(|table| table.name == "VMBoundPort").unwrap();
        let column = |name: &str| bound.columns.iter().find(|one| one.name == name).unwrap().values.clone();
        let (Some(Values::Ints(ports)), Some(Values::Strings(names))) = (column("Port"), column("ProcessName")) else {
            panic!("types of VMBoundPort")
        };
        let row = ports.values.iter().position(|one| *one == port).unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(names.values[row], own.file_name().unwrap().to_string_lossy());

        // asked at its time: only what changed; asked before it: everything
        inventory.last = Instant::now().checked_sub(Duration::from_secs(60));
        let mut out = Collected::default();
        inventory.collect(0, &origin, &Positions::default(), &mut out).unwrap();
        assert_eq!(rows(&out.finish().0, "VMComputer"), 0);
        inventory.last = Instant::now().checked_sub(Duration::from_secs(10));
        let mut out = Collected::default();
        inventory.collect(0, &origin, &Positions::default(), &mut out).unwrap();
        assert_eq!(rows(&out.finish().0, "VMComputer"), 1);
    }

    #[test]
    fn names_do_not_change_between_versions() {
        assert_eq!(stable_name(&["a", "b"]), stable_name(&["a", "b"]));
        assert_ne!(stable_name(&["ab", ""]), stable_name(&["a", "b"]));
        assert_eq!(stable_name(&[]), "6c62272e07bb014262b821756295c58d");
    }
}
