//! Small worlds and the links that they have to become.
//!
//! A world is a line for each row: `machine NAME ADDRESS…`, `listens MACHINE/PROCESS ADDRESS:PORT`, a client's row
//! `MACHINE/PROCESS SOURCE -> DESTINATION:PORT` and a server's `MACHINE/PROCESS DESTINATION:PORT <- SOURCE`, each with
//! `ESTABLISHED SENT RECEIVED` as its own end counts them, `failed=N`, `dns=NAME`, `at=MINUTE`.

use std::net::IpAddr;
use std::sync::Arc;

use super::join;
use crate::figures::Figures;
use crate::graph::{End, Graph};
use crate::map::Map;
use crate::rows::{Computer, Connection, ConnectionKey, Direction, PortRow, Rows};
use crate::time::{Time, Window};

const HOUR: Window = Window { from: Time(0), to: Time(60 * Time::MINUTE) };

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is no address"))
}

fn socket(text: &str) -> (IpAddr, u16) {
    let (address, port) = text.rsplit_once(':').unwrap_or_else(|| panic!("{text} has no port"));
    (self::address(address), port.parse().unwrap())
}

fn owner(text: &str) -> (String, String) {
    let (machine, process) = text.split_once('/').unwrap();
    (machine.to_owned(), process.to_owned())
}

fn world(text: &str) -> Rows {
    let mut rows = Rows::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["machine", name, ref addresses @ ..] => rows.computers.push(Computer {
                machine: name.to_owned(),
                name: name.to_owned(),
                full_name: format!("{name}.example.com"),
                addresses: addresses.iter().map(|text| address(text)).collect(),
                ..Computer::default()
            }),
            ["listens", process, at] => {
                let ((machine, process), (address, port)) = (owner(process), socket(at));
                rows.ports.push(PortRow {
                    computer: format!("{machine}.example.com"),
                    machine,
                    process_name: process.clone(),
                    process,
                    address,
                    wildcard: address.is_unspecified(),
                    port,
                    protocol: "tcp".to_owned(),
                    seen: Time(Time::MINUTE),
                });
            }
            [process, source, arrow, destination, ref figures @ ..] => {
                rows.connections.push(connection(process, (source, arrow, destination), figures));
            }
            _ => panic!("{line}"),
        }
    }
    rows
}

fn connection(process: &str, (left, arrow, right): (&str, &str, &str), words: &[&str]) -> Connection {
    let (machine, process) = owner(process);
    let (direction, source, (destination, port)) = match arrow {
        "->" => (Direction::Outbound, address(left), socket(right)),
        "<-" => (Direction::Inbound, address(right), socket(left)),
        _ => panic!("{arrow}"),
    };
    let word = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(0);
    let at = Time(word("at").map_or(1, |minute| minute.parse().unwrap()) * Time::MINUTE);
    let figures = Figures {
        established: number(0),
        terminated: number(0),
        sent: number(1),
        received: number(2),
        failed: word("failed").map_or(0, |text| text.parse().unwrap()),
        ..Figures::default()
    };
    let key = ConnectionKey {
        computer: format!("{machine}.example.com"),
        machine,
        process_name: process.clone(),
        process,
        direction,
        source,
        destination,
        port,
        protocol: "tcp".to_owned(),
    };
    Connection {
        key: Arc::new(key),
        dns_names: word("dns").map(str::to_owned).into_iter().collect(),
        figures,
        first_seen: at,
        last_seen: at,
    }
}

/// Links as lines, in order: `CLIENT -> SERVER:PORT ESTABLISHED SENT RECEIVED`.
fn lines(graph: &Graph) -> Vec<String> {
    let name = |end| match end {
        End::Address(address) => address.to_string(),
        End::Process(at) => {
            let process = &graph.processes[at];
            format!("{}/{}", graph.machines[process.machine].id, process.display_name)
        }
    };
    let mut lines: Vec<String> = graph
        .links
        .iter()
        .map(|link| {
            let Figures { established, sent, received, failed, .. } = link.figures;
            let failed = if failed > 0 { format!(" failed={failed}") } else { String::new() };
            let (client, server) = (name(link.client), name(link.server));
            format!("{client} -> {server}:{} {established} {sent} {received}{failed}", link.port)
        })
        .collect();
    lines.sort();
    lines
}

struct Case {
    what: &'static str,
    world: &'static str,
    links: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        what: "both ends become one link with the client's figures",
        world: "machine web 10.0.0.1
                machine db 10.0.0.2
                web/app 10.0.0.1 -> 10.0.0.2:5432 3 1000 9000
                db/postgres 10.0.0.2:5432 <- 10.0.0.1 3 9001 1001",
        links: &["web/app -> db/postgres:5432 3 1000 9000"],
    },
    Case {
        what: "two machines of several addresses each have one link for each address of the server",
        world: "machine web 10.0.0.1 10.1.0.1
                machine db 10.0.0.2 10.1.0.2
                web/app 10.0.0.1 -> 10.0.0.2:5432 1 100 100
                web/app 10.1.0.1 -> 10.1.0.2:5432 2 200 200
                db/postgres 10.0.0.2:5432 <- 10.0.0.1 1 100 100
                db/postgres 10.1.0.2:5432 <- 10.1.0.1 2 200 200",
        links: &["web/app -> db/postgres:5432 1 100 100", "web/app -> db/postgres:5432 2 200 200"],
    },
    Case {
        what: "loopback belongs to the machine that says it",
        world: "machine a 10.0.0.1
                machine b 10.0.0.2
                a/app 127.0.0.1 -> 127.0.0.1:6379 1 10 10
                a/redis 127.0.0.1:6379 <- 127.0.0.1 1 10 10
                b/app 127.0.0.1 -> 127.0.0.1:6379 2 20 20
                b/redis 127.0.0.1:6379 <- 127.0.0.1 2 20 20",
        links: &["a/app -> a/redis:6379 1 10 10", "b/app -> b/redis:6379 2 20 20"],
    },
    Case {
        what: "a machine's own address means itself, even where others have it too",
        world: "machine a 10.0.0.1 172.17.0.1
                machine b 10.0.0.2 172.17.0.1
                a/app 172.17.0.5 -> 172.17.0.1:80 1 10 10
                a/nginx 172.17.0.1:80 <- 172.17.0.5 1 10 10
                b/app 172.17.0.5 -> 172.17.0.1:80 2 20 20
                b/nginx 172.17.0.1:80 <- 172.17.0.5 2 20 20",
        links: &["a/app -> a/nginx:80 1 10 10", "b/app -> b/nginx:80 2 20 20"],
    },
    Case {
        what: "the client alone has an agent",
        world: "machine web 10.0.0.1
                web/app 10.0.0.1 -> 10.0.0.9:5432 3 1000 9000 dns=db.example.com",
        links: &["web/app -> 10.0.0.9:5432 3 1000 9000"],
    },
    Case {
        what: "the server alone has an agent: its figures, as the client sees them",
        world: "machine web 10.0.0.1
                web/nginx 10.0.0.1:443 <- 203.0.113.7 3 9000 1000
                web/nginx 10.0.0.1:443 <- 203.0.113.8 1 30 10",
        links: &["203.0.113.7 -> web/nginx:443 3 1000 9000", "203.0.113.8 -> web/nginx:443 1 10 30"],
    },
    Case {
        what: "a server whose rows are missing is who listens there",
        world: "machine web 10.0.0.1
                machine db 10.0.0.2
                listens db/postgres 0.0.0.0:5432
                listens db/other 127.0.0.1:5433
                web/app 10.0.0.1 -> 10.0.0.2:5432 3 1000 9000",
        links: &["web/app -> db/postgres:5432 3 1000 9000"],
    },
    Case {
        what: "calls that fail where nobody listens lead to the machine and its port",
        world: "machine web 10.0.0.1
                machine db 10.0.0.2
                listens db/postgres 127.0.0.1:5432
                web/app 10.0.0.1 -> 10.0.0.2:5432 0 0 0 failed=7",
        links: &["web/app -> db/Port 5432:5432 0 0 0 failed=7"],
    },
    Case {
        what: "one client of two processes of a server: each has what the server counts for it",
        world: "machine web 10.0.0.1
                machine db 10.0.0.2
                web/app 10.0.0.1 -> 10.0.0.2:80 3 300 600
                db/old 10.0.0.2:80 <- 10.0.0.1 1 200 100
                db/new 10.0.0.2:80 <- 10.0.0.1 2 400 200",
        links: &["web/app -> db/new:80 2 200 400", "web/app -> db/old:80 1 100 200"],
    },
    Case {
        what: "two clients of two processes are told apart by figures",
        world: "machine web 10.0.0.1
                machine db 10.0.0.2
                web/one 10.0.0.1 -> 10.0.0.2:80 3 3000 6000
                web/two 10.0.0.1 -> 10.0.0.2:80 9 9000 9500
                db/old 10.0.0.2:80 <- 10.0.0.1 3 6000 3000
                db/new 10.0.0.2:80 <- 10.0.0.1 9 9500 9000",
        links: &["web/one -> db/old:80 3 3000 6000", "web/two -> db/new:80 9 9000 9500"],
    },
    Case {
        what: "two clients of two processes with the same figures are not joined to either",
        world: "machine web 10.0.0.1
                machine db 10.0.0.2
                web/one 10.0.0.1 -> 10.0.0.2:80 3 3000 6000
                web/two 10.0.0.1 -> 10.0.0.2:80 3 3000 6000
                db/old 10.0.0.2:80 <- 10.0.0.1 3 6000 3000
                db/new 10.0.0.2:80 <- 10.0.0.1 3 6000 3000",
        links: &["web/one -> db/Port 80:80 3 3000 6000", "web/two -> db/Port 80:80 3 3000 6000"],
    },
    Case {
        what: "an address that moved from one machine to another is both, each with its part",
        world: "machine one 10.0.0.1 10.0.0.100
                machine two 10.0.0.2 10.0.0.100
                machine web 10.0.0.9
                web/app 10.0.0.9 -> 10.0.0.100:80 5 5000 500
                one/nginx 10.0.0.100:80 <- 10.0.0.9 2 200 2000
                two/nginx 10.0.0.100:80 <- 10.0.0.9 3 300 3000",
        links: &["web/app -> one/nginx:80 2 2000 200", "web/app -> two/nginx:80 3 3000 300"],
    },
    Case {
        what: "two networks with the same addresses stay apart",
        world: "machine web1 10.0.0.1
                machine web2 10.0.0.1
                machine db1 10.0.0.2
                machine db2 10.0.0.2
                web1/app 10.0.0.1 -> 10.0.0.2:80 3 300 600
                web2/app 10.0.0.1 -> 10.0.0.2:80 3 300 600
                db1/nginx 10.0.0.2:80 <- 10.0.0.1 3 600 300
                db2/nginx 10.0.0.2:80 <- 10.0.0.1 3 600 300",
        links: &[
            "10.0.0.1 -> db1/nginx:80 3 300 600",
            "10.0.0.1 -> db2/nginx:80 3 300 600",
            "web1/app -> 10.0.0.2:80 3 300 600",
            "web2/app -> 10.0.0.2:80 3 300 600",
        ],
    },
    Case {
        what: "two networks with the same addresses are told apart by exact figures",
        world: "machine web1 10.0.0.1
                machine web2 10.0.0.1
                machine db1 10.0.0.2
                machine db2 10.0.0.2
                web1/app 10.0.0.1 -> 10.0.0.2:80 3 30011 60000
                web2/app 10.0.0.1 -> 10.0.0.2:80 3 30022 60000
                db1/nginx 10.0.0.2:80 <- 10.0.0.1 3 60000 30011
                db2/nginx 10.0.0.2:80 <- 10.0.0.1 3 60000 30022",
        links: &["web1/app -> db1/nginx:80 3 30011 60000", "web2/app -> db2/nginx:80 3 30022 60000"],
    },
    Case {
        what: "a client behind a router is found by its figures",
        world: "machine laptop 192.168.1.5
                machine web 203.0.113.10
                laptop/curl 192.168.1.5 -> 203.0.113.10:443 4 4000 80000
                web/nginx 203.0.113.10:443 <- 198.51.100.1 4 80000 4000
                web/nginx 203.0.113.10:443 <- 198.51.100.9 7 100 100",
        links: &["198.51.100.9 -> web/nginx:443 7 100 100", "laptop/curl -> web/nginx:443 4 4000 80000"],
    },
    Case {
        what: "several clients behind one router, together",
        world: "machine one 192.168.1.5
                machine two 192.168.1.6
                machine web 203.0.113.10
                one/curl 192.168.1.5 -> 203.0.113.10:443 4 4000 80000
                two/curl 192.168.1.6 -> 203.0.113.10:443 2 2000 10000
                web/nginx 203.0.113.10:443 <- 198.51.100.1 6 90000 6000",
        links: &["one/curl -> web/nginx:443 4 4000 80000", "two/curl -> web/nginx:443 2 2000 10000"],
    },
    Case {
        what: "what a known router brings beyond its known clients stays a group",
        world: "machine laptop 192.168.1.5
                machine web 203.0.113.10
                machine api 203.0.113.11
                laptop/curl 192.168.1.5 -> 203.0.113.10:443 4 4000 80000
                web/nginx 203.0.113.10:443 <- 198.51.100.1 4 80000 4000
                laptop/curl 192.168.1.5 -> 203.0.113.11:8080 1 1000 2000
                api/java 203.0.113.11:8080 <- 198.51.100.1 10 20000 10000",
        links: &[
            "198.51.100.1 -> api/java:8080 9 9000 18000",
            "laptop/curl -> api/java:8080 1 1000 2000",
            "laptop/curl -> web/nginx:443 4 4000 80000",
        ],
    },
    Case {
        what: "two routers with the same figures are not told apart",
        world: "machine laptop 192.168.1.5
                machine web 203.0.113.10
                laptop/curl 192.168.1.5 -> 203.0.113.10:443 4 4000 80000
                web/nginx 203.0.113.10:443 <- 198.51.100.1 4 80000 4000
                web/nginx 203.0.113.10:443 <- 198.51.100.2 4 80000 4000",
        links: &[
            "198.51.100.1 -> web/nginx:443 4 4000 80000",
            "198.51.100.2 -> web/nginx:443 4 4000 80000",
            "laptop/curl -> web/nginx:443 4 4000 80000",
        ],
    },
    Case {
        what: "the same figures at another time are another connection",
        world: "machine laptop 192.168.1.5
                machine web 203.0.113.10
                laptop/curl 192.168.1.5 -> 203.0.113.10:443 4 4000 80000 at=5
                web/nginx 203.0.113.10:443 <- 198.51.100.1 4 80000 4000 at=50",
        links: &["198.51.100.1 -> web/nginx:443 4 4000 80000", "laptop/curl -> web/nginx:443 4 4000 80000"],
    },
    Case {
        what: "a load balancer that leaves the client's address",
        world: "machine client 10.0.0.1
                machine web 10.0.0.2
                client/app 10.0.0.1 -> 10.9.9.9:443 4 4000 80000
                web/nginx 10.0.0.2:8443 <- 10.0.0.1 4 80000 4000",
        links: &["client/app -> web/nginx:8443 4 4000 80000"],
    },
    Case {
        what: "a load balancer in front of two servers",
        world: "machine client 10.0.0.1
                machine web1 10.0.0.2
                machine web2 10.0.0.3
                client/app 10.0.0.1 -> 10.9.9.9:443 5 5000 80000
                web1/nginx 10.0.0.2:8443 <- 10.0.0.1 3 60000 3000
                web2/nginx 10.0.0.3:8443 <- 10.0.0.1 2 20000 2000",
        links: &["client/app -> web1/nginx:8443 3 3000 60000", "client/app -> web2/nginx:8443 2 2000 20000"],
    },
    Case {
        what: "a load balancer that is known leads other clients to the same servers",
        world: "machine client 10.0.0.1
                machine other 10.0.0.4
                machine web 10.0.0.2
                client/app 10.0.0.1 -> 10.9.9.9:443 4 4000 80000
                web/nginx 10.0.0.2:8443 <- 10.0.0.1 4 80000 4000
                other/tool 10.0.0.4 -> 10.9.9.9:443 1 10 10
                other/noise 10.0.0.4 -> 10.8.8.8:443 1 10 10
                web/nginx 10.0.0.2:8443 <- 10.0.0.4 1 10 10",
        links: &[
            "client/app -> web/nginx:8443 4 4000 80000",
            "other/noise -> 10.8.8.8:443 1 10 10",
            "other/tool -> web/nginx:8443 1 10 10",
        ],
    },
    Case {
        what: "two processes of a client behind an unknown balancer: the server's client stays unknown",
        world: "machine client 10.0.0.1
                machine web 10.0.0.2
                client/one 10.0.0.1 -> 10.9.9.9:443 4 4000 80000
                client/two 10.0.0.1 -> 10.9.9.9:443 4 4000 80000
                web/nginx 10.0.0.2:8443 <- 10.0.0.1 8 160000 8000",
        links: &[
            "client/Unknown process -> web/nginx:8443 8 8000 160000",
            "client/one -> 10.9.9.9:443 4 4000 80000",
            "client/two -> 10.9.9.9:443 4 4000 80000",
        ],
    },
    Case {
        what: "a forwarded port leads into the container",
        world: "machine client 10.0.0.1
                machine host 10.0.0.2
                listens host/docker-proxy 0.0.0.0:8080
                client/app 10.0.0.1 -> 10.0.0.2:8080 4 4000 80000
                host/web-in-container 172.17.0.2:80 <- 10.0.0.1 4 80000 4000",
        links: &["client/app -> host/web-in-container:80 4 4000 80000"],
    },
    Case {
        what: "both ends translated: exactly the same figures",
        world: "machine client 10.0.0.1
                machine web 10.0.0.2
                client/app 10.0.0.1 -> 203.0.113.9:443 4 4321 80123
                web/nginx 10.0.0.2:8443 <- 10.0.0.250 4 80123 4321",
        links: &["client/app -> web/nginx:8443 4 4321 80123"],
    },
    Case {
        what: "both ends translated: nearly the same figures prove nothing",
        world: "machine client 10.0.0.1
                machine web 10.0.0.2
                client/app 10.0.0.1 -> 203.0.113.9:443 4 4321 80123
                web/nginx 10.0.0.2:8443 <- 10.0.0.250 4 80124 4321",
        links: &["10.0.0.250 -> web/nginx:8443 4 4321 80124", "client/app -> 203.0.113.9:443 4 4321 80123"],
    },
];

#[test]
fn each_small_world_has_its_links() {
    for case in CASES {
        let mut rows = world(case.world);
        assert_eq!(lines(&join(HOUR, &rows)), case.links, "{}", case.what);
        // the order of rows says nothing
        rows.connections.reverse();
        rows.computers.reverse();
        assert_eq!(lines(&join(HOUR, &rows)), case.links, "{}, in the other order", case.what);
    }
}

#[test]
fn a_map_groups_clients_by_process_and_servers_by_port() {
    let rows = world(
        "machine web 10.0.0.1
         listens web/nginx 0.0.0.0:443
         web/nginx 10.0.0.1:443 <- 203.0.113.7 3 9000 1000
         web/nginx 10.0.0.1:443 <- 203.0.113.8 1 30 10
         web/app 10.0.0.1 -> 10.0.0.8:5432 2 20 200 dns=one.example.com
         web/app 10.0.0.1 -> 10.0.0.9:5432 3 30 300 dns=two.example.com failed=1
         web/app 10.0.0.1 -> 10.0.0.9:5433 1 1 1",
    );
    let map = Map::of(&join(HOUR, &rows), &|_| false);
    let clients: Vec<_> = map.client_groups.iter().map(|group| (group.port, group.members)).collect();
    assert_eq!(clients, [(443, 2)]);
    assert_eq!(map.client_groups[0].addresses, ["203.0.113.7", "203.0.113.8"]);
    let servers: Vec<_> = map.port_groups.iter().map(|group| (group.port, group.members)).collect();
    assert_eq!(servers, [(5432, 2), (5433, 1)]);
    assert_eq!(map.port_groups[0].dns_names, ["one.example.com", "two.example.com"]);
    let edges: Vec<_> = map.edges.iter().map(|edge| (edge.port, edge.links.established, edge.links.failed)).collect();
    let mut sorted = edges.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [(443, 4, 0), (5432, 5, 1), (5433, 1, 0)]);
    let of_clients = map.edges.iter().find(|edge| edge.port == 443).unwrap();
    assert_eq!((of_clients.bytes.sent, of_clients.bytes.received), (1010, 9030));
    assert_eq!((&of_clients.source_machine, of_clients.target_machine.as_deref()), (&None, Some("web")));
    assert_eq!(of_clients.source, map.client_groups[0].id);
    assert!(map.processes.iter().any(|process| process.id == of_clients.target && process.name == "nginx"));
    assert_eq!(map.ports.len(), 1);
}

#[test]
fn malicious_addresses_stand_first_in_their_group_and_mark_its_edges() {
    let rows = world(
        "machine web 10.0.0.1
         listens web/nginx 0.0.0.0:443
         web/nginx 10.0.0.1:443 <- 203.0.113.7 3 9000 1000
         web/nginx 10.0.0.1:443 <- 203.0.113.8 1 30 10
         web/app 10.0.0.1 -> 203.0.113.8:8080 1 1 1
         web/app 10.0.0.1 -> 203.0.113.9:9090 1 1 1",
    );
    let bad: IpAddr = "203.0.113.8".parse().unwrap();
    let map = Map::of(&join(HOUR, &rows), &|address| address == bad);
    let group = &map.client_groups[0];
    assert_eq!((group.members, group.malicious), (2, 1));
    assert_eq!(group.addresses, ["203.0.113.8", "203.0.113.7"]);
    let mut marked: Vec<_> = map.edges.iter().map(|edge| (edge.port, edge.malicious)).collect();
    marked.sort_unstable();
    assert_eq!(marked, [(443, true), (8080, true), (9090, false)]);
}

#[test]
fn the_same_program_on_two_machines_is_two_processes() {
    let rows = world(
        "a/nginx 127.0.0.1:80 <- 127.0.0.1 1 1 1
         b/nginx 127.0.0.1:80 <- 127.0.0.1 1 1 1",
    );
    let map = Map::of(&join(HOUR, &rows), &|_| false);
    let servers: Vec<_> = map.processes.iter().filter(|process| process.process == "nginx").collect();
    assert_eq!(servers.len(), 2);
    assert_ne!(servers[0].id, servers[1].id);
}

#[test]
fn a_machine_that_only_others_speak_of_is_shown_and_one_that_nobody_does_is_not() {
    let mut rows = world(
        "machine web 10.0.0.1
         machine gone 10.0.0.2
         machine forgotten 10.0.0.3
         web/app 10.0.0.1 -> 10.0.0.2:80 0 0 0 failed=3",
    );
    for computer in &mut rows.computers {
        computer.seen = Time(-Time::MINUTE);
    }
    let map = Map::of(&join(HOUR, &rows), &|_| false);
    let machines: Vec<_> = map.machines.iter().map(|machine| (machine.name.as_str(), machine.monitored)).collect();
    assert_eq!(machines, [("web", true), ("gone", false)]);
}

#[test]
fn the_answer_has_the_names_of_the_contract() {
    let rows = world(
        "machine web 10.0.0.1
         listens web/nginx 0.0.0.0:443
         web/nginx 10.0.0.1:443 <- 203.0.113.7 3 9000 1000
         web/app 10.0.0.1 -> 10.0.0.8:5432 2 20 200",
    );
    let answer = serde_json::to_value(Map::of(&join(HOUR, &rows), &|_| false)).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&answer), ["window", "machines", "processes", "ports", "clientGroups", "portGroups", "edges"]);
    assert_eq!(answer["window"], serde_json::json!({"from": "1970-01-01T00:00:00Z", "to": "1970-01-01T01:00:00Z"}));
    for key in ["source", "target", "sourceMachine", "targetMachine", "port", "protocol", "links", "bytes"] {
        assert!(keys(&answer["edges"][0]).iter().any(|known| known == key), "{key}");
    }
}
