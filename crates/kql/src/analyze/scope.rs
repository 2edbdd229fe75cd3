//! What names mean at a place of the query: variables bound by `let` and parameters (a persistent list, so that a
//! function keeps the scope of its definition), and the columns of the row at hand.

use std::rc::Rc;

use crate::graph::MakeGraph;
use crate::syntax;
use crate::typed::{Expr, Relation};
use crate::types::{Column, Schema};

/// What a variable stands for.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "few of them in a scope")]
pub(super) enum Binding {
    /// A typed expression, put in place of the name. `row`: the row whose columns it may use.
    Scalar {
        expr: Expr,
        row: Option<usize>,
    },
    /// A relation; `view` names it where `withsource` asks.
    Relation {
        relation: Relation,
        label: Option<String>,
    },
    Graph(Box<MakeGraph>),
    Function(Rc<Lambda>),
    /// `entity_group`, `declare pattern` and other things that only have a name here.
    Other(&'static str),
}

/// A function with the scope where it was defined.
#[derive(Debug)]
pub(super) struct Lambda {
    pub name: String,
    pub function: syntax::Function,
    pub scope: Scope,
    /// The text is not the query's own (a saved function): messages point at the call.
    pub foreign: bool,
}

/// Variables, the latest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope(Option<Rc<Node>>);

#[derive(Debug)]
struct Node {
    name: String,
    binding: Binding,
    next: Scope,
}

impl Scope {
    pub fn with(&self, name: &str, binding: Binding) -> Scope {
        Scope(Some(Rc::new(Node { name: name.to_owned(), binding, next: self.clone() })))
    }

    pub fn get(&self, name: &str) -> Option<&Binding> {
        let mut scope = self;
        while let Some(node) = &scope.0 {
            if node.name == name {
                return Some(&node.binding);
            }
            scope = &node.next;
        }
        None
    }

    pub fn names(&self) -> Vec<String> {
        self.iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// Latest first; a name may come again where it was bound anew.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Binding)> {
        let mut scope = self;
        std::iter::from_fn(move || {
            let node = scope.0.as_ref()?;
            scope = &node.next;
            Some((node.name.as_str(), &node.binding))
        })
    }
}

/// The row that an expression is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub id: usize,
    pub schema: Schema,
    /// `$right` of a join condition.
    pub right: Option<Schema>,
    /// In the body of `mv-apply`: the columns of the enclosing row.
    pub outer: Option<Rc<Row>>,
    pub aggregates: bool,
    pub scan: Option<ScanRow>,
    pub graph: Option<Rc<GraphRow>>,
}

/// States of the steps of `scan`.
#[derive(Debug, Clone, Default)]
pub(super) struct ScanRow {
    pub steps: Vec<String>,
    /// Columns of a step's state: the input's and the declared ones.
    pub state: Schema,
    pub declared: Vec<Column>,
    pub current: String,
}

/// Elements of a graph pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct GraphRow {
    pub elements: Vec<(String, Element)>,
    pub node_schema: Schema,
    pub edge_schema: Schema,
    /// `path.property` is the property of each edge of the path, as in a condition; otherwise it is the list of them.
    pub each: bool,
    /// Within `all()`, `any()` and `map()`: what they go over.
    pub item: Option<Element>,
}

/// What a name of a graph pattern stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Node,
    Edge,
    /// An edge of variable length.
    Path,
}

impl GraphRow {
    pub fn element(&self, name: &str) -> Option<Element> {
        self.elements.iter().find(|(known, _)| known == name).map(|(_, element)| *element)
    }

    pub fn schema_of(&self, element: Element) -> &Schema {
        if element == Element::Node { &self.node_schema } else { &self.edge_schema }
    }
}
