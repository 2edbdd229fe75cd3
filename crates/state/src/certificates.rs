//! Authorities of others that are trusted, certificates that are revoked, and those that agents came with last.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::{State, StateError};

/// An authority of others whose certificates are taken. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedAuthority {
    /// SHA-256 of the certificate in hexadecimal digits.
    pub fingerprint: String,
    pub subject: String,
    pub pem: String,
    pub not_after: i64,
    pub added_at: i64,
    pub added_by: String,
}

/// A certificate that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// SHA-256 of the issuer's name.
    pub issuer: String,
    pub serial: String,
    pub subject: String,
    pub reason: String,
    pub revoked_at: i64,
    pub revoked_by: String,
}

/// The certificate that an agent or a gateway came with last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    pub agent_id: String,
    pub subject: String,
    pub issuer_name: String,
    /// SHA-256 of the issuer's name.
    pub issuer: String,
    pub serial: String,
    pub fingerprint: String,
    /// Fingerprint of the trusted authority; empty: the management group's own.
    pub authority: String,
    pub not_before: i64,
    pub not_after: i64,
    pub seen_at: i64,
}

impl State {
    /// Trusts an authority, or replaces what is known of it.
    pub async fn put_authority(&self, authority: &TrustedAuthority) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO certificate_authorities (fingerprint, subject, pem, not_after, added_at, added_by) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (fingerprint) DO UPDATE SET pem = excluded.pem",
        )
        .bind(&authority.fingerprint)
        .bind(&authority.subject)
        .bind(&authority.pem)
        .bind(authority.not_after)
        .bind(authority.added_at)
        .bind(&authority.added_by)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Every trusted authority, by subject.
    pub async fn authorities(&self) -> Result<Vec<TrustedAuthority>, StateError> {
        let rows = sqlx::query(
            "SELECT fingerprint, subject, pem, not_after, added_at, added_by FROM certificate_authorities \
             ORDER BY subject, fingerprint",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(TrustedAuthority {
                fingerprint: row.try_get(0)?,
                subject: row.try_get(1)?,
                pem: row.try_get(2)?,
                not_after: row.try_get(3)?,
                added_at: row.try_get(4)?,
                added_by: row.try_get(5)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Trusts an authority no more; false where it was not.
    pub async fn delete_authority(&self, fingerprint: &str) -> Result<bool, StateError> {
        let done = sqlx::query("DELETE FROM certificate_authorities WHERE fingerprint = $1")
            .bind(fingerprint)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Refuses a certificate from now on; false where it was refused before.
    pub async fn revoke_certificate(&self, revoked: &RevokedCertificate) -> Result<bool, StateError> {
        let done = sqlx::query(
            "INSERT INTO revoked_certificates (issuer, serial, subject, reason, revoked_at, revoked_by) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (issuer, serial) DO NOTHING",
        )
        .bind(&revoked.issuer)
        .bind(&revoked.serial)
        .bind(&revoked.subject)
        .bind(&revoked.reason)
        .bind(revoked.revoked_at)
        .bind(&revoked.revoked_by)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Every certificate that somebody here refused, the latest first.
    pub async fn revoked_certificates(&self) -> Result<Vec<RevokedCertificate>, StateError> {
        let rows = sqlx::query(
            "SELECT issuer, serial, subject, reason, revoked_at, revoked_by FROM revoked_certificates \
             ORDER BY revoked_at DESC, issuer, serial",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(RevokedCertificate {
                issuer: row.try_get(0)?,
                serial: row.try_get(1)?,
                subject: row.try_get(2)?,
                reason: row.try_get(3)?,
                revoked_at: row.try_get(4)?,
                revoked_by: row.try_get(5)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Whether a certificate is refused: by somebody here, or by a list of its authority.
    pub async fn is_certificate_revoked(&self, issuer: &str, serial: &str) -> Result<bool, StateError> {
        let row = sqlx::query("SELECT 1 FROM revoked_certificates WHERE issuer = $1 AND serial = $2")
            .bind(issuer)
            .bind(serial)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.is_some() || self.is_listed_as_revoked(issuer, serial).await?)
    }

    /// Agents and gateways came with these certificates; the last of one holds.
    pub async fn put_shown_certificates(&self, shown: &[ShownCertificate]) -> Result<(), StateError> {
        let latest: std::collections::BTreeMap<_, _> = shown.iter().map(|one| (&one.agent_id, one)).collect();
        let row = |one: &&ShownCertificate| {
            crate::batch::row![
                &one.agent_id,
                &one.subject,
                &one.issuer_name,
                &one.issuer,
                &one.serial,
                &one.fingerprint,
                &one.authority,
                one.not_before,
                one.not_after,
                one.seen_at
            ]
        };
        let rows: Vec<_> = latest.values().map(row).collect();
        let mut transaction = self.writer.begin().await?;
        crate::batch::execute(
            &mut transaction,
            "INSERT INTO shown_certificates (agent_id, subject, issuer_name, issuer, serial, fingerprint, authority, \
             not_before, not_after, seen_at)",
            "ON CONFLICT (agent_id) DO UPDATE SET subject = excluded.subject, issuer_name = excluded.issuer_name, \
             issuer = excluded.issuer, serial = excluded.serial, fingerprint = excluded.fingerprint, \
             authority = excluded.authority, not_before = excluded.not_before, not_after = excluded.not_after, \
             seen_at = excluded.seen_at",
            &rows,
        )
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The certificates that agents and gateways came with last, those that end first before the others.
    pub async fn shown_certificates(&self) -> Result<Vec<ShownCertificate>, StateError> {
        let rows = sqlx::query(
            "SELECT agent_id, subject, issuer_name, issuer, serial, fingerprint, authority, not_before, not_after, \
             seen_at FROM shown_certificates ORDER BY not_after, agent_id",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(ShownCertificate {
                agent_id: row.try_get(0)?,
                subject: row.try_get(1)?,
                issuer_name: row.try_get(2)?,
                issuer: row.try_get(3)?,
                serial: row.try_get(4)?,
                fingerprint: row.try_get(5)?,
                authority: row.try_get(6)?,
                not_before: row.try_get(7)?,
                not_after: row.try_get(8)?,
                seen_at: row.try_get(9)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Forgets the certificate of an agent that was removed.
    pub async fn delete_shown_certificate(&self, agent_id: &str) -> Result<(), StateError> {
        sqlx::query("DELETE FROM shown_certificates WHERE agent_id = $1").bind(agent_id).execute(&self.writer).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn authorities_revoked_and_shown_certificates_are_kept() {
        stores::each(|place| async move {
            let state = place.open().await;
            let authority = TrustedAuthority {
                fingerprint: "ab".into(),
                subject: "CN=Company".into(),
                pem: "PEM".into(),
                not_after: 9,
                added_at: 5,
                added_by: "admin".into(),
            };
            state.put_authority(&authority).await.unwrap();
            state.put_authority(&TrustedAuthority { pem: "NEW".into(), ..authority.clone() }).await.unwrap();
            let kept = TrustedAuthority { pem: "NEW".into(), ..authority };
            assert_eq!(state.authorities().await.unwrap(), [kept]);
            assert!(state.delete_authority("ab").await.unwrap() && !state.delete_authority("ab").await.unwrap());

            let revoked = RevokedCertificate {
                issuer: "i".into(),
                serial: "01".into(),
                subject: "CN=a".into(),
                reason: "lost".into(),
                revoked_at: 7,
                revoked_by: "admin".into(),
            };
            assert!(state.revoke_certificate(&revoked).await.unwrap());
            assert!(!state.revoke_certificate(&revoked).await.unwrap());
            assert!(state.is_certificate_revoked("i", "01").await.unwrap());
            assert!(!state.is_certificate_revoked("j", "01").await.unwrap());
            assert_eq!(state.revoked_certificates().await.unwrap(), [revoked]);

            let mut shown = ShownCertificate {
                agent_id: "a".into(),
                subject: "CN=a".into(),
                issuer_name: "CN=Company".into(),
                issuer: "i".into(),
                serial: "01".into(),
                fingerprint: "cd".into(),
                authority: "ab".into(),
                not_before: 1,
                not_after: 8,
                seen_at: 2,
            };
            state.put_shown_certificates(std::slice::from_ref(&shown)).await.unwrap();
            shown = ShownCertificate { serial: "02".into(), seen_at: 3, ..shown };
            state.put_shown_certificates(std::slice::from_ref(&shown)).await.unwrap();
            assert_eq!(state.shown_certificates().await.unwrap(), [shown]);
            state.delete_shown_certificate("a").await.unwrap();
            assert!(state.shown_certificates().await.unwrap().is_empty());
        })
        .await;
    }
}
