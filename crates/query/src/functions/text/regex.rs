//! Functions of regular expressions (RE2 syntax).

use std::borrow::Cow;

use serde_json::Value as Tree;
use watchkeeper_kql::Type;

use crate::functions::convert::print::text_of;
use crate::functions::frame::{Call, Function, Returns, Value, json};

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls("extract", 3, 4, Returns::Always(Type::String), extract),
    Function::row_with_nulls("extract_all", 2, 3, Returns::Always(Type::Dynamic), extract_all),
    Function::row_with_nulls("replace_regex", 3, 3, Returns::Always(Type::String), replace_regex),
    // the old name has the text last
    Function::row_with_nulls("replace", 3, 3, Returns::Always(Type::String), |call, args| {
        replace_regex(call, &[args[2].clone(), args[0].clone(), args[1].clone()])
    }),
    Function::row_with_nulls("trim", 2, 2, Returns::Always(Type::String), |call, args| trim(call, args, true, true)),
    Function::row_with_nulls("trim_start", 2, 2, Returns::Always(Type::String), |call, args| {
        trim(call, args, true, false)
    }),
    Function::row_with_nulls("trim_end", 2, 2, Returns::Always(Type::String), |call, args| {
        trim(call, args, false, true)
    }),
    Function::row("regex_quote", 1, 1, Returns::Always(Type::String), |_, args| {
        Value::string(::regex::escape(args[0].text()))
    }),
];

fn extract<'a>(call: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let group = args[1].as_i64().and_then(|group| usize::try_from(group).ok()).unwrap_or(0);
    let text = text_of(&args[2]);
    let found = call.with_regex(&text_of(&args[0]), |regex| {
        regex.captures(&text).and_then(|found| found.get(group)).map(|found| found.range())
    });
    match (found.flatten(), &args[2]) {
        (Some(range), Value::String(Cow::Borrowed(whole))) => Value::string(&whole[range]),
        (Some(range), _) => Value::string(text[range].to_owned()),
        (None, _) => Value::string(""),
    }
}

/// One group gives a list of texts, more give a list of lists; the second of three arguments chooses groups.
fn extract_all<'a>(call: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let text = text_of(&args[args.len() - 1]);
    let chosen = if args.len() == 3 { json::array_of(&args[1]) } else { None };
    let found = call.with_regex(&text_of(&args[0]), |regex| {
        let groups: Vec<usize> = match &chosen {
            None => (1..regex.captures_len()).collect(),
            Some(chosen) => chosen
                .iter()
                .filter_map(|group| match group {
                    Tree::String(name) => regex.capture_names().position(|candidate| candidate == Some(name)),
                    other => other.as_u64().and_then(|group| usize::try_from(group).ok()),
                })
                .collect(),
        };
        let part = |found: &::regex::Captures<'_>, group: usize| {
            Tree::String(found.get(group).map_or("", |found| found.as_str()).to_owned())
        };
        regex
            .captures_iter(&text)
            .map(|found| match groups.as_slice() {
                [] => part(&found, 0),
                [only] => part(&found, *only),
                several => Tree::Array(several.iter().map(|group| part(&found, *group)).collect()),
            })
            .collect::<Vec<Tree>>()
    });
    match found {
        Some(items) if !items.is_empty() => Value::json(&Tree::Array(items)),
        _ => Value::Null,
    }
}

/// `\0` … `\9` of the language's replacement as the regex library writes them.
fn rewrite(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                out.push_str(&format!("${{{digit}}}"));
                characters.next();
            }
            ('\\', Some('\\')) => {
                out.push('\\');
                characters.next();
            }
            ('$', _) => out.push_str("$$"),
            _ => out.push(character),
        }
    }
    out
}

fn replace_regex<'a>(call: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let text = text_of(&args[0]);
    let replaced = call.with_regex(&text_of(&args[1]), |regex| {
        regex.replace_all(&text, rewrite(&text_of(&args[2])).as_str()).into_owned()
    });
    Value::string(replaced.unwrap_or_else(|| text.clone().into_owned()))
}

fn trim<'a>(call: &Call<'_>, args: &[Value<'a>], start: bool, end: bool) -> Value<'a> {
    let text = text_of(&args[1]);
    let pattern = text_of(&args[0]);
    let mut range = 0..text.len();
    if start {
        let found = call.with_regex(&format!("^(?:{pattern})"), |regex| regex.find(&text).map(|found| found.end()));
        range.start = found.flatten().unwrap_or(0);
    }
    if end {
        let found = call.with_regex(&format!("(?:{pattern})$"), |regex| {
            regex.find(&text[range.start..]).map(|found| found.start())
        });
        range.end = found.flatten().map_or(range.end, |at| range.start + at);
    }
    match &args[1] {
        Value::String(Cow::Borrowed(whole)) => Value::string(&whole[range]),
        _ => Value::string(text[range].to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn groups_are_extracted() {
        check(
            "extract",
            &[
                (vec![string(r"x=(\d+)"), Value::Long(1), string("a x=45 b")], string("45")),
                (vec![string(r"x=(\d+)"), Value::Long(0), string("a x=45 b")], string("x=45")),
                (vec![string(r"x=(\d+)"), Value::Long(1), string("none")], string("")),
            ],
        );
        check(
            "extract_all",
            &[
                (vec![string(r"([\da-f]{2})"), string("82b8")], dynamic(r#"["82","b8"]"#)),
                (vec![string(r"(?P<a>\w)(\w)"), dynamic(r#"[2,"a"]"#), string("xy")], dynamic(r#"[["y","x"]]"#)),
                (vec![string("(z)"), string("xy")], Value::Null),
            ],
        );
    }

    #[test]
    fn replacements_name_groups_with_a_backslash() {
        check("replace_regex", &[(vec![string("is 1"), string(r"is (\d+)"), string(r"was: $\1")], string("was: $1"))]);
    }

    #[test]
    fn trimming_takes_a_pattern_off_the_ends() {
        check("trim", &[(vec![string(r"[^\w]+"), string("-  Te st1// $")], string("Te st1"))]);
        check("trim_start", &[(vec![string("https://"), string("https://bing.com")], string("bing.com"))]);
        check("trim_end", &[(vec![string(r"\s+"), string("  a  ")], string("  a"))]);
    }
}
