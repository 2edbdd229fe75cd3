//! What a query measured: for each series (one combination of dimension values) its bins of time.

use std::collections::BTreeMap;

use crate::rule::Aggregation;

/// The values of the dimensions, in their order.
pub type SeriesKey = Vec<String>;

/// Rows of one series in one bin, folded.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    pub rows: u64,
    /// Rows whose measure is a number.
    pub values: u64,
    pub sum: f64,
    pub least: f64,
    pub most: f64,
}

/// The measured series of one condition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// By index of the bin, 0 the newest.
    pub series: BTreeMap<SeriesKey, BTreeMap<i64, Bin>>,
}

impl Observed {
    pub fn add(&mut self, series: SeriesKey, index: i64, bin: Bin) {
        let bins = self.series.entry(series).or_default();
        bins.entry(index).and_modify(|known| *known = folded(known, &bin)).or_insert(bin);
    }

    /// The value of a series over bins `from` to `from + count`. No rows: a count is 0, anything else is unknown.
    #[must_use]
    pub fn value(&self, series: &SeriesKey, aggregation: Aggregation, from: i64, count: i64) -> Option<f64> {
        let bins = self.series.get(series).into_iter().flat_map(|bins| bins.range(from..from + count));
        let whole = bins.map(|(_, bin)| *bin).reduce(|left, right| folded(&left, &right)).unwrap_or_default();
        let measured = |value: f64| (whole.values > 0).then_some(value);
        match aggregation {
            Aggregation::Count => Some(whole.rows as f64),
            Aggregation::Average => measured(whole.sum / whole.values.max(1) as f64),
            Aggregation::Total => measured(whole.sum),
            Aggregation::Minimum => measured(whole.least),
            Aggregation::Maximum => measured(whole.most),
        }
    }

    /// Whether a series has rows in these bins.
    #[must_use]
    pub fn has_rows(&self, series: &SeriesKey, from: i64, count: i64) -> bool {
        self.series.get(series).is_some_and(|bins| bins.range(from..from + count).next().is_some())
    }
}

fn folded(left: &Bin, right: &Bin) -> Bin {
    let pick = |choose: fn(f64, f64) -> f64, one: f64, other: f64| match (left.values, right.values) {
        (0, _) => other,
        (_, 0) => one,
        _ => choose(one, other),
    };
    Bin {
        rows: left.rows + right.rows,
        values: left.values + right.values,
        sum: left.sum + right.sum,
        least: pick(f64::min, left.least, right.least),
        most: pick(f64::max, left.most, right.most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_folded_from_bins() {
        let mut observed = Observed::default();
        let key = vec!["a".to_owned()];
        let bin = |rows, value: f64| Bin { rows, values: rows, sum: value * rows as f64, least: value, most: value };
        observed.add(key.clone(), 0, bin(2, 10.0));
        observed.add(key.clone(), 1, bin(1, 40.0));
        observed.add(key.clone(), 3, Bin { rows: 4, ..Bin::default() });
        let value = |aggregation, from, count| observed.value(&key, aggregation, from, count);
        assert_eq!(value(Aggregation::Average, 0, 2), Some(20.0));
        assert_eq!(value(Aggregation::Count, 0, 4), Some(7.0));
        assert_eq!(value(Aggregation::Minimum, 0, 4), Some(10.0));
        assert_eq!(value(Aggregation::Maximum, 0, 4), Some(40.0));
        assert_eq!(value(Aggregation::Total, 1, 1), Some(40.0));
        assert_eq!((value(Aggregation::Count, 2, 1), value(Aggregation::Total, 2, 1)), (Some(0.0), None));
        assert_eq!(value(Aggregation::Average, 3, 1), None, "rows whose measure is no number");
    }
}
