//! Log records as rows of `OTelLogs` (Azure Monitor, "Azure Monitor Logs reference", OTelLogs).

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::Value as Json;

use super::values::{Origin, SERVICE, attributes, json, set_object, text_of};
use super::{ExportLogsServiceRequest, identifier, set, set_time};
use crate::rows::RowsBuilder;
use crate::rows::value::Value;

pub const TABLE: &str = "OTelLogs";

/// Other columns that take an attribute of the resource.
const RESOURCE: [(&str, &str); 5] = [
    ("DeploymentEnvironmentName", "deployment.environment.name"),
    ("K8sContainerName", "k8s.container.name"),
    ("K8sNamespaceName", "k8s.namespace.name"),
    ("K8sPodName", "k8s.pod.name"),
    ("SDKVersion", "telemetry.sdk.version"),
];
/// Columns that take an attribute of the record.
const RECORD: [(&str, &str); 6] = [
    ("ClientIP", "client.address"),
    ("EndUserId", "enduser.id"),
    ("OperationName", "operation.name"),
    ("SessionId", "session.id"),
    ("SyntheticSource", "user_agent.synthetic.type"),
    ("UserId", "user.id"),
];

pub fn read(request: &ExportLogsServiceRequest, rows: &mut RowsBuilder) {
    let named: Vec<_> = SERVICE.into_iter().chain(RESOURCE).collect();
    for resource in &request.resource_logs {
        for scope in &resource.scope_logs {
            let origin = Origin::new(resource.resource.as_ref(), scope.scope.as_ref(), &named);
            for record in &scope.log_records {
                write(record, rows);
                origin.write(rows);
                rows.end_row();
            }
        }
    }
}

fn write(record: &LogRecord, rows: &mut RowsBuilder) {
    let time = match record.time_unix_nano {
        0 => record.observed_time_unix_nano,
        time => time,
    };
    set_time(rows, "TimeGenerated", time);
    match record.body.as_ref().map(json) {
        None | Some(Json::Null) => {}
        Some(Json::String(text)) => set(rows, "Body", Value::Text(&text)),
        Some(other) => set(rows, "Body", Value::Text(&other.to_string())),
    }
    let mut all = attributes(&record.attributes);
    if !record.event_name.is_empty() {
        all.insert("event.name".into(), Json::from(record.event_name.as_str()));
    }
    set_object(rows, "Attributes", all);
    for (column, key) in RECORD {
        if let Some(text) = text_of(&record.attributes, key) {
            set(rows, column, Value::Text(&text));
        }
    }
    for (column, bytes, length) in [("TraceId", &record.trace_id, 16), ("SpanId", &record.span_id, 8)] {
        match identifier(bytes, length) {
            Ok(text) => set(rows, column, Value::Text(&text)),
            Err(reason) => rows.fail_row(reason),
        }
    }
    match severity_level(record.severity_number) {
        Some(level) => {
            set(rows, "SeverityNumber", Value::Long(record.severity_number.into()));
            set(rows, "SeverityLevel", Value::Long(level));
        }
        None if record.severity_number == 0 => {}
        None => rows.fail_row(format!("the severity number {} is not between 0 and 24", record.severity_number)),
    }
    set(rows, "SeverityText", Value::Text(&record.severity_text));
    set(rows, "DroppedAttributesCount", Value::Long(i64::from(record.dropped_attributes_count).min(i32::MAX.into())));
    set(rows, "ItemCount", Value::Long(1));
}

/// Verbose, information, warning, error and critical, from 0.
fn severity_level(number: i32) -> Option<i64> {
    match number {
        1..=8 => Some(0),
        9..=12 => Some(1),
        13..=16 => Some(2),
        17..=20 => Some(3),
        21..=24 => Some(4),
        _ => None,
    }
}
