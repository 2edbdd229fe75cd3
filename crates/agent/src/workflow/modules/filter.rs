//! Conditions on single items and sets, and the two that resets are made of.

use std::collections::VecDeque;

use watchkeeper_model::expression::Expression;
use watchkeeper_model::item::DataItem;
use watchkeeper_model::node::Node;
use watchkeeper_model::xpath::XPath;

use super::schedule::local_offset;
use super::text::nobody;
use crate::system::Microseconds;
use crate::workflow::module::{Context, Failure, Item, Module, SECOND, Setup, number};

/// The condition in an element that has a child `Expression`.
pub(super) fn read(configuration: &Node) -> Result<Option<Expression<XPath>>, String> {
    let Some(element) = configuration.child("Expression").filter(|element| !element.children.is_empty()) else {
        return Ok(None);
    };
    Expression::read(element)
        .map(Some)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Whether an item fulfils a condition.
pub(super) fn matches(expression: &Expression<XPath>, item: &DataItem, now: Microseconds) -> bool {
    let local = watchkeeper_model::expression::LocalItem { item, utc_offset_seconds: local_offset(now) };
    expression.matches(&local)
}

struct PassThrough;

impl Module for PassThrough {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        context.emit_all(items.to_vec());
        Ok(())
    }
}

/// `System.PassThroughProbe`: gives what it takes.
///
/// # Errors
/// Never.
pub fn pass_through(_: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(PassThrough))
}

struct Never;

impl Module for Never {}

/// `System.NeverCondition`: gives nothing. The healthy state of a monitor that only a person resets.
///
/// # Errors
/// Never.
pub fn never(_: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(Never))
}

/// How often in how many, or how soon, a match has to come before it counts.
struct Suppression {
    matches: usize,
    samples: Option<usize>,
    within: Option<Microseconds>,
    seen: VecDeque<(Microseconds, bool)>,
}

impl Suppression {
    fn read(configuration: &Node) -> Result<Option<Self>, String> {
        let Some(settings) = configuration.child("SuppressionSettings") else { return Ok(None) };
        let matches = number(settings, "MatchCount")?.unwrap_or(1_usize).clamp(1, 100_000);
        let samples = number::<usize>(settings, "SampleCount")?.filter(|count| *count > 0);
        if samples.is_some_and(|samples| samples < matches) {
            return Err(format!("SampleCount is less than MatchCount ({matches})"));
        }
        let within = number::<i64>(settings, "WithinSeconds")?.filter(|seconds| *seconds > 0);
        Ok(Some(Self { matches, samples, within: within.map(|seconds| seconds * SECOND), seen: VecDeque::new() }))
    }

    /// Whether this match is the one that counts.
    fn admits(&mut self, matched: bool, time: Microseconds) -> bool {
        if self.samples.is_none() && self.within.is_none() && !matched {
            // matches in a row
            self.seen.clear();
            return false;
        }
        self.seen.push_back((time, matched));
        if let Some(within) = self.within {
            while self.seen.front().is_some_and(|(first, _)| *first < time - within) {
                self.seen.pop_front();
            }
        }
        let most = self.samples.unwrap_or(if self.within.is_some() { usize::MAX } else { self.matches });
        while self.seen.len() > most {
            self.seen.pop_front();
        }
        // without bound on samples only matches are kept
        if self.samples.is_none() {
            self.seen.retain(|(_, matched)| *matched);
            while self.seen.len() > self.matches {
                self.seen.pop_front();
            }
        }
        matched && self.seen.iter().filter(|(_, matched)| *matched).count() >= self.matches
    }
}

struct Filter {
    expression: Expression<XPath>,
    suppression: Option<Suppression>,
}

/// `System.ExpressionFilter`: `Expression`, `SuppressionSettings`.
///
/// # Errors
/// When the expression cannot be understood.
pub fn expression(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let expression = read(setup.configuration)?.ok_or("the parameter Expression is missing")?;
    Ok(Box::new(Filter { expression, suppression: Suppression::read(setup.configuration)? }))
}

impl Module for Filter {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let mut passed = Vec::new();
        for item in items {
            let matched = matches(&self.expression, item, context.now);
            let admitted = match &mut self.suppression {
                None => matched,
                Some(suppression) => suppression.admits(matched, item.time),
            };
            if admitted {
                passed.push(item.clone());
            }
        }
        context.emit_all(passed);
        Ok(())
    }
}

struct LogicalSet {
    expression: Expression<XPath>,
    all: bool,
    empty_passes: bool,
}

/// `System.LogicalSet.ExpressionFilter`: `Expression`, `EmptySet` (Passthrough or Block), `SetEvaluation` (All or Any).
///
/// # Errors
/// When the configuration cannot be understood.
pub fn logical_set(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let expression = read(setup.configuration)?.ok_or("the parameter Expression is missing")?;
    let all = match setup.configuration.value("SetEvaluation").unwrap_or("Any") {
        "All" => true,
        "Any" => false,
        other => return Err(format!("SetEvaluation is {other:?}; All or Any are allowed")),
    };
    let empty_passes = match setup.configuration.value("EmptySet").unwrap_or("Block") {
        "Passthrough" | "PassThrough" => true,
        "Block" => false,
        other => return Err(format!("EmptySet is {other:?}; Passthrough or Block are allowed")),
    };
    Ok(Box::new(LogicalSet { expression, all, empty_passes }))
}

impl Module for LogicalSet {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let count = items.iter().filter(|item| matches(&self.expression, item, context.now)).count();
        let passes = match items.len() {
            0 => self.empty_passes,
            all if self.all => count == all,
            _ => count > 0,
        };
        if passes && items.is_empty() {
            context.emit(DataItem::trigger(context.now, nobody()));
        } else if passes {
            context.emit_all(items.to_vec());
        }
        Ok(())
    }
}

struct Timer {
    wait: Microseconds,
    due: Option<Microseconds>,
}

/// `System.TimerResetCondition`: gives a trigger `TimerWaitInSeconds` after the last item. The healthy state of a
/// monitor that time resets.
///
/// # Errors
/// When the time is missing.
pub fn timer(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let seconds: i64 = setup.required_number("TimerWaitInSeconds")?;
    if seconds < 1 {
        return Err(format!("TimerWaitInSeconds is {seconds}; at least 1 is needed"));
    }
    Ok(Box::new(Timer { wait: seconds * SECOND, due: None }))
}

impl Module for Timer {
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        if let Some(due) = self.due {
            context.wake_at(due);
        }
        Ok(())
    }

    fn take(&mut self, _: usize, _: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        self.due = Some(context.now + self.wait);
        context.wake_at(context.now + self.wait);
        Ok(())
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.due = None;
        context.emit(DataItem::trigger(context.now, nobody()));
        Ok(())
    }

    fn save(&self) -> Option<serde_json::Value> {
        self.due.map(Into::into)
    }

    fn restore(&mut self, saved: &serde_json::Value) {
        self.due = saved.as_i64();
    }
}
