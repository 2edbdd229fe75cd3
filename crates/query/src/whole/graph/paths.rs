//! Shortest paths between each two nodes that the ends of a pattern may be: breadth first from one node after the
//! other, so that the effort is that of the edges and not of the paths. A path leads from one node to another; a node
//! is its own target only where the pattern names it twice, or allows a path of no edges.

use std::collections::VecDeque;

use datafusion::error::Result;
use watchkeeper_kql::graph::Cycles;

use super::compute::{Formula, Matches, Source};
use super::matching::{Matching, allowed};
use super::search::{Search, Step, step};
use super::{Condition, build::Graph};

/// No edge: the step from one edge of the pattern to the next.
const NO_EDGE: u32 = u32::MAX;
const UNSEEN: u32 = u32::MAX;
const UNBOUND: u32 = u32::MAX;
/// Memory of a state with the places before it, roughly.
const STATE_BYTES: usize = 80;

/// Gives a shortest path of each pair, or (`all`) all of them, to `matching`.
pub fn run(matching: &mut Matching<'_>, all: bool) -> Result<()> {
    let edges = matching.pattern.edges.len();
    if matching.nothing || edges == 0 {
        return Ok(());
    }
    let (left, right) = (matching.pattern.edges[0].left, matching.pattern.edges[edges - 1].right);
    // from the end that fewer nodes may be
    let back = matching.candidates(right) < matching.candidates(left);
    let (start, end) = if back { (right, left) } else { (left, right) };
    let of_ends =
        |condition: &&Condition| matches!(condition, Condition::Formula(formula) if about(formula, start, end));
    let (ends, rest): (Vec<&Condition>, Vec<&Condition>) =
        std::mem::take(&mut matching.rest).into_iter().partition(of_ends);
    matching.rest = rest;
    let steps = chain(matching, back);
    let mut finder = Finder::new(matching, steps, start, end, all)?;
    for node in 0..finder.graph.node_count() as u32 {
        if allowed(&finder.matching.nodes[start], node) {
            finder.from(node, &ends)?;
        }
    }
    Ok(())
}

/// The edges of the pattern in the order in which they are walked.
fn chain(matching: &Matching<'_>, back: bool) -> Vec<Step> {
    let mut steps: Vec<Step> = (0..matching.pattern.edges.len()).map(|edge| step(matching, edge, back)).collect();
    if back {
        steps.reverse();
    }
    steps
}

fn about(formula: &Formula, start: usize, end: usize) -> bool {
    formula.sources.iter().all(|source| matches!(source, Source::Node(node, _) if *node == start || *node == end))
}

/// A place of the search: so many edges into a step, at a node.
#[derive(Debug)]
struct State {
    step: u32,
    hops: u32,
    node: u32,
    depth: u32,
    /// The places before it on shortest ways, with the edge between.
    before: Vec<(u32, u32)>,
}

struct Finder<'m, 'g> {
    matching: &'m mut Matching<'g>,
    graph: &'g Graph,
    steps: Vec<Step>,
    start: usize,
    end: usize,
    all: bool,
    /// The first slot of each step. Lengths below the least one are told apart, and where there are several steps all
    /// of them, since a shorter way into a step may leave less for another.
    slots: Vec<usize>,
    /// For each slot and node its state.
    seen: Vec<u32>,
    states: Vec<State>,
    /// Edges of all steps together at most.
    most: u32,
    /// States that were counted as memory.
    counted: usize,
}

impl<'m, 'g> Finder<'m, 'g> {
    fn new(
        matching: &'m mut Matching<'g>,
        steps: Vec<Step>,
        start: usize,
        end: usize,
        all: bool,
    ) -> Result<Finder<'m, 'g>> {
        let graph = matching.graph;
        let mut slots = Vec::new();
        let mut next = 0;
        for step in &steps {
            slots.push(next);
            next += if steps.len() == 1 { step.least } else { step.most } as usize + 1;
        }
        slots.push(next);
        let places = (next + 1) * graph.node_count();
        matching.grow(places * size_of::<u32>())?;
        let most = steps.iter().map(|step| step.most).sum();
        Ok(Finder {
            graph,
            start,
            end,
            all,
            slots,
            seen: vec![UNSEEN; places],
            states: Vec::new(),
            most,
            counted: 0,
            steps,
            matching,
        })
    }

    fn place(&self, step: usize, hops: u32, node: u32) -> usize {
        let own = self.slots.get(step + 1).map_or(0, |next| next - self.slots[step] - 1);
        (self.slots[step] + (hops as usize).min(own)) * self.graph.node_count() + node as usize
    }

    /// Takes a place, reached from another; its number if it is new.
    fn reach(&mut self, step: usize, hops: u32, node: u32, depth: u32, before: Option<(u32, u32)>) -> Option<u32> {
        let place = self.place(step, hops, node);
        let known = self.seen[place];
        if known == UNSEEN {
            let number = self.states.len() as u32;
            self.seen[place] = number;
            self.states.push(State { step: step as u32, hops, node, depth, before: before.into_iter().collect() });
            return Some(number);
        }
        let state = &mut self.states[known as usize];
        if state.depth == depth {
            state.before.extend(before);
        }
        None
    }

    /// Shortest paths from one node.
    fn from(&mut self, node: u32, ends: &[&Condition]) -> Result<()> {
        self.reach(0, 0, node, 0, None);
        let mut queue = VecDeque::from([0_u32]);
        let mut targets = Vec::new();
        while let Some(here) = queue.pop_front() {
            self.matching.step()?;
            let state = &self.states[here as usize];
            let (number, node, hops, depth) = (state.step as usize, state.node, state.hops, state.depth);
            if number == self.steps.len() {
                targets.push(here);
                continue;
            }
            let step = &self.steps[number];
            let (least, most, walk, edge) = (step.least, step.most, step.walk, step.edge);
            if hops >= least && allowed(&self.matching.nodes[step.to], node) {
                // as deep as the place before it, so it comes before all that is deeper
                let new = self.reach(number + 1, 0, node, depth, Some((here, NO_EDGE)));
                new.into_iter().for_each(|state| queue.push_front(state));
            }
            if hops == most || (hops > 0 && !allowed(&self.matching.inner[edge], node)) {
                continue;
            }
            for place in 0..walk.degree(self.graph, node) {
                self.matching.step()?;
                let Some((found, other)) = walk.edge(self.graph, node, place) else { continue };
                let remaining = self.steps[number].remaining.as_ref();
                if allowed(&self.matching.edges[edge], found)
                    && remaining.is_none_or(|remaining| remaining[other as usize] < most - hops)
                {
                    let new = self.reach(number, hops + 1, other, depth + 1, Some((here, found)));
                    queue.extend(new);
                }
            }
        }
        if self.states.len() > self.counted {
            self.matching.grow((self.states.len() - self.counted) * STATE_BYTES)?;
            self.counted = self.states.len();
        }
        self.targets(node, targets, ends)?;
        for state in std::mem::take(&mut self.states) {
            let place = self.place(state.step as usize, state.hops, state.node);
            self.seen[place] = UNSEEN;
        }
        Ok(())
    }

    fn targets(&mut self, start: u32, mut targets: Vec<u32>, ends: &[&Condition]) -> Result<()> {
        let closed = self.start == self.end;
        targets.retain(|target| {
            let target = &self.states[*target as usize];
            if closed { target.node == start } else { target.node != start || target.depth == 0 }
        });
        if !ends.is_empty() && !targets.is_empty() {
            let mut pairs = Matches::new(self.matching.pattern.nodes, self.matching.pattern.edges.len());
            pairs.rows = targets.len();
            pairs.nodes[self.start] = vec![start; targets.len()];
            pairs.nodes[self.end] = targets.iter().map(|target| self.states[*target as usize].node).collect();
            let kept = self.matching.meets(&pairs, ends)?;
            let mut kept = kept.iter();
            targets.retain(|_| kept.next().copied().unwrap_or(false));
        }
        for target in targets {
            let mut way = Vec::new();
            let mut found = false;
            self.ways(target, &mut way, &mut found)?;
            if !found {
                self.longer(start, target)?;
            }
        }
        Ok(())
    }

    /// Goes back from a state to the start by all shortest ways, until one will do.
    fn ways(&mut self, state: u32, way: &mut Vec<(u32, u32)>, found: &mut bool) -> Result<()> {
        if *found && !self.all {
            return Ok(());
        }
        self.matching.step()?;
        let before = self.states[state as usize].before.len();
        if before == 0 {
            *found |= self.whole(state, way)?;
            return Ok(());
        }
        for at in 0..before {
            let (earlier, edge) = self.states[state as usize].before[at];
            way.push((state, edge));
            self.ways(earlier, way, found)?;
            way.pop();
        }
        Ok(())
    }

    /// A way from the first state; `way` holds the others, the last one first. False if it is no match.
    fn whole(&mut self, first: u32, way: &[(u32, u32)]) -> Result<bool> {
        let pattern = self.matching.pattern;
        let start = self.states[first as usize].node;
        let mut bound = vec![UNBOUND; pattern.nodes];
        bound[self.start] = start;
        let mut ways: Vec<(Vec<u32>, Vec<u32>)> = vec![Default::default(); pattern.edges.len()];
        let mut visited = vec![start];
        let mut walked = Vec::new();
        for (state, edge) in way.iter().rev() {
            let state = &self.states[*state as usize];
            let own = if *edge == NO_EDGE { state.step as usize - 1 } else { state.step as usize };
            let step = &self.steps[own];
            if *edge == NO_EDGE {
                if bound[step.to] != UNBOUND && bound[step.to] != state.node {
                    return Ok(false);
                }
                bound[step.to] = state.node;
                ways[step.edge].1.pop();
                continue;
            }
            ways[step.edge].0.push(*edge);
            ways[step.edge].1.push(state.node);
            walked.push(*edge);
            visited.push(state.node);
        }
        let repeats = match pattern.cycles {
            Cycles::All => false,
            Cycles::UniqueEdges => repeats(walked),
            Cycles::None => repeats(visited),
        };
        if repeats {
            return Ok(false);
        }
        for step in self.steps.iter().filter(|step| step.back) {
            ways[step.edge].0.reverse();
            ways[step.edge].1.reverse();
        }
        let slices = || ways.iter().map(|(edges, inner)| (edges.as_slice(), inner.as_slice()));
        if !self.matching.holds(&bound, slices())? {
            return Ok(false);
        }
        self.matching.found(&bound, slices())?;
        Ok(true)
    }

    /// No shortest way between two nodes will do: longer ones, by their length.
    fn longer(&mut self, start: u32, target: u32) -> Result<()> {
        let target = &self.states[target as usize];
        let (node, depth) = (target.node, target.depth);
        if depth >= self.most {
            return Ok(());
        }
        let mut only = vec![false; self.graph.node_count()];
        only[node as usize] = true;
        let before = self.matching.nodes[self.end].replace(only);
        let back = self.steps.iter().any(|step| step.back);
        let steps = chain(self.matching, back);
        let (first, most, all) = (self.start, self.most, self.all);
        let mut search = Search::new(self.matching, steps, !all);
        for edges in depth + 1..=most {
            search.exactly(edges);
            search.from(first, start)?;
            if search.found {
                break;
            }
        }
        self.matching.nodes[self.end] = before;
        Ok(())
    }
}

fn repeats(mut numbers: Vec<u32>) -> bool {
    numbers.sort_unstable();
    numbers.windows(2).any(|pair| pair[0] == pair[1])
}
