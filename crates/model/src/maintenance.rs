//! Maintenance windows (specification 1.11): once, daily, weekly, monthly, monthly relative. A schedule is in the local
//! time of a zone, so it keeps its hour when clocks change. Windows that overlap are one, to the furthest end.

use serde::{Deserialize, Serialize};

use crate::civil::{self, DAY_SECONDS, SECOND};

/// The shortest duration, in minutes.
pub const MIN_MINUTES: u32 = 5;
/// The longest duration, in minutes: two years.
pub const MAX_MINUTES: u32 = 1_051_200;
/// All durations, in minutes.
pub const DURATION_MINUTES: std::ops::RangeInclusive<u32> = MIN_MINUTES..=MAX_MINUTES;

/// The documented reasons, in the order of their codes.
pub const REASONS: [&str; 15] = [
    "PlannedOther",
    "UnplannedOther",
    "PlannedHardwareMaintenance",
    "UnplannedHardwareMaintenance",
    "PlannedHardwareInstallation",
    "UnplannedHardwareInstallation",
    "PlannedOperatingSystemReconfiguration",
    "UnplannedOperatingSystemReconfiguration",
    "PlannedApplicationMaintenance",
    "UnplannedApplicationMaintenance",
    "ApplicationInstallation",
    "ApplicationUnresponsive",
    "ApplicationUnstable",
    "SecurityIssue",
    "LossOfNetworkConnectivity",
];

/// A stretch of time, microseconds since 1970, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// From.
    pub start: i64,
    /// To.
    pub end: i64,
}

/// A time zone.
pub trait Zone {
    /// The instant of a local time, both in seconds since 1970. A time that clocks skip is the first after the gap, one
    /// that they show twice the first of both.
    fn to_utc(&self, local: i64) -> i64;

    /// The local time of an instant, both in seconds since 1970.
    fn to_local(&self, utc: i64) -> i64;
}

/// A zone that is always the same number of seconds ahead of UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FixedZone(pub i64);

impl Zone for FixedZone {
    fn to_utc(&self, local: i64) -> i64 {
        local - self.0
    }

    fn to_local(&self, utc: i64) -> i64 {
        utc + self.0
    }
}

#[cfg(feature = "time-zones")]
impl Zone for chrono_tz::Tz {
    fn to_utc(&self, local: i64) -> i64 {
        use chrono::TimeZone;
        const STEP: i64 = 15 * 60;
        // no gap is longer than a day; the first that exists after it is at most a step late, so look back from there
        for ahead in 0..=DAY_SECONDS / STEP {
            let Some(time) = chrono::DateTime::from_timestamp(local + ahead * STEP, 0) else { return local };
            if let Some(found) = self.from_local_datetime(&time.naive_utc()).earliest() {
                let utc = found.timestamp();
                // within a gap, all local times mean the instant at which clocks jump
                return if ahead == 0 { utc } else { jump_before(self, utc, utc - ahead * STEP) };
            }
        }
        local
    }

    fn to_local(&self, utc: i64) -> i64 {
        use chrono::{Offset, TimeZone};
        match chrono::DateTime::from_timestamp(utc, 0) {
            Some(time) => utc + i64::from(self.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc()),
            None => utc,
        }
    }
}

/// The instant in (`low`, `high`] from which the zone has the offset that it has at `high`.
#[cfg(feature = "time-zones")]
fn jump_before(zone: &impl Zone, high: i64, low: i64) -> i64 {
    let offset = |utc: i64| zone.to_local(utc) - utc;
    let (mut low, mut high, after) = (low - 1, high, offset(high));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if offset(middle) == after {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// On which days a schedule starts a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recurrence {
    /// On the day of its start only.
    Once,
    /// Every so many days.
    Daily {
        /// At least 1.
        every: u32,
    },
    /// On weekdays of every so many weeks; weeks start on Sunday.
    Weekly {
        /// 1 Sunday, 2 Monday … 64 Saturday.
        days: u8,
        /// At least 1.
        every: u32,
    },
    /// On a day of every so many months; in shorter months on the last.
    Monthly {
        /// 1 to 31.
        day: u32,
        /// At least 1.
        every: u32,
    },
    /// Such as the second Tuesday of every so many months.
    MonthlyRelative {
        /// Which of the month.
        which: Which,
        /// Of what.
        of: DayKind,
        /// At least 1.
        every: u32,
    },
}

/// Which of the days of a kind in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Which {
    First,
    Second,
    Third,
    Fourth,
    Last,
}

/// A kind of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DayKind {
    /// 0 Sunday to 6 Saturday.
    Weekday(u8),
    /// Any.
    Day,
    /// Monday to Friday.
    WorkingDay,
    /// Saturday and Sunday.
    WeekendDay,
}

/// A schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The first start: local time, in seconds since 1970. Its time of day is that of every start.
    pub start: i64,
    /// How long each window is.
    pub minutes: u32,
    /// On which days.
    pub recurrence: Recurrence,
    /// No window starts at or after this local time, in seconds since 1970.
    pub until: Option<i64>,
}

/// Why a schedule is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ScheduleError {
    #[error("a window is {MIN_MINUTES} to {MAX_MINUTES} minutes long, not {0}")]
    Duration(u32),
    #[error("FreqType {0} is none of 1 once, 4 daily, 8 weekly, 16 monthly, 32 monthly relative")]
    Type(u32),
    #[error("FreqInterval {interval} is not possible with FreqType {kind}: {wanted}")]
    Interval { kind: u32, interval: u32, wanted: &'static str },
    #[error("FreqRelativeInterval {0} is none of 1 first, 2 second, 4 third, 8 fourth, 16 last")]
    Relative(u32),
    #[error("the schedule ends before it starts")]
    Ends,
}

impl Recurrence {
    /// From the codes `FreqType`, `FreqInterval`, `FreqRelativeInterval`, `FreqRecurrenceFactor` (0 counts as 1).
    ///
    /// # Errors
    /// Where a code has no meaning.
    pub fn from_codes(kind: u32, interval: u32, relative: u32, factor: u32) -> Result<Self, ScheduleError> {
        let every = factor.max(1);
        let wrong = |wanted| ScheduleError::Interval { kind, interval, wanted };
        match kind {
            1 => Ok(Recurrence::Once),
            4 if interval > 0 => Ok(Recurrence::Daily { every: interval }),
            4 => Err(wrong("every how many days, at least 1")),
            8 => match u8::try_from(interval) {
                Ok(days @ 1..=127) => Ok(Recurrence::Weekly { days, every }),
                _ => Err(wrong("the sum of 1 Sunday, 2 Monday, 4 Tuesday … 64 Saturday")),
            },
            16 if (1..=31).contains(&interval) => Ok(Recurrence::Monthly { day: interval, every }),
            16 => Err(wrong("a day of the month, 1 to 31")),
            32 => {
                let of = match interval {
                    1..=7 => DayKind::Weekday((interval - 1) as u8),
                    8 => DayKind::Day,
                    9 => DayKind::WorkingDay,
                    10 => DayKind::WeekendDay,
                    _ => return Err(wrong("1 Sunday … 7 Saturday, 8 day, 9 weekday, 10 weekend day")),
                };
                let which = match relative {
                    1 => Which::First,
                    2 => Which::Second,
                    4 => Which::Third,
                    8 => Which::Fourth,
                    16 => Which::Last,
                    other => return Err(ScheduleError::Relative(other)),
                };
                Ok(Recurrence::MonthlyRelative { which, of, every })
            }
            other => Err(ScheduleError::Type(other)),
        }
    }

    fn starts_on(self, day: i64, first: i64) -> bool {
        let every = |passed: i64, every: u32| passed % i64::from(every.max(1)) == 0;
        let (year, month, of_month) = civil::date_from_days(day);
        let months_passed = || {
            let (first_year, first_month, _) = civil::date_from_days(first);
            (year - first_year) * 12 + i64::from(month) - i64::from(first_month)
        };
        match self {
            Recurrence::Once => day == first,
            Recurrence::Daily { every: days } => every(day - first, days),
            Recurrence::Weekly { days, every: weeks } => {
                let week = |day: i64| (day + 4).div_euclid(7);
                days >> civil::weekday_from_days(day) & 1 == 1 && every(week(day) - week(first), weeks)
            }
            Recurrence::Monthly { day: wanted, every: months } => {
                of_month == wanted.min(civil::days_in_month(year, month)) && every(months_passed(), months)
            }
            Recurrence::MonthlyRelative { which, of, every: months } => {
                of.is(day)
                    && of.nth(day, of_month, civil::days_in_month(year, month), which)
                    && every(months_passed(), months)
            }
        }
    }
}

impl DayKind {
    fn is(self, day: i64) -> bool {
        let weekday = civil::weekday_from_days(day);
        match self {
            DayKind::Weekday(wanted) => weekday == u32::from(wanted),
            DayKind::Day => true,
            DayKind::WorkingDay => (1..=5).contains(&weekday),
            DayKind::WeekendDay => matches!(weekday, 0 | 6),
        }
    }

    /// Whether a day of this kind is the wanted one of its month.
    fn nth(self, day: i64, of_month: u32, in_month: u32, which: Which) -> bool {
        let before = (1..i64::from(of_month)).filter(|back| self.is(day - back)).count();
        let is_last = || !(1..=i64::from(in_month - of_month)).any(|ahead| self.is(day + ahead));
        match which {
            Which::First => before == 0,
            Which::Second => before == 1,
            Which::Third => before == 2,
            Which::Fourth => before == 3,
            Which::Last => is_last(),
        }
    }
}

impl Schedule {
    /// Checks what no type can.
    ///
    /// # Errors
    /// The first thing that is not possible.
    pub fn check(&self) -> Result<(), ScheduleError> {
        if !(MIN_MINUTES..=MAX_MINUTES).contains(&self.minutes) {
            return Err(ScheduleError::Duration(self.minutes));
        }
        if self.until.is_some_and(|until| until <= self.start) {
            return Err(ScheduleError::Ends);
        }
        Ok(())
    }

    /// All windows that have a part in a stretch of time.
    #[must_use]
    pub fn windows(&self, zone: &impl Zone, within: Window) -> Vec<Window> {
        let length = i64::from(self.minutes) * 60;
        let first = self.start.div_euclid(DAY_SECONDS);
        let of_day = self.start.rem_euclid(DAY_SECONDS);
        // a day more on both sides for what clocks do
        let local_day = |time: i64| zone.to_local(time.div_euclid(SECOND)).div_euclid(DAY_SECONDS);
        let from = (local_day(within.start) - length / DAY_SECONDS - 2).max(first);
        let to = match self.recurrence {
            Recurrence::Once => first,
            _ => local_day(within.end) + 1,
        };
        let mut windows = Vec::new();
        for day in from..=to {
            let local = day * DAY_SECONDS + of_day;
            if !self.recurrence.starts_on(day, first) || self.until.is_some_and(|until| local >= until) {
                continue;
            }
            let start = zone.to_utc(local) * SECOND;
            let window = Window { start, end: start + length * SECOND };
            if window.start < within.end && window.end > within.start {
                windows.push(window);
            }
        }
        windows
    }
}

/// Windows that overlap or touch as one, in the order of time.
#[must_use]
pub fn union(mut windows: Vec<Window>) -> Vec<Window> {
    windows.retain(|window| window.start < window.end);
    windows.sort_unstable();
    let mut merged: Vec<Window> = Vec::new();
    for window in windows {
        match merged.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => merged.push(window),
        }
    }
    merged
}

/// The window in which an instant is, once those that overlap are one; `None`: it is in none.
#[must_use]
pub fn current(windows: Vec<Window>, time: i64) -> Option<Window> {
    union(windows).into_iter().find(|window| (window.start..window.end).contains(&time))
}

#[cfg(test)]
mod tests;
