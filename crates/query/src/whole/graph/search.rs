//! All matches of a pattern: from the node that may be the fewest, along one edge of the pattern after the other, with
//! a step back where it leads no further. What the search keeps is one match; the rows of matches are counted as
//! memory where they are made.

use std::collections::VecDeque;

use datafusion::error::Result;
use watchkeeper_kql::graph::Cycles;

use super::build::Graph;
use super::matching::{Matching, Walk, allowed};

/// Of a node of the pattern that is nothing yet.
const UNBOUND: u32 = u32::MAX;

/// One edge of the pattern as the search walks it.
#[derive(Debug)]
pub struct Step {
    /// The edge of the pattern.
    pub edge: usize,
    /// The nodes of the pattern where it begins and ends.
    pub from: usize,
    pub to: usize,
    /// From right to left.
    pub back: bool,
    pub walk: Walk,
    pub least: u32,
    pub most: u32,
    /// For each node, how many edges it is at least to one where the step may end; more than `most` where it is out of
    /// reach. None where it may end anywhere.
    pub remaining: Option<Vec<u32>>,
}

/// Gives every match to `matching`.
pub fn run(matching: &mut Matching<'_>) -> Result<()> {
    if matching.nothing || matching.graph.node_count() == 0 {
        return Ok(());
    }
    let (start, steps) = order(matching);
    let mut search = Search::new(matching, steps, false);
    for node in 0..search.matching.graph.node_count() as u32 {
        if allowed(&search.matching.nodes[start], node) {
            search.from(start, node)?;
        }
    }
    Ok(())
}

/// The first node and the order of the edges: each touches what is bound already; single edges and edges between
/// bound nodes come first, since they rule out most.
fn order(matching: &Matching<'_>) -> (usize, Vec<Step>) {
    let pattern = matching.pattern;
    let start = (0..pattern.nodes).min_by_key(|node| matching.candidates(*node)).unwrap_or(0);
    let mut bound = vec![false; pattern.nodes];
    bound[start] = true;
    let mut left: Vec<usize> = (0..pattern.edges.len()).collect();
    let mut steps = Vec::new();
    while !left.is_empty() {
        let reachable = left.iter().enumerate().filter(|(_, edge)| {
            let edge = &pattern.edges[**edge];
            bound[edge.left] || bound[edge.right]
        });
        let next = reachable.min_by_key(|(_, edge)| {
            let edge = &pattern.edges[**edge];
            let closes = bound[edge.left] && bound[edge.right];
            (edge.hops.is_some(), !closes, matching.candidates(edge.left).min(matching.candidates(edge.right)))
        });
        let Some((at, edge)) = next.map(|(at, edge)| (at, *edge)) else { break };
        left.remove(at);
        let back = !bound[pattern.edges[edge].left];
        let step = step(matching, edge, back);
        bound[step.to] = true;
        steps.push(step);
    }
    (start, steps)
}

/// The edge of the pattern, walked from its left node, or (`back`) from its right one.
pub fn step(matching: &Matching<'_>, edge: usize, back: bool) -> Step {
    let written = &matching.pattern.edges[edge];
    let (from, to) = if back { (written.right, written.left) } else { (written.left, written.right) };
    let walk = Walk::new(written.direction, back);
    let (least, most) = written.hops.unwrap_or((1, 1));
    let ends = matching.nodes[to].as_ref().filter(|_| most > 1);
    let remaining = ends.map(|ends| distances(matching, edge, walk.reversed(), ends, most));
    Step { edge, from, to, back, walk, least, most, remaining }
}

/// How many edges each node is from the nearest of `ends`, up to `most`.
fn distances(matching: &Matching<'_>, edge: usize, walk: Walk, ends: &[bool], most: u32) -> Vec<u32> {
    let graph = matching.graph;
    let mut distance = vec![UNBOUND; graph.node_count()];
    let mut queue: VecDeque<u32> = VecDeque::new();
    for (node, end) in ends.iter().enumerate() {
        if *end {
            distance[node] = 0;
            queue.push_back(node as u32);
        }
    }
    while let Some(node) = queue.pop_front() {
        let here = distance[node as usize];
        if here >= most || (here > 0 && !allowed(&matching.inner[edge], node)) {
            continue;
        }
        for at in 0..walk.degree(graph, node) {
            let Some((number, other)) = walk.edge(graph, node, at) else { continue };
            if distance[other as usize] == UNBOUND && allowed(&matching.edges[edge], number) {
                distance[other as usize] = here + 1;
                queue.push_back(other);
            }
        }
    }
    distance
}

/// A search in progress.
pub struct Search<'m, 'g> {
    pub matching: &'m mut Matching<'g>,
    graph: &'g Graph,
    steps: Vec<Step>,
    /// What each node of the pattern is.
    bound: Vec<u32>,
    /// The edges walked, and the node after each.
    edges: Vec<u32>,
    nodes: Vec<u32>,
    /// Where each step begins and ends among them.
    walked: Vec<(usize, usize)>,
    used_edges: Vec<bool>,
    used_nodes: Vec<bool>,
    /// Only matches with so many edges.
    exactly: Option<u32>,
    /// With `exactly`: the search ends with the first match.
    first_only: bool,
    /// With `exactly`: whether there was a match.
    pub found: bool,
}

impl<'m, 'g> Search<'m, 'g> {
    pub fn new(matching: &'m mut Matching<'g>, steps: Vec<Step>, first_only: bool) -> Search<'m, 'g> {
        let graph = matching.graph;
        let pattern = matching.pattern;
        let unique_edges = pattern.cycles == Cycles::UniqueEdges;
        let unique_nodes = pattern.cycles == Cycles::None;
        Search {
            graph,
            bound: vec![UNBOUND; pattern.nodes],
            edges: Vec::new(),
            nodes: Vec::new(),
            walked: vec![(0, 0); steps.len()],
            used_edges: vec![false; if unique_edges { graph.edge_count() } else { 0 }],
            used_nodes: vec![false; if unique_nodes { graph.node_count() } else { 0 }],
            steps,
            exactly: None,
            first_only,
            found: false,
            matching,
        }
    }

    /// Searches with only so many edges from now on.
    pub fn exactly(&mut self, edges: u32) {
        self.exactly = Some(edges);
    }

    /// All matches whose node `start` is this one.
    pub fn from(&mut self, start: usize, node: u32) -> Result<()> {
        self.bound[start] = node;
        self.use_node(node, true);
        self.step(0)?;
        self.use_node(node, false);
        self.bound[start] = UNBOUND;
        Ok(())
    }

    fn step(&mut self, at: usize) -> Result<()> {
        if at == self.steps.len() {
            return self.whole();
        }
        self.walked[at] = (self.edges.len(), self.edges.len());
        let node = self.bound[self.steps[at].from];
        self.walk(at, node, 0)
    }

    /// The step has come to `node` with so many edges: it may end here, and it may go on.
    fn walk(&mut self, at: usize, node: u32, hops: u32) -> Result<()> {
        if hops >= self.steps[at].least {
            self.end(at, node)?;
        }
        let step = &self.steps[at];
        let over = self.exactly.is_some_and(|exactly| self.edges.len() as u32 >= exactly);
        if hops == step.most || over || (hops > 0 && !allowed(&self.matching.inner[step.edge], node)) {
            return Ok(());
        }
        for place in 0..self.steps[at].walk.degree(self.graph, node) {
            if self.first_only && self.found {
                break;
            }
            self.matching.step()?;
            let step = &self.steps[at];
            let Some((edge, other)) = step.walk.edge(self.graph, node, place) else { continue };
            if !allowed(&self.matching.edges[step.edge], edge)
                || self.used_edges.get(edge as usize).is_some_and(|used| *used)
                || self.used_nodes.get(other as usize).is_some_and(|used| *used)
            {
                continue;
            }
            let left = step.most - hops - 1;
            if step.remaining.as_ref().is_some_and(|remaining| remaining[other as usize] > left) {
                continue;
            }
            self.edges.push(edge);
            self.nodes.push(other);
            self.use_edge(edge, true);
            self.use_node(other, true);
            self.walk(at, other, hops + 1)?;
            self.use_node(other, false);
            self.use_edge(edge, false);
            self.nodes.pop();
            self.edges.pop();
        }
        Ok(())
    }

    /// The step ends at `node`, if the pattern's node may be this one.
    fn end(&mut self, at: usize, node: u32) -> Result<()> {
        let to = self.steps[at].to;
        let known = self.bound[to];
        if known != UNBOUND && known != node || !allowed(&self.matching.nodes[to], node) {
            return Ok(());
        }
        self.bound[to] = node;
        self.walked[at].1 = self.edges.len();
        self.step(at + 1)?;
        self.bound[to] = known;
        Ok(())
    }

    fn whole(&mut self) -> Result<()> {
        if self.exactly.is_some_and(|exactly| self.edges.len() as u32 != exactly) {
            return Ok(());
        }
        let mut ways: Vec<(Vec<u32>, Vec<u32>)> = vec![Default::default(); self.matching.pattern.edges.len()];
        for (step, (from, to)) in self.steps.iter().zip(&self.walked) {
            let mut edges = self.edges[*from..*to].to_vec();
            let mut inner = self.nodes[*from..(*to).max(*from + 1) - 1].to_vec();
            if step.back {
                edges.reverse();
                inner.reverse();
            }
            ways[step.edge] = (edges, inner);
        }
        let slices = || ways.iter().map(|(edges, inner)| (edges.as_slice(), inner.as_slice()));
        if self.exactly.is_some() {
            if (self.first_only && self.found) || !self.matching.holds(&self.bound, slices())? {
                return Ok(());
            }
            self.found = true;
        }
        self.matching.found(&self.bound, slices())
    }

    fn use_edge(&mut self, edge: u32, used: bool) {
        if let Some(flag) = self.used_edges.get_mut(edge as usize) {
            *flag = used;
        }
    }

    fn use_node(&mut self, node: u32, used: bool) {
        if let Some(flag) = self.used_nodes.get_mut(node as usize) {
            *flag = used;
        }
    }
}
