//! Groups by rule over the operational store: members follow objects, overrides and roll-ups follow members.
#![allow(clippy::unwrap_used)]

#[path = "../../state/tests/stores/mod.rs"]
mod stores;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use watchkeeper_management::group::{AgentMachine, Group, Own};
use watchkeeper_management::maintenance::MaintenanceIndex;
use watchkeeper_management::operational::{Catalogue, DiscoveryIntake};
use watchkeeper_management::schedules::{NewSchedule, Recurring};
use watchkeeper_management::{AgentIdentity, Operational};
use watchkeeper_model::health::Key;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::maintenance::{Recurrence, Schedule};
use watchkeeper_model::workflow::HealthState;
use watchkeeper_state::{AlertFilter, MonitorOf, Override, Pack, State, StateChange};
use watchkeeper_wire::proto::operational_item::Item;
use watchkeeper_wire::proto::{self, DiscoveredInstance, DiscoveredProperty, DiscoveryData, OperationalItem};

const PACK: &str = include_str!("packs/Test.Groups.xml");

fn element(name: &str) -> ElementId {
    ElementId::of("Test.Groups", name)
}

fn web() -> ObjectId {
    ObjectId::of(element("Test.Groups.Web"), [])
}

async fn import(state: &State, content: &str) {
    let mut changes = state.change().await.unwrap();
    let pack = Pack {
        pack_id: "Test.Groups".into(),
        version: "1.0.0.0".into(),
        form: "xml".into(),
        content: content.into(),
        name: "Groups by rule".into(),
        sealed: false,
        imported_at: 1,
        imported_by: "test".into(),
    };
    changes.put_pack(&pack).await.unwrap();
    changes.commit().await.unwrap();
}

async fn open(place: &stores::Place) -> Group {
    let state = State::open(&place.url, &place.key).await.unwrap();
    import(&state, PACK).await;
    reopen(&state).await
}

async fn reopen(state: &State) -> Group {
    let own = Own { management_group: "Works".into(), server_id: "server".into() };
    Group::open(state.clone(), own).await.unwrap()
}

async fn join(group: &Group, agent: &str, computer: &str) -> ObjectId {
    let machine = AgentMachine { computer: computer.into(), os_name: "Debian".into(), agent_version: "1".into() };
    group.agent_seen(agent, &machine).await.unwrap();
    group.read().agent(agent).unwrap().computer
}

fn members(group: &Group, of: ObjectId) -> Vec<String> {
    group.read().members(of, false).into_iter().map(|member| member.name).collect()
}

async fn stored(state: &State, of: ObjectId) -> BTreeSet<String> {
    let all = state.relationships().await.unwrap();
    all.into_iter().filter(|link| link.source == of.to_string()).map(|link| link.target).collect()
}

fn availability(group: &Group, object: ObjectId) -> HealthState {
    let monitor = ElementId::of("System.Health.Library", "System.Health.AvailabilityState");
    group.read().health.state(Key { object, monitor }).unwrap().0
}

fn runs(group: &Group, agent: &str) -> bool {
    let workflows = group.workflows_of(agent, &[]).0.workflows;
    workflows.iter().any(|workflow| workflow.element_id == element("Test.Groups.Monitor"))
}

#[tokio::test]
async fn members_follow_objects_and_overrides_and_roll_ups_follow_members() {
    stores::each(|place| async move {
        let group = open(&place).await;
        assert_eq!(members(&group, web()), [] as [&str; 0]);
        let one = join(&group, "a", "web1.example").await;
        join(&group, "b", "db1.example").await;
        assert_eq!(members(&group, web()), ["web1.example"]);
        let all = ObjectId::of(element("Test.Groups.All"), []);
        // a group of the groups that contain a computer
        assert_eq!(group.read().members(all, false).iter().map(|member| member.id).collect::<Vec<_>>(), [web()]);
        assert_eq!(group.read().members(all, true).len(), 2);
        assert_eq!(stored(group.state(), web()).await, BTreeSet::from([one.to_string()]));

        // the monitor is off, and on for the members of the group
        assert!(runs(&group, "a") && !runs(&group, "b"));
        let workflows = group.workflows_of("a", &[]).0.workflows;
        let monitor = workflows.iter().find(|workflow| workflow.element_id == element("Test.Groups.Monitor"));
        assert!(serde_json::to_string(monitor.unwrap()).unwrap().contains("# of Works"), "the management group's name");
        let change = StateChange {
            of: MonitorOf { object_id: one.to_string(), monitor_id: element("Test.Groups.Monitor").to_string() },
            changed_at: 5,
            old_health: 0,
            new_health: 3,
            state: "Full".into(),
            context: String::new(),
        };
        group.roll_up(std::slice::from_ref(&change));
        assert_eq!(availability(&group, web()), HealthState::Error);

        // after a restart the members are the same, and nothing more is written
        let again = reopen(group.state()).await;
        assert_eq!(members(&again, web()), ["web1.example"]);

        // the computer goes: the group has no member and no state
        group.agent_removed("a").await.unwrap();
        assert_eq!(members(&group, web()), [] as [&str; 0]);
        assert!(stored(group.state(), web()).await.is_empty());
        assert!(stored(group.state(), all).await.is_empty());
        assert_eq!(availability(&group, web()), HealthState::Uninitialized);

        // a rule that changes with its pack changes what is stored
        import(group.state(), &PACK.replace("^web", "^db")).await;
        group.reload().await.unwrap();
        assert_eq!(members(&group, web()), ["db1.example"]);
        assert_eq!(stored(group.state(), web()).await.len(), 1);
        assert!(runs(&group, "b"));
    })
    .await;
}

fn start(group: &Group) -> Operational {
    let (catalogue, discovery) = (Arc::new(group.clone()), Arc::new(group.clone()));
    let maintenance = Arc::new(MaintenanceIndex::default());
    Operational::start(group.state().clone(), "server", "Works", catalogue, discovery, maintenance)
}

async fn says(operational: &Operational, agent: &str, sequence: u64, object: ObjectId, health: u32) {
    let change = proto::StateChange {
        monitor: element("Test.Groups.Monitor").to_string(),
        object: object.to_string(),
        operational_state: format!("s{health}"),
        health,
        ..proto::StateChange::default()
    };
    let item = OperationalItem { time: 0, item: Some(Item::StateChange(change)) };
    let identity = AgentIdentity { agent_id: agent.into(), computer: agent.into(), queue: "q".into() };
    operational.apply(&identity, sequence, vec![item]).await.unwrap();
}

#[tokio::test]
async fn overrides_change_roll_ups_and_alerts_of_objects_that_went_are_closed() {
    stores::each(|place| async move {
        let group = open(&place).await;
        let operational = start(&group);
        let one = join(&group, "a", "web1.example").await;
        let two = join(&group, "b", "web2.example").await;
        says(&operational, "a", 1, one, 3).await;
        says(&operational, "b", 1, two, 1).await;
        assert_eq!(availability(&group, web()), HealthState::Error, "the worst of both");
        let best = Override {
            override_id: "best".into(),
            kind: "MonitorPropertyOverride".into(),
            element: "Test.Groups!Test.Groups.OfMembers".into(),
            context: "Test.Groups!Test.Groups.Web".into(),
            parameter: "Algorithm".into(),
            value: "BestOf".into(),
            ..Override::default()
        };
        let mut changes = group.state().change().await.unwrap();
        changes.put_override(&best).await.unwrap();
        changes.commit().await.unwrap();
        operational.rolled_up(group.reload().await.unwrap()).await.unwrap();
        assert_eq!(availability(&group, web()), HealthState::Success, "the best of both");

        let open = AlertFilter { open: true, ..AlertFilter::default() };
        let [alert] = group.state().alerts(&open).await.unwrap().try_into().unwrap();
        assert_eq!(operational.close_orphaned(9).await.unwrap(), 0, "its object is there");
        group.take_gone();
        operational.rolled_up(group.agent_removed("a").await.unwrap()).await.unwrap();
        assert!(group.take_gone());
        assert_eq!(operational.close_orphaned(10).await.unwrap(), 1);
        assert!(group.state().alerts(&open).await.unwrap().is_empty());
        let closed = group.state().alert(&alert.id).await.unwrap().unwrap();
        assert_eq!((closed.resolved_by.as_str(), closed.time_resolved), ("System", 10));
        let history = group.state().alert_history(&alert.id).await.unwrap();
        assert!(history.iter().any(|entry| entry.comment == "closed: its object is no longer discovered"));
    })
    .await;
}

#[tokio::test]
async fn a_schedule_makes_windows_when_their_time_comes() {
    const MINUTE: i64 = 60_000_000;
    stores::each(|place| async move {
        let group = open(&place).await;
        let operational = start(&group);
        let one = join(&group, "a", "web1.example").await.to_string();
        let day = 20_000 * 1440 * MINUTE;
        // every second day at 02:00 UTC
        let schedule = Schedule {
            start: day / 1_000_000 + 7200,
            minutes: 30,
            recurrence: Recurrence::Daily { every: 2 },
            until: None,
        };
        let new = NewSchedule {
            name: "nights".into(),
            objects: vec![one.clone()],
            recursive: true,
            recurring: Recurring { schedule, zone: "UTC".into() },
            reason: "PlannedOther".into(),
            comments: String::new(),
            created_by: "anna".into(),
        };
        let first = day + 120 * MINUTE;
        assert_eq!(operational.add_schedule(new.clone(), day).await.unwrap().next_at, first);
        assert!(operational.add_schedule(new, day).await.is_err(), "the name is taken");
        assert_eq!(operational.turn_schedules(first - 1).await.unwrap(), 0);
        assert_eq!(operational.turn_schedules(first).await.unwrap(), 1);
        assert_eq!(operational.turn_schedules(first + MINUTE).await.unwrap(), 0, "once");
        let windows = group.state().maintenance_windows(first).await.unwrap();
        assert_eq!(windows.len(), 1);
        assert_eq!((windows[0].starts_at, windows[0].ends_at), (first, first + 30 * MINUTE));
        assert_eq!((windows[0].object_id.as_str(), windows[0].recursive), (one.as_str(), true));
        // the next was slept through, the one after is late
        let late = first + 4 * 1440 * MINUTE + 10 * MINUTE;
        assert_eq!(operational.turn_schedules(late).await.unwrap(), 1);
        let windows = group.state().maintenance_windows(late).await.unwrap();
        assert_eq!(windows.iter().map(|window| window.starts_at).collect::<Vec<_>>(), [late - 10 * MINUTE]);
        assert!(operational.remove_schedule("nights", late).await.unwrap());
        assert!(group.state().maintenance_schedules().await.unwrap().is_empty());
    })
    .await;
}

fn parts(agent: &str, computer: &str, count: usize, size: &str) -> DiscoveryData {
    let property = |name: &str, value: &str| DiscoveredProperty { name: name.into(), value: value.into() };
    let instance = |number: usize| DiscoveredInstance {
        class: element("Test.Groups.Part").to_string(),
        properties: vec![
            property("PrincipalName", computer),
            property("Name", &format!("part{number}")),
            property("Size", if number == 0 { size } else { "1" }),
        ],
        ..DiscoveredInstance::default()
    };
    DiscoveryData {
        discovery: element("Test.Groups.Parts").to_string(),
        target: ObjectId::of(element("Test"), [agent]).to_string(),
        instances: (0..count).map(instance).collect(),
        snapshot: true,
        ..DiscoveryData::default()
    }
}

async fn discover(group: &Group, agent: &str, data: &DiscoveryData, at: i64) {
    let mut changes = group.state().change().await.unwrap();
    let intake = group.discovered(&mut changes, agent, data, at).await.unwrap();
    assert_eq!(intake.rejected, [] as [&str; 0]);
    changes.commit().await.unwrap();
}

/// Asserts whom a change touches, and prints what it costs. `WATCHKEEPER_OBJECTS=50000` measures with so many objects.
#[tokio::test]
async fn a_change_touches_the_configuration_of_its_agent_alone() {
    const PARTS: usize = 200;
    let objects = std::env::var("WATCHKEEPER_OBJECTS").map_or(4_000, |text| text.parse::<usize>().unwrap());
    let agents = objects / PARTS;
    let place = stores::sqlite();
    let group = open(&place).await;
    let name = |number: usize| (format!("agent{number}"), format!("web{number}.example"));
    for number in 0..agents {
        let (agent, computer) = name(number);
        join(&group, &agent, &computer).await;
        discover(&group, &agent, &parts(&agent, &computer, PARTS, "1"), 1).await;
    }
    assert!(group.read().objects.len() > agents * PARTS);
    let all: Vec<String> = (0..agents).map(|number| name(number).0).collect();
    let ask = || group.take_stale(|| all.to_vec(), |agent| all.iter().any(|one| one == agent));
    assert_eq!(ask().len(), agents, "everybody needs the first");
    assert_eq!(ask(), [] as [&str; 0]);

    let (agent, computer) = name(7);
    let before = Instant::now();
    discover(&group, &agent, &parts(&agent, &computer, PARTS, "2"), 2).await;
    let applied = before.elapsed();
    let touched = ask();
    assert_eq!(touched, [agent.as_str()]);
    let before = Instant::now();
    let objects = group.read().managed_by(&agent).len();
    let found = before.elapsed();
    assert!(objects > PARTS && objects < 2 * PARTS, "{objects}");
    let before = Instant::now();
    let workflows = group.workflows_of(&agent, &[]).0.workflows.len();
    println!(
        "{} objects: a property's change applied in {applied:?}; the agent's {objects} objects found in {found:?}, \
         its {workflows} workflows compiled in {:?}",
        group.read().objects.len(),
        before.elapsed()
    );
    // what the same agent says again touches nobody
    discover(&group, &agent, &parts(&agent, &computer, PARTS, "2"), 3).await;
    assert_eq!(ask(), [] as [&str; 0]);
}
