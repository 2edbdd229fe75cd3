//! `autocluster`, `basket` and `diffpatterns`: values of several columns that many rows share.
//!
//! Rows that agree in all values that are frequent enough count as one with their weights together, so that what is
//! searched is as large as the differences between rows and not as their number. A pattern is closed: it names every
//! value that all of its rows have in common, so that of two patterns with the same rows only the longer is given.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::interleave;
use arrow::datatypes::Float64Type;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::error::Result;

use super::{Room, Work, column};

/// A value that is no item: null, empty, or too rare.
const NO_ITEM: u32 = u32::MAX;
/// Of the rows of a cluster that clusters before it may have, the largest part.
const MOST_SHARED: f64 = 0.5;

/// One of the plugins.
#[derive(Debug)]
pub struct Segments {
    pub search: SegmentSearch,
    /// The columns that patterns are about, each with what stands for any value.
    pub dimensions: Vec<(String, ScalarValue)>,
    /// Columns of the output that are no dimensions, with their constant value: places among the dimensions.
    pub constant: Vec<(usize, ScalarValue)>,
    pub weight: Option<String>,
}

#[derive(Debug)]
pub enum SegmentSearch {
    /// Balance between many rows (1) and many values (0); how many starting points.
    Autocluster { size_weight: f64, seeds: usize },
    /// The least part of the rows; the largest number of values that do not follow from others.
    Basket { threshold: f64, most: usize },
    /// The column with the text that parts the rows, and its two values; the least difference.
    Differences { split: String, sides: [String; 2], threshold: f64, most: usize },
}

impl Work for Segments {
    fn name(&self) -> &'static str {
        match self.search {
            SegmentSearch::Autocluster { .. } => "autocluster",
            SegmentSearch::Basket { .. } => "basket",
            SegmentSearch::Differences { .. } => "diffpatterns",
        }
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let input = &inputs[0];
        let weights = self.weights(input)?;
        let items = Items::new(input, &self.dimensions, &weights, self.least(), room)?;
        let mut patterns = match &self.search {
            SegmentSearch::Basket { most, .. } => items.closed(self.least(), *most, room)?,
            SegmentSearch::Autocluster { size_weight, seeds } => items.clusters(*size_weight, *seeds, room)?,
            SegmentSearch::Differences { threshold, most, .. } => {
                different(items.closed(self.least(), *most, room)?, &items.totals, *threshold)
            }
        };
        if let SegmentSearch::Basket { .. } = self.search {
            patterns.sort_by(|a, b| b.counts[0].total_cmp(&a.counts[0]).then_with(|| a.items.cmp(&b.items)));
        }
        let mut output = self.figures(&patterns, &items.totals);
        let mut values = Vec::new();
        for (at, (name, any)) in self.dimensions.iter().enumerate() {
            let any = any.to_array_of_size(1)?;
            let places: Vec<(usize, usize)> = patterns
                .iter()
                .map(|pattern| match pattern.items[at] {
                    NO_ITEM => (1, 0),
                    item => (0, items.items[item as usize].row),
                })
                .collect();
            values.push(interleave(&[column(input, name)?.as_ref(), any.as_ref()], &places)?);
        }
        for (at, value) in &self.constant {
            values.insert(*at, value.to_array_of_size(patterns.len())?);
        }
        output.extend(values);
        Ok(output)
    }
}

impl Segments {
    /// For each side the weight of each row.
    fn weights(&self, input: &RecordBatch) -> Result<Vec<Vec<f64>>> {
        let all = match &self.weight {
            None => vec![1.0; input.num_rows()],
            Some(name) => {
                let numbers = column(input, name)?.as_primitive::<Float64Type>();
                numbers.iter().map(|weight| weight.unwrap_or(0.0).max(0.0)).collect()
            }
        };
        let SegmentSearch::Differences { split, sides, .. } = &self.search else { return Ok(vec![all]) };
        let texts = column(input, split)?.as_string_view();
        let of = |side: &String| -> Vec<f64> {
            all.iter().enumerate().map(|(row, weight)| if texts.value(row) == side { *weight } else { 0.0 }).collect()
        };
        Ok(sides.iter().map(of).collect())
    }

    /// The least part of the rows of a side that a value must have to matter.
    fn least(&self) -> f64 {
        match self.search {
            SegmentSearch::Autocluster { .. } => 0.0,
            SegmentSearch::Basket { threshold, .. } | SegmentSearch::Differences { threshold, .. } => threshold,
        }
    }

    fn figures(&self, patterns: &[Pattern], totals: &[f64]) -> Vec<ArrayRef> {
        let percent = |pattern: &Pattern, side: usize| share(pattern.counts[side], totals[side]) * 100.0;
        let numbers: Int64Array = (0..patterns.len() as i64).map(Some).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(numbers)];
        for side in 0..totals.len() {
            let counts: Int64Array = patterns.iter().map(|pattern| Some(pattern.counts[side].round() as i64)).collect();
            columns.push(Arc::new(counts));
        }
        for side in 0..totals.len() {
            let percents: Float64Array = patterns.iter().map(|pattern| Some(percent(pattern, side))).collect();
            columns.push(Arc::new(percents));
        }
        if totals.len() == 2 {
            let differences = patterns.iter().map(|pattern| Some((percent(pattern, 0) - percent(pattern, 1)).abs()));
            columns.push(Arc::new(differences.collect::<Float64Array>()));
        }
        columns
    }
}

/// A value of a dimension.
#[derive(Debug)]
struct Item {
    dimension: usize,
    /// A row that has it.
    row: usize,
    /// The groups of rows that have it.
    groups: Vec<u64>,
}

/// Values by number, and the rows in groups that have the same ones.
#[derive(Debug)]
struct Items {
    items: Vec<Item>,
    /// For each group the value of each dimension.
    groups: Vec<Vec<u32>>,
    /// For each side the weight of each group.
    weights: Vec<Vec<f64>>,
    totals: Vec<f64>,
}

/// For each dimension a value, or any.
#[derive(Debug, Clone, PartialEq)]
struct Pattern {
    items: Vec<u32>,
    counts: Vec<f64>,
}

impl Items {
    fn new(
        input: &RecordBatch,
        dimensions: &[(String, ScalarValue)],
        weights: &[Vec<f64>],
        least: f64,
        room: &Room,
    ) -> Result<Items> {
        let totals: Vec<f64> = weights.iter().map(|side| side.iter().sum()).collect();
        let mut items = Vec::new();
        let mut of_rows: Vec<Vec<u32>> = Vec::new();
        room.grow(input.num_rows() * dimensions.len() * size_of::<u32>() * 2)?;
        for (dimension, (name, _)) in dimensions.iter().enumerate() {
            room.check()?;
            let (codes, firsts) = coded(column(input, name)?)?;
            let mut counts = vec![vec![0.0; weights.len()]; firsts.len()];
            for (row, code) in codes.iter().enumerate().filter(|(_, code)| **code != NO_ITEM) {
                for (side, weights) in weights.iter().enumerate() {
                    counts[*code as usize][side] += weights[row];
                }
            }
            let numbers: Vec<u32> = counts
                .iter()
                .zip(firsts)
                .map(|(counts, row)| {
                    let often =
                        counts.iter().zip(&totals).any(|(count, total)| *count > 0.0 && share(*count, *total) >= least);
                    if !often {
                        return NO_ITEM;
                    }
                    items.push(Item { dimension, row, groups: Vec::new() });
                    items.len() as u32 - 1
                })
                .collect();
            let number = |code: &u32| if *code == NO_ITEM { NO_ITEM } else { numbers[*code as usize] };
            of_rows.push(codes.iter().map(number).collect());
        }
        let mut places: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut groups: Vec<Vec<u32>> = Vec::new();
        let mut summed: Vec<Vec<f64>> = vec![Vec::new(); weights.len()];
        for row in 0..input.num_rows() {
            let values: Vec<u32> = of_rows.iter().map(|column| column[row]).collect();
            let place = *places.entry(values).or_insert_with_key(|values| {
                groups.push(values.clone());
                summed.iter_mut().for_each(|side| side.push(0.0));
                groups.len() - 1
            });
            summed.iter_mut().zip(weights).for_each(|(sums, weights)| sums[place] += weights[row]);
        }
        let words = groups.len().div_ceil(64);
        room.grow((items.len() * words + groups.len() * dimensions.len()) * size_of::<u64>())?;
        items.iter_mut().for_each(|item| item.groups = vec![0; words]);
        for (place, values) in groups.iter().enumerate() {
            for item in values.iter().filter(|item| **item != NO_ITEM) {
                items[*item as usize].groups[place / 64] |= 1 << (place % 64);
            }
        }
        Ok(Items { items, groups, weights: summed, totals })
    }

    fn every_group(&self) -> Vec<u64> {
        let mut all = vec![u64::MAX; self.groups.len().div_ceil(64)];
        if let Some(last) = all.last_mut().filter(|_| !self.groups.len().is_multiple_of(64)) {
            *last = (1 << (self.groups.len() % 64)) - 1;
        }
        all
    }

    fn counts(&self, groups: &[u64]) -> Vec<f64> {
        self.weights.iter().map(|weights| numbers(groups).map(|group| weights[group]).sum()).collect()
    }

    /// What all of the groups have in common.
    fn common(&self, groups: &[u64]) -> Vec<u32> {
        let mut numbers = numbers(groups);
        let Some(first) = numbers.next() else { return Vec::new() };
        let mut common = self.groups[first].clone();
        for group in numbers {
            for (value, other) in common.iter_mut().zip(&self.groups[group]) {
                if *value != *other {
                    *value = NO_ITEM;
                }
            }
        }
        common
    }

    /// All closed patterns of which at least one side has enough: each is found once, from its first values (the
    /// extension that keeps the prefix, of Uno's LCM).
    fn closed(&self, least: f64, most: usize, room: &Room) -> Result<Vec<Pattern>> {
        let mut found = Vec::new();
        let every = self.every_group();
        let start = vec![NO_ITEM; self.groups.first().map_or(0, Vec::len)];
        self.extend(&every, &start, 0, most, least, room, &mut found)?;
        Ok(found)
    }

    #[allow(clippy::too_many_arguments, reason = "the state of one recursion")]
    fn extend(
        &self,
        groups: &[u64],
        pattern: &[u32],
        from: usize,
        left: usize,
        least: f64,
        room: &Room,
        found: &mut Vec<Pattern>,
    ) -> Result<()> {
        if left == 0 {
            return Ok(());
        }
        for number in from..self.items.len() {
            let item = &self.items[number];
            if pattern[item.dimension] != NO_ITEM {
                continue;
            }
            room.check()?;
            let own: Vec<u64> = groups.iter().zip(&item.groups).map(|(a, b)| a & b).collect();
            let counts = self.counts(&own);
            let often =
                counts.iter().zip(&self.totals).any(|(count, total)| *count > 0.0 && share(*count, *total) >= least);
            if !often {
                continue;
            }
            let closed = self.common(&own);
            let earlier = |(value, before): (&u32, &u32)| value != before && (*value as usize) < number;
            if closed.iter().zip(pattern).any(earlier) {
                continue;
            }
            room.grow(closed.len() * size_of::<u32>() + size_of::<Pattern>())?;
            found.push(Pattern { items: closed.clone(), counts });
            self.extend(&own, &closed, number + 1, left - 1, least, room, found)?;
        }
        Ok(())
    }

    /// From the heaviest groups, value after value is given up as long as the score grows: the weighted geometric mean
    /// of the part of the rows and of the part of the dimensions.
    fn clusters(&self, size_weight: f64, seeds: usize, room: &Room) -> Result<Vec<Pattern>> {
        let mut heaviest: Vec<usize> = (0..self.groups.len()).collect();
        let weight = |group: &usize| self.weights[0][*group];
        heaviest.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
        let mut best: Vec<(f64, Pattern, Vec<u64>)> = Vec::new();
        for seed in heaviest.into_iter().take(seeds) {
            room.check()?;
            let (score, pattern, groups) = self.expanded(&self.groups[seed], size_weight);
            if score > 0.0 && !best.iter().any(|(_, known, _)| known.items == pattern.items) {
                best.push((score, pattern, groups));
            }
        }
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut covered = vec![0_u64; self.groups.len().div_ceil(64)];
        let mut clusters = Vec::new();
        for (_, pattern, groups) in best {
            let shared: Vec<u64> = groups.iter().zip(&covered).map(|(a, b)| a & b).collect();
            if share(self.counts(&shared)[0], pattern.counts[0]) <= MOST_SHARED {
                covered.iter_mut().zip(&groups).for_each(|(covered, own)| *covered |= own);
                clusters.push(pattern);
            }
        }
        Ok(clusters)
    }

    fn expanded(&self, seed: &[u32], size_weight: f64) -> (f64, Pattern, Vec<u64>) {
        let mut items = seed.to_vec();
        let mut best = self.scored(&items, size_weight);
        loop {
            let shorter = (0..items.len()).filter(|at| items[*at] != NO_ITEM).map(|at| {
                let mut without = items.clone();
                without[at] = NO_ITEM;
                self.scored(&without, size_weight)
            });
            let Some(next) = shorter.max_by(|a, b| a.0.total_cmp(&b.0)) else { return best };
            items = next.1.items.clone();
            if next.0 > best.0 {
                best = next;
            }
        }
    }

    fn scored(&self, items: &[u32], size_weight: f64) -> (f64, Pattern, Vec<u64>) {
        let mut groups = self.every_group();
        let named = items.iter().filter(|item| **item != NO_ITEM);
        for item in named.clone() {
            groups.iter_mut().zip(&self.items[*item as usize].groups).for_each(|(own, other)| *own &= other);
        }
        let counts = self.counts(&groups);
        let informative = named.count() as f64 / items.len().max(1) as f64;
        let score = share(counts[0], self.totals[0]).powf(size_weight) * informative.powf(1.0 - size_weight);
        let score = if informative == 0.0 { 0.0 } else { score };
        (score, Pattern { items: items.to_vec(), counts }, groups)
    }
}

/// The patterns that tell two sides apart, the largest difference first. Of patterns of which one holds the other only
/// the one with the larger difference is kept.
fn different(patterns: Vec<Pattern>, totals: &[f64], threshold: f64) -> Vec<Pattern> {
    let difference =
        |pattern: &Pattern| (share(pattern.counts[0], totals[0]) - share(pattern.counts[1], totals[1])).abs();
    let mut found: Vec<Pattern> = patterns.into_iter().filter(|pattern| difference(pattern) >= threshold).collect();
    found.sort_by(|a, b| difference(b).total_cmp(&difference(a)).then_with(|| a.items.cmp(&b.items)));
    let within = |a: &Pattern, b: &Pattern| a.items.iter().zip(&b.items).all(|(a, b)| *a == NO_ITEM || a == b);
    let mut kept: Vec<Pattern> = Vec::new();
    for pattern in found {
        if !kept.iter().any(|known| within(known, &pattern) || within(&pattern, known)) {
            kept.push(pattern);
        }
    }
    kept
}

fn share(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

/// The numbers of the bits that are set.
fn numbers(bits: &[u64]) -> impl Iterator<Item = usize> {
    bits.iter().enumerate().flat_map(|(word, bits)| {
        let mut left = *bits;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(word * 64 + bit)
        })
    })
}

/// Values as numbers, and the first row of each; null and empty texts are none.
fn coded(values: &ArrayRef) -> Result<(Vec<u32>, Vec<usize>)> {
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    let rows = converter.convert_columns(&[Arc::clone(values)])?;
    let empty = |row: usize| values.as_string_view_opt().is_some_and(|texts| texts.value(row).is_empty());
    let mut known: HashMap<&[u8], u32> = HashMap::new();
    let mut firsts = Vec::new();
    let codes = (0..values.len())
        .map(|row| {
            if values.is_null(row) || empty(row) {
                return NO_ITEM;
            }
            let next = firsts.len() as u32;
            let code = *known.entry(rows.row(row).data()).or_insert(next);
            if code == next {
                firsts.push(row);
            }
            code
        })
        .collect();
    Ok((codes, firsts))
}
