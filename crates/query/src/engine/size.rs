//! What rows weigh. Batches are often slices of one large array, so that the memory of all their buffers says much too
//! much: an answer is measured by its own rows, memory by each buffer once.

use std::collections::HashSet;

use arrow::array::{Array, ArrayData, AsArray};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

/// Bytes of the rows of a batch, whatever else is in the buffers that they are in.
pub(crate) fn row_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| array_bytes(column.as_ref())).sum()
}

fn array_bytes(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::Utf8View => {
            let texts = array.as_string_view();
            size_of_val(texts.views().as_ref()) + texts.total_buffer_bytes_used()
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let offsets = lists.value_offsets();
            let (first, last) = (offsets[0] as usize, offsets[lists.len()] as usize);
            size_of_val(offsets) + array_bytes(lists.values().slice(first, last - first).as_ref())
        }
        _ => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size()),
    }
}

/// The memory that batches hold together.
#[derive(Debug, Default)]
pub(crate) struct Held {
    buffers: HashSet<usize>,
}

impl Held {
    /// Bytes that a batch adds to what is held: of its buffers, those that no batch before it had.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> usize {
        batch.columns().iter().map(|column| self.add_array(column.as_ref())).sum()
    }

    /// Bytes that an array adds to what is held.
    pub(crate) fn add_array(&mut self, array: &dyn Array) -> usize {
        self.add_data(&array.to_data())
    }

    fn add_data(&mut self, data: &ArrayData) -> usize {
        let nulls = data.nulls().map(|nulls| nulls.inner().inner());
        let mut bytes = 0;
        for buffer in data.buffers().iter().chain(nulls) {
            if self.buffers.insert(buffer.data_ptr().as_ptr() as usize) {
                bytes += buffer.capacity();
            }
        }
        bytes + data.child_data().iter().map(|child| self.add_data(child)).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, ListArray, StringViewArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn rows(count: usize) -> RecordBatch {
        let texts: StringViewArray =
            (0..count).map(|n| Some(format!("a text that is not held inline {n:08}"))).collect();
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>((0..count).map(|n| Some([Some(n as i64), None])));
        let numbers = Int64Array::from_iter_values(0..count as i64);
        let columns: [(&str, ArrayRef); 3] =
            [("text", Arc::new(texts)), ("list", Arc::new(lists)), ("number", Arc::new(numbers))];
        RecordBatch::try_from_iter(columns).expect("columns of one length")
    }

    #[test]
    fn slices_weigh_what_their_rows_do() {
        let whole = rows(10_000);
        let slices: Vec<RecordBatch> = (0..10).map(|at| whole.slice(at * 1000, 1000)).collect();
        let sum: usize = slices.iter().map(row_bytes).sum();
        let all = row_bytes(&whole);
        assert!(sum.abs_diff(all) < all / 20, "{sum} in slices, {all} at once");
        // 39 bytes of text and its view, two numbers of a list with an offset, a number
        assert!((80..120).contains(&(all / 10_000)), "{all}");
        assert!(slices.iter().map(RecordBatch::get_array_memory_size).sum::<usize>() > 5 * all);
    }

    #[test]
    fn memory_that_batches_share_is_held_once() {
        let whole = rows(10_000);
        let mut held = Held::default();
        let first = held.add(&whole.slice(0, 1));
        assert!(first >= row_bytes(&whole), "a slice of one row keeps all of {first} bytes");
        assert_eq!(held.add(&whole.slice(5000, 1000)), 0);
        assert_eq!(held.add(&rows(10_000)), first);
    }
}
