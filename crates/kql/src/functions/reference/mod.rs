//! What people read about each function: a sentence and an example with its result, in a text file a family beside
//! this one, and the page `docs/kql-functions.md` made of them and the signatures.
//!
//! An entry is the function's name, its sentence, the lines of its example after `> ` and those of the result after
//! `= `; entries are parted by empty lines. A result's columns are parted by ` | `, and named in its first line unless
//! it is a `print` of one value. What this version does not run has no example. Names that begin with `__` are for the
//! engine's own rewriting and stand nowhere here.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

use super::{Signature, Table};

/// What kind of function a name stands for; a name may be one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    Scalar,
    Aggregate,
    Plugin,
}

/// What people read about a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The canonical name.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
    /// A query that shows it, and the lines of its result; both empty for what does not run here.
    pub example: String,
    pub result: Vec<&'static str>,
}

struct Family {
    title: &'static str,
    kind: FunctionKind,
    signatures: Vec<Signature>,
    entries: Vec<Entry>,
}

macro_rules! family {
    ($title:literal, $kind:ident, $file:ident) => {
        Family::read($title, FunctionKind::$kind, super::$file::TABLE, include_str!(concat!(stringify!($file), ".txt")))
    };
}

static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    vec![
        family!("Text", Scalar, strings),
        family!("Conversion", Scalar, conversion),
        family!("Dates and timespans", Scalar, datetime),
        family!("Numbers, conditions and hashes", Scalar, math),
        family!("Arrays, bags and sets", Scalar, dynamic),
        family!("Series and sketches", Scalar, series),
        family!("IP addresses", Scalar, ip),
        family!("Geography", Scalar, geo),
        family!("Window functions", Scalar, window),
        family!("The query and its data", Scalar, meta),
        family!("Aggregates", Aggregate, aggregates),
        family!("Plugins of evaluate", Plugin, plugins),
    ]
});

static ENTRIES: LazyLock<HashMap<(FunctionKind, &'static str), &'static Entry>> = LazyLock::new(|| {
    let entries = |family: &'static Family| family.entries.iter().map(|entry| ((family.kind, entry.name), entry));
    FAMILIES.iter().flat_map(entries).collect()
});

/// What people read about the function with this canonical name.
pub fn entry(kind: FunctionKind, name: &str) -> Option<&'static Entry> {
    ENTRIES.get(&(kind, name)).copied()
}

/// The page of all functions, in Markdown.
pub fn page() -> String {
    let mut page = PREFACE.to_owned();
    for family in FAMILIES.iter() {
        let _ = write!(page, "\n## {}\n", family.title);
        for signature in &family.signatures {
            write_function(&mut page, family.kind, signature);
        }
    }
    page
}

const PREFACE: &str = "\
# Functions of the query language

Every function, aggregate and plugin, from the tables that the engine itself reads; `watchkeeper kql --reference` prints
this page. A parameter in brackets may be left out, one with `…` may come again. The examples run as they stand, for
instance `watchkeeper kql \"print strcat('a', 'b')\"`; a value alone is a result of one cell.
";

fn write_function(page: &mut String, kind: FunctionKind, signature: &Signature) {
    let _ = write!(page, "\n### {}\n\n", signature.name);
    for overload in &signature.overloads {
        let _ = writeln!(page, "    {} → {}", overload.usage(signature.name), overload.returns);
    }
    let Some(entry) = entry(kind, signature.name) else { return };
    let _ = write!(page, "\n{}", entry.description);
    if !signature.aliases.is_empty() {
        let aliases: Vec<String> = signature.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let _ = write!(page, " Also {}.", aliases.join(", "));
    }
    page.push('\n');
    if entry.example.is_empty() {
        page.push_str("\nIt has no example: this version refuses it, or it needs more than the rows of a query.\n");
    } else {
        let _ = write!(page, "\n```kql\n{}\n```\n\n```text\n{}\n```\n", entry.example, entry.result.join("\n"));
    }
}

impl Family {
    fn read(title: &'static str, kind: FunctionKind, table: &'static str, text: &'static str) -> Family {
        let mut signatures = Table::read(&[table]).signatures;
        signatures.retain(|signature| !signature.name.starts_with("__"));
        Family { title, kind, signatures, entries: text.split("\n\n").filter_map(read_entry).collect() }
    }
}

fn read_entry(text: &'static str) -> Option<Entry> {
    let mut lines = text.trim().lines();
    let (name, description) = (lines.next()?, lines.next()?);
    let (mut example, mut result) = (Vec::new(), Vec::new());
    for line in lines {
        match line.split_at_checked(2) {
            Some(("> ", query)) => example.push(query),
            Some(("= ", row)) => result.push(row),
            _ => return None,
        }
    }
    Some(Entry { name, description, example: example.join("\n"), result })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_an_entry_and_every_entry_a_function() {
        for family in FAMILIES.iter() {
            let functions: Vec<&str> = family.signatures.iter().map(|signature| signature.name).collect();
            let entries: Vec<&str> = family.entries.iter().map(|entry| entry.name).collect();
            assert_eq!(entries, functions, "reference of {}, in the order of its table", family.title);
        }
    }

    #[test]
    fn descriptions_are_sentences_and_examples_use_their_function() {
        for family in FAMILIES.iter() {
            for (entry, signature) in family.entries.iter().zip(&family.signatures) {
                assert!(entry.description.ends_with('.'), "{}", entry.name);
                assert_eq!(entry.example.is_empty(), entry.result.is_empty(), "{}", entry.name);
                let known = |name: &&str| entry.example.contains(*name);
                let used = known(&signature.name) || signature.aliases.iter().any(known);
                assert!(used || entry.example.is_empty(), "{}: {}", entry.name, entry.example);
            }
        }
    }
}
