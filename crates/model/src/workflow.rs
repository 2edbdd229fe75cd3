//! What an agent is told to run: workflows whose modules are native ones with their configuration filled in. The server
//! makes them from packs, overrides and objects (composite modules are taken apart, `$Config/…$`, `$Target/…$` and
//! `$MPElement…$` replaced); the agent needs to know no pack. `$Data/…$` and `$RunAs…$` stay: only the agent can fill
//! them in.

use serde::{Deserialize, Serialize};

use crate::ids::{ElementId, ObjectId};
use crate::node::Node;

/// The native modules that agents have, by their full names in the order of the alphabet. The libraries say `Runs="yes"`
/// of exactly these, and the agent registers exactly these; tests on both sides hold them to it.
pub const NATIVE_MODULES: &[&str] = &[
    "Microsoft.SystemCenter.CollectEvent",
    "Microsoft.SystemCenter.CollectPerformanceData",
    "Microsoft.SystemCenter.DataWarehouse.PublishEventData",
    "Microsoft.SystemCenter.DataWarehouse.PublishPerformanceData",
    "Microsoft.SystemCenter.SyntheticTransactions.TCPPortCheckProbe",
    "Microsoft.Unix.SyslogProvider",
    "Microsoft.Unix.WSMan.Invoke.Privileged.ProbeAction",
    "Microsoft.Unix.WSMan.Invoke.Privileged.WriteAction",
    "Microsoft.Unix.WSMan.Invoke.ProbeAction",
    "Microsoft.Unix.WSMan.Invoke.WriteAction",
    "Microsoft.Windows.ScriptDiscoveryProbe",
    "Microsoft.Windows.ScriptProbeAction",
    "Microsoft.Windows.ScriptPropertyBagProbe",
    "Microsoft.Windows.ScriptWriteAction",
    "Microsoft.Windows.Win32ServiceInformationProbe",
    "Microsoft.Windows.Win32ServiceInformationProvider",
    "System.ApplicationLog.GenericCSVLog.FilteredEventProvider",
    "System.ApplicationLog.GenericLog.EventProvider",
    "System.ApplicationLog.GenericLog.FilteredEventProvider",
    "System.ApplicationLog.GenericLogReader",
    "System.CommandExecuter",
    "System.CommandExecuterProbe",
    "System.ConsolidatorCondition",
    "System.CorrelatorAutoCondition",
    "System.CorrelatorCondition",
    "System.CorrelatorMissingCondition",
    "System.Discovery.ClassSnapshotDataMapper",
    "System.Discovery.FilteredClassSnapshotDataMapper",
    "System.Discovery.Scheduler",
    "System.Discovery.WriteAction",
    "System.Event.GenericDataMapper",
    "System.ExpressionFilter",
    "System.Health.GenerateAlert",
    "System.Http.Probe",
    "System.LogicalSet.ExpressionFilter",
    "System.NeverCondition",
    "System.PassThroughFilter",
    "System.PassThroughProbe",
    "System.Performance.AverageThreshold",
    "System.Performance.ConsecutiveSamplesCondition",
    "System.Performance.DataGenericMapper",
    "System.Performance.DataProvider",
    "System.Performance.DeltaDataProvider",
    "System.Performance.DoubleThreshold",
    "System.Performance.OptimizedDataProvider",
    "System.Performance.SelfTuningThreshold",
    "System.Performance.SingleThreshold",
    "System.Process.PerformanceProvider",
    "System.ProcessInformationProvider",
    "System.Scheduler",
    "System.Script.DiscoveryProbe",
    "System.Script.Probe",
    "System.Script.PropertyBagProbe",
    "System.Script.WriteAction",
    "System.ServiceStateProbe",
    "System.ServiceStateProvider",
    "System.SimpleScheduler",
    "System.SystemLog.EventProvider",
    "System.TimerResetCondition",
    "Watchkeeper.ServiceMap.ConnectionProbe",
    "Watchkeeper.ServiceMap.Import",
];

/// Whether agents have a native module.
#[must_use]
pub fn is_native(name: &str) -> bool {
    NATIVE_MODULES.binary_search(&name).is_ok()
}

/// All workflows of one agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workflows {
    /// In the order of their identities.
    pub workflows: Vec<Workflow>,
}

/// One workflow: one rule, monitor, discovery, task, diagnostic or recovery for one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// The element, with its pack: `Pack.Id!Element.Id`.
    pub element: String,
    /// The identity of the element.
    pub element_id: ElementId,
    /// The object it watches.
    pub object: ObjectId,
    /// The class of the element's target.
    pub class: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Inputs of a module come before it.
    pub modules: Vec<Module>,
    /// Longest run of one module, in seconds; zero for the module's own or the default limit.
    #[serde(default)]
    pub timeout_seconds: u32,
}

/// What a workflow is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Purpose {
    /// Runs its write actions: collects, alerts.
    Rule,
    /// Gives the health of one aspect of the object.
    Monitor {
        /// Each state with the module whose items mean it.
        states: Vec<MonitorState>,
        /// The same for checks on demand; empty: it cannot be recalculated.
        #[serde(default)]
        on_demand: Vec<MonitorState>,
    },
    /// Its last module gives discovery data.
    Discovery,
    /// Runs when an operator starts it.
    Task,
    /// Runs when a monitor of the same object enters a state.
    Diagnostic {
        /// Which.
        trigger: Trigger,
    },
    /// The same, to repair.
    Recovery {
        /// Which.
        trigger: Trigger,
        /// The monitor is set healthy after a success.
        reset_monitor: bool,
    },
}

/// A state of a monitor and what leads to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorState {
    /// The operational state (`OperationalState/@ID`).
    pub state: String,
    /// Its health.
    pub health: HealthState,
    /// The module whose items lead to it: an index into the workflow's modules.
    pub module: usize,
}

/// What starts a diagnostic or recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The monitor.
    pub monitor: ElementId,
    /// The health that the monitor enters.
    pub on_state: Option<HealthState>,
    /// A diagnostic that has to have run before; its output is the data.
    pub after_diagnostic: Option<ElementId>,
}

/// One module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Its ID in the composition, for messages.
    pub id: String,
    /// The native type, by its full name (`System.SimpleScheduler`).
    pub kind: String,
    /// Its configuration: an element `Configuration` with the parameters as children.
    pub configuration: Node,
    /// Modules whose items it takes: indexes into the workflow's modules. Empty: a data source.
    #[serde(default)]
    pub inputs: Vec<usize>,
    /// The Run As profile that it uses, where its type names one.
    #[serde(default)]
    pub run_as: Option<String>,
}

/// The health of an object or monitor (specification 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HealthState {
    /// Not monitored.
    #[default]
    Uninitialized = 0,
    /// Healthy.
    Success = 1,
    /// Warning.
    Warning = 2,
    /// Critical.
    Error = 3,
}
