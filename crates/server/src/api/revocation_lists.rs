//! `/api/certificates/lists`: lists of revoked certificates that companies' authorities have issued.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_state::RevocationListRecord;

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, delete, get, post};
use crate::identity::Caller;
use crate::revocation_lists::{self, Given};

const SECOND: i64 = 1_000_000;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/certificates/lists", get(Action::ReadCertificates, list).post(Action::WriteCertificates, add))
        .route("/api/certificates/lists/{list}", delete(Action::DeleteCertificates, remove))
        .route("/api/certificates/lists/{list}/refresh", post(Action::WriteCertificates, refresh))
}

fn show(list: &RevocationListRecord) -> Value {
    json!({
        "id": list.id,
        "issuer": list.issuer_name,
        "url": list.url,
        "certificates": list.revoked.len(),
        "thisUpdate": time_text(list.this_update * SECOND),
        "nextUpdate": (list.next_update != 0).then(|| time_text(list.next_update * SECOND)),
        "lookedAt": time_text(list.looked_at * SECOND),
        "problem": revocation_lists::problem(list, SystemTime::now()),
        "addedAt": time_text(list.added_at * SECOND),
        "addedBy": list.added_by,
    })
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    Ok(Json(app.state.revocation_lists().await?.iter().map(show).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    /// The list itself, PEM or DER, in base64; or:
    #[serde(default)]
    list: String,
    /// where it is fetched, now and in turns.
    #[serde(default)]
    url: String,
    /// Certificates in PEM that its signature may be of, beside those of trusted authorities.
    #[serde(default)]
    certificates: String,
}

async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Add>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let bytes = match (asked.list.as_str(), asked.url.as_str()) {
        (text, "") if !text.is_empty() => {
            STANDARD.decode(text).map_err(|error| ApiError::bad_request(format!("`list` is not base64: {error}")))?
        }
        ("", url) if !url.is_empty() => revocation_lists::fetch(url).await.map_err(refused)?,
        _ => return Err(ApiError::bad_request("give either `list` or `url`".to_owned())),
    };
    let given = Given { bytes: &bytes, certificates: &asked.certificates, url: &asked.url, by: &caller.name };
    let taken = revocation_lists::take(&app.state, &given).await.map_err(refused)?;
    let answer = told(&app, &caller, "add revocation list", &taken).await?;
    Ok((StatusCode::CREATED, answer))
}

async fn refresh(
    State(app): State<Arc<App>>,
    Path(named): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let found = find(&app, &named).await?;
    if found.url.is_empty() {
        let message = format!("the list of {} came from a file; add its successor the same way", found.issuer_name);
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    revocation_lists::refresh(&app.state, &found).await.map_err(refused)?;
    let present = find(&app, &found.id).await?;
    told(&app, &caller, "update revocation list", &present).await
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(named): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let found = find(&app, &named).await?;
    app.state.delete_revocation_list(&found.id).await?;
    told(&app, &caller, "remove revocation list", &found).await
}

/// One list, by its identity, its address or its issuer's name.
async fn find(app: &App, named: &str) -> Result<RevocationListRecord, ApiError> {
    let is_meant = |one: &RevocationListRecord| [&one.id, &one.url, &one.issuer_name].contains(&&named.to_owned());
    let mut found: Vec<_> = app.state.revocation_lists().await?.into_iter().filter(is_meant).collect();
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (one, others) => Err(ApiError::not_found(format!(
            "{} lists of revoked certificates are {named:?}; `watchkeeper cert lists` lists them with their identities",
            others + usize::from(one.is_some())
        ))),
    }
}

/// The change holds now, on this server and the others, and is written down.
async fn told(app: &App, caller: &Caller, action: &str, list: &RevocationListRecord) -> Result<Json<Value>, ApiError> {
    let unavailable = |reason: String| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", reason);
    let management = app.operations.management().ok_or_else(|| unavailable("no agents are taken yet".to_owned()))?;
    let ended = revocation_lists::changed(&app.state, management)
        .await
        .map_err(|error| unavailable(format!("not all sessions are checked: {error:#}")))?;
    caller.did(action, &list.issuer_name, &list.url);
    let mut shown = show(list);
    shown["sessionsEnded"] = json!(ended);
    Ok(Json(shown))
}

fn refused(error: anyhow::Error) -> ApiError {
    ApiError::bad_request(format!("{error:#}"))
}
