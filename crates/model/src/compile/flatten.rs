//! Takes the modules of an element apart down to native ones. What depends on no object is filled in here: `$Config/…$`
//! and `$MPElement…$`; names with aliases get the ID of the pack instead, for they leave the pack in which they stand.

use std::collections::BTreeMap;

use crate::ids::ElementId;
use crate::node::Node;
use crate::pack::facts::property_id;
use crate::pack::portability::depends_on_configuration;
use crate::pack::{
    CompositionNode, ElementKind, Implementation, ManagementPack, ModuleKind, ModuleUse, PackSet, Ref, Schema, limits,
};
use crate::substitute::{
    Part, Resolved, Resolver, TargetValue, Template, Variable, VariableKind, substitute, variables,
};
use crate::workflow::{Module, is_native};

/// The native modules of an element, with `$Target/…$` still in them.
#[derive(Debug, Clone, Default)]
pub(super) struct Flat {
    pub modules: Vec<FlatModule>,
}

#[derive(Debug, Clone)]
pub(super) struct FlatModule {
    pub module: Module,
    /// Something of the object is in its configuration.
    pub has_target: bool,
}

/// The type around modules: what they are configured with.
#[derive(Clone, Copy)]
struct Around<'a> {
    configuration: &'a Node,
    schema: &'a Schema,
}

/// Where modules stand.
#[derive(Clone)]
struct Scope<'a> {
    pack: &'a ManagementPack,
    around: Option<Around<'a>>,
    run_as: Option<String>,
    /// Types around it, for messages and against cycles.
    through: Vec<&'a str>,
    prefix: String,
}

/// Builds the modules of one element.
pub(super) struct Flattener<'a> {
    set: &'a PackSet,
    element: ElementId,
    pub flat: Flat,
}

impl<'a> Flattener<'a> {
    pub fn new(set: &'a PackSet, element: ElementId) -> Self {
        Self { set, element, flat: Flat::default() }
    }

    /// Adds a module of an element; gives the index of the native one whose items come out. What was added before an
    /// error is taken back.
    pub fn add(
        &mut self,
        pack: &'a ManagementPack,
        module: &ModuleUse,
        configuration: &Node,
        inputs: &[usize],
    ) -> Result<usize, String> {
        let before = self.flat.modules.len();
        let scope = Scope { pack, around: None, run_as: None, through: Vec::new(), prefix: String::new() };
        let added = self.module(&scope, module, configuration, inputs);
        if added.is_err() {
            self.flat.modules.truncate(before);
        }
        added
    }

    /// Adds the modules of a unit monitor: of each named detection, the index of the module whose items mean it.
    pub fn add_detections(
        &mut self,
        pack: &'a ManagementPack,
        type_id: &Ref,
        run_as: Option<&Ref>,
        configuration: &Node,
        states: &[&str],
        on_demand: bool,
    ) -> Result<Vec<(String, usize)>, String> {
        let before = self.flat.modules.len();
        let found = self.set.monitor_type(pack, type_id)?;
        let outer = Scope { pack, around: None, run_as: None, through: Vec::new(), prefix: String::new() };
        let configuration = self.fill(&outer, configuration)?;
        let run_as = match (run_as, &found.element.run_as) {
            (Some(profile), _) => Some(self.full_name(pack, profile)?),
            (None, Some(profile)) => Some(self.full_name(found.pack, profile)?),
            (None, None) => None,
        };
        let scope = Scope {
            pack: found.pack,
            around: Some(Around { configuration: &configuration, schema: &found.element.configuration }),
            run_as,
            through: vec![&found.element.id],
            prefix: String::new(),
        };
        let detections = if on_demand { &found.element.on_demand } else { &found.element.regular };
        let mut shared = BTreeMap::new();
        let mut outputs = Vec::new();
        for detection in detections.iter().filter(|each| states.contains(&each.state.as_str())) {
            match self.composition(&scope, &found.element.members, &detection.node, &[], &mut shared) {
                Ok(output) => outputs.push((detection.state.clone(), output)),
                Err(problem) => {
                    self.flat.modules.truncate(before);
                    return Err(problem);
                }
            }
        }
        Ok(outputs)
    }

    /// A tree of members. Members with the same inputs are one module, also across the detections of a monitor.
    fn composition(
        &mut self,
        scope: &Scope<'_>,
        members: &[ModuleUse],
        node: &CompositionNode,
        outer: &[usize],
        shared: &mut BTreeMap<(String, Vec<usize>), usize>,
    ) -> Result<usize, String> {
        let module = members
            .iter()
            .find(|member| member.id == node.id)
            .ok_or_else(|| format!("the composition of {} names no member '{}'", scope.path(), node.id))?;
        let mut inputs = Vec::new();
        for input in &node.inputs {
            inputs.push(self.composition(scope, members, input, outer, shared)?);
        }
        if node.inputs.is_empty() && module.kind != ModuleKind::DataSource {
            inputs.extend_from_slice(outer);
        }
        let key = (node.id.clone(), inputs);
        if let Some(known) = shared.get(&key) {
            return Ok(*known);
        }
        let output = self.module(scope, module, &module.configuration, &key.1)?;
        shared.insert(key, output);
        Ok(output)
    }

    fn module(
        &mut self,
        scope: &Scope<'_>,
        module: &ModuleUse,
        configuration: &Node,
        inputs: &[usize],
    ) -> Result<usize, String> {
        let found = self.set.module(scope.pack, &module.type_id, module.kind)?;
        let name = found.element.id.as_str();
        let wrong = |problem: String| match scope.through.as_slice() {
            [] => format!("{name}: {problem}"),
            through => format!("{name} (used by {}): {problem}", through.join(" → ")),
        };
        let configuration = self.fill(scope, configuration).map_err(wrong)?;
        let run_as = match (&module.run_as, &found.element.run_as) {
            (Some(profile), _) => Some(self.full_name(scope.pack, profile)?),
            (None, Some(profile)) => Some(self.full_name(found.pack, profile)?),
            (None, None) => scope.run_as.clone(),
        };
        match &found.element.implementation {
            Implementation::Missing => Err(wrong("it has no implementation".to_owned())),
            Implementation::Native(native) => {
                if native.runs != Some(true) || !is_native(name) {
                    let why = native.why.clone().unwrap_or_else(|| "is compiled code of its vendor".to_owned());
                    return Err(wrong(why));
                }
                if let Some(why) = depends_on_configuration(name, module.kind, &configuration) {
                    return Err(wrong(why));
                }
                let is_target = |variable: &Variable| matches!(variable.kind, VariableKind::Target { .. });
                let has_target = variables(&configuration)
                    .iter()
                    .any(|found| found.as_ref().is_ok_and(|(_, variable)| is_target(variable)));
                let id = format!("{}{}", scope.prefix, module.id);
                let inputs = inputs.to_vec();
                let module = Module { id, kind: name.to_owned(), configuration, inputs, run_as };
                self.flat.modules.push(FlatModule { module, has_target });
                Ok(self.flat.modules.len() - 1)
            }
            Implementation::Composite { members, composition, .. } => {
                if scope.through.len() >= limits::COMPOSITION_DEPTH || scope.through.contains(&name) {
                    return Err(wrong("it contains itself".to_owned()));
                }
                let mut through = scope.through.clone();
                through.push(name);
                let inner = Scope {
                    pack: found.pack,
                    around: Some(Around { configuration: &configuration, schema: &found.element.configuration }),
                    run_as,
                    through,
                    prefix: format!("{}{}/", scope.prefix, module.id),
                };
                let chain;
                let node = match composition {
                    Some(node) => node,
                    None => {
                        chain = chain_of(members).ok_or_else(|| wrong("it has no members".to_owned()))?;
                        &chain
                    }
                };
                self.composition(&inner, members, node, inputs, &mut BTreeMap::new())
            }
        }
    }

    /// A configuration with all filled in that needs no object.
    fn fill(&self, scope: &Scope<'_>, configuration: &Node) -> Result<Node, String> {
        let resolver = PackResolver { set: self.set, pack: scope.pack, element: self.element, around: scope.around };
        let pruned = scope.around.map(|around| escaped_input(without_missing(configuration, around), around));
        substitute(pruned.as_ref().unwrap_or(configuration), &resolver).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            problems.join("; ")
        })
    }

    fn full_name(&self, pack: &ManagementPack, name: &Ref) -> Result<String, String> {
        full_name(self.set, pack, &name.0)
    }
}

impl Scope<'_> {
    fn path(&self) -> String {
        self.through.join(" → ")
    }
}

/// The members one after the other, as a file without composition means them.
fn chain_of(members: &[ModuleUse]) -> Option<CompositionNode> {
    members.iter().fold(None, |inner, member| {
        let inputs = inner.into_iter().collect();
        Some(CompositionNode { id: member.id.clone(), inputs, at: member.at })
    })
}

/// `Pack!Element` of a name with or without an alias.
pub(super) fn full_name(set: &PackSet, pack: &ManagementPack, name: &str) -> Result<String, String> {
    let name = Ref::from(name);
    let pack = set.pack_of(pack, &name)?;
    Ok(format!("{}!{}", pack.id, name.id()))
}

/// What a parameter of the type around is; `Ok(None)`: it was left out, and may be.
fn parameter<'a>(around: Around<'a>, path: &[String]) -> Result<Option<&'a Node>, String> {
    let mut node = around.configuration;
    for (depth, name) in path.iter().enumerate() {
        match node.child(name) {
            Some(child) => node = child,
            None if depth > 0 => return Ok(None),
            None => {
                return match around.schema.parameter(name) {
                    Some(known) if !known.optional => Err(format!("the parameter '{name}' is missing")),
                    None if !around.schema.is_open() => Err(format!("the type has no parameter '{name}'")),
                    _ => Ok(None),
                };
            }
        }
    }
    Ok(Some(node))
}

/// Without the elements whose whole text is a parameter that was left out.
fn without_missing(node: &Node, around: Around<'_>) -> Node {
    let stays = |child: &&Node| {
        let text = child.text.trim();
        let is_missing = text.starts_with("$Config/")
            && Template::parse(text).is_ok_and(|template| match template.parts.as_slice() {
                [Part::Variable(Variable { kind: VariableKind::Config { path }, .. })] => {
                    matches!(parameter(around, path), Ok(None))
                }
                _ => false,
            });
        !is_missing
    };
    let children = node.children.iter().filter(stays).map(|child| without_missing(child, around)).collect();
    Node { children, ..Node { children: Vec::new(), ..node.clone() } }
}

/// The `Input` of a method is XML in a text (the shell command library builds it so): parameters that it takes in are
/// escaped, for a command has `<` and `&` of its own. Entities stay: vendors that knew wrote them themselves.
fn escaped_input(mut configuration: Node, around: Around<'_>) -> Node {
    for child in configuration.children.iter_mut().filter(|child| child.name == "Input") {
        if !child.text.trim_start().starts_with('<') {
            continue;
        }
        let Ok(template) = Template::parse(&child.text) else { continue };
        let mut text = String::with_capacity(child.text.len());
        for part in &template.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Variable(Variable { kind: VariableKind::Config { path }, text: variable }) => {
                    match parameter(around, path) {
                        Ok(Some(node)) if node.children.is_empty() => escape(&node.text, &mut text),
                        _ => text.push_str(variable),
                    }
                }
                Part::Variable(variable) => text.push_str(&variable.text),
            }
        }
        child.text = text;
    }
    configuration
}

/// Escapes what is no variable; those are filled in after the XML was read.
fn escape(value: &str, out: &mut String) {
    let Ok(template) = Template::parse(value) else {
        out.push_str(value);
        return;
    };
    for part in &template.parts {
        match part {
            Part::Variable(variable) => out.push_str(&variable.text),
            Part::Text(plain) => {
                for (at, character) in plain.char_indices() {
                    match character {
                        '<' => out.push_str("&lt;"),
                        '>' => out.push_str("&gt;"),
                        '&' if !is_entity(&plain[at..]) => out.push_str("&amp;"),
                        other => out.push(other),
                    }
                }
            }
        }
    }
}

fn is_entity(text: &str) -> bool {
    let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;"];
    let by_number = text.strip_prefix("&#").and_then(|rest| rest.split_once(';')).is_some_and(|(number, _)| {
        let digits = number.strip_prefix('x').unwrap_or(number);
        !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_hexdigit())
    });
    by_number || known.iter().any(|entity| text.starts_with(entity))
}

/// Fills in what needs no object.
pub(super) struct PackResolver<'a> {
    set: &'a PackSet,
    pack: &'a ManagementPack,
    element: ElementId,
    around: Option<Around<'a>>,
}

impl<'a> PackResolver<'a> {
    /// For texts that stand in an element itself.
    pub fn of_element(set: &'a PackSet, pack: &'a ManagementPack, element: ElementId) -> Self {
        Self { set, pack, element, around: None }
    }

    fn identity(&self, name: &str, member: Option<&str>) -> Result<ElementId, String> {
        let name = Ref::from(name);
        let (pack, kind) = self.set.resolve(self.pack, &name)?;
        let Some(member) = member else { return Ok(pack.element_id(name.id())) };
        if kind != ElementKind::Class {
            return Ok(property_id(&pack.id, name.id(), member));
        }
        let class = self.set.class(self.pack, &name)?;
        match PackSet::property(self.set, class, member) {
            Some((declares, property)) => Ok(property_id(&declares.pack.id, &declares.element.id, &property.id)),
            None => Err(format!("the class {name} has no property '{member}'")),
        }
    }
}

impl Resolver for PackResolver<'_> {
    fn resolve(&self, variable: &Variable) -> Resolved<'_> {
        let text = |result: Result<String, String>| result.map_or_else(Resolved::Unknown, Resolved::Text);
        match &variable.kind {
            VariableKind::Config { path } => match self.around {
                None => Resolved::Unknown("no type is around it whose parameter it could be".to_owned()),
                Some(around) => match parameter(around, path) {
                    Ok(Some(node)) => Resolved::Content(node),
                    Ok(None) => Resolved::Text(String::new()),
                    Err(problem) => Resolved::Unknown(problem),
                },
            },
            VariableKind::Element { name: None, member: None } => Resolved::Text(self.element.to_string()),
            VariableKind::Element { name: None, member: Some(_) } => {
                Resolved::Unknown("a property of the element itself has no identity".to_owned())
            }
            VariableKind::Element { name: Some(name), member } => {
                text(self.identity(name, member.as_deref()).map(|id| id.to_string()))
            }
            VariableKind::Target { hosts, value: TargetValue::Property { class: Some(class), property } } => {
                let name = full_name(self.set, self.pack, class);
                text(
                    name.map(|name| format!("$Target/{}Property[Type=\"{name}\"]/{property}$", "Host/".repeat(*hosts))),
                )
            }
            VariableKind::RunAs { profile, field } => {
                let name = full_name(self.set, self.pack, profile);
                text(name.map(|name| format!("$RunAs[Name=\"{name}\"]/{field}$")))
            }
            VariableKind::Target { .. } | VariableKind::Data { .. } => Resolved::Later,
            VariableKind::FileResource { .. } | VariableKind::IncludeFile { .. } => {
                Resolved::Unknown("files beside a pack are not sent to agents".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_escaped_for_the_xml_of_a_method_and_what_is_escaped_stays() {
        for (command, expected) in [
            ("a && b < c > d", "a &amp;&amp; b &lt; c &gt; d"),
            ("a &amp;&amp; b &lt; c &#60;", "a &amp;&amp; b &lt; c &#60;"),
            ("x & $Data/Value$ &copy", "x &amp; $Data/Value$ &amp;copy"),
            ("echo \"it's\"", "echo \"it's\""),
        ] {
            let mut out = String::new();
            escape(command, &mut out);
            assert_eq!(out, expected);
        }
    }
}
