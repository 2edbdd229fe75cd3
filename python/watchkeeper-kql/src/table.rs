//! One result of a query.

use arrow::datatypes::SchemaRef;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use watchkeeper_query::ResultTable;
use watchkeeper_query::local::{exchange_schema, record_batches};
use watchkeeper_query::shape::cell::{Style, write_cell};

use crate::capsule;
use crate::diagnostic::kql_error;

#[pyclass(frozen, module = "watchkeeper_kql")]
pub struct Table {
    rows: ResultTable,
    schema: SchemaRef,
}

impl Table {
    pub fn new(rows: ResultTable) -> Table {
        Table { schema: exchange_schema(&rows.schema), rows }
    }
}

#[pymethods]
impl Table {
    #[getter]
    fn name(&self) -> &str {
        &self.rows.name
    }

    /// Names and types of the language.
    #[getter]
    fn columns(&self) -> Vec<(&str, &str)> {
        self.rows.schema.columns.iter().map(|column| (column.name.as_str(), column.ty.name())).collect()
    }

    fn __len__(&self) -> usize {
        self.rows.rows()
    }

    /// Cells of the first rows as text.
    fn texts(&self, rows: usize) -> Vec<Vec<String>> {
        let every = self.rows.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
        let row_texts = every.take(rows).map(|(batch, row)| {
            let columns = self.rows.schema.columns.iter().zip(batch.columns());
            let cells = columns.map(|(column, array)| {
                let mut cell = Vec::new();
                write_cell(&mut cell, array, row, column.ty, Style::DynamicAsJson);
                String::from_utf8_lossy(&cell).into_owned()
            });
            cells.collect()
        });
        row_texts.collect()
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // the interface leaves it to us whether a wish for other types is met
        drop(requested_schema);
        let batches = py.detach(|| record_batches(&self.rows)).map_err(|error| kql_error(py, &error))?;
        capsule::stream(py, SchemaRef::clone(&self.schema), batches)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema(py, &self.schema)
    }
}
