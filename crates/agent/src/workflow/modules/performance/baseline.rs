//! The self-tuning threshold: what is usual at this hour of this weekday, learned from the samples themselves.
//!
//! For each hour of a business cycle the mean and the deviation move with the samples; a sample outside of mean ± factor
//! × deviation is unusual. The factors of the documented sensitivities are 4.01 (low) to 2.57 (high). Nothing is judged
//! before the learning period is over.

use serde::{Deserialize, Serialize};
use watchkeeper_model::node::Node;

use super::{Instances, value, with_value};
use crate::system::Microseconds;
use crate::workflow::module::{Context, Failure, Item, Module, SECOND, Setup};

const HOUR: Microseconds = 3_600 * SECOND;
/// Weight of a new sample once an hour has many.
const SLOWEST: f64 = 0.02;
/// Unusual samples move the baseline less, so that a fault does not become usual at once.
const UNUSUAL: f64 = 0.25;

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Hour {
    samples: u32,
    mean: f64,
    variance: f64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Baseline {
    began: Option<Microseconds>,
    hours: Vec<Hour>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Above,
    Below,
    Both,
}

struct SelfTuning {
    factor: f64,
    cycle_hours: usize,
    learning: Microseconds,
    side: Side,
    /// Gives the unusual samples; else the usual ones.
    unusual: bool,
    kept: Instances<Baseline>,
}

/// `System.Performance.SelfTuningThreshold`: `Sensitivity` (1 low to 5 high) or `ScaleFactor`; `BusinessCycleHours`
/// (168: a week); `LearningHours` (one cycle); `Side` (Above, Below, Both); `Result` (Unusual, Usual).
///
/// # Errors
/// When a parameter cannot be.
pub fn make(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let factor = match (setup.number::<f64>("ScaleFactor")?, setup.number::<usize>("Sensitivity")?) {
        (Some(factor), _) if factor > 0.0 => factor,
        (Some(factor), _) => return Err(format!("ScaleFactor is {factor}; it has to be above 0")),
        (None, sensitivity) => {
            let sensitivity = sensitivity.unwrap_or(3);
            *[4.01, 3.77, 3.29, 2.81, 2.57]
                .get(sensitivity.wrapping_sub(1))
                .ok_or_else(|| format!("Sensitivity is {sensitivity}; 1 (low) to 5 (high) are allowed"))?
        }
    };
    let cycle_hours = setup.number("BusinessCycleHours")?.unwrap_or(168_usize).clamp(1, 24 * 31);
    let learning = setup.number("LearningHours")?.unwrap_or(i64::try_from(cycle_hours).unwrap_or(168)).max(0);
    let side = match setup.configuration.value("Side").unwrap_or("Both") {
        "Above" => Side::Above,
        "Below" => Side::Below,
        "Both" => Side::Both,
        other => return Err(format!("Side is {other:?}; Above, Below or Both are allowed")),
    };
    let unusual = match setup.configuration.value("Result").unwrap_or("Unusual") {
        "Unusual" => true,
        "Usual" => false,
        other => return Err(format!("Result is {other:?}; Unusual or Usual are allowed")),
    };
    let learning = learning.saturating_mul(HOUR);
    Ok(Box::new(SelfTuning { factor, cycle_hours, learning, side, unusual, kept: Instances::default() }))
}

impl SelfTuning {
    /// Whether a sample is usual, with the bounds; nothing while it learns. Learns from it.
    fn judge(&mut self, key: String, time: Microseconds, value: f64) -> Option<(bool, f64, f64)> {
        let (factor, side, cycle, learning) = (self.factor, self.side, self.cycle_hours, self.learning);
        let baseline = self.kept.of(key);
        let began = *baseline.began.get_or_insert(time);
        baseline.hours.resize(cycle, Hour::default());
        let place = time.div_euclid(HOUR).rem_euclid(i64::try_from(cycle).unwrap_or(1));
        let hour = &mut baseline.hours[usize::try_from(place).unwrap_or(0)];
        let width = factor * hour.variance.sqrt();
        let (low, high) = (hour.mean - width, hour.mean + width);
        let outside = (side != Side::Below && value > high) || (side != Side::Above && value < low);
        let judged = (time - began >= learning && hour.samples > 1).then_some((!outside, low, high));
        hour.samples = hour.samples.saturating_add(1);
        let mut weight = (1.0 / f64::from(hour.samples)).max(SLOWEST);
        if judged.is_some_and(|(usual, _, _)| !usual) {
            weight *= UNUSUAL;
        }
        let difference = value - hour.mean;
        hour.mean += weight * difference;
        hour.variance = (1.0 - weight) * (hour.variance + weight * difference * difference);
        judged
    }
}

impl Module for SelfTuning {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let mut given = Vec::new();
        for item in items {
            let Some((key, measured)) = value(item) else { continue };
            if let Some((usual, low, high)) = self.judge(key, item.time, measured)
                && usual != self.unusual
            {
                let bounds = vec![Node::text("Lower", low.to_string()), Node::text("Upper", high.to_string())];
                given.push(with_value(item, measured, bounds));
            }
        }
        context.emit_all(given);
        Ok(())
    }

    fn save(&self) -> Option<serde_json::Value> {
        self.kept.save()
    }

    fn restore(&mut self, saved: &serde_json::Value) {
        self.kept.restore(saved);
    }
}
