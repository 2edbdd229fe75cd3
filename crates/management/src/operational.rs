//! What workflows say, applied to the operational store: many batches of many agents in one transaction, each exactly
//! once (the sequence number is written beside the effects), and the rows that belong to it left in the outbox.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, broadcast, mpsc, oneshot};
use watchkeeper_model::workflow::HealthState;
use watchkeeper_state::{
    Alert, AlertHistory, AlertNotice, Changes, Lane, MaintenanceWindow, MonitorOf, MonitorState, Priority, Severity,
    State, StateChange, StateError, TaskRun, TaskStatus,
};
use watchkeeper_wire::proto::operational_item::Item;
use watchkeeper_wire::proto::{self, DiscoveryData, OperationalItem};

use crate::alert_rules::{
    AlertSource, MonitorAlert, MonitorChange, RuleAlert, SYSTEM, monitor_changed, monitor_key, rule_key, rule_raised,
};
use crate::maintenance::MaintenanceIndex;
use crate::outbox::{AuditRow, Outbox, Rows};
use crate::rule_alerts::{AlertEvent, notice};
use crate::sink::{AgentIdentity, SinkError};

/// Batches that are applied in one transaction at most.
const MAX_GROUP: usize = 512;
/// Items in one transaction at most, so that none takes long.
const MAX_GROUP_ITEMS: usize = 8192;
/// Batches that wait to be applied; agents beyond are asked to come again.
const MAX_WAITING: usize = 4096;
const RETRY: Duration = Duration::from_secs(2);
/// Reasons for data that was not taken, in the audit trail for one discovery at most.
const MAX_REJECTED: usize = 20;
/// How far an agent's clock may run ahead before its times are replaced.
const MAX_AHEAD: i64 = 5 * 60 * 1_000_000;

/// What the model of the management group knows: packs, overrides and objects together.
pub trait Catalogue: Send + Sync + 'static {
    /// How a monitor alerts for an object, with texts and parameters for this change; `None`: it does not.
    fn monitor_alert(&self, monitor: &str, object: &str, context: &str) -> Option<MonitorAlert>;
    /// Name and description of an alert message (a string resource).
    fn message(&self, id: &str) -> Option<(String, String)>;
    /// The object, as alerts name it; `None`: there is no such object.
    fn source(&self, object: &str) -> Option<AlertSource>;
    /// Whether an agent may speak for an object: it manages it, or is a proxy.
    fn may_speak_for(&self, agent_id: &str, object: &str) -> bool;
    /// The computer that an agent runs on.
    fn computer_of(&self, agent_id: &str) -> Option<String> {
        let _ = agent_id;
        None
    }
    /// The states of other monitors that follow from changes of these. Called again with the same changes when a
    /// transaction is repeated.
    fn roll_up(&self, changes: &[StateChange]) -> Vec<StateChange>;
}

/// Takes discovery data into the store, within the transaction of the group.
#[async_trait::async_trait]
pub trait DiscoveryIntake: Send + Sync + 'static {
    /// Applies the data of one discovery.
    async fn discovered(
        &self,
        changes: &mut Changes,
        agent_id: &str,
        data: &DiscoveryData,
        at: i64,
    ) -> Result<Intake, StateError>;

    /// Changes are about to be worked out within this transaction: what other servers changed before has to count.
    async fn begun(&self, changes: &mut Changes) -> Result<(), StateError> {
        let _ = changes;
        Ok(())
    }

    /// A transaction failed: what was applied within it is not in the store.
    async fn failed(&self) {}
}

/// What came of discovery data.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    /// States of roll-ups that follow from objects that came and went.
    pub states: Vec<StateChange>,
    /// What was not taken, with the reason.
    pub rejected: Vec<String>,
}

/// What a group of changes did; sent to whoever shows or computes with it.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// States of monitors that changed.
    pub states: Vec<StateChange>,
    /// Alerts, new and changed, as they are now.
    pub alerts: Vec<Alert>,
    /// Tasks that finished.
    pub tasks: Vec<TaskRun>,
}

struct Waiting {
    agent: AgentIdentity,
    sequence: u64,
    items: Vec<OperationalItem>,
    done: oneshot::Sender<Result<(), SinkError>>,
}

/// Applies what agents' workflows say. Cheap to clone.
#[derive(Clone)]
pub struct Operational {
    waiting: mpsc::Sender<Waiting>,
    shared: Arc<Shared>,
}

/// What changes to operational data need.
pub(crate) struct Shared {
    pub state: State,
    pub catalogue: Arc<dyn Catalogue>,
    pub discovery: Arc<dyn DiscoveryIntake>,
    pub maintenance: Arc<MaintenanceIndex>,
    pub outbox: Outbox,
    pub applied: broadcast::Sender<Arc<Applied>>,
    /// Alerts have left notices.
    pub noticed: Arc<Notify>,
    pub management_group: String,
}

impl Shared {
    /// Begins changes, with all that other servers changed before.
    pub async fn begin(&self) -> Result<Changes, StateError> {
        let mut changes = self.state.change().await?;
        self.discovery.begun(&mut changes).await?;
        Ok(changes)
    }
}

impl Operational {
    /// Starts applying. `server_id` names this server's outbox. Needs a tokio runtime; ends when the last clone goes.
    #[must_use]
    pub fn start(
        state: State,
        server_id: &str,
        management_group: &str,
        catalogue: Arc<dyn Catalogue>,
        discovery: Arc<dyn DiscoveryIntake>,
        maintenance: Arc<MaintenanceIndex>,
    ) -> Self {
        let (waiting, queue) = mpsc::channel(MAX_WAITING);
        let outbox = Outbox { server_id: server_id.to_owned(), filled: Arc::new(Notify::new()) };
        let (applied, _) = broadcast::channel(256);
        let management_group = management_group.to_owned();
        let noticed = Arc::default();
        let shared =
            Arc::new(Shared { state, catalogue, discovery, maintenance, outbox, applied, noticed, management_group });
        tokio::spawn(run(shared.clone(), queue));
        Self { waiting, shared }
    }

    /// Applies a batch; when this returns `Ok` its effects survive a crash. A number that comes again changes nothing.
    ///
    /// # Errors
    /// When the store cannot take it now.
    pub async fn apply(
        &self,
        agent: &AgentIdentity,
        sequence: u64,
        items: Vec<OperationalItem>,
    ) -> Result<(), SinkError> {
        let (done, result) = oneshot::channel();
        let waiting = Waiting { agent: agent.clone(), sequence, items, done };
        self.waiting.try_send(waiting).map_err(|_| SinkError::BackPressure { retry_after: RETRY })?;
        result.await.unwrap_or_else(|_| Err(SinkError::Unavailable { reason: "the server is stopping".to_owned() }))
    }

    /// Writes states of roll-ups that changed other than by an agent: packs, overrides, agents that came or went.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn rolled_up(&self, states: Vec<StateChange>) -> Result<(), StateError> {
        if states.is_empty() {
            return Ok(());
        }
        let mut changes = self.shared.begin().await?;
        let mut work = Work::new(&self.shared, crate::clock::now());
        work.rolled_up = states;
        work.apply(&mut changes).await?;
        work.commit(changes).await
    }

    /// Leaves a row in the audit trail of what the system did by itself.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn audit(
        &self,
        who: &str,
        action: &str,
        target: &str,
        result: &str,
        reason: &str,
    ) -> Result<(), StateError> {
        let changes = self.shared.state.change().await?;
        let mut work = Work::new(&self.shared, crate::clock::now());
        work.rows.audit(who, "System", action, target, result, reason);
        work.commit(changes).await
    }

    /// Leaves the rows of calls over an API, in one transaction.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn audit_calls(&self, rows: &[AuditRow]) -> Result<(), StateError> {
        let changes = self.shared.state.change().await?;
        let mut work = Work::new(&self.shared, crate::clock::now());
        rows.iter().for_each(|row| work.rows.call(row));
        work.commit(changes).await
    }

    /// What is applied from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Applied>> {
        self.shared.applied.subscribe()
    }

    /// The rows that wait for the workspace.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.shared.outbox.clone()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Waiting>) {
    while let Some(first) = queue.recv().await {
        let mut items = first.items.len();
        let mut group = vec![first];
        while group.len() < MAX_GROUP
            && items < MAX_GROUP_ITEMS
            && let Ok(next) = queue.try_recv()
        {
            items += next.items.len();
            group.push(next);
        }
        let outcome = apply_group(&shared, &group.iter().collect::<Vec<_>>()).await;
        if outcome.is_err() {
            shared.discovery.failed().await;
        }
        match outcome {
            Err(error) if group.len() > 1 => {
                tracing::warn!(%error, batches = group.len(), "a group of batches was not applied; one by one then");
                for waiting in group {
                    let outcome = apply_group(&shared, &[&waiting]).await;
                    if outcome.is_err() {
                        shared.discovery.failed().await;
                    }
                    let _ = waiting.done.send(outcome.map_err(unavailable));
                }
            }
            outcome => {
                let outcome = outcome.map_err(unavailable);
                for waiting in group {
                    let _ = waiting.done.send(outcome.clone());
                }
            }
        }
    }
}

fn unavailable(error: StateError) -> SinkError {
    SinkError::Unavailable { reason: error.to_string() }
}

async fn apply_group(shared: &Shared, group: &[&Waiting]) -> Result<(), StateError> {
    let now = crate::clock::now();
    let mut changes = shared.begin().await?;
    let lane = |waiting: &Waiting| Lane {
        agent_id: waiting.agent.agent_id.clone(),
        queue: waiting.agent.queue.clone(),
        lane: "operational".to_owned(),
    };
    let mut lanes: Vec<_> = group.iter().map(|waiting| lane(waiting)).collect();
    lanes.sort();
    lanes.dedup();
    let mut high = changes.high_water(&lanes).await?;
    let mut work = Work::new(shared, now);
    for waiting in group {
        let mark = high.entry(lane(waiting)).or_default();
        if waiting.sequence <= *mark {
            continue;
        }
        *mark = waiting.sequence;
        for item in &waiting.items {
            work.add(&waiting.agent, item);
        }
    }
    work.apply(&mut changes).await?;
    changes.raise_high_water(&high, now).await?;
    work.commit(changes).await
}

/// Changes that are worked out together, then written and committed together.
pub(crate) struct Work<'a> {
    pub shared: &'a Shared,
    pub now: i64,
    states: Vec<(StateChange, bool)>,
    rolled_up: Vec<StateChange>,
    rules: Vec<RuleAlert>,
    discoveries: Vec<(String, DiscoveryData, i64)>,
    results: Vec<(String, proto::TaskResult)>,
    /// Maintenance that agents ask for.
    pub windows: Vec<MaintenanceWindow>,
    pub rows: Rows,
    pub applied: Applied,
    /// For whoever tells people of alerts.
    pub notices: Vec<AlertNotice>,
}

impl<'a> Work<'a> {
    pub fn new(shared: &'a Shared, now: i64) -> Self {
        Self {
            shared,
            now,
            states: Vec::new(),
            rolled_up: Vec::new(),
            rules: Vec::new(),
            discoveries: Vec::new(),
            results: Vec::new(),
            windows: Vec::new(),
            rows: Rows::new(&shared.management_group, now),
            applied: Applied::default(),
            notices: Vec::new(),
        }
    }

    /// A monitor has a state; `started`: it was started anew and found it.
    pub fn state(&mut self, change: StateChange, started: bool) {
        self.states.push((change, started));
    }

    fn add(&mut self, agent: &AgentIdentity, item: &OperationalItem) {
        let ahead = item.time > self.now + MAX_AHEAD;
        let at = if ahead || item.time <= 0 { self.now } else { item.time };
        let object = match &item.item {
            Some(Item::StateChange(change)) => &change.object,
            Some(Item::Alert(alert)) => &alert.object,
            Some(Item::Discovery(data)) => &data.target,
            Some(Item::TaskResult(result)) => &result.object,
            Some(Item::WorkflowEvent(event)) => &event.object,
            Some(Item::Maintenance(asked)) => return self.maintenance(agent, asked, at),
            None => return,
        };
        if !self.shared.catalogue.may_speak_for(&agent.agent_id, object) {
            let reason = format!("agent {} ({}) may not speak for this object", agent.agent_id, agent.computer);
            tracing::warn!(agent_id = agent.agent_id, object, "an item for an object of another agent was refused");
            self.rows.audit(&agent.agent_id, "Agent", "operational item", object, "Refused", &reason);
            return;
        }
        match &item.item {
            Some(Item::StateChange(change)) => {
                let of = MonitorOf { object_id: change.object.clone(), monitor_id: change.monitor.clone() };
                let change_of = StateChange {
                    of,
                    changed_at: at,
                    old_health: 0,
                    new_health: u8::try_from(change.health.min(3)).unwrap_or(3),
                    state: change.operational_state.clone(),
                    context: change.context.clone(),
                };
                self.state(change_of, change.cause == "start");
            }
            Some(Item::Alert(alert)) => self.rules.push(self.rule_alert(alert, at)),
            Some(Item::Discovery(data)) => self.discoveries.push((agent.agent_id.clone(), data.clone(), at)),
            Some(Item::TaskResult(result)) => self.results.push((agent.agent_id.clone(), result.clone())),
            Some(Item::WorkflowEvent(event)) => self.rows.workflow_event(agent, event, at),
            Some(Item::Maintenance(_)) | None => {}
        }
    }

    fn rule_alert(&self, alert: &proto::Alert, at: i64) -> RuleAlert {
        let message = self.shared.catalogue.message(&alert.message_id);
        let (name, description) = message.unwrap_or_else(|| (alert.name.clone(), alert.description.clone()));
        RuleAlert {
            id: alert.id.clone(),
            rule: alert.rule.clone(),
            object: alert.object.clone(),
            name,
            description,
            parameters: alert.parameters.clone(),
            suppression: alert.suppression.clone(),
            priority: match alert.priority {
                0 => Priority::Low,
                1 => Priority::Normal,
                _ => Priority::High,
            },
            severity: match alert.severity {
                0 => Severity::Information,
                1 => Severity::Warning,
                _ => Severity::Error,
            },
            category: "Alert".to_owned(),
            custom: alert.custom.clone(),
            owner: alert.owner.clone(),
            at,
            context: alert.context.clone(),
        }
    }

    pub async fn apply(&mut self, changes: &mut Changes) -> Result<(), StateError> {
        for (agent_id, data, at) in std::mem::take(&mut self.discoveries) {
            let intake = self.shared.discovery.discovered(changes, &agent_id, &data, at).await?;
            self.rolled_up.extend(intake.states);
            for reason in intake.rejected.iter().take(MAX_REJECTED) {
                tracing::warn!(agent_id, discovery = data.element, reason, "discovery data was not taken");
                self.rows.audit(&agent_id, "Agent", "discovery", &data.element, "Refused", reason);
            }
        }
        for window in std::mem::take(&mut self.windows) {
            changes.put_maintenance_window(&window).await?;
        }
        self.apply_results(changes).await?;
        self.apply_states_and_alerts(changes).await
    }

    async fn apply_states_and_alerts(&mut self, changes: &mut Changes) -> Result<(), StateError> {
        let units = std::mem::take(&mut self.states);
        let rules = std::mem::take(&mut self.rules);
        let unit_changes = follow(changes, units, false).await?;
        let changed: Vec<StateChange> =
            unit_changes.iter().filter(|(change, _)| differs(change)).map(|(change, _)| change.clone()).collect();
        let mut rolled_up = std::mem::take(&mut self.rolled_up);
        rolled_up.extend(self.shared.catalogue.roll_up(&changed));
        let rolled_up = rolled_up.into_iter().map(|change| (change, false)).collect();
        let rolled_changes = follow(changes, rolled_up, true).await?;

        let mut keys: HashSet<String> = HashSet::new();
        for (change, _) in unit_changes.iter().chain(&rolled_changes) {
            keys.insert(monitor_key(&change.of.monitor_id, &change.of.object_id));
        }
        keys.extend(rules.iter().map(|rule| rule_key(&rule.rule, &rule.object, &rule.suppression)));
        let keys: Vec<String> = keys.into_iter().collect();
        let mut open = changes.open_alerts(&keys).await?;
        let mut touched: HashMap<String, Alert> = HashMap::new();
        let mut history = Vec::new();
        let now = self.now;
        let mut notices = Vec::new();
        let mut note = |open: &mut HashMap<String, Alert>, outcome: Option<(Alert, String)>| {
            let Some((alert, comment)) = outcome else { return };
            let was_open = open.get(&alert.suppression_key).is_some_and(|known| known.id == alert.id);
            match alert.is_open() {
                true if !was_open => notices.push(notice(&alert, AlertEvent::Fired, now)),
                false if was_open => notices.push(notice(&alert, AlertEvent::Resolved, now)),
                _ => {}
            }
            if !comment.is_empty() {
                let changed_at = alert.last_modified;
                history.push(AlertHistory { changed_at, changed_by: SYSTEM.into(), comment, alert: alert.clone() });
            }
            match alert.is_open() {
                true if alert.suppression_key.is_empty() => {}
                true => drop(open.insert(alert.suppression_key.clone(), alert.clone())),
                false => drop(open.remove(&alert.suppression_key)),
            }
            touched.insert(alert.id.clone(), alert);
        };
        for (change, started) in unit_changes.iter().chain(&rolled_changes) {
            let (monitor, object) = (&change.of.monitor_id, &change.of.object_id);
            let outcome = self.monitor_outcome(&open, change, *started, monitor, object);
            note(&mut open, outcome);
        }
        for rule in &rules {
            let key = rule_key(&rule.rule, &rule.object, &rule.suppression);
            let source = self.shared.catalogue.source(&rule.object).unwrap_or_default();
            let quiet = self.shared.maintenance.contains(&rule.object, rule.at);
            let outcome = rule_raised(open.get(&key), rule, &source, quiet);
            note(&mut open, outcome);
        }
        let touched: Vec<Alert> = touched.into_values().collect();
        self.notices.extend(notices);
        changes.put_alerts(&touched).await?;
        changes.add_alert_history(&history).await?;
        for alert in &touched {
            self.rows.alert(alert);
        }
        for (change, _) in unit_changes.into_iter().chain(rolled_changes) {
            if differs(&change) {
                self.applied.states.push(change);
            }
        }
        self.applied.alerts.extend(touched);
        Ok(())
    }

    fn monitor_outcome(
        &self,
        open: &HashMap<String, Alert>,
        change: &StateChange,
        started: bool,
        monitor: &str,
        object: &str,
    ) -> Option<(Alert, String)> {
        let new = health(change.new_health);
        let open = open.get(&monitor_key(monitor, object));
        // most changes are to healthy without an alert: they need no texts
        if open.is_none() && new < HealthState::Warning {
            return None;
        }
        let settings = self.shared.catalogue.monitor_alert(monitor, object, &change.context)?;
        let source = self.shared.catalogue.source(object).unwrap_or_default();
        let change = MonitorChange {
            monitor,
            object,
            old: health(change.old_health),
            new,
            at: change.changed_at,
            context: &change.context,
            started,
        };
        let quiet = self.shared.maintenance.contains(object, change.at);
        monitor_changed(open, &change, &settings, &source, quiet, &uuid::Uuid::new_v4().to_string())
    }

    async fn apply_results(&mut self, changes: &mut Changes) -> Result<(), StateError> {
        let results = std::mem::take(&mut self.results);
        let ids: Vec<String> = results.iter().map(|(_, result)| result.run.clone()).collect();
        let known = changes.task_runs(&ids).await?;
        let mut known: HashMap<String, TaskRun> = known.into_iter().map(|run| (run.run_id.clone(), run)).collect();
        let mut finished = Vec::new();
        for (agent_id, result) in results {
            // a diagnostic or recovery has no submission: the agent started it
            let run = known.remove(&result.run).unwrap_or_else(|| TaskRun {
                run_id: result.run.clone(),
                batch_id: result.run.clone(),
                task: result.element.clone(),
                object_id: result.object.clone(),
                agent_id: agent_id.clone(),
                submitted_by: SYSTEM.to_owned(),
                submitted_at: result.started,
                ..TaskRun::default()
            });
            // a run without an agent is the servers'; who may speak for the object was asked before
            let is_his = run.agent_id.is_empty() || run.agent_id == agent_id;
            if run.status >= TaskStatus::Succeeded || !is_his {
                continue;
            }
            finished.push(crate::tasks::with_result(run, &result, self.now));
        }
        changes.put_task_runs(&finished).await?;
        for run in &finished {
            self.rows.task(run);
        }
        self.applied.tasks.extend(finished);
        Ok(())
    }

    /// Leaves the rows, commits, and tells who listens.
    pub async fn commit(self, mut changes: Changes) -> Result<(), StateError> {
        self.shared.outbox.leave(&mut changes, self.rows, self.now).await?;
        changes.add_alert_notices(&self.notices).await?;
        changes.commit().await?;
        self.shared.outbox.filled.notify_one();
        if !self.notices.is_empty() {
            self.shared.noticed.notify_one();
        }
        let applied = self.applied;
        if !(applied.states.is_empty() && applied.alerts.is_empty() && applied.tasks.is_empty()) {
            let _ = self.shared.applied.send(Arc::new(applied));
        }
        Ok(())
    }
}

/// Fills in what states were before, and writes what they are now.
async fn follow(
    changes: &mut Changes,
    mut list: Vec<(StateChange, bool)>,
    rolled_up: bool,
) -> Result<Vec<(StateChange, bool)>, StateError> {
    let of: Vec<MonitorOf> =
        list.iter().map(|(change, _)| change.of.clone()).collect::<HashSet<_>>().into_iter().collect();
    let mut present = changes.monitor_states(&of).await?;
    let mut write: HashMap<MonitorOf, MonitorState> = HashMap::new();
    for (change, _) in &mut list {
        let old = present.get(&change.of);
        change.old_health = old.map_or(0, |state| state.health);
        if old.is_some_and(|old| old.health == change.new_health && old.state == change.state) {
            continue;
        }
        let state = MonitorState {
            of: change.of.clone(),
            health: change.new_health,
            state: change.state.clone(),
            rolled_up,
            changed_at: change.changed_at,
        };
        present.insert(change.of.clone(), state.clone());
        write.insert(change.of.clone(), state);
    }
    changes.put_monitor_states(&write.into_values().collect::<Vec<_>>()).await?;
    let history: Vec<StateChange> =
        list.iter().filter(|(change, _)| differs(change)).map(|(change, _)| change.clone()).collect();
    changes.add_state_changes(&history).await?;
    Ok(list)
}

fn differs(change: &StateChange) -> bool {
    change.old_health != change.new_health
}

pub(crate) fn health(code: u8) -> HealthState {
    match code {
        0 => HealthState::Uninitialized,
        1 => HealthState::Success,
        2 => HealthState::Warning,
        _ => HealthState::Error,
    }
}
