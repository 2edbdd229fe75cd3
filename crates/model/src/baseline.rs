//! Self-tuning thresholds (specification 4.10): what is usual at an hour of the week, as a moving mean and deviation,
//! and how far a sample may be from it.

use serde::{Deserialize, Serialize};

use crate::civil;

/// Hours in a week: the business cycle.
const SLOTS: usize = 168;
/// After so many samples of an hour, older ones count less and less: four weeks of one every five minutes.
const MEMORY: f64 = 48.0;
/// So many samples an hour of the week needs before it is judged.
const LEARNING_SAMPLES: u32 = 4;
/// So long it learns before anything is judged: one business cycle, in seconds.
const LEARNING_SECONDS: i64 = 7 * civil::DAY_SECONDS;
/// The least deviation, as part of the mean: a counter that never moved must not alert on its first step.
const LEAST_DEVIATION: f64 = 0.01;

/// How soon a sample is unusual: by how many deviations it is off the mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sensitivity {
    /// 4.01 deviations
    Low,
    /// 3.77 deviations
    LowMiddle,
    /// 3.29 deviations
    #[default]
    Middle,
    /// 2.81 deviations
    HighMiddle,
    /// 2.57 deviations
    High,
}

impl Sensitivity {
    /// The factor on the deviation.
    #[must_use]
    pub fn factor(self) -> f64 {
        match self {
            Sensitivity::Low => 4.01,
            Sensitivity::LowMiddle => 3.77,
            Sensitivity::Middle => 3.29,
            Sensitivity::HighMiddle => 2.81,
            Sensitivity::High => 2.57,
        }
    }
}

/// How a sample compares with the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough is known of this hour of the week.
    Learning,
    /// Below the lower limit.
    Below,
    /// Within the limits.
    Within,
    /// Above the upper limit.
    Above,
}

/// What is usual for a counter. Small enough to keep one for each on disk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The first sample, microseconds since 1970.
    first: Option<i64>,
    /// By hour of the week, from Sunday midnight; shorter than a week until one was seen.
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Slot {
    samples: u32,
    mean: f64,
    variance: f64,
}

impl Baseline {
    /// The lower and upper limit at a time; `None` while it learns. Local time is so many seconds ahead of UTC.
    #[must_use]
    pub fn limits(&self, time: i64, utc_offset_seconds: i64, sensitivity: Sensitivity) -> Option<(f64, f64)> {
        let learned = self.first.is_some_and(|first| time - first >= LEARNING_SECONDS * civil::SECOND);
        let slot = self.slots.get(slot_of(time, utc_offset_seconds))?;
        if !learned || slot.samples < LEARNING_SAMPLES {
            return None;
        }
        let deviation = slot.variance.sqrt().max(slot.mean.abs() * LEAST_DEVIATION).max(f64::EPSILON);
        let distance = deviation * sensitivity.factor();
        Some((slot.mean - distance, slot.mean + distance))
    }

    /// Compares a sample with the usual, then learns from it. Of one outside of the limits only the limit is learned:
    /// a disturbance moves the usual slowly, a lasting change in the end.
    pub fn judge(&mut self, time: i64, utc_offset_seconds: i64, value: f64, sensitivity: Sensitivity) -> Verdict {
        if !value.is_finite() {
            return Verdict::Learning;
        }
        let (verdict, learned) = match self.limits(time, utc_offset_seconds, sensitivity) {
            None => (Verdict::Learning, value),
            Some((lower, _)) if value < lower => (Verdict::Below, lower),
            Some((_, upper)) if value > upper => (Verdict::Above, upper),
            Some(_) => (Verdict::Within, value),
        };
        self.first.get_or_insert(time);
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        if let Some(slot) = self.slots.get_mut(slot_of(time, utc_offset_seconds)) {
            slot.learn(learned);
        }
        verdict
    }
}

impl Slot {
    /// The plain mean and variance of the first samples; then each new one counts as much as one of the last
    /// [`MEMORY`].
    fn learn(&mut self, value: f64) {
        self.samples = self.samples.saturating_add(1);
        let weight = 1.0 / f64::from(self.samples).min(MEMORY);
        let difference = value - self.mean;
        self.mean += weight * difference;
        self.variance = (1.0 - weight) * (self.variance + weight * difference * difference);
    }
}

fn slot_of(time: i64, utc_offset_seconds: i64) -> usize {
    let local = time.div_euclid(civil::SECOND) + utc_offset_seconds;
    let day = civil::weekday_from_days(local.div_euclid(civil::DAY_SECONDS)) as usize;
    day * 24 + (local.rem_euclid(civil::DAY_SECONDS) / 3600) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600 * civil::SECOND;

    /// 100 by day, 10 by night, give or take 2; a sample every quarter of an hour.
    fn usual(quarter: i64) -> f64 {
        let hour = quarter / 4 % 24;
        let base = if (8..18).contains(&hour) { 100.0 } else { 10.0 };
        base + [-2.0, 2.0, 0.0, 1.0][(quarter % 4) as usize]
    }

    fn learned(weeks: i64) -> Baseline {
        let mut baseline = Baseline::default();
        for quarter in 0..weeks * 7 * 96 {
            let verdict = baseline.judge(quarter * HOUR / 4, 0, usual(quarter), Sensitivity::Low);
            let expected = if quarter < 7 * 96 { Verdict::Learning } else { Verdict::Within };
            assert_eq!(verdict, expected, "{quarter}");
        }
        baseline
    }

    #[test]
    fn what_is_usual_by_day_is_unusual_by_night() {
        let mut baseline = learned(2);
        let start = 14 * 24 * HOUR;
        assert_eq!(baseline.judge(start + 10 * HOUR, 0, 100.0, Sensitivity::Middle), Verdict::Within);
        assert_eq!(baseline.judge(start + 2 * HOUR, 0, 100.0, Sensitivity::Middle), Verdict::Above);
        assert_eq!(baseline.judge(start + 10 * HOUR, 0, 10.0, Sensitivity::Middle), Verdict::Below);
        // the same instant is night elsewhere
        assert_eq!(baseline.judge(start + 10 * HOUR, 12 * 3600, 100.0, Sensitivity::Middle), Verdict::Above);
    }

    #[test]
    fn a_higher_sensitivity_has_narrower_limits() {
        use Sensitivity::{High, HighMiddle, Low, LowMiddle, Middle};
        let baseline = learned(2);
        let widths: Vec<f64> = [Low, LowMiddle, Middle, HighMiddle, High]
            .into_iter()
            .map(|sensitivity| baseline.limits(14 * 24 * HOUR, 0, sensitivity).map(|(low, high)| high - low).unwrap())
            .collect();
        assert!(widths.is_sorted_by(|wide, narrow| wide > narrow), "{widths:?}");
        // mean 10.25, deviation √2.1875
        assert!((widths[2] - 2.0 * 3.29 * 2.1875_f64.sqrt()).abs() < 1e-6, "{widths:?}");
    }

    #[test]
    fn a_disturbance_hardly_moves_the_usual_and_a_lasting_change_becomes_it() {
        let mut baseline = learned(2);
        let at = |week: i64| week * 7 * 24 * HOUR + 10 * HOUR;
        let before = baseline.limits(at(2), 0, Sensitivity::Middle).unwrap();
        assert_eq!(baseline.judge(at(2), 0, 1e9, Sensitivity::Middle), Verdict::Above);
        let after = baseline.limits(at(3), 0, Sensitivity::Middle).unwrap();
        assert!(after.1 < before.1 * 1.1, "{before:?} {after:?}");
        for week in 3..60 {
            for _ in 0..4 {
                baseline.judge(at(week), 0, 150.0, Sensitivity::Middle);
            }
        }
        assert_eq!(baseline.judge(at(60), 0, 150.0, Sensitivity::Middle), Verdict::Within);
    }

    #[test]
    fn what_is_no_number_is_not_learned_and_a_still_counter_has_room() {
        let mut baseline = Baseline::default();
        for quarter in 0..2 * 7 * 96 {
            baseline.judge(quarter * HOUR / 4, 0, 50.0, Sensitivity::High);
            baseline.judge(quarter * HOUR / 4, 0, f64::NAN, Sensitivity::High);
        }
        assert_eq!(baseline.judge(14 * 24 * HOUR, 0, 50.5, Sensitivity::High), Verdict::Within);
        assert_eq!(baseline.judge(14 * 24 * HOUR, 0, 55.0, Sensitivity::High), Verdict::Above);
        let kept: Baseline = serde_json::from_str(&serde_json::to_string(&baseline).unwrap()).unwrap();
        assert_eq!(kept, baseline);
    }
}
