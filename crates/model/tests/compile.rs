//! From packs and objects to workflows. Each pack of `tests/compile` has its workflows beside it as text; `UPDATE=1`
//! writes them again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use watchkeeper_model::compile::{Compiled, Compiler, From, ManagementGroup, Placement, agent_objects, placement};
use watchkeeper_model::health::Monitors;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::node::Node;
use watchkeeper_model::objects::{Classes, Discovered, Instance, Mode, Objects, Setting, Source};
use watchkeeper_model::overrides::Setting as Overridable;
use watchkeeper_model::pack::{AlertSeverity, ManagementPack, PackSet, xml};
use watchkeeper_model::substitute::variables;
use watchkeeper_model::workflow::{HealthState, NATIVE_MODULES, Purpose};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compile")
}

fn read(name: &str) -> ManagementPack {
    let bytes = std::fs::read(folder().join(name)).expect("the file is part of the project");
    let reading = xml::read(name, &bytes);
    assert!(reading.problems.is_empty(), "{:?}", reading.problems);
    reading.pack.expect("it holds a pack")
}

fn load(packs: Vec<ManagementPack>) -> Arc<PackSet> {
    let (set, problems) = PackSet::load(packs);
    for problem in &problems {
        println!("{problem}");
    }
    Arc::new(set)
}

fn compiler(set: &Arc<PackSet>) -> Compiler {
    let group = ManagementGroup { name: "Group".to_owned(), id: uuid::Uuid::nil() };
    Compiler::new(Arc::clone(set), group)
}

fn unix(class: &str) -> ElementId {
    ElementId::of("Microsoft.Unix.Library", class)
}

fn linux(class: &str) -> ElementId {
    ElementId::of("Microsoft.Linux.Universal.Library", class)
}

/// A class that can have objects: itself or the first derived one.
fn concrete(set: &PackSet, class: ElementId) -> ElementId {
    let facts = set.facts();
    if class == unix("Microsoft.Unix.Computer") || class == ElementId::of("System.Library", "System.Computer") {
        return linux("Microsoft.Linux.Universal.Computer");
    }
    if !facts.is_abstract(class) {
        return class;
    }
    let mut derived: Vec<ElementId> =
        facts.all().filter(|each| !facts.is_abstract(*each) && Classes::is_a(facts, *each, class)).collect();
    derived.sort_by_key(|each| facts.name(*each));
    derived.first().copied().unwrap_or(class)
}

/// An object of a class with its hosts, each key with a value that says what it is; gives the identity of the last.
fn make(objects: &mut Objects, set: &PackSet, class: ElementId, values: &[(&str, &str)]) -> Option<ObjectId> {
    let facts = set.facts();
    let mut line = vec![concrete(set, class)];
    while let Some(host) = facts.host(*line.last()?) {
        line.push(concrete(set, host));
        if line.len() > 8 {
            return None;
        }
    }
    let mut properties = Vec::new();
    for class in &line {
        for (declares, name) in facts.keys(*class) {
            let plain = format!("{}-{}", facts.name(*class).rsplit('.').next().unwrap_or_default(), name);
            let given = values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            properties.push(Setting { class: Some(declares), name, value: given.unwrap_or(plain) });
        }
    }
    let source =
        Source { discovery: ElementId::of("Test", &format!("{values:?}")), target: ObjectId(uuid::Uuid::nil()) };
    let instances =
        line.iter().rev().map(|class| Instance { class: *class, properties: properties.clone() }).collect::<Vec<_>>();
    let found = Discovered { instances, links: Vec::new() };
    let applied = objects.apply(facts, source, &found, Mode::Add, 1);
    assert!(applied.rejected.is_empty(), "{:?}", applied.rejected);
    let mut all: Vec<&_> = objects.iter().filter(|object| object.classes.contains(&line[0])).collect();
    all.sort_by_key(|object| object.since);
    let fits = |object: &&&watchkeeper_model::objects::Object| {
        values.iter().all(|(name, value)| object.properties.get(*name).is_none_or(|known| known == value))
    };
    all.iter().find(fits).map(|object| object.id)
}

/// An object of every class for which a pack has something, and the singletons.
fn objects_for(set: &PackSet, pack: &ManagementPack) -> Objects {
    let mut objects = Objects::default();
    let facts = set.facts();
    for class in facts.singletons() {
        objects.add_singleton(facts, class, 1);
    }
    let targets = pack.rules.iter().map(|each| &each.target).chain(pack.monitors.iter().map(|each| &each.target));
    let targets = targets.chain(pack.discoveries.iter().map(|each| &each.target));
    let targets = targets.chain(pack.tasks.iter().map(|each| &each.target));
    let classes: BTreeSet<ElementId> = targets
        .filter_map(|target| set.class(pack, target).ok())
        .map(|class| class.pack.element_id(&class.element.id))
        .collect();
    for class in classes {
        if !facts.is_singleton(class) {
            make(&mut objects, set, class, &[]);
        }
    }
    objects
}

fn render(compiled: &Compiled, of: &str) -> String {
    let mut out = String::new();
    for workflow in compiled.workflows.workflows.iter().filter(|each| each.element.starts_with(of)) {
        let _ = writeln!(out, "{} for {}", workflow.element, workflow.class);
        match &workflow.purpose {
            Purpose::Monitor { states, on_demand } => {
                for (what, list) in [("state", states), ("on demand", on_demand)] {
                    for each in list {
                        let _ = writeln!(out, "  {what} {} = {:?} from {}", each.state, each.health, each.module);
                    }
                }
            }
            other => {
                let _ = writeln!(out, "  {other:?}");
            }
        }
        for (at, module) in workflow.modules.iter().enumerate() {
            let inputs: Vec<String> = module.inputs.iter().map(ToString::to_string).collect();
            let _ = write!(out, "  {at}: {} {}", module.id, module.kind);
            if !inputs.is_empty() {
                let _ = write!(out, " <- {}", inputs.join(", "));
            }
            if let Some(profile) = &module.run_as {
                let _ = write!(out, " as {profile}");
            }
            out.push('\n');
            for child in &module.configuration.children {
                render_node(child, 3, &mut out);
            }
        }
        out.push('\n');
    }
    for left in compiled.left_out.iter().filter(|left| left.element.starts_with(of)) {
        let _ = writeln!(out, "left out: {}: {}", left.element, left.reason);
    }
    out
}

fn render_node(node: &Node, depth: usize, out: &mut String) {
    let attributes: Vec<String> = node.attributes.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    let _ = writeln!(out, "{}{}{}: {}", "  ".repeat(depth), node.name, attributes.concat(), node.text.trim());
    for child in &node.children {
        render_node(child, depth + 1, out);
    }
}

fn compile_all(compiler: &Compiler, objects: &Objects) -> Compiled {
    compiler.compile(objects, &objects.iter().map(|object| object.id).collect())
}

#[test]
fn packs_give_the_workflows_beside_them() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).expect("the folder is part of the project") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_none_or(|kind| kind != "xml") {
            continue;
        }
        let name = path.file_name().expect("it is a file").to_string_lossy().into_owned();
        let pack = read(&name);
        let set = load(vec![pack.clone()]);
        let compiled = compile_all(&compiler(&set), &objects_for(&set, &pack));
        let text = render(&compiled, &pack.id);
        let beside = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&beside, &text).expect("it can be written");
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(text, expected, "{name}; UPDATE=1 writes {}", beside.display());
        count += 1;
    }
    assert!(count >= 1);
}

/// The disks pack, with two disks of one computer.
fn disks() -> (Arc<PackSet>, Objects, ObjectId, ObjectId) {
    let set = load(vec![read("disks.xml")]);
    let mut objects = Objects::default();
    let disk = unix("Microsoft.Unix.LogicalDisk");
    let host = ("PrincipalName", "host.example");
    let root = make(&mut objects, &set, disk, &[host, ("DeviceID", "/")]).expect("it was made");
    let home = make(&mut objects, &set, disk, &[host, ("DeviceID", "/home")]).expect("it was made");
    assert_ne!(root, home);
    (set, objects, root, home)
}

fn monitor() -> ElementId {
    ElementId::of("Test.Disks", "Test.Disks.Monitor")
}

#[test]
fn effective_values_say_where_they_come_from() {
    let (set, objects, root, _) = disks();
    let values = compiler(&set).effective(&objects, monitor(), root);
    let of = |setting: Overridable| values.iter().find(|each| each.setting == setting).expect("it is listed");
    let threshold = of(Overridable::Parameter { module: None, name: "Threshold".to_owned() });
    assert_eq!((threshold.default.as_deref(), threshold.value.as_deref()), (Some("10"), Some("25")));
    assert!(matches!(&threshold.from, From::Override { id, .. } if id == "Test.Disks!Test.Disks.Threshold"));
    let frequency = of(Overridable::Parameter { module: None, name: "Frequency".to_owned() });
    assert_eq!((frequency.value.as_deref(), &frequency.from), (Some("60"), &From::Default));
    assert_eq!(of(Overridable::Property("AlertSeverity".to_owned())).value.as_deref(), Some("Error"));
}

#[test]
fn alerts_of_monitors_follow_overrides_and_name_their_texts() {
    let (set, objects, root, _) = disks();
    let compiler = compiler(&set);
    let alert = compiler.alert_settings(&objects, monitor(), root).expect("it can be filled in").expect("it alerts");
    assert_eq!(
        (alert.on_state, alert.auto_resolve, alert.severity),
        (HealthState::Warning, true, AlertSeverity::Error)
    );
    assert_eq!(alert.parameters, ["$Data/Context/Value$", "host.example"]);
    let texts = compiler.texts(alert.message, "DEU").expect("the resource is known");
    assert_eq!((texts.name.as_str(), texts.description.as_str()), ("Little space", "{0} left on {1}"));
}

#[test]
fn the_version_changes_with_the_workflows_alone() {
    let (set, mut objects, root, _) = disks();
    let compiler = compiler(&set);
    let first = compile_all(&compiler, &objects);
    assert_eq!(compile_all(&self::compiler(&set), &objects).version, first.version);
    let host = objects.hosts(root).last().expect("it has a host");
    let mine = agent_objects(&objects, [host]);
    assert_eq!(mine.len(), 3);
    assert_eq!(compiler.compile(&objects, &mine).version, first.version);
    assert_eq!(placement(&objects, set.facts(), root), Placement::Agent(host));
    make(
        &mut objects,
        &set,
        unix("Microsoft.Unix.LogicalDisk"),
        &[("PrincipalName", "host.example"), ("DeviceID", "/x")],
    );
    assert_ne!(compile_all(&compiler, &objects).version, first.version);
}

#[test]
fn an_agent_costs_its_objects_and_the_elements_of_their_classes() {
    let set = load(vec![read("disks.xml")]);
    let compiler = compiler(&set);
    let mut objects = Objects::default();
    let mut hosts = BTreeSet::new();
    for host in 0..20 {
        for disk in 0..20 {
            let (host, disk) = (format!("host{host}"), format!("/{disk}"));
            let values = [("PrincipalName", host.as_str()), ("DeviceID", disk.as_str())];
            let made = make(&mut objects, &set, unix("Microsoft.Unix.LogicalDisk"), &values).expect("it was made");
            hosts.insert(objects.hosts(made).last().expect("it has a host"));
        }
    }
    let mut costs = BTreeSet::new();
    let mut variants = BTreeSet::new();
    for host in hosts {
        let compiled = compiler.compile(&objects, &agent_objects(&objects, [host]));
        assert_eq!(
            compiled.workflows.workflows.iter().filter(|each| each.element.ends_with("!Test.Disks.Collect")).count(),
            20
        );
        costs.insert(compiled.looked_at);
        variants.insert(compiler.variants());
    }
    // the same for each agent, and nothing is taken apart again after the first
    assert_eq!((costs.len(), variants.len()), (1, 1));
}

#[test]
fn natives_that_run_are_those_of_the_agent() {
    let mut of_libraries = BTreeMap::new();
    for pack in load(Vec::new()).packs() {
        for module in &pack.modules {
            if let watchkeeper_model::pack::Implementation::Native(native) = &module.implementation {
                of_libraries.insert(module.id.clone(), native.runs);
            }
        }
    }
    let mut sorted = NATIVE_MODULES.to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, NATIVE_MODULES);
    let wrong: Vec<&String> = of_libraries
        .iter()
        .filter(|(id, runs)| {
            // the server makes groups itself
            let has = NATIVE_MODULES.contains(&id.as_str()) || *id == "Microsoft.SystemCenter.GroupPopulator";
            **runs != Some(has)
        })
        .map(|(id, _)| id)
        .collect();
    assert!(wrong.is_empty(), "Runs= is wrong of {wrong:#?}");
}

#[test]
fn roll_up_has_all_monitors() {
    let (set, objects, root, _) = disks();
    let compiler = compiler(&set);
    let monitors: Monitors = compiler.rollup();
    let enabled = |object, monitor| compiler.is_enabled(&objects, object, monitor);
    let health = monitors.build(&objects, set.facts(), &enabled, 1);
    let on: BTreeSet<ElementId> = health.states(root).map(|(monitor, ..)| monitor).collect();
    assert!(on.contains(&monitor()));
    assert!(on.contains(&ElementId::of("System.Health.Library", "System.Health.AvailabilityState")));
}

/// What is left out because of a value, and every variable that reaches a module.
fn variables_with(computer: &str, disk: &str) -> (Vec<String>, Vec<String>) {
    let set = load(vec![read("disks.xml")]);
    let mut objects = Objects::default();
    let values = [("PrincipalName", computer), ("DeviceID", disk)];
    make(&mut objects, &set, unix("Microsoft.Unix.LogicalDisk"), &values);
    let compiled = compile_all(&compiler(&set), &objects);
    let mut reached = Vec::new();
    for workflow in compiled.workflows.workflows.iter().filter(|each| each.element.starts_with("Test.Disks!")) {
        for module in &workflow.modules {
            for found in variables(&module.configuration) {
                reached.push(found.expect("all that is sent can be read").1.text);
            }
        }
    }
    (compiled.left_out.into_iter().map(|left| left.element).collect(), reached)
}

#[test]
fn two_values_side_by_side_do_not_make_a_variable() {
    let profile = "$RunAs[Name=\"Test.Disks!Test.Disks.Account\"]/";
    let (left_out, reached) = variables_with(profile, "Password$");
    assert_eq!(left_out, ["Test.Disks!Test.Disks.Alert"]);
    assert_eq!(reached, Vec::<String>::new());
    let (left_out, reached) = variables_with("host", "/");
    assert_eq!((left_out, reached), (Vec::new(), vec!["$Data/Value$".to_owned()]));
}

/// The folder is not part of the project: without it the test says so and passes.
#[test]
fn every_shared_pack_compiles_for_objects_of_its_classes() {
    let folder = std::env::var_os("WATCHKEEPER_PACKS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/packs"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: there is no folder {}; set WATCHKEEPER_PACKS to one with packs", folder.display());
        return;
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "xml" || kind == "mpx"));
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).expect("a file of the folder can be read");
        let pack = xml::fragment::read_filled(&name, &bytes, &BTreeMap::new()).pack.expect("the file holds a pack");
        let set = load(vec![pack.clone()]);
        let compiled = compile_all(&compiler(&set), &objects_for(&set, &pack));
        println!("== {name}\n{}", render(&compiled, &pack.id));
        // every element runs, is off, belongs to the server or is left out with a reason
        let of_pack = format!("{}!", pack.id);
        let left = compiled.left_out.iter().filter(|left| left.element.starts_with(&of_pack));
        assert!(left.clone().all(|left| !left.reason.is_empty()));
        for workflow in compiled.workflows.workflows.iter().filter(|each| each.element.starts_with(&of_pack)) {
            assert!(workflow.modules.iter().all(|module| NATIVE_MODULES.contains(&module.kind.as_str())), "{name}");
        }
    }
}

proptest! {
    #[test]
    fn a_discovered_value_never_becomes_a_variable(
        computer in "[a$]{0,2}(Data|Config|Target|MPElement|RunAs)?[/\\[\\]$A-Za-z\"=]{1,12}\\$?",
        disk in "\\$?(Data|RunAs)?[/\\[\\]$A-Za-z\"=]{1,12}\\$?",
    ) {
        for text in variables_with(&computer, &disk).1 {
            prop_assert_eq!(text, "$Data/Value$");
        }
    }
}
