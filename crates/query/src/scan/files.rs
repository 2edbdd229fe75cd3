//! Files as tables, without a store: Parquet, Delta folders, CSV and JSON lines. Parquet is read as the query needs it;
//! the text formats are read once, whole, and their columns' types are what all their values fit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, TimeUnit};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::datasource::{MemTable, ViewTable, provider_as_source};
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, lit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value as Json;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Column, Schema, Ticks, Type};

use crate::error::QueryError;
use crate::functions::convert;
use crate::functions::frame::value::{Builder, Value};
use crate::plan::column;
use crate::runtime::{DECIMAL_PRECISION, DECIMAL_SCALE, arrow_schema, arrow_type, null_of};
use crate::tables::Tables;

/// Tables over files, by name.
#[derive(Debug, Default)]
pub struct FileTables {
    tables: BTreeMap<String, (Schema, Arc<dyn TableProvider>)>,
}

impl FileTables {
    /// Adds a table over the files that `pattern` names: a file, a folder, a Delta table's folder, or a glob.
    pub async fn add(&mut self, name: &str, pattern: &str) -> Result<(), QueryError> {
        let files = files(pattern).await?;
        let wrong = |path: &Path, error: &dyn std::fmt::Display| {
            QueryError::execution(format!("table {name}: {}: {error}", path.display()))
        };
        let formats: Vec<Format> =
            files.iter().map(|path| Format::of(path).map_err(|error| wrong(path, &error))).collect::<Result<_, _>>()?;
        if let Some(at) = formats.iter().position(|format| *format != formats[0]) {
            return Err(wrong(&files[at], &"has another format than the table's other files"));
        }
        let table = match formats[0] {
            Format::Parquet => parquet_table(name, &files)?,
            format => {
                let mut rows = Rows::default();
                for path in &files {
                    let read = match format {
                        Format::Csv => rows.csv(path).map_err(|error| error.to_string()),
                        _ => rows.json_lines(path),
                    };
                    read.map_err(|error| wrong(path, &error))?;
                }
                rows.table(format)?
            }
        };
        self.tables.insert(name.to_owned(), table);
        Ok(())
    }
}

impl Tables for FileTables {
    fn names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    fn schema(&self, source: &TableSource, name: &str) -> Option<Schema> {
        match source {
            TableSource::Local => self.tables.get(name).map(|(schema, _)| schema.clone()),
            _ => None,
        }
    }

    fn provider(&self, _source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        match self.tables.get(name) {
            Some((_, provider)) => Ok(Arc::clone(provider)),
            None => Err(QueryError::execution(format!("no files were given for the table {name}"))),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Csv,
    JsonLines,
}

impl Format {
    fn of(path: &Path) -> Result<Format, &'static str> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            "parquet" => Ok(Format::Parquet),
            "csv" => Ok(Format::Csv),
            "jsonl" | "ndjson" | "json" => Ok(Format::JsonLines),
            _ => Err("its name ends in none of .parquet, .csv, .jsonl, .ndjson, .json"),
        }
    }
}

/// The files that a pattern names, in order.
async fn files(pattern: &str) -> Result<Vec<PathBuf>, QueryError> {
    let path = Path::new(pattern);
    if path.join("_delta_log").is_dir() {
        return watchkeeper_store::delta_data_files(path)
            .await
            .map_err(|error| QueryError::execution(error.to_string()))
            .and_then(|files| some_files(pattern, files));
    }
    let pattern_of_files = if path.is_dir() { format!("{}/*.*", glob::Pattern::escape(pattern)) } else { pattern.into() };
    let found = if path.is_file() {
        vec![path.to_path_buf()]
    } else {
        let paths = glob::glob(&pattern_of_files)
            .map_err(|error| QueryError::execution(format!("`{pattern}` is not a path or a pattern: {error}")))?;
        paths.filter_map(Result::ok).filter(|path| path.is_file()).collect()
    };
    some_files(pattern, found)
}

fn some_files(pattern: &str, files: Vec<PathBuf>) -> Result<Vec<PathBuf>, QueryError> {
    if files.is_empty() {
        return Err(QueryError::execution(format!("there are no files at `{pattern}`; check the path and its wildcards")));
    }
    Ok(files)
}

fn parquet_table(name: &str, files: &[PathBuf]) -> Result<(Schema, Arc<dyn TableProvider>), QueryError> {
    let mut schemas = Vec::new();
    let mut urls = Vec::new();
    for path in files {
        let wrong =
            |error: &dyn std::fmt::Display| QueryError::execution(format!("table {name}: {}: {error}", path.display()));
        let file = std::fs::File::open(path).map_err(|error| wrong(&error))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(&error))?;
        schemas.push(reader.schema().as_ref().clone());
        let absolute = std::path::absolute(path).map_err(|error| wrong(&error))?;
        urls.push(ListingTableUrl::parse(absolute.to_string_lossy())?);
    }
    let merged = ArrowSchema::try_merge(schemas)
        .map_err(|error| QueryError::execution(format!("table {name}: its files have different columns: {error}")))?;
    let stored: Vec<(&Arc<Field>, Type)> =
        merged.fields().iter().filter_map(|field| Some((field, kql_type(field)?))).collect();
    let schema = Schema::new(stored.iter().map(|(field, ty)| Column::new(field.name(), *ty)).collect());
    let columns: Vec<Expr> = stored.iter().map(|(field, ty)| runtime_form(field, *ty).alias(field.name())).collect();
    let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension("");
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(Arc::new(merged.clone()));
    let listing = provider_as_source(Arc::new(ListingTable::try_new(config)?));
    let plan = LogicalPlanBuilder::scan("files", listing, None)?.project(columns)?.build()?;
    Ok((schema, Arc::new(ViewTable::new(plan, None))))
}

/// The type of a stored column; none for those that the language has no type for.
fn kql_type(field: &Field) -> Option<Type> {
    if let Some(name) = field.metadata().get(watchkeeper_store::KQL_TYPE) {
        return Type::from_name(name);
    }
    Some(match field.data_type() {
        DataType::Boolean => Type::Bool,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => Type::Int,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Type::Long,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Type::Real,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            Type::Decimal
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Type::Datetime,
        DataType::Duration(_) => Type::Timespan,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Type::String,
        DataType::Dictionary(_, value) if matches!(**value, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
            Type::String
        }
        _ => return None,
    })
}

fn runtime_form(field: &Field, ty: Type) -> Expr {
    let stored = column(field.name());
    match (ty, field.data_type()) {
        (Type::Datetime, DataType::Timestamp(TimeUnit::Nanosecond, _)) => {
            cast(stored, DataType::Int64) / lit(100_i64) + lit(Ticks::UNIX_EPOCH.0)
        }
        (Type::Datetime, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) => {
            let micros = cast(cast(stored, DataType::Timestamp(TimeUnit::Microsecond, None)), DataType::Int64);
            micros * lit(Ticks::PER_MICROSECOND) + lit(Ticks::UNIX_EPOCH.0)
        }
        (Type::Timespan, DataType::Duration(unit)) => {
            let number = cast(stored, DataType::Int64);
            match unit {
                TimeUnit::Second => number * lit(Ticks::PER_SECOND),
                TimeUnit::Millisecond => number * lit(Ticks::PER_MILLISECOND),
                TimeUnit::Microsecond => number * lit(Ticks::PER_MICROSECOND),
                TimeUnit::Nanosecond => number / lit(100_i64),
            }
        }
        (Type::Decimal, _) => cast(stored, DataType::Decimal128(DECIMAL_PRECISION, DECIMAL_SCALE)),
        (Type::String, _) => coalesce(vec![cast(stored, DataType::Utf8View), lit(null_of(Type::String))]),
        (_, found) if *found == arrow_type(ty) => stored,
        _ => cast(stored, arrow_type(ty)),
    }
}

/// Rows of text files: the columns in the order in which they were met, and each row's values by column.
#[derive(Default)]
struct Rows {
    names: Vec<String>,
    rows: Vec<Vec<Json>>,
}

impl Rows {
    fn index(&mut self, name: &str) -> usize {
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    fn put(row: &mut Vec<Json>, at: usize, value: Json) {
        if row.len() <= at {
            row.resize(at + 1, Json::Null);
        }
        row[at] = value;
    }

    fn csv(&mut self, path: &Path) -> Result<(), csv::Error> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path)?;
        let places: Vec<usize> = reader.headers()?.clone().iter().map(|name| self.index(name.trim_start_matches('\u{feff}'))).collect();
        for record in reader.records() {
            let mut row = Vec::with_capacity(places.len());
            for (cell, at) in record?.iter().zip(&places) {
                Self::put(&mut row, *at, Json::String(cell.to_owned()));
            }
            self.rows.push(row);
        }
        Ok(())
    }

    fn json_lines(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let object: serde_json::Map<String, Json> = serde_json::from_str(line)
                .map_err(|error| format!("line {} is not a JSON object: {error}", number + 1))?;
            let mut row = Vec::with_capacity(self.names.len());
            for (name, value) in object {
                let at = self.index(&name);
                Self::put(&mut row, at, value);
            }
            self.rows.push(row);
        }
        Ok(())
    }

    fn table(&self, format: Format) -> Result<(Schema, Arc<dyn TableProvider>), QueryError> {
        let mut columns = Vec::new();
        let mut arrays = Vec::new();
        for (at, name) in self.names.iter().enumerate() {
            let values = || self.rows.iter().map(|row| row.get(at).unwrap_or(&Json::Null));
            let ty = if format == Format::Csv { type_of_texts(values()) } else { type_of_values(values()) };
            let mut builder = Builder::new(ty, self.rows.len());
            values().for_each(|value| builder.push(&cell(value, ty)));
            columns.push(Column::new(name, ty));
            arrays.push(builder.finish());
        }
        let schema = Schema::new(columns);
        let arrow = arrow_schema(&schema);
        let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&arrow), arrays, &options)
            .map_err(|error| QueryError::execution(error.to_string()))?;
        Ok((schema, Arc::new(MemTable::try_new(arrow, vec![vec![batch]])?)))
    }
}

/// The narrowest type that all written texts fit; the empty text fits every type.
fn type_of_texts<'j>(values: impl Iterator<Item = &'j Json>) -> Type {
    let texts: Vec<&str> = values.filter_map(Json::as_str).filter(|text| !text.is_empty()).collect();
    let all = |fits: fn(&str) -> bool| !texts.is_empty() && texts.iter().all(|text| fits(text));
    if all(|text| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")) {
        Type::Bool
    } else if all(|text| text.parse::<i64>().is_ok()) {
        Type::Long
    } else if all(|text| text.parse::<f64>().is_ok()) {
        Type::Real
    } else if all(is_datetime) {
        Type::Datetime
    } else {
        Type::String
    }
}

fn type_of_values<'j>(values: impl Iterator<Item = &'j Json>) -> Type {
    let values: Vec<&Json> = values.filter(|value| !value.is_null()).collect();
    let all = |fits: fn(&Json) -> bool| !values.is_empty() && values.iter().all(|value| fits(value));
    if all(Json::is_boolean) {
        Type::Bool
    } else if all(|value| value.as_i64().is_some()) {
        Type::Long
    } else if all(Json::is_number) {
        Type::Real
    } else if all(|value| value.as_str().is_some_and(is_datetime)) {
        Type::Datetime
    } else if all(Json::is_string) {
        Type::String
    } else {
        Type::Dynamic
    }
}

/// A date with a year first, as machines write it.
fn is_datetime(text: &str) -> bool {
    let shape = text.as_bytes();
    shape.len() >= 10
        && shape[..4].iter().all(u8::is_ascii_digit)
        && shape[4] == b'-'
        && !convert::to(&Value::string(text), Type::Datetime).is_null()
}

fn cell(value: &Json, ty: Type) -> Value<'_> {
    match (value, ty) {
        (Json::Null, Type::String) => Value::string(""),
        (Json::Null, _) => Value::Null,
        (value, Type::Dynamic) => Value::json(value),
        (Json::String(text), Type::String) => Value::string(text.as_str()),
        (Json::String(text), Type::Bool) => match text.is_empty() {
            true => Value::Null,
            false => Value::Bool(text.eq_ignore_ascii_case("true")),
        },
        (Json::String(text), ty) => convert::to(&Value::string(text.as_str()), ty).into_owned(),
        (Json::Bool(value), _) => Value::Bool(*value),
        (value, Type::Long) => value.as_i64().map_or(Value::Null, Value::Long),
        (value, _) => value.as_f64().map_or(Value::Null, Value::Real),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn schema(name: &str, text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let mut tables = FileTables::default();
        match tables.add("t", &path.to_string_lossy()).await {
            Ok(()) => {
                let schema = tables.schema(&TableSource::Local, "t").expect("the table");
                let columns: Vec<String> = schema.columns.iter().map(|c| format!("{}:{}", c.name, c.ty)).collect();
                columns.join(",")
            }
            Err(error) => error.to_string().replace(&*folder.path().to_string_lossy(), ""),
        }
    }

    #[tokio::test]
    async fn columns_of_text_files_have_the_narrowest_type_that_fits_all_values() {
        for (name, text, expected) in [
            (
                "a.csv",
                "when,n,x,ok,s\n2026-01-02T03:04:05Z,1,1.5,true,a\n,,2,FALSE,1\n",
                "when:datetime,n:long,x:real,ok:bool,s:string",
            ),
            (
                "a.jsonl",
                "{\"n\":1,\"d\":{\"a\":1}}\n\n{\"n\":2,\"d\":3,\"s\":\"x\",\"t\":\"2026-01-02\"}\n",
                "n:long,d:dynamic,s:string,t:datetime",
            ),
            ("a.jsonl", "{}\n[1]\n", "table t: /a.jsonl: line 2 is not a JSON object"),
            ("a.txt", "x", "table t: /a.txt: its name ends in none of"),
        ] {
            let found = schema(name, text).await;
            assert!(found.starts_with(expected), "{name}: {found}");
        }
    }

    #[tokio::test]
    async fn a_pattern_without_files_is_an_error() {
        let error = FileTables::default().add("t", "/nowhere/*.csv").await.expect_err("no files");
        assert!(error.to_string().contains("there are no files at `/nowhere/*.csv`"), "{error}");
    }
}
