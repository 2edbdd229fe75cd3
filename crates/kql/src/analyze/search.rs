//! `search` and `find`: unions of filtered tables.

use super::expression::{any_of, call, column, not_if};
use super::joins::union_of;
use super::projection::{keep, project};
use super::sources::{null, relation};
use super::{Analyzer, Labelled, Outcome, Stop, literal};
use crate::diagnostics::{Code, Span};
use crate::syntax::{self, BinaryOp, OperatorKind};
use crate::typed::{Expr, NamedExpr, Operator, Relation, operators};
use crate::types::{Literal, Type};

impl Analyzer<'_> {
    pub(super) fn search(
        &mut self,
        input: Option<Labelled>,
        sources: &[syntax::Expr],
        predicate: &syntax::Expr,
        span: Span,
    ) -> Outcome<Relation> {
        let piped = input.is_some();
        let mut tables: Vec<Labelled> = input.into_iter().collect();
        for source in sources {
            tables.extend(self.union_tables(source)?);
        }
        if tables.is_empty() {
            tables = self.every_table(span)?;
        }
        let mut filtered = Vec::new();
        for table in tables {
            filtered.push(self.filtered(table, predicate, span)?);
        }
        if piped && filtered.len() == 1 {
            return Ok(filtered.remove(0).relation);
        }
        Ok(union_of(filtered, false, Some("$table"), span))
    }

    fn every_table(&mut self, span: Span) -> Outcome<Vec<Labelled>> {
        let star = syntax::Expr { kind: syntax::ExprKind::Star, span };
        self.union_tables(&star)
    }

    fn filtered(&mut self, table: Labelled, predicate: &syntax::Expr, span: Span) -> Outcome<Labelled> {
        let schema = table.relation.schema.clone();
        let predicate = self.over(&schema, |analyzer| analyzer.search_term(predicate))?;
        let relation = relation(Operator::Where { input: Box::new(table.relation), predicate }, schema, span);
        Ok(Labelled { relation, label: table.label })
    }

    /// A term: a text to look for in all columns, a comparison, or several of these.
    fn search_term(&mut self, term: &syntax::Expr) -> Outcome<Expr> {
        let span = term.span;
        match &term.kind {
            syntax::ExprKind::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), left, right } => {
                let name = if *op == BinaryOp::And { operators::AND } else { operators::OR };
                let args = vec![self.search_term(left)?, self.search_term(right)?];
                Ok(call(name, args, Type::Bool, span))
            }
            syntax::ExprKind::Call(written) if written.name.text == "not" && written.args.len() == 1 => {
                let inner = self.search_term(&written.args[0])?;
                Ok(not_if(true, inner, span))
            }
            syntax::ExprKind::Star => Ok(literal::expr(Literal::Bool(true), span)),
            syntax::ExprKind::Literal(syntax::Literal::String(text)) => Ok(self.anywhere(&text.value, span)),
            _ => match self.value(term) {
                Ok(super::Value::Scalar(value)) if value.ty == Type::Bool => Ok(value),
                Ok(super::Value::Scalar(value)) => match super::expression::fold(&value) {
                    Some(Literal::String(text)) => Ok(self.anywhere(&text, span)),
                    Some(Literal::Long(number)) => Ok(self.anywhere(&number.to_string(), span)),
                    _ => Err(Stop::semantic(
                        span,
                        format!("a search term must be a text or a condition, but this is {}", value.ty),
                    )),
                },
                Ok(_) => Err(Stop::semantic(span, "a search term must be a text or a condition")),
                // A table without the column has no row that fits.
                Err(Stop::Error(diagnostic)) if diagnostic.code == Code::UnknownName => {
                    Ok(literal::expr(Literal::Bool(false), span))
                }
                Err(stop) => Err(stop),
            },
        }
    }

    /// The text as a term in any column; stars at its ends make it a prefix, a suffix or a part.
    fn anywhere(&self, text: &str, span: Span) -> Expr {
        let (start, end) = (text.starts_with('*'), text.ends_with('*') && text.len() > 1);
        let bare = text.trim_matches('*');
        if bare.is_empty() {
            return literal::expr(Literal::Bool(true), span);
        }
        let name = match (start, end) {
            (false, false) => operators::HAS,
            (false, true) => operators::HAS_PREFIX,
            (true, false) => operators::HAS_SUFFIX,
            (true, true) => operators::CONTAINS,
        };
        let columns = self.columns(span);
        let tests = columns.iter().map(|found| {
            let value = super::convert::convert(column(found, span), Type::String);
            call(name, vec![value, literal::string(bare, span)], Type::Bool, span)
        });
        any_of(tests.collect(), span)
    }

    pub(super) fn find(&mut self, operator: &syntax::Operator) -> Outcome<Relation> {
        let span = operator.span;
        let OperatorKind::Find { sources, predicate, project: wanted, project_away, .. } = &operator.kind else {
            return Err(Stop::semantic(span, "find needs a condition"));
        };
        let mut tables = Vec::new();
        for source in sources {
            tables.extend(self.union_tables(source)?);
        }
        if tables.is_empty() {
            tables = self.every_table(span)?;
        }
        let source = super::joins::word(operator, "withsource").map_or("source_", |(name, _)| name).to_owned();
        let mut named = Vec::new();
        mentioned(predicate, &mut named);
        let mut legs = Vec::new();
        for table in tables {
            let table = self.filtered(table, predicate, span)?;
            let schema = table.relation.schema.clone();
            let mut columns: Vec<NamedExpr> = Vec::new();
            if wanted.is_empty() {
                // The columns that the condition names, and the others in one bag.
                let kept = schema.columns.iter().filter(|found| named.contains(&found.name));
                columns.extend(kept.map(|found| keep(found, span)));
            }
            for item in wanted.iter().filter(|item| !item.pack) {
                let found = schema.get(&item.name.text).filter(|found| item.ty.is_none_or(|ty| ty == found.ty));
                let expr = match (found, item.ty) {
                    (Some(found), _) => column(found, span),
                    (None, ty) => null(ty.unwrap_or(Type::String), span),
                };
                columns.push(NamedExpr { name: item.name.text.clone(), expr });
            }
            if wanted.is_empty() || wanted.iter().any(|item| item.pack) {
                let rest =
                    schema.columns.iter().filter(|found| !columns.iter().any(|column| column.name == found.name));
                let rest = rest.filter(|found| !project_away.iter().any(|away| away.name.text == found.name));
                let pairs: Vec<_> = rest.map(|found| (found.name.clone(), column(found, span))).collect();
                let expr = super::calls::bag_pack(pairs.into_iter(), span);
                columns.push(NamedExpr { name: "pack_".to_owned(), expr });
            }
            legs.push(Labelled { relation: project(table.relation, columns, span), label: table.label });
        }
        Ok(union_of(legs, false, Some(&source), span))
    }
}

/// Names in a condition.
fn mentioned(expr: &syntax::Expr, names: &mut Vec<String>) {
    match &expr.kind {
        syntax::ExprKind::Name(name) => names.push(name.clone()),
        syntax::ExprKind::Binary { left, right, .. } => {
            mentioned(left, names);
            mentioned(right, names);
        }
        syntax::ExprKind::Unary { operand, .. } => mentioned(operand, names),
        syntax::ExprKind::In { value, .. } | syntax::ExprKind::Between { value, .. } => mentioned(value, names),
        syntax::ExprKind::Call(call) => call.args.iter().for_each(|arg| mentioned(arg, names)),
        syntax::ExprKind::Path { base, .. } | syntax::ExprKind::Index { base, .. } => mentioned(base, names),
        _ => {}
    }
}
