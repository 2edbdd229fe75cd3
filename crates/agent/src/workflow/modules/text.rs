//! Texts of modules: variables filled in, elements as XML.

use watchkeeper_model::item::DataItem;
use watchkeeper_model::node::Node;
use watchkeeper_model::substitute::{DataResolver, substitute, substitute_text};

use crate::workflow::accounts::Accounts;
use crate::workflow::module::{Failure, Item};

/// A text with `$Data/…$` and `$RunAs…$` filled in; what an item does not have is empty.
///
/// # Errors
/// When a variable cannot be read, or no account is there for a profile.
pub fn fill(text: &str, item: Option<&DataItem>, accounts: &Accounts) -> Result<String, Failure> {
    let run_as = |profile: &str, field: &str| accounts.field(profile, field).map(str::to_owned);
    let resolver = DataResolver { item, run_as, missing_is_empty: true };
    substitute_text(text, &resolver).map_err(|problem| Failure::new(problem.to_string()))
}

/// The same for an element.
///
/// # Errors
/// As [`fill`].
pub fn fill_node(node: &Node, item: Option<&DataItem>, accounts: &Accounts) -> Result<Node, Failure> {
    let run_as = |profile: &str, field: &str| accounts.field(profile, field).map(str::to_owned);
    let resolver = DataResolver { item, run_as, missing_is_empty: true };
    substitute(node, &resolver)
        .map_err(|problems| Failure::new(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

/// An element as XML.
#[must_use]
pub fn xml(node: &Node) -> String {
    let mut out = String::new();
    write(node, &mut out);
    out
}

fn write(node: &Node, out: &mut String) {
    out.push('<');
    out.push_str(&node.name);
    for (name, value) in &node.attributes {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape(value, out);
        out.push('"');
    }
    if node.children.is_empty() && node.text.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    escape(&node.text, out);
    for child in &node.children {
        write(child, out);
    }
    out.push_str("</");
    out.push_str(&node.name);
    out.push('>');
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // XML has no place for other control characters
            '\t' | '\n' | '\r' => out.push(character),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
}

/// What a run gave as text for a person: the output of a command as it is, other items as XML. Cut at a limit.
#[must_use]
pub fn output_text(items: &[Item], limit: usize) -> (String, bool) {
    let mut out = String::new();
    for item in items {
        if item.kind == watchkeeper_model::item::COMMAND_OUTPUT {
            out.push_str(&item.body.child("StdOut").map_or(String::new(), |node| node.text.clone()));
            out.push_str(&item.body.child("StdErr").map_or(String::new(), |node| node.text.clone()));
        } else {
            out.push_str(&xml(&item.body));
        }
        if !out.ends_with('\n') && !out.is_empty() {
            out.push('\n');
        }
        if out.len() > limit {
            break;
        }
    }
    let cut = out.len() > limit;
    if cut {
        let end = (0..=limit).rev().find(|index| out.is_char_boundary(*index)).unwrap_or(0);
        out.truncate(end);
    }
    (out, cut)
}

/// The object of items that no single object has: modules are shared.
#[must_use]
pub fn nobody() -> watchkeeper_model::ids::ObjectId {
    watchkeeper_model::ids::ObjectId(uuid::Uuid::nil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_become_xml_that_says_the_same() {
        let node = Node::new("a").with_attribute("b", "<\"&").with_child(Node::text("c", "1 < 2\u{1}"));
        assert_eq!(xml(&node), "<a b=\"&lt;&quot;&amp;\"><c>1 &lt; 2\u{fffd}</c></a>");
    }
}
