//! `/api/certificates`: certificates that agents and gateways come with, those that are revoked, and the authorities of
//! others that are trusted.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_certificates::{Facts, authority_problems};
use watchkeeper_management::ManagementServer;
use watchkeeper_state::{RevokedCertificate, ShownCertificate, TrustedAuthority};
use watchkeeper_wire::proto::{RenewCertificate, command};

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, delete, get, post};
use crate::failover;
use crate::identity::Caller;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/certificates", get(Action::ReadCertificates, list))
        .route("/api/certificates/revoked", get(Action::ReadCertificates, revoked))
        .route("/api/certificates/revoke", post(Action::WriteCertificates, revoke))
        .route("/api/certificates/renew", post(Action::WriteCertificates, renew))
        .route(
            "/api/certificates/authorities",
            get(Action::ReadCertificates, authorities).post(Action::WriteCertificates, trust),
        )
        .route("/api/certificates/authorities/{authority}", delete(Action::DeleteCertificates, distrust))
}

fn now() -> i64 {
    seconds(SystemTime::now())
}

fn seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let (agents, gateways) = (app.state.agents().await?, app.state.gateways().await?);
    let mut items = Vec::new();
    for shown in app.state.shown_certificates().await? {
        let agent = agents.iter().find(|agent| agent.agent_id == shown.agent_id).map(|agent| &agent.computer);
        let gateway = gateways.iter().find(|gateway| gateway.gateway_id == shown.agent_id).map(|gateway| &gateway.name);
        let is_revoked = app.state.is_certificate_revoked(&shown.issuer, &shown.serial).await?;
        items.push(json!({
            "computer": agent.or(gateway),
            "role": if gateway.is_some() { "gateway" } else { "agent" },
            "subject": shown.subject,
            "issuer": shown.issuer_name,
            "origin": if shown.authority.is_empty() { "management group" } else { "company" },
            "serial": shown.serial,
            "fingerprint": shown.fingerprint,
            "notBefore": time_text(shown.not_before * SECOND),
            "notAfter": time_text(shown.not_after * SECOND),
            "daysLeft": (shown.not_after - now()).div_euclid(DAY),
            "revoked": is_revoked,
            "lastSeen": time_text(shown.seen_at * SECOND),
            "id": shown.agent_id,
        }));
    }
    Ok(Json(items.into()))
}

async fn revoked(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let show = |one: RevokedCertificate| {
        json!({
            "serial": one.serial,
            "subject": one.subject,
            "reason": one.reason,
            "revokedAt": time_text(one.revoked_at * SECOND),
            "revokedBy": one.revoked_by,
            "issuer": one.issuer,
        })
    };
    Ok(Json(app.state.revoked_certificates().await?.into_iter().map(show).collect()))
}

/// Who is meant by a serial number, a fingerprint, an identity or the name of a computer or gateway.
async fn find(app: &App, text: &str) -> Result<ShownCertificate, ApiError> {
    let (agents, gateways) = (app.state.agents().await?, app.state.gateways().await?);
    let plain = text.replace(':', "").to_ascii_lowercase();
    let is_named = |shown: &ShownCertificate| {
        let computer =
            agents.iter().any(|agent| agent.agent_id == shown.agent_id && agent.computer.eq_ignore_ascii_case(text));
        let gateway =
            gateways.iter().any(|one| one.gateway_id == shown.agent_id && one.name.eq_ignore_ascii_case(text));
        computer || gateway || shown.agent_id == text || shown.serial == plain || shown.fingerprint == plain
    };
    let mut found: Vec<ShownCertificate> = app.state.shown_certificates().await?.into_iter().filter(is_named).collect();
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(ApiError::not_found(format!(
            "no agent or gateway has come with a certificate {text:?}; `watchkeeper cert list` lists them"
        ))),
        (Some(_), others) => {
            let message = format!("{text:?} means {} certificates; name one by its serial number", others + 1);
            Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    /// Serial number, fingerprint, computer or identity.
    certificate: String,
    #[serde(default)]
    reason: String,
}

async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Revoke>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let shown = find(&app, &asked.certificate).await?;
    let entry = RevokedCertificate {
        issuer: shown.issuer,
        serial: shown.serial,
        subject: shown.subject,
        reason: asked.reason,
        revoked_at: now(),
        revoked_by: caller.name.clone(),
    };
    if !app.state.revoke_certificate(&entry).await? {
        let message = format!("certificate {} of {} is revoked already", entry.serial, entry.subject);
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    let ended = changed(&app).await?;
    let target = format!("{} {}", entry.serial, entry.subject);
    caller.did("revoke certificate", &target, &entry.reason);
    Ok(Json(json!({"serial": entry.serial, "subject": entry.subject, "sessionsEnded": ended})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renew {
    /// Computer or identity.
    agent: String,
}

async fn renew(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Renew>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let shown = find(&app, &asked.agent).await?;
    let conflict = |message: String| ApiError::new(StatusCode::CONFLICT, "Conflict", message);
    if !shown.authority.is_empty() {
        return Err(conflict(format!(
            "the certificate of {} is of a company's authority; `watchkeeper-agent cert renew` on that machine makes the \
             request for the next one",
            shown.subject
        )));
    }
    let order = command::Command::RenewCertificate(RenewCertificate {});
    management(&app)?.send(&shown.agent_id, order).await.map_err(|error| conflict(error.to_string()))?;
    caller.did("renew certificate", &shown.agent_id, "");
    Ok(StatusCode::ACCEPTED)
}

async fn authorities(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let shown = app.state.shown_certificates().await?;
    let show = |one: TrustedAuthority| {
        json!({
            "subject": one.subject,
            "agents": shown.iter().filter(|shown| shown.authority == one.fingerprint).count(),
            "notAfter": time_text(one.not_after * SECOND),
            "addedAt": time_text(one.added_at * SECOND),
            "addedBy": one.added_by,
            "fingerprint": one.fingerprint,
        })
    };
    Ok(Json(app.state.authorities().await?.into_iter().map(show).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trust {
    /// The authority's certificate in PEM.
    pem: String,
}

async fn trust(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Trust>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let unusable = |reason: String| ApiError::bad_request(format!("this authority cannot be trusted: {reason}"));
    let all = CertificateDer::pem_slice_iter(asked.pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(format!("a certificate is damaged: {error}")))?;
    let [certificate] = all.as_slice() else {
        return Err(unusable(format!("there are {} certificates in it; give the root's alone", all.len())));
    };
    let problems = authority_problems(certificate, SystemTime::now());
    if !problems.is_empty() {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(unusable(problems.join("; ")));
    }
    let facts = Facts::of(certificate).map_err(|error| unusable(error.to_string()))?;
    let authority = TrustedAuthority {
        fingerprint: facts.fingerprint.clone(),
        subject: facts.subject.clone(),
        pem: asked.pem,
        not_after: seconds(facts.not_after),
        added_at: now(),
        added_by: caller.name.clone(),
    };
    app.state.put_authority(&authority).await?;
    changed(&app).await?;
    caller.did("trust authority", &facts.fingerprint, &facts.subject);
    let answer = json!({"subject": facts.subject, "fingerprint": facts.fingerprint});
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn distrust(
    State(app): State<Arc<App>>,
    Path(authority): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let plain = authority.replace(':', "").to_ascii_lowercase();
    let all = app.state.authorities().await?;
    let named: Vec<_> = all.iter().filter(|one| one.fingerprint == plain || one.subject == authority).collect();
    let [found] = named.as_slice() else {
        return Err(ApiError::not_found(format!(
            "{} trusted authorities are {authority:?}; `watchkeeper cert authorities` lists them with their fingerprints",
            named.len()
        )));
    };
    app.state.delete_authority(&found.fingerprint).await?;
    let ended = changed(&app).await?;
    caller.did("distrust authority", &found.fingerprint, &found.subject);
    Ok(Json(json!({"subject": found.subject, "sessionsEnded": ended})))
}

/// What changed holds at once on this server, and within seconds on the others.
async fn changed(app: &App) -> Result<usize, ApiError> {
    failover::certificates_changed(&app.state).await?;
    management(app)?.certificates_changed().await.map_err(|error| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", format!("not all sessions are checked: {error}"))
    })
}

fn management(app: &App) -> Result<&ManagementServer, ApiError> {
    let busy = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "no agents are taken yet");
    Ok(app.operations.management().ok_or_else(busy)?)
}
