//! `/api/workspaces/{id}/map-pins`: where people put boxes of the map, for themselves and for everybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::{Action, Scope};
use watchkeeper_state::{ArrangementOf, Pin};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, get, post};
use crate::identity::Caller;

/// Boxes that one person may pin in a workspace, all views together.
const MOST_PINS: i64 = 20_000;
/// Boxes of one request.
const MOST_CHANGES: usize = 5_000;
/// Of the names of views and boxes.
const MOST_NAME_BYTES: usize = 300;
/// No drawing reaches so far.
const MOST_UNITS: f64 = 1e9;

pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/api/workspaces/{workspace}/map-pins",
            get(Action::ReadMap, show).patch(Action::ReadMap, change).delete(Action::ReadMap, forget),
        )
        .route(
            "/api/workspaces/{workspace}/map-pins/share",
            post(Action::ShareMapPins, share).delete(Action::ShareMapPins, unshare),
        )
}

/// The part of the map that is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    view: String,
}

/// Boxes by their names; null lets one go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    pins: BTreeMap<String, Option<Place>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    x: f64,
    y: f64,
}

impl Place {
    fn pin(&self, name: &str) -> Result<Pin, ApiError> {
        let whole = |value: f64| {
            if value.abs() > MOST_UNITS {
                return Err(ApiError::bad_request(format!("{name:?} is pinned at {value}, which is on no drawing")));
            }
            // no fraction is left and the bound is far below that of the type
            #[allow(clippy::cast_possible_truncation)]
            Ok(value.round() as i64)
        };
        Ok(Pin { x: whole(self.x)?, y: whole(self.y)? })
    }
}

/// What a request is about.
struct Subject {
    caller: Caller,
    workspace: String,
    view: String,
}

impl Subject {
    fn of(&self) -> ArrangementOf<'_> {
        ArrangementOf { workspace_id: &self.workspace, subject: &self.caller.subject, view: &self.view }
    }
}

/// The caller and the view.
async fn subject(app: &App, caller: Caller, workspace: String, asked: Asked) -> Result<Subject, ApiError> {
    if app.state.workspace(&workspace).await?.is_none() {
        return Err(ApiError::not_found(format!("the workspace {workspace:?} does not exist")));
    }
    check_name("view", &asked.view)?;
    Ok(Subject { caller, workspace, view: asked.view })
}

fn check_name(what: &str, name: &str) -> Result<(), ApiError> {
    match name.len() {
        1..=MOST_NAME_BYTES => Ok(()),
        length => Err(ApiError::bad_request(format!(
            "the name of a {what} has {length} bytes; it may have 1 to {MOST_NAME_BYTES}"
        ))),
    }
}

async fn answer(app: &App, subject: &Subject) -> Result<Json<Value>, ApiError> {
    let seen = app.state.map_arrangement(subject.of()).await?;
    let pins: serde_json::Map<String, Value> =
        seen.pins.into_iter().map(|(name, pin)| (name, json!({"x": pin.x, "y": pin.y}))).collect();
    let may_share = subject.caller.access.allows(Action::ShareMapPins, &Scope::workspace(&subject.workspace));
    Ok(Json(json!({"own": seen.own, "shared": seen.shared, "mayShare": may_share, "pins": pins})))
}

async fn show(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    Query(asked): Query<Asked>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let subject = subject(&app, caller, workspace, asked).await?;
    answer(&app, &subject).await
}

async fn change(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    Query(asked): Query<Asked>,
    caller: Caller,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let subject = subject(&app, caller, workspace, asked).await?;
    let Json(change) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    if change.pins.len() > MOST_CHANGES {
        let message = format!("{} boxes in one request; send at most {MOST_CHANGES}", change.pins.len());
        return Err(ApiError::bad_request(message));
    }
    let mut pins = BTreeMap::new();
    for (name, place) in change.pins {
        check_name("box", &name)?;
        let pin = place.map(|place| place.pin(&name)).transpose()?;
        pins.insert(name, pin);
    }
    let new = i64::try_from(pins.values().flatten().count()).unwrap_or(i64::MAX);
    if new > 0 && app.state.count_map_pins(&subject.workspace, &subject.caller.subject).await? + new > MOST_PINS {
        return Err(ApiError::bad_request(format!(
            "a person may pin {MOST_PINS} boxes in a workspace; let some go first, for instance all of a view"
        )));
    }
    app.state.change_map_pins(subject.of(), &pins).await?;
    answer(&app, &subject).await
}

async fn forget(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    Query(asked): Query<Asked>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let subject = subject(&app, caller, workspace, asked).await?;
    app.state.delete_map_arrangement(subject.of()).await?;
    answer(&app, &subject).await
}

async fn share(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    Query(asked): Query<Asked>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let subject = subject(&app, caller, workspace, asked).await?;
    if !app.state.share_map_arrangement(subject.of()).await? {
        let message = format!("you have pinned nothing of your own in the view {:?}: pin a box first", subject.view);
        return Err(ApiError::bad_request(message));
    }
    answer(&app, &subject).await
}

async fn unshare(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    Query(asked): Query<Asked>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let subject = subject(&app, caller, workspace, asked).await?;
    app.state.unshare_map_arrangement(&subject.workspace, &subject.view).await?;
    answer(&app, &subject).await
}
