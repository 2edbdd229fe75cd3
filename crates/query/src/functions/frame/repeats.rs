//! Columns of texts that repeat: a function of one such column is computed once for each text, not for each row.

use arrow::array::{Array, StringViewArray, UInt32Array};

/// Fewer rows are not worth the look.
const LEAST_ROWS: usize = 64;
/// More different texts than this, and the column does not count as repeating.
const MOST_TEXTS: usize = 1024;
/// Slots of the table; a power of two well above [`MOST_TEXTS`], so that chains stay short.
const SLOTS: usize = 4096;
/// After so many rows, at least half of them must have been repeats.
const PROBATION: usize = 2048;
const EMPTY: u32 = u32::MAX;

/// The different texts of a column and where each row has its own.
pub struct Repeats {
    /// A row of each text.
    pub first: Vec<u32>,
    /// For each row, the place of its text in `first`.
    pub which: UInt32Array,
}

/// None where the rows are mostly different, or few.
///
/// Texts are told apart by their views. Equal texts may have different views, which costs time and nothing else; rows
/// that were read from a dictionary of a file have the same.
pub fn repeats(column: &StringViewArray) -> Option<Repeats> {
    let rows = column.len();
    if rows < LEAST_ROWS || column.null_count() > 0 {
        return None;
    }
    let views = column.views();
    let mut slots = [EMPTY; SLOTS];
    let mut first: Vec<u32> = Vec::with_capacity(MOST_TEXTS);
    let mut which = Vec::with_capacity(rows);
    for (row, view) in views.iter().enumerate() {
        if row == PROBATION && first.len() > PROBATION / 2 {
            return None;
        }
        let mut slot = hash(*view);
        let text = loop {
            match slots[slot] {
                EMPTY => {
                    if first.len() == MOST_TEXTS {
                        return None;
                    }
                    let text = u32::try_from(first.len()).unwrap_or(EMPTY);
                    slots[slot] = text;
                    first.push(u32::try_from(row).ok()?);
                    break text;
                }
                text if views[first[text as usize] as usize] == *view => break text,
                _ => slot = (slot + 1) % SLOTS,
            }
        };
        which.push(text);
    }
    (first.len() * 2 <= rows).then(|| Repeats { first, which: UInt32Array::from(which) })
}

fn hash(view: u128) -> usize {
    let folded = (view as u64) ^ ((view >> 64) as u64).rotate_left(29);
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_led_to_a_row_of_the_same_text() {
        let texts: Vec<String> = (0..5000).map(|n| format!("{}{}", "x".repeat(n % 7 * 4), n % 40)).collect();
        let column = StringViewArray::from_iter_values(&texts);
        // every text is written anew, so that only short ones, which stand in the view itself, are the same
        let shared = arrow::compute::take(&column, &UInt32Array::from_iter_values((0..5000).map(|n| n % 100)), None);
        let shared = shared.unwrap();
        let shared: &StringViewArray = arrow::array::AsArray::as_string_view(&shared);
        let found = repeats(shared).unwrap();
        assert!(found.first.len() <= 100);
        for row in 0..5000 {
            let first = found.first[found.which.value(row) as usize] as usize;
            assert_eq!(shared.value(first), shared.value(row));
        }
    }

    #[test]
    fn different_texts_few_rows_and_nulls_are_left_alone() {
        let different = StringViewArray::from_iter_values((0..1000).map(|n| format!("{n}")));
        assert!(repeats(&different).is_none());
        let few = StringViewArray::from_iter_values(vec!["a"; LEAST_ROWS - 1]);
        assert!(repeats(&few).is_none());
        let nulls = StringViewArray::from_iter((0..100).map(|n| (n > 0).then_some("a")));
        assert!(repeats(&nulls).is_none());
        let late = (0..PROBATION + MOST_TEXTS + 1).map(|n| n.saturating_sub(PROBATION).to_string());
        assert!(repeats(&StringViewArray::from_iter_values(late)).is_none());
    }
}
