//! Groups of computers that are imported or made by hand. Members are written in parts under a new version while a group
//! keeps the old one; a change of the groups then moves all of them at once.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::batch::{self, row};
use crate::error::is_duplicate;
use crate::{Changes, State, StateError};

/// Where groups come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSource {
    pub source_id: String,
    /// `SCCM`, `ActiveDirectory`, `Manual`.
    pub kind: String,
    /// The time of the last rows of the table, microseconds since the Unix epoch; 0 for none.
    pub rows_at: i64,
    /// Those rows are all written.
    pub rows_done: bool,
    /// Different computers in its groups.
    pub computers: i64,
}

/// A group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComputerGroup {
    pub group_id: String,
    pub source_id: String,
    /// What the source calls it.
    pub source_key: String,
    pub name: String,
    pub full_name: String,
    pub source_name: String,
    /// Queries call it by this name; empty: by none.
    pub alias: String,
    /// It is a group of the management group too.
    pub in_management_group: bool,
    /// Which of the lists of members holds.
    pub version: i64,
    pub members: i64,
    /// Another one for other members, as the source says; empty: it does not say.
    pub fingerprint: String,
    pub changed_at: i64,
}

const COLUMNS: &str = "SELECT group_id, source_id, source_key, name, full_name, source_name, alias, \
                       in_management_group, version, members, fingerprint, changed_at FROM computer_groups";

impl State {
    /// Every source, by its id.
    pub async fn group_sources(&self) -> Result<Vec<GroupSource>, StateError> {
        let sql =
            "SELECT source_id, kind, rows_at, rows_done, computers FROM computer_group_sources ORDER BY source_id";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(GroupSource {
                    source_id: row.try_get(0)?,
                    kind: row.try_get(1)?,
                    rows_at: row.try_get(2)?,
                    rows_done: row.try_get::<i64, _>(3)? != 0,
                    computers: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Makes a source where there is none of this id.
    pub async fn add_group_source(&self, source_id: &str, kind: &str) -> Result<(), StateError> {
        let sql = "INSERT INTO computer_group_sources (source_id, kind, rows_at, rows_done, computers) \
                   VALUES ($1, $2, 0, 1, 0) ON CONFLICT (source_id) DO NOTHING";
        sqlx::query(sql).bind(source_id).bind(kind).execute(&self.writer).await?;
        Ok(())
    }

    /// Removes a source with its groups and their members.
    pub async fn delete_group_source(&self, source_id: &str) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        for sql in [
            "DELETE FROM computer_group_members WHERE source_id = $1",
            "DELETE FROM computer_groups WHERE source_id = $1",
            "DELETE FROM computer_group_sources WHERE source_id = $1",
        ] {
            sqlx::query(sql).bind(source_id).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Notes that the rows of a time are all written, and how many computers they had.
    pub async fn group_rows_done(&self, source_id: &str, rows_at: i64, computers: i64) -> Result<(), StateError> {
        let sql =
            "UPDATE computer_group_sources SET rows_done = 1, computers = $1 WHERE source_id = $2 AND rows_at = $3";
        sqlx::query(sql).bind(computers).bind(source_id).bind(rows_at).execute(&self.writer).await?;
        Ok(())
    }

    /// The groups of a source, or of all; by source and name.
    pub async fn computer_groups(&self, source_id: Option<&str>) -> Result<Vec<ComputerGroup>, StateError> {
        let sql = format!("{COLUMNS} WHERE $1 = '' OR source_id = $1 ORDER BY source_id, name, group_id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(source_id.unwrap_or_default());
        rows.fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// The groups that queries call by a name.
    pub async fn aliased_computer_groups(&self) -> Result<Vec<ComputerGroup>, StateError> {
        let sql = format!("{COLUMNS} WHERE alias <> ''");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?.iter().map(read).collect()
    }

    /// A group by its id.
    pub async fn computer_group(&self, group_id: &str) -> Result<Option<ComputerGroup>, StateError> {
        let sql = format!("{COLUMNS} WHERE group_id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(group_id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read).transpose()
    }

    /// The next part of the members of a group after another; -1 for the first.
    pub async fn computer_group_part(
        &self,
        group_id: &str,
        version: i64,
        after: i64,
    ) -> Result<Option<(i64, Vec<String>)>, StateError> {
        let sql = "SELECT part, names FROM computer_group_members \
                   WHERE group_id = $1 AND version = $2 AND part > $3 ORDER BY part LIMIT 1";
        let row = sqlx::query(sql).bind(group_id).bind(version).bind(after).fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        let names: String = row.try_get(1)?;
        Ok(Some((row.try_get(0)?, names.lines().map(str::to_owned).collect())))
    }

    /// Writes a part of the members of a version that holds nowhere yet.
    pub async fn stage_computer_group_part(
        &self,
        group: &ComputerGroup,
        part: i64,
        names: &[String],
    ) -> Result<(), StateError> {
        let sql = "INSERT INTO computer_group_members (source_id, group_id, version, part, names) \
                   VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (group_id, version, part) DO UPDATE SET names = excluded.names";
        sqlx::query(sql)
            .bind(&group.source_id)
            .bind(&group.group_id)
            .bind(group.version)
            .bind(part)
            .bind(names.join("\n"))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Changes the name that queries call a group by, and whether the management group has it; false where the group is
    /// gone.
    pub async fn set_computer_group_use(
        &self,
        group_id: &str,
        alias: &str,
        in_management_group: bool,
    ) -> Result<bool, StateError> {
        let sql = "UPDATE computer_groups SET alias = $1, in_management_group = $2 WHERE group_id = $3";
        let done = sqlx::query(sql).bind(alias).bind(i64::from(in_management_group)).bind(group_id);
        Ok(done.execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Removes what is staged or left over of a source: members of versions that no group has.
    pub async fn drop_unused_members(&self, source_id: &str) -> Result<(), StateError> {
        sqlx::query(DROP_UNUSED).bind(source_id).execute(&self.writer).await?;
        Ok(())
    }
}

const DROP_UNUSED: &str = "DELETE FROM computer_group_members WHERE source_id = $1 AND NOT EXISTS (\
                           SELECT 1 FROM computer_groups known WHERE known.group_id = computer_group_members.group_id \
                           AND known.version = computer_group_members.version)";

impl Changes {
    /// Makes groups as they are given, names and members at once. Alias and use stay as they are in a group that is known.
    pub async fn put_computer_groups(&mut self, groups: &[ComputerGroup]) -> Result<(), StateError> {
        let rows: Vec<_> = groups
            .iter()
            .map(|group| {
                row![
                    &group.group_id,
                    &group.source_id,
                    &group.source_key,
                    &group.name,
                    &group.full_name,
                    &group.source_name,
                    &group.alias,
                    group.in_management_group,
                    group.version,
                    group.members,
                    &group.fingerprint,
                    group.changed_at,
                ]
            })
            .collect();
        let head = "INSERT INTO computer_groups (group_id, source_id, source_key, name, full_name, source_name, alias, \
                    in_management_group, version, members, fingerprint, changed_at)";
        let tail = "ON CONFLICT (group_id) DO UPDATE SET source_key = excluded.source_key, name = excluded.name, \
                    full_name = excluded.full_name, source_name = excluded.source_name, version = excluded.version, \
                    members = excluded.members, fingerprint = excluded.fingerprint, changed_at = excluded.changed_at";
        batch::execute(self.connection(), head, tail, &rows).await.map_err(|error| match error {
            StateError::Sql(error) if is_duplicate(&error) => StateError::Exists {
                what: "the computer group",
                name: groups.first().map_or("", |one| &one.name).into(),
            },
            error => error,
        })?;
        Ok(())
    }

    /// Removes groups of a source, and the members that no group has any more.
    pub async fn remove_computer_groups(&mut self, source_id: &str, group_ids: &[String]) -> Result<(), StateError> {
        for group_id in group_ids {
            let sql = "DELETE FROM computer_groups WHERE source_id = $1 AND group_id = $2";
            sqlx::query(sql).bind(source_id).bind(group_id).execute(self.connection()).await?;
        }
        sqlx::query(DROP_UNUSED).bind(source_id).execute(self.connection()).await?;
        Ok(())
    }

    /// Has the rows of a source written anew, as of a time.
    pub async fn want_group_rows(&mut self, source_id: &str, rows_at: i64) -> Result<(), StateError> {
        let sql = "UPDATE computer_group_sources SET rows_at = $1, rows_done = 0 WHERE source_id = $2";
        sqlx::query(sql).bind(rows_at).bind(source_id).execute(self.connection()).await?;
        Ok(())
    }
}

fn read(row: &AnyRow) -> Result<ComputerGroup, StateError> {
    Ok(ComputerGroup {
        group_id: row.try_get(0)?,
        source_id: row.try_get(1)?,
        source_key: row.try_get(2)?,
        name: row.try_get(3)?,
        full_name: row.try_get(4)?,
        source_name: row.try_get(5)?,
        alias: row.try_get(6)?,
        in_management_group: row.try_get::<i64, _>(7)? != 0,
        version: row.try_get(8)?,
        members: row.try_get(9)?,
        fingerprint: row.try_get(10)?,
        changed_at: row.try_get(11)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    fn group(id: &str, version: i64) -> ComputerGroup {
        ComputerGroup {
            group_id: id.to_owned(),
            source_id: "s".to_owned(),
            source_key: format!("key of {id}"),
            name: id.to_owned(),
            version,
            members: 2,
            ..ComputerGroup::default()
        }
    }

    async fn names(state: &State, group: &ComputerGroup) -> Vec<String> {
        let (mut all, mut after) = (Vec::new(), -1);
        while let Some((part, names)) = state.computer_group_part(&group.group_id, group.version, after).await.unwrap()
        {
            all.extend(names);
            after = part;
        }
        all
    }

    #[tokio::test]
    async fn staged_members_are_seen_when_the_groups_move_and_not_before() {
        stores::each(|place| async move {
            let state = place.open().await;
            state.add_group_source("s", "SCCM").await.unwrap();
            state.add_group_source("s", "SCCM").await.unwrap();
            let first = group("a", 1);
            let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            state.stage_computer_group_part(&first, 0, &list(&["x", "y"])).await.unwrap();
            state.stage_computer_group_part(&first, 1, &list(&["z"])).await.unwrap();
            assert_eq!(state.computer_groups(None).await.unwrap(), []);
            let mut changes = state.change().await.unwrap();
            changes.put_computer_groups(&[first.clone(), group("b", 1)]).await.unwrap();
            changes.want_group_rows("s", 7).await.unwrap();
            changes.commit().await.unwrap();
            assert!(state.set_computer_group_use("a", "web", true).await.unwrap());
            assert_eq!(names(&state, &first).await, ["x", "y", "z"]);
            // a run that fails leaves parts of a version that nobody has
            let second = ComputerGroup { name: "renamed".to_owned(), ..group("a", 2) };
            state.stage_computer_group_part(&second, 0, &list(&["w"])).await.unwrap();
            state.drop_unused_members("s").await.unwrap();
            assert_eq!(names(&state, &first).await, ["x", "y", "z"]);
            assert!(names(&state, &second).await.is_empty());
            state.stage_computer_group_part(&second, 0, &list(&["w"])).await.unwrap();
            let mut changes = state.change().await.unwrap();
            changes.put_computer_groups(std::slice::from_ref(&second)).await.unwrap();
            changes.remove_computer_groups("s", &["b".to_owned()]).await.unwrap();
            changes.commit().await.unwrap();
            let known = state.computer_groups(Some("s")).await.unwrap();
            assert_eq!(known.len(), 1);
            assert_eq!((known[0].name.as_str(), known[0].alias.as_str()), ("renamed", "web"));
            assert!(known[0].in_management_group);
            assert_eq!(names(&state, &known[0]).await, ["w"]);
            assert!(names(&state, &first).await.is_empty());
            assert_eq!(state.aliased_computer_groups().await.unwrap(), known);
            let source = state.group_sources().await.unwrap().remove(0);
            assert_eq!((source.rows_at, source.rows_done), (7, false));
            state.group_rows_done("s", 7, 4).await.unwrap();
            assert_eq!(state.group_sources().await.unwrap()[0].computers, 4);
            state.delete_group_source("s").await.unwrap();
            assert_eq!(state.computer_groups(None).await.unwrap(), []);
        })
        .await;
    }
}
