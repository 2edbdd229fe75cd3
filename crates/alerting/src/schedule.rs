//! When a rule is evaluated: spread over its frequency, caught up after downtime, not confused by a clock that is set.
//! Times are microseconds since 1970; an evaluation is named by the end of its newest window.

use crate::Period;

/// Which evaluations are due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Ends of windows, the oldest first.
    pub ends: Vec<i64>,
    /// Evaluations that were missed and are older than what is caught up.
    pub skipped: i64,
    /// The clock was set back behind what had been evaluated.
    pub clock_back: bool,
    /// When to look again.
    pub next: i64,
}

/// Where in its frequency a rule is evaluated: the same place always, another for another rule.
#[must_use]
pub fn phase(rule: &str, frequency: Period) -> i64 {
    // FNV-1a: spread is all that is needed
    let hash = rule
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let seconds = u64::try_from(frequency.micros() / 1_000_000).unwrap_or(1).max(1);
    // whole seconds, so that windows end at them; the low bits of the hash are the poor ones
    i64::try_from((hash >> 16) % seconds).unwrap_or(0) * 1_000_000
}

/// What is due now for a rule whose last evaluation ended at `last_end` (0: never). Missed evaluations are caught up as
/// far back as `catch_up`.
#[must_use]
pub fn due(last_end: i64, now: i64, frequency: Period, phase: i64, catch_up: Period) -> Due {
    let step = frequency.micros().max(1);
    let newest = (now - phase).div_euclid(step) * step + phase;
    let next = newest + step;
    if last_end == 0 {
        // a new rule does not wait for its turn
        let second = now.div_euclid(1_000_000) * 1_000_000;
        return Due { ends: vec![second], next, ..Due::default() };
    }
    if last_end > now + step {
        return Due { ends: vec![newest], clock_back: true, next, ..Due::default() };
    }
    if newest <= last_end {
        return Due { next: next.max(last_end + 1), ..Due::default() };
    }
    let missed = (newest - last_end - 1) / step + 1;
    let kept = missed.min((catch_up.micros() / step).max(1));
    let ends = (0..kept).rev().map(|back| newest - back * step).collect();
    Due { ends, skipped: missed - kept, clock_back: false, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const MINUTE: i64 = 60 * SECOND;

    fn at(last: i64, now: i64) -> Due {
        due(last, now, Period(MINUTE), 20 * SECOND, Period(10 * MINUTE))
    }

    #[test]
    fn evaluations_keep_their_place_in_the_minute() {
        let base = 1_000 * MINUTE;
        let first = at(0, base + 5 * SECOND + 7);
        assert_eq!(first.ends, [base + 5 * SECOND], "a new rule at once");
        assert_eq!(first.next, base + 20 * SECOND);
        assert_eq!(at(base + 5 * SECOND, base + 19 * SECOND).ends, Vec::<i64>::new());
        assert_eq!(at(base + 5 * SECOND, base + 20 * SECOND).ends, [base + 20 * SECOND]);
        assert_eq!(at(base + 20 * SECOND, base + 79 * SECOND).ends, Vec::<i64>::new());
    }

    #[test]
    fn what_was_missed_is_caught_up_with_a_limit_and_counted() {
        let last = 1_000 * MINUTE + 20 * SECOND;
        let some = at(last, last + 3 * MINUTE);
        assert_eq!((some.ends.len(), some.skipped), (3, 0));
        assert_eq!(some.ends[0], last + MINUTE);
        let many = at(last, last + 60 * MINUTE);
        assert_eq!((many.ends.len(), many.skipped), (10, 50));
        assert_eq!(many.ends[9], last + 60 * MINUTE);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_a_rule() {
        let last = 1_000 * MINUTE + 20 * SECOND;
        assert_eq!(at(last, last - SECOND).ends, Vec::<i64>::new(), "a little back: it waits");
        let back = at(last, last - 60 * MINUTE + SECOND);
        assert!(back.clock_back);
        assert_eq!(back.ends, [last - 60 * MINUTE]);
    }

    #[test]
    fn rules_are_spread_evenly() {
        let mut seconds = [0_u32; 60];
        for number in 0..10_000 {
            let phase = phase(&format!("scheduledqueryrules/g/rule {number}"), Period(MINUTE));
            seconds[usize::try_from(phase / SECOND).unwrap()] += 1;
        }
        assert!(seconds.iter().all(|count| (100..240).contains(count)), "{seconds:?}");
    }
}
