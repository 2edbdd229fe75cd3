//! Typed tree to DataFusion plans; the function library over Arrow; running a query; result shapes.
//!
#![doc = include_str!("../README.md")]
// the quick start of the page is a whole program, as people copy it
#![allow(clippy::needless_doctest_main)]

pub mod engine;
pub mod error;
pub mod functions;
pub mod local;
pub mod plan;
mod rows;
pub mod runtime;
pub mod scan;
pub mod shape;
pub mod tables;
mod walk;
mod whole;

/// The Arrow whose record batches go in and out.
pub use arrow;
pub use engine::{
    Engine, EngineOptions, PartialFailure, Request, Response, ResultTable, Statistics, TablesCatalog, TimeRange,
};
pub use error::QueryError;
pub use local::{Local, LocalTables};
pub use scan::{FileTables, MemoryTable, StoreTables};
pub use tables::Tables;
