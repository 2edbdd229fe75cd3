//! From a tree to a pack: discoveries, rules, tasks, monitors, diagnostics, recoveries, overrides.

use crate::node::Node;
use crate::workflow::HealthState;

use super::super::ManagementPack;
use super::super::common::{At, Extra, Ref};
use super::super::modules::{ModuleKind, ModuleUse};
use super::super::monitoring::{
    AlertPriority, AlertSettings, AlertSeverity, Algorithm, Diagnostic, Discovery, DiscoveryType, Monitor, MonitorKind,
    OperationalState, Recovery, Rule, Task,
};
use super::super::overrides::{Change, Overridden, Override};
use super::super::problem::Problems;
use super::cursor::Cursor;
use super::read::list;
use super::read_types::module_use;

const HEALTH: &[(&str, HealthState)] = &[
    ("Success", HealthState::Success),
    ("Warning", HealthState::Warning),
    ("Error", HealthState::Error),
    ("Uninitialized", HealthState::Uninitialized),
];

const ALGORITHMS: &[(&str, Algorithm)] =
    &[("WorstOf", Algorithm::WorstOf), ("BestOf", Algorithm::BestOf), ("Percentage", Algorithm::Percentage)];

pub(super) fn read(section: Node, pack: &mut ManagementPack, problems: &mut Problems) {
    for part in section.children {
        let name = part.name.clone();
        match name.as_str() {
            "Discoveries" => {
                for each in list(Some(part), &["Discovery"], problems) {
                    pack.discoveries.push(discovery(each, problems));
                }
            }
            "Rules" => {
                for each in list(Some(part), &["Rule"], problems) {
                    pack.rules.push(rule(each, problems));
                }
            }
            "Tasks" => {
                for each in list(Some(part), &["Task"], problems) {
                    pack.tasks.push(task(each, problems));
                }
            }
            "Monitors" => {
                for each in list(Some(part), &["UnitMonitor", "AggregateMonitor", "DependencyMonitor"], problems) {
                    pack.monitors.push(monitor(each, problems));
                }
            }
            "Diagnostics" => {
                for each in list(Some(part), &["Diagnostic"], problems) {
                    let mut each = Cursor::new(each, "", problems);
                    let mut found = diagnostic(&mut each);
                    found.extra = each.finish(&[]);
                    pack.diagnostics.push(found);
                }
            }
            "Recoveries" => {
                for each in list(Some(part), &["Recovery"], problems) {
                    let mut each = Cursor::new(each, "", problems);
                    let on_diagnostic = each.reference("ExecuteOnDiagnostic");
                    let reset_monitor = each.flag("ResetMonitor", false);
                    let mut base = diagnostic(&mut each);
                    base.extra = each.finish(&[]);
                    pack.recoveries.push(Recovery { base, on_diagnostic, reset_monitor });
                }
            }
            "Overrides" => {
                for each in part.children {
                    pack.overrides.extend(override_of(each, problems));
                }
            }
            other => {
                problems.note(
                    At(part.place),
                    "",
                    format!("<{other}> within <Monitoring> is kept and does nothing here"),
                );
                pack.kept.push(("Monitoring".to_owned(), part));
            }
        }
    }
}

/// Takes the modules of some kinds that stand directly in an element.
fn modules(owner: &mut Cursor<'_>, kind: ModuleKind) -> Vec<ModuleUse> {
    let around = owner.element();
    let nodes = owner.children(kind.element());
    nodes.into_iter().filter_map(|node| module_use(node, &around, owner.problems())).collect()
}

fn module(owner: &mut Cursor<'_>, kind: ModuleKind) -> Option<ModuleUse> {
    let mut found = modules(owner, kind);
    if found.len() > 1 {
        owner.error(format!("more than one <{}> stands here; the first one counts", kind.element()));
    }
    if found.is_empty() { None } else { Some(found.remove(0)) }
}

fn modules_in(owner: &mut Cursor<'_>, section: &str, kind: ModuleKind) -> Vec<ModuleUse> {
    let around = owner.element();
    let section = owner.child(section);
    let nodes = list(section, &[kind.element()], owner.problems());
    nodes.into_iter().filter_map(|node| module_use(node, &around, owner.problems())).collect()
}

fn discovery(node: Node, problems: &mut Problems) -> Discovery {
    let mut each = Cursor::new(node, "", problems);
    let mut found = Discovery {
        id: each.id(),
        enabled: each.enabled(),
        target: each.required_reference("Target"),
        category: each.text("Category").unwrap_or_default(),
        at: each.at(),
        ..Discovery::default()
    };
    let types = each.child("DiscoveryTypes");
    let types = list(types, &["DiscoveryClass", "DiscoveryRelationship"], each.problems());
    for node in types {
        let relationship = node.name == "DiscoveryRelationship";
        let mut inner = Cursor::new(node, &found.id, each.problems());
        let found_type = DiscoveryType {
            type_id: inner.required_reference("TypeID"),
            at: inner.at(),
            extra: inner.finish(&["Property"]),
        };
        if relationship { found.relationships.push(found_type) } else { found.classes.push(found_type) }
    }
    found.data_source = module(&mut each, ModuleKind::DataSource);
    if found.data_source.is_none() {
        each.error("the discovery has no <DataSource>");
    }
    found.extra = each.finish(&[]);
    found
}

fn rule(node: Node, problems: &mut Problems) -> Rule {
    let mut each = Cursor::new(node, "", problems);
    let found = Rule {
        id: each.id(),
        enabled: each.enabled(),
        target: each.required_reference("Target"),
        category: each.text("Category").unwrap_or_default(),
        data_sources: modules_in(&mut each, "DataSources", ModuleKind::DataSource),
        condition: module(&mut each, ModuleKind::ConditionDetection),
        write_actions: modules_in(&mut each, "WriteActions", ModuleKind::WriteAction),
        at: each.at(),
        extra: Extra::default(),
    };
    if found.data_sources.is_empty() {
        each.error("the rule has no <DataSource> in <DataSources>");
    }
    if found.write_actions.is_empty() {
        each.error("the rule has no <WriteAction> in <WriteActions>; it would do nothing");
    }
    Rule { extra: each.finish(&[]), ..found }
}

fn task(node: Node, problems: &mut Problems) -> Task {
    let mut each = Cursor::new(node, "", problems);
    let action = module(&mut each, ModuleKind::WriteAction).or_else(|| module(&mut each, ModuleKind::ProbeAction));
    if action.is_none() {
        each.error("the task has neither a <WriteAction> nor a <ProbeAction>");
    }
    Task {
        id: each.id(),
        accessibility: each.accessibility(),
        enabled: each.enabled(),
        target: each.required_reference("Target"),
        category: each.text("Category").unwrap_or_default(),
        timeout_seconds: each.parsed("Timeout"),
        action,
        at: each.at(),
        extra: each.finish(&[]),
    }
}

fn diagnostic(each: &mut Cursor<'_>) -> Diagnostic {
    let action = module(each, ModuleKind::WriteAction).or_else(|| module(each, ModuleKind::ProbeAction));
    if action.is_none() {
        each.error("there is neither a <WriteAction> nor a <ProbeAction> to run");
    }
    Diagnostic {
        id: each.id(),
        accessibility: each.accessibility(),
        enabled: each.enabled(),
        target: each.required_reference("Target"),
        monitor: each.required_reference("Monitor"),
        category: each.text("Category").unwrap_or_default(),
        on_state: each.attribute_word("ExecuteOnState", HEALTH),
        timeout_seconds: each.parsed("Timeout"),
        condition: module(each, ModuleKind::ConditionDetection),
        action,
        at: each.at(),
        extra: Extra::default(),
    }
}

fn monitor(node: Node, problems: &mut Problems) -> Monitor {
    let name = node.name.clone();
    let mut each = Cursor::new(node, "", problems);
    let id = each.id();
    let kind = match name.as_str() {
        "UnitMonitor" => unit(&id, &mut each),
        "DependencyMonitor" => MonitorKind::Dependency {
            relationship: each.required_reference("RelationshipType"),
            member: each.required_reference("MemberMonitor"),
            algorithm: each.word("Algorithm", ALGORITHMS).unwrap_or_default(),
            percentage: percentage(&mut each),
            in_maintenance: each.word("MemberInMaintenance", HEALTH),
            unavailable: each.word("MemberUnAvailable", HEALTH),
        },
        _ => MonitorKind::Aggregate { algorithm: each.word("Algorithm", ALGORITHMS).unwrap_or_default() },
    };
    let settings = each.child("AlertSettings");
    let alert = settings.map(|settings| alert_settings(settings, &id, each.problems()));
    Monitor {
        accessibility: each.accessibility(),
        enabled: each.enabled(),
        target: each.required_reference("Target"),
        parent: each.reference("ParentMonitorID"),
        category: each.text("Category").unwrap_or_default(),
        alert,
        kind,
        at: each.at(),
        extra: each.finish(&[]),
        id,
    }
}

fn percentage(each: &mut Cursor<'_>) -> Option<u32> {
    let text = each.text("AlgorithmParameter").filter(|text| !text.is_empty())?;
    match text.parse() {
        Ok(percent) if percent <= 100 => Some(percent),
        _ => {
            each.error(format!("AlgorithmParameter is '{text}'; it is a percentage from 0 to 100"));
            None
        }
    }
}

fn unit(id: &str, each: &mut Cursor<'_>) -> MonitorKind {
    let mut states = Vec::new();
    let section = each.child("OperationalStates");
    for node in list(section, &["OperationalState"], each.problems()) {
        let mut state = Cursor::new(node, id, each.problems());
        states.push(OperationalState {
            id: state.id(),
            type_state: state.required("MonitorTypeStateID"),
            health: state.attribute_word("HealthState", HEALTH).unwrap_or_default(),
            at: state.at(),
        });
    }
    let mut configuration = each.child("Configuration").unwrap_or_else(|| Node::new("Configuration"));
    configuration.attributes.clear();
    configuration.text.clear();
    MonitorKind::Unit {
        type_id: each.required_reference("TypeID"),
        run_as: each.reference("RunAs"),
        states,
        configuration,
    }
}

fn alert_settings(node: Node, id: &str, problems: &mut Problems) -> AlertSettings {
    const PRIORITIES: &[(&str, AlertPriority)] =
        &[("Low", AlertPriority::Low), ("Normal", AlertPriority::Normal), ("High", AlertPriority::High)];
    const SEVERITIES: &[(&str, AlertSeverity)] = &[
        ("Information", AlertSeverity::Information),
        ("Warning", AlertSeverity::Warning),
        ("Error", AlertSeverity::Error),
        ("MatchMonitorHealth", AlertSeverity::MatchMonitorHealth),
    ];
    let mut each = Cursor::new(node, id, problems);
    let mut parameters = Vec::new();
    if let Some(list) = each.child("AlertParameters") {
        for (index, parameter) in list.children.iter().enumerate() {
            if parameter.name != format!("AlertParameter{}", index + 1) {
                each.problems().error(
                    At(parameter.place),
                    id,
                    format!("<{}> stands where <AlertParameter{}> is expected", parameter.name, index + 1),
                );
            }
            parameters.push(parameter.text.trim().to_owned());
        }
        if parameters.len() > 10 {
            each.error("an alert has at most ten parameters");
            parameters.truncate(10);
        }
    }
    AlertSettings {
        message: each.reference("AlertMessage"),
        on_state: each.word("AlertOnState", HEALTH).unwrap_or(HealthState::Error),
        auto_resolve: each.text("AutoResolve").is_some_and(|text| text == "true"),
        priority: each.word("AlertPriority", PRIORITIES).unwrap_or_default(),
        severity: each.word("AlertSeverity", SEVERITIES).unwrap_or_default(),
        parameters,
        at: each.at(),
        extra: each.rest(),
    }
}

fn override_of(node: Node, problems: &mut Problems) -> Option<Override> {
    let place = At(node.place);
    let name = node.name.clone();
    let Some(kind) = Overridden::ALL
        .into_iter()
        .find(|kind| name.strip_prefix(kind.attribute()).is_some_and(|rest| rest.ends_with("Override")))
    else {
        problems.error(place, node.attribute("ID").unwrap_or_default(), format!("<{name}> is no kind of override"));
        return None;
    };
    let mut each = Cursor::new(node, "", problems);
    let change = if name.ends_with("PropertyOverride") {
        Change::Property(each.required("Property"))
    } else if name.ends_with("ConfigurationOverride") {
        Change::Configuration { parameter: each.required("Parameter"), module: each.attribute("Module") }
    } else {
        Change::Whole
    };
    Some(Override {
        id: each.id(),
        kind,
        element: Ref::from(each.required(kind.attribute()).as_str()),
        change,
        context: each.reference("Context"),
        context_instance: each.attribute("ContextInstance").filter(|id| !id.is_empty()),
        enforced: each.flag("Enforced", false),
        value: each.text("Value").unwrap_or_default(),
        at: place,
        extra: each.finish(&[]),
    })
}
