//! What is Linux's own: `/proc`, the journal.

pub mod machine;
pub mod performance;

use crate::collect::Collector;
use crate::config::CollectConfig;

/// The collectors of a configuration.
#[must_use]
pub fn collectors(config: &CollectConfig) -> Vec<Box<dyn Collector>> {
    let mut collectors: Vec<Box<dyn Collector>> = Vec::new();
    if config.performance.enabled {
        collectors.push(Box::new(performance::Performance::new(config.performance.clone())));
    }
    collectors
}
