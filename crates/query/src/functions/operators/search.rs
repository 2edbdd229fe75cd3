//! String predicates: `has`, `contains`, `startswith`, `endswith`, `matches regex`, `like` and their relatives.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;
use watchkeeper_kql::Type;
use watchkeeper_kql::typed::operators;

use super::needle::{Needle, Place};
use crate::functions::convert::print;
use crate::functions::frame::call::compile;
use crate::functions::frame::json;
use crate::functions::frame::value::{Column, Value};
use crate::functions::frame::{Call, Function, Returns};

macro_rules! predicate {
    ($name:expr, $place:expr, $case_sensitive:expr) => {
        Function::batch($name, 2, 2, Returns::Always(Type::Bool), |call, args| {
            find(call, args, $place, $case_sensitive)
        })
    };
}

pub const FUNCTIONS: &[Function] = &[
    predicate!(operators::HAS, Place::Term, false),
    predicate!(operators::HAS_CS, Place::Term, true),
    predicate!(operators::HAS_PREFIX, Place::TermStart, false),
    predicate!(operators::HAS_PREFIX_CS, Place::TermStart, true),
    predicate!(operators::HAS_SUFFIX, Place::TermEnd, false),
    predicate!(operators::HAS_SUFFIX_CS, Place::TermEnd, true),
    predicate!(operators::CONTAINS, Place::Within, false),
    predicate!(operators::CONTAINS_CS, Place::Within, true),
    predicate!(operators::STARTS_WITH, Place::Start, false),
    predicate!(operators::STARTS_WITH_CS, Place::Start, true),
    predicate!(operators::ENDS_WITH, Place::End, false),
    predicate!(operators::ENDS_WITH_CS, Place::End, true),
    Function::batch(operators::MATCHES_REGEX, 2, 2, Returns::Always(Type::Bool), |call, args| {
        matching(call, args, |pattern| pattern.to_owned())
    }),
    Function::batch(operators::LIKE, 2, 2, Returns::Always(Type::Bool), |call, args| {
        matching(call, args, |pattern| like_pattern(pattern, "(?is)"))
    }),
    Function::batch(operators::LIKE_CS, 2, 2, Returns::Always(Type::Bool), |call, args| {
        matching(call, args, |pattern| like_pattern(pattern, "(?s)"))
    }),
];

/// Applies a test to the text of every row of an argument.
pub fn test_rows(call: &Call<'_>, argument: &ColumnarValue, ty: Type, test: impl Fn(&str) -> bool) -> ColumnarValue {
    let values = match argument {
        ColumnarValue::Array(array) if matches!(ty, Type::String | Type::Guid | Type::Dynamic) => {
            let array = array.as_string_view();
            let escaped = ty == Type::Dynamic;
            BooleanBuffer::collect_bool(array.len(), |row| {
                if array.is_null(row) {
                    return test("");
                }
                let text = array.value(row);
                match escaped.then(|| json::unquote(text)).flatten() {
                    Some(text) => test(&text),
                    None => test(text),
                }
            })
        }
        other => {
            let column = Column::new(other, ty);
            BooleanBuffer::collect_bool(call.rows, |row| test(&print::text_of(&column.value(row))))
        }
    };
    ColumnarValue::Array(Arc::new(BooleanArray::new(values, None)))
}

fn find(call: &Call<'_>, args: &[ColumnarValue], place: Place, case_sensitive: bool) -> Result<ColumnarValue> {
    let patterns = Column::new(&args[1], call.arg_types[1]);
    if let Column::Constant(pattern) = &patterns {
        let needle = Needle::new(&print::text_of(pattern), place, case_sensitive);
        return Ok(test_rows(call, &args[0], call.arg_types[0], |text| needle.is_in(text)));
    }
    let texts = Column::new(&args[0], call.arg_types[0]);
    let values = BooleanBuffer::collect_bool(call.rows, |row| {
        let (text, pattern): (Value<'_>, Value<'_>) = (texts.value(row), patterns.value(row));
        Needle::new(&print::text_of(&pattern), place, case_sensitive).is_in(&print::text_of(&text))
    });
    Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(values, None))))
}

fn matching(call: &Call<'_>, args: &[ColumnarValue], make: fn(&str) -> String) -> Result<ColumnarValue> {
    let patterns = Column::new(&args[1], call.arg_types[1]);
    if let Column::Constant(pattern) = &patterns {
        let pattern = print::text_of(pattern);
        let Some(regex) = compile(&make(&pattern)) else {
            return exec_err!("\"{pattern}\" is not a regular expression (RE2 syntax)");
        };
        return Ok(test_rows(call, &args[0], call.arg_types[0], |text| regex.is_match(text)));
    }
    let texts = Column::new(&args[0], call.arg_types[0]);
    let values = BooleanBuffer::collect_bool(call.rows, |row| {
        let (text, pattern) = (texts.value(row), patterns.value(row));
        call.with_regex(&make(&print::text_of(&pattern)), |regex| regex.is_match(&print::text_of(&text)))
            .unwrap_or(false)
    });
    Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(values, None))))
}

/// `%` and `*` stand for any text, `_` and `?` for one character.
fn like_pattern(pattern: &str, flags: &str) -> String {
    let mut out = format!("{flags}^");
    for character in pattern.chars() {
        match character {
            '%' | '*' => out.push_str(".*"),
            '_' | '?' => out.push('.'),
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn predicates_take_text_of_any_type() {
        let yes = Value::Bool(true);
        check("__has", &[(vec![string("GET /a/b"), string("A")], yes.clone())]);
        check(
            "__contains",
            &[
                (vec![dynamic("\"x\\\"Yz\""), string("\"y")], yes.clone()),
                (vec![Value::Long(12345), string("234")], yes.clone()),
                (vec![string(""), string("a")], Value::Bool(false)),
            ],
        );
        check("__startswith_cs", &[(vec![string("abc"), string("AB")], Value::Bool(false))]);
        check("__endswith", &[(vec![string("abc"), string("BC")], yes.clone())]);
        check("__matches_regex", &[(vec![string("K12"), string(r"^K\d+$")], yes.clone())]);
        check("__like", &[(vec![string("Hello"), string("h%o")], yes)]);
    }
}
