//! From what the store keeps to what decisions are made of, and the names that commands use for what is given.

use std::sync::Arc;

use watchkeeper_authorization::{Access, Assignment, RoleDefinition, Scope, built_in_roles, find_role};
use watchkeeper_state::{OldRole, RoleAssignment, State, StateError, SubjectKind};

/// Everything, also giving roles.
pub const OWNER: &str = "Owner";
/// Who sees a workspace sees the management group that it belongs to, as far as roles are given by one name.
const READ_ONLY: &str = "Read-only Operator";
/// The roles of a management group. Given by name with a workspace, they come with what is in brackets there.
const OF_GROUP: [(&str, &str); 5] = [
    (READ_ONLY, "Reader"),
    ("Operator", "Reader"),
    ("Advanced Operator", "Reader"),
    ("Author", "Reader"),
    ("Administrator", OWNER),
];

/// What a caller was given, by itself or as a member of groups.
pub async fn access_of(state: &State, subject: &str) -> Result<Access, StateError> {
    let given = state.given_roles(subject).await?;
    let assignments = given.into_iter().filter_map(|one| {
        let role = match built_in_roles().iter().find(|role| role.id == one.role_id) {
            Some(role) => Arc::new(role.clone()),
            None => Arc::new(read(one.document.as_deref()?, &one.role_id)?),
        };
        // a scope that cannot be read any more allows nothing
        Some(Assignment { scope: one.scope.parse().ok()?, role })
    });
    Ok(Access::new(assignments.collect()))
}

fn read(document: &str, id: &str) -> Option<RoleDefinition> {
    let read = serde_json::from_str(document);
    read.inspect_err(|error| tracing::error!(role = id, %error, "a stored role cannot be read and allows nothing")).ok()
}

/// The roles that people made, by name.
pub async fn custom_roles(state: &State) -> Result<Vec<RoleDefinition>, StateError> {
    Ok(state.custom_roles().await?.iter().filter_map(|one| read(&one.document, &one.role_id)).collect())
}

/// What giving a role by its name alone means: the role in the workspace, and what goes with it in the management group.
pub fn roles_by_name(
    custom: &[RoleDefinition],
    name: &str,
    workspace: &Scope,
    group: &Scope,
) -> Result<Vec<(RoleDefinition, Scope)>, StateError> {
    let role = find_role(custom, name).ok_or_else(|| {
        let known: Vec<&str> = built_in_roles().iter().chain(custom).map(|role| role.name.as_str()).collect();
        StateError::Unknown { what: "the role", name: name.to_owned(), known: known.join(", ") }
    })?;
    let mut given = Vec::new();
    let mut add = |name: &str, scope: &Scope| {
        given.extend(find_role(&[], name).map(|role| (role.clone(), scope.clone())));
    };
    match OF_GROUP.iter().find(|(of_group, _)| role.is_built_in && *of_group == role.name) {
        Some((of_group, of_workspace)) => {
            add(of_workspace, workspace);
            add(of_group, group);
        }
        None => {
            if role.is_built_in && ["Reader", "Contributor"].contains(&role.name.as_str()) {
                add(READ_ONLY, group);
            }
            given.insert(0, (role.clone(), workspace.clone()));
        }
    }
    Ok(given)
}

/// Gives a role by its name, see [`roles_by_name`].
pub async fn grant_by_name(
    state: &State,
    (subject, kind): (&str, SubjectKind),
    name: &str,
    (workspace, group): (&Scope, &Scope),
    by: &str,
) -> Result<(), StateError> {
    for (role, scope) in roles_by_name(&custom_roles(state).await?, name, workspace, group)? {
        state.grant_role(&RoleAssignment::new(subject, kind, &scope.to_string(), &role.id, by)).await?;
    }
    Ok(())
}

/// The roles of somebody as `(scope, name)`.
pub async fn names_of(state: &State, subject: &str) -> Result<Vec<(String, String)>, StateError> {
    let access = access_of(state, subject).await?;
    Ok(access.assignments().iter().map(|given| (given.scope.to_string(), given.role.name.clone())).collect())
}

/// Moves what was given when roles were names.
pub async fn move_old_roles(state: &State, workspace: &Scope, group: &Scope) -> Result<(), StateError> {
    for old in state.old_roles().await? {
        let kind = if old.is_user { SubjectKind::User } else { SubjectKind::ServicePrincipal };
        let new: Vec<RoleAssignment> = moved(&old, workspace, group)
            .into_iter()
            .filter_map(|(name, scope)| {
                let role = find_role(&[], name)?;
                Some(RoleAssignment::new(&old.subject, kind, &scope.to_string(), &role.id, "upgrade"))
            })
            .collect();
        state.move_old_role(&old, &new).await?;
        tracing::info!(subject = %old.subject, scope = %old.scope, role = %old.role, "an old role was moved");
    }
    Ok(())
}

/// Everybody keeps what it was able to do, and gets no more: a role in a workspace let its holder see the management
/// group, and every role above Reader let it change the workspace; only a role over everything let it work with the
/// management group.
fn moved(old: &OldRole, workspace: &Scope, group: &Scope) -> Vec<(&'static str, Scope)> {
    let is_everywhere = old.scope == "/";
    match old.role.as_str() {
        "Administrator" if is_everywhere => vec![(OWNER, Scope::Tenant)],
        "Reader" => vec![("Reader", workspace.clone()), (READ_ONLY, group.clone())],
        name => {
            let of_group = OF_GROUP.iter().map(|(known, _)| *known).find(|known| known.replace(' ', "") == name);
            let of_group = of_group.filter(|_| is_everywhere).unwrap_or(READ_ONLY);
            vec![("Contributor", workspace.clone()), (of_group, group.clone())]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Vec<String> {
        let (workspace, group) = (Scope::workspace("w"), Scope::management_group("m"));
        let given = roles_by_name(&[], name, &workspace, &group).unwrap();
        given.iter().map(|(role, scope)| format!("{} {scope}", role.name)).collect()
    }

    #[test]
    fn a_name_alone_means_a_role_in_the_workspace_and_what_goes_with_it() {
        assert_eq!(named("reader"), ["Reader /workspaces/w", "Read-only Operator /managementGroups/m"]);
        assert_eq!(named("Contributor"), ["Contributor /workspaces/w", "Read-only Operator /managementGroups/m"]);
        assert_eq!(named("AdvancedOperator"), ["Reader /workspaces/w", "Advanced Operator /managementGroups/m"]);
        assert_eq!(named("Administrator"), ["Owner /workspaces/w", "Administrator /managementGroups/m"]);
        assert_eq!(named("Log Analytics Reader"), ["Log Analytics Reader /workspaces/w"]);
        let wrong = roles_by_name(&[], "Wizard", &Scope::Tenant, &Scope::Tenant).unwrap_err().to_string();
        assert!(wrong.contains("Wizard") && wrong.contains("Log Analytics Reader"), "{wrong}");
    }

    #[test]
    fn everybody_keeps_what_old_roles_allowed_and_gets_no_more() {
        let names = |scope: &str, role: &str| {
            let old = OldRole { subject: "s".into(), scope: scope.into(), role: role.into(), is_user: false };
            let new = moved(&old, &Scope::workspace("w"), &Scope::management_group("m"));
            new.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names("/", "Administrator"), ["Owner"]);
        assert_eq!(names("/", "AdvancedOperator"), ["Contributor", "Advanced Operator"]);
        assert_eq!(names("/workspaces/w", "Administrator"), ["Contributor", "Read-only Operator"]);
        assert_eq!(names("/workspaces/w", "Reader"), ["Reader", "Read-only Operator"]);
    }
}
