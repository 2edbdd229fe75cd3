//! Functions of strings.

pub mod encode;
pub mod lookup;
pub mod regex;

use std::borrow::Cow;

use serde_json::Value as Tree;
use watchkeeper_kql::Type;

use super::convert::print::text_of;
use super::frame::{Call, Function, Returns, Value, json};

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls("strcat", 1, 64, Returns::Always(Type::String), |_, args| {
        let mut out = String::new();
        args.iter().for_each(|value| out.push_str(&text_of(value)));
        Value::string(out)
    }),
    Function::row_with_nulls("strcat_delim", 2, 64, Returns::Always(Type::String), |_, args| {
        let parts: Vec<Cow<'_, str>> = args[1..].iter().map(text_of).collect();
        Value::string(parts.join(&text_of(&args[0])))
    }),
    Function::row("strcat_array", 2, 2, Returns::Always(Type::String), strcat_array),
    Function::row_with_nulls("tolower", 1, 1, Returns::Always(Type::String), |_, args| {
        Value::string(text_of(&args[0]).to_lowercase())
    }),
    Function::row_with_nulls("toupper", 1, 1, Returns::Always(Type::String), |_, args| {
        Value::string(text_of(&args[0]).to_uppercase())
    }),
    Function::row_with_nulls("strlen", 1, 1, Returns::Always(Type::Long), |_, args| {
        Value::Long(text_of(&args[0]).chars().count() as i64)
    }),
    Function::row_with_nulls("string_size", 1, 1, Returns::Always(Type::Long), |_, args| {
        Value::Long(text_of(&args[0]).len() as i64)
    }),
    Function::row_with_nulls("substring", 2, 3, Returns::Always(Type::String), substring),
    Function::row_with_nulls("split", 2, 3, Returns::Always(Type::Dynamic), split),
    Function::row_with_nulls("indexof", 2, 5, Returns::Always(Type::Long), indexof),
    Function::row_with_nulls("countof", 2, 3, Returns::Always(Type::Long), countof),
    Function::row_with_nulls("replace_string", 3, 3, Returns::Always(Type::String), |_, args| {
        let (text, lookup) = (text_of(&args[0]), text_of(&args[1]));
        if lookup.is_empty() || !text.contains(&*lookup) {
            return args_text(&args[0]);
        }
        Value::string(text.replace(&*lookup, &text_of(&args[2])))
    }),
    Function::row_with_nulls("replace_strings", 3, 3, Returns::Always(Type::String), replace_strings),
    Function::row_with_nulls("reverse", 1, 1, Returns::Always(Type::String), |_, args| {
        Value::string(text_of(&args[0]).chars().rev().collect::<String>())
    }),
    Function::row_with_nulls("strrep", 2, 3, Returns::Always(Type::String), |_, args| {
        let count = args[1].as_i64().unwrap_or(0).clamp(0, 1024) as usize;
        let delimiter = args.get(2).map(|value| text_of(value).into_owned()).unwrap_or_default();
        Value::string(vec![text_of(&args[0]).into_owned(); count].join(&delimiter))
    }),
    Function::row_with_nulls("strcmp", 2, 2, Returns::Always(Type::Long), |_, args| {
        Value::Long(args[0].text().cmp(args[1].text()) as i64)
    }),
    Function::row_with_nulls("translate", 3, 3, Returns::Always(Type::String), translate),
    Function::row("unicode_codepoints_from_string", 1, 1, Returns::Always(Type::Dynamic), |_, args| {
        Value::json(&Tree::from(text_of(&args[0]).chars().map(u32::from).collect::<Vec<u32>>()))
    }),
    Function::row("unicode_codepoints_to_string", 1, 64, Returns::Always(Type::String), |_, args| {
        let mut out = String::new();
        for arg in args {
            match json::array_of(arg) {
                Some(items) => {
                    out.extend(items.iter().filter_map(|item| char::from_u32(u32::try_from(item.as_i64()?).ok()?)))
                }
                None => out.extend(arg.as_i64().and_then(|code| char::from_u32(u32::try_from(code).ok()?))),
            }
        }
        Value::string(out)
    }),
    Function::row("isascii", 1, 1, Returns::Always(Type::Bool), |_, args| Value::Bool(args[0].text().is_ascii())),
    Function::row("isutf8", 1, 1, Returns::Always(Type::Bool), |_, _| Value::Bool(true)),
];

fn args_text<'a>(value: &Value<'a>) -> Value<'a> {
    super::convert::to(value, Type::String)
}

/// The text of an item of a JSON array.
pub fn item_text(item: &Tree) -> String {
    match item {
        Tree::String(text) => text.clone(),
        Tree::Null => String::new(),
        other => other.to_string(),
    }
}

fn strcat_array<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(items) = json::array_of(&args[0]) else {
        return Value::string("");
    };
    let texts: Vec<String> = items.iter().map(item_text).collect();
    Value::string(texts.join(&text_of(&args[1])))
}

/// The byte place of a character; the end where there are fewer.
fn place_of(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

fn substring<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let text = text_of(&args[0]);
    let mut start = args[1].as_i64().unwrap_or(0);
    if start < 0 {
        start = (text.chars().count() as i64 + start).max(0);
    }
    let from = place_of(&text, usize::try_from(start).unwrap_or(usize::MAX));
    let rest = &text[from..];
    let length = args.get(2).and_then(Value::as_i64).unwrap_or(i64::MAX);
    if length <= 0 {
        return Value::string("");
    }
    let to = if length >= rest.len() as i64 { rest.len() } else { place_of(rest, length as usize) };
    if let Value::String(Cow::Borrowed(whole)) = &args[0] {
        return Value::string(&whole[from..from + to]);
    }
    Value::string(rest[..to].to_owned())
}

fn split<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let (text, delimiter) = (text_of(&args[0]), text_of(&args[1]));
    let mut out = String::with_capacity(text.len() + 16);
    out.push('[');
    let wanted = args.get(2).and_then(Value::as_i64);
    let parts: Box<dyn Iterator<Item = &str> + '_> =
        if delimiter.is_empty() { Box::new(std::iter::once(&*text)) } else { Box::new(text.split(&*delimiter)) };
    let mut first = true;
    for (place, part) in parts.enumerate() {
        if wanted.is_some_and(|wanted| wanted != place as i64) {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        json::write_string(&mut out, part);
    }
    out.push(']');
    Value::Dynamic(out.into())
}

fn indexof<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let (text, lookup) = (text_of(&args[0]), text_of(&args[1]));
    let count = text.chars().count() as i64;
    let mut start = args.get(2).and_then(Value::as_i64).unwrap_or(0);
    if start < 0 {
        start = (count + start).max(0);
    }
    let length = args.get(3).and_then(Value::as_i64).unwrap_or(-1);
    let occurrence = args.get(4).and_then(Value::as_i64).unwrap_or(1);
    if start > count || occurrence < 1 || length < -1 {
        return if length < -1 || occurrence < 1 { Value::Null } else { Value::Long(-1) };
    }
    // the length counts from where each occurrence is looked for (reference "indexof()", its example of a second one)
    let mut from = place_of(&text, start as usize);
    let mut found = None;
    for _ in 0..occurrence {
        let Some(rest) = text.get(from..) else { return Value::Long(-1) };
        let window = if length < 0 { rest } else { &rest[..place_of(rest, length as usize)] };
        let Some(next) = window.find(&*lookup) else { return Value::Long(-1) };
        found = Some(from + next);
        from += next + lookup.chars().next().map_or(1, char::len_utf8);
    }
    Value::from_option(found, |found| Value::Long(text[..found].chars().count() as i64))
}

fn countof<'a>(call: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let (text, lookup) = (text_of(&args[0]), text_of(&args[1]));
    if args.get(2).is_some_and(|kind| kind.text() == "regex") {
        return Value::from_option(call.with_regex(&lookup, |regex| regex.find_iter(&text).count()), |count| {
            Value::Long(count as i64)
        });
    }
    if lookup.is_empty() {
        return Value::Long(0);
    }
    // occurrences of a plain text may overlap
    let step = lookup.chars().next().map_or(1, char::len_utf8);
    let (mut count, mut at) = (0, 0);
    while let Some(next) = text[at..].find(&*lookup) {
        count += 1;
        at += next + step;
    }
    Value::Long(count)
}

/// All lookups in one pass over the text, the earlier of two at one place: what was put in is not looked at again. A
/// lookup whose replacement is no string stays as it is.
fn replace_strings<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let text = text_of(&args[0]);
    let (Some(lookups), Some(replacements)) = (json::array_of(&args[1]), json::array_of(&args[2])) else {
        return Value::string(text.into_owned());
    };
    let pairs: Vec<(&str, Option<&str>)> = lookups
        .iter()
        .zip(&replacements)
        .filter_map(|(lookup, replacement)| Some((lookup.as_str()?, replacement.as_str())))
        .filter(|(lookup, _)| !lookup.is_empty())
        .collect();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(first) = rest.chars().next() {
        match pairs.iter().find(|(lookup, _)| rest.starts_with(lookup)) {
            Some((lookup, replacement)) => {
                out.push_str(replacement.unwrap_or(lookup));
                rest = &rest[lookup.len()..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    Value::string(out)
}

fn translate<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let search: Vec<char> = args[0].text().chars().collect();
    let replacement: Vec<char> = args[1].text().chars().collect();
    let change = |character: char| match search.iter().position(|candidate| *candidate == character) {
        None => Some(character),
        // a short replacement goes on with its last character
        Some(place) => replacement.get(place).or(replacement.last()).copied(),
    };
    Value::string(args[2].text().chars().filter_map(change).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn texts_are_joined_and_taken_apart() {
        check("strcat", &[(vec![string("a"), Value::Long(1), dynamic("\"b\""), Value::Null], string("a1b"))]);
        check(
            "split",
            &[
                (vec![string("aa_bb"), string("_")], dynamic(r#"["aa","bb"]"#)),
                (vec![string("aa_bb"), string("_"), Value::Long(1)], dynamic(r#"["bb"]"#)),
                (vec![string(""), string("_")], dynamic(r#"[""]"#)),
                (vec![string("a__b"), string("_")], dynamic(r#"["a","","b"]"#)),
            ],
        );
        check("strcat_array", &[(vec![dynamic("[1,2,\"c\"]"), string("->")], string("1->2->c"))]);
    }

    #[test]
    fn places_count_characters_from_zero() {
        check(
            "substring",
            &[
                (vec![string("äbcdef"), Value::Long(1), Value::Long(2)], string("bc")),
                (vec![string("abcdef"), Value::Long(-2)], string("ef")),
                (vec![string("abc"), Value::Long(9)], string("")),
            ],
        );
        for (args, want) in [
            (vec![string("abcdefg"), string("cde")], 2),
            (vec![string("abcdefg"), string("cde"), Value::Long(1), Value::Long(4)], 2),
            (vec![string("abcdefg"), string("cde"), Value::Long(1), Value::Long(2)], -1),
            (vec![string("abcdefg"), string("cde"), Value::Long(-5)], 2),
            (vec![string("abcabc"), string("abc"), Value::Long(0), Value::Long(-1), Value::Long(2)], 3),
        ] {
            check("indexof", &[(args, Value::Long(want))]);
        }
        check("strlen", &[(vec![string("⒦⒰")], Value::Long(2))]);
        check("string_size", &[(vec![string("⒦⒰")], Value::Long(6))]);
    }

    #[test]
    fn replacing_leaves_what_does_not_match() {
        check(
            "replace_string",
            &[
                (vec![string("cat, cat"), string("cat"), string("dog")], string("dog, dog")),
                (vec![string("x"), string(""), string("y")], string("x")),
            ],
        );
        let lists = |from: &str, to: &str| vec![string("cat, dog, this"), dynamic(from), dynamic(to)];
        check(
            "replace_strings",
            &[
                (lists(r#"["cat","dog"]"#, r#"["dog","fox"]"#), string("dog, fox, this")),
                (lists(r#"["this","is"]"#, r#"[1,"was"]"#), string("cat, dog, this")),
            ],
        );
        check("translate", &[(vec![string("krasp"), string("otsku"), string("spark")], string("kusto"))]);
        check("countof", &[(vec![string("aaa"), string("aa")], Value::Long(2))]);
        check("reverse", &[(vec![Value::Real(123.45)], string("54.321"))]);
    }
}
