//! What every function stands on: values and columns of the runtime form, JSON text, and the adapters that make a
//! function of the language callable by DataFusion.

pub mod adapter;
pub mod call;
pub mod json;
pub mod repeats;
pub mod value;
pub mod walk;

pub use call::{Body, Call, Function, Nulls, Returns};
pub use value::{Builder, Column, Value, arrow_type};
