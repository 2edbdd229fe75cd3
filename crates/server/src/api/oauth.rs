//! The token endpoint and the discovery documents, as Microsoft's identity platform answers its client libraries:
//! client credentials at the endpoints of both versions, errors with AADSTS numbers.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_state::SecretCheck;

use super::{App, base_url};
use crate::identity::TOKEN_SECONDS;

/// Resources that clients ask tokens for besides this server's own address. A leading dot stands for any subdomain.
const RESOURCES: [&str; 8] = [
    "api.loganalytics.io",
    "api.loganalytics.azure.com",
    "api.monitor.azure.com",
    "monitor.azure.com",
    "management.azure.com",
    "kusto.windows.net",
    ".kusto.windows.net",
    "watchkeeper",
];
/// Names that clients write in the place of a tenant when they do not know it.
const ANY_TENANT: [&str; 2] = ["common", "organizations"];
const MOST_FORM_BYTES: usize = 64 << 10;

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/{tenant}/oauth2/token", post(token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(configuration))
        .route("/{tenant}/.well-known/openid-configuration", get(configuration))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .route("/common/discovery/instance", get(instance))
}

/// One refusal: HTTP status, OAuth2 error, number, text.
struct Refusal {
    status: StatusCode,
    error: &'static str,
    number: u32,
    text: String,
    retry_after: Option<u64>,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, number: u32, text: impl Into<String>) -> Refusal {
        Refusal { status, error, number, text: text.into(), retry_after: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let timestamp = chrono::Utc::now().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let body = json!({
            "error": self.error,
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
                self.number, self.text
            ),
            "error_codes": [self.number],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        });
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The fields of the form that count here.
#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    scope: Option<String>,
    resource: Option<String>,
}

impl Form {
    fn read(body: &[u8], headers: &HeaderMap) -> Form {
        let mut form = Form::default();
        for (name, value) in form_urlencoded::parse(body) {
            let field = match name.as_ref() {
                "grant_type" => &mut form.grant_type,
                "client_id" => &mut form.client_id,
                "client_secret" => &mut form.client_secret,
                "scope" => &mut form.scope,
                "resource" => &mut form.resource,
                _ => continue,
            };
            *field = Some(value.into_owned());
        }
        if let Some((id, secret)) = basic_credentials(headers) {
            form.client_id.get_or_insert(id);
            form.client_secret.get_or_insert(secret);
        }
        form
    }
}

/// Client id and secret from `Authorization: Basic`, which RFC 6749, section 2.3.1, allows in the place of the form.
fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let pair = format!("v={text}");
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

async fn token(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match answer(&app, &tenant, &uri, &headers, &body).await {
        Ok(body) => ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(app: &App, tenant: &str, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    check_tenant(app, tenant)?;
    if body.len() > MOST_FORM_BYTES {
        return Err(invalid_request(900144, "The request body is larger than 64 KiB."));
    }
    let form = Form::read(body, headers);
    let missing = |name: &str| {
        invalid_request(900144, format!("The request body must contain the following parameter: '{name}'."))
    };
    let grant_type = form.grant_type.ok_or_else(|| missing("grant_type"))?;
    if grant_type != "client_credentials" {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            70003,
            format!("The app requested an unsupported grant type '{grant_type}'."),
        ));
    }
    let client_id = form.client_id.ok_or_else(|| missing("client_id"))?;
    let version_2 = uri.path().contains("/v2.0/");
    let audience = match (version_2, form.scope, form.resource) {
        (true, Some(scope), _) => scope_resource(&scope)?,
        (true, None, _) => return Err(missing("scope")),
        (false, _, Some(resource)) => resource,
        (false, _, None) => return Err(missing("resource")),
    };
    let base = base_url(uri, headers);
    check_audience(&audience, &base)?;
    let secret = form.client_secret.ok_or_else(|| {
        Refusal::new(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    })?;
    check_secret(app, &client_id, &secret).await?;
    let token = app.tokens.issue(&client_id, &audience, &base).map_err(internal)?;
    Ok(json!({
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "ext_expires_in": TOKEN_SECONDS,
        "access_token": token,
    }))
}

async fn check_secret(app: &App, client_id: &str, secret: &str) -> Result<(), Refusal> {
    let name = format!("client:{client_id}");
    if let Some(wait) = app.throttle.wait(&name, Instant::now()) {
        let mut refusal = Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable",
            50196,
            "Too many failed requests for this application; try again later.",
        );
        refusal.retry_after = Some(wait.as_secs().max(1));
        return Err(refusal);
    }
    let check = app.state.check_principal_secret(client_id, secret).await.map_err(internal)?;
    let refusal = match check {
        SecretCheck::Valid(_) => {
            app.throttle.succeeded(&name);
            return Ok(());
        }
        SecretCheck::UnknownClient => Refusal::new(
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            700016,
            format!(
                "Application with identifier '{client_id}' was not found in the directory '{}'.",
                app.tokens.tenant_id()
            ),
        ),
        SecretCheck::WrongSecret => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7000215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                 value, not the client secret ID, for a secret added to app '{client_id}'."
            ),
        ),
        SecretCheck::Expired => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7000222,
            format!("The provided client secret keys for app '{client_id}' are expired."),
        ),
    };
    app.throttle.failed(&name, Instant::now());
    Err(refusal)
}

fn check_tenant(app: &App, tenant: &str) -> Result<(), Refusal> {
    if tenant.eq_ignore_ascii_case(app.tokens.tenant_id()) || ANY_TENANT.contains(&tenant) {
        return Ok(());
    }
    Err(invalid_request(90002, format!("Tenant '{tenant}' not found. Check that you have the correct tenant ID.")))
}

/// The resource of `RESOURCE/.default`, which is the one scope that client credentials may ask for.
fn scope_resource(scope: &str) -> Result<String, Refusal> {
    let resource = scope.split_whitespace().find_map(|entry| entry.strip_suffix("/.default"));
    resource.map(|resource| resource.trim_end_matches('/').to_owned()).ok_or_else(|| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            1002012,
            format!("The provided value for scope {scope} is not valid. It must end in '/.default'."),
        )
    })
}

fn check_audience(audience: &str, base: &str) -> Result<(), Refusal> {
    let host_of = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let host = rest.split('/').next().unwrap_or_default();
        let host = if host.starts_with('[') { host.split_inclusive(']').next() } else { host.split(':').next() };
        host.unwrap_or_default().to_ascii_lowercase()
    };
    let host = host_of(audience);
    let known = RESOURCES.iter().any(|known| match known.strip_prefix('.') {
        Some(_) => host.ends_with(known),
        None => host == *known,
    });
    if known || host == host_of(base) || ["localhost", "127.0.0.1", "[::1]"].contains(&host.as_str()) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::BAD_REQUEST,
        "invalid_resource",
        500011,
        format!("The resource principal named {audience} was not found in the tenant."),
    ))
}

fn invalid_request(number: u32, text: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", number, text)
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "token endpoint");
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "server_error",
        90033,
        "The server failed to answer; its log says why.",
    )
}

async fn configuration(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = check_tenant(&app, &tenant) {
        return refusal.into_response();
    }
    let base = base_url(&uri, &headers);
    let tenant = app.tokens.tenant_id();
    Json(json!({
        "issuer": format!("{base}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "response_types_supported": ["token"],
        "grant_types_supported": ["client_credentials"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["https://api.loganalytics.io/.default"],
        "tenant_region_scope": Value::Null,
    }))
    .into_response()
}

async fn keys(State(app): State<Arc<App>>, Path(tenant): Path<String>) -> Response {
    match check_tenant(&app, &tenant) {
        Ok(()) => Json(app.tokens.key_set()).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Deserialize)]
struct InstanceQuery {
    authorization_endpoint: Option<String>,
}

/// Instance discovery: confirms that this host is an authority, with where its tenant is described.
async fn instance(
    State(app): State<Arc<App>>,
    Query(query): Query<InstanceQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let base = base_url(&uri, &headers);
    let host = base.trim_start_matches("https://");
    let Some(endpoint) = query.authorization_endpoint else {
        return invalid_request(900144, "The request must contain the following parameter: 'authorization_endpoint'.")
            .into_response();
    };
    let name = |text: &str| text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let asked = endpoint.trim_start_matches("https://").split('/').next().unwrap_or_default();
    if name(asked) != name(host) {
        return Refusal::new(StatusCode::BAD_REQUEST, "invalid_instance", 50049, "Unknown or invalid instance.")
            .into_response();
    }
    Json(json!({
        "tenant_discovery_endpoint":
            format!("{base}/{}/v2.0/.well-known/openid-configuration", app.tokens.tenant_id()),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }))
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_known_by_its_host() {
        let base = "https://wk.example:8443";
        for (audience, known) in [
            ("https://api.loganalytics.io", true),
            ("https://monitor.azure.com", true),
            ("https://help.kusto.windows.net", true),
            ("https://wk.example:9999", true),
            ("https://localhost:1", true),
            ("https://evil.example", false),
            ("https://notkusto.windows.net.evil", false),
            ("", false),
        ] {
            assert_eq!(check_audience(audience, base).is_ok(), known, "{audience}");
        }
    }

    #[test]
    fn only_the_default_scope_of_a_resource_is_taken() {
        assert_eq!(scope_resource("https://a//.default").ok().as_deref(), Some("https://a"));
        assert!(scope_resource("https://a/read").is_err());
    }
}
