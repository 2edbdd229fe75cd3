//! Reading values from text, as the `to*` functions do.

use watchkeeper_kql::Ticks;

use crate::functions::datetime::calendar::{Civil, month_from_name};
use crate::functions::frame::value::{DECIMAL_ONE, real_to_i64};

/// `true`, `false` (any case) or a number.
pub fn boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Some(false);
    }
    long(text).map(|number| number != 0)
}

/// Decimal or `0x` digits; a fraction is cut off.
pub fn long(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Some(number);
    }
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16).ok().map(|number| number as i64);
    }
    real(text).and_then(real_to_i64)
}

pub fn real(text: &str) -> Option<f64> {
    let text = text.trim();
    match text {
        "NaN" | "nan" => Some(f64::NAN),
        "Infinity" | "+Infinity" | "∞" | "+inf" | "inf" => Some(f64::INFINITY),
        "-Infinity" | "-∞" | "-inf" => Some(f64::NEG_INFINITY),
        _ if text.starts_with("0x") => long(text).map(|number| number as f64),
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')) => {
            text.parse().ok()
        }
        _ => None,
    }
}

/// Digits with an optional exponent, scaled; what lies beyond 18 decimals is cut off.
pub fn decimal(text: &str) -> Option<i128> {
    let text = text.trim();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    let mut scale = 18 + exponent;
    for (place, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
        if !byte.is_ascii_digit() {
            return None;
        }
        if place >= whole.len() {
            if scale <= 0 {
                continue;
            }
            scale -= 1;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    for _ in 0..scale {
        value = value.checked_mul(10)?;
    }
    for _ in scale..0 {
        value /= 10;
    }
    (value.unsigned_abs() < (DECIMAL_ONE as u128) * 100_000_000_000_000_000_000).then_some(if negative {
        -value
    } else {
        value
    })
}

/// 32 hexadecimal digits with hyphens anywhere, optionally in braces; printed in the usual form.
pub fn guid(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['{', '(']).trim_end_matches(['}', ')']);
    let digits: String =
        text.chars().filter(|character| *character != '-').map(|character| character.to_ascii_lowercase()).collect();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]))
}

/// `[-][d.]hh:mm[:ss[.fffffff]]`, a number of days, or a number with a unit (`5m`, `1.5h`, `3 days`).
pub fn timespan(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let ticks = if rest.contains(':') { clock(rest)? } else { amount(rest)? };
    Some(if negative { -ticks } else { ticks })
}

fn clock(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split(':').collect();
    let (first, rest) = parts.split_first()?;
    let (days, hours, rest) = if parts.len() == 4 {
        (first.parse::<i64>().ok()?, rest[0].parse::<i64>().ok()?, &rest[1..])
    } else {
        match first.split_once('.') {
            Some((days, hours)) => (days.parse::<i64>().ok()?, hours.parse::<i64>().ok()?, rest),
            None => (0, first.parse::<i64>().ok()?, rest),
        }
    };
    let minutes: i64 = rest.first()?.parse().ok()?;
    let (seconds, fraction) = match rest.get(1) {
        Some(seconds) => {
            let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
            (seconds.parse::<i64>().ok()?, fraction_ticks(fraction)?)
        }
        None => (0, 0),
    };
    if rest.len() > 2
        || minutes > 59
        || seconds > 59
        || (parts.len() > 2 && hours > 23 && days > 0)
        || minutes < 0
        || seconds < 0
    {
        return None;
    }
    days.checked_mul(Ticks::PER_DAY)?
        .checked_add(hours.checked_mul(Ticks::PER_HOUR)?)?
        .checked_add(minutes * Ticks::PER_MINUTE + seconds * Ticks::PER_SECOND + fraction)
}

/// Up to seven digits after the point as ticks; further digits are cut off.
fn fraction_ticks(digits: &str) -> Option<i64> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut ticks = 0;
    for place in 0..7 {
        ticks = ticks * 10 + i64::from(digits.as_bytes().get(place).map_or(0, |byte| byte - b'0'));
    }
    Some(ticks)
}

fn amount(text: &str) -> Option<i64> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "" | "d" | "day" | "days" => Ticks::PER_DAY,
        "h" | "hr" | "hrs" | "hour" | "hours" => Ticks::PER_HOUR,
        "m" | "min" | "minute" | "minutes" => Ticks::PER_MINUTE,
        "s" | "sec" | "second" | "seconds" => Ticks::PER_SECOND,
        "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => Ticks::PER_MILLISECOND,
        "micro" | "micros" | "microsecond" | "microseconds" => Ticks::PER_MICROSECOND,
        "tick" | "ticks" => 1,
        _ => return None,
    };
    match text[..end].parse::<i64>() {
        Ok(whole) => whole.checked_mul(unit),
        Err(_) => real_to_i64((number * unit as f64).round()),
    }
}

/// ISO 8601 and its looser relatives (`2024-01-31 10:00`, offsets), `MM/dd/yyyy`, RFC 822 and RFC 850 dates.
pub fn datetime(text: &str) -> Option<i64> {
    let text = text.trim();
    let first = *text.as_bytes().first()?;
    let ticks = if first.is_ascii_alphabetic()
        || text.bytes().take(16).any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'T' | b't' | b'Z' | b'z'))
            && !text.contains(['/'])
            && text.as_bytes().get(2) != Some(&b'/')
            && named_month(text)
    {
        written_date(text)?
    } else {
        numeric_date(text)?
    };
    (0..=Ticks::MAX_DATETIME.0).contains(&ticks).then_some(ticks)
}

fn named_month(text: &str) -> bool {
    text.split(|character: char| !character.is_ascii_alphabetic()).any(|word| month_from_name(word).is_some())
}

/// Reads digits from the front.
fn number(text: &str, most: usize) -> Option<(i64, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if end == 0 { None } else { Some((text[..end].parse().ok()?, &text[end..])) }
}

fn numeric_date(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (first, rest) = number(text, 8)?;
    let (year, month, day, rest) = match (digits, rest.as_bytes().first()) {
        (8, None | Some(b'T' | b't' | b' ')) => (first / 10_000, first / 100 % 100, first % 100, rest),
        (4, None) => (first, 1, 1, rest),
        (4, Some(separator @ (b'-' | b'/' | b'.'))) => {
            let (month, rest) = number(&rest[1..], 2)?;
            match rest.strip_prefix(char::from(*separator)) {
                Some(rest) => {
                    let (day, rest) = number(rest, 2)?;
                    (first, month, day, rest)
                }
                None => (first, month, 1, rest),
            }
        }
        (1 | 2, Some(separator @ (b'-' | b'/' | b'.'))) => {
            let (second, rest) = number(&rest[1..], 2)?;
            let (year, rest) = number(rest.strip_prefix(char::from(*separator))?, 4)?;
            // the month comes first; a first number that cannot be one is the day
            let (month, day) = if first > 12 { (second, first) } else { (first, second) };
            (if year < 100 { 2000 + year } else { year }, month, day, rest)
        }
        _ => return None,
    };
    let day_start = Civil::date_ticks(year, month, day)?;
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    time_and_zone(day_start, rest)
}

/// `hh:mm[:ss[.fff]] [AM|PM] [Z|GMT|±hh[:mm]]` after a date.
fn time_and_zone(day_start: i64, text: &str) -> Option<i64> {
    let mut ticks = day_start;
    let mut rest = text.trim();
    if rest.starts_with(|character: char| character.is_ascii_digit()) {
        let (mut hours, after) = number(rest, 2)?;
        let mut minutes = 0;
        let mut seconds = 0;
        let mut fraction = 0;
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            (minutes, rest) = number(after, 2)?;
            if let Some(after) = rest.strip_prefix(':') {
                (seconds, rest) = number(after, 2)?;
                if let Some(after) = rest.strip_prefix(['.', ',', ':']) {
                    let end = after.bytes().take_while(u8::is_ascii_digit).count();
                    fraction = fraction_ticks(&after[..end])?;
                    rest = &after[end..];
                }
            }
        }
        rest = rest.trim_start();
        let half = rest.get(..2).unwrap_or("");
        if half.eq_ignore_ascii_case("am") || half.eq_ignore_ascii_case("pm") {
            if !(1..=12).contains(&hours) {
                return None;
            }
            hours = hours % 12 + if half.eq_ignore_ascii_case("pm") { 12 } else { 0 };
            rest = rest[2..].trim_start();
        }
        let day_end = hours == 24 && minutes == 0 && seconds == 0 && fraction == 0;
        if (hours > 23 && !day_end) || minutes > 59 || seconds > 59 {
            return None;
        }
        ticks += hours * Ticks::PER_HOUR + minutes * Ticks::PER_MINUTE + seconds * Ticks::PER_SECOND + fraction;
    }
    let zone = rest.trim();
    if zone.is_empty()
        || zone.eq_ignore_ascii_case("z")
        || zone.eq_ignore_ascii_case("utc")
        || zone.eq_ignore_ascii_case("gmt")
    {
        return Some(ticks);
    }
    let (sign, digits) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (None, Some(digits)) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    let value: i64 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() <= 2 { (value, 0) } else { (value / 100, value % 100) };
    (hours <= 14 && minutes < 60).then(|| ticks - sign * (hours * Ticks::PER_HOUR + minutes * Ticks::PER_MINUTE))
}

/// `Sat, 8 Nov 2014 15:05:02 GMT`, `Saturday, 08-Nov-14 15:05:02 UTC`, `8 Nov 2014`, `Nov 8, 2014 3:05 PM`.
fn written_date(text: &str) -> Option<i64> {
    let rest = match text.split_once(',') {
        Some((weekday, rest)) if weekday.bytes().all(|byte| byte.is_ascii_alphabetic()) => rest.trim_start(),
        _ => {
            let word = text.split(' ').next()?;
            let is_weekday = word.len() >= 3
                && month_from_name(word).is_none()
                && word.bytes().all(|byte| byte.is_ascii_alphabetic());
            if is_weekday { text[word.len()..].trim_start() } else { text }
        }
    };
    let separators = |character: char| matches!(character, ' ' | '-' | ',');
    let take_word = |text: &str| -> (String, String) {
        let end = text.find(separators).unwrap_or(text.len());
        (text[..end].to_owned(), text[end..].trim_start_matches(separators).to_owned())
    };
    let (first, rest) = take_word(rest);
    let (second, rest) = take_word(&rest);
    let (month, day) = match month_from_name(&first) {
        Some(month) => (month, second.parse().ok()?),
        None => (month_from_name(&second)?, first.parse().ok()?),
    };
    let (third, after) = take_word(&rest);
    // the C library's form has the time before the year
    let (year, time) = if third.contains(':') {
        let (year, zone) = take_word(&after);
        (year, format!("{third} {zone}"))
    } else {
        (third, after)
    };
    let year: i64 = year.parse().ok()?;
    time_and_zone(Civil::date_ticks(if year < 100 { 2000 + year } else { year }, month, day)?, &time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::convert::print;

    #[test]
    fn datetimes_are_read_in_the_documented_formats() {
        for (text, want) in [
            ("2014-05-25T08:20:03.123456Z", "2014-05-25T08:20:03.1234560Z"),
            ("2014-05-25T08:20:03.123456+02:00", "2014-05-25T06:20:03.1234560Z"),
            ("2014-05-25 08:20", "2014-05-25T08:20:00.0000000Z"),
            ("2014-11-08 15:55:55.123", "2014-11-08T15:55:55.1230000Z"),
            ("2014-11-08", "2014-11-08T00:00:00.0000000Z"),
            ("12-02-2022", "2022-12-02T00:00:00.0000000Z"),
            ("1/31/2024 3:04:05 PM", "2024-01-31T15:04:05.0000000Z"),
            ("Sat, 8 Nov 14 15:05:02 GMT", "2014-11-08T15:05:02.0000000Z"),
            ("Sat, 08 Nov 2014 15:05:02 +0100", "2014-11-08T14:05:02.0000000Z"),
            ("8 Nov 2014 15:05", "2014-11-08T15:05:00.0000000Z"),
            ("Saturday, 08-Nov-14 15:05:02 UTC", "2014-11-08T15:05:02.0000000Z"),
            ("Nov 8, 2014 3:05 PM", "2014-11-08T15:05:00.0000000Z"),
            ("Sat Nov  8 15:05:02 2014", "2014-11-08T15:05:02.0000000Z"),
            ("2024", "2024-01-01T00:00:00.0000000Z"),
            ("20240131", "2024-01-31T00:00:00.0000000Z"),
        ] {
            assert_eq!(datetime(text).map(print::datetime).as_deref(), Some(want), "{text}");
        }
        for text in ["", "x", "2014-13-01", "2014-02-30", "2014-01-01T25:00", "10000000000"] {
            assert_eq!(datetime(text), None, "{text}");
        }
    }

    #[test]
    fn timespans_are_read_with_clock_or_unit() {
        for (text, want) in [
            ("0.00:03:00", Some(3 * Ticks::PER_MINUTE)),
            ("-1.12:30:55.123", Some(-(Ticks::PER_DAY + 12 * Ticks::PER_HOUR + 30 * Ticks::PER_MINUTE + 551_230_000))),
            ("10:20", Some(10 * Ticks::PER_HOUR + 20 * Ticks::PER_MINUTE)),
            ("1.5h", Some(90 * Ticks::PER_MINUTE)),
            ("3", Some(3 * Ticks::PER_DAY)),
            ("01:00:00:00", Some(Ticks::PER_DAY)),
            ("10:99", None),
            ("soon", None),
        ] {
            assert_eq!(timespan(text), want, "{text}");
        }
    }

    #[test]
    fn decimals_are_read_exactly() {
        for (text, want) in [
            ("123.45678", Some(123_456_780_000_000_000_000)),
            ("-1e2", Some(-100 * DECIMAL_ONE)),
            ("1.5e-3", Some(1_500_000_000_000_000)),
            ("", None),
            ("1x", None),
        ] {
            assert_eq!(decimal(text), want, "{text}");
        }
    }
}
