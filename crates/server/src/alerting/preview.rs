//! What a rule would have done: its windows over past days, evaluated as they would have been, without alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchkeeper_alerting::Period;
use watchkeeper_alerting::evaluate::{End, Input, Plan, RuleState, evaluate};
use watchkeeper_alerting::kql::Span;
use watchkeeper_alerting::observed::Observed;
use watchkeeper_alerting::rule::{AlertRule, Test};
use watchkeeper_management::clock;

use super::Alerting;
use super::measure::MeasureError;
use super::rules::Loaded;

/// Evaluations of one preview: rules that run more often are looked at at longer intervals over long ranges.
const MOST_ENDS: i64 = 2_016;
/// Queries of a preview of a rule whose query gives no rows one by one.
const MOST_QUERIES: i64 = 336;
/// Series that are shown.
const MOST_SERIES: usize = 20;

/// A rule over past days.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preview {
    pub from: i64,
    pub to: i64,
    /// How far apart the evaluations are.
    pub step: Period,
    pub fired: usize,
    pub resolved: usize,
    /// Windows that were looked at.
    pub evaluations: usize,
    /// When alerts would have fired and been resolved, by series.
    pub alerts: Vec<PreviewedAlert>,
    /// Values by series, from old to new.
    pub series: Vec<ShownSeries>,
    /// Series that are not shown.
    pub more_series: usize,
}

/// The dimensions of a series, and its values by time.
pub type ShownSeries = (Vec<String>, Vec<(i64, f64)>);

/// An alert that would have been.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PreviewedAlert {
    pub key: Vec<String>,
    pub fired_at: i64,
    /// 0: it would still be fired.
    pub resolved_at: i64,
    pub value: Option<f64>,
}

impl Alerting {
    /// Evaluates a rule over the past.
    pub async fn preview(&self, rule: AlertRule, range: Period) -> Result<Preview, MeasureError> {
        let checked = self.check_queries(&rule).await?;
        let loaded = Arc::new(Loaded::new(rule, 0, checked));
        let step = loaded.rule.frequency;
        let now = clock::now().div_euclid(1_000_000) * 1_000_000;
        let range = Period(range.micros().max(step.micros()));
        match loaded.row_by_row && loaded.time_column.is_some() && loaded.rule.query_range.is_none() {
            true => self.preview_by_bins(&loaded, now, range).await,
            false => self.preview_by_queries(&loaded, now, range).await,
        }
    }

    /// One query for all windows.
    async fn preview_by_bins(&self, loaded: &Arc<Loaded>, now: i64, range: Period) -> Result<Preview, MeasureError> {
        let rule = &loaded.rule;
        let (frequency, window) = (rule.frequency.micros(), rule.window.micros());
        let count = range.micros() / frequency;
        let every = (count + MOST_ENDS - 1) / MOST_ENDS;
        let step = frequency * every.max(1);
        let grain = gcd(step, window);
        let bins = (range.micros() + window * rule.points() + grain - 1) / grain;
        let span = Span { end: now, grain: Period(grain), bins };
        let ends: Vec<End> = (0..range.micros() / step)
            .rev()
            .map(|back| End { end: now - back * step, offset: back * step / grain, late: false })
            .collect();
        let plan = Plan { span, from: span.start(), window: window / grain, ends };
        let mut observed = Vec::new();
        let mut models = Vec::new();
        for (condition, text) in rule.conditions.iter().zip(&loaded.texts) {
            let column = loaded.time_column.as_deref();
            observed.push(self.measure(condition, text, column, plan.from, &span, rule).await?);
            models.push(match condition.test {
                Test::Static { .. } => Default::default(),
                Test::Dynamic { .. } => self.models_of(loaded, condition, text, now).await?,
            });
        }
        self.models.lock().remove(&loaded.key);
        let mut state = RuleState::default();
        let input = Input { rule, plan: &plan, observed: &observed, models: &models, since: 0 };
        let mut number = 0_u64;
        let outcome = evaluate(&input, &mut state, &mut || {
            number += 1;
            number.to_string()
        });
        let mut preview = Preview {
            from: now - range.micros(),
            to: now,
            step: Period(step),
            evaluations: plan.ends.len(),
            ..Preview::default()
        };
        note(&mut preview, &outcome.fired, &outcome.resolved);
        if let (Some(first), Some(condition)) = (observed.first(), rule.conditions.first()) {
            let value = |key: &Vec<String>, end: &End| {
                first.value(key, condition.aggregation, end.offset, plan.window).map(|value| (end.end, value))
            };
            show(&mut preview, first, |key| plan.ends.iter().filter_map(|end| value(key, end)).collect());
        }
        Ok(preview)
    }

    /// A query for each window: what it gives for a part of the range cannot be seen from the whole.
    async fn preview_by_queries(&self, loaded: &Arc<Loaded>, now: i64, range: Period) -> Result<Preview, MeasureError> {
        let rule = &loaded.rule;
        let count = range.micros() / rule.frequency.micros();
        let every = (count + MOST_QUERIES - 1) / MOST_QUERIES;
        let step = rule.frequency.micros() * every.max(1);
        let mut preview = Preview { from: now - range.micros(), to: now, step: Period(step), ..Preview::default() };
        let mut state = RuleState::default();
        let mut values: BTreeMap<Vec<String>, Vec<(i64, f64)>> = BTreeMap::new();
        let mut number = 0_u64;
        for back in (0..range.micros() / step).rev() {
            let end = now - back * step;
            let Some(plan) = watchkeeper_alerting::evaluate::plan(rule, &[end], false, Period::default()) else {
                continue;
            };
            let mut observed = Vec::new();
            for (condition, text) in rule.conditions.iter().zip(&loaded.texts) {
                let column = loaded.time_column.as_deref();
                observed.push(self.measure(condition, text, column, plan.from, &plan.span, rule).await?);
            }
            let models = vec![Default::default(); observed.len()];
            let input = Input { rule, plan: &plan, observed: &observed, models: &models, since: 0 };
            let outcome = evaluate(&input, &mut state, &mut || {
                number += 1;
                number.to_string()
            });
            preview.evaluations += 1;
            note(&mut preview, &outcome.fired, &outcome.resolved);
            if let (Some(first), Some(condition)) = (observed.first(), rule.conditions.first()) {
                for key in first.series.keys() {
                    if let Some(value) = first.value(key, condition.aggregation, 0, plan.window) {
                        values.entry(key.clone()).or_default().push((end, value));
                    }
                }
            }
        }
        preview.more_series = values.len().saturating_sub(MOST_SERIES);
        preview.series = values.into_iter().take(MOST_SERIES).collect();
        Ok(preview)
    }
}

fn gcd(left: i64, right: i64) -> i64 {
    if right == 0 { left } else { gcd(right, left % right) }
}

fn note(
    preview: &mut Preview,
    fired: &[watchkeeper_alerting::evaluate::Fired],
    resolved: &[watchkeeper_alerting::evaluate::Resolved],
) {
    preview.fired += fired.len();
    preview.resolved += resolved.len();
    for one in fired {
        preview.alerts.push(PreviewedAlert {
            key: one.key.clone(),
            fired_at: one.window_end,
            resolved_at: 0,
            value: one.values.first().and_then(|measured| measured.value),
        });
    }
    for one in resolved {
        let is_it = |alert: &&mut PreviewedAlert| alert.key == one.key && alert.resolved_at == 0;
        if let Some(alert) = preview.alerts.iter_mut().find(is_it) {
            alert.resolved_at = one.window_end;
        }
    }
}

fn show(preview: &mut Preview, observed: &Observed, values: impl Fn(&Vec<String>) -> Vec<(i64, f64)>) {
    preview.more_series = observed.series.len().saturating_sub(MOST_SERIES);
    preview.series = observed.series.keys().take(MOST_SERIES).map(|key| (key.clone(), values(key))).collect();
}
