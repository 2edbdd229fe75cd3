//! Scanning tables: the stored form becomes the runtime form here and nowhere else, and conditions on constants are
//! handed below that conversion, so that files and row groups are left out by what is stored about them.

mod files;
mod form;
mod json_lines;
pub mod memory;
mod prune;
mod store;

pub use files::FileTables;
pub use memory::MemoryTable;
pub use store::StoreTables;
