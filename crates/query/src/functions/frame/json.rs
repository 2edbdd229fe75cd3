//! Dynamic values as compact JSON text: writing cells as JSON, checking and compacting text, walking into it.

use std::borrow::Cow;
use std::fmt::Write;

use serde::de::IgnoredAny;
use serde_json::Value as Tree;
use sonic_rs::JsonValueTrait;

use super::value::Value;
use super::walk::{self, Key, NotCompact};
use crate::functions::convert::print;

/// A JSON tree from text; none where it is not JSON.
pub fn parse(text: &str) -> Option<Tree> {
    serde_json::from_str(text).ok()
}

/// The tree of a dynamic cell or of any other cell as it goes into an array or a bag.
pub fn tree_of(value: &Value<'_>) -> Tree {
    match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(*value),
        Value::Int(value) => Tree::from(*value),
        Value::Long(value) => Tree::from(*value),
        Value::Dynamic(text) => parse(text).unwrap_or(Tree::Null),
        Value::String(text) | Value::Guid(text) => Tree::String(text.clone().into_owned()),
        Value::Real(real) => {
            serde_json::Number::from_f64(*real).map_or_else(|| Tree::String(print::real(*real)), Tree::Number)
        }
        Value::Decimal(_) | Value::Datetime(_) | Value::Timespan(_) => Tree::String(print::text_of(value).into_owned()),
    }
}

/// The items of a dynamic array; none for anything else.
pub fn array_of(value: &Value<'_>) -> Option<Vec<Tree>> {
    match value {
        Value::Dynamic(text) if text.starts_with('[') => match parse(text)? {
            Tree::Array(items) => Some(items),
            _ => None,
        },
        _ => None,
    }
}

/// The properties of a dynamic bag; none for anything else.
pub fn bag_of(value: &Value<'_>) -> Option<serde_json::Map<String, Tree>> {
    match value {
        Value::Dynamic(text) if text.starts_with('{') => match parse(text)? {
            Tree::Object(map) => Some(map),
            _ => None,
        },
        _ => None,
    }
}

/// Any cell as JSON text (null is the text `null`).
pub fn encode(value: &Value<'_>) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

/// Appends a cell as JSON text.
pub fn write(out: &mut String, value: &Value<'_>) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Dynamic(text) => out.push_str(text),
        Value::String(text) | Value::Guid(text) => write_string(out, text),
        Value::Real(real) if !real.is_finite() => write_string(out, &print::real(*real)),
        Value::Real(real) => out.push_str(&real_number(*real)),
        Value::Int(_) | Value::Long(_) => out.push_str(&print::text_of(value)),
        Value::Decimal(_) | Value::Datetime(_) | Value::Timespan(_) => write_string(out, &print::text_of(value)),
    }
}

fn real_number(real: f64) -> String {
    serde_json::Number::from_f64(real).map_or_else(|| "null".to_owned(), |number| number.to_string())
}

/// Appends a JSON string with its quotes.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            other => {
                // writing to a String cannot fail
                let _ = write!(out, "\\u{other:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// A text as a JSON string.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

/// Checks that the text is JSON and removes the space between its tokens; none where it is not JSON.
pub fn compact(text: &str) -> Option<Cow<'_, str>> {
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    serde_json::from_str::<IgnoredAny>(trimmed).ok()?;
    let bytes = trimmed.as_bytes();
    let mut out: Option<String> = None;
    let mut from = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = walk::string_end(bytes, at).0,
            b' ' | b'\t' | b'\r' | b'\n' => {
                let out = out.get_or_insert_with(|| String::with_capacity(bytes.len()));
                out.push_str(&trimmed[from..at]);
                while at < bytes.len() && matches!(bytes[at], b' ' | b'\t' | b'\r' | b'\n') {
                    at += 1;
                }
                from = at;
            }
            _ => at += 1,
        }
    }
    Some(match out {
        None => Cow::Borrowed(trimmed),
        Some(mut out) => {
            out.push_str(&trimmed[from..]);
            Cow::Owned(out)
        }
    })
}

/// The text of a JSON string without quotes and escapes; none where the JSON is not a string.
pub fn unquote(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(json).ok().map(Cow::Owned)
}

/// An item of an array, counted from the end where the index is negative.
pub fn item(json: &str, index: i64) -> Option<&str> {
    follow_keys(json, std::iter::once(Key::Place(index)))
}

/// Follows keys; none where a step is missing or the value there is null.
pub fn follow_keys<'j, 'k>(json: &'j str, keys: impl Iterator<Item = Key<'k>> + Clone) -> Option<&'j str> {
    walk::follow(json, keys.clone()).unwrap_or_else(|NotCompact| follow_any(json, keys))
}

/// The same in JSON with space between its tokens, as a foreign file may have it.
fn follow_any<'j, 'k>(json: &'j str, keys: impl Iterator<Item = Key<'k>>) -> Option<&'j str> {
    let mut at = json.trim_start();
    for key in keys {
        let found = match key {
            Key::Name(name) if at.starts_with('{') => sonic_rs::get_from_str(at, [name.as_ref()]),
            Key::Place(place) if at.starts_with('[') => {
                let place = if place >= 0 { place } else { i64::try_from(array_length(at)?).ok()? + place };
                sonic_rs::get_from_str(at, [usize::try_from(place).ok()?])
            }
            _ => return None,
        };
        at = raw(at, found.ok()?)?;
    }
    Some(at)
}

/// The part of `json` that a lazy value points to.
fn raw<'a>(json: &'a str, found: sonic_rs::LazyValue<'_>) -> Option<&'a str> {
    if found.is_null() {
        return None;
    }
    let text = found.as_raw_str();
    let offset = (text.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
    json.get(offset..offset + text.len())
}

/// The number of items of an array; none for anything else.
pub fn array_length(json: &str) -> Option<usize> {
    if !json.starts_with('[') {
        return None;
    }
    let bytes = json.as_bytes();
    if bytes.get(1) == Some(&b']') {
        return Some(0);
    }
    let mut depth = 0;
    let mut items = 1;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = walk::string_end(bytes, at).0;
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b',' if depth == 1 => items += 1,
            _ => {}
        }
        at += 1;
    }
    Some(items)
}

/// A step of a JSON path.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Key(String),
    Item(i64),
}

/// Reads `$.a.b[0]['c d']`; none where it is not a path.
pub fn path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.trim();
    rest = rest.strip_prefix('$').unwrap_or(rest);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = bracket_end(after)?;
            let inner = after[..end].trim();
            let quoted = inner.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\''));
            let quoted = quoted.or_else(|| inner.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')));
            steps.push(match quoted {
                Some(key) => Step::Key(key.to_owned()),
                None => Step::Item(inner.parse().ok()?),
            });
            rest = &after[end + 1..];
        } else {
            let after = rest.strip_prefix('.').unwrap_or(rest);
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 {
                return None;
            }
            steps.push(Step::Key(after[..end].to_owned()));
            rest = &after[end..];
        }
    }
    Some(steps)
}

fn bracket_end(text: &str) -> Option<usize> {
    let quote = text.bytes().next().filter(|byte| matches!(byte, b'\'' | b'"'));
    match quote {
        Some(quote) => {
            let close = memchr::memchr(quote, &text.as_bytes()[1..])? + 2;
            text[close..].find(']').map(|at| close + at)
        }
        None => text.find(']'),
    }
}

/// Follows a path; none where a step is missing or the value there is null.
pub fn follow<'a>(json: &'a str, steps: &[Step]) -> Option<&'a str> {
    let keys = steps.iter().map(|step| match step {
        Step::Key(key) => Key::Name(Cow::Borrowed(key)),
        Step::Item(place) => Key::Place(*place),
    });
    follow_keys(json, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_keeps_numbers_as_written_and_strings_untouched() {
        for (text, want) in [
            (" { \"a b\" : [ 1 , 1.0 ] } ", Some("{\"a b\":[1,1.0]}")),
            ("[1,2]", Some("[1,2]")),
            ("\"a \\\" b\"", Some("\"a \\\" b\"")),
            ("{\"a\":}", None),
            ("plain", None),
            ("", None),
        ] {
            assert_eq!(compact(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_path_reaches_properties_and_items() {
        let json = r#"{"a":{"b c":[10,{"d":"x"},null]},"e":"q,]"}"#;
        for (text, want) in [
            ("$.a['b c'][0]", Some("10")),
            ("$.a[\"b c\"][1].d", Some("\"x\"")),
            ("$.a['b c'][-2].d", Some("\"x\"")),
            ("$.a['b c'][2]", None),
            ("$.e", Some("\"q,]\"")),
            ("$.missing", None),
        ] {
            assert_eq!(follow(json, &path(text).unwrap()), want, "{text}");
        }
    }

    #[test]
    fn space_between_tokens_is_no_hindrance() {
        let json = r#"{ "a" : { "b" : [ 1 , { "c" : "x y" } , null ] } }"#;
        for (text, want) in [
            ("$.a.b[0]", Some("1")),
            ("$.a.b[-2].c", Some("\"x y\"")),
            ("$.a.b[2]", None),
            ("$.a.b[3]", None),
            ("$.a[0]", None),
        ] {
            assert_eq!(follow(json, &path(text).unwrap()), want, "{text}");
        }
    }

    #[test]
    fn array_length_counts_the_outer_items_only() {
        for (json, want) in
            [("[]", Some(0)), ("[1]", Some(1)), ("[[1,2],{\"a\":\",\"},3]", Some(3)), ("{}", None), ("1", None)]
        {
            assert_eq!(array_length(json), want, "{json}");
        }
    }
}
