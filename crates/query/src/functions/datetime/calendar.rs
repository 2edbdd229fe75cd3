//! The proleptic Gregorian calendar over ticks. No formats here.

use watchkeeper_kql::Ticks;

/// Days from 0001-01-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_162;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The number of a month from its English name or at least three letters of it.
pub fn month_from_name(name: &str) -> Option<i64> {
    if name.len() < 3 || !name.is_ascii() {
        return None;
    }
    let place =
        MONTHS.iter().position(|month| month.len() >= name.len() && month[..name.len()].eq_ignore_ascii_case(name))?;
    i64::try_from(place + 1).ok()
}

/// The English name of a month, 1 to 12.
pub fn month_name(month: i64) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|place| MONTHS.get(place)).copied().unwrap_or("")
}

/// A datetime taken apart. The fraction is in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub fraction: i64,
}

pub const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => {
            if is_leap(year) {
                29
            } else {
                28
            }
        }
        _ => 31,
    }
}

/// Days from 0001-01-01 to the date (Howard Hinnant's days_from_civil).
pub const fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468 + DAYS_TO_1970
}

/// Year, month and day of a day number.
pub const fn date_of(day_number: i64) -> (i64, i64, i64) {
    let shifted = day_number - DAYS_TO_1970 + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl Civil {
    pub const fn from_ticks(ticks: i64) -> Civil {
        let (year, month, day) = date_of(ticks.div_euclid(Ticks::PER_DAY));
        let rest = ticks.rem_euclid(Ticks::PER_DAY);
        Civil {
            year,
            month,
            day,
            hour: rest / Ticks::PER_HOUR,
            minute: rest / Ticks::PER_MINUTE % 60,
            second: rest / Ticks::PER_SECOND % 60,
            fraction: rest % Ticks::PER_SECOND,
        }
    }

    /// Midnight of a date; none where there is no such date in years 1 to 9999.
    pub const fn date_ticks(year: i64, month: i64, day: i64) -> Option<i64> {
        if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        Some(day_number(year, month, day) * Ticks::PER_DAY)
    }
}

/// 0 is Sunday.
pub const fn weekday(ticks: i64) -> i64 {
    // 0001-01-01 was a Monday
    (ticks.div_euclid(Ticks::PER_DAY) + 1).rem_euclid(7)
}

/// 1 is the first of January.
pub const fn day_of_year(ticks: i64) -> i64 {
    let civil = Civil::from_ticks(ticks);
    day_number(civil.year, civil.month, civil.day) - day_number(civil.year, 1, 1) + 1
}

/// The week of ISO 8601.
pub const fn iso_week(ticks: i64) -> i64 {
    // the year of a week is the year of its Thursday
    let from_monday = (weekday(ticks) + 6) % 7;
    let thursday = ticks.div_euclid(Ticks::PER_DAY) - from_monday + 3;
    let (year, _, _) = date_of(thursday);
    (thursday - day_number(year, 1, 1)) / 7 + 1
}

/// Adds months; the day is cut to the length of the month. None outside years 1 to 9999.
pub fn add_months(ticks: i64, months: i64) -> Option<i64> {
    let civil = Civil::from_ticks(ticks);
    let total = (civil.year * 12 + civil.month - 1).checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let day = civil.day.min(days_in_month(year, month));
    Some(Civil::date_ticks(year, month, day)? + ticks.rem_euclid(Ticks::PER_DAY))
}

/// A result that must be a datetime: none outside the range of datetimes.
pub fn in_range(ticks: i64) -> Option<i64> {
    (0..=Ticks::MAX_DATETIME.0).contains(&ticks).then_some(ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_calendar_comes_back() {
        for day in (0..3_652_059).step_by(13) {
            let (year, month, date) = date_of(day);
            assert_eq!(day_number(year, month, date), day);
        }
        assert_eq!(date_of(0), (1, 1, 1));
        assert_eq!(day_number(1970, 1, 1) * Ticks::PER_DAY, Ticks::UNIX_EPOCH.0);
    }

    #[test]
    fn weeks_follow_iso_8601() {
        for ((year, month, day), week) in
            [((2017, 10, 30), 44), ((2016, 1, 3), 53), ((2020, 12, 31), 53), ((2021, 1, 4), 1)]
        {
            assert_eq!(iso_week(Civil::date_ticks(year, month, day).unwrap()), week);
        }
    }
}
