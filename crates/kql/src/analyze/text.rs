//! Values from the texts of typed literals: `datetime(2024-01-31 10:20)`, `timespan(1.02:03:04)`, `guid(…)`, …

use crate::types::{Literal, Ticks, Type};

/// The value of type `ty` that a text between the parentheses of a literal means.
pub(super) fn read(ty: Type, text: &str) -> Option<Literal> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("null") {
        return Some(if ty == Type::String { Literal::String(String::new()) } else { Literal::Null(ty) });
    }
    let text = unquoted(text);
    Some(match ty {
        Type::Bool => match text.to_ascii_lowercase().as_str() {
            "true" => Literal::Bool(true),
            "false" => Literal::Bool(false),
            number => Literal::Bool(number.parse::<i64>().ok()? != 0),
        },
        Type::Int => Literal::Int(i32::try_from(integer(text)?).ok()?),
        Type::Long => Literal::Long(integer(text)?),
        Type::Real => Literal::Real(real(text)?),
        Type::Decimal => {
            real(text)?;
            Literal::Decimal(text.to_owned())
        }
        Type::Datetime => Literal::Datetime(datetime(text)?),
        Type::Timespan => Literal::Timespan(timespan(text)?),
        Type::String => Literal::String(text.to_owned()),
        Type::Guid => Literal::Guid(guid(text)?),
        Type::Dynamic => Literal::Dynamic(text.to_owned()),
    })
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits.trim_start()),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let value = u64::from_str_radix(hex, 16).ok()? as i64;
        return value.checked_mul(sign);
    }
    match format!("{}{digits}", if sign < 0 { "-" } else { "" }).parse() {
        Ok(value) => Some(value),
        Err(_) => {
            let value: f64 = digits.parse().ok()?;
            (value.abs() < 9.2e18).then_some(sign * value as i64)
        }
    }
}

fn real(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "nan" => Some(f64::NAN),
        "+inf" | "inf" | "+infinity" | "infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        text => text.replace("- ", "-").parse().ok(),
    }
}

fn guid(text: &str) -> Option<u128> {
    let text = text.trim_start_matches(['{', '(']).trim_end_matches(['}', ')']);
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    if hex.len() != 32 {
        return None;
    }
    u128::from_str_radix(&hex, 16).ok()
}

/// `d.hh:mm:ss.fffffff` with optional parts, or a number with a unit.
fn timespan(text: &str) -> Option<Ticks> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text.trim_start()),
        None => (1, text),
    };
    if text.contains(':') {
        return clock(text).and_then(|ticks| ticks.checked_mul(sign)).map(Ticks);
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "d" | "day" | "days" => Ticks::PER_DAY,
        "h" | "hr" | "hrs" | "hour" | "hours" => Ticks::PER_HOUR,
        "m" | "min" | "minute" | "minutes" => Ticks::PER_MINUTE,
        "s" | "sec" | "second" | "seconds" => Ticks::PER_SECOND,
        "ms" | "milli" | "millis" | "millisec" | "millisecond" | "milliseconds" => Ticks::PER_MILLISECOND,
        "micro" | "micros" | "microsec" | "microsecond" | "microseconds" => Ticks::PER_MICROSECOND,
        "tick" | "ticks" => 1,
        _ => return None,
    };
    Some(Ticks((number * unit as f64).round() as i64 * sign))
}

/// Ticks of `[d.]hh:mm[:ss[.fffffff]]`; four parts are `d:hh:mm:ss`.
fn clock(text: &str) -> Option<i64> {
    let mut parts: Vec<&str> = text.split(':').collect();
    let mut days = 0;
    if parts.len() == 4 {
        days = parts.remove(0).trim().parse::<i64>().ok()?;
    } else if let Some((day, hour)) = parts[0].split_once('.') {
        days = day.trim().parse().ok()?;
        parts[0] = hour;
    }
    let hours: i64 = parts[0].trim().parse().ok()?;
    let minutes: i64 = parts.get(1)?.trim().parse().ok()?;
    let seconds = match parts.get(2) {
        Some(seconds) => fractional(seconds.trim(), Ticks::PER_SECOND)?,
        None => 0,
    };
    if parts.len() > 3 || minutes > 59 || seconds >= Ticks::PER_MINUTE {
        return None;
    }
    days.checked_mul(Ticks::PER_DAY)?
        .checked_add(hours.checked_mul(Ticks::PER_HOUR)?)?
        .checked_add(minutes * Ticks::PER_MINUTE + seconds)
}

/// A decimal number of units in ticks, exact to seven places.
fn fractional(text: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().ok()?;
    if !fraction.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let padded: String = fraction.chars().chain("0000000".chars()).take(7).collect();
    let ticks: i64 = padded.parse().ok()?;
    whole.checked_mul(unit)?.checked_add(ticks * (unit / Ticks::PER_SECOND))
}

/// Dates with `-` or `/`, year first or last, with an optional time and zone.
fn datetime(text: &str) -> Option<Ticks> {
    let joined = text.replace(" - ", "-").replace(", ", ",");
    let text = joined.trim();
    let split = text.find(['T', 't']).or_else(|| text.find(' '));
    let (date, time) = match split {
        Some(at) => (&text[..at], text[at + 1..].trim()),
        None => (text.trim_end_matches(['Z', 'z']), ""),
    };
    let days = date_days(date)?;
    let (time, offset) = zone(time)?;
    let of_day = if time.is_empty() { 0 } else { time_of_day(time)? };
    let ticks = days.checked_mul(Ticks::PER_DAY)?.checked_add(of_day)?.checked_sub(offset)?;
    (0..=Ticks::MAX_DATETIME.0).contains(&ticks).then_some(Ticks(ticks))
}

fn time_of_day(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let (clock_text, half) = match (lower.strip_suffix("pm"), lower.strip_suffix("am")) {
        (Some(time), _) => (time.trim(), Some(true)),
        (_, Some(time)) => (time.trim(), Some(false)),
        _ => (lower.as_str(), None),
    };
    let ticks =
        if clock_text.contains(':') { clock(clock_text)? } else { clock_text.parse::<i64>().ok()? * Ticks::PER_HOUR };
    let noon = 12 * Ticks::PER_HOUR;
    Some(match half {
        Some(true) if ticks < noon => ticks + noon,
        Some(false) if ticks >= noon => ticks - noon,
        _ => ticks,
    })
    .filter(|ticks| *ticks < Ticks::PER_DAY)
}

/// The time without its zone, and the zone's distance from UTC.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time.trim_end(), 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (clock_text, zone) = (time[..at].trim_end(), &time[at + 1..]);
    let sign = if time.as_bytes()[at] == b'-' { -1 } else { 1 };
    let (hours, minutes) = match zone.split_once(':') {
        Some(parts) => parts,
        None if zone.len() == 4 => zone.split_at(2),
        None => (zone, "0"),
    };
    let hours: i64 = hours.parse().ok()?;
    let minutes: i64 = minutes.parse().ok()?;
    Some((clock_text, sign * (hours * Ticks::PER_HOUR + minutes * Ticks::PER_MINUTE)))
}

/// Days since 0001-01-01.
fn date_days(date: &str) -> Option<i64> {
    let parts: Vec<&str> = date.split(['-', '/', '.', ',']).map(str::trim).collect();
    let (year, month, day) = match parts.as_slice() {
        [year] if year.len() == 4 => (*year, "1", "1"),
        [compact] if compact.len() == 8 && compact.is_ascii() => (&compact[..4], &compact[4..6], &compact[6..]),
        [year, month] if year.len() == 4 => (*year, *month, "1"),
        [year, month, day] if year.len() == 4 => (*year, *month, *day),
        [month, day, year] if year.len() == 4 => (*year, *month, *day),
        _ => return None,
    };
    let (year, month, day): (i64, i64, i64) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=length).contains(&day) || !(1..=9999).contains(&year) {
        return None;
    }
    let before: i64 = lengths.iter().take(usize::try_from(month - 1).ok()?).sum();
    let past = year - 1;
    Some(past * 365 + past / 4 - past / 100 + past / 400 + before + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_are_read_in_the_forms_that_people_write() {
        let cases = [
            ("2017-01-02", "2017-01-02T00:00:00.0000000Z"),
            ("2017 - 08 - 01", "2017-08-01T00:00:00.0000000Z"),
            ("2021-04-26 01:30", "2021-04-26T01:30:00.0000000Z"),
            ("2018-02-24 15:14:01.25", "2018-02-24T15:14:01.2500000Z"),
            ("2015-12-31T23:59:59.9999999Z", "2015-12-31T23:59:59.9999999Z"),
            ("2014-11-08T15:55:55+02:00", "2014-11-08T13:55:55.0000000Z"),
            ("2025, 6, 14", "2025-06-14T00:00:00.0000000Z"),
            ("12-02-2022", "2022-12-02T00:00:00.0000000Z"),
            ("2000", "2000-01-01T00:00:00.0000000Z"),
        ];
        for (text, printed) in cases {
            let read = datetime(text).map(super::super::literal::datetime_text);
            assert_eq!(read.as_deref(), Some(printed), "{text}");
        }
        for text in ["2017-02-30", "yesterday", "2017-01-01T25:00", ""] {
            assert_eq!(datetime(text), None, "{text}");
        }
    }

    #[test]
    fn timespans_are_read_as_clocks_and_as_numbers_with_units() {
        for (text, ticks) in [
            ("1.00:00:00", Ticks::PER_DAY),
            ("-0:0:1.5", -15_000_000),
            ("25min", 25 * Ticks::PER_MINUTE),
            ("2", 2 * Ticks::PER_DAY),
            ("1.5h", 90 * Ticks::PER_MINUTE),
        ] {
            assert_eq!(timespan(text), Some(Ticks(ticks)), "{text}");
        }
    }
}
