//! `geo_line_lookup` and `geo_polygon_lookup`: rows joined with the lines or polygons that are at their place.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

use super::expr::Compiled;
use super::lookup::joined;
use super::{Room, Work, column, is_true};

/// Rows that are compared with a shape at a time.
const BATCH: usize = 8192;

/// The plugin. First input: the rows, with their place. Second: the table with a shape a row.
#[derive(Debug)]
pub struct ShapeLookup {
    pub longitude: String,
    pub latitude: String,
    pub shape: String,
    /// Of longitude, latitude and shape: whether they match.
    pub matches: Compiled,
    pub return_unmatched: bool,
    pub input_columns: Vec<String>,
    /// With whether it is a string, which has no null.
    pub table_columns: Vec<(String, bool)>,
}

impl Work for ShapeLookup {
    fn name(&self) -> &'static str {
        "geo_lookup"
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let (rows, table) = (&inputs[0], &inputs[1]);
        let places = [column(rows, &self.longitude)?, column(rows, &self.latitude)?];
        let shapes = column(table, &self.shape)?;
        let mut pairs: Vec<(u32, Option<u32>)> = Vec::new();
        let mut matched = vec![false; rows.num_rows()];
        // a shape against all rows, so that it is read once
        for shape in 0..table.num_rows() {
            let value = ScalarValue::try_from_array(shapes, shape)?;
            for start in (0..rows.num_rows()).step_by(BATCH) {
                room.check()?;
                let count = BATCH.min(rows.num_rows() - start);
                let mut arrays: Vec<ArrayRef> = places.iter().map(|array| array.slice(start, count)).collect();
                arrays.push(value.to_array_of_size(count)?);
                let flags = self.matches.values(arrays, count)?;
                let before = pairs.len();
                for row in (0..count).filter(|row| is_true(&flags, *row)) {
                    pairs.push(((start + row) as u32, Some(shape as u32)));
                    matched[start + row] = true;
                }
                room.grow((pairs.len() - before) * size_of::<(u32, Option<u32>)>())?;
            }
        }
        if self.return_unmatched {
            pairs.extend((0..rows.num_rows()).filter(|row| !matched[*row]).map(|row| (row as u32, None)));
        }
        pairs.sort_by_key(|(row, _)| *row);
        let left = UInt32Array::from_iter_values(pairs.iter().map(|(row, _)| *row));
        let right: UInt32Array = pairs.iter().map(|(_, shape)| *shape).collect();
        joined((rows, &self.input_columns, &left), (table, &self.table_columns, &right))
    }
}
