//! `/api/elements`: what the imported packs consist of, by kind.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_model::pack::{ElementKind, Enabled, ManagementPack, Ref};

use super::App;
use super::errors::ApiError;
use super::management::reader;

const KINDS: [(&str, ElementKind); 7] = [
    ("Class", ElementKind::Class),
    ("Rule", ElementKind::Rule),
    ("Monitor", ElementKind::Monitor),
    ("Discovery", ElementKind::Discovery),
    ("Diagnostic", ElementKind::Diagnostic),
    ("Recovery", ElementKind::Recovery),
    ("Task", ElementKind::Task),
];

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/elements", get(list))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    kind: String,
    pack: Option<String>,
}

async fn list(
    State(app): State<Arc<App>>,
    Query(filter): Query<Filter>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    reader(&app, &method, &headers).await?;
    let kind = KINDS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&filter.kind));
    let (_, kind) = kind.ok_or_else(|| {
        let names = KINDS.map(|(name, _)| name).join(", ");
        ApiError::bad_request(format!("kind is {:?}; it can be {names}", filter.kind))
    })?;
    let space = app.operations.group.read();
    let library = &space.library;
    let mut items = Vec::new();
    for pack in library.set.packs() {
        if filter.pack.as_ref().is_some_and(|wanted| *wanted != pack.id) {
            continue;
        }
        for (_, id, _) in pack.elements().into_iter().filter(|(found, _, _)| *found == kind) {
            let element = pack.element_id(id);
            let (target, enabled) = match facts(pack, kind, id) {
                None => (None, None),
                Some((target, enabled)) => {
                    let target = library.id_of(pack, target).map(|target| library.full_name(target));
                    (target, Some(enabled.as_str()))
                }
            };
            items.push(json!({
                "element": library.full_name(element),
                "id": element,
                "name": library.display_name(element),
                "pack": pack.id,
                "target": target,
                "enabled": enabled,
                "problem": library.set.is_broken(&pack.id, id).then_some("it has errors and does not run"),
            }));
        }
    }
    Ok(Json(Value::Array(items)))
}

/// The target of a workflow and whether it is on without overrides; `None` for what is no workflow.
fn facts<'a>(pack: &'a ManagementPack, kind: ElementKind, id: &str) -> Option<(&'a Ref, &'a Enabled)> {
    match kind {
        ElementKind::Rule => pack.rules.iter().find(|one| one.id == id).map(|one| (&one.target, &one.enabled)),
        ElementKind::Monitor => pack.monitors.iter().find(|one| one.id == id).map(|one| (&one.target, &one.enabled)),
        ElementKind::Discovery => {
            pack.discoveries.iter().find(|one| one.id == id).map(|one| (&one.target, &one.enabled))
        }
        ElementKind::Diagnostic => {
            pack.diagnostics.iter().find(|one| one.id == id).map(|one| (&one.target, &one.enabled))
        }
        ElementKind::Recovery => {
            pack.recoveries.iter().find(|one| one.base.id == id).map(|one| (&one.base.target, &one.base.enabled))
        }
        ElementKind::Task => pack.tasks.iter().find(|one| one.id == id).map(|one| (&one.target, &one.enabled)),
        _ => None,
    }
}
