//! Run As accounts, which profiles use them, and which agents may have them (specification 8.1). Secrets are encrypted
//! at rest.

use std::fmt;

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::is_duplicate;
use crate::{State, StateError};

/// A stored credential, without its secret. Times are microseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAsAccount {
    pub account_id: String,
    pub name: String,
    /// `Basic`, `SnmpCommunity`, `Certificate`, …
    pub kind: String,
    pub user_name: String,
    /// Every agent may have it; else only those of its distribution.
    pub less_secure: bool,
    pub modified_at: i64,
}

/// A profile uses an account for a class, group or object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunAsAssociation {
    /// The profile, by its full name.
    pub profile: String,
    /// The identity of a class, group or object; empty: all.
    pub scope: String,
    pub account_id: String,
}

/// An account with its secret, for an agent that may have it.
#[derive(Clone, PartialEq, Eq)]
pub struct RunAsCredential {
    pub account: RunAsAccount,
    pub secret: String,
}

impl fmt::Debug for RunAsCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunAsCredential").field("account", &self.account).finish_non_exhaustive()
    }
}

const COLUMNS: &str = "SELECT account_id, name, kind, user_name, less_secure, modified_at, sealed_secret \
                       FROM run_as_accounts";

impl State {
    /// Writes an account; `None` leaves the secret that it has.
    pub async fn put_run_as_account(&self, account: &RunAsAccount, secret: Option<&str>) -> Result<(), StateError> {
        let seal = |secret| self.seal.seal(&account.account_id, secret);
        let keep = match secret {
            Some(_) => "sealed_secret = excluded.sealed_secret, ",
            None => "",
        };
        let sql = format!(
            "INSERT INTO run_as_accounts (account_id, name, kind, user_name, sealed_secret, less_secure, modified_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id) DO UPDATE SET {keep}name = excluded.name, \
             kind = excluded.kind, user_name = excluded.user_name, less_secure = excluded.less_secure, \
             modified_at = excluded.modified_at"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(&account.account_id)
            .bind(&account.name)
            .bind(&account.kind)
            .bind(&account.user_name)
            .bind(seal(secret.unwrap_or_default()))
            .bind(i64::from(account.less_secure))
            .bind(account.modified_at)
            .execute(&self.writer)
            .await
            .map_err(|error| match is_duplicate(&error) {
                true => StateError::Exists { what: "the Run As account", name: account.name.clone() },
                false => error.into(),
            })?;
        Ok(())
    }

    /// Every account, by name.
    pub async fn run_as_accounts(&self) -> Result<Vec<RunAsAccount>, StateError> {
        let sql = format!("{COLUMNS} ORDER BY name");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await?.iter().map(read_account).collect()
    }

    /// Removes an account with its distribution and associations; false where there is none.
    pub async fn delete_run_as_account(&self, account_id: &str) -> Result<bool, StateError> {
        let sql = "DELETE FROM run_as_accounts WHERE account_id = $1";
        Ok(sqlx::query(sql).bind(account_id).execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Lets exactly these agents have an account.
    pub async fn set_run_as_distribution(&self, account_id: &str, agents: &[String]) -> Result<(), StateError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query("DELETE FROM run_as_distribution WHERE account_id = $1")
            .bind(account_id)
            .execute(&mut *transaction)
            .await?;
        let rows: Vec<_> = agents.iter().map(|agent| crate::batch::row![account_id, agent]).collect();
        let head = "INSERT INTO run_as_distribution (account_id, agent_id)";
        crate::batch::execute(&mut transaction, head, "ON CONFLICT DO NOTHING", &rows).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The agents that may have an account.
    pub async fn run_as_distribution(&self, account_id: &str) -> Result<Vec<String>, StateError> {
        let sql = "SELECT agent_id FROM run_as_distribution WHERE account_id = $1 ORDER BY agent_id";
        let rows = sqlx::query(sql).bind(account_id).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Makes a profile use an account, replacing what it used for the same scope.
    pub async fn associate_run_as(&self, association: &RunAsAssociation) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO run_as_associations (profile, scope, account_id) VALUES ($1, $2, $3) \
             ON CONFLICT (profile, scope) DO UPDATE SET account_id = excluded.account_id",
        )
        .bind(&association.profile)
        .bind(&association.scope)
        .bind(&association.account_id)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Ends the use of an account by a profile; false where there is none.
    pub async fn dissociate_run_as(&self, profile: &str, scope: &str) -> Result<bool, StateError> {
        let sql = "DELETE FROM run_as_associations WHERE profile = $1 AND scope = $2";
        Ok(sqlx::query(sql).bind(profile).bind(scope).execute(&self.writer).await?.rows_affected() > 0)
    }

    /// Every association.
    pub async fn run_as_associations(&self) -> Result<Vec<RunAsAssociation>, StateError> {
        let sql = "SELECT profile, scope, account_id FROM run_as_associations ORDER BY profile, scope";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(RunAsAssociation { profile: row.try_get(0)?, scope: row.try_get(1)?, account_id: row.try_get(2)? })
            })
            .collect()
    }

    /// The accounts that an agent may have, with their secrets. Which of them its workflows need is the caller's part.
    pub async fn run_as_credentials(&self, agent_id: &str) -> Result<Vec<RunAsCredential>, StateError> {
        let sql = format!(
            "{COLUMNS} WHERE less_secure = 1 OR account_id IN (SELECT account_id FROM run_as_distribution \
             WHERE agent_id = $1) ORDER BY name"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(agent_id).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                let account = read_account(row)?;
                let secret = self.seal.unseal(&account.account_id, row.try_get::<&str, _>(6)?)?;
                Ok(RunAsCredential { account, secret })
            })
            .collect()
    }
}

fn read_account(row: &AnyRow) -> Result<RunAsAccount, StateError> {
    Ok(RunAsAccount {
        account_id: row.try_get(0)?,
        name: row.try_get(1)?,
        kind: row.try_get(2)?,
        user_name: row.try_get(3)?,
        less_secure: row.try_get::<i64, _>(4)? != 0,
        modified_at: row.try_get(5)?,
    })
}
