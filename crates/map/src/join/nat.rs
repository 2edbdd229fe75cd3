//! Joining over translated addresses, by figures, ports and time, and by translations that were proved by them. The
//! rules are told in [`super`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::{In, Links, Out, overlap};
use crate::figures::Figures;
use crate::time::Time;

pub(super) fn join<'r>(outs: &mut [Out<'r>], ins: &mut [In<'r>], links: &mut Links<'r>) {
    translated_destinations(outs, ins, links);
    translated_sources(outs, ins, links);
    both_translated(outs, ins, links);
}

/// Pairs of which each side fits the other and nothing else.
fn only_pairs(left: &[usize], right: &[usize], fits: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let mut of_right: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut of_left: HashMap<usize, Vec<usize>> = HashMap::new();
    for one in left {
        for other in right.iter().filter(|other| fits(*one, **other)) {
            of_left.entry(*one).or_default().push(*other);
            of_right.entry(*other).or_default().push(*one);
        }
    }
    let only = |one: &usize| match of_left.get(one).map(Vec::as_slice) {
        Some([other]) if of_right[other].len() == 1 => Some((*one, *other)),
        _ => None,
    };
    left.iter().filter_map(only).collect()
}

/// Indexes of what is not joined yet, by a key; those without a key are left out.
fn groups<T, K: Ord>(items: &[T], key: impl Fn(&T) -> Option<K>) -> BTreeMap<K, Vec<usize>> {
    let mut groups: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        if let Some(key) = key(item) {
            groups.entry(key).or_default().push(at);
        }
    }
    groups
}

fn sum<'f>(figures: impl Iterator<Item = &'f Figures>) -> Figures {
    figures.fold(Figures::default(), |mut all, one| {
        all.add(one);
        all
    })
}

/// Load balancers and forwarded ports: the server knows the client's machine, the client not the server's.
fn translated_destinations<'r>(outs: &mut [Out<'r>], ins: &mut [In<'r>], links: &mut Links<'r>) {
    let of_client = groups(outs, |out| (!out.joined).then_some(out.machine));
    let of_server = groups(ins, |inn| inn.client.filter(|_| !inn.joined));
    // the servers and ports to which an address and port was seen to lead
    let mut leads: HashMap<(IpAddr, u16), BTreeSet<(usize, u16)>> = HashMap::new();
    let reaches = |out: &Out<'_>, inn: &In<'_>| {
        out.row.key.protocol == inn.row.key.protocol
            && (out.targets.is_empty() || out.targets.contains(&inn.machine))
            && overlap(out.row, inn.row)
    };

    for (machine, from) in &of_client {
        let Some(to) = of_server.get(machine) else { continue };
        let fits = |out: usize, inn: usize| {
            reaches(&outs[out], &ins[inn]) && ins[inn].row.figures.mirrors(&outs[out].row.figures)
        };
        for (out, inn) in only_pairs(from, to, fits) {
            links.of_client(&outs[out], &ins[inn]);
            leads
                .entry((outs[out].row.key.destination, outs[out].row.key.port))
                .or_default()
                .insert((ins[inn].machine, ins[inn].row.key.port));
            (outs[out].joined, ins[inn].joined) = (true, true);
        }
        // one address in front of several servers: all of them together
        let left: Vec<usize> = from.iter().copied().filter(|out| !outs[*out].joined).collect();
        let ports: BTreeSet<u16> =
            to.iter().filter(|inn| !ins[**inn].joined).map(|inn| ins[*inn].row.key.port).collect();
        for port in ports {
            let behind = |out: usize, ins: &[In<'_>]| -> Vec<usize> {
                let open = |inn: &&usize| !ins[**inn].joined && ins[**inn].row.key.port == port;
                to.iter().filter(open).copied().filter(|inn| reaches(&outs[out], &ins[*inn])).collect()
            };
            let fits = |out: &usize| {
                let behind = behind(*out, ins);
                behind.len() > 1
                    && sum(behind.iter().map(|inn| &ins[*inn].row.figures)).mirrors(&outs[*out].row.figures)
            };
            let mut fitting = left.iter().copied().filter(fits);
            let (Some(out), None) = (fitting.next(), fitting.next()) else { continue };
            for inn in behind(out, ins) {
                links.of_server(&outs[out], &ins[inn]);
                let front = (outs[out].row.key.destination, outs[out].row.key.port);
                leads.entry(front).or_default().insert((ins[inn].machine, ins[inn].row.key.port));
                ins[inn].joined = true;
            }
            outs[out].joined = true;
        }
    }
    follow_known_fronts(outs, ins, links, &of_client, &of_server, &leads);
}

/// Other clients of an address that was seen to lead to a server, which sees them too.
fn follow_known_fronts<'r>(
    outs: &mut [Out<'r>],
    ins: &mut [In<'r>],
    links: &mut Links<'r>,
    of_client: &BTreeMap<usize, Vec<usize>>,
    of_server: &BTreeMap<usize, Vec<usize>>,
    leads: &HashMap<(IpAddr, u16), BTreeSet<(usize, u16)>>,
) {
    for (machine, to) in of_server {
        let Some(from) = of_client.get(machine) else { continue };
        for inn in to {
            if ins[*inn].joined {
                continue;
            }
            let service = (ins[*inn].machine, ins[*inn].row.key.port);
            let leads_there = |out: &&usize| {
                let out = &outs[**out];
                out.row.key.protocol == ins[*inn].row.key.protocol
                    && leads
                        .get(&(out.row.key.destination, out.row.key.port))
                        .is_some_and(|known| known.contains(&service))
            };
            let clients: Vec<usize> = from.iter().filter(leads_there).copied().collect();
            let processes: BTreeSet<usize> = clients.iter().map(|out| outs[*out].process).collect();
            if processes.len() == 1 {
                links.of_server(&outs[clients[0]], &ins[*inn]);
                ins[*inn].joined = true;
                clients.iter().for_each(|out| outs[*out].joined = true);
            }
        }
    }
}

/// Clients behind a router: they know the server's machine, the server knows the router's address alone.
fn translated_sources<'r>(outs: &mut [Out<'r>], ins: &mut [In<'r>], links: &mut Links<'r>) {
    let service_of_out = |out: &Out<'_>| match out.targets[..] {
        [target] if !out.joined => Some((target, out.row.key.port, out.row.key.protocol.clone())),
        _ => None,
    };
    let service_of_in = |inn: &In<'_>| {
        (!inn.joined && inn.client.is_none()).then(|| (inn.machine, inn.row.key.port, inn.row.key.protocol.clone()))
    };
    let (calling, called) = (groups(outs, service_of_out), groups(ins, service_of_in));
    // the addresses behind which machines were found
    let mut routers: BTreeSet<(usize, IpAddr)> = BTreeSet::new();
    for (service, from) in &calling {
        let Some(to) = called.get(service) else { continue };
        let fits = |out: usize, inn: usize| {
            overlap(outs[out].row, ins[inn].row) && ins[inn].row.figures.mirrors(&outs[out].row.figures)
        };
        for (out, inn) in only_pairs(from, to, fits) {
            links.of_client(&outs[out], &ins[inn]);
            routers.insert((outs[out].machine, ins[inn].row.key.source));
            (outs[out].joined, ins[inn].joined) = (true, true);
        }
        // several clients behind one router: all of them together
        let left: Vec<usize> = from.iter().copied().filter(|out| !outs[*out].joined).collect();
        let all = sum(left.iter().map(|out| &outs[*out].row.figures));
        let mut fitting = to.iter().copied().filter(|inn| !ins[*inn].joined && ins[*inn].row.figures.mirrors(&all));
        if let (true, Some(inn), None) = (left.len() > 1, fitting.next(), fitting.next()) {
            for out in left {
                links.of_client(&outs[out], &ins[inn]);
                routers.insert((outs[out].machine, ins[inn].row.key.source));
                outs[out].joined = true;
            }
            ins[inn].joined = true;
        }
    }
    for (service, from) in &calling {
        let Some(to) = called.get(service) else { continue };
        for out in from {
            take_from_router(&mut outs[*out], to, ins, links, &routers);
        }
    }
}

/// A client behind a router that is known: its part of what the router brings.
fn take_from_router<'r>(
    out: &mut Out<'r>,
    to: &[usize],
    ins: &mut [In<'r>],
    links: &mut Links<'r>,
    routers: &BTreeSet<(usize, IpAddr)>,
) {
    if out.joined {
        return;
    }
    let brings = |inn: &&usize| {
        let inn = &ins[**inn];
        let mirrored = inn.figures.mirrored();
        !inn.joined
            && routers.contains(&(out.machine, inn.row.key.source))
            && overlap(out.row, inn.row)
            && out.row.figures.established <= mirrored.established
            && out.row.figures.sent <= mirrored.sent
            && out.row.figures.received <= mirrored.received
    };
    let mut bringing = to.iter().filter(brings);
    let (Some(inn), None) = (bringing.next(), bringing.next()) else { return };
    let inn = &mut ins[*inn];
    links.of_client(out, inn);
    out.joined = true;
    inn.figures.subtract(&out.row.figures.mirrored());
    let rest = inn.figures;
    inn.joined = rest.established + rest.live + rest.sent + rest.received == 0;
}

/// Neither end knows the other's machine.
fn both_translated<'r>(outs: &mut [Out<'r>], ins: &mut [In<'r>], links: &mut Links<'r>) {
    let of_out = |out: &Out<'_>| {
        let figures = &out.row.figures;
        (!out.joined && out.targets.is_empty()).then_some((figures.sent, figures.received, figures.established))
    };
    let of_in = |inn: &In<'_>| {
        let figures = inn.row.figures.mirrored();
        (!inn.joined && inn.client.is_none()).then_some((figures.sent, figures.received, figures.established))
    };
    let (from, to) = (groups(outs, of_out), groups(ins, of_in));
    for (counts, from) in &from {
        // a second pair with the same figures makes both uncertain
        let ([out], Some([inn])) = (&from[..], to.get(counts).map(Vec::as_slice)) else { continue };
        let (one, other) = (outs[*out].row, ins[*inn].row);
        let same_minutes = one.first_seen.0.abs_diff(other.first_seen.0) <= Time::MINUTE.unsigned_abs()
            && one.last_seen.0.abs_diff(other.last_seen.0) <= Time::MINUTE.unsigned_abs();
        if same_minutes && one.key.protocol == other.key.protocol && other.figures.proves(&one.figures) {
            links.of_client(&outs[*out], &ins[*inn]);
            (outs[*out].joined, ins[*inn].joined) = (true, true);
        }
    }
}
