//! How far people were warned of the end of secrets and certificates.

use std::collections::HashMap;

use sqlx::{AnyConnection, Row};

use crate::batch::{self, row};
use crate::{Changes, State, StateError};

/// A secret or certificate that somebody was warned of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryWarning {
    pub item: String,
    /// 1 to 3, the last the most urgent.
    pub stage: u8,
    /// When it ends, as it was said then, in microseconds since the Unix epoch.
    pub expires_at: i64,
    pub alert_id: String,
}

async fn read(connection: &mut AnyConnection, scope: &str) -> Result<HashMap<String, ExpiryWarning>, StateError> {
    let sql = "SELECT item, stage, expires_at, alert_id FROM expiry_warnings";
    let mut warnings = HashMap::new();
    for row in sqlx::query(sql).fetch_all(connection).await? {
        let item: String = row.try_get(0)?;
        let stage = u8::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u8::MAX);
        if item.starts_with(scope) {
            let warning =
                ExpiryWarning { item: item.clone(), stage, expires_at: row.try_get(2)?, alert_id: row.try_get(3)? };
            warnings.insert(item, warning);
        }
    }
    Ok(warnings)
}

impl State {
    /// The warnings of items that begin with `scope`, by item.
    pub async fn expiry_warnings(&self, scope: &str) -> Result<HashMap<String, ExpiryWarning>, StateError> {
        read(&mut *self.pool.acquire().await?, scope).await
    }
}

impl Changes {
    /// The warnings of items that begin with `scope`, by item.
    pub async fn expiry_warnings(&mut self, scope: &str) -> Result<HashMap<String, ExpiryWarning>, StateError> {
        read(self.connection(), scope).await
    }

    pub async fn put_expiry_warnings(&mut self, warnings: &[ExpiryWarning]) -> Result<(), StateError> {
        let rows: Vec<_> = warnings
            .iter()
            .map(|warning| row![&warning.item, i64::from(warning.stage), warning.expires_at, &warning.alert_id])
            .collect();
        let tail = "ON CONFLICT (item) DO UPDATE SET stage = excluded.stage, expires_at = excluded.expires_at, \
                    alert_id = excluded.alert_id";
        let head = "INSERT INTO expiry_warnings (item, stage, expires_at, alert_id)";
        batch::execute(self.connection(), head, tail, &rows).await?;
        Ok(())
    }

    pub async fn delete_expiry_warning(&mut self, item: &str) -> Result<(), StateError> {
        sqlx::query("DELETE FROM expiry_warnings WHERE item = $1").bind(item).execute(self.connection()).await?;
        Ok(())
    }
}
