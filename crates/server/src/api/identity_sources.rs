//! `/api/identity-providers` and `/api/identity-directories`: whom people sign in through, for administrators. Those of the
//! configuration file are shown and tested here, and changed there. Secrets come in and do not go out.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;

use super::errors::ApiError;
use super::providers::redirect_uri;
use super::{App, base_url};
use crate::authorization::{Routes, get, post, put};
use crate::config::{DirectoryConfig, ProviderConfig};
use crate::identity::directories::{self, Directory};
use crate::identity::providers::{self, Provider};
use crate::identity::{Caller, sources};

const MOST_NAME_CHARACTERS: usize = 60;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/identity-providers", get(Action::ReadUsers, list_providers))
        .route(
            "/api/identity-providers/{name}",
            put(Action::WriteUsers, put_provider).delete(Action::DeleteUsers, remove),
        )
        .route("/api/identity-providers/{name}/secret", put(Action::ManageSecrets, set_secret))
        .route("/api/identity-providers/{name}/test", post(Action::WriteUsers, test_provider))
        .route("/api/identity-directories", get(Action::ReadUsers, list_directories))
        .route(
            "/api/identity-directories/{name}",
            put(Action::WriteUsers, put_directory).delete(Action::DeleteUsers, remove),
        )
        .route("/api/identity-directories/{name}/test", post(Action::WriteUsers, test_directory))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SentProvider {
    #[serde(default)]
    label: String,
    issuer: String,
    client_id: String,
    #[serde(default)]
    public: bool,
    scopes: Option<Vec<String>>,
    name_claim: Option<String>,
    groups_claim: Option<String>,
    #[serde(default)]
    groups: BTreeMap<String, String>,
    create_users: Option<bool>,
    #[serde(default)]
    trusted: String,
    /// The present one stays where it is not given.
    secret: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SentDirectory {
    url: String,
    base: String,
    #[serde(default)]
    bind_name: String,
    #[serde(default)]
    user_dn: String,
    #[serde(default)]
    user_filter: String,
    #[serde(default)]
    group_filter: String,
    #[serde(default)]
    groups: BTreeMap<String, String>,
    create_users: Option<bool>,
    #[serde(default)]
    trusted: String,
    /// Of the account that looks people up; the present one stays where it is not given.
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    /// Who is looked up; nobody where it is empty.
    #[serde(default)]
    user: String,
}

async fn list_providers(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let base = base_url(&uri, &headers);
    let mut items = Vec::new();
    for provider in app.sources.known(&app.state).await?.providers {
        let has_secret = app.state.setting(&providers::secret_setting(&provider.config.name)).await?.is_some();
        items.push(provider_item(&app, &provider.config, &base, has_secret));
    }
    Ok(Json(Value::Array(items)))
}

fn provider_item(app: &App, config: &ProviderConfig, base: &str, has_secret: bool) -> Value {
    json!({
        "name": config.name, "label": config.label, "issuer": config.issuer, "clientId": config.client_id,
        "public": config.public, "scopes": config.scopes, "nameClaim": config.name_claim,
        "groupsClaim": config.groups_claim, "groups": config.groups, "createUsers": config.create_users,
        "trusted": config.trusted, "redirectUri": redirect_uri(base, &config.name), "hasSecret": has_secret,
        "inConfiguration": app.sources.is_configured(&config.name),
    })
}

async fn list_directories(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let mut items = Vec::new();
    for directory in app.sources.known(&app.state).await?.directories {
        let has_secret = app.state.setting(&directories::secret_setting(&directory.config.name)).await?.is_some();
        items.push(directory_item(&app, &directory.config, has_secret));
    }
    Ok(Json(Value::Array(items)))
}

fn directory_item(app: &App, config: &DirectoryConfig, has_secret: bool) -> Value {
    json!({
        "name": config.name, "url": config.url, "base": config.base, "bindName": config.bind_name,
        "userDn": config.user_dn, "userFilter": config.user_filter, "groupFilter": config.group_filter,
        "groups": config.groups, "createUsers": config.create_users, "trusted": config.trusted,
        "hasSecret": has_secret, "inConfiguration": app.sources.is_configured(&config.name),
    })
}

async fn put_provider(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    caller: Caller,
    body: Result<Json<SentProvider>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(sent) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    caller.did("set identity provider", &name, &sent.issuer);
    let known = app.sources.known(&app.state).await?;
    check_name(&app, &name, known.directory(&name).is_some())?;
    let usual = ProviderConfig::default();
    let config = ProviderConfig {
        name,
        label: sent.label.trim().to_owned(),
        issuer: sent.issuer.trim().to_owned(),
        client_id: sent.client_id.trim().to_owned(),
        public: sent.public,
        scopes: sent.scopes.unwrap_or(usual.scopes),
        name_claim: sent.name_claim.unwrap_or(usual.name_claim),
        groups_claim: sent.groups_claim.unwrap_or(usual.groups_claim),
        groups: sent.groups,
        create_users: sent.create_users.unwrap_or(usual.create_users),
        ca_file: usual.ca_file,
        trusted: sent.trusted,
    };
    if config.client_id.is_empty() {
        return Err(ApiError::bad_request("clientId is empty: the provider knows this server by it"));
    }
    let secret = sent.secret.filter(|secret| !secret.is_empty());
    let issuer = known.provider(&config.name).map(|known| known.config.issuer.as_str());
    check_secret_goes_along(issuer, &config.issuer, secret.is_some() || config.public)?;
    check_trusted(&config.trusted)?;
    check_groups(&app, &config.groups).await?;
    Provider::new(config.clone()).map_err(refused)?;
    sources::put_provider(&app.state, &config).await?;
    if let Some(secret) = &secret {
        providers::put_secret(&app.state, &config.name, secret).await?;
    }
    let has_secret = app.state.setting(&providers::secret_setting(&config.name)).await?.is_some();
    Ok(Json(provider_item(&app, &config, &base_url(&uri, &headers), has_secret)))
}

async fn put_directory(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    body: Result<Json<SentDirectory>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(sent) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    caller.did("set identity directory", &name, &sent.url);
    let known = app.sources.known(&app.state).await?;
    check_name(&app, &name, known.provider(&name).is_some())?;
    let usual = DirectoryConfig::default();
    let config = DirectoryConfig {
        name,
        url: sent.url.trim().to_owned(),
        base: sent.base.trim().to_owned(),
        bind_name: sent.bind_name.trim().to_owned(),
        user_dn: sent.user_dn.trim().to_owned(),
        user_filter: sent.user_filter.trim().to_owned(),
        group_filter: sent.group_filter.trim().to_owned(),
        groups: sent.groups,
        create_users: sent.create_users.unwrap_or(usual.create_users),
        ca_file: usual.ca_file,
        trusted: sent.trusted,
    };
    let password = sent.password.filter(|password| !password.is_empty());
    let url = known.directory(&config.name).map(|known| known.config.url.as_str());
    check_secret_goes_along(url, &config.url, password.is_some() || config.bind_name.is_empty())?;
    check_trusted(&config.trusted)?;
    check_groups(&app, &config.groups).await?;
    Directory::new(config.clone()).map_err(refused)?;
    sources::put_directory(&app.state, &config).await?;
    if let Some(password) = &password {
        directories::put_secret(&app.state, &config.name, password).await?;
    }
    let has_secret = app.state.setting(&directories::secret_setting(&config.name)).await?.is_some();
    Ok(Json(directory_item(&app, &config, has_secret)))
}

/// Removes a provider or a directory. Its users stay, and cannot sign in.
async fn remove(State(app): State<Arc<App>>, Path(name): Path<String>, caller: Caller) -> Result<StatusCode, ApiError> {
    caller.did("remove identity source", &name, "");
    let known = app.sources.known(&app.state).await?;
    if known.provider(&name).is_none() && known.directory(&name).is_none() {
        return Err(none(&name));
    }
    check_is_added(&app, &name)?;
    sources::remove(&app.state, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_secret(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Result<Json<Secret>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(Secret { secret }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let known = app.sources.known(&app.state).await?;
    if known.directory(&name).is_some() {
        directories::put_secret(&app.state, &name, &secret).await?;
    } else if known.provider(&name).is_some() {
        providers::put_secret(&app.state, &name, &secret).await?;
    } else {
        return Err(none(&name));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the provider's documents anew.
async fn test_provider(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    caller.did("test identity provider", &name, "");
    let known = app.sources.known(&app.state).await?;
    let provider = known.provider(&name).ok_or_else(|| none(&name))?;
    let looked = provider.look().await.map_err(|error| failed(&error.to_string()))?;
    let (authorization, token, keys) = looked;
    let has_secret = app.state.setting(&providers::secret_setting(&name)).await?.is_some();
    Ok(Json(json!({
        "authorizationEndpoint": authorization, "tokenEndpoint": token, "keys": keys,
        "lacksSecret": !has_secret && !provider.config.public,
    })))
}

/// Signs in as the account that looks people up, and looks one up.
async fn test_directory(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    body: Result<Json<Test>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    caller.did("test identity directory", &name, "");
    let Json(Test { user }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let known = app.sources.known(&app.state).await?;
    let directory = known.directory(&name).ok_or_else(|| none(&name))?;
    let found = directory.look(&app.state, user.trim()).await.map_err(|error| failed(&format!("{error:#}")))?;
    let groups = |said: &[String]| -> Vec<&String> {
        let is_said = |group: &&String| said.iter().any(|one| one.eq_ignore_ascii_case(group));
        directory.config.groups.iter().filter(|(theirs, _)| is_said(theirs)).map(|(_, own)| own).collect()
    };
    let person = found.map(|person| {
        json!({
            "name": person.name, "displayName": person.display_name, "mail": person.mail, "groups": person.groups,
            "groupsHere": groups(&person.groups),
        })
    });
    Ok(Json(json!({"looksUp": !directory.config.bind_name.is_empty(), "person": person})))
}

fn check_name(app: &App, name: &str, is_of_other_kind: bool) -> Result<(), ApiError> {
    check_is_added(app, name)?;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.len() > MOST_NAME_CHARACTERS || !name.chars().all(is_plain) {
        return Err(ApiError::bad_request(format!(
            "the name {name:.80?} is not possible; a name has 1 to {MOST_NAME_CHARACTERS} letters, digits, and - _ ."
        )));
    }
    if is_of_other_kind {
        let message = format!("there is a provider or directory {name:?} already; users are told apart by its name");
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    Ok(())
}

fn check_is_added(app: &App, name: &str) -> Result<(), ApiError> {
    match app.sources.is_configured(name) {
        true => Err(ApiError::new(
            StatusCode::CONFLICT,
            "InConfiguration",
            format!("{name:?} is in the server's configuration file ([identity]) and is changed there"),
        )),
        false => Ok(()),
    }
}

/// A secret that is kept goes nowhere else than it was given for: with another address it is given again.
pub(super) fn check_secret_goes_along(before: Option<&str>, after: &str, is_given: bool) -> Result<(), ApiError> {
    match before {
        Some(before) if before != after && !is_given => Err(ApiError::bad_request(format!(
            "the address was {before:?} and is {after:?}; give the secret for it again"
        ))),
        _ => Ok(()),
    }
}

/// A text that is to be trusted has a certificate.
fn check_trusted(text: &str) -> Result<(), ApiError> {
    match text.trim().is_empty() || text.contains("-----BEGIN CERTIFICATE-----") {
        true => Ok(()),
        false => Err(ApiError::bad_request("trusted has no certificate; it begins with -----BEGIN CERTIFICATE-----")),
    }
}

/// Groups that are named have to be there: people would be put into none of them without a word.
async fn check_groups(app: &App, groups: &BTreeMap<String, String>) -> Result<(), ApiError> {
    for group in groups.values() {
        if app.state.directory_group(group).await?.is_none() {
            return Err(ApiError::bad_request(format!("there is no group {group:?} here; add it under Groups first")));
        }
    }
    Ok(())
}

fn refused(error: anyhow::Error) -> ApiError {
    ApiError::bad_request(format!("{error:#}"))
}

fn failed(problem: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "TestFailed", problem)
}

fn none(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no provider and no directory that is called {name:?}"))
}
