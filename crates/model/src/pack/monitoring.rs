//! What runs: discoveries, rules, tasks, monitors, diagnostics and recoveries.

use crate::node::Node;
use crate::workflow::HealthState;

use super::common::{Accessibility, At, Enabled, Extra, Ref};
use super::modules::ModuleUse;

/// Finds objects.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Discovery {
    /// Its ID in the pack.
    pub id: String,
    /// Whether it runs.
    pub enabled: Enabled,
    /// The class on whose objects it runs.
    pub target: Ref,
    /// What kind of thing it is, for people.
    pub category: String,
    /// The classes of what it finds, each with the properties that it fills (none listed: all).
    pub classes: Vec<DiscoveryType>,
    /// The relationships that it finds.
    pub relationships: Vec<DiscoveryType>,
    /// What gives the discovery data.
    pub data_source: Option<ModuleUse>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for (`ConfirmDelivery`, `Remotable`, `Priority`).
    pub extra: Extra,
}

/// What a discovery finds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DiscoveryType {
    /// The class or relationship.
    pub type_id: Ref,
    /// Where it stands.
    pub at: At,
    /// Its properties.
    pub extra: Extra,
}

/// Collects, or raises alerts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// Its ID in the pack.
    pub id: String,
    /// Whether it runs.
    pub enabled: Enabled,
    /// The class on whose objects it runs.
    pub target: Ref,
    /// What kind of thing it is, for people.
    pub category: String,
    /// Give the items.
    pub data_sources: Vec<ModuleUse>,
    /// Between them and the write actions.
    pub condition: Option<ModuleUse>,
    /// What is done with each item.
    pub write_actions: Vec<ModuleUse>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for (`ConfirmDelivery`, `Remotable`, `Priority`, `DiscardLevel`).
    pub extra: Extra,
}

/// Runs when an operator starts it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Task {
    /// Its ID in the pack.
    pub id: String,
    /// Whether other packs may name it.
    pub accessibility: Accessibility,
    /// Whether it can be started.
    pub enabled: Enabled,
    /// The class on whose objects it runs.
    pub target: Ref,
    /// What kind of thing it is, for people.
    pub category: String,
    /// Longest run in seconds.
    pub timeout_seconds: Option<u32>,
    /// A write action or probe.
    pub action: Option<ModuleUse>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// Runs when a monitor enters a state, to look closer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diagnostic {
    /// Its ID in the pack.
    pub id: String,
    /// Whether other packs may name it.
    pub accessibility: Accessibility,
    /// Whether it runs.
    pub enabled: Enabled,
    /// The class on whose objects it runs.
    pub target: Ref,
    /// The monitor that starts it.
    pub monitor: Ref,
    /// What kind of thing it is, for people.
    pub category: String,
    /// The health that the monitor enters.
    pub on_state: Option<HealthState>,
    /// Longest run in seconds.
    pub timeout_seconds: Option<u32>,
    /// What is done.
    pub condition: Option<ModuleUse>,
    /// What is done.
    pub action: Option<ModuleUse>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// Runs when a monitor enters a state or a diagnostic has run, to repair.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recovery {
    /// As for a diagnostic.
    pub base: Diagnostic,
    /// The diagnostic that has to have run.
    pub on_diagnostic: Option<Ref>,
    /// The monitor is set healthy after a success.
    pub reset_monitor: bool,
}

/// What unit, aggregate and dependency monitors share.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Monitor {
    /// Its ID in the pack.
    pub id: String,
    /// Whether other packs may name it.
    pub accessibility: Accessibility,
    /// Whether it runs.
    pub enabled: Enabled,
    /// The class whose objects' health it is part of.
    pub target: Ref,
    /// The monitor that it rolls up to; `None`: the top.
    pub parent: Option<Ref>,
    /// What kind of thing it is, for people.
    pub category: String,
    /// Whether and how it raises alerts.
    pub alert: Option<AlertSettings>,
    /// What it does.
    pub kind: MonitorKind,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for (`ConfirmDelivery`, `Remotable`, `Priority`).
    pub extra: Extra,
}

/// What a monitor does.
#[derive(Debug, Clone, PartialEq)]
pub enum MonitorKind {
    /// Watches by itself.
    Unit {
        /// Its monitor type.
        type_id: Ref,
        /// The Run As profile that it uses.
        run_as: Option<Ref>,
        /// What each state of the type means here.
        states: Vec<OperationalState>,
        /// An element `Configuration` with the parameters of the type as children.
        configuration: Node,
    },
    /// Rolls up its children.
    Aggregate {
        /// How.
        algorithm: Algorithm,
    },
    /// Rolls up a monitor of related objects.
    Dependency {
        /// From the target to the members: containment or hosting.
        relationship: Ref,
        /// The monitor of the members.
        member: Ref,
        /// How.
        algorithm: Algorithm,
        /// The percentage of `Algorithm::Percentage`.
        percentage: Option<u32>,
        /// What a member in maintenance counts as; `None`: it is left out.
        in_maintenance: Option<HealthState>,
        /// What a member that cannot be reached counts as; `None`: it is left out.
        unavailable: Option<HealthState>,
    },
}

impl Default for MonitorKind {
    fn default() -> Self {
        Self::Aggregate { algorithm: Algorithm::WorstOf }
    }
}

/// How health rolls up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// The worst of all.
    #[default]
    WorstOf,
    /// The best of all.
    BestOf,
    /// The worst among the best so many percent.
    Percentage,
}

impl Algorithm {
    /// As packs write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorstOf => "WorstOf",
            Self::BestOf => "BestOf",
            Self::Percentage => "Percentage",
        }
    }
}

/// What a state of a monitor's type means.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OperationalState {
    /// Its ID in the monitor.
    pub id: String,
    /// The state of the type.
    pub type_state: String,
    /// The health that it means.
    pub health: HealthState,
    /// Where it stands.
    pub at: At,
}

/// Whether and how a monitor raises alerts (specification 4.11).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertSettings {
    /// The string resource with name and description.
    pub message: Option<Ref>,
    /// The health from which on it raises.
    pub on_state: HealthState,
    /// Closes when healthy.
    pub auto_resolve: bool,
    /// How urgent.
    pub priority: AlertPriority,
    /// How bad.
    pub severity: AlertSeverity,
    /// Fill `{0}` to `{9}` of the description.
    pub parameters: Vec<String>,
    /// `Custom1` to `Custom10` and what else the file has.
    pub extra: Extra,
    /// Where it stands.
    pub at: At,
}

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AlertPriority {
    /// Low.
    Low,
    /// What is meant where nothing is said.
    #[default]
    Normal,
    /// High.
    High,
}

impl AlertPriority {
    /// As packs write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Normal => "Normal",
            Self::High => "High",
        }
    }
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AlertSeverity {
    /// Information.
    Information,
    /// Warning.
    Warning,
    /// Critical.
    Error,
    /// As bad as the monitor's health; what is meant where nothing is said.
    #[default]
    MatchMonitorHealth,
}

impl AlertSeverity {
    /// As packs write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Information => "Information",
            Self::Warning => "Warning",
            Self::Error => "Error",
            Self::MatchMonitorHealth => "MatchMonitorHealth",
        }
    }
}
