//! Functions that take a text of a known format apart: URLs, paths, CSV records, command lines, versions, XML and
//! user agents.

mod agent;
mod command;
mod path;
mod url;
mod xml;

use serde_json::Value as Tree;
use watchkeeper_kql::Type;

use super::convert::print::text_of;
use super::frame::{Call, Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] = &[
    Function::row("parse_url", 1, 1, DYNAMIC, |_, args| url::parse(args[0].text())),
    Function::row("parse_urlquery", 1, 1, DYNAMIC, |_, args| url::parse_query(args[0].text())),
    Function::row("parse_path", 1, 1, DYNAMIC, |_, args| path::parse(args[0].text())),
    Function::row("parse_csv", 1, 1, DYNAMIC, |_, args| Value::json(&Tree::from(first_record(args[0].text())))),
    Function::row("parse_command_line", 2, 2, DYNAMIC, |_, args| {
        if !args[1].text().eq_ignore_ascii_case("windows") {
            return Value::Null;
        }
        Value::json(&Tree::from(command::windows_arguments(&text_of(&args[0]))))
    }),
    Function::row("parse_version", 1, 1, Returns::Always(Type::Decimal), parse_version),
    Function::row("parse_xml", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(xml::parse(args[0].text()), |tree| Value::json(&tree))
    }),
    Function::row("parse_user_agent", 1, 2, DYNAMIC, agent::parse_user_agent),
];

/// The fields of the first record; quotes may hold commas, line ends and doubled quotes.
fn first_record(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted => {
                if characters.next_if_eq(&'"').is_some() {
                    field.push('"');
                } else {
                    quoted = false;
                }
            }
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => break,
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

/// One to four parts of up to eight digits, as one number that compares as the version does.
fn parse_version<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let parts: Vec<&str> = args[0].text().trim().split('.').collect();
    let fits = |part: &&str| !part.is_empty() && part.len() <= 8 && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() > 4 || !parts.iter().all(fits) {
        return Value::Null;
    }
    let number = (0..4).fold(0i128, |number, place| {
        let part = parts.get(place).map_or(0, |part| part.parse().unwrap_or(0));
        number * 100_000_000 + part
    });
    Value::from_option(number.checked_mul(super::frame::value::DECIMAL_ONE), Value::Decimal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::frame::value::DECIMAL_ONE;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn only_the_first_csv_record_counts() {
        for (text, want) in [
            ("a,b\nc,d", r#"["a","b"]"#),
            ("a,\"b,\"\"c\"\"\",\"1\n2\",", r#"["a","b,\"c\"","1\n2",""]"#),
            ("", r#"[""]"#),
        ] {
            check("parse_csv", &[(vec![string(text)], dynamic(want))]);
        }
    }

    #[test]
    fn versions_become_numbers_that_compare() {
        let one = |number: i128| Value::Decimal(number * DECIMAL_ONE);
        check(
            "parse_version",
            &[
                (vec![string("0.0.0.5")], one(5)),
                (vec![string("0.0.3")], one(300_000_000)),
                (vec![string("0.1.2.0")], one(10_000_000_200_000_000)),
                (vec![string("1.2.3.4.5")], Value::Null),
                (vec![string("1.x")], Value::Null),
                (vec![string("")], Value::Null),
            ],
        );
    }
}
