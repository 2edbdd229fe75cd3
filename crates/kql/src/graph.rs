//! The typed form of the graph operators.
//!
//! Expressions over a match name the properties of nodes and of single edges with
//! [`crate::typed::ExprKind::StepColumn`]; beside the columns of its table a node has [`DEGREE_IN`] and [`DEGREE_OUT`].
//! `all(e, x)`, `any(e, x)` and `map(e, x)` are calls whose first argument is an edge of variable length
//! (`StepColumn` with an empty column), or `inner_nodes` of one, and whose second is an expression over the columns of
//! each edge (or inner node) of its path; that expression may name other elements too. The value of `map` is dynamic,
//! and so is its second argument. Everything else about elements is written with these: a whole element is a
//! `bag_pack` of its properties, a property of an edge of variable length is a `map`.
//!
//! Elements of one name are one element; unnamed ones are all different.

use crate::typed::{Expr, NamedExpr, Relation};
use crate::types::Schema;

/// The property of every node that counts the edges that end in it.
pub const DEGREE_IN: &str = "$degree_in";
/// The property of every node that counts the edges that begin in it.
pub const DEGREE_OUT: &str = "$degree_out";
/// The first column of an answer over a partitioned graph: which part a row is of.
pub const PART: &str = "__part";
/// How many edges all paths of one match may have together. It bounds the depth of the search.
pub const MOST_HOPS: u32 = 400;

/// A graph and what is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphQuery {
    pub graph: MakeGraph,
    pub question: GraphQuestion,
}

/// `Edges | make-graph Source --> Target with Nodes on Id`, and the operators that change the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct MakeGraph {
    pub edges: Relation,
    pub source: String,
    pub target: String,
    /// `-->`; false for `--`, whose edges go both ways.
    pub directed: bool,
    pub nodes: Vec<NodeTable>,
    /// The properties of the nodes: the columns of all node tables, or the one of `with_node_id`, and what
    /// `graph-mark-components` added.
    pub node_schema: Schema,
    /// The property that holds a node's identity. A node that only edges name has no other. None where nodes have no
    /// properties at all.
    pub node_id: Option<String>,
    pub steps: Vec<GraphStep>,
    /// `partitioned-by`: a column of the edges and of all node tables, each of whose values makes a graph of its own.
    pub part: Option<String>,
}

/// A table of nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeTable {
    pub relation: Relation,
    /// The column with the node's identity.
    pub key: String,
}

/// A change of the graph.
#[derive(Debug, Clone, PartialEq)]
pub enum GraphStep {
    /// `graph-where-nodes`: over the properties of the nodes; the edges of dropped nodes go too.
    WhereNodes(Expr),
    /// `graph-where-edges`: over the columns of the edges.
    WhereEdges(Expr),
    /// `graph-mark-components`: a number for each component, in a long property of the nodes.
    MarkComponents { strong: bool, column: String },
}

#[derive(Debug, Clone, PartialEq)]
pub enum GraphQuestion {
    /// `graph-match cycles = … pattern where … project …`.
    Match(GraphPattern),
    /// `graph-shortest-paths output = … pattern where … project …`. One path, the elements of which alternate.
    ShortestPaths { pattern: GraphPattern, all: bool },
    /// `graph-to-table nodes`; the column is the hash of the node's identity.
    Nodes { hash: Option<String> },
    /// `graph-to-table edges`; the columns are the hashes of the identities of the edge's ends.
    Edges { source_hash: Option<String>, target_hash: Option<String> },
}

/// A pattern, the conditions on a match, and what is given of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphPattern {
    /// Nodes by number: the names of those that have one. A name stands once.
    pub nodes: Vec<Option<String>>,
    pub edges: Vec<PatternEdge>,
    pub cycles: Cycles,
    /// All of them must hold.
    pub conditions: Vec<Expr>,
    pub project: Vec<NamedExpr>,
}

/// An edge, or a path of edges, between two nodes of the pattern, in the order of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternEdge {
    pub name: Option<String>,
    /// Numbers of nodes: the one to the left of it and the one to the right.
    pub left: usize,
    pub right: usize,
    pub direction: EdgeDirection,
    /// Least and most edges of a path; none for a single edge.
    pub hops: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EdgeDirection {
    /// From left to right.
    Forward,
    Backward,
    Any,
}

/// Whether a match may come back to where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cycles {
    All,
    /// No node twice.
    None,
    /// No edge twice.
    UniqueEdges,
}
