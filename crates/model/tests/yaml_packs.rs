//! Packs in YAML: what is written reads the same, problems have their places, and what the project ships is sound.

use std::path::PathBuf;

use proptest::prelude::*;
use watchkeeper_model::node::Node;
use watchkeeper_model::pack::{ManagementPack, Monitor, MonitorKind, PackSet, library, portability, xml, yaml};

/// The order of texts and string resources means nothing and is not kept.
fn in_order(mut pack: ManagementPack) -> ManagementPack {
    pack.string_resources.sort_by(|left, right| left.id.cmp(&right.id));
    for language in &mut pack.languages {
        let key = |text: &watchkeeper_model::pack::DisplayString| {
            (text.element.clone(), text.sub_element.clone(), text.name.clone(), text.description.clone())
        };
        language.strings.sort_by_key(key);
        language.knowledge.sort_by(|left, right| (&left.element, &left.content).cmp(&(&right.element, &right.content)));
    }
    pack
}

fn returns_the_same(name: &str, pack: &ManagementPack) -> String {
    let text = yaml::write(pack);
    let reading = yaml::read(name, text.as_bytes());
    let again = reading.pack.unwrap_or_else(|| panic!("{name}: {:?}\n{text}", reading.problems));
    let through = xml::read(name, xml::write(&again).as_bytes()).pack.expect("what is written can be read");
    assert_eq!(in_order(again), in_order(pack.clone()), "{name}\n{text}");
    assert_eq!(in_order(through), in_order(pack.clone()), "{name}\n{text}");
    text
}

#[test]
fn the_libraries_are_the_same_after_yaml() {
    for pack in library::libraries() {
        // who loads them says that they are sealed
        returns_the_same(&pack.id, &ManagementPack { sealed: false, ..pack.clone() });
    }
}

#[test]
fn every_shared_pack_is_the_same_after_yaml() {
    let folder = std::env::var_os("WATCHKEEPER_PACKS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/packs"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: there is no folder {}; set WATCHKEEPER_PACKS to one with packs", folder.display());
        return;
    };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.extension().is_some_and(|kind| kind == "xml" || kind == "mpx") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let pack = xml::read(&name, &std::fs::read(&path).unwrap()).pack.expect("the file holds a pack");
            let text = returns_the_same(&name, &pack);
            println!("{name}: {} lines", text.lines().count());
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[A-Z][A-Za-z0-9]{0,6}", 1 => "[a-z_][a-z.]{0,4}"]
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}",
        "[a-z \n\t:#\"'\\\\-]{0,20}",
        Just("null".to_owned()),
        Just("<<".to_owned()),
        "\\PC{0,8}",
        "(  )?[a-z]{1,3}\n\n? ?[a-z]{0,3}\n{0,3}",
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let attributes = || proptest::collection::btree_map(name(), words(), 0..3);
    let leaf = (name(), attributes(), words()).prop_map(|(name, attributes, text)| Node {
        name,
        attributes: attributes.into_iter().collect(),
        text,
        ..Node::default()
    });
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (name(), attributes(), proptest::collection::vec(inner, 1..4)).prop_map(|(name, attributes, children)| Node {
            name,
            attributes: attributes.into_iter().collect(),
            children,
            ..Node::default()
        })
    })
}

proptest! {
    #[test]
    fn any_configuration_is_the_same_after_yaml(
        parts in proptest::collection::vec(node(), 0..4),
        id in "[A-Z][A-Za-z.]{0,8}",
        text in words(),
    ) {
        let mut configuration = Node::new("Configuration");
        configuration.children = parts;
        let mut pack = ManagementPack { id: "Any".to_owned(), schema_version: "2.0".to_owned(), ..Default::default() };
        pack.monitors.push(watchkeeper_model::pack::Monitor {
            id,
            category: text.trim().to_owned(),
            kind: watchkeeper_model::pack::MonitorKind::Unit {
                type_id: "A!B".into(),
                run_as: None,
                states: Vec::new(),
                configuration,
            },
            ..Default::default()
        });
        let text = yaml::write(&pack);
        let reading = yaml::read("any.yaml", text.as_bytes());
        prop_assert!(reading.pack.is_some(), "{:?}\n{}", reading.problems, text);
        prop_assert_eq!(reading.pack.unwrap(), pack, "{}", text);
    }
}

fn messages(text: &str) -> Vec<String> {
    yaml::read("pack.yaml", text.as_bytes()).problems.iter().map(ToString::to_string).collect()
}

#[test]
fn problems_say_where_and_what_to_do() {
    let cases = [
        ("pack: A\nmonitor: {}\n", "pack.yaml:2:1: error: a pack has no 'monitor'; did you mean 'monitors'?"),
        (
            "pack: A\nrules:\n  R:\n    tarjet: X\n",
            "pack.yaml:4:5: error: R: 'tarjet' is not known here; did you mean 'target'?",
        ),
        ("pack: A\nversion: x\n", "pack.yaml:1:1: error: the pack's version: 'x' is not a version"),
        ("pack: A\npack: B\n", "pack.yaml:2:1: error: the key 'pack' stands here twice"),
        ("pack: [A\n", "error: the file is not YAML"),
        ("- a\n", "pack.yaml:1:1: error: the file holds no pack"),
        ("", "pack.yaml: error: the file is empty"),
        ("pack: A\n---\npack: B\n", "a second document begins"),
        (
            "pack: A\nmonitors:\n  M: {type: T, target: C, parameters: {Expression: broken}}\n",
            "pack.yaml:3:40: error: M: 'broken' is no comparison",
        ),
        ("pack: A\nrules:\n  R: {target: T}\n", "pack.yaml:3:3: error: R: the rule has no <DataSource>"),
    ];
    for (text, expected) in cases {
        let found = messages(text);
        assert!(found.iter().any(|message| message.contains(expected)), "{text}\n{found:#?}");
    }
}

#[test]
fn aliases_and_depth_are_limited() {
    let mut bomb = String::from("pack: A\nelements:\n  A0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!("  A{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
    }
    assert!(messages(&bomb)[0].contains("copies by aliases counted"), "{:?}", messages(&bomb));
    let deep = format!("pack: A\nelements: {}{}\n", "[".repeat(200), "]".repeat(200));
    assert!(messages(&deep)[0].contains("deep in one another"), "{:?}", messages(&deep));
}

/// The packs of the project.
fn shipped() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs");
    let paths = std::fs::read_dir(&folder).expect("the folder of packs").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<(String, String)> = paths
        .map(|path| {
            (
                path.file_name().expect("a file has a name").to_string_lossy().into_owned(),
                std::fs::read_to_string(path).expect("a pack is text"),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_shipped_packs_have_no_problem_and_run_and_every_monitor_has_an_article() {
    let mut packs = Vec::new();
    for (file, text) in shipped() {
        let reading = yaml::read(&file, text.as_bytes());
        assert!(
            reading.problems.is_empty(),
            "{:#?}",
            reading.problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        );
        let pack = reading.pack.unwrap();
        assert_eq!(format!("{}.yaml", pack.id), file);
        // roll-ups say nothing of their own
        let watches = |monitor: &&Monitor| matches!(monitor.kind, MonitorKind::Unit { .. });
        for monitor in pack.monitors.iter().filter(watches) {
            let article =
                pack.knowledge(&monitor.id, "ENU").map(watchkeeper_model::pack::Knowledge::text).unwrap_or_default();
            for part in ["Causes", "Resolutions"] {
                assert!(article.contains(part), "{}: the article has no part {part}", monitor.id);
            }
            assert!(pack.display(&monitor.id, None, "ENU").is_some(), "{} has no name", monitor.id);
            assert!(
                monitor.alert.as_ref().is_some_and(|alert| alert.message.is_some()),
                "{} raises no alert",
                monitor.id
            );
        }
        packs.push(returns_the_same_pack(&file, pack));
    }
    let ids: Vec<String> = packs.iter().map(|pack| pack.id.clone()).collect();
    assert!(ids.contains(&"Watchkeeper.Linux".to_owned()), "{ids:?}");
    let (set, problems) = PackSet::load(packs);
    assert!(problems.is_empty(), "{:#?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>());
    for id in ids {
        for workflow in portability::of(&set, set.pack(&id).unwrap()) {
            assert!(workflow.runs == portability::Runs::Yes, "{id}: {workflow}");
        }
    }
}

fn returns_the_same_pack(name: &str, pack: ManagementPack) -> ManagementPack {
    returns_the_same(name, &pack);
    pack
}
