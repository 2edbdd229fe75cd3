//! Groups by rule over the operational store: members follow objects, overrides and roll-ups follow members.
#![allow(clippy::unwrap_used)]

#[path = "../../state/tests/stores/mod.rs"]
mod stores;

use std::collections::BTreeSet;
use std::time::Instant;

use watchkeeper_management::group::{AgentMachine, Group, Own};
use watchkeeper_management::operational::{Catalogue, DiscoveryIntake};
use watchkeeper_model::health::Key;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::workflow::HealthState;
use watchkeeper_state::{MonitorOf, Pack, State, StateChange};
use watchkeeper_wire::proto::{DiscoveredInstance, DiscoveredProperty, DiscoveryData};

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
    let workflows = group.workflows_of(agent).workflows;
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
        let workflows = group.workflows_of("a").workflows;
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
    let ask = || group.take_stale(all.iter().map(String::as_str));
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
    let workflows = group.workflows_of(&agent).workflows.len();
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
