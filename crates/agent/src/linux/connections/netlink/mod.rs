//! The probe where eBPF cannot run: looks at the kernel's list of TCP sockets every few seconds, and takes the kernel's
//! messages about sockets that end, so that connections between two looks are counted too.
//!
//! What it sees: all of the machine's own network namespace. In other namespaces (containers) the connections that are
//! open at a look, without bytes. A connection that is refused between two looks is not seen.

mod diag;
mod links;
mod proc_net;

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::diag::{Diag, Socket};
use self::links::{Links, Look};
use super::flow::Window;
use super::owners::{self, Owners, Seen};
use super::readable::Readable;
use super::{ProbeError, Source, Taken};

pub(super) use self::diag::{Diag as SocketList, LISTEN, OPEN_STATES};
pub(super) use self::links::payload;
pub(super) use self::proc_net::sockets as sockets_of;

/// A look that somebody's listening makes necessary waits for so long after the one before.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Messages about ended sockets are taken together.
const GATHER: Duration = Duration::from_millis(20);

/// The probe; its thread ends with it.
#[derive(Debug)]
pub(super) struct Netlink {
    state: Arc<Mutex<State>>,
    ends_are_told: bool,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug)]
struct State {
    sockets: Diag,
    ends: Option<Diag>,
    namespace: u32,
    links: Links,
    owners: Owners,
    seen: Seen,
    /// Sockets that have ended and are not counted yet.
    ended: Vec<Socket>,
    given_ports: RangeInclusive<u16>,
    looked: Instant,
    lost: u64,
}

impl Netlink {
    /// Looks for the first time, and then again and again.
    pub(super) fn start(every: Duration) -> Result<Self, ProbeError> {
        let unusable = |what: &'static str| move |source| ProbeError::Netlink { what, source };
        let ends = Diag::of_ends();
        if let Err(error) = &ends {
            tracing::warn!(%error, "the kernel does not tell when connections end; short ones are not counted");
        }
        let mut state = State {
            sockets: Diag::open().map_err(unusable("open a socket to sock_diag"))?,
            ends: ends.ok(),
            namespace: owners::namespace("self").unwrap_or(0),
            links: Links::default(),
            owners: Owners::default(),
            seen: Seen::default(),
            ended: Vec::new(),
            given_ports: given_ports(),
            looked: Instant::now(),
            lost: 0,
        };
        state.look().map_err(unusable("list sockets"))?;
        let ends_are_told = state.ends.is_some();
        let descriptor =
            state.ends.as_ref().map(Diag::descriptor).transpose().map_err(unusable("copy a descriptor"))?;
        let state = Arc::new(Mutex::new(state));
        let (stop, stopped) = oneshot::channel();
        let shared = state.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(unusable("start a thread's runtime"))?;
        std::thread::Builder::new()
            .name("connections".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    tokio::select! {
                        _ = stopped => {}
                        () = look_again(&shared, every) => {}
                        () = take_ends(&shared, descriptor) => {}
                    }
                });
            })
            .map_err(unusable("start a thread"))?;
        Ok(Self { state, ends_are_told, _stop: stop })
    }
}

impl Netlink {
    /// Whether connections between two looks are counted.
    #[cfg(test)]
    pub(super) fn ends_are_told(&self) -> bool {
        self.ends_are_told
    }
}

impl Source for Netlink {
    fn take(&mut self) -> Taken {
        let mut state = lock(&self.state);
        state.look_or_warn();
        let window = Window { lost: std::mem::take(&mut state.lost), ..state.links.take() };
        let processes = state.seen.take(window.pids());
        Taken { window, processes }
    }

    fn name(&self) -> &'static str {
        if self.ends_are_told { "netlink" } else { "netlink without messages about ends" }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // a panic in the other thread leaves counters, not a broken structure
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn look_again(state: &Mutex<State>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        lock(state).look_or_warn();
    }
}

/// Takes messages as they come; does not return.
async fn take_ends(state: &Mutex<State>, descriptor: Option<std::os::fd::OwnedFd>) {
    let Some(ends) = descriptor.and_then(|descriptor| Readable::new(descriptor).ok()) else {
        return std::future::pending().await;
    };
    while ends.wait().await.is_ok() {
        tokio::time::sleep(GATHER).await;
        lock(state).take_ends();
    }
    std::future::pending().await
}

impl State {
    fn look_or_warn(&mut self) {
        if let Err(error) = self.look() {
            tracing::warn!(%error, "sockets cannot be listed; connections of this look are missing");
        }
    }

    fn look(&mut self) -> std::io::Result<()> {
        let mut namespaces: HashMap<u32, Vec<Socket>> = HashMap::new();
        namespaces.insert(self.namespace, self.sockets.dump(OPEN_STATES.into_iter().chain([diag::SYN_SENT, LISTEN]))?);
        for pid in owners::pids() {
            if let Some(namespace) = owners::namespace(pid)
                && !namespaces.contains_key(&namespace)
            {
                namespaces.insert(namespace, proc_net::sockets(pid));
            }
        }
        let inodes: HashSet<u64> = namespaces.values().flatten().map(|socket| socket.inode).collect();
        self.owners.look_for(&inodes);
        for pid in inodes.iter().filter_map(|inode| self.owners.of(*inode)) {
            self.seen.remember(pid);
        }
        let looks: Vec<Look<'_>> = namespaces
            .iter()
            .map(|(namespace, sockets)| Look {
                namespace: *namespace,
                sockets,
                ends_are_told: *namespace == self.namespace && self.ends.is_some(),
            })
            .collect();
        self.links.listen(&looks, &self.owners);
        self.read_ends();
        for socket in self.ended.drain(..) {
            if self.links.is_doubtful(self.namespace, &socket, &self.given_ports) {
                self.links.settle(self.namespace, &socket);
            }
            self.links.ended(self.namespace, &socket);
        }
        self.links.observe(&looks, &self.owners);
        self.looked = Instant::now();
        Ok(())
    }

    /// Takes the messages that are there. When the direction of a connection cannot be told, somebody may have begun to
    /// listen since the last look: then there is another one.
    fn take_ends(&mut self) {
        self.read_ends();
        let doubtful =
            self.ended.iter().any(|socket| self.links.is_doubtful(self.namespace, socket, &self.given_ports));
        if doubtful && self.looked.elapsed() >= BETWEEN_LOOKS {
            self.look_or_warn();
        }
        for socket in self.ended.drain(..) {
            self.links.ended(self.namespace, &socket);
        }
    }

    fn read_ends(&mut self) {
        let Some(ends) = &mut self.ends else { return };
        match ends.ended(&mut self.ended) {
            Ok(true) => {}
            Ok(false) => self.lost += 1,
            Err(error) => tracing::warn!(%error, "messages about ended connections cannot be read"),
        }
    }
}

/// The ports that the kernel gives to those who connect (ip(7), `ip_local_port_range`).
fn given_ports() -> RangeInclusive<u16> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ports = text.split_whitespace().filter_map(|port| port.parse().ok());
    match (ports.next(), ports.next()) {
        (Some(first), Some(last)) => first..=last,
        _ => 32768..=60999,
    }
}
