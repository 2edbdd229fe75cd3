//! The `timespan` of a query: an ISO 8601 duration (until now), two instants, an instant and a duration, or a duration
//! and an instant (Azure Monitor Logs API, "Timespans").

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use watchkeeper_kql::Ticks;
use watchkeeper_query::TimeRange;

/// Reads a timespan; `now` is where a lone duration ends.
pub fn parse(text: &str, now: Ticks) -> Result<TimeRange, String> {
    let range = match text.trim().split_once('/') {
        None => TimeRange { from: back(now, duration(text.trim())?)?, to: now },
        Some((first, second)) => match (first.starts_with('P'), second.starts_with('P')) {
            (false, false) => TimeRange { from: instant(first)?, to: instant(second)? },
            (false, true) => {
                let from = instant(first)?;
                TimeRange { from, to: forward(from, duration(second)?)? }
            }
            (true, false) => {
                let to = instant(second)?;
                TimeRange { from: back(to, duration(first)?)?, to }
            }
            (true, true) => return Err(format!("the timespan {text:?} has two durations and no instant")),
        },
    };
    if range.from > range.to {
        return Err(format!("the timespan {text:?} ends before it begins"));
    }
    Ok(range)
}

fn back(at: Ticks, span: i64) -> Result<Ticks, String> {
    in_calendar(at.0.checked_sub(span))
}

fn forward(at: Ticks, span: i64) -> Result<Ticks, String> {
    in_calendar(at.0.checked_add(span))
}

fn in_calendar(ticks: Option<i64>) -> Result<Ticks, String> {
    ticks
        .filter(|ticks| (0..=Ticks::MAX_DATETIME.0).contains(ticks))
        .map(Ticks)
        .ok_or_else(|| "the timespan reaches beyond the years 1 to 9999".to_owned())
}

/// A date, or a date with a time of day and a zone; without a zone it is UTC.
pub fn instant(text: &str) -> Result<Ticks, String> {
    let text = text.trim();
    let utc = DateTime::parse_from_rfc3339(text)
        .map(|at| at.naive_utc())
        .ok()
        .or_else(|| {
            let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f%#z"];
            formats.iter().find_map(|format| match format.ends_with('z') {
                true => DateTime::parse_from_str(text, format).ok().map(|at| at.naive_utc()),
                false => NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), format).ok(),
            })
        })
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0)))
        .ok_or_else(|| format!("{text:?} is not an ISO 8601 instant, for instance 2026-01-31T12:00:00Z"))?
        .and_utc();
    let ticks = utc
        .timestamp()
        .checked_mul(Ticks::PER_SECOND)
        .and_then(|ticks| ticks.checked_add(i64::from(utc.timestamp_subsec_nanos() / 100)))
        .and_then(|ticks| ticks.checked_add(Ticks::UNIX_EPOCH.0));
    in_calendar(ticks)
}

/// `P[nY][nM][nW][nD][T[nH][nM][nS]]` in ticks; a month has 30 days and a year 365. The last number may have a
/// fraction.
fn duration(text: &str) -> Result<i64, String> {
    let fail = || format!("{text:?} is not an ISO 8601 duration, for instance PT1H or P1D");
    let mut rest = text.strip_prefix('P').ok_or_else(fail)?;
    let mut in_time = false;
    let mut ticks = 0i128;
    let mut parts = 0;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            if in_time || after.is_empty() {
                return Err(fail());
            }
            in_time = true;
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').ok_or_else(fail)?;
        let (number, unit) = (rest[..end].replace(',', "."), rest[end..].chars().next().ok_or_else(fail)?);
        let one = match (in_time, unit) {
            (false, 'Y') => 365 * Ticks::PER_DAY,
            (false, 'M') => 30 * Ticks::PER_DAY,
            (false, 'W') => 7 * Ticks::PER_DAY,
            (false, 'D') => Ticks::PER_DAY,
            (true, 'H') => Ticks::PER_HOUR,
            (true, 'M') => Ticks::PER_MINUTE,
            (true, 'S') => Ticks::PER_SECOND,
            _ => return Err(fail()),
        };
        ticks += times(&number, one).ok_or_else(fail)?;
        parts += 1;
        rest = &rest[end + unit.len_utf8()..];
    }
    if parts == 0 {
        return Err(fail());
    }
    i64::try_from(ticks).map_err(|_| fail())
}

/// A decimal number of units, exact to the tick.
fn times(number: &str, one: i64) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 12 || fraction.len() > 15 || fraction.contains('.') {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10i128.pow(u32::try_from(fraction.len()).ok()?);
    Some(whole * i128::from(one) + part * i128::from(one) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-02T00:00:00Z.
    const NOW: Ticks = Ticks(Ticks::UNIX_EPOCH.0 + 1_767_312_000 * Ticks::PER_SECOND);

    #[test]
    fn every_form_of_a_timespan_is_read() {
        let hour = Ticks::PER_HOUR;
        for (text, from, to) in [
            ("PT1H", NOW.0 - hour, NOW.0),
            ("P1D", NOW.0 - 24 * hour, NOW.0),
            ("P1W", NOW.0 - 7 * 24 * hour, NOW.0),
            ("P1DT2H30M", NOW.0 - 26 * hour - hour / 2, NOW.0),
            ("PT3600.0S", NOW.0 - hour, NOW.0),
            ("PT0.0000001S", NOW.0 - 1, NOW.0),
            ("2026-01-01T23:00:00Z/2026-01-02T00:00:00.000Z", NOW.0 - hour, NOW.0),
            ("2026-01-02T00:00:00+01:00/PT1H", NOW.0 - hour, NOW.0),
            ("PT1H/2026-01-02", NOW.0 - hour, NOW.0),
            ("2026-01-01T23:00:00.0000001/PT1H", NOW.0 - hour + 1, NOW.0 + 1),
        ] {
            let range = parse(text, NOW).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((range.from.0, range.to.0), (from, to), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_timespan_is_refused_and_named() {
        for text in [
            "",
            "1h",
            "P",
            "PT",
            "P1H",
            "PT1D",
            "P1DT",
            "PT1H/PT1H",
            "2026-13-01/P1D",
            "P9999999999Y",
            "P99999Y",
            "2026-01-02/2026-01-01",
            "PT1.2.3S",
            "PTé",
        ] {
            assert!(parse(text, NOW).is_err(), "{text}");
        }
    }
}
