//! Who talks to whom: a probe sees the TCP connections of the machine, and every minute they become records of
//! `VMConnection` and `VMBoundPort`, as VM insights documents them.

mod dns;
mod ebpf;
mod flow;
mod listeners;
mod netlink;
mod owners;
mod readable;
mod records;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use self::ebpf::Ebpf;
use self::flow::Window;
use self::listeners::Listeners;
use self::netlink::Netlink;
use crate::collect::Collected;
use crate::config::{ConnectionsConfig, ProbeKind, seconds};
use crate::linux::inventory::{Pools, Reporter};
use crate::linux::processes::{Program, Stat};
use crate::system::Microseconds;

/// Where the disk queue keeps which probe runs, for `watchkeeper-agent status`.
pub const PROBE_POSITION: &str = "connection-probe";

/// A probe cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The list of sockets.
    #[error("cannot {what}: {source}")]
    Netlink {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The program in the kernel.
    #[error("cannot {what}: {reason}")]
    Ebpf {
        /// What was tried.
        what: String,
        /// Why it failed.
        reason: String,
    },
    /// The thread that watches.
    #[error("cannot start the thread that watches connections: {0}")]
    Thread(std::io::Error),
}

impl ProbeError {
    fn ebpf(what: &str, reason: impl std::fmt::Display) -> Self {
        Self::Ebpf { what: what.to_owned(), reason: reason.to_string() }
    }
}

/// Something that sees connections.
trait Source: Send {
    /// What was seen since the last call.
    fn take(&mut self) -> Taken;

    /// For people: which probe this is.
    fn name(&self) -> &'static str;
}

/// What a source gives.
struct Taken {
    window: Window,
    /// What the processes were while they could be asked.
    processes: HashMap<i32, (Stat, Program)>,
}

/// The probe that runs, and the records that are made of what it sees.
pub struct Connections {
    config: ConnectionsConfig,
    source: Option<Box<dyn Source>>,
    /// Why this source.
    reason: String,
    /// What was said of it last.
    told: String,
    names: Option<dns::Names>,
    /// When the window began whose records are made next.
    begun: Option<Microseconds>,
}

impl Connections {
    /// With a configuration that was checked. The probe starts with the first records.
    #[must_use]
    pub fn new(config: ConnectionsConfig) -> Self {
        Self { config, source: None, reason: String::new(), told: String::new(), names: None, begun: None }
    }

    /// Makes the records of the time since the last call; gives the identities of the processes in them.
    pub(super) fn sample(
        &mut self,
        now: Microseconds,
        reporter: &Reporter<'_>,
        pools: &mut Pools,
        out: &mut Collected,
    ) -> HashSet<String> {
        if self.source.is_none() {
            self.source = self.start();
            self.tell(now, reporter, out);
        }
        // the time of a record is the beginning of its interval
        let begun = self.begun.replace(now).unwrap_or(now);
        let Some(source) = &mut self.source else { return HashSet::new() };
        let Taken { window, processes } = source.take();
        if window.lost > 0 {
            tracing::warn!(events = window.lost, probe = source.name(), "more connections ended than could be taken");
        }
        for (stat, program) in processes.into_values() {
            pools.adopt(&stat, &program);
        }
        let known = |address| self.names.as_ref().and_then(|names| names.of(address));
        records::put(begun, reporter, pools, &window, &known, out)
    }

    /// Says which probe runs and why: a row for people who look from afar, and a word for `watchkeeper-agent status`.
    fn tell(&mut self, now: Microseconds, reporter: &Reporter<'_>, out: &mut Collected) {
        let (status, name) = match &self.source {
            Some(source) => ("Success", source.name()),
            None => ("Failure", "none"),
        };
        let detail = format!("connection probe: {name}, because {}", self.reason);
        if detail == self.told {
            return;
        }
        self.told.clone_from(&detail);
        out.table("Operation")
            .row()
            .datetime("TimeGenerated", now)
            .string("Computer", &reporter.origin.computer)
            .string("Solution", "VMInsights")
            .string("OperationCategory", "Connection probe")
            .string("OperationStatus", status)
            .string("Detail", &detail)
            .string("SourceSystem", "Insights");
        out.position(PROBE_POSITION, detail.into_bytes());
    }

    fn start(&mut self) -> Option<Box<dyn Source>> {
        if self.config.probe != ProbeKind::Off && self.config.dns_names && self.names.is_none() {
            self.names = dns::Names::start()
                .inspect_err(|error| tracing::info!(%error, "answers of DNS servers cannot be seen; no names"))
                .ok();
        }
        match start(&self.config) {
            Ok((source, reason)) => {
                tracing::info!(probe = source.name(), reason, "connections are watched");
                self.reason = reason;
                Some(source)
            }
            Err(error) => {
                tracing::warn!(%error, "connections cannot be watched; trying again with the next records");
                self.reason = error.to_string();
                None
            }
        }
    }
}

/// The source that the configuration asks for, and why it is this one.
fn start(config: &ConnectionsConfig) -> Result<(Box<dyn Source>, String), ProbeError> {
    let netlink = || Netlink::start(seconds(config.poll_seconds)).map(|source| Box::new(source) as Box<dyn Source>);
    let configured = "the configuration says so".to_owned();
    match config.probe {
        ProbeKind::Off => Ok((Box::new(Listeners::open()?), configured)),
        ProbeKind::Netlink => Ok((netlink()?, configured)),
        ProbeKind::Ebpf => Ok((Box::new(Ebpf::start()?), configured)),
        ProbeKind::Auto => match Ebpf::start() {
            Ok(source) => Ok((Box::new(source), "the kernel takes its program".to_owned())),
            Err(error) => Ok((netlink()?, format!("ebpf cannot run: {error}"))),
        },
    }
}
