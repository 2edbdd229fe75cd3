//! Rows of `VMConnection` and `VMBoundPort` from what a probe saw (VM insights, "How to query logs": connections and
//! ports).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use watchkeeper_wire::TableBuilder;

use super::dns::Known;
use super::flow::{Counts, Direction, Flow, Responses, Window};
use crate::collect::Collected;
use crate::linux::inventory::{Pools, Reporter, stable_name};
use crate::system::Microseconds;

/// Connections that share these become one record; the process is its identity in the map, not its number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    process: String,
    direction: Direction,
    source: IpAddr,
    destination: IpAddr,
    port: u16,
}

impl Record {
    fn remote(&self) -> IpAddr {
        match self.direction {
            Direction::Inbound => self.source,
            Direction::Outbound => self.destination,
        }
    }
}

/// A port of a process on one address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    process: String,
    address: IpAddr,
    port: u16,
}

/// Writes the rows of a window that began at this time; gives the identities of the processes in them.
pub(super) fn put(
    begun: Microseconds,
    reporter: &Reporter<'_>,
    pools: &Pools,
    window: &Window,
    known: &dyn Fn(IpAddr) -> Option<Known>,
    out: &mut Collected,
) -> HashSet<String> {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut process = |pid: i32| match pools.of(pid) {
        Some(pool) => {
            names.entry(pool.id.clone()).or_insert_with(|| pool.executable.clone());
            pool.id.clone()
        }
        None => String::new(),
    };
    let records = fold(&window.flows, &mut process);
    let ports = bound(window, &mut process);
    let name = |process: &str| names.get(process).cloned().unwrap_or_default();
    for (record, counts) in &records {
        let dns = known(record.remote());
        put_connection(begun, reporter, record, &name(&record.process), counts, dns, out);
    }
    for (port, (wildcard, counts)) in &ports {
        put_port(begun, reporter, port, &name(&port.process), *wildcard, counts, out);
    }
    names.into_keys().collect()
}

fn fold(flows: &HashMap<Flow, Counts>, process: &mut impl FnMut(i32) -> String) -> BTreeMap<Record, Counts> {
    let mut records: BTreeMap<Record, Counts> = BTreeMap::new();
    for (flow, counts) in flows {
        let (source, destination) = match flow.direction {
            Direction::Inbound => (flow.remote, flow.local),
            Direction::Outbound => (flow.local, flow.remote),
        };
        let process = process(flow.pid);
        let record = Record { process, direction: flow.direction, source, destination, port: flow.port };
        records.entry(record).or_default().add(counts);
    }
    records
}

/// Ports with what went through them, and whether they are open on all addresses: for a port on all addresses the
/// addresses that were used, or the wildcard without figures.
fn bound(window: &Window, process: &mut impl FnMut(i32) -> String) -> BTreeMap<Bound, (bool, Counts)> {
    let mut used: HashMap<(u32, u16), BTreeMap<IpAddr, Counts>> = HashMap::new();
    for (flow, counts) in window.flows.iter().filter(|(flow, _)| flow.direction == Direction::Inbound) {
        used.entry((flow.namespace, flow.port)).or_default().entry(flow.local).or_default().add(counts);
    }
    let mut ports: BTreeMap<Bound, (bool, Counts)> = BTreeMap::new();
    // sockets of several processes on one port share what went through it
    let mut done = BTreeSet::new();
    for listener in &window.listeners {
        let (namespace, port) = (listener.namespace, listener.port);
        let wildcard = listener.address.is_unspecified();
        let process = process(listener.pid);
        let mut active = 0;
        for (address, counts) in used.get(&(namespace, port)).into_iter().flatten() {
            if !listener.accepts(namespace, *address, port) {
                continue;
            }
            active += 1;
            let entry = ports.entry(Bound { process: process.clone(), address: *address, port }).or_default();
            entry.0 |= wildcard;
            if done.insert((namespace, *address, port)) {
                entry.1.add(counts);
            }
        }
        if active == 0 {
            let entry = ports.entry(Bound { process, address: listener.address, port }).or_default();
            entry.0 |= wildcard;
        }
    }
    ports
}

fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Response times in milliseconds; blank where there is none.
fn responses(row: &mut TableBuilder, responses: Responses) {
    row.long("Responses", long(responses.count));
    if responses.count == 0 {
        return;
    }
    let milliseconds = |microseconds: u64| long((microseconds + 500) / 1000);
    row.long("ResponseTimeMin", milliseconds(responses.least))
        .long("ResponseTimeMax", milliseconds(responses.most))
        .long("ResponseTimeSum", milliseconds(responses.sum));
}

fn put_connection(
    begun: Microseconds,
    reporter: &Reporter<'_>,
    record: &Record,
    name: &str,
    counts: &Counts,
    dns: Option<Known>,
    out: &mut Collected,
) {
    let (source, destination) = (record.source.to_string(), record.destination.to_string());
    let remote = record.remote();
    let direction = record.direction.name();
    let port = record.port.to_string();
    let machine = reporter.machine;
    let id = stable_name(&[machine, &record.process, direction, &source, &destination, &port, "tcp"]);
    let row = out
        .table("VMConnection")
        .row()
        .datetime("TimeGenerated", begun)
        .string("Computer", &reporter.origin.computer)
        .string("AgentId", &reporter.origin.agent_id)
        .string("Machine", machine)
        .string("Process", &record.process)
        .string("ProcessName", name)
        .string("ConnectionId", &id)
        .string("Direction", direction)
        .string("SourceIp", &source)
        .string("DestinationIp", &destination)
        .int("DestinationPort", i32::from(record.port))
        .string("Protocol", "tcp")
        .string("RemoteIp", &remote.to_string())
        .string("RemoteClassification", classification(remote))
        .long("LinksEstablished", long(counts.established))
        .long("LinksTerminated", long(counts.terminated))
        .long("LinksFailed", long(counts.failed))
        .long("LinksLive", long(counts.live))
        .long("BytesSent", long(counts.sent))
        .long("BytesReceived", long(counts.received))
        .string("SourceSystem", "Insights")
        .string("_ResourceId", &format!("/machines/{machine}"));
    if let Some(known) = dns {
        row.string("RemoteDnsQuestions", &serde_json::json!(known.questions).to_string());
        if !known.canonical.is_empty() {
            row.string("RemoteDnsCanonicalNames", &serde_json::json!(known.canonical).to_string());
        }
    }
    responses(row, counts.responses);
}

fn put_port(
    begun: Microseconds,
    reporter: &Reporter<'_>,
    port: &Bound,
    name: &str,
    wildcard: bool,
    counts: &Counts,
    out: &mut Collected,
) {
    let (address, number) = (port.address.to_string(), port.port.to_string());
    let id = stable_name(&[reporter.machine, &port.process, &address, &number, "tcp"]);
    let row = out
        .table("VMBoundPort")
        .row()
        .datetime("TimeGenerated", begun)
        .string("Computer", &reporter.origin.computer)
        .string("AgentId", &reporter.origin.agent_id)
        .string("Machine", reporter.machine)
        .string("Process", &port.process)
        .string("ProcessName", name)
        .string("Ip", &address)
        .int("Port", i32::from(port.port))
        .string("Protocol", "tcp")
        .string("PortId", &id)
        .bool("IsWildcardBind", wildcard)
        .long("LinksLive", long(counts.live))
        .long("LinksEstablished", long(counts.established))
        .long("LinksTerminated", long(counts.terminated))
        .long("BytesSent", long(counts.sent))
        .long("BytesReceived", long(counts.received))
        .string("SourceSystem", "Insights");
    responses(row, counts.responses);
}

/// `private` for addresses that do not lead into the public network (RFC 1918, 6598, 4193, 3927, 4291), else `public`.
fn classification(remote: IpAddr) -> &'static str {
    let private = match remote {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let shared = first == 100 && second & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified(),
    };
    if private { "private" } else { "public" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::connections::flow::Listener;

    const ONE: &str = "10.0.0.1";

    fn flow(pid: i32, direction: Direction, local: &str, remote: &str, port: u16) -> Flow {
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        Flow { namespace: 1, pid, direction, local, remote, port }
    }

    fn sent(bytes: u64) -> Counts {
        Counts { established: 1, sent: bytes, ..Counts::default() }
    }

    #[test]
    fn workers_of_one_pool_share_a_record() {
        let inbound = |pid| flow(pid, Direction::Inbound, ONE, "10.0.0.9", 80);
        let flows = HashMap::from([
            (inbound(1), sent(3)),
            (inbound(2), sent(4)),
            (flow(1, Direction::Outbound, ONE, "10.0.0.9", 80), sent(5)),
        ]);
        let records = fold(&flows, &mut |_| "p-1".to_owned());
        let found: Vec<(String, String, u64)> = records
            .iter()
            .map(|(record, counts)| (record.source.to_string(), record.destination.to_string(), counts.sent))
            .collect();
        let text = |a: &str, b: &str, sent| (a.to_owned(), b.to_owned(), sent);
        assert_eq!(found, [text("10.0.0.9", ONE, 7), text(ONE, "10.0.0.9", 5)]);
    }

    #[test]
    fn a_port_on_all_addresses_has_records_of_the_addresses_that_are_used() {
        let listener = |address: &str, pid| Listener { namespace: 1, pid, address: address.parse().unwrap(), port: 80 };
        let of = |window: &Window| -> Vec<(String, String, bool, u64)> {
            let ports = bound(window, &mut |pid| format!("p-{pid}"));
            ports.into_iter().map(|(port, (all, c))| (port.process, port.address.to_string(), all, c.sent)).collect()
        };
        let used = HashMap::from([(flow(7, Direction::Inbound, ONE, "10.0.0.9", 80), sent(3))]);
        let text = |process: &str, ip: &str, all, sent| (process.to_owned(), ip.to_owned(), all, sent);
        let mut window = Window { flows: used, listeners: vec![listener("0.0.0.0", 7)], lost: 0 };
        assert_eq!(of(&window), [text("p-7", ONE, true, 3)]);
        // two processes on the port: what went through it is counted once
        window.listeners.push(listener("0.0.0.0", 8));
        assert_eq!(of(&window), [text("p-7", ONE, true, 3), text("p-8", ONE, true, 0)]);
        window.flows.clear();
        window.listeners = vec![listener("0.0.0.0", 7), listener("127.0.0.1", 7)];
        assert_eq!(of(&window), [text("p-7", "0.0.0.0", true, 0), text("p-7", "127.0.0.1", false, 0)]);
    }

    #[test]
    fn addresses_inside_are_told_from_those_outside() {
        for (address, class) in [
            ("10.1.2.3", "private"),
            ("127.0.0.1", "private"),
            ("100.64.0.1", "private"),
            ("100.128.0.1", "public"),
            ("fd00::1", "private"),
            ("8.8.8.8", "public"),
            ("2606:4700::1", "public"),
        ] {
            assert_eq!(classification(address.parse().unwrap()), class, "{address}");
        }
    }
}
