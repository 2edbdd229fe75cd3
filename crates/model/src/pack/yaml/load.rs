//! From the text of a YAML file to values with places. Aliases are copied, so what they copy counts against the limit
//! of elements: a file cannot fill the memory.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::node::Place;

use super::super::common::At;
use super::super::limits;
use super::super::problem::Problems;

/// A value and where it stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Yaml {
    /// What it is.
    pub content: Content,
    /// Where it stands.
    pub at: At,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// All scalars are texts.
    Text(String),
    /// In the order of the file.
    Map(Vec<(String, Yaml)>),
    /// In the order of the file.
    List(Vec<Yaml>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Yaml {
    /// A text without a place.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: Content::Text(text.into()), at: At::default() }
    }

    /// A mapping without a place.
    pub fn map(entries: Vec<(String, Self)>) -> Self {
        Self { content: Content::Map(entries), at: At::default() }
    }

    /// A list without a place.
    pub fn list(items: Vec<Self>) -> Self {
        Self { content: Content::List(items), at: At::default() }
    }

    /// Its text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Content::Text(text) = &self.content { Some(text) } else { None }
    }
}

/// What is open while the events come.
struct Open {
    value: Yaml,
    anchor: usize,
    /// Of a mapping: the key whose value comes next.
    key: Option<(String, At)>,
    size: usize,
}

/// The one document of a file; `None` after a problem that leaves nothing to read.
pub fn load(text: &str, problems: &mut Problems) -> Option<Yaml> {
    let mut anchors: HashMap<usize, (Yaml, usize)> = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut nodes = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let at = place(error.marker().line(), error.marker().col());
                problems.error(at, "", format!("the file is not YAML: {}", error.info()));
                return None;
            }
        };
        let at = start(&span);
        let (value, anchor, size) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let nothing = style == ScalarStyle::Plain && matches!(text.as_ref(), "~" | "null");
                let text = if nothing { String::new() } else { text.into_owned() };
                (Yaml { content: Content::Text(text), at }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                if open.len() >= limits::DEPTH {
                    problems.error(at, "", format!("values stand more than {} deep in one another", limits::DEPTH));
                    return None;
                }
                let list = matches!(event, Event::SequenceStart(..));
                let content = if list { Content::List(Vec::new()) } else { Content::Map(Vec::new()) };
                open.push(Open { value: Yaml { content, at }, anchor, key: None, size: 1 });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(done) = open.pop() else { continue };
                (done.value, done.anchor, done.size)
            }
            Event::Alias(anchor) => {
                let Some((value, size)) = anchors.get(&anchor) else {
                    problems.error(at, "", "the alias names what it stands in");
                    return None;
                };
                nodes = nodes.saturating_add(*size);
                if nodes > limits::NODES {
                    problems.error(at, "", too_many());
                    return None;
                }
                (value.clone(), 0, *size)
            }
            Event::DocumentStart(_) if root.is_some() => {
                problems.error(at, "", "a second document begins; one file holds one pack");
                return root;
            }
            _ => continue,
        };
        nodes += 1;
        if nodes > limits::NODES {
            problems.error(at, "", too_many());
            return None;
        }
        if anchor > 0 {
            anchors.insert(anchor, (value.clone(), size));
        }
        match open.last_mut() {
            Some(parent) => put(parent, value, size, problems),
            None => root = Some(value),
        }
    }
    if root.is_none() {
        problems.error(At::default(), "", "the file is empty; a pack starts with 'pack: <ID>'");
    }
    root
}

fn too_many() -> String {
    format!("the file has more than {} values, copies by aliases counted", limits::NODES)
}

/// Puts a value into the list or mapping around it.
fn put(parent: &mut Open, value: Yaml, size: usize, problems: &mut Problems) {
    parent.size += size;
    match &mut parent.value.content {
        Content::List(items) => items.push(value),
        Content::Map(entries) => match parent.key.take() {
            None => match &value.content {
                Content::Text(key) => parent.key = Some((key.clone(), value.at)),
                _ => {
                    problems.error(value.at, "", "a key has to be a text");
                    parent.key = Some((String::new(), value.at));
                }
            },
            Some((key, _)) if key == "<<" => {
                let Content::Map(merged) = value.content else {
                    return problems.error(value.at, "", "'<<' takes a mapping to be merged");
                };
                for (key, value) in merged {
                    if !entries.iter().any(|(known, _)| *known == key) {
                        entries.push((key, value));
                    }
                }
            }
            Some((key, at)) => {
                let inherited = entries.iter().position(|(known, _)| *known == key);
                match inherited {
                    Some(_) => problems.error(at, "", format!("the key '{key}' stands here twice; the first counts")),
                    None => entries.push((key, Yaml { at, ..value })),
                }
            }
        },
        Content::Text(_) => {}
    }
}

fn start(span: &Span) -> At {
    place(span.start.line(), span.start.col())
}

fn place(line: usize, column: usize) -> At {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    At(Place { line: number(line), column: number(column + 1) })
}
