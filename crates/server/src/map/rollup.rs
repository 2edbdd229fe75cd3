//! Sums of past intervals, kept in memory: a map of a day reads the rows of its hours once.
//!
//! An interval that has ended a while ago is summed up when it is first asked for, in steps of an hour where a window holds
//! it whole, else of five minutes or, at its ends, of one. Long steps are made of short ones. Rows that come late are found by the time of their arrival: before sums are used,
//! the rows that came since they were last known to be whole are counted by step, and steps with such rows are read
//! again.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use watchkeeper_map::{Time, Window};

use super::young::Young;

/// The step at both ends of a window.
pub(super) const FINE: i64 = Time::MINUTE;
/// The short step.
pub(super) const STEP: i64 = 5 * Time::MINUTE;
/// The long step.
pub(super) const LONG: i64 = 60 * Time::MINUTE;
/// An interval is summed up when it has ended so long ago: agents send the rows of a minute when it has ended.
pub(super) const SETTLED: i64 = 2 * Time::MINUTE;
/// Sums that are kept: some 100 bytes each.
const MOST_SUMS: usize = 2_500_000;
/// Distinct keys that are kept: some 500 bytes each.
const MOST_KEYS: usize = 500_000;
/// Windows whose long steps are kept summed up.
const MOST_BASES: usize = 2;
/// Windows of more steps are read without keeping them: some eight days.
const MOST_STEPS: usize = 200;

/// A row that is the sum of others with the same key.
pub(super) trait Summed: Send + Sized {
    type Key: Clone + Eq + Hash + Send + Sync;
    type Sum: Clone + Send + Sync;

    fn split(self) -> (Self::Key, Self::Sum);
    fn unite(key: &Self::Key, sum: Self::Sum) -> Self;
    fn add(sum: &mut Self::Sum, other: &Self::Sum);
}

/// An interval that is kept: its start and its length.
pub(super) type Step = (i64, i64);

/// The sums of one interval, by key.
struct Interval<S> {
    sums: Arc<Vec<(u32, S)>>,
    /// All rows that had come before this instant are in it.
    whole_at: Time,
    used: u64,
    /// Which making of the step it is: one that was read again has another.
    made: u64,
}

/// The sums of the steps of a window that are longer than the finest: most windows that are asked for soon after have the
/// same ones.
struct Base<S> {
    of: Vec<(Step, u64)>,
    sums: Vec<Option<S>>,
}

/// The sums of many intervals.
pub(super) struct Rollup<R: Summed> {
    keys: HashMap<R::Key, u32, RandomState>,
    by_number: Vec<R::Key>,
    intervals: BTreeMap<Step, Interval<R::Sum>>,
    /// The newest first.
    bases: Vec<Base<R::Sum>>,
    uses: u64,
    /// How many steps there was room for, as far as is known.
    most_steps: usize,
    /// What has not settled.
    pub young: Young<R::Sum>,
}

impl<R: Summed> Default for Rollup<R> {
    fn default() -> Rollup<R> {
        Rollup {
            keys: HashMap::default(),
            by_number: Vec::new(),
            intervals: BTreeMap::new(),
            bases: Vec::new(),
            uses: 0,
            most_steps: MOST_STEPS,
            young: Young::default(),
        }
    }
}

/// How a window is put together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// Steps that can be kept, in order.
    pub steps: Vec<Step>,
    /// What is read for this window alone.
    pub rest: Vec<Window>,
}

/// Divides a window into steps, the longest that fit whole, and what is left at both ends.
pub(super) fn parts(window: Window, now: Time) -> Parts {
    let settled = window.to.0.min(now.0 - SETTLED);
    let first = up(window.from.0, FINE);
    let last = settled.div_euclid(FINE) * FINE;
    if first >= last {
        return Parts { steps: Vec::new(), rest: vec![window] };
    }
    let mut parts = Parts::default();
    let mut at = first;
    while at < last {
        let length = [LONG, STEP].into_iter().find(|length| at % length == 0 && at + length <= last).unwrap_or(FINE);
        parts.steps.push((at, length));
        at += length;
    }
    for (from, to) in [(window.from.0, first), (last, window.to.0)] {
        if from < to {
            parts.rest.push(Window { from: Time(from), to: Time(to) });
        }
    }
    parts
}

fn up(at: i64, step: i64) -> i64 {
    at.div_euclid(step) * step + if at.rem_euclid(step) == 0 { 0 } else { step }
}

/// Neighbouring steps of a list, as windows to be read at once.
pub(super) fn windows(steps: &[Step]) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for (start, length) in steps {
        match windows.last_mut() {
            Some(last) if last.to.0 == *start => last.to.0 = start + length,
            _ => windows.push(Window { from: Time(*start), to: Time(start + length) }),
        }
    }
    windows
}

/// Sums of many intervals by the numbers of their keys.
struct ByNumber<R: Summed>(Vec<Option<R::Sum>>);

impl<R: Summed> ByNumber<R> {
    fn new(keys: usize) -> ByNumber<R> {
        ByNumber(vec![None; keys])
    }

    fn put(&mut self, number: u32, sum: &R::Sum) {
        match &mut self.0[number as usize] {
            Some(known) => R::add(known, sum),
            none => *none = Some(sum.clone()),
        }
    }
}

impl<R: Summed> Rollup<R> {
    /// Those steps that are not kept.
    pub fn missing(&self, steps: &[Step]) -> Vec<Step> {
        steps.iter().filter(|step| !self.intervals.contains_key(step)).copied().collect()
    }

    /// The steps that are kept and begin at an instant or later.
    pub fn kept_since(&self, start: i64) -> Vec<Step> {
        self.intervals.range((start, 0)..).map(|(step, _)| *step).collect()
    }

    /// Makes those steps whose shorter ones are all kept.
    pub fn unite(&mut self, steps: &[Step]) {
        for step in self.missing(steps) {
            let (start, length) = step;
            let part = if length == LONG { STEP } else { FINE };
            let parts: Option<Vec<&Interval<R::Sum>>> =
                (0..length / part).map(|at| self.intervals.get(&(start + at * part, part))).collect();
            let Some(parts) = parts.filter(|parts| parts.len() > 1) else { continue };
            let mut sums: HashMap<u32, R::Sum, RandomState> = HashMap::default();
            for (number, sum) in parts.iter().flat_map(|part| part.sums.iter()) {
                sums.entry(*number).and_modify(|known| R::add(known, sum)).or_insert_with(|| sum.clone());
            }
            let whole_at = parts.iter().map(|part| part.whole_at).min().unwrap_or(Time(0));
            self.insert(step, sums, whole_at);
        }
    }

    fn insert(&mut self, step: Step, sums: HashMap<u32, R::Sum, RandomState>, whole_at: Time) {
        self.uses += 1;
        let sums = Arc::new(sums.into_iter().collect());
        self.intervals.insert(step, Interval { sums, whole_at, used: self.uses, made: self.uses });
    }

    /// Forgets short steps before an instant that are part of a long one that is kept.
    pub fn forget_parts_of(&mut self, hours: &[Step], before: i64) {
        let whole: Vec<i64> =
            hours.iter().filter(|hour| self.intervals.contains_key(hour)).map(|(start, _)| *start).collect();
        self.intervals.retain(|(start, length), _| {
            *length == LONG || *start >= before || !whole.contains(&(start.div_euclid(LONG) * LONG))
        });
    }

    /// Forgets the finest steps that nobody has asked for since some uses ago.
    pub fn forget_fine(&mut self, uses: u64) {
        let since = self.uses.saturating_sub(uses);
        self.intervals.retain(|(_, length), interval| *length != FINE || interval.used >= since);
    }

    /// Whether another interval as large as the largest could be kept without forgetting one.
    pub fn has_room(&self) -> bool {
        let sizes = || self.intervals.values().map(|interval| interval.sums.len());
        sizes().sum::<usize>() + sizes().max().unwrap_or(0) <= MOST_SUMS && self.by_number.len() <= MOST_KEYS
    }

    /// The instant since which rows of these steps may have come late; none where nothing of them is kept.
    pub fn whole_since(&self, steps: &[Step]) -> Option<Time> {
        steps.iter().filter_map(|step| self.intervals.get(step)).map(|interval| interval.whole_at).min()
    }

    /// Rows of these minutes came late, and no others up to an instant: forgets what they are part of.
    pub fn came_late(&mut self, steps: &[Step], late: &[i64], until: Time) {
        for step in steps {
            let (start, length) = *step;
            if late.iter().any(|at| start <= *at && *at < start + length) {
                self.intervals.remove(step);
            } else if let Some(interval) = self.intervals.get_mut(step) {
                interval.whole_at = interval.whole_at.max(until);
            }
        }
    }

    /// Takes rows of a time or later that had come until an instant.
    pub fn take_young(&mut self, rows: Vec<R>, time: fn(&R) -> Time, from: Time, now: Time) {
        let numbered: Vec<(u32, Time, R::Sum)> = rows
            .into_iter()
            .map(|row| {
                let time = time(&row);
                let (key, sum) = row.split();
                (self.number(key), time, sum)
            })
            .collect();
        self.young.take(numbered.into_iter(), from, now);
    }

    /// Keeps the rows of a step, in which all is that had come before an instant.
    pub fn keep(&mut self, step: Step, rows: Vec<R>, whole_at: Time) {
        if self.by_number.len() > MOST_KEYS {
            let most_steps = self.intervals.len().clamp(1, self.most_steps);
            *self = Rollup { most_steps, ..Rollup::default() };
        }
        let mut sums: HashMap<u32, R::Sum, RandomState> = HashMap::default();
        sums.reserve(rows.len());
        for row in rows {
            let (key, sum) = row.split();
            let number = self.number(key);
            match sums.get_mut(&number) {
                Some(known) => R::add(known, &sum),
                None => {
                    sums.insert(number, sum);
                }
            }
        }
        self.insert(step, sums, whole_at);
        self.forget_least_used(step, MOST_SUMS);
    }

    fn number(&mut self, key: R::Key) -> u32 {
        if let Some(number) = self.keys.get(&key) {
            return *number;
        }
        let number = u32::try_from(self.by_number.len()).unwrap_or(u32::MAX);
        self.by_number.push(key.clone());
        self.keys.insert(key, number);
        number
    }

    fn forget_least_used(&mut self, kept: Step, most: usize) {
        while self.intervals.values().map(|interval| interval.sums.len()).sum::<usize>() > most {
            let others = self.intervals.iter().filter(|(step, _)| **step != kept);
            let Some(step) = others.min_by_key(|(_, interval)| interval.used).map(|(step, _)| *step) else { return };
            self.intervals.remove(&step);
            self.most_steps = self.intervals.len().clamp(1, self.most_steps);
        }
    }

    /// A window of more steps is better read without keeping them: they would take each other's place.
    pub fn most_steps(&self) -> usize {
        self.most_steps
    }

    /// The rows of these steps, of young windows, and some more, summed up; none where a step was forgotten in the
    /// meantime.
    pub fn sum(&mut self, steps: &[Step], young: &[Window], more: Vec<R>) -> Option<Vec<R>> {
        if steps.iter().any(|step| !self.intervals.contains_key(step))
            || young.iter().any(|window| !self.young.has(*window))
        {
            return None;
        }
        self.uses += 1;
        for step in steps {
            if let Some(interval) = self.intervals.get_mut(step) {
                interval.used = self.uses;
            }
        }
        let keys = self.by_number.len();
        let (fine, long): (Vec<Step>, Vec<Step>) = steps.iter().partition(|(_, length)| *length == FINE);
        let of: Vec<(Step, u64)> = long.iter().map(|step| (*step, self.intervals[step].made)).collect();
        let at_hand = self.bases.iter().position(|base| base.of == of).map(|at| self.bases.remove(at));
        let of_steps = || {
            let base = at_hand.unwrap_or_else(|| self.base_of(of));
            let mut sums = ByNumber::<R>(base.sums.clone());
            sums.0.resize(keys, None);
            fine.iter().for_each(|step| self.add_step(*step, &mut sums));
            (base, sums)
        };
        let of_young = || {
            let mut sums = ByNumber::<R>::new(if young.is_empty() { 0 } else { keys });
            for window in young {
                self.young.within(*window).for_each(|(number, sum)| sums.put(number, sum));
            }
            sums
        };
        let ((base, mut sums), last) = rayon::join(of_steps, of_young);
        self.bases.insert(0, base);
        self.bases.truncate(MOST_BASES);
        last.0.iter().enumerate().for_each(|(number, sum)| {
            if let Some(sum) = sum {
                sums.put(u32::try_from(number).unwrap_or(u32::MAX), sum);
            }
        });
        // rows of a key that no step has are sums of their own
        let mut others: HashMap<R::Key, R::Sum, RandomState> = HashMap::default();
        for row in more {
            let (key, sum) = row.split();
            match self.keys.get(&key) {
                Some(number) => sums.put(*number, &sum),
                None => match others.get_mut(&key) {
                    Some(known) => R::add(known, &sum),
                    None => {
                        others.insert(key, sum);
                    }
                },
            }
        }
        let known = sums.0.into_par_iter().zip(self.by_number.par_iter());
        let mut rows: Vec<R> = known.filter_map(|(sum, key)| Some(R::unite(key, sum?))).collect();
        rows.extend(others.into_iter().map(|(key, sum)| R::unite(&key, sum)));
        Some(rows)
    }

    fn base_of(&self, of: Vec<(Step, u64)>) -> Base<R::Sum> {
        let mut sums = ByNumber::<R>::new(self.by_number.len());
        of.iter().for_each(|(step, _)| self.add_step(*step, &mut sums));
        Base { of, sums: sums.0 }
    }

    fn add_step(&self, step: Step, sums: &mut ByNumber<R>) {
        if let Some(interval) = self.intervals.get(&step) {
            interval.sums.iter().for_each(|(number, sum)| sums.put(*number, sum));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = Time::MINUTE;

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Count(&'static str, u64);

    impl Summed for Count {
        type Key = &'static str;
        type Sum = u64;

        fn split(self) -> (&'static str, u64) {
            (self.0, self.1)
        }
        fn unite(key: &&'static str, sum: u64) -> Count {
            Count(key, sum)
        }
        fn add(sum: &mut u64, other: &u64) {
            *sum += other;
        }
    }

    fn window(from: i64, to: i64) -> Window {
        Window { from: Time(from * MINUTE), to: Time(to * MINUTE) }
    }

    #[test]
    fn a_window_is_long_steps_short_steps_and_both_ends() {
        let steps = |list: &[(i64, i64)]| list.iter().map(|(at, of)| (at * MINUTE, of * MINUTE)).collect::<Vec<_>>();
        for (asked, now, kept, rest) in [
            // the last hour: the end is not settled
            (
                window(107, 167),
                167,
                steps(&[
                    (107, 1),
                    (108, 1),
                    (109, 1),
                    (110, 5),
                    (115, 5),
                    (120, 5),
                    (125, 5),
                    (130, 5),
                    (135, 5),
                    (140, 5),
                    (145, 5),
                    (150, 5),
                    (155, 5),
                    (160, 5),
                ]),
                vec![window(165, 167)],
            ),
            (window(55, 190), 1000, steps(&[(55, 5), (60, 60), (120, 60), (180, 5), (185, 5)]), vec![]),
            (window(60, 120), 1000, steps(&[(60, 60)]), vec![]),
            (window(61, 64), 1000, steps(&[(61, 1), (62, 1), (63, 1)]), vec![]),
            (window(60, 70), 68, steps(&[(60, 5), (65, 1)]), vec![window(66, 70)]),
            (window(60, 70), 62, vec![], vec![window(60, 70)]),
        ] {
            let parts = parts(asked, Time(now * MINUTE));
            assert_eq!(parts, Parts { steps: kept, rest }, "{asked:?}");
        }
        let read = windows(&steps(&[(0, 5), (5, 5), (20, 5), (60, 60), (120, 60)]));
        assert_eq!(read, [window(0, 10), window(20, 25), window(60, 180)]);
    }

    #[test]
    fn sums_of_steps_and_of_the_rest_are_one() {
        let mut rollup: Rollup<Count> = Rollup::default();
        let (one, two) = ((0, STEP), (STEP, STEP));
        assert_eq!(rollup.missing(&[one, two]), [one, two]);
        rollup.keep(one, vec![Count("a", 1), Count("b", 2), Count("a", 3)], Time(9));
        rollup.keep(two, vec![Count("b", 5)], Time(7));
        assert!(rollup.missing(&[one, two]).is_empty());
        let mut all = rollup.sum(&[one, two], &[], vec![Count("a", 10), Count("c", 1), Count("c", 2)]).unwrap();
        all.sort();
        assert_eq!(all, [Count("a", 14), Count("b", 7), Count("c", 3)]);
        let mut first = rollup.sum(&[one], &[], vec![]).unwrap();
        first.sort();
        assert_eq!(first, [Count("a", 4), Count("b", 2)]);
        // a step that is not kept is never taken for one without rows
        assert_eq!(rollup.sum(&[one, (2 * STEP, STEP)], &[], vec![]), None);
    }

    #[test]
    fn sums_that_are_at_hand_are_used_for_the_same_making_of_the_same_steps_only() {
        let mut rollup: Rollup<Count> = Rollup::default();
        let (one, two, minute) = ((0, STEP), (STEP, STEP), (2 * STEP, FINE));
        rollup.keep(one, vec![Count("a", 1)], Time(0));
        rollup.keep(two, vec![Count("a", 2)], Time(0));
        let sum = |rollup: &mut Rollup<Count>, steps: &[Step]| {
            let mut all = rollup.sum(steps, &[], vec![]).unwrap();
            all.sort();
            all
        };
        for _ in 0..2 {
            assert_eq!(sum(&mut rollup, &[one, two]), [Count("a", 3)]);
        }
        // a key that was not known when they were made
        rollup.keep(minute, vec![Count("a", 4), Count("b", 5)], Time(0));
        for _ in 0..2 {
            assert_eq!(sum(&mut rollup, &[one, two, minute]), [Count("a", 7), Count("b", 5)]);
        }
        assert_eq!(sum(&mut rollup, &[two, minute]), [Count("a", 6), Count("b", 5)]);
        assert_eq!(sum(&mut rollup, &[one, two]), [Count("a", 3)]);
        // a row of the second came late, and the step was read again
        rollup.came_late(&[one, two], &[STEP], Time(1));
        rollup.keep(two, vec![Count("a", 20)], Time(2));
        assert_eq!(sum(&mut rollup, &[one, two]), [Count("a", 21)]);
    }

    #[test]
    fn a_step_with_late_rows_is_read_again_and_others_are_whole_for_longer() {
        let mut rollup: Rollup<Count> = Rollup::default();
        let (short, long) = ((0, STEP), (LONG, LONG));
        assert_eq!(rollup.whole_since(&[short, long]), None);
        rollup.keep(short, vec![], Time(5));
        rollup.keep(long, vec![], Time(8));
        assert_eq!(rollup.whole_since(&[short, long]), Some(Time(5)));
        rollup.came_late(&[short, long], &[LONG + 3 * STEP], Time(100));
        assert_eq!(rollup.missing(&[short, long]), [long]);
        assert_eq!(rollup.whole_since(&[short, long]), Some(Time(100)));
    }

    #[test]
    fn an_hour_is_made_of_its_short_steps_which_then_may_go() {
        let mut rollup: Rollup<Count> = Rollup::default();
        let hour = (LONG, LONG);
        for at in 0..12 {
            rollup.unite(&[hour]);
            assert_eq!(rollup.missing(&[hour]), [hour], "{at} of 12 short steps are not an hour");
            rollup.keep((LONG + at * STEP, STEP), vec![Count("a", 1), Count("b", at as u64)], Time(100 - at));
        }
        rollup.unite(&[hour]);
        assert_eq!(rollup.whole_since(&[hour]), Some(Time(89)));
        rollup.forget_parts_of(&[hour], LONG + 6 * STEP);
        assert_eq!(rollup.kept_since(0).len(), 7);
        let mut all = rollup.sum(&[hour], &[], vec![]).unwrap();
        all.sort();
        assert_eq!(all, [Count("a", 12), Count("b", 66)]);
        assert!(rollup.has_room());
    }

    #[test]
    fn a_short_step_is_made_of_its_minutes_which_go_when_nobody_asks_for_them() {
        let mut rollup: Rollup<Count> = Rollup::default();
        let step = (STEP, STEP);
        for at in 0..5 {
            rollup.unite(&[step]);
            assert_eq!(rollup.missing(&[step]), [step], "{at} of 5 minutes");
            rollup.keep((STEP + at * FINE, FINE), vec![Count("a", 2)], Time(50 - at));
        }
        rollup.unite(&[step]);
        assert_eq!(rollup.sum(&[step], &[], vec![]).unwrap(), [Count("a", 10)]);
        assert_eq!(rollup.whole_since(&[step]), Some(Time(46)));
        rollup.sum(&[(STEP, FINE)], &[], vec![]).unwrap();
        rollup.forget_fine(1);
        assert_eq!(rollup.kept_since(0), [(STEP, FINE), step]);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut rollup: Rollup<Count> = Rollup::default();
        let steps: Vec<Step> = (0..3).map(|at| (at * STEP, STEP)).collect();
        for step in &steps {
            rollup.keep(*step, vec![Count("a", 1)], Time(0));
        }
        rollup.sum(&steps[..1], &[], vec![]).unwrap();
        rollup.forget_least_used(steps[2], 2);
        assert_eq!((rollup.missing(&steps), rollup.most_steps()), (vec![steps[1]], 2));
        rollup.forget_least_used(steps[2], 0);
        assert_eq!(rollup.missing(&steps), steps[..2]);
    }
}
