//! `System.CorrelatorCondition`: an item of one input and then, within a time, items of another. And its missing form:
//! that they did not come.

use std::collections::VecDeque;
use std::sync::Arc;

use watchkeeper_model::expression::Expression;
use watchkeeper_model::item::DataItem;
use watchkeeper_model::node::Node;
use watchkeeper_model::xpath::XPath;

use super::filter;
use super::text::nobody;
use crate::system::Microseconds;
use crate::workflow::module::{Context, Failure, Item, Module, SECOND, Setup, number};

/// The type of what comes out: `Item0Context/DataItem` and `Item1Context/DataItem`.
pub const CORRELATED: &str = "System.CorrelatorData";
/// Items that are waited with; the oldest gives way.
const MAX_OPEN: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    First,
    Last,
    ResetWindow,
}

struct Open {
    first: Item,
    /// Which input it came from.
    input: usize,
    end: Microseconds,
    second: Vec<Item>,
}

struct Correlator {
    expression: Option<Expression<XPath>>,
    count: usize,
    interval: Microseconds,
    latency: Microseconds,
    in_sequence: bool,
    policy: Policy,
    missing: bool,
    open: VecDeque<Open>,
    /// What waits for the latency to be over.
    late: VecDeque<(Microseconds, Item)>,
}

/// `System.CorrelatorCondition` and `System.CorrelatorAutoCondition`.
///
/// # Errors
/// When the configuration cannot be understood.
pub fn make(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    new(setup, false)
}

/// `System.CorrelatorMissingCondition`: gives the first item when the others did not come in time.
///
/// # Errors
/// As [`make`].
pub fn missing(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    new(setup, true)
}

fn new(setup: &Setup<'_>, missing: bool) -> Result<Box<dyn Module>, String> {
    let outer = setup.configuration.child("Correlator").unwrap_or(setup.configuration);
    let seconds: i64 = number(outer, "Interval")?.ok_or("the Correlator has no Interval")?;
    if seconds < 1 {
        return Err(format!("Interval is {seconds}; at least 1 is needed"));
    }
    let in_sequence = match outer.value("CorrelationOrder").unwrap_or("InSequence") {
        "InSequence" => true,
        "AnyOrder" => false,
        other => return Err(format!("CorrelationOrder is {other:?}; InSequence or AnyOrder are allowed")),
    };
    let policy = match outer.value("CorrelationItemPolicy").unwrap_or("First") {
        "First" => Policy::First,
        "Last" => Policy::Last,
        "ResetWindow" => Policy::ResetWindow,
        other => return Err(format!("CorrelationItemPolicy is {other:?}; First, Last or ResetWindow are allowed")),
    };
    let expression = outer.child("CorrelationExpression").map(filter::read).transpose()?.flatten();
    Ok(Box::new(Correlator {
        expression,
        count: number(outer, "Count")?.unwrap_or(1_usize).max(1),
        interval: seconds * SECOND,
        latency: number(outer, "Latency")?.unwrap_or(0_i64).max(0) * SECOND,
        in_sequence,
        policy,
        missing,
        open: VecDeque::new(),
        late: VecDeque::new(),
    }))
}

fn correlated(now: Microseconds, first: &Item, second: Option<&Item>) -> DataItem {
    let mut children = vec![Node::new("Item0Context").with_child(first.body.clone())];
    children.extend(second.map(|second| Node::new("Item1Context").with_child(second.body.clone())));
    DataItem::new(CORRELATED, now, nobody(), children)
}

impl Correlator {
    /// Whether two items belong together.
    fn fits(&self, open: &Open, item: &Item, now: Microseconds) -> bool {
        let Some(expression) = &self.expression else { return true };
        let (first, second) = if open.input == 0 { (&open.first, item) } else { (item, &open.first) };
        filter::matches(expression, &correlated(now, first, Some(second)), now)
    }

    fn begin(&mut self, input: usize, item: &Item, now: Microseconds) {
        let same = self.open.iter_mut().find(|open| open.input == input && self.expression.is_none());
        match (same, self.policy) {
            // with an expression each item waits for its own partner
            (Some(_), Policy::First) => return,
            (Some(open), Policy::Last) => {
                open.first = item.clone();
                return;
            }
            (Some(open), Policy::ResetWindow) => {
                *open = Open { first: item.clone(), input, end: now + self.interval, second: Vec::new() };
                return;
            }
            (None, _) => {}
        }
        if self.open.len() >= MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(Open { first: item.clone(), input, end: now + self.interval, second: Vec::new() });
    }

    fn plan(&self, context: &mut Context<'_>) {
        let ends = self.open.iter().map(|open| open.end);
        match ends.chain(self.late.iter().map(|(time, _)| *time)).min() {
            Some(end) => context.wake_at(end),
            None => context.no_wake(),
        }
    }

    fn output(&mut self, item: DataItem, context: &mut Context<'_>) {
        let item = Arc::new(item);
        if self.latency == 0 {
            context.emit(item);
        } else {
            self.late.push_back((context.now + self.latency, item));
        }
    }
}

impl Module for Correlator {
    fn take(&mut self, input: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let now = context.now;
        for item in items {
            let partner =
                self.open.iter().position(|open| open.input != input && open.end > now && self.fits(open, item, now));
            match partner {
                Some(place) => {
                    self.open[place].second.push(item.clone());
                    if self.open[place].second.len() >= self.count
                        && let Some(open) = self.open.remove(place)
                        && !self.missing
                    {
                        let (first, second) = if open.input == 0 { (&open.first, item) } else { (item, &open.first) };
                        self.output(correlated(now, first, Some(second)), context);
                    }
                }
                None if input == 0 || !self.in_sequence => self.begin(input, item, now),
                None => {}
            }
        }
        self.plan(context);
        Ok(())
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        let now = context.now;
        let mut ended = Vec::new();
        self.open.retain(|open| {
            if open.end <= now && self.missing && open.input == 0 {
                ended.push(open.first.clone());
            }
            open.end > now
        });
        for first in ended {
            self.output(correlated(now, &first, None), context);
        }
        while self.late.front().is_some_and(|(time, _)| *time <= now) {
            if let Some((_, item)) = self.late.pop_front() {
                context.emit(item);
            }
        }
        self.plan(context);
        Ok(())
    }
}
