//! Values of expressions over the matches of a pattern, for many matches at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringViewBuilder};
use datafusion::common::exec_err;
use datafusion::error::Result;

use super::super::expr::Compiled;
use super::super::is_true;
use super::build::{Graph, taken};

/// An expression and where each of its columns comes from.
#[derive(Debug)]
pub struct Formula {
    pub expr: Compiled,
    pub sources: Vec<Source>,
}

/// A column of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A property of a node of the pattern.
    Node(usize, String),
    /// A column of a single edge of the pattern.
    Edge(usize, String),
    /// A property of what a lambda, or a change of the graph, goes over.
    Item(String),
    /// The value of a lambda.
    Lambda(usize),
}

/// `all(e, x)`, `any(e, x)`, `map(e, x)`.
#[derive(Debug)]
pub struct Lambda {
    pub kind: LambdaKind,
    /// The edge of the pattern whose paths it goes over.
    pub path: usize,
    /// Over the nodes within the path, not its edges.
    pub inner_nodes: bool,
    pub formula: Formula,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LambdaKind {
    All,
    Any,
    Map,
}

/// Matches in columns: the numbers of nodes and edges that the elements of the pattern are.
#[derive(Debug, Default)]
pub struct Matches {
    pub rows: usize,
    /// For each node of the pattern.
    pub nodes: Vec<Vec<u32>>,
    /// For each edge of the pattern, the edges of its paths (of one each, where it is a single edge).
    pub edges: Vec<Paths>,
    /// For each edge of the pattern, the nodes within its paths.
    pub inner: Vec<Paths>,
}

/// Lists of numbers, one for each match.
#[derive(Debug, Default)]
pub struct Paths {
    /// Where each list ends.
    pub ends: Vec<u32>,
    pub items: Vec<u32>,
}

impl Paths {
    pub fn push(&mut self, items: impl Iterator<Item = u32>) {
        self.items.extend(items);
        self.ends.push(self.items.len() as u32);
    }

    /// For each item the match that it is of.
    fn owners(&self) -> Vec<u32> {
        let mut owners = Vec::with_capacity(self.items.len());
        for (row, end) in self.ends.iter().enumerate() {
            owners.resize(*end as usize, row as u32);
        }
        owners
    }

    fn retain(&mut self, kept: &[bool]) {
        let old = std::mem::take(self);
        let mut start = 0;
        for (end, kept) in old.ends.iter().zip(kept) {
            let end = *end as usize;
            if *kept {
                self.push(old.items[start..end].iter().copied());
            }
            start = end;
        }
    }
}

impl Matches {
    pub fn new(nodes: usize, edges: usize) -> Matches {
        Matches {
            rows: 0,
            nodes: vec![Vec::new(); nodes],
            edges: (0..edges).map(|_| Paths::default()).collect(),
            inner: (0..edges).map(|_| Paths::default()).collect(),
        }
    }

    pub fn retain(&mut self, kept: &[bool]) {
        self.rows = kept.iter().filter(|kept| **kept).count();
        for numbers in &mut self.nodes {
            let mut at = kept.iter();
            numbers.retain(|_| at.next().copied().unwrap_or(false));
        }
        self.edges.iter_mut().chain(&mut self.inner).for_each(|paths| paths.retain(kept));
    }
}

impl Formula {
    /// Whether it is true for each of `count` items, whose properties are given by name.
    pub fn over_items(&self, property: &impl Fn(&str) -> Result<ArrayRef>, count: usize) -> Result<Vec<bool>> {
        let arrays = self
            .sources
            .iter()
            .map(|source| match source {
                Source::Item(name) => property(name),
                other => exec_err!("{other:?} is not known here"),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(flags(&self.expr.values(arrays, count)?, count))
    }
}

/// What formulas look at.
#[derive(Debug, Clone, Copy)]
pub struct Values<'g> {
    pub graph: &'g Graph,
    pub lambdas: &'g [Lambda],
}

impl Values<'_> {
    /// The value of a formula for each match.
    pub fn of(&self, formula: &Formula, matches: &Matches) -> Result<ArrayRef> {
        let arrays = formula
            .sources
            .iter()
            .map(|source| match source {
                Source::Node(node, name) => taken(&self.graph.property(name)?, &matches.nodes[*node]),
                Source::Edge(edge, name) => taken(&self.graph.edge_column(name)?, &matches.edges[*edge].items),
                Source::Lambda(lambda) => self.lambda(&self.lambdas[*lambda], matches),
                Source::Item(name) => exec_err!("{name} has a meaning only within all(), any() and map()"),
            })
            .collect::<Result<Vec<_>>>()?;
        formula.expr.values(arrays, matches.rows)
    }

    /// Whether a formula is true for each match.
    pub fn hold(&self, formula: &Formula, matches: &Matches) -> Result<Vec<bool>> {
        Ok(flags(&self.of(formula, matches)?, matches.rows))
    }

    /// The value of a lambda for each match: its formula over all items of all matches, then put together.
    pub fn lambda(&self, lambda: &Lambda, matches: &Matches) -> Result<ArrayRef> {
        let paths = if lambda.inner_nodes { &matches.inner[lambda.path] } else { &matches.edges[lambda.path] };
        let owners = paths.owners();
        let of_owner = |numbers: &[u32]| -> Vec<u32> { owners.iter().map(|row| numbers[*row as usize]).collect() };
        let arrays = lambda
            .formula
            .sources
            .iter()
            .map(|source| match source {
                Source::Item(name) if lambda.inner_nodes => taken(&self.graph.property(name)?, &paths.items),
                Source::Item(name) => taken(&self.graph.edge_column(name)?, &paths.items),
                Source::Node(node, name) => taken(&self.graph.property(name)?, &of_owner(&matches.nodes[*node])),
                Source::Edge(edge, name) => {
                    taken(&self.graph.edge_column(name)?, &of_owner(&matches.edges[*edge].items))
                }
                Source::Lambda(inner) => taken(&self.lambda(&self.lambdas[*inner], matches)?, &owners),
            })
            .collect::<Result<Vec<_>>>()?;
        let values = lambda.formula.expr.values(arrays, paths.items.len())?;
        Ok(folded(lambda.kind, &values, &paths.ends))
    }

    /// Whether a lambda that looks at nothing but its item is true for each edge, or each node, of the graph.
    pub fn of_all_items(&self, lambda: &Lambda) -> Result<Vec<bool>> {
        let graph = self.graph;
        match lambda.inner_nodes {
            true => lambda.formula.over_items(&graph.properties(), graph.node_count()),
            false => lambda.formula.over_items(&graph.edge_columns(), graph.edge_count()),
        }
    }
}

/// One value for each list of items. All of no items is true, any of none is false (reference "all()", "any()").
fn folded(kind: LambdaKind, values: &ArrayRef, ends: &[u32]) -> ArrayRef {
    let mut start = 0;
    let lists = ends.iter().map(|end| {
        let list = start..*end as usize;
        start = *end as usize;
        list
    });
    match kind {
        LambdaKind::All => {
            Arc::new(lists.map(|mut list| Some(list.all(|at| is_true(values, at)))).collect::<BooleanArray>())
        }
        LambdaKind::Any => {
            Arc::new(lists.map(|mut list| Some(list.any(|at| is_true(values, at)))).collect::<BooleanArray>())
        }
        LambdaKind::Map => {
            let texts = values.as_string_view();
            let mut arrays = StringViewBuilder::new();
            let mut json = String::new();
            for list in lists {
                json.clear();
                json.push('[');
                for at in list {
                    if json.len() > 1 {
                        json.push(',');
                    }
                    json.push_str(if texts.is_null(at) { "null" } else { texts.value(at) });
                }
                json.push(']');
                arrays.append_value(&json);
            }
            Arc::new(arrays.finish())
        }
    }
}

fn flags(values: &ArrayRef, count: usize) -> Vec<bool> {
    (0..count).map(|row| is_true(values, row)).collect()
}
