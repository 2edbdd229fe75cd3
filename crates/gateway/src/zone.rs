//! The agents of the zone: what the server said of each, and their queues.

use std::collections::HashMap;
use std::fs::File;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use watchkeeper_wire::proto::{GatewayQueue, Hello, Welcome};
use watchkeeper_wire::write_private;

use crate::carry::{Carrier, ToAgentStream, locked};
use crate::link::Link;
use crate::queue::{AgentQueue, Waiting, folder_name};
use crate::route::Route;

/// An agent that was installed anew has another queue; so many can wait at one time.
const MAX_QUEUES: usize = 8;

/// What all queues of an agent share.
pub struct AgentShared {
    pub agent_id: String,
    folder: PathBuf,
    standing: Mutex<Standing>,
    carriers: Mutex<Vec<Arc<Carrier>>>,
    /// A server holds one session of an agent.
    pub turn: tokio::sync::Mutex<()>,
}

/// What the server said of an agent last, as it lies on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Standing {
    /// Gateways between the agent and this one.
    via: Vec<String>,
    /// Welcome without a server, too.
    admitted: bool,
    management_group: String,
    heartbeat_seconds: u32,
    window: u32,
    lanes: u32,
}

impl AgentShared {
    fn open(root: &Path, agent_id: &str) -> io::Result<Self> {
        let folder = root.join(agent_id);
        std::fs::create_dir_all(&folder)?;
        let standing = match std::fs::read_to_string(folder.join("standing.toml")) {
            Ok(text) => toml::from_str(&text)
                .map_err(|error| io::Error::other(format!("{}/standing.toml: {error}", folder.display())))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Standing::default(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            agent_id: agent_id.to_owned(),
            folder,
            standing: Mutex::new(standing),
            carriers: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    fn change(&self, change: impl FnOnce(&mut Standing)) -> io::Result<()> {
        let mut standing = locked(&self.standing);
        let mut next = standing.clone();
        change(&mut next);
        if *standing != next {
            let text = toml::to_string(&next).map_err(io::Error::other)?;
            write_private(&self.folder.join("standing.toml"), text.as_bytes()).map_err(io::Error::other)?;
            *standing = next;
        }
        Ok(())
    }

    /// How the agent comes here.
    pub fn route(&self) -> Route {
        Route { agent_id: self.agent_id.clone(), via: locked(&self.standing).via.clone() }
    }

    /// The server's last welcome, when it still stands.
    pub fn welcome(&self) -> Option<Welcome> {
        let Standing { management_group, heartbeat_seconds, window, lanes, admitted, .. } =
            locked(&self.standing).clone();
        admitted.then_some(Welcome { management_group, heartbeat_seconds, window, lanes })
    }

    /// The server let the agent in.
    pub fn welcomed(&self, welcome: &Welcome) -> io::Result<()> {
        self.change(|standing| {
            standing.admitted = true;
            standing.management_group.clone_from(&welcome.management_group);
            standing.heartbeat_seconds = welcome.heartbeat_seconds;
            standing.window = welcome.window;
            standing.lanes = welcome.lanes;
        })
    }

    /// The server did not.
    pub fn refused(&self) {
        if let Err(error) = self.change(|standing| standing.admitted = false) {
            tracing::error!(agent_id = self.agent_id, %error, "cannot keep that the server refused an agent");
        }
    }

    /// Whether another queue of the agent has something for the server.
    pub fn others_wait(&self, carrier: &Arc<Carrier>) -> bool {
        locked(&self.carriers).iter().any(|other| !Arc::ptr_eq(other, carrier) && !other.is_empty())
    }

    /// Forgets a queue with nothing in it when the agent has another; true when that is done.
    pub fn retire(&self, carrier: &Arc<Carrier>) -> bool {
        let mut carriers = locked(&self.carriers);
        if carriers.len() < 2 || !carrier.idle() {
            return false;
        }
        if let Err(error) = std::fs::remove_dir_all(carrier.folder()) {
            tracing::warn!(folder = %carrier.folder().display(), %error, "an empty queue is not removed");
        }
        carriers.retain(|other| !Arc::ptr_eq(other, carrier));
        true
    }
}

/// All agents of the zone.
pub struct Zone {
    root: PathBuf,
    /// Bytes on disk.
    used: Arc<AtomicU64>,
    limit: u64,
    link: Arc<Link>,
    agents: Mutex<HashMap<String, Arc<AgentShared>>>,
    tasks: Mutex<JoinSet<()>>,
    stopping: watch::Receiver<bool>,
    /// No other gateway works in this folder.
    _lock: File,
}

impl Zone {
    /// Opens the queues that an earlier run has left, and carries what is in them.
    pub fn open(root: PathBuf, limit: u64, link: Arc<Link>, stopping: watch::Receiver<bool>) -> io::Result<Arc<Self>> {
        std::fs::create_dir_all(&root)?;
        let lock = File::create(root.join("lock"))?;
        lock.try_lock().map_err(|error| {
            io::Error::other(format!("{} is used by another gateway: {error}", root.join("lock").display()))
        })?;
        let zone = Arc::new(Self {
            root,
            used: Arc::default(),
            limit,
            link,
            agents: Mutex::default(),
            tasks: Mutex::default(),
            stopping,
            _lock: lock,
        });
        for entry in std::fs::read_dir(&zone.root)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let shared = zone.agent(&entry.file_name().to_string_lossy())?;
            for queue in AgentQueue::left(&entry.path(), &zone.used)? {
                zone.carry(&shared, queue, &mut locked(&shared.carriers));
            }
        }
        Ok(zone)
    }

    fn agent(&self, agent_id: &str) -> io::Result<Arc<AgentShared>> {
        let mut agents = locked(&self.agents);
        if let Some(shared) = agents.get(agent_id) {
            return Ok(Arc::clone(shared));
        }
        let shared = Arc::new(AgentShared::open(&self.root, agent_id)?);
        agents.insert(agent_id.to_owned(), Arc::clone(&shared));
        Ok(shared)
    }

    fn carry(&self, shared: &Arc<AgentShared>, queue: AgentQueue, carriers: &mut Vec<Arc<Carrier>>) -> Arc<Carrier> {
        let carrier = Carrier::new(Arc::clone(shared), queue);
        carriers.push(Arc::clone(&carrier));
        self.spawn(Arc::clone(&carrier).run(Arc::clone(&self.link)));
        carrier
    }

    /// An agent's session begins. Writes to the disk, so it is called where blocking is allowed.
    pub fn attach(&self, route: &Route, hello: Hello, stream: ToAgentStream) -> io::Result<Arc<Carrier>> {
        let shared = self.agent(&route.agent_id)?;
        shared.change(|standing| {
            if standing.via != route.via {
                standing.via.clone_from(&route.via);
                standing.admitted = false;
            }
        })?;
        let mut carriers = locked(&shared.carriers);
        let name = folder_name(&hello);
        let found = carriers.iter().find(|carrier| carrier.folder().ends_with(&name)).cloned();
        let carrier = match found {
            Some(carrier) => carrier,
            None if carriers.len() >= MAX_QUEUES => {
                return Err(io::Error::other(format!("{MAX_QUEUES} queues of this agent wait for the server already")));
            }
            None => {
                let queue = AgentQueue::open(&shared.folder, hello.clone(), Arc::clone(&self.used))?;
                self.carry(&shared, queue, &mut carriers)
            }
        };
        for other in carriers.iter().filter(|other| !Arc::ptr_eq(other, &carrier)) {
            other.detach_all();
        }
        carrier.attach(stream, hello)?;
        Ok(carrier)
    }

    /// Whether the queues have grown to their limit.
    pub fn is_full(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.limit
    }

    /// What waits in all queues, as the server is told. `gateway_id` stays empty: who asks is known.
    pub fn report(&self) -> GatewayQueue {
        let agents: Vec<Arc<AgentShared>> = locked(&self.agents).values().cloned().collect();
        let mut waiting = Waiting::default();
        let mut connected = 0;
        for agent in agents {
            // the lock of the list is not held while a queue is busy with its disk
            let carriers = locked(&agent.carriers).clone();
            for (of_one, is_here) in carriers.iter().map(|carrier| carrier.waiting()) {
                waiting = waiting.and(of_one);
                connected += u32::from(is_here);
            }
        }
        GatewayQueue {
            gateway_id: String::new(),
            batches: waiting.batches,
            rows: waiting.rows,
            bytes: waiting.bytes,
            oldest: waiting.oldest,
            limit_bytes: self.limit,
            connected,
            looked_at: now(),
        }
    }

    /// Runs a task until it ends or the gateway does.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut stopping = self.stopping.clone();
        let mut tasks = locked(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        });
    }

    /// Waits for all tasks; nothing uses the queues then.
    pub async fn ended(&self) {
        let mut tasks = std::mem::take(&mut *locked(&self.tasks));
        while tasks.join_next().await.is_some() {}
    }
}

/// Microseconds since the Unix epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
