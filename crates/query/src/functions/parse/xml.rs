//! XML as JSON: elements, attributes and text; comments, instructions and declarations are skipped.

use serde_json::{Map, Value as Tree};

/// The longest text that is read.
const LONGEST: usize = 1_048_576;
/// Elements within each other at most.
const DEEPEST: usize = 128;

/// `{root: …}`; none where the text is not one well-formed element.
pub fn parse(text: &str) -> Option<Tree> {
    if text.len() > LONGEST {
        return None;
    }
    let mut reader = Reader { rest: text };
    reader.skip_between()?;
    let (name, content) = reader.element(0)?;
    reader.skip_between()?;
    if !reader.rest.is_empty() {
        return None;
    }
    let mut root = Map::new();
    root.insert(name, content);
    Some(Tree::Object(root))
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn until(&mut self, end: &str) -> Option<&'a str> {
        let (before, after) = self.rest.split_once(end)?;
        self.rest = after;
        Some(before)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Space, comments, instructions and the document type around the root.
    fn skip_between(&mut self) -> Option<()> {
        self.rest = self.rest.trim_start_matches('\u{feff}');
        loop {
            self.space();
            if self.take("<!--") {
                self.until("-->")?;
            } else if self.take("<?") {
                self.until("?>")?;
            } else if self.take("<!DOCTYPE") {
                let end = self.rest.find(['>', '['])?;
                let subset = self.rest.as_bytes()[end] == b'[';
                self.rest = &self.rest[end + 1..];
                if subset {
                    self.until("]")?;
                    self.until(">")?;
                }
            } else {
                return Some(());
            }
        }
    }

    fn name(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|found: char| found.is_whitespace() || "/>=<\"'&".contains(found))?;
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    fn element(&mut self, depth: usize) -> Option<(String, Tree)> {
        if depth > DEEPEST || !self.take("<") {
            return None;
        }
        let name = self.name()?;
        let mut map = Map::new();
        loop {
            self.space();
            if self.take("/>") {
                let content = if map.is_empty() { Tree::Null } else { Tree::Object(map) };
                return Some((name.to_owned(), content));
            }
            if self.take(">") {
                break;
            }
            let attribute = self.name()?;
            self.space();
            if !self.take("=") {
                return None;
            }
            self.space();
            let quote = if self.take("\"") {
                "\""
            } else if self.take("'") {
                "'"
            } else {
                return None;
            };
            let value = unescape(self.until(quote)?)?;
            map.insert(format!("@{attribute}"), Tree::String(value));
        }
        let mut text = String::new();
        loop {
            if self.take("</") {
                let closing = self.until(">")?;
                if closing.trim_end() != name {
                    return None;
                }
                break;
            } else if self.take("<!--") {
                self.until("-->")?;
            } else if self.take("<![CDATA[") {
                text.push_str(self.until("]]>")?);
            } else if self.take("<?") {
                self.until("?>")?;
            } else if self.rest.starts_with('<') {
                let (child, content) = self.element(depth + 1)?;
                put(&mut map, text_part(&mut text));
                insert(&mut map, child, content);
            } else {
                let end = self.rest.find('<')?;
                let (part, rest) = self.rest.split_at(end);
                text.push_str(&unescape(part)?);
                self.rest = rest;
            }
        }
        if map.is_empty() {
            let text = text.trim();
            let content = if text.is_empty() { Tree::Null } else { Tree::from(text) };
            return Some((name.to_owned(), content));
        }
        put(&mut map, text_part(&mut text));
        Some((name.to_owned(), Tree::Object(map)))
    }
}

/// The text so far without the space around it, where there is any.
fn text_part(text: &mut String) -> Option<String> {
    let part = std::mem::take(text);
    let part = part.trim();
    (!part.is_empty()).then(|| part.to_owned())
}

fn put(map: &mut Map<String, Tree>, text: Option<String>) {
    if let Some(text) = text {
        insert(map, "#text".to_owned(), Tree::String(text));
    }
}

/// Elements of one name become an array.
fn insert(map: &mut Map<String, Tree>, name: String, content: Tree) {
    match map.get_mut(&name) {
        Some(Tree::Array(items)) => items.push(content),
        Some(first) => *first = Tree::Array(vec![first.take(), content]),
        None => {
            map.insert(name, content);
        }
    }
}

/// The five named entities and character references; none for others.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (entity, after) = after.split_once(';')?;
        out.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = entity.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_text_have_their_places() {
        for (xml, json) in [
            ("<e/>", r#"{"e":null}"#),
            ("<e>text</e>", r#"{"e":"text"}"#),
            (r#"<e name="v" />"#, r##"{"e":{"@name":"v"}}"##),
            (r#"<e name="v">a &lt; b</e>"#, r##"{"e":{"@name":"v","#text":"a < b"}}"##),
            ("<e> <a>1</a> <b><![CDATA[<2>]]></b> </e>", r#"{"e":{"a":"1","b":"<2>"}}"#),
            ("<e> <a>1</a> <a>2</a><a>3</a></e>", r#"{"e":{"a":["1","2","3"]}}"#),
            ("<e> text <a>1</a> </e>", r##"{"e":{"#text":"text","a":"1"}}"##),
            ("<?xml version=\"1.0\"?>\n<!-- c --><e>&#x41;</e>\n", r#"{"e":"A"}"#),
        ] {
            assert_eq!(parse(xml).map(|tree| tree.to_string()).as_deref(), Some(json), "{xml}");
        }
    }

    #[test]
    fn what_is_not_well_formed_gives_nothing() {
        for xml in ["", "text", "<a>", "<a></b>", "<a/><b/>", "<a b=c/>", "<a>&x;</a>"] {
            assert_eq!(parse(xml), None, "{xml}");
        }
        let deep = "<a>".repeat(5000) + &"</a>".repeat(5000);
        assert_eq!(parse(&deep), None);
    }
}
