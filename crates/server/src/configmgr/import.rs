//! One import: collections and members are read and put aside; at its end one change moves all groups to what was read, or
//! nothing of it is kept. Members of a collection that says that they did not change are not read again, except once a day.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;
use watchkeeper_configmgr::{Client, Collection};
use watchkeeper_management::clock;
use watchkeeper_state::{ComputerGroup, ImportEnd};

use super::{ConfigurationManagers, Connection, ImportError, KnownSite, Outcome, problem_json, text};
use crate::computer_groups::FROM_CONFIGURATION_MANAGER;

/// Members are put aside in parts of so many.
const PART: usize = 5_000;
const SECOND: i64 = 1_000_000;

/// What one import makes of the collections.
struct Plan {
    /// Groups whose members are known.
    known: Vec<ComputerGroup>,
    /// Collections whose members are to be read, with the groups that they will be.
    read: Vec<(Collection, ComputerGroup)>,
    /// Groups whose collections are gone, or not chosen any more.
    gone: Vec<String>,
    renamed: u64,
    /// Devices of which rows were written.
    devices: u64,
}

impl ConfigurationManagers {
    /// Imports the collections of a connection and notes how it went.
    pub(super) async fn import(&self, connection: &Connection) -> Result<(), ImportError> {
        let stored = &connection.stored;
        let (began, clock_began) = (clock::now(), Instant::now());
        if !self.state.begin_import(&stored.connection_id, stored.revision, began).await? {
            return Err(ImportError::Moved);
        }
        self.progress.lock().remove(&stored.connection_id);
        if !connection.form.import && stored.run_requested <= stored.modified_at {
            return self.write_alone(connection, began).await;
        }
        let full_every = i64::try_from(self.options.full_seconds).unwrap_or(i64::MAX / SECOND) * SECOND;
        let is_full = stored.last_full_at.saturating_add(full_every) <= began;
        let read = self.read(connection, began, is_full).await;
        let now = clock::now();
        let mut end = ImportEnd {
            revision: stored.revision,
            began_at: began,
            at: now,
            next_run_at: self.next_run(connection, now, 0),
            ..ImportEnd::default()
        };
        match read {
            Ok((plan, site)) => {
                let outcome = outcome(&plan, clock_began.elapsed().as_secs_f64());
                (end.was_full, end.outcome) = (is_full, text(&outcome));
                self.keep(connection, &plan, &end).await?;
                let Outcome { collections, memberships, read, seconds, .. } = outcome;
                tracing::info!(
                    connection = stored.name,
                    site = site.code,
                    collections,
                    memberships,
                    read,
                    seconds,
                    "collections of Configuration Manager imported"
                );
                self.write_targets(connection, &site).await
            }
            Err(ImportError::Problem(problem)) => {
                tracing::warn!(connection = stored.name, %problem, "the collections of a site were not imported");
                self.state.drop_unused_members(&stored.connection_id).await?;
                end.next_run_at = self.next_run(connection, now, stored.failures + 1);
                end.problem = problem_json(&problem).to_string();
                let mut changes = self.state.change().await?;
                changes.end_import(&stored.connection_id, &end).await?;
                Ok(changes.commit().await?)
            }
            Err(error) => Err(error),
        }
    }

    /// A run of a connection that does not import: groups are written to its site alone.
    async fn write_alone(&self, connection: &Connection, began: i64) -> Result<(), ImportError> {
        let stored = &connection.stored;
        let secrets = self.secrets(&stored.connection_id).await?;
        let looked = self.look(&connection.form, &secrets, &connection.site.code).await;
        let now = clock::now();
        let mut end = ImportEnd { revision: stored.revision, began_at: began, at: now, ..ImportEnd::default() };
        let site = match looked {
            Ok(site) => Some(site),
            Err(ImportError::Problem(problem)) => {
                tracing::warn!(connection = stored.name, %problem, "groups were not written to a site");
                end.problem = problem_json(&problem).to_string();
                None
            }
            Err(error) => return Err(error),
        };
        end.next_run_at = self.next_run(connection, now, if site.is_some() { 0 } else { stored.failures + 1 });
        let mut changes = self.state.change().await?;
        if !changes.end_import(&stored.connection_id, &end).await? {
            return Err(ImportError::Moved);
        }
        changes.commit().await?;
        match site {
            Some(site) => self.write_targets(connection, &site).await,
            None => Ok(()),
        }
    }

    /// Asks the site for everything, and puts aside the members that are new.
    async fn read(&self, connection: &Connection, began: i64, is_full: bool) -> Result<(Plan, KnownSite), ImportError> {
        let (stored, form) = (&connection.stored, &connection.form);
        // of a run that was cut off
        self.state.drop_unused_members(&stored.connection_id).await?;
        let secrets = self.secrets(&stored.connection_id).await?;
        let site = self.look(form, &secrets, &connection.site.code).await?;
        let client = form.client(
            &secrets,
            &self.clouds,
            self.timeout(),
            self.options.tries.max(1),
            self.options.page_rows.max(1),
        )?;
        let collections = client.collections().await?;
        let known = self.state.computer_groups(Some(&stored.connection_id)).await?;
        let mut plan = plan(connection, &site, collections, known, began, is_full);
        self.advance(&stored.connection_id, |progress| {
            progress.collections = (plan.known.len() + plan.read.len()) as u64;
            progress.collections_done = plan.known.len() as u64;
        });
        let parallel = self.options.parallel.clamp(1, 16);
        let reading = stream::iter(plan.read.drain(..).collect::<Vec<_>>())
            .map(|(collection, group)| self.read_members(&client, collection, group))
            .buffer_unordered(parallel);
        plan.read = reading.try_collect().await?;
        if form.inventory {
            let groups: Vec<&ComputerGroup> =
                plan.known.iter().chain(plan.read.iter().map(|(_, group)| group)).collect();
            // groups are what an import is for: they hold also where devices cannot be read
            match self.write_devices(connection, &client, &site, &groups, began).await {
                Ok(devices) => plan.devices = devices,
                Err(ImportError::State(error)) => return Err(error.into()),
                Err(error) => tracing::warn!(connection = stored.name, %error, "the devices of a site were not read"),
            }
        }
        Ok((plan, site))
    }

    /// Reads the members of a collection into parts of the group that it will be.
    async fn read_members(
        &self,
        client: &Client,
        collection: Collection,
        mut group: ComputerGroup,
    ) -> Result<(Collection, ComputerGroup), ImportError> {
        let mut pages = client.members(&collection.id, collection.members);
        let (mut seen, mut part, mut number) = (HashSet::new(), Vec::new(), 0);
        while let Some(page) = pages.next().await? {
            let count = page.len() as u64;
            for member in page {
                // two resources of one name are one computer: an old record of a machine that was set up anew
                let name = member.name.trim().replace(['\n', '\r'], " ");
                if !name.is_empty() && seen.insert(name.to_lowercase()) {
                    part.push(name);
                }
            }
            if part.len() >= PART {
                self.state.stage_computer_group_part(&group, number, &part).await?;
                (number, part) = (number + 1, Vec::new());
            }
            self.advance(&group.source_id, |progress| progress.memberships += count);
        }
        if !part.is_empty() {
            self.state.stage_computer_group_part(&group, number, &part).await?;
        }
        group.members = i64::try_from(seen.len()).unwrap_or(i64::MAX);
        self.advance(&group.source_id, |progress| progress.collections_done += 1);
        Ok((collection, group))
    }

    /// Makes what was read hold, all at once.
    async fn keep(&self, connection: &Connection, plan: &Plan, end: &ImportEnd) -> Result<(), ImportError> {
        let id = &connection.stored.connection_id;
        let groups: Vec<ComputerGroup> =
            plan.known.iter().chain(plan.read.iter().map(|(_, group)| group)).cloned().collect();
        let mut changes = self.state.change().await?;
        if !changes.end_import(id, end).await? {
            return Err(ImportError::Moved);
        }
        changes.put_computer_groups(&groups).await?;
        changes.remove_computer_groups(id, &plan.gone).await?;
        changes.want_group_rows(id, end.began_at).await?;
        changes.commit().await?;
        self.groups.changed();
        Ok(())
    }

    fn advance(&self, connection_id: &str, change: impl FnOnce(&mut super::Progress)) {
        change(self.progress.lock().entry(connection_id.to_owned()).or_default());
    }
}

fn plan(
    connection: &Connection,
    site: &KnownSite,
    collections: Vec<Collection>,
    known: Vec<ComputerGroup>,
    began: i64,
    is_full: bool,
) -> Plan {
    let form = &connection.form;
    let wanted: HashSet<&str> = form.collections.iter().map(String::as_str).collect();
    let mut known: HashMap<String, ComputerGroup> =
        known.into_iter().map(|group| (group.source_key.clone(), group)).collect();
    let mut plan = Plan { known: Vec::new(), read: Vec::new(), gone: Vec::new(), renamed: 0, devices: 0 };
    for collection in collections {
        if !form.all_collections && !wanted.contains(collection.id.as_str()) {
            continue;
        }
        let before = known.remove(&collection.id);
        let mut group = group_of(connection, site, &collection, before.as_ref(), began);
        if before.as_ref().is_some_and(|before| before.name != group.name) {
            plan.renamed += 1;
        }
        let same = before
            .filter(|before| !is_full && !before.fingerprint.is_empty() && before.fingerprint == group.fingerprint);
        match same {
            Some(before) => {
                (group.version, group.members, group.changed_at) = (before.version, before.members, before.changed_at);
                plan.known.push(group);
            }
            None => plan.read.push((collection, group)),
        }
    }
    plan.gone = known.into_values().map(|group| group.group_id).collect();
    plan
}

fn group_of(
    connection: &Connection,
    site: &KnownSite,
    collection: &Collection,
    before: Option<&ComputerGroup>,
    began: i64,
) -> ComputerGroup {
    let id = &connection.stored.connection_id;
    // the same collection is the same group, also of a connection that was moved
    let own = || Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{id}/{}", collection.id).as_bytes()).to_string();
    ComputerGroup {
        group_id: before.map_or_else(own, |before| before.group_id.clone()),
        source_id: id.clone(),
        source_key: collection.id.clone(),
        name: collection.name.clone(),
        full_name: format!("{FROM_CONFIGURATION_MANAGER}\\{}\\{}", site.code, collection.name),
        source_name: site.code.clone(),
        // two groups of one version are told apart by their own ids
        version: began.max(before.map_or(0, |before| before.version + 1)),
        fingerprint: collection.fingerprint().unwrap_or_default(),
        changed_at: began,
        ..before.cloned().unwrap_or_default()
    }
}

fn outcome(plan: &Plan, seconds: f64) -> Outcome {
    let groups = || plan.known.iter().chain(plan.read.iter().map(|(_, group)| group));
    Outcome {
        collections: groups().count() as u64,
        memberships: groups().map(|group| group.members.unsigned_abs()).sum(),
        read: plan.read.len() as u64,
        empty: groups().filter(|group| group.members == 0).count() as u64,
        removed: plan.gone.len() as u64,
        renamed: plan.renamed,
        devices: plan.devices,
        seconds,
    }
}
