//! `a.b`, `a["b"]`, `a[0]`, `a[-1]`.

use std::borrow::Cow;

use watchkeeper_kql::Type;
use watchkeeper_kql::typed::operators;

use crate::functions::convert::print;
use crate::functions::frame::walk::Key;
use crate::functions::frame::{Function, Returns, Value, json};

/// With more than one key the way is followed in one walk: `a.b.c` does not make `a.b` first.
pub const FUNCTIONS: &[Function] =
    &[Function::row(operators::INDEX, 2, usize::MAX, Returns::Always(Type::Dynamic), |_, args| index(args))];

fn key<'k>(value: &'k Value<'_>) -> Key<'k> {
    match value {
        Value::Int(place) => Key::Place(i64::from(*place)),
        Value::Long(place) => Key::Place(*place),
        Value::Dynamic(number) if !number.starts_with('"') => match number.parse() {
            Ok(place) => Key::Place(place),
            Err(_) => Key::Name(Cow::Borrowed(number)),
        },
        other => Key::Name(print::text_of(other)),
    }
}

fn index<'a>(args: &[Value<'a>]) -> Value<'a> {
    let Some((of, keys)) = args.split_first() else { return Value::Null };
    let keys = keys.iter().map(key);
    match of {
        Value::Dynamic(Cow::Borrowed(text)) | Value::String(Cow::Borrowed(text)) => {
            Value::from_option(json::follow_keys(text, keys), Value::dynamic)
        }
        Value::Dynamic(Cow::Owned(text)) | Value::String(Cow::Owned(text)) => {
            Value::from_option(json::follow_keys(text, keys), |found| Value::dynamic(found.to_owned()))
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn properties_and_items_are_reached_and_missing_ones_are_null() {
        let bag = dynamic(r#"{"a":{"b":[1,2.0,"x"]},"n":null}"#);
        let long_way = dynamic(r#"{"x":[{}],"a":["k",{"k":7}]}"#);
        let list = dynamic(r#"[10,{"k":"v"},30]"#);
        check(
            "__index",
            &[
                (vec![bag.clone(), string("a")], dynamic(r#"{"b":[1,2.0,"x"]}"#)),
                (vec![bag.clone(), string("n")], Value::Null),
                (vec![bag.clone(), string("zz")], Value::Null),
                (vec![bag, Value::Long(0)], Value::Null),
                (vec![list.clone(), Value::Long(0)], dynamic("10")),
                (vec![list.clone(), Value::Long(-1)], dynamic("30")),
                (vec![list.clone(), Value::Long(7)], Value::Null),
                (vec![list.clone(), Value::Long(-9)], Value::Null),
                (vec![list, Value::Long(1)], dynamic(r#"{"k":"v"}"#)),
                (vec![dynamic("5"), string("a")], Value::Null),
                (vec![long_way.clone(), string("a"), Value::Long(-1), string("k")], dynamic("7")),
                (vec![long_way.clone(), string("a"), Value::Long(0), string("k")], Value::Null),
                (vec![long_way, string("a"), Value::Null, string("k")], Value::Null),
            ],
        );
    }
}
