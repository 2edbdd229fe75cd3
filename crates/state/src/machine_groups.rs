//! Groups of machines on the map of a workspace.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::documents::{read as read_document, write};
use crate::{State, StateError, now};

/// A group of machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineGroup {
    /// A UUID.
    pub id: String,
    pub workspace_id: String,
    pub display_name: String,
    /// Another one after every write.
    pub etag: String,
    pub machines: Vec<GroupedMachine>,
    /// Seconds since the Unix epoch.
    pub updated_at: i64,
}

/// A machine of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupedMachine {
    /// Its name on the map, `m-…`.
    pub name: String,
    /// What it was called when the group was written last.
    pub display_name: String,
    /// The family of its operating system at that time, in lower case; empty where it was not known.
    pub os_family: String,
}

const COLUMNS: &str = "SELECT id, workspace_id, display_name, etag, machines, updated_at FROM machine_groups";

impl State {
    /// Makes a group.
    pub async fn create_machine_group(
        &self,
        workspace_id: &str,
        display_name: &str,
        machines: Vec<GroupedMachine>,
    ) -> Result<MachineGroup, StateError> {
        let group = MachineGroup {
            id: Uuid::new_v4().to_string(),
            workspace_id: workspace_id.to_owned(),
            display_name: display_name.to_owned(),
            etag: Uuid::new_v4().to_string(),
            machines,
            updated_at: now(),
        };
        sqlx::query(
            "INSERT INTO machine_groups (id, workspace_id, display_name, etag, machines, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&group.id)
        .bind(&group.workspace_id)
        .bind(&group.display_name)
        .bind(&group.etag)
        .bind(write("machine group", &group.machines)?)
        .bind(group.updated_at)
        .execute(&self.pool)
        .await?;
        Ok(group)
    }

    /// Changes name and machines of a group and gives it a new tag; none where the group is gone, or where its tag is
    /// not the expected one any more.
    pub async fn replace_machine_group(
        &self,
        group: &MachineGroup,
        expected_etag: Option<&str>,
    ) -> Result<Option<MachineGroup>, StateError> {
        let group = MachineGroup { etag: Uuid::new_v4().to_string(), updated_at: now(), ..group.clone() };
        let done = sqlx::query(
            "UPDATE machine_groups SET display_name = $1, etag = $2, machines = $3, updated_at = $4 \
             WHERE id = $5 AND ($6 = '' OR etag = $6)",
        )
        .bind(&group.display_name)
        .bind(&group.etag)
        .bind(write("machine group", &group.machines)?)
        .bind(group.updated_at)
        .bind(&group.id)
        .bind(expected_etag.unwrap_or_default())
        .execute(&self.pool)
        .await?;
        Ok((done.rows_affected() > 0).then_some(group))
    }

    pub async fn machine_group(&self, id: &str) -> Result<Option<MachineGroup>, StateError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The groups of a workspace, by name.
    pub async fn machine_groups(&self, workspace_id: &str) -> Result<Vec<MachineGroup>, StateError> {
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE workspace_id = $1 ORDER BY display_name, id")))
                .bind(workspace_id)
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(read).collect()
    }

    /// Removes a group; false where there is none.
    pub async fn delete_machine_group(&self, id: &str) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM machine_groups WHERE id = $1").bind(id).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }
}

fn read(row: &AnyRow) -> Result<MachineGroup, StateError> {
    Ok(MachineGroup {
        id: row.try_get(0)?,
        workspace_id: row.try_get(1)?,
        display_name: row.try_get(2)?,
        etag: row.try_get(3)?,
        machines: read_document("machine group", row, 4)?,
        updated_at: row.try_get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_group_changes_only_for_who_knows_its_present_tag() {
        stores::each(|place| async move {
            let state = place.open().await;
            let workspace = state.create_workspace("default").await.unwrap().id;
            let web = GroupedMachine { name: "m-1".into(), display_name: "web".into(), os_family: "linux".into() };
            let made = state.create_machine_group(&workspace, "shop", vec![web.clone()]).await.unwrap();
            assert_eq!(state.machine_group(&made.id).await.unwrap(), Some(made.clone()));
            let wanted = MachineGroup { display_name: "store".into(), machines: vec![], ..made.clone() };
            let changed = state.replace_machine_group(&wanted, Some(&made.etag)).await.unwrap().unwrap();
            assert_ne!(changed.etag, made.etag);
            assert_eq!(state.replace_machine_group(&wanted, Some(&made.etag)).await.unwrap(), None);
            let last = state.replace_machine_group(&wanted, None).await.unwrap().unwrap();
            assert_eq!(state.machine_groups(&workspace).await.unwrap(), [last]);
            assert!(state.machine_groups("another").await.unwrap().is_empty());
            assert!(state.delete_machine_group(&made.id).await.unwrap());
            assert!(!state.delete_machine_group(&made.id).await.unwrap());
        })
        .await;
    }
}
