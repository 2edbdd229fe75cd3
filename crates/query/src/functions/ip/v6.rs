//! IPv6 addresses. IPv4 addresses count as the last 32 bits of `::ffff:0:0/96`, also where they are written as the
//! end of an IPv6 address.

use std::cmp::Ordering;
use std::net::Ipv6Addr;

use super::{prefix_argument, split_prefix, v4};
use crate::functions::frame::Value;

const MAPPED: u128 = 0xffff_0000_0000;

fn read(text: &str) -> Option<(u128, u32)> {
    let (address, prefix) = split_prefix(text, 128)?;
    let dotted = match address.rsplit_once(':') {
        None => v4::address_of(address).map(u128::from),
        Some((before, last)) if last.contains('.') => {
            let number = u128::from(address.parse::<Ipv6Addr>().ok()?);
            let inner = u128::from(v4::address_of(last)?);
            let embedded = number == inner || number == MAPPED | inner;
            (embedded && !before.is_empty()).then_some(inner)
        }
        Some(_) => None,
    };
    match dotted {
        Some(inner) => {
            let prefix = match prefix {
                Some(prefix) if prefix <= 32 => prefix + 96,
                Some(prefix) => prefix,
                None => 128,
            };
            Some((MAPPED | inner, prefix))
        }
        None => {
            let number = u128::from(address.parse::<Ipv6Addr>().ok()?);
            Some((number, prefix.unwrap_or(128)))
        }
    }
}

fn mask(address: u128, prefix: u32) -> u128 {
    match prefix {
        0 => 0,
        prefix => address & u128::MAX << (128 - prefix.min(128)),
    }
}

/// Eight groups of four digits; empty where the text is not an address.
pub fn parse_value<'a>(args: &[Value<'a>]) -> Value<'a> {
    let Some(((address, own), prefix)) = read(args[0].text()).zip(prefix_argument(args.get(1), 128)) else {
        return Value::string("");
    };
    let groups: Vec<String> =
        Ipv6Addr::from(mask(address, own.min(prefix))).segments().iter().map(|group| format!("{group:04x}")).collect();
    Value::string(groups.join(":"))
}

/// Two addresses under the shortest of their prefixes and the given one.
pub fn order(args: &[Value<'_>]) -> Option<Ordering> {
    let (left, right) = (read(args[0].text())?, read(args[1].text())?);
    let prefix = prefix_argument(args.get(2), 128)?.min(left.1).min(right.1);
    Some(mask(left.0, prefix).cmp(&mask(right.0, prefix)))
}

pub fn is_in(address: &str, range: &str) -> Option<bool> {
    let (address, range) = (read(address)?, read(range)?);
    let prefix = range.1.min(address.1);
    Some(mask(address.0, prefix) == mask(range.0, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, string};

    #[test]
    fn addresses_are_written_in_full() {
        for (text, prefix, want) in [
            ("192.168.255.255", 120, "0000:0000:0000:0000:0000:ffff:c0a8:ff00"),
            ("192.168.255.255/24", 124, "0000:0000:0000:0000:0000:ffff:c0a8:ff00"),
            ("::192.168.255.255/24", 128, "0000:0000:0000:0000:0000:ffff:c0a8:ff00"),
            ("fe80::85d:e82c:9446:7994/120", 124, "fe80:0000:0000:0000:085d:e82c:9446:7900"),
            ("fe80::zz", 124, ""),
        ] {
            check("parse_ipv6_mask", &[(vec![string(text), Value::Long(prefix)], string(want))]);
        }
    }

    #[test]
    fn addresses_of_both_kinds_compare() {
        for (left, right, want) in [
            ("192.168.1.1/24", "::ffff:c0a8:01ff", Value::Long(0)),
            ("::192.168.1.1/30", "192.168.1.255/24", Value::Long(0)),
            ("fe80::85d:e82c:9446:7994", "fe80::85d:e82c:9446:7995", Value::Long(-1)),
            ("x", "fe80::1", Value::Null),
        ] {
            check("ipv6_compare", &[(vec![string(left), string(right)], want)]);
        }
    }
}
