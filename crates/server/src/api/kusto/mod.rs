//! The Kusto REST API: `/v1/rest/query`, `/v2/rest/query`, `/v1/rest/mgmt`, `/v1/rest/auth/metadata` (Azure Data
//! Explorer, "Query/management HTTP request"). The database of a request is the workspace, by id or name.

mod answer;
mod command;
mod errors;
mod management;
mod properties;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::{Action, Readable, Scope};
use watchkeeper_query::shape::{self, Activity};

use self::errors::Failure;
use self::properties::Properties;
use super::{App, base_url, origin};
use crate::api::errors::ApiError;
use crate::authorization::{Need, Routes, get, post};
use crate::identity::Caller;
use crate::queries::{Asked, Origin, ticks_now};

/// What clients send where no database was chosen.
const DEFAULT_DATABASE: &str = "NetDefaultDB";

pub fn routes() -> Routes {
    Routes::new()
        .route("/v1/rest/query", get(Action::QueryData, query_v1_get).post(Action::QueryData, query_v1))
        .route("/v2/rest/query", get(Action::QueryData, query_v2_get).post(Action::QueryData, query_v2))
        .route("/v1/rest/mgmt", post(Action::QueryData, manage))
        .route("/v1/rest/auth/metadata", get(Need::Public("where clients sign in"), sign_in_metadata))
}

/// The parameters of a request, in its body or its address.
#[derive(Debug, Deserialize)]
struct Sent {
    csl: String,
    #[serde(default)]
    db: Option<String>,
    #[serde(default)]
    properties: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Address {
    csl: String,
    #[serde(default)]
    db: Option<String>,
    #[serde(default)]
    properties: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Endpoint {
    QueryV1,
    QueryV2,
    Management,
}

async fn query_v1(state: State<Arc<App>>, caller: Caller, headers: HeaderMap, body: Bytes) -> Response {
    by_body(state, Endpoint::QueryV1, caller, headers, body).await
}

async fn query_v2(state: State<Arc<App>>, caller: Caller, headers: HeaderMap, body: Bytes) -> Response {
    by_body(state, Endpoint::QueryV2, caller, headers, body).await
}

async fn manage(state: State<Arc<App>>, caller: Caller, headers: HeaderMap, body: Bytes) -> Response {
    by_body(state, Endpoint::Management, caller, headers, body).await
}

async fn query_v1_get(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Query(address): Query<Address>,
) -> Response {
    by_address(&app, Endpoint::QueryV1, caller, headers, address).await
}

async fn query_v2_get(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Query(address): Query<Address>,
) -> Response {
    by_address(&app, Endpoint::QueryV2, caller, headers, address).await
}

async fn by_address(app: &App, endpoint: Endpoint, caller: Caller, headers: HeaderMap, address: Address) -> Response {
    let sent = Sent { csl: address.csl, db: address.db, properties: address.properties.map(Value::String) };
    answer(app, endpoint, &caller, &headers, Ok(sent)).await
}

async fn by_body(
    State(app): State<Arc<App>>,
    endpoint: Endpoint,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent = serde_json::from_slice(&body)
        .map_err(|error| Failure::bad_request(format!("the body is not a request with the member csl: {error}")));
    answer(&app, endpoint, &caller, &headers, sent).await
}

/// The answer to a caller that was not let in: neither its database nor its text was read.
pub fn refused(headers: &HeaderMap, error: ApiError) -> Response {
    let origin = origin(&Caller::nobody(), headers);
    Failure::forbidden(error.message).answer("", "", &origin)
}

/// Answers in the protocol's shape, whatever happens, with the ids of the request in the headers.
async fn answer(
    app: &App,
    endpoint: Endpoint,
    caller: &Caller,
    headers: &HeaderMap,
    sent: Result<Sent, Failure>,
) -> Response {
    let mut origin = origin(caller, headers);
    let mut response = match sent {
        Err(failure) => failure.answer("", "", &origin),
        Ok(sent) => {
            let database = sent.db.clone().unwrap_or_default();
            match run(app, endpoint, caller, &sent, &mut origin).await {
                Ok(body) => ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response(),
                Err(failure) => failure.answer(&database, &sent.csl, &origin),
            }
        }
    };
    for (name, value) in
        [("x-ms-client-request-id", origin.request_id.as_str()), ("x-ms-activity-id", &origin.activity_id.to_string())]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// What a request works on, once it is known who asks for what.
struct Work<'r> {
    app: &'r App,
    caller: &'r Caller,
    database: Database,
    properties: Properties,
    origin: Origin,
}

/// The one database.
#[derive(Debug, Clone)]
struct Database {
    id: String,
    name: String,
}

async fn run(
    app: &App,
    endpoint: Endpoint,
    caller: &Caller,
    sent: &Sent,
    origin: &mut Origin,
) -> Result<Vec<u8>, Failure> {
    let properties = Properties::read(sent.properties.as_ref(), &sent.csl, app.queries.longest())?;
    if let Some(id) = &properties.client_request_id {
        origin.request_id.clone_from(id);
    }
    if let Some(application) = &properties.application {
        origin.application.clone_from(application);
    }
    if let Some(user) = &properties.user {
        origin.user.clone_from(user);
    }
    let database = database(app, sent.db.as_deref().unwrap_or_default()).await?;
    let work = Work { app, caller, database, properties, origin: origin.clone() };
    let is_command = sent.csl.trim_start().starts_with('.');
    match (endpoint, is_command) {
        (Endpoint::Management, true) => work.manage(&sent.csl).await,
        (Endpoint::Management, false) => {
            Err(Failure::bad_request("a management command starts with a dot; send queries to /v2/rest/query"))
        }
        (_, true) => Err(Failure::bad_request(
            "Request is invalid and cannot be processed: management commands are sent to /v1/rest/mgmt",
        )),
        (endpoint, false) => {
            let functions = app.functions().await.map_err(|error| work.state_failed(&error))?;
            work.query(&sent.csl, functions, endpoint).await
        }
    }
}

async fn database(app: &App, name: &str) -> Result<Database, Failure> {
    let workspace = app
        .state
        .workspace(&app.workspace_id)
        .await
        .map_err(|error| {
            tracing::error!(%error, "operational store");
            Failure::internal("the operational store failed; the server's log says why")
        })?
        .ok_or_else(|| Failure::no_database(name))?;
    let known = ["", DEFAULT_DATABASE, &workspace.id, &workspace.name];
    match known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        true => Ok(Database { id: workspace.id, name: workspace.name }),
        false => Err(Failure::no_database(name)),
    }
}

impl Work<'_> {
    /// The tables that the caller may read.
    fn readable(&self) -> Readable {
        self.caller.access.parts(Action::QueryData, &Scope::workspace(&self.database.id))
    }

    fn state_failed(&self, error: &watchkeeper_state::StateError) -> Failure {
        tracing::error!(%error, "operational store");
        Failure::internal("the operational store failed; the server's log says why")
    }

    /// Runs a query text and writes its result in the endpoint's version.
    async fn query(
        &self,
        text: &str,
        functions: crate::queries::Functions,
        endpoint: Endpoint,
    ) -> Result<Vec<u8>, Failure> {
        let mut response =
            self.app.queries.run(self.asked(text, functions)).await.map_err(|error| Failure::of_query(text, &error))?;
        let taken = self.properties.take.is_some_and(|take| take < self.properties.limits.rows);
        if self.properties.defer_partial_failures || taken {
            response.partial = None;
        }
        let activity =
            Activity { client_request_id: self.origin.request_id.clone(), activity_id: self.origin.activity_id };
        Ok(match endpoint {
            Endpoint::QueryV2 => shape::kusto_v2(&response, &activity),
            Endpoint::QueryV1 | Endpoint::Management => shape::kusto_v1(&response, &activity),
        })
    }

    fn asked(&self, text: &str, functions: crate::queries::Functions) -> Asked {
        let mut limits = self.properties.limits;
        limits.rows = self.properties.take.map_or(limits.rows, |take| take.min(limits.rows));
        Asked {
            text: text.to_owned(),
            timespan: self.properties.timespan,
            parameters: self.properties.parameters.clone(),
            now: self.properties.now.unwrap_or_else(ticks_now),
            deadline: self.properties.deadline,
            limits,
            functions,
            readable: self.readable(),
            small: false,
            plan: false,
            origin: self.origin.clone(),
        }
    }
}

/// Where clients sign in: here. The audience of their tokens is this server's address.
async fn sign_in_metadata(uri: Uri, headers: HeaderMap) -> Json<Value> {
    let base = base_url(&uri, &headers);
    Json(json!({
        "AzureAD": {
            "LoginEndpoint": base,
            "LoginMfaRequired": false,
            "KustoClientAppId": "db662dc1-0cfe-4e1c-a843-19a68e65be58",
            "KustoClientRedirectUri": "http://localhost",
            "KustoServiceResourceId": base,
            "FirstPartyAuthorityUrl": base,
        },
        "dSTS": null,
    }))
}
