//! `/api/me/permissions`: what the caller may do, and whom it asks for more. `/api/permissions/{principal}`: what anybody
//! else may do, and through which roles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use watchkeeper_authorization::{Access, Action, Assignment, Level, RoleDefinition, Scope, built_in_roles, find_role};
use watchkeeper_state::SubjectKind;

use super::App;
use super::errors::ApiError;
use crate::authorization::{Need, Routes, custom_roles, get, scope_of};
use crate::identity::Caller;

/// So many roles are named that would allow an action.
const MOST_ROLES: usize = 3;
/// So many people are named who can give a role.
const MOST_GIVERS: usize = 5;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/me/permissions", get(Need::SignedIn("the caller's own"), own))
        .route("/api/permissions/{principal}", get(Action::ReadRoleAssignments, of_principal))
}

/// Every action with the place that it is asked for at, whether the caller may do it there or in a part of it, and the
/// smallest roles that allow it; every place with those who can give roles at it.
async fn own(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let custom = custom_roles(&app.state).await?;
    let mut roles: Vec<&RoleDefinition> = built_in_roles().iter().chain(&custom).collect();
    roles.sort_by_cached_key(|role| Action::ALL.iter().filter(|action| role.allows(**action)).count());
    let actions = Action::ALL.iter().map(|action| {
        let scope = scope_of(&app, *action, None, None);
        let smallest = roles.iter().filter(|role| role.allows(*action) && role.is_assignable_at(&scope));
        let smallest: Vec<&str> = smallest.take(MOST_ROLES).map(|role| role.name.as_str()).collect();
        json!({
            "name": action.name(), "scope": scope.to_string(), "roles": smallest,
            "allowed": is_allowed(&caller.access, *action, &scope),
        })
    });
    let actions: Vec<Value> = actions.collect();
    let given = caller.access.assignments().iter();
    let given = given.map(|one| json!({"role": one.role.name, "scope": one.scope.to_string()}));
    Ok(Json(json!({
        "principalId": caller.subject, "name": caller.name, "roles": given.collect::<Vec<_>>(),
        "actions": actions, "places": places(&app, &custom).await?,
    })))
}

/// Whether an action is allowed at a place, or in a part of it: a table, a group.
fn is_allowed(access: &Access, action: Action, scope: &Scope) -> bool {
    match action.level() {
        Level::Groups => access.check_part(action, scope).is_ok(),
        _ => access.check_any(action, scope).is_ok(),
    }
}

/// The tenant, the workspace and the management group, each with the people and groups who can give roles there.
async fn places(app: &App, custom: &[RoleDefinition]) -> Result<Vec<Value>, ApiError> {
    let (all, subjects) = (app.state.role_assignments().await?, app.state.subjects().await?);
    let workspaces = app.state.workspaces().await?;
    let workspace = workspaces.iter().find(|workspace| workspace.id == app.workspace_id);
    let name = workspace.map(|workspace| workspace.name.clone()).unwrap_or_default();
    let group = app.operations.group.own().management_group.clone();
    let places = [
        (Scope::Tenant, "tenant", String::new()),
        (app.workspace_scope(), "workspace", name),
        (app.group_scope(), "managementGroup", group),
    ];
    let shown = places.into_iter().map(|(scope, kind, name)| {
        let gives_here = all.iter().filter(|one| {
            let role = find_role(custom, &one.role_id);
            one.kind != SubjectKind::ServicePrincipal
                && role.is_some_and(|role| role.allows(Action::WriteRoleAssignments))
                && one.scope.parse::<Scope>().is_ok_and(|given| given.covers(&scope))
        });
        let names: BTreeSet<&str> = gives_here
            .filter_map(|one| subjects.iter().find(|(id, _, _)| *id == one.subject))
            .map(|(_, name, _)| name.as_str())
            .collect();
        let givers: Vec<&str> = names.into_iter().take(MOST_GIVERS).collect();
        json!({"scope": scope.to_string(), "kind": kind, "name": name, "givers": givers})
    });
    Ok(shown.collect())
}

/// What a principal, user or group may do, as far as its roles lie where the caller may see them.
async fn of_principal(
    State(app): State<Arc<App>>,
    Path(principal): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let subjects = app.state.subjects().await?;
    let known = subjects.into_iter().find(|(id, name, _)| *id == principal || *name == principal);
    let (id, name, kind) =
        known.ok_or_else(|| ApiError::not_found(format!("nobody here is called or has the id {principal:?}")))?;
    let groups = app.state.groups_of_member(&id).await?;
    let custom = custom_roles(&app.state).await?;
    let mut given = Vec::new();
    let mut shown = Vec::new();
    for one in app.state.role_assignments().await? {
        let group = groups.iter().find(|group| group.id == one.subject);
        if one.subject != id && group.is_none() {
            continue;
        }
        let (Ok(scope), Some(role)) = (one.scope.parse::<Scope>(), find_role(&custom, &one.role_id)) else { continue };
        if !caller.access.allows(Action::ReadRoleAssignments, &scope) {
            continue;
        }
        shown.push(json!({
            "id": one.id, "role": role.name, "scope": one.scope, "through": group.map(|group| group.name.as_str()),
        }));
        given.push(Assignment { scope, role: Arc::new(role.clone()) });
    }
    let access = Access::new(given);
    let actions: Vec<Value> = Action::ALL.iter().filter_map(|action| allowed_at(&app, &access, *action)).collect();
    let is_disabled = match kind {
        SubjectKind::User => app.state.user(&id).await?.is_some_and(|user| user.is_disabled()),
        _ => false,
    };
    Ok(Json(json!({
        "principalId": id, "principalName": name, "principalType": kind.name(), "disabled": is_disabled,
        "groups": groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(),
        "assignments": shown, "actions": actions,
        "complete": caller.access.allows(Action::ReadRoleAssignments, &Scope::Tenant),
    })))
}

/// The scopes where an action is allowed, each with the roles that allow it; none where it is allowed nowhere.
fn allowed_at(app: &App, access: &Access, action: Action) -> Option<Value> {
    let place = scope_of(app, action, None, None);
    let mut scopes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for given in access.assignments().iter().filter(|given| given.role.allows(action)) {
        let is_part = (action.level().has_parts() || action.level() == Level::Groups) && place.covers(&given.scope);
        if given.scope.covers(&place) || is_part {
            scopes.entry(given.scope.to_string()).or_default().insert(&given.role.name);
        }
    }
    let at: Vec<Value> = scopes.iter().map(|(scope, roles)| json!({"scope": scope, "roles": roles})).collect();
    (!at.is_empty()).then(|| json!({"name": action.name(), "at": at}))
}
