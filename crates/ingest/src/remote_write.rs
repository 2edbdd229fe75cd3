//! Prometheus remote write 1.0 ("Prometheus Remote-Write 1.0 specification"): snappy-compressed protobuf becomes rows
//! of `PrometheusMetrics`. Histograms of the protocol's later versions are not part of 1.0 and are left out.

use prost::Message;

use crate::error::{IngestError, RowError};
use crate::limits::{DESCRIBED_ROW_ERRORS, TELEMETRY_BODY_BYTES};
use crate::rows::value::Value;
use crate::rows::{Options, TableRows, TimePolicy, Unknown};
use crate::writer::Ingest;

const SOLUTION: &str = "RemoteWrite";
/// The table of the samples.
pub const TABLE: &str = "PrometheusMetrics";
/// The value that marks the end of a series ("Stale Markers").
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// `prometheus.WriteRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// `prometheus.TimeSeries`.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
}

/// `prometheus.Label`.
#[derive(Clone, PartialEq, Message)]
pub struct Label {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `prometheus.Sample`.
#[derive(Clone, PartialEq, Message)]
pub struct Sample {
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// Stores the samples of a request; returns how many. The sender retries what is not a refusal.
///
/// # Errors
/// Nothing of the request is then stored.
pub async fn accept(ingest: &Ingest, body: &[u8]) -> Result<usize, IngestError> {
    let stored = store(ingest, body).await;
    if let Err(error) = &stored
        && error.is_refusal()
    {
        ingest.refused(SOLUTION, TABLE, error.to_string(), 1);
    }
    stored
}

async fn store(ingest: &Ingest, body: &[u8]) -> Result<usize, IngestError> {
    let request = decode(body)?;
    let rows = table_rows(ingest, &request)?;
    let count = rows.batch.num_rows();
    if count > 0 {
        ingest.write(vec![rows], None).await?;
    }
    Ok(count)
}

fn decode(body: &[u8]) -> Result<WriteRequest, IngestError> {
    let damaged = |error: snap::Error| IngestError::Format(format!("the body is not snappy block format: {error}"));
    let length = snap::raw::decompress_len(body).map_err(damaged)?;
    if length > TELEMETRY_BODY_BYTES {
        return Err(IngestError::TooLarge { limit: TELEMETRY_BODY_BYTES });
    }
    let plain = snap::raw::Decoder::new().decompress_vec(body).map_err(damaged)?;
    WriteRequest::decode(plain.as_slice())
        .map_err(|error| IngestError::Format(format!("the body is not a prometheus.WriteRequest: {error}")))
}

fn table_rows(ingest: &Ingest, request: &WriteRequest) -> Result<TableRows, IngestError> {
    let options = Options {
        unknown: Unknown::Refuse,
        time: TimePolicy::Keep,
        field_bytes: usize::MAX,
        now: chrono::Utc::now().timestamp_micros(),
    };
    let mut rows = ingest.rows(TABLE, options).with_source_system("Prometheus");
    let time = rows.column("TimeGenerated");
    let [name, job, instance, labels, val, is_stale] =
        ["Name", "Job", "Instance", "Labels", "Val", "IsStale"].map(|column| rows.column(column));
    let mut errors = Vec::new();
    let mut refused = 0;
    for (at, series) in request.timeseries.iter().enumerate() {
        if let Err(reason) = check(&series.labels) {
            refused += 1;
            if errors.len() < DESCRIBED_ROW_ERRORS {
                errors.push(RowError { row: at, column: "Labels".into(), reason });
            }
            continue;
        }
        let label = |wanted: &str| {
            series.labels.iter().find(|label| label.name == wanted).map_or("", |label| label.value.as_str())
        };
        let others = labels_json(&series.labels);
        for sample in &series.samples {
            let Some(micros) = sample.timestamp.checked_mul(1000) else {
                rows.fail_row(format!("the timestamp {} is out of range", sample.timestamp));
                rows.end_row();
                continue;
            };
            rows.set_datetime(time, micros);
            rows.set(name, "Name", Value::Text(label("__name__")));
            rows.set(job, "Job", Value::Text(label("job")));
            rows.set(instance, "Instance", Value::Text(label("instance")));
            rows.set(labels, "Labels", Value::Json(&others));
            let stale = sample.value.to_bits() == STALE;
            rows.set(val, "Val", if stale { Value::Null } else { Value::Real(sample.value) });
            rows.set(is_stale, "IsStale", Value::Bool(stale));
            rows.end_row();
        }
    }
    if refused > 0 {
        return Err(IngestError::Rows { first: errors, count: refused });
    }
    rows.finish_whole()
}

/// The rules for labels ("Labels"): a metric name, sorted names, no empty ones, none twice.
fn check(labels: &[Label]) -> Result<(), String> {
    if !labels.iter().any(|label| label.name == "__name__" && !label.value.is_empty()) {
        return Err("the series has no metric name (__name__)".into());
    }
    if let Some(label) = labels.iter().find(|label| label.name.is_empty() || label.value.is_empty()) {
        return Err(format!("the label {:?} has no name or no value", label.name));
    }
    for pair in labels.windows(2) {
        if pair[0].name == pair[1].name {
            return Err(format!("the label {:?} is there twice", pair[0].name));
        }
        if pair[0].name > pair[1].name {
            return Err(format!("the labels are not sorted: {:?} comes after {:?}", pair[1].name, pair[0].name));
        }
    }
    Ok(())
}

/// The labels that have no column of their own.
fn labels_json(labels: &[Label]) -> String {
    let own = ["__name__", "job", "instance"];
    let others: serde_json::Map<_, _> = labels
        .iter()
        .filter(|label| !own.contains(&label.name.as_str()))
        .map(|label| (label.name.clone(), serde_json::Value::from(label.value.as_str())))
        .collect();
    serde_json::Value::Object(others).to_string()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, TimestampMicrosecondType};

    use super::*;
    use crate::writer::tests::{stored, texts, workspace};

    fn series(labels: &[(&str, &str)], samples: &[(f64, i64)]) -> TimeSeries {
        TimeSeries {
            labels: labels.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect(),
            samples: samples.iter().map(|(value, timestamp)| Sample { value: *value, timestamp: *timestamp }).collect(),
        }
    }

    fn body(timeseries: Vec<TimeSeries>) -> Vec<u8> {
        let plain = WriteRequest { timeseries }.encode_to_vec();
        snap::raw::Encoder::new().compress_vec(&plain).unwrap()
    }

    #[tokio::test]
    async fn samples_become_rows() {
        let (_dir, ingest) = workspace().await;
        let labels = [("__name__", "up"), ("instance", "a:9100"), ("job", "node"), ("zone", "b\"c")];
        let sent = body(vec![series(&labels, &[(1.5, 1000), (f64::from_bits(STALE), 2000)])]);
        assert_eq!(accept(&ingest, &sent).await.unwrap(), 2);
        let batch = stored(&ingest, TABLE);
        assert_eq!(texts(&batch, "Name"), ["up", "up"]);
        assert_eq!(texts(&batch, "Job")[0], "node");
        assert_eq!(texts(&batch, "Labels")[0], r#"{"zone":"b\"c"}"#);
        let values = batch["Val"].as_primitive::<Float64Type>();
        assert!(values.value(0) == 1.5 && values.is_null(1));
        assert!(batch["IsStale"].as_boolean().value(1));
        assert_eq!(batch["TimeGenerated"].as_primitive::<TimestampMicrosecondType>().values(), &[1_000_000, 2_000_000]);
    }

    #[tokio::test]
    async fn broken_requests_are_refused_and_nothing_is_stored() {
        let (_dir, ingest) = workspace().await;
        let good = body(vec![series(&[("__name__", "up")], &[(1.0, 1)])]);
        let named = |labels: &[(&str, &str)]| {
            body(vec![series(&[("__name__", "up")], &[(1.0, 1)]), series(labels, &[(1.0, 1)])])
        };
        let huge = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (good[..good.len() - 2].to_vec(), "not snappy"),
            (WriteRequest::default().encode_to_vec(), "not snappy"),
            (b"plain text".to_vec(), "not snappy"),
            (huge.to_vec(), "more than"),
            (snap::raw::Encoder::new().compress_vec(b"\x0a\xff").unwrap(), "not a prometheus.WriteRequest"),
            (named(&[("job", "x")]), "row 1, column Labels: the series has no metric name"),
            (named(&[("__name__", "a"), ("b", "")]), "has no name or no value"),
            (named(&[("__name__", "a"), ("b", "1"), ("b", "2")]), "there twice"),
            (named(&[("__name__", "a"), ("c", "1"), ("b", "2")]), "not sorted"),
            (body(vec![series(&[("__name__", "a")], &[(1.0, i64::MAX)])]), "out of range"),
        ];
        for (sent, expected) in cases {
            let error = accept(&ingest, &sent).await.unwrap_err();
            assert!(error.is_refusal() && error.to_string().contains(expected), "{expected}: {error}");
        }
        assert_eq!(stored(&ingest, TABLE).num_rows(), 0);
    }
}
