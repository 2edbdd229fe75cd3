//! Splits a query text into tokens. Keywords are identifiers here: only the parser knows where one is meant.

use crate::diagnostics::{Code, Diagnostic, Span};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word; also words that begin with a digit (`3Dchart`) and `in~`.
    Word,
    /// `!` directly followed by a word: `!has`, `!in~`.
    BangWord,
    Long,
    Real,
    /// `1d`, `10ms`.
    Timespan,
    String,
    /// `datetime(…)`, `long(…)`, … with the text between the parentheses as it is.
    Typed,
    Pipe,
    Semicolon,
    Comma,
    Colon,
    Dot,
    DotDot,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    Assign,
    EqualEqual,
    EqualTilde,
    NotEqual,
    NotTilde,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Arrow,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    /// A character that begins no token; already reported.
    Unknown,
    End,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
}

impl Token {
    pub fn span(self) -> Span {
        Span { start: self.start, end: self.end }
    }
}

/// The names before a parenthesis that begin a typed literal.
const TYPED: &[&str] = &[
    "bool", "boolean", "int", "int32", "long", "int64", "real", "double", "decimal", "datetime", "date", "time",
    "timespan", "guid", "uuid", "uniqueid",
];

/// The units of timespan literals, with the ticks of 100 nanoseconds in one.
pub(crate) fn timespan_unit(unit: &str) -> Option<f64> {
    Some(match unit {
        "d" | "day" | "days" => 864e9,
        "h" | "hr" | "hrs" | "hour" | "hours" => 36e9,
        "m" | "min" | "minute" | "minutes" => 6e8,
        "s" | "sec" | "second" | "seconds" => 1e7,
        "ms" | "milli" | "millis" | "millisec" | "millisecond" | "milliseconds" => 1e4,
        "micro" | "micros" | "microsec" | "microsecond" | "microseconds" => 10.0,
        "nano" | "nanos" | "nanosec" | "nanosecond" | "nanoseconds" => 0.01,
        "tick" | "ticks" => 1.0,
        _ => return None,
    })
}

pub(crate) fn is_word_start(c: char) -> bool {
    c == '_' || c == '$' || c.is_alphabetic()
}

pub(crate) fn is_word_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\u{180e}')
}

/// Tokens of `text`, always with a last one of kind [`Kind::End`].
pub(crate) fn tokenize(text: &str) -> (Vec<Token>, Vec<Diagnostic>) {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::with_capacity(text.len() / 4 + 1), diagnostics: Vec::new() };
    lexer.run();
    (lexer.tokens, lexer.diagnostics)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    diagnostics: Vec<Diagnostic>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn begins_line(&self) -> bool {
        let before = self.text[..self.at].rsplit(['\n', '\r']).next().unwrap_or("");
        before.chars().all(is_space)
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn error(&mut self, start: usize, end: usize, message: String, help: Option<&str>) {
        self.diagnostics.push(Diagnostic {
            code: Code::Syntax,
            span: Span::new(start, end),
            message,
            help: help.map(str::to_owned),
        });
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token { kind, start: start as u32, end: self.at as u32 });
    }

    fn skip_while(&mut self, accept: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !accept(c)).unwrap_or(rest.len());
    }

    fn run(&mut self) {
        while let Some(first) = self.rest().chars().next() {
            let start = self.at;
            if is_space(first) {
                self.at += first.len_utf8();
            } else if self.rest().starts_with("//") || (first == '#' && self.begins_line()) {
                // Lines with `#` are directives to query tools, such as `#connect`.
                self.skip_while(|c| !matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}'));
            } else if let Some(prefix) = self.string_prefix() {
                self.string(prefix);
                self.push(Kind::String, start);
            } else if first.is_ascii_digit() {
                let kind = self.number();
                self.push(kind, start);
            } else if is_word_start(first) {
                self.at += first.len_utf8();
                self.skip_while(is_word_part);
                self.word(start);
            } else if first == '!' && self.rest()[1..].chars().next().is_some_and(is_word_start) {
                self.at += 1;
                self.skip_while(is_word_part);
                if self.byte(0) == b'~' {
                    self.at += 1;
                }
                self.push(Kind::BangWord, start);
            } else {
                self.punctuation(first);
            }
        }
        self.push(Kind::End, self.at);
    }

    fn word(&mut self, start: usize) {
        let word = &self.text[start..self.at];
        if TYPED.contains(&word) {
            let spaces = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
            if self.byte(spaces) == b'(' {
                self.at += spaces + 1;
                self.typed(start);
                self.push(Kind::Typed, start);
                return;
            }
        } else if word == "in" && self.byte(0) == b'~' {
            self.at += 1;
        }
        self.push(Kind::Word, start);
    }

    /// The rest of a typed literal after its opening parenthesis. A quoted text in it may have a parenthesis.
    fn typed(&mut self, start: usize) {
        self.skip_while(|c| c == ' ' || c == '\t');
        let quote = self.byte(0);
        let quoted = if quote == b'"' || quote == b'\'' {
            let line = self.rest().split('\n').next().unwrap_or("");
            line[1..].find(quote as char).map_or(0, |closing| closing + 2)
        } else {
            0
        };
        match self.rest()[quoted..].find([')', ';']) {
            Some(end) if self.byte(quoted + end) == b')' => self.at += quoted + end + 1,
            _ => {
                let name = self.text[start..].split('(').next().unwrap_or("").trim_end().to_owned();
                self.skip_while(|c| !matches!(c, '\n' | ';' | '|'));
                self.error(start, self.at, format!("the literal `{name}(` is not closed"), Some("add `)`"));
            }
        }
    }

    fn number(&mut self) -> Kind {
        let start = self.at;
        if self.byte(0) == b'0' && matches!(self.byte(1), b'x' | b'X') && self.byte(2).is_ascii_hexdigit() {
            self.at += 2;
            self.skip_while(|c| c.is_ascii_hexdigit());
            if self.rest().chars().next().is_some_and(is_word_part) {
                self.skip_while(is_word_part);
                return Kind::Word;
            }
            return Kind::Long;
        }
        self.skip_while(|c| c.is_ascii_digit());
        let whole_end = self.at;
        let mut kind = Kind::Long;
        if self.byte(0) == b'.' && self.byte(1) != b'.' && !is_word_start(self.byte(1) as char) {
            kind = Kind::Real;
            self.at += 1;
            self.skip_while(|c| c.is_ascii_digit());
        }
        let suffix_start = self.at;
        self.skip_while(is_word_part);
        let suffix = &self.text[suffix_start..self.at];
        if suffix.is_empty() {
            return kind;
        }
        if timespan_unit(suffix).is_some() {
            return Kind::Timespan;
        }
        if let Some(digits) = suffix.strip_prefix(['e', 'E']) {
            if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
                return Kind::Real;
            }
            if digits.is_empty() && matches!(self.byte(0), b'+' | b'-') && self.byte(1).is_ascii_digit() {
                self.at += 1;
                self.skip_while(|c| c.is_ascii_digit());
                return Kind::Real;
            }
        }
        if kind == Kind::Real {
            self.at = suffix_start;
            return kind;
        }
        debug_assert!(whole_end > start);
        Kind::Word
    }

    /// The length of what stands before the text of a string literal at this place, quote included.
    fn string_prefix(&self) -> Option<usize> {
        let hidden = usize::from(matches!(self.byte(0), b'h' | b'H'));
        let verbatim = usize::from(self.byte(hidden) == b'@');
        let quote = self.byte(hidden + verbatim);
        let rest = self.text.get(self.at + hidden..)?;
        match quote {
            b'"' | b'\'' => Some(hidden + verbatim + 1),
            b'`' | b'~' if rest.starts_with("```") || rest.starts_with("~~~") => Some(hidden + 3),
            _ => None,
        }
    }

    /// Moves behind the string literal. What it means is read by the parser.
    fn string(&mut self, prefix: usize) {
        let start = self.at;
        let verbatim = self.text[start..start + prefix].contains('@');
        self.at += prefix;
        let quote = self.text.as_bytes()[self.at - 1];
        if matches!(quote, b'`' | b'~') {
            let fence = if quote == b'`' { "```" } else { "~~~" };
            match self.rest().find(fence) {
                Some(end) => self.at += end + 3,
                None => {
                    self.at = self.text.len();
                    self.error(
                        start,
                        start + prefix,
                        "the string is not closed".to_owned(),
                        Some("end it with the same three characters"),
                    );
                }
            }
            return;
        }
        loop {
            match self.byte(0) {
                b'\\' if !verbatim && !matches!(self.byte(1), b'\r' | b'\n') && self.at + 1 < self.text.len() => {
                    self.escape();
                }
                byte if byte == quote && verbatim && self.byte(1) == quote => self.at += 2,
                byte if byte == quote => {
                    self.at += 1;
                    return;
                }
                b'\r' | b'\n' => break,
                _ if self.at >= self.text.len() => break,
                _ => self.at += 1,
            }
        }
        let help = format!(
            "add the closing {} before the end of the line; a text of several lines stands between ```",
            quote as char
        );
        self.error(start, self.at, "the string is not closed".to_owned(), Some(&help));
    }

    fn escape(&mut self) {
        let width = self.rest()[1..].chars().next().map_or(0, char::len_utf8);
        let escaped = self.byte(1);
        if !matches!(
            escaped,
            b'\'' | b'"' | b'\\' | b'/' | b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'u' | b'U' | b'x' | b'v' | b'0'
                ..=b'7'
        ) {
            let sequence = self.rest()[..1 + width].to_owned();
            let help = "write `\\\\` for a backslash, or put `@` before the quote";
            self.error(self.at, self.at + 1 + width, format!("`{sequence}` is not an escape sequence"), Some(help));
        }
        self.at += 1 + width;
    }

    fn punctuation(&mut self, first: char) {
        let start = self.at;
        let (kind, width) = match (first, self.byte(1)) {
            ('=', b'=') => (Kind::EqualEqual, 2),
            ('=', b'~') => (Kind::EqualTilde, 2),
            ('=', b'>') => (Kind::Arrow, 2),
            ('=', _) => (Kind::Assign, 1),
            ('!', b'=') => (Kind::NotEqual, 2),
            ('!', b'~') => (Kind::NotTilde, 2),
            ('<', b'=') => (Kind::LessEqual, 2),
            ('<', b'>') => (Kind::NotEqual, 2),
            ('<', _) => (Kind::Less, 1),
            ('>', b'=') => (Kind::GreaterEqual, 2),
            ('>', _) => (Kind::Greater, 1),
            ('.', b'.') => (Kind::DotDot, 2),
            ('.', _) => (Kind::Dot, 1),
            ('|', _) => (Kind::Pipe, 1),
            (';', _) => (Kind::Semicolon, 1),
            (',', _) => (Kind::Comma, 1),
            (':', _) => (Kind::Colon, 1),
            ('(', _) => (Kind::OpenParen, 1),
            (')', _) => (Kind::CloseParen, 1),
            ('[', _) => (Kind::OpenBracket, 1),
            (']', _) => (Kind::CloseBracket, 1),
            ('{', _) => (Kind::OpenBrace, 1),
            ('}', _) => (Kind::CloseBrace, 1),
            ('+', _) => (Kind::Plus, 1),
            ('-', _) => (Kind::Minus, 1),
            ('*', _) => (Kind::Star, 1),
            ('/', _) => (Kind::Slash, 1),
            ('%', _) => (Kind::Percent, 1),
            _ => (Kind::Unknown, first.len_utf8()),
        };
        self.at += width;
        if kind == Kind::Unknown {
            let help = match first {
                '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => Some("use the straight quotes `\"` or `'`"),
                '\u{2013}' | '\u{2014}' => Some("use `-`"),
                '&' => Some("did you mean `and`?"),
                '!' => Some("did you mean `not(…)`?"),
                _ => None,
            };
            self.error(start, self.at, format!("the character `{first}` has no meaning here"), help);
        }
        self.push(kind, start);
    }
}
