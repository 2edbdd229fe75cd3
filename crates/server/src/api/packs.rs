//! `/api/packs`: management packs, imported, listed, exported, compared, removed.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;
use watchkeeper_management::clock;
use watchkeeper_management::group::{Library, form_of, read_pack};
use watchkeeper_model::pack::{ManagementPack, PackSet, Problem, Severity, diff, portability, xml};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, get, post};
use crate::identity::Caller;
use crate::shipped_packs;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/packs", get(Action::ReadPacks, list).post(Action::WritePacks, import))
        .route("/api/packs/shipped", get(Action::ReadPacks, list_shipped))
        .route("/api/packs/shipped/{pack_id}", post(Action::WritePacks, import_shipped))
        .route("/api/packs/{pack_id}", get(Action::ReadPacks, show).delete(Action::DeletePacks, remove))
        .route("/api/packs/{pack_id}/document", get(Action::ReadPacks, document))
        .route("/api/packs/{pack_id}/difference", post(Action::ReadPacks, difference))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImportOptions {
    /// What messages call the file.
    #[serde(default)]
    file: String,
    /// Import although elements have errors: those do not work, the rest does.
    #[serde(default)]
    force: bool,
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let imported = app.state.packs().await?;
    let space = app.operations.group.read();
    let items = space.library.set.packs().iter().map(|pack| {
        let stored = imported.iter().find(|stored| stored.pack_id == pack.id);
        json!({
            "id": pack.id,
            "name": name_of(pack),
            "version": pack.version.to_string(),
            "sealed": pack.sealed,
            "builtIn": stored.is_none(),
            "importedAt": stored.map(|stored| super::time_text(stored.imported_at)),
            "importedBy": stored.map(|stored| stored.imported_by.clone()),
        })
    });
    Ok(Json(items.collect()))
}

async fn show(State(app): State<Arc<App>>, Path(pack_id): Path<String>) -> Result<Json<Value>, ApiError> {
    let history = app.state.pack_history(&pack_id).await?;
    let space = app.operations.group.read();
    let set = &space.library.set;
    let pack = set.pack(&pack_id).ok_or_else(|| no_pack(&pack_id))?;
    let mut body = describe(set, pack);
    body["history"] = history
        .iter()
        .map(|entry| {
            json!({"version": entry.version, "change": entry.change, "at": super::time_text(entry.changed_at), "by": entry.changed_by})
        })
        .collect();
    Ok(Json(body))
}

async fn document(State(app): State<Arc<App>>, Path(pack_id): Path<String>) -> Result<Response, ApiError> {
    let space = app.operations.group.read();
    let pack = space.library.set.pack(&pack_id).ok_or_else(|| no_pack(&pack_id))?;
    let text = xml::write(pack);
    Ok(([(header::CONTENT_TYPE, "application/xml; charset=utf-8")], text).into_response())
}

async fn difference(
    State(app): State<Arc<App>>,
    Path(pack_id): Path<String>,
    Query(options): Query<ImportOptions>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let (new, problems) = read_pack(&options.file, form_of(&options.file), &body);
    let new = new.ok_or_else(|| ApiError::bad_request(first(&problems)))?;
    let space = app.operations.group.read();
    let old = space.library.set.pack(&pack_id).ok_or_else(|| no_pack(&pack_id))?;
    let changes: Vec<String> = diff::diff(old, &new).iter().map(ToString::to_string).collect();
    Ok(Json(json!({"from": old.version.to_string(), "to": new.version.to_string(), "changes": changes})))
}

async fn list_shipped(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    Ok(Json(shipped_packs::list(&app.operations).await.map_err(broken)?))
}

/// Imports a pack that came with the server.
async fn import_shipped(
    State(app): State<Arc<App>>,
    Path(pack_id): Path<String>,
    Query(options): Query<ImportOptions>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let Some((file, data)) = shipped_packs::document(&pack_id) else {
        let names = shipped_packs::names().join(", ");
        return Err(ApiError::not_found(format!("no pack {pack_id:?} is shipped; these are: {names}")));
    };
    import_document(&app, &caller, &ImportOptions { file, ..options }, &data).await
}

/// Takes a pack with all that it can have; the answer has every problem. Nothing is imported where an element has an
/// error, unless that is asked for.
async fn import(
    State(app): State<Arc<App>>,
    Query(options): Query<ImportOptions>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, ApiError> {
    import_document(&app, &caller, &options, &body).await
}

/// Imports a pack that the server wrote itself from what somebody asked for.
pub async fn import_text(app: &App, caller: &Caller, file: String, text: &str) -> Result<Response, ApiError> {
    import_document(app, caller, &ImportOptions { file, force: false }, text.as_bytes()).await
}

async fn import_document(
    app: &App,
    caller: &Caller,
    options: &ImportOptions,
    body: &[u8],
) -> Result<Response, ApiError> {
    let file = if options.file.is_empty() { "pack.xml" } else { options.file.as_str() };
    let (pack, mut problems) = read_pack(file, form_of(file), body);
    let operations = &app.operations;
    let Some(mut pack) = pack else {
        caller.did("import pack", file, &first(&problems));
        return Ok(answer(StatusCode::UNPROCESSABLE_ENTITY, None, &problems));
    };
    pack.file.0 = file.to_owned();
    let id = pack.id.clone();
    let built_in = app.operations.group.read().library.set.pack(&id).is_some() && app.state.pack(&id).await?.is_none();
    if built_in {
        let message = format!("{id} is built in; the built-in pack is used and no other can take its place");
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    let mut all = operations.group.imported().await?;
    if let Some(known) = all.iter().find(|known| known.id == id)
        && known.version > pack.version
        && !options.force
    {
        let message = format!(
            "{id} is imported as version {}, which is newer than {}; --force takes the older one",
            known.version, pack.version
        );
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    all.retain(|known| known.id != id);
    let row = shipped_packs::row_of(&pack, &caller.name);
    all.push(pack);
    let (library, found) = Library::load(all, &[]);
    problems.extend(found.into_iter().filter(|problem| problem.file == file));
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if errors > 0 && !options.force {
        let reason = format!("{errors} errors; the first: {}", first(&problems));
        caller.did("import pack", &id, &reason);
        return Ok(answer(StatusCode::UNPROCESSABLE_ENTITY, None, &problems));
    }
    let mut changes = app.state.change().await?;
    changes.put_pack(&row).await?;
    changes.commit().await?;
    let reason = format!("version {}", row.version);
    caller.did("import pack", &id, &reason);
    let states = operations.group.reload().await?;
    operations.operational.rolled_up(states).await?;
    let described = library.set.pack(&id).map(|pack| describe(&library.set, pack));
    Ok(answer(StatusCode::CREATED, described, &problems))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(pack_id): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    remove_pack(&app, &caller, &pack_id).await
}

/// Removes an imported pack that no other needs.
pub async fn remove_pack(app: &App, caller: &Caller, pack_id: &str) -> Result<StatusCode, ApiError> {
    let operations = &app.operations;
    caller.did("remove pack", pack_id, "");
    if app.state.pack(pack_id).await?.is_none() {
        let built_in = operations.group.read().library.set.pack(pack_id).is_some();
        return Err(match built_in {
            true => ApiError::new(StatusCode::CONFLICT, "Conflict", format!("{pack_id} is built in and stays")),
            false => no_pack(pack_id),
        });
    }
    let dependants: Vec<String> = {
        let space = operations.group.read();
        let refers = |pack: &&ManagementPack| pack.references.iter().any(|reference| reference.id == pack_id);
        space.library.set.packs().iter().filter(refers).map(|pack| pack.id.clone()).collect()
    };
    if !dependants.is_empty() {
        let message = format!("{pack_id} is needed by {}; remove those first", dependants.join(", "));
        return Err(ApiError::new(StatusCode::CONFLICT, "Conflict", message));
    }
    let mut changes = app.state.change().await?;
    changes.delete_pack(pack_id, clock::now(), &caller.name).await?;
    changes.commit().await?;
    let states = operations.group.reload().await?;
    operations.operational.rolled_up(states).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn answer(status: StatusCode, pack: Option<Value>, problems: &[Problem]) -> Response {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let mut body = json!({"pack": pack, "problems": problems.iter().map(item).collect::<Vec<_>>()});
    if !status.is_success() {
        let message = format!("nothing was imported: the pack has {errors} errors");
        body["error"] = json!({"code": "InvalidPack", "message": message});
    }
    (status, Json(body)).into_response()
}

fn item(problem: &Problem) -> Value {
    let severity = match problem.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    json!({
        "file": problem.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "element": problem.element,
        "severity": severity,
        "message": problem.message,
        "text": problem.to_string(),
    })
}

/// What a pack has, and what of it runs.
pub fn describe(set: &PackSet, pack: &ManagementPack) -> Value {
    let verdicts = portability::of(set, pack);
    let workflows: Vec<Value> = verdicts
        .iter()
        .map(|verdict| {
            let runs = match verdict.runs {
                portability::Runs::Yes => "yes",
                portability::Runs::Partly => "partly",
                portability::Runs::No => "no",
            };
            json!({
                "kind": verdict.kind.word(),
                "element": verdict.element,
                "runs": runs,
                "reasons": verdict.reasons.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "id": pack.id,
        "name": name_of(pack),
        "version": pack.version.to_string(),
        "sealed": pack.sealed,
        "classes": pack.classes.len(),
        "references": pack.references.iter().map(|reference| reference.id.clone()).collect::<Vec<_>>(),
        "workflows": workflows,
    })
}

/// The name of a pack for people.
pub fn name_of(pack: &ManagementPack) -> String {
    let text = pack.display(&pack.id, None, "ENU").map(|text| text.name.clone()).filter(|name| !name.is_empty());
    text.unwrap_or_else(|| if pack.name.is_empty() { pack.id.clone() } else { pack.name.clone() })
}

fn first(problems: &[Problem]) -> String {
    let worst = problems.iter().max_by_key(|problem| problem.severity);
    worst.map(ToString::to_string).unwrap_or_else(|| "the file holds no management pack".to_owned())
}

fn broken(error: anyhow::Error) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", format!("{error:#}"))
}

fn no_pack(pack_id: &str) -> ApiError {
    ApiError::not_found(format!("there is no management pack {pack_id:?}; `watchkeeper pack list` lists all"))
}
