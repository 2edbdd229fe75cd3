//! The functions and aggregates of the language over Arrow, bound by name for given KQL argument types.

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use watchkeeper_kql::Type;

/// Why a function cannot be bound.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FunctionError {
    #[error("the function {name}() is not available in this version")]
    Unknown { name: String },
}

/// A scalar function for these argument types.
pub fn bind(name: &str, _types: &[Type]) -> Result<Arc<ScalarUDF>, FunctionError> {
    Err(FunctionError::Unknown { name: name.to_string() })
}

/// An aggregate for these argument types.
pub fn bind_aggregate(name: &str, _types: &[Type]) -> Result<Arc<AggregateUDF>, FunctionError> {
    Err(FunctionError::Unknown { name: name.to_string() })
}
