//! Roles and who has them where. A scope is `/` (everything) or `/workspaces/ID`.

use std::fmt;
use std::str::FromStr;

use sqlx::Row;

use crate::{State, StateError};

/// The roles of the design, section 8, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Reader,
    Contributor,
    Operator,
    AdvancedOperator,
    Author,
    Administrator,
}

impl Role {
    pub const ALL: [Role; 6] =
        [Role::Reader, Role::Contributor, Role::Operator, Role::AdvancedOperator, Role::Author, Role::Administrator];

    pub const fn name(self) -> &'static str {
        match self {
            Role::Reader => "Reader",
            Role::Contributor => "Contributor",
            Role::Operator => "Operator",
            Role::AdvancedOperator => "AdvancedOperator",
            Role::Author => "Author",
            Role::Administrator => "Administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = StateError;

    fn from_str(name: &str) -> Result<Role, StateError> {
        Role::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(name)).ok_or_else(|| StateError::Unknown {
            what: "the role",
            name: name.to_owned(),
            known: Role::ALL.map(Role::name).join(", "),
        })
    }
}

/// One role in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAssignment {
    pub scope: String,
    pub role: Role,
}

impl RoleAssignment {
    /// True where the assignment reaches `scope`: it is the same or lies above.
    pub fn covers(&self, scope: &str) -> bool {
        self.scope == "/"
            || self.scope == scope
            || scope.strip_prefix(&self.scope).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl State {
    /// Gives a role to a principal (by its client id) or a user (by its id). Giving it twice changes nothing.
    pub async fn assign_role(&self, subject: &str, scope: &str, role: Role) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO role_assignments (subject, scope, role) VALUES ($1, $2, $3) \
             ON CONFLICT (subject, scope, role) DO NOTHING",
        )
        .bind(subject)
        .bind(scope)
        .bind(role.name())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Takes a role away.
    pub async fn remove_role(&self, subject: &str, scope: &str, role: Role) -> Result<(), StateError> {
        sqlx::query("DELETE FROM role_assignments WHERE subject = $1 AND scope = $2 AND role = $3")
            .bind(subject)
            .bind(scope)
            .bind(role.name())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Every role that a principal or user has, by itself or as a member of directory groups.
    pub async fn roles(&self, subject: &str) -> Result<Vec<RoleAssignment>, StateError> {
        let rows = sqlx::query(
            "SELECT DISTINCT scope, role FROM role_assignments WHERE subject = $1 \
             OR subject IN (SELECT group_id FROM directory_group_members WHERE member = $1) ORDER BY scope, role",
        )
        .bind(subject)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let role: String = row.try_get(1)?;
                Ok(RoleAssignment { scope: row.try_get(0)?, role: role.parse()? })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_itself_and_what_lies_below() {
        let assignment = |scope: &str| RoleAssignment { scope: scope.to_owned(), role: Role::Reader };
        for (scope, asked, covers) in [
            ("/", "/workspaces/a", true),
            ("/workspaces/a", "/workspaces/a", true),
            ("/workspaces/a", "/workspaces/a/tables/T", true),
            ("/workspaces/a", "/workspaces/ab", false),
            ("/workspaces/a", "/", false),
        ] {
            assert_eq!(assignment(scope).covers(asked), covers, "{scope} {asked}");
        }
    }
}
