//! Data collection rules: which streams a sender may use, what their rows look like, and where they go (Azure Monitor,
//! "Structure of a data collection rule").

use serde::{Deserialize, Serialize};
use watchkeeper_kql::{Column, Type};

use crate::limits::TABLE_COLUMNS;
use crate::standard_tables::standard_table;

/// Prefix of streams and tables that a rule declares itself.
const CUSTOM: &str = "Custom-";
/// Prefix of streams and tables that are documented.
const MICROSOFT: &str = "Microsoft-";
/// What only the server itself writes.
const OWN_TABLES: [&str; 4] = ["Usage", "Operation", "Audit", "ServerMetrics"];
/// Flows of one rule ("Azure Monitor service limits", data collection rules).
const MOST_FLOWS: usize = 10;
/// Streams of one rule.
const MOST_STREAMS: usize = 20;
/// Characters of a transformation.
const TRANSFORM_CHARS: usize = 15_360;

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    /// The code of the documented error.
    pub code: &'static str,
    pub message: String,
}

impl RuleError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> RuleError {
        RuleError { code, message: message.into() }
    }
}

fn payload(message: impl Into<String>) -> RuleError {
    RuleError::new("InvalidPayload", message)
}

/// The `properties` of a rule, as they are written and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Properties {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default)]
    pub stream_declarations: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub destinations: Destinations,
    pub data_flows: Vec<DataFlow>,
}

/// Where flows may go; this server has one workspace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Destinations {
    #[serde(default)]
    pub log_analytics: Vec<LogAnalytics>,
}

/// A workspace as a destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogAnalytics {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workspace_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workspace_resource_id: String,
}

/// From streams through a transformation to a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataFlow {
    pub streams: Vec<String>,
    #[serde(default)]
    pub destinations: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform_kql: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_stream: Option<String>,
}

#[derive(Deserialize)]
struct Declaration {
    columns: Vec<DeclaredColumn>,
}

#[derive(Deserialize)]
struct DeclaredColumn {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

/// A checked flow of one stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flow<'a> {
    /// None: rows go on as they are.
    pub transform: Option<&'a str>,
    pub table: String,
}

impl Properties {
    /// Reads and checks everything that can be checked without running transformations.
    ///
    /// # Errors
    /// What is wrong, with the name of the stream or flow.
    pub fn read(value: &serde_json::Value) -> Result<Properties, RuleError> {
        let properties: Properties = serde_json::from_value(value.clone())
            .map_err(|error| payload(format!("properties of a data collection rule are not valid: {error}")))?;
        properties.check()?;
        Ok(properties)
    }

    fn check(&self) -> Result<(), RuleError> {
        if self.data_flows.is_empty() || self.data_flows.len() > MOST_FLOWS {
            return Err(payload(format!("dataFlows has to have 1 to {MOST_FLOWS} flows")));
        }
        if self.stream_declarations.len() > MOST_STREAMS {
            return Err(payload(format!("streamDeclarations can have at most {MOST_STREAMS} streams")));
        }
        for (stream, declaration) in &self.stream_declarations {
            if !stream.starts_with(CUSTOM) {
                return Err(RuleError::new(
                    "InvalidStream",
                    format!("the declared stream {stream:?} has to start with {CUSTOM}"),
                ));
            }
            declared(stream, declaration)?;
        }
        for (at, flow) in self.data_flows.iter().enumerate() {
            if flow.streams.is_empty() {
                return Err(payload(format!("dataFlows[{at}].streams is empty")));
            }
            for destination in &flow.destinations {
                if !self.destinations.log_analytics.iter().any(|known| known.name == *destination) {
                    return Err(RuleError::new(
                        "InvalidDestination",
                        format!(
                            "dataFlows[{at}] names the destination {destination:?}, which destinations.logAnalytics does not"
                        ),
                    ));
                }
            }
            if flow.transform_kql.as_ref().is_some_and(|text| text.chars().count() > TRANSFORM_CHARS) {
                return Err(payload(format!(
                    "dataFlows[{at}].transformKql has more than {TRANSFORM_CHARS} characters"
                )));
            }
            for stream in &flow.streams {
                self.columns(stream)?;
                table_of(flow.output_stream.as_deref().unwrap_or(stream))?;
            }
        }
        Ok(())
    }

    /// The streams that a sender may name.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &str> {
        self.data_flows.iter().flat_map(|flow| &flow.streams).map(String::as_str)
    }

    /// The columns of a stream: as declared, or as its table is documented.
    pub(crate) fn columns(&self, stream: &str) -> Result<Vec<Column>, RuleError> {
        if let Some(declaration) = self.stream_declarations.get(stream) {
            return declared(stream, declaration);
        }
        match stream.strip_prefix(MICROSOFT).and_then(standard_table) {
            Some(table) => {
                let time = Column::new(watchkeeper_store::TIME_GENERATED, Type::Datetime);
                let columns = table.columns.iter().map(|(name, ty)| Column::new(*name, *ty));
                Ok(std::iter::once(time).chain(columns).collect())
            }
            None => Err(RuleError::new(
                "InvalidStream",
                format!("the stream {stream:?} is neither in streamDeclarations nor a documented one"),
            )),
        }
    }

    /// Where the rows of a stream go.
    pub(crate) fn flows<'a>(&'a self, stream: &str) -> Result<Vec<Flow<'a>>, RuleError> {
        let mut flows = Vec::new();
        for flow in self.data_flows.iter().filter(|flow| flow.streams.iter().any(|name| name == stream)) {
            let transform = flow.transform_kql.as_deref().map(str::trim).filter(|text| !matches!(*text, "" | "source"));
            flows.push(Flow { transform, table: table_of(flow.output_stream.as_deref().unwrap_or(stream))? });
        }
        Ok(flows)
    }
}

fn declared(stream: &str, declaration: &serde_json::Value) -> Result<Vec<Column>, RuleError> {
    let invalid = |reason: String| RuleError::new("InvalidStreamDeclaration", format!("stream {stream:?}: {reason}"));
    let declaration: Declaration =
        serde_json::from_value(declaration.clone()).map_err(|error| invalid(error.to_string()))?;
    if declaration.columns.is_empty() || declaration.columns.len() > TABLE_COLUMNS {
        return Err(invalid(format!("columns has to have 1 to {TABLE_COLUMNS} columns")));
    }
    let mut columns: Vec<Column> = Vec::with_capacity(declaration.columns.len());
    for DeclaredColumn { name, ty } in declaration.columns {
        let parsed = match ty.as_str() {
            "boolean" | "bool" => Type::Bool,
            "int" => Type::Int,
            "long" => Type::Long,
            "real" => Type::Real,
            "datetime" => Type::Datetime,
            "string" => Type::String,
            "dynamic" => Type::Dynamic,
            "guid" => Type::Guid,
            _ => {
                return Err(invalid(format!(
                    "column {name:?} has the type {ty:?}; it can be string, int, long, real, boolean, dynamic, datetime or guid"
                )));
            }
        };
        if name.is_empty() || name.len() > 128 {
            return Err(invalid(format!("the column name {name:?} has to have 1 to 128 characters")));
        }
        if columns.iter().any(|column| column.name == name) {
            return Err(invalid(format!("column {name:?} is there twice")));
        }
        columns.push(Column::new(name, parsed));
    }
    Ok(columns)
}

/// The table that a stream's name stands for.
fn table_of(stream: &str) -> Result<String, RuleError> {
    let invalid = |reason: &str| RuleError::new("InvalidOutputTable", format!("the table of {stream:?} {reason}"));
    if let Some(name) = stream.strip_prefix(MICROSOFT) {
        return match standard_table(name) {
            Some(_) if OWN_TABLES.contains(&name) => Err(invalid("is written by the server alone")),
            Some(table) => Ok(table.name.to_owned()),
            None => Err(invalid("does not exist")),
        };
    }
    match stream.strip_prefix(CUSTOM) {
        Some(name) if name.ends_with("_CL") && is_table_name(name) => Ok(name.to_owned()),
        _ => Err(invalid("has to be Microsoft-<table> or Custom-<name>_CL, with letters, digits and _ in the name")),
    }
}

fn is_table_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn broken_rules_say_what_is_wrong() {
        let columns = json!({"columns": [{"name": "a", "type": "string"}]});
        let flow = |stream: &str, output: &str| json!([{"streams": [stream], "outputStream": output}]);
        let cases = [
            (json!({}), "InvalidPayload", "dataFlows"),
            (json!({"dataFlows": []}), "InvalidPayload", "1 to 10"),
            (json!({"dataFlows": [{"streams": []}]}), "InvalidPayload", "streams is empty"),
            (json!({"dataFlows": flow("Custom-A", "Custom-A_CL")}), "InvalidStream", "Custom-A"),
            (json!({"dataFlows": flow("Microsoft-Nothing", "Microsoft-Nothing")}), "InvalidStream", "Nothing"),
            (
                json!({"streamDeclarations": {"A": columns}, "dataFlows": flow("A", "Custom-A_CL")}),
                "InvalidStream",
                "start with Custom-",
            ),
            (
                json!({"streamDeclarations": {"Custom-A": columns}, "dataFlows": flow("Custom-A", "Custom-A")}),
                "InvalidOutputTable",
                "Custom-A",
            ),
            (
                json!({"streamDeclarations": {"Custom-A": columns}, "dataFlows": flow("Custom-A", "Microsoft-Usage")}),
                "InvalidOutputTable",
                "server alone",
            ),
            (
                json!({"streamDeclarations": {"Custom-A": {"columns": [{"name": "a", "type": "text"}]}},
                    "dataFlows": flow("Custom-A", "Custom-A_CL")}),
                "InvalidStreamDeclaration",
                "\"text\"",
            ),
            (
                json!({"streamDeclarations": {"Custom-A": columns},
                    "dataFlows": [{"streams": ["Custom-A"], "destinations": ["x"], "outputStream": "Custom-A_CL"}]}),
                "InvalidDestination",
                "\"x\"",
            ),
        ];
        for (properties, code, text) in cases {
            let error = Properties::read(&properties).unwrap_err();
            assert!(error.code == code && error.message.contains(text), "{properties}: {error:?}");
        }
    }
}
