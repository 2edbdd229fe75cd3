//! Plugins about who comes, comes back and stays: `active_users_count`, `activity_counts_metrics`,
//! `activity_engagement`, `activity_metrics`, `new_activity_metrics`, `session_count`. Reference: the pages of these
//! plugins.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;

use super::{Room, Work, column, from_scalars, key_of};
use crate::functions::datetime::{Period, start_of};

/// Windows that an analysis may have.
const MOST_WINDOWS: i64 = 100_000;
/// Windows of which each is compared with each.
const MOST_COHORTS: usize = 2_000;

/// The windows of an analysis, in the unit of its timeline.
#[derive(Debug, Clone, Copy)]
pub enum Window {
    Fixed(i64),
    Calendar(Period),
}

/// What is counted in each window.
#[derive(Debug)]
pub enum Metric {
    ActiveUsers {
        lookback: i64,
        period: i64,
        active_periods: i64,
        bin: i64,
    },
    Counts {
        window: Window,
    },
    Engagement {
        inner: i64,
        outer: i64,
    },
    Changes {
        window: Window,
    },
    /// Of the cohort that begins in this window, or of each. `lookback`: who is in the second input is never new.
    New {
        window: Window,
        cohort: Option<i64>,
        lookback: Option<String>,
    },
    Sessions {
        bin: i64,
        lookback: i64,
    },
}

/// A plugin's call.
#[derive(Debug)]
pub struct Activity {
    pub metric: Metric,
    pub id: String,
    pub timeline: String,
    /// First and last instant of the analysis.
    pub from: i64,
    pub to: i64,
    pub dimensions: Vec<String>,
}

/// One row of the result besides its dimensions.
struct Row {
    times: Vec<i64>,
    longs: Vec<i64>,
    reals: Vec<f64>,
}

/// Times of those with the same dimensions, in order, each with the number of its id.
type Events = Vec<(i64, u32)>;

impl Work for Activity {
    fn name(&self) -> &'static str {
        match self.metric {
            Metric::ActiveUsers { .. } => "active_users_count",
            Metric::Counts { .. } => "activity_counts_metrics",
            Metric::Engagement { .. } => "activity_engagement",
            Metric::Changes { .. } => "activity_metrics",
            Metric::New { .. } => "new_activity_metrics",
            Metric::Sessions { .. } => "session_count",
        }
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        self.check()?;
        let input = &inputs[0];
        let timeline = column(input, &self.timeline)?;
        let times = cast(timeline, &DataType::Int64)?;
        let times = times.as_primitive::<Int64Type>();
        let ids = column(input, &self.id)?;
        let dimensions = self.dimensions.iter().map(|name| column(input, name).cloned()).collect::<Result<Vec<_>>>()?;
        room.grow(input.num_rows() * 48)?;

        let mut numbers: HashMap<ScalarValue, u32> = HashMap::new();
        let mut groups: Vec<(Vec<ScalarValue>, Events)> = Vec::new();
        let mut known: HashMap<Vec<ScalarValue>, usize> = HashMap::new();
        for row in (0..input.num_rows()).filter(|row| times.is_valid(*row)) {
            let next = numbers.len() as u32;
            let number = *numbers.entry(ScalarValue::try_from_array(ids, row)?).or_insert(next);
            let key = key_of(&dimensions, row)?;
            let at = *known.entry(key.clone()).or_insert_with(|| {
                groups.push((key, Events::new()));
                groups.len() - 1
            });
            groups[at].1.push((times.value(row), number));
        }
        let known_before = self.known_before(inputs, &numbers)?;

        let mut rows: Vec<(usize, Row)> = Vec::new();
        for (at, (_, events)) in groups.iter_mut().enumerate() {
            events.sort_unstable();
            rows.extend(self.rows(events, &known_before, room)?.into_iter().map(|row| (at, row)));
        }
        let time = |at: usize| -> Result<ArrayRef> {
            let values =
                rows.iter().map(|(_, row)| ScalarValue::Int64(Some(row.times[at])).cast_to(timeline.data_type()));
            from_scalars(values.collect::<Result<Vec<_>>>()?, timeline.data_type())
        };
        let (times, longs, reals) = self.shape();
        let mut arrays = (0..times).map(time).collect::<Result<Vec<_>>>()?;
        for (at, dimension) in dimensions.iter().enumerate() {
            let values = rows.iter().map(|(group, _)| groups[*group].0[at].clone()).collect();
            arrays.push(from_scalars(values, dimension.data_type())?);
        }
        for at in 0..longs {
            arrays.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, row)| row.longs[at]))));
        }
        for at in 0..reals {
            arrays.push(Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, row)| row.reals[at]))));
        }
        Ok(arrays)
    }
}

impl Activity {
    /// How many columns of time, of whole numbers and of real numbers there are.
    fn shape(&self) -> (usize, usize, usize) {
        match self.metric {
            Metric::ActiveUsers { .. } | Metric::Sessions { .. } => (1, 1, 0),
            Metric::Counts { .. } => (1, 4, 0),
            Metric::Engagement { .. } => (1, 2, 1),
            Metric::Changes { .. } => (1, 2, 2),
            Metric::New { .. } => (2, 3, 2),
        }
    }

    fn check(&self) -> Result<()> {
        let (step, others) = match self.metric {
            Metric::ActiveUsers { lookback, period, active_periods, bin } => {
                (bin, vec![lookback, period, active_periods])
            }
            Metric::Engagement { inner, outer } => (inner, vec![outer]),
            Metric::Sessions { bin, lookback } => (bin, vec![lookback]),
            Metric::Counts { window } | Metric::Changes { window } | Metric::New { window, .. } => match window {
                Window::Fixed(step) => (step, vec![]),
                Window::Calendar(_) => return Ok(()),
            },
        };
        let name = self.name();
        if step <= 0 || others.iter().any(|other| *other <= 0) {
            return exec_err!("{name} needs windows, steps and counts that are greater than zero");
        }
        if self.to.saturating_sub(self.from) / step > MOST_WINDOWS {
            return exec_err!(
                "{name} has more than {MOST_WINDOWS} windows between its start and its end: make them longer"
            );
        }
        Ok(())
    }

    /// Numbers of those ids that the second input has.
    fn known_before(&self, inputs: &[RecordBatch], numbers: &HashMap<ScalarValue, u32>) -> Result<HashSet<u32>> {
        let Metric::New { lookback: Some(name), .. } = &self.metric else { return Ok(HashSet::new()) };
        let ids = column(&inputs[1], name)?;
        let mut found = HashSet::new();
        for row in 0..ids.len() {
            found.extend(numbers.get(&ScalarValue::try_from_array(ids, row)?));
        }
        Ok(found)
    }

    fn rows(&self, events: &Events, known_before: &HashSet<u32>, room: &Room) -> Result<Vec<Row>> {
        match &self.metric {
            Metric::ActiveUsers { lookback, period, active_periods, bin } => {
                self.active(events, *lookback, *period, *active_periods, *bin, room)
            }
            Metric::Counts { window } => Ok(self.counts(events, *window)),
            Metric::Engagement { inner, outer } => self.engagement(events, *inner, *outer, room),
            Metric::Changes { window } => Ok(self.changes(events, *window)),
            Metric::New { window, cohort, .. } => self.new_ones(events, *window, *cohort, known_before, room),
            Metric::Sessions { bin, lookback } => self.sessions(events, *bin, *lookback, room),
        }
    }

    /// The start of the window that an instant is in.
    fn start(&self, at: i64, window: Window) -> i64 {
        match window {
            Window::Fixed(step) => self.from + (at - self.from).div_euclid(step) * step,
            Window::Calendar(period) => start_of(at, period, 0).unwrap_or(at),
        }
    }

    /// The start of the window that is so many after the one that begins at an instant.
    fn further(start: i64, window: Window, by: i64) -> i64 {
        match window {
            Window::Fixed(step) => start.saturating_add(by.saturating_mul(step)),
            Window::Calendar(period) => start_of(start, period, by).unwrap_or(i64::MAX),
        }
    }

    fn within<'e>(&self, events: &'e Events) -> impl Iterator<Item = &'e (i64, u32)> {
        let (from, to) = (self.from, self.to);
        events.iter().filter(move |(at, _)| (from..=to).contains(at))
    }

    /// Who came in each window that somebody came in.
    fn windows(&self, events: &Events, window: Window) -> BTreeMap<i64, BTreeSet<u32>> {
        let mut windows: BTreeMap<i64, BTreeSet<u32>> = BTreeMap::new();
        for (at, id) in self.within(events) {
            windows.entry(self.start(*at, window)).or_default().insert(*id);
        }
        windows
    }

    fn times_by_id(events: &Events) -> BTreeMap<u32, Vec<i64>> {
        let mut times: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        events.iter().for_each(|(at, id)| times.entry(*id).or_default().push(*at));
        times
    }

    /// An id is active at a time when it came in so many periods of the lookback that ends with that time, what came
    /// before the analysis included. The lookback's own beginning is not part of it.
    fn active(
        &self,
        events: &Events,
        lookback: i64,
        period: i64,
        least: i64,
        bin: i64,
        room: &Room,
    ) -> Result<Vec<Row>> {
        let mut active: BTreeMap<i64, BTreeSet<u32>> = BTreeMap::new();
        for (id, times) in Self::times_by_id(events) {
            room.check()?;
            // which of the periods that the id came in, counted from the first
            let mut ranks = Vec::with_capacity(times.len());
            for (at, time) in times.iter().enumerate() {
                let again = at > 0 && times[at - 1].div_euclid(period) == time.div_euclid(period);
                ranks.push(ranks.last().map_or(0, |rank| rank + i64::from(!again)));
            }
            let mut first = 0;
            for (at, time) in times.iter().enumerate() {
                while times[first] <= time.saturating_sub(lookback) {
                    first += 1;
                }
                if (self.from..=self.to).contains(time) && ranks[at] - ranks[first] + 1 >= least {
                    active.entry(self.start(*time, Window::Fixed(bin))).or_default().insert(id);
                }
            }
        }
        Ok(active
            .into_iter()
            .map(|(at, ids)| Row { times: vec![at], longs: vec![ids.len() as i64], reals: vec![] })
            .collect())
    }

    fn counts(&self, events: &Events, window: Window) -> Vec<Row> {
        let mut all: BTreeMap<i64, i64> = BTreeMap::new();
        for (at, _) in self.within(events) {
            *all.entry(self.start(*at, window)).or_default() += 1;
        }
        let mut seen: HashSet<u32> = HashSet::new();
        let rows = self.windows(events, window).into_iter().map(|(at, ids)| {
            let distinct = ids.len() as i64;
            let new = ids.into_iter().filter(|id| seen.insert(*id)).count() as i64;
            Row { times: vec![at], longs: vec![all[&at], distinct, new, seen.len() as i64], reals: vec![] }
        });
        rows.collect()
    }

    /// Distinct ids of each window, and of the longer one that ends with it.
    fn engagement(&self, events: &Events, inner: i64, outer: i64, room: &Room) -> Result<Vec<Row>> {
        let windows = self.windows(events, Window::Fixed(inner)).into_iter();
        let rows = windows.map(|(at, ids)| {
            room.check()?;
            let end = at.saturating_add(inner).min(self.to.saturating_add(1));
            let first = events.partition_point(|(time, _)| *time < at.saturating_add(inner).saturating_sub(outer));
            let last = events.partition_point(|(time, _)| *time < end);
            let around: HashSet<u32> = events[first.min(last)..last].iter().map(|(_, id)| *id).collect();
            let (inside, around) = (ids.len() as i64, around.len() as i64);
            Ok(Row { times: vec![at], longs: vec![inside, around], reals: vec![inside as f64 / around as f64] })
        });
        rows.collect()
    }

    /// Each window beside the one before it.
    fn changes(&self, events: &Events, window: Window) -> Vec<Row> {
        let windows = self.windows(events, window);
        let none = BTreeSet::new();
        let rows = windows.iter().map(|(at, ids)| {
            let before = windows.get(&Self::further(*at, window, -1)).unwrap_or(&none);
            let returned = ids.intersection(before).count();
            // not a number where nobody was there before
            let share = |count: usize| count as f64 / before.len() as f64;
            let longs = vec![ids.len() as i64, (ids.len() - returned) as i64];
            Row { times: vec![*at], longs, reals: vec![share(returned), share(before.len() - returned)] }
        });
        rows.collect()
    }

    /// Those who came first in a window, in it and in each later one.
    fn new_ones(
        &self,
        events: &Events,
        window: Window,
        cohort: Option<i64>,
        known_before: &HashSet<u32>,
        room: &Room,
    ) -> Result<Vec<Row>> {
        let mut windows = self.windows(events, window);
        let mut at = self.start(self.from, window);
        while at <= self.to {
            windows.entry(at).or_default();
            if windows.len() > MOST_COHORTS {
                return exec_err!(
                    "{} compares at most {MOST_COHORTS} windows with one another: make them longer",
                    self.name()
                );
            }
            at = Self::further(at, window, 1);
        }
        let mut first: HashMap<u32, i64> = known_before.iter().map(|id| (*id, i64::MIN)).collect();
        for (at, ids) in &windows {
            ids.iter().for_each(|id| {
                first.entry(*id).or_insert(*at);
            });
        }
        let chosen = cohort.map(|at| self.start(at, window));
        let mut rows = Vec::new();
        for (from, ids) in windows.iter().filter(|(at, _)| chosen.is_none_or(|chosen| chosen == **at)) {
            room.check()?;
            let cohort: BTreeSet<u32> = ids.iter().filter(|id| first[id] == *from).copied().collect();
            if cohort.is_empty() {
                continue;
            }
            for (to, ids) in windows.range(from..) {
                let retained = ids.intersection(&cohort).count();
                let new = match to == from {
                    true => cohort.len(),
                    false => ids.iter().filter(|id| first[id] > *from).count(),
                };
                let gone = cohort.len() - retained;
                let share = |count: usize| count as f64 / cohort.len() as f64;
                rows.push(Row {
                    times: vec![*from, *to],
                    longs: vec![new as i64, retained as i64, gone as i64],
                    reals: vec![share(retained), share(gone)],
                });
            }
        }
        Ok(rows)
    }

    /// Sessions that have an event in a window. One goes on as long as its id comes again within the lookback.
    fn sessions(&self, events: &Events, bin: i64, lookback: i64, room: &Room) -> Result<Vec<Row>> {
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        for times in Self::times_by_id(events).into_values() {
            room.check()?;
            let (mut before, mut counted) = (None, None);
            for time in times {
                let goes_on = before.is_some_and(|before: i64| time.saturating_sub(before) <= lookback);
                before = Some(time);
                let window = self.start(time, Window::Fixed(bin));
                if (self.from..=self.to).contains(&time) && !(goes_on && counted == Some(window)) {
                    *counts.entry(window).or_default() += 1;
                    counted = Some(window);
                }
            }
        }
        Ok(counts.into_iter().map(|(at, count)| Row { times: vec![at], longs: vec![count], reals: vec![] }).collect())
    }
}
