//! TCP sockets from the kernel by netlink (sock_diag(7)), with the counters of each (`struct tcp_info`); and the
//! messages that the kernel sends when a socket ends.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, sockopt};

/// States of TCP (`include/net/tcp_states.h`).
pub(crate) const SYN_SENT: u8 = 2;
pub(crate) const SYN_RECEIVED: u8 = 3;
pub(crate) const TIME_WAIT: u8 = 6;
pub(crate) const CLOSED: u8 = 7;
pub(crate) const CLOSE_WAIT: u8 = 8;
pub(crate) const LAST_ACK: u8 = 9;
pub(crate) const LISTEN: u8 = 10;
pub(crate) const CLOSING: u8 = 11;
pub(crate) const NEW_SYN_RECEIVED: u8 = 12;
/// A connection is open until both ends have ended: ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING.
pub(crate) const OPEN_STATES: [u8; 6] = [1, 4, 5, CLOSE_WAIT, LAST_ACK, CLOSING];

const BY_FAMILY: u16 = 20;
const DONE: u16 = 3;
const ERROR: u16 = 2;
const DUMP_REQUEST: u16 = 0x301;
const FAMILY_INET: u8 = 2;
const FAMILY_INET6: u8 = 10;
const PROTOCOL_TCP: u8 = 6;
/// The attribute with the counters, and its bit in a request.
const INFO: u16 = 2;
const WITH_INFO: u8 = 1 << (INFO - 1);
/// The multicast groups of TCP sockets that end: `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY`.
const DESTROYED: u32 = 1 << 0 | 1 << 2;
const HEADER: usize = 16;
const MESSAGE: usize = 72;
/// Room for messages that wait: about a second at 20,000 ends a second.
const WAITING_BYTES: usize = 16 << 20;
/// The kernel answers at once.
const ANSWER: Duration = Duration::from_secs(5);

/// A socket of TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Socket {
    /// The same for the life of the socket.
    pub(crate) id: u64,
    pub(crate) local: (IpAddr, u16),
    pub(crate) remote: (IpAddr, u16),
    pub(crate) state: u8,
    /// The socket's number in `/proc/PID/fd`; 0 when no process has it.
    pub(crate) inode: u64,
    pub(crate) info: Option<Info>,
}

/// The counters that matter here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Info {
    /// Bytes that the other side has confirmed; its answer to the first packet counts one.
    pub(crate) acknowledged: u64,
    /// Payload bytes; the end of the stream counts one.
    pub(crate) received: u64,
    /// Payload bytes, each once.
    pub(crate) sent: u64,
    /// Milliseconds since data was sent and since data came.
    pub(crate) since_sent: u32,
    pub(crate) since_received: u32,
}

/// A socket to the kernel's list of sockets.
#[derive(Debug)]
pub(crate) struct Diag {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Diag {
    /// Opens it in the network namespace of this process.
    ///
    /// # Errors
    /// When the kernel has no sock_diag or may not be asked.
    pub(crate) fn open() -> io::Result<Self> {
        Self::with_groups(0)
    }

    /// Opens it for messages about sockets that end, without waiting for them.
    ///
    /// # Errors
    /// Without the right `CAP_NET_ADMIN`.
    pub(crate) fn of_ends() -> io::Result<Self> {
        let diag = Self::with_groups(DESTROYED)?;
        // without the right to more the usual size has to do
        if sockopt::set_socket_recv_buffer_size_force(&diag.socket, WAITING_BYTES).is_err() {
            sockopt::set_socket_recv_buffer_size(&diag.socket, WAITING_BYTES)?;
        }
        Ok(diag)
    }

    fn with_groups(groups: u32) -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER))?;
        rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, groups))?;
        Ok(Self { socket, buffer: vec![0; 256 * 1024] })
    }

    /// All sockets of both families in one of these states.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn dump(&mut self, states: impl IntoIterator<Item = u8>) -> io::Result<Vec<Socket>> {
        let states = states.into_iter().fold(0_u32, |mask, state| mask | 1 << state);
        let mut found = Vec::new();
        for family in [FAMILY_INET, FAMILY_INET6] {
            let kernel = netlink::SocketAddrNetlink::new(0, 0);
            rustix::net::sendto(&self.socket, &request(family, states), SendFlags::empty(), &kernel)?;
            while !self.receive(RecvFlags::empty(), &mut found)? {}
        }
        Ok(found)
    }

    /// The sockets that ended and whose messages are there; `false` when messages were lost.
    ///
    /// # Errors
    /// When the kernel's messages cannot be read.
    pub(crate) fn ended(&mut self, found: &mut Vec<Socket>) -> io::Result<bool> {
        let mut complete = true;
        loop {
            match self.receive(RecvFlags::DONTWAIT, found) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(complete),
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => {
                    complete = false;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads one packet of messages; true when the answer ends with it.
    fn receive(&mut self, flags: RecvFlags, found: &mut Vec<Socket>) -> io::Result<bool> {
        let (_, length) = rustix::net::recv(&self.socket, self.buffer.as_mut_slice(), flags)?;
        let mut rest = self.buffer.get(..length).unwrap_or_default();
        while let Some((kind, body, after)) = message(rest) {
            match kind {
                DONE => return Ok(true),
                ERROR => {
                    let code = u32_at(body, 0).map_or(0, |code| (code as i32).saturating_neg());
                    return if code == 0 { Ok(true) } else { Err(io::Error::from_raw_os_error(code)) };
                }
                BY_FAMILY => found.extend(socket(body)),
                _ => {}
            }
            rest = after;
        }
        Ok(false)
    }

    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.socket.as_fd().try_clone_to_owned()
    }
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(family: u8, states: u32) -> [u8; MESSAGE] {
    let mut bytes = [0; MESSAGE];
    bytes[..4].copy_from_slice(&(MESSAGE as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&DUMP_REQUEST.to_ne_bytes());
    bytes[16..19].copy_from_slice(&[family, PROTOCOL_TCP, WITH_INFO]);
    bytes[20..24].copy_from_slice(&states.to_ne_bytes());
    bytes
}

/// The first message of a packet: its type, its body, what follows.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32_at(bytes, 0)? as usize;
    let body = bytes.get(HEADER..length)?;
    Some((u16_at(bytes, 4)?, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// `struct inet_diag_msg` with its attributes.
fn socket(body: &[u8]) -> Option<Socket> {
    let family = *body.first()?;
    let port = |at: usize| Some(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
    let address = |at: usize| match family {
        FAMILY_INET => {
            let bytes: [u8; 4] = body.get(at..at + 4)?.try_into().ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(bytes)))
        }
        FAMILY_INET6 => {
            let bytes: [u8; 16] = body.get(at..at + 16)?.try_into().ok()?;
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    };
    let cookie = u64::from(u32_at(body, 44)?) | u64::from(u32_at(body, 48)?) << 32;
    Some(Socket {
        id: cookie,
        local: (address(8)?, port(4)?),
        remote: (address(24)?, port(6)?),
        state: *body.get(1)?,
        inode: u64::from(u32_at(body, 68)?),
        info: attribute(body.get(MESSAGE..)?, INFO).and_then(info),
    })
}

fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(bytes, 0)?);
        let value = bytes.get(4..length)?;
        if u16_at(bytes, 2)? == wanted {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

/// `struct tcp_info` (`include/uapi/linux/tcp.h`); kernels before 4.19 do not count what was sent, then what was
/// confirmed stands for it.
fn info(bytes: &[u8]) -> Option<Info> {
    let acknowledged = u64_at(bytes, 120)?;
    let sent = match (u64_at(bytes, 200), u64_at(bytes, 208)) {
        (Some(sent), Some(again)) => sent.saturating_sub(again),
        _ => acknowledged,
    };
    Some(Info {
        acknowledged,
        received: u64_at(bytes, 128)?,
        sent,
        since_sent: u32_at(bytes, 44)?,
        since_received: u32_at(bytes, 52)?,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sockets_of_this_test_are_listed_with_their_bytes() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap();
            let mut client = TcpStream::connect(port).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            client.write_all(b"12345").unwrap();
            server.read_exact(&mut [0; 5]).unwrap();
            let sockets = Diag::open().unwrap().dump([1, LISTEN]).unwrap();
            let own = (port.ip(), port.port());
            assert!(sockets.iter().any(|one| one.state == LISTEN && one.local == own && one.inode != 0));
            let sent = sockets.iter().find(|one| one.remote == own).unwrap();
            assert_eq!(sent.info.unwrap().sent, 5);
            let got = sockets.iter().find(|one| one.local == own && one.state == 1).unwrap();
            assert_eq!(got.info.unwrap().received, 5);
            assert_ne!(sent.id, got.id);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut rest = bytes.as_slice();
            while let Some((_, body, after)) = message(rest) {
                let _ = socket(body);
                prop_assert!(after.len() < rest.len());
                rest = after;
            }
            let _ = socket(&bytes);
        }
    }
}
