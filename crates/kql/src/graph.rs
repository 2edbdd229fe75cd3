//! The typed form of the graph operators.
//!
//! Expressions of a pattern name properties with [`crate::typed::ExprKind::StepColumn`]. `all(e, x)`, `any(e, x)` and
//! `map(e, x)` are calls whose first argument is an element (or `inner_nodes` of one) and whose second is an
//! expression over the columns of each edge (or inner node) of the path. Every pattern of the list must match;
//! elements of one name are one element.

use crate::typed::{Expr, NamedExpr, Relation};

/// A graph and what is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphQuery {
    pub graph: MakeGraph,
    pub question: GraphQuestion,
}

/// `Edges | make-graph Source --> Target with Nodes on Id`.
#[derive(Debug, Clone, PartialEq)]
pub struct MakeGraph {
    pub edges: Relation,
    pub source: String,
    pub target: String,
    /// Node tables with the name of their identifying column.
    pub nodes: Vec<(Relation, String)>,
    /// `with_node_id = name` where no node table is given.
    pub node_id: Option<String>,
    /// `graph-where-nodes`: over the columns of the nodes; the edges of dropped nodes go too.
    pub node_filter: Option<Expr>,
    /// `graph-mark-components`: kind (`weak`, `strong`) and the name of the long column that all nodes get.
    pub components: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum GraphQuestion {
    /// `graph-match cycles = … pattern where … project …`.
    Match {
        patterns: Vec<Vec<PatternElement>>,
        cycles: String,
        predicate: Option<Expr>,
        project: Vec<NamedExpr>,
    },
    ShortestPaths {
        pattern: Vec<PatternElement>,
        all: bool,
        predicate: Option<Expr>,
        project: Vec<NamedExpr>,
    },
    ToTable {
        edges: bool,
    },
    MarkComponents {
        kind: String,
        column: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum PatternElement {
    Node { name: Option<String> },
    Edge { name: Option<String>, direction: EdgeDirection, hops: Option<(u32, u32)> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EdgeDirection {
    Forward,
    Backward,
    Any,
}
