//! `/api/roles` and `/api/role-assignments`: the roles that there are, and who has which where. `arm` has the same as Azure
//! Resource Manager has it.

mod arm;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_authorization::{
    Action, Permission, RoleDefinition, Scope, ScopeError, built_in_roles, check_custom, find_role,
};
use watchkeeper_state::{RoleAssignment, SubjectKind};

use super::App;
use super::errors::ApiError;
use crate::authorization::{Routes, custom_roles, delete, get};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/roles", get(Action::ReadRoleDefinitions, list).post(Action::WriteRoleDefinitions, create))
        .route(
            "/api/roles/{role}",
            get(Action::ReadRoleDefinitions, show)
                .put(Action::WriteRoleDefinitions, replace)
                .delete(Action::DeleteRoleDefinitions, remove),
        )
        .route(
            "/api/role-assignments",
            get(Action::ReadRoleAssignments, assignments).post(Action::WriteRoleAssignments, grant),
        )
        .route("/api/role-assignments/{assignment}", delete(Action::DeleteRoleAssignments, revoke))
        .merge(arm::routes())
}

impl From<ScopeError> for ApiError {
    fn from(error: ScopeError) -> ApiError {
        ApiError::bad_request(error.to_string())
    }
}

/// A role as it is sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sent {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    not_actions: Vec<String>,
    #[serde(default)]
    data_actions: Vec<String>,
    #[serde(default)]
    not_data_actions: Vec<String>,
    #[serde(default = "everywhere")]
    assignable_scopes: Vec<String>,
}

fn everywhere() -> Vec<String> {
    vec![Scope::Tenant.to_string()]
}

impl Sent {
    fn role(self, id: String) -> RoleDefinition {
        let permission = Permission {
            actions: self.actions,
            not_actions: self.not_actions,
            data_actions: self.data_actions,
            not_data_actions: self.not_data_actions,
        };
        RoleDefinition {
            id,
            name: self.name.trim().to_owned(),
            description: self.description,
            is_built_in: false,
            permissions: vec![permission],
            assignable_scopes: self.assignable_scopes,
        }
    }
}

fn item(role: &RoleDefinition) -> Value {
    let list = |of: fn(&Permission) -> &Vec<String>| -> Vec<&String> { role.permissions.iter().flat_map(of).collect() };
    json!({
        "id": role.id, "name": role.name, "description": role.description, "builtIn": role.is_built_in,
        "actions": list(|one| &one.actions), "notActions": list(|one| &one.not_actions),
        "dataActions": list(|one| &one.data_actions), "notDataActions": list(|one| &one.not_data_actions),
        "assignableScopes": role.assignable_scopes,
    })
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let custom = custom_roles(&app.state).await?;
    Ok(Json(built_in_roles().iter().chain(&custom).map(item).collect()))
}

async fn named(app: &App, text: &str) -> Result<RoleDefinition, ApiError> {
    let custom = custom_roles(&app.state).await?;
    find_role(&custom, text)
        .cloned()
        .ok_or_else(|| ApiError::not_found(format!("there is no role {text:?}; `watchkeeper roles list` shows all")))
}

async fn show(State(app): State<Arc<App>>, Path(role): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(item(&named(&app, &role).await?)))
}

/// Saves a role that people make. Who changes one needs that right wherever it can be given, before and after.
async fn save(app: &App, caller: &Caller, role: &RoleDefinition) -> Result<(), ApiError> {
    check_custom(role).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let known = custom_roles(&app.state).await?.into_iter().find(|known| known.id == role.id);
    let before = known.iter().flat_map(|known| &known.assignable_scopes);
    for scope in role.assignable_scopes.iter().chain(before) {
        caller.check(Action::WriteRoleDefinitions, &scope.parse()?)?;
    }
    let document = serde_json::to_string(role).map_err(|error| ApiError::bad_request(error.to_string()))?;
    app.state.put_custom_role(&role.id, &role.name, &document).await?;
    let action = if known.is_some() { "change role" } else { "create role" };
    caller.did(action, &role.name, "");
    Ok(())
}

async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Sent>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let Json(sent) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let role = sent.role(Uuid::new_v4().to_string());
    save(&app, &caller, &role).await?;
    Ok((StatusCode::CREATED, Json(item(&role))))
}

async fn replace(
    State(app): State<Arc<App>>,
    Path(role): Path<String>,
    caller: Caller,
    body: Result<Json<Sent>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let known = changeable(named(&app, &role).await?)?;
    let Json(sent) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let role = sent.role(known.id);
    save(&app, &caller, &role).await?;
    Ok(Json(item(&role)))
}

fn changeable(role: RoleDefinition) -> Result<RoleDefinition, ApiError> {
    match role.is_built_in {
        true => Err(ApiError::bad_request(format!("{} is built in and stays as it is", role.name))),
        false => Ok(role),
    }
}

async fn remove(State(app): State<Arc<App>>, Path(role): Path<String>, caller: Caller) -> Result<StatusCode, ApiError> {
    let role = changeable(named(&app, &role).await?)?;
    delete_role(&app, &caller, &role).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_role(app: &App, caller: &Caller, role: &RoleDefinition) -> Result<(), ApiError> {
    for scope in &role.assignable_scopes {
        caller.check(Action::DeleteRoleDefinitions, &scope.parse()?)?;
    }
    if let Err(given) = app.state.delete_custom_role(&role.id).await? {
        let message = format!("{given} assignments give the role {:?}; take them back first", role.name);
        return Err(ApiError::new(StatusCode::CONFLICT, "RoleDefinitionHasAssignments", message));
    }
    caller.did("remove role", &role.name, "");
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// The id of a principal, user or group.
    principal: Option<String>,
}

/// The assignments that the caller may see: those at and below the places where it may.
async fn visible(app: &App, caller: &Caller) -> Result<Vec<(RoleAssignment, Scope)>, ApiError> {
    let all = app.state.role_assignments().await?.into_iter();
    let known = all.filter_map(|one| one.scope.parse::<Scope>().ok().map(|scope| (one, scope)));
    Ok(known.filter(|(_, scope)| caller.access.allows(Action::ReadRoleAssignments, scope)).collect())
}

async fn assignments(
    State(app): State<Arc<App>>,
    Query(filter): Query<Filter>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let (custom, subjects) = (custom_roles(&app.state).await?, app.state.subjects().await?);
    let mut all = visible(&app, &caller).await?;
    all.retain(|(one, _)| filter.principal.as_ref().is_none_or(|id| one.subject.eq_ignore_ascii_case(id)));
    Ok(Json(all.iter().map(|(one, _)| assignment_item(&app, one, &custom, &subjects)).collect()))
}

fn assignment_item(
    app: &App,
    one: &RoleAssignment,
    custom: &[RoleDefinition],
    subjects: &[(String, String, SubjectKind)],
) -> Value {
    let role = find_role(custom, &one.role_id).map_or(one.role_id.as_str(), |role| role.name.as_str());
    let name = subjects.iter().find(|(id, _, _)| *id == one.subject).map(|(_, name, _)| name.as_str());
    json!({
        "id": one.id, "principalId": one.subject, "principalName": name, "principalType": one.kind.name(), "role": role,
        "roleId": one.role_id, "scope": one.scope, "scopeName": group_name(app, &one.scope), "description": one.description,
        "createdAt": super::time_text(one.created_at.saturating_mul(1_000_000)), "createdBy": one.created_by,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Given {
    principal_id: String,
    /// Told by the id where it is not given: a user or a service principal.
    principal_type: Option<String>,
    role: String,
    /// The workspace where it is not given.
    scope: Option<String>,
    #[serde(default)]
    description: String,
}

async fn grant(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<Given>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let Json(given) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let scope = match &given.scope {
        Some(text) => text.parse()?,
        None => app.workspace_scope(),
    };
    let role = named(&app, &given.role).await?;
    let kind = given.principal_type.as_deref().map(str::parse::<SubjectKind>).transpose()?;
    let new =
        NewAssignment { id: None, subject: given.principal_id, kind, scope, role, description: given.description };
    let (stored, _) = assign(&app, &caller, new).await?;
    let shown = assignment_item(&app, &stored, &custom_roles(&app.state).await?, &app.state.subjects().await?);
    Ok((StatusCode::CREATED, Json(shown)))
}

/// The identity of the group that is meant.
fn group_id(app: &App, name: &str) -> Result<String, ApiError> {
    let space = app.operations.group.read();
    let found = space.find(name).ok().filter(|id| space.group(*id).is_some());
    found.map(|id| id.to_string()).ok_or_else(|| {
        ApiError::bad_request(format!("{name:?} is no group of objects; `watchkeeper groups list` lists them"))
    })
}

/// What a group is called whose members a role is for.
fn group_name(app: &App, scope: &str) -> Option<String> {
    let Ok(Scope::Group { group, .. }) = scope.parse() else { return None };
    let space = app.operations.group.read();
    space.find(&group).ok().map(|id| space.display_name(id))
}

struct NewAssignment {
    id: Option<String>,
    subject: String,
    kind: Option<SubjectKind>,
    scope: Scope,
    role: RoleDefinition,
    description: String,
}

/// Gives a role; where the principal has it there already, that assignment and false.
async fn assign(app: &App, caller: &Caller, new: NewAssignment) -> Result<(RoleAssignment, bool), ApiError> {
    let NewAssignment { id, subject, kind, scope, role, description } = new;
    caller.check(Action::WriteRoleAssignments, &scope)?;
    let group = app.group_scope();
    let scope = match scope {
        Scope::Group { management_group, group: name } if group.covers(&Scope::group(&management_group, &name)) => {
            Scope::group(&management_group, &group_id(app, &name)?)
        }
        scope => scope,
    };
    let is_here = match &scope {
        Scope::Tenant => true,
        Scope::Workspace(_) | Scope::Table { .. } => app.workspace_scope().covers(&scope),
        Scope::ManagementGroup(_) => scope == group,
        Scope::Group { .. } => group.covers(&scope),
    };
    if !is_here {
        let message = format!(
            "there is no {scope} here; the workspace is {}, the management group {group}",
            app.workspace_scope()
        );
        return Err(ApiError::bad_request(message));
    }
    if !role.is_assignable_at(&scope) {
        let message = format!(
            "the role {:?} cannot be given at {scope}; its assignable scopes are {}",
            role.name,
            role.assignable_scopes.join(", ")
        );
        return Err(ApiError::bad_request(message));
    }
    let subject = subject.trim().to_owned();
    let known = app.state.subjects().await?.into_iter().find(|(id, name, _)| *id == subject || *name == subject);
    let (subject, kind) = match (known, kind) {
        (Some((id, _, known)), None) => (id, known),
        (Some((id, _, known)), Some(kind)) if known == kind => (id, known),
        (_, Some(kind)) => (subject, kind),
        (None, None) => {
            let message = format!(
                "nobody here is called or has the id {subject:?}; `watchkeeper workspace principals list` shows ids, and a \
                 principal type (User, Group or ServicePrincipal) lets a role be given to somebody who comes later"
            );
            return Err(ApiError::bad_request(message));
        }
    };
    let mut assignment = RoleAssignment::new(&subject, kind, &scope.to_string(), &role.id, &caller.name);
    assignment.description = description;
    if let Some(id) = id {
        assignment.id = id;
    }
    let is_new = app.state.grant_role(&assignment).await?;
    if is_new {
        let what = format!("{} on {scope} to {kind} {subject}", role.name);
        caller.did("grant role", &what, "");
        return Ok((assignment, true));
    }
    let known = app.state.role_assignments_of(&subject).await?;
    let known = known.into_iter().find(|one| one.role_id == role.id && one.scope == assignment.scope);
    Ok((known.unwrap_or(assignment), false))
}

async fn revoke(
    State(app): State<Arc<App>>,
    Path(assignment): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let found = app.state.role_assignment(&assignment).await?;
    let found = found.ok_or_else(|| {
        ApiError::not_found(format!(
            "there is no role assignment {assignment:?}; `watchkeeper roles assignments` lists them"
        ))
    })?;
    take_back(&app, &caller, &found).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a role back. The last Owner of everything stays: nobody could give roles any more.
async fn take_back(app: &App, caller: &Caller, found: &RoleAssignment) -> Result<(), ApiError> {
    caller.check(Action::DeleteRoleAssignments, &found.scope.parse()?)?;
    let owner = find_role(&[], crate::authorization::OWNER).map(|role| role.id.as_str()).unwrap_or_default();
    let is_owner = |one: &RoleAssignment| one.role_id == owner && one.scope == "/";
    if is_owner(found) && app.state.role_assignments().await?.iter().filter(|one| is_owner(one)).count() == 1 {
        let message =
            "this is the last Owner of /; give somebody else the role first, nobody could give roles any more";
        return Err(ApiError::new(StatusCode::CONFLICT, "LastOwner", message));
    }
    app.state.revoke_role(&found.id).await?;
    let custom = custom_roles(&app.state).await?;
    let role = find_role(&custom, &found.role_id).map_or(found.role_id.as_str(), |role| role.name.as_str());
    let what = format!("{role} on {} of {} {}", found.scope, found.kind, found.subject);
    caller.did("revoke role", &what, "");
    Ok(())
}
