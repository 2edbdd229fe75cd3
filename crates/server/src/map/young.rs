//! The rows of the last minutes, each by itself: more of them come every second, and every map of the present has them.
//! They are followed by the time of their arrival, so that a map reads only those that came since the one before.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use watchkeeper_map::{Time, Window};

/// So far back rows are followed: longer than it takes until an interval is settled.
pub(super) const REACH: i64 = 5 * Time::MINUTE;
/// More rows are not followed: some 200 bytes each.
const MOST_ROWS: usize = 1_000_000;
/// Where there are more, they are tried again after so long.
const REST: i64 = 60 * Time::MINUTE;

/// The rows of one minute by the number of their key and their time: a row that is read twice is one.
type Minute<S> = HashMap<(u32, Time), S, RandomState>;

pub(super) struct Young<S> {
    /// By the start of their minute.
    minutes: BTreeMap<Time, Minute<S>>,
    followed: Option<Followed>,
    /// Not before.
    again_at: Time,
}

/// All rows of a time or later are known, of those that had come until an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Followed {
    pub from: Time,
    pub until: Time,
}

impl<S> Default for Young<S> {
    fn default() -> Young<S> {
        Young { minutes: BTreeMap::new(), followed: None, again_at: Time(0) }
    }
}

impl<S> Young<S> {
    pub fn followed(&self) -> Option<Followed> {
        self.followed
    }

    /// Whether following may begin.
    pub fn may_begin(&self, now: Time) -> bool {
        self.followed.is_none() && now >= self.again_at
    }

    /// Whether all rows of a window are known.
    pub fn has(&self, window: Window) -> bool {
        self.followed.is_some_and(|followed| followed.from <= window.from)
    }

    /// Takes the rows of a time or later that had come until an instant, and forgets those that are no longer young.
    pub fn take(&mut self, rows: impl Iterator<Item = (u32, Time, S)>, from: Time, now: Time) {
        for (number, time, sum) in rows {
            self.minutes.entry(minute(time)).or_default().insert((number, time), sum);
        }
        let from = from.max(minute(Time(now.0 - REACH)));
        self.minutes.retain(|start, _| *start >= minute(from));
        self.followed = Some(Followed { from, until: now });
        if self.minutes.values().map(HashMap::len).sum::<usize>() > MOST_ROWS {
            *self = Young { again_at: Time(now.0 + REST), ..Young::default() };
        }
    }

    /// The rows of a window.
    pub fn within(&self, window: Window) -> impl Iterator<Item = (u32, &S)> {
        let rows = self.minutes.range(minute(window.from)..window.to).flat_map(|(_, rows)| rows);
        rows.filter(move |((_, time), _)| window.contains(*time)).map(|((number, _), sum)| (*number, sum))
    }
}

/// The start of the minute that a time is in.
fn minute(time: Time) -> Time {
    Time(time.0.div_euclid(Time::MINUTE) * Time::MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_000 * Time::MINUTE);

    fn minutes_ago(minutes: i64) -> Time {
        Time(NOW.0 - minutes * Time::MINUTE)
    }

    #[test]
    fn a_row_that_is_read_twice_is_one_and_those_that_grow_old_are_forgotten() {
        let mut young: Young<&str> = Young::default();
        assert!(young.may_begin(NOW) && young.followed().is_none());
        young.take([(0, minutes_ago(4), "a"), (1, minutes_ago(1), "b")].into_iter(), minutes_ago(5), NOW);
        young.take([(1, minutes_ago(1), "b"), (1, NOW, "c")].into_iter(), minutes_ago(5), NOW);
        let all = Window { from: minutes_ago(5), to: Time(NOW.0 + 1) };
        assert!(young.has(all) && !young.may_begin(NOW));
        assert!(!young.has(Window { from: minutes_ago(6), ..all }), "so far back nothing is known");
        let mut found: Vec<_> = young.within(all).collect();
        found.sort_unstable();
        assert_eq!(found, [(0, &"a"), (1, &"b"), (1, &"c")]);
        assert_eq!(young.within(Window { from: NOW, ..all }).count(), 1);
        let later = Time(NOW.0 + 2 * Time::MINUTE);
        young.take(std::iter::empty(), minutes_ago(5), later);
        assert_eq!(young.followed(), Some(Followed { from: minutes_ago(3), until: later }));
        assert_eq!(young.within(all).count(), 2);
    }

    #[test]
    fn too_many_rows_are_not_followed_for_a_while() {
        let mut young: Young<()> = Young::default();
        let many = (0..=u32::try_from(MOST_ROWS).unwrap()).map(|number| (number, NOW, ()));
        young.take(many, minutes_ago(5), NOW);
        assert!(young.followed().is_none() && !young.may_begin(NOW));
        assert!(young.may_begin(Time(NOW.0 + REST)));
    }
}
