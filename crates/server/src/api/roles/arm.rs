//! Role definitions and role assignments as Azure Resource Manager has them (Microsoft.Authorization, 2022-04-01). A
//! subscription stands for the tenant, a resource group for its one workspace.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_authorization::{Action, Permission, RoleDefinition, Scope, built_in_roles};
use watchkeeper_state::RoleAssignment;

use super::{NewAssignment, assign, changeable, delete_role, named, save, take_back, visible};
use crate::api::App;
use crate::api::errors::ApiError;
use crate::authorization::{Routes, custom_roles, get};
use crate::identity::Caller;

const PROVIDER: &str = "providers/Microsoft.Authorization";
const WORKSPACES: &str = "providers/Microsoft.OperationalInsights/workspaces";
const GROUPS: &str = "/providers/Microsoft.Management/managementGroups";

type Answer = Result<Response, ApiError>;

pub fn routes() -> Routes {
    let resource_group = "/subscriptions/{subscription}/resourceGroups/{group}";
    let workspace = format!("{resource_group}/{WORKSPACES}/{{workspace}}");
    let places = [
        String::new(),
        "/subscriptions/{subscription}".to_owned(),
        resource_group.to_owned(),
        workspace.clone(),
        format!("{workspace}/tables/{{table}}"),
        format!("{GROUPS}/{{management_group}}"),
        format!("{GROUPS}/{{management_group}}/groups/{{group_name}}"),
    ];
    let mut routes = Routes::new();
    for place in places {
        let (roles, given) =
            (format!("{place}/{PROVIDER}/roleDefinitions"), format!("{place}/{PROVIDER}/roleAssignments"));
        routes = routes
            .route(&roles, get(Action::ReadRoleDefinitions, list_roles))
            .route(
                &format!("{roles}/{{name}}"),
                get(Action::ReadRoleDefinitions, show_role)
                    .put(Action::WriteRoleDefinitions, put_role)
                    .delete(Action::DeleteRoleDefinitions, remove_role),
            )
            .route(&given, get(Action::ReadRoleAssignments, list))
            .route(
                &format!("{given}/{{name}}"),
                get(Action::ReadRoleAssignments, show)
                    .put(Action::WriteRoleAssignments, put)
                    .delete(Action::DeleteRoleAssignments, remove),
            );
    }
    routes
}

/// The variables of a path.
#[derive(Deserialize)]
struct At {
    subscription: Option<String>,
    group: Option<String>,
    workspace: Option<String>,
    table: Option<String>,
    management_group: Option<String>,
    group_name: Option<String>,
    #[serde(default)]
    name: String,
}

impl At {
    fn scope(&self, app: &App) -> Scope {
        match self {
            At { management_group: Some(name), group_name: Some(group), .. } => Scope::group(name, group),
            At { management_group: Some(name), .. } => Scope::management_group(name),
            At { table: Some(table), .. } => Scope::table(&app.workspace_id, table),
            At { workspace: Some(_), .. } | At { group: Some(_), .. } => app.workspace_scope(),
            At { subscription: _, .. } => Scope::Tenant,
        }
    }

    /// The scope as the path writes it.
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(name) = &self.management_group {
            text = format!("{GROUPS}/{name}");
            text.extend(self.group_name.iter().map(|group| format!("/groups/{group}")));
        }
        text.extend(self.subscription.iter().map(|id| format!("/subscriptions/{id}")));
        text.extend(self.group.iter().map(|group| format!("/resourceGroups/{group}")));
        text.extend(self.workspace.iter().map(|name| format!("/{WORKSPACES}/{name}")));
        text.extend(self.table.iter().map(|table| format!("/tables/{table}")));
        text
    }
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "api-version")]
    version: Option<String>,
    #[serde(rename = "$filter")]
    filter: Option<String>,
}

impl Parameters {
    fn check(&self) -> Result<(), ApiError> {
        if self.version.as_deref().unwrap_or_default().is_empty() {
            let message = "the query parameter api-version is missing; use 2022-04-01";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", message));
        }
        Ok(())
    }
}

/// What `$filter` asks for. `atScope()` leaves out what lies below; the others name a principal or a role.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    at_scope: bool,
    principal: Option<String>,
    role_name: Option<String>,
    role_type: Option<String>,
}

impl Wanted {
    fn read(filter: Option<&str>) -> Result<Wanted, ApiError> {
        let mut wanted = Wanted::default();
        for part in filter.unwrap_or_default().split(" and ").map(str::trim).filter(|part| !part.is_empty()) {
            let quoted = || part.split('\'').nth(1).map(str::to_owned);
            let lower = part.to_ascii_lowercase();
            let field = match lower.replace(' ', "").as_str() {
                "atscope()" => {
                    wanted.at_scope = true;
                    continue;
                }
                text if text.starts_with("principalideq'") || text.starts_with("assignedto('") => &mut wanted.principal,
                text if text.starts_with("rolenameeq'") => &mut wanted.role_name,
                text if text.starts_with("typeeq'") => &mut wanted.role_type,
                _ => {
                    let message = format!(
                        "$filter has {part:?}; atScope(), principalId eq 'ID', assignedTo('ID'), roleName eq 'NAME' and \
                         type eq 'TYPE' can be asked for"
                    );
                    return Err(ApiError::new(StatusCode::BAD_REQUEST, "UnsupportedFilter", message));
                }
            };
            *field = quoted();
        }
        Ok(wanted)
    }
}

fn shown_role(role: &RoleDefinition, place: &str) -> Value {
    json!({
        "id": format!("{place}/{PROVIDER}/roleDefinitions/{}", role.id), "name": role.id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": role.name, "description": role.description,
            "type": if role.is_built_in { "BuiltInRole" } else { "CustomRole" },
            "permissions": role.permissions, "assignableScopes": role.assignable_scopes,
        },
    })
}

async fn list_roles(
    State(app): State<Arc<App>>,
    Path(at): Path<At>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, ApiError> {
    parameters.check()?;
    let wanted = Wanted::read(parameters.filter.as_deref())?;
    let (place, scope, custom) = (at.text(), at.scope(&app), custom_roles(&app.state).await?);
    let is_wanted = |role: &&RoleDefinition| {
        let of_type = if role.is_built_in { "BuiltInRole" } else { "CustomRole" };
        role.is_assignable_at(&scope)
            && wanted.role_name.as_ref().is_none_or(|name| role.name.eq_ignore_ascii_case(name))
            && wanted.role_type.as_ref().is_none_or(|name| of_type.eq_ignore_ascii_case(name))
    };
    let value: Vec<Value> =
        built_in_roles().iter().chain(&custom).filter(is_wanted).map(|role| shown_role(role, &place)).collect();
    Ok(Json(json!({"value": value})))
}

async fn by_id(app: &App, at: &At) -> Result<RoleDefinition, ApiError> {
    named(app, &at.name).await.map_err(|error| ApiError { code: "RoleDefinitionDoesNotExist", ..error })
}

async fn show_role(
    State(app): State<Arc<App>>,
    Path(at): Path<At>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, ApiError> {
    parameters.check()?;
    Ok(Json(shown_role(&by_id(&app, &at).await?, &at.text())))
}

#[derive(Deserialize)]
struct SentRole {
    properties: SentRoleProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentRoleProperties {
    role_name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    permissions: Vec<Permission>,
    #[serde(default)]
    assignable_scopes: Vec<String>,
}

async fn put_role(
    State(app): State<Arc<App>>,
    Path(at): Path<At>,
    Query(parameters): Query<Parameters>,
    caller: Caller,
    body: Result<Json<SentRole>, JsonRejection>,
) -> Answer {
    parameters.check()?;
    let Json(SentRole { properties }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    if let Ok(known) = named(&app, &at.name).await {
        changeable(known)?;
    }
    let scopes = properties.assignable_scopes.iter().map(|text| read_scope(&app, text).map(|scope| scope.to_string()));
    let role = RoleDefinition {
        id: at.name.to_lowercase(),
        name: properties.role_name.trim().to_owned(),
        description: properties.description.unwrap_or_default(),
        is_built_in: false,
        permissions: properties.permissions,
        assignable_scopes: scopes.collect::<Result<_, _>>()?,
    };
    save(&app, &caller, &role).await?;
    Ok((StatusCode::CREATED, Json(shown_role(&role, &at.text()))).into_response())
}

async fn remove_role(
    State(app): State<Arc<App>>,
    Path(at): Path<At>,
    Query(parameters): Query<Parameters>,
    caller: Caller,
) -> Answer {
    parameters.check()?;
    let Ok(role) = named(&app, &at.name).await else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let role = changeable(role)?;
    delete_role(&app, &caller, &role).await?;
    Ok(Json(shown_role(&role, &at.text())).into_response())
}

/// A scope in the words of Azure Resource Manager, or in ours.
fn read_scope(app: &App, text: &str) -> Result<Scope, ApiError> {
    if let Ok(scope) = text.parse() {
        return Ok(scope);
    }
    let parts: Vec<&str> = text.trim_matches('/').split('/').collect();
    let is = |at: usize, word: &str| parts.get(at).is_some_and(|part| part.eq_ignore_ascii_case(word));
    match parts.as_slice() {
        [_, _] if is(0, "subscriptions") => Ok(Scope::Tenant),
        [_, _, _, _] if is(0, "subscriptions") && is(2, "resourceGroups") => Ok(app.workspace_scope()),
        [_, _, _, _, _, _, _, _] if is(0, "subscriptions") && is(6, "workspaces") => Ok(app.workspace_scope()),
        [_, _, _, _, _, _, _, _, _, table] if is(6, "workspaces") && is(8, "tables") => {
            Ok(Scope::table(&app.workspace_id, table))
        }
        [_, _, _, name] if is(0, "providers") && is(2, "managementGroups") => Ok(Scope::management_group(name)),
        [_, _, _, name, _, group] if is(0, "providers") && is(2, "managementGroups") && is(4, "groups") => {
            Ok(Scope::group(name, group))
        }
        _ => Err(ApiError::bad_request(format!("{text:?} is no scope of this server"))),
    }
}

/// A scope as Azure Resource Manager writes it.
fn arm_scope(app: &App, workspace: &str, scope: &Scope) -> String {
    let tenant = app.tokens.tenant_id();
    let workspace = format!("/subscriptions/{tenant}/resourceGroups/watchkeeper/{WORKSPACES}/{workspace}");
    match scope {
        Scope::Tenant => format!("/subscriptions/{tenant}"),
        Scope::Workspace(_) => workspace,
        Scope::Table { table, .. } => format!("{workspace}/tables/{table}"),
        Scope::ManagementGroup(name) => format!("{GROUPS}/{name}"),
        Scope::Group { management_group, group } => format!("{GROUPS}/{management_group}/groups/{group}"),
    }
}

async fn shown(app: &App, one: &RoleAssignment, scope: &Scope) -> Result<Value, ApiError> {
    let workspace = app.state.workspace(&app.workspace_id).await?.map(|workspace| workspace.name).unwrap_or_default();
    let place = arm_scope(app, &workspace, scope);
    let created = crate::api::time_text(one.created_at.saturating_mul(1_000_000));
    Ok(json!({
        "id": format!("{place}/{PROVIDER}/roleAssignments/{}", one.id), "name": one.id,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "scope": place, "roleDefinitionId": format!("{place}/{PROVIDER}/roleDefinitions/{}", one.role_id),
            "principalId": one.subject, "principalType": one.kind.name(), "description": one.description,
            "createdOn": created, "updatedOn": created, "createdBy": one.created_by, "updatedBy": one.created_by,
        },
    }))
}

/// Those at the scope, above it and, without `atScope()`, below it.
async fn list(
    State(app): State<Arc<App>>,
    Path(at): Path<At>,
    Query(parameters): Query<Parameters>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    parameters.check()?;
    let wanted = Wanted::read(parameters.filter.as_deref())?;
    let asked = at.scope(&app);
    let mut value = Vec::new();
    for (one, scope) in visible(&app, &caller).await? {
        let is_there = scope.covers(&asked) || (!wanted.at_scope && asked.covers(&scope));
        let is_theirs = wanted.principal.as_ref().is_none_or(|id| one.subject.eq_ignore_ascii_case(id));
        if is_there && is_theirs {
            value.push(shown(&app, &one, &scope).await?);
        }
    }
    Ok(Json(json!({"value": value})))
}

async fn found(app: &App, at: &At) -> Result<Option<(RoleAssignment, Scope)>, ApiError> {
    let Some(one) = app.state.role_assignment(&at.name).await? else { return Ok(None) };
    let scope: Scope = one.scope.parse()?;
    Ok(Some((one, scope)))
}

async fn show(
    State(app): State<Arc<App>>,
    Path(at): Path<At>,
    Query(parameters): Query<Parameters>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    parameters.check()?;
    let Some((one, scope)) = found(&app, &at).await? else {
        let message = format!("the role assignment {:?} does not exist", at.name);
        return Err(ApiError::new(StatusCode::NOT_FOUND, "RoleAssignmentNotFound", message));
    };
    caller.check(Action::ReadRoleAssignments, &scope)?;
    Ok(Json(shown(&app, &one, &scope).await?))
}

#[derive(Deserialize)]
struct SentAssignment {
    properties: SentAssignmentProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentAssignmentProperties {
    role_definition_id: String,
    principal_id: String,
    #[serde(default)]
    principal_type: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

async fn put(
    State(app): State<Arc<App>>,
    Path(at): Path<At>,
    Query(parameters): Query<Parameters>,
    caller: Caller,
    body: Result<Json<SentAssignment>, JsonRejection>,
) -> Answer {
    parameters.check()?;
    let Json(SentAssignment { properties: sent }) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let id = sent.role_definition_id.rsplit('/').next().unwrap_or_default();
    let role = named(&app, id).await.map_err(|error| ApiError { code: "RoleDefinitionDoesNotExist", ..error })?;
    let kind = sent.principal_type.as_deref().map(str::parse).transpose()?;
    let new = NewAssignment {
        id: Some(at.name.to_lowercase()),
        subject: sent.principal_id,
        kind,
        scope: at.scope(&app),
        role,
        description: sent.description.unwrap_or_default(),
    };
    let scope = new.scope.clone();
    let (stored, is_new) = assign(&app, &caller, new).await?;
    if !is_new && !stored.id.eq_ignore_ascii_case(&at.name) {
        let message = format!("the principal has this role there already, by the role assignment {}", stored.id);
        return Err(ApiError::new(StatusCode::CONFLICT, "RoleAssignmentExists", message));
    }
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(shown(&app, &stored, &scope).await?)).into_response())
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(at): Path<At>,
    Query(parameters): Query<Parameters>,
    caller: Caller,
) -> Answer {
    parameters.check()?;
    let Some((one, scope)) = found(&app, &at).await? else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let body = shown(&app, &one, &scope).await?;
    take_back(&app, &caller, &one).await?;
    Ok(Json(body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_as_the_clients_write_them() {
        let read = |text: &str| Wanted::read(Some(text));
        let of = |id: &str| Wanted { principal: Some(id.into()), ..Wanted::default() };
        assert_eq!(read("principalId eq 'a-b'").unwrap(), of("a-b"));
        assert_eq!(read("atScope() and assignedTo('a')").unwrap(), Wanted { at_scope: true, ..of("a") });
        assert_eq!(read("roleName eq 'Log Analytics Reader'").unwrap().role_name.unwrap(), "Log Analytics Reader");
        assert!(read("principalName eq 'a'").is_err());
    }
}
