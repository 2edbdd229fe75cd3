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
use crate::error::QueryError;
use crate::runtime::arrow_schema;
use crate::tables::Tables;

/// The tables of a store, as its queries see them.
pub struct StoreTables {
    store: Arc<Store>,
}

impl StoreTables {
    pub fn new(store: Arc<Store>) -> StoreTables {
        StoreTables { store }
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
        Ok(Arc::new(StoreTable { snapshot, schema, runtime }))
    }
}

/// One snapshot of a table.
struct StoreTable {
    snapshot: TableSnapshot,
    schema: Schema,
    runtime: SchemaRef,
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

        let mut hot = vec![Vec::new(); partitions];
        for (at, batch) in self.snapshot.hot.iter().enumerate() {
            hot[at % partitions].push(batch.clone());
        }
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> =
            vec![MemorySourceConfig::try_new_exec(&hot, Arc::clone(stored), Some(projection.clone()))?];

        let mut groups = vec![FileGroup::default(); partitions];
        let mut next = 0;
        let mut rows = 0;
        for file in self.snapshot.files.iter() {
            if condition.as_ref().is_some_and(|condition| !file_may_match(file, condition)) {
                continue;
            }
            if let Some(part) = partitioned(file, wanted.as_ref())? {
                groups[next % partitions].push(part);
                next += 1;
                rows += usize::try_from(file.rows).unwrap_or(usize::MAX);
            }
        }
        let rows = if wanted.is_some() { Precision::Inexact(rows) } else { Precision::Exact(rows) };
        if let Some(files) = parquet(state, Arc::clone(stored).into(), groups, rows, condition, &projection)? {
            inputs.push(files);
        }
        let input = UnionExec::try_new(inputs)?;

        let columns: Vec<_> = projection.iter().map(|at| self.schema.columns[*at].clone()).collect();
        in_runtime_form(state, input, &columns)
    }
}

/// The file with the row groups that can hold the words; none where no row group can.
fn partitioned(file: &DataFile, wanted: Option<&Wanted>) -> Result<Option<PartitionedFile>> {
    let location = object_store::path::Path::from_filesystem_path(&file.path)
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    let mut partitioned = PartitionedFile::new(String::new(), file.size);
    partitioned.object_meta.location = location;
    let (Some(path), Some(wanted)) = (&file.term_index, wanted) else { return Ok(Some(partitioned)) };
    // an index that cannot be read only makes the query read more
    let index = match TermIndex::open(path) {
        Ok(index) => index,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "term index cannot be read; the file is scanned whole");
            return Ok(Some(partitioned));
        }
    };
    let Some(groups) = row_groups(&index, wanted) else { return Ok(Some(partitioned)) };
    if groups.is_empty() {
        return Ok(None);
    }
    let mut plan = ParquetAccessPlan::new_none(index.row_groups() as usize);
    groups.iter().for_each(|group| plan.scan(group as usize));
    Ok(Some(partitioned.with_extension(plan)))
}
