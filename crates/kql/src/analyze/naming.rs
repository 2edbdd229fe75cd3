//! The names that columns get where the query gives none (as the reference prints them).

use std::collections::HashSet;

use crate::functions::{self, Naming};
use crate::syntax::{Call, Expr, ExprKind, Literal};
use crate::types::Schema;

/// The name that an expression has by itself, if any.
pub(super) fn result_name(expr: &Expr, row: &Schema) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name.clone()),
        ExprKind::Named { name, .. } => Some(name.text.clone()),
        ExprKind::Path { base, name } => Some(joined(result_name(base, row), &name.text)),
        ExprKind::Index { base, index } => {
            let selector = match &index.kind {
                ExprKind::Literal(Literal::String(text)) => text.value.clone(),
                ExprKind::Literal(Literal::Long(value)) => value.to_string(),
                _ => String::new(),
            };
            Some(joined(result_name(base, row), &selector)).filter(|name| !name.is_empty())
        }
        ExprKind::Call(call) => call_name(call, row),
        _ => None,
    }
}

fn joined(left: Option<String>, right: &str) -> String {
    match left.filter(|left| !left.is_empty() && !left.starts_with('$')) {
        Some(left) => format!("{left}_{right}"),
        None => right.to_owned(),
    }
}

fn call_name(call: &Call, row: &Schema) -> Option<String> {
    let first = || call.args.first().and_then(|arg| result_name(arg, row));
    if matches!(call.name.text.as_str(), "column_ifexists" | "columnifexists")
        && let Some(ExprKind::Literal(Literal::String(name))) = call.args.first().map(|arg| &arg.kind)
    {
        return row.get(&name.value).map(|column| column.name.clone());
    }
    let signature = functions::aggregate(&call.name.text).or_else(|| functions::scalar(&call.name.text));
    let scalar = functions::scalar(&call.name.text).or(signature)?;
    match scalar.overloads.first()?.naming {
        Naming::None => None,
        Naming::First => first(),
        Naming::Only => first().filter(|_| call.args.len() == 1),
        Naming::NameFirst => Some(format!("{}_{}", call.name.text, first().unwrap_or_default())),
        Naming::Prefix(prefix) => Some(format!("{prefix}_{}", first().unwrap_or_default())),
        Naming::OnlyPrefix(prefix) => Some(prefix.to_owned()),
    }
}

/// The name of an aggregate's column.
pub(super) fn aggregate_name(call: &Call, row: &Schema) -> Option<String> {
    let signature = functions::aggregate(&call.name.text)?;
    let first = call.args.first().and_then(|arg| result_name(arg, row));
    match signature.overloads.first()?.naming {
        Naming::Prefix(prefix) => Some(format!("{prefix}_{}", first.unwrap_or_default())),
        Naming::First => first,
        _ => None,
    }
}

/// Names taken in an output, to make further ones unique.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    unnamed: usize,
}

impl Names {
    pub fn of(schema: &Schema) -> Names {
        Names { taken: schema.names().map(str::to_owned).collect(), unnamed: 0 }
    }

    /// Takes a name that the query gives; false if it was taken.
    pub fn take(&mut self, name: &str) -> bool {
        self.taken.insert(name.to_owned())
    }

    /// Takes the name, or the name with the first free number.
    pub fn unique(&mut self, name: &str) -> String {
        if self.take(name) {
            return name.to_owned();
        }
        let free = (1..).map(|number| format!("{name}{number}")).find(|name| !self.taken.contains(name));
        let name = free.unwrap_or_default();
        self.take(&name);
        name
    }

    /// `Column1`, `Column2`, …
    pub fn next_column(&mut self) -> String {
        loop {
            self.unnamed += 1;
            let name = format!("Column{}", self.unnamed);
            if self.take(&name) {
                return name;
            }
        }
    }
}

/// Whether `name` fits a pattern with stars.
pub(super) fn matches_wildcard(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut tail) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        match tail.find(part) {
            Some(at) => tail = &tail[at + part.len()..],
            None => return false,
        }
    }
    tail.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_names() {
        for (pattern, name, fits) in [
            ("a*", "abc", true),
            ("*", "", true),
            ("*c", "abc", true),
            ("a*c*", "abcd", true),
            ("a*a", "a", false),
            ("b*", "abc", false),
        ] {
            assert_eq!(matches_wildcard(pattern, name), fits, "{pattern} {name}");
        }
    }
}
