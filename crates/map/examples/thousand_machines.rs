//! What joining costs: 1,000 machines with 20,000 edges, both ends reported, a tenth of them over a load balancer.
//!
//! `cargo run --release -p watchkeeper-map --example thousand_machines`

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use watchkeeper_map::{
    Computer, Connection, ConnectionKey, Direction, Figures, Map, PortRow, Rows, Time, Window, join,
};

const MACHINES: u32 = 1_000;
const EDGES: u32 = 20_000;
const RUNS: u32 = 10;
const HOUR: Window = Window { from: Time(0), to: Time(60 * Time::MINUTE) };

fn address(machine: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + machine + 1))
}

fn machine(at: u32) -> String {
    format!("m-{at:08x}-0000-4000-8000-000000000000")
}

fn connection(edge: u32, outbound: bool) -> Connection {
    let (client, server) = (edge % MACHINES, (edge * 7 + edge / MACHINES + 1) % MACHINES);
    let port = 8000 + u16::try_from(edge / MACHINES).expect("20 ports");
    let balanced = edge.is_multiple_of(10);
    let sent = u64::from(5_000 + edge * 13);
    let (at, process) =
        if outbound { (client, format!("p-client-{}", edge % 5)) } else { (server, format!("p-server-{port}")) };
    let key = ConnectionKey {
        machine: machine(at),
        computer: format!("host{at}.example.com"),
        process_name: process.clone(),
        process,
        direction: if outbound { Direction::Outbound } else { Direction::Inbound },
        source: address(client),
        destination: if outbound && balanced { address(0x00f0_0000 + server) } else { address(server) },
        port,
        protocol: "tcp".to_owned(),
    };
    Connection {
        key: Arc::new(key),
        dns_names: Vec::new(),
        figures: Figures {
            established: 60,
            sent: if outbound { sent } else { 9 * sent },
            received: if outbound { 9 * sent } else { sent },
            ..Figures::default()
        },
        first_seen: Time(0),
        last_seen: Time(59 * Time::MINUTE),
    }
}

fn rows() -> Rows {
    let mut rows = Rows::default();
    for at in 0..MACHINES {
        rows.computers.push(Computer {
            machine: machine(at),
            name: format!("host{at}"),
            full_name: format!("host{at}.example.com"),
            addresses: vec![address(at)],
            ..Computer::default()
        });
        for port in 0..20 {
            rows.ports.push(PortRow {
                machine: machine(at),
                computer: String::new(),
                process: format!("p-server-{}", 8000 + port),
                process_name: String::new(),
                address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                wildcard: true,
                port: 8000 + port,
                protocol: "tcp".to_owned(),
                seen: Time(0),
            });
        }
    }
    rows.connections = (0..EDGES).flat_map(|edge| [connection(edge, true), connection(edge, false)]).collect();
    rows
}

fn main() {
    let rows = rows();
    let (mut joining, mut grouping, mut edges) = (f64::MAX, f64::MAX, 0);
    for _ in 0..RUNS {
        let started = Instant::now();
        let graph = join(HOUR, black_box(&rows));
        let joined = started.elapsed().as_secs_f64();
        let map = Map::of(&graph, &|_| false);
        let grouped = started.elapsed().as_secs_f64() - joined;
        edges = black_box(map.edges.len());
        joining = joining.min(joined * 1e3);
        grouping = grouping.min(grouped * 1e3);
    }
    println!(
        "{MACHINES} machines, {} rows, {edges} edges: joined in {joining:.1} ms, grouped in {grouping:.1} ms",
        rows.connections.len()
    );
}
