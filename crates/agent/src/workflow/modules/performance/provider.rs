//! Sources of samples: all of them, those that moved, and differences.

use std::collections::VecDeque;
use std::sync::Arc;

use watchkeeper_model::item::{DataItem, Sample};

use super::Instances;
use crate::workflow::module::{Context, Failure, Module, SECOND, Setup};
use crate::workflow::modules::schedule::Frequency;
use crate::workflow::modules::text::nobody;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    All,
    /// 2.4: a sample that moved by more than the tolerance from the last one that was sent, or the longest silence.
    Optimized {
        tolerance: f64,
        percentage: bool,
        separation: u32,
    },
    /// Against so many samples ago.
    Delta {
        samples: usize,
    },
}

#[derive(Debug, Default)]
struct Instance {
    sent: Option<f64>,
    silent: u32,
    before: VecDeque<f64>,
}

struct Provider {
    object: String,
    counter: String,
    instance: String,
    scale: f64,
    seconds: i64,
    frequency: Frequency,
    kind: Kind,
    instances: Instances<Instance>,
}

/// `System.Performance.DataProvider`
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn plain(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    new(setup, Kind::All)
}

/// `System.Performance.OptimizedDataProvider`
///
/// # Errors
/// As [`plain`].
pub fn optimized(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let percentage = match setup.configuration.value("ToleranceType").unwrap_or("Absolute") {
        "Absolute" => false,
        "Percentage" => true,
        other => return Err(format!("ToleranceType is {other:?}; Absolute or Percentage are allowed")),
    };
    let tolerance: f64 = setup.required_number("Tolerance")?;
    if !(tolerance >= 0.0 && tolerance.is_finite()) {
        return Err(format!("Tolerance is {tolerance}; it cannot be less than 0"));
    }
    let separation = setup.number("MaximumSampleSeparation")?.unwrap_or(1_u32).max(1);
    new(setup, Kind::Optimized { tolerance, percentage, separation })
}

/// `System.Performance.DeltaDataProvider`
///
/// # Errors
/// As [`plain`].
pub fn delta(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let samples = setup.number("NumSamples")?.unwrap_or(1_usize).clamp(1, 10_000);
    new(setup, Kind::Delta { samples })
}

fn new(setup: &Setup<'_>, kind: Kind) -> Result<Box<dyn Module>, String> {
    let seconds: i64 = setup.required_number("Frequency")?;
    let all = setup.flag("AllInstances")?.unwrap_or(false);
    let instance = if all { "*" } else { setup.configuration.value("InstanceName").unwrap_or_default() };
    Ok(Box::new(Provider {
        object: setup.required("ObjectName")?.to_owned(),
        counter: setup.required("CounterName")?.to_owned(),
        instance: instance.to_owned(),
        scale: setup.number("ScaleBy")?.unwrap_or(1.0),
        seconds,
        frequency: Frequency::new(seconds, setup.seed)?,
        kind,
        instances: Instances::default(),
    }))
}

impl Instance {
    /// What is given for a sample.
    fn judge(&mut self, kind: Kind, value: f64) -> Option<f64> {
        match kind {
            Kind::All => Some(value),
            Kind::Optimized { tolerance, percentage, separation } => {
                self.silent += 1;
                let moved = self.sent.is_none_or(|sent| {
                    let allowed = if percentage { sent.abs() * tolerance / 100.0 } else { tolerance };
                    (value - sent).abs() > allowed
                });
                if moved || self.silent >= separation {
                    self.sent = Some(value);
                    self.silent = 0;
                    return Some(value);
                }
                None
            }
            Kind::Delta { samples } => {
                let before = (self.before.len() >= samples).then(|| self.before.pop_front()).flatten();
                self.before.push_back(value);
                before.map(|before| value - before)
            }
        }
    }
}

impl Provider {
    fn samples(&self, context: &mut Context<'_>) -> Result<Vec<Sample>, Failure> {
        context
            .platform
            .samples(context.now, self.seconds * SECOND, &self.object, &self.counter, &self.instance)
            .map_err(Failure::new)
    }
}

impl Module for Provider {
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.frequency.plan(context);
        // the base of rates
        self.samples(context).map(|_| ())
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.frequency.plan(context);
        let mut items = Vec::new();
        for mut sample in self.samples(context)? {
            let Some(value) = sample.value.map(|value| value * self.scale).filter(|value| value.is_finite()) else {
                continue;
            };
            let given = self.instances.of(sample.instance.clone()).judge(self.kind, value);
            if given.is_some() {
                sample.value = given;
                items.push(Arc::new(DataItem::performance(context.now, nobody(), &sample)));
            }
        }
        context.emit_all(items);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_samples_that_moved_are_given_or_those_after_the_longest_silence() {
        let absolute = Kind::Optimized { tolerance: 5.0, percentage: false, separation: 4 };
        let percent = Kind::Optimized { tolerance: 10.0, percentage: true, separation: 100 };
        for (kind, values, expected) in [
            (absolute, vec![10.0, 12.0, 15.0, 15.5, 15.5, 15.5], vec![10.0, 15.5]),
            (absolute, vec![1.0; 9], vec![1.0, 1.0, 1.0]),
            (percent, vec![100.0, 110.0, 111.0, 100.0, 99.0], vec![100.0, 111.0, 99.0]),
            (Kind::Delta { samples: 2 }, vec![1.0, 2.0, 4.0, 8.0], vec![3.0, 6.0]),
            (Kind::All, vec![1.0, 1.0], vec![1.0, 1.0]),
        ] {
            let mut instance = Instance::default();
            let given: Vec<f64> = values.into_iter().filter_map(|value| instance.judge(kind, value)).collect();
            assert_eq!(given, expected, "{kind:?}");
        }
    }
}
