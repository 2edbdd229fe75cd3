//! Groups of users and service principals, which hold roles for all of their members.

use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::is_duplicate;
use crate::{State, StateError, now};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryGroup {
    pub id: String,
    pub name: String,
    pub description: String,
    /// Seconds since the Unix epoch.
    pub created_at: i64,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// The id of a user or the client id of a service principal.
    pub id: String,
    pub name: String,
    pub is_principal: bool,
    /// Who says that it is a member; empty: it was put there by hand.
    pub provider: String,
}

const COLUMNS: &str = "SELECT id, name, description, created_at FROM directory_groups";

impl State {
    /// Makes a group.
    pub async fn create_directory_group(&self, name: &str, description: &str) -> Result<DirectoryGroup, StateError> {
        let (name, description) = (name.to_owned(), description.to_owned());
        let group = DirectoryGroup { id: Uuid::new_v4().to_string(), name, description, created_at: now() };
        sqlx::query("INSERT INTO directory_groups (id, name, description, created_at) VALUES ($1, $2, $3, $4)")
            .bind(&group.id)
            .bind(&group.name)
            .bind(&group.description)
            .bind(group.created_at)
            .execute(&self.writer)
            .await
            .map_err(|error| exists(error, &group.name))?;
        Ok(group)
    }

    /// Gives a group another name and description.
    pub async fn change_directory_group(&self, id: &str, name: &str, description: &str) -> Result<(), StateError> {
        let done = sqlx::query("UPDATE directory_groups SET name = $1, description = $2 WHERE id = $3")
            .bind(name)
            .bind(description)
            .bind(id)
            .execute(&self.writer)
            .await
            .map_err(|error| exists(error, name))?;
        found(done.rows_affected(), id)
    }

    /// Removes a group with the roles that it has.
    pub async fn delete_directory_group(&self, id: &str) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        for statement in [
            "DELETE FROM directory_group_members WHERE group_id = $1",
            "DELETE FROM role_assignments WHERE subject = $1",
        ] {
            sqlx::query(statement).bind(id).execute(&mut *transaction).await?;
        }
        let done =
            sqlx::query("DELETE FROM directory_groups WHERE id = $1").bind(id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        found(done.rows_affected(), id)
    }

    /// Every group, by name.
    pub async fn directory_groups(&self) -> Result<Vec<DirectoryGroup>, StateError> {
        let sql = format!("{COLUMNS} ORDER BY name");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    /// The group with an id or a name.
    pub async fn directory_group(&self, id_or_name: &str) -> Result<Option<DirectoryGroup>, StateError> {
        let sql = format!("{COLUMNS} WHERE id = $1 OR name = $1 ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id_or_name).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// The groups that a user or principal is in, by name.
    pub async fn groups_of_member(&self, member: &str) -> Result<Vec<DirectoryGroup>, StateError> {
        let sql = format!(
            "{COLUMNS} WHERE id IN (SELECT group_id FROM directory_group_members WHERE member = $1) ORDER BY name"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(member).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }

    /// The members of a group, by name.
    pub async fn directory_group_members(&self, group_id: &str) -> Result<Vec<GroupMember>, StateError> {
        let rows = sqlx::query(
            "SELECT m.member, COALESCE(u.name, p.name, ''), COALESCE(p.client_id, ''), m.provider \
             FROM directory_group_members m LEFT JOIN users u ON u.id = m.member \
             LEFT JOIN principals p ON p.client_id = m.member WHERE m.group_id = $1 ORDER BY 2, 1",
        )
        .bind(group_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(GroupMember {
                    id: row.try_get(0)?,
                    name: row.try_get(1)?,
                    is_principal: !row.try_get::<String, _>(2)?.is_empty(),
                    provider: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Puts a user or principal into a group by hand; twice changes nothing.
    pub async fn add_group_member(&self, group_id: &str, member: &str) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO directory_group_members (group_id, member, provider) VALUES ($1, $2, '') \
             ON CONFLICT (group_id, member) DO UPDATE SET provider = ''",
        )
        .bind(group_id)
        .bind(member)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    pub async fn remove_group_member(&self, group_id: &str, member: &str) -> Result<(), StateError> {
        let done = sqlx::query("DELETE FROM directory_group_members WHERE group_id = $1 AND member = $2")
            .bind(group_id)
            .bind(member)
            .execute(&self.writer)
            .await?;
        match done.rows_affected() {
            0 => Err(StateError::Missing { what: "the member", name: member.to_owned() }),
            _ => Ok(()),
        }
    }

    /// Makes a user a member of exactly these groups as far as `provider` says so; what was done by hand stays.
    pub async fn set_groups_of_provider(
        &self,
        member: &str,
        provider: &str,
        group_ids: &[String],
    ) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("DELETE FROM directory_group_members WHERE member = $1 AND provider = $2")
            .bind(member)
            .bind(provider)
            .execute(&mut *transaction)
            .await?;
        for group_id in group_ids {
            sqlx::query(
                "INSERT INTO directory_group_members (group_id, member, provider) VALUES ($1, $2, $3) \
                 ON CONFLICT (group_id, member) DO NOTHING",
            )
            .bind(group_id)
            .bind(member)
            .bind(provider)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

fn exists(error: sqlx::Error, name: &str) -> StateError {
    match is_duplicate(&error) {
        true => StateError::Exists { what: "the directory group", name: name.to_owned() },
        false => error.into(),
    }
}

fn found(rows: u64, id: &str) -> Result<(), StateError> {
    match rows {
        0 => Err(StateError::Missing { what: "the directory group", name: id.to_owned() }),
        _ => Ok(()),
    }
}

fn read(row: &AnyRow) -> Result<DirectoryGroup, StateError> {
    Ok(DirectoryGroup {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        description: row.try_get(2)?,
        created_at: row.try_get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use crate::{GivenRole, RoleAssignment, SubjectKind, stores};

    #[tokio::test]
    async fn a_member_has_the_roles_of_its_groups_as_long_as_it_is_one() {
        stores::each(|place| async move {
            let state = place.open().await;
            let user = state.create_user("ada", "secret").await.unwrap();
            let principal = state.create_principal("pipeline").await.unwrap();
            let group = state.create_directory_group("operators", "on call").await.unwrap();
            for (subject, kind, role) in [
                (&group.id, SubjectKind::Group, "operator"),
                (&user.id, SubjectKind::User, "operator"),
                (&user.id, SubjectKind::User, "reader"),
            ] {
                state.grant_role(&RoleAssignment::new(subject, kind, "/", role, "test")).await.unwrap();
            }
            for member in [&user.id, &principal.client_id, &user.id] {
                state.add_group_member(&group.id, member).await.unwrap();
            }
            let names = |roles: Vec<GivenRole>| roles.into_iter().map(|one| one.role_id).collect::<Vec<_>>();
            assert_eq!(names(state.given_roles(&principal.client_id).await.unwrap()), ["operator"]);
            assert_eq!(names(state.given_roles(&user.id).await.unwrap()), ["operator", "reader"]);
            let members = state.directory_group_members(&group.id).await.unwrap();
            let shown: Vec<_> = members.iter().map(|one| (one.name.as_str(), one.is_principal)).collect();
            assert_eq!(shown, [("ada", false), ("pipeline", true)]);
            assert_eq!(state.groups_of_member(&user.id).await.unwrap(), std::slice::from_ref(&group));
            assert_eq!(state.directory_group("operators").await.unwrap(), Some(group.clone()));
            state.remove_group_member(&group.id, &principal.client_id).await.unwrap();
            assert!(state.given_roles(&principal.client_id).await.unwrap().is_empty());
            state.delete_directory_group(&group.id).await.unwrap();
            assert!(state.directory_groups().await.unwrap().is_empty());
            assert!(state.groups_of_member(&user.id).await.unwrap().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn a_provider_sets_its_own_memberships_alone() {
        stores::each(|place| async move {
            let state = place.open().await;
            let user = state.create_user("ada", "secret").await.unwrap();
            let mut ids = Vec::new();
            for name in ["a", "b", "c"] {
                ids.push(state.create_directory_group(name, "").await.unwrap().id);
            }
            state.add_group_member(&ids[0], &user.id).await.unwrap();
            state.set_groups_of_provider(&user.id, "corp", &ids[..2]).await.unwrap();
            state.set_groups_of_provider(&user.id, "corp", &ids[2..]).await.unwrap();
            let groups = state.groups_of_member(&user.id).await.unwrap();
            assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        })
        .await;
    }
}
