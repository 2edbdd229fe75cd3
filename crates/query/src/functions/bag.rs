//! Functions of property bags.

use serde_json::{Map, Value as Tree};
use watchkeeper_kql::Type;

use super::convert::print::text_of;
use super::frame::json::Step;
use super::frame::{Function, Returns, Value, json};

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls("bag_pack", 2, usize::MAX, Returns::Always(Type::Dynamic), |_, args| {
        let mut map = Map::new();
        for pair in args.chunks_exact(2) {
            map.insert(text_of(&pair[0]).into_owned(), json::tree_of(&pair[1]));
        }
        Value::json(&Tree::Object(map))
    }),
    Function::row("bag_keys", 1, 1, Returns::Always(Type::Dynamic), |_, args| {
        Value::from_option(json::bag_of(&args[0]), |bag| {
            Value::json(&Tree::Array(bag.keys().cloned().map(Tree::String).collect()))
        })
    }),
    Function::row_with_nulls("bag_merge", 1, 64, Returns::Always(Type::Dynamic), |_, args| {
        let mut merged = Map::new();
        // the first value of a property stays
        for (key, value) in args.iter().filter_map(json::bag_of).flatten() {
            merged.entry(key).or_insert(value);
        }
        Value::json(&Tree::Object(merged))
    }),
    Function::row("bag_has_key", 2, 2, Returns::Always(Type::Bool), |_, args| {
        Value::from_option(json::bag_of(&args[0]), |bag| {
            let key = text_of(&args[1]);
            let at_path = || Some(json::follow(args[0].text(), &json::path(key.strip_prefix("$.")?)?).is_some());
            Value::Bool(bag.contains_key(&*key) || at_path().unwrap_or(false))
        })
    }),
    Function::row_with_nulls("bag_zip", 2, 2, Returns::Always(Type::Dynamic), |_, args| {
        let Some(keys) = json::array_of(&args[0]) else {
            return Value::Null;
        };
        let values = json::array_of(&args[1]).unwrap_or_default();
        let mut map = Map::new();
        for (place, key) in keys.into_iter().enumerate() {
            if let Tree::String(key) = key {
                map.insert(key, values.get(place).cloned().unwrap_or(Tree::Null));
            }
        }
        Value::json(&Tree::Object(map))
    }),
    Function::row_with_nulls("pack_all", 2, usize::MAX, Returns::Always(Type::Dynamic), |_, args| {
        let mut map = Map::new();
        for pair in args.chunks_exact(2) {
            if !text_of(&pair[1]).is_empty() {
                map.insert(text_of(&pair[0]).into_owned(), json::tree_of(&pair[1]));
            }
        }
        Value::json(&Tree::Object(map))
    }),
    Function::row("bag_remove_keys", 2, 2, Returns::Always(Type::Dynamic), |_, args| {
        let (Some(bag), Some(keys)) = (json::bag_of(&args[0]), json::array_of(&args[1])) else {
            return Value::Null;
        };
        let mut bag = Tree::Object(bag);
        for key in keys.iter().filter_map(Tree::as_str) {
            remove(&mut bag, &steps_of(key));
        }
        Value::json(&bag)
    }),
    Function::row_with_nulls("bag_set_key", 3, 3, Returns::Always(Type::Dynamic), |_, args| {
        Value::from_option(json::bag_of(&args[0]), |bag| {
            let mut bag = Tree::Object(bag);
            set(&mut bag, &steps_of(&text_of(&args[1])), json::tree_of(&args[2]));
            Value::json(&bag)
        })
    }),
];

/// A path where the key starts with `$.` or `$[`, otherwise the key itself.
fn steps_of(key: &str) -> Vec<Step> {
    let path = (key.starts_with("$.") || key.starts_with("$[")).then(|| json::path(key));
    path.flatten().unwrap_or_else(|| vec![Step::Key(key.to_owned())])
}

fn remove(tree: &mut Tree, steps: &[Step]) {
    match (tree, steps) {
        (Tree::Object(map), [Step::Key(key)]) => {
            // keeps the order of the others
            map.shift_remove(key);
        }
        (Tree::Object(map), [Step::Key(key), rest @ ..]) => {
            if let Some(inner) = map.get_mut(key) {
                remove(inner, rest);
            }
        }
        (Tree::Array(items), [Step::Item(place), rest @ ..]) if !rest.is_empty() => {
            let found = usize::try_from(*place).ok();
            if let Some(inner) = found.and_then(|place| items.get_mut(place)) {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}

/// Bags that are missing on the way are made.
fn set(tree: &mut Tree, steps: &[Step], value: Tree) {
    let Some((step, rest)) = steps.split_first() else {
        *tree = value;
        return;
    };
    match step {
        Step::Key(key) => {
            if !tree.is_object() {
                *tree = Tree::Object(Map::new());
            }
            if let Tree::Object(map) = tree {
                set(map.entry(key.clone()).or_insert(Tree::Null), rest, value);
            }
        }
        Step::Item(place) => {
            if let Tree::Array(items) = tree
                && let Some(inner) = usize::try_from(*place).ok().and_then(|place| items.get_mut(place))
            {
                set(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn bags_are_packed_and_merged() {
        check(
            "bag_pack",
            &[(vec![string("a"), Value::Long(1), string("b"), Value::Real(2.0)], dynamic(r#"{"a":1,"b":2.0}"#))],
        );
        check("bag_merge", &[(vec![dynamic(r#"{"a":1}"#), dynamic(r#"{"a":2,"b":3}"#)], dynamic(r#"{"a":1,"b":3}"#))]);
        check(
            "bag_keys",
            &[(vec![dynamic(r#"{"b":1,"a":2}"#)], dynamic(r#"["b","a"]"#)), (vec![dynamic("[1]")], Value::Null)],
        );
        check("bag_has_key", &[(vec![dynamic(r#"{"k":{"p":1}}"#), string("$.k.p")], Value::Bool(true))]);
        check(
            "bag_zip",
            &[(vec![dynamic(r#"["a",8,"b"]"#), dynamic(r#"[1,"2",2.5]"#)], dynamic(r#"{"a":1,"b":2.5}"#))],
        );
    }
    #[test]
    fn keys_are_set_and_removed_also_by_path() {
        let bag = dynamic(r#"{"a":1,"b":{"c":2,"d":3},"e":[{"f":4}]}"#);
        check(
            "bag_remove_keys",
            &[
                (vec![bag.clone(), dynamic(r#"["a","$.b.c","z"]"#)], dynamic(r#"{"b":{"d":3},"e":[{"f":4}]}"#)),
                (vec![bag.clone(), dynamic(r#"["$.e[0].f","b"]"#)], dynamic(r#"{"a":1,"e":[{}]}"#)),
            ],
        );
        for (key, value, want) in [
            ("a", Value::Long(3), r#"{"a":3,"b":{"c":2,"d":3},"e":[{"f":4}]}"#),
            ("$.b.c", string("x"), r#"{"a":1,"b":{"c":"x","d":3},"e":[{"f":4}]}"#),
            ("$.n.m", Value::Bool(true), r#"{"a":1,"b":{"c":2,"d":3},"e":[{"f":4}],"n":{"m":true}}"#),
        ] {
            check("bag_set_key", &[(vec![bag.clone(), string(key), value], dynamic(want))]);
        }
        check(
            "pack_all",
            &[(
                vec![string("a"), string(""), string("b"), Value::Long(1), string("c"), Value::Null],
                dynamic(r#"{"b":1}"#),
            )],
        );
    }
}
