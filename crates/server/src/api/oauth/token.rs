//! The token endpoints of both versions: what an application gives (its own credentials, a code, a device code, a
//! refresh token) for tokens.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Uri, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watchkeeper_identity::{Refusal, Resource, Scopes, check_verifier, scopes_v1, scopes_v2};
use watchkeeper_state::{DeviceAnswer, Grant, Redeemed, User};

use super::super::{App, base_url};
use super::client::{self, Credentials, basic_credentials};
use super::{Refused, check_tenant, internal};
use crate::audit::{Trail, Who};
use crate::authorization::{Need, Routes, post};
use crate::identity::TOKEN_SECONDS;

const MOST_FORM_BYTES: usize = 64 << 10;
/// A refresh token that is not used for so long ends.
const REFRESH_SECONDS: i64 = 90 * 24 * 3600;
/// A client that lost the answer, or asks twice at once, may show a refresh token again within this time.
const REFRESH_AGAIN_SECONDS: i64 = 30;
/// How often a device's code may be asked about.
pub const DEVICE_INTERVAL: i64 = 5;

pub fn routes() -> Routes {
    Routes::new()
        .route("/{tenant}/oauth2/v2.0/token", post(Need::SignIn("sign-in of programs"), token))
        .route("/{tenant}/oauth2/token", post(Need::SignIn("sign-in of programs"), token))
}

/// What a person granted, as it is kept with a code or refresh token.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Granted {
    /// None: OpenID Connect's scopes alone.
    pub resource: Option<String>,
    pub openid: bool,
    pub offline: bool,
    /// As it was asked for.
    pub scope: String,
    /// Of the code alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub redirect_uri: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub challenge: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

impl From<Scopes> for Granted {
    fn from(scopes: Scopes) -> Granted {
        Granted {
            resource: scopes.resource.map(|Resource(name)| name),
            openid: scopes.openid,
            offline: scopes.offline,
            scope: scopes.asked,
            ..Granted::default()
        }
    }
}

/// The fields of the form that count here.
#[derive(Default)]
struct Form {
    credentials: Credentials,
    grant_type: Option<String>,
    scope: Option<String>,
    resource: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
    device_code: Option<String>,
}

impl Form {
    fn read(body: &[u8], headers: &HeaderMap) -> Form {
        let mut form = Form::default();
        for (name, value) in form_urlencoded::parse(body) {
            let field = match name.as_ref() {
                "grant_type" => &mut form.grant_type,
                "client_id" => &mut form.credentials.client_id,
                "client_secret" => &mut form.credentials.secret,
                "client_assertion_type" => &mut form.credentials.assertion_type,
                "client_assertion" => &mut form.credentials.assertion,
                "scope" => &mut form.scope,
                "resource" => &mut form.resource,
                "code" => &mut form.code,
                "redirect_uri" => &mut form.redirect_uri,
                "code_verifier" => &mut form.code_verifier,
                "refresh_token" => &mut form.refresh_token,
                // version 1 calls it `code`
                "device_code" => &mut form.device_code,
                _ => continue,
            };
            *field = Some(value.into_owned());
        }
        if let Some((id, secret)) = basic_credentials(headers) {
            form.credentials.client_id.get_or_insert(id);
            form.credentials.secret.get_or_insert(secret);
        }
        form
    }
}

/// A request, read.
struct Call<'a> {
    app: &'a App,
    trail: &'a Trail,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    base: String,
    is_v2: bool,
    form: Form,
}

async fn token(
    State(app): State<Arc<App>>,
    Path(tenant): Path<String>,
    trail: Trail,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    trail.did("sign in", "token endpoint", "");
    match answer(&app, &tenant, &trail, &uri, &headers, &body).await {
        Ok(body) => ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response(),
        Err(refusal) => Refused(refusal).into_response(),
    }
}

async fn answer(
    app: &App,
    tenant: &str,
    trail: &Trail,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, Refusal> {
    check_tenant(app, tenant)?;
    if body.len() > MOST_FORM_BYTES {
        return Err(Refusal::too_large());
    }
    let form = Form::read(body, headers);
    let grant_type = form.grant_type.clone().ok_or_else(|| Refusal::missing("grant_type"))?;
    let is_v2 = uri.path().contains("/v2.0/");
    let call = Call { app, trail, uri, headers, base: base_url(uri, headers), is_v2, form };
    if let Some(id) = &call.form.credentials.client_id
        && let Some(principal) = app.state.principal(id).await.map_err(internal)?
    {
        trail.is_said_to_be(Who::principal(&principal.client_id, &principal.name));
        trail.says("application", principal.client_id);
    }
    match grant_type.as_str() {
        "client_credentials" => call.for_application().await,
        "authorization_code" => call.for_code().await,
        "refresh_token" => call.for_refresh_token().await,
        "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => call.for_device_code().await,
        other => Err(Refusal::unsupported_grant(other)),
    }
}

impl Call<'_> {
    async fn for_application(&self) -> Result<Value, Refusal> {
        let missing_client = self.form.credentials.client_id.is_none() && self.form.credentials.assertion.is_none();
        if missing_client {
            return Err(Refusal::missing("client_id"));
        }
        let scopes = match (self.is_v2, &self.form.scope, &self.form.resource) {
            (true, Some(scope), _) => scopes_v2(scope, true, &self.base)?,
            (true, None, _) => return Err(Refusal::missing("scope")),
            (false, _, Some(resource)) => scopes_v1(resource, true, &self.base)?,
            (false, _, None) => return Err(Refusal::missing("resource")),
        };
        let Some(Resource(audience)) = scopes.resource else { return Err(Refusal::missing("scope")) };
        let client_id = client::prove(self.app, &self.form.credentials, self.uri, self.headers).await?;
        let name = self.app.state.principal(&client_id).await.map_err(internal)?.map(|principal| principal.name);
        self.trail.is_by(Who::principal(&client_id, &name.unwrap_or_default()));
        let token = self.app.tokens.issue(&client_id, &audience, &self.base).map_err(internal)?;
        let mut body = json!({
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "ext_expires_in": TOKEN_SECONDS,
            "access_token": token,
        });
        self.as_version(&mut body, &audience);
        Ok(body)
    }

    async fn for_code(&self) -> Result<Value, Refusal> {
        let code = self.form.code.as_deref().ok_or_else(|| Refusal::missing("code"))?;
        let redirect_uri = self.form.redirect_uri.as_deref().ok_or_else(|| Refusal::missing("redirect_uri"))?;
        let client = client::of_person(self.app, &self.form.credentials, self.uri, self.headers).await?;
        let grant = match self.app.state.redeem_code(code).await.map_err(internal)? {
            Redeemed::Good(grant) => grant,
            Redeemed::Unknown => return Err(Refusal::code()),
            Redeemed::Expired => return Err(Refusal::code_expired()),
            Redeemed::Used => {
                tracing::warn!(client_id = client.id, "a code was shown twice; its refresh tokens are revoked");
                return Err(Refusal::code_used());
            }
        };
        let granted: Granted = serde_json::from_str(&grant.request).map_err(internal)?;
        if grant.client_id != client.id || granted.redirect_uri != redirect_uri {
            return Err(Refusal::code());
        }
        let verifier = self.form.code_verifier.as_deref().unwrap_or_default();
        if !check_verifier(&granted.challenge, verifier) {
            return Err(Refusal::verifier());
        }
        self.for_person(&grant, granted).await
    }

    async fn for_refresh_token(&self) -> Result<Value, Refusal> {
        let token = self.form.refresh_token.as_deref().ok_or_else(|| Refusal::missing("refresh_token"))?;
        let client = client::of_person(self.app, &self.form.credentials, self.uri, self.headers).await?;
        // another client's token is not used up by showing it
        let known = self.app.state.refresh_token(token).await.map_err(internal)?;
        if known.is_none_or(|grant| grant.client_id != client.id) {
            return Err(Refusal::refresh_token());
        }
        let redeemed = self.app.state.redeem_refresh_token(token, REFRESH_AGAIN_SECONDS).await.map_err(internal)?;
        let grant = match redeemed {
            Redeemed::Good(grant) => grant,
            Redeemed::Unknown => return Err(Refusal::refresh_token()),
            Redeemed::Expired => return Err(Refusal::refresh_token_ended()),
            Redeemed::Used => {
                tracing::warn!(client_id = client.id, "a refresh token was used twice; its family is revoked");
                return Err(Refusal::refresh_token_used());
            }
        };
        let granted: Granted = serde_json::from_str(&grant.request).map_err(internal)?;
        // the same sign-in serves other resources: what a person may do is the roles' to say
        let asked = match (self.is_v2, &self.form.scope, &self.form.resource) {
            (true, Some(scope), _) => Some(scopes_v2(scope, false, &self.base)?),
            (false, _, Some(resource)) => Some(scopes_v1(resource, false, &self.base)?),
            _ => None,
        };
        let granted = match asked {
            Some(scopes) if scopes.resource.is_some() => Granted { offline: true, ..Granted::from(scopes) },
            Some(scopes) => Granted { openid: scopes.openid, ..granted },
            None => granted,
        };
        self.for_person(&grant, granted).await
    }

    async fn for_device_code(&self) -> Result<Value, Refusal> {
        let code = self.form.device_code.as_deref().or(self.form.code.as_deref());
        let code = code.ok_or_else(|| Refusal::missing("device_code"))?;
        let client = client::of_person(self.app, &self.form.credentials, self.uri, self.headers).await?;
        // a second less: clocks and ways differ
        let answer = self.app.state.ask_device(code, &client.id, DEVICE_INTERVAL - 1).await.map_err(internal)?;
        let grant = match answer {
            DeviceAnswer::Granted(grant) => grant,
            // asked every few seconds until the person has answered
            DeviceAnswer::Pending => {
                self.trail.is_no_change();
                return Err(Refusal::device_pending());
            }
            DeviceAnswer::TooSoon => {
                self.trail.is_no_change();
                return Err(Refusal::device_slow_down());
            }
            DeviceAnswer::Declined => return Err(Refusal::device_declined()),
            DeviceAnswer::Expired => return Err(Refusal::device_expired()),
            DeviceAnswer::Unknown => return Err(Refusal::device_code()),
        };
        let granted: Granted = serde_json::from_str(&grant.request).map_err(internal)?;
        self.for_person(&grant, granted).await
    }

    /// Tokens for the person of a grant.
    async fn for_person(&self, grant: &Grant, granted: Granted) -> Result<Value, Refusal> {
        let user = self.app.state.user(&grant.user_id).await.map_err(internal)?;
        let user: User = user.ok_or_else(Refusal::refresh_token_ended)?;
        self.trail.is_said_to_be(Who::user(&user.id, &user.name));
        if user.is_disabled() {
            return Err(Refusal::user_disabled());
        }
        if user.token_generation != grant.generation {
            return Err(Refusal::refresh_token_ended());
        }
        self.trail.is_by(Who::user(&user.id, &user.name));
        let audience = granted.resource.clone().unwrap_or_else(|| self.base.clone());
        let tokens = &self.app.tokens;
        let scope = granted.scope.clone();
        let access = tokens.issue_for_user(&user, &grant.client_id, &audience, &scope, &self.base).map_err(internal)?;
        let mut body = json!({
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": TOKEN_SECONDS,
            "ext_expires_in": TOKEN_SECONDS,
            "access_token": access,
            // how Microsoft's libraries tell accounts apart
            "client_info": URL_SAFE_NO_PAD.encode(json!({"uid": user.id, "utid": tokens.tenant_id()}).to_string()),
        });
        if granted.openid {
            let id =
                tokens.id_token(&user, &grant.client_id, granted.nonce.as_deref(), &self.base).map_err(internal)?;
            body["id_token"] = json!(id);
        }
        if granted.offline {
            let kept = Granted { redirect_uri: String::new(), challenge: String::new(), nonce: None, ..granted };
            let request = serde_json::to_string(&kept).map_err(internal)?;
            let next = Grant { request, ..grant.clone() };
            let token = self.app.state.create_refresh_token(&next, REFRESH_SECONDS).await.map_err(internal)?;
            body["refresh_token"] = json!(token);
        }
        self.as_version(&mut body, &audience);
        Ok(body)
    }

    /// Version 1 writes numbers as texts and names the resource.
    fn as_version(&self, body: &mut Value, audience: &str) {
        if self.is_v2 {
            return;
        }
        let now = chrono::Utc::now().timestamp();
        for name in ["expires_in", "ext_expires_in"] {
            body[name] = json!(TOKEN_SECONDS.to_string());
        }
        body["expires_on"] = json!((now + TOKEN_SECONDS as i64).to_string());
        body["not_before"] = json!(now.to_string());
        body["resource"] = json!(audience);
    }
}
