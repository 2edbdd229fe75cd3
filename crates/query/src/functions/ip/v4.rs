//! IPv4 addresses as numbers with a prefix length.

use std::cmp::Ordering;

use serde_json::Value as Tree;

use super::{prefix_argument, split_prefix};
use crate::functions::frame::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Not masked.
    pub address: u32,
    pub prefix: u32,
}

/// An address, with or without a prefix.
pub fn read(text: &str) -> Option<Network> {
    let (address, prefix) = split_prefix(text, 32)?;
    Some(Network { address: address_of(address)?, prefix: prefix.unwrap_or(32) })
}

/// Four numbers up to 255.
pub fn address_of(text: &str) -> Option<u32> {
    let mut parts = 0;
    let mut address = 0u32;
    for part in text.split('.') {
        if part.is_empty() || part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        address = address << 8 | u32::from(part.parse::<u8>().ok()?);
        parts += 1;
        if parts > 4 {
            return None;
        }
    }
    (parts == 4).then_some(address)
}

pub fn mask(address: u32, prefix: u32) -> u32 {
    match prefix {
        0 => 0,
        prefix => address & u32::MAX << (32 - prefix.min(32)),
    }
}

pub fn print(address: u32) -> String {
    std::net::Ipv4Addr::from(address).to_string()
}

pub fn parse_value<'a>(args: &[Value<'a>]) -> Value<'a> {
    let network = read(args[0].text()).zip(prefix_argument(args.get(1), 32));
    Value::from_option(network, |(network, prefix)| {
        Value::Long(i64::from(mask(network.address, network.prefix.min(prefix))))
    })
}

/// Addresses are texts or numbers; empty where the address or the prefix cannot be read.
pub fn format_value<'a>(args: &[Value<'a>], with_prefix: bool) -> Value<'a> {
    let network = match &args[0] {
        Value::String(text) => read(text),
        Value::Dynamic(text) if text.starts_with('"') => read(&super::super::convert::print::text_of(&args[0])),
        other => {
            other.as_i64().and_then(|number| u32::try_from(number).ok()).map(|address| Network { address, prefix: 32 })
        }
    };
    let Some((network, prefix)) = network.zip(prefix_argument(args.get(1), 32)) else {
        return Value::string("");
    };
    let prefix = network.prefix.min(prefix);
    let address = print(mask(network.address, prefix));
    Value::string(if with_prefix { format!("{address}/{prefix}") } else { address })
}

/// Two addresses under the shortest of their prefixes and the given one.
pub fn order(args: &[Value<'_>]) -> Option<Ordering> {
    let (left, right) = (read(args[0].text())?, read(args[1].text())?);
    let prefix = prefix_argument(args.get(2), 32)?.min(left.prefix).min(right.prefix);
    Some(mask(left.address, prefix).cmp(&mask(right.address, prefix)))
}

pub fn is_in(address: &str, range: &str) -> Option<bool> {
    let (address, range) = (read(address)?, read(range)?);
    let prefix = range.prefix.min(address.prefix);
    Some(mask(address.address, prefix) == mask(range.address, prefix))
}

/// Whether the whole network lies in one of the private ranges of RFC 1918.
pub fn is_private(network: Network) -> bool {
    [(0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16)]
        .iter()
        .any(|(range, prefix)| network.prefix >= *prefix && mask(network.address, *prefix) == *range)
}

/// The fewest networks that hold exactly the addresses of the range.
pub fn range_to_cidrs<'a>(args: &[Value<'a>]) -> Value<'a> {
    let (Some(start), Some(end)) = (address_of(args[0].text()), address_of(args[1].text())) else {
        return Value::Null;
    };
    if start > end {
        return Value::Null;
    }
    let (mut at, end) = (u64::from(start), u64::from(end));
    let mut networks = Vec::new();
    while at <= end {
        let aligned = if at == 0 { 32 } else { at.trailing_zeros().min(32) };
        let fitting = (end - at + 1).ilog2();
        let bits = aligned.min(fitting);
        // `at` never passes `end`, which is a u32
        networks.push(Tree::String(format!("{}/{}", print(at as u32), 32 - bits)));
        at += 1 << bits;
    }
    Value::json(&Tree::Array(networks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn addresses_are_masked_by_the_shortest_prefix() {
        check(
            "parse_ipv4",
            &[
                (vec![string("127.0.0.1")], Value::Long(2_130_706_433)),
                (vec![string("192.1.168.2/24")], Value::Long(3_221_334_016)),
                (vec![string("1.2.3")], Value::Null),
                (vec![string("1.2.3.256")], Value::Null),
            ],
        );
        for (left, right, prefix, want) in [
            ("192.168.1.1", "192.168.1.0", 31, 0),
            ("192.168.1.1/24", "192.168.1.255", 31, 0),
            ("192.168.1.1", "192.168.1.255", 32, -1),
            ("10.0.0.2", "10.0.0.1", 32, 1),
        ] {
            check("ipv4_compare", &[(vec![string(left), string(right), Value::Long(prefix)], Value::Long(want))]);
        }
        check("ipv4_is_match", &[(vec![string("192.168.1.1/30"), string("192.168.1.255/24")], Value::Bool(true))]);
    }

    #[test]
    fn addresses_are_printed_with_and_without_prefix() {
        for (address, prefix, plain, masked) in [
            (string("192.168.1.1"), 24, "192.168.1.0", "192.168.1.0/24"),
            (string("192.168.1.1/24"), 32, "192.168.1.0", "192.168.1.0/24"),
            (string("192.168.1.1/24"), -1, "", ""),
            (Value::Long(3_232_236_034), 32, "192.168.2.2", "192.168.2.2/32"),
        ] {
            let args = vec![address, Value::Long(prefix)];
            check("format_ipv4", &[(args.clone(), string(plain))]);
            check("format_ipv4_mask", &[(args, string(masked))]);
        }
    }

    #[test]
    fn private_ranges_and_suffixes() {
        for (address, want) in [
            ("10.1.2.3", Value::Bool(true)),
            ("192.168.1.1/24", Value::Bool(true)),
            ("172.32.0.1", Value::Bool(false)),
            ("127.0.0.1", Value::Bool(false)),
            ("10.0.0.0/33", Value::Null),
        ] {
            check("ipv4_is_private", &[(vec![string(address)], want)]);
        }
        check(
            "ipv4_netmask_suffix",
            &[(vec![string("10.1.2.3")], Value::Long(32)), (vec![string("10.1.2.3/8")], Value::Long(8))],
        );
    }

    #[test]
    fn a_range_becomes_the_fewest_networks() {
        for (start, end, want) in [
            ("1.1.128.0", "1.1.140.255", r#"["1.1.128.0/21","1.1.136.0/22","1.1.140.0/24"]"#),
            ("0.0.0.0", "255.255.255.255", r#"["0.0.0.0/0"]"#),
            ("10.0.0.5", "10.0.0.5", r#"["10.0.0.5/32"]"#),
        ] {
            check("ipv4_range_to_cidr_list", &[(vec![string(start), string(end)], dynamic(want))]);
        }
    }
}
