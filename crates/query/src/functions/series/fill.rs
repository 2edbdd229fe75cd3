//! Filling the missing items of a series. The placeholder, null unless it is given, says what is missing.

use serde_json::Value as Tree;
use watchkeeper_kql::Type;

use super::numbers::Item;
use crate::functions::frame::{Function, Returns, Value, json};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls("series_fill_forward", 1, 2, DYNAMIC, |_, args| {
        filled(args, 1, |items, missing| carry(items.iter_mut(), missing))
    }),
    Function::row_with_nulls("series_fill_backward", 1, 2, DYNAMIC, |_, args| {
        filled(args, 1, |items, missing| {
            carry(items.iter_mut().rev(), missing);
        })
    }),
    Function::row_with_nulls("series_fill_const", 1, 3, DYNAMIC, |_, args| {
        let constant = args.get(1).map_or(Tree::from(0), json::tree_of);
        filled(args, 2, |items, missing| {
            for item in items.iter_mut().filter(|item| missing.is(item)) {
                *item = constant.clone();
            }
        })
    }),
    Function::row_with_nulls("series_fill_linear", 1, 4, DYNAMIC, |_, args| {
        let edges = args.get(2).and_then(Value::as_bool).unwrap_or(true);
        let constant = args.get(3).map_or(Tree::from(0), json::tree_of);
        filled(args, 1, |items, missing| {
            linear(items, missing, edges, &constant);
        })
    }),
];

struct Missing(Tree);

impl Missing {
    fn is(&self, item: &Tree) -> bool {
        match (&self.0, item) {
            // nulls and NaN are both what a series has no number for
            (Tree::Null, item) => item.is_null() || item == "NaN",
            (wanted, item) if wanted == item => true,
            (wanted, item) => wanted.is_number() && wanted.as_f64() == item.as_f64(),
        }
    }
}

fn filled<'a>(args: &[Value<'_>], placeholder: usize, fill: impl FnOnce(&mut Vec<Tree>, &Missing)) -> Value<'a> {
    Value::from_option(json::array_of(&args[0]), |mut items| {
        let missing = match args.get(placeholder) {
            Some(Value::Real(real)) if real.is_nan() => Tree::Null,
            Some(value) => json::tree_of(value),
            None => Tree::Null,
        };
        fill(&mut items, &Missing(missing));
        Value::json(&Tree::Array(items))
    })
}

fn carry<'t>(items: impl Iterator<Item = &'t mut Tree>, missing: &Missing) {
    let mut last: Option<Tree> = None;
    for item in items {
        if !missing.is(item) {
            last = Some(item.clone());
        } else if let Some(last) = &last {
            *item = last.clone();
        }
    }
}

/// Lines between the known items; whole numbers stay whole where all items are. A series without a known item is
/// filled with the constant.
fn linear(items: &mut [Tree], missing: &Missing, edges: bool, constant: &Tree) {
    let known: Vec<usize> = (0..items.len()).filter(|place| !missing.is(&items[*place])).collect();
    let (Some(first), Some(last)) = (known.first().copied(), known.last().copied()) else {
        items.fill(constant.clone());
        return;
    };
    let whole = known.iter().all(|place| matches!(Item::of(&items[*place]), Item::Long(_)));
    for pair in known.windows(2) {
        let (left, right) = (pair[0], pair[1]);
        let (Some(from), Some(to)) = (items[left].as_f64(), items[right].as_f64()) else {
            continue;
        };
        for (step, item) in items[left + 1..right].iter_mut().enumerate() {
            let share = (step + 1) as f64 / (right - left) as f64;
            let number = from + (to - from) * share;
            *item = if whole { Tree::from(number as i64) } else { super::numbers::real_tree(number) };
        }
    }
    if edges {
        let (head, tail) = (items[first].clone(), items[last].clone());
        items[..first].fill(head);
        items[last + 1..].fill(tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic};

    #[test]
    fn items_are_carried_forward_and_backward() {
        let series = dynamic("[null,1,null,2,null]");
        check("series_fill_forward", &[(vec![series.clone()], dynamic("[null,1,1,2,2]"))]);
        check("series_fill_backward", &[(vec![series.clone()], dynamic("[1,1,2,2,null]"))]);
        check("series_fill_const", &[(vec![series, Value::Real(0.5)], dynamic("[0.5,1,0.5,2,0.5]"))]);
        check("series_fill_forward", &[(vec![dynamic("[7,0,0.0]"), Value::Long(0)], dynamic("[7,7,7]"))]);
    }

    #[test]
    fn gaps_are_filled_by_lines() {
        let null = Value::Real(f64::NAN);
        for (args, want) in [
            (vec![dynamic("[null,111,null,36,41,null,null,16,null]")], "[111,111,73,36,41,32,24,16,16]"),
            (vec![dynamic("[1.0,null,2.0,null]")], "[1.0,1.5,2.0,2.0]"),
            (vec![dynamic("[null,1,null,3,null]"), null.clone(), Value::Bool(false)], "[null,1,2,3,null]"),
            (vec![dynamic("[null,null]")], "[0,0]"),
            (vec![dynamic("[null,null]"), null, Value::Bool(true), Value::Real(3.5)], "[3.5,3.5]"),
        ] {
            check("series_fill_linear", &[(args, dynamic(want))]);
        }
    }
}
