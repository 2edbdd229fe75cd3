//! `series_outliers`: how far each item lies outside the usual range, by Tukey's fences.

use watchkeeper_kql::Type;

use super::numbers::{percentile, reals, series};
use crate::functions::frame::{Call, Function, Returns, Value};

pub const FUNCTIONS: &[Function] =
    &[Function::row_with_nulls("series_outliers", 1, 6, Returns::Always(Type::Dynamic), series_outliers)];

/// The percentiles between which the usual range lies.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    low: f64,
    high: f64,
}

impl Range {
    /// `tukey` takes the quartiles, `ctukey` the given percentiles; none for another name.
    pub fn of_method(method: &str, low: f64, high: f64) -> Option<Range> {
        match method {
            "tukey" => Some(Range { low: 0.25, high: 0.75 }),
            "ctukey" => Some(Range { low, high }),
            _ => None,
        }
    }
}

/// Zero within the usual range; otherwise the distance from it in widths of the range.
/// The range is that of the first `learn` items. Items that are not finite score zero.
pub fn scores(numbers: &[f64], learn: usize, range: Range) -> Vec<f64> {
    let mut sorted: Vec<f64> =
        numbers[..learn.min(numbers.len())].iter().copied().filter(|number| number.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (percentile(&sorted, range.low), percentile(&sorted, range.high));
    let width = high - low;
    numbers
        .iter()
        .map(|number| {
            let beyond = if *number > high {
                number - high
            } else if *number < low {
                number - low
            } else {
                return 0.0;
            };
            if !number.is_finite() || width.is_nan() {
                0.0
            } else {
                // a constant series has no width: whatever differs from it is far out
                beyond / width.max(1e-9 * high.abs().max(1e-9))
            }
        })
        .collect()
}

fn series_outliers<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(mut numbers) = reals(&args[0]) else {
        return Value::Null;
    };
    let share = |place: usize, default: f64| {
        let percent = args.get(place).and_then(Value::as_f64).unwrap_or(default);
        (2.0..=98.0).contains(&percent).then_some(percent / 100.0)
    };
    let method = args.get(1).map_or("ctukey", |kind| kind.text());
    let (Some(low), Some(high)) = (share(3, 10.0), share(4, 90.0)) else {
        return Value::Null;
    };
    let Some(range) = Range::of_method(method, low, high) else {
        return Value::Null;
    };
    if let Some(ignored) = args.get(2).and_then(Value::as_f64) {
        numbers.iter_mut().filter(|number| **number == ignored).for_each(|number| *number = f64::NAN);
    }
    let held_back = args.get(5).and_then(Value::as_i64).unwrap_or(0).max(0) as usize;
    series(&scores(&numbers, numbers.len().saturating_sub(held_back), range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn distances_are_counted_in_usual_ranges() {
        // quartiles 1 and 3
        check(
            "series_outliers",
            &[
                (vec![dynamic("[0,1,2,3,7]"), string("tukey")], dynamic("[-0.5,0.0,0.0,0.0,2.0]")),
                (vec![dynamic("[0,1,2,3,4,null]"), string("tukey")], dynamic("[-0.5,0.0,0.0,0.0,0.5,0.0]")),
                (vec![dynamic("[1]"), string("other")], Value::Null),
            ],
        );
    }
}
