//! A bound aggregate as DataFusion calls it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, TypeSignature, Volatility,
};
use parking_lot::Mutex;
use watchkeeper_kql::Type;

use super::fast::{FastGroups, STATE_TYPES};
use super::kept_rows::{self, RowGroups};
use super::state::{Reader, State};
use super::{Aggregate, Output};
use crate::functions::frame::value::{Builder, Column, Value, arrow_type};

/// An aggregate with the KQL types of its arguments.
pub struct BoundAggregate {
    name: String,
    signature: Signature,
    plan: Arc<Plan>,
}

/// What the accumulators need to know.
pub struct Plan {
    pub aggregate: &'static Aggregate,
    /// Types of all arguments, the condition included.
    pub arg_types: Vec<Type>,
    /// Types without the condition.
    pub inner: Vec<Type>,
    pub condition: Option<usize>,
    pub output: Output,
}

impl BoundAggregate {
    pub fn new(
        name: &str,
        aggregate: &'static Aggregate,
        arg_types: Vec<Type>,
        inner: Vec<Type>,
        condition: Option<usize>,
        output: Output,
    ) -> BoundAggregate {
        let types: Vec<&str> = arg_types.iter().map(|ty| ty.name()).collect();
        let arity = match arg_types.len() {
            0 => TypeSignature::Nullary,
            count => TypeSignature::Any(count),
        };
        BoundAggregate {
            name: format!("agg:{name}({})", types.join(",")),
            signature: Signature::new(arity, Volatility::Immutable),
            plan: Arc::new(Plan { aggregate, arg_types, inner, condition, output }),
        }
    }

    fn groups(&self) -> Box<dyn GroupsAccumulator> {
        if let Some(kind) = self.plan.fast_kind() {
            return Box::new(FastGroups::new(kind, Arc::clone(&self.plan)));
        }
        match self.plan.row_kind() {
            Some(kind) => Box::new(RowGroups::new(kind, Arc::clone(&self.plan))),
            None => Box::new(Groups::new(&self.plan)),
        }
    }
}

fn struct_fields(types: &[Type]) -> Fields {
    types.iter().enumerate().map(|(place, ty)| Field::new(place.to_string(), arrow_type(*ty), true)).collect()
}

impl Plan {
    fn fast_kind(&self) -> Option<super::fast::Kind> {
        self.aggregate.fast.filter(|kind| kind.fits(&self.inner))
    }

    fn row_kind(&self) -> Option<kept_rows::Kind> {
        kept_rows::Kind::of(self.aggregate.name, &self.inner)
    }

    /// For messages.
    pub fn aggregate_name(&self) -> &'static str {
        self.aggregate.name
    }

    pub fn data_type(&self) -> DataType {
        match &self.output {
            Output::One(ty) => arrow_type(*ty),
            Output::Many(types) => DataType::Struct(struct_fields(types)),
        }
    }

    /// Brings the arguments to the runtime form.
    pub fn coerce(&self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        values
            .iter()
            .zip(&self.arg_types)
            .map(|(array, ty)| {
                let wanted = arrow_type(*ty);
                if array.data_type() == &wanted {
                    Ok(Arc::clone(array))
                } else {
                    Ok(arrow::compute::cast(array, &wanted)?)
                }
            })
            .collect()
    }

    /// The filter together with the aggregate's own condition.
    pub fn filter(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Option<BooleanArray>> {
        let condition = self.condition.map(|place| values[place].as_boolean());
        Ok(match (condition, filter) {
            (Some(condition), Some(filter)) => Some(arrow::compute::and_kleene(condition, filter)?),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        })
    }
}

/// Whether a row passes the filter.
pub fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

impl std::fmt::Debug for BoundAggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BoundAggregate").field(&self.name).finish()
    }
}

impl PartialEq for BoundAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for BoundAggregate {}

impl Hash for BoundAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl AggregateUDFImpl for BoundAggregate {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.plan.data_type())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |suffix: &str, data_type: &DataType| {
            Arc::new(Field::new(format!("{}[{suffix}]", args.name), data_type.clone(), true))
        };
        if self.plan.fast_kind().is_some() {
            return Ok(STATE_TYPES.iter().map(|(suffix, data_type)| field(suffix, data_type)).collect());
        }
        if self.plan.row_kind().is_some() {
            let fields = kept_rows::state_fields(&self.plan.inner);
            return Ok(fields.iter().map(|(suffix, data_type)| field(suffix, data_type)).collect());
        }
        Ok(vec![field("state", &DataType::Binary)])
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Single { name: self.name.clone(), groups: Mutex::new(self.groups()) }))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(self.groups())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // lists come in the order of their input where it has one
        if self.plan.aggregate.name.starts_with("make_") {
            AggregateOrderSensitivity::HardRequirement
        } else {
            AggregateOrderSensitivity::Insensitive
        }
    }
}

/// One [`State`] a group.
struct Groups {
    plan: Arc<Plan>,
    states: Vec<Box<dyn State>>,
    /// The size in bytes as it was measured last, and the rows since: it is measured again after as many as there are
    /// groups, so that it costs no more than the rows themselves.
    measured: usize,
    since: usize,
}

impl Groups {
    fn new(plan: &Arc<Plan>) -> Groups {
        Groups { plan: Arc::clone(plan), states: Vec::new(), measured: 0, since: 0 }
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<Box<dyn State>> {
        let taken = emit_to.take_needed(&mut self.states);
        self.measured = if self.states.is_empty() { 0 } else { self.measured };
        taken
    }

    fn measure(&mut self, rows: usize) {
        self.since += rows;
        if self.since >= self.states.len() {
            self.measured = self.states.iter().map(|state| state.size() + 64).sum();
            self.since = 0;
        }
    }

    fn grow(&mut self, total: usize) {
        let make = self.plan.aggregate.state;
        while self.states.len() < total {
            self.states.push(make(&self.plan.inner));
        }
    }
}

impl GroupsAccumulator for Groups {
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
        let columns: Vec<Column<'_>> = values
            .iter()
            .zip(&self.plan.arg_types)
            .enumerate()
            .filter(|(place, _)| Some(*place) != self.plan.condition)
            .map(|(_, (array, ty))| Column::from_array(array, *ty))
            .collect();
        let mut cells: Vec<Value<'_>> = Vec::with_capacity(columns.len());
        for (row, group) in groups.iter().enumerate() {
            if !passes(filter.as_ref(), row) {
                continue;
            }
            cells.clear();
            cells.extend(columns.iter().map(|column| column.value(row)));
            self.states[*group].update(&cells);
        }
        self.measure(groups.len());
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let states = self.take(emit_to);
        let types = match &self.plan.output {
            Output::One(ty) => std::slice::from_ref(ty),
            Output::Many(types) => types.as_slice(),
        };
        let mut builders: Vec<Builder> = types.iter().map(|ty| Builder::new(*ty, states.len())).collect();
        for state in &states {
            for (builder, value) in builders.iter_mut().zip(state.finish()) {
                builder.push(&value);
            }
        }
        let arrays: Vec<ArrayRef> = builders.iter_mut().map(Builder::finish).collect();
        match &self.plan.output {
            Output::One(_) => match arrays.into_iter().next() {
                Some(array) => Ok(array),
                None => exec_err!("{} has no output", self.plan.aggregate.name),
            },
            Output::Many(types) => Ok(Arc::new(StructArray::try_new(struct_fields(types), arrays, None)?)),
        }
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.take(emit_to);
        let mut builder = BinaryBuilder::with_capacity(states.len(), 0);
        let mut bytes = Vec::new();
        for state in &states {
            bytes.clear();
            state.save(&mut bytes);
            builder.append_value(&bytes);
        }
        Ok(vec![Arc::new(builder.finish())])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.grow(total);
        let Some(saved) = values.first().and_then(|array| array.as_any().downcast_ref::<BinaryArray>()) else {
            return exec_err!("the partial state of {} is not binary", self.plan.aggregate.name);
        };
        for (row, group) in groups.iter().enumerate() {
            if saved.is_null(row) {
                continue;
            }
            if self.states[*group].merge(&mut Reader::new(saved.value(row))).is_none() {
                return exec_err!("the partial state of {} cannot be read", self.plan.aggregate.name);
            }
        }
        self.measure(groups.len());
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |array| array.len());
        let mut each = Groups::new(&self.plan);
        let groups: Vec<usize> = (0..rows).collect();
        each.update_batch(values, &groups, filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.measured
    }
}

/// The whole input as one group.
struct Single {
    name: String,
    groups: Mutex<Box<dyn GroupsAccumulator>>,
}

impl std::fmt::Debug for Single {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Single").field(&self.name).finish()
    }
}

impl Single {
    /// Makes the one group also where no row came.
    fn touch(&mut self) -> Result<()> {
        self.groups.get_mut().merge_batch(&[], &[], 1).or_else(|_| Ok(()))
    }
}

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |array| array.len());
        self.groups.get_mut().update_batch(values, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.touch()?;
        let array = self.groups.get_mut().evaluate(EmitTo::All)?;
        ScalarValue::try_from_array(&array, 0)
    }

    fn size(&self) -> usize {
        self.groups.lock().size() + size_of::<Self>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.touch()?;
        let arrays = self.groups.get_mut().state(EmitTo::All)?;
        arrays.iter().map(|array| ScalarValue::try_from_array(array, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |array| array.len());
        self.groups.get_mut().merge_batch(states, &vec![0; rows], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::aggregate::{aggregate_outputs, find};

    /// Numbers that look random and are the same in each run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }

        fn value(&mut self, ty: Type) -> Value<'static> {
            let number = self.below(7) as i64 - 3;
            match ty {
                _ if self.below(5) == 0 => Value::Null,
                Type::Int => Value::Int(number as i32),
                Type::Real if self.below(9) == 0 => Value::Real(f64::NAN),
                Type::Real => Value::Real(number as f64 / 2.0),
                Type::Datetime => Value::Datetime(number),
                Type::Timespan => Value::Timespan(number),
                Type::String => Value::String(format!("a text that is longer than a view holds: {number}").into()),
                Type::Bool => Value::Bool(number > 0),
                _ => Value::Long(number),
            }
        }

        fn columns(&mut self, types: &[Type], rows: usize) -> Vec<ArrayRef> {
            let column = |ty: &Type| {
                let mut builder = Builder::new(*ty, rows);
                (0..rows).for_each(|_| builder.push(&self.value(*ty)));
                builder.finish()
            };
            types.iter().map(column).collect()
        }
    }

    fn plan(name: &str, types: &[Type]) -> Arc<Plan> {
        let (aggregate, condition) = find(name).unwrap();
        let mut inner = types.to_vec();
        if let Some(place) = condition {
            inner.remove(place);
        }
        let output = aggregate_outputs(name, types).unwrap();
        Arc::new(Plan { aggregate, arg_types: types.to_vec(), inner, condition, output })
    }

    #[test]
    fn rows_that_are_kept_as_arrays_are_those_that_are_kept_one_by_one() {
        use Type::{Bool, Datetime, Int, Long, Real, String, Timespan};
        let mut numbers = Numbers(7);
        for (name, types) in [
            ("arg_max", vec![Datetime, String, Long, Real]),
            ("arg_max", vec![Real, String]),
            ("arg_max", vec![Long]),
            ("arg_min", vec![Int, Bool, String]),
            ("arg_min", vec![Timespan, Datetime]),
            ("take_any", vec![String]),
            ("take_any", vec![Long]),
            ("take_any", vec![Long, String]),
            ("take_anyif", vec![Long, Bool]),
        ] {
            let plan = plan(name, &types);
            let kind = plan.row_kind().unwrap();
            let slow = || Box::new(Groups::new(&plan)) as Box<dyn GroupsAccumulator>;
            let fast = || Box::new(RowGroups::new(kind, Arc::clone(&plan))) as Box<dyn GroupsAccumulator>;
            let mut whole = [slow(), fast()];
            for part in 0..5 {
                // each part by itself, its state merged into the whole, some groups at a time
                let mut parts = [slow(), fast()];
                for _ in 0..20 {
                    let columns = numbers.columns(&types, 700);
                    let groups: Vec<usize> = (0..700).map(|_| numbers.below(40) as usize).collect();
                    let filter: BooleanArray = (0..700).map(|_| Some(numbers.below(4) > 0)).collect();
                    for one in &mut parts {
                        one.update_batch(&columns, &groups, Some(&filter), 45).unwrap();
                    }
                }
                for (whole, part) in whole.iter_mut().zip(&mut parts) {
                    let first = part.state(EmitTo::First(10)).unwrap();
                    whole.merge_batch(&first, &(0..10).collect::<Vec<_>>(), 45).unwrap();
                    let rest = part.state(EmitTo::All).unwrap();
                    whole.merge_batch(&rest, &(10..45).collect::<Vec<_>>(), 45).unwrap();
                }
                let columns = numbers.columns(&types, 50);
                let filter: BooleanArray = (0..50).map(|row| Some(row % 3 == part % 3)).collect();
                for whole in &mut whole {
                    let state = whole.convert_to_state(&columns, Some(&filter)).unwrap();
                    whole.merge_batch(&state, &(0..50).collect::<Vec<_>>(), 50).unwrap();
                }
            }
            for emit_to in [EmitTo::First(7), EmitTo::All] {
                let [expected, found] = whole.each_mut().map(|one| one.evaluate(emit_to).unwrap());
                assert_eq!(format!("{expected:?}"), format!("{found:?}"), "{name}({types:?})");
            }
            assert!(whole[1].size() < 100_000, "{} bytes for no group", whole[1].size());
        }
    }

    #[test]
    fn rows_that_no_group_has_any_more_are_dropped() {
        let plan = plan("arg_max", &[Type::Long, Type::String]);
        let mut groups = RowGroups::new(plan.row_kind().unwrap(), Arc::clone(&plan));
        for batch in 0..300_i64 {
            let mut keys = Builder::new(Type::Long, 1000);
            let mut texts = Builder::new(Type::String, 1000);
            for row in 0..1000 {
                keys.push(&Value::Long(batch));
                texts.push(&Value::String(format!("row {row} of batch {batch} with a long text").into()));
            }
            groups.update_batch(&[keys.finish(), texts.finish()], &(0..1000).collect::<Vec<_>>(), None, 1000).unwrap();
        }
        assert!(groups.size() < 8 << 20, "{} bytes", groups.size());
        let found = groups.evaluate(EmitTo::All).unwrap();
        let texts = found.as_struct().column(1).as_string_view().clone();
        assert_eq!(
            (texts.value(0), texts.value(999)),
            ("row 0 of batch 299 with a long text", "row 999 of batch 299 with a long text")
        );
    }
}
