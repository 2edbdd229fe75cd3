//! From text to a tree of elements with places. Document types are refused, so there are no entities to expand and
//! nothing to fetch. Tags that do not match are reported and the rest is read as well as it can be.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::node::{Node, Place};

use super::super::common::At;
use super::super::limits;
use super::super::problem::Problems;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Tree {
    /// The outermost element.
    pub root: Option<Node>,
    /// The comments: authors of fragments write in them which packs they need.
    pub comments: Vec<(String, Place)>,
}

/// Elements whose content is markup of another language and is kept as text.
const MARKUP: &[&str] = &["HtmlContent", "MamlContent"];

/// Reads a text as XML.
pub fn parse(text: &str, problems: &mut Problems) -> Tree {
    let mut reader = Reader::from_str(text);
    let settings = reader.config_mut();
    settings.check_end_names = false;
    settings.allow_unmatched_ends = true;
    let mut builder = Builder { text, lines: Lines::of(text), stack: Vec::new(), tree: Tree::default(), nodes: 0 };
    loop {
        let start = byte(reader.buffer_position());
        let at = builder.lines.at(text, start);
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                let at = builder.lines.at(text, byte(reader.error_position()));
                problems.error(at, builder.innermost(), format!("the file is not well-formed here: {error}"));
                break;
            }
        };
        let goes_on = match event {
            Event::Start(tag) => {
                let goes_on = builder.open(&tag, at, problems);
                let name = local(tag.name().as_ref());
                if goes_on && MARKUP.contains(&name.as_ref()) {
                    match reader.read_to_end(tag.name()) {
                        Ok(span) => {
                            let inner = text.get(byte(span.start)..byte(span.end)).unwrap_or_default();
                            builder.write(&markup(inner));
                        }
                        Err(error) => {
                            problems.error(at, builder.innermost(), format!("the end of {name} is missing: {error}"));
                        }
                    }
                    builder.close(&name, at, problems);
                }
                goes_on
            }
            Event::Empty(tag) => {
                let goes_on = builder.open(&tag, at, problems);
                builder.close(&local(tag.name().as_ref()), at, problems);
                goes_on
            }
            Event::End(tag) => {
                builder.close(&local(tag.name().as_ref()), at, problems);
                true
            }
            Event::Text(words) => {
                if let Ok(words) = words.decode() {
                    builder.write(&words);
                }
                true
            }
            Event::CData(words) => {
                if let Ok(words) = words.decode() {
                    builder.write(&words);
                }
                true
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().unwrap_or_default();
                match entity(&name) {
                    Some(letter) => builder.write(letter.encode_utf8(&mut [0; 4])),
                    None => problems.error(
                        at,
                        builder.innermost(),
                        format!("the entity '&{name};' is not known: packs have only the five of XML and '&#…;'"),
                    ),
                }
                true
            }
            Event::Comment(words) => {
                builder.tree.comments.push((words.decode().unwrap_or_default().into_owned(), at.0));
                true
            }
            Event::DocType(_) => {
                problems.error(
                    at,
                    "",
                    "a document type declaration is refused: its entities could read files or fill the memory; \
                     remove <!DOCTYPE …>",
                );
                false
            }
            Event::Decl(_) | Event::PI(_) => true,
            Event::Eof => break,
        };
        if !goes_on {
            break;
        }
    }
    builder.finish(problems)
}

/// A position; files are limited far below where it would not fit.
fn byte(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// A name without its prefix.
fn local(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.rsplit(':').next().unwrap_or_default().to_owned()
}

/// The character of an entity.
fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x').or_else(|| number.strip_prefix('X')) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|letter| *letter != '\0')
        }
    }
}

/// The content of an element of another language: as it stands where it has tags, else what its text says.
fn markup(inner: &str) -> Cow<'_, str> {
    let trimmed = inner.trim();
    if let Some(data) = trimmed.strip_prefix("<![CDATA[").and_then(|rest| rest.strip_suffix("]]>"))
        && !data.contains("]]>")
    {
        return Cow::Borrowed(data);
    }
    if inner.contains('<') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(start) = rest.find('&') {
        text.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        match after.split_once(';').and_then(|(name, rest)| Some((entity(name)?, rest))) {
            Some((letter, after)) => {
                text.push(letter);
                rest = after;
            }
            None => {
                text.push('&');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    Cow::Owned(text)
}

struct Builder<'a> {
    text: &'a str,
    lines: Lines,
    stack: Vec<Node>,
    tree: Tree,
    nodes: usize,
}

impl Builder<'_> {
    /// The element that the reader is in, for messages.
    fn innermost(&self) -> &str {
        self.stack
            .iter()
            .rev()
            .find_map(|node| node.attribute("ID"))
            .or_else(|| self.stack.last().map(|node| node.name.as_str()))
            .unwrap_or_default()
    }

    /// False: a limit is passed.
    fn open(&mut self, tag: &BytesStart<'_>, at: At, problems: &mut Problems) -> bool {
        self.nodes += 1;
        if self.nodes > limits::NODES {
            problems.error(at, "", format!("the file has more than {} elements", limits::NODES));
            return false;
        }
        if self.stack.len() >= limits::DEPTH {
            problems.error(at, self.innermost(), format!("more than {} elements within each other", limits::DEPTH));
            return false;
        }
        let mut node = Node { name: local(tag.name().as_ref()), place: at.0, ..Node::default() };
        let mut seen = 0;
        for attribute in tag.attributes().with_checks(false) {
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(error) => {
                    problems.error(at, &node.name, format!("an attribute of {} cannot be read: {error}", node.name));
                    break;
                }
            };
            seen += 1;
            if seen > limits::ATTRIBUTES {
                problems.error(at, &node.name, format!("more than {} attributes", limits::ATTRIBUTES));
                break;
            }
            let key = attribute.key.as_ref();
            if key == b"xmlns" || key.starts_with(b"xmlns:") {
                continue;
            }
            let name = local(key);
            let value = match attribute.unescape_value() {
                Ok(value) => value.into_owned(),
                Err(error) => {
                    problems.error(at, &node.name, format!("the value of {name} cannot be read: {error}"));
                    continue;
                }
            };
            if node.attribute(&name).is_some() {
                problems.error(at, &node.name, format!("the attribute {name} stands twice; the first one counts"));
                continue;
            }
            node.attributes.push((name, value));
        }
        self.stack.push(node);
        true
    }

    fn write(&mut self, words: &str) {
        if let Some(node) = self.stack.last_mut() {
            if words.contains('\r') {
                node.text.push_str(&words.replace("\r\n", "\n").replace('\r', "\n"));
            } else {
                node.text.push_str(words);
            }
        }
    }

    fn close(&mut self, name: &str, at: At, problems: &mut Problems) {
        let Some(depth) = self.stack.iter().rposition(|node| node.name == name) else {
            problems.error(
                at,
                self.innermost(),
                format!("the end tag </{name}> has no start tag; it is left out, remove it"),
            );
            return;
        };
        while self.stack.len() > depth {
            let Some(mut node) = self.stack.pop() else { break };
            if self.stack.len() > depth {
                problems.error(
                    At(node.place),
                    self.innermost(),
                    format!("<{}> is not closed before </{name}> on line {}", node.name, at.0.line),
                );
            }
            if !node.children.is_empty() {
                node.text.clear();
            }
            match self.stack.last_mut() {
                Some(outer) => outer.children.push(node),
                None if self.tree.root.is_none() => self.tree.root = Some(node),
                None => problems.error(
                    At(node.place),
                    "",
                    format!("<{}> stands after the end of the pack; one file holds one pack", node.name),
                ),
            }
        }
    }

    fn finish(mut self, problems: &mut Problems) -> Tree {
        if let Some(outermost) = self.stack.first() {
            let name = outermost.name.clone();
            let at = self.lines.at(self.text, self.text.len());
            problems.error(at, self.innermost(), format!("the file ends before </{name}>; it may be cut off"));
            self.close(&name, at, problems);
        }
        self.tree
    }
}

/// Where lines start.
struct Lines {
    starts: Vec<usize>,
    /// The last place asked for: the next one is usually on the same line.
    last: std::cell::Cell<(usize, usize, u32)>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        Self { starts, last: std::cell::Cell::new((0, 0, 1)) }
    }

    fn at(&self, text: &str, position: usize) -> At {
        let line = self.starts.partition_point(|start| *start <= position).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let (last_line, last_position, last_column) = self.last.get();
        let (from, base) =
            if last_line == line && last_position <= position { (last_position, last_column) } else { (start, 1) };
        let letters = text.get(from..position).map_or(0, |part| part.chars().count());
        let column = base.saturating_add(u32::try_from(letters).unwrap_or(u32::MAX));
        self.last.set((line, position, column));
        At(Place { line: u32::try_from(line).unwrap_or(u32::MAX), column })
    }
}
