//! Counts, sums, averages and extremes of numbers, over whole columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use watchkeeper_kql::Type;

use super::Output;
use super::adapter::{Plan, passes};
use crate::functions::frame::value::{Builder, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Count,
    Sum,
    Average,
    Min,
    Max,
}

/// The partial state: rows seen, and the sum or extreme as a long and as a real (one of them is used).
pub const STATE_TYPES: [(&str, DataType); 3] =
    [("count", DataType::Int64), ("long", DataType::Int64), ("real", DataType::Float64)];

impl Kind {
    /// Whether the argument is one that this accumulator takes.
    pub fn fits(self, inner: &[Type]) -> bool {
        match inner.first() {
            None => self == Kind::Count,
            Some(ty) => matches!(ty, Type::Int | Type::Long | Type::Real | Type::Datetime | Type::Timespan),
        }
    }
}

/// Per group: how many values, and their sum or extreme.
pub struct FastGroups {
    kind: Kind,
    plan: Arc<Plan>,
    counts: Vec<i64>,
    longs: Vec<i64>,
    reals: Vec<f64>,
}

impl FastGroups {
    pub fn new(kind: Kind, plan: Arc<Plan>) -> FastGroups {
        FastGroups { kind, plan, counts: Vec::new(), longs: Vec::new(), reals: Vec::new() }
    }

    fn grow(&mut self, total: usize) {
        let total = total.max(self.counts.len());
        self.counts.resize(total, 0);
        self.longs.resize(total, 0);
        self.reals.resize(total, 0.0);
    }

    fn is_real(&self) -> bool {
        self.plan.inner.first() == Some(&Type::Real)
    }

    fn add_long(&mut self, group: usize, value: i64, count: i64) {
        let slot = &mut self.longs[group];
        *slot = match self.kind {
            Kind::Min if self.counts[group] > 0 => value.min(*slot),
            Kind::Max if self.counts[group] > 0 => value.max(*slot),
            Kind::Min | Kind::Max => value,
            Kind::Count | Kind::Sum | Kind::Average => slot.wrapping_add(value),
        };
        self.counts[group] += count;
    }

    fn add_real(&mut self, group: usize, value: f64, count: i64) {
        let slot = &mut self.reals[group];
        *slot = match self.kind {
            Kind::Min if self.counts[group] > 0 => value.min(*slot),
            Kind::Max if self.counts[group] > 0 => value.max(*slot),
            Kind::Min | Kind::Max => value,
            Kind::Count | Kind::Sum | Kind::Average => *slot + value,
        };
        self.counts[group] += count;
    }

    fn result<'a>(&self, count: i64, long: i64, real: f64, ty: Type) -> Value<'a> {
        let exact = |value: i64| match ty {
            Type::Datetime => Value::Datetime(value),
            Type::Timespan => Value::Timespan(value),
            Type::Int => Value::from_option(i32::try_from(value).ok(), Value::Int),
            _ => Value::Long(value),
        };
        match self.kind {
            Kind::Count => Value::Long(count),
            Kind::Sum if self.is_real() => Value::Real(real),
            Kind::Sum => exact(long),
            Kind::Min | Kind::Max if count == 0 => Value::Null,
            Kind::Min | Kind::Max if self.is_real() => Value::Real(real),
            Kind::Min | Kind::Max => exact(long),
            Kind::Average if count == 0 => {
                if ty == Type::Real {
                    Value::Real(f64::NAN)
                } else {
                    Value::Null
                }
            }
            Kind::Average if ty == Type::Real => Value::Real(real / count as f64),
            // ticks are averaged exactly enough in reals: the sum of datetimes does not fit 64 bits
            Kind::Average => exact((real / count as f64).round() as i64),
        }
    }
}

impl GroupsAccumulator for FastGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.grow(total);
        let values = self.plan.coerce(values)?;
        let filter = self.plan.filter(&values, filter)?;
        let filter = filter.as_ref();
        let Some(ty) = self.plan.inner.first().copied() else {
            for (row, group) in groups.iter().enumerate() {
                self.counts[*group] += i64::from(passes(filter, row));
            }
            return Ok(());
        };
        // the condition never stands before the value
        let array = &values[0];
        let average = self.kind == Kind::Average;
        match ty {
            Type::Real => {
                let array = array.as_primitive::<Float64Type>();
                for (row, group) in groups.iter().enumerate() {
                    if passes(filter, row) && array.is_valid(row) {
                        self.add_real(*group, array.value(row), 1);
                    }
                }
            }
            Type::Int => {
                let array = array.as_primitive::<Int32Type>();
                for (row, group) in groups.iter().enumerate() {
                    if passes(filter, row) && array.is_valid(row) {
                        let value = i64::from(array.value(row));
                        if average { self.add_real(*group, value as f64, 1) } else { self.add_long(*group, value, 1) }
                    }
                }
            }
            _ => {
                let array = array.as_primitive::<Int64Type>();
                for (row, group) in groups.iter().enumerate() {
                    if passes(filter, row) && array.is_valid(row) {
                        let value = array.value(row);
                        if average { self.add_real(*group, value as f64, 1) } else { self.add_long(*group, value, 1) }
                    }
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = emit_to.take_needed(&mut self.counts);
        let longs = emit_to.take_needed(&mut self.longs);
        let reals = emit_to.take_needed(&mut self.reals);
        let Output::One(ty) = self.plan.output else {
            return exec_err!("an aggregate of one number has several outputs");
        };
        let mut builder = Builder::new(ty, counts.len());
        for ((count, long), real) in counts.iter().zip(&longs).zip(&reals) {
            builder.push(&self.result(*count, *long, *real, ty));
        }
        Ok(builder.finish())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let counts = emit_to.take_needed(&mut self.counts);
        let longs = emit_to.take_needed(&mut self.longs);
        let reals = emit_to.take_needed(&mut self.reals);
        let none: Option<NullBuffer> = None;
        Ok(vec![
            Arc::new(Int64Array::new(counts.into(), none.clone())),
            Arc::new(Int64Array::new(longs.into(), none.clone())),
            Arc::new(Float64Array::new(reals.into(), none)),
        ])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.grow(total);
        let [counts, longs, reals] = values else {
            return if groups.is_empty() {
                Ok(())
            } else {
                exec_err!("a partial count or sum has {} columns", values.len())
            };
        };
        let (counts, longs, reals) = (
            counts.as_primitive::<Int64Type>(),
            longs.as_primitive::<Int64Type>(),
            reals.as_primitive::<Float64Type>(),
        );
        let real = self.is_real() || self.kind == Kind::Average;
        for (row, group) in groups.iter().enumerate() {
            let count = counts.value(row);
            if count == 0 {
                continue;
            }
            if real {
                self.add_real(*group, reals.value(row), count)
            } else {
                self.add_long(*group, longs.value(row), count)
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or_else(|| filter.map_or(0, Array::len), |array| array.len());
        let mut each = FastGroups::new(self.kind, Arc::clone(&self.plan));
        let groups: Vec<usize> = (0..rows).collect();
        each.update_batch(values, &groups, filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.counts.capacity() * 8 + self.longs.capacity() * 8 + self.reals.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{longs, run};
    use crate::functions::frame::value::Value;
    use datafusion::common::ScalarValue;
    use watchkeeper_kql::Type;

    #[test]
    fn numbers_are_summed_averaged_and_compared() {
        let rows = longs(&[3, 1, 5]);
        assert_eq!(run("sum", &[Type::Long], &rows), ScalarValue::Int64(Some(9)));
        assert_eq!(run("avg", &[Type::Long], &rows), ScalarValue::Float64(Some(3.0)));
        assert_eq!(run("min", &[Type::Long], &rows), ScalarValue::Int64(Some(1)));
        assert_eq!(run("max", &[Type::Long], &rows), ScalarValue::Int64(Some(5)));
        assert_eq!(run("min", &[Type::Long], &[vec![Value::Null]]), ScalarValue::Int64(None));
        assert_eq!(run("sum", &[Type::Long], &[vec![Value::Null]]), ScalarValue::Int64(Some(0)));
    }

    #[test]
    fn a_condition_chooses_the_rows() {
        let rows: Vec<Vec<Value<'static>>> = vec![
            vec![Value::Long(3), Value::Bool(true)],
            vec![Value::Long(10), Value::Bool(false)],
            vec![Value::Long(20), Value::Null],
            vec![Value::Long(4), Value::Bool(true)],
        ];
        assert_eq!(run("sumif", &[Type::Long, Type::Bool], &rows), ScalarValue::Int64(Some(7)));
        assert_eq!(run("maxif", &[Type::Long, Type::Bool], &rows), ScalarValue::Int64(Some(4)));
        let conditions: Vec<Vec<Value<'static>>> = rows.iter().map(|row| vec![row[1].clone()]).collect();
        assert_eq!(run("countif", &[Type::Bool], &conditions), ScalarValue::Int64(Some(2)));
    }
}
