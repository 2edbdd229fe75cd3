//! Groups of computers of the workspace: imported ones and those made by hand are kept here with their members; groups
//! that are queries are saved queries with the tag `Group` = `Computer`. Each can be called in queries by its alias.

mod directory;
mod find;
mod objects;
mod queries;
mod rows;
mod table;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use watchkeeper_ingest::Ingest;
use watchkeeper_kql::StoredFunction;
use watchkeeper_management::clock;
use watchkeeper_model::ids::ObjectId;
use watchkeeper_state::{ComputerGroup, GroupSource, State, StateError};

use crate::map::{Names, named_computers};
use crate::operations::Operations;
use crate::queries::Functions;
pub use directory::{Directory, trust};
pub use find::{FindError, Found, Tag, find, group_tags, is_computer_group, is_in_management_group, tags_of, text_of};
pub use objects::{PACK as GROUPS_PACK, class as group_class, object as group_object};
pub use queries::QueryGroupError;
pub use table::GroupTables;

/// The source of groups that people make by hand.
pub const MANUAL: &str = "manual";
/// What the documented columns call sources.
pub const FROM_HAND: &str = "Manual";
pub const FROM_CONFIGURATION_MANAGER: &str = "SCCM";
/// How soon what another server has left is seen.
const LOOK: Duration = Duration::from_secs(5);
/// Rows of groups made by hand come again after this time, as those of directories do ("This membership is continuously
/// updated every 4 hours").
const REFRESH: i64 = 4 * 3600 * 1_000_000;

/// The management group as it was when the objects of groups were last brought up to date.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    objects: [u64; 2],
    /// What computers there were.
    computers: u64,
}

/// The groups of this server's workspace.
pub struct ComputerGroups {
    state: State,
    operations: Arc<Operations>,
    ingest: Arc<Ingest>,
    /// Where the operational store is read from: queries have threads of their own.
    runtime: Handle,
    /// One that writes rows or objects at a time.
    writing: tokio::sync::Mutex<()>,
    wanted: Notify,
    /// A directory is to be read.
    directory_wanted: Notify,
    /// Groups that are queries were changed.
    queries_changed: Notify,
    stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl ComputerGroups {
    /// Begins to write the rows of groups. To be called within the server's runtime.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn start(
        state: &State,
        operations: &Arc<Operations>,
        ingest: &Arc<Ingest>,
    ) -> Result<Arc<ComputerGroups>, StateError> {
        state.add_group_source(MANUAL, FROM_HAND).await?;
        let groups = Arc::new(ComputerGroups {
            state: state.clone(),
            operations: Arc::clone(operations),
            ingest: Arc::clone(ingest),
            runtime: Handle::current(),
            writing: tokio::sync::Mutex::default(),
            wanted: Notify::new(),
            directory_wanted: Notify::new(),
            queries_changed: Notify::new(),
            stop: CancellationToken::new(),
            tasks: Mutex::default(),
        });
        let follow = tokio::spawn(Arc::clone(&groups).follow());
        let directories = tokio::spawn(Arc::clone(&groups).follow_directories());
        groups.tasks.lock().extend([follow, directories]);
        Ok(groups)
    }

    /// Ends; rows that are not written yet are written after the next start.
    pub async fn stop(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            let _ = task.await;
        }
    }

    /// Groups were changed: their rows are to be written.
    pub fn changed(&self) {
        self.wanted.notify_one();
    }

    async fn follow(self: Arc<Self>) {
        let mut failing = false;
        let mut seen = Seen::default();
        loop {
            let done = tokio::select! {
                () = self.stop.cancelled() => return,
                done = self.write_due(&mut seen) => done,
            };
            match done {
                Ok(()) => failing = false,
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "rows of computer groups wait");
                    }
                    failing = true;
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn write_due(&self, seen: &mut Seen) -> Result<(), rows::RowsError> {
        let objects = self.operations.group.read().state_of_objects();
        let computers = if objects == seen.objects { seen.computers } else { self.state_of_computers() };
        // a member that gets an agent is to be in the group of the management group, too
        let has_others = computers != seen.computers;
        for mut source in self.state.group_sources().await? {
            if !self.operations.does(&format!("computer-groups/{}", source.source_id)) {
                continue;
            }
            if source.source_id == MANUAL && source.rows_done {
                self.refresh(&mut source).await?;
            }
            if source.rows_done && !has_others {
                continue;
            }
            let _writing = self.writing.lock().await;
            if !source.rows_done {
                self.write_rows(&source).await?;
            }
            self.put_objects(&source.source_id).await?;
        }
        *seen = Seen { objects, computers };
        Ok(())
    }

    async fn refresh(&self, source: &mut GroupSource) -> Result<(), StateError> {
        let now = clock::now();
        if source.rows_at + REFRESH > now || self.state.computer_groups(Some(MANUAL)).await?.is_empty() {
            return Ok(());
        }
        let mut changes = self.state.change().await?;
        changes.want_group_rows(MANUAL, now).await?;
        changes.commit().await?;
        (source.rows_at, source.rows_done) = (now, false);
        Ok(())
    }

    /// Makes a group of named computers, or changes it. What it is called in queries stays.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn put_manual(
        &self,
        known: Option<ComputerGroup>,
        name: &str,
        computers: &[String],
    ) -> Result<ComputerGroup, StateError> {
        let now = clock::now();
        let group_id = known.as_ref().map_or_else(|| Uuid::new_v4().to_string(), |group| group.group_id.clone());
        let mut seen = HashSet::new();
        let names: Vec<String> = computers
            .iter()
            .map(|name| name.trim())
            .filter(|name| !name.is_empty() && seen.insert(name.to_lowercase()))
            .map(str::to_owned)
            .collect();
        let group = ComputerGroup {
            source_id: MANUAL.to_owned(),
            source_key: group_id.clone(),
            group_id,
            name: name.to_owned(),
            full_name: format!("{FROM_HAND}\\{name}"),
            source_name: FROM_HAND.to_owned(),
            version: now.max(known.as_ref().map_or(0, |group| group.version + 1)),
            members: i64::try_from(names.len()).unwrap_or(i64::MAX),
            changed_at: now,
            ..known.unwrap_or_default()
        };
        self.state.stage_computer_group_part(&group, 0, &names).await?;
        let mut changes = self.state.change().await?;
        changes.put_computer_groups(std::slice::from_ref(&group)).await?;
        changes.remove_computer_groups(MANUAL, &[]).await?;
        changes.want_group_rows(MANUAL, now).await?;
        changes.commit().await?;
        self.changed();
        Ok(group)
    }

    /// Removes a group that somebody made by hand.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remove_manual(&self, group: &ComputerGroup) -> Result<(), StateError> {
        let mut changes = self.state.change().await?;
        changes.remove_computer_groups(MANUAL, std::slice::from_ref(&group.group_id)).await?;
        changes.want_group_rows(MANUAL, clock::now()).await?;
        changes.commit().await?;
        self.changed();
        Ok(())
    }

    /// Removes a source with its groups, also from the management group.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remove_source(&self, source_id: &str) -> Result<(), StateError> {
        let _writing = self.writing.lock().await;
        self.state.delete_group_source(source_id).await?;
        self.put_objects(source_id).await
    }

    /// Changes what a group is called in queries, and whether the management group has it.
    ///
    /// # Errors
    /// When the store cannot be written, or the pack of such groups not imported.
    pub async fn set_use(&self, group: &ComputerGroup) -> anyhow::Result<bool> {
        if group.in_management_group {
            self.ensure_pack().await?;
        }
        let _writing = self.writing.lock().await;
        let done = self.state.set_computer_group_use(&group.group_id, &group.alias, group.in_management_group).await?;
        self.put_objects(&group.source_id).await?;
        Ok(done)
    }

    /// Members from a place on: the part behind `after`, as queries see them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn part(&self, group: &ComputerGroup, after: i64) -> Result<Option<(i64, Vec<String>)>, StateError> {
        let Some((part, names)) = self.state.computer_group_part(&group.group_id, group.version, after).await? else {
            return Ok(None);
        };
        Ok(Some((part, self.full_names(&self.computers(), &names))))
    }

    fn computers(&self) -> Names<ObjectId> {
        named_computers(&self.operations.group.read())
    }

    /// The names that the management group has for computers; those that it does not know stay as they are.
    pub fn names_of(&self, names: &[String]) -> Vec<String> {
        self.full_names(&self.computers(), names)
    }

    /// The same with what is known of computers.
    fn full_names(&self, computers: &Names<ObjectId>, names: &[String]) -> Vec<String> {
        let space = self.operations.group.read();
        let full = |name: &String| match computers.find(name, name) {
            Some(object) => space.key_name(object),
            None => name.clone(),
        };
        names.iter().map(full).collect()
    }
}

/// The functions by which queries call groups.
///
/// # Errors
/// When the store cannot be read.
pub async fn functions(state: &State) -> Result<Functions, StateError> {
    let groups = state.aliased_computer_groups().await?;
    let function = |group: ComputerGroup| {
        (group.alias, StoredFunction { parameters: String::new(), body: table::query_of(&group.group_id) })
    };
    Ok(groups.into_iter().map(function).collect())
}
