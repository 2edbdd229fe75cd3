use super::*;
use crate::node::Node;

/// Names are identities here; `Group` is a singleton, `Disk` is hosted by `Computer`, `Part` by `Disk`.
pub(crate) struct World;

pub(crate) fn class(name: &str) -> ElementId {
    ElementId::of("Test", name)
}

const NAMES: [&str; 13] = [
    "Entity", "Computer", "Server", "Disk", "Part", "System", "Linux", "Service", "Group", "Contains", "Knows",
    "Loose", "Hosts",
];

fn name_of(id: ElementId) -> &'static str {
    NAMES.into_iter().find(|name| class(name) == id).unwrap_or("?")
}

impl Classes for World {
    fn base(&self, id: ElementId) -> Option<ElementId> {
        match name_of(id) {
            "Entity" | "?" => None,
            "Server" => Some(class("Computer")),
            "Linux" => Some(class("System")),
            _ => Some(class("Entity")),
        }
    }

    fn name(&self, id: ElementId) -> String {
        name_of(id).to_owned()
    }

    fn is_known(&self, id: ElementId) -> bool {
        name_of(id) != "?"
    }

    fn host(&self, id: ElementId) -> Option<ElementId> {
        match name_of(id) {
            "Disk" | "System" | "Linux" => Some(class("Computer")),
            "Part" => Some(class("Disk")),
            "Service" => Some(class("System")),
            _ => None,
        }
    }

    fn own_keys(&self, id: ElementId) -> Vec<String> {
        match name_of(id) {
            "Computer" | "Disk" | "Part" | "Service" => vec!["Name".to_owned()],
            _ => Vec::new(),
        }
    }

    fn is_abstract(&self, id: ElementId) -> bool {
        matches!(name_of(id), "Entity" | "System")
    }

    fn is_singleton(&self, id: ElementId) -> bool {
        name_of(id) == "Group"
    }

    fn property(&self, id: ElementId) -> Option<(ElementId, String)> {
        let name = NAMES.into_iter().find(|name| class(&format!("{name}/Name")) == id)?;
        Some((class(name), "Name".to_owned()))
    }

    fn relationship(&self, id: ElementId) -> Option<RelationshipFacts> {
        let (kind, source, target) = match name_of(id) {
            "Hosts" => (LinkKind::Hosting, "Computer", "Disk"),
            "Contains" => (LinkKind::Containment, "Group", "Entity"),
            "Knows" => (LinkKind::Reference, "Computer", "Computer"),
            _ => return None,
        };
        Some(RelationshipFacts { kind, source: class(source), target: class(target) })
    }
}

pub(crate) fn instance(name: &str, keys: &[(&str, &str)]) -> Instance {
    let property = |(key, value): &(&str, &str)| match key.split_once('.') {
        Some((owner, key)) => Setting { class: Some(class(owner)), name: key.to_owned(), value: (*value).to_owned() },
        None => Setting { class: None, name: (*key).to_owned(), value: (*value).to_owned() },
    };
    Instance { class: class(name), properties: keys.iter().map(property).collect() }
}

fn source(discovery: &str) -> Source {
    Source { discovery: class(discovery), target: ObjectId::of(class("Target"), [discovery]) }
}

fn of(instances: Vec<Instance>) -> Discovered {
    Discovered { instances, links: Vec::new() }
}

fn disk(computer: &str, name: &str) -> Instance {
    instance("Disk", &[("Computer.Name", computer), ("Disk.Name", name)])
}

fn kinds(applied: &Applied) -> String {
    let letter = |change: &Change| match change.kind {
        ChangeKind::Added { .. } => '+',
        ChangeKind::Classes { .. } => 'c',
        ChangeKind::Property { .. } => 'p',
        ChangeKind::Removed { .. } => '-',
        ChangeKind::Linked(_) => 'l',
        ChangeKind::Unlinked(_) => 'u',
    };
    assert_eq!(applied.rejected, [], "{applied:?}");
    applied.changes.iter().map(letter).collect()
}

#[test]
fn a_snapshot_removes_what_this_source_found_before_and_no_longer_finds() {
    let mut space = Objects::default();
    let computer = instance("Computer", &[("Name", "a.example")]);
    let found = of(vec![disk("a.example", "sda"), disk("a.example", "sdb"), computer.clone()]);
    assert_eq!(kinds(&space.apply(&World, source("one"), &found, Mode::Snapshot, 1)), "+++", "hosts are taken first");
    assert_eq!(kinds(&space.apply(&World, source("one"), &found, Mode::Snapshot, 2)), "", "the same changes nothing");
    let fewer = of(vec![computer.clone(), disk("A.EXAMPLE", "SDA")]);
    let applied = space.apply(&World, source("one"), &fewer, Mode::Snapshot, 3);
    assert_eq!(kinds(&applied), "p-", "identity is without case, the value is not: {applied:?}");
    // another source's snapshot leaves the rest alone
    assert_eq!(kinds(&space.apply(&World, source("two"), &of(vec![]), Mode::Snapshot, 4)), "");
    assert_eq!(space.len(), 2);
}

#[test]
fn an_object_stays_while_any_source_finds_it_with_what_the_others_say() {
    let mut space = Objects::default();
    let plain = instance("Computer", &[("Name", "a"), ("Owner", "x")]);
    let server = instance("Server", &[("Name", "a"), ("Role", "db"), ("Owner", "y")]);
    assert_eq!(kinds(&space.apply(&World, source("one"), &of(vec![plain]), Mode::Snapshot, 1)), "+");
    let applied = space.apply(&World, source("two"), &of(vec![server]), Mode::Snapshot, 2);
    assert_eq!(kinds(&applied), "ppc");
    let id = space.iter().next().unwrap().id;
    assert!(space.is_a(id, class("Server"), &World) && space.is_a(id, class("Computer"), &World));
    assert_eq!(space.of_class(class("Computer"), &World).len(), 1);
    assert_eq!(space.get(id).unwrap().properties["Owner"], "y");
    let again = of(vec![instance("Computer", &[("Name", "a"), ("Owner", "x")])]);
    assert_eq!(kinds(&space.apply(&World, source("one"), &again, Mode::Snapshot, 3)), "", "sources do not take turns");
    let applied = space.remove_source(&World, source("two"), 3);
    assert_eq!(kinds(&applied), "ppc");
    assert_eq!(space.get(id).unwrap().properties["Owner"], "x");
    assert_eq!(space.get(id).unwrap().classes, BTreeSet::from([class("Computer")]));
    assert_eq!(kinds(&space.remove_discovery(&World, class("one"), 4)), "-");
    assert!(space.is_empty() && space.found_by(source("one")).is_none());
}

#[test]
fn what_is_hosted_goes_with_its_host_whoever_found_it() {
    let mut space = Objects::default();
    let computers = of(vec![instance("Computer", &[("Name", "a")]), instance("Computer", &[("Name", "b")])]);
    space.apply(&World, source("computers"), &computers, Mode::Snapshot, 1);
    let part = instance("Part", &[("Computer.Name", "a"), ("Disk.Name", "sda"), ("Part.Name", "1")]);
    let disks = of(vec![disk("a", "sda"), disk("b", "sda"), part]);
    assert_eq!(kinds(&space.apply(&World, source("disks"), &disks, Mode::Snapshot, 1)), "+++");
    let only_b = of(vec![instance("Computer", &[("Name", "b")])]);
    assert_eq!(kinds(&space.apply(&World, source("computers"), &only_b, Mode::Snapshot, 2)), "---");
    assert_eq!(space.len(), 2);
    assert_eq!(space.found_by(source("disks")).unwrap().instances.len(), 1);
    let b = space.of_class(class("Computer"), &World).into_iter().next().unwrap();
    assert_eq!(space.with_hosted(b).len(), 2);
}

#[test]
fn what_discoveries_of_a_removed_object_found_goes_with_it() {
    let mut space = Objects::default();
    space.apply(&World, source("one"), &of(vec![instance("Computer", &[("Name", "a")])]), Mode::Snapshot, 1);
    let a = space.iter().next().unwrap().id;
    let by_a = Source { discovery: class("Knows"), target: a };
    space.apply(&World, by_a, &of(vec![instance("Computer", &[("Name", "b")])]), Mode::Snapshot, 1);
    assert_eq!(space.len(), 2);
    assert_eq!(kinds(&space.remove_source(&World, source("one"), 2)), "--");
    assert!(space.is_empty());
}

#[test]
fn data_that_cannot_be_placed_is_rejected_with_its_reason_and_the_rest_is_taken() {
    let mut space = Objects::default();
    let found = of(vec![
        instance("Computer", &[("Name", "a")]),
        instance("Nonsense", &[]),
        instance("Entity", &[]),
        instance("Group", &[]),
        instance("Computer", &[]),
        instance("Computer", &[("Name", " ")]),
        instance("Loose", &[("Name", "x")]),
        disk("unknown", "sda"),
        instance("Disk", &[("Disk.Name", "sda")]),
        // the computer's key cannot be guessed from the disk's
        instance("Disk", &[("Name", "a")]),
    ]);
    let applied = space.apply(&World, source("one"), &found, Mode::Snapshot, 1);
    assert_eq!(space.len(), 1);
    let mut problems: Vec<String> = applied.rejected.iter().map(ToString::to_string).collect();
    problems.sort();
    let expected = [
        "?: there is no such class; is its management pack imported?",
        "Computer: the key 'Name' of Computer is empty",
        "Computer: the key 'Name' of Computer is missing",
        "Disk: its host, a Computer (unknown), is not known",
        "Disk: the key 'Name' of Computer is missing",
        "Disk: the key 'Name' of Computer is missing",
        "Entity: the class is abstract: only classes derived from it have instances",
        "Group: the class is a singleton: its instance is not discovered",
        "Loose: the class has neither keys nor a host, so its instances cannot be told apart",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn a_host_without_keys_may_be_of_a_derived_class() {
    let mut space = Objects::default();
    let found = of(vec![
        instance("Computer", &[("Name", "a")]),
        instance("Linux", &[("Computer.Name", "a")]),
        instance("Service", &[("Computer.Name", "a"), ("Service.Name", "sshd")]),
    ]);
    assert_eq!(kinds(&space.apply(&World, source("one"), &found, Mode::Snapshot, 1)), "+++");
    let service = space.of_class(class("Service"), &World).into_iter().next().unwrap();
    assert_eq!(space.hosts(service).count(), 2);
}

#[test]
fn incremental_data_adds_and_removes() {
    let mut space = Objects::default();
    let computer = |name| of(vec![instance("Computer", &[("Name", name)])]);
    assert_eq!(kinds(&space.apply(&World, source("one"), &computer("a"), Mode::Add, 1)), "+");
    assert_eq!(kinds(&space.apply(&World, source("one"), &computer("b"), Mode::Add, 2)), "+");
    assert_eq!(kinds(&space.apply(&World, source("two"), &computer("b"), Mode::Add, 2)), "");
    assert_eq!(kinds(&space.apply(&World, source("one"), &computer("b"), Mode::Remove, 3)), "", "the other still does");
    assert_eq!(kinds(&space.apply(&World, source("one"), &computer("a"), Mode::Remove, 3)), "-");
    assert_eq!(kinds(&space.apply(&World, source("one"), &computer("c"), Mode::Remove, 3)), "", "there was none");
    assert_eq!(space.len(), 1);
}

#[test]
fn relationships_are_counted_by_source_and_go_with_their_ends() {
    let mut space = Objects::default();
    assert!(space.add_singleton(&World, class("Group"), 0).is_some());
    assert!(space.add_singleton(&World, class("Group"), 0).is_none());
    let computer = instance("Computer", &[("Name", "a")]);
    space.apply(&World, source("one"), &of(vec![computer.clone()]), Mode::Snapshot, 1);
    let group = || End::Instance(instance("Group", &[]));
    let link = LinkInstance { kind: class("Contains"), source: group(), target: End::Instance(computer.clone()) };
    let links = Discovered { instances: vec![], links: vec![link] };
    assert_eq!(kinds(&space.apply(&World, source("x"), &links, Mode::Snapshot, 1)), "l");
    assert_eq!(kinds(&space.apply(&World, source("y"), &links, Mode::Snapshot, 1)), "");
    let members = space.with_contained(World.singleton(class("Group")), &World);
    assert_eq!(members.len(), 2);
    assert_eq!(kinds(&space.remove_source(&World, source("x"), 2)), "");
    assert_eq!(kinds(&space.remove_source(&World, source("one"), 3)), "u-");
    assert!(space.found_by(source("y")).is_none(), "nothing is left of it");
    let knows = LinkInstance { kind: class("Knows"), source: group(), target: group() };
    let bad = Discovered { instances: vec![], links: vec![knows] };
    let applied = space.apply(&World, source("x"), &bad, Mode::Snapshot, 4);
    assert_eq!(applied.rejected[0].to_string(), "Knows: its source is not a Computer");
    assert_eq!(kinds(&space.remove_singleton(&World, class("Group"), 5)), "-");
}

#[test]
fn what_a_source_found_applies_again_to_the_same_space() {
    let mut space = Objects::default();
    let found = of(vec![
        instance("Server", &[("Name", "a"), ("Role", "db")]),
        disk("a", "sda"),
        instance("Part", &[("Computer.Name", "a"), ("Disk.Name", "sda"), ("Part.Name", "1"), ("Part.Size", "5")]),
    ]);
    space.apply(&World, source("one"), &found, Mode::Snapshot, 1);
    let kept = serde_json::to_string(&space.found_by(source("one")).unwrap()).unwrap();
    let mut again = Objects::default();
    let applied = again.apply(&World, source("one"), &serde_json::from_str(&kept).unwrap(), Mode::Snapshot, 1);
    assert_eq!(kinds(&applied), "+++");
    for object in space.iter() {
        let other = again.get(object.id).unwrap();
        assert_eq!((&other.classes, &other.properties, other.host), (&object.classes, &object.properties, object.host));
    }
}

#[test]
fn discovery_data_is_read_from_its_item() {
    let setting = |name: String, value: &str| {
        Node::new("Setting").with_child(Node::text("Name", name)).with_child(Node::text("Value", value))
    };
    let key = |name: &str| class(&format!("{name}/Name")).to_string();
    let settings =
        Node::new("Settings").with_child(setting(key("Computer"), "a")).with_child(setting(key("Disk"), "sda"));
    let disk_element =
        Node::new("ClassInstance").with_attribute("TypeId", class("Disk").to_string()).with_child(settings);
    let body = |kind: &str, instance: Node| {
        let instances = Node::new("ClassInstances").with_child(instance);
        Node::new("DataItem").with_child(Node::text("DiscoveryType", kind)).with_child(instances)
    };
    let (discovered, mode) = Discovered::read(&body("1", disk_element), &World).unwrap();
    assert_eq!((discovered, mode), (of(vec![disk("a", "sda")]), Mode::Add));
    for (kind, instance, problem) in [
        ("7", Node::new("ClassInstance"), "'7' is none of"),
        ("0", Node::new("ClassInstance"), "'' in 'TypeId' is not an identity"),
    ] {
        let error = Discovered::read(&body(kind, instance), &World).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
}
