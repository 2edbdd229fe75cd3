//! The work of the resource pools that this server does: workflows of objects without an agent run here as long as it
//! holds the leases of their shares, and elsewhere when it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;
use watchkeeper_agent::workflow::Accounts;
use watchkeeper_agent::workflow::engine::TaskCommand;
use watchkeeper_agent::workflow::run::What;
use watchkeeper_agent::workflow::store::KnownState;
use watchkeeper_ingest::Ingest;
use watchkeeper_management::pools::{ALL_SERVERS, Held};
use watchkeeper_management::tasks::Dispatch;
use watchkeeper_management::{AgentIdentity, AgentSink, Group, ManagementServer, Operational, SinkError};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::workflow::{HealthState, Purpose, Workflow, Workflows};
use watchkeeper_state::{MonitorState, StateError};
use watchkeeper_wire::Batch;
use watchkeeper_wire::proto::command::Command;
use watchkeeper_wire::proto::operational_item::Item;
use watchkeeper_wire::proto::{OperationalItem, RunTask};

use super::run_as::AgentAccounts;
use super::{LOOK, Operations};
use crate::server_workflows::{Finds, ServerWorkflows};

/// How long a server keeps its shares without renewing them: then another does its work.
pub const LEASE: Duration = Duration::from_secs(30);
const LEASE_TURN: Duration = Duration::from_secs(10);
/// How often it is looked whether leases have ended unnoticed.
const LAPSE_LOOK: Duration = Duration::from_secs(1);
/// Objects that come one after the other cost a look at all objects each: at most this part of the time goes into it.
const LOOKS_PART: u32 = 10;
/// And no change waits longer than this for the next look.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How long a start waits for what the last run found and did not deliver.
const DRAIN: Duration = Duration::from_secs(10);
/// Above this number of objects the states of all are read at once.
const FEW_OBJECTS: usize = 64;

/// The workflows that run here.
pub struct Running {
    pub workflows: ServerWorkflows,
    /// Monitors, with the time since when their share is held.
    monitors: BTreeMap<(ElementId, ObjectId), i64>,
    drained: bool,
}

impl Running {
    /// Nothing yet.
    pub fn new(workflows: ServerWorkflows) -> Self {
        Self { workflows, monitors: BTreeMap::new(), drained: false }
    }
}

impl Operations {
    /// Whether this server does a piece of work that any of them could do.
    pub fn does(&self, work: &str) -> bool {
        let held = self.held.borrow();
        !held.has_lapsed() && held.since(ALL_SERVERS, work).is_some()
    }

    /// Takes, renews and gives back the shares of the pools.
    pub(super) async fn keep_leases(self: Arc<Self>) {
        let mut turns = tokio::time::interval(LEASE_TURN);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = turns.tick() => {}
            }
            // a store that does not answer must not keep the turn from being tried again
            match tokio::time::timeout(LEASE_TURN, self.take_leases()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the leases of this server's pools are not renewed"),
                Err(_) => tracing::warn!(
                    seconds = LEASE_TURN.as_secs(),
                    "the leases of this server's pools are not renewed: the operational store does not answer"
                ),
            }
        }
    }

    async fn take_leases(&self) -> Result<(), StateError> {
        let now = self.group.state().clock().await?;
        let mut member = self.member.lock().await;
        member.turn(now).await?;
        let held = member.held().clone();
        drop(member);
        self.held.send_if_modified(|known| {
            let changed = !known.is_same(&held);
            *known = held;
            changed
        });
        Ok(())
    }

    /// Runs what is this server's, whenever that may have changed.
    pub(super) async fn do_pool_work(self: Arc<Self>) {
        let mut held = self.held.subscribe();
        let mut look = tokio::time::interval(LAPSE_LOOK);
        let mut lapsed = false;
        let mut next_look = Instant::now();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = held.changed() => {}
                () = async {
                    tokio::time::sleep_until(next_look).await;
                    self.pool_changed.notified().await;
                } => {}
                _ = look.tick() => {
                    if held.borrow().has_lapsed() == lapsed {
                        continue;
                    }
                }
            }
            let now_held = held.borrow_and_update().clone();
            lapsed = now_held.has_lapsed();
            if lapsed {
                tracing::warn!("the leases of this server's pools have ended; their workflows stop here");
            }
            let began = Instant::now();
            let given = self.give_pool_work(&now_held).await;
            next_look = Instant::now() + (began.elapsed() * (LOOKS_PART - 1)).min(LONGEST_PAUSE);
            if let Err(error) = given {
                tracing::warn!(%error, "the workflows of this server wait");
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = tokio::time::sleep(LOOK) => {}
                }
                self.pool_changed.notify_one();
            }
        }
    }

    async fn give_pool_work(&self, held: &Held) -> Result<(), StateError> {
        let mut running = self.own_workflows.lock().await;
        if held.has_lapsed() {
            // the store cannot be asked; nothing is needed of it to stop
            running.monitors.clear();
            running.workflows.set(Workflows::default(), Accounts::default(), false);
            return Ok(());
        }
        if !std::mem::replace(&mut running.drained, true) {
            running.workflows.drained(DRAIN).await;
        }
        let state = self.group.state();
        let associations = state.run_as_associations().await?;
        let is_mine = |pool: &str, work: &str| held.since(pool, work).is_some();
        let (workflows, needed) = self.group.workflows_of_pool(&associations, &is_mine);
        let accounts = match needed.is_empty() {
            true => Accounts::default(),
            false => {
                let own = &self.group.own().server_id;
                let accounts = AgentAccounts::of_server(state, own, &needed).await?;
                serde_json::from_value(accounts.with_secrets()).unwrap_or_else(|error| {
                    // the document is of this program's own making; its text is not shown, for it has the secrets
                    tracing::error!(line = error.line(), "the Run As accounts of this server cannot be read");
                    Accounts::default()
                })
            }
        };
        let monitors = self.monitors_since(held, &workflows);
        let moved: BTreeSet<(ElementId, ObjectId)> = monitors
            .iter()
            .filter(|(monitor, since)| running.monitors.get(monitor) != Some(since))
            .map(|(monitor, _)| *monitor)
            .collect();
        for state in self.states_of(&moved).await? {
            let Some(((monitor, object), known)) = known_state(&state) else { continue };
            if moved.contains(&(monitor, object)) {
                running.workflows.known().put(monitor, object, known);
            }
        }
        tracing::info!(workflows = workflows.workflows.len(), moved = moved.len(), "workflows of pools on this server");
        running.monitors = monitors;
        running.workflows.set(workflows, accounts, !moved.is_empty());
        Ok(())
    }

    /// The monitors among workflows, with the time since when this server has them.
    fn monitors_since(&self, held: &Held, workflows: &Workflows) -> BTreeMap<(ElementId, ObjectId), i64> {
        let space = self.group.read();
        let is_monitor = |workflow: &&Workflow| matches!(workflow.purpose, Purpose::Monitor { .. });
        let monitors = workflows.workflows.iter().filter(is_monitor);
        let since = |workflow: &Workflow| {
            let (pool, work) = space.pool_work(workflow.object)?;
            Some(((workflow.element_id, workflow.object), held.since(&pool, &work)?))
        };
        monitors.filter_map(since).collect()
    }

    async fn states_of(&self, monitors: &BTreeSet<(ElementId, ObjectId)>) -> Result<Vec<MonitorState>, StateError> {
        let objects: BTreeSet<ObjectId> = monitors.iter().map(|(_, object)| *object).collect();
        if objects.len() > FEW_OBJECTS {
            return self.group.state().monitor_states().await;
        }
        let mut states = Vec::new();
        for object in objects {
            states.extend(self.group.state().monitor_states_of(&object.to_string()).await?);
        }
        Ok(states)
    }

    /// Gives a command about an object to the workflows of this server; `None`: an agent is to have it.
    pub async fn command_own(&self, command: &Command) -> Option<Result<(), String>> {
        let (object, what) = match command {
            Command::ResetMonitor(of) => {
                (&of.object, What::Reset { monitor: of.monitor.clone(), object: of.object.clone() })
            }
            Command::RecalculateMonitor(of) => {
                (&of.object, What::Recalculate { monitor: of.monitor.clone(), object: of.object.clone() })
            }
            _ => return None,
        };
        self.order_own(object, &Uuid::new_v4().to_string(), what).await
    }

    /// Tells the workflows of this server to do something, where the object is one of its pools' and held here; `None`:
    /// an agent runs the workflows of the object.
    async fn order_own(&self, object: &str, id: &str, what: What) -> Option<Result<(), String>> {
        let object = ObjectId(Uuid::try_parse(object).ok()?);
        let (pool, work) = self.group.read().pool_work(object)?;
        let is_here = {
            let held = self.held.borrow();
            held.since(&pool, &work).is_some() && !held.has_lapsed()
        };
        if !is_here {
            let other = "another management server runs the workflows of this object; ask there (`watchkeeper pools \
                         objects` shows which)";
            return Some(Err(other.to_owned()));
        }
        let running = self.own_workflows.lock().await;
        Some(running.workflows.order(id.to_owned(), what).await)
    }
}

/// Runs tasks on agents, and on this server for objects without an agent.
pub struct OwnOrAgents<'a> {
    pub operations: &'a Operations,
    pub agents: &'a ManagementServer,
}

#[async_trait]
impl Dispatch for OwnOrAgents<'_> {
    async fn run_task(&self, agent_id: &str, run_id: &str, task: RunTask) -> Result<(), String> {
        let command = TaskCommand {
            id: run_id.to_owned(),
            task: task.task.clone(),
            object: task.object.clone(),
            parameters: task.parameters.clone().into_iter().collect(),
            timeout_seconds: task.timeout_seconds,
        };
        match self.operations.order_own(&task.object, run_id, What::Task(command)).await {
            Some(done) => done,
            None => self.agents.run_task(agent_id, run_id, task).await,
        }
    }
}

/// The state of a unit monitor as the runtime keeps it.
fn known_state(state: &MonitorState) -> Option<((ElementId, ObjectId), KnownState)> {
    if state.rolled_up {
        return None;
    }
    let monitor = ElementId(Uuid::try_parse(&state.of.monitor_id).ok()?);
    let object = ObjectId(Uuid::try_parse(&state.of.object_id).ok()?);
    let health = match state.health {
        0 => HealthState::Uninitialized,
        1 => HealthState::Success,
        2 => HealthState::Warning,
        _ => HealthState::Error,
    };
    let known = KnownState { state: state.state.clone(), health, since: state.changed_at, unsaid: None };
    Some(((monitor, object), known))
}

/// Takes what this server's own workflows find, as an agent's batches are taken.
pub struct PoolFinds {
    pub group: Group,
    pub operational: Operational,
    pub ingest: Arc<Ingest>,
    pub held: watch::Receiver<Held>,
}

impl PoolFinds {
    /// What says how something is now counts only from the server that has the object, and from the time since when it
    /// does: else what waited in a queue would undo what another found meanwhile.
    fn is_current(&self, item: &OperationalItem) -> bool {
        if !self.group.state().is_shared() {
            return true;
        }
        let object = match &item.item {
            Some(Item::StateChange(change)) => &change.object,
            Some(Item::Discovery(data)) => &data.target,
            _ => return true,
        };
        let Ok(object) = Uuid::try_parse(object) else { return true };
        let Some((pool, work)) = self.group.read().pool_work(ObjectId(object)) else { return false };
        self.held.borrow().since(&pool, &work).is_some_and(|since| item.time >= since)
    }
}

#[async_trait]
impl Finds for PoolFinds {
    async fn rows(&self, identity: &AgentIdentity, batch: Batch) -> Result<(), SinkError> {
        // made by this server: nobody sends it to another
        self.ingest.accept(identity, batch).await
    }

    async fn items(
        &self,
        identity: &AgentIdentity,
        sequence: u64,
        mut items: Vec<OperationalItem>,
    ) -> Result<(), SinkError> {
        // after a cut the store may answer before the leases are looked at: what is kept of them says nothing then
        if self.group.state().is_shared() && self.held.borrow().has_lapsed() {
            let reason = "the leases of this server's pools have ended, and are not renewed yet".to_owned();
            return Err(SinkError::Unavailable { reason });
        }
        let all = items.len();
        items.retain(|item| self.is_current(item));
        if items.len() < all {
            tracing::info!(items = all - items.len(), "what was found before another server took over is left out");
        }
        self.operational.apply(identity, sequence, items).await
    }
}
