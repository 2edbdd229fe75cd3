//! What the Delta log says about a file's columns: minimum, maximum, number of nulls.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use watchkeeper_kql::{Column, Type};

use crate::limits::{STATISTICS_COLUMNS, STATISTICS_TEXT_CHARS};

/// The smallest or largest stored value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    Bool(bool),
    /// int, long, timespan (ticks), datetime (microseconds since the Unix epoch).
    Long(i64),
    Real(f64),
    /// Possibly cut; a cut maximum is above every value.
    Text(String),
}

/// Of one column of a file. An absent bound is unknown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnStatistics {
    pub min: Option<Bound>,
    pub max: Option<Bound>,
    pub nulls: Option<u64>,
}

/// Of a file, by column name. A column that is not here is unknown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileStatistics {
    pub rows: u64,
    pub columns: BTreeMap<String, ColumnStatistics>,
}

impl FileStatistics {
    pub(crate) fn of(rows: &RecordBatch) -> FileStatistics {
        let mut columns = BTreeMap::new();
        for (field, array) in rows.schema().fields().iter().zip(rows.columns()).take(STATISTICS_COLUMNS) {
            columns.insert(field.name().clone(), column(array));
        }
        FileStatistics { rows: rows.num_rows() as u64, columns }
    }

    /// The form of the Delta log.
    pub(crate) fn to_json(&self, columns: &[Column]) -> String {
        let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
        for column in columns {
            let Some(of) = self.columns.get(&column.name) else { continue };
            for (bound, values) in [(&of.min, &mut min), (&of.max, &mut max)] {
                if let Some(value) = bound.as_ref().and_then(|bound| bound_to_json(bound, column.ty)) {
                    values.insert(column.name.clone(), value);
                }
            }
            if let Some(count) = of.nulls {
                nulls.insert(column.name.clone(), json!(count));
            }
        }
        json!({"numRecords": self.rows, "minValues": min, "maxValues": max, "nullCount": nulls}).to_string()
    }

    /// Reads the form of the Delta log; what is not understood is unknown.
    pub(crate) fn from_json(text: &str, columns: &[Column]) -> FileStatistics {
        let Ok(value) = serde_json::from_str::<Value>(text) else { return FileStatistics::default() };
        let mut statistics =
            FileStatistics { rows: value["numRecords"].as_u64().unwrap_or(0), columns: BTreeMap::new() };
        for column in columns {
            let bound = |side: &str| bound_from_json(&value[side][&column.name], column.ty);
            let of = ColumnStatistics {
                min: bound("minValues"),
                max: bound("maxValues"),
                nulls: value["nullCount"][&column.name].as_u64(),
            };
            if of != ColumnStatistics::default() {
                statistics.columns.insert(column.name.clone(), of);
            }
        }
        statistics
    }
}

fn column(array: &ArrayRef) -> ColumnStatistics {
    let pair = match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean();
            (compute::min_boolean(array).map(Bound::Bool), compute::max_boolean(array).map(Bound::Bool))
        }
        DataType::Int32 => {
            let array = array.as_primitive::<Int32Type>();
            let bound = |value: Option<i32>| value.map(|value| Bound::Long(value.into()));
            (bound(compute::min(array)), bound(compute::max(array)))
        }
        DataType::Int64 => {
            let array = array.as_primitive::<Int64Type>();
            (compute::min(array).map(Bound::Long), compute::max(array).map(Bound::Long))
        }
        DataType::Timestamp(..) => {
            let array = array.as_primitive::<TimestampMicrosecondType>();
            (compute::min(array).map(Bound::Long), compute::max(array).map(Bound::Long))
        }
        DataType::Float64 => {
            let array = array.as_primitive::<Float64Type>();
            match (compute::min(array), compute::max(array)) {
                // NaN and infinity have no form in JSON
                (Some(min), Some(max)) if min.is_finite() && max.is_finite() => {
                    (Some(Bound::Real(min)), Some(Bound::Real(max)))
                }
                _ => (None, None),
            }
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            let min = compute::min_string_view(array).map(|text| Bound::Text(cut(text).to_owned()));
            (min, compute::max_string_view(array).map(|text| Bound::Text(cut_above(text))))
        }
        _ => (None, None),
    };
    ColumnStatistics { min: pair.0, max: pair.1, nulls: Some(array.null_count() as u64) }
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(STATISTICS_TEXT_CHARS).map_or(text, |(at, _)| &text[..at])
}

/// The text, or if it is long, its beginning with the last code point behind it: above every text that begins so.
fn cut_above(text: &str) -> String {
    let beginning = cut(text);
    if beginning.len() == text.len() { text.to_owned() } else { format!("{beginning}{}", char::MAX) }
}

fn bound_to_json(bound: &Bound, ty: Type) -> Option<Value> {
    Some(match bound {
        Bound::Bool(value) => json!(value),
        Bound::Long(value) if ty == Type::Datetime => {
            let time = DateTime::<Utc>::from_timestamp_micros(*value)?;
            json!(time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
        }
        Bound::Long(value) => json!(value),
        Bound::Real(value) => json!(value),
        Bound::Text(value) => json!(value),
    })
}

fn bound_from_json(value: &Value, ty: Type) -> Option<Bound> {
    match ty {
        Type::Bool => value.as_bool().map(Bound::Bool),
        Type::Int | Type::Long | Type::Timespan => value.as_i64().map(Bound::Long),
        Type::Real => value.as_f64().map(Bound::Real),
        Type::Datetime => {
            let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
            Some(Bound::Long(time.timestamp_micros()))
        }
        Type::String | Type::Guid | Type::Dynamic => value.as_str().map(|text| Bound::Text(text.to_owned())),
        Type::Decimal => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    #[test]
    fn statistics_survive_the_delta_log() {
        let long = "x".repeat(100);
        let rows = RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(vec![Some(3), None, Some(-1)])) as ArrayRef),
            ("t", Arc::new(TimestampMicrosecondArray::from(vec![1, 2, -1]).with_timezone("UTC")) as ArrayRef),
            ("s", Arc::new(StringViewArray::from_iter_values(["b", &long, "c"])) as ArrayRef),
            ("r", Arc::new(Float64Array::from(vec![f64::NAN; 3])) as ArrayRef),
        ])
        .unwrap();
        let all = FileStatistics::of(&rows);
        assert_eq!((all.rows, all.columns["n"].nulls), (3, Some(1)));
        assert_eq!(all.columns["n"].min, Some(Bound::Long(-1)));
        assert_eq!(all.columns["n"].max, Some(Bound::Long(3)));
        assert_eq!(all.columns["s"].min, Some(Bound::Text("b".into())));
        assert!(matches!(&all.columns["s"].max, Some(Bound::Text(max)) if *max > long));
        assert_eq!(all.columns["r"].max, None);
        let columns = [("n", Type::Long), ("t", Type::Datetime), ("s", Type::String), ("r", Type::Real)]
            .map(|(name, ty)| Column::new(name, ty));
        assert_eq!(FileStatistics::from_json(&all.to_json(&columns), &columns), all);
    }
}
