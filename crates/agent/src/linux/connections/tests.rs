//! The probes against real connections of this test.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::ebpf::Ebpf;
use super::flow::{Counts, Direction, Flow};
use super::netlink::Netlink;
use super::{Source, Taken};

/// How long a probe may take to see what has happened.
const LIMIT: Duration = Duration::from_secs(60);

/// Asks and answers once, then both sides end.
fn exchange(listener: &TcpListener, asked: &[u8], answered: &[u8]) {
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(asked).unwrap();
    server.read_exact(&mut vec![0; asked.len()]).unwrap();
    server.write_all(answered).unwrap();
    drop(server);
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got, answered);
}

/// What a source has seen of a port, in all.
#[derive(Default)]
struct Sum(std::collections::HashMap<Flow, Counts>);

impl Sum {
    fn add(&mut self, taken: Taken) {
        for counts in self.0.values_mut() {
            counts.live = 0;
        }
        for (flow, counts) in taken.window.flows {
            self.0.entry(flow).or_default().add(&counts);
        }
    }

    fn of(&self, end: SocketAddr, direction: Direction) -> (Counts, i32) {
        let mut sum = Counts::default();
        let mut pid = 0;
        let is = |flow: &Flow| {
            let served = if direction == Direction::Inbound { flow.local } else { flow.remote };
            flow.direction == direction && flow.port == end.port() && served == end.ip()
        };
        for (flow, counts) in self.0.iter().filter(|(flow, _)| is(flow)) {
            sum.add(counts);
            pid = flow.pid.max(pid);
        }
        (sum, pid)
    }

    fn wait(&mut self, source: &mut dyn Source, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        loop {
            self.add(source.take());
            if holds(self) {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{what}: {:?}", self.0);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn own() -> i32 {
    i32::try_from(std::process::id()).unwrap()
}

/// Short connections and one that stays, in both families, seen from both ends. What was received may differ by some bytes
/// a connection where the source cannot tell whether the end of the stream was counted as one.
fn sees_every_connection(source: &mut dyn Source, address: IpAddr, doubtful: u64) {
    const SHORT: u64 = 40;
    let listener = TcpListener::bind((address, 0)).unwrap();
    let end = listener.local_addr().unwrap();
    let mut sum = Sum::default();
    // the listener is known before its connections
    sum.add(source.take());
    for _ in 0..SHORT {
        exchange(&listener, b"question", b"the answer");
    }
    let mut staying = TcpStream::connect(end).unwrap();
    let (mut stays, _) = listener.accept().unwrap();
    staying.write_all(b"12345").unwrap();
    stays.read_exact(&mut [0; 5]).unwrap();
    sum.wait(source, "short connections", |sum| {
        [Direction::Inbound, Direction::Outbound].iter().all(|direction| {
            let (counts, _) = sum.of(end, *direction);
            counts.terminated >= SHORT && counts.live >= 1
        })
    });
    sum.add(source.take());
    for (direction, asked, answered) in [(Direction::Outbound, 8, 10), (Direction::Inbound, 10, 8)] {
        let (counts, pid) = sum.of(end, direction);
        assert_eq!((counts.established, counts.terminated, counts.failed), (SHORT + 1, SHORT, 0), "{direction:?}");
        assert_eq!((counts.live, pid), (1, own()), "{direction:?}");
        let (sent, received) = (SHORT * asked, SHORT * answered);
        // what went through the connection that stays may be told later
        let outbound = u64::from(direction == Direction::Outbound);
        assert!(counts.sent == sent || counts.sent == sent + 5 * outbound, "{direction:?} {counts:?}");
        let most = received + 5 * (1 - outbound);
        assert!((received - doubtful * SHORT..=most).contains(&counts.received), "{direction:?} {counts:?}");
        assert!(counts.responses.count > 0 && counts.responses.most < 60_000_000, "{direction:?} {counts:?}");
    }
    drop((staying, stays));
    sum.wait(source, "the end", |sum| {
        let (counts, _) = sum.of(end, Direction::Outbound);
        (counts.terminated, counts.live, counts.sent) == (SHORT + 1, 0, SHORT * 8 + 5)
    });
}

#[test]
fn netlink_counts_short_connections_between_two_looks() {
    let mut source = Netlink::start(Duration::from_secs(3600)).unwrap();
    if !source.ends_are_told() {
        eprintln!("skipped: without CAP_NET_ADMIN the kernel does not tell when connections end");
        return;
    }
    for address in ["127.0.0.1", "::1"] {
        sees_every_connection(&mut source, address.parse().unwrap(), 1);
    }
}

#[test]
fn ebpf_counts_every_connection() {
    let mut source = match Ebpf::start() {
        Ok(source) => source,
        Err(error) => {
            eprintln!("skipped: ebpf {error}");
            return;
        }
    };
    for address in ["127.0.0.1", "::1"] {
        sees_every_connection(&mut source, address.parse().unwrap(), 0);
    }
    // a connection that is refused, at once
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut sum = Sum::default();
    for _ in 0..7 {
        TcpStream::connect(closed).unwrap_err();
    }
    sum.wait(&mut source, "refused connections", |sum| sum.of(closed, Direction::Outbound).0.failed >= 7);
    let (counts, pid) = sum.of(closed, Direction::Outbound);
    assert_eq!((counts.failed, counts.established, counts.live, pid), (7, 0, 0, own()));
    assert_eq!(sum.of(closed, Direction::Inbound).0, Counts::default());
}

#[test]
fn ebpf_takes_over_the_connections_that_are_open() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(end).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"before").unwrap();
    server.read_exact(&mut [0; 6]).unwrap();
    let Ok(mut source) = Ebpf::start() else {
        eprintln!("skipped: ebpf cannot be loaded here");
        return;
    };
    let mut sum = Sum::default();
    sum.add(source.take());
    for direction in [Direction::Inbound, Direction::Outbound] {
        let (counts, pid) = sum.of(end, direction);
        assert_eq!((counts.live, counts.established, counts.sent, pid), (1, 0, 0, own()), "{direction:?}");
    }
    client.write_all(b"after").unwrap();
    server.read_exact(&mut [0; 5]).unwrap();
    drop((client, server));
    sum.wait(&mut source, "the end", |sum| sum.of(end, Direction::Outbound).0.terminated == 1);
    let (counts, _) = sum.of(end, Direction::Outbound);
    assert_eq!((counts.live, counts.established, counts.sent), (0, 0, 5));
}
