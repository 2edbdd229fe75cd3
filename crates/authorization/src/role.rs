//! Roles: lists of actions with `*` in them, built in or made by people (Azure RBAC, "Understand Azure role definitions").

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Action, Scope, ScopeError, built_in_roles};

/// The longest name and description.
const MOST_NAME_CHARS: usize = 128;
const MOST_DESCRIPTION_CHARS: usize = 1024;
/// The longest list of a permission.
const MOST_ENTRIES: usize = 2048;

/// What one part of a role allows: what `actions` names and `not_actions` does not take away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permission {
    pub actions: Vec<String>,
    pub not_actions: Vec<String>,
    pub data_actions: Vec<String>,
    pub not_data_actions: Vec<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleDefinition {
    /// A GUID.
    pub id: String,
    pub name: String,
    pub description: String,
    pub is_built_in: bool,
    pub permissions: Vec<Permission>,
    /// Where it can be given, and everywhere below.
    pub assignable_scopes: Vec<String>,
}

/// Why a role cannot be as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    #[error("a role has a name of 1 to {MOST_NAME_CHARS} characters, none of them a control character")]
    Name,
    #[error("the name {0:?} is that of a built-in role")]
    BuiltInName(String),
    #[error("the description is longer than {MOST_DESCRIPTION_CHARS} characters")]
    Description,
    #[error("a role has at least one action or data action")]
    Empty,
    #[error("a list of actions has {0} entries; at most {MOST_ENTRIES} are taken")]
    TooMany(usize),
    #[error("the action {0:?} is written as Provider/type/read, and * stands for any part of it")]
    Shape(String),
    #[error("nothing is called {0:?} here; `watchkeeper roles actions` lists what there is{1}")]
    NoSuchAction(String, String),
    #[error("a role has at least one scope that it can be given at (assignableScopes)")]
    NoScope,
    #[error(transparent)]
    Scope(#[from] ScopeError),
}

impl Permission {
    fn allows(&self, action: Action) -> bool {
        let named = |list: &[String], name: &str| list.iter().any(|pattern| matches(pattern, name));
        let plain = named(&self.actions, action.name()) && !named(&self.not_actions, action.name());
        let by_data = |name| named(&self.data_actions, name) && !named(&self.not_data_actions, name);
        plain || action.data_action().is_some_and(by_data)
    }
}

impl RoleDefinition {
    pub fn allows(&self, action: Action) -> bool {
        self.permissions.iter().any(|permission| permission.allows(action))
    }

    /// Whether it can be given at a scope.
    pub fn is_assignable_at(&self, scope: &Scope) -> bool {
        self.assignable_scopes.iter().any(|own| own.parse::<Scope>().is_ok_and(|own| own.covers(scope)))
    }

    /// Whether a person means it by this text: its id or its name, which may be written without spaces and hyphens.
    pub fn is_meant_by(&self, text: &str) -> bool {
        let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        self.id.eq_ignore_ascii_case(text.trim()) || (!plain(text).is_empty() && plain(&self.name) == plain(text))
    }
}

/// The role that a person names, of the built-in and the others.
pub fn find_role<'r>(custom: &'r [RoleDefinition], text: &str) -> Option<&'r RoleDefinition> {
    built_in_roles().iter().chain(custom).find(|role| role.is_meant_by(text))
}

/// Whether a name is meant by a pattern, in which `*` stands for any characters. Case does not matter.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    // the place after the last `*` and how much of the name it has taken so far
    let mut star: Option<(usize, usize)> = None;
    let (mut p, mut n) = (0, 0);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                star = Some((p, n));
            }
            Some(c) if c.eq_ignore_ascii_case(&name[n]) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    (p, n) = (after, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|c| *c == b'*')
}

/// Checks a role that people make. Patterns have to mean something that there is, unless they are of a provider of Azure:
/// definitions of there can be taken over as they are.
pub fn check_custom(role: &RoleDefinition) -> Result<(), RoleError> {
    let name = role.name.trim();
    if name.is_empty() || name.chars().count() > MOST_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(RoleError::Name);
    }
    if let Some(known) = built_in_roles().iter().find(|known| known.is_meant_by(name)) {
        return Err(RoleError::BuiltInName(known.name.clone()));
    }
    if role.description.chars().count() > MOST_DESCRIPTION_CHARS {
        return Err(RoleError::Description);
    }
    if role.permissions.iter().all(|one| one.actions.is_empty() && one.data_actions.is_empty()) {
        return Err(RoleError::Empty);
    }
    for one in &role.permissions {
        for (list, is_data) in
            [(&one.actions, false), (&one.not_actions, false), (&one.data_actions, true), (&one.not_data_actions, true)]
        {
            if list.len() > MOST_ENTRIES {
                return Err(RoleError::TooMany(list.len()));
            }
            list.iter().try_for_each(|pattern| check_pattern(pattern, is_data))?;
        }
    }
    if role.assignable_scopes.is_empty() {
        return Err(RoleError::NoScope);
    }
    for scope in &role.assignable_scopes {
        scope.parse::<Scope>()?;
    }
    Ok(())
}

fn check_pattern(pattern: &str, is_data: bool) -> Result<(), RoleError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".*/-_".contains(c);
    if pattern.is_empty() || !pattern.chars().all(is_plain) || !(pattern.contains('/') || pattern.contains('*')) {
        return Err(RoleError::Shape(pattern.to_owned()));
    }
    let means = |action: &Action| match is_data {
        false => matches(pattern, action.name()),
        true => action.data_action().is_some_and(|name| matches(pattern, name)),
    };
    if pattern.to_ascii_lowercase().starts_with("microsoft.") || is_data || Action::ALL.iter().any(means) {
        return Ok(());
    }
    let verb = pattern.rsplit('/').next().unwrap_or_default();
    let near: BTreeSet<&str> = Action::ALL
        .iter()
        .map(|action| action.name())
        .filter(|name| {
            let parts: Vec<&str> = pattern.split('/').filter(|part| part.len() > 2 && *part != verb).collect();
            name.ends_with(verb) && parts.last().is_some_and(|part| name.to_lowercase().contains(&part.to_lowercase()))
        })
        .collect();
    let hint = match near.first() {
        Some(name) => format!("; is {name} meant?"),
        None => String::new(),
    };
    Err(RoleError::NoSuchAction(pattern.to_owned(), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_part_of_a_name() {
        for (pattern, name, is_meant) in [
            ("*", "a/b/read", true),
            ("*/read", "a/b/read", true),
            ("*/read", "a/b/readers", false),
            ("a/*/read", "A/b/c/READ", true),
            ("a/*", "a/", true),
            ("a/*", "ab/read", false),
            ("a/b/read", "a/b/read", true),
            ("a/b/rea", "a/b/read", false),
            ("*b*b*", "abab", true),
            ("*b*b*b*", "abab", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), is_meant, "{pattern} {name}");
        }
    }

    fn custom(actions: &[&str]) -> RoleDefinition {
        RoleDefinition {
            id: "1".into(),
            name: "Night shift".into(),
            description: String::new(),
            is_built_in: false,
            permissions: vec![Permission {
                actions: actions.iter().map(|&action| action.to_owned()).collect(),
                ..Permission::default()
            }],
            assignable_scopes: vec!["/".into()],
        }
    }

    #[test]
    fn a_custom_role_says_what_is_wrong_with_it() {
        assert_eq!(check_custom(&custom(&["Microsoft.AlertsManagement/alerts/*", "*/read"])), Ok(()));
        assert_eq!(check_custom(&custom(&[])), Err(RoleError::Empty));
        assert_eq!(check_custom(&custom(&["alerts"])), Err(RoleError::Shape("alerts".into())));
        let wrong = check_custom(&custom(&["Watchkeeper/managementGroup/tasks/read"])).unwrap_err().to_string();
        assert!(wrong.ends_with("; is Watchkeeper/managementGroups/tasks/read meant?"), "{wrong}");
        let named = RoleDefinition { name: "log analytics reader".into(), ..custom(&["*/read"]) };
        assert_eq!(check_custom(&named), Err(RoleError::BuiltInName("Log Analytics Reader".into())));
        let nowhere = RoleDefinition { assignable_scopes: vec!["/nowhere".into()], ..custom(&["*/read"]) };
        assert!(check_custom(&nowhere).unwrap_err().to_string().contains("/workspaces/ID"));
    }

    #[test]
    fn what_not_actions_take_away_another_permission_may_give() {
        let mut role = custom(&["*"]);
        role.permissions[0].not_actions = vec!["*/write".into()];
        assert!(role.allows(Action::ReadAlerts) && !role.allows(Action::WritePacks));
        role.permissions.push(Permission { actions: vec!["*/packs/write".into()], ..Permission::default() });
        assert!(role.allows(Action::WritePacks) && !role.allows(Action::WriteGroups));
    }
}
