//! What a probe counts: connections of a process with the same ends, folded.

use std::collections::HashMap;
use std::net::IpAddr;

/// Who opened a connection, as `VMConnection` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// Accepted on a listening socket.
    Inbound,
    /// Made by connecting.
    Outbound,
}

impl Direction {
    /// The value of the column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Connections that are counted together: all but the port of the end that connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    /// The network namespace, by its inode.
    pub(crate) namespace: u32,
    /// The process; 0 where it is not known.
    pub(crate) pid: i32,
    pub(crate) direction: Direction,
    pub(crate) local: IpAddr,
    pub(crate) remote: IpAddr,
    /// The destination's port: the remote one of an outbound connection, the local one of an inbound connection.
    pub(crate) port: u16,
}

/// Times from the last byte of a request to the last byte of its response, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Responses {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl Responses {
    /// One response after so many microseconds.
    pub(crate) fn one(time: u64) -> Self {
        Self { count: 1, sum: time, least: time, most: time }
    }

    pub(crate) fn add(&mut self, other: Self) {
        if other.count == 0 {
            return;
        }
        self.least = if self.count == 0 { other.least } else { self.least.min(other.least) };
        self.most = self.most.max(other.most);
        self.count += other.count;
        self.sum += other.sum;
    }
}

/// What happened to the connections of a flow in a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Open at the end of the window.
    pub(crate) live: u64,
    pub(crate) established: u64,
    pub(crate) terminated: u64,
    pub(crate) failed: u64,
    /// Payload bytes, without what was sent again.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) responses: Responses,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.live += other.live;
        self.established += other.established;
        self.terminated += other.terminated;
        self.failed += other.failed;
        self.sent += other.sent;
        self.received += other.received;
        self.responses.add(other.responses);
    }

    /// Whether there is nothing to report.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A port on which a process listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Listener {
    pub(crate) namespace: u32,
    /// The process; 0 where it is not known.
    pub(crate) pid: i32,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
}

impl Listener {
    /// Whether connections to this address and port end here. A socket on all IPv6 addresses takes IPv4 too
    /// (ipv6(7), `IPV6_V6ONLY`); one that does not is beside a socket on all IPv4 addresses.
    pub(crate) fn accepts(&self, namespace: u32, address: IpAddr, port: u16) -> bool {
        let all = self.address.is_unspecified() && (self.address.is_ipv6() || address.is_ipv4());
        self.namespace == namespace && self.port == port && (all || self.address == address)
    }
}

/// All that a probe saw since it was asked before.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) flows: HashMap<Flow, Counts>,
    pub(crate) listeners: Vec<Listener>,
    /// Events that were lost because more came than could be taken.
    pub(crate) lost: u64,
}

impl Window {
    /// The processes that had connections or listen.
    pub(crate) fn pids(&self) -> impl Iterator<Item = i32> {
        self.flows.keys().map(|flow| flow.pid).chain(self.listeners.iter().map(|listener| listener.pid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_and_the_longest_response_are_kept() {
        let mut responses = Responses::default();
        for time in [7000, 2000, 9000] {
            responses.add(Responses::one(time));
        }
        responses.add(Responses::default());
        assert_eq!(responses, Responses { count: 3, sum: 18_000, least: 2000, most: 9000 });
    }

    #[test]
    fn a_listener_on_all_addresses_accepts_what_its_family_can() {
        let on = |address: &str| Listener { namespace: 1, pid: 1, address: address.parse().unwrap(), port: 80 };
        for (listener, address, accepts) in [
            ("0.0.0.0", "10.0.0.1", true),
            ("0.0.0.0", "::1", false),
            ("::", "10.0.0.1", true),
            ("::", "2001:db8::1", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
        ] {
            assert_eq!(on(listener).accepts(1, address.parse().unwrap(), 80), accepts, "{listener} {address}");
            assert!(!on(listener).accepts(2, address.parse().unwrap(), 80));
            assert!(!on(listener).accepts(1, address.parse().unwrap(), 81));
        }
    }
}
