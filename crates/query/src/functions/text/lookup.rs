//! Places in texts: `indexof_regex` and `has_any_index`.

use watchkeeper_kql::Type;

use super::item_text;
use crate::functions::convert::print::text_of;
use crate::functions::frame::{Call, Function, Returns, Value, json};
use crate::functions::operators::needle::{Needle, Place};

const LONG: Returns = Returns::Always(Type::Long);

pub const FUNCTIONS: &[Function] = &[
    Function::row("indexof_regex", 2, 5, LONG, indexof_regex),
    Function::row("has_any_index", 2, 2, LONG, |_, args| {
        Value::from_option(json::array_of(&args[1]), |items| {
            let text = text_of(&args[0]);
            let found = items.iter().position(|item| Needle::new(&item_text(item), Place::Term, false).is_in(&text));
            Value::Long(found.map_or(-1, |place| place as i64))
        })
    }),
];

/// The place of a match in characters, -1 without one; null for a negative start or an occurrence below one.
fn indexof_regex<'a>(call: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let number = |place: usize, default: i64| match args.get(place) {
        None => Some(default),
        Some(value) => value.as_i64(),
    };
    let (Some(start), Some(length), Some(occurrence)) = (number(2, 0), number(3, -1), number(4, 1)) else {
        return Value::Null;
    };
    if start < 0 || length < -1 || occurrence < 1 {
        return Value::Null;
    }
    let text = text_of(&args[0]);
    let byte_of = |characters: i64| {
        let characters = usize::try_from(characters).unwrap_or(usize::MAX);
        text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
    };
    let from = byte_of(start);
    let to = match length {
        -1 => text.len(),
        length => byte_of(start.saturating_add(length)),
    };
    let range = &text[from..to];
    let nth = usize::try_from(occurrence - 1).unwrap_or(usize::MAX);
    let found = call.with_regex(&text_of(&args[1]), |regex| regex.find_iter(range).nth(nth).map(|found| found.start()));
    Value::from_option(found, |found| Value::Long(found.map_or(-1, |at| text[..from + at].chars().count() as i64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn matches_are_counted_and_do_not_overlap() {
        for (text, pattern, numbers, want) in [
            ("abcabc", "a.c", &[][..], Value::Long(0)),
            ("abcabcdefg", "a.c", &[0, 9, 2], Value::Long(3)),
            ("abcabc", "a.c", &[1, -1, 2], Value::Long(-1)),
            ("ababaa", "a.a", &[0, -1, 2], Value::Long(-1)),
            ("abcabc", "a|ab", &[-1], Value::Null),
            ("ääb", "b", &[1], Value::Long(2)),
            ("abc", "(", &[], Value::Null),
        ] {
            let mut args = vec![string(text), string(pattern)];
            args.extend(numbers.iter().map(|number| Value::Long(*number)));
            check("indexof_regex", &[(args, want)]);
        }
    }

    #[test]
    fn the_first_value_that_is_a_term_of_the_text_counts() {
        for (text, values, want) in [
            ("this is an example", r#"["this","example"]"#, 0),
            ("this is an example", r#"["not","example"]"#, 1),
            ("this is an example", r#"["exam"]"#, -1),
            ("Example number 2", "[1,2,3]", 1),
            ("x", "[]", -1),
        ] {
            check("has_any_index", &[(vec![string(text), dynamic(values)], Value::Long(want))]);
        }
    }
}
