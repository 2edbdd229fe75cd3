//! Decisions: whether what somebody was given allows an action at a place, and why not.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::{Action, Level, RoleDefinition, Scope};

/// A role that somebody has at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub scope: Scope,
    pub role: Arc<RoleDefinition>,
}

/// Everything that somebody was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    assignments: Vec<Assignment>,
}

/// An action that is not allowed, and what the caller has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    pub action: Action,
    pub scope: Scope,
    has: Vec<String>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Denied { action, scope, has } = self;
        write!(f, "this needs {action} on {scope}; ")?;
        match has.as_slice() {
            [] => f.write_str("you have no role"),
            has => write!(f, "you have {}", has.join(", ")),
        }
    }
}

/// Which of a place's parts an action is allowed for: tables of a workspace, groups of a management group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    All,
    Only(Arc<BTreeSet<String>>),
}

impl Readable {
    pub fn has(&self, name: &str) -> bool {
        match self {
            Readable::All => true,
            Readable::Only(names) => names.contains(name),
        }
    }

    pub fn is_all(&self) -> bool {
        matches!(self, Readable::All)
    }
}

impl Access {
    pub fn new(assignments: Vec<Assignment>) -> Access {
        Access { assignments }
    }

    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    /// Whether an action is allowed at a place and everywhere below.
    pub fn allows(&self, action: Action, scope: &Scope) -> bool {
        self.assignments.iter().any(|given| given.scope.covers(scope) && given.role.allows(action))
    }

    /// The same with the reason in words.
    pub fn check(&self, action: Action, scope: &Scope) -> Result<(), Denied> {
        match self.allows(action, scope) {
            true => Ok(()),
            false => Err(self.denied(action, scope)),
        }
    }

    /// As [`Self::check`]; where the action has parts, one of them is enough.
    pub fn check_any(&self, action: Action, scope: &Scope) -> Result<(), Denied> {
        let reaches_a_part = || {
            action.level().has_parts()
                && self.assignments.iter().any(|given| scope.covers(&given.scope) && given.role.allows(action))
        };
        match self.allows(action, scope) || reaches_a_part() {
            true => Ok(()),
            false => Err(self.denied(action, scope)),
        }
    }

    /// As [`Self::check`], for those who keep to the parts that [`Self::parts`] names: one of them is enough.
    pub fn check_part(&self, action: Action, scope: &Scope) -> Result<(), Denied> {
        match self.parts(action, scope) {
            Readable::Only(names) if names.is_empty() => Err(self.denied(action, scope)),
            _ => Ok(()),
        }
    }

    /// The parts of a place that an action is allowed for.
    pub fn parts(&self, action: Action, scope: &Scope) -> Readable {
        if self.allows(action, scope) {
            return Readable::All;
        }
        let names = self.assignments.iter().filter(|given| scope.covers(&given.scope) && given.role.allows(action));
        let names = names.filter_map(|given| match (&given.scope, action.level()) {
            (Scope::Table { table, .. }, Level::Tables) => Some(table.clone()),
            (Scope::Group { group, .. }, Level::Groups) => Some(group.clone()),
            _ => None,
        });
        Readable::Only(Arc::new(names.collect()))
    }

    /// Names of the roles, each once.
    pub fn role_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for given in &self.assignments {
            if !names.contains(&given.role.name.as_str()) {
                names.push(&given.role.name);
            }
        }
        names
    }

    fn denied(&self, action: Action, scope: &Scope) -> Denied {
        let has = self.assignments.iter().map(|given| format!("{} on {}", given.role.name, given.scope)).collect();
        Denied { action, scope: scope.clone(), has }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find_role;

    fn access(given: &[(&str, &str)]) -> Access {
        let assignment = |(role, scope): &(&str, &str)| Assignment {
            scope: scope.parse().unwrap(),
            role: Arc::new(find_role(&[], role).unwrap().clone()),
        };
        Access::new(given.iter().map(assignment).collect())
    }

    #[test]
    fn a_role_holds_at_its_place_and_below() {
        let workspace = Scope::workspace("w");
        let reader = access(&[("Reader", "/workspaces/w")]);
        assert!(reader.allows(Action::QueryData, &workspace));
        assert!(reader.allows(Action::QueryData, &Scope::table("w", "Perf")));
        assert!(!reader.allows(Action::ReadObjects, &Scope::management_group("m")));
        let denied = reader.check(Action::WriteSavedQueries, &workspace).unwrap_err().to_string();
        assert_eq!(
            denied,
            "this needs Microsoft.OperationalInsights/workspaces/savedSearches/write on /workspaces/w; \
             you have Reader on /workspaces/w"
        );
        let nothing = Access::default().check(Action::ReadAlerts, &Scope::Tenant).unwrap_err().to_string();
        assert!(nothing.ends_with("; you have no role"), "{nothing}");
    }

    #[test]
    fn a_role_on_a_part_lets_in_and_no_further() {
        let workspace = Scope::workspace("w");
        let table = access(&[("Log Analytics Reader", "/workspaces/w/tables/Perf"), ("Reader", "/workspaces/v")]);
        assert!(!table.allows(Action::QueryData, &workspace));
        assert_eq!(table.check_any(Action::QueryData, &workspace), Ok(()));
        assert!(table.check_any(Action::ReadSavedQueries, &workspace).is_err());
        let parts = table.parts(Action::QueryData, &workspace);
        assert!(parts.has("Perf") && !parts.has("Event") && !parts.is_all());
        assert!(table.parts(Action::QueryData, &Scope::workspace("v")).is_all());
        // a role at a group must not open the whole management group, only what keeps to groups
        let (group, place) = (access(&[("Operator", "/managementGroups/m/groups/g")]), Scope::management_group("m"));
        assert!(group.check_any(Action::ReadObjects, &place).is_err());
        assert_eq!(group.check_part(Action::ReadObjects, &place), Ok(()));
        assert!(group.parts(Action::ReadObjects, &place).has("g"));
        assert!(group.check_part(Action::ReadAgents, &place).is_err());
        assert!(group.check_part(Action::WriteOverrides, &place).is_err());
        assert!(group.check_part(Action::ReadObjects, &Scope::management_group("n")).is_err());
    }
}
