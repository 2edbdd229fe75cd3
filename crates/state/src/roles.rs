//! Who has which role where, and the roles that people make. What a role allows is the authorization crate's to say: here
//! a role is its id, a scope its text, and a role that people made a document.

use std::fmt;
use std::str::FromStr;

use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::is_duplicate;
use crate::{State, StateError, now};

/// What a role was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectKind {
    User,
    Group,
    ServicePrincipal,
}

impl SubjectKind {
    pub const ALL: [SubjectKind; 3] = [SubjectKind::User, SubjectKind::Group, SubjectKind::ServicePrincipal];

    /// The names of Azure's role assignments.
    pub const fn name(self) -> &'static str {
        match self {
            SubjectKind::User => "User",
            SubjectKind::Group => "Group",
            SubjectKind::ServicePrincipal => "ServicePrincipal",
        }
    }
}

impl fmt::Display for SubjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SubjectKind {
    type Err = StateError;

    fn from_str(name: &str) -> Result<SubjectKind, StateError> {
        let found = SubjectKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| StateError::Unknown {
            what: "the kind of principal",
            name: name.to_owned(),
            known: SubjectKind::ALL.map(SubjectKind::name).join(", "),
        })
    }
}

/// A role that somebody has at a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAssignment {
    pub id: String,
    /// The client id of a principal, or the id of a user or group.
    pub subject: String,
    pub kind: SubjectKind,
    pub scope: String,
    pub role_id: String,
    pub description: String,
    /// Seconds since the Unix epoch.
    pub created_at: i64,
    pub created_by: String,
}

impl RoleAssignment {
    /// A new one with an id of its own, made now.
    pub fn new(subject: &str, kind: SubjectKind, scope: &str, role_id: &str, by: &str) -> RoleAssignment {
        RoleAssignment {
            id: Uuid::new_v4().to_string(),
            subject: subject.to_owned(),
            kind,
            scope: scope.to_owned(),
            role_id: role_id.to_owned(),
            description: String::new(),
            created_at: now(),
            created_by: by.to_owned(),
        }
    }
}

/// What a decision needs of an assignment: the role's document where people made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenRole {
    pub scope: String,
    pub role_id: String,
    pub document: Option<String>,
}

/// A role that people made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRole {
    pub role_id: String,
    pub name: String,
    pub document: String,
    pub created_at: i64,
    pub updated_at: i64,
}

/// An assignment of the time when roles were names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldRole {
    pub subject: String,
    pub scope: String,
    pub role: String,
    pub is_user: bool,
}

const ASSIGNMENT: &str =
    "SELECT id, subject, kind, scope, role_id, description, created_at, created_by FROM role_assignments";
const CUSTOM: &str = "SELECT role_id, name, document, created_at, updated_at FROM custom_roles";

impl State {
    /// What somebody was given, by itself or as a member of directory groups.
    pub async fn given_roles(&self, subject: &str) -> Result<Vec<GivenRole>, StateError> {
        let rows = sqlx::query(
            "SELECT DISTINCT a.scope, a.role_id, c.document FROM role_assignments a \
             LEFT JOIN custom_roles c ON c.role_id = a.role_id WHERE a.subject = $1 \
             OR a.subject IN (SELECT group_id FROM directory_group_members WHERE member = $1) \
             ORDER BY a.scope, a.role_id",
        )
        .bind(subject)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok(GivenRole { scope: row.try_get(0)?, role_id: row.try_get(1)?, document: row.try_get(2)? }))
            .collect()
    }

    /// Every assignment, by scope.
    pub async fn role_assignments(&self) -> Result<Vec<RoleAssignment>, StateError> {
        let text = format!("{ASSIGNMENT} ORDER BY scope, subject, created_at, id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&self.pool).await?;
        rows.iter().map(read_assignment).collect()
    }

    pub async fn role_assignments_of(&self, subject: &str) -> Result<Vec<RoleAssignment>, StateError> {
        let text = format!("{ASSIGNMENT} WHERE subject = $1 ORDER BY scope, created_at, id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(subject).fetch_all(&self.pool).await?;
        rows.iter().map(read_assignment).collect()
    }

    pub async fn role_assignment(&self, id: &str) -> Result<Option<RoleAssignment>, StateError> {
        let text = format!("{ASSIGNMENT} WHERE id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read_assignment).transpose()
    }

    /// Gives a role. Whoever has it there already keeps the assignment that it has: false.
    pub async fn grant_role(&self, given: &RoleAssignment) -> Result<bool, StateError> {
        let done = sqlx::query(
            "INSERT INTO role_assignments (id, subject, kind, scope, role_id, description, created_at, created_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (subject, scope, role_id) DO NOTHING",
        )
        .bind(&given.id)
        .bind(&given.subject)
        .bind(given.kind.name())
        .bind(&given.scope)
        .bind(&given.role_id)
        .bind(&given.description)
        .bind(given.created_at)
        .bind(&given.created_by)
        .execute(&self.writer)
        .await
        .map_err(|error| match is_duplicate(&error) {
            true => StateError::Exists { what: "the role assignment", name: given.id.clone() },
            false => error.into(),
        })?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes a role away; false where there is no such assignment.
    pub async fn revoke_role(&self, id: &str) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM role_assignments WHERE id = $1").bind(id).execute(&self.writer).await?;
        Ok(done.rows_affected() > 0)
    }

    /// The roles that people made, by name.
    pub async fn custom_roles(&self) -> Result<Vec<CustomRole>, StateError> {
        let text = format!("{CUSTOM} ORDER BY name");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&self.pool).await?;
        rows.iter().map(read_custom).collect()
    }

    /// Makes a role, or replaces the one with the same id.
    pub async fn put_custom_role(&self, role_id: &str, name: &str, document: &str) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO custom_roles (role_id, name, document, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) \
             ON CONFLICT (role_id) DO UPDATE SET name = excluded.name, document = excluded.document, \
             updated_at = excluded.updated_at",
        )
        .bind(role_id)
        .bind(name)
        .bind(document)
        .bind(now())
        .execute(&self.writer)
        .await
        .map_err(|error| match is_duplicate(&error) {
            true => StateError::Exists { what: "the role", name: name.to_owned() },
            false => error.into(),
        })?;
        Ok(())
    }

    /// Removes a role that nobody has; false where there is none. The number of its assignments where it is still given.
    pub async fn delete_custom_role(&self, role_id: &str) -> Result<Result<bool, i64>, StateError> {
        let mut transaction = self.writer.begin().await?;
        let given: i64 = sqlx::query("SELECT COUNT(*) FROM role_assignments WHERE role_id = $1")
            .bind(role_id)
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        if given > 0 {
            return Ok(Err(given));
        }
        let done =
            sqlx::query("DELETE FROM custom_roles WHERE role_id = $1").bind(role_id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Ok(done.rows_affected() > 0))
    }

    /// Everybody who can be given a role: id, name and kind.
    pub async fn subjects(&self) -> Result<Vec<(String, String, SubjectKind)>, StateError> {
        let rows = sqlx::query(
            "SELECT client_id, name, 'ServicePrincipal' FROM principals UNION ALL SELECT id, name, 'User' FROM users \
             UNION ALL SELECT id, name, 'Group' FROM directory_groups",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let kind: String = row.try_get(2)?;
                Ok((row.try_get(0)?, row.try_get(1)?, kind.parse()?))
            })
            .collect()
    }

    /// What was given when roles were names, and was not moved yet.
    pub async fn old_roles(&self) -> Result<Vec<OldRole>, StateError> {
        let rows = sqlx::query(
            "SELECT o.subject, o.scope, o.role, u.id FROM old_role_assignments o LEFT JOIN users u ON u.id = o.subject \
             ORDER BY o.subject, o.scope, o.role",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(OldRole {
                    subject: row.try_get(0)?,
                    scope: row.try_get(1)?,
                    role: row.try_get(2)?,
                    is_user: row.try_get::<Option<String>, _>(3)?.is_some(),
                })
            })
            .collect()
    }

    /// Puts new assignments in the place of an old one.
    pub async fn move_old_role(&self, old: &OldRole, new: &[RoleAssignment]) -> Result<(), StateError> {
        for given in new {
            self.grant_role(given).await?;
        }
        sqlx::query("DELETE FROM old_role_assignments WHERE subject = $1 AND scope = $2 AND role = $3")
            .bind(&old.subject)
            .bind(&old.scope)
            .bind(&old.role)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

fn read_assignment(row: &AnyRow) -> Result<RoleAssignment, StateError> {
    let kind: String = row.try_get(2)?;
    Ok(RoleAssignment {
        id: row.try_get(0)?,
        subject: row.try_get(1)?,
        kind: kind.parse()?,
        scope: row.try_get(3)?,
        role_id: row.try_get(4)?,
        description: row.try_get(5)?,
        created_at: row.try_get(6)?,
        created_by: row.try_get(7)?,
    })
}

fn read_custom(row: &AnyRow) -> Result<CustomRole, StateError> {
    Ok(CustomRole {
        role_id: row.try_get(0)?,
        name: row.try_get(1)?,
        document: row.try_get(2)?,
        created_at: row.try_get(3)?,
        updated_at: row.try_get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn roles_are_given_once_listed_and_taken_back() {
        stores::each(|place| async move {
            let state = place.open().await;
            let given = RoleAssignment::new("somebody", SubjectKind::User, "/workspaces/w", "reader", "admin");
            assert!(state.grant_role(&given).await.unwrap());
            let again = RoleAssignment::new("somebody", SubjectKind::User, "/workspaces/w", "reader", "other");
            assert!(!state.grant_role(&again).await.unwrap());
            let other = RoleAssignment { subject: "else".into(), ..given.clone() };
            assert!(matches!(state.grant_role(&other).await, Err(StateError::Exists { .. })));
            let group = RoleAssignment::new("group", SubjectKind::Group, "/", "made", "admin");
            state.put_custom_role("made", "Made", "{}").await.unwrap();
            state.grant_role(&group).await.unwrap();

            let had = state.given_roles("somebody").await.unwrap();
            assert_eq!(had.iter().map(|one| one.scope.as_str()).collect::<Vec<_>>(), ["/workspaces/w"]);
            assert_eq!(state.given_roles("group").await.unwrap()[0].document.as_deref(), Some("{}"));
            assert_eq!(state.role_assignments_of("somebody").await.unwrap(), std::slice::from_ref(&given));
            assert_eq!(state.role_assignments().await.unwrap(), [group.clone(), given.clone()]);

            assert_eq!(state.delete_custom_role("made").await.unwrap(), Err(1));
            assert!(state.revoke_role(&group.id).await.unwrap());
            assert!(!state.revoke_role(&group.id).await.unwrap());
            assert_eq!(state.role_assignment(&group.id).await.unwrap(), None);
            assert_eq!(state.delete_custom_role("made").await.unwrap(), Ok(true));
            assert_eq!(state.delete_custom_role("made").await.unwrap(), Ok(false));
        })
        .await;
    }

    #[tokio::test]
    async fn two_roles_cannot_have_one_name() {
        stores::each(|place| async move {
            let state = place.open().await;
            state.put_custom_role("a", "Night shift", "{}").await.unwrap();
            state.put_custom_role("a", "Night shift", r#"{"x":1}"#).await.unwrap();
            assert_eq!(state.custom_roles().await.unwrap()[0].document, r#"{"x":1}"#);
            let taken = state.put_custom_role("b", "Night shift", "{}").await;
            assert!(matches!(taken, Err(StateError::Exists { .. })));
        })
        .await;
    }

    #[tokio::test]
    async fn a_role_of_the_old_kind_is_moved_once() {
        stores::each(|place| async move {
            let state = place.open().await;
            let user = state.create_user("somebody", "a password").await.unwrap();
            sqlx::query("INSERT INTO old_role_assignments (subject, scope, role) VALUES ($1, '/', 'Administrator')")
                .bind(&user.id)
                .execute(&state.writer)
                .await
                .unwrap();
            let old = state.old_roles().await.unwrap();
            assert!(old.len() == 1 && old[0].is_user && old[0].role == "Administrator");
            let new = RoleAssignment::new(&user.id, SubjectKind::User, "/", "owner", "upgrade");
            state.move_old_role(&old[0], std::slice::from_ref(&new)).await.unwrap();
            assert_eq!(state.old_roles().await.unwrap(), []);
            assert_eq!(state.role_assignments_of(&user.id).await.unwrap(), [new]);
        })
        .await;
    }
}
