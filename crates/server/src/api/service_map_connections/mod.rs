//! `/api/service-map-connections`: connections of the management group to workspaces that have a map, and the dependency
//! views that are made of it. Secrets come in and never go out.

mod checked;
mod discover;
mod refusal;
mod shown;
mod views;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use checked::{Changed, New};
use http::StatusCode;
use refusal::Refusal;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::clock;
use watchkeeper_state::MapConnection;

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, delete, get, post};
use crate::identity::Caller;
use crate::service_map::{PACK, connection_object, new_connection};
use crate::shipped_packs;

type Answer = Result<Json<Value>, Refusal>;
type Body<T> = Result<Json<T>, JsonRejection>;

pub fn routes() -> Routes {
    let base = "/api/service-map-connections";
    Routes::new()
        .route(base, get(Action::ReadServiceMapConnections, list).post(Action::WriteServiceMapConnections, create))
        .route(&format!("{base}/discover"), post(Action::WriteServiceMapConnections, discover::discover))
        .route(&format!("{base}/views"), get(Action::ReadServiceMapConnections, views::list))
        .route(&format!("{base}/views/{{object}}"), get(Action::ReadServiceMapConnections, views::show))
        .route(&format!("{base}/views/{{object}}/members"), post(Action::WriteDependencyViews, views::add))
        .route(
            &format!("{base}/views/{{object}}/members/{{member}}"),
            delete(Action::WriteDependencyViews, views::remove),
        )
        .route(
            &format!("{base}/{{connection}}"),
            get(Action::ReadServiceMapConnections, show)
                .patch(Action::WriteServiceMapConnections, change)
                .delete(Action::DeleteServiceMapConnections, remove),
        )
        .route(&format!("{base}/{{connection}}/sync"), post(Action::SyncServiceMapConnections, sync))
}

async fn list(State(app): State<Arc<App>>) -> Answer {
    let all = app.state.map_connections().await?;
    Ok(Json(json!({"value": all.iter().map(|one| shown::connection(&app, one)).collect::<Vec<_>>()})))
}

async fn show(State(app): State<Arc<App>>, Path(connection): Path<String>) -> Answer {
    Ok(Json(shown::connection(&app, &named(&app, &connection).await?)))
}

/// A connection is tried before it is kept: what is wrong is said by the field that it is in.
async fn create(State(app): State<Arc<App>>, caller: Caller, body: Body<New>) -> Result<Response, Refusal> {
    let new = refusal::read(body)?;
    let (name, settings, secret) = checked::new(&app, new).await?;
    import_pack(&app).await?;
    let connection = new_connection(name, settings);
    let maps = &app.operations.service_maps;
    caller.did("add Service Map connection", &connection.name, "");
    app.state.put_map_connection(&connection, Some(&secret)).await?;
    maps.put_objects(&connection).await?;
    maps.want(&connection.connection_id).await?;
    let connection = named(&app, &connection.connection_id).await?;
    Ok((StatusCode::CREATED, Json(shown::connection(&app, &connection))).into_response())
}

async fn change(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
    body: Body<Changed>,
) -> Answer {
    let asked = refusal::read(body)?;
    let known = named(&app, &connection).await?;
    let (mut changed, secret, what) = checked::changed(&app, &known, asked).await?;
    import_pack(&app).await?;
    changed.changed_at = clock::now().max(known.changed_at + 1);
    let target = format!("{} ({})", changed.name, what.join(", "));
    caller.did("change Service Map connection", &target, "");
    app.state.put_map_connection(&changed, secret.as_deref()).await?;
    let maps = &app.operations.service_maps;
    maps.put_objects(&changed).await?;
    maps.want(&changed.connection_id).await?;
    Ok(Json(shown::connection(&app, &named(&app, &changed.connection_id).await?)))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    let known = named(&app, &connection).await?;
    caller.did("remove Service Map connection", &known.name, "");
    app.operations.service_maps.remove(&known.connection_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sync(
    State(app): State<Arc<App>>,
    Path(connection): Path<String>,
    caller: Caller,
) -> Result<Response, Refusal> {
    let known = named(&app, &connection).await?;
    if app.operations.group.read().objects.get(connection_object(&known.connection_id)).is_none() {
        // somebody removed the pack, and with it the objects
        import_pack(&app).await?;
        app.operations.service_maps.put_objects(&known).await?;
    }
    let run = app.operations.service_maps.want(&known.connection_id).await?;
    caller.did("synchronize Service Map connection", &known.name, "");
    Ok((StatusCode::ACCEPTED, Json(json!({"id": run}))).into_response())
}

/// A connection by identity or name.
async fn named(app: &App, name: &str) -> Result<MapConnection, ApiError> {
    let all = app.state.map_connections().await?;
    let found = all.into_iter().find(|one| one.connection_id == name || one.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        ApiError::not_found(format!(
            "there is no workspace connection {name:?}; `watchkeeper service-map list` lists them"
        ))
    })
}

/// The pack comes with the first connection.
async fn import_pack(app: &App) -> Result<(), Refusal> {
    if app.operations.group.read().library.set.pack(PACK).is_some() {
        return Ok(());
    }
    let broken = |error: anyhow::Error| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            format!("the pack {PACK} cannot be imported: {error:#}"),
        )
    };
    Ok(shipped_packs::import(&app.operations, PACK).await.map_err(broken)?)
}
