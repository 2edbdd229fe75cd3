//! Module and monitor types: their parameters, members, and how these follow one another.

use super::super::load::Yaml;
use super::super::table::Kind;
use super::{Reader, section};
use crate::node::Node;

impl Reader<'_> {
    /// The parts of module and monitor types.
    pub(super) fn type_part(&mut self, kind: &Kind, key: &str, value: &Yaml, node: &mut Node) {
        let implementation: &[&str] = if kind.key == "modules" {
            &["ModuleImplementation", "Composite", "MemberModules"]
        } else {
            &["MonitorImplementation", "MemberModules"]
        };
        match key {
            "parameters" => self.parameters(value, node),
            "members" => {
                for (id, value) in self.map(value, key) {
                    let member = self.member(id, value);
                    section(node, implementation).children.push(member);
                }
            }
            "flow" => {
                let flow = self.chain(value);
                section(node, &["ModuleImplementation", "Composite", "Composition"]).children.extend(flow);
            }
            "native" => {
                let text = self.text(value, key);
                let native = match text.strip_prefix("no:") {
                    Some(why) => Node::new("Native").with_attribute("Runs", "no").with_attribute("Why", why.trim()),
                    None => Node::new("Native").with_attribute("Runs", "yes"),
                };
                section(node, &["ModuleImplementation"]).children.push(native);
            }
            "output" | "input" => {
                let name = if key == "output" { "OutputType" } else { "InputType" };
                let text = self.text(value, key);
                node.children.push(Node { place: value.at.0, ..Node::text(name, text) });
            }
            "states" => {
                for item in self.list(value) {
                    let state = self.text(item, key);
                    let state = Node { place: item.at.0, ..Node::new("MonitorTypeState") }.with_attribute("ID", state);
                    section(node, &["MonitorTypeStates"]).children.push(state);
                }
            }
            "detect" | "recalculate" => {
                let (list, name) = if key == "detect" {
                    ("RegularDetections", "RegularDetection")
                } else {
                    ("OnDemandDetections", "OnDemandDetection")
                };
                for (state, value) in self.map(value, key) {
                    let mut detection = Node { place: value.at.0, ..Node::new(name) };
                    detection.attributes.push(("MonitorTypeStateID".to_owned(), state.clone()));
                    detection.children.extend(self.chain(value));
                    section(node, &["MonitorImplementation", list]).children.push(detection);
                }
            }
            _ => {}
        }
    }

    /// Declarations of parameters: `Interval: int override`, `Comment: string optional`.
    fn parameters(&mut self, value: &Yaml, node: &mut Node) {
        const TYPES: &[(&str, &str, &str)] = &[
            ("string", "xsd:string", "string"),
            ("int", "xsd:integer", "int"),
            ("double", "xsd:double", "double"),
            ("bool", "xsd:boolean", "bool"),
        ];
        section(node, &["Configuration"]);
        let mut overrideable = Vec::new();
        for (name, value) in self.map(value, "parameters") {
            let text = self.text(value, name);
            let mut declared = Node { place: value.at.0, ..Node::new("element") }.with_attribute("name", name);
            let words: Vec<&str> = text.split_whitespace().collect();
            let known = TYPES.iter().find(|(word, ..)| words.contains(word));
            if let Some((_, kind, _)) = known {
                declared.attributes.push(("type".to_owned(), (*kind).to_owned()));
            }
            for word in &words {
                match *word {
                    "optional" => declared.attributes.push(("minOccurs".to_owned(), "0".to_owned())),
                    "many" => declared.attributes.push(("maxOccurs".to_owned(), "unbounded".to_owned())),
                    "override" => overrideable.push(
                        Node { place: value.at.0, ..Node::new("OverrideableParameter") }
                            .with_attribute("ID", name)
                            .with_attribute("Selector", format!("$Config/{name}$"))
                            .with_attribute("ParameterType", known.map_or("string", |(_, _, kind)| kind)),
                    ),
                    "any" => {}
                    other if TYPES.iter().any(|(word, ..)| *word == other) => {}
                    other => self.error(
                        value.at,
                        format!("'{other}' means nothing for a parameter; there are string, int, double, bool, any, optional, many, override"),
                    ),
                }
            }
            section(node, &["Configuration"]).children.push(declared);
        }
        if !overrideable.is_empty() {
            section(node, &["OverrideableParameters"]).children.extend(overrideable);
        }
    }

    /// A module in a composition: `{probe: Type, Parameter: value}`.
    fn member(&mut self, id: &str, value: &Yaml) -> Node {
        const KINDS: &[(&str, &str)] = &[
            ("source", "DataSource"),
            ("probe", "ProbeAction"),
            ("condition", "ConditionDetection"),
            ("action", "WriteAction"),
        ];
        let body = self.map(value, id);
        let found = KINDS.iter().find_map(|(key, element)| {
            body.iter().find(|(known, _)| known == key).map(|(_, value)| (*key, *element, value))
        });
        let Some((kind, element, type_id)) = found else {
            self.error(value.at, format!("the member '{id}' needs its type as source, probe, condition or action"));
            return Node::new("DataSource").with_attribute("ID", id);
        };
        let type_id = self.text(type_id, kind);
        let mut node = Node { place: value.at.0, ..Node::new(element) };
        node.attributes = vec![("ID".to_owned(), id.to_owned()), ("TypeID".to_owned(), type_id)];
        for (key, value) in body {
            match key.as_str() {
                key if key == kind => {}
                "run_as" => node.attributes.push(("RunAs".to_owned(), self.text(value, key))),
                "on" => node.attributes.push(("Target".to_owned(), self.text(value, key))),
                key => {
                    if !self.other(key, value, &mut node) {
                        self.error(value.at, format!("a member has no '{key}'; parameters begin with a capital"));
                    }
                }
            }
        }
        node
    }

    /// Modules, each taking from the next.
    fn chain(&mut self, value: &Yaml) -> Option<Node> {
        let mut chain: Option<Node> = None;
        for item in self.list(value).into_iter().rev() {
            let id = self.text(item, "flow");
            let mut node = Node { place: item.at.0, ..Node::new("Node") }.with_attribute("ID", id);
            node.children.extend(chain.take());
            chain = Some(node);
        }
        chain
    }
}
