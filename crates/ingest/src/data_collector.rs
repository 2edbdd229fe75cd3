//! The HTTP Data Collector API (Azure Monitor, "Send log data to Azure Monitor with the HTTP Data Collector API"):
//! who may send, what a request must say, and its rows.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ring::hmac;
use watchkeeper_state::{State, StateError};

use crate::body;
use crate::error::IngestError;
use crate::limits::{DATA_COLLECTOR_BODY_BYTES, DATA_COLLECTOR_FIELD_BYTES, DATA_COLLECTOR_SKEW, LOG_TYPE_CHARS};
use crate::rows::{Options, TimePolicy, Unknown, json};
use crate::writer::Ingest;

const SOLUTION: &str = "DataCollector";
/// The only version of the API.
pub const API_VERSION: &str = "2016-04-01";

/// The parts of a request that the protocol looks at, as they were sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    pub api_version: Option<&'a str>,
    /// `<id>.ods.…` names a workspace; other hosts do not.
    pub host: Option<&'a str>,
    pub authorization: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub content_encoding: Option<&'a str>,
    pub log_type: Option<&'a str>,
    pub x_ms_date: Option<&'a str>,
    pub resource_id: Option<&'a str>,
    pub time_generated_field: Option<&'a str>,
    pub body: &'a [u8],
}

/// The documented answers that are not 200 ("Return codes").
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the workspace ID specified is invalid")]
    InvalidCustomerId,
    #[error("the API version {0:?} is not recognized; use 2016-04-01")]
    InvalidApiVersion(String),
    #[error("the API version was not specified")]
    MissingApiVersion,
    #[error("{0}")]
    InvalidDataFormat(String),
    #[error(
        "the log type {0:?} can only contain letters, numbers and underscore (_), begins with a letter, and has at most 100 characters"
    )]
    InvalidLogType(String),
    #[error("the header Log-Type was not specified")]
    MissingLogType,
    #[error("the content type was not specified")]
    MissingContentType,
    #[error("the content type {0:?} is not application/json")]
    UnsupportedContentType(String),
    #[error("{0}")]
    InvalidAuthorization(String),
    #[error("the request has more than 30 MB; split it")]
    TooLarge,
    #[error("too much data is waiting to be written; retry later")]
    TooManyRequests { retry_after: Duration },
    #[error("data cannot be stored now: {0}")]
    ServiceUnavailable(String),
    #[error("the operational store failed: {0}")]
    UnspecifiedError(StateError),
}

impl Refusal {
    /// Status and error code; 404 and 429 are documented without a code.
    pub fn status(&self) -> (u16, Option<&'static str>) {
        match self {
            Refusal::InvalidCustomerId => (400, Some("InvalidCustomerId")),
            Refusal::InvalidApiVersion(_) => (400, Some("InvalidApiVersion")),
            Refusal::MissingApiVersion => (400, Some("MissingApiVersion")),
            Refusal::InvalidDataFormat(_) => (400, Some("InvalidDataFormat")),
            Refusal::InvalidLogType(_) => (400, Some("InvalidLogType")),
            Refusal::MissingLogType => (400, Some("MissingLogType")),
            Refusal::MissingContentType => (400, Some("MissingContentType")),
            Refusal::UnsupportedContentType(_) => (400, Some("UnsupportedContentType")),
            Refusal::InvalidAuthorization(_) => (403, Some("InvalidAuthorization")),
            Refusal::TooLarge => (404, None),
            Refusal::TooManyRequests { .. } => (429, None),
            Refusal::ServiceUnavailable(_) => (503, Some("ServiceUnavailable")),
            Refusal::UnspecifiedError(_) => (500, Some("UnspecifiedError")),
        }
    }

    fn authorization(reason: &str) -> Refusal {
        Refusal::InvalidAuthorization(format!(
            "the request could not be authenticated: {reason}; verify the workspace ID and the key"
        ))
    }
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Refusal {
        match error {
            IngestError::TooLarge { .. } => Refusal::TooLarge,
            IngestError::BackPressure { retry_after } => Refusal::TooManyRequests { retry_after },
            IngestError::Unavailable { reason } => Refusal::ServiceUnavailable(reason),
            other => Refusal::InvalidDataFormat(other.to_string()),
        }
    }
}

/// Stores the records of a request; returns how many.
///
/// # Errors
/// The whole request is then refused, and nothing of it stored.
pub async fn accept(
    ingest: &Ingest,
    state: &State,
    request: Request<'_>,
    now: DateTime<Utc>,
) -> Result<usize, Refusal> {
    if request.body.len() > DATA_COLLECTOR_BODY_BYTES {
        return Err(Refusal::TooLarge);
    }
    match request.api_version {
        None | Some("") => return Err(Refusal::MissingApiVersion),
        Some(API_VERSION) => {}
        Some(other) => return Err(Refusal::InvalidApiVersion(shown(other))),
    }
    let log_type = match request.log_type {
        None | Some("") => return Err(Refusal::MissingLogType),
        Some(log_type) => log_type,
    };
    if !is_log_type(log_type) {
        return Err(Refusal::InvalidLogType(shown(log_type)));
    }
    match request.content_type {
        None | Some("") => return Err(Refusal::MissingContentType),
        Some(content_type) => {
            let essence = content_type.split(';').next().unwrap_or_default().trim();
            if !essence.eq_ignore_ascii_case("application/json") {
                return Err(Refusal::UnsupportedContentType(shown(content_type)));
            }
        }
    }
    // the body is looked at only for those who can prove to be a sender
    authenticate(ingest, state, &request, now).await?;
    let table = format!("{log_type}_CL");
    let stored = store(ingest, &table, &request, now).await;
    if let Err(error) = &stored
        && error.is_refusal()
    {
        ingest.refused(SOLUTION, &table, error.to_string(), 1);
    }
    Ok(stored?)
}

async fn store(ingest: &Ingest, table: &str, request: &Request<'_>, now: DateTime<Utc>) -> Result<usize, IngestError> {
    let body = body::decode(request.body, request.content_encoding, DATA_COLLECTOR_BODY_BYTES)?;
    let options = Options {
        unknown: Unknown::Suffix,
        time: TimePolicy::Recent,
        field_bytes: DATA_COLLECTOR_FIELD_BYTES,
        now: now.timestamp_micros(),
    };
    let mut rows = ingest.rows(table, options).with_source_system("RestAPI");
    if let Some(id) = request.resource_id.filter(|id| !id.is_empty()) {
        rows = rows.with_resource_id(id.to_ascii_lowercase());
    }
    if let Some(field) = request.time_generated_field.filter(|field| !field.is_empty()) {
        rows = rows.with_time_field(field);
    }
    json::read(&body, &mut rows)?;
    let rows = rows.finish_whole()?;
    let count = rows.batch.num_rows();
    if count > 0 {
        ingest.write(vec![rows], None).await?;
    }
    Ok(count)
}

async fn authenticate(
    ingest: &Ingest,
    state: &State,
    request: &Request<'_>,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let authorization =
        request.authorization.ok_or_else(|| Refusal::authorization("there is no Authorization header"))?;
    let (id, signature) = authorization
        .strip_prefix("SharedKey ")
        .and_then(|rest| rest.trim().split_once(':'))
        .ok_or_else(|| Refusal::authorization("the Authorization header is not SharedKey <WorkspaceID>:<Signature>"))?;
    let date = request.x_ms_date.ok_or_else(|| Refusal::authorization("there is no x-ms-date header"))?;
    let at = DateTime::parse_from_rfc2822(date)
        .map_err(|_| Refusal::authorization("x-ms-date is not a date in RFC 1123 format"))?;
    if (now - at.to_utc()).abs().to_std().unwrap_or(Duration::MAX) > DATA_COLLECTOR_SKEW {
        let reason = "x-ms-date is more than 15 minutes from the server's time";
        return Err(Refusal::authorization(reason));
    }
    if let Some(named) = request.host.and_then(workspace_of_host)
        && !named.eq_ignore_ascii_case(id)
    {
        return Err(Refusal::authorization("the host and the Authorization header name different workspaces"));
    }
    if !id.eq_ignore_ascii_case(ingest.workspace_id()) {
        return Err(Refusal::InvalidCustomerId);
    }
    let workspace = state.workspace(id).await.map_err(Refusal::UnspecifiedError)?.ok_or(Refusal::InvalidCustomerId)?;
    let signature = STANDARD.decode(signature).map_err(|_| Refusal::authorization("the signature is not base64"))?;
    // some clients add a character set to the header that they did not sign
    let signed = [request.content_type.unwrap_or_default(), "application/json"]
        .map(|content_type| string_to_sign(request.body.len(), content_type, date));
    let is_signed_with = |key: &str| {
        let Ok(key) = STANDARD.decode(key) else { return false };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        // in constant time
        signed.iter().any(|text| hmac::verify(&key, text.as_bytes(), &signature).is_ok())
    };
    if is_signed_with(&workspace.primary_key) || is_signed_with(&workspace.secondary_key) {
        Ok(())
    } else {
        Err(Refusal::authorization("the signature does not match"))
    }
}

/// What a sender signs ("Authorization").
fn string_to_sign(length: usize, content_type: &str, date: &str) -> String {
    format!("POST\n{length}\n{content_type}\nx-ms-date:{date}\n/api/logs")
}

fn workspace_of_host(host: &str) -> Option<&str> {
    let (first, rest) = host.split_once('.')?;
    rest.starts_with("ods.").then_some(first)
}

fn is_log_type(name: &str) -> bool {
    name.len() <= LOG_TYPE_CHARS
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn shown(text: &str) -> String {
    text.chars().take(LOG_TYPE_CHARS).collect()
}

/// The `Authorization` header for a body, for senders and tests.
///
/// # Errors
/// When the key is not base64.
pub fn sign(
    workspace_id: &str,
    key: &str,
    length: usize,
    content_type: &str,
    date: &str,
) -> Result<String, base64::DecodeError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key)?);
    let tag = hmac::sign(&key, string_to_sign(length, content_type, date).as_bytes());
    Ok(format!("SharedKey {workspace_id}:{}", STANDARD.encode(tag)))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;
    use watchkeeper_state::Workspace;

    use super::*;
    use crate::body::tests::gzip;
    use crate::writer::tests::{stored, texts, workspace};

    struct Site {
        _dirs: (tempfile::TempDir, tempfile::TempDir),
        state: State,
        workspace: Workspace,
        ingest: std::sync::Arc<Ingest>,
        now: DateTime<Utc>,
    }

    async fn site() -> Site {
        let (dir, first) = workspace().await;
        let state_dir = tempfile::tempdir().unwrap();
        let state = State::open_embedded(state_dir.path()).await.unwrap();
        let workspace = state.create_workspace("default").await.unwrap();
        let ingest = Ingest::open(first.store().clone(), &workspace.id).await.unwrap();
        Site { _dirs: (dir, state_dir), state, workspace, ingest, now: Utc::now() }
    }

    fn rfc1123(time: DateTime<Utc>) -> String {
        time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    impl Site {
        /// Sends a body, signed, after a change to the request.
        async fn send(&self, body: &[u8], change: impl for<'a> FnOnce(&mut Request<'a>)) -> Result<usize, Refusal> {
            let date = rfc1123(self.now);
            let key = &self.workspace.secondary_key;
            let authorization = sign(&self.workspace.id, key, body.len(), "application/json", &date).unwrap();
            let mut request = Request {
                api_version: Some(API_VERSION),
                host: Some("localhost:8443"),
                authorization: Some(&authorization),
                content_type: Some("application/json"),
                log_type: Some("App"),
                x_ms_date: Some(&date),
                body,
                ..Request::default()
            };
            change(&mut request);
            accept(&self.ingest, &self.state, request, self.now).await
        }
    }

    /// Computed with Python's hmac for the documentation's example of a signature string.
    #[test]
    fn a_signature_is_the_documented_one() {
        let text = string_to_sign(1024, "application/json", "Mon, 04 Apr 2016 08:00:00 GMT");
        assert_eq!(text, "POST\n1024\napplication/json\nx-ms-date:Mon, 04 Apr 2016 08:00:00 GMT\n/api/logs");
        let signed = sign("id", "c2VjcmV0", 1024, "application/json", "Mon, 04 Apr 2016 08:00:00 GMT").unwrap();
        assert_eq!(signed, "SharedKey id:bpNKlWYbj2GDuVKHtpCFlGlWg1/37JO7qycCRCwLTsM=");
    }

    #[tokio::test]
    async fn records_are_stored_with_the_time_and_resource_that_the_sender_names() {
        let site = site().await;
        let time = site.now - chrono::Duration::hours(1);
        let body = format!(r#"[{{"when":"{}","n":42,"ok":true}},{{"n":"43"}}]"#, time.to_rfc3339());
        let count = site
            .send(body.as_bytes(), |request| {
                request.time_generated_field = Some("when");
                request.resource_id = Some("/subscriptions/S/machines/A");
                request.content_type = Some("application/json; charset=utf-8");
            })
            .await
            .unwrap();
        assert_eq!(count, 2);
        let batch = stored(&site.ingest, "App_CL");
        let times = batch["TimeGenerated"].as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.values(), &[time.timestamp_micros(), site.now.timestamp_micros()]);
        assert_eq!(texts(&batch, "_ResourceId"), ["/subscriptions/s/machines/a", "/subscriptions/s/machines/a"]);
        assert_eq!(batch["n_d"].null_count(), 0);
        assert_eq!(batch["ok_b"].null_count(), 1);
    }

    #[tokio::test]
    async fn broken_requests_get_the_documented_codes_and_nothing_is_stored() {
        let site = site().await;
        let good: &[u8] = br#"[{"n":1}]"#;
        let wide = format!("[{{{}}}]", (0..10_000).map(|n| format!("\"c{n}\":1")).collect::<Vec<_>>().join(","));
        let deep = format!("[{{\"a\":{}1{}}}]", "[".repeat(50_000), "]".repeat(50_000));
        let cut = gzip(good)[..12].to_vec();
        let long_name = format!("[{{\"{}\":1}}]", "x".repeat(44));
        type Change = for<'a> fn(&mut Request<'a>);
        let same: Change = |_| {};
        let cases: Vec<(&[u8], Change, u16, &str)> = vec![
            (good, |r| r.api_version = None, 400, "MissingApiVersion"),
            (good, |r| r.api_version = Some("2015-01-01"), 400, "InvalidApiVersion"),
            (good, |r| r.log_type = None, 400, "MissingLogType"),
            (good, |r| r.log_type = Some("my-log"), 400, "InvalidLogType"),
            (good, |r| r.log_type = Some("../x"), 400, "InvalidLogType"),
            (good, |r| r.log_type = Some("1x"), 400, "InvalidLogType"),
            (good, |r| r.authorization = None, 403, "InvalidAuthorization"),
            (good, |r| r.authorization = Some("Bearer x"), 403, "InvalidAuthorization"),
            (good, |r| r.authorization = Some("SharedKey x"), 403, "InvalidAuthorization"),
            (good, |r| r.authorization = Some("SharedKey other:c2ln"), 400, "InvalidCustomerId"),
            (good, |r| r.x_ms_date = None, 403, "InvalidAuthorization"),
            (good, |r| r.x_ms_date = Some("yesterday"), 403, "InvalidAuthorization"),
            (good, |r| r.x_ms_date = Some("Mon, 04 Apr 2016 08:00:00 GMT"), 403, "InvalidAuthorization"),
            (good, |r| r.content_type = None, 400, "MissingContentType"),
            (good, |r| r.content_type = Some("text/plain"), 400, "UnsupportedContentType"),
            (good, |r| r.body = b"[{\"n\":2,}]", 403, "InvalidAuthorization"),
            (good, |r| r.host = Some("0.ods.opinsights.azure.com"), 403, "InvalidAuthorization"),
            (b"", same, 400, "InvalidDataFormat"),
            (b"[{\"n\":", same, 400, "InvalidDataFormat"),
            (b"[{\"n\":\"\xff\"}]", same, 400, "InvalidDataFormat"),
            (b"[1]", same, 400, "InvalidDataFormat"),
            (b"[{\"tenant\":1}]", same, 400, "InvalidDataFormat"),
            (b"[{\"TimeGenerated\":1}]", same, 400, "InvalidDataFormat"),
            (b"[{\"a b\":1}]", same, 400, "InvalidDataFormat"),
            (b"[{\"\":1}]", same, 400, "InvalidDataFormat"),
            (long_name.as_bytes(), same, 400, "InvalidDataFormat"),
            (wide.as_bytes(), same, 400, "InvalidDataFormat"),
            (deep.as_bytes(), same, 400, "InvalidDataFormat"),
            (cut.as_slice(), |r| r.content_encoding = Some("gzip"), 400, "InvalidDataFormat"),
            (good, |r| r.content_encoding = Some("br"), 400, "InvalidDataFormat"),
        ];
        for (at, (body, change, status, code)) in cases.into_iter().enumerate() {
            let refusal = site.send(body, change).await.unwrap_err();
            assert_eq!(refusal.status(), (status, Some(code)), "case {at}: {refusal}");
        }
        let large = vec![b' '; DATA_COLLECTOR_BODY_BYTES + 1];
        assert_eq!(site.send(&large, |_| {}).await.unwrap_err().status(), (404, None));
        assert!(site.ingest.store().schema("App_CL").is_none());
        site.ingest.write_account(site.now, false).await.unwrap();
        let details = texts(&stored(&site.ingest, "Operation"), "Detail").join("\n");
        assert!(details.contains("column tenant: the property name is reserved"), "{details}");
    }
}
