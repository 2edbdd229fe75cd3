//! Fills in what depends on the object: `$Target/…$`. Its values come from discoveries, so none may become a variable,
//! not even together with what stands beside it.

use crate::ids::{ElementId, ObjectId};
use crate::node::Node;
use crate::objects::{Classes, Objects};
use crate::pack::ClassFacts;
use crate::substitute::{Resolved, Resolver, TargetValue, Template, Variable, VariableKind, substitute};

use super::ManagementGroup;

/// Knows one object and its hosts.
pub(super) struct TargetResolver<'a> {
    pub objects: &'a Objects,
    pub facts: &'a ClassFacts,
    pub group: &'a ManagementGroup,
    pub object: ObjectId,
}

impl Resolver for TargetResolver<'_> {
    fn resolve(&self, variable: &Variable) -> Resolved<'_> {
        let VariableKind::Target { hosts, value } = &variable.kind else { return Resolved::Later };
        let mut line = std::iter::once(self.object).chain(self.objects.hosts(self.object));
        let Some(object) = line.nth(*hosts) else {
            return Resolved::Unknown(format!("the object has not so many hosts ({hosts})"));
        };
        match value {
            TargetValue::Id => Resolved::Text(object.to_string()),
            TargetValue::ManagementGroup { field } if field == "Id" => Resolved::Text(self.group.id.to_string()),
            TargetValue::ManagementGroup { .. } => Resolved::Text(self.group.name.clone()),
            TargetValue::Property { class, property } => self.property(object, class.as_deref(), property),
        }
    }
}

impl TargetResolver<'_> {
    fn property(&self, object: ObjectId, class: Option<&str>, property: &str) -> Resolved<'_> {
        let Some(known) = self.objects.get(object) else {
            return Resolved::Unknown(format!("there is no object {object}"));
        };
        if let Some(name) = class {
            let (pack, id) = name.split_once('!').unwrap_or(("", name));
            if !self.objects.is_a(object, ElementId::of(pack, id), self.facts) {
                let is: Vec<String> = known.classes.iter().map(|class| self.facts.name(*class)).collect();
                return Resolved::Unknown(format!("the object is a {}, not a {name}", is.join(", ")));
            }
        }
        if let Some(value) = known.properties.get(property) {
            return Resolved::Outside(value.clone());
        }
        let declares =
            |class: &ElementId| self.facts.ancestry(*class).iter().any(|class| self.facts.declares(*class, property));
        if known.classes.iter().any(declares) {
            Resolved::Outside(String::new())
        } else {
            Resolved::Unknown(format!("the object has no property '{property}'"))
        }
    }
}

/// A configuration for an object.
pub(super) fn fill(template: &Node, resolver: &TargetResolver<'_>) -> Result<Node, String> {
    let filled = substitute(template, resolver).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        problems.join("; ")
    })?;
    same_variables(template, &filled)?;
    Ok(filled)
}

/// A bare text for an object.
pub(super) fn fill_text(template: &str, resolver: &TargetResolver<'_>) -> Result<String, String> {
    fill(&Node::text("Text", template), resolver).map(|node| node.text)
}

/// Refuses texts in which values and what stands beside them read like a variable that the pack does not have.
fn same_variables(template: &Node, filled: &Node) -> Result<(), String> {
    let attributes = template.attributes.iter().zip(&filled.attributes).map(|((_, one), (_, other))| (one, other));
    for (one, other) in attributes.chain([(&template.text, &filled.text)]) {
        if one != other && variables_later(one) != variables_later(other) {
            return Err(format!(
                "{}: a discovered value reads like a variable with what stands beside it, which only packs may contain",
                template.name
            ));
        }
    }
    template.children.iter().zip(&filled.children).try_for_each(|(one, other)| same_variables(one, other))
}

/// The variables that stay for the agent, in order; `None`: one cannot be read.
fn variables_later(text: &str) -> Option<Vec<String>> {
    if !text.contains('$') {
        return Some(Vec::new());
    }
    let template = Template::parse(text).ok()?;
    let later = |variable: &&Variable| !matches!(variable.kind, VariableKind::Target { .. });
    Some(template.variables().filter(later).map(|variable| variable.text.clone()).collect())
}
