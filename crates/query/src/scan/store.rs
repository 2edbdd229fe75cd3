//! The tables of the store: hot rows and files of one snapshot, as one provider in runtime form.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use watchkeeper_kql::Schema;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_store::{DataFile, Store, TableSnapshot, TermIndex};

use super::form::{in_runtime_form, parquet};
use super::prune::{Wanted, file_may_match, row_groups, stored_form, wanted_terms};
use super::recent::Recent;
use crate::error::QueryError;
use crate::runtime::arrow_schema;
use crate::tables::Tables;

/// The tables of a store, as its queries see them.
pub struct StoreTables {
    store: Arc<Store>,
    recent: Arc<Recent>,
}

impl StoreTables {
    pub fn new(store: Arc<Store>) -> StoreTables {
        StoreTables { store, recent: Arc::default() }
    }
}

impl Tables for StoreTables {
    fn names(&self) -> Vec<String> {
        self.store.tables().into_iter().map(|table| table.schema.name.clone()).collect()
    }

    fn schema(&self, source: &TableSource, name: &str) -> Option<Schema> {
        match source {
            TableSource::Local => Some(Schema::new(self.store.schema(name)?.columns.clone())),
            _ => None,
        }
    }

    fn provider(&self, source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        if *source != TableSource::Local {
            return Err(QueryError::execution(format!(
                "{name} is in another workspace, which this server cannot read"
            )));
        }
        let snapshot = self
            .store
            .snapshot(name)
            .ok_or_else(|| QueryError::execution(format!("the table {name} was removed while the query ran")))?;
        let schema = Schema::new(snapshot.schema.columns.clone());
        let runtime = arrow_schema(&schema);
        Ok(Arc::new(StoreTable { snapshot, schema, runtime, recent: Arc::clone(&self.recent) }))
    }
}

/// One snapshot of a table.
struct StoreTable {
    snapshot: TableSnapshot,
    schema: Schema,
    runtime: SchemaRef,
    recent: Arc<Recent>,
}

impl std::fmt::Debug for StoreTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreTable").field("name", &self.snapshot.schema.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for StoreTable {
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
        let stored = &self.snapshot.arrow_schema;
        let condition = conjunction(filters.iter().filter_map(|filter| stored_form(filter, &self.schema, stored)));
        let wanted: Vec<_> = filters.iter().filter_map(|filter| wanted_terms(filter, &self.schema)).collect();
        let wanted = (!wanted.is_empty()).then_some(Wanted::All(wanted));
        let projection: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..stored.fields().len()).collect());
        let partitions = state.config_options().execution.target_partitions.max(1);

        let mut files = Vec::new();
        for file in self.snapshot.files.iter() {
            if condition.as_ref().is_some_and(|condition| !file_may_match(file, condition)) {
                continue;
            }
            files.extend(partitioned(file, wanted.as_ref())?.map(|(part, whole)| (file.as_ref(), part, whole)));
        }
        let rows = files.iter().map(|(file, ..)| file.rows).sum();
        let mut in_memory = Vec::with_capacity(self.snapshot.hot.len());
        for batch in &self.snapshot.hot {
            in_memory.push(batch.project(&projection)?);
        }
        let mut in_files = Vec::with_capacity(files.len());
        for (file, part, whole) in files {
            let kept = match whole && Recent::suits(rows) {
                true => self.recent.rows(state, (file, &part), stored, &projection).await?,
                false => None,
            };
            match kept {
                Some(batches) => in_memory.extend(batches),
                None => in_files.push((file, part)),
            }
        }

        let read = Arc::new(stored.project(&projection)?);
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> =
            vec![MemorySourceConfig::try_new_exec(&dealt(in_memory, partitions), read, None)?];
        let rows = in_files.iter().map(|(file, _)| usize::try_from(file.rows).unwrap_or(usize::MAX)).sum();
        let rows = if wanted.is_some() { Precision::Inexact(rows) } else { Precision::Exact(rows) };
        let groups = dealt(in_files.into_iter().map(|(_, part)| part), partitions).into_iter().map(FileGroup::new);
        if let Some(files) = parquet(state, Arc::clone(stored).into(), groups.collect(), rows, condition, &projection)?
        {
            inputs.push(files);
        }
        let input = UnionExec::try_new(inputs)?;

        let columns: Vec<_> = projection.iter().map(|at| self.schema.columns[*at].clone()).collect();
        in_runtime_form(state, input, &columns)
    }
}

/// The items in as many lists, in turns.
fn dealt<T>(items: impl IntoIterator<Item = T>, lists: usize) -> Vec<Vec<T>> {
    let mut dealt: Vec<Vec<T>> = (0..lists).map(|_| Vec::new()).collect();
    items.into_iter().enumerate().for_each(|(at, item)| dealt[at % lists].push(item));
    dealt
}

/// The file with the row groups that can hold the words, and whether these are all of it; none where no row group can.
fn partitioned(file: &DataFile, wanted: Option<&Wanted>) -> Result<Option<(PartitionedFile, bool)>> {
    let location = object_store::path::Path::from_filesystem_path(&file.path)
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    let mut partitioned = PartitionedFile::new(String::new(), file.size);
    partitioned.object_meta.location = location;
    let (Some(path), Some(wanted)) = (&file.term_index, wanted) else { return Ok(Some((partitioned, true))) };
    // an index that cannot be read only makes the query read more
    let index = match TermIndex::open(path) {
        Ok(index) => index,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "term index cannot be read; the file is scanned whole");
            return Ok(Some((partitioned, true)));
        }
    };
    let all = u64::from(index.row_groups());
    match row_groups(&index, wanted) {
        Some(groups) if groups.is_empty() => Ok(None),
        Some(groups) if groups.len() < all => {
            let mut plan = ParquetAccessPlan::new_none(index.row_groups() as usize);
            groups.iter().for_each(|group| plan.scan(group as usize));
            Ok(Some((partitioned.with_extension(plan), false)))
        }
        _ => Ok(Some((partitioned, true))),
    }
}
