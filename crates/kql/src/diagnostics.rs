//! Messages about a query text, each with the place that it speaks of.

use std::fmt;

/// A half-open range of bytes of the query text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// Which kind of mistake a diagnostic reports; the query APIs map it to their error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The text does not parse.
    Syntax,
    /// A table, column, function, plugin or parameter that does not exist.
    UnknownName,
    /// A type that does not fit, a wrong number of arguments, an expression where another kind is needed.
    Semantic,
    /// Part of the language that this version does not run.
    Unsupported,
}

/// One message. `span` is where to underline; `help` says what to do ("did you mean …").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub span: Span,
    pub message: String,
    pub help: Option<String>,
}

impl Diagnostic {
    /// One-based line and one-based column (in characters) of the start of the span in `text`.
    pub fn line_column(&self, text: &str) -> (usize, usize) {
        let upto = (self.span.start as usize).min(text.len());
        let before = text.get(..upto).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}
