//! Constants: from the syntax tree to typed literals, and to compact JSON.

use std::fmt::Write as _;

use super::{Outcome, Stop};
use crate::diagnostics::Span;
use crate::syntax::{self, Json};
use crate::typed::{Expr, ExprKind};
use crate::types::{Literal, Ticks, Type};

pub(super) fn expr(literal: Literal, span: Span) -> Expr {
    Expr { ty: literal.ty(), kind: ExprKind::Literal(literal), span }
}

pub(super) fn string(text: &str, span: Span) -> Expr {
    expr(Literal::String(text.to_owned()), span)
}

pub(super) fn long(value: i64, span: Span) -> Expr {
    expr(Literal::Long(value), span)
}

/// The constant that a literal of the syntax tree means.
pub(super) fn typed(literal: &syntax::Literal, span: Span) -> Outcome<Literal> {
    Ok(match literal {
        syntax::Literal::Bool(value) => Literal::Bool(*value),
        syntax::Literal::Long(value) => Literal::Long(*value),
        syntax::Literal::Real(value) => Literal::Real(*value),
        syntax::Literal::String(text) => Literal::String(text.value.clone()),
        syntax::Literal::Timespan(ticks) => Literal::Timespan(Ticks(*ticks)),
        syntax::Literal::Typed { ty, text } => {
            read(*ty, text).ok_or_else(|| Stop::semantic(span, format!("`{text}` is not a {ty}")))?
        }
        syntax::Literal::Dynamic(Json::Null) => Literal::Null(Type::Dynamic),
        syntax::Literal::Dynamic(json) => {
            let mut text = String::new();
            write_json(json, &mut text);
            Literal::Dynamic(text)
        }
    })
}

/// A value of `ty` from the text of a literal, `null` included.
fn read(ty: Type, text: &str) -> Option<Literal> {
    super::text::read(ty, text)
}

/// A value of `ty` from a text of a request: a literal of the language, or for a string also the text itself.
pub(super) fn from_text(ty: Type, text: &str) -> Option<Literal> {
    let parsed = crate::parse(text);
    if parsed.diagnostics.is_empty()
        && let [statement] = parsed.query.statements.as_slice()
        && let syntax::StatementKind::Expression(expr) = &statement.kind
        && let syntax::ExprKind::Literal(literal) = &expr.kind
        && let Ok(literal) = typed(literal, expr.span)
        && literal.ty() == ty
    {
        return Some(literal);
    }
    match ty {
        Type::String => Some(Literal::String(text.to_owned())),
        Type::Dynamic => Some(Literal::Dynamic(text.to_owned())),
        _ => read(ty, text),
    }
}

/// A JSON string with its quotes.
pub(super) fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_string(text, &mut out);
    out
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_json(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Long(value) => {
            let _ = write!(out, "{value}");
        }
        Json::Real(value) => write_real(*value, out),
        Json::String(text) => write_string(text, out),
        Json::Timespan(ticks) => write_string(&timespan_text(*ticks), out),
        Json::Typed { ty, text } => write_typed(*ty, text, out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Json::Object(properties) => {
            out.push('{');
            let mut first = true;
            for (index, (name, value)) in properties.iter().enumerate() {
                if properties[index + 1..].iter().any(|(later, _)| later == name) {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
    }
}

fn write_real(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str("\"NaN\"");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    } else {
        let text = format!("{value}");
        out.push_str(&text);
        if !text.contains(['.', 'e', 'E']) {
            out.push_str(".0");
        }
    }
}

fn write_typed(ty: Type, text: &str, out: &mut String) {
    match read(ty, text) {
        Some(Literal::Bool(value)) => write_json(&Json::Bool(value), out),
        Some(Literal::Int(value)) => write_json(&Json::Long(i64::from(value)), out),
        Some(Literal::Long(value)) => write_json(&Json::Long(value), out),
        Some(Literal::Real(value)) => write_real(value, out),
        Some(Literal::Datetime(ticks)) => write_string(&datetime_text(ticks), out),
        Some(Literal::Timespan(ticks)) => write_string(&timespan_text(ticks.0), out),
        Some(Literal::Guid(value)) => write_string(&guid_text(value), out),
        Some(Literal::Decimal(text)) => write_string(&text, out),
        Some(Literal::String(text)) => write_string(&text, out),
        Some(Literal::Dynamic(text)) => out.push_str(&text),
        Some(Literal::Null(_)) | None => out.push_str("null"),
    }
}

fn guid_text(value: u128) -> String {
    let hex = format!("{value:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// `1.02:03:04.0000005`, as timespans are printed.
pub(super) fn timespan_text(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let ticks = ticks.unsigned_abs();
    let (days, rest) = (ticks / Ticks::PER_DAY as u64, ticks % Ticks::PER_DAY as u64);
    let (hours, rest) = (rest / Ticks::PER_HOUR as u64, rest % Ticks::PER_HOUR as u64);
    let (minutes, rest) = (rest / Ticks::PER_MINUTE as u64, rest % Ticks::PER_MINUTE as u64);
    let (seconds, fraction) = (rest / Ticks::PER_SECOND as u64, rest % Ticks::PER_SECOND as u64);
    let days = if days > 0 { format!("{days}.") } else { String::new() };
    let fraction = if fraction > 0 { format!(".{fraction:07}") } else { String::new() };
    format!("{sign}{days}{hours:02}:{minutes:02}:{seconds:02}{fraction}")
}

/// `2024-01-31T10:20:30.0000000Z`, as datetimes are printed.
pub(super) fn datetime_text(ticks: Ticks) -> String {
    let days = ticks.0.div_euclid(Ticks::PER_DAY);
    let rest = ticks.0.rem_euclid(Ticks::PER_DAY);
    let (year, month, day) = civil(days);
    let (hours, rest) = (rest / Ticks::PER_HOUR, rest % Ticks::PER_HOUR);
    let (minutes, rest) = (rest / Ticks::PER_MINUTE, rest % Ticks::PER_MINUTE);
    let (seconds, fraction) = (rest / Ticks::PER_SECOND, rest % Ticks::PER_SECOND);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{fraction:07}Z")
}

/// Year, month and day of a number of days since 0001-01-01, by eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 306;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_spans_print_as_the_language_prints_them() {
        assert_eq!(datetime_text(Ticks(0)), "0001-01-01T00:00:00.0000000Z");
        assert_eq!(datetime_text(Ticks::UNIX_EPOCH), "1970-01-01T00:00:00.0000000Z");
        assert_eq!(datetime_text(Ticks::MAX_DATETIME), "9999-12-31T23:59:59.9999999Z");
        assert_eq!(timespan_text(-36 * Ticks::PER_HOUR - 5), "-1.12:00:00.0000005");
    }

    #[test]
    fn json_is_compact_and_the_last_of_equal_names_wins() {
        let json = Json::Object(vec![
            ("a".to_owned(), Json::Long(1)),
            ("b".to_owned(), Json::Array(vec![Json::Real(2.0), Json::String("x\"y".to_owned())])),
            ("a".to_owned(), Json::Null),
        ]);
        let mut out = String::new();
        write_json(&json, &mut out);
        assert_eq!(out, r#"{"b":[2.0,"x\"y"],"a":null}"#);
    }
}
