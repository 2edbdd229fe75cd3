//! Lists of revoked certificates that authorities of others have issued, and what follows from them.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{State, StateError};

/// A list of an authority. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationListRecord {
    pub id: String,
    /// SHA-256 of the issuer's name.
    pub issuer: String,
    pub issuer_name: String,
    /// Certificates, beside the trusted ones, that its signature may be of; PEM.
    pub certificates: String,
    /// Where it is fetched again; empty: it was given as a file.
    pub url: String,
    pub this_update: i64,
    /// 0: none was promised.
    pub next_update: i64,
    pub revoked: Vec<ListedCertificate>,
    pub looked_at: i64,
    /// Why the last look failed; empty: it did not.
    pub problem: String,
    pub added_at: i64,
    pub added_by: String,
}

/// A certificate of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCertificate {
    pub serial: String,
    pub at: i64,
    pub reason: String,
}

impl ListedCertificate {
    /// Each line begins with a line feed, so that a serial number is found between it and a blank.
    fn lines(all: &[Self]) -> String {
        all.iter().map(|one| format!("\n{} {} {}", one.serial, one.at, one.reason.replace(['\n', '\r'], " "))).collect()
    }

    fn read(lines: &str) -> Vec<Self> {
        let read = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let (serial, at) = (words.next()?, words.next()?.parse().ok()?);
            Some(Self { serial: serial.to_owned(), at, reason: words.next().unwrap_or_default().to_owned() })
        };
        lines.lines().filter_map(read).collect()
    }
}

const COLUMNS: &str = "id, issuer, issuer_name, certificates, url, this_update, next_update, revoked, looked_at, problem, \
                       added_at, added_by";

impl State {
    /// Takes a list, or what is new of it. One that is older than the one that is there changes nothing: false.
    pub async fn put_revocation_list(&self, list: &RevocationListRecord) -> Result<bool, StateError> {
        let done = sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO revocation_lists ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             ON CONFLICT (id) DO UPDATE SET issuer_name = excluded.issuer_name, certificates = excluded.certificates, \
             this_update = excluded.this_update, next_update = excluded.next_update, revoked = excluded.revoked, \
             looked_at = excluded.looked_at, problem = excluded.problem \
             WHERE revocation_lists.this_update <= excluded.this_update"
        )))
        .bind(&list.id)
        .bind(&list.issuer)
        .bind(&list.issuer_name)
        .bind(&list.certificates)
        .bind(&list.url)
        .bind(list.this_update)
        .bind(list.next_update)
        .bind(ListedCertificate::lines(&list.revoked))
        .bind(list.looked_at)
        .bind(&list.problem)
        .bind(list.added_at)
        .bind(&list.added_by)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// A look at where a list comes from brought nothing new.
    pub async fn revocation_list_looked_at(&self, id: &str, at: i64, problem: &str) -> Result<(), StateError> {
        sqlx::query("UPDATE revocation_lists SET looked_at = $2, problem = $3 WHERE id = $1")
            .bind(id)
            .bind(at)
            .bind(problem)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Every list, by issuer.
    pub async fn revocation_lists(&self) -> Result<Vec<RevocationListRecord>, StateError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM revocation_lists ORDER BY issuer_name, url, id"
        )))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(RevocationListRecord {
                id: row.try_get(0)?,
                issuer: row.try_get(1)?,
                issuer_name: row.try_get(2)?,
                certificates: row.try_get(3)?,
                url: row.try_get(4)?,
                this_update: row.try_get(5)?,
                next_update: row.try_get(6)?,
                revoked: ListedCertificate::read(row.try_get(7)?),
                looked_at: row.try_get(8)?,
                problem: row.try_get(9)?,
                added_at: row.try_get(10)?,
                added_by: row.try_get(11)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Believes a list no more; false where there was none.
    pub async fn delete_revocation_list(&self, id: &str) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM revocation_lists WHERE id = $1").bind(id).execute(&self.writer).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Whether a certificate is on a list of its issuer.
    pub(crate) async fn is_listed_as_revoked(&self, issuer: &str, serial: &str) -> Result<bool, StateError> {
        let row = sqlx::query("SELECT 1 FROM revocation_lists WHERE issuer = $1 AND revoked LIKE $2")
            .bind(issuer)
            .bind(format!("%\n{serial} %"))
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_list_holds_until_a_newer_one_of_its_issuer_comes() {
        stores::each(|place| async move {
            let state = place.open().await;
            let listed =
                |serial: &str, reason: &str| ListedCertificate { serial: serial.into(), at: 5, reason: reason.into() };
            let list = RevocationListRecord {
                id: "one".into(),
                issuer: "i".into(),
                issuer_name: "CN=Company".into(),
                certificates: "PEM".into(),
                url: "http://company.example/list.crl".into(),
                this_update: 10,
                next_update: 0,
                revoked: vec![listed("0a", "KeyCompromise"), listed("0b", "")],
                looked_at: 11,
                problem: String::new(),
                added_at: 11,
                added_by: "admin".into(),
            };
            assert!(state.put_revocation_list(&list).await.unwrap());
            assert_eq!(state.revocation_lists().await.unwrap(), std::slice::from_ref(&list));
            for (issuer, serial, is_revoked) in
                [("i", "0a", true), ("i", "0b", true), ("i", "a", false), ("j", "0a", false)]
            {
                assert_eq!(
                    state.is_certificate_revoked(issuer, serial).await.unwrap(),
                    is_revoked,
                    "{issuer} {serial}"
                );
            }
            let older = RevocationListRecord { this_update: 9, revoked: Vec::new(), ..list.clone() };
            assert!(!state.put_revocation_list(&older).await.unwrap());
            assert!(state.is_certificate_revoked("i", "0a").await.unwrap(), "an old list brings nobody back");
            let newer = RevocationListRecord { this_update: 12, revoked: vec![listed("0b", "")], ..list.clone() };
            assert!(state.put_revocation_list(&newer).await.unwrap());
            assert!(!state.is_certificate_revoked("i", "0a").await.unwrap(), "a hold that was lifted");
            state.revocation_list_looked_at("one", 13, "it cannot be reached").await.unwrap();
            let kept = &state.revocation_lists().await.unwrap()[0];
            assert_eq!((kept.looked_at, kept.problem.as_str(), kept.added_at), (13, "it cannot be reached", 11));
            assert!(
                state.delete_revocation_list("one").await.unwrap()
                    && !state.delete_revocation_list("one").await.unwrap()
            );
            assert!(!state.is_certificate_revoked("i", "0b").await.unwrap());
        })
        .await;
    }
}
