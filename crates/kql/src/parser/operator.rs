//! Pipelines and the simple tabular operators.

use super::{Parser, suggest};
use crate::lexer::Kind;
use crate::syntax::{Expr, ExprKind, Name, Nulls, Operator, OperatorKind, Order, Pipeline, Property, SortKey};

pub(super) const OPERATORS: &[&str] = &[
    "as",
    "assert-schema",
    "consume",
    "count",
    "distinct",
    "evaluate",
    "execute-and-cache",
    "__executeAndCache",
    "extend",
    "facet",
    "filter",
    "find",
    "fork",
    "getschema",
    "graph-mark-components",
    "graph-match",
    "graph-shortest-paths",
    "graph-to-table",
    "graph-where-edges",
    "graph-where-nodes",
    "invoke",
    "join",
    "limit",
    "lookup",
    "macro-expand",
    "make-graph",
    "make-series",
    "mv-apply",
    "mv-expand",
    "mvapply",
    "mvexpand",
    "order",
    "parse",
    "parse-kv",
    "parse-where",
    "partition",
    "__partitionby",
    "print",
    "project",
    "project-away",
    "project-by-names",
    "project-keep",
    "project-rename",
    "project-reorder",
    "range",
    "reduce",
    "render",
    "sample",
    "sample-distinct",
    "scan",
    "search",
    "serialize",
    "sort",
    "summarize",
    "take",
    "top",
    "top-hitters",
    "top-nested",
    "union",
    "where",
];

pub(super) fn is_operator(word: &str) -> bool {
    OPERATORS.contains(&word)
}

/// Parameters of `mv-expand` and `mv-apply`.
const EXPAND: &[&str] = &["bagexpansion", "kind", "with_itemindex", "bin_legacy", "decodeblocks", "expandoutput"];

impl Parser<'_> {
    /// Whether an operator stands here that needs no source.
    pub(super) fn begins_pipeline(&self) -> bool {
        let (word, length) = self.hyphenated();
        let next = self.peek_kind(length.max(1));
        let begins_value = matches!(
            next,
            Kind::Word
                | Kind::String
                | Kind::Long
                | Kind::Real
                | Kind::Timespan
                | Kind::Typed
                | Kind::OpenParen
                | Kind::OpenBracket
                | Kind::Minus
                | Kind::Star
        );
        match word {
            "print" => begins_value || next == Kind::Plus,
            "union" | "search" | "find" | "macro-expand" => begins_value,
            "range" | "evaluate" => next == Kind::Word || self.is_bracketed_name(1),
            _ => false,
        }
    }

    pub(super) fn piped_operators(&mut self, operators: &mut Vec<Operator>) {
        while self.eat(Kind::Pipe) {
            operators.push(self.operator());
        }
    }

    /// The body of `fork`, `mv-apply` and their like: operators on a source that is not written.
    pub(super) fn sub_pipeline(&mut self) -> Pipeline {
        let start = self.start();
        let wildcards = std::mem::replace(&mut self.wildcards, false);
        let operators = self.deeper(
            |_| Vec::new(),
            |parser| {
                let mut operators = vec![parser.operator()];
                parser.piped_operators(&mut operators);
                operators
            },
        );
        self.wildcards = wildcards;
        Pipeline { source: None, operators, span: self.span_from(start) }
    }

    /// `( operators )`.
    pub(super) fn parenthesized_pipeline(&mut self) -> Pipeline {
        if !self.expect(Kind::OpenParen, "`(` and operators") {
            let start = self.start();
            return Pipeline { source: None, operators: Vec::new(), span: self.span_from(start) };
        }
        let body = self.sub_pipeline();
        self.close(Kind::CloseParen, "`|` or `)`");
        body
    }

    pub(super) fn operator(&mut self) -> Operator {
        let start = self.start();
        let reported = self.diagnostics.len();
        let (word, length) = self.hyphenated();
        let mut parameters = Vec::new();
        let kind = if is_operator(word) {
            self.at += length;
            parameters = self.operator_parameters(word);
            self.operator_kind(word, start)
        } else {
            let help = suggest::nearest(word, OPERATORS).map(|name| format!("did you mean `{name}`?"));
            self.expected_with("an operator after `|`", help);
            OperatorKind::Error
        };
        let ended = matches!(
            self.kind(),
            Kind::Pipe
                | Kind::Semicolon
                | Kind::CloseParen
                | Kind::CloseBracket
                | Kind::CloseBrace
                | Kind::End
                | Kind::Comma
        );
        if !ended && self.diagnostics.len() == reported {
            self.unexpected_rest(word);
        }
        if !ended || self.diagnostics.len() > reported {
            self.skip(|kind| kind == Kind::Pipe);
        }
        Operator { kind, parameters, span: self.span_from(start) }
    }

    fn unexpected_rest(&mut self, operator: &str) {
        let help = if self.is(Kind::Assign) {
            Some("compare with `==`".to_owned())
        } else if self.is(Kind::Word) && is_operator(self.hyphenated().0) {
            Some(format!("begin an operator with a pipe: `| {}`", self.hyphenated().0))
        } else if self.is(Kind::Word) {
            suggest::nearest(
                self.current(),
                &[
                    "by",
                    "on",
                    "with",
                    "asc",
                    "desc",
                    "and",
                    "or",
                    "contains",
                    "startswith",
                    "endswith",
                    "has",
                    "between",
                ],
            )
            .map(|word| format!("did you mean `{word}`?"))
        } else {
            None
        };
        self.expected_with(&format!("`|` or the end of `{operator}`"), help);
    }

    fn operator_parameters(&mut self, word: &str) -> Vec<Property> {
        match word {
            "join"
            | "lookup"
            | "union"
            | "evaluate"
            | "partition"
            | "__partitionby"
            | "search"
            | "find"
            | "as"
            | "consume"
            | "scan"
            | "graph-match"
            | "graph-shortest-paths"
            | "graph-mark-components"
            | "reduce"
            | "macro-expand"
            | "sort"
            | "order" => self.parameters(true, &[]),
            "make-series" => self.parameters(false, &["kind"]),
            "mv-expand" | "mvexpand" | "mv-apply" | "mvapply" => self.parameters(false, EXPAND),
            _ => self.parameters(false, &[]),
        }
    }

    /// `name = value` pairs. `hint.…` always; other names where `all`, or those of `known` before another expression.
    pub(super) fn parameters(&mut self, all: bool, known: &[&str]) -> Vec<Property> {
        let mut parameters = Vec::new();
        loop {
            let start = self.start();
            let dotted = self.is_word("hint") && self.peek_kind(1) == Kind::Dot;
            if dotted && self.peek_kind(3) == Kind::Assign {
                self.at += 4;
                let span = self.span_from(start);
                let token = self.tokens[self.at - 2];
                let text = format!("hint.{}", self.token_text(token));
                parameters.push(Property { name: Name { text, span }, value: self.parameter_value() });
                continue;
            }
            let is_pair = self.is(Kind::Word) && self.peek_kind(1) == Kind::Assign;
            let before_expression = matches!(
                self.peek_kind(3),
                Kind::Word | Kind::OpenParen | Kind::OpenBracket | Kind::String | Kind::Typed | Kind::Long
            );
            if !is_pair || !(all || (before_expression && known.contains(&self.current()))) {
                return parameters;
            }
            let name = self.name("a parameter");
            self.bump();
            parameters.push(Property { name, value: self.parameter_value() });
        }
    }

    pub(super) fn parameter_value(&mut self) -> Expr {
        let start = self.start();
        if self.is(Kind::Word) && !self.is_word("dynamic") && !self.is_word("true") && !self.is_word("false") {
            let name = self.name("a value");
            return ExprKind::Name(name.text).at(self.span_from(start));
        }
        if self.is_bracketed_name(0) {
            let name = self.name("a value");
            return ExprKind::Name(name.text).at(self.span_from(start));
        }
        self.signed_literal()
    }

    fn signed_literal(&mut self) -> Expr {
        let start = self.start();
        match self.kind() {
            Kind::Minus | Kind::Plus | Kind::Word => self.unary(),
            Kind::Long | Kind::Real | Kind::Timespan | Kind::String | Kind::Typed => {
                let literal = self.literal();
                ExprKind::Literal(literal).at(self.span_from(start))
            }
            _ => {
                self.expected("a value after `=`");
                self.error_expr()
            }
        }
    }

    fn operator_kind(&mut self, word: &str, start: usize) -> OperatorKind {
        match word {
            "as" => OperatorKind::As { name: self.name("a name after `as`") },
            "assert-schema" => OperatorKind::AssertSchema { schema: self.table_schema() },
            "consume" => OperatorKind::Consume,
            "count" => OperatorKind::Count { name: self.eat_word("as").then(|| self.name("a name after `as`")) },
            "distinct" => OperatorKind::Distinct { columns: self.list(Self::expr) },
            "evaluate" => self.evaluate(),
            "execute-and-cache" | "__executeAndCache" => OperatorKind::ExecuteAndCache,
            "extend" => OperatorKind::Extend { columns: self.named_list() },
            "facet" => self.facet(),
            "find" => self.find(),
            "fork" => self.fork(),
            "getschema" => OperatorKind::Getschema,
            "invoke" => OperatorKind::Invoke { call: self.postfix() },
            "join" => self.join(),
            "lookup" => self.lookup(),
            "macro-expand" => self.macro_expand(),
            "make-series" => self.make_series(),
            "mv-apply" | "mvapply" => self.mv_apply(),
            "mv-expand" | "mvexpand" => self.mv_expand(),
            "parse" => self.parse_operator(false),
            "parse-where" => self.parse_operator(true),
            "parse-kv" => self.parse_kv(),
            "partition" => self.partition(),
            "__partitionby" => self.partition_by(),
            "print" => OperatorKind::Print { columns: self.named_list() },
            "project" => OperatorKind::Project { columns: self.optional_list(Self::named_expr) },
            "project-away" => OperatorKind::ProjectAway { columns: self.optional_list(Self::column_name) },
            "project-by-names" => OperatorKind::ProjectByNames { names: self.list(Self::expr) },
            "project-keep" => OperatorKind::ProjectKeep { columns: self.list(Self::column_name) },
            "project-rename" => OperatorKind::ProjectRename { columns: self.optional_list(Self::named_expr) },
            "project-reorder" => OperatorKind::ProjectReorder { columns: self.optional_list(Self::reordered_column) },
            "range" => self.range(),
            "reduce" => self.reduce(),
            "render" => self.render(),
            "sample" => OperatorKind::Sample { count: self.named_expr() },
            "sample-distinct" => {
                let count = self.named_expr();
                self.expect_word("of");
                OperatorKind::SampleDistinct { count, of: self.named_expr() }
            }
            "scan" => self.scan(),
            "search" => self.search(),
            "serialize" => OperatorKind::Serialize { columns: self.optional_list(Self::named_expr) },
            "sort" | "order" => {
                self.expect_word("by");
                OperatorKind::Sort { keys: self.list(Self::sort_key) }
            }
            "summarize" => self.summarize(),
            "take" | "limit" => OperatorKind::Take { count: self.named_expr() },
            "top" => {
                let count = self.named_expr();
                self.expect_word("by");
                OperatorKind::Top { count, by: self.list(Self::sort_key) }
            }
            "top-hitters" => {
                let count = self.named_expr();
                self.expect_word("of");
                let of = self.named_expr();
                OperatorKind::TopHitters { count, of, by: self.eat_word("by").then(|| self.sort_key()) }
            }
            "top-nested" => self.top_nested(),
            "union" => OperatorKind::Union { tables: self.list(Self::entity) },
            "where" | "filter" => OperatorKind::Where { predicate: self.predicate() },
            _ => self.graph_operator(word, start),
        }
    }

    /// A list that may be missing: the operator ends here.
    pub(super) fn optional_list<T>(&mut self, item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        if self.at_operator_end() { Vec::new() } else { self.list(item) }
    }

    pub(super) fn at_operator_end(&self) -> bool {
        matches!(self.kind(), Kind::Pipe | Kind::Semicolon | Kind::CloseParen | Kind::CloseBrace | Kind::End)
    }

    /// A column name or a name with stars.
    fn column_name(&mut self) -> Expr {
        let start = self.start();
        let before = std::mem::replace(&mut self.wildcards, true);
        let wildcard = self.wildcard();
        self.wildcards = before;
        match wildcard {
            Some(text) if text == "*" => ExprKind::Star.at(self.span_from(start)),
            Some(text) => ExprKind::Wildcard(text).at(self.span_from(start)),
            None if self.is_name() => self.postfix(),
            None => {
                self.expected("the name of a column");
                self.error_expr()
            }
        }
    }

    fn reordered_column(&mut self) -> (Expr, Option<Order>) {
        let column = self.column_name();
        let order = match self.hyphenated() {
            ("asc", _) => Order::Ascending,
            ("desc", _) => Order::Descending,
            ("granny-asc", _) => Order::GrannyAscending,
            ("granny-desc", _) => Order::GrannyDescending,
            _ => return (column, None),
        };
        self.at += self.hyphenated().1;
        (column, Some(order))
    }

    pub(super) fn sort_key(&mut self) -> SortKey {
        let key = self.named_expr();
        let order = if self.eat_word("asc") {
            Some(Order::Ascending)
        } else {
            self.eat_word("desc").then_some(Order::Descending)
        };
        let mut nulls = None;
        if self.eat_word("nulls") {
            if self.eat_word("first") {
                nulls = Some(Nulls::First);
            } else if self.expect_word("last") {
                nulls = Some(Nulls::Last);
            }
        }
        SortKey { key, order, nulls }
    }
}
