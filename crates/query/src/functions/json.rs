//! `extract_json`, `dynamic_to_json`, and scalars as dynamic values.

use std::borrow::Cow;

use serde_json::{Map, Value as Tree};
use watchkeeper_kql::Type;

use super::convert::print::text_of;
use super::frame::{Call, Function, Returns, Value, json};

pub const FUNCTIONS: &[Function] = &[
    Function::row("__dynamic", 1, 1, Returns::Always(Type::Dynamic), |_, args| match &args[0] {
        Value::Dynamic(json) => Value::Dynamic(json.clone()),
        scalar => Value::Dynamic(json::encode(scalar).into()),
    }),
    Function::row_with_nulls("extract_json", 2, 3, Returns::Always(Type::String), extract_json),
    Function::row_with_nulls("dynamic_to_json", 1, 1, Returns::Always(Type::String), dynamic_to_json),
];

fn extract_json<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(steps) = json::path(&text_of(&args[0])) else {
        return Value::string("");
    };
    let text = match &args[1] {
        Value::String(text) => json::compact(text),
        Value::Dynamic(text) => Some(Cow::Borrowed(text.as_ref())),
        _ => None,
    };
    let found = text.as_deref().and_then(|text| json::follow(text, &steps));
    Value::string(
        found.map_or_else(String::new, |found| json::unquote(found).unwrap_or(Cow::Borrowed(found)).into_owned()),
    )
}

/// JSON with the keys of bags in order.
fn dynamic_to_json<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    fn sorted(tree: Tree) -> Tree {
        match tree {
            Tree::Object(map) => {
                let mut entries: Vec<(String, Tree)> = map.into_iter().collect();
                entries.sort_by(|left, right| left.0.cmp(&right.0));
                Tree::Object(
                    entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<String, Tree>>(),
                )
            }
            Tree::Array(items) => Tree::Array(items.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    Value::string(sorted(json::tree_of(&args[0])).to_string())
}

#[cfg(test)]
mod tests {
    use super::Value;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn a_text_becomes_a_json_string_and_is_not_parsed() {
        check(
            "__dynamic",
            &[
                (vec![string("[1]")], dynamic(r#""[1]""#)),
                (vec![Value::Long(5)], dynamic("5")),
                (vec![Value::Bool(true)], dynamic("true")),
                (vec![Value::Null], Value::Null),
            ],
        );
    }

    #[test]
    fn a_path_leads_to_text() {
        check(
            "extract_json",
            &[
                (vec![string("$.name"), string(r#"{"name": "John", "age": 30}"#)], string("John")),
                (vec![string("$.a[1].b"), string(r#"{"a":[1,{"b":2.5}]}"#)], string("2.5")),
                (vec![string("$.none"), string("{}")], string("")),
                (vec![string("$.a"), string("not json")], string("")),
            ],
        );
        check(
            "dynamic_to_json",
            &[(vec![dynamic(r#"{"b":1,"a":{"d":1,"c":2}}"#)], string(r#"{"a":{"c":2,"d":1},"b":1}"#))],
        );
    }
}
