//! The names under which this machine knows other addresses, from the answers of DNS servers that come in over UDP. What
//! is asked over TCP, TLS or HTTPS, and in other network namespaces, is not seen.

mod message;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::sync::oneshot;

use self::message::Answer;
use super::readable::Readable;

/// Addresses that are kept; the oldest make room.
const MOST_ADDRESSES: usize = 10_000;
/// Names of an address that are kept.
const MOST_NAMES: usize = 8;
/// An address may have gone to somebody else after so long.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// The greatest answer over UDP (RFC 6891, 6.2.5).
const LARGEST: usize = 4096;
const UDP_HEADER: usize = 8;
const DNS: u16 = 53;

/// Names of an address, the newest last.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) questions: Vec<String>,
    pub(super) canonical: Vec<String>,
    seen: Instant,
}

/// All names, and the thread that listens for more; it ends with them.
pub(super) struct Names {
    known: Arc<Mutex<Table>>,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Table(HashMap<IpAddr, Known>);

impl Names {
    /// Listens for answers.
    ///
    /// # Errors
    /// Without the right `CAP_NET_RAW`.
    pub(super) fn start() -> io::Result<Self> {
        let sockets = [open(Domain::IPV4)?, open(Domain::IPV6)?];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let known = Arc::new(Mutex::new(Table::default()));
        let (stop, stopped) = oneshot::channel();
        let table = known.clone();
        std::thread::Builder::new().name("dns names".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let [ipv4, ipv6] = sockets;
                tokio::select! {
                    _ = stopped => {}
                    () = listen(ipv4, Domain::IPV4, &table) => {}
                    () = listen(ipv6, Domain::IPV6, &table) => {}
                }
            });
        })?;
        Ok(Self { known, _stop: stop })
    }

    /// The names of an address.
    pub(super) fn of(&self, address: IpAddr) -> Option<Known> {
        lock(&self.known).0.get(&address).filter(|known| known.seen.elapsed() < KEPT).cloned()
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    // a panic in the other thread leaves a table, not a broken structure
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket that gets the UDP packets of DNS servers alone: the kernel's filter looks at the source port.
fn open(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::RAW.nonblocking().cloexec(), Some(Protocol::UDP))?;
    socket.attach_filter(&filter(domain))?;
    Ok(socket)
}

/// Instructions of the classic packet filter: take the whole packet if its source port is that of DNS. An IPv4 packet
/// comes with its header, which has a length of its own; an IPv6 packet without.
fn filter(domain: Domain) -> Vec<SockFilter> {
    const LENGTH_OF_IPV4_HEADER_TO_X: u16 = 0xb1;
    const HALF_WORD_AT_X: u16 = 0x48;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let with_header = domain == Domain::IPV4;
    let length = if with_header { LENGTH_OF_IPV4_HEADER_TO_X } else { 0 };
    // 0 as an instruction is a load of a constant into the accumulator, which the next one overwrites; X begins as 0
    vec![
        SockFilter::new(length, 0, 0, 0),
        SockFilter::new(HALF_WORD_AT_X, 0, 0, 0),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, u32::from(DNS)),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

async fn listen(socket: Socket, domain: Domain, table: &Mutex<Table>) {
    let copy = socket.as_fd().try_clone_to_owned().and_then(Readable::new);
    let Ok(ready) = copy else { return std::future::pending().await };
    let mut buffer = vec![0; LARGEST + 128];
    while ready.wait().await.is_ok() {
        while let Ok((_, length)) = rustix::net::recv(&socket, buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
            let packet = buffer.get(..length).unwrap_or_default();
            if let Some(answer) = payload(domain, packet).and_then(message::parse) {
                lock(table).put(answer);
            }
        }
    }
    std::future::pending().await
}

/// The payload of a UDP packet from a DNS server.
fn payload(domain: Domain, packet: &[u8]) -> Option<&[u8]> {
    let header = if domain == Domain::IPV4 { usize::from(packet.first()? & 0x0f) * 4 } else { 0 };
    let datagram = packet.get(header..)?;
    let from = u16::from_be_bytes([*datagram.first()?, *datagram.get(1)?]);
    (from == DNS).then(|| datagram.get(UDP_HEADER..)).flatten()
}

impl Table {
    fn put(&mut self, answer: Answer) {
        let now = Instant::now();
        for address in answer.addresses {
            if self.0.len() >= MOST_ADDRESSES && !self.0.contains_key(&address) {
                self.make_room();
            }
            let known = self.0.entry(address).or_insert_with(|| Known {
                questions: Vec::new(),
                canonical: Vec::new(),
                seen: now,
            });
            known.seen = now;
            add(&mut known.questions, &answer.question);
            for name in &answer.canonical {
                add(&mut known.canonical, name);
            }
        }
    }

    /// Forgets the older half.
    fn make_room(&mut self) {
        let mut times: Vec<Instant> = self.0.values().map(|known| known.seen).collect();
        times.sort_unstable();
        if let Some(middle) = times.get(times.len() / 2).copied() {
            self.0.retain(|_, known| known.seen > middle);
        }
    }
}

fn add(names: &mut Vec<String>, name: &str) {
    if names.iter().any(|known| known == name) {
        return;
    }
    if names.len() == MOST_NAMES {
        names.remove(0);
    }
    names.push(name.to_owned());
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn the_table_has_bounds() {
        let mut table = Table::default();
        for number in 0..25_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            table.put(Answer { question: "a".to_owned(), canonical: Vec::new(), addresses: vec![address] });
        }
        assert!(table.0.len() <= MOST_ADDRESSES);
        let newest = IpAddr::from(24_999_u32.to_be_bytes());
        assert!(table.0.contains_key(&newest));
        for number in 0..20 {
            let question = format!("name{number}");
            table.put(Answer { question, canonical: Vec::new(), addresses: vec![newest] });
        }
        assert_eq!(table.0[&newest].questions.len(), MOST_NAMES);
        assert_eq!(table.0[&newest].questions.last().unwrap(), "name19");
    }

    #[test]
    fn an_answer_that_comes_in_gives_its_addresses_names() {
        let Ok(names) = Names::start() else {
            eprintln!("skipped: without CAP_NET_RAW answers cannot be seen");
            return;
        };
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        for server in ["127.0.0.53:53", "[::1]:53"] {
            let Ok(server) = UdpSocket::bind(server) else {
                eprintln!("skipped: {server} is taken");
                continue;
            };
            let client = if server.local_addr().unwrap().is_ipv4() {
                here.local_addr().unwrap()
            } else {
                "[::1]:9".parse().unwrap()
            };
            let address: IpAddr = "192.0.2.5".parse().unwrap();
            lock(&names.known).0.clear();
            let begun = Instant::now();
            while names.of(address).is_none() {
                assert!(begun.elapsed() < Duration::from_secs(60), "the answer was not seen");
                let _ = server.send_to(&message::tests::example(), client);
                std::thread::sleep(Duration::from_millis(20));
            }
            let known = names.of(address).unwrap();
            assert_eq!(known.questions, ["www.example.com"]);
            assert_eq!(known.canonical, ["edge.example.net"]);
        }
        // another port is no server
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        other.send_to(b"x", here.local_addr().unwrap()).unwrap();
        assert!(names.of("192.0.2.77".parse().unwrap()).is_none());
    }
}
