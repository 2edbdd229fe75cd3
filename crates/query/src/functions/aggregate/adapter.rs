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

    fn is_fast(&self) -> bool {
        self.plan.fast_kind().is_some()
    }

    fn groups(&self) -> Box<dyn GroupsAccumulator> {
        match self.plan.fast_kind() {
            Some(kind) => Box::new(FastGroups::new(kind, Arc::clone(&self.plan))),
            None => Box::new(Groups { plan: Arc::clone(&self.plan), states: Vec::new() }),
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

    fn data_type(&self) -> DataType {
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
        if self.is_fast() {
            return Ok(STATE_TYPES.iter().map(|(suffix, data_type)| field(suffix, data_type)).collect());
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
}

impl Groups {
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
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let states = emit_to.take_needed(&mut self.states);
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
        let states = emit_to.take_needed(&mut self.states);
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
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |array| array.len());
        let mut each = Groups { plan: Arc::clone(&self.plan), states: Vec::new() };
        let groups: Vec<usize> = (0..rows).collect();
        each.update_batch(values, &groups, filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.states.iter().map(|state| state.size() + 64).sum()
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
