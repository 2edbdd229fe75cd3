//! The frames of the Kusto REST API: version 1 (`{"Tables":[…]}` with a table of contents last) and version 2 (an array
//! of frames). Reference: "Query V1 HTTP response", "Query V2 HTTP response".

use serde_json::{Value, json};
use watchkeeper_kql::Type;

use super::cell::Style;
use super::log_analytics::write_rows;
use crate::engine::size::row_bytes;
use crate::engine::{PartialFailure, Response, ResultTable};

/// How the request is called: by its client, and by the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    pub client_request_id: String,
    pub activity_id: uuid::Uuid,
}

/// Version 1, for management commands and older clients.
pub fn kusto_v1(response: &Response, activity: &Activity) -> Vec<u8> {
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
    let mut count = response.tables.len();
    for (kind, name, columns, rows) in [
        (
            "QueryProperties",
            "@ExtendedProperties",
            v1_columns(&[("Value", Type::String)]),
            json!([[visualization(response).to_string()]]),
        ),
        ("QueryStatus", "QueryStatus", v1_columns(&STATUS), status_rows(response, activity)),
    ] {
        if count > 0 {
            out.push(b',');
        }
        let table = json!({"TableName": format!("Table_{count}"), "Columns": columns, "Rows": rows});
        out.extend_from_slice(table.to_string().as_bytes());
        contents.push(json!([count, kind, name, "00000000-0000-0000-0000-000000000000", ""]));
        count += 1;
    }
    let table = json!({
        "TableName": format!("Table_{count}"),
        "Columns": v1_columns(&[
            ("Ordinal", Type::Long),
            ("Kind", Type::String),
            ("Name", Type::String),
            ("Id", Type::String),
            ("PrettyName", Type::String),
        ]),
        "Rows": contents,
    });
    out.push(b',');
    out.extend_from_slice(table.to_string().as_bytes());
    out.extend_from_slice(b"]}");
    out
}

/// Version 2, not progressive.
pub fn kusto_v2(response: &Response, activity: &Activity) -> Vec<u8> {
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
        "Columns": COMPLETION
            .iter()
            .map(|(name, ty)| json!({"ColumnName": name, "ColumnType": ty.name()}))
            .collect::<Vec<_>>(),
        "Rows": completion_rows(response, activity),
    });
    out.push(b',');
    out.extend_from_slice(completion.to_string().as_bytes());
    let mut end = json!({
        "FrameType": "DataSetCompletion", "HasErrors": response.partial.is_some(), "Cancelled": false,
    });
    if let Some(partial) = &response.partial {
        end["OneApiErrors"] = json!([one_api_error(partial, activity)]);
    }
    out.push(b',');
    out.extend_from_slice(end.to_string().as_bytes());
    out.push(b']');
    out
}

/// The columns of version 1's `QueryStatus`.
const STATUS: [(&str, Type); 10] = [
    ("Timestamp", Type::Datetime),
    ("Severity", Type::Int),
    ("SeverityName", Type::String),
    ("StatusCode", Type::Int),
    ("StatusDescription", Type::String),
    ("Count", Type::Int),
    ("RequestId", Type::Guid),
    ("ActivityId", Type::Guid),
    ("SubActivityId", Type::Guid),
    ("ClientActivityId", Type::String),
];

/// The columns of version 2's `QueryCompletionInformation`.
const COMPLETION: [(&str, Type); 12] = [
    ("Timestamp", Type::Datetime),
    ("ClientRequestId", Type::String),
    ("ActivityId", Type::Guid),
    ("SubActivityId", Type::Guid),
    ("ParentActivityId", Type::Guid),
    ("Level", Type::Int),
    ("LevelName", Type::String),
    ("StatusCode", Type::Int),
    ("StatusCodeName", Type::String),
    ("EventType", Type::Int),
    ("EventTypeName", Type::String),
    ("Payload", Type::String),
];

const COMPLETED: &str = "Query completed successfully";

fn status_rows(response: &Response, activity: &Activity) -> Value {
    let at = super::cell::datetime(response.finished);
    let (id, client) = (activity.activity_id, &activity.client_request_id);
    let row = |severity: i32, name: &str, code: i32, text: &str| {
        json!([at, severity, name, code, text, 1, id, id, id, client])
    };
    let last = match &response.partial {
        Some(partial) => row(2, "Error", RESULT_TOO_LARGE, &partial.message),
        None => row(4, "Info", 0, COMPLETED),
    };
    json!([last, row(6, "Stats", 0, &consumption(response))])
}

fn completion_rows(response: &Response, activity: &Activity) -> Value {
    let at = super::cell::datetime(response.finished);
    let (id, client) = (activity.activity_id, &activity.client_request_id);
    let row = |level: i32, name: &str, code: (i32, &str), event: (i32, &str), payload: String| {
        json!([at, client, id, id, id, level, name, code.0, code.1, event.0, event.1, payload])
    };
    let info = |text: &str| json!({"Count": 1, "Text": text}).to_string();
    let last = match &response.partial {
        Some(partial) => row(2, "Error", (RESULT_TOO_LARGE, partial.code), (4, "QueryInfo"), info(&partial.message)),
        None => row(4, "Info", (0, "S_OK (0)"), (4, "QueryInfo"), info(COMPLETED)),
    };
    let cost = row(6, "Stats", (0, "S_OK (0)"), (0, "QueryResourceConsumption"), consumption(response));
    json!([last, cost])
}

/// 80DA0003 as the signed number that clients read.
const RESULT_TOO_LARGE: i32 = -2_133_196_797;

/// What the query cost, as clients of Kusto read it.
fn consumption(response: &Response) -> String {
    let cost = &response.statistics;
    let ticks = i64::try_from(cost.cpu_time.as_nanos() / 100).unwrap_or(i64::MAX);
    let cpu = super::cell::timespan(watchkeeper_kql::Ticks(ticks));
    json!({
        "ExecutionTime": cost.elapsed.as_secs_f64(),
        "resource_usage": {
            "cpu": {"user": cpu, "kernel": "00:00:00", "total cpu": cpu},
            "memory": {"peak_per_node": cost.memory_peak},
        },
        "input_dataset_statistics": {
            "extents": {"scanned": cost.files_scanned},
            "rows": {"scanned": cost.rows_scanned},
            "bytes": {"scanned": cost.bytes_scanned},
        },
        "dataset_statistics": response
            .tables
            .iter()
            .map(|table| json!({
                "table_row_count": table.rows(),
                "table_size": table.batches.iter().map(row_bytes).sum::<usize>(),
            }))
            .collect::<Vec<_>>(),
    })
    .to_string()
}

fn one_api_error(partial: &PartialFailure, activity: &Activity) -> Value {
    json!({"error": {
        "code": "LimitsExceeded",
        "message": "Request is invalid and cannot be executed.",
        "@type": "Kusto.Data.Exceptions.KustoServicePartialQueryFailureLimitsExceededException",
        "@message": format!("Query execution has exceeded the allowed limits (80DA0003): {} ({})", partial.message, partial.code),
        "@context": {
            "clientRequestId": activity.client_request_id,
            "activityId": activity.activity_id,
        },
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

/// Columns as version 1 describes them.
pub fn v1_columns(columns: &[(&str, Type)]) -> Value {
    let described = columns
        .iter()
        .map(|(name, ty)| json!({"ColumnName": name, "DataType": clr_type(*ty), "ColumnType": ty.name()}));
    described.collect()
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
