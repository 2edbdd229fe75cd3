//! One value as JSON, and the printed forms of datetimes and timespans.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Decimal128Type, Float64Type, Int32Type, Int64Type};
use watchkeeper_kql::{Ticks, Type};

use crate::runtime::DECIMAL_SCALE;

/// How a query API prints what JSON has no form for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Log Analytics and Kusto version 1: dynamic values as text.
    DynamicAsText,
    /// Kusto version 2: dynamic values as the JSON that they are.
    DynamicAsJson,
}

/// Appends the value of `column` in `row` as JSON.
pub fn write_cell(out: &mut Vec<u8>, column: &ArrayRef, row: usize, ty: Type, style: Style) {
    if column.is_null(row) {
        out.extend_from_slice(if ty == Type::String { b"\"\"" } else { b"null" });
        return;
    }
    match ty {
        Type::Bool => out.extend_from_slice(if column.as_boolean().value(row) { b"true" } else { b"false" }),
        Type::Int => write_display(out, column.as_primitive::<Int32Type>().value(row)),
        Type::Long => write_display(out, column.as_primitive::<Int64Type>().value(row)),
        Type::Real => write_real(out, column.as_primitive::<Float64Type>().value(row)),
        Type::Decimal => write_text(out, &decimal(column.as_primitive::<Decimal128Type>().value(row))),
        Type::Datetime => write_text(out, &datetime(Ticks(column.as_primitive::<Int64Type>().value(row)))),
        Type::Timespan => write_text(out, &timespan(Ticks(column.as_primitive::<Int64Type>().value(row)))),
        Type::String | Type::Guid => write_text(out, column.as_string_view().value(row)),
        Type::Dynamic => {
            let text = column.as_string_view().value(row);
            match style {
                Style::DynamicAsText => write_text(out, text),
                Style::DynamicAsJson => out.extend_from_slice(text.as_bytes()),
            }
        }
    }
}

fn write_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    out.extend_from_slice(value.to_string().as_bytes());
}

/// Appends a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(serde_json::Value::String(text.to_string()).to_string().as_bytes());
}

fn write_real(out: &mut Vec<u8>, value: f64) {
    match serde_json::Number::from_f64(value) {
        Some(number) => write_display(out, number),
        None => write_text(out, real_name(value)),
    }
}

/// The name of a float that is no number in JSON.
pub fn real_name(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// `2026-01-31T10:20:30.1234567Z`; no fraction where it is zero.
pub fn datetime(ticks: Ticks) -> String {
    let days = ticks.0.div_euclid(Ticks::PER_DAY);
    let in_day = ticks.0.rem_euclid(Ticks::PER_DAY);
    let (year, month, day) = civil(days);
    let seconds = in_day / Ticks::PER_SECOND;
    let fraction = in_day % Ticks::PER_SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let whole = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if fraction == 0 {
        return format!("{whole}Z");
    }
    let digits = format!("{fraction:07}");
    format!("{whole}.{}Z", digits.trim_end_matches('0'))
}

/// `1.02:03:04.5000000`: days and fraction only where they are not zero.
pub fn timespan(ticks: Ticks) -> String {
    let sign = if ticks.0 < 0 { "-" } else { "" };
    let total = ticks.0.unsigned_abs();
    let per_second = Ticks::PER_SECOND.unsigned_abs();
    let (seconds, fraction) = (total / per_second, total % per_second);
    let days = seconds / 86_400;
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let day_part = if days > 0 { format!("{days}.") } else { String::new() };
    let fraction_part = if fraction > 0 { format!(".{fraction:07}") } else { String::new() };
    format!("{sign}{day_part}{clock}{fraction_part}")
}

/// Decimal digits without needless zeros.
pub fn decimal(value: i128) -> String {
    let scale = 10_u128.pow(u32::from(DECIMAL_SCALE.unsigned_abs()));
    let sign = if value < 0 { "-" } else { "" };
    let (whole, fraction) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:018}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Year, month and day of a number of days since 0001-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // days since 0000-03-01, so that the leap day ends each year
    let shifted = days + 306;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_print_as_iso_8601() {
        for (ticks, expected) in [
            (0, "0001-01-01T00:00:00Z"),
            (Ticks::UNIX_EPOCH.0, "1970-01-01T00:00:00Z"),
            (Ticks::UNIX_EPOCH.0 + 1_500_000, "1970-01-01T00:00:00.15Z"),
            (Ticks::MAX_DATETIME.0, "9999-12-31T23:59:59.9999999Z"),
            (Ticks::from_unix_micros(951_782_400_000_000).0, "2000-02-29T00:00:00Z"),
        ] {
            assert_eq!(datetime(Ticks(ticks)), expected);
        }
    }

    #[test]
    fn timespans_print_days_and_fraction_where_needed() {
        for (ticks, expected) in [
            (0, "00:00:00"),
            (Ticks::PER_DAY + Ticks::PER_HOUR, "1.01:00:00"),
            (-15 * Ticks::PER_MILLISECOND, "-00:00:00.0150000"),
        ] {
            assert_eq!(timespan(Ticks(ticks)), expected);
        }
    }
}
