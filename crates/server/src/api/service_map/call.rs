//! What all requests of the API share: the caller, the workspace, the version, windows of time, pages.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_map::{Time, Window};
use watchkeeper_model::civil;

use super::resources::Resources;
use super::view::View;
use crate::api::errors::ApiError;
use crate::api::map::{now, window};
use crate::api::{App, base_url, origin};
use crate::identity::Caller;
use crate::map;
use crate::queries::Origin;

const API_VERSION: &str = "2015-11-01-preview";
/// An interval that is not given ends now and is so long.
const DEFAULT_INTERVAL: i64 = 10 * Time::MINUTE;
const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 200;

/// The variables of a path.
#[derive(Debug, Deserialize)]
pub(super) struct At {
    subscription: String,
    group: String,
    workspace: String,
    #[serde(default)]
    pub machine: String,
    #[serde(default)]
    pub process: String,
    #[serde(default)]
    pub port: String,
    #[serde(default)]
    pub client_group: String,
    #[serde(default)]
    pub machine_group: String,
}

/// A request that was let in.
pub(super) struct Call {
    pub app: Arc<App>,
    pub at: At,
    pub resources: Resources,
    parameters: HashMap<String, String>,
    /// `https://HOST[:PORT]/PATH`.
    address: String,
    origin: Origin,
}

impl FromRequestParts<Arc<App>> for Call {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Call, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let bad_path = |error: axum::extract::rejection::PathRejection| ApiError::bad_request(error.body_text());
        let Path(at) = Path::<At>::from_request_parts(parts, app).await.map_err(bad_path)?;
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, app).await;
        let Query(pairs) = query.map_err(|error| ApiError::bad_request(error.body_text()))?;
        let parameters = parameters(pairs)?;
        let workspace = app.state.workspace(&app.workspace_id).await?;
        let named = |name: &str| at.workspace.eq_ignore_ascii_case(name);
        let known = named(&app.workspace_id) || workspace.is_some_and(|workspace| named(&workspace.name));
        if !known {
            return Err(missing(format!("the workspace {:?} was not found", at.workspace)));
        }
        let resources = Resources::new(format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.OperationalInsights/workspaces/{}/features/serviceMap",
            at.subscription, at.group, at.workspace
        ));
        Ok(Call {
            app: Arc::clone(app),
            at,
            resources,
            parameters,
            address: format!("{}{}", base_url(&parts.uri, &parts.headers), parts.uri.path()),
            origin: origin(&caller, &parts.headers),
        })
    }
}

/// Parameters by name; names in lower case. The version is checked.
fn parameters(pairs: Vec<(String, String)>) -> Result<HashMap<String, String>, ApiError> {
    let mut parameters = HashMap::new();
    for (name, value) in pairs {
        let name = name.to_ascii_lowercase();
        if parameters.insert(name.clone(), value).is_some() {
            return Err(ApiError::bad_request(format!("the parameter {name} is there twice")));
        }
    }
    let refuse = |code, message: String| Err(ApiError::new(StatusCode::BAD_REQUEST, code, message));
    match parameters.get("api-version").map(String::as_str) {
        Some(API_VERSION) => Ok(parameters),
        Some(other) => refuse(
            "InvalidApiVersionParameter",
            format!("the api-version {other:?} is not supported; use {API_VERSION}"),
        ),
        None => refuse(
            "MissingApiVersionParameter",
            format!("the query parameter api-version is missing; use {API_VERSION}"),
        ),
    }
}

/// The answer for what is not there.
pub(super) fn missing(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "ResourceNotFound", message)
}

impl Call {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The interval of `startTime` and `endTime`: the last ten minutes where they are not given.
    pub fn window(&self) -> Result<Window, ApiError> {
        window(self.parameter("starttime"), self.parameter("endtime"), now(), DEFAULT_INTERVAL)
    }

    /// As [`Self::window`], of a request that has its interval in its body.
    pub fn window_of(start: Option<&str>, end: Option<&str>) -> Result<Window, ApiError> {
        window(start, end, now(), DEFAULT_INTERVAL)
    }

    /// Whether live resources are asked for (the default), or those that were there at a time.
    pub fn live(&self) -> Result<bool, ApiError> {
        match self.parameter("live").map(str::to_ascii_lowercase).as_deref() {
            None | Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(ApiError::bad_request(format!("live is {other:?}; it can be true or false"))),
        }
    }

    /// The instant of `timestamp`: now where it is not given.
    pub fn timestamp(&self) -> Result<Time, ApiError> {
        let Some(text) = self.parameter("timestamp") else { return Ok(now()) };
        civil::parse_time(&text.replace(' ', "+")).or_else(|| civil::parse_time(text)).map(Time).ok_or_else(|| {
            ApiError::bad_request(format!("timestamp is {text:?}; write a time as 2026-01-31T13:00:00Z"))
        })
    }

    /// The graph of the request's interval.
    pub async fn view(&self) -> Result<View, ApiError> {
        self.view_of(self.window()?).await
    }

    pub async fn view_of(&self, window: Window) -> Result<View, ApiError> {
        Ok(View::new(map::graph(&self.app.queries, window, &self.origin).await?))
    }

    /// Every machine that reported itself up to a time, as it was then.
    pub async fn computers(&self, until: Time) -> Result<Vec<watchkeeper_map::Computer>, ApiError> {
        Ok(map::computers(&self.app.queries, until, &self.origin).await?)
    }

    /// Every process that a machine reported up to a time, as it was then.
    pub async fn processes(&self, machine: &str, until: Time) -> Result<Vec<watchkeeper_map::ProcessRow>, ApiError> {
        Ok(map::processes(&self.app.queries, machine, until, &self.origin).await?)
    }

    /// One page of resources that are sorted by name, with the link to the next one. The link keeps the interval, so
    /// that all pages are of the same time.
    pub fn page(&self, resources: Vec<Value>, kept: &[(&str, String)]) -> Result<Json<Value>, ApiError> {
        let size = match self.parameter("$top") {
            None => DEFAULT_PAGE,
            Some(text) => text.parse().ok().filter(|size| (1..=LARGEST_PAGE).contains(size)).ok_or_else(|| {
                ApiError::bad_request(format!("$top is {text:?}; it can be a number from 1 to {LARGEST_PAGE}"))
            })?,
        };
        let name = |resource: &Value| resource["name"].as_str().unwrap_or_default().to_owned();
        let after = self.parameter("$skiptoken");
        let rest: Vec<Value> = resources
            .into_iter()
            .filter(|resource| after.is_none_or(|after| name(resource).as_str() > after))
            .collect();
        let more = rest.len() > size;
        let page: Vec<Value> = rest.into_iter().take(size).collect();
        let mut body = json!({"value": page});
        if more && let Some(last) = page.last() {
            let mut link = form_urlencoded::Serializer::new(String::new());
            link.append_pair("api-version", API_VERSION).append_pair("$top", &size.to_string());
            for (name, value) in kept {
                link.append_pair(name, value);
            }
            link.append_pair("$skiptoken", &name(last));
            body["nextLink"] = json!(format!("{}?{}", self.address, link.finish()));
        }
        Ok(Json(body))
    }
}

/// Whether something is live in an interval.
pub(super) fn liveness(window: Window, live: bool) -> Json<Value> {
    Json(json!({"startTime": window.from, "endTime": window.to, "live": live}))
}

/// The parameters of an interval, for the link to the next page.
pub(super) fn kept(window: Window) -> [(&'static str, String); 2] {
    [("startTime", civil::format_time(window.from.0)), ("endTime", civil::format_time(window.to.0))]
}
