//! Processes: which run, how many, and what they use.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use watchkeeper_model::item::{DataItem, Sample};
use watchkeeper_model::node::Node;

use super::schedule::Frequency;
use super::text::nobody;
use crate::system::Microseconds;
use crate::workflow::module::{Context, Failure, Module, Setup};
use crate::workflow::platform::ProcessInformation;

/// The type of what comes out.
pub const PROCESS_INFORMATION: &str = "System.ProcessInformationData";

struct Provider {
    frequency: Frequency,
}

/// `System.ProcessInformationProvider`: `Frequency`. All processes of a name are one `ProcessInformation` with
/// `ProcessName` and `ActiveInstanceCount`.
///
/// # Errors
/// When the frequency is missing or cannot be.
pub fn provider(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let frequency = Frequency::new(setup.required_number("Frequency")?, setup.seed)?;
    Ok(Box::new(Provider { frequency }))
}

impl Module for Provider {
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.frequency.plan(context);
        Ok(())
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.frequency.plan(context);
        let mut by_name: BTreeMap<String, Vec<ProcessInformation>> = BTreeMap::new();
        for process in context.platform.processes() {
            by_name.entry(process.name.clone()).or_default().push(process);
        }
        let information = |(name, processes): (String, Vec<ProcessInformation>)| {
            let memory: f64 = processes.iter().map(|process| process.memory_bytes).sum();
            let first = &processes[0];
            let mut node = Node::new("ProcessInformation")
                .with_child(Node::text("ProcessName", name))
                .with_child(Node::text("ActiveInstanceCount", processes.len().to_string()))
                .with_child(Node::text("ProcessPath", first.path.as_str()))
                .with_child(Node::text("CommandLine", first.command_line.as_str()))
                .with_child(Node::text("UserName", first.user.as_str()))
                .with_child(Node::text("WorkingSetBytes", memory.to_string()));
            let ids = processes.iter().map(|process| Node::text("ProcessId", process.id.to_string()));
            node.children.push(Node { children: ids.collect(), ..Node::new("ProcessIds") });
            node
        };
        let children = by_name.into_iter().map(information).collect();
        let all = Node { children, ..Node::new("ProcessInformations") };
        context.emit(DataItem::new(PROCESS_INFORMATION, context.now, nobody(), vec![all]));
        Ok(())
    }
}

/// Seconds of processor time, by process and its start.
type Used = HashMap<(i32, u64), f64>;

struct Performance {
    frequency: Frequency,
    name: String,
    pattern: Option<glob::Pattern>,
    before: Option<(Microseconds, Used)>,
}

/// `System.Process.PerformanceProvider`: `ProcessName` (with `*`), `CommandLinePattern`, `Frequency`. Samples of the
/// object `Process`: `Process Count`, `% Processor Time` (100 for one processor), `Working Set`.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn performance(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let name = setup.required("ProcessName")?.to_owned();
    glob::Pattern::new(&name).map_err(|error| format!("ProcessName: {error}"))?;
    let pattern = setup
        .configuration
        .value("CommandLinePattern")
        .map(|pattern| glob::Pattern::new(pattern).map_err(|error| format!("CommandLinePattern: {error}")))
        .transpose()?;
    let frequency = Frequency::new(setup.required_number("Frequency")?, setup.seed)?;
    Ok(Box::new(Performance { frequency, name, pattern, before: None }))
}

impl Performance {
    fn look(&mut self, context: &mut Context<'_>) -> Vec<(&'static str, Option<f64>)> {
        let name = glob::Pattern::new(&self.name).ok();
        let is_meant = |process: &ProcessInformation| {
            name.as_ref().is_some_and(|name| name.matches(&process.name))
                && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&process.command_line))
        };
        let processes: Vec<ProcessInformation> = context.platform.processes().into_iter().filter(is_meant).collect();
        let used: Used =
            processes.iter().map(|process| ((process.id, process.started), process.processor_seconds)).collect();
        let before = self.before.replace((context.now, used.clone()));
        let percent = before.filter(|(time, _)| *time < context.now).map(|(time, before)| {
            // what a process has used that was not there before, it used since
            let seconds: f64 = used.iter().map(|(id, seconds)| seconds - before.get(id).copied().unwrap_or(0.0)).sum();
            100.0 * seconds.max(0.0) / ((context.now - time) as f64 / 1e6)
        });
        vec![
            ("Process Count", Some(processes.len() as f64)),
            ("% Processor Time", percent),
            ("Working Set", Some(processes.iter().map(|process| process.memory_bytes).sum())),
        ]
    }
}

impl Module for Performance {
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.frequency.plan(context);
        self.look(context);
        Ok(())
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.frequency.plan(context);
        for (counter, value) in self.look(context) {
            let sample =
                Sample { object: "Process".into(), counter: counter.into(), instance: self.name.clone(), value };
            if value.is_some() {
                context.emit(Arc::new(DataItem::performance(context.now, nobody(), &sample)));
            }
        }
        Ok(())
    }
}
