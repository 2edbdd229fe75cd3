//! Times as products write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};

/// `2026-11-22 00:01:00` or `2026-11-22`, in UTC; nothing for an empty text.
pub fn utc(text: &str) -> Option<i64> {
    let text = text.trim();
    let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .ok()
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
    Some(at.and_utc().timestamp_micros())
}

/// The same, written.
pub fn utc_text(micros: i64) -> String {
    date(micros).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// ISO 8601 with a zone or `Z`; without a zone it is UTC.
pub fn iso(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.timestamp_micros());
    }
    let at = NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    Some(at.and_utc().timestamp_micros())
}

/// The last time that products can be asked with: the year 9999 begins.
const LATEST: i64 = 253_370_764_800_000_000;

/// ISO 8601 in UTC with `Z`, in whole seconds or milliseconds; what is smaller is left out.
pub fn iso_text(micros: i64, precision: SecondsFormat) -> String {
    date(micros.min(LATEST)).to_rfc3339_opts(precision, true)
}

/// Times outside of what a calendar has become the epoch.
fn date(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let at = utc("2026-11-22 00:01:02").unwrap();
        assert_eq!(utc_text(at), "2026-11-22 00:01:02");
        assert_eq!(iso("2026-11-22T00:01:02Z"), Some(at));
        assert_eq!(iso("2026-11-22T01:01:02+01:00"), Some(at));
        assert_eq!(iso("2026-11-22T00:01:02.5"), Some(at + 500_000));
        assert_eq!(utc("2026-11-22").unwrap(), at - 62_000_000);
        assert_eq!(iso_text(at + 999_999, SecondsFormat::Secs), "2026-11-22T00:01:02Z");
        assert_eq!(iso_text(at + 4_999, SecondsFormat::Millis), "2026-11-22T00:01:02.004Z");
        assert_eq!(iso_text(i64::MAX, SecondsFormat::Secs), "9999-01-01T00:00:00Z");
        assert_eq!((utc(""), iso("soon")), (None, None));
    }
}
