//! `/api/pools`: resource pools, who is in them, whether they can work, and which server runs the workflows of which
//! object.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::pools::{ALL_SERVERS, has_quorum, lease_name, share_of};
use watchkeeper_model::ids::ElementId;
use watchkeeper_state::{ResourcePool, Server};

use super::errors::ApiError;
use super::{App, time_text};
use crate::authorization::{Routes, get};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/pools", get(Action::ReadPools, list).post(Action::WritePools, create))
        .route("/api/pools/{pool}", get(Action::ReadPools, show).delete(Action::DeletePools, remove))
        .route("/api/pools/{pool}/members", get(Action::ReadPools, members).put(Action::WritePools, set_members))
        .route("/api/pools/{pool}/objects", get(Action::ReadPools, objects))
}

/// What is known of pools at one time.
struct Known {
    now: i64,
    servers: Vec<Server>,
    pools: Vec<ResourcePool>,
    /// Holders by the names of leases.
    leases: HashMap<String, String>,
}

impl Known {
    async fn read(app: &App) -> Result<Self, ApiError> {
        let now = app.state.clock().await?;
        let (servers, pools) = (app.state.servers().await?, app.state.pools().await?);
        Ok(Self { now, servers, pools, leases: app.state.held_leases("pool/", now).await? })
    }

    fn pool(&self, name: &str) -> Result<&ResourcePool, ApiError> {
        let found = self.pools.iter().find(|pool| pool.pool_id == name || pool.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            ApiError::not_found(format!("there is no resource pool {name:?}; `watchkeeper pools` lists them"))
        })
    }

    fn server_name(&self, id: &str) -> Option<&str> {
        self.servers.iter().find(|server| server.server_id == id).map(|server| server.name.as_str())
    }

    fn member(&self, pool: &ResourcePool, id: &str, observes: bool) -> Value {
        let server = self.servers.iter().find(|server| server.server_id == id);
        let prefix = lease_name(&pool.pool_id, 0);
        let prefix = prefix.trim_end_matches('0');
        let held = self.leases.iter().filter(|(name, holder)| name.starts_with(prefix) && *holder == id).count();
        json!({
            "id": id,
            "name": server.map(|server| server.name.clone()),
            "kind": server.map(|server| server.kind.clone()),
            "role": if observes { "observer" } else { "member" },
            "alive": server.is_some_and(|server| server.alive_until > self.now),
            "aliveUntil": server.and_then(|server| time_text(server.alive_until)),
            "shares": held,
        })
    }

    fn members(&self, pool: &ResourcePool) -> Vec<Value> {
        let members = pool.members.iter().map(|id| self.member(pool, id, false));
        members.chain(pool.observers.iter().map(|id| self.member(pool, id, true))).collect()
    }

    fn item(&self, pool: &ResourcePool, objects: usize) -> Value {
        json!({
            "id": pool.pool_id,
            "name": pool.name,
            "automatic": pool.automatic,
            "defaultObserver": pool.default_observer,
            "members": pool.members.iter().map(|id| self.member(pool, id, false)).collect::<Vec<_>>(),
            "observers": pool.observers.iter().map(|id| self.member(pool, id, true)).collect::<Vec<_>>(),
            "hasQuorum": has_quorum(pool, &self.servers, self.now),
            "objects": objects,
        })
    }

    /// The pool of an object, by the name that the model gives it; one that is not there means all servers.
    fn pool_of(&self, name: &str) -> Option<&ResourcePool> {
        let named = |name: &str| self.pools.iter().find(|pool| pool.name == name);
        named(name).or_else(|| named(ALL_SERVERS))
    }
}

/// How many objects each pool has, by its identity.
fn counts(app: &App, known: &Known) -> BTreeMap<String, usize> {
    let space = app.operations.group.read();
    let mut counts = BTreeMap::new();
    for object in space.objects.iter() {
        if let Some((pool, _)) = space.pool_work(object.id)
            && let Some(pool) = known.pool_of(&pool)
        {
            *counts.entry(pool.pool_id.clone()).or_default() += 1;
        }
    }
    counts
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let known = Known::read(&app).await?;
    let counts = counts(&app, &known);
    let count = |pool: &ResourcePool| counts.get(&pool.pool_id).copied().unwrap_or_default();
    Ok(Json(known.pools.iter().map(|pool| known.item(pool, count(pool))).collect()))
}

async fn show(State(app): State<Arc<App>>, Path(pool): Path<String>) -> Result<Json<Value>, ApiError> {
    let known = Known::read(&app).await?;
    let pool = known.pool(&pool)?;
    let count = counts(&app, &known).get(&pool.pool_id).copied().unwrap_or_default();
    Ok(Json(known.item(pool, count)))
}

async fn members(State(app): State<Arc<App>>, Path(pool): Path<String>) -> Result<Json<Value>, ApiError> {
    let known = Known::read(&app).await?;
    Ok(Json(Value::Array(known.members(known.pool(&pool)?))))
}

async fn objects(State(app): State<Arc<App>>, Path(pool): Path<String>) -> Result<Json<Value>, ApiError> {
    let known = Known::read(&app).await?;
    let pool = known.pool(&pool)?;
    let space = app.operations.group.read();
    let mut items = Vec::new();
    for object in space.objects.iter() {
        let Some((name, work)) = space.pool_work(object.id) else { continue };
        if known.pool_of(&name).is_none_or(|of| of.pool_id != pool.pool_id) {
            continue;
        }
        let Some(view) = space.view(object.id) else { continue };
        let holder = known.leases.get(&lease_name(&pool.pool_id, share_of(&work)));
        items.push((
            (view.path.clone(), view.name.clone(), view.id),
            json!({
                "id": view.id.to_string(),
                "name": view.name,
                "path": view.path,
                "classes": view.classes,
                "health": watchkeeper_management::group::word(view.health),
                "server": holder.and_then(|id| known.server_name(id)),
                "serverId": holder,
            }),
        ));
    }
    items.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(Json(items.into_iter().map(|(_, item)| item).collect()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPool {
    name: String,
    /// Servers by name or identity.
    members: Vec<String>,
    #[serde(default)]
    observers: Vec<String>,
    #[serde(default = "yes")]
    default_observer: bool,
}

fn yes() -> bool {
    true
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<NewPool>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(new) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let known = Known::read(&app).await?;
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err(ApiError::bad_request("a pool needs a name of at most 256 characters"));
    }
    if known.pool(&name).is_ok() {
        let message = format!("there is a resource pool {name:?} already");
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    let pool = ResourcePool {
        pool_id: ElementId::of("ResourcePool", &name).to_string(),
        name,
        automatic: false,
        default_observer: new.default_observer,
        members: server_ids(&known, &new.members)?,
        observers: server_ids(&known, &new.observers)?,
    };
    write(&app, &caller, "create resource pool", &pool).await?;
    Ok((StatusCode::CREATED, Json(known.item(&pool, 0))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    members: Vec<String>,
    #[serde(default)]
    observers: Vec<String>,
}

async fn set_members(
    State(app): State<Arc<App>>,
    Path(pool): Path<String>,
    caller: Caller,
    body: Result<Json<Members>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(asked) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let known = Known::read(&app).await?;
    let mut pool = own_pool(&known, &pool)?.clone();
    pool.members = server_ids(&known, &asked.members)?;
    pool.observers = server_ids(&known, &asked.observers)?;
    write(&app, &caller, "change resource pool", &pool).await?;
    Ok(Json(Value::Array(known.members(&pool))))
}

async fn remove(State(app): State<Arc<App>>, Path(pool): Path<String>, caller: Caller) -> Result<StatusCode, ApiError> {
    let known = Known::read(&app).await?;
    let pool = own_pool(&known, &pool)?;
    app.state.delete_pool(&pool.pool_id).await?;
    caller.did("remove resource pool", &pool.name, "");
    Ok(StatusCode::NO_CONTENT)
}

/// A pool that may be changed.
fn own_pool<'a>(known: &'a Known, name: &str) -> Result<&'a ResourcePool, ApiError> {
    let pool = known.pool(name)?;
    if pool.automatic {
        let message = format!("every management server is a member of {:?}; it cannot be changed", pool.name);
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    Ok(pool)
}

async fn write(app: &App, caller: &Caller, action: &str, pool: &ResourcePool) -> Result<(), ApiError> {
    caller.did(action, &pool.name, "");
    if pool.members.is_empty() {
        return Err(ApiError::bad_request("a pool needs a member, or nobody does its work"));
    }
    if let Some(both) = pool.observers.iter().find(|observer| pool.members.contains(observer)) {
        return Err(ApiError::bad_request(format!("the server {both} is a member or an observer, not both")));
    }
    Ok(app.state.put_pool(pool).await?)
}

fn server_ids(known: &Known, names: &[String]) -> Result<Vec<String>, ApiError> {
    let mut ids = Vec::new();
    for name in names {
        let mut found =
            known.servers.iter().filter(|server| server.server_id == *name || server.name.eq_ignore_ascii_case(name));
        let server = found.next().ok_or_else(|| {
            ApiError::not_found(format!(
                "there is no management server {name:?}; `watchkeeper pools members {ALL_SERVERS:?}` lists them"
            ))
        })?;
        if found.next().is_some() {
            let message = format!("several management servers are called {name:?}; name one by its identity");
            return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
        }
        if !ids.contains(&server.server_id) {
            ids.push(server.server_id.clone());
        }
    }
    Ok(ids)
}
