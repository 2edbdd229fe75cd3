//! What agents' workflows say, applied to SQLite and PostgreSQL: exactly once, with alerts, history and rows.
#![allow(clippy::unwrap_used)]

#[path = "../../state/tests/stores/mod.rs"]
mod stores;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use watchkeeper_management::alert_rules::{Ageing, AlertEdit, AlertSource, ClosePolicy, MonitorAlert, MonitorSeverity};
use watchkeeper_management::maintenance::{MaintenanceIndex, StartMaintenance};
use watchkeeper_management::operational::{Catalogue, DiscoveryIntake, Intake};
use watchkeeper_management::tasks::{Dispatch, Submission};
use watchkeeper_management::{AgentIdentity, AgentSink, Operational, SinkError};
use watchkeeper_model::workflow::HealthState;
use watchkeeper_state::{
    AlertFilter, Changes, MonitorOf, Object, Priority, ResolutionState, Severity, State, StateChange, StateError,
    TaskStatus,
};
use watchkeeper_wire::Batch;
use watchkeeper_wire::proto::operational_item::Item;
use watchkeeper_wire::proto::{self, DiscoveryData, OperationalItem, RunTask};

const DAY: i64 = 86_400_000_000;

/// Objects `a/…` belong to agent `a`; every monitor alerts; a state of `m` rolls up to `top`.
struct Names;

impl Catalogue for Names {
    fn monitor_alert(&self, monitor: &str, _object: &str, _context: &str) -> Option<MonitorAlert> {
        (monitor == "m").then(|| MonitorAlert {
            name: "{0} is down".into(),
            description: String::new(),
            parameters: vec!["web".into()],
            on_state: HealthState::Warning,
            auto_resolve: true,
            priority: Priority::Normal,
            severity: MonitorSeverity::MatchMonitorHealth,
            category: "AvailabilityHealth".into(),
        })
    }
    fn message(&self, _id: &str) -> Option<(String, String)> {
        None
    }
    fn source(&self, object: &str) -> Option<AlertSource> {
        let agent_id = object.split('/').next().unwrap().to_owned();
        Some(AlertSource { display_name: object.into(), agent_id, ..AlertSource::default() })
    }
    fn may_speak_for(&self, agent_id: &str, object: &str) -> bool {
        object.starts_with(agent_id)
    }
    fn roll_up(&self, changes: &[StateChange]) -> Vec<StateChange> {
        let of = |change: &StateChange| MonitorOf { monitor_id: "top".into(), ..change.of.clone() };
        changes.iter().map(|change| StateChange { of: of(change), ..change.clone() }).collect()
    }
}

struct Targets;

#[async_trait]
impl DiscoveryIntake for Targets {
    async fn discovered(
        &self,
        changes: &mut Changes,
        agent_id: &str,
        data: &DiscoveryData,
        at: i64,
    ) -> Result<Intake, StateError> {
        let object = Object {
            object_id: data.target.clone(),
            agent_id: agent_id.to_owned(),
            discovered_at: at,
            ..Object::default()
        };
        changes.put_objects(&[object]).await?;
        Ok(Intake::default())
    }
}

#[derive(Default)]
struct Rows {
    taken: Mutex<Vec<(String, u64)>>,
    seen: Mutex<HashSet<(String, u64)>>,
}

#[async_trait]
impl AgentSink for Rows {
    async fn accept(&self, agent: &AgentIdentity, batch: Batch) -> Result<(), SinkError> {
        assert!(self.seen.lock().unwrap().insert((agent.sender(), batch.sequence)), "delivered once");
        let tables = batch.tables.into_iter().map(|table| (table.name, u64::from(table.rows)));
        self.taken.lock().unwrap().extend(tables);
        Ok(())
    }
}

fn start(state: &State) -> (Operational, Arc<MaintenanceIndex>) {
    let maintenance = Arc::new(MaintenanceIndex::default());
    let operational = Operational::start(
        state.clone(),
        "server",
        "Group",
        Arc::new(Names),
        Arc::new(Targets),
        Arc::clone(&maintenance),
    );
    (operational, maintenance)
}

fn agent(id: &str) -> AgentIdentity {
    AgentIdentity { agent_id: id.into(), computer: id.into(), queue: "q".into() }
}

fn item(time: i64, item: Item) -> OperationalItem {
    OperationalItem { time, item: Some(item) }
}

fn monitor(object: &str, health: u32, time: i64) -> OperationalItem {
    let change = proto::StateChange {
        monitor: "m".into(),
        object: object.into(),
        operational_state: format!("s{health}"),
        health,
        ..Default::default()
    };
    item(time, Item::StateChange(change))
}

fn rule(object: &str, id: &str, suppression: &[&str], time: i64) -> OperationalItem {
    let alert = proto::Alert {
        rule: "r".into(),
        object: object.into(),
        name: "event".into(),
        id: id.into(),
        severity: 1,
        suppression: suppression.iter().map(|value| (*value).to_owned()).collect(),
        ..Default::default()
    };
    item(time, Item::Alert(alert))
}

async fn open_store(place: &stores::Place) -> State {
    State::open(&place.url, &place.key).await.unwrap()
}

async fn all(state: &State) -> Vec<(String, u8, u32)> {
    let mut alerts: Vec<_> = state.alerts(&AlertFilter::default()).await.unwrap();
    alerts.sort_by(|a, b| (a.time_raised, &a.id).cmp(&(b.time_raised, &b.id)));
    alerts.into_iter().map(|alert| (alert.name, alert.resolution_state.0, alert.repeat_count)).collect()
}

#[tokio::test]
async fn a_batch_that_comes_again_changes_nothing_and_its_rows_are_delivered_once() {
    stores::each(|place| async move {
        let state = open_store(&place).await;
        let (operational, _) = start(&state);
        let mut applied = operational.subscribe();
        let discovery = DiscoveryData { target: "a/new".into(), ..Default::default() };
        let first = vec![monitor("a/o", 3, 10), rule("a/o", "1", &["x"], 11), rule("a/o", "2", &["x"], 12)];
        let second = vec![monitor("a/o", 1, 20), rule("a/o", "3", &["x"], 21), item(22, Item::Discovery(discovery))];
        for (sequence, items) in [(3, &first), (3, &first), (7, &second), (3, &first), (7, &second)] {
            operational.apply(&agent("a"), sequence, items.clone()).await.unwrap();
        }
        let expected = [("web is down".to_owned(), 255, 0), ("event".to_owned(), 0, 2)];
        assert_eq!(all(&state).await, expected);
        assert_eq!(state.objects().await.unwrap().len(), 1);
        let states = state.monitor_states_of("a/o").await.unwrap();
        let states: Vec<_> = states.iter().map(|s| (s.of.monitor_id.as_str(), s.health, s.rolled_up)).collect();
        assert_eq!(states, [("m", 1, false), ("top", 1, true)]);
        assert_eq!(state.state_changes("a/o", 10).await.unwrap().len(), 4);
        let told = applied.recv().await.unwrap();
        assert_eq!((told.states.len(), told.alerts.len()), (2, 2));

        let sink = Rows::default();
        operational.outbox().deliver(&state, &sink).await.unwrap();
        operational.outbox().deliver(&state, &sink).await.unwrap();
        assert_eq!(*sink.taken.lock().unwrap(), [("Alert".to_owned(), 2), ("Alert".to_owned(), 2)]);
        // another queue of the agent numbers for itself
        let other = AgentIdentity { queue: "new".into(), ..agent("a") };
        operational.apply(&other, 1, vec![rule("a/o", "4", &[], 30)]).await.unwrap();
        assert_eq!(all(&state).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn an_agent_cannot_speak_for_objects_of_another_nor_for_the_future() {
    stores::each(|place| async move {
        let state = open_store(&place).await;
        let (operational, _) = start(&state);
        let future = i64::MAX / 2;
        let items = vec![monitor("b/o", 3, 10), rule("a/o", "1", &[], future)];
        operational.apply(&agent("a"), 1, items).await.unwrap();
        let alerts = state.alerts(&AlertFilter::default()).await.unwrap();
        assert_eq!(alerts.len(), 1);
        assert!(alerts[0].time_raised < future);
        assert!(state.monitor_states().await.unwrap().is_empty());
        let sink = Rows::default();
        operational.outbox().deliver(&state, &sink).await.unwrap();
        assert_eq!(*sink.taken.lock().unwrap(), [("Alert".to_owned(), 1), ("Audit".to_owned(), 1)]);
    })
    .await;
}

#[tokio::test]
async fn many_agents_at_once_share_transactions_and_two_servers_one_store() {
    stores::each(|place| async move {
        let states = [open_store(&place).await, open_store(&place).await];
        let servers = [start(&states[0]).0, start(&states[1]).0];
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..400_usize {
            let server = servers[number % 2].clone();
            tasks.spawn(async move {
                // every agent sends two batches, the second of them twice, to whichever server
                let id = format!("a{}", number / 2);
                let time = i64::try_from(number).unwrap() + 1;
                let items = vec![rule(&format!("{id}/o"), &format!("id{number}"), &["same"], time)];
                let queue = AgentIdentity { queue: format!("q{}", number % 2), ..agent(&id) };
                for _ in 0..2 {
                    server.apply(&queue, 1, items.clone()).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let alerts = all(&states[0]).await;
        assert_eq!(alerts.len(), 200, "one open alert for each object");
        assert!(alerts.iter().all(|(_, _, repeats)| *repeats == 1));
    })
    .await;
}

#[tokio::test]
async fn operators_change_alerts_and_age_closes_them() {
    stores::each(|place| async move {
        let state = open_store(&place).await;
        let (operational, _) = start(&state);
        let items = vec![monitor("a/o", 3, 10), rule("a/o", "rule", &[], 11)];
        operational.apply(&agent("a"), 1, items).await.unwrap();
        let critical = AlertFilter { minimum_severity: Some(Severity::Error), ..Default::default() };
        let id = state.alerts(&critical).await.unwrap()[0].id.clone();
        let close = AlertEdit { resolution_state: Some(ResolutionState::CLOSED), ..AlertEdit::default() };
        let refused = operational.edit_alert(&id, &close, "anna", ClosePolicy::Refuse, 20).await.unwrap_err();
        assert!(refused.to_string().contains("Critical"), "{refused}");
        let unknown = AlertEdit { resolution_state: Some(ResolutionState(9)), ..AlertEdit::default() };
        assert!(operational.edit_alert(&id, &unknown, "anna", ClosePolicy::Refuse, 20).await.is_err());
        operational.put_resolution_state(9, "Waiting").await.unwrap();
        assert!(operational.put_resolution_state(255, "Open").await.is_err());
        operational.edit_alert(&id, &unknown, "anna", ClosePolicy::Refuse, 21).await.unwrap();
        let closed = operational.edit_alert(&id, &close, "anna", ClosePolicy::ResetMonitor, 22).await.unwrap();
        assert_eq!(closed.reset, Some(MonitorOf { object_id: "a/o".into(), monitor_id: "m".into() }));
        let history = state.alert_history(&id).await.unwrap();
        assert_eq!(history.iter().map(|entry| entry.changed_at).collect::<Vec<_>>(), [10, 21, 22]);
        assert!(operational.edit_alert("none", &close, "anna", ClosePolicy::Refuse, 20).await.is_err());

        assert_eq!(operational.age_alerts(Ageing::default(), 29 * DAY).await.unwrap(), 0);
        assert_eq!(operational.age_alerts(Ageing::default(), 31 * DAY).await.unwrap(), 1);
        assert!(state.alerts(&AlertFilter { open: true, ..Default::default() }).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn maintenance_keeps_alerts_away_until_it_is_over() {
    stores::each(|place| async move {
        let state = open_store(&place).await;
        let (operational, index) = start(&state);
        let mut maintenance = StartMaintenance {
            objects: vec!["a/host".into()],
            recursive: true,
            minutes: 4,
            reason: "PlannedOther".into(),
            ..StartMaintenance::default()
        };
        assert!(operational.start_maintenance(&maintenance, 1).await.is_err(), "too short");
        maintenance.minutes = 5;
        let end = operational.start_maintenance(&maintenance, 1).await.unwrap()[0].ends_at;
        let held = |_: &str| vec!["a/o".to_owned()];
        operational.refresh_maintenance(1, held).await.unwrap();
        operational.apply(&agent("a"), 1, vec![monitor("a/o", 3, 10), rule("a/o", "r", &[], 10)]).await.unwrap();
        assert_eq!(all(&state).await, []);
        assert_eq!(operational.stop_maintenance("a/host", 50).await.unwrap(), 1);
        assert_eq!(operational.stop_maintenance("a/host", 51).await.unwrap(), 0);
        let over = index.ended(0, end);
        assert_eq!(over, ["a/host", "a/o"]);
        operational.refresh_maintenance(60, held).await.unwrap();
        operational.maintenance_over(&over, 60).await.unwrap();
        assert_eq!(all(&state).await, [("web is down".to_owned(), 0, 0)]);
    })
    .await;
}

struct Agents;

#[async_trait]
impl Dispatch for Agents {
    async fn run_task(&self, agent_id: &str, _run_id: &str, _task: RunTask) -> Result<(), String> {
        match agent_id {
            "a" => Ok(()),
            other => Err(format!("agent {other:?} is not connected")),
        }
    }
}

#[tokio::test]
async fn a_task_has_one_result_from_its_own_agent_or_fails_in_time() {
    stores::each(|place| async move {
        let state = open_store(&place).await;
        let (operational, _) = start(&state);
        let submission = Submission {
            task_id: "t".into(),
            task: "P!Task".into(),
            objects: vec!["a/o".into(), "b/o".into(), "a/late".into()],
            submitted_by: "anna".into(),
            timeout: Duration::from_secs(60),
            ..Submission::default()
        };
        let runs = operational.submit_task(submission, &Agents).await.unwrap();
        assert_eq!(runs[1].status, TaskStatus::Failed);
        assert!(runs[1].error_message.contains("not connected"));
        let result = |run: usize, object: &str, output: &str| {
            let result = proto::TaskResult {
                run: runs[run].run_id.clone(),
                object: object.into(),
                output: output.into(),
                ..Default::default()
            };
            vec![item(5, Item::TaskResult(result))]
        };
        operational.apply(&agent("b"), 1, result(0, "b/o", "forged")).await.unwrap();
        operational.apply(&agent("a"), 1, result(0, "a/o", "first")).await.unwrap();
        operational.apply(&agent("a"), 2, result(0, "a/o", "second")).await.unwrap();
        let run = state.task_run(&runs[0].run_id).await.unwrap().unwrap();
        assert_eq!((run.status, run.output.as_str()), (TaskStatus::Succeeded, "first"));
        assert_eq!(operational.expire_tasks(runs[2].deadline_at - 1).await.unwrap(), 0);
        assert_eq!(operational.expire_tasks(runs[2].deadline_at).await.unwrap(), 1);
        operational.apply(&agent("a"), 3, result(2, "a/late", "too late")).await.unwrap();
        let late = state.task_run(&runs[2].run_id).await.unwrap().unwrap();
        assert_eq!((late.status, late.output.as_str()), (TaskStatus::Failed, ""));
    })
    .await;
}
