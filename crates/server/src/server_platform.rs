//! What the workflows of this server ask of it: of the operating system as an agent's do, and what only a management
//! server can do.

use std::sync::Arc;

use watchkeeper_agent::linux::platform::Linux;
use watchkeeper_agent::system::Microseconds;
use watchkeeper_agent::workflow::platform::{EventSource, LogSource, Platform, ProcessInformation, ServiceFuture};
use watchkeeper_agent::workflow::server_work::ServerWork;
use watchkeeper_model::item::Sample;

/// Linux, with a management server on it.
pub struct ServerPlatform {
    linux: Linux,
    work: Option<Arc<dyn ServerWork>>,
}

impl ServerPlatform {
    pub fn new(work: Option<Arc<dyn ServerWork>>) -> Self {
        Self { linux: Linux::default(), work }
    }
}

impl Platform for ServerPlatform {
    fn samples(
        &mut self,
        now: Microseconds,
        frequency: Microseconds,
        object: &str,
        counter: &str,
        instance: &str,
    ) -> Result<Vec<Sample>, String> {
        self.linux.samples(now, frequency, object, counter, instance)
    }

    fn processes(&mut self) -> Vec<ProcessInformation> {
        self.linux.processes()
    }

    fn service(&mut self, name: &str) -> ServiceFuture {
        self.linux.service(name)
    }

    fn log_files(&mut self, key: &str, pattern: &str, from_beginning: bool) -> Result<Box<dyn LogSource>, String> {
        self.linux.log_files(key, pattern, from_beginning)
    }

    fn system_log(&mut self, key: &str, files: &[String]) -> Result<Box<dyn EventSource>, String> {
        self.linux.system_log(key, files)
    }

    fn server(&self) -> Option<Arc<dyn ServerWork>> {
        self.work.clone()
    }
}
