//! `/api/run-as`: accounts, the profiles of packs, and which account a profile uses for what. Secrets come in and never
//! go out.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_management::clock;
use watchkeeper_management::pools::ALL_SERVERS;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::Classes;
use watchkeeper_model::pack::ElementKind;
use watchkeeper_state::{RunAsAccount, RunAsAssociation};

use super::errors::ApiError;
use super::management::find;
use super::{App, time_text};
use crate::authorization::{Routes, get, patch};
use crate::identity::Caller;

/// The kinds of accounts (specification 8.1) that mean something here.
const KINDS: [&str; 5] = ["ActionAccount", "Basic", "SnmpCommunity", "SnmpV3", "Certificate"];
const MOST_SECRET: usize = 64 * 1024;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/run-as/accounts",
            get(Action::ReadRunAsAccounts, accounts).post(Action::WriteRunAsAccounts, create),
        )
        .route(
            "/api/run-as/accounts/{account}",
            patch(Action::WriteRunAsAccounts, change).delete(Action::DeleteRunAsAccounts, remove),
        )
        .route("/api/run-as/profiles", get(Action::ReadRunAsProfiles, profiles))
        .route(
            "/api/run-as/associations",
            get(Action::ReadRunAsProfiles, associations)
                .put(Action::WriteRunAsProfiles, associate)
                .delete(Action::WriteRunAsProfiles, dissociate),
        )
}

async fn accounts(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let mut items = Vec::new();
    for account in app.state.run_as_accounts().await? {
        items.push(account_item(&app, &account).await?);
    }
    Ok(Json(Value::Array(items)))
}

async fn account_item(app: &App, account: &RunAsAccount) -> Result<Value, ApiError> {
    let holders = Holders::read(app).await?;
    let distribution = app.state.run_as_distribution(&account.account_id).await?;
    let names: Vec<String> = distribution.iter().map(|id| holders.name(id)).collect();
    let used_by: Vec<String> = app
        .state
        .run_as_associations()
        .await?
        .into_iter()
        .filter(|one| one.account_id == account.account_id)
        .map(|one| one.profile)
        .collect();
    Ok(json!({
        "id": account.account_id,
        "name": account.name,
        "kind": account.kind,
        "userName": account.user_name,
        "distribution": if account.less_secure { "all-agents" } else { "listed-agents" },
        "agents": names,
        "agentIds": distribution,
        "profiles": used_by,
        "modifiedAt": time_text(account.modified_at),
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewAccount {
    name: String,
    kind: String,
    #[serde(default)]
    user_name: String,
    #[serde(default)]
    secret: String,
    /// `listed-agents`, the more secure, or `all-agents`.
    distribution: Option<String>,
    /// Identities or names of computers.
    #[serde(default)]
    agents: Vec<String>,
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<NewAccount>, JsonRejection>,
) -> Result<Response, ApiError> {
    let new = read(body)?;
    let kind = KINDS
        .into_iter()
        .find(|kind| kind.eq_ignore_ascii_case(&new.kind))
        .ok_or_else(|| ApiError::bad_request(format!("kind is {:?}; it can be {}", new.kind, KINDS.join(", "))))?;
    let account = RunAsAccount {
        account_id: Uuid::new_v4().to_string(),
        name: new.name.trim().to_owned(),
        kind: kind.to_owned(),
        user_name: new.user_name,
        less_secure: all_agents(new.distribution.as_deref().unwrap_or("listed-agents"))?,
        modified_at: clock::now(),
    };
    check(&account, &new.secret)?;
    let agents = Holders::read(&app).await?.ids(&new.agents)?;
    caller.did("create Run As account", &account.name, "");
    app.state.put_run_as_account(&account, Some(&new.secret)).await?;
    if !agents.is_empty() {
        app.state.set_run_as_distribution(&account.account_id, &agents).await?;
    }
    app.operations.group.accounts_changed().await?;
    Ok((StatusCode::CREATED, Json(account_item(&app, &account).await?)).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangedAccount {
    name: Option<String>,
    user_name: Option<String>,
    secret: Option<String>,
    distribution: Option<String>,
    /// All that may have it, in the place of those before.
    agents: Option<Vec<String>>,
    /// Besides those that have it.
    #[serde(default)]
    add_agents: Vec<String>,
    /// Of those that have it.
    #[serde(default)]
    remove_agents: Vec<String>,
}

async fn change(
    State(app): State<Arc<App>>,
    Path(account): Path<String>,
    caller: Caller,
    body: Result<Json<ChangedAccount>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let asked = read(body)?;
    let mut account = named(&app, &account).await?;
    let mut what = Vec::new();
    if let Some(name) = asked.name {
        account.name = name.trim().to_owned();
        what.push("name");
    }
    if let Some(user_name) = asked.user_name {
        account.user_name = user_name;
        what.push("user name");
    }
    if let Some(distribution) = &asked.distribution {
        account.less_secure = all_agents(distribution)?;
        what.push("distribution");
    }
    if asked.secret.is_some() {
        what.push("secret");
    }
    check(&account, asked.secret.as_deref().unwrap_or_default())?;
    let known = Holders::read(&app).await?;
    let mut agents = match &asked.agents {
        Some(agents) => known.ids(agents)?,
        None => app.state.run_as_distribution(&account.account_id).await?,
    };
    agents.extend(known.ids(&asked.add_agents)?);
    let removed = known.ids(&asked.remove_agents)?;
    agents.retain(|agent| !removed.contains(agent));
    account.modified_at = clock::now().max(account.modified_at + 1);
    app.state.put_run_as_account(&account, asked.secret.as_deref()).await?;
    if asked.agents.is_some() || !asked.add_agents.is_empty() || !asked.remove_agents.is_empty() {
        app.state.set_run_as_distribution(&account.account_id, &agents).await?;
        what.push("agents");
    }
    let target = format!("{} ({})", account.name, what.join(", "));
    caller.did("change Run As account", &target, "");
    app.operations.group.accounts_changed().await?;
    Ok(Json(account_item(&app, &account).await?))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(account): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let account = named(&app, &account).await?;
    caller.did("remove Run As account", &account.name, "");
    let used = app.state.run_as_associations().await?;
    if let Some(used) = used.iter().find(|one| one.account_id == account.account_id) {
        let message = format!("the profile {} uses the account {:?}; end that first", used.profile, account.name);
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    app.state.delete_run_as_account(&account.account_id).await?;
    app.operations.group.accounts_changed().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn profiles(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let all = app.state.run_as_associations().await?;
    let space = app.operations.group.read();
    let library = &space.library;
    let mut items = Vec::new();
    for pack in library.set.packs() {
        for profile in &pack.secure_references {
            let id = pack.element_id(&profile.id);
            let name = library.full_name(id);
            let associations = all.iter().filter(|one| one.profile == name).count();
            items.push(json!({
                "profile": name, "name": library.display_name(id), "pack": pack.id, "associations": associations,
            }));
        }
    }
    Ok(Json(Value::Array(items)))
}

async fn associations(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let accounts = app.state.run_as_accounts().await?;
    let all = app.state.run_as_associations().await?;
    Ok(Json(all.iter().map(|one| association_item(&app, one, &accounts)).collect()))
}

fn association_item(app: &App, one: &RunAsAssociation, accounts: &[RunAsAccount]) -> Value {
    let account = accounts.iter().find(|account| account.account_id == one.account_id);
    let space = app.operations.group.read();
    let scope = match Uuid::try_parse(&one.scope) {
        Err(_) => "all objects".to_owned(),
        Ok(id) if space.library.element(ElementId(id)).is_some() => space.library.full_name(ElementId(id)),
        Ok(id) => space.display_name(ObjectId(id)),
    };
    json!({
        "profile": one.profile,
        "scope": scope,
        "scopeId": one.scope,
        "account": account.map(|account| account.name.clone()),
        "accountId": one.account_id,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Association {
    /// `Pack!Profile`
    profile: String,
    /// A class or group, `Pack!Class`; without it and `object`: all objects.
    #[serde(default)]
    class: String,
    /// An object, by name or identity.
    #[serde(default)]
    object: String,
    /// The account, by name or identity; not to end one.
    #[serde(default)]
    account: String,
}

async fn associate(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Association>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let asked = read(body)?;
    let (profile, scope) = place(&app, &asked)?;
    let account = named(&app, &asked.account).await?;
    let association = RunAsAssociation { profile, scope, account_id: account.account_id.clone() };
    let item = association_item(&app, &association, std::slice::from_ref(&account));
    let target = format!("{} for {}: {}", association.profile, text(&item["scope"]), account.name);
    caller.did("associate Run As profile", &target, "");
    app.state.associate_run_as(&association).await?;
    app.operations.group.accounts_changed().await?;
    Ok(Json(item))
}

async fn dissociate(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Association>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let asked = read(body)?;
    // of a pack that is no longer here, too
    let (profile, scope) = place(&app, &asked).or_else(|problem| {
        match asked.profile.contains('!') && asked.class.is_empty() && asked.object.is_empty() {
            true => Ok((asked.profile.clone(), String::new())),
            false => Err(problem),
        }
    })?;
    caller.did("end association of Run As profile", &profile, "");
    if !app.state.dissociate_run_as(&profile, &scope).await? {
        return Err(ApiError::not_found(format!("the profile {profile} has no account for that")));
    }
    app.operations.group.accounts_changed().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, ApiError> {
    // what serde says of a text would show it: the secret may be in it
    let Json(asked) = body.map_err(|error| match error {
        JsonRejection::JsonDataError(_) => ApiError::bad_request(
            "the body is not what this route takes: a member is missing, unknown or of another type",
        ),
        error => ApiError::bad_request(error.body_text()),
    })?;
    Ok(asked)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn all_agents(word: &str) -> Result<bool, ApiError> {
    match word {
        "all-agents" => Ok(true),
        "listed-agents" => Ok(false),
        other => {
            Err(ApiError::bad_request(format!("distribution is {other:?}; it can be listed-agents or all-agents")))
        }
    }
}

fn check(account: &RunAsAccount, secret: &str) -> Result<(), ApiError> {
    let refuse = |message: &str| Err(ApiError::bad_request(message));
    if account.name.is_empty() {
        return refuse("an account needs a name");
    }
    let bad = |text: &str| text.chars().any(char::is_control) || text.len() > 256;
    if bad(&account.name) || bad(&account.user_name) {
        return refuse("name and user name have at most 256 characters, none of them a control character");
    }
    if account.user_name.is_empty() && matches!(account.kind.as_str(), "ActionAccount" | "Basic" | "SnmpV3") {
        return refuse("an account of this kind needs a user name");
    }
    if secret.len() > MOST_SECRET {
        return refuse("a secret has at most 65536 bytes");
    }
    Ok(())
}

async fn named(app: &App, name: &str) -> Result<RunAsAccount, ApiError> {
    let accounts = app.state.run_as_accounts().await?;
    let found = accounts.into_iter().find(|account| account.account_id == name || account.name == name);
    found.ok_or_else(|| {
        ApiError::not_found(format!(
            "there is no Run As account {name:?}; `watchkeeper run-as accounts list` lists them"
        ))
    })
}

/// Who may be given accounts: agents by their computers, and for objects without an agent management servers and
/// resource pools, as identity and name; a name of the first kind goes before one of a later.
struct Holders([Vec<(String, String)>; 3]);

impl Holders {
    async fn read(app: &App) -> Result<Self, ApiError> {
        let agents = app.state.agents().await?.into_iter().map(|agent| (agent.agent_id, agent.computer));
        let servers = app.state.servers().await?.into_iter().map(|server| (server.server_id, server.name));
        let pools = app.state.pools().await?.into_iter().map(|pool| (pool.pool_id, pool.name));
        Ok(Self([agents.collect(), servers.collect(), pools.collect()]))
    }

    fn name(&self, id: &str) -> String {
        let known = self.0.iter().flatten().find(|(known, _)| known == id);
        known.map_or_else(|| id.to_owned(), |(_, name)| name.clone())
    }

    fn ids(&self, names: &[String]) -> Result<Vec<String>, ApiError> {
        names.iter().map(|name| self.id(name)).collect()
    }

    fn id(&self, name: &str) -> Result<String, ApiError> {
        for kind in &self.0 {
            let mut found = kind.iter().filter(|(id, known)| id == name || known.eq_ignore_ascii_case(name));
            let Some((id, _)) = found.next() else { continue };
            if found.next().is_some() {
                let message = format!("several are called {name:?}; name one by its identity");
                return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
            }
            return Ok(id.clone());
        }
        Err(ApiError::not_found(format!(
            "there is no agent, management server or resource pool {name:?}; `watchkeeper agents` and `watchkeeper pools \
             members {ALL_SERVERS:?}` list them"
        )))
    }
}

/// The full name of the profile and the identity of its scope.
fn place(app: &App, asked: &Association) -> Result<(String, String), ApiError> {
    if !asked.class.is_empty() && !asked.object.is_empty() {
        return Err(ApiError::bad_request("an association is for all objects, for a class or group, or for an object"));
    }
    let object = match asked.object.as_str() {
        "" => None,
        object => Some(find(app, object)?.to_string()),
    };
    let space = app.operations.group.read();
    let library = &space.library;
    let profile = library
        .named(&asked.profile)
        .filter(|id| library.element(*id).is_some_and(|(_, kind, _)| kind == ElementKind::SecureReference));
    let profile = profile.ok_or_else(|| {
        ApiError::not_found(format!(
            "there is no Run As profile {:?}; `watchkeeper run-as profiles` lists them",
            asked.profile
        ))
    })?;
    let scope = match (asked.class.as_str(), object) {
        (_, Some(object)) => object,
        ("", None) => String::new(),
        (class, None) => {
            let class_id = library.named(class).filter(|id| library.is_known(*id));
            class_id.ok_or_else(|| ApiError::not_found(format!("there is no class or group {class:?}")))?.to_string()
        }
    };
    Ok((library.full_name(profile), scope))
}
