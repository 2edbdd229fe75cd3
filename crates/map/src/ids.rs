//! Names of nodes and edges that are the same for the same thing in every window.

use std::net::IpAddr;

const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// A name of the same parts (FNV-1a, 128 bits, each part ended by a zero byte).
#[must_use]
pub fn stable(parts: &[&str]) -> String {
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    let mut text = String::with_capacity(32);
    text.extend(hash.to_be_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| HEX[usize::from(digit)]));
    text
}

/// An address as names of ports have it: hexadecimal digits.
#[must_use]
pub fn address_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{:08x}", address.to_bits()),
        IpAddr::V6(address) => format!("{:032x}", address.to_bits()),
    }
}

/// A process in the whole map. The name in `VMProcess` is unique within its machine only: the same program on two
/// machines has the same one.
#[must_use]
pub fn process_id(machine: &str, process: &str) -> String {
    format!("p-{}", stable(&[machine, process]))
}

/// The clients without an agent of a process and its port.
#[must_use]
pub fn client_group_id(machine: &str, process: &str, port: u16, protocol: &str) -> String {
    format!("cg-{}", stable(&[machine, process, &port.to_string(), protocol]))
}

/// The servers without an agent that are reached on a port.
#[must_use]
pub fn port_group_id(port: u16, protocol: &str) -> String {
    format!("pg-{protocol}-{port}")
}

/// An edge between two nodes.
#[must_use]
pub fn edge_id(source: &str, target: &str, port: u16, protocol: &str) -> String {
    format!("e-{}", stable(&[source, target, &port.to_string(), protocol]))
}
