//! JSON texts straight into columns: one pass, no tree, no allocation for a value.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::value::Value;
use super::{RowsBuilder, Slot};
use crate::error::IngestError;
use crate::limits::JSON_DEPTH;

/// Reads an array of objects, or one object, one row each.
///
/// # Errors
/// When the text is not JSON of that shape; what is wrong with single rows is in `rows`.
pub fn read(body: &[u8], rows: &mut RowsBuilder) -> Result<(), IngestError> {
    let text = utf8(body)?;
    read_text(text, rows, Shape::Records)
}

/// Reads one object a line; empty lines are skipped.
///
/// # Errors
/// When a line is not a JSON object, with the line's number.
pub fn read_lines(text: &str, rows: &mut RowsBuilder) -> Result<(), IngestError> {
    for (line, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        read_text(text, rows, Shape::Record)
            .map_err(|error| IngestError::Format(format!("line {}: {error}", line + 1)))?;
    }
    Ok(())
}

/// Reads one row from a text that should be one object. What is wrong with it is in `rows`.
pub fn read_line(text: &[u8], rows: &mut RowsBuilder) {
    let (position, kept) = (rows.position(), rows.rows());
    if let Err(error) = utf8(text).and_then(|text| read_text(text, rows, Shape::Record)) {
        let reason = error.to_string();
        if rows.position() == position {
            rows.fail_row(reason);
            rows.end_row();
        } else {
            rows.withdraw(kept, reason);
        }
    }
}

pub(crate) fn utf8(body: &[u8]) -> Result<&str, IngestError> {
    std::str::from_utf8(body)
        .map_err(|error| IngestError::Format(format!("the text is not UTF-8 at byte {}", error.valid_up_to())))
}

fn read_text(text: &str, rows: &mut RowsBuilder, shape: Shape) -> Result<(), IngestError> {
    let failed = |error: sonic_rs::Error| {
        // the message has a picture of the place below its first line
        let message = error.to_string();
        IngestError::Format(format!("invalid JSON: {}", message.lines().next().unwrap_or_default().trim()))
    };
    let mut deserializer = sonic_rs::Deserializer::from_str(text);
    let mut scratch = Scratch::default();
    Top { rows, scratch: &mut scratch, shape }.deserialize(&mut deserializer).map_err(failed)?;
    deserializer.end().map_err(failed)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Record,
    Records,
}

/// Memory that is used again for each value.
#[derive(Debug, Default)]
struct Scratch {
    property: String,
    json: Vec<u8>,
}

struct Top<'a> {
    rows: &'a mut RowsBuilder,
    scratch: &'a mut Scratch,
    shape: Shape,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.shape == Shape::Records { "an array of objects" } else { "an object" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if self.shape == Shape::Record {
            return Err(A::Error::custom("an array where an object is expected"));
        }
        while elements.next_element_seed(Record { rows: self.rows, scratch: self.scratch })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, properties: A) -> Result<(), A::Error> {
        Record { rows: self.rows, scratch: self.scratch }.visit_map(properties)
    }
}

/// One element of the array.
struct Record<'a> {
    rows: &'a mut RowsBuilder,
    scratch: &'a mut Scratch,
}

impl Record<'_> {
    fn not_an_object<E>(self, what: &str) -> Result<(), E> {
        self.rows.fail_row(format!("{what} where an object is expected"));
        self.rows.end_row();
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Record<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<(), A::Error> {
        let mut place = 0;
        loop {
            let key = Key { rows: self.rows, place, property: &mut self.scratch.property };
            let Some(slot) = properties.next_key_seed(key)? else { break };
            properties.next_value_seed(Cell { rows: self.rows, scratch: self.scratch, slot })?;
            place += 1;
        }
        self.rows.end_row();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        // read with a limit of depth: the parser itself would skip any depth, on the stack
        self.scratch.json.clear();
        while elements.next_element_seed(Json(&mut self.scratch.json, JSON_DEPTH))?.is_some() {}
        self.not_an_object("an array")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.not_an_object("null")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.not_an_object("a bool")
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.not_an_object("a number")
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.not_an_object("a number")
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.not_an_object("a number")
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.not_an_object("a text")
    }
}

struct Key<'a> {
    rows: &'a mut RowsBuilder,
    place: usize,
    property: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Slot;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Slot, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Slot;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a property name")
    }
    fn visit_str<E>(self, name: &str) -> Result<Slot, E> {
        self.property.clear();
        self.property.push_str(name);
        Ok(self.rows.slot(self.place, name))
    }
}

struct Cell<'a> {
    rows: &'a mut RowsBuilder,
    scratch: &'a mut Scratch,
    slot: Slot,
}

impl Cell<'_> {
    fn set<E>(self, value: Value<'_>) -> Result<(), E> {
        self.rows.set(self.slot, &self.scratch.property, value);
        Ok(())
    }

    fn set_json<E: serde::de::Error>(self, write: impl FnOnce(Json<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut json = std::mem::take(&mut self.scratch.json);
        json.clear();
        write(Json(&mut json, JSON_DEPTH))?;
        let text = std::str::from_utf8(&json).map_err(E::custom)?;
        self.rows.set(self.slot, &self.scratch.property, Value::Json(text));
        self.scratch.json = json;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.set(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.set(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.set(Value::Long(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.set(unsigned(value))
    }
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.set(Value::Real(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.set(Value::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<(), A::Error> {
        self.set_json(|json| json.visit_seq(elements))
    }
    fn visit_map<A: MapAccess<'de>>(self, properties: A) -> Result<(), A::Error> {
        self.set_json(|json| json.visit_map(properties))
    }
}

fn unsigned(value: u64) -> Value<'static> {
    i64::try_from(value).map_or(Value::Unsigned(value), Value::Long)
}

/// Writes what it reads as compact JSON; the number is how much deeper it may go.
struct Json<'a>(&'a mut Vec<u8>, usize);

impl Json<'_> {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        self.1.checked_sub(1).ok_or_else(|| E::custom(format_args!("values are nested more than {JSON_DEPTH} deep")))
    }

    fn value<E>(self, value: Value<'_>) -> Result<(), E> {
        if !value.write_dynamic(self.0) {
            self.0.extend_from_slice(b"null");
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.value(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.value(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.value(Value::Long(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.value(unsigned(value))
    }
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.value(Value::Real(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.value(Value::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        self.0.push(b'[');
        let start = self.0.len();
        loop {
            let before = self.0.len();
            if before > start {
                self.0.push(b',');
            }
            if elements.next_element_seed(Json(self.0, deeper))?.is_none() {
                self.0.truncate(before);
                break;
            }
        }
        self.0.push(b']');
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        self.0.push(b'{');
        let start = self.0.len();
        loop {
            let before = self.0.len();
            if before > start {
                self.0.push(b',');
            }
            if properties.next_key_seed(Json(self.0, deeper))?.is_none() {
                self.0.truncate(before);
                break;
            }
            self.0.push(b':');
            properties.next_value_seed(Json(self.0, deeper))?;
        }
        self.0.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, Int64Type};
    use watchkeeper_kql::{Column, Type};

    use super::super::{Options, TimePolicy, Unknown};
    use super::*;

    fn builder() -> RowsBuilder {
        let columns = [
            Column::new("s", Type::String),
            Column::new("n", Type::Long),
            Column::new("r", Type::Real),
            Column::new("d", Type::Dynamic),
        ];
        let options = Options { unknown: Unknown::Ignore, time: TimePolicy::Keep, field_bytes: 1000, now: 0 };
        RowsBuilder::new("T_CL", &columns, options)
    }

    #[test]
    fn a_broken_line_is_a_refused_row_and_nothing_of_it_stays() {
        let mut rows = builder();
        for line in [&br#"{"n":1}"#[..], b"{\"n\":2} x", b"{\"n\":3,", b"[]", b"{\"n\":\"\xff\"}", b"{\"n\":4}"] {
            read_line(line, &mut rows);
        }
        let (errors, count) = rows.refused();
        assert_eq!((errors.iter().map(|error| error.row).collect::<Vec<_>>(), count), (vec![1, 2, 3, 4], 4));
        assert_eq!(rows.finish().batch["n"].as_primitive::<Int64Type>().values(), &[1, 4]);
    }

    #[test]
    fn objects_become_rows() {
        let mut rows = builder();
        let body = r#" [ {"s":"a\nb","n":1,"r":1.5,"d":{"k":[1, 2.0,null,"x\"y",{}],"e":[]}}, {"n":null,"r":"2","x":{"ignored":1}},
            {"d":[true,18446744073709551615,1e300],"s":{"a" : 1}} ] "#;
        read(body.as_bytes(), &mut rows).unwrap();
        let batch = rows.finish_whole().unwrap().batch;
        assert_eq!(batch["s"].as_string_view().iter().flatten().collect::<Vec<_>>(), ["a\nb", "", "{\"a\":1}"]);
        assert_eq!(batch["n"].as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None, None]);
        assert_eq!(batch["r"].as_primitive::<Float64Type>().value(1), 2.0);
        assert_eq!(batch["d"].as_string_view().value(0), r#"{"k":[1,2.0,null,"x\"y",{}],"e":[]}"#);
        assert!(batch["d"].is_null(1));
        assert_eq!(batch["d"].as_string_view().value(2), "[true,18446744073709551615,1e300]");
    }

    #[test]
    fn what_is_not_a_list_of_objects_is_refused() {
        let deep = format!("[{{\"d\":{}1{}}}]", "[".repeat(100_000), "]".repeat(100_000));
        let deep_list = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let allowed = format!("[{{\"d\":{}1{}}}]", "[".repeat(JSON_DEPTH), "]".repeat(JSON_DEPTH));
        read(allowed.as_bytes(), &mut builder()).unwrap();
        let cases: [(&[u8], &str); 11] = [
            (b"", "invalid JSON"),
            (b"[{\"s\":1}", "invalid JSON"),
            (b"[{\"s\":1},]", "invalid JSON"),
            (b"[{\"s\":1}] x", "invalid JSON"),
            (b"{\"s\"}", "invalid JSON"),
            (b"[{\"s\":\"\\x\"}]", "invalid JSON"),
            (b"[{\"s\":\"\xff\"}]", "not UTF-8 at byte 7"),
            (b"[{\"n\":01}]", "invalid JSON"),
            (b"42", "array of objects"),
            (b"\"x\"", "array of objects"),
            (deep.as_bytes(), "nested more than 100 deep"),
        ];
        for (body, expected) in cases {
            let error = read(body, &mut builder()).unwrap_err().to_string();
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            assert!(error.contains(expected), "{shown}: {error}");
        }
        let mut rows = builder();
        // an error of the text or of the row, never a row
        let read = read(deep_list.as_bytes(), &mut rows);
        assert!(read.is_err() || rows.finish_whole().is_err());
    }

    #[test]
    fn elements_that_are_no_objects_are_named_by_their_place() {
        let mut rows = builder();
        read(br#"[{"s":"a"}, 1, [1], null, "x", {"n":"x"}]"#, &mut rows).unwrap();
        let error = rows.finish_whole().unwrap_err().to_string();
        for expected in ["row 1: a number", "row 2: an array", "row 3: null", "row 4: a text", "row 5, column n: \"x\""]
        {
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn lines_become_rows() {
        let mut rows = builder();
        read_lines("{\"s\":\"a\"}\n\n{\"s\":\"b\"}\n", &mut rows).unwrap();
        assert_eq!(rows.rows(), 2);
        let error = read_lines("{\"s\":\"a\"}\n[]\n", &mut builder()).unwrap_err().to_string();
        assert!(error.starts_with("line 2: "), "{error}");
    }
}
