//! Thresholds. `ConsecutiveSamplesCondition` and `AverageThreshold` give each sample on, with the count or mean as its
//! value, for the filters that come after; the single and double thresholds are filters themselves.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Instances, value, with_value};
use crate::workflow::module::{Context, Failure, Item, Module, Setup};

/// Which side of a threshold counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `greater`
    Greater,
    /// `greaterequal`
    GreaterEqual,
    /// `less`
    Less,
    /// `lessequal`
    LessEqual,
}

impl Direction {
    /// As packs write it.
    ///
    /// # Errors
    /// When it is none of the four.
    pub fn read(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "greater" => Ok(Self::Greater),
            "greaterequal" => Ok(Self::GreaterEqual),
            "less" => Ok(Self::Less),
            "lessequal" => Ok(Self::LessEqual),
            _ => Err(format!("Direction is {text:?}; greater, greaterequal, less or lessequal are allowed")),
        }
    }

    fn is_past(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Greater => value > threshold,
            Self::GreaterEqual => value >= threshold,
            Self::Less => value < threshold,
            Self::LessEqual => value <= threshold,
        }
    }
}

fn direction(setup: &Setup<'_>) -> Result<Direction, String> {
    Direction::read(setup.configuration.value("Direction").unwrap_or("greater"))
}

struct Consecutive {
    threshold: f64,
    direction: Direction,
    counts: Instances<u64>,
}

/// `System.Performance.ConsecutiveSamplesCondition`: the value is how many samples in a row were past the threshold.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn consecutive(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(Consecutive {
        threshold: setup.required_number("Threshold")?,
        direction: direction(setup)?,
        counts: Instances::default(),
    }))
}

impl Module for Consecutive {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let mut given = Vec::new();
        for item in items {
            let Some((key, value)) = value(item) else { continue };
            let count = self.counts.of(key);
            *count = if self.direction.is_past(value, self.threshold) { *count + 1 } else { 0 };
            given.push(with_value(item, *count as f64, Vec::new()));
        }
        context.emit_all(given);
        Ok(())
    }

    fn save(&self) -> Option<serde_json::Value> {
        self.counts.save()
    }

    fn restore(&mut self, saved: &serde_json::Value) {
        self.counts.restore(saved);
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Samples(VecDeque<f64>);

struct Average {
    samples: usize,
    filter: Option<(Direction, f64)>,
    kept: Instances<Samples>,
}

/// `System.Performance.AverageThreshold`: the value is the mean of the last `NumSamples`, once there are so many; with
/// `Threshold` only means past it are given.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn average(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let samples = setup.required_number::<usize>("NumSamples")?.clamp(1, 10_000);
    let filter = match setup.number("Threshold")? {
        Some(threshold) => Some((direction(setup)?, threshold)),
        None => None,
    };
    Ok(Box::new(Average { samples, filter, kept: Instances::default() }))
}

impl Module for Average {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let mut given = Vec::new();
        for item in items {
            let Some((key, value)) = value(item) else { continue };
            let kept = &mut self.kept.of(key).0;
            kept.push_back(value);
            while kept.len() > self.samples {
                kept.pop_front();
            }
            let mean = kept.iter().sum::<f64>() / kept.len() as f64;
            if kept.len() == self.samples && self.filter.is_none_or(|(direction, limit)| direction.is_past(mean, limit))
            {
                given.push(with_value(item, mean, Vec::new()));
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

struct Band {
    low: Option<(Direction, f64)>,
    not: Option<(Direction, f64)>,
}

/// `System.Performance.SingleThreshold`: samples past `Threshold`.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn single(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(Band { low: Some((direction(setup)?, setup.required_number("Threshold")?)), not: None }))
}

/// `System.Performance.DoubleThreshold`: samples of one of three bands, `Band` being Below, Between or Above of
/// `Threshold1` and `Threshold2`. With `Direction` less, above means less than both.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn double(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let direction = direction(setup)?;
    let first: f64 = setup.required_number("Threshold1")?;
    let second: f64 = setup.required_number("Threshold2")?;
    // the second is the worse one, whichever way round they are given
    let (first, second) = match direction {
        Direction::Greater | Direction::GreaterEqual => (first.min(second), first.max(second)),
        Direction::Less | Direction::LessEqual => (first.max(second), first.min(second)),
    };
    let (low, not) = match setup.required("Band")? {
        "Below" => (None, Some((direction, first))),
        "Between" => (Some((direction, first)), Some((direction, second))),
        "Above" => (Some((direction, second)), None),
        other => return Err(format!("Band is {other:?}; Below, Between or Above are allowed")),
    };
    Ok(Box::new(Band { low, not }))
}

impl Module for Band {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let passes = |item: &&Item| {
            value(item).is_some_and(|(_, value)| {
                self.low.is_none_or(|(direction, limit)| direction.is_past(value, limit))
                    && !self.not.is_some_and(|(direction, limit)| direction.is_past(value, limit))
            })
        };
        context.emit_all(items.iter().filter(passes).cloned().collect());
        Ok(())
    }
}
