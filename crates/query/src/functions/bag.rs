//! Functions of property bags.

use serde_json::{Map, Value as Tree};
use watchkeeper_kql::Type;

use super::convert::print::text_of;
use super::frame::{Function, Returns, Value, json};

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls(
        "bag_pack",
        2,
        usize::MAX,
        Returns::Always(Type::Dynamic),
        |_, args| {
            let mut map = Map::new();
            for pair in args.chunks_exact(2) {
                map.insert(text_of(&pair[0]).into_owned(), json::tree_of(&pair[1]));
            }
            Value::json(&Tree::Object(map))
        },
    ),
    Function::row(
        "bag_keys",
        1,
        1,
        Returns::Always(Type::Dynamic),
        |_, args| {
            Value::from_option(json::bag_of(&args[0]), |bag| {
                Value::json(&Tree::Array(
                    bag.keys().cloned().map(Tree::String).collect(),
                ))
            })
        },
    ),
    Function::row_with_nulls(
        "bag_merge",
        1,
        64,
        Returns::Always(Type::Dynamic),
        |_, args| {
            let mut merged = Map::new();
            // the first value of a property stays
            for (key, value) in args.iter().filter_map(json::bag_of).flatten() {
                merged.entry(key).or_insert(value);
            }
            Value::json(&Tree::Object(merged))
        },
    ),
    Function::row(
        "bag_has_key",
        2,
        2,
        Returns::Always(Type::Bool),
        |_, args| {
            Value::from_option(json::bag_of(&args[0]), |bag| {
                let key = text_of(&args[1]);
                let at_path = || {
                    Some(
                        json::follow(args[0].text(), &json::path(key.strip_prefix("$.")?)?)
                            .is_some(),
                    )
                };
                Value::Bool(bag.contains_key(&*key) || at_path().unwrap_or(false))
            })
        },
    ),
    Function::row_with_nulls(
        "bag_zip",
        2,
        2,
        Returns::Always(Type::Dynamic),
        |_, args| {
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
        },
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn bags_are_packed_and_merged() {
        check(
            "bag_pack",
            &[(
                vec![string("a"), Value::Long(1), string("b"), Value::Real(2.0)],
                dynamic(r#"{"a":1,"b":2.0}"#),
            )],
        );
        check(
            "bag_merge",
            &[(
                vec![dynamic(r#"{"a":1}"#), dynamic(r#"{"a":2,"b":3}"#)],
                dynamic(r#"{"a":1,"b":3}"#),
            )],
        );
        check(
            "bag_keys",
            &[
                (vec![dynamic(r#"{"b":1,"a":2}"#)], dynamic(r#"["b","a"]"#)),
                (vec![dynamic("[1]")], Value::Null),
            ],
        );
        check(
            "bag_has_key",
            &[(
                vec![dynamic(r#"{"k":{"p":1}}"#), string("$.k.p")],
                Value::Bool(true),
            )],
        );
        check(
            "bag_zip",
            &[(
                vec![dynamic(r#"["a",8,"b"]"#), dynamic(r#"[1,"2",2.5]"#)],
                dynamic(r#"{"a":1,"b":2.5}"#),
            )],
        );
    }
}
