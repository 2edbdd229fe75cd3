//! Series as arrays of numbers: read once from JSON, written once.

use serde_json::Value as Tree;

use crate::functions::frame::{Value, json};

/// An item of a series; null and what is not a number are missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Item {
    Missing,
    Long(i64),
    Real(f64),
}

impl Item {
    pub fn of(tree: &Tree) -> Item {
        match tree {
            Tree::Number(number) => match number.as_i64() {
                Some(long) => Item::Long(long),
                None => number.as_f64().map_or(Item::Missing, Item::Real),
            },
            Tree::String(text) => match text.as_str() {
                "NaN" => Item::Real(f64::NAN),
                "Infinity" => Item::Real(f64::INFINITY),
                "-Infinity" => Item::Real(f64::NEG_INFINITY),
                _ => Item::Missing,
            },
            _ => Item::Missing,
        }
    }

    pub fn as_f64(self) -> Option<f64> {
        match self {
            Item::Missing => None,
            Item::Long(long) => Some(long as f64),
            Item::Real(real) => Some(real),
        }
    }
}

/// The items of a dynamic array; none for anything else.
pub fn items(value: &Value<'_>) -> Option<Vec<Item>> {
    json::array_of(value).map(|trees| trees.iter().map(Item::of).collect())
}

/// The numbers of a series; missing items are NaN. None where it is no array.
pub fn reals(value: &Value<'_>) -> Option<Vec<f64>> {
    items(value).map(|items| items.into_iter().map(|item| item.as_f64().unwrap_or(f64::NAN)).collect())
}

/// A number as JSON; NaN and the infinities as null.
pub fn real_tree(real: f64) -> Tree {
    serde_json::Number::from_f64(real).map_or(Tree::Null, Tree::Number)
}

pub fn item_tree(item: Item) -> Tree {
    match item {
        Item::Missing => Tree::Null,
        Item::Long(long) => Tree::from(long),
        Item::Real(real) => real_tree(real),
    }
}

pub fn reals_tree(reals: &[f64]) -> Tree {
    Tree::Array(reals.iter().copied().map(real_tree).collect())
}

pub fn series<'a>(reals: &[f64]) -> Value<'a> {
    Value::json(&reals_tree(reals))
}

/// A bag with the results of a function that gives several columns.
pub fn bag<'a>(entries: impl IntoIterator<Item = (&'static str, Tree)>) -> Value<'a> {
    let map = entries.into_iter().map(|(name, tree)| (name.to_owned(), tree)).collect();
    Value::json(&Tree::Object(map))
}

/// Mean of the numbers; zero for none.
pub fn mean(numbers: &[f64]) -> f64 {
    if numbers.is_empty() {
        return 0.0;
    }
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The value below which `share` (0 to 1) of the sorted numbers lie, between neighbours by line.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share.clamp(0.0, 1.0) * last as f64;
    let below = (at.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile(&sorted, 0.5)
}
