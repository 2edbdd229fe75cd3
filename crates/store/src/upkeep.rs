//! Looking after a table's files in the background: joining small ones, dropping old days, checkpoints, vacuum.
//! One step a table and round, so that it never takes much at once; appends and queries never wait for it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use chrono::{NaiveDate, Utc};
use tokio::sync::OwnedMutexGuard;

use crate::delta::DataFile;
use crate::delta::file::{INDEX_FOLDER, read_data_file, sort_into_days, write_data_file};
use crate::delta::log::{self, Change};
use crate::error::StoreError;
use crate::limits::COMMITS_PER_CHECKPOINT;
use crate::store::{Store, blocking};
use crate::table::Table;

/// How often hot rows are looked at; an append near the limits does not wait for it.
const FLUSH_CHECK: Duration = Duration::from_secs(1);

/// Runs flushing and upkeep until the store goes.
pub(crate) fn spawn(store: &Arc<Store>, interval: Duration) -> tokio::task::JoinHandle<()> {
    let (store, wanted): (Weak<Store>, _) = (Arc::downgrade(store), store.flush_wanted.clone());
    tokio::spawn(async move {
        let mut last_upkeep = Instant::now();
        loop {
            // either is a reason to look
            let _ = tokio::time::timeout(FLUSH_CHECK, wanted.notified()).await;
            let Some(store) = store.upgrade() else { return };
            if store.is_closing() {
                return;
            }
            if let Err(error) = store.flush_due().await {
                tracing::error!(%error, "rows stay in the log");
                tokio::time::sleep(FLUSH_CHECK).await;
            }
            if last_upkeep.elapsed() >= interval {
                if let Err(error) = store.upkeep(Utc::now().date_naive()).await {
                    tracing::error!(%error, "upkeep of table files failed");
                }
                last_upkeep = Instant::now();
            }
        }
    })
}

impl Store {
    /// One round over all tables: retention as of `today` (UTC), one compaction, a checkpoint if due, vacuum.
    pub async fn upkeep(&self, today: NaiveDate) -> Result<(), StoreError> {
        let tables: Vec<_> = self.tables.read().values().cloned().collect();
        for table in tables {
            self.drop_old_days(&table, today).await?;
            self.compact(&table, today).await?;
            self.checkpoint(&table).await?;
            self.vacuum(&table).await?;
        }
        Ok(())
    }

    async fn drop_old_days(&self, table: &Arc<Table>, today: NaiveDate) -> Result<(), StoreError> {
        let writing = table.writing.clone().lock_owned().await;
        self.settle(table).await?;
        let (files, days) = {
            let state = table.state.lock();
            (state.files.clone(), state.schema.retention.total_days)
        };
        let Some(first) = today.checked_sub_days(chrono::Days::new(days.into())) else { return Ok(()) };
        let old: Vec<_> = files.iter().filter(|file| file.date < first).cloned().collect();
        if old.is_empty() {
            return Ok(());
        }
        tracing::info!(table = &*table.name, files = old.len(), before = %first, "drop rows past their retention");
        self.replace(table, writing, "DELETE", Vec::new(), old, true).await
    }

    /// Joins the small files of one day, if there are enough.
    async fn compact(&self, table: &Arc<Table>, today: NaiveDate) -> Result<(), StoreError> {
        let writing = table.writing.clone().lock_owned().await;
        self.settle(table).await?;
        let files = table.state.lock().files.clone();
        let mut days: BTreeMap<NaiveDate, Vec<&Arc<DataFile>>> = BTreeMap::new();
        for file in files.iter().filter(|file| file.size < self.options.compaction_bytes / 2) {
            days.entry(file.date).or_default().push(file);
        }
        let chosen = days.into_iter().find_map(|(date, small)| {
            let mut total = 0;
            let within = small.into_iter().take_while(|file| {
                total += file.size;
                total <= self.options.compaction_bytes
            });
            let chosen: Vec<_> = within.cloned().collect();
            // no more comes for most days that are over, so that few files are reason enough
            let enough = if date < today { 2 } else { self.options.compaction_files };
            (chosen.len() >= enough.max(2)).then_some((date, chosen))
        });
        let Some((date, old)) = chosen else { return Ok(()) };
        let (io, folder, name) = (self.options.io.clone(), table.folder.clone(), table.name.clone());
        let arrow = table.state.lock().arrow.clone();
        let sources = old.clone();
        let new = blocking(move || {
            let mut batches = Vec::new();
            for file in &sources {
                batches.extend(read_data_file(&*io, &name, file, &arrow)?);
            }
            sort_into_days(&name, &arrow, &batches)?
                .iter()
                .map(|(date, rows)| write_data_file(&*io, &name, &folder, *date, rows).map(Arc::new))
                .collect::<Result<Vec<_>, _>>()
        })
        .await?;
        let rows = |files: &[Arc<DataFile>]| files.iter().map(|file| file.rows).sum::<u64>();
        if rows(&new) != rows(&old) {
            let reason = format!("files of {date} have {} rows, the Delta log says {}", rows(&new), rows(&old));
            return Err(StoreError::Delta { table: table.name.to_string(), action: "compaction", reason });
        }
        tracing::debug!(table = &*table.name, %date, files = old.len(), "join files");
        self.replace(table, writing, "OPTIMIZE", new, old, false).await
    }

    async fn replace(
        &self,
        table: &Arc<Table>,
        writing: OwnedMutexGuard<()>,
        operation: &'static str,
        add: Vec<Arc<DataFile>>,
        remove: Vec<Arc<DataFile>>,
        data_change: bool,
    ) -> Result<(), StoreError> {
        let (io, folder, node) = (self.options.io.clone(), table.folder.clone(), self.node.clone());
        let (schema, head) = {
            let state = table.state.lock();
            (state.schema.clone(), state.head.clone())
        };
        let (added, removed) = (add.clone(), remove.clone());
        self.commit(table, writing, add, remove, move || {
            let change = Change { operation, add: &added, remove: &removed, data_change, flushed: None };
            log::commit(&*io, &folder, &node, &schema, &head, &change)
        })
        .await
    }

    async fn checkpoint(&self, table: &Arc<Table>) -> Result<(), StoreError> {
        let _writing = table.writing.lock().await;
        if table.state.lock().commits_since_checkpoint < COMMITS_PER_CHECKPOINT {
            return Ok(());
        }
        log::checkpoint(&*self.options.io, &table.name, &table.folder).await?;
        table.state.lock().commits_since_checkpoint = 0;
        Ok(())
    }

    /// Deletes files that no version names, after the grace, and that no snapshot holds.
    async fn vacuum(&self, table: &Arc<Table>) -> Result<(), StoreError> {
        let io = self.options.io.clone();
        let folder = table.folder.clone();
        let found = blocking(move || {
            let list = |path: &PathBuf| io.list(path).map_err(StoreError::io("list", path));
            let mut found = Vec::new();
            for entry in list(&folder)? {
                let name = entry.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if entry.is_dir && (name.starts_with("date=") || name == INDEX_FOLDER) {
                    found.extend(list(&entry.path)?.into_iter().filter(|entry| !entry.is_dir));
                }
            }
            Ok(found)
        })
        .await?;
        let kept: HashSet<PathBuf> = {
            let mut state = table.state.lock();
            // a snapshot that still holds a file counts; nobody can get hold of it anew
            state.retired.retain(|file| Arc::strong_count(file) > 1);
            let files = state.files.iter().chain(&state.retired);
            files.flat_map(|file| [Some(file.path.clone()), file.term_index.clone()]).flatten().collect()
        };
        let mut expired = Vec::new();
        {
            let mut unreferenced = self.unreferenced.lock();
            for entry in found {
                if kept.contains(&entry.path) {
                    unreferenced.remove(&entry.path);
                    continue;
                }
                let since = *unreferenced.entry(entry.path.clone()).or_insert_with(Instant::now);
                if since.elapsed() >= self.options.vacuum_grace {
                    unreferenced.remove(&entry.path);
                    expired.push(entry.path);
                }
            }
        }
        if expired.is_empty() {
            return Ok(());
        }
        // a flush may be about to commit one of these, if the grace is very short
        let _writing = table.writing.lock().await;
        let current = table.state.lock().files.clone();
        let io = self.options.io.clone();
        blocking(move || {
            for path in expired {
                let named = current.iter().any(|file| file.path == path || file.term_index.as_ref() == Some(&path));
                if !named {
                    io.remove(&path).map_err(StoreError::io("remove", &path))?;
                }
            }
            Ok(())
        })
        .await
    }
}
