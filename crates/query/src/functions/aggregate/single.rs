//! Aggregates whose state is a row or a number: count, sum, extremes, `arg_max`, `take_any`, `binary_all_*`.

use std::cmp::Ordering;

use watchkeeper_kql::Type;

use super::fast::Kind;
use super::state::{Reader, State, heap_size, put_i64, put_u64, put_value};
use super::{Aggregate, Output};
use crate::functions::frame::value::Value;
use crate::functions::operators::arithmetic::add;
use crate::functions::operators::compare::compare;

pub const AGGREGATES: &[Aggregate] = &[
    Aggregate {
        name: "count",
        least: 0,
        most: 1,
        output: |_| Some(Output::One(Type::Long)),
        state: |_| Box::new(Count(0)),
        fast: Some(Kind::Count),
    },
    Aggregate {
        name: "sum",
        least: 1,
        most: 1,
        output: sum_type,
        state: |types| Box::new(Sum::new(types)),
        fast: Some(Kind::Sum),
    },
    Aggregate {
        name: "avg",
        least: 1,
        most: 1,
        output: average_type,
        state: |types| Box::new(Average { sum: Sum::new(types), count: 0 }),
        fast: Some(Kind::Average),
    },
    Aggregate {
        name: "min",
        least: 1,
        most: 1,
        output: same,
        state: |_| Box::new(Best::new(Ordering::Less)),
        fast: Some(Kind::Min),
    },
    Aggregate {
        name: "max",
        least: 1,
        most: 1,
        output: same,
        state: |_| Box::new(Best::new(Ordering::Greater)),
        fast: Some(Kind::Max),
    },
    Aggregate {
        name: "arg_max",
        least: 1,
        most: usize::MAX,
        output: all,
        state: |_| Box::new(Best::new(Ordering::Greater)),
        fast: None,
    },
    Aggregate {
        name: "arg_min",
        least: 1,
        most: usize::MAX,
        output: all,
        state: |_| Box::new(Best::new(Ordering::Less)),
        fast: None,
    },
    Aggregate {
        name: "take_any",
        least: 1,
        most: usize::MAX,
        output: one_or_all,
        state: |_| Box::new(Any { row: Vec::new() }),
        fast: None,
    },
    Aggregate {
        name: "binary_all_and",
        least: 1,
        most: 1,
        output: long,
        state: |_| Box::new(Bits { op: |a, b| a & b, value: None }),
        fast: None,
    },
    Aggregate {
        name: "binary_all_or",
        least: 1,
        most: 1,
        output: long,
        state: |_| Box::new(Bits { op: |a, b| a | b, value: None }),
        fast: None,
    },
    Aggregate {
        name: "binary_all_xor",
        least: 1,
        most: 1,
        output: long,
        state: |_| Box::new(Bits { op: |a, b| a ^ b, value: None }),
        fast: None,
    },
];

fn long(_: &[Type]) -> Option<Output> {
    Some(Output::One(Type::Long))
}

fn same(types: &[Type]) -> Option<Output> {
    types.first().copied().map(Output::One)
}

fn all(types: &[Type]) -> Option<Output> {
    Some(Output::Many(types.to_vec()))
}

fn one_or_all(types: &[Type]) -> Option<Output> {
    if types.len() == 1 { same(types) } else { all(types) }
}

fn sum_type(types: &[Type]) -> Option<Output> {
    match types[0] {
        Type::Int | Type::Long | Type::Bool => Some(Output::One(Type::Long)),
        Type::Real | Type::Dynamic => Some(Output::One(Type::Real)),
        ty @ (Type::Decimal | Type::Timespan) => Some(Output::One(ty)),
        _ => None,
    }
}

fn average_type(types: &[Type]) -> Option<Output> {
    match types[0] {
        Type::Int | Type::Long | Type::Real | Type::Dynamic | Type::Bool => Some(Output::One(Type::Real)),
        ty @ (Type::Decimal | Type::Timespan | Type::Datetime) => Some(Output::One(ty)),
        _ => None,
    }
}

#[derive(Debug)]
struct Count(i64);

impl State for Count {
    fn update(&mut self, row: &[Value<'_>]) {
        self.0 += i64::from(row.first().is_none_or(|value| !value.is_null()));
    }

    fn save(&self, out: &mut Vec<u8>) {
        put_i64(out, self.0);
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        self.0 += saved.i64()?;
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![Value::Long(self.0)]
    }

    fn size(&self) -> usize {
        0
    }
}

/// The sum of what has no accumulator of its own: decimals, dynamics, booleans.
#[derive(Debug)]
struct Sum {
    ty: Type,
    total: Value<'static>,
}

impl Sum {
    fn new(types: &[Type]) -> Sum {
        match types.first() {
            Some(Type::Decimal) => Sum { ty: Type::Decimal, total: Value::Decimal(0) },
            Some(Type::Real | Type::Dynamic) => Sum { ty: Type::Real, total: Value::Real(0.0) },
            _ => Sum { ty: Type::Long, total: Value::Long(0) },
        }
    }

    fn plus(&mut self, value: &Value<'_>) {
        let total = add(&self.total, value, self.ty);
        if !total.is_null() {
            self.total = total;
        }
    }
}

impl State for Sum {
    fn update(&mut self, row: &[Value<'_>]) {
        self.plus(&row[0]);
    }

    fn save(&self, out: &mut Vec<u8>) {
        put_value(out, &self.total);
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        let other = saved.value()?;
        self.plus(&other);
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![self.total.clone()]
    }

    fn size(&self) -> usize {
        0
    }
}

#[derive(Debug)]
struct Average {
    sum: Sum,
    count: i64,
}

impl State for Average {
    fn update(&mut self, row: &[Value<'_>]) {
        if row[0].as_f64().is_some() {
            self.sum.plus(&row[0]);
            self.count += 1;
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        self.sum.save(out);
        put_i64(out, self.count);
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        self.sum.merge(saved)?;
        self.count += saved.i64()?;
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![match (&self.sum.total, self.count) {
            (Value::Decimal(_), 0) => Value::Null,
            (Value::Decimal(total), count) => Value::Decimal(total / i128::from(count)),
            (total, count) => Value::from_option(total.as_f64(), |total| Value::Real(total / count as f64)),
        }]
    }

    fn size(&self) -> usize {
        0
    }
}

/// The row with the least or greatest first cell; nulls lose against every value, the first of equals wins.
#[derive(Debug)]
struct Best {
    wanted: Ordering,
    row: Vec<Value<'static>>,
}

impl Best {
    fn new(wanted: Ordering) -> Best {
        Best { wanted, row: Vec::new() }
    }

    fn loses_to(&self, key: &Value<'_>) -> bool {
        match self.row.first() {
            None => true,
            Some(best) if best.is_null() => !key.is_null(),
            Some(best) => compare(key, best) == Some(self.wanted),
        }
    }
}

fn save_row(row: &[Value<'static>], out: &mut Vec<u8>) {
    put_u64(out, row.len() as u64);
    for value in row {
        put_value(out, value);
    }
}

fn read_row(saved: &mut Reader<'_>) -> Option<Vec<Value<'static>>> {
    let count = saved.u64()?;
    (0..count).map(|_| saved.value()).collect()
}

impl State for Best {
    fn update(&mut self, row: &[Value<'_>]) {
        if self.loses_to(&row[0]) {
            self.row = row.iter().map(|value| value.clone().into_owned()).collect();
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        save_row(&self.row, out);
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        let row = read_row(saved)?;
        if let Some(key) = row.first()
            && self.loses_to(key)
        {
            self.row = row;
        }
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        finish_row(&self.row)
    }

    fn size(&self) -> usize {
        self.row.iter().map(|value| heap_size(value) + 32).sum()
    }
}

/// Nulls where no row came: one is enough for an aggregate of one output, more are not read.
fn finish_row(row: &[Value<'static>]) -> Vec<Value<'static>> {
    if row.is_empty() { vec![Value::Null; 256] } else { row.to_vec() }
}

/// Some row: the first, or with one argument the first that is not null.
#[derive(Debug)]
struct Any {
    row: Vec<Value<'static>>,
}

impl Any {
    fn wants(&self, row: &[Value<'_>]) -> bool {
        match self.row.as_slice() {
            [] => !row.is_empty(),
            [only] => only.is_null() && row.first().is_some_and(|value| !value.is_null()),
            _ => false,
        }
    }
}

impl State for Any {
    fn update(&mut self, row: &[Value<'_>]) {
        if self.wants(row) {
            self.row = row.iter().map(|value| value.clone().into_owned()).collect();
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        save_row(&self.row, out);
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        let row = read_row(saved)?;
        if self.wants(&row) {
            self.row = row;
        }
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        finish_row(&self.row)
    }

    fn size(&self) -> usize {
        self.row.iter().map(|value| heap_size(value) + 32).sum()
    }
}

#[derive(Debug)]
struct Bits {
    op: fn(i64, i64) -> i64,
    value: Option<i64>,
}

impl State for Bits {
    fn update(&mut self, row: &[Value<'_>]) {
        if let Some(value) = row[0].as_i64() {
            self.value = Some(self.value.map_or(value, |current| (self.op)(current, value)));
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        put_value(out, &Value::from_option(self.value, Value::Long));
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        let other = saved.value()?;
        self.update(&[other]);
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![Value::from_option(self.value, Value::Long)]
    }

    fn size(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{longs, run};
    use super::*;
    use crate::functions::testing::string;
    use datafusion::common::ScalarValue;

    fn fields(value: &ScalarValue) -> Vec<String> {
        let ScalarValue::Struct(array) = value else { panic!("not a struct: {value:?}") };
        array.columns().iter().map(|column| ScalarValue::try_from_array(column, 0).unwrap().to_string()).collect()
    }

    #[test]
    fn the_row_of_the_extreme_is_kept_whole_and_nulls_lose() {
        let types = [Type::Int, Type::String];
        let rows = vec![
            vec![Value::Null, string("n")],
            vec![Value::Int(1), string("red")],
            vec![Value::Int(1), string("later")],
            vec![Value::Int(0), string("x")],
        ];
        assert_eq!(fields(&run("arg_max", &types, &rows)), ["1", "red"]);
        assert_eq!(fields(&run("arg_min", &types, &rows)), ["0", "x"]);
        let nulls = vec![vec![Value::Null, string("first")], vec![Value::Null, string("second")]];
        assert_eq!(fields(&run("argmin", &types, &nulls)), ["NULL", "first"]);
    }

    #[test]
    fn bits_are_combined_over_all_rows() {
        let rows = longs(&[0x4440_4440, 0x1E1E_1E1E, 0x90AB_BA09, 0x000B_105A]);
        assert_eq!(run("binary_all_xor", &[Type::Long], &rows), ScalarValue::Int64(Some(0xCAFE_F00D)));
    }

    #[test]
    fn any_prefers_a_value_to_null() {
        assert_eq!(
            run("take_any", &[Type::Long], &[vec![Value::Null], vec![Value::Long(4)]]),
            ScalarValue::Int64(Some(4))
        );
    }

    #[test]
    fn texts_have_extremes_too() {
        let rows = vec![vec![string("b")], vec![string("c")], vec![string("a")]];
        assert_eq!(run("max", &[Type::String], &rows), ScalarValue::Utf8View(Some("c".to_owned())));
    }
}
