//! One variable: what starts one, where it ends, what it asks for.

use crate::xpath::XPath;

/// A variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// As it is written, with both `$`.
    pub text: String,
    /// What it asks for.
    pub kind: VariableKind,
}

/// What a variable asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum VariableKind {
    /// `$Data/…$`: of the data item.
    Data {
        /// What to select in it.
        query: XPath,
        /// `[Default='…']`
        default: Option<String>,
    },
    /// `$Config/A/B$`: a parameter of the enclosing type.
    Config {
        /// Names of elements, from the configuration down.
        path: Vec<String>,
    },
    /// `$Target/…$`: of the object, or of a host above it.
    Target {
        /// How many hosts up.
        hosts: usize,
        /// What of it.
        value: TargetValue,
    },
    /// `$MPElement$`: the identity of the element in which it stands; with a name, of another.
    Element {
        /// `Alias!Id`
        name: Option<String>,
        /// `/Property` of it.
        member: Option<String>,
    },
    /// `$RunAs[Name="…"]/UserName$`
    RunAs {
        /// The Run As profile, `Alias!Id`.
        profile: String,
        /// `UserName`, `Password` or `Domain`.
        field: String,
    },
    /// `$FileResource[Name="…"]/Path$`
    FileResource {
        /// The resource, `Alias!Id`.
        name: String,
        /// What of it.
        field: String,
    },
    /// `$IncludeFileContent/path$`
    IncludeFile {
        /// The path of the file beside the pack.
        path: String,
    },
}

/// What of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetValue {
    /// Its identity.
    Id,
    /// A property.
    Property {
        /// The class that declares it, `Alias!Id`; `None`: whichever does.
        class: Option<String>,
        /// Its name.
        property: String,
    },
    /// `ManagementGroup/Name`, `ManagementGroup/Id`
    ManagementGroup {
        /// What of it.
        field: String,
    },
}

const KINDS: [&str; 7] = ["Data", "Config", "Target", "MPElement", "RunAs", "FileResource", "IncludeFileContent"];

/// Reads the variable that a text starts with. `None`: the `$` is a plain one. An error has the length of what was
/// read as a variable.
pub(super) fn read(text: &str) -> Option<Result<Variable, (usize, String)>> {
    let after = &text[1..];
    let kind = KINDS.iter().find(|kind| after.starts_with(**kind))?;
    let tail = &after[kind.len()..];
    let starts = match *kind {
        "MPElement" => tail.starts_with(['$', '/', '[']),
        "Data" => tail.starts_with('/') || tail.starts_with("[Default"),
        "RunAs" | "FileResource" => tail.starts_with("[Name"),
        _ => tail.starts_with('/'),
    };
    if !starts {
        return None;
    }
    let length = 1 + kind.len() + end_of(tail)?;
    let tail = &text[1 + kind.len()..length];
    let text = &text[..=length];
    let kind = match *kind {
        "Data" => data(tail),
        "Config" => config(tail),
        "Target" => target(tail),
        "MPElement" => element(tail),
        "RunAs" => named(tail).map(|(profile, field)| VariableKind::RunAs { profile, field }),
        "FileResource" => named(tail).map(|(name, field)| VariableKind::FileResource { name, field }),
        _ => Ok(VariableKind::IncludeFile { path: tail[1..].to_owned() }),
    };
    Some(match kind {
        Ok(kind) => Ok(Variable { text: text.to_owned(), kind }),
        Err(problem) => Err((text.len(), problem)),
    })
}

/// The place of the closing `$`: on the same line, and not in a text in quotes in brackets.
fn end_of(tail: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, character) in tail.char_indices() {
        match (character, quote) {
            ('\n' | '\r', _) => return None,
            (character, Some(open)) if character == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) if depth > 0 => quote = Some(character),
            ('[', None) => depth += 1,
            (']', None) => depth = depth.saturating_sub(1),
            ('$', None) => return Some(at),
            _ => {}
        }
    }
    None
}

fn data(tail: &str) -> Result<VariableKind, String> {
    let (default, path) = match tail.strip_prefix('[') {
        None => (None, tail),
        Some(rest) => {
            let (default, rest) = attribute(rest, "Default")?;
            (Some(default), rest)
        }
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    let query = if path.is_empty() { "." } else { path };
    Ok(VariableKind::Data { query: XPath::parse(query).map_err(|error| error.to_string())?, default })
}

fn config(tail: &str) -> Result<VariableKind, String> {
    let path: Vec<String> = tail[1..].split('/').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err("it names no parameter".to_owned());
    }
    Ok(VariableKind::Config { path })
}

fn target(tail: &str) -> Result<VariableKind, String> {
    let mut rest = &tail[1..];
    let mut hosts = 0;
    while let Some(above) = rest.strip_prefix("Host/") {
        rest = above;
        hosts += 1;
    }
    let value = if rest == "Id" {
        TargetValue::Id
    } else if let Some(field) = rest.strip_prefix("ManagementGroup/") {
        match field {
            "Id" | "Name" => TargetValue::ManagementGroup { field: field.to_owned() },
            _ => return Err(format!("a management group has 'Id' and 'Name', not '{field}'")),
        }
    } else if let Some(rest) = rest.strip_prefix("Property") {
        let (class, rest) = match rest.strip_prefix('[') {
            None => (None, rest),
            Some(rest) => {
                let (class, rest) = attribute(rest, "Type")?;
                (Some(class), rest)
            }
        };
        match rest.strip_prefix('/') {
            Some(property) if !property.is_empty() => TargetValue::Property { class, property: property.to_owned() },
            _ => return Err("it names no property".to_owned()),
        }
    } else {
        return Err(
            "after 'Target' come 'Host/', then 'Id', 'Property[Type=\"…\"]/…' or 'ManagementGroup/…'".to_owned()
        );
    };
    Ok(VariableKind::Target { hosts, value })
}

fn element(tail: &str) -> Result<VariableKind, String> {
    let (name, rest) = match tail.strip_prefix('[') {
        None => (None, tail),
        Some(rest) => {
            let (name, rest) = attribute(rest, "Name")?;
            (Some(name), rest)
        }
    };
    let member = match rest.strip_prefix('/') {
        Some(member) if !member.is_empty() => Some(member.to_owned()),
        None if rest.is_empty() => None,
        _ => return Err(format!("'{rest}' is not the name of a property")),
    };
    Ok(VariableKind::Element { name, member })
}

fn named(tail: &str) -> Result<(String, String), String> {
    let (name, rest) = attribute(tail.strip_prefix('[').unwrap_or(tail), "Name")?;
    match rest.strip_prefix('/') {
        Some(field) if !field.is_empty() => Ok((name, field.to_owned())),
        _ => Err("after the name comes '/' and what of it".to_owned()),
    }
}

/// `Name="value"]rest` as value and rest.
fn attribute<'a>(text: &'a str, name: &str) -> Result<(String, &'a str), String> {
    let wanted = || format!("expected [{name}=\"…\"]");
    let rest = text.trim_start().strip_prefix(name).ok_or_else(wanted)?;
    let rest = rest.trim_start().strip_prefix('=').ok_or_else(wanted)?.trim_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"')).ok_or_else(wanted)?;
    let (value, rest) = rest[1..].split_once(quote).ok_or_else(wanted)?;
    let rest = rest.trim_start().strip_prefix(']').ok_or_else(wanted)?;
    Ok((value.to_owned(), rest))
}
