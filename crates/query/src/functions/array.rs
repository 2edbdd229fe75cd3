//! Functions of dynamic arrays. What is not an array gives null.

use std::cmp::Ordering;

use serde_json::Value as Tree;
use watchkeeper_kql::{Ticks, Type};

use super::frame::{Call, Function, Returns, Value, json};
use super::operators::arithmetic::add;
use super::operators::compare::compare;

/// Items that `range` makes at most.
const RANGE_MOST: usize = 1_048_576;

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls("pack_array", 1, usize::MAX, DYNAMIC, |_, args| {
        let mut out = String::from("[");
        for (place, value) in args.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            json::write(&mut out, value);
        }
        out.push(']');
        Value::Dynamic(out.into())
    }),
    Function::row("array_length", 1, 1, Returns::Always(Type::Long), |_, args| {
        Value::from_option(json::array_length(args[0].text()), |length| Value::Long(length as i64))
    }),
    Function::row_with_nulls("array_concat", 1, usize::MAX, DYNAMIC, |_, args| {
        list(args.iter().filter_map(json::array_of).flatten().collect())
    }),
    Function::row("array_reverse", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(json::array_of(&args[0]), |mut items| {
            items.reverse();
            list(items)
        })
    }),
    Function::row("array_slice", 3, 3, DYNAMIC, |_, args| Value::from_option(slice(args), list)),
    Function::row("array_sum", 1, 1, Returns::Always(Type::Real), |_, args| {
        Value::from_option(json::array_of(&args[0]), |items| Value::Real(items.iter().filter_map(Tree::as_f64).sum()))
    }),
    Function::row("array_index_of", 2, 5, Returns::Always(Type::Long), |_, args| {
        Value::from_option(json::array_of(&args[0]), |items| {
            let start = args.get(2).and_then(Value::as_i64).unwrap_or(0);
            let start = if start < 0 { items.len() as i64 + start } else { start }.max(0) as usize;
            let same = |item: &Tree| compare(&Value::json(item), &args[1]) == Some(Ordering::Equal);
            let found = items.iter().enumerate().skip(start).find(|(_, item)| same(item));
            Value::Long(found.map_or(-1, |(place, _)| place as i64))
        })
    }),
    Function::row("array_rotate_left", 2, 2, DYNAMIC, |_, args| rotate(args, 1)),
    Function::row("array_rotate_right", 2, 2, DYNAMIC, |_, args| rotate(args, -1)),
    Function::row_with_nulls("array_shift_left", 2, 3, DYNAMIC, |_, args| shift(args, 1)),
    Function::row_with_nulls("array_shift_right", 2, 3, DYNAMIC, |_, args| shift(args, -1)),
    Function::row_with_nulls("array_sort_asc", 1, 64, DYNAMIC, |_, args| sort(args, false)),
    Function::row_with_nulls("array_sort_desc", 1, 64, DYNAMIC, |_, args| sort(args, true)),
    Function::row("array_split", 2, 2, DYNAMIC, |_, args| Value::from_option(split(args), list)),
    Function::row_with_nulls("array_iff", 3, 3, DYNAMIC, array_iff),
    Function::row("range", 2, 3, DYNAMIC, range),
    Function::row("repeat", 2, 2, DYNAMIC, |_, args| {
        let count = args[1].as_i64().unwrap_or(0).clamp(0, 1_048_576) as usize;
        list(vec![json::tree_of(&args[0]); count])
    }),
    Function::row_with_nulls("zip", 2, 16, DYNAMIC, |_, args| {
        let arrays: Vec<Vec<Tree>> = args.iter().map(|arg| json::array_of(arg).unwrap_or_default()).collect();
        let length = arrays.iter().map(Vec::len).max().unwrap_or(0);
        let row = |place: usize| {
            Tree::Array(arrays.iter().map(|items| items.get(place).cloned().unwrap_or(Tree::Null)).collect())
        };
        list((0..length).map(row).collect())
    }),
    Function::row("set_union", 1, usize::MAX, DYNAMIC, |_, args| {
        list(distinct(args.iter().filter_map(json::array_of).flatten().collect()))
    }),
    Function::row("set_intersect", 1, usize::MAX, DYNAMIC, |_, args| sets(args, true)),
    Function::row("set_difference", 1, usize::MAX, DYNAMIC, |_, args| sets(args, false)),
    Function::row("set_has_element", 2, 2, Returns::Always(Type::Bool), |_, args| {
        Value::from_option(json::array_of(&args[0]), |items| {
            Value::Bool(items.iter().any(|item| compare(&Value::json(item), &args[1]) == Some(Ordering::Equal)))
        })
    }),
    Function::row("set_equals", 2, 2, Returns::Always(Type::Bool), |_, args| {
        let (Some(left), Some(right)) = (json::array_of(&args[0]), json::array_of(&args[1])) else {
            return Value::Null;
        };
        let (left, right) = (distinct(left), distinct(right));
        Value::Bool(left.len() == right.len() && left.iter().all(|item| right.contains(item)))
    }),
    Function::row("jaccard_index", 2, 2, Returns::Always(Type::Real), |_, args| {
        let (Some(left), Some(right)) = (json::array_of(&args[0]), json::array_of(&args[1])) else {
            return Value::Null;
        };
        let (left, right) = (distinct(left), distinct(right));
        let both = left.iter().filter(|item| right.contains(item)).count();
        Value::Real(both as f64 / (left.len() + right.len() - both) as f64)
    }),
];

fn list<'a>(items: Vec<Tree>) -> Value<'a> {
    Value::json(&Tree::Array(items))
}

fn distinct(items: Vec<Tree>) -> Vec<Tree> {
    let mut seen = std::collections::HashSet::new();
    items.into_iter().filter(|item| seen.insert(item.to_string())).collect()
}

fn sets<'a>(args: &[Value<'a>], common: bool) -> Value<'a> {
    let Some(first) = json::array_of(&args[0]) else {
        return Value::Null;
    };
    let others: Vec<std::collections::HashSet<String>> = args[1..]
        .iter()
        .map(|arg| json::array_of(arg).unwrap_or_default().iter().map(Tree::to_string).collect())
        .collect();
    let keep = |item: &Tree| {
        let text = item.to_string();
        if common {
            others.iter().all(|other| other.contains(&text))
        } else {
            !others.iter().any(|other| other.contains(&text))
        }
    };
    list(distinct(first).into_iter().filter(keep).collect())
}

/// Both ends included; negative places count from the end.
fn slice(args: &[Value<'_>]) -> Option<Vec<Tree>> {
    let items = json::array_of(&args[0])?;
    let length = items.len() as i64;
    let place = |value: &Value<'_>| value.as_i64().map(|place| if place < 0 { length + place } else { place });
    let (start, end) = (place(&args[1])?.max(0), place(&args[2])?.min(length - 1));
    if start > end {
        return Some(Vec::new());
    }
    Some(items[start as usize..=end as usize].to_vec())
}

fn rotate<'a>(args: &[Value<'a>], direction: i64) -> Value<'a> {
    let (Some(mut items), Some(count)) = (json::array_of(&args[0]), args[1].as_i64()) else {
        return Value::Null;
    };
    if !items.is_empty() {
        let by = (count.wrapping_mul(direction)).rem_euclid(items.len() as i64);
        items.rotate_left(by as usize);
    }
    list(items)
}

fn shift<'a>(args: &[Value<'a>], direction: i64) -> Value<'a> {
    let (Some(items), Some(count)) = (json::array_of(&args[0]), args[1].as_i64()) else {
        return Value::Null;
    };
    let fill = match args.get(2) {
        Some(fill) => json::tree_of(fill),
        None if items.first().is_some_and(Tree::is_string) => Tree::String(String::new()),
        None => Tree::Null,
    };
    let by = count.saturating_mul(direction);
    let from = |place: i64| usize::try_from(place.saturating_add(by)).ok().and_then(|place| items.get(place)).cloned();
    list((0..items.len() as i64).map(|place| from(place).unwrap_or_else(|| fill.clone())).collect())
}

/// Cuts before each of the places, which count from the end where they are negative.
fn split(args: &[Value<'_>]) -> Option<Vec<Tree>> {
    let items = json::array_of(&args[0])?;
    let length = items.len() as i64;
    let places: Vec<i64> = match json::array_of(&args[1]) {
        Some(places) => places.iter().filter_map(Tree::as_i64).collect(),
        None => vec![args[1].as_i64()?],
    };
    let mut cuts: Vec<usize> = places
        .iter()
        .map(|place| if *place < 0 { length + place } else { *place })
        .map(|place| place.clamp(0, length) as usize)
        .collect();
    cuts.sort_unstable();
    cuts.push(items.len());
    let mut from = 0;
    let parts = cuts.iter().map(|cut| {
        let part = items[from..*cut].to_vec();
        from = *cut;
        Tree::Array(part)
    });
    Some(parts.collect())
}

/// Nulls stand last, or first with `false` as the last argument. Further arrays follow the order of the first, and
/// then the result is an array of all; an array of another length becomes null.
fn sort<'a>(args: &[Value<'a>], descending: bool) -> Value<'a> {
    let (arrays, nulls_last) = match args.last() {
        Some(Value::Bool(last)) if args.len() > 1 => (&args[..args.len() - 1], *last),
        _ => (args, true),
    };
    let Some(keys) = json::array_of(&arrays[0]) else {
        return Value::Null;
    };
    let cells: Vec<Value<'static>> = keys.iter().map(Value::json).collect();
    let by_key = |left: &usize, right: &usize| {
        let (left, right) = (&cells[*left], &cells[*right]);
        match (left.is_null(), right.is_null()) {
            (false, false) => {
                let order = compare(left, right).unwrap_or(Ordering::Equal);
                if descending { order.reverse() } else { order }
            }
            (left, right) if nulls_last => left.cmp(&right),
            (left, right) => right.cmp(&left),
        }
    };
    let mut places: Vec<usize> = (0..keys.len()).collect();
    places.sort_by(by_key);
    let ordered = |array: &Value<'_>| match json::array_of(array) {
        Some(items) if items.len() == places.len() => {
            Tree::Array(places.iter().map(|place| items[*place].clone()).collect())
        }
        _ => Tree::Null,
    };
    if arrays.len() == 1 {
        return Value::json(&ordered(&arrays[0]));
    }
    list(arrays.iter().map(ordered).collect())
}

/// Missing items and conditions that are neither true nor false give null.
fn array_iff<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(conditions) = json::array_of(&args[0]) else {
        return Value::Null;
    };
    let branch = |value: &Value<'_>| match json::array_of(value) {
        Some(items) => (Some(items), Tree::Null),
        None => (None, json::tree_of(value)),
    };
    let (yes, no) = (branch(&args[1]), branch(&args[2]));
    let pick = |(items, scalar): &(Option<Vec<Tree>>, Tree), place: usize| match items {
        Some(items) => items.get(place).cloned().unwrap_or(Tree::Null),
        None => scalar.clone(),
    };
    let choose = |(place, condition): (usize, &Tree)| match condition {
        Tree::Bool(true) => pick(&yes, place),
        Tree::Bool(false) => pick(&no, place),
        Tree::Number(number) => {
            if number.as_f64() == Some(0.0) {
                pick(&no, place)
            } else {
                pick(&yes, place)
            }
        }
        _ => Tree::Null,
    };
    list(conditions.iter().enumerate().map(choose).collect())
}

fn range<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let default = match &args[0] {
        Value::Datetime(_) | Value::Timespan(_) => Value::Timespan(Ticks::PER_HOUR),
        _ => Value::Long(1),
    };
    let step = args.get(2).unwrap_or(&default);
    let real = [&args[0], &args[1], step].iter().any(|value| matches!(value, Value::Real(_) | Value::Decimal(_)));
    let ty = match &args[0] {
        Value::Datetime(_) => Type::Datetime,
        Value::Timespan(_) => Type::Timespan,
        _ if real => Type::Real,
        _ => Type::Long,
    };
    let up = step.as_f64().unwrap_or(0.0) > 0.0;
    if step.as_f64() == Some(0.0) {
        return Value::Null;
    }
    let mut items = String::from("[");
    let mut at = add(&args[0], &Value::Long(0), ty);
    let mut count = 0;
    while count < RANGE_MOST
        && compare(&at, &args[1]).is_some_and(|order| if up { order.is_le() } else { order.is_ge() })
    {
        if count > 0 {
            items.push(',');
        }
        json::write(&mut items, &at);
        at = add(&at, step, ty);
        count += 1;
    }
    items.push(']');
    Value::Dynamic(items.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn arrays_are_built_measured_and_cut() {
        check(
            "pack_array",
            &[(vec![Value::Long(1), string("a"), Value::Null, dynamic("[2]")], dynamic("[1,\"a\",null,[2]]"))],
        );
        check("array_length", &[(vec![dynamic("[1,[2,3]]")], Value::Long(2)), (vec![dynamic("{}")], Value::Null)]);
        check("array_slice", &[(vec![dynamic("[1,2,3,4,5]"), Value::Long(-3), Value::Long(-2)], dynamic("[3,4]"))]);
        check("array_concat", &[(vec![dynamic("[1]"), dynamic("[2,3]")], dynamic("[1,2,3]"))]);
        check("array_index_of", &[(vec![dynamic("[\"a\",\"b\"]"), string("b")], Value::Long(1))]);
    }

    #[test]
    fn arrays_are_turned_and_sorted() {
        let five = dynamic("[1,2,3,4,5]");
        check("array_rotate_left", &[(vec![five.clone(), Value::Long(2)], dynamic("[3,4,5,1,2]"))]);
        check("array_shift_right", &[(vec![five.clone(), Value::Long(2), Value::Long(-1)], dynamic("[-1,-1,1,2,3]"))]);
        check("array_sort_desc", &[(vec![five], dynamic("[5,4,3,2,1]"))]);
        let holes = dynamic(r#"[null,"blue","yellow","green",null]"#);
        check(
            "array_sort_asc",
            &[
                (vec![holes.clone()], dynamic(r#"["blue","green","yellow",null,null]"#)),
                (vec![holes, Value::Bool(false)], dynamic(r#"[null,null,"blue","green","yellow"]"#)),
            ],
        );
    }

    #[test]
    fn further_arrays_follow_the_order_of_the_first() {
        let (keys, names) = (dynamic("[1,3,4,5,2]"), dynamic(r#"["a","b","c","d","e"]"#));
        check(
            "array_sort_asc",
            &[
                (vec![keys.clone(), names.clone()], dynamic(r#"[[1,2,3,4,5],["a","e","b","c","d"]]"#)),
                (vec![keys.clone(), dynamic("[1]")], dynamic("[[1,2,3,4,5],null]")),
            ],
        );
        check("array_sort_desc", &[(vec![keys, names], dynamic(r#"[[5,4,3,2,1],["d","c","b","e","a"]]"#))]);
        check(
            "array_split",
            &[
                (vec![dynamic("[1,2,3,4,5]"), Value::Long(2)], dynamic("[[1,2],[3,4,5]]")),
                (vec![dynamic("[1,2,3,4,5]"), dynamic("[1,-2]")], dynamic("[[1],[2,3],[4,5]]")),
            ],
        );
    }

    #[test]
    fn sets_have_no_equal_items() {
        check("set_union", &[(vec![dynamic("[1,2,1]"), dynamic("[2,3]")], dynamic("[1,2,3]"))]);
        check(
            "set_equals",
            &[
                (vec![dynamic("[1,2,1]"), dynamic("[2,1]")], Value::Bool(true)),
                (vec![dynamic("[1,2]"), dynamic("[2,3]")], Value::Bool(false)),
            ],
        );
        check("set_difference", &[(vec![dynamic("[1,2,1,4]"), dynamic("[1,2]")], dynamic("[4]"))]);
        check("set_intersect", &[(vec![dynamic("[1,2]"), dynamic("[4]")], dynamic("[]"))]);
    }

    #[test]
    fn ranges_end_at_their_last_step() {
        check(
            "range",
            &[
                (vec![Value::Long(1), Value::Long(8), Value::Long(3)], dynamic("[1,4,7]")),
                (vec![Value::Long(1), Value::Long(3)], dynamic("[1,2,3]")),
                (vec![Value::Long(3), Value::Long(1)], dynamic("[]")),
            ],
        );
        check(
            "array_iff",
            &[(vec![dynamic("[true,false,\"x\"]"), Value::Long(1), dynamic("[4,5]")], dynamic("[1,5,null]"))],
        );
        check("zip", &[(vec![dynamic("[1,2]"), dynamic("[3]")], dynamic("[[1,3],[2,null]]"))]);
    }
}
