//! Failed sign-ins of one name slow down: after a few, each further one doubles the time until the next is looked at.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures that cost nothing.
const FREE_FAILURES: u32 = 5;
/// The longest time that a name is closed.
const LONGEST: Duration = Duration::from_secs(300);
/// Names that are remembered; beyond it the ones that are open again are forgotten, then the oldest.
const MOST_NAMES: usize = 10_000;

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn closed_until(self) -> Instant {
        match self.count.checked_sub(FREE_FAILURES) {
            None => self.last,
            Some(over) => self.last + Duration::from_secs(1 << over.min(9)).min(LONGEST),
        }
    }
}

/// Failures by name. Time is passed in.
#[derive(Default)]
pub struct Throttle {
    names: Mutex<HashMap<String, Failures>>,
}

impl Throttle {
    /// How long `name` has to wait still, where it has to.
    pub fn wait(&self, name: &str, now: Instant) -> Option<Duration> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let until = names.get(name)?.closed_until();
        until.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    pub fn failed(&self, name: &str, now: Instant) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST_NAMES && !names.contains_key(name) {
            names.retain(|_, failures| failures.closed_until() > now);
            if names.len() >= MOST_NAMES {
                let oldest = names.iter().min_by_key(|(_, failures)| failures.last).map(|(name, _)| name.clone());
                oldest.and_then(|name| names.remove(&name));
            }
        }
        let failures = names.entry(name.to_owned()).or_insert(Failures { count: 0, last: now });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    pub fn succeeded(&self, name: &str) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_failures_close_a_name_for_a_while_and_only_that_name() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for _ in 0..FREE_FAILURES - 1 {
            throttle.failed("admin", start);
        }
        assert_eq!(throttle.wait("admin", start), None);
        throttle.failed("admin", start);
        assert_eq!(throttle.wait("admin", start), Some(Duration::from_secs(1)));
        throttle.failed("admin", start);
        assert_eq!(throttle.wait("admin", start), Some(Duration::from_secs(2)));
        assert_eq!(throttle.wait("admin", start + Duration::from_secs(3)), None);
        assert_eq!(throttle.wait("other", start), None);
        for _ in 0..40 {
            throttle.failed("admin", start);
        }
        assert_eq!(throttle.wait("admin", start), Some(LONGEST));
        throttle.succeeded("admin");
        assert_eq!(throttle.wait("admin", start), None);
    }
}
