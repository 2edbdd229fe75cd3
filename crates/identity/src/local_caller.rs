//! Which user of this machine is at the other end of a connection over the loopback interface. There are no credentials
//! on TCP sockets as there are on those of the file system; the kernel's list of connections names the owner of each end.

use std::net::{Ipv4Addr, SocketAddrV4};

/// A connection that is up, by the kernel's numbers.
const ESTABLISHED: &str = "01";

/// The user who owns the other end of the connection between `peer` and `own`, from the text of `/proc/net/tcp`.
///
/// Only an end that is up and still belongs to a process counts: of one that was closed the list says user 0, and
/// anybody could pass for root by closing.
pub fn owner(list: &str, peer: SocketAddrV4, own: SocketAddrV4) -> Option<u32> {
    let mut owners = list.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, state, _, _, _, user, _, inode, ..] = fields.as_slice() else { return None };
        let is_it = address(local)? == peer && address(remote)? == own;
        (is_it && *state == ESTABLISHED && *inode != "0").then(|| user.parse::<u32>().ok())?
    });
    let first = owners.next()?;
    // one connection has one such end; anything else is not understood and not believed
    owners.next().is_none().then_some(first)
}

/// `0100007F:1F90`: the address in the machine's byte order, the port.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (address, port) = text.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(address.to_ne_bytes()), port))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const LIST: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
         0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 20 4 30 10 -1\n\
         1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1\n\
         2: 0100007F:C351 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1\n\
         3: 0100007F:C352 0100007F:1F90 05 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 20 4 30 10 -1\n\
         4: 0100007F:C353 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1\n";

    fn local(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_other_end_has_an_owner_as_long_as_it_is_up() {
        assert_eq!(owner(LIST, local(50_000), local(8080)), Some(1000));
        for closed in [50_001, 50_002, 50_003, 50_004] {
            assert_eq!(owner(LIST, local(closed), local(8080)), None, "{closed}");
        }
        let twice = format!("{LIST}{}\n", LIST.lines().nth(2).unwrap());
        assert_eq!(owner(&twice, local(50_000), local(8080)), None);
        assert_eq!(owner("", local(50_000), local(8080)), None);
    }

    #[test]
    fn the_kernel_names_this_very_user() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (there, peer) = listener.accept().unwrap();
        here.write_all(b"x").unwrap();
        let (std::net::SocketAddr::V4(peer), std::net::SocketAddr::V4(own)) = (peer, there.local_addr().unwrap())
        else {
            panic!("both are of version 4")
        };
        let list = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let own_user = std::fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(owner(&list, peer, own), Some(own_user));
        drop(here);
        let list = std::fs::read_to_string("/proc/net/tcp").unwrap();
        assert_eq!(owner(&list, peer, own), None, "what is closed passes for nobody");
    }
}
