//! Links of which one end alone is known.

use std::collections::{BTreeSet, HashMap};

use super::world::World;
use super::{In, Links, Out, Service};
use crate::graph::End;
use crate::ids::address_name;

pub(super) fn place<'r>(world: &mut World<'_>, outs: &[Out<'r>], ins: &[In<'r>], links: &mut Links<'r>) {
    let mut serving: HashMap<Service<'_>, BTreeSet<usize>> = HashMap::new();
    for inn in ins {
        serving.entry((inn.machine, inn.row.port, &inn.row.protocol)).or_default().insert(inn.process);
    }
    for out in outs.iter().filter(|out| !out.joined) {
        let row = out.row;
        let server = match out.targets[..] {
            [target] => {
                let listener = world.listener(target, row.destination, row.port, &row.protocol);
                let only = || serving.get(&out.service(target)).filter(|all| all.len() == 1)?.first().copied();
                End::Process(listener.or_else(only).unwrap_or_else(|| acceptor(world, target, out)))
            }
            _ => End::Address(row.destination),
        };
        links.add(End::Process(out.process), server, row.destination, row, row.port, &row.figures);
    }
    for inn in ins.iter().filter(|inn| !inn.joined) {
        let row = inn.row;
        let client = match inn.client {
            Some(machine) => End::Process(unknown_client(world, machine)),
            None => End::Address(row.source),
        };
        links.add(client, End::Process(inn.process), row.destination, row, row.port, &inn.figures.mirrored());
    }
}

/// Whoever accepts, or would accept, on a port of a machine: a process that is concluded from its clients. Its name has
/// the form of the Service Map API (examples of `Maps_Generate`).
fn acceptor(world: &mut World<'_>, machine: usize, out: &Out<'_>) -> usize {
    let (port, address) = (out.row.port, address_name(out.row.destination));
    let name = format!("ts-m@{}@b@b-{address}_{port}", world.machines[machine].id);
    world.discovered(machine, name, &format!("Port {port}"))
}

/// Whoever on a machine uses a server that sees it, without the machine's own report of it.
fn unknown_client(world: &mut World<'_>, machine: usize) -> usize {
    let name = format!("tc-m@{}", world.machines[machine].id);
    world.discovered(machine, name, "Unknown process")
}
