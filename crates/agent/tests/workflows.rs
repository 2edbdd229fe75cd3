//! Workflows as the server sends them, run by the engine with a clock of the test's, and with real processes, ports,
//! files and the agent's own runtime.
#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use watchkeeper_agent::collect::Origin;
use watchkeeper_agent::linux::platform::Linux;
use watchkeeper_agent::queue::{Class, Positions, Queue, QueueLimits};
use watchkeeper_agent::workflow::Accounts;
use watchkeeper_agent::workflow::engine::{Engine, Loaded, TaskCommand};
use watchkeeper_agent::workflow::store::{KnownElsewhere, KnownState, Saved};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::node::Node;
use watchkeeper_model::workflow::{HealthState, Module, MonitorState, Purpose, Trigger, Workflow, Workflows};
use watchkeeper_wire::proto::operational_item::Item;
use watchkeeper_wire::proto::{StateChange, TaskResult, TaskStatus, WorkflowEventKind};

const SECOND: i64 = 1_000_000;
/// 2026-11-21 10:00 UTC
const START: i64 = 1_795_255_200 * SECOND;

fn object() -> ObjectId {
    ObjectId::of(ElementId::of("T", "Class"), ["one"])
}

/// `name=text`, or `name` with elements.
fn configuration(children: Vec<Node>) -> Node {
    Node { children, ..Node::new("Configuration") }
}

fn texts(pairs: &[(&str, &str)]) -> Node {
    configuration(pairs.iter().map(|(name, text)| Node::text(*name, *text)).collect())
}

fn module(kind: &str, configuration: Node, inputs: &[usize]) -> Module {
    let id = kind.rsplit('.').next().unwrap().to_owned();
    Module { id, kind: kind.into(), configuration, inputs: inputs.to_vec(), run_as: None }
}

fn workflow(name: &str, purpose: Purpose, modules: Vec<Module>) -> Workflow {
    Workflow {
        element: format!("T!{name}"),
        element_id: ElementId::of("T", name),
        object: object(),
        class: "T!Class".into(),
        purpose,
        modules,
        timeout_seconds: 0,
    }
}

fn every(seconds: &str) -> Module {
    module("System.SimpleScheduler", texts(&[("IntervalSeconds", seconds)]), &[])
}

fn shell(script: &str, timeout: &str, kind: &str, inputs: &[usize]) -> Module {
    module(kind, texts(&[("ScriptBody", script), ("TimeoutSeconds", timeout)]), inputs)
}

fn equals(query: &str, value: &str) -> Node {
    let operand = |node: Node| Node::new("ValueExpression").with_child(node);
    let simple = Node::new("SimpleExpression")
        .with_child(operand(Node::text("XPathQuery", query)))
        .with_child(Node::text("Operator", "Equal"))
        .with_child(operand(Node::text("Value", value)));
    Node::new("Expression").with_child(simple)
}

fn filter(query: &str, value: &str, inputs: &[usize]) -> Module {
    module("System.ExpressionFilter", configuration(vec![equals(query, value)]), inputs)
}

fn state(state: &str, health: HealthState, module: usize) -> MonitorState {
    MonitorState { state: state.into(), health, module }
}

/// The engine with a clock, and jobs run to their end between steps.
struct World {
    engine: Engine,
    now: i64,
    positions: Positions,
    items: Vec<Item>,
    rows: Vec<(String, u32)>,
    queue: Option<Queue>,
    wakes: usize,
}

impl World {
    fn new(saved: Saved) -> Self {
        let origin = Origin { computer: "box".into(), ..Origin::default() };
        let engine = Engine::new(Box::new(Linux::default()), origin, saved);
        let (items, rows) = (Vec::new(), Vec::new());
        Self { engine, now: START, positions: Positions::default(), items, rows, queue: None, wakes: 0 }
    }

    fn load(&mut self, workflows: Vec<Workflow>) -> Loaded {
        let loaded = self.engine.load(Workflows { workflows }, Accounts::default(), self.now, &self.positions);
        self.collect();
        loaded
    }

    fn collect(&mut self) {
        let outbox = self.engine.outbox();
        for (_, items) in outbox.take_items() {
            self.items.extend(items.into_iter().filter_map(|item| item.item));
        }
        for (class, rows) in outbox.take_rows() {
            let (tables, positions) = rows.finish();
            if let Some(queue) = &mut self.queue
                && !positions.is_empty()
            {
                queue.append(class, 0, 0, Vec::new(), &positions).unwrap();
                self.positions = queue.positions().clone();
            }
            self.rows.extend(tables.into_iter().map(|table| (table.name, table.rows)));
        }
        self.engine.said();
    }

    /// Runs jobs until none is left.
    async fn settle(&mut self) {
        self.collect();
        loop {
            let jobs = self.engine.take_jobs();
            if jobs.is_empty() {
                return;
            }
            for begun in jobs {
                let outcome = begun.job.run().await;
                self.engine.finished(begun.ticket, outcome, self.now, &self.positions);
                self.collect();
            }
        }
    }

    /// Moves the clock on through all that is due.
    async fn pass(&mut self, seconds: i64) {
        let end = self.now + seconds * SECOND;
        while let Some(next) = self.engine.next_wake().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.wakes += 1;
            self.engine.advance(self.now, &self.positions);
            self.settle().await;
        }
        self.now = end;
    }

    fn states(&self) -> Vec<(String, String)> {
        self.items
            .iter()
            .filter_map(|item| match item {
                Item::StateChange(StateChange { operational_state, cause, .. }) => {
                    Some((operational_state.clone(), cause.clone()))
                }
                _ => None,
            })
            .collect()
    }

    fn events(&self) -> Vec<WorkflowEventKind> {
        self.items
            .iter()
            .filter_map(|item| if let Item::WorkflowEvent(event) = item { Some(event.kind()) } else { None })
            .collect()
    }

    fn results(&self) -> Vec<&TaskResult> {
        self.items
            .iter()
            .filter_map(|item| if let Item::TaskResult(result) = item { Some(result) } else { None })
            .collect()
    }
}

/// A monitor of a file's presence, and what a file says.
fn file_monitor(name: &str, path: &Path) -> Workflow {
    let script = format!("test -e '{}' && echo '{{\"There\":true}}' || echo '{{\"There\":false}}'", path.display());
    let modules = vec![
        every("60"),
        shell(&script, "10", "System.Script.PropertyBagProbe", &[0]),
        filter("Property[@Name='There']", "true", &[1]),
        filter("Property[@Name='There']", "false", &[1]),
        shell(&script, "10", "System.Script.PropertyBagProbe", &[]),
        filter("Property[@Name='There']", "true", &[4]),
        filter("Property[@Name='There']", "false", &[4]),
    ];
    let states = |good, bad| vec![state("Good", HealthState::Success, good), state("Bad", HealthState::Error, bad)];
    workflow(name, Purpose::Monitor { states: states(2, 3), on_demand: states(5, 6) }, modules)
}

fn recovery(monitor: &str, script: &str) -> Workflow {
    let trigger =
        Trigger { monitor: ElementId::of("T", monitor), on_state: Some(HealthState::Error), after_diagnostic: None };
    let modules = vec![shell(script, "10", "System.Script.WriteAction", &[])];
    workflow("Recovery", Purpose::Recovery { trigger, reset_monitor: true }, modules)
}

#[tokio::test]
async fn a_monitor_changes_state_once_and_keeps_it_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let mut world = World::new(Saved::default());
    world.load(vec![file_monitor("M", &path)]);
    assert_eq!(world.states(), [("Good".into(), "start".into())]);
    world.pass(300).await;
    assert_eq!(world.states().len(), 1, "nothing changed: {:?}", world.states());
    std::fs::remove_file(&path).unwrap();
    world.pass(180).await;
    assert_eq!(world.states()[1..], [("Bad".into(), "detection".into())]);
    let context = world.items.iter().find_map(|item| match item {
        Item::StateChange(change) if change.operational_state == "Bad" => Some(change.context.clone()),
        _ => None,
    });
    assert!(context.unwrap().contains("<Property Name=\"There\">false</Property>"));
    let saved = serde_json::from_slice(&serde_json::to_vec(&world.engine.saved()).unwrap()).unwrap();
    let mut again = World::new(saved);
    again.load(vec![file_monitor("M", &path)]);
    again.pass(300).await;
    assert_eq!(again.states(), [], "it is as bad as before");
    std::fs::write(&path, "x").unwrap();
    again.pass(60).await;
    assert_eq!(again.states(), [("Good".into(), "detection".into())]);
}

#[tokio::test]
async fn a_monitor_that_moves_here_goes_on_in_the_state_that_another_runtime_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut world = World::new(Saved::default());
    world.load(vec![file_monitor("M", &path)]);
    world.pass(60).await;
    assert_eq!(world.states().last().unwrap().0, "Bad");
    // it was away, and is good in the meantime; what was kept here is out of date
    world.load(Vec::new());
    std::fs::write(&path, "x").unwrap();
    let known = KnownElsewhere::default();
    let moved = file_monitor("M", &path);
    let good = KnownState { state: "Good".into(), health: HealthState::Success, since: world.now, unsaid: None };
    known.put(moved.element_id, moved.object, good);
    assert!(known.take_of(&[]).is_empty(), "it waits for its workflow");
    for (name, state) in known.take_of(std::slice::from_ref(&moved)) {
        world.engine.know(name, state);
    }
    world.items.clear();
    world.load(vec![moved]);
    world.pass(120).await;
    assert_eq!(world.states(), [], "neither a start nor a change");
    std::fs::remove_file(&path).unwrap();
    world.pass(60).await;
    assert_eq!(world.states(), [("Bad".into(), "detection".into())]);
}

#[tokio::test]
async fn a_change_of_state_that_a_crash_kept_from_the_queue_is_said_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut engine = World::new(Saved::default()).engine;
    let monitors = || Workflows { workflows: vec![file_monitor("M", &path)] };
    engine.load(monitors(), Accounts::default(), START, &Positions::default());
    assert!(engine.has_unsaid());
    // the power goes between saving and the queue
    let saved = engine.saved();
    let mut again = World::new(saved);
    again.load(monitors().workflows);
    assert_eq!(again.states(), [("Good".into(), "start".into())]);
    let mut after = World::new(again.engine.saved());
    after.load(monitors().workflows);
    assert_eq!(after.states(), [], "it is in the queue");
}

#[tokio::test]
async fn a_recovery_repairs_without_a_server_and_the_monitor_is_healthy_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut world = World::new(Saved::default());
    world.load(vec![file_monitor("M", &path), recovery("M", &format!("echo repaired > '{}'", path.display()))]);
    world.pass(60).await;
    let causes: Vec<String> = world.states().into_iter().map(|(_, cause)| cause).collect();
    assert_eq!(causes, ["start", "detection", "recovery"]);
    assert!(path.exists());
    assert_eq!(world.results()[0].status(), TaskStatus::Succeeded);
    assert_eq!(world.results()[0].monitor, ElementId::of("T", "M").to_string());
}

#[tokio::test]
async fn a_monitor_is_recalculated_and_reset_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(Saved::default());
    world.load(vec![file_monitor("M", &folder.path().join("none"))]);
    let (monitor, object) = (ElementId::of("T", "M").to_string(), object().to_string());
    world.engine.recalculate(&monitor, &object, world.now, &world.positions).unwrap();
    world.settle().await;
    assert_eq!(world.states()[1..], [("Bad".into(), "on-demand".into())]);
    world.engine.reset_monitor(&monitor, &object, "reset", world.now).unwrap();
    world.settle().await;
    assert_eq!(world.states()[2..], [("Good".into(), "reset".into())]);
    assert!(world.engine.reset_monitor("none", &object, "reset", world.now).is_err());
}

#[tokio::test]
async fn a_script_that_hangs_is_ended_with_its_children_reported_and_rested() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    let script = format!("sleep 1000 & echo $! > '{}'; wait", file.display());
    let modules = vec![every("60"), shell(&script, "1", "System.Script.PropertyBagProbe", &[0])];
    let mut world = World::new(Saved::default());
    world.load(vec![workflow("R", Purpose::Rule, modules)]);
    let began = Instant::now();
    world.pass(60).await;
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(world.events(), [WorkflowEventKind::TimedOut]);
    let child = std::fs::read_to_string(&file).unwrap();
    let status = format!("/proc/{}/stat", child.trim());
    // who is killed is gone or waits for its parent to notice
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "the child {child} still runs");
        tokio::task::yield_now().await;
    }
    world.pass(120).await;
    assert_eq!(world.events().last(), Some(&WorkflowEventKind::BackedOff));
    world.pass(180).await;
    assert!(!world.events().contains(&WorkflowEventKind::Recovered), "{:?}", world.events());
}

#[tokio::test]
async fn a_task_runs_once_with_its_parameters_and_output_and_says_when_it_cannot() {
    let modules = vec![module(
        "System.Script.WriteAction",
        texts(&[("ScriptBody", "echo hello $1; exit 0"), ("Arguments", "world")]),
        &[],
    )];
    let mut world = World::new(Saved::default());
    world.load(vec![workflow("Task", Purpose::Task, modules)]);
    let command = TaskCommand {
        id: "c1".into(),
        task: ElementId::of("T", "Task").to_string(),
        object: object().to_string(),
        parameters: [("Arguments".to_owned(), "'you there'".to_owned())].into(),
        timeout_seconds: 0,
    };
    for _ in 0..2 {
        world.engine.run_task(command.clone(), world.now, &world.positions).unwrap();
        world.settle().await;
    }
    let results = world.results();
    assert_eq!(results.len(), 1, "the command came twice and ran once");
    assert_eq!((results[0].run.as_str(), results[0].status()), ("c1", TaskStatus::Succeeded));
    assert_eq!(results[0].output, "hello you there\n");
    let unknown = TaskCommand { id: "c2".into(), task: "x".into(), ..command.clone() };
    assert!(world.engine.run_task(unknown, world.now, &world.positions).is_err());
    // an agent that dies while it runs says so afterwards
    let interrupted = TaskCommand { id: "c3".into(), ..command };
    world.engine.run_task(interrupted, world.now, &world.positions).unwrap();
    let mut again = World::new(world.engine.saved());
    again.engine.report_interrupted(START);
    again.collect();
    assert_eq!(again.results()[0].status(), TaskStatus::Interrupted);
}

#[tokio::test]
async fn a_thousand_workflows_share_sources_and_wake_the_agent_seldom() {
    let mut world = World::new(Saved::default());
    let rules = |count: usize| -> Vec<Workflow> {
        (0..count)
            .map(|number| {
                let counter = texts(&[
                    ("ObjectName", "Memory"),
                    ("CounterName", "% Used Memory"),
                    ("InstanceName", "*"),
                    ("Frequency", "300"),
                ]);
                let modules = vec![
                    module("System.Performance.DataProvider", counter, &[]),
                    filter("InstanceName", &format!("none{}", number % 100), &[0]),
                    module("Microsoft.SystemCenter.CollectPerformanceData", texts(&[]), &[1]),
                ];
                workflow(&format!("R{number}"), Purpose::Rule, modules)
            })
            .collect()
    };
    let loaded = world.load(rules(1000));
    assert_eq!(loaded.workflows, 1000);
    assert_eq!(world.engine.modules(), 1 + 100 + 1000, "one source, a filter of each kind, a write action each");
    world.pass(3_600).await;
    assert!(world.wakes <= 13, "{} wake-ups in an hour", world.wakes);
    let again = world.load(rules(1001));
    assert_eq!((again.made, again.kept), (1, 1101), "what did not change stays");
    // workflows that do not share are spread over the first minute and fall together on whole seconds
    let mut spread = World::new(Saved::default());
    let own = |number: usize| {
        let scheduler = texts(&[("IntervalSeconds", "300"), ("Id", &number.to_string())]);
        workflow(&format!("S{number}"), Purpose::Rule, vec![module("System.SimpleScheduler", scheduler, &[])])
    };
    spread.load((0..1000).map(own).collect());
    spread.pass(300).await;
    assert!((50..=61).contains(&spread.wakes), "{} wake-ups", spread.wakes);
}

#[tokio::test]
async fn a_workflow_that_cannot_run_is_named_and_the_others_run() {
    let mut world = World::new(Saved::default());
    let loaded = world.load(vec![
        workflow("W", Purpose::Rule, vec![module("Microsoft.Windows.WmiProvider", texts(&[]), &[])]),
        workflow("X", Purpose::Rule, vec![module("System.SimpleScheduler", texts(&[("IntervalSeconds", "x")]), &[])]),
        workflow("Y", Purpose::Rule, vec![every("60")]),
    ]);
    assert_eq!(loaded.workflows, 1);
    assert!(loaded.unloaded[0].1.contains("Microsoft.Windows.WmiProvider"), "{:?}", loaded.unloaded);
    assert!(loaded.unloaded[1].1.contains("IntervalSeconds"), "{:?}", loaded.unloaded);
    assert_eq!(world.events(), [WorkflowEventKind::Unloaded; 2]);
}

#[tokio::test]
async fn a_port_answers_or_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let probe = texts(&[("ServerName", "127.0.0.1"), ("Port", &port)]);
    let modules = vec![
        every("60"),
        module("Microsoft.SystemCenter.SyntheticTransactions.TCPPortCheckProbe", probe, &[0]),
        filter("StatusCode", "0", &[1]),
        filter("StatusCode", "2147952461", &[1]),
    ];
    let states = vec![state("Good", HealthState::Success, 2), state("Bad", HealthState::Error, 3)];
    let mut world = World::new(Saved::default());
    world.load(vec![workflow("P", Purpose::Monitor { states, on_demand: vec![] }, modules)]);
    world.pass(60).await;
    assert_eq!(world.states().len(), 1);
    drop(listener);
    world.pass(60).await;
    assert_eq!(world.states()[1].0, "Bad");
}

#[tokio::test]
async fn lines_of_a_rotated_log_become_alerts_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    std::fs::write(&log, "ERROR before\n").unwrap();
    let source = configuration(vec![
        Node::text("LogFileDirectory", folder.path().display().to_string()),
        Node::text("LogFilePattern", "app.log*"),
    ]);
    let alert = texts(&[
        ("Priority", "2"),
        ("Severity", "1"),
        ("AlertName", "$Data/EventData/DataItem/LogFileName$: $Data/Params/Param[1]$"),
    ]);
    let modules = vec![
        module("System.ApplicationLog.GenericLog.FilteredEventProvider", source, &[]),
        module("System.Health.GenerateAlert", alert, &[0]),
    ];
    let mut world = World::new(Saved::default());
    world.queue = Some(Queue::open(&folder.path().join("queue"), QueueLimits::with_max_bytes(1 << 20)).unwrap());
    world.load(vec![workflow("L", Purpose::Rule, modules)]);
    world.pass(2).await;
    let append = |text: &str| {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    };
    append("one\n");
    world.pass(2).await;
    append("two\n");
    std::fs::rename(&log, folder.path().join("app.log.1")).unwrap();
    append("three\n");
    world.pass(10).await;
    let mut names: Vec<String> = world
        .items
        .iter()
        .filter_map(|item| if let Item::Alert(alert) = item { Some(alert.name.clone()) } else { None })
        .map(|name| name.split(": ").last().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["one", "three", "two"], "each once, and none from before");
    let _ = Class::Alert;
}
