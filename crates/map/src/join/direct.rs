//! Joining by address: a client's destination is an address of the server, and a server's source one of the client.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rayon::slice::ParallelSliceMut;

use super::world::World;
use super::{In, Links, Out};
use crate::addresses::Machines;
use crate::hashing::FastMap;
use crate::rows::Connection;

/// What both ends of a connection say alike where nothing is translated.
type Told<'r> = (IpAddr, IpAddr, u16, &'r str);

/// The machines that report a connection.
#[derive(Default)]
struct Tellers {
    clients: BTreeSet<usize>,
    servers: BTreeSet<usize>,
}

/// A row of one machine's clients of a service of another, or of that service about that machine.
struct Half<'r> {
    client: usize,
    server: usize,
    port: u16,
    protocol: &'r str,
    of_server: bool,
    at: usize,
}

impl<'r> Half<'r> {
    fn pair(&self) -> (usize, usize, u16, &'r str) {
        (self.client, self.server, self.port, self.protocol)
    }
}

pub(super) fn join<'r>(world: &World<'_>, outs: &mut [Out<'r>], ins: &mut [In<'r>], links: &mut Links<'r>) {
    settle(world, outs, ins);
    let mut halves: Vec<Half<'r>> = Vec::with_capacity(outs.len() + ins.len());
    for (at, out) in outs.iter().enumerate() {
        let (port, protocol) = (out.row.key.port, out.row.key.protocol.as_str());
        let half = |server: &usize| Half { client: out.machine, server: *server, port, protocol, of_server: false, at };
        halves.extend(out.targets.iter().map(half));
    }
    for (at, inn) in ins.iter().enumerate() {
        let (port, protocol) = (inn.row.key.port, inn.row.key.protocol.as_str());
        let half = |client| Half { client, server: inn.machine, port, protocol, of_server: true, at };
        halves.extend(inn.client.map(half));
    }
    halves.par_sort_unstable_by_key(|half| (half.pair(), half.of_server, half.at));
    let (mut of_clients, mut of_servers) = (Vec::new(), Vec::new());
    for pair in halves.chunk_by(|one, other| one.pair() == other.pair()) {
        let (clients, servers) = pair.split_at(pair.partition_point(|half| !half.of_server));
        if !clients.is_empty() && !servers.is_empty() {
            of_clients.clear();
            of_clients.extend(clients.iter().map(|half| half.at));
            of_servers.clear();
            of_servers.extend(servers.iter().map(|half| half.at));
            join_pair(&of_clients, &of_servers, outs, ins, links);
        }
    }
}

/// Chooses among the machines that have the same address those whose own rows tell of the same connection.
fn settle<'r>(world: &World<'_>, outs: &mut [Out<'r>], ins: &mut [In<'r>]) {
    let key = |row: &'r Connection| (row.key.source, row.key.destination, row.key.port, row.key.protocol.as_str());
    let candidates = |inn: &In<'r>| match inn.client {
        Some(_) => Machines::new(),
        None => world.addresses.meant_by(inn.machine, inn.row.key.source),
    };
    // who reports what more than one machine may mean
    let mut told: FastMap<Told<'r>, Tellers> = FastMap::default();
    for out in outs.iter().filter(|out| out.targets.len() > 1) {
        told.entry(key(out.row)).or_default();
    }
    for inn in ins.iter().filter(|inn| candidates(inn).len() > 1) {
        told.entry(key(inn.row)).or_default();
    }
    if told.is_empty() {
        return;
    }
    for out in outs.iter() {
        if let Some(tellers) = told.get_mut(&key(out.row)) {
            tellers.clients.insert(out.machine);
        }
    }
    for inn in ins.iter() {
        if let Some(tellers) = told.get_mut(&key(inn.row)) {
            tellers.servers.insert(inn.machine);
        }
    }
    for out in outs.iter_mut().filter(|out| out.targets.len() > 1) {
        let Tellers { clients, servers } = &told[&key(out.row)];
        let certain = clients.len() == 1;
        out.targets.retain(|target| certain && servers.contains(target));
    }
    for inn in ins.iter_mut() {
        let Some(Tellers { clients, servers }) = told.get(&key(inn.row)) else { continue };
        let candidates = candidates(inn);
        let mut certain = candidates.into_iter().filter(|machine| clients.contains(machine) && servers.len() == 1);
        if inn.client.is_none() {
            inn.client = certain.next().filter(|_| certain.next().is_none());
        }
    }
}

/// Joins all links from one machine to one service of another.
fn join_pair<'r>(
    of_clients: &[usize],
    of_servers: &[usize],
    outs: &mut [Out<'r>],
    ins: &mut [In<'r>],
    links: &mut Links<'r>,
) {
    if let ([out], [inn]) = (of_clients, of_servers)
        && outs[*out].targets.len() == 1
    {
        links.of_client(&outs[*out], &ins[*inn]);
        (outs[*out].joined, ins[*inn].joined) = (true, true);
        return;
    }
    for at in of_clients {
        let out = &outs[*at];
        let seen = narrowed(out, of_servers, ins);
        let processes: BTreeSet<usize> = seen.iter().map(|at| ins[*at].process).collect();
        let is_rival = |other: &&Out<'_>| {
            other.process != out.process
                && (other.row.key.source, other.row.key.destination) == (out.row.key.source, out.row.key.destination)
        };
        let rivals: Vec<&Out<'_>> = of_clients.iter().map(|other| &outs[*other]).filter(is_rival).collect();
        let joined = if processes.len() == 1 && out.targets.len() == 1 {
            links.of_client(out, &ins[seen[0]]);
            true
        } else if rivals.is_empty() {
            // whatever the server's processes have from there is of this client
            seen.iter().for_each(|at| links.of_server(out, &ins[*at]));
            true
        } else {
            // several processes to several: by their figures, where those are of one pair alone
            let mirrors = |at: &&usize| ins[**at].row.figures.mirrors(&out.row.figures);
            let mut mirroring = seen.iter().filter(mirrors);
            match (mirroring.next(), mirroring.next()) {
                (Some(one), None) if !rivals.iter().any(|rival| ins[*one].row.figures.mirrors(&rival.row.figures)) => {
                    links.of_client(out, &ins[*one]);
                    true
                }
                _ => false,
            }
        };
        outs[*at].joined |= joined;
    }
    of_servers.iter().for_each(|at| ins[*at].joined = true);
}

/// The server's rows that can be of a client's: with its destination and source, where any have them.
fn narrowed(out: &Out<'_>, of_servers: &[usize], ins: &[In<'_>]) -> Vec<usize> {
    let mut seen = of_servers.to_vec();
    for same in [
        |out: &Out<'_>, inn: &In<'_>| inn.row.key.destination == out.row.key.destination,
        |out: &Out<'_>, inn: &In<'_>| inn.row.key.source == out.row.key.source,
    ] {
        if seen.iter().any(|at| same(out, &ins[*at])) {
            seen.retain(|at| same(out, &ins[*at]));
        }
    }
    seen
}
