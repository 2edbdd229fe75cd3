//! The tables as the analyzer and the editor's help ask for them.

use watchkeeper_kql::typed::TableSource;
use watchkeeper_kql::{Catalog, Schema, StoredFunction};
use watchkeeper_query::Tables;

pub struct TablesCatalog<'t>(pub &'t dyn Tables);

impl Catalog for TablesCatalog<'_> {
    fn table(&self, source: &TableSource, name: &str) -> Option<Schema> {
        self.0.schema(source, name)
    }

    fn table_names(&self) -> Vec<String> {
        self.0.names()
    }

    fn function(&self, name: &str) -> Option<StoredFunction> {
        self.0.function(name)
    }
}
