//! Groups of directories as computer groups: when they are read, and what becomes of them.

mod ldap;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use uuid::Uuid;
use watchkeeper_management::clock;
use watchkeeper_state::{ComputerGroup, GroupDirectory, StateError};

use super::{ComputerGroups, LOOK};
pub use ldap::{Directory, FoundGroup, trust};

/// What the documented columns call them.
pub const FROM_DIRECTORY: &str = "ActiveDirectory";
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
/// The pause after a failure.
const RETRY: i64 = 5 * 60 * SECOND;
/// Members of one part.
const PART: usize = 5_000;
const MOST_HOURS: u32 = 24;

impl Directory {
    /// What a directory's record keeps.
    ///
    /// # Errors
    /// When a newer version has written it.
    pub fn of(record: &GroupDirectory) -> Result<Directory, StateError> {
        serde_json::from_str(&record.settings).map_err(|source| StateError::Document { what: "the directory", source })
    }

    /// Whether it can be kept.
    ///
    /// # Errors
    /// A sentence about what is missing.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [("url", &self.url), ("base", &self.base)] {
            if value.trim().is_empty() {
                return Err(format!("{name} of the directory is missing"));
            }
        }
        match (1..=MOST_HOURS).contains(&self.hours) {
            true => Ok(()),
            false => Err(format!("hours is {}; a directory is read every 1 to {MOST_HOURS} hours", self.hours)),
        }
    }
}

impl ComputerGroups {
    /// Reads the directories that are due, until the server stops.
    pub(super) async fn follow_directories(self: Arc<Self>) {
        loop {
            let done = tokio::select! {
                () = self.stop.cancelled() => return,
                done = self.read_due() => done,
            };
            if let Err(error) = done {
                tracing::warn!(%error, "directories are read later");
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.directory_wanted.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Has a directory read at once, by whichever server does its work.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn want_directory(&self, source_id: &str) -> Result<(), StateError> {
        self.state.request_directory_import(source_id, clock::now()).await?;
        self.directory_wanted.notify_one();
        Ok(())
    }

    /// Adds a directory, which is read at once.
    ///
    /// # Errors
    /// When the store cannot be written, or the name is taken.
    pub async fn add_directory(&self, record: &GroupDirectory, password: &str) -> Result<(), StateError> {
        self.state.add_group_source(&record.source_id, FROM_DIRECTORY).await?;
        let added = self.state.put_group_directory(record, password, clock::now()).await;
        if added.is_err() {
            self.state.delete_group_source(&record.source_id).await?;
        }
        self.directory_wanted.notify_one();
        added
    }

    /// Changes a directory, which is read at once.
    ///
    /// # Errors
    /// When the store cannot be written, or the name is taken.
    pub async fn change_directory(&self, record: &GroupDirectory, password: &str) -> Result<(), StateError> {
        self.state.put_group_directory(record, password, clock::now()).await?;
        self.directory_wanted.notify_one();
        Ok(())
    }

    async fn read_due(&self) -> Result<(), StateError> {
        let now = clock::now();
        for record in self.state.group_directories().await? {
            let is_due = record.run_requested > 0 || record.next_run_at <= now;
            if is_due && self.operations.does(&format!("computer-groups/{}", record.source_id)) {
                self.read_directory(&record).await?;
            }
        }
        Ok(())
    }

    async fn read_directory(&self, record: &GroupDirectory) -> Result<(), StateError> {
        let (began, settings) = (clock::now(), Directory::of(record)?);
        let password = self.state.group_directory_password(&record.source_id).await?;
        let (problem, pause) = match settings.groups(&password).await {
            Ok(found) => {
                self.keep_directory(record, &settings, found, began).await?;
                (String::new(), i64::from(settings.hours) * HOUR)
            }
            Err(error) => {
                tracing::warn!(directory = record.name, %error, "the groups of a directory were not imported");
                (error.to_string(), RETRY)
            }
        };
        let now = clock::now();
        self.state.end_directory_import(&record.source_id, began, now, now + pause, &problem).await
    }

    async fn keep_directory(
        &self,
        record: &GroupDirectory,
        settings: &Directory,
        found: Vec<FoundGroup>,
        began: i64,
    ) -> Result<(), StateError> {
        let id = &record.source_id;
        let known = self.state.computer_groups(Some(id)).await?;
        let known: HashMap<&str, &ComputerGroup> = known.iter().map(|one| (one.source_key.as_str(), one)).collect();
        let domain = settings.domain();
        let mut groups = Vec::new();
        for one in found {
            let names: Vec<String> = one.computers.into_iter().collect();
            let before = known.get(one.name_in_directory.as_str()).copied();
            let own = || Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{id}/{}", one.name_in_directory).as_bytes());
            let fingerprint = fingerprint(&names);
            let is_same = before.is_some_and(|before| before.fingerprint == fingerprint);
            let group = ComputerGroup {
                group_id: before.map_or_else(|| own().to_string(), |before| before.group_id.clone()),
                source_id: id.clone(),
                full_name: format!("{FROM_DIRECTORY}\\{domain}\\{}", one.name),
                name: one.name,
                source_name: domain.clone(),
                version: before.filter(|_| is_same).map_or(began, |before| before.version),
                members: i64::try_from(names.len()).unwrap_or(i64::MAX),
                fingerprint,
                changed_at: before.filter(|_| is_same).map_or(began, |before| before.changed_at),
                source_key: one.name_in_directory,
                ..before.cloned().unwrap_or_default()
            };
            if !is_same {
                for (part, names) in names.chunks(PART).enumerate() {
                    let part = i64::try_from(part).unwrap_or(i64::MAX);
                    self.state.stage_computer_group_part(&group, part, names).await?;
                }
            }
            groups.push(group);
        }
        let kept: HashSet<&str> = groups.iter().map(|group| group.group_id.as_str()).collect();
        let gone: Vec<String> =
            known.values().map(|group| group.group_id.clone()).filter(|group| !kept.contains(group.as_str())).collect();
        let mut changes = self.state.change().await?;
        changes.put_computer_groups(&groups).await?;
        changes.remove_computer_groups(id, &gone).await?;
        changes.want_group_rows(id, began).await?;
        changes.commit().await?;
        self.changed();
        tracing::info!(directory = record.name, groups = groups.len(), "groups of a directory imported");
        Ok(())
    }
}

fn fingerprint(names: &[String]) -> String {
    let digest = digest(&SHA256, names.join("\n").as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
