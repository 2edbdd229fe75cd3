//! Text files into a custom table: `RawData`, `FilePath`, `Computer`.

use std::time::Duration;

use super::tail::{LINE_LIMIT, Report, Start, Tail};
use crate::collect::{CollectError, Collected, Collector, Origin};
use crate::config::TextLogConfig;
use crate::queue::{Class, Positions};
use crate::system::Microseconds;

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// The files of one entry of the configuration.
pub struct TextLog {
    name: String,
    table: String,
    tail: Tail,
    interval: Duration,
}

impl TextLog {
    /// With a configuration that was checked.
    #[must_use]
    pub fn new(config: &TextLogConfig) -> Self {
        let (start, kind) = if config.from_beginning { (Start::Beginning, "text-all") } else { (Start::End, "text") };
        let tail = Tail::new(format!("{kind}/{}", config.table), config.paths.clone(), start);
        Self { name: format!("text log {}", config.table), table: config.table.clone(), tail, interval: INTERVAL }
    }

    /// The entries of a configuration; those with the same table and beginning are one, so that a file that both name
    /// is read once.
    #[must_use]
    pub fn all(configs: &[TextLogConfig]) -> Vec<Self> {
        let mut merged: Vec<TextLogConfig> = Vec::new();
        for config in configs {
            let same =
                |one: &&mut TextLogConfig| one.table == config.table && one.from_beginning == config.from_beginning;
            match merged.iter_mut().find(same) {
                Some(one) => one.paths.extend(config.paths.iter().cloned()),
                None => merged.push(config.clone()),
            }
        }
        merged.iter().map(Self::new).collect()
    }

    /// With other times: how often files and patterns are looked at, and when a rotated file is let go.
    #[must_use]
    pub fn with_times(mut self, interval: Duration, settled: Duration) -> Self {
        self.interval = interval;
        self.tail = self.tail.with_times(interval, settled);
        self
    }
}

impl Collector for TextLog {
    fn name(&self) -> &str {
        &self.name
    }

    fn class(&self) -> Class {
        Class::Event
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn collect(
        &mut self,
        now: Microseconds,
        origin: &Origin,
        positions: &Positions,
        out: &mut Collected,
    ) -> Result<(), CollectError> {
        let table = &self.table;
        let report = self.tail.read(positions, out, &mut |out, line| {
            out.table(table)
                .row()
                .datetime("TimeGenerated", now)
                .string("Computer", &origin.computer)
                .string("FilePath", &line.path.to_string_lossy())
                .string("RawData", &String::from_utf8_lossy(line.bytes));
        });
        report_cut(&report, now, origin, out);
        Ok(())
    }
}

/// Says in `Operation` which files had lines that were cut.
pub(super) fn report_cut(report: &Report, now: Microseconds, origin: &Origin, out: &mut Collected) {
    for (path, lines) in &report.cut {
        let detail = format!("{lines} lines of {} were longer than {LINE_LIMIT} bytes and are cut", path.display());
        tracing::warn!(path = %path.display(), lines, limit = LINE_LIMIT, "long log lines are cut");
        out.table("Operation")
            .row()
            .datetime("TimeGenerated", now)
            .string("Computer", &origin.computer)
            .string("OperationCategory", "Agent")
            .string("OperationStatus", "Warning")
            .string("Solution", "LogManagement")
            .string("Detail", &detail)
            .string("SourceSystem", "Linux");
    }
}
