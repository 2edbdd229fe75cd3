//! Links of which one end alone is known.

use std::collections::BTreeSet;

use super::world::World;
use super::{In, Links, Out, Service};
use crate::graph::End;
use crate::hashing::FastMap;
use crate::ids::address_name;

pub(super) fn place<'r>(world: &mut World<'_>, outs: &[Out<'r>], ins: &[In<'r>], links: &mut Links<'r>) {
    let mut serving: FastMap<Service<'_>, BTreeSet<usize>> = FastMap::default();
    for inn in ins {
        serving.entry((inn.machine, inn.row.key.port, &inn.row.key.protocol)).or_default().insert(inn.process);
    }
    for out in outs.iter().filter(|out| !out.joined) {
        let row = out.row;
        let server = match out.targets[..] {
            [target] => {
                let listener = world.listener(target, row.key.destination, row.key.port, &row.key.protocol);
                let only = || serving.get(&out.service(target)).filter(|all| all.len() == 1)?.first().copied();
                End::Process(listener.or_else(only).unwrap_or_else(|| acceptor(world, target, out)))
            }
            _ => End::Address(row.key.destination),
        };
        links.add(End::Process(out.process), server, row.key.destination, row, row.key.port, &row.figures);
    }
    for inn in ins.iter().filter(|inn| !inn.joined) {
        let row = inn.row;
        let client = match inn.client {
            Some(machine) => End::Process(unknown_client(world, machine)),
            None => End::Address(row.key.source),
        };
        links.add(client, End::Process(inn.process), row.key.destination, row, row.key.port, &inn.figures.mirrored());
    }
}

/// Whoever accepts, or would accept, on a port of a machine: a process that is concluded from its clients. Its name has
/// the form of the Service Map API (examples of `Maps_Generate`).
fn acceptor(world: &mut World<'_>, machine: usize, out: &Out<'_>) -> usize {
    let (port, address) = (out.row.key.port, address_name(out.row.key.destination));
    let name = format!("ts-m@{}@b@b-{address}_{port}", world.machines[machine].id);
    world.discovered(machine, name, &format!("Port {port}"))
}

/// Whoever on a machine uses a server that sees it, without the machine's own report of it.
fn unknown_client(world: &mut World<'_>, machine: usize) -> usize {
    let name = format!("tc-m@{}", world.machines[machine].id);
    world.discovered(machine, name, "Unknown process")
}
