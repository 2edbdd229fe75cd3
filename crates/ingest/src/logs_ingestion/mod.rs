//! The Logs Ingestion API (Azure Monitor, "Logs Ingestion API in Azure Monitor"): JSON records of a declared stream go
//! through the transformation of a data collection rule into a table.

pub mod rule;
mod transform;

use watchkeeper_query::Engine;

use crate::body;
use crate::error::IngestError;
use crate::limits::{LOGS_INGESTION_BODY_BYTES, LOGS_INGESTION_FIELD_BYTES, LOGS_INGESTION_PLAIN_BYTES};
use crate::rows::{Options, RowsBuilder, TimePolicy, Unknown, json};
use crate::writer::Ingest;
use rule::{Properties, RuleError};

const SOLUTION: &str = "LogsIngestion";
/// The versions of the API that have this request.
pub const API_VERSIONS: [&str; 2] = ["2023-01-01", "2021-11-01-preview"];

/// The answers that are not 204.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(
        "Stream {stream} was not configured for the Data Collection rule with immutable Id {rule}; it has: {known}"
    )]
    InvalidStream { stream: String, rule: String, known: String },
    #[error("{0}")]
    InvalidTransform(String),
    #[error("Maximum allowed content length: {LOGS_INGESTION_BODY_BYTES} bytes (1 MB). Send less at a time")]
    ContentLengthLimitExceeded,
    #[error(transparent)]
    Rows(IngestError),
}

impl Refusal {
    /// Status and code of the answer.
    pub fn status(&self) -> (u16, &'static str) {
        match self {
            Refusal::InvalidStream { .. } => (400, "InvalidStream"),
            Refusal::InvalidTransform(_) => (400, "InvalidTransformOutput"),
            Refusal::ContentLengthLimitExceeded => (413, "ContentLengthLimitExceeded"),
            Refusal::Rows(IngestError::BackPressure { .. }) => (429, "RateLimitExceeded"),
            Refusal::Rows(IngestError::Unavailable { .. }) => (503, "ServiceUnavailable"),
            Refusal::Rows(IngestError::Format(_)) => (400, "InvalidPayload"),
            Refusal::Rows(_) => (400, "InvalidRecord"),
        }
    }
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Refusal {
        match error {
            IngestError::TooLarge { .. } => Refusal::ContentLengthLimitExceeded,
            other => Refusal::Rows(other),
        }
    }
}

/// A request as it was sent.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The immutable id of the rule.
    pub rule: &'a str,
    pub stream: &'a str,
    pub content_encoding: Option<&'a str>,
    pub body: &'a [u8],
}

/// Checks a rule as a whole: its transformations are run over no rows.
///
/// # Errors
/// What is wrong with the rule, in the words of its author.
pub async fn check(engine: &Engine, properties: &Properties) -> Result<(), RuleError> {
    for stream in properties.streams() {
        let columns = properties.columns(stream)?;
        for flow in properties.flows(stream)? {
            let Some(text) = flow.transform else { continue };
            let empty = RowsBuilder::new(stream, &columns, options(Unknown::Ignore, TimePolicy::Keep)).finish();
            transform::run(engine, text, &columns, &empty.batch).await.map_err(|error| {
                RuleError::new("InvalidTransformQuery", format!("transformKql of {stream:?}: {error}"))
            })?;
        }
    }
    Ok(())
}

/// Stores the records of a request; returns how many rows they became.
///
/// # Errors
/// Nothing of the request is then stored.
pub async fn accept(
    ingest: &Ingest,
    engine: &Engine,
    properties: &Properties,
    request: Request<'_>,
) -> Result<usize, Refusal> {
    let stored = store(ingest, engine, properties, request).await;
    if let Err(error) = &stored
        && error.status().0 < 429
    {
        let detail = format!("rule {}: {error}", request.rule);
        ingest.refused(SOLUTION, request.stream, detail, 1);
    }
    stored
}

async fn store(
    ingest: &Ingest,
    engine: &Engine,
    properties: &Properties,
    request: Request<'_>,
) -> Result<usize, Refusal> {
    let invalid = |error: RuleError| Refusal::InvalidTransform(error.to_string());
    let flows = properties.flows(request.stream).map_err(invalid)?;
    if flows.is_empty() {
        let mut known: Vec<_> = properties.streams().collect();
        known.dedup();
        return Err(Refusal::InvalidStream {
            stream: request.stream.chars().take(200).collect(),
            rule: request.rule.to_owned(),
            known: known.join(", "),
        });
    }
    let columns = properties.columns(request.stream).map_err(invalid)?;
    if request.body.len() > LOGS_INGESTION_BODY_BYTES {
        return Err(Refusal::ContentLengthLimitExceeded);
    }
    let body = body::decode(request.body, request.content_encoding, LOGS_INGESTION_PLAIN_BYTES)?;
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        let reason = "the body has to be a JSON array of records";
        return Err(Refusal::Rows(IngestError::Format(reason.into())));
    }
    let mut source = RowsBuilder::new("source", &columns, options(Unknown::Ignore, TimePolicy::Keep));
    json::read(&body, &mut source)?;
    let source = source.finish_whole()?;

    let mut tables = Vec::with_capacity(flows.len());
    let mut count = 0;
    for flow in flows {
        let output = match flow.transform {
            None => transform::Output::untouched(&columns, &source.batch),
            Some(text) => transform::run(engine, text, &columns, &source.batch)
                .await
                .map_err(|error| Refusal::InvalidTransform(format!("transformKql: {error}")))?,
        };
        let unknown = if flow.table.ends_with("_CL") { Unknown::Add } else { Unknown::Ignore };
        let mut rows = ingest.rows(&flow.table, options(unknown, TimePolicy::Recent)).with_source_system("RestAPI");
        output.write(&mut rows)?;
        let rows = rows.finish_whole()?;
        count += rows.batch.num_rows();
        if rows.batch.num_rows() > 0 {
            tables.push(rows);
        }
    }
    if !tables.is_empty() {
        ingest.write(tables, None).await?;
    }
    Ok(count)
}

fn options(unknown: Unknown, time: TimePolicy) -> Options {
    let now = chrono::Utc::now().timestamp_micros();
    Options { unknown, time, field_bytes: LOGS_INGESTION_FIELD_BYTES, now }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use watchkeeper_query::EngineOptions;

    use super::*;
    use crate::writer::tests::{stored, texts, workspace};

    fn engine(dir: &tempfile::TempDir) -> Engine {
        Engine::new(EngineOptions { memory_limit: 64 << 20, spill_dir: dir.path().to_owned(), threads: 1 })
    }

    fn properties(transform: &str) -> Properties {
        let columns = json!([
            {"name": "Time", "type": "datetime"}, {"name": "Computer", "type": "string"},
            {"name": "Size", "type": "long"}, {"name": "More", "type": "dynamic"},
        ]);
        Properties::read(&json!({
            "streamDeclarations": {"Custom-Raw": {"columns": columns}},
            "dataFlows": [{"streams": ["Custom-Raw"], "transformKql": transform, "outputStream": "Custom-App_CL"}],
        }))
        .unwrap()
    }

    fn request(body: &str) -> Request<'_> {
        Request { rule: "dcr-1", stream: "Custom-Raw", content_encoding: None, body: body.as_bytes() }
    }

    #[tokio::test]
    async fn records_go_through_the_transformation_into_the_table() {
        let (dir, ingest) = workspace().await;
        let engine = engine(&dir);
        let rule = properties(
            "source | where Size > 1 | extend TimeGenerated = Time, Kilo = Size * 1000, Zone = tostring(More.zone) | project-away Time, More",
        );
        check(&engine, &rule).await.unwrap();
        let now = chrono::Utc::now().to_rfc3339();
        let body = format!(
            r#"[{{"Time":"{now}","Computer":"a","Size":1}},{{"Time":"{now}","Computer":"b","Size":"2","More":{{"zone":"z"}},"Undeclared":1}}]"#
        );
        assert_eq!(accept(&ingest, &engine, &rule, request(&body)).await.unwrap(), 1);
        let batch = stored(&ingest, "App_CL");
        assert_eq!((texts(&batch, "Computer"), texts(&batch, "Zone")), (vec!["b".to_owned()], vec!["z".to_owned()]));
        let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert!(!names.contains(&"Time".to_owned()) && !names.contains(&"Undeclared".to_owned()), "{names:?}");
        assert_eq!(batch["Kilo"].data_type(), &arrow::datatypes::DataType::Int64);
    }

    #[tokio::test]
    async fn a_rule_without_a_transformation_keeps_declared_types() {
        let (dir, ingest) = workspace().await;
        let engine = engine(&dir);
        let rule = properties("source");
        accept(&ingest, &engine, &rule, request(r#"[{"Computer":"a","More":"text","Size":null}]"#)).await.unwrap();
        let batch = stored(&ingest, "App_CL");
        assert_eq!(texts(&batch, "More"), ["\"text\""]);
        assert_eq!(batch["Time"].null_count(), 1);
        assert_eq!(batch["TimeGenerated"].null_count(), 0);
        assert_eq!(batch["Size"].data_type(), &arrow::datatypes::DataType::Int64);
    }

    #[tokio::test]
    async fn broken_requests_and_transformations_are_refused() {
        let (dir, ingest) = workspace().await;
        let engine = engine(&dir);
        for text in ["source | where", "source | extend x = nosuch", "Heartbeat", "source | union Heartbeat"] {
            let error = check(&engine, &properties(text)).await.unwrap_err();
            assert_eq!(error.code, "InvalidTransformQuery", "{text}: {error}");
        }
        let rule = properties("source");
        for (body, code) in [
            ("{}", "InvalidPayload"),
            ("", "InvalidPayload"),
            ("[{]", "InvalidPayload"),
            (r#"[{"Size":"x"}]"#, "InvalidRecord"),
            (r#"[{"Time":"yesterday"}]"#, "InvalidRecord"),
            ("[1]", "InvalidRecord"),
        ] {
            let refusal = accept(&ingest, &engine, &rule, request(body)).await.unwrap_err();
            assert_eq!(refusal.status(), (400, code), "{body}: {refusal}");
        }
        let other = Request { stream: "Custom-Other", ..request("[]") };
        let refusal = accept(&ingest, &engine, &rule, other).await.unwrap_err();
        assert_eq!(refusal.status(), (400, "InvalidStream"));
        let large = format!("[{}]", " ".repeat(LOGS_INGESTION_BODY_BYTES));
        let refusal = accept(&ingest, &engine, &rule, request(&large)).await.unwrap_err();
        assert_eq!(refusal.status().0, 413);
        assert!(ingest.store().schema("App_CL").is_none());
    }
}
