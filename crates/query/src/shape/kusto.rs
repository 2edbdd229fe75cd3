//! The frames of the Kusto REST API: version 1 (`{"Tables":[…]}` with a table of contents last) and version 2 (an array
//! of frames). Reference: "Query V1 HTTP response", "Query V2 HTTP response".

use serde_json::{Value, json};
use watchkeeper_kql::Type;

use super::cell::Style;
use super::log_analytics::write_rows;
use crate::engine::{PartialFailure, Response, ResultTable};

/// Version 1, for management commands and older clients.
pub fn kusto_v1(response: &Response) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"Tables\":[");
    let mut contents = Vec::new();
    for (at, table) in response.tables.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let name = format!("Table_{at}");
        write_v1(&mut out, &name, table);
        contents.push(json!([at, "QueryResult", table.name, "00000000-0000-0000-0000-000000000000", ""]));
    }
    let status = status_rows(response);
    let mut count = response.tables.len();
    for (name, kind, columns, rows) in [
        ("QueryProperties", "QueryProperties", v1_columns(&["Value"]), json!([[visualization(response).to_string()]])),
        ("QueryStatus", "QueryStatus", v1_columns(&STATUS), status),
    ] {
        if count > 0 {
            out.push(b',');
        }
        let table = json!({"TableName": format!("Table_{count}"), "Columns": columns, "Rows": rows});
        out.extend_from_slice(table.to_string().as_bytes());
        contents.push(json!([count, kind, format!("@Extended{name}"), "00000000-0000-0000-0000-000000000000", ""]));
        count += 1;
    }
    let table = json!({
        "TableName": format!("Table_{count}"),
        "Columns": [
            {"ColumnName": "Ordinal", "DataType": "Int64", "ColumnType": "long"},
            {"ColumnName": "Kind", "DataType": "String", "ColumnType": "string"},
            {"ColumnName": "Name", "DataType": "String", "ColumnType": "string"},
            {"ColumnName": "Id", "DataType": "String", "ColumnType": "string"},
            {"ColumnName": "PrettyName", "DataType": "String", "ColumnType": "string"},
        ],
        "Rows": contents,
    });
    out.push(b',');
    out.extend_from_slice(table.to_string().as_bytes());
    out.extend_from_slice(b"]}");
    out
}

/// Version 2, not progressive.
pub fn kusto_v2(response: &Response) -> Vec<u8> {
    let mut out = Vec::new();
    let header = json!({
        "FrameType": "DataSetHeader", "IsProgressive": false, "Version": "v2.0",
        "IsFragmented": false, "ErrorReportingPlacement": "EndOfDataSet",
    });
    out.push(b'[');
    out.extend_from_slice(header.to_string().as_bytes());
    let properties = json!({
        "FrameType": "DataTable", "TableId": 0, "TableKind": "QueryProperties", "TableName": "@ExtendedProperties",
        "Columns": [
            {"ColumnName": "TableId", "ColumnType": "int"},
            {"ColumnName": "Key", "ColumnType": "string"},
            {"ColumnName": "Value", "ColumnType": "dynamic"},
        ],
        "Rows": [[1, "Visualization", visualization(response).to_string()]],
    });
    out.push(b',');
    out.extend_from_slice(properties.to_string().as_bytes());
    for (at, table) in response.tables.iter().enumerate() {
        let columns: Vec<Value> = table
            .schema
            .columns
            .iter()
            .map(|column| json!({"ColumnName": column.name, "ColumnType": column.ty.name()}))
            .collect();
        let frame = json!({
            "FrameType": "DataTable", "TableId": at + 1, "TableKind": "PrimaryResult", "TableName": table.name,
            "Columns": columns,
        });
        write_frame_with_rows(&mut out, &frame, table, Style::DynamicAsJson);
    }
    let completion_id = response.tables.len() + 1;
    let completion = json!({
        "FrameType": "DataTable", "TableId": completion_id, "TableKind": "QueryCompletionInformation",
        "TableName": "QueryCompletionInformation",
        "Columns": STATUS.iter().map(|name| json!({"ColumnName": name, "ColumnType": status_type(name)})).collect::<Vec<_>>(),
        "Rows": status_rows(response),
    });
    out.push(b',');
    out.extend_from_slice(completion.to_string().as_bytes());
    let mut end = json!({
        "FrameType": "DataSetCompletion", "HasErrors": response.partial.is_some(), "Cancelled": false,
    });
    if let Some(partial) = &response.partial {
        end["OneApiErrors"] = json!([one_api_error(partial)]);
    }
    out.push(b',');
    out.extend_from_slice(end.to_string().as_bytes());
    out.push(b']');
    out
}

const STATUS: [&str; 5] = ["Timestamp", "Severity", "SeverityName", "StatusCode", "StatusDescription"];

fn status_type(name: &str) -> &'static str {
    match name {
        "Timestamp" => "datetime",
        "Severity" | "StatusCode" => "int",
        _ => "string",
    }
}

fn status_rows(response: &Response) -> Value {
    let at = super::cell::datetime(response.finished);
    match &response.partial {
        Some(partial) => json!([[at, 2, "Error", 1, partial.message]]),
        None => json!([[at, 4, "Info", 0, "Query completed successfully"]]),
    }
}

fn one_api_error(partial: &PartialFailure) -> Value {
    json!({"error": {
        "code": "LimitsExceeded",
        "message": "Request is invalid and cannot be executed.",
        "@type": "Kusto.Data.Exceptions.KustoServicePartialQueryFailureLimitsExceededException",
        "@message": format!("{} ({})", partial.message, partial.code),
        "@permanent": false,
    }})
}

fn visualization(response: &Response) -> Value {
    let mut properties = serde_json::Map::new();
    let kind = response.render.as_ref().map(|render| render.kind.clone());
    properties.insert("Visualization".to_string(), json!(kind));
    for name in ["Title", "XColumn", "Series", "YColumns", "XTitle", "YTitle", "Kind", "Legend"] {
        let given = response.render.iter().flat_map(|render| &render.properties);
        let value =
            given.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| super::literal_json(v));
        properties.insert(name.to_string(), value.unwrap_or(Value::Null));
    }
    Value::Object(properties)
}

fn write_v1(out: &mut Vec<u8>, name: &str, table: &ResultTable) {
    let columns: Vec<Value> = table
        .schema
        .columns
        .iter()
        .map(|column| {
            json!({"ColumnName": column.name, "DataType": clr_type(column.ty), "ColumnType": column.ty.name()})
        })
        .collect();
    let frame = json!({"TableName": name, "Columns": columns});
    let text = frame.to_string();
    out.extend_from_slice(text.strip_suffix('}').unwrap_or(&text).as_bytes());
    out.extend_from_slice(b",\"Rows\":");
    write_rows(out, table, Style::DynamicAsText);
    out.push(b'}');
}

/// Appends `,` and the frame with its rows as last member.
fn write_frame_with_rows(out: &mut Vec<u8>, frame: &Value, table: &ResultTable, style: Style) {
    out.push(b',');
    let text = frame.to_string();
    out.extend_from_slice(text.strip_suffix('}').unwrap_or(&text).as_bytes());
    out.extend_from_slice(b",\"Rows\":");
    write_rows(out, table, style);
    out.push(b'}');
}

fn v1_columns(names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| {
            let ty = status_type(name);
            let clr = match ty {
                "datetime" => "DateTime",
                "int" => "Int32",
                _ => "String",
            };
            json!({"ColumnName": name, "DataType": clr, "ColumnType": ty})
        })
        .collect()
}

/// The .NET name that version 1 adds to each column.
fn clr_type(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "SByte",
        Type::Int => "Int32",
        Type::Long => "Int64",
        Type::Real => "Double",
        Type::Decimal => "SqlDecimal",
        Type::Datetime => "DateTime",
        Type::Timespan => "TimeSpan",
        Type::String => "String",
        Type::Guid => "Guid",
        Type::Dynamic => "Object",
    }
}
