//! Joining: both ends of a connection become one link.
//!
//! Rules, each applied to what those before it left over. What fits several ways is never joined.
//!
//! 1. **By address** (`direct`). An address means the machine that has it; loopback and a machine's own addresses mean
//!    the machine that says them. An address that several machines have (a moved one, networks that use the same private
//!    range) means the one whose own rows tell of the same source, destination and port, where that is one machine.
//!    The server's process is the one that reports the connection.
//! 2. **Translated destinations** (`nat`: a load balancer, a forwarded port). A client calls an address that is not the
//!    server's own; the server sees the client's true address. They belong together where the figures of one client's
//!    link and one server's link (or all of one client's servers on that port) mirror each other and nothing else does.
//!    An address that was found to lead to a server leads there for other clients that this server sees.
//! 3. **Translated sources** (`nat`: clients behind a router). A server sees an address of nobody, and a machine with an
//!    agent calls this server and port without being seen. They belong together where the figures of one client, or of
//!    all such clients together, mirror those of one address and of no other. An address found so is the way of its
//!    clients to other servers too; what it brings beyond theirs stays a group of clients.
//! 4. **Both translated** (`nat`). Where no address is known, only figures that are exactly the same to the byte, within
//!    the same minutes, and only once on each side.
//! 5. **One end alone** (`rest`). A server with an agent that does not report the link: whoever listens on the port. The
//!    others stay addresses: clients and servers without an agent.

mod direct;
mod nat;
mod rest;
#[cfg(test)]
mod tests;
mod world;

use std::net::IpAddr;

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSlice;

use crate::addresses::Machines;
use crate::figures::Figures;
use crate::graph::{End, Graph, Link};
use crate::hashing::FastMap;
use crate::rows::{Connection, Direction, Rows};
use crate::time::{Time, Window};
use world::World;

/// Rows that one processor looks at before it takes others.
const ROWS_AT_ONCE: usize = 4096;

/// Joins the rows of a window.
#[must_use]
pub fn join(window: Window, rows: &Rows) -> Graph {
    let mut world = World::gather(window, rows);
    let (mut outs, mut ins) = ends(&world, &rows.connections);
    let mut links = Links::default();
    direct::join(&world, &mut outs, &mut ins, &mut links);
    nat::join(&mut outs, &mut ins, &mut links);
    rest::place(&mut world, &outs, &ins, &mut links);
    world.finish(window, links)
}

/// A link as its client reports it.
struct Out<'r> {
    row: &'r Connection,
    machine: usize,
    process: usize,
    /// The machines that its destination may mean.
    targets: Machines,
    joined: bool,
}

/// A link as its server reports it.
struct In<'r> {
    row: &'r Connection,
    machine: usize,
    process: usize,
    /// The machine that its source means.
    client: Option<usize>,
    /// What no client has accounted for.
    figures: Figures,
    joined: bool,
}

/// What a server listens on.
type Service<'r> = (usize, u16, &'r str);

impl Out<'_> {
    fn service(&self, machine: usize) -> Service<'_> {
        (machine, self.row.key.port, &self.row.key.protocol)
    }
}

/// Splits rows by the end that reports them and finds who the other end may be.
fn ends<'r>(world: &World<'_>, rows: &'r [Connection]) -> (Vec<Out<'r>>, Vec<In<'r>>) {
    let chunks = rows.par_chunks(ROWS_AT_ONCE).enumerate();
    let parts: Vec<_> = chunks.map(|(number, chunk)| ends_of(world, number * ROWS_AT_ONCE, chunk)).collect();
    let (mut outs, mut ins) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for (more_outs, more_ins) in parts {
        outs.extend(more_outs);
        ins.extend(more_ins);
    }
    (outs, ins)
}

/// The ends that some neighbouring rows tell of, of which the first has a number.
fn ends_of<'r>(world: &World<'_>, first: usize, rows: &'r [Connection]) -> (Vec<Out<'r>>, Vec<In<'r>>) {
    let (mut outs, mut ins) = (Vec::new(), Vec::new());
    for (at, row) in rows.iter().enumerate() {
        let (machine, process) = world.reporter(first + at);
        let inbound = match row.key.direction {
            Direction::Inbound => true,
            Direction::Outbound => false,
            Direction::Local => world.listens(machine, process, row.key.port, &row.key.protocol),
        };
        if inbound {
            let client = world.addresses.only(machine, row.key.source);
            ins.push(In { row, machine, process, client, figures: row.figures, joined: false });
        } else {
            let targets = world.addresses.meant_by(machine, row.key.destination);
            outs.push(Out { row, machine, process, targets, joined: false });
        }
    }
    (outs, ins)
}

/// Links as they are found, summed up by their ends.
#[derive(Default)]
struct Links<'r> {
    found: Vec<Link>,
    places: FastMap<(End, End, IpAddr, u16, &'r str), usize>,
}

impl<'r> Links<'r> {
    fn add(&mut self, client: End, server: End, address: IpAddr, row: &'r Connection, port: u16, figures: &Figures) {
        let key = (client, server, address, port, row.key.protocol.as_str());
        let at = *self.places.entry(key).or_insert_with(|| {
            self.found.push(Link {
                client,
                server,
                address,
                port,
                protocol: row.key.protocol.clone(),
                figures: Figures::default(),
                dns_names: Vec::new(),
                first_seen: row.first_seen,
                last_seen: row.last_seen,
            });
            self.found.len() - 1
        });
        let link = &mut self.found[at];
        link.figures.add(figures);
        link.first_seen = link.first_seen.min(row.first_seen);
        link.last_seen = link.last_seen.max(row.last_seen);
        // the names that an inbound row has are those of the client
        if row.key.direction == Direction::Outbound {
            for name in &row.dns_names {
                if !link.dns_names.contains(name) {
                    link.dns_names.push(name.clone());
                }
            }
        }
    }

    /// Both ends are known, and the client's figures count.
    fn of_client(&mut self, out: &Out<'r>, inn: &In<'r>) {
        let (client, server) = (End::Process(out.process), End::Process(inn.process));
        self.add(client, server, inn.row.key.destination, out.row, inn.row.key.port, &out.row.figures);
    }

    /// Both ends are known, but only the server counts the two of them alone.
    fn of_server(&mut self, out: &Out<'r>, inn: &In<'r>) {
        let (client, server) = (End::Process(out.process), End::Process(inn.process));
        self.add(client, server, inn.row.key.destination, inn.row, inn.row.key.port, &inn.figures.mirrored());
    }
}

/// Whether two rows tell of overlapping minutes, for ends that begin their minutes at different times.
fn overlap(one: &Connection, other: &Connection) -> bool {
    one.first_seen.0 <= other.last_seen.0 + Time::MINUTE && other.first_seen.0 <= one.last_seen.0 + Time::MINUTE
}
