//! Dynamic thresholds: what is usual for a series is learned from its history, with hourly, daily and weekly patterns;
//! thresholds lie as far from it as the sensitivity says. The documented facts: ten days of history, three weeks for
//! weekly patterns, no alert before three days and 30 samples, prolonged outages left out. The vendor's algorithm is
//! not public; this one is robust statistics: medians by time of the pattern and the deviation that nine of ten samples
//! keep from them.

use std::collections::BTreeMap;

use crate::Period;
use crate::observed::SeriesKey;
use crate::rule::Sensitivity;

/// How far back samples are learned from.
pub const HISTORY: Period = Period::seconds(28 * 86_400);
const USUAL_HISTORY: i64 = 10 * DAY;
const WEEKLY_HISTORY: i64 = 21 * DAY;
const LEAST_HISTORY: i64 = 3 * DAY;
const LEAST_SAMPLES: usize = 30;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// Nine of ten samples of a normal distribution are within so many standard deviations.
const NINE_OF_TEN: f64 = 1.645;
/// A pattern is taken where it leaves at most this part of the deviation without it.
const WORTH: f64 = 0.7;
/// Samples so far out (in deviations) for so long are an outage.
const OUTAGE_SIGMAS: f64 = 6.0;
const OUTAGE_SAMPLES: usize = 6;
/// No more than this part of the history counts as outage: then it is how the series is.
const MOST_OUTAGE: f64 = 0.3;

/// Within these a value is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub low: f64,
    pub high: f64,
}

/// What was learned of the series of a condition.
#[derive(Debug, Clone, Default)]
pub struct Models(pub BTreeMap<SeriesKey, Model>);

impl Models {
    /// The bounds for the point that ends at a time; nothing before enough was learned.
    #[must_use]
    pub fn bounds(&self, key: &SeriesKey, end: i64) -> Option<Bounds> {
        self.0.get(key).map(|model| model.bounds(end))
    }
}

/// What is usual for one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Length of the pattern and of its slots; nothing: no pattern.
    pattern: Option<(i64, i64)>,
    /// The usual value by slot.
    usual: Vec<f64>,
    /// How far from it bounds lie.
    reach: f64,
}

impl Model {
    /// Learns from points by the ends of their windows, from old to new.
    #[must_use]
    pub fn learn(
        points: &[(i64, f64)],
        window: Period,
        sensitivity: Sensitivity,
        ignore_before: Option<i64>,
    ) -> Option<Model> {
        let from = ignore_before.unwrap_or(i64::MIN);
        let points: Vec<(i64, f64)> =
            points.iter().copied().filter(|(end, value)| *end >= from && value.is_finite()).collect();
        let (first, last) = (points.first()?.0, points.last()?.0);
        if points.len() < LEAST_SAMPLES || last - first < LEAST_HISTORY - window.micros() {
            return None;
        }
        let recent: Vec<(i64, f64)> = points.iter().copied().filter(|(end, _)| *end > last - USUAL_HISTORY).collect();
        let mut best = fit(&recent, None);
        let mut learned: &[(i64, f64)] = &recent;
        let step = window.micros().max(1);
        let mut candidates = Vec::new();
        if step * 4 <= HOUR {
            candidates.push((HOUR, step.max(HOUR / 12)));
        }
        if step * 4 <= DAY {
            candidates.push((DAY, step.max(HOUR / 2)));
        }
        for pattern in candidates {
            let fitted = fit(&recent, Some(pattern));
            if fitted.deviation < best.deviation * WORTH {
                best = fitted;
            }
        }
        if last - first >= WEEKLY_HISTORY - step {
            let fitted = fit(&points, Some((WEEK, step.max(HOUR))));
            if fitted.deviation < best.deviation * WORTH {
                best = fitted;
                learned = &points;
            }
        }
        let kept = without_outages(learned, &best);
        let best = fit(&kept, best.pattern);
        let sigmas = match sensitivity {
            Sensitivity::High => 2.5,
            Sensitivity::Medium => 3.5,
            Sensitivity::Low => 5.0,
        };
        let level = best.usual.iter().map(|value| value.abs()).fold(0.0, f64::max);
        // a series that hardly moves must not fire for a trifle
        let reach = (best.deviation * sigmas).max(level * 0.01).max(1e-9);
        Some(Model { pattern: best.pattern, usual: best.usual, reach })
    }

    /// The bounds of the point that ends at a time.
    #[must_use]
    pub fn bounds(&self, end: i64) -> Bounds {
        let usual = self.usual.get(slot(self.pattern, end)).copied().unwrap_or_default();
        Bounds { low: usual - self.reach, high: usual + self.reach }
    }
}

struct Fit {
    pattern: Option<(i64, i64)>,
    usual: Vec<f64>,
    deviation: f64,
}

fn slot(pattern: Option<(i64, i64)>, end: i64) -> usize {
    // the window belongs to the time before its end
    pattern.map_or(0, |(length, width)| usize::try_from((end - 1).rem_euclid(length) / width).unwrap_or(0))
}

fn fit(points: &[(i64, f64)], pattern: Option<(i64, i64)>) -> Fit {
    let slots = pattern.map_or(1, |(length, width)| usize::try_from((length + width - 1) / width).unwrap_or(1));
    let mut by_slot: Vec<Vec<f64>> = vec![Vec::new(); slots];
    for (end, value) in points {
        if let Some(values) = by_slot.get_mut(slot(pattern, *end)) {
            values.push(*value);
        }
    }
    let mut all: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    let overall = median(&mut all);
    let usual: Vec<f64> =
        by_slot.iter_mut().map(|values| if values.is_empty() { overall } else { median(values) }).collect();
    let mut distances = Vec::new();
    let mut squares = 0.0;
    for (end, value) in points {
        let distance = value - usual.get(slot(pattern, *end)).copied().unwrap_or(overall);
        squares += distance * distance;
        distances.push(distance.abs());
    }
    let spread = (squares / points.len().max(1) as f64).sqrt();
    // nearly all samples may be equal: then their rare deviations say how it moves
    let deviation = match quantile(&mut distances, 0.9) / NINE_OF_TEN {
        0.0 => spread,
        deviation => deviation,
    };
    // few samples in a slot look closer to their median than the next one will be
    let each = points.len() as f64 / slots as f64;
    Fit { pattern, usual, deviation: deviation * (1.0 + 1.0 / each.max(1.0)) }
}

/// The points without runs that lie far from what is usual for long.
fn without_outages(points: &[(i64, f64)], fitted: &Fit) -> Vec<(i64, f64)> {
    let far = fitted.deviation * OUTAGE_SIGMAS;
    let is_out = |(end, value): &(i64, f64)| {
        let usual = fitted.usual.get(slot(fitted.pattern, *end)).copied().unwrap_or_default();
        far > 0.0 && (value - usual).abs() > far
    };
    let mut kept = Vec::new();
    for run in points.chunk_by(|left, right| is_out(left) == is_out(right)) {
        let outage = run.first().is_some_and(is_out) && run.len() >= OUTAGE_SAMPLES;
        if !outage {
            kept.extend_from_slice(run);
        }
    }
    if (points.len() - kept.len()) as f64 > points.len() as f64 * MOST_OUTAGE { points.to_vec() } else { kept }
}

fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let place = ((values.len() - 1) as f64 * part).round() as usize;
    let (_, found, _) = values.select_nth_unstable_by(place, f64::total_cmp);
    *found
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i64 = HOUR / 4;

    /// A made-up noise between -1 and 1, the same always.
    fn noise(number: i64) -> f64 {
        let mixed =
            (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn days(count: i64, value: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
        (1..=count * 96).map(|number| (number * STEP, value(number) + noise(number))).collect()
    }

    fn learn(points: &[(i64, f64)], sensitivity: Sensitivity) -> Option<Model> {
        Model::learn(points, Period(STEP), sensitivity, None)
    }

    /// Busy from 8 to 18 o'clock.
    fn office(number: i64) -> f64 {
        if (32..72).contains(&((number - 1) % 96)) { 100.0 } else { 10.0 }
    }

    #[test]
    fn nothing_is_said_before_three_days_and_thirty_samples() {
        assert!(learn(&days(2, |_| 5.0), Sensitivity::High).is_none());
        assert!(learn(&days(3, |_| 5.0), Sensitivity::High).is_some());
        let sparse: Vec<(i64, f64)> = (1..20).map(|day| (day * DAY, 5.0)).collect();
        assert!(learn(&sparse, Sensitivity::High).is_none());
        let points = days(8, |_| 5.0);
        assert!(Model::learn(&points, Period(STEP), Sensitivity::High, Some(6 * DAY)).is_none(), "ignored history");
    }

    #[test]
    fn sensitivity_says_how_far_bounds_lie() {
        let points = days(10, |_| 50.0);
        let reach = |sensitivity| learn(&points, sensitivity).map(|model| model.reach).unwrap_or_default();
        let (high, medium, low) = (reach(Sensitivity::High), reach(Sensitivity::Medium), reach(Sensitivity::Low));
        assert!(high < medium && medium < low, "{high} {medium} {low}");
        assert!((1.0..6.0).contains(&medium), "{medium} for noise of one");
    }

    #[test]
    fn the_time_of_day_is_learned() {
        let model = learn(&days(10, office), Sensitivity::Medium).unwrap();
        assert_eq!(model.pattern.map(|(length, _)| length), Some(DAY));
        let (night, noon) = (model.bounds(20 * DAY + 3 * HOUR), model.bounds(20 * DAY + 12 * HOUR));
        assert!(night.high < 20.0 && noon.low > 90.0, "{night:?} {noon:?}");
    }

    #[test]
    fn the_week_is_learned_after_three_weeks() {
        let week = |number: i64| if (number - 1) / 96 % 7 < 5 { office(number) } else { 10.0 };
        let model = learn(&days(22, week), Sensitivity::Medium).unwrap();
        assert_eq!(model.pattern.map(|(length, _)| length), Some(WEEK));
        let weekend = model.bounds(28 * DAY + 5 * DAY + 12 * HOUR);
        assert!(weekend.high < 30.0, "{weekend:?}");
    }

    #[test]
    fn an_outage_does_not_widen_the_bounds() {
        let with = |number: i64| if (400..450).contains(&number) { 500.0 } else { 50.0 };
        let model = learn(&days(10, with), Sensitivity::Medium).unwrap();
        assert!(model.bounds(20 * DAY).high < 60.0, "{model:?}");
    }

    #[test]
    fn a_series_that_never_moves_has_room_for_a_trifle() {
        let points: Vec<(i64, f64)> = (1..=960).map(|number| (number * STEP, 100.0)).collect();
        let bounds = learn(&points, Sensitivity::High).unwrap().bounds(DAY);
        assert_eq!(bounds, Bounds { low: 99.0, high: 101.0 });
    }
}
