//! What is Linux's own: `/proc`, the journal, files and their rotation.

pub mod connections;
mod containers;
pub mod install;
pub mod inventory;
pub mod machine;
pub mod performance;
pub mod platform;
pub mod processes;
mod program_name;
pub mod syslog;
mod tail;
pub mod text_logs;

use crate::collect::Collector;
use crate::config::CollectConfig;

/// The collectors of a configuration.
#[must_use]
pub fn collectors(config: &CollectConfig) -> Vec<Box<dyn Collector>> {
    let mut collectors: Vec<Box<dyn Collector>> = Vec::new();
    if config.performance.enabled {
        collectors.push(Box::new(performance::Performance::new(config.performance.clone())));
    }
    if config.syslog.enabled {
        collectors.push(Box::new(syslog::Syslog::new(config.syslog.clone())));
    }
    if config.inventory.enabled {
        collectors.push(Box::new(inventory::Inventory::new(config.inventory.clone(), config.connections.clone())));
    }
    for log in text_logs::TextLog::all(&config.text_logs) {
        collectors.push(Box::new(log));
    }
    collectors
}
