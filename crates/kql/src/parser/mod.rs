//! The parser: a tree and a list of mistakes for every text. It goes on after a mistake at the next `|`, `;` or
//! closing bracket, so that several mistakes are found at once.

mod expression;
mod graph;
mod literal;
mod operator;
mod statement;
mod suggest;
mod tabular;

pub(crate) use expression::is_reserved;

use crate::Parsed;
use crate::diagnostics::{Code, Diagnostic, Span};
use crate::lexer::{Kind, Token, tokenize};
use crate::syntax::{Expr, ExprKind, Name, NamedExpr, Query};

/// How deep expressions may nest; deeper text is a mistake, so that no reader of the tree overflows its stack.
pub const MAX_DEPTH: usize = 120;
/// How many operands one chain of the same rank (`a + b + …`, `a.b.c…`) may have. `and` and `or` have no such limit.
pub const MAX_CHAIN: usize = 400;
/// How many mistakes are reported.
pub const MAX_DIAGNOSTICS: usize = 50;

/// The names of the operators that can follow a pipe, for completion.
pub fn operators() -> impl Iterator<Item = &'static str> {
    operator::OPERATORS.iter().copied().filter(|name| !name.starts_with("__"))
}

/// Reads a query text. Gives always a tree; where the text is wrong the tree has [`ExprKind::Error`] or parts left out.
pub fn parse(text: &str) -> Parsed {
    let (tokens, diagnostics) = tokenize(text);
    let lexical = diagnostics.len();
    let mut parser =
        Parser { text, tokens, at: 0, diagnostics, last_error: None, depth: 0, gave_up: false, wildcards: false };
    let query = parser.query();
    let mut diagnostics = parser.diagnostics;
    if lexical > 0 {
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    }
    diagnostics.truncate(MAX_DIAGNOSTICS);
    Parsed { query, diagnostics }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    diagnostics: Vec<Diagnostic>,
    /// The token of the last mistake: one token is complained about once.
    last_error: Option<usize>,
    depth: usize,
    /// The text nests too deeply: nothing more is read or reported.
    gave_up: bool,
    /// Names may have stars (`union Sec*`).
    wildcards: bool,
}

impl<'a> Parser<'a> {
    fn query(&mut self) -> Query {
        let statements = self.statements(Kind::End);
        Query { statements, span: Span::new(0, self.text.len()) }
    }

    // Tokens.

    fn token(&self) -> Token {
        self.tokens[self.at]
    }

    fn kind(&self) -> Kind {
        self.tokens[self.at].kind
    }

    fn peek(&self, ahead: usize) -> Token {
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    fn peek_kind(&self, ahead: usize) -> Kind {
        self.peek(ahead).kind
    }

    fn token_text(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    fn current(&self) -> &'a str {
        self.token_text(self.token())
    }

    fn bump(&mut self) -> Token {
        let token = self.token();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    fn is(&self, kind: Kind) -> bool {
        self.kind() == kind
    }

    fn eat(&mut self, kind: Kind) -> bool {
        let found = self.is(kind);
        if found {
            self.bump();
        }
        found
    }

    fn is_word(&self, word: &str) -> bool {
        self.is(Kind::Word) && self.current() == word
    }

    fn peek_is_word(&self, ahead: usize, word: &str) -> bool {
        let token = self.peek(ahead);
        token.kind == Kind::Word && self.token_text(token) == word
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.bump();
        }
        found
    }

    /// Whether the token `ahead` stands directly behind the one before it.
    fn touches(&self, ahead: usize) -> bool {
        let index = self.at + ahead;
        index > 0 && index < self.tokens.len() && self.tokens[index].start == self.tokens[index - 1].end
    }

    /// The words joined by hyphens at this place (`mv-expand`), with the number of tokens that they take.
    fn hyphenated(&self) -> (&'a str, usize) {
        let first = self.token();
        if first.kind != Kind::Word {
            return ("", 0);
        }
        let (mut count, mut end) = (1, first.end);
        while self.peek_kind(count) == Kind::Minus
            && self.touches(count)
            && self.peek_kind(count + 1) == Kind::Word
            && self.touches(count + 1)
        {
            end = self.peek(count + 1).end;
            count += 2;
        }
        (&self.text[first.start as usize..end as usize], count)
    }

    fn is_hyphenated(&self, words: &str) -> bool {
        self.hyphenated().0 == words
    }

    fn eat_hyphenated(&mut self, words: &str) -> bool {
        let (found, count) = self.hyphenated();
        if found == words {
            self.at += count;
        }
        found == words
    }

    fn start(&self) -> usize {
        self.token().start as usize
    }

    /// From `start` to the end of the token before this place.
    fn span_from(&self, start: usize) -> Span {
        let end = if self.at == 0 { 0 } else { self.tokens[self.at - 1].end as usize };
        Span::new(start, end.max(start))
    }

    // Mistakes.

    fn error_at(&mut self, span: Span, message: String, help: Option<String>) {
        if self.gave_up || self.last_error == Some(self.at) || self.is(Kind::Unknown) {
            return;
        }
        self.last_error = Some(self.at);
        self.diagnostics.push(Diagnostic { code: Code::Syntax, span, message, help });
    }

    fn found(&self) -> String {
        match self.kind() {
            Kind::End => "the end of the query".to_owned(),
            Kind::String => "a string".to_owned(),
            _ => {
                let text = self.current();
                match text.char_indices().nth(40) {
                    Some((cut, _)) => format!("`{}…`", &text[..cut]),
                    None => format!("`{text}`"),
                }
            }
        }
    }

    fn expected(&mut self, what: &str) {
        self.expected_with(what, None);
    }

    fn expected_with(&mut self, what: &str, help: Option<String>) {
        let message = format!("expected {what}, found {}", self.found());
        self.error_at(self.token().span(), message, help);
    }

    fn expect(&mut self, kind: Kind, what: &str) -> bool {
        let found = self.eat(kind);
        if !found {
            self.expected(what);
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> bool {
        let found = self.eat_word(word);
        if !found {
            let help = (self.is(Kind::Word) && suggest::close(self.current(), word))
                .then(|| format!("did you mean `{word}`?"));
            self.expected_with(&format!("`{word}`"), help);
        }
        found
    }

    /// Reads a closing bracket; without one, skips to it.
    fn close(&mut self, kind: Kind, what: &str) {
        if self.eat(kind) {
            return;
        }
        self.expected(what);
        self.skip(|kind| matches!(kind, Kind::Semicolon | Kind::End));
        self.eat(kind);
    }

    /// Skips tokens and whole brackets up to one that `stop` accepts, or a closing bracket.
    fn skip(&mut self, stop: impl Fn(Kind) -> bool) {
        let mut open = 0usize;
        loop {
            let kind = self.kind();
            match kind {
                Kind::End => return,
                Kind::OpenParen | Kind::OpenBracket | Kind::OpenBrace => open += 1,
                Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace if open == 0 => return,
                Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace => open -= 1,
                Kind::Semicolon => return,
                _ if open == 0 && stop(kind) => return,
                _ => {}
            }
            self.bump();
        }
    }

    /// Runs `read` one level deeper, or gives up where that is too deep.
    fn deeper<T>(&mut self, otherwise: impl FnOnce(&Self) -> T, read: impl FnOnce(&mut Self) -> T) -> T {
        if self.depth >= MAX_DEPTH {
            self.give_up(format!("the query nests deeper than {MAX_DEPTH} levels"));
            return otherwise(self);
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn give_up(&mut self, message: String) {
        let help = Some("take parts out into `let` statements".to_owned());
        self.last_error = None;
        self.error_at(self.token().span(), message, help);
        self.gave_up = true;
        self.at = self.tokens.len() - 1;
    }

    fn error_expr(&self) -> Expr {
        Expr { kind: ExprKind::Error, span: Span { start: self.token().start, end: self.token().start } }
    }

    // Names and lists.

    fn is_bracketed_name(&self, ahead: usize) -> bool {
        self.peek_kind(ahead) == Kind::OpenBracket
            && self.peek_kind(ahead + 1) == Kind::String
            && self.peek_kind(ahead + 2) == Kind::CloseBracket
    }

    /// The number of tokens of the name that stands `ahead`, if any.
    fn name_length(&self, ahead: usize) -> usize {
        if self.peek_kind(ahead) == Kind::Word {
            1
        } else if self.is_bracketed_name(ahead) {
            3
        } else {
            0
        }
    }

    fn is_name(&self) -> bool {
        self.name_length(0) > 0
    }

    /// A name where any word is one, keywords included.
    fn name(&mut self, what: &str) -> Name {
        let start = self.start();
        if self.is(Kind::Word) {
            let token = self.bump();
            return Name { text: self.token_text(token).to_owned(), span: token.span() };
        }
        if self.is_bracketed_name(0) {
            self.bump();
            let text = self.string().value;
            self.bump();
            return Name { text, span: self.span_from(start) };
        }
        self.expected(what);
        Name { text: String::new(), span: Span::new(start, start) }
    }

    /// Items separated by commas, at least one.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut items = vec![item(self)];
        while self.eat(Kind::Comma) {
            items.push(item(self));
        }
        items
    }

    /// Items separated by commas up to `end`, which is left; perhaps none.
    fn list_until<T>(&mut self, end: Kind, trailing_comma: bool, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut items = Vec::new();
        if self.is(end) {
            return items;
        }
        loop {
            let before = self.diagnostics.len();
            items.push(item(self));
            if self.diagnostics.len() > before {
                self.skip(|kind| kind == Kind::Comma);
            }
            if !self.eat(Kind::Comma) || (trailing_comma && self.is(end)) {
                return items;
            }
        }
    }

    fn named_list(&mut self) -> Vec<NamedExpr> {
        self.list(Self::named_expr)
    }
}
