//! Where a role is given: the tenant, a workspace or one of its tables, a management group or one of its groups.

use std::fmt;
use std::str::FromStr;

/// A place in the tree of what can be protected. A role given at a place holds for everything below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `/`
    Tenant,
    /// `/workspaces/ID`
    Workspace(String),
    /// `/workspaces/ID/tables/NAME`
    Table { workspace: String, table: String },
    /// `/managementGroups/NAME`
    ManagementGroup(String),
    /// `/managementGroups/NAME/groups/GROUP`
    Group { management_group: String, group: String },
}

/// Why a text is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no scope; write /, /workspaces/ID, /workspaces/ID/tables/NAME, /managementGroups/NAME or \
     /managementGroups/NAME/groups/GROUP"
)]
pub struct ScopeError(pub String);

impl Scope {
    pub fn workspace(id: &str) -> Scope {
        Scope::Workspace(id.to_lowercase())
    }

    pub fn table(workspace: &str, table: &str) -> Scope {
        Scope::Table { workspace: workspace.to_lowercase(), table: table.to_owned() }
    }

    pub fn management_group(name: &str) -> Scope {
        Scope::ManagementGroup(name.to_owned())
    }

    pub fn group(management_group: &str, group: &str) -> Scope {
        Scope::Group { management_group: management_group.to_owned(), group: group.to_owned() }
    }

    /// The scope that this one lies in; the tenant lies in none.
    pub fn parent(&self) -> Option<Scope> {
        match self {
            Scope::Tenant => None,
            Scope::Workspace(_) | Scope::ManagementGroup(_) => Some(Scope::Tenant),
            Scope::Table { workspace, .. } => Some(Scope::Workspace(workspace.clone())),
            Scope::Group { management_group, .. } => Some(Scope::ManagementGroup(management_group.clone())),
        }
    }

    /// True where a role given here holds at `asked`: it is the same place or lies below.
    pub fn covers(&self, asked: &Scope) -> bool {
        if self == asked {
            return true;
        }
        match (self, asked) {
            (Scope::Tenant, _) => true,
            (Scope::Workspace(own), Scope::Table { workspace, .. }) => own == workspace,
            (Scope::ManagementGroup(own), Scope::Group { management_group, .. }) => own == management_group,
            _ => false,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Tenant => f.write_str("/"),
            Scope::Workspace(id) => write!(f, "/workspaces/{id}"),
            Scope::Table { workspace, table } => write!(f, "/workspaces/{workspace}/tables/{table}"),
            Scope::ManagementGroup(name) => write!(f, "/managementGroups/{name}"),
            Scope::Group { management_group, group } => {
                write!(f, "/managementGroups/{management_group}/groups/{group}")
            }
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    /// Reads a scope as it is printed. The words of a path are read without regard to case, and so are ids of
    /// workspaces; names of tables and groups are not.
    fn from_str(text: &str) -> Result<Scope, ScopeError> {
        let wrong = || ScopeError(text.to_owned());
        let path = text.trim().strip_prefix('/').ok_or_else(wrong)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        if parts.iter().any(|part| part.is_empty() || part.chars().any(char::is_control)) {
            return Err(wrong());
        }
        let is = |part: &str, word: &str| part.eq_ignore_ascii_case(word);
        match parts.as_slice() {
            [] => Ok(Scope::Tenant),
            [kind, id] if is(kind, "workspaces") => Ok(Scope::workspace(id)),
            [kind, id, tables, name] if is(kind, "workspaces") && is(tables, "tables") => Ok(Scope::table(id, name)),
            [kind, name] if is(kind, "managementGroups") => Ok(Scope::management_group(name)),
            [kind, name, groups, group] if is(kind, "managementGroups") && is(groups, "groups") => {
                Ok(Scope::group(name, group))
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_printed() {
        for text in [
            "/",
            "/workspaces/0a1b",
            "/workspaces/0a1b/tables/Perf",
            "/managementGroups/Production",
            "/managementGroups/Production/groups/web servers",
        ] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        assert_eq!("/Workspaces/0A1B/".parse::<Scope>().unwrap(), Scope::workspace("0a1b"));
        for wrong in
            ["", "workspaces/a", "/workspaces", "/workspaces//tables/T", "/subscriptions/a", "/workspaces/a/b/c"]
        {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_scope_covers_itself_and_what_lies_below() {
        for (scope, asked, covers) in [
            ("/", "/workspaces/a", true),
            ("/", "/managementGroups/m/groups/g", true),
            ("/workspaces/a", "/workspaces/a", true),
            ("/workspaces/a", "/workspaces/a/tables/T", true),
            ("/workspaces/a", "/workspaces/ab", false),
            ("/workspaces/a", "/", false),
            ("/workspaces/a", "/managementGroups/a", false),
            ("/workspaces/a/tables/T", "/workspaces/a/tables/t", false),
            ("/managementGroups/m", "/managementGroups/m/groups/g", true),
            ("/managementGroups/m/groups/g", "/managementGroups/m", false),
        ] {
            let (own, other): (Scope, Scope) = (scope.parse().unwrap(), asked.parse().unwrap());
            assert_eq!(own.covers(&other), covers, "{scope} {asked}");
        }
    }
}
