//! `arg_max`, `arg_min` and `take_any` over whole columns: a group is the place of its row among rows that are kept as
//! arrays, so that a value is copied once for each time its row wins.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringViewArray, StructArray, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use watchkeeper_kql::Type;

use super::Output;
use super::adapter::{Plan, passes};
use crate::functions::frame::value::{Builder, Value};

/// Which row of a group is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The one with the greatest or least first value; a null loses against every value, the first of equals wins.
    Extreme(Ordering),
    /// The first; with one argument the first that is not null.
    First,
}

impl Kind {
    /// The kind of an aggregate with arguments of these types; none where it keeps no row, or compares what has no order
    /// as a number.
    pub fn of(aggregate: &str, inner: &[Type]) -> Option<Kind> {
        let number =
            || matches!(inner.first(), Some(Type::Int | Type::Long | Type::Real | Type::Datetime | Type::Timespan));
        match aggregate {
            "arg_max" if number() => Some(Kind::Extreme(Ordering::Greater)),
            "arg_min" if number() => Some(Kind::Extreme(Ordering::Less)),
            "take_any" => Some(Kind::First),
            _ => None,
        }
    }
}

/// How far a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// A row whose first value is null.
    Null,
    Value,
}

/// A row among those that are kept: its chunk, and its place there.
type Place = (u32, u32);

/// The row that stands for a group without one: that of nulls, which is the only one of the first chunk.
const NOWHERE: Place = (0, 0);
/// So many rows may be kept that no group has any more, beside as many as there are groups.
const SPARE_ROWS: usize = 32_768;

/// Per group: the row that it keeps.
pub struct RowGroups {
    kind: Kind,
    plan: Arc<Plan>,
    seen: Vec<Seen>,
    places: Vec<Place>,
    /// The first values of the groups' rows; which of both is used depends on their type.
    longs: Vec<i64>,
    reals: Vec<f64>,
    /// Arrays of all arguments.
    chunks: Vec<Vec<ArrayRef>>,
    /// All rows of all chunks, and their size in bytes.
    rows: usize,
    bytes: usize,
}

/// The first argument as it is compared.
enum Keys<'a> {
    Ints(&'a arrow::array::Int32Array),
    Longs(&'a arrow::array::Int64Array),
    Reals(&'a arrow::array::Float64Array),
    None,
}

impl RowGroups {
    pub fn new(kind: Kind, plan: Arc<Plan>) -> RowGroups {
        let nulls = plan.inner.iter().map(|ty| {
            let mut builder = Builder::new(*ty, 1);
            builder.push(&Value::Null);
            builder.finish()
        });
        let chunks = vec![nulls.collect()];
        RowGroups {
            kind,
            plan,
            seen: Vec::new(),
            places: Vec::new(),
            longs: Vec::new(),
            reals: Vec::new(),
            chunks,
            rows: 0,
            bytes: 0,
        }
    }

    fn keys<'a>(&self, first: &'a ArrayRef) -> Keys<'a> {
        match (self.kind, self.plan.inner.first()) {
            (Kind::First, _) | (_, None) => Keys::None,
            (_, Some(Type::Int)) => Keys::Ints(first.as_primitive::<Int32Type>()),
            (_, Some(Type::Real)) => Keys::Reals(first.as_primitive::<Float64Type>()),
            _ => Keys::Longs(first.as_primitive::<Int64Type>()),
        }
    }

    /// Whether a row takes the place of the one that its group has; it is its key from then on.
    fn wins(&mut self, keys: &Keys<'_>, first: &ArrayRef, row: usize, group: usize) -> bool {
        let is_null = first.is_null(row);
        let seen = self.seen[group];
        let Kind::Extreme(wanted) = self.kind else {
            // of several arguments the first row is as good as any
            let is_null = is_null && self.plan.inner.len() == 1;
            let wins = seen == Seen::Nothing || (seen == Seen::Null && !is_null);
            if wins {
                self.seen[group] = if is_null { Seen::Null } else { Seen::Value };
            }
            return wins;
        };
        if is_null {
            if seen == Seen::Nothing {
                self.seen[group] = Seen::Null;
            }
            return seen == Seen::Nothing;
        }
        let has = seen == Seen::Value;
        let wins = match keys {
            Keys::Reals(array) => {
                let wins = !has || array.value(row).partial_cmp(&self.reals[group]) == Some(wanted);
                if wins {
                    self.reals[group] = array.value(row);
                }
                wins
            }
            Keys::Ints(array) => self.long_wins(has, i64::from(array.value(row)), group, wanted),
            Keys::Longs(array) => self.long_wins(has, array.value(row), group, wanted),
            Keys::None => !has,
        };
        if wins {
            self.seen[group] = Seen::Value;
        }
        wins
    }

    fn long_wins(&mut self, has: bool, key: i64, group: usize, wanted: Ordering) -> bool {
        let wins = !has || key.cmp(&self.longs[group]) == wanted;
        if wins {
            self.longs[group] = key;
        }
        wins
    }

    fn grow(&mut self, total: usize) {
        let total = total.max(self.places.len());
        self.seen.resize(total, Seen::Nothing);
        self.places.resize(total, NOWHERE);
        self.longs.resize(total, 0);
        self.reals.resize(total, 0.0);
    }

    /// Looks at rows and keeps those that win.
    fn offer(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        may: impl Fn(usize) -> bool,
        total: usize,
    ) -> Result<()> {
        self.grow(total);
        let Some(first) = columns.first() else { return exec_err!("{} has no argument", self.plan.aggregate_name()) };
        let keys = self.keys(first);
        let chunk = u32::try_from(self.chunks.len()).unwrap_or(u32::MAX);
        let mut chosen: Vec<u32> = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            if !may(row) || !self.wins(&keys, first, row, *group) {
                continue;
            }
            let row = row as u32;
            match &mut self.places[*group] {
                (at, place) if *at == chunk => chosen[*place as usize] = row,
                place => {
                    *place = (chunk, chosen.len() as u32);
                    chosen.push(row);
                }
            }
        }
        if !chosen.is_empty() {
            self.keep(columns, chosen)?;
        }
        if self.rows > 2 * self.places.len() + SPARE_ROWS {
            self.gather()?;
        }
        Ok(())
    }

    /// Copies rows to a chunk of their own: what they came with may go.
    fn keep(&mut self, columns: &[ArrayRef], chosen: Vec<u32>) -> Result<()> {
        let rows = chosen.len();
        let chosen = UInt32Array::from(chosen);
        let mut chunk = Vec::with_capacity(columns.len());
        for (column, ty) in columns.iter().zip(&self.plan.inner) {
            chunk.push(owned(take(column.as_ref(), &chosen, None)?, *ty));
        }
        self.add(chunk, rows);
        Ok(())
    }

    fn add(&mut self, chunk: Vec<ArrayRef>, rows: usize) {
        self.bytes += chunk.iter().map(|array| array.get_array_memory_size()).sum::<usize>();
        self.rows += rows;
        self.chunks.push(chunk);
    }

    /// The values of these places, by argument.
    fn at(&self, places: &[Place]) -> Result<Vec<ArrayRef>> {
        let places: Vec<(usize, usize)> = places.iter().map(|(chunk, row)| (*chunk as usize, *row as usize)).collect();
        (0..self.plan.inner.len())
            .map(|column| {
                let arrays: Vec<&dyn Array> = self.chunks.iter().map(|chunk| chunk[column].as_ref()).collect();
                Ok(interleave(&arrays, &places)?)
            })
            .collect()
    }

    /// Drops the rows that no group has any more.
    fn gather(&mut self) -> Result<()> {
        let live: Vec<usize> = (0..self.places.len()).filter(|group| self.places[*group] != NOWHERE).collect();
        let places: Vec<Place> = live.iter().map(|group| self.places[*group]).collect();
        let chunk = self.at(&places)?.into_iter().zip(&self.plan.inner).map(|(array, ty)| owned(array, *ty)).collect();
        self.chunks.truncate(1);
        (self.rows, self.bytes) = (0, 0);
        self.add(chunk, live.len());
        for (row, group) in live.into_iter().enumerate() {
            self.places[group] = (1, row as u32);
        }
        Ok(())
    }

    /// Takes the first groups, or all; what is left keeps its rows.
    fn emit(&mut self, emit_to: EmitTo) -> Result<(Vec<Seen>, Vec<ArrayRef>)> {
        let seen = emit_to.take_needed(&mut self.seen);
        let places = emit_to.take_needed(&mut self.places);
        drop((emit_to.take_needed(&mut self.longs), emit_to.take_needed(&mut self.reals)));
        let values = self.at(&places)?;
        if self.places.is_empty() {
            self.chunks.truncate(1);
            (self.rows, self.bytes) = (0, 0);
        }
        Ok((seen, values))
    }
}

/// An array that holds nothing of the one that it was taken from; a text is never null.
fn owned(array: ArrayRef, ty: Type) -> ArrayRef {
    let Some(texts) = array.as_any().downcast_ref::<StringViewArray>() else { return array };
    if ty == Type::String && texts.null_count() > 0 {
        return Arc::new(StringViewArray::from_iter_values(texts.iter().map(Option::unwrap_or_default)));
    }
    Arc::new(texts.gc())
}

impl GroupsAccumulator for RowGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let mut values = self.plan.coerce(values)?;
        let filter = self.plan.filter(&values, filter)?;
        if let Some(condition) = self.plan.condition {
            values.remove(condition);
        }
        self.offer(&values, groups, |row| passes(filter.as_ref(), row), total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (_, values) = self.emit(emit_to)?;
        match &self.plan.output {
            Output::One(_) => match values.into_iter().next() {
                Some(array) => Ok(array),
                None => exec_err!("{} has no output", self.plan.aggregate_name()),
            },
            Output::Many(_) => match self.plan.data_type() {
                DataType::Struct(fields) => Ok(Arc::new(StructArray::try_new(fields, values, None)?)),
                other => exec_err!("{} gives {other}", self.plan.aggregate_name()),
            },
        }
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (seen, values) = self.emit(emit_to)?;
        let has: BooleanArray = seen.iter().map(|seen| Some(*seen != Seen::Nothing)).collect();
        Ok(std::iter::once(Arc::new(has) as ArrayRef).chain(values).collect())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.grow(total);
        let Some((has, values)) = values.split_first() else {
            return exec_err!("the partial state of {} is empty", self.plan.aggregate_name());
        };
        let has = has.as_boolean();
        self.offer(values, groups, |row| has.is_valid(row) && has.value(row), total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut values = self.plan.coerce(values)?;
        let rows = values.first().map_or(0, |array| array.len());
        let filter = self.plan.filter(&values, filter)?;
        if let Some(condition) = self.plan.condition {
            values.remove(condition);
        }
        let has: BooleanArray = (0..rows).map(|row| Some(passes(filter.as_ref(), row))).collect();
        Ok(std::iter::once(Arc::new(has) as ArrayRef).chain(values).collect())
    }

    fn size(&self) -> usize {
        let group = size_of::<Seen>() + size_of::<Place>() + size_of::<i64>() + size_of::<f64>();
        self.bytes + self.places.capacity() * group
    }
}

/// The partial state: whether the group has a row, and its values.
pub fn state_fields(inner: &[Type]) -> Vec<(String, DataType)> {
    let values = inner.iter().enumerate();
    let values = values.map(|(place, ty)| (place.to_string(), crate::functions::frame::value::arrow_type(*ty)));
    std::iter::once(("has".to_owned(), DataType::Boolean)).chain(values).collect()
}
