//! Scanning tables: the stored form becomes the runtime form here and nowhere else, and conditions on constants are
//! handed below that conversion, so that files and row groups are left out by what is stored about them.

mod batches;
mod files;
mod form;
mod json_lines;
pub mod memory;
mod prune;
mod recent;
mod store;

pub(crate) use batches::BatchesTable;
pub use files::FileTables;
pub use form::{convert as runtime_form, type_of as field_type};
pub use json_lines::{Line as JsonLine, common as common_type, type_of as json_type};
pub use memory::MemoryTable;
pub use store::StoreTables;
