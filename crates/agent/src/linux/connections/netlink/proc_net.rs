//! TCP sockets of another network namespace, from the files of a process in it: without counters.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::diag::Socket;

/// The sockets of the network namespace that a process lives in.
pub(crate) fn sockets(pid: i32) -> Vec<Socket> {
    let files = ["tcp", "tcp6"].map(|name| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default());
    files.iter().flat_map(|text| text.lines().filter_map(parse)).collect()
}

/// A line of `/proc/net/tcp` or `tcp6` (proc(5)). Sockets that no process has any more have no number and are left out.
fn parse(line: &str) -> Option<Socket> {
    let mut fields = line.split_whitespace().skip(1);
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let inode = fields.nth(5)?.parse().ok().filter(|inode| *inode != 0)?;
    Some(Socket { id: inode, local, remote, state, inode, info: None })
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
    use crate::linux::connections::netlink::diag::LISTEN;

    #[test]
    fn lines_of_both_families_are_read() {
        let line = "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1";
        let socket = parse(line).unwrap();
        assert_eq!((socket.local, socket.state, socket.inode), (([127, 0, 0, 1].into(), 8080), LISTEN, 4711));
        let mapped = "0000000000000000FFFF00000201A8C0:0050";
        assert_eq!(address(mapped), Some(([192, 168, 1, 2].into(), 80)));
        assert_eq!(address("00000000000000000000000000000000:0016"), Some((Ipv6Addr::UNSPECIFIED.into(), 22)));
        for text in ["  sl  local_address rem_address   st", "", "1: XYZ:1 0:0 0A"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
