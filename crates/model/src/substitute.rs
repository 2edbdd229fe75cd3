//! Variables in texts of packs (specification 4.9): `$Config/…$`, `$Target/…$`, `$MPElement…$`, `$Data/…$`, `$RunAs…$`.
//! A text is read into parts once; a resolver says what each variable is. One pass: what is put in is not read again.

mod variable;

use std::fmt;

pub use variable::{TargetValue, Variable, VariableKind};

use crate::item::DataItem;
use crate::node::{Node, Place};
use crate::xpath::string_value;

/// A text with variables.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// In the order of the text; adjacent texts are joined.
    pub parts: Vec<Part>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// To be replaced.
    Variable(Variable),
}

/// A variable that cannot be read or is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unresolved {
    /// As it is written (`$Config/Threshold$`).
    pub variable: String,
    /// The way to its element (`Configuration/Expression/Value`, `Configuration/Value/@Type`); empty for a bare text.
    pub element: String,
    /// Where the element stands in its file.
    pub place: Place,
    /// Why.
    pub problem: String,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.element.is_empty() {
            write!(out, "{}: ", self.element)?;
        }
        write!(out, "{}: {}", self.variable, self.problem)
    }
}

/// What a variable is.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved<'a> {
    /// This text, from a pack: it may carry variables for later.
    Text(String),
    /// This text, from anywhere else (properties of objects, data items). Where variables stay for later, one that
    /// reads like a variable is refused: whoever discovered the object must not reach a password by it.
    Outside(String),
    /// The content of an element: children where the variable is all the text of its element, else the text of it.
    Content(&'a Node),
    /// It stays for a later pass.
    Later,
    /// There is no such thing, for this reason.
    Unknown(String),
}

/// Knows what variables are.
pub trait Resolver {
    /// What this one is.
    fn resolve(&self, variable: &Variable) -> Resolved<'_>;

    /// Whether the result is read for variables again, by another resolver.
    fn is_last(&self) -> bool {
        false
    }
}

impl Template {
    /// Reads a text. A `$` that starts no variable is text.
    ///
    /// # Errors
    /// Where a variable starts as one but cannot be read.
    pub fn parse(text: &str) -> Result<Self, Unresolved> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            plain.push_str(&rest[..at]);
            rest = &rest[at..];
            match variable::read(rest) {
                None => {
                    plain.push('$');
                    rest = &rest[1..];
                }
                Some(Err((length, problem))) => return Err(unresolved(&rest[..length], problem)),
                Some(Ok(variable)) => {
                    rest = &rest[variable.text.len()..];
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Variable(variable));
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// Its variables.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Text(_) => None,
        })
    }

    /// With each variable replaced.
    ///
    /// # Errors
    /// The first that is not known.
    pub fn fill(&self, resolver: &impl Resolver) -> Result<String, Unresolved> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Variable(variable) => match resolve(variable, resolver)? {
                    Resolved::Text(text) | Resolved::Outside(text) => out.push_str(&text),
                    Resolved::Content(node) => out.push_str(&string_value(node)),
                    Resolved::Later => out.push_str(&variable.text),
                    Resolved::Unknown(problem) => return Err(unresolved(&variable.text, problem)),
                },
            }
        }
        Ok(out)
    }
}

/// A text with its variables replaced.
///
/// # Errors
/// The first variable that cannot be read or is not known.
pub fn substitute_text(text: &str, resolver: &impl Resolver) -> Result<String, Unresolved> {
    if !text.contains('$') {
        return Ok(text.to_owned());
    }
    Template::parse(text)?.fill(resolver)
}

/// An element with all variables in its texts and attributes replaced.
///
/// # Errors
/// All variables that cannot be read or are not known.
pub fn substitute(node: &Node, resolver: &impl Resolver) -> Result<Node, Vec<Unresolved>> {
    let mut problems = Vec::new();
    let filled = fill_node(node, resolver, &node.name, &mut problems);
    if problems.is_empty() { Ok(filled) } else { Err(problems) }
}

/// All variables in an element, each with the way to where it stands; those that cannot be read are errors.
#[must_use]
pub fn variables(node: &Node) -> Vec<Result<(String, Variable), Unresolved>> {
    let mut found = Vec::new();
    collect(node, &node.name, &mut found);
    found
}

fn collect(node: &Node, path: &str, found: &mut Vec<Result<(String, Variable), Unresolved>>) {
    let attributes = node.attributes.iter().map(|(name, value)| (format!("{path}/@{name}"), value));
    for (path, text) in attributes.chain([(path.to_owned(), &node.text)]) {
        match Template::parse(text) {
            Ok(template) => found.extend(template.variables().map(|variable| Ok((path.clone(), variable.clone())))),
            Err(problem) => found.push(Err(Unresolved { element: path, place: node.place, ..problem })),
        }
    }
    for child in &node.children {
        collect(child, &format!("{path}/{}", child.name), found);
    }
}

fn fill_node(node: &Node, resolver: &impl Resolver, path: &str, problems: &mut Vec<Unresolved>) -> Node {
    let mut filled = Node { name: node.name.clone(), place: node.place, ..Node::default() };
    for (name, value) in &node.attributes {
        let value = substitute_text(value, resolver).unwrap_or_else(|problem| {
            problems.push(Unresolved { element: format!("{path}/@{name}"), place: node.place, ..problem });
            String::new()
        });
        filled.attributes.push((name.clone(), value));
    }
    if let Err(problem) = fill_text(node, resolver, &mut filled) {
        problems.push(Unresolved { element: path.to_owned(), place: node.place, ..problem });
    }
    for child in &node.children {
        filled.children.push(fill_node(child, resolver, &format!("{path}/{}", child.name), problems));
    }
    filled
}

fn fill_text(node: &Node, resolver: &impl Resolver, filled: &mut Node) -> Result<(), Unresolved> {
    if !node.text.contains('$') {
        filled.text.clone_from(&node.text);
        return Ok(());
    }
    let trimmed = Template::parse(node.text.trim())?;
    if let [Part::Variable(variable)] = trimmed.parts.as_slice()
        && let Resolved::Content(content) = resolve(variable, resolver)?
    {
        filled.children.extend(content.children.iter().cloned());
        filled.text.clone_from(&content.text);
        return Ok(());
    }
    filled.text = Template::parse(&node.text)?.fill(resolver)?;
    Ok(())
}

fn resolve<'a>(variable: &Variable, resolver: &'a impl Resolver) -> Result<Resolved<'a>, Unresolved> {
    let resolved = resolver.resolve(variable);
    if let Resolved::Outside(text) = &resolved
        && !resolver.is_last()
        && text.contains('$')
    {
        let is_plain = Template::parse(text).is_ok_and(|template| template.variables().next().is_none());
        if !is_plain {
            let problem = "its value reads like a variable itself, which only packs may contain".to_owned();
            return Err(unresolved(&variable.text, problem));
        }
    }
    Ok(resolved)
}

fn unresolved(variable: &str, problem: String) -> Unresolved {
    Unresolved { variable: variable.to_owned(), element: String::new(), place: Place::default(), problem }
}

/// The agent's pass: `$Data/…$` from an item, `$RunAs…$` from the accounts that it was given; no others are left.
pub struct DataResolver<'a, R> {
    /// The item; `None` where a module runs without one.
    pub item: Option<&'a DataItem>,
    /// `name` and `field` (`UserName`, `Password`, `Domain`) of a Run As profile to its value.
    pub run_as: R,
    /// A query that selects nothing gives an empty text instead of an error.
    pub missing_is_empty: bool,
}

impl<R: Fn(&str, &str) -> Option<String>> Resolver for DataResolver<'_, R> {
    fn resolve(&self, variable: &Variable) -> Resolved<'_> {
        match &variable.kind {
            VariableKind::Data { query, default } => {
                let value = self.item.and_then(|item| item.value(query)).or_else(|| default.clone());
                match value {
                    Some(value) => Resolved::Outside(value),
                    None if self.missing_is_empty => Resolved::Outside(String::new()),
                    None => Resolved::Unknown("the data item has no such value".to_owned()),
                }
            }
            VariableKind::RunAs { profile, field } => match (self.run_as)(profile, field) {
                Some(value) => Resolved::Outside(value),
                None => Resolved::Unknown(format!("no account with '{field}' is set for the profile '{profile}'")),
            },
            _ => Resolved::Unknown("the server should have filled it in".to_owned()),
        }
    }

    fn is_last(&self) -> bool {
        true
    }
}

/// A text of an alert with `{0}` to `{9}` replaced by the alert's parameters. Without a parameter it stays as it is.
#[must_use]
pub fn fill_parameters(text: &str, parameters: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let index = match rest.as_bytes() {
            [b'{', digit @ b'0'..=b'9', b'}', ..] => Some(usize::from(digit - b'0')),
            _ => None,
        };
        match index.and_then(|index| parameters.get(index)) {
            Some(parameter) => {
                out.push_str(parameter);
                rest = &rest[3..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
