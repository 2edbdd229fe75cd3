//! What an agent of this product can run of a pack, and why not the rest: every workflow is taken apart down to its
//! native modules.

use std::fmt;

use super::modules::{Implementation, ModuleKind, ModuleUse};
use super::monitoring::MonitorKind;
use super::{ElementKind, ManagementPack, PackSet, limits};
use crate::node::Node;

/// Whether a workflow runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// All of it.
    Yes,
    /// A part is left out: a check on demand, one of several write actions.
    Partly,
    /// It does not.
    No,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The native module, by its ID.
    pub native: String,
    /// The composite modules around it, the outermost first.
    pub through: Vec<String>,
    /// What it needs.
    pub why: String,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.native, self.why)?;
        if !self.through.is_empty() {
            write!(out, " (used by {})", self.through.join(" → "))?;
        }
        Ok(())
    }
}

/// The verdict about one workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portability {
    /// What kind of element it is.
    pub kind: ElementKind,
    /// Its ID.
    pub element: String,
    /// Whether it runs.
    pub runs: Runs,
    /// Why not, or what of it not.
    pub reasons: Vec<Reason>,
}

impl fmt::Display for Portability {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.runs {
            Runs::Yes => "runs",
            Runs::Partly => "runs partly",
            Runs::No => "does not run here",
        };
        write!(out, "{} {}: {word}", self.kind.word(), self.element)?;
        for (index, reason) in self.reasons.iter().enumerate() {
            write!(out, "{}{reason}", if index == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}

/// The verdicts about all workflows of a pack, in its order. Aggregate and dependency monitors run on the server and
/// always do.
#[must_use]
pub fn of(set: &PackSet, pack: &ManagementPack) -> Vec<Portability> {
    let mut found = Vec::new();
    let mut add = |kind: ElementKind, id: &str, needed: Vec<Reason>, extra: Vec<Reason>, all_extra: bool| {
        let (runs, mut reasons) = if set.is_broken(&pack.id, id) {
            let why = "has an error that keeps it from being loaded".to_owned();
            (Runs::No, vec![Reason { native: id.to_owned(), through: Vec::new(), why }])
        } else if !needed.is_empty() || all_extra {
            (Runs::No, needed)
        } else if extra.is_empty() {
            (Runs::Yes, Vec::new())
        } else {
            (Runs::Partly, Vec::new())
        };
        reasons.extend(extra);
        reasons.dedup();
        found.push(Portability { kind, element: id.to_owned(), runs, reasons });
    };
    let lacks = |modules: &[&ModuleUse]| {
        let mut reasons = Vec::new();
        for module in modules {
            explain(set, pack, module, &mut Vec::new(), &mut reasons);
        }
        reasons
    };
    for each in &pack.discoveries {
        let modules: Vec<&ModuleUse> = each.data_source.iter().collect();
        add(ElementKind::Discovery, &each.id, lacks(&modules), Vec::new(), false);
    }
    for each in &pack.rules {
        let needed: Vec<&ModuleUse> = each.data_sources.iter().chain(&each.condition).collect();
        let actions: Vec<Vec<Reason>> = each.write_actions.iter().map(|action| lacks(&[action])).collect();
        let none_runs = !actions.is_empty() && actions.iter().all(|reasons| !reasons.is_empty());
        add(ElementKind::Rule, &each.id, lacks(&needed), actions.concat(), none_runs);
    }
    for each in &pack.tasks {
        let modules: Vec<&ModuleUse> = each.action.iter().collect();
        add(ElementKind::Task, &each.id, lacks(&modules), Vec::new(), false);
    }
    for each in &pack.monitors {
        let MonitorKind::Unit { type_id, .. } = &each.kind else {
            add(ElementKind::Monitor, &each.id, Vec::new(), Vec::new(), false);
            continue;
        };
        let mut needed = Vec::new();
        let mut extra = Vec::new();
        if let Ok(monitor_type) = set.monitor_type(pack, type_id) {
            for (detections, reasons) in
                [(&monitor_type.element.regular, &mut needed), (&monitor_type.element.on_demand, &mut extra)]
            {
                let names: Vec<&str> = detections
                    .iter()
                    .flat_map(|detection| detection.node.flattened())
                    .map(|node| node.id.as_str())
                    .collect();
                for member in monitor_type.element.members.iter().filter(|member| names.contains(&member.id.as_str())) {
                    let through = monitor_type.element.id.clone();
                    explain(set, monitor_type.pack, member, &mut vec![through], reasons);
                }
            }
        }
        extra.retain(|reason| !needed.contains(reason));
        add(ElementKind::Monitor, &each.id, needed, extra, false);
    }
    for each in &pack.diagnostics {
        let modules: Vec<&ModuleUse> = each.condition.iter().chain(&each.action).collect();
        add(ElementKind::Diagnostic, &each.id, lacks(&modules), Vec::new(), false);
    }
    for each in &pack.recoveries {
        let modules: Vec<&ModuleUse> = each.base.condition.iter().chain(&each.base.action).collect();
        add(ElementKind::Recovery, &each.base.id, lacks(&modules), Vec::new(), false);
    }
    found
}

/// Adds why a module does not run.
fn explain(
    set: &PackSet,
    pack: &ManagementPack,
    module: &ModuleUse,
    through: &mut Vec<String>,
    reasons: &mut Vec<Reason>,
) {
    let found = match set.module(pack, &module.type_id, module.kind) {
        Ok(found) => found,
        Err(message) => {
            add(reasons, &module.type_id.0, through, format!("is not known: {message}"));
            return;
        }
    };
    let id = &found.element.id;
    match &found.element.implementation {
        Implementation::Missing => add(reasons, id, through, "has no implementation".to_owned()),
        Implementation::Native(native) => match native.runs {
            Some(true) => {
                if let Some(why) = depends_on_configuration(id, module.kind, &module.configuration) {
                    add(reasons, id, through, why);
                }
            }
            Some(false) => {
                let why = native.why.clone().unwrap_or_else(|| "is not part of the agent".to_owned());
                add(reasons, id, through, why);
            }
            None => add(reasons, id, through, "is compiled code of its vendor".to_owned()),
        },
        Implementation::Composite { members, .. } => {
            if through.len() >= limits::COMPOSITION_DEPTH || through.contains(id) {
                add(reasons, id, through, "contains itself".to_owned());
                return;
            }
            through.push(id.clone());
            let script = script_needs_windows(&module.configuration);
            for member in members {
                if let Some(why) = script.as_ref().filter(|_| takes_script(member)) {
                    add(reasons, member.type_id.id(), through, why.clone());
                }
                explain(set, found.pack, member, through, reasons);
            }
            through.pop();
        }
    }

    fn add(reasons: &mut Vec<Reason>, native: &str, through: &[String], why: String) {
        let reason = Reason { native: native.to_owned(), through: through.to_vec(), why };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }

    /// Whether a member runs the script of the composite around it.
    fn takes_script(member: &ModuleUse) -> bool {
        member.type_id.id().starts_with("Microsoft.Windows.Script")
    }
}

/// Some natives run or not by what they are told to do.
pub(crate) fn depends_on_configuration(id: &str, kind: ModuleKind, configuration: &Node) -> Option<String> {
    if id.starts_with("Microsoft.Windows.Script") {
        return script_needs_windows(configuration);
    }
    if id.starts_with("Microsoft.Unix.WSMan.Invoke") && kind != ModuleKind::ConditionDetection {
        let action = configuration.value("InvokeAction")?;
        let local = ["ExecuteCommand", "ExecuteShellCommand", "ExecuteScript"];
        if !local.contains(&action) && !action.contains('$') {
            return Some(format!("cannot do {action}: there is no CIM server, only {} run locally", local.join(", ")));
        }
    }
    None
}

/// By the name of the script.
fn script_needs_windows(configuration: &Node) -> Option<String> {
    let name = configuration.value("ScriptName")?;
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(".vbs") || lower.ends_with(".js") || lower.ends_with(".wsf") {
        return Some(format!("cannot run {name}: it needs the Windows Script Host"));
    }
    lower.ends_with(".ps1").then(|| format!("cannot run {name}: it needs Windows PowerShell"))
}
