//! Discoveries, rules, tasks, monitors, diagnostics, recoveries, overrides, views and texts.

use crate::workflow::HealthState;

use super::super::common::{At, Ref};
use super::super::modules::{ModuleUse, OverrideableParameter};
use super::super::monitoring::{AlertSettings, Diagnostic, Monitor, MonitorKind};
use super::super::overrides::{Change, Overridden, Override};
use super::super::problem::{Problems, did_you_mean};
use super::super::{ElementKind, Found, ManagementPack, PackSet, library};
use super::modules::{configuration, module_use, profile};
use super::names;

pub(super) fn check(set: &PackSet, pack: &ManagementPack, problems: &mut Problems) {
    for each in &pack.discoveries {
        target(set, pack, &each.id, &each.target, each.at, problems);
        modules(set, pack, &each.id, each.data_source.iter(), problems);
        for found in &each.classes {
            match set.class(pack, &found.type_id) {
                Ok(class) if class.element.singleton => problems.warning(
                    found.at,
                    &each.id,
                    format!("{} is a singleton, which exists without discovery", found.type_id),
                ),
                Ok(_) => {}
                Err(message) => problems.error(found.at, &each.id, message),
            }
        }
        for found in &each.relationships {
            if let Err(message) = set.relationship(pack, &found.type_id) {
                problems.error(found.at, &each.id, message);
            }
        }
    }
    for each in &pack.rules {
        target(set, pack, &each.id, &each.target, each.at, problems);
        let all = each.data_sources.iter().chain(&each.condition).chain(&each.write_actions);
        modules(set, pack, &each.id, all, problems);
        if each.data_sources.len() > 1 && each.condition.is_none() {
            problems.error(
                each.at,
                &each.id,
                "a rule with several data sources needs a <ConditionDetection> that brings them together",
            );
        }
    }
    for each in &pack.tasks {
        target(set, pack, &each.id, &each.target, each.at, problems);
        modules(set, pack, &each.id, each.action.iter(), problems);
    }
    for each in &pack.monitors {
        monitor(set, pack, each, problems);
    }
    for each in &pack.diagnostics {
        diagnostic(set, pack, each, problems);
    }
    for each in &pack.recoveries {
        diagnostic(set, pack, &each.base, problems);
        if let Some(name) = &each.on_diagnostic {
            of_kind(set, pack, &each.base.id, name, ElementKind::Diagnostic, each.base.at, problems);
        }
    }
    for each in &pack.overrides {
        override_of(set, pack, each, problems);
    }
    presentation(set, pack, problems);
}

fn target(set: &PackSet, pack: &ManagementPack, id: &str, name: &Ref, at: At, problems: &mut Problems) {
    if name.is_empty() {
        return;
    }
    if let Err(message) = set.class(pack, name) {
        problems.error(at, id, format!("its target: {message}"));
    }
}

fn modules<'a>(
    set: &PackSet,
    pack: &ManagementPack,
    id: &str,
    all: impl Iterator<Item = &'a ModuleUse>,
    problems: &mut Problems,
) {
    let mut seen: Vec<&str> = Vec::new();
    for module in all {
        if seen.contains(&module.id.as_str()) {
            problems.error(module.at, id, format!("two modules have the ID {}; rename one", module.id));
        }
        seen.push(&module.id);
        module_use(set, pack, id, module, None, problems);
    }
}

fn of_kind(
    set: &PackSet,
    pack: &ManagementPack,
    id: &str,
    name: &Ref,
    kind: ElementKind,
    at: At,
    problems: &mut Problems,
) {
    match set.resolve(pack, name) {
        Ok((_, found)) if found == kind => {}
        Ok((_, other)) => {
            let message = format!("'{name}' is a {}, and a {} is needed here", other.word(), kind.word());
            problems.error(at, id, message);
        }
        Err(message) => problems.error(at, id, message),
    }
}

fn monitor(set: &PackSet, pack: &ManagementPack, each: &Monitor, problems: &mut Problems) {
    let (id, at) = (&each.id, each.at);
    target(set, pack, id, &each.target, at, problems);
    parent(set, pack, each, problems);
    if let Some(settings) = &each.alert {
        alert(set, pack, id, settings, problems);
    }
    match &each.kind {
        MonitorKind::Aggregate { .. } => {}
        MonitorKind::Dependency { relationship, member, algorithm, percentage, .. } => {
            match set.relationship(pack, relationship) {
                Ok(found) if !set.relationship_is(found, "System.Containment") => problems.error(
                    at,
                    id,
                    format!("{relationship} neither contains nor hosts, so health does not roll up along it"),
                ),
                Ok(found) => {
                    let ends = (set.class(pack, &each.target), set.class(found.pack, &found.element.source.class));
                    if let (Ok(target), Ok(source)) = ends
                        && !set.is_a(target, source)
                        && !set.is_a(source, target)
                    {
                        problems.error(
                            at,
                            id,
                            format!("{relationship} starts at {}, not at the target", source.element.id),
                        );
                    }
                }
                Err(message) => problems.error(at, id, message),
            }
            if let Err(message) = set.monitor(pack, member) {
                problems.error(at, id, format!("its member monitor: {message}"));
            }
            if *algorithm == super::super::Algorithm::Percentage && percentage.is_none() {
                problems.error(at, id, "the algorithm Percentage needs an <AlgorithmParameter>");
            }
        }
        MonitorKind::Unit { type_id, run_as, configuration: given, states } => {
            names::check(set, pack, id, given, None, problems);
            profile(set, pack, id, run_as.as_ref(), at, problems);
            let found = match set.monitor_type(pack, type_id) {
                Ok(found) => found,
                Err(message) => {
                    problems.error(at, id, format!("its type: {message}"));
                    return;
                }
            };
            let library = library::libraries().iter().any(|known| known.id == found.pack.id);
            configuration(id, "the monitor", given, &found.element.configuration, library, at, problems);
            let known = || found.element.states.iter().map(|state| state.id.as_str());
            for state in states {
                if !known().any(|name| name == state.type_state) {
                    let hint = did_you_mean(&state.type_state, known());
                    let message = format!("'{}' is no state of {}{hint}", state.type_state, found.element.id);
                    problems.error(state.at, id, message);
                }
            }
            for state in known().filter(|name| !states.iter().any(|state| state.type_state == *name)) {
                problems.error(
                    at,
                    id,
                    format!("nothing says what the state {state} of its type means; add an <OperationalState>"),
                );
            }
            if let Some(settings) = &each.alert
                && !states.iter().any(|state| state.health >= settings.on_state)
            {
                problems.warning(
                    settings.at,
                    id,
                    "no operational state is as bad as AlertOnState, so the monitor never raises an alert",
                );
            }
        }
    }
}

fn parent(set: &PackSet, pack: &ManagementPack, each: &Monitor, problems: &mut Problems) {
    let (id, at) = (&each.id, each.at);
    let Some(name) = &each.parent else {
        if pack.id != "System.Health.Library" {
            problems.warning(at, id, "the monitor has no ParentMonitorID, so no health of an object depends on it");
        }
        return;
    };
    let found = match set.monitor(pack, name) {
        Ok(found) => found,
        Err(message) => {
            problems.error(at, id, format!("its parent: {message}"));
            return;
        }
    };
    if !matches!(found.element.kind, MonitorKind::Aggregate { .. }) {
        problems.error(at, id, format!("its parent {name} is no aggregate monitor, so nothing rolls up to it"));
    }
    let classes = (set.class(pack, &each.target), set.class(found.pack, &found.element.target));
    if let (Ok(own), Ok(parents)) = classes
        && !set.is_a(own, parents)
    {
        problems.error(
            at,
            id,
            format!("its parent {name} is for {}, and its target does not derive from that", parents.element.id),
        );
    }
    let mut way = vec![id.as_str()];
    let mut last: Found<'_, Monitor> = found;
    while let Some(next) = last.element.parent.as_ref().and_then(|name| set.monitor(last.pack, name).ok()) {
        if std::ptr::eq(last.element, each) || way.contains(&last.element.id.as_str()) {
            problems.error(at, id, format!("the monitor rolls up to itself: {} → {id}", way.join(" → ")));
            return;
        }
        way.push(&last.element.id);
        last = next;
    }
}

fn alert(set: &PackSet, pack: &ManagementPack, id: &str, settings: &AlertSettings, problems: &mut Problems) {
    match &settings.message {
        Some(name) => of_kind(set, pack, id, name, ElementKind::StringResource, settings.at, problems),
        None => problems.warning(settings.at, id, "the alert has no AlertMessage; it gets the name of the monitor"),
    }
    for text in &settings.parameters {
        names::check_text(set, pack, id, text, None, settings.at, problems);
    }
    if settings.on_state < HealthState::Warning {
        problems.error(settings.at, id, "AlertOnState is Warning or Error");
    }
}

fn diagnostic(set: &PackSet, pack: &ManagementPack, each: &Diagnostic, problems: &mut Problems) {
    target(set, pack, &each.id, &each.target, each.at, problems);
    if !each.monitor.is_empty()
        && let Err(message) = set.monitor(pack, &each.monitor)
    {
        problems.error(each.at, &each.id, format!("its monitor: {message}"));
    }
    modules(set, pack, &each.id, each.condition.iter().chain(&each.action), problems);
}

const COMMON: &[&str] = &["Enabled"];
const AGGREGATE: &[&str] = &[
    "Enabled",
    "Algorithm",
    "GenerateAlert",
    "AutoResolve",
    "AlertPriority",
    "AlertOnState",
    "AlertSeverity",
    "AlgorithmParameter",
];
const DEPENDENCY: &[&str] = &[
    "Enabled",
    "Algorithm",
    "GenerateAlert",
    "AutoResolve",
    "AlertPriority",
    "AlertOnState",
    "AlertSeverity",
    "AlgorithmParameter",
    "MemberInMaintenance",
    "MemberUnAvailable",
    "MemberUnavailable",
    "IgnoreMemberInMaintenance",
    "IgnoreMemberUnAvailable",
    "IgnoreMemberUnavailable",
];
const UNIT: &[&str] = &["Enabled", "GenerateAlert", "AutoResolve", "AlertPriority", "AlertOnState", "AlertSeverity"];

fn override_of(set: &PackSet, pack: &ManagementPack, each: &Override, problems: &mut Problems) {
    let (id, at) = (&each.id, each.at);
    if let Some(context) = &each.context {
        target(set, pack, id, context, at, problems);
    } else if !matches!(each.kind, Overridden::Category | Overridden::SecureReference) {
        problems.error(at, id, "the override has no Context; name the class or group for which it holds");
    }
    if each.value.contains("$RunAs") {
        problems.error(at, id, "the value of an override asks for a Run As account; only the workflow itself may");
    }
    let kind = match each.kind {
        Overridden::Rule => ElementKind::Rule,
        Overridden::Monitor => ElementKind::Monitor,
        Overridden::Discovery => ElementKind::Discovery,
        Overridden::Diagnostic => ElementKind::Diagnostic,
        Overridden::Recovery => ElementKind::Recovery,
        Overridden::SecureReference => ElementKind::SecureReference,
        Overridden::Category => return,
    };
    let other = match set.resolve(pack, &each.element) {
        Ok((other, found)) if found == kind => other,
        Ok((_, found)) => {
            problems.error(at, id, format!("'{}' is a {}, not a {}", each.element, found.word(), kind.word()));
            return;
        }
        Err(message) => {
            problems.error(at, id, message);
            return;
        }
    };
    match &each.change {
        Change::Whole => {}
        Change::Property(name) => {
            let known = properties_of(other, each);
            if !known.contains(&name.as_str()) {
                let hint = did_you_mean(name, known.iter().copied());
                let list = known.join(", ");
                problems.error(
                    at,
                    id,
                    format!("a {} has no property '{name}'; it is one of {list}{hint}", kind.word()),
                );
            }
        }
        Change::Configuration { parameter, module } => {
            overrides_parameter(set, other, each, parameter, module.as_deref(), problems);
        }
    }
}

fn properties_of(pack: &ManagementPack, each: &Override) -> &'static [&'static str] {
    let monitor = pack.monitors.iter().find(|monitor| monitor.id == each.element.id());
    match monitor.filter(|_| each.kind == Overridden::Monitor).map(|monitor| &monitor.kind) {
        Some(MonitorKind::Unit { .. }) => UNIT,
        Some(MonitorKind::Aggregate { .. }) => AGGREGATE,
        Some(MonitorKind::Dependency { .. }) => DEPENDENCY,
        None => COMMON,
    }
}

/// The parameters that overrides may change are those that the type of the monitor or module declares.
fn overrides_parameter(
    set: &PackSet,
    other: &ManagementPack,
    each: &Override,
    parameter: &str,
    module: Option<&str>,
    problems: &mut Problems,
) {
    let name = each.element.id();
    let uses: Vec<&ModuleUse> = match each.kind {
        Overridden::Monitor => {
            let found = other.monitors.iter().find(|monitor| monitor.id == name);
            if let Some(MonitorKind::Unit { type_id, .. }) = found.map(|monitor| &monitor.kind)
                && let Ok(found) = set.monitor_type(other, type_id)
            {
                declared(each, parameter, &found.element.id, &found.element.overrideable, problems);
            } else if found.is_some_and(|monitor| !matches!(monitor.kind, MonitorKind::Unit { .. })) {
                problems.error(each.at, &each.id, format!("{name} is no unit monitor and has no parameters"));
            }
            return;
        }
        Overridden::Rule => other
            .rules
            .iter()
            .filter(|rule| rule.id == name)
            .flat_map(|rule| rule.data_sources.iter().chain(&rule.condition).chain(&rule.write_actions))
            .collect(),
        Overridden::Discovery => {
            other.discoveries.iter().filter(|found| found.id == name).flat_map(|found| &found.data_source).collect()
        }
        Overridden::Diagnostic => other
            .diagnostics
            .iter()
            .filter(|found| found.id == name)
            .flat_map(|found| found.condition.iter().chain(&found.action))
            .collect(),
        Overridden::Recovery => other
            .recoveries
            .iter()
            .filter(|found| found.base.id == name)
            .flat_map(|found| found.base.condition.iter().chain(&found.base.action))
            .collect(),
        Overridden::Category | Overridden::SecureReference => return,
    };
    let chosen = match module {
        Some(module) => uses.iter().find(|known| known.id == module),
        None => uses.first(),
    };
    let Some(chosen) = chosen else {
        let wanted = module.unwrap_or_default();
        let hint = did_you_mean(wanted, uses.iter().map(|known| known.id.as_str()));
        problems.error(each.at, &each.id, format!("{name} has no module '{wanted}'{hint}"));
        return;
    };
    if let Ok(found) = set.module(other, &chosen.type_id, chosen.kind) {
        declared(each, parameter, &found.element.id, &found.element.overrideable, problems);
    }
}

fn declared(each: &Override, parameter: &str, of: &str, list: &[OverrideableParameter], problems: &mut Problems) {
    if list.iter().any(|known| known.id == parameter) {
        return;
    }
    let hint = did_you_mean(parameter, list.iter().map(|known| known.id.as_str()));
    let known: Vec<&str> = list.iter().map(|known| known.id.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    problems.error(
        each.at,
        &each.id,
        format!("'{parameter}' is no overrideable parameter of {of}, which declares {known}{hint}"),
    );
}

fn presentation(set: &PackSet, pack: &ManagementPack, problems: &mut Problems) {
    for view in &pack.views {
        target(set, pack, &view.id, &view.target, view.at, problems);
        of_kind(set, pack, &view.id, &view.type_id, ElementKind::ViewType, view.at, problems);
    }
    for folder in &pack.folders {
        if let Some(parent) = &folder.parent {
            of_kind(set, pack, &folder.id, parent, ElementKind::Folder, folder.at, problems);
        }
    }
    for item in &pack.folder_items {
        let id = item.id.as_deref().unwrap_or_else(|| item.element.id());
        if let Err(message) = set.resolve(pack, &item.element) {
            problems.error(item.at, id, message);
        }
        of_kind(set, pack, id, &item.folder, ElementKind::Folder, item.at, problems);
    }
    for language in &pack.languages {
        let elements = language.strings.iter().map(|text| (&text.element, text.at));
        for (element, at) in elements.chain(language.knowledge.iter().map(|article| (&article.element, article.at))) {
            let known = element.0 == pack.id || pack.fragment || set.resolve(pack, element).is_ok();
            if !known {
                let all = pack.elements();
                let hint = did_you_mean(&element.0, all.iter().map(|(_, id, _)| *id));
                let message = format!("a text of {} is about '{element}', which does not exist{hint}", language.id);
                problems.warning(at, &language.id, message);
            }
        }
    }
}
