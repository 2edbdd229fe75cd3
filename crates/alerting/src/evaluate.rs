//! When a rule fires and resolves: the values of its windows against its thresholds, series by series, evaluation by
//! evaluation. What has to be remembered between evaluations is in [`RuleState`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::dynamic::{Bounds, Models};
use crate::kql::Span;
use crate::observed::{Observed, SeriesKey};
use crate::rule::{AlertRule, Condition, DynamicOperator, RuleKind, Test};
use crate::{Period, limits};

/// A series without any row for so long is forgotten and its alert resolves.
const FORGET: Period = Period::seconds(86_400);

/// What is remembered of a rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleState {
    /// The end of the newest window that was evaluated; 0: none.
    pub last_end: i64,
    /// Series about which something has to be remembered.
    pub series: Vec<SeriesState>,
}

/// What is remembered of one series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeriesState {
    pub key: SeriesKey,
    /// The alert that is fired now; empty: none.
    pub alert_id: String,
    /// Healthy evaluations in a row since.
    pub healthy: u32,
    /// The end of the newest window that was a violation.
    pub last_violation: i64,
    /// Actions rest until then.
    pub muted_until: i64,
    /// When there last were rows.
    pub last_seen: i64,
}

/// One evaluation of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub end: i64,
    /// How many bins before the newest.
    pub offset: i64,
    /// It was evaluated before; rows that came late may have changed it.
    pub late: bool,
}

/// Which rows one query has to give, and which evaluations are made of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub span: Span,
    /// From where the query sees rows, microseconds since 1970.
    pub from: i64,
    /// Bins of a window.
    pub window: i64,
    /// The late ones first, each group from old to new.
    pub ends: Vec<End>,
}

/// Plans due evaluations. A query that gives rows one by one serves several windows at once: those that were missed,
/// and those before whose rows may have come late (`late`: how long rows are waited for). Any other is asked for its
/// newest windows alone.
#[must_use]
pub fn plan(rule: &AlertRule, due: &[i64], row_by_row: bool, late: Period) -> Option<Plan> {
    let (first, newest) = (*due.first()?, *due.last()?);
    let (step, window) = (rule.frequency.micros().max(1), rule.window.micros().max(1));
    let points = rule.points();
    let simple = || {
        let span = Span { end: newest, grain: rule.window, bins: points };
        let range = rule.query_range.map_or(span.start(), |range| newest - range.micros());
        Plan { span, from: range, window: 1, ends: vec![End { end: newest, offset: 0, late: false }] }
    };
    if !row_by_row || rule.query_range.is_some() {
        return Some(simple());
    }
    let overlapping = window - step;
    let again = if overlapping >= late.micros() { 0 } else { (late.micros() - overlapping.max(0) + step - 1) / step };
    let even = due.iter().all(|end| (newest - end) % step == 0);
    let oldest = first.min(newest - again * step);
    let grain = gcd(step, window);
    let bins = (newest - oldest + window * points + grain - 1) / grain;
    if !even || bins > limits::MOST_BINS {
        return Some(simple());
    }
    let span = Span { end: newest, grain: Period(grain), bins };
    let mut ends = Vec::new();
    for back in (0..=(newest - oldest) / step).rev() {
        let end = newest - back * step;
        ends.push(End { end, offset: back * step / grain, late: !due.contains(&end) });
    }
    Some(Plan { span, from: span.start(), window: window / grain, ends })
}

fn gcd(left: i64, right: i64) -> i64 {
    if right == 0 { left } else { gcd(right, left % right) }
}

/// An alert that fires.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    pub alert_id: String,
    pub key: SeriesKey,
    /// The newest value and the bounds of each condition.
    pub values: Vec<Measured>,
    pub window_start: i64,
    pub window_end: i64,
    /// Its rows came after the window had been evaluated.
    pub late: bool,
    /// Actions rest.
    pub muted: bool,
}

/// An alert that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub alert_id: String,
    pub key: SeriesKey,
    pub window_end: i64,
    /// There were no rows for so long that the series is forgotten.
    pub forgotten: bool,
}

/// The newest value of a condition.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    pub value: Option<f64>,
    /// Of a dynamic threshold.
    pub bounds: Option<Bounds>,
}

/// What came of evaluations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    pub fired: Vec<Fired>,
    pub resolved: Vec<Resolved>,
    /// Alerts past the documented limits, which were not fired.
    pub over_limit: usize,
}

/// Everything that an evaluation needs.
pub struct Input<'a> {
    pub rule: &'a AlertRule,
    pub plan: &'a Plan,
    /// One for each condition.
    pub observed: &'a [Observed],
    /// One for each condition; empty for static thresholds.
    pub models: &'a [Models],
    /// Windows that ended before are not looked at again: the rule was not yet as it is.
    pub since: i64,
}

/// Evaluates the windows of a plan, from old to new.
pub fn evaluate(input: &Input<'_>, state: &mut RuleState, new_id: &mut dyn FnMut() -> String) -> Outcome {
    let mut outcome = Outcome::default();
    let mut series: BTreeMap<SeriesKey, SeriesState> =
        std::mem::take(&mut state.series).into_iter().map(|one| (one.key.clone(), one)).collect();
    let newest = input.plan.span.end;
    if newest < state.last_end {
        // the clock was set back: nothing can have happened after now
        for one in series.values_mut() {
            one.last_violation = one.last_violation.min(newest);
            one.last_seen = one.last_seen.min(newest);
            one.muted_until = one.muted_until.min(newest + input.rule.mute.unwrap_or_default().micros());
        }
    }
    for end in &input.plan.ends {
        if end.late && end.end <= input.since {
            continue;
        }
        one_end(input, *end, &mut series, &mut outcome, new_id);
    }
    state.last_end = newest;
    let horizon = input.plan.span.start();
    series.retain(|_, one| !one.alert_id.is_empty() || one.muted_until > newest || one.last_violation > horizon);
    state.series = series.into_values().collect();
    outcome
}

fn one_end(
    input: &Input<'_>,
    end: End,
    series: &mut BTreeMap<SeriesKey, SeriesState>,
    outcome: &mut Outcome,
    new_id: &mut dyn FnMut() -> String,
) {
    let rule = input.rule;
    let mut keys: BTreeSet<SeriesKey> = input.observed.iter().flat_map(|one| one.series.keys().cloned()).collect();
    if rule.dimension_names().is_empty() {
        keys.insert(SeriesKey::new());
    }
    keys.extend(series.values().filter(|one| !one.alert_id.is_empty()).map(|one| one.key.clone()));
    let most = if rule.auto_resolve { limits::MOST_STATEFUL_FIRED } else { limits::MOST_STATELESS_FIRED };
    let mut firing = series.values().filter(|one| !one.alert_id.is_empty()).count();
    let mut fired = 0;
    let window = input.plan.window * rule.points();
    for key in keys {
        let has_rows = input.observed.iter().any(|one| one.has_rows(&key, end.offset, window));
        if end.late && !has_rows {
            continue;
        }
        let verdict = verdict(input, &key, end);
        let known = series.entry(key.clone()).or_insert_with(|| SeriesState { key, ..SeriesState::default() });
        if end.late && (end.end <= known.last_violation || !known.alert_id.is_empty()) {
            continue;
        }
        if has_rows || known.last_seen == 0 {
            known.last_seen = known.last_seen.max(end.end);
        }
        match verdict {
            Verdict::Violation(values) => {
                known.last_violation = known.last_violation.max(end.end);
                known.healthy = 0;
                if rule.auto_resolve && !known.alert_id.is_empty() {
                    forget(known, end, outcome);
                    continue;
                }
                if fired >= most || (rule.auto_resolve && firing >= limits::MOST_FIRED_AT_A_TIME) {
                    outcome.over_limit += 1;
                    continue;
                }
                fired += 1;
                let alert_id = new_id();
                let muted = known.muted_until > end.end;
                if let Some(mute) = rule.mute
                    && !muted
                {
                    known.muted_until = end.end + mute.micros();
                }
                if rule.auto_resolve {
                    firing += 1;
                    known.alert_id.clone_from(&alert_id);
                }
                outcome.fired.push(Fired {
                    alert_id,
                    key: known.key.clone(),
                    values,
                    window_start: end.end - rule.window.micros() * rule.points(),
                    window_end: end.end,
                    late: end.late,
                    muted,
                });
            }
            Verdict::Healthy if end.late => {}
            Verdict::Healthy => {
                known.healthy = known.healthy.saturating_add(1);
                if !known.alert_id.is_empty() && known.healthy >= rule.checks_to_resolve() {
                    let alert_id = std::mem::take(&mut known.alert_id);
                    let key = known.key.clone();
                    outcome.resolved.push(Resolved { alert_id, key, window_end: end.end, forgotten: false });
                }
            }
            Verdict::Unknown => forget(known, end, outcome),
        }
    }
}

/// Resolves the alert of a series that has had no rows for a day.
fn forget(known: &mut SeriesState, end: End, outcome: &mut Outcome) {
    if !known.alert_id.is_empty() && !known.key.is_empty() && end.end - known.last_seen >= FORGET.micros() {
        let alert_id = std::mem::take(&mut known.alert_id);
        outcome.resolved.push(Resolved { alert_id, key: known.key.clone(), window_end: end.end, forgotten: true });
    }
}

enum Verdict {
    Violation(Vec<Measured>),
    Healthy,
    Unknown,
}

/// All conditions have to be violated; each in enough of its last points.
fn verdict(input: &Input<'_>, key: &SeriesKey, end: End) -> Verdict {
    let mut values = Vec::new();
    let (mut all, mut known) = (true, false);
    for (number, condition) in input.rule.conditions.iter().enumerate() {
        let Some(observed) = input.observed.get(number) else { return Verdict::Unknown };
        let models = input.models.get(number);
        let mut violations = 0;
        let mut newest = Measured::default();
        for point in 0..i64::from(condition.failing.periods) {
            let from = end.offset + point * input.plan.window;
            let value = observed.value(key, condition.aggregation, from, input.plan.window);
            let at = end.end - point * input.rule.window.micros();
            let bounds = models.and_then(|models| models.bounds(key, at));
            if point == 0 {
                newest = Measured { value, bounds };
                known |= value.is_some();
            }
            violations += u32::from(is_violation(condition, value, bounds));
        }
        all &= violations >= condition.failing.violations;
        values.push(newest);
    }
    match (all, known || input.rule.kind != RuleKind::Metric) {
        (true, _) => Verdict::Violation(values),
        (false, true) => Verdict::Healthy,
        // a metric that does not come says nothing
        (false, false) => Verdict::Unknown,
    }
}

/// Whether the value of a point is a violation. A dynamic threshold that has not learned enough has none.
#[must_use]
pub fn is_violation(condition: &Condition, value: Option<f64>, bounds: Option<Bounds>) -> bool {
    let Some(value) = value else { return false };
    match (condition.test, bounds) {
        (Test::Static { operator, threshold }, _) => operator.holds(value, threshold),
        (Test::Dynamic { .. }, None) => false,
        (Test::Dynamic { operator, .. }, Some(bounds)) => match operator {
            DynamicOperator::GreaterThan => value > bounds.high,
            DynamicOperator::LessThan => value < bounds.low,
            DynamicOperator::GreaterOrLessThan => value > bounds.high || value < bounds.low,
        },
    }
}

#[cfg(test)]
mod tests;
