//! Operators that need all rows of their inputs at once and in order: `scan`, `reduce`, plugins, graphs. Each is a
//! [`Work`]; [`node`] makes it part of a plan, so that it runs within bodies (`partition`, `mv-apply`), counts its
//! memory, and stops when the query does.

pub mod activity;
pub mod expr;
pub mod graph;
pub mod lookup;
pub mod node;
pub mod plugins;
pub mod reduce;
pub mod scan;
pub mod segments;
pub mod sequences;
pub mod shapes;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use parking_lot::Mutex;

/// One computation over whole inputs.
pub trait Work: Debug + Send + Sync {
    /// The operator, for messages and plans.
    fn name(&self) -> &'static str;
    /// The output columns for inputs with all their rows. Inside a body the first input holds one group's rows.
    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>>;
}

/// What a work may still use: asked now and then by every loop that can be long.
#[derive(Debug)]
pub struct Room {
    stop: Arc<AtomicBool>,
    memory: Mutex<MemoryReservation>,
}

impl Room {
    pub fn new(stop: Arc<AtomicBool>, memory: MemoryReservation) -> Room {
        Room { stop, memory: Mutex::new(memory) }
    }

    /// An error once nobody waits for the result any more.
    pub fn check(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { exec_err!("the query was stopped") } else { Ok(()) }
    }

    /// Counts memory that the work keeps; an error where the query may have no more.
    pub fn grow(&self, bytes: usize) -> Result<()> {
        self.memory.lock().try_grow(bytes)
    }
}

/// A column of an input by name.
pub fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    match batch.column_by_name(name) {
        Some(array) => Ok(array),
        None => exec_err!("a step of the query has no column {name}"),
    }
}

/// The values of some columns in one row, as a key.
pub fn key_of(arrays: &[ArrayRef], row: usize) -> Result<Vec<ScalarValue>> {
    arrays.iter().map(|array| ScalarValue::try_from_array(array, row)).collect()
}

/// A column of constants, one for each row of the output.
pub fn from_scalars(values: Vec<ScalarValue>, ty: &DataType) -> Result<ArrayRef> {
    if values.is_empty() { Ok(arrow::array::new_empty_array(ty)) } else { ScalarValue::iter_to_array(values) }
}

/// Whether a condition's column is true in a row.
pub fn is_true(array: &ArrayRef, row: usize) -> bool {
    use arrow::array::Array;
    array.as_boolean_opt().is_some_and(|flags| flags.is_valid(row) && flags.value(row))
}
