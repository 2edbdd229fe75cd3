//! Connections between two looks at the kernel's list: what began, what ended, what went through.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::diag::{self, Info, Socket};
use crate::linux::connections::flow::{Counts, Direction, Flow, Listener, Responses, Window};
use crate::linux::connections::owners::Owners;

/// Connections of a process to a destination, for sockets that ended before a look found their owner.
const REMEMBERED_DESTINATIONS: usize = 10_000;

/// What is known of a connection.
#[derive(Debug)]
struct Link {
    flow: Flow,
    connecting: bool,
    info: Option<Info>,
    /// The look that found it last.
    seen: u64,
}

/// All connections of all namespaces.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: HashMap<(u32, u64), Link>,
    listeners: Vec<Listener>,
    /// Who connected to a destination before.
    destinations: HashMap<(u32, IpAddr, u16), i32>,
    window: HashMap<Flow, Counts>,
    /// Ended since the last look: a list of sockets from before may still have them.
    ended: HashSet<(u32, u64)>,
    look: u64,
}

/// The sockets of a namespace at one moment.
pub(crate) struct Look<'a> {
    pub(crate) namespace: u32,
    pub(crate) sockets: &'a [Socket],
    /// The kernel tells when a socket ends, with its last counters.
    pub(crate) ends_are_told: bool,
}

impl Links {
    /// Takes a look at all namespaces. Connections that were there at the first look did not begin in the window.
    pub(crate) fn observe(&mut self, looks: &[Look<'_>], owners: &Owners) {
        self.look += 1;
        for look in looks {
            for socket in look.sockets.iter().filter(|socket| is_link(socket)) {
                self.observe_socket(look.namespace, socket, owners);
            }
        }
        self.end_missing(looks);
        self.ended.clear();
    }

    /// Who listens: to be told before the sockets that a look found, and those that have ended since.
    pub(crate) fn listen(&mut self, looks: &[Look<'_>], owners: &Owners) {
        let listening = looks.iter().flat_map(|look| look.sockets.iter().map(move |socket| (look.namespace, socket)));
        let listener = |(namespace, socket): (u32, &Socket)| Listener {
            namespace,
            pid: owners.of(socket.inode).unwrap_or(0),
            address: socket.local.0,
            port: socket.local.1,
        };
        self.listeners = listening.filter(|(_, socket)| socket.state == diag::LISTEN).map(listener).collect();
    }

    fn observe_socket(&mut self, namespace: u32, socket: &Socket, owners: &Owners) {
        let first = self.look == 1;
        let owner = owners.of(socket.inode);
        let key = (namespace, socket.id);
        if self.ended.contains(&key) {
            return;
        }
        if !self.links.contains_key(&key) {
            let flow = self.flow(namespace, socket, owner);
            let mut link = Link { flow, connecting: socket.state == diag::SYN_SENT, info: None, seen: self.look };
            if first {
                link.info = socket.info.map(|info| payload(info, socket.state));
            } else if !link.connecting {
                self.window.entry(flow).or_default().established += 1;
            }
            self.links.insert(key, link);
        }
        let Some(link) = self.links.get_mut(&key) else { return };
        link.seen = self.look;
        if let Some(owner) = owner.filter(|_| link.flow.pid == 0) {
            link.flow.pid = owner;
        }
        let counts = self.window.entry(link.flow).or_default();
        if link.connecting && socket.state != diag::SYN_SENT {
            link.connecting = false;
            counts.established += 1;
        }
        if let Some(info) = socket.info {
            progress(link, payload(info, socket.state), counts);
        }
        let flow = link.flow;
        if flow.direction == Direction::Outbound && flow.pid != 0 {
            self.remember_destination((namespace, flow.remote, flow.port), flow.pid);
        }
    }

    /// The flow of a socket that was not known. Who listens on the local port has accepted it.
    fn flow(&self, namespace: u32, socket: &Socket, owner: Option<i32>) -> Flow {
        let (local, remote) = (socket.local, socket.remote);
        let listener = self.listeners.iter().filter(|_| socket.state != diag::SYN_SENT);
        let listener = listener.filter(|one| one.accepts(namespace, local.0, local.1)).max_by_key(|one| one.pid);
        match listener {
            Some(listener) => Flow {
                namespace,
                pid: owner.unwrap_or(listener.pid),
                direction: Direction::Inbound,
                local: local.0,
                remote: remote.0,
                port: local.1,
            },
            None => Flow {
                namespace,
                pid: owner.or_else(|| self.destinations.get(&(namespace, remote.0, remote.1)).copied()).unwrap_or(0),
                direction: Direction::Outbound,
                local: local.0,
                remote: remote.0,
                port: remote.1,
            },
        }
    }

    /// Whether the direction of an ended socket cannot be told: it was not seen before, and neither is its port known as
    /// one that is listened on nor does it look like one that the kernel gives to those who connect.
    pub(crate) fn is_doubtful(&self, namespace: u32, socket: &Socket, given: &RangeInclusive<u16>) -> bool {
        is_ended_link(socket)
            && !self.links.contains_key(&(namespace, socket.id))
            && (!given.contains(&socket.local.1) || given.contains(&socket.remote.1))
            && !self.destinations.contains_key(&(namespace, socket.remote.0, socket.remote.1))
            && !self.listeners.iter().any(|one| one.accepts(namespace, socket.local.0, socket.local.1))
    }

    /// Remembers that a destination is one although nobody is known to connect to it.
    pub(crate) fn settle(&mut self, namespace: u32, socket: &Socket) {
        self.remember_destination((namespace, socket.remote.0, socket.remote.1), 0);
    }

    fn remember_destination(&mut self, destination: (u32, IpAddr, u16), pid: i32) {
        if self.destinations.len() >= REMEMBERED_DESTINATIONS {
            self.destinations.clear();
        }
        self.destinations.insert(destination, pid);
    }

    /// The kernel's message that a socket has ended.
    pub(crate) fn ended(&mut self, namespace: u32, socket: &Socket) {
        self.ended.insert((namespace, socket.id));
        let mut link = match self.links.remove(&(namespace, socket.id)) {
            Some(link) => link,
            None if is_ended_link(socket) => {
                let flow = self.flow(namespace, socket, None);
                Link { flow, connecting: true, info: None, seen: 0 }
            }
            None => return,
        };
        let counts = self.window.entry(link.flow).or_default();
        // the answer to the first packet of a connection counts one byte; who accepted has had that answer
        let answered = socket.info.is_some_and(|info| info.acknowledged > 0) && socket.remote.1 != 0;
        if link.connecting && link.flow.direction == Direction::Outbound && !answered {
            counts.failed += 1;
            return;
        }
        counts.established += u64::from(link.connecting);
        counts.terminated += 1;
        if let Some(info) = socket.info {
            // most connections end in order, and then the end of the stream is counted
            progress(&mut link, Info { received: info.received.saturating_sub(1), ..info }, counts);
        }
    }

    /// Ends what was not seen: at once, or at the second look where the kernel's message must still come.
    fn end_missing(&mut self, looks: &[Look<'_>]) {
        let told: HashSet<u32> = looks.iter().filter(|look| look.ends_are_told).map(|look| look.namespace).collect();
        let (look, window) = (self.look, &mut self.window);
        self.links.retain(|(namespace, _), link| {
            let patience = u64::from(told.contains(namespace));
            if link.seen + patience >= look {
                return true;
            }
            let counts = window.entry(link.flow).or_default();
            if link.connecting {
                counts.failed += 1;
            } else {
                counts.terminated += 1;
            }
            false
        });
    }

    /// What happened since the last call.
    pub(crate) fn take(&mut self) -> Window {
        let mut flows = std::mem::take(&mut self.window);
        for link in self.links.values().filter(|link| !link.connecting) {
            flows.entry(link.flow).or_default().live += 1;
        }
        flows.retain(|_, counts| !counts.is_empty());
        Window { flows, listeners: self.listeners.clone(), ..Window::default() }
    }
}

fn is_link(socket: &Socket) -> bool {
    let part_of_another = [diag::LISTEN, diag::CLOSED, diag::TIME_WAIT, diag::SYN_RECEIVED, diag::NEW_SYN_RECEIVED];
    !part_of_another.contains(&socket.state)
}

/// A socket that ended and was connected; one that could not connect has lost the port by then.
fn is_ended_link(socket: &Socket) -> bool {
    !socket.remote.0.is_unspecified() && socket.remote.1 != 0 && socket.local.1 != 0
}

/// Bytes without the end of the stream, which counts one.
pub(crate) fn payload(info: Info, state: u8) -> Info {
    let ended = [diag::CLOSE_WAIT, diag::LAST_ACK, diag::CLOSING].contains(&state);
    Info { received: info.received.saturating_sub(u64::from(ended)), ..info }
}

/// Adds what went through a connection since it was seen before.
fn progress(link: &mut Link, now: Info, counts: &mut Counts) {
    let before = link.info.unwrap_or_default();
    let sent = now.sent.saturating_sub(before.sent);
    let received = now.received.saturating_sub(before.received);
    counts.sent += sent;
    counts.received += received;
    // one response a look can be told: the last one
    let (asked, answered, since_asked, since_answered) = match link.flow.direction {
        Direction::Outbound => (now.sent, received, now.since_sent, now.since_received),
        Direction::Inbound => (now.received, sent, now.since_received, now.since_sent),
    };
    if asked > 0 && answered > 0 && since_answered <= since_asked {
        counts.responses.add(Responses::one(u64::from(since_asked - since_answered) * 1000));
    }
    link.info = Some(now);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(id: u64, local: &str, remote: &str, state: u8) -> Socket {
        let end = |text: &str| {
            let end: std::net::SocketAddr = text.parse().unwrap();
            (end.ip(), end.port())
        };
        Socket { id, local: end(local), remote: end(remote), state, inode: id, info: Some(Info::default()) }
    }

    fn with(mut socket: Socket, acknowledged: u64, sent: u64, received: u64) -> Socket {
        socket.info = Some(Info { acknowledged, sent, received, since_sent: 30, since_received: 10 });
        socket
    }

    fn look(links: &mut Links, sockets: &[Socket]) -> Window {
        let looks = [Look { namespace: 1, sockets, ends_are_told: true }];
        links.listen(&looks, &Owners::default());
        links.observe(&looks, &Owners::default());
        links.take()
    }

    fn only(window: &Window) -> (Flow, Counts) {
        assert_eq!(window.flows.len(), 1, "{window:?}");
        window.flows.iter().map(|(flow, counts)| (*flow, *counts)).next().unwrap()
    }

    const LISTENER: (&str, &str) = ("0.0.0.0:80", "0.0.0.0:0");
    const SERVED: (&str, &str) = ("10.0.0.1:80", "10.0.0.9:5000");

    #[test]
    fn a_connection_from_before_is_live_and_counts_from_then_on() {
        let mut links = Links::default();
        let listener = socket(1, LISTENER.0, LISTENER.1, diag::LISTEN);
        let served = socket(2, SERVED.0, SERVED.1, 1);
        let first = look(&mut links, &[listener.clone(), with(served.clone(), 0, 500, 500)]);
        let (flow, counts) = only(&first);
        assert_eq!((flow.direction, flow.port), (Direction::Inbound, 80));
        assert_eq!(counts, Counts { live: 1, ..Counts::default() });
        let second = look(&mut links, &[listener.clone(), with(served.clone(), 0, 600, 500)]);
        assert_eq!((only(&second).1.sent, only(&second).1.established), (100, 0));
        // gone: its message may still come, then it is counted once
        assert_eq!(only(&look(&mut links, std::slice::from_ref(&listener))).1.live, 1);
        links.ended(1, &with(served, 0, 700, 501));
        let third = look(&mut links, &[listener]);
        let (_, counts) = only(&third);
        assert_eq!((counts.live, counts.terminated, counts.sent, counts.received), (0, 1, 100, 0));
    }

    #[test]
    fn a_connection_between_two_looks_is_counted_from_the_message_of_its_end() {
        let mut links = Links::default();
        let listener = socket(1, LISTENER.0, LISTENER.1, diag::LISTEN);
        assert!(look(&mut links, std::slice::from_ref(&listener)).flows.is_empty());
        links.ended(1, &with(socket(7, SERVED.0, SERVED.1, diag::CLOSED), 0, 10, 21));
        links.ended(1, &with(socket(8, "10.0.0.1:4000", "10.0.0.2:5432", diag::CLOSED), 11, 10, 21));
        // sockets that never were connections
        links.ended(1, &with(socket(9, LISTENER.0, LISTENER.1, diag::CLOSED), 0, 0, 0));
        links.ended(1, &with(socket(10, "0.0.0.0:4000", "10.0.0.2:0", diag::CLOSED), 0, 0, 0));
        let window = look(&mut links, &[listener]);
        assert_eq!(window.flows.len(), 2);
        for (flow, counts) in &window.flows {
            assert_eq!((counts.established, counts.terminated, counts.failed, counts.live), (1, 1, 0, 0));
            assert_eq!((counts.sent, counts.received), (10, 20));
            let outbound = flow.direction == Direction::Outbound;
            assert_eq!(flow.port, if outbound { 5432 } else { 80 });
            // sent 30 ms ago and received 10 ms ago: an answer to who asked, no answer of who was asked
            assert_eq!(counts.responses.count, u64::from(outbound));
        }
    }

    #[test]
    fn a_direction_is_doubtful_until_it_is_known_who_listens() {
        let mut links = Links::default();
        let given = 32768..=60999;
        let served = socket(7, "10.0.0.1:40000", "10.0.0.9:50000", diag::CLOSED);
        assert!(links.is_doubtful(1, &served, &given));
        assert!(!links.is_doubtful(1, &socket(8, "10.0.0.1:40000", "10.0.0.9:443", diag::CLOSED), &given));
        assert!(links.is_doubtful(1, &socket(8, "10.0.0.1:80", "10.0.0.9:50000", diag::CLOSED), &given));
        let listener = [socket(1, "0.0.0.0:40000", LISTENER.1, diag::LISTEN)];
        links.listen(&[Look { namespace: 1, sockets: &listener, ends_are_told: true }], &Owners::default());
        assert!(!links.is_doubtful(1, &served, &given));
        let other = socket(9, "10.0.0.1:41000", "10.0.0.9:50000", diag::CLOSED);
        assert!(links.is_doubtful(1, &other, &given));
        links.settle(1, &other);
        assert!(!links.is_doubtful(1, &other, &given));
    }

    #[test]
    fn a_connection_that_nobody_answered_has_failed() {
        let mut links = Links::default();
        look(&mut links, &[]);
        let trying = socket(3, "10.0.0.1:4001", "192.0.2.1:443", diag::SYN_SENT);
        assert!(look(&mut links, std::slice::from_ref(&trying)).flows.is_empty());
        links.ended(1, &socket(3, "0.0.0.0:4001", "192.0.2.1:0", diag::CLOSED));
        let (flow, counts) = only(&links.take());
        assert_eq!((flow.port, counts.failed, counts.established), (443, 1, 0));
        // without messages: gone at the next look
        let again = Socket { id: 4, ..trying };
        links.observe(&[Look { namespace: 1, sockets: &[again], ends_are_told: false }], &Owners::default());
        links.observe(&[Look { namespace: 1, sockets: &[], ends_are_told: false }], &Owners::default());
        assert_eq!(only(&links.take()).1.failed, 1);
    }
}
