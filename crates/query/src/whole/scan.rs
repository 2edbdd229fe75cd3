//! `scan`: rows in order against steps, each with the state of the sequences that reached it (reference "scan
//! operator", "Scan logic").

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::compute::{concat, take};
use arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use watchkeeper_kql::typed::ScanOutput;

use super::expr::Compiled;
use super::{Room, Work, column, is_true, key_of};

/// Memory that one row of output takes beside its values, roughly.
const ROW_OVERHEAD: usize = 160;

/// Where the value of a condition or an assignment comes from.
#[derive(Debug)]
pub enum Formula {
    /// Does not look at states: an input column, computed for all rows at once.
    Ahead(String),
    /// Computed row by row.
    Each { expr: Compiled, columns: Vec<Source> },
}

/// A column that a formula reads.
#[derive(Debug, Clone)]
pub enum Source {
    Input(String),
    /// A step's state: number of the step, number of the state's column.
    State(usize, usize),
}

/// A column of the states and of the output.
#[derive(Debug)]
pub struct StateColumn {
    pub name: String,
    /// The value of a step without a sequence, and of rows whose step does not assign it.
    pub default: ScalarValue,
    pub declared: bool,
    /// Whether any formula reads it from a state.
    pub read: bool,
    /// Whether any step assigns it.
    pub assigned: bool,
}

#[derive(Debug)]
pub struct Step {
    pub optional: bool,
    pub output: ScanOutput,
    pub condition: Formula,
    /// Number of the state's column, and the value.
    pub assign: Vec<(usize, Formula)>,
}

/// The operator.
#[derive(Debug)]
pub struct Scan {
    pub partition: Vec<String>,
    /// In the order of the output.
    pub columns: Vec<StateColumn>,
    pub match_id: bool,
    pub steps: Vec<Step>,
}

type Values = Rc<HashMap<usize, ArrayRef>>;

/// A sequence in progress: the last row of each step, and a row that is given only if no other follows in its step.
struct Active {
    rows: Vec<Option<Values>>,
    match_id: i64,
    pending: Option<Output>,
}

struct Output {
    row: u32,
    changed: Values,
    match_id: i64,
}

impl Work for Scan {
    fn name(&self) -> &'static str {
        "scan"
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let input = &inputs[0];
        let keys = self.partition.iter().map(|name| column(input, name).cloned()).collect::<Result<Vec<_>>>()?;
        let defaults =
            self.columns.iter().map(|column| column.default.to_array_of_size(1)).collect::<Result<Vec<_>>>()?;
        let run = Run { scan: self, input, defaults };
        let mut partitions: HashMap<Vec<ScalarValue>, Vec<Option<Active>>> = HashMap::new();
        let mut outputs = Vec::new();
        let mut next_match = 0;
        let mut counted = 0;
        for row in 0..input.num_rows() {
            if row % 256 == 0 {
                room.check()?;
                room.grow((outputs.len() - counted) * ROW_OVERHEAD)?;
                counted = outputs.len();
            }
            let states =
                partitions.entry(key_of(&keys, row)?).or_insert_with(|| self.steps.iter().map(|_| None).collect());
            run.row(row, states, &mut next_match, &mut outputs)?;
        }
        let left = partitions.into_values().flatten().flatten();
        outputs.extend(left.filter_map(|active| active.pending));
        outputs.sort_by_key(|output| output.row);
        run.output(&outputs)
    }
}

struct Run<'r> {
    scan: &'r Scan,
    input: &'r RecordBatch,
    defaults: Vec<ArrayRef>,
}

impl Run<'_> {
    fn row(
        &self,
        row: usize,
        states: &mut [Option<Active>],
        next_match: &mut i64,
        outputs: &mut Vec<Output>,
    ) -> Result<()> {
        for (at, step) in self.scan.steps.iter().enumerate().rev() {
            if let Some(before) = self.before(at, states)
                && self.holds(step, row, states[before].as_ref())?
            {
                // the sequence moves on to this step
                outputs.extend(states[at].take().and_then(|old| old.pending));
                if let Some(mut active) = states[before].take() {
                    outputs.extend(active.pending.take());
                    let extended = self.extended(step, row, Some(&active))?;
                    self.matched(at, step, row, extended, &mut active, outputs)?;
                    states[at] = Some(active);
                }
                continue;
            }
            if (at == 0 || states[at].is_some()) && self.holds(step, row, states[at].as_ref())? {
                let extended = self.extended(step, row, states[at].as_ref())?;
                let mut active = states[at].take().unwrap_or_else(|| {
                    let match_id = *next_match;
                    *next_match += 1;
                    Active { rows: vec![None; self.scan.steps.len()], match_id, pending: None }
                });
                active.pending = None;
                self.matched(at, step, row, extended, &mut active, outputs)?;
                states[at] = Some(active);
            }
        }
        Ok(())
    }

    /// The step from which a sequence may come: the one before, or further back across optional ones.
    fn before(&self, at: usize, states: &[Option<Active>]) -> Option<usize> {
        for earlier in (0..at).rev() {
            if states[earlier].is_some() {
                return Some(earlier);
            }
            if !self.scan.steps[earlier].optional {
                return None;
            }
        }
        None
    }

    fn holds(&self, step: &Step, row: usize, state: Option<&Active>) -> Result<bool> {
        Ok(match &step.condition {
            Formula::Ahead(name) => is_true(column(self.input, name)?, row),
            formula => is_true(&self.value(formula, row, state)?, 0),
        })
    }

    fn value(&self, formula: &Formula, row: usize, state: Option<&Active>) -> Result<ArrayRef> {
        let (expr, columns) = match formula {
            Formula::Ahead(name) => return Ok(column(self.input, name)?.slice(row, 1)),
            Formula::Each { expr, columns } => (expr, columns),
        };
        let arrays = columns
            .iter()
            .map(|source| match source {
                Source::Input(name) => Ok(column(self.input, name)?.slice(row, 1)),
                Source::State(step, at) => {
                    let values = state.and_then(|active| active.rows[*step].as_ref());
                    let value = values.and_then(|values| values.get(at)).unwrap_or(&self.defaults[*at]);
                    Ok(Arc::clone(value))
                }
            })
            .collect::<Result<Vec<_>>>()?;
        expr.values(arrays, 1)
    }

    /// The columns that this step gives other values than the input or the default.
    fn extended(&self, step: &Step, row: usize, state: Option<&Active>) -> Result<HashMap<usize, ArrayRef>> {
        let mut changed = HashMap::new();
        for (at, formula) in &step.assign {
            changed.insert(*at, self.value(formula, row, state)?);
        }
        Ok(changed)
    }

    fn matched(
        &self,
        at: usize,
        step: &Step,
        row: usize,
        changed: HashMap<usize, ArrayRef>,
        active: &mut Active,
        outputs: &mut Vec<Output>,
    ) -> Result<()> {
        let changed = Rc::new(changed);
        let output = || Output { row: row as u32, changed: Rc::clone(&changed), match_id: active.match_id };
        match step.output {
            ScanOutput::All => outputs.push(output()),
            ScanOutput::Last => active.pending = Some(output()),
            ScanOutput::None => {}
        }
        let mut values = HashMap::new();
        for (number, known) in self.scan.columns.iter().enumerate().filter(|(_, known)| known.read) {
            let value = match (changed.get(&number), known.declared) {
                (Some(value), _) => Arc::clone(value),
                (None, true) => Arc::clone(&self.defaults[number]),
                (None, false) => column(self.input, &known.name)?.slice(row, 1),
            };
            values.insert(number, value);
        }
        active.rows[at] = Some(Rc::new(values));
        Ok(())
    }

    fn output(&self, outputs: &[Output]) -> Result<Vec<ArrayRef>> {
        let rows = UInt32Array::from_iter_values(outputs.iter().map(|output| output.row));
        let mut arrays = Vec::new();
        for (at, known) in self.scan.columns.iter().enumerate() {
            if !known.declared && !known.assigned {
                arrays.push(take(column(self.input, &known.name)?, &rows, None)?);
                continue;
            }
            let mut values = Vec::with_capacity(outputs.len());
            for output in outputs {
                values.push(match (output.changed.get(&at), known.declared) {
                    (Some(value), _) => Arc::clone(value),
                    (None, true) => Arc::clone(&self.defaults[at]),
                    (None, false) => column(self.input, &known.name)?.slice(output.row as usize, 1),
                });
            }
            let parts: Vec<&dyn arrow::array::Array> = values.iter().map(AsRef::as_ref).collect();
            arrays.push(if parts.is_empty() { self.defaults[at].slice(0, 0) } else { concat(&parts)? });
        }
        if self.scan.match_id {
            arrays.push(Arc::new(Int64Array::from_iter_values(outputs.iter().map(|output| output.match_id))));
        }
        Ok(arrays)
    }
}
