//! The queries of `docs/map.md`, section "Ask the map in KQL", word for word, over rows in the documented columns of
//! `VMConnection`, `VMComputer` and `VMProcess`.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use watchkeeper_ingest::standard_table;
use watchkeeper_kql::{Ticks, Type};
use watchkeeper_query::shape::log_analytics;
use watchkeeper_query::{Engine, EngineOptions, FileTables, Request};

/// 2026-01-01T12:00.
const NOW: i64 = 1_767_268_800_000_000;

/// The machines: name, addresses.
const MACHINES: [(&str, &[&str]); 5] = [
    // the bridge of containers has the same address on several machines
    ("web01", &["10.0.0.1", "172.17.0.1"]),
    ("web02", &["10.0.0.2", "172.17.0.1"]),
    ("app01", &["10.0.1.1"]),
    ("db01", &["10.0.2.1"]),
    ("mail01", &["10.0.3.1"]),
];

/// Connections: machine, process, destination, port, bytes sent.
const CONNECTIONS: [(&str, &str, &str, i64, i64); 9] = [
    ("web01", "nginx", "10.0.1.1", 8080, 10),
    ("web02", "nginx", "10.0.1.1", 8080, 20),
    ("app01", "java", "10.0.2.1", 5432, 30),
    // a client without an agent is no node here, a server without one is
    ("app01", "java", "10.0.9.9", 6379, 5),
    ("app01", "java", "93.184.215.14", 443, 700),
    ("mail01", "smtpd", "198.51.100.7", 25, 90),
    // to itself
    ("db01", "postgres", "10.0.2.1", 5432, 1),
    ("mail01", "python3", "172.17.0.1", 9100, 2),
    // a way to the machine that is not to the port
    ("mail01", "ssh", "10.0.2.1", 22, 1),
];

/// A standard table as a constant of the query, with the rows' columns and all others empty.
fn table(name: &str, rows: &[Value]) -> String {
    let columns = standard_table(name).expect("a standard table").columns;
    let mut text = format!("let {name} = datatable(TimeGenerated:datetime");
    for (column, ty) in columns {
        write!(text, ", ['{column}']:{ty}").expect("text");
    }
    text.push_str(") [\n");
    for row in rows {
        text.push_str("datetime(2026-01-01T11:59:00Z)");
        let known = |name: &str| columns.iter().any(|(column, _)| *column == name);
        for name in row.as_object().expect("a row").keys() {
            assert!(known(name), "no column {name}");
        }
        for (column, ty) in columns {
            let cell = match (row.get(column), ty) {
                (Some(value), Type::Dynamic) => format!("dynamic({value})"),
                (Some(value), _) => value.to_string(),
                (None, Type::String) => "''".to_owned(),
                (None, ty) => format!("{ty}(null)"),
            };
            write!(text, ", {cell}").expect("text");
        }
        text.push_str(",\n");
    }
    text.push_str("];\n");
    text
}

fn tables() -> String {
    let computers = MACHINES.map(|(name, addresses)| {
        json!({ "Computer": name, "Ipv4Addresses": addresses, "OperatingSystemFullName": "Debian", "Ipv6Addresses": [] })
    });
    let connections = CONNECTIONS.map(|(machine, process, to, port, sent)| {
        let class = if to.starts_with("10.") || to.starts_with("172.") { "private" } else { "public" };
        json!({ "Computer": machine, "ProcessName": process, "Direction": "outbound", "DestinationIp": to,
            "DestinationPort": port, "BytesSent": sent, "LinksEstablished": 1, "Protocol": "tcp",
            "RemoteClassification": class })
    });
    // what the server saw of it must not make a second edge
    let mut connections = connections.to_vec();
    connections.push(json!({ "Computer": "db01", "ProcessName": "postgres", "Direction": "inbound",
        "SourceIp": "10.0.1.1", "DestinationIp": "10.0.2.1", "DestinationPort": 5432, "LinksEstablished": 1 }));
    let processes = [
        json!({ "Computer": "app01", "ExecutableName": "java", "DisplayName": "com.example.Shop" }),
        json!({ "Computer": "web01", "ExecutableName": "nginx", "DisplayName": "nginx" }),
    ];
    table("VMComputer", &computers) + &table("VMConnection", &connections) + &table("VMProcess", &processes)
}

/// The query below a heading of the page.
fn query(heading: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/map.md");
    let text = std::fs::read_to_string(page).expect("docs/map.md");
    let (_, section) = text.split_once(&format!("### {heading}\n")).expect("the heading in docs/map.md");
    let (_, fence) = section.split_once("```kusto\n").expect("a query below it");
    fence.split_once("```").expect("the end of the query").0.to_owned()
}

async fn run(text: &str) -> Value {
    let spill = tempfile::tempdir().expect("a folder");
    let options = EngineOptions { memory_limit: 512 << 20, spill_dir: spill.path().to_path_buf(), threads: 2 };
    let request = Request {
        timespan: None,
        parameters: Default::default(),
        now: Ticks::from_unix_micros(NOW),
        deadline: Duration::from_secs(120),
        max_rows: 100_000,
        max_bytes: 1 << 30,
        cancel: CancellationToken::new(),
        plan: false,
    };
    let answer = Engine::new(options).run(text, Arc::new(FileTables::default()), request).await;
    let response = answer.unwrap_or_else(|error| panic!("{text}\n{error}"));
    let body: Value = serde_json::from_slice(&log_analytics(&response)).expect("JSON");
    body["tables"][0]["rows"].clone()
}

async fn answer(heading: &str) -> Value {
    run(&(tables() + &query(heading))).await
}

#[tokio::test]
async fn what_depends_on_a_database_is_found_through_others_and_by_its_port() {
    assert_eq!(
        answer("What depends on this database?").await,
        json!([
            ["app01", 1, "app01 → db01", "java"],
            ["web01", 2, "web01 → app01 → db01", "java"],
            ["web02", 2, "web02 → app01 → db01", "java"],
        ])
    );
}

#[tokio::test]
async fn what_breaks_with_a_machine_is_what_is_upstream_of_it() {
    assert_eq!(
        answer("What breaks if this machine stops?").await,
        json!([["web01", 1, "", "[\"nginx\"]"], ["web02", 1, "", "[\"nginx\"]"]])
    );
    let database = query("What breaks if this machine stops?").replace("\"app01\"", "\"db01\"");
    assert_eq!(
        run(&(tables() + &database)).await,
        json!([
            ["app01", 1, "", "[\"java\"]"],
            ["mail01", 1, "", "[\"ssh\"]"],
            ["web01", 2, "app01", "[\"nginx\"]"],
            ["web02", 2, "app01", "[\"nginx\"]"],
        ])
    );
}

#[tokio::test]
async fn who_talks_to_addresses_outside_is_told_with_the_process() {
    assert_eq!(
        answer("Who talks to addresses outside?").await,
        json!([["app01", "java", "93.184.215.14", 443, 1, 700, 2], ["mail01", "smtpd", "198.51.100.7", 25, 1, 90, 0],])
    );
}

#[tokio::test]
async fn machines_that_talk_belong_together() {
    assert_eq!(
        answer("Which machines belong together?").await,
        json!([["[\"app01\",\"db01\",\"mail01\",\"web01\",\"web02\"]", 5]])
    );
}

#[tokio::test]
async fn the_processes_of_a_way_have_their_names() {
    assert_eq!(
        answer("Which processes does a request pass?").await,
        json!([["nginx:8080 → com.example.Shop:5432", 2]])
    );
}

/// 1,000 machines, each with 20 servers of the layer below: what is upstream of one machine, through 10 layers. A search
/// of all ways would not end before the deadline of the query: there are 20^10 of them.
#[tokio::test]
async fn the_dependents_of_a_machine_among_20_000_edges_are_found() {
    let edges = "let edges = range i from 0 to 19999 step 1
        | extend Computer = strcat('m', i % 1000), Target = strcat('m', ((i % 1000) / 100 + 1) * 100 + (i * 37 + i / 1000) % 100);";
    let question = "edges | make-graph Computer --> Target with_node_id = Computer
        | graph-shortest-paths (stopped)<-[path*1..10]-(upstream)
            where stopped.Computer == 'm1000'
            project Machine = upstream.Computer, Hops = array_length(path)
        | summarize count() by Hops | sort by Hops asc";
    let rows = run(&format!("{edges}\n{question}")).await;
    let rows = rows.as_array().expect("rows");
    assert_eq!(rows.len(), 10, "one step for each layer: {rows:?}");
    let found: i64 = rows.iter().filter_map(|row| row[1].as_i64()).sum();
    assert!((900..=1000).contains(&found), "{found} machines upstream: {rows:?}");
}
