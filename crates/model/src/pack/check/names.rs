//! `$…$` in configurations: every element, class, property, profile and parameter that they name exists.

use crate::node::Node;

use super::super::common::{At, Ref};
use super::super::problem::{Problems, did_you_mean};
use super::super::{ElementKind, Found, ManagementPack, PackSet, Schema};

/// Checks all texts and attributes of a configuration. `schema`: the parameters that `$Config/…$` may name; `None`: the
/// configuration does not stand in a type.
pub(super) fn check(
    set: &PackSet,
    pack: &ManagementPack,
    element: &str,
    node: &Node,
    schema: Option<&Schema>,
    problems: &mut Problems,
) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        let texts = node.attributes.iter().map(|(_, value)| value.as_str()).chain([node.text.as_str()]);
        for text in texts.filter(|text| text.contains('$')) {
            check_text(set, pack, element, text, schema, At(node.place), problems);
        }
        open.extend(&node.children);
    }
}

/// Checks one text.
pub(super) fn check_text(
    set: &PackSet,
    pack: &ManagementPack,
    element: &str,
    text: &str,
    schema: Option<&Schema>,
    at: At,
    problems: &mut Problems,
) {
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let after = rest.get(start + 1..).unwrap_or_default();
        let Some(end) = after.find('$') else { break };
        let inner = after.get(..end).unwrap_or_default();
        let verdict = check_variable(set, pack, inner, schema);
        match verdict {
            Some(Ok(())) => rest = after.get(end + 1..).unwrap_or_default(),
            Some(Err(message)) => {
                problems.error(at, element, format!("${inner}$: {message}"));
                rest = after.get(end + 1..).unwrap_or_default();
            }
            // A dollar sign of a script or path: the next one may start a variable.
            None => rest = after,
        }
    }
}

/// `None`: not a variable.
fn check_variable(
    set: &PackSet,
    pack: &ManagementPack,
    inner: &str,
    schema: Option<&Schema>,
) -> Option<Result<(), String>> {
    if let Some(path) = inner.strip_prefix("Config/") {
        let name = path.split('/').next().unwrap_or_default();
        if !name.chars().all(|each| each.is_ascii_alphanumeric() || each == '_' || each == '-' || each == '.') {
            return None;
        }
        return Some(match schema {
            None => Err("parameters exist only within module types and monitor types".to_owned()),
            Some(schema) if schema.parameter(name).is_some() || schema.is_open() => Ok(()),
            Some(schema) => {
                let hint = did_you_mean(name, schema.parameters.iter().map(|each| each.name.as_str()));
                Err(format!("the configuration has no parameter '{name}'; declare it{hint}"))
            }
        });
    }
    if let Some(rest) = inner.strip_prefix("MPElement") {
        let Some((name, path)) = bracketed(rest, "Name") else { return Some(Ok(())) };
        return Some(check_element(set, pack, &Ref::from(name), path));
    }
    if let Some(rest) = inner.strip_prefix("Target/") {
        let steps = rest.trim_start_matches("Host/");
        let Some((name, path)) = steps.strip_prefix("Property").and_then(|rest| bracketed(rest, "Type")) else {
            return Some(Ok(()));
        };
        return Some(
            set.class(pack, &Ref::from(name)).and_then(|class| has_property(set, class, path.trim_matches('/'))),
        );
    }
    if let Some(rest) = inner.strip_prefix("RunAs") {
        let Some((name, _)) = bracketed(rest, "Name") else { return Some(Ok(())) };
        return Some(match set.resolve(pack, &Ref::from(name)) {
            Ok((_, ElementKind::SecureReference)) => Ok(()),
            Ok((_, other)) => Err(format!("'{name}' is a {}, and a Run As profile is needed here", other.word())),
            Err(message) => Err(message),
        });
    }
    inner.starts_with("Data").then_some(Ok(()))
}

/// `[Name="X"]/rest`, with either kind of quotes: X and the rest.
fn bracketed<'a>(text: &'a str, key: &str) -> Option<(&'a str, &'a str)> {
    let inside = text.strip_prefix('[')?.trim_start().strip_prefix(key)?.trim_start().strip_prefix('=')?.trim_start();
    let quote = inside.chars().next().filter(|each| *each == '"' || *each == '\'')?;
    let (name, rest) = inside.get(1..)?.split_once(quote)?;
    Some((name, rest.trim_start().strip_prefix(']')?))
}

fn check_element(set: &PackSet, pack: &ManagementPack, name: &Ref, path: &str) -> Result<(), String> {
    let (other, kind) = set.resolve(pack, name)?;
    let property = path.trim_matches('/');
    if property.is_empty() || kind != ElementKind::Class {
        return Ok(());
    }
    let class = set.class(pack, name)?;
    let _ = other;
    has_property(set, class, property)
}

fn has_property(set: &PackSet, class: Found<'_, super::super::ClassType>, name: &str) -> Result<(), String> {
    if set.property(class, name).is_some() {
        return Ok(());
    }
    let line = set.lineage(class);
    let known = line.iter().flat_map(|each| each.element.properties.iter().map(|each| each.id.as_str()));
    let hint = did_you_mean(name, known);
    Err(format!("the class {} has no property '{name}'{hint}", class.element.id))
}
