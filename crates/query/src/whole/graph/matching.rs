//! What the search for matches and the search for shortest paths share: which nodes and edges each element of the
//! pattern may be, what must be looked at once a match is whole, and the rows that matches give.

use arrow::array::{Array, ArrayRef};
use datafusion::error::Result;
use watchkeeper_kql::graph::EdgeDirection;

use super::super::Room;
use super::build::Graph;
use super::compute::{Formula, LambdaKind, Matches, Source, Values};
use super::{Condition, Pattern};

/// Matches that are looked at together.
const BATCH: usize = 1024;
/// Steps between two looks at whether the query still runs.
const CHECK_EVERY: u32 = 1 << 12;

/// Elements that are allowed, by number; none where all are.
pub type Allowed = Option<Vec<bool>>;

pub fn allowed(of: &Allowed, number: u32) -> bool {
    of.as_ref().is_none_or(|flags| flags[number as usize])
}

/// One question about a pattern, and the answers found so far.
#[derive(Debug)]
pub struct Matching<'g> {
    pub pattern: &'g Pattern,
    pub graph: &'g Graph,
    /// For each node of the pattern.
    pub nodes: Vec<Allowed>,
    /// For each edge of the pattern: single edges, or those of its paths.
    pub edges: Vec<Allowed>,
    /// For each edge of the pattern: the nodes within its paths.
    pub inner: Vec<Allowed>,
    /// Conditions on whole matches.
    pub rest: Vec<&'g Condition>,
    /// A constant condition is false.
    pub nothing: bool,
    found: Matches,
    answers: Vec<Vec<ArrayRef>>,
    values: Values<'g>,
    room: &'g Room,
    steps: u32,
}

impl<'g> Matching<'g> {
    pub fn new(pattern: &'g Pattern, graph: &'g Graph, room: &'g Room) -> Result<Matching<'g>> {
        let mut matching = Matching {
            pattern,
            graph,
            nodes: vec![None; pattern.nodes],
            edges: vec![None; pattern.edges.len()],
            inner: vec![None; pattern.edges.len()],
            rest: Vec::new(),
            nothing: false,
            found: Matches::new(pattern.nodes, pattern.edges.len()),
            answers: Vec::new(),
            values: Values { graph, lambdas: &pattern.lambdas },
            room,
            steps: 0,
        };
        for condition in &pattern.conditions {
            matching.restrict(condition)?;
        }
        Ok(matching)
    }

    /// Conditions on one element say which nodes or edges it may be; others wait for whole matches.
    fn restrict(&mut self, condition: &'g Condition) -> Result<()> {
        match condition {
            Condition::All(number) => {
                let lambda = &self.pattern.lambdas[*number];
                let alone = lambda.formula.sources.iter().all(|source| matches!(source, Source::Item(_)));
                if lambda.kind == LambdaKind::All && alone {
                    let flags = self.values.of_all_items(lambda)?;
                    let of = if lambda.inner_nodes { &mut self.inner } else { &mut self.edges };
                    and(&mut of[lambda.path], flags);
                } else {
                    self.rest.push(condition);
                }
            }
            Condition::Formula(formula) => match only_element(formula) {
                Some(Element::Nothing) => {
                    let one = Matches { rows: 1, ..Matches::default() };
                    self.nothing |= !self.values.hold(formula, &one)?[0];
                }
                Some(Element::Node(node)) => {
                    let mut every = Matches::new(self.pattern.nodes, self.pattern.edges.len());
                    every.rows = self.graph.node_count();
                    every.nodes[node] = (0..every.rows as u32).collect();
                    and(&mut self.nodes[node], self.values.hold(formula, &every)?);
                }
                Some(Element::Edge(edge)) => {
                    let mut every = Matches::new(self.pattern.nodes, self.pattern.edges.len());
                    every.rows = self.graph.edge_count();
                    every.edges[edge].items = (0..every.rows as u32).collect();
                    and(&mut self.edges[edge], self.values.hold(formula, &every)?);
                }
                None => self.rest.push(condition),
            },
        }
        Ok(())
    }

    /// How many nodes a node of the pattern may be.
    pub fn candidates(&self, node: usize) -> usize {
        match &self.nodes[node] {
            Some(flags) => flags.iter().filter(|flag| **flag).count(),
            None => self.graph.node_count(),
        }
    }

    /// Counts a step of the search; an error once nobody waits any more.
    pub fn step(&mut self) -> Result<()> {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(CHECK_EVERY) { self.room.check() } else { Ok(()) }
    }

    /// Memory that a search keeps.
    pub fn grow(&self, bytes: usize) -> Result<()> {
        self.room.grow(bytes)
    }

    /// Takes a whole match: the nodes of the pattern, and the way of each of its edges.
    pub fn found<'w>(&mut self, nodes: &[u32], ways: impl Iterator<Item = (&'w [u32], &'w [u32])>) -> Result<()> {
        push(&mut self.found, nodes, ways);
        if self.found.rows >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Whether one whole match meets the conditions that wait for it.
    pub fn holds<'w>(&self, nodes: &[u32], ways: impl Iterator<Item = (&'w [u32], &'w [u32])>) -> Result<bool> {
        if self.rest.is_empty() {
            return Ok(true);
        }
        let mut one = Matches::new(self.pattern.nodes, self.pattern.edges.len());
        push(&mut one, nodes, ways);
        Ok(self.meets(&one, &self.rest)?[0])
    }

    /// Which matches meet all of the conditions.
    pub fn meets(&self, matches: &Matches, conditions: &[&Condition]) -> Result<Vec<bool>> {
        let mut kept = vec![true; matches.rows];
        for condition in conditions {
            let held = match condition {
                Condition::Formula(formula) => self.values.hold(formula, matches)?,
                Condition::All(lambda) => {
                    let values = self.values.lambda(&self.pattern.lambdas[*lambda], matches)?;
                    (0..matches.rows).map(|row| super::super::is_true(&values, row)).collect()
                }
            };
            kept.iter_mut().zip(held).for_each(|(kept, held)| *kept &= held);
        }
        Ok(kept)
    }

    fn flush(&mut self) -> Result<()> {
        let fresh = Matches::new(self.pattern.nodes, self.pattern.edges.len());
        let mut found = std::mem::replace(&mut self.found, fresh);
        if !self.rest.is_empty() {
            found.retain(&self.meets(&found, &self.rest)?);
        }
        if found.rows == 0 {
            return Ok(());
        }
        let mut columns = Vec::new();
        for formula in &self.pattern.project {
            let array = self.values.of(formula, &found)?;
            self.room.grow(array.get_array_memory_size())?;
            columns.push(array);
        }
        self.answers.push(columns);
        Ok(())
    }

    /// All rows that the matches gave.
    pub fn finish(mut self) -> Result<Vec<Vec<ArrayRef>>> {
        if self.found.rows > 0 {
            self.flush()?;
        }
        Ok(self.answers)
    }
}

fn push<'w>(to: &mut Matches, nodes: &[u32], ways: impl Iterator<Item = (&'w [u32], &'w [u32])>) {
    to.rows += 1;
    to.nodes.iter_mut().zip(nodes).for_each(|(column, node)| column.push(*node));
    for (at, (edges, inner)) in ways.enumerate() {
        to.edges[at].push(edges.iter().copied());
        to.inner[at].push(inner.iter().copied());
    }
}

fn and(of: &mut Allowed, flags: Vec<bool>) {
    match of {
        Some(known) => known.iter_mut().zip(flags).for_each(|(known, flag)| *known &= flag),
        None => *of = Some(flags),
    }
}

enum Element {
    Nothing,
    Node(usize),
    Edge(usize),
}

/// The one element that a formula looks at; none where there are several, or paths.
fn only_element(formula: &Formula) -> Option<Element> {
    let mut only = Element::Nothing;
    for source in &formula.sources {
        only = match (source, only) {
            (Source::Node(node, _), Element::Nothing) => Element::Node(*node),
            (Source::Node(node, _), Element::Node(known)) if *node == known => Element::Node(known),
            (Source::Edge(edge, _), Element::Nothing) => Element::Edge(*edge),
            (Source::Edge(edge, _), Element::Edge(known)) if *edge == known => Element::Edge(known),
            _ => return None,
        };
    }
    Some(only)
}

/// The way in which an edge of the pattern is walked.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    /// Along edges, from their source to their target.
    along: bool,
    against: bool,
}

impl Walk {
    /// `back`: from the right node of the pattern's edge to its left one.
    pub fn new(direction: EdgeDirection, back: bool) -> Walk {
        let any = direction == EdgeDirection::Any;
        let along = (direction == EdgeDirection::Forward) != back;
        Walk { along: any || along, against: any || !along }
    }

    pub fn reversed(self) -> Walk {
        Walk { along: self.against, against: self.along }
    }

    /// How many edges lead on from a node, those that do not count included.
    pub fn degree(self, graph: &Graph, node: u32) -> usize {
        let along = if self.along { graph.from.of(node).len() } else { 0 };
        along + if self.against { graph.into.of(node).len() } else { 0 }
    }

    /// The edge by its place among those that lead on, and the node at its other end. None for an edge from a node to
    /// itself that came before already.
    pub fn edge(self, graph: &Graph, node: u32, at: usize) -> Option<(u32, u32)> {
        let along = if self.along { graph.from.of(node) } else { &[] };
        if let Some(edge) = along.get(at) {
            return Some((*edge, graph.target[*edge as usize]));
        }
        let edge = graph.into.of(node)[at - along.len()];
        let other = graph.source[edge as usize];
        if self.along && other == node { None } else { Some((edge, other)) }
    }
}
