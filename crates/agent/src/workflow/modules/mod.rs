//! The native modules, and the one list of them.

pub mod command;
pub mod consolidate;
pub mod correlate;
pub mod discovery;
pub mod event;
pub mod filter;
pub mod map;
pub mod network;
pub mod performance;
pub mod process;
pub mod schedule;
pub mod script;
pub mod service;
pub mod service_map;
pub mod text;
pub mod write;
pub mod xml;

use super::module::{Module, Setup};

/// Where a module may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Begins a workflow.
    Source,
    /// A probe or a condition.
    Step,
    /// Ends a workflow; belongs to it alone.
    Write,
}

/// Makes a module; the error says what is wrong with its configuration.
pub type Make = fn(&Setup<'_>) -> Result<Box<dyn Module>, String>;

/// A native module type.
pub struct Native {
    /// Its full name.
    pub name: &'static str,
    /// Where it may stand.
    pub role: Role,
    /// Makes one.
    pub make: Make,
}

const fn source(name: &'static str, make: Make) -> Native {
    Native { name, role: Role::Source, make }
}

const fn step(name: &'static str, make: Make) -> Native {
    Native { name, role: Role::Step, make }
}

const fn write(name: &'static str, make: Make) -> Native {
    Native { name, role: Role::Write, make }
}

/// All native module types.
pub static NATIVE: &[Native] = &[
    // schedules
    source("System.SimpleScheduler", schedule::simple),
    source("System.Scheduler", schedule::scheduler),
    source("System.Discovery.Scheduler", schedule::scheduler),
    // conditions
    step("System.PassThroughProbe", filter::pass_through),
    step("System.PassThroughFilter", filter::pass_through),
    step("System.ExpressionFilter", filter::expression),
    step("System.LogicalSet.ExpressionFilter", filter::logical_set),
    step("System.TimerResetCondition", filter::timer),
    step("System.NeverCondition", filter::never),
    step("System.ConsolidatorCondition", consolidate::make),
    step("System.CorrelatorCondition", correlate::make),
    step("System.CorrelatorAutoCondition", correlate::make),
    step("System.CorrelatorMissingCondition", correlate::missing),
    // performance
    source("System.Performance.DataProvider", performance::provider::plain),
    source("System.Performance.OptimizedDataProvider", performance::provider::optimized),
    source("System.Performance.DeltaDataProvider", performance::provider::delta),
    step("System.Performance.ConsecutiveSamplesCondition", performance::condition::consecutive),
    step("System.Performance.AverageThreshold", performance::condition::average),
    step("System.Performance.SingleThreshold", performance::condition::single),
    step("System.Performance.DoubleThreshold", performance::condition::double),
    step("System.Performance.SelfTuningThreshold", performance::baseline::make),
    step("System.Performance.DataGenericMapper", map::performance),
    // events and logs
    source("Microsoft.Unix.SyslogProvider", event::system),
    source("System.SystemLog.EventProvider", event::system),
    source("System.ApplicationLog.GenericLog.EventProvider", event::lines),
    source("System.ApplicationLog.GenericLogReader", event::lines),
    source("System.ApplicationLog.GenericLog.FilteredEventProvider", event::filtered_lines),
    source("System.ApplicationLog.GenericCSVLog.FilteredEventProvider", event::filtered_columns),
    step("System.Event.GenericDataMapper", map::event),
    // commands and scripts
    step("System.CommandExecuterProbe", command::executer),
    step("System.CommandExecuter", command::executer),
    step("Microsoft.Unix.WSMan.Invoke.ProbeAction", command::invoke),
    step("Microsoft.Unix.WSMan.Invoke.Privileged.ProbeAction", command::invoke),
    step("Microsoft.Unix.WSMan.Invoke.WriteAction", command::invoke),
    step("Microsoft.Unix.WSMan.Invoke.Privileged.WriteAction", command::invoke),
    step("System.Script.Probe", script::plain),
    step("System.Script.PropertyBagProbe", script::property_bag),
    step("System.Script.DiscoveryProbe", script::discovery),
    step("System.Script.WriteAction", script::plain),
    // by the names that packs have for them; a script is read by its first line or ending, whatever the name says
    step("Microsoft.Windows.ScriptProbeAction", script::plain),
    step("Microsoft.Windows.ScriptPropertyBagProbe", script::property_bag),
    step("Microsoft.Windows.ScriptDiscoveryProbe", script::discovery),
    step("Microsoft.Windows.ScriptWriteAction", script::plain),
    // processes and services
    source("System.ProcessInformationProvider", process::provider),
    source("System.Process.PerformanceProvider", process::performance),
    step("System.ServiceStateProbe", service::probe),
    source("System.ServiceStateProvider", service::provider),
    step("Microsoft.Windows.Win32ServiceInformationProbe", service::probe),
    source("Microsoft.Windows.Win32ServiceInformationProvider", service::provider),
    // network
    step("Microsoft.SystemCenter.SyntheticTransactions.TCPPortCheckProbe", network::tcp::make),
    step("System.Http.Probe", network::http::make),
    // discovery
    step("System.Discovery.ClassSnapshotDataMapper", map::class_snapshot),
    step("System.Discovery.FilteredClassSnapshotDataMapper", map::filtered_class_snapshot),
    write("System.Discovery.WriteAction", write::discovery),
    // what a management server does itself
    step("Watchkeeper.ServiceMap.ConnectionProbe", service_map::probe),
    write("Watchkeeper.ServiceMap.Import", service_map::import),
    // what goes to the server
    write("System.Health.GenerateAlert", write::alert),
    write("Microsoft.SystemCenter.CollectPerformanceData", write::performance),
    write("Microsoft.SystemCenter.DataWarehouse.PublishPerformanceData", write::performance),
    write("Microsoft.SystemCenter.CollectEvent", write::event),
    write("Microsoft.SystemCenter.DataWarehouse.PublishEventData", write::event),
];

/// The module type of a name, with or without a pack's alias before it.
#[must_use]
pub fn find(name: &str) -> Option<&'static Native> {
    let plain = name.rsplit('!').next().unwrap_or(name);
    NATIVE.iter().find(|native| native.name == plain)
}

#[cfg(test)]
mod tests {
    use super::NATIVE;
    use watchkeeper_model::workflow::NATIVE_MODULES;

    #[test]
    fn the_agent_has_exactly_the_modules_that_servers_send() {
        let mut names: Vec<&str> = NATIVE.iter().map(|native| native.name).collect();
        names.sort_unstable();
        assert_eq!(names, NATIVE_MODULES);
    }
}
