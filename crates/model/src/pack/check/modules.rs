//! Module types and monitor types: their members, compositions and states.

use std::collections::BTreeSet;

use super::super::common::At;
use super::super::modules::{
    CompositionNode, Implementation, ModuleKind, ModuleType, ModuleUse, OverrideableParameter, Schema, UnitMonitorType,
};
use super::super::problem::{Problems, did_you_mean};
use super::super::{ElementKind, Found, ManagementPack, PackSet, Ref, library, limits};
use super::names;

pub(super) fn check(set: &PackSet, pack: &ManagementPack, problems: &mut Problems) {
    for each in &pack.modules {
        module_type(set, pack, each, problems);
    }
    for each in &pack.monitor_types {
        monitor_type(set, pack, each, problems);
    }
}

fn module_type(set: &PackSet, pack: &ManagementPack, each: &ModuleType, problems: &mut Problems) {
    let (id, at) = (&each.id, each.at);
    for name in each.output.iter().chain(&each.inputs) {
        data_type(set, pack, id, name, at, problems);
    }
    profile(set, pack, id, each.run_as.as_ref(), at, problems);
    overrideable(id, &each.overrideable, &each.configuration, problems);
    let Implementation::Composite { members, composition, .. } = &each.implementation else { return };
    for member in members {
        module_use(set, pack, id, member, Some(&each.configuration), problems);
    }
    double_members(id, members, problems);
    if let Some(node) = composition {
        let mut used = BTreeSet::new();
        walk(id, node, members, &mut Vec::new(), &mut used, problems);
        unused(id, members, &used, problems);
        if each.kind == ModuleKind::DataSource {
            sources(id, node, members, false, problems);
        }
    }
    if contains_itself(set, pack, each) {
        problems.error(at, id, "the module type contains itself through its members");
    }
}

fn data_type(set: &PackSet, pack: &ManagementPack, id: &str, name: &Ref, at: At, problems: &mut Problems) {
    match set.resolve(pack, name) {
        Ok((_, ElementKind::DataType)) => {}
        Ok((_, other)) => {
            problems.error(at, id, format!("'{name}' is a {}, and a data type is needed here", other.word()));
        }
        // Data types are names here: modules check the items that they get.
        Err(message) if name.alias().is_some() && set.pack_of(pack, name).is_ok_and(is_library) => {
            problems.note(at, id, format!("{message}; any item is taken for it"));
        }
        Err(message) => problems.error(at, id, message),
    }
}

fn is_library(pack: &ManagementPack) -> bool {
    library::libraries().iter().any(|known| known.id == pack.id)
}

pub(super) fn profile(
    set: &PackSet,
    pack: &ManagementPack,
    id: &str,
    name: Option<&Ref>,
    at: At,
    problems: &mut Problems,
) {
    let Some(name) = name else { return };
    match set.resolve(pack, name) {
        Ok((_, ElementKind::SecureReference)) => {}
        Ok((_, other)) => {
            problems.error(at, id, format!("RunAs: '{name}' is a {}, not a Run As profile", other.word()));
        }
        Err(message) => problems.error(at, id, format!("RunAs: {message}")),
    }
}

fn overrideable(id: &str, list: &[OverrideableParameter], schema: &Schema, problems: &mut Problems) {
    for each in list {
        let path = each.selector.trim().strip_prefix("$Config/").and_then(|rest| rest.strip_suffix('$'));
        let Some(name) = path.map(|path| path.split(['/', '[']).next().unwrap_or_default()) else {
            problems.error(
                each.at,
                id,
                format!("the selector of {} is '{}'; it has the form $Config/Name$", each.id, each.selector),
            );
            continue;
        };
        if schema.parameter(name).is_none() && !schema.is_open() {
            let hint = did_you_mean(name, schema.parameters.iter().map(|known| known.name.as_str()));
            problems.error(each.at, id, format!("{} selects '{name}', which is no parameter{hint}", each.id));
        }
    }
}

/// Checks a module in a workflow or composition.
pub(super) fn module_use(
    set: &PackSet,
    pack: &ManagementPack,
    id: &str,
    module: &ModuleUse,
    schema: Option<&Schema>,
    problems: &mut Problems,
) {
    names::check(set, pack, id, &module.configuration, schema, problems);
    profile(set, pack, id, module.run_as.as_ref(), module.at, problems);
    match set.module(pack, &module.type_id, module.kind) {
        Ok(found) => {
            let what = format!("the module {}", module.id);
            let given = &module.configuration;
            configuration(id, &what, given, &found.element.configuration, is_library(found.pack), module.at, problems);
        }
        Err(message) => problems.error(module.at, id, format!("the module {}: {message}", module.id)),
    }
}

/// Compares a configuration with what its type asks for. What is known of libraries is not complete, so it warns there.
pub(super) fn configuration(
    id: &str,
    what: &str,
    given: &crate::node::Node,
    schema: &Schema,
    library: bool,
    at: At,
    problems: &mut Problems,
) {
    let severity = if library { super::Severity::Warning } else { super::Severity::Error };
    if !schema.is_open() {
        for child in &given.children {
            if schema.parameter(&child.name).is_none() {
                let hint = did_you_mean(&child.name, schema.parameters.iter().map(|known| known.name.as_str()));
                let message = format!("{what} has no parameter <{}>; remove or rename it{hint}", child.name);
                problems.add(severity, At(child.place), id, message);
            }
        }
    }
    for parameter in &schema.parameters {
        if !parameter.optional && given.child(&parameter.name).is_none() {
            problems.add(severity, at, id, format!("{what} needs the parameter <{}>; add it", parameter.name));
        }
    }
}

fn double_members(id: &str, members: &[ModuleUse], problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for member in members {
        if !seen.insert(member.id.as_str()) {
            problems.error(member.at, id, format!("two member modules have the ID {}; rename one", member.id));
        }
    }
}

fn walk<'a>(
    id: &str,
    node: &'a CompositionNode,
    members: &'a [ModuleUse],
    path: &mut Vec<&'a str>,
    used: &mut BTreeSet<&'a str>,
    problems: &mut Problems,
) {
    if path.contains(&node.id.as_str()) {
        problems.error(node.at, id, format!("the module {} takes its own output: {}", node.id, path.join(" ← ")));
        return;
    }
    let Some(member) = members.iter().find(|member| member.id == node.id) else {
        let hint = did_you_mean(&node.id, members.iter().map(|member| member.id.as_str()));
        problems.error(node.at, id, format!("the composition names '{}', which is no member module{hint}", node.id));
        return;
    };
    used.insert(&member.id);
    if member.kind == ModuleKind::DataSource && !node.inputs.is_empty() {
        problems.error(node.at, id, format!("{} is a data source and takes nothing; nothing stands below it", node.id));
    }
    if member.kind == ModuleKind::WriteAction && !path.is_empty() && path.len() > limits::COMPOSITION_DEPTH {
        problems.error(node.at, id, format!("{} stands too deep", node.id));
    }
    if member.kind != ModuleKind::ConditionDetection && node.inputs.len() > 1 {
        problems.error(
            node.at,
            id,
            format!(
                "{} takes from {} modules; only a condition detection takes from several",
                node.id,
                node.inputs.len()
            ),
        );
    }
    path.push(&node.id);
    for input in &node.inputs {
        walk(id, input, members, path, used, problems);
    }
    path.pop();
}

fn unused(id: &str, members: &[ModuleUse], used: &BTreeSet<&str>, problems: &mut Problems) {
    for member in members.iter().filter(|member| !used.contains(member.id.as_str())) {
        problems.warning(
            member.at,
            id,
            format!("the member module {} is not used by the composition; remove it or add a <Node>", member.id),
        );
    }
}

/// What starts a composition has to give items by itself, or on demand be a probe.
fn sources(id: &str, node: &CompositionNode, members: &[ModuleUse], on_demand: bool, problems: &mut Problems) {
    if !node.inputs.is_empty() {
        for input in &node.inputs {
            sources(id, input, members, on_demand, problems);
        }
        return;
    }
    let Some(member) = members.iter().find(|member| member.id == node.id) else { return };
    let fits = match member.kind {
        ModuleKind::DataSource => true,
        ModuleKind::ProbeAction | ModuleKind::WriteAction => on_demand,
        ModuleKind::ConditionDetection => false,
    };
    if !fits {
        problems.error(
            node.at,
            id,
            format!("{} gets its items from nowhere; put a <Node> of a data source below it", node.id),
        );
    }
}

fn contains_itself(set: &PackSet, pack: &ManagementPack, start: &ModuleType) -> bool {
    let mut open: Vec<Found<'_, ModuleType>> = vec![Found { pack, element: start }];
    let mut seen: Vec<*const ModuleType> = Vec::new();
    while let Some(each) = open.pop() {
        let Implementation::Composite { members, .. } = &each.element.implementation else { continue };
        for member in members {
            let Ok(next) = set.module(each.pack, &member.type_id, member.kind) else { continue };
            if std::ptr::eq(next.element, start) {
                return true;
            }
            if !seen.contains(&std::ptr::from_ref(next.element)) {
                seen.push(std::ptr::from_ref(next.element));
                open.push(next);
            }
        }
    }
    false
}

fn monitor_type(set: &PackSet, pack: &ManagementPack, each: &UnitMonitorType, problems: &mut Problems) {
    let (id, at) = (&each.id, each.at);
    profile(set, pack, id, each.run_as.as_ref(), at, problems);
    overrideable(id, &each.overrideable, &each.configuration, problems);
    for member in &each.members {
        module_use(set, pack, id, member, Some(&each.configuration), problems);
    }
    double_members(id, &each.members, problems);
    if !(2..=3).contains(&each.states.len()) {
        problems.error(at, id, format!("a monitor type has two or three states, this one has {}", each.states.len()));
    }
    let mut used = BTreeSet::new();
    for (detections, on_demand) in [(&each.regular, false), (&each.on_demand, true)] {
        for detection in detections {
            if !each.states.iter().any(|state| state.id == detection.state) {
                let hint = did_you_mean(&detection.state, each.states.iter().map(|state| state.id.as_str()));
                problems.error(
                    detection.at,
                    id,
                    format!("'{}' is no state of the monitor type{hint}", detection.state),
                );
            }
            walk(id, &detection.node, &each.members, &mut Vec::new(), &mut used, problems);
            sources(id, &detection.node, &each.members, on_demand, problems);
        }
    }
    unused(id, &each.members, &used, problems);
    for state in each.states.iter().filter(|state| !state.no_detection) {
        if !each.regular.iter().any(|detection| detection.state == state.id) {
            problems.error(
                state.at,
                id,
                format!(
                    "nothing leads to the state {}; add a <RegularDetection> or say NoDetection=\"true\"",
                    state.id
                ),
            );
        }
    }
}
