//! What is wrong with a text, and errors as Python has them.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use watchkeeper_kql::{Code, Options, analyze};
use watchkeeper_query::QueryError;
use watchkeeper_query::engine::TablesCatalog;

use crate::tables::Tables;

/// One mistake and its place. Lines and columns count from one, columns in characters; the end is behind the last one.
#[pyclass(frozen, get_all, module = "watchkeeper_kql")]
#[derive(Clone)]
pub struct Diagnostic {
    code: &'static str,
    message: String,
    help: Option<String>,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

#[pymethods]
impl Diagnostic {
    fn __repr__(&self) -> String {
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}:{}: {}{help}", self.line, self.column, self.message)
    }
}

impl Diagnostic {
    fn new(text: &str, found: &watchkeeper_kql::Diagnostic) -> Diagnostic {
        let (line, column) = found.line_column(text);
        let mut end = found.clone();
        end.span.start = found.span.end;
        let (end_line, end_column) = end.line_column(text);
        let code = match found.code {
            Code::Syntax => "syntax",
            Code::UnknownName => "unknown-name",
            Code::Semantic => "semantic",
            Code::Unsupported => "unsupported",
        };
        let (message, help) = (found.message.clone(), found.help.clone());
        Diagnostic { code, message, help, line, column, end_line, end_column }
    }

    fn all(text: &str, found: &[watchkeeper_kql::Diagnostic]) -> Vec<Diagnostic> {
        found.iter().map(|one| Diagnostic::new(text, one)).collect()
    }
}

/// What is wrong with the syntax of a text.
#[pyfunction]
pub fn parse(text: &str) -> Vec<Diagnostic> {
    Diagnostic::all(text, &watchkeeper_kql::parse(text).diagnostics)
}

/// What is wrong with a text over these tables.
#[pyfunction]
pub fn check(text: &str, tables: &Tables, parameters: BTreeMap<String, String>) -> Vec<Diagnostic> {
    let options = Options { parameters, known: Vec::new() };
    match analyze(text, &TablesCatalog(tables.all().as_ref()), &options) {
        Ok(_) => Vec::new(),
        Err(found) => Diagnostic::all(text, &found),
    }
}

/// `KqlError` of the package.
pub fn kql_error(py: Python<'_>, error: &QueryError) -> PyErr {
    match error {
        QueryError::Diagnostics { text, diagnostics } => {
            raise(py, error.to_string(), text, Diagnostic::all(text, diagnostics))
        }
        _ => raise(py, error.to_string(), "", Vec::new()),
    }
}

/// `KqlError` with these words, about no place of a text.
pub fn kql_message(py: Python<'_>, message: String) -> PyErr {
    raise(py, message, "", Vec::new())
}

fn raise(py: Python<'_>, message: String, text: &str, diagnostics: Vec<Diagnostic>) -> PyErr {
    let class = py.import("watchkeeper_kql._errors").and_then(|module| module.getattr("KqlError"));
    match class.and_then(|class| class.call1((message, text, diagnostics))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
