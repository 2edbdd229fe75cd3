//! Graphs: `make-graph`, patterns, and what they give.

use super::{Analyzer, Outcome, Stop, Value};
use crate::diagnostics::Span;
use crate::graph::MakeGraph;
use crate::syntax;
use crate::typed::{Expr, Relation};

impl Analyzer<'_> {
    pub(super) fn make_graph(&mut self, _input: Relation, operator: &syntax::Operator) -> Outcome<Value> {
        Err(Stop::unsupported(operator.span, "make-graph is not supported"))
    }

    pub(super) fn graph_step(&mut self, _graph: Box<MakeGraph>, operator: &syntax::Operator) -> Outcome<Value> {
        Err(Stop::unsupported(operator.span, "this operator on a graph is not supported"))
    }

    pub(super) fn graph_lambda(&mut self, name: &str, _args: &[syntax::Expr], span: Span) -> Outcome<Expr> {
        Err(Stop::unsupported(span, format!("{name}() is not supported here")))
    }

    pub(super) fn graph_function(&mut self, name: &str, _args: &[syntax::Expr], span: Span) -> Outcome<Expr> {
        Err(Stop::unsupported(span, format!("{name}() is not supported here")))
    }
}
