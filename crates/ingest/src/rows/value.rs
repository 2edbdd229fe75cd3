//! A value as a protocol gives it, and what it means in a column of a type.

use std::io::Write;

use uuid::Uuid;

use super::time;

/// A value of a JSON text or of another protocol.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Long(i64),
    /// Above the largest long.
    Unsigned(u64),
    Real(f64),
    Text(&'a str),
    /// An object or an array as compact JSON.
    Json(&'a str),
}

/// A value that has no meaning in a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mismatch(pub String);

impl Mismatch {
    pub(crate) fn too_long() -> Mismatch {
        Mismatch("the values of this column have more than 2 GiB in one request".into())
    }
}

type Coerced<T> = Result<Option<T>, Mismatch>;

/// The smallest and the first too large long, as reals.
const LONG_RANGE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;

impl Value<'_> {
    fn mismatch<T>(&self, ty: &str) -> Coerced<T> {
        let shown = match self {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Long(value) => value.to_string(),
            Value::Unsigned(value) => value.to_string(),
            Value::Real(value) => value.to_string(),
            Value::Text(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
            Value::Json(text) => text.chars().take(40).collect(),
        };
        Err(Mismatch(format!("{shown} is not a {ty}")))
    }

    /// Whether this is a text with nothing in it, which is null for every type but string.
    fn is_blank(&self) -> bool {
        matches!(self, Value::Text(text) if text.trim().is_empty())
    }

    pub fn to_bool(&self) -> Coerced<bool> {
        Ok(Some(match self {
            _ if self.is_blank() => return Ok(None),
            Value::Bool(value) => *value,
            Value::Long(0) => false,
            Value::Long(1) => true,
            Value::Text(text) if text.trim().eq_ignore_ascii_case("true") => true,
            Value::Text(text) if text.trim().eq_ignore_ascii_case("false") => false,
            _ => return self.mismatch("bool"),
        }))
    }

    pub fn to_int(&self) -> Coerced<i32> {
        match self.to_long() {
            Ok(Some(value)) => match i32::try_from(value) {
                Ok(value) => Ok(Some(value)),
                Err(_) => self.mismatch("int"),
            },
            Ok(None) => Ok(None),
            Err(_) => self.mismatch("int"),
        }
    }

    pub fn to_long(&self) -> Coerced<i64> {
        let whole = |real: f64| (real.fract() == 0.0 && LONG_RANGE.contains(&real)).then_some(real as i64);
        match self {
            _ if self.is_blank() => Ok(None),
            Value::Long(value) => Ok(Some(*value)),
            Value::Real(real) if let Some(value) = whole(*real) => Ok(Some(value)),
            Value::Text(text) => match text.trim().parse::<i64>() {
                Ok(value) => Ok(Some(value)),
                Err(_) => match text.trim().parse::<f64>().ok().and_then(whole) {
                    Some(value) => Ok(Some(value)),
                    None => self.mismatch("long"),
                },
            },
            _ => self.mismatch("long"),
        }
    }

    pub fn to_real(&self) -> Coerced<f64> {
        match self {
            _ if self.is_blank() => Ok(None),
            Value::Long(value) => Ok(Some(*value as f64)),
            Value::Unsigned(value) => Ok(Some(*value as f64)),
            Value::Real(value) => Ok(Some(*value)),
            Value::Text(text) => match text.trim().parse() {
                Ok(value) => Ok(Some(value)),
                Err(_) => self.mismatch("real"),
            },
            _ => self.mismatch("real"),
        }
    }

    /// Scaled by 10^18.
    pub fn to_decimal(&self) -> Coerced<i128> {
        let text = match self {
            _ if self.is_blank() => return Ok(None),
            Value::Long(value) => value.to_string(),
            Value::Unsigned(value) => value.to_string(),
            Value::Real(value) => value.to_string(),
            Value::Text(text) => text.trim().to_owned(),
            _ => return self.mismatch("decimal"),
        };
        match decimal(&text) {
            Some(value) => Ok(Some(value)),
            None => self.mismatch("decimal"),
        }
    }

    /// Microseconds since 1970.
    pub fn to_datetime(&self) -> Coerced<i64> {
        match self {
            _ if self.is_blank() => Ok(None),
            Value::Text(text) => match time::datetime(text) {
                Some(value) => Ok(Some(value)),
                None => self.mismatch("datetime (ISO 8601)"),
            },
            _ => self.mismatch("datetime (ISO 8601)"),
        }
    }

    /// Ticks.
    pub fn to_timespan(&self) -> Coerced<i64> {
        match self {
            _ if self.is_blank() => Ok(None),
            Value::Text(text) => match time::timespan(text) {
                Some(value) => Ok(Some(value)),
                None => self.mismatch("timespan (d.hh:mm:ss.fffffff)"),
            },
            _ => self.mismatch("timespan (d.hh:mm:ss.fffffff)"),
        }
    }

    /// Writes a guid in lower case; false for null.
    pub fn write_guid(&self, to: &mut Vec<u8>) -> Result<bool, Mismatch> {
        match self {
            _ if self.is_blank() => Ok(false),
            Value::Text(text) => match Uuid::try_parse(text.trim()) {
                Ok(guid) => {
                    to.extend_from_slice(guid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
                    Ok(true)
                }
                Err(_) => self.mismatch::<()>("guid").map(|_| false),
            },
            _ => self.mismatch::<()>("guid").map(|_| false),
        }
    }

    /// Writes the value as it reads; false for null.
    pub fn write_text(&self, to: &mut Vec<u8>) -> bool {
        match self {
            Value::Null => return false,
            Value::Text(text) | Value::Json(text) => to.extend_from_slice(text.as_bytes()),
            _ => return self.write_dynamic(to),
        }
        true
    }

    /// Writes the value as compact JSON; false for null.
    pub fn write_dynamic(&self, to: &mut Vec<u8>) -> bool {
        const INFALLIBLE: &str = "writing to memory cannot fail";
        match self {
            Value::Null => return false,
            Value::Bool(value) => write!(to, "{value}").expect(INFALLIBLE),
            Value::Long(value) => write!(to, "{value}").expect(INFALLIBLE),
            Value::Unsigned(value) => write!(to, "{value}").expect(INFALLIBLE),
            // the debug form has an exponent where the display form would write hundreds of digits
            Value::Real(value) if value.is_finite() => write!(to, "{value:?}").expect(INFALLIBLE),
            Value::Real(value) => write!(to, "\"{value}\"").expect(INFALLIBLE),
            Value::Text(text) => serde_json::to_writer(&mut *to, text).expect(INFALLIBLE),
            Value::Json(text) => to.extend_from_slice(text.as_bytes()),
        }
        true
    }
}

/// A decimal number scaled by 10^18; digits past the 18th after the point are cut.
fn decimal(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 || !(whole.bytes().chain(fraction.bytes())).all(|c| c.is_ascii_digit()) {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let shift = 18 - i32::try_from(fraction.len()).ok()? + exponent;
    if shift >= 0 {
        for _ in 0..shift.min(40) {
            value = value.checked_mul(10)?;
        }
    } else {
        value = if shift < -39 { 0 } else { value / 10_i128.checked_pow(shift.unsigned_abs()).unwrap_or(i128::MAX) };
    }
    // 38 digits
    let limit = 10_i128.pow(38);
    (value < limit).then_some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_numbers_and_texts() {
        let cases = [
            (Value::Long(5), Some(5)),
            (Value::Real(5.0), Some(5)),
            (Value::Text(" 5 "), Some(5)),
            (Value::Text("5.0"), Some(5)),
            (Value::Text(""), None),
        ];
        for (value, expected) in cases {
            assert_eq!(value.to_long().unwrap(), expected, "{value:?}");
            assert_eq!(value.to_int().unwrap(), expected.map(|n| n as i32), "{value:?}");
        }
        for value in
            [Value::Real(5.5), Value::Text("x"), Value::Bool(true), Value::Json("[]"), Value::Unsigned(u64::MAX)]
        {
            assert!(value.to_long().is_err(), "{value:?}");
        }
        assert!(Value::Long(1 << 31).to_int().is_err());
        assert_eq!(Value::Text("5e-1").to_real().unwrap(), Some(0.5));
    }

    #[test]
    fn decimals_keep_their_digits() {
        let cases = [
            ("1", Some(1_000_000_000_000_000_000)),
            ("-0.1", Some(-100_000_000_000_000_000)),
            ("1.5e2", Some(150_000_000_000_000_000_000)),
            ("0.0000000000000000019", Some(1)),
            ("1e-60", Some(0)),
            ("1e30", None),
            ("", None),
            (".", None),
            ("1x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(decimal(text), expected, "{text}");
        }
    }

    #[test]
    fn a_dynamic_is_json_whatever_it_was() {
        let cases = [
            (Value::Text("a\"b"), r#""a\"b""#),
            (Value::Real(1e300), "1e300"),
            (Value::Real(f64::NAN), "\"NaN\""),
            (Value::Json("{\"a\":1}"), "{\"a\":1}"),
            (Value::Bool(true), "true"),
        ];
        for (value, expected) in cases {
            let mut bytes = Vec::new();
            assert!(value.write_dynamic(&mut bytes));
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }
}
