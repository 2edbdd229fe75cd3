//! Which management server is next: the primary is tried several times, then the others in their order; and back. What
//! the server says of its group is kept on disk. Knows no network.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use watchkeeper_wire::{WireError, write_private};

use watchkeeper_wire::with_port;

/// Attempts on the primary before another server is tried (specification 1.5).
pub const PRIMARY_ATTEMPTS: u32 = 3;

/// What the server said last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// Empty: the first of the file.
    pub primary: String,
    /// In their order.
    pub failover: Vec<String>,
}

/// The servers in the order in which they are tried, and where the agent is in it.
#[derive(Debug)]
pub struct Servers {
    file: Vec<String>,
    told: Told,
    kept: PathBuf,
    list: Vec<String>,
    at: usize,
    failures: u32,
}

impl Servers {
    /// The servers of the file, and what a server said before, from the data folder.
    ///
    /// # Panics
    /// When the file names none, which reading it refuses.
    #[must_use]
    pub fn open(file: &[String], data: &Path) -> Self {
        assert!(!file.is_empty(), "a configuration names a server");
        let kept = data.join("servers.json");
        let told = std::fs::read(&kept).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let mut servers = Self { file: file.to_vec(), told, kept, list: Vec::new(), at: 0, failures: 0 };
        servers.order();
        servers
    }

    fn order(&mut self) {
        let told = std::iter::once(&self.told.primary).filter(|primary| !primary.is_empty());
        let first = if self.told.primary.is_empty() { self.file.first() } else { None };
        let mut list: Vec<String> = Vec::new();
        for server in told.chain(first).chain(&self.told.failover).chain(&self.file) {
            if !list.iter().any(|known| with_port(known) == with_port(server)) {
                list.push(server.clone());
            }
        }
        self.list = list;
    }

    /// The server to talk to now.
    #[must_use]
    pub fn current(&self) -> &str {
        &self.list[self.at]
    }

    /// The primary, while the agent is with another.
    #[must_use]
    pub fn primary_elsewhere(&self) -> Option<&str> {
        (self.at != 0).then(|| self.list[0].as_str())
    }

    /// The server cannot be used now. `of_use`: trying the same again may help. True when all have been tried: time to
    /// wait.
    pub fn failed(&mut self, of_use: bool) -> bool {
        self.failures += 1;
        if self.list.len() == 1 {
            return true;
        }
        if self.at == 0 && of_use && self.failures < PRIMARY_ATTEMPTS {
            return false;
        }
        self.failures = 0;
        self.at = (self.at + 1) % self.list.len();
        self.at == 0
    }

    /// A session was held.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// To the primary.
    pub fn go_home(&mut self) {
        self.at = 0;
        self.failures = 0;
    }

    /// Takes what the server says, and keeps it.
    ///
    /// # Errors
    /// When it cannot be written; it then holds until the agent stops.
    pub fn tell(&mut self, told: Told) -> Result<(), WireError> {
        if told == self.told {
            return Ok(());
        }
        let present = self.current().to_owned();
        self.told = told;
        self.order();
        let place = self.list.iter().position(|server| with_port(server) == with_port(&present));
        // a server that is in the list no more: the session lasts, and the next begins with the primary
        self.at = place.unwrap_or(self.list.len() - 1);
        self.failures = 0;
        let text = serde_json::to_vec(&self.told).unwrap_or_default();
        write_private(&self.kept, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(file: &[&str], data: &Path) -> Servers {
        Servers::open(&file.iter().map(|server| (*server).to_owned()).collect::<Vec<_>>(), data)
    }

    fn told(primary: &str, failover: &[&str]) -> Told {
        Told { primary: primary.to_owned(), failover: failover.iter().map(|server| (*server).to_owned()).collect() }
    }

    #[test]
    fn the_primary_is_tried_three_times_and_the_others_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut servers = servers(&["a", "b", "c"], folder.path());
        let mut tried = Vec::new();
        let mut rounds = 0;
        for _ in 0..10 {
            tried.push(servers.current().to_owned());
            rounds += usize::from(servers.failed(true));
        }
        assert_eq!(tried.join(""), "aaabcaaabc");
        assert_eq!(rounds, 2);
        // a server that said no for good is not asked again at once
        servers.failed(false);
        assert_eq!(servers.current(), "b");
        assert_eq!(servers.primary_elsewhere(), Some("a"));
        servers.go_home();
        assert_eq!((servers.current(), servers.primary_elsewhere()), ("a", None));
    }

    #[test]
    fn what_a_server_says_comes_before_the_file_and_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut list = servers(&["a"], folder.path());
        list.tell(told("", &["b:5723", "a:5723"])).unwrap();
        assert_eq!(list.list, ["a", "b:5723"]);
        list.tell(told("b", &["c"])).unwrap();
        assert_eq!(list.list, ["b", "c", "a"]);
        // still with a, which is not the primary any more
        assert_eq!((list.current(), list.primary_elsewhere()), ("a", Some("b")));
        let again = servers(&["a"], folder.path());
        assert_eq!((again.list.join(""), again.current()), ("bca".to_owned(), "b"));
        list.tell(Told::default()).unwrap();
        assert_eq!((list.list.join(""), list.primary_elsewhere()), ("a".to_owned(), None));
    }
}
