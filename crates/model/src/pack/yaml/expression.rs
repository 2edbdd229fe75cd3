//! Expressions in one line: `Property[@Name='Free'] < 10 and Property[@Name='State'] != "read only"`.
//!
//! `and` binds tighter than `or`. On the left stands an XPath query or a `$…$` variable, on the right a number, a text
//! in double quotes or a variable. Numbers and the order signs compare as numbers, the rest as texts. What cannot be
//! said this way is written as elements.

use crate::node::Node;

const SIGNS: &[(&str, &str)] = &[
    ("==", "Equal"),
    ("!=", "NotEqual"),
    ("<=", "LessEqual"),
    (">=", "GreaterEqual"),
    ("<", "Less"),
    (">", "Greater"),
    ("matches", "MatchesRegularExpression"),
    ("contains", "ContainsSubstring"),
];

/// The element that a line stands for.
pub fn read(line: &str) -> Result<Node, String> {
    join(&split(line, "or"), "Or", |part| join(&split(part, "and"), "And", comparison))
}

fn join(parts: &[&str], element: &str, inner: impl Fn(&str) -> Result<Node, String>) -> Result<Node, String> {
    if let [one] = parts {
        return inner(one);
    }
    let mut joined = Node::new(element);
    for part in parts {
        joined.children.push(inner(part)?);
    }
    Ok(Node::new("Expression").with_child(joined))
}

/// The parts between a word that stands outside of quotes, brackets and variables.
fn split<'a>(line: &'a str, word: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = cut(rest, word) {
        parts.push(before);
        rest = after;
    }
    parts.push(rest);
    parts
}

/// What stands before and after the first ` word ` outside of quotes, brackets and variables.
fn cut<'a>(line: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let (mut quote, mut depth, mut escaped) = (None, 0_u32, false);
    for (at, each) in line.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match (quote, each) {
            (Some('"'), '\\') => escaped = true,
            (Some(open), _) if open == each => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '$') => quote = Some(each),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, ' ') if depth == 0 => {
                let after = line.get(at + 1..)?.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
                if let Some(after) = after {
                    return Some((line.get(..at)?, after));
                }
            }
            (None, _) => {}
        }
    }
    None
}

fn comparison(text: &str) -> Result<Node, String> {
    let found = SIGNS.iter().find_map(|(sign, operator)| Some((cut(text, sign)?, *sign, *operator)));
    let Some(((left, right), sign, operator)) = found else {
        return Err(format!(
            "'{text}' is no comparison: write <query> <sign> <value>, the signs being ==, !=, <, <=, >, >=, matches, contains"
        ));
    };
    let (left, right) = (left.trim(), right.trim());
    let quoted = right.len() > 1 && right.starts_with('"') && right.ends_with('"');
    let value = if quoted { unquote(right) } else { right.to_owned() };
    let number = !quoted && right.parse::<f64>().is_ok();
    let variable = right.len() > 2 && right.starts_with('$') && right.ends_with('$');
    if left.is_empty() || !(quoted || number || variable) {
        return Err(format!(
            "'{text}': on the right stands a number, a text in double quotes or a $…$ variable, on the left a query"
        ));
    }
    let pattern = matches!(sign, "matches" | "contains");
    let kind =
        if !pattern && (number || (!quoted && matches!(sign, "<" | "<=" | ">" | ">="))) { "Double" } else { "String" };
    let source = if left.starts_with('$') { "Value" } else { "XPathQuery" };
    let side = |name: &str, text: &str| {
        Node::new("ValueExpression").with_child(Node::text(name, text).with_attribute("Type", kind))
    };
    let built = if pattern {
        Node::new("RegExExpression")
            .with_child(side(source, left))
            .with_child(Node::text("Operator", operator))
            .with_child(Node::text("Pattern", value))
    } else {
        Node::new("SimpleExpression")
            .with_child(side(source, left))
            .with_child(Node::text("Operator", operator))
            .with_child(side("Value", &value))
    };
    Ok(Node::new("Expression").with_child(built))
}

fn unquote(text: &str) -> String {
    let mut out = String::new();
    let mut escaped = false;
    for each in text.get(1..text.len() - 1).unwrap_or_default().chars() {
        if each == '\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        out.push(each);
    }
    out
}

/// The line that stands for an element, where one does.
pub fn write(node: &Node) -> Option<String> {
    let line = line(node)?;
    (read(&line).ok()? == *node).then_some(line)
}

fn line(node: &Node) -> Option<String> {
    let [inner] = node.children.as_slice() else { return None };
    let all = |word: &str| Some(inner.children.iter().map(line).collect::<Option<Vec<_>>>()?.join(word));
    match inner.name.as_str() {
        "And" => all(" and "),
        "Or" => all(" or "),
        "SimpleExpression" | "RegExExpression" => {
            let [left, operator, right] = inner.children.as_slice() else { return None };
            let (sign, _) = SIGNS.iter().find(|(_, name)| *name == operator.text.trim())?;
            let left = left.children.first()?;
            let value = right.children.first().unwrap_or(right);
            let bare =
                value.attribute("Type") == Some("Double") || (value.text.starts_with('$') && value.text.ends_with('$'));
            let right = if bare {
                value.text.clone()
            } else {
                format!("\"{}\"", value.text.replace('\\', "\\\\").replace('"', "\\\""))
            };
            Some(format!("{} {sign} {right}", left.text))
        }
        _ => None,
    }
}
