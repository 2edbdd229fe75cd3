//! The tabular operators that have clauses of their own.

use super::Parser;
use crate::lexer::Kind;
use crate::syntax::{
    ExpandItem, Expr, ExprKind, FindColumn, ForkLeg, Name, OperatorKind, ParsePiece, Pipeline, RenderProperty,
    ScanAssignment, ScanDeclaration, ScanOutput, ScanStep, SeriesRange, TopNestedPart,
};

impl Parser<'_> {
    pub(super) fn evaluate(&mut self) -> OperatorKind {
        let call = self.call();
        let schema = self.eat(Kind::Colon).then(|| self.table_schema());
        OperatorKind::Evaluate { call, schema }
    }

    pub(super) fn facet(&mut self) -> OperatorKind {
        self.expect_word("by");
        let by = self.list(Self::postfix);
        let with = self
            .eat_word("with")
            .then(|| if self.is(Kind::OpenParen) { self.parenthesized_pipeline() } else { self.one_operator() });
        OperatorKind::Facet { by, with }
    }

    fn one_operator(&mut self) -> Pipeline {
        let operator = self.operator();
        Pipeline { source: None, span: operator.span, operators: vec![operator] }
    }

    pub(super) fn fork(&mut self) -> OperatorKind {
        let mut legs = Vec::new();
        loop {
            let length = self.name_length(0);
            let named = length > 0 && self.peek_kind(length) == Kind::Assign;
            if !named && !self.is(Kind::OpenParen) {
                break;
            }
            let name = named.then(|| self.name("a name"));
            if named {
                self.bump();
            }
            legs.push(ForkLeg { name, body: self.parenthesized_pipeline() });
        }
        if legs.is_empty() {
            self.expected("`(` and the operators of a leg");
        }
        OperatorKind::Fork { legs }
    }

    /// `in (tables)`, if it is there.
    fn in_tables(&mut self) -> Vec<Expr> {
        if !self.is_word("in") || self.peek_kind(1) != Kind::OpenParen {
            return Vec::new();
        }
        self.bump();
        self.bump();
        let tables = self.list_until(Kind::CloseParen, false, Self::piped_entity);
        self.close(Kind::CloseParen, "`,` or `)`");
        tables
    }

    fn piped_entity(&mut self) -> Expr {
        let start = self.start();
        let entity = self.entity();
        if !self.is(Kind::Pipe) {
            return entity;
        }
        let mut operators = Vec::new();
        self.piped_operators(&mut operators);
        let span = self.span_from(start);
        ExprKind::Pipeline(Pipeline { source: Some(Box::new(entity)), operators, span }).at(span)
    }

    pub(super) fn find(&mut self) -> OperatorKind {
        let sources = self.in_tables();
        self.eat_word("where");
        let predicate = self.expr();
        let (mut project, mut project_smart, mut project_away) = (Vec::new(), false, Vec::new());
        if self.eat_hyphenated("project-smart") {
            project_smart = true;
        } else if self.is_hyphenated("project") {
            self.bump();
            project = self.list(Self::find_column);
        }
        if self.eat_hyphenated("project-away") || self.eat_word("__projectAway") {
            project_away = self.list(Self::find_column);
        }
        OperatorKind::Find { sources, predicate, project, project_smart, project_away }
    }

    fn find_column(&mut self) -> FindColumn {
        if (self.is_word("pack") || self.is_word("pack_all")) && self.peek_kind(1) == Kind::OpenParen {
            self.bump();
            self.bump();
            self.eat(Kind::Star);
            self.close(Kind::CloseParen, "`)`");
            return FindColumn { name: Name::default(), ty: None, pack: true };
        }
        let span = self.token().span();
        let name =
            if self.eat(Kind::Star) { Name { text: "*".to_owned(), span } } else { self.name("the name of a column") };
        let ty = self.eat(Kind::Colon).then(|| self.type_name());
        FindColumn { name, ty, pack: false }
    }

    pub(super) fn search(&mut self) -> OperatorKind {
        let sources = self.in_tables();
        OperatorKind::Search { sources, predicate: self.expr() }
    }

    pub(super) fn join(&mut self) -> OperatorKind {
        let table = self.expr();
        let on = if self.eat_word("on") { self.list(Self::expr) } else { Vec::new() };
        let predicate = self.eat_word("where").then(|| self.expr());
        OperatorKind::Join { table, on, predicate }
    }

    pub(super) fn lookup(&mut self) -> OperatorKind {
        let table = self.expr();
        let on = if self.eat_word("on") { self.list(Self::expr) } else { Vec::new() };
        OperatorKind::Lookup { table, on }
    }

    pub(super) fn macro_expand(&mut self) -> OperatorKind {
        let group = self.postfix();
        self.expect_word("as");
        let name = self.name("a name after `as`");
        let mut body = Vec::new();
        if self.expect(Kind::OpenParen, "`(` and the query") {
            body = self.deeper(|_| Vec::new(), |parser| parser.statements(Kind::CloseParen));
            self.close(Kind::CloseParen, "`)`");
        }
        OperatorKind::MacroExpand { group, name, body }
    }

    pub(super) fn make_series(&mut self) -> OperatorKind {
        let aggregates = self.list(|parser| {
            let aggregate = parser.named_expr();
            let default = parser.is_word("default") && parser.peek_kind(1) == Kind::Assign;
            if default {
                parser.bump();
                parser.bump();
            }
            (aggregate, default.then(|| parser.expr()))
        });
        self.expect_word("on");
        let axis = self.named_expr();
        let range = if self.eat_word("in") {
            self.expect_word("range");
            self.expect(Kind::OpenParen, "`(`");
            let from = self.expr();
            self.expect(Kind::Comma, "`,` and the end");
            let to = self.expr();
            self.expect(Kind::Comma, "`,` and the step");
            let step = self.expr();
            self.close(Kind::CloseParen, "`)`");
            SeriesRange::InRange { from, to, step }
        } else {
            let from = self.eat_word("from").then(|| self.expr());
            let to = self.eat_word("to").then(|| self.expr());
            self.expect_word("step");
            SeriesRange::FromToStep { from, to, step: self.expr() }
        };
        let by = if self.eat_word("by") { self.named_list() } else { Vec::new() };
        OperatorKind::MakeSeries { aggregates, axis, range, by }
    }

    fn expand_item(&mut self) -> ExpandItem {
        let item = self.named_expr();
        let mut to = None;
        if self.eat_word("to") {
            self.expect_word("typeof");
            self.expect(Kind::OpenParen, "`(`");
            to = Some(self.type_name());
            self.close(Kind::CloseParen, "`)`");
        }
        ExpandItem { item, to }
    }

    pub(super) fn mv_expand(&mut self) -> OperatorKind {
        let items = self.list(Self::expand_item);
        OperatorKind::MvExpand { items, limit: self.eat_word("limit").then(|| self.expr()) }
    }

    pub(super) fn mv_apply(&mut self) -> OperatorKind {
        let items = self.list(Self::expand_item);
        let limit = self.eat_word("limit").then(|| self.expr());
        self.optional_id();
        self.expect_word("on");
        OperatorKind::MvApply { items, limit, body: self.parenthesized_pipeline() }
    }

    /// `id guid(…)`: tools write it to tell operators apart; it has no meaning.
    fn optional_id(&mut self) {
        if self.is_word("id") && self.peek_kind(1) == Kind::Typed {
            self.bump();
            self.bump();
        }
    }

    pub(super) fn parse_operator(&mut self, only_matches: bool) -> OperatorKind {
        let option = |parser: &mut Self, word: &str| {
            let found = parser.is_word(word) && parser.peek_kind(1) == Kind::Assign;
            if found {
                parser.bump();
                parser.bump();
            }
            found.then(|| parser.name("a word after `=`"))
        };
        let kind = option(self, "kind");
        let flags = option(self, "flags");
        let expr = self.expr();
        self.expect_word("with");
        let mut pieces = Vec::new();
        loop {
            match self.kind() {
                Kind::Star => {
                    self.bump();
                    pieces.push(ParsePiece::Star);
                }
                Kind::String => pieces.push(ParsePiece::Text(self.string().value)),
                _ if self.is_name() => {
                    let name = self.name("the name of a column");
                    let ty = self.eat(Kind::Colon).then(|| self.type_name());
                    pieces.push(ParsePiece::Column { name, ty });
                }
                _ => break,
            }
        }
        if pieces.is_empty() {
            self.expected("a pattern of texts, columns and `*`");
        }
        OperatorKind::Parse { only_matches, kind, flags, expr, pieces }
    }

    pub(super) fn parse_kv(&mut self) -> OperatorKind {
        let expr = self.expr();
        self.expect_word("as");
        let schema = self.table_schema();
        OperatorKind::ParseKv { expr, schema, properties: self.with_properties() }
    }

    /// An expression that a parenthesis follows which is not its arguments: `by scope (…)`.
    pub(super) fn expr_before_parenthesis(&mut self) -> Expr {
        let start = self.start();
        let mut expr = {
            let name = self.name("the name of a column");
            ExprKind::Name(name.text).at(name.span)
        };
        while self.is(Kind::Dot) || self.is(Kind::OpenBracket) {
            if self.eat(Kind::Dot) {
                let name = self.name("a name after `.`");
                expr = ExprKind::Path { base: Box::new(expr), name }.at(self.span_from(start));
            } else {
                self.bump();
                let index = Box::new(self.expr());
                self.close(Kind::CloseBracket, "`]`");
                expr = ExprKind::Index { base: Box::new(expr), index }.at(self.span_from(start));
            }
        }
        expr
    }

    pub(super) fn partition(&mut self) -> OperatorKind {
        self.expect_word("by");
        let by = self.expr_before_parenthesis();
        let of = self.eat_word("in").then(|| self.postfix());
        self.optional_id();
        if !self.eat(Kind::OpenBrace) {
            return OperatorKind::Partition { by, of, braces: false, body: self.parenthesized_pipeline() };
        }
        let body = self.expression();
        self.close(Kind::CloseBrace, "`}`");
        let span = body.span;
        let body = match body.kind {
            ExprKind::Pipeline(pipeline) => pipeline,
            _ => Pipeline { source: Some(Box::new(body)), operators: Vec::new(), span },
        };
        OperatorKind::Partition { by, of, braces: true, body }
    }

    pub(super) fn partition_by(&mut self) -> OperatorKind {
        let by = self.expr_before_parenthesis();
        self.optional_id();
        OperatorKind::PartitionBy { by, body: self.parenthesized_pipeline() }
    }

    pub(super) fn range(&mut self) -> OperatorKind {
        let name = self.name("the name of the column");
        self.expect_word("from");
        let from = self.expr();
        self.expect_word("to");
        let to = self.expr();
        self.expect_word("step");
        OperatorKind::Range { name, from, to, step: self.expr() }
    }

    pub(super) fn reduce(&mut self) -> OperatorKind {
        self.expect_word("by");
        let by = self.named_expr();
        let with = if self.eat_word("with") { self.named_list() } else { Vec::new() };
        OperatorKind::Reduce { by, with }
    }

    pub(super) fn render(&mut self) -> OperatorKind {
        let kind = self.name("the name of a chart such as `timechart`");
        let mut properties = Vec::new();
        if self.is_word("with") && self.peek_kind(1) == Kind::OpenParen {
            self.bump();
            self.bump();
            while self.is_name() {
                properties.push(self.render_property());
                self.eat(Kind::Comma);
            }
            self.close(Kind::CloseParen, "the name of a property or `)`");
            return OperatorKind::Render { kind, properties };
        }
        while self.is(Kind::Word) && (self.peek_kind(1) == Kind::Assign || self.is_word("by") || self.is_word("with")) {
            properties.push(self.render_property());
        }
        OperatorKind::Render { kind, properties }
    }

    fn render_property(&mut self) -> RenderProperty {
        let name = self.name("the name of a property");
        if !(self.eat(Kind::Assign) || matches!(name.text.as_str(), "by" | "with")) {
            self.expected("`=`");
            return RenderProperty { name, values: Vec::new() };
        }
        let mut values = vec![self.expr()];
        while self.is(Kind::Comma) {
            let length = self.name_length(1);
            let next_property = length > 0 && self.peek_kind(1 + length) == Kind::Assign;
            if next_property || self.peek_kind(1) == Kind::CloseParen {
                break;
            }
            self.bump();
            values.push(self.expr());
        }
        RenderProperty { name, values }
    }

    pub(super) fn scan(&mut self) -> OperatorKind {
        let mut order_by = Vec::new();
        let mut partition_by = Vec::new();
        let mut declare = Vec::new();
        if self.eat_word("order") {
            self.expect_word("by");
            order_by = self.list(Self::sort_key);
        }
        if self.eat_word("partition") {
            self.expect_word("by");
            partition_by = self.list(Self::expr);
        }
        if self.eat_word("declare") {
            self.expect(Kind::OpenParen, "`(`");
            declare = self.list_until(Kind::CloseParen, false, |parser| {
                let name = parser.name("the name of a column");
                parser.expect(Kind::Colon, "`:` and a type");
                let ty = parser.type_name();
                ScanDeclaration { name, ty, default: parser.eat(Kind::Assign).then(|| parser.expr()) }
            });
            self.close(Kind::CloseParen, "`,` or `)`");
        }
        self.expect_word("with");
        self.expect(Kind::OpenParen, "`(` and steps");
        let mut steps = Vec::new();
        while self.is_word("step") {
            steps.push(self.scan_step());
        }
        if steps.is_empty() {
            self.expected("`step`");
        }
        self.close(Kind::CloseParen, "`step` or `)`");
        OperatorKind::Scan { order_by, partition_by, declare, steps }
    }

    fn scan_step(&mut self) -> ScanStep {
        let start = self.start();
        self.bump();
        let name = self.name("the name of the step");
        let optional = self.eat_word("optional");
        let mut output = None;
        if self.eat_word("output") {
            self.expect(Kind::Assign, "`=`");
            output = match self.current() {
                "all" => Some(ScanOutput::All),
                "last" => Some(ScanOutput::Last),
                "none" => Some(ScanOutput::None),
                _ => None,
            };
            if output.is_some() {
                self.bump();
            } else {
                self.expected("`all`, `last` or `none`");
            }
        }
        self.expect(Kind::Colon, "`:` and the condition");
        let condition = self.expr();
        let mut assignments = Vec::new();
        if self.eat(Kind::Arrow) {
            assignments = self.list(|parser| {
                let name = parser.name("the name of a column");
                parser.expect(Kind::Assign, "`=`");
                ScanAssignment { name, value: parser.expr() }
            });
        }
        self.expect(Kind::Semicolon, "`;` after the step");
        ScanStep { name, optional, output, condition, assignments, span: self.span_from(start) }
    }

    pub(super) fn summarize(&mut self) -> OperatorKind {
        let begins_by = self.is_word("by") && self.peek_kind(1) != Kind::Assign;
        let aggregates = if begins_by { Vec::new() } else { self.optional_list(Self::named_expr) };
        let by = if self.eat_word("by") { self.named_list() } else { Vec::new() };
        let legacy_bin = self.is_word("bin") && self.peek_kind(1) == Kind::Assign;
        if legacy_bin {
            self.bump();
            self.bump();
        }
        OperatorKind::Summarize { aggregates, by, bin: legacy_bin.then(|| self.expr()) }
    }

    pub(super) fn top_nested(&mut self) -> OperatorKind {
        let mut parts = vec![self.top_nested_part()];
        while self.is(Kind::Comma) {
            self.bump();
            if !self.eat_hyphenated("top-nested") {
                self.expected("`top-nested`");
                break;
            }
            parts.push(self.top_nested_part());
        }
        OperatorKind::TopNested { parts }
    }

    fn top_nested_part(&mut self) -> TopNestedPart {
        let count = (!self.is_word("of")).then(|| self.named_expr());
        self.expect_word("of");
        let of = self.named_expr();
        let mut others = None;
        if self.eat_word("with") {
            self.expect_word("others");
            self.expect(Kind::Assign, "`=`");
            others = Some(self.named_expr());
        }
        self.expect_word("by");
        TopNestedPart { count, of, others, by: self.sort_key() }
    }
}
