//! From values to the text of a YAML file.

use super::load::{Content, Yaml};

/// The text of a mapping at the top of a file.
pub fn emit(root: &Yaml) -> String {
    let mut out = String::new();
    if let Content::Map(entries) = &root.content {
        for (key, value) in entries {
            entry(key, value, 0, &mut out);
        }
    }
    out
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn entry(key: &str, value: &Yaml, depth: usize, out: &mut String) {
    indent(depth, out);
    scalar(key, out);
    out.push(':');
    after(value, depth, out);
}

/// What follows a colon.
fn after(value: &Yaml, depth: usize, out: &mut String) {
    match &value.content {
        Content::Text(text) if is_block(text) => block(text, depth + 1, out),
        Content::Text(text) => {
            out.push(' ');
            scalar(text, out);
            out.push('\n');
        }
        Content::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Content::List(items) if items.is_empty() => out.push_str(" []\n"),
        Content::Map(entries) => {
            out.push('\n');
            for (key, value) in entries {
                entry(key, value, depth + 1, out);
            }
        }
        Content::List(items) => {
            out.push('\n');
            for value in items {
                item(value, depth + 1, out);
            }
        }
    }
}

fn item(value: &Yaml, depth: usize, out: &mut String) {
    indent(depth, out);
    out.push('-');
    match &value.content {
        Content::Map(entries) if !entries.is_empty() => {
            let mut inner = String::new();
            for (key, value) in entries {
                entry(key, value, depth + 1, &mut inner);
            }
            out.push(' ');
            out.push_str(inner.trim_start_matches(' '));
        }
        _ => after(value, depth, out),
    }
}

/// Whether a text can stand as a literal block.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.chars().any(|each| (each.is_control() && each != '\n' && each != '\t') || is_break(each))
        && text.lines().all(|line| !line.trim().is_empty() || line.is_empty())
}

fn is_break(each: char) -> bool {
    matches!(each, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn block(text: &str, depth: usize, out: &mut String) {
    let body = text.trim_end_matches('\n');
    out.push_str(match text.len() - body.len() {
        0 => " |-\n",
        1 => " |\n",
        _ => " |+\n",
    });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            indent(depth, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// A text on one line, in quotes where it would mean something else without.
fn scalar(text: &str, out: &mut String) {
    let plain = text
        .starts_with(|each: char| each.is_alphanumeric() || matches!(each, '$' | '/' | '.' | '<' | '+' | '='))
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("...")
        && text != "null"
        && text != "<<"
        && !text.chars().any(|each| each.is_control() || is_break(each) || matches!(each, '{' | '}' | '[' | ']' | ','));
    if plain {
        out.push_str(text);
        return;
    }
    out.push('"');
    for each in text.chars() {
        match each {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            each if each.is_control() || is_break(each) => out.push_str(&format!("\\U{:08x}", u32::from(each))),
            each => out.push(each),
        }
    }
    out.push('"');
}
