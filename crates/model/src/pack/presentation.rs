//! What people see: views, folders, texts and knowledge.

use crate::node::Node;

use super::common::{Accessibility, At, Enabled, Extra, Ref};

/// A view of the console.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Its ID in the pack.
    pub id: String,
    /// Whether other packs may name it.
    pub accessibility: Accessibility,
    /// Whether it is shown.
    pub enabled: Enabled,
    /// The class whose objects it shows.
    pub target: Ref,
    /// What it shows of them: alerts, state, performance.
    pub type_id: Ref,
    /// Whether it is listed.
    pub visible: bool,
    /// What kind of thing it is, for people.
    pub category: String,
    /// Which of them.
    pub criteria: Option<Node>,
    /// Where it stands.
    pub at: At,
    /// Columns and what else the file has.
    pub extra: Extra,
}

/// A folder of views.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Folder {
    /// Its ID in the pack.
    pub id: String,
    /// Whether other packs may name it.
    pub accessibility: Accessibility,
    /// The folder that it is in; `None`: the top.
    pub parent: Option<Ref>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// Puts a view or other element into a folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FolderItem {
    /// Its ID in the pack, where it has one.
    pub id: Option<String>,
    /// What.
    pub element: Ref,
    /// Where to.
    pub folder: Ref,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// The texts of one language.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LanguagePack {
    /// Three letters: `ENU`.
    pub id: String,
    /// Used where a text is missing in another language.
    pub is_default: bool,
    /// Names and descriptions.
    pub strings: Vec<DisplayString>,
    /// Articles.
    pub knowledge: Vec<Knowledge>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// The name and description of an element.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DisplayString {
    /// The element.
    pub element: Ref,
    /// A property or state of it.
    pub sub_element: Option<String>,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Where it stands.
    pub at: At,
}

/// What people should know about an element.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Knowledge {
    /// The element.
    pub element: Ref,
    /// Whether it is shown.
    pub visible: bool,
    /// In which language the content is written.
    pub format: KnowledgeFormat,
    /// As the file has it.
    pub content: String,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// In which language an article is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KnowledgeFormat {
    /// `HtmlContent`.
    #[default]
    Html,
    /// `MamlContent`.
    Maml,
}

impl Knowledge {
    /// The article as plain text: headings on lines of their own, list items with a dash.
    #[must_use]
    pub fn text(&self) -> String {
        plain_text(&self.content)
    }
}

/// Markup as plain text.
fn plain_text(markup: &str) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    let mut rest = markup;
    while let Some(open) = rest.find('<') {
        push_words(&mut lines, &rest[..open]);
        let after = &rest[open + 1..];
        let Some(close) = after.find('>') else {
            rest = "";
            break;
        };
        let tag = after[..close].trim_start_matches('/');
        let name: String = tag.chars().take_while(|each| each.is_ascii_alphanumeric() || *each == ':').collect();
        let name = name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
        let opens = !after.starts_with('/');
        match name.as_str() {
            "script" | "style" if opens => {
                let end = format!("</{name}");
                let skipped = after.to_ascii_lowercase().find(&end).map_or(after.len(), |at| at);
                rest = after.get(skipped..).unwrap_or_default();
                continue;
            }
            "p" | "para" | "title" | "section" | "div" | "br" | "tr" | "row" | "list" | "ul" | "ol" | "table"
            | "h1" | "h2" | "h3" | "h4" | "h5" => lines.push(String::new()),
            "li" | "listitem" if opens => lines.push("- ".to_owned()),
            "td" | "th" | "entry" if opens => push_words(&mut lines, " "),
            _ => {}
        }
        rest = &after[close + 1..];
    }
    push_words(&mut lines, rest);
    let mut text = String::new();
    let mut bullet = false;
    for line in lines.iter().map(|line| line.trim_end()) {
        if line.trim().is_empty() {
            continue;
        }
        if line == "-" {
            bullet = true;
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        if std::mem::take(&mut bullet) {
            text.push_str("- ");
        }
        text.push_str(line.trim_start());
    }
    text
}

/// Adds words to the last line, white space folded and entities replaced.
fn push_words(lines: &mut [String], text: &str) {
    let Some(line) = lines.last_mut() else { return };
    let text = text
        .replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&");
    for each in text.chars() {
        if !each.is_whitespace() {
            line.push(each);
        } else if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_becomes_plain_text() {
        let cases = [
            ("<p>Look at <b>the</b> disk.</p><ul><li>one</li><li>two</li></ul>", "Look at the disk.\n- one\n- two"),
            (
                "<maml:section><maml:title>Summary</maml:title><maml:para>A &amp; B</maml:para></maml:section>",
                "Summary\nA & B",
            ),
            ("plain", "plain"),
            ("<script>bad()</script>good", "good"),
            ("cut <b", "cut "),
        ];
        for (content, expected) in cases {
            let article = Knowledge { content: content.to_owned(), ..Knowledge::default() };
            assert_eq!(article.text(), expected.trim_end(), "{content}");
        }
    }
}
