//! Why a query gave no result.

use std::time::Duration;

use datafusion::error::DataFusionError;
use watchkeeper_kql::Diagnostic;

/// The ways in which a query fails. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text does not parse, names something unknown, or does not type.
    #[error("{}", first_message(.diagnostics))]
    Diagnostics { text: String, diagnostics: Vec<Diagnostic> },
    #[error(
        "the query ran longer than its deadline of {deadline:?}; narrow its time range, filter earlier or ask for a longer timeout"
    )]
    Deadline { deadline: Duration },
    #[error(
        "the query needs more than its memory limit of {limit} bytes; filter earlier or group by fewer values ({detail})"
    )]
    Memory { limit: usize, detail: String },
    #[error("the query was cancelled")]
    Cancelled,
    /// A named limit of the language or of the engine.
    #[error("{what} is limited to {limit}; {help}")]
    Limit { what: &'static str, limit: u64, help: &'static str },
    /// Tables that the caller may not read.
    #[error(
        "this needs Microsoft.OperationalInsights/workspaces/query/read on {}; your roles do not have it there",
        table_names(.tables)
    )]
    Denied { tables: Vec<String> },
    #[error("{message}")]
    Execution { message: String },
}

impl QueryError {
    pub fn execution(message: impl Into<String>) -> QueryError {
        QueryError::Execution { message: message.into() }
    }

    /// From an error of the plan's execution, telling apart the ones that a person can act on.
    pub fn from_datafusion(error: DataFusionError, memory_limit: usize) -> QueryError {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(detail) => {
                QueryError::Memory { limit: memory_limit, detail: detail.lines().next().unwrap_or("").to_string() }
            }
            DataFusionError::Execution(message) => QueryError::execution(message.clone()),
            DataFusionError::External(inner) => QueryError::execution(inner.to_string()),
            _ => QueryError::execution(format!("the query could not be run: {}", error.strip_backtrace())),
        }
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> QueryError {
        QueryError::from_datafusion(error, 0)
    }
}

fn table_names(tables: &[String]) -> String {
    let word = if tables.len() == 1 { "the table" } else { "the tables" };
    format!("{word} {}", tables.join(", "))
}

fn first_message(diagnostics: &[Diagnostic]) -> String {
    match diagnostics.first() {
        Some(first) => first.to_string(),
        None => "the query has a mistake that was not described".to_string(),
    }
}
