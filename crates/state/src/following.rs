//! How servers over one store follow one another: every change of operational data has a number, in the order in which
//! changes are committed, and what servers keep in memory says which change wrote it last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use sqlx::Row;

use crate::batch::{self, row};
use crate::{Changes, DiscoveryRecord, MonitorState, State, StateError, health, objects};

/// What this server knows of the changes of others.
#[derive(Debug, Clone)]
pub(crate) struct Follower {
    /// The last change that was its own, or that it has read.
    last: Arc<AtomicI64>,
    /// There are changes of others that it has not read.
    behind: Arc<AtomicBool>,
}

impl Default for Follower {
    fn default() -> Self {
        Self { last: Arc::new(AtomicI64::new(-1)), behind: Arc::new(AtomicBool::new(true)) }
    }
}

impl Follower {
    /// A change of this server has begun.
    pub(crate) fn began(&self, number: i64) {
        if self.last.load(Ordering::Acquire) != number - 1 {
            self.behind.store(true, Ordering::Release);
        }
    }

    /// A change of this server is committed, or all up to it was read.
    pub(crate) fn reached(&self, number: i64) {
        self.last.fetch_max(number, Ordering::AcqRel);
    }
}

/// What changed since a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Packs or overrides.
    pub library: bool,
    /// Run As accounts or who uses them.
    pub accounts: bool,
    /// What discoveries no longer find: discovery and target.
    pub gone: Vec<(String, String)>,
    /// What discoveries find now, in the order in which they first did.
    pub found: Vec<DiscoveryRecord>,
    /// States of unit monitors, the oldest first.
    pub states: Vec<MonitorState>,
}

impl News {
    /// Whether there is nothing new.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == News::default()
    }
}

impl State {
    /// Whether another server may have changed what this one keeps in memory.
    pub async fn is_behind(&self) -> Result<bool, StateError> {
        if !self.shared {
            return Ok(false);
        }
        let sql = "SELECT taken FROM locks WHERE name = 'operational'";
        let last: i64 = sqlx::query(sql).fetch_one(&self.pool).await?.try_get(0)?;
        Ok(self.follower.behind.load(Ordering::Acquire) || self.follower.last.load(Ordering::Acquire) != last)
    }

    /// Waits for the change that is open and keeps others from beginning, without being one: to read what others have
    /// changed. To be committed when it is read.
    pub async fn follow(&self) -> Result<Changes, StateError> {
        let mut transaction = self.writer.begin().await?;
        let sql = match self.shared {
            true => "SELECT taken FROM locks WHERE name = 'operational' FOR UPDATE",
            false => "SELECT taken FROM locks WHERE name = 'operational'",
        };
        let number = sqlx::query(sql).fetch_one(&mut *transaction).await?.try_get(0)?;
        Ok(Changes { transaction, number, settled: number, follower: self.follower.clone() })
    }
}

impl Changes {
    /// The number that rows get which are written within this.
    pub(crate) fn number(&self) -> i64 {
        self.number
    }

    /// The last change that is committed: what is read within this is as of it.
    #[must_use]
    pub fn settled(&self) -> i64 {
        self.settled
    }

    /// Whether changes of others were not read yet.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.follower.behind.load(Ordering::Acquire) || self.follower.last.load(Ordering::Acquire) < self.settled
    }

    /// All changes of others were read and taken over.
    pub fn caught_up(&self) {
        self.follower.behind.store(false, Ordering::Release);
    }

    /// What was changed after a change, by this server too.
    pub async fn news(&mut self, since: i64) -> Result<News, StateError> {
        let mut news = News::default();
        let sql = "SELECT name FROM locks WHERE name IN ('library', 'accounts') AND taken > $1";
        for row in sqlx::query(sql).bind(since).fetch_all(self.connection()).await? {
            match row.try_get::<&str, _>(0)? {
                "library" => news.library = true,
                _ => news.accounts = true,
            }
        }
        let sql = "SELECT discovery, target FROM discovery_gone WHERE change_number > $1 ORDER BY change_number";
        for row in sqlx::query(sql).bind(since).fetch_all(self.connection()).await? {
            news.gone.push((row.try_get(0)?, row.try_get(1)?));
        }
        news.found = objects::records_since(self.connection(), since).await?;
        news.states = health::unit_states_since(self.connection(), since).await?;
        Ok(news)
    }

    /// Run As accounts, or who uses or has them, are others now.
    pub async fn accounts_changed(&mut self) -> Result<(), StateError> {
        self.note("accounts").await
    }

    /// Packs or overrides are others now.
    pub(crate) async fn library_changed(&mut self) -> Result<(), StateError> {
        self.note("library").await
    }

    async fn note(&mut self, what: &str) -> Result<(), StateError> {
        let number = self.number;
        sqlx::query("UPDATE locks SET taken = $1 WHERE name = $2")
            .bind(number)
            .bind(what)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    pub(crate) async fn note_gone(&mut self, of: &[(String, String)]) -> Result<(), StateError> {
        let (number, at) = (self.number, crate::now().saturating_mul(1_000_000));
        let rows: Vec<_> = of.iter().map(|(discovery, target)| row![discovery, target, number, at]).collect();
        let head = "INSERT INTO discovery_gone (discovery, target, change_number, gone_at)";
        let tail = "ON CONFLICT (discovery, target) DO UPDATE SET change_number = excluded.change_number, \
                    gone_at = excluded.gone_at";
        batch::execute(self.connection(), head, tail, &rows).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MonitorOf, Override, stores};

    fn record(target: &str, document: &str) -> DiscoveryRecord {
        DiscoveryRecord {
            discovery: "d".into(),
            target: target.into(),
            agent_id: "a".into(),
            document: document.into(),
            found_at: 1,
        }
    }

    fn state_of(object: &str, rolled_up: bool) -> MonitorState {
        let of = MonitorOf { object_id: object.into(), monitor_id: "m".into() };
        MonitorState { of, health: 3, state: "Bad".into(), rolled_up, changed_at: 7 }
    }

    #[tokio::test]
    async fn a_server_reads_what_another_changed_and_nothing_twice() {
        stores::each(|place| async move {
            let (one, two) = (place.open().await, place.open().await);
            let mut start = two.follow().await.unwrap();
            let mut seen = start.settled();
            start.news(seen).await.unwrap();
            start.caught_up();
            start.commit().await.unwrap();

            let mut changes = one.change().await.unwrap();
            changes.put_discovery_records(&[record("x", "1"), record("y", "2")]).await.unwrap();
            changes.put_monitor_states(&[state_of("x", false), state_of("x2", true)]).await.unwrap();
            changes.commit().await.unwrap();
            let mut changes = one.change().await.unwrap();
            changes.delete_discovery_records(&[("d".into(), "x".into())]).await.unwrap();
            changes.commit().await.unwrap();

            // what this one begins itself sees that it is behind
            let mut changes = two.change().await.unwrap();
            assert!(changes.is_behind());
            let news = changes.news(seen).await.unwrap();
            assert_eq!(news.gone, [("d".to_owned(), "x".to_owned())]);
            assert_eq!(news.found, [record("y", "2")]);
            assert_eq!(news.states, [state_of("x", false)], "roll-ups are computed");
            assert!(!news.library && !news.accounts);
            seen = changes.settled();
            changes.caught_up();
            changes.commit().await.unwrap();
            let mut changes = two.change().await.unwrap();
            assert!(!changes.is_behind(), "its own change is none of others");
            assert!(changes.news(seen).await.unwrap().is_empty());
            changes.commit().await.unwrap();

            let mut changes = one.change().await.unwrap();
            changes.put_override(&Override { override_id: "o".into(), ..Override::default() }).await.unwrap();
            changes.accounts_changed().await.unwrap();
            changes.commit().await.unwrap();
            if two.is_shared() {
                assert!(two.is_behind().await.unwrap());
            }
            let mut changes = two.follow().await.unwrap();
            let news = changes.news(seen).await.unwrap();
            assert!(news.library && news.accounts && news.found.is_empty());
            changes.caught_up();
            changes.commit().await.unwrap();
            assert!(!two.is_behind().await.unwrap());
        })
        .await;
    }
}
