//! Ports on which somebody listens, from `/proc/net/tcp` and the descriptors of processes.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::pools::Pools;
use super::stable_name;
use crate::collect::{Collected, Origin};
use crate::system::Microseconds;

const ESTABLISHED: &str = "01";
const LISTEN: &str = "0A";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Socket {
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    listening: bool,
    inode: u64,
}

/// Both ends of a connection.
type Link = ((IpAddr, u16), (IpAddr, u16));

/// Ports and their connections between two looks.
#[derive(Default)]
pub(super) struct Ports {
    /// Who holds a listening socket; descriptors are searched only for sockets that are not here.
    owners: HashMap<u64, i32>,
    links: HashSet<Link>,
    last: Option<Microseconds>,
}

impl Ports {
    pub(super) fn sample(
        &mut self,
        now: Microseconds,
        origin: &Origin,
        machine: &str,
        pools: &Pools,
        out: &mut Collected,
    ) {
        let mut sockets = Vec::new();
        for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let text = fs::read_to_string(path).unwrap_or_default();
            sockets.extend(text.lines().filter_map(parse));
        }
        self.find_owners(&sockets, pools);
        let links: HashSet<Link> =
            sockets.iter().filter(|socket| !socket.listening).map(|socket| (socket.local, socket.remote)).collect();
        // the time of a record is the beginning of its interval
        let begin = self.last.unwrap_or(now);
        let mut seen = HashSet::new();
        for socket in sockets.iter().filter(|socket| socket.listening) {
            let pool = self.owners.get(&socket.inode).and_then(|pid| pools.of(*pid));
            let (process, name) = pool.map_or_else(Default::default, |pool| (pool.id.clone(), pool.executable.clone()));
            for (ip, wildcard) in addresses(socket.local, &links, &self.links) {
                let (ip, port) = (ip.to_string(), socket.local.1);
                let id = stable_name(&[machine, &process, &ip, &port.to_string(), "tcp"]);
                if !seen.insert(id.clone()) {
                    continue;
                }
                let at = |link: &&Link| link.0.1 == port && link.0.0.to_string() == ip;
                let live = links.iter().filter(at).count();
                let established = links.difference(&self.links).filter(at).count();
                let terminated = self.links.difference(&links).filter(at).count();
                let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
                out.table("VMBoundPort")
                    .row()
                    .datetime("TimeGenerated", begin)
                    .string("Computer", &origin.computer)
                    .string("AgentId", &origin.agent_id)
                    .string("Machine", machine)
                    .string("Process", &process)
                    .string("ProcessName", &name)
                    .string("Ip", &ip)
                    .int("Port", i32::from(port))
                    .string("Protocol", "tcp")
                    .string("PortId", &id)
                    .bool("IsWildcardBind", wildcard)
                    .long("LinksLive", count(live))
                    .long("LinksEstablished", count(established))
                    .long("LinksTerminated", count(terminated))
                    .string("SourceSystem", "Insights");
            }
        }
        self.links = links;
        self.last = Some(now);
    }

    /// Finds the processes of listening sockets: those that are known by their kept owner, the others by searching all
    /// descriptors once.
    fn find_owners(&mut self, sockets: &[Socket], pools: &Pools) {
        let mut listening: HashSet<u64> =
            sockets.iter().filter(|socket| socket.listening).map(|socket| socket.inode).collect();
        self.owners.retain(|inode, pid| listening.contains(inode) && pools.of(*pid).is_some());
        listening.retain(|inode| *inode != 0 && !self.owners.contains_key(inode));
        if listening.is_empty() {
            return;
        }
        let mut pids: Vec<i32> = pools.pids().collect();
        // the parent of workers that share a socket comes first
        pids.sort_unstable();
        for pid in pids {
            for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
                let Ok(target) = fs::read_link(entry.path()) else { continue };
                let inode = target
                    .to_str()
                    .and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok());
                if let Some(inode) = inode.filter(|inode| listening.remove(inode)) {
                    self.owners.insert(inode, pid);
                }
            }
            if listening.is_empty() {
                return;
            }
        }
    }
}

/// The addresses of a bound port's records: for a port on all addresses those that have connections, or the wildcard.
fn addresses(bound: (IpAddr, u16), links: &HashSet<Link>, before: &HashSet<Link>) -> Vec<(IpAddr, bool)> {
    if !bound.0.is_unspecified() {
        return vec![(bound.0, false)];
    }
    let fits = |ip: &IpAddr| bound.0.is_ipv6() || ip.is_ipv4();
    let mut active: Vec<IpAddr> =
        links.iter().chain(before).filter(|link| link.0.1 == bound.1 && fits(&link.0.0)).map(|link| link.0.0).collect();
    active.sort_unstable();
    active.dedup();
    if active.is_empty() { vec![(bound.0, true)] } else { active.into_iter().map(|ip| (ip, true)).collect() }
}

/// A line of `/proc/net/tcp` or `tcp6`: listening sockets and connections.
fn parse(line: &str) -> Option<Socket> {
    let mut fields = line.split_whitespace().skip(1);
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let state = fields.next()?;
    if state != LISTEN && state != ESTABLISHED {
        return None;
    }
    Some(Socket { local, remote, listening: state == LISTEN, inode: fields.nth(5)?.parse().ok()? })
}

/// Hexadecimal words in the machine's byte order, then the port.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |index: usize| {
        let digits = ip.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for index in 0..4 {
                bytes[index * 4..index * 4 + 4].copy_from_slice(&word(index)?);
            }
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some((ip, port))
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_families_are_read() {
        let line = "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1";
        let socket = parse(line).unwrap();
        assert_eq!((socket.local, socket.listening, socket.inode), (([127, 0, 0, 1].into(), 8080), true, 4711));
        let mapped = "0000000000000000FFFF00000201A8C0:0050";
        assert_eq!(address(mapped), Some(([192, 168, 1, 2].into(), 80)));
        assert_eq!(address("00000000000000000000000000000000:0016"), Some((Ipv6Addr::UNSPECIFIED.into(), 22)));
        for text in ["  sl  local_address rem_address   st", "", "1: XYZ:1 0:0 0A"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_port_on_all_addresses_has_records_of_the_addresses_that_are_used() {
        let (all, own, other): (IpAddr, IpAddr, IpAddr) =
            ([0, 0, 0, 0].into(), [10, 0, 0, 1].into(), [10, 0, 0, 9].into());
        let links = HashSet::from([((own, 80), (other, 5000)), ((own, 22), (other, 5001))]);
        let none = HashSet::new();
        assert_eq!(addresses((all, 80), &links, &none), [(own, true)]);
        assert_eq!(addresses((all, 80), &none, &links), [(own, true)]);
        assert_eq!(addresses((all, 81), &links, &none), [(all, true)]);
        assert_eq!(addresses((own, 80), &links, &none), [(own, false)]);
    }
}
