//! Dates and times of the proleptic Gregorian calendar as plain numbers, without time zones. The agent needs no more.

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Seconds in a day.
pub const DAY_SECONDS: i64 = 86_400;

/// Days since 1970-01-01 of a date. Months and days outside their range carry over.
#[must_use]
pub fn days_from_date(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month (1 to 12) and day of the days since 1970-01-01.
#[must_use]
pub fn date_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Day of the week of the days since 1970-01-01: 0 Sunday to 6 Saturday.
#[must_use]
pub fn weekday_from_days(days: i64) -> u32 {
    (days + 4).rem_euclid(7) as u32
}

/// How many days a month has.
#[must_use]
pub fn days_in_month(year: i64, month: u32) -> u32 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    (days_from_date(next_year, next_month, 1) - days_from_date(year, month, 1)) as u32
}

/// Microseconds since 1970 as ISO 8601 with `Z`, with microseconds only where there are some.
#[must_use]
pub fn format_time(micros: i64) -> String {
    let seconds = micros.div_euclid(SECOND);
    let fraction = micros.rem_euclid(SECOND);
    let (year, month, day) = date_from_days(seconds.div_euclid(DAY_SECONDS));
    let of_day = seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    if (0..=9999).contains(&year) {
        // answers have hundred thousands of times: written digit by digit
        let mut text = String::with_capacity("YYYY-MM-DDTHH:MM:SS.ffffffZ".len());
        let parts = [(year, 4, '-'), (month.into(), 2, '-'), (day.into(), 2, 'T'), (hour, 2, ':'), (minute, 2, ':')];
        for (number, digits, after) in parts {
            push_digits(&mut text, number, digits);
            text.push(after);
        }
        push_digits(&mut text, second, 2);
        if fraction != 0 {
            text.push('.');
            push_digits(&mut text, fraction, 6);
        }
        text.push('Z');
        return text;
    }
    if fraction == 0 {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    } else {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

/// The last decimal digits of a number that is not negative.
fn push_digits(text: &mut String, number: i64, digits: u32) {
    let digit = |at| char::from(b'0' + (number / 10_i64.pow(at) % 10) as u8);
    text.extend((0..digits).rev().map(digit));
}

/// Reads `YYYY-MM-DD[(T| )HH:MM[:SS[.fraction]]][Z|±HH:MM]` as microseconds since 1970; without an offset it is UTC.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let mut parts = date.split('-');
    let year: i64 = digits(parts.next()?, 4)?;
    let month = u32::try_from(digits(parts.next()?, 2)?).ok()?;
    let day = u32::try_from(digits(parts.next()?, 2)?).ok()?;
    if parts.next().is_some() || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = days_from_date(year, month, day) * DAY_SECONDS;
    if rest.is_empty() {
        return Some(midnight * SECOND);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let offset = match zone {
        "" | "Z" | "z" => 0,
        _ => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let seconds = digits(hours, 2)? * 3600 + digits(minutes, 2)? * 60;
            if zone.starts_with('-') { -seconds } else { seconds }
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros: i64 = if fraction.is_empty() { 0 } else { format!("{fraction:0<6}")[..6].parse().ok()? };
    Some((midnight + hour * 3600 + minute * 60 + second - offset) * SECOND + micros)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse_over_eight_centuries() {
        for days in -150_000..150_000 {
            let (year, month, day) = date_from_days(days);
            assert_eq!(days_from_date(year, month, day), days, "{year}-{month}-{day}");
        }
        assert_eq!(days_from_date(1970, 1, 1), 0);
        assert_eq!(date_from_days(19_782), (2024, 2, 29));
        assert_eq!(weekday_from_days(days_from_date(2026, 11, 21)), 6);
        assert_eq!(days_in_month(2024, 2), 29);
        assert_eq!(days_in_month(2100, 2), 28);
    }

    #[test]
    fn times_print_and_read_back() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29T23:59:59.000001Z", 1_709_251_199_000_001),
            ("1969-12-31T23:59:59.500000Z", -500_000),
        ] {
            assert_eq!(format_time(micros), text);
            assert_eq!(parse_time(text), Some(micros));
        }
        assert_eq!(parse_time("2024-02-29"), Some(1_709_164_800_000_000));
        assert_eq!(parse_time("2024-02-29 01:00+01:00"), Some(1_709_164_800_000_000));
        for bad in
            ["", "2023-02-29", "2024-13-01", "2024-02-29T25:00", "2024-02-29Tx", "äöüßäöüßäöü", "2024-02-29T01:00+é"]
        {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }
}
