//! The Log Analytics query API: `/v1/workspaces/{id}/query`, `/v1/$batch` (Azure Monitor Logs API). Errors have its
//! codes and the place in the query.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_kql::{Code, Diagnostic};
use watchkeeper_query::{QueryError, shape};

use super::errors::ApiError;
use super::{App, origin, timespan};
use crate::audit::Reason;
use crate::authorization::{Routes, get, post};
use crate::identity::Caller;
use crate::queries::{Asked, Limits, Origin, ticks_now};

/// The documented limits of one answer: 500,000 rows, 64 MiB, ten minutes.
const LIMITS: Limits = Limits { rows: 500_000, bytes: 64 << 20 };
/// Without `Prefer: wait` a query has three minutes.
const DEFAULT_WAIT: Duration = Duration::from_secs(180);
const LONGEST_WAIT: Duration = Duration::from_secs(600);
const MOST_BATCH_REQUESTS: usize = 100;
/// Requests of one batch that run at a time.
const BATCH_AT_A_TIME: usize = 4;

pub fn routes() -> Routes {
    Routes::new()
        .route("/v1/workspaces/{workspace}/query", get(Action::QueryData, by_address).post(Action::QueryData, by_body))
        .route("/v1/$batch", post(Action::QueryData, batch))
}

#[derive(Debug, Deserialize)]
struct Body {
    query: String,
    #[serde(default)]
    timespan: Option<String>,
}

/// What the header `Prefer` asks for.
#[derive(Debug, PartialEq)]
struct Preferences {
    wait: Duration,
    statistics: bool,
    render: bool,
    /// Our own: the plan that ran, within the statistics.
    plan: bool,
}

impl Preferences {
    fn read(headers: &HeaderMap) -> Preferences {
        let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        Preferences::parse(lines.flat_map(|line| line.split([',', ';'])))
    }

    fn parse<'a>(entries: impl Iterator<Item = &'a str>) -> Preferences {
        let mut preferences = Preferences { wait: DEFAULT_WAIT, statistics: false, render: false, plan: false };
        for entry in entries {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "wait" => {
                    if let Ok(seconds) = value.parse::<u64>() {
                        preferences.wait = Duration::from_secs(seconds).clamp(Duration::from_secs(1), LONGEST_WAIT);
                    }
                }
                "include-statistics" => preferences.statistics = value.eq_ignore_ascii_case("true"),
                "include-plan" => preferences.plan = value.eq_ignore_ascii_case("true"),
                "include-render" => preferences.render = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        preferences
    }
}

async fn by_address(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    headers: HeaderMap,
    Query(body): Query<Body>,
    caller: Caller,
) -> Result<Response, ApiError> {
    finish(run(&app, &caller, &workspace, body, &Preferences::read(&headers), origin(&caller, &headers)).await)
}

async fn by_body(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    headers: HeaderMap,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body: Body = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not a query request: {error}")))?;
    finish(run(&app, &caller, &workspace, body, &Preferences::read(&headers), origin(&caller, &headers)).await)
}

fn finish(outcome: Result<Vec<u8>, Refused>) -> Result<Response, ApiError> {
    Ok(match outcome {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response(),
        Err(Refused { status, error }) => {
            let reason = Reason(error["message"].as_str().unwrap_or_default().to_owned());
            let mut response = (status, Json(json!({"error": error}))).into_response();
            response.extensions_mut().insert(reason);
            response
        }
    })
}

/// An error body and its status.
struct Refused {
    status: StatusCode,
    error: Value,
}

impl Refused {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Refused {
        Refused { status, error: json!({"code": code, "message": message.into()}) }
    }
}

/// Runs one query for a caller. Dropping the future (the client went away) cancels the query.
async fn run(
    app: &App,
    caller: &Caller,
    workspace: &str,
    body: Body,
    preferences: &Preferences,
    origin: Origin,
) -> Result<Vec<u8>, Refused> {
    if !workspace.eq_ignore_ascii_case(&app.workspace_id) {
        let message = format!("The workspace {workspace:?} could not be found");
        return Err(Refused::new(StatusCode::NOT_FOUND, "WorkspaceNotFoundError", message));
    }
    let now = ticks_now();
    let timespan = match body.timespan.as_deref().filter(|text| !text.trim().is_empty()) {
        Some(text) => Some(
            timespan::parse(text, now)
                .map_err(|message| Refused::new(StatusCode::BAD_REQUEST, "BadArgumentError", message))?,
        ),
        None => None,
    };
    let functions = app.functions().await.map_err(|error| {
        tracing::error!(%error, "cannot read the saved functions");
        let message = "the saved functions of the workspace cannot be read; the server's log says why";
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
    })?;
    let asked = Asked {
        text: body.query,
        timespan,
        parameters: BTreeMap::new(),
        now,
        deadline: preferences.wait.min(app.queries.longest()),
        limits: LIMITS,
        functions,
        readable: caller.access.parts(Action::QueryData, &app.workspace_scope()),
        small: false,
        plan: preferences.plan,
        origin,
    };
    let text = asked.text.clone();
    let mut response = app.queries.run(asked).await.map_err(|error| refused(&text, &error))?;
    if !preferences.render {
        response.render = None;
    }
    let mut bytes = shape::log_analytics(&response);
    if (preferences.statistics || preferences.plan) && bytes.pop() == Some(b'}') {
        let cost = &response.statistics;
        let rows: usize = response.tables.iter().map(|table| table.rows()).sum();
        let mut statistics = json!({"query": {
            "executionTime": cost.elapsed.as_secs_f64(),
            "resourceUsage": {
                "cpu": {"totalCpu": clock(cost.cpu_time)},
                "memory": {"peakPerNode": cost.memory_peak},
            },
            "inputDatasetStatistics": {
                "extents": {"scanned": cost.files_scanned},
                "rows": {"scanned": cost.rows_scanned},
                "bytes": {"scanned": cost.bytes_scanned},
            },
            "datasetStatistics": [{"tableRowCount": rows, "tableSize": bytes.len()}],
        }});
        if !response.advice.is_empty() {
            statistics["advice"] = json!(response.advice);
        }
        if let Some(plan) = &response.plan {
            statistics["plan"] = json!(plan);
        }
        bytes.extend_from_slice(format!(",\"statistics\":{statistics}}}").as_bytes());
    }
    Ok(bytes)
}

pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:02}:{:02}:{:02}.{:07}", seconds / 3600, seconds / 60 % 60, seconds % 60, time.subsec_nanos() / 100)
}

/// The documented error for what a query failed with.
fn refused(text: &str, error: &QueryError) -> Refused {
    match error {
        QueryError::Diagnostics { diagnostics, .. } => {
            let syntax = diagnostics.iter().any(|diagnostic| diagnostic.code == Code::Syntax);
            let (code, message) = match syntax {
                true => ("SyntaxError", "A syntax error occurred in the query."),
                false => ("SemanticError", "A semantic error occurred."),
            };
            Refused {
                status: StatusCode::BAD_REQUEST,
                error: json!({
                    "code": "BadArgumentError",
                    "message": "The request had some invalid properties",
                    "innererror": {
                        "code": code,
                        "message": message,
                        "innererror": diagnostics.first().map(|first| inner(text, first)),
                        "details": diagnostics.iter().map(|each| inner(text, each)).collect::<Vec<_>>(),
                    },
                }),
            }
        }
        QueryError::Deadline { .. } => Refused::new(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", error.to_string()),
        QueryError::Denied { .. } => Refused::new(StatusCode::FORBIDDEN, "InsufficientAccessError", error.to_string()),
        QueryError::Cancelled => Refused::new(StatusCode::BAD_REQUEST, "QueryCancelled", error.to_string()),
        QueryError::Memory { .. } | QueryError::Limit { .. } | QueryError::Execution { .. } => Refused {
            status: StatusCode::BAD_REQUEST,
            error: json!({
                "code": "BadArgumentError",
                "message": "The query could not be completed",
                "innererror": {"code": "QueryExecutionError", "message": error.to_string()},
            }),
        },
    }
}

pub(super) fn inner(text: &str, diagnostic: &Diagnostic) -> Value {
    let (line, position) = diagnostic.line_column(text);
    let token = text.get(diagnostic.span.start as usize..diagnostic.span.end as usize).unwrap_or_default();
    json!({
        "code": match diagnostic.code {
            Code::Syntax => "SYN0002",
            Code::UnknownName => "SEM0100",
            Code::Semantic | Code::Unsupported => "SEM0001",
        },
        "message": diagnostic.to_string(),
        "line": line,
        "pos": position,
        "token": token,
    })
}

#[derive(Deserialize)]
struct Batch {
    requests: Vec<BatchRequest>,
}

#[derive(Deserialize)]
struct BatchRequest {
    id: String,
    workspace: String,
    body: Body,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

async fn batch(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    let batch: Batch = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not a batch of queries: {error}")))?;
    if batch.requests.len() > MOST_BATCH_REQUESTS {
        return Err(ApiError::bad_request(format!(
            "the batch has {} requests; at most {MOST_BATCH_REQUESTS} are taken",
            batch.requests.len()
        )));
    }
    let (app, caller, headers) = (app.as_ref(), &caller, &headers);
    let answers = futures::stream::iter(batch.requests).map(|request| async move {
        let prefer = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("prefer"));
        let preferences = Preferences::parse(prefer.flat_map(|(_, value)| value.split([',', ';'])));
        let origin = origin(caller, headers);
        let (status, body) = match run(app, caller, &request.workspace, request.body, &preferences, origin).await {
            Ok(bytes) => (StatusCode::OK, String::from_utf8_lossy(&bytes).into_owned()),
            Err(refused) => (refused.status, json!({"error": refused.error}).to_string()),
        };
        let body = RawValue::from_string(body).map_err(|error| {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", error.to_string())
        })?;
        let id = Value::String(request.id);
        Ok::<_, ApiError>(format!("{{\"id\":{id},\"status\":{},\"body\":{}}}", status.as_u16(), body.get()))
    });
    let answers: Vec<Result<String, ApiError>> = answers.buffered(BATCH_AT_A_TIME).collect().await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let body = format!("{{\"responses\":[{}]}}", answers.join(","));
    Ok(([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_as_the_clients_write_them() {
        let read = |text: &str| Preferences::parse(text.split([',', ';']));
        let wanted = Preferences { wait: Duration::from_secs(30), statistics: true, render: true, plan: false };
        assert_eq!(read("wait=30,include-statistics=true,include-render=true"), wanted);
        assert!(read("include-plan=true").plan);
        assert_eq!(read("wait=9999").wait, LONGEST_WAIT);
        assert_eq!(read("").wait, DEFAULT_WAIT);
    }

    #[test]
    fn an_error_of_the_text_has_its_line_position_and_token() {
        let text = "Heartbeat\n| wher x";
        let diagnostic = Diagnostic {
            code: Code::Syntax,
            span: watchkeeper_kql::Span::new(12, 16),
            message: "no operator".into(),
            help: Some("did you mean where?".into()),
        };
        let error = QueryError::Diagnostics { text: text.into(), diagnostics: vec![diagnostic] };
        let refused = refused(text, &error);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        let inner = &refused.error["innererror"]["innererror"];
        assert_eq!((&inner["line"], &inner["pos"], &inner["token"]), (&json!(2), &json!(3), &json!("wher")));
        assert_eq!(refused.error["innererror"]["code"], "SyntaxError");
    }
}
