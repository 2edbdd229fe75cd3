//! The native module of the Python package `watchkeeper_kql`. It runs queries and passes Arrow over the PyCapsule
//! interface; what Python programs see is written in Python, in `python/watchkeeper_kql`.

mod capsule;
mod diagnostic;
mod run;
mod table;
mod tables;

use pyo3::prelude::*;

#[pymodule]
#[pyo3(name = "_native")]
fn native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<diagnostic::Diagnostic>()?;
    module.add_class::<run::Answer>()?;
    module.add_class::<table::Table>()?;
    module.add_class::<tables::Tables>()?;
    module.add_function(wrap_pyfunction!(diagnostic::parse, module)?)?;
    module.add_function(wrap_pyfunction!(diagnostic::check, module)?)?;
    module.add_function(wrap_pyfunction!(run::query, module)?)?;
    Ok(())
}
