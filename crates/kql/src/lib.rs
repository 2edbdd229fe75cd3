//! The query language: lexer, parser, types and name resolution to a typed tree.
//! No I/O, no Arrow, no runtime, no clock.

pub mod diagnostics;
pub mod graph;
pub mod typed;
pub mod types;

pub use diagnostics::{Code, Diagnostic, Span};
pub use types::{Column, Literal, Schema, Ticks, Type};
