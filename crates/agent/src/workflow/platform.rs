//! What modules ask of the operating system. `linux` implements it; another system gets its own beside it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use watchkeeper_model::item::{Event, Sample};

use super::server_work::ServerWork;
use crate::collect::Collected;
use crate::queue::Positions;
use crate::system::Microseconds;

/// A process for the process modules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessInformation {
    /// The number.
    pub id: i32,
    /// The program's name.
    pub name: String,
    /// The path of the program; empty where it may not be seen.
    pub path: String,
    /// The arguments.
    pub command_line: String,
    /// Whom it runs as.
    pub user: String,
    /// Seconds of processor time since it began.
    pub processor_seconds: f64,
    /// Resident memory in bytes.
    pub memory_bytes: f64,
    /// Identifies this run of the process: a number may come again.
    pub started: u64,
}

/// A service of the system's service manager.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceState {
    /// `loaded`, `not-found`, `masked`…
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`…
    pub active: String,
    /// `running`, `exited`, `dead`…
    pub sub: String,
    /// `enabled`, `disabled`, `static`…
    pub unit_file: String,
    /// The main process; 0 for none.
    pub main_process: i64,
    /// How often it was restarted.
    pub restarts: i64,
    /// What it is, in words.
    pub description: String,
}

/// A line of a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The folder.
    pub directory: String,
    /// The file's name in it.
    pub file: String,
    /// Without its end.
    pub text: String,
}

/// A record of the system's log as an event, with its own time.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEvent {
    /// When.
    pub time: Microseconds,
    /// What.
    pub event: Event,
}

/// Reads the lines that come into some files, through rotation.
pub trait LogSource: Send {
    /// The lines since the positions; what was read up to goes into `out` (whose rows stay empty). `out.more` says
    /// that there are more.
    fn read(&mut self, positions: &Positions, out: &mut Collected) -> Vec<LogLine>;
}

/// Reads the system's log.
pub trait EventSource: Send {
    /// The records since the positions, as [`LogSource::read`].
    fn read(&mut self, now: Microseconds, positions: &Positions, out: &mut Collected) -> Vec<LogEvent>;
}

/// Gives the states of a service some time later.
pub type ServiceFuture = Pin<Box<dyn Future<Output = Result<ServiceState, String>> + Send>>;

/// The operating system.
pub trait Platform: Send {
    /// The samples of counters: `*` stands for all instances. Rates are over the time since the last call with the
    /// same frequency; where there was none they are missing.
    ///
    /// # Errors
    /// When they cannot be read.
    fn samples(
        &mut self,
        now: Microseconds,
        frequency: Microseconds,
        object: &str,
        counter: &str,
        instance: &str,
    ) -> Result<Vec<Sample>, String>;

    /// All processes.
    fn processes(&mut self) -> Vec<ProcessInformation>;

    /// The state of a service.
    fn service(&mut self, name: &str) -> ServiceFuture;

    /// Follows files by glob; `key` names the positions.
    ///
    /// # Errors
    /// When the pattern cannot be understood.
    fn log_files(&mut self, key: &str, pattern: &str, from_beginning: bool) -> Result<Box<dyn LogSource>, String>;

    /// Follows the system's log; `key` names the positions. `files`: syslog files in place of the journal.
    ///
    /// # Errors
    /// When there is none.
    fn system_log(&mut self, key: &str, files: &[String]) -> Result<Box<dyn EventSource>, String>;

    /// The management server whose workflows run here; `None` on an agent.
    fn server(&self) -> Option<Arc<dyn ServerWork>> {
        None
    }
}
