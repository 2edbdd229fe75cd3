//! Schedulers: when a workflow runs.

use chrono::{Local, Offset, TimeZone};
use uuid::Uuid;
use watchkeeper_model::civil;
use watchkeeper_model::item::DataItem;
use watchkeeper_model::node::Node;

use super::text::nobody;
use crate::system::Microseconds;
use crate::workflow::module::{Context, Failure, Module, SECOND, Setup};

const DAY: i64 = civil::DAY_SECONDS;
/// A workflow with a longer interval runs for the first time within this time.
const FIRST_WITHIN: i64 = 60;
/// Days that are searched for one that is not excluded.
const SEARCH_DAYS: i64 = 3_660;

/// When; all in seconds, and days by the local calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Times {
    /// Every so often; with a time of day that the times go through.
    Every { seconds: i64, sync: Option<i64> },
    /// Seconds of the day, and the days as bits (1 Sunday to 64 Saturday).
    Weekly(Vec<(i64, u32)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Schedule {
    times: Times,
    /// First and last excluded day, as days since 1970.
    excluded: Vec<(i64, i64)>,
    /// Where in the interval this one's times are.
    phase: i64,
}

struct Scheduler {
    schedule: Schedule,
    started: bool,
}

/// `System.SimpleScheduler`: `IntervalSeconds`, `SyncTime`.
///
/// # Errors
/// When a parameter cannot be.
pub fn simple(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let seconds = setup.required_number("IntervalSeconds")?;
    let sync = setup.configuration.value("SyncTime").map(time_of_day).transpose()?;
    every(seconds, sync, Vec::new(), setup.seed)
}

fn every(seconds: i64, sync: Option<i64>, excluded: Vec<(i64, i64)>, seed: Uuid) -> Result<Box<dyn Module>, String> {
    if !(1..=366 * DAY).contains(&seconds) {
        return Err(format!("the interval is {seconds} s; 1 s to a year are allowed"));
    }
    let schedule = Schedule { times: Times::Every { seconds, sync }, excluded, phase: phase(seed, seconds) };
    Ok(Box::new(Scheduler { schedule, started: false }))
}

/// `System.Scheduler` and `System.Discovery.Scheduler`: `Scheduler/SimpleReccuringSchedule` or `…/WeeklySchedule`, and
/// `ExcludeDates`.
///
/// # Errors
/// When the schedule cannot be understood.
pub fn scheduler(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let outer = setup.configuration.child("Scheduler").unwrap_or(setup.configuration);
    let excluded = outer.child("ExcludeDates").map(excluded).transpose()?.unwrap_or_default();
    if let Some(simple) = outer.child("SimpleReccuringSchedule").or_else(|| outer.child("SimpleRecurringSchedule")) {
        let interval = simple.child("Interval").ok_or("SimpleReccuringSchedule has no Interval")?;
        let count: i64 = interval
            .text
            .trim()
            .parse()
            .map_err(|_| format!("Interval is {:?}, which is not a whole number", interval.text.trim()))?;
        let unit = match interval.attribute("Unit").unwrap_or("Seconds") {
            "Seconds" => 1,
            "Minutes" => 60,
            "Hours" => 3_600,
            "Days" => DAY,
            other => return Err(format!("Unit is {other:?}; Seconds, Minutes, Hours or Days are allowed")),
        };
        let sync = simple.value("SyncTime").map(time_of_day).transpose()?;
        return every(count.saturating_mul(unit), sync, excluded, setup.seed);
    }
    let weekly =
        outer.child("WeeklySchedule").ok_or("the Scheduler has neither SimpleReccuringSchedule nor WeeklySchedule")?;
    let windows = weekly.child("Windows").unwrap_or(weekly);
    let mut times = Vec::new();
    for daily in windows.children_named("Daily") {
        let start = time_of_day(daily.value("Start").ok_or("a Daily window has no Start")?)?;
        let mask: u32 = crate::workflow::module::number(daily, "DaysOfWeekMask")?.unwrap_or(127);
        if mask & 127 == 0 {
            return Err("DaysOfWeekMask names no day".to_owned());
        }
        times.push((start, mask & 127));
    }
    if times.is_empty() {
        return Err("WeeklySchedule has no Daily window".to_owned());
    }
    let schedule = Schedule { times: Times::Weekly(times), excluded, phase: phase(setup.seed, 30) };
    Ok(Box::new(Scheduler { schedule, started: false }))
}

/// A stable place in an interval: whole seconds, so that workflows that fall together are one wake-up.
fn phase(seed: Uuid, interval: i64) -> i64 {
    let (high, low) = seed.as_u64_pair();
    i64::try_from((high ^ low) % u64::try_from(interval.max(1)).unwrap_or(1)).unwrap_or(0)
}

fn time_of_day(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a time of day (HH:MM)");
    let mut parts = text.trim().split(':');
    let mut part = |limit: i64, needed: bool| match parts.next() {
        Some(part) => part.parse::<i64>().ok().filter(|number| (0..limit).contains(number)).ok_or_else(wrong),
        None if needed => Err(wrong()),
        None => Ok(0),
    };
    Ok(part(24, true)? * 3_600 + part(60, true)? * 60 + part(60, false)?)
}

fn excluded(node: &Node) -> Result<Vec<(i64, i64)>, String> {
    let mut found = Vec::new();
    for interval in &node.children {
        let start = date(interval.value("StartDate").ok_or("an excluded interval has no StartDate")?)?;
        let end = interval.value("EndDate").map_or(Ok(start), date)?;
        found.push((start, end));
    }
    Ok(found)
}

/// `YYYY-MM-DD…` or `MM/DD/YYYY`, as days since 1970.
fn date(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a date (YYYY-MM-DD or MM/DD/YYYY)");
    let text = text.trim();
    if let [month, day, year] = text.split('/').collect::<Vec<_>>().as_slice() {
        let number = |part: &str| part.parse::<u32>().map_err(|_| wrong());
        let (month, day, year) = (number(month)?, number(day)?, i64::from(number(year)?));
        if !(1..=12).contains(&month) || day == 0 || day > civil::days_in_month(year, month) {
            return Err(wrong());
        }
        return Ok(civil::days_from_date(year, month, day));
    }
    civil::parse_time(text).map(|time| time.div_euclid(SECOND * DAY)).ok_or_else(wrong)
}

/// Seconds by which local time is ahead of UTC.
pub(super) fn local_offset(now: Microseconds) -> i64 {
    Local.timestamp_micros(now).single().map_or(0, |time| i64::from(time.offset().fix().local_minus_utc()))
}

impl Schedule {
    /// The first time after `now` (with `started` false: from `now` on), in microseconds. `offset`: local time.
    fn next(&self, now: Microseconds, offset: i64, started: bool) -> Option<Microseconds> {
        let mut from = now.div_euclid(SECOND) + i64::from(started || now.rem_euclid(SECOND) > 0);
        for _ in 0..SEARCH_DAYS {
            let time = self.next_second(from, offset, started)?;
            let day = (time + offset).div_euclid(DAY);
            match self.excluded.iter().find(|(first, last)| (*first..=*last).contains(&day)) {
                None => return Some(time * SECOND),
                Some((_, last)) => from = (last + 1) * DAY - offset,
            }
        }
        None
    }

    fn next_second(&self, from: i64, offset: i64, started: bool) -> Option<i64> {
        match &self.times {
            Times::Every { seconds, sync } => {
                let place = match sync {
                    // a day's times go through the time of day, whatever the interval
                    Some(sync) if DAY % seconds == 0 => (sync - offset).rem_euclid(*seconds),
                    Some(sync) => {
                        let day = (from + offset).div_euclid(DAY) * DAY - offset;
                        let first = day + sync;
                        return Some(if first >= from {
                            first
                        } else {
                            first + (from - first + seconds - 1).div_euclid(*seconds) * seconds
                        });
                    }
                    None if !started && *seconds > FIRST_WITHIN => {
                        return Some(from + self.phase.rem_euclid(FIRST_WITHIN));
                    }
                    None if *seconds > FIRST_WITHIN => return Some(from - 1 + seconds),
                    None => self.phase,
                };
                Some(from + (place - from).rem_euclid(*seconds))
            }
            Times::Weekly(times) => {
                let today = (from + offset).div_euclid(DAY);
                (today..today + 8)
                    .flat_map(|day| times.iter().map(move |(start, mask)| (day, *start, *mask)))
                    .filter(|(day, _, mask)| mask >> civil::weekday_from_days(*day) & 1 == 1)
                    .map(|(day, start, _)| day * DAY + start - offset + self.phase)
                    .filter(|time| *time >= from)
                    .min()
            }
        }
    }
}

impl Scheduler {
    fn plan(&mut self, context: &mut Context<'_>) {
        match self.schedule.next(context.now, local_offset(context.now), self.started) {
            Some(time) => context.wake_at(time),
            None => context.no_wake(),
        }
        self.started = true;
    }
}

impl Module for Scheduler {
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.plan(context);
        Ok(())
    }

    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.plan(context);
        context.emit(DataItem::trigger(context.now, nobody()));
        Ok(())
    }
}

/// A plain interval for sources that have their own.
#[derive(Debug, Clone)]
pub(super) struct Frequency {
    schedule: Schedule,
    started: bool,
}

impl Frequency {
    /// From seconds.
    pub(super) fn new(seconds: i64, seed: Uuid) -> Result<Self, String> {
        if !(1..=366 * DAY).contains(&seconds) {
            return Err(format!("the frequency is {seconds} s; 1 s to a year are allowed"));
        }
        let schedule =
            Schedule { times: Times::Every { seconds, sync: None }, excluded: Vec::new(), phase: phase(seed, seconds) };
        Ok(Self { schedule, started: false })
    }

    /// Asks to be woken the next time.
    pub(super) fn plan(&mut self, context: &mut Context<'_>) {
        if let Some(time) = self.schedule.next(context.now, 0, self.started) {
            context.wake_at(time);
        }
        self.started = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Microseconds {
        civil::parse_time(text).unwrap()
    }

    #[test]
    fn the_next_time_is_the_one_that_the_schedule_says() {
        let every =
            |seconds, sync, phase| Schedule { times: Times::Every { seconds, sync }, excluded: Vec::new(), phase };
        let weekly = Schedule { times: Times::Weekly(vec![(7_200, 2 | 32)]), excluded: Vec::new(), phase: 0 };
        let holidays =
            Schedule { excluded: vec![(date("2026-11-23").unwrap(), date("11/27/2026").unwrap())], ..weekly.clone() };
        // 2026-11-21 is a Saturday
        for (schedule, now, offset, started, expected) in [
            (every(60, None, 7), "2026-11-21T10:00:00Z", 0, false, "2026-11-21T10:00:07Z"),
            (every(60, None, 7), "2026-11-21T10:00:07Z", 0, true, "2026-11-21T10:01:07Z"),
            (every(86_400, None, 4_000), "2026-11-21T10:00:00Z", 0, false, "2026-11-21T10:00:40Z"),
            (every(86_400, None, 4_000), "2026-11-21T10:00:40Z", 0, true, "2026-11-22T10:00:40Z"),
            (every(900, Some(300), 1), "2026-11-21T10:00:00Z", 0, false, "2026-11-21T10:05:00Z"),
            (every(86_400, Some(7_200), 1), "2026-11-21T10:00:00Z", 3_600, false, "2026-11-22T01:00:00Z"),
            (every(7 * 3_600, Some(0), 1), "2026-11-21T10:00:00Z", 0, false, "2026-11-21T14:00:00Z"),
            (weekly.clone(), "2026-11-21T10:00:00Z", 0, false, "2026-11-23T02:00:00Z"),
            (weekly.clone(), "2026-11-23T02:00:00Z", 0, true, "2026-11-27T02:00:00Z"),
            (weekly, "2026-11-23T00:30:00Z", 3_600, true, "2026-11-23T01:00:00Z"),
            (holidays, "2026-11-21T10:00:00Z", 0, false, "2026-11-30T02:00:00Z"),
        ] {
            assert_eq!(schedule.next(at(now), offset, started), Some(at(expected)), "{schedule:?} at {now}");
        }
    }

    #[test]
    fn places_in_the_interval_are_spread() {
        let places: std::collections::HashSet<i64> =
            (0..1_000_u128).map(|number| phase(Uuid::new_v5(&Uuid::nil(), &number.to_le_bytes()), 300)).collect();
        assert!(places.len() > 250, "{}", places.len());
    }

    #[test]
    fn times_and_dates_that_cannot_be_are_refused() {
        for text in ["", "25:00", "1", "10:60", "x:y"] {
            assert!(time_of_day(text).is_err(), "{text}");
        }
        for text in ["2026-02-30", "13/01/2026", "02/30/2026", "x"] {
            assert!(date(text).is_err(), "{text}");
        }
    }
}
