//! Plugins over ordered or windowed rows: `rows_near`, `rolling_percentile`, `sliding_window_counts`, `narrow`,
//! `schema_merge`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringViewArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;

use super::{Room, Work, column, from_scalars, is_true, key_of};

/// The values of the dimensions.
type Key = Vec<ScalarValue>;

/// Rows near those that meet a condition.
#[derive(Debug)]
pub struct RowsNear {
    pub condition: String,
    pub before: usize,
    pub after: usize,
    pub columns: Vec<String>,
}

impl Work for RowsNear {
    fn name(&self) -> &'static str {
        "rows_near"
    }

    fn run(&self, inputs: &[RecordBatch], _room: &Room) -> Result<Vec<ArrayRef>> {
        let input = &inputs[0];
        let condition = column(input, &self.condition)?;
        let mut kept = Vec::new();
        let mut next = 0;
        for row in (0..input.num_rows()).filter(|row| is_true(condition, *row)) {
            let from = row.saturating_sub(self.before).max(next);
            let to = row.saturating_add(self.after).saturating_add(1).min(input.num_rows());
            kept.extend((from..to).map(|row| row as u32));
            next = next.max(to);
        }
        let kept = UInt32Array::from(kept);
        self.columns.iter().map(|name| Ok(take(column(input, name)?, &kept, None)?)).collect()
    }
}

/// The percentile of a value over windows of bins.
#[derive(Debug)]
pub struct RollingPercentile {
    pub value: String,
    pub percentile: f64,
    pub index: String,
    /// In the index's own unit.
    pub bin: f64,
    pub bins: usize,
    pub dimensions: Vec<String>,
    pub result: DataType,
}

impl Work for RollingPercentile {
    fn name(&self) -> &'static str {
        "rolling_percentile"
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let input = &inputs[0];
        if self.bin.is_nan() || self.bin <= 0.0 || self.bins == 0 {
            return exec_err!("rolling_percentile needs a positive bin and at least one bin in its window");
        }
        let dimensions = self.dimensions.iter().map(|name| column(input, name).cloned()).collect::<Result<Vec<_>>>()?;
        let index = column(input, &self.index)?;
        let numbers = cast(index, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let exact = (index.data_type() != &DataType::Float64).then(|| cast(index, &DataType::Int64)).transpose()?;
        let values = column(input, &self.value)?;
        let mut groups: BTreeMap<usize, (Key, BTreeMap<i64, Vec<ScalarValue>>)> = BTreeMap::new();
        let mut known: HashMap<Vec<ScalarValue>, usize> = HashMap::new();
        for row in 0..input.num_rows() {
            if row % 1024 == 0 {
                room.check()?;
                room.grow(1024 * 64)?;
            }
            let bin = match &exact {
                Some(exact) => exact.as_primitive::<Int64Type>().value(row).div_euclid(self.bin as i64),
                None => (numbers.value(row) / self.bin).floor() as i64,
            };
            let value = ScalarValue::try_from_array(values, row)?;
            let key = key_of(&dimensions, row)?;
            let next = known.len();
            let group = *known.entry(key.clone()).or_insert(next);
            let bins = &mut groups.entry(group).or_insert_with(|| (key, BTreeMap::new())).1;
            let bin = bins.entry(bin).or_default();
            if !value.is_null() {
                bin.push(value);
            }
        }
        let mut starts = Vec::new();
        let mut keys: Vec<Vec<ScalarValue>> = vec![Vec::new(); self.dimensions.len()];
        let mut results = Vec::new();
        for (key, bins) in groups.into_values() {
            for bin in bins.keys() {
                room.check()?;
                let from = bin.saturating_sub(self.bins as i64 - 1);
                let mut window: Vec<&ScalarValue> = bins.range(from..=*bin).flat_map(|(_, values)| values).collect();
                window.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
                let rank = (self.percentile / 100.0 * window.len() as f64).ceil().max(1.0) as usize;
                let found = match window.get(rank.min(window.len()).saturating_sub(1)) {
                    Some(value) => value.cast_to(&self.result)?,
                    None => ScalarValue::try_from(&self.result)?,
                };
                results.push(found);
                starts.push(match index.data_type() {
                    DataType::Float64 => ScalarValue::Float64(Some(*bin as f64 * self.bin)),
                    ty => ScalarValue::Int64(Some(bin.saturating_mul(self.bin as i64))).cast_to(ty)?,
                });
                keys.iter_mut().zip(&key).for_each(|(column, value)| column.push(value.clone()));
            }
        }
        let mut arrays = vec![from_scalars(starts, index.data_type())?];
        for (values, array) in keys.into_iter().zip(&dimensions) {
            arrays.push(from_scalars(values, array.data_type())?);
        }
        arrays.push(from_scalars(results, &self.result)?);
        Ok(arrays)
    }
}

/// Counts of values and of distinct values in a window that slides over time.
#[derive(Debug)]
pub struct SlidingWindowCounts {
    pub id: String,
    pub timeline: String,
    pub from: i64,
    pub to: i64,
    pub lookback: i64,
    pub bin: i64,
    pub dimensions: Vec<String>,
}

/// Bins that a sliding window may have.
const MAX_BINS: i64 = 100_000;

impl Work for SlidingWindowCounts {
    fn name(&self) -> &'static str {
        "sliding_window_counts"
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let input = &inputs[0];
        if self.bin <= 0 || self.lookback < self.bin || (self.to - self.from) / self.bin > MAX_BINS {
            return exec_err!(
                "sliding_window_counts needs a positive bin, a lookback of at least one bin and at most {MAX_BINS} bins"
            );
        }
        let dimensions = self.dimensions.iter().map(|name| column(input, name).cloned()).collect::<Result<Vec<_>>>()?;
        let timeline = column(input, &self.timeline)?;
        let times = cast(timeline, &DataType::Int64)?;
        let times = times.as_primitive::<Int64Type>();
        let ids = column(input, &self.id)?;
        let mut groups: Vec<(Key, Vec<(i64, ScalarValue)>)> = Vec::new();
        let mut known: HashMap<Vec<ScalarValue>, usize> = HashMap::new();
        for row in (0..input.num_rows()).filter(|row| arrow::array::Array::is_valid(times, *row)) {
            let key = key_of(&dimensions, row)?;
            let next = groups.len();
            let group = *known.entry(key.clone()).or_insert(next);
            if group == next {
                groups.push((key, Vec::new()));
            }
            groups[group].1.push((times.value(row), ScalarValue::try_from_array(ids, row)?));
        }
        room.grow(input.num_rows() * 64)?;
        let (mut starts, mut counts, mut distinct) = (Vec::new(), Vec::new(), Vec::new());
        let mut keys: Vec<Vec<ScalarValue>> = vec![Vec::new(); self.dimensions.len()];
        for (key, mut events) in groups {
            events.sort_by_key(|(time, _)| *time);
            let mut bin = self.from;
            while bin <= self.to {
                room.check()?;
                let end = bin.saturating_add(self.bin);
                let first = events.partition_point(|(time, _)| *time < end.saturating_sub(self.lookback));
                let last = events.partition_point(|(time, _)| *time < end);
                let window = &events[first..last];
                if !window.is_empty() {
                    let ids: HashSet<&ScalarValue> = window.iter().map(|(_, id)| id).collect();
                    starts.push(ScalarValue::Int64(Some(bin)).cast_to(timeline.data_type())?);
                    counts.push(window.len() as i64);
                    distinct.push(ids.len() as i64);
                    keys.iter_mut().zip(&key).for_each(|(column, value)| column.push(value.clone()));
                }
                bin = end;
            }
        }
        let mut arrays = vec![from_scalars(starts, timeline.data_type())?];
        for (values, array) in keys.into_iter().zip(&dimensions) {
            arrays.push(from_scalars(values, array.data_type())?);
        }
        arrays.push(Arc::new(Int64Array::from(counts)));
        arrays.push(Arc::new(Int64Array::from(distinct)));
        Ok(arrays)
    }
}

/// Each cell of the input as a row of its own. The input's columns are texts already.
#[derive(Debug)]
pub struct Narrow {
    /// Name of the column, and of the input column with its text.
    pub columns: Vec<(String, String)>,
}

impl Work for Narrow {
    fn name(&self) -> &'static str {
        "narrow"
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let rows = inputs[0].num_rows();
        let texts = self
            .columns
            .iter()
            .map(|(name, text)| Ok((name, column(&inputs[0], text)?.as_string_view())))
            .collect::<Result<Vec<_>>>()?;
        room.grow(rows * texts.len() * 48)?;
        let all = || (0..rows).flat_map(|row| texts.iter().map(move |(name, values)| (row, *name, values.value(row))));
        Ok(vec![
            Arc::new(Int64Array::from_iter_values(all().map(|(row, _, _)| row as i64))),
            Arc::new(StringViewArray::from_iter_values(all().map(|(_, name, _)| name))),
            Arc::new(StringViewArray::from_iter_values(all().map(|(_, _, value)| value))),
        ])
    }
}

/// Several results of `getschema` as one.
#[derive(Debug)]
pub struct SchemaMerge {
    pub preserve_order: bool,
}

impl Work for SchemaMerge {
    fn name(&self) -> &'static str {
        "schema_merge"
    }

    fn run(&self, inputs: &[RecordBatch], _room: &Room) -> Result<Vec<ArrayRef>> {
        let input = &inputs[0];
        let texts = |name: &str| -> Result<_> { Ok(column(input, name)?.as_string_view()) };
        let (names, types, kinds) = (texts("ColumnName")?, texts("DataType")?, texts("ColumnType")?);
        let ordinals = cast(column(input, "ColumnOrdinal")?, &DataType::Int64)?;
        let ordinals = ordinals.as_primitive::<Int64Type>();
        let mut merged: Vec<(&str, i64, String, String)> = Vec::new();
        let mut found: HashMap<&str, usize> = HashMap::new();
        for row in 0..input.num_rows() {
            let name = names.value(row);
            let Some(known) = found.get(name).map(|at| &mut merged[*at]) else {
                found.insert(name, merged.len());
                let ordinal = if self.preserve_order { ordinals.value(row) } else { merged.len() as i64 };
                merged.push((name, ordinal, types.value(row).to_string(), kinds.value(row).to_string()));
                continue;
            };
            let problem = if known.1 < 0 {
                None
            } else if known.3 != kinds.value(row) {
                Some("columns have different types")
            } else if self.preserve_order && known.1 != ordinals.value(row) {
                Some("columns are out of order")
            } else {
                None
            };
            if let Some(problem) = problem {
                known.1 = -1;
                known.2 = format!("ERROR(unknown CSL type:ERROR({problem}))");
                known.3 = format!("ERROR({problem})");
            }
        }
        merged.sort_by_key(|(_, ordinal, _, _)| if *ordinal < 0 { i64::MAX } else { *ordinal });
        let ordinal = Int64Array::from_iter_values(merged.iter().map(|(_, ordinal, _, _)| *ordinal));
        Ok(vec![
            Arc::new(StringViewArray::from_iter_values(merged.iter().map(|(name, _, _, _)| name))),
            Arc::new(ordinal),
            Arc::new(StringViewArray::from_iter_values(merged.iter().map(|(_, _, ty, _)| ty))),
            Arc::new(StringViewArray::from_iter_values(merged.iter().map(|(_, _, _, kind)| kind))),
        ])
    }
}
