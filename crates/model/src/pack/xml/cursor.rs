//! Takes an element apart: what a reader asks for is taken out, what nobody asked for is left for [`Extra`].

use std::str::FromStr;

use crate::node::Node;

use super::super::common::{Accessibility, At, Enabled, Extra, Ref};
use super::super::problem::{Problems, did_you_mean};

/// An element being taken apart.
pub struct Cursor<'a> {
    node: Node,
    /// The ID for messages.
    element: String,
    problems: &'a mut Problems,
}

impl<'a> Cursor<'a> {
    /// Takes an element; its `ID` names it in messages, else the element around it.
    pub fn new(node: Node, around: &str, problems: &'a mut Problems) -> Self {
        let element = node.attribute("ID").filter(|id| !id.is_empty()).unwrap_or(around).to_owned();
        Self { node, element, problems }
    }

    /// Where it stands.
    pub fn at(&self) -> At {
        At(self.node.place)
    }

    /// Its name in messages.
    pub fn element(&self) -> String {
        self.element.clone()
    }

    /// For others to report to.
    pub fn problems(&mut self) -> &mut Problems {
        self.problems
    }

    /// Reports about it.
    pub fn error(&mut self, message: impl Into<String>) {
        self.problems.error(At(self.node.place), &self.element, message);
    }

    /// Takes an attribute.
    pub fn attribute(&mut self, name: &str) -> Option<String> {
        let at = self.node.attributes.iter().position(|(known, _)| known == name)?;
        Some(self.node.attributes.remove(at).1)
    }

    /// Takes an attribute that has to be there.
    pub fn required(&mut self, name: &str) -> String {
        let value = self.attribute(name).unwrap_or_default();
        if value.is_empty() {
            let known: Vec<String> = self.node.attributes.iter().map(|(known, _)| known.clone()).collect();
            let hint = did_you_mean(name, known.iter().map(String::as_str));
            self.error(format!("<{}> has no {name}; add {name}=\"…\"{hint}", self.node.name));
        }
        value
    }

    /// Takes the ID.
    pub fn id(&mut self) -> String {
        self.required("ID")
    }

    /// Takes an attribute that names an element.
    pub fn reference(&mut self, name: &str) -> Option<Ref> {
        self.attribute(name).map(|value| Ref::from(value.as_str())).filter(|value| !value.is_empty())
    }

    /// The same that has to be there.
    pub fn required_reference(&mut self, name: &str) -> Ref {
        Ref::from(self.required(name).as_str())
    }

    /// Takes an attribute that is `true` or `false`.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        match self.attribute(name).as_deref().map(str::trim) {
            None | Some("") => default,
            Some("true" | "1" | "True") => true,
            Some("false" | "0" | "False") => false,
            Some(other) => {
                self.error(format!("{name} is '{other}'; it is true or false"));
                default
            }
        }
    }

    /// Takes an attribute that is a number or another readable value.
    pub fn parsed<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.attribute(name)?;
        let value = text.trim().parse().ok();
        if value.is_none() {
            self.error(format!("{name} is '{text}', which is not a number"));
        }
        value
    }

    /// Takes `Accessibility`.
    pub fn accessibility(&mut self) -> Accessibility {
        match self.attribute("Accessibility").as_deref() {
            None | Some("Internal") => Accessibility::Internal,
            Some("Public") => Accessibility::Public,
            Some(other) => {
                self.error(format!("Accessibility is '{other}'; it is Public or Internal"));
                Accessibility::Internal
            }
        }
    }

    /// Takes `Enabled`.
    pub fn enabled(&mut self) -> Enabled {
        let Some(text) = self.attribute("Enabled") else { return Enabled::Yes };
        Enabled::parse(&text).unwrap_or_else(|| {
            self.error(format!(
                "Enabled is '{text}'; it is true, false, onEssentialMonitoring or onStandardMonitoring"
            ));
            Enabled::Yes
        })
    }

    /// Takes the first child of a name.
    pub fn child(&mut self, name: &str) -> Option<Node> {
        let at = self.node.children.iter().position(|child| child.name == name)?;
        Some(self.node.children.remove(at))
    }

    /// Takes all children of a name.
    pub fn children(&mut self, name: &str) -> Vec<Node> {
        let (taken, left) = std::mem::take(&mut self.node.children).into_iter().partition(|child| child.name == name);
        self.node.children = left;
        taken
    }

    /// Takes all children.
    pub fn all_children(&mut self) -> Vec<Node> {
        std::mem::take(&mut self.node.children)
    }

    /// Takes the trimmed text of the first child of a name.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.child(name).map(|child| child.text.trim().to_owned())
    }

    /// Takes the text of a child that names an element; `None` where it is missing or empty.
    pub fn text_reference(&mut self, name: &str) -> Option<Ref> {
        self.text(name).filter(|text| !text.is_empty()).map(|text| Ref::from(text.as_str()))
    }

    /// Takes a child whose text is one of a few words.
    pub fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name).filter(|text| !text.is_empty())?;
        self.one_of(name, &text, words)
    }

    /// Takes an attribute that is one of a few words.
    pub fn attribute_word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.attribute(name).filter(|text| !text.is_empty())?;
        self.one_of(name, &text, words)
    }

    fn one_of<T: Copy>(&mut self, name: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let hint = did_you_mean(text, known.iter().copied());
            self.error(format!("{name} is '{text}'; it is one of {}{hint}", known.join(", ")));
        }
        found
    }

    /// Its own text.
    pub fn own_text(&self) -> &str {
        self.node.text.trim()
    }

    /// What nobody took.
    pub fn rest(self) -> Extra {
        Extra { attributes: self.node.attributes, children: self.node.children }
    }

    /// What nobody took, where nothing should be left over: reports children.
    pub fn finish(mut self, known: &[&str]) -> Extra {
        let unknown: Vec<(At, String)> = self
            .node
            .children
            .iter()
            .filter(|child| !known.contains(&child.name.as_str()))
            .map(|child| (At(child.place), child.name.clone()))
            .collect();
        let owner = std::mem::take(&mut self.node.name);
        for (at, name) in unknown {
            self.problems.note(at, &self.element, format!("<{name}> within <{owner}> is kept and does nothing here"));
        }
        self.rest()
    }
}
