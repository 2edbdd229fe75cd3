//! The layout of the maps of `program.c`, byte by byte.

use std::net::{IpAddr, Ipv6Addr};

use crate::linux::connections::flow::{Counts, Direction, Flow, Listener, Responses};

/// `struct flow`.
pub(super) type FlowKey = [u8; 44];
/// `struct counts`.
pub(super) type CountsValue = [u64; 10];
/// `struct listener`.
pub(super) type ListenerKey = [u8; 24];
/// `struct link`.
pub(super) type LinkValue = [u8; 88];

/// Where the direction, the epoch and the port of a flow are.
const DIRECTION: usize = 8;
const EPOCH: usize = 9;
const PORT: std::ops::Range<usize> = 10..12;
const OUTBOUND: u8 = 1;

/// The epoch that a flow was counted in.
pub(super) fn epoch(key: &FlowKey) -> u8 {
    key[EPOCH]
}

pub(super) fn flow(key: &FlowKey) -> Flow {
    let address = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&key[at..at + 16]);
        Ipv6Addr::from(octets).to_canonical()
    };
    Flow {
        namespace: u32::from_ne_bytes([key[0], key[1], key[2], key[3]]),
        pid: i32::from_ne_bytes([key[4], key[5], key[6], key[7]]),
        direction: if key[DIRECTION] == OUTBOUND { Direction::Outbound } else { Direction::Inbound },
        port: u16::from_ne_bytes([key[10], key[11]]),
        local: address(12),
        remote: address(28),
    }
}

fn flow_key(flow: &Flow) -> FlowKey {
    let mut key = [0; 44];
    key[..4].copy_from_slice(&flow.namespace.to_ne_bytes());
    key[4..8].copy_from_slice(&flow.pid.to_ne_bytes());
    key[DIRECTION] = u8::from(flow.direction == Direction::Outbound) * OUTBOUND;
    key[PORT].copy_from_slice(&flow.port.to_ne_bytes());
    key[12..28].copy_from_slice(&octets(flow.local));
    key[28..].copy_from_slice(&octets(flow.remote));
    key
}

/// IPv4 addresses are mapped into IPv6 (RFC 4291, 2.5.5.2).
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// A connection that was there before the program, with what went through it until now.
pub(super) fn link(flow: &Flow, sent: u64, received: u64) -> LinkValue {
    let mut value = [0; 88];
    value[..44].copy_from_slice(&flow_key(flow));
    value[48..56].copy_from_slice(&sent.to_ne_bytes());
    value[56..64].copy_from_slice(&received.to_ne_bytes());
    value
}

pub(super) fn listener_key(listener: &Listener) -> ListenerKey {
    let mut key = [0; 24];
    key[..4].copy_from_slice(&listener.namespace.to_ne_bytes());
    key[4..8].copy_from_slice(&u32::from(listener.port).to_ne_bytes());
    if !listener.address.is_unspecified() {
        key[8..].copy_from_slice(&octets(listener.address));
    }
    key
}

/// What was counted, and by how many the live connections changed.
pub(super) fn counts(value: &CountsValue) -> (Counts, i64) {
    let [live, established, terminated, failed, sent, received, responses, sum, least, most] = *value;
    // two processors that add at once may be seen between their two halves
    let bytes = |number: u64| u64::try_from(number as i64).unwrap_or(0);
    let responses = Responses {
        count: responses,
        sum: sum / 1000,
        least: if responses == 0 { 0 } else { !least / 1000 },
        most: most / 1000,
    };
    let counts =
        Counts { live: 0, established, terminated, failed, sent: bytes(sent), received: bytes(received), responses };
    (counts, live as i64)
}

/// `struct process`: its number, its user, its name.
pub(super) fn process(bytes: &[u8]) -> Option<(i32, u32, String)> {
    let number = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let name = bytes.get(8..24)?.split(|byte| *byte == 0).next()?;
    Some((i32::try_from(number(0)?).ok()?, number(4)?, String::from_utf8_lossy(name).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_read_as_it_was_written() {
        for (local, remote, direction) in
            [("10.0.0.1", "10.0.0.2", Direction::Inbound), ("2001:db8::1", "::1", Direction::Outbound)]
        {
            let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
            let one = Flow { namespace: 7, pid: 4711, direction, local, remote, port: 443 };
            assert_eq!(flow(&flow_key(&one)), one);
            let value = link(&one, 5, 6);
            assert_eq!(value[..44], flow_key(&one));
        }
    }

    #[test]
    fn counts_are_read_with_microseconds() {
        let (counts, live) = counts(&[u64::MAX, 2, 3, 1, 10, u64::MAX, 2, 5_000_000, !2_000_000, 3_000_000]);
        assert_eq!((live, counts.established, counts.terminated, counts.failed), (-1, 2, 3, 1));
        assert_eq!((counts.sent, counts.received), (10, 0));
        assert_eq!(counts.responses, Responses { count: 2, sum: 5000, least: 2000, most: 3000 });
    }
}
