//! The tables of a query.

use std::sync::Arc;

use arrow::error::ArrowError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use watchkeeper_kql::{Column, Schema, Type};
use watchkeeper_query::LocalTables;

use crate::capsule::{self, Rows};
use crate::diagnostic::{kql_error, kql_message};
use crate::run;

/// Tables by name, added one after another before the query.
#[pyclass(module = "watchkeeper_kql")]
#[derive(Default)]
pub struct Tables {
    tables: Arc<LocalTables>,
}

#[pymethods]
impl Tables {
    #[new]
    fn new() -> Tables {
        Tables::default()
    }

    /// Adds what an object with `__arrow_c_stream__` gives.
    fn add_stream(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let rows = capsule::read_stream(value)?;
        self.add(value.py(), name, rows)
    }

    /// Adds what an object with `__arrow_c_array__` gives.
    fn add_array(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let rows = capsule::read_array(value)?;
        self.add(value.py(), name, rows)
    }

    /// Adds files.
    fn add_path(&mut self, py: Python<'_>, name: &str, path: &str) -> PyResult<()> {
        let runtime = run::runtime(py)?;
        let tables = self.mutable()?;
        py.detach(|| runtime.block_on(tables.add_path(name, path))).map_err(|error| kql_error(py, &error))
    }

    /// Adds a table without rows.
    fn add_schema(&mut self, py: Python<'_>, name: &str, columns: Vec<(String, String)>) -> PyResult<()> {
        let mut schema = Schema::default();
        for (column, ty) in columns {
            let known = Type::from_name(&ty).ok_or_else(|| {
                let names: Vec<&str> = Type::ALL.iter().map(|ty| ty.name()).collect();
                let names = names.join(", ");
                kql_message(py, format!("table {name}: column {column} has the type {ty}; a type is one of {names}"))
            })?;
            schema.columns.push(Column::new(column, known));
        }
        self.mutable()?.add_empty(name, schema).map_err(|error| kql_error(py, &error))
    }
}

impl Tables {
    /// The tables, for a query that may run longer than Python holds this object.
    pub fn all(&self) -> Arc<LocalTables> {
        Arc::clone(&self.tables)
    }

    fn mutable(&mut self) -> PyResult<&mut LocalTables> {
        Arc::get_mut(&mut self.tables).ok_or_else(|| PyValueError::new_err("a query over these tables is running"))
    }

    fn add(&mut self, py: Python<'_>, name: &str, rows: Result<Rows, ArrowError>) -> PyResult<()> {
        let rows = rows.map_err(|error| kql_message(py, format!("table {name}: {error}")))?;
        self.mutable()?.add(name, rows.schema, &rows.batches).map_err(|error| kql_error(py, &error))
    }
}
