//! IP addresses and networks. An address may carry a prefix (`10.0.0.1/8`), which masks it; what is not an address
//! gives null.

pub mod find;
pub mod places;
mod v4;
mod v6;

use watchkeeper_kql::Type;

use super::frame::{Function, Returns, Value, json};
use super::text::item_text;

const BOOL: Returns = Returns::Always(Type::Bool);
const LONG: Returns = Returns::Always(Type::Long);
const STRING: Returns = Returns::Always(Type::String);
const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] = &[
    Function::row("parse_ipv4", 1, 1, LONG, |_, args| v4::parse_value(args)),
    Function::row("parse_ipv4_mask", 2, 2, LONG, |_, args| v4::parse_value(args)),
    Function::row_with_nulls("format_ipv4", 1, 2, STRING, |_, args| v4::format_value(args, false)),
    Function::row_with_nulls("format_ipv4_mask", 1, 2, STRING, |_, args| v4::format_value(args, true)),
    Function::row("ipv4_compare", 2, 3, LONG, |_, args| {
        Value::from_option(v4::order(args), |order| Value::Long(order as i64))
    }),
    Function::row("ipv4_is_match", 2, 3, BOOL, |_, args| {
        Value::from_option(v4::order(args), |order| Value::Bool(order.is_eq()))
    }),
    Function::row("ipv4_is_in_range", 2, 2, BOOL, |_, args| in_any(args, v4::is_in)),
    Function::row("ipv4_is_in_any_range", 2, usize::MAX, BOOL, |_, args| in_any(args, v4::is_in)),
    Function::row("ipv4_netmask_suffix", 1, 1, LONG, |_, args| {
        Value::from_option(v4::read(args[0].text()), |network| Value::Long(i64::from(network.prefix)))
    }),
    Function::row("ipv4_is_private", 1, 1, BOOL, |_, args| {
        Value::from_option(v4::read(args[0].text()), |network| Value::Bool(v4::is_private(network)))
    }),
    Function::row("ipv4_range_to_cidr_list", 2, 2, DYNAMIC, |_, args| v4::range_to_cidrs(args)),
    Function::row("parse_ipv6", 1, 1, STRING, |_, args| v6::parse_value(args)),
    Function::row("parse_ipv6_mask", 2, 2, STRING, |_, args| v6::parse_value(args)),
    Function::row("ipv6_compare", 2, 3, LONG, |_, args| {
        Value::from_option(v6::order(args), |order| Value::Long(order as i64))
    }),
    Function::row("ipv6_is_match", 2, 3, BOOL, |_, args| {
        Value::from_option(v6::order(args), |order| Value::Bool(order.is_eq()))
    }),
    Function::row("ipv6_is_in_range", 2, 2, BOOL, |_, args| in_any(args, v6::is_in)),
    Function::row("ipv6_is_in_any_range", 2, usize::MAX, BOOL, |_, args| in_any(args, v6::is_in)),
];

/// The texts of the arguments after the first; arrays count item by item.
fn texts(args: &[Value<'_>]) -> Vec<String> {
    args[1..]
        .iter()
        .flat_map(|arg| match json::array_of(arg) {
            Some(items) => items.iter().map(item_text).collect(),
            None => vec![super::convert::print::text_of(arg).into_owned()],
        })
        .collect()
}

/// True where one range holds the address; null where none does and the address or a range cannot be read.
fn in_any<'a>(args: &[Value<'a>], is_in: fn(&str, &str) -> Option<bool>) -> Value<'a> {
    let mut readable = true;
    for range in texts(args) {
        match is_in(args[0].text(), &range) {
            Some(true) => return Value::Bool(true),
            Some(false) => {}
            None => readable = false,
        }
    }
    if readable { Value::Bool(false) } else { Value::Null }
}

/// Splits `address/prefix`; none where the prefix is not a number up to `most`.
fn split_prefix(text: &str, most: u32) -> Option<(&str, Option<u32>)> {
    match text.trim().split_once('/') {
        Some((address, prefix)) => {
            let prefix = prefix.parse::<u32>().ok().filter(|prefix| *prefix <= most)?;
            Some((address, Some(prefix)))
        }
        None => Some((text.trim(), None)),
    }
}

/// The optional prefix argument: none where it is out of range.
fn prefix_argument(arg: Option<&Value<'_>>, most: u32) -> Option<u32> {
    match arg {
        None => Some(most),
        Some(value) => u32::try_from(value.as_i64()?).ok().filter(|prefix| *prefix <= most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn a_range_out_of_many_is_enough() {
        let ranges = dynamic(r#"["192.168.1.1/16","127.0.0.1/8","10.0.0.1/8"]"#);
        check(
            "ipv4_is_in_any_range",
            &[
                (vec![string("10.1.2.3"), ranges.clone()], Value::Bool(true)),
                (vec![string("123.1.11.21"), ranges.clone()], Value::Bool(false)),
                (vec![string("x"), ranges], Value::Null),
                (vec![string("192.168.1.6"), string("nonsense"), string("192.168.1.1/24")], Value::Bool(true)),
            ],
        );
        check(
            "ipv6_is_in_any_range",
            &[(
                vec![
                    string("a5e:f127:8a9d:146d:e102:b5d3:c755:abcd"),
                    dynamic(r#"["a5e:f127:8a9d:146d:e102:b5d3:c755:f6cd/112"]"#),
                ],
                Value::Bool(true),
            )],
        );
    }
}
