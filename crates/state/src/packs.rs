//! Imported management packs and overrides.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{Changes, State, StateError, documents};

/// An imported management pack. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    pub pack_id: String,
    pub version: String,
    /// The display name.
    pub name: String,
    pub sealed: bool,
    /// `xml` or `yaml`.
    pub form: String,
    /// The document as it was imported.
    pub content: String,
    pub imported_at: i64,
    pub imported_by: String,
}

/// What happened to a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackHistory {
    pub version: String,
    /// `imported` or `removed`.
    pub change: String,
    pub changed_at: i64,
    pub changed_by: String,
}

/// An override (specification 7).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Override {
    pub override_id: String,
    /// The pack that holds it.
    pub pack_id: String,
    /// `MonitorPropertyOverride`, `RuleConfigurationOverride`, …
    pub kind: String,
    /// The workflow, by its full name.
    pub element: String,
    /// A class or group.
    pub context: String,
    /// One object, or empty.
    pub context_instance: String,
    pub enforced: bool,
    /// The module of a rule whose parameter it is, or empty.
    pub module: String,
    /// The property or parameter.
    pub parameter: String,
    pub value: String,
    pub changed_at: i64,
    pub changed_by: String,
}

const COLUMNS: &str =
    "SELECT pack_id, version, name, sealed, form, content, imported_at, imported_by FROM management_packs";

impl State {
    /// Every pack with its content, by identity.
    pub async fn packs(&self) -> Result<Vec<Pack>, StateError> {
        let sql = format!("{COLUMNS} ORDER BY pack_id");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?.iter().map(read_pack).collect()
    }

    pub async fn pack(&self, pack_id: &str) -> Result<Option<Pack>, StateError> {
        let sql = format!("{COLUMNS} WHERE pack_id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(pack_id).fetch_optional(&self.pool).await?;
        row.as_ref().map(read_pack).transpose()
    }

    /// The latest change first.
    pub async fn pack_history(&self, pack_id: &str) -> Result<Vec<PackHistory>, StateError> {
        let sql = "SELECT version, change, changed_at, changed_by FROM management_pack_history WHERE pack_id = $1 \
                   ORDER BY changed_at DESC";
        let rows = sqlx::query(sql).bind(pack_id).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(PackHistory {
                    version: row.try_get(0)?,
                    change: row.try_get(1)?,
                    changed_at: row.try_get(2)?,
                    changed_by: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Every override, by identity.
    pub async fn overrides(&self) -> Result<Vec<Override>, StateError> {
        let rows = sqlx::query("SELECT document FROM overrides ORDER BY override_id").fetch_all(&self.pool).await?;
        documents::read_all("the override", &rows, 0)
    }
}

impl Changes {
    /// Writes a pack, replacing the one with the same identity.
    pub async fn put_pack(&mut self, pack: &Pack) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO management_packs (pack_id, version, name, sealed, form, content, imported_at, imported_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (pack_id) DO UPDATE SET \
             version = excluded.version, name = excluded.name, sealed = excluded.sealed, form = excluded.form, \
             content = excluded.content, imported_at = excluded.imported_at, imported_by = excluded.imported_by",
        )
        .bind(&pack.pack_id)
        .bind(&pack.version)
        .bind(&pack.name)
        .bind(i64::from(pack.sealed))
        .bind(&pack.form)
        .bind(&pack.content)
        .bind(pack.imported_at)
        .bind(&pack.imported_by)
        .execute(self.connection())
        .await?;
        self.library_changed().await?;
        self.add_pack_history(&pack.pack_id, &pack.version, "imported", pack.imported_at, &pack.imported_by).await
    }

    /// Removes a pack with the overrides that it holds; false where there is none.
    pub async fn delete_pack(&mut self, pack_id: &str, at: i64, by: &str) -> Result<bool, StateError> {
        let sql = "DELETE FROM management_packs WHERE pack_id = $1 RETURNING version";
        let Some(row) = sqlx::query(sql).bind(pack_id).fetch_optional(self.connection()).await? else {
            return Ok(false);
        };
        let version: String = row.try_get(0)?;
        sqlx::query("DELETE FROM overrides WHERE pack_id = $1").bind(pack_id).execute(self.connection()).await?;
        self.library_changed().await?;
        self.add_pack_history(pack_id, &version, "removed", at, by).await?;
        Ok(true)
    }

    async fn add_pack_history(
        &mut self,
        pack_id: &str,
        version: &str,
        change: &str,
        at: i64,
        by: &str,
    ) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO management_pack_history (pack_id, version, change, changed_at, changed_by) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(pack_id)
        .bind(version)
        .bind(change)
        .bind(at)
        .bind(by)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes an override, replacing the one with the same identity.
    pub async fn put_override(&mut self, change: &Override) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO overrides (override_id, pack_id, element, document) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (override_id) DO UPDATE SET pack_id = excluded.pack_id, element = excluded.element, \
             document = excluded.document",
        )
        .bind(&change.override_id)
        .bind(&change.pack_id)
        .bind(&change.element)
        .bind(documents::write("the override", change)?)
        .execute(self.connection())
        .await?;
        self.library_changed().await
    }

    /// Removes an override; false where there is none.
    pub async fn delete_override(&mut self, override_id: &str) -> Result<bool, StateError> {
        self.library_changed().await?;
        let sql = "DELETE FROM overrides WHERE override_id = $1";
        Ok(sqlx::query(sql).bind(override_id).execute(self.connection()).await?.rows_affected() > 0)
    }
}

fn read_pack(row: &AnyRow) -> Result<Pack, StateError> {
    Ok(Pack {
        pack_id: row.try_get(0)?,
        version: row.try_get(1)?,
        name: row.try_get(2)?,
        sealed: row.try_get::<i64, _>(3)? != 0,
        form: row.try_get(4)?,
        content: row.try_get(5)?,
        imported_at: row.try_get(6)?,
        imported_by: row.try_get(7)?,
    })
}
