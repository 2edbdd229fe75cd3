//! The management group at work in this server: what agents' workflows say is applied, agents are watched, and what
//! has its time is done in time.

mod following;
mod heartbeats;
mod pool_work;
mod run_as;
mod settings;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use async_trait::async_trait;
use serde_json::json;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use watchkeeper_clouds::Clouds;
use watchkeeper_ingest::Ingest;
use watchkeeper_management::group::{AgentMachine, Own};
use watchkeeper_management::maintenance::MaintenanceIndex;
use watchkeeper_management::pools::{Held, PoolMember};
use watchkeeper_management::watch_rules::HeartbeatSettings;
use watchkeeper_management::watchers::{HEARTBEAT_MONITOR, NetworkProbe, WatchedAgent, Watchers};
use watchkeeper_management::{
    AgentIdentity, AgentSink, ConnectedAgent, Group, ManagementServer, Operational, SinkError, clock, is_own_queue,
};
use watchkeeper_state::{HeartbeatSetting, RunAsAssociation, State, StateError};
use watchkeeper_wire::Batch;
use watchkeeper_wire::proto::OperationalItem;

use crate::connection::connection_file;
use crate::failover::RowInbox;
use crate::server_workflows::ServerWorkflows;
use crate::service_map::ServiceMaps;
use following::Heard;
pub use pool_work::OwnOrAgents;
use pool_work::{PoolFinds, Running};
pub use settings::GroupSettings;

/// How often agents are looked at and maintenance is followed.
const LOOK: Duration = Duration::from_secs(2);
/// A look that comes later than this means that this server, not its agents, was away.
const LATE: Duration = Duration::from_secs(20);
const EXPIRE: Duration = Duration::from_secs(10);
const GROOM: Duration = Duration::from_secs(3600);
/// Changes of packs and objects come in crowds: configurations are computed when it is quiet for so long.
const QUIET: Duration = Duration::from_millis(300);

/// The pool whose members evaluate alert rules.
const ALERT_POOL: &str = "Notifications Resource Pool";

/// The management group of this server.
pub struct Operations {
    pub group: Group,
    pub operational: Operational,
    watchers: Watchers,
    /// The heartbeat settings that hold here.
    heartbeats: Mutex<Option<Vec<HeartbeatSetting>>>,
    maintenance: Arc<MaintenanceIndex>,
    /// When maintenance was last followed, and what the overlays of health were made from then.
    followed: Mutex<(i64, Option<Overlaid>)>,
    member: Mutex<PoolMember>,
    /// What this server holds of the pools.
    held: watch::Sender<Held>,
    /// Packs, objects or accounts changed, and with them perhaps the work of the pools.
    pool_changed: Notify,
    /// Agents that this server has heard of, for the others.
    heard: Heard,
    /// Views of the maps of workspaces.
    pub service_maps: Arc<ServiceMaps>,
    /// The workflows that this server runs itself.
    own_workflows: Mutex<Running>,
    management: OnceLock<Arc<ManagementServer>>,
    started: Instant,
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Operations {
    /// Reads the group from the store and begins to apply.
    pub async fn start(
        state: &State,
        data_dir: &Path,
        management_group: &str,
        ingest: &Arc<Ingest>,
        clouds: &Arc<Clouds>,
    ) -> anyhow::Result<Arc<Operations>> {
        let server_id = server_id(data_dir)?;
        let own = Own { management_group: management_group.to_owned(), server_id: server_id.clone() };
        let group = Group::open(state.clone(), own).await.context("cannot read the management group")?;
        let maintenance = Arc::new(MaintenanceIndex::default());
        let operational = Operational::start(
            state.clone(),
            &server_id,
            management_group,
            Arc::new(group.clone()),
            Arc::new(group.clone()),
            Arc::clone(&maintenance),
        );
        let watchers = Watchers::new(
            operational.clone(),
            Arc::new(NetworkProbe::default()),
            HeartbeatSettings::default(),
            LATE,
            0,
        );
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let mut member = PoolMember::new(state.clone(), &server_id, &name, pool_work::LEASE);
        member.join().await.context("cannot join the resource pools")?;
        let (held, _) = watch::channel(Held::default());
        let finds = PoolFinds {
            group: group.clone(),
            operational: operational.clone(),
            ingest: Arc::clone(ingest),
            held: held.subscribe(),
        };
        let service_maps = Arc::new(ServiceMaps::new(
            group.clone(),
            operational.clone(),
            held.subscribe(),
            connection_file(data_dir),
            Arc::clone(clouds),
        ));
        let work = Arc::clone(&service_maps);
        let own_workflows = ServerWorkflows::start(data_dir, &server_id, &name, Arc::new(finds), Some(work))?;
        let own_workflows = Running::new(own_workflows);
        let sink: Arc<dyn AgentSink> = Arc::clone(ingest) as Arc<dyn AgentSink>;
        let delivery = tokio::spawn(operational.outbox().run(state.clone(), sink));
        let operations = Arc::new(Operations {
            group,
            operational,
            watchers,
            heartbeats: Mutex::new(None),
            maintenance,
            followed: Mutex::new((clock::now(), None)),
            member: Mutex::new(member),
            held,
            pool_changed: Notify::new(),
            heard: Heard::default(),
            service_maps,
            own_workflows: Mutex::new(own_workflows),
            management: OnceLock::new(),
            started: Instant::now(),
            stop: CancellationToken::new(),
            tasks: Mutex::new(Vec::new()),
        });
        operations.watch_known().await?;
        let turns = tokio::spawn(Arc::clone(&operations).run(delivery));
        operations.tasks.lock().await.push(turns);
        Ok(operations)
    }

    /// The listener of agents, once it listens: configurations go out through it.
    pub async fn connect(self: &Arc<Self>, management: Arc<ManagementServer>) {
        if self.management.set(management).is_ok() {
            if let Err(error) = self.follow_heartbeats().await {
                tracing::warn!(%error, "the settings of heartbeats are taken later");
            }
            let configuring = tokio::spawn(Arc::clone(self).configure());
            let leasing = tokio::spawn(Arc::clone(self).keep_leases());
            let working = tokio::spawn(Arc::clone(self).do_pool_work());
            let mapping = tokio::spawn(Arc::clone(&self.service_maps).follow_wanted(self.stop.clone()));
            self.tasks.lock().await.extend([configuring, leasing, working, mapping]);
            if self.group.state().is_shared() {
                let following = tokio::spawn(Arc::clone(self).follow_others());
                let hearing = tokio::spawn(Arc::clone(self).hear_others());
                self.tasks.lock().await.extend([following, hearing]);
            }
        }
    }

    /// The listener of agents.
    pub fn management(&self) -> Option<&Arc<ManagementServer>> {
        self.management.get()
    }

    /// Ends the timers and gives back what this server holds.
    pub async fn stop(&self) {
        self.stop.cancel();
        for task in self.tasks.lock().await.drain(..) {
            let _ = task.await;
        }
        self.own_workflows.lock().await.workflows.stop().await;
        if let Err(error) = self.member.lock().await.leave().await {
            tracing::warn!(%error, "the leases of this server end by themselves");
        }
    }

    /// Since when this server does a piece of the work of alerts (a rule, by its key); `None`: another does it.
    pub fn alert_work(&self, work: &str) -> Option<i64> {
        let held = self.held.borrow();
        held.since(ALERT_POOL, work).filter(|_| !held.has_lapsed())
    }

    /// The object that a computer's name means, with whether it is in maintenance.
    pub fn computer(&self, name: &str) -> Option<(String, bool)> {
        let id = self.group.read().find(name).ok()?.to_string();
        let in_maintenance = self.maintenance_until(&id).is_some();
        Some((id, in_maintenance))
    }

    /// What servers over one store call this one.
    pub fn server_id(&self) -> &str {
        &self.group.own().server_id
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// An agent has a session: its objects are there, it is watched, and gets what it is to run.
    pub async fn agent_seen(&self, agent_id: &str, machine: &AgentMachine) -> Result<(), StateError> {
        let states = self.group.agent_seen(agent_id, machine).await?;
        self.operational.rolled_up(states).await?;
        if !self.watchers.watches(agent_id) {
            self.watch(agent_id, &machine.computer, false);
        }
        self.group.needs_configuration(agent_id);
        Ok(())
    }

    /// An agent was removed: with it goes what was found on its computer.
    pub async fn agent_removed(&self, agent_id: &str) -> Result<(), StateError> {
        self.watchers.forget(agent_id);
        let states = self.group.agent_removed(agent_id).await?;
        self.operational.rolled_up(states).await
    }

    /// How many agents are watched by their heartbeats, and how many of them are lost.
    pub fn watched_and_lost(&self) -> (usize, usize) {
        let (lost, _) = self.group.read().overlay_causes();
        (self.watchers.watched().len(), lost.len())
    }

    fn watch(&self, agent_id: &str, computer: &str, lost: bool) {
        let Some(objects) = self.group.read().agent(agent_id).copied() else { return };
        let agent = WatchedAgent {
            computer: computer.to_owned(),
            watcher: objects.watcher.to_string(),
            ..WatchedAgent::default()
        };
        self.watchers.watch(agent_id, agent, lost, self.now());
    }

    async fn watch_known(&self) -> Result<(), StateError> {
        for agent in self.group.state().agents().await? {
            let Some(objects) = self.group.read().agent(&agent.agent_id).copied() else { continue };
            let states = self.group.state().monitor_states_of(&objects.watcher.to_string()).await?;
            let lost = states.iter().any(|state| state.of.monitor_id == HEARTBEAT_MONITOR && state.health == 3);
            self.watch(&agent.agent_id, &agent.computer, lost);
        }
        Ok(())
    }

    /// Maintenance that began or ended, and agents that went or came, as they are now.
    pub async fn follow_maintenance(&self) -> anyhow::Result<()> {
        let mut followed = self.followed.lock().await;
        let now = clock::now();
        let ended = self.maintenance.ended(followed.0, now);
        let held = |object: &str| {
            let space = self.group.read();
            let id = Uuid::try_parse(object).map(watchkeeper_model::ids::ObjectId);
            let all = id.map(|id| space.objects.with_contained(id, space.library.as_ref())).unwrap_or_default();
            all.iter().map(ToString::to_string).collect()
        };
        self.operational.refresh_maintenance(now, held).await?;
        let (lost, changes) = self.group.read().overlay_causes();
        let maintenance = self.maintenance.active(now);
        let changes = if lost.is_empty() && maintenance.is_empty() { [0; 2] } else { changes };
        let next = Overlaid { maintenance, lost, changes };
        // it goes over all objects: only when something is different
        if followed.1.as_ref() != Some(&next) {
            let states = self.group.overlay(&|object| next.maintenance.contains(object), now);
            self.operational.rolled_up(states).await?;
        }
        if !ended.is_empty() {
            for object in &ended {
                let states = self.group.state().monitor_states_of(object).await?;
                self.operational.rolled_up(self.group.restate(&states)).await?;
            }
            self.operational.maintenance_over(&ended, now).await?;
        }
        *followed = (now, Some(next));
        Ok(())
    }

    /// Whether an object is in maintenance, and until when.
    pub fn maintenance_until(&self, object: &str) -> Option<i64> {
        self.maintenance.until(object, clock::now())
    }

    async fn run(self: Arc<Self>, delivery: JoinHandle<()>) {
        let mut look = tokio::time::interval(LOOK);
        let mut expire = tokio::time::interval(EXPIRE);
        let mut groom = tokio::time::interval(GROOM);
        for interval in [&mut look, &mut expire, &mut groom] {
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        loop {
            let turn = async {
                tokio::select! {
                    _ = look.tick() => {
                        self.watchers.pass(self.now(), clock::now()).await?;
                        self.operational.turn_schedules(clock::now()).await?;
                        self.follow_maintenance().await
                    }
                    _ = expire.tick() => {
                        self.follow_heartbeats().await?;
                        Ok(self.operational.expire_tasks(clock::now()).await.map(drop)?)
                    }
                    _ = groom.tick() => {
                        let settings = GroupSettings::read(self.group.state()).await?;
                        self.operational.age_alerts(settings.ageing(), clock::now()).await?;
                        self.operational.close_orphaned(clock::now()).await?;
                        self.group.state().groom(&settings.grooming(), clock::now()).await?;
                        Ok(())
                    }
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => break,
                outcome = turn => {
                    let outcome: anyhow::Result<()> = outcome;
                    if let Err(error) = outcome {
                        tracing::warn!(%error, "work of the management group waits");
                        tokio::time::sleep(LOOK).await;
                    }
                }
            }
        }
        // what was not delivered waits in the store for the next start
        delivery.abort();
        let _ = delivery.await;
    }

    /// Computes what agents run, whenever it may have changed.
    async fn configure(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.group.changed.notified() => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(QUIET) => {}
            }
            if self.group.take_gone()
                && let Err(error) = self.operational.close_orphaned(clock::now()).await
            {
                tracing::warn!(%error, "alerts of objects that are gone stay open until the next try");
            }
            if self.group.take_stale_pool() {
                self.pool_changed.notify_one();
            }
            let Some(management) = self.management.get() else { continue };
            if let Err(error) = self.configure_agents(management).await {
                tracing::warn!(%error, "configurations of agents wait");
                tokio::time::sleep(LOOK).await;
                self.group.changed.notify_one();
            }
        }
    }

    async fn configure_agents(&self, management: &ManagementServer) -> Result<(), StateError> {
        let run_as = self.group.state().run_as_associations().await?;
        let stale = self.group.take_stale(|| management.connected_ids(), |agent_id| management.is_connected(agent_id));
        for agent in stale.iter().filter_map(|agent_id| management.connected_agent(agent_id)) {
            if let Err(error) = self.configure_agent(management, &agent, &run_as).await {
                // all of them again: it costs little and comes seldom
                stale.iter().for_each(|agent| self.group.needs_configuration(agent));
                return Err(error);
            }
        }
        Ok(())
    }

    async fn configure_agent(
        &self,
        management: &ManagementServer,
        agent: &ConnectedAgent,
        run_as: &[RunAsAssociation],
    ) -> Result<(), StateError> {
        let (monitoring, needed) = self.group.workflows_of(&agent.agent_id, run_as);
        if monitoring.workflows.is_empty() && agent.configuration_version.is_empty() {
            return Ok(());
        }
        let mut open = json!({ "monitoring": monitoring });
        let mut document = open.clone();
        if !needed.is_empty() {
            let accounts = run_as::AgentAccounts::read(self.group.state(), &agent.agent_id, &needed).await?;
            document["accounts"] = accounts.with_secrets();
            open["accounts"] = accounts.without_secrets();
        }
        let version = management.set_secret_configuration(&agent.agent_id, &document, &open);
        tracing::debug!(agent_id = agent.agent_id, version, "configuration computed");
        Ok(())
    }
}

/// Takes rows to the workspace and the rest to the operational store.
pub struct OperationsSink {
    pub rows: Arc<RowInbox>,
    pub operations: Arc<Operations>,
}

#[async_trait]
impl AgentSink for OperationsSink {
    async fn accept(&self, agent: &AgentIdentity, batch: Batch) -> Result<(), SinkError> {
        // made by this server: nobody sends it to another
        if is_own_queue(&agent.queue) {
            return self.rows.ingest.accept(agent, batch).await;
        }
        self.rows.accept(agent, batch).await
    }

    fn heard_of(&self, agent_id: &str) {
        self.operations.watchers.heartbeat(agent_id, None, self.operations.now());
        self.operations.heard_of(agent_id);
    }

    async fn accept_operational(
        &self,
        agent: &AgentIdentity,
        sequence: u64,
        items: Vec<OperationalItem>,
    ) -> Result<(), SinkError> {
        self.operations.operational.apply(agent, sequence, items).await
    }
}

/// What the overlays of health (in maintenance, out of contact) are made from.
#[derive(Debug, PartialEq, Eq)]
struct Overlaid {
    /// Objects in maintenance.
    maintenance: BTreeSet<String>,
    /// Agents that were lost.
    lost: BTreeSet<String>,
    /// Which state of the instance space, while any of both is there.
    changes: [u64; 2],
}

/// The identity of this server among those of the group; made at the first start.
pub fn server_id(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join("server-id");
    if let Ok(text) = std::fs::read_to_string(&path)
        && let Ok(id) = Uuid::try_parse(text.trim())
    {
        return Ok(id.to_string());
    }
    let id = Uuid::new_v4().to_string();
    std::fs::write(&path, &id).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(id)
}
