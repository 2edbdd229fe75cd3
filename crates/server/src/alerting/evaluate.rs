//! One evaluation of a rule: its queries, the outcome, and the alerts that follow from it.

use std::sync::Arc;

use uuid::Uuid;
use watchkeeper_alerting::evaluate::{Input, Outcome, Plan, RuleState, evaluate, plan};
use watchkeeper_alerting::rule::Test;
use watchkeeper_management::clock;
use watchkeeper_management::rule_alerts::{RuleOperation, RuleOutcomes};

use super::Alerting;
use super::measure::MeasureError;
use super::rules::Loaded;

/// What an evaluation came to, on its way to the store.
#[derive(Debug)]
pub struct Evaluated(pub RuleOutcomes);

impl Alerting {
    /// Evaluates the windows of a rule that are due.
    pub(super) async fn evaluate(
        &self,
        loaded: &Arc<Loaded>,
        due: &[i64],
        state: &mut RuleState,
    ) -> Result<RuleOutcomes, MeasureError> {
        let row_by_row = loaded.row_by_row && loaded.time_column.is_some();
        let Some(plan) = plan(&loaded.rule, due, row_by_row, self.late) else { return Ok(RuleOutcomes::default()) };
        let outcome = self.outcome(loaded, &plan, state).await?;
        let mut outcomes = RuleOutcomes::default();
        for fired in &outcome.fired {
            let (alert, told) = self.alert_of(loaded, fired, clock::now());
            outcomes.fired.push((alert, told));
        }
        for resolved in outcome.resolved {
            let reason = match resolved.forgotten {
                true => "resolved: there have been no rows for 24 hours",
                false => "resolved: the condition is no longer met",
            };
            outcomes.resolved.push((resolved.alert_id, resolved.window_end, reason.to_owned()));
        }
        if outcome.over_limit > 0 {
            outcomes.operations.push(RuleOperation {
                rule: loaded.rule.resource.path(),
                status: "Limited",
                detail: format!("{} alerts past the limits of a rule were not fired", outcome.over_limit),
            });
        }
        Ok(outcomes)
    }

    /// Runs the queries of a plan and evaluates its windows.
    pub(super) async fn outcome(
        &self,
        loaded: &Arc<Loaded>,
        plan: &Plan,
        state: &mut RuleState,
    ) -> Result<Outcome, MeasureError> {
        let rule = &loaded.rule;
        let mut observed = Vec::new();
        let mut models = Vec::new();
        for (condition, text) in rule.conditions.iter().zip(&loaded.texts) {
            let column = loaded.time_column.as_deref();
            observed.push(self.measure(condition, text, column, plan.from, &plan.span, rule).await?);
            models.push(match condition.test {
                Test::Static { .. } => Default::default(),
                Test::Dynamic { .. } => self.models_of(loaded, condition, text, plan.span.end).await?,
            });
        }
        // a rule that was changed does not look back to before it was
        let since = loaded.modified_at;
        let input = Input { rule, plan, observed: &observed, models: &models, since };
        Ok(evaluate(&input, state, &mut || Uuid::new_v4().to_string()))
    }
}
