//! IPv4 addresses within longer texts: `has_ipv4` and its kin.

use watchkeeper_kql::Type;

use super::{texts, v4};
use crate::functions::convert::print::text_of;
use crate::functions::frame::{Function, Returns, Value};

const BOOL: Returns = Returns::Always(Type::Bool);

pub const FUNCTIONS: &[Function] = &[
    Function::row("has_ipv4", 2, 2, BOOL, |_, args| holds(args, matches_address)),
    Function::row("has_any_ipv4", 2, usize::MAX, BOOL, |_, args| holds(args, matches_address)),
    Function::row("has_ipv4_prefix", 2, 2, BOOL, |_, args| holds(args, matches_prefix)),
    Function::row("has_any_ipv4_prefix", 2, usize::MAX, BOOL, |_, args| holds(args, matches_prefix)),
];

fn holds<'a>(args: &[Value<'a>], matches: fn(&str, &str) -> bool) -> Value<'a> {
    let wanted = texts(args);
    let text = text_of(&args[0]);
    let mut found = addresses(&text);
    Value::Bool(found.any(|address| wanted.iter().any(|wanted| matches(address, wanted))))
}

/// Addresses with neither a letter nor a digit next to them.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '.')
        .map(|word| word.trim_matches('.'))
        .filter(|word| v4::address_of(word).is_some())
}

fn matches_address(address: &str, wanted: &str) -> bool {
    v4::address_of(wanted).is_some_and(|wanted| v4::address_of(address) == Some(wanted))
}

/// A prefix is a whole address, or one to three numbers each with a dot after it.
fn matches_prefix(address: &str, wanted: &str) -> bool {
    let Some(numbers) = wanted.strip_suffix('.') else {
        return matches_address(address, wanted);
    };
    let count = numbers.split('.').count();
    count <= 3
        && v4::address_of(&(numbers.to_owned() + &".0".repeat(4 - count))).is_some()
        && address.starts_with(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn addresses_stand_alone_in_the_text() {
        let log = "05:04:54 127.0.0.1 GET /x 404, from 10.1.2.3.";
        for (function, text, wanted, want) in [
            ("has_ipv4", log, string("127.0.0.1"), true),
            ("has_ipv4", log, string("10.1.2.3"), true),
            ("has_ipv4", "05:04:54127.0.0.1 GET", string("127.0.0.1"), false),
            ("has_ipv4", "a 127.0.0.256", string("127.0.0.256"), false),
            ("has_ipv4_prefix", log, string("127.0."), true),
            ("has_ipv4_prefix", log, string("127.0"), false),
            ("has_ipv4_prefix", log, string("127.0.0.1"), true),
            ("has_ipv4_prefix", "v127.0.0.1", string("127."), false),
            ("has_any_ipv4", log, dynamic(r#"["1.1.1.1","10.1.2.3"]"#), true),
            ("has_any_ipv4_prefix", log, dynamic(r#"["192.","11."]"#), false),
        ] {
            check(function, &[(vec![string(text), wanted], Value::Bool(want))]);
        }
    }
}
