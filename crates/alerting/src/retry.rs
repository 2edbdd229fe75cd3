//! When a delivery is tried again (action groups, webhook retry behaviour). Documented: up to five retries after 5, 20,
//! 5, 40 and 5 seconds; a call may be retried after 408, 429, 503, 504 or when there was no answer; after a series that
//! failed, the endpoint rests for 15 minutes. Beyond that: a new series follows until a day has passed, so that nothing
//! is lost while an endpoint is away; then, and after a refusal, the delivery is a dead letter that can be replayed.

use crate::Period;

/// When a delivery is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Between the tries of a series.
    pub delays: Vec<Period>,
    /// After a series that failed, the endpoint is left alone.
    pub rest: Period,
}

impl Default for Schedule {
    /// The documented one.
    fn default() -> Schedule {
        Schedule { delays: [5, 20, 5, 40, 5].map(Period::seconds).to_vec(), rest: Period::seconds(15 * 60) }
    }
}

/// A delivery is given up after so long.
pub const GIVE_UP: Period = Period::seconds(86_400);
/// Calls of webhooks in a minute.
pub const MOST_WEBHOOKS_A_MINUTE: u32 = 1500;
/// Mails to one address in an hour.
pub const MOST_MAILS_AN_HOUR: u32 = 100;

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Delivered,
    /// It may succeed later: no answer, or a status that says so. `after`: the receiver says when.
    Later {
        reason: String,
        after: Option<Period>,
    },
    /// It will not succeed as it is.
    Refused {
        reason: String,
    },
}

/// What to do after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Done,
    /// Again after so long.
    Again(Period),
    /// Again after so long, and nothing else to this endpoint before.
    Rest(Period),
    Dead,
}

/// The statuses after which a call may be tried again.
#[must_use]
pub fn may_retry(status: u16) -> bool {
    matches!(status, 408 | 429 | 503 | 504)
}

/// Decides after try number `attempt` (the first is 1) of a delivery that is so old.
#[must_use]
pub fn next(schedule: &Schedule, answer: &Answer, attempt: u32, age: Period) -> Next {
    match answer {
        Answer::Delivered => Next::Done,
        Answer::Refused { .. } => Next::Dead,
        Answer::Later { after, .. } => {
            let place = usize::try_from(attempt.saturating_sub(1)).unwrap_or(0) % (schedule.delays.len() + 1);
            let wait = schedule.delays.get(place).copied();
            let longer = |period: Period| after.map_or(period, |after| period.max(after.min(GIVE_UP)));
            match wait {
                _ if age >= GIVE_UP => Next::Dead,
                Some(delay) => Next::Again(longer(delay)),
                None => Next::Rest(longer(schedule.rest)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_follow_the_documented_delays_and_then_rest() {
        let usual = Schedule::default();
        let later = Answer::Later { reason: "503".into(), after: None };
        let waits: Vec<Next> = (1..=7).map(|attempt| next(&usual, &later, attempt, Period::default())).collect();
        let again = |seconds| Next::Again(Period::seconds(seconds));
        assert_eq!(waits, [again(5), again(20), again(5), again(40), again(5), Next::Rest(usual.rest), again(5)]);
        assert_eq!(next(&usual, &later, 8, GIVE_UP), Next::Dead);
        assert_eq!(next(&usual, &Answer::Refused { reason: "401".into() }, 1, Period::default()), Next::Dead);
        let told = Answer::Later { reason: "429".into(), after: Some(Period::seconds(60)) };
        assert_eq!(next(&usual, &told, 1, Period::default()), again(60));
    }

    #[test]
    fn only_the_documented_statuses_are_tried_again() {
        let retried: Vec<u16> = (200..600).filter(|status| may_retry(*status)).collect();
        assert_eq!(retried, [408, 429, 503, 504]);
    }
}
