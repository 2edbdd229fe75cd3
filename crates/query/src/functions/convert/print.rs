//! How each type prints, in `tostring`, `strcat` and in JSON.

use std::borrow::Cow;
use std::fmt::Write;

use watchkeeper_kql::Ticks;

use crate::functions::datetime::calendar::Civil;
use crate::functions::frame::json;
use crate::functions::frame::value::{DECIMAL_ONE, Value};

/// The text of a cell as `tostring` gives it: empty for null, a dynamic string without its quotes.
pub fn text_of<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
        Value::Int(value) => Cow::Owned(value.to_string()),
        Value::Long(value) => Cow::Owned(value.to_string()),
        Value::Real(value) => Cow::Owned(real(*value)),
        Value::Decimal(value) => Cow::Owned(decimal(*value)),
        Value::Datetime(ticks) => Cow::Owned(datetime(*ticks)),
        Value::Timespan(ticks) => Cow::Owned(timespan(*ticks)),
        Value::String(text) | Value::Guid(text) => Cow::Borrowed(text),
        Value::Dynamic(text) => json::unquote(text).unwrap_or(Cow::Borrowed(text)),
    }
}

/// The shortest digits that read back as the same number; an exponent from 1E+15 and below 1E-05.
pub fn real(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 {
        return "0.0".to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-5..15).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}E{sign}{:02}", exponent.abs());
    }
    let mut text = format!("{value}");
    if !text.contains('.') {
        text.push_str(".0");
    }
    text
}

/// Without trailing zeros.
pub fn decimal(value: i128) -> String {
    let whole = (value / DECIMAL_ONE).unsigned_abs();
    let fraction = (value % DECIMAL_ONE).unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:018}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// `2017-10-15T12:00:00.0000000Z`.
pub fn datetime(ticks: i64) -> String {
    let civil = Civil::from_ticks(ticks);
    let mut out = String::with_capacity(28);
    // writing to a String cannot fail
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:07}Z",
        civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second, civil.fraction
    );
    out
}

/// `[-][d.]hh:mm:ss[.fffffff]`.
pub fn timespan(ticks: i64) -> String {
    let total = ticks.unsigned_abs();
    let per_second = Ticks::PER_SECOND.unsigned_abs();
    let seconds = total / per_second;
    let fraction = total % per_second;
    let days = seconds / 86_400;
    let mut out = String::with_capacity(24);
    if ticks < 0 {
        out.push('-');
    }
    // writing to a String cannot fail
    if days > 0 {
        let _ = write!(out, "{days}.");
    }
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    if fraction > 0 {
        let _ = write!(out, ".{fraction:07}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_print_with_a_point_or_an_exponent() {
        for (value, want) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-123.45, "-123.45"),
            (1e15, "1E+15"),
            (1.5e-7, "1.5E-07"),
            (0.00001, "0.00001"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(real(value), want);
        }
    }

    #[test]
    fn timespans_print_days_and_fractions_only_where_there_are_any() {
        for (ticks, want) in [
            (0, "00:00:00"),
            (3 * Ticks::PER_HOUR, "03:00:00"),
            (-12 * Ticks::PER_HOUR, "-12:00:00"),
            (Ticks::PER_DAY + 1, "1.00:00:00.0000001"),
            (i64::MIN, "-10675199.02:48:05.4775808"),
        ] {
            assert_eq!(timespan(ticks), want);
        }
    }

    #[test]
    fn decimals_print_without_trailing_zeros() {
        for (value, want) in [(DECIMAL_ONE, "1"), (-DECIMAL_ONE / 2, "-0.5"), (0, "0"), (1, "0.000000000000000001")] {
            assert_eq!(decimal(value), want);
        }
    }
}
