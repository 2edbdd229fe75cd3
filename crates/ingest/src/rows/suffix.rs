//! Columns named by property and type, as the Data Collector API makes them ("Record type and properties"): a value
//! goes to the column of its own type; else, a text that can be converted, to a column that is there; else a new
//! column is made.

use uuid::Uuid;
use watchkeeper_kql::Type;

use super::value::Value;
use super::{RowsBuilder, Slot, custom_name, is_standard, time};

/// A property and the columns that its values have gone to.
#[derive(Debug)]
pub(super) struct Property {
    name: String,
    columns: [Option<usize>; 5],
}

/// By order of preference when a text has to be converted.
const KINDS: [(&str, Type); 5] = [
    ("_s", Type::String),
    ("_d", Type::Real),
    ("_b", Type::Bool),
    ("_t", Type::Datetime),
    // "GUID (stored as a string)"
    ("_g", Type::String),
];
const TEXT: usize = 0;
const NUMBER: usize = 1;
const BOOL: usize = 2;
const TIME: usize = 3;
const GUID: usize = 4;

pub(super) fn slot(rows: &mut RowsBuilder, property: &str) -> Slot {
    if property.eq_ignore_ascii_case("tenant") || is_standard(property) || property.eq_ignore_ascii_case("RawData") {
        return Slot::Refused("the property name is reserved");
    }
    if let Err(reason) = custom_name(property) {
        return Slot::Refused(reason);
    }
    if property.len() + 2 > crate::limits::CUSTOM_COLUMN_CHARS {
        return Slot::Refused("the name has more than 45 characters with the suffix of its type");
    }
    let columns = KINDS.map(|(suffix, _)| rows.index.get(&format!("{property}{suffix}")).copied());
    rows.suffixed.push(Property { name: property.to_owned(), columns });
    Slot::Suffixed(rows.suffixed.len() - 1)
}

pub(super) fn set(rows: &mut RowsBuilder, at: usize, value: &Value<'_>) -> Result<(), String> {
    let kind = match value {
        Value::Null => return Ok(()),
        Value::Bool(_) => BOOL,
        Value::Long(_) | Value::Unsigned(_) | Value::Real(_) => NUMBER,
        Value::Json(_) => TEXT,
        Value::Text(text) if looks_like_guid(text) => GUID,
        Value::Text(text) if time::datetime_by_look(text).is_some() => TIME,
        Value::Text(_) => TEXT,
    };
    let columns = rows.suffixed[at].columns;
    if let Some(column) = columns[kind] {
        return put(rows, column, value);
    }
    if let Value::Text(text) = value {
        for (other, column) in columns.iter().enumerate() {
            let Some(column) = column else { continue };
            // a guid column is a string column: it takes guids alone
            let fits = other != GUID || looks_like_guid(text);
            if fits && !text.trim().is_empty() && put(rows, *column, value).is_ok() {
                return Ok(());
            }
            rows.columns[*column].truncate(rows.rows);
        }
    }
    let name = format!("{}{}", rows.suffixed[at].name, KINDS[kind].0);
    let column = rows.add_column(name, KINDS[kind].1)?;
    rows.suffixed[at].columns[kind] = Some(column);
    put(rows, column, value)
}

fn put(rows: &mut RowsBuilder, column: usize, value: &Value<'_>) -> Result<(), String> {
    rows.columns[column].set(rows.rows, value, rows.options.field_bytes).map_err(|error| error.0)
}

fn looks_like_guid(text: &str) -> bool {
    matches!(text.len(), 36 | 38) && text.contains('-') && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use watchkeeper_kql::Column;

    use super::super::{Options, TimePolicy, Unknown};
    use super::*;

    fn send(columns: &mut Vec<Column>, rows: &[&[(&str, Value<'_>)]]) -> Vec<String> {
        let options = Options { unknown: Unknown::Suffix, time: TimePolicy::Recent, field_bytes: 100, now: 0 };
        let mut builder = RowsBuilder::new("T_CL", columns, options);
        for row in rows {
            for (place, (name, value)) in row.iter().enumerate() {
                let slot = builder.slot(place, name);
                builder.set(slot, name, *value);
            }
            builder.end_row();
        }
        let sent = builder.finish_whole().unwrap();
        let names = sent.new_columns.iter().map(|column| format!("{}:{}", column.name, column.ty)).collect();
        columns.extend(sent.new_columns);
        names
    }

    /// The four submissions of the documentation, "Record type and properties".
    #[test]
    fn the_documented_submissions_make_the_documented_columns() {
        let first: &[_] =
            &[("number", Value::Long(42)), ("boolean", Value::Bool(true)), ("string", Value::Text("text"))];
        let as_texts: &[_] =
            &[("number", Value::Text("42")), ("boolean", Value::Text("true")), ("string", Value::Text("text"))];
        let other: &[_] = &[("number", Value::Long(4)), ("boolean", Value::Long(4)), ("string", Value::Long(4))];
        let mut columns = vec![];
        assert_eq!(send(&mut columns, &[first]), ["number_d:real", "boolean_b:bool", "string_s:string"]);
        assert!(send(&mut columns, &[as_texts]).is_empty());
        assert_eq!(send(&mut columns, &[other]), ["boolean_d:real", "string_d:real"]);
        assert_eq!(send(&mut vec![], &[as_texts]), ["number_s:string", "boolean_s:string", "string_s:string"]);
    }

    #[test]
    fn types_are_seen_in_the_texts() {
        let guid = Value::Text("9909ED01-A74C-4874-8ABF-D2678E3AE23D");
        let row: &[_] = &[
            ("when", Value::Text("2019-09-12T20:00:00.625Z")),
            ("id", guid),
            ("nested", Value::Json("{\"a\":1}")),
            ("nothing", Value::Null),
        ];
        assert_eq!(send(&mut vec![], &[row]), ["when_t:datetime", "id_g:string", "nested_s:string"]);
    }

    #[test]
    fn a_text_that_fits_no_column_of_its_name_makes_a_new_one() {
        let mut columns = vec![];
        send(&mut columns, &[&[("x", Value::Long(1))]]);
        assert_eq!(send(&mut columns, &[&[("x", Value::Text("one"))], &[("x", Value::Text("2"))]]), ["x_s:string"]);
    }
}
