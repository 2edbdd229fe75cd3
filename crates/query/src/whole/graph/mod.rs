//! Graphs in memory: tables of edges and nodes become arrays of numbers ([`build`]), which patterns ([`search`]),
//! shortest paths ([`paths`]) and components ([`components`]) walk; [`compute`] gives the values of expressions over
//! what they find, many matches at a time.

pub mod build;
pub mod components;
pub mod compute;
pub mod matching;
pub mod paths;
pub mod search;

use std::collections::HashMap;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::compute::{concat, take, take_record_batch};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use watchkeeper_kql::graph::Cycles;

use self::build::{Graph, NodeShape};
use self::compute::{Formula, Lambda};
use self::matching::Matching;
use super::expr::Compiled;
use super::{Room, Work, column, key_of};

/// `make-graph` and what is asked of the graph. The first input holds the edges, the others the tables of nodes.
#[derive(Debug)]
pub struct GraphWork {
    pub source: String,
    pub target: String,
    pub nodes: NodeShape,
    pub steps: Vec<Change>,
    pub part: Option<String>,
    pub question: Question,
    /// Types of the output, without the number of the part.
    pub output: Vec<DataType>,
}

/// A change of the graph before it is asked.
#[derive(Debug)]
pub enum Change {
    WhereNodes(Formula),
    WhereEdges(Formula),
    MarkComponents { strong: bool, column: String },
}

#[derive(Debug)]
pub enum Question {
    Match(Pattern),
    ShortestPaths {
        pattern: Pattern,
        all: bool,
    },
    /// The properties to give, after the hash of the identity where it is asked for.
    Nodes {
        hash: Option<Compiled>,
        properties: Vec<String>,
    },
    Edges {
        source_hash: Option<Compiled>,
        target_hash: Option<Compiled>,
        columns: Vec<String>,
    },
}

/// A pattern with its expressions ready to be computed.
#[derive(Debug)]
pub struct Pattern {
    /// How many nodes it has.
    pub nodes: usize,
    pub edges: Vec<watchkeeper_kql::graph::PatternEdge>,
    pub cycles: Cycles,
    pub lambdas: Vec<Lambda>,
    pub conditions: Vec<Condition>,
    pub project: Vec<Formula>,
}

#[derive(Debug)]
pub enum Condition {
    Formula(Formula),
    /// `all(…)` by itself: the number of its lambda.
    All(usize),
}

impl Work for GraphWork {
    fn name(&self) -> &'static str {
        match self.question {
            Question::Match(_) => "graph-match",
            Question::ShortestPaths { .. } => "graph-shortest-paths",
            Question::Nodes { .. } | Question::Edges { .. } => "graph-to-table",
        }
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let Some(part) = &self.part else { return self.answer(inputs, room) };
        let mut answers = Vec::new();
        let mut numbers = Vec::new();
        for (number, part) in parts(inputs, part)?.iter().enumerate() {
            room.check()?;
            let columns = self.answer(part, room)?;
            numbers.extend(std::iter::repeat_n(number as i64, columns.first().map_or(0, |array| array.len())));
            answers.push(columns);
        }
        let mut output: Vec<ArrayRef> = vec![std::sync::Arc::new(Int64Array::from(numbers))];
        output.extend(stacked(&answers, &self.output)?);
        Ok(output)
    }
}

impl GraphWork {
    /// The answer for one graph.
    fn answer(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let mut graph = Graph::build(inputs, &self.source, &self.target, &self.nodes, room)?;
        for step in &self.steps {
            room.check()?;
            match step {
                Change::WhereNodes(formula) => {
                    let kept = formula.over_items(&graph.properties(), graph.node_count())?;
                    graph.keep_nodes(&kept)?;
                }
                Change::WhereEdges(formula) => {
                    let kept = formula.over_items(&graph.edge_columns(), graph.edge_count())?;
                    graph.keep_edges(&kept)?;
                }
                Change::MarkComponents { strong, column } => {
                    let numbers = components::numbers(&graph, *strong, room)?;
                    graph.add_property(column, std::sync::Arc::new(Int64Array::from(numbers)));
                }
            }
        }
        match &self.question {
            Question::Match(pattern) => {
                graph.add_degrees();
                let mut matching = Matching::new(pattern, &graph, room)?;
                search::run(&mut matching)?;
                stacked(&matching.finish()?, &self.output)
            }
            Question::ShortestPaths { pattern, all } => {
                graph.add_degrees();
                let mut matching = Matching::new(pattern, &graph, room)?;
                paths::run(&mut matching, *all)?;
                stacked(&matching.finish()?, &self.output)
            }
            Question::Nodes { hash, properties } => {
                let mut columns = Vec::new();
                if let Some(hash) = hash {
                    columns.push(hash.values(vec![graph.identity()], graph.node_count())?);
                }
                for name in properties {
                    columns.push(graph.property(name)?);
                }
                Ok(columns)
            }
            Question::Edges { source_hash, target_hash, columns: names } => {
                let mut columns = Vec::new();
                for (hash, ends) in [(source_hash, &graph.source), (target_hash, &graph.target)] {
                    if let Some(hash) = hash {
                        let hashes = hash.values(vec![graph.identity()], graph.node_count())?;
                        columns.push(take(&hashes, &UInt32Array::from(ends.clone()), None)?);
                    }
                }
                for name in names {
                    columns.push(graph.edge_column(name)?);
                }
                Ok(columns)
            }
        }
    }
}

/// The inputs of each part: rows that have the same value in the column.
fn parts(inputs: &[RecordBatch], name: &str) -> Result<Vec<Vec<RecordBatch>>> {
    let mut numbers: HashMap<Vec<ScalarValue>, usize> = HashMap::new();
    let mut rows: Vec<Vec<Vec<u32>>> = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        let key = [column(input, name)?.clone()];
        for row in 0..input.num_rows() {
            let next = rows.len();
            let number = *numbers.entry(key_of(&key, row)?).or_insert(next);
            if number == next {
                rows.push(vec![Vec::new(); inputs.len()]);
            }
            rows[number][at].push(row as u32);
        }
    }
    let own = |part: Vec<Vec<u32>>| {
        let of_input = inputs.iter().zip(part).map(|(input, rows)| take_record_batch(input, &UInt32Array::from(rows)));
        of_input.collect::<std::result::Result<Vec<_>, _>>()
    };
    Ok(rows.into_iter().map(own).collect::<std::result::Result<Vec<_>, _>>()?)
}

/// Columns of several answers below one another.
fn stacked(answers: &[Vec<ArrayRef>], types: &[DataType]) -> Result<Vec<ArrayRef>> {
    let stack = |at: usize, ty: &DataType| -> Result<ArrayRef> {
        let arrays: Vec<&dyn arrow::array::Array> = answers.iter().map(|columns| columns[at].as_ref()).collect();
        if arrays.is_empty() { Ok(arrow::array::new_empty_array(ty)) } else { Ok(concat(&arrays)?) }
    };
    types.iter().enumerate().map(|(at, ty)| stack(at, ty)).collect()
}
