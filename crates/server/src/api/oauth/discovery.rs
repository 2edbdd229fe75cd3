//! The documents that describe the authority.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_identity::Refusal;

use super::super::{App, base_url};
use super::{Refused, check_tenant};
use crate::authorization::{Need, Routes, get};

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(Need::Public("where and how clients sign in"), configuration),
        )
        .route(
            "/{tenant}/.well-known/openid-configuration",
            get(Need::Public("where and how clients sign in"), configuration),
        )
        .route("/{tenant}/discovery/v2.0/keys", get(Need::Public("where and how clients sign in"), keys))
        .route("/{tenant}/discovery/keys", get(Need::Public("where and how clients sign in"), keys))
        .route("/common/discovery/instance", get(Need::Public("where and how clients sign in"), instance))
}

async fn configuration(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Value>, Refused> {
    check_tenant(&app, &tenant)?;
    let base = base_url(&uri, &headers);
    let tenant = app.tokens.tenant_id();
    let oauth = if uri.path().contains("/v2.0/") { "oauth2/v2.0" } else { "oauth2" };
    Ok(Json(json!({
        "issuer": format!("{base}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/{oauth}/authorize"),
        "token_endpoint": format!("{base}/{tenant}/{oauth}/token"),
        "device_authorization_endpoint": format!("{base}/{tenant}/{oauth}/devicecode"),
        "end_session_endpoint": format!("{base}/{tenant}/{oauth}/logout"),
        "userinfo_endpoint": format!("{base}/oidc/userinfo"),
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "nonce", "name", "preferred_username", "email", "oid", "tid",
        ],
        "tenant_region_scope": Value::Null,
    })))
}

async fn keys(State(app): State<Arc<App>>, Path(tenant): Path<String>) -> Result<Json<Value>, Refused> {
    check_tenant(&app, &tenant)?;
    Ok(Json(app.tokens.key_set()))
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
        return Refused(Refusal::missing("authorization_endpoint")).into_response();
    };
    let name = |text: &str| text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let asked = endpoint.trim_start_matches("https://").split('/').next().unwrap_or_default();
    if name(asked) != name(host) {
        return Refused(Refusal::unknown_instance()).into_response();
    }
    Json(json!({
        "tenant_discovery_endpoint":
            format!("{base}/{}/v2.0/.well-known/openid-configuration", app.tokens.tenant_id()),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }))
    .into_response()
}
