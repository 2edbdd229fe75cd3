//! OpenTelemetry logs and metrics (OpenTelemetry Protocol 1, `opentelemetry-proto`) as rows of `OTelLogs` and
//! `OTelMetrics`. Records that cannot be stored are left out and reported as the protocol's partial success.

mod logs;
mod metrics;
mod values;

use chrono::Utc;
pub use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
pub use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

use crate::error::IngestError;
use crate::limits::TELEMETRY_FIELD_BYTES;
use crate::rows::value::Value;
use crate::rows::{Options, RowsBuilder, TimePolicy, Unknown};
use crate::writer::Ingest;

const SOLUTION: &str = "OTLP";

/// What became of a request that was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Log records or data points that are stored.
    pub stored: usize,
    /// Log records or data points that were left out.
    pub rejected: usize,
    /// Why, for the first ones.
    pub message: String,
}

/// Stores the records of a request.
///
/// # Errors
/// When none could be stored; the sender retries what is not a refusal.
pub async fn logs(ingest: &Ingest, request: &ExportLogsServiceRequest) -> Result<Accepted, IngestError> {
    let mut rows = builder(ingest, logs::TABLE);
    logs::read(request, &mut rows);
    store(ingest, logs::TABLE, rows).await
}

/// Stores the data points of a request.
///
/// # Errors
/// When none could be stored; the sender retries what is not a refusal.
pub async fn metrics(ingest: &Ingest, request: &ExportMetricsServiceRequest) -> Result<Accepted, IngestError> {
    let mut rows = builder(ingest, metrics::TABLE);
    metrics::read(request, &mut rows);
    store(ingest, metrics::TABLE, rows).await
}

fn builder(ingest: &Ingest, table: &str) -> RowsBuilder {
    let options = Options {
        unknown: Unknown::Refuse,
        // exporters send what waited for days, as agents do
        time: TimePolicy::Keep,
        field_bytes: TELEMETRY_FIELD_BYTES,
        now: Utc::now().timestamp_micros(),
    };
    ingest.rows(table, options).with_source_system("OTLP")
}

async fn store(ingest: &Ingest, table: &str, rows: RowsBuilder) -> Result<Accepted, IngestError> {
    let (first, rejected) = rows.refused();
    let refusal = (rejected > 0).then(|| IngestError::Rows { first: first.to_vec(), count: rejected });
    let stored = rows.rows();
    let message = refusal.as_ref().map(IngestError::to_string).unwrap_or_default();
    if rejected > 0 {
        ingest.refused(SOLUTION, table, &message, rejected as u64);
    }
    if stored == 0 {
        return refusal.map_or_else(|| Ok(Accepted::default()), Err);
    }
    ingest.write(vec![rows.finish()], None).await?;
    Ok(Accepted { stored, rejected, message })
}

/// Sets a column of the current row; empty texts are left out.
fn set(rows: &mut RowsBuilder, column: &str, value: Value<'_>) {
    if matches!(value, Value::Text("")) {
        return;
    }
    let slot = rows.column(column);
    rows.set(slot, column, value);
}

/// Sets a datetime from nanoseconds since 1970; 0 is not known.
fn set_time(rows: &mut RowsBuilder, column: &str, nanos: u64) {
    // 64 bits of nanoseconds end in the year 2554
    if let Ok(micros @ 1..) = i64::try_from(nanos / 1000) {
        let slot = rows.column(column);
        rows.set_datetime(slot, micros);
    }
}

/// An identifier of this many bytes in hexadecimal digits; empty where it is not set.
fn identifier(bytes: &[u8], length: usize) -> Result<String, String> {
    if bytes.is_empty() || (bytes.len() == length && bytes.iter().all(|byte| *byte == 0)) {
        return Ok(String::new());
    }
    if bytes.len() != length {
        return Err(format!("the trace or span id has {} bytes; it has to have {length}", bytes.len()));
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, Int32Type, TimestampMicrosecondType};

    use super::*;
    use crate::writer::tests::{stored, texts, workspace};

    const LOGS: &str = r#"{"resourceLogs":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"shop"}},{"key":"service.version","value":{"stringValue":"1.2"}},
        {"key":"k8s.pod.name","value":{"stringValue":"shop-1"}}]},
      "scopeLogs":[{"scope":{"name":"cart","version":"3"},"logRecords":[
        {"timeUnixNano":"1700000000123456789","severityNumber":17,"severityText":"ERROR","body":{"stringValue":"it failed"},
         "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",
         "attributes":[{"key":"n","value":{"intValue":"7"}},{"key":"l","value":{"arrayValue":{"values":[{"doubleValue":1.5},{"boolValue":true}]}}}]},
        {"timeUnixNano":"1700000000123456789","severityNumber":99,"body":{"stringValue":"no such severity"}},
        {"body":{"kvlistValue":{"values":[{"key":"a","value":{"stringValue":"b"}}]}}}]}]}]}"#;

    #[tokio::test]
    async fn log_records_become_rows_and_wrong_ones_are_reported() {
        let (_dir, ingest) = workspace().await;
        let request: ExportLogsServiceRequest = serde_json::from_str(LOGS).unwrap();
        let accepted = logs(&ingest, &request).await.unwrap();
        assert_eq!((accepted.stored, accepted.rejected), (2, 1));
        assert!(accepted.message.contains("row 1: the severity number 99"), "{}", accepted.message);
        let batch = stored(&ingest, "OTelLogs");
        assert_eq!(texts(&batch, "Body"), ["it failed", r#"{"a":"b"}"#]);
        assert_eq!(texts(&batch, "TraceId"), ["5b8efff798038103d269b633813fc60c", ""]);
        assert_eq!(texts(&batch, "Attributes")[0], r#"{"n":7,"l":[1.5,true]}"#);
        for (column, expected) in
            [("ServiceName", "shop"), ("ServiceVersion", "1.2"), ("K8sPodName", "shop-1"), ("ScopeName", "cart")]
        {
            assert_eq!(texts(&batch, column), [expected; 2], "{column}");
        }
        assert_eq!(batch["SeverityLevel"].as_primitive::<Int32Type>().value(0), 3);
        let times = batch["TimeGenerated"].as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.value(0), 1_700_000_000_123_456);
        assert!(times.value(1) > times.value(0));
    }

    #[tokio::test]
    async fn data_points_of_every_kind_become_rows() {
        let (_dir, ingest) = workspace().await;
        let point = r#""timeUnixNano":"1700000000000000000","attributes":[{"key":"k","value":{"stringValue":"v"}}]"#;
        let text = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[
            {{"name":"g","unit":"By","gauge":{{"dataPoints":[{{{point},"asDouble":1.5}}]}}}},
            {{"name":"s","sum":{{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{{{point},"asInt":"7"}}]}}}},
            {{"name":"h","histogram":{{"aggregationTemporality":1,"dataPoints":[
                {{{point},"count":"3","sum":6,"bucketCounts":["1","2"],"explicitBounds":[1]}},
                {{{point},"count":"3","bucketCounts":["1"],"explicitBounds":[1]}}]}}}},
            {{"name":"e","exponentialHistogram":{{"aggregationTemporality":1,"dataPoints":[
                {{{point},"count":"3","scale":2,"zeroCount":"1","zeroThreshold":0,"positive":{{"offset":1,"bucketCounts":["2"]}}}}]}}}},
            {{"name":"q","summary":{{"dataPoints":[{{{point},"count":"3","sum":6,"quantileValues":[{{"quantile":0.5,"value":2}}]}}]}}}},
            {{"name":"","gauge":{{"dataPoints":[{{{point},"asDouble":1.5}}]}}}},
            {{"name":"nothing"}}]}}]}}]}}"#
        );
        let request: ExportMetricsServiceRequest = serde_json::from_str(&text).unwrap();
        let accepted = metrics(&ingest, &request).await.unwrap();
        assert_eq!((accepted.stored, accepted.rejected), (5, 3), "{}", accepted.message);
        let batch = stored(&ingest, "OTelMetrics");
        assert_eq!(texts(&batch, "Name"), ["g", "s", "h", "e", "q"]);
        assert_eq!(texts(&batch, "Kind"), ["Gauge", "Sum", "Histogram", "ExponentialHistogram", "Summary"]);
        assert_eq!(texts(&batch, "Temporality")[1..3], ["Cumulative".to_owned(), "Delta".to_owned()]);
        let values = batch["Value"].as_primitive::<Float64Type>();
        assert!(values.value(0) == 1.5 && values.value(1) == 7.0 && values.is_null(2));
        assert_eq!(texts(&batch, "Histogram")[2], r#"{"bounds":[1.0],"counts":[1,2]}"#);
        assert_eq!(texts(&batch, "Attributes")[4], r#"{"k":"v"}"#);
    }

    #[tokio::test]
    async fn a_request_with_nothing_to_store_is_refused_or_empty() {
        let (_dir, ingest) = workspace().await;
        assert_eq!(logs(&ingest, &ExportLogsServiceRequest::default()).await.unwrap(), Accepted::default());
        let text = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":25},{"traceId":"00ff"}]}]}]}"#;
        let request: ExportLogsServiceRequest = serde_json::from_str(text).unwrap();
        let error = logs(&ingest, &request).await.unwrap_err();
        assert!(error.is_refusal() && error.to_string().contains("has 2 bytes"), "{error}");
        assert_eq!(stored(&ingest, "OTelLogs").num_rows(), 0);
    }
}
