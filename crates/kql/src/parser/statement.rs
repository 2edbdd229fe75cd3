//! Statements: `let`, `set`, `declare`, `restrict`, `alias`, and expressions.

use super::{Parser, suggest};
use crate::lexer::Kind;
use crate::syntax::{
    ColumnDeclaration, Function, LetValue, Parameter, ParameterType, PatternDefinition, PatternRule, Statement,
    StatementKind, TableSchema,
};
use crate::types::Type;

const TYPE_NAMES: &[&str] = &[
    "bool", "boolean", "int", "long", "real", "double", "decimal", "datetime", "date", "timespan", "time", "string",
    "guid", "dynamic",
];

impl Parser<'_> {
    /// Statements with semicolons between them up to `end`, which is left.
    pub(super) fn statements(&mut self, end: Kind) -> Vec<Statement> {
        let mut statements = Vec::new();
        loop {
            while self.eat(Kind::Semicolon) {}
            if self.is(end) || self.is(Kind::End) {
                return statements;
            }
            let reported = self.diagnostics.len();
            statements.push(self.statement());
            if self.is(end) || self.is(Kind::End) {
                return statements;
            }
            if self.is(Kind::Semicolon) {
                continue;
            }
            if self.diagnostics.len() == reported {
                let what =
                    if end == Kind::End { "`;`, `|` or the end of the query" } else { "`;`, `|` or a closing bracket" };
                self.expected(what);
            }
            self.skip(|_| false);
            if !self.is(Kind::Semicolon) && !self.is(end) && !self.is(Kind::End) {
                if end != Kind::End {
                    return statements;
                }
                // A closing bracket that nothing opened: what follows it is another piece of the query.
                self.bump();
                self.skip(|_| false);
            }
        }
    }

    fn statement(&mut self) -> Statement {
        let start = self.start();
        let followed_by_name = self.name_length(1) > 0;
        let kind = match self.current() {
            "let" if self.is(Kind::Word) && self.peek_kind(1) != Kind::Pipe && self.peek_kind(1) != Kind::End => {
                self.let_statement()
            }
            "set" if followed_by_name => self.set_statement(),
            "declare" if followed_by_name => self.declare_statement(),
            "restrict" if self.peek_is_word(1, "access") => self.restrict_statement(),
            "alias" if self.peek_is_word(1, "database") => self.alias_statement(),
            "." => {
                self.error_at(
                    self.token().span(),
                    "a management command cannot stand in a query".to_owned(),
                    Some("send commands that begin with a dot to the management endpoint".to_owned()),
                );
                self.skip(|_| false);
                StatementKind::Expression(self.error_expr())
            }
            _ => StatementKind::Expression(self.expression()),
        };
        Statement { kind, span: self.span_from(start) }
    }

    fn let_statement(&mut self) -> StatementKind {
        self.bump();
        let name = self.name("a name after `let`");
        self.expect(Kind::Assign, "`=`");
        let value =
            if self.is_function() { LetValue::Function(self.function()) } else { LetValue::Expr(self.expression()) };
        StatementKind::Let { name, value }
    }

    fn is_function(&self) -> bool {
        if self.is_word("view") && self.peek_kind(1) == Kind::OpenParen {
            return true;
        }
        if !self.is(Kind::OpenParen) {
            return false;
        }
        if self.peek_kind(1) == Kind::CloseParen {
            return true;
        }
        let length = self.name_length(1);
        length > 0 && self.peek_kind(1 + length) == Kind::Colon
    }

    fn function(&mut self) -> Function {
        let start = self.start();
        let view = self.eat_word("view");
        self.expect(Kind::OpenParen, "`(`");
        let parameters = self.list_until(Kind::CloseParen, false, Self::parameter);
        self.close(Kind::CloseParen, "`,` or `)` in the list of parameters");
        self.expect(Kind::OpenBrace, "`{` before the body of the function");
        let body = self.body();
        Function { view, parameters, body, span: self.span_from(start) }
    }

    /// Statements up to a closing brace, which is read.
    fn body(&mut self) -> Vec<Statement> {
        let body = self.deeper(|_| Vec::new(), |parser| parser.statements(Kind::CloseBrace));
        self.close(Kind::CloseBrace, "`}`");
        body
    }

    pub(super) fn parameter(&mut self) -> Parameter {
        let start = self.start();
        let name = self.name("the name of a parameter");
        self.expect(Kind::Colon, "`:` and a type");
        let ty = if self.is(Kind::OpenParen) {
            ParameterType::Table(self.table_schema())
        } else {
            ParameterType::Scalar(self.type_name())
        };
        let default = self.eat(Kind::Assign).then(|| self.expr());
        Parameter { name, ty, default, span: self.span_from(start) }
    }

    pub(super) fn type_name(&mut self) -> Type {
        let word = if self.is(Kind::Word) { self.current() } else { "" };
        if let Some(ty) = Type::from_name(word) {
            self.bump();
            return ty;
        }
        let help = suggest::nearest(word, TYPE_NAMES).map(|name| format!("did you mean `{name}`?"));
        self.expected_with("a type such as `string` or `long`", help);
        if self.is(Kind::Word) {
            self.bump();
        }
        Type::Dynamic
    }

    /// `(name:type, …)`, with `*` for an open list.
    pub(super) fn table_schema(&mut self) -> TableSchema {
        let start = self.start();
        let mut schema = TableSchema::default();
        self.expect(Kind::OpenParen, "`(` and a list of columns");
        let columns = self.list_until(Kind::CloseParen, true, |parser| {
            let start = parser.start();
            if parser.eat(Kind::Star) {
                return None;
            }
            let name = parser.name("the name of a column");
            parser.expect(Kind::Colon, "`:` and a type");
            let ty = parser.type_name();
            Some(ColumnDeclaration { name, ty, span: parser.span_from(start) })
        });
        schema.star_first = columns.len() > 1 && columns.first().is_some_and(Option::is_none);
        schema.open = columns.iter().any(Option::is_none);
        schema.columns = columns.into_iter().flatten().collect();
        self.close(Kind::CloseParen, "`,` or `)` in the list of columns");
        schema.span = self.span_from(start);
        schema
    }

    fn set_statement(&mut self) -> StatementKind {
        self.bump();
        let name = self.name("the name of an option");
        let value = self.eat(Kind::Assign).then(|| self.unary());
        StatementKind::Set { name, value }
    }

    fn declare_statement(&mut self) -> StatementKind {
        self.bump();
        if self.eat_word("query_parameters") {
            self.expect(Kind::OpenParen, "`(`");
            let parameters = self.list_until(Kind::CloseParen, false, Self::parameter);
            self.close(Kind::CloseParen, "`,` or `)` in the list of parameters");
            return StatementKind::QueryParameters(parameters);
        }
        if self.eat_word("pattern") {
            let name = self.name("the name of the pattern");
            let definition = self.eat(Kind::Assign).then(|| self.pattern_definition());
            return StatementKind::Pattern { name, definition };
        }
        let help = suggest::nearest(self.current(), &["query_parameters", "pattern"])
            .map(|word| format!("did you mean `{word}`?"));
        self.expected_with("`query_parameters` or `pattern`", help);
        StatementKind::Expression(self.error_expr())
    }

    fn pattern_definition(&mut self) -> PatternDefinition {
        self.expect(Kind::OpenParen, "`(`");
        let parameters = self.list_until(Kind::CloseParen, false, Self::parameter);
        self.close(Kind::CloseParen, "`,` or `)` in the list of parameters");
        let path = self.eat(Kind::OpenBracket).then(|| {
            let path = self.parameter();
            self.close(Kind::CloseBracket, "`]`");
            path
        });
        self.expect(Kind::OpenBrace, "`{`");
        let mut rules = Vec::new();
        while self.is(Kind::OpenParen) {
            rules.push(self.pattern_rule());
            self.eat(Kind::Semicolon);
        }
        self.close(Kind::CloseBrace, "`}`");
        PatternDefinition { parameters, path, rules }
    }

    fn pattern_rule(&mut self) -> PatternRule {
        let start = self.start();
        self.bump();
        let arguments = self.list_until(Kind::CloseParen, false, Self::expr);
        self.close(Kind::CloseParen, "`,` or `)`");
        let path = self.eat(Kind::Dot).then(|| {
            self.expect(Kind::OpenBracket, "`[`");
            let path = self.expr();
            self.close(Kind::CloseBracket, "`]`");
            path
        });
        self.expect(Kind::Assign, "`=`");
        self.expect(Kind::OpenBrace, "`{`");
        let body = self.body();
        PatternRule { arguments, path, body, span: self.span_from(start) }
    }

    fn restrict_statement(&mut self) -> StatementKind {
        self.bump();
        self.bump();
        self.expect_word("to");
        self.expect(Kind::OpenParen, "`(`");
        let entities = self.list_until(Kind::CloseParen, false, Self::entity);
        self.close(Kind::CloseParen, "`,` or `)`");
        StatementKind::RestrictAccess(entities)
    }

    fn alias_statement(&mut self) -> StatementKind {
        self.bump();
        self.bump();
        let name = self.name("the name of the alias");
        self.expect(Kind::Assign, "`=`");
        StatementKind::AliasDatabase { name, value: self.expr() }
    }
}
