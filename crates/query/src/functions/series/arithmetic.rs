//! Element-wise functions of one and of two series. A number beside a series counts as a series of that number.

use serde_json::Value as Tree;
use watchkeeper_kql::Type;

use super::numbers::{Item, item_tree, items};
use crate::functions::frame::{Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

macro_rules! of_one {
    ($name:literal, $compute:expr) => {
        Function::row($name, 1, 1, DYNAMIC, |_, args| {
            let compute: fn(f64) -> f64 = $compute;
            one(&args[0], |item| match item.as_f64() {
                Some(number) => Item::Real(compute(number)),
                None => Item::Missing,
            })
        })
    };
}

macro_rules! of_two {
    ($name:literal, $longs:expr, $reals:expr) => {
        Function::row($name, 2, 2, DYNAMIC, |_, args| {
            let longs: fn(i64, i64) -> Option<i64> = $longs;
            let reals: fn(f64, f64) -> f64 = $reals;
            two(args, |left, right| item_tree(combine(left, right, longs, reals)))
        })
    };
}

macro_rules! comparison {
    ($name:literal, $compare:expr) => {
        Function::row($name, 2, 2, DYNAMIC, |_, args| {
            let compare: fn(&f64, &f64) -> bool = $compare;
            two(args, |left, right| match (left.as_f64(), right.as_f64()) {
                (Some(left), Some(right)) => Tree::Bool(compare(&left, &right)),
                _ => Tree::Null,
            })
        })
    };
}

pub const FUNCTIONS: &[Function] = &[
    of_one!("series_exp", f64::exp),
    of_one!("series_log", f64::ln),
    of_one!("series_sin", f64::sin),
    of_one!("series_cos", f64::cos),
    of_one!("series_tan", f64::tan),
    of_one!("series_asin", f64::asin),
    of_one!("series_acos", f64::acos),
    of_one!("series_atan", f64::atan),
    of_one!("series_floor", f64::floor),
    of_one!("series_ceiling", f64::ceil),
    Function::row("series_abs", 1, 1, DYNAMIC, |_, args| {
        one(&args[0], |item| match item {
            Item::Long(long) => long.checked_abs().map_or(Item::Real((long as f64).abs()), Item::Long),
            Item::Real(real) => Item::Real(real.abs()),
            Item::Missing => Item::Missing,
        })
    }),
    Function::row("series_sign", 1, 1, DYNAMIC, |_, args| {
        one(&args[0], |item| match item {
            Item::Long(long) => Item::Long(long.signum()),
            Item::Real(0.0) => Item::Long(0),
            Item::Real(real) if real.is_nan() => Item::Missing,
            Item::Real(real) => Item::Long(if real > 0.0 { 1 } else { -1 }),
            Item::Missing => Item::Missing,
        })
    }),
    of_two!("series_add", i64::checked_add, |left, right| left + right),
    of_two!("series_subtract", i64::checked_sub, |left, right| left - right),
    of_two!("series_multiply", i64::checked_mul, |left, right| left * right),
    of_two!("series_divide", |_, _| None, |left, right| left / right),
    of_two!("series_pow", |_, _| None, f64::powf),
    comparison!("series_greater", f64::gt),
    comparison!("series_greater_equals", f64::ge),
    comparison!("series_less", f64::lt),
    comparison!("series_less_equals", f64::le),
    comparison!("series_equals", f64::eq),
    comparison!("series_not_equals", f64::ne),
];

fn combine(left: Item, right: Item, longs: fn(i64, i64) -> Option<i64>, reals: fn(f64, f64) -> f64) -> Item {
    if let (Item::Long(left), Item::Long(right)) = (left, right)
        && let Some(long) = longs(left, right)
    {
        return Item::Long(long);
    }
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => Item::Real(reals(left, right)),
        _ => Item::Missing,
    }
}

fn one<'a>(series: &Value<'_>, compute: impl Fn(Item) -> Item) -> Value<'a> {
    Value::from_option(items(series), |items| {
        let trees = items.into_iter().map(|item| item_tree(compute(item)));
        Value::json(&Tree::Array(trees.collect()))
    })
}

/// Either a series or the same number everywhere.
pub enum Operand {
    Series(Vec<Item>),
    Number(Item),
}

impl Operand {
    pub fn of(value: &Value<'_>) -> Option<Operand> {
        if let Some(items) = items(value) {
            return Some(Operand::Series(items));
        }
        let number = match value {
            Value::Int(int) => Item::Long(i64::from(*int)),
            Value::Long(long) => Item::Long(*long),
            Value::Dynamic(text) => match text.parse::<i64>() {
                Ok(long) => Item::Long(long),
                Err(_) => Item::Real(value.as_f64()?),
            },
            other => Item::Real(other.as_f64()?),
        };
        Some(Operand::Number(number))
    }

    fn length(&self) -> Option<usize> {
        match self {
            Operand::Series(items) => Some(items.len()),
            Operand::Number(_) => None,
        }
    }

    pub fn at(&self, place: usize) -> Item {
        match self {
            Operand::Series(items) => items.get(place).copied().unwrap_or(Item::Missing),
            Operand::Number(item) => *item,
        }
    }
}

/// Both operands with the length of their result, which is that of the longer series; none where neither is a series.
pub fn operands(args: &[Value<'_>]) -> Option<(Operand, Operand, usize)> {
    let (left, right) = (Operand::of(&args[0])?, Operand::of(&args[1])?);
    let length = left.length().max(right.length())?;
    Some((left, right, length))
}

fn two<'a>(args: &[Value<'_>], compute: impl Fn(Item, Item) -> Tree) -> Value<'a> {
    Value::from_option(operands(args), |(left, right, length)| {
        let trees = (0..length).map(|place| compute(left.at(place), right.at(place)));
        Value::json(&Tree::Array(trees.collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic};

    #[test]
    fn series_are_computed_item_by_item() {
        for (name, left, right, want) in [
            ("series_subtract", dynamic("[1,2,4]"), dynamic("[4,2,1]"), "[-3,0,3]"),
            ("series_multiply", dynamic("[1,2.5]"), Value::Long(2), "[2,5.0]"),
            ("series_divide", dynamic("[1,2,3]"), dynamic("[4,0]"), "[0.25,null,null]"),
            ("series_pow", dynamic("[1,2,3,4]"), dynamic("[1,2,3,0.5]"), "[1.0,4.0,27.0,2.0]"),
            ("series_add", Value::Real(0.5), dynamic("[1,null]"), "[1.5,null]"),
            ("series_greater_equals", dynamic("[1,2,4]"), dynamic("[4,2,1]"), "[false,true,true]"),
            ("series_not_equals", dynamic("[1,2,4]"), dynamic("[4,2,1]"), "[true,false,true]"),
            ("series_less", dynamic("[1,2]"), dynamic("[2]"), "[true,null]"),
        ] {
            check(name, &[(vec![left, right], dynamic(want))]);
        }
        check("series_add", &[(vec![Value::Long(1), Value::Long(2)], Value::Null)]);
    }

    #[test]
    fn one_series_keeps_its_length() {
        for (name, series, want) in [
            ("series_sign", "[-6,0,8.5]", "[-1,0,1]"),
            ("series_abs", "[-6,0.5,null]", "[6,0.5,null]"),
            ("series_floor", "[-1.5,1,2.5]", "[-2.0,1.0,2.0]"),
            ("series_ceiling", "[-1.5,1,2.5]", "[-1.0,1.0,3.0]"),
            ("series_log", "[1,-1]", "[0.0,null]"),
            ("series_exp", "[0]", "[1.0]"),
        ] {
            check(name, &[(vec![dynamic(series)], dynamic(want))]);
        }
    }
}
