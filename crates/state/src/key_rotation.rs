//! Another key for the secrets of the store, over all servers that share it, in steps of which each may be the last
//! before a crash:
//!
//! 1. *begin*: the new key is put beside the old one, and given to the other servers through the store, encrypted with
//!    the old one (not where no other server runs). Each puts it beside its own and says so.
//! 2. *finish*: once all have it, every secret is encrypted anew in one transaction, which also says that the new key is
//!    the current one. So the store always says which key it needs, and every server has it.
//! 3. *follow*: each server encrypts with the new key and says so. When all do and statements from before have ended,
//!    what was still written with the old key in between is encrypted anew; then the old key is gone from the store,
//!    and each server removes its own.

use std::time::Duration;

use sqlx::{AnyConnection, Row};

use crate::seal::Key;
use crate::{ACQUIRE_TIMEOUT, SQLITE_BUSY_TIMEOUT, Server, State, StateError};

/// How long a statement that was begun with the old key may take to be done.
const STATEMENTS_END: Duration =
    ACQUIRE_TIMEOUT.saturating_add(SQLITE_BUSY_TIMEOUT).saturating_add(Duration::from_secs(5));

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// Secrets are encrypted with it.
    Current,
    /// Secrets will be encrypted with it once every server has it.
    Next,
    /// Secrets were encrypted with it until now.
    Past,
}

impl KeyPlace {
    /// The word for it, in the store and for a person.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            KeyPlace::Current => "current",
            KeyPlace::Next => "next",
            KeyPlace::Past => "past",
        }
    }
}

/// A key as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKey {
    pub place: KeyPlace,
    /// Made of a digest of the key.
    pub key: String,
    /// Since when it is that, in microseconds since the Unix epoch.
    pub since: i64,
}

struct KnownKey {
    known: SealingKey,
    wrapped: String,
}

/// The keys of the store, each at most once.
#[derive(Default)]
struct Known {
    current: Option<KnownKey>,
    next: Option<KnownKey>,
    past: Option<KnownKey>,
}

async fn known(connection: &mut AnyConnection) -> Result<Known, StateError> {
    let sql = "SELECT place, key_id, changed_at, wrapped FROM seal_keys";
    let mut all = Known::default();
    for row in sqlx::query(sql).fetch_all(connection).await? {
        let place = match row.try_get::<&str, _>(0)? {
            "current" => KeyPlace::Current,
            "next" => KeyPlace::Next,
            _ => KeyPlace::Past,
        };
        let known = SealingKey { place, key: row.try_get(1)?, since: row.try_get(2)? };
        let slot = match place {
            KeyPlace::Current => &mut all.current,
            KeyPlace::Next => &mut all.next,
            KeyPlace::Past => &mut all.past,
        };
        *slot = Some(KnownKey { known, wrapped: row.try_get(3)? });
    }
    Ok(all)
}

fn refused(reason: impl Into<String>) -> StateError {
    StateError::KeyRotation { reason: reason.into() }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl State {
    /// The keys of the store: the current one, and while it is replaced the next or the past one.
    pub async fn sealing_keys(&self) -> Result<Vec<SealingKey>, StateError> {
        let Known { current, next, past } = self.known_keys().await?;
        Ok([current, next, past].into_iter().flatten().map(|row| row.known).collect())
    }

    async fn known_keys(&self) -> Result<Known, StateError> {
        known(&mut *self.pool.acquire().await?).await
    }

    /// At the start: the key that the store says, which this server has to have.
    pub(crate) async fn choose_key(&self) -> Result<(), StateError> {
        if self.known_keys().await?.current.is_none() {
            // a new store, or one from before keys had names: then something in it says which one is right
            if let Some(used) = self.key_in_use().await? {
                self.seal.choose(&used);
            }
            sqlx::query(
                "INSERT INTO seal_keys (place, key_id, wrapped, changed_at) VALUES ('current', $1, '', $2) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(&self.seal.current().id)
            .bind(self.clock().await?)
            .execute(&self.writer)
            .await?;
        }
        let keys = self.known_keys().await?;
        self.take_current(&keys)?;
        self.take_next(&keys)?;
        match &keys.past {
            // nothing else writes to a store of one server that is about to start
            Some(_) if !self.shared => self.forget_past().await,
            Some(_) => Ok(()),
            None => self.settle(&keys),
        }
    }

    /// Encrypts with the key that the store says.
    fn take_current(&self, keys: &Known) -> Result<(), StateError> {
        let Some(KnownKey { known, wrapped }) = &keys.current else { return Ok(()) };
        if self.seal.choose(&known.key) {
            return Ok(());
        }
        let wrong = || StateError::WrongKey {
            needed: known.key.clone(),
            path: self.keys.file().to_path_buf(),
            found: self.seal.current().id.clone(),
        };
        if wrapped.is_empty() {
            return Err(wrong());
        }
        let key = self.seal.unwrap(&known.key, wrapped).map_err(|_| wrong())?;
        self.keys.write_next(&key)?;
        self.seal.add(key);
        self.seal.choose(&known.key);
        Ok(())
    }

    /// Takes the next key where there is one; whether this server has it.
    fn take_next(&self, keys: &Known) -> Result<bool, StateError> {
        let Some(KnownKey { known, wrapped }) = &keys.next else { return Ok(false) };
        if self.seal.key(&known.key).is_none() {
            if wrapped.is_empty() {
                return Ok(false);
            }
            let key = self.seal.unwrap(&known.key, wrapped)?;
            self.keys.write_next(&key)?;
            self.seal.add(key);
        }
        Ok(true)
    }

    /// There is one key alone.
    fn settle(&self, keys: &Known) -> Result<(), StateError> {
        if keys.next.is_some() || keys.past.is_some() {
            return Ok(());
        }
        self.keys.settle(&self.seal.current().id)?;
        self.seal.forget_others();
        Ok(())
    }

    /// Begins with another key, or goes on with one that was begun with; its name. Nothing is encrypted with it yet.
    ///
    /// # Errors
    /// When the rotation before is not done, and when the key comes from systemd's credentials and they have no other.
    pub async fn begin_key_rotation(&self, server_id: &str, now: i64) -> Result<String, StateError> {
        let keys = self.known_keys().await?;
        if keys.past.is_some() {
            return Err(refused(
                "the key was replaced just now, and servers may still write with the one before; wait a minute",
            ));
        }
        if let Some(next) = &keys.next {
            return match self.take_next(&keys)? {
                true => Ok(next.known.key.clone()),
                false => Err(refused(format!(
                    "another server of the group has begun with the key {}; wait a minute",
                    next.known.key
                ))),
            };
        }
        let current = self.seal.current();
        let key = match self.keys.other_credential(&current.id)? {
            Some(key) => key,
            None if self.keys.is_credential(&current.id)? => {
                return Err(refused(
                    "the key comes from systemd's credentials, where the server cannot put another: give the unit a \
                     new one as state.key.next (LoadCredential= or LoadCredentialEncrypted=), restart the server, and \
                     run this again",
                ));
            }
            None => {
                let key = Key::random();
                self.keys.write_next(&key)?;
                key
            }
        };
        let wrapped = match self.others_alive(server_id, now).await?.is_empty() {
            true => String::new(),
            false => key.wrap(&current),
        };
        let id = key.id.clone();
        self.seal.add(key);
        let done = sqlx::query(
            "INSERT INTO seal_keys (place, key_id, wrapped, changed_at) VALUES ('next', $1, $2, $3) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&id)
        .bind(wrapped)
        .bind(now)
        .execute(&self.writer)
        .await?;
        match done.rows_affected() {
            0 => Err(refused("another server of the group has just begun with another key; wait a minute")),
            _ => Ok(id),
        }
    }

    async fn others_alive(&self, server_id: &str, now: i64) -> Result<Vec<Server>, StateError> {
        let is_other =
            |server: &Server| server.kind == "management" && server.server_id != server_id && server.alive_until > now;
        Ok(self.servers().await?.into_iter().filter(is_other).collect())
    }

    /// The names of the other servers that run and do not have a key yet, or do not encrypt with it yet.
    pub async fn servers_without_key(
        &self,
        server_id: &str,
        key: &str,
        is_used: bool,
        now: i64,
    ) -> Result<Vec<String>, StateError> {
        let sql = "SELECT server_id FROM seal_key_holders WHERE key_id = $1 AND is_used >= $2";
        let rows = sqlx::query(sql).bind(key).bind(i64::from(is_used)).fetch_all(&self.pool).await?;
        let have: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let others = self.others_alive(server_id, now).await?;
        Ok(others.into_iter().filter(|other| !have.contains(&other.server_id)).map(|other| other.name).collect())
    }

    /// Nothing comes of the next key.
    pub async fn abandon_key_rotation(&self) -> Result<(), StateError> {
        sqlx::query("DELETE FROM seal_keys WHERE place = 'next'").execute(&self.writer).await?;
        Ok(())
    }

    /// Encrypts every secret with the next key, which is the current one from then on; how many that were. To be called
    /// when [`State::servers_without_key`] names none.
    pub async fn finish_key_rotation(&self, key: &str, now: i64) -> Result<usize, StateError> {
        let mut changes = self.change().await?;
        let connection = changes.connection();
        let keys = known(connection).await?;
        let next = keys.next.filter(|next| next.known.key == key);
        let (Some(_), Some(to)) = (next, self.seal.key(key)) else {
            return Err(refused(format!(
                "the key {key} is not the next one any more: another rotation was faster, or it was given up"
            )));
        };
        let count = self.seal_anew(connection, &to).await?;
        sqlx::query("UPDATE seal_keys SET place = 'past', wrapped = '', changed_at = $1 WHERE place = 'current'")
            .bind(now)
            .execute(&mut *connection)
            .await?;
        sqlx::query("UPDATE seal_keys SET place = 'current', changed_at = $1 WHERE place = 'next'")
            .bind(now)
            .execute(&mut *connection)
            .await?;
        changes.commit().await?;
        self.seal.choose(key);
        Ok(count)
    }

    /// What a server does every few seconds: takes the next key, encrypts with the current one, and when all do so,
    /// forgets the past one.
    pub async fn follow_keys(&self, server_id: &str, now: i64) -> Result<(), StateError> {
        let keys = self.known_keys().await?;
        let before = self.seal.current().id.clone();
        self.take_current(&keys)?;
        let current = self.seal.current().id.clone();
        if current != before {
            tracing::info!(key = current, "secrets are encrypted with another key from now on");
        }
        if self.take_next(&keys)?
            && let Some(next) = &keys.next
        {
            self.note_key(server_id, &next.known.key, false, now).await?;
        }
        let Some(past) = &keys.past else {
            return if self.seal.has_others() { self.settle(&keys) } else { Ok(()) };
        };
        let mut last = past.known.since;
        if self.shared {
            self.note_key(server_id, &current, true, now).await?;
            if !self.servers_without_key(server_id, &current, true, now).await?.is_empty() {
                return Ok(());
            }
            let sql = "SELECT COALESCE(MAX(noted_at), 0) FROM seal_key_holders WHERE is_used = 1";
            last = last.max(sqlx::query(sql).fetch_one(&self.pool).await?.try_get(0)?);
        }
        match now - last > micros(STATEMENTS_END) {
            true => self.forget_past().await,
            false => Ok(()),
        }
    }

    /// Notes once that a server has a key, or encrypts with it.
    async fn note_key(&self, server_id: &str, key: &str, is_used: bool, now: i64) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO seal_key_holders (server_id, key_id, is_used, noted_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (server_id) DO UPDATE SET key_id = excluded.key_id, is_used = excluded.is_used, \
             noted_at = excluded.noted_at WHERE seal_key_holders.key_id <> excluded.key_id \
             OR seal_key_holders.is_used <> excluded.is_used",
        )
        .bind(server_id)
        .bind(key)
        .bind(i64::from(is_used))
        .bind(now)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// What was written with the past key in between is encrypted anew, and the key is gone.
    async fn forget_past(&self) -> Result<(), StateError> {
        let mut changes = self.change().await?;
        let connection = changes.connection();
        let current = self.seal.current();
        let keys = known(connection).await?;
        if keys.current.is_none_or(|row| row.known.key != current.id) {
            return Ok(());
        }
        let late = self.seal_anew(connection, &current).await?;
        sqlx::query("DELETE FROM seal_keys WHERE place = 'past'").execute(&mut *connection).await?;
        sqlx::query("UPDATE seal_keys SET wrapped = '' WHERE place = 'current'").execute(&mut *connection).await?;
        sqlx::query("DELETE FROM seal_key_holders").execute(&mut *connection).await?;
        changes.commit().await?;
        tracing::info!(key = current.id, late, "the key before is not needed any more");
        self.settle(&self.known_keys().await?)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::sealed::tests::{fill, read};
    use crate::stores::{self, Place};
    use crate::{KeyFiles, embedded_url};

    const MINUTE: i64 = 60_000_000;

    fn keys_in(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.contains(".key")).collect();
        names.sort();
        names
    }

    async fn key_names(state: &State) -> Vec<String> {
        state.sealed_values().await.unwrap().into_iter().map(|value| value.key).collect()
    }

    /// Another server of the store, with the key that the first has now.
    async fn join(place: &Place, folder: &Path) -> State {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::copy(&place.key, folder.join("state.key")).unwrap();
        State::open(&place.url, &folder.join("state.key")).await.unwrap()
    }

    async fn alive(state: &State, server_id: &str, until: i64) {
        let (name, kind) = (format!("server {server_id}"), "management".to_owned());
        state.put_server(&Server { server_id: server_id.into(), name, kind, alive_until: until }).await.unwrap();
    }

    #[tokio::test]
    async fn every_secret_is_encrypted_with_the_new_key_and_the_old_one_goes() {
        stores::each(|place| async move {
            let state = place.open().await;
            fill(&state).await;
            let (before, old) = (read(&state).await, std::fs::read(&place.key).unwrap());
            let new = state.begin_key_rotation("one", 10 * MINUTE).await.unwrap();
            assert_eq!(state.finish_key_rotation(&new, 10 * MINUTE).await.unwrap(), 10);
            assert_eq!(read(&state).await, before);
            assert!(key_names(&state).await.iter().all(|key| *key == new));
            let folder = place.key.parent().unwrap();
            assert_eq!(keys_in(folder), ["state.key", "state.key.next"], "until nobody can write with the old one");

            // what was begun before and is written late
            let late = Key::new(old.clone().try_into().unwrap()).seal("late", "geheim 8");
            let sql = "INSERT INTO settings (name, value, sealed) VALUES ('late', $1, 1)";
            sqlx::query(sql).bind(late).execute(&state.writer).await.unwrap();
            let refused = state.begin_key_rotation("one", 10 * MINUTE).await.unwrap_err().to_string();
            assert!(refused.contains("wait a minute"), "{refused}");
            state.follow_keys("one", 10 * MINUTE + 1).await.unwrap();
            assert_eq!(keys_in(folder).len(), 2, "the time of statements is not over");
            state.follow_keys("one", 11 * MINUTE).await.unwrap();
            assert_eq!(keys_in(folder), ["state.key"]);
            assert_ne!(std::fs::read(&place.key).unwrap(), old);
            assert_eq!(state.setting("late").await.unwrap().as_deref(), Some("geheim 8"));
            state.close().await;

            let state = place.open().await;
            assert_eq!(read(&state).await, before);
            assert_eq!(state.sealing_keys().await.unwrap().len(), 1);
            state.close().await;

            // the old key opens nothing any more
            std::fs::write(&place.key, old).unwrap();
            let error = State::open(&place.url, &place.key).await.err().unwrap().to_string();
            assert!(error.contains(&new) && error.contains("copy state.key"), "{error}");
        })
        .await;
    }

    #[tokio::test]
    async fn a_crash_before_or_after_secrets_are_encrypted_anew_leaves_all_of_them_readable() {
        stores::each(|place| async move {
            let state = place.open().await;
            fill(&state).await;
            let before = read(&state).await;
            let first = state.seal.current().id.clone();

            // the file is there, the store does not know of it yet
            state.keys.write_next(&Key::random()).unwrap();
            state.close().await;
            let state = place.open().await;
            assert_eq!((read(&state).await, &state.seal.current().id), (before.clone(), &first));
            assert_eq!(keys_in(place.key.parent().unwrap()), ["state.key"]);

            // begun: the old one encrypts, and the next rotation goes on with the key of this one
            let new = state.begin_key_rotation("one", 10 * MINUTE).await.unwrap();
            state.close().await;
            let state = place.open().await;
            assert_eq!((read(&state).await, &state.seal.current().id), (before.clone(), &first));
            assert_eq!(state.begin_key_rotation("one", 10 * MINUTE).await.unwrap(), new);

            // finished, the old key still there
            state.finish_key_rotation(&new, 10 * MINUTE).await.unwrap();
            state.close().await;
            let state = place.open().await;
            assert_eq!((read(&state).await, &state.seal.current().id), (before.clone(), &new));
            state.follow_keys("one", 11 * MINUTE).await.unwrap();
            state.follow_keys("one", 12 * MINUTE).await.unwrap();
            assert_eq!(keys_in(place.key.parent().unwrap()), ["state.key"]);
            assert_eq!(read(&state).await, before);
        })
        .await;
    }

    #[tokio::test]
    async fn a_secret_that_no_key_opens_is_named_and_nothing_is_changed() {
        stores::each(|place| async move {
            let state = place.open().await;
            fill(&state).await;
            let before = read(&state).await;
            let sql = "INSERT INTO settings (name, value, sealed) VALUES ('broken', $1, 1)";
            let foreign = Key::random().seal("broken", "x");
            sqlx::query(sql).bind(foreign).execute(&state.writer).await.unwrap();
            let first = state.seal.current().id.clone();
            let new = state.begin_key_rotation("one", 10 * MINUTE).await.unwrap();
            let error = state.finish_key_rotation(&new, 10 * MINUTE).await.unwrap_err().to_string();
            assert!(error.contains("setting \"broken\""), "{error}");
            state.abandon_key_rotation().await.unwrap();
            state.follow_keys("one", 10 * MINUTE).await.unwrap();
            assert_eq!(read(&state).await, before);
            assert!(key_names(&state).await.iter().filter(|key| **key != first).count() == 1);
            assert_eq!(keys_in(place.key.parent().unwrap()), ["state.key"]);
        })
        .await;
    }

    #[tokio::test]
    async fn servers_that_run_get_the_new_key_through_the_store_and_one_that_was_away_is_told_what_to_do() {
        let Some(place) = stores::postgresql() else { return };
        let folder = place.key.parent().unwrap().to_path_buf();
        let one = place.open().await;
        fill(&one).await;
        let before = read(&one).await;
        let two = join(&place, &folder.join("two")).await;
        join(&place, &folder.join("away")).await.close().await;
        let now = one.clock().await.unwrap();
        alive(&one, "1", now + 10 * MINUTE).await;
        alive(&one, "2", now + 10 * MINUTE).await;
        alive(&one, "3", now - 1).await;

        let new = one.begin_key_rotation("1", now).await.unwrap();
        assert_eq!(one.servers_without_key("1", &new, false, now).await.unwrap(), ["server 2"]);
        two.follow_keys("2", now).await.unwrap();
        assert!(one.servers_without_key("1", &new, false, now).await.unwrap().is_empty());
        assert_eq!(keys_in(&folder.join("two")), ["state.key", "state.key.next"]);
        two.put_secret_setting("by two", "geheim 9").await.unwrap();
        assert_eq!(one.finish_key_rotation(&new, now).await.unwrap(), 11);

        // it writes with the old key until it looks, and both read all
        two.put_secret_setting("by two", "geheim 10").await.unwrap();
        assert_eq!(one.setting("by two").await.unwrap().as_deref(), Some("geheim 10"));
        assert_eq!(read(&two).await, before);
        one.follow_keys("1", now + 5 * MINUTE).await.unwrap();
        assert_eq!(one.sealing_keys().await.unwrap().len(), 2, "the other still writes with the old key");

        // a server that starts meanwhile has it from the store
        let late = State::open(&place.url, &join_folder(&folder, "late", &place)).await.unwrap();
        assert_eq!(late.seal.current().id, new);
        late.close().await;

        two.follow_keys("2", now + 5 * MINUTE).await.unwrap();
        one.follow_keys("1", now + 5 * MINUTE + 1).await.unwrap();
        assert_eq!(one.sealing_keys().await.unwrap().len(), 2, "statements from before may still come");
        one.follow_keys("1", now + 6 * MINUTE).await.unwrap();
        two.follow_keys("2", now + 6 * MINUTE).await.unwrap();
        assert_eq!(one.sealing_keys().await.unwrap().len(), 1);
        assert!(key_names(&one).await.iter().all(|key| *key == new));
        for server in ["", "two"] {
            assert_eq!(keys_in(&folder.join(server)), ["state.key"], "{server}");
        }
        assert_eq!(std::fs::read(folder.join("two/state.key")).unwrap(), std::fs::read(&place.key).unwrap());
        let away = State::open(&place.url, &folder.join("away/state.key")).await.err().unwrap().to_string();
        assert!(away.contains("copy state.key from the data folder of another server"), "{away}");
        std::fs::copy(&place.key, folder.join("away/state.key")).unwrap();
        let away = State::open(&place.url, &folder.join("away/state.key")).await.unwrap();
        assert_eq!(read(&away).await, before);
    }

    fn join_folder(folder: &Path, name: &str, place: &Place) -> std::path::PathBuf {
        std::fs::create_dir_all(folder.join(name)).unwrap();
        let path = folder.join(name).join("state.key");
        std::fs::copy(&place.key, &path).unwrap();
        path
    }

    #[tokio::test]
    async fn a_server_that_runs_and_does_not_take_the_key_keeps_the_old_one_in_use() {
        let Some(place) = stores::postgresql() else { return };
        let one = place.open().await;
        fill(&one).await;
        let now = one.clock().await.unwrap();
        alive(&one, "2", now + 10 * MINUTE).await;
        let first = one.seal.current().id.clone();
        let new = one.begin_key_rotation("1", now).await.unwrap();
        assert_eq!(one.servers_without_key("1", &new, false, now).await.unwrap(), ["server 2"]);
        one.abandon_key_rotation().await.unwrap();
        one.follow_keys("1", now).await.unwrap();
        assert!(one.finish_key_rotation(&new, now).await.is_err());
        assert!(key_names(&one).await.iter().all(|key| *key == first));
        assert_eq!(keys_in(place.key.parent().unwrap()), ["state.key"]);
    }

    #[tokio::test]
    async fn a_store_from_before_keys_had_names_is_opened_with_the_right_key_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (url, path) = (embedded_url(dir.path()), dir.path().join("state.key"));
        let state = State::open(&url, &path).await.unwrap();
        fill(&state).await;
        let before = read(&state).await;
        // as it was
        for column in crate::sealed::SEALED {
            let (table, name) = (column.table, column.column);
            let sql = format!(
                "UPDATE {table} SET {name} = SUBSTR({name}, 18) WHERE {name} LIKE '{}.%'",
                state.seal.current().id
            );
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&state.writer).await.unwrap();
        }
        sqlx::query("DELETE FROM seal_keys").execute(&state.writer).await.unwrap();
        state.close().await;

        let right = std::fs::read(&path).unwrap();
        std::fs::write(&path, [7; 32]).unwrap();
        assert!(State::open(&url, &path).await.is_err(), "a wrong key does not become the store's");
        std::fs::write(&path, right).unwrap();
        let state = State::open(&url, &path).await.unwrap();
        assert_eq!(read(&state).await, before);
        let new = state.begin_key_rotation("one", MINUTE).await.unwrap();
        assert_eq!(state.finish_key_rotation(&new, MINUTE).await.unwrap(), 10);
        assert_eq!(read(&state).await, before);
    }

    #[tokio::test]
    async fn a_key_of_the_credentials_is_replaced_by_the_next_credential() {
        let dir = tempfile::tempdir().unwrap();
        let (url, path) = (embedded_url(dir.path()), dir.path().join("state.key"));
        let credentials = dir.path().join("credentials");
        std::fs::create_dir(&credentials).unwrap();
        let files = || KeyFiles::new(&path).with_credentials(Some(credentials.clone()));
        let give = |name: &str, byte: u8| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::write(credentials.join(name), [byte; 32]).unwrap();
            std::fs::set_permissions(credentials.join(name), std::fs::Permissions::from_mode(0o400)).unwrap();
        };

        // from the file to a credential
        let state = State::open_with(&url, files()).await.unwrap();
        fill(&state).await;
        let before = read(&state).await;
        state.close().await;
        give("state.key", 1);
        let state = State::open_with(&url, files()).await.unwrap();
        assert_eq!(read(&state).await, before);
        let new = state.begin_key_rotation("one", MINUTE).await.unwrap();
        assert_eq!(new, Key::new([1; 32]).id);
        state.finish_key_rotation(&new, MINUTE).await.unwrap();
        state.follow_keys("one", 2 * MINUTE).await.unwrap();
        assert!(!path.exists());

        // from a credential to the next
        let refused = state.begin_key_rotation("one", 3 * MINUTE).await.unwrap_err().to_string();
        assert!(refused.contains("state.key.next"), "{refused}");
        state.close().await;
        give("state.key.next", 2);
        let state = State::open_with(&url, files()).await.unwrap();
        let new = state.begin_key_rotation("one", 3 * MINUTE).await.unwrap();
        state.finish_key_rotation(&new, 3 * MINUTE).await.unwrap();
        state.follow_keys("one", 4 * MINUTE).await.unwrap();
        assert_eq!(read(&state).await, before);
        state.close().await;
        let state = State::open_with(&url, files()).await.unwrap();
        assert_eq!((read(&state).await, &state.seal.current().id), (before, &Key::new([2; 32]).id));
        assert!(!path.exists());
    }
}
