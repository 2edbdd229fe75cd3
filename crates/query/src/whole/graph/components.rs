//! Connected components, numbered from 0 in the order in which their first nodes come.

use datafusion::error::Result;

use super::super::Room;
use super::build::Graph;

/// How many nodes pass between two looks at whether the query still runs.
const CHECK_EVERY: usize = 1 << 14;

/// The component of each node: by paths that ignore directions, or (`strong`) by paths in both directions.
pub fn numbers(graph: &Graph, strong: bool, room: &Room) -> Result<Vec<i64>> {
    let representative = if strong { strongly(graph, room)? } else { weakly(graph, room)? };
    let mut number = vec![-1_i64; graph.node_count()];
    let mut next = 0;
    for root in &representative {
        let number = &mut number[*root as usize];
        if *number < 0 {
            *number = next;
            next += 1;
        }
    }
    Ok(representative.into_iter().map(|root| number[root as usize]).collect())
}

/// Union by size, with paths halved as they are walked.
fn weakly(graph: &Graph, room: &Room) -> Result<Vec<u32>> {
    let mut parent: Vec<u32> = (0..graph.node_count() as u32).collect();
    let mut size = vec![1_u32; graph.node_count()];
    for (at, (source, target)) in graph.source.iter().zip(&graph.target).enumerate() {
        if at % CHECK_EVERY == 0 {
            room.check()?;
        }
        let (a, b) = (root(&mut parent, *source), root(&mut parent, *target));
        if a != b {
            let (small, large) = if size[a as usize] < size[b as usize] { (a, b) } else { (b, a) };
            parent[small as usize] = large;
            size[large as usize] += size[small as usize];
        }
    }
    Ok((0..graph.node_count() as u32).map(|node| root(&mut parent, node)).collect())
}

fn root(parent: &mut [u32], mut node: u32) -> u32 {
    while parent[node as usize] != node {
        parent[node as usize] = parent[parent[node as usize] as usize];
        node = parent[node as usize];
    }
    node
}

/// Tarjan's algorithm with a stack of its own, so that a long chain does not overflow the thread's.
fn strongly(graph: &Graph, room: &Room) -> Result<Vec<u32>> {
    const UNSEEN: u32 = u32::MAX;
    let count = graph.node_count();
    let (mut order, mut low) = (vec![UNSEEN; count], vec![0_u32; count]);
    let mut representative = vec![UNSEEN; count];
    let mut open: Vec<u32> = Vec::new();
    let mut next = 0;
    for start in 0..count as u32 {
        if (start as usize).is_multiple_of(CHECK_EVERY) {
            room.check()?;
        }
        if order[start as usize] != UNSEEN {
            continue;
        }
        // a node and how many of its edges were followed
        let mut walk: Vec<(u32, usize)> = vec![(start, 0)];
        while let Some((node, followed)) = walk.last_mut() {
            let at = *node as usize;
            if *followed == 0 {
                order[at] = next;
                low[at] = next;
                next += 1;
                open.push(*node);
            }
            let edges = graph.from.of(*node);
            if let Some(edge) = edges.get(*followed) {
                *followed += 1;
                let target = graph.target[*edge as usize];
                if order[target as usize] == UNSEEN {
                    walk.push((target, 0));
                } else if representative[target as usize] == UNSEEN {
                    low[at] = low[at].min(order[target as usize]);
                }
                continue;
            }
            let done = *node;
            walk.pop();
            if let Some((before, _)) = walk.last() {
                let before = *before as usize;
                low[before] = low[before].min(low[done as usize]);
            }
            if low[done as usize] == order[done as usize] {
                while let Some(member) = open.pop() {
                    representative[member as usize] = done;
                    if member == done {
                        break;
                    }
                }
            }
        }
    }
    Ok(representative)
}
