//! Files with one JSON object a line: which columns they have, and their rows.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatchOptions;
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use serde_json::value::RawValue;
use watchkeeper_kql::Type;
use watchkeeper_store::KQL_TYPE;

use crate::functions::convert::{read, to};
use crate::functions::frame::json;
use crate::functions::frame::value::{Builder, Value};
use crate::runtime::arrow_type;

const BATCH_ROWS: usize = 8192;

/// The properties of one line, in its order. A later value of the same name counts.
pub struct Line<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Line<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Line<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut properties = Vec::new();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    properties.push((name.0, map.next_value()?));
                }
                Ok(Line(properties))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Calls `each` with every line that is not blank.
fn lines(path: &Path, mut each: impl FnMut(&Line<'_>) -> Result<bool>) -> Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut text = String::new();
    let mut number = 0u64;
    loop {
        text.clear();
        number += 1;
        if reader.read_line(&mut text)? == 0 {
            return Ok(());
        }
        let line = text.trim_start_matches('\u{feff}').trim();
        if line.is_empty() {
            continue;
        }
        let line: Line<'_> = serde_json::from_str(line).map_err(|error| {
            DataFusionError::Execution(format!("line {number} of {} is not a JSON object: {error}", path.display()))
        })?;
        if !each(&line)? {
            return Ok(());
        }
    }
}

/// The type that a value shows; none for null.
pub fn type_of(raw: &RawValue) -> Option<Type> {
    let text = raw.get();
    Some(match text.as_bytes().first()? {
        b'n' => return None,
        b't' | b'f' => Type::Bool,
        b'{' | b'[' => Type::Dynamic,
        b'"' => {
            let text = json::unquote(text)?;
            // a date with its year first, as machines write it
            let bytes = text.as_bytes();
            let dated = bytes.len() >= 10 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-';
            if dated && read::datetime(&text).is_some() { Type::Datetime } else { Type::String }
        }
        _ if text.parse::<i64>().is_ok() => Type::Long,
        _ => Type::Real,
    })
}

/// The type that holds the values of both.
pub fn common(one: Type, other: Type) -> Type {
    match (one, other) {
        _ if one == other => one,
        (Type::Long, Type::Real) | (Type::Real, Type::Long) => Type::Real,
        (Type::Datetime, Type::String) | (Type::String, Type::Datetime) => Type::String,
        _ => Type::Dynamic,
    }
}

/// The columns of the files, in the order in which they first occur. Values of different types make a column dynamic.
pub fn infer(paths: &[PathBuf]) -> Result<SchemaRef> {
    let mut columns: Vec<(String, Option<Type>)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for path in paths {
        lines(path, |line| {
            for (name, raw) in &line.0 {
                let at = match known.get(name.as_ref()) {
                    Some(at) => *at,
                    None => {
                        columns.push((name.to_string(), None));
                        known.insert(name.to_string(), columns.len() - 1);
                        columns.len() - 1
                    }
                };
                if let Some(ty) = type_of(raw) {
                    columns[at].1 = Some(columns[at].1.map_or(ty, |known| common(known, ty)));
                }
            }
            Ok(true)
        })?;
    }
    let fields = columns.into_iter().map(|(name, ty)| {
        let ty = ty.unwrap_or(Type::Dynamic);
        let metadata = [(KQL_TYPE.to_string(), ty.name().to_string())];
        Field::new(name, arrow_type(ty), true).with_metadata(metadata.into())
    });
    Ok(Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>())))
}

/// The rows of one file; `schema` is of some of the columns that [`infer`] found.
pub fn stream(path: PathBuf, schema: SchemaRef) -> Arc<dyn PartitionStream> {
    Arc::new(JsonLines { path, schema })
}

#[derive(Debug)]
struct JsonLines {
    path: PathBuf,
    schema: SchemaRef,
}

impl PartitionStream for JsonLines {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), 2);
        let (path, schema, out) = (self.path.clone(), Arc::clone(&self.schema), stream.tx());
        stream.spawn_blocking(move || {
            let mut rows = Rows::new(schema);
            let mut open = true;
            lines(&path, |line| {
                rows.push(line);
                if rows.len == BATCH_ROWS {
                    open = out.blocking_send(rows.take()).is_ok();
                }
                Ok(open)
            })?;
            if open && rows.len > 0 {
                // a reader that went away needs no rows
                let _ = out.blocking_send(rows.take());
            }
            Ok(())
        });
        stream.build()
    }
}

/// Rows on their way into a batch.
struct Rows {
    schema: SchemaRef,
    types: Vec<Type>,
    builders: Vec<Builder>,
    len: usize,
}

impl Rows {
    fn new(schema: SchemaRef) -> Rows {
        let types: Vec<Type> = schema.fields().iter().map(|field| super::form::type_of(field)).collect();
        let builders = types.iter().map(|ty| Builder::new(*ty, BATCH_ROWS)).collect();
        Rows { schema, types, builders, len: 0 }
    }

    fn push(&mut self, line: &Line<'_>) {
        self.len += 1;
        for ((field, ty), builder) in self.schema.fields().iter().zip(&self.types).zip(&mut self.builders) {
            let raw = line.0.iter().rev().find(|(name, _)| name == field.name()).map(|(_, raw)| raw.get());
            let compact = raw.filter(|raw| *raw != "null").and_then(json::compact);
            match compact {
                None => builder.push(&Value::Null),
                Some(text) => builder.push(&to(&Value::Dynamic(text), *ty)),
            }
        }
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.len)));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}
