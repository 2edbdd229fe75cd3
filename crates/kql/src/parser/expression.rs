//! Expressions: pipelines at the outside, then operators by rank, then paths, calls and single values.
//!
//! Ranks, loosest first: `or`; `and`; `==`, `in`, `between`; `<` and its like; `+` `-`; `*` `/` `%`; the string
//! predicates; a sign.

use super::{MAX_CHAIN, Parser};
use crate::diagnostics::Span;
use crate::lexer::Kind;
use crate::syntax::{BinaryOp, Call, Expr, ExprKind, InOp, Name, NamedExpr, Pipeline, TextOp, UnaryOp};

const OR: u8 = 1;
const AND: u8 = 2;
const EQUALITY: u8 = 3;
const RELATION: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const TEXT: u8 = 7;

/// Words that are never the name of a column or table where an expression is wanted; `['by']` is.
const NOT_NAMES: &[&str] = &[
    "and",
    "or",
    "by",
    "of",
    "asc",
    "desc",
    "in",
    "in~",
    "between",
    "where",
    "filter",
    "extend",
    "project",
    "summarize",
    "join",
    "order",
    "distinct",
    "has",
    "has_cs",
    "has_any",
    "has_all",
    "hasprefix",
    "hasprefix_cs",
    "hassuffix",
    "hassuffix_cs",
    "contains",
    "contains_cs",
    "startswith",
    "startswith_cs",
    "endswith",
    "endswith_cs",
    "like",
    "matches",
];

/// Whether a bare `word` would be read as something else than a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    NOT_NAMES.contains(&word)
        || matches!(
            word,
            "true"
                | "false"
                | "True"
                | "False"
                | "TRUE"
                | "FALSE"
                | "dynamic"
                | "typeof"
                | "toscalar"
                | "totable"
                | "datatable"
                | "externaldata"
                | "external_data"
                | "inline_external_table"
                | "entity_group"
                | "print"
                | "range"
                | "union"
                | "search"
                | "find"
                | "evaluate"
                | "let"
                | "hint"
                | "kind"
                | "with"
                | "on"
                | "to"
                | "as"
                | "from"
                | "step"
                | "default"
                | "nulls"
                | "id"
                | "bin"
                | "output"
                | "optional"
                | "declare"
                | "edges"
                | "nodes"
                | "with_node_id"
                | "partitioned"
                | "notcontains"
                | "notlike"
                | "flags"
                | "bagexpansion"
                | "with_itemindex"
                | "others"
                | "null"
                | "set"
                | "view"
                | "h"
                | "H"
        )
        || super::operator::is_operator(word)
}

enum Infix {
    Binary(BinaryOp),
    In(InOp, bool),
    Between(bool),
}

fn text_op(word: &str) -> Option<TextOp> {
    Some(match word {
        "has" => TextOp::Has,
        "has_cs" => TextOp::HasCs,
        "hasprefix" => TextOp::HasPrefix,
        "hasprefix_cs" => TextOp::HasPrefixCs,
        "hassuffix" => TextOp::HasSuffix,
        "hassuffix_cs" => TextOp::HasSuffixCs,
        "contains" => TextOp::Contains,
        "contains_cs" | "containscs" => TextOp::ContainsCs,
        "startswith" => TextOp::StartsWith,
        "startswith_cs" => TextOp::StartsWithCs,
        "endswith" => TextOp::EndsWith,
        "endswith_cs" => TextOp::EndsWithCs,
        "like" => TextOp::Like,
        "likecs" | "like_cs" => TextOp::LikeCs,
        _ => return None,
    })
}

fn in_op(word: &str) -> Option<InOp> {
    Some(match word {
        "in" => InOp::In,
        "in~" => InOp::InCi,
        "has_any" => InOp::HasAny,
        "has_all" => InOp::HasAll,
        _ => return None,
    })
}

impl Parser<'_> {
    /// A scalar or tabular expression with what follows it after pipes.
    pub(super) fn expression(&mut self) -> Expr {
        self.deeper(Self::error_expr, Self::expression_here)
    }

    fn expression_here(&mut self) -> Expr {
        let start = self.start();
        let wildcards = std::mem::replace(&mut self.wildcards, false);
        let mut operators = Vec::new();
        let source = if self.begins_pipeline() {
            operators.push(self.operator());
            None
        } else {
            let source = self.expr();
            if !self.is(Kind::Pipe) {
                self.wildcards = wildcards;
                return source;
            }
            Some(Box::new(source))
        };
        self.piped_operators(&mut operators);
        self.wildcards = wildcards;
        let span = self.span_from(start);
        Expr { kind: ExprKind::Pipeline(Pipeline { source, operators, span }), span }
    }

    /// `name = expression`, `(a, b) = expression` or an expression.
    pub(super) fn named_expr(&mut self) -> NamedExpr {
        let start = self.start();
        let names = self.expression_names();
        let expr = self.expr();
        NamedExpr { names, expr, span: self.span_from(start) }
    }

    fn expression_names(&mut self) -> Vec<Name> {
        let length = self.name_length(0);
        if length > 0 && self.peek_kind(length) == Kind::Assign {
            let name = self.name("a name");
            self.bump();
            return vec![name];
        }
        if !self.is(Kind::OpenParen) {
            return Vec::new();
        }
        let mut ahead = 1;
        loop {
            let length = self.name_length(ahead);
            if length == 0 {
                return Vec::new();
            }
            ahead += length;
            match self.peek_kind(ahead) {
                Kind::Comma => ahead += 1,
                Kind::CloseParen if self.peek_kind(ahead + 1) == Kind::Assign => break,
                _ => return Vec::new(),
            }
        }
        self.bump();
        let names = self.list(|parser| parser.name("a name"));
        self.bump();
        self.bump();
        names
    }

    /// A scalar expression, without pipes outside of brackets.
    pub(super) fn expr(&mut self) -> Expr {
        self.deeper(Self::error_expr, |parser| parser.ranked(OR))
    }

    fn infix(&self) -> Option<(Infix, u8)> {
        let binary = |op, rank| Some((Infix::Binary(op), rank));
        let text = |op, negated| binary(BinaryOp::Text { op, negated }, TEXT);
        match self.kind() {
            Kind::EqualEqual => binary(BinaryOp::Equal, EQUALITY),
            Kind::NotEqual => binary(BinaryOp::NotEqual, EQUALITY),
            Kind::Less => binary(BinaryOp::Less, RELATION),
            Kind::LessEqual => binary(BinaryOp::LessOrEqual, RELATION),
            Kind::Greater => binary(BinaryOp::Greater, RELATION),
            Kind::GreaterEqual => binary(BinaryOp::GreaterOrEqual, RELATION),
            Kind::Plus => binary(BinaryOp::Add, SUM),
            Kind::Minus => binary(BinaryOp::Subtract, SUM),
            Kind::Star => binary(BinaryOp::Multiply, PRODUCT),
            Kind::Slash => binary(BinaryOp::Divide, PRODUCT),
            Kind::Percent => binary(BinaryOp::Modulo, PRODUCT),
            Kind::EqualTilde => text(TextOp::EqualCi, false),
            Kind::NotTilde => text(TextOp::EqualCi, true),
            Kind::Colon => text(TextOp::Has, false),
            Kind::Word => match self.current() {
                "or" => binary(BinaryOp::Or, OR),
                "and" => binary(BinaryOp::And, AND),
                "between" => Some((Infix::Between(false), EQUALITY)),
                // `make-series … on axis in range(…)`.
                "in" if self.peek_is_word(1, "range") => None,
                "matches" if self.peek_is_word(1, "regex") => text(TextOp::MatchesRegex, false),
                "notcontains" => text(TextOp::Contains, true),
                "notcontainscs" => text(TextOp::ContainsCs, true),
                "notlike" => text(TextOp::Like, true),
                "notlikecs" => text(TextOp::LikeCs, true),
                word => match in_op(word) {
                    Some(op) => Some((Infix::In(op, false), EQUALITY)),
                    None => text(text_op(word)?, false),
                },
            },
            Kind::BangWord => match &self.current()[1..] {
                "between" => Some((Infix::Between(true), EQUALITY)),
                "matches" if self.peek_is_word(1, "regex") => text(TextOp::MatchesRegex, true),
                word => match in_op(word) {
                    Some(op) => Some((Infix::In(op, true), EQUALITY)),
                    None => text(text_op(word)?, true),
                },
            },
            _ => None,
        }
    }

    fn ranked(&mut self, loosest: u8) -> Expr {
        let start = self.start();
        let mut left = self.unary();
        let mut length = 0;
        while let Some((infix, rank)) = self.infix() {
            if rank < loosest {
                break;
            }
            length += 1;
            if length > MAX_CHAIN {
                self.give_up(format!("the expression has more than {MAX_CHAIN} operands in a row"));
                break;
            }
            left = match infix {
                Infix::Binary(op @ (BinaryOp::And | BinaryOp::Or)) => {
                    length -= 1;
                    self.logical_chain(op, rank, left, start)
                }
                Infix::Binary(op) => {
                    let operator = self.bump();
                    if op == (BinaryOp::Text { op: TextOp::MatchesRegex, negated: false })
                        || self.token_text(operator) == "!matches"
                    {
                        self.bump();
                    }
                    let right = if rank == TEXT { self.unary() } else { self.ranked(rank + 1) };
                    ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }.at(self.span_from(start))
                }
                Infix::In(op, negated) => self.in_list(op, negated, left, start),
                Infix::Between(negated) => self.between(negated, left, start),
            };
        }
        left
    }

    /// All operands of one `and` or `or`, as a balanced tree: long lists of conditions do not nest deeply.
    fn logical_chain(&mut self, op: BinaryOp, rank: u8, first: Expr, start: usize) -> Expr {
        let mut operands = Vec::new();
        flatten(op, first, &mut operands);
        let word = if op == BinaryOp::And { "and" } else { "or" };
        while self.eat_word(word) {
            let operand = self.ranked(rank + 1);
            flatten(op, operand, &mut operands);
        }
        let mut chain = balance(op, operands);
        chain.span = self.span_from(start);
        chain
    }

    fn in_list(&mut self, op: InOp, negated: bool, value: Expr, start: usize) -> Expr {
        let operator = self.bump();
        let word = self.token_text(operator);
        let mut items = Vec::new();
        if self.expect(Kind::OpenParen, &format!("`(` after `{word}`")) {
            items = self.list_until(Kind::CloseParen, false, Self::expression);
            self.close(Kind::CloseParen, "`,` or `)`");
        }
        ExprKind::In { op, negated, value: Box::new(value), items }.at(self.span_from(start))
    }

    fn between(&mut self, negated: bool, value: Expr, start: usize) -> Expr {
        self.bump();
        if !self.expect(Kind::OpenParen, "`(` after `between`") {
            return value;
        }
        let from = self.expr();
        self.expect(Kind::DotDot, "`..` between the limits");
        let to = self.expr();
        self.close(Kind::CloseParen, "`)` after the limits");
        ExprKind::Between { negated, value: Box::new(value), from: Box::new(from), to: Box::new(to) }
            .at(self.span_from(start))
    }

    pub(super) fn unary(&mut self) -> Expr {
        let start = self.start();
        let op = match self.kind() {
            Kind::Minus => UnaryOp::Negate,
            Kind::Plus => UnaryOp::Plus,
            _ => return self.postfix(),
        };
        self.bump();
        let operand = self.deeper(Self::error_expr, Self::unary);
        ExprKind::Unary { op, operand: Box::new(operand) }.at(self.span_from(start))
    }

    /// A table of `union`, `find`, `search`, `restrict`: a path whose names may have stars, or a bracketed expression.
    pub(super) fn entity(&mut self) -> Expr {
        let before = std::mem::replace(&mut self.wildcards, true);
        let entity = self.postfix();
        self.wildcards = before;
        entity
    }

    /// A single value with its paths and calls: `a.b["c"].d()`.
    pub(super) fn postfix(&mut self) -> Expr {
        let start = self.start();
        let mut base = self.primary();
        let mut length = 0;
        loop {
            length += 1;
            if length > MAX_CHAIN {
                self.give_up(format!("the path has more than {MAX_CHAIN} steps"));
                return base;
            }
            if self.is(Kind::OpenBracket) {
                self.bump();
                base = self.index(base, start);
            } else if self.is(Kind::Dot) {
                self.bump();
                if self.is(Kind::OpenBracket) && !self.is_bracketed_name(0) {
                    self.bump();
                    base = self.index(base, start);
                } else {
                    base = self.path_step(base, start);
                }
            } else {
                return base;
            }
        }
    }

    fn index(&mut self, base: Expr, start: usize) -> Expr {
        let wildcards = std::mem::replace(&mut self.wildcards, false);
        let index = self.expr();
        self.wildcards = wildcards;
        self.close(Kind::CloseBracket, "`]`");
        ExprKind::Index { base: Box::new(base), index: Box::new(index) }.at(self.span_from(start))
    }

    fn path_step(&mut self, base: Expr, start: usize) -> Expr {
        if self.is(Kind::Word) && self.peek_kind(1) == Kind::OpenParen {
            let call = self.call();
            return ExprKind::PathCall { base: Box::new(base), call }.at(self.span_from(start));
        }
        if let Some(text) = self.wildcard() {
            let span = self.span_from(start);
            let name = Name { span: Span { start: span.end - text.len() as u32, end: span.end }, text };
            return ExprKind::Path { base: Box::new(base), name }.at(span);
        }
        let name = if self.is(Kind::Typed) {
            // `x.time(…)` is no typed literal, but nothing else either.
            self.expected("a name after `.`");
            Name::default()
        } else {
            self.name("a name after `.`")
        };
        ExprKind::Path { base: Box::new(base), name }.at(self.span_from(start))
    }

    /// A name with stars in it, where such are allowed.
    pub(super) fn wildcard(&mut self) -> Option<String> {
        if !self.wildcards {
            return None;
        }
        let part = |kind| matches!(kind, Kind::Word | Kind::Star | Kind::Long);
        let (mut count, mut stars) = (0, 0);
        while part(self.peek_kind(count)) && (count == 0 || self.touches(count)) {
            stars += usize::from(self.peek_kind(count) == Kind::Star);
            count += 1;
        }
        if stars == 0 {
            return None;
        }
        let (first, last) = (self.token(), self.peek(count - 1));
        self.at += count;
        Some(self.text[first.start as usize..last.end as usize].to_owned())
    }

    fn primary(&mut self) -> Expr {
        let start = self.start();
        if let Some(text) = self.wildcard() {
            let kind = if text == "*" { ExprKind::Star } else { ExprKind::Wildcard(text) };
            return kind.at(self.span_from(start));
        }
        match self.kind() {
            Kind::Word => self.word_expr(),
            Kind::OpenParen => self.parenthesized(),
            Kind::Star => {
                self.bump();
                ExprKind::Star.at(self.span_from(start))
            }
            Kind::OpenBracket if self.is_bracketed_name(0) => {
                let name = self.name("a name");
                if self.is(Kind::OpenParen) {
                    let call = self.call_of(name);
                    return ExprKind::Call(call).at(self.span_from(start));
                }
                ExprKind::Name(name.text).at(name.span)
            }
            Kind::Long | Kind::Real | Kind::Timespan | Kind::String | Kind::Typed => {
                let literal = self.literal();
                ExprKind::Literal(literal).at(self.span_from(start))
            }
            Kind::Unknown => {
                self.bump();
                self.error_expr()
            }
            _ => {
                let help = match self.kind() {
                    Kind::Assign => Some("compare with `==`".to_owned()),
                    Kind::BangWord => Some("negate a condition with `not(…)`".to_owned()),
                    _ => None,
                };
                self.expected_with("an expression", help);
                self.error_expr()
            }
        }
    }

    fn parenthesized(&mut self) -> Expr {
        let start = self.start();
        self.bump();
        let mut inner = self.expression();
        self.close(Kind::CloseParen, "`)`");
        inner.span = self.span_from(start);
        inner
    }

    fn word_expr(&mut self) -> Expr {
        let start = self.start();
        let word = self.current();
        let next = self.peek_kind(1);
        if let Some(expr) = self.special_expr() {
            return expr;
        }
        if next == Kind::OpenParen
            && !matches!(word, "and" | "or" | "in" | "in~" | "between" | "by" | "has_any" | "has_all")
        {
            let call = self.call();
            return ExprKind::Call(call).at(self.span_from(start));
        }
        if NOT_NAMES.contains(&word) {
            self.expected("an expression");
            return self.error_expr();
        }
        let name = self.name("a name");
        ExprKind::Name(name.text).at(name.span)
    }

    pub(super) fn call(&mut self) -> Call {
        let name = self.name("the name of a function");
        self.call_of(name)
    }

    fn call_of(&mut self, name: Name) -> Call {
        let start = name.span.start as usize;
        let mut args = Vec::new();
        if self.expect(Kind::OpenParen, "`(` and arguments") {
            args = self.list_until(Kind::CloseParen, false, Self::argument);
            self.close(Kind::CloseParen, "`,` or `)`");
        }
        Call { name, args, span: self.span_from(start) }
    }

    /// The condition of `where`. The language lets it have a name, `where a = b`; the analyzer refuses that.
    pub(super) fn predicate(&mut self) -> Expr {
        let length = self.name_length(0);
        if length > 0 && self.peek_kind(length) == Kind::Assign { self.argument() } else { self.expr() }
    }

    fn argument(&mut self) -> Expr {
        let start = self.start();
        let length = self.name_length(0);
        if length > 0 && self.peek_kind(length) == Kind::Assign {
            let name = self.name("a name");
            self.bump();
            let value = Box::new(self.expression());
            return ExprKind::Named { name, value }.at(self.span_from(start));
        }
        if self.is(Kind::Star) && matches!(self.peek_kind(1), Kind::Comma | Kind::CloseParen) {
            self.bump();
            return ExprKind::Star.at(self.span_from(start));
        }
        self.expression()
    }
}

impl ExprKind {
    pub(super) fn at(self, span: Span) -> Expr {
        Expr { kind: self, span }
    }
}

fn flatten(op: BinaryOp, expr: Expr, operands: &mut Vec<Expr>) {
    match expr.kind {
        ExprKind::Binary { op: inner, left, right } if inner == op => {
            flatten(op, *left, operands);
            flatten(op, *right, operands);
        }
        _ => operands.push(expr),
    }
}

fn balance(op: BinaryOp, mut operands: Vec<Expr>) -> Expr {
    if operands.len() == 1 {
        return operands.remove(0);
    }
    let right = operands.split_off(operands.len().div_ceil(2));
    let (left, right) = (balance(op, operands), balance(op, right));
    let span = left.span.to(right.span);
    ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }.at(span)
}
