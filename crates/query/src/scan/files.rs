//! Tables over paths, without a store: Parquet files, Delta tables, CSV and JSON lines.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema as ArrowSchema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::memory::DataSourceExec;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::common::config::CsvOptions;
use datafusion::common::stats::Precision;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingTableUrl, PartitionedFile};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{CsvSource, FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::{ObjectMeta, ObjectStore};
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Column, Schema};
use watchkeeper_store::{is_delta_table, read_foreign_table};

use super::form::{in_runtime_form, parquet, type_of};
use super::json_lines;
use super::prune::stored_form;
use crate::error::QueryError;
use crate::runtime::arrow_schema;
use crate::tables::Tables;

/// Tables over paths, by name.
#[derive(Debug, Default)]
pub struct FileTables {
    tables: Vec<(String, Arc<FileTable>)>,
}

impl FileTables {
    /// Adds a table: finds its files and the columns in them. A path is a file, a folder (all files below it, or a
    /// Delta table), or a pattern such as `logs/2026-*.parquet`.
    pub async fn add(&mut self, name: &str, path: &str) -> Result<(), QueryError> {
        if self.tables.iter().any(|(known, _)| known == name) {
            return Err(QueryError::execution(format!("the table {name} is given twice")));
        }
        let table = FileTable::open(Path::new(path)).await.map_err(|error| {
            let reason = match QueryError::from(error) {
                QueryError::Execution { message } => message,
                other => other.to_string(),
            };
            QueryError::execution(format!("table {name}: {path}: {reason}"))
        })?;
        self.tables.push((name.to_string(), Arc::new(table)));
        Ok(())
    }

    fn get(&self, source: &TableSource, name: &str) -> Option<&Arc<FileTable>> {
        match source {
            TableSource::Local => self.tables.iter().find(|(known, _)| known == name).map(|(_, table)| table),
            _ => None,
        }
    }
}

impl Tables for FileTables {
    fn names(&self) -> Vec<String> {
        self.tables.iter().map(|(name, _)| name.clone()).collect()
    }

    fn schema(&self, source: &TableSource, name: &str) -> Option<Schema> {
        Some(self.get(source, name)?.schema.clone())
    }

    fn provider(&self, source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        match self.get(source, name) {
            Some(table) => Ok(Arc::clone(table) as Arc<dyn TableProvider>),
            None => Err(QueryError::execution(format!("no path was given for the table {name}"))),
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
    fn of(path: &str) -> Option<Format> {
        let (_, extension) = path.rsplit_once('.')?;
        Some(match extension.to_ascii_lowercase().as_str() {
            "parquet" => Format::Parquet,
            "csv" => Format::Csv,
            "json" | "jsonl" | "ndjson" => Format::JsonLines,
            _ => return None,
        })
    }
}

/// The files of one table.
#[derive(Debug)]
struct FileTable {
    format: Format,
    files: Vec<PartitionedFile>,
    /// The columns in the files, then those of the partitions.
    stored: TableSchema,
    schema: Schema,
    runtime: SchemaRef,
}

impl FileTable {
    async fn open(path: &Path) -> Result<FileTable> {
        if is_delta_table(path) {
            return FileTable::delta(path).await;
        }
        let mut config = SessionConfig::new();
        // a pattern names the files of one folder, a folder all files below it
        config.options_mut().execution.listing_table_ignore_subdirectory = !path.is_dir();
        let context = SessionContext::new_with_config(config);
        let session = context.state();
        let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
        let objects = list(&session, store.as_ref(), path).await?;
        let formats: Vec<Format> = objects.iter().filter_map(|object| Format::of(object.location.as_ref())).collect();
        let Some(format) = formats.first().copied() else {
            return Err(wrong("there are no .parquet, .csv, .json, .jsonl or .ndjson files"));
        };
        if formats.iter().any(|other| *other != format) {
            return Err(wrong("there are files of different formats; give a pattern, for instance `*.parquet`"));
        }
        let file_schema = match format {
            Format::Parquet => {
                let mut fields: Vec<FieldRef> = Vec::new();
                for object in &objects {
                    let one = std::slice::from_ref(object);
                    let schema = ParquetFormat::default().infer_schema(&session, &store, one).await?;
                    merge(&mut fields, schema.fields().iter().map(as_read), object)?;
                }
                Arc::new(ArrowSchema::new(fields))
            }
            Format::Csv => {
                let format = CsvFormat::default().with_options(csv_options()).with_schema_infer_max_rec(usize::MAX);
                format.infer_schema(&session, &store, &objects).await?
            }
            Format::JsonLines => {
                let paths = objects.iter().map(local_path).collect::<Vec<_>>();
                let inferred = tokio::task::spawn_blocking(move || json_lines::infer(&paths)).await;
                inferred.map_err(|error| DataFusionError::External(Box::new(error)))??
            }
        };
        let files = objects.into_iter().map(PartitionedFile::new_from_meta).collect();
        Ok(FileTable::new(format, files, &file_schema, Vec::new()))
    }

    async fn delta(folder: &Path) -> Result<FileTable> {
        let folder = std::path::absolute(folder)?;
        let table = read_foreign_table(&folder).await.map_err(|error| DataFusionError::Execution(error.to_string()))?;
        let is_partition = |field: &&FieldRef| table.partition_columns.contains(field.name());
        let in_files: Vec<FieldRef> = table.schema.fields().iter().filter(|f| !is_partition(f)).cloned().collect();
        let partitions: Vec<FieldRef> = table.schema.fields().iter().filter(is_partition).cloned().collect();
        let mut files = Vec::with_capacity(table.files.len());
        for file in &table.files {
            let mut values = Vec::with_capacity(partitions.len());
            for field in &partitions {
                let text = file.partition_values.get(field.name()).cloned().flatten();
                values.push(match text {
                    Some(text) => ScalarValue::try_from_string(text, field.data_type())?,
                    None => ScalarValue::try_from(field.data_type())?,
                });
            }
            let location = object_store::path::Path::from_absolute_path(&file.path)
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            let mut partitioned = PartitionedFile::new(String::new(), file.size);
            partitioned.object_meta.location = location;
            files.push(partitioned.with_partition_values(values));
        }
        let file_schema = Arc::new(ArrowSchema::new(in_files));
        Ok(FileTable::new(Format::Parquet, files, &file_schema, partitions))
    }

    fn new(
        format: Format,
        files: Vec<PartitionedFile>,
        file_schema: &ArrowSchema,
        partitions: Vec<FieldRef>,
    ) -> FileTable {
        let fields: Vec<FieldRef> = file_schema.fields().iter().map(as_read).collect();
        let columns = fields.iter().chain(&partitions).map(|field| Column::new(field.name(), type_of(field)));
        let schema = Schema::new(columns.collect());
        let stored =
            TableSchema::builder(Arc::new(ArrowSchema::new(fields))).with_table_partition_cols(partitions).build();
        FileTable { format, files, runtime: arrow_schema(&schema), stored, schema }
    }
}

/// Text is read as views, whatever the file says; the Parquet reader then makes no copies.
fn as_read(field: &FieldRef) -> FieldRef {
    let text = match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => true,
        DataType::Dictionary(_, values) => values.is_string(),
        _ => false,
    };
    let read: Field = field.as_ref().clone().with_nullable(true);
    Arc::new(if text { read.with_data_type(DataType::Utf8View) } else { read })
}

/// Adds the columns of one more file. Numbers of different width become the widest of their kind.
fn merge(fields: &mut Vec<FieldRef>, more: impl Iterator<Item = FieldRef>, object: &ObjectMeta) -> Result<()> {
    for field in more {
        let Some(known) = fields.iter_mut().find(|known| known.name() == field.name()) else {
            fields.push(field);
            continue;
        };
        if known.data_type() == field.data_type() {
            continue;
        }
        let wide = match (known.data_type(), field.data_type()) {
            (one, other) if one.is_integer() && other.is_integer() => DataType::Int64,
            (one, other) if one.is_integer() && other.is_floating() => DataType::Float64,
            (one, other) if one.is_floating() && (other.is_integer() || other.is_floating()) => DataType::Float64,
            (DataType::Timestamp(_, zone), DataType::Timestamp(..)) => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            (one, other) => {
                return Err(DataFusionError::Execution(format!(
                    "column {} is {one} in some files and {other} in {}",
                    field.name(),
                    object.location
                )));
            }
        };
        *known = Arc::new(known.as_ref().clone().with_data_type(wide));
    }
    Ok(())
}

fn csv_options() -> CsvOptions {
    CsvOptions { has_header: Some(true), newlines_in_values: Some(true), ..CsvOptions::default() }
}

fn wrong(message: &str) -> DataFusionError {
    DataFusionError::Execution(message.to_string())
}

/// The data files at a path, in a fixed order. Names that begin with `.` or `_` are other programs' own.
async fn list(session: &dyn Session, store: &dyn ObjectStore, path: &Path) -> Result<Vec<ObjectMeta>> {
    let absolute = std::path::absolute(path)?;
    let mut text = absolute.to_string_lossy().into_owned();
    let given_file = absolute.is_file();
    if absolute.is_dir() && !text.ends_with('/') {
        text.push('/');
    }
    let url = ListingTableUrl::parse(&text)?;
    let mut objects: Vec<ObjectMeta> = url.list_all_files(session, store, "").await?.try_collect().await?;
    let root = url.prefix().parts().count();
    objects.retain(|object| {
        let hidden = object.location.parts().skip(root).any(|part| part.as_ref().starts_with(['.', '_']));
        object.size > 0 && (given_file || !hidden) && Format::of(object.location.as_ref()).is_some()
    });
    objects.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(objects)
}

fn local_path(object: &ObjectMeta) -> PathBuf {
    let mut path = PathBuf::from("/");
    path.extend(object.location.parts().map(|part| part.as_ref().to_string()));
    path
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.runtime)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.columns.len()).collect();
        let projection: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let partitions = state.config_options().execution.target_partitions.max(1);
        let mut groups = vec![FileGroup::default(); partitions];
        for (at, file) in self.files.iter().enumerate() {
            groups[at % partitions].push(file.clone());
        }
        groups.retain(|group| !group.is_empty());
        let stored = self.stored.table_schema();
        let input = match self.format {
            Format::Parquet => {
                let condition =
                    conjunction(filters.iter().filter_map(|filter| stored_form(filter, &self.schema, stored)));
                parquet(state, self.stored.clone(), groups, Precision::Absent, condition, &projection)?
            }
            Format::Csv => {
                let source = CsvSource::new(self.stored.clone()).with_csv_options(csv_options());
                let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
                    .with_file_groups(groups)
                    .with_projection_indices(Some(projection.clone()))?
                    .build();
                Some(DataSourceExec::from_data_source(config) as Arc<dyn ExecutionPlan>)
            }
            Format::JsonLines => {
                let wanted: SchemaRef = Arc::new(stored.project(&projection)?);
                let streams = self
                    .files
                    .iter()
                    .map(|file| json_lines::stream(local_path(&file.object_meta), Arc::clone(&wanted)));
                let exec = StreamingTableExec::try_new(Arc::clone(&wanted), streams.collect(), None, [], false, None)?;
                Some(Arc::new(exec) as Arc<dyn ExecutionPlan>)
            }
        };
        let input = match input {
            Some(input) => input,
            None => Arc::new(datafusion::physical_plan::empty::EmptyExec::new(Arc::new(stored.project(&projection)?))),
        };
        let columns: Vec<Column> = projection.iter().map(|at| self.schema.columns[*at].clone()).collect();
        in_runtime_form(state, input, &columns)
    }
}
