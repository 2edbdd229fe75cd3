//! Record batches of any Arrow types as a table. They stay as they are: a scan brings the columns that a query reads
//! into runtime form, and no others.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use watchkeeper_kql::{Column, Schema};
use watchkeeper_store::KQL_TYPE;

use super::form::{in_runtime_form, type_of};
use crate::error::QueryError;
use crate::runtime::{arrow_schema, arrow_type};

/// Rows of one piece that a thread works on. Frames come as a single batch of all their rows.
const PIECE_ROWS: usize = 32 * 1024;

#[derive(Debug)]
pub struct BatchesTable {
    stored: SchemaRef,
    pub schema: Schema,
    runtime: SchemaRef,
    pieces: Vec<RecordBatch>,
}

impl BatchesTable {
    pub fn new(stored: SchemaRef, batches: &[RecordBatch]) -> Result<BatchesTable, QueryError> {
        let mut names = HashSet::new();
        if let Some(twice) = stored.fields().iter().find(|field| !names.insert(field.name())) {
            return Err(QueryError::execution(format!("there are two columns with the name {}", twice.name())));
        }
        for batch in batches {
            let types = || batch.schema_ref().fields().iter().map(|field| field.data_type());
            if !types().eq(stored.fields().iter().map(|field| field.data_type())) {
                return Err(QueryError::execution("a batch has other columns than the schema of the table says"));
            }
        }
        let columns = stored.fields().iter().map(|field| Column::new(field.name(), type_of(field)));
        let schema = Schema::new(columns.collect());
        let pieces = batches.iter().flat_map(|batch| {
            let starts = (0..batch.num_rows()).step_by(PIECE_ROWS);
            starts.map(|start| batch.slice(start, PIECE_ROWS.min(batch.num_rows() - start)))
        });
        Ok(BatchesTable { pieces: pieces.collect(), runtime: arrow_schema(&schema), stored, schema })
    }

    /// A table without rows, whose columns are those of `schema`.
    pub fn empty(schema: Schema) -> Result<BatchesTable, QueryError> {
        let field = |column: &Column| {
            let metadata = [(KQL_TYPE.to_owned(), column.ty.name().to_owned())];
            Field::new(&column.name, arrow_type(column.ty), true).with_metadata(metadata.into())
        };
        let fields: Vec<Field> = schema.columns.iter().map(field).collect();
        BatchesTable::new(Arc::new(ArrowSchema::new(fields)), &[])
    }

    /// The pieces in their order, as equal parts for so many threads.
    fn shares(&self, threads: usize) -> Vec<Vec<RecordBatch>> {
        let length = self.pieces.len().div_ceil(threads.max(1)).max(1);
        let shares: Vec<Vec<RecordBatch>> = self.pieces.chunks(length).map(<[RecordBatch]>::to_vec).collect();
        if shares.is_empty() { vec![Vec::new()] } else { shares }
    }
}

#[async_trait]
impl TableProvider for BatchesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.runtime)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.columns.len()).collect();
        let projection: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let shares = self.shares(state.config_options().execution.target_partitions);
        let input = MemorySourceConfig::try_new_exec(&shares, Arc::clone(&self.stored), Some(projection.clone()))?;
        let columns: Vec<Column> = projection.iter().map(|at| self.schema.columns[*at].clone()).collect();
        in_runtime_form(state, input, &columns)
    }
}
