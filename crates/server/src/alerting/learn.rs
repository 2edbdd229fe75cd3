//! Dynamic thresholds: history is read once an hour for each rule, and what was learned of it is kept in memory.

use std::collections::HashMap;
use std::sync::Arc;

use watchkeeper_alerting::dynamic::{HISTORY, Model, Models};
use watchkeeper_alerting::kql::Span;
use watchkeeper_alerting::observed::{Observed, SeriesKey};
use watchkeeper_alerting::rule::{Aggregation, Condition, Test};

use super::Alerting;
use super::measure::MeasureError;
use super::rules::Loaded;

/// What was learned is learned anew after so long, microseconds.
const AGE: i64 = 3_600_000_000;

/// By the key of the rule: when it was changed, up to when it was learned from, and what was learned.
pub type Learned = HashMap<String, (i64, i64, Models)>;

impl Alerting {
    /// What is usual for the series of a condition, as seen from a time.
    pub(super) async fn models_of(
        &self,
        loaded: &Arc<Loaded>,
        condition: &Condition,
        text: &str,
        end: i64,
    ) -> Result<Models, MeasureError> {
        if let Some((modified_at, learned, models)) = self.models.lock().get(&loaded.key)
            && *modified_at == loaded.modified_at
            && (end - learned).abs() < AGE
        {
            return Ok(models.clone());
        }
        let models = self.learn(loaded, condition, text, end).await?;
        self.models.lock().insert(loaded.key.clone(), (loaded.modified_at, end, models.clone()));
        Ok(models)
    }

    async fn learn(
        &self,
        loaded: &Loaded,
        condition: &Condition,
        text: &str,
        end: i64,
    ) -> Result<Models, MeasureError> {
        let (Test::Dynamic { sensitivity, ignore_before, .. }, Some(column)) = (condition.test, &loaded.time_column)
        else {
            return Ok(Models::default());
        };
        let window = loaded.rule.window;
        let bins = HISTORY.micros() / window.micros().max(1);
        let span = Span { end, grain: window, bins };
        let observed = self.measure(condition, text, Some(column), span.start(), &span, &loaded.rule).await?;
        let models = observed.series.keys().filter_map(|key| {
            let points = points(&observed, key, condition.aggregation, &span);
            Some((key.clone(), Model::learn(&points, window, sensitivity, ignore_before)?))
        });
        Ok(Models(models.collect()))
    }
}

/// The values of the windows of a series, from old to new. The newest is left out: it is the one to be judged.
fn points(observed: &Observed, key: &SeriesKey, aggregation: Aggregation, span: &Span) -> Vec<(i64, f64)> {
    let oldest = observed.series.get(key).and_then(|bins| bins.keys().next_back().copied()).unwrap_or(0);
    (1..=oldest)
        .rev()
        .filter_map(|index| {
            let value = observed.value(key, aggregation, index, 1)?;
            Some((span.end - index * span.grain.micros(), value))
        })
        .collect()
}
