//! Joining by address: a client's destination is an address of the server, and a server's source one of the client.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::world::World;
use super::{In, Links, Out};
use crate::rows::Connection;

/// What both ends of a connection say alike where nothing is translated.
type Told<'r> = (IpAddr, IpAddr, u16, &'r str);

/// The machines that report a connection.
#[derive(Default)]
struct Tellers {
    clients: BTreeSet<usize>,
    servers: BTreeSet<usize>,
}

/// Rows of one machine's clients and of another's servers on one port.
#[derive(Default)]
struct Pair {
    of_clients: Vec<usize>,
    of_servers: Vec<usize>,
}

pub(super) fn join<'r>(world: &World<'_>, outs: &mut [Out<'r>], ins: &mut [In<'r>], links: &mut Links<'r>) {
    settle(world, outs, ins);
    let mut pairs: HashMap<(usize, usize, u16, &str), Pair> = HashMap::new();
    for (at, out) in outs.iter().enumerate() {
        for target in &out.targets {
            let key = (out.machine, *target, out.row.port, out.row.protocol.as_str());
            pairs.entry(key).or_default().of_clients.push(at);
        }
    }
    for (at, inn) in ins.iter().enumerate() {
        if let Some(client) = inn.client {
            let key = (client, inn.machine, inn.row.port, inn.row.protocol.as_str());
            pairs.entry(key).or_default().of_servers.push(at);
        }
    }
    for Pair { of_clients, of_servers } in pairs.into_values() {
        if !of_clients.is_empty() && !of_servers.is_empty() {
            join_pair(&of_clients, &of_servers, outs, ins, links);
        }
    }
}

/// Chooses among the machines that have the same address those whose own rows tell of the same connection.
fn settle<'r>(world: &World<'_>, outs: &mut [Out<'r>], ins: &mut [In<'r>]) {
    let key = |row: &'r Connection| (row.source, row.destination, row.port, row.protocol.as_str());
    let candidates = |inn: &In<'r>| match inn.client {
        Some(_) => Vec::new(),
        None => world.addresses.meant_by(inn.machine, inn.row.source),
    };
    // who reports what more than one machine may mean
    let mut told: HashMap<Told<'r>, Tellers> = HashMap::new();
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
    for at in of_clients {
        let out = &outs[*at];
        let seen = narrowed(out, of_servers, ins);
        let processes: BTreeSet<usize> = seen.iter().map(|at| ins[*at].process).collect();
        let is_rival = |other: &&Out<'_>| {
            other.process != out.process
                && (other.row.source, other.row.destination) == (out.row.source, out.row.destination)
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
        |out: &Out<'_>, inn: &In<'_>| inn.row.destination == out.row.destination,
        |out: &Out<'_>, inn: &In<'_>| inn.row.source == out.row.source,
    ] {
        if seen.iter().any(|at| same(out, &ins[*at])) {
            seen.retain(|at| same(out, &ins[*at]));
        }
    }
    seen
}
