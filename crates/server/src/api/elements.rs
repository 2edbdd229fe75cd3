//! `/api/classes` and `/api/elements`: what the loaded packs have, for lists, and the values of an element's settings.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_management::group::Space;
use watchkeeper_model::compile::{EffectiveValue, From};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::Classes;
use watchkeeper_model::overrides::{Scope, Setting};
use watchkeeper_model::pack::{
    Accessibility, ClassType, ElementKind, Found, ManagementPack, MonitorKind, Property, Ref, portability,
};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Cut, Need, Routes, Visible, get, post};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/classes", get(of_objects(Cut::List), classes))
        .route("/api/classes/{class}", get(Action::ReadPacks, class))
        .route("/api/elements", get(Action::ReadPacks, list))
        .route("/api/elements/{element}", get(of_objects(Cut::Objects), show))
        .route("/api/discoveries/remove-disabled", post(Action::DeleteObjects, remove_disabled))
}

/// Whoever sees objects sees what packs say of them, too.
const fn of_objects(cut: Cut) -> Need {
    Need::OrInGroups(Action::ReadPacks, Action::ReadObjects, cut)
}

/// Classes with how many objects each has, those of derived classes among them. Who sees single groups alone sees those
/// that have objects there.
async fn classes(State(app): State<Arc<App>>, visible: Visible) -> Result<Json<Value>, ApiError> {
    let space = app.operations.group.read();
    let library = space.library.as_ref();
    let mut counts: HashMap<ElementId, usize> = HashMap::new();
    for object in space.objects.iter().filter(|object| visible.has(object.id)) {
        let mut lines: Vec<ElementId> = object.classes.iter().flat_map(|class| library.ancestry(*class)).collect();
        lines.sort_unstable();
        lines.dedup();
        for class in lines {
            *counts.entry(class).or_default() += 1;
        }
    }
    let group = ElementId::of("System.Library", "System.Group");
    let items = library.set.packs().iter().flat_map(|pack| pack.classes.iter().map(move |class| (pack, class)));
    let item = |(pack, class): (&ManagementPack, &ClassType)| {
        let id = pack.element_id(&class.id);
        json!({
            "class": library.full_name(id),
            "name": library.display_name(id),
            "abstract": class.is_abstract,
            "internal": class.accessibility == Accessibility::Internal,
            "isGroup": library.ancestry(id).contains(&group),
            "objects": counts.get(&id).copied().unwrap_or_default(),
        })
    };
    let shown = items.filter(|(pack, class)| visible.is_all() || counts.contains_key(&pack.element_id(&class.id)));
    Ok(Json(shown.map(item).collect()))
}

/// A class with its properties, those of its bases among them.
async fn class(State(app): State<Arc<App>>, Path(class): Path<String>) -> Result<Json<Value>, ApiError> {
    let space = app.operations.group.read();
    let library = &space.library;
    let unknown = || ApiError::not_found(format!("there is no class {class:?}; write it as Pack!Class"));
    let id = library.named(&class).filter(|id| library.is_known(*id)).ok_or_else(unknown)?;
    let (pack, _, name) = library.element(id).ok_or_else(unknown)?;
    let element = pack.classes.iter().find(|known| known.id == name).ok_or_else(unknown)?;
    let line = library.set.lineage(Found { pack, element });
    let properties = line.iter().flat_map(|each| each.element.properties.iter().map(move |one| (each, one)));
    let item = |(each, property): (&Found<'_, ClassType>, &Property)| {
        let text = each.pack.display(&each.element.id, Some(&property.id), "ENU").map(|text| text.name.clone());
        json!({
            "property": property.id,
            "name": text.filter(|text| !text.is_empty()).unwrap_or_else(|| property.id.clone()),
            "class": library.full_name(each.pack.element_id(&each.element.id)),
            "key": property.key,
        })
    };
    Ok(Json(json!({
        "class": library.full_name(id),
        "name": library.display_name(id),
        "properties": properties.map(item).collect::<Vec<_>>(),
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// One of [`KINDS`]; without it all but classes.
    kind: Option<String>,
    pack: Option<String>,
}

const KINDS: [ElementKind; 7] = [
    ElementKind::Class,
    ElementKind::Rule,
    ElementKind::Monitor,
    ElementKind::Discovery,
    ElementKind::Diagnostic,
    ElementKind::Recovery,
    ElementKind::Task,
];

struct Listed<'a> {
    kind: ElementKind,
    id: &'a str,
    target: Option<&'a Ref>,
    category: Option<&'a str>,
    enabled: Option<&'a str>,
}

async fn list(State(app): State<Arc<App>>, Query(filter): Query<Filter>) -> Result<Json<Value>, ApiError> {
    let wanted = filter.kind.as_ref().map(|wanted| {
        KINDS.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(wanted)).ok_or_else(|| {
            let names = KINDS.map(ElementKind::word).join(", ");
            ApiError::bad_request(format!("kind is {wanted:?}; it can be {names}"))
        })
    });
    let wanted = wanted.transpose()?;
    let space = app.operations.group.read();
    let library = &space.library;
    let mut items = Vec::new();
    for pack in library.set.packs() {
        if filter.pack.as_ref().is_some_and(|wanted| *wanted != pack.id) {
            continue;
        }
        let verdicts = portability::of(&library.set, pack);
        for one in listed(pack) {
            if wanted.map_or(one.kind == ElementKind::Class, |wanted| wanted != one.kind) {
                continue;
            }
            let id = pack.element_id(one.id);
            let verdict = verdicts.iter().find(|verdict| verdict.element == one.id);
            let target = one.target.and_then(|target| library.id_of(pack, target));
            items.push(json!({
                "element": library.full_name(id),
                "name": library.display_name(id),
                "kind": one.kind.word(),
                "pack": pack.id,
                "target": target.map(|target| library.full_name(target)),
                "targetName": target.map(|target| library.display_name(target)),
                "category": one.category,
                "enabled": one.enabled,
                "problem": library.set.is_broken(&pack.id, one.id).then_some("it has errors and does not run"),
                "overrides": library.overrides.of(id).count(),
                "runs": verdict.map(|verdict| runs_word(&verdict.runs)),
                "reasons": verdict.map(|verdict| verdict.reasons.iter().map(ToString::to_string).collect::<Vec<_>>()),
            }));
        }
    }
    Ok(Json(Value::Array(items)))
}

fn listed(pack: &ManagementPack) -> Vec<Listed<'_>> {
    let class = |class| {
        let class: &watchkeeper_model::pack::ClassType = class;
        Listed { kind: ElementKind::Class, id: &class.id, target: None, category: None, enabled: None }
    };
    let mut all: Vec<Listed<'_>> = pack.classes.iter().map(class).collect();
    macro_rules! list {
        ($field:ident, $kind:expr $(, $base:ident)?) => {
            all.extend(pack.$field.iter().map(|each| Listed {
                kind: $kind,
                id: &each$(.$base)?.id,
                target: Some(&each$(.$base)?.target),
                category: Some(&each$(.$base)?.category),
                enabled: Some(each$(.$base)?.enabled.as_str()),
            }));
        };
    }
    list!(monitors, ElementKind::Monitor);
    list!(rules, ElementKind::Rule);
    list!(discoveries, ElementKind::Discovery);
    list!(diagnostics, ElementKind::Diagnostic);
    list!(recoveries, ElementKind::Recovery, base);
    list!(tasks, ElementKind::Task);
    all
}

fn runs_word(runs: &portability::Runs) -> &'static str {
    match runs {
        portability::Runs::Yes => "yes",
        portability::Runs::Partly => "partly",
        portability::Runs::No => "no",
    }
}

/// An element of a pack; to who sees single groups alone, one that is for objects there.
async fn show(
    State(app): State<Arc<App>>,
    visible: Visible,
    Path(element): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let space = app.operations.group.read();
    let library = &space.library;
    let unknown = || ApiError::not_found(format!("there is no element {element:?}; write it as Pack!Element"));
    let id = library.named(&element).ok_or_else(unknown)?;
    let (pack, kind, name) = library.element(id).ok_or_else(unknown)?;
    let one = listed(pack).into_iter().find(|one| one.id == name);
    let target = one.and_then(|one| one.target).and_then(|target| library.id_of(pack, target));
    if let Visible::Only(objects) = &visible {
        let class = target.unwrap_or(id);
        if !objects.iter().any(|object| space.objects.is_a(*object, class, library.as_ref())) {
            return Err(unknown());
        }
    }
    let monitor = library.monitor(id).map(|(_, monitor)| monitor);
    Ok(Json(json!({
        "element": library.full_name(id),
        "name": library.display_name(id),
        "kind": kind.word(),
        "pack": pack.id,
        "sealed": pack.sealed,
        "target": target.map(|target| library.full_name(target)),
        "targetName": target.map(|target| library.display_name(target)),
        "description": library.description(id),
        "knowledge": library.knowledge(id),
        "parameters": parameters(&space, id),
        "states": monitor.map(states),
    })))
}

/// Removes the objects that discoveries have found which are switched off now.
async fn remove_disabled(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let (removed, states) = app.operations.group.remove_disabled().await?;
    app.operations.operational.rolled_up(states).await?;
    let what = format!("{removed} objects");
    caller.did("remove disabled objects", "management group", &what);
    Ok(Json(json!({"removed": removed})))
}

/// What the states of a unit monitor mean.
fn states(monitor: &watchkeeper_model::pack::Monitor) -> Value {
    let MonitorKind::Unit { states, .. } = &monitor.kind else { return Value::Array(Vec::new()) };
    let word = watchkeeper_management::group::word;
    states.iter().map(|state| json!({"state": state.id, "health": word(state.health)})).collect()
}

/// Properties and parameters of an element with their defaults.
pub fn parameters(space: &Space, element: ElementId) -> Value {
    values(space, element, ObjectId(Uuid::nil()))
}

/// The same of every workflow of an object, a row each with the workflow's name.
pub fn all_values(space: &Space, object: ObjectId) -> Vec<Value> {
    let library = &space.library;
    let classes = space.objects.get(object).map(|object| object.classes.clone()).unwrap_or_default();
    let line: Vec<ElementId> = classes.iter().flat_map(|class| library.ancestry(*class)).collect();
    let mut rows = Vec::new();
    for pack in library.set.packs() {
        for one in listed(pack) {
            let target = one.target.and_then(|target| library.id_of(pack, target));
            if one.kind == ElementKind::Task || !target.is_some_and(|target| line.contains(&target)) {
                continue;
            }
            let id = pack.element_id(one.id);
            for value in library.effective(&space.objects, id, object) {
                let mut row = effective(space, &value);
                row["element"] = json!(library.full_name(id));
                row["elementKind"] = json!(one.kind.word());
                rows.push(row);
            }
        }
    }
    rows
}

/// Properties and parameters of an element as they are for an object, and where each value comes from.
pub fn values(space: &Space, element: ElementId, object: ObjectId) -> Value {
    let all = space.library.effective(&space.objects, element, object);
    all.iter().map(|value| effective(space, value)).collect()
}

fn effective(space: &Space, value: &EffectiveValue) -> Value {
    let (kind, module, name) = match &value.setting {
        Setting::Property(name) => ("property", None, name),
        Setting::Parameter { module, name } => ("parameter", module.clone(), name),
    };
    let mut body = json!({
        "name": name,
        "kind": kind,
        "module": module,
        "default": value.default,
        "value": value.value,
        "override": null,
        "loses": [],
        "isTie": false,
    });
    if let From::Override { id, scope, beats, is_tie } = &value.from {
        let (form, target) = match scope {
            Scope::Class(class) => ("class", space.library.display_name(*class)),
            Scope::Group(group) => ("group", space.display_name(*group)),
            Scope::Object(object) => ("object", space.display_name(*object)),
        };
        body["override"] = json!(id);
        body["scope"] = json!(form);
        body["scopeName"] = json!(target);
        body["loses"] = json!(beats);
        body["isTie"] = json!(is_tie);
    }
    body
}
