//! `/api/principals`: service principals, their secrets, certificates and roles, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::{Action, RoleDefinition, Scope};
use watchkeeper_identity::{Certificate, check_redirect_uri};
use watchkeeper_state::{Principal, PrincipalCertificate, RoleAssignment, SubjectKind};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, custom_roles, delete, get, grant_by_name, names_of, put, roles_by_name};
use crate::identity::Caller;

const DAY_SECONDS: i64 = 86_400;
const DEFAULT_SECRET_DAYS: i64 = 180;
const MOST_SECRET_DAYS: i64 = 730;
const MOST_NAME_CHARACTERS: usize = 120;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/principals", get(Action::ReadPrincipals, list).post(Action::WritePrincipals, create))
        .route("/api/principals/{client_id}", delete(Action::DeletePrincipals, remove))
        .route(
            "/api/principals/{client_id}/secrets",
            get(Action::ReadPrincipals, list_secrets).post(Action::WritePrincipals, add_secret),
        )
        .route("/api/principals/{client_id}/secrets/{secret}", delete(Action::WritePrincipals, remove_secret))
        .route(
            "/api/principals/{client_id}/certificates",
            get(Action::ReadPrincipals, list_certificates).post(Action::WritePrincipals, add_certificate),
        )
        .route(
            "/api/principals/{client_id}/certificates/{thumbprint}",
            delete(Action::WritePrincipals, remove_certificate),
        )
        .route("/api/principals/{client_id}/role", put(Action::WritePrincipals, set_role))
        .route("/api/principals/{client_id}/sign-in", put(Action::WritePrincipals, set_sign_in))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPrincipal {
    name: String,
    /// A role in the workspace, with what goes with it in the management group; none where it is not given.
    role: Option<String>,
    #[serde(default)]
    secret_name: String,
    secret_days: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyRole {
    /// In the workspace; null: none.
    role: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSecret {
    #[serde(default)]
    name: String,
    secret_days: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCertificate {
    #[serde(default)]
    name: String,
    /// PEM, without a private key.
    certificate: String,
}

/// How people sign in to an application.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignIn {
    /// It has no credential of its own: it runs on people's machines.
    #[serde(default)]
    public: bool,
    /// Where their browsers are sent back to.
    redirect_uris: Vec<String>,
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let mut items = Vec::new();
    for principal in app.state.principals().await? {
        items.push(item(&app, &principal).await?);
    }
    Ok(Json(Value::Array(items)))
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<NewPrincipal>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let role = new.role.as_deref().unwrap_or("none");
    caller.did("add service principal", &new.name, &format!("role {role}"));
    let (workspace, group) = (app.workspace_scope(), app.group_scope());
    // role and names are looked at before anything is made
    if let Some(role) = &new.role {
        check_may_give(&caller, &roles_by_name(&custom_roles(&app.state).await?, role, &workspace, &group)?)?;
    }
    check_label(&new.secret_name)?;
    let seconds = secret_seconds(new.secret_days)?;
    let principal = app.state.create_principal(&new.name).await?;
    caller.trail.says("clientId", principal.client_id.as_str());
    if let Some(role) = &new.role {
        let subject = (principal.client_id.as_str(), SubjectKind::ServicePrincipal);
        grant_by_name(&app.state, subject, role, (&workspace, &group), &caller.name).await?;
    }
    let secret = app.state.add_named_secret(&principal.client_id, &new.secret_name, seconds).await?;
    let mut body = item(&app, &principal).await?;
    body["clientSecret"] = json!(secret);
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

async fn add_secret(
    State(app): State<Arc<App>>,
    Path(client_id): Path<String>,
    body: Result<Json<NewSecret>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    check_label(&new.name)?;
    let secret = app.state.add_named_secret(&client_id, &new.name, secret_seconds(new.secret_days)?).await?;
    let body = json!({"clientId": client_id, "name": new.name, "clientSecret": secret});
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

async fn list_secrets(State(app): State<Arc<App>>, Path(client_id): Path<String>) -> Result<Json<Value>, ApiError> {
    let principal = find(&app, &client_id).await?;
    Ok(Json(item(&app, &principal).await?["secrets"].take()))
}

async fn remove_secret(
    State(app): State<Arc<App>>,
    Path((client_id, secret)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    app.state.remove_principal_secret(&client_id, &secret).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_certificates(
    State(app): State<Arc<App>>,
    Path(client_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let principal = find(&app, &client_id).await?;
    Ok(Json(item(&app, &principal).await?["certificates"].take()))
}

async fn add_certificate(
    State(app): State<Arc<App>>,
    Path(client_id): Path<String>,
    body: Result<Json<NewCertificate>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    check_label(&new.name)?;
    let read = Certificate::from_pem(&new.certificate).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let now = chrono::Utc::now().timestamp();
    if read.not_after <= now {
        return Err(ApiError::bad_request(format!("the certificate {} has expired", read.thumbprint)));
    }
    let certificate = PrincipalCertificate {
        thumbprint_sha256: read.thumbprint_sha256,
        thumbprint: read.thumbprint,
        name: new.name,
        subject: read.subject,
        certificate: new.certificate,
        created_at: now,
        not_before: read.not_before,
        expires_at: read.not_after,
    };
    app.state.add_principal_certificate(&client_id, &certificate).await?;
    Ok((StatusCode::CREATED, Json(certificate_item(&certificate))).into_response())
}

async fn remove_certificate(
    State(app): State<Arc<App>>,
    Path((client_id, thumbprint)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    app.state.remove_principal_certificate(&client_id, &thumbprint).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_sign_in(
    State(app): State<Arc<App>>,
    Path(client_id): Path<String>,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    for uri in &asked.redirect_uris {
        check_redirect_uri(uri).map_err(|problem| {
            ApiError::bad_request(format!("the redirect URI {uri:.200?} is not possible: {problem}"))
        })?;
    }
    app.state.set_principal_sign_in(&client_id, asked.public, &asked.redirect_uris).await?;
    let principal = find(&app, &client_id).await?;
    Ok(Json(item(&app, &principal).await?))
}

/// Gives a principal a role in the workspace in the place of those that it has there, or takes them away.
async fn set_role(
    State(app): State<Arc<App>>,
    Path(client_id): Path<String>,
    caller: Caller,
    body: Result<Json<OnlyRole>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let (workspace, group) = (app.workspace_scope(), app.group_scope());
    let custom = custom_roles(&app.state).await?;
    let roles = asked.role.clone().unwrap_or_default();
    caller.did("set role of service principal", &client_id, &format!("roles by name: {roles:?}"));
    let given = asked.role.map(|role| roles_by_name(&custom, &role, &workspace, &group)).transpose()?;
    let given = given.unwrap_or_default();
    check_may_give(&caller, &given)?;
    let principal = find(&app, &client_id).await?;
    let own = [workspace.to_string(), group.to_string()];
    for known in app.state.role_assignments_of(&client_id).await?.iter().filter(|one| own.contains(&one.scope)) {
        if !given.iter().any(|(role, scope)| role.id == known.role_id && scope.to_string() == known.scope) {
            if let Ok(scope) = known.scope.parse() {
                caller.check(Action::DeleteRoleAssignments, &scope)?;
            }
            app.state.revoke_role(&known.id).await?;
        }
    }
    for (role, scope) in given {
        let kind = SubjectKind::ServicePrincipal;
        let assignment = RoleAssignment::new(&client_id, kind, &scope.to_string(), &role.id, &caller.name);
        app.state.grant_role(&assignment).await?;
    }
    Ok(Json(item(&app, &principal).await?))
}

async fn remove(State(app): State<Arc<App>>, Path(client_id): Path<String>) -> Result<StatusCode, ApiError> {
    app.state.delete_principal(&client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, client_id: &str) -> Result<Principal, ApiError> {
    let principal = app.state.principal(client_id).await?;
    principal.ok_or_else(|| ApiError::not_found(format!("there is no service principal {client_id:?}")))
}

/// Who may change service principals may not for that give them roles.
fn check_may_give(caller: &Caller, given: &[(RoleDefinition, Scope)]) -> Result<(), ApiError> {
    for (_, scope) in given {
        caller.check(Action::WriteRoleAssignments, scope)?;
    }
    Ok(())
}

fn check_label(name: &str) -> Result<(), ApiError> {
    match name.chars().count() {
        0..=MOST_NAME_CHARACTERS => Ok(()),
        many => Err(ApiError::bad_request(format!("the name has {many} characters; 120 are possible"))),
    }
}

fn secret_seconds(days: Option<i64>) -> Result<i64, ApiError> {
    match days.unwrap_or(DEFAULT_SECRET_DAYS) {
        days @ 1..=MOST_SECRET_DAYS => Ok(days * DAY_SECONDS),
        days => Err(ApiError::bad_request(format!("secretDays is {days}; it can be 1 to {MOST_SECRET_DAYS}"))),
    }
}

async fn item(app: &App, principal: &Principal) -> Result<Value, ApiError> {
    let roles = names_of(&app.state, &principal.client_id).await?;
    let secrets = app.state.principal_secrets(&principal.client_id).await?;
    let certificates = app.state.principal_certificates(&principal.client_id).await?;
    let groups = app.state.groups_of_member(&principal.client_id).await?;
    Ok(json!({
        "clientId": principal.client_id,
        "name": principal.name,
        "roles": roles.iter().map(|(scope, role)| json!({"scope": scope, "role": role})).collect::<Vec<_>>(),
        "secrets": secrets
            .iter()
            .map(|secret| json!({
                "id": secret.id, "name": secret.name, "hint": secret.hint, "expiresAt": secret.expires_at,
            }))
            .collect::<Vec<_>>(),
        "certificates": certificates.iter().map(certificate_item).collect::<Vec<_>>(),
        "public": principal.is_public,
        "redirectUris": principal.redirect_uris,
        "groups": groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(),
    }))
}

fn certificate_item(certificate: &PrincipalCertificate) -> Value {
    json!({
        "thumbprint": certificate.thumbprint,
        "thumbprintSha256": certificate.thumbprint_sha256,
        "name": certificate.name,
        "subject": certificate.subject,
        "notBefore": certificate.not_before,
        "expiresAt": certificate.expires_at,
    })
}
