//! What takes time: scripts, commands, probes of the network. Jobs run beside the engine, with a time limit.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use watchkeeper_model::item::DataItem;

use super::module::Failure;

/// The limit where neither the module nor the workflow says one.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
/// What one job may write to its output; the rest is read and thrown away.
pub const OUTPUT_LIMIT: usize = 1024 * 1024;

/// What comes of a job.
pub type Outcome = Result<Vec<DataItem>, Failure>;

/// How long a job may take and how much it may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From its beginning.
    pub timeout: Duration,
    /// Bytes of each of its outputs.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout: DEFAULT_TIMEOUT, output: OUTPUT_LIMIT }
    }
}

impl Limits {
    /// The same with the limit that a module's configuration names, where the workflow names none.
    #[must_use]
    pub fn or_seconds(self, seconds: Option<u64>) -> Self {
        match seconds.filter(|seconds| *seconds > 0) {
            Some(seconds) if self.timeout == DEFAULT_TIMEOUT => Self { timeout: Duration::from_secs(seconds), ..self },
            _ => self,
        }
    }
}

/// What a job needs of the machine; each kind has its own limit of how many run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weight {
    /// A process of its own.
    Process,
    /// Waits for the network.
    Network,
}

/// Something that takes time. Dropping its future ends it and all that it started.
pub struct Job {
    /// What it needs.
    pub weight: Weight,
    /// How long it may take from its beginning.
    pub timeout: Duration,
    /// Does it.
    pub work: Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

impl Job {
    /// A job.
    pub fn new(weight: Weight, limits: Limits, work: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self { weight, timeout: limits.timeout, work: Box::pin(work) }
    }

    /// Does it within its time.
    pub async fn run(self) -> Outcome {
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::timed_out(format!("it ran longer than {} s and was ended", timeout.as_secs_f64()))),
        }
    }
}
