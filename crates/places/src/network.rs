//! Networks in CIDR notation, and what is known of them: the narrowest network that an address is in says it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// Bits of an IPv6 address, and of an IPv4 address in its place in them (RFC 4291, 2.5.5.2).
const BITS: u8 = 128;
const V4_BITS: u8 = 32;

/// A network: its first address, and how many of the leading bits are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    bits: u128,
    length: u8,
}

impl Network {
    /// `203.0.113.0/24`, `2001:db8::/32`, or one address.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let most = if address.is_ipv4() { V4_BITS } else { BITS };
        let length = length.unwrap_or(most);
        if length > most {
            return None;
        }
        Some(Network::of(bits_of(address), BITS - most + length))
    }

    fn of(bits: u128, length: u8) -> Network {
        let mask = u128::MAX.checked_shl(u32::from(BITS - length)).unwrap_or(0);
        Network { bits: bits & mask, length }
    }
}

/// An address in 128 bits; one of IPv4 is the same as the IPv6 address that it is mapped to.
fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// What is known of networks.
#[derive(Debug)]
pub struct Networks<T> {
    /// By length: an address is looked for once for each length that there is.
    by_length: BTreeMap<u8, HashMap<u128, T>>,
}

impl<T> Default for Networks<T> {
    fn default() -> Networks<T> {
        Networks { by_length: BTreeMap::new() }
    }
}

impl<T> Networks<T> {
    /// What was known of this very network before, if anything.
    pub fn insert(&mut self, network: Network, thing: T) -> Option<T> {
        self.by_length.entry(network.length).or_default().insert(network.bits, thing)
    }

    /// Of the narrowest network that the address is in.
    pub fn find(&self, address: IpAddr) -> Option<&T> {
        let bits = bits_of(address);
        self.by_length.iter().rev().find_map(|(length, networks)| networks.get(&Network::of(bits, *length).bits))
    }

    pub fn len(&self) -> usize {
        self.by_length.values().map(HashMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_network_says_it() {
        let mut networks = Networks::default();
        for text in ["0.0.0.0/0", "203.0.113.0/24", "203.0.113.7", "2001:db8::/32", "2001:db8::1"] {
            assert!(networks.insert(Network::parse(text).unwrap(), text).is_none());
        }
        assert_eq!(networks.len(), 5);
        for (address, expected) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("::ffff:203.0.113.7", Some("203.0.113.7")),
            ("203.0.113.8", Some("203.0.113.0/24")),
            ("198.51.100.1", Some("0.0.0.0/0")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("2001:db8::2", Some("2001:db8::/32")),
            ("2001:db9::2", None),
        ] {
            assert_eq!(networks.find(address.parse().unwrap()).copied(), expected, "{address}");
        }
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in
            ["", "a", "203.0.113.0/33", "203.0.113.0/-1", "203.0.113", "2001:db8::/129", "1.2.3.4/", "1.2.3.4/8/8"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
        assert_eq!(Network::parse("203.0.113.9/24"), Network::parse("203.0.113.0/24"));
    }
}
