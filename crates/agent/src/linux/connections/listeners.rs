//! Ports on which somebody listens, in all network namespaces.

use std::collections::{HashMap, HashSet};

use super::flow::{Listener, Window};
use super::netlink::{LISTEN, SocketList, sockets_of};
use super::owners::{self, Owners, Seen};
use super::{ProbeError, Source, Taken};

/// Looks for listening sockets when it is asked; alone it is the source of records of ports without figures.
#[derive(Debug)]
pub(super) struct Listeners {
    sockets: SocketList,
    namespace: u32,
    owners: Owners,
    seen: Seen,
}

impl Listeners {
    /// In the namespace of this process and those of all others.
    pub(super) fn open() -> Result<Self, ProbeError> {
        let unusable = |source| ProbeError::Netlink { what: "open a socket to sock_diag", source };
        Ok(Self {
            sockets: SocketList::open().map_err(unusable)?,
            namespace: owners::namespace("self").unwrap_or(0),
            owners: Owners::default(),
            seen: Seen::default(),
        })
    }

    /// The network namespace of this process.
    pub(super) fn namespace(&self) -> u32 {
        self.namespace
    }

    /// Those that are there now.
    pub(super) fn look(&mut self) -> std::io::Result<Vec<Listener>> {
        let mut namespaces = HashMap::from([(self.namespace, self.sockets.dump([LISTEN])?)]);
        for pid in owners::pids() {
            if let Some(namespace) = owners::namespace(pid) {
                namespaces.entry(namespace).or_insert_with(|| {
                    let mut sockets = sockets_of(pid);
                    sockets.retain(|socket| socket.state == LISTEN);
                    sockets
                });
            }
        }
        let inodes: HashSet<u64> = namespaces.values().flatten().map(|socket| socket.inode).collect();
        self.owners.look_for(&inodes);
        let mut found = Vec::new();
        for (namespace, sockets) in &namespaces {
            for socket in sockets {
                let pid = self.owners.of(socket.inode).unwrap_or(0);
                self.seen.remember(pid);
                found.push(Listener { namespace: *namespace, pid, address: socket.local.0, port: socket.local.1 });
            }
        }
        Ok(found)
    }
}

impl Source for Listeners {
    fn take(&mut self) -> Taken {
        let listeners = self.look().unwrap_or_else(|error| {
            tracing::warn!(%error, "listening sockets cannot be listed; records of ports are missing");
            Vec::new()
        });
        let window = Window { listeners, ..Window::default() };
        let processes = self.seen.take(window.pids());
        Taken { window, processes }
    }

    fn name(&self) -> &'static str {
        "off"
    }
}
