//! Rows of the map as sums by key: logical connections and ports.

use std::net::IpAddr;
use std::sync::Arc;

use watchkeeper_map::{Connection, ConnectionKey, Figures, PortRow, Time};

use super::rollup::Summed;

#[derive(Debug, Clone)]
pub(super) struct ConnectionSum {
    figures: Figures,
    dns_names: Vec<String>,
    first_seen: Time,
    last_seen: Time,
}

impl Summed for Connection {
    type Key = Arc<ConnectionKey>;
    type Sum = ConnectionSum;

    fn split(self) -> (Arc<ConnectionKey>, ConnectionSum) {
        let sum = ConnectionSum {
            figures: self.figures,
            dns_names: self.dns_names,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
        };
        (self.key, sum)
    }

    fn unite(key: &Arc<ConnectionKey>, sum: ConnectionSum) -> Connection {
        Connection {
            key: Arc::clone(key),
            dns_names: sum.dns_names,
            figures: sum.figures,
            first_seen: sum.first_seen,
            last_seen: sum.last_seen,
        }
    }

    fn add(sum: &mut ConnectionSum, other: &ConnectionSum) {
        // what is open is what was open last
        let live = if other.last_seen >= sum.last_seen { other.figures.live } else { sum.figures.live };
        sum.figures.add(&other.figures);
        sum.figures.live = live;
        for name in &other.dns_names {
            if !sum.dns_names.contains(name) {
                sum.dns_names.push(name.clone());
            }
        }
        sum.first_seen = sum.first_seen.min(other.first_seen);
        sum.last_seen = sum.last_seen.max(other.last_seen);
    }
}

/// What makes a port one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PortKey {
    machine: String,
    computer: String,
    process: String,
    process_name: String,
    address: IpAddr,
    port: u16,
    protocol: String,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PortSum {
    wildcard: bool,
    seen: Time,
}

impl Summed for PortRow {
    type Key = PortKey;
    type Sum = PortSum;

    fn split(self) -> (PortKey, PortSum) {
        let key = PortKey {
            machine: self.machine,
            computer: self.computer,
            process: self.process,
            process_name: self.process_name,
            address: self.address,
            port: self.port,
            protocol: self.protocol,
        };
        (key, PortSum { wildcard: self.wildcard, seen: self.seen })
    }

    fn unite(key: &PortKey, sum: PortSum) -> PortRow {
        let key = key.clone();
        PortRow {
            machine: key.machine,
            computer: key.computer,
            process: key.process,
            process_name: key.process_name,
            address: key.address,
            wildcard: sum.wildcard,
            port: key.port,
            protocol: key.protocol,
            seen: sum.seen,
        }
    }

    fn add(sum: &mut PortSum, other: &PortSum) {
        sum.wildcard |= other.wildcard;
        sum.seen = sum.seen.max(other.seen);
    }
}

#[cfg(test)]
mod tests {
    use watchkeeper_map::Direction;

    use super::*;

    fn connection(minute: i64, live: u64, names: &[&str]) -> Connection {
        let key = ConnectionKey {
            machine: "m".into(),
            computer: "c".into(),
            process: "p".into(),
            process_name: "p".into(),
            direction: Direction::Outbound,
            source: "10.0.0.1".parse().unwrap(),
            destination: "10.0.0.2".parse().unwrap(),
            port: 80,
            protocol: "tcp".into(),
        };
        Connection {
            key: Arc::new(key),
            dns_names: names.iter().map(|name| (*name).to_owned()).collect(),
            figures: Figures { established: 2, sent: 10, live, ..Figures::default() },
            first_seen: Time(minute),
            last_seen: Time(minute + 1),
        }
    }

    #[test]
    fn connections_add_up_and_what_is_live_is_what_was_last() {
        for (first, second) in [
            (connection(0, 7, &["a"]), connection(5, 3, &["a", "b"])),
            (connection(5, 3, &["b", "a"]), connection(0, 7, &["a"])),
        ] {
            let ((key, mut sum), (same, other)) = (first.split(), second.split());
            assert_eq!(key, same);
            Connection::add(&mut sum, &other);
            let one = Connection::unite(&key, sum);
            assert_eq!((one.figures.established, one.figures.sent, one.figures.live), (4, 20, 3));
            assert_eq!((one.first_seen, one.last_seen, one.dns_names.len()), (Time(0), Time(6), 2));
        }
    }

    #[test]
    fn a_port_was_seen_last_when_any_of_its_rows_was() {
        let row = |seen, wildcard| PortRow {
            machine: "m".into(),
            computer: String::new(),
            process: "p".into(),
            process_name: String::new(),
            address: "0.0.0.0".parse().unwrap(),
            wildcard,
            port: 80,
            protocol: "tcp".into(),
            seen: Time(seen),
        };
        let ((key, mut sum), (_, other)) = (row(9, false).split(), row(5, true).split());
        PortRow::add(&mut sum, &other);
        assert_eq!(PortRow::unite(&key, sum), row(9, true));
    }
}
