//! `format_datetime` and `format_timespan`.

use std::fmt::Write;

use watchkeeper_kql::{Ticks, Type};

use super::calendar::{Civil, month_name};
use crate::functions::frame::{Call, Function, Returns, Value};

pub const FUNCTIONS: &[Function] = &[
    Function::row("format_datetime", 2, 2, Returns::Always(Type::String), format_datetime),
    Function::row("format_timespan", 2, 2, Returns::Always(Type::String), format_timespan),
];

/// Runs of one letter, and everything else as it stands.
fn runs(format: &str) -> impl Iterator<Item = &str> {
    let mut rest = format;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|character| character != first).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        Some(run)
    })
}

/// The first `digits` of seven digits of a second's fraction; `F` drops trailing zeros.
fn fraction(out: &mut String, ticks: i64, digits: usize, trim: bool) {
    let all = format!("{ticks:07}");
    let cut = &all[..digits.min(7)];
    out.push_str(if trim { cut.trim_end_matches('0') } else { cut });
}

fn format_datetime<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(at) = args[0].as_i64() else {
        return Value::string("");
    };
    let civil = Civil::from_ticks(at);
    let mut out = String::new();
    for run in runs(args[1].text()) {
        let length = run.len();
        // writing to a String cannot fail
        let _ = match (run.as_bytes()[0], length) {
            (b'd', 1 | 2) => write!(out, "{:0length$}", civil.day),
            (b'M', 1 | 2) => write!(out, "{:0length$}", civil.month),
            (b'M', 3) => write!(out, "{}", &month_name(civil.month)[..3]),
            (b'M', _) => write!(out, "{}", month_name(civil.month)),
            (b'y', 1 | 2) => write!(out, "{:0length$}", civil.year % 100),
            (b'y', _) => write!(out, "{:0length$}", civil.year),
            (b'H', 1 | 2) => write!(out, "{:0length$}", civil.hour),
            (b'h', 1 | 2) => write!(out, "{:0length$}", (civil.hour + 11) % 12 + 1),
            (b'm', 1 | 2) => write!(out, "{:0length$}", civil.minute),
            (b's', 1 | 2) => write!(out, "{:0length$}", civil.second),
            (b't', _) => write!(out, "{}", if civil.hour < 12 { "AM" } else { "PM" }),
            (letter @ (b'f' | b'F'), 1..=7) => {
                fraction(&mut out, civil.fraction, length, letter == b'F');
                Ok(())
            }
            _ => write!(out, "{run}"),
        };
    }
    Value::string(out)
}

fn format_timespan<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(ticks) = args[0].as_i64() else {
        return Value::string("");
    };
    let total = ticks.unsigned_abs();
    let seconds = total / Ticks::PER_SECOND.unsigned_abs();
    let part = i64::try_from(total % Ticks::PER_SECOND.unsigned_abs()).unwrap_or(0);
    let mut out = String::new();
    if ticks < 0 {
        out.push('-');
    }
    for run in runs(args[1].text()) {
        let length = run.len();
        // writing to a String cannot fail
        let _ = match (run.as_bytes()[0], length) {
            (b'd', 1..=8) => write!(out, "{:0length$}", seconds / 86_400),
            (b'h' | b'H', 1 | 2) => write!(out, "{:0length$}", seconds / 3600 % 24),
            (b'm', 1 | 2) => write!(out, "{:0length$}", seconds / 60 % 60),
            (b's', 1 | 2) => write!(out, "{:0length$}", seconds % 60),
            (letter @ (b'f' | b'F'), 1..=7) => {
                fraction(&mut out, part, length, letter == b'F');
                Ok(())
            }
            _ => write!(out, "{run}"),
        };
    }
    Value::string(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::convert::read;
    use crate::functions::testing::{check, string};

    #[test]
    fn datetimes_take_the_documented_letters() {
        let at = |text| Value::Datetime(read::datetime(text).unwrap());
        for (format, want) in [
            ("yy-MM-dd [HH:mm:ss]", "17-01-29 [09:00:05]"),
            ("yyyy-M-dd [H:mm:ss]", "2017-1-29 [9:00:05]"),
            ("yy-MM-dd [hh:mm:ss tt]", "17-01-29 [09:00:05 AM]"),
            ("dd/MMM/yyyy s.fff", "29/Jan/2017 5.120"),
            ("F", "1"),
        ] {
            check("format_datetime", &[(vec![at("2017-01-29 09:00:05.12"), string(format)], string(want))]);
        }
    }

    #[test]
    fn timespans_take_the_documented_letters() {
        let span = Value::Timespan(read::timespan("29.09:00:05.12345").unwrap());
        check(
            "format_timespan",
            &[
                (vec![span.clone(), string("dd.hh:mm:ss:FF")], string("29.09:00:05:12")),
                (vec![span, string("ddd.h:mm:ss [fffffff]")], string("029.9:00:05 [1234500]")),
            ],
        );
    }
}
