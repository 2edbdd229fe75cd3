//! `evaluate`: plugins and their columns.

use super::{Analyzer, Outcome, Stop};
use crate::diagnostics::Span;
use crate::syntax;
use crate::typed::Relation;

impl Analyzer<'_> {
    pub(super) fn evaluate(
        &mut self,
        _input: Option<Relation>,
        call: &syntax::Call,
        _schema: Option<&syntax::TableSchema>,
        span: Span,
    ) -> Outcome<Relation> {
        Err(Stop::unsupported(span, format!("the plugin {}() is not supported", call.name.text)))
    }
}
