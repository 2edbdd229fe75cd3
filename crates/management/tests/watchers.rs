//! Agents that fall silent have alerts, of a dead agent or of a dead computer, on SQLite and PostgreSQL.
#![allow(clippy::unwrap_used)]

#[path = "../../state/tests/stores/mod.rs"]
mod stores;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use watchkeeper_management::Operational;
use watchkeeper_management::alert_rules::{AlertSource, MonitorAlert, MonitorSeverity};
use watchkeeper_management::maintenance::MaintenanceIndex;
use watchkeeper_management::operational::{Catalogue, DiscoveryIntake, Intake};
use watchkeeper_management::watch_rules::HeartbeatSettings;
use watchkeeper_management::watchers::{HEARTBEAT_MONITOR, NetworkProbe, Probe, WatchedAgent, Watchers};
use watchkeeper_model::workflow::HealthState;
use watchkeeper_state::{AlertFilter, Changes, Priority, State, StateChange, StateError};
use watchkeeper_wire::proto::DiscoveryData;

const MINUTE: u64 = 60_000;

struct BuiltIn;

impl Catalogue for BuiltIn {
    fn monitor_alert(&self, monitor: &str, _object: &str, _context: &str) -> Option<MonitorAlert> {
        let name = match monitor {
            HEARTBEAT_MONITOR => "Health Service Heartbeat Failure",
            _ => "Failed to Connect to Computer",
        };
        Some(MonitorAlert {
            name: name.into(),
            description: String::new(),
            parameters: Vec::new(),
            on_state: HealthState::Error,
            auto_resolve: true,
            priority: Priority::High,
            severity: MonitorSeverity::MatchMonitorHealth,
            category: "AvailabilityHealth".into(),
        })
    }
    fn message(&self, _id: &str) -> Option<(String, String)> {
        None
    }
    fn source(&self, object: &str) -> Option<AlertSource> {
        Some(AlertSource { display_name: object.into(), ..AlertSource::default() })
    }
    fn may_speak_for(&self, _agent_id: &str, _object: &str) -> bool {
        true
    }
    fn roll_up(&self, _changes: &[StateChange]) -> Vec<StateChange> {
        Vec::new()
    }
}

#[async_trait]
impl DiscoveryIntake for BuiltIn {
    async fn discovered(&self, _: &mut Changes, _: &str, _: &DiscoveryData, _: i64) -> Result<Intake, StateError> {
        Ok(Intake::default())
    }
}

/// Computers called `up…` answer.
struct Names;

#[async_trait]
impl Probe for Names {
    async fn answers(&self, computer: &str, _address: Option<IpAddr>) -> bool {
        computer.starts_with("up")
    }
}

async fn open_alerts(state: &State) -> Vec<(String, String)> {
    let open = AlertFilter { open: true, ..AlertFilter::default() };
    let mut alerts: Vec<_> = state
        .alerts(&open)
        .await
        .unwrap()
        .into_iter()
        .map(|alert| (alert.monitoring_object_display_name, alert.name))
        .collect();
    alerts.sort();
    alerts
}

fn watchers(state: &State) -> Watchers {
    let catalogue = Arc::new(BuiltIn);
    let maintenance = Arc::new(MaintenanceIndex::default());
    let operational = Operational::start(state.clone(), "s", "G", catalogue.clone(), catalogue, maintenance);
    Watchers::new(operational, Arc::new(Names), HeartbeatSettings::default(), Duration::from_secs(90), 0)
}

fn named(name: &str) -> WatchedAgent {
    WatchedAgent { computer: name.into(), watcher: name.into(), ..WatchedAgent::default() }
}

#[tokio::test]
async fn a_dead_agent_has_one_alert_a_dead_computer_two_and_both_close_on_return() {
    stores::each(|place| async move {
        let state = State::open(&place.url, &place.key).await.unwrap();
        let watchers = watchers(&state);
        for name in ["up", "down", "well"] {
            watchers.watch(name, named(name), false, 0);
        }
        for minute in 0..=5 {
            watchers.heartbeat("well", None, minute * MINUTE);
            watchers.pass(minute * MINUTE, 1 + minute as i64).await.unwrap();
            assert_eq!(open_alerts(&state).await.is_empty(), minute < 4, "minute {minute}");
        }
        let alert = |name: &str, alert: &str| (name.to_owned(), alert.to_owned());
        let expected = [
            alert("down", "Failed to Connect to Computer"),
            alert("down", "Health Service Heartbeat Failure"),
            alert("up", "Health Service Heartbeat Failure"),
        ];
        assert_eq!(open_alerts(&state).await, expected);
        watchers.heartbeat("down", None, 6 * MINUTE);
        watchers.pass(6 * MINUTE, 10).await.unwrap();
        assert_eq!(open_alerts(&state).await, expected[2..]);
        // a server that stood still for an hour blames nobody
        watchers.pass(66 * MINUTE, 20).await.unwrap();
        watchers.pass(67 * MINUTE, 21).await.unwrap();
        assert_eq!(open_alerts(&state).await, expected[2..]);
    })
    .await;
}

#[tokio::test]
async fn thousands_of_agents_behind_a_cut_are_written_in_groups() {
    stores::each(|place| async move {
        let state = State::open(&place.url, &place.key).await.unwrap();
        let watchers = watchers(&state);
        for number in 0..1500 {
            let name = format!("up{number}");
            watchers.watch(&name, named(&name), false, 0);
        }
        let begun = Instant::now();
        for minute in 1..=4 {
            watchers.pass(minute * MINUTE, 1 + minute as i64).await.unwrap();
        }
        assert_eq!(open_alerts(&state).await.len(), 1500);
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    })
    .await;
}

#[tokio::test]
async fn a_refused_connection_is_an_answer_and_an_unknown_name_is_none() {
    let loopback = Some(IpAddr::from([127, 0, 0, 1]));
    assert!(NetworkProbe::default().answers("localhost", loopback).await);
    assert!(!NetworkProbe::default().answers("no-such-host.invalid", None).await);
}
