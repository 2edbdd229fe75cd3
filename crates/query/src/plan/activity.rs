//! Plugins about who comes, comes back and stays, as [`crate::whole::activity`] computes them.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use watchkeeper_kql::Schema;
use watchkeeper_kql::typed::{Expr, ExprKind, PluginArg};

use super::Planned;
use super::whole::Plugin;
use crate::error::QueryError;
use crate::functions::datetime::Period;
use crate::whole::activity::{Activity, Metric, Window};

impl Plugin<'_> {
    /// Plugins about who comes and comes back: an id, a timeline, the analysis' start and end, its windows, dimensions.
    pub(super) fn activity(
        &self,
        input: Planned,
        schema: &Schema,
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let windows = match self.plugin {
            "active_users_count" => 4,
            "activity_engagement" | "session_count" => 2,
            _ => 1,
        };
        let is_column = |arg: &PluginArg| matches!(arg, PluginArg::Scalar(Expr { kind: ExprKind::Column(_), .. }));
        let further = 4 + windows..self.args.len();
        let dimensions = further.clone().filter(|at| is_column(&self.args[*at]));
        let wanted: Vec<usize> = [0, 1].into_iter().chain(dimensions).collect();
        let (input, names) = self.computed(input, &wanted)?;
        let mut others = Vec::new();
        let metric = match self.plugin {
            "active_users_count" => Metric::ActiveUsers {
                lookback: self.whole_number(4)?,
                period: self.whole_number(5)?,
                active_periods: self.whole_number(6)?,
                bin: self.whole_number(7)?,
            },
            "activity_engagement" => Metric::Engagement { inner: self.whole_number(4)?, outer: self.whole_number(5)? },
            "session_count" => Metric::Sessions { bin: self.whole_number(4)?, lookback: self.whole_number(5)? },
            "activity_counts_metrics" => Metric::Counts { window: self.window(4)? },
            "activity_metrics" => Metric::Changes { window: self.window(4)? },
            _ => {
                let mut lookback = None;
                let cohort = further
                    .clone()
                    .find(|at| matches!(self.args[*at], PluginArg::Scalar(_)) && !is_column(&self.args[*at]));
                for at in further {
                    let PluginArg::Relation(table) = &self.args[at] else { continue };
                    let Some(PluginArg::Scalar(Expr { kind: ExprKind::Column(id), .. })) = self.args.first() else {
                        return Err(self.wrong(0));
                    };
                    if table.schema.get(id).is_none() {
                        return Err(QueryError::execution(format!(
                            "the table of ids seen before (argument {} of new_activity_metrics) needs a column {id}",
                            at + 1
                        )));
                    }
                    lookback = Some(id.clone());
                    others.push(self.planner.relation(table, body)?);
                }
                let cohort = cohort.map(|at| self.whole_number(at)).transpose()?;
                Metric::New { window: self.window(4)?, cohort, lookback }
            }
        };
        let work = Activity {
            metric,
            id: names[0].clone(),
            timeline: names[1].clone(),
            from: self.whole_number(2)?,
            to: self.whole_number(3)?,
            dimensions: names[2..].to_vec(),
        };
        self.planner.whole(input, others, schema, Arc::new(work))
    }

    /// A length, or `week`, `month` or `year`.
    fn window(&self, at: usize) -> Result<Window, QueryError> {
        match self.scalar(at)? {
            ScalarValue::Utf8View(Some(name)) | ScalarValue::Utf8(Some(name)) => match name.as_str() {
                "week" => Ok(Window::Calendar(Period::Week)),
                "month" => Ok(Window::Calendar(Period::Month)),
                "year" => Ok(Window::Calendar(Period::Year)),
                _ => Err(self.wrong(at)),
            },
            _ => Ok(Window::Fixed(self.whole_number(at)?)),
        }
    }
}
