//! Operators that look at rows one by one or in groups.

use super::{Analyzer, Labelled, Outcome, Stop};
use crate::diagnostics::Span;
use crate::syntax;
use crate::typed::Relation;

impl Analyzer<'_> {
    pub(super) fn row_operator(&mut self, _input: Relation, operator: &syntax::Operator) -> Outcome<Relation> {
        Err(Stop::unsupported(operator.span, "this operator is not supported"))
    }

    pub(super) fn find(&mut self, operator: &syntax::Operator) -> Outcome<Relation> {
        Err(Stop::unsupported(operator.span, "find is not supported"))
    }

    pub(super) fn search(
        &mut self,
        _input: Option<Labelled>,
        _sources: &[syntax::Expr],
        _predicate: &syntax::Expr,
        span: Span,
    ) -> Outcome<Relation> {
        Err(Stop::unsupported(span, "search is not supported"))
    }
}
