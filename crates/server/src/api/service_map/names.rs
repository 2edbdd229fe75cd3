//! Names of resources, as the examples of the API's specification have them, and what they name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use watchkeeper_map::address_name;

/// A process by its machine and its name there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ProcessName {
    pub machine: String,
    pub name: String,
}

impl ProcessName {
    /// Whoever accepts on a port of a machine, where no agent says who: `ts-m@MACHINE@b@PORT`.
    pub fn acceptor(port: &PortName) -> ProcessName {
        ProcessName { machine: port.machine.clone(), name: format!("ts-m@{}@b@{}", port.machine, port.name()) }
    }
}

/// A port by its machine, address and number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PortName {
    pub machine: String,
    pub address: IpAddr,
    pub port: u16,
}

impl PortName {
    /// `b-ADDRESS_PORT`, the address in hexadecimal digits.
    pub fn name(&self) -> String {
        format!("b-{}_{}", address_name(self.address), self.port)
    }

    pub fn read(machine: &str, name: &str) -> Option<PortName> {
        let (address, port) = name.strip_prefix("b-")?.split_once('_')?;
        Some(PortName { machine: machine.to_owned(), address: read_address(address)?, port: port.parse().ok()? })
    }
}

/// A machine without an agent: `t-ADDRESS`.
pub(super) fn discovered_machine(address: IpAddr) -> String {
    format!("t-{}", address_name(address))
}

/// The address of a machine without an agent.
pub(super) fn discovered_address(machine: &str) -> Option<IpAddr> {
    read_address(machine.strip_prefix("t-")?)
}

fn read_address(digits: &str) -> Option<IpAddr> {
    match digits.len() {
        8 => u32::from_str_radix(digits, 16).ok().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        32 => u128::from_str_radix(digits, 16).ok().map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        _ => None,
    }
}

/// Clients without an agent of a machine, of one of its processes, or of one of its ports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ClientsOf {
    Machine(String),
    Process(ProcessName),
    Port(PortName),
}

impl ClientsOf {
    /// Reads `m!MACHINE`, `m!MACHINE!p!PROCESS` or `m!MACHINE!b!PORT`.
    pub fn read(name: &str) -> Option<ClientsOf> {
        let rest = name.strip_prefix("m!")?;
        let Some((machine, rest)) = rest.split_once('!') else {
            return (!rest.is_empty()).then(|| ClientsOf::Machine(rest.to_owned()));
        };
        match rest.split_once('!')? {
            ("p", name) if !name.is_empty() => {
                Some(ClientsOf::Process(ProcessName { machine: machine.to_owned(), name: name.to_owned() }))
            }
            ("b", name) => PortName::read(machine, name).map(ClientsOf::Port),
            _ => None,
        }
    }
}

impl fmt::Display for ClientsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientsOf::Machine(machine) => write!(f, "m!{machine}"),
            ClientsOf::Process(process) => write!(f, "m!{}!p!{}", process.machine, process.name),
            ClientsOf::Port(port) => write!(f, "m!{}!b!{}", port.machine, port.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["m!m-1", "m!m-1!p!p-2", "m!m-1!b!b-c0a8010a_8000", "m!m-1!b!b-00000000000000000000000000000001_80"]
        {
            assert_eq!(ClientsOf::read(name).map(|read| read.to_string()).as_deref(), Some(name));
        }
        for name in ["", "m!", "m-1", "m!m-1!", "m!m-1!p!", "m!m-1!x!y", "m!m-1!b!b-zz_1", "m!m-1!b!b-c0a8010a_70000"] {
            assert_eq!(ClientsOf::read(name), None, "{name}");
        }
        let port = PortName::read("t-0a0a0a0a", "b-0a0a0a0a_8880").unwrap();
        assert_eq!(ProcessName::acceptor(&port).name, "ts-m@t-0a0a0a0a@b@b-0a0a0a0a_8880");
        assert_eq!(discovered_address(&discovered_machine(port.address)), Some(port.address));
    }
}
