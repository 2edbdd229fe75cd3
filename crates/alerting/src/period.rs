//! Lengths of time as rules write them: ISO 8601 durations without years and months.

use std::fmt;

/// A length of time, in microseconds; never negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub i64);

const SECOND: i64 = 1_000_000;

impl Period {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: i64) -> Period {
        Period(seconds * SECOND)
    }

    /// In microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads `P1D`, `PT5M`, `PT1H30M`, and `HH:MM:SS` as some clients send it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Period> {
        if text.contains(':') {
            return clock(text);
        }
        let (days, clock) = text
            .strip_prefix('P')?
            .split_once('T')
            .map_or_else(|| (text.strip_prefix('P').unwrap_or_default(), None), |(days, clock)| (days, Some(clock)));
        if days.is_empty() && clock.is_none_or(str::is_empty) || clock == Some("") {
            return None;
        }
        let total = parts(days, &[('W', 7 * 86_400), ('D', 86_400)])?
            .checked_add(parts(clock.unwrap_or_default(), &[('H', 3600), ('M', 60), ('S', 1)])?)?;
        Some(Period(total))
    }
}

/// Numbers with units in a fixed order; seconds may have a fraction.
fn parts(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total = 0_i64;
    for (unit, seconds) in units {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        let micros = match number.split_once('.') {
            Some((whole, fraction)) if *unit == 'S' && digits(fraction) && fraction.len() <= 6 => {
                let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
                whole.parse::<i64>().ok()?.checked_mul(SECOND)?.checked_add(fraction)?
            }
            None if digits(number) => number.parse::<i64>().ok()?.checked_mul(seconds * SECOND)?,
            _ => return None,
        };
        total = total.checked_add(micros)?;
        text = rest;
    }
    text.is_empty().then_some(total)
}

fn clock(text: &str) -> Option<Period> {
    let parts: Vec<&str> = text.split(':').collect();
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    if !(digits(hours) && digits(minutes) && digits(seconds)) {
        return None;
    }
    let seconds =
        hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60 + seconds.parse::<i64>().ok()?;
    Some(Period::seconds(seconds))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / SECOND, self.0 % SECOND);
        let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        f.write_str("P")?;
        if days > 0 {
            write!(f, "{days}D")?;
        }
        if self.0 == 0 {
            return f.write_str("T0S");
        }
        if hours > 0 || minutes > 0 || rest > 0 || micros > 0 {
            f.write_str("T")?;
        }
        for (number, unit) in [(hours, 'H'), (minutes, 'M')] {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        match micros {
            0 if rest == 0 => Ok(()),
            0 => write!(f, "{rest}S"),
            _ => write!(f, "{}S", format!("{rest}.{micros:06}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, seconds) in
            [("PT5M", 300), ("PT1H", 3600), ("P1D", 86_400), ("P2DT3H4M5S", 183_845), ("P1W", 604_800)]
        {
            assert_eq!(Period::parse(text), Some(Period::seconds(seconds)), "{text}");
        }
        for text in ["PT5M", "PT1H30M", "P1D", "P1DT1S", "PT0.25S", "PT0S"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Period::parse("00:05:00"), Some(Period::seconds(300)));
        for text in ["", "P", "PT", "5m", "PT5", "PT-5M", "P1Y", "PT5M5H", "P1.5D", "PT1H ", "PT99999999999999M"] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }
}
