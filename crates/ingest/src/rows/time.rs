//! Datetimes and timespans as senders write them.

use chrono::{DateTime, NaiveDate};

use super::value::Value;

/// Microseconds since 1970 of an ISO 8601 datetime: `2026-01-31`, `2026-01-31T08:00:00.1234567Z`,
/// `2026-01-31 08:00:00+02:00`; RFC 1123 dates too. A time without zone is UTC.
pub fn datetime(text: &str) -> Option<i64> {
    let text = text.trim();
    iso(text.as_bytes()).or_else(|| DateTime::parse_from_rfc2822(text).ok().map(|time| time.timestamp_micros()))
}

/// As [`datetime`], ISO 8601 with date and time only: what the Data Collector takes for a datetime by itself.
pub fn datetime_by_look(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || bytes[4] != b'-' || !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    iso(bytes)
}

fn iso(text: &[u8]) -> Option<i64> {
    if text.len() < 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(number(&text[0..4])?).ok()?,
        number(&text[5..7])?,
        number(&text[8..10])?,
    )?;
    // year 0 is before the first datetime of the language
    if date.format("%Y").to_string().starts_with("0000") {
        return None;
    }
    let days = i64::from(date.to_epoch_days());
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(days * 86_400_000_000);
    }
    if !matches!(rest[0], b'T' | b't' | b' ') || rest.len() < 6 || rest[3] != b':' {
        return None;
    }
    let (hour, minute) = (number(&rest[1..3])?, number(&rest[4..6])?);
    let mut rest = &rest[6..];
    let mut second = 0;
    let mut micros = 0;
    if rest.first() == Some(&b':') {
        second = number(rest.get(1..3)?)?;
        rest = &rest[3..];
        if matches!(rest.first(), Some(b'.' | b',')) {
            let digits = rest[1..].iter().take_while(|c| c.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let mut scale = 100_000;
            for digit in rest[1..=digits].iter().take(6) {
                micros += i64::from(digit - b'0') * scale;
                scale /= 10;
            }
            rest = &rest[1 + digits..];
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = zone(rest)?;
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second) - offset;
    Some(days * 86_400_000_000 + seconds * 1_000_000 + micros)
}

/// Seconds east of UTC.
fn zone(text: &[u8]) -> Option<i64> {
    let text = if text.first() == Some(&b' ') { &text[1..] } else { text };
    let sign = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let (hours, minutes) = match &text[1..] {
        [a, b] => (number(&[*a, *b])?, 0),
        [a, b, b':', c, d] | [a, b, c, d] => (number(&[*a, *b])?, number(&[*c, *d])?),
        _ => return None,
    };
    (hours <= 14 && minutes <= 59).then_some(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')))
}

/// Microseconds since 1970 of whatever names a moment: a datetime, or a number since 1970 whose size tells seconds,
/// milliseconds, microseconds and nanoseconds apart (each reaches from 1973 to 5138 in seconds).
pub fn moment(value: &Value<'_>) -> Result<i64, String> {
    let number = match value {
        Value::Long(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        Value::Text(text) => match datetime(text) {
            Some(micros) => return Ok(micros),
            None => text.trim().parse().ok(),
        },
        _ => None,
    };
    let scale = |number: f64| match number.abs() {
        size if size < 1e11 => 1e6,
        size if size < 1e14 => 1e3,
        size if size < 1e17 => 1.0,
        _ => 1e-3,
    };
    match (value, number) {
        // without the rounding of reals
        (Value::Long(number), _) if (100_000_000_000_000..100_000_000_000_000_000).contains(number) => Ok(*number),
        (Value::Long(number), _) if *number >= 100_000_000_000_000_000 => Ok(number / 1000),
        (_, Some(number)) if number.is_finite() && number.abs() < 1e20 => Ok((number * scale(number)).round() as i64),
        (Value::Text(text), _) => Err(format!("{:?} is not a time", text.chars().take(40).collect::<String>())),
        _ => Err("the value is not a time".to_owned()),
    }
}

/// Ticks of a timespan: `[-][d.]hh:mm[:ss[.fffffff]]`.
pub fn timespan(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1_i64, rest),
        None => (1, text),
    };
    let mut parts = text.split(':');
    let (first, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    if parts.next().is_some() {
        return None;
    }
    let (day, hour) = first.split_once('.').unwrap_or(("0", first));
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    let part = |digits: &str, most: i64| {
        let fits = !digits.is_empty() && digits.len() <= 8 && digits.bytes().all(|c| c.is_ascii_digit());
        fits.then(|| digits.parse::<i64>().ok()).flatten().filter(|value| *value <= most)
    };
    let seconds = part(day, 10_675_199)? * 86_400 + part(hour, 23)? * 3600 + part(minute, 59)? * 60 + part(second, 59)?;
    let fraction = match fraction {
        "" => 0,
        digits => part(digits.get(..7).unwrap_or(digits), i64::MAX)? * 10_i64.pow(7 - digits.len().min(7) as u32),
    };
    seconds.checked_mul(10_000_000)?.checked_add(fraction).map(|ticks| sign * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_are_read_in_the_forms_that_senders_use() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("1970-01-01 00:00:01.1234567", Some(1_123_456)),
            ("1970-01-01T02:00:00+02:00", Some(0)),
            ("1970-01-01T02:00:00 +0200", Some(0)),
            ("1969-12-31T22:30-01:30", Some(0)),
            ("Thu, 01 Jan 1970 00:00:02 GMT", Some(2_000_000)),
            ("1970-13-01", None),
            ("1970-02-30", None),
            ("0000-01-01", None),
            ("1970-01-01T25:00:00", None),
            ("1970-01-01T00:00:00.", None),
            ("1970-01-01T00:00:00x", None),
            ("now", None),
            ("", None),
            ("é970-01-01T00:00:00", None),
        ];
        for (text, expected) in cases {
            assert_eq!(datetime(text), expected, "{text}");
        }
    }

    #[test]
    fn moments_are_told_apart_by_their_size() {
        let expected = 1_700_000_000_123_000;
        for value in [
            Value::Real(1_700_000_000.123),
            Value::Long(1_700_000_000_123),
            Value::Long(1_700_000_000_123_000),
            Value::Long(1_700_000_000_123_000_999),
            Value::Text("1700000000.123"),
            Value::Text("2023-11-14T22:13:20.123Z"),
        ] {
            assert_eq!(moment(&value), Ok(expected), "{value:?}");
        }
        for value in [Value::Text("noon"), Value::Bool(true), Value::Real(f64::NAN), Value::Json("{}")] {
            assert!(moment(&value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn timespans_are_read() {
        let cases = [
            ("00:00:01", Some(10_000_000)),
            ("1.02:03:04.5", Some(((26 * 60 + 3) * 60 + 4) * 10_000_000 + 5_000_000)),
            ("-00:01", Some(-600_000_000)),
            ("24:00:00", None),
            ("1:2:3:4", None),
            ("99999999.00:00:00", None),
            ("x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(timespan(text), expected, "{text}");
        }
    }
}
