//! From one type to another: printing, reading, the `to*` functions.

pub mod print;
pub mod read;
mod to;

pub use to::{FUNCTIONS, to};
