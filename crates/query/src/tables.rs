//! Where tables come from, seen from a query. Implementations are in `scan`.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use watchkeeper_kql::typed::TableSource;

use crate::error::QueryError;

/// The tables that a query can name.
pub trait Tables: Send + Sync {
    /// Names of the local tables, for messages, completion and `search`.
    fn names(&self) -> Vec<String>;

    /// The columns of a table, or none where there is no such table.
    fn schema(&self, source: &TableSource, name: &str) -> Option<watchkeeper_kql::Schema>;

    /// The table in runtime form (`runtime::arrow_schema` of [`Tables::schema`]).
    fn provider(&self, source: &TableSource, name: &str) -> Result<Arc<dyn TableProvider>, QueryError>;

    /// A saved function of the workspace.
    fn function(&self, _name: &str) -> Option<watchkeeper_kql::StoredFunction> {
        None
    }
}
