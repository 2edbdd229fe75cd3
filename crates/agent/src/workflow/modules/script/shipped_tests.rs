//! Every script of the packs that ship runs on the machine of the test, and what it writes is read as the agent does.

use std::path::Path;
use std::time::Duration;

use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::pack::yaml;
use watchkeeper_model::workflow::{Purpose, Workflow};

use super::*;
use crate::workflow::modules::text::nobody;

struct Shipped {
    element: String,
    output: Output,
    configuration: Node,
}

/// Those of discoveries and monitors; tasks and recoveries act.
fn scripts() -> Vec<Shipped> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs");
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        let pack = yaml::read(&name, &std::fs::read(&path).unwrap()).pack.unwrap();
        for discovery in pack.discoveries {
            let configuration = discovery.data_source.unwrap().configuration;
            scripts.push(Shipped { element: discovery.id, output: Output::Discovery, configuration });
        }
        for monitor in pack.monitors {
            let watchkeeper_model::pack::MonitorKind::Unit { configuration, .. } = monitor.kind else { continue };
            if configuration.child("ScriptBody").is_some() {
                scripts.push(Shipped { element: monitor.id, output: Output::PropertyBag, configuration });
            }
        }
    }
    scripts
}

/// What the server fills in, with things of this machine; `None`: this machine has no such thing.
fn arguments(shipped: &Shipped, list: &Path) -> Option<Vec<String>> {
    let text = shipped.configuration.value("Arguments").unwrap_or_default().replace("/etc/watchkeeper/", "LIST:");
    let disk = std::fs::read_to_string("/proc/diskstats").unwrap_or_default();
    let disk = disk.lines().next().and_then(|line| line.split_whitespace().nth(2)).map(str::to_owned);
    let mut out = Vec::new();
    // variables hold no spaces here, and stand alone as words
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if word.contains("/DeviceID$") {
            let name = if shipped.element.contains("Disk") { disk.clone()? } else { "lo".to_owned() };
            out.extend([name, "1".to_owned()]);
        } else if word.starts_with("LIST:") {
            out.push(list.display().to_string());
        } else if word.starts_with("$MPElement") {
            out.push(ElementId::of("Pack", word).to_string());
        } else {
            out.push(if word.contains("UnitName") { "dbus.service".to_owned() } else { "this-machine".to_owned() });
        }
    }
    Some(out)
}

#[tokio::test]
async fn every_shipped_script_runs_here_and_its_output_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    std::fs::write(&list, "# what is watched\nhttps://example.org 443\n\ndatabase.example.org 5432\n").unwrap();
    let (mut ran, mut instances) = (0, 0);
    for shipped in scripts() {
        let body = shipped.configuration.value("ScriptBody").unwrap();
        let name = shipped.configuration.value("ScriptName").unwrap();
        let (program, option) = interpreter(name, body).unwrap();
        let Some(given) = arguments(&shipped, &list) else {
            println!("{} is left out: this machine has no disk", shipped.element);
            continue;
        };
        let mut all: Vec<OsString> = vec![option.into(), body.into()];
        if program != "python3" {
            all.push(name.into());
        }
        all.extend(given.iter().map(OsString::from));
        let execution = Execution {
            program: program.into(),
            arguments: all,
            folder: None,
            environment: Vec::new(),
            user: None,
            output_limit: 1 << 20,
        };
        let finished = tokio::time::timeout(Duration::from_secs(60), execute(execution)).await.unwrap().unwrap();
        let element = &shipped.element;
        assert_eq!(finished.stderr, "", "{element}");
        let items =
            items_of(shipped.output, 0, nobody(), &finished).unwrap_or_else(|failure| panic!("{element}: {failure}"));
        // these ask a server that this machine does not run; the product's tests run them beside one
        let asks = ["Watchkeeper.Redis", "Watchkeeper.PostgreSQL"].iter().any(|pack| element.starts_with(pack));
        if asks && shipped.output == Output::PropertyBag && items.is_empty() {
            continue;
        }
        if shipped.output == Output::PropertyBag {
            let [bag] = items.as_slice() else { panic!("{element} wrote {} bags", items.len()) };
            let value = bag.body.children.iter().find(|one| one.attribute("Name") == Some("Value"));
            let value = value.unwrap_or_else(|| panic!("{element} wrote no Value: {}", finished.stdout));
            assert!(value.text.parse::<f64>().is_ok_and(|number| number >= 0.0), "{element}: {}", value.text);
        } else {
            let workflow = Workflow {
                element: element.clone(),
                element_id: ElementId::of("Pack", element),
                object: ObjectId(uuid::Uuid::nil()),
                class: String::new(),
                purpose: Purpose::Discovery,
                modules: Vec::new(),
                timeout_seconds: 0,
            };
            for item in &items {
                let found = super::super::discovery::from_item(item, &workflow).unwrap();
                println!("{element}: {} instances", found.instances.len());
                instances += found.instances.len();
            }
            let lists = shipped.configuration.value("Arguments").is_some_and(|text| text.contains("/etc/watchkeeper/"));
            assert!(!lists || finished.stdout.lines().count() == 2, "{element}: {}", finished.stdout);
        }
        ran += 1;
    }
    assert!(ran >= 12 && instances >= 8, "{ran} scripts found {instances} objects");
}
