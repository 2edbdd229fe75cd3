//! Tokens for processes of this very machine, without a secret: the two forms of managed identity that Azure's client
//! libraries speak, over a listener on the loopback interface. Who asks is told by the user that the kernel says owns
//! the other end of the connection (docs/decisions/0010-managed-identity.md).

use std::net::{SocketAddr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use watchkeeper_identity::{Resource, owner};
use watchkeeper_state::{State as Store, random_token};

use crate::audit::{AuditLog, Call, Kept, Reason, Trail, Who};
use crate::config::ManagedIdentityConfig;
use crate::connection::write_private;
use crate::identity::{TOKEN_SECONDS, Tokens};
use crate::listener::Peer;

/// What the environment of processes needs, in the data folder.
const ENVIRONMENT_FILE: &str = "managed-identity.env";
const LIST: &str = "/proc/net/tcp";

struct Here {
    tokens: Tokens,
    store: Store,
    /// The address that tokens name as their issuer.
    base: String,
    address: SocketAddrV4,
    /// The value of the header of the App Service form, which requests that a server was talked into sending lack.
    header: String,
    /// User number and client id.
    identities: Vec<(u32, String)>,
}

/// Starts the listener, where one is configured.
pub async fn start(
    config: &ManagedIdentityConfig,
    data_dir: &Path,
    base: &str,
    tokens: &Tokens,
    store: &Store,
    (audit, stop): (&Arc<AuditLog>, CancellationToken),
) -> anyhow::Result<Option<JoinHandle<()>>> {
    if config.address.is_empty() {
        return Ok(None);
    }
    let wanted: SocketAddrV4 = config
        .address
        .parse()
        .with_context(|| format!("identity.managed.address is {:?}; write 127.0.0.1:PORT", config.address))?;
    if !wanted.ip().is_loopback() {
        bail!(
            "identity.managed.address is {wanted}; it has to be a loopback address, for other machines have no users here"
        );
    }
    let identities = config.identities.iter().map(|entry| read_identity(entry)).collect::<anyhow::Result<Vec<_>>>()?;
    let listener = TcpListener::bind(wanted)
        .await
        .with_context(|| format!("cannot listen on {wanted} (identity.managed.address)"))?;
    let SocketAddr::V4(address) = listener.local_addr()? else { bail!("{wanted} is not an IPv4 address") };
    let header = random_token();
    let endpoint = format!("http://{address}");
    let text = format!(
        "IDENTITY_ENDPOINT={endpoint}/msi/token\nIDENTITY_HEADER={header}\nAZURE_POD_IDENTITY_AUTHORITY_HOST={endpoint}\n"
    );
    let file = data_dir.join(ENVIRONMENT_FILE);
    write_private(&file, text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    // the users who are to read it are others; what it holds opens nothing by itself
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
    let here = Arc::new(Here {
        tokens: tokens.clone(),
        store: store.clone(),
        base: base.to_owned(),
        address,
        header,
        identities,
    });
    let router = Router::new()
        .route("/metadata/identity/oauth2/token", get(instance_metadata))
        .route("/msi/token", get(app_service))
        .route_layer(middleware::from_fn_with_state(Arc::clone(audit), written_down))
        .with_state(here);
    tracing::info!(%address, "managed identity for processes of this machine");
    Ok(Some(tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = serving.await {
            tracing::error!(%error, "managed identity ended");
        }
    })))
}

/// Each token that was given or refused is a row of `Audit`.
async fn written_down(State(audit): State<Arc<AuditLog>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| Peer(peer.ip()));
    peer.and_then(|peer| parts.extensions.insert(peer));
    let (call, trail) = (Call::of(&parts), Trail::default());
    trail.did("sign in", "managed identity", "");
    parts.extensions.insert(trail.clone());
    let answer = next.run(Request::from_parts(parts, body)).await;
    let message = answer.extensions().get::<Reason>().map(|reason| reason.0.clone());
    audit.keep(&call, Kept::SignIns, &trail, answer.status(), message.as_deref()).await;
    answer
}

/// `USER=CLIENT_ID`; the user by name or number.
fn read_identity(entry: &str) -> anyhow::Result<(u32, String)> {
    let (user, client_id) = entry
        .split_once('=')
        .with_context(|| format!("identity.managed.identities has {entry:?}; write USER=CLIENT_ID"))?;
    let (user, client_id) = (user.trim(), client_id.trim().to_owned());
    if let Ok(number) = user.parse() {
        return Ok((number, client_id));
    }
    let users = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let number = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(user)).then(|| fields.nth(1)?.parse().ok())?
    });
    let number =
        number.with_context(|| format!("identity.managed.identities names {user:?}, which is no user here"))?;
    Ok((number, client_id))
}

#[derive(Deserialize)]
struct Asked {
    resource: Option<String>,
    client_id: Option<String>,
    object_id: Option<String>,
}

/// The form of Azure's instance metadata service.
async fn instance_metadata(
    State(here): State<Arc<Here>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Query(asked): Query<Asked>,
    trail: Trail,
    headers: HeaderMap,
) -> Response {
    let metadata = headers.get("metadata").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !metadata.eq_ignore_ascii_case("true") {
        return refuse(StatusCode::BAD_REQUEST, "bad_request_102", "Required metadata header not specified");
    }
    token(&here, peer, &asked, &trail, &headers).await
}

/// The form of App Service.
async fn app_service(
    State(here): State<Arc<Here>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Query(asked): Query<Asked>,
    trail: Trail,
    headers: HeaderMap,
) -> Response {
    let shown = headers.get("x-identity-header").map(HeaderValue::as_bytes).unwrap_or_default();
    if shown != here.header.as_bytes() {
        let text = "the header X-IDENTITY-HEADER is missing or not the value of IDENTITY_HEADER";
        return refuse(StatusCode::UNAUTHORIZED, "unauthorized", text);
    }
    token(&here, peer, &asked, &trail, &headers).await
}

async fn token(here: &Here, peer: SocketAddr, asked: &Asked, trail: &Trail, headers: &HeaderMap) -> Response {
    // a browser that was talked into asking names another host; what came over a proxy is not of this machine
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = [here.address.to_string(), format!("localhost:{}", here.address.port())];
    if !known.iter().any(|known| known == host) || headers.contains_key("x-forwarded-for") {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "the request was not made to this address directly");
    }
    let SocketAddr::V4(peer) = peer else {
        return refuse(StatusCode::FORBIDDEN, "access_denied", "the caller is not of this machine");
    };
    let list = match tokio::fs::read_to_string(LIST).await {
        Ok(list) => list,
        Err(error) => {
            tracing::error!(%error, "cannot read {LIST}");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the server's log says why");
        }
    };
    let Some(user) = owner(&list, peer, here.address) else {
        return refuse(StatusCode::FORBIDDEN, "access_denied", "the user of the caller cannot be told");
    };
    trail.says("user", user);
    let wanted = asked.client_id.as_deref().or(asked.object_id.as_deref());
    let mut own = here.identities.iter().filter(|(number, _)| *number == user).map(|(_, client_id)| client_id);
    let found = own.find(|client_id| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(client_id)));
    let Some(client_id) = found else {
        tracing::warn!(user, "a process without an identity asked for a token");
        let text = format!("the user {user} has no such identity here; identity.managed.identities gives one");
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", &format!("Identity not found: {text}"));
    };
    let Some(resource) = asked.resource.as_deref() else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "the parameter resource is missing");
    };
    match here.store.principal(client_id).await {
        Ok(Some(principal)) => trail.is_by(Who::principal(&principal.client_id, &principal.name)),
        Ok(None) => {
            let text = format!("there is no service principal {client_id} (identity.managed.identities)");
            return refuse(StatusCode::BAD_REQUEST, "unauthorized_client", &text);
        }
        Err(error) => {
            tracing::error!(%error, "managed identity");
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the server's log says why");
        }
    }
    let Resource(audience) = match Resource::check(resource, &here.base) {
        Ok(resource) => resource,
        Err(refusal) => return refuse(StatusCode::BAD_REQUEST, refusal.error, &refusal.description()),
    };
    match here.tokens.issue(client_id, &audience, &here.base) {
        Ok(token) => {
            let now = chrono::Utc::now().timestamp();
            let body = json!({
                "access_token": token,
                "client_id": client_id,
                "expires_in": TOKEN_SECONDS.to_string(),
                "expires_on": (now + TOKEN_SECONDS as i64).to_string(),
                "ext_expires_in": TOKEN_SECONDS.to_string(),
                "not_before": now.to_string(),
                "resource": audience,
                "token_type": "Bearer",
            });
            ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "managed identity");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the server's log says why")
        }
    }
}

fn refuse(status: StatusCode, error: &str, text: &str) -> Response {
    let mut response = (status, Json(json!({"error": error, "error_description": text}))).into_response();
    response.extensions_mut().insert(Reason(text.to_owned()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_a_user_and_a_client_id() {
        assert_eq!(read_identity("0=a-b").unwrap(), (0, "a-b".to_owned()));
        assert_eq!(read_identity("root = a-b").unwrap(), (0, "a-b".to_owned()));
        for wrong in ["a-b", "nobody that exists=a-b"] {
            assert!(read_identity(wrong).is_err(), "{wrong}");
        }
    }
}
