//! Groups in queries: each is a table with the one column `Computer`, whose members are read when a query needs them. It
//! has no time, so that a group has its members whatever time a query looks at.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Column, Schema, StoredFunction, Type};
use watchkeeper_query::runtime::arrow_schema;
use watchkeeper_query::{QueryError, Tables};
use watchkeeper_state::StateError;

use super::ComputerGroups;

/// No table of a workspace can have such a name.
const PREFIX: &str = "computer group ";
const COLUMN: &str = "Computer";

/// The query that lists the computers of a group.
pub(super) fn query_of(group_id: &str) -> String {
    format!("['{PREFIX}{group_id}']")
}

/// The tables of the workspace, and its groups.
pub struct GroupTables {
    tables: Arc<dyn Tables>,
    groups: Arc<ComputerGroups>,
}

impl GroupTables {
    /// The groups beside other tables.
    pub fn new(tables: Arc<dyn Tables>, groups: Arc<ComputerGroups>) -> Self {
        Self { tables, groups }
    }
}

fn group_of<'a>(source: &TableSource, name: &'a str) -> Option<&'a str> {
    if *source == TableSource::Local { name.strip_prefix(PREFIX) } else { None }
}

fn columns() -> Schema {
    Schema::new(vec![Column::new(COLUMN, Type::String)])
}

impl Tables for GroupTables {
    fn names(&self) -> Vec<String> {
        self.tables.names()
    }

    fn schema(&self, source: &TableSource, name: &str) -> Option<Schema> {
        match group_of(source, name) {
            Some(_) => Some(columns()),
            None => self.tables.schema(source, name),
        }
    }

    fn provider(&self, source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
        match group_of(source, name) {
            Some(group) => Ok(Arc::new(GroupTable {
                group_id: group.to_owned(),
                groups: Arc::clone(&self.groups),
                schema: arrow_schema(&columns()),
            })),
            None => self.tables.provider(source, name),
        }
    }

    fn function(&self, name: &str) -> Option<StoredFunction> {
        self.tables.function(name)
    }
}

/// A group that a query reads.
struct GroupTable {
    group_id: String,
    groups: Arc<ComputerGroups>,
    schema: SchemaRef,
}

impl fmt::Debug for GroupTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupTable({})", self.group_id)
    }
}

#[async_trait]
impl TableProvider for GroupTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let (groups, group_id) = (Arc::clone(&self.groups), self.group_id.clone());
        // the store's connections belong to the server's own threads
        let read = self.groups.runtime.spawn(async move { groups.members(&group_id).await }).await;
        let batches = read
            .map_err(|error| DataFusionError::Execution(format!("a computer group could not be read: {error}")))?
            .map_err(|error| DataFusionError::Execution(format!("a computer group could not be read: {error}")))?;
        let arrays = batches.into_iter().map(|names| {
            let array: ArrayRef = Arc::new(StringViewArray::from_iter_values(names));
            Ok(RecordBatch::try_new(Arc::clone(&self.schema), vec![array])?)
        });
        let batches = arrays.collect::<PlanResult<Vec<_>>>()?;
        let table = MemTable::try_new(Arc::clone(&self.schema), vec![batches])?;
        table.scan(session, projection, filters, limit).await
    }
}

impl ComputerGroups {
    /// All members of a group, in parts; of one that is gone, none.
    async fn members(&self, group_id: &str) -> Result<Vec<Vec<String>>, StateError> {
        let Some(group) = self.state.computer_group(group_id).await? else { return Ok(Vec::new()) };
        let computers = self.computers();
        let (mut all, mut after) = (Vec::new(), -1);
        while let Some((part, names)) = self.state.computer_group_part(group_id, group.version, after).await? {
            all.push(self.full_names(&computers, &names));
            after = part;
        }
        Ok(all)
    }
}
