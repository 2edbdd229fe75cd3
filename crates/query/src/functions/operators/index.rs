//! `a.b`, `a["b"]`, `a[0]`, `a[-1]`.

use std::borrow::Cow;

use watchkeeper_kql::Type;
use watchkeeper_kql::typed::operators;

use crate::functions::convert::print;
use crate::functions::frame::{Function, Returns, Value, json};

pub const FUNCTIONS: &[Function] =
    &[Function::row(operators::INDEX, 2, 2, Returns::Always(Type::Dynamic), |_, args| index(&args[0], &args[1]))];

fn part<'j>(text: &'j str, key: &Value<'_>) -> Option<&'j str> {
    match key {
        Value::Int(_) | Value::Long(_) => json::item(text, key.as_i64()?),
        Value::Dynamic(number) if !number.starts_with('"') => json::item(text, number.parse().ok()?),
        other => json::property(text, &print::text_of(other)),
    }
}

fn index<'a>(of: &Value<'a>, key: &Value<'_>) -> Value<'a> {
    match of {
        Value::Dynamic(Cow::Borrowed(text)) | Value::String(Cow::Borrowed(text)) => {
            Value::from_option(part(text, key), Value::dynamic)
        }
        Value::Dynamic(Cow::Owned(text)) | Value::String(Cow::Owned(text)) => {
            Value::from_option(part(text, key), |found| Value::dynamic(found.to_owned()))
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
            ],
        );
    }
}
