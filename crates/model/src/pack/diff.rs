//! What changed between two versions of a pack, element by element. Places and the order of elements do not count.

use std::collections::BTreeMap;
use std::fmt;

use crate::node::Node;

use super::{ManagementPack, xml};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Only the new version has it.
    Added {
        /// As the schema calls it.
        kind: String,
        /// Its ID.
        element: String,
    },
    /// Only the old version has it.
    Removed {
        /// As the schema calls it.
        kind: String,
        /// Its ID.
        element: String,
    },
    /// Both have it.
    Changed {
        /// As the schema calls it.
        kind: String,
        /// Its ID.
        element: String,
        /// Where within it: `Configuration/Threshold`, `@Enabled`.
        path: String,
        /// What the old version says; `None`: nothing.
        old: Option<String>,
        /// What the new version says; `None`: nothing.
        new: Option<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { kind, element } => write!(out, "+ {kind} {element}"),
            Self::Removed { kind, element } => write!(out, "- {kind} {element}"),
            Self::Changed { kind, element, path, old, new } => {
                let say = |value: &Option<String>| value.clone().unwrap_or_else(|| "(nothing)".to_owned());
                write!(out, "~ {kind} {element}: {path}: {} → {}", say(old), say(new))
            }
        }
    }
}

/// All changes, in the order of kinds and IDs.
#[must_use]
pub fn diff(old: &ManagementPack, new: &ManagementPack) -> Vec<Difference> {
    let (old, new) = (elements(old), elements(new));
    let mut found = Vec::new();
    for ((kind, element), before) in &old {
        match new.get(&(kind.clone(), element.clone())) {
            None => found.push(Difference::Removed { kind: kind.clone(), element: element.clone() }),
            Some(after) => {
                let (before, after) = (values(before), values(after));
                let paths = before.keys().chain(after.keys().filter(|path| !before.contains_key(*path)));
                for path in paths.filter(|path| before.get(*path) != after.get(*path)) {
                    found.push(Difference::Changed {
                        kind: kind.clone(),
                        element: element.clone(),
                        path: path.clone(),
                        old: before.get(path).cloned(),
                        new: after.get(path).cloned(),
                    });
                }
            }
        }
    }
    for (kind, element) in new.keys().filter(|key| !old.contains_key(*key)) {
        found.push(Difference::Added { kind: kind.clone(), element: element.clone() });
    }
    found
}

/// What names an element in its section.
fn key(node: &Node) -> Option<String> {
    if let Some(id) = node.attribute("ID").or_else(|| node.attribute("Alias")) {
        return Some(id.to_owned());
    }
    let element = node.attribute("ElementID")?;
    Some(node.attribute("SubElementID").map_or_else(|| element.to_owned(), |sub| format!("{element}/{sub}")))
}

/// The elements of a pack by kind and ID. Sections are looked into, languages too; what has no ID counts as a part of
/// the pack.
fn elements(pack: &ManagementPack) -> BTreeMap<(String, String), Node> {
    let mut found = BTreeMap::new();
    let mut own = Node::new("ManagementPack");
    let mut open = vec![(xml::to_tree(pack), String::new())];
    while let Some((section, language)) = open.pop() {
        for child in section.children {
            let language = if child.name == "LanguagePack" {
                child.attribute("ID").unwrap_or_default().to_owned()
            } else {
                language.clone()
            };
            match key(&child).filter(|_| child.name != "LanguagePack") {
                Some(id) if language.is_empty() => {
                    found.insert((child.name.clone(), id), child);
                }
                Some(id) => {
                    found.insert((format!("{language} {}", child.name), id), child);
                }
                None if child.children.is_empty() => own.children.push(child),
                None => open.push((child, language)),
            }
        }
    }
    found.insert(("ManagementPack".to_owned(), pack.id.clone()), own);
    found
}

/// Every attribute and text of an element by its path. Of several elements of one name the ID or number tells which.
fn values(node: &Node) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![(node, String::new())];
    while let Some((node, path)) = open.pop() {
        for (name, value) in &node.attributes {
            found.insert(format!("{path}@{name}"), value.clone());
        }
        if node.children.is_empty() {
            let path = path.trim_end_matches('/');
            if !path.is_empty() {
                found.insert(path.to_owned(), node.text.trim().to_owned());
            }
        }
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for child in &node.children {
            let number = numbers.entry(&child.name).and_modify(|number| *number += 1).or_insert(1);
            let which = match key(child) {
                Some(id) => format!("[{id}]"),
                None if *number > 1 => format!("[{number}]"),
                None => String::new(),
            };
            open.push((child, format!("{path}{}{which}/", child.name)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(classes: &str) -> ManagementPack {
        let text = format!(
            "<ManagementPackFragment SchemaVersion=\"2.0\"><TypeDefinitions><EntityTypes><ClassTypes>{classes}\
             </ClassTypes></EntityTypes></TypeDefinitions></ManagementPackFragment>"
        );
        xml::read("pack.xml", text.as_bytes()).pack.unwrap_or_default()
    }

    #[test]
    fn changes_are_told_by_element() {
        let old = pack("<ClassType ID=\"A\" Base=\"X\"><Property ID=\"P\" /></ClassType><ClassType ID=\"B\" />");
        let new = pack(
            "<ClassType ID=\"C\" />\n<ClassType ID=\"A\" Base=\"Y\"><Property ID=\"P\" Key=\"true\" /></ClassType>",
        );
        let told: Vec<String> = diff(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "~ ClassType A: @Base: X → Y",
                "~ ClassType A: Property[P]/@Key: (nothing) → true",
                "- ClassType B",
                "+ ClassType C",
            ]
        );
        assert_eq!(diff(&old, &old), Vec::new());
    }
}
