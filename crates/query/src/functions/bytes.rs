//! How large values are: `format_bytes`, `estimate_data_size`.

use watchkeeper_kql::Type;

use super::frame::{Call, Function, Returns, Value};

pub const FUNCTIONS: &[Function] = &[
    Function::row("format_bytes", 1, 3, Returns::Always(Type::String), format_bytes),
    Function::row_with_nulls("estimate_data_size", 1, usize::MAX, Returns::Always(Type::Long), estimate_data_size),
];

const UNITS: [&str; 7] = ["Bytes", "KB", "MB", "GB", "TB", "PB", "EB"];

/// Rounded to the given digits, without zeros at the end. The unit is the largest that leaves at least one.
fn format_bytes<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(size) = args[0].as_f64() else {
        return Value::string("");
    };
    let digits = args.get(1).and_then(Value::as_i64).unwrap_or(0).clamp(0, 15) as i32;
    let wanted = args.get(2).map_or("", |unit| unit.text());
    let unit = if wanted.is_empty() {
        let mut unit = 0;
        while unit + 1 < UNITS.len() && size.abs() / 1024f64.powi(unit as i32) >= 1024.0 {
            unit += 1;
        }
        unit
    } else {
        match UNITS.iter().position(|name| name.eq_ignore_ascii_case(wanted)) {
            Some(unit) => unit,
            None => return Value::string(""),
        }
    };
    let scale = 10f64.powi(digits);
    let number = (size / 1024f64.powi(unit as i32) * scale).round() / scale;
    Value::string(format!("{number} {}", UNITS[unit]))
}

/// Bytes of the values: texts by their length, all else by the width of its type.
fn estimate_data_size<'a>(call: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let width = |(value, ty): (&Value<'_>, &Type)| -> i64 {
        match ty {
            Type::String | Type::Dynamic => value.text().len() as i64,
            Type::Bool => 1,
            Type::Int => 4,
            Type::Guid | Type::Decimal => 16,
            _ => 8,
        }
    };
    Value::Long(args.iter().zip(call.arg_types).map(width).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, string};

    #[test]
    fn sizes_get_the_unit_that_fits() {
        for (args, want) in [
            (vec![Value::Long(564)], "564 Bytes"),
            (vec![Value::Long(10_332), Value::Long(1)], "10.1 KB"),
            (vec![Value::Long(20_010_332)], "19 MB"),
            (vec![Value::Long(20_010_332), Value::Long(2)], "19.08 MB"),
            (vec![Value::Long(20_010_332), Value::Long(0), string("KB")], "19541 KB"),
        ] {
            check("format_bytes", &[(args, string(want))]);
        }
        check("estimate_data_size", &[(vec![Value::Long(1), string("1234567890"), Value::Int(1)], Value::Long(22))]);
    }
}
