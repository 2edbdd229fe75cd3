//! The query language: lexer, parser, types and name resolution to a typed tree.
//! No I/O, no Arrow, no runtime, no clock.
//!
#![doc = include_str!("../README.md")]
// the quick start of the page is a whole program, as people copy it
#![allow(clippy::needless_doctest_main)]

mod analyze;
mod deprecated;
pub mod diagnostics;
pub mod editor;
pub mod functions;
pub mod graph;
mod lexer;
pub mod parser;
pub mod syntax;
pub mod typed;
pub mod types;

pub use analyze::{Analysis, Catalog, Options, StoredFunction, analyze};
pub use deprecated::{Deprecated, deprecated};
pub use diagnostics::{Code, Diagnostic, Span};
pub use parser::parse;
pub use types::{Column, Literal, Schema, Ticks, Type};

/// A query text as a tree, with what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub query: syntax::Query,
    pub diagnostics: Vec<Diagnostic>,
}
