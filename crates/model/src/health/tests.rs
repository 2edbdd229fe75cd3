use proptest::prelude::*;

use super::*;

use HealthState::{Error, Success, Uninitialized, Warning};

/// Of a cheap hash: tests make many.
fn identity(name: &str) -> uuid::Uuid {
    let fold = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    uuid::Uuid::from_u128(name.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, fold))
}

fn object(name: impl ToString) -> ObjectId {
    ObjectId(identity(&name.to_string()))
}

fn key(name: impl ToString, monitor: &str) -> Key {
    Key { object: object(name), monitor: ElementId(identity(monitor)) }
}

fn rollup(algorithm: Algorithm) -> Kind {
    Kind::Rollup { algorithm, in_maintenance: MemberRule::Ignore, unavailable: MemberRule::Ignore }
}

#[test]
fn algorithms_give_the_documented_states() {
    use Algorithm::{BestOf, Percentage, WorstOf};
    for (algorithm, counts, expected) in [
        (WorstOf, [0, 0, 0], Uninitialized),
        (WorstOf, [5, 0, 0], Success),
        (WorstOf, [5, 1, 0], Warning),
        (WorstOf, [5, 0, 1], Error),
        (BestOf, [1, 3, 3], Success),
        (BestOf, [0, 3, 3], Warning),
        (BestOf, [0, 0, 3], Error),
        (Percentage(60), [6, 0, 4], Success),
        (Percentage(61), [6, 0, 4], Error),
        (Percentage(70), [6, 1, 3], Warning),
        (Percentage(100), [9, 0, 1], Error),
        (Percentage(0), [1, 0, 9], Success),
        (Percentage(50), [0, 0, 1], Error),
    ] {
        assert_eq!(algorithm.roll_up(counts), expected, "{algorithm:?} {counts:?}");
    }
}

/// host(entity ← availability ← unit); group(dependency on hosts' entity)
fn pyramid(health: &mut Health, members: usize) {
    health.add(key("group", "dependency"), rollup(Algorithm::WorstOf), 0);
    health.add(key("group", "entity"), rollup(Algorithm::WorstOf), 0);
    health.add_member(key("group", "entity"), key("group", "dependency"), 0).unwrap();
    for member in 0..members {
        health.add(key(member, "unit"), Kind::Unit, 0);
        for monitor in ["availability", "entity"] {
            health.add(key(member, monitor), rollup(Algorithm::WorstOf), 0);
        }
        health.add_member(key(member, "availability"), key(member, "unit"), 0).unwrap();
        health.add_member(key(member, "entity"), key(member, "availability"), 0).unwrap();
        health.add_member(key("group", "dependency"), key(member, "entity"), 0).unwrap();
    }
}

#[test]
fn a_change_among_fifty_thousand_objects_visits_only_what_lies_above_it() {
    let mut health = Health::default();
    pyramid(&mut health, 50_000);
    for member in 0..50_000 {
        health.set_state(key(member, "unit"), Success, 1);
    }
    let before = health.visits();
    let changes = health.set_state(key(777, "unit"), Error, 2);
    assert_eq!(changes.len(), 5, "unit, availability, entity, dependency, entity of the group");
    assert_eq!(health.visits() - before, 5);
    assert_eq!(health.state(key("group", "entity")), Some((Error, 2)));
    // a second red one changes the group no more, one that heals leaves it red
    let before = health.visits();
    assert_eq!(health.set_state(key(778, "unit"), Error, 3).len(), 3);
    assert_eq!(health.set_state(key(777, "unit"), Success, 4).len(), 3);
    assert_eq!(health.visits() - before, 8);
    assert_eq!(health.state(key("group", "entity")), Some((Error, 2)));
    assert_eq!(health.set_state(key(778, "unit"), Success, 5).len(), 5);
}

#[test]
fn changes_name_their_cause_and_explanations_lead_to_the_units() {
    let mut health = Health::default();
    pyramid(&mut health, 3);
    for member in 0..3 {
        health.set_state(key(member, "unit"), Success, 1);
    }
    let changes = health.set_state(key(1, "unit"), Error, 5);
    let causes: Vec<Option<Key>> = changes.iter().map(|change| change.cause).collect();
    let expected = [None, Some(key(1, "unit")), Some(key(1, "availability")), Some(key(1, "entity"))];
    assert_eq!(causes[..4], expected);
    health.set_state(key(2, "unit"), Error, 7);
    let why = health.explain(key("group", "entity"), 1).unwrap();
    assert_eq!((why.state, why.since), (Error, 5));
    let mut way = Vec::new();
    let mut at = &why;
    while let Some(next) = at.members.first() {
        way.push(next.key);
        at = next;
    }
    let expected = [key("group", "dependency"), key(1, "entity"), key(1, "availability"), key(1, "unit")];
    assert_eq!(way, expected, "the longest red one");
    assert_eq!(why.members[0].more, 1);
    assert!(health.explain(key("nothing", "entity"), 1).is_none());
}

#[test]
fn overlays_count_as_the_dependency_says() {
    let maintenance = Overlay { maintenance: true, out_of_contact: false };
    let lost = Overlay { maintenance: false, out_of_contact: true };
    for (in_maintenance, unavailable, overlay, expected) in [
        (MemberRule::Ignore, MemberRule::Ignore, Overlay::default(), Error),
        (MemberRule::Ignore, MemberRule::Ignore, maintenance, Success),
        (MemberRule::As(Warning), MemberRule::As(Error), maintenance, Warning),
        (MemberRule::As(Uninitialized), MemberRule::Ignore, maintenance, Success),
        (MemberRule::Ignore, MemberRule::Ignore, lost, Success),
        (MemberRule::Ignore, MemberRule::As(Warning), lost, Warning),
    ] {
        let mut health = Health::default();
        let kind = Kind::Rollup { algorithm: Algorithm::WorstOf, in_maintenance, unavailable };
        health.add(key("group", "dependency"), kind, 0);
        for (member, state) in [("a", Success), ("b", Error)] {
            health.add(key(member, "unit"), Kind::Unit, 0);
            health.add_member(key("group", "dependency"), key(member, "unit"), 0).unwrap();
            health.set_state(key(member, "unit"), state, 1);
        }
        health.set_overlay(object("b"), overlay, 2);
        let state = health.state(key("group", "dependency")).unwrap().0;
        assert_eq!(state, expected, "{in_maintenance:?} {unavailable:?} {overlay:?}");
        health.set_overlay(object("b"), Overlay::default(), 3);
        assert_eq!(health.state(key("group", "dependency")).unwrap().0, Error);
    }
}

#[test]
fn in_maintenance_units_keep_their_states_and_roll_ups_are_suppressed() {
    let mut health = Health::default();
    pyramid(&mut health, 2);
    health.set_state(key(0, "unit"), Success, 1);
    health.set_overlay(object(0), Overlay { maintenance: true, out_of_contact: false }, 2);
    assert_eq!(health.set_state(key(0, "unit"), Error, 3), []);
    health.set_overlay(object("group"), Overlay { maintenance: true, out_of_contact: false }, 2);
    let changes = health.set_state(key(1, "unit"), Error, 4);
    assert!(changes.iter().all(|change| change.suppressed == (change.key.object == object("group"))), "{changes:?}");
}

#[test]
fn a_roll_up_that_would_contain_itself_is_refused_until_it_no_longer_would() {
    let mut health = Health::default();
    for name in ["a", "b", "c"] {
        health.add(key(name, "roll"), rollup(Algorithm::WorstOf), 0);
        health.add(key(name, "unit"), Kind::Unit, 0);
        health.add_member(key(name, "roll"), key(name, "unit"), 0).unwrap();
    }
    health.add_member(key("a", "roll"), key("b", "roll"), 0).unwrap();
    health.add_member(key("b", "roll"), key("c", "roll"), 0).unwrap();
    assert!(health.add_member(key("c", "roll"), key("a", "roll"), 0).is_err());
    assert!(health.add_member(key("a", "roll"), key("a", "roll"), 0).is_err());
    health.set_state(key("a", "unit"), Error, 1);
    assert_eq!(health.state(key("c", "roll")).unwrap().0, Uninitialized);
    health.set_state(key("a", "unit"), Success, 2);
    assert_eq!(health.state(key("a", "roll")).unwrap().0, Success, "nothing stays red by itself");
    health.set_state(key("a", "unit"), Error, 3);
    let changes = health.remove_member(key("a", "roll"), key("b", "roll"), 4);
    assert!(changes.iter().any(|change| change.key == key("c", "roll") && change.after == Error), "{changes:?}");
    assert_eq!(health.refused().count(), 1, "only the one into itself");
}

#[test]
fn what_goes_no_longer_counts() {
    let mut health = Health::default();
    pyramid(&mut health, 2);
    health.set_state(key(0, "unit"), Error, 1);
    health.set_state(key(1, "unit"), Success, 1);
    let changes = health.remove_object(object(0), 2);
    let ends: Vec<(Key, HealthState)> = changes.iter().map(|change| (change.key, change.after)).collect();
    assert_eq!(ends.last(), Some(&(key("group", "entity"), Success)), "{changes:?}");
    assert_eq!(health.states(object(0)).count(), 0);
}

/// From units and overlays to all states, without memory.
fn naive(health: &Health) -> HashMap<Key, HealthState> {
    fn state(health: &Health, key: Key, known: &mut HashMap<Key, HealthState>) -> HealthState {
        if let Some(state) = known.get(&key) {
            return *state;
        }
        let node = &health.nodes[&key];
        let computed = match node.kind {
            Kind::Unit => node.state,
            Kind::Rollup { algorithm, in_maintenance, unavailable } => {
                let mut counted = Vec::new();
                for member in node.members.keys() {
                    let own = state(health, *member, known);
                    let overlay = health.overlay(member.object);
                    let other = member.object != key.object;
                    let counts = match (other && overlay.maintenance, other && overlay.out_of_contact) {
                        (true, _) => match in_maintenance {
                            MemberRule::As(state) => state,
                            _ => continue,
                        },
                        (false, true) => match unavailable {
                            MemberRule::As(state) => state,
                            MemberRule::Ignore => continue,
                        },
                        _ => own,
                    };
                    if counts != Uninitialized {
                        counted.push(counts);
                    }
                }
                counted.sort();
                match algorithm {
                    _ if counted.is_empty() => Uninitialized,
                    Algorithm::WorstOf => *counted.last().unwrap(),
                    Algorithm::BestOf => counted[0],
                    Algorithm::Percentage(percent) => {
                        let best = (counted.len() as f64 * f64::from(percent) / 100.0).ceil().max(1.0) as usize;
                        counted[best - 1]
                    }
                }
            }
        };
        known.insert(key, computed);
        computed
    }
    let mut known = HashMap::new();
    for key in health.nodes.keys() {
        state(health, *key, &mut known);
    }
    known
}

#[derive(Debug, Clone)]
enum Step {
    State(usize, HealthState),
    Overlay(usize, Overlay),
    Member(usize, usize),
    Unmember(usize, usize),
    Remove(usize),
    Add(usize, usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let state = proptest::sample::select(vec![Uninitialized, Success, Warning, Error]);
    prop_oneof![
        4 => (0..12_usize, state).prop_map(|(at, state)| Step::State(at, state)),
        2 => (0..12_usize, any::<bool>(), any::<bool>())
            .prop_map(|(at, maintenance, out_of_contact)| Step::Overlay(at, Overlay { maintenance, out_of_contact })),
        4 => (0..12_usize, 0..24_usize).prop_map(|(of, member)| Step::Member(of, member)),
        1 => (0..12_usize, 0..24_usize).prop_map(|(of, member)| Step::Unmember(of, member)),
        1 => (0..24_usize).prop_map(Step::Remove),
        1 => (0..24_usize, 0..6_usize).prop_map(|(at, kind)| Step::Add(at, kind)),
    ]
}

fn node(at: usize) -> Key {
    if at < 12 { key(at, "roll") } else { key(at - 12, "unit") }
}

fn kind(choice: usize) -> Kind {
    let algorithm = [Algorithm::WorstOf, Algorithm::BestOf, Algorithm::Percentage(60)][choice % 3];
    let (in_maintenance, unavailable) = if choice < 3 {
        (MemberRule::Ignore, MemberRule::As(Error))
    } else {
        (MemberRule::As(Warning), MemberRule::Ignore)
    };
    Kind::Rollup { algorithm, in_maintenance, unavailable }
}

proptest! {
    #[test]
    fn incremental_states_are_those_of_a_full_roll_up(steps in proptest::collection::vec(any_step(), 1..80)) {
        let mut health = Health::default();
        for at in 0..24 {
            health.add(node(at), if at < 12 { kind(at % 6) } else { Kind::Unit }, 0);
        }
        let mut shown: HashMap<Key, HealthState> = HashMap::new();
        for (time, step) in steps.into_iter().enumerate() {
            let time = time as i64 + 1;
            let changes = match step {
                Step::State(at, state) => health.set_state(node(at + 12), state, time),
                Step::Overlay(at, overlay) => health.set_overlay(object(at), overlay, time),
                Step::Member(of, member) => health.add_member(node(of), node(member), time).unwrap_or_default(),
                Step::Unmember(of, member) => health.remove_member(node(of), node(member), time),
                Step::Remove(at) => {
                    shown.remove(&node(at));
                    health.remove(node(at), time)
                }
                Step::Add(at, choice) => health.add(node(at), if at < 12 { kind(choice) } else { Kind::Unit }, time),
            };
            // the reported changes are complete, and nothing changes twice in one step
            let mut seen = HashSet::new();
            for change in changes {
                prop_assert_eq!(shown.insert(change.key, change.after).unwrap_or_default(), change.before);
                prop_assert!(seen.insert(change.key) || !health.refused.is_empty() || matches!(step, Step::Remove(_) | Step::Unmember(..)));
            }
            for (key, state) in naive(&health) {
                prop_assert_eq!(health.state(key).unwrap().0, state);
                prop_assert_eq!(shown.get(&key).copied().unwrap_or_default(), state);
            }
        }
    }
}

#[test]
fn monitors_follow_the_instance_space_as_if_built_anew() {
    use crate::objects::tests::{World, class, instance};
    use crate::objects::{Classes, Discovered, End, LinkInstance, Mode, Objects, Source};

    let unit = |target: &str, parent: &str| RollupMonitor {
        target: class(target),
        parent: Some(class(parent)),
        kind: MonitorKind::Unit,
    };
    let aggregate =
        RollupMonitor { target: class("Entity"), parent: None, kind: MonitorKind::Aggregate(Algorithm::WorstOf) };
    let dependency = |target: &str, relationship: &str| RollupMonitor {
        target: class(target),
        parent: Some(class("entity")),
        kind: MonitorKind::Dependency {
            relationship: class(relationship),
            member: class("entity"),
            algorithm: Algorithm::WorstOf,
            in_maintenance: MemberRule::Ignore,
            unavailable: MemberRule::Ignore,
        },
    };
    let monitors = Monitors::new([
        (class("entity"), aggregate),
        (class("disk unit"), unit("Disk", "entity")),
        (class("server unit"), unit("Server", "entity")),
        (class("disks"), dependency("Computer", "Hosts")),
        (class("members"), dependency("Group", "Contains")),
    ]);
    let enabled = |_: ObjectId, _: ElementId| true;
    let mut space = Objects::default();
    let mut health = Health::default();
    let source = |name: &str| Source { discovery: class(name), target: object(name) };
    let computer = instance("Computer", &[("Name", "a")]);
    let server = instance("Server", &[("Name", "a")]);
    let disk = instance("Disk", &[("Computer.Name", "a"), ("Disk.Name", "sda")]);
    let group = End::Instance(instance("Group", &[]));
    let link = LinkInstance { kind: class("Contains"), source: group, target: End::Instance(computer.clone()) };
    let of = |instances: Vec<crate::objects::Instance>| Discovered { instances, links: vec![] };
    let added = space.add_singleton(&World, class("Group"), 0).unwrap();
    monitors.follow(&mut health, &[added], &space, &World, &enabled, 0);
    let group = World.singleton(class("Group"));
    let red = |health: &Health| health.state(Key { object: group, monitor: class("entity") }).unwrap().0;
    let steps: [(&str, Discovered, HealthState); 6] = [
        ("computers", of(vec![computer.clone()]), Uninitialized),
        ("disks", of(vec![disk]), Uninitialized),
        ("groups", Discovered { instances: vec![], links: vec![link] }, Error),
        ("servers", of(vec![server]), Error),
        ("disks", of(vec![]), Uninitialized),
        ("computers", of(vec![]), Uninitialized),
    ];
    for (time, (name, discovered, expected)) in steps.into_iter().enumerate() {
        let time = time as i64;
        let applied = space.apply(&World, source(name), &discovered, Mode::Snapshot, time);
        assert_eq!(applied.rejected, []);
        monitors.follow(&mut health, &applied.changes, &space, &World, &enabled, time);
        for disk in space.of_class(class("Disk"), &World) {
            health.set_state(Key { object: disk, monitor: class("disk unit") }, Error, time);
        }
        assert_eq!(red(&health), expected, "{name} at {time}");
        let anew = monitors.build(&space, &World, &enabled, 0);
        let shape = |health: &Health| {
            let members = |node: &Node| node.members.keys().copied().collect::<BTreeSet<Key>>();
            health.nodes.iter().map(|(key, node)| (*key, members(node))).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(shape(&health), shape(&anew), "{name} at {time}");
    }
    let only_group = |_: ObjectId, monitor: ElementId| monitor != class("members");
    monitors.refresh(&mut health, group, &space, &World, &only_group, 9);
    assert_eq!(health.states(group).count(), 1, "an override took the dependency monitor off");
}
