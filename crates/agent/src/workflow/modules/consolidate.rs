//! `System.ConsolidatorCondition`: how many items of the same key came in a window.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watchkeeper_model::civil;
use watchkeeper_model::item::{CONSOLIDATED, DataItem};
use watchkeeper_model::node::Node;
use watchkeeper_model::xpath::XPath;

use super::text::nobody;
use crate::system::Microseconds;
use crate::workflow::module::{Context, Failure, Item, Module, SECOND, Setup, number};

/// Keys that are counted at once; the one whose window began first gives way.
const MAX_KEYS: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// `OnNewItemNOP_OnTimerOutputRestart`
    OnTimer,
    /// `OnNewItemTestOutputRestart_OnTimerRestart`
    OnCount,
    /// `OnNewItemTestOutputRestart_OnTimerSlideByOne`
    Sliding,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Window {
    start: Microseconds,
    end: Microseconds,
    times: VecDeque<Microseconds>,
    count: u64,
    last: Option<DataItem>,
}

struct Consolidator {
    keys: Vec<XPath>,
    time: Option<XPath>,
    store: bool,
    interval: Microseconds,
    /// Windows follow each other from the beginning; else the first item begins one.
    generic: bool,
    count: u64,
    mode: Mode,
    windows: BTreeMap<String, Window>,
}

/// Makes one.
///
/// # Errors
/// When the configuration cannot be understood.
pub fn make(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let outer = setup.configuration.child("Consolidator").unwrap_or(setup.configuration);
    let keys = outer.child("ConsolidationProperties").map(|properties| {
        properties
            .children_named("PropertyXPathQuery")
            .map(|query| XPath::parse(&query.text).map_err(|error| error.to_string()))
            .collect::<Result<Vec<_>, _>>()
    });
    let control = outer.child("TimeControl").ok_or("the Consolidator has no TimeControl")?;
    let (generic, schedule) = match (control.child("GenericSchedule"), control.child("WithinTimeSchedule")) {
        (Some(schedule), _) => (true, schedule),
        (None, Some(schedule)) => (false, schedule),
        (None, None) => return Err("TimeControl has neither GenericSchedule nor WithinTimeSchedule".to_owned()),
    };
    let interval = interval(schedule)?;
    let condition = outer.child("CountingCondition").ok_or("the Consolidator has no CountingCondition")?;
    let mode = match condition.value("CountMode").unwrap_or_default() {
        "OnNewItemNOP_OnTimerOutputRestart" => Mode::OnTimer,
        "OnNewItemTestOutputRestart_OnTimerRestart" => Mode::OnCount,
        "OnNewItemTestOutputRestart_OnTimerSlideByOne" => Mode::Sliding,
        other => return Err(format!("CountMode {other:?} is not known")),
    };
    Ok(Box::new(Consolidator {
        keys: keys.transpose()?.unwrap_or_default(),
        time: outer
            .value("TimeXPathQuery")
            .map(|query| XPath::parse(query).map_err(|error| error.to_string()))
            .transpose()?,
        store: outer.value("StoreState").is_some_and(|text| text.eq_ignore_ascii_case("true")),
        interval: interval * SECOND,
        generic,
        count: number(condition, "Count")?.unwrap_or(1),
        mode,
        windows: BTreeMap::new(),
    }))
}

/// `Interval`, with a unit where it has one; the generic schedule may hold a recurring one.
fn interval(schedule: &Node) -> Result<i64, String> {
    let inner = schedule
        .child("SimpleReccuringSchedule")
        .or_else(|| schedule.child("Scheduler").and_then(|inner| inner.child("SimpleReccuringSchedule")))
        .unwrap_or(schedule);
    let element = inner.child("Interval").ok_or("the schedule has no Interval")?;
    let unit = match element.attribute("Unit").unwrap_or("Seconds") {
        "Minutes" => 60,
        "Hours" => 3_600,
        "Days" => 86_400,
        _ => 1,
    };
    match element.text.trim().parse::<i64>() {
        Ok(count) if count > 0 => Ok(count.saturating_mul(unit)),
        _ => Err(format!("Interval is {:?}; a whole number above 0 is needed", element.text.trim())),
    }
}

impl Consolidator {
    /// One window for all items, also where none comes: to notice that something is missing.
    fn counts_nothing(&self) -> bool {
        self.count == 0 && self.mode == Mode::OnTimer && self.keys.is_empty()
    }

    fn output(window: &Window) -> DataItem {
        let first = window.times.front().copied().unwrap_or(window.start);
        let last = window.times.back().copied().unwrap_or(window.end);
        let mut children = vec![
            Node::text("TimeWindowStart", civil::format_time(window.start)),
            Node::text("TimeWindowEnd", civil::format_time(window.end)),
            Node::text("TimeFirst", civil::format_time(first)),
            Node::text("TimeLast", civil::format_time(last)),
            Node::text("Count", window.count.to_string()),
        ];
        let source = window.last.as_ref().map_or_else(nobody, |item| item.source);
        children.extend(window.last.as_ref().map(|item| Node::new("Context").with_child(item.body.clone())));
        DataItem::new(CONSOLIDATED, last, source, children)
    }

    fn plan(&self, context: &mut Context<'_>) {
        match self.windows.values().map(|window| window.end).min() {
            Some(end) => context.wake_at(end),
            None => context.no_wake(),
        }
    }

    fn open(&self, now: Microseconds) -> Window {
        Window { start: now, end: now + self.interval, times: VecDeque::new(), count: 0, last: None }
    }
}

impl Module for Consolidator {
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        if self.counts_nothing() && self.windows.is_empty() {
            self.windows.insert(String::new(), self.open(context.now));
        }
        self.plan(context);
        Ok(())
    }

    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        for item in items {
            let mut key = String::new();
            for query in &self.keys {
                key.push_str(&item.value(query).unwrap_or_default());
                key.push('\u{1f}');
            }
            let time = self.time.as_ref().and_then(|query| civil::parse_time(&item.value(query)?)).unwrap_or(item.time);
            if !self.windows.contains_key(&key) && self.windows.len() >= MAX_KEYS {
                let oldest = self.windows.iter().min_by_key(|(_, window)| window.start).map(|(key, _)| key.clone());
                self.windows.remove(&oldest.unwrap_or_default());
            }
            let opened = self.open(context.now);
            let window = self.windows.entry(key.clone()).or_insert(opened);
            window.times.push_back(time);
            window.count += 1;
            window.last = Some(DataItem::clone(item));
            match self.mode {
                Mode::OnTimer => {
                    // only the first and the last time are told
                    if window.times.len() > 2 {
                        window.times.remove(1);
                    }
                }
                Mode::OnCount if window.count >= self.count => {
                    let mut done = window.clone();
                    done.end = time;
                    context.emit(Arc::new(Self::output(&done)));
                    self.windows.remove(&key);
                }
                Mode::OnCount => {}
                Mode::Sliding => {
                    while window.times.front().is_some_and(|first| *first <= time - self.interval) {
                        window.times.pop_front();
                    }
                    window.count = window.times.len() as u64;
                    window.start = window.times.front().copied().unwrap_or(time);
                    window.end = context.now + self.interval;
                    if window.count >= self.count {
                        let mut done = window.clone();
                        done.end = time;
                        context.emit(Arc::new(Self::output(&done)));
                        self.windows.remove(&key);
                    }
                }
            }
        }
        self.plan(context);
        Ok(())
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        let now = context.now;
        let ended: Vec<String> =
            self.windows.iter().filter(|(_, window)| window.end <= now).map(|(key, _)| key.clone()).collect();
        for key in ended {
            let Some(window) = self.windows.remove(&key) else { continue };
            let is_due = self.mode == Mode::OnTimer
                && if self.counts_nothing() { window.count == 0 } else { window.count >= self.count.max(1) };
            if is_due {
                context.emit(Arc::new(Self::output(&window)));
            }
            if self.counts_nothing() || (self.generic && window.count > 0 && self.mode != Mode::Sliding) {
                let mut next = self.open(window.end.max(now - self.interval));
                next.end = next.end.max(now + 1);
                self.windows.insert(key, next);
            }
        }
        self.plan(context);
        Ok(())
    }

    fn save(&self) -> Option<serde_json::Value> {
        (self.store && !self.windows.is_empty()).then(|| serde_json::to_value(&self.windows).ok()).flatten()
    }

    fn restore(&mut self, saved: &serde_json::Value) {
        if let Ok(windows) = serde_json::from_value(saved.clone()) {
            self.windows = windows;
        }
    }
}
