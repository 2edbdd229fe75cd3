//! The probe inside the kernel: `program.c`, attached to the tracepoints of changes of a socket's state and of data sent
//! and received. It counts in maps of the kernel, which are read every few seconds: a connection costs no switch to this
//! process.
//!
//! What it sees: every TCP connection of all network namespaces that is opened, refused, accepted or ended after its
//! start; those that were open before in the machine's own namespace. An attempt that the kernel refuses by itself,
//! without a packet (no route), is not one.

mod maps;

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aya::maps::{Array, HashMap as KernelMap, MapData, RingBuf};
use aya::programs::BtfTracePoint;
use aya::{Btf, EbpfLoader};
use tokio::sync::oneshot;

use self::maps::{CountsValue, FlowKey, LinkValue, ListenerKey};
use super::flow::{Counts, Direction, Flow, Listener, Window};
use super::listeners::Listeners;
use super::netlink::{OPEN_STATES, SocketList, payload};
use super::owners::{Owners, Seen};
use super::readable::Readable;
use super::{ProbeError, Source, Taken};

/// `program.c`, compiled by build.rs.
static PROGRAM: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/connections.bpf.o"));
/// The tracepoint without which there is no probe, and those that give response times (Linux 6.3).
const STATE: (&str, &str) = ("socket_state", "inet_sock_set_state");
const DATA: [(&str, &str); 2] = [("socket_sent", "sock_send_length"), ("socket_received", "sock_recv_length")];
/// Places in the map `control`.
const EPOCH: u32 = 0;
const LOST: u32 = 1;
/// Only where there is nothing (`BPF_NOEXIST`).
const IF_ABSENT: u64 = 1;
/// How often the maps are read, so that they do not fill and processes are found while they live.
const EVERY: Duration = Duration::from_secs(5);
/// How long a program of the kernel may still count in the epoch that has just ended.
const STRAGGLERS: Duration = Duration::from_millis(2);

/// The probe; its thread and the programs in the kernel end with it.
pub(super) struct Ebpf {
    state: Arc<Mutex<State>>,
    responses: bool,
    _stop: oneshot::Sender<()>,
}

struct State {
    /// Holds the programs where they are attached.
    _programs: aya::Ebpf,
    flows: KernelMap<MapData, FlowKey, CountsValue>,
    links: KernelMap<MapData, u64, LinkValue>,
    listening: KernelMap<MapData, ListenerKey, u32>,
    control: Array<MapData, u64>,
    announced: RingBuf<MapData>,
    listeners: Listeners,
    found: Vec<Listener>,
    seen: Seen,
    epoch: u64,
    lost: u64,
    window: HashMap<Flow, Counts>,
    live: HashMap<Flow, i64>,
}

impl Ebpf {
    /// Loads and attaches the programs, and takes over the connections that are open.
    pub(super) fn start() -> Result<Self, ProbeError> {
        let (programs, responses) = load()?;
        let mut state = State::new(programs)?;
        state.take_over()?;
        let descriptor = state.announced.as_fd().try_clone_to_owned().map_err(ProbeError::Thread)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProbeError::Thread)?;
        let state = Arc::new(Mutex::new(state));
        let (stop, stopped) = oneshot::channel();
        let shared = state.clone();
        std::thread::Builder::new()
            .name("connections".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    tokio::select! {
                        _ = stopped => {}
                        () = read_again(&shared) => {}
                        () = take_announced(&shared, descriptor) => {}
                    }
                });
            })
            .map_err(ProbeError::Thread)?;
        Ok(Self { state, responses, _stop: stop })
    }
}

impl Source for Ebpf {
    fn take(&mut self) -> Taken {
        let mut state = lock(&self.state);
        state.read_or_warn();
        state.take()
    }

    fn name(&self) -> &'static str {
        if self.responses { "ebpf" } else { "ebpf without response times" }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // a panic in the other thread leaves counters, not a broken structure
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_again(state: &Mutex<State>) {
    loop {
        tokio::time::sleep(EVERY).await;
        lock(state).read_or_warn();
    }
}

/// Looks at processes that connect, at once: they may end soon. Does not return.
async fn take_announced(state: &Mutex<State>, descriptor: OwnedFd) {
    let Ok(announced) = Readable::new(descriptor) else { return std::future::pending().await };
    while announced.wait().await.is_ok() {
        lock(state).take_announced();
    }
    std::future::pending().await
}

/// The programs, attached; whether response times are seen.
fn load() -> Result<(aya::Ebpf, bool), ProbeError> {
    let btf = Btf::from_sys_fs().map_err(|error| ProbeError::ebpf("read the types of the kernel", error))?;
    let mut programs = EbpfLoader::new()
        .btf(Some(&btf))
        .load(PROGRAM)
        .map_err(|error| ProbeError::ebpf("load the program into the kernel", error))?;
    attach(&mut programs, STATE, &btf)?;
    let mut responses = true;
    for tracepoint in DATA {
        if let Err(error) = attach(&mut programs, tracepoint, &btf) {
            tracing::info!(%error, "this kernel does not tell of data sent and received; no response times");
            responses = false;
        }
    }
    Ok((programs, responses))
}

fn attach(programs: &mut aya::Ebpf, (name, tracepoint): (&str, &str), btf: &Btf) -> Result<(), ProbeError> {
    let failed = |error: &dyn std::error::Error| {
        ProbeError::ebpf(&format!("attach to the tracepoint {tracepoint}"), Causes(error))
    };
    let program = programs.program_mut(name).ok_or_else(|| ProbeError::ebpf("find a program", name))?;
    let program: &mut BtfTracePoint = program.try_into().map_err(|error| failed(&error))?;
    program.load(tracepoint, btf).map_err(|error| failed(&error))?;
    program.attach().map_err(|error| failed(&error))?;
    Ok(())
}

/// An error with what caused it.
struct Causes<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            // what the verifier says may be long; its end says what is wrong
            let text = error.to_string();
            let line = text.trim().lines().next_back().unwrap_or_default();
            write!(formatter, ": {line}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl State {
    fn new(mut programs: aya::Ebpf) -> Result<Self, ProbeError> {
        let mut map = |name: &'static str| {
            programs.take_map(name).ok_or_else(|| ProbeError::ebpf("find a map of the program", name))
        };
        let unusable = |error| ProbeError::ebpf("use a map of the program", error);
        Ok(Self {
            flows: map("flows")?.try_into().map_err(unusable)?,
            links: map("links")?.try_into().map_err(unusable)?,
            listening: map("listeners")?.try_into().map_err(unusable)?,
            control: map("control")?.try_into().map_err(unusable)?,
            announced: map("processes")?.try_into().map_err(unusable)?,
            _programs: programs,
            listeners: Listeners::open()?,
            found: Vec::new(),
            seen: Seen::default(),
            epoch: 0,
            lost: 0,
            window: HashMap::new(),
            live: HashMap::new(),
        })
    }

    /// Tells the program what was there before it: who listens, and which connections are open.
    fn take_over(&mut self) -> Result<(), ProbeError> {
        let unusable = |source| ProbeError::Netlink { what: "list sockets", source };
        self.found = self.listeners.look().map_err(unusable)?;
        for listener in &self.found {
            if let Ok(pid) = u32::try_from(listener.pid) {
                // one that has just begun to listen has told so itself
                let _ = self.listening.insert(maps::listener_key(listener), pid, IF_ABSENT);
            }
        }
        let mut list = SocketList::open().map_err(unusable)?;
        let sockets = list.dump(OPEN_STATES).map_err(unusable)?;
        let mut owners = Owners::default();
        owners.look_for(&sockets.iter().map(|socket| socket.inode).collect());
        let namespace = self.listeners.namespace();
        let mut taken: Vec<(u64, Flow)> = Vec::new();
        for socket in &sockets {
            let served = self.found.iter().find(|one| one.accepts(namespace, socket.local.0, socket.local.1));
            let flow = Flow {
                namespace,
                pid: owners.of(socket.inode).or(served.map(|listener| listener.pid)).unwrap_or(0),
                direction: if served.is_some() { Direction::Inbound } else { Direction::Outbound },
                local: socket.local.0,
                remote: socket.remote.0,
                port: if served.is_some() { socket.local.1 } else { socket.remote.1 },
            };
            let info = payload(socket.info.unwrap_or_default(), socket.state);
            let link = maps::link(&flow, info.sent, info.received);
            if self.links.insert(socket.id, link, IF_ABSENT).is_ok() {
                *self.live.entry(flow).or_default() += 1;
                taken.push((socket.id, flow));
            }
        }
        // one that ended before it was told to the program never ends there
        let still: HashSet<u64> =
            list.dump(OPEN_STATES).map_err(unusable)?.into_iter().map(|socket| socket.id).collect();
        for (id, flow) in taken {
            if !still.contains(&id) && self.links.remove(&id).is_ok() {
                *self.live.entry(flow).or_default() -= 1;
            }
        }
        Ok(())
    }

    fn read_or_warn(&mut self) {
        if let Err(error) = self.read() {
            tracing::warn!(%error, "counters in the kernel cannot be read");
        }
    }

    /// Lets the epoch go on, and moves the counters of the one before here.
    fn read(&mut self) -> Result<(), aya::maps::MapError> {
        self.take_announced();
        let ended = self.epoch as u8 & 1;
        self.epoch ^= 1;
        self.control.set(EPOCH, self.epoch, 0)?;
        std::thread::sleep(STRAGGLERS);
        let keys: Vec<FlowKey> =
            self.flows.keys().filter_map(Result::ok).filter(|key| maps::epoch(key) == ended).collect();
        for key in keys {
            let Ok(value) = self.flows.get(&key, 0) else { continue };
            self.flows.remove(&key)?;
            let (flow, (counts, live)) = (maps::flow(&key), maps::counts(&value));
            self.seen.remember(flow.pid);
            self.window.entry(flow).or_default().add(&counts);
            if live != 0 {
                *self.live.entry(flow).or_default() += live;
            }
        }
        self.live.retain(|_, live| *live != 0);
        Ok(())
    }

    fn take_announced(&mut self) {
        while let Some(item) = self.announced.next() {
            if let Some((pid, user, name)) = maps::process(&item) {
                self.seen.remember_connecting(pid, user, name);
            }
        }
    }

    fn take(&mut self) -> Taken {
        match self.listeners.look() {
            Ok(found) => self.found = found,
            Err(error) => tracing::warn!(%error, "listening sockets cannot be listed"),
        }
        let mut flows: HashMap<Flow, Counts> = HashMap::new();
        for (flow, counts) in self.window.drain() {
            flows.entry(known(flow, &self.found)).or_default().add(&counts);
        }
        for (flow, live) in &self.live {
            let live = u64::try_from(*live).unwrap_or(0);
            flows.entry(known(*flow, &self.found)).or_default().live += live;
        }
        flows.retain(|_, counts| !counts.is_empty());
        let lost = self.control.get(&LOST, 0).unwrap_or(self.lost);
        let window =
            Window { lost: lost - std::mem::replace(&mut self.lost, lost), listeners: self.found.clone(), flows };
        let processes = self.seen.take(window.pids());
        Taken { window, processes }
    }
}

/// A flow whose process the kernel did not tell: who listens now has accepted it.
fn known(flow: Flow, listeners: &[Listener]) -> Flow {
    if flow.pid != 0 || flow.direction == Direction::Outbound {
        return flow;
    }
    let listener = listeners.iter().find(|one| one.accepts(flow.namespace, flow.local, flow.port));
    Flow { pid: listener.map_or(0, |listener| listener.pid), ..flow }
}
