//! Which process holds a socket, and what ran when a connection was seen.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use crate::linux::processes::{self, Program, Stat};

/// Searches for a socket that no process seems to hold; one may be handed over between two looks.
const SEARCHES: u8 = 2;
/// Starts services and listens for them (systemd.socket(5)): a service that holds the same socket is the owner.
const INIT: i32 = 1;
/// Records for which a process that has no connections any more is remembered.
const KEPT_TAKES: u32 = 10;

/// The owners of sockets, by the socket's number.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    known: HashMap<u64, i32>,
    /// How often a socket was searched in vain.
    unknown: HashMap<u64, u8>,
}

impl Owners {
    /// Forgets sockets that are gone, and searches the descriptors of all processes once when there are new ones.
    pub(crate) fn look_for(&mut self, sockets: &HashSet<u64>) {
        self.known.retain(|socket, _| sockets.contains(socket));
        self.unknown.retain(|socket, _| sockets.contains(socket));
        let wanted = |socket: &&u64| {
            **socket != 0
                && !self.known.contains_key(socket)
                && self.unknown.get(socket).is_none_or(|searches| *searches < SEARCHES)
        };
        let mut wanted: HashSet<u64> = sockets.iter().filter(wanted).copied().collect();
        // processes that have sockets already are the likely ones
        let mut likely: Vec<i32> = self.known.values().copied().collect();
        likely.sort_unstable();
        likely.dedup();
        self.search(&likely, &mut wanted);
        if !wanted.is_empty() {
            // the parent of workers that share a socket comes first
            let mut all = pids();
            all.sort_unstable_by_key(|pid| (*pid == INIT, *pid));
            self.search(&all, &mut wanted);
        }
        for socket in wanted {
            *self.unknown.entry(socket).or_default() += 1;
        }
    }

    fn search(&mut self, pids: &[i32], wanted: &mut HashSet<u64>) {
        for pid in pids {
            if wanted.is_empty() {
                return;
            }
            for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
                if let Some(socket) = numbered(&entry.path(), "socket").filter(|socket| wanted.remove(socket)) {
                    self.known.insert(socket, *pid);
                }
            }
        }
    }

    /// The process that holds a socket.
    pub(crate) fn of(&self, socket: u64) -> Option<i32> {
        self.known.get(&socket).copied()
    }
}

/// What processes were when their connections were seen: they may have ended when the records are made.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    processes: HashMap<i32, Remembered>,
    takes: u32,
}

#[derive(Debug)]
struct Remembered {
    stat: Stat,
    program: Program,
    /// The last records that had it.
    used: u32,
}

impl Seen {
    /// Remembers a process while it can be asked.
    pub(crate) fn remember(&mut self, pid: i32) {
        if pid > 0 && !self.processes.contains_key(&pid) {
            self.insert(processes::one(pid).and_then(|stat| Some((stat, processes::program(pid)?))));
        }
    }

    /// Remembers a process that has just begun to connect; of one that is gone already, what the kernel said.
    pub(crate) fn remember_connecting(&mut self, pid: i32, user: u32, name: String) {
        self.remember(pid);
        if pid > 0 && !self.processes.contains_key(&pid) {
            self.insert(Some((Stat::ended(pid, name), Program { user_id: user, ..Program::default() })));
        }
    }

    fn insert(&mut self, found: Option<(Stat, Program)>) {
        if let Some((stat, program)) = found {
            self.processes.insert(stat.pid, Remembered { stat, program, used: self.takes });
        }
    }

    /// Those of some processes; others are forgotten after a while.
    pub(crate) fn take(&mut self, pids: impl Iterator<Item = i32>) -> HashMap<i32, (Stat, Program)> {
        self.takes += 1;
        let mut found = HashMap::new();
        for pid in pids {
            if let Some(one) = self.processes.get_mut(&pid) {
                one.used = self.takes;
                found.insert(pid, (one.stat.clone(), one.program.clone()));
            }
        }
        self.processes.retain(|_, one| one.used + KEPT_TAKES > self.takes);
        found
    }
}

/// All processes.
pub(crate) fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The network namespace of a process (namespaces(7)).
pub(crate) fn namespace(pid: impl std::fmt::Display) -> Option<u32> {
    u32::try_from(numbered(Path::new(&format!("/proc/{pid}/ns/net")), "net")?).ok()
}

/// The number of a link such as `socket:[4711]`.
fn numbered(link: &Path, kind: &str) -> Option<u64> {
    let target = fs::read_link(link).ok()?;
    target.to_str()?.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn this_process_holds_its_listener_and_lives_in_its_namespace() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let socket = numbered(Path::new(&format!("/proc/self/fd/{}", listener.as_raw_fd())), "socket").unwrap();
        let mut owners = Owners::default();
        owners.look_for(&HashSet::from([socket, u64::MAX]));
        assert_eq!(owners.of(socket), Some(own));
        assert_eq!(owners.of(u64::MAX), None);
        owners.look_for(&HashSet::new());
        assert_eq!(owners.of(socket), None);
        assert_eq!(namespace(own), namespace("self"));
        assert!(namespace(own).is_some());
    }
}
