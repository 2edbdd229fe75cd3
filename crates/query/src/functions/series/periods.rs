//! Periods of a series: how well it agrees with itself shifted by a period.

use watchkeeper_kql::Type;

use super::numbers::{bag, mean, median, reals, reals_tree, series};
use crate::functions::frame::{Call, Function, Returns, Value, json};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);
/// The score from which a period counts as detected.
pub const DETECTED: f64 = 0.6;
/// Scores that are this close count as equally good for a period and its multiples.
const NEARLY: f64 = 0.15;

pub const FUNCTIONS: &[Function] = &[
    Function::row("series_periods_detect", 4, 4, DYNAMIC, detect_value),
    Function::row("series_periods_validate", 2, usize::MAX, DYNAMIC, validate),
    Function::row("series_seasonal", 1, 3, DYNAMIC, seasonal_value),
];

/// Correlation of the series with itself `lag` items later, of the two parts that overlap.
pub fn score(numbers: &[f64], lag: usize) -> f64 {
    if lag == 0 || lag + 2 > numbers.len() {
        return 0.0;
    }
    let pairs: Vec<(f64, f64)> = numbers
        .iter()
        .zip(&numbers[lag..])
        .map(|(left, right)| (*left, *right))
        .filter(|(left, right)| left.is_finite() && right.is_finite())
        .collect();
    let left = mean(&pairs.iter().map(|(left, _)| *left).collect::<Vec<f64>>());
    let right = mean(&pairs.iter().map(|(_, right)| *right).collect::<Vec<f64>>());
    let (mut both, mut lefts, mut rights) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        both += (x - left) * (y - right);
        lefts += (x - left).powi(2);
        rights += (y - right).powi(2);
    }
    if lefts == 0.0 || rights == 0.0 {
        return 0.0;
    }
    (both / (lefts * rights).sqrt()).clamp(0.0, 1.0)
}

/// The lags between `least` and `most` at which the score has a peak, best first; multiples of a better lag are left
/// out.
pub fn detect(numbers: &[f64], least: f64, most: f64, count: usize) -> Vec<(usize, f64)> {
    let longest = (most.floor().max(0.0) as usize).min(numbers.len() / 2);
    let scores: Vec<f64> = (0..=longest + 1).map(|lag| score(numbers, lag)).collect();
    let mut peaks: Vec<(usize, f64)> = (2..=longest)
        .filter(|lag| *lag as f64 >= least)
        .filter(|lag| scores[*lag] > scores[lag - 1] && scores[*lag] >= scores[lag + 1])
        .map(|lag| (lag, scores[lag]))
        .filter(|(_, score)| *score > 0.0)
        .collect();
    // the shortest of equally good ones is the period, the others repeat it
    peaks.sort_by(|left, right| (right.1 - 1e-9).total_cmp(&left.1).then(left.0.cmp(&right.0)));
    let mut chosen: Vec<(usize, f64)> = Vec::new();
    for (lag, score) in &peaks {
        // chance makes a multiple of the period agree a little better than the period
        let shorter = peaks
            .iter()
            .filter(|(other, other_score)| lag % other == 0 && other_score + NEARLY >= *score)
            .min_by_key(|(other, _)| *other);
        let (lag, score) = *shorter.unwrap_or(&(*lag, *score));
        let repeats = chosen.iter().any(|(found, best)| lag % found == 0 && *best + NEARLY >= score);
        if !repeats && chosen.len() < count {
            chosen.push((lag, score));
        }
    }
    chosen
}

fn detect_value<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let (Some(numbers), Some(least), Some(most), Some(count)) =
        (reals(&args[0]), args[1].as_f64(), args[2].as_f64(), args[3].as_i64())
    else {
        return Value::Null;
    };
    let count = count.clamp(0, 1000) as usize;
    let found = detect(&numbers, least, most, count);
    let pick = |of: fn(&(usize, f64)) -> f64| -> Vec<f64> {
        (0..count).map(|place| found.get(place).map_or(0.0, of)).collect()
    };
    bag([
        ("periods", reals_tree(&pick(|(period, _)| *period as f64))),
        ("scores", reals_tree(&pick(|(_, score)| *score))),
    ])
}

fn validate<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(numbers) = reals(&args[0]) else {
        return Value::Null;
    };
    let periods: Vec<f64> = args[1..]
        .iter()
        .flat_map(|arg| match json::array_of(arg) {
            Some(items) => items.iter().filter_map(serde_json::Value::as_f64).collect(),
            None => arg.as_f64().into_iter().collect::<Vec<f64>>(),
        })
        .collect();
    let scores: Vec<f64> = periods
        .iter()
        .map(|period| score(&numbers, if *period >= 1.0 { period.round() as usize } else { 0 }))
        .collect();
    bag([("periods", reals_tree(&periods)), ("scores", reals_tree(&scores))])
}

/// The median of the items of each phase, over the whole length; learned from the first `learn` items.
pub fn seasonal(numbers: &[f64], period: usize, learn: usize) -> Vec<f64> {
    let known = &numbers[..learn.min(numbers.len())];
    let phases: Vec<f64> = (0..period)
        .map(|phase| {
            let items: Vec<f64> =
                known.iter().skip(phase).step_by(period).copied().filter(|item| item.is_finite()).collect();
            if items.is_empty() { 0.0 } else { median(&items) }
        })
        .collect();
    (0..numbers.len()).map(|place| phases[place % period]).collect()
}

/// The period that `wanted` names: -1 detects one, 0 is none.
pub fn period_of(numbers: &[f64], wanted: i64, threshold: f64) -> Option<usize> {
    match wanted {
        -1 => detect(numbers, 2.0, numbers.len() as f64 / 2.0, 1)
            .first()
            .filter(|(_, score)| *score >= threshold)
            .map(|(period, _)| *period),
        wanted => usize::try_from(wanted).ok().filter(|period| *period > 0 && *period <= numbers.len()),
    }
}

fn seasonal_value<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(numbers) = reals(&args[0]) else {
        return Value::Null;
    };
    let wanted = args.get(1).and_then(Value::as_i64).unwrap_or(-1);
    let held_back = args.get(2).and_then(Value::as_i64).unwrap_or(0).max(0) as usize;
    let learn = numbers.len().saturating_sub(held_back);
    match period_of(&numbers[..learn], wanted, DETECTED) {
        Some(period) => series(&seasonal(&numbers, period, learn)),
        None => series(&vec![0.0; numbers.len()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic};

    #[test]
    fn a_period_is_detected_and_its_multiples_are_not() {
        let weekly: Vec<f64> = (0..70).map(|day| if day % 7 < 5 { 10.0 + f64::from(day % 3) } else { 2.0 }).collect();
        let found = detect(&weekly, 0.0, 30.0, 2);
        assert_eq!(found[0].0, 7);
        assert!(found[0].1 > 0.9);
        assert!(found.iter().skip(1).all(|(period, _)| period % 7 != 0), "{found:?}");
        assert!(score(&weekly, 7) > score(&weekly, 5));
    }

    #[test]
    fn a_season_is_the_median_of_its_phase() {
        check(
            "series_seasonal",
            &[
                (
                    vec![dynamic("[1,3,5,2,4,6,1,3,5,2,4,6]"), Value::Long(3)],
                    dynamic("[1.5,3.5,5.5,1.5,3.5,5.5,1.5,3.5,5.5,1.5,3.5,5.5]"),
                ),
                (
                    vec![dynamic("[8,12,14,12,10,10,12,14,12,10,10,12,14,12,10,10,12,14,12,10]")],
                    dynamic(
                        "[10.0,12.0,14.0,12.0,10.0,10.0,12.0,14.0,12.0,10.0,10.0,12.0,14.0,12.0,10.0,10.0,12.0,14.0,12.0,10.0]",
                    ),
                ),
            ],
        );
    }
}
