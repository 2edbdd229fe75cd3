//! OpenTelemetry logs and metrics: `/v1/logs` and `/v1/metrics` over HTTP, and the services of the same names over gRPC,
//! all on the HTTPS port. Rows are `watchkeeper_ingest::otlp`'s; here are encodings, the sender and answers.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request};
use tower::ServiceExt;
use watchkeeper_authorization::Action;
use watchkeeper_ingest::IngestError;
use watchkeeper_ingest::limits::TELEMETRY_BODY_BYTES;
use watchkeeper_ingest::otlp::{self, Accepted, ExportLogsServiceRequest, ExportMetricsServiceRequest};

use super::errors::ApiError;
use super::{App, senders};
use crate::authorization::{Need, Routes, post};

/// A sender has a role, or the id and a key of the workspace.
const SENDER: Need = Need::Sender(Action::SendData);

pub fn routes() -> Routes {
    Routes::new()
        .route("/v1/logs", post(SENDER, accept_logs))
        .route("/v1/metrics", post(SENDER, accept_metrics))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", post(SENDER, call_logs))
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", post(SENDER, call_metrics))
        .body_limit(TELEMETRY_BODY_BYTES)
}

async fn call_logs(State(app): State<Arc<App>>, request: axum::extract::Request) -> Response {
    let service = LogsServiceServer::new(Service(app)).accept_compressed(CompressionEncoding::Gzip);
    called(service.max_decoding_message_size(TELEMETRY_BODY_BYTES).oneshot(request).await)
}

async fn call_metrics(State(app): State<Arc<App>>, request: axum::extract::Request) -> Response {
    let service = MetricsServiceServer::new(Service(app)).accept_compressed(CompressionEncoding::Gzip);
    called(service.max_decoding_message_size(TELEMETRY_BODY_BYTES).oneshot(request).await)
}

fn called(answer: Result<http::Response<tonic::body::Body>, Infallible>) -> Response {
    match answer {
        Ok(answer) => answer.map(Body::new),
        Err(never) => match never {},
    }
}

/// The answer to a sender that was not let in.
pub fn refused(headers: &HeaderMap, error: ApiError) -> Response {
    Encoding::of(headers).unwrap_or(Encoding::Json).refuse(error.into())
}

/// The same for a call by gRPC.
pub fn refused_call(error: ApiError) -> Response {
    let refusal = Refusal::from(error);
    tonic::Status::new(refusal.code, refusal.message).into_http()
}

/// `google.rpc.Status`, the body of an error.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// A refusal, for both transports.
struct Refusal {
    status: StatusCode,
    code: Code,
    message: String,
    retry_after: Option<u64>,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        let code = match status {
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
            status if status.is_server_error() => Code::Internal,
            _ => Code::InvalidArgument,
        };
        Refusal { status, code, message: message.into(), retry_after: None }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        Refusal { retry_after: error.retry_after, ..Refusal::new(error.status, error.message) }
    }
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Refusal {
        senders::refused(&error).into()
    }
}

/// How a body is encoded, and its answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Encoding> {
        let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match text.split(';').next().unwrap_or_default().trim() {
            "application/x-protobuf" => Some(Encoding::Protobuf),
            "application/json" => Some(Encoding::Json),
            _ => None,
        }
    }

    fn answer(self, status: StatusCode, message: &impl Message, json: &Value) -> Response {
        let (body, content_type) = match self {
            Encoding::Protobuf => (message.encode_to_vec(), "application/x-protobuf"),
            Encoding::Json => (json.to_string().into_bytes(), "application/json"),
        };
        (status, [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
    }

    fn refuse(self, refusal: Refusal) -> Response {
        let code = refusal.code as i32;
        let json = json!({"code": code, "message": refusal.message});
        let status = RpcStatus { code, message: refusal.message };
        let mut response = self.answer(refusal.status, &status, &json);
        if let Some(seconds) = refusal.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

async fn accept_logs(State(app): State<Arc<App>>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    accept(&headers, body, "rejectedLogRecords", logs_response, async |request| otlp::logs(&app.ingest, &request).await)
        .await
}

async fn accept_metrics(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    accept(&headers, body, "rejectedDataPoints", metrics_response, async |request| {
        otlp::metrics(&app.ingest, &request).await
    })
    .await
}

/// Reads, checks and stores a request over HTTP. `rejected` is the JSON name of the count in the partial success.
async fn accept<R, A>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    rejected: &str,
    response: impl FnOnce(&Accepted) -> A,
    store: impl AsyncFnOnce(R) -> Result<Accepted, IngestError>,
) -> Response
where
    R: Message + Default + DeserializeOwned,
    A: Message,
{
    let Some(encoding) = Encoding::of(headers) else {
        let message = "the header Content-Type has to be application/x-protobuf or application/json";
        return Encoding::Json.refuse(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    };
    let result = async {
        let body = body.map_err(|error| Refusal::new(error.status(), error.body_text()))?;
        let request = decode::<R>(encoding, headers, &body)?;
        Ok::<_, Refusal>(store(request).await?)
    };
    match result.await {
        Ok(accepted) => {
            let json = match accepted.rejected {
                0 => json!({}),
                // a 64-bit integer is a text in the JSON of protobuf
                count => json!({"partialSuccess": {rejected: count.to_string(), "errorMessage": accepted.message}}),
            };
            encoding.answer(StatusCode::OK, &response(&accepted), &json)
        }
        Err(refusal) => encoding.refuse(refusal),
    }
}

fn decode<R: Message + Default + DeserializeOwned>(
    encoding: Encoding,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<R, Refusal> {
    let content_encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("unreadable"));
    let body = watchkeeper_ingest::body::decode(body, content_encoding, TELEMETRY_BODY_BYTES)?;
    let bad = |error: String| Refusal::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"));
    match encoding {
        Encoding::Protobuf => R::decode(&*body).map_err(|error| bad(error.to_string())),
        Encoding::Json => serde_json::from_slice(&body).map_err(|error| bad(error.to_string())),
    }
}

fn logs_response(accepted: &Accepted) -> ExportLogsServiceResponse {
    let partial_success = (accepted.rejected > 0).then(|| ExportLogsPartialSuccess {
        rejected_log_records: i64::try_from(accepted.rejected).unwrap_or(i64::MAX),
        error_message: accepted.message.clone(),
    });
    ExportLogsServiceResponse { partial_success }
}

fn metrics_response(accepted: &Accepted) -> ExportMetricsServiceResponse {
    let partial_success = (accepted.rejected > 0).then(|| ExportMetricsPartialSuccess {
        rejected_data_points: i64::try_from(accepted.rejected).unwrap_or(i64::MAX),
        error_message: accepted.message.clone(),
    });
    ExportMetricsServiceResponse { partial_success }
}

/// The gRPC services.
struct Service(Arc<App>);

impl Service {
    async fn accept(stored: impl Future<Output = Result<Accepted, IngestError>>) -> Result<Accepted, tonic::Status> {
        stored.await.map_err(|error| {
            let refusal = Refusal::from(error);
            tonic::Status::new(refusal.code, refusal.message)
        })
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        let stored = otlp::logs(&self.0.ingest, request.get_ref());
        let accepted = Service::accept(stored).await?;
        Ok(tonic::Response::new(logs_response(&accepted)))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        let stored = otlp::metrics(&self.0.ingest, request.get_ref());
        let accepted = Service::accept(stored).await?;
        Ok(tonic::Response::new(metrics_response(&accepted)))
    }
}
