//! Results as the JSON that the query APIs send: Log Analytics tables, Kusto frames version 1 and 2; and as record
//! batches for other programs (`exchange`).

pub mod cell;
pub mod exchange;
mod kusto;
mod log_analytics;

pub use cell::write_cell;
pub use kusto::{Activity, kusto_v1, kusto_v2, v1_columns};
pub use log_analytics::log_analytics;

/// A literal as the value of a JSON property.
fn literal_json(literal: &watchkeeper_kql::Literal) -> serde_json::Value {
    use watchkeeper_kql::Literal;
    match literal {
        Literal::Null(_) => serde_json::Value::Null,
        Literal::Bool(value) => (*value).into(),
        Literal::Int(value) => (*value).into(),
        Literal::Long(value) => (*value).into(),
        Literal::Real(value) => (*value).into(),
        Literal::Decimal(text) | Literal::String(text) | Literal::Dynamic(text) => text.clone().into(),
        Literal::Datetime(ticks) => cell::datetime(*ticks).into(),
        Literal::Timespan(ticks) => cell::timespan(*ticks).into(),
        Literal::Guid(value) => uuid::Uuid::from_u128(*value).to_string().into(),
    }
}
