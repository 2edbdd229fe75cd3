//! `Syslog`: from the journal; where there is none, from syslog files; where there are none either, from the kernel.

mod files;
mod journal;
mod kernel;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::collect::{CollectError, Collected, Collector, Origin};
use crate::config::{SEVERITIES, SyslogConfig, severity_number};
use crate::queue::{Class, Positions};
use crate::system::Microseconds;
use files::Files;
use journal::Journal;
use kernel::Kernel;

/// How often new records are looked for.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often a better source is looked for.
const CHOICE: Duration = Duration::from_secs(60);
/// `TimeGenerated` is the record's own time only within these bounds, as in Log Analytics.
const OLDEST: Microseconds = 2 * 86_400 * 1_000_000;
const NEWEST: Microseconds = 86_400 * 1_000_000;

/// The facilities of syslog by number (RFC 5424, 6.2.1), as `Facility` spells them.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
const USER: u8 = 1;
const INFO: u8 = 6;

/// One record, whatever it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    /// Where the source says it.
    time: Option<Microseconds>,
    facility: u8,
    severity: u8,
    host: String,
    process: String,
    process_id: Option<i32>,
    message: String,
}

/// Writes the records that are severe enough.
struct Records<'a> {
    now: Microseconds,
    origin: &'a Origin,
    minimum: u8,
}

impl Records<'_> {
    fn put(&self, record: &Record, out: &mut Collected) {
        if record.severity > self.minimum || record.message.is_empty() {
            return;
        }
        let event = record.time.unwrap_or(self.now);
        let generated = if event < self.now - OLDEST || event > self.now + NEWEST { self.now } else { event };
        let host = if record.host.is_empty() { &self.origin.computer } else { &record.host };
        let row = out.table("Syslog").row();
        row.datetime("TimeGenerated", generated)
            .datetime("EventTime", event)
            .string("Computer", &self.origin.computer)
            .string("HostName", host)
            .string("HostIP", &self.origin.host_ip)
            .string("CollectorHostName", &self.origin.computer)
            .string("Facility", FACILITIES.get(usize::from(record.facility)).copied().unwrap_or("user"))
            .string("SeverityLevel", SEVERITIES[usize::from(record.severity.min(7))])
            .string("ProcessName", &record.process)
            .string("SyslogMessage", &record.message)
            .string("SourceSystem", "Linux");
        if let Some(process_id) = record.process_id {
            row.int("ProcessID", process_id);
        }
    }
}

enum Source {
    Journal(Journal),
    Files(Files),
    Kernel(Kernel),
}

impl Source {
    fn name(&self) -> &'static str {
        match self {
            Source::Journal(_) => "the journal",
            Source::Files(_) => "syslog files",
            Source::Kernel(_) => "the kernel's messages",
        }
    }
}

/// System logs.
pub struct Syslog {
    config: SyslogConfig,
    minimum: u8,
    source: Option<Source>,
    chosen: Option<Instant>,
    journalctl: PathBuf,
    journals: Vec<PathBuf>,
    kmsg: PathBuf,
    /// The journal failed again and again; it is tried once more with the next start.
    journal_failed: bool,
    news_only: bool,
}

impl Syslog {
    /// With a configuration that was checked.
    #[must_use]
    pub fn new(config: SyslogConfig) -> Self {
        let minimum = severity_number(&config.minimum_severity).unwrap_or(INFO);
        Self {
            config,
            minimum,
            source: None,
            chosen: None,
            journalctl: PathBuf::from("journalctl"),
            journals: ["/run/log/journal", "/var/log/journal"].map(PathBuf::from).to_vec(),
            kmsg: PathBuf::from("/dev/kmsg"),
            journal_failed: false,
            news_only: false,
        }
    }

    /// Where no position is kept yet, gives nothing that was there before the first look. For rules of packs: an alert
    /// about what happened before the rule came would be no news. The default gives the newest of it.
    #[must_use]
    pub fn with_news_only(mut self) -> Self {
        self.news_only = true;
        self
    }

    /// With other places: the program `journalctl`, folders of journals, the kernel's messages.
    #[must_use]
    pub fn with_places(mut self, journalctl: PathBuf, journals: Vec<PathBuf>, kmsg: PathBuf) -> Self {
        self.journalctl = journalctl;
        self.journals = journals;
        self.kmsg = kmsg;
        self
    }

    /// Chooses the source; a better one that appears later is taken over.
    fn choose(&mut self) {
        if self.chosen.is_some_and(|at| at.elapsed() < CHOICE) || matches!(self.source, Some(Source::Journal(_))) {
            return;
        }
        self.chosen = Some(Instant::now());
        let journal = self.config.journal && !self.journal_failed && journal::is_there(&self.journals);
        let better = if journal {
            Some(Source::Journal(Journal::new(self.journalctl.clone(), self.news_only)))
        } else if matches!(self.source, Some(Source::Files(_))) {
            None
        } else {
            let files = Files::new(&self.config.files, self.news_only);
            if files.are_there() {
                Some(Source::Files(files))
            } else if self.source.is_none() {
                Some(Source::Kernel(Kernel::new(self.kmsg.clone(), self.news_only)))
            } else {
                None
            }
        };
        if let Some(source) = better {
            tracing::info!(source = source.name(), "system logs are read");
            self.source = Some(source);
        }
    }
}

impl Collector for Syslog {
    fn name(&self) -> &str {
        "syslog"
    }

    fn class(&self) -> Class {
        Class::Event
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn collect(
        &mut self,
        now: Microseconds,
        origin: &Origin,
        positions: &Positions,
        out: &mut Collected,
    ) -> Result<(), CollectError> {
        self.choose();
        let records = Records { now, origin, minimum: self.minimum };
        match &mut self.source {
            Some(Source::Journal(journal)) => {
                if let Err(error) = journal.collect(&records, positions, out) {
                    tracing::warn!(%error, "the journal cannot be read; other sources are used until the agent starts again");
                    self.journal_failed = true;
                    self.source = None;
                    self.chosen = None;
                }
                Ok(())
            }
            Some(Source::Files(files)) => {
                files.collect(&records, positions, out);
                Ok(())
            }
            Some(Source::Kernel(kernel)) => kernel.collect(&records, positions, out),
            None => Ok(()),
        }
    }
}
