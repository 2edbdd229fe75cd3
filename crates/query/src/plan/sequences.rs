//! Plugins about states that follow one another, as [`crate::whole::sequences`] computes them.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use serde_json::Value;
use watchkeeper_kql::typed::{Expr, PluginArg};
use watchkeeper_kql::{Schema, Type};

use super::whole::Plugin;
use super::{Planned, expr};
use crate::error::QueryError;
use crate::functions::convert::read;
use crate::whole::sequences::{Funnel, Question, SequenceDetect};

impl Plugin<'_> {
    /// `sequence_detect(timeline, max_step, max_span, conditions…, dimensions…)`.
    pub(super) fn sequence_detect(&self, input: Planned, schema: &Schema) -> Result<Planned, QueryError> {
        let is_step = |at: &usize| matches!(&self.args[*at], PluginArg::Scalar(expr) if expr.ty == Type::Bool);
        let steps = (3..self.args.len()).take_while(is_step).count();
        let wanted: Vec<usize> = std::iter::once(0).chain(3..self.args.len()).collect();
        let (input, names) = self.computed(input, &wanted)?;
        let work = SequenceDetect {
            timeline: names[0].clone(),
            steps: names[1..=steps].to_vec(),
            dimensions: names[steps + 1..].to_vec(),
            max_step: self.whole_number(1)?,
            max_span: self.whole_number(2)?,
        };
        self.planner.whole(input, Vec::new(), schema, Arc::new(work))
    }

    /// `funnel_sequence_completion(id, timeline, start, end, step, state, sequence, periods)`.
    pub(super) fn funnel_completion(&self, input: Planned, schema: &Schema) -> Result<Planned, QueryError> {
        let periods = self.array(7)?;
        let periods = periods.iter().map(|period| match period {
            Value::String(text) => read::timespan(text).ok_or_else(|| self.wrong(7)),
            other => other.as_i64().ok_or_else(|| self.wrong(7)),
        });
        let question = Question::Completion { periods: periods.collect::<Result<_, _>>()? };
        self.funnel(input, schema, question, [4, 5, 6])
    }

    /// `funnel_sequence(id, timeline, start, end, max_step, step, state, sequence)`: which of its three tables, the
    /// columns say.
    pub(super) fn funnel_sequence(&self, input: Planned, schema: &Schema) -> Result<Planned, QueryError> {
        let question = Question::Neighbours {
            max_step: self.whole_number(4)?,
            previous: schema.columns.get(1).is_some_and(|column| column.name == "prev"),
            next: schema.columns.iter().skip(1).any(|column| column.name == "next"),
        };
        self.funnel(input, schema, question, [5, 6, 7])
    }

    /// `places`: the arguments of the step, the state and the sequence.
    fn funnel(
        &self,
        input: Planned,
        schema: &Schema,
        question: Question,
        places: [usize; 3],
    ) -> Result<Planned, QueryError> {
        let [step, state, sequence] = places;
        let of = |at: usize| match self.args.get(at) {
            Some(PluginArg::Scalar(expr)) => Ok(expr),
            _ => Err(self.wrong(at)),
        };
        let (id, states): (&Expr, &Expr) = (of(0)?, of(state)?);
        let scope = self.planner.scope(&input);
        let (id_value, timeline, state_value) =
            (self.planner.expr(id, &scope)?, self.planner.expr(of(1)?, &scope)?, self.planner.expr(states, &scope)?);
        let text = match states.ty {
            Type::String => state_value.clone(),
            ty => expr::bound("tostring", &[ty], vec![state_value.clone()])?,
        };
        let json = expr::bound("pack_array", &[id.ty], vec![id_value.clone()])?;
        let (input, names) = self.planner.with_values(input, vec![id_value, timeline, state_value, text, json])?;
        let [id, timeline, state, state_text, id_json] = <[String; 5]>::try_from(names).map_err(|_| self.wrong(0))?;
        let sequence = self.array(sequence)?.into_iter().map(|value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        });
        let work = Funnel {
            question,
            id,
            id_json,
            timeline,
            state,
            state_text,
            from: self.whole_number(2)?,
            to: self.whole_number(3)?,
            step: self.whole_number(step)?,
            sequence: sequence.collect(),
        };
        self.planner.whole(input, Vec::new(), schema, Arc::new(work))
    }

    /// A constant array.
    fn array(&self, at: usize) -> Result<Vec<Value>, QueryError> {
        match self.scalar(at)? {
            ScalarValue::Utf8View(Some(json)) | ScalarValue::Utf8(Some(json)) => {
                serde_json::from_str(&json).map_err(|_| self.wrong(at))
            }
            _ => Err(self.wrong(at)),
        }
    }
}
